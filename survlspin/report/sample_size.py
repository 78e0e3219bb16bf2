"""Whether there are enough patients to develop a model of survival on: events per parameter, and Riley's criteria."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, expm1, log

from scipy.optimize import brentq

__all__ = ["Needed", "needed"]

SHRINKAGE, OPTIMISM, MARGIN = 0.9, 0.05, 0.05
EXPLAINED = 0.15  # of the largest R2 that is possible: Riley et al. (2020), where nothing is known
MANY = 10_000  # rows for which the largest R2 is computed


@dataclass(frozen=True)
class Needed:
    """How many patients are needed.

    Attributes
    ----------
    r2, largest_r2 : float
        Cox and Snell's R2 that is expected, and the largest that is possible.
    shrinkage, optimism, margin : int
        Patients needed so that predictors shrink by at most a tenth, the explained variation is overestimated by at
        most 0.05, and the overall risk at the horizon is known within 0.05.
    """

    r2: float
    largest_r2: float
    shrinkage: int
    optimism: int
    margin: int

    @property
    def n(self) -> int:
        """The largest of the three."""
        return max(self.shrinkage, self.optimism, self.margin)


def needed(parameters: int, rate: float, mean_follow_up: float, horizon: float, r2: float | None = None) -> Needed:
    """Return how many patients a model of survival needs.

    Parameters
    ----------
    parameters : int
        Candidate parameters: columns of the design.
    rate : float
        Events per unit of time at risk.
    mean_follow_up, horizon : float
    r2 : float, optional
        Cox and Snell's, of the model that is hoped for; by default 15 % of the largest that is possible.

    References
    ----------
    Riley et al. (2019), Minimum sample size for developing a multivariable prediction model: part II, Statistics in
    Medicine 38, 1276-1296. Riley et al. (2020), BMJ 368, m441.

    Examples
    --------
    >>> needed(30, 0.065, 2.07, 2, r2=0.051).n  # the example of the authors' own program
    5143
    """
    events = ceil(rate * mean_follow_up * MANY)
    largest = -expm1(2 * (events * log(events / MANY) - events) / MANY)
    r2 = EXPLAINED * largest if r2 is None else r2
    by_optimism = r2 / (r2 + OPTIMISM * largest)
    return Needed(
        r2,
        largest,
        _by_shrinkage(parameters, r2, SHRINKAGE),
        _by_shrinkage(parameters, r2, by_optimism),
        _by_margin(rate, mean_follow_up, horizon),
    )


def _by_shrinkage(parameters: int, r2: float, shrinkage: float) -> int:
    return ceil(parameters / ((shrinkage - 1) * log(1 - r2 / shrinkage)))


def _by_margin(rate: float, mean_follow_up: float, horizon: float) -> int:
    """Return the patients for whom half the 95 % interval of the overall risk, of a constant hazard, is the margin."""

    def excess(n: float) -> float:
        half = 1.96 * (rate / (n * mean_follow_up)) ** 0.5
        return (exp(-max(0.0, rate - half) * horizon) - exp(-(rate + half) * horizon)) / 2 - MARGIN

    return 1 if excess(1.0) <= 0 else ceil(brentq(excess, 1.0, 1e12))
