"""Measures of a model: each is a function that returns an `Estimate`, a number with its error and its definition."""

from survlspin.metrics.antolini import antolini
from survlspin.metrics.auc import auc
from survlspin.metrics.brier import brier, integrated_brier, scaled_brier
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
from survlspin.metrics.explained import gonen_heller, kent_oquigley_r2, nagelkerke_r2, royston_d, royston_r2
from survlspin.metrics.splines import rcs_basis, rcs_knots

__all__ = [
    "CalibrationCurve",
    "DCalibration",
    "Estimate",
    "accuracy",
    "antolini",
    "auc",
    "brier",
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
    "gonen_heller",
    "horizon_calibration",
    "integrated_brier",
    "kent_oquigley_r2",
    "nagelkerke_r2",
    "net_benefit",
    "nll",
    "observed_expected",
    "poisson_slope",
    "rcs_basis",
    "rcs_knots",
    "royston_d",
    "royston_r2",
    "scaled_brier",
    "uno",
]
