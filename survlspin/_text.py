"""Text for a terminal: numbers, columns, lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

__all__ = ["WIDTH", "duration", "in_columns", "interval", "number", "wrapped"]

WIDTH = 100


def number(value: float | None, digits: int = 3, sign: str = "") -> str:
    """Return a rounded number, or a dash for none."""
    return "-" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # no -0.000


def interval(low: float | None, high: float | None, digits: int = 3, sign: str = "") -> str:
    """Return an interval, or a dash for none."""
    return "-" if low is None or high is None else f"{number(low, digits, sign)} to {number(high, digits, sign)}"


def in_columns(rows: list[list[str]], left: tuple[int, ...]) -> str:
    """Return the cells in columns, numbers to the right."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    kinds = ["<" if i in left else ">" for i in range(len(widths))]
    lines = (zip(row, kinds, widths, strict=True) for row in rows)
    return "\n".join("  ".join(f"{cell:{kind}{width}}" for cell, kind, width in line).rstrip() for line in lines)


def wrapped(lines: Iterable[str]) -> str:
    """Return the lines, long ones broken and their continuation indented."""
    indents = ((line, "  " + " " * (len(line) - len(line.lstrip()))) for line in lines)
    return "\n".join(
        textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        for line, indent in indents
    )


def duration(seconds: float) -> str:
    """Return a time in minutes and seconds, or hours and minutes."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60:,} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
