"""Training models to each one's best validation objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from .._messages import listed, nearest
from ..errors import InputError
from ..heads import Head
from ..nets import Net
from .evaluate import evaluate, refresh
from .optim import Buffer
from .rows import Rows
from .settings import Settings
from .stack import Stack
from .step import Data
from .threads import fitting_threads

ROWS_PER_STEP = 30_000  # a stack whose steps would hold more rows is slower than its parts
STEPS_PER_EVALUATION = 20  # small data sets are not evaluated more often than this
TOLERANCE = 1e-4  # an objective better by a smaller share is kept, but does not count as progress

Progress = Callable[[int, int, int], None]


@dataclass
class History:
    """What happened to each of B models.

    Attributes
    ----------
    best_epoch : array (B,)
        The epoch whose (averaged) weights were kept.
    objective, nll : array (B,)
        Validation objective and negative log-likelihood of those weights; inf and nan without validation rows.
    skipped : array (B,)
        Batches that held no event, so that no step was made.
    trace : list of (epoch, array (B,))
        The objective at every evaluation; nan for models that were not evaluated then.
    """

    best_epoch: np.ndarray
    objective: np.ndarray
    nll: np.ndarray
    skipped: np.ndarray
    trace: list[tuple[int, np.ndarray]] = field(default_factory=list)

    @classmethod
    def empty(cls, models: int) -> History:
        return cls(np.zeros(models, int), np.full(models, np.inf), np.full(models, np.nan), np.zeros(models, int))

    def take(self, models: np.ndarray) -> History:
        """Return what happened to the models at the positions `models`."""
        epoch, objective, nll, skipped = (a[models] for a in (self.best_epoch, self.objective, self.nll, self.skipped))
        return History(epoch, objective, nll, skipped, [(epoch, line[models]) for epoch, line in self.trace])


def fit(
    net: Net,
    head: Head,
    train: Data,
    rows: Sequence[np.ndarray],
    lam: dict[str, Tensor],
    generators: Sequence[torch.Generator],
    settings: Settings,
    valid: Data | None = None,
    valid_rows: Sequence[np.ndarray] = (),
    progress: Progress | None = None,
) -> History:
    """Train the models of `net` in place, each on its own rows, and leave each with its best weights.

    Parameters
    ----------
    net : Net
        B models.
    head : Head
    train, valid : Data
        The data sets that training and validation rows index. Without `valid` every model runs all epochs and keeps
        its last averaged weights.
    rows, valid_rows : sequence of T int arrays
        Rows of each model; with T < B each array serves B / T models in a row.
    lam : dict of Tensor (B,)
        The weight of each penalty by name.
    generators : sequence of B torch.Generator
        Batches and noise of model b come from generator b alone, so that a model trained alone equals the same model
        inside a stack.
    settings : Settings
    progress : callable, optional
        Called after every epoch with (epoch, epochs, models still in training).

    Returns
    -------
    History

    Notes
    -----
    A model stops when its validation objective, NLL + lambda * penalty with gates deterministic, has not improved
    for `patience` evaluations. A stack whose steps would hold more than 30,000 rows is split.
    """
    penalty_weights(net, settings.warm_up, "warm_up")
    models, all_rows = net.models, Rows(rows)
    all_valid = None if valid is None else Rows(valid_rows)
    longest = int(all_rows.size.max())
    per_step = min(settings.batch_size or longest, longest)
    size = max(ROWS_PER_STEP // per_step, 1)
    history = History.empty(models)
    trained = []
    for part in torch.arange(models).split(size):
        own_rows = all_rows.of(part, models)
        own_lam = {name: value[part.to(value.device)] for name, value in lam.items()}
        own = [generators[i] for i in part.tolist()]
        stack = Stack(net.rows(part), head, train, own_rows, own_lam, own, settings)
        check = None if all_valid is None else all_valid.of(part, models)
        best = net.rows(part)
        with fitting_threads(len(part) * per_step * net.p):
            Buffer(best).value.copy_(_train(stack, valid, check, history, part.numpy(), progress))
        refresh(best, head, train, own_rows, own_lam)
        trained.append(best)
    net.put(trained).eval()
    return history


def _train(
    stack: Stack, valid: Data | None, rows: Rows | None, history: History, models: np.ndarray, progress: Progress | None
) -> Tensor:
    """Run the epochs of one stack; return the weights (b, P) to keep, and write what happened to its `models`."""
    best, waited = stack.average.value.clone(), torch.zeros_like(stack.batches)
    epochs, interval = stack.settings.epochs_of(stack.batches), torch.ceil(STEPS_PER_EVALUATION / stack.batches).long()
    patience, warm_up = stack.settings.patience, max(stack.settings.warm_up.values(), default=0)
    for epoch in range(1, int(epochs.max()) + 1):
        ids = stack.id
        for ended in stack.epoch():
            due = ended & ((epoch % interval[ids] == 0) | (epoch == epochs[ids])) & (waited[ids] < patience)
            if valid is None or rows is None:
                best[ids[due]] = stack.average.value[due]
                history.best_epoch[models[ids[due].numpy()]] = epoch
            elif bool(due.any()):
                better, clearly = _judge(stack, valid, rows, due.numpy(), epoch, history, models)
                best[ids[better]] = stack.average.value[better]
                waited[ids] = torch.where(clearly, 0, waited[ids] + (due & (epoch > warm_up)))
            if bool((waited[ids] >= patience).all()):
                break
        history.skipped[models[ids.numpy()]] = stack.skipped.numpy()
        stay = (waited[ids] < patience) & (epoch < epochs[ids])
        if progress is not None:
            progress(epoch, int(epochs.max()), int(stay.sum()))
        if not bool(stay.any()):
            break
        if not bool(stay.all()):
            rows = None if rows is None else rows.of(stay.nonzero()[:, 0], len(stay))
            stack.keep(stay.nonzero()[:, 0])
    return best


def _judge(
    stack: Stack, valid: Data, rows: Rows, due: np.ndarray, epoch: int, history: History, models: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Evaluate the averaged weights; return which models are better than ever (b,), and which of them clearly."""
    refresh(stack.shadow, stack.head, stack.data, stack.rows, stack.lam)
    value, nll = (v.cpu().double().numpy() for v in evaluate(stack.shadow, stack.head, valid, rows, stack.lam))
    ids = models[stack.id.numpy()]
    line, before = np.full(len(history.objective), np.nan), history.objective[ids]
    line[ids[due]] = value[due]
    history.trace.append((epoch, line))
    better = due & (value < before)
    clearly = better & (value + TOLERANCE * np.abs(value) <= before)
    history.objective[ids[better]], history.nll[ids[better]] = value[better], nll[better]
    history.best_epoch[ids[better]] = epoch
    return torch.from_numpy(better), torch.from_numpy(clearly)


def seeded(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one generator per seed; they alone decide weights, batches and noise."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def penalty_weights(net: Net, lam: Mapping[str, float | Sequence[float]], setting: str = "lam") -> dict[str, Tensor]:
    """Return `lam`, a number for all models or one for each, as tensors (B,) like the net's parameters.

    Penalties of the net that `lam` does not name have weight 0. Another `setting` by penalty is read alike.

    Raises
    ------
    InputError
        SL-406 where a weight is negative or not a number; SL-407 where the net has no penalty of a name.
    """
    like = next(net.parameters())
    weights = {name: like.new_zeros(net.models) for name in net.penalty_names}
    for name, value in lam.items():
        if name not in weights:
            raise unknown_penalty(name, net.penalty_names, type(net).__name__, setting)
        try:
            weight = torch.as_tensor(value, dtype=like.dtype, device=like.device).expand(net.models).clone()
        except (RuntimeError, TypeError, ValueError) as error:
            found = f"{setting}[{name!r}]={value!r} for {net.models} models."
            raise InputError("SL-406", found, "Give a number, or one for each model.") from error
        if not bool((weight >= 0).all()) or not math.isfinite(float(weight.sum())):
            raise InputError("SL-406", f"{setting}[{name!r}] is negative or not a number.", "Give a number >= 0.")
        weights[name] = weight
    return weights


def unknown_penalty(name: str, known: Sequence[str], owner: str, setting: str = "lam") -> InputError:
    """Return the error for a penalty that `owner` does not have."""
    found = f"{setting} names {name!r}, but {owner} has no such penalty{nearest(name, known)}."
    return InputError("SL-407", found, f"It has {listed(known) or 'none'}.")
