"""What a fitted model says of each row: what it predicts, the factors it uses, and how much it lets each of them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor

from ...errors import InputError
from ...usage import usage

__all__ = ["OUTPUTS", "Explained", "explained", "kind_of", "output", "variables_used", "without"]

OUTPUTS = {
    "survival": "log-risk",
    "numbers": "prediction",
    "classes": "probability of the class that was the likeliest",
}


@dataclass(frozen=True, eq=False)
class Explained:
    """The explanations of n rows by a model with p design columns of G factors.

    Attributes
    ----------
    x : float64 array (n, p)
        The design: 0 is the reference.
    mask : bool array (n, p)
        The columns that each row's answer uses.
    used : bool DataFrame (n, G)
        The factors.
    importance : float64 DataFrame (n, G)
        The gates, where the model has them; else 1 for what is used.
    gated : bool
        Whether the model has gates.
    """

    x: np.ndarray
    mask: np.ndarray
    used: pd.DataFrame
    importance: pd.DataFrame
    gated: bool


def explained(model, X) -> Explained:
    """Return what a fitted model uses for the rows X.

    Parameters
    ----------
    model : fitted estimator
        Of this package, or a baseline with a design.
    X : DataFrame or array (n, variables)

    Raises
    ------
    InputError
        SL-619 for a model without a design, as a pipeline.

    Examples
    --------
    >>> from survlspin import CoxPH
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(300)
    >>> explained(CoxPH().fit(X[["age", "tumour_size"]], y), X).used.shape
    (300, 2)
    """
    design = getattr(model, "design_", None)
    if design is None:
        found = f"{type(model).__name__} has no design of its own."
        raise InputError("SL-619", found, "Give a fitted estimator of this package, not a pipeline around one.")
    used = pd.DataFrame(usage(model, X).used, columns=list(design.factors))
    if callable(getattr(model, "selected_columns", None)):
        mask = model.selected_columns(X).to_numpy()
    else:
        mask = used.to_numpy()[:, design.group]
    gated = callable(getattr(model, "gates", None))
    importance = (model.gates(X) if gated else used).to_numpy().astype(np.float64)
    table = pd.DataFrame(importance, columns=used.columns)
    return Explained(design.transform(X).astype(np.float64), mask, used, table, gated)


def kind_of(model) -> str:
    """Return what a model predicts: "classes", "numbers" or "survival"."""
    return "classes" if is_classifier(model) else "numbers" if is_regressor(model) else "survival"


def output(model, X, columns: np.ndarray | None = None) -> np.ndarray:
    """Return what a model says of each row, (n, k): log-risks, numbers, or the probability of one class.

    Parameters
    ----------
    model : fitted estimator
    X : DataFrame or array (n, variables)
    columns : int array (n,), optional
        The class whose probability is wanted, by its place; by default the likeliest.
    """
    if kind_of(model) != "classes":
        return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X), -1)
    probability = model.predict_proba(X)
    columns = probability.argmax(axis=1) if columns is None else columns
    return probability[np.arange(len(X)), columns][:, None]


def variables_of(model) -> np.ndarray:
    """Return the variable of each factor (G,): with ``groups="column"`` the columns of a category share theirs."""
    variables = model.design_.variables
    size = [1 if model.design_.groups == "factor" else len(variable.columns) for variable in variables]
    return np.repeat(np.arange(len(variables)), size)


def variables_used(model, says: Explained) -> np.ndarray:
    """Return which variables each row's answer uses, bool (n, variables)."""
    used = np.zeros((len(says.used), len(model.design_.variables)), dtype=bool)
    np.logical_or.at(used.T, variables_of(model), says.used.to_numpy().T)
    return used


def without(model, X, factor: int):
    """Return X with the variable of a factor at its reference value: of a category's column the whole category."""
    variable = model.design_.variables[variables_of(model)[factor]]
    if not isinstance(X, pd.DataFrame):
        changed = np.array(X, dtype=np.result_type(np.asarray(X).dtype, np.float64))
        changed[:, [f"x{j}" for j in range(changed.shape[1])].index(variable.name)] = variable.reference
        return changed
    [name] = [name for name in X.columns if str(name) == variable.name]
    values: Any = variable.reference
    if isinstance(X[name].dtype, pd.CategoricalDtype):
        values = pd.Categorical([variable.reference] * len(X), dtype=X[name].dtype)
    changed = X.copy(deep=False)
    changed[name] = values
    return changed
