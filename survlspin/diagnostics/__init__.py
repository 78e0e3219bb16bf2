"""Whether a Cox model's assumptions hold: residuals, tests of proportional hazards, and who carries the result."""

from survlspin.diagnostics.ph import PHTest, ph_test, prognostic_index_test
from survlspin.diagnostics.residuals import (
    baseline_hazard,
    deviance,
    dfbeta,
    influential,
    martingale,
    schoenfeld,
    score_residuals,
)

__all__ = [
    "PHTest",
    "baseline_hazard",
    "deviance",
    "dfbeta",
    "influential",
    "martingale",
    "ph_test",
    "prognostic_index_test",
    "schoenfeld",
    "score_residuals",
]
