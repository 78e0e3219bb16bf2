"""Tables of groups that SEER*Stat exports: survival, rates, counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..errors import InputError
from .describe import describe
from .reader import Source

__all__ = ["read_matrix"]

FLAGS = "*#+^~ "


def read_matrix(path: str | Path, *, dic: str | Path | None = None) -> pd.DataFrame:
    """Read a table of groups.

    Parameters
    ----------
    path : str or Path
    dic : str or Path, optional
        Its ``.dic``; by default the one beside it.

    Returns
    -------
    DataFrame
        Numbers, without the flags that SEER*Stat puts behind them and missing where it puts nothing else; text in
        columns that are not all numbers. ``attrs["formats"]`` has the labels by code that the ``.dic`` gives.

    Raises
    ------
    InputError
        SL-569 it is a listing of patients; SL-570 a line that cannot be read; else as `open_export`.
    """
    path = Path(path)
    about = describe(path, Path(dic) if dic else None, None, None, None)
    if not about.table:
        raise InputError("SL-569", f"{path.name} is a listing of patients, not a table of groups.", "Use read_export.")
    export = Source(path, about).read(max_quarantine=0)
    frame = pd.DataFrame({name: _numbers(column) for name, column in export.table.items()})
    frame.attrs["formats"] = export.formats
    return frame


def _numbers(column: pd.Series) -> pd.Series:
    """Return the column as numbers, or as it is where some cell is none."""
    cells = column.astype(object).str.rstrip(FLAGS)
    numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce")
    return column if (numbers.isna() & (cells != "")).any() else numbers
