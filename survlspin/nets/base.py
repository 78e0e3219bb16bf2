"""The interface of every net. It is written for B models at once: parameters carry a leading dimension B."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
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
        self.p, self.k, self.bias, self.models = p, head.k, not head.free_intercept, models

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
        for module in net.modules():
            for name, tensor in module._parameters.items():
                if tensor is not None:
                    module._parameters[name] = nn.Parameter(tensor.detach()[index.to(tensor.device)].clone())
            if isinstance(module, Norm):
                module.mean, module.var = module.mean[index.to(module.mean.device)], module.var[index.to(module.var.device)]
        return net


def join(nets: Sequence[Net]) -> Net:
    """Return one net of all models of `nets`, which are of one architecture."""
    joined = copy.deepcopy(nets[0])
    joined.models = sum(net.models for net in nets)
    for modules in zip(joined.modules(), *(net.modules() for net in nets), strict=True):
        module, parts = modules[0], modules[1:]
        for name, tensor in module._parameters.items():
            if tensor is not None:
                module._parameters[name] = nn.Parameter(torch.cat([part._parameters[name].detach() for part in parts]))
        if isinstance(module, Norm):
            module.mean = torch.cat([part.mean for part in parts])
            module.var = torch.cat([part.var for part in parts])
    return joined


def spread(rows: Tensor, models: int) -> Tensor:
    """Return ``(T, ...)`` repeated to ``(B, ...)``, each set of rows serving B / T models in a row."""
    shared, rest = len(rows), rows.shape[1:]
    return rows.unsqueeze(1).expand(shared, models // shared, *rest).reshape(models, *rest)
