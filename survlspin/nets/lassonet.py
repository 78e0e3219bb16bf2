"""LassoNet: a linear model and a net that may use no column the linear model leaves out.

Lemhadri, Ruan, Abraham, Tibshirani: LassoNet: A Neural Network with Feature Sparsity, JMLR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ..errors import InputError
from ..heads import Cox, Head
from .base import Net, spread
from .hier_prox import gather_groups, group_layout, hier_prox, scatter_groups
from .layers import MLP, Affine, activation, group_codes

if TYPE_CHECKING:
    from ..train.step import Batch

AT_BOUND = 1e-5  # relative; weights that the proximal step put at their bound are there up to rounding


class LassoNet(Net):
    """A linear skip connection plus a net whose first-layer weights are bounded by the linear coefficients.

    The largest weight of column j, or of group j, is at most M times the Euclidean norm of its coefficients theta_j
    (paper, Eq. 2 and 3), so that the penalty ``skip``, the sum over j of that norm, removes columns from both.

    Parameters
    ----------
    p, head, models : see `Net`
    hidden : sequence of int
        Hidden widths of the net; empty: the linear model alone.
    M : float
        How many times its coefficient a weight may be; 0 is the lasso (for several outputs or groups, the group
        lasso) of a linear model exactly.
    act : {"relu", "tanh", "leaky_relu", "silu"}
        The activation.
    group : sequence of int (p,), or sequence of sequences of int, optional
        Each column's group, or each group's columns, which enter and leave together: one group per factor. None: every
        column by itself.

    Notes
    -----
    The penalties in ``lam`` are ``skip``, which `prox` applies, and two in the loss: ``layers``, half the sum of
    squares of the weights after the first layer, and ``ridge``, half that of the coefficients. The first layer's
    weights need none: they are bounded.

    Raises
    ------
    InputError
        SL-421 where M is negative; SL-422 and SL-423 where the groups are no partition of the columns.
    """

    penalty_names = ("skip", "layers", "ridge")
    code: Tensor | None
    index: Tensor | None
    place: Tensor | None

    def __init__(
        self,
        p: int,
        hidden: Sequence[int] = (16,),
        head: Head | None = None,
        *,
        M: float = 10.0,
        act: str = "relu",
        group: Sequence[int] | Sequence[Sequence[int]] | None = None,
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        if not (M >= 0 and math.isfinite(M)):
            raise InputError("SL-421", f"M={M}.", "Give a number >= 0; 0 is a linear model.")
        self.M = float(M)
        code = None if group is None else group_codes(group, p)
        code = None if code is None or int(code.max()) == p - 1 else code
        index, place = (None, None) if code is None else group_layout(code)
        for name, value in {"code": code, "index": index, "place": place}.items():
            self.register_buffer(name, value, persistent=False)
        self.skip = Affine(models, p, self.k, self.bias)
        deep = bool(hidden) and M > 0
        self.deep = MLP(models, (p, *hidden, self.k), activation(act), bias=False) if deep else None

    @property
    def first(self) -> Tensor:
        """The first layer's weights (B, p, h); h is 0 for a linear model."""
        return self.skip.weight[..., :0] if self.deep is None else self._layers(self.deep)[0].weight

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        eta, parts = self.skip(x), {}
        if self.deep is not None:
            eta = eta + self.deep(x)
        if not self.training:
            parts["kept"] = self.kept()[:, None].expand(-1, x.shape[1], -1)
            if self.deep is None:
                bias = self.skip.weight.new_zeros(self.models, 1, self.k) if self.skip.bias is None else self.skip.bias
                parts["coef"] = self.skip.weight.detach()[:, None].expand(-1, x.shape[1], -1, -1)
                parts["offset"] = bias.detach().expand(-1, x.shape[1], -1)
        return eta, parts

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return half the sums of squares of the weights after the first layer, and of the linear coefficients."""
        ridge = self.skip.weight.square().sum((1, 2)) / 2
        layers = torch.zeros_like(ridge)
        if self.deep is not None:
            for affine in self._layers(self.deep)[1:]:
                layers = layers + affine.weight.square().sum((1, 2)) / 2
        return {"layers": layers, "ridge": ridge}

    @torch.no_grad()
    def prox(self, lam: dict[str, Tensor], lr: Tensor) -> None:
        """Shrink coefficients and clip first-layer weights by the hierarchical proximal operator.

        A model that did not move (``lr`` 0) is only brought within its bounds.
        """
        theta, weight = self.grouped(self.skip.weight), self.grouped(self.first)
        theta, weight = hier_prox(theta, weight, (lam["skip"] * lr)[:, None, None], self.M)
        self.skip.weight.copy_(self.by_column(theta, self.k))
        if self.deep is not None:
            self.first.copy_(self.by_column(weight, self.first.shape[-1]))

    def nonsmooth(self, lam: dict[str, Tensor]) -> Tensor:
        """Return lambda times the sum of the coefficients' norms (B,), one norm for each column or group."""
        return lam["skip"] * self.norms().sum(1)

    def norms(self) -> Tensor:
        """Return the norm of the coefficients of each group (B, G)."""
        return torch.linalg.vector_norm(self.grouped(self.skip.weight.detach()), dim=-1)

    def kept(self) -> Tensor:
        """Return which columns the models use, bool (B, p)."""
        kept = self.norms() > 0
        return kept if self.code is None else kept[:, self.code]

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        return parts["kept"]

    def entry(self, by_theta: Tensor, by_first: Tensor) -> Tensor:
        """Return the lambda (B, G) above which each group that is out stays out.

        Parameters
        ----------
        by_theta, by_first : Tensor (B, p, k), (B, p, h)
            The smooth loss's derivatives by the coefficients and by the first layer's weights.

        Notes
        -----
        Coefficients of norm t, with weights up to M t, change the loss by at most
        ``-t (|by_theta|_2 + M |by_first|_1)`` to first order and cost lambda t.
        """
        slope = torch.linalg.vector_norm(self.grouped(by_theta), dim=-1)
        return slope + self.M * self.grouped(by_first).abs().sum(-1)

    @torch.no_grad()
    def violation(self, by_theta: Tensor, by_first: Tensor, lam: Tensor) -> Tensor:
        """Return how far coefficients and first-layer weights are from optimal (B,): 0 where no step can improve them.

        The largest entry of the objective's derivative, where a weight at its bound that pushes outwards passes its
        push on, M-fold, to the norm of the coefficients; of groups that are out, by how much `entry` exceeds lambda.
        """
        theta, first, by_t, by_f = map(self.grouped, (self.skip.weight, self.first, by_theta, by_first))
        norm = torch.linalg.vector_norm(theta, dim=-1, keepdim=True)  # (B, G, 1)
        out = norm == 0
        bound = first.abs() >= (1 - AT_BOUND) * self.M * norm
        push = torch.where(bound, -by_f * first.sign(), 0).clamp(min=0)
        unit = theta / norm.masked_fill(out, 1)
        by_t = by_t + (lam[:, None, None] - self.M * push.sum(-1, keepdim=True)) * unit
        inside = torch.cat([by_t, by_f + push * first.sign()], -1).abs().masked_fill(out, 0)
        beyond = (self.entry(by_theta, by_first) - lam[:, None]).clamp(min=0) * out[..., 0]
        return torch.maximum(inside.flatten(1).amax(1), beyond.amax(1))

    def grouped(self, value: Tensor) -> Tensor:
        """Return `value` (B, p, a) by group, (B, G, m * a), padded with 0."""
        return value if self.index is None else gather_groups(value, self.index)

    def by_column(self, value: Tensor, width: int) -> Tensor:
        """Return `value` (B, G, m * width) by column, (B, p, width)."""
        return value if self.place is None else scatter_groups(value, self.place, width)

    @staticmethod
    def _layers(mlp: MLP) -> list[Affine]:
        return cast("list[Affine]", list(mlp.affine))
