"""Generalizability: whether simple models learn from what is left of the rows when unused factors are masked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from ...errors import InputError, InputWarning
from ...outcome import Outcome
from .explained import explained, kind_of

__all__ = ["generalizability"]

RIDGE = 1e-3  # of the linear Cox model: masked columns may determine each other
TREES = 50
SCORES = {"survival": "C", "classes": "accuracy", "numbers": "R squared"}


def generalizability(model, X, y, *, folds: int = 5, random_state: int = 0) -> pd.DataFrame:
    """Return how well simple models predict from the inputs that a model's explanations leave over.

    Every column that a row's answer does not use is put to 0, the reference. Simple models are fitted on four fifths of
    the rows so masked and judged on the others, and on inputs that are not masked, for comparison. They are a linear
    Cox model and a random survival forest, judged by C; for classes logistic regression and 5 nearest neighbours
    (accuracy); for numbers linear regression and 5 nearest neighbours (R squared).

    Parameters
    ----------
    model : fitted estimator
        With a design.
    X : DataFrame or array (n, variables)
        Rows that it did not train on.
    y : outcome (n,)
    folds : int
        Parts of the rows, stratified by event or class.
    random_state : int
        Draws them.

    Returns
    -------
    DataFrame
        One row per simple model: ``masked``, ``plain`` and ``mask_only``, means over folds of the score on masked
        inputs, on all inputs, and on the masks alone (1 for what is used); ``model``, the model's own score on the same
        rows. nan where a simple model cannot be fitted. ``attrs["score"]`` names the score.

    Raises
    ------
    InputError
        SL-103 for competing causes: name one of them; SL-619 for a model without a design.

    Notes
    -----
    A high score does not show that the factors in use suffice. Masks are chosen by gates that see other columns, and
    which columns are masked then carries what these say: ``mask_only`` shows how much. Where it is far from chance,
    read ``masked`` with care, or fit the model with ``context=``, whose columns alone choose.

    Examples
    --------
    >>> from survlspin import CoxPH
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(500)
    >>> X = X[["age", "tumour_size"]]
    >>> table = generalizability(CoxPH().fit(X, y), X, y, folds=2)
    >>> bool((table["masked"] == table["plain"]).all()), table.attrs["score"]
    (True, 'C')
    """
    says, kind = explained(model, X), kind_of(model)
    target, strata = _target(kind, X, y)
    splitter = (KFold if strata is None else StratifiedKFold)(folds, shuffle=True, random_state=random_state)
    parts = list(splitter.split(says.x, strata))
    inputs = {"masked": says.x * says.mask, "plain": says.x, "mask_only": says.mask.astype(np.float64)}
    simple = _simple(kind, target, random_state)
    frame = pd.DataFrame(
        {name: {who: _score(make, x, target, parts) for who, make in simple.items()} for name, x in inputs.items()}
    )
    own = [model.score(X.iloc[test] if isinstance(X, pd.DataFrame) else X[test], target[test]) for _, test in parts]
    frame["model"] = float(np.mean(own))
    frame.attrs["score"] = SCORES[kind]
    return frame


def _target(kind: str, X, y) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what is predicted, and what rows are stratified by."""
    if kind == "survival":
        target = Outcome.of(y, n_rows=len(X), index=getattr(X, "index", None)).to_y()
        return target, target["event"]
    target = np.asarray(y)
    return target, target if kind == "classes" else None


def _simple(kind: str, target: np.ndarray, seed: int) -> dict[str, Callable[[], Any]]:
    """Return the simple models that these rows can be given to."""
    if kind == "classes":
        return {"logistic": lambda: LogisticRegression(max_iter=1000), "neighbours": KNeighborsClassifier}
    if kind == "numbers":
        return {"linear": lambda: RidgeCV(np.logspace(-6, 3, 10)), "neighbours": KNeighborsRegressor}
    from ...baselines import Forest
    from ...estimators import CoxPH

    models: dict[str, Callable[[], Any]] = {
        "Cox": lambda: CoxPH(penalizer=RIDGE),
        "forest": lambda: Forest(TREES, random_state=seed),
    }
    present = {"entry", "weight", "stratum"} & set(target.dtype.names or ())
    return {name: make for name, make in models.items() if present <= make().uses}


def _score(make: Callable[[], Any], x: np.ndarray, target: np.ndarray, parts: list) -> float:
    """Return the mean over folds of a simple model's score; nan where it cannot be fitted, as to constant columns."""
    scores = []
    for train, test in parts:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InputWarning)
                scores.append(make().fit(x[train], target[train]).score(x[test], target[test]))
        except InputError:
            return float("nan")
    return float(np.mean(scores))
