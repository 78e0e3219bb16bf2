"""Analysis cohorts: a recipe applied to an export or a table, every exclusion counted, every column explained."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from survlspin._messages import listed
from survlspin.cohort.agreement import agreements
from survlspin.cohort.checks import COPIES
from survlspin.cohort.codebook import Values
from survlspin.cohort.duplicates import copies, in_order, patient_codes, refuse_conflicts
from survlspin.cohort.flow import Flow
from survlspin.cohort.manifest import FLOW_KEY, KEY, fingerprint_of, manifest_of, sealed, units_of, unsealed
from survlspin.cohort.predictors import predictors
from survlspin.cohort.recipe import Choice, Recipe, load_recipe
from survlspin.cohort.records import Records, read_records, ties
from survlspin.errors import InputError, InputTypeError, InputWarning
from survlspin.outcome import Outcome
from survlspin.tables import replacing

__all__ = ["Cohort", "build_cohort", "read_cohort"]

COPY = (COPIES, "no exact copy of another record")


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients to analyse; made by `build_cohort` or `read_cohort`.

    Attributes
    ----------
    frame : DataFrame (n, columns)
        The predictors, then ``time``, ``event``, and ``entry`` and ``patient`` where there are such. Rows are in the
        order of patients. ``event`` is bool, or 0, 1, 2, ... where the outcome has several events.
    manifest : dict
        What every column and the cohort are; it can be written as JSON.
    flow : Flow
        The exclusions.
    quarantine : DataFrame
        Lines of the file that could not be read: ``line`` and ``reason``.
    """

    frame: pd.DataFrame = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    flow: Flow
    quarantine: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content of `frame`: the same for every form and order of the file it was made of."""
        return self.manifest["fingerprint"]

    @cached_property
    def X(self) -> pd.DataFrame:
        """The predictors, with their units as ``X.attrs["units"]``."""
        X = self.frame[[column["name"] for column in self.manifest["columns"]]]
        X.attrs["units"] = units_of(self.manifest)
        return X

    @cached_property
    def y(self) -> np.ndarray:
        """The outcome as a structured array: ``event`` (bool or int codes), ``time``, and ``entry`` if any."""
        names = [name for name in ("event", "time", "entry") if name in self.manifest["roles"]]
        y = np.empty(len(self), dtype=[(name, self.frame[name].dtype) for name in names])
        for name in names:
            y[name] = self.frame[name]
        return y

    @property
    def groups(self) -> pd.Series | None:
        """The patient of each row, for folds that keep a patient's rows together; None: every row is a patient."""
        return self.frame["patient"] if "patient" in self.manifest["roles"] else None

    def write(self, path: str | Path) -> None:
        """Write a Parquet file that its owner alone may read, whole or not at all; the manifest is in its metadata.

        Raises
        ------
        InputError
            SL-521 no such folder, SL-522 the path is a folder, SL-523 the file cannot be written.
        """
        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        said = sealed(self.manifest, self.flow.to_json())
        with replacing(Path(path)) as name:
            pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **said}), name)


def read_cohort(path: str | Path) -> Cohort:
    """Read a cohort that `Cohort.write` wrote.

    Raises
    ------
    InputError
        SL-501 the file cannot be opened; SL-598 it is no cohort, is damaged, or was changed since.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            table = pq.read_table(file)
        said = table.schema.metadata or {}
        frame = table.replace_schema_metadata().to_pandas()
    except (OSError, ValueError, pa.ArrowException) as error:
        if reason := getattr(error, "strerror", None):
            raise InputError("SL-501", f"{path} cannot be opened: {reason}.", "Check the path.") from error
        raise InputError("SL-598", f"{path.name} is no whole Parquet file.", "Make it with build_cohort.") from error
    if KEY not in said or FLOW_KEY not in said:
        raise InputError("SL-598", f"{path.name} is a table, but no cohort.", "Make it with build_cohort.")
    manifest = unsealed(said)
    if manifest is None or fingerprint_of(frame) != manifest["fingerprint"]:
        found = f"{path.name} does not hold what its manifest says."
        raise InputError("SL-598", found, "It was changed after it was written; build it again.")
    quarantine = pd.DataFrame({"line": pd.Series(dtype="int64"), "reason": pd.Series(dtype=object)})
    return Cohort(frame, manifest, Flow.of(json.loads(said[FLOW_KEY])), quarantine)


def build_cohort(
    data: str | Path | pd.DataFrame,
    recipe: str | Path | Recipe,
    *,
    outcome: str | None = None,
    switches: Mapping[str, Any] = {},
    aliases: Mapping[str, str] = {},
    dic: str | Path | None = None,
    sas: str | Path | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    engine: str = "pandas",
    cache: str | Path | None = None,
    seed: int = 0,
    max_quarantine: float = 0.01,
) -> Cohort:
    """Apply a recipe to a registry's export or a table.

    Parameters
    ----------
    data : path or DataFrame
        A SEER*Stat export, or for recipes of other data a CSV, Parquet or Feather file.
    recipe : str, Path or Recipe
        As `load_recipe` takes it.
    outcome : str, optional
        One of the recipe's outcomes; by default the first.
    switches : dict
        Switch -> value, for switches that shall not have their default.
    aliases : dict
        Field -> header, where a column goes by a name that is not known.
    dic, sas : path, optional
        Of an export, by default the file beside it.
    encoding : str, optional
        Of the file, where it is not what the recipe says, or an export is neither UTF-8 nor cp1252.
    delimiter : {"tab", "comma", "semicolon"}, optional
        Between cells, where it is not what the recipe or the ``.dic`` says.
    engine : {"pandas", "polars"}
        What parses an export; the cohort is the same.
    cache : path, optional
        A folder for a copy of the export that is read faster.
    seed : int
        Of the noise columns.
    max_quarantine : float
        The largest share of malformed lines.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError, InputTypeError
        SL-595 an argument of the wrong type; SL-583 to SL-592 and SL-596 to SL-599 as `load_recipe` and the parts say;
        SL-593 no record is left; SL-594 no event is left.

    Warns
    -----
    InputWarning
        SL-590 the recipe was not written for this submission.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stage": ["T1c", "T2"], "grade": ["poor", "mode"], "ageGroup": ["70-74", "80+"],
    ...                       "survTime": [97, 12], "status": [0, 1]})
    >>> build_cohort(table, "prostate-survival", outcome="os").frame["time"].tolist()
    [97.5, 12.5]
    """
    _check_arguments(data, recipe, seed, {"switches": switches, "aliases": aliases}, (encoding, delimiter))
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    choice = recipe.choose(switches, outcome)
    how = {"dic": dic, "sas": sas, "encoding": encoding, "delimiter": delimiter}
    how |= {"engine": engine, "cache": cache, "max_quarantine": max_quarantine}
    records = read_records(data, choice, aliases=aliases, **how)
    _warn_submission(recipe, records.facts)
    patients = _patients(choice, records)
    keep, flow = _flow(choice, _Fields(choice, records.fields), patients)
    rows = np.flatnonzero(keep)
    if patients is not None:
        rows = in_order(rows, patients, records.fields, [name for name in recipe.order if name in records.fields])
    fields = _Fields(choice, {name: records.fields.pop(name).take(rows) for name in list(records.fields)})
    frame, columns = predictors(choice, fields, records.headers, len(rows), seed)
    frame, roles = _with_roles(choice, fields, frame)
    checks = agreements(choice, fields)
    manifest = manifest_of(choice, records.facts, frame, columns, checks, roles, flow.end, seed)
    return Cohort(frame, manifest, flow, records.quarantine)


class _Fields(dict):
    """Decoded fields by name; derived ones are made when they are asked for."""

    def __init__(self, choice: Choice, values: Mapping[str, Values]):
        super().__init__(values)
        self.derive = choice.derive

    def __missing__(self, name: str) -> Values:
        step = self.derive[name].step
        for need in step.needs:
            self[need]
        self[name] = step.of(self)
        return self[name]

    def get(self, name: str, default=None):
        """Return a field, or `default` if there is none of that name."""
        return self[name] if name in self or name in self.derive else default


def _check_arguments(data, recipe, seed, pairs: Mapping[str, Any], words: tuple) -> None:
    kinds = {"data": (data, str | Path | pd.DataFrame), "recipe": (recipe, str | Path | Recipe), "seed": (seed, int)}
    for name, (given, kind) in kinds.items():
        if not isinstance(given, kind):
            remedy = "data: a path or DataFrame; recipe: a name, path or Recipe; seed: a whole number."
            raise InputTypeError("SL-595", f"{name} is a {type(given).__name__}.", remedy)
    if wrong := [name for name, given in pairs.items() if not isinstance(given, Mapping)]:
        raise InputTypeError("SL-595", f"{wrong[0]} is a {type(pairs[wrong[0]]).__name__}.", "Give a dict.")
    if wrong := [word for word in words if not isinstance(word, str | None)]:
        raise InputTypeError("SL-595", f"encoding or delimiter is a {type(wrong[0]).__name__}.", "Give text.")
    if seed < 0:
        raise InputError("SL-588", f"seed={seed}.", "Give a whole number from 0.")


def _warn_submission(recipe: Recipe, facts: Mapping[str, Any]) -> None:
    given = facts.get("submission")
    if recipe.submissions and (given or facts.get("database")) and given not in recipe.submissions:
        known = listed(recipe.submissions, 20)
        found = f"the export is of the submission of {given}; recipe {recipe.name!r} knows {known}."
        remedy = "Codes that are new stop the run by name; compare the flow and the manifest with the documentation."
        warnings.warn(InputWarning("SL-590", found, remedy), stacklevel=3)


def _patients(choice: Choice, records: Records) -> np.ndarray | None:
    """The patient of each record as a number, once no two records contradict each other."""
    recipe = choice.recipe
    if not recipe.patient:
        return None
    patients = patient_codes(recipe.patient, records.fields[recipe.patient])
    refuse_conflicts(patients, records.fields, *ties(choice, records.headers))
    return patients


def _flow(choice: Choice, values: _Fields, patients: np.ndarray | None) -> tuple[np.ndarray, Flow]:
    """Which records stay, and what each rule costs."""
    steps = []
    if patients is not None:
        steps.append((*COPY, ~copies(patients, dict(values))))
    steps += [(rule.id, rule.text, rule.keep.of(values)) for rule in choice.rules]
    event = _events(choice, values)
    flow = Flow.count(steps, patients, event > 0)
    if not flow.end.rows:
        emptied = next((step for step in flow.steps if not step.after.rows), None)
        after = "the file has none" if not flow.start.rows else f"rule {emptied.id!r} ({emptied.text}) left none"
        raise InputError("SL-593", f"no record is left: {after}.", "Is the file of the kind the recipe is for?")
    if not flow.end.events:
        found = f"no event of outcome {choice.name!r} among {flow.end.rows} records."
        raise InputError("SL-594", found, "Choose another outcome, or check the columns it reads.")
    keep = np.logical_and.reduce([step[2] for step in steps]) if steps else np.ones(len(event), dtype=bool)
    return keep, flow


def _events(choice: Choice, values: _Fields) -> np.ndarray:
    """The code of the event that each record ends with; 0: none."""
    hits = [event.condition.of(values) for event in choice.outcome.events]
    return np.select(hits, [event.code for event in choice.outcome.events], 0)


def _with_roles(choice: Choice, values: _Fields, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The frame with the columns of the outcome, and the part each plays."""
    outcome, recipe = choice.outcome, choice.recipe
    for event in outcome.events:
        _refuse_open(choice, event.condition.undecided(values), event.condition.needs)
    numbers = {"time": outcome.time, **({"entry": outcome.entry} if outcome.entry else {})}
    for name in numbers.values():
        _refuse_open(choice, ~values[name].known, (name,))
    code = _events(choice, values)
    made = {"time": values[outcome.time].data + outcome.plus}
    made["event"] = code.astype(np.int64) if len(outcome.events) > 1 else code > 0
    if outcome.entry:
        made["entry"] = values[outcome.entry].data
    Outcome.of(made, event_of_interest=1 if len(outcome.events) > 1 else None)  # times that cannot be
    roles = {name: name for name in made}
    if recipe.patient:
        mine = values[recipe.patient]
        made["patient"] = mine.data if mine.kind == "text" else _as_text(mine)
        roles["group"] = roles["patient"] = "patient"
    if clash := [name for name in made if name in frame]:
        raise InputError("SL-586", f"a column is called {clash[0]!r}.", "This name is the outcome's: rename it.")
    return pd.concat([frame, pd.DataFrame(made, copy=False)], axis=1), roles


def _as_text(values: Values) -> np.ndarray:
    if values.kind == "category":
        return np.array(values.levels, dtype=object)[values.data]
    return np.array([f"{value:.17g}" for value in values.data], dtype=object)


def _refuse_open(choice: Choice, rows: np.ndarray, names) -> None:
    if n := int(np.count_nonzero(rows)):
        found = f"outcome {choice.name!r}: {listed(names)} not known in {n} of {len(rows)} records kept."
        raise InputError("SL-596", found, "Add a rule to the recipe that keeps records where it is.")
