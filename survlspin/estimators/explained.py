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
from ..train.evaluate import padded

BLOCK = 10_000  # patients explained at a time
MOST = 40_000  # of them times members


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
        self.device = next(self.net.parameters()).device
        self.alone = [self.net.rows([m]) for m in range(self.basis.members)]
        one_each = np.array_equal(self.group, np.arange(len(self.basis.factors)))
        self.first = None if one_each else np.unique(self.group, return_index=True)[1]  # each factor's first column

    def blocks(self, x: Tensor, values: pd.DataFrame) -> Iterator[Explanation]:
        """Explain the rows `x` (n, p), whose factors have the `values` (n, G); one block at least."""
        size = max(min(BLOCK, MOST // self.basis.members), 1)
        for start in range(0, max(len(x), 1), size):
            rows = slice(start, start + size)
            yield self.explain(x[rows].double(), values.iloc[rows])

    @torch.no_grad()
    def explain(self, x: Tensor, values: pd.DataFrame) -> Explanation:
        """Explain a block of rows."""
        basis, whole = self.basis, self.net(padded(x))  # as predict asks: log-risks are the same to the last bit
        selected = self.net.selected(whole[1])[:, : len(x)]
        parts = {name: part[:, : len(x)] for name, part in whole[1].items() if name in ("gate", "coef")}
        gate = parts.get("gate", selected)
        opened = self._by_factor(np.logical_or, selected)  # (M, n, G)
        differs = self._by_factor(np.logical_or, x[None] != 0)[0]  # elsewhere a factor has no effect
        own, start = self._terms(x, parts) if basis.linear else self._shapley(x, gate, opened & differs)
        if basis.context.any():
            own[..., basis.context] = self._shares(x, differs)
        own[:, ~(opened.any(0) | basis.context)] = np.nan
        return Explanation(
            **vars(basis),
            index=values.index,
            values=values,
            gate=self._by_factor(np.maximum, gate).mean(0),
            agreement=np.where(basis.context, basis.members, opened.sum(0)).astype(np.int16),
            effects=own.mean(0),
            low=own.min(0),
            high=own.max(0),
            baseline=np.broadcast_to((start - self.center[:, [basis.output]]).mean(0), len(x)),
            log_risks=whole[0][:, : len(x)].cpu().numpy() - self.center[:, None],
        )

    def _terms(self, x: Tensor, parts: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """Return a linear net's terms (M, n, G), and the outputs at the reference (M, 1)."""
        own = self._by_factor(np.add, parts["coef"][..., self.basis.output] * x)
        return own, self.net(torch.zeros_like(x[:1]))[0][..., self.basis.output].cpu().numpy()

    def _shapley(self, x: Tensor, gates: Tensor, plays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the Shapley values (M, n, G) of factors that play, gates held, and the outputs without them (M, n)."""
        games = []
        for net, gate, own in zip(self.alone, gates, plays & ~self.basis.context, strict=True):

            def begin(part: Tensor, rows: np.ndarray, net: Net = net, gate: Tensor = gate) -> Tensor:
                return net.begin(part, gate[rows])

            games.append(self._game(begin, net.finish, x, self.group, own))
        shares, start = zip(*games, strict=True)
        return np.stack(shares), np.stack(start)

    def _shares(self, x: Tensor, differs: np.ndarray) -> np.ndarray:
        """Return the Shapley values (M, n, C) of the C context factors in the main effect of context."""
        seen, context = x[:, self.net.context], self.basis.context
        group = np.unique(self.group[context[self.group]], return_inverse=True)[1]
        games = []
        for net in self.alone:

            def begin(part: Tensor, rows: np.ndarray, net: Net = net) -> Tensor:
                return net.main.begin(part)

            games.append(self._game(begin, net.main.finish, seen, group, differs[:, context])[0])
        return np.stack(games)

    def _game(
        self,
        begin: Callable[[Tensor, np.ndarray], Tensor],
        finish: Callable[[Tensor], Tensor],
        x: Tensor,
        group: np.ndarray,
        plays: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the Shapley values of factors that play in ``finish(begin(x))``, and what it is with none of them.

        What each player adds to the sums of `begin`, which is affine, is worked once; coalitions only add it up.
        """
        nobody = x * ~self._tensor(plays[:, group])
        start = begin(nobody[None], np.arange(len(x)))[0]  # (n, h)

        def value(rows: np.ndarray, players: np.ndarray, inside: np.ndarray) -> np.ndarray:
            own = x[rows] * self._tensor(group == players.T[..., None])  # (k, r, p)
            adds = torch.stack([begin(one[None], rows)[0] for one in own]) - begin(0 * own[:1], rows)  # (k, r, h)
            sums = (self._tensor(inside).to(x) @ adds.flatten(1)).view(-1, *adds.shape[1:])  # (C, r, h)
            answer = finish(sums.add_(start[rows]).flatten(0, 1)[None])[0, :, self.basis.output]
            return answer.view(-1, len(rows)).T.cpu().numpy()

        return shapley(value, plays), finish(start[None])[0, :, self.basis.output].cpu().numpy()

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    def _by_factor(self, reduce: np.ufunc, cells: Tensor) -> np.ndarray:
        """Reduce (M, n, p) cells to (M, n, G), each row by itself: the answer does not depend on the block."""
        values = cells.cpu().numpy()
        return values if self.first is None else reduce.reduceat(values, self.first, axis=-1)
