"""Time-dependent concordance of survival curves, after Antolini and as adjusted by others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from survlspin._messages import rows as rows_text
from survlspin.errors import InputError
from survlspin.metrics.concordance import check_tau, conventions, share
from survlspin.metrics.estimate import Estimate
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.metrics.pairs import KINDS, Pairs, count_pairs
from survlspin.metrics.time_table import ranked, time_table

__all__ = ["antolini"]

ROUNDING = 1e-6  # what a survival curve may rise, or leave 0 to 1: curves are kept in float32
RULES = {  # by whether adjusted: the words for it, and what a pair of each kind adds above and below
    False: (["Antolini", "survival ties 0"], ((1, 0, 0, 0, 0), (1, 1, 1, 0, 0))),
    True: (["adjusted Antolini", "survival ties 1/2", "pairs at one time twice"], ((1, 0, 0.5, 0, 0), (1, 1, 1, 0, 0))),
}
AT_ONCE = (1, 0, 0.5, 1, 2), (1, 1, 1, 2, 2)  # what pairs at one time add to that when adjusted


def antolini(time, event, survival, times, *, weight=None, cluster=None, tau=None, adjusted=False) -> Estimate:
    """Antolini's C: how often, of two patients, the one with the first event had the lower survival at that time.

    Parameters
    ----------
    time, event, weight, cluster
        As in `concordance`.
    survival : array (n, K)
        The predicted survival probability of each patient at `times`. It holds from each time until the next, the first
        one also before.
    times : array (K,)
        Increasing.
    tau : float, optional
        Pairs whose early event is after `tau` are left out.
    adjusted : bool
        Ties of survival count one half instead of nothing. Two events at one time are comparable, with one half, or 1
        where survival is tied, and every pair at one time is counted twice.

    Returns
    -------
    Estimate
        As of `concordance`, by which ``tied.x`` is a tie of survival. With curves that never cross and no ties, both
        are Harrell's C.

    Raises
    ------
    InputError
        SL-304 survival outside 0 to 1; SL-305 a curve that rises; SL-331 lengths differ; SL-332 survival is missing;
        SL-333 an outcome that cannot be ranked; SL-334 `tau` is beyond the last time; SL-340 times that do not
        increase.

    References
    ----------
    Antolini, Boracchi, Biganzoli (2005), A time-dependent discrimination index for survival data, Statistics in
    Medicine 24, 3927-3944. The adjustment is that of the package pycox (``"adj_antolini"``), after Ishwaran, Kogalur,
    Blackstone, Lauer (2008), Random survival forests, Annals of Applied Statistics 2, 841-860.
    """
    rows = rows_of(time, event, weight=weight, cluster=cluster)
    curves, times = _curves(survival, times, rows.n)
    return of_columns(rows, np.concatenate([[-np.inf], times[1:]]), list(curves.T), tau, adjusted)


def of_columns(rows: Rows, starts: np.ndarray, columns: list[np.ndarray], tau, adjusted: bool) -> Estimate:
    """Antolini's C of columns (n,) of which each holds from its start on, higher for those expected to live longer."""
    check_tau(rows, tau)
    counted = rows if tau is None else replace(rows, event=rows.event & (rows.time <= tau))
    over, under = np.zeros((2, rows.n))  # each row's pairs: concordant, comparable
    counts, sums = np.zeros(5), np.zeros(2)
    for start, end, column in zip(starts, [*starts[1:], np.inf], columns, strict=True):
        for keep, pairs, factors in _counted(counted, start, end, column, adjusted):
            over[keep] += pairs.of_rows(np.array(factors[0]))
            under[keep] += pairs.of_rows(np.array(factors[1]))
            counts += pairs.counts.sum(axis=0)
            sums += np.array(factors) @ pairs.counts.sum(axis=0)
    value = sums[0] / sums[1] if sums[1] > 0 else float("nan")
    influence = (over - value * under) / sums[1] if sums[1] > 0 else np.full(rows.n, np.nan)
    words = [*RULES[adjusted][0], *([] if tau is None else [f"tau={tau:g}"]), *conventions(rows)]
    definition = f"C({'; '.join(words)})"
    return share(rows, float(value), influence, definition, pd.DataFrame([counts], ["all"], KINDS))


def _counted(rows: Rows, start, end, column, adjusted) -> Iterator[tuple[np.ndarray, Pairs, tuple]]:
    """The pairs whose early event is from `start` to before `end`, the rows they are of, and what each kind adds."""
    keep = np.flatnonzero(rows.time >= start)
    time = rows.time[keep]
    event = rows.event[keep] & (time < end)
    if not event.any():
        return
    weight = None if rows.weight is None else rows.weight[keep]
    whole = Rows(np.minimum(time, end), event, weight=weight)
    yield keep, count_pairs(whole, -column[keep], time_table(whole)), RULES[adjusted][1]
    if adjusted:  # the pairs at one time once more: those within strata of time
        times, stratum = ranked(whole.time)
        apart = replace(whole, stratum=stratum, strata=list(times))
        yield keep, count_pairs(apart, -column[keep], time_table(apart)), AT_ONCE


def _curves(survival, times, n: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        curves, times = np.asarray(survival), np.ravel(np.asarray(times, dtype=float))
        curves = curves if curves.dtype in (np.float32, np.float64) else curves.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError("SL-332", "survival has values that are not numbers.", "Give numbers.") from error
    if curves.shape != (n, times.size) or not times.size:
        found = f"survival has shape {curves.shape}; there are {n} rows and {times.size} times."
        raise InputError("SL-331", found, "Give one row per patient, one column per time.")
    if not (np.diff(times) > 0).all():
        raise InputError("SL-340", "The times of the survival curves do not increase.", "Sort the columns by time.")
    bad = {
        "SL-332": ("missing", lambda k: np.isnan(curves[:, k])),
        "SL-304": ("outside 0 to 1", lambda k: (curves[:, k] < -ROUNDING) | (curves[:, k] > 1 + ROUNDING)),
        "SL-305": ("rising", lambda k: curves[:, k] > curves[:, max(k - 1, 0)] + ROUNDING),
    }
    for code, (what, test) in bad.items():
        for k in range(times.size):
            if (found := test(k)).any():
                raise InputError(code, f"survival is {what} in {rows_text(found)}.", "Give survival probabilities.")
    return curves, times
