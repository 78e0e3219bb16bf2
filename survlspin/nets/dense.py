"""The plain dense net; with a Cox head it is DeepSurv (Katzman et al., BMC Medical Research Methodology 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..heads import Cox, Head
from .base import Net, spread
from .layers import MLP, activation


class Dense(Net):
    """Fully connected layers on all columns.

    Parameters
    ----------
    p, head, models : see `Net`
    hidden : sequence of int
        Hidden widths; empty makes a linear model.
    act : {"tanh", "relu", "leaky_relu", "silu"}
        The activation.
    norm : bool
        A norm before every layer.
    """

    def __init__(
        self,
        p: int,
        hidden: Sequence[int] = (16,),
        head: Head | None = None,
        *,
        act: str = "tanh",
        norm: bool = False,
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        self.predictor = MLP(models, (p, *hidden, self.k), activation(act), norm=norm, bias=self.bias)

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)
        weight = None if weight is None else spread(weight, self.models)
        return self.predictor(x, weight), {"x": x}

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        return torch.ones_like(parts["x"], dtype=torch.bool)
