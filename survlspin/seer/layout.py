"""The ``.sas`` shipped beside a fixed-width file: where each field stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .._messages import listed
from ..errors import InputError
from .dic import read_text

__all__ = ["Layout", "Place", "read_layout"]

PLACE = re.compile(r"@\s*(\d+)\s+([A-Za-z_]\w*)\s+\$?(?:char)?(\d+)\.(?:[ \t]*/\*\s*(.*?)\s*\*/)?", re.I)
LENGTH = re.compile(r"\blrecl\s*=\s*(\d+)", re.I)
SUBMISSION = re.compile(r"(nov|apr)[a-z]*[._-]?(\d{4})", re.I)


@dataclass(frozen=True)
class Place:
    """A field of a fixed-width file: its first byte (from 0), its width, and what the ``.sas`` says it is."""

    name: str
    start: int
    width: int
    title: str

    @property
    def end(self) -> int:
        return self.start + self.width


@dataclass(frozen=True)
class Layout:
    """What a ``.sas`` says.

    Parameters
    ----------
    file, sha256 : str
    places : tuple of Place
    length : int or None
        Bytes per line (``lrecl=``).
    """

    file: str
    sha256: str
    places: tuple[Place, ...]
    length: int | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(place.name for place in self.places)

    @property
    def end(self) -> int:
        """Where the last field ends: bytes."""
        return max(place.end for place in self.places)

    @property
    def lengths(self) -> set[int]:
        """What a line may have: the bytes that are said, or those up to the last field's end."""
        return {self.length or self.end, self.end}

    @property
    def submission(self) -> str | None:
        """The submission, as the name of the ``.sas`` has it."""
        match = SUBMISSION.search(self.file)
        return f"{match[1].capitalize()} {match[2]}" if match else None


def read_layout(path: Path) -> Layout:
    """Read a ``.sas``.

    Raises
    ------
    InputError
        SL-501 the file cannot be opened; SL-566 a name twice; SL-571 it places no fields, or places them wrongly.
    """
    text, sha256 = read_text(path)
    places = tuple(Place(match[2], int(match[1]) - 1, int(match[3]), match[4] or "") for match in PLACE.finditer(text))
    lengths = {int(length) for length in LENGTH.findall(text)}
    if not places:
        found = f"{path.name} places no field ('@ 1 PUBCSNUM $char8.')."
        raise InputError("SL-571", found, "Give the .sas that NCI ships beside a fixed-width file.")
    names = [place.name for place in places]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError("SL-566", f"{path.name} has {listed(repeated)} more than once.", "Take the .sas as shipped.")
    if wrong := [place.name for place in places if place.start < 0 or not place.width]:
        raise InputError("SL-571", f"{path.name} places {listed(wrong)} nowhere.", "Take the .sas as shipped.")
    layout = Layout(path.name, sha256, places, max(lengths, default=None))
    if len(lengths) > 1 or layout.end > (layout.length or layout.end):
        said = " and ".join(map(str, sorted(lengths)))
        found = f"{path.name} gives lines of {said} bytes, and its last field ends at byte {layout.end}."
        raise InputError("SL-571", found, "Take the .sas as shipped.")
    return layout
