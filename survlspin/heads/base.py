"""The interface between a net's output and the data: a head and its prepared target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor

from ..outcome import Outcome


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
        Whether the loss is unchanged by adding a constant to every row's output; nets then build no output bias.
    """

    k: int
    decomposes: bool
    free_intercept: bool

    @abstractmethod
    def prepare(self, outcome: Outcome) -> T:
        """Do, once per data set, all work that depends on the outcome's values."""

    @abstractmethod
    def nll(self, eta: Tensor, target: T) -> Tensor:
        """Return the mean negative log-likelihood (B,) of the outputs `eta` (B, n, k)."""

    @abstractmethod
    def contributions(self, eta: Tensor, target: T) -> Tensor:
        """Return what each row adds to the negative log-likelihood, (B, n): ``nll = contributions.sum(1)``.

        The spread of their differences between two models of the same rows gives the standard error of the
        difference of the two losses.
        """


def gather(values: Tensor, index: Tensor) -> Tensor:
    """Return rows `index` (T, m) of `values` (T, n), where one set of rows (1, n) serves every model."""
    return values.expand(len(index), -1).gather(1, index)
