"""The rows a search sees, cut out of the data, and their names in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._patients import labels_of
from .._sklearn import take
from ..folds import Fold
from ..splits import label_digest

__all__ = ["Rows", "Sight", "sight_of"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Which rows a search sees.

    Attributes
    ----------
    fold : str
        The fold's name.
    train, validation : int array
        Row positions.
    train_sha256, validation_sha256 : str
        Of the rows' sorted labels, as in the manifest of the split.
    """

    fold: str
    train: np.ndarray
    validation: np.ndarray
    train_sha256: str
    validation_sha256: str

    @property
    def seen(self) -> np.ndarray:
        """The positions of all rows seen, ascending."""
        return np.union1d(self.train, self.validation)


class Sight(NamedTuple):
    """What a search sees: copies of a fold's training and validation rows, and which rows these are."""

    X_train: Any
    y_train: np.ndarray
    X_valid: Any
    y_valid: np.ndarray
    rows: Rows


def sight_of(X: pd.DataFrame | np.ndarray, y: np.ndarray, fold: Fold, labels: Iterable | None = None) -> Sight:
    """Cut a fold's training and validation rows out of the data: what a search is handed, and all it is handed.

    Parameters
    ----------
    X : DataFrame or array (n, p)
    y : structured array (n,)
    fold : Fold
    labels : sequence (n,), optional
        The label of each row; by default the index of X, or the positions.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.arange(4.0)[:, None], np.arange(4)
    >>> seen = sight_of(X, y, Fold("1", np.array([0, 1]), np.array([2]), np.array([3])))
    >>> seen.X_train.ravel().tolist(), seen.y_valid.tolist(), seen.rows.seen.tolist()
    ([0.0, 1.0], [2], [0, 1, 2])
    """
    digest = label_digest(labels_of(X) if labels is None else labels)
    rows = Rows(fold.name, fold.train, fold.validation, digest(fold.train), digest(fold.validation))
    return Sight(take(X, fold.train), y[fold.train], take(X, fold.validation), y[fold.validation], rows)
