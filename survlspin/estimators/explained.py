"""What a fitted net says of each patient: what the factors that it used did to the log-hazard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..factors import Basis, Explanation, shapley
from ..nets import Net
from ..train.evaluate import CHUNK

BLOCK = 20_000  # patients explained at a time


@dataclass(eq=False)
class Explainer:
    """A net of M members, in float64, that explains patients.

    Parameters
    ----------
    net : Net
        In evaluation mode.
    center : array (M, K)
        What is subtracted from the members' outputs.
    group : int array (p,)
        The factor of each column.
    basis : Basis
    """

    net: Net
    center: np.ndarray
    group: np.ndarray
    basis: Basis

    def __post_init__(self):
        self.alone = [self.net.rows([m]) for m in range(self.basis.members)]
        one_each = np.array_equal(self.group, np.arange(len(self.basis.factors)))
        self.first = None if one_each else np.unique(self.group, return_index=True)[1]  # each factor's first column

    def blocks(self, x: Tensor, values: pd.DataFrame) -> Iterator[Explanation]:
        """Explain the rows `x` (n, p), whose factors have the `values` (n, G); one block at least."""
        size = max(min(BLOCK, CHUNK // self.basis.members), 1)
        for start in range(0, max(len(x), 1), size):
            rows = slice(start, start + size)
            yield self.explain(x[rows], values.iloc[rows])

    @torch.no_grad()
    def explain(self, x: Tensor, values: pd.DataFrame) -> Explanation:
        """Explain a block of rows."""
        basis = self.basis
        eta, parts = self.net(x)
        selected = self.net.selected(parts)
        opened = self._by_factor(np.logical_or, selected)  # (M, n, G)
        differs = self._by_factor(np.logical_or, x[None] != 0)[0]  # elsewhere a factor has no effect
        own, start = self._terms(x, parts) if basis.linear else self._shapley(x, parts, opened & differs)
        if basis.context.any():
            own[..., basis.context] = self._shares(x, differs)
        own[:, ~(opened.any(0) | basis.context)] = np.nan
        return Explanation(
            **vars(basis),
            index=values.index,
            values=values,
            gate=self._by_factor(np.maximum, parts.get("gate", selected)).mean(0),
            agreement=np.where(basis.context, basis.members, opened.sum(0)).astype(np.int16),
            effects=own.mean(0),
            low=own.min(0),
            high=own.max(0),
            baseline=np.broadcast_to((start - self.center[:, [basis.output]]).mean(0), len(x)),
            log_risks=eta.double().cpu().numpy() - self.center[:, None],
        )

    def _terms(self, x: Tensor, parts: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """Return a linear net's terms (M, n, G), and the outputs at the reference (M, 1)."""
        own = self._by_factor(np.add, parts["coef"][..., self.basis.output] * x)
        return own, self.net(torch.zeros_like(x[:1]))[0][..., self.basis.output].cpu().numpy()

    def _shapley(self, x: Tensor, parts: dict[str, Tensor], plays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the Shapley values (M, n, G) of factors that play, gates held, and the outputs without them (M, n)."""
        gates = parts.get("gate", [None] * len(self.alone))
        games = []
        for net, gate, own in zip(self.alone, gates, plays & ~self.basis.context, strict=True):

            def answer(kept: Tensor, rows: np.ndarray, net: Net = net, gate: Tensor | None = gate) -> Tensor:
                return net.held(kept, None if gate is None else gate[rows])

            games.append(self._game(answer, x, self.group, own))
        shares, start = zip(*games, strict=True)
        return np.stack(shares), np.stack(start)

    def _shares(self, x: Tensor, differs: np.ndarray) -> np.ndarray:
        """Return the Shapley values (M, n, C) of the C context factors in the main effect of context."""
        seen, context = x[:, self.net.context], self.basis.context
        group = np.unique(self.group[context[self.group]], return_inverse=True)[1]
        nets = [lambda kept, _, net=net: net.main_effect(kept[None]) for net in self.alone]
        return np.stack([self._game(net, seen, group, differs[:, context])[0] for net in nets])

    def _game(
        self, answer: Callable[[Tensor, np.ndarray], Tensor], x: Tensor, group: np.ndarray, plays: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the Shapley values of factors that play, and the answer with none of them."""

        def value(rows: np.ndarray, keep: np.ndarray) -> np.ndarray:
            kept = x[rows] * torch.from_numpy((keep | ~plays[rows])[:, group]).to(x.device)
            return answer(kept, rows)[0, :, self.basis.output].cpu().numpy()

        return shapley(value, plays), value(np.arange(len(x)), np.zeros_like(plays))

    def _by_factor(self, reduce: np.ufunc, cells: Tensor) -> np.ndarray:
        """Reduce (M, n, p) cells to (M, n, G), each row by itself: the answer does not depend on the block."""
        values = cells.cpu().numpy()
        return values if self.first is None else reduce.reduceat(values, self.first, axis=-1)
