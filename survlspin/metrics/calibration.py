"""Whether predictions are right on average, and whether they spread as far as outcomes do: O/E and slopes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from survlspin._messages import rows as counted
from survlspin.errors import InputError
from survlspin.metrics.calibration_estimate import estimated, per_horizon
from survlspin.metrics.estimate import Estimate, undefined
from survlspin.metrics.inputs import Rows, predicted, refuse_empty, rows_of
from survlspin.nonparametric import incidence
from survlspin.nonparametric.states import check_cause
from survlspin.outcome import Outcome

__all__ = ["calibration_in_the_large", "calibration_slope", "observed_expected", "poisson_slope"]

STEPS, SMALL, LONGEST, FARTHEST = 100, 1e-12, 2.0, 30.0  # of Newton's method for the Poisson slope
ENDLESS = "the slope grows without end"


def observed_expected(
    time, event, probability, horizon, *, cause: int = 1, weight=None, cluster=None
) -> Estimate | tuple[Estimate, ...]:
    """O/E: the share of patients with the event by a horizon, over the mean of the predicted probabilities.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    probability : array (n,), or (n, m) for m horizons
        Predicted probability of the event by the horizon: 1 - S, or the cumulative incidence of `cause`.
    horizon : float, or sequence of m
        Events at it count.
    cause : int
        The event that is predicted.
    weight : array (n,), optional
        Case weights, at least 0.
    cluster : array (n,), optional
        Labels of rows that are not independent.

    Returns
    -------
    Estimate, or a tuple of them, one for each horizon
        O is Kaplan and Meier's 1 - S, or Aalen and Johansen's cumulative incidence. Above 1: predicted too low. ``se``
        and ``influence`` are the infinitesimal jackknife and count that O *and* E vary with the patients. ``counts``
        has O and E.

    Raises
    ------
    InputError
        With the codes of `survlspin.metrics.inputs.rows_of` and `survlspin.metrics.probabilities.probabilities`, and of
        `survlspin.nonparametric.incidence`.

    References
    ----------
    McLernon et al. (2023), Assessing performance and clinical usefulness in prediction models with survival outcomes,
    Annals of Internal Medicine 176, 105-114.

    Examples
    --------
    >>> observed_expected([1, 2, 3, 4], [1, 1, 0, 0], [0.5, 0.4, 0.4, 0.3], horizon=3).value
    1.25
    """
    rows = rows_of(time, event, weight=weight, cluster=cluster, causes=True)

    def ratio(p: np.ndarray, h: float) -> Estimate:
        share = rows.case_weight / rows.case_weight.sum()
        observed = incidence(rows.time, rows.event, h, cause=cause, weight=weight)
        return _ratio(rows, observed, float(share @ p), share * p, share)

    return per_horizon(rows, probability, horizon, ratio)


def _ratio(rows: Rows, observed: Estimate, expected: float, parts: np.ndarray, share: np.ndarray) -> Estimate:
    """O/E with the influence of O and of E, whose mean is made of `parts`."""
    words = f"O/E({observed.definition.split(';')[0]} / mean prediction, both varying with the patients)"
    if not expected > 0:
        return undefined(rows, words, "the mean prediction is 0")
    value = observed.value / expected
    influence = observed.influence / expected - value * (parts - expected * share) / expected
    counts = pd.DataFrame({"observed": [observed.value], "expected": [expected]})
    return estimated(rows, value, influence, words, scale="log", counts=counts)


def calibration_in_the_large(
    time, event, hazard, horizon=None, *, weight=None, cluster=None, robust: bool = True
) -> Estimate:
    """Calibration in the large: events over the events that the predicted cumulative hazards add up to.

    It is the exponent of the intercept of a Poisson model of events with the logarithm of the hazard as offset.

    Parameters
    ----------
    time, event : arrays (n,)
        Follow-up time; 1 for an event, 0 for censoring.
    hazard : array (n,)
        Each patient's predicted cumulative hazard, -log S, at the end of the own follow-up: at `time`, or with a
        horizon at the earlier one of the two.
    horizon : float, optional
        Follow-up ends there: later events do not count.
    weight : array (n,), optional
        Case weights, at least 0.
    cluster : array (n,), optional
        Labels of rows that are not independent.
    robust : bool
        Whether the error is the infinitesimal jackknife, as elsewhere. False: that of the Poisson model, as in the
        STRATOS guidance; there is no influence then.

    Returns
    -------
    Estimate
        Above 1: predicted too low.

    Raises
    ------
    InputError
        SL-313 for a negative hazard; with the codes of `survlspin.metrics.inputs`.

    References
    ----------
    Crowson, Atkinson, Therneau (2016), Assessing calibration of prognostic risk scores, Statistical Methods in Medical
    Research 25, 1692-1706.

    Examples
    --------
    >>> calibration_in_the_large([1, 2, 3], [1, 1, 0], [0.5, 1.0, 0.5]).value
    1.0
    """
    rows = rows_of(time, event, weight=weight, cluster=cluster)
    hazard, died, weight = _followed(rows, hazard, horizon)
    events, expected = weight @ died, weight @ hazard
    words = f"exp of the Poisson intercept{_until(horizon)}"
    if not (events > 0 and expected > 0):
        return undefined(rows, words, "no hazard" if events > 0 else "no event")
    value = float(events / expected)
    influence = weight * (died - value * hazard) / expected
    return estimated(rows, value, influence, words, scale="log", se=None if robust else value / np.sqrt(events))


def poisson_slope(
    time, event, hazard, log_risk, horizon=None, *, weight=None, cluster=None, robust: bool = True
) -> Estimate:
    """Calibration slope of the log-risk in a Poisson model that leaves the baseline hazard as it was predicted.

    Parameters
    ----------
    time, event, hazard, horizon, weight, cluster, robust
        As in `calibration_in_the_large`. Rows of hazard 0 say nothing and are left out.
    log_risk : array (n,)
        What the hazard was made of.

    Returns
    -------
    Estimate
        1 is perfect; below 1 the log-risks are too far apart.

    Raises
    ------
    InputError
        SL-313 for a negative hazard; with the codes of `survlspin.metrics.inputs`.

    References
    ----------
    Crowson, Atkinson, Therneau (2016), as above.

    Examples
    --------
    >>> round(poisson_slope([1, 2, 3, 4], [1, 0, 1, 1], [0.9, 0.4, 0.9, 0.4], [0.8, 0.0, 0.8, 0.0]).value, 4)
    0.8528
    """
    rows = rows_of(time, event, weight=weight, cluster=cluster)
    hazard, died, weight = _followed(rows, hazard, horizon)
    risk = predicted("log_risk", log_risk, len(hazard))
    weight = np.where(hazard > 0, weight, 0.0)
    words = f"slope in the Poisson model with the baseline hazard as offset{_until(horizon)}"
    total = weight.sum()
    if not (weight @ died > 0 and np.ptp(risk[weight > 0]) > 0):
        return undefined(rows, words, "no events, or all risks are equal")
    centred = risk - weight @ risk / total
    z = np.stack([np.ones(len(risk)), centred], axis=1)  # (n, 2)
    beta, mean = _poisson(z, died, np.log(np.where(hazard > 0, hazard, 1.0)) - centred, weight)
    if mean is None:
        return undefined(rows, words, ENDLESS)
    variance = np.linalg.inv(z.T @ (z * (weight * mean)[:, None]))
    influence = (weight * (died - mean))[:, None] * z @ variance[:, 1]
    return estimated(rows, float(beta[1]), influence, words, se=None if robust else np.sqrt(variance[1, 1]))


def _poisson(z: np.ndarray, died: np.ndarray, offset: np.ndarray, weight: np.ndarray) -> tuple:
    """Fit ``log E(died) = z beta + offset`` by Newton's method from slope 1; return beta (2,) and the means (n,), or
    None instead of these where the slope grows without end."""
    beta = np.array([0.0, 1.0])
    for _ in range(STEPS):
        mean = np.exp(z @ beta + offset)
        step = np.linalg.lstsq(z.T @ (z * (weight * mean)[:, None]), z.T @ (weight * (died - mean)), rcond=None)[0]
        beta = beta + step * min(1.0, LONGEST / max(np.abs(z @ step).max(), SMALL))
        if np.abs(z @ beta).max() > FARTHEST:
            break
        if np.abs(step).max() < SMALL * (1 + np.abs(beta).max()):
            return beta, np.exp(z @ beta + offset)
    return beta, None


def calibration_slope(
    time,
    event,
    log_risk,
    *,
    cause: int = 1,
    entry=None,
    weight=None,
    stratum=None,
    cluster=None,
    ties: str = "efron",
    robust: bool = True,
) -> Estimate:
    """Calibration slope: the coefficient of the log-risk in a Cox model of the patients at hand.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes, of which others than `cause`
        count as censored.
    log_risk : array (n,)
        The model's.
    cause : int
        The event that is predicted.
    entry, weight, stratum : arrays (n,), optional
        Delayed entry, case weights, and labels of patients with a baseline hazard of their own.
    cluster : array (n,), optional
        Labels of rows that are not independent.
    ties : {"efron", "breslow"}
        How events at one time share a risk set.
    robust : bool
        Whether the error is the infinitesimal jackknife, as elsewhere (Lin and Wei 1989). False: from the information,
        as ``coxph`` of R and the STRATOS guidance report it; there is no influence then.

    Returns
    -------
    Estimate
        1 is perfect; below 1 the log-risks are too far apart (overfitting). nan where it is not defined.

    Raises
    ------
    InputError
        SL-323 without rows, SL-326 for a cause that does not occur, SL-401 for unknown ties; with the codes of
        `survlspin.metrics.inputs`.

    References
    ----------
    van Houwelingen (2000), Validation, calibration, revision and combination of prognostic survival models, Statistics
    in Medicine 19, 3401-3415.

    Examples
    --------
    >>> round(calibration_slope([1, 2, 3, 4, 5], [1, 1, 1, 1, 0], [1.0, 2.0, 0.5, 0.6, 0.0]).value, 4)
    1.4889
    """
    from survlspin.metrics.calibration_cox import SmallCox  # estimators, which it is made of, read metrics

    rows = rows_of(time, event, entry=entry, weight=weight, stratum=stratum, cluster=cluster, causes=True)
    refuse_empty(rows)
    check_cause(cause, rows.event)
    died = (rows.event == cause).astype(np.int64)
    fit = SmallCox.fit(
        Outcome(rows.time, died, rows.entry, rows.weight, rows.stratum),
        predicted("log_risk", log_risk, rows.n)[:, None],
        ties,
    )
    words = f"slope of the log-risk in a Cox model, ties={ties}{' within strata' * (stratum is not None)}"
    if rows.n_causes > 1:
        words += f", causes other than {cause} censored"
    if not fit.kept[0] or fit.endless[0]:
        return undefined(rows, words, ENDLESS if fit.kept[0] else "no events, or all risks are equal")
    se = None if robust else np.sqrt(fit.variance[0, 0])
    return estimated(rows, float(fit.beta[0]), fit.influence[:, 0], words, se=se)


def _followed(rows: Rows, hazard, horizon) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows' hazards, whether they have an event by the horizon, and their weights."""
    hazard = predicted("hazard", hazard, rows.n)
    if (hazard < 0).any():
        found = f"hazard is negative in {counted(hazard < 0)}."
        raise InputError("SL-313", found, "Give cumulative hazards, -log S, at each patient's own time.")
    died = rows.event if horizon is None else rows.event & (rows.time <= horizon)
    return hazard, died.astype(float), rows.case_weight


def _until(horizon) -> str:
    return "" if horizon is None else f", follow-up until {horizon:g}"
