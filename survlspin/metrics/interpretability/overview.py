"""All measures of explanations of one model on one table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..classification import accuracy, expected_calibration_error, nll
from .explained import Explained, explained, kind_of
from .faithfulness import faithfulness
from .gates import counts_per_patient, diversity, gate_statistics
from .generalizability import generalizability
from .leakage import leakage
from .lipschitz import lipschitz

__all__ = ["interpretability"]

Line = tuple[str, float, str]
NEIGHBOURS = 10
COUNTS = {
    "median": "median over rows of the factors used",
    "mean": "mean over rows of the factors used",
    "union": "factors used for any row",
    "core": "factors used for every row",
    "sets": "different sets of factors",
}
INPUTS = {
    "masked": "on inputs whose unused columns are 0",
    "plain": "on all inputs",
    "mask_only": "on the masks alone: what the choice itself gives away",
}


def interpretability(model, X, y, groups=None) -> pd.DataFrame:
    """Return the measures of the LSPIN paper for a fitted model and a table, one row each.

    Parameters
    ----------
    model : fitted estimator
        With a design: of this package, or a baseline.
    X : DataFrame or array (n, variables)
        Rows that it did not train on.
    y : outcome (n,)
        Survival, classes or numbers.
    groups : array (n,), optional
        Between which explanations should differ; by default the classes of a classifier.

    Returns
    -------
    DataFrame
        ``name``, ``value``, ``definition``. A value that the rows leave undefined is nan, and its definition says why.

    Raises
    ------
    InputError
        SL-617 for groups of another length; SL-619 for a model without a design.

    Notes
    -----
    None of them shows that the factors matter in nature, or that a patient's set is the right one; `faithfulness`,
    `lipschitz`, `diversity`, `generalizability` say what each does not show. `leakage` is not one of the paper's.

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(400)
    >>> table = interpretability(CoxLLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y), X, y)
    >>> table.columns.tolist(), "faithfulness" in table["name"].tolist()
    (['name', 'value', 'definition'], True)
    """
    says = explained(model, X)
    lines = [*_sets(says), *_behaviour(model, X, y, says, groups), *_generalizes(model, X, y)]
    if kind_of(model) == "classes":
        probability = model.predict_proba(X)
        for measure in (accuracy, nll, expected_calibration_error):
            found = measure(y, probability, classes=model.classes_)
            lines.append((measure.__name__, found.value, found.definition))
    return pd.DataFrame(lines, columns=["name", "value", "definition"])


def _sets(says: Explained) -> Iterator[Line]:
    """Yield what sets and gates look like."""
    counts = counts_per_patient(says.used)
    for name, words in COUNTS.items():
        yield f"count.{name}", counts[name], f"{words}, of {says.used.shape[1]}"
    shares = gate_statistics(says.importance) if says.gated else pd.Series(np.nan, ["closed", "between", "open"])
    for name in ("closed", "between", "open"):
        where = {"closed": "exactly 0", "between": "between 0 and 1", "open": "exactly 1"}[name]
        why = "" if says.gated else "; undefined: the model has no gates"
        yield f"gates.{name}", shares[name], f"share of gates (row, factor) that are {where}{why}"


def _behaviour(model, X, y, says: Explained, groups) -> Iterator[Line]:
    """Yield how explanations go with predictions, with the patient, and with groups."""
    found = faithfulness(model, X, y)
    yield "faithfulness", found.value, found.definition
    words = "correlation over factors of mean importance and the drop of the score without the factor"
    why = "" if np.isfinite(found.by_score) else "; undefined: one of them does not vary"
    yield "faithfulness.score", found.by_score, words + why
    leaks = leakage(model, X)
    yield "leakage", leaks.value, leaks.definition
    yield "leakage.unlisted", leaks.unlisted, "mean move of predictions when factors that are not listed are redrawn"
    yield "leakage.listed", leaks.listed, "mean move of predictions when the listed factors are redrawn"
    steep = lipschitz(says.x, says.importance, neighbours=NEIGHBOURS)
    known = steep[~np.isnan(steep)]
    words = f"largest change of the importances per unit of the design, to {NEIGHBOURS} nearest rows"
    for name, value in (("mean", known.mean()), ("95", np.quantile(known, 0.95))) if len(known) else ():
        yield f"stability.{name}", float(value), f"{words}: {'mean' if name == 'mean' else '95 %'} over rows"
    if groups is None and kind_of(model) == "classes":
        groups = y
    if groups is None:
        yield "diversity", float("nan"), "1 - Jaccard index over pairs of groups; undefined: no groups are given"
        return
    apart = diversity(says.used, groups)
    yield "diversity", apart.value, apart.definition
    yield "diversity.between", apart.between, "1 - mean Jaccard index over pairs of rows of two groups"
    yield "diversity.within", apart.within, "1 - mean Jaccard index over pairs of rows of one group"


def _generalizes(model, X, y) -> Iterator[Line]:
    """Yield the scores of simple models."""
    table = generalizability(model, X, y)
    score = table.attrs["score"]
    for simple, row in table.iterrows():
        for name, words in INPUTS.items():
            why = "" if np.isfinite(row[name]) else "; undefined: it cannot be fitted"
            yield f"generalizability.{simple}.{name}", row[name], f"{score} of the {simple} model {words}, 5 folds{why}"
    yield "generalizability.model", float(table["model"].iloc[0]), f"{score} of the model itself on these rows"
