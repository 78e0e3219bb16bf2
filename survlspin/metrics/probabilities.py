"""Predicted probabilities of an event by a horizon, and the horizons themselves, checked once for all measures."""

from __future__ import annotations

import numpy as np

from survlspin._messages import rows as rows_text
from survlspin.errors import InputError
from survlspin.metrics.inputs import Rows

__all__ = ["horizon_of", "probabilities"]

ROUNDING = 1e-6  # what a probability may fall over time, or exceed 1: curves are kept in float32
BLOCK = 4096  # rows


def horizon_of(rows: Rows, horizon) -> np.ndarray:
    """Check the horizons at which a measure is taken; the last time of follow-up is one.

    Parameters
    ----------
    rows : Rows
        The rows, from `rows_of`.
    horizon : float or sequence of float (m,)
        In the unit of their times.

    Returns
    -------
    float64 (m,)
        ``m`` is 1 for a number.

    Raises
    ------
    InputError
        SL-306 a horizon beyond the last time; SL-307 one that is no time, or none.

    Examples
    --------
    >>> from survlspin.metrics.inputs import rows_of
    >>> horizon_of(rows_of([3, 5, 8], [1, 0, 1]), 8)
    array([8.])
    """
    try:
        found = np.atleast_1d(np.asarray(horizon, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError("SL-307", f"horizon={horizon!r} is not a number.", "Give a time, or several.") from error
    if found.ndim != 1 or not found.size:
        raise InputError("SL-307", f"the horizons have shape {found.shape}.", "Give one time, or a list of them.")
    if not (np.isfinite(found) & (found >= 0)).all():
        raise InputError("SL-307", "a horizon is missing, infinite or negative.", "Give times of follow-up.")
    if found.max() > rows.last:
        found_text = f"horizon {found.max():g} lies beyond the last time of these rows."
        raise InputError("SL-306", found_text, "Ask for one within follow-up, its end included.")
    return found


def probabilities(values, horizons, n: int) -> np.ndarray:
    """Check predicted probabilities that the event happens by each horizon.

    Parameters
    ----------
    values : array (n, m), or (n,) for one horizon
        Probabilities from 0 to 1: one minus the survival curve; the cumulative incidence under competing risks.
    horizons : float or array (m,)
        What the columns belong to, in any order.
    n : int
        The number of rows.

    Returns
    -------
    float32 or float64 (n, m)
        As precise as given; no copy where none is needed.

    Raises
    ------
    InputError
        SL-331 another shape; SL-332 a value is missing or no number; SL-303 percentages; SL-304 values below 0 or
        above 1; SL-305 a probability that falls from one horizon to a later one, as survival does.

    Examples
    --------
    >>> probabilities([0.2, 0.5], 60, n=2)
    array([[0.2],
           [0.5]])
    """
    times = np.atleast_1d(np.asarray(horizons, dtype=float))
    found = _numbers(values)
    if found.shape == (n,) and len(times) == 1:
        found = found[:, None]
    if found.shape != (n, len(times)):
        expected = f"there are {n} rows and {len(times)} horizons"
        raise InputError("SL-331", f"probability has shape {found.shape}, {expected}.", "Give one column per horizon.")
    _check_range(found)
    _check_order(found, times)
    return found


def _numbers(values) -> np.ndarray:
    try:
        found = np.asarray(values)
        return found if found.dtype in (np.float32, np.float64) else found.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError("SL-332", "probability has values that are not numbers.", "Give numbers.") from error


def _check_range(found: np.ndarray) -> None:
    low, high = found.min(initial=0), found.max(initial=0)
    if np.isnan(low):
        missing = np.isnan(found).max(axis=1)
        text = f"probability is missing in {rows_text(missing)}."
        raise InputError("SL-332", text, "Predict every patient, or drop these rows on purpose.")
    if low >= 0 and 1.5 < high <= 100:
        raise InputError("SL-303", "probabilities reach beyond 1, up to 100: percentages.", "Divide them by 100.")
    if low < -ROUNDING or high > 1 + ROUNDING:
        outside = ((found < -ROUNDING) | (found > 1 + ROUNDING)).max(axis=1)
        raise InputError("SL-304", f"probability is outside 0 to 1 in {rows_text(outside)}.", "Give probabilities.")


def _check_order(found: np.ndarray, times: np.ndarray) -> None:
    order = np.argsort(times, kind="stable")
    columns: np.ndarray | slice = order if (np.diff(order) < 0).any() else slice(None)  # a view
    for start in range(0, len(found), BLOCK):
        block = found[start : start + BLOCK, columns]
        if (block[:, 1:] < block[:, :-1] - ROUNDING).any():
            falls = (np.diff(found[:, columns], axis=1) < -ROUNDING).max(axis=1)
            text = f"probability falls from one horizon to a later one in {rows_text(falls)}."
            raise InputError("SL-305", text, "Give the probability of the event: one minus survival.")
