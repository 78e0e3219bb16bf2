"""Levels of a group as a recipe lists them: ``"8500"`` is a level, ``"8522-8524"`` a range of whole numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from survlspin.errors import InputError

__all__ = ["check_once", "span_of", "within"]

Span = tuple[int, int]


def span_of(text: str) -> Span | None:
    """Return the two ends of ``"8522-8524"``; None if it is none."""
    found = re.fullmatch(r"(\d+)-(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def within(text: str, span: Span) -> bool:
    """Whether `text` is a whole number within both ends."""
    return text.isdigit() and span[0] <= int(text) <= span[1]


def check_once(texts: Iterable[str], where: str) -> None:
    """Refuse levels that stand twice, also within a range, and ranges that end before they begin (SL-585)."""
    before: list[str] = []
    for text in texts:
        span = span_of(text)
        if span and span[0] > span[1]:
            raise InputError("SL-585", f"{where}: the range {text!r} is empty.", "Write the lower end first.")
        if again := next((one for one in before if _overlap(one, text)), None):
            found = f"{where}: {text!r} {'is listed twice' if again == text else f'overlaps with {again!r}'}."
            raise InputError("SL-585", found, "Each level belongs to one group, once.")
        before.append(text)


def _overlap(one: str, other: str) -> bool:
    """Whether both mean the same level; of two levels, only if they are one: ``"1"`` is not ``"01"``."""
    first, second = span_of(one), span_of(other)
    if first and second:
        return max(first[0], second[0]) <= min(first[1], second[1])
    if first or second:
        return within(other, first) if first else within(one, second)
    return one == other
