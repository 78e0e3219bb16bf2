"""The columns of a recipe made of decoded fields, each with what the manifest says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from survlspin.cohort.codebook import STATUS, Values
from survlspin.cohort.parts import Column, Noise, Scale
from survlspin.cohort.recipe import Choice
from survlspin.errors import InputError

__all__ = ["BLANK_LEVEL", "ERAS", "UNKNOWN_LEVEL", "coverage", "predictors"]

UNKNOWN_LEVEL, BLANK_LEVEL = "unknown", "not collected"
ERAS = ((None, 2003), (2004, 2015), (2016, 2017), (2018, 2022), (2023, None))
DEFAULT = {"number": "drop", "one-hot": "zero", "category": "level"}


def predictors(
    choice: Choice, values: Mapping[str, Values], headers: Mapping[str, str], n: int, seed: int
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Make all columns.

    Parameters
    ----------
    choice : Choice
    values : dict of str -> Values
        The fields of the n records, derived ones too.
    headers : dict of str -> str
        Canonical name -> header of the file.
    n, seed : int

    Returns
    -------
    frame : DataFrame (n, columns)
    entries : list of dict
        One per column: its name, field, the fields and headers behind it, coding, level (one-hot) or levels (category),
        rare levels and those they joined, unit, group, the years and eras it is known in, mean and sd before any
        scaling.

    Raises
    ------
    InputError
        SL-596 values that are not known, of a column that may have none; SL-599 levels that the column does not have.
    """
    made: dict[str, Any] = {}
    entries: list[dict[str, Any]] = []
    for column in choice.columns:
        mine = values[column.source]
        common = _described(choice, column, mine, headers) | coverage(mine, values.get(choice.recipe.year))
        for name, level, data in _columns(column, mine):
            joined: dict[str, str] = {}
            if choice.rare is not None and column.coding == "category":
                data, joined = _without_rare(data, choice.rare.below, column.rest)
            _add(made, name, data)
            levels = list(data.categories) if isinstance(data, pd.Categorical) else None
            entries.append({"name": name, **common, "level": level, "levels": levels, "joined": joined})
    if choice.noise is not None:
        _add_noise(choice.noise, made, entries, n, seed)
    if choice.scale is not None:
        _rescale(choice.scale, made, entries)
    else:
        for entry in entries:
            entry |= _moments(made[entry["name"]]) | {"scaled": False}
    return pd.DataFrame(made, index=pd.RangeIndex(n), copy=False), entries


def _add(made: dict[str, Any], name: str, data: Any) -> None:
    if name in made:
        raise InputError("SL-586", f"two columns are called {name!r}.", "Give one of them another name.")
    made[name] = data


def _columns(column: Column, values: Values) -> Iterator[tuple[str, str | None, Any]]:
    """Name, level and data of each column that a field becomes."""
    unknown = column.unknown or DEFAULT[column.coding]
    if unknown == "drop" and (lost := int(np.count_nonzero(~values.known))):
        found = f"column {column.name!r}: {column.source!r} is not known in {lost} records kept."
        raise InputError("SL-596", found, "Add a rule that keeps known values, or code it with a level 'unknown'.")
    if column.coding == "number":
        yield column.name, None, values.data
        return
    levels, codes = _levels(column, values, unknown)
    if column.coding == "category":
        if unlisted := int(np.count_nonzero(codes < 0)):
            found = f"column {column.name!r} does not list the level of {unlisted} of {len(codes)} records kept."
            raise InputError("SL-599", found, "List all levels, or name the rest: rest = 'other'.")
        yield column.name, None, pd.Categorical.from_codes(codes, list(levels))
        return
    names = dict(zip(levels, column.names, strict=False))
    for code, level in enumerate(levels):
        if level != column.reference:
            yield names.get(level, f"{column.name}_{level}"), level, (codes == code).astype(np.uint8)


def _levels(column: Column, values: Values, unknown: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The levels of the column, and the position of each record's level among them; -1: none."""
    levels = column.levels or values.levels
    if column.rest:
        levels = tuple(dict.fromkeys((*levels, column.rest)))
    place = {level: code for code, level in enumerate(levels)}
    other = place.get(column.rest, -1)
    codes = np.array([*(place.get(level, other) for level in values.levels), -1], dtype=np.int32)[values.data]
    blank = (values.status == STATUS.index("blank")) & (column.blank == "level")
    for level, rows in ((UNKNOWN_LEVEL, ~values.known & ~blank), (BLANK_LEVEL, blank)):
        if (unknown == "level" and level == UNKNOWN_LEVEL) or (column.blank and level == BLANK_LEVEL):
            levels = tuple(dict.fromkeys((*levels, level)))
            codes[rows] = levels.index(level)
    return levels, codes


def _without_rare(data: pd.Categorical, below: int, rest: str) -> tuple[pd.Categorical, dict[str, str]]:
    """The category without levels of fewer than `below` records, and the level that each of those joined."""
    counts = np.bincount(data.codes, minlength=len(data.categories))
    common = counts >= below
    common[counts.argmax()] = True
    home = rest if rest in data.categories[common] else data.categories[counts.argmax()]
    joined = dict.fromkeys(data.categories[~common & (counts > 0)], home)
    levels = data.categories[common]
    codes = np.where(common, np.cumsum(common) - 1, levels.get_loc(home))[data.codes]
    return pd.Categorical.from_codes(codes, levels), joined


def _described(choice: Choice, column: Column, values: Values, headers: Mapping[str, str]) -> dict[str, Any]:
    """Where a column comes from."""
    recipe = choice.recipe
    fields = sorted(choice.bases(column.source))
    own = recipe.book.fields[fields[0]].unit if len(fields) == 1 else ""
    return {
        "field": column.source,
        "fields": fields,
        "headers": [headers[name] for name in fields if name in headers],
        "coding": column.coding,
        "unit": (column.unit or own) if values.kind == "number" else "",
        "group": column.group or column.name,
        "text": column.text,
    }


def coverage(values: Values, year: Values | None) -> dict[str, Any]:
    """The share of records with a known value, the years that have one, and the share in each era."""
    share = float(values.known.mean())
    if year is None or year.kind != "number":
        return {"known": round(share, 3), "years": None, "eras": None}
    with_value = year.data[year.known & values.known]
    eras = {}
    for first, last in ERAS:
        here = year.known & (year.data >= (first or -np.inf)) & (year.data < (last + 1 if last else np.inf))
        if here.any():
            name = f"{first}-{last}" if first and last else f"{first}+" if first else f"to {last}"
            eras[name] = round(float(values.known[here].mean()), 3)
    years = [int(with_value.min()), int(with_value.max())] if len(with_value) else None
    return {"known": round(share, 3), "years": years, "eras": eras}


def _add_noise(noise: Noise, made: dict[str, Any], entries: list[dict[str, Any]], n: int, seed: int) -> None:
    for k in range(1, noise.columns + 1):
        name = f"{noise.name}{k}"
        _add(made, name, np.random.default_rng([seed, k]).random(n))
        blank = {"field": None, "fields": [], "headers": [], "unit": "", "known": 1.0, "years": None, "eras": None}
        text = f"uniform random numbers, numpy.random.default_rng([{seed}, {k}])"
        entries.append({"name": name, **blank, "coding": "noise", "group": name, "text": text})
        entries[-1] |= {"level": None, "levels": None, "joined": {}}


def _moments(data: Any) -> dict[str, Any]:
    """Mean and standard deviation (of all rows, not n - 1) of numbers."""
    if isinstance(data, pd.Categorical):
        return {"mean": None, "sd": None}
    return {"mean": float(np.mean(data)), "sd": float(np.std(data))}


def _rescale(scale: Scale, made: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """Put numbers, noise and (with "all") one-hot columns to mean 0 and standard deviation 1; constants to 0."""
    for entry in entries:
        data = made[entry["name"]]
        entry |= _moments(data)
        entry["scaled"] = entry["coding"] in ("number", "noise") or (scale.target == "all" and entry["sd"] is not None)
        if entry["scaled"]:
            made[entry["name"]] = (data - entry["mean"]) / (entry["sd"] or 1.0)
