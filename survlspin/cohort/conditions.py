"""Conditions on decoded fields, as recipes write them: ``{field = "age", min = 25, max = 85}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import reduce

import numpy as np

from survlspin._messages import listed, nearest
from survlspin.cohort.codebook import STATUS, Values
from survlspin.errors import InputError

__all__ = ["Condition", "Shape"]

LIMITS = {"min": np.greater_equal, "max": np.less_equal, "above": np.greater, "below": np.less}


@dataclass(frozen=True)
class Shape:
    """What kind of values a field has, and which levels; None: any."""

    kind: str
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Condition:
    """A test of every record, or several put together by ``any``, ``all`` and ``not``.

    A value that is not known satisfies none of ``in``, ``min``, ``max``, ``above``, ``below`` and ``at_most``. Several
    tests of one field must all hold.

    Attributes
    ----------
    field : str
        The field that is tested.
    levels : tuple, key ``in``
        The value is one of these.
    min, max, above, below : float
        Limits of a number; `min` and `max` are within, `above` and `below` are not.
    known : bool
        Whether the value must be known.
    status : tuple of str
        Its status is one of these.
    at_most : str
        Another number field that it must not exceed.
    any, all, negated (key ``not``)
        Other conditions.
    """

    field: str = ""
    levels: tuple[str | float, ...] = attribute(default=(), metadata={"key": "in"})
    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    known: bool | None = None
    status: tuple[str, ...] = ()
    at_most: str = ""
    any: tuple[Condition, ...] = ()
    all: tuple[Condition, ...] = ()
    negated: Condition | None = attribute(default=None, metadata={"key": "not"})

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields that are read, each once."""
        names = [name for name in (self.field, self.at_most) if name]
        return tuple(dict.fromkeys([*names, *(name for part in self._parts() for name in part.needs)]))

    def check(self, known: Mapping[str, Shape], where: str) -> None:
        """Refuse a condition that says nothing, or that names a field, level or status that is not there."""
        kinds = [bool(self.field), bool(self.any), bool(self.all), self.negated is not None]
        tests = self._tests()
        if sum(kinds) != 1 or bool(self.field) != bool(tests):
            remedy = "Give one of field (with in, min, max, above, below, known, status or at_most), any, all, not."
            raise InputError("SL-585", f"{where} is no whole condition.", remedy)
        for part in self._parts():
            part.check(known, where)
        for name in (self.field, self.at_most):
            if name and name not in known:
                found = f"{where} names the field {name!r}, which is not there{nearest(name, known)}."
                raise InputError("SL-586", found, "Derived fields must stand before they are used.")
        for name in set(self.status) - set(STATUS):
            raise InputError("SL-586", f"{where}: {name!r} is no status{nearest(name, STATUS)}.", listed(STATUS))
        if self.field:
            self._check_kind(known, where)

    def _check_kind(self, known: Mapping[str, Shape], where: str) -> None:
        shape = known[self.field]
        numeric = tests_numbers = [name for name in LIMITS if getattr(self, name) is not None]
        if self.at_most:
            numeric = [*tests_numbers, "at_most"]
        if numeric and (shape.kind != "number" or (self.at_most and known[self.at_most].kind != "number")):
            found = f"{where} has {numeric[0]!r} on {self.field!r}, which is {shape.kind}, not a number."
            raise InputError("SL-585", found, "Limits are for numbers; levels are tested by in.")
        for level in self.levels:
            if (type(level) is float) != (shape.kind == "number"):
                found = f"{where}: {level!r} cannot be a value of {self.field!r}, which is {shape.kind}."
                raise InputError("SL-585", found, "Numbers stand without quotes, levels within.")
            if shape.kind == "category" and shape.levels is not None and level not in shape.levels:
                found = f"{where}: {self.field!r} has no level {level!r}{nearest(level, shape.levels)}."
                raise InputError("SL-586", found, f"Levels: {listed(shape.levels, 30)}.")

    def of(self, values: Mapping[str, Values]) -> np.ndarray:
        """Which records satisfy the condition: bool array (n,)."""
        if self.negated is not None:
            return ~self.negated.of(values)
        if self.any:
            return reduce(np.logical_or, (part.of(values) for part in self.any))
        if self.all:
            return reduce(np.logical_and, (part.of(values) for part in self.all))
        return reduce(np.logical_and, self._each(values))

    def undecided(self, values: Mapping[str, Values]) -> np.ndarray:
        """Records where values that are not known leave the answer open: bool array (n,)."""
        least, most = self._bounds(values)
        return least != most

    def _bounds(self, values: Mapping[str, Values]) -> tuple[np.ndarray, np.ndarray]:
        """The answer if every open test failed, and if every one held."""
        if self.negated is not None:
            least, most = self.negated._bounds(values)
            return ~most, ~least
        if self.any or self.all:
            join = np.logical_or if self.any else np.logical_and
            least, most = zip(*(part._bounds(values) for part in self._parts()), strict=True)
            return reduce(join, least), reduce(join, most)
        answer = self.of(values)
        if self.known is not None or self.status:
            return answer, answer
        return answer, answer | ~reduce(np.logical_and, (values[name].known for name in self.needs))

    def _parts(self) -> tuple[Condition, ...]:
        return self.any + self.all + (() if self.negated is None else (self.negated,))

    def _tests(self) -> list[str]:
        given = [name for name in (*LIMITS, "known") if getattr(self, name) is not None]
        return given + [name for name in ("levels", "status", "at_most") if getattr(self, name)]

    def _each(self, values: Mapping[str, Values]) -> Iterator[np.ndarray]:
        """The answer of every test of the field."""
        mine = values[self.field]
        for name, compare in LIMITS.items():
            if (limit := getattr(self, name)) is not None:
                with np.errstate(invalid="ignore"):
                    yield mine.known & compare(mine.data, limit)
        if self.levels:
            yield _among(mine, self.levels)
        if self.known is not None:
            yield mine.known == self.known
        if self.status:
            yield np.isin(np.arange(len(STATUS)), [STATUS.index(name) for name in self.status])[mine.status]
        if self.at_most:
            other = values[self.at_most]
            with np.errstate(invalid="ignore"):
                yield mine.known & other.known & (mine.data <= other.data)


def _among(values: Values, levels: tuple) -> np.ndarray:
    """Known values that are among `levels`."""
    if values.kind != "category":
        return values.known & np.isin(values.data, np.array(levels, dtype=values.data.dtype))
    wanted = np.array([level in levels for level in values.levels] + [False])  # the last one: code -1
    return wanted[values.data]
