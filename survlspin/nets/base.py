"""The interface of every net. It is written for B models at once: parameters carry a leading dimension B."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..heads import Head
from .layers import truncated_normal_

if TYPE_CHECKING:
    from ..train.step import Batch


class Net(nn.Module, ABC):
    """B models of one architecture, trained as one.

    Parameters
    ----------
    p : int
        Columns of the design matrix.
    head : Head
        What the output means; it gives the number of outputs and says whether an output bias has a meaning.
    models : int
        B.

    Attributes
    ----------
    n_gates : int
        Columns of the noise a training pass takes; 0 where the net takes none.
    penalty_names : tuple of str
        The names that ``lam`` may have: of the penalties in the loss, and of those that `prox` and `solve` act on.

    Notes
    -----
    What models have of their own is what the state dict holds: parameters and persistent buffers, all with the
    leading dimension B. Buffers that describe the architecture are not persistent.
    """

    n_gates = 0
    init_std = 0.1
    penalty_names: tuple[str, ...] = ()

    def __init__(self, p: int, head: Head, models: int = 1):
        super().__init__()
        self.p, self.head, self.k, self.bias, self.models = p, head, head.k, not head.free_intercept, models

    @abstractmethod
    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        """Return the outputs ``eta`` (B, n, k) and the dict ``parts`` of what led to them.

        Parameters
        ----------
        x : Tensor (n, p) or (T, n, p)
            Design rows; with T < B each set of rows serves B / T models in a row.
        noise : Tensor (B, n, n_gates), optional
            Standard normal draws, in training.
        weight : Tensor (T, n), optional
            Case weights, for norms over rows.

        Notes
        -----
        In evaluation mode ``parts["gate"]`` is (B, n, p), where the net has gates, and ``parts["coef"]`` (B, n, p, k)
        and ``parts["offset"]`` (B, n, k), where it is locally linear:
        ``eta = sum_p coef * x + offset`` holds exactly.
        """

    def predict(self, x: Tensor) -> Tensor:
        """Return the outputs alone; ``(n, k)`` for a single model and plain rows ``(n, p)``."""
        eta = self(x)[0]
        return eta[0] if x.dim() == 2 and self.models == 1 else eta

    def begin(self, x: Tensor, gate: Tensor) -> Tensor:
        """Return the sums (B, n, h) from which `finish` makes outputs: affine in `x` (B, n, p), in evaluation mode.

        Gates that depend on the row are held at `gate` (B, n, p); a main effect of context columns is left out.
        """
        return x

    def finish(self, h: Tensor) -> Tensor:
        """Return the outputs (B, n, k) from what `begin` returned."""
        return self(h)[0]

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the penalties in the loss by name, each (B,); the names are keys of ``lam``."""
        return {}

    def solve(self, batch: Batch, head: Head, lam: dict[str, Tensor]) -> None:
        """Compute, before a gradient step, what is not learnt by gradients: in place, from the batch."""

    def refresh(self, batch: Batch, head: Head, lam: dict[str, Tensor]) -> None:
        """Make what is not learnt by gradients from all training rows: in a pass in training mode, and solved."""
        self.train()
        self(batch.x, None, batch.target.weight)
        self.eval()
        self.solve(batch, head, lam)

    def prox(self, lam: dict[str, Tensor], lr: Tensor) -> None:
        """Apply, after a gradient step, penalties that are not in the loss: in place.

        Parameters
        ----------
        lam : dict of Tensor (B,)
        lr : Tensor (B,)
            The length of the step; 0 for a model that did not move.
        """

    def nonsmooth(self, lam: dict[str, Tensor]) -> Tensor | float:
        """Return the value (B,) of the penalties that `prox` stands for, part of what validation watches."""
        return 0.0

    @abstractmethod
    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        """Return which columns each row's answer uses, bool (B, n, p), from the parts of an evaluation pass."""

    @property
    def derived(self) -> bool:
        """Whether some of the state is not learnt by gradients but made from all training rows before an evaluation.

        It is the net's persistent buffers: statistics of norms, taken in a pass in training mode, and what `solve`
        computes.
        """
        return len(self.state_dict()) > len(list(self.parameters()))

    def initialize(self, generators: Sequence[torch.Generator]) -> Net:
        """Draw each model's weights from its own generator (truncated normal), set its biases to 0."""
        for name, parameter in self.named_parameters():
            for model, generator in zip(parameter.detach(), generators, strict=True):
                if name.endswith("weight"):
                    truncated_normal_(model, self.init_std, generator)
        return self

    def rows(self, index: Sequence[int] | Tensor) -> Net:
        """Return a net of the models `index`, in that order; a model may be named more than once."""
        index = torch.as_tensor(index, dtype=torch.long)
        net = copy.deepcopy(self)
        net.adopt({name: value[index.to(value.device)] for name, value in self.state_dict().items()})
        return net

    def put(self, nets: Sequence[Net]) -> Net:
        """Take on the models of all `nets`, which are of this net's architecture, in place of its own."""
        states = [net.state_dict() for net in nets]
        return self.adopt({name: torch.cat([state[name] for state in states]) for name in states[0]})

    def adopt(self, state: dict[str, Tensor]) -> Net:
        """Take on a state dict of any number of models."""
        parameters = dict(self.named_parameters())
        for name, value in state.items():
            module, _, attribute = name.rpartition(".")
            owner = self.get_submodule(module)
            if name in parameters:
                owner._parameters[attribute] = nn.Parameter(value)
            else:
                owner._buffers[attribute] = value
            self.models = len(value)
        return self


def spread(rows: Tensor, models: int) -> Tensor:
    """Return ``(T, ...)`` repeated to ``(B, ...)``, each set of rows serving B / T models in a row."""
    shared, rest = len(rows), rows.shape[1:]
    return rows.unsqueeze(1).expand(shared, models // shared, *rest).reshape(models, *rest)


def row_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of `values` (B, n) over rows of weight (T, n), (B,); 0 where no row has any."""
    weight = spread(weight, len(values)).to(values.dtype)
    return (weight * values).sum(1) / weight.sum(1).clamp(min=torch.finfo(values.dtype).tiny)
