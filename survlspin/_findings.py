"""What is wrong with the fields of a file: labels that are not known, boxes not ticked, years, duplicates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from survlspin._messages import listed
from survlspin.cohort.codebook import STATUS, Codebook, Field, Values, landing_of
from survlspin.cohort.duplicates import copies, patient_codes, refuse_conflicts
from survlspin.cohort.predictors import coverage
from survlspin.cohort.recipe import Choice
from survlspin.cohort.records import PERSON, missing_fields, needs, refuse_missing, ties, years_of
from survlspin.errors import InputError

__all__ = ["Column", "Findings"]

YEAR, PATIENT = "year", "patient_id"
KEY, OUTCOME = ("year", "sequence"), ("survival_months", "vital")  # records that agree in the key share the outcome
MANY, DIGITS, CUT = 100, 6, 60  # so many labels, or digits in one, are no vocabulary


@dataclass(frozen=True)
class Column:
    """The cells of a field as text: a Categorical or objects, what the ``.dic`` says of them, and their header."""

    cells: Any
    formats: Mapping[str, str] = field(default_factory=dict)
    unformatted: bool | None = None
    header: str = ""


@dataclass
class Findings:
    """What was found so far.

    Attributes
    ----------
    report : dict
        It can be written as JSON and holds no patient's values.
    problems : list of InputError
        What would stop the work.
    """

    report: dict[str, Any]
    problems: list[InputError] = field(default_factory=list)

    def attempt(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `work` returns, or None where it finds a problem, which is kept."""
        try:
            return work(*arguments)
        except InputError as error:
            self.problems.append(error)
            return None

    def note(self, text: str) -> None:
        """Keep something that does not stop the work."""
        self.report["notes"].append(text)

    def fields(
        self, book: Codebook, headers: Mapping[str, str], columns: Mapping[str, Column], choice: Choice | None
    ) -> None:
        """Look at the columns of a file that are known fields.

        Parameters
        ----------
        book : Codebook
        headers : dict of str -> str
            Canonical name -> header.
        columns : dict of str -> Column
            By canonical name.
        choice : Choice or None
            With a recipe, fields that it does not need cannot stop the work.
        """
        wanted = columns if choice is None else needs(choice)
        values: dict[str, Values] = {}
        self.report |= {"unmapped": {}, "needed": [name for name in columns if name in wanted]}
        for name, column in columns.items():
            part = self if name in wanted else Findings(self.report)
            strange = _strange(book[name], column)
            if strange:
                self.report["unmapped"][name] = _shown(book[name], strange)
                part.problems.append(_unmapped(book[name], self.report["unmapped"][name]))
            rows = ~_in(column.cells, strange)
            found = part.attempt(_decoded, book, name, column, rows)
            if found is not None:
                values[name] = found
        if beside := [name for name in self.report["unmapped"] if name not in wanted]:
            self.note(f"Labels that are not known, in columns that the recipe does not need: {listed(beside)}.")
        year = values.get(YEAR if choice is None else choice.recipe.year)
        self.report["coverage"] = {name: coverage(each, year) for name, each in values.items() if len(each.status)}
        self.report["missing"] = []
        if choice is not None:
            self._missing(choice, headers, book, year)
        self._duplicates(choice, values)

    def _missing(self, choice: Choice, headers: Mapping[str, str], book: Codebook, year: Values | None) -> None:
        lost = missing_fields(needs(choice), headers, book, None if year is None else years_of(year))
        self.report["missing"] = [{"field": name, "title": book[name].title or name} for name in lost]
        if lost:
            self.attempt(refuse_missing, choice.recipe, lost)

    def _duplicates(self, choice: Choice | None, values: Mapping[str, Values]) -> None:
        """Look at patients with several records."""
        name = PATIENT if choice is None else choice.recipe.patient
        patients = self.attempt(patient_codes, name, values[name]) if name in values else None
        if patients is None:
            return
        often = np.bincount(patients)
        again = int(np.count_nonzero(copies(patients, values)))
        self.report["patients"] = {"all": len(often), "several": int((often > 1).sum()), "copies": again}
        self.attempt(refuse_conflicts, patients, values, *(_ties(values) if choice is None else ties(choice, values)))


def _ties(there: Iterable[str]) -> tuple[list[str], tuple[str, ...], list[str]]:
    """What must not differ between a patient's records where no recipe says it; see `ties`."""
    person, same = ([name for name in some if name in there] for some in (PERSON, OUTCOME))
    return person, KEY if all(name in there for name in KEY) else (), same


def _strange(known: Field, column: Column) -> dict[str, int]:
    """Return the cells that a field has no code for, and how often each occurs."""
    if known.kind == "text":
        return {}
    counts = pd.Series(column.cells).value_counts()
    cells = {str(cell): int(n) for cell, n in counts.items() if n}
    said = column.formats, column.unformatted, column.header
    return {cell: n for cell, n in cells.items() if landing_of(known, cell, *said) is None}


def _in(cells: Any, strange: Iterable[str]) -> np.ndarray:
    return np.asarray(pd.Series(cells).isin(list(strange)), dtype=bool)


def _decoded(book: Codebook, name: str, column: Column, rows: np.ndarray) -> Values:
    """Return the values of a field, unknown where `rows` is False."""
    said = column.formats, column.unformatted, column.header
    if rows.all():
        return book.decode(name, column.cells, *said)
    some = book.decode(name, column.cells[rows], *said)
    data = np.full(len(rows), -1 if some.kind == "category" else np.nan, some.data.dtype)
    status = np.full(len(rows), STATUS.index("unknown"), np.uint8)
    data[rows], status[rows] = some.data, some.status
    return Values(some.kind, data, status, some.levels)


def _shown(known: Field, strange: Mapping[str, int]) -> dict[str, Any]:
    """Return labels as they may be shown: of what may be patients' values, the form alone."""
    form = known.kind == "number" or len(strange) > MANY
    texts = [re.sub(r"\d", "9", text) if form or sum(map(str.isdigit, text)) >= DIGITS else text for text in strange]
    cut = [text if len(text) <= CUT else text[: CUT - 3] + "..." for text in texts]
    return {"cells": sum(strange.values()), "different": len(strange), "labels": sorted(set(cut))[:MANY]}


def _unmapped(known: Field, shown: Mapping[str, Any]) -> InputError:
    labels = listed(map(repr, shown["labels"]), 20)
    found = f"field {known.name!r} has {shown['cells']:,} cells that the code book does not know: {labels}."
    remedy = (
        f"Add what they mean to [[codes.{known.name}]] of the recipe, or is another column meant ({known.name}=HEADER)?"
    )
    return InputError("SL-578", found, remedy)
