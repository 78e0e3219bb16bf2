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
from survlspin.metrics.estimate import Z95, Estimate
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.nonparametric.limit import censoring_curve
from survlspin.nonparametric.states import check_cause

__all__ = ["Known", "Weights", "estimated", "undefined"]


@dataclass(frozen=True, eq=False)
class Known:
    """The rows at one horizon.

    Attributes
    ----------
    case : float64 (n,)
        1 for an event of the cause by the horizon, 0 for everybody else.
    weight : float64 (n,)
        Case weight over the probability of being known; 0 for those who are not.
    reach : int (n,) or None
        How many times of the censoring curve, which was estimated on these rows, the weight depends on.
    words : str
        The horizon, the cause and the source of the weights.
    counts : DataFrame
        How many rows are cases, controls (known and no case) and censored before.
    """

    case: np.ndarray
    weight: np.ndarray
    reach: np.ndarray | None
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
    """

    def __init__(self, time, event, weight=None, cause: int = 1, censoring=None):
        self.rows: Rows = rows_of(time, event, weight=weight, causes=True)
        check_cause(cause, self.rows.event)
        self.cause, self.given = cause, censoring
        self.case_weight = np.ones(self.rows.n) if self.rows.weight is None else self.rows.weight
        self.total = float(self.case_weight.sum())
        if censoring is None:
            self.curve = censoring_curve(self.rows.time, self.rows.event, self.rows.weight)
            last = len(self.curve.time) - 1
            self.place = np.minimum(np.searchsorted(self.curve.time, self.rows.time), last)

    def at(self, horizon: float) -> Known:
        """Return what is known at a horizon."""
        time, event = self.rows.time, self.rows.event
        case = (event == self.cause) & (time <= horizon)
        known = (event != 0) | (time >= horizon)
        remaining, reach = self._remaining(horizon)
        if not (remaining[known] > 0).all():
            text = f"the censoring curve that was given is 0 or missing for rows known at horizon {horizon:g}."
            raise InputError("SL-308", text, "Give one that reaches this horizon, or an earlier horizon.")
        weight = np.divide(self.case_weight, remaining, out=np.zeros(self.rows.n), where=known)
        sizes = case.sum(), (known & ~case).sum(), (~known).sum()
        counts = pd.DataFrame([sizes], index=["all"], columns=["case", "control", "censored"])
        return Known(case.astype(float), weight, reach, self._words(horizon), counts)

    def _remaining(self, horizon: float) -> tuple[np.ndarray, np.ndarray | None]:
        """Return each row's probability of being known, and how many times of the curve it depends on."""
        if self.given is not None:
            return np.asarray(self.given.at(np.minimum(self.rows.time, horizon), left=True), dtype=float), None
        reach = np.minimum(self.place, np.searchsorted(self.curve.time, horizon))
        return np.concatenate([[1.0], self.curve.survival])[reach], reach

    def _words(self, horizon: float) -> str:
        if self.given is None:
            source = f"of these rows, G({horizon:g}-) = {float(self.curve.at(horizon, left=True)):.3g}"
        else:
            source = "given by the caller, taken as known"
        competing = f"; cause {self.cause} among competing" if self.rows.event.max(initial=0) > 1 else ""
        weighted = "; weighted" if self.rows.weight is not None else ""
        return f"t={horizon:g}{competing}{weighted}; censoring curve {source}"

    def of_curve(self, parts: np.ndarray, known: Known) -> np.ndarray:
        """Return how each row moves a sum through the censoring curve, if the weights were made of it (n,).

        `parts` (n,) are the rows' parts of the sum. A part that depends on the curve until s changes with the relative
        error of G(s), which is minus the sum of all rows' increments of the martingale of censoring over the number at
        risk, until s.
        """
        if known.reach is None:
            return np.zeros(self.rows.n)
        at_risk = self.curve.n_risk + self.curve.n_censor
        beyond = np.bincount(known.reach, parts, minlength=len(at_risk) + 1)[::-1].cumsum()[::-1][1:]
        jump = beyond / at_risk
        compensator = np.cumsum(jump * self.curve.n_event / at_risk)
        return self.case_weight * (np.where(self.rows.event == 0, jump[self.place], 0.0) - compensator[self.place])


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


def undefined(why: str, weights: Weights, words: str, counts=None) -> Estimate:
    """Return an estimate that says why there is none."""
    nan = float("nan")
    nothing = np.full(weights.rows.n, nan)
    return Estimate(nan, nan, nan, nan, f"{words}; undefined: {why}", nothing, counts, weights.rows.digest)
