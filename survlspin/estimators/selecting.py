"""Estimators that choose factors: which they used for each patient, and what each factor did."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from ..design import Design
from ..factors import Explanation, FactorTable
from ..survival import CoxModel
from ..train import predict
from .net import NetEstimator

BLOCK = 20_000  # patients explained at a time


@dataclass(kw_only=True, eq=False, repr=False)
class Selecting(NetEstimator, ABC):
    """An estimator whose net says which columns each row's answer uses."""

    def selected(self, X) -> pd.DataFrame:
        """Return which factors each patient's answer uses, by any member: DataFrame (n, factors) of bool."""
        selected = self._by_column(X, lambda parts: self.net_.selected(parts).any(0))
        return self._frame(X, by_factor(selected, self.design_))

    def n_selected(self, X) -> pd.Series:
        """Return how many factors each patient's answer uses."""
        return self.selected(X).sum(axis=1).rename("n_selected")

    @available_if(lambda self: isinstance(self, CoxModel))
    def risk_factors(self, X) -> FactorTable:
        """Return the table of each patient's risk factors, made block by block.

        See `survlspin.factors.FactorTable`. For a model that is linear in the factors it selects, baseline and
        contributions add up to the log-risk; for others there are no such contributions, and they are left empty.
        """
        net, x = self._fitted(X)
        linear = "coef" in net.eval()(torch.zeros_like(x[:1]))[1]
        return FactorTable(lambda: self._explain(x, self.design_.values(X)), len(x), linear)

    def _context(self, design: Design) -> np.ndarray:
        """Return the columns that alone choose the others, and are always used: positions, maybe none."""
        return np.arange(0)

    def _explain(self, x: Tensor, values: pd.DataFrame) -> Iterator[Explanation]:
        design = self.design_
        context = np.zeros(len(design.factors), dtype=bool)
        context[design.group[self._context(design)]] = True
        eta, at_reference = self._pass(torch.zeros_like(x[:1]))
        baseline = float((eta[:, 0] - self.center_[:, 0]).mean())
        for start in range(0, max(len(x), 1), BLOCK):
            rows = slice(start, start + BLOCK)
            eta, parts = self._pass(x[rows])
            main = parts["offset"] - at_reference["offset"] if context.any() else None
            yield Explanation(
                index=values.index[rows],
                values=values.iloc[rows],
                factors=design.factors,
                group=design.group,
                context=context,
                gate=parts.get("gate", parts["selected"]).mean(0),
                open=(parts["selected"] > 0).any(0),
                contribution=(parts["coef"] * x[rows].cpu().numpy()).mean(0) if "coef" in parts else None,
                context_contribution=None if main is None else main.mean(0),
                baseline=baseline,
                log_risk=(eta - self.center_).mean(0),
                reference=design.reference,
            )

    def _pass(self, x: Tensor) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return log-risks (M, n) and parts, in float64, without the axis of outputs."""
        with torch.no_grad():
            eta, parts = self.net_.eval()(x)
            wide = {"selected": self.net_.selected(parts)}
        wide |= {"gate": parts["gate"]} if "gate" in parts else {}
        wide |= {name: parts[name][..., 0] for name in ("coef", "offset") if name in parts}
        return eta[..., 0].double().cpu().numpy(), {name: v.double().cpu().numpy() for name, v in wide.items()}

    def _by_column(self, X, value: Callable[[dict[str, Tensor]], Tensor]) -> np.ndarray:
        """Return ``value(parts)`` (n, p) of every block of rows."""
        blocks: list[Tensor] = []
        predict(*self._fitted(X), lambda parts: blocks.append(value(parts).cpu()))
        return torch.cat(blocks).numpy()

    def _frame(self, X, values: np.ndarray) -> pd.DataFrame:
        """Return values (n, factors) with the index of X."""
        return pd.DataFrame(values, index=self.design_.index(X), columns=list(self.design_.factors))


def by_factor(selected: np.ndarray, design: Design) -> np.ndarray:
    """Return which factors have a selected column, bool (n, factors), from columns (n, p)."""
    starts = np.unique(design.group, return_index=True)[1]
    if np.array_equal(starts, np.arange(len(design.group))):
        return selected
    return np.stack([selected[:, design.group == g].any(1) for g in range(len(starts))], 1)
