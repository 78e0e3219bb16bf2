"""The published schema of the tables of single patients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pyarrow as pa

from survlspin._messages import listed
from survlspin.errors import InputError

__all__ = ["BANNER", "Field", "Form", "form_of", "headed", "schema"]

BANNER = "LOCAL ONLY - single patients: must not leave the place where their data may be"
TYPES = {"string": pa.string(), "number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_()}
HORIZON = "{horizon}"


@cache
def schema() -> dict:
    """Return the schema, as the file ``schema.json`` of this package has it."""
    return json.loads(files("survlspin.publish").joinpath("schema.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Field:
    """A column: its name, type and constraints."""

    name: str
    type: str
    constraints: dict

    @property
    def arrow(self) -> pa.DataType:
        return TYPES[self.type]


@dataclass(frozen=True)
class Form:
    """Which table of the schema a file holds, of which version, and its columns."""

    table: str
    version: int
    fields: tuple[Field, ...]

    @property
    def head(self) -> str:
        """What a file says of itself first."""
        return f"{BANNER}; schema {schema()['name']} {self.version}, table {self.table}"

    @property
    def arrow(self) -> pa.Schema:
        """The columns as Arrow has them, the banner in the metadata."""
        return pa.schema([(field.name, field.arrow) for field in self.fields], {b"survlspin_local": self.head.encode()})


def form_of(table: str, columns: Iterable[str]) -> Form:
    """Return the form of a table of these columns; SL-667 where they are not the schema's, in its order."""
    columns = list(columns)
    known = [
        Field(each["name"], each["type"], each.get("constraints", {})) for each in schema()["tables"][table]["fields"]
    ]
    fields, once = [], [field for field in known if HORIZON not in field.name]
    for name in columns:
        horizon = re.fullmatch(r"(risk_)([0-9.e+]+)(_low|_high|)", name)
        pattern = f"{horizon[1]}{HORIZON}{horizon[3]}" if horizon else name
        fields += [Field(name, field.type, field.constraints) for field in known if field.name == pattern]
    plain = [name for name in columns if not name.startswith("risk_")]
    if len(fields) < len(columns) or plain != [field.name for field in once]:
        found = f"the columns of a table of {table} are {listed((field.name for field in known), 99)}; "
        raise InputError(
            "SL-667", f"{found}these are {listed(columns, 99)}.", "Give a file of survlspin factors export."
        )
    return Form(table, schema()["version"], tuple(fields))


def headed(head: str, columns: Iterable[str]) -> Form:
    """Return the form of a file that begins with `head`; SL-668 for one that says nothing, or is of a newer version."""
    found = re.fullmatch(rf"{re.escape(BANNER)}; schema {schema()['name']} (\d+), table (\w+)", head)
    if not found or found[2] not in schema()["tables"]:
        remedy = "Give a file of survlspin factors export, as it was written."
        raise InputError("SL-668", "the file does not say that it is local, and of which schema.", remedy)
    if int(found[1]) > (version := schema()["version"]):
        raise InputError("SL-668", f"schema {found[1]}; this version of survlspin knows up to {version}.", "Update it.")
    return form_of(found[2], columns)
