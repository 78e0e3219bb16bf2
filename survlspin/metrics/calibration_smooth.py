"""The smooth calibration curve at a horizon, and how far predictions are from it: ICI, E50, E90, Emax."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.metrics.calibration_estimate import per_horizon
from survlspin.metrics.calibration_pseudo import CloglogFit, cloglog, inverse_cloglog, pseudo_values
from survlspin.metrics.estimate import Z95
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.metrics.splines import rcs_basis, rcs_knots, weighted_quantile
from survlspin.outcome import Outcome

__all__ = ["CalibrationCurve", "calibration_curve"]

METHODS = ("cox", "pseudo")
POINTS, ENDS = 100, (0.01, 0.99)  # of the grid: how many, between which quantiles of the predictions


@dataclass(frozen=True, eq=False, repr=False)
class CalibrationCurve:
    """Observed risk as a smooth function of predicted risk.

    Attributes
    ----------
    frame : DataFrame
        At the points of a grid: ``predicted``, ``observed``, and its pointwise 95 % limits ``low`` and ``high``.
    observed : array (n,)
        The curve at each patient's prediction.
    ici, e50, e90, emax : float
        Mean (integrated calibration index), median, 90th percentile and maximum over patients of the distance between
        prediction and curve. They have no standard error: one would need the bootstrap.
    definition : str
    """

    frame: pd.DataFrame
    observed: np.ndarray
    ici: float
    e50: float
    e90: float
    emax: float
    definition: str

    def __repr__(self) -> str:
        return f"ICI {self.ici:.4f}, E50 {self.e50:.4f}, E90 {self.e90:.4f}, Emax {self.emax:.4f} {self.definition}"


def calibration_curve(
    time,
    event,
    probability,
    horizon,
    *,
    cause: int = 1,
    weight=None,
    method: str | None = None,
    n_knots: int = 3,
    ties: str = "efron",
    grid=None,
) -> CalibrationCurve | tuple[CalibrationCurve, ...]:
    """Estimate the smooth calibration curve of predicted probabilities at a horizon.

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
    method : {"cox", "pseudo"}, optional
        ``"cox"``: Cox regression on a restricted cubic spline of ``cloglog(p)``, which assumes proportional hazards
        along it. ``"pseudo"``: regression of pseudo-values of the incidence on that spline with the cloglog link, which
        assumes censoring that does not depend on p. None: pseudo with competing risks, else cox. R's hazard regression
        ``hare`` (Austin's other choice) is not offered.
    n_knots : int
        3 to 7, at Harrell's quantiles.
    ties : {"efron", "breslow"}
        Of the Cox regression.
    grid : array (k,), optional
        Predicted probabilities at which the curve is wanted; 100 from the 1st to the 99th percentile without.

    Returns
    -------
    CalibrationCurve, or a tuple of them, one for each horizon

    Raises
    ------
    InputError
        SL-314 for an unknown method, or Cox regression with competing risks; SL-317 for a grid outside 0 to 1; SL-318
        for an impossible number of knots; with the codes of `survlspin.metrics.observed_expected`.

    References
    ----------
    Austin, Harrell, van Klaveren (2020), Graphical calibration curves and the integrated calibration index (ICI) for
    survival models, Statistics in Medicine 39, 2714-2742.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.1, 0.9, 500)
    >>> time = rng.exponential(-1 / np.log1p(-p))  # by 1 with probability p
    >>> curve = calibration_curve(time, np.ones(500), p, horizon=1.0)
    >>> curve.ici < 0.05, list(curve.frame.columns)
    (True, ['predicted', 'observed', 'low', 'high'])
    """
    rows = rows_of(time, event, weight=weight, causes=True)
    competing = bool((rows.event > 1).any() or cause != 1)
    method = method or ("pseudo" if competing else "cox")
    if method not in METHODS:
        raise InputError("SL-314", f"method={method!r}.", f"Use one of {', '.join(METHODS)}.")
    if method == "cox" and competing:
        raise InputError("SL-314", "method='cox' does not know of competing risks.", "Use method='pseudo'.")
    points = None if grid is None else _grid(grid)

    def of(p: np.ndarray, h: float) -> CalibrationCurve:
        low, high = weighted_quantile(p, ENDS, rows.weight).tolist()
        at = np.linspace(low, high, POINTS) if points is None else points
        knots = rcs_knots(cloglog(p), n_knots, rows.weight)
        z, z_at = rcs_basis(cloglog(p), knots), rcs_basis(cloglog(at), knots)
        if method == "cox":
            observed, *limits = _by_cox(rows, h, z, z_at, ties)
            how = f"Cox regression, ties={ties}"
        else:
            observed, *limits = _by_pseudo(rows, h, cause, z, z_at)
            how = f"pseudo-values{f', cause {cause}' if competing else ''}"
        frame = pd.DataFrame(dict(zip(("predicted", "observed", "low", "high"), (at, *limits), strict=True)))
        words = f"at {h:g} ({how} on a spline of cloglog(p), {len(knots)} knots; 95% pointwise on the cloglog scale)"
        return _distances(p, observed, frame, words, rows.weight)

    return per_horizon(rows, probability, horizon, of)


def _grid(grid) -> np.ndarray:
    try:
        points = np.asarray(grid, dtype=float)
    except (TypeError, ValueError):
        points = np.array([np.nan])
    if points.ndim != 1 or not ((points >= 0) & (points <= 1)).all():
        raise InputError("SL-317", "grid is not a list of probabilities.", "Give predicted probabilities, 0 to 1.")
    return points


def _by_cox(rows: Rows, horizon: float, z: np.ndarray, z_at: np.ndarray, ties: str) -> tuple[np.ndarray, ...]:
    """The curve at the rows (n,); at the grid, with its limits, (k,) each."""
    from survlspin.metrics.calibration_cox import SmallCox  # estimators, which it is made of, read metrics

    fit = SmallCox.fit(Outcome(rows.time, rows.event, weight=rows.weight), z, ties)
    if not (rows.event[rows.time <= horizon] > 0).any():
        return _nothing(len(z), len(z_at))
    eta, se = fit.log_hazard(horizon, z_at)
    return fit.incidence(horizon, z), *_limits(eta, se)


def _by_pseudo(rows: Rows, horizon: float, cause: int, z: np.ndarray, z_at: np.ndarray) -> tuple[np.ndarray, ...]:
    """The curve at the rows (n,); at the grid, with its limits, (k,) each."""
    varies = np.ptp(z, axis=0) > 0
    z, z_at = (np.hstack([np.ones((len(x), 1)), x[:, varies]]) for x in (z, z_at))
    start = np.eye(z.shape[1])[min(1, z.shape[1] - 1)]
    fit = CloglogFit.fit(z, pseudo_values(rows, horizon, cause), rows.case_weight, start)
    if fit is None:
        return _nothing(len(z), len(z_at))
    se = np.sqrt(np.einsum("kp,pq,kq->k", z_at, fit.influence.T @ fit.influence, z_at))
    return inverse_cloglog(z @ fit.beta), *_limits(z_at @ fit.beta, se)


def _limits(eta: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(inverse_cloglog(eta + z * se) for z in (0.0, -Z95, Z95))


def _nothing(n: int, k: int) -> tuple[np.ndarray, ...]:
    return np.full(n, np.nan), *np.full((3, k), np.nan)


def _distances(p: np.ndarray, observed: np.ndarray, frame: pd.DataFrame, words: str, weight) -> CalibrationCurve:
    off = np.abs(observed - p)
    if np.isnan(off).any():
        nan = float("nan")
        return CalibrationCurve(
            frame, observed, nan, nan, nan, nan, f"{words}; undefined: too few events by the horizon"
        )
    e50, e90 = weighted_quantile(off, (0.5, 0.9), weight).tolist()
    present = slice(None) if weight is None else weight > 0
    return CalibrationCurve(
        frame, observed, float(np.average(off, weights=weight)), e50, e90, float(off[present].max()), words
    )
