"""What a model says of many patients, as counts and quantiles that tell of no single one: a folder to share."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from survlspin import __version__
from survlspin._messages import listed, nearest
from survlspin.errors import InputError
from survlspin.nonparametric import product_limit
from survlspin.report.follow_up import reporting_times
from survlspin.study import Study
from survlspin.tables import escaped, replacing

from .counting import ALL, Course, Population, counted_sets, counted_subgroup, counted_times
from .faithful import shared_card
from .suppression import CountTable, audit, suppress

__all__ = ["OTHERS", "PRESETS", "publish"]

PRESETS = (5, 11, 16)  # the smallest counts that registries allow to be shown
OTHERS = "(other sets)"
CURVES = 8  # sets whose course is shown, at most
LEVELS, OLDEST, DECADE = 20, 90, 10
AGE = re.compile(r"(?:^|[^A-Za-z])(?:age|Age|AGE)(?![a-z])|[a-z]Age(?![a-z])")  # a word of a column's name
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
STEPS = 12  # of the grid of times, about


def publish(
    model: Any, data: Study, out: str | Path, min_cell: int, subgroups: Sequence[str] = (), *,
    training: tuple | None = None, seen: bool | np.ndarray = False,
) -> tuple[list[Path], dict[str, Any]]:  # fmt: skip
    """Write how often sets and factors are listed, what became of whom, and what factors do; no single patient.

    Of a patient with several rows the first counts. Counts from 1 to ``min_cell - 1`` are hidden, and others from
    which they could be had (`survlspin.publish.suppression`), sets among them by being counted with other sets; times
    are those of a coarse grid, ages decades up to 90, quantiles means over `min_cell` patients around them with as many
    on either side.

    Parameters
    ----------
    model : fitted estimator
        One that has `risk_factors`.
    data : Study
    out : str or Path
        An existing folder.
    min_cell : int
        At least 2; 5, 11 and 16 are usual.
    subgroups : sequence of str
        Columns with up to 20 levels, or ages.
    training : (X, y), optional
        The patients that the model was made from, where these are others; up to 20,000 serve the faithfulness card.
    seen : bool or bool array (n,)
        Whether the model was made from `data`, or from which rows: the faithfulness card is then of the others.

    Returns
    -------
    list of Path, dict
        The files, and the card: what the model is, what was hidden, and how faithful lists of factors are.

    Raises
    ------
    InputError
        SL-673 a model that lists no factors, SL-674 a `min_cell` below 2, SL-676 a column that makes no subgroups,
        SL-677 fewer than twice `min_cell` patients.
    """
    if not hasattr(model, "risk_factors"):
        found = f"{type(model).__name__} does not choose factors for each patient."
        raise InputError("SL-673", found, "Name a model that does, as CoxLLSPIN.")
    if min_cell < 2:
        raise InputError("SL-674", f"--min-cell {min_cell} hides nothing.", f"Usual are {listed(PRESETS)}.")
    first = _first_rows(data)
    data, seen = _rows_of(data, first), np.broadcast_to(seen, len(data.X))[first]
    if len(data.X) < 2 * min_cell:
        found = f"{len(data.X)} patients, and counts below {min_cell} are hidden."
        raise InputError("SL-677", found, "There are too few to say anything of them.")
    groups = {name: _levels(data.X, name) for name in subgroups}
    counted = _counted(model, data, groups, min_cell)
    frames = {
        "sets": _sets(counted),
        "sizes": _sizes(counted),
        "factors": _factors(counted),
        "subgroups": _subgroups(counted, groups),
        "courses": _courses(counted, data),
        "effects": _effects(counted, min_cell),
        "baseline": _baseline(model, counted),
    }
    total = counted.shown[ALL] is not None
    faithful = shared_card(model, data, min_cell, counted=total, training=training, seen=seen)
    card = _card(model, data, counted, min_cell) | {"faithfulness": faithful}
    return _written(Path(out), frames, card), card


@dataclass(frozen=True, eq=False)
class _Counted:
    """What was counted, and what of it may be shown.

    Attributes
    ----------
    people : Population
    effects : float32 array (n, G)
    table : FactorTable
    grid : array (K + 1,)
        Times, from 0.
    shown : dict
        Cell -> its count, or None.
    courses : list of Course
    hidden : int
        How many counts are not shown although there is a row for them.
    """

    people: Population
    effects: np.ndarray
    table: Any
    grid: np.ndarray
    shown: dict
    courses: list[Course]
    hidden: int


def _first_rows(data: Study) -> np.ndarray:
    """Return the position of each patient's first row."""
    if data.groups is None:
        return np.arange(len(data.X))
    return np.sort(np.unique(pd.factorize(data.groups)[0], return_index=True)[1])


def _rows_of(data: Study, rows: np.ndarray) -> Study:
    """Return rows of the data, each of another patient."""
    external = None if data.external is None else data.external[rows]
    return replace(data, X=data.X.iloc[rows], y=data.y[rows], groups=None, external=external)


def _levels(X: pd.DataFrame, name: str) -> tuple[np.ndarray, list[str]]:
    """Return each patient's level of a column, and what levels are called; ages are decades, the last open (SL-676)."""
    if name not in X.columns:
        raise InputError("SL-676", f"subgroup {name!r} is no column{nearest(name, X.columns)}.", "Name one.")
    column = X[name]
    if AGE.search(name) and pd.api.types.is_numeric_dtype(column.dtype):
        start = (column.to_numpy(float) // DECADE * DECADE).clip(0, OLDEST).astype(int)
        found, level = np.unique(start, return_inverse=True)
        return level, [f"{a}+" if a == OLDEST else f"{a}-{a + DECADE - 1}" for a in found]
    level, found = pd.factorize(column, sort=True)
    if len(found) > LEVELS:
        found = f"subgroup {name!r} has {len(found)} different values, more than {LEVELS}."
        raise InputError("SL-676", found, "Make a column of few groups.")
    return level, [str(each) for each in found]


def _counted(model: Any, data: Study, groups: dict[str, tuple[np.ndarray, list[str]]], least: int) -> _Counted:
    """Count, hide, and make sure that nothing hidden can be had."""
    table = model.risk_factors(data.X)
    blocks = [(block.listed, block.effects.astype(np.float32)) for block in table.explanations()]
    listed_, effects = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    people = Population(tuple(table.factors), listed_)
    tables = [CountTable({ALL: len(people)}), counted_sets(people)]  # the first give way last
    tables += [counted_subgroup(people, name, level, len(names)) for name, (level, names) in groups.items()]
    outcome, grid, courses = data.outcome, np.array([0.0]), []
    if outcome.entry is None:
        grid = reporting_times(float(outcome.time.max()), STEPS)
        n, code = people.sets[1], people.sets[2]
        events = np.bincount(code, outcome.event != 0)
        chosen = [s for s in range(len(n)) if n[s] >= least and events[s] >= least][:CURVES]
        interval = np.searchsorted(grid[1:], outcome.time, side="left")
        timed, courses = counted_times(people, chosen, interval, outcome.event != 0, least)
        tables += timed
    safe = suppress(tables, least)
    if found := audit(safe, least):
        raise InputError("SL-678", f"{len(found)} hidden counts could be had.", "Nothing was written: report this.")
    shown = {cell: n for t in safe for cell, n in t.counts.items()}
    silent = {cell for t in safe for cell in t.silent | t.pooled}
    hidden = sum(n is None and cell not in silent for cell, n in shown.items())
    return _Counted(people, effects, table, grid, shown, courses, hidden)


def _sets(counted: _Counted) -> pd.DataFrame:
    total, people = counted.shown[ALL], counted.people
    sizes = people.sets[0].sum(axis=1)
    rows = [
        (people.name(s), sizes[s], n) for s in range(len(sizes)) if (n := counted.shown.get(("set", s))) is not None
    ]
    others = len(people) - sum(n for _, _, n in rows)
    if others and total is not None:
        rows.append((OTHERS, None, others))
    frame = pd.DataFrame(rows, columns=["set_key", "n_factors", "n"]).astype({"n_factors": "Int64"})
    return _shared(frame, total)


def _sizes(counted: _Counted) -> pd.DataFrame:
    rows = [(k, counted.shown["size", k]) for k in range(len(counted.people.factors) + 1)]
    return _shared(pd.DataFrame(rows, columns=["n_factors", "n"]), counted.shown[ALL])


def _factors(counted: _Counted) -> pd.DataFrame:
    table = counted.table
    rows = [
        (name, "context" if table.context[f] else "selected", table.units[f], counted.shown["factor", f])
        for f, name in enumerate(table.factors)
    ]
    return _shared(pd.DataFrame(rows, columns=["factor", "role", "unit", "n"]), counted.shown[ALL])


def _subgroups(counted: _Counted, groups: dict[str, tuple[np.ndarray, list[str]]]) -> pd.DataFrame:
    rows = [
        (column, name, counted.shown["level", column, g], factor, counted.shown["factor", f, column, g])
        for column, (_, names) in groups.items()
        for g, name in enumerate(names)
        for f, factor in enumerate(counted.people.factors)
    ]
    frame = pd.DataFrame(rows, columns=["column", "level", "patients", "factor", "n"])
    return _shared(frame, frame["patients"].astype("Int64")).astype({"patients": "Int64"})


def _shared(frame: pd.DataFrame, total: Any) -> pd.DataFrame:
    """Add the share of a total, where both are shown."""
    frame = frame.astype({"n": "Int64"})
    share = frame["n"] / (pd.NA if total is None else total)
    return frame.assign(share=share.astype("Float64").round(6))


def _courses(counted: _Counted, data: Study) -> pd.DataFrame:
    """Numbers at risk, events since the time before, and Kaplan-Meier curves, up to where a count is hidden."""
    frames, code, outcome = [], counted.people.sets[2], data.outcome
    columns = ["set_key", "time", "at_risk", "events", "survival"]
    for course in counted.courses:
        cells = _until_hidden(counted, course)
        if len(cells) > 1:
            rows = np.ones(len(code), dtype=bool) if course.whom == ALL else code == course.whom[1]
            name = "(all)" if course.whom == ALL else counted.people.name(course.whom[1])
            times = counted.grid[course.times[: len(cells)]]
            curve = product_limit(outcome.time[rows], outcome.event[rows] != 0)
            parts = (name, times, *zip(*cells, strict=True), curve.at(times).round(3))
            frames.append(pd.DataFrame(dict(zip(columns, parts, strict=True))))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _until_hidden(counted: _Counted, course: Course) -> list[tuple[int, int]]:
    """Return numbers at risk and events of a course, from time 0 to the last time before one of them is hidden."""
    later = range(1, len(course.times))
    cells = [tuple(counted.shown[kind, course.whom, j] for kind in ("there", "events")) for j in later]
    return list(takewhile(lambda pair: None not in pair, [(counted.shown[course.whom], 0), *cells]))


def _effects(counted: _Counted, least: int) -> pd.DataFrame:
    """Quantiles of log hazard ratios over patients for whom a factor is listed."""
    rows = []
    for f, name in enumerate(counted.people.factors):
        values = counted.effects[counted.people.listed[:, f], f]
        known = np.sort(values[np.isfinite(values)].astype(np.float64))
        shown = counted.shown["factor", f] is not None
        rows.append((name, *(_quantile(known, q, least) if shown else np.nan for q in QUANTILES)))
    return pd.DataFrame(rows, columns=["factor", *(f"log_hr_{q * 100:.0f}" for q in QUANTILES)])


def _quantile(values: np.ndarray, q: float, least: int) -> float:
    """Return the mean of so many sorted values around a quantile; NaN where fewer are on a side of it."""
    start = round(q * len(values) - least / 2)
    if min(start, len(values) - least - start) < least:
        return np.nan
    return round(float(values[start : start + least].mean()), 3) + 0.0  # no -0.0


def _baseline(model: Any, counted: _Counted) -> pd.DataFrame:
    """The cumulative baseline hazard at the times that are shown of all patients."""
    curves = getattr(getattr(model, "baseline_", None), "curves", {})
    if set(curves) != {None} or not counted.courses:
        return pd.DataFrame(columns=["time", "cumulative_hazard"])
    course = counted.courses[0]
    times = counted.grid[course.times[: len(_until_hidden(counted, course))]]
    times = times[times <= model.unique_times_[-1]]
    hazard = model.baseline_.cumulative_hazard(np.zeros(1), times)[0]
    return pd.DataFrame({"time": times, "cumulative_hazard": [float(f"{value:.3g}") for value in hazard]})


def _card(model: Any, data: Study, counted: _Counted, least: int) -> dict[str, Any]:
    made = {name: data.manifest[name] for name in ("recipe", "citation", "licence") if name in data.manifest}
    settings = {name: str(value) for name, value in model.get_params(deep=False).items()}
    return {
        "version": __version__,
        "model": type(model).__name__,
        "settings": settings,
        "members": counted.table.members,
        "effects": counted.table.kind,
        "note": counted.table.note,
        "patients": counted.shown[ALL],
        "time_unit": data.unit,
        "cohort": made,
        "min_cell": least,
        "hidden": counted.hidden,
        "audit": "no hidden count can be had from these tables; together with other publications of the same patients "
        "it may be",
        "empty": "hidden, or not known",
        "meaning": "associations in these data, chosen for prediction; not causes",
    }


def _written(out: Path, frames: dict[str, pd.DataFrame], card: dict[str, Any]) -> list[Path]:
    for name, frame in frames.items():
        text = frame.select_dtypes(object).columns
        with replacing(out / f"{name}.csv") as new:
            frame.assign(**{column: escaped(frame[column]) for column in text}).to_csv(new, index=False)
    with replacing(out / "card.json") as new:
        new.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return [*(out / f"{name}.csv" for name in frames), out / "card.json"]
