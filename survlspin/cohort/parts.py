"""The parts of a recipe; their attributes are the keys of its TOML file (`source`: ``from``, `condition`: ``if``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from survlspin._messages import listed, nearest
from survlspin.cohort.conditions import Condition
from survlspin.cohort.derive import OPERATIONS
from survlspin.cohort.schema import build
from survlspin.errors import InputError

__all__ = [
    "Check",
    "Column",
    "Derived",
    "Event",
    "File",
    "Noise",
    "Outcome",
    "Rare",
    "Rule",
    "Scale",
    "Switch",
    "active",
    "same",
]

When = dict[str, Any]
SCALAR = str | bool | int | float


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A choice that the recipe leaves open.

    Attributes
    ----------
    values : tuple
        What it may be: texts, numbers, true and false.
    default : str, bool, int or float
    text : str
        What it decides.
    guess : str
        Why the default is a guess; empty if it is none.
    """

    values: tuple[SCALAR, ...]
    default: SCALAR
    text: str = ""
    guess: str = ""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A field that is made of others: its name, the operation's attributes as `step`, and when it is made."""

    name: str
    step: Any
    text: str = ""
    when: When = field(default_factory=dict)

    @classmethod
    def from_table(cls, table: dict[str, Any], where: str) -> Derived:
        """Read ``name``, ``op``, ``text`` and ``when``; all other keys belong to the operation."""
        common = {key: table[key] for key in ("name", "text", "when") if key in table}
        rest = {key: value for key, value in table.items() if key not in (*common, "op")}
        head = build(_Head, {**common, "op": table["op"]} if "op" in table else common, where)
        if head.op not in OPERATIONS:
            found = f"{where}.op is {head.op!r}{nearest(head.op, OPERATIONS)}."
            raise InputError("SL-586", found, f"Operations: {listed(OPERATIONS)}.")
        return cls(name=head.name, step=build(OPERATIONS[head.op], rest, where), text=head.text, when=head.when)


@dataclass(frozen=True, kw_only=True)
class _Head:
    name: str
    op: str
    text: str = ""
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a record must be to stay.

    Attributes
    ----------
    id, text : str
        Its name, and what it keeps, as the flow shows them.
    keep : Condition
    says, guess : str
        The words it is taken from; why it is a guess.
    when : dict
        Switch -> the value, or list of values, with which the rule is part of the recipe.
    """

    id: str
    text: str
    keep: Condition
    says: str = ""
    guess: str = ""
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event: its code (1, 2, ...), and when (`condition`, key ``if``) a record ends with it."""

    condition: Condition = field(metadata={"key": "if"})
    code: int = 1
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is followed up.

    Attributes
    ----------
    time : str
        A number field.
    events : tuple of Event
        The first one whose condition holds is the record's; with none it is censored.
    title : str
    plus : float
        Added to every time: half a month where months are cut off.
    entry : str
        A number field: at risk from then on.
    unit : str
        Of time and entry; empty: the recipe's.
    rules : tuple of Rule
        Further rules of this outcome.
    when : dict
    """

    time: str
    events: tuple[Event, ...]
    title: str = ""
    plus: float = 0.0
    entry: str = ""
    unit: str = ""
    rules: tuple[Rule, ...] = ()
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A field that becomes one or more predictors.

    Attributes
    ----------
    name : str
    source : str, key ``from``
    coding : {"number", "one-hot", "category"}
    levels : tuple of str
        Levels in their order; by default all the field has.
    names : tuple of str
        One-hot: the columns' names, one per level; by default ``name_level``.
    rest : str
        What levels that are not listed become. Without it they are 0 in every column (one-hot) or refused (category).
    reference : str
        One-hot: the level that gets no column.
    unknown : {"zero", "level", "drop"}
        Values that are not known: 0 in every column (one-hot), a level "unknown", or none may be left by the rules.
        By default "zero" for one-hot, "level" for a category, "drop" for a number.
    blank : {"", "level"}
        Values that were not collected: as unknown ones, or a level "not collected" of their own.
    unit, group : str
        The unit of a number; the factor the columns belong to, by default `name`.
    when : dict
    """

    name: str
    source: str = field(metadata={"key": "from"})
    coding: str
    levels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    rest: str = ""
    reference: str = ""
    unknown: str = ""
    blank: str = ""
    unit: str = ""
    group: str = ""
    text: str = ""
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Columns of uniform random numbers from 0 to 1, called ``name1``, ``name2``, ..."""

    columns: int
    name: str = "noise_u"
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Numbers (``of = "numbers"``) or one-hot columns, too (``"all"``), minus their mean, divided by their spread."""

    mode: str = "zscore"
    target: str = field(default="numbers", metadata={"key": "of"})
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rare:
    """Levels of categories with fewer than ``below`` records, which no fold can learn from, join others.

    They become the column's `rest`; without one, or where that is as rare, the commonest level.
    """

    below: int
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Check:
    """Two numbers that should be the same: where they differ is counted among the records kept, and changes none.

    Attributes
    ----------
    id, text : str
        Its name, and what is compared, as it is printed.
    source : str, key ``of``
        A number field.
    against : str
        Another one. A file that lacks one of the two leaves nothing to compare.
    when : dict
    """

    id: str
    text: str
    source: str = field(metadata={"key": "of"})
    against: str
    when: When = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class File:
    """How the table is written, as in `survlspin.reading.read_table`."""

    sep: str = ","
    decimal: str = "."
    encoding: str = "utf-8"


def active(when: When, switches: Mapping[str, Any]) -> bool:
    """Whether all switches have (one of) the values that `when` names."""
    return all(same(switches[name], wanted) for name, wanted in when.items())


def same(value: Any, wanted: Any) -> bool:
    """Whether `value` is `wanted`, or one of several: ``1`` is not ``true``."""
    return any(value == each and type(value) is type(each) for each in (wanted if type(wanted) is tuple else (wanted,)))
