"""The ``.dic`` that SEER*Stat writes beside an export: names, formats and how the file is written."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from .._messages import listed
from ..errors import InputError

__all__ = ["Dictionary", "Variable", "read_dic", "read_text"]

LISTING = "Variables"
MATRIX = "Life Page Variables"
FORMAT = "Format="
VARIABLE = re.compile(r"Var(\d+)(Name|Base|DisplayType|Dimension)")
DATABASE = re.compile(r"\b([A-Z][a-z]{2,8} \d{4}) Sub(?:mission)?\b")
YEARS = re.compile(r"\((\d{4})-(\d{4})")
AGAIN = "Export again, or mend that line."


@dataclass(frozen=True)
class Variable:
    """A column of the export.

    Parameters
    ----------
    name : str
        Its header.
    base : tuple of str
        The fields that a user-defined variable was made of.
    unformatted : bool
        Are its cells SEER*Stat's own codes?
    """

    name: str
    base: tuple[str, ...] = ()
    unformatted: bool = False


@dataclass(frozen=True)
class Dictionary:
    """What a ``.dic`` says.

    Parameters
    ----------
    file, sha256 : str
    system, session, options : dict
        The sections ``[System]``, ``[Session Options]`` and ``[Export Options]``.
    variables : tuple of Variable
        The columns, in the file's order.
    listing : bool
        Are they those of a case listing? Else of a table of counts, rates or survival.
    formats : dict
        The labels by code, of each variable that has a ``[Format=...]``.
    """

    file: str
    sha256: str
    system: dict[str, str]
    session: dict[str, str]
    options: dict[str, str]
    variables: tuple[Variable, ...]
    listing: bool
    formats: dict[str, dict[str, str]] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables)

    @property
    def facts(self) -> dict:
        """Where the data come from, as far as the ``.dic`` says: database, submission, years, study cut-off."""
        database = self.system.get("Database name", "")
        submission, years = DATABASE.search(database), YEARS.search(database)
        return {
            "database": database or None,
            "submission": submission[1] if submission else None,
            "years": [int(years[1]), int(years[2])] if years else None,
            "cutoff": self.session.get("StudyCutoffDate") or None,
        }


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of a small file (UTF-8 or cp1252) and its SHA-256.

    Raises
    ------
    InputError
        SL-501 the file cannot be opened.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError("SL-501", f"{path} cannot be opened: {error.strerror}.", "Check the path.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n"), hashlib.sha256(raw).hexdigest()


def read_dic(path: Path) -> Dictionary:
    """Read a ``.dic``.

    Raises
    ------
    InputError
        SL-501 the file cannot be opened; SL-565 it is none, or a line of it is faulty; SL-566 a name twice.
    """
    text, sha256 = read_text(path)
    sections = _sections(text, path.name)
    listing = LISTING in sections
    if not listing and MATRIX not in sections:
        found = f"{path.name} has no section [{LISTING}]."
        raise InputError("SL-565", found, "Give the .dic that SEER*Stat wrote beside the export.")
    options = sections.get("Export Options", {})
    variables = _variables(sections[LISTING if listing else MATRIX], options, path.name)
    return Dictionary(
        file=path.name,
        sha256=sha256,
        system=sections.get("System", {}),
        session=sections.get("Session Options", {}),
        options=options,
        variables=variables,
        listing=listing,
        formats={
            name.removeprefix(FORMAT): {code.strip(): _unquoted(label) for code, label in items.items()}
            for name, items in sections.items()
            if name.startswith(FORMAT)
        },
    )


def _sections(text: str, file: str) -> dict[str, dict[str, str]]:
    """Return the sections by their exact names; each ends at a blank line."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line:
            current = None
        elif line.startswith("[") and line.endswith("]"):
            if line[1:-1] in sections:
                raise InputError("SL-565", f"line {number} of {file} begins {line} a second time.", AGAIN)
            current = sections.setdefault(line[1:-1], {})
        elif current is None:
            if VARIABLE.match(line):
                raise InputError("SL-565", f"line {number} of {file} describes a variable outside a section.", AGAIN)
        else:
            key, _, value = line.partition("=")
            if key in current:
                raise InputError("SL-565", f"line {number} of {file} gives {key!r} a second time.", AGAIN)
            current[key] = value.strip()
    return sections


def _variables(items: dict[str, str], options: dict[str, str], file: str) -> tuple[Variable, ...]:
    found: dict[int, dict[str, str]] = {}
    for key, value in items.items():
        if match := VARIABLE.fullmatch(key):
            found.setdefault(int(match[1]), {})[match[2]] = value
    if missing := [n for n in range(1, max(found, default=1) + 1) if not found.get(n, {}).get("Name")]:
        listing = listed(f"Var{n}Name" for n in missing)
        raise InputError("SL-565", f"{file} lacks {listing}.", "Export again: columns would be lost or shifted.")
    codes = options.get("Variable format") == "numeric"
    variables = tuple(
        Variable(
            name=_unquoted(found[n]["Name"]),
            base=tuple(base.strip() for base in found[n].get("Base", "").split("~") if base.strip()),
            unformatted=codes or found[n].get("DisplayType", "").casefold() == "unformatted",
        )
        for n in sorted(found)
    )
    names = [variable.name for variable in variables]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        found_ = f"{file} has {listed(map(repr, repeated))} more than once."
        raise InputError("SL-566", found_, "Tick each variable once in SEER*Stat and export again.")
    return variables


def _unquoted(text: str) -> str:
    """Return a name or label without the quotes that keep its indentation."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    return text.strip()
