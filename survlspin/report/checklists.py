"""The sheets of TRIPOD+AI, PROBAST+AI and REMARK: filled where the facts of a report answer, blank elsewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pandas as pd

from .parts import Table, number

__all__ = ["SHEETS", "sheets"]

SHEETS = ("tripod-ai", "probast-ai", "remark")
FACT = re.compile(r"\{([\w.]+)\}")


def sheets(facts: Mapping[str, Any]) -> list[Table]:
    """Return one table per sheet, one row per item.

    An item has one or several answers with facts to fill in, written in ``sheets/*.toml``; the first whose facts are
    all known is given. Where there is none the answer stays empty: it is for the authors.

    Parameters
    ----------
    facts : dict
        Name -> value, as in ``Report.facts``. None and empty text count as not known.

    Returns
    -------
    list of Table
        Columns: ``item``, ``topic``, ``asked``, ``answer``, ``section`` (where in the report); the note counts the
        blanks and names them.
    """
    return [_sheet(name, facts) for name in SHEETS]


def _sheet(name: str, facts: Mapping[str, Any]) -> Table:
    text = files(__package__).joinpath("sheets", f"{name}.toml").read_text(encoding="utf-8")
    sheet = tomllib.loads(text)
    rows = []
    for item in sheet["item"]:
        answer = next(filter(None, (_filled(words, facts) for words in item.get("answer", []))), "")
        where = item.get("where", "") if answer else ""
        rows.append((item["number"], item["topic"], item["asked"], answer, where))
    frame = pd.DataFrame(rows, columns=["item", "topic", "asked", "answer", "section"])
    blank = frame.loc[frame["answer"] == "", "item"]
    left = f"{len(blank)} of {len(frame)} are left to the authors: {', '.join(blank)}." if len(blank) else ""
    return Table(name, sheet["title"], frame, note=f"{sheet['source']} {left}".strip())


def _filled(words: str, facts: Mapping[str, Any]) -> str | None:
    """Return the words with their facts, or None where one of these is not known."""
    found = {name: facts.get(name) for name in FACT.findall(words)}
    if any(value is None or value == "" for value in found.values()):
        return None
    return FACT.sub(lambda match: _said(found[match[1]]), words)


def _said(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_said, value))
    return number(value) if isinstance(value, int | float) else str(value)
