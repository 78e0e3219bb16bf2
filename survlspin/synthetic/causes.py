"""Invented patients who die of their cancer or of something else, with known probabilities of either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.synthetic.registry import registry

__all__ = ["CompetingTruth", "competing"]

# per month, at 0 of the columns centred as below -> log hazard ratios per unit
CAUSES = (
    (0.0012, {"tumour_size": 0.022, "nodes_ratio": 1.8, "grade_III": 0.7, "er_negative": 0.6}),
    (0.0011, {"age": 0.085, "marital_widowed": 0.4}),
)
CENTRES = {"tumour_size": 20.0, "age": 60.0}


@dataclass(frozen=True, eq=False)
class CompetingTruth:
    """What drew the outcomes of `competing`.

    Attributes
    ----------
    hazard : array (n, 2)
        Each patient's hazard per month of each cause, constant over time.
    factors : tuple of tuple of str
        The columns on which each cause's hazard depends.
    """

    hazard: np.ndarray
    factors: tuple[tuple[str, ...], ...]

    def cumulative_incidence(self, times) -> np.ndarray:
        """Return the probability (n, 2, m) of each cause by the month `times` (m,), as months are counted in y.

        A time of y counts whole months, so that its month m ends where month m + 1 begins.
        """
        total = self.hazard.sum(axis=1)[:, None, None]
        ended = -np.expm1(-total * (np.floor(np.atleast_1d(times)) + 1.0))
        return self.hazard[:, :, None] / total * ended


def competing(
    n: int, *, months: int = 132, random_state: int | np.random.Generator | None = 0
) -> tuple[pd.DataFrame, np.ndarray, CompetingTruth]:
    """Draw n patients with the 55 columns of `registry` and the time and cause of their death.

    Cause 1, the cancer, depends on four columns, cause 2, all else, on two others; each ends about one follow-up in
    eight. Censoring is uniform over the `months`.

    Parameters
    ----------
    n : int
        Patients.
    months : int
        Times are whole months from 0 to months - 1.
    random_state : int or Generator

    Returns
    -------
    X : DataFrame (n, 55)
    y : structured array (n,)
        ``event`` (0 censored, 1 the cancer, 2 other causes) and ``time`` (months).
    truth : CompetingTruth

    Raises
    ------
    InputError
        SL-452 n or months out of range.

    Examples
    --------
    >>> X, y, truth = competing(1000)
    >>> X.shape, truth.cumulative_incidence([12, 60]).shape
    ((1000, 55), (1000, 2, 2))
    """
    if n < 1 or months < 1:
        raise InputError("SL-452", f"n={n}, months={months}.", "Both are at least 1.")
    rng = np.random.default_rng(random_state)
    X, _, _ = registry(n, random_state=rng)
    hazard = np.column_stack([rate * np.exp(_sum(X, effects)) for rate, effects in CAUSES])
    ended = rng.exponential(size=(n, 2)) / hazard
    censored = rng.random(n) * months
    time = np.minimum(ended.min(axis=1), censored)
    y = np.empty(n, dtype=[("event", np.int64), ("time", float)])
    y["event"] = np.where(time < censored, 1 + ended.argmin(axis=1), 0)
    y["time"] = np.floor(time)
    return X, y, CompetingTruth(hazard, tuple(tuple(effects) for _, effects in CAUSES))


def _sum(X: pd.DataFrame, effects: dict[str, float]) -> pd.Series:
    return sum(slope * (X[name] - CENTRES.get(name, 0.0)) for name, slope in effects.items())
