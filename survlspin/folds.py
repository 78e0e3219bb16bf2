"""Who is trained on, who validates, who is tested: splitters that deal out whole patients, stratified by event.

Which part a patient falls into depends on the patient's label (of `groups`, or the row's index label), the seed and who
else is there, never on the order of the rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype

from ._patients import Patients, check_enough, check_settings, labels_of, set_aside
from .errors import InputError

__all__ = ["EXTERNAL", "External", "Fold", "RepeatedKFold", "Splitter", "TrainOneTestNine", "default_cv"]

EXTERNAL = "external"  # the name of a fold that is tested on another data set
LARGE = 10_000  # rows from which one part of ten is enough to train on


@dataclass(frozen=True, eq=False)
class Fold:
    """Row positions of one training and its test; no two parts share a patient.

    Attributes
    ----------
    name : str
    train, validation, test : int array
        In ascending order.
    aside : int array
        Rows that the tuning of a model saw elsewhere: this fold neither trains on them nor judges by them.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    aside: np.ndarray = field(default_factory=lambda: np.arange(0))

    @property
    def listed(self) -> np.ndarray:
        """The rows whose factors are listed: those tested on and those aside, which the model did not train on."""
        return np.union1d(self.test, self.aside)


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
            no `groups`; SL-344 `groups` of another length or with gaps; SL-381 and SL-382 an external test set that
            fits no rows, or splits a patient.
        """

    @abstractmethod
    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of folds."""

    @property
    def disjoint(self) -> bool:
        """Whether no two folds train on the same patient."""
        return False

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
    n_repeats : int
        How often the patients are dealt out to folds; those set aside stay the same.

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
    n_repeats: int = 1

    def __post_init__(self):
        check_settings(self.validation, self.n_repeats, n_folds=self.n_folds)

    def folds(self, X, y, groups=None) -> Iterator[Fold]:
        patients = Patients.of(X, y, groups)
        order = patients.order(self.random_state)
        rest = set_aside(order, patients.n_events, self.validation)[1]
        check_enough(len(rest), patients.event[rest].sum(), self.n_folds, "n_folds")
        part = np.full(len(order), -1)
        for r in range(self.n_repeats):
            if r:
                order = patients.order(self.random_state, r)
                rest = order[part[order] >= 0]
            part[rest] = np.arange(len(rest)) % self.n_folds
            repeat = "" if self.n_repeats == 1 else f"{r + 1}."
            for k in range(self.n_folds):
                parts = (part == k, part == -1, (part != k) & (part != -1))
                yield Fold(f"{repeat}{k + 1}", *map(patients.rows, parts))

    def validation_index(self, X, y, groups=None) -> np.ndarray:
        """Return the positions of the rows set aside; arguments as in `folds`."""
        return next(self.folds(X, y, groups)).validation

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        return self.n_folds * self.n_repeats

    @property
    def disjoint(self) -> bool:
        return self.n_repeats == 1

    @property
    def description(self) -> str:
        return (
            f"trained on 1 of {self.n_folds} folds, tested on the other {self.n_folds - 1}{_repeated(self.n_repeats)}; "
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
        check_settings(self.validation, self.n_repeats, n_splits=self.n_splits)

    def folds(self, X, y, groups=None) -> Iterator[Fold]:
        patients = Patients.of(X, y, groups)
        n = len(patients.event)
        check_enough(n, patients.n_events, self.n_splits, "n_splits", least=4)  # 4 in all: 2 to train and validate
        part = np.empty(n, dtype=int)
        for r in range(self.n_repeats):
            part[patients.order(self.random_state, r)] = np.arange(n) % self.n_splits
            for k in range(self.n_splits):
                order = patients.order(self.random_state, r, k)
                order = order[part[order] != k]
                parts = (*set_aside(order, patients.event[order].sum(), self.validation), np.flatnonzero(part == k))
                validation, train, test = (patients.rows(np.isin(np.arange(n), who)) for who in parts)
                yield Fold(f"{r + 1}.{k + 1}", train, validation, test)

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return _with_validation(self.folds(X, y, groups))

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        return self.n_splits * self.n_repeats

    @property
    def description(self) -> str:
        return (
            f"{self.n_splits}-fold cross-validation{_repeated(self.n_repeats)}; "
            f"{self.validation:.0%} of the training patients validate"
        )


@dataclass(frozen=True, eq=False)
class External(Splitter):
    """One fold, called "external": trained on one data set, tested on another.

    `split` yields all training rows; in `folds` a share of them validates.

    Parameters
    ----------
    test : bool array (n,), or array of labels
        The rows of the data set that is tested on alone: a flag for each row, or the index labels of these rows (of an
        array X, their positions).
    validation : float
        Share of the other patients that validate.
    random_state : int

    Examples
    --------
    >>> X = pd.DataFrame({"age": range(50), "registry": ["A"] * 40 + ["B"] * 10})
    >>> y = {"time": np.arange(1, 51), "event": np.arange(50) % 2}
    >>> [fold] = External(X["registry"] == "B").folds(X[["age"]], y)
    >>> len(fold.train), len(fold.validation), len(fold.test)
    (32, 8, 10)
    """

    test: Any = field(repr=False)
    validation: float = 0.2
    random_state: int = 0

    def __post_init__(self):
        check_settings(self.validation)

    def folds(self, X, y, groups=None) -> Iterator[Fold]:
        patients = Patients.of(X, y, groups)
        tested = _marked(self.test, labels_of(X))
        rows = np.bincount(patients.code, tested)  # (m,) how many of each patient's
        if n := int(((rows > 0) & (rows < np.bincount(patients.code))).sum()):
            found = f"{n} patient{'s have' if n > 1 else ' has'} rows both in the test set and outside."
            raise InputError("SL-382", found, "Mark all of a patient's rows, or none.")
        order = patients.order(self.random_state)
        inner = order[rows[order] == 0]
        n_events = int(patients.event[inner].sum())
        rest = patients.n_events - n_events
        if n_events < 2 or not rest:
            found = f"{n_events} patients with an event to train and validate on, {rest} to test on."
            raise InputError("SL-342", found, "Mark another test set: at least 2 and 1 are needed.")
        validation, train = set_aside(inner, n_events, self.validation)
        parts = (np.isin(np.arange(len(rows)), who) for who in (train, validation))
        yield Fold(EXTERNAL, *map(patients.rows, (*parts, rows > 0)))

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return _with_validation(self.folds(X, y, groups))

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        return 1

    @property
    def disjoint(self) -> bool:
        return True

    @property
    def description(self) -> str:
        return f"trained on one data set, tested on another; {self.validation:.0%} of the training patients validate"


def default_cv(n_rows: int, random_state: int = 0) -> Splitter:
    """Return 5 times repeated 5-fold cross-validation, or train-one/test-nine from 10,000 rows."""
    return RepeatedKFold(random_state=random_state) if n_rows < LARGE else TrainOneTestNine(random_state=random_state)


def _repeated(n: int) -> str:
    return "" if n == 1 else f", repeated {n} times"


def _with_validation(folds: Iterable[Fold]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for fold in folds:
        yield np.union1d(fold.train, fold.validation), fold.test


def _marked(test, labels: pd.Index) -> np.ndarray:
    """Return which rows are meant, bool (n,): the flags as they are, or the rows whose labels are listed."""
    remedy = "Give one flag per row, in the order of X (True: tested on alone), or the index labels of these rows."
    given = np.asarray(test)
    if is_bool_dtype(test if isinstance(test, pd.Series) else given):
        other = isinstance(test, pd.Series) and not test.index.equals(labels)
        if given.shape != labels.shape or other or pd.isna(given).any():
            found = f"test has {given.size} flags for {len(labels)} rows"
            raise InputError("SL-381", found + (", with another index." if other else ", or gaps."), remedy)
        return given.astype(bool)
    named = pd.Index(given.ravel())
    unknown = int((~named.isin(labels)).sum())
    if unknown or not named.is_unique:
        found = f"test lists {len(named)} labels: {unknown} are no row's, {int(named.duplicated().sum())} are repeated."
        raise InputError("SL-381", found, remedy)
    return labels.isin(named)
