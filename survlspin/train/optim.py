"""Optimisers on the rows of one buffer, each row a model with its own learning rate."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..errors import InputError
from ..nets import Net


class Buffer:
    """The parameters of a net's B models, laid side by side as the rows of one matrix ``value`` (B, P).

    The net's parameters become views of it.
    """

    def __init__(self, net: Net):
        self.parameters = list(net.parameters())
        self.value = torch.cat([p.detach().flatten(1) for p in self.parameters], 1)
        for p, value in zip(self.parameters, self.value.split([p[0].numel() for p in self.parameters], 1), strict=True):
            p.data = value.view(p.shape)

    def gradient(self, loss: Tensor) -> Tensor:
        """Return the gradient (B, P) of `loss`, a sum over models."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        return torch.cat([g.flatten(1) for g in gradients], 1)


class Optimizer(ABC):
    """Moves the rows of a buffer down their gradients. Its state is tensors (B, ...), so that models can leave."""

    def __init__(self, buffer: Tensor, weight_decay: float = 0.0):
        self.weight_decay = weight_decay
        self.state = {"steps": torch.zeros(len(buffer), dtype=torch.float64, device=buffer.device)}

    def step(self, value: Tensor, grad: Tensor, lr: Tensor, moved: Tensor) -> None:
        """Move the rows named by `moved` (B,), with learning rates `lr` (B,); the others keep value and state."""
        if bool(moved.all()):
            self.state["steps"] += 1
            value -= lr[:, None] * self._direction(value, grad, self.state)
            return
        rows = moved.nonzero()[:, 0]
        state = {name: tensor[rows] for name, tensor in self.state.items()}
        state["steps"] += 1
        value[rows] -= lr[rows, None] * self._direction(value[rows], grad[rows], state)
        for name, tensor in state.items():
            self.state[name][rows] = tensor

    def keep(self, rows: Tensor) -> None:
        """Forget every model but `rows`."""
        self.state = {name: tensor[rows] for name, tensor in self.state.items()}

    @abstractmethod
    def _direction(self, value: Tensor, grad: Tensor, state: dict[str, Tensor]) -> Tensor:
        """Return what is subtracted per unit of learning rate, and update `state`, whose steps are counted."""


class SGD(Optimizer):
    """Plain gradient descent, as in the LSPIN paper."""

    def _direction(self, value, grad, state):
        return grad + self.weight_decay * value if self.weight_decay else grad


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015); `weight_decay` is added to the gradient."""

    betas, eps, decoupled = (0.9, 0.999), 1e-8, False

    def __init__(self, buffer: Tensor, weight_decay: float = 0.0):
        super().__init__(buffer, weight_decay)
        self.state |= {"mean": torch.zeros_like(buffer), "square": torch.zeros_like(buffer)}

    def _direction(self, value, grad, state):
        if self.weight_decay and not self.decoupled:
            grad = grad + self.weight_decay * value
        (b1, b2), steps = self.betas, state["steps"][:, None]
        state["mean"].lerp_(grad, 1 - b1)
        state["square"].mul_(b2).addcmul_(grad, grad, value=1 - b2)
        root = (1 - b2**steps).sqrt()  # of the correction of the squares for their start at 0
        size = (root / (1 - b1**steps)).to(grad.dtype)
        direction = state["mean"] * size / (state["square"].sqrt() + (self.eps * root).to(grad.dtype))
        return direction + self.weight_decay * value if self.weight_decay and self.decoupled else direction


class AdamW(Adam):
    """Adam with the decay decoupled from the gradient (Loshchilov and Hutter 2019)."""

    decoupled = True


OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "sgd": SGD}


def make_optimizer(name: str, buffer: Buffer, weight_decay: float = 0.0) -> Optimizer:
    """Return the optimiser called `name` for the rows of `buffer`."""
    if name not in OPTIMIZERS:
        raise InputError("SL-405", f"optimizer={name!r}.", f"Use one of {', '.join(OPTIMIZERS)}.")
    return OPTIMIZERS[name](buffer.value, weight_decay)
