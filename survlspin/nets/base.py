"""The interface of every net. It is written for B models at once: parameters carry a leading dimension B."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..heads import Head
from .layers import Norm, truncated_normal_

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
    """

    n_gates = 0
    init_std = 0.1

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

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the penalties in the loss by name, each (B,); the names are the keys of ``lam``."""
        return {}

    @abstractmethod
    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        """Return which columns each row's answer uses, bool (B, n, p), from the parts of an evaluation pass."""

    @property
    def normed(self) -> bool:
        """Whether the net has norms, whose statistics are those of its last pass in training mode."""
        return any(isinstance(module, Norm) for module in self.modules())

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
        net.models = len(index)
        net._set(lambda name: self._get(name)[index.to(self._get(name).device)].clone())
        return net

    def put(self, nets: Sequence[Net]) -> Net:
        """Take on the models of all `nets`, which are of this net's architecture, in place of its own."""
        self.models = sum(net.models for net in nets)
        self._set(lambda name: torch.cat([net._get(name) for net in nets]))
        return self

    def _get(self, name: str) -> Tensor:
        module, _, attribute = name.rpartition(".")
        return getattr(self.get_submodule(module), attribute).detach()

    def _set(self, values: Callable[[str], Tensor]) -> None:
        """Replace what has a leading dimension for the models: parameters, and the statistics of norms."""
        for name in [name for name, _ in self.named_parameters()]:
            module, _, attribute = name.rpartition(".")
            self.get_submodule(module)._parameters[attribute] = nn.Parameter(values(name))
        for name, module in self.named_modules():
            if isinstance(module, Norm):
                module.mean, module.var = values(f"{name}.mean"), values(f"{name}.var")


def spread(rows: Tensor, models: int) -> Tensor:
    """Return ``(T, ...)`` repeated to ``(B, ...)``, each set of rows serving B / T models in a row."""
    shared, rest = len(rows), rows.shape[1:]
    return rows.unsqueeze(1).expand(shared, models // shared, *rest).reshape(models, *rest)
