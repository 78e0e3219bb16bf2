"""The hierarchical proximal operator of LassoNet (Lemhadri, Ruan, Abraham, Tibshirani, JMLR 2021, Proposition 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def hier_prox(theta: Tensor, weight: Tensor, lam: Tensor | float, M: float) -> tuple[Tensor, Tensor]:
    """Return the minimum of ``|b - theta|^2 / 2 + |w - weight|^2 / 2 + lam |b|_2`` subject to ``|w|_inf <= M |b|_2``.

    Parameters
    ----------
    theta : Tensor (..., a)
        Linear coefficients of one column (of k outputs), or of all columns of a group.
    weight : Tensor (..., h)
        First-layer weights of the same columns. Columns padded with zeros to the largest group change nothing.
    lam : float or Tensor (..., 1)
        Penalty times length of the step.
    M : float
        How many times its linear coefficients a column's weights may be.

    Returns
    -------
    b : Tensor (..., a)
    w : Tensor (..., h)

    Notes
    -----
    b has the direction of theta; w is `weight` clipped at M t, where t = |b| minimises a convex function of one
    variable. Its derivative, ``t - |theta| + lam - M sum_i max(|weight_i| - M t, 0)``, is the least, over sets S of
    weights, of the increasing functions ``t - |theta| + lam - M sum_S (|weight_i| - M t)``, so its root is the
    largest of theirs; those of the s largest weights, s = 0, 1, ..., suffice, and all are had from one sort.

    Where theta is 0 every direction of b is as good, and the first is taken.
    """
    norm = torch.linalg.vector_norm(theta, dim=-1, keepdim=True)  # (..., 1)
    largest = weight.abs().sort(dim=-1, descending=True).values
    count = torch.arange(weight.shape[-1] + 1, dtype=theta.dtype, device=theta.device)
    sums = torch.nn.functional.pad(largest.cumsum(-1), (1, 0))  # (..., h + 1)
    t = ((norm - lam + M * sums) / (1 + M * M * count)).amax(-1, keepdim=True).clamp(min=0)
    first = torch.zeros_like(theta)
    first[..., 0] = 1
    b = t * torch.where(norm > 0, theta / norm.clamp(min=torch.finfo(theta.dtype).tiny), first)
    return b, torch.minimum(torch.maximum(weight, -M * t), M * t)


def group_layout(code: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns of each group, padded to the largest.

    Parameters
    ----------
    code : Tensor (p,)
        Each column's group, 0 to G - 1.

    Returns
    -------
    index : Tensor (G, m)
        Each group's columns; p where there is none.
    place : Tensor (p,)
        Each column's place among the G * m.
    """
    p, size, order = len(code), code.bincount(), code.argsort(stable=True)
    rank = torch.arange(p) - (size.cumsum(0) - size)[code[order]]
    place = torch.empty_like(code).index_put_((order,), code[order] * int(size.max()) + rank)
    index = torch.full((len(size) * int(size.max()),), p).index_put_((place,), torch.arange(p))
    return index.view(len(size), -1), place


def gather_groups(value: Tensor, index: Tensor) -> Tensor:
    """Return `value` (B, p, a) by group, (B, G, m * a), padded with 0; `index` (G, m) as from `group_layout`."""
    return torch.nn.functional.pad(value, (0, 0, 0, 1))[:, index].flatten(2)


def scatter_groups(value: Tensor, place: Tensor, width: int) -> Tensor:
    """Return `value` (B, G, m * a), where a is `width`, by column: (B, p, a); `place` (p,) as from `group_layout`."""
    return value.reshape(len(value), -1, width)[:, place]
