"""What the contract checks share: demands with plain messages, small data, derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..outcome import Outcome
from ..response import Response

MODELS = 3  # in every stack that is checked


def require(condition: bool, message: str) -> None:
    """Raise an AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def require_close(what: str, found, expected, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Raise an AssertionError unless the two are of one shape and close, NaN equal to nothing."""
    found, expected = (np.asarray(torch.as_tensor(value).detach().cpu()) for value in (found, expected))
    require(found.shape == expected.shape, f"{what}: the shape is {found.shape} instead of {expected.shape}.")
    deviation = np.abs(found - expected)
    right = bool((deviation <= atol + rtol * np.abs(expected)).all())
    require(right, f"{what}: the largest deviation is {deviation.max(initial=0.0):.3g}.")


def cohort(n: int = 24, seed: int = 0) -> Outcome:
    """Return a small outcome with ties, unequal weights, two strata and delayed entry.

    Parameters
    ----------
    n : int
        Rows.
    seed : int

    Returns
    -------
    Outcome
        Times in whole months.
    """
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 1 + n // 2, n).astype(float)
    return Outcome(
        time,
        event=rng.integers(0, 2, n),
        entry=time - rng.integers(1, 9, n),
        weight=rng.integers(1, 7, n) / 3,
        stratum=rng.integers(0, 2, n),
    )


def numbers(k: int = 1, n: int = 24, seed: int = 0) -> Response:
    """Return a small response of k numbers per row with unequal weights, some of them 0.

    Parameters
    ----------
    k : int
        Numbers per row.
    n : int
        Rows.
    seed : int

    Returns
    -------
    Response
    """
    rng = np.random.default_rng(seed)
    return Response(rng.normal(1.0, 2.0, (n, k)), rng.integers(0, 7, n) / 3)


def classes(k: int = 2, n: int = 24, seed: int = 0) -> Response:
    """Return a small response of k classes with unequal weights, some of them 0; parameters as in `numbers`."""
    rng = np.random.default_rng(seed)
    return Response(rng.integers(0, k, n), rng.integers(0, 7, n) / 3)


def slopes(function: Callable, gradient: Tensor, at: Tensor, rng, step: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Return the derivatives of `function` along random directions, by `gradient` and by central differences."""
    by_gradient, by_difference = [], []
    for _ in range(3):
        direction = torch.from_numpy(rng.normal(size=at.shape)).to(at)
        by_gradient.append((gradient * direction).sum())
        by_difference.append((function(step * direction) - function(-step * direction)).sum() / (2 * step))
    return torch.stack(by_gradient), torch.stack(by_difference)
