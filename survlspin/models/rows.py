"""Patients' rows as a net takes them, and the batches they come in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .._columns import Variable, each
from .._pycox import tt
from ..design import _table
from ..errors import InputError
from ..outcome import Outcome


def columns(input, p: int, dtype: torch.dtype):
    """Return rows (n, p) of numbers: a tensor of a tensor, a fresh array of anything else; loaders stay as they are.

    Raises
    ------
    InputError, InputTypeError
        SL-203 to SL-211 for what is no table of numbers without gaps, SL-218 for another number of columns.
    """
    x = input[0] if isinstance(input, tuple) and len(input) == 1 else input
    if tt.utils.is_dl(x):
        return x
    table = x if isinstance(x, Tensor) and x.dim() == 2 else _table(x)[0]
    if table.shape[1] != p:
        raise InputError("SL-218", f"the input has {table.shape[1]} columns; the net was built for {p}.")
    if isinstance(table, Tensor):
        return table.to(dtype)  # it may carry a gradient
    out = np.empty((p, len(table)))
    row = dict(zip(table.columns, out[:, None], strict=True))
    each(table.items(), lambda name, cells: Variable(name, (name,), None).write(cells, row[name]))
    return torch.from_numpy(out.T).to(dtype, memory_format=torch.contiguous_format).numpy()


def plain_outcome(target, n_rows: int | None = None, index: pd.Index | None = None) -> Outcome:
    """Return times and events of any accepted outcome.

    Raises
    ------
    InputError, InputTypeError
        The codes of `Outcome.of`; SL-461 for entry times, weights or strata.
    """
    outcome = Outcome.of(target, n_rows=n_rows, index=index)
    unused = [name for name in ("entry", "weight", "stratum") if getattr(outcome, name) is not None]
    if unused:
        found = f"y has {' and '.join(unused)}, which models in pycox's manner cannot use."
        raise InputError("SL-461", found, "Take the estimator of the same name.")
    return outcome


class Loader:
    """Batches of rows that lie on the device.

    Parameters
    ----------
    data : array, tensor or nested tuple of them
    batch_size : int
        Rows per batch at most; batches are nearly equal, so that no tail is a handful of rows.
    device : torch.device
    generator : torch.Generator, optional
        Draws a new order for each pass; None: the rows' own order.
    """

    def __init__(self, data, batch_size: int, device: torch.device, generator: torch.Generator | None = None):
        self.dataset = tt.data.DatasetTuple(*tt.tuplefy(data).apply(torch.as_tensor).to_device(device))
        self.batches = max(-(-len(self.dataset) // batch_size), 1)
        self.device, self.generator = device, generator

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[tuple]:
        if self.batches == 1:
            yield self.dataset.data
            return
        n = len(self.dataset)
        order = torch.arange(n) if self.generator is None else torch.randperm(n, generator=self.generator)
        for rows in order.tensor_split(self.batches):
            yield self.dataset[rows.to(self.device)]
