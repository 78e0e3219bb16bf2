"""The epochs of one stack: early stopping model by model, and what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import checkpoint
from .evaluate import evaluate, refresh
from .rows import Rows
from .stack import Stack
from .step import Data

STEPS_PER_EVALUATION = 20  # small data sets are not evaluated more often than this
TOLERANCE = 1e-4  # an objective better by a smaller share is kept, but does not count as progress
OF_EACH = ("best_epoch", "objective", "nll", "skipped", "lost")

Progress = Callable[[int, int, int], None]


@dataclass
class History:
    """What happened to each of B models.

    Attributes
    ----------
    best_epoch : array (B,)
        The epoch whose (averaged) weights were kept.
    objective, nll : array (B,)
        Validation objective and negative log-likelihood of those weights; inf and nan without validation rows.
    skipped : array (B,)
        Batches that held no event, so that no step was made.
    lost : array (B,)
        The epoch in which weights or validation objective were found to be no numbers, and training stopped; 0: never.
    trace : list of (epoch, array (B,))
        The objective at every evaluation; nan for models that were not evaluated then.
    """

    best_epoch: np.ndarray
    objective: np.ndarray
    nll: np.ndarray
    skipped: np.ndarray
    lost: np.ndarray
    trace: list[tuple[int, np.ndarray]] = field(default_factory=list)

    @classmethod
    def empty(cls, models: int) -> History:
        never, none = np.zeros(models, int), np.full(models, np.nan)
        return cls(never, np.full(models, np.inf), none, never.copy(), never.copy())

    @property
    def in_vain(self) -> np.ndarray:
        """Which models left the numbers before anything was learnt, bool (B,)."""
        return (self.lost > 0) & (self.best_epoch == 0)

    def take(self, models: np.ndarray) -> History:
        """Return what happened to the models at the positions `models`."""
        taken = {name: getattr(self, name)[models] for name in OF_EACH}
        return History(**taken, trace=[(epoch, line[models]) for epoch, line in self.trace])

    def put(self, models: np.ndarray, own: History) -> None:
        """Write what happened to the models at the positions `models`, which are no longer empty."""
        for name in OF_EACH:
            getattr(self, name)[models] = getattr(own, name)
        for epoch, line in own.trace:
            self.trace.append((epoch, np.full(len(self.objective), np.nan)))
            self.trace[-1][1][models] = line


class Training:
    """A stack on its way through the epochs, each model to its best validation objective.

    Parameters
    ----------
    stack : Stack
        B models.
    check : (Data, Rows), optional
        The data set and each model's rows that validate.

    Attributes
    ----------
    best : Tensor (B, P)
        The averaged weights to keep.
    waited : Tensor (B,)
        Evaluations in a row that were no progress.
    history : History
    over : bool
    """

    def __init__(self, stack: Stack, check: tuple[Data, Rows] | None):
        self.stack, self.check, self.generators = stack, check, stack.generators
        self.epochs = stack.settings.epochs_of(stack.batches)
        self.interval = torch.ceil(STEPS_PER_EVALUATION / stack.batches).long()
        self.best, self.waited = stack.average.value.clone(), torch.zeros_like(stack.batches)
        self.history, self.over = History.empty(len(self.best)), False

    def run(self, progress: Progress | None) -> None:
        """Pass over the rows until every model has stopped."""
        kept = checkpoint.of(self)
        while not self.over:
            stay = self._epoch()
            kept.save()
            if progress is not None:
                progress(self.stack.passed, int(self.epochs.max()), stay)

    def _epoch(self) -> int:
        """Train for one epoch, and let go of the models that have stopped; return how many stay."""
        stack, ids, epoch = self.stack, self.stack.id, self.stack.passed + 1
        patience, warm_up = stack.settings.patience, max(stack.settings.warm_up.values(), default=0)
        for ended in stack.epoch():
            last = (epoch % self.interval[ids] == 0) | (epoch == self.epochs[ids])
            due = ended & last & (self.waited[ids] < patience)
            if bool(due.any()):
                due &= ~self._lose(due & ~torch.isfinite(stack.average.value).all(1).cpu(), epoch)
            if self.check is None:
                self._keep(due, epoch)
            elif bool(due.any()):
                clearly = self._judge(*self.check, due.numpy(), epoch)
                self.waited[ids] = torch.where(clearly, 0, self.waited[ids] + (due & (epoch > warm_up)))
                self._lose(due & torch.from_numpy(np.isnan(self.history.trace[-1][1][ids.numpy()])), epoch)
            if bool((self.waited[ids] >= patience).all()):
                break
        self.history.skipped[ids.numpy()] = stack.skipped.numpy()
        stay = (self.waited[ids] < patience) & (epoch < self.epochs[ids])
        self.over = not bool(stay.any())
        if not self.over and not bool(stay.all()):
            self._let_go(stay.nonzero()[:, 0])
        return int(stay.sum())

    def _lose(self, models: Tensor, epoch: int) -> Tensor:
        """Stop the models marked in `models` (b,), which have come to nothing; return the mark."""
        ids = self.stack.id[models]
        self.waited[ids], self.history.lost[ids.numpy()] = self.stack.settings.patience, epoch
        return models

    def _keep(self, models: Tensor, epoch: int) -> None:
        """Keep the averaged weights of the models marked in `models` (b,)."""
        ids = self.stack.id[models]
        self.best[ids] = self.stack.average.value[models]
        self.history.best_epoch[ids.numpy()] = epoch

    def _judge(self, valid: Data, rows: Rows, due: np.ndarray, epoch: int) -> Tensor:
        """Evaluate the averaged weights, keep those that are better than ever; return which are so clearly (b,)."""
        stack, history, ids = self.stack, self.history, self.stack.id.numpy()
        refresh(stack.shadow, stack.head, stack.data, stack.rows, stack.lam)
        value, nll = (v.cpu().double().numpy() for v in evaluate(stack.shadow, stack.head, valid, rows, stack.lam))
        line, before = np.full(len(history.objective), np.nan), history.objective[ids]
        line[ids[due]] = value[due]
        history.trace.append((epoch, line))
        better = due & (value < before)
        history.objective[ids[better]], history.nll[ids[better]] = value[better], nll[better]
        self._keep(torch.from_numpy(better), epoch)
        return torch.from_numpy(better & (value + TOLERANCE * np.abs(value) <= before))

    def _let_go(self, stay: Tensor) -> None:
        """Go on with the models at the positions `stay` alone."""
        if self.check is not None:
            valid, rows = self.check
            self.check = valid, rows.of(stay, self.stack.net.models)
        self.stack.keep(stay)

    def state(self) -> dict[str, Any]:
        """Return everything that the next epochs and the result depend on, besides what training began with."""
        arrays = vars(self.history) | {
            "trace": np.array([line for _, line in self.history.trace]),
            "epochs": np.array([epoch for epoch, _ in self.history.trace]),
        }
        state = {
            "over": torch.tensor(self.over),
            "best": self.best,
            "waited": self.waited,
            "generators": torch.stack([generator.get_state() for generator in self.generators]),
            "history": {name: torch.from_numpy(array) for name, array in arrays.items()},
        }
        return state if self.over else state | {"stack": self.stack.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take on a state, before the first epoch."""
        self.over, self.waited = bool(state["over"]), state["waited"]
        self.best.copy_(state["best"])
        for generator, seen in zip(self.generators, state["generators"], strict=True):
            generator.set_state(seen.clone())  # which reads a view's memory from its beginning
        arrays = {name: value.numpy() for name, value in state["history"].items()}
        trace = list(zip(arrays.pop("epochs").tolist(), arrays.pop("trace"), strict=True))
        self.history = History(**arrays, trace=trace)
        if not self.over:
            if len(state["stack"]["id"]) < len(self.best):
                self._let_go(state["stack"]["id"])
            self.stack.restore(state["stack"])
