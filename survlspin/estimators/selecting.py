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

from ..competing import CauseSpecificModel
from ..design import Design
from ..factors import Explanation, FactorTable
from ..nets import Net
from ..survival import CoxModel
from ..train import predict
from .net import NetEstimator

BLOCK = 20_000  # patients explained at a time


@dataclass(kw_only=True, eq=False, repr=False)
class Selecting(NetEstimator, ABC):
    """An estimator whose net says which columns each row's answer uses."""

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

        See `survlspin.factors.FactorTable`. For a model that is linear in the factors it selects, baseline and
        contributions add up to the log-risk; for others there are no such contributions, and they are left empty.
        Of competing causes, which share the factors, the log-risk is that of `cause`.
        """
        net, x = self._fitted(X)
        linear = "coef" in net.eval()(torch.zeros_like(x[:1]))[1]
        values, output = self.design_.values(X), self._place(cause)
        return FactorTable(lambda: self._explain(net, x, values, output), len(x), linear)

    def _context(self, design: Design) -> np.ndarray:
        """Return the columns that alone choose the others, and are always used: positions, maybe none."""
        return np.arange(0)

    def _explain(self, net: Net, x: Tensor, values: pd.DataFrame, output: int) -> Iterator[Explanation]:
        design = self.design_
        context = np.zeros(len(design.factors), dtype=bool)
        context[design.group[self._context(design)]] = True
        center = self.center_[:, output]
        eta, at_reference = _pass(net, torch.zeros_like(x[:1]), output)
        baseline = float((eta[:, 0] - center).mean())
        for start in range(0, max(len(x), 1), BLOCK):
            rows = slice(start, start + BLOCK)
            eta, parts = _pass(net, x[rows], output)
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
                log_risk=(eta - center[:, None]).mean(0),
                reference=design.reference,
            )

    def _selected(self, X) -> np.ndarray:
        """Return which columns any member uses, bool (n, p)."""
        return self._by_column(X, lambda net, parts: net.selected(parts).any(0))

    def _by_column(self, X, value: Callable[[Net, dict[str, Tensor]], Tensor]) -> np.ndarray:
        """Return ``value(net, parts)`` (n, p) of every block of rows."""
        blocks: list[Tensor] = []
        net, x = self._fitted(X)
        predict(net, x, lambda parts: blocks.append(value(net, parts).cpu()))
        return torch.cat(blocks).numpy()

    def _frame(self, X, values: np.ndarray) -> pd.DataFrame:
        """Return values (n, factors) with the index of X."""
        return pd.DataFrame(values, index=self.design_.index(X), columns=list(self.design_.factors))


def _pass(net: Net, x: Tensor, output: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return log-risks (M, n) and parts of one output, without the axis of outputs."""
    with torch.no_grad():
        eta, parts = net.eval()(x)
        wide = {"selected": net.selected(parts)}
    wide |= {"gate": parts["gate"]} if "gate" in parts else {}
    wide |= {name: parts[name][..., output] for name in ("coef", "offset") if name in parts}
    return eta[..., output].cpu().numpy(), {name: value.double().cpu().numpy() for name, value in wide.items()}


def by_factor(selected: np.ndarray, design: Design) -> np.ndarray:
    """Return which factors have a selected column, bool (n, factors), from columns (n, p)."""
    starts = np.unique(design.group, return_index=True)[1]
    if np.array_equal(starts, np.arange(len(design.group))):
        return selected
    return np.stack([selected[:, design.group == g].any(1) for g in range(len(starts))], 1)
