"""Pseudo-values of the incidence at a horizon and their regression on predictions, competing risks included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from survlspin.metrics.calibration_estimate import estimated, per_horizon
from survlspin.metrics.estimate import Estimate, undefined
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.nonparametric import incidence

__all__ = ["CloglogFit", "cloglog", "horizon_calibration", "inverse_cloglog", "pseudo_values"]

EDGE = 1e-9  # nearest to 0 and 1 that a probability is taken to be, so that its cloglog is a number
MOST = 50.0  # of a log cumulative hazard: its probability is 1
STEPS, HALVINGS, SMALL, ROUNDING = 200, 30, 1e-12, 1e-12


def cloglog(p: np.ndarray) -> np.ndarray:
    """Return ``log(-log(1 - p))``, the log cumulative hazard of a probability; finite at 0 and 1."""
    return np.log(-np.log1p(-np.clip(p, EDGE, 1 - EDGE)))


def inverse_cloglog(eta: np.ndarray) -> np.ndarray:
    """Return ``1 - exp(-exp(eta))``; 1 for whatever is too great for a number."""
    return -np.expm1(-np.exp(np.minimum(eta, MOST)))


def pseudo_values(rows: Rows, horizon: float, cause: int = 1) -> np.ndarray:
    """Return what each row adds to the incidence at the horizon, times the number of rows (n,): their mean is the
    incidence. They are R's ``pseudo``: the infinitesimal jackknife, not rows left out one by one."""
    found = incidence(rows.time, rows.event, horizon, cause=cause, weight=rows.weight)
    weight = rows.case_weight
    own = np.divide(found.influence, weight, out=np.zeros(rows.n), where=weight > 0)
    return found.value + own * weight.sum()


def horizon_calibration(time, event, probability, horizon, *, cause: int = 1, weight=None):
    """Calibration intercept and slope of predicted probabilities at a horizon, competing risks included.

    Pseudo-values of the incidence are regressed on ``cloglog(p)``: the intercept with the slope held at 1, and then the
    slope. No model of the hazards is assumed, but that censoring does not depend on the prediction.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    probability : array (n,), or (n, m) for m horizons
        Predicted probability of the event by the horizon.
    horizon : float, or sequence of m
    cause : int
        The event that is predicted.
    weight : array (n,), optional
        Case weights, at least 0.

    Returns
    -------
    (Estimate, Estimate), or a tuple of such pairs
        Intercept (0 is perfect; above: predicted too low) and slope (1 is perfect), with robust errors that take the
        pseudo-values as independent.

    Raises
    ------
    InputError
        With the codes of `survlspin.metrics.observed_expected`.

    References
    ----------
    van Geloven et al. (2022), Validation of prediction models in the presence of competing risks, BMJ 377, e069249.

    Examples
    --------
    >>> intercept, slope = horizon_calibration([1, 2, 3, 4], [1, 0, 2, 0], [0.6, 0.2, 0.3, 0.2], 3)
    >>> round(intercept.value, 4)
    0.0008
    """
    rows = rows_of(time, event, weight=weight, causes=True)

    def both(p: np.ndarray, h: float) -> tuple[Estimate, Estimate]:
        x, y = cloglog(p), pseudo_values(rows, h, cause)
        words = f"at {h:g} of pseudo-values on cloglog(p){', cause ' + str(cause) if rows.n_causes > 1 else ''}"
        one = np.ones((rows.n, 1))
        level = CloglogFit.fit(one, y, rows.case_weight, np.zeros(1), x)
        line = CloglogFit.fit(np.hstack([one, x[:, None]]), y, rows.case_weight, np.array([0.0, 1.0]))
        return (
            _coefficient(rows, level, 0, f"calibration intercept {words}, slope 1"),
            _coefficient(rows, line, 1, f"calibration slope {words}"),
        )

    return per_horizon(rows, probability, horizon, both)


def _coefficient(rows: Rows, fit: CloglogFit | None, j: int, words: str) -> Estimate:
    if fit is None:
        return undefined(rows, words, "no events, or all predictions are equal")
    return estimated(rows, float(fit.beta[j]), fit.influence[:, j], words)


@dataclass(frozen=True, eq=False)
class CloglogFit:
    """Least squares of ``1 - exp(-exp(z beta + offset))`` against pseudo-values.

    Attributes
    ----------
    beta : array (p,)
    influence : array (n, p)
        Of each row on the coefficients.
    """

    beta: np.ndarray
    influence: np.ndarray

    @classmethod
    def fit(cls, z, y, weight, start, offset=0.0) -> CloglogFit | None:
        """Fit by Gauss-Newton steps, halved until they lead down; None where the coefficients are not determined."""
        if np.linalg.matrix_rank(z[weight > 0]) < z.shape[1] or not weight @ y > 0:
            return None
        beta = start
        for _ in range(STEPS):
            step = cls._step(z, y, weight, beta, offset)[0]
            best, moved = cls._loss(z, y, weight, beta, offset), beta + step
            for _ in range(HALVINGS):
                if cls._loss(z, y, weight, moved, offset) <= best * (1 + ROUNDING):
                    break
                moved = (beta + moved) / 2
            if np.abs(moved - beta).max() < SMALL * (1 + np.abs(beta).max()):
                return cls(moved, cls._step(z, y, weight, moved, offset)[1])
            beta = moved
        return None

    @staticmethod
    def _loss(z, y, weight, beta, offset) -> float:
        return float(weight @ (y - inverse_cloglog(z @ beta + offset)) ** 2)

    @staticmethod
    def _step(z, y, weight, beta, offset) -> tuple[np.ndarray, np.ndarray]:
        """The step (p,), and each row's part of it (n, p)."""
        eta = np.minimum(z @ beta + offset, MOST)
        slope = z * np.exp(eta - np.exp(eta))[:, None]  # (n, p)
        residual = weight * (y - inverse_cloglog(eta))
        parts = np.linalg.lstsq(slope.T @ (weight[:, None] * slope), (residual[:, None] * slope).T, rcond=None)[0].T
        return parts.sum(axis=0), parts
