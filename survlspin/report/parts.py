"""What a report is made of: sections of text, tables and figures, and the facts they rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["Figure", "Report", "Section", "Table", "Text", "hidden_counts", "number", "shown", "stems"]

STEM = 60  # letters of the name of a file


@dataclass(frozen=True)
class Text:
    """Paragraphs.

    Attributes
    ----------
    paragraphs : tuple of str
        Plain text; the page escapes it.
    bullets : bool
        Shown as a list.
    """

    paragraphs: tuple[str, ...]
    bullets: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """A table, for the page and as a CSV file.

    Attributes
    ----------
    name : str
        Of the file, without its ending; no two tables of a report share one.
    title : str
    frame : DataFrame
        Every column of it is shown; its index is not. Column names are the headings. No row is of a single patient.
    note : str
    formats : dict
        Column -> format specification of its numbers on the page, as ``".3f"`` or ``",d"``; the CSV holds them in full.
    counts : dict
        Columns that count patients or events -> the columns that would give a hidden count away (its share).
    within : str, optional
        The column whose equal neighbours make one total, in which a single hidden count would be known from the rest.
    open : bool
        Never folded away, however long.
    told : bool
        The last of three columns says what the row is: in a narrow window it is below the other two.
    """

    name: str
    title: str
    frame: pd.DataFrame
    note: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    within: str | None = None
    open: bool = False
    told: bool = False

    def masked(self, least: int) -> pd.DataFrame:
        """Return the frame with counts from 1 to ``least - 1`` as text, "<least", and what gives them away left out.

        Where counts make a total (`within`) so are others from which these could be had: see `hidden_counts`.
        """
        frame = self.frame.reset_index(drop=True)
        total = None if self.within is None else frame[self.within].ne(frame[self.within].shift()).cumsum()
        for column, derived in self.counts.items():
            values = pd.to_numeric(frame[column], errors="coerce")
            small = values.between(1, least - 1)
            hidden = small if total is None else values.groupby(total).transform(hidden_counts, least).astype(bool)
            if hidden.any():
                frame[column] = frame[column].astype(object).mask(hidden, "hidden").mask(small, f"<{least}")
                for other in derived:
                    frame[other] = frame[other].astype(object).mask(hidden, "")
        return frame


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure, for the page and as an SVG file.

    Attributes
    ----------
    name : str
        Of the file, without its ending; no two figures of a report share one.
    title : str
    alt : str
        What is seen, in words.
    draw : function of a `matplotlib.figure.Figure`
        Draws it. Black and grey become the colours of the page's text; use the colours of `survlspin.report.drawing`.
    note : str
    size : (float, float)
        Inches.
    """

    name: str
    title: str
    alt: str
    draw: Callable[[matplotlib.figure.Figure], None]
    note: str = ""
    size: tuple[float, float] = (7.0, 4.0)


@dataclass(frozen=True, eq=False)
class Section:
    """A chapter of the report.

    Attributes
    ----------
    key : str
        Its anchor on the page.
    title, lead : str
    parts : list of Text, Table or Figure
    facts : dict
        "dotted.name" -> plain value: what the section found, for the closing chapter and for ``facts.json``.
    """

    key: str
    title: str
    lead: str
    parts: Sequence[Text | Table | Figure]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Report:
    """All there is to be written.

    Attributes
    ----------
    title, subtitle : str
    facts : dict
        "dotted.name" -> plain value.
    sections : list of Section
    partial : str or None
        What is unfinished; written across the page.
    min_cell : int
        Counts from 1 to this less 1 are hidden; 0 or 1: none.
    """

    title: str
    subtitle: str
    facts: Mapping[str, Any]
    sections: list[Section]
    partial: str | None = None
    min_cell: int = 0


def number(value: float) -> str:
    """Return a number as a journal prints it: three digits, whole numbers whole, thousands with commas.

    Examples
    --------
    >>> [number(value) for value in (4.50376, 51140.0, 0.19304, 1020.4, 5)]
    ['4.50', '51,140', '0.193', '1,020', '5']
    """
    if float(value).is_integer() or abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def stems(names: Iterable[str]) -> dict[str, str]:
    """Return a name for a file of each, none of which is another's: letters and digits, and dashes for all else.

    Examples
    --------
    >>> stems(["age-years", "Age (years", "age_years"])
    {'age-years': 'age-years', 'Age (years': 'age--years', 'age_years': 'age-years-2'}
    """
    found: dict[str, str] = {}
    for name in names:
        stem = unique = "".join(c if c.isalnum() else "-" for c in name.lower())[:STEM]
        k = 1
        while unique in found.values():
            k += 1
            unique = f"{stem}-{k}"
        found[name] = unique
    return found


def shown(count: int, least: int) -> int | str:
    """Return a count, or "<least" where it is hidden."""
    return f"<{least}" if 0 < count < least else int(count)


def hidden_counts(counts: np.ndarray, least: int) -> np.ndarray:
    """Return which counts of one total that is known are hidden, bool (k,): small ones, and others that tell of them.

    What is left of the total must leave open that each hidden count is `least` or more: see
    `survlspin.publish.suppression.suppress`. Where all others are 0 nothing can.

    Examples
    --------
    >>> hidden_counts(np.array([3, 40, 50, 0]), 5).tolist()
    [True, True, False, False]
    """
    counts = np.asarray(counts, dtype=float)
    return np.array(_hidden(tuple(np.where(np.isnan(counts), 0, counts).astype(int).tolist()), least), dtype=bool)


@cache
def _hidden(counts: tuple[int, ...], least: int) -> list[bool]:
    from survlspin.publish.suppression import CountTable, suppress

    places = range(len(counts))
    table = CountTable({"total": sum(counts), **dict(enumerate(counts))}, [("total", places)])
    [safe] = suppress([table], least)
    return [safe.counts[place] is None for place in places]
