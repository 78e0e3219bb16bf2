"""Estimators that choose factors: which they used for each patient, and what each factor did."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from ..competing import CauseSpecificModel, cumulative_incidence
from ..design import Design
from ..errors import InputError
from ..factors import Basis, FactorTable
from ..nets import Net
from ..survival import CoxModel
from ..train import predict
from .explained import Explainer
from .net import NetEstimator


@dataclass(kw_only=True, eq=False, repr=False)
class Selecting(NetEstimator, ABC):
    """An estimator whose net says which columns each row's answer uses."""

    _others_act: ClassVar[bool] = False  # whether the answer depends on columns that are not selected, too

    def selected(self, X) -> pd.DataFrame:
        """Return which factors each patient's answer uses, by any member: DataFrame (n, factors) of bool."""
        return self._frame(X, by_factor(self._selected(X), self.design_))

    def selected_columns(self, X) -> pd.DataFrame:
        """Return which columns of the design each patient's answer uses: DataFrame (n, columns) of bool.

        The columns of one category are counted one by one here; `selected` counts them as the one factor they are.
        """
        return pd.DataFrame(self._selected(X), index=self.design_.index(X), columns=list(self.design_.columns))

    @available_if(lambda self: "gates" in getattr(self, "penalties", ()))
    def gates(self, X) -> pd.DataFrame:
        """Return each patient's gates in [0, 1], the mean over members: DataFrame (n, factors)."""
        gate = self._by_column(X, lambda _, parts: parts["gate"].mean(0))
        return self._frame(X, gate[:, np.unique(self.design_.group, return_index=True)[1]])

    def n_selected(self, X) -> pd.Series:
        """Return how many factors each patient's answer uses."""
        return self.selected(X).sum(axis=1).rename("n_selected")

    @available_if(lambda self: isinstance(self, CoxModel | CauseSpecificModel))
    def risk_factors(self, X, cause: int = 1) -> FactorTable:
        """Return the table of each patient's risk factors, made block by block.

        See `survlspin.factors.FactorTable`. Of competing causes, which share the factors, the log-risk is that of
        `cause`.
        """
        net, x = self._fitted(X)
        design, output = self.design_, self._place(cause)
        context = np.zeros(len(design.factors), dtype=bool)
        context[design.group[self._context(design)]] = True
        linear = "coef" in net.eval()(x[:1].double())[1]
        basis = Basis(
            factors=design.factors,
            units=_units(design),
            context=context,
            reference=design.reference,
            members=net.models,
            linear=linear,
            output=output,
            others_act=self._others_act,
        )
        explainer, values = Explainer(net, self.center_, design.group, basis), design.values(X)
        return FactorTable(lambda: explainer.blocks(x, values), len(x), basis, partial(self._risk, output))

    def _context(self, design: Design) -> np.ndarray:
        """Return the columns that alone choose the others, and are always used: positions, maybe none."""
        return np.arange(0)

    def _risk(self, output: int, log_risks: np.ndarray, times: np.ndarray, stratum: np.ndarray | None) -> np.ndarray:
        """Return the probability (n, H) of the event, or of the cause, by `times`, of log-risks (n, K)."""
        if not ((times >= 0) & (times <= self.unique_times_[-1])).all():
            raise InputError("SL-413", f"a time outside 0 to {self.unique_times_[-1]:g}.", "Risks are not known there.")
        if isinstance(self, CauseSpecificModel):
            return cumulative_incidence(self.baselines_, log_risks, times, stratum, output)
        return -np.expm1(-self.baseline_.cumulative_hazard(log_risks[:, 0], times, stratum))

    def _selected(self, X) -> np.ndarray:
        """Return which columns any member uses, bool (n, p)."""
        return self._by_column(X, lambda net, parts: net.selected(parts).any(0))

    def _by_column(self, X, value: Callable[[Net, dict[str, Tensor]], Tensor]) -> np.ndarray:
        """Return ``value(net, parts)`` (n, p) of every block of rows."""
        net, x = self._fitted(X)
        return predict(net, x, lambda _, parts: value(net, parts)).cpu().numpy()

    def _frame(self, X, values: np.ndarray) -> pd.DataFrame:
        """Return values (n, factors) with the index of X."""
        return pd.DataFrame(values, index=self.design_.index(X), columns=list(self.design_.factors))


def _units(design: Design) -> tuple[str, ...]:
    """Return the unit of each factor; flags, also those of a level, have none."""
    if design.groups == "factor":
        return tuple(variable.unit for variable in design.variables)
    return tuple(
        variable.unit if variable.levels is None else "" for variable in design.variables for _ in variable.columns
    )


def by_factor(selected: np.ndarray, design: Design) -> np.ndarray:
    """Return which factors have a selected column, bool (n, factors), from columns (n, p)."""
    starts = np.unique(design.group, return_index=True)[1]
    if np.array_equal(starts, np.arange(len(design.group))):
        return selected
    return np.stack([selected[:, design.group == g].any(1) for g in range(len(starts))], 1)
