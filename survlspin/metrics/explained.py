"""How far apart a model sets patients: Royston's D, measures in the manner of R squared, and Gonen and Heller's K.

None of them looks at predicted probabilities, so they do not see whether a model is calibrated. All but Royston's use
how far apart log-risks are; these are first multiplied by their calibration slope on the rows at hand, as R's
``royston(fit, newdata)`` does, unless ``recalibrate=False``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import expit, ndtri

from survlspin.errors import InputError
from survlspin.metrics.calibration import calibration_slope
from survlspin.metrics.estimate import Z95, Estimate, logit_interval, undefined
from survlspin.metrics.inputs import Rows, predicted, refuse_empty, rows_of
from survlspin.outcome import Outcome

__all__ = ["gonen_heller", "kent_oquigley_r2", "nagelkerke_r2", "royston_d", "royston_r2"]

NAN = float("nan")
NOISE = np.pi**2 / 6  # variance of the logarithm of an exponential time
CELLS = 1 << 21  # of polynomials, in memory at once
FARTHEST = 300.0  # that two log-risks may be apart
NUDGE = 1e-4  # of a slope, for its derivative
DIGITS = 37.0  # e**-DIGITS is the error of an interpolated pair


def royston_d(time, event, risk, *, cause: int = 1, robust: bool = True) -> Estimate:
    """Royston and Sauerbrei's D: the log hazard ratio between the halves of higher and of lower risk.

    It is sqrt(8 / pi) times the slope of a Cox model (Efron's ties) on the normal scores of the ranks of the risks;
    equal risks share their mean score.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks events of other causes count as censored.
    risk : array (n,)
        The model's prediction on any scale, higher means an earlier event.
    cause : int
        The event that is predicted.
    robust : bool
        Whether the error is the infinitesimal jackknife, which counts that the scores are estimated, too. False: from
        the information with the scores as they are, as ``survival::royston`` has it, which is some 10 % too small;
        there is no influence then.

    Returns
    -------
    Estimate
        nan where all risks are equal or nobody has an event.

    Raises
    ------
    InputError
        SL-323 without rows; SL-326 a cause that does not occur; with the codes of `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Royston, Sauerbrei (2004), A new measure of prognostic separation in survival data, Statistics in Medicine 23,
    723-748.

    Examples
    --------
    >>> round(royston_d([1, 2, 3, 4, 5], [1, 1, 1, 1, 0], [5.0, 2.0, 3.0, 4.0, 1.0]).value, 4)
    1.7962
    """
    rows, slope = _slope_of_scores(time, event, risk, cause, robust)
    scale = float(np.sqrt(8 / np.pi))
    return _through(slope, scale * slope.value, scale, "Royston's D", rows)


def royston_r2(time, event, risk, *, cause: int = 1, robust: bool = True) -> Estimate:
    """Royston's R squared, R2_D: the explained variation of the log-hazard if its normal scores are what is explained.

    With the slope b of `royston_d` it is b^2 / (pi^2 / 6 + b^2). Parameters, errors and result are those of
    `royston_d`; the interval is symmetric on the logit scale.

    References
    ----------
    Royston (2006), Explained variation for survival models, Stata Journal 6, 83-96.

    Examples
    --------
    >>> round(royston_r2([1, 2, 3, 4, 5], [1, 1, 1, 1, 0], [5.0, 2.0, 3.0, 4.0, 1.0]).value, 4)
    0.4351
    """
    rows, slope = _slope_of_scores(time, event, risk, cause, robust)
    b = slope.value
    value, derivative = b**2 / (NOISE + b**2), 2 * b * NOISE / (NOISE + b**2) ** 2
    return _through(slope, value, derivative, "R2(Royston, from D)", rows, logit_interval)


def kent_oquigley_r2(time, event, log_risk, *, cause: int = 1, recalibrate: bool = True) -> Estimate:
    """Kent and O'Quigley's R squared: the variance of the log-risks over itself plus pi^2 / 6.

    Parameters
    ----------
    time, event, cause
        As in `royston_d`.
    log_risk : array (n,)
        The model's log hazard ratio.
    recalibrate : bool
        Whether log-risks are first multiplied by their calibration slope on these rows.

    Returns
    -------
    Estimate
        ``influence`` (n,) counts that the slope is estimated; the interval is symmetric on the logit scale. nan where
        all log-risks are equal or nobody has an event.

    Raises
    ------
    InputError
        As `royston_d`.

    References
    ----------
    Kent, O'Quigley (1988), Measures of dependence for censored survival data, Biometrika 75, 525-534. Royston (2006)
    has the form that is computed, and R's ``survival::royston``.

    Examples
    --------
    >>> round(kent_oquigley_r2([1, 2, 3], [1, 1, 0], [0.5, 0.0, -0.5], recalibrate=False).value, 4)
    0.1319
    """
    rows, risk, b = _recalibrated(time, event, log_risk, cause, recalibrate)
    square = (risk - risk.mean()) ** 2
    spread = square.sum() / max(rows.n - 1, 1)
    variance = b.value**2 * spread
    value, by_variance = variance / (NOISE + variance), NOISE / (NOISE + variance) ** 2
    own = by_variance * b.value**2 * (square - square.mean()) / max(rows.n - 1, 1)
    words = "R2(Kent and O'Quigley, by variances)" + _calibrated(recalibrate)
    return _through(b, value, by_variance * 2 * b.value * spread, words, rows, logit_interval, own)


def nagelkerke_r2(time, event, log_risk, *, cause: int = 1, recalibrate: bool = True, ties: str = "efron") -> Estimate:
    """Nagelkerke's R squared: the gain in Cox's partial likelihood over no prediction, divided by the greatest gain.

    It depends on how many are censored; compare it on the same rows only.

    Parameters
    ----------
    time, event, log_risk, cause, recalibrate
        As in `kent_oquigley_r2`.
    ties : {"efron", "breslow"}
        How events at one time share a risk set.

    Returns
    -------
    Estimate
        As `kent_oquigley_r2`; may be negative without recalibration.

    Raises
    ------
    InputError
        SL-401 unknown ties; and as `royston_d`.

    References
    ----------
    Nagelkerke (1991), A note on a general definition of the coefficient of determination, Biometrika 78, 691-692.

    Examples
    --------
    >>> round(nagelkerke_r2([1, 2, 3], [1, 1, 0], [0.5, 0.0, -0.5], recalibrate=False).value, 4)
    0.4966
    """
    rows, risk, b = _recalibrated(time, event, log_risk, cause, recalibrate, ties)
    outcome = Outcome(rows.time, (rows.event == cause).astype(np.int64))
    words = f"R2(Nagelkerke, ties={ties})" + _calibrated(recalibrate)
    if np.isnan(b.value):
        return _through(b, NAN, NAN, words, rows)
    (null, null_moved, _), (full, moved, _) = (
        _log_likelihood(outcome, eta, ties) for eta in (0 * risk, b.value * risk)
    )
    gain, most = -np.expm1(-2 * (full - null) / rows.n), -np.expm1(2 * null / rows.n)
    gain_moved = (1 - gain) * 2 * (moved - null_moved - (full - null) / rows.n) / rows.n
    most_moved = -(1 - most) * 2 * (null_moved - null / rows.n) / rows.n
    value = gain / most
    return _through(
        b, value, 0.0, words, rows, own=(gain_moved - value * most_moved) / most
    )  # at its maximum flat in b


def gonen_heller(time, event, log_risk, *, cause: int = 1, recalibrate: bool = True) -> Estimate:
    """Gonen and Heller's K: how often, by the model itself, the patient of higher risk has the event first.

    The mean of 1 / (1 + exp(-d)) over all pairs, with d the distance of their log-risks. Outcomes matter through the
    calibration slope only, so censoring hardly does; a model that is wrong is believed.

    Parameters
    ----------
    time, event, log_risk, cause, recalibrate
        As in `kent_oquigley_r2`.

    Returns
    -------
    Estimate
        As `kent_oquigley_r2`.

    Raises
    ------
    InputError
        SL-311 log-risks too far apart to be log hazard ratios; and as `royston_d`.

    Notes
    -----
    The pairs are not visited one by one: 1 / (1 + exp(x - y)) is a short sum of polynomials in x times polynomials in
    y, exact to 1e-13, so the sums over all y above an x are running sums; O(n) once the log-risks are sorted.

    References
    ----------
    Gonen, Heller (2005), Concordance probability and discriminatory power in proportional hazards regression,
    Biometrika 92, 965-970.

    Examples
    --------
    >>> round(gonen_heller([1, 2, 3], [1, 1, 0], [0.5, 0.0, -0.5], recalibrate=False).value, 4)
    0.6587
    """
    rows, risk, b = _recalibrated(time, event, log_risk, cause, recalibrate)
    words = "K(Gonen and Heller)" + _calibrated(recalibrate)
    if np.isnan(b.value) or rows.n < 2:
        return _through(b, NAN, NAN, words, rows)
    own, slopes = (_mean_of_pairs(b.value * risk, kernel) for kernel in (expit, _steepness))
    value, by_slope = float(own.mean()), float(slopes.mean() / b.value) if b.value else 0.0
    return _through(b, value, by_slope, words, rows, logit_interval, 2 * (own - value) / rows.n)


def _slope_of_scores(time, event, risk, cause: int, robust: bool) -> tuple[Rows, Estimate]:
    """The rows, and the Cox slope of the normal scores of the risks."""
    rows = rows_of(time, event, causes=True)
    tied = np.unique(predicted("risk", risk, rows.n), return_inverse=True)[1]
    size = np.bincount(tied)
    score = np.empty(rows.n)
    score[np.argsort(tied, kind="stable")] = ndtri((np.arange(1, rows.n + 1) - 3 / 8) / (rows.n + 1 / 4))
    score = (np.bincount(tied, score) / size)[tied]
    slope = calibration_slope(rows.time, rows.event, score, cause=cause, robust=robust)
    if not robust or np.isnan(slope.value):
        return rows, slope
    outcome = Outcome(rows.time, (rows.event == cause).astype(np.int64))
    below = (np.cumsum(size) - size / 2)[tied] / rows.n  # share of rows with a lower risk
    pull = _pull(outcome, score, slope.value) / (rows.n * np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi))
    by_rank = np.bincount(tied, pull)
    above = by_rank[::-1].cumsum()[::-1] - by_rank / 2
    return rows, replace(slope, influence=slope.influence + above[tied] - pull @ below)


def _pull(outcome: Outcome, score: np.ndarray, slope: float) -> np.ndarray:
    """How much the Cox slope of scores rises with each row's score (n,): by the derivative of what it makes zero."""
    expected, more, less = (
        _log_likelihood(outcome, b * score, "efron")[2] for b in (slope, slope + NUDGE, slope - NUDGE)
    )
    bent = (less - more) / (2 * NUDGE)
    return -(outcome.event - expected + slope * bent) / (score @ bent)


def _recalibrated(time, event, log_risk, cause, recalibrate, ties="efron") -> tuple[Rows, np.ndarray, Estimate]:
    """The rows, their log-risks, and what to multiply these with."""
    rows = rows_of(time, event, causes=True)
    refuse_empty(rows)
    risk = predicted("log_risk", log_risk, rows.n)
    if recalibrate:
        return rows, risk, calibration_slope(rows.time, rows.event, risk, cause=cause, ties=ties)
    return rows, risk, Estimate(1.0, 0.0, 1.0, 1.0, "", np.zeros(rows.n))


def _calibrated(recalibrate: bool) -> str:
    return f"; log-risks {'times their calibration slope' if recalibrate else 'as they are'}"


def _through(
    slope: Estimate, value: float, derivative: float, words: str, rows: Rows, interval=None, own=0.0
) -> Estimate:
    """An estimate that moves with a slope by a derivative, and with each row by `own` (n,)."""
    if np.isnan(value):
        why = slope.definition.partition("undefined: ")[2] or "one row"
        return undefined(rows, words, why)
    value = float(value)
    if slope.influence is None:
        influence, se, error = None, abs(derivative) * slope.se, "model-based error"
    else:
        influence, error = own + derivative * slope.influence, "robust error"
        se = float(np.sqrt(influence @ influence))
    low, high = interval(value, se) if interval else (value - Z95 * se, value + Z95 * se)
    scale = "on the logit scale" if interval else "symmetric"
    return Estimate(value, se, low, high, f"{words}; {error}, 95% {scale}", influence, rows=rows.digest)


def _log_likelihood(outcome: Outcome, eta: np.ndarray, ties: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Cox's log partial likelihood, its derivative by the rows' weights (n,), and the events expected of them (n,)."""
    import torch

    from survlspin.heads.cox import Cox  # heads read outcomes, whose estimators read metrics
    from survlspin.heads.cox_terms import Terms

    target = Cox(ties).prepare(outcome)
    terms = Terms(torch.from_numpy(eta)[None], target)
    parts = -terms.contributions(target)[0, :, 0].numpy() * outcome.n_events
    expected = terms.expected(target)[0, :, 0].numpy()
    return float(parts.sum()), parts + outcome.event - expected, expected


def _steepness(x: np.ndarray) -> np.ndarray:
    """``x`` times the derivative of ``expit(x)``."""
    return x * expit(x) * expit(-x)


def _mean_of_pairs(eta: np.ndarray, kernel: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The mean of ``kernel(|eta_i - eta_j|)`` over the others j, for each i.

    The kernel has no pole within pi of the real axis, from which follows how many polynomials are enough.
    """
    n, order = len(eta), np.argsort(eta, kind="stable")
    low, span = eta[order[0]], eta[order[-1]] - eta[order[0]] or 1.0
    if not span <= FARTHEST:
        text = f"log-risks are more than {FARTHEST:g} apart: these are no log hazard ratios."
        raise InputError("SL-311", text, "Give the linear predictor, or leave recalibrate=True.")
    degree = max(int(np.ceil(DIGITS / np.arcsinh(2 * np.pi / span))), 2)
    node = chebyshev.chebpts1(degree)
    to_series = chebyshev.chebvander(node, degree - 1).T * 2 / degree  # (degree, nodes)
    to_series[0] /= 2
    pairs = to_series @ kernel((node - node[:, None]) * span / 2) @ to_series.T  # [x, y]: the kernel of y - x
    blocks = np.array_split(order, -(-n * degree // CELLS))
    found = np.empty(n)
    total = sum(_polynomials(eta[block], low, span, degree).sum(axis=0) for block in blocks)
    before = np.zeros(degree)
    for block in blocks:
        own = _polynomials(eta[block], low, span, degree)
        through = before + np.cumsum(own, axis=0)
        found[block] = np.sum((own @ pairs) * (total - through) + (own @ pairs.T) * (through - own), axis=1)
        before = through[-1]
    return found / (n - 1)


def _polynomials(eta: np.ndarray, low: float, span: float, degree: int) -> np.ndarray:
    """Chebyshev polynomials of values between `low` and `low + span`: (len(eta), degree)."""
    return chebyshev.chebvander(np.clip(2 * (eta - low) / span - 1, -1, 1), degree - 1)
