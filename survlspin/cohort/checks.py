"""Checks of a whole recipe: names that exist, switches that matter, predictors that do not know the future."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from survlspin._messages import listed, nearest
from survlspin.cohort.codebook import Field
from survlspin.cohort.conditions import Shape
from survlspin.cohort.parts import Column, Outcome, active, same
from survlspin.errors import InputError

if TYPE_CHECKING:
    from survlspin.cohort.recipe import Recipe

__all__ = ["COPIES", "check", "check_switches", "shape_of", "sources"]

COPIES = "duplicate"  # the rule that every recipe with patients has
SCALES, SCALED = ("zscore",), ("numbers", "all")
CODINGS = {"number": "number", "one-hot": "category", "category": "category"}
UNKNOWN = {"number": ("drop",), "one-hot": ("zero", "level", "drop"), "category": ("level", "drop")}


def check(recipe: Recipe) -> None:
    """Refuse a recipe that names what is not there or would use a leaky field; errors as in `load_recipe`."""
    where = recipe.name
    known = _shapes(recipe)
    _check_words(recipe)
    _check_records(recipe)
    rules = [*recipe.rules, *(rule for outcome in recipe.outcomes.values() for rule in outcome.rules)]
    for rule in rules:
        rule.keep.check(known, f"{where}.rules[{rule.id}].keep")
    for name, outcome in recipe.outcomes.items():
        _check_outcome(outcome, known, f"{where}.outcomes.{name}")
    for column in recipe.columns:
        _check_column(column, known, f"{where}.columns[{column.name}]")
        _refuse_leak(recipe, column, f"{where}.columns[{column.name}]")
    for each in recipe.checks:
        where = f"{recipe.name}.checks[{each.id}]"
        for name in (each.source, each.against):
            _there(name, known, where, "number")
        if each.source == each.against:
            raise InputError("SL-585", f"{where} compares {each.source!r} with itself.", "Name another field.")
    _check_settled(recipe)


def _check_words(recipe: Recipe) -> None:
    """Refuse names that are empty, and words of which only some are known."""
    where = recipe.name
    for key in ("outcomes", "columns"):
        if not getattr(recipe, key):
            raise InputError("SL-585", f"{where} has no {key}.", "A cohort needs both: outcomes and columns.")
    named = {"derive": recipe.derive, "columns": recipe.columns, "noise": [recipe.noise] if recipe.noise else []}
    lists = {
        **{key: [each.name for each in some] for key, some in named.items()},
        "rules": [r.id for r in recipe.rules],
    }
    if empty := [key for key, names in lists.items() if "" in names]:
        raise InputError("SL-585", f"{where}.{empty[0]}: a name is empty.", "Give it a name.")
    if recipe.noise and recipe.noise.columns < 1:
        raise InputError("SL-585", f"{where}.noise.columns is {recipe.noise.columns}.", "Give a number of at least 1.")
    words = {"mode": (recipe.scale.mode, SCALES), "of": (recipe.scale.target, SCALED)} if recipe.scale else {}
    for key, (word, known) in words.items():
        if word not in known:
            found = f"{where}.scale.{key} is {word!r}{nearest(word, known)}."
            raise InputError("SL-586", found, f"Known: {listed(known)}.")
    marks = {"sep": recipe.file.sep, "decimal": recipe.file.decimal}
    if any(len(mark) != 1 for mark in marks.values()) or marks["sep"] == marks["decimal"]:
        raise InputError(
            "SL-585", f"{where}.file: sep and decimal are {marks}.", "They are one character each, and differ."
        )


def _check_records(recipe: Recipe) -> None:
    """Refuse a patient, an order or a year that is no field of the code book, or of the wrong kind."""
    fields = {name: shape_of(each) for name, each in recipe.book.fields.items()}
    where = recipe.name
    for name in (*([recipe.patient] if recipe.patient else []), *recipe.person):
        _there(name, fields, where)
    for name in recipe.order:
        _there(name, fields, f"{where}.order")
        if fields[name].kind == "text":
            raise InputError("SL-585", f"{where}.order: {name!r} is text.", "Order by numbers or categories.")
    if recipe.year in fields or recipe.year != "year":  # the default need not be there
        _there(recipe.year, fields, f"{where}.year", "number")


def _shapes(recipe: Recipe) -> dict[str, Shape]:
    """The shape of every field, derived ones in their order; of alternatives, all levels."""
    known = {name: shape_of(each) for name, each in recipe.book.fields.items()}
    for each in recipe.derive:
        where = f"{recipe.name}.derive[{each.name}]"
        if each.name in recipe.book.fields:
            raise InputError("SL-586", f"{where} has the name of a field.", "Give it another name.")
        shape = each.step.shape({name: shape for name, shape in known.items() if name != each.name}, where)
        if (other := known.get(each.name)) is not None:
            if other.kind != shape.kind:
                raise InputError("SL-585", f"{where} is {other.kind} and {shape.kind}.", "Both must be of one kind.")
            both = None if other.levels is None or shape.levels is None else (*other.levels, *shape.levels)
            shape = Shape(shape.kind, both and tuple(dict.fromkeys(both)))
        known[each.name] = shape
    return known


def shape_of(known: Field) -> Shape:
    """The kind and levels of a field of the code book."""
    return Shape(known.kind, known.levels if known.kind == "category" and not known.open else None)


def _there(name: str, known: dict[str, Shape], where: str, kind: str | None = None) -> None:
    if name not in known:
        found = f"{where} names the field {name!r}, which is not there{nearest(name, known)}."
        raise InputError("SL-586", found, "Name a field of the code book or a derived one.")
    if kind is not None and known[name].kind != kind:
        raise InputError("SL-585", f"{where}: {name!r} is {known[name].kind}, not a {kind}.", "Correct the recipe.")


def _check_outcome(outcome: Outcome, known: dict[str, Shape], where: str) -> None:
    for name in (outcome.time, *([outcome.entry] if outcome.entry else [])):
        _there(name, known, where, "number")
    for event in outcome.events:
        event.condition.check(known, f"{where}.events[{event.code}].if")
    codes = [event.code for event in outcome.events]
    if not codes or sorted(codes) != list(range(1, len(codes) + 1)):
        raise InputError("SL-585", f"{where} has events of code {listed(codes) or 'none'}.", "Number them 1, 2, ...")


def _check_column(column: Column, known: dict[str, Shape], where: str) -> None:
    if column.coding not in CODINGS:
        found = f"{where}.coding is {column.coding!r}{nearest(column.coding, CODINGS)}."
        raise InputError("SL-586", found, f"Codings: {listed(CODINGS)}.")
    _there(column.source, known, where, CODINGS[column.coding])
    if column.unknown not in ("", *UNKNOWN[column.coding]):
        found = f"{where}.unknown is {column.unknown!r}."
        raise InputError("SL-586", found, f"With coding {column.coding!r}: {listed(UNKNOWN[column.coding])}.")
    if column.blank not in ("", "level") or (column.blank and column.coding == "number"):
        raise InputError("SL-586", f"{where}.blank is {column.blank!r}.", "It is 'level', of categories, or left out.")
    if column.coding == "number" and (column.levels or column.rest or column.reference):
        raise InputError("SL-585", f"{where} is a number with levels.", "Code it as 'category' or 'one-hot'.")
    if column.coding != "one-hot" and (column.names or column.reference):
        raise InputError("SL-585", f"{where} has names or a reference.", "Only one-hot columns have them.")
    levels = known[column.source].levels
    _check_levels(column, column.levels or levels or (), where)
    for level in (*column.levels, *([column.reference] if column.reference else [])):
        if levels is not None and level not in (*levels, column.rest):
            found = f"{where}: {column.source!r} has no level {level!r}{nearest(level, levels)}."
            raise InputError("SL-586", found, f"Levels: {listed(levels, 30)}.")
    if levels is None and not column.levels and column.coding != "number":
        raise InputError("SL-585", f"{where} lacks the key 'levels'.", "The field's levels are open: list those meant.")


def _check_levels(column: Column, levels: tuple[str, ...], where: str) -> None:
    """Refuse levels that stand twice, a reference that has no column anyway, and names of no level."""
    _unique(list(column.levels), f"{where}.levels")
    if column.reference and column.levels and column.reference not in (*column.levels, column.rest):
        raise InputError("SL-585", f"{where}.reference {column.reference!r} is none of its levels.", "Add it to them.")
    if column.names and len(column.names) != len(levels):
        found = f"{where} has {len(column.names)} names for {len(levels)} levels."
        raise InputError("SL-585", found, "Give each a name, or none.")


def _refuse_leak(recipe: Recipe, column: Column, where: str) -> None:
    for name in sorted(sources(recipe, column.source)):
        if (known := recipe.book.fields.get(name)) and known.leak:
            found = f"{where} would use {name!r} ({known.title or name}) as a predictor: {known.leak}."
            raise InputError("SL-592", found, "Leave the column out.")


def sources(recipe: Recipe, name: str) -> set[str]:
    """The fields of the code book that `name` is made of, by any of its definitions."""
    steps = [each.step for each in recipe.derive if each.name == name]
    return {name} if not steps else {base for step in steps for need in step.needs for base in sources(recipe, need)}


def check_switches(recipe: Recipe) -> None:
    """Refuse unknown switches and values in ``when``, and switches or values that change nothing."""
    where = recipe.name
    for part in recipe.parts:
        for name, wanted in part.when.items():
            called = f"{where}: when of {getattr(part, 'id', getattr(part, 'name', 'a part'))!r}"
            if name not in recipe.switches:
                found = f"{called} names the switch {name!r}, which is not there{nearest(name, recipe.switches)}."
                raise InputError("SL-586", found, f"Switches: {listed(recipe.switches, 20) or 'none'}.")
            if wanted == ():
                raise InputError("SL-586", f"{called} names no value of {name}.", "Such a part would never be used.")
            for value in _several(wanted):
                if not same(value, recipe.switches[name].values):
                    found = f"{called} names {name}={value!r}, which is no value of it."
                    raise InputError("SL-586", found, f"It may be {listed(recipe.switches[name].values)}.")
    for name, switch in recipe.switches.items():
        if not same(switch.default, switch.values):
            raise InputError("SL-586", f"{where}.switches.{name}.default is none of its values.", "Correct it.")
        effects = [tuple(_effect(recipe, name, value)) for value in switch.values]
        if len(set(effects)) < max(len(effects), 2):
            found = f"{where}.switches.{name} changes nothing, or has two values that do the same."
            raise InputError("SL-587", found, "Use it in a `when`, or leave it out.")


def _effect(recipe: Recipe, name: str, value: Any) -> Iterator[bool]:
    return (active({name: part.when[name]}, {name: value}) for part in recipe.parts if name in part.when)


def _several(wanted: Any) -> Iterable[Any]:
    return wanted if type(wanted) is tuple else (wanted,)


def _check_settled(recipe: Recipe) -> None:
    """With the defaults and each other value of each switch: names are unique, and what is used is there."""
    others = [{name: value} for name, switch in recipe.switches.items() for value in switch.values]
    for switches in [{}, *others]:
        settled = {name: switch.default for name, switch in recipe.switches.items()} | switches
        with_ = f" with {listed(f'{name}={value}' for name, value in switches.items())}" if switches else ""
        derive = [each for each in recipe.derive if active(each.when, settled)]
        there = set(recipe.book.fields)
        for each in derive:
            _need(each.step.needs, there, f"{recipe.name}.derive[{each.name}]{with_}")
            there.add(each.name)
        rules = [rule for rule in recipe.rules if active(rule.when, settled)]
        columns = [column for column in recipe.columns if active(column.when, settled)]
        ids = [*([COPIES] if recipe.patient else []), *(rule.id for rule in rules)]
        for kind, named in (("derive", [d.name for d in derive]), ("rules", ids)):
            _unique(named, f"{recipe.name}.{kind}{with_}")
        for rule in rules:
            _need(rule.keep.needs, there, f"{recipe.name}.rules[{rule.id}]{with_}")
        checks = [each for each in recipe.checks if active(each.when, settled)]
        _unique([each.id for each in checks], f"{recipe.name}.checks{with_}")
        for each in checks:
            _need((each.source, each.against), there, f"{recipe.name}.checks[{each.id}]{with_}")
        for column in columns:
            _need((column.source,), there, f"{recipe.name}.columns[{column.name}]{with_}")
        for name, each in recipe.outcomes.items():
            if active(each.when, settled):
                where = f"{recipe.name}.outcomes.{name}{with_}"
                own = [rule for rule in each.rules if active(rule.when, settled)]
                _unique([*ids, *(rule.id for rule in own)], where)
                needs = [each.time, *([each.entry] if each.entry else [])]
                parts = (*(event.condition for event in each.events), *(rule.keep for rule in own))
                _need([*needs, *(name for part in parts for name in part.needs)], there, where)


def _need(names: Iterable[str], there: set[str], where: str) -> None:
    for name in names:
        if name not in there:
            raise InputError("SL-586", f"{where} needs {name!r}, which is not made then.", "Mind its `when`.")


def _unique(names: list[str], where: str) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError("SL-586", f"{where} has {listed(map(repr, twice))} twice.", "Give each a name of its own.")
