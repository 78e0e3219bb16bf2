"""The infinitesimal jackknife of whole curves: squared influences of all rows, or clusters, at every time."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from survlspin.nonparametric.limit import Tally

__all__ = ["of_incidence", "of_integral"]


def of_integral(tally: Tally, cluster: np.ndarray | None, per_event: np.ndarray, jumps: np.ndarray) -> np.ndarray:
    """Return the summed squares (K,) of integrals over the rows' martingales, from the start to each time.

    Parameters
    ----------
    tally : Tally
    cluster : int array (n,) or None
    per_event : array (K,)
        What an event at each time adds to its row's integral.
    jumps : array (K,)
        What being at risk at each time takes away.
    """
    total = np.cumsum(jumps)
    entry, own = _at_entry(tally, total), per_event[tally.place] * (tally.code > 0)
    gone = tally.weight * (own - tally.through(jumps))
    zero = np.zeros_like(gone)
    staying = np.array([tally.weight * entry, -tally.weight])
    return _squared(tally, cluster, staying, np.array([gone, zero]), np.array([np.ones_like(total), total]))


def of_incidence(tally: Tally, cluster: np.ndarray | None, cause: int) -> np.ndarray:
    """Return the variance of a cause's cumulative incidence at each time (K,).

    With F the incidence, ``Q`` and ``R`` the integrals of 1 and of F over the hazard of any event divided by the
    survivors, and P that of the survival over the cause's hazard divided by those at risk, the influence at a time t of
    a row still at risk is ``(P + R)(e) - F(t) Q(e) - (P + R - F Q)(t)``, e being its entry.
    """
    hazard, weight = tally.by_code[cause] / tally.n_risk, tally.weight
    curve = np.cumsum(tally.before * hazard)
    per_survivor = np.divide(1.0, tally.survivors, out=np.zeros(len(curve)), where=tally.survivors > 0)
    any_hazard = per_survivor * tally.n_event / tally.n_risk
    own = tally.before / tally.n_risk
    level, slope = own * hazard + curve * any_hazard, any_hazard  # jumps of P + R and of Q
    sums, slopes = np.cumsum(level), np.cumsum(slope)
    is_cause, is_event, at = tally.code == cause, tally.code > 0, tally.place
    staying = np.array([_at_entry(tally, sums), -_at_entry(tally, slopes), -np.ones(len(weight))])
    gone = np.array(
        [
            own[at] * is_cause + (curve * per_survivor)[at] * is_event - tally.through(level),
            tally.through(slope) - per_survivor[at] * is_event,
            np.zeros(len(weight)),
        ]
    )
    along = np.array([np.ones_like(curve), curve, sums - curve * slopes])
    return _squared(tally, cluster, weight * staying, weight * gone, along)


def _at_entry(tally: Tally, total: np.ndarray) -> np.ndarray:
    """Return a running sum (K,) as it is when each row comes under observation (n,)."""
    if tally.first is None:
        return np.zeros(len(tally.place))
    return np.concatenate([[0.0], total])[tally.first]


def _squared(tally: Tally, cluster, staying: np.ndarray, gone: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the sum over clusters of ``(sum_m c_m along_m)^2`` at each time (K,).

    The coefficients c of a cluster are the sums over its rows of those of ``staying`` (m, n) for the rows at risk and
    of ``gone`` (m, n) for those who have left; they change when a row comes or goes, and only then do their products.
    """
    n, k = len(tally.place), along.shape[1]
    cluster = np.arange(n) if cluster is None else cluster
    first = np.zeros(n, np.int64) if tally.first is None else np.minimum(tally.first, tally.place)
    owner, when = np.concatenate([cluster, cluster]), np.concatenate([first, tally.place])
    order = np.lexsort((when, owner))
    owner, when = owner[order], when[order]
    change = np.concatenate([staying, gone - staying], axis=1)[:, order]
    start = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    total = np.cumsum(change, axis=1)
    total -= np.repeat((total - change)[:, start], np.diff(start, append=2 * n), axis=1)
    before = total - change
    squares = np.zeros(k)
    for a, b in combinations_with_replacement(range(len(along)), 2):
        product = np.bincount(when, total[a] * total[b] - before[a] * before[b], minlength=k).cumsum()
        squares += (1 + (a != b)) * product * along[a] * along[b]
    return np.maximum(squares, 0.0)
