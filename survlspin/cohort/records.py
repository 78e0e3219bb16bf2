"""The records of an export or table as decoded fields: those that a recipe needs, and what the file lacks."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from survlspin._messages import listed
from survlspin.cohort.codebook import STATUS, Codebook, Field, Values
from survlspin.cohort.derive import ByYear
from survlspin.cohort.recipe import Choice, Recipe
from survlspin.errors import InputError, InputTypeError
from survlspin.reading import FEATHER, PARQUET, read_table
from survlspin.seer import open_export
from survlspin.seer.opening import DELIMITERS, digest

__all__ = [
    "PERSON",
    "TABLES",
    "Records",
    "cells_of",
    "frame_of",
    "missing_fields",
    "needs",
    "read_records",
    "refuse_missing",
    "taken",
    "ties",
    "years_of",
]

PERSON = ("sex", "vital")
TABLES = PARQUET + FEATHER
OPENING = ("dic", "sas", "encoding", "delimiter")
Span = tuple[int, int] | None
FRAME = "a DataFrame"
EPOCH, DAY = pd.Timestamp("1970-01-01"), pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Records:
    """The decoded fields of all records.

    Attributes
    ----------
    fields : dict of str -> Values
        By canonical name.
    headers : dict of str -> str
        The column each was read from; fields the file need not have are missing here.
    facts : dict
        What is known of the file.
    quarantine : DataFrame
        Lines that could not be read: ``line`` and ``reason``.
    """

    fields: dict[str, Values]
    headers: dict[str, str]
    facts: dict[str, Any]
    quarantine: pd.DataFrame

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())).status)


@dataclass(frozen=True, eq=False)
class _Cells:
    """The undecoded columns, and what the dictionary of the export says of them."""

    table: pd.DataFrame
    formats: Mapping[str, Mapping[str, str]]
    unformatted: frozenset[str] | None
    facts: dict[str, Any]
    quarantine: pd.DataFrame

    def decode(self, book: Codebook, name: str, header: str) -> Values:
        """Decode a column, and drop its cells."""
        cells = taken(self.table, header)
        unformatted = None if self.unformatted is None else header in self.unformatted
        return book.decode(name, cells, self.formats.get(header, {}), unformatted, header)


def read_records(
    data: str | Path | pd.DataFrame, choice: Choice, *, aliases: Mapping[str, str] = {}, **how: Any
) -> Records:
    """Read and decode the fields that a recipe needs.

    Parameters
    ----------
    data : path or DataFrame
    choice : Choice
    aliases : dict
        Canonical name -> header, where the code book does not know the header.
    **how
        ``dic``, ``sas``, ``encoding``, ``delimiter``, ``engine``, ``cache`` and ``max_quarantine`` of `survlspin.seer`;
        of a table, ``encoding`` and ``delimiter``.

    Raises
    ------
    InputError
        SL-589 columns are missing; SL-576 to SL-582 what the code book says; and what reading a file may raise.
    """
    book, wanted = choice.recipe.book, needs(choice)
    if isinstance(data, pd.DataFrame) or choice.recipe.source == "table" or Path(data).suffix.lower() in TABLES:
        table, facts = frame_of(data, choice.recipe, aliases, how.get("encoding"), how.get("delimiter"))
        headers = book.resolve(map(str, table.columns), aliases)

        def read(names: list[str]) -> _Cells:
            texts = {headers[name]: cells_of(table[headers[name]], book[name]) for name in names}
            return _Cells(pd.DataFrame(texts, copy=False), {}, None, facts, pd.DataFrame({"line": [], "reason": []}))
    else:
        source = open_export(data, **{key: how[key] for key in OPENING if how.get(key) is not None})
        headers = book.resolve(source.names, aliases)
        reading = {key: value for key, value in how.items() if key not in OPENING}

        def read(names: list[str]) -> _Cells:
            export = source.read([headers[name] for name in names], **reading)
            return _Cells(export.table, export.formats, export.unformatted, export.facts, export.quarantine)

    year = choice.recipe.year
    absent = [name for name, spans in wanted.items() if None in spans and name not in headers and not book[name].years]
    if absent:
        years = years_of(read([year]).decode(book, year, headers[year])) if year in headers else None
        refuse_missing(choice.recipe, missing_fields(wanted, headers, book, years))
    cells = read([name for name in wanted if name in headers])
    values = {name: cells.decode(book, name, headers[name]) for name in wanted if name in headers}
    if lost := missing_fields(wanted, headers, book, years_of(values[year]) if year in values else None):
        refuse_missing(choice.recipe, lost)
    n = len(next(iter(values.values())).status)
    values |= {name: _nothing(book[name], n) for name in wanted if name not in headers}
    return Records(values, {name: headers[name] for name in wanted if name in headers}, cells.facts, cells.quarantine)


def needs(choice: Choice) -> dict[str, set[Span]]:
    """The fields of the code book that are used: each with the years in which it must be there, None for all years.

    A field without any is read where the file has it.
    """
    recipe, derive = choice.recipe, choice.derive
    wanted: dict[str, set[Span]] = {}

    def visit(name: str, span: Span, optional: bool = False) -> None:
        if name not in derive:
            wanted.setdefault(name, set()).update(() if optional else (span,))
            return
        step = derive[name].step
        if not isinstance(step, ByYear):
            for need in step.needs:
                visit(need, span, optional)
            return
        visit(step.year, span, optional)
        for part in step.parts:
            visit(part.field, span or part.years, optional or part.optional)

    for name in _used(choice):
        visit(name, None)
    compared = [name for check in choice.checks for name in (check.source, check.against)]
    for name in (*compared, *recipe.order, *(recipe.person or PERSON), recipe.year):
        if name in recipe.book.fields or name in derive:
            visit(name, None, optional=True)
    return wanted


def _used(choice: Choice) -> Iterator[str]:
    """The fields, derived ones too, that the active parts of a recipe name."""
    if choice.recipe.patient:
        yield choice.recipe.patient
    for rule in choice.rules:
        yield from rule.keep.needs
    yield choice.outcome.time
    if choice.outcome.entry:
        yield choice.outcome.entry
    for event in choice.outcome.events:
        yield from event.condition.needs
    for column in choice.columns:
        yield column.source


def ties(choice: Choice, there: Container[str]) -> tuple[list[str], tuple[str, ...], list[str]]:
    """What must not differ between a patient's records, of the fields that are `there`; see `refuse_conflicts`.

    The fields of the person; the key of a record, if all of it is there; and the fields of the outcome, which records
    with the same key share.
    """
    recipe, outcome = choice.recipe, choice.outcome
    key = recipe.order if all(name in there for name in recipe.order) else ()
    read = [outcome.time, *(name for event in outcome.events for name in event.condition.needs)]
    same = dict.fromkeys(base for name in read for base in sorted(choice.bases(name)))
    return [name for name in recipe.person or PERSON if name in there], key, [name for name in same if name in there]


def missing_fields(wanted: Mapping[str, set[Span]], headers: Mapping[str, str], book: Codebook, years) -> list[str]:
    """The fields that the file lacks although it has records of years in which they are needed."""
    return [
        name
        for name, spans in wanted.items()
        if name not in headers and any(_occurs(_both(span, book[name].years), years) for span in spans)
    ]


def _both(span: Span, era: tuple[int, int | None] | None) -> Span:
    """The years that are in both, each None for all."""
    if era is None:
        return span
    first, last = era[0], era[1] or 9999
    return (first, last) if span is None else (max(first, span[0]), min(last, span[1]))


def _occurs(span: Span, years: np.ndarray | None) -> bool:
    return span is None or years is None or bool(((years >= span[0]) & (years <= span[1])).any())


def years_of(values: Values) -> np.ndarray:
    """The known years that occur, each once, in order."""
    return np.unique(values.data[values.known])


def refuse_missing(recipe: Recipe, names: list[str]) -> None:
    """Say which columns a recipe needs and how to get them (SL-589)."""
    boxes = [f"{recipe.book[name].title or name} ({name})" for name in names]
    found = f"recipe {recipe.name!r} needs {len(names)} more column{'' if len(names) == 1 else 's'} of the file."
    what = "Tick in SEER*Stat" if recipe.source == "seer" else "They are"
    remedy = f"{what}: {listed(boxes, 60)}. If one is there by another name: aliases={{{names[0]!r}: 'its header'}}."
    raise InputError("SL-589", found, remedy)


def _nothing(known: Field, n: int) -> Values:
    """The values of a field that the file lacks: not collected."""
    status = np.full(n, STATUS.index("blank"), np.uint8)
    if known.kind == "number":
        return Values("number", np.full(n, np.nan), status)
    if known.kind == "category":
        return Values("category", np.full(n, -1, np.int32), status, known.levels)
    return Values("text", np.full(n, "", object), status)


def frame_of(
    data: str | Path | pd.DataFrame,
    recipe: Recipe,
    aliases: Mapping[str, str],
    encoding: str | None = None,
    delimiter: str | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table, and what is known of its file; `encoding` and `delimiter` where they are not those of the recipe."""
    if isinstance(data, pd.DataFrame):
        return data.set_axis(data.columns.map(str), axis=1), {"file": FRAME, "sha256": None, "rows": len(data)}
    columns = {name: {aliases.get(name, name), *known.stems} for name, known in recipe.book.fields.items()}
    numbers = {header for name, some in columns.items() if recipe.book[name].kind == "number" for header in some}
    text = {header for some in columns.values() for header in some} - numbers
    file = recipe.file
    sep, encoding = file.sep if delimiter is None else _mark(delimiter), encoding or file.encoding
    table = read_table(data, sep=sep, decimal=file.decimal, encoding=encoding, text=text, numbers=numbers)
    path = Path(data)
    facts = {"file": path.name, "sha256": {"file": digest(path)}, "bytes": path.stat().st_size}
    return table, {**facts, "rows": len(table)}


def _mark(delimiter: str) -> str:
    mark = DELIMITERS.get(delimiter, delimiter)
    if mark not in DELIMITERS.values():
        raise InputError("SL-568", f"delimiter={delimiter!r}.", f"It is one of {listed(DELIMITERS)}.")
    return mark


def taken(table: pd.DataFrame, header: str) -> pd.Categorical | np.ndarray:
    """Take a column out of an export's table: its cells as `Codebook.decode` reads them."""
    column = table.pop(header)
    return column.array if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy(dtype=object)


def cells_of(column: pd.Series, known: Field) -> pd.Categorical:
    """Cells as text: whole numbers without a point, dates of a number field as days since 1970-01-01.

    What is missing is empty. Numbers of single precision are read by their own shortest text: 0.1 is 0.1 and not
    0.10000000149.
    """
    try:
        codes, unique = pd.factorize(column)
    except TypeError as error:
        found = f"column {str(column.name)!r} of field {known.name!r} has cells that are no single value."
        raise InputTypeError("SL-595", found, "Cells are text, numbers, flags or dates.") from error
    texts = [_text(value, known.kind) for value in (unique.to_numpy() if unique.dtype.kind == "f" else unique)]
    merged, places = np.unique(np.array([*texts, ""], dtype=object).astype(str), return_inverse=True)
    return pd.Categorical.from_codes(places[codes], merged.astype(object))


def _text(value: Any, kind: str) -> str:
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if types.is_float(value):
        return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)
    if isinstance(value, date) and kind == "number":
        return _text((pd.Timestamp(value).tz_localize(None) - EPOCH) / DAY, kind)
    text = str(value).strip()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text) if kind == "category" else text
