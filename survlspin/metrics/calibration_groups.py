"""Calibration without a model: observed risk in groups of predicted risk, and D-calibration."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.stats import chi2

from survlspin.errors import InputError
from survlspin.metrics.calibration_estimate import per_horizon
from survlspin.metrics.estimate import Z95
from survlspin.metrics.inputs import Rows, refuse_empty, rows_of
from survlspin.metrics.probabilities import probabilities
from survlspin.metrics.splines import weighted_quantile
from survlspin.nonparametric.intervals import limits
from survlspin.nonparametric.limit import tally_of
from survlspin.nonparametric.states import check_cause, incidence_at

__all__ = ["DCalibration", "calibration_groups", "d_calibration"]


def calibration_groups(
    time, event, probability, horizon, *, groups: int = 10, cause: int = 1, weight=None
) -> pd.DataFrame | tuple[pd.DataFrame, ...]:
    """Compare predicted with observed risk in groups of patients of similar prediction.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    probability : array (n,), or (n, m) for m horizons
        Predicted probability of the event by the horizon.
    horizon : float, or sequence of m
    groups : int
        At least 2, cut at the quantiles of the predictions; fewer groups where predictions are tied, and one for each
        prediction where there are no more than `groups`.
    cause : int
        The event that is predicted.
    weight : array (n,), optional
        Case weights, at least 0.

    Returns
    -------
    DataFrame, or a tuple of them, one for each horizon
        A row for each group: ``n``, ``events`` of the cause by the horizon, ``n_risk`` at risk at it, the mean
        ``predicted``, and the ``observed`` risk with its 95 % limits ``low`` and ``high``: Kaplan and Meier's 1 - S
        with limits on the log scale of S, or Aalen and Johansen's incidence with limits on its log scale. A group in
        which nobody is left at the horizon keeps the last value of its curve, as with R's ``extend=TRUE``.

    Raises
    ------
    InputError
        SL-316 for fewer than 2 groups; with the codes of `survlspin.metrics.observed_expected`.

    Examples
    --------
    >>> table = calibration_groups([1, 2, 3, 4], [1, 1, 0, 1], [0.9, 0.8, 0.1, 0.2], horizon=2, groups=2)
    >>> table[["n", "predicted", "observed"]].round(3).to_numpy().tolist()
    [[2.0, 0.15, 0.0], [2.0, 0.85, 1.0]]
    """
    _check_number("groups", groups)
    rows = rows_of(time, event, weight=weight, causes=True)
    check_cause(cause, rows.event)

    def of(p: np.ndarray, h: float) -> pd.DataFrame:
        present = rows.case_weight > 0
        ends = np.unique(p[present])  # the greatest prediction of each group, or more
        if len(ends) > groups:
            ends = np.unique(weighted_quantile(p, np.linspace(0, 1, groups + 1)[1:], rows.weight))
        group = np.searchsorted(ends[:-1], p, side="left")
        parts = [np.flatnonzero((group == k) & present) for k in range(len(ends))]
        return pd.DataFrame([_group(rows, part, p[part], h, cause) for part in parts if len(part)])

    return per_horizon(rows, probability, horizon, of)


def _check_number(name: str, number) -> None:
    if not isinstance(number, Integral) or number < 2:
        raise InputError("SL-316", f"{name}={number!r}.", "Give a whole number, 2 or more.")


def _group(rows: Rows, part: np.ndarray, p: np.ndarray, horizon: float, cause: int) -> dict[str, float]:
    """One group's line; Greenwood's variance for one cause, as in R, else that of the influence."""
    time, code, weight = rows.time[part], rows.event[part], rows.case_weight[part]
    tally = tally_of(time, code, weight, None, rows.n_causes)
    observed, influence = incidence_at(tally, horizon, cause)
    if rows.n_causes == 1:
        past = tally.time <= horizon
        left, at_risk = tally.survivors[past], tally.n_risk[past]
        terms = np.divide(tally.n_event[past], left * at_risk, out=np.zeros(len(left)), where=left > 0)
        factor = np.exp(Z95 * np.sqrt(terms.sum()))
        low, high = 1 - min((1 - observed) * factor, 1.0), 1 - (1 - observed) / factor
    else:
        ends = limits(np.array([observed]), np.sqrt([np.sum(influence**2)]), "log", 0.05)
        low, high = (float(end[0]) for end in ends)
    return {
        "n": float(weight.sum()),
        "events": float(weight[(code == cause) & (time <= horizon)].sum()),
        "n_risk": float(weight[time >= horizon].sum()),
        "predicted": float(np.average(p, weights=weight)),
        "observed": observed,
        "low": low,
        "high": high,
    }


@dataclass(frozen=True, eq=False, repr=False)
class DCalibration:
    """Whether predicted probabilities at patients' own times are evenly spread.

    Attributes
    ----------
    statistic, df, p : float
        Pearson's chi-squared against equal shares, its degrees of freedom, and the p-value.
    bins : DataFrame
        ``low`` and ``high`` end of the survival probability, and the ``count`` in the bin; ``expected`` is n / bins.
    definition : str
    """

    statistic: float
    df: int
    p: float
    bins: pd.DataFrame
    definition: str

    def __repr__(self) -> str:
        return f"chi-squared {self.statistic:.3f} on {self.df} df, p = {self.p:.4f} {self.definition}"


def d_calibration(time, event, probability, *, bins: int = 10) -> DCalibration:
    """D-calibration: at the own event times, predicted survival should be uniform between 0 and 1.

    Parameters
    ----------
    time, event : arrays (n,)
        Follow-up time; 1 for an event, 0 for censoring. The times serve to check the rows only.
    probability : array (n,)
        Predicted probability of the event by each patient's *own* time, 1 - S(time_i).
    bins : int
        At least 2, of equal width.

    Returns
    -------
    DCalibration
        A patient censored at survival s might have had the event at any lower one: of the bin that s is in, the share
        of it below s counts, over s, and of each bin below it, its width over s. There are no weights: with them the
        test would have no meaning. Under heavy censoring it is conservative; it says nothing of how far off
        predictions are, and in large samples finds differences of no importance.

    Raises
    ------
    InputError
        SL-316 for fewer than 2 bins, SL-323 without rows; with the codes of `survlspin.metrics.inputs` and
        `survlspin.metrics.probabilities.probabilities`.

    References
    ----------
    Haider, Hoehn, Davis, Greiner (2020), Effective ways to build and evaluate individual survival distributions, JMLR
    21(85), section 3.5 and appendix B.

    Examples
    --------
    >>> found = d_calibration([1, 2], [1, 0], [0.75, 0.2], bins=2)
    >>> found.bins["count"].tolist()
    [1.625, 0.375]
    """
    _check_number("bins", bins)
    rows = rows_of(time, event)
    refuse_empty(rows)
    s = 1 - probabilities(probability, 1.0, rows.n)[:, 0].astype(np.float64)
    place = np.minimum((s * bins).astype(int), bins - 1)
    died, censored = rows.event, ~rows.event
    count = np.bincount(place[died], minlength=bins).astype(float)
    s, place = s[censored], place[censored]
    whole = np.divide(1 / bins, s, out=np.zeros(len(s)), where=s > 0)  # of a bin below
    own = 1 - place * whole
    count += np.bincount(place, own, minlength=bins)
    count += np.append(np.bincount(place, whole, minlength=bins)[::-1].cumsum()[::-1][1:], 0.0)
    expected = rows.n / bins
    statistic = float(np.sum((count - expected) ** 2) / expected)
    edges = np.linspace(0, 1, bins + 1)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": count, "expected": expected})
    words = f"D-calibration of S(own time) in {bins} bins, censored rows spread over the bins below"
    return DCalibration(statistic, bins - 1, float(chi2.sf(statistic, bins - 1)), table, words)
