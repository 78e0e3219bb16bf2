"""The product-limit curve of an event and of censoring: counts by distinct time and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from survlspin.errors import InputError
from survlspin.metrics.inputs import Rows, rows_of

__all__ = ["StepCurve", "Tally", "censoring_curve", "product_limit", "tallies", "tally_of"]

ROUNDING = 1e-12  # of the summed weight: a risk set so small is empty


@dataclass(frozen=True, eq=False)
class StepCurve:
    """A survival curve that falls at some times and is constant between them.

    Attributes
    ----------
    time : float64 array (K,)
        The distinct times of events and censorings, ascending.
    n_risk, n_event, n_censor : float64 arrays (K,)
        The summed weight of the rows at risk just before each time, and of those that have an event, or are censored,
        at it.
    survival : float64 array (K,)
        The curve from each time on.
    """

    time: np.ndarray
    n_risk: np.ndarray
    n_event: np.ndarray
    n_censor: np.ndarray
    survival: np.ndarray

    def at(self, t, left: bool = False) -> np.ndarray:
        """Return the curve at the times `t`, of any shape; just before them with ``left=True``.

        It is 1 before the first time, and stays at its last value after the last.
        """
        return step(self.time, self.survival, t, 1.0, left)


def step(time: np.ndarray, values: np.ndarray, t, start: float, left: bool = False) -> np.ndarray:
    """Return `values` (K,), which hold from each `time` on and are `start` before the first, at `t`."""
    place = np.searchsorted(time, np.asarray(t, dtype=float), side="left" if left else "right")
    return np.concatenate([[start], values])[place]


@dataclass(frozen=True, eq=False)
class Tally:
    """Rows counted by distinct time.

    Attributes
    ----------
    time : float64 array (K,)
        The distinct times of the rows of positive weight.
    place : int array (n,)
        The number of each row's time.
    first : int array (n,) or None
        The number of the first time at which a row is at risk; None where all are from the start.
    code : int array (n,)
        0 = censored, 1, 2, ... the causes.
    weight : float64 array (n,)
    n_causes : int
    """

    time: np.ndarray
    place: np.ndarray
    first: np.ndarray | None
    code: np.ndarray
    weight: np.ndarray
    n_causes: int

    @cached_property
    def by_code(self) -> np.ndarray:
        """The summed weight of each time's rows by code (C + 1, K)."""
        k = len(self.time)
        cells = np.bincount(self.code * k + self.place, self.weight, minlength=(self.n_causes + 1) * k)
        return cells.reshape(-1, k)

    @cached_property
    def n_event(self) -> np.ndarray:
        return self.by_code[1:].sum(axis=0)

    @cached_property
    def n_risk(self) -> np.ndarray:
        leaving = self.by_code.sum(axis=0)
        staying = leaving[::-1].cumsum()[::-1]
        if self.first is None:
            return staying
        entering = np.bincount(self.first, self.weight, minlength=len(self.time) + 1)
        return np.maximum(staying - entering[::-1].cumsum()[::-1][1:], leaving)  # less those who come later

    @cached_property
    def survivors(self) -> np.ndarray:
        """Those at risk less those with an event, of any cause: exactly 0 where nobody is left."""
        return self.left(self.n_event)

    def left(self, leaving: np.ndarray) -> np.ndarray:
        """Return those at risk less those `leaving` (K,): exactly 0 where nobody is left."""
        rest = self.n_risk - leaving
        return np.where(rest > ROUNDING * self.weight.sum(), rest, 0.0)

    @cached_property
    def survival(self) -> np.ndarray:
        return np.cumprod(self.survivors / self.n_risk)

    @cached_property
    def before(self) -> np.ndarray:
        """The survival just before each time."""
        return np.concatenate([[1.0], self.survival[:-1]])

    def through(self, jumps: np.ndarray) -> np.ndarray:
        """Return the sum of `jumps` (K,) over the times at which each row is at risk, its own included (n,)."""
        total = np.concatenate([[0.0], np.cumsum(jumps)])
        return total[self.place + 1] - (0.0 if self.first is None else total[self.first])


def tally_of(time, code, weight=None, entry=None, n_causes: int = 1) -> Tally:
    """Count rows of checked arrays by distinct time; a row of weight 0 counts as absent."""
    weight = np.ones(len(time)) if weight is None else weight
    present = weight > 0
    if not present.any():
        raise InputError("SL-323", "there is no row of positive weight.", "A curve needs at least one.")
    distinct = np.unique(time[present])
    place = np.minimum(np.searchsorted(distinct, time), len(distinct) - 1)
    first = None if entry is None else np.searchsorted(distinct, entry, side="right")
    return Tally(distinct, place, first, np.asarray(code, dtype=np.int64), weight, n_causes)


def tallies(rows: Rows, n_causes: int = 1) -> Iterator[tuple[Any, Tally, np.ndarray | None]]:
    """Yield each stratum's label (None without strata), its rows counted, and the clusters of its rows."""
    strata = [None] if rows.stratum is None else rows.strata
    for code, label in enumerate(strata):
        mine = slice(None) if rows.stratum is None else rows.stratum == code
        weight, entry, cluster = (None if a is None else a[mine] for a in (rows.weight, rows.entry, rows.cluster))
        yield label, tally_of(rows.time[mine], rows.event[mine], weight, entry, n_causes), cluster


def product_limit(time, event, weight=None, entry=None) -> StepCurve:
    """The Kaplan-Meier curve without intervals; `kaplan_meier` has them.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit. Times are tied when they are equal; a patient censored at an event time is at risk
        at it.
    event : array (n,)
        1 for an event, 0 for censoring.
    weight : array (n,), optional
        Case weights, at least 0.
    entry : array (n,), optional
        Delayed entry: at risk on ``(entry, time]``.

    Returns
    -------
    StepCurve

    Raises
    ------
    InputError
        SL-323 without a row of positive weight; with the codes of `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53, 457-481.

    Examples
    --------
    >>> curve = product_limit([2, 3, 3, 5], [1, 1, 0, 0])
    >>> curve.survival
    array([0.75, 0.5 , 0.5 ])
    >>> curve.at([3, 4], left=True)
    array([0.75, 0.5 ])
    """
    rows = rows_of(time, event, entry=entry, weight=weight)
    tally = tally_of(rows.time, rows.event, rows.weight, rows.entry)
    return StepCurve(tally.time, tally.n_risk, tally.n_event, tally.by_code[0], tally.survival)


def censoring_curve(time, event, weight=None, entry=None) -> StepCurve:
    """The curve of not being censored, G: what weights by the inverse probability of censoring are made of.

    Parameters
    ----------
    time, weight, entry : arrays (n,)
        As in `product_limit`.
    event : array (n,)
        0 for censoring, 1, 2, ... for events of any cause.

    Returns
    -------
    StepCurve
        ``n_event`` counts the censorings, ``n_censor`` the events. Patients with an event at a time are not at risk of
        being censored at it (events come first), so ``n_risk`` is without them.

    Raises
    ------
    InputError
        SL-323 without a row of positive weight; with the codes of `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Graf, Schmoor, Sauerbrei, Schumacher (1999), Assessment and comparison of prognostic classification schemes for
    survival data, Statistics in Medicine 18, 2529-2545.

    Examples
    --------
    >>> curve = censoring_curve([2, 3, 3, 5], [1, 1, 0, 0])
    >>> curve.n_risk, curve.survival
    (array([3., 2., 1.]), array([1. , 0.5, 0. ]))
    """
    rows = rows_of(time, event, entry=entry, weight=weight, causes=True)
    tally = tally_of(rows.time, rows.event != 0, rows.weight, rows.entry)
    censored, later = tally.by_code[0], tally.left(tally.by_code.sum(axis=0))
    at_risk = censored + later
    kept = np.divide(later, at_risk, out=np.ones(len(at_risk)), where=at_risk > 0)
    return StepCurve(tally.time, at_risk, censored, tally.n_event, np.cumprod(kept))
