"""The outcome of a Cox model prepared: event times, risk sets as intervals of them, and the terms of tied deaths."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..outcome import Outcome
from .base import Target, gather


@dataclass(frozen=True)
class Bins:
    """The distinct event times, stratum by stratum, and each row's interval of them.

    Row i is at risk in the bins ``first[i] <= k < stop[i]``; where it has an event, that is in bin ``stop[i] - 1``.
    """

    first: np.ndarray  # (n,)
    stop: np.ndarray  # (n,)
    time: np.ndarray  # (K,)
    stratum: np.ndarray  # (K,) code
    labels: np.ndarray | None  # the strata's names

    @classmethod
    def of(cls, outcome: Outcome) -> Bins:
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
        terms only. Rows with the same interval, a cell, are added up first: in whole months there are few cells.
        """
        width = self.n_bins + 1
        if self.first is None:
            self.depth, self.cell, self.n_cells = (
                0,
                (self.stop + self.offset * width).reshape(-1),
                len(self.stop) * width,
            )
            return
        self.depth = max(self.n_bins - 1, 1).bit_length()
        leaves = 1 << self.depth
        key = ((self.offset * width + self.first) * width + self.stop).reshape(-1)
        self.cell_key, self.cell = key.unique(return_inverse=True)  # sorted: models one after another
        self.n_cells = len(self.cell_key)
        start = self.cell_key.div(width, rounding_mode="floor")
        low, high, nodes = start % width + leaves, self.cell_key % width + leaves, []
        for _ in range(self.depth + 1):  # the nodes that cover [low, high); node 0 covers nothing
            odd_low, odd_high = (low < high) & (low % 2 == 1), (low < high) & (high % 2 == 1)
            nodes += [torch.where(odd_low, low, 0), torch.where(odd_high, high - 1, 0)]
            low, high = (low + odd_low.long()) // 2, high // 2
        self.node = torch.stack(nodes) + start.div(width, rounding_mode="floor") * 2 * leaves  # (c, C)

    def risk_sums(self, risk: Tensor) -> Tensor:
        """Return the sum of `risk` (T * n, R) over each bin's risk set, (T * K, R)."""
        cells = self.new_cells(risk.shape[1])
        self.add_to_cells(cells, risk)
        return self.risk_sets(cells)

    def new_cells(self, width: int) -> Tensor:
        """Return zeros, `width` for each cell, to which runs of rows are added one after another."""
        return self.weight.new_zeros(self.n_cells, width)

    def add_to_cells(self, cells: Tensor, value: Tensor, rows: slice = slice(None)) -> None:
        """Add the `value` (T * m, R) of the `rows`, m of the n of each model, to their cells."""
        cells.index_add_(0, self.cell.view(self.weight.shape)[:, rows].reshape(-1), value)

    def add_to_deaths(self, bins: Tensor, value: Tensor, rows: slice = slice(None)) -> None:
        """Add the `value` (T * m, R) of the `rows` that have an event to their `bins` (T * K, R)."""
        dead = self.event_weight[:, rows].reshape(-1).nonzero()[:, 0]
        slot = (self.slot[:, rows] + self.offset * self.n_bins).reshape(-1)
        bins.index_add_(0, slot[dead], value[dead])

    def risk_sets(self, cells: Tensor) -> Tensor:
        """Return the sum over each bin's risk set, (T * K, R), from the sums of the `cells` (C, R)."""
        models, r = len(self.weight), cells.shape[1]
        if self.depth == 0:
            return cells.view(models, -1, r).flip(1).cumsum(1).flip(1)[:, 1:].reshape(-1, r)
        tree = cells.new_zeros(models * (2 << self.depth), r)
        for node in self.node:
            tree.index_add_(0, node, cells)
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
            return torch.cat([value.new_zeros(models, 1, r), value.cumsum(1)], 1).reshape(-1, r)[self.cell]
        level = torch.cat([value, value.new_zeros(models, (1 << self.depth) - self.n_bins, r)], 1)
        levels = [level]
        for _ in range(self.depth):
            level = level.view(models, -1, 2, r).sum(2)
            levels.append(level)
        tree = torch.cat([torch.zeros_like(level), *levels[::-1]], 1).reshape(-1, r)
        total = tree[self.node[0]]
        for node in self.node[1:]:
            total += tree[node]
        return total[self.cell]

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
            part._cut_cells(self, i)
            yield part

    def _cut_cells(self, whole: CoxTarget, i: int) -> None:
        """Take on the cells of the `i`-th run of the models of the `whole`, as many as these are."""
        (models, n), width = self.weight.shape, self.n_bins + 1
        cell = whole.cell[i * models * n : (i + 1) * models * n]
        if self.depth == 0:
            self.n_cells = models * width
            self.cell = cell - i * self.n_cells
            return
        step = models * width * width  # of the keys
        bounds = torch.tensor([i * step, (i + 1) * step], device=cell.device)
        start, end = torch.searchsorted(whole.cell_key, bounds).tolist()
        self.n_cells, self.cell, self.cell_key = end - start, cell - start, whole.cell_key[start:end] - i * step
        self.node = whole.node[:, start:end] - i * models * (2 << self.depth)

    def to(self, device: torch.device | str | None) -> CoxTarget:
        first = None if self.first is None else self.first.to(device)
        stop, slot, weight, event_weight = (
            a.to(device) for a in (self.stop, self.slot, self.weight, self.event_weight)
        )
        return CoxTarget(first, stop, slot, weight, event_weight, self.n_bins, self.ties)
