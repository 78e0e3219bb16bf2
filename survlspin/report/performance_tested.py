"""The test rows of one fit: what became of them, and the risks, probabilities and hazards that the fit predicted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..outcome import Outcome
from ..survival import CoxModel

if TYPE_CHECKING:
    from ..fit_record import Fit
    from .source import Judged

__all__ = ["Tested", "grid_of", "rounded"]

POINTS = 15  # of time, over which the Brier score is integrated
BLOCK = 50  # times whose probabilities are held at once
CLIP = 1e-6, 1 - 1e-6  # of probabilities whose logarithms are taken
ASK = "Name it when the study is run: survlspin run --horizon."
EDGES = 0.05, 0.95  # of the event times, between which there is enough to see


@dataclass(frozen=True, eq=False)
class Tested:
    """One fit's test rows: what became of them, and what the fit said of them.

    Attributes
    ----------
    judged : Judged
    outcome : Outcome
        Of the rows that are judged, in their order.
    grid : array (m,)
        Times at which every model says a probability.
    fit : Fit, optional
        What a comparison keeps of it.
    kept : dict
        What several measures need, by what it is.
    """

    judged: Judged
    outcome: Outcome
    grid: np.ndarray
    fit: Fit | None = None
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def risk(self) -> np.ndarray:
        """The log-risk or risk score, (n,)."""
        return self.judged.risk

    def probability(self, horizon: float) -> np.ndarray:
        """Return the probability of the event by the horizon, (n,); SL-636 where the model does not say it."""
        said = self.once(("probability", horizon), lambda: self.judged.event_probability([horizon])[:, 0])
        if np.isnan(said).any():
            raise InputError("SL-636", f"no probabilities by {horizon:g} are known", ASK)
        return said

    def once(self, what: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make` returns, made once."""
        if what not in self.kept:
            self.kept[what] = make()
        return self.kept[what]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probabilities at the times of `grid`, (n, m); SL-636 where the model does not say them."""
        said = self.judged.event_probability(self.grid)
        if np.isnan(said).any():
            raise InputError("SL-636", "no probabilities over time are known", ASK)
        return said

    @property
    def proportional(self) -> bool:
        """Whether the risk is a log hazard ratio."""
        if self.fit is None:
            return isinstance(self.judged.model, CoxModel)
        return len(self.fit.hazard) > 0 or self.outcome.stratum is not None

    def log_risk(self, horizon: float) -> np.ndarray:
        """Return the log hazard ratio, (n,): of models without one the log cumulative hazard at the horizon."""
        if self.proportional:
            return self.risk
        return np.log(-np.log1p(-np.clip(self.probability(horizon), *CLIP)))

    def own_hazard(self, until: float) -> np.ndarray:
        """Return `_own_hazard`, made once."""
        return self.once(("hazard", until), lambda: self._own_hazard(until))

    def _own_hazard(self, until: float) -> np.ndarray:
        """Return the cumulative hazard at each row's own time, at most `until`, (n,).

        Exact for Cox models without strata; of others interpolated between the times that are known.
        """
        time = np.minimum(self.outcome.time, until)
        if self.fit is not None and len(self.fit.hazard):
            steps = np.concatenate([[0.0], self.fit.hazard[self.fit.chosen]])
            return steps[np.searchsorted(self.fit.times, time, side="right")] * np.exp(self.risk.astype(np.float64))
        distinct, own = np.unique(time, return_inverse=True)
        if self.fit is None:
            return self._looked_up(distinct, own)
        known = np.append(self.grid[self.grid < until], until)
        p = np.column_stack([np.zeros(len(time)), self.judged.event_probability(known)])
        if np.isnan(p).any():
            raise InputError("SL-636", f"no probabilities by {until:g} are known", ASK)
        return _between(np.concatenate([[0.0], known]), _hazard(p), time)

    def _looked_up(self, distinct: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the cumulative hazard of each row at its own of several times, asking for a few times at once."""
        found = np.empty(len(own))
        for start in range(0, len(distinct), BLOCK):
            rows = np.flatnonzero((own >= start) & (own < start + BLOCK))
            p = self.judged.event_probability(distinct[start : start + BLOCK])
            found[rows] = _hazard(p[rows, own[rows] - start])
        if np.isnan(found).any():
            raise InputError("SL-636", "not all probabilities over time are known", ASK)
        return found

    def censored_at_random(self) -> None:
        """Refuse what inverse probabilities of censoring are not made for (SL-637)."""
        if self.outcome.entry is not None:
            raise InputError("SL-637", "rows enter late", "Weights for censoring are not made for that.")

    @property
    def pairs(self) -> dict[str, np.ndarray | None]:
        """What ranks patients: their weights, strata and entry times."""
        return {name: getattr(self.outcome, name) for name in ("entry", "weight", "stratum")}


def grid_of(outcome: Outcome, known: Sequence[float] = (), n: int = POINTS) -> np.ndarray:
    """Return up to n times between the 5th and the 95th percentile of the event times.

    They are among `known` where that is given, else evenly spread and round.
    """
    died = outcome.time[outcome.event == 1]
    if not len(died):
        return np.empty(0)
    low, high = np.quantile(died, EDGES)
    if not len(known):
        times = np.unique([rounded(time) for time in np.linspace(low, high, n)])
        return times[(times > 0) & (times <= outcome.time.max())]
    times = np.unique(np.asarray(known, dtype=float))
    times = times[(times >= low) & (times <= high) & (times > 0)]
    return times[np.unique(np.linspace(0, len(times) - 1, min(n, len(times))).round().astype(int))]


def rounded(time: float) -> float:
    """Return a time to three digits: no patient's own."""
    return float(f"{time:.3g}")


def _hazard(p: np.ndarray) -> np.ndarray:
    """Return the cumulative hazard that a probability means."""
    return -np.log1p(-np.minimum(p, CLIP[1]))


def _between(times: np.ndarray, hazard: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return each row's hazard (n, m) at its own time (n,), straight between `times` (m,)."""
    place = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    part = (at - times[place]) / (times[place + 1] - times[place])
    row = np.arange(len(at))
    low, high = hazard[row, place], hazard[row, place + 1]
    return low + np.clip(part, 0, 1) * (high - low)
