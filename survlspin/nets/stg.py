"""STG: stochastic gates, one set for all rows, choose the columns a prediction net may use.

Yamada, Lindenbaum, Negahban, Kluger: Feature Selection using Stochastic Gates, ICML 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..heads import Cox, Head
from .base import Net, spread
from .layers import MLP, activation, check_sigma, group_codes, open_probability

if TYPE_CHECKING:
    from ..train.step import Batch


class STG(Net):
    """Gates that are the same for every row, times the row, into a prediction net.

    Parameters
    ----------
    p, head, models : see `Net`
    hidden : sequence of int
        Hidden widths of the prediction net. Empty: the gated row into one affine map, whose coefficients
        ``parts["coef"]`` gives.
    act : {"tanh", "relu", "leaky_relu", "silu"}
        The activation of the prediction net.
    norm : bool
        A norm before every layer of the prediction net.
    sigma : float
        Standard deviation of the noise on the gates in training.
    group : sequence of int (p,), optional
        The gate of each column, numbered from 0: one gate per factor. None: one gate per column, as in the paper.

    Notes
    -----
    A gate is ``clip(mu + 1/2 + sigma * noise, 0, 1)``. As in the paper mu is not bounded, and its start, 0, makes
    every gate 1/2 (the paper's mu is ours + 1/2). The noise is drawn for every row, which gives the paper's expected
    loss with less variance than one draw for a whole batch does.
    """

    penalty_names = ("gates",)
    column: Tensor | None

    def __init__(
        self,
        p: int,
        hidden: Sequence[int] = (16,),
        head: Head | None = None,
        *,
        act: str = "tanh",
        norm: bool = False,
        sigma: float = 0.5,
        group: Sequence[int] | None = None,
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        check_sigma(sigma)
        self.sigma, self.linear = sigma, not hidden
        gates, column = group_codes(range(p) if group is None else group, p).unique(return_inverse=True)
        self.n_gates = len(gates)
        self.register_buffer("column", None if torch.equal(column, torch.arange(p)) else column, persistent=False)
        self.mu = nn.Parameter(torch.zeros(models, 1, self.n_gates))
        self.predictor = MLP(models, (p, *hidden, self.k), activation(act), norm=norm, bias=self.bias)

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        weight = None if weight is None else spread(weight, self.models)
        z = (self.mu + 0.5 if noise is None else torch.add(self.mu + 0.5, noise, alpha=self.sigma)).clamp(0, 1)
        gate = z if self.column is None else z[..., self.column]  # (B, 1 or n, p)
        parts = {"gate": gate.expand_as(x), "mu": self.mu.expand(-1, x.shape[1], -1)}
        eta = self.predictor(gate * x, weight)
        if self.linear and not self.training:
            coef, intercept = self.predictor.collapse()
            parts["coef"] = (gate[..., None] * coef[:, None]).expand(*x.shape, -1)
            parts["offset"] = intercept.expand(-1, x.shape[1], -1)
        return eta, parts

    def begin(self, x: Tensor, gate: Tensor) -> Tensor:
        return self.predictor.begin(gate * x)

    def finish(self, h: Tensor) -> Tensor:
        return self.predictor.finish(h)

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the expected number of open gates."""
        return {"gates": open_probability(parts["mu"][:, 0], self.sigma).sum(-1)}

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        return parts["gate"] > 0
