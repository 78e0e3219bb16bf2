"""A fitted Cox regression on the rows that it is judged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from survlspin.errors import InputError
from survlspin.estimators.coxph import CoxPH
from survlspin.heads import Cox
from survlspin.heads.cox_target import CoxTarget
from survlspin.heads.cox_terms import CoxQuadratic
from survlspin.outcome import Outcome
from survlspin.survival import outcome_of

__all__ = ["Fitted", "fitted"]

AT_ONCE = 8  # columns
AWAY = 0.01  # squared standard errors between the coefficients and the likeliest ones


@dataclass(frozen=True, eq=False)
class Fitted:
    """Columns, outcome and coefficients of a linear Cox model without penalty.

    Parameters
    ----------
    z : Tensor (n, p), float64
        The columns that have a coefficient.
    eta : Tensor (n,), float64
        The log-risks.
    outcome : Outcome
    coef : Series (p,)
    variance : array (p, p)
        From the information matrix.
    group : list (p,)
        The variable that each column belongs to.
    ties : {"efron", "breslow"}
    index : pandas Index of the rows
    """

    z: Tensor
    eta: Tensor
    outcome: Outcome
    coef: pd.Series
    variance: np.ndarray
    group: list
    ties: str
    index: pd.Index

    @cached_property
    def target(self) -> CoxTarget:
        return Cox(self.ties).prepare(self.outcome)

    @cached_property
    def quadratic(self) -> CoxQuadratic:
        return Cox(self.ties).quadratic(self.eta[None, :, None], self.target)

    @property
    def dead(self) -> np.ndarray:
        """The rows with an event and a positive weight (D,), by stratum, time and position."""
        rows = self.target.dead.numpy()
        return rows[np.argsort(self.target.dead_bin.numpy(), kind="stable")]

    def by_columns(self, make: Callable[[Tensor], Tensor]) -> np.ndarray:
        """Return what is made of columns (1, n, m), a few at a time, side by side."""
        return torch.cat([make(part[None]) for part in self.z.split(AT_ONCE, 1)], -1).numpy()

    def frame(self, values: np.ndarray, rows: np.ndarray | None = None) -> pd.DataFrame:
        index = self.index if rows is None else self.index[rows]
        return pd.DataFrame(values, index=index, columns=self.coef.index)


def fitted(model, X, y) -> Fitted:
    """Return a fitted `CoxPH` on the rows X with the outcome y.

    Raises
    ------
    InputError
        SL-330 for other rows than the model was fitted on, SL-366 for another model, or one with a penalty; with the
        codes of `Outcome` and `Design`.
    """
    if not isinstance(model, CoxPH):
        remedy = "Give a CoxPH; prognostic_index_test, martingale and deviance take any model's log-risks."
        raise InputError("SL-366", f"a {type(model).__name__} has no coefficients to examine.", remedy)
    if model.penalizer > 0:
        raise InputError("SL-366", "the coefficients of a penalised model do not solve its score.", "Fit without.")
    kept = np.isfinite(model.se_.to_numpy())
    factors = np.array(model.design_.factors, dtype=object)[model.design_.group[kept]]
    variance = model.naive_variance_.to_numpy()[np.ix_(kept, kept)]
    eta, index = torch.from_numpy(model.predict(X)), model.design_.index(X)
    z = torch.from_numpy(model._columns(X)[:, kept])
    fit = Fitted(z, eta, outcome_of(X, y), model.coef_[kept], variance, list(factors), model.ties, index)
    score = ((fit.target.event_weight - fit.quadratic.expected[..., 0]) @ z)[0].numpy()
    if not score @ variance @ score < AWAY:
        remedy = "Give the rows that it was fitted on; one that was fitted with an offset has no diagnostics."
        raise InputError("SL-330", "the model's coefficients are not the likeliest of these rows.", remedy)
    return fit
