"""The terms of the Cox partial likelihood at given log-risks: the loss and its first and second derivatives."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .base import Quadratic
from .cox_target import CoxTarget

CHUNK = 2**18  # numbers of a run of rows, which then stay in a processor's cache
FARTHEST = 600.0  # exp(-600) and its reciprocal, times any number of rows, are numbers in float64
TINY = torch.finfo(torch.float64).tiny


class Terms:
    """The terms of the partial likelihood at given log-risks.

    Attributes
    ----------
    largest : Tensor (T, 1, R)
        The largest log-risk of each model's rows.
    x : Tensor (T, n, R)
        Log-risks minus the largest, -600 at least.
    risk : Tensor (T * n, R)
        weight * exp(x).
    at_risk : Tensor (T * K, R)
        S, the sum of the risks in each bin.
    denominator : Tensor (D, R)
        S - f D of every death's term.
    """

    def __init__(self, eta: Tensor, target: CoxTarget):
        models, n = target.weight.shape
        x = eta.double().view(models, -1, n).transpose(1, 2)
        weight = target.weight[..., None]
        self.largest = torch.where(weight > 0, x, -torch.inf).amax(1, keepdim=True).nan_to_num(neginf=0.0)
        self.x = (x - self.largest).clamp_(-FARTHEST, 0.0)  # only rows of weight 0 can be above the largest
        self.risk = (weight * self.x.exp()).reshape(models * n, -1)
        self.at_risk = target.risk_sums(self.risk)
        self.denominator = self.at_risk[target.term_bin]
        if target.fraction is not None:
            deaths = self.risk.new_zeros(models * target.n_bins, self.risk.shape[1])
            deaths.index_add_(0, target.dead_bin, self.risk[target.dead])
            self.denominator = self.denominator - target.fraction * deaths[target.term_bin]

    def loss(self, target: CoxTarget) -> Tensor:
        """Return the loss (T, R)."""
        log = target.term_weight * self.denominator.log()  # (D, R)
        log = log.new_zeros(len(target.weight), log.shape[1]).index_add_(0, target.term_model, log)
        own = (target.event_weight[..., None] * self.x).sum(1)
        return (log - own) / divisor(target)[:, None]

    def contributions(self, target: CoxTarget) -> Tensor:
        """Return each event's part of the loss, (T, n, R); the deaths of a bin share its terms by weight."""
        bins = self.risk.new_zeros(len(target.weight) * target.n_bins, self.risk.shape[1])
        log = bins.index_add(0, target.term_bin, target.term_weight * self.denominator.log())
        weight = bins[:, 0].index_add(0, target.dead_bin, target.event_weight.reshape(-1)[target.dead])
        shared = torch.zeros_like(self.risk)
        shared[target.dead] = (log / weight[:, None])[target.dead_bin]
        parts = target.event_weight[..., None] * (shared.view(self.x.shape) - self.x)
        return parts / divisor(target)[:, None, None]

    def expected(self, target: CoxTarget) -> Tensor:
        """Return each row's weight times its cumulative hazard, the events expected of it, (T, n, R)."""
        slope = target.term_weight / self.denominator  # (D, R)
        bins = slope.new_zeros(len(target.weight) * target.n_bins, slope.shape[1])
        by_risk = target.bin_sums(bins.index_add(0, target.term_bin, slope))
        if target.fraction is not None:
            by_death = bins.index_add(0, target.term_bin, target.fraction * slope)
            by_risk.index_add_(0, target.dead, -by_death[target.dead_bin])
        return (self.risk * by_risk).view(self.x.shape)

    def gradient(self, target: CoxTarget) -> Tensor:
        """Return the loss's derivative by the log-risks, (T, n, R)."""
        return (self.expected(target) - target.event_weight[..., None]) / divisor(target)[:, None, None]

    def moments(self, target: CoxTarget) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums over each bin's terms of w r^2, w f r^2 and w f^2 r^2 for r = S / (S - f D), (T * K, R)."""
        share = target.term_weight * (self.at_risk[target.term_bin] / self.denominator) ** 2  # (D, R)
        bins = torch.zeros_like(self.at_risk)
        none = bins.index_add(0, target.term_bin, share)
        if target.fraction is None:
            return none, bins, bins
        once, twice = (bins.index_add(0, target.term_bin, share * target.fraction**power) for power in (1, 2))
        return none, once, twice


def divisor(target: CoxTarget) -> Tensor:
    """Return the summed weight of the events (T,), or a tiny number where there is none and the loss is 0."""
    return target.total.clamp(min=TINY)


class Loss(torch.autograd.Function):
    """The loss with its gradient in closed form, which costs half of what tracing the same sums does."""

    @staticmethod
    def forward(ctx, eta: Tensor, target: CoxTarget) -> Tensor:
        terms = Terms(eta, target)
        ctx.terms, ctx.target, ctx.like = terms, target, eta
        return terms.loss(target).reshape(-1).to(eta.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream: Tensor):
        gradient = ctx.terms.gradient(ctx.target).transpose(1, 2).reshape(ctx.like.shape)  # (B, n)
        return (upstream[:, None] * gradient).to(ctx.like.dtype), None


class CoxQuadratic(Quadratic):
    """The expansion of the Cox loss; nothing of it is larger than the columns, whatever the number of deaths.

    With the expected events e_i of row i, the second derivative by coefficients of columns z is
    ``Z' diag(e) Z - sum_k sum_l w m_kl m_kl'`` over the terms l of each event time k, where m_kl is the mean of z in
    the term's risk set, ``(U_k - f V_k) / (S_k - f D_k)`` with the sums U and V of the risk times z over those at risk
    and over the dead. The sum over l is a quadratic form in U_k and V_k, whose three coefficients are sums over l of
    numbers. The whole does not change with the origin of z, which is moved to where z is.

    Attributes
    ----------
    gradient : Tensor (B, n, 1), float64
    loss : Tensor (B,), float64
    """

    @torch.no_grad()
    def __init__(self, eta: Tensor, target: CoxTarget):
        self.target, self.terms = target, Terms(eta[..., 0], target)
        self.expected = self.terms.expected(target)  # (T, n, R)
        gradient = (self.expected - target.event_weight[..., None]) / divisor(target)[:, None, None]
        self.gradient = gradient.transpose(1, 2).reshape(eta.shape)

    @property
    def loss(self) -> Tensor:
        return self.terms.loss(self.target).reshape(-1)

    @torch.no_grad()
    def sandwich(self, z: Tensor) -> Tensor:
        (models, n, p), (sets, _, shared) = z.shape, self.expected.shape
        risk = self.terms.risk.view(sets, n, shared, 1)
        pull = self.expected.transpose(1, 2).reshape(models, n, 1)
        size = max(CHUNK // (models * p), 1)
        origin = _origin(z[:, :size], pull[:, :size])
        nodes, whole = self.target.new_nodes(shared * p), z.new_zeros(models, p, p, dtype=torch.float64)
        for start in range(0, n, size):
            rows = slice(start, start + size)
            columns = z[:, rows].double() - origin  # (B, m, p)
            by_risk = columns.view(sets, shared, -1, p).transpose(1, 2) * risk[:, rows]  # (T, m, R, p)
            self.target.add_to_nodes(nodes, by_risk.reshape(-1, shared * p), rows)
            columns *= pull[:, rows].sqrt()
            whole.baddbmm_(columns.mT, columns)
        for means in self._means(nodes, z, origin):
            whole.baddbmm_(means.mT, means, alpha=-1)
        total = divisor(self.target).repeat_interleave(shared)[:, None, None]
        return (whole + whole.mT) / (2 * total)

    def _means(self, nodes: Tensor, z: Tensor, origin: Tensor) -> Iterator[Tensor]:
        """Yield matrices (B, K, p) whose squares add up to the second sum: the means, and how they spread in a bin."""
        (_, n, p), (sets, _, shared) = z.shape, self.expected.shape

        def per_model(bins: Tensor) -> Tensor:  # (T * K, R * c) -> (B, K, c)
            return bins.view(sets, -1, shared, bins.shape[1] // shared).transpose(1, 2).flatten(0, 1)

        none, once, twice = (per_model(moment) for moment in self.terms.moments(self.target))
        at_risk = per_model(self.terms.at_risk).clamp(min=TINY)
        mean = per_model(self.target.risk_sets(nodes)) / at_risk
        if self.target.fraction is None:
            yield none.sqrt() * mean
            return
        dead, slope = self.target.dead, once / none.clamp(min=TINY)
        model, row = dead.div(n, rounding_mode="floor"), dead % n
        columns = z.view(sets, shared, n, p)[model, :, row].double() - origin.view(sets, shared, p)[model]  # (D, R, p)
        lost = nodes.new_zeros(len(self.terms.at_risk), shared * p)
        lost.index_add_(0, self.target.dead_bin, (columns * self.terms.risk[dead][..., None]).flatten(1))
        lost = per_model(lost) / at_risk
        yield none.sqrt() * (mean - slope * lost)
        yield (twice - slope * once).clamp(min=0).sqrt() * lost


def _origin(z: Tensor, weight: Tensor) -> Tensor:
    """Return about where the columns `z` (B, m, p) of the rows of positive `weight` (B, m, 1) are, (B, 1, p)."""
    return (z.double() * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=TINY)
