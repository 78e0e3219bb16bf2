"""Which rows are alike, and what their gates have in common: the penalties on pairs of rows.

Yang, Lindenbaum, Kluger: Locally Sparse Neural Networks for Tabular Biomedical Data, ICML 2022.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from .._messages import nearest
from ..errors import InputError
from .base import spread

PAIRED = 512  # rows whose pairs are looked at together; a longer batch is a row of such blocks


class Affinity(ABC):
    """How much alike two rows are, from 0 to 1.

    Parameters
    ----------
    columns : sequence of int, optional
        The columns of the design that the comparison looks at; None: all of them.
    """

    def __init__(self, columns: Sequence[int] | None = None):
        self.columns = None if columns is None else list(columns)
        if columns is not None and (len(columns) == 0 or min(columns) < 0):
            raise _no_such_columns(columns)

    @abstractmethod
    def kernel(self, x: Tensor, label: Tensor | None, present: Tensor) -> Tensor:
        """Return the affinity K (T, m, m), symmetric, of the rows `x` (T, m, p).

        Parameters
        ----------
        label : Tensor (T, m, 1), optional
            The rows' classes, where classes are predicted.
        present : Tensor (T, m), bool
            Rows of positive weight; the others must not have an influence on these rows' affinity.
        """

    def seen(self, x: Tensor) -> Tensor:
        """Return the columns of `x` to compare."""
        return x if self.columns is None else x[..., self.columns]


def _no_such_columns(columns: Sequence[int]) -> InputError:
    return InputError("SL-434", f"columns={columns!r}.", "Name the columns to compare by number, from 0.")


class RBF(Affinity):
    """``exp(-|x_i - x_j|^2 / (2 h^2))``.

    Parameters
    ----------
    bandwidth : float, optional
        h; None: the median distance between two rows of the batch.
    columns : see `Affinity`
    """

    def __init__(self, bandwidth: float | None = None, columns: Sequence[int] | None = None):
        super().__init__(columns)
        if bandwidth is not None and not 0 < bandwidth < math.inf:
            raise InputError("SL-434", f"bandwidth={bandwidth!r}.", "Give a positive number, or None for the median.")
        self.bandwidth = bandwidth

    def kernel(self, x: Tensor, label: Tensor | None, present: Tensor) -> Tensor:
        x = self.seen(x)
        x = x - x[:, :1]
        square = (x * x).sum(-1)  # (T, m)
        distance = (square[:, :, None] + square[:, None] - 2 * x @ x.transpose(1, 2)).clamp(min=0)  # squared
        if self.bandwidth is not None:
            return torch.exp(distance / (-2 * self.bandwidth**2))
        pair = torch.triu(present[:, :, None] & present[:, None], 1)
        middle = torch.where(pair, distance, torch.nan).flatten(1).nanmedian(1).values.nan_to_num(nan=0.0)  # (T,)
        return torch.exp(distance / (-2 * middle.clamp(min=torch.finfo(x.dtype).tiny))[:, None, None])


class Nearest(Affinity):
    """1 where one of two rows is among the other's nearest neighbours, else 0.

    Parameters
    ----------
    neighbors : int
        How many nearest rows of the batch are neighbours, and all others as near as the last of these.
    columns : see `Affinity`
    """

    def __init__(self, neighbors: int = 10, columns: Sequence[int] | None = None):
        super().__init__(columns)
        if not (isinstance(neighbors, int) and neighbors >= 1):
            raise InputError("SL-434", f"neighbors={neighbors!r}.", "Give a whole number from 1.")
        self.neighbors = neighbors

    def kernel(self, x: Tensor, label: Tensor | None, present: Tensor) -> Tensor:
        x = self.seen(x)
        distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")  # equal distances are equal
        absent = ~present[:, None] | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        distance = distance.masked_fill(absent, torch.inf)  # (T, m, m) from i to its possible neighbours j
        radius = distance.kthvalue(min(self.neighbors, x.shape[1]), -1, keepdim=True).values
        near = distance <= radius
        return (near | near.transpose(1, 2)).to(x.dtype)


class SameLabel(Affinity):
    """1 where two rows have the same label, else 0.

    Parameters
    ----------
    columns : sequence of int, optional
        The columns of the design whose values, all of them together, are a row's label; None: the class to be
        predicted, for a classification.
    """

    def kernel(self, x: Tensor, label: Tensor | None, present: Tensor) -> Tensor:
        if self.columns is not None:
            label = self.seen(x)  # (T, m, columns)
        if label is None:
            found = 'affinity="label" compares the classes to be predicted, but the outcome has none.'
            raise InputError("SL-435", found, "Name the columns of the design that are the label.")
        same = torch.ones(len(x), x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        for column in label.unbind(-1):
            same &= column[:, :, None] == column[:, None]
        return same.to(x.dtype)


AFFINITIES: dict[str, type[Affinity]] = {"rbf": RBF, "knn": Nearest, "label": SameLabel}


def make_affinity(affinity: str | Affinity | None, p: int | None = None, **parameters) -> Affinity | None:
    """Return the affinity called `affinity` with its parameters; one that is made already, or None, as it is.

    Parameters
    ----------
    affinity : {"rbf", "knn", "label"}, Affinity or None
    p : int, optional
        Columns of the design it is for.
    **parameters
        Of `RBF`, `Nearest` or `SameLabel`.

    Raises
    ------
    InputError
        SL-433 where there is no such affinity; SL-434 where a parameter cannot be used.

    Examples
    --------
    >>> make_affinity("knn", neighbors=5).neighbors
    5
    """
    if isinstance(affinity, Affinity):
        if p is not None and affinity.columns is not None and max(affinity.columns) >= p:
            raise _no_such_columns(affinity.columns)
        return affinity
    if affinity is None:
        return None
    if affinity not in AFFINITIES:
        found = f"affinity={affinity!r}{nearest(str(affinity), AFFINITIES)}."
        raise InputError("SL-433", found, f"Use None or one of {', '.join(AFFINITIES)}.")
    return AFFINITIES[affinity](**parameters)


def pair_penalties(
    affinity: Affinity, z: Tensor, x: Tensor, weight: Tensor, label: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return by how much the gates of like rows differ, and the negative of how much those of unlike rows do.

    Parameters
    ----------
    z : Tensor (B, m, G)
        Gates.
    x : Tensor (m, p) or (T, m, p)
        Rows; with T < B each set of rows serves B / T models in a row.
    weight : Tensor (T, m)
        Case weights w.
    label : Tensor (T, m, 1), optional
        The rows' classes, where classes are predicted.

    Returns
    -------
    stability : Tensor (B,)
        The mean over pairs of rows, of weight w_i w_j, of ``K_ij |z_i - z_j|^2``.
    diversity : Tensor (B,)
        The mean of ``-(1 - K_ij) |z_i - z_j|^2``.

    Notes
    -----
    The pairs are those of rows in one block of 512; a batch of at most that many rows is one block, in which the
    order of rows does not matter. A pair of a row with itself counts, with difference 0. From
    ``|z_i - z_j|^2 = |z_i|^2 + |z_j|^2 - 2 z_i z_j`` follows a cost of O(512 m G), and no tensor of a model is larger
    than (512, 512) or (m, G).
    """
    sets = max(len(x), len(weight))
    x, weight, label = spread(x, sets), spread(weight, sets), None if label is None else spread(label, sets)
    share = (weight / weight.sum(1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)).to(z.dtype)
    near, every, mass = z.new_zeros(len(z)), z.new_zeros(len(z)), z.new_zeros(len(share))
    for start in range(0, z.shape[1], PAIRED):
        block = slice(start, start + PAIRED)
        own = share[:, block]
        with torch.no_grad():
            kernel = affinity.kernel(x[:, block], None if label is None else label[:, block], own > 0)
        of_near, of_every = _differences(z[:, block], own, kernel)
        near, every, mass = near + of_near, every + of_every, mass + own.sum(1) ** 2
    mass = mass.repeat_interleave(len(z) // len(mass)).clamp(min=torch.finfo(z.dtype).tiny)
    return near / mass, (near - every) / mass


def _differences(z: Tensor, share: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums (B,) over pairs of ``w_i w_j K_ij |z_i - z_j|^2`` and of ``w_i w_j |z_i - z_j|^2``."""
    sets = len(share)
    z = z.view(sets, -1, *z.shape[1:]).transpose(1, 2)  # (T, m, R, G)
    z = z - (share[..., None, None] * z).sum(1, keepdim=True).detach()  # differences stay, and lose fewer digits
    pairs = share[:, :, None] * kernel * share[:, None]  # (T, m, m)
    square = (z * z).sum(-1)  # (T, m, R)
    cross = (z * torch.bmm(pairs, z.flatten(2)).view_as(z)).sum((1, 3))  # (T, R)
    near = (pairs.sum(2)[..., None] * square).sum(1) - cross
    mean = (share[..., None, None] * z).sum(1)  # (T, R, G)
    every = share.sum(1)[:, None] * (share[..., None] * square).sum(1) - (mean * mean).sum(-1)
    return 2 * near.flatten(), 2 * every.flatten()
