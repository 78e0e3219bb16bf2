"""Kaplan-Meier and Nelson-Aalen curves with R's standard errors and limits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.metrics.estimate import Z95, Estimate
from survlspin.metrics.inputs import rows_of
from survlspin.nonparametric.intervals import check_scale, limits
from survlspin.nonparametric.limit import Tally, tallies, tally_of
from survlspin.nonparametric.results import Group, Sums, SurvivalCurves, areas, check_tau

__all__ = ["follow_up", "kaplan_meier", "nelson_aalen", "restricted_mean"]

TIES = ("breslow", "fleming-harrington")


def kaplan_meier(
    time,
    event,
    *,
    weight=None,
    entry=None,
    stratum=None,
    cluster=None,
    robust: bool | None = None,
    ci: str = "log",
    alpha: float = 0.05,
) -> SurvivalCurves:
    """Kaplan-Meier curves, equal to R's ``survfit``.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit. Times are tied when they are equal; `survlspin.Outcome.of` makes those equal that
        differ by rounding.
    event : array (n,)
        1 for an event, 0 for censoring.
    weight : array (n,), optional
        Case weights, at least 0.
    entry : array (n,), optional
        Delayed entry: at risk on ``(entry, time]``.
    stratum : array (n,), optional
        Labels; each stratum has a curve of its own.
    cluster : array (n,), optional
        Labels of rows that are not independent, which makes the errors robust.
    robust : bool, optional
        Whether standard errors are the infinitesimal jackknife's instead of Greenwood's. None, as in R: with clusters,
        or weights that are not whole numbers.
    ci : {"log", "plain", "log-log", "logit", "arcsin"}
        The scale on which intervals are symmetric.
    alpha : float in (0, 1)
        One minus the coverage of intervals.

    Returns
    -------
    SurvivalCurves

    Raises
    ------
    InputError
        SL-323 without a row of positive weight, SL-324 for an unknown `ci` or `alpha`; with the codes of
        `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53, 457-481. Greenwood (1926), The
    natural duration of cancer, Reports on Public Health and Medical Subjects 33.

    Examples
    --------
    >>> curves = kaplan_meier([2, 3, 3, 5, 8], [1, 1, 0, 1, 0])
    >>> curves.quantile(0.5)[["time", "lower"]].to_numpy()
    array([[5., 3.]])
    """
    check_scale(ci, alpha)
    words = f"Kaplan-Meier; {1 - alpha:.0%} on the {ci} scale"
    return _curves(_kaplan_meier, words, time, event, weight, entry, stratum, cluster, robust, ci, alpha)


def nelson_aalen(
    time,
    event,
    *,
    weight=None,
    entry=None,
    stratum=None,
    cluster=None,
    robust: bool | None = None,
    ties: str = "breslow",
    ci: str = "log",
    alpha: float = 0.05,
) -> SurvivalCurves:
    """Nelson and Aalen's cumulative hazards, and the survival curves ``exp(-cumhaz)``: R's ``survfit(stype=2)``.

    Parameters
    ----------
    time, event, weight, entry, stratum, cluster, robust, ci, alpha
        As in `kaplan_meier`.
    ties : {"breslow", "fleming-harrington"}
        Whether events at one time share the risk set, or happen one after another (R's ``ctype`` 1 and 2).

    Returns
    -------
    SurvivalCurves

    Raises
    ------
    InputError
        SL-324 for unknown `ties`; SL-327 for robust errors with ``ties="fleming-harrington"``; with the codes of
        `kaplan_meier`.

    References
    ----------
    Aalen (1978), Nonparametric inference for a family of counting processes, Annals of Statistics 6, 701-726. Fleming,
    Harrington (1984), Nonparametric estimation of the survival distribution in censored data, Communications in
    Statistics 13, 2469-2486.

    Examples
    --------
    >>> nelson_aalen([2, 3, 3, 5, 8], [1, 1, 0, 1, 0]).frame["cumhaz"].to_numpy()
    array([0.2 , 0.45, 0.95, 0.95])
    """
    check_scale(ci, alpha)
    if ties not in TIES:
        raise InputError("SL-324", f"ties={ties!r}.", f"Use one of {', '.join(TIES)}.")
    sums = _nelson_aalen if ties == "breslow" else _fleming_harrington
    words = f"Nelson-Aalen ({ties} ties), survival exp(-cumhaz); {1 - alpha:.0%} on the {ci} scale"
    return _curves(sums, words, time, event, weight, entry, stratum, cluster, robust, ci, alpha)


def follow_up(time, event, *, weight=None, entry=None, stratum=None, p=0.5) -> pd.DataFrame:
    """Quantiles of the time until censoring by the reverse Kaplan-Meier method: the median follow-up.

    Parameters
    ----------
    time, event, weight, entry, stratum
        As in `kaplan_meier`; any event, coded 1, 2, ..., counts as the end of what could be seen.
    p : float or sequence of float
        Shares.

    Returns
    -------
    DataFrame
        ``stratum`` (where there are strata), ``p``, ``time``, ``lower``, ``upper``.

    References
    ----------
    Schemper, Smith (1996), A note on quantifying follow-up in studies of failure time, Controlled Clinical Trials 17,
    343-346.

    Examples
    --------
    >>> follow_up([2, 3, 3, 5, 8], [1, 1, 0, 0, 0])["time"].to_numpy()
    array([5.])
    """
    codes = rows_of(time, event, causes=True).event
    return kaplan_meier(time, codes == 0, weight=weight, entry=entry, stratum=stratum).quantile(p)


def restricted_mean(time, event, tau: float, *, weight=None, entry=None, cluster=None) -> Estimate:
    """The mean time lived until `tau`, the area below the Kaplan-Meier curve, with the influence of every row.

    Parameters
    ----------
    time, event, weight, entry, cluster
        As in `kaplan_meier`.
    tau : float
        In the unit of `time`, not beyond its last.

    Returns
    -------
    Estimate
        ``influence`` (n,), of clusters (C,), whose squares sum to ``se ** 2``; without weights, clusters and delayed
        entry `se` is Greenwood's.

    Raises
    ------
    InputError
        SL-306 where `tau` is beyond the last time, or not above 0; SL-323 without rows; with the codes of
        `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Irwin (1949), The standard error of an estimate of expectation of life, Journal of Hygiene 47, 188-189.

    Examples
    --------
    >>> restricted_mean([2, 4, 6, 8], [1, 0, 1, 0], tau=6).value
    5.0
    """
    rows = rows_of(time, event, entry=entry, weight=weight, cluster=cluster)
    tally = tally_of(rows.time, rows.event, rows.weight, rows.entry)
    check_tau(tau, tally.time[-1])
    value, later = areas(tally.time, tally.survival, tau)
    influence = rows.pooled(-Group(tally, True, None).influence_on_sum(_kaplan_meier(tally)[0], later))
    se = float(np.linalg.norm(influence))
    words = f"restricted mean time, tau {tau:g} (Kaplan-Meier)"
    return Estimate(value, se, value - Z95 * se, value + Z95 * se, words, influence, rows=rows.digest)


def _curves(estimate, words, time, event, weight, entry, stratum, cluster, robust, ci, alpha) -> SurvivalCurves:
    """Apply `estimate`, which makes of a Tally the sums of its survival and of its hazard, to each stratum."""
    rows = rows_of(time, event, entry=entry, weight=weight, stratum=stratum, cluster=cluster)
    if robust is None:
        robust = cluster is not None or (rows.weight is not None and bool((rows.weight % 1 != 0).any()))
    groups = {}
    for label, tally, own in tallies(rows):
        survival, hazard = estimate(tally)
        group = Group(tally, robust, own)
        groups[label] = group, survival, _frame(group, survival, hazard, ci, alpha)
    return SurvivalCurves(groups, alpha, ci, f"{words}; robust errors" if robust else words)


def _frame(group: Group, survival: Sums, hazard: Sums, ci: str, alpha: float) -> pd.DataFrame:
    tally, curve = group.tally, np.exp(-survival.total)
    std_err = curve * group.error(survival)
    if not group.robust:
        std_err[curve == 0] = np.nan  # Greenwood's sum has no end there
    low, high = limits(curve, std_err, ci, alpha)
    columns = {"time": tally.time, "n_risk": tally.n_risk, "n_event": tally.n_event, "n_censor": tally.by_code[0]}
    columns |= {"survival": curve, "std_err": std_err, "lower": low, "upper": high}
    return pd.DataFrame({**columns, "cumhaz": hazard.total, "std_chaz": group.error(hazard)})


def _kaplan_meier(tally: Tally) -> tuple[Sums, Sums]:
    per_survivor = np.divide(1.0, tally.survivors, out=np.zeros(len(tally.time)), where=tally.survivors > 0)
    with np.errstate(divide="ignore"):
        minus_log = -np.log(tally.survival)
    return Sums(minus_log, per_survivor, per_survivor * tally.n_event / tally.n_risk), _nelson_aalen(tally)[0]


def _nelson_aalen(tally: Tally) -> tuple[Sums, Sums]:
    hazard = tally.n_event / tally.n_risk
    return (Sums(np.cumsum(hazard), 1 / tally.n_risk, hazard / tally.n_risk),) * 2


def _fleming_harrington(tally: Tally) -> tuple[Sums, Sums]:
    dead = (tally.code > 0) & (tally.weight > 0)
    count = np.bincount(tally.place[dead], minlength=len(tally.time))
    at = np.repeat(np.arange(len(count)), count)
    order = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    share = (tally.n_event / np.maximum(count, 1))[at]
    left = tally.n_risk[at] - order * share
    hazard, jumps = (np.bincount(at, a, minlength=len(count)) for a in (share / left, share / left**2))
    return (Sums(np.cumsum(hazard), None, jumps),) * 2
