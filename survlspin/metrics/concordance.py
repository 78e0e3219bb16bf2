"""Concordance of a risk with time: Harrell's C, Uno's, and other weights of time.

Values, standard errors and counts are those of ``concordance(..., reverse=TRUE)`` of R's survival package.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.metrics.estimate import Estimate, logit_interval, undefined
from survlspin.metrics.inputs import Rows, predicted, rows_of
from survlspin.metrics.pairs import KINDS, count_pairs
from survlspin.metrics.time_table import TimeTable, time_table

__all__ = ["concordance", "concordance_of", "uno"]

NAMES = {"n": "Harrell", "n/G2": "Uno"}
TIES = {  # the words for it, and what a pair of each kind adds above and below
    "half": ("risk ties 1/2", (1, 0, 0.5, 0, 0), (1, 1, 1, 0, 0)),
    "dropped": ("risk ties dropped", (1, 0, 0, 0, 0), (1, 1, 0, 0, 0)),
}
TIMEWT = ("n", "S", "S/G", "n/G2", "I")
LEAST_G = 0.05  # the least share still uncensored at which patients can stand for the others


def concordance(
    time,
    event,
    risk,
    *,
    entry=None,
    weight=None,
    stratum=None,
    cluster=None,
    timewt="n",
    tau=None,
    ties="half",
    force=False,
) -> Estimate:
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
        Labels. Pairs are formed within strata and pooled; S and G below are those of the stratum.
    cluster : array (n,), optional
        Labels of rows that are not independent, such as those of one patient: their influence is summed.
    timewt : {"n", "S", "S/G", "n/G2", "I"}
        What a pair counts whose early event is at t, as in R: 1; N S(t-) / n(t); N S(t-) / (G(t-) n(t));
        1 / G(t-) ** 2, Uno's C; 1 / n(t). N is the sum of weights, n(t) that of those at risk, S and G are the
        Kaplan-Meier curves of the event and of censoring of these rows, with censorings after events at ties. Their own
        uncertainty is not in `se`, as in R.
    tau : float, optional
        Pairs whose early event is after `tau` are left out. Without, all count.
    ties : {"half", "dropped"}
        Whether pairs with equal risks count one half, as in R, or not at all.
    force : bool
        Allow weights 1 / G where G is below 0.05, where few patients stand for many.

    Returns
    -------
    Estimate
        ``value`` is (concordant + tied.x / 2) / (concordant + discordant + tied.x), nan without such a pair. ``se`` is
        the infinitesimal jackknife: ``influence`` holds each patient's weight times the derivative of C with respect to
        it (n,), or the sum of these for each cluster. ``low`` and ``high`` are 95 % limits on the logit scale.
        ``counts`` has R's five sums of pair weights, one row per stratum: ``tied.x`` the risks are equal; ``tied.y``
        two events at one time, ``tied.xy`` and the risks are equal, too; these last two do not enter C.

    Raises
    ------
    InputError
        SL-331 lengths differ; SL-332 a risk is missing or infinite; SL-333 an outcome that cannot be ranked; SL-334
        `tau` is beyond the last time; SL-335 G is below 0.05; SL-336 an unknown `timewt` or `ties`; SL-337 `timewt`
        needs G, which delayed entry leaves unknown.

    References
    ----------
    Harrell, Califf, Pryor, Lee, Rosati (1982), Evaluating the yield of medical tests, JAMA 247, 2543-2546.
    Uno, Cai, Pencina, D'Agostino, Wei (2011), On the C-statistics for evaluating overall adequacy of risk prediction
    procedures with censored survival data, Statistics in Medicine 30, 1105-1117.
    Therneau, Atkinson, Concordance, vignette of the R package survival, sections 2 to 4.

    Examples
    --------
    >>> concordance(time=[5, 8, 8, 12], event=[1, 1, 0, 0], risk=[2.0, 0.5, 0.5, 1.0]).value
    0.7
    """
    rows = rows_of(time, event, entry=entry, weight=weight, stratum=stratum, cluster=cluster)
    risk = predicted("risk", risk, rows.n)
    table = time_table(rows)
    for option, value, known in (("timewt", timewt, TIMEWT), ("ties", ties, TIES)):
        if value not in known:
            raise InputError(
                "SL-336", f"{option}={value!r} is unknown.", f"Choose among {', '.join(map(repr, known))}."
            )
    time_weight, words = _time_weight(rows, table, timewt, tau, force)
    pairs = count_pairs(rows, risk, table, time_weight)
    tied, *factors = TIES[ties]
    value, influence = pairs.ratio(*factors)
    name = NAMES.get(timewt, f"time weight {timewt}")
    definition = "; ".join([name, tied, "time ties as R survival", *words, *conventions(rows)])
    return share(rows, value, influence, f"C({definition})", pd.DataFrame(pairs.counts, rows.strata, KINDS))


def uno(time, event, risk, tau, *, weight=None, stratum=None, cluster=None, force=False) -> Estimate:
    """Uno's C: what `concordance` of events up to `tau` would be without censoring.

    Parameters
    ----------
    time, event, risk, weight, stratum, cluster, force
        As in `concordance`.
    tau : float
        The last event time that counts, at most the last time; commonly the horizon of interest.

    Returns
    -------
    Estimate
        ``concordance(..., timewt="n/G2", tau=tau)``.

    Raises
    ------
    InputError
        As in `concordance`.
    """
    return concordance(
        time, event, risk, weight=weight, stratum=stratum, cluster=cluster, timewt="n/G2", tau=tau, force=force
    )


def concordance_of(outcome, risk) -> Estimate:
    """`concordance` of an `Outcome`, with the entry times, weights and strata that it carries."""
    return concordance(
        outcome.time, outcome.event, risk, entry=outcome.entry, weight=outcome.weight, stratum=outcome.stratum
    )


def conventions(rows: Rows) -> list[str]:
    """What a definition says of the rows beside times and events."""
    said = {
        "weighted": rows.weight,
        "within strata": rows.stratum,
        "delayed entry": rows.entry,
        "by cluster": rows.cluster,
    }
    return [word for word, column in said.items() if column is not None]


def share(rows: Rows, value, influence, definition, counts=None) -> Estimate:
    """A share of pairs as an `Estimate`; `influence` is that of each row (n,)."""
    if np.isnan(value):
        return undefined(rows, definition, "no comparable pairs", counts)
    influence = rows.pooled(influence)
    se = float(np.sqrt(np.sum(influence**2)))
    words = f"{definition}; 95% on the logit scale"
    return Estimate(value, se, *logit_interval(value, se), words, influence, counts, rows.digest)


def _time_weight(rows: Rows, table: TimeTable, timewt, tau, force) -> tuple[np.ndarray | None, list[str]]:
    """What a pair counts whose early event is at each time of the table, None where always 1; and the words for it."""
    _check_weights(rows, timewt, tau)
    if timewt == "n" and tau is None:
        return None, []
    counted = (table.died > 0) & (True if tau is None else table.time <= tau)
    words = ["no tau" if tau is None else f"tau={tau:g}"]
    if "G" in timewt:
        least = table.censoring[counted].min(initial=1)
        if least < LEAST_G and not force:
            raise InputError(
                "SL-335",
                f"The share of patients still uncensored, G, falls to {least:.2g} at the events that count.",
                f"Choose an earlier tau, where G is at least {LEAST_G}, or say force=True.",
            )
        words.append(f"G=Kaplan-Meier of censoring of these rows, {least:.3f} at the last event")
    counted_weight = np.zeros(len(table.time))
    counted_weight[counted] = _weights(table, timewt, counted)
    return counted_weight, words


def _weights(table: TimeTable, timewt, counted) -> np.ndarray:
    at_risk = table.at_risk[counted]
    if timewt == "n":
        return np.ones(len(at_risk))
    if timewt == "I":
        return 1 / at_risk
    if timewt == "n/G2":
        return 1 / table.censoring[counted] ** 2
    total = np.bincount(table.stratum, table.left)[table.stratum[counted]]
    by_s = total * table.survival[counted] / at_risk
    return by_s if timewt == "S" else by_s / table.censoring[counted]


def _check_weights(rows: Rows, timewt, tau) -> None:
    if "G" in timewt and rows.entry is not None:
        raise InputError(
            "SL-337", f"timewt={timewt!r} needs G, which is not known with delayed entry.", "Use 'n', 'S' or 'I'."
        )
    check_tau(rows, tau)


def check_tau(rows: Rows, tau) -> None:
    """Refuse a `tau` beyond the last time: what is after it, nobody knows."""
    if tau is not None and not (isinstance(tau, Real) and tau <= rows.last):
        raise InputError("SL-334", f"tau={tau} is not a time within follow-up of these rows.", "Choose an earlier tau.")
