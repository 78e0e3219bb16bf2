"""What a file is, found without reading it: names, shape, encoding, and what is said beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .._messages import listed
from ..errors import InputError
from .columns import Cells
from .dic import Dictionary, read_dic
from .layout import PLACE, Layout, read_layout
from .opening import DELIMITERS, Head, delimiter_of, looks_named, read_head, same_name, split, widths
from .shapes import Delimited, Fixed, Shape

__all__ = ["EMPTY", "Description", "describe"]

EMPTY = "Is the selection in SEER*Stat empty, or the disk full?"
PATIENT = ("Patient ID", "Patient ID number", "PUBCSNUM")
TABLED = ("Page type", "Alive at Start", "Crude Rate", "Age-Adjusted Rate", "Observed Survival (Cum)")
MISSING = {"space": "", "period": "."}


@dataclass(frozen=True, eq=False)
class Description:
    """What a file is.

    Parameters
    ----------
    names : tuple of str
        The headers of its columns.
    shape : Shape
    cells : Cells
    facts : dict
        What can be written down of it.
    sha256 : dict
        Of the ``.dic`` and the ``.sas``.
    formats : dict
        The labels by code, by header.
    unformatted : frozenset of str
        The headers whose cells are SEER*Stat's own codes.
    table : str
        What it is a table of, where it is no listing of patients: "survival table", "table".
    """

    names: tuple[str, ...]
    shape: Shape
    cells: Cells
    facts: dict
    sha256: dict[str, str | None]
    formats: dict[str, dict[str, str]] = field(default_factory=dict)
    unformatted: frozenset[str] = frozenset()
    table: str = ""


def describe(
    path: Path, dic: Path | None, sas: Path | None, encoding: str | None, delimiter: str | None
) -> Description:
    """Return what a file is; see `survlspin.seer.open_export`."""
    head = read_head(path)
    layout = _layout(path, head, dic, sas)
    dic = dic or (None if sas else _beside(path, ".dic"))
    dictionary = read_dic(dic) if dic else None
    known = dictionary.facts if dictionary else dict.fromkeys(("database", "submission", "years", "cutoff"))
    facts = {"file": path.name, "bytes": path.stat().st_size, **known}
    sha256 = {"dic": dictionary.sha256 if dictionary else None, "sas": layout.sha256 if layout else None}
    if layout:
        facts |= {"submission": facts["submission"] or layout.submission, "form": "fixed", "delimiter": None}
        facts |= {"encoding": _encoding(encoding, head.bom), "header": False}
        return Description(layout.names, _fixed(path, head, layout), Cells(thousands=False), facts, sha256)
    said = dictionary.options.get("Field delimiter") if dictionary else None
    mark = delimiter_of(path, head, delimiter, said, len(dictionary.names) if dictionary else None)
    rows = [split(line, mark) for line in head.lines if line]
    names, header = _described(path, head, mark, rows[0], dictionary) if dictionary else _named(path, head, mark, rows)
    if len(rows) == header:
        raise InputError("SL-563", f"{path.name} has a header and no rows.", EMPTY)
    facts |= {"form": _form(dictionary), "delimiter": _word(mark)}
    facts |= {"encoding": _encoding(encoding, head.bom), "header": header}
    shape = Delimited(mark, len(names), whole=dictionary is not None)
    cells = _cells(dictionary, mark)
    if dictionary is None:
        return Description(names, shape, cells, facts, sha256, table=_tabled(names))
    unformatted = frozenset(variable.name for variable in dictionary.variables if variable.unformatted)
    table = _tabled(names, dictionary)
    return Description(names, shape, cells, facts, sha256, dictionary.formats, unformatted, table)


def _beside(path: Path, suffix: str) -> Path | None:
    """Return the file of the same name with that suffix, if there is one."""
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    found = (path.parent / name for name in (stem + suffix, stem + suffix.upper(), path.name + suffix))
    return next((other for other in found if other.is_file()), None)


def _layout(path: Path, head: Head, dic: Path | None, sas: Path | None) -> Layout | None:
    """Return the layout of a fixed-width file; a ``.sas`` that is found, not given, must fit where all else does."""
    found = sas or (None if dic else _layout_beside(path))
    if found is None:
        return None
    layout = read_layout(found)
    delimited = _beside(path, ".dic") or any(widths(head, mark)[0] > 1 for mark in DELIMITERS.values())
    return None if delimited and not sas and _length(head) not in layout.lengths else layout


def _layout_beside(path: Path) -> Path | None:
    """Return the ``.sas`` of a fixed-width file: of the same name, or NCI's in its folder or up to three above."""
    found = _beside(path, ".sas")
    if found is None:
        folders = (path.resolve().parent, *path.resolve().parents[1:4])
        found = next((sas for folder in folders for sas in sorted(folder.glob("read.seer*.sas"))), None)
    if found is not None and PLACE.search(found.read_text(encoding="latin-1")):
        return found
    return None  # SEER*Stat's own .sas of a delimited export places nothing


def _length(head: Head) -> int:
    """Return how many bytes most lines have."""
    lengths = [len(line) for line in head.lines if line]
    return max(set(lengths), key=lengths.count)


def _word(mark: str) -> str:
    return next(word for word, known in DELIMITERS.items() if known == mark)


def _encoding(given: str | None, bom: bool) -> str | None:
    if given is None:
        return "utf-8" if bom else None
    ascii = bytes(range(128))
    try:
        if ascii.decode(given) == ascii.decode("ascii"):
            return given
    except (LookupError, UnicodeDecodeError):
        pass
    raise InputError("SL-573", f"encoding {given!r} is unknown, or has no ASCII.", "Try utf-8, cp1252 or latin-1.")


def _form(dictionary: Dictionary | None) -> str:
    if dictionary is None:
        return "csv"
    if any(variable.unformatted for variable in dictionary.variables):
        return "unformatted"
    return "quoted" if dictionary.options.get("Variable format", "").casefold() == "quotedlabels" else "labels"


def _cells(dictionary: Dictionary | None, mark: str) -> Cells:
    """Return what cells mean; in a table of someone's own between semicolons, a comma may be a decimal one."""
    if dictionary is None:
        return Cells(thousands=mark != ";")
    said = dictionary.options.get("Missing character", "").strip().strip('"')
    return Cells(missing=frozenset({".", MISSING.get(said.casefold(), said)}))


def _fixed(path: Path, head: Head, layout: Layout) -> Fixed:
    """Return the shape of a fixed-width file, once its lines are as long as the ``.sas`` says."""
    length = _length(head)
    if length not in layout.lengths:
        said = " or ".join(map(str, sorted(layout.lengths)))
        found = f"{layout.file} is of lines of {said} bytes, those of {path.name} have {length}."
        raise InputError("SL-567", found, "Give the .sas that was shipped with it: positions differ.")
    return Fixed(layout.places, length)


def _tabled(names: tuple[str, ...], dictionary: Dictionary | None = None) -> str:
    """Return what a table of groups is called; nothing for a listing of patients."""
    session = dictionary.session.get("Type", "").casefold() if dictionary else ""
    listing = _any(names, PATIENT) or not (session or _any(names, TABLED)) or session.startswith("case")
    if listing and (dictionary is None or dictionary.listing):
        return ""
    return f"{session} table".strip()


def _any(names: Iterable[str], known: Iterable[str]) -> bool:
    return any(same_name(name, other) for name in names for other in known)


def _described(
    path: Path, head: Head, mark: str, first: list[str], dictionary: Dictionary
) -> tuple[tuple[str, ...], bool]:
    """Return the names of the ``.dic``, once they fit, and whether the file begins with them."""
    names = dictionary.names
    other = f"Give the .dic that SEER*Stat wrote with {path.name}: dic=."
    width, _ = widths(head, mark)
    if width != len(names):
        found = f"{dictionary.file} has {len(names)} variables, the lines of {path.name} have {width} cells."
        split = "" if mark == "\t" else f" If it is that one, labels hold a {_word(mark)}: export with tabs."
        raise InputError("SL-567", found, other + split)
    header = len(first) == len(names) and all(map(same_name, first, names))
    if not header and dictionary.options.get("Variable names included", "").casefold() == "true":
        raise InputError("SL-567", f"{path.name} does not begin with the names that {dictionary.file} has.", other)
    return names, header


def _named(path: Path, head: Head, mark: str, rows: list[list[str]]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the header of a file without ``.dic``."""
    names = tuple(name or f"column {i}" for i, name in enumerate(rows[0], 1))
    if not looks_named(rows):
        found = f"{path.name} does not begin with names, and has no .dic beside it."
        raise InputError("SL-564", found, "Give its .dic (dic=), or export with variable names.")
    if repeated := [i for i, name in enumerate(names, 1) if names.count(name) > 1]:
        raise InputError("SL-566", f"names of the header are not unique: columns {listed(repeated)}.", "Rename them.")
    width, _ = widths(head, mark)
    if width != len(names):
        found = f"the header of {path.name} has {len(names)} names, its lines have {width} cells."
        raise InputError("SL-567", found, "Write the table again; from R with row.names = FALSE.")
    return names, True
