"""What reading an export gives, gathered block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError
from .columns import Column
from .describe import EMPTY, Description
from .engines import Engine
from .lines import BLANK, CONTROL, FINE, HEADER, OPEN, STRAY, Lines
from .opening import BOM

__all__ = ["Export", "Gathering", "Part", "assembled", "refuse_many"]

ENCODINGS = ("utf-8", "cp1252")
REASONS = {
    CONTROL: "a control character within the line",
    STRAY: "a quote that does not open or close a cell",
    OPEN: "no line end: the file is cut off",
    BLANK: "nothing on it",
}
UNDECODED = "bytes that are no "
REMEDIES = {
    REASONS[CONTROL]: "Export again; a file that went through another program may have lost its line ends.",
    REASONS[STRAY]: "Export again with tabs, and without quotes.",
    REASONS[OPEN]: "Export or fetch it again: it is not whole.",
    REASONS[BLANK]: "Export again; a file that went through another program may have got further line ends.",
}
ENCODE = "Say what they are: encoding='cp1252', 'utf-8', ..."
SPLIT = (
    "Export with tabs, or delimited cells in quotes. If it is so: are delimiter and .dic (or .sas) those of this file?"
)


@dataclass(frozen=True, eq=False)
class Export:
    """The cells of an export, as text.

    Parameters
    ----------
    table : DataFrame (n rows)
        A column per header: categories of stripped text, or text where more than half of the cells differ. Empty where
        nothing was written.
    lines : array (n,) of int64
        The line of the file that each row was, from 1.
    quarantine : DataFrame
        The lines that are in no row: columns ``line`` and ``reason``.
    formats : dict
        The labels by code that the ``.dic`` gives, by header.
    unformatted : frozenset of str
        The headers whose cells are SEER*Stat's own codes.
    facts : dict
        What is known of the file; it can be written as JSON and holds no cell.
    """

    table: pd.DataFrame = field(repr=False)
    lines: np.ndarray = field(repr=False)
    quarantine: pd.DataFrame = field(repr=False)
    formats: dict[str, dict[str, str]] = field(repr=False)
    unformatted: frozenset[str] = field(repr=False)
    facts: dict


def assembled(
    about: Description, names: list[str], columns: list[pd.Series], lines: np.ndarray, bad: list, facts: dict
) -> Export:
    """Return an export of those columns, rows and quarantined lines."""
    return Export(
        table=pd.concat(columns, axis=1, keys=names) if columns else pd.DataFrame(index=range(len(lines))),
        lines=lines,
        quarantine=pd.DataFrame(bad, columns=["line", "reason"]).astype({"line": np.int64}),
        formats={name: about.formats[name] for name in names if name in about.formats},
        unformatted=about.unformatted.intersection(names),
        facts=facts,
    )


def refuse_many(file: str, lines: int, reasons: list[str], most: float) -> None:
    """Raise where more than a share `most` of a file's lines is quarantined, for those reasons.

    Raises
    ------
    InputError
        SL-570 with the most frequent reason and its likely cause.
    """
    if len(reasons) > most * lines:
        [(reason, often)] = Counter(reasons).most_common(1)
        remedy = REMEDIES.get(reason, ENCODE if reason.startswith(UNDECODED) else SPLIT)
        found = f"{len(reasons)} of {lines} lines of {file} cannot be read; {often} have {reason}."
        raise InputError("SL-570", found, f"{remedy} To allow more: max_quarantine.")


class Part(NamedTuple):
    """A block of n lines, counted from 0: those that are rows, and those that are not, with the reason.

    Of its rows, `beyond` have bytes beyond ASCII, `undecoded` those that an encoding does not have; `factors` are codes
    and distinct cells by column.
    """

    n: int
    rows: np.ndarray
    bad: list[tuple[int, str]]
    beyond: int
    undecoded: dict[str, list[int]]
    factors: list[tuple[np.ndarray, Sequence[str]]]


class Gathering:
    """The rows and the quarantined lines of a file that is being read.

    Parameters
    ----------
    about : Description
    wanted : list of int
        Columns by position.
    engine : Engine
    """

    def __init__(self, about: Description, wanted: list[int], engine: Engine):
        self._about, self._wanted, self._engine = about, wanted, engine
        self._columns = [Column() for _ in wanted]
        self._rows: list[np.ndarray] = []
        self._bad: list[tuple[int, str]] = []
        self._encodings = (about.facts["encoding"],) if about.facts["encoding"] else ENCODINGS
        self._undecoded: dict[str, list[int]] = {name: [] for name in self._encodings}
        self._beyond = self._n = 0

    def parse(self, data: bytes, first: bool) -> Part:
        """Return what a block of whole lines holds; blocks may be parsed side by side."""
        shape = self._about.shape
        lines = shape.check(data.removeprefix(BOM) if first else data)
        if first and self._about.facts["header"]:
            lines.state[np.argmax(lines.state != BLANK)] = HEADER
        rows = np.flatnonzero(lines.state == FINE)
        bad = np.flatnonzero((lines.state != FINE) & (lines.state != HEADER))
        fine, beyond = lines.fine(), lines.beyond()
        return Part(
            n=len(lines),
            rows=rows,
            bad=[(int(line), self._reason(lines, line)) for line in bad],
            beyond=len(beyond),
            undecoded={name: [] if _decodes(fine, name) else _not(lines, beyond, name) for name in self._encodings},
            factors=list(shape.factors(fine, self._wanted, self._engine)) if len(rows) else [],
        )

    def _reason(self, lines: Lines, line: int) -> str:
        shape = self._about.shape
        return REASONS.get(lines.state[line], f"{lines.count[line]} {shape.unit} instead of {shape.width}")

    def add(self, part: Part) -> None:
        """Add the next block."""
        self._rows.append(self._n + 1 + part.rows)
        self._bad += [(self._n + 1 + line, reason) for line, reason in part.bad]
        for name, lines in part.undecoded.items():
            self._undecoded[name] += [self._n + 1 + line for line in lines]
        self._n += part.n
        self._beyond += part.beyond
        if len(part.rows):
            for column, (codes, texts) in zip(self._columns, part.factors, strict=True):
                column.add(codes, texts)

    def _decoded(self) -> tuple[str, dict[int, str]]:
        """Return the encoding, and the lines that it cannot decode with the reason."""
        said = self._about.facts["encoding"]
        if said is None and not self._beyond:
            return "ascii", {}
        if said is None:
            said = ENCODINGS[2 * len(self._undecoded["utf-8"]) > self._beyond]
        return said, dict.fromkeys(self._undecoded[said], UNDECODED + said)

    def export(self, sha256: str) -> Export:
        """Return what was gathered of a file with that hash.

        Raises
        ------
        InputError
            SL-563 there are no lines; SL-570 none of them can be read.
        """
        about, lines = self._about, np.concatenate(self._rows)
        encoding, wrong = self._decoded()
        keep = ~np.isin(lines, list(wrong)) if wrong else None
        lines = lines if keep is None else lines[keep]
        last = max([*lines[-1:], *(line for line, reason in self._bad if reason != REASONS[BLANK])], default=0)
        bad = [(line, reason) for line, reason in self._bad if line < last or reason != REASONS[BLANK]]
        bad = sorted(bad + list(wrong.items()))
        if not len(lines):
            refuse_many(about.facts["file"], self._n, [reason for _, reason in bad], 0)
            raise InputError("SL-563", f"{about.facts['file']} has no rows.", EMPTY)
        names = [about.names[i] for i in self._wanted]
        columns = [column.series(about.cells, encoding, keep) for column in self._columns]
        facts = {
            **about.facts,
            "encoding": encoding,
            "sha256": {"file": sha256, **about.sha256},
            "lines": self._n,
            "rows": len(lines),
            "quarantined": len(bad),
            "cut_off": any(reason == REASONS[OPEN] for _, reason in bad),
        }
        return assembled(about, names, columns, lines, bad, facts)


def _not(lines: Lines, beyond: np.ndarray, encoding: str) -> list[int]:
    """Return the lines, of those with bytes beyond ASCII, that an encoding does not have."""
    return [int(line) for line in beyond if not _decodes(lines.text(line), encoding)]


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
