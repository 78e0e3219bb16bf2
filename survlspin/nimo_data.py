"""Invented data on which NIMO's paper compares models: linear models whose coefficients other columns change.

Xu, Negri, Roth: NIMO: a Nonlinear Interpretable MOdel, 2025 (arXiv 2506.05059), Eq. 39-46.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .errors import InputError

__all__ = ["CLASSES", "NUMBERS", "bayes_accuracy", "draw", "mean", "survival"]

NOISE = 0.1  # standard deviation of the errors of numbers
WIDTH = 2.0  # columns are uniform in (-2, 2)
HAZARD = 0.35  # log-hazard per unit of the mean


def _arctan(u):
    return 2 / np.pi * np.arctan(u)


def _sigmoid(u):
    return 1 / (1 + np.exp(-u))


def _toy(x1, x2, *_):
    return 3 * x1 * (1 + np.tanh(10 * x2)) - 3 * x2 * (1 + np.sin(-2 * x1))


def _s1(x1, x2, x3, *_):
    return 3 * x1 * (1 + 2 * _sigmoid(x2 * x3) - 1) - 2 * x2 + 2 * x3


def _s2(x1, x2, x3, x4, *_):
    first = x1 * (1 + np.tanh(x2 * x3 + np.sin(x4)))
    return first + 2 * x2 * (1 + np.sin(2 * x1)) - x3 * (1 + _arctan(x2 * x4))


def _s3(x1, x2, x3, x4, x5, *_):
    first = -2 * x1 * (1 + np.tanh(x2 * x4)) + 2 * x2 * (1 + _arctan(x4 - x5))
    return first + 3 * x4 * (1 + np.tanh(x2 + np.sin(x5))) - x5 * (1 + 2 * _sigmoid(x1 * x4) - 1)


def _s4(*x):
    return sum(effect * column for effect, column in zip((-5, -4, -3, -2, -1, 0, 1, 2, 3, 4), x, strict=True))


def _c1(x1, x2, *_):
    return 2 * x1 * (1 + 2 * np.tanh(x2)) - 2 * x2 * (1 + 3 * np.sin(2 * x1) + np.tanh(2 * x1)) + 1


def _c2(x1, x2, x3, x4, *_):
    first = 10 * x1 * (1 + 2 * np.tanh(2 * x2) + np.sin(x4)) + 20 * x2 * (1 + 2 * np.cos(2 * x1))
    return first - 20 * x3 * (1 + 2 * np.arctan(x2 * x4)) + 10 * x4 - 10


def _c3(*x):
    return 10 * _s3(*x)


MEANS: dict[str, tuple[int, Callable]] = {
    "toy": (3, _toy),
    "S1": (5, _s1),
    "S2": (10, _s2),
    "S3": (50, _s3),
    "S4": (10, _s4),
    "C1": (3, _c1),
    "C2": (10, _c2),
    "C3": (50, _c3),
}
NUMBERS = ("toy", "S1", "S2", "S3", "S4")
CLASSES = ("C1", "C2", "C3")


def mean(kind: str, x: np.ndarray) -> np.ndarray:
    """Return what the rows `x` (n, p) predict without error: the mean (n,), or the log-odds of class 1.

    Raises
    ------
    InputError
        SL-451 an unknown kind.
    """
    if kind not in MEANS:
        raise InputError("SL-451", f"kind is {kind!r}.", f"Choose one of {', '.join(MEANS)}.")
    return MEANS[kind][1](*x.T)


def draw(kind: str, n: int, random_state: int | np.random.Generator | None = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw n rows.

    Columns are independent and uniform in (-2, 2). Numbers ("toy", "S1" to "S4") have normal errors of standard
    deviation 0.1, so that no model has a mean squared error below 0.01; classes ("C1" to "C3") are 1 with the
    probability whose log-odds are the mean.

    Parameters
    ----------
    kind : {"toy", "S1", "S2", "S3", "S4", "C1", "C2", "C3"}
        Eq. 39 to 46 of the paper, in this order.
    n : int
    random_state : int or Generator

    Returns
    -------
    X : array (n, p)
    y : array (n,)
        Numbers, or int classes 0 and 1.

    Raises
    ------
    InputError
        SL-451 an unknown kind, SL-452 n below 1.

    Examples
    --------
    >>> X, y = draw("S1", 400)
    >>> X.shape, y.shape
    ((400, 5), (400,))
    """
    x, at = _rows(kind, n, rng := np.random.default_rng(random_state))
    if kind in CLASSES:
        return x, (rng.random(n) < _sigmoid(at)).astype(int)
    return x, at + NOISE * rng.normal(size=n)


def _rows(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if kind not in MEANS:
        mean(kind, np.empty((0, 0)))
    if n < 1:
        raise InputError("SL-452", f"n={n}.", "n is at least 1.")
    x = rng.uniform(-WIDTH, WIDTH, (n, MEANS[kind][0]))
    return x, mean(kind, x)


def bayes_accuracy(kind: str, n: int = 1_000_000, random_state: int = 0) -> float:
    """Return the accuracy of the true log-odds, which no classifier exceeds in the long run, from n drawn rows."""
    _, at = _rows(kind, n, np.random.default_rng(random_state))
    return float(_sigmoid(np.abs(at)).mean())


def survival(
    kind: str, n: int, random_state: int | np.random.Generator | None = 0, censored: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw n patients whose log-hazard is 0.35 times the mean of one of the kinds of numbers.

    Times are exponential, and so are those of censoring, on the scale that censors the share asked for.

    Parameters
    ----------
    kind, n, random_state : see `draw`
    censored : float
        Share of censored patients, in (0, 1).

    Returns
    -------
    X : array (n, p)
    y : structured array (n,)
        ``event`` (bool) and ``time``.
    log_hazard : array (n,)

    Raises
    ------
    InputError
        SL-451 an unknown kind, SL-452 n or censored out of range.

    Examples
    --------
    >>> X, y, log_hazard = survival("S3", 600)
    >>> X.shape, int((~y["event"]).sum())
    ((600, 50), 180)
    """
    if not 0 < censored < 1:
        raise InputError("SL-452", f"censored={censored}.", "It is between 0 and 1.")
    x, at = _rows(kind, n, rng := np.random.default_rng(random_state))
    time, censoring = rng.exponential(size=n) * np.exp(-HAZARD * at), rng.exponential(size=n)
    censoring *= np.quantile(time / censoring, 1 - censored)
    y = np.empty(n, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = time <= censoring, np.minimum(time, censoring)
    return x, y, HAZARD * at
