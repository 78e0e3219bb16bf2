"""One data set prepared for training, and the models that are fitted to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..design import Design
from ..errors import InputError
from ..heads import Head, Target
from ..nets import Net
from ..outcome import Outcome
from ..response import Response
from ..train import Data, History, Settings, fit, predict
from ..train.fit import nothing_learnt, penalty_weights, seeded
from .progress import progress_bar

STEP_ROWS = 256  # larger batches count as more than one step where steps are limited
NEWTON_STEPS = 20  # to the best constant output, at most


@dataclass(frozen=True, eq=False)
class Problem:
    """One data set prepared for training: what the models of a fit or a path share.

    Attributes
    ----------
    design : Design
        Fitted on all rows of `data`.
    data, valid : Data
        The rows of `fit`, and those that validate; without ``validation_data`` one data set is both.
    rows, valid_rows : int array
        The rows of `data` that train, and those of `valid` that validate (none: ``valid`` is None).
    outcome : Outcome or Response
        Of all rows of `data`.
    terms : dict
        What predictions are made of besides outputs, as fitted attributes: classes, the unit of y.
    seeds : list of int
        One per member: weights, batches and noise.
    """

    head: Head
    design: Design
    data: Data
    rows: np.ndarray
    valid: Data | None
    valid_rows: np.ndarray
    outcome: Outcome | Response
    terms: dict[str, object]
    seeds: list[int]
    settings: Settings
    verbose: bool

    def limited(self, steps: int) -> Problem:
        """Return the problem with epochs for about `steps` steps at most (of larger batches fewer), but two or more."""
        batch = self.settings.batch_size or len(self.rows)
        epochs = max(math.ceil(steps * min(batch, STEP_ROWS) / len(self.rows)), 2)
        epochs = epochs if self.settings.epochs is None else min(epochs, self.settings.epochs)
        return replace(self, settings=replace(self.settings, epochs=epochs))

    def initialize(self, make: Callable[[int], Net], points: int = 1) -> Net:
        """Return the untrained members, once for every point of a path."""
        seeds = self.seeds * points
        return make(len(seeds)).initialize(seeded(seeds)).to(self.data.x.device)

    def fit(self, net: Net, lam: dict[str, Sequence[float]], label: str) -> History:
        """Train `net`, whose models are the members at the first lambda, the members at the second, ...

        SL-417 where the training of all of them leaves the numbers before anything is learnt.
        """
        members = len(self.seeds)
        weights = penalty_weights(net, {name: np.repeat(value, members) for name, value in lam.items()})
        with progress_bar(label, self.verbose) as progress:
            history = fit(
                net, self.head, self.data, [self.rows], weights, seeded(self.seeds * (net.models // members)),
                self.settings, self.valid, [self.valid_rows], progress,
            )  # fmt: skip
        if history.in_vain.all():
            raise nothing_learnt(history)
        return history

    def training(self) -> tuple[Tensor, Target]:
        """Return design and target of the rows that train."""
        return _part(self.data, self.rows)

    def validation(self) -> tuple[Tensor, Target]:
        """Return design and target of the rows that validate.

        Raises
        ------
        InputError
            SL-410 where there are none.
        """
        if self.valid is None:
            raise InputError("SL-410", "a path needs rows to choose lambda on.", "Give validation_data.")
        return _part(self.valid, self.valid_rows)

    def centers(self, net: Net) -> Tensor:
        """Return what is subtracted from each model's outputs (B, k): their mean over training rows, or 0.

        Only where an intercept has no meaning is it free to choose.
        """
        if not self.head.free_intercept:
            return torch.zeros(net.models, net.k, dtype=torch.float64, device=self.data.x.device)
        x, target = self.training()
        weight = target.weight[..., None]  # (1, n, 1)
        return (predict(net, x).double() * weight).sum(1) / weight.sum()

    def outputs(self, net: Net, center: Tensor, x: Tensor) -> Tensor:
        """Return the members' mean centred outputs at each point of a path, (points, n, k)."""
        eta = predict(net, x).double() - center[:, None]
        return eta.view(-1, len(self.seeds), *eta.shape[1:]).mean(1)

    def null(self) -> Tensor:
        """Return the best constant output for the training rows, (1, 1, k)."""
        eta = torch.zeros(1, 1, self.head.k, dtype=torch.float64, device=self.data.x.device)
        if self.head.free_intercept:
            return eta
        x, target = self.training()
        one = torch.ones(1, len(x), 1, dtype=torch.float64, device=x.device)
        for _ in range(NEWTON_STEPS):
            expansion = self.head.quadratic(eta.expand(1, len(x), -1), target)
            step = torch.linalg.pinv(expansion.sandwich(one)) @ expansion.gradient.sum(1)[..., None]  # (1, k, 1)
            eta = eta - step.transpose(1, 2)
        return eta


def _part(data: Data, rows: np.ndarray) -> tuple[Tensor, Target]:
    index = torch.from_numpy(rows).to(data.x.device)
    return data.x[index], data.target.take(index[None])
