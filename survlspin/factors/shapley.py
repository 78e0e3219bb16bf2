"""Exact Shapley values of games whose rows have few players each: all coalitions of many rows are valued at once."""

from collections.abc import Callable
from functools import cache
from math import factorial

import numpy as np

__all__ = ["MOST", "shapley"]

MOST = 10
"""Players of a row, at most: their coalitions are 2 to that power."""

ROWS = 2**15  # coalitions valued at once

Value = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def shapley(value: Value, plays: np.ndarray) -> np.ndarray:
    """Return each player's Shapley value, which in a row add up to the worth of all players less that of none.

    Parameters
    ----------
    value : callable
        ``value(rows, players, inside)`` is what coalitions are worth, (r, C): of the rows with the numbers `rows` (r,),
        whose players are `players` (r, k), in coalitions of the players with the places `inside`, bool (C, k).
    plays : bool array (n, G)
        The players of each row.

    Returns
    -------
    float64 array (n, G)
        0 for who does not play; NaN for who plays in a row of more than `MOST`.

    References
    ----------
    Shapley (1953), A value for n-person games, Contributions to the Theory of Games II, 307-317.

    Examples
    --------
    >>> def product(rows, players, inside):
    ...     return 6.0 * inside.all(axis=1)[None]
    >>> shapley(product, np.array([[True, True, True]]))
    array([[2., 2., 2.]])
    """
    count = plays.sum(axis=1)
    shares = np.where(plays & (count > MOST)[:, None], np.nan, 0.0)
    for k in range(1, MOST + 1):
        rows, size = np.flatnonzero(count == k), max(ROWS >> k, 1)
        inside, weight = _coalitions(k)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            players = np.nonzero(plays[part])[1].reshape(-1, k)
            shares[part[:, None], players] = value(part, players, inside) @ weight
    return shares


@cache
def _coalitions(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who is in each coalition of k players, bool (2^k, k), and what its worth weighs in each one's value."""
    inside = (np.arange(2**k)[:, None] >> np.arange(k)) & 1 == 1
    size = inside.sum(axis=1, keepdims=True)
    share = np.array([factorial(s) * factorial(k - s - 1) for s in range(k)] + [0]) / factorial(k)
    return inside, np.where(inside, share[size - 1], -share[size])
