"""The rows that a measure is taken on, checked once for all measures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from survlspin.errors import InputError

__all__ = ["Rows", "digest_of", "predicted", "refuse_empty", "rows_of"]

CAUSES = 1000  # at most: more are codes of a registry
COLUMNS = ("time", "event", "entry", "weight", "stratum", "cluster")


@dataclass(frozen=True, eq=False)
class Rows:
    """Outcomes of n patients, one per row, as `rows_of` has checked them.

    Attributes
    ----------
    time : float64 (n,)
        Follow-up time.
    event : bool (n,), or int64 (n,) where causes were asked for
        Whether `time` is an event; by cause, 0 is censored and 1, 2, ... are the causes.
    entry, weight : float64 (n,) or None
        Time of delayed entry, case weight; None where every row has the same.
    stratum, cluster : int64 (n,) or None
        Whole numbers from 0 for the labels that were given, in their order.
    strata : list
        The labels of the strata, ``["all"]`` without.
    """

    time: np.ndarray
    event: np.ndarray
    entry: np.ndarray | None = None
    weight: np.ndarray | None = None
    stratum: np.ndarray | None = None
    cluster: np.ndarray | None = None
    strata: list = field(default_factory=lambda: ["all"])

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.time)

    @cached_property
    def case_weight(self) -> np.ndarray:
        """`weight`, or 1 for each row (n,)."""
        return np.ones(self.n) if self.weight is None else self.weight

    @cached_property
    def n_causes(self) -> int:
        """How many causes there are: 1 without competing risks, with or without events."""
        return max(int(self.event.max(initial=0)), 1)

    @cached_property
    def last(self) -> float:
        """The last time of a row of positive weight; minus infinity without any."""
        return float(self.time.max(initial=-np.inf, where=self.case_weight > 0))

    @cached_property
    def digest(self) -> str:
        """A hash of all columns: two measures are compared only where it is the same."""
        return digest_of(**{name: getattr(self, name) for name in COLUMNS})

    def pooled(self, influence: np.ndarray) -> np.ndarray:
        """Influence of each independent unit: of the rows as they are (n,), or summed by cluster (clusters,)."""
        return influence if self.cluster is None else np.bincount(self.cluster, influence)


def digest_of(**columns: np.ndarray | None) -> str:
    """Return a hash (BLAKE2) of the columns that are there."""
    found = hashlib.blake2b(digest_size=16)
    for name, values in columns.items():
        if values is not None:
            found.update(f"{name} {values.dtype} {len(values)} ".encode())
            found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def rows_of(time, event, *, entry=None, weight=None, stratum=None, cluster=None, causes=False) -> Rows:
    """Check the outcomes that a measure is taken on.

    Parameters
    ----------
    time : array (n,)
        Follow-up time in any unit.
    event : array (n,)
        1 or True for an event at `time`, 0 or False for censoring; with `causes` 0 or the number of the cause, at most
        1000.
    entry : array (n,), optional
        Delayed entry, before `time`.
    weight : array (n,), optional
        Case weights, at least 0.
    stratum, cluster : array (n,), optional
        Labels of any kind, none missing.
    causes : bool
        Whether events are causes 1, 2, ...

    Returns
    -------
    Rows

    Raises
    ------
    InputError
        SL-331 lengths differ; SL-333 an outcome that cannot be used.
    """
    columns = {"time": time, "event": event, "entry": entry, "weight": weight}
    data = {name: _floats("SL-333", name, values) for name, values in columns.items() if values is not None}
    groups = {
        name: np.asarray(labels) for name, labels in (("stratum", stratum), ("cluster", cluster)) if labels is not None
    }
    n = data["time"].size if "time" in data else 0
    for name, values in {**data, **groups}.items():
        _check_length(name, values, n)
    codes, labels = {}, {}
    for name, values in groups.items():
        codes[name], labels[name] = pd.factorize(values, sort=True)
    _check(**data, **codes, causes=causes)
    data["event"] = data["event"].astype(np.int64 if causes else bool)
    return Rows(**data, **codes, strata=list(labels.get("stratum", ["all"])))


def refuse_empty(rows: Rows) -> None:
    """Refuse rows of which there is none (SL-323)."""
    if not rows.n:
        raise InputError("SL-323", "there is no row.", "Give the patients to judge by.")


def predicted(name: str, values, n: int) -> np.ndarray:
    """Check predictions: one finite number per row.

    Parameters
    ----------
    name : str
        What they are called in messages, e.g. ``"risk"``.
    values : array (n,)
    n : int
        The number of rows.

    Returns
    -------
    float64 (n,)

    Raises
    ------
    InputError
        SL-331 another length; SL-332 a prediction is missing, infinite or no number.
    """
    found = _floats("SL-332", name, values)
    _check_length(name, found, n)
    if not np.isfinite(found).all():
        missing = ~np.isfinite(found)
        raise InputError(
            "SL-332",
            f"{missing.sum()} of {n} values of {name} are missing or infinite, first at position {missing.argmax()}.",
            "Predict every patient before comparing, or drop these rows on purpose.",
        )
    return found


def _floats(code, name, values) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(code, f"{name} has values that are not numbers.", "Give numbers, none missing.") from error


def _check_length(name, values, n) -> None:
    if values.shape != (n,):
        raise InputError("SL-331", f"{name} has shape {values.shape}, time has {n} values.", "Give one per row.")


def _check(time, event, entry=None, weight=None, stratum=None, cluster=None, *, causes) -> None:
    known = (event >= 0) & (event <= CAUSES) & (event % 1 == 0) if causes else (event == 0) | (event == 1)
    fine = {
        "a missing or infinite time": np.isfinite(time),
        f"an event that is not a whole number from 0 to {CAUSES}"
        if causes
        else "an event that is neither 0 nor 1": known,
    }
    if entry is not None:
        fine["an entry that is missing or not before its time"] = entry < time
    if weight is not None:
        fine["a missing, infinite or negative weight"] = np.isfinite(weight) & (weight >= 0)
    for name, codes in (("stratum", stratum), ("cluster", cluster)):
        if codes is not None:
            fine[f"no {name}"] = codes >= 0
    for what, rows in fine.items():
        if not rows.all():
            raise InputError("SL-333", f"The row at position {rows.argmin()} has {what}.", "Repair or drop such rows.")
