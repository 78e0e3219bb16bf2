"""Measures of a model: each is a function that returns an `Estimate`, a number with its error and its definition."""

from survlspin.metrics.antolini import antolini
from survlspin.metrics.calibration import (
    calibration_in_the_large,
    calibration_slope,
    observed_expected,
    poisson_slope,
)
from survlspin.metrics.calibration_groups import DCalibration, calibration_groups, d_calibration
from survlspin.metrics.calibration_pseudo import horizon_calibration
from survlspin.metrics.calibration_smooth import CalibrationCurve, calibration_curve
from survlspin.metrics.classification import accuracy, expected_calibration_error, nll
from survlspin.metrics.compare import compare
from survlspin.metrics.concordance import concordance, concordance_of, uno
from survlspin.metrics.decision import decision_curve, net_benefit
from survlspin.metrics.definitions import definitions
from survlspin.metrics.estimate import Estimate
from survlspin.metrics.splines import rcs_basis, rcs_knots

__all__ = [
    "CalibrationCurve",
    "DCalibration",
    "Estimate",
    "accuracy",
    "calibration_curve",
    "calibration_groups",
    "calibration_in_the_large",
    "calibration_slope",
    "compare",
    "concordance",
    "concordance_of",
    "d_calibration",
    "decision_curve",
    "definitions",
    "expected_calibration_error",
    "horizon_calibration",
    "net_benefit",
    "nll",
    "observed_expected",
    "poisson_slope",
    "rcs_basis",
    "rcs_knots",
    "uno",
]
