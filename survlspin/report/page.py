"""The page and the files of a report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from survlspin import __version__
from survlspin.tables import escaped

from .drawing import inlined, svg
from .parts import Figure, Report, Table, Text, number

__all__ = ["write"]

LONG, MOST = 14, 120  # rows of a table that is folded away, and rows of it on the page
UNKNOWN, SHORT = "–", 26
WITHOUT = ("", "undefined")  # what stands where there is no number
PAGE, FACTS = "report.html", "facts.json"
OWN = re.compile(r"report\.html|facts\.json|tables/[^/]+\.csv|figures/[^/]+\.svg")


def write(report: Report, out: str | Path) -> list[Path]:
    """Write a report: the page, every table as CSV, every figure as SVG, the facts as JSON.

    Of an earlier report in the same folder those files are removed that this one does not have.

    Parameters
    ----------
    report : Report
    out : str or Path
        A folder; made if need be.

    Returns
    -------
    list of Path
    """
    out = Path(out)
    parts = [part for section in report.sections for part in section.parts]
    tables = {part.name: part.masked(report.min_cell) for part in parts if isinstance(part, Table)}
    drawn = {part.name: svg(part) for part in parts if isinstance(part, Figure)}
    written = {f"tables/{name}.csv": csv(frame) for name, frame in tables.items()}
    written |= {f"figures/{name}.svg": text for name, text in drawn.items()}
    names = [PAGE, *written, FACTS]
    written[PAGE] = html(report, tables, drawn)
    written[FACTS] = json.dumps({**report.facts, "report.files": names}, indent=1, ensure_ascii=False, allow_nan=False)
    for name in set(_files_of(out)) - set(names):
        (out / name).unlink(missing_ok=True)
    for name in names:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written[name].rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    return [out / name for name in names]


def html(report: Report, tables: dict[str, pd.DataFrame], drawn: dict[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    report : Report
    tables : dict
        Name of a table -> its frame as it may be shown.
    drawn : dict
        Name of a figure -> SVG.
    """
    sections = [
        {
            "key": section.key,
            "title": section.title,
            "lead": section.lead,
            "parts": [_viewed(part, tables, drawn) for part in section.parts],
        }
        for section in report.sections
    ]
    style = Markup(files(__package__).joinpath("templates", "report.css").read_text(encoding="utf-8"))
    page = _environment().get_template("report.html")
    return page.render(report=report, sections=sections, style=style, version=__version__)


def csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, cells that a spreadsheet would run as a formula escaped."""
    safe = {name: escaped(frame[name]) if frame[name].dtype == object else frame[name] for name in frame}
    header = escaped(pd.Series([str(name) for name in frame])).tolist()
    return pd.DataFrame(safe, columns=frame.columns).to_csv(index=False, header=header, lineterminator="\n")


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)


def _viewed(part: Text | Table | Figure, tables: dict[str, pd.DataFrame], drawn: dict[str, str]) -> dict[str, Any]:
    """Return a part as the template reads it."""
    if isinstance(part, Text):
        return {"kind": "text", "paragraphs": part.paragraphs, "bullets": part.bullets}
    same = {"name": part.name, "title": part.title, "note": part.note}
    if isinstance(part, Figure):
        return {"kind": "figure", **same, "svg": Markup(inlined(drawn[part.name], part.name, part.alt))}
    frame = tables[part.name]
    numeric = {name: _numeric(part.frame[name]) for name in frame}
    return {
        "kind": "table",
        **same,
        "columns": [(str(name), numeric[name]) for name in frame],
        "rows": list(_rows(frame.head(MOST), part, numeric)),
        "length": len(frame),
        "cut": len(frame) > MOST,
        "long": len(frame) > LONG and not part.open,
        "told": part.told,
    }


def _numeric(column: pd.Series) -> bool:
    """Return whether a column is of numbers; some of them may be undefined or left out."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    numbers = any(isinstance(value, Real) and not isinstance(value, bool) for value in column)
    return numbers and all(value in WITHOUT for value in column if isinstance(value, str))


def _rows(frame: pd.DataFrame, part: Table, numeric: dict[str, bool]) -> Iterator[list[tuple[str, str]]]:
    """Yield the cells of each row, and what they are: "n" numbers, "s" text too short to be broken."""
    columns = [(part.formats.get(name), numeric[name], frame[name].tolist()) for name in frame]
    for i in range(len(frame)):
        texts = [(_cell(values[i], form), number) for form, number, values in columns]
        yield [(text, "n" if number else "s" if len(text) <= SHORT else "") for text, number in texts]


def _cell(value: Any, form: str | None) -> str:
    """Return a cell as text; what is not known as a dash."""
    if value is None or value is pd.NA or (isinstance(value, Real) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return format(int(value), form or ",d")
    if isinstance(value, Real):
        return format(float(value), form) if form else number(float(value))
    return str(value)


def _files_of(out: Path) -> list[str]:
    """Return the files of an earlier report in a folder."""
    try:
        names = json.loads((out / FACTS).read_text(encoding="utf-8"))["report.files"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if isinstance(name, str) and OWN.fullmatch(name)]
