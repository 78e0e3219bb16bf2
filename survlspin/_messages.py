"""Phrases that several error messages share."""

import difflib
from collections.abc import Iterable

import numpy as np

__all__ = ["listed", "nearest", "persons", "rows"]


def rows(bad: np.ndarray) -> str:
    """``"3 rows, first at position 17"`` (positions count from 0): the only thing a message says of patients."""
    n = int(np.count_nonzero(bad))
    return f"{n} row{'' if n == 1 else 's'}, first at position {int(np.argmax(bad))}"


def persons(n: int) -> str:
    """``"1 patient"``, ``"2,000 patients"``."""
    return f"{n:,} patient{'' if n == 1 else 's'}"


def listed(values: Iterable, most: int = 10) -> str:
    """``"a, b, c"``, cut after `most`."""
    texts = [str(value) for value in values]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def nearest(name: str, names: Iterable) -> str:
    """``" (did you mean 'age'?)"``, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, [str(known) for known in names], n=2)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
