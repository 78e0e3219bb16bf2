"""Columns of text, gathered block by block as codes of their distinct cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Cells", "Column"]

THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")


@dataclass(frozen=True)
class Cells:
    """What the cells of a file mean as text.

    Parameters
    ----------
    missing : frozenset of str
        Cells in which nothing is written.
    thousands : bool
        Is ``1,234`` the number 1234?
    """

    missing: frozenset[str] = frozenset({"."})
    thousands: bool = True

    def clean(self, text: str, encoding: str) -> str:
        """Return a cell (a character per byte) decoded, without indentation; empty where it is missing."""
        if not text.isascii():
            text = text.encode("latin-1").decode(encoding)
        text = text.strip()
        if text in self.missing:
            return ""
        return text.replace(",", "") if self.thousands and THOUSANDS.fullmatch(text) else text


class Column:
    """The cells of one column: codes of distinct texts, in which each byte of the file is one character."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._codes: list[np.ndarray] = []

    def add(self, codes: np.ndarray, texts: Sequence[str]) -> None:
        """Add a block: codes (n,) into its distinct cells."""
        known = self._known
        mine = [known.setdefault(text, len(known)) for text in texts]
        kind = np.int16 if len(known) < 2**15 else np.int32
        self._codes.append(np.array(mine, dtype=kind)[codes])

    def series(self, cells: Cells, encoding: str, keep: np.ndarray | None = None) -> pd.Series:
        """Return the column: categories in alphabetical order, or text where more than half of the cells differ.

        Parameters
        ----------
        cells : Cells
        encoding : str
        keep : array (n,) of bool, optional
            The rows that stay.
        """
        codes, texts = np.concatenate(self._codes), list(self._known)
        if keep is not None:
            codes = codes[keep]
            present = np.unique(codes)
            texts, codes = [texts[code] for code in present], np.searchsorted(present, codes)
        clean = [cells.clean(text, encoding) for text in texts]
        levels = sorted(set(clean))
        place = {level: i for i, level in enumerate(levels)}
        codes = np.array([place[cell] for cell in clean], dtype=np.int32)[codes]
        if 2 * len(levels) > len(codes):
            return pd.Series(np.array(levels, dtype=object)[codes], dtype=object)
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(levels, dtype=object)))
