"""What is checked of folds, whoever made them, what is written down about them, and what tuning leaves of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from ._messages import listed
from .errors import InputError
from .folds import Fold
from .outcome import Outcome

__all__ = ["blocks", "check_folds", "label_digest", "spare", "split_manifest"]

PARTS = ("train", "validation", "test", "aside")
WORDS = {"train": "to train on", "validation": "to validate on", "test": "to test on"}


def check_folds(folds: Iterable[Fold], outcome, code) -> list[Fold]:
    """Refuse folds that cannot be trained on or would flatter a model; return them.

    Parameters
    ----------
    folds : iterable of Fold
        Of any splitter.
    outcome : any accepted outcome of n rows
    code : int array (n,)
        Each row's patient.

    Raises
    ------
    InputError
        SL-386 no folds, two of one name, or names that are no texts; SL-384 a part without rows; SL-385 rows that are
        not there or come twice; SL-382 one patient in two parts of a fold; SL-383 a part without events.
    """
    folds, outcome, code = list(folds), Outcome.of(outcome), np.asarray(code)
    names = pd.Index([fold.name for fold in folds])
    if not len(names) or names.has_duplicates or not all(isinstance(name, str) for name in names):
        twice = names[names.duplicated()].unique()
        found = f"two folds are called {listed(twice)}." if len(twice) else "names of folds that are no texts."
        found = found if len(names) else "no folds."
        raise InputError("SL-386", found, "A splitter yields folds, each with a name of its own.")
    for fold in folds:
        _check_rows(fold, len(code))
        _check_patients(fold, code)
        _check_events(fold, outcome)
    return folds


def _check_rows(fold: Fold, n: int) -> None:
    for part in PARTS:
        rows = np.asarray(getattr(fold, part))
        if not rows.size:
            if part in WORDS:
                raise InputError("SL-384", f"fold {fold.name} has no rows {WORDS[part]}.", "Use fewer or larger folds.")
            continue
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n or _repeats(rows):
            found = f"the {part} rows of fold {fold.name} are not positions of the {n} rows, each at most once."
            raise InputError("SL-385", found, "Give whole numbers from 0 in ascending order: np.flatnonzero(...).")


def _repeats(rows: np.ndarray) -> bool:
    return bool((np.diff(rows.astype(np.int64)) <= 0).any())


def _check_patients(fold: Fold, code: np.ndarray) -> None:
    patients = {part: np.unique(code[getattr(fold, part)]) for part in PARTS}
    for one, other in combinations(PARTS, 2):
        if n := len(np.intersect1d(patients[one], patients[other], assume_unique=True)):
            raise InputError(
                "SL-382",
                f"fold {fold.name}: {n} patient{'s are' if n > 1 else ' is'} in both its {one} and its {other} rows.",
                "Name each row's patient, groups=..., to a splitter that keeps patients whole: TrainOneTestNine().",
            )


def _check_events(fold: Fold, outcome: Outcome) -> None:
    for part, what in WORDS.items():
        rows = getattr(fold, part)
        if not outcome.take(rows).n_events:
            raise InputError(
                "SL-383",
                f"fold {fold.name} has no event among its {len(rows)} rows {what}.",
                "Use a splitter stratified by event: TrainOneTestNine(n_folds=10), RepeatedKFold(n_splits=5).",
            )


def spare(folds: Iterable[Fold], tuned_on: Fold, outcome=None, code=None) -> list[Fold]:
    """Return the folds for models tuned on one of them: no fold tests on a patient whom tuning saw.

    What the others would have tested of `tuned_on`'s training and validation patients goes to `Fold.aside`.

    Parameters
    ----------
    folds : iterable of Fold
    tuned_on : Fold
        One of them.
    outcome : any accepted outcome of n rows, optional
        Given, a test part left without events is refused, too.
    code : int array (n,), optional
        Each row's patient; by default every row is one.

    Raises
    ------
    InputError
        SL-387 a fold with nobody left to test, or nobody with an event.

    Examples
    --------
    >>> from survlspin.folds import TrainOneTestNine
    >>> X, y = np.zeros((42, 1)), {"time": np.arange(1, 43), "event": np.arange(42) % 2}
    >>> first, second, *_ = folds = list(TrainOneTestNine(n_folds=4).folds(X, y))
    >>> len(second.test), [len(fold.test) for fold in spare(folds, first)]
    (30, [30, 20, 20, 20])
    """
    outcome = None if outcome is None else Outcome.of(outcome)
    seen = np.union1d(tuned_on.train, tuned_on.validation)
    left = []
    for fold in folds:
        if fold.name == tuned_on.name:
            left.append(fold)
            continue
        known = np.isin(fold.test, seen) if code is None else np.isin(code[fold.test], code[seen])
        test = fold.test[~known]
        if not len(test) or (outcome is not None and not outcome.take(test).n_events):
            raise InputError(
                "SL-387",
                f"fold {fold.name} would test on {len(test)} rows, none with an event, that tuning on fold "
                f"{tuned_on.name} did not see.",
                "Tune every fold for itself: Tuning(per_fold=True).",
            )
        left.append(replace(fold, test=test, aside=np.union1d(fold.aside, fold.test[known])))
    return left


def blocks(folds: Iterable[Fold], n: int) -> np.ndarray:
    """Return a number for each of n rows, int (n,): rows of one number are in the same part of every fold.

    Examples
    --------
    >>> first = Fold("1", np.array([0, 1]), np.array([4]), np.array([2, 3]))
    >>> second = Fold("2", np.array([2, 3]), np.array([4]), np.array([0, 1]))
    >>> blocks([first, second], 5).tolist()
    [0, 0, 2, 2, 1]
    """
    number = np.zeros(n, dtype=int)
    for fold in folds:
        part = np.zeros(n, dtype=int)
        for i, name in enumerate(PARTS):
            part[getattr(fold, name)] = i + 1
        number = np.unique(number * (len(PARTS) + 1) + part, return_inverse=True)[1]
    return number


def split_manifest(folds: Iterable[Fold], labels, outcome, code, description: str, seed) -> pd.DataFrame:
    """Return what identifies the folds without naming a patient: one row per fold and part.

    Parameters
    ----------
    folds : iterable of Fold
    labels : sequence (n,)
        The label of each row.
    outcome : any accepted outcome of n rows
    code : int array (n,)
        Each row's patient.
    description : str
        The protocol.
    seed : int or sequence of int

    Returns
    -------
    DataFrame
        ``fold``, ``part`` (train, validation, test, aside), ``rows``, ``patients``, ``events``, and ``sha256`` of the
        rows' labels as text, in the order of their characters, each followed by a line feed: what
        ``LC_ALL=C sort | sha256sum`` says of a file of them. ``attrs``: ``description``, ``seed``.
    """
    outcome, code = Outcome.of(outcome), np.asarray(code)
    digest, entries = label_digest(labels), []
    for fold in folds:
        for part in PARTS:
            rows = getattr(fold, part)
            counts = (len(rows), len(np.unique(code[rows])), outcome.take(rows).n_events)
            entries.append((fold.name, part, *counts, digest(rows)))
    manifest = pd.DataFrame(entries, columns=["fold", "part", "rows", "patients", "events", "sha256"])
    manifest.attrs = {"description": description, "seed": seed}
    return manifest


def label_digest(labels: Iterable) -> Callable[[np.ndarray], str]:
    """Return what gives the ``sha256`` of rows, as `split_manifest` says it."""
    text = np.array([str(label).encode("utf-8", "surrogatepass") for label in labels], dtype=object)
    rank = np.empty(len(text), dtype=np.int64)
    rank[np.argsort(text, kind="stable")] = np.arange(len(text))
    lines = text + b"\n"
    return lambda rows: hashlib.sha256(b"".join(lines[rows[np.argsort(rank[rows])]])).hexdigest()
