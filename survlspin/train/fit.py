"""Training a stack of models to each one's best validation objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..heads import Head
from ..nets import Net
from .optim import Buffer, make_optimizer
from .step import Batch, Data, objective, step

ROWS_PER_STEP = 30_000  # a stack whose steps would hold more rows is slower than its parts
CHUNK = 400_000  # rows times models of one evaluation pass
STEPS_PER_EVALUATION = 20  # small data sets are not evaluated more often than this
MIN_STEPS = 3_000  # epochs=None runs at least this many
TOLERANCE = 1e-4  # an objective better by a smaller share is kept, but does not count as progress


@dataclass(frozen=True)
class Settings:
    """How a stack is trained.

    Parameters
    ----------
    epochs : int or None
        Passes over the training rows at most; None: 30, or on small data as many as make 3,000 steps.
    batch_size : int or None
        Rows per step; None: all (full batch).
    lr : float
        Learning rate.
    optimizer : {"adam", "adamw", "sgd"}
    weight_decay : float
    patience : int
        Evaluations (one per epoch, but at most one per 20 steps) without a better validation objective after which a
        model stops.
    average : float
        The weights that are evaluated and kept are an exponential moving average with this decay; 0 turns it off.
    """

    epochs: int | None = None
    batch_size: int | None = 256
    lr: float = 3e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    patience: int = 3
    average: float = 0.99


class Rows:
    """The rows of T models, of unequal number, padded to one length."""

    def __init__(self, rows: Sequence[np.ndarray]):
        self.size = torch.tensor([len(r) for r in rows])
        self.index = torch.zeros(len(rows), int(self.size.max()), dtype=torch.long)
        for padded, r in zip(self.index, rows, strict=True):
            padded[: len(r)] = torch.from_numpy(np.asarray(r, dtype=np.int64))
        self.valid = torch.arange(self.index.shape[1]) < self.size[:, None]

    def keep(self, models: Tensor, of: int) -> Rows:
        """Return the rows of the `models` out of `of`; rows shared by several models stay shared if all have them."""
        if len(self.size) == 1:
            return self
        return Rows([self.index[i, : self.size[i]].numpy() for i in (models * len(self.size) // of).tolist()])


@dataclass
class History:
    """What happened to each of B models.

    Attributes
    ----------
    best_epoch : array (B,)
        The epoch whose (averaged) weights were kept.
    objective, nll : array (B,)
        Validation objective and negative log-likelihood of those weights; nan without validation rows.
    skipped : array (B,)
        Batches that held no event and so made no step.
    trace : list of tuple
        (epoch, objective (B,)) of every evaluation; nan for models that had stopped.
    """

    best_epoch: np.ndarray
    objective: np.ndarray
    nll: np.ndarray
    skipped: np.ndarray
    trace: list = field(default_factory=list)

    @classmethod
    def empty(cls, models: int) -> History:
        return cls(np.zeros(models, int), np.full(models, np.inf), np.full(models, np.nan), np.zeros(models, int))


def chunks(n: int, models: int) -> list[slice]:
    """Return slices of n rows that hold at most `CHUNK` rows times models."""
    size = max(CHUNK // models, 1)
    return [slice(i, i + size) for i in range(0, n, size)]


@torch.no_grad()
def predict(net: Net, x: Tensor, visit: Callable[[slice, Tensor, dict[str, Tensor]], None] | None = None) -> Tensor:
    """Return the outputs (B, n, k) for the rows `x` (n, p) or (T, n, p), in evaluation mode, a block at a time.

    `visit` is called with each block's slice, outputs and parts.
    """
    net.eval()
    x = x if x.dim() == 3 else x[None]
    out = []
    for rows in chunks(x.shape[1], net.models):
        eta, parts = net(x[:, rows])
        out.append(eta)
        if visit is not None:
            visit(rows, eta, parts)
    return torch.cat(out, 1)


@torch.no_grad()
def evaluate(net: Net, head: Head, data: Data, rows: Rows, lam: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return objective and NLL (B,) on whole sets of rows, gates deterministic."""
    batch = data.take(rows.index.to(data.x.device), rows.valid.to(data.x.device))
    weight, sums = batch.target.weight, {}
    share = weight / weight.sum(1, keepdim=True)

    def visit(block: slice, eta: Tensor, parts: dict[str, Tensor]) -> None:
        part = _Block(weight[:, block])
        for name, value in net.penalties(parts, Batch(batch.x[:, block], part)).items():
            mass = share[:, block].sum(1).repeat_interleave(net.models // len(share))
            sums[name] = sums.get(name, 0.0) + mass.to(value.dtype) * value

    nll = head.nll(predict(net, batch.x, visit), batch.target)
    return nll + sum(lam[name] * value for name, value in sums.items()), nll


@dataclass(frozen=True)
class _Block:
    """The weights of a block of rows: all of a target that a penalty may read."""

    weight: Tensor


def restore_norms(net: Net, data: Data, rows: Rows) -> None:
    """Give the net's norms the statistics of all training rows, gates deterministic."""
    if net.normed:
        index, valid = rows.index.to(data.x.device), rows.valid.to(data.x.device)
        net.train()
        with torch.no_grad():
            net(data.x[index], None, gathered_weight(data, index, valid))
    net.eval()


def gathered_weight(data: Data, index: Tensor, valid: Tensor) -> Tensor:
    """Return the case weights of rows `index` (T, m), 0 where not `valid`."""
    return data.target.weight.expand(len(index), -1).gather(1, index) * valid


class _Stack:
    """The models still in training: their weights, averages, optimiser, generators and own numbers."""

    def __init__(self, net: Net, head: Head, train: Data, rows: Rows, lam, generators, settings: Settings):
        self.net, self.head, self.train, self.rows, self.settings = net, head, train, rows, settings
        self.lam, self.generators = lam, list(generators)
        self.id = torch.arange(net.models)
        self.buffer = Buffer(net)
        self.optimizer = make_optimizer(settings.optimizer, self.buffer, settings.weight_decay)
        self.lr = torch.full((net.models,), settings.lr, dtype=self.buffer.value.dtype, device=self.buffer.value.device)
        self.shadow = net.rows(range(net.models))
        self.average = Buffer(self.shadow)
        self.taken = torch.zeros(net.models, dtype=torch.long)
        self.size = rows.size.repeat_interleave(net.models // len(rows.size))
        self.batches = torch.ones_like(self.size)
        if settings.batch_size is not None:
            self.batches = (self.size + settings.batch_size - 1) // settings.batch_size
        self.skipped = torch.zeros_like(self.size)
        self._plan()

    def _plan(self) -> None:
        """Lay out where an epoch's rows go: nearly equal batches, so that no tail is a handful of rows."""
        self.whole = None
        steps, width = int(self.batches.max()), int(((self.size + self.batches - 1) // self.batches).max())
        self.places = []
        self.valid = torch.zeros(len(self.size), steps * width, dtype=torch.bool)
        for valid, n, b in zip(self.valid, self.size.tolist(), self.batches.tolist(), strict=True):
            sizes = torch.tensor([len(part) for part in torch.arange(n).tensor_split(b)])
            batch = torch.repeat_interleave(torch.arange(b), sizes)
            self.places.append(batch * width + torch.arange(n) - (sizes.cumsum(0) - sizes)[batch])
            valid[self.places[-1]] = True
        self.valid = self.valid.view(len(self.size), steps, width)

    def keep(self, stay: Tensor) -> None:
        """Let go of every model but those at the positions `stay`."""
        self.rows = self.rows.keep(stay, self.net.models)
        value, average = self.buffer.value[stay], self.average.value[stay]
        self.net, self.shadow = self.net.rows(stay), self.shadow.rows(stay)
        self.buffer, self.average = Buffer(self.net), Buffer(self.shadow)
        self.buffer.value.copy_(value)
        self.average.value.copy_(average)
        self.optimizer.keep(stay)
        self.lam = {name: value[stay] for name, value in self.lam.items()}
        self.generators = [self.generators[i] for i in stay.tolist()]
        for name in ("id", "lr", "taken", "size", "batches", "skipped"):
            setattr(self, name, getattr(self, name)[stay])
        self._plan()

    def epoch(self) -> None:
        """Pass once over every model's rows."""
        self.net.train()
        if int(self.batches.max()) == 1:
            self._step(self._full_batch())
            return
        index = torch.zeros(self.net.models, self.valid[0].numel(), dtype=torch.long)
        shared = self.net.models // len(self.rows.size)
        for i, (place, generator) in enumerate(zip(self.places, self.generators, strict=True)):
            order = torch.randperm(len(place), generator=generator)
            index[i, place] = self.rows.index[i // shared, order]
        index, device = index.view(self.valid.shape), self.train.x.device
        for i in range(index.shape[1]):
            here = self.valid[:, i]
            noise = self._noise(here.sum(1), here.shape[1])
            batch = self.train.take(index[:, i].to(device), here.to(device), noise)
            self._step(batch, here.any(1))

    def _full_batch(self) -> Batch:
        device = self.train.x.device
        if self.whole is None:
            self.whole = self.train.take(self.rows.index.to(device), self.rows.valid.to(device))
        return Batch(self.whole.x, self.whole.target, self._noise(self.size, self.rows.index.shape[1]))

    def _noise(self, size: Tensor, m: int) -> Tensor | None:
        """Draw each model's noise (B, m, n_gates) from its own generator, for its own rows only."""
        if self.net.n_gates == 0:
            return None
        value = self.buffer.value
        noise = torch.zeros(self.net.models, m, self.net.n_gates, dtype=value.dtype)
        for mine, n, generator in zip(noise, size.tolist(), self.generators, strict=True):
            torch.randn(n, self.net.n_gates, generator=generator, dtype=value.dtype, out=mine[:n])
        return noise.to(value.device)

    def _step(self, batch: Batch, asked: Tensor | bool = True) -> None:
        moved = step(self.net, self.head, batch, self.lam, self.buffer, self.optimizer, self.lr).cpu()
        self.skipped += asked & ~moved
        self.taken += moved
        pull = torch.where(moved, 1 - (self.taken / (self.taken + 10)).clamp(max=self.settings.average), 0)
        self.average.value.lerp_(self.buffer.value, pull[:, None].to(self.buffer.value))


def fit(
    net: Net,
    head: Head,
    train: Data,
    rows: Sequence[np.ndarray],
    lam: dict[str, Tensor],
    generators: Sequence[torch.Generator],
    settings: Settings,
    valid: Data | None = None,
    valid_rows: Sequence[np.ndarray] | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> History:
    """Train the models of `net` in place, each on its own rows, and leave each with its best weights.

    Parameters
    ----------
    net : Net
        B models.
    train, valid : Data
        The data sets that training and validation rows index. Without `valid` every model runs all epochs and keeps
        its last averaged weights.
    rows, valid_rows : sequence of T int arrays
        Rows of each model; with T < B each array serves B / T models in a row.
    lam : dict of Tensor (B,)
        The weight of each penalty by name.
    generators : sequence of B torch.Generator
        Batches and noise of model b come from generator b alone, so a model trained alone equals the same model
        inside a stack.
    settings : Settings
    progress : callable, optional
        Called after every epoch with (epoch, epochs, models still in training).

    Returns
    -------
    History

    Notes
    -----
    A model stops when its validation objective, NLL + lambda * penalty with gates deterministic, has not improved
    for `patience` evaluations. A stack whose steps would hold more than 30,000 rows is split.
    """
    models, shared = net.models, net.models // len(rows)
    longest = max(len(r) for r in rows)
    per_step = min(settings.batch_size or longest, longest)
    size = max(ROWS_PER_STEP // per_step, 1)
    history = History.empty(models)
    for start in range(0, models, size):
        part = torch.arange(start, min(start + size, models))
        mine = net if len(part) == models else net.rows(part)
        pick = [rows[i // shared] for i in part.tolist()] if len(rows) > 1 else rows
        check = valid_rows
        if valid_rows is not None and len(valid_rows) > 1:
            check = [valid_rows[i * len(valid_rows) // models] for i in part.tolist()]
        own = {name: value[part.to(value.device)] for name, value in lam.items()}
        stack = _Stack(mine, head, train, Rows(pick), own, [generators[i] for i in part.tolist()], settings)
        best = _train(stack, valid, None if check is None else Rows(check), history, start, progress)
        _write(net, part, best, train, Rows(pick))
    return history


def _write(net: Net, part: Tensor, best: Tensor, train: Data, rows: Rows) -> None:
    """Write the best weights (b, P) into the models `part` of the net."""
    with torch.no_grad():
        start = 0
        for parameter in net.parameters():
            size = parameter[0].numel()
            parameter[part.to(parameter.device)] = best[:, start : start + size].view(-1, *parameter.shape[1:])
            start += size
    net.eval()


def _train(stack: _Stack, valid, valid_rows, history: History, start: int, progress) -> Tensor:
    """Run the epochs of one stack; return the weights (b, P) to keep and write into `history` from `start` on."""
    settings, models = stack.settings, stack.net.models
    epochs = torch.full((models,), settings.epochs or 0)
    if settings.epochs is None:
        epochs = torch.ceil(MIN_STEPS / stack.batches).long().clamp(min=30)
    interval = torch.ceil(STEPS_PER_EVALUATION / stack.batches).long()
    best, waited = stack.average.value.clone(), torch.zeros(models, dtype=torch.long)
    for epoch in range(1, int(epochs.max()) + 1):
        stack.epoch()
        ids = stack.id
        due = (epoch % interval[ids] == 0) | (epoch == epochs[ids])
        if valid is None:
            best[ids] = torch.where(due[:, None].to(best.device), stack.average.value, best[ids])
            history.best_epoch[start + ids[due].numpy()] = epoch
        elif bool(due.any()):
            _judge(stack, valid, valid_rows, due, epoch, history, start, best, waited)
        stay = (waited[ids] < settings.patience) & (epoch < epochs[ids])
        history.skipped[start + ids.numpy()] = stack.skipped.numpy()
        if progress is not None:
            progress(epoch, int(epochs.max()), int(stay.sum()))
        if not bool(stay.all()):
            if not bool(stay.any()):
                break
            valid_rows = None if valid_rows is None else valid_rows.keep(stay.nonzero()[:, 0], len(stay))
            stack.keep(stay.nonzero()[:, 0])
    return best


def _judge(stack, valid, valid_rows, due, epoch, history: History, start: int, best: Tensor, waited: Tensor) -> None:
    """Evaluate the averaged weights, keep those that are better, count for those that are not."""
    restore_norms(stack.shadow, stack.train, stack.rows)
    value, nll = (v.cpu().numpy() for v in evaluate(stack.shadow, stack.head, valid, valid_rows, stack.lam))
    ids = start + stack.id.numpy()
    line = np.full(len(history.objective), np.nan)
    line[ids[due.numpy()]] = value[due.numpy()]
    history.trace.append((epoch, line))
    before = history.objective[ids]
    better = due.numpy() & (value < before)
    history.objective[ids[better]], history.nll[ids[better]] = value[better], nll[better]
    history.best_epoch[ids[better]] = epoch
    clearly = torch.from_numpy(better & (value < (1 - TOLERANCE) * before))
    better = torch.from_numpy(better)
    best[stack.id[better]] = stack.average.value[better]
    waited[stack.id[clearly]] = 0
    waited[stack.id[due & ~clearly]] += 1


def seeded(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one generator per seed; they alone decide weights, batches and noise."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def penalty_weights(net: Net, lam: dict[str, float | Sequence[float]]) -> dict[str, Tensor]:
    """Return `lam` as tensors (B,) like the net's parameters.

    Raises
    ------
    InputError
        SL-406 where a weight is negative or not a number.
    """
    like = next(net.parameters())
    weights = {}
    for name, value in lam.items():
        value = torch.as_tensor(value, dtype=like.dtype, device=like.device).expand(net.models).clone()
        if not bool((value >= 0).all()) or not math.isfinite(float(value.sum())):
            raise InputError("SL-406", f"lam[{name!r}] is negative or not a number.", "Give a number >= 0.")
        weights[name] = value
    return weights
