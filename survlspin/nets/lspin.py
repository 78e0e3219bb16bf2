"""LSPIN and LLSPIN: a gating net chooses, row by row, the columns a prediction net may use.

Yang, Lindenbaum, Kluger: Locally Sparse Neural Networks for Tabular Biomedical Data, ICML 2022.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ..errors import InputError
from ..heads import Cox, Head
from .affinity import Affinity, make_affinity, pair_penalties
from .base import Net, row_mean, spread
from .layers import MLP, activation, check_sigma, group_codes, open_probability

if TYPE_CHECKING:
    from ..train.step import Batch


class _Gated(Net):
    """Gates from a tanh net on the row's columns (or its context columns), times the row, into a predictor.

    Parameters
    ----------
    hidden : sequence of int
        Hidden widths of the prediction net.
    act : callable or None
        Its activation; None makes it a deep linear map.
    norm : bool
        A norm before every layer of the prediction net, as in the reference code.
    gate_hidden : sequence of int
        Hidden widths of the gating net. Its activation, on the output too, is tanh, so that mu is in (-1, 1) and
        every gate can both open and close.
    sigma : float
        Standard deviation of the noise on the gates in training.
    group : sequence of int (p,), optional
        The gate of each column, numbered from 0: one gate per factor. None: one gate per column, as in the paper.
    context : sequence of int, optional
        Columns that alone the gating net sees. They leave the gated input and enter as a main effect of their own,
        a small net b(c) - b(0). None: the gates see every column, as in the paper. Empty: they see none, and are the
        same for all rows.
    affinity : {"rbf", "knn", "label"} or Affinity, optional
        Which rows are alike (see `survlspin.nets.affinity`, whose objects take parameters). It gives the net two more
        penalties: "stability", which draws the gates of like rows together, and "diversity", which
        drives those of unlike rows apart. None: neither.
    target : float, optional
        How many gates to leave open: the penalty "gates" is then the excess of the expected number of open gates over
        that of `target` gates wide open and the others firmly closed. None: that number itself.
    """

    penalty_names: tuple[str, ...] = ("gates",)
    column: Tensor | None
    context: Tensor | None
    gated: Tensor | None

    def __init__(
        self,
        p: int,
        head: Head | None,
        hidden: Sequence[int],
        act: Callable[[Tensor], Tensor] | None,
        *,
        norm: bool = False,
        gate_hidden: Sequence[int] = (16,),
        sigma: float = 0.5,
        group: Sequence[int] | None = None,
        context: Sequence[int] | None = None,
        affinity: str | Affinity | None = None,
        target: float | None = None,
        models: int = 1,
    ):
        super().__init__(p, Cox() if head is None else head, models)
        self.affinity = make_affinity(affinity, p)
        if self.affinity is not None:
            self.penalty_names = ("gates", "stability", "diversity")
        check_sigma(sigma)
        self.sigma = sigma
        seen = torch.as_tensor([] if context is None else list(context), dtype=torch.long)
        gated = torch.ones(p, dtype=torch.bool).index_fill(0, seen, False)
        gate_of = group_codes(range(p) if group is None else group, p)
        gates, place = gate_of[gated].unique(return_inverse=True)
        self.n_gates = len(gates)
        if self.n_gates == 0:
            raise InputError("SL-404", "every column is context; no gate is left.", "Leave some columns gated.")
        column = torch.full((p,), self.n_gates).masked_scatter(gated, place)  # context columns: the gate that is 1
        each = not len(seen) and torch.equal(column, torch.arange(p))  # every column has the gate of its number
        self.register_buffer("column", None if each else column, persistent=False)
        self.register_buffer("context", None if context is None else seen, persistent=False)
        self.register_buffer("gated", gated if len(seen) else None, persistent=False)
        self.spared = 0.0 if target is None else _spared(target, self.n_gates, sigma)
        self.gating = MLP(models, (p if context is None else len(seen), *gate_hidden, self.n_gates), torch.tanh)
        self.main = MLP(models, (len(seen), *gate_hidden, self.k), torch.tanh, bias=False) if len(seen) else None
        self.predictor = MLP(models, (p, *hidden, self.k), act, norm=norm, bias=self.bias)

    @abstractmethod
    def _output(self, x: Tensor, weight: Tensor | None, parts: dict[str, Tensor]) -> Tensor:
        """Return the prediction net's output (B, n, k) on its input, the rows `x` gated; it may add to `parts`."""

    def forward(self, x: Tensor, noise: Tensor | None = None, weight: Tensor | None = None):
        x = spread(x if x.dim() == 3 else x[None], self.models)  # (B, n, p)
        weight = None if weight is None else spread(weight, self.models)
        seen = x if self.context is None else x[..., self.context]
        mu = torch.tanh(self.gating(seen))  # (B, n, G)
        z = (mu + 0.5 if noise is None else torch.add(mu + 0.5, noise, alpha=self.sigma)).clamp(0, 1)
        gate = z if self.column is None else torch.cat([z, torch.ones_like(z[..., :1])], -1)[..., self.column]
        gated = x if self.gated is None else x * self.gated
        parts = {"gate": gate, "mu": mu, "z": z, "input": gate * gated}
        eta = self._output(gated, weight, parts)
        if self.main is not None:
            main = self.main_effect(seen)
            eta, parts["offset"] = eta + main, parts.get("offset", 0.0) + main
        return eta, parts

    def main_effect(self, seen: Tensor) -> Tensor:
        """Return what context columns (B, n, c) add by themselves, (B, n, k): 0 at the reference."""
        main = cast("MLP", self.main)
        return main(seen) - main(torch.zeros_like(seen[:, :1]))

    def begin(self, x: Tensor, gate: Tensor) -> Tensor:
        return self.predictor.begin(gate * (x if self.gated is None else x * self.gated))

    def finish(self, h: Tensor) -> Tensor:
        return self.predictor.finish(h)

    def penalties(self, parts: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the penalty on open gates and, with an affinity, those on pairs of rows.

        "gates" is the expected number of open gates, as the (weighted) mean over rows (paper, Eq. 4).
        """
        mean = row_mean(open_probability(parts["mu"], self.sigma).sum(-1), batch.target.weight)
        values = {"gates": (mean - self.spared).clamp(min=0)}
        if self.affinity is not None:
            label = self.head.label(batch.target)
            pairs = pair_penalties(self.affinity, parts["z"], batch.x, batch.target.weight, label)
            values["stability"], values["diversity"] = pairs
        return values

    def selected(self, parts: dict[str, Tensor]) -> Tensor:
        return parts["gate"] > 0


def _spared(target: float, gates: int, sigma: float) -> float:
    """Return the expected number of open gates when `target` of them have mu = 1 and the others mu = -1."""
    if not 0 <= target < gates:
        raise InputError("SL-436", f"target={target!r} of {gates} gates.", "Give a number from 0 to less than that.")
    opened, closed = open_probability(torch.tensor([1.0, -1.0], dtype=torch.float64), sigma).tolist()
    return target * opened + (gates - target) * closed


class LSPIN(_Gated):
    """The gated row into a nonlinear prediction net.

    Parameters
    ----------
    p, head : see `Net`
    hidden : sequence of int
        Hidden widths of the prediction net.
    act : {"tanh", "relu", "leaky_relu", "silu"}
        Its activation.
    norm, gate_hidden, sigma, group, context, affinity, target, models : see `_Gated`
    """

    def __init__(self, p: int, hidden: Sequence[int] = (16,), head: Head | None = None, *, act: str = "tanh", **gating):
        super().__init__(p, head, hidden, activation(act), **gating)

    def _output(self, x: Tensor, weight: Tensor | None, parts: dict[str, Tensor]) -> Tensor:
        return self.predictor(parts["input"], weight)


class LLSPIN(_Gated):
    """The gated row into one affine map: each row has its own sparse linear model.

    Parameters
    ----------
    p, head : see `Net`
    hidden : sequence of int
        Widths of a deep linear parameterisation, as in the reference code; it is one affine map all the same, and
        ``parts["coef"]`` is made from it. Empty: the affine map itself.
    norm, gate_hidden, sigma, group, context, affinity, target, models : see `_Gated`
    """

    def __init__(self, p: int, hidden: Sequence[int] = (), head: Head | None = None, **gating):
        super().__init__(p, head, hidden, None, **gating)

    def _output(self, x: Tensor, weight: Tensor | None, parts: dict[str, Tensor]) -> Tensor:
        if self.training:
            return self.predictor(parts["input"], weight)
        coef, intercept = self.predictor.collapse()
        parts["offset"] = intercept.expand(-1, x.shape[1], -1)
        if self.gated is not None:
            coef = coef * self.gated[:, None]
        parts["coef"] = parts["gate"][..., None] * coef[:, None]
        return torch.einsum("bnpk,bnp->bnk", parts["coef"], x) + parts["offset"]
