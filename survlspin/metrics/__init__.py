"""Measures of a model: each is a function that returns an `Estimate`, a number with its error and its definition."""

from survlspin.metrics.concordance import concordance, concordance_of
from survlspin.metrics.estimate import Estimate

__all__ = ["Estimate", "concordance", "concordance_of"]
