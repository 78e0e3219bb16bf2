"""The usual range of a number, and how many cells lie so far outside that another unit or a mistake is likely."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Odd", "Usual", "said"]

PERCENTILES = (0.01, 0.99)
MANY, SHARE = 10, 0.25  # rows outside of the usual range, and their share, from which the whole column is in doubt


class Odd(NamedTuple):
    """How many cells of a column are unlike those of training."""

    outside: int = 0
    gross: int = 0
    unseen: int = 0

    def doubtful(self, n: int) -> bool:
        """Return whether the column (of n rows) is likely to be in another unit, or wrong in places.

        It is where a cell is grossly outside; or where at least 10 rows and more than a quarter of them are outside of
        the 1st to 99th percentile, as 2 % of the training rows are.
        """
        return self.gross > 0 or (self.outside >= MANY and self.outside > SHARE * n)


@dataclass(frozen=True)
class Usual:
    """Between which numbers 98 % of the training rows lie.

    Rounded outwards to three digits of the range, so that they describe the sample and are no patient's cell.

    Parameters
    ----------
    low, high : float
        1st and 99th percentile; of a variable with two values both.
    margin : float
        A cell farther outside than that is grossly outside: twice the width of the range, or ten times as far as any
        training row (rounded up to one digit), whichever is more; 0 for a variable with two values.
    """

    low: float
    high: float
    margin: float

    @classmethod
    def of(cls, cells: np.ndarray, weight: np.ndarray | None = None, two_valued: bool = False) -> Usual:
        """Return the range of numbers that are not all the same."""
        least, most = float(cells.min()), float(cells.max())
        if two_valued:
            return cls(least, most, 0.0)
        low, high = map(float, _percentiles(cells, weight))
        unit = _power(high - low or most - least) / 100
        low, high = _whole(math.floor(low / unit), unit), _whole(math.ceil(high / unit), unit)
        farthest = 10 * max(low - least, most - high, 0)
        unit = _power(farthest or 1)
        return cls(low, high, max(2 * (high - low), _whole(math.ceil(farthest / unit), unit)))

    def odd(self, cells: np.ndarray) -> Odd:
        """Return how many cells are outside, and how many of them grossly."""
        if not len(cells) or (cells.min() >= self.low and cells.max() <= self.high):
            return Odd()
        beyond = np.maximum(self.low - cells, cells - self.high)
        return Odd(int(np.count_nonzero(beyond > 0)), int(np.count_nonzero(beyond > self.margin)))


def said(odd: Mapping[str, Odd], usual: Mapping[str, Usual | None], n: int) -> list[str]:
    """Return for each doubtful column how many of n rows are how far outside."""
    found = []
    for name, each in odd.items():
        if (known := usual[name]) is not None and each.doubtful(n):
            where = f"the 1st to 99th percentile of training ({known.low:g} to {known.high:g})"
            found.append(f"{name!r} is outside {where} in {each.outside} of {n} rows, grossly in {each.gross}")
    return found


def _percentiles(cells: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return the cells up to which the share of rows, or of their weight, is first reached."""
    if weight is None:
        return np.sort(cells)[np.ceil(np.multiply(PERCENTILES, len(cells))).astype(int) - 1]
    order = np.argsort(cells, kind="stable")
    reached = np.cumsum(weight[order])
    return cells[order[np.searchsorted(reached, np.multiply(PERCENTILES, reached[-1]))]]


def _power(value: float) -> float:
    """Return the power of ten that is the first digit's place."""
    return 10.0 ** math.floor(math.log10(value))


def _whole(times: int, unit: float) -> float:
    return float(f"{times * unit:.12g}")  # 29.9, not 29.900000000000002
