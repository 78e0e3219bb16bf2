"""LSPIN, LLSPIN and dense nets as models of pycox."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .. import nets
from .._pycox import tt
from ..errors import InputError
from ..heads import Cox, Target
from ..outcome import Outcome, check_enough_events
from ..train import Batch, Settings
from ..train.fit import penalty_weights
from .curves import Curves
from .rows import Loader


class CoxModel(Curves):
    """One net with a Cox head, in pycox's manner; what `CoxLSPIN`, `CoxLLSPIN` and `DeepSurv` share.

    Parameters
    ----------
    net : Net
        Of the kind the model is named after, a single one. A net whose weights are all 0, as nets are when made, is
        initialised here, in place, from `random_state`; training any other starts from the weights it has.
    optimizer : torchtuples or torch optimizer, optional
        None: ``tt.optim.Adam(3e-3)``.
    device : str, int or torch.device, optional
        None: the CPU. A GPU is used when named, never unasked.
    loss : callable, optional
        ``loss(log_h (n, 1), durations (n,), events (n,))`` in place of the head's partial likelihood.
    head : Cox, optional
        The partial likelihood and its baseline hazard; None: the net's own.
    lam : dict, optional
        The weight of each of the net's penalties by name, ``{"gates": 0.02}``, against the loss per event; those not
        named weigh 0. A callback may change ``model.lam`` during a fit.
    random_state : int, optional
        Seeds `generator`, which alone draws weights, batches and noise. None: a seed from torch's global generator.
    noise : callable, optional
        ``noise(n, n_gates)`` returns the standard normal draws (n, n_gates) of one training step; None: `generator`.

    Attributes
    ----------
    generator : torch.Generator
    training_data : ((n, p) array, (durations (n,), events (n,)))
        The rows of `fit`. Pickles and copies of the model leave them out.

    Raises
    ------
    InputError
        SL-471 for a net of another kind, SL-472 for a stack of models, SL-473 where net and head do not match, SL-406
        and SL-407 for `lam`, SL-409 for a GPU that is not there.

    Notes
    -----
    Inputs are arrays, tensors or tables of numbers, the columns in the net's order; outcomes any that
    `survlspin.Outcome.of` reads, without entry times, weights and strata. Times are in the unit of the data.

    A batch has the risk sets of its own rows; one without events makes no step and counts as loss 0. Validation rows
    are scored as one set, gates deterministic. For a net with penalties the log has the likelihood, ``nll``, and each
    penalty beside ``loss``.
    """

    takes: type[nets.Net]
    _last: tuple[Tensor, Tensor, Target] | None = None

    def __init__(
        self,
        net: nets.Net,
        optimizer=None,
        device=None,
        loss: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
        *,
        head: Cox | None = None,
        lam: Mapping[str, float] | None = None,
        random_state: int | None = None,
        noise: Callable[[int, int], Tensor] | None = None,
    ):
        self._check(net)
        self.head = net.head if head is None else head
        self._check_head(net)
        seed = int(torch.randint(2**62, ())) if random_state is None else int(random_state)
        self.generator, self.noise = torch.Generator().manual_seed(seed), noise
        if not any(bool(p.any()) for name, p in net.named_parameters() if name.endswith("weight")):
            net.initialize([self.generator])
        optimizer = tt.optim.Adam(Settings.lr) if optimizer is None else optimizer
        super().__init__(net, optimizer, device, self._partial_likelihood if loss is None else loss)
        self.lam = self._weights({} if lam is None else lam)

    def _check(self, net) -> None:
        mine, kind = type(self).__name__, self.takes.__name__
        if not isinstance(net, self.takes):
            found = f"the net is of type {type(net).__name__}, but {mine} takes {kind}."
            raise InputError("SL-471", found, f"Make one: nets.{kind}(p). Weights on file are for load_net.")
        if net.models != 1:
            found = f"the net is a stack of {net.models} models, but {mine} takes one."
            raise InputError("SL-472", found, "Take one of them, net.rows([0]), or the estimators with members=.")

    def _check_head(self, net) -> None:
        if not isinstance(self.head, Cox) or net.k != self.head.k or net.bias:
            found = f"the net has {net.k} outputs{' with a bias' * net.bias}, the head is {type(self.head).__name__};"
            remedy = "It takes Cox, whose nets have one output without a bias: make the net with head=Cox()."
            raise InputError("SL-473", found, remedy)

    def _weights(self, lam) -> dict[str, float]:
        """Return `lam`, checked against the penalties that the net has."""
        if not isinstance(lam, Mapping):
            raise InputError("SL-406", f"lam={lam!r}.", 'Name the penalty: lam={"gates": 0.02}.')
        penalty_weights(self.net, dict(lam))
        return dict(lam)

    def set_device(self, device) -> None:
        """Move the net to `device`; None is the CPU."""
        if (isinstance(device, int) or str(device).startswith("cuda")) and not torch.cuda.is_available():
            raise InputError("SL-409", f"device={device!r}, but there is no CUDA device.", "Leave device out.")
        super().set_device("cpu" if device is None else device)

    def fit(
        self,
        input,
        target,
        batch_size: int = 256,
        epochs: int = 1,
        callbacks=None,
        verbose: bool = True,
        num_workers: int = 0,
        shuffle: bool = True,
        metrics=None,
        val_data=None,
        val_batch_size: int = 8224,
    ):
        """Train by torchtuples' loop.

        Parameters
        ----------
        input : array, tensor or DataFrame (n, p)
        target : (durations (n,), events (n,)), structured y or another accepted outcome
        batch_size : int
            Rows per step at most; batches are nearly equal, so that no tail is a handful of rows.
        epochs : int
        callbacks : list, optional
            ``[models.EarlyStopping()]``, or any of `torchtuples.callbacks`.
        verbose : bool
            Whether torchtuples prints a line per epoch.
        num_workers : int
            Ignored: the rows lie on the device.
        shuffle : bool
        metrics : dict, optional
            Further columns of the log: functions ``(log_h (n, 1), durations (n,), events (n,))``.
        val_data : (input, target) or DataLoader, optional
        val_batch_size : int
            Validation rows that pass the net at once; it changes no number.

        Returns
        -------
        torchtuples.callbacks.TrainingLogger

        Raises
        ------
        InputError
            The codes of `Outcome.of`; SL-116 without an event; SL-203 to SL-211 and SL-218 for the input; SL-461 for
            entry times, weights or strata.
        """
        x, outcome = self._rows(input, target)
        check_enough_events(outcome, force=True)
        if val_data is not None and not tt.utils.is_dl(val_data):
            x_valid, valid = self._rows(*val_data)
            val_data = x_valid, (valid.time, valid.event)
        self._forget_baseline()
        target = outcome.time, outcome.event
        loop = batch_size, epochs, callbacks, verbose, num_workers, shuffle, metrics, val_data, val_batch_size
        try:
            log = super().fit(x, target, *loop)
        finally:
            self.val_metrics.dataloader = None  # it holds patients' rows
        self._restore_norms()
        return log

    def make_dataloader(self, data, batch_size: int, shuffle: bool, num_workers: int = 0) -> Loader:
        """Return batches of `data` on the device."""
        return Loader(data, batch_size, self.device, self.generator if shuffle else None)

    def compute_metrics(self, data, metrics=None) -> dict[str, Tensor]:
        """Return loss and metrics of one batch ``(input, (durations, events))``."""
        input, target = self._to_device(data)
        log_h, penalties = self._forward(tt.tuplefy(input)[0], target)
        values = self._values(log_h, penalties, target, metrics)
        if not target[1].any():  # a loss that no weight has a part in: the optimizer makes no step
            values["loss"] = torch.zeros((), dtype=log_h.dtype, device=self.device, requires_grad=True)
        return values

    @torch.no_grad()
    def score_in_batches_dataloader(self, dataloader, score_func=None, eval_=True, mean=True, numpy=True):
        """Return loss and metrics of all rows of `dataloader` as one set; as in torchtuples where not `mean`."""
        if score_func is not None or not mean:
            return super().score_in_batches_dataloader(dataloader, score_func, eval_, mean, numpy)
        if dataloader is self.val_metrics.dataloader:
            self._restore_norms()
        self.net.train(not eval_)
        blocks, sums, n = [], {}, 0
        for data in dataloader:
            input, target = self._to_device(data)
            x = tt.tuplefy(input)[0]
            log_h, penalties = self._forward(x, target)
            blocks.append((log_h, target))
            sums = {name: sums.get(name, 0.0) + len(x) * value for name, value in penalties.items()}
            n += len(x)
        self.net.train()  # as torchtuples leaves a net
        log_h, target = tt.tuplefy(blocks).cat()
        values = self._values(log_h, {name: value / n for name, value in sums.items()}, target)
        return {name: value.item() for name, value in values.items()} if numpy else values

    def _forward(self, x: Tensor, target) -> tuple[Tensor, dict[str, Tensor]]:
        """Return log-risks (n, 1) and penalties of the rows; in training mode with noise on the gates."""
        x, noise = x.to(self._dtype), None
        if self.net.training and self.net.n_gates:
            shape = len(x), self.net.n_gates
            if self.noise is None:
                noise = torch.randn(shape, generator=self.generator, dtype=x.dtype)
            else:
                noise = torch.as_tensor(self.noise(*shape))
            noise = noise.to(x).view(1, *shape)
        eta, parts = self.net(x, noise)
        penalties = self.net.penalties(parts, Batch(x[None], self._prepared(*target), noise))
        return eta[0], {name: value[0] for name, value in penalties.items()}

    def _values(self, log_h: Tensor, penalties: dict[str, Tensor], target, metrics=None) -> dict[str, Tensor]:
        metrics = self.metrics if metrics is None else metrics
        values = {name: metric(log_h, *target) for name, metric in metrics.items()}
        if penalties:
            values = {"nll": values["loss"], **penalties} | values
            values["loss"] = values["loss"] + sum(self.lam.get(name, 0.0) * v for name, v in penalties.items())
        return values

    def _partial_likelihood(self, log_h: Tensor, durations: Tensor, events: Tensor) -> Tensor:
        """Return the negative log partial likelihood per event of the rows; 0 without events."""
        return self.head.nll(log_h[None], self._prepared(durations, events))[0]

    def _prepared(self, durations: Tensor, events: Tensor) -> Target:
        """Return the head's target of these rows, which is kept for the next call with the same rows."""
        if self._last is None or self._last[0] is not durations or self._last[1] is not events:
            outcome = Outcome(*(values.detach().double().cpu().numpy().reshape(-1) for values in (durations, events)))
            self._last = durations, events, self.head.prepare(outcome).to(self.device)
        return self._last[2]

    @torch.no_grad()
    def _restore_norms(self) -> None:
        """Give the net's norms the statistics of all training rows, gates deterministic."""
        if self.net.derived and hasattr(self, "training_data"):
            self.net.train()
            self.net(torch.from_numpy(self.training_data[0]).to(self.device))

    def __getstate__(self) -> dict:
        """Leave out patients' rows, and what cannot be copied: the last step's autograd graph, users' callbacks."""
        left_out = {"training_data", "callbacks", "batch_loss", "batch_metrics", "_last"}
        return {name: value for name, value in vars(self).items() if name not in left_out}


class CoxLSPIN(CoxModel):
    """Locally sparse Cox regression with an LSPIN net, as a `pycox.models.CoxPH`.

    Parameters
    ----------
    net : nets.LSPIN
    optimizer, device, loss, head, lam, random_state, noise : see `CoxModel`
        The penalty of `lam` is ``"gates"``, the mean number of open gates per patient.

    References
    ----------
    Yang, Lindenbaum, Kluger (2022), Locally Sparse Neural Networks for Tabular Biomedical Data, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from survlspin import models, nets
    >>> rng = np.random.default_rng(0)
    >>> x, months, died = rng.normal(size=(300, 4)), rng.exponential(size=300), rng.integers(0, 2, 300)
    >>> model = models.CoxLSPIN(nets.LSPIN(4), lam={"gates": 0.02}, random_state=0)
    >>> log = model.fit(x, (months, died), epochs=2, verbose=False)
    >>> hazards = model.compute_baseline_hazards()
    >>> model.predict_surv_df(x[:2], max_duration=1.0).shape[1]
    2
    """

    takes = nets.LSPIN


class CoxLLSPIN(CoxModel):
    """Locally linear and sparse Cox regression with an LLSPIN net, as a `pycox.models.CoxPH`.

    Parameters
    ----------
    net : nets.LLSPIN
    optimizer, device, loss, head, lam, random_state, noise : see `CoxModel`
        The penalty of `lam` is ``"gates"``, the mean number of open gates per patient.

    References
    ----------
    Yang, Lindenbaum, Kluger (2022), Locally Sparse Neural Networks for Tabular Biomedical Data, ICML.

    Examples
    --------
    See `CoxLSPIN`.
    """

    takes = nets.LLSPIN


class DeepSurv(CoxModel):
    """Cox regression with a dense net, as a `pycox.models.CoxPH`.

    Parameters
    ----------
    net : nets.Dense
    optimizer, device, loss, head, random_state : see `CoxModel`

    References
    ----------
    Katzman, Shaham, Cloninger, Bates, Jiang, Kluger (2018), DeepSurv, BMC Medical Research Methodology 18, 24.

    Examples
    --------
    See `CoxLSPIN`.
    """

    takes = nets.Dense
