"""What folds deal out: whole patients, in an order that their labels and a seed decide."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import InputError, InputTypeError
from .outcome import Outcome

__all__ = ["Patients", "check_enough", "check_settings", "hashes", "labels_of", "set_aside"]


def labels_of(X) -> pd.Index:
    """Return the labels of the rows: the index of a DataFrame, the positions in an array."""
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))


def hashes(labels: Iterable, key: tuple, words: int = 1) -> np.ndarray:
    """Return uint64 (m, words), even over all numbers of 64 bits: what each label, read as text, is under the key."""
    digests = (
        hashlib.blake2b(
            str(label).encode("utf-8", "surrogatepass"), digest_size=8 * words, key=repr(key).encode()
        ).digest()
        for label in labels
    )
    return np.frombuffer(b"".join(digests), dtype=">u8").reshape(-1, words)


@dataclass(frozen=True, eq=False)
class Patients:
    """What is dealt out whole.

    Attributes
    ----------
    code : int array (n,)
        Each row's patient, a position among the m patients.
    label : list (m,)
    event : bool array (m,)
        Whether any row of the patient has an event.
    """

    code: np.ndarray
    label: list
    event: np.ndarray

    @classmethod
    def of(cls, X, y, groups) -> Patients:
        if y is None:
            raise InputTypeError("SL-345", "folds are stratified by event and y is missing.", "Give y: split(X, y).")
        index = labels_of(X)
        outcome = Outcome.of(y, n_rows=len(index), index=index)
        if groups is None and not index.is_unique:
            raise InputError(
                "SL-343",
                f"{int(index.duplicated().sum())} rows repeat the index label of another row: one patient could be "
                "trained and tested on.",
                "Give each row's patient, groups=..., or unique labels: X.reset_index(drop=True).",
            )
        code, label = pd.factorize(index if groups is None else np.asarray(groups))
        if len(code) != len(index) or (code < 0).any():
            raise InputError(
                "SL-344",
                f"groups has {len(code)} labels for {len(index)} rows, {int((code < 0).sum())} of them missing.",
                "Give one label per row.",
            )
        return cls(code, label.tolist(), np.bincount(code, outcome.event != 0) > 0)

    @property
    def n_events(self) -> int:
        return int(self.event.sum())

    def order(self, *key: int) -> np.ndarray:
        """Return the patients shuffled by a hash of their labels, those with an event first."""
        return np.lexsort((hashes(self.label, key)[:, 0], ~self.event))

    def rows(self, mask: np.ndarray) -> np.ndarray:
        """Return the rows of the patients in `mask` (m,)."""
        return np.flatnonzero(mask[self.code])


def set_aside(order: np.ndarray, n_events: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut the first `share` from each stratum of `order` (`n_events` events, then the others); return it, the rest."""
    a = max(1, round(share * n_events))
    b = n_events + round(share * (len(order) - n_events))
    return np.concatenate([order[:a], order[n_events:b]]), np.concatenate([order[a:n_events], order[b:]])


def check_settings(validation: float, n_repeats: int = 1, **n_folds: int) -> None:
    if not (0 < validation < 1 and n_repeats >= 1 and all(n >= 2 for n in n_folds.values())):
        given = {**n_folds, "n_repeats": n_repeats, "validation": validation}
        raise InputError(
            "SL-346",
            ", ".join(f"{name}={value}" for name, value in given.items()) + ".",
            "Ask for at least 2 folds, 1 repeat and a validation share between 0 and 1.",
        )


def check_enough(n: int, n_events: int, n_folds: int, name: str, least: int = 2) -> None:
    if n < n_folds:
        raise InputError(
            "SL-341", f"{n} patients for {n_folds} folds.", f"Use fewer folds or more patients: {name}=..."
        )
    if n_events < max(n_folds, least):
        raise InputError(
            "SL-342",
            f"{n_events} patients with an event are too few for {n_folds} folds: one would be without.",
            f"Use fewer folds: {name}={n_events}." if n_events >= least else "Add patients with events.",
        )
