"""What measures of calibration share: an estimate made of influence, several horizons."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from survlspin.metrics.estimate import Z95, Estimate
from survlspin.metrics.inputs import Rows
from survlspin.metrics.probabilities import horizon_of, probabilities

__all__ = ["estimated", "per_horizon"]


def estimated(
    rows: Rows,
    value: float,
    influence: np.ndarray,
    words: str,
    *,
    scale: str = "plain",
    se: float | None = None,
    counts: pd.DataFrame | None = None,
) -> Estimate:
    """Return an estimate with the error of its influence (n,), or with a model's `se` and without influence.

    The interval is symmetric, or with ``scale="log"`` symmetric on the log scale.
    """
    known, kind, digest = None, "model-based error", ""
    if se is None:
        known, kind, digest = rows.pooled(influence), "robust error", rows.digest
        kind += ", clustered" if rows.cluster is not None else ""
        se = float(np.sqrt(np.sum(known**2)))
    if scale == "log":
        low, high = np.exp(np.log(value) + np.array([-Z95, Z95]) * se / value).tolist() if value > 0 else (0.0, np.nan)
    else:
        low, high = value - Z95 * se, value + Z95 * se
    symmetric = "on the log scale" if scale == "log" else "symmetric"
    return Estimate(value, float(se), low, high, f"{words}; 95% {symmetric}, {kind}", known, counts, digest)


def per_horizon(rows: Rows, probability, horizon, measure: Callable):
    """Return ``measure(p (n,), h)`` of the checked probabilities: one for a number, a tuple for several horizons."""
    p, times = probabilities(probability, horizon, rows.n), horizon_of(rows, horizon).tolist()
    found = tuple(measure(column.astype(np.float64), h) for column, h in zip(p.T, times, strict=True))
    return found if np.ndim(horizon) else found[0]
