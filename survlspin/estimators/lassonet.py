"""LassoNet: a linear model and a net that uses no factor the linear model leaves out."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from .. import nets
from ..design import Design
from ..heads import Head
from ..nets import LassoNet
from ..train.fit import penalty_weights
from ..train.prox_path import PathSettings, ProxPath, prox_path, vanishing
from .net import ATTRIBUTES, PARAMETERS, is_number, more_seeds
from .path import LAM_PARAMETER, Path, PathEstimator, describe
from .problem import Problem
from .progress import progress_bar
from .selecting import by_factor
from .tasks import (
    CLASSIFIER_ATTRIBUTES,
    COX_ATTRIBUTES,
    COX_PARAMETERS,
    REGRESSOR_ATTRIBUTES,
    ClassifierTask,
    CoxTask,
    RegressorTask,
)

LAYERS = 0.01  # weight of the penalty on the later layers where none is given
DENSE_STEPS = 400  # of the dense fit, at most, where no rows validate
APPROACH = 40  # lambdas of the path to a given one
SPAN = 100.0  # the given one over the first of these

LASSONET_PARAMETERS = f"""{LAM_PARAMETER} The penalty
        ``skip`` is the sum, over factors, of the norm of the factor's linear coefficients. ``layers`` (0.01 unless
        given) is half the sum of squares of the weights after the first layer: without it a net could make up for any
        lambda by small coefficients and large later weights. ``ridge`` is half that of the linear coefficients.
    M : float
        How many times the norm of a factor's linear coefficients its weights in the net may be. 0: a linear model,
        the lasso exactly."""

LASSONET_ATTRIBUTES = """
    importance_ : Series (factors,)
        The lambda at which each factor leaves the path for good, the paper's measure; with ``lam="auto"``.
    feature_importances_ : array (factors,)
        The same numbers."""

TRAINING = """The settings ``epochs`` to ``patience`` are those of the fit without a penalty on factors from which
    the path starts. On the path every step is a proximal gradient step on all training rows."""

PAPER = """
    References
    ----------
    Lemhadri, Ruan, Abraham, Tibshirani: LassoNet: A Neural Network with Feature Sparsity, JMLR 2021."""


@dataclass(kw_only=True, eq=False, repr=False)
class _LassoNet(PathEstimator, ABC):
    penalties: ClassVar = ("skip", "layers", "ridge")

    hidden: tuple[int, ...] = (16,)
    M: float = 10.0

    def _rules(self) -> dict[str, tuple[bool, str]]:
        return super()._rules() | {"M": (is_number(self.M), "a number >= 0")}

    def _lam(self) -> dict[str, float]:
        return {"layers": LAYERS, **super()._lam()}

    def _lam_besides(self) -> dict[str, float]:
        return {"layers": LAYERS, **super()._lam_besides()}

    def _net(self, design: Design, head: Head, models: int) -> LassoNet:
        return nets.LassoNet(len(design.columns), self.hidden, head, M=self.M, group=design.group, models=models)

    def _train(self, problem: Problem):
        for name in ("path_", "importance_", "feature_importances_"):  # of an earlier fit
            vars(self).pop(name, None)
        lam = self.lam.get("skip") if isinstance(self.lam, dict) else self.lam
        if lam != "auto":
            return self._approach(problem, self._lam())
        path = self._fit_path(problem, None)
        self.path_, self.importance_ = path.frame, importance(path)
        self.feature_importances_ = self.importance_.to_numpy()
        return path.give(path.chosen, self)

    def _approach(self, problem: Problem, lam: dict[str, float]):
        """Walk to a given lambda with the members and their restarts, and keep the best by objective."""
        many = replace(problem, seeds=more_seeds(problem.seeds, self.members * self.restarts))
        grid = np.array([lam["skip"]])
        if self.M > 0 and self.hidden and grid[0] > 0:  # for a linear model it does not matter from where
            grid = np.geomspace(grid[0] / SPAN, grid[0], APPROACH)
        found = self._walk(many, PathSettings(), grid)
        best = np.sort(np.argsort(found.objective[-1], kind="stable")[: self.members])
        last = found.net.rows([(len(grid) - 1) * len(many.seeds) + int(i) for i in best])
        return self._adopt(replace(problem, seeds=[many.seeds[i] for i in best]), last, None, lam)

    def _walk(self, problem: Problem, settings: PathSettings, grid: np.ndarray | None = None) -> ProxPath:
        """Fit without the penalty on factors, then compute the path."""
        besides = self._lam_besides()
        net = problem.initialize(self._maker(problem))
        dense = problem if problem.valid is not None else problem.limited(DENSE_STEPS)
        dense.fit(net, {"skip": [0.0], **{name: [value] for name, value in besides.items()}}, "dense fit")
        valid_rows = () if problem.valid is None else [problem.valid_rows]
        with progress_bar("path", self.verbose) as progress:
            return prox_path(
                net, problem.head, problem.data, [problem.rows], penalty_weights(net, besides), settings,
                problem.valid, valid_rows, grid, progress,
            )  # fmt: skip

    def _fit_path(self, problem: Problem, points: int | None) -> Path:
        problem.validation()
        settings = PathSettings() if points is None else PathSettings(points=points)
        found = self._walk(problem, settings)
        used = list(by_factor(found.kept.any(1), problem.design)[:, None])  # (1, factors) each: alike for all rows
        return describe(self, problem, found.net, found.lam, used, kkt=found.kkt.max(1))


def importance(path: Path) -> pd.Series:
    """Return the lambda at which each factor leaves the path of a LassoNet for good; inf where it never does.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Series (factors,)
        Of an ensemble: the lambda at which the last member lets go of the factor.
    """
    members, design = len(path._problem.seeds), path._problem.design
    kept = path._net.kept().cpu().numpy()  # (points * members, p)
    used = by_factor(kept.reshape(len(path), members, -1).any(1), design)
    return pd.Series(vanishing(path.frame["lam"].to_numpy(), used), list(design.factors), name="lam")


@dataclass(kw_only=True, eq=False, repr=False)
class CoxLassoNet(_LassoNet, CoxTask):
    __doc__ = f"""Cox-LassoNet: a linear model of the log-hazard and a net that uses only the linear model's factors.

    The same factors serve all patients. With ``M=0`` it is the Cox lasso. {TRAINING}

    Parameters
    ----------{LASSONET_PARAMETERS}{COX_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{LASSONET_ATTRIBUTES}{COX_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from survlspin import CoxLassoNet
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(500, random_state=0)
    >>> model = CoxLassoNet(lam=1.0, epochs=5, random_state=0).fit(X, y)
    >>> int(model.selected(X).nunique().max())
    1
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LassoNetClassifier(_LassoNet, ClassifierTask):
    __doc__ = f"""LassoNet for classes: linear logits and a net that uses no factor they leave out.

    The same factors serve all rows and classes. With ``M=0`` it is the group lasso of logistic regression. {TRAINING}

    Parameters
    ----------{LASSONET_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{LASSONET_ATTRIBUTES}{CLASSIFIER_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = LassoNetClassifier(lam=0.1, epochs=5, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LassoNetRegressor(_LassoNet, RegressorTask):
    __doc__ = f"""LassoNet for numbers: a linear model and a net that uses no factor the linear model leaves out.

    The same factors serve all rows and targets. With ``M=0`` it is the lasso, of several targets the group lasso.
    {TRAINING}

    Parameters
    ----------{LASSONET_PARAMETERS}{PARAMETERS}
    {ATTRIBUTES}{LASSONET_ATTRIBUTES}{REGRESSOR_ATTRIBUTES}{PAPER}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = LassoNetRegressor(lam=0.1, epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    """
