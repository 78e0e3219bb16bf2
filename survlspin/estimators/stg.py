"""STG: gates that are the same for every row."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .. import nets
from ..design import Design
from ..heads import Head
from ..nets import Net
from .gate_path import COLD_STEPS, POINTS, between, lambda_grid
from .net import ATTRIBUTES, PARAMETERS, is_number
from .path import LAM_PARAMETER, Path, PathEstimator, describe, extended
from .problem import Problem
from .tasks import (
    CLASSIFIER_ATTRIBUTES,
    COX_ATTRIBUTES,
    COX_PARAMETERS,
    REGRESSOR_ATTRIBUTES,
    ClassifierTask,
    CoxTask,
    RegressorTask,
)

STG_PARAMETERS = f"""{LAM_PARAMETER} The penalty
        ``gates`` is the expected number of open gates.
    sigma : float
        Standard deviation of the noise on the gates in training."""

PAPER = """
    References
    ----------
    Yamada, Lindenbaum, Negahban, Kluger: Feature Selection using Stochastic Gates, ICML 2020."""


@dataclass(kw_only=True, eq=False, repr=False)
class _STG(PathEstimator, ABC):
    penalties: ClassVar = ("gates",)

    hidden: tuple[int, ...] = (16,)
    patience: int = 10  # while all gates close, before the needed ones open again, the loss is worse for a while
    sigma: float = 0.5

    def _rules(self) -> dict[str, tuple[bool, str]]:
        return super()._rules() | {"sigma": (is_number(self.sigma), "a positive number")}

    def _net(self, design: Design, head: Head, models: int) -> Net:
        options = {"sigma": self.sigma, "group": design.group, "models": models}
        return nets.STG(len(design.columns), self.hidden, head, **options)

    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        """Fit every lambda from the start, as one stack: from a start at 1/2 gates feel the penalty from both sides."""
        problem.validation()
        make, members = self._maker(problem), len(problem.seeds)
        dense = problem.initialize(make)
        problem.fit(dense, {"gates": [0.0]}, "dense fit")
        lam = lambda_grid(problem, dense, points or POINTS)

        def cold(lam: np.ndarray) -> Net:
            net = problem.initialize(make, len(lam))
            problem.limited(COLD_STEPS).fit(net, {"gates": lam}, "path")
            return net

        net, lam, used = extended(problem, cold(lam), lam, cold)
        keep = between(used)
        net = net.rows([i * members + m for i in keep for m in range(members)])
        return describe(self, problem, net, lam[keep], [used[i] for i in keep])


@dataclass(kw_only=True, eq=False, repr=False)
class CoxSTG(_STG, CoxTask):
    __doc__ = f"""Cox-STG: a net of the log-hazard on the factors that stochastic gates choose for all patients alike.

    With ``hidden=()`` it is a sparse Cox regression, and `risk_factors` gives each factor's contribution.

    Parameters
    ----------{STG_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{COX_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxSTG
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxSTG(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.selected(X).drop_duplicates().shape[0]
    1
    """


@dataclass(kw_only=True, eq=False, repr=False)
class STGClassifier(_STG, ClassifierTask):
    __doc__ = f"""STG for classes: a net on the factors that stochastic gates choose for all rows alike.

    Parameters
    ----------{STG_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = STGClassifier(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class STGRegressor(_STG, RegressorTask):
    __doc__ = f"""STG for numbers: a net on the factors that stochastic gates choose for all rows alike.

    Parameters
    ----------{STG_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{REGRESSOR_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = STGRegressor(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    """
