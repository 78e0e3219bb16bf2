"""Writing an export as SEER*Stat would: lines by the million, the .dic, the .sas."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

__all__ = ["DELIMITERS", "Printed", "broken_plan", "dic_text", "export_options", "sas_text", "write_lines"]

DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";"}
DIC_DELIMITERS = {"tab": "tab", "comma": "comma", "semicolon": "semi-colon"}
BLOCK = 1 << 15
END = b"\r\n"
BREAKS = ("short", "long", "stray", "control")


@dataclass(frozen=True, eq=False)
class Printed:
    """A column as it is printed.

    Parameters
    ----------
    name : str
        Its header.
    codes : int array (n,)
        Positions in `texts`.
    texts : list of str
        The different cells.
    formats : dict
        Code -> label, for the ``[Format=...]`` of the .dic.
    """

    name: str
    codes: np.ndarray
    texts: list[str]
    formats: dict[str, str]


def write_lines(
    path: Path,
    columns: list[Printed],
    separator: str,
    header: list[str] | None,
    broken: dict[int, str],
    *,
    gz: bool = False,
    bom: bool = False,
    encoding: str = "cp1252",
) -> None:
    """Write the lines of a file, the broken ones among them at their line numbers (from 1, the header included).

    Parameters
    ----------
    separator : str
        Between cells; empty for a fixed-width file.
    header : list of str, optional
    broken : dict
        Line number -> how it is broken; see `broken_plan`.
    """
    tables = [np.array([text.encode(encoding) for text in column.texts], object) for column in columns]
    named = [] if header is None else [[separator.join(header).encode(encoding)]]
    lines = chain(named, _blocks(tables, [column.codes for column in columns], separator.encode()))
    with path.open("wb") as file, gzip.GzipFile("", "wb", 4, file, 0) if gz else nullcontext(file) as stream:
        stream.write(b"\xef\xbb\xbf" if bom else b"")
        for block in _with_broken(lines, broken, separator.encode()):
            stream.write(block)


def _blocks(tables: list[np.ndarray], codes: list[np.ndarray], separator: bytes) -> Iterator[list[bytes]]:
    for start in range(0, len(codes[0]), BLOCK):
        rows = slice(start, start + BLOCK)
        cells = [table[column[rows]].tolist() for table, column in zip(tables, codes, strict=True)]
        yield list(map(separator.join, zip(*cells, strict=True)))


def _with_broken(blocks: Iterable[list[bytes]], broken: dict[int, str], separator: bytes) -> Iterator[bytes]:
    """Join the lines of each block; a broken line is made of the whole one before it."""
    number = 1
    for block in blocks:
        lines = []
        for line in block if broken else ():
            lines.append(line + END)
            number += 1
            while number in broken:
                lines.append(_break(line, broken[number], separator))
                number += 1
        yield b"".join(lines) if broken else END.join([*block, b""])


def _break(line: bytes, how: str, separator: bytes) -> bytes:
    half = len(line) // 2
    if how == "open":
        return line[:half]
    changed = {
        "short": line.rsplit(separator, 2)[0] if separator else line[:-2],
        "long": line + separator + b"00",
        "stray": line + b'"',
        "control": line[:half] + b"\x0b" + line[half:],
    }
    return changed[how] + END


def broken_plan(rng: np.random.Generator, lines: int, broken: int, first: int) -> dict[int, str]:
    """Choose which lines are broken, and how.

    Parameters
    ----------
    lines, broken : int
        Whole lines of data, and broken ones among or behind them.
    first : int
        Number of the first line of data.

    Returns
    -------
    dict
        Line number -> one of "short", "long", "stray" (quote), "control" (character), "open" (the last line of the
        file, cut within).
    """
    at = 1 + np.sort(rng.choice(lines + broken - 2, max(broken - 1, 0), replace=False))  # the first line is whole
    plan = {first + int(position): BREAKS[k % len(BREAKS)] for k, position in enumerate(at)}
    return plan | ({first + lines + broken - 1: "open"} if broken else {})


def dic_text(
    columns: list[Printed], *, output: str, database: str, cutoff: str, options: dict[str, str], unformatted: bool
) -> str:
    """The .dic of a case listing."""
    sections = {
        "System": {"Output filename": output, "Matrix filename": "breast.slm", "Database name": database},
        "Session Options": {"Type": "Case Listing", "StudyCutoffDate": cutoff},
        "Export Options": options,
        "Variables": {},
    }
    for number, column in enumerate(columns, 1):
        sections["Variables"][f"Var{number}Name"] = column.name
        if unformatted:
            sections["Variables"][f"Var{number}DisplayType"] = "Unformatted"
    for column in columns:
        if column.formats:
            sections[f"Format={column.name}"] = column.formats
    written = (
        "".join([f"[{name}]\r\n", *(f"{key}={value}\r\n" for key, value in items.items())])
        for name, items in sections.items()
    )
    return "\r\n".join(written)


def export_options(form: str, delimiter: str, header: bool, gz: bool, missing: str) -> dict[str, str]:
    """What the .dic says of the way the file is written."""
    return {
        "GZipped": str(gz).lower(),
        "Variable format": "quotedlabels" if form == "quoted" else "labels",
        "File format": "DOS/Windows",
        "Field delimiter": DIC_DELIMITERS[delimiter],
        "Missing character": missing,
        "Fields with delimiter in quotes": str(delimiter != "tab").lower(),
        "Remove thousands separators": "true",
        "Flags included": "false",
        "Variable names included": str(header).lower(),
        "Column Variables as Stats": "false",
    }


def sas_text(places: Iterable[tuple[int, int, str, str]], width: int, data: str) -> str:
    """The .sas that reads a fixed-width file: (first byte, width, name, description) of each column."""
    reads = [f"    @ {start:<4}{name:<18} $char{size}.  /* {text} */" for start, size, name, text in places]
    begin = [f"filename seer9 '{data}';", "", "data in;", f"  infile seer9 lrecl={width};", "  input"]
    return "\r\n".join([*begin, *reads, "    ;", "run;", ""])
