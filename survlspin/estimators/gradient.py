"""Gradient LASSO: dense nets whose slopes by the input are sparse."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from .. import nets
from ..design import Design
from ..heads import Head
from ..nets import GradientLasso
from ..train import Batch
from .net import ATTRIBUTES, PARAMETERS
from .path import LAM_PARAMETER, Path, PathEstimator, describe
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

POINTS = 12
SPAN = 100.0  # largest lambda over smallest
RATIO = 3.0  # largest lambda for classes, times what makes the dense fit's penalty as large as the loss without it
STEPS = 1500  # of the models of a path, at most

GRADIENT_PARAMETERS = f"""{LAM_PARAMETER} The penalty
        ``gradient`` is the mean over patients of the L1 norm of the log-risk's gradient by the columns (of a factor
        with several columns the L2 norm, times the root of their number); of classes it is the gradient of the
        cross-entropy of the predicted probabilities from equal ones."""

PAPER = """
    References
    ----------
    Ross, Lage, Doshi-Velez: The Neural LASSO: Local Linear Sparsity for Interpretable Explanations, NIPS Workshop on
    Transparent and Interpretable Machine Learning 2017."""

SELECTED = """A factor counts as used by a patient where its slope is a tenth or more of the patient's largest and above
    a thousandth. The prediction depends a little on the others, too."""


@dataclass(kw_only=True, eq=False, repr=False)
class _GradientLasso(PathEstimator, ABC):
    penalties: ClassVar = ("gradient",)
    _others_act: ClassVar = True

    hidden: tuple[int, ...] = (50, 30)
    patience: int = 10

    def _net(self, design: Design, head: Head, models: int) -> GradientLasso:
        return nets.GradientLasso(len(design.columns), self.hidden, head, group=design.group, models=models)

    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        """Fit every lambda from the start, as one stack, up to just below that at which the lasso chooses nothing."""
        problem.validation()
        lam = np.geomspace(1 / SPAN, 1, (points or POINTS) + 1)[:-1] * self._largest(problem)
        net = problem.initialize(self._maker(problem), len(lam))
        problem.limited(STEPS).fit(net, {"gradient": lam}, "path")
        return describe(self, problem, net, lam)

    def _largest(self, problem: Problem) -> float:
        """Return the lasso's largest lambda; for classes, which have none, see `RATIO`."""
        net = problem.initialize(self._maker(problem))
        x, target = problem.training()
        batch = Batch(x[None], target)
        if net.lasso:
            return float(net.largest_lambda(batch))
        problem.fit(net, {"gradient": [0.0]}, "dense fit")
        with torch.no_grad():
            penalty = net.penalties(net(batch.x)[1], batch)["gradient"].median()
        null = problem.head.nll(problem.null().expand(1, len(x), -1), target)
        return RATIO * float(null / penalty)


@dataclass(kw_only=True, eq=False, repr=False)
class CoxGradientLasso(_GradientLasso, CoxTask):
    __doc__ = f"""Cox gradient LASSO: a dense net of the log-hazard, which for each patient has few slopes.

    {SELECTED} With ``hidden=()`` it is the Cox lasso.

    Parameters
    ----------{GRADIENT_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{COX_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxGradientLasso
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxGradientLasso(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.n_selected(X).min() >= 1
    np.True_
    """


@dataclass(kw_only=True, eq=False, repr=False)
class GradientLassoClassifier(_GradientLasso, ClassifierTask):
    __doc__ = f"""Gradient LASSO for classes: a dense net whose certainty has, for each row, few slopes.

    {SELECTED}

    Parameters
    ----------{GRADIENT_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = GradientLassoClassifier(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class GradientLassoRegressor(_GradientLasso, RegressorTask):
    __doc__ = f"""Gradient LASSO for numbers: a dense net which for each row has few slopes.

    {SELECTED} Of several targets the slopes are those of their sum. With ``hidden=()`` and one target it is the lasso.

    Parameters
    ----------{GRADIENT_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{REGRESSOR_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = GradientLassoRegressor(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    """
