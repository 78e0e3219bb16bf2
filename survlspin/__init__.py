"""Interpretable deep survival models for registry data.

A name loads what it needs when it is first used: ``import survlspin`` by itself loads no other package.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "CauseSpecificCoxLLSPIN": "estimators",
    "CauseSpecificCoxLSPIN": "estimators",
    "CauseSpecificCoxPH": "estimators",
    "CauseSpecificCoxSTG": "estimators",
    "CauseSpecificDeepSurv": "estimators",
    "CoxGradientLasso": "estimators",
    "CoxLLSPIN": "estimators",
    "CoxLSPIN": "estimators",
    "CoxLassoNet": "estimators",
    "CoxNIMO": "estimators",
    "CoxPH": "estimators",
    "CoxSTG": "estimators",
    "DeepSurv": "estimators",
    "DenseClassifier": "estimators",
    "DenseRegressor": "estimators",
    "External": "folds",
    "FineGray": "estimators",
    "GradientLassoClassifier": "estimators",
    "GradientLassoRegressor": "estimators",
    "InputError": "errors",
    "InputTypeError": "errors",
    "InputWarning": "errors",
    "LLSPINClassifier": "estimators",
    "LLSPINRegressor": "estimators",
    "LSPINClassifier": "estimators",
    "LSPINRegressor": "estimators",
    "LassoNetClassifier": "estimators",
    "LassoNetRegressor": "estimators",
    "LassoNetSelector": "estimators",
    "NIMOClassifier": "estimators",
    "NIMORegressor": "estimators",
    "Outcome": "outcome",
    "Probes": "probes",
    "RepeatedKFold": "folds",
    "STGClassifier": "estimators",
    "STGRegressor": "estimators",
    "TrainOneTestNine": "folds",
    "Tuning": "tuning",
    "build_cohort": "cohort",
    "complete": "estimators",
    "cross_validate_path": "estimators",
    "lasso_path": "estimators",
    "load": "storage",
    "load_recipe": "cohort",
    "propose_context": "context_search",
    "read_cohort": "cohort",
    "read_runs": "protocol",
    "recipes": "cohort",
    "run": "protocol",
    "split_xy": "outcome",
}
_ROOMS = (
    "baselines",
    "cohort",
    "diagnostics",
    "factors",
    "faithfulness",
    "heads",
    "metrics",
    "models",
    "nets",
    "nonparametric",
    "patient_page",
    "publish",
    "report",
    "sets_view",
    "synthetic",
    "train",
    "tuning",
)

__all__ = sorted(("__version__", *_HOMES, *_ROOMS))


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
