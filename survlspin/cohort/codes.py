"""Fields and codes of a code book: their schema, and where a cell of the file lands."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

from survlspin._messages import listed, nearest
from survlspin.errors import InputError

__all__ = ["KINDS", "STATUS", "Code", "Field", "code_of", "field_of", "header_stem", "label_stem"]

STATUS = ("exact", "range", "micro", "top", "unknown", "blank", "na")
KINDS = ("number", "category", "text")
SAME = "code"  # a level that is the code itself, or the group of its regex
WORDS = ("number", "midpoint")  # values that come from the cell
YEARS = re.compile(r"\s*\((thru )?\d{4}[^()]*\)$")
RANGE = re.compile(r"(\d+)(?:-(\d+))?")
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
WHOLE = re.compile(r"(\d+)(\.0+)?")


def header_stem(text: str) -> str:
    """Return a column's name in lower case with single blanks for everything that is no letter or digit."""
    return " ".join(re.sub(r"[^0-9a-z]+", " ", text.lower()).split())


def label_stem(text: str) -> str:
    """Return a label as it is compared: lower case, no dashes, single blanks."""
    return " ".join(re.sub(r"[-‐-―−]", "", text.casefold()).split())


def _whole(cell: str) -> int | None:
    """Return the whole number that a cell shows: 12, 0012, 12.0 and 1,012 are some; None for anything else."""
    plain = cell.replace(",", "") if THOUSANDS.fullmatch(cell) else cell
    found = WHOLE.fullmatch(plain)
    return int(found[1]) if found and found[1].isascii() else None


def _decimal(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") and "_" not in cell else None


@dataclass(frozen=True)
class Code:
    """What some cells of a field mean.

    Parameters
    ----------
    patterns : tuple of str
        Codes: ``"1"``, ``"C504"``, or a range of numbers, ``"001-988"``; leading zeros do not count.
    labels : tuple of str
        Texts as SEER*Stat shows them; case, dashes and repeated blanks do not count.
    match : str
        Regular expression of a whole cell, in any case. Its group is the code or the number; a band has two.
    level : str, optional
        The category; ``"code"``: the code itself.
    value : float or {"number", "midpoint"}, optional
        The number; "number": the one in the cell; "midpoint": of the band.
    add : float
        Added to a number that comes from the cell.
    headers : tuple of str
        The only columns that have this code, where it means something else in others.
    status : str
        One of STATUS. Only the first four have a level or a value.
    years : tuple of (int, int or None), optional
        First and last year of diagnosis with this code.
    note, source : str
        What is doubtful about it, and where it is written.
    """

    patterns: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    match: str = ""
    level: str | None = None
    value: float | str | None = None
    add: float = 0.0
    headers: tuple[str, ...] = ()
    status: str = "exact"
    years: tuple[int, int | None] | None = None
    note: str = ""
    source: str = ""

    def is_of(self, header: str) -> bool:
        """Has a column with this header the code? Any may have it where the header is not known."""
        return not (self.headers and header) or header_stem(header) in map(header_stem, self.headers)

    def number(self, found: Iterable[float]) -> float:
        """Return the value in the field's unit, given the number or the two numbers that the cell shows."""
        if isinstance(self.value, float):
            return self.value
        numbers = list(found)
        return sum(numbers) / len(numbers) + self.add


@dataclass(frozen=True)
class Landing:
    """Where a cell lands: its code, what it shows, and whether it reads as a code, a label or could be both."""

    code: Code
    text: str
    numbers: tuple[float, ...]
    form: str


@dataclass(frozen=True)
class Field:
    """A variable of the registry and the meaning of its cells.

    Parameters
    ----------
    name : str
        The name in recipes.
    title : str
        The box to tick in SEER*Stat.
    kind : {"number", "category", "text"}
    unit : str
    stems : tuple of str
        Other names of the column, without the years behind them.
    also : tuple of str
        Second choices: columns that serve where there is none of the others.
    sas : tuple of str
        Names in the fixed-width files.
    top : str
        Expression of a header in lower case without punctuation; its group is the number that stands for "or more".
    years : tuple of (int, int or None), optional
        First and last year of diagnosis for which the field was collected.
    leak : str
        Why it can be no predictor; empty if it can.
    levels : tuple of str
        Categories in their order; by default that of the codes.
    codes : tuple of Code
        The field's own, then those of all fields. Without codes of its own every other cell means itself.
    text, source : str
        One sentence about the field, and where its codes are written.
    """

    name: str
    title: str = ""
    kind: str = "category"
    unit: str = ""
    stems: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    sas: tuple[str, ...] = ()
    top: str = ""
    years: tuple[int, int | None] | None = None
    leak: str = ""
    levels: tuple[str, ...] = ()
    codes: tuple[Code, ...] = ()
    text: str = ""
    source: str = ""

    @cached_property
    def headers(self) -> frozenset[str]:
        """The stems of every header that means this field, with the years behind them and without."""
        return _stems((self.name, self.title, *self.stems, *self.sas))

    @cached_property
    def second(self) -> frozenset[str]:
        """The stems of the second choices."""
        return _stems(self.also) - self.headers

    def oldest(self, header: str) -> str | None:
        """Return the number at which codes of a column end, as its header says: 85 of "... and 85+"."""
        found = re.search(self.top, header_stem(header)) if self.top else None
        return found[1] if found else None

    @cached_property
    def open(self) -> bool:
        """Whether its levels are found in the data."""
        return self.kind == "category" and any(code.level == SAME for code in self.codes)

    @cached_property
    def _literals(self) -> tuple[dict[str, Code], dict[str, Code], list[tuple[int, int, int, Code]], list]:
        """Labels, codes that are no numbers, ranges of numbers, and expressions, each with its code."""
        labels, words, ranges, expressions = {}, {}, [], []
        for code in self.codes:
            for label in code.labels:
                labels.setdefault(label_stem(label), code)
            for pattern in code.patterns:
                if found := RANGE.fullmatch(pattern):
                    ranges.append((int(found[1]), int(found[2] or found[1]), len(found[1]), code))
                else:
                    words.setdefault(pattern.casefold(), code)
            if code.match:
                expressions.append((re.compile(code.match, re.IGNORECASE), code))
        return labels, words, ranges, expressions

    def land(self, cell: str, header: str = "") -> Landing | None:
        """Return where a stripped cell of a column with that header lands; None if the field has no such code."""
        labels, words, ranges, expressions = self._literals
        plain = " ".join(cell.split())
        label, code, whole, text = labels.get(label_stem(cell)), words.get(plain.casefold()), _whole(plain), plain
        if code is None and whole is not None:
            hits = ((code, width) for low, high, width, code in ranges if low <= whole <= high and code.is_of(header))
            code, width = next(hits, (None, 0))
            text = str(whole).zfill(width)
        if label or code:
            form = "both" if (label and code) or not cell else "label" if label else "code"
            return Landing(label or code, text, () if whole is None else (float(whole),), form)
        for expression, code in expressions:
            if found := expression.fullmatch(plain):
                groups = [group for group in found.groups() if group]
                numbers = tuple(value for group in groups if (value := _decimal(group)) is not None)
                if numbers or code.value not in WORDS:
                    return Landing(code, groups[0] if groups else plain, numbers, "both")
        return None


def _stems(names: Iterable[str]) -> frozenset[str]:
    return frozenset(header_stem(text) for name in names if name for text in (name, YEARS.sub("", name)))


def code_of(raw: Mapping[str, Any], where: str) -> Code:
    """Build a code from its table in a TOML file; `where` names the field in errors."""
    known = _checked(raw, Code, where)
    for name in ("patterns", "labels", "headers"):
        known[name] = tuple(map(str, known.get(name, ())))
    status = known.setdefault("status", "exact" if "level" in known or "value" in known else "unknown")
    if status not in STATUS:
        raise InputError("SL-576", f"{where} has a code of status {status!r}.", f"It is one of {listed(STATUS)}.")
    if isinstance(known.get("value"), int | float):
        known["value"] = float(known["value"])
    elif known.get("value", "number") not in WORDS:
        raise InputError("SL-576", f"{where} has a code of value {known['value']!r}.", "Give a number or 'number'.")
    if (status in STATUS[:4]) != ("level" in known or "value" in known):
        found = f"{where} has a code of status {status!r} {'with' if status not in STATUS[:4] else 'without'} a value."
        raise InputError("SL-576", found, f"A level or value belongs to {listed(STATUS[:4])}, and to these alone.")
    return Code(**known)


def field_of(name: str, raw: Mapping[str, Any], common: tuple[Code, ...] = ()) -> Field:
    """Build a field from its table in a TOML file; `common` codes come after its own."""
    where = f"field {name!r}"
    known = _checked({"name": name, **raw}, Field, where)
    own = tuple(code_of(code, where) for code in known.pop("codes", ()))
    if known.get("kind", "category") not in KINDS:
        raise InputError("SL-576", f"{where} is of kind {known['kind']!r}.", f"It is one of {listed(KINDS)}.")
    kind = known.setdefault("kind", "category")
    given = known.pop("levels", None)
    levels = tuple(dict.fromkeys(code.level for code in own if code.level not in (None, SAME)))
    for code in own:
        if (code.level is not None and kind != "category") or (code.value is not None and kind != "number"):
            raise InputError("SL-576", f"{where} is of kind {kind!r}.", "Categories have levels, numbers have values.")
    if given is not None and set(given) != set(levels):
        found = f"{where} lists levels {listed(given, 20)}; its codes have {listed(levels, 20)}."
        raise InputError("SL-576", found, "Make them the same.")
    known |= {key: tuple(known.get(key, ())) for key in ("stems", "also", "sas")}
    rest = (Code(labels=("",), status="unknown"),)
    if not own and kind != "text":  # every cell means itself
        rest += (Code(match=r"(.+)", **({"level": SAME} if kind == "category" else {"value": "number"})),)
    field = Field(**known, levels=tuple(given or levels), codes=(*own, *common, *rest))
    _no_overlap(own, where)
    return field


def _checked(raw: Mapping[str, Any], kind: type, where: str) -> dict[str, Any]:
    """Return the table as a dict, with years as a pair; an unknown key is an error."""
    names = [field.name for field in fields(kind)]
    for key in raw:
        if key not in names:
            raise InputError("SL-576", f"{where} has an unknown key {key!r}{nearest(key, names)}.", "Mend the key.")
    known = dict(raw)
    if "years" in known:
        first, *last = known["years"]
        known["years"] = (first, last[0] if last else None)
    return known


def _no_overlap(own: tuple[Code, ...], where: str) -> None:
    """Refuse two codes of a field that claim one cell."""
    seen: dict[str, Code] = {}
    ranges = []
    for code in own:
        keys = {f"label {label_stem(label)!r}" for label in code.labels}
        for pattern in code.patterns:
            if found := RANGE.fullmatch(pattern):
                ranges.append((int(found[1]), int(found[2] or found[1])))
            else:
                keys.add(f"code {pattern!r}")
        for key in keys:
            if seen.setdefault(key, code) is not code:
                raise InputError("SL-576", f"{where} has {key} in two codes.", "Leave it in one.")
    for (low, high), (other, end) in pairwise(sorted(ranges)):
        if other <= high or low > high:
            raise InputError("SL-576", f"{where} has codes {low}-{high} and {other}-{end}.", "They must not overlap.")
