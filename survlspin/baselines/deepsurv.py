"""pycox's own DeepSurv, an outside check of ours."""

from __future__ import annotations

import copy

import numpy as np
import torch
from sklearn.utils import check_random_state

from ..survival import CoxModel, outcome_of, split_validation

__all__ = ["PycoxDeepSurv"]


class PycoxDeepSurv(CoxModel):
    """pycox's CoxPH on its MLPVanilla, with pycox's loss and training loop, stopped early on validation rows.

    Parameters
    ----------
    hidden : tuple of int
    batch_norm : bool
    dropout : float
    lr : float
        Step size of Adam.
    batch_size, epochs, patience : int
        Training stops when the validation loss has not improved for `patience` epochs; the best weights are kept.
    validation_fraction : float
        Share of the rows that validate where no `validation_data` are given.
    random_state : int, optional

    Attributes
    ----------
    net_ : torch.nn.Module

    References
    ----------
    Katzman, Shaham, Cloninger, Bates, Jiang, Kluger (2018), DeepSurv, BMC Medical Research Methodology 18, 24.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (32, 32),
        batch_norm: bool = True,
        dropout: float = 0.1,
        lr: float = 0.01,
        batch_size: int = 256,
        epochs: int = 200,
        patience: int = 10,
        validation_fraction: float = 0.2,
        random_state: int | None = None,
    ):
        self.hidden = hidden
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X, y, validation_data=None) -> PycoxDeepSurv:
        """Train the net; `validation_data` is an ``(X, y)`` of other rows.

        Raises
        ------
        InputError
            SL-461 for an outcome with entry times, weights or strata.
        """
        if validation_data is None:
            X, y, *validation_data = split_validation(X, y, self.validation_fraction, self.random_state)
        x, outcome = self._encode(X, y)
        X_valid, y_valid = validation_data
        train = _pycox_data(x, outcome)
        valid = _pycox_data(self._columns(X_valid), outcome_of(X_valid, y_valid))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_random_state(self.random_state).randint(2**31 - 1))
            self.net_ = self._train(train, valid)
        self._set_baseline(self.predict(X), outcome)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the log-risk of each row (n,)."""
        x = torch.from_numpy(self._columns(X).astype(np.float32))
        with torch.inference_mode():
            return self.net_(x)[:, 0].double().numpy()

    def _train(self, train: tuple, valid: tuple) -> torch.nn.Module:
        from .._pycox import CoxPH, tt

        x, target = train
        net = tt.practical.MLPVanilla(
            x.shape[1], list(self.hidden), 1, self.batch_norm, self.dropout, output_bias=False
        )
        model = CoxPH(net, tt.optim.Adam(self.lr))
        batch_size = self.batch_size
        while len(x) % batch_size == 1:  # batch norm fails on a last batch of one row
            batch_size += 1
        best, weights, waited = np.inf, copy.deepcopy(net.state_dict()), 0
        for _ in range(self.epochs):
            model.fit(x, target, batch_size, epochs=1, verbose=False)
            loss = model.score_in_batches(*valid, batch_size=len(valid[0]))["loss"]
            waited += 1
            if loss < best:
                best, weights, waited = loss, copy.deepcopy(net.state_dict()), 0
            if waited == self.patience:
                break
        net.load_state_dict(weights)
        return net.eval()


def _pycox_data(x: np.ndarray, outcome) -> tuple:
    return x.astype(np.float32), (outcome.time.astype(np.float32), outcome.event.astype(np.float32))
