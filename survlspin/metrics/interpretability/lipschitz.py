"""Stability of explanations: how fast they change between patients who are near to one another."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ...errors import InputError

__all__ = ["lipschitz"]


def lipschitz(x, explanation, *, neighbours: int | None = 10, radius: float | None = None) -> np.ndarray:
    """Return each row's local Lipschitz constant of the explanation: small where like rows are explained alike.

    ``L_i = max_j |e_i - e_j| / |x_i - x_j|`` over the rows j near i, in Euclidean norms. It is exact for these rows:
    neighbours are not sampled. Equal rows count as one; where their explanations differ it is infinite.

    Parameters
    ----------
    x : array (n, p)
        In a unit in which distances mean something: standardised columns.
    explanation : array (n, G)
        As gates, importances or contributions to the log-risk.
    neighbours : int, optional
        The nearest so many different rows are near; with `radius` those of them within it.
    radius : float, optional
        Rows within this distance are near.

    Returns
    -------
    float64 array (n,)
        nan where no row is near.

    Raises
    ------
    InputError
        SL-618 for lengths that differ, no neighbours, or a radius that is none.

    Notes
    -----
    It looks at the rows that there are, and says nothing of what lies between them. A constant explanation has 0: so
    has one that ignores the patient. Ratios depend on the units of both: compare models on the same table only.

    References
    ----------
    Alvarez-Melis, Jaakkola (2018), Towards robust interpretability with self-explaining neural networks, NeurIPS (the
    estimate over a finite sample). The LSPIN paper takes it over.

    Examples
    --------
    >>> lipschitz([[0.0], [1.0], [3.0]], [[0.0], [2.0], [2.0]], neighbours=1)
    array([2., 2., 0.])
    """
    x, explanation = (np.asarray(values, dtype=np.float64) for values in (x, explanation))
    asked = {"neighbours": (neighbours, Integral, 1), "radius": (radius, Real, 0)}
    wrong = [f"{name}={v!r}" for name, (v, kind, low) in asked.items() if v is not None and not _is(v, kind, low)]
    if wrong or (neighbours is None and radius is None) or {x.ndim, explanation.ndim} != {2}:
        raise InputError("SL-618", f"{' and '.join(wrong) or 'nothing says who is near'}.", "Give 10 neighbours.")
    if len(x) != len(explanation):
        raise InputError("SL-618", f"{len(x)} rows and {len(explanation)} explanations.", "Give one for each row.")
    points, first, place = np.unique(x, axis=0, return_index=True, return_inverse=True)
    says, place = explanation[first], place.ravel()
    search, within = NearestNeighbors().fit(points), np.inf if radius is None else radius
    if neighbours is None:
        near = search.radius_neighbors(points, radius, return_distance=False)
    else:
        near = search.kneighbors(points, min(neighbours + 1, len(points)), return_distance=False)
    found = np.full(len(points), np.nan)
    for i, others in enumerate(near):
        distance = np.linalg.norm(points[others] - points[i], axis=1)
        ratio = np.linalg.norm(says[others] - says[i], axis=1)[distance > 0] / distance[distance > 0]
        found[i] = ratio[distance[distance > 0] <= within].max(initial=-np.inf)
    found[np.isneginf(found)] = np.nan
    torn = (explanation != says[place]).any(axis=1)
    return np.where(np.bincount(place, torn, len(points))[place] > 0, np.inf, found[place])


def _is(value: Any, kind: Any, low: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and low <= value < np.inf
