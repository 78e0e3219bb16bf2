"""The LASSO and elastic-net path of the linear Cox model, exact to rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError
from .coxph import CoxPH
from .coxph_newton import Likelihood, Penalty, maximise


def lasso_path(
    X,
    y,
    lams: Sequence[float] | None = None,
    *,
    l1_ratio: float = 1.0,
    ties: str = "efron",
    standardize: bool = True,
    penalty_factor: Mapping[str, float] | None = None,
    n_lams: int = 50,
    smallest: float = 1e-3,
) -> pd.DataFrame:
    """Return the coefficients of Cox regressions with LASSO or elastic-net penalties of falling weight.

    Parameters
    ----------
    X : DataFrame or array (n, columns)
        Predictors; numbers, flags and categories.
    y : any accepted outcome
        See `survlspin.Outcome.of`.
    lams : sequence of floats, optional
        Weights of the penalty, as `CoxPH`'s `penalizer`: glmnet's times the summed weight of all rows, divided by that
        of the events. None: `n_lams` weights, in equal ratios, from the least that selects nothing down to its
        `smallest` part.
    l1_ratio : float in (0, 1]
        1: LASSO; less: elastic net (glmnet's ``alpha``).
    ties, standardize
        As in `CoxPH`; glmnet's ties are ``"breslow"``.
    penalty_factor : mapping, optional
        Variable of X -> factor of its penalty, where it is not 1; 0: never left out. They are not rescaled, as glmnet's
        are.
    n_lams : int
    smallest : float

    Returns
    -------
    DataFrame (P, p)
        One row for each weight (index ``lam``), one column for each column of the design; in the units of the table.

    Raises
    ------
    InputError
        SL-487 for a setting that cannot be used; with the codes of `Outcome`, `Design` and `CoxPH`.

    References
    ----------
    Simon, Friedman, Hastie, Tibshirani (2011), Regularization paths for Cox's proportional hazards model via coordinate
    descent, Journal of Statistical Software 39(5). The steps here are exact Newton steps instead of theirs with the
    diagonal of the second derivative.

    Examples
    --------
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(2000)
    >>> path = lasso_path(X[["age", "tumour_size"]], y, n_lams=5)
    >>> (path != 0).sum(axis=1).tolist()
    [0, 2, 2, 2, 2]
    """
    _check(lams, l1_ratio, n_lams, smallest)
    model = CoxPH(ties)
    likelihood = model._encoded(X, y)[0]
    factor = np.ones(len(likelihood.scale))
    for name, value in (penalty_factor or {}).items():
        if not (np.isfinite(value) and value >= 0):
            raise InputError("SL-487", f"penalty_factor of {name!r} is {value!r}.", "Give a number >= 0.")
        factor[model.design_.column_index(name)] = value
    unit = likelihood.scale if standardize else np.ones_like(factor)
    point = _unpenalised(likelihood, factor == 0)
    if lams is None:
        largest = _largest(point.gradient, l1_ratio * factor * unit)
        lams = largest * np.geomspace(1, smallest, n_lams)
    path = np.zeros((len(lams), len(factor)))
    for i in np.argsort(lams)[::-1]:
        penalty = Penalty(lams[i] * l1_ratio * factor * unit, lams[i] * (1 - l1_ratio) * factor * unit**2)
        solution = maximise(point, penalty, np.ones(len(factor), dtype=bool))
        path[i], point = solution.beta, solution.point
    return pd.DataFrame(path, index=pd.Index(lams, name="lam"), columns=list(model.design_.columns))


def _check(lams, l1_ratio: float, n_lams: int, smallest: float) -> None:
    rules = {
        "lams": (lams is None or (np.ndim(lams) == 1 and bool((np.asarray(lams) > 0).all())), "numbers above 0", lams),
        "l1_ratio": (0 < l1_ratio <= 1, "a number above 0, at most 1", l1_ratio),
        "n_lams": (n_lams >= 2, "a whole number from 2", n_lams),
        "smallest": (0 < smallest < 1, "a number between 0 and 1", smallest),
    }
    for name, (good, remedy, value) in rules.items():
        if not good:
            raise InputError("SL-487", f"{name}={value!r}.", f"Give {remedy}.")


def _unpenalised(likelihood: Likelihood, free: np.ndarray):
    """Return the point of the maximum over the columns without penalty, all others 0."""
    start = likelihood.at(np.zeros(len(free)))
    return likelihood.at(maximise(start, Penalty.none(len(free)), free).beta) if free.any() else start


def _largest(gradient: np.ndarray, lasso: np.ndarray) -> float:
    """Return the least weight of the penalty that selects nothing."""
    on = lasso > 0
    if not on.any():
        raise InputError("SL-487", "penalty_factor leaves no column with a penalty.", "Use CoxPH.")
    return float(np.max(np.abs(gradient[on]) / lasso[on]))
