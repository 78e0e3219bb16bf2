"""A copy of what was read, faster to read again: Parquet, found by the hashes of all that it was made of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .._files import replacing
from ..errors import InputError
from .describe import Description
from .export import Export, assembled

__all__ = ["cached", "keep", "place"]

VERSION = 1  # of the reader: raise it when the same file would be read differently
META = b"survlspin.seer"
LINE = "line"


def place(folder: str | Path, sha256: str, about: Description, names: list[str]) -> Path:
    """Return where the copy of those columns of a file with that hash is, or would be."""
    facts = about.facts
    said = [VERSION, sha256, about.sha256, names, facts["delimiter"], facts["encoding"], facts["header"], facts["form"]]
    return Path(folder, f"{hashlib.sha256(json.dumps(said).encode()).hexdigest()}.parquet")


def cached(path: Path, about: Description, names: list[str]) -> Export | None:
    """Return the copy, or nothing where there is none, or one that is damaged."""
    try:
        stored = pq.read_table(path)
        meta = json.loads(stored.schema.metadata[META])
        columns = [_column(stored[str(i)]) for i in range(len(names))]
        facts = meta["facts"] | {"file": about.facts["file"]}
        export = assembled(about, names, columns, stored[LINE].to_numpy(), meta["quarantine"], facts)
        return export if _digest(export) == meta["sha256"] else None
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError):
        return None


def keep(path: Path, export: Export) -> None:
    """Write the copy, whole or not at all, for its owner alone.

    Raises
    ------
    InputError
        SL-575 it cannot be written.
    """
    meta = {"facts": export.facts, "quarantine": _bad(export), "sha256": _digest(export)}
    columns = {str(i): pa.array(export.table.iloc[:, i], from_pandas=True) for i in range(export.table.shape[1])}
    table = pa.table({**columns, LINE: export.lines})
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as new:
            pq.write_table(table.replace_schema_metadata({META: json.dumps(meta)}), new, compression="zstd")
    except OSError as error:
        found = f"the cache {path.parent} cannot be written: {error.strerror or error}."
        raise InputError("SL-575", found, "Name another folder, or none.") from error


def _column(stored: pa.ChunkedArray) -> pd.Series:
    """Return a column as it was kept: text, or categories in alphabetical order."""
    column = stored.to_pandas()
    if column.dtype == object:
        return column
    levels = pd.Index(sorted(column.cat.categories), dtype=object)
    return pd.Series(column.cat.set_categories(levels))


def _bad(export: Export) -> list[list]:
    return [[int(line), reason] for line, reason in export.quarantine.itertuples(index=False)]


def _digest(export: Export) -> str:
    """Return the hash of the rows and of what is said of them."""
    facts = {key: value for key, value in export.facts.items() if key != "file"}
    sha256 = hashlib.sha256(json.dumps([list(export.table), _bad(export), facts]).encode())
    sha256.update(np.ascontiguousarray(export.lines))
    for _, column in export.table.items():
        if column.dtype == object:
            sha256.update("\n".join(column).encode())
        else:
            sha256.update(json.dumps(list(column.cat.categories)).encode())
            sha256.update(np.ascontiguousarray(column.cat.codes.to_numpy(np.int32)))
    return sha256.hexdigest()
