"""The code book: which column is which field, and what its cells mean.

A cell is a number or category that is known, or it is not known for one of three reasons that are kept apart: the
registry asked and has no answer (``unknown``), it did not ask in that year (``blank``), or the question does not apply
(``na``).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from survlspin._messages import listed, nearest
from survlspin._shipped import shipped
from survlspin.cohort.codes import SAME, STATUS, Code, Field, Landing, code_of, field_of, header_stem, label_stem
from survlspin.errors import InputError

__all__ = ["STATUS", "Code", "Codebook", "Field", "Values", "landing_of"]

KNOWN = 4  # the first so many of STATUS are known values
TRAILING = (
    r"( varying .*)?$",
    r"( thru)? \d{4}( varying .*)?$",
    r" \d{4} \d{4}( varying .*)?$",
)  # years behind a header


@dataclass(frozen=True, eq=False)
class Values:
    """A field of n records, decoded.

    Parameters
    ----------
    kind : {"number", "category", "text"}
    data : array (n,)
        number: float64, NaN unless known; category: int32 positions in `levels`, -1 unless known; text: str objects.
    status : uint8 array (n,)
        Positions in STATUS.
    levels : tuple of str
        Of a category.
    """

    kind: str
    data: np.ndarray
    status: np.ndarray
    levels: tuple[str, ...] = ()

    @property
    def known(self) -> np.ndarray:
        """Where there is a value: bool (n,)."""
        return self.status < KNOWN

    def take(self, index: np.ndarray) -> "Values":
        """Return the records at these positions (or where a mask is true)."""
        return Values(self.kind, self.data[index], self.status[index], self.levels)


@dataclass(frozen=True)
class Codebook:
    """Fields, the headers that mean them, and the codes of their cells.

    Parameters
    ----------
    name, title : str
    fields : dict
        Field by canonical name.
    """

    name: str
    title: str = ""
    fields: dict[str, Field] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str | Path) -> "Codebook":
        """Read a shipped code book by name (``"seer-breast"``), or any by the path of its TOML file.

        Raises
        ------
        InputError
            SL-576 the file has a mistake; SL-577 there is no such file, or it is no TOML.
        """
        path = Path(name)
        return _read(path) if path.suffix == ".toml" else _shipped(str(name))

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Codebook":
        """Build a code book from ``{"name", "title", "codes": [...] of all fields, "fields": {name: {...}}}``.

        A ``column`` in a field's table is the header of that field.
        """
        raw = dict(raw)
        common = tuple(code_of(code, "the code book") for code in raw.pop("codes", ()))
        tables = {name: dict(table) for name, table in raw.pop("fields", {}).items()}
        for table in tables.values():
            if column := table.pop("column", None):
                table["stems"] = [column, *table.get("stems", ())]
        if unknown := sorted(set(raw) - {"name", "title", "text"}):
            raise InputError("SL-576", f"the code book has unknown keys {listed(unknown)}.", "Mend the keys.")
        fields = {name: field_of(name, table, common) for name, table in tables.items()}
        stems = [stem for known in fields.values() for stem in known.headers | known.second]
        if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
            raise InputError("SL-576", f"headers {listed(map(repr, twice))} mean two fields.", "Leave them to one.")
        return cls(str(raw.get("name", "")), str(raw.get("title", "")), fields)

    def with_codes(self, codes: Mapping[str, Iterable[Mapping[str, Any]]]) -> "Codebook":
        """Return a code book in which these codes come before the field's own: ``{field: [{...}]}``."""
        fields = dict(self.fields)
        for name, tables in codes.items():
            known = self[name]
            own = tuple(code_of(table, f"field {name!r}") for table in tables)
            levels = dict.fromkeys((*known.levels, *(code.level for code in own if code.level not in (None, SAME))))
            fields[name] = replace(known, codes=(*own, *known.codes), levels=tuple(levels))
        return replace(self, fields=fields)

    def __getitem__(self, name: str) -> Field:
        """Return a field by its canonical name (SL-582 if there is none)."""
        try:
            return self.fields[name]
        except KeyError:
            found = f"the code book {self.name!r} has no field {name!r}{nearest(name, self.fields)}."
            raise InputError("SL-582", found, "Use the canonical name.") from None

    @cached_property
    def _homes(self) -> dict[str, str]:
        """Stem -> canonical name."""
        return {stem: name for name, known in self.fields.items() for stem in known.headers | known.second}

    def resolve(self, headers: Iterable[str], aliases: Mapping[str, str] = {}) -> dict[str, str]:
        """Find the column of each field.

        Case, punctuation (a header that R has mangled, too) and the years behind a name do not count; names of the
        fixed-width files and canonical names are known as well.

        Parameters
        ----------
        headers : iterable of str
        aliases : dict
            Canonical name -> header: these come first.

        Returns
        -------
        dict
            Canonical name -> header, for the fields that have one.

        Raises
        ------
        InputError
            SL-580 two headers mean one field; SL-581 an alias names a column that is not there; SL-582 or a field that
            does not exist.
        """
        headers = list(headers)
        for name, header in aliases.items():
            self[name]
            if header not in headers:
                found = f"the alias {name}={header!r} names no column{nearest(header, headers)}."
                raise InputError("SL-581", found, "Give the header as it is in the file.")
        found: dict[str, list[str]] = {}
        for header in headers:
            name = self._home(header)
            if name and name not in aliases and header not in aliases.values():
                found.setdefault(name, []).append(header)
        for name, same in found.items():
            first = [header for header in same if self._stem(header) in self[name].headers]
            found[name] = same = first or same
            if len(same) > 1:
                remedy = f"Say which: alias {name}={same[0]!r}."
                raise InputError("SL-580", f"columns {listed(map(repr, same))} are all field {name!r}.", remedy)
        return {**aliases, **{name: same[0] for name, same in found.items()}}

    def unresolved(self, headers: Iterable[str]) -> list[str]:
        """Return the headers that mean no field."""
        return [header for header in headers if self._home(header) is None]

    def _stem(self, header: str) -> str | None:
        """The stem under which a header is known, if it is."""
        candidates = (re.sub(pattern, "", header_stem(header)) for pattern in TRAILING)
        return next((text for text in candidates if text in self._homes), None)

    def _home(self, header: str) -> str | None:
        return self._homes.get(self._stem(header) or "")

    def decode(
        self,
        name: str,
        cells: pd.Categorical | np.ndarray,
        formats: Mapping[str, str] = {},
        unformatted: bool | None = None,
        header: str = "",
    ) -> Values:
        """Turn the cells of a field into values.

        Parameters
        ----------
        name : str
            Canonical name.
        cells : Categorical or object array (n,)
            Text without blanks around it; missing cells count as empty.
        formats : dict
            Code -> label of that variable in the .dic file.
        unformatted : bool, optional
            Whether the cells are codes; None: a cell is a code if `formats` has it as a code and not as a label.
        header : str
            Of the column; "... and 85+" says that the code 85 is 85 or more.

        Returns
        -------
        Values

        Raises
        ------
        InputError
            SL-578 cells that the field has no code for; SL-579 codes and labels in one column; SL-582 no such field.
        """
        known = self[name]
        position, unique = _unique(cells)
        if known.kind == "text":
            empty = known.land("").code.status
            status = np.array([STATUS.index("exact" if cell else empty) for cell in unique], dtype=np.uint8)
            return Values("text", np.asarray(unique, dtype=object)[position], status[position])
        landings = [landing_of(known, cell, formats, unformatted, header) for cell in unique]
        _refuse_unmapped(known, [cell for cell, landing in zip(unique, landings, strict=True) if landing is None])
        _refuse_mixed(known, landings)
        status = np.array([STATUS.index(landing.code.status) for landing in landings], dtype=np.uint8)
        if known.kind == "number":
            data, levels = np.array([_number(landing) for landing in landings]), ()
        else:
            data, levels = _levels(known, landings)
        return Values(known.kind, data[position], status[position], levels)


@cache
def _shipped(name: str) -> Codebook:
    return _read(shipped("codebooks") / f"{name}.toml")


def _read(path: Path) -> Codebook:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = sorted(file.stem for file in shipped("codebooks").glob("*.toml"))
        remedy = f"Shipped are {listed(known)}; give a path that ends in .toml for another."
        raise InputError("SL-577", f"there is no code book {path.stem!r}.", remedy) from error
    except ValueError as error:
        raise InputError("SL-577", f"{path.name} is no TOML file: {error}.", "Mend it.") from error
    return Codebook.of({"name": path.stem, **raw})


def _unique(cells: pd.Categorical | np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the position of each record's text among the different texts that occur, and these."""
    if isinstance(cells, pd.Categorical):
        codes, texts = np.asarray(cells.codes), ["" if pd.isna(text) else str(text) for text in cells.categories]
        if (codes < 0).any():
            codes, texts = np.where(codes < 0, len(texts), codes), [*texts, ""]
        used = np.bincount(codes, minlength=len(texts)) > 0
        position = np.cumsum(used) - 1
        return position[codes], [text.strip() for text, there in zip(texts, used, strict=True) if there]
    codes, texts = pd.factorize(np.asarray(cells, dtype=object))
    texts = [str(text).strip() for text in texts]
    return (np.where(codes < 0, len(texts), codes), [*texts, ""]) if (codes < 0).any() else (codes, texts)


def _label(cell: str, formats: Mapping[str, str], unformatted: bool | None) -> str:
    """Return the label that the .dic file gives to a code; any other cell as it is."""
    if unformatted is False or cell not in formats:
        return cell
    stems = {label_stem(label) for label in formats.values()}
    return cell if unformatted is None and label_stem(cell) in stems else formats[cell].strip()


def landing_of(
    known: Field, cell: str, formats: Mapping[str, str] = {}, unformatted: bool | None = None, header: str = ""
) -> Landing | None:
    """Return where a stripped cell lands, as `Codebook.decode` reads it; None if the field has no such code."""
    return known.land(_topped(_label(cell, formats, unformatted), known.oldest(header)), header)


def _topped(cell: str, oldest: str | None) -> str:
    """Return the code with which the ages of a column end as its label, 85+; any other cell as it is."""
    return f"{oldest}+" if oldest and cell.isdigit() and int(cell) == int(oldest) else cell


def _refuse_unmapped(known: Field, cells: list[str]) -> None:
    if cells:
        name, shown = known.name, _shown(known, sorted(cells)[0])
        many = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
        found = f"field {name!r} has {many} that the code book does not know, such as {shown!r}."
        remedy = f"Add what it means to [[codes.{name}]] of the recipe, or is another column meant ({name}=HEADER)?"
        raise InputError("SL-578", found, remedy)


def _shown(known: Field, cell: str) -> str:
    """A label or short code as it is; of what may be an id, a date, an age or a time only the form, ``##-Mar-####``."""
    if re.search(r"[A-Za-z]", cell):
        plain = known.kind == "category" and len(re.findall(r"\d", cell)) < 5
    else:
        plain = len(cell) <= 3 and (known.kind == "category" or not known.leak)
    return cell[:60] if plain else re.sub(r"\d", "#", cell[:60])


def _refuse_mixed(known: Field, landings: list[Landing]) -> None:
    """Refuse codes beside labels in a category's column; a code that is its own level stands for either."""
    clear = [landing for landing in landings if landing.code.status != "blank" and landing.code.level != SAME]
    if known.kind == "category" and {"label", "code"} <= {landing.form for landing in clear}:
        codes, labels = ([lan.text for lan in clear if lan.form == form][:3] for form in ("code", "label"))
        found = f"field {known.name!r} has codes ({listed(codes)}) and labels ({listed(labels)})."
        raise InputError("SL-579", found, "Export the column in one form; were two files joined?")


def _number(landing: Landing) -> float:
    code = landing.code
    return code.number(landing.numbers) if code.value is not None else np.nan


def _levels(known: Field, landings: list[Landing]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the position of each landing's level, and the levels."""
    texts = [lan.text if lan.code.level == SAME else lan.code.level for lan in landings]
    found = sorted({text for text in texts if text is not None} - set(known.levels))
    levels = (*known.levels, *found)
    place = {level: index for index, level in enumerate(levels)}
    return np.array([place.get(text, -1) for text in texts], dtype=np.int32), levels
