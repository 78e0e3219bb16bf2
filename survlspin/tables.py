"""Tables of patients on disk: streamed, whole or not at all, and safe to open in a spreadsheet.

A spreadsheet runs a cell that starts with ``= + - @`` (or a tab or line break) as a formula. In a CSV written here such
a *text* cell gets a leading apostrophe; numbers, and text that is a plain number such as ``-1.5``, stay as they are.
:func:`read_csv` takes the apostrophes away again, so that every cell comes back as it was. Parquet needs none of this.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from survlspin import _files
from survlspin.errors import InputError

__all__ = ["COLUMNS", "escaped", "read_csv", "replacing", "write_counts", "write_csv", "write_parquet"]

COLUMNS = {
    **dict.fromkeys(("patient", "factor", "role", "value", "unit", "reference", "set_key", "column"), pa.string()),
    **dict.fromkeys(("gate", "log_hr", "hr", "log_risk", "baseline", "residual", "share", "cumulative"), pa.float64()),
    **dict.fromkeys(("low", "high", "per", "coef", "hr_low", "hr_high", "p"), pa.float64()),
    **dict.fromkeys(("agree", "of", "rank", "n_factors", "n"), pa.int64()),
    **dict.fromkeys(("open", "leaks"), pa.bool_()),
}
"""The type of every column that the tables of this package have; a :data:`RISK` is float64."""

RISK = re.compile(r"risk_[0-9.e+-]+(_low|_high)?")
"""The columns of risks at horizons: ``risk_60``, ``risk_60_low``, ``risk_60_high``."""

_FORMULA = r"[=+\-@\t\r\n＝＋－＠]"  # the starts that a spreadsheet may run
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def write_csv(frames: Iterable[pd.DataFrame], path: str | Path, columns: Iterable[str]) -> None:
    """Write frames one below the other as one CSV file (UTF-8, ``\\n``), formula cells escaped.

    Parameters
    ----------
    frames : iterable of DataFrame
        Taken one at a time, so that the whole table is never held.
    path : str or Path
        The file; an old one is replaced only when the new one is complete. Readable by its owner alone.
    columns : iterable of str
        Names among :data:`COLUMNS`, in the order of the file.

    Raises
    ------
    InputError
        SL-521 no such folder, SL-522 the path is a folder, SL-523 the file cannot be written.
    """
    _write(frames, path, columns, pyarrow.csv.CSVWriter, _escape)


def write_parquet(frames: Iterable[pd.DataFrame], path: str | Path, columns: Iterable[str]) -> None:
    """Write frames one below the other as one Parquet file; parameters and errors as in :func:`write_csv`."""
    _write(frames, path, columns, pq.ParquetWriter, lambda text: text)


def write_counts(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table of numbers as CSV, a row per patient: their labels, escaped, in a column ``patient``.

    Parameters
    ----------
    table : DataFrame
        Indexed by the labels; its columns may have any names.
    path : str or Path
        As in :func:`write_csv`, with its errors.
    """
    labels = _escape(pa.chunked_array([pa.array(table.index.astype(str), pa.string())]))
    counts = (pa.chunked_array([table.iloc[:, j].to_numpy()]) for j in range(table.shape[1]))
    names = ["patient", *map(str, table.columns)]
    with replacing(Path(path)) as name:
        pyarrow.csv.write_csv(pa.Table.from_arrays([labels, *counts], names=names), name)


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV that this package wrote, every cell as it was before the file.

    Text stays text (``007``, ``NA``), an empty text cell is ``""``, an empty number is missing. A first line that
    begins with ``#`` is a comment.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        SL-524 the file cannot be read, SL-525 it is not one of this package's tables.
    """
    try:
        with open(path, "rb") as file:
            banner = file.read(1) == b"#"
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(skip_rows=int(banner)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=COLUMNS, null_values=[""]),
        )
        table = table.cast(pa.schema([(field.name, _type(field.name) or field.type) for field in table.schema]))
    except OSError as error:
        raise InputError("SL-524", f"{path} cannot be read: {error}.", "Check the path.") from error
    except pa.ArrowInvalid as error:
        raise InputError("SL-525", f"{path} is not a table of this package.", "Give a file it wrote.") from error
    unknown = {name for name in table.column_names if _type(name) is None}
    if unknown:
        raise InputError("SL-525", f"{path} has unknown columns: {sorted(unknown)}.", "Give a file this package wrote.")
    return _map_text(table, _unescape).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)


def escaped(cells: pd.Series) -> pd.Series:
    """Return cells with those texts escaped that a spreadsheet would run as a formula; all others as they are."""
    text = cells.map(lambda cell: cell if isinstance(cell, str) else None)
    safe = _escape(pa.chunked_array([pa.array(text, pa.string())])).to_pandas().set_axis(cells.index)
    return cells.where(text.isna(), safe)


def _type(name: str) -> pa.DataType | None:
    return pa.float64() if RISK.fullmatch(name) else COLUMNS.get(name)


def _escape(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put ``'`` before formulas, and before text that would otherwise look escaped."""
    formula = pc.match_substring_regex(text, "^'*" + _FORMULA)
    if not pc.any(formula).as_py():
        return text
    run = pc.and_not(formula, pc.match_substring_regex(text, _NUMBER))
    return pc.if_else(run, pc.binary_join_element_wise("'", text, ""), text)


def _unescape(text: pa.ChunkedArray) -> pa.ChunkedArray:
    escaped = pc.match_substring_regex(text, "^'+" + _FORMULA)
    return pc.if_else(escaped, pc.utf8_slice_codeunits(text, 1), text)


def _map_text(table: pa.Table, change: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    """The table with `change` made to each of its text columns."""
    changed = [change(column) if column.type == pa.string() else column for column in table.columns]
    return pa.table(changed, schema=table.schema)


def _write(frames, path, columns, open_writer, change) -> None:
    schema = pa.schema([(name, _type(name)) for name in columns])
    with replacing(Path(path)) as name, open_writer(name, schema) as writer:
        for frame in frames:
            writer.write_table(_map_text(pa.Table.from_pandas(frame, schema, preserve_index=False), change))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its name once all went well and leaves nothing behind otherwise."""
    if not path.parent.is_dir():
        raise InputError("SL-521", f"There is no folder {path.parent}.", "Make it first.")
    if path.is_dir():
        raise InputError("SL-522", f"{path} is a folder.", "Give the name of a file.")
    try:
        with _files.replacing(path) as new:
            yield new
    except OSError as error:
        raise InputError("SL-523", f"{path} cannot be written: {error}.", "Nothing was changed.") from error
