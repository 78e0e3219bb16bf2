"""One number with its uncertainty and the words that say what it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from survlspin.metrics.inputs import Rows

__all__ = ["Estimate", "logit_interval", "undefined"]

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    """A measure of a model on one set of patients.

    Attributes
    ----------
    value, se : float
        The measure and its standard error; nan where the data leave it undefined.
    low, high : float
        The 95 % interval.
    definition : str
        One line that says what was computed, conventions included.
    influence : ndarray (n,) or None
        What each patient (each cluster, where there are) adds to the error of `value`: the squares sum to ``se ** 2``.
        The standard error of a difference of two measures on the same patients is the root of the sum of
        ``(a.influence - b.influence) ** 2``: see `compare`.
    counts : DataFrame or None
        What `value` was made of; one row per stratum.
    rows : str
        A digest of the patients' outcomes (`Rows.digest`), by which `compare` knows that two measures share them.
    """

    value: float
    se: float
    low: float
    high: float
    definition: str
    influence: Any = None
    counts: Any = None
    rows: str = ""

    def __repr__(self) -> str:
        return f"{self.value:.4f} (SE {self.se:.4f}, 95% {self.low:.4f} to {self.high:.4f}) {self.definition}"


def undefined(rows: Rows, words: str, why: str, counts: pd.DataFrame | None = None) -> Estimate:
    """Return the estimate of a measure that the rows do not define, which says why."""
    nan = float("nan")
    none = rows.pooled(np.full(rows.n, nan))
    return Estimate(nan, nan, nan, nan, f"{words}; undefined: {why}", none, counts, rows.digest)


def logit_interval(value: float, se: float) -> tuple[float, float]:
    """95 % interval of a proportion, symmetric on the logit scale so that it stays within 0 and 1.

    Parameters
    ----------
    value, se : float
        The proportion and its standard error. At 0 and at 1 the interval is the point itself.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> low, high = logit_interval(0.9, 0.05)
    >>> round(low, 3), round(high, 3)
    (0.752, 0.964)
    """
    if not 0 < value < 1:
        return value, value
    half = Z95 * se / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))
