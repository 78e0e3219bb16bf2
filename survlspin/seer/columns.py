"""Columns of text, gathered block by block as codes of their distinct cells."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

__all__ = ["Column"]

THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
MISSING = "."


class Column:
    """The cells of one column: codes of distinct texts, in which each byte of the file is one character."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._codes: list[np.ndarray] = []

    def add(self, codes: np.ndarray, texts: np.ndarray) -> None:
        """Add a block.

        Parameters
        ----------
        codes : array (n,) of int
            Into `texts`.
        texts : array of str
            The block's distinct cells.
        """
        known = self._known
        mine = [known.setdefault(text, len(known)) for text in texts]
        kind = np.int16 if len(known) < 2**15 else np.int32
        self._codes.append(np.array(mine, dtype=kind)[codes])

    def series(self, keep: np.ndarray | None, encoding: str, thousands: bool) -> pd.Series:
        """Return the column: categories, or text where more than half of the cells differ.

        Parameters
        ----------
        keep : array (n,) of bool, optional
            The rows that stay.
        encoding : str
            Of the file.
        thousands : bool
            Is ``1,234`` the number 1234?
        """
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, dtype=np.int16)
        texts = list(self._known)
        if keep is not None:
            codes = codes[keep]
            present = np.unique(codes)
            texts, codes = [texts[code] for code in present], np.searchsorted(present, codes)
        cells = [_clean(text, encoding, thousands) for text in texts]
        levels = sorted(set(cells))
        place = {level: i for i, level in enumerate(levels)}
        codes = np.array([place[cell] for cell in cells], dtype=np.int32)[codes]
        if 2 * len(levels) > len(codes):
            return pd.Series(np.array(levels, dtype=object)[codes], dtype=object)
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(levels, dtype=object)))


def _clean(text: str, encoding: str, thousands: bool) -> str:
    """Return a cell decoded, without indentation; empty where it is missing."""
    if not text.isascii():
        text = text.encode("latin-1").decode(encoding)
    text = text.strip()
    if text == MISSING:
        return ""
    return text.replace(",", "") if thousands and THOUSANDS.fullmatch(text) else text
