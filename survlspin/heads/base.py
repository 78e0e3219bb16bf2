"""The interface between a net's output and the data: a head and its prepared target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor


class Target(ABC):
    """An outcome prepared once, from which minibatches are taken cheaply.

    Targets hold the rows of T models, ``(T, n)``. A target serves B = T * R models: R models in a row share one
    model's rows (members of an ensemble, points of a path).

    Attributes
    ----------
    weight : Tensor (T, n), float64
        Case weights; a row of weight 0 is not there.
    total : Tensor (T,), float64
        What the loss is divided by. Where it is 0, the rows say nothing and the loss is 0.
    """

    weight: Tensor
    total: Tensor

    @abstractmethod
    def take(self, index: Tensor, valid: Tensor | None = None) -> Target:
        """Return the target of the rows `index` (T, m) of each model; rows that are not `valid` get weight 0."""

    @abstractmethod
    def split(self, parts: int) -> Iterator[Target]:
        """Yield the targets of `parts` runs of the models, equal in number: many batches prepared in one `take`."""

    @abstractmethod
    def to(self, device: torch.device | str | None) -> Target:
        """Return the target with every tensor on `device`."""


class Quadratic(ABC):
    """The second-order expansion of a loss at some outputs, for Newton steps.

    Attributes
    ----------
    gradient : Tensor (B, n, k), float64
        The loss's derivative by the outputs.
    """

    gradient: Tensor

    @abstractmethod
    def sandwich(self, z: Tensor) -> Tensor:
        """Return the exact second derivative of the loss by coefficients on the columns `z` (B, n, p).

        With ``eta + z beta`` for the outputs and ``beta`` (p, k), it is ``(B, k * p, k * p)`` in float64; the
        coefficient of column j in output a is entry ``a * p + j``.
        """


T = TypeVar("T", bound=Target)


class Head(ABC, Generic[T]):
    """What the output means.

    Attributes
    ----------
    k : int
        Outputs per row.
    decomposes : bool
        Whether the loss is a mean over rows. Cox: no, so losses of batches of different size are not comparable.
    free_intercept : bool
        Whether the loss is unchanged by adding a constant to one output of every row; nets then build no output bias.
    """

    k: int
    decomposes: bool
    free_intercept: bool

    @abstractmethod
    def prepare(self, outcome: Any) -> T:
        """Do, once per data set, all work that depends on the values of what is predicted.

        That is an `Outcome` for survival and a `Response` for classes and numbers.
        """

    @abstractmethod
    def nll(self, eta: Tensor, target: T) -> Tensor:
        """Return the mean negative log-likelihood (B,) of the outputs `eta` (B, n, k)."""

    @abstractmethod
    def contributions(self, eta: Tensor, target: T) -> Tensor:
        """Return what each row adds to the negative log-likelihood, (B, n): ``nll = contributions.sum(1)``.

        The spread of their differences between two models of the same rows gives the standard error of the
        difference of the two losses.
        """

    @abstractmethod
    def quadratic(self, eta: Tensor, target: T) -> Quadratic:
        """Return the second-order expansion of `nll` at the outputs `eta` (B, n, k)."""

    @abstractmethod
    def score(self, eta: Tensor) -> Tensor:
        """Return, for each row, the number (B, n) of which a gradient by the inputs is asked.

        The log-risk, the prediction, or for classes how certain they are: the cross-entropy of the predicted
        probabilities from equal ones.
        """

    def label(self, target: T) -> Tensor | None:
        """Return the rows' classes (T, n, 1), for penalties on pairs of rows of a class; None where there are none."""
        return None


def gather(values: Tensor, index: Tensor) -> Tensor:
    """Return rows `index` (T, m) of `values` (T, n), where one set of rows (1, n) serves every model."""
    return values.expand(len(index), -1).gather(1, index)
