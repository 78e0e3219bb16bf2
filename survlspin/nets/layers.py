"""Layers with a leading dimension for the models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import cast

import torch
from torch import Tensor, nn

from ..errors import InputError

ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda h: nn.functional.leaky_relu(h, 0.2),  # the slope of the LSPIN reference code
    "silu": nn.functional.silu,
}


def activation(name: str):
    """Return the activation called `name`."""
    if name not in ACTIVATIONS:
        raise InputError("SL-402", f"activation={name!r}.", f"Use one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]


def truncated_normal_(tensor: Tensor, std: float, generator: torch.Generator) -> Tensor:
    """Fill with draws, made on the CPU, from N(0, std^2) redrawn beyond 2 std (so that their own is .88 std)."""
    draws = torch.empty(tensor.shape, dtype=torch.float64)
    nn.init.trunc_normal_(draws, std=std, a=-2 * std, b=2 * std, generator=generator)
    return tensor.copy_(draws)


class Affine(nn.Module):
    """``x W + b`` for B models: x (B, n, d), weight (B, d, m), bias (B, 1, m) or none."""

    def __init__(self, models: int, d: int, m: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(models, d, m))
        self.bias = nn.Parameter(torch.zeros(models, 1, m)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.shape[2] == 1:  # the bits of a product by one column would depend on the number of models
            h = (x * self.weight.mT).sum(-1, keepdim=True)
            return h if self.bias is None else h + self.bias
        return torch.bmm(x, self.weight) if self.bias is None else torch.baddbmm(self.bias, x, self.weight)


class Norm(nn.Module):
    """Normalisation over the rows of each model (batch normalisation that stacks): weights respected, biased variance.

    A pass in training mode uses the statistics of its rows and keeps them; a pass in evaluation mode uses those
    kept. The trainer passes all training rows before every evaluation, so no running average is needed.
    """

    eps = 1e-3
    mean: Tensor
    var: Tensor

    def __init__(self, models: int, d: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(models, 1, d))
        self.shift = nn.Parameter(torch.zeros(models, 1, d))
        self.register_buffer("mean", torch.zeros(models, 1, d))
        self.register_buffer("var", torch.ones(models, 1, d))

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        if not self.training:
            return (x - self.mean) * (self.var + self.eps).rsqrt() * self.scale + self.shift
        share = torch.ones_like(x[..., :1]) if weight is None else weight[..., None].to(x.dtype)  # (B, n, 1)
        share = share / share.sum(1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        mean = (share * x).sum(1, keepdim=True)
        var = (share * (x - mean) ** 2).sum(1, keepdim=True)
        self.mean, self.var = mean.detach(), var.detach()
        return (x - mean) * (var + self.eps).rsqrt() * self.scale + self.shift

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the factor and the summand (B, 1, d) that the evaluation pass applies."""
        factor = (self.var + self.eps).rsqrt() * self.scale
        return factor, self.shift - self.mean * factor


class MLP(nn.Module):
    """Affine layers with an activation between them, a norm before each where asked for.

    Parameters
    ----------
    widths : sequence of int
        Input, hidden and output widths.
    act : callable or None
        The activation after every hidden layer; None makes a deep linear map.
    bias : bool
        Whether the output has a bias; hidden layers have one.
    """

    def __init__(self, models: int, widths: Sequence[int], act, *, norm: bool = False, bias: bool = True):
        super().__init__()
        pairs = list(pairwise(widths))
        last = len(pairs) - 1
        self.affine = nn.ModuleList(Affine(models, d, m, bias or i < last) for i, (d, m) in enumerate(pairs))
        self.norm = nn.ModuleList(Norm(models, d) for d, _ in pairs) if norm else None
        self.act = act

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        return self.finish(self.begin(x, weight), weight)

    def begin(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the first layer's sums, affine in `x` (in evaluation mode)."""
        return self.affine[0](x if self.norm is None else self.norm[0](x, weight))

    def finish(self, h: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the output from the first layer's sums."""
        for i in range(1, len(self.affine)):
            h = h if self.act is None else self.act(h)
            h = self.affine[i](h if self.norm is None else self.norm[i](h, weight))
        return h

    def collapse(self) -> tuple[Tensor, Tensor]:
        """Return coefficients (B, p, k) and intercept (B, 1, k) of the affine map a deep linear net is."""
        maps: list[tuple[Tensor, Tensor]] = []
        for i, affine in enumerate(cast("list[Affine]", self.affine)):
            weight: Tensor = affine.weight
            bias = torch.zeros_like(weight[:, :1]) if affine.bias is None else affine.bias
            if self.norm is not None:
                factor, shift = cast("Norm", self.norm[i]).affine()
                weight, bias = factor.transpose(1, 2) * weight, shift @ weight + bias
            maps.append((weight, bias))
        coef, intercept = maps[0]
        for weight, bias in maps[1:]:
            coef, intercept = coef @ weight, intercept @ weight + bias
        return coef, intercept


def open_probability(mu: Tensor, sigma: float) -> Tensor:
    """Return the probability that a Gaussian-relaxed gate is open, Phi((mu + 1/2) / sigma)."""
    return 0.5 + 0.5 * torch.erf((mu + 0.5) * (1.0 / (sigma * math.sqrt(2.0))))


def check_sigma(sigma: float) -> None:
    """Refuse a standard deviation of gates' noise that is not positive and finite, under SL-403."""
    if not 0 < sigma < math.inf:
        raise InputError("SL-403", f"sigma={sigma}.", "Give the noise a positive standard deviation.")


def group_codes(group: Sequence[int] | Sequence[Sequence[int]], p: int) -> Tensor:
    """Return each column's group (p,), numbered from 0.

    Parameters
    ----------
    group : sequence of int (p,), or sequence of sequences of int
        Each column's group, or each group's columns.
    p : int
        Columns.

    Raises
    ------
    InputError
        SL-422 where a column is in no group or a code is no whole number; SL-423 where a column is in two groups or
        there is no such column.
    """
    listed = [list(columns) for columns in group if isinstance(columns, Sequence) and not isinstance(columns, str)]
    if not listed:
        codes = torch.as_tensor(group).tolist() if isinstance(group, torch.Tensor) else list(group)
        if len(group) != p:
            raise InputError("SL-422", f"group has {len(group)} entries for {p} columns.", "Give each column's group.")
        if not all(isinstance(code, Integral) for code in codes):
            raise InputError("SL-422", "group has codes that are not whole numbers.", "Number the groups from 0.")
        return torch.as_tensor(codes).unique(return_inverse=True)[1]
    columns = torch.tensor([column for columns in listed for column in columns], dtype=torch.long)
    if bool(((columns < 0) | (columns >= p)).any()):
        raise InputError("SL-423", "group names a column that there is not.", f"Columns are numbered 0 to {p - 1}.")
    times = columns.bincount(minlength=p)
    if bool((times > 1).any()):
        raise InputError("SL-423", f"column {int(times.argmax())} is in two groups.", "Put each column in one group.")
    if bool((times == 0).any()):
        found = f"column {int(times.argmin())} is in no group."
        raise InputError("SL-422", found, "Put each column in one group, by itself if need be.")
    code = torch.repeat_interleave(torch.tensor([len(columns) for columns in listed]))
    return torch.empty(p, dtype=torch.long).index_put_((columns,), code).unique(return_inverse=True)[1]
