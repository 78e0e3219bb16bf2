"""Fields that a recipe makes of other fields, one dataclass per operation; its attributes are the keys in the recipe.

An operation says which fields it `needs`, what `shape` its answer has, and gives the answer with ``of(values)``. What
is made of an unknown value is unknown; where all that is used was not collected, the answer is not collected either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise

import numpy as np

from survlspin._messages import nearest
from survlspin.cohort.codebook import STATUS, Values
from survlspin.cohort.conditions import Condition, Shape
from survlspin.cohort.ranges import check_once, span_of, within
from survlspin.errors import InputError

__all__ = ["OPERATIONS", "Alias", "ByYear", "Cases", "Group", "Linear", "Number", "Part", "Ratio", "category", "number"]

EXACT, UNKNOWN, BLANK, NA = (STATUS.index(name) for name in ("exact", "unknown", "blank", "na"))


def number(data: np.ndarray, status: np.ndarray) -> Values:
    """Numbers with their status; those that are not known become NaN."""
    status = status.astype(np.uint8)
    return Values("number", np.where(status < UNKNOWN, data, np.nan), status)


def category(codes: np.ndarray, levels: Iterable[str], status: np.ndarray) -> Values:
    """Codes of levels with their status; those that are not known become -1."""
    status = status.astype(np.uint8)
    return Values("category", np.where(status < UNKNOWN, codes, -1).astype(np.int32), status, tuple(levels))


def _check_names(needs: Iterable[str], known: Mapping[str, Shape], where: str, kind: str | None = None) -> None:
    for name in needs:
        if name not in known:
            found = f"{where} names the field {name!r}, which is not there{nearest(name, known)}."
            raise InputError("SL-586", found, "Derived fields must stand before they are used.")
        if kind is not None and known[name].kind != kind:
            found = f"{where}: {name!r} is {known[name].kind}, not a {kind}."
            raise InputError("SL-585", found, f"This operation is for a {kind}.")


def _check_some(parts: Iterable, where: str, key: str) -> None:
    if not parts:
        raise InputError("SL-585", f"{where}.{key} is empty.", "Say what the field is made of.")


@dataclass(frozen=True)
class Alias:
    """The same field under another name."""

    source: str = field(metadata={"key": "of"})

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.source,)

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_names(self.needs, known, where)
        return known[self.source]

    def of(self, values: Mapping[str, Values]) -> Values:
        return values[self.source]


@dataclass(frozen=True)
class Part:
    """The field that holds the value in some years of diagnosis.

    Attributes
    ----------
    years : (int, int)
        First and last year.
    field : str
    drop : tuple of str
        Statuses of known values that count as unknown here: ``"range"`` drops midpoints of ranges.
    optional : bool
        Whether the file may lack it; its years then have no value.
    """

    years: tuple[int, int]
    field: str
    drop: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class ByYear:
    """One field out of several, by the year of diagnosis; outside all years nothing was collected."""

    parts: tuple[Part, ...]
    year: str = "year"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.year, *dict.fromkeys(part.field for part in self.parts))

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_names((self.year,), known, where, "number")
        _check_names((part.field for part in self.parts), known, where)
        _check_some(self.parts, where, "parts")
        shapes = [known[part.field] for part in self.parts]
        if len({shape.kind for shape in shapes}) > 1 or shapes[0].kind == "text":
            raise InputError("SL-585", f"{where} joins fields of different kinds.", "Derive fields of one kind first.")
        spans = sorted(part.years for part in self.parts)
        if back := next((span for span in spans if span[0] > span[1]), None):
            raise InputError(
                "SL-585", f"{where}: the years {back[0]} to {back[1]} are none.", "Write the first, then the last."
            )
        if any(late[0] <= early[1] for early, late in pairwise(spans)):
            raise InputError("SL-585", f"{where}: a year belongs to two parts.", "Each year has one part.")
        for name in {name for part in self.parts for name in part.drop} - set(STATUS[:UNKNOWN]):
            raise InputError("SL-586", f"{where}: {name!r} cannot be dropped.", f"Choose of {STATUS[:UNKNOWN]}.")
        levels = None if any(shape.levels is None for shape in shapes) else _union(shape.levels for shape in shapes)
        return Shape(shapes[0].kind, levels)

    def of(self, values: Mapping[str, Values]) -> Values:
        year, kind = values[self.year], values[self.parts[0].field].kind
        status = np.where(year.known, BLANK, UNKNOWN).astype(np.uint8)
        levels = _union(values[part.field].levels for part in self.parts)
        data = np.full(len(status), np.nan) if kind == "number" else np.full(len(status), -1, np.int32)
        for part in self.parts:
            mine = values[part.field]
            rows = np.flatnonzero(year.known & (year.data >= part.years[0]) & (year.data <= part.years[1]))
            dropped = np.isin(np.arange(len(STATUS)), [STATUS.index(name) for name in part.drop])
            status[rows] = np.where(dropped, UNKNOWN, np.arange(len(STATUS)))[mine.status[rows]]
            data[rows] = mine.data[rows] if kind == "number" else _moved(mine, levels)[rows]
        return number(data, status) if kind == "number" else category(data, levels, status)


@dataclass(frozen=True)
class Ratio:
    """One number divided by another; not applicable where that is 0."""

    source: tuple[str, str] = field(metadata={"key": "of"})

    @property
    def needs(self) -> tuple[str, ...]:
        return self.source

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_names(self.needs, known, where, "number")
        return Shape("number")

    def of(self, values: Mapping[str, Values]) -> Values:
        over, under = (values[name] for name in self.source)
        status = _joint([over, under])
        zero = (status < UNKNOWN) & (under.data == 0)
        return number(over.data / np.where(under.data == 0, np.nan, under.data), np.where(zero, NA, status))


@dataclass(frozen=True)
class Linear:
    """A sum of numbers with factors, plus a number, divided by one: days between two dates as months, say."""

    terms: dict[str, float]
    plus: float = 0.0
    divide: float = 1.0

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(self.terms)

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_names(self.needs, known, where, "number")
        if not self.terms or self.divide == 0:
            raise InputError("SL-585", f"{where} has no terms, or divides by 0.", "Correct it in the recipe.")
        return Shape("number")

    def of(self, values: Mapping[str, Values]) -> Values:
        total = sum(factor * values[name].data for name, factor in self.terms.items())
        return number((total + self.plus) / self.divide, _joint([values[name] for name in self.terms]))


@dataclass(frozen=True)
class Group:
    """Levels put together: ``levels = {ductal = ["8500"], mixed = ["8522-8524"]}``; ``a-b``: a range of whole numbers.

    Attributes
    ----------
    of : str
        A category whose levels are listed, or a number.
    levels : dict of str -> tuple of str
    other : str, optional
        What every other known value is; without it that is an error in the recipe for a category, and unknown for a
        number.
    """

    source: str = field(metadata={"key": "of"})
    levels: dict[str, tuple[str, ...]]
    other: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.levels, *([self.other] if self.other else [])]))

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_names(self.needs, known, where)
        _check_some(self.levels, where, "levels")
        check_once((text for texts in self.levels.values() for text in texts), where)
        shape = known[self.source]
        for text in (text for texts in self.levels.values() for text in texts):
            if shape.levels is not None and span_of(text) is None and text not in shape.levels:
                found = f"{where}: {self.source!r} has no level {text!r}{nearest(text, shape.levels)}."
                raise InputError("SL-586", found, "Correct it in the recipe.")
        if not self.other and (rest := [text for text in shape.levels or () if self._place(text) < 0]):
            found = f"{where}: level {rest[0]!r} of {self.source!r} belongs to no group."
            raise InputError("SL-586", found, 'List it, or name the rest: other = "other".')
        return Shape("category", self._names)

    def of(self, values: Mapping[str, Values]) -> Values:
        mine = values[self.source]
        if mine.kind == "category":
            place = np.array([*map(self._place, mine.levels), -1])
            codes = place[mine.data]
        else:
            unique, inverse = np.unique(mine.data, return_inverse=True)
            place = np.array([self._place(f"{value:g}" if mine.kind == "number" else value) for value in unique], int)
            codes = place[inverse]
        return category(codes, self._names, np.where(mine.known & (codes < 0), UNKNOWN, mine.status))

    def _place(self, text: str) -> int:
        """The position of the group that the level `text` belongs to; -1: none."""
        for position, wanted in enumerate(self.levels.values()):
            if text in wanted or any(within(text, span) for span in map(span_of, wanted) if span):
                return position
        return self._names.index(self.other) if self.other else -1


@dataclass(frozen=True)
class Case:
    """A level, and the condition under which it is given."""

    level: str
    condition: Condition = field(metadata={"key": "if"})


@dataclass(frozen=True)
class Cases:
    """The level of the first condition that holds; `otherwise` where none does, or unknown without it."""

    cases: tuple[Case, ...]
    otherwise: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        return _needs(self.cases)

    @property
    def _names(self) -> tuple[str, ...]:
        return _union([[case.level for case in self.cases], [self.otherwise] if self.otherwise else []])

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_some(self.cases, where, "cases")
        for case in self.cases:
            case.condition.check(known, f"{where}.cases[{case.level}]")
        return Shape("category", self._names)

    def of(self, values: Mapping[str, Values]) -> Values:
        first, status = _first(self.cases, values, bool(self.otherwise))
        answers = [*(case.level for case in self.cases), self.otherwise or self.cases[0].level]
        return category(np.array([self._names.index(level) for level in answers])[first], self._names, status)


@dataclass(frozen=True)
class Score:
    """A number, and the condition under which it is given."""

    value: float
    condition: Condition = field(metadata={"key": "if"})


@dataclass(frozen=True)
class Number:
    """The number of the first condition that holds; `otherwise` where none does, or unknown without it."""

    cases: tuple[Score, ...]
    otherwise: float | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        return _needs(self.cases)

    def shape(self, known: Mapping[str, Shape], where: str) -> Shape:
        _check_some(self.cases, where, "cases")
        for case in self.cases:
            case.condition.check(known, f"{where}.cases[{case.value:g}]")
        return Shape("number")

    def of(self, values: Mapping[str, Values]) -> Values:
        first, status = _first(self.cases, values, self.otherwise is not None)
        answers = [*(case.value for case in self.cases), np.nan if self.otherwise is None else self.otherwise]
        return number(np.array(answers)[first], status)


OPERATIONS = {
    "alias": Alias,
    "by_year": ByYear,
    "ratio": Ratio,
    "linear": Linear,
    "group": Group,
    "cases": Cases,
    "number": Number,
}


def _needs(cases: Iterable[Case | Score]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for case in cases for name in case.condition.needs))


def _first(cases: tuple, values: Mapping[str, Values], otherwise: bool) -> tuple[np.ndarray, np.ndarray]:
    """The position of the first case that holds, ``len(cases)`` where none does; and the status of the answer."""
    fields = [values[name] for name in _needs(cases)]
    first = np.full(len(fields[0].status), len(cases))
    for position in reversed(range(len(cases))):
        first[cases[position].condition.of(values)] = position
    if otherwise:
        return first, np.full(len(first), EXACT)
    blank = reduce(np.logical_and, (each.status == BLANK for each in fields))
    return first, np.where(first < len(cases), EXACT, np.where(blank, BLANK, UNKNOWN))


def _joint(fields: list[Values]) -> np.ndarray:
    """The status of what is made of several: the last one in the order of `STATUS`, where unknown ones come last."""
    return np.maximum.reduce([each.status for each in fields])


def _union(levels: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(level for some in levels for level in some))


def _moved(values: Values, levels: tuple[str, ...]) -> np.ndarray:
    """The codes of a category among other `levels`."""
    return np.array([*map(levels.index, values.levels), -1], dtype=np.int32)[values.data]
