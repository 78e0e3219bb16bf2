"""The first look at a file: is it text at all, how are its cells separated, does it begin with names?"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .._messages import listed
from ..errors import InputError

__all__ = [
    "DELIMITERS",
    "Hashed",
    "Head",
    "delimiter_of",
    "digest",
    "looks_named",
    "opened",
    "read_head",
    "same_name",
    "split",
]

DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";"}
GZIP, BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
HEAD = 1 << 20
SAMPLE = 200
SESSION = re.compile(r"\.s[flmprs]m?$", re.I)  # case listing, survival, rates, ...: sessions, and matrices with an m
LISTING = "Export the case listing in SEER*Stat: Matrix > Export > Text File, with tabs."
BINARY = (
    (b"PK\x03\x04", "a zip archive", "Unpack it and give the export that is inside."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or a program's own file", LISTING),
    (b"%PDF", "a PDF", LISTING),
    (b"PAR1", "a Parquet file", "Read it as a table, not as an export."),
    (b"BZh", "a bzip2 archive", "Unpack it, or pack it with gzip."),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it, or pack it with gzip."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it, or pack it with gzip."),
    (b"\xff\xfe", "UTF-16 text", "Save it as UTF-8, or export again."),
    (b"\xfe\xff", "UTF-16 text", "Save it as UTF-8, or export again."),
)


class Hashed(io.RawIOBase):
    """A file whose bytes are hashed (SHA-256) as they are read."""

    def __init__(self, file: BinaryIO):
        super().__init__()
        self._file, self._sha256 = file, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._file.readinto(buffer)
        self._sha256.update(memoryview(buffer)[:n])
        return n

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, Hashed]]:
    """Open a file, unpacked where it is gzip: yields the stream of its text, and its hash once that is read.

    Raises
    ------
    InputError
        SL-501 it cannot be opened; SL-562 it is no whole gzip file.
    """
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == GZIP
            hashed = Hashed(file)
            yield (gzip.GzipFile(fileobj=hashed) if packed else hashed), hashed
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError("SL-562", f"{path.name} is no whole gzip file: {error}.", "Fetch or pack it again.") from error
    except OSError as error:
        raise _unopened(path, error) from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises
    ------
    InputError
        SL-501 it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unopened(path, error) from error


def _unopened(path: Path, error: OSError) -> InputError:
    return InputError("SL-501", f"{path} cannot be opened: {error.strerror or error}.", "Check the path.")


@dataclass(frozen=True)
class Head:
    """The beginning of a text file.

    Parameters
    ----------
    lines : tuple of bytes
        Its first lines, without line ends; an incomplete last one only where the file ends there.
    bom : bool
        Does it begin with the mark of UTF-8?
    """

    lines: tuple[bytes, ...]
    bom: bool


def read_head(path: Path) -> Head:
    """Return the beginning of a text file.

    Raises
    ------
    InputError
        SL-501 it cannot be opened; SL-561 it is no text; SL-562 no whole gzip file; SL-563 it is empty.
    """
    with opened(path) as (stream, _):
        raw = stream.read(HEAD)
    _refuse_other(path, raw)
    lines = raw.removeprefix(BOM).split(b"\n")
    if len(raw) == HEAD:
        if len(lines) == 1:
            found = f"{path.name} has no line end in its first {HEAD:,} bytes."
            raise InputError("SL-561", found, LISTING)
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines]
    if not any(lines):
        raise InputError("SL-563", f"{path.name} is empty.", "Export again: is the selection empty, or the disk full?")
    return Head(tuple(lines[: SAMPLE + 1]), raw.startswith(BOM))


def _refuse_other(path: Path, raw: bytes) -> None:
    """Refuse what is no text of cells."""
    name = path.name
    if SESSION.search(name):
        raise InputError("SL-561", f"{name} is a session or matrix of SEER*Stat.", LISTING)
    for magic, what, remedy in BINARY:
        if raw.startswith(magic):
            if magic.startswith(b"PK") and b"xl/" in raw:
                what, remedy = "an Excel workbook", "Save it as CSV (UTF-8), or better: export again as text."
            raise InputError("SL-561", f"{name} is {what}.", remedy)
    if b"\r" in raw and b"\n" not in raw:
        raise InputError("SL-561", f"{name} has lines that end in CR alone.", "Save it with the line ends of Windows.")
    if 100 * raw.count(0) > len(raw):
        raise InputError("SL-561", f"{name} is no text: it has many zero bytes.", LISTING)
    start = raw.removeprefix(BOM).lstrip()[:256].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        found = f"{name} is a web page."
        raise InputError("SL-561", found, "It may say why the download failed: open it in a browser.")
    if start.startswith(b"[system]"):
        found = f"{name} is the .dic of an export."
        raise InputError("SL-561", found, "Give the export itself; its .dic is found beside it.")


def split(line: bytes, delimiter: str) -> list[str]:
    """Return the cells of one line, stripped."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("cp1252", errors="replace")
    rows = csv.reader([text], delimiter=delimiter)
    try:
        return [cell.strip() for cell in next(rows, [])]
    except csv.Error:
        return []


def widths(head: Head, delimiter: str) -> tuple[int, int]:
    """Return the most frequent number of cells of the first lines, and how many of these have it."""
    counts = Counter(len(split(line, delimiter)) for line in head.lines if line)
    return counts.most_common(1)[0]


def delimiter_of(path: Path, head: Head, given: str | None, said: str | None, width: int | None) -> str:
    """Return the delimiter: the one given, else the one the ``.dic`` says, else the one that fits.

    Raises
    ------
    InputError
        SL-568 it is none that is known, or does not fit the lines.
    """
    named = given if given is not None else said
    wanted = None
    if named is not None:
        wanted = DELIMITERS.get(named.casefold().replace("-", ""), named)
        if wanted not in DELIMITERS.values():
            found = f"cells of {path.name} are said to be separated by {named!r}."
            raise InputError("SL-568", found, f"Export with tabs; known are {listed(DELIMITERS)}.")
    fits = {mark: widths(head, mark) for mark in DELIMITERS.values()}
    right = [mark for mark, (cells, _) in fits.items() if cells == width or (width is None and cells > 1)]
    if wanted is not None:
        if right and wanted not in right:
            found = f"{path.name} is said to have its cells separated by {_word(wanted)}, but {_word(right[0])} fits."
            raise InputError("SL-568", found, f"Say so: delimiter={_word(right[0])!r}.")
        return wanted
    if not right:
        if width == 1:
            return "\t"
        found = f"the lines of {path.name} have no number of cells in common with {listed(DELIMITERS)} between them."
        raise InputError("SL-568", found, "Export with tabs; a fixed-width file needs the .sas beside it: sas=.")
    return max(right, key=lambda mark: (fits[mark][1], fits[mark][0]))


def _word(mark: str) -> str:
    return next(word for word, known in DELIMITERS.items() if known == mark)


def same_name(one: str, other: str) -> bool:
    """Are two headers the same but for case, blanks and punctuation (R puts dots)?"""
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def looks_named(rows: list[list[str]]) -> bool:
    """Is the first of these lines a header: no number, and no cell that its column has again?"""
    first, *others = rows
    if any(re.fullmatch(r"[\d.,+-]+", cell) for cell in first):
        return False
    again = (a == b != "" for row in others if len(row) == len(first) for a, b in zip(first, row, strict=True))
    return any(first) and not any(again)
