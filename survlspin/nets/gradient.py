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
from .base import Net, row_mean, spread
from .layers import MLP, activation, group_codes

if TYPE_CHECKING:
    from ..train.step import Batch

FLAT = 1e-3  # slope, per unit of a column, below which an answer does not depend on it
EFFECTIVE = 0.1  # share of a row's largest slope from which a column counts


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
    size: Tensor | None

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
        codes = group_codes(range(p) if group is None else group, p)
        groups, column, size = codes.unique(return_inverse=True, return_counts=True)
        alone = len(groups) == p
        self.register_buffer("column", None if alone else column, persistent=False)
        self.register_buffer("size", None if alone else size, persistent=False)
        self.predictor = MLP(models, (p, *hidden, self.k), activation(act), bias=self.bias)

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        with torch.enable_grad():  # the gradient by x is asked for in evaluation passes, too
            x = x if x.requires_grad else x.detach().requires_grad_()
            eta = self.predictor(x)
        return eta if torch.is_grad_enabled() else eta.detach(), {"x": x, "eta": eta}

    def begin(self, x: Tensor, gate: Tensor) -> Tensor:
        return self.predictor.begin(x)

    def finish(self, h: Tensor) -> Tensor:
        return self.predictor.finish(h)

    def slopes(self, parts: dict[str, Tensor], create_graph: bool = False) -> Tensor:
        """Return the gradient (B, n, p) of `Head.score` of each row by its columns."""
        with torch.enable_grad():
            total = self.head.score(parts["eta"]).sum()  # rows do not depend on each other
            return torch.autograd.grad(total, parts["x"], create_graph=create_graph, retain_graph=True)[0]

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the (weighted) mean over rows of the gradient's L1 norm."""
        size = self._sizes(self.slopes(parts, torch.is_grad_enabled()))
        norm = (size if self.size is None else size * self.size.to(size.dtype).sqrt()).sum(-1)  # (B, n)
        return {"gradient": row_mean(norm, batch.target.weight)}

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        """Return where a column's (a factor's) slope is a tenth or more of the row's largest, bool (B, n, p).

        Where every slope is below a thousandth the answer is as good as constant, and no column is selected.
        """
        return self._effective(parts, FLAT)

    def _effective(self, parts: dict[str, Tensor], least: float) -> Tensor:
        size = self._sizes(self.slopes(parts))
        large = (size >= EFFECTIVE * size.amax(-1, keepdim=True)) & (size > least)
        return large if self.column is None else large[..., self.column]

    def d_eff(self, x: Tensor) -> Tensor:
        """Return the effective dimension (B,): the mean number of slopes of a tenth or more of the row's largest."""
        return self._effective(self(x)[1], 0.0).sum(-1).double().mean(1)

    @property
    def lasso(self) -> bool:
        """Whether a linear net is the lasso: it has one output, whose score is not flat at 0, as that of classes is."""
        with torch.enable_grad():
            eta = torch.zeros(1, 1, self.k, requires_grad=True)
            slope = torch.autograd.grad(self.head.score(eta).sum(), eta)[0]
        return self.k == 1 and bool(slope.any())

    def lambda_at_ratio(self, batch: Batch, ratio: float) -> Tensor:
        """Return the lambda (B,) at which the penalty now is `ratio` times the loss, a rule of the paper.

        The paper writes 1:2 for a ratio of cross-entropy to penalty at the initial weights. A net of classes is least
        certain there, where slopes of certainty vanish, so that the lambda depends much on the size of the weights.
        """
        with torch.no_grad():
            eta, parts = self(batch.x)
            nll, penalty = self.head.nll(eta, batch.target), self.penalties(parts, batch)["gradient"]
        return ratio * nll / penalty.clamp(min=torch.finfo(penalty.dtype).tiny)

    def largest_lambda(self, batch: Batch) -> Tensor:
        """Return the smallest lambda (T,) at which the best linear net of one output is constant.

        It is the lasso's ``max_j |x_j' r| / n`` with the residuals r of the null model (group lasso: the norm over a
        factor's columns g, divided by ``sqrt(|g|)``): the top of a grid. Heads of classes have none, as their score is
        flat where all classes are as likely; use `lambda_at_ratio`.
        """
        x, weight = batch.x.double(), batch.target.weight[..., None]  # (T, n, p), (T, n, 1)
        mean = (weight * x).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        slope = self.head.quadratic(torch.zeros_like(x[..., :1]), batch.target).gradient  # (T, n, 1)
        size = self._sizes((slope * (x - mean)).sum(1, keepdim=True))[:, 0]  # (T, G)
        return (size if self.size is None else size / self.size.to(size.dtype).sqrt()).amax(-1)

    def _sizes(self, slopes: Tensor) -> Tensor:
        """Return the L2 norm of each row's slopes by factor, (B, n, G)."""
        if self.column is None or self.size is None:
            return slopes.abs()
        squares = slopes.new_zeros(*slopes.shape[:2], len(self.size)).index_add(2, self.column, slopes**2)
        return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()  # whose gradient at 0 is 0
