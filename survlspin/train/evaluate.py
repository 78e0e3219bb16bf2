"""Passes over whole sets of rows, gates deterministic, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..heads import Head
from ..nets import Net
from .rows import Rows
from .step import Data

CHUNK = 100_000  # rows times models of one pass
SMALL = 20_000  # of one that only answers: what it makes on its way stays in the processor's cache
STEP = 64  # products of fewer rows add up in another order


def blocks(n: int, models: int, most: int) -> list[slice]:
    """Return slices of n rows that hold at most so many rows times models; one slice at least."""
    size = max(most // models, 1)
    return [slice(i, i + size) for i in range(0, max(n, 1), size)]


def padded(x: Tensor) -> Tensor:
    """Return rows (..., n, p) with rows of 0 below: no bit of an answer then goes by which rows are asked."""
    return nn.functional.pad(x, (0, 0, 0, -x.shape[-2] % STEP))


@torch.no_grad()
def predict(net: Net, x: Tensor, value: Callable[[Tensor, dict[str, Tensor]], Tensor] | None = None) -> Tensor:
    """Return the outputs (B, n, k) for the rows `x` (n, p), or of each block's outputs and parts a `value` (..., n, m).

    Whatever the type of `x`, the pass is in the net's.
    """
    net.eval()
    dtype, out = next(net.parameters()).dtype, torch.empty(0)
    for block in blocks(len(x), net.models, SMALL):
        rows = x[block].to(dtype)
        eta, parts = net(padded(rows))
        found = (eta if value is None else value(eta, parts))[..., : len(rows), :]
        if block.start == 0:  # made once: many small answers between what is freed would hold its memory
            out = found.new_empty((*found.shape[:-2], len(x), found.shape[-1]))
        out[..., block, :] = found
    return out


@torch.no_grad()
def evaluate(net: Net, head: Head, data: Data, rows: Rows, lam: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return objective and NLL (B,) on whole sets of rows.

    The NLL of all rows is not a mean over blocks of them; the penalties are.
    """
    net.eval()
    index, valid = rows.index.to(data.x.device), rows.valid.to(data.x.device)
    target = data.target.take(index, valid)
    share = target.weight / target.weight.sum(1, keepdim=True)
    out, penalty = [], torch.zeros(net.models, dtype=data.x.dtype, device=data.x.device)
    for block in blocks(index.shape[1], net.models, CHUNK):
        batch = data.take(index[:, block], valid[:, block])
        eta, parts = net(batch.x)
        out.append(eta)
        mass = share[:, block].sum(1).repeat_interleave(net.models // len(share)).to(eta.dtype)
        for name, value in net.penalties(parts, batch).items():
            penalty += lam[name] * mass * value
    nll = head.nll(torch.cat(out, 1), target)
    return nll + penalty + net.nonsmooth(lam), nll


@torch.no_grad()
def refresh(net: Net, head: Head, data: Data, rows: Rows, lam: dict[str, Tensor]) -> None:
    """Make from all training rows what is not learnt by gradients: the statistics of norms, and what is solved."""
    if net.derived:
        net.refresh(data.take(rows.index.to(data.x.device), rows.valid.to(data.x.device)), head, lam)
    net.eval()
