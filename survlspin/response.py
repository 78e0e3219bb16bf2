"""What classifiers and regressors predict: a class or numbers per row, with case weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._messages import rows
from .errors import InputError, InputTypeError

__all__ = ["Response"]


@dataclass(frozen=True, eq=False)
class Response:
    """The classes or numbers of n rows, as the heads and the metrics read them.

    Parameters
    ----------
    value : array (n,) or (n, k)
        float64 numbers in the unit of the data, or int64 codes 0..K-1 of classes (n,).
    weight : float64 array (n,), optional
        Case weights >= 0. A row of weight 0 counts as absent.

    Raises
    ------
    InputError
        SL-151 where a value is missing or infinite, SL-152 where the shapes are not those above, SL-153 where a weight
        is negative, missing or infinite.
    InputTypeError
        SL-154 where values or weights are not numbers.

    Examples
    --------
    >>> response = Response(np.array([0, 2, 1]), weight=np.array([1.0, 1.0, 0.5]))
    >>> response.take([1, 2]).value
    array([2, 1])
    """

    value: np.ndarray
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        weight = np.ones(self.value.shape[:1]) if self.weight is None else self.weight
        for name, array in [("value", self.value), ("weight", weight)]:
            if array.dtype.kind not in "iuf":
                raise InputTypeError("SL-154", f"{name} of the response is of type {array.dtype}.", "Give numbers.")
        if self.value.ndim not in (1, 2) or weight.shape != self.value.shape[:1]:
            raise InputError(
                "SL-152",
                f"the response has values of shape {self.value.shape} and weights of shape {weight.shape}.",
                "Give values (n,) or (n, k), and weights (n,).",
            )
        bad = ~np.isfinite(self.value).all(tuple(range(1, self.value.ndim)))
        if bad.any():
            raise InputError("SL-151", f"missing or infinite response in {rows(bad)}.", "Drop these rows.")
        bad = ~(np.isfinite(weight) & (weight >= 0))
        if bad.any():
            raise InputError("SL-153", f"weight of the response negative, missing or infinite in {rows(bad)}.")

    def __len__(self) -> int:
        return len(self.value)

    def take(self, index) -> Response:
        """Return the rows at `index` (positions, a slice or a boolean mask)."""
        return Response(self.value[index], None if self.weight is None else self.weight[index])
