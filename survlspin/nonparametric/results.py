"""What survival curves say: values at times, quantiles and restricted means, with their errors."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from scipy.stats import norm

from survlspin.errors import InputError
from survlspin.nonparametric.limit import Tally, step
from survlspin.nonparametric.variance import of_integral

__all__ = ["Group", "Sums", "SurvivalCurves", "areas", "check_tau"]

SAME = np.sqrt(np.finfo(float).eps)  # two probabilities so close are one


@dataclass(frozen=True, eq=False)
class Sums:
    """A running sum over times, a cumulative hazard or minus the log of a survival curve, and what its error needs.

    Parameters
    ----------
    total : array (K,)
    per_event, jumps : arrays (K,)
        How the influence of a row grows with its event and falls with each time at risk; the running sum of ``jumps``
        is also the variance where errors are not robust. ``per_event`` is None where the influence is not known.
    """

    total: np.ndarray
    per_event: np.ndarray | None
    jumps: np.ndarray

    @property
    def influence_of_events(self) -> np.ndarray:
        """What an event adds, where it is known; SL-327 where not."""
        if self.per_event is None:
            raise InputError("SL-327", "robust errors of a curve with ties one after another.", "Use ties='breslow'.")
        return self.per_event


@dataclass(frozen=True, eq=False)
class Group:
    """The rows of one stratum, counted; whether errors are robust, and over which clusters."""

    tally: Tally
    robust: bool
    cluster: np.ndarray | None

    def error(self, sums: Sums) -> np.ndarray:
        """Return the standard error of a running sum at each time (K,)."""
        if not self.robust:
            return np.sqrt(np.cumsum(sums.jumps))
        return np.sqrt(of_integral(self.tally, self.cluster, sums.influence_of_events, sums.jumps))

    def error_of_sum(self, sums: Sums, factor: np.ndarray) -> float:
        """Return the standard error of the sum of the steps times the `factor` (K,) of each time."""
        if not self.robust:
            return float(np.sqrt(np.sum(factor**2 * sums.jumps)))
        influence = self.influence_on_sum(sums, factor)
        return float(np.linalg.norm(influence if self.cluster is None else np.bincount(self.cluster, influence)))

    def influence_on_sum(self, sums: Sums, factor: np.ndarray) -> np.ndarray:
        """Return each row's influence on the sum of the steps times the `factor` (K,) of each time, (n,)."""
        own = (factor * sums.influence_of_events)[self.tally.place] * (self.tally.code > 0)
        return self.tally.weight * (own - self.tally.through(factor * sums.jumps))


@dataclass(frozen=True, eq=False)
class SurvivalCurves:
    """Survival curves of one group of patients or several, with their errors.

    Attributes
    ----------
    frame : DataFrame
        One row for each time of each stratum: ``stratum`` (where there are strata), ``time``, ``n_risk``, ``n_event``,
        ``n_censor``, ``survival``, ``std_err`` (of the survival), ``lower``, ``upper``, ``cumhaz``, ``std_chaz``.
    definition : str
        One line that says what was computed.
    """

    groups: dict  # label -> (Group, the curve's Sums, the curve)
    alpha: float
    ci: str
    definition: str

    @property
    def frame(self) -> pd.DataFrame:
        return self._joined(lambda group, sums, curve: curve)

    def at(self, times) -> pd.DataFrame:
        """Return the curves at `times` (m,), ascending.

        The columns are those of `frame`; ``n_risk`` are those at risk just before each time, ``n_event`` and
        ``n_censor`` count since the time before in `times`, its own included; SL-329 where one is missing.
        """
        times = np.sort(_numbers("times", times))
        return self._joined(lambda group, sums, curve: _at(group.tally, curve, times))

    def quantile(self, p=0.5) -> pd.DataFrame:
        """Return the times by which the share `p` (m,) has had the event, with limits, in columns ``p``, ``time``,
        ``lower`` and ``upper``; SL-329 where `p` is no share.

        Where the curve is flat at 1 - p the middle of the flat part is taken, as in R; nan where it stays above.
        """
        shares = _numbers("p", p)
        if not ((shares > 0) & (shares < 1)).all():
            raise InputError("SL-329", "p is not between 0 and 1.", "Give shares: 0.5 for the median.")
        return self._joined(lambda group, sums, curve: _quantiles(curve, shares))

    def rmst(self, tau: float) -> pd.DataFrame:
        """Return the mean time lived until `tau`, the area below the curve: ``tau``, ``rmst``, ``std_err``, ``lower``,
        ``upper``.

        A stratum that ends before `tau` counts as flat from there on.

        Raises
        ------
        InputError
            SL-306 where `tau` is beyond the last time of every stratum, or not above 0.
        """
        check_tau(tau, max(group.tally.time[-1] for group, _, _ in self.groups.values()))
        return self._joined(lambda *group: _restricted_mean(*group, tau=float(tau), alpha=self.alpha))

    def _joined(self, table_of) -> pd.DataFrame:
        if None in self.groups:
            return table_of(*self.groups[None])
        tables = {label: table_of(*group) for label, group in self.groups.items()}
        return pd.concat(tables, names=["stratum"]).reset_index(level=0).reset_index(drop=True)


def check_tau(tau: float, last: float) -> None:
    """Refuse what is no time of follow-up above 0."""
    if not (isinstance(tau, Real) and 0 < tau <= last):
        raise InputError("SL-306", f"tau={tau} is beyond the end of follow-up, or not above 0.", "Give another.")


def _numbers(name: str, values) -> np.ndarray:
    try:
        found = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError("SL-329", f"{name} has values that are no numbers.", "Give numbers.") from error
    if np.isnan(found).any():
        raise InputError("SL-329", f"{name} has missing values.", "Give numbers.")
    return found


def _at(tally: Tally, curve: pd.DataFrame, times: np.ndarray) -> pd.DataFrame:
    """Return the rows of a curve at `times`, events and censorings counted from one to the next."""
    place = np.searchsorted(tally.time, times, side="right")
    since = {
        name: np.diff(np.append(0.0, curve[name].cumsum())[place], prepend=0.0) for name in ("n_event", "n_censor")
    }
    at_risk = np.append(tally.n_risk, 0.0)[np.searchsorted(tally.time, times, side="left")]
    start = {"survival": 1.0, "lower": 1.0, "upper": 1.0}
    values = {
        name: step(tally.time, curve[name].to_numpy(), times, start.get(name, 0.0))
        for name in ("survival", "std_err", "lower", "upper", "cumhaz", "std_chaz")
    }
    return pd.DataFrame({"time": times, "n_risk": at_risk, **since, **values})


def _quantiles(curve: pd.DataFrame, p: np.ndarray) -> pd.DataFrame:
    time = curve["time"].to_numpy()
    columns = {"time": "survival", "lower": "lower", "upper": "upper"}
    found = {name: [_crossing(time, curve[c].to_numpy(), 1 - q) for q in p] for name, c in columns.items()}
    return pd.DataFrame({"p": p, **found})


def _crossing(time: np.ndarray, curve: np.ndarray, level: float) -> float:
    """Return the time at which the curve comes to `level` or below; the middle of the part where it is equal to it.

    An upper limit may rise again: as in R it is read in the order of its values, not of its times.
    """

    def next_below(limit: float) -> int | None:
        below = np.flatnonzero(curve <= limit)
        return below[curve[below].argmax()] if len(below) else None

    reached = next_below(level + SAME)
    if reached is None:
        return np.nan
    if curve[reached] < level - SAME:
        return float(time[reached])
    last = next_below(level - SAME)
    return float(time[reached] + time[-1 if last is None else last]) / 2


def _restricted_mean(group: Group, survival: Sums, curve: pd.DataFrame, *, tau: float, alpha: float) -> pd.DataFrame:
    rmst, later = areas(group.tally.time, curve["survival"].to_numpy(), tau)
    se = group.error_of_sum(survival, later)
    half = norm.isf(alpha / 2) * se
    return pd.DataFrame({"tau": [tau], "rmst": rmst, "std_err": se, "lower": rmst - half, "upper": rmst + half})


def areas(time: np.ndarray, curve: np.ndarray, tau: float) -> tuple[float, np.ndarray]:
    """Return the area below a `curve` (K,) from 0 to `tau`, and those from each time on (K,)."""
    past = time < tau
    knots = np.concatenate([[0.0], np.maximum(time[past], 0.0), [tau]])
    parts = np.diff(knots) * np.append(1.0, curve[past])
    later = np.zeros(len(time))
    later[past] = parts[::-1].cumsum()[::-1][1:]
    return float(parts.sum()), later
