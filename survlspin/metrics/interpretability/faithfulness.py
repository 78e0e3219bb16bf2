"""Faithfulness: whether predictions change most where the factors are removed that the explanation calls important."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import InputError
from .explained import OUTPUTS, explained, kind_of, output, without

__all__ = ["Faithfulness", "faithfulness", "row_correlations"]


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How importances and the effects of removal go together.

    Attributes
    ----------
    value : float
        The mean over rows of the correlation over factors of importance and change of the row's prediction.
    by_score : float
        The correlation over factors of their mean importance and the drop of the score without them; nan without y.
    rows : float64 array (n,)
        Each row's correlation; nan where importances or changes do not vary.
    frame : DataFrame (G rows)
        By factor: mean ``importance``, mean ``change`` of predictions, ``drop`` of the score, and ``kept``, the score
        after this and all more important factors are removed.
    definition : str
    """

    value: float
    by_score: float
    rows: np.ndarray
    frame: pd.DataFrame
    definition: str


def faithfulness(model, X, y=None, *, importance=None) -> Faithfulness:
    """Return how well importances foretell what removing a factor does.

    A factor is removed by putting the value of the reference patient (mean of numbers, modal level) in its place, and
    the model is asked again: its gates may answer to the change, too. The change of a row is that of its log-risk, of
    its predicted number (the norm for several), or of the probability of the class that was the likeliest.

    Parameters
    ----------
    model : fitted estimator
        With a design.
    X : DataFrame or array (n, variables)
        Rows that it did not train on.
    y : outcome (n,), optional
        For the drop of ``model.score``: C, accuracy or R squared.
    importance : array (n, G), optional
        By default the gates of the model, or 1 for what it uses.

    Returns
    -------
    Faithfulness

    Raises
    ------
    InputError
        SL-617 for importances of another shape; SL-619 for a model without a design.

    Notes
    -----
    Correlations are Pearson's. It does not show that the model is right, nor that a factor matters in nature: only that
    the explanation goes with what the model does. Removing one of two factors that stand in for each other changes
    little; a removed factor makes patients whom nobody has seen. A gate is 1 for whatever is in use, however much it
    does: contributions, as `importance`, follow log-risks more closely.

    References
    ----------
    Alvarez-Melis, Jaakkola (2018), Towards robust interpretability with self-explaining neural networks, NeurIPS. The
    LSPIN paper takes it over.

    Examples
    --------
    >>> from survlspin import CoxPH
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(500)
    >>> model = CoxPH().fit(X[["age", "tumour_size", "nodes_ratio"]], y)
    >>> found = faithfulness(model, X, importance=np.tile([1.0, 3.0, 2.0], (500, 1)))
    >>> bool(-1 <= found.value <= 1), found.frame.index.tolist()
    (True, ['age', 'tumour_size', 'nodes_ratio'])
    """
    says = explained(model, X)
    importance = says.importance.to_numpy() if importance is None else np.asarray(importance, dtype=np.float64)
    if importance.shape != says.used.shape:
        found = f"importances of shape {importance.shape}, where rows and factors are {says.used.shape}."
        raise InputError("SL-617", found, "Give a row of them per row, a column per factor of the design.")
    factors = range(importance.shape[1])
    columns = model.predict_proba(X).argmax(axis=1) if kind_of(model) == "classes" else None
    full = output(model, X, columns)
    removed = [without(model, X, g) for g in factors]
    change = np.stack([np.linalg.norm(output(model, one, columns) - full, axis=1) for one in removed], axis=1)
    means = {"importance": importance.mean(axis=0), "change": change.mean(axis=0)}
    frame = pd.DataFrame(means, index=says.used.columns)
    frame["drop"] = np.nan if y is None else model.score(X, y) - np.array([model.score(one, y) for one in removed])
    frame["kept"] = np.nan if y is None else _kept(model, X, y, frame["importance"].to_numpy())
    rows = row_correlations(importance, change)
    [by_score] = row_correlations(frame[["importance"]].to_numpy().T, frame[["drop"]].to_numpy().T)
    value = float(np.nanmean(rows)) if np.isfinite(rows).any() else float("nan")
    words = (
        f"correlation over {importance.shape[1]} factors of importance and change of the {OUTPUTS[kind_of(model)]} "
        f"without the factor, mean over {np.isfinite(rows).sum()} of {len(rows)} rows in which both vary"
    )
    why = "" if np.isfinite(value) else "; undefined: no row's importances and changes vary"
    return Faithfulness(value, float(by_score), rows, frame, words + why)


def row_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of each row of a with that of b, both (n, G): (n,), nan where one is constant."""
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    level = 1e-12 * np.maximum(1, np.abs(a).max(axis=1, initial=0)) * np.maximum(1, np.abs(b).max(axis=1, initial=0))
    return np.divide((a * b).sum(axis=1), size, out=np.full(len(a), np.nan), where=size > level)


def _kept(model, X, y, importance: np.ndarray) -> np.ndarray:
    """Return the score after each factor and all more important ones are removed (G,)."""
    kept = np.empty(len(importance))
    for g in np.argsort(-importance, kind="stable"):
        X = without(model, X, int(g))
        kept[g] = model.score(X, y)
    return kept
