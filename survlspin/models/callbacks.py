"""Callbacks for torchtuples' training loop; they write no files and can serve any number of fits."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .._messages import nearest
from .._pycox import tt
from ..errors import InputError


class _Watching(tt.cb.Callback):
    """Something that follows a metric of the fit.

    Parameters
    ----------
    metric : str
        A column of the training log: ``"loss"``, or for nets with penalties ``"nll"`` or a penalty's name, or a
        metric of ``fit(..., metrics=)``.
    dataset : {"val", "train"}
        The rows it is measured on.
    """

    def __init__(self, metric: str = "loss", dataset: str = "val"):
        if dataset not in ("val", "train"):
            raise InputError("SL-476", f"dataset={dataset!r}.", "It may be 'val' or 'train'.")
        self.metric, self.dataset = metric, dataset

    def latest(self) -> float:
        """Return the metric's value in this epoch.

        Raises
        ------
        InputError
            SL-474 without validation rows, SL-475 where no such metric is logged.
        """
        if self.dataset == "val" and self.model.val_metrics.dataloader is None:
            remedy = "Give fit(..., val_data=(x, (durations, events))), or watch dataset='train'."
            raise InputError("SL-474", f"{type(self).__name__} watches validation rows and there are none.", remedy)
        scores = getattr(self.model, f"{self.dataset}_metrics").scores
        if self.metric not in scores:
            found = f"metric {self.metric!r} is not logged{nearest(self.metric, scores)}."
            raise InputError("SL-475", found, f"There are {', '.join(scores)}.")
        return scores[self.metric]["score"][-1]


class EarlyStopping(_Watching):
    """Stop when a metric has not fallen for some epochs, and go back to the weights of its best epoch.

    The weights are kept in memory, where `torchtuples.callbacks.EarlyStopping` writes a file into the working
    directory; every fit starts afresh.

    Parameters
    ----------
    patience : int
        Epochs without a better value after which training stops.
    metric, dataset : str
        What is watched: by default the loss on validation rows, penalties included. The negative log-likelihood
        alone, ``"nll"``, would go back to the dense early epochs of a net that learns to close gates.
    min_delta : float
        A value must be lower than the best by more than this to count as better.

    Attributes
    ----------
    best : float
        The lowest value of the last fit.
    best_epoch : int
        Its epoch, from 0, within that fit; -1 where no epoch had a number.
    """

    def __init__(self, patience: int = 10, metric: str = "loss", dataset: str = "val", min_delta: float = 0.0):
        super().__init__(metric, dataset)
        self.patience, self.min_delta = patience, min_delta

    def on_fit_start(self) -> None:
        self.best, self.epoch, self.best_epoch = float("inf"), -1, -1
        self._keep()

    def on_epoch_end(self) -> bool:
        self.epoch += 1
        value = self.latest()
        if value < self.best - self.min_delta:
            self.best, self.best_epoch = value, self.epoch
            self._keep()
        return self.epoch - self.best_epoch >= self.patience

    def on_fit_end(self) -> None:
        self.model.net.load_state_dict(self.weights)
        del self.weights

    def _keep(self) -> None:
        self.weights = {name: value.clone() for name, value in self.model.net.state_dict().items()}


class LRScheduler(_Watching):
    """Move the learning rate by a scheduler of `torch.optim.lr_scheduler`, once after every epoch.

    Parameters
    ----------
    make : callable
        Makes the scheduler of an optimizer: ``lambda optimizer: ExponentialLR(optimizer, gamma=0.97)``. Every fit
        makes a new one.
    metric, dataset : str
        What ``ReduceLROnPlateau`` watches; other schedulers watch nothing.
    """

    def __init__(self, make: Callable, metric: str = "loss", dataset: str = "val"):
        super().__init__(metric, dataset)
        self.make = make

    def on_fit_start(self) -> None:
        self.scheduler = self.make(self.model.optimizer.optimizer)

    def on_epoch_end(self) -> None:
        plateau = isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        self.scheduler.step(*([self.latest()] if plateau else []))
