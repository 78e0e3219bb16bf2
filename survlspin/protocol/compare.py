"""Fit every model on the same folds, and gather what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from ..baselines import adapt
from ..errors import InputTypeError
from ..folds import Splitter, default_cv
from ..outcome import Outcome
from ..runs import Runs
from .asked import check_kinds, check_levels, check_paths, seeds_of
from .unit import Unit, fit_unit, seed_of, takes_validation

__all__ = ["run"]


def run(
    models: Mapping[str, BaseEstimator],
    X,
    y,
    cv: Splitter | None = None,
    over: Mapping[str, Mapping[str, Any]] | None = None,
    n_jobs: int | None = None,
    random_state: int | Sequence[int] = 0,
    groups=None,
    progress: bool = True,
) -> Runs:
    """Fit every model on the same folds and compare them on the same test patients.

    Test rows choose nothing: penalties and stopping see the fold's validation rows alone. Models whose ``fit`` takes no
    ``validation_data`` (Cox regression, forests, pipelines) choose nothing there and are trained on training and
    validation rows together; the table says so.

    Parameters
    ----------
    models : dict
        Name -> estimator of this package or of scikit-survival, or a pipeline or search around one.
    X : DataFrame or array (n, p)
    y : any accepted outcome
    cv : Splitter, optional
        `TrainOneTestNine`, `RepeatedKFold` or a `Splitter` of your own; by default (`default_cv`) 5 times repeated
        5-fold cross-validation below 10,000 rows, train-one/test-nine from there on.
    over : dict, optional
        The models whose whole penalty path is wanted: ``{"LSPIN": {"lam": "path"}}``, or of so many penalties:
        ``{"LSPIN": {"lam": "path", "points": 12}}``. In the table they stand with the point that the validation rows
        chose.
    n_jobs : int, optional
        Processes, as in joblib; the numbers do not depend on it.
    random_state : int or sequence of int
        Each seed is one more fit of every model on every fold; folds of one seed differ in what they draw from it.
    groups : array (n,), optional
        Patient labels: rows of one patient stay in one part and count as one in standard errors.
    progress : bool
        Show a progress bar with the time left, on a terminal only.

    Returns
    -------
    Runs

    Raises
    ------
    InputError
        SL-341 to SL-346 folds that cannot be made; SL-347 a path that cannot be had; SL-348 seeds; SL-351 a category so
        rare that a fold has nobody to learn it from.
    InputTypeError
        SL-350 something that is not an estimator or not a splitter.

    Examples
    --------
    >>> from survlspin.baselines import CoxLasso, LifelinesCoxPH
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "nodes", "noise"])
    >>> y = {"time": rng.exponential(np.exp(-X["age"])), "event": np.ones(200, int)}
    >>> models = {"Cox PH": LifelinesCoxPH(), "Cox-LASSO": CoxLasso()}
    >>> runs = run(models, X, y, cv=RepeatedKFold(3, 1), over={"Cox-LASSO": {"lam": "path"}})
    >>> int(runs.table().loc["Cox PH", "factors"])
    3
    """
    X = X if isinstance(X, pd.DataFrame) else np.asarray(X)
    if X.ndim != 2:
        raise InputTypeError(
            "SL-350", f"X has {X.ndim} dimensions.", "Give a DataFrame or an array of rows and columns."
        )
    index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))
    y = Outcome.of(y, n_rows=len(index), index=index).to_y()
    cv = default_cv(len(index)) if cv is None else cv
    over = {} if over is None else over
    check_kinds(models, cv)
    check_paths(over, models)
    seeds = seeds_of(random_state)
    models = {name: adapt(model) for name, model in models.items()}
    folds = list(cv.folds(X, y, groups))
    if any(not isinstance(model, Pipeline) and getattr(model, "encode", True) for model in models.values()):
        check_levels(X, folds)
    units = [
        Unit(name, model, fold, seed_of(seed, k), name in over, over.get(name, {}).get("points"))
        for name, model in models.items()
        for k, fold in enumerate(folds)
        for seed in seeds
    ]
    fits = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(joblib.delayed(fit_unit)(u, X, y) for u in units)
    fits = list(tqdm(fits, total=len(units), unit="fit", disable=None if progress else True))
    validation = {name: "held out" if takes_validation(model) else "trained on" for name, model in models.items()}
    patient = pd.factorize(index if groups is None else np.asarray(groups))[0]
    return Runs(fits, {fold.name: fold for fold in folds}, validation, tuple(over), patient, cv.description)
