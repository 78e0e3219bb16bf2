"""Any models on the same folds, judged on the same test patients."""

from ..folds import External, Fold, RepeatedKFold, Splitter, TrainOneTestNine, default_cv
from ..probes import Probes
from ..runs import Fit, Runs
from ..tuning import Tuning
from .compare import run
from .stored import read_runs, status
from .unit import Unit, fit_unit

__all__ = [
    "External",
    "Fit",
    "Fold",
    "Probes",
    "RepeatedKFold",
    "Runs",
    "Splitter",
    "TrainOneTestNine",
    "Tuning",
    "Unit",
    "default_cv",
    "fit_unit",
    "read_runs",
    "run",
    "status",
]
