"""What the data and the software of a study are, in a few characters."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd

from survlspin import __version__

__all__ = ["fingerprint", "versions"]

WIDE = {"b": "u1", "i": "<i8", "u": "<u8", "f": "<f8", "c": "<c16"}
DECIDING = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "scikit-survival",
    "lifelines",
    "pycox",
    "torchtuples",
    "optuna",
)


def versions() -> dict[str, str]:
    """Return the versions of what decides numbers: Python, this package, and those it computes with if installed."""
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "survlspin": __version__}
    for name in DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fingerprint(X: Any, y: Any, labels: Any, groups: Any = None) -> str:
    """Return a SHA-256 of data: values, names and order of columns and rows, and what kind of values they are.

    Numbers count by their value, not their width; categories by their levels, in order, and who has which. Reading the
    same file again, in any process, gives the same one.

    Parameters
    ----------
    X : DataFrame or array (n, p)
    y : structured array, DataFrame or array (n,)
    labels : array (n,)
        What the rows are called.
    groups : array (n,), optional
        What the patients are called.

    Returns
    -------
    str
        64 characters.
    """
    total = hashlib.sha256()
    for part in (X, y, pd.Index(labels).to_frame(index=False), None if groups is None else np.asarray(groups)):
        frame = pd.DataFrame() if part is None else pd.DataFrame(part)
        total.update(_header(frame.shape))
        for i, name in enumerate(frame.columns):
            for piece in _pieces(name, frame.iloc[:, i]):
                total.update(piece)
    return total.hexdigest()


def _pieces(name: Any, column: pd.Series) -> Iterator[Any]:
    """Yield a column as bytes: what it is, who has no value, and the values."""
    missing = column.isna().to_numpy()
    if isinstance(column.dtype, pd.CategoricalDtype):
        kind, values = "category", column.cat.codes.to_numpy().astype("<i8")
        levels = [column.cat.ordered, *map(_said, column.cat.categories)]
    elif column.dtype.kind in WIDE:
        kind, levels = column.dtype.kind, []
        values = column.to_numpy(dtype=WIDE[kind], na_value=0) if missing.any() else column.to_numpy(dtype=WIDE[kind])
    else:
        codes, found = pd.factorize(column)
        kind, values, levels = "text", codes.astype("<i8"), [_said(level) for level in found]
    yield _header([_said(name), kind, bool(missing.any()), levels])
    if missing.any():
        yield np.packbits(missing)
    yield np.ascontiguousarray(values)


def _said(value: Any) -> str:
    """Return a label with its type: the text 1 is not the number 1."""
    return f"{type(value).__name__} {value}"


def _header(content: Any) -> bytes:
    return json.dumps(content).encode("ascii") + b"\n"
