"""The patients of a comparison: GBSG2, or a user's file and the roles of its columns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api import types

from survlspin._leaks import check_leaks
from survlspin._messages import listed, nearest, rows
from survlspin.cohort.flow import Flow
from survlspin.cohort.manifest import FLOW_KEY, units_of, unsealed
from survlspin.design import Design
from survlspin.errors import InputError
from survlspin.outcome import Outcome, check_enough_events, split_xy
from survlspin.reading import PARQUET, read_table

__all__ = [
    "UNKNOWN_UNIT",
    "Roles",
    "Study",
    "check_labels",
    "check_roles",
    "event_value",
    "gbsg2",
    "known_roles",
    "study_of",
]

UNKNOWN_UNIT = "the file's unit"


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which column of a table is what; all others are predictors.

    Attributes
    ----------
    time, event : str
    entry, weight, stratum : str, optional
        As in `survlspin.Outcome`.
    group : str, optional
        The patient, where patients have several rows: one patient is never both trained and tested on.
    id : str, optional
        What rows are called in the tables of patients. None: their position, from 0.
    external : str, optional
        1 (or true) in rows of another data set, which are tested on alone; 0 in all others.
    drop : tuple of str
        Columns to leave out.
    category : tuple of str
        Predictors that are categories although they hold numbers.
    """

    time: str
    event: str
    entry: str | None = None
    weight: str | None = None
    stratum: str | None = None
    group: str | None = None
    id: str | None = None
    external: str | None = None
    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()

    @property
    def outcome(self) -> dict[str, str]:
        """The columns of the outcome, by the part they play."""
        parts = {name: getattr(self, name) for name in ("time", "event", "entry", "weight", "stratum")}
        return {name: column for name, column in parts.items() if column is not None}

    @property
    def text(self) -> list[str]:
        """The columns that hold labels, whatever these look like; and those left out."""
        names = (self.id, self.group, self.stratum, *self.category, *self.drop)
        return [name for name in names if name is not None]

    @property
    def numbers(self) -> list[str]:
        """The columns of the outcome that hold numbers."""
        return [name for part, name in self.outcome.items() if part != "stratum"]

    def check(self, columns: Iterable[str]) -> None:
        """Refuse names that are no column (SL-511), and columns with two roles (SL-512)."""
        named = {"group": self.group, "id": self.id, "external": self.external}
        check_roles(columns, {**self.outcome, **named}, self.drop, self.category)


@dataclass(frozen=True, eq=False)
class Study:
    """Patients to compare models on, checked.

    Attributes
    ----------
    source : str
        Where they are from.
    X : DataFrame (n, variables)
    y : structured array (n,)
    unit : str
        The unit of time, as far as it is known.
    groups : array (n,) or None
        Each row's patient.
    design : Design
        Fitted on all rows: it says what is a number and what a category, and what is left out.
    external : bool array (n,) or None
        The rows of another data set.
    manifest : dict
        Of a cohort file; else empty.
    flows : dict
        "cohort" -> the `Flow` of what its rules excluded; "reading" -> of rows that were dropped because of their time.
    """

    source: str
    X: pd.DataFrame
    y: np.ndarray
    unit: str
    groups: np.ndarray | None
    design: Design
    external: np.ndarray | None = None
    manifest: dict[str, Any] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """The outcome, typed."""
        return Outcome.of(self.y)


def gbsg2() -> Study:
    """Return the 686 patients of the German Breast Cancer Study Group's trial 2, as scikit-survival ships them.

    References
    ----------
    Schumacher et al. (1994), Journal of Clinical Oncology 12, 2086-2093.
    """
    from sksurv.datasets import load_gbsg2

    X, y = load_gbsg2()
    source = "GBSG2, node-positive breast cancer, recurrence-free survival (shipped by scikit-survival)"
    return Study(source, X, Outcome.of(y).to_y(), "days", None, Design.fit(X))


def study_of(
    path: str | Path,
    roles: Roles,
    *,
    event_code: str | None = None,
    zero_time: str = "keep",
    force: bool = False,
    numbers: Iterable[str] = (),
    **form: str,
) -> Study:
    """Read a file and check what is in it.

    Parameters
    ----------
    path : str or Path
    roles : Roles
    event_code : str, optional
        The value of the event column that is the event, as text.
    zero_time : {"keep", "half", "drop", "refuse"}
    force : bool
        Accept fewer than 10 events and suspect values.
    numbers : iterable of str
        Predictors whose numbers may have leading zeros.
    **form : str
        ``sep``, ``decimal`` and ``encoding`` of a CSV.

    Raises
    ------
    InputError, InputTypeError
        SL-501 to SL-509 the file; SL-511 to SL-514 the roles; SL-533 rows of another data set that are not told by 0
        and 1; SL-1xx the outcome; SL-2xx the predictors.

    Warns
    -----
    InputWarning
        SL-118 long times, SL-215 and SL-216 predictors that give the outcome away or number the rows.
    """
    table = read_table(path, text=roles.text, numbers=[*roles.numbers, *numbers], **form)
    roles.check(table.columns)
    check_labels(table, roles.id, roles.group)
    table = table.astype(dict.fromkeys(roles.category, "category"))
    aside = {name for name in (roles.id, roles.group, roles.external, *roles.drop) if name is not None}
    external = None if roles.external is None else _flags(table[roles.external])
    made, flows = _manifest(path)
    events = made["outcome"]["events"] if made["roles"].get("event") == roles.event else {}
    if event_code is None and len(events) > 1:
        found = f"{roles.event!r} has several events: {listed(f'{code} ({text})' for code, text in events.items())}."
        raise InputError("SL-103", found, "Name the one to compare on; the others count as censored.")
    code = None if event_code is None else event_value(table[roles.event], event_code)
    X, y = split_xy(table.drop(columns=list(aside)), **roles.outcome, event_of_interest=code, zero_time=zero_time)
    X.attrs["units"] = units_of(made)
    outcome = Outcome.of(y)
    if len(X) < len(table):
        flows["reading"] = _dropped(table, roles, code, X.index)
    check_enough_events(outcome, force)
    groups = None if roles.group is None else table.loc[X.index, roles.group].to_numpy()
    external = None if external is None else external[X.index].to_numpy()
    if roles.id is not None:
        X.index = pd.Index(table.loc[X.index, roles.id], name=roles.id)
    design = Design.fit(X, weight=outcome.weight, force=force)
    design.transform(X)  # rows of weight 0, too
    check_leaks(X, outcome)
    unit = made["unit"] if made["roles"].get("time") == roles.time else UNKNOWN_UNIT
    known = made if "licence" in made else {}
    return Study(str(path), X, y, unit, groups, design, external, known, flows)


def known_roles(path: str | Path) -> dict[str, str]:
    """Return the roles of the columns of a cohort file, as its manifest has them; empty for any other file."""
    roles = _manifest(path)[0]["roles"]
    return {field.name: roles[field.name] for field in fields(Roles) if field.name in roles}


def _manifest(path: str | Path) -> tuple[dict[str, Any], dict[str, Flow]]:
    """Return manifest and flow in the metadata of a cohort file; for any other file an empty one."""
    if Path(path).suffix.lower() in PARQUET:
        with suppress(OSError, ValueError, pa.ArrowException):
            said = pq.read_schema(path).metadata or {}
            if (made := unsealed(said)) is not None:
                return made, {"cohort": Flow.of(json.loads(said[FLOW_KEY]))}
    return {"roles": {}, "unit": "", "outcome": {"events": {}}}, {}


def _dropped(table: pd.DataFrame, roles: Roles, code: object, kept: pd.Index) -> Flow:
    """Count the rows that are left out because of their time."""
    parts = {name: table[column] for name, column in roles.outcome.items() if name in ("time", "event")}
    event = Outcome.of(parts, event_of_interest=code).event != 0
    patients = None if roles.group is None else pd.factorize(table[roles.group])[0]
    return Flow.count([("time", "a time above 0", table.index.isin(kept))], patients, event)


def check_roles(
    columns: Iterable[str], named: dict[str, str | None], drop: Iterable[str], category: Iterable[str]
) -> None:
    """Refuse names that are no column (SL-511), and columns with two roles (SL-512)."""
    columns = list(columns)
    pairs = [(role, name) for role, name in named.items() if name is not None]
    pairs += [*(("drop", name) for name in drop), *(("category", name) for name in category)]
    for role, name in pairs:
        if name not in columns:
            found = f"--{role} {name!r} is no column of the table{nearest(name, columns)}."
            raise InputError("SL-511", found, f"It has {listed(columns)}.")
    role_of: dict[str, str] = {}
    for role, name in pairs:
        if {role, role_of.setdefault(name, role)} - {"group", "id"} and role_of[name] != role:
            raise InputError("SL-512", f"--{role_of[name]} and --{role} both name {name!r}.")


def check_labels(table: pd.DataFrame, *names: str | None) -> None:
    """Refuse rows without a label in one of the columns `names` (SL-514)."""
    for name in names:
        if name is not None and (missing := table[name].isna().to_numpy()).any():
            raise InputError("SL-514", f"{name!r} is missing in {rows(missing)}.", "Every row needs its label.")


def event_value(events: pd.Series, text: str) -> Any:
    """Return `text` as a value of the type that the event column has (SL-513 where it cannot be)."""
    if types.is_bool_dtype(events.dtype):
        return text.lower() in ("1", "true")
    if not types.is_numeric_dtype(events.dtype):
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError("SL-513", f"--event-code {text!r} is no number; the event column holds numbers.") from None


def _flags(column: pd.Series) -> pd.Series:
    """Return which rows are of another data set."""
    numbers = pd.to_numeric(column, errors="coerce")  # flags become 0 and 1
    if (strange := ~numbers.isin([0, 1]).to_numpy()).any():
        found = f"--external {column.name!r} is neither 0 nor 1 in {rows(strange)}."
        raise InputError("SL-533", found, "Put 1 in the rows of the other data set, 0 in all others.")
    return numbers.astype(bool)
