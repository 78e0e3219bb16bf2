"""NIMO: a linear model whose coefficients a neural net corrects, row by row.

Xu, Negri, Roth: NIMO: a Nonlinear Interpretable MOdel, 2025 (arXiv 2506.05059).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..heads import Cox, Head
from .base import Net, spread
from .layers import Affine
from .ridge import Expansion, newton, running

if TYPE_CHECKING:
    from ..train.step import Batch

START = 0.3  # scale of every column
UNUSED = 0.05  # a scale or a first-layer column below this share of the largest one is 0 in evaluation
LEAST_SCALE, LEAST_COLUMN = 0.02, 0.05  # and so is one below these, whatever the largest

FLAT = 1e-12  # squared size below which the penalties' slope ends
ENTRIES = 20_000_000  # entries of the widest layer in one pass without gradients
STEP = 64  # rows of such a pass come in multiples of this: products of few rows add up in another order


class NIMO(Net):
    """Coefficients times corrections: ``eta = b0 + sum_j x_j beta_j (1 + g_j(x_-j))``.

    Parameters
    ----------
    p, head, models : see `Net`
    hidden : sequence of int
        Hidden widths of the net g that all columns share; its first activation is tanh, the later ones
        ``sin(frequency * h)``. Empty: no corrections, a penalised linear model.
    delta : float
        In (0, 1]. The penalty "lasso" is the sum of ``|beta_j|^(2 delta / (1 + delta))``: the lasso at 1.
    bounds : (float, float)
        Open range of the corrections, around 0. The paper takes (-1, 1) for numbers and (-1, 3) for classes; of
        the latter's data the coefficients change sign, for which (-2, 2), that is ``1 + g`` in (-1, 3), is better.
    frequency : float
        Above 0; larger makes more wiggly corrections.
    noise : float
        Standard deviation of the noise on the first layer in training, one draw per row and hidden unit.
    exponent : float
        In (0, 1]. The penalty "group" is the sum over columns of the norm of their first-layer weights to this power
        (paper, Eq. 6: 1).
    memory : float
        In [0, 1). How much of the normal equations of earlier batches enters those of a batch; 0, which is right
        for full batches: none.

    Attributes
    ----------
    c : Parameter (B, p)
        Scales of the columns, learnt by gradients.
    gamma : Tensor (B, p)
        Solved, never moved by a gradient; the coefficients are ``beta = c * gamma``.
    intercept : Tensor (B, 1)
        Solved likewise and not penalised; 0 where the head leaves it free.

    Raises
    ------
    InputError
        SL-425 where the head has several outputs, SL-426 for delta or exponent, SL-427 for bounds, SL-428 for noise,
        memory or frequency out of range.

    Notes
    -----
    g_j sees every column but j, and the number j in binary. g_j(0) = 0: at the reference the coefficients are beta.
    It is ``m + h tanh(G - G(0) - atanh(m / h))`` with the middle m and the half-width h of `bounds`.

    With ``lam["lasso"]`` = l the loss has ``l (delta gamma^2 + |c|^(2 delta)) / (1 + delta)`` summed over columns. Its
    least value over all c, gamma of a product beta is ``l |beta|^(2 delta / (1 + delta))``, so that learning c with
    gamma solved for it (paper, Eq. 20, 28-36) minimises the penalised likelihood. Since the term of gamma is in the
    loss too, the loss is flat in gamma at the solution and its gradient needs no derivative of the solution.

    In evaluation a column with ``|c|`` below 5 % of the largest or below 0.02 has coefficient 0, and one whose
    first-layer weights have a norm below 5 % of the largest or below 0.05 is left out of the corrections. In training
    the former get no correction.
    """

    penalty_names = ("lasso", "group")
    gamma: Tensor
    intercept: Tensor
    curvature: Tensor
    pull: Tensor
    seen: Tensor
    code: Tensor

    def __init__(
        self,
        p: int,
        hidden: Sequence[int] = (64, 128),
        head: Head | None = None,
        *,
        delta: float = 0.5,
        bounds: tuple[float, float] = (-1.0, 1.0),
        frequency: float = 2.0,
        noise: float = 0.2,
        exponent: float = 0.25,
        memory: float = 0.0,
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        if self.k != 1:
            found = f"NIMO has one output; {type(self.head).__name__}({self.k}) needs {self.k}."
            raise InputError("SL-425", found, "Fit one model per class or number.")
        if not (0 < delta <= 1 and 0 < exponent <= 1):
            raise InputError("SL-426", f"delta={delta}, exponent={exponent}.", "Both are above 0 and at most 1.")
        if not (-math.inf < bounds[0] < 0 < bounds[1] < math.inf):
            raise InputError("SL-427", f"bounds={tuple(bounds)}.", "Give a negative and a positive number.")
        if not (0 <= noise < math.inf and 0 <= memory < 1 and 0 < frequency < math.inf):
            found = f"noise={noise}, memory={memory}, frequency={frequency}."
            raise InputError("SL-428", found, "Noise is at least 0, memory in [0, 1), frequency above 0.")
        self.delta, self.exponent, self.noise, self.memory, self.frequency = delta, exponent, noise, memory, frequency
        self.middle, self.reach = (bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2
        self._build(hidden)

    def _build(self, hidden: Sequence[int]) -> None:
        models, p = self.models, self.p
        bits = (torch.arange(1, p + 1)[:, None] >> torch.arange(p.bit_length())) & 1  # (p, floor(log2 p) + 1)
        self.register_buffer("code", bits - 0.5, persistent=False)
        self.deep = nn.ModuleList()
        if hidden:
            self.n_gates = hidden[0] if self.noise else 0
            self.first = Affine(models, p, hidden[0])
            self.place = nn.ModuleList(Affine(models, bits.shape[1], m, bias=False) for m in hidden)
            widths = (*hidden, 1)
            self.deep.extend(Affine(models, d, m, bias=m > 1) for d, m in pairwise(widths))
        self.c = nn.Parameter(torch.full((models, p), START))
        solved = p + self.bias
        self.register_buffer("gamma", torch.zeros(models, p))
        self.register_buffer("intercept", torch.zeros(models, 1))
        if self.memory:
            self.register_buffer("curvature", torch.zeros(models, solved, solved, dtype=torch.float64))
            self.register_buffer("pull", torch.zeros(models, solved, dtype=torch.float64))
            self.register_buffer("seen", torch.zeros(models, 1, dtype=torch.float64))
        self._ahead: tuple[Tensor, Tensor | None, Tensor] | None = None

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        ahead, self._ahead = self._ahead, None
        rows = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        if ahead is not None and ahead[0] is x and ahead[1] is noise:
            correction = ahead[2]
        else:
            correction = self.corrections(rows, noise)
        coef = self.beta[:, None] * (1 + correction)  # (B, n, p)
        eta = (coef * rows).sum(-1, keepdim=True) + self.intercept[:, None]
        parts = {"x": rows, "c": self.c, "gamma": self.gamma}
        if self.deep:
            parts["first"] = self.first.weight
        if not self.training:
            parts["coef"], parts["offset"] = coef[..., None], self.intercept[:, None].expand_as(eta)
        return eta, parts

    @property
    def beta(self) -> Tensor:
        """The coefficients (B, p) at the reference; in evaluation those of columns that are not used are 0."""
        beta = self.c * self.gamma
        return beta if self.training else beta * self._scaled()

    @property
    def linear_columns(self) -> Tensor:
        """Which columns have a coefficient of their own, bool (B, p)."""
        return (self.c * self.gamma * self._scaled()) != 0

    @property
    def nonlinear_columns(self) -> Tensor:
        """Which columns the correction of some other column with a coefficient depends on, bool (B, p)."""
        linear = self.linear_columns
        if not self.deep:
            return torch.zeros_like(linear)
        others = linear.sum(1, keepdim=True) - linear.long() > 0
        return self._entered() & others

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        return (self.linear_columns | self.nonlinear_columns)[:, None].expand_as(parts["x"])

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the penalty on the coefficients (see Notes) and the one on the columns of the first layer."""
        gamma, c = parts["gamma"], parts["c"]
        scale = (c.square() + FLAT).pow(self.delta) - FLAT**self.delta
        lasso = (self.delta * gamma.square() + scale).sum(1) / (1 + self.delta)
        if "first" not in parts:
            return {"lasso": lasso, "group": torch.zeros_like(lasso)}
        square = parts["first"].square().sum(-1)  # (B, p)
        return {"lasso": lasso, "group": (square + FLAT).pow(self.exponent / 2).sum(1)}

    def _scaled(self) -> Tensor:
        size = self.c.detach().abs()
        return size >= (UNUSED * size.amax(1, keepdim=True)).clamp(min=LEAST_SCALE)

    def _entered(self) -> Tensor:
        size = self.first.weight.detach().norm(dim=-1)
        return size >= (UNUSED * size.amax(1, keepdim=True)).clamp(min=LEAST_COLUMN)

    def corrections(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return g_j for rows `x` (B, n, p) and every column, (B, n, p)."""
        used = self._scaled()
        count = int(used.sum(1).max()) if self.deep else 0
        if count == 0:
            return torch.zeros_like(x)
        column = None if count == self.p else torch.argsort(used.byte(), dim=1, descending=True, stable=True)[:, :count]
        rows = x.shape[1]
        if not torch.is_grad_enabled():
            widest = max(layer.weight.shape[1] for layer in cast("list[Affine]", self.deep))
            rows = ENTRIES // (self.models * count * widest)
            rows = rows - rows % STEP or max(rows, 1)
        parts = x.split(rows, 1)
        noises = [None] * len(parts) if noise is None else noise.split(rows, 1)
        out = torch.cat([self._corrections(part, own, column) for part, own in zip(parts, noises, strict=True)], 1)
        if column is not None:
            column = column[:, None].expand_as(out)
            out = torch.zeros_like(x).scatter(2, column, out)
        return out if bool(used.all()) else out * used[:, None]

    def _corrections(self, x: Tensor, noise: Tensor | None, column: Tensor | None) -> Tensor:
        """Return the corrections (B, n, q) of the columns named by `column` (B, q), or of all.

        ``W x_-j`` is ``W x - W_j x_j``: the rows that leave out one column each are not made.
        """
        weight = self.first.weight if self.training else self.first.weight * self._entered()[..., None]
        place = [self.code @ layer.weight for layer in cast("list[Affine]", self.place)]  # (B, p, m)
        own, mine = x, weight
        if column is not None:
            own = x.gather(2, column[:, None].expand(-1, x.shape[1], -1))
            mine, *place = (a.gather(1, column[..., None].expand(-1, -1, a.shape[2])) for a in (weight, *place))
        start = place[0] + cast("Tensor", self.first.bias)  # (B, q, m): at x = 0
        seen = torch.bmm(x, weight)
        if noise is not None:
            seen = torch.add(seen, noise, alpha=self.noise)
        h = own[..., None] * -mine[:, None]  # (B, n, q, m)
        h += seen[:, :, None]
        h += start[:, None]
        height = self._tail(h, place) - self._tail(start[:, None], place)
        return self.middle + self.reach * torch.tanh(height - math.atanh(self.middle / self.reach))

    def _tail(self, h: Tensor, place: list[Tensor]) -> Tensor:
        """Return the layers after the first on its sums `h` (B, n, q, m), as (B, n, q)."""
        models, n, q, _ = h.shape
        *layers, last = cast("list[Affine]", self.deep)
        h = torch.tanh(h).flatten(1, 2)
        for layer, at in zip(layers, place[1:], strict=True):
            h = layer(h).unflatten(1, (n, q))
            h = torch.sin(self.frequency * (h + at[:, None])).flatten(1, 2)
        return last(h).view(models, n, q)

    def settled(self) -> NIMO:
        """Return the models without what they remember of batches, as `memory` 0 makes them."""
        net = cast("NIMO", self.rows(range(self.models)))
        net.memory = 0.0
        for name in ("curvature", "pull", "seen"):
            net._buffers.pop(name, None)
        return net

    def solve(self, batch: Batch, head: Head, lam: dict[str, Tensor]) -> None:
        """Solve for gamma and the intercept: in training one Newton step, in evaluation to convergence.

        In training the batch's corrections are kept for the pass that follows.
        """
        rows = spread(batch.x, self.models)
        correction = self.corrections(rows, batch.noise)
        if self.training and torch.is_grad_enabled():
            self._ahead = (batch.x, batch.noise, correction)
        with torch.no_grad():
            z = (rows * (1 + correction)).double()
            scale = self.c.double() if self.training else self.c.double() * self._scaled()
            ridge = (2 * self.delta / (1 + self.delta) * lam["lasso"].double())[:, None].expand_as(scale)
            at = self.gamma.double()
            if self.bias:
                one = torch.ones_like(scale[:, :1])
                z = torch.cat([z, torch.ones_like(z[..., :1])], 2)
                scale, ridge = torch.cat([scale, one], 1), torch.cat([ridge, 0 * one], 1)
                at = torch.cat([at, self.intercept.double()], 1)
            problem = Expansion(head, batch.target, z, scale, ridge)
            if self.training and self.memory:
                state = (self.curvature, self.pull, self.seen)
                at, state = running(problem, at, state, self.memory)
                self.curvature, self.pull, self.seen = state
            else:
                at = newton(problem, at, 1 if self.training else None)
            self.gamma = at[:, : self.p].to(self.gamma.dtype)
            if self.bias:
                self.intercept = at[:, self.p :].to(self.gamma.dtype)

    def refresh(self, batch: Batch, head: Head, lam: dict[str, Tensor]) -> None:
        self.eval()
        self.solve(batch, head, lam)
