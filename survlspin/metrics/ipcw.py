"""What is known of each row at a horizon, weighted by the inverse probability of being known.

A row is known at a horizon t if it had an event by then, with probability G(T-), or was followed until t, with
probability G(t-); G is the curve of not being censored, and at tied times events come before censorings. So whoever is
censored exactly at t is known to have had no event by t, as in ``brier(..., ties=TRUE)`` of R's survival package, and
the last time of follow-up is a horizon like any other. ``riskRegression::Score`` counts such rows as not known, and
divides by G(t); where nobody is censored exactly at t, the two are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.metrics.concordance import LEAST_G
from survlspin.metrics.estimate import Z95, Estimate
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.nonparametric.limit import censoring_curve
from survlspin.nonparametric.states import check_cause

__all__ = ["Known", "Weights", "estimated"]

ALL, COUNTS = pd.Index(["all"]), pd.Index(["case", "control", "censored"])


@dataclass(frozen=True, eq=False)
class Known:
    """The rows at one horizon.

    Attributes
    ----------
    case : bool (n,)
        Whether an event of the cause happened by the horizon.
    weight : float64 (n,)
        Case weight over the probability of being known; 0 for those who are not.
    reach : int
        How many times of the censoring curve the weights depend on.
    words : str
        The horizon, the cause and the source of the weights.
    counts : DataFrame
        How many rows are cases, controls (known and no case) and censored before.
    """

    case: np.ndarray
    weight: np.ndarray
    reach: int
    words: str
    counts: pd.DataFrame


class Weights:
    """Weights for any horizon, and the part of an influence that comes from estimating them.

    Parameters
    ----------
    time, event, weight
        As for `rows_of`, events by cause.
    cause : int
        The event that is predicted; with others the rows have competing risks.
    censoring : object with ``at(times (n,), left=True) -> (n,)``, optional
        The probability of not being censored before each row's time, one time per row in their order: a `StepCurve` of
        other rows, or a model of censoring that has a curve for each row. Taken as known, without error. The default
        is the Kaplan-Meier curve of censoring on these rows, whose error is counted.

    Attributes
    ----------
    rows : Rows
    case_weight : float64 (n,)
        1 without weights.
    total : float
        Their sum.
    """

    def __init__(self, time, event, weight=None, cause: int = 1, censoring=None):
        self.rows: Rows = rows_of(time, event, weight=weight, causes=True)
        check_cause(cause, self.rows.event)
        self.case_weight = self.rows.case_weight
        self.total = float(self.case_weight.sum())
        self._cause, self._given, self._of_cause = cause, censoring, self.rows.event == cause
        self._censored = self.rows.event == 0
        self._curve = censoring_curve(self.rows.time, self.rows.event, self.rows.weight)
        self._before = np.concatenate([[1.0], self._curve.survival])  # by the number of times that have passed
        # of the curve's times: each row's own; a row of weight 0 may have none
        self._place = np.minimum(np.searchsorted(self._curve.time, self.rows.time), len(self._curve.time) - 1)
        died = np.where(self._censored, 0.0, self.case_weight)
        self._moved = self._place + len(self._curve.time) * self._censored
        self._past = np.divide(died, self._before[self._place], out=np.zeros(self.rows.n), where=died > 0)

    def at(self, horizon: float) -> Known:
        """Return what is known at a horizon."""
        case = self._of_cause & (self.rows.time <= horizon)
        ended = self.rows.time < horizon
        reach = int(np.searchsorted(self._curve.time, horizon))
        if self._given is None:
            weight = np.where(ended, self._past, self.case_weight / self._before[reach])
        else:
            weight = self._by_given(horizon, ~(ended & self._censored))
        n_cases, n_censored = np.count_nonzero(case), np.count_nonzero(ended & self._censored)
        sizes = np.array([[n_cases, self.rows.n - n_cases - n_censored, n_censored]])
        counts = pd.DataFrame(sizes, index=ALL, columns=COUNTS)
        return Known(case, weight, reach, self._words(horizon, reach), counts)

    def _by_given(self, horizon: float, known: np.ndarray) -> np.ndarray:
        """Return the weights that a given censoring curve makes."""
        remaining = np.asarray(self._given.at(np.minimum(self.rows.time, horizon), left=True), dtype=float)
        if not (remaining[known] > 0).all():
            text = f"the censoring curve that was given is 0 or missing for rows known at horizon {horizon:g}."
            raise InputError("SL-308", text, "Give one that reaches this horizon, or an earlier horizon.")
        return np.divide(self.case_weight, remaining, out=np.zeros(self.rows.n), where=known)

    def _words(self, horizon: float, reach: int) -> str:
        if self._given is None:
            left = self._before[reach]
            source = f"of these rows, G({horizon:g}-) = {left:.3g}" + ", near 0: unstable" * bool(left < LEAST_G)
        else:
            source = "given by the caller, taken as known"
        competing = f"; cause {self._cause} among competing" if self.rows.n_causes > 1 else ""
        weighted = "; weighted" if self.rows.weight is not None else ""
        return f"t={horizon:g}{competing}{weighted}; censoring curve {source}"

    def of_curve(self, parts: np.ndarray, known: Known) -> np.ndarray:
        """Return how each row moves a sum through the censoring curve, if the weights were made of it (n,).

        `parts` (n,) are the rows' parts of the sum. A part that depends on the curve until s changes with the relative
        error of G(s), which is minus the sum of all rows' increments of the martingale of censoring over the number at
        risk, until s.
        """
        if self._given is not None:
            return np.zeros(self.rows.n)
        curve = self._curve
        at_risk = curve.n_risk + curve.n_censor
        later = np.bincount(self._place, parts, minlength=len(at_risk))[::-1].cumsum()[::-1]
        jump = np.where(np.arange(len(at_risk)) < known.reach, np.append(later[1:], 0.0) / at_risk, 0.0)
        compensator = np.cumsum(jump * curve.n_event / at_risk)
        moved = np.concatenate([-compensator, jump - compensator])[self._moved]
        return moved if self.rows.weight is None else self.case_weight * moved


def estimated(
    value: float, influence: np.ndarray, weights: Weights, words: str, interval=None, counts=None, note: str = ""
) -> Estimate:
    """Return an estimate from the influence of the rows, with n / (n - 1) in the variance.

    `interval` makes the limits of a value and its standard error; without, they are symmetric.
    """
    n = np.count_nonzero(weights.case_weight)
    influence = influence * np.sqrt(n / (n - 1)) if n > 1 else np.full(len(influence), np.nan)
    se = float(np.sqrt(influence @ influence))
    low, high = interval(value, se) if interval else (value - Z95 * se, value + Z95 * se)
    words = f"{words}; 95% {'on the logit scale' if interval else 'symmetric'}{note}"
    return Estimate(value, se, low, high, words, influence, counts, weights.rows.digest)
