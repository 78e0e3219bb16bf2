"""Measures of a model: each is a function that returns an `Estimate`, a number with its error and its definition."""

from survlspin.metrics.calibration import (
    calibration_in_the_large,
    calibration_slope,
    observed_expected,
    poisson_slope,
)
from survlspin.metrics.compare import compare
from survlspin.metrics.concordance import concordance, concordance_of, uno
from survlspin.metrics.estimate import Estimate

__all__ = [
    "Estimate",
    "calibration_in_the_large",
    "calibration_slope",
    "compare",
    "concordance",
    "concordance_of",
    "observed_expected",
    "poisson_slope",
    "uno",
]
