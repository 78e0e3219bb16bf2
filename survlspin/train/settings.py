"""How a stack is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

LEAST_EPOCHS, LEAST_STEPS = 30, 3_000


@dataclass(frozen=True)
class Settings:
    """How a stack is trained.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training rows at most; None: 30, or on small data as many as make 3,000 steps.
    batch_size : int, optional
        Rows per step; None: all (full batch).
    lr : float
        Learning rate.
    optimizer : {"adam", "adamw", "sgd"}
    weight_decay : float
    patience : int
        Evaluations without a better validation objective after which a model stops. There is one per epoch, but at
        most one per 20 steps, and one per 200 steps of a longer epoch.
    average : float
        The weights that are evaluated and kept are an exponential moving average with this decay; 0: no average.
    warm_up : dict
        Epochs at the start in which a penalty, by its name, does not count in the steps. It counts in every validation
        objective, so that these stay comparable; no model stops before the last warm-up has ended.
    """

    epochs: int | None = None
    batch_size: int | None = 256
    lr: float = 3e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    patience: int = 3
    average: float = 0.99
    warm_up: Mapping[str, int] = field(default_factory=dict)

    def epochs_of(self, batches: Tensor) -> Tensor:
        """Return the most epochs of models whose epochs have so many `batches` (B,)."""
        if self.epochs is not None:
            return torch.full_like(batches, self.epochs)
        return torch.ceil(LEAST_STEPS / batches).long().clamp(min=LEAST_EPOCHS)
