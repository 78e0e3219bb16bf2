"""Decision curves: what acting on predictions is worth, in true positives per patient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.metrics.calibration_estimate import estimated, per_horizon
from survlspin.metrics.estimate import Estimate
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.nonparametric import incidence
from survlspin.nonparametric.limit import tally_of
from survlspin.nonparametric.states import check_cause, incidence_at

__all__ = ["decision_curve", "net_benefit"]


def net_benefit(
    time, event, probability, horizon: float, thresholds, *, cause: int = 1, weight=None
) -> Estimate | tuple[Estimate, ...]:
    """Net benefit of treating those whose predicted probability of the event reaches a threshold.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    probability : array (n,)
        Predicted probability of the event by the horizon.
    horizon : float
    thresholds : float or sequence of float
        Probabilities between 0 and 1 from which one would act: a clinical question that has no default.
    cause : int
        The event that is predicted.
    weight : array (n,), optional
        Case weights, at least 0.

    Returns
    -------
    Estimate, or a tuple of them, one for each threshold
        ``share (F - (1 - F) t / (1 - t))`` with the share of patients at or above the threshold t, and F their
        observed risk by the horizon (Kaplan-Meier's 1 - S, or Aalen and Johansen's incidence of the cause); 0 where
        nobody reaches it. ``se`` and ``influence`` are the infinitesimal jackknife, the share's variation included.

    Raises
    ------
    InputError
        SL-315 for a threshold that is not between 0 and 1, or none; with the codes of
        `survlspin.metrics.observed_expected`.

    References
    ----------
    Vickers, Cronin, Elkin, Gonen (2008), Extensions to decision curve analysis, BMC Medical Informatics and Decision
    Making 8:53.

    Examples
    --------
    >>> round(net_benefit([1, 2, 3, 4], [1, 1, 0, 0], [0.9, 0.6, 0.7, 0.1], horizon=2, thresholds=0.5).value, 4)
    0.25
    """
    rows = rows_of(time, event, weight=weight, causes=True)
    at = _thresholds(thresholds)
    found = tuple(_benefit(rows, *where, cause) for where in _positive(rows, probability, horizon, at, cause))
    return found if np.ndim(thresholds) else found[0]


def decision_curve(
    time, event, probability, horizon: float, thresholds, *, cause: int = 1, weight=None
) -> pd.DataFrame:
    """Net benefit of the model, of treating all and of treating none, over thresholds.

    Parameters
    ----------
    time, event, probability, horizon, thresholds, cause, weight
        As in `net_benefit`; `thresholds` is a sequence.

    Returns
    -------
    DataFrame
        A row for each ``threshold``: the share ``positive`` at or above it; the net benefit of the ``model`` with its
        error ``se`` and 95 % limits ``low`` and ``high``; that of treating ``all`` and ``none`` (0); the model's
        ``gain`` over the better of these two with its error ``gain_se``.

    Raises
    ------
    InputError
        As in `net_benefit`.

    References
    ----------
    Vickers, Elkin (2006), Decision curve analysis, Medical Decision Making 26, 565-574; and as in `net_benefit`.

    Examples
    --------
    >>> curve = decision_curve([1, 2, 3, 4], [1, 1, 0, 0], [0.9, 0.6, 0.7, 0.1], horizon=2, thresholds=[0.5])
    >>> curve[["model", "all", "none"]].iloc[0].round(4).tolist()
    [0.25, 0.0, 0.0]
    """
    rows = rows_of(time, event, weight=weight, causes=True)
    groups = _positive(rows, probability, horizon, _thresholds(thresholds), cause)
    observed = incidence(time, event, horizon, cause=cause, weight=weight)
    lines = []
    for positive, h, t in groups:
        own = _benefit(rows, positive, h, t, cause)
        treated = (observed.value - t) / (1 - t)  # F - (1 - F) t / (1 - t)
        other = observed.influence / (1 - t) if treated > 0 else 0.0
        lines.append(
            {
                "threshold": t,
                "positive": float(np.average(positive, weights=rows.case_weight)),
                "model": own.value,
                "se": own.se,
                "low": own.low,
                "high": own.high,
                "all": treated,
                "none": 0.0,
                "gain": own.value - max(treated, 0.0),
                "gain_se": float(np.sqrt(np.sum((own.influence - other) ** 2))),
            }
        )
    return pd.DataFrame(lines)


def _thresholds(thresholds) -> list[float]:
    try:
        found = np.atleast_1d(np.asarray(thresholds, dtype=float))
    except (TypeError, ValueError):
        found = np.array([np.nan])
    if found.ndim != 1 or not found.size or not ((found > 0) & (found < 1)).all():
        remedy = "Give the probabilities from which one would act, each between 0 and 1."
        raise InputError("SL-315", "thresholds are not probabilities between 0 and 1, or there is none.", remedy)
    return found.tolist()


def _positive(
    rows: Rows, probability, horizon, thresholds: list[float], cause: int
) -> list[tuple[np.ndarray, float, float]]:
    """Return who reaches each threshold (n,), with the horizon and the threshold, all of them checked."""
    check_cause(cause, rows.event)
    if np.ndim(horizon):
        raise InputError("SL-315", "a decision curve was asked for at several horizons.", "Give one horizon.")
    return per_horizon(rows, probability, horizon, lambda p, h: [(p >= t, h, t) for t in thresholds])


def _benefit(rows: Rows, positive: np.ndarray, horizon: float, threshold: float, cause: int) -> Estimate:
    weight = rows.case_weight / rows.case_weight.sum()
    odds = threshold / (1 - threshold)
    way = "Kaplan-Meier" if rows.n_causes == 1 else f"Aalen-Johansen, cause {cause}"
    words = f"net benefit by {horizon:g} at threshold {threshold:g} ({way} of those at or above it)"
    treated = np.flatnonzero(positive & (weight > 0))
    influence = np.zeros(rows.n)
    if not len(treated):
        return estimated(rows, 0.0, influence, words)
    share = float(weight[treated].sum())
    tally = tally_of(rows.time[treated], rows.event[treated], weight[treated], None, rows.n_causes)
    risk, own = incidence_at(tally, horizon, cause)
    worth = risk - (1 - risk) * odds
    influence[treated] = share * own * (1 + odds) + weight[treated] * worth
    value = share * worth
    return estimated(rows, value, influence - weight * value, words)
