"""The contextual lasso: a net gives each row's coefficients, and they share one budget of absolute size.

Thompson, Dezfouli, Kohn: The Contextual Lasso: Sparse Linear Models via Deep Neural Networks, NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..heads import Cox, Head
from .base import Net, spread
from .layers import MLP, activation


class ContextualLasso(Net):
    """Coefficients from a net, projected jointly over the rows of a training pass onto an l1 ball.

    Parameters
    ----------
    p, head, models : see `Net`
    hidden : sequence of int
        Hidden widths of the net that gives the coefficients.
    budget : float
        The mean over training rows of a row's sum of absolute coefficients, at most.
    act : {"tanh", "relu", "leaky_relu", "silu"}
        The activation.
    context : sequence of int
        The columns that net sees. Empty: all of them.

    Notes
    -----
    The projection subtracts one threshold from every absolute coefficient. Evaluation uses the threshold of the last
    pass in training mode, which before every evaluation is one of all training rows.
    """

    def __init__(
        self,
        p: int,
        hidden: Sequence[int] = (16,),
        head: Head | None = None,
        *,
        budget: float,
        act: str = "relu",
        context: Sequence[int] = (),
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        if not 0 < budget < float("inf"):
            raise InputError("SL-437", f"budget={budget!r}.", "Give a positive number.")
        self.budget, self.context = budget, list(context) or list(range(p))
        self.net = MLP(models, (len(self.context), *hidden, p * self.k), activation(act))
        self.intercept = nn.Parameter(torch.zeros(models, 1, self.k)) if self.bias else None
        self.register_buffer("threshold", torch.zeros(models, 1, 1, 1))

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        coef = self.net(x[..., self.context]).unflatten(-1, (self.p, self.k))
        if self.training:
            share = torch.ones_like(x[..., 0]) if weight is None else spread(weight, self.models).to(x)
            threshold = _threshold(coef.abs(), share / share.sum(1, keepdim=True).clamp(min=1e-30), self.budget)
            self.threshold = threshold.detach()
        coef = coef.sign() * (coef.abs() - (threshold if self.training else self.threshold)).clamp(min=0)
        offset = torch.zeros_like(coef[:, :, 0]) if self.intercept is None else self.intercept.expand_as(coef[:, :, 0])
        return torch.einsum("bnpk,bnp->bnk", coef, x) + offset, {"coef": coef, "offset": offset}

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        return (parts["coef"] != 0).any(-1)


def _threshold(size: Tensor, share: Tensor, budget: float) -> Tensor:
    """Return the threshold (B, 1, 1, 1) that leaves of the sizes (B, n, p, k) the mean sum `budget`, differentiable."""
    share = share[..., None, None].expand_as(size)
    with torch.no_grad():
        value, order = size.flatten(1).double().sort(descending=True)
        mass = share.flatten(1).gather(1, order).double()
        left = (mass * value).cumsum(1) - value * mass.cumsum(1)  # of the sum, were each value the threshold
        last = (left < budget).sum(1, keepdim=True) - 1
        share = share * (size >= value.gather(1, last)[..., None, None].to(size))  # of those above the threshold
    excess = (share * size).sum((1, 2, 3), keepdim=True) - budget
    return (excess / share.sum((1, 2, 3), keepdim=True).clamp(min=1e-30)).clamp(min=0)
