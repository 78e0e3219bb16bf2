"""The contract of a data source: a recipe, and an invented sample in the source's format with its expected flow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..cohort import Cohort, build_cohort, read_cohort
from ..cohort.checks import sources
from ..cohort.flow import Flow
from ..cohort.parts import active
from ..cohort.recipe import Choice, load_recipe
from ..errors import InputError
from ..outcome import Outcome
from .common import require, require_close

MOST_ROWS = 500  # a sample is small: every row of it is invented, and can be looked at


def check_source(recipe: str | Path, sample: str | Path, switches: Mapping[str, Any] = {}) -> None:
    """Check that a recipe does with a sample what its author says, for every outcome.

    Beside ``NAME.csv`` lies ``NAME.flow.json``: by outcome the rows, patients and events at the ``start`` and ``end``,
    and by rule those ``excluded`` in order and those that it ``fails`` at all. The counts must be these; times are at
    least 0 and after the entry, event codes are the outcome's; predictors are complete and described by the manifest;
    what ends the follow-up is marked as a leak and is behind no predictor; the order of rows and columns in a table
    changes nothing, nor does writing and reading the cohort.

    Parameters
    ----------
    recipe : str or Path
        Name of a shipped recipe, or the path of a TOML file.
    sample : str or Path
        Invented rows in the source's format, at most 500.
    switches : dict
        As in `build_cohort`; the expected flow must be made for them.

    Raises
    ------
    AssertionError
        With what does not hold.

    Examples
    --------
    >>> check_source("my-registry.toml", "my-registry.csv")  # doctest: +SKIP
    """
    recipe, sample = load_recipe(recipe), Path(sample)
    expected = json.loads(sample.with_name(f"{sample.name.split('.')[0]}.flow.json").read_text(encoding="utf-8"))
    settled = recipe.choose(switches).switches
    names = [name for name, outcome in recipe.outcomes.items() if active(outcome.when, settled)]
    choices = {name: recipe.choose(switches, name) for name in names}
    require(list(expected) == names, f"the expected flow is of {list(expected)}, the recipe of {names}.")
    for name, choice in choices.items():
        cohort = build_cohort(sample, recipe, outcome=name, switches=switches)
        rows = cohort.flow.start.rows
        require(rows <= MOST_ROWS, f"the sample has {rows} rows: at most {MOST_ROWS} can be looked at.")
        _check_flow(name, cohort.flow, expected[name])
        _check_outcome(name, cohort, choice)
        _check_manifest(name, cohort)
        _check_leaks(name, cohort, choice)
        _check_written(name, cohort)
    if recipe.source == "table":
        _check_order(choices, sample)


def _check_flow(outcome: str, flow: Flow, expected: Mapping[str, Any]) -> None:
    """Compare every count, and name the first one that is off."""
    rules = [step.id for step in flow.steps]
    require(rules == list(expected["rules"]), f"{outcome}: the rules are {rules}, expected {list(expected['rules'])}.")
    pairs = {"start": (flow.start, expected["start"])}
    for step in flow.steps:
        for cell in ("excluded", "fails"):
            pairs[f"rule {step.id!r}, {cell}"] = getattr(step, cell), expected["rules"][step.id][cell]
    pairs["end"] = flow.end, expected["end"]
    for where, (count, wanted) in pairs.items():
        found = [count.rows, count.patients, count.events]
        message = f"{outcome}, {where}: rows, patients and events are {found}, expected {list(wanted)}."
        require(found == list(wanted), message)


def _check_outcome(outcome: str, cohort: Cohort, choice: Choice) -> None:
    codes = {event.code for event in choice.outcome.events}
    found = set(np.unique(cohort.y["event"]).astype(int).tolist())
    require(found - {0} == codes, f"{outcome}: the sample has events {found - {0}}, the outcome {codes}.")
    kind = "b" if len(codes) == 1 else "i"
    require(cohort.y["event"].dtype.kind == kind, f"{outcome}: event is {cohort.y['event'].dtype}.")
    entered = bool(choice.outcome.entry)
    require(("entry" in cohort.y.dtype.names) == entered, f"{outcome}: entry is missing, or there without reason.")
    try:
        Outcome.of(cohort.y, event_of_interest=None if kind == "b" else 1)
    except InputError as error:
        raise AssertionError(f"{outcome}: {error}") from error


def _check_manifest(outcome: str, cohort: Cohort) -> None:
    manifest = cohort.manifest
    require(json.loads(json.dumps(manifest)) == manifest, f"{outcome}: the manifest changes as JSON.")
    names = [entry["name"] for entry in manifest["columns"]]
    roles = list(dict.fromkeys(manifest["roles"].values()))
    require(sorted(names + roles) == sorted(cohort.frame), f"{outcome}: the manifest lists {names + roles}.")
    end = cohort.flow.end
    counts = [manifest[part] for part in ("rows", "patients", "events")]
    require(counts == [end.rows, end.patients, end.events], f"{outcome}: the manifest counts {counts}.")
    for entry in manifest["columns"]:
        column, where = cohort.frame[entry["name"]], f"{outcome}, column {entry['name']!r}"
        require(not column.isna().any(), f"{where} has {column.isna().sum()} missing values.")
        require(bool(entry["group"]), f"{where} belongs to no factor.")
        if entry["coding"] != "noise":
            require(bool(entry["fields"] and entry["headers"]), f"{where} comes from no column of the file.")
        if entry["coding"] == "number" and len(entry["fields"]) == 1:
            require(bool(entry["unit"]), f"{where} has no unit.")
        if entry["mean"] is not None and not entry["scaled"]:
            moments = np.array([entry["mean"], entry["sd"]])
            require_close(f"{where}, mean and sd", moments, np.array([column.mean(), column.std(ddof=0)]))


def _check_leaks(outcome: str, cohort: Cohort, choice: Choice) -> None:
    """The fields of the events are marked as leaks, one field of the time is, and no predictor is made of them."""
    recipe, fields = choice.recipe, choice.recipe.book.fields
    needs = {need for event in choice.outcome.events for need in event.condition.needs}
    events = {base for need in needs for base in sources(recipe, need)}
    times = sources(recipe, choice.outcome.time)
    open_fields = sorted(name for name in events if not fields[name].leak)
    require(not open_fields, f"{outcome}: {open_fields} tell the event and are not marked as leaks.")
    require(any(fields[name].leak for name in times), f"{outcome}: none of {sorted(times)} is marked as a leak.")
    for entry in cohort.manifest["columns"]:
        behind = sorted(name for name in entry["fields"] if fields[name].leak)
        require(not behind, f"{outcome}: column {entry['name']!r} is made of {behind}, which know the future.")


def _check_written(outcome: str, cohort: Cohort) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cohort.parquet"
        cohort.write(path)
        again = read_cohort(path)
        require(not path.stat().st_mode & 0o077, f"{outcome}: others may read the written cohort.")
    same = again.fingerprint == cohort.fingerprint and again.manifest == cohort.manifest and again.flow == cohort.flow
    require(same, f"{outcome}: the cohort that was read is not the one that was written.")


def _check_order(choices: Mapping[str, Choice], sample: Path) -> None:
    """Build from the same table with its rows and columns in other orders."""
    name, choice = next(iter(choices.items()))
    sep = choice.recipe.file.sep
    table = pd.read_csv(sample, sep=sep, dtype=str, keep_default_na=False, encoding=choice.recipe.file.encoding)
    rows = np.random.default_rng(0).permutation(len(table))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "other-order.csv"
        table.iloc[rows, ::-1].to_csv(path, sep=sep, index=False, encoding=choice.recipe.file.encoding)
        given = {"outcome": name, "switches": choice.switches}
        one, other = (build_cohort(each, choice.recipe, **given) for each in (sample, path))
    require(one.fingerprint == other.fingerprint, "the order of the rows or columns in the file changes the cohort.")
