"""Restricted cubic splines: smooth curves that are straight beyond their outer knots."""

from __future__ import annotations

import numpy as np

from survlspin.errors import InputError

__all__ = ["rcs_basis", "rcs_knots", "weighted_quantile"]

FEW = 100  # values, below which the outer knots are the fifth value from either end
ROUNDING = 1e-9  # of summed weights


def rcs_knots(x, n_knots: int = 3, weight=None) -> np.ndarray:
    """Place knots at Harrell's quantiles of the values, as ``rcspline.eval`` of R's Hmisc does.

    Parameters
    ----------
    x : array (n,)
        Values, none missing.
    n_knots : int
        3 to 7: at quantiles evenly spread from .1 to .9 (3 knots), from .05 to .95 (4 to 6), from .025 to .975 (7).
        Of fewer than 100 values the outer ones are the fifth smallest and the fifth greatest.
    weight : array (n,), optional
        Case weights; whole numbers stand for repeated values.

    Returns
    -------
    ndarray (k,)
        Distinct knots, ascending; fewer than `n_knots` where values are tied.

    Raises
    ------
    InputError
        SL-318 for a number of knots that has no rule.

    References
    ----------
    Harrell (2015), Regression Modeling Strategies, 2nd ed., section 2.4.6.

    Examples
    --------
    >>> rcs_knots([18, 25, 33, 41, 47, 52, 58, 60, 63, 66, 70, 74, 79, 85, 91]).tolist()
    [47.0, 60.0, 70.0]
    """
    if n_knots not in range(3, 8):
        raise InputError("SL-318", f"{n_knots} knots.", "Give 3 to 7.")
    outer = 0.1 if n_knots == 3 else 0.05 if n_knots < 7 else 0.025
    knots = weighted_quantile(x, np.linspace(outer, 1 - outer, n_knots), weight)
    x, total = _ordered(x, weight)
    if 5 <= total[-1] < FEW:
        knots[[0, -1]] = x[np.searchsorted(total, [5 - ROUNDING, total[-1] - 4 - ROUNDING])]
    return np.unique(knots)


def rcs_basis(x, knots) -> np.ndarray:
    """Return the columns of a restricted cubic spline: x itself, then one for each knot but two.

    Parameters
    ----------
    x : array (n,)
    knots : array (k,)
        Ascending. With fewer than 3 the spline is a straight line.

    Returns
    -------
    ndarray (n, max(k - 1, 1))
        Cubic terms are divided by the squared distance of the outer knots, as in R's Hmisc.

    References
    ----------
    Harrell (2015), Regression Modeling Strategies, 2nd ed., section 2.4.5, equation 2.25.

    Examples
    --------
    >>> rcs_basis([50.0, 80.0], [47, 60, 70]).round(3).tolist()
    [[50.0, 0.051], [80.0, 35.609]]
    """
    x, knots = np.asarray(x, dtype=float), np.asarray(knots, dtype=float)
    columns = [x]
    if len(knots) >= 3:
        cubes = np.maximum(x[:, None] - knots, 0) ** 3 / (knots[-1] - knots[0]) ** 2  # (n, k)
        gap = knots[-1] - knots[-2]
        for j in range(len(knots) - 2):
            after_last = cubes[:, -1] * (knots[-2] - knots[j]) / gap
            columns.append(cubes[:, j] - cubes[:, -2] * (knots[-1] - knots[j]) / gap + after_last)
    return np.stack(columns, axis=1)


def weighted_quantile(x, share, weight=None) -> np.ndarray:
    """Return quantiles at the given shares, of values that whole weights repeat (R's type 7, numpy's default).

    Weights that are not whole numbers are first scaled to a mean of 1.
    """
    if weight is None:
        return np.quantile(np.asarray(x, dtype=float), share)
    x, total = _ordered(x, weight)
    place = np.asarray(share) * (total[-1] - 1)
    below = np.floor(place)
    low, high = (x[np.minimum(np.searchsorted(total, at, side="right"), len(x) - 1)] for at in (below, below + 1))
    return low + (place - below) * (high - low)


def _ordered(x, weight) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of positive weight in order, and the running sums of their weights."""
    x = np.asarray(x, dtype=float)
    weight = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=float)
    x, weight = x[weight > 0], weight[weight > 0]
    if (weight % 1).any():
        weight = weight / weight.mean()
    order = np.argsort(x, kind="stable")
    return x[order], np.cumsum(weight[order])
