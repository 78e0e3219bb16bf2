"""The Brier score of predicted probabilities: at horizons, against the null model, and integrated over time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import numpy as np

from survlspin.errors import InputError
from survlspin.metrics.estimate import Estimate, undefined
from survlspin.metrics.ipcw import Known, Weights, estimated
from survlspin.metrics.probabilities import horizon_of, probabilities

__all__ = ["brier", "integrated_brier", "scaled_brier"]

BLOCK = 16  # columns that are copied together: one by one they lie far apart in memory
RULES = ("trapezoid", "left")
NOTHING = 1e-12  # of the null model's score: rounding, where all or none have the event


def brier(
    time, event, probability, horizon, *, weight=None, cause: int = 1, censoring=None
) -> Estimate | tuple[Estimate, ...]:
    """The mean squared difference between what happened by the horizon (0 or 1) and its predicted probability.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    probability : array (n,), (n, m) or None
        The predicted probability of the event by the horizon, a column for each of several. None is the null model:
        everybody has the Kaplan-Meier probability of these rows (Aalen-Johansen with competing risks).
    horizon : float or sequence of float (m,)
        Not beyond the last time.
    weight : array (n,), optional
        Case weights, at least 0.
    cause : int
        The event that is predicted; one of another cause by the horizon counts as 0.
    censoring : object with ``at(times, left=True)``, optional
        The curve of not being censored, taken as known. The default is the Kaplan-Meier curve of censoring of these
        rows, and its error is counted.

    Returns
    -------
    Estimate, or a tuple of them, one for each horizon
        ``influence`` (n,) includes that of estimating the censoring curve; the 95 % interval is symmetric; ``counts``
        says how many rows are cases, controls and censored before.

    Raises
    ------
    InputError
        SL-303, SL-304, SL-305 what are no probabilities of the event; SL-306, SL-307 horizons; SL-308 a given censoring
        curve that is 0; SL-326 a cause that does not occur; SL-331 lengths differ; SL-332 a probability is missing;
        SL-333 an outcome that cannot be used.

    Notes
    -----
    Rows known at the horizon are weighted by the inverse probability of not having been censored until they were
    known (`survlspin.metrics.ipcw`). Value and standard error are those of ``riskRegression::Score`` with
    ``cens.model="km", conservative=FALSE`` wherever nobody is censored exactly at the horizon.

    References
    ----------
    Graf, Schmoor, Sauerbrei, Schumacher (1999), Assessment and comparison of prognostic classification schemes for
    survival data, Statistics in Medicine 18, 2529-2545.

    Examples
    --------
    >>> brier([1, 2, 3, 4, 5], [1, 1, 0, 1, 0], [0.9, 0.5, 0.5, 0.3, 0.2], horizon=3).value
    0.128
    """
    return _each(time, event, probability, horizon, weight, cause, censoring, _brier)


def scaled_brier(
    time, event, probability, horizon, *, weight=None, cause: int = 1, censoring=None
) -> Estimate | tuple[Estimate, ...]:
    """One minus the Brier score over that of the null model, also called the index of prediction accuracy (IPA).

    The null model predicts the Kaplan-Meier probability of these rows for everybody, with competing risks that of
    Aalen and Johansen. 1 is perfect, 0 no better than that, below 0 worse.

    Parameters, errors and result are those of `brier`; where nothing is left to predict, the value is nan.

    References
    ----------
    Kattan, Gerds (2018), The index of prediction accuracy, Diagnostic and Prognostic Research 2, 7.

    Examples
    --------
    >>> round(scaled_brier([1, 2, 3, 4, 5], [1, 1, 0, 1, 0], [0.9, 0.5, 0.5, 0.3, 0.2], horizon=3).value, 4)
    0.4667
    """
    return _each(time, event, probability, horizon, weight, cause, censoring, _scaled)


def integrated_brier(
    time,
    event,
    probability,
    times,
    *,
    low: float | None = None,
    high: float | None = None,
    rule: str = "trapezoid",
    weight=None,
    cause: int = 1,
    censoring=None,
) -> Estimate:
    """The mean of the Brier score over a range of time.

    Parameters
    ----------
    time, event, weight, cause, censoring
        As in `brier`.
    probability : array (n, m) or None
        The predicted probability of the event by each of `times`; None is the null model.
    times : array (m,)
        Increasing, not beyond the last time.
    low, high : float, optional
        The range, two of `times`; from the first to the last without.
    rule : {"trapezoid", "left"}
        How the score runs between two times: on a line, or constant at its value at the earlier one, as in
        ``pec::crps`` and ``riskRegression::Score``.

    Returns
    -------
    Estimate
        ``influence`` (n,) as in `brier`; the 95 % interval is symmetric.

    Raises
    ------
    InputError
        SL-309 times that do not increase, or a range that they do not span; SL-310 an unknown rule; and as `brier`.

    Examples
    --------
    >>> p = [[0.1, 0.9], [0.1, 0.5], [0.0, 0.5], [0.0, 0.3], [0.0, 0.2]]
    >>> integrated_brier([1, 2, 3, 4, 5], [1, 1, 0, 1, 0], p, times=[1, 3]).definition[:46]
    'integrated Brier(from 1 to 3, 2 times, trapezo'
    """
    weights = Weights(time, event, weight, cause, censoring)
    horizons = horizon_of(weights.rows, times)
    steps = _steps(horizons, low, high, rule)
    columns = _columns(probability, horizons, weights.rows.n)
    value, influence, words = 0.0, np.zeros(weights.rows.n), ""
    for horizon, step, column in zip(horizons, steps, columns, strict=True):
        if step:
            known = weights.at(horizon)
            score, moved = _score(weights, known, column)
            value, influence, words = value + step * score, influence + step * moved, known.words
    span = f"from {low if low is not None else horizons[0]:g} to {high if high is not None else horizons[-1]:g}"
    words = f"integrated Brier({span}, {np.count_nonzero(steps)} times, {rule}; at the last {words})"
    note = "" if probability is not None else f"; of the null model, {_null(weights)}"
    return estimated(float(value), influence, weights, words, note=note)


def _each(time, event, probability, horizon, weight, cause, censoring, measure):
    """The measure at each horizon."""
    weights = Weights(time, event, weight, cause, censoring)
    horizons = horizon_of(weights.rows, horizon)
    columns = _columns(probability, horizons, weights.rows.n)
    found = tuple(measure(weights, weights.at(t), column) for t, column in zip(horizons, columns, strict=True))
    return found if np.ndim(horizon) else found[0]


def _columns(probability, horizons: np.ndarray, n: int) -> Iterator[np.ndarray | None]:
    """The checked probabilities at each horizon, or None for each."""
    if probability is None:
        return repeat(None, len(horizons))
    checked = probabilities(probability, horizons, n)
    blocks = (checked[:, start : start + BLOCK] for start in range(0, len(horizons), BLOCK))
    return (column for block in blocks for column in np.array(block.T, dtype=np.float64, order="C"))


def _score(weights: Weights, known: Known, probability: np.ndarray | None) -> tuple[float, np.ndarray]:
    """The Brier score and the influence of the rows; without a probability that of the null model.

    The null model's own error does not count: at the mean of the outcomes the score is flat.
    """
    if probability is None:
        probability = known.weight @ known.case / known.weight.sum()
    parts = known.case - probability
    parts *= parts
    parts *= known.weight
    parts /= weights.total
    value = float(parts.sum())
    return value, parts + weights.of_curve(parts, known) - (value / weights.total) * weights.case_weight


def _brier(weights: Weights, known: Known, probability: np.ndarray | None) -> Estimate:
    value, influence = _score(weights, known, probability)
    note = "" if probability is not None else f"; of the null model, {_null(weights)}"
    return estimated(value, influence, weights, f"Brier({known.words})", counts=known.counts, note=note)


def _scaled(weights: Weights, known: Known, probability: np.ndarray | None) -> Estimate:
    value, influence = _score(weights, known, probability)
    null, null_influence = _score(weights, known, None)
    words = f"scaled Brier(IPA; null model {_null(weights)}; {known.words})"
    if not null > NOTHING:
        return undefined(weights.rows, words, "all or none have the event", known.counts)
    ratio = value / null
    return estimated(1 - ratio, (ratio * null_influence - influence) / null, weights, words, counts=known.counts)


def _null(weights: Weights) -> str:
    return f"{'Aalen-Johansen' if weights.rows.n_causes > 1 else 'Kaplan-Meier'} of these rows"


def _steps(times: np.ndarray, low: float | None, high: float | None, rule: str) -> np.ndarray:
    """The share of each time in the mean over the range."""
    if rule not in RULES:
        raise InputError("SL-310", f"rule={rule!r}.", f"Use one of {', '.join(RULES)}.")
    low, high = times[0] if low is None else low, times[-1] if high is None else high
    if not (np.diff(times) > 0).all() or low not in times or high not in times or not low < high:
        text = f"{len(times)} times, range {low:g} to {high:g}: not increasing times that contain both ends."
        raise InputError("SL-309", text, "Give increasing times, and two of them as the range.")
    gaps = np.where((times[:-1] >= low) & (times[1:] <= high), np.diff(times), 0.0) / (high - low)
    left, right = np.append(gaps, 0.0), np.insert(gaps, 0, 0.0)
    return left if rule == "left" else (left + right) / 2
