"""Leakage: whether predictions depend on factors that the explanation does not list."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd

from ...errors import InputError, InputWarning
from .explained import OUTPUTS, explained, kind_of, output, variables_used

__all__ = ["Leakage", "donors", "leakage", "mixed"]


@dataclass(frozen=True, eq=False)
class Leakage:
    """How far predictions move when factors are redrawn.

    Attributes
    ----------
    value : float
        The share of rows whose prediction moves by more than the threshold in half of the draws or more, when the
        factors that are not listed take another row's values.
    unlisted, listed : float
        The mean move when these factors are redrawn, and when those that are listed are. Where lists suffice the first
        is 0; where they are needed the second is large.
    rows : float64 array (n,)
        The share of draws in which each row's prediction moves by more than the threshold.
    size : float
        The median over rows of the median over draws of the move when factors that are not listed are redrawn.
    definition : str
    """

    value: float
    unlisted: float
    listed: float
    rows: np.ndarray
    size: float
    definition: str

    @property
    def moved(self) -> np.ndarray:
        """Which rows' predictions move by more than the threshold in half of the draws or more, bool (n,)."""
        return self.rows >= 0.5


def leakage(model, X, *, draws: int = 20, threshold: float = 0.2, strata=None, random_state: int = 0) -> Leakage:
    """Return whether a model's predictions depend on factors that it does not list for the row.

    In each draw every row takes the values of the factors that it does not use from one other row drawn at random; the
    model is asked again, and its gates choose again.

    Parameters
    ----------
    model : fitted estimator
        With a design.
    X : DataFrame or array (n, variables)
        Rows that it did not train on.
    draws : int
    threshold : float
        A move that counts: of the log-risk, of the probability of the class that was the likeliest, or, of predicted
        numbers, in units of their standard deviation.
    strata : array (n,) of labels, optional
        Rows take values from rows of their own stratum only, which makes fewer patients whom nobody has seen.
    random_state : int

    Returns
    -------
    Leakage

    Raises
    ------
    InputError
        SL-618 for draws or a threshold that are none, or strata of another length; SL-619 for a model without a design.

    Notes
    -----
    Other rows' values make patients whom nobody has seen where factors go together. A model that leaks nothing may
    still be wrong. Gates that see only `context=` columns, which are listed, leak nothing, exactly; nor does a model
    that chooses for all rows alike.

    Examples
    --------
    >>> from survlspin import CoxPH
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(300)
    >>> found = leakage(CoxPH().fit(X[["age", "tumour_size"]], y), X)
    >>> found.value, found.listed > 0.1
    (0.0, True)
    """
    if not isinstance(draws, Integral) or draws < 1 or not isinstance(threshold, Real) or not 0 <= threshold < np.inf:
        raise InputError("SL-618", f"draws={draws!r}, threshold={threshold!r}.", "Give 20 draws and 0.2.")
    kind, redraw = kind_of(model), donors(len(X), strata, random_state)
    used = variables_used(model, explained(model, X))
    columns = model.predict_proba(X).argmax(axis=1) if kind == "classes" else None
    full = output(model, X, columns)
    unit = np.linalg.norm(full.std(axis=0)) or 1.0 if kind == "numbers" else 1.0
    move = {True: np.empty((draws, len(X))), False: np.empty((draws, len(X)))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # said of the rows themselves
        for draw in range(draws):
            donor = redraw()
            for kept in (True, False):
                changed = output(model, mixed(model, X, donor, used == kept), columns)
                move[kept][draw] = np.linalg.norm(changed - full, axis=1) / unit
    rows = (move[True] > threshold).mean(axis=0)
    words = (
        f"share of rows whose {OUTPUTS[kind]} moves by more than {threshold:g}{' SD' if kind == 'numbers' else ''} in "
        f"half of {draws} draws or more, when factors that are not listed take another row's values"
        f"{'' if strata is None else ' of the stratum'}"
    )
    size = float(np.median(np.median(move[True], axis=0)))
    share, means = float((rows >= 0.5).mean()), (float(move[kept].mean()) for kept in (True, False))
    return Leakage(share, *means, rows, size, words)


def donors(n: int, strata, random_state: int) -> Callable[[], np.ndarray]:
    """Return what draws for each of n rows another one, int (n,), of its own stratum (SL-618 for another length)."""
    rng = np.random.default_rng(random_state)
    if strata is None:
        return lambda: rng.integers(0, n, n)
    code = pd.factorize(np.asarray(strata), use_na_sentinel=False)[0]
    if code.shape != (n,):
        raise InputError("SL-618", f"strata of shape {code.shape} for {n} rows.", "Give a label for each row.")
    order, count = np.argsort(code, kind="stable"), np.bincount(code)
    first = np.cumsum(count) - count
    return lambda: order[first[code] + (rng.random(n) * count[code]).astype(np.int64)]


def mixed(model, X, donor: np.ndarray, keep: np.ndarray):
    """Return X with the cells that are not kept (n, variables of the design) taken from the donors' rows."""
    names = [variable.name for variable in model.design_.variables]
    if not isinstance(X, pd.DataFrame):
        X = np.asarray(X)
        place = [int(name[1:]) for name in names]  # x0, x1, ...
        mixed = X.copy()
        mixed[:, place] = np.where(keep, X[:, place], X[donor][:, place])
        return mixed
    source = dict(zip(names, np.where(keep.T, np.arange(len(X)), donor), strict=True))  # of each variable's cells
    columns = {name: column.array for name, column in X.items()}
    taken = {name: cells.take(source[str(name)]) for name, cells in columns.items() if str(name) in source}
    return pd.DataFrame({**columns, **taken}, index=X.index, copy=False)
