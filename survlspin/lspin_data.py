"""The synthetic data of the LSPIN paper, whose true columns are known row by row.

Yang, Lindenbaum, Kluger: Locally Sparse Neural Networks for Tabular Biomedical Data, ICML 2022. Where the authors'
notebooks fix a seed (Eq. 1, E4, E5), the default seed gives their rows and splits, number by number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

__all__ = ["EXAMPLES", "Example", "e1", "e2", "e3", "e4", "e5", "eq1", "eq5"]


@dataclass(frozen=True, eq=False)
class Example:
    """Rows, what they depend on, and the split.

    Parameters
    ----------
    X : float64 array (n, p)
    y : array (n,)
        float64 numbers, or int64 classes 0 and 1.
    truth : bool array (n, p)
        The columns on which the row's y depends.
    train, valid, test : int arrays
        Positions of rows.
    """

    X: np.ndarray
    y: np.ndarray
    truth: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def eq1(seed: int = 34) -> Example:
    """Two groups of 300 rows with linear models of their own in 5 columns, 10 rows to train on (paper, Eq. 1).

    Group 1 is N(1, .5) in every column (.5 the standard deviation) with ``y = -2 x1 + x2 - .5 x3``, group 2 is
    N(-1, .5) with ``y = -.5 x3 + x4 - 2 x5``. y is scaled to [0, 1] on all rows.

    Examples
    --------
    >>> example = eq1()
    >>> example.X.shape, len(example.train), len(example.valid), len(example.test)
    ((600, 5), 10, 60, 60)
    """
    X, y, truth = _linear(seed, shared=-0.5)
    train, valid, test = _tenths(len(X), seed)
    return Example(X, y, truth, train_test_split(train, train_size=10, random_state=seed)[0], valid, test)


def eq5(seed: int = 34) -> Example:
    """The two groups of `eq1` with unequal coefficients for the column they share, 480 training rows (paper, Eq. 5).

    Group 2 has ``y = .5 x3 + x4 - 2 x5``.
    """
    X, y, truth = _linear(seed, shared=0.5)
    return Example(X, y, truth, *_tenths(len(X), seed))


def e1(seed: int = 34) -> Example:
    """2,000 rows of N(0, 1) in 11 columns, two classes: ``x1 x2`` where x11 < 0, else ``x3^2 + .. + x6^2`` (E1).

    The authors' seed is not known. Labels have no noise: class 1 where the odds of class 0 are below 1.
    """
    return _switched(seed, "a", "b")


def e2(seed: int = 34) -> Example:
    """As `e1`, with ``-10 sin(.2 x7) + |x8| + x9 + exp(-x10) - 2.4`` where x11 >= 0 (E2)."""
    return _switched(seed, "a", "c")


def e3(seed: int = 34) -> Example:
    """As `e1`, with the sum of squares where x11 < 0 and the function of x7 to x10 of `e2` elsewhere (E3)."""
    return _switched(seed, "b", "c")


def e4(seed: int = 34) -> Example:
    """Two groups of 500 rows, two classes, 4 columns in use and 46 of noise (E4).

    Group 1 is N(1, .5) in 4 columns and depends on ``x1 x2``, group 2 is N(-1, .5) and depends on ``x3^2 + x4^2``.
    Columns are standardised on all rows.
    """
    rng = np.random.RandomState(seed)
    first, second = (rng.normal(centre, 0.5, (500, 4)) for centre in (1, -1))
    logit = np.r_[first[:, 0] * first[:, 1] - 0.9, (second[:, 2:] ** 2).sum(1) - 2.5]
    X = np.c_[np.r_[first, second], rng.normal(0, 0.5, (1000, 46))]
    truth = np.zeros(X.shape, dtype=bool)
    truth[:500, :2] = truth[500:, 2:4] = True
    rest, test = train_test_split(np.arange(1000), train_size=0.95, random_state=seed)
    train, valid = train_test_split(rest, test_size=0.1, random_state=seed)
    return Example((X - X.mean(0)) / X.std(0), (logit < 0).astype(np.int64), truth, train, valid, test)


def e5(seed: int = 42) -> Example:
    """Three groups with different products of signs, told apart by x21 = -1, 0, 1: ``y = x_k x_k+1 + 2 x21`` (E5).

    Twenty columns of -1 and 1; 1500, 300 and 300 rows to train, validate and test, a third of each in each group.
    """
    draws, order = np.random.RandomState(seed), np.random.RandomState(seed)
    sets = []
    for n in (1500, 300, 300):
        group = np.repeat([0, 1, 2], n // 3)
        X = np.c_[np.sign(draws.normal(0, 1, (n, 20))), group - 1]
        shuffled = np.arange(n)
        order.shuffle(shuffled)
        sets.append((X[shuffled], group[shuffled]))
    X, group = (np.concatenate(parts) for parts in zip(*sets, strict=True))
    row, truth = np.arange(len(X)), np.zeros(X.shape, dtype=bool)
    truth[row, group] = truth[row, group + 1] = truth[:, -1] = True
    y = X[row, group] * X[row, group + 1] + 2 * X[:, -1]
    return Example(X, y, truth, *np.split(row, [1500, 1800]))


EXAMPLES: dict[str, Callable[..., Example]] = {
    "Eq1": eq1,
    "Eq5": eq5,
    "E1": e1,
    "E2": e2,
    "E3": e3,
    "E4": e4,
    "E5": e5,
}


def _linear(seed: int, shared: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, y scaled to [0, 1] and truth of two groups of 300; `shared` is the second's coefficient of x3."""
    rng = np.random.RandomState(seed)
    groups = [rng.normal(centre, 0.5, (300, 5)) for centre in (1, -1)]
    coef = np.array([[-2, 1, -0.5, 0, 0], [0, 0, shared, 1, -2]])
    y = np.concatenate([X @ beta for X, beta in zip(groups, coef, strict=True)])
    y = y - y.min()
    return np.concatenate(groups), y / y.max(), np.repeat(coef != 0, 300, axis=0)


def _tenths(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of 80 % of n rows to train, 10 % to validate and 10 % to test."""
    train, rest = train_test_split(np.arange(n), train_size=0.8, random_state=seed)
    return train, *train_test_split(rest, train_size=0.5, random_state=seed)


def _switched(seed: int, below: str, above: str) -> Example:
    """Return 2,000 rows whose class depends on one function where x11 < 0 and on another elsewhere."""
    X = np.random.RandomState(seed).normal(size=(2000, 11))
    x7, x8, x9, x10 = X[:, 6:10].T
    logits = {
        "a": (X[:, 0] * X[:, 1], [0, 1]),
        "b": ((X[:, 2:6] ** 2).sum(1) - 4, [2, 3, 4, 5]),
        "c": (-10 * np.sin(0.2 * x7) + np.abs(x8) + x9 + np.exp(-x10) - 2.4, [6, 7, 8, 9]),
    }
    truth = np.zeros(X.shape, dtype=bool)
    truth[:, 10] = True
    y = np.empty(len(X), dtype=np.int64)
    for name, rows in ((below, X[:, 10] < 0), (above, X[:, 10] >= 0)):
        logit, columns = logits[name]
        y[rows] = logit[rows] < 0
        truth[np.ix_(rows, columns)] = True
    rest, test = train_test_split(np.arange(len(X)), test_size=0.1, random_state=seed)
    return Example(X, y, truth, *train_test_split(rest, test_size=0.05, random_state=seed), test)
