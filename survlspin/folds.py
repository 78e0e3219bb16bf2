"""Who is trained on, who validates, who is tested: splitters that deal out whole patients, stratified by event.

Which part a patient falls into depends on the patient's label (of `groups`, or the row's index label), the seed and who
else is there, never on the order of the rows.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import InputError, InputTypeError
from .outcome import Outcome

__all__ = ["Fold", "RepeatedKFold", "Splitter", "TrainOneTestNine", "default_cv"]

LARGE = 10_000  # rows from which one part of ten is enough to train on


@dataclass(frozen=True, eq=False)
class Fold:
    """Row positions of one training and its test; the three parts share no patient.

    Attributes
    ----------
    name : str
    train, validation, test : int array
        In ascending order.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class Splitter(ABC):
    """A scikit-learn splitter that also knows which rows validate."""

    @abstractmethod
    def folds(self, X, y, groups=None) -> Iterator[Fold]:
        """Yield the folds.

        Parameters
        ----------
        X : DataFrame or array (n, p)
            Rows of a DataFrame are known by their index labels, those of an array by their positions.
        y : any accepted outcome
        groups : array (n,), optional
            Patient labels: rows of one patient stay in one part.

        Raises
        ------
        InputError
            SL-341 fewer patients than folds; SL-342 too few events for the folds; SL-343 rows with one index label and
            no `groups`; SL-344 `groups` of another length or with gaps.
        """

    @abstractmethod
    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of folds."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The protocol in one line."""

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield training and test rows as scikit-learn's splitters do."""
        for fold in self.folds(X, y, groups):
            yield fold.train, fold.test


@dataclass(frozen=True)
class TrainOneTestNine(Splitter):
    """Disjoint training folds, each tested on all the others.

    Training sets share no patient, so that the spread between models is an honest one, and each is as small as in a
    study with a tenth of the patients. Validation rows, for early stopping and penalties, are set aside first: no fold
    trains or tests on them.

    Parameters
    ----------
    n_folds : int
    validation : float
        Share of the patients set aside.
    random_state : int

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.zeros((40, 1)), {"time": np.arange(1, 41), "event": np.arange(40) % 2}
    >>> cv = TrainOneTestNine(n_folds=4, validation=0.1)
    >>> [(len(train), len(test)) for train, test in cv.split(X, y)]
    [(9, 27), (9, 27), (9, 27), (9, 27)]
    >>> len(cv.validation_index(X, y))
    4
    """

    n_folds: int = 10
    validation: float = 0.05
    random_state: int = 0

    def __post_init__(self):
        _check_settings(self.validation, n_folds=self.n_folds)

    def folds(self, X, y, groups=None) -> Iterator[Fold]:
        patients = _Patients.of(X, y, groups)
        order = patients.order(self.random_state)
        rest = _set_aside(order, patients.n_events, self.validation)[1]
        _check_folds(len(rest), patients.event[rest].sum(), self.n_folds, "n_folds")
        part = np.full(len(order), -1)
        part[rest] = np.arange(len(rest)) % self.n_folds
        for k in range(self.n_folds):
            parts = (part == k, part == -1, (part != k) & (part != -1))
            yield Fold(f"{k + 1}", *map(patients.rows, parts))

    def validation_index(self, X, y, groups=None) -> np.ndarray:
        """Return the positions of the rows set aside; arguments as in `folds`."""
        return next(self.folds(X, y, groups)).validation

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        return self.n_folds

    @property
    def description(self) -> str:
        return (
            f"trained on 1 of {self.n_folds} folds, tested on the other {self.n_folds - 1}; "
            f"{self.validation:.0%} of the patients set aside for validation"
        )


@dataclass(frozen=True)
class RepeatedKFold(Splitter):
    """Cross-validation, repeated: trained on all folds but one, tested on that one.

    `split` yields all training rows; in `folds` a share of them validates.

    Parameters
    ----------
    n_splits, n_repeats : int
    random_state : int
    validation : float
        Share of the training patients that validate, drawn afresh for every fold.
    """

    n_splits: int = 5
    n_repeats: int = 5
    random_state: int = 0
    validation: float = 0.2

    def __post_init__(self):
        _check_settings(self.validation, n_splits=self.n_splits)

    def folds(self, X, y, groups=None) -> Iterator[Fold]:
        patients = _Patients.of(X, y, groups)
        n = len(patients.event)
        _check_folds(n, patients.n_events, self.n_splits, "n_splits", least=4)  # 4 in all: 2 to train and validate
        part = np.empty(n, dtype=int)
        for r in range(self.n_repeats):
            part[patients.order(self.random_state, r)] = np.arange(n) % self.n_splits
            for k in range(self.n_splits):
                order = patients.order(self.random_state, r, k)
                order = order[part[order] != k]
                parts = (*_set_aside(order, patients.event[order].sum(), self.validation), np.flatnonzero(part == k))
                validation, train, test = (patients.rows(np.isin(np.arange(n), who)) for who in parts)
                yield Fold(f"{r + 1}.{k + 1}", train, validation, test)

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for fold in self.folds(X, y, groups):
            yield np.union1d(fold.train, fold.validation), fold.test

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        return self.n_splits * self.n_repeats

    @property
    def description(self) -> str:
        repeated = "" if self.n_repeats == 1 else f", repeated {self.n_repeats} times"
        return (
            f"{self.n_splits}-fold cross-validation{repeated}; {self.validation:.0%} of the training patients validate"
        )


def default_cv(n_rows: int, random_state: int = 0) -> Splitter:
    """Return 5 times repeated 5-fold cross-validation, or train-one/test-nine from 10,000 rows."""
    return RepeatedKFold(random_state=random_state) if n_rows < LARGE else TrainOneTestNine(random_state=random_state)


@dataclass(frozen=True, eq=False)
class _Patients:
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
    def of(cls, X, y, groups) -> _Patients:
        if y is None:
            raise InputTypeError("SL-345", "folds are stratified by event and y is missing.", "Give y: split(X, y).")
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))
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
        hashes = (
            hashlib.blake2b(str(label).encode("utf-8", "surrogatepass"), digest_size=8, key=repr(key).encode()).digest()
            for label in self.label
        )
        return np.lexsort((np.frombuffer(b"".join(hashes), dtype=">u8"), ~self.event))

    def rows(self, mask: np.ndarray) -> np.ndarray:
        """Return the rows of the patients in `mask` (m,)."""
        return np.flatnonzero(mask[self.code])


def _set_aside(order: np.ndarray, n_events: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut the first `share` from each stratum of `order` (`n_events` events, then the others); return it, the rest."""
    a = max(1, round(share * n_events))
    b = n_events + round(share * (len(order) - n_events))
    return np.concatenate([order[:a], order[n_events:b]]), np.concatenate([order[a:n_events], order[b:]])


def _check_settings(validation: float, **folds: int) -> None:
    [(name, n)] = folds.items()
    if not (n >= 2 and 0 < validation < 1):
        raise InputError(
            "SL-346",
            f"{name}={n}, validation={validation}.",
            "Ask for at least 2 folds and a validation share between 0 and 1.",
        )


def _check_folds(n: int, n_events: int, n_folds: int, name: str, least: int = 2) -> None:
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
