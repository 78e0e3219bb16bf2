"""Curves without a model: Kaplan-Meier, Nelson-Aalen, Aalen-Johansen and the log-rank test, as in R's ``survival``."""

from importlib import import_module
from typing import Any

_HOMES = {
    "AalenJohansen": "states",
    "LogRank": "logrank",
    "StepCurve": "limit",
    "SurvivalCurves": "results",
    "aalen_johansen": "states",
    "censoring_curve": "limit",
    "follow_up": "curves",
    "incidence": "states",
    "kaplan_meier": "curves",
    "log_rank": "logrank",
    "nelson_aalen": "curves",
    "product_limit": "limit",
    "restricted_mean": "curves",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


import_module("survlspin.metrics")  # measures read curves, curves return estimates: this order works from either side
