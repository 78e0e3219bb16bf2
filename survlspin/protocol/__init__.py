"""Any models on the same folds, judged on the same test patients."""

from ..folds import Fold, RepeatedKFold, Splitter, TrainOneTestNine, default_cv
from ..runs import Fit, Runs
from .compare import run
from .unit import Unit, fit_unit

__all__ = [
    "Fit",
    "Fold",
    "RepeatedKFold",
    "Runs",
    "Splitter",
    "TrainOneTestNine",
    "Unit",
    "default_cv",
    "fit_unit",
    "run",
]
