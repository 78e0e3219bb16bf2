"""A user's table from CSV, Parquet or Feather: numbers stay numbers, ids stay text, and what looks wrong is refused."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from survlspin._messages import listed
from survlspin.errors import InputError

__all__ = ["read_table"]

PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".ftr")
OTHERS = (".xlsx", ".xls", ".ods", ".sas7bdat", ".xpt", ".dta", ".sav", ".rds", ".rdata", ".json", ".zip")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
LEADING_ZERO = r"^[+-]?0[0-9]"
FLAG = r"(?i)^(true|false)$"
DECIMAL_COMMA = r"^[+-]?[0-9]*(,[0-9]+)?$"
ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"


def read_table(
    path: str | Path,
    *,
    sep: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    text: Iterable[str] = (),
    numbers: Iterable[str] = (),
) -> pd.DataFrame:
    """Read a CSV (also ``.gz``), Parquet or Feather file.

    In a CSV a column holds numbers when every cell that is not empty is one, flags when every cell is true or false,
    and text otherwise. Only empty cells are missing: ``NA`` and ``None`` are text.

    Parameters
    ----------
    path : str or Path
    sep, decimal, encoding : str
        Of a CSV.
    text : iterable of str
        Columns that are text whatever they hold: ``007`` stays ``007``.
    numbers : iterable of str
        Columns whose numbers may have leading zeros.

    Returns
    -------
    DataFrame
        Its index counts the rows from 0.

    Raises
    ------
    InputError
        SL-501 the file cannot be opened; SL-502 it is of a kind that is not read, or damaged; SL-503 bytes that the
        encoding does not have; SL-504 no usable header; SL-505 a row with too many or too few cells; SL-506 no rows;
        SL-507 another separator; SL-508 decimal commas; SL-509 leading zeros: codes or numbers?
    """
    path, text, numbers = Path(path), set(text), set(numbers)
    if path.suffix.lower() in OTHERS:
        raise InputError("SL-502", f"{path.name} is a {path.suffix} file.", "Save it as CSV (UTF-8) or Parquet.")
    raw = _bytes(path)
    if path.suffix.lower() in PARQUET + FEATHER:
        table = _columnar(path, raw)
    else:
        cells = _cells(path, _decoded(path, raw, encoding), sep)
        table = _typed(cells, decimal, text, numbers).to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    if table.empty:
        raise InputError("SL-506", f"{path.name} has {table.shape[1]} columns and no rows.", "Give one that has some.")
    for name in text & set(table.columns):
        table[name] = table[name].astype(object).where(table[name].isna(), table[name].astype(str))
    return table


def _bytes(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError("SL-502", f"{path.name} is no whole gzip file: {error}.", "Fetch or pack it again.") from error
    except OSError as error:
        raise InputError("SL-501", f"{path} cannot be opened: {error.strerror}.", "Check the path.") from error


def _columnar(path: Path, raw: bytes) -> pd.DataFrame:
    form, read = ("Parquet", pa.parquet) if path.suffix.lower() in PARQUET else ("Feather", pa.feather)
    try:
        table = read.read_table(pa.BufferReader(raw)).to_pandas()
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise InputError("SL-502", f"{path.name} is no whole {form} file.", "Write it again.") from error
    return table.reset_index(drop=all(name is None for name in table.index.names))


def _decoded(path: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode("utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as error:
        found = f"{path.name} is not {encoding}: byte {error.start} (counted from 0) cannot be read."
        raise InputError("SL-503", found, "Say what it is: --encoding latin-1, cp1252, utf-16, ...") from error
    except LookupError as error:
        raise InputError("SL-513", f"encoding {encoding!r} is unknown.", "Try utf-8, latin-1 or cp1252.") from error


def _cells(path: Path, content: str, sep: str) -> pa.Table:
    """Return every cell as text, empty ones as missing."""
    names = _header(path, content, sep)
    if content.count('"') % 2:
        _refuse_ragged(path, content, sep, len(names))
    try:
        return pa.csv.read_csv(
            pa.BufferReader(content.encode()),
            parse_options=pa.csv.ParseOptions(delimiter=sep, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        _refuse_ragged(path, content, sep, len(names))
        raise InputError("SL-502", f"{path.name} cannot be read as CSV.", "Check quotes and line ends.") from error


def _header(path: Path, content: str, sep: str) -> list[str]:
    names = next((row for row in _rows(content, sep) if row), [])
    if not any(name.strip() for name in names):
        raise InputError("SL-504", f"{path.name} has no header.", "Its first line must name the columns.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError("SL-504", f"the header has {listed(map(repr, repeated))} more than once.", "Rename them.")
    if len(names) == 1 and (found := [other for other in SEPARATORS if other != sep and other in names[0]]):
        remedy = f"Say so: --sep {'tab' if found[0] == chr(9) else repr(found[0])}."
        raise InputError("SL-507", f"columns seem to be separated by {SEPARATORS[found[0]]}.", remedy)
    return names


def _rows(content: str, sep: str) -> "csv._reader":
    return csv.reader(io.StringIO(content, newline=""), delimiter=sep, strict=True)


def _refuse_ragged(path: Path, content: str, sep: str, width: int) -> None:
    """Name the line where the number of cells is not the header's, or where a quote stays open."""
    rows, start = _rows(content, sep), 1
    try:
        for row in rows:
            if row and len(row) != width:
                found = f"line {start} of {path.name} has {len(row)} cells, the header {width}."
                raise InputError("SL-505", found, "Mend the line; text with separators needs quotes.")
            start = rows.line_num + 1
    except csv.Error as error:
        found = f"line {start} of {path.name} starts a row with a quote that does not close."
        raise InputError("SL-505", found, "Mend the line.") from error


def _typed(cells: pa.Table, decimal: str, text: set[str], numbers: set[str]) -> pa.Table:
    """Make numbers, flags and dates of the columns that hold nothing else."""
    typed, commas, zeros = {}, [], []
    for name in cells.column_names:
        column = cells[name]
        if name not in text:
            plain = pc.utf8_trim_whitespace(column)
            if _all(plain, DECIMAL_COMMA) and _any(plain, ","):
                commas.append(name)
                plain = pc.replace_substring(plain, ",", ".")
            cast = _cast(plain)
            if cast is not None:
                column = cast
                if name not in numbers and _any(plain, LEADING_ZERO):  # no flag and no date has one
                    zeros.append(name)
        typed[name] = column
    if commas and decimal != ",":
        remedy = "Say --decimal ',' if so; commas between thousands must go."
        raise InputError("SL-508", f"{listed(map(repr, commas))}: are these decimal commas?", remedy)
    if zeros:
        found = f"{listed(map(repr, zeros))}: numbers with leading zeros, or codes?"
        raise InputError("SL-509", found, "Say it for each: --number, --category or, of labels, --id COLUMN.")
    return pa.table(typed)


def _all(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())


def _any(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _cast(plain: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the cells as numbers, flags or dates; None where they are none of these."""
    for kind, pattern in ((pa.int64(), ".*"), (pa.float64(), ".*"), (pa.bool_(), FLAG), (pa.timestamp("s"), ISO_DATE)):
        try:
            if pattern == ".*" or _all(plain, pattern):
                return (pc.utf8_lower(plain) if pattern == FLAG else plain).cast(kind)
        except pa.ArrowInvalid:
            continue
    return None
