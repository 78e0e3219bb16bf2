"""Harrell's concordance, equal to ``concordance(..., reverse=TRUE)`` of R's survival package.

A pair is a patient with an event, the *early* one, and a *late* one who is known to live longer. Every row of the data
is late once, and those with an event are also early once. Early items are numbered by the rank of their event time,
late items by how many event times they outlived, so that

    early and late form a pair  <=>  early's number < late's number

holds with all of R's rules for tied times: a patient censored at an event time has outlived it, one who died at it has
not. With delayed entry a row is also late a second time, at its entry, with its weight negated: what it had outlived
before it was under observation is taken back.

Pairs are then counted in O(n log n), from both sides at once, since the standard error needs each patient's own pairs.
Weights are whole numbers while they are summed (see `_whole`), so that no difference of sums loses digits.
"""

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.metrics.estimate import Estimate, logit_interval

__all__ = ["concordance", "concordance_of"]

COUNTS = ["concordant", "discordant", "tied.x", "tied.y", "tied.xy"]


def concordance(time, event, risk, *, entry=None, weight=None, stratum=None) -> Estimate:
    """Harrell's C: how often, of two patients, the one with the higher risk has the event first.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit. Times are tied when they are equal; none are merged.
    event : array (n,)
        1 or True for an event at `time`, 0 or False for censoring.
    risk : array (n,)
        The model's prediction on any scale; higher means an earlier event.
    entry : array (n,), optional
        Delayed entry: a patient is compared with events after `entry` only.
    weight : array (n,), optional
        Case weights, at least 0. A pair weighs the product of its two weights.
    stratum : array (n,), optional
        Labels. Pairs are formed within strata and pooled.

    Returns
    -------
    Estimate
        ``value`` is (concordant + tied.x / 2) / (concordant + discordant + tied.x), nan without such a pair. ``se`` is
        the infinitesimal jackknife: ``influence`` (n,) holds each patient's weight times the derivative of C with
        respect to it. ``low`` and ``high`` are 95 % limits on the logit scale. ``counts`` has R's five sums of pair
        weights, one row per stratum: ``tied.x`` the risks are equal; ``tied.y`` two events at one time, ``tied.xy`` and
        the risks are equal, too; these last two do not enter C.

    Raises
    ------
    InputError
        SL-331 lengths differ; SL-332 a risk is missing or infinite; SL-333 an outcome that cannot be ranked.

    References
    ----------
    Harrell, Califf, Pryor, Lee, Rosati (1982), Evaluating the yield of medical tests, JAMA 247, 2543-2546.
    Therneau, Atkinson, Concordance, vignette of the R package survival, sections 2 and 4.

    Examples
    --------
    >>> concordance(time=[5, 8, 8, 12], event=[1, 1, 0, 0], risk=[2.0, 0.5, 0.5, 1.0]).value
    0.7
    """
    data, labels = _columns(time, event, risk, entry, weight, stratum)
    definition = "; ".join(
        ["C(Harrell", "risk ties 1/2", "time ties as R survival"]
        + ["weighted"] * (weight is not None)
        + ["within strata"] * (stratum is not None)
        + ["delayed entry"] * (entry is not None)
    )
    pairs = data["weight"] * _pairs(**data)  # (5, n)
    sums = np.array([np.bincount(data["stratum"], row, minlength=len(labels)) / 2 for row in pairs])  # (5, S)
    counts = pd.DataFrame(sums.T, index=labels, columns=COUNTS)
    concordant, discordant, tied = sums[:3].sum(axis=1)
    total = concordant + discordant + tied
    if not total > 0:
        nan, words = float("nan"), f"{definition}); undefined: no comparable pairs"
        return Estimate(nan, nan, nan, nan, words, np.full(pairs.shape[1], nan), counts)
    value = float((concordant + tied / 2) / total)
    influence = (pairs[0] + pairs[2] / 2 - value * pairs[:3].sum(axis=0)) / total
    se = float(np.sqrt(np.sum(influence**2)))
    return Estimate(value, se, *logit_interval(value, se), f"{definition}); 95% on the logit scale", influence, counts)


def concordance_of(outcome, risk) -> Estimate:
    """`concordance` of an `Outcome`, with the entry times, weights and strata that it carries."""
    return concordance(
        outcome.time, outcome.event, risk, entry=outcome.entry, weight=outcome.weight, stratum=outcome.stratum
    )


def _columns(time, event, risk, entry, weight, stratum) -> tuple[dict, list | np.ndarray]:
    """The inputs as arrays of one length, strata as whole numbers, and the strata's labels."""
    data = {"time": _floats("time", time), "event": _floats("event", event), "risk": _floats("risk", risk)}
    n = data["time"].size
    data["weight"] = np.ones(n) if weight is None else _floats("weight", weight)
    data["entry"] = np.full(n, -np.inf) if entry is None else _floats("entry", entry)
    groups = np.zeros(n, int) if stratum is None else np.asarray(stratum)
    for name, values in {**data, "stratum": groups}.items():
        if values.shape != (n,):
            raise InputError("SL-331", f"{name} has shape {values.shape}, time has {n} values.", "Give one per row.")
    missing = ~np.isfinite(data["risk"])
    if missing.any():
        raise InputError(
            "SL-332",
            f"{missing.sum()} of {n} risks are missing or infinite, the first at position {missing.argmax()}.",
            "Predict every patient before comparing, or drop these rows on purpose.",
        )
    data["stratum"], labels = pd.factorize(groups, sort=True)
    _check_outcome(**data)
    return data, ["all"] if stratum is None else labels


def _check_outcome(time, event, risk, entry, weight, stratum) -> None:
    bad = {
        "a missing or infinite time": ~np.isfinite(time),
        "an event that is neither 0 nor 1": ~np.isin(event, (0, 1)),
        "an entry that is missing or not before its time": ~(entry < time),
        "a missing, infinite or negative weight": ~(np.isfinite(weight) & (weight >= 0)),
        "no stratum": stratum < 0,
    }
    for what, rows in bad.items():
        if rows.any():
            raise InputError("SL-333", f"The row at position {rows.argmax()} has {what}.", "Repair or drop such rows.")


def _floats(name, values) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        code = "SL-332" if name == "risk" else "SL-333"
        raise InputError(code, f"{name} has values that are not numbers.", "Give numbers, none missing.") from error


def _pairs(time, event, risk, entry, weight, stratum) -> np.ndarray:
    """Each row's pairs by kind, as the summed weight of its partners: (5, n), in the order of `COUNTS`."""
    n, died = len(time), np.flatnonzero(event)
    weight, shift = _whole(weight)
    event_times, rank = np.unique(time[died], return_inverse=True)
    outlived = [np.searchsorted(event_times, time, side="right") - event.astype(int)]
    if len(died) and entry.max() >= event_times[0]:
        outlived.append(np.searchsorted(event_times, entry, side="right"))
    score = _rank(stratum, _rank(-risk)) if stratum.any() else _rank(-risk)  # (n,) no two strata share a score

    row = np.concatenate([np.arange(n)] * len(outlived) + [died])  # (m,) items: late, late at entry, early
    number = np.concatenate([*outlived, rank])
    early = np.arange(len(row)) >= n * len(outlived)
    sign = np.where(~early & (np.arange(len(row)) >= n), -1, 1)
    found = _partners(stratum[row], score[row], number, early, sign * weight[row])  # (3, m)
    comparable, tied, not_discordant = np.zeros((3, n), np.int64)
    for total, items in zip((comparable, tied, not_discordant), sign * found, strict=True):
        np.add.at(total, row, items)
    together, same = np.zeros((2, n), np.int64)  # events at one time; of these, with one risk
    together[died] = _companions(_rank(stratum[died], rank), weight[died])
    same[died] = _companions(_rank(score[died], rank), weight[died])
    kinds = [not_discordant - tied, comparable - not_discordant, tied, together - same, same]
    return np.ldexp(np.array(kinds, dtype=float), -shift)


def _whole(weight) -> tuple[np.ndarray, int]:
    """Weights as whole multiples of a power of two, 61 bits for their sum: sums and differences of sums are exact."""
    shift = 61 - int(np.frexp(weight.sum())[1])
    return np.rint(np.ldexp(weight, shift)).astype(np.int64), shift


def _rank(*keys) -> np.ndarray:
    """Dense rank, from 0, of values or of pairs of whole numbers (first key first)."""
    values = keys[0] if len(keys) == 1 else keys[0] * (keys[1].max(initial=0) + 1) + keys[1]
    return np.unique(values, return_inverse=True)[1]


def _companions(cell, weight) -> np.ndarray:
    """The weight of the other rows in each row's cell."""
    total = np.zeros(len(cell), np.int64)
    np.add.at(total, cell, weight)
    return total[cell] - weight


def _partners(stratum, score, number, early, weight) -> np.ndarray:
    """The weight of each item's partners: all, those of the same score, and those for whom the early score is not the
    greater one. Items alike in everything but weight are counted as one."""
    top = number.max(initial=0) + 1
    code, item = np.unique((score * top + number) * 2 + early, return_inverse=True)
    pooled = np.zeros(len(code), np.int64)
    np.add.at(pooled, item, weight)
    score, number, early = code // (2 * top), code // 2 % top, (code & 1).astype(bool)
    home = np.empty_like(code)
    home[item] = stratum  # (c,)
    found = np.zeros((3, len(code)), np.int64)
    order = np.argsort((home * top + number) * 2 + early)
    found[0, order] = _facing(home[order], early[order], pooled[order])
    found[1] = _facing(score, early, pooled)
    found[2] = _ordered(home, number, early, pooled)
    return found[:, item]


def _facing(segment, early, weight) -> np.ndarray:
    """For items in order, cut into segments: for an early one the weight of the late ones after it in its segment, for
    a late one the weight of the early ones before it."""
    first = np.flatnonzero(np.concatenate([[True], segment[1:] != segment[:-1]]))
    length = np.diff(first, append=len(segment))
    early_sum, late_sum = np.zeros((2, len(segment) + 1), np.int64)
    np.cumsum(weight * early, out=early_sum[1:])
    np.cumsum(weight * ~early, out=late_sum[1:])
    after = np.repeat(late_sum[first + length], length) - late_sum[1:]
    before = early_sum[1:] - np.repeat(early_sum[first], length)
    return np.where(early, after, before)


def _ordered(stratum, number, early, weight) -> np.ndarray:
    """For items in order, the weight of each one's partners with the early item first, strata apart.

    Two different numbers first differ in one binary digit, where the lesser has 0 and the greater 1. So for each digit,
    highest first: items that agree in all higher digits are a segment, and there the early items with 0 face the late
    items with 1. Every split keeps the order within segments.
    """
    digits = int(number.max(initial=0)).bit_length()
    code = (stratum << digits | number) << 1 | early
    found, place = np.zeros_like(weight), np.arange(len(weight))
    for digit in range(digits, 0, -1):
        one = (code >> digit & 1).astype(bool)
        meet = np.flatnonzero(one != (code & 1))
        found[place[meet]] += _facing(code[meet] >> digit + 1, ~one[meet], weight[meet])
        split = np.concatenate([np.flatnonzero(~one), np.flatnonzero(one)])
        place, code, weight = place[split], code[split], weight[split]
    return found
