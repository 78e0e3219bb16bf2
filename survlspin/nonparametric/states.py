"""The cumulative incidence of competing events by Aalen and Johansen, with the influence of every row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from survlspin._messages import listed
from survlspin.errors import InputError
from survlspin.metrics.estimate import Estimate
from survlspin.metrics.inputs import Rows, rows_of
from survlspin.metrics.probabilities import horizon_of
from survlspin.nonparametric.intervals import check_scale, limits
from survlspin.nonparametric.limit import Tally, step, tallies, tally_of
from survlspin.nonparametric.variance import of_incidence, of_integral

__all__ = ["AalenJohansen", "aalen_johansen", "incidence"]

ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class States:
    """The probability of every state at each time of one stratum (C + 1, K), and its standard error."""

    tally: Tally
    pstate: np.ndarray
    std_err: np.ndarray


@dataclass(frozen=True, eq=False)
class AalenJohansen:
    """The probabilities over time of being without any event, state 0, and of having had each cause's event.

    Attributes
    ----------
    frame : DataFrame
        One row for each stratum, state and time: ``stratum`` (where there are strata), ``state``, ``time``, ``n_risk``,
        ``n_event`` (of the state's cause; of none for state 0), ``pstate``, ``std_err``, ``lower``, ``upper``.
    definition : str
        One line that says what was computed.
    """

    groups: dict  # label -> States
    ci: str
    alpha: float
    definition: str

    @property
    def frame(self) -> pd.DataFrame:
        tables = {label: self._table(states) for label, states in self.groups.items()}
        if None in tables:
            return tables[None]
        return pd.concat(tables, names=["stratum"]).reset_index(level=0).reset_index(drop=True)

    def at(self, t, cause: int = 1, stratum=None) -> np.ndarray:
        """Return the probability of having had the event of a `cause` by the times `t`; 0: of none; of one stratum.

        SL-412 for a stratum, SL-326 for a cause that is not there.
        """
        if stratum not in self.groups:
            found = f"stratum={stratum!r}; there are {listed(map(repr, self.groups))}."
            raise InputError("SL-412", found, "Name one; None where there are none.")
        states = self.groups[stratum]
        if cause not in range(len(states.pstate)):
            raise InputError("SL-326", f"cause={cause!r}; there are 0 to {len(states.pstate) - 1}.", "Name one.")
        return step(states.tally.time, states.pstate[cause], t, float(cause == 0))

    def _table(self, states: States) -> pd.DataFrame:
        tally = states.tally
        low, high = limits(states.pstate, states.std_err, self.ci, self.alpha)
        events = np.concatenate([np.zeros((1, len(tally.time))), tally.by_code[1:]])
        columns = {"n_event": events, "pstate": states.pstate, "std_err": states.std_err, "lower": low, "upper": high}
        state = np.repeat(np.arange(len(events)), len(tally.time))
        known = {"state": state, "time": np.tile(tally.time, len(events)), "n_risk": np.tile(tally.n_risk, len(events))}
        return pd.DataFrame({**known, **{name: values.ravel() for name, values in columns.items()}})


def aalen_johansen(
    time, event, *, weight=None, entry=None, stratum=None, cluster=None, ci: str = "log", alpha: float = ALPHA
) -> AalenJohansen:
    """Cumulative incidences of competing events, equal to R's ``survfit`` of an event with several states.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1, 2, ... for the causes.
    weight, entry, stratum, cluster : arrays (n,), optional
        Case weights, delayed entry, labels of groups with curves of their own, labels of rows that are not independent.
    ci : {"log", "plain", "log-log", "logit", "arcsin"}
        The scale, of each probability, on which its interval is symmetric.
    alpha : float in (0, 1)
        One minus the coverage of intervals.

    Returns
    -------
    AalenJohansen
        With standard errors by the infinitesimal jackknife.

    Raises
    ------
    InputError
        SL-323 without a row of positive weight, SL-324 for an unknown `ci` or `alpha`; with the codes of
        `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Aalen, Johansen (1978), An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations, Scandinavian Journal of Statistics 5, 141-150.

    Examples
    --------
    >>> curves = aalen_johansen([1, 2, 3, 4], [1, 2, 0, 1])
    >>> curves.at([1, 4], cause=1), curves.at([1, 4], cause=2)
    (array([0.25, 0.75]), array([0.  , 0.25]))
    """
    check_scale(ci, alpha)
    rows = rows_of(time, event, entry=entry, weight=weight, stratum=stratum, cluster=cluster, causes=True)
    groups = {label: _states(tally, own) for label, tally, own in tallies(rows, rows.n_causes)}
    return AalenJohansen(groups, ci, alpha, f"Aalen-Johansen; {1 - alpha:.0%} on the {ci} scale")


def _states(tally: Tally, cluster: np.ndarray | None) -> States:
    per_survivor = np.divide(1.0, tally.survivors, out=np.zeros(len(tally.time)), where=tally.survivors > 0)
    none = of_integral(tally, cluster, per_survivor, per_survivor * tally.n_event / tally.n_risk)
    squares = [tally.survival**2 * none] + [of_incidence(tally, cluster, c) for c in range(1, tally.n_causes + 1)]
    events = np.cumsum(tally.before * tally.by_code[1:] / tally.n_risk, axis=1)
    return States(tally, np.concatenate([tally.survival[None], events]), np.sqrt(squares))


def incidence(
    time, event, horizon, *, cause: int = 1, weight=None, entry=None, cluster=None, ci: str = "log"
) -> Estimate | tuple[Estimate, ...]:
    """The probability that an event of one cause happens by a horizon: what a model's predictions should average to.

    Kaplan and Meier's 1 - S where there is one cause, Aalen and Johansen's estimate where there are more.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        0 for censoring, 1 for the event; with competing risks 1, 2, ... for the causes.
    horizon : float or sequence of float
        Events at it count. One beyond the last time is refused.
    cause : int
        The event that is meant.
    weight, entry : arrays (n,), optional
        Case weights, and delayed entry.
    cluster : array (n,), optional
        Labels of rows that are not independent.
    ci : {"log", "plain", "log-log", "logit", "arcsin"}
        The scale, of the incidence, on which the 95 % interval is symmetric.

    Returns
    -------
    Estimate, or a tuple of them, one for each horizon
        ``influence`` (n,) holds each row's weight times the derivative of the value with respect to it; with clusters
        (C,), in the order of their labels, those of the rows added up. Its squares sum to ``se ** 2``.

    Raises
    ------
    InputError
        SL-306 for a horizon beyond the last time, SL-307 for one that is no time, SL-323 without rows, SL-324 for an
        unknown `ci`, SL-326 for a cause that does not occur; with the codes of `survlspin.metrics.inputs.rows_of`.

    References
    ----------
    Aalen, Johansen (1978), An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations, Scandinavian Journal of Statistics 5, 141-150.

    Examples
    --------
    >>> found = incidence([1, 2, 3, 4], [1, 2, 0, 1], horizon=2)
    >>> found.value, round(found.se, 4)
    (0.25, 0.2165)
    """
    check_scale(ci, ALPHA)
    rows = rows_of(time, event, entry=entry, weight=weight, cluster=cluster, causes=True)
    check_cause(cause, rows.event)
    tally = tally_of(rows.time, rows.event, rows.weight, rows.entry, rows.n_causes)
    found = tuple(_incidence(tally, rows, t, cause, ci) for t in horizon_of(rows, horizon).tolist())
    return found if np.ndim(horizon) else found[0]


def check_cause(cause: int, code: np.ndarray) -> None:
    """Refuse a cause that is no code of an event; a lone cause may have no event."""
    known = sorted({1, *np.unique(code).tolist()} - {0})
    if cause not in known:
        raise InputError("SL-326", f"cause={cause!r} does not occur; the causes are {known}.", "Name one.")


def _incidence(tally: Tally, rows: Rows, horizon: float, cause: int, ci: str) -> Estimate:
    value, influence = incidence_at(tally, horizon, cause)
    influence = rows.pooled(influence)
    se = float(np.sqrt(np.sum(influence**2)))
    low, high = limits(np.array([value]), np.array([se]), ci, ALPHA)
    way = "Kaplan-Meier, 1 - S" if tally.n_causes == 1 else f"Aalen-Johansen, cause {cause}"
    words = f"observed by {horizon:g} ({way}{'; clustered' if rows.cluster is not None else ''}); 95% on the {ci} scale"
    return Estimate(value, se, float(low[0]), float(high[0]), words, influence, rows=rows.digest)


def incidence_at(tally: Tally, horizon: float, cause: int) -> tuple[float, np.ndarray]:
    """Return the incidence at a horizon and the influence of each row on it (n,).

    With x_i(l) the martingale increment of a row at a time l over the number of survivors of that time, a row moves the
    survival by ``-S sum_l x_i(l)``, and so every later jump of the incidence; summed by parts, the row's events and its
    time at risk count by two functions of time.
    """
    past = tally.time <= horizon
    hazard = tally.by_code[cause] / tally.n_risk
    curve = np.cumsum(tally.before * hazard)
    value = float(curve[past][-1]) if past.any() else 0.0
    rest = np.where(past, value - curve, 0.0)  # what is still to come until the horizon
    per_survivor = np.divide(1.0, tally.survivors, out=np.zeros(len(rest)), where=tally.survivors > 0)
    own, any_event = np.where(past, tally.before / tally.n_risk, 0.0), rest * per_survivor
    jumps = own * hazard - any_event * tally.n_event / tally.n_risk
    events = own[tally.place] * (tally.code == cause) - any_event[tally.place] * (tally.code > 0)
    return value, tally.weight * (events - tally.through(jumps))
