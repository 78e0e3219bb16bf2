"""Which factors can stand in for each other: their columns say nearly the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..design import Design

__all__ = ["ALIKE", "alike"]

ALIKE = 0.9  # |r| from which columns can stand in for each other


def alike(x: np.ndarray, design: Design, used: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the pairs of factors with columns that say nearly the same.

    Parameters
    ----------
    x : float array (n, p)
        The design of some rows.
    design : Design
    used : bool DataFrame (m, G), optional
        Which factors are listed for which rows.

    Returns
    -------
    DataFrame
        ``factor``, ``other``; ``r``, the largest of their columns; and the shares of rows for whom ``both`` are listed,
        or ``one`` of the two: nan where that is not known.

    Examples
    --------
    >>> table = pd.DataFrame({"size": [1.0, 2, 3, 4], "again": [2.0, 4, 6, 9], "age": [60.0, 40, 50, 55]})
    >>> design = Design.fit(table)
    >>> alike(design.transform(table), design)[["factor", "other"]].to_numpy().tolist()
    [['size', 'again']]
    """
    x = x - x.mean(axis=0)
    size = np.linalg.norm(x, axis=0)
    scale = np.outer(size, size)
    r = np.divide(x.T @ x, scale, out=np.zeros(scale.shape), where=scale > 0)
    names, group = [str(name) for name in design.factors], design.group
    pairs: dict[tuple[int, int], float] = {}
    for i, j in zip(*np.nonzero(np.triu(np.abs(r) > ALIKE, 1)), strict=True):
        pair = (int(group[i]), int(group[j]))
        if pair[0] != pair[1] and abs(r[i, j]) > abs(pairs.get(pair, 0.0)):
            pairs[pair] = float(r[i, j])
    cells = np.full((1, len(names)), np.nan) if used is None else used.to_numpy(dtype=float)
    rows = [
        (names[a], names[b], value, (cells[:, a] * cells[:, b]).mean(), np.abs(cells[:, a] - cells[:, b]).mean())
        for (a, b), value in pairs.items()
    ]
    return pd.DataFrame(rows, columns=["factor", "other", "r", "both", "one"])
