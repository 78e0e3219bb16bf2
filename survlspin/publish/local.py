"""Tables of single patients, for the keeper of the data alone, and whether a file is one."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from survlspin.errors import InputError, InputWarning
from survlspin.factors import FactorTable
from survlspin.faithfulness import Card, moved_rows, sampled_card
from survlspin.faithfulness.sampled import EACH
from survlspin.tables import _escape, _map_text, replacing

from .schema import BANNER, Form, form_of, schema

__all__ = ["PREFIX", "export", "private"]

PREFIX = "LOCAL-ONLY-"
TABLES = "factors", "patients"


def export(
    model: Any, X: pd.DataFrame, out: str | Path, horizons: Sequence[float] = (), *, y=None, stratum=None,
    seen: bool | np.ndarray = False,
) -> tuple[list[Path], Card]:  # fmt: skip
    """Write what a fitted model says of each patient: ``factors`` and ``patients``, as CSV and as Parquet.

    The files are for the keeper of the data: their names and heads say so, they are readable by their owner alone, and
    so is the folder. They are written block by block of patients.

    Parameters
    ----------
    model : fitted estimator
        One that has `risk_factors`.
    X : DataFrame (n, variables)
        The patients, who are called as in its index.
    out : str or Path
        The folder; made if need be.
    horizons : sequence of float
        Times by which the probability of the event is written, too.
    y : structured array (n,), optional
        The patients' outcomes, for the card.
    stratum : array (n,), optional
        Each patient's, where the model was fitted with strata.
    seen : bool or bool array (n,)
        Whether the model was made from these patients, or from which: the card is then of the others.

    Returns
    -------
    list of Path, Card
        The files, the schema that they follow and the faithfulness card among them; and the card. Which patients'
        predictions rest on factors that are not listed is written of up to 20,000 patients.

    Warns
    -----
    InputWarning
        SL-680 several rows have one label.

    Raises
    ------
    InputError
        SL-671 the folder is open to others; SL-673 a model that lists no factors; with the codes of
        `survlspin.factors.FactorTable.patients` and `survlspin.tables.write_csv`.
    """
    if not hasattr(model, "risk_factors"):
        found = f"{type(model).__name__} does not choose factors for each patient."
        raise InputError("SL-673", found, "Name a model that does, as CoxLLSPIN.")
    folder = private(Path(out))
    if shared := int(X.index.duplicated().sum()):
        found = f"rows whose label an earlier row has: {shared:,}."
        warnings.warn(InputWarning("SL-680", found, "Their order alone tells them apart."), stacklevel=2)
    table: FactorTable = model.risk_factors(X)
    card = sampled_card(model, X, y, strata=stratum, seen=seen)
    moved = moved_rows(model, X, card)
    if moved is None:
        why = f"more than {EACH:,} rows" if len(X) > EACH else "not known"
        card = replace(card, note=f"{card.note} The column leaks is left empty: {why}.")
    stratum = None if stratum is None else np.asarray(stratum)
    files = _write(table.iter_tables(horizons, moved, stratum), folder)
    beside = {"schema.json": schema(), f"{PREFIX}card.json": {"local": BANNER, **card.to_dict()}}
    for name, content in beside.items():
        with replacing(folder / name) as new:
            new.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [*files, *(folder / name for name in beside)], card


def private(folder: Path) -> Path:
    """Make a folder that its owner alone can enter; refuse one that is there and open to others (SL-671)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            found = f"{folder} is open to others, and these files are of single patients."
            raise InputError("SL-671", found, f"Close it (chmod 700 {folder}), or name a new folder.")
    except OSError as error:
        found = f"cannot write to {folder}: {error.strerror or error}."
        raise InputError("SL-526", found, "Name another folder: --out.") from error
    return folder


def _write(blocks: Iterator[tuple[pd.DataFrame, pd.DataFrame]], folder: Path) -> list[Path]:
    """Write the blocks of both tables one below the other, into all files at once."""
    first = next(blocks)
    forms = [form_of(name, frame) for name, frame in zip(TABLES, first, strict=True)]
    files = [[folder / f"{PREFIX}{name}{suffix}" for suffix in (".csv", ".parquet")] for name in TABLES]
    with ExitStack() as stack:
        writers = [_writers(stack, form, *paths) for form, paths in zip(forms, files, strict=True)]
        for block in chain([first], blocks):
            for frame, form, (csv, parquet) in zip(block, forms, writers, strict=True):
                rows = pa.Table.from_pandas(frame, form.arrow, preserve_index=False)
                parquet.write_table(rows)
                csv.write_table(_map_text(rows, _escape))
    return [path for paths in files for path in paths]


def _writers(stack: ExitStack, form: Form, text: Path, columns: Path) -> tuple[pyarrow.csv.CSVWriter, pq.ParquetWriter]:
    """Return what writes a table as CSV, below a line that says it is local, and as Parquet."""
    text, columns = (stack.enter_context(replacing(path)) for path in (text, columns))
    sink = stack.enter_context(text.open("wb"))
    sink.write(f"# {form.head}\n".encode())
    csv = stack.enter_context(pyarrow.csv.CSVWriter(sink, form.arrow))
    return csv, stack.enter_context(pq.ParquetWriter(columns, form.arrow))
