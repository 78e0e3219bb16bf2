"""Estimators in scikit-survival's manner."""

from .cox import CoxLLSPIN, CoxLSPIN, DeepSurv
from .path import Path

__all__ = ["CoxLLSPIN", "CoxLSPIN", "DeepSurv", "Path"]
