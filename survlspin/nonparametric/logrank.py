"""The log-rank test of groups, with strata and Harrington and Fleming's weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import chi2

from survlspin.errors import InputError
from survlspin.metrics.inputs import rows_of
from survlspin.nonparametric.limit import Tally, tally_of

__all__ = ["LogRank", "log_rank"]

ROUNDING = 1e-9  # of the largest variance: what is smaller is none


@dataclass(frozen=True, eq=False)
class LogRank:
    """A test that groups have one hazard.

    Attributes
    ----------
    statistic : float
        Chi-squared with `df` degrees of freedom; nan where no two groups were at risk at one event.
    df : int
    p : float
    table : DataFrame
        One row for each group: ``group``, ``n``, ``observed`` and ``expected`` events, weighted where rho is not 0.
    variance : ndarray (groups, groups)
        Of observed minus expected.
    definition : str
    """

    statistic: float
    df: int
    p: float
    table: pd.DataFrame
    variance: np.ndarray
    definition: str

    def __repr__(self) -> str:
        return f"{self.definition}: chi-squared {self.statistic:.2f} on {self.df} df, p {self.p:.3g}"


def log_rank(time, event, group, *, stratum=None, entry=None, rho: float = 0.0) -> LogRank:
    """Test whether groups of patients have the same hazard, as R's ``survdiff`` does.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        1 for an event, 0 for censoring.
    group : array (n,)
        Labels of what is compared.
    stratum : array (n,), optional
        Labels within which groups are compared.
    entry : array (n,), optional
        Delayed entry.
    rho : float
        Events count by the survival before them to this power: 0 the log-rank test, 1 Peto and Peto's Wilcoxon test.

    Returns
    -------
    LogRank

    Raises
    ------
    InputError
        SL-328 with fewer than two groups or without an event; SL-329 for a negative or missing `rho`; with the codes of
        `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Mantel (1966), Evaluation of survival data and two new rank order statistics arising in its consideration, Cancer
    Chemotherapy Reports 50, 163-170. Harrington, Fleming (1982), A class of rank test procedures for censored survival
    data, Biometrika 69, 553-566.

    Examples
    --------
    >>> found = log_rank([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 1], ["a", "a", "a", "b", "b", "b"])
    >>> round(found.statistic, 3), found.df
    (5.052, 1)
    """
    if not 0 <= rho < np.inf:
        raise InputError("SL-329", f"rho={rho!r}.", "Give 0, or a positive power.")
    rows = rows_of(time, event, entry=entry, stratum=stratum)
    labels = rows_of(time, event, stratum=group).strata
    code = pd.Categorical(np.asarray(group), categories=labels).codes
    k = len(labels)
    if k < 2 or not rows.event.any():
        raise InputError("SL-328", f"{k} group(s) with {int(rows.event.sum())} events.", "Give two, and some events.")
    strata = np.zeros(rows.n, np.int64) if rows.stratum is None else rows.stratum
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for s in range(len(rows.strata)):
        mine = strata == s
        entries = None if rows.entry is None else rows.entry[mine]
        found = _stratum(tally_of(rows.time[mine], rows.event[mine], None, entries), code[mine], k, rho)
        observed, expected, variance = observed + found[0], expected + found[1], variance + found[2]
    table = pd.DataFrame(
        {"group": labels, "n": np.bincount(code, minlength=k), "observed": observed, "expected": expected}
    )
    known = {0.0: "log-rank test", 1.0: "Peto and Peto's test"}
    words = known.get(float(rho), f"Harrington and Fleming's test, rho {rho:g}")
    words += " within strata" if stratum is not None else ""
    df = int(np.linalg.matrix_rank(variance, tol=ROUNDING * variance.max(), hermitian=True))
    if not df:
        return LogRank(np.nan, 0, np.nan, table, variance, f"{words}; undefined: no two groups at risk at an event")
    surplus = observed - expected
    statistic = float(surplus @ np.linalg.pinv(variance, rcond=ROUNDING, hermitian=True) @ surplus)
    return LogRank(statistic, df, float(chi2.sf(statistic, df)), table, variance, words)


def _stratum(tally: Tally, group: np.ndarray, k: int, rho: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return observed and expected events (k,) and the variance of their difference (k, k) in one stratum."""
    at = np.flatnonzero(tally.n_event)
    weight = tally.before[at] ** rho
    each = [replace(tally, weight=(group == g).astype(float)) for g in range(k)]
    at_risk, died = (np.array([getattr(one, name)[at] for one in each]) for name in ("n_risk", "n_event"))  # (k, J)
    n, d = tally.n_risk[at], tally.n_event[at]
    share = at_risk / n
    spread = weight**2 * d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag(share @ spread) - (share * spread) @ share.T
    return died @ weight, share @ (weight * d), variance
