"""The contract of a survival estimator in scikit-survival's manner."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from .. import storage
from ..competing import CompetingRisksEstimator
from ..metrics.concordance import concordance_of
from ..outcome import Outcome
from .common import require, require_close

READERS = ("gates", "selected", "n_selected", "risk_factors")  # of models that choose factors
CURVES = ("predict_survival_function", "predict_cumulative_hazard_function")
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums depend on the number of rows


def check_estimator(estimator: BaseEstimator, X=None, y=None) -> None:
    """Check what users and scikit-learn's tools rely on in an estimator.

    `fit` leaves parameters and data alone, repeats itself and forgets an earlier fit; before it, predictions raise
    NotFittedError; risks are finite, one per row, and go by the names of columns; `score` is our concordance of them;
    curves fall from 1 and equal their step functions; gates, selections and counts agree and keep the index; a pickled
    model predicts the same and holds no training rows, and so does a saved one, where the class can be saved. Methods
    that an estimator lacks are not checked. Of competing risks, incidences rise within 0 and 1 and, with the survival,
    add up to 1.

    Parameters
    ----------
    estimator : estimator
        Is not fitted itself. A ``random_state`` of None counts as 0.
    X, y : optional
        Predictors and outcome that `fit` takes; by default 120 invented patients, with two causes for an estimator of
        competing risks.

    Raises
    ------
    AssertionError
        With what does not hold.

    Examples
    --------
    >>> from survlspin import DeepSurv
    >>> check_estimator(DeepSurv(epochs=2))
    """
    competing = isinstance(estimator, CompetingRisksEstimator)
    if X is None:
        X, y = patients(causes=2 if competing else 1)
    model = clone(estimator)
    if model.get_params().get("random_state", 0) is None:
        model.set_params(random_state=0)
    _check_parameters(model)
    _check_unfitted(model, X, y)
    outcome = Outcome.of(y, causes=competing)
    _check_fit(model, X, y, outcome)
    _check_risks(model, X)
    _check_curves(model, X, outcome)
    if competing:
        _check_incidences(model, X, outcome)
    _check_score(model, X, y, outcome)
    _check_selection(model, X)
    _check_pickle(model, X)
    _check_saved(model, X)


def patients(n: int = 120, seed: int = 0, causes: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Return invented patients with numbers, a flag and a category, and their follow-up in whole months.

    Parameters
    ----------
    n : int
        Rows.
    seed : int
    causes : int
        Of those who died, one in so many has each of the causes 1, 2, ...

    Returns
    -------
    X : DataFrame (n, 4)
    y : structured array (n,)
    """
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.normal(60, 10, n),
            "size": rng.gamma(2.0, 10.0, n),
            "nodes": rng.random(n) < 0.4,
            "grade": pd.Categorical(rng.choice(["I", "II", "III"], n)),
        },
        index=pd.Index([f"p{i}" for i in range(n)], name="patient"),
    )
    died = rng.exponential(60 * np.exp(-(X["age"] - 60) / 10 - X["nodes"]))
    left = rng.uniform(0, 120, n)
    cause = 1 if causes == 1 else rng.integers(1, causes + 1, n)
    return X, Outcome.of((np.ceil(np.minimum(died, left)), (died <= left) * cause), causes=True).to_y()


def _check_parameters(model: BaseEstimator) -> None:
    parameters = model.get_params()
    require(model.set_params(**parameters) is model, "set_params does not return the estimator.")
    require(joblib.hash(clone(model).get_params()) == joblib.hash(parameters), "a clone has other parameters.")
    early = [name for name in vars(model) if name.endswith("_")]
    require(not early, f"{early} are there before fit.")


def _check_unfitted(model: BaseEstimator, X, y) -> None:
    for name in _has(model, ("predict", *CURVES, *READERS)):
        _require_unfitted(name, lambda name=name: getattr(model, name)(X))
    _require_unfitted("score", lambda: model.score(X, y))


def _require_unfitted(name: str, call: Callable) -> None:
    try:
        call()
    except NotFittedError:
        return
    raise AssertionError(f"{name} does not raise NotFittedError before fit.")


def _check_fit(model: BaseEstimator, X, y, outcome: Outcome) -> None:
    """Fit `model`; check what a fit changes, and that another fit of the fitted model ends the same."""
    before = joblib.hash((X, y)), _settings(model)
    require(model.fit(X, y) is model, "fit does not return the estimator.")
    require(_settings(model) == before[1], "fit changes parameters.")
    fitted = set(vars(model)) - set(model.get_params(deep=False))
    public = [name for name in fitted if not name.endswith("_") and not name.startswith("_")]
    require(not public, f"{public}, set by fit, do not end with an underscore.")
    risk = model.predict(X)
    require(joblib.hash((X, y)) == before[0], "fit or predict modifies the data.")
    first, rows = copy.deepcopy(model), np.arange(len(X)) % 3 > 0
    again = model.fit(_rows(X, rows), outcome.take(rows).to_y()).fit(X, y)
    require(np.array_equal(again.predict(X), risk), "a second fit of one estimator predicts otherwise.")
    require(set(vars(again)) == set(vars(first)), "a second fit has other attributes.")
    n = getattr(model, "n_features_in_", None)
    require(n == np.shape(X)[1], f"n_features_in_ is {n}.")
    names = getattr(model, "feature_names_in_", None)
    given = list(X.columns) if isinstance(X, pd.DataFrame) else None
    require((names if names is None else list(names)) == given, f"feature_names_in_ is {names}.")


def _check_risks(model: BaseEstimator, X) -> None:
    risk = model.predict(X)
    shapes = {(len(X),), (len(X), getattr(model, "n_causes_", 0))}
    require(np.shape(risk) in shapes, f"predict returns the shape {np.shape(risk)}.")
    require(risk.dtype == np.float64, f"predict returns {risk.dtype}.")
    require(bool(np.isfinite(risk).all()), "predict returns values that are not finite.")
    require(np.array_equal(model.predict(X), risk), "predict does not repeat itself.")
    order = np.random.default_rng(0).permutation(len(X))
    require_close("predict for rows in another order", model.predict(_rows(X, order)), risk[order], **ROUNDING)
    require_close("predict for one row", model.predict(_rows(X, order[:1])), risk[order[:1]], **ROUNDING)
    if isinstance(X, pd.DataFrame):
        turned = X[X.columns[::-1]].assign(**{"a column besides": 1.0})
        require(np.array_equal(model.predict(turned), risk), "predict depends on the order of columns, or on others.")


def _check_score(model: BaseEstimator, X, y, outcome: Outcome) -> None:
    risk = model.predict(X)
    if isinstance(model, CompetingRisksEstimator):
        columns = dict(enumerate(risk.T, 1)) if risk.ndim == 2 else {model.cause: risk}
        pairs = [(model.score(X, y, cause=c), outcome.of_cause(c), column) for c, column in columns.items()]
    else:
        pairs = [(model.score(X, y), outcome, risk)]
    for score, of, column in pairs:
        require(0 <= score <= 1, f"score is {score}.")
        expected = concordance_of(of, column).value
        require(bool(np.isclose(score, expected, rtol=1e-12)), f"score is {score}, and the concordance {expected}.")


def _check_incidences(model: BaseEstimator, X, outcome: Outcome) -> None:
    """Check the cumulative incidences of all causes, or of the model's one."""
    strata = {} if outcome.stratum is None else {"stratum": outcome.stratum}
    times = model.unique_times_
    found = model.predict_cumulative_incidence(X, **strata)
    shape = (*np.shape(model.predict(X)), len(times))
    require(found.shape == shape, f"predict_cumulative_incidence returns the shape {found.shape}.")
    require(bool(((found >= 0) & (found <= 1)).all()), "a cumulative incidence is not within 0 and 1.")
    require(bool((np.diff(found, axis=-1) >= 0).all()), "a cumulative incidence falls.")
    some = model.predict_cumulative_incidence(X, times[::5], **strata)
    require_close("incidences at some times", some, found[..., ::5], rtol=1e-12)
    require_close("incidences at one time", model.predict_cumulative_incidence(X, times[-1], **strata), found[..., -1])
    if hasattr(model, "predict_survival_function"):
        survival = model.predict_survival_function(X, return_array=True, **strata)
        require_close("the sum of incidences and survival", found.sum(axis=1) + survival, np.ones_like(survival), 1e-9)


def _check_curves(model: BaseEstimator, X, outcome: Outcome) -> None:
    """Check each kind of curves; those of a model with strata need each row's."""
    strata = {} if outcome.stratum is None else {"stratum": outcome.stratum}
    arrays = {}
    for name in _has(model, CURVES):
        times = model.unique_times_
        require(bool((np.diff(times) > 0).all()), "unique_times_ do not ascend.")
        curves = arrays[name] = getattr(model, name)(X, return_array=True, **strata)
        require(curves.shape == (len(X), len(times)), f"{name} returns an array of shape {curves.shape}.")
        functions = getattr(model, name)(X, **strata)
        require(np.shape(functions) == (len(X),), f"{name} returns {np.shape(functions)} step functions.")
        for i in range(0, len(X), 17):
            require_close(f"{name}'s step function of row {i}", functions[i](times), curves[i], rtol=1e-12)
    survival, hazard = (arrays.get(name) for name in CURVES)
    if survival is not None:
        require(bool(((survival >= 0) & (survival <= 1)).all()), "survival is not within 0 and 1.")
        require(bool((np.diff(survival, axis=1) <= 1e-12).all()), "survival rises.")
    if hazard is not None:
        require(bool((hazard >= 0).all() and (np.diff(hazard, axis=1) >= 0).all()), "a cumulative hazard falls.")
    if survival is not None and hazard is not None:
        require_close("survival from the cumulative hazard", np.exp(-hazard), survival, rtol=1e-12)


def _check_selection(model: BaseEstimator, X) -> None:
    index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))
    answer = {name: getattr(model, name)(X) for name in _has(model, READERS)}
    for name in ("gates", "selected", "n_selected"):
        require(name not in answer or answer[name].index.equals(index), f"{name} has another index than X.")
        if name in answer and name != "n_selected":
            found = tuple(answer[name].columns)
            require(found == model.design_.factors, f"{name} has the columns {found}.")
    selected, gates = answer.get("selected"), answer.get("gates")
    if selected is not None:
        require(all(dtype.kind == "b" for dtype in selected.dtypes), "selected is not of type bool.")
        counts = selected.sum(axis=1).to_numpy()
        if "n_selected" in answer:
            require(np.array_equal(answer["n_selected"], counts), "n_selected does not count what is selected.")
        if "risk_factors" in answer:
            listed = answer["risk_factors"].patients()["n_factors"]
            require(np.array_equal(listed, counts), "risk_factors lists other factors than are selected.")
    if gates is not None:
        require(bool(((gates >= 0) & (gates <= 1)).all(axis=None)), "gates are not within 0 and 1.")
        require(selected is None or bool((selected == (gates > 0)).all(axis=None)), "selected is not where gates open.")


def _check_pickle(model: BaseEstimator, X) -> None:
    stored = pickle.dumps(model)
    require(np.array_equal(pickle.loads(stored).predict(X), model.predict(X)), "a pickled model predicts otherwise.")
    if hasattr(model, "design_"):
        held = any(run in stored for run in _traces(model.design_.transform(X), X))
        require(not held, "the pickled model holds training rows.")


def _check_saved(model: BaseEstimator, X) -> None:
    if storage.registry().get(type(model).__name__) is not type(model):
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "model")
        model.save(place)
        stored = b"".join(path.read_bytes() for path in place.iterdir())
        loaded = storage.load(place)
    require(np.array_equal(loaded.predict(X), model.predict(X)), "a saved model predicts otherwise.")
    require(_settings(loaded) == _settings(model), "a saved model has other parameters.")
    lost = set(vars(model)) - set(vars(loaded)) - set(model._unsaved)
    require(not lost, f"a saved model has no {sorted(lost)}.")
    held = any(run in stored for run in _traces(model.design_.transform(X), X))
    require(not held, "the saved model holds training rows.")


def _traces(x: np.ndarray, X) -> Iterable[bytes]:
    """Yield how rows, and runs of a column, of the design `x` or of the numbers in `X` lie in memory."""
    numbers = X.select_dtypes("number") if isinstance(X, pd.DataFrame) else X
    for table in (x, np.asarray(numbers)):
        distinct = np.array([len(np.unique(column)) > len(column) // 2 for column in table.T])
        for dtype in (np.float32, np.float64):
            cells = table.astype(dtype)
            yield from (column[:8].tobytes() for column in cells[:, distinct].T)
            if distinct.sum() > 1:  # a row that nothing else can be
                yield from (row.tobytes() for row in cells[:20])


def _settings(model: BaseEstimator) -> str:
    """Return a fingerprint of the parameters; a generator among them is for `fit` to draw from."""
    return joblib.hash({name: value for name, value in model.get_params().items() if name != "random_state"})


def _has(model: BaseEstimator, names: Iterable[str]) -> list[str]:
    return [name for name in names if hasattr(model, name)]


def _rows(X, rows: np.ndarray):
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else np.asarray(X)[rows]
