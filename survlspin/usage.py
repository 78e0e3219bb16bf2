"""Which factors a fitted model uses for which patients, and how many: as factors, and as columns of the design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .curve import COUNTS
from .estimators.selecting import by_factor

__all__ = ["COUNTS", "Usage", "usage"]


@dataclass(frozen=True, eq=False)
class Usage:
    """What a model uses for some patients.

    Attributes
    ----------
    share : Series (G,)
        The share of the patients whose answer uses each factor.
    counts : dict
        Each of `survlspin.curve.COUNTS` -> number.
    used : bool array (n, G)
        The factors of each patient.
    """

    share: pd.Series
    counts: dict[str, float]
    used: np.ndarray


def usage(model, X) -> Usage:
    """Return what a fitted model uses for the patients X.

    A model that does not select uses every factor of its design, or every column of X where it has no design of its
    own. One that only says which factors it selected (``selected``, and no ``selected_columns``) is taken to have one
    column for each.

    Parameters
    ----------
    model : fitted estimator
    X : DataFrame or array (n, variables)

    Examples
    --------
    >>> from survlspin.baselines import LifelinesCoxPH
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"age": rng.normal(size=60), "grade": rng.choice(["I", "II", "III"], 60)})
    >>> model = LifelinesCoxPH().fit(X, {"time": rng.exponential(size=60), "event": np.ones(60)})
    >>> usage(model, X).counts
    {'median': 2.0, 'mean': 2.0, 'union': 2.0, 'median_columns': 3.0, 'mean_columns': 3.0, 'union_columns': 3.0}
    """
    if callable(getattr(model, "selected_columns", None)):
        cells = model.selected_columns(X).to_numpy()
        names, used = list(model.design_.factors), by_factor(cells, model.design_)
    elif callable(getattr(model, "selected", None)):
        frame = model.selected(X)
        names = list(frame.columns)
        used = cells = frame.to_numpy()
    else:
        design = getattr(model, "design_", None)
        names = list(range(np.shape(X)[1])) if design is None else list(design.factors)
        used = np.ones((len(X), len(names)), dtype=bool)
        cells = used if design is None else np.ones((len(X), len(design.columns)), dtype=bool)
    counts = dict(zip(COUNTS, (*_count(used), *_count(cells)), strict=True))
    return Usage(pd.Series(used.mean(axis=0), index=names), counts, used)


def _count(cells: np.ndarray) -> tuple[float, float, float]:
    """Return how many of the columns of `cells` are true per row (median, mean), and in any row."""
    size = cells.sum(axis=1)
    return float(np.median(size)), float(size.mean()), float(cells.any(axis=0).sum())
