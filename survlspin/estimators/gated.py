"""Estimators whose net has a gate for every factor."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..design import Design
from ..errors import InputError
from .gate_path import POINTS, fit_gate_path
from .net import WIDTHS, are_widths
from .path import LAM_PARAMETER, Path, PathEstimator
from .problem import Problem

GATE_PARAMETERS = f"""{LAM_PARAMETER} The penalty
        ``gates`` is the mean over patients of the expected number of open gates.
    gate_hidden : tuple of int
        Hidden widths of the gating net.
    sigma : float
        Standard deviation of the noise on the gates in training.
    context : list of str, optional
        Variables that alone the gating net may see. They are always listed and enter as a main effect of their own.
        None: the gates see every variable, as in the paper; a prediction can then depend on factors not listed."""


@dataclass(kw_only=True, eq=False, repr=False)
class Gated(PathEstimator, ABC):
    """An estimator with gates that a gating net sets for each patient; its parameters are `GATE_PARAMETERS`."""

    penalties: ClassVar = ("gates",)

    gate_hidden: tuple[int, ...] = (8,)
    sigma: float = 0.5
    context: list[str] | None = None

    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        context = self._context(problem.design)
        return fit_gate_path(self, problem, self._maker(problem), points or POINTS, context)

    def _rules(self) -> dict[str, tuple[bool, str]]:
        return super()._rules() | {"gate_hidden": (are_widths(self.gate_hidden), WIDTHS)}

    def _context(self, design: Design) -> np.ndarray:
        return np.arange(0) if self.context is None else design.column_index(self.context)

    def _gating(self, design: Design) -> dict:
        """Return what the design and the settings say of the gates."""
        context = self._context(design)
        if self.context is not None and not len(context):
            found = f"context={self.context!r} has no variable that varies, so the gates would see none."
            raise InputError("SL-411", found, "Name one that varies; None shows them all.")
        return {"gate_hidden": self.gate_hidden, "sigma": self.sigma, "group": design.group, "context": context}
