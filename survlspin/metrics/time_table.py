"""The distinct times of a set of patients, and the curves of survival and of censoring at them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from survlspin.metrics.inputs import Rows

__all__ = ["TimeTable", "dense", "ranked", "time_table"]


@dataclass(frozen=True, eq=False)
class TimeTable:
    """The distinct times of each stratum, in order of stratum and time.

    Attributes
    ----------
    place : int64 (n,)
        Each row's place in the table.
    began : int64 (n,) or None
        The place of the first time after each row's entry.
    time, stratum : array (H,)
        What the places stand for.
    left, died, at_risk : float64 (H,)
        The weight of those whose time it is, of those among them with an event, and of those under observation then.
    """

    place: np.ndarray
    began: np.ndarray | None
    time: np.ndarray
    stratum: np.ndarray
    left: np.ndarray
    died: np.ndarray
    at_risk: np.ndarray

    @cached_property
    def survival(self) -> np.ndarray:
        """The Kaplan-Meier estimate just before each time, S(t-) (H,)."""
        return self._before(self.died, self.at_risk)

    @cached_property
    def censoring(self) -> np.ndarray:
        """That of being uncensored, G(t-) (H,). Who dies at a time is not at risk of being censored then."""
        return self._before(self.left - self.died, self.at_risk - self.died)

    def _before(self, lost: np.ndarray, exposed: np.ndarray) -> np.ndarray:
        stay = 1 - np.divide(lost, exposed, out=np.zeros_like(lost), where=(lost > 0) & (exposed > 0))
        return _by_stratum(self.stratum, stay, lambda part: np.cumprod(np.concatenate([[1.0], part]))[:-1])


def time_table(rows: Rows) -> TimeTable:
    """Return the distinct times of each stratum.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    TimeTable
    """
    times, rank = ranked(rows.time)
    stratum = 0 if rows.stratum is None else rows.stratum
    codes, place = dense(stratum * len(times) + rank)
    of, at = np.divmod(codes, max(1, len(times)))
    weight = rows.case_weight
    left, died = np.bincount(place, weight, len(codes)), np.bincount(place, weight * rows.event, len(codes))
    began, at_risk = None, _onwards(left, of)
    if rows.entry is not None:
        passed = np.searchsorted(times, rows.entry, side="right")
        began = np.searchsorted(codes, stratum * len(times) + passed)
        joined = np.bincount(began, weight, len(codes))
        at_risk -= _onwards(joined, of) - joined
    return TimeTable(place, began, times[at], of, left, died, at_risk)


def _onwards(weight: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """The sum of the weights from each place on, within its stratum."""
    return _by_stratum(stratum, weight, lambda part: part[::-1].cumsum()[::-1])


def _by_stratum(stratum: np.ndarray, values: np.ndarray, function: Callable) -> np.ndarray:
    parts = np.split(values, np.flatnonzero(np.diff(stratum)) + 1)
    return np.concatenate([function(part) for part in parts])


def ranked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values in order, and each one's rank among them from 0 (n,)."""
    sample = values[:: max(1, len(values) // 4096)]
    if 2 * len(np.unique(sample)) > len(sample):
        return np.unique(values, return_inverse=True)
    rank, distinct = pd.factorize(values, sort=True)  # by hashing: three times as fast where values repeat
    return distinct, rank


def dense(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct whole numbers (from 0) in order, and each one's rank among them (n,)."""
    size = int(codes.max(initial=-1)) + 1
    if size > 8 * len(codes):
        return np.unique(codes, return_inverse=True)
    seen = np.zeros(size, bool)
    seen[codes] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[codes]
