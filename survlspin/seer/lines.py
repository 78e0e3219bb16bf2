"""The lines of a delimited or fixed-width file, checked by the million before anything is parsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

__all__ = ["Lines", "blocks", "check_cells", "check_widths"]

FEED, RETURN, QUOTE = 10, 13, 34
FINE, CONTROL, STRAY, COUNT, OPEN, BLANK, HEADER = range(7)


def blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the stream in blocks of whole lines; the last may lack its line end."""
    rest = []
    while chunk := stream.read(size):
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield b"".join((*rest, chunk[:cut]))
            rest = []
        rest.append(chunk[cut:])
    if last := b"".join(rest):
        yield last


@dataclass(frozen=True)
class Lines:
    """The lines of a block, and what is wrong with each.

    Parameters
    ----------
    data : bytes
    start, end : array (n,) of int
        Where each line begins, and where its text ends.
    state : array (n,) of uint8
        FINE, or what is wrong: CONTROL a control character or carriage return, STRAY a quote, COUNT the number of cells
        (or bytes), OPEN no line end, BLANK.
    count : array (n,) of int
        The number of cells (or bytes).
    """

    data: bytes
    start: np.ndarray
    end: np.ndarray
    state: np.ndarray
    count: np.ndarray

    def __len__(self) -> int:
        return len(self.state)

    def fine(self) -> bytes:
        """Return the block without the lines that are wrong."""
        bad = np.flatnonzero(self.state != FINE)
        if not len(bad):
            return self.data
        pieces, view, last = [], memoryview(self.data), 0
        after = np.append(self.start[1:], len(self.data))
        for line in bad:
            pieces.append(view[last : self.start[line]])
            last = after[line]
        return b"".join((*pieces, view[last:]))

    def text(self, line: int) -> bytes:
        return self.data[self.start[line] : self.end[line]]

    def beyond(self) -> np.ndarray:
        """Return the lines, of those that are fine, with bytes beyond ASCII: array of int."""
        if self.data.isascii():
            return np.empty(0, dtype=np.int64)
        beyond = np.flatnonzero(np.frombuffer(self.data, np.uint8) > 127)
        lines = np.unique(np.searchsorted(self.start, beyond, side="right") - 1)
        return lines[self.state[lines] == FINE]


def check_cells(data: bytes, delimiter: bytes, width: int, whole: bool = True) -> Lines:
    """Return the lines of a block of delimited text with what is wrong with each.

    Parameters
    ----------
    data : bytes
        Whole lines; the last may lack its end.
    delimiter : bytes of length 1
    width : int
        The number of cells that a line must have.
    whole : bool
        Is a last line without an end wrong?
    """
    buffer = np.frombuffer(data, np.uint8)
    low = np.flatnonzero(buffer < 32)
    byte = buffer[low]
    start, end = _bounds(buffer, low[byte == FEED])
    mark = ord(delimiter)
    marks = low[byte == mark] if mark < 32 else np.flatnonzero(buffer == mark)
    stray = None
    if QUOTE in data:
        stray, marks = _quotes(buffer, mark, marks, start)
    count = np.diff(np.searchsorted(marks, np.append(start, len(data)))) + 1
    state = np.where(count == width, FINE, COUNT).astype(np.uint8)
    if stray is not None:
        state[stray] = STRAY
    state[_lines_of(start, _strange(buffer, low[byte != mark]))] = CONTROL
    return _ended(data, start, end, state, count, whole)


def check_widths(data: bytes, width: int, whole: bool = True) -> Lines:
    """Return the lines of a block of fixed-width text with what is wrong with each; see `check_cells`."""
    buffer = np.frombuffer(data, np.uint8)
    low = np.flatnonzero(buffer < 32)
    start, end = _bounds(buffer, low[buffer[low] == FEED])
    count = end - start
    state = np.where(count == width, FINE, COUNT).astype(np.uint8)
    state[_lines_of(start, _strange(buffer, low))] = CONTROL
    return _ended(data, start, end, state, count, whole)


def _bounds(buffer: np.ndarray, feeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each line begins, and where its text ends."""
    if not len(feeds) or feeds[-1] != len(buffer) - 1:
        feeds = np.append(feeds, len(buffer))
    start = np.concatenate(([0], feeds[:-1] + 1))
    end = feeds - ((feeds > start) & (feeds < len(buffer)) & (buffer[feeds - 1] == RETURN))
    return start, end


def _strange(buffer: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return where control characters are that belong to no line end."""
    byte = buffer[low]
    ends = byte == FEED
    ends[:-1] |= (byte[:-1] == RETURN) & (byte[1:] == FEED) & (low[1:] - low[:-1] == 1)
    return low[~ends]


def _lines_of(start: np.ndarray, position: np.ndarray) -> np.ndarray:
    return np.searchsorted(start, position, side="right") - 1


def _quotes(buffer: np.ndarray, mark: int, marks: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines (bool) with a quote out of place, and the delimiters outside quotes.

    Quotes open and close a cell; within one they are doubled. No cell goes over a line end.
    """
    quote = buffer == QUOTE
    inside = np.bitwise_xor.accumulate(quote.view(np.uint8))  # (bytes) counted from the block's beginning
    carried = np.where(start > 0, inside[start - 1], 0).astype(np.uint8)  # (lines) by odd lines before
    stray = carried != np.append(carried[1:], inside[-1])
    quotes = np.flatnonzero(quote)
    opens, within = inside[quotes], inside[marks]
    if carried.any():
        opens ^= carried[_lines_of(start, quotes)]
        within ^= carried[_lines_of(start, marks)]
    neighbour = buffer.take(quotes + 1 - 2 * opens.astype(np.int64), mode="clip")  # before one that opens, else after
    allowed = np.zeros(256, dtype=bool)
    allowed[[mark, FEED, RETURN, QUOTE]] = True
    stray[_lines_of(start, quotes[~allowed[neighbour]])] = True
    return stray, marks[within == 0]


def _ended(data: bytes, start: np.ndarray, end: np.ndarray, state: np.ndarray, count: np.ndarray, whole: bool) -> Lines:
    state[start == end] = BLANK
    if whole and not data.endswith(b"\n"):
        state[-1] = OPEN
    return Lines(data, start, end, state, count)
