"""The probability of the event by a time, as models predict it for the test rows of a fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._sklearn import take
from ..heads.baseline import Baseline
from ..outcome import Outcome
from ..tuning.trial import NLL, criterion_of

__all__ = ["horizons_for", "predicted"]

Predicted = dict[str, np.ndarray]  # attributes of `survlspin.Fit`

SPREAD = 24  # times that are kept unasked
BATCH = 2000  # rows whose whole curves are held at once


def horizons_for(model: BaseEstimator, outcome: Outcome, asked: Sequence[float]) -> tuple[float, ...]:
    """Return the times at which a model's probabilities are kept, ascending; none where its hazard is.

    A Cox model without strata keeps its baseline hazard, from which the probability by any time follows. Of others,
    probabilities are kept by the times asked for, and by 24 that split the events into equal parts.
    """
    if criterion_of(model) == NLL and outcome.stratum is None:
        return ()
    share = np.arange(1, SPREAD + 1) / SPREAD
    spread = np.quantile(outcome.time[outcome.event != 0], share, method="inverted_cdf")
    return tuple(np.union1d(spread, np.asarray(asked, dtype=np.float64)).tolist())


def predicted(
    points: Sequence[Any], chosen: int, X, y: np.ndarray, risk: np.ndarray, horizons: Sequence[float]
) -> Predicted:
    """Return what fitted models say of the probability of the event, or nothing where they have no curves.

    Parameters
    ----------
    points : list of fitted estimator (P,)
    chosen : int
        The point whose probabilities are kept.
    X : DataFrame or array (n, variables)
        The test rows.
    y : structured array (n,)
        Of which strata alone are looked at.
    risk : array (P, n)
        What the points predict for these rows.
    horizons : sequence of float (H,)
        As `horizons_for` returns them.
    """
    baselines: list[Any] = [getattr(_inner(point), "baseline_", None) for point in points]
    if not horizons:
        return {} if None in baselines else _hazards(baselines)
    times = np.array(horizons)
    baseline = baselines[chosen]
    if baseline is None:
        probability = _by_curves(_inner(points[chosen]), points[chosen], X, times)
    else:
        probability = _by_stratum(baseline, risk[chosen], y["stratum"], times)
    return {} if probability is None else {"horizons": times, "probability": probability.astype(np.float32)}


def _inner(model: Any) -> Any:
    """Return the estimator at the end of pipelines and in searches."""
    while True:
        inner = model.steps[-1][1] if isinstance(model, Pipeline) else getattr(model, "best_estimator_", None)
        if inner is None:
            return model
        model = inner


def _hazards(baselines: Sequence[Baseline]) -> Predicted:
    """Return cumulative baseline hazards of log-risk 0, at the event times of all points."""
    times = np.unique(np.concatenate([baseline.times for baseline in baselines]))
    hazard = np.concatenate([baseline.cumulative_hazard(np.zeros(1), times) for baseline in baselines])
    return {"times": times, "hazard": hazard}


def _by_stratum(baseline: Baseline, risk: np.ndarray, stratum: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return probabilities (n, H); nan in rows of a stratum that was not trained on."""
    known = np.isin(stratum, list(baseline.curves))
    probability = np.full((len(risk), len(times)), np.nan)
    probability[known] = -np.expm1(-baseline.cumulative_hazard(risk[known], times, stratum[known]))
    return probability


def _by_curves(inner: Any, model: Any, X, times: np.ndarray) -> np.ndarray | None:
    """Return probabilities (n, H) of a model in scikit-survival's manner; None if it has no curves."""
    if hasattr(inner, "predict_event_probability"):
        return inner.predict_event_probability(X if inner is model else model[:-1].transform(X), times)
    probability = np.empty((len(X), len(times)))
    for start in range(0, len(X), BATCH):
        rows = np.arange(start, min(start + BATCH, len(X)))
        try:
            curves = model.predict_survival_function(take(X, rows))
        except (AttributeError, NotImplementedError, ValueError):  # as estimators say that they have none
            return None
        for row, curve in zip(rows, curves, strict=True):
            survival = curve(np.clip(times, curve.x[0], curve.x[-1]))
            probability[row] = 1 - np.where(times < curve.x[0], 1.0, survival)
    return probability
