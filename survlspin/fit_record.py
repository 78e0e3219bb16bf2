"""What one fit of a comparison leaves behind, and the record it is stored as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Fit"]

ARRAYS = ("risk", "influence", "used")
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
