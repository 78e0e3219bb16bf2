"""What one fit of a comparison leaves behind, and the record it is stored as."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Fit"]

_MOST = 600.0  # exp(600) times any hazard is finite in float64

ARRAYS = ("risk", "influence", "used", "times", "hazard", "horizons", "probability")
FACTS = ("model", "fold", "seed", "chosen", "definition", "seconds")


@dataclass(frozen=True, eq=False)
class Fit:
    """What one model learnt on one fold with one seed, and what it said of the test rows.

    Attributes
    ----------
    model, fold : str
    seed : int
        The seed the model was fitted with.
    points : DataFrame of float64 (P rows)
        One row per point of the path, densest first, or the one fit: ``lam``, ``validation_nll``, what the model uses
        for training patients (the six counts of `survlspin.curve.COUNTS`), and ``C`` on the test rows.
    chosen : int
        The point that the validation rows chose.
    share : DataFrame of float64 (P, G)
        The share of training patients whose answer uses each factor.
    risk, influence : float32 array (P, n_test)
        The risk of each test row, and its influence on C.
    definition : str
        What C is.
    seconds : float
        Time to fit.
    used : uint8 array (P, n_listed, ceil(G / 8))
        The factors used for each row of ``Fold.listed``, eight to a byte: ``np.packbits`` along the factors of `share`.
    times : float64 array (K,)
        Of a Cox model without strata, the event times of its training rows, else empty.
    hazard : float64 array (P, K)
        The cumulative baseline hazard of each point at `times`, of a patient with log-risk 0.
    horizons : float64 array (H,)
        Of other models, the times whose probabilities were kept; empty where a model has no curves.
    probability : float32 array (n_test, H)
        What the chosen point says of the event by each of the horizons.
    """

    model: str
    fold: str
    seed: int
    points: pd.DataFrame
    chosen: int
    share: pd.DataFrame
    risk: np.ndarray
    influence: np.ndarray
    definition: str
    seconds: float
    used: np.ndarray
    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    hazard: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    horizons: np.ndarray = field(default_factory=lambda: np.empty(0))
    probability: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    def event_probability(self, times, point: int | None = None) -> np.ndarray:
        """Return the predicted probability that each test row has the event by each time, float64 (n_test, m).

        A Cox model without strata says it at any time, as a step function that stays where it is after the last event
        of its training rows: ``1 - exp(-H0(t) exp(risk))``. Other models say it by the times of `horizons`, at the
        chosen point.

        Parameters
        ----------
        times : array (m,)
        point : int, optional
            By default the chosen one.

        Returns
        -------
        float64 array (n_test, m)
            nan where nothing is known.
        """
        times, point = np.atleast_1d(np.asarray(times, dtype=np.float64)), self.chosen if point is None else point
        if len(self.hazard):
            steps = np.concatenate([[0.0], self.hazard[point]])[np.searchsorted(self.times, times, side="right")]
            found = np.multiply.outer(np.exp(np.minimum(self.risk[point].astype(np.float64), _MOST)), -steps)
            return np.negative(np.expm1(found, out=found), out=found)
        known = np.full((self.risk.shape[1], len(times)), np.nan)
        for column, time in enumerate(times):
            for place in np.flatnonzero(self.horizons == time) if point == self.chosen else ():
                known[:, column] = self.probability[:, place]
        return known

    def choosing(self, point: int) -> Fit:
        """Return the same with another point chosen; probabilities that were kept of the other one are left out."""
        if point == self.chosen:
            return self
        return replace(self, chosen=point, horizons=np.empty(0), probability=np.empty((0, 0), dtype=np.float32))

    def used_at(self, point: int) -> np.ndarray:
        """Return which factors the point uses for each listed row, bool (n_listed, G)."""
        return np.unpackbits(self.used[point], axis=-1, count=self.share.shape[1]).astype(bool)

    def to_record(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return all there is as arrays and as facts that JSON can hold; `from_record` gives it back bit by bit."""
        tables = {"points": self.points, "share": self.share}
        arrays = {name: np.ascontiguousarray(table, dtype=np.float64) for name, table in tables.items()}
        names = {name: table.columns.tolist() for name, table in tables.items()}
        arrays |= {name: getattr(self, name) for name in ARRAYS}
        return arrays, {"columns": names, **{name: getattr(self, name) for name in FACTS}}

    @classmethod
    def from_record(cls, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> Fit:
        """Return the fit whose `to_record` this is."""
        tables = {name: pd.DataFrame(arrays[name], columns=columns) for name, columns in facts["columns"].items()}
        return cls(**tables, **{name: arrays[name] for name in ARRAYS}, **{name: facts[name] for name in FACTS})
