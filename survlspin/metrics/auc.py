"""Cumulative/dynamic AUC: the horizon's cases against those who are known to have no event by then."""

from __future__ import annotations

import numpy as np

from survlspin.errors import InputError
from survlspin.metrics.estimate import Estimate, logit_interval, undefined
from survlspin.metrics.inputs import predicted
from survlspin.metrics.ipcw import Known, Weights, estimated
from survlspin.metrics.probabilities import horizon_of

__all__ = ["auc"]


def auc(time, event, risk, horizon, *, weight=None, cause: int = 1, censoring=None) -> Estimate | tuple[Estimate, ...]:
    """How often a patient with an event by the horizon had a higher risk than one without; equal risks count 1/2.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    risk : array (n,) or (n, m)
        The model's prediction on any scale, higher means an earlier event; a column per horizon where it changes.
    horizon : float or sequence of float (m,)
        Not beyond the last time.
    weight : array (n,), optional
        Case weights, at least 0. A pair weighs the product of its two weights.
    cause : int
        The event that is predicted. Whoever had an event of another cause by the horizon is a control.
    censoring : object with ``at(times, left=True)``, optional
        The curve of not being censored, taken as known. The default is the Kaplan-Meier curve of censoring of these
        rows, and its error is counted.

    Returns
    -------
    Estimate, or a tuple of them, one for each horizon
        ``influence`` (n,) includes that of estimating the censoring curve; ``low`` and ``high`` are 95 % limits on the
        logit scale; ``counts`` says how many rows are cases, controls and censored before. Without a case or a control
        the value is nan.

    Raises
    ------
    InputError
        SL-306, SL-307 horizons; SL-308 a given censoring curve that is 0; SL-326 a cause that does not occur; SL-331
        lengths differ; SL-332 a risk is missing; SL-333 an outcome that cannot be used.

    Notes
    -----
    Rows known at the horizon are weighted by the inverse probability of not having been censored until they were
    known (`survlspin.metrics.ipcw`). Value and standard error are those of ``riskRegression::Score`` with
    ``cens.model="km", conservative=FALSE`` wherever nobody is censored exactly at the horizon.

    References
    ----------
    Blanche, Dartigues, Jacqmin-Gadda (2013), Estimating and comparing time-dependent areas under receiver operating
    characteristic curves for censored event times with competing risks, Statistics in Medicine 32, 5381-5397.

    Examples
    --------
    >>> auc([1, 2, 3, 4, 5], [1, 1, 0, 1, 0], risk=[9, 3, 4, 2, 1], horizon=3).value
    0.8333333333333334
    """
    weights = Weights(time, event, weight, cause, censoring)
    horizons = horizon_of(weights.rows, horizon)
    ranks = _ranks(risk, weights.rows.n, len(horizons))
    found = tuple(_auc(weights, weights.at(t), rank) for t, rank in zip(horizons, ranks, strict=True))
    return found if np.ndim(horizon) else found[0]


def _ranks(risk, n: int, m: int) -> list[np.ndarray]:
    """The dense rank of the risks at each horizon."""
    columns = np.asarray(risk).T if np.ndim(risk) == 2 else [risk]
    if len(columns) not in (1, m):
        text = f"risk has {len(columns)} columns, there are {m} horizons."
        raise InputError("SL-331", text, "Give one column, or one per horizon.")
    ranks = [np.unique(predicted("risk", column, n), return_inverse=True)[1] for column in columns]
    return ranks if len(ranks) == m else ranks * m


def _auc(weights: Weights, known: Known, rank: np.ndarray) -> Estimate:
    case, control = known.weight * known.case, known.weight * ~known.case
    cases, controls = np.bincount(rank, case), np.bincount(rank, control)
    n_cases, n_controls = cases.sum(), controls.sum()
    words = f"AUC(cumulative/dynamic; {known.words}; risk ties 1/2)"
    pairs = n_cases * n_controls
    if not pairs > 0:
        why = "no control at the horizon" if n_cases else "no event by the horizon"
        return undefined(weights.rows, words, why, known.counts)
    below = np.cumsum(controls) - controls / 2  # controls with a lower risk than a case of this rank
    above = n_cases - np.cumsum(cases) + cases / 2
    value = float(min(cases @ below / pairs, 1.0))
    parts = (case * (below[rank] - value * n_controls) + control * (above[rank] - value * n_cases)) / pairs
    influence = parts + weights.of_curve(parts, known)
    return estimated(value, influence, weights, words, logit_interval, known.counts)
