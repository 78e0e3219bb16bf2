"""The two shapes of a file: cells between delimiters, and fields at fixed bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .engines import Engine
from .layout import Place
from .lines import Lines, check_cells, check_widths

__all__ = ["Delimited", "Fixed", "Shape"]


class Shape(ABC):
    """How the lines of a file are made.

    Parameters
    ----------
    width : int
        What each line must have: cells, or bytes.
    unit : str
        Of that width.
    """

    width: int
    unit: str

    @abstractmethod
    def check(self, data: bytes) -> Lines:
        """Return the lines of a block, and what is wrong with each."""

    @abstractmethod
    def factors(self, data: bytes, wanted: list[int], engine: Engine) -> Iterator[tuple[np.ndarray, Sequence[str]]]:
        """Yield, of each wanted column, codes (n,) and the distinct cells, a character per byte."""


@dataclass(frozen=True)
class Delimited(Shape):
    """Cells between delimiters.

    Parameters
    ----------
    delimiter : str
    width : int
        Cells per line.
    whole : bool
        Is a last line without an end wrong?
    """

    delimiter: str
    width: int
    whole: bool
    unit = "cells"

    def check(self, data: bytes) -> Lines:
        return check_cells(data, self.delimiter.encode(), self.width, self.whole)

    def factors(self, data: bytes, wanted: list[int], engine: Engine) -> Iterator[tuple[np.ndarray, Sequence[str]]]:
        return engine(data, self.delimiter, self.width, wanted)


@dataclass(frozen=True)
class Fixed(Shape):
    """Fields at fixed bytes.

    Parameters
    ----------
    places : tuple of Place
    width : int
        Bytes per line.
    """

    places: tuple[Place, ...]
    width: int
    unit = "bytes"

    def check(self, data: bytes) -> Lines:
        return check_widths(data, self.width)

    def factors(self, data: bytes, wanted: list[int], engine: Engine) -> Iterator[tuple[np.ndarray, Sequence[str]]]:
        text = data.replace(b"\r", b"")
        table = np.frombuffer(text, np.uint8).reshape(-1, self.width + 1)  # (n, bytes and a line end)
        for place in (self.places[i] for i in wanted):
            yield _factor(np.ascontiguousarray(table[:, place.start : place.end]))


def _factor(cells: np.ndarray) -> tuple[np.ndarray, Sequence[str]]:
    """Return codes and distinct cells of a field: array (n, width) of bytes."""
    n, width = cells.shape
    if width > 8:
        codes, texts = pd.factorize(cells.view(f"S{width}").ravel().astype(object))
        return codes, [text.decode("latin-1") for text in texts]
    packed = np.zeros((n, 8), dtype=np.uint8)
    packed[:, :width] = cells
    codes, numbers = pd.factorize(packed.view(np.uint64).ravel())
    return codes, [number.tobytes()[:width].decode("latin-1") for number in numbers]
