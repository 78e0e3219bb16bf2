"""Estimators in scikit-learn's and scikit-survival's manner: how sparsity acts, times what is predicted."""

from .cause_specific import (
    CauseSpecificCoxLLSPIN,
    CauseSpecificCoxLSPIN,
    CauseSpecificCoxSTG,
    CauseSpecificDeepSurv,
)
from .causes_linear import CauseSpecificCoxPH, FineGray
from .completion import complete
from .coxph import CoxPH
from .coxph_path import lasso_path
from .dense import DeepSurv, DenseClassifier, DenseRegressor
from .gradient import CoxGradientLasso, GradientLassoClassifier, GradientLassoRegressor
from .lassonet import CoxLassoNet, LassoNetClassifier, LassoNetRegressor
from .lassonet_cv import cross_validate_path
from .lassonet_selector import LassoNetSelector
from .lspin import CoxLLSPIN, CoxLSPIN, LLSPINClassifier, LLSPINRegressor, LSPINClassifier, LSPINRegressor
from .nimo import CoxNIMO, NIMOClassifier, NIMORegressor
from .path import Path
from .stg import CoxSTG, STGClassifier, STGRegressor

__all__ = [
    "CauseSpecificCoxLLSPIN",
    "CauseSpecificCoxLSPIN",
    "CauseSpecificCoxPH",
    "CauseSpecificCoxSTG",
    "CauseSpecificDeepSurv",
    "CoxGradientLasso",
    "CoxLLSPIN",
    "CoxLSPIN",
    "CoxLassoNet",
    "CoxNIMO",
    "CoxPH",
    "CoxSTG",
    "DeepSurv",
    "DenseClassifier",
    "DenseRegressor",
    "FineGray",
    "GradientLassoClassifier",
    "GradientLassoRegressor",
    "LLSPINClassifier",
    "LLSPINRegressor",
    "LSPINClassifier",
    "LSPINRegressor",
    "LassoNetClassifier",
    "LassoNetRegressor",
    "LassoNetSelector",
    "NIMOClassifier",
    "NIMORegressor",
    "Path",
    "STGClassifier",
    "STGRegressor",
    "complete",
    "cross_validate_path",
    "lasso_path",
]
