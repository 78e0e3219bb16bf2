"""Gradient LASSO: a dense net whose gradient by its input is sparse.

Ross, Lage, Doshi-Velez: The Neural LASSO: Local Linear Sparsity for Interpretable Explanations, NIPS Workshop on
Transparent and Interpretable Machine Learning 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..heads import Cox, Head
from .base import Net, spread
from .layers import MLP, activation

if TYPE_CHECKING:
    from ..train.step import Batch

EFFECTIVE = 0.1  # share of a row's largest slope from which a column counts (paper, section 3)


class GradientLasso(Net):
    """Fully connected layers, penalised by the L1 norm of the gradient of `Head.score` by each row's columns.

    With a linear net and a Cox or Gaussian head that is the lasso.

    Parameters
    ----------
    p, head, models : see `Net`
    hidden : sequence of int
        Hidden widths; empty makes a linear model.
    act : {"tanh", "relu", "leaky_relu", "silu"}
        The activation.
    group : sequence of int (p,), optional
        The factor of each column, numbered from 0. The gradient by the columns g of a factor adds
        ``sqrt(|g|) * norm2`` (the group lasso), and they are selected together. None: every column by itself.
    """

    penalty_names = ("gradient",)
    column: Tensor | None
    root_size: Tensor | None

    def __init__(
        self,
        p: int,
        hidden: Sequence[int] = (50, 30),
        head: Head | None = None,
        *,
        act: str = "relu",
        group: Sequence[int] | None = None,
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        groups, column, size = torch.as_tensor(range(p) if group is None else group).unique(
            return_inverse=True, return_counts=True
        )
        alone = len(groups) == p
        self.register_buffer("column", None if alone else column, persistent=False)
        self.register_buffer("root_size", None if alone else size.sqrt(), persistent=False)
        self.predictor = MLP(models, (p, *hidden, self.k), activation(act), bias=self.bias)

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        with torch.enable_grad():  # the gradient by x is asked for in evaluation passes, too
            x = x if x.requires_grad else x.detach().requires_grad_()
            eta = self.predictor(x)
        return eta if torch.is_grad_enabled() else eta.detach(), {"x": x, "eta": eta}

    def slopes(self, parts: dict[str, Tensor], create_graph: bool = False) -> Tensor:
        """Return the gradient (B, n, p) of `Head.score` of each row by its columns."""
        with torch.enable_grad():
            total = self.head.score(parts["eta"]).sum()  # rows do not depend on each other
            return torch.autograd.grad(total, parts["x"], create_graph=create_graph, retain_graph=True)[0]

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the (weighted) mean over rows of the gradient's L1 norm (paper, Eq. 2)."""
        size = self._sizes(self.slopes(parts, torch.is_grad_enabled()))
        weight = spread(batch.target.weight, self.models).to(size.dtype)
        norm = (size if self.root_size is None else size * self.root_size).sum(-1)  # (B, n)
        return {"gradient": (weight * norm).sum(1) / weight.sum(1).clamp(min=torch.finfo(weight.dtype).tiny)}

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        """Return where a column's (a factor's) slope is a tenth or more of the row's largest, bool (B, n, p)."""
        size = self._sizes(self.slopes(parts))
        large = (size >= EFFECTIVE * size.amax(-1, keepdim=True)) & (size > 0)
        return large if self.column is None else large[..., self.column]

    def d_eff(self, x: Tensor) -> Tensor:
        """Return the effective dimension (B,): the mean over rows of the number of columns selected (paper, Eq. 3)."""
        return self.selected(self(x)[1]).sum(-1).double().mean(1)

    def _sizes(self, slopes: Tensor) -> Tensor:
        """Return the L2 norm of each row's slopes by factor, (B, n, G)."""
        if self.column is None or self.root_size is None:
            return slopes.abs()
        squares = slopes.new_zeros(*slopes.shape[:2], len(self.root_size)).index_add(2, self.column, slopes**2)
        return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()  # whose gradient at 0 is 0
