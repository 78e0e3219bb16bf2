"""The ledger: for every trial, which rows it saw, and how many of these are tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..folds import Fold
from ..tables import replacing
from .search import Search

__all__ = ["COLUMNS", "Ledger"]

COLUMNS = (
    "model", "fold", "trial", "state", "value", "criterion", "params", "reason", "train_rows", "train_sha256",
    "validation_rows", "validation_sha256", "test_rows", "seconds",
)  # fmt: skip
CLOSING = "# test rows used for tuning: {}"


@dataclass(frozen=True, eq=False)
class Ledger:
    """Every trial of a study.

    Attributes
    ----------
    trials : DataFrame
        One row per trial: `COLUMNS`. ``test_rows`` of the rows that it saw are tested by a fold that uses what it
        found; ``*_sha256`` are of the sorted row labels, as in the manifest of the split.
    seen : dict of str to int array
        Fold -> positions of the rows that the trials on it saw.
    folds : tuple of Fold
        As the models are judged on them.
    frozen : bool
        Whether all folds use what was found on one; else each uses its own.
    """

    trials: pd.DataFrame
    seen: dict[str, np.ndarray]
    folds: tuple[Fold, ...]
    frozen: bool

    @classmethod
    def of(cls, searches: Iterable[Search], folds: Iterable[Fold], frozen: bool) -> Ledger:
        """Make the ledger of searches.

        Parameters
        ----------
        searches : iterable of Search
        folds : iterable of Fold
            As the models are judged on them, `survlspin.splits.spare` included.
        frozen : bool
        """
        searches = list(searches)
        seen: dict[str, np.ndarray] = {}
        for found in searches:
            seen[found.rows.fold] = np.union1d(seen.get(found.rows.fold, found.rows.seen), found.rows.seen)
        ledger = cls(pd.DataFrame(columns=list(COLUMNS)), seen, tuple(folds), frozen)
        tables = [ledger._table(found) for found in searches]
        return cls(pd.concat(tables, ignore_index=True), seen, ledger.folds, frozen) if tables else ledger

    def test_rows(self, folds: Sequence[Fold] | None = None) -> int:
        """Return how many rows that any trial saw are tested by a fold that uses what the trials found.

        Counted from the row positions themselves.

        Parameters
        ----------
        folds : sequence of Fold, optional
            Other folds than the ledger's.
        """
        folds = self.folds if folds is None else folds
        tested = [np.intersect1d(rows, self._tested(name, folds)) for name, rows in self.seen.items()]
        return len(np.unique(np.concatenate(tested))) if tested else 0

    def check(self) -> Ledger:
        """Return the ledger; refuse one of trials that saw test rows (SL-377)."""
        if n := self.test_rows():
            found = f"{n} test rows were used for tuning."
            raise InputError("SL-377", found, "Tune every fold for itself: Tuning(per_fold=True).")
        return self

    def to_csv(self, path: str | Path) -> None:
        """Write one line per trial, and a last one: how many test rows were used for tuning. Readable by its owner."""
        with replacing(Path(path)) as name, open(name, "w", encoding="utf-8", newline="") as file:
            self.trials.to_csv(file, index=False, lineterminator="\n")
            file.write(CLOSING.format(self.test_rows()) + "\n")

    def to_record(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return arrays and JSON from which `from_record` makes the ledger again."""
        entries = self.trials.astype(object).where(self.trials.notna(), None).to_dict("records")
        return dict(self.seen), {"frozen": self.frozen, "trials": entries}

    @classmethod
    def from_record(cls, arrays: dict[str, np.ndarray], facts: dict[str, Any], folds: Iterable[Fold]) -> Ledger:
        """Make the ledger of `to_record` again."""
        trials = pd.DataFrame(facts["trials"], columns=list(COLUMNS))
        trials = trials.astype({"value": float, "seconds": float})
        return cls(trials, dict(arrays), tuple(folds), facts["frozen"])

    def _tested(self, name: str, folds: Iterable[Fold]) -> np.ndarray:
        """Return the rows that folds which use what was found on the fold `name` test."""
        tests = [fold.test for fold in folds if self.frozen or fold.name == name]
        return np.unique(np.concatenate(tests)) if tests else np.arange(0)

    def _table(self, found: Search) -> pd.DataFrame:
        rows = found.rows
        table = found.trials.assign(
            model=found.model,
            fold=rows.fold,
            train_rows=len(rows.train),
            train_sha256=rows.train_sha256,
            validation_rows=len(rows.validation),
            validation_sha256=rows.validation_sha256,
            test_rows=len(np.intersect1d(rows.seen, self._tested(rows.fold, self.folds))),
        )
        return table[list(COLUMNS)]
