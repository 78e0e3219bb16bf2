"""Whether a file is a table of single patients as the schema has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from survlspin.errors import InputError

from .schema import Field, Form, headed

__all__ = ["check"]

SUMS = 1e-6  # relative, of what one column says of another
TOTAL = 1e-5  # of what a patient's effects and baseline miss of the log-risk
OTHER = {"factors": "patients", "patients": "factors"}


def check(path: str | Path) -> dict[str, Any]:
    """Read a file block by block and compare it with the schema, and with the other table if that is beside it.

    Parameters
    ----------
    path : str or Path
        A CSV or Parquet file of `survlspin.publish.local.export`. If the other one of the same export lies in its
        folder, that is read as well, and each patient's effects and baseline must add up to the log-risk, to 1e-5.

    Returns
    -------
    dict
        ``table``, ``schema`` (its version), ``rows``, and the name of the file ``beside`` it, or None.

    Raises
    ------
    InputError
        SL-501 no such file; SL-667 other columns, or no whole file; SL-668 no banner, or a newer schema; SL-669 cells
        that their column cannot hold; SL-670 cells that contradict each other; SL-672 the two files are of different
        patients; SL-679 effects and baseline miss the log-risk. Rows are positions from 0; no values are shown.
    """
    path = Path(path)
    form, blocks = _checked(path)
    said = {"table": form.table, "schema": form.version}
    beside = path.with_name(path.stem.removesuffix(form.table) + OTHER[form.table] + path.suffix)
    if not path.stem.endswith(form.table) or not beside.exists():
        return {**said, "rows": sum(map(len, blocks)), "beside": None}
    rows = _compare(**{form.table: blocks, OTHER[form.table]: _checked(beside)[1]})
    return {**said, "rows": rows[form.table], "beside": beside.name}


def _checked(path: Path) -> tuple[Form, Iterator[pd.DataFrame]]:
    """Return which table a file is, and its blocks, each of which is checked when it is taken."""
    with _named(path):
        form, blocks = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path)

    def taken() -> Iterator[pd.DataFrame]:
        n = 0
        with _named(path):
            for block in blocks:
                _check_block(block, form, n)
                n += len(block)
                yield block

    return form, taken()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(error.code, f"{path.name}: {error.found}", error.remedy) from None
    except OSError as error:
        raise InputError("SL-501", f"{path} cannot be opened: {error.strerror or 'damaged'}.", "Check it.") from error
    except pa.ArrowInvalid as error:
        raise InputError("SL-667", f"{path.name} is no whole CSV or Parquet file.", "Write it again.") from error


def _compare(factors: Iterator[pd.DataFrame], patients: Iterator[pd.DataFrame]) -> dict[str, int]:
    """Compare each patient with the rows of factors, which are as many as the patient's factors and in this order."""
    labels, effects = np.empty(0, dtype=object), np.empty(0)
    rows = {"factors": 0, "patients": 0}
    for block in patients:
        n = block["n_factors"].to_numpy(int)
        parts = [(labels, effects)]
        while sum(len(part) for part, _ in parts) < n.sum() and (more := next(factors, None)) is not None:
            parts.append((more["patient"].to_numpy(object), _numbers(more["log_hr"])))
        labels, effects = map(np.concatenate, zip(*parts, strict=True))
        row = np.repeat(np.arange(len(block)), n)
        if not np.array_equal(labels[: len(row)], block["patient"].to_numpy(object)[row]):
            raise _of_others()
        total = np.bincount(row, effects[: len(row)], len(block))  # nan where an effect is empty
        wrong = np.abs(_numbers(block["log_risk"]) - _numbers(block["baseline"]) - total) > TOTAL
        if wrong.any():
            found = f"effects and baseline do not add up to log_risk: patients, {_where(wrong, rows['patients'])}."
            raise InputError("SL-679", found, "Write both files again.")
        labels, effects = labels[len(row) :], effects[len(row) :]
        rows["factors"] += len(row)
        rows["patients"] += len(block)
    if len(labels) or next(factors, None) is not None:
        raise _of_others()
    return rows


def _of_others() -> InputError:
    found = "the tables of factors and patients do not list the same patients, with as many factors, in one order."
    return InputError("SL-672", found, "Put the two files of one export side by side.")


def _numbers(cells: pd.Series) -> np.ndarray:
    return cells.to_numpy(np.float64, na_value=np.nan)


def _parquet(path: Path) -> tuple[Form, Iterator[pd.DataFrame]]:
    file = pq.ParquetFile(path)
    said = (file.schema_arrow.metadata or {}).get(b"survlspin_local", b"").decode(errors="replace")
    form = headed(said, file.schema_arrow.names)
    for field, found in zip(form.fields, file.schema_arrow, strict=True):
        if found.type != field.arrow:
            found = f"column {field.name!r} is of type {found.type}, not {field.arrow}."
            raise InputError("SL-669", found, "Write it again.")
    whole = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return form, (block.to_pandas(types_mapper=whole.get) for block in map(_table, file.iter_batches()))


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _csv(path: Path) -> tuple[Form, Iterator[pd.DataFrame]]:
    with path.open("rb") as file:
        head, names = (file.readline().decode(errors="replace").rstrip("\r\n") for _ in range(2))
    form = headed(head.removeprefix("# "), [name.strip('"') for name in names.split(",")])
    return form, _cells(path, form)


def _cells(path: Path, form: Form) -> Iterator[pd.DataFrame]:
    """Every cell as its column's type; what cannot be that is refused."""
    wrong: list[pa.csv.InvalidRow] = []

    def ragged(row: pa.csv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    reader = pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(skip_rows=1, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=ragged),
        convert_options=pa.csv.ConvertOptions(
            column_types={field.name: pa.string() for field in form.fields}, null_values=[""], strings_can_be_null=True
        ),
    )
    n = 0
    for batch in reader:
        if wrong:
            found = (
                f"a row near position {n + batch.num_rows} has {wrong[0].actual_columns} cells, not {len(form.fields)}."
            )
            raise InputError("SL-669", found, "Write the file again.")
        frame = batch.to_pandas()
        yield pd.DataFrame({field.name: _typed(frame[field.name], field, n) for field in form.fields})
        n += len(frame)


def _typed(cells: pd.Series, field: Field, start: int) -> pd.Series:
    """Return text as what the column holds."""
    if field.type == "string":
        return cells
    if field.type == "boolean":
        typed = cells.map({"true": True, "false": False}).astype("boolean")
    else:
        typed = pd.to_numeric(cells, errors="coerce").astype("Float64")
    bad = (typed.isna() & cells.notna()).to_numpy()
    if field.type == "integer" and not bad.any():
        bad = ((typed % 1) != 0).fillna(False).to_numpy(bool)
    _refuse(bad, field, start, f"hold no {field.type}")
    return typed


def _check_block(frame: pd.DataFrame, form: Form, start: int) -> None:
    for field in form.fields:
        cells, limits = frame[field.name], field.constraints
        text = field.type == "string"
        missing = cells.isna() | ((cells == "") if text else False)
        if limits.get("required"):
            _refuse(missing.to_numpy(bool), field, start, "are empty")
        if "enum" in limits:
            _refuse(~cells.isin(limits["enum"]).to_numpy(bool), field, start, f"are none of {limits['enum']}")
        if field.type in ("number", "integer"):
            numbers = _numbers(cells)
            infinite = np.isinf(numbers)
            _refuse(infinite, field, start, "are infinite")
            low, high = limits.get("minimum", -np.inf), limits.get("maximum", np.inf)
            _refuse((numbers < low) | (numbers > high), field, start, f"are outside {low:g} to {high:g}")
    for name, wrong in _contradictions(frame, form):
        if wrong.any():
            raise InputError("SL-670", f"column {name}: {_where(wrong, start)}.", "Write the file again.")


def _refuse(bad: np.ndarray, field: Field, start: int, why: str) -> None:
    if bad.any():
        raise InputError("SL-669", f"column {field.name!r}: {_where(bad, start)}, {why}.", "Write the file again.")


def _where(bad: np.ndarray, start: int) -> str:
    return f"{np.count_nonzero(bad)} of {len(bad)} rows, first at position {start + int(np.argmax(bad))}"


def _contradictions(frame: pd.DataFrame, form: Form) -> Iterator[tuple[str, np.ndarray]]:
    """What one column says of another, and where it is not so."""
    number = {field.name: _numbers(frame[field.name]) for field in form.fields if field.type in ("number", "integer")}
    if form.table == "factors":
        yield "'hr' is not exp(log_hr)", np.abs(np.log(number["hr"]) - number["log_hr"]) > SUMS
        yield "'log_hr' is not between 'low' and 'high'", _outside(number["log_hr"], number["low"], number["high"])
        yield "'agree' is more than 'of'", number["agree"] > number["of"]
    for name in number:
        if name.startswith("risk_") and f"{name}_low" in number:
            yield (
                f"{name!r} is not between its limits",
                _outside(number[name], number[f"{name}_low"], number[f"{name}_high"]),
            )


def _outside(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    slack = SUMS * np.maximum(1, np.abs(value))
    return (value < low - slack) | (value > high + slack)
