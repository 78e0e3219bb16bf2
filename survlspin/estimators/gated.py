"""Estimators whose net has a gate for every factor."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from ..design import Design
from ..errors import InputError
from ..nets.affinity import make_affinity
from ..train import Settings
from .gate_path import POINTS, fit_gate_path
from .net import WIDTHS, are_widths, is_number
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
        None: the gates see every variable, as in the paper; a prediction can then depend on factors not listed. An
        empty list: they see none, and all patients have one set. `survlspin.propose_context` searches for one.
    affinity : {{"rbf", "knn", "label"}}, optional
        Which patients are alike: near to one another, among the nearest, or of one class (for classes). It adds two
        penalties, which `lam` may name: ``stability`` draws the gates of like patients together, ``diversity`` drives
        those of unlike ones apart. None: neither.
    affinity_columns : list of str, optional
        The variables that "rbf" and "knn" compare, or whose values together are the "label". None: all, or the class.
    target : float, optional
        Open gates per patient that cost nothing: only more are penalised. None: every open gate is.
    warm_up : dict, optional
        Epochs at the start in which a penalty, by its name, does not count yet: ``{{"stability": 20}}``."""


@dataclass(kw_only=True, eq=False, repr=False)
class Gated(PathEstimator, ABC):
    """An estimator with gates that a gating net sets for each patient; its parameters are `GATE_PARAMETERS`."""

    gate_hidden: tuple[int, ...] = (8,)
    sigma: float = 0.5
    context: list[str] | None = None
    affinity: str | None = None
    affinity_columns: list[str] | None = None
    target: float | None = None
    warm_up: dict[str, int] | None = None

    @property
    def penalties(self) -> tuple[str, ...]:
        """The names that `lam` may have."""
        return ("gates",) if self.affinity is None else ("gates", "stability", "diversity")

    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        context = self._context(problem.design)
        return fit_gate_path(self, problem, self._maker(problem), points or POINTS, context)

    def _rules(self) -> dict[str, tuple[bool, str]]:
        return super()._rules() | {
            "gate_hidden": (are_widths(self.gate_hidden), WIDTHS),
            "sigma": (is_number(self.sigma), "a positive number"),
            "target": (self.target is None or isinstance(self.target, Real), "None or a number of gates"),
            "warm_up": (
                self.warm_up is None or (isinstance(self.warm_up, dict) and all(map(is_number, self.warm_up.values()))),
                "None or a dict of epochs by penalty",
            ),
        }

    def _context(self, design: Design) -> np.ndarray:
        return np.arange(0) if self.context is None else design.column_index(self.context)

    def _gating(self, design: Design) -> dict:
        """Return what the design and the settings say of the gates."""
        context = self._context(design)
        if self.context is not None and len(self.context) and not len(context):
            found = f"context={self.context!r} has no variable that varies, so the gates would see none."
            raise InputError("SL-411", found, "Name one that varies; None shows them all.")
        columns = None if self.affinity_columns is None else design.column_index(self.affinity_columns)
        return {
            "gate_hidden": self.gate_hidden,
            "sigma": self.sigma,
            "group": design.group,
            "context": None if self.context is None else context,
            "affinity": make_affinity(self.affinity, len(design.columns), columns=columns),
            "target": self.target,
        }

    def _settings(self, n: int) -> Settings:
        return replace(super()._settings(n), warm_up=self.warm_up or {})
