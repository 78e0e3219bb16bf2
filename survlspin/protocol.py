"""Any models on the same folds, judged on the same test patients."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

import joblib
import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ._messages import listed, nearest
from .baselines import adapt
from .curve import COUNTS
from .errors import InputError, InputTypeError
from .folds import Fold, RepeatedKFold, Splitter, TrainOneTestNine, default_cv
from .metrics.concordance import concordance_of
from .outcome import Outcome
from .runs import Fit, Runs

__all__ = ["Fit", "Fold", "RepeatedKFold", "Runs", "Splitter", "TrainOneTestNine", "default_cv", "fit_unit", "run"]


def run(
    models: Mapping[str, BaseEstimator],
    X,
    y,
    cv: Splitter | None = None,
    over: Mapping[str, Mapping[str, str]] | None = None,
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
        The models whose whole penalty path is wanted: ``{"LSPIN": {"lam": "path"}}``. In the table they stand with the
        point that the validation rows chose.
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
    seeds = _check(models, cv, over, random_state)
    models = {name: adapt(model) for name, model in models.items()}
    folds = list(cv.folds(X, y, groups))
    if any(not isinstance(model, Pipeline) and getattr(model, "encode", True) for model in models.values()):
        _check_levels(X, folds)
    units = [
        (name, model, fold, _seed(seed, k), X, y, name in over)
        for name, model in models.items()
        for k, fold in enumerate(folds)
        for seed in seeds
    ]
    fits = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(joblib.delayed(fit_unit)(*unit) for unit in units)
    fits = list(tqdm(fits, total=len(units), unit="fit", disable=None if progress else True))
    validation = {name: "held out" if _takes_validation(model) else "trained on" for name, model in models.items()}
    patient = pd.factorize(index if groups is None else np.asarray(groups))[0]
    return Runs(fits, {fold.name: fold for fold in folds}, validation, tuple(over), patient, cv.description)


def fit_unit(name: str, model: BaseEstimator, fold: Fold, seed: int, X, y: np.ndarray, path: bool = False) -> Fit:
    """Fit a model on one fold, once or its whole path, and judge it on the test rows: the unit of all work.

    The result depends on the arguments alone: a clone is fitted, its every ``random_state`` is `seed`, on one thread.

    Parameters
    ----------
    name : str
        The model's name.
    model : estimator
        As `survlspin.baselines.adapt` returns it.
    fold : Fold
    seed : int
    X : DataFrame or array (n, p)
    y : structured array (n,)
    path : bool
        Fit the model's path over its penalty.
    """
    model = clone(model)
    model.set_params(**{key: seed for key in model.get_params() if key.split("__")[-1] == "random_state"})
    rows, validation = fold.train, {}
    if _takes_validation(model):
        validation = {"validation_data": (_take(X, fold.validation), y[fold.validation])}
    else:
        rows = np.union1d(fold.train, fold.validation)
    X_train, X_test = _take(X, rows), _take(X, fold.test)
    with _one_thread():
        start = perf_counter()
        fitted = (model.path if path else model.fit)(X_train, y[rows], **validation)
        seconds = perf_counter() - start
        points = [fitted.at(i) for i in range(len(fitted))] if path else [fitted]
        shares, counts = zip(*(_factors_used(point, X_train) for point in points), strict=True)
        risk = np.stack([np.asarray(point.predict(X_test)) for point in points])
    outcome = Outcome.of(y[fold.test])
    estimates = [concordance_of(outcome, row) for row in risk]
    frame = pd.DataFrame(counts).assign(C=[estimate.value for estimate in estimates])
    frame[["lam", "validation_nll"]] = fitted.frame[["lam", "validation_nll"]].to_numpy() if path else np.nan
    return Fit(
        model=name,
        fold=fold.name,
        seed=seed,
        points=frame,
        chosen=fitted.chosen if path else 0,
        share=pd.DataFrame(shares),
        risk=risk.astype(np.float32),
        influence=np.array([estimate.influence for estimate in estimates], dtype=np.float32),
        definition=estimates[0].definition,
        seconds=seconds,
    )


def _factors_used(model, X) -> tuple[pd.Series, dict[str, float]]:
    """Return the share of the patients X whose answer uses each factor, and the number of factors used.

    A model that does not select uses every factor of its design, or every column where it has no design of its own.
    """
    if _selects(model):
        selected = model.selected(X)
        size = selected.sum(axis=1)
        return selected.mean(), dict(zip(COUNTS, (size.median(), size.mean(), selected.any().sum()), strict=True))
    factors = model.design_.factors if hasattr(model, "design_") else range(X.shape[1])
    return pd.Series(1.0, index=list(factors)), dict.fromkeys(COUNTS, float(len(factors)))


def _selects(model) -> bool:
    return callable(getattr(model, "selected", None))


def _takes_validation(model) -> bool:
    return "validation_data" in inspect.signature(model.fit).parameters


def _take(X, rows: np.ndarray):
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def _seed(seed: int, fold: int) -> int:
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums then have one order, whatever the machine and the number of processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def _check(models, cv, over, random_state) -> list[int]:
    """Refuse what would fail after hours of fitting; return the seeds."""
    for name, model in models.items():
        if not isinstance(model, BaseEstimator):
            raise InputTypeError(
                "SL-350", f"{name} is a {type(model).__name__}.", "Give an estimator in scikit-learn's manner."
            )
    if not isinstance(cv, Splitter):
        raise InputTypeError("SL-350", f"cv is a {type(cv).__name__}.", "Use TrainOneTestNine or RepeatedKFold.")
    for name, asked in over.items():
        if name not in models:
            raise InputError("SL-347", f"over names {name!r}, which is no model{nearest(name, models)}.")
        if dict(asked) != {"lam": "path"} or not hasattr(models[name], "path"):
            raise InputError(
                "SL-347",
                f"over asks {asked} of {name} ({type(models[name]).__name__}).",
                'Ask {"lam": "path"} of models that have a path.',
            )
    seeds = np.atleast_1d(random_state)
    if seeds.dtype.kind not in "iu" or (seeds < 0).any() or not len(seeds):
        raise InputError("SL-348", f"random_state={random_state!r}.", "Give a whole number from 0, or several.")
    return [int(seed) for seed in seeds]


def _check_levels(X, folds: list[Fold]) -> None:
    """Refuse categories that a fold tests or validates on without training on them: no model can predict them."""
    table = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    short = {}
    for name, column in table.items():
        if is_numeric_dtype(column.dtype):
            continue
        codes, levels = pd.factorize(column)
        trained = [np.bincount(codes[fold.train] + 1, minlength=len(levels) + 1)[1:] for fold in folds]
        short[name] = int((np.min(trained, axis=0) == 0).sum())
    if any(short.values()):
        found = listed(f"{name!r} has {n}" for name, n in short.items() if n)
        raise InputError(
            "SL-351",
            f"Levels so rare that the training rows of some fold have none: {found}.",
            'Merge them, as in X[c].where(X[c].isin(X[c].value_counts().index[:10]), "other"), or use fewer folds.',
        )
