"""Paths cross-validated: how good each lambda is on rows left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import _safe_indexing

from ..errors import InputError
from ..survival import CoxModel, outcome_of
from .path import PathEstimator

POINTS = 100

__all__ = ["CrossValidatedPath", "cross_validate_path"]


@dataclass(frozen=True, eq=False)
class CrossValidatedPath:
    """What a path says on rows left out.

    Attributes
    ----------
    frame : DataFrame
        One row per lambda, ascending: ``lam``; ``nll``, the mean over folds of the validation NLL; ``se``, its
        standard error over folds; ``mean``, the mean over folds of the number of factors used.
    best : int
        The row with the smallest ``nll``.
    chosen : int
        The row of the largest lambda whose ``nll`` is within one ``se`` of the best.
    """

    frame: pd.DataFrame
    best: int
    chosen: int
    _estimator: PathEstimator

    def fit(self, X, y, rule: str = "one_se", **options) -> PathEstimator:
        """Return the estimator, fitted to all rows at the lambda that the folds speak for.

        Parameters
        ----------
        X, y
        rule : {"one_se", "best"}
            The row `chosen`, or the row `best`.
        **options
            Passed on to the estimator's ``fit``.
        """
        rows = {"one_se": self.chosen, "best": self.best}
        if rule not in rows:
            raise InputError("SL-408", f"rule={rule!r}.", f"Use one of {', '.join(rows)}.")
        lam, main = float(self.frame["lam"].iloc[rows[rule]]), self._estimator.penalties[0]
        given = self._estimator.lam
        lam = {**given, main: lam} if isinstance(given, dict) else lam
        return clone(self._estimator).set_params(lam=lam).fit(X, y, **options)


def cross_validate_path(estimator: PathEstimator, X, y, cv=5, points: int | None = None, n_jobs: int | None = None):
    """Fit the path on every fold's training rows and judge it on the others.

    Parameters
    ----------
    estimator : PathEstimator
    X, y
        As its ``fit`` takes them.
    cv : int or splitter
        An int: so many folds, stratified by event or class, shuffled by the estimator's ``random_state`` where that
        is an int.
    points : int, optional
        Of each path, as in its ``path``.
    n_jobs : int, optional
        Folds computed at a time.

    Returns
    -------
    CrossValidatedPath

    Notes
    -----
    The rows left out judge a path, and serve the early stopping of its steps. Folds have grids of their own: values
    between their lambdas are interpolated on the logarithm of lambda, and beyond its ends a path stays what it was.
    """
    if isinstance(estimator, CoxModel):
        y = outcome_of(X, y).to_y()
    codes = np.asarray(estimator._strata(estimator._learn(X, y)[0]))
    seed = estimator.random_state if isinstance(estimator.random_state, int) else 0
    splitter = StratifiedKFold(cv, shuffle=True, random_state=seed) if isinstance(cv, int) else check_cv(cv)
    frames = Parallel(n_jobs=n_jobs)(
        delayed(_frame)(clone(estimator), X, y, train, test, points) for train, test in splitter.split(codes, codes)
    )
    lam = np.geomspace(min(f["lam"].iloc[0] for f in frames), max(f["lam"].iloc[-1] for f in frames), POINTS)
    nll, used = (
        np.array([np.interp(np.log(lam), np.log(f["lam"]), f[name]) for f in frames])
        for name in ("validation_nll", "mean")
    )  # (folds, points)
    se = nll.std(0, ddof=1) / np.sqrt(len(nll))
    frame = pd.DataFrame({"lam": lam, "nll": nll.mean(0), "se": se, "mean": used.mean(0)})
    best = int(frame["nll"].argmin())
    good = frame["nll"] <= frame["nll"].iloc[best] + se[best]
    return CrossValidatedPath(frame, best, int(np.flatnonzero(good)[-1]), estimator)


def _frame(estimator: PathEstimator, X, y, train, test, points: int | None) -> pd.DataFrame:
    (Xt, yt), (Xv, yv) = ((_safe_indexing(X, rows), _safe_indexing(y, rows)) for rows in (train, test))
    return estimator.path(Xt, yt, validation_data=(Xv, yv), points=points).frame
