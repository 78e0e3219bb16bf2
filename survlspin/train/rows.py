"""Rows of models, of unequal number, in one padded matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Rows:
    """The rows of T models.

    Attributes
    ----------
    size : Tensor (T,)
        How many rows each has.
    index : Tensor (T, n)
        Their positions in a data set, padded with 0.
    valid : Tensor (T, n), bool
        Which entries are rows.
    """

    def __init__(self, rows: Sequence[np.ndarray]):
        self.size = torch.tensor([len(r) for r in rows])
        self.index = torch.zeros(len(rows), int(self.size.max()), dtype=torch.long)
        for padded, r in zip(self.index, rows, strict=True):
            padded[: len(r)] = torch.from_numpy(np.asarray(r, dtype=np.int64))
        self.valid = torch.arange(self.index.shape[1]) < self.size[:, None]

    def of(self, models: Tensor, n_models: int) -> Rows:
        """Return the rows of `models` out of `n_models`; rows that all models share stay shared."""
        if len(self.size) == 1:
            return self
        sets = models * len(self.size) // n_models
        return Rows([self.index[i, : self.size[i]].numpy() for i in sets.tolist()])
