"""Fitted values as JSON beside arrays, and back: only the kinds named here, so that reading them runs no code.

Numbers, flags, text and None are themselves in JSON, and lists are lists. Anything else is an object of one item: its
kind, and what it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from . import heads
from ._columns import Variable
from ._usual import Usual
from .design import Design
from .errors import InputError
from .heads import Head
from .heads.baseline import Baseline
from .nets import Net
from .train import History

__all__ = ["StoredNet", "decode", "encode"]

RECORDS = {cls.__name__: cls for cls in (Baseline, History, Usual, Variable)}
DESIGN = ("variables", "groups", "dropped", "notes", "n_features_in_", "feature_names_in_")
PLAIN = (bool, int, str, type(None))
NUMBERS = "biuf"  # kinds of arrays that are kept as arrays
OTHERS = "mMUSO"  # of these as whole numbers, or item by item


@dataclass(frozen=True, eq=False)
class StoredNet:
    """What is kept of a net: its head, and the state of its models by name."""

    head: Head
    state: dict[str, Tensor]


def encode(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return `value` as JSON; put what is kept as arrays into `arrays`, under names that begin with `name`.

    Raises
    ------
    InputError
        SL-545 where `value`, or something in it, is of a kind that cannot be kept.
    """
    if type(value) in PLAIN:
        return value
    if type(value) is float and math.isfinite(value):
        return value

    def inner(part: Any, key: object) -> Any:
        return encode(part, f"{name}.{key}", arrays)

    if type(value) is list:
        return [inner(part, i) for i, part in enumerate(value)]
    if type(value) is np.ndarray and value.dtype.kind in NUMBERS and value.dtype.itemsize <= 8:
        arrays[name] = np.ascontiguousarray(value, value.dtype.newbyteorder("=")).reshape(value.shape)
        return {"array": name}
    write = WRITERS.get(type(value)) or next((w for cls, w in WRITERS_OF_KINDS.items() if isinstance(value, cls)), None)
    made = None if write is None else write(value, inner)
    if made is None:
        found = f"{name} is or holds a {type(value).__name__}, of which nothing but a pickle can be made."
        raise InputError("SL-545", found, "Keep it with joblib.dump, and load that only where you trust the file.")
    return made


def decode(stored: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the value that `encode` made `stored` of; a net as a `StoredNet`."""
    if type(stored) is list:
        return [decode(part, arrays) for part in stored]
    if type(stored) is not dict:
        return stored
    [(kind, parts)] = stored.items()
    if kind == "array":
        return arrays[parts].copy()  # writable, and where memory is aligned
    return READERS[kind](*(decode(part, arrays) for part in parts))


Inner = Callable[[Any, object], Any]


def _dict(value: dict, inner: Inner) -> dict:
    pairs = enumerate(value.items())
    return {"dict": [[inner(key, f"{i}.key"), inner(part, i)] for i, (key, part) in pairs]}


def _array(value: np.ndarray, inner: Inner) -> dict | None:
    kind, dtype = value.dtype.kind, value.dtype.str
    if kind not in OTHERS:
        return None
    if kind in "mM":
        return {"array of": [dtype, inner(list(value.shape), "shape"), inner(value.view(np.int64), "items")]}
    return {"array of": [dtype, list(value.shape), [inner(item, i) for i, item in enumerate(value.ravel().tolist())]]}


def _array_of(dtype: str, shape: list[int], items: list | np.ndarray) -> np.ndarray:
    if np.dtype(dtype).kind in "mM":
        return np.asarray(items).view(dtype).reshape(shape)
    flat = np.empty(len(items), dtype)
    for i, item in enumerate(items):
        flat[i] = item
    return flat.reshape(shape)


def _scalar(value: np.generic, inner: Inner) -> dict | None:
    whole = _array(np.array([value]), inner) if value.dtype.kind in OTHERS else None
    if whole is not None:
        return {"scalar of": whole["array of"]}
    if value.dtype.kind not in NUMBERS or value.dtype.itemsize > 8:
        return None
    return {"scalar": [value.dtype.str, inner(value.item(), "item")]}


def _index(value: pd.Index, inner: Inner) -> dict | None:
    if isinstance(value, pd.MultiIndex):
        return None
    items = value.to_numpy() if isinstance(value.dtype, np.dtype) else value.tolist()
    return {"index": [inner(items, "items"), inner(value.name, "name")]}


def _index_of(items: np.ndarray | list, name: Any) -> pd.Index:
    dtype = items.dtype if isinstance(items, np.ndarray) else None
    return pd.Index(items, dtype=dtype, name=name, tupleize_cols=False)


def _series(value: pd.Series, inner: Inner) -> dict | None:
    if not isinstance(value.dtype, np.dtype):
        return None
    return {"series": [inner(value.to_numpy(), "values"), inner(value.index, "index"), inner(value.name, "name")]}


def _frame(value: pd.DataFrame, inner: Inner) -> dict | None:
    columns = [value.iloc[:, i] for i in range(value.shape[1])]
    if not all(isinstance(column.dtype, np.dtype) for column in columns):
        return None
    cells = [inner(column.to_numpy(), i) for i, column in enumerate(columns)]
    return {"frame": [cells, inner(value.columns, "columns"), inner(value.index, "index")]}


def _frame_of(cells: list[np.ndarray], columns: pd.Index, index: pd.Index) -> pd.DataFrame:
    frame = pd.DataFrame(dict(enumerate(cells)), index=index)
    frame.columns = columns
    return frame


def _timestamp(value: pd.Timestamp, inner: Inner) -> dict | None:
    return None if value.tz is not None else {"timestamp": [inner(value.to_datetime64(), "value")]}


def _record(value: Any, inner: Inner) -> dict:
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    return {"record": [type(value).__name__, inner(parts, "of")]}


def _design(value: Design, inner: Inner) -> dict:
    return {"design": [inner(getattr(value, name), name) for name in DESIGN]}


def _head(value: Head, inner: Inner) -> dict | None:
    """Keep a head by its name and what it is made with: its attributes of the same names."""
    name = type(value).__name__
    if getattr(heads, name, None) is not type(value):
        return None
    options = {option: getattr(value, option) for option in signature(type(value)).parameters}
    return {"head": [name, inner(options, "of")]}


def _head_of(name: str, options: dict[str, Any]) -> Head:
    cls = getattr(heads, name) if name in heads.__all__ else Head
    if not (isinstance(cls, type) and issubclass(cls, Head)):
        raise ValueError(f"{name} is no head.")
    return cls(**options)


def _net(value: Net, inner: Inner) -> dict:
    state = {name: tensor.detach().cpu().numpy() for name, tensor in value.state_dict().items()}
    kept = {name: inner(array, name) for name, array in state.items()}
    return {"net": [inner(value.head, "head"), {"dict": [[name, array] for name, array in kept.items()]}]}


def _net_of(head: Head, state: dict[str, np.ndarray]) -> StoredNet:
    return StoredNet(head, {name: torch.from_numpy(array) for name, array in state.items()})


def _generator_of(state: tuple) -> np.random.RandomState:
    generator = np.random.RandomState()
    generator.set_state(state)
    return generator


WRITERS: dict[type, Callable[[Any, Inner], dict | None]] = {
    float: lambda value, inner: {"float": [str(value)]},
    tuple: lambda value, inner: {"tuple": [inner(list(value), "of")]},
    dict: _dict,
    np.ndarray: _array,
    pd.RangeIndex: lambda value, inner: {"range": [value.start, value.stop, value.step, inner(value.name, "name")]},
    pd.Series: _series,
    pd.DataFrame: _frame,
    pd.Timestamp: _timestamp,
    pd.Interval: lambda value, inner: {"interval": [inner(value.left, 0), inner(value.right, 1), value.closed]},
    pd.Period: lambda value, inner: {"period": [value.ordinal, value.freqstr]},
    bytes: lambda value, inner: {"bytes": [value.hex()]},
    date: lambda value, inner: {"date": [value.isoformat()]},
    Decimal: lambda value, inner: {"decimal": [str(value)]},
    np.random.RandomState: lambda value, inner: {"generator": [inner(value.get_state(), "state")]},
    torch.device: lambda value, inner: {"device": [str(value)]},
    Design: _design,
    **dict.fromkeys(RECORDS.values(), _record),
}
WRITERS_OF_KINDS: dict[type, Callable[[Any, Inner], dict | None]] = {
    np.generic: _scalar,
    pd.Index: _index,
    Head: _head,
    Net: _net,
}
READERS: dict[str, Callable[..., Any]] = {
    "float": float,
    "tuple": tuple,
    "dict": lambda *pairs: dict(pairs),
    "array of": _array_of,
    "scalar": lambda dtype, item: np.dtype(dtype).type(item),
    "scalar of": lambda dtype, shape, items: _array_of(dtype, shape, items)[0],
    "index": _index_of,
    "range": lambda start, stop, step, name: pd.RangeIndex(start, stop, step, name=name),
    "series": lambda values, index, name: pd.Series(values, index, name=name),
    "frame": _frame_of,
    "timestamp": pd.Timestamp,
    "interval": pd.Interval,
    "period": lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    "bytes": bytes.fromhex,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "generator": _generator_of,
    "device": torch.device,
    "design": Design,
    "record": lambda name, parts: RECORDS[name](**parts),
    "head": _head_of,
    "net": _net_of,
}
