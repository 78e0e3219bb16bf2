"""Estimators in scikit-learn's and scikit-survival's manner: how sparsity acts, times what is predicted."""

from .coxph import CoxPH
from .coxph_path import lasso_path
from .dense import DeepSurv, DenseClassifier, DenseRegressor
from .lspin import CoxLLSPIN, CoxLSPIN, LLSPINClassifier, LLSPINRegressor, LSPINClassifier, LSPINRegressor
from .nimo import CoxNIMO, NIMOClassifier, NIMORegressor
from .path import Path

__all__ = [
    "CoxLLSPIN",
    "CoxLSPIN",
    "CoxNIMO",
    "CoxPH",
    "DeepSurv",
    "DenseClassifier",
    "DenseRegressor",
    "LLSPINClassifier",
    "LLSPINRegressor",
    "LSPINClassifier",
    "LSPINRegressor",
    "NIMOClassifier",
    "NIMORegressor",
    "Path",
    "lasso_path",
]
