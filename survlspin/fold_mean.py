"""A measure averaged over folds, with a standard error that knows that the test sets overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .metrics.estimate import Z95, logit_interval

__all__ = ["FoldMean", "interval"]

PATIENTS = "95 % interval: each patient's influence on C (infinitesimal jackknife)"


@dataclass(frozen=True, eq=False)
class FoldMean:
    """A measure averaged over K fits: its value of each (K,), and each patient's averaged influence (m,).

    The K fits are folds, each averaged over its seeds; of a single fold they are its seeds.
    """

    values: np.ndarray
    influence: np.ndarray

    def __sub__(self, other: FoldMean) -> FoldMean:
        return FoldMean(self.values - other.values, self.influence - other.influence)

    @property
    def value(self) -> float:
        return float(self.values.mean())

    @property
    def se(self) -> float:
        """Standard error of the mean of K folds whose test sets overlap.

        The K values are not independent: with train-one/test-nine any two test sets share most of their patients, and
        the naive ``sd / sqrt(K)`` covers 51 to 54 % where it claims 95. Two errors are added instead. Test patients are
        a sample: patient i moves fold k's C by u_ik (the infinitesimal jackknife; 0 where i is not tested), the mean by
        ``sum_k u_ik / K``, and these squares add up over patients. The K models are a sample, too: with disjoint
        training sets their spread adds ``s^2 / K``. A single fit has no such spread, and that part is missing.
        """
        between = self.values.var(ddof=1) / len(self.values) if len(self.values) > 1 else 0.0
        return float(np.sqrt(np.sum(self.influence**2) + between))

    def columns(self, difference: FoldMean) -> dict[str, float]:
        """Return the value and its interval, and those of its difference from a reference."""
        low, high = logit_interval(self.value, self.se)
        return {
            "C": self.value,
            "se": self.se,
            "low": low,
            "high": high,
            "difference": difference.value,
            "difference_se": difference.se,
            "difference_low": difference.value - Z95 * difference.se,
            "difference_high": difference.value + Z95 * difference.se,
        }


def interval(n_folds: int, n_fits: int) -> str:
    """Return how the interval of a mean over so many folds, and fits in all, is made."""
    if n_folds > 1:
        return f"{PATIENTS} averaged over folds, plus the variance of C between folds / number of folds"
    if n_fits > 1:
        between = "the variance of C between seeds / number of seeds; that between training sets is missing: one fold"
        return f"{PATIENTS} averaged over seeds, plus {between}"
    return f"{PATIENTS}; the variance between models is missing: one fold, one seed"
