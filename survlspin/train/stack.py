"""A stack of models in training: weights, averages, optimiser, generators, and each model's own batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..heads import Head
from ..nets import Net
from .optim import Buffer, make_optimizer
from .rows import Rows
from .settings import Settings
from .step import Batch, Data, step

STEPS_PER_PART = 200  # longer epochs are evaluated in parts
PREPARED = 100_000  # rows of batches whose targets are prepared at once
WARM_UP = 10  # steps over which the moving average forgets where it began


class Stack:
    """B models that are trained together; models that stop leave it.

    Attributes
    ----------
    id : Tensor (B,)
        The models' numbers in the stack as it began.
    average : Buffer
        The moving averages of their weights, which are the weights of `shadow`.
    batches : Tensor (B,)
        Steps of each model's epoch.
    passed : int
        Epochs begun.
    skipped : Tensor (B,)
        Batches that said nothing (held no event), so that no step was made.
    """

    def __init__(
        self,
        net: Net,
        head: Head,
        data: Data,
        rows: Rows,
        lam: dict[str, Tensor],
        generators: Sequence[torch.Generator],
        settings: Settings,
    ):
        self.net, self.shadow, self.head, self.data, self.rows = net, net.rows(range(net.models)), head, data, rows
        self.lam, self.generators, self.settings = lam, list(generators), settings
        self.id, self.passed = torch.arange(net.models), 0
        self.buffer, self.average = Buffer(net), Buffer(self.shadow)
        self.optimizer = make_optimizer(settings.optimizer, self.buffer, settings.weight_decay)
        self.lr = self.buffer.value.new_full((net.models,), settings.lr)
        self.size = rows.size.repeat_interleave(net.models // len(rows.size))
        self.batches = torch.ones_like(self.size)
        if settings.batch_size is not None:
            self.batches = (self.size + settings.batch_size - 1) // settings.batch_size
        self.taken, self.skipped = torch.zeros_like(self.size), torch.zeros_like(self.size)
        self._plan()

    def keep(self, stay: Tensor) -> None:
        """Let go of every model but those at the positions `stay`."""
        self.rows = self.rows.of(stay, self.net.models)
        self.net, self.shadow = self.net.rows(stay), self.shadow.rows(stay)
        self.buffer, self.average = Buffer(self.net), Buffer(self.shadow)
        self.optimizer.keep(stay)
        self.lam = {name: value[stay] for name, value in self.lam.items()}
        self.generators = [self.generators[i] for i in stay.tolist()]
        for name in ("id", "lr", "size", "batches", "taken", "skipped"):
            setattr(self, name, getattr(self, name)[stay])
        self._plan()

    def state(self) -> dict[str, Any]:
        """Return everything that changes from epoch to epoch but the generators."""
        return {
            "id": self.id,
            "passed": torch.tensor(self.passed),
            "taken": self.taken,
            "skipped": self.skipped,
            "net": self.net.state_dict(),
            "shadow": self.shadow.state_dict(),
            "optimizer": self.optimizer.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take on a state of the same models."""
        self.passed, self.taken, self.skipped = int(state["passed"]), state["taken"], state["skipped"]
        self.net.load_state_dict(state["net"])  # in place: parameters stay views of the buffers
        self.shadow.load_state_dict(state["shadow"])
        for name, value in self.optimizer.state.items():
            value.copy_(state["optimizer"][name])

    def _plan(self) -> None:
        """Lay out an epoch: nearly equal batches, so that no tail is a handful of rows.

        Row i of a model's shuffled rows goes to ``place[i]`` of its (steps, width) entries.
        """
        self.whole: Batch | None = None
        steps, width = int(self.batches.max()), int(((self.size + self.batches - 1) // self.batches).max())
        self.places = []
        self.valid = torch.zeros(len(self.size), steps * width, dtype=torch.bool)
        self.ends = torch.zeros(len(self.size), steps, dtype=torch.bool)
        for valid, ends, n, b in zip(self.valid, self.ends, self.size.tolist(), self.batches.tolist(), strict=True):
            sizes = torch.tensor([len(part) for part in torch.arange(n).tensor_split(b)])
            batch = torch.repeat_interleave(sizes)
            place = batch * width + torch.arange(n) - (sizes.cumsum(0) - sizes)[batch]
            valid[place] = True
            self.places.append(place)
            ends[[int(part[-1]) for part in torch.arange(b).tensor_split(max(round(b / STEPS_PER_PART), 1))]] = True
        self.valid = self.valid.view(len(self.size), steps, width)

    def epoch(self) -> Iterator[Tensor]:
        """Pass once over every model's rows; yield which models (B,) have come to the end of a part of their epoch.

        A model whose rows are used up rests until the others are done.
        """
        self.net.train()
        self.passed += 1
        if int(self.batches.max()) == 1:
            self._step(self._full_batch())
            yield self.ends[:, 0]
            return
        index = torch.zeros(self.valid.shape[0], self.valid[0].numel(), dtype=torch.long)
        shared = self.net.models // len(self.rows.size)
        for i, (place, generator) in enumerate(zip(self.places, self.generators, strict=True)):
            n = len(place)  # rows that are one batch keep their order, as they do alone
            order = torch.randperm(n, generator=generator) if self.batches[i] > 1 else torch.arange(n)
            index[i, place] = self.rows.index[i // shared, order]
        index = index.view(self.valid.shape)
        for i, (batch, valid) in enumerate(self._batches(index)):
            self._step(batch, valid.any(1))
            if bool(self.ends[:, i].any()):
                yield self.ends[:, i]

    def _batches(self, index: Tensor) -> Iterator[tuple[Batch, Tensor]]:
        """Yield the batches of rows `index` (B, steps, width) and which entries are rows; prepare many at once."""
        models, steps, width = index.shape
        x, run = self.data.x, max(PREPARED // (models * width), 1)
        for start in range(0, steps, run):
            rows, valid = (a[:, start : start + run].transpose(0, 1) for a in (index, self.valid))  # (run, B, width)
            flat = (a.reshape(-1, width).to(x.device) for a in (rows, valid))
            targets = self.data.target.take(*flat).split(len(rows))
            for r, v, target in zip(rows, valid, targets, strict=True):
                yield Batch(x[r.to(x.device)], target, self._noise(v.sum(1), width)), v

    def _full_batch(self) -> Batch:
        """Return all rows, models that share them sharing one target, with new noise."""
        if self.whole is None:
            device = self.data.x.device
            self.whole = self.data.take(self.rows.index.to(device), self.rows.valid.to(device))
        return Batch(self.whole.x, self.whole.target, self._noise(self.size, self.rows.index.shape[1]))

    def _noise(self, size: Tensor, m: int) -> Tensor | None:
        """Draw each model's noise (B, m, n_gates) from its own generator, for its own `size` rows only."""
        if self.net.n_gates == 0:
            return None
        value = self.buffer.value
        noise = torch.zeros(self.net.models, m, self.net.n_gates, dtype=value.dtype)
        for mine, n, generator in zip(noise, size.tolist(), self.generators, strict=True):
            torch.randn(n, self.net.n_gates, generator=generator, dtype=value.dtype, out=mine[:n])
        return noise.to(value.device)

    def _step(self, batch: Batch, asked: Tensor | bool = True) -> None:
        warm_up = self.settings.warm_up
        lam = {name: value * (self.passed > warm_up.get(name, 0)) for name, value in self.lam.items()}
        moved = step(self.net, self.head, batch, lam, self.buffer, self.optimizer, self.lr).cpu()
        self.skipped += asked & ~moved
        self.taken += moved
        decay = (self.taken / (self.taken + WARM_UP)).clamp(max=self.settings.average)
        pull = torch.where(moved, 1 - decay, 0)[:, None].to(self.buffer.value)
        self.average.value.lerp_(self.buffer.value, pull)
