"""Heads whose loss is a mean over rows: numbers (Gaussian) and classes (Bernoulli, multinomial)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from copy import copy

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .._messages import rows
from ..errors import InputError, InputTypeError
from ..response import Response
from .base import Head, Quadratic, Target, gather

CHUNK = 1 << 17  # numbers at a time in a sandwich: more make it slower


class RowTarget(Target):
    """The values of T models' rows.

    Parameters
    ----------
    value : Tensor (T, n, m)
        float64 numbers, one per output, or the int64 code of the class (m = 1).
    weight : Tensor (T, n), float64
        Case weights.

    Attributes
    ----------
    total : Tensor (T,), float64
        The summed weights.
    share : Tensor (T, n), float64
        Weights divided by their sum; 0 where that is 0.
    """

    def __init__(self, value: Tensor, weight: Tensor):
        self.value, self.weight = value, weight
        self.total = weight.sum(1)
        self.share = weight / self.total.clamp(min=torch.finfo(torch.float64).tiny)[:, None]

    def take(self, index: Tensor, valid: Tensor | None = None) -> RowTarget:
        each = index[..., None].expand(-1, -1, self.value.shape[2])
        value = self.value.expand(len(index), -1, -1).gather(1, each)
        weight = gather(self.weight, index)
        return RowTarget(value, weight if valid is None else weight * valid)

    def split(self, parts: int) -> Iterator[RowTarget]:
        models = len(self.weight) // parts
        for i in range(parts):
            part, run = copy(self), slice(i * models, (i + 1) * models)
            for name in ("value", "weight", "total", "share"):
                setattr(part, name, getattr(self, name)[run])
            yield part

    def to(self, device: torch.device | str | None) -> RowTarget:
        return RowTarget(self.value.to(device), self.weight.to(device))


class RowQuadratic(Quadratic):
    """The expansion of a loss that is a sum over rows.

    Parameters
    ----------
    gradient : Tensor (B, n, k), float64
    curvature : Tensor (B, n, k, k), float64
        The second derivative of the loss by each row's outputs.
    """

    def __init__(self, gradient: Tensor, curvature: Tensor):
        self.gradient, self.curvature = gradient, curvature

    def sandwich(self, z: Tensor) -> Tensor:
        (models, _, p), k = z.shape, self.curvature.shape[-1]
        above = [z.new_zeros(models, p, (k - a) * p, dtype=torch.float64) for a in range(k)]  # block rows from a on
        size = max(CHUNK // (models * k * p), 1)
        for columns, curvature in zip(z.split(size, 1), self.curvature.split(size, 1), strict=True):
            columns = columns.double()  # (B, rows, p)
            for a in range(k):
                scaled = curvature[:, :, a, a:, None] * columns[:, :, None]  # (B, rows, k - a, p)
                above[a].baddbmm_(columns.mT, scaled.flatten(2))
        whole = above[0].new_empty(models, k, p, k, p)
        for a in range(k):
            half = above[a].view(models, p, k - a, p)
            whole[:, a, :, a:] = half
            whole[:, a:, :, a] = half.permute(0, 2, 3, 1)
        return whole.view(models, k * p, k * p)


class RowHead(Head[RowTarget]):
    """A head whose loss is the mean over rows of what each row's outputs and value say.

    Sums are made in float64. Subclasses give the loss of a row and its derivatives by the row's outputs.
    """

    decomposes = True
    free_intercept = False

    def prepare(self, outcome: Response) -> RowTarget:
        """Check the values and keep them as tensors.

        Raises
        ------
        InputTypeError
            SL-155 where the outcome is not a `Response`.
        InputError
            SL-156 where the numbers per row are not those of the head, SL-157 where a value is no class of the head.
        """
        if not isinstance(outcome, Response):
            given, name = type(outcome).__name__, type(self).__name__
            raise InputTypeError("SL-155", f"{name} got {given}.", "Give it the values: Response(value, weight).")
        weight = np.ones(len(outcome)) if outcome.weight is None else outcome.weight
        return RowTarget(self._values(outcome), torch.tensor(weight, dtype=torch.float64)[None])

    def nll(self, eta: Tensor, target: RowTarget) -> Tensor:
        return self.contributions(eta, target).sum(1).to(eta.dtype)

    def contributions(self, eta: Tensor, target: RowTarget) -> Tensor:
        loss = self._loss(*self._aligned(eta, target))  # (T, R, n)
        return (loss * target.share[:, None]).reshape(eta.shape[:2])

    def quadratic(self, eta: Tensor, target: RowTarget) -> RowQuadratic:
        at, value = self._aligned(eta.detach(), target)
        share = target.share[:, None, :, None]
        gradient = (share * self._slope(at, value)).reshape(eta.shape)
        return RowQuadratic(gradient, (share[..., None] * self._curvature(at)).reshape(*eta.shape, self.k))

    def _aligned(self, eta: Tensor, target: RowTarget) -> tuple[Tensor, Tensor]:
        """Return outputs (T, R, n, k) in float64 and values (T, R, n, m)."""
        if eta.shape[-1] != self.k:
            raise InputError(
                "SL-158",
                f"the net has {eta.shape[-1]} outputs per row, {type(self).__name__} takes {self.k}.",
                f"Make the net with k={self.k}.",
            )
        sets, n = target.weight.shape
        at = eta.double().reshape(sets, len(eta) // sets, n, self.k)
        return at, target.value[:, None].expand(-1, at.shape[1], -1, -1)

    @abstractmethod
    def _values(self, response: Response) -> Tensor:
        """Return the values (1, n, m) of a response that fits the head."""

    @abstractmethod
    def _loss(self, eta: Tensor, value: Tensor) -> Tensor:
        """Return each row's loss (T, R, n)."""

    @abstractmethod
    def _slope(self, eta: Tensor, value: Tensor) -> Tensor:
        """Return the derivative of each row's loss by its outputs (T, R, n, k)."""

    @abstractmethod
    def _curvature(self, eta: Tensor) -> Tensor:
        """Return the second derivative of each row's loss by its outputs (T, R, n, k, k)."""


class Gaussian(RowHead):
    """Numbers with normal errors of one variance: half the squared error, summed over outputs.

    Parameters
    ----------
    k : int
        Numbers per row.

    Raises
    ------
    InputError
        SL-159 where k is below 1.

    Notes
    -----
    A row with numbers y and outputs eta adds ``1/2 sum_a (y_a - eta_a)^2``; the loss is the mean weighted by case.

    Examples
    --------
    >>> head = Gaussian()
    >>> target = head.prepare(Response(np.array([1.0, 3.0])))
    >>> head.nll(torch.zeros(1, 2, 1), target)
    tensor([2.5000])
    """

    def __init__(self, k: int = 1):
        self.k = _at_least(1, k)

    def score(self, eta: Tensor) -> Tensor:
        """Return the sum of the outputs (B, n)."""
        return eta.sum(-1)

    def _values(self, response: Response) -> Tensor:
        return torch.tensor(_columns(response, self.k, f"Gaussian(k={self.k})"), dtype=torch.float64)[None]

    def _loss(self, eta: Tensor, value: Tensor) -> Tensor:
        return 0.5 * (eta - value).square().sum(-1)

    def _slope(self, eta: Tensor, value: Tensor) -> Tensor:
        return eta - value

    def _curvature(self, eta: Tensor) -> Tensor:
        return torch.eye(self.k, dtype=eta.dtype, device=eta.device).expand(*eta.shape, self.k)


class Bernoulli(RowHead):
    """Two classes, one output: the log-odds of class 1.

    Notes
    -----
    A row of class y with output eta adds ``log(1 + exp(eta)) - y eta``; the loss is the mean weighted by case.

    Examples
    --------
    >>> head = Bernoulli()
    >>> target = head.prepare(Response(np.array([0, 1])))
    >>> head.nll(torch.zeros(1, 2, 1), target)
    tensor([0.6931])
    """

    k = 1

    def score(self, eta: Tensor) -> Tensor:
        """Return the cross-entropy (B, n) from equal probabilities, ``log(1 + exp(eta)) - eta / 2``."""
        return (-functional.logsigmoid(-eta) - eta / 2)[..., 0]

    def label(self, target: RowTarget) -> Tensor:
        """Return the codes of the rows' classes (T, n, 1)."""
        return target.value

    def _values(self, response: Response) -> Tensor:
        return _codes(response, 2, "Bernoulli()").double()

    def _loss(self, eta: Tensor, value: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(eta, value, reduction="none")[..., 0]

    def _slope(self, eta: Tensor, value: Tensor) -> Tensor:
        return eta.sigmoid() - value

    def _curvature(self, eta: Tensor) -> Tensor:
        return (eta.sigmoid() * (-eta).sigmoid())[..., None]


class Multinomial(RowHead):
    """K classes, one output each: log-probabilities up to a constant that the classes share.

    Parameters
    ----------
    k : int
        Classes, at least 2.

    Raises
    ------
    InputError
        SL-159 where k is below 2.

    Notes
    -----
    A row of class y with outputs eta adds ``log sum_a exp(eta_a) - eta_y``; the loss is the mean weighted by case. It
    is unchanged by adding a constant to all outputs of a row, so the sandwich is singular in that direction.

    Examples
    --------
    >>> head = Multinomial(3)
    >>> target = head.prepare(Response(np.array([0, 2])))
    >>> head.nll(torch.zeros(1, 2, 3), target)
    tensor([1.0986])
    """

    def __init__(self, k: int):
        self.k = _at_least(2, k)

    def score(self, eta: Tensor) -> Tensor:
        """Return the cross-entropy (B, n) from equal probabilities, ``log sum_a exp(eta_a) - mean_a eta_a``."""
        return eta.logsumexp(-1) - eta.mean(-1)

    def label(self, target: RowTarget) -> Tensor:
        """Return the codes of the rows' classes (T, n, 1)."""
        return target.value

    def _values(self, response: Response) -> Tensor:
        return _codes(response, self.k, f"Multinomial(k={self.k})")

    def _loss(self, eta: Tensor, value: Tensor) -> Tensor:
        loss = functional.cross_entropy(eta.reshape(-1, self.k), value.reshape(-1), reduction="none")
        return loss.reshape(eta.shape[:-1])

    def _slope(self, eta: Tensor, value: Tensor) -> Tensor:
        return eta.softmax(-1).scatter_add(-1, value, torch.full_like(eta[..., :1], -1.0))

    def _curvature(self, eta: Tensor) -> Tensor:
        probability = eta.softmax(-1)
        between = -probability[..., :, None] * probability[..., None, :]
        between.diagonal(dim1=-2, dim2=-1).zero_()
        return between - torch.diag_embed(between.sum(-1))  # p (1 - p) without the rounding of 1 - p


def _at_least(fewest: int, k: int) -> int:
    if k < fewest:
        raise InputError("SL-159", f"k={k}.", f"It is {fewest} at least.")
    return k


def _columns(response: Response, k: int, head: str) -> np.ndarray:
    """Return the values (n, k)."""
    value = response.value[:, None] if response.value.ndim == 1 else response.value
    if value.shape[1] != k:
        found = f"the response has {value.shape[1]} numbers per row, {head} takes {k}."
        raise InputError("SL-156", found, "Choose the head by the response.")
    return value


def _codes(response: Response, k: int, head: str) -> Tensor:
    """Return the classes (1, n, 1) as int64."""
    value = _columns(response, 1, head)
    bad = ~np.isin(value[:, 0], np.arange(k))
    if bad.any():
        found = f"{head} takes codes 0 to {k - 1}; the response has other values in {rows(bad)}."
        raise InputError("SL-157", found, "Code the classes from 0 on.")
    return torch.tensor(value, dtype=torch.int64)[None]
