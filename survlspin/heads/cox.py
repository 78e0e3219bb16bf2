"""The Cox partial likelihood on distinct event times: ties, strata, case weights and delayed entry, in log space."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..outcome import Outcome
from .base import Head, Target, gather
from .baseline import Baseline

TIES = ("efron", "breslow")
FARTHEST = 600.0  # exp(-600) and its reciprocal, times any number of rows, are numbers in float64


@dataclass(frozen=True)
class _Bins:
    """The distinct event times, stratum by stratum, and each row's interval of them.

    Row i is at risk in the bins ``first[i] <= k < stop[i]``; where it has an event, that is in bin ``stop[i] - 1``.
    """

    first: np.ndarray  # (n,)
    stop: np.ndarray  # (n,)
    time: np.ndarray  # (K,)
    stratum: np.ndarray  # (K,) code
    labels: np.ndarray | None  # the strata's names

    @classmethod
    def of(cls, outcome: Outcome) -> _Bins:
        n, event = len(outcome), outcome.event != 0
        if outcome.stratum is None:
            labels, code = None, np.zeros(n, dtype=np.int64)
        else:
            labels, code = np.unique(outcome.stratum, return_inverse=True)
        entry = () if outcome.entry is None else outcome.entry
        times, rank = np.unique(np.concatenate([outcome.time, entry]), return_inverse=True)
        key = code * len(times) + rank[:n]
        bins = np.unique(key[event])
        if outcome.entry is None:
            first = np.searchsorted(bins, code * len(times), side="left")
        else:  # at risk after the entry time only
            first = np.searchsorted(bins, code * len(times) + rank[n:], side="right")
        stop = np.searchsorted(bins, key, side="right")
        return cls(np.minimum(first, stop), stop, times[bins % len(times)], bins // len(times), labels)


class CoxTarget(Target):
    """Event bins and risk intervals of T models' rows, with the terms of tied deaths laid out.

    Risk sums are added up by bin: nothing is sorted after `Cox.prepare`, except that a minibatch with far fewer rows
    than there are bins makes bins of its own deaths.

    Parameters
    ----------
    first : Tensor (T, n) or None
        The first bin a row is at risk in; None where every row is at risk from bin 0 on.
    stop, slot : Tensor (T, n)
        The bin after the last one a row is at risk in; the bin of a row's event.
    weight, event_weight : Tensor (T, n), float64
        Case weights, and the same where the row has an event, else 0.
    n_bins : int
    ties : {"efron", "breslow"}
    """

    def __init__(self, first, stop, slot, weight, event_weight, n_bins: int, ties: str):
        self.first, self.stop, self.slot = first, stop, slot
        self.weight, self.event_weight, self.n_bins, self.ties = weight, event_weight, n_bins, ties
        self.total = event_weight.sum(1)
        self.offset = torch.arange(len(weight), device=weight.device)[:, None]  # (T, 1)
        self._lay_out_ties()
        self._lay_out_risk_sets()

    def _lay_out_ties(self) -> None:
        """Write the m deaths of a bin as m terms log(S - f D), f = 0, 1/m, ..., (m-1)/m (Efron) or 0 (Breslow)."""
        self.dead = self.event_weight.reshape(-1).nonzero()[:, 0]  # (D,) flat rows
        self.dead_bin = (self.slot + self.offset * self.n_bins).reshape(-1)[self.dead]  # (D,) flat bins
        size = len(self.weight) * self.n_bins
        count = torch.bincount(self.dead_bin, minlength=size)
        weight = torch.bincount(self.dead_bin, self.event_weight.reshape(-1)[self.dead], minlength=size)
        self.term_bin = torch.repeat_interleave(count)  # (D,) each bin as often as it has deaths
        self.term_model = self.term_bin.div(max(self.n_bins, 1), rounding_mode="floor")
        m = count.double()[self.term_bin]
        self.term_weight = (weight[self.term_bin] / m)[:, None]
        self.fraction = None
        if self.ties == "efron":
            before = (count.cumsum(0) - count)[self.term_bin]
            self.fraction = ((torch.arange(len(m), device=m.device) - before) / m)[:, None]

    def _lay_out_risk_sets(self) -> None:
        """Choose how risk sums are added: a running sum from the end, or the nodes of a binary tree over the bins.

        With delayed entry or strata a risk set is an interval that does not reach bin 0. Its sum as a difference of
        two running sums would lose every digit when the risks differ by many powers of e; a tree adds positive
        terms only.
        """
        if self.first is None:
            self.depth, self.node = 0, (self.stop + self.offset * (self.n_bins + 1)).reshape(-1, 1)
            return
        self.depth = max(self.n_bins - 1, 1).bit_length()
        leaves = 1 << self.depth
        low, high, nodes = self.first + leaves, self.stop + leaves, []
        for _ in range(self.depth + 1):  # the nodes that cover [low, high); node 0 covers nothing
            odd_low, odd_high = (low < high) & (low % 2 == 1), (low < high) & (high % 2 == 1)
            nodes += [torch.where(odd_low, low, 0), torch.where(odd_high, high - 1, 0)]
            low, high = (low + odd_low.long()) // 2, high // 2
        self.node = (torch.stack(nodes, -1) + self.offset[..., None] * 2 * leaves).flatten(0, 1)

    def risk_sums(self, risk: Tensor) -> Tensor:
        """Return the sum of `risk` (T * n, R) over each bin's risk set, (T * K, R)."""
        models, r = len(self.weight), risk.shape[1]
        if self.depth == 0:
            added = risk.new_zeros(models * (self.n_bins + 1), r).index_add_(0, self.node[:, 0], risk)
            return added.view(models, -1, r).flip(1).cumsum(1).flip(1)[:, 1:].reshape(-1, r)
        tree = risk.new_zeros(models * (2 << self.depth), r)
        for node in self.node.T:
            tree.index_add_(0, node, risk)
        tree = tree.view(models, -1, r)
        level = tree[:, 1:2]
        for d in range(1, self.depth + 1):
            level = level.repeat_interleave(2, 1) + tree[:, 1 << d : 2 << d]
        return level[:, : self.n_bins].reshape(-1, r)

    def bin_sums(self, value: Tensor) -> Tensor:
        """Return the sum of `value` (T * K, R) over the bins each row is at risk in, (T * n, R): the transpose."""
        models, r = len(self.weight), value.shape[1]
        value = value.view(models, self.n_bins, r)
        if self.depth == 0:
            return torch.cat([value.new_zeros(models, 1, r), value.cumsum(1)], 1).reshape(-1, r)[self.node[:, 0]]
        level = torch.cat([value, value.new_zeros(models, (1 << self.depth) - self.n_bins, r)], 1)
        levels = [level]
        for _ in range(self.depth):
            level = level.view(models, -1, 2, r).sum(2)
            levels.append(level)
        tree = torch.cat([torch.zeros_like(level), *levels[::-1]], 1).reshape(-1, r)
        total = torch.zeros_like(tree[self.node[:, 0]])
        for node in self.node.T:
            total += tree[node]
        return total

    def take(self, index: Tensor, valid: Tensor | None = None) -> CoxTarget:
        first = None if self.first is None else gather(self.first, index)
        stop, slot, weight, event_weight = (
            gather(a, index) for a in (self.stop, self.slot, self.weight, self.event_weight)
        )
        if valid is not None:
            weight, event_weight = weight * valid, event_weight * valid
        n_bins = self.n_bins
        if n_bins > 2 * index.shape[1]:  # fewer rows than bins: the batch's deaths, sorted, are its bins
            n_bins = index.shape[1]
            deaths = torch.where(event_weight > 0, slot, self.n_bins).sort(1).values
            stop, slot = torch.searchsorted(deaths, stop), torch.searchsorted(deaths, slot)
            first = None if first is None else torch.searchsorted(deaths, first)
        return CoxTarget(first, stop, slot, weight, event_weight, n_bins, self.ties)

    def split(self, parts: int) -> Iterator[CoxTarget]:
        models, n = len(self.weight) // parts, self.weight.shape[1]
        nodes = self.n_bins + 1 if self.depth == 0 else 2 << self.depth  # of one model
        first_row = torch.arange(parts + 1, device=self.dead.device) * models * n
        cuts = torch.searchsorted(self.dead, first_row).tolist()  # a model has as many terms as deaths
        for i, (start, end) in enumerate(pairwise(cuts)):
            part, run = copy(self), slice(i * models, (i + 1) * models)
            part.first = None if self.first is None else self.first[run]
            for name in ("stop", "slot", "weight", "event_weight", "total"):
                setattr(part, name, getattr(self, name)[run])
            part.offset = self.offset[:models]
            part.dead = self.dead[start:end] - i * models * n
            for name in ("dead_bin", "term_bin"):
                setattr(part, name, getattr(self, name)[start:end] - i * models * self.n_bins)
            part.term_model = self.term_model[start:end] - i * models
            part.term_weight = self.term_weight[start:end]
            part.fraction = None if self.fraction is None else self.fraction[start:end]
            part.node = self.node[i * models * n : (i + 1) * models * n] - i * models * nodes
            yield part

    def to(self, device: torch.device | str | None) -> CoxTarget:
        first = None if self.first is None else self.first.to(device)
        stop, slot, weight, event_weight = (
            a.to(device) for a in (self.stop, self.slot, self.weight, self.event_weight)
        )
        return CoxTarget(first, stop, slot, weight, event_weight, self.n_bins, self.ties)


class _Terms:
    """The terms of the partial likelihood at given log-risks.

    Attributes
    ----------
    largest : Tensor (T, 1, R)
        The largest log-risk of each model's rows.
    x : Tensor (T, n, R)
        Log-risks minus the largest, -600 at least.
    risk : Tensor (T * n, R)
        weight * exp(x).
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
        self.denominator = target.risk_sums(self.risk)[target.term_bin]
        if target.fraction is not None:
            deaths = self.risk.new_zeros(models * target.n_bins, self.risk.shape[1])
            deaths.index_add_(0, target.dead_bin, self.risk[target.dead])
            self.denominator = self.denominator - target.fraction * deaths[target.term_bin]

    def loss(self, target: CoxTarget) -> Tensor:
        """Return the loss (T, R)."""
        log = target.term_weight * self.denominator.log()  # (D, R)
        log = log.new_zeros(len(target.weight), log.shape[1]).index_add_(0, target.term_model, log)
        own = (target.event_weight[..., None] * self.x).sum(1)
        return (log - own) / _divisor(target)[:, None]

    def contributions(self, target: CoxTarget) -> Tensor:
        """Return each event's part of the loss, (T, n, R); the deaths of a bin share its terms by weight."""
        bins = self.risk.new_zeros(len(target.weight) * target.n_bins, self.risk.shape[1])
        log = bins.index_add(0, target.term_bin, target.term_weight * self.denominator.log())
        weight = bins[:, 0].index_add(0, target.dead_bin, target.event_weight.reshape(-1)[target.dead])
        shared = torch.zeros_like(self.risk)
        shared[target.dead] = (log / weight[:, None])[target.dead_bin]
        parts = target.event_weight[..., None] * (shared.view(self.x.shape) - self.x)
        return parts / _divisor(target)[:, None, None]

    def gradient(self, target: CoxTarget) -> Tensor:
        """Return the loss's derivative by the log-risks, (T, n, R)."""
        models, n = target.weight.shape
        slope = target.term_weight / self.denominator  # (D, R)
        bins = slope.new_zeros(models * target.n_bins, slope.shape[1])
        by_risk = target.bin_sums(bins.index_add(0, target.term_bin, slope))
        if target.fraction is not None:
            by_death = bins.index_add(0, target.term_bin, target.fraction * slope)
            by_risk.index_add_(0, target.dead, -by_death[target.dead_bin])
        gradient = (self.risk * by_risk).view(models, n, -1) - target.event_weight[..., None]
        return gradient / _divisor(target)[:, None, None]


def _divisor(target: CoxTarget) -> Tensor:
    """Return the summed weight of the events (T,), or a tiny number where there is none and the loss is 0."""
    return target.total.clamp(min=torch.finfo(torch.float64).tiny)


class _Loss(torch.autograd.Function):
    """The loss with its gradient in closed form, which costs half of what tracing the same sums does."""

    @staticmethod
    def forward(ctx, eta: Tensor, target: CoxTarget) -> Tensor:
        terms = _Terms(eta, target)
        ctx.terms, ctx.target, ctx.like = terms, target, eta
        return terms.loss(target).reshape(-1).to(eta.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream: Tensor):
        gradient = ctx.terms.gradient(ctx.target).transpose(1, 2).reshape(ctx.like.shape)  # (B, n)
        return (upstream[:, None] * gradient).to(ctx.like.dtype), None


class Cox(Head[CoxTarget]):
    """Cox's partial likelihood.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        How deaths at one time share a risk set (Efron 1977, Breslow 1974).

    Notes
    -----
    With the risk sum S and the death sum D of an event time with m deaths of mean weight w, its term is
    ``sum_d w_d eta_d - w * sum_{l<m} log(S - (l/m) D)`` (Efron), or with 0 in place of l/m (Breslow). The loss is
    the negative sum over strata and event times, divided by the summed weight of the events. Sums are made in
    float64 after subtracting the largest eta, which is exact while log-risks differ by less than 600; one that is
    farther below the largest counts as 600 below it, so that the loss and its gradient stay finite.

    A minibatch has the risk sets of its own rows, so its loss is not comparable with that of a whole data set.
    """

    k = 1
    decomposes = False
    free_intercept = True

    def __init__(self, ties: str = "efron"):
        if ties not in TIES:
            raise InputError("SL-401", f"ties={ties!r}.", f"Use one of {', '.join(TIES)}.")
        self.ties = ties

    def prepare(self, outcome: Outcome) -> CoxTarget:
        """Find each row's interval of event times."""
        return self._target(_Bins.of(outcome), outcome)

    def _target(self, bins: _Bins, outcome: Outcome) -> CoxTarget:
        given = np.ones(len(outcome)) if outcome.weight is None else outcome.weight
        weight = torch.tensor(given, dtype=torch.float64)[None]
        event_weight = weight * torch.tensor(outcome.event != 0)
        first, stop = torch.tensor(bins.first)[None], torch.tensor(bins.stop)[None]
        slot = (stop - 1).clamp(min=0)
        from_start = None if not bins.first.any() else first
        return CoxTarget(from_start, stop, slot, weight, event_weight, len(bins.time), self.ties)

    def nll(self, eta: Tensor, target: CoxTarget) -> Tensor:
        return _Loss.apply(eta[..., 0], target)

    def contributions(self, eta: Tensor, target: CoxTarget) -> Tensor:
        return _Terms(eta[..., 0], target).contributions(target).transpose(1, 2).reshape(eta.shape[:2])

    def baseline(self, eta: Tensor, outcome: Outcome) -> Baseline:
        """Return the cumulative baseline hazard of the log-risks `eta` (n,), by stratum.

        Breslow's estimator, or with ``ties="efron"`` the estimator that goes with Efron's likelihood (R's
        ``survfit(coxph(...))`` for either).
        """
        bins = _Bins.of(outcome)
        target = self._target(bins, outcome)
        terms = _Terms(eta.reshape(1, -1), target)
        none = torch.zeros(len(bins.time), 1, dtype=torch.float64)
        jumps = none.index_add(0, target.term_bin, target.term_weight / terms.denominator)[:, 0].numpy()
        labels = np.array([None]) if bins.labels is None else bins.labels
        curves = {}
        for code, label in enumerate(labels.tolist()):
            mine = bins.stratum == code
            with np.errstate(divide="ignore"):
                curves[label] = bins.time[mine], np.log(np.cumsum(jumps[mine])) - float(terms.largest)
        return Baseline(curves)
