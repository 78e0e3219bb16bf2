"""What parses a block of checked, delimited lines: pandas or polars."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError

__all__ = ["ENGINES", "Engine", "engine_named"]

Engine = Callable[[bytes, str, int, list[int]], Iterator[tuple[np.ndarray, Sequence[str]]]]


def engine_named(name: str) -> Engine:
    """Return the engine of that name.

    Raises
    ------
    InputError
        SL-574 there is none, or it is not installed.
    """
    if name not in ENGINES:
        raise InputError("SL-574", f"engine is {name!r}.", f"Choose {' or '.join(map(repr, ENGINES))}.")
    if name == "polars":
        try:
            import polars  # noqa: F401
        except ImportError as error:
            raise InputError("SL-574", "polars is not installed.", "pip install 'survlspin[fast]'") from error
    return ENGINES[name]


def _pandas(data: bytes, delimiter: str, width: int, wanted: list[int]) -> Iterator[tuple[np.ndarray, Sequence[str]]]:
    """Yield, of each wanted column, codes (n,) and the distinct cells."""
    frame = pd.read_csv(
        io.BytesIO(_single(data)),
        sep=delimiter,
        header=None,
        names=range(width),
        index_col=False,
        usecols=wanted,
        dtype=str,
        na_filter=False,
        quoting=0 if b'"' in data else 3,
        skip_blank_lines=False,
        low_memory=False,
        engine="c",
    )
    for name in wanted:
        yield pd.factorize(frame.pop(name).to_numpy())


def _polars(data: bytes, delimiter: str, width: int, wanted: list[int]) -> Iterator[tuple[np.ndarray, Sequence[str]]]:
    """Yield, of each wanted column, codes (n,) and the distinct cells."""
    import polars as pl

    frame = pl.read_csv(
        _single(data).replace(b"\r", b""),
        separator=delimiter,
        has_header=False,
        columns=wanted,
        infer_schema=False,
        quote_char='"' if b'"' in data else None,
    )
    for column in frame.iter_columns():
        cells = column.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        yield cells.indices.to_numpy(), cells.dictionary.to_pylist()


def _single(data: bytes) -> bytes:
    """Return bytes as UTF-8 in which each byte is one character."""
    return data if data.isascii() else data.decode("latin-1").encode()


ENGINES: dict[str, Engine] = {"pandas": _pandas, "polars": _polars}
