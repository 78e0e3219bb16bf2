"""Estimators whose net has a gate for every factor: paths over lambda, gates, per-patient risk-factor sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..design import Design
from ..errors import InputError
from ..factors import Explanation, FactorTable
from ..train import predict
from .net import WIDTHS, CoxNet, are_widths, is_whole
from .path import Path, fit_path

BLOCK = 20_000  # patients explained at a time


GATE_PARAMETERS = """
    lam : "auto", float or dict
        Weight of the penalties: the Cox loss is divided by the (weighted) number of events, the penalty ``gates`` is
        the mean over patients of the expected number of open gates. "auto": the largest lambda of the path whose
        validation NLL is as good as the best's (see `Path.chosen`). A dict gives weights by name.
    gate_hidden : tuple of int
        Hidden widths of the gating net.
    sigma : float
        Standard deviation of the noise on the gates in training.
    context : list of str, optional
        Variables that alone the gating net may see. They are always listed and enter as a main effect of their own.
        None: the gates see every variable, as in the paper; a prediction can then depend on factors not listed."""


@dataclass(kw_only=True, eq=False, repr=False)
class GatedCox(CoxNet):
    """A Cox net with gates; its parameters are `GATE_PARAMETERS` and those of `CoxNet`."""

    linear: ClassVar[bool] = False

    lam: object = "auto"
    gate_hidden: tuple[int, ...] = (8,)
    sigma: float = 0.5
    context: list[str] | None = None

    def fit(self, X, y, validation_data=None):
        vars(self).pop("path_", None)  # of an earlier fit
        if not isinstance(self.lam, str):
            return super().fit(X, y, validation_data)
        if self.lam != "auto":
            raise InputError("SL-406", f"lam={self.lam!r}.", 'Give "auto" or a number >= 0.')
        path = self.path(X, y, validation_data)
        self.path_ = path.frame
        return path.give(path.chosen, self)

    fit.__doc__ = CoxNet.fit.__doc__

    def path(self, X, y, validation_data=None, points: int = 20) -> Path:
        """Fit a path over lambda, from the largest lambda that leaves every gate open to the first that leaves none.

        Parameters
        ----------
        X, y, validation_data
            As in `fit`.
        points : int
            Lambdas on the grid before its ends are trimmed.

        Returns
        -------
        Path
            Densest point first.
        """
        if not is_whole(points, 2):
            raise InputError("SL-408", f"points={points!r}.", "Give a whole number from 2.")
        problem = self._problem(X, y, validation_data)
        return fit_path(self, problem, self._maker(problem), points)

    def _rules(self) -> dict[str, tuple[bool, str]]:
        return super()._rules() | {"gate_hidden": (are_widths(self.gate_hidden), WIDTHS)}

    def _lam(self) -> dict[str, float]:
        lam = self.lam if isinstance(self.lam, dict) else {"gates": self.lam}
        if unknown := [name for name in lam if name != "gates"]:
            raise InputError("SL-407", f"lam names {unknown[0]!r}.", 'The penalty of this model is "gates".')
        if not isinstance(lam.get("gates"), Real):
            raise InputError("SL-406", f"lam={self.lam!r}.", 'Give "auto" or a number >= 0.')
        return lam

    def _gating(self, design: Design) -> dict:
        """Return what the design and the settings say of the gates."""
        context = () if self.context is None else design.column_index(self.context)
        if self.context is not None and not len(context):
            found = f"context={self.context!r} has no variable that varies, so the gates would see none."
            raise InputError("SL-411", found, "Name one that varies; None shows them all.")
        return {"gate_hidden": self.gate_hidden, "sigma": self.sigma, "group": design.group, "context": context}

    def gates(self, X) -> pd.DataFrame:
        """Return each patient's gates in [0, 1], the mean over members: DataFrame (n, factors)."""
        return self._by_factor(X, lambda gate: gate.mean(0))

    def selected(self, X) -> pd.DataFrame:
        """Return which factors each patient's answer uses: those that any member opens, and the context."""
        return self._by_factor(X, lambda gate: (gate > 0).any(0))

    def n_selected(self, X) -> pd.Series:
        """Return how many factors each patient's answer uses."""
        return self.selected(X).sum(axis=1).rename("n_selected")

    def risk_factors(self, X) -> FactorTable:
        """Return the table of each patient's risk factors, made block by block.

        See `survlspin.factors.FactorTable`. For a locally linear model (`CoxLLSPIN`) baseline and contributions add
        up to the log-risk; for `CoxLSPIN` there are no such contributions, and they are left empty.
        """
        check_is_fitted(self, "net_")
        x, values = self._x(self.design_, X), self.design_.values(X)
        return FactorTable(lambda: self._explain(x, values), len(x), self.linear)

    def _explain(self, x: Tensor, values: pd.DataFrame) -> Iterator[Explanation]:
        design = self.design_
        context = np.zeros(len(design.factors), dtype=bool)
        if self.context is not None:
            context[design.group[design.column_index(self.context)]] = True
        eta, at_reference = self._pass(torch.zeros_like(x[:1]))
        baseline = float((eta[:, 0] - self.center_).mean())
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
                gate=parts["gate"].mean(0),
                open=(parts["gate"] > 0).any(0),
                contribution=(parts["coef"] * x[rows].cpu().numpy()).mean(0) if self.linear else None,
                context_contribution=None if main is None else main.mean(0),
                baseline=baseline,
                log_risk=(eta - self.center_[:, None]).mean(0),
                reference=design.reference,
            )

    def _pass(self, x: Tensor) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return log-risks (M, n) and parts, in float64, without the axis of outputs."""
        with torch.no_grad():
            eta, parts = self.net_.eval()(x)
        wide = {"gate": parts["gate"], **{k: parts[k][..., 0] for k in ("coef", "offset") if k in parts}}
        return eta[..., 0].double().cpu().numpy(), {k: v.double().cpu().numpy() for k, v in wide.items()}

    def _by_factor(self, X, value: Callable[[Tensor], Tensor]) -> pd.DataFrame:
        """Return ``value(gates (M, n, p))`` (n, p) by factor; the columns of a factor share a gate."""
        check_is_fitted(self, "net_")
        design, blocks = self.design_, []
        predict(self.net_, self._x(design, X), lambda parts: blocks.append(value(parts["gate"]).cpu()))
        first = np.unique(design.group, return_index=True)[1]
        return pd.DataFrame(torch.cat(blocks).numpy()[:, first], index=design.index(X), columns=list(design.factors))
