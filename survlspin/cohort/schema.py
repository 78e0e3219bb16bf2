"""Tables of a TOML file as frozen dataclasses: every key is known and every value has its type, or the file is refused.

The dataclass *is* the schema: its fields are the keys, its annotations the types, its defaults what may be left out.
A key that is a word of Python (``if``, ``in``, ``from``) is given as ``field(metadata={"key": "if"})``; ``{"key": ""}``
stands for no key of the file.
"""

import dataclasses
import math
import types
import typing
from typing import Any

from survlspin._messages import listed, nearest
from survlspin.errors import InputError

__all__ = ["build", "convert", "label"]

WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def build(cls: type, table: Any, where: str) -> Any:
    """Make a `cls` of a TOML table.

    Parameters
    ----------
    cls : dataclass
    table : dict
    where : str
        Where in the file the table stands, for messages.

    Raises
    ------
    InputError
        SL-584 a key that `cls` does not have; SL-585 a value of another type, or a key that is missing.
    """
    if not isinstance(table, dict):
        raise wrong(where, "a table", table)
    if hasattr(cls, "from_table"):
        return cls.from_table(table, where)
    keys = ((each.metadata.get("key", each.name), each) for each in dataclasses.fields(cls))
    fields = {key: each for key, each in keys if key}
    for key in table:
        if key not in fields:
            found = f"{where} has the key {key!r}{nearest(key, fields)}."
            raise InputError("SL-584", found, f"Known keys: {listed(fields, 20)}.")
    hints = typing.get_type_hints(cls)
    given = {}
    for key, each in fields.items():
        if key in table:
            given[each.name] = convert(hints[each.name], table[key], f"{where}.{key}")
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise InputError("SL-585", f"{where} lacks the key {key!r}.", "Add it to the recipe.")
    return cls(**given)


def convert(kind: Any, value: Any, where: str) -> Any:
    """Return `value` as the type `kind`: lists become tuples, tables become dataclasses."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return tuple(value) if isinstance(value, list) else value
    if origin in (typing.Union, types.UnionType):
        return _one_of([part for part in parts if part is not type(None)], value, where)
    if origin is tuple:
        return _tuple(parts, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise wrong(where, "a table", value)
        return {key: convert(parts[1], each, f"{where}.{key}") for key, each in value.items()}
    if dataclasses.is_dataclass(kind):
        return build(kind, value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise wrong(where, WORDS[kind], value)
    return value


def _one_of(kinds: list, value: Any, where: str) -> Any:
    """`value` as the first of several simple types that it has."""
    if len(kinds) == 1:
        return convert(kinds[0], value, where)
    for kind in kinds:
        if type(value) is kind or (kind is float and type(value) is int):
            return convert(kind, value, where)
    raise wrong(where, " or ".join(WORDS[kind] for kind in kinds), value)


def _tuple(parts: tuple, value: Any, where: str) -> tuple:
    if not isinstance(value, list):
        raise wrong(where, "a list", value)
    if parts[-1] is not Ellipsis and len(parts) != len(value):
        raise wrong(where, f"a list of {len(parts)}", value)
    kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
    return tuple(
        convert(kind, each, f"{where}[{label(each, position)}]")
        for position, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def label(table: Any, position: int) -> str:
    """What an entry of a list is called in messages: its id or name if it has one, else its position from 1."""
    named = (table.get("id") or table.get("name")) if isinstance(table, dict) else None
    return str(named or position + 1)


def wrong(where: str, expected: str, value: Any) -> InputError:
    """The refusal of a value that is not what `expected` says."""
    return InputError("SL-585", f"{where} is {str(value)[:60]!r}, not {expected}.", "Correct it in the recipe.")
