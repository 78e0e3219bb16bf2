"""Exports of SEER*Stat and tables made of them: every line read or quarantined, every cell as it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from .._messages import listed, nearest
from ..errors import InputError
from .columns import Column
from .dic import Dictionary, read_dic
from .engines import engine_named
from .lines import BLANK, CONTROL, FINE, OPEN, STRAY, Lines, blocks, check_cells
from .opening import BOM, DELIMITERS, Head, delimiter_of, looks_named, opened, read_head, same_name, split, widths

__all__ = ["Export", "Source", "open_export", "read_export"]

BLOCK = 1 << 25
ENCODINGS = ("utf-8", "cp1252")
REASONS = {
    CONTROL: "a control character within the line",
    STRAY: "a quote that does not open or close a cell",
    OPEN: "no line end: the file was cut off",
    BLANK: "a blank line",
}


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


@dataclass(frozen=True, eq=False)
class Source:
    """An export that was found readable, but not read.

    Parameters
    ----------
    path : Path
    names : tuple of str
        The headers of its columns.
    facts : dict
        What is known before reading: file, bytes, database, submission, years, cutoff, form, delimiter, encoding, header.
    dictionary : Dictionary or None
    """

    path: Path
    names: tuple[str, ...]
    facts: dict
    dictionary: Dictionary | None = field(default=None, repr=False)

    def read(
        self,
        names: Iterable[str] | None = None,
        *,
        engine: str = "pandas",
        cache: str | Path | None = None,
        max_quarantine: float = 0.01,
    ) -> Export:
        """Read the columns of those names, or all.

        Parameters
        ----------
        names : iterable of str, optional
            Headers.
        engine : {"pandas", "polars"}
            What parses; the answer is the same.
        cache : path, optional
            A folder for a copy that is faster to read again.
        max_quarantine : float
            The largest share of lines that may be quarantined.

        Raises
        ------
        InputError
            SL-501 the file cannot be opened; SL-562 it is no whole gzip file; SL-563 no rows; SL-570 too many lines are
            malformed; SL-572 a column that is not there; SL-574 an engine that is not there.
        """
        wanted = self._wanted(names)
        reading = _Reading(self, wanted, engine)
        with opened(self.path) as (stream, hashed):
            for block in blocks(stream, BLOCK):
                reading.add(block)
        return reading.export(hashed.hexdigest(), max_quarantine)

    def _wanted(self, names: Iterable[str] | None) -> list[int]:
        """Return the positions of the columns that are wanted, in the file's order."""
        if names is None:
            return list(range(len(self.names)))
        for name in (names := list(names)):
            if name not in self.names:
                found = f"{self.path.name} has no column {name!r}{nearest(name, self.names)}."
                raise InputError("SL-572", found, "Names are those of Source.names.")
        return sorted({self.names.index(name) for name in names})


def open_export(
    path: str | Path,
    *,
    dic: str | Path | None = None,
    sas: str | Path | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Source:
    """Look at an export, without reading it.

    Parameters
    ----------
    path : str or Path
        Text, or text packed with gzip.
    dic, sas : str or Path, optional
        The ``.dic`` of an export, or the ``.sas`` of a fixed-width file; by default the one beside it.
    encoding : str, optional
        By default UTF-8 where the bytes are, else cp1252.
    delimiter : {"tab", "comma", "semicolon"}, optional
        By default the one that the ``.dic`` says, or that fits.

    Raises
    ------
    InputError
        SL-501 a file cannot be opened; SL-561 it is no text; SL-562 no whole gzip file; SL-563 it is empty; SL-564 neither
        header nor ``.dic``; SL-565 a faulty ``.dic``; SL-566 a name twice; SL-567 the ``.dic`` is of another file;
        SL-568 the delimiter is not known; SL-569 a table of counts or rates; SL-573 an unknown encoding.
    """
    path = Path(path)
    head = read_head(path)
    dictionary = read_dic(found) if (found := Path(dic) if dic else _beside(path, ".dic")) else None
    said = dictionary.options.get("Field delimiter") if dictionary else None
    mark = delimiter_of(path, head, delimiter, said, len(dictionary.names) if dictionary else None)
    rows = [split(line, mark) for line in head.lines if line]
    names, header = _described(path, head, mark, rows, dictionary) if dictionary else _named(path, head, mark, rows)
    if len(rows) == header:
        raise InputError("SL-563", f"{path.name} has a header and no rows.", "Is the selection in SEER*Stat empty?")
    facts = {
        "file": path.name,
        "bytes": path.stat().st_size,
        **(dictionary.facts if dictionary else dict.fromkeys(("database", "submission", "years", "cutoff"))),
        "form": _form(dictionary),
        "delimiter": next(word for word, known in DELIMITERS.items() if known == mark),
        "encoding": _encoding(encoding, head.bom),
        "header": header,
    }
    return Source(path, names, facts, dictionary)


def read_export(path: str | Path, names: Iterable[str] | None = None, **how) -> Export:
    """Read an export; see `open_export` and `Source.read` for what can be said of it."""
    reading = {key: how.pop(key) for key in ("engine", "cache", "max_quarantine") if key in how}
    return open_export(path, **how).read(names, **reading)


def _beside(path: Path, suffix: str) -> Path | None:
    """Return the file of the same name with that suffix, if there is one."""
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    for other in (stem + suffix, stem + suffix.upper(), path.name + suffix):
        if (path.parent / other).is_file():
            return path.parent / other
    return None


def _encoding(given: str | None, bom: bool) -> str | None:
    if given is None:
        return "utf-8" if bom else None
    try:
        "".encode(given)
    except LookupError as error:
        raise InputError("SL-573", f"encoding {given!r} is unknown.", "Try utf-8, cp1252 or latin-1.") from error
    return given


def _form(dictionary: Dictionary | None) -> str:
    if dictionary is None:
        return "csv"
    if any(variable.unformatted for variable in dictionary.variables):
        return "unformatted"
    return "quoted" if dictionary.options.get("Variable format") == "quotedlabels" else "labels"


def _described(
    path: Path, head: Head, mark: str, rows: list[list[str]], dictionary: Dictionary
) -> tuple[tuple[str, ...], bool]:
    """Return the names of the ``.dic``, once they fit, and whether the file begins with them."""
    names = dictionary.names
    header = len(rows[0]) == len(names) and all(map(same_name, rows[0], names))
    other = f"Give the .dic that SEER*Stat wrote with {path.name}: dic=."
    width, _ = widths(head, mark)
    if width != len(names):
        found = f"{dictionary.file} has {len(names)} variables, the lines of {path.name} have {width} cells."
        raise InputError("SL-567", found, other)
    if not header and dictionary.options.get("Variable names included") == "true":
        raise InputError("SL-567", f"{path.name} does not begin with the names that {dictionary.file} has.", other)
    return names, header


def _named(path: Path, head: Head, mark: str, rows: list[list[str]]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the header."""
    if not looks_named(rows):
        found = f"{path.name} does not begin with names, and has no .dic beside it."
        raise InputError("SL-564", found, "Give its .dic (dic=), or export with variable names.")
    names = tuple(name or f"column {i}" for i, name in enumerate(rows[0], 1))
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError("SL-566", f"the header has {listed(map(repr, repeated))} more than once.", "Rename them.")
    width, _ = widths(head, mark)
    if width != len(names):
        found = f"the header of {path.name} has {len(names)} names, its lines have {width} cells."
        raise InputError("SL-567", found, "Write the table again; from R with row.names = FALSE.")
    return names, True


class _Reading:
    """A file that is being read, block by block."""

    def __init__(self, source: Source, wanted: list[int], engine: str):
        self.source, self.wanted = source, wanted
        self.parse = engine_named(engine)
        self.mark = DELIMITERS[source.facts["delimiter"]]
        self.columns = [Column() for _ in wanted]
        self.rows: list[np.ndarray] = []
        self.bad: list[tuple[int, str]] = []
        self.high: list[tuple[int, bytes]] = []
        self.n = 0

    def add(self, data: bytes) -> None:
        """Add a block of whole lines."""
        if not self.n:
            data = data.removeprefix(BOM)
        width = len(self.source.names)
        lines = check_cells(data, self.mark.encode(), width, self.source.dictionary is not None)
        number = self.n + 1 + np.arange(len(lines))
        self._quarantine(lines, number, width)
        if not self.n and self.source.facts["header"]:
            lines.state[np.argmax(lines.state != BLANK)] = BLANK
        fine = lines.state == FINE
        self.high += [(number[line], lines.text(line)) for line in lines.high()]
        self.rows.append(number[fine])
        self.n += len(lines)
        if fine.any():
            factors = self.parse(lines.fine(), self.mark, width, self.wanted)
            for column, (codes, texts) in zip(self.columns, factors, strict=True):
                column.add(codes, texts)

    def _quarantine(self, lines: Lines, number: np.ndarray, width: int) -> None:
        for line in np.flatnonzero(lines.state != FINE):
            reason = REASONS.get(lines.state[line]) or f"{lines.count[line]} cells instead of {width}"
            self.bad.append((int(number[line]), reason))

    def _decoded(self) -> tuple[str, dict[int, str]]:
        """Return the encoding, and what is wrong with lines that it does not have, by their number."""
        failed = {name: {n for n, text in self.high if not _is(text, name)} for name in ENCODINGS}
        encoding = self.source.facts["encoding"]
        if encoding is None:
            encoding = ENCODINGS[2 * len(failed["utf-8"]) > len(self.high)]
        wrong = failed.get(encoding) or {n for n, text in self.high if not _is(text, encoding)}
        return encoding, dict.fromkeys(wrong, f"bytes that are no {encoding}")

    def export(self, sha256: str, most: float) -> Export:
        """Return the whole."""
        source = self.source
        lines = np.concatenate(self.rows)
        encoding, wrong = self._decoded()
        last = lines[-1] if len(lines) else 0
        bad = [(n, why) for n, why in self.bad if why != REASONS[BLANK] or n < last] + list(wrong.items())
        self._refuse_many(bad, most)
        keep = None
        if wrong:
            keep = ~np.isin(lines, list(wrong))
            lines = lines[keep]
        if not len(lines):
            raise InputError("SL-563", f"{source.path.name} has no rows.", "Is the selection in SEER*Stat empty?")
        thousands = source.dictionary is not None or self.mark != ";"
        names = [source.names[i] for i in self.wanted]
        series = {}
        for name, column in zip(names, self.columns, strict=True):
            series[name] = column.series(keep, encoding, thousands)
        dic = source.dictionary
        return Export(
            table=pd.DataFrame(series, copy=False),
            lines=lines,
            quarantine=pd.DataFrame(sorted(bad), columns=["line", "reason"]),
            formats={name: dic.formats[name] for name in names if name in dic.formats} if dic else {},
            unformatted=frozenset(v.name for v in dic.variables if v.unformatted and v.name in names)
            if dic
            else frozenset(),
            facts={
                **source.facts,
                "encoding": encoding,
                "sha256": {"file": sha256, "dic": dic.sha256 if dic else None, "sas": None},
                "lines": self.n,
                "rows": len(lines),
                "quarantined": len(bad),
            },
        )

    def _refuse_many(self, bad: list[tuple[int, str]], most: float) -> None:
        if len(bad) <= most * self.n:
            return
        reason, n = Counter(reason for _, reason in bad).most_common(1)[0]
        found = f"{len(bad)} of {self.n} lines of {self.source.path.name} are malformed; {n} have {reason}."
        raise InputError("SL-570", found, "Export with tabs.")


def _is(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
