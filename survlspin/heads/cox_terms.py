"""The terms of the Cox partial likelihood at given log-risks: the loss and its first and second derivatives."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .base import Quadratic
from .cox_target import CoxTarget

CHUNK = 2**16  # numbers of a run of rows, which then stay in a processor's cache
FARTHEST = 600.0  # exp(-600) and its reciprocal, times any number of rows, are numbers in float64
FAR = 10.0  # standard deviations from 0: beyond, columns are moved
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

    def shares(self, target: CoxTarget) -> tuple[Tensor, Tensor]:
        """Return the means over each bin's terms of r and of f r for r = S / (S - f D), (T * K, R)."""
        bins = torch.zeros_like(self.at_risk)
        weight = bins[:, :1].index_add(0, target.term_bin, target.term_weight).clamp(min=TINY)
        share = target.term_weight * self.at_risk[target.term_bin] / self.denominator / weight[target.term_bin]
        first = bins.index_add(0, target.term_bin, share)
        if target.fraction is None:
            return first, bins
        return first, bins.index_add(0, target.term_bin, share * target.fraction)


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
    numbers. The whole does not change with the origin of z, which is moved to where z is if that is far away.

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
        cells, whole = self.target.new_cells(shared * p), z.new_zeros(models, p, p, dtype=torch.float64)
        lost = whole.new_zeros(sets * self.target.n_bins, shared * p)
        for start in range(0, n, size):
            rows = slice(start, start + size)
            columns = z[:, rows].double()  # (B, m, p)
            columns = columns if origin is None else columns - origin
            by_risk = columns.view(sets, shared, -1, p).transpose(1, 2) * risk[:, rows]  # (T, m, R, p)
            by_risk = by_risk.reshape(-1, shared * p)
            self.target.add_to_cells(cells, by_risk, rows)
            if self.target.fraction is not None:
                self.target.add_to_deaths(lost, by_risk, rows)
            columns = columns * pull[:, rows].sqrt()
            whole.baddbmm_(columns.mT, columns)
        for means in self._means(cells, lost):
            whole.baddbmm_(means.mT, means, alpha=-1)
        total = divisor(self.target).repeat_interleave(shared)[:, None, None]
        return (whole + whole.mT) / (2 * total)

    @torch.no_grad()
    def residuals(self, z: Tensor) -> Tensor:
        """Return what each row adds to the slope of the log-likelihood by coefficients of `z`, (B, n, p).

        These are the score residuals of R's survival package times the row's weight: the sum over all rows is
        minus the gradient times the summed weight of the events. What a row adds as one of those at risk counts.
        """
        (models, n, p), (sets, _, shared) = z.shape, self.expected.shape
        terms, target = self.terms, self.target
        none, once, twice = terms.moments(target)
        first, second = terms.shares(target)
        origin = _origin(z, self.expected.transpose(1, 2).reshape(models, n, 1))
        columns = z.double() if origin is None else z.double() - origin
        columns = columns.view(sets, shared, n, p).transpose(1, 2)  # (T, n, R, p)
        mean, lost = self._sums(columns)  # (T * K, R, p)

        def mix(a: Tensor, b: Tensor) -> Tensor:
            return a[..., None] * mean - b[..., None] * lost

        at_risk = terms.at_risk.clamp(min=TINY)
        by_bin = mix(none / at_risk, once / at_risk).flatten(1)
        by_risk = target.bin_sums(by_bin).unflatten(1, (shared, p))
        by_risk.index_add_(0, target.dead, -mix(once / at_risk, twice / at_risk)[target.dead_bin])
        by_risk *= terms.risk[..., None]
        own = target.event_weight.reshape(-1)[target.dead, None, None] * mix(first, second)[target.dead_bin]
        by_risk.index_add_(0, target.dead, -own)
        surplus = (target.event_weight[..., None] - self.expected)[..., None]
        return (by_risk.view(columns.shape) + surplus * columns).transpose(1, 2).reshape(models, n, p)

    @torch.no_grad()
    def averages(self, z: Tensor) -> Tensor:
        """Return the mean of `z` (1, n, p) over those at risk in each bin, by risk, averaged over its terms: (K, p)."""
        origin = _origin(z, self.expected.transpose(1, 2).reshape(len(z), -1, 1))
        columns = z.double() if origin is None else z.double() - origin
        first, second = self.terms.shares(self.target)
        mean, lost = self._sums(columns[:, :, None])
        found = (first[..., None] * mean - second[..., None] * lost)[:, 0]
        return found if origin is None else found + origin[0]

    def _sums(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums of risk times `columns` (T, n, R, p) over those at risk and over the dead, per unit of S."""
        shared, p = columns.shape[2:]
        weighted = (columns * self.terms.risk.view(*columns.shape[:3], 1)).reshape(-1, shared * p)
        at_risk = self.terms.at_risk.clamp(min=TINY)[..., None]
        mean = self.target.risk_sums(weighted).unflatten(1, (shared, p)) / at_risk
        lost = weighted.new_zeros(len(at_risk), shared * p)
        lost.index_add_(0, self.target.dead_bin, weighted[self.target.dead])
        return mean, lost.unflatten(1, (shared, p)) / at_risk

    def _means(self, cells: Tensor, lost: Tensor) -> Iterator[Tensor]:
        """Yield matrices (B, K, p) whose squares add up to the second sum: the means, and how they spread in a bin."""
        sets, _, shared = self.expected.shape

        def per_model(bins: Tensor) -> Tensor:  # (T * K, R * c) -> (B, K, c)
            return bins.view(sets, -1, shared, bins.shape[1] // shared).transpose(1, 2).flatten(0, 1)

        none, once, twice = (per_model(moment) for moment in self.terms.moments(self.target))
        at_risk = per_model(self.terms.at_risk).clamp(min=TINY)
        mean = per_model(self.target.risk_sets(cells)) / at_risk
        if self.target.fraction is None:
            yield none.sqrt() * mean
            return
        slope, lost = once / none.clamp(min=TINY), per_model(lost) / at_risk
        yield none.sqrt() * (mean - slope * lost)
        yield (twice - slope * once).clamp(min=0).sqrt() * lost


def _origin(z: Tensor, weight: Tensor) -> Tensor | None:
    """Return where the columns `z` (B, m, p) are, (B, 1, p), if that is so far from 0 that digits would be lost."""
    z, share = z.double(), weight / weight.sum(1, keepdim=True).clamp(min=TINY)
    mean = (z * share).sum(1, keepdim=True)
    variance = ((z - mean) ** 2 * share).sum(1, keepdim=True)
    return mean if bool((mean**2 > FAR**2 * variance).any()) else None
