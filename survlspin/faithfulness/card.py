"""The faithfulness card: how far each patient's list of factors can be believed, in a dozen numbers."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError, InputWarning
from ..estimators.net import NetEstimator
from ..estimators.selecting import Selecting, by_factor
from ..metrics.interpretability import Leakage, explained, leakage
from ..metrics.interpretability.explained import Explained
from ..survival import CoxModel
from ..train import predict
from .alike import ALIKE, alike
from .masked import listed_risk, masked_refit

__all__ = ["COLUMNS", "PROBED", "Card", "Known", "Line", "as_text", "card", "leakage_lines", "placed"]

COLUMNS = ["measure", "value", "definition"]
RIDGE = 1e-3  # of the Cox model on masks, which may determine each other
WIDTH = 120
NO_TRAINING, NO_OUTCOME = "not known: needs the training rows", "not known: needs the rows' outcomes"
PROBED = "share of rows for which a variable that can mean nothing is listed"

Line = tuple[str, float, str]
Known = Mapping[str, Sequence[Line]]  # name of a measure -> the lines in its place


@dataclass(frozen=True, eq=False)
class Card:
    """How far the factors that a model lists for a patient are what its answer rests on.

    Attributes
    ----------
    frame : DataFrame
        ``measure``, ``value``, ``definition``. A value that there is not is nan, and its definition says why.
    leakage : Leakage or None
        ``moved`` (n,) marks test patients whose log-hazard rests on factors that are not listed.
    redundant : DataFrame
        Pairs of factors with columns of \\|r\\| > 0.9 in training: ``factor``, ``other``, ``r``, and the shares of test
        patients for whom ``both`` are listed, or ``one`` of the two.
    note : str
        On which rows it was measured, if that is to be said.
    """

    frame: pd.DataFrame
    leakage: Leakage | None
    redundant: pd.DataFrame | None
    note: str = ""

    @property
    def moved(self) -> np.ndarray | None:
        """Which test patients' log-hazards move with factors that are not listed, bool (n,), if that is known."""
        return None if self.leakage is None else self.leakage.moved

    def text(self) -> str:
        """Return the card as text."""
        return as_text(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the note and the measures as plain values; None for a value that there is not."""
        rows = self.frame.astype({"value": object}).where(self.frame.notna(), None)
        return {"note": self.note, "measures": rows.to_dict("records")}


def as_text(card: Mapping[str, Any]) -> str:
    """Return a card of plain values as text."""
    lines = textwrap.wrap(card["note"], WIDTH)
    for line in card["measures"]:
        value = line["value"]
        shown = "-" if value is None else f"{value:.3f}".removesuffix(".000")
        told = f"{line['measure']:<24}{shown:>7}  {line['definition']}"
        lines += textwrap.wrap(told, WIDTH, subsequent_indent=" " * 33)
    return "\n".join(lines)


def card(
    model,
    X_train,
    y_train,
    X_test,
    y_test,
    *,
    validation_data=None,
    draws: int = 20,
    strata=None,
    probes: Sequence[str] = (),
    others: Sequence[Any] = (),
    known: Known | None = None,
    random_state: int = 0,
) -> Card:
    """Return the faithfulness card of a fitted model of one log-hazard.

    Parameters
    ----------
    model : fitted Cox model with a design
    X_train, y_train
        The rows that it was fitted to: gates are frozen and the rest is learnt anew on them. None: they are not at
        hand, and what needs them is not known; columns that stand in for each other are then those of the test rows.
    X_test, y_test
        Rows that it did not train on, on which everything is measured. `y_test` None: what needs it is not known.
    validation_data : (X, y), optional
        As in the model's `fit`.
    draws : int
        How often factors are redrawn.
    strata : array (n,) of labels, optional
        Of the test rows: values are also redrawn within strata, and both are reported.
    probes : sequence of str
        Variables that can mean nothing (see `survlspin.Probes`).
    others : sequence of fitted models
        Of the same method on other folds or samples, for stability: they list factors for the same test rows.
    known : mapping, optional
        Name of a measure -> lines (measure, value, definition) in its place, as `over_folds` has them of a study.
    random_state : int

    Returns
    -------
    Card

    Raises
    ------
    InputError
        SL-468 for a model that is none of one log-hazard, SL-469 for probes that are no variables of it; with the codes
        of `leakage` and `masked_refit`.

    Notes
    -----
    Twice `draws` predictions of the test rows for leakage, as many as `draws` for the refit, and as many again with
    strata. No number shows that a factor matters in nature, or that a patient's set is the right one.

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.synthetic import registry
    >>> X, y, _ = registry(600)
    >>> model = CoxLLSPIN(context=["age"], lam=0.02, epochs=5, random_state=0).fit(X[:400], y[:400])
    >>> found = card(model, X[:400], y[:400], X[400:], y[400:], draws=2)
    >>> found.leakage.value, found.frame["measure"].iloc[:2].tolist()
    (0.0, ['C', 'leakage.share'])
    """
    if not isinstance(model, CoxModel):
        found = f"{type(model).__name__} is no model of one log-hazard."
        raise InputError("SL-468", found, "Give a fitted Cox model; of competing causes none has a card yet.")
    if unknown := [name for name in probes if name not in model.design_.factors]:
        raise InputError("SL-469", f"no factor is named {unknown[0]!r}.", "Name probes that the model was offered.")
    rng = {"draws": draws, "random_state": random_state}
    tested = explained(model, X_test)
    trained = None if X_train is None else explained(model, X_train)
    unknown = NO_TRAINING if X_train is None else NO_OUTCOME if y_test is None else ""
    leaks = leakage(model, X_test, **rng)
    redundant = alike((trained or tested).x, model.design_, tested.used)
    lines: list[Line] = [_concordance(model, X_test, y_test)]
    lines += leakage_lines(leaks, model.predict(X_test))
    if strata is not None:
        within = leakage(model, X_test, strata=strata, **rng)
        lines.append(("leakage.strata", within.value, within.definition))
    lines.append(_masks(trained, tested, y_train, y_test, unknown))
    lines += _refit(model, (X_train, y_train, validation_data), X_test, y_test, strata, rng, unknown)
    lines.append(_probes(tested, probes))
    lines += _stable(model, tested, X_test, others)
    words = f"pairs of factors with columns of |r| > {ALIKE:g} that can stand in for each other"
    named = "; ".join(f"{a} and {b} ({r:.2f})" for a, b, r in redundant.iloc[:, :3].itertuples(index=False))
    lines.append(("redundant", float(len(redundant)), f"{words}: {named}" if named else words))
    return Card(pd.DataFrame(placed(lines, known), columns=COLUMNS), leaks, redundant)


def placed(lines: Sequence[Line], known: Known | None) -> list[Line]:
    """Return lines, those that are known from elsewhere in place of others."""
    return [new for line in lines for new in (known or {}).get(line[0], [line])]


def _concordance(model, X, y) -> Line:
    words = "Harrell's C of the model on these rows"
    value = float("nan") if y is None else float(model.score(X, y))
    why = NO_OUTCOME if y is None else "undefined: of no two rows is it known whose event came first"
    return "C", value, f"{words}; {why}" if np.isnan(value) else words


def leakage_lines(leaks: Leakage, risk: np.ndarray) -> Iterator[Line]:
    """Yield what a card says of leakage, beside how far the log-risks (n,) are apart."""
    yield "leakage.share", leaks.value, leaks.definition
    yield "leakage.size", leaks.size, "median over rows of the median move of the log-risk in these draws"
    spread = f"(the standard deviation of the log-risk is {risk.std():.2f})"
    words = "mean move of the log-risk when the factors that are {} take another row's values: {} {}"
    yield "sufficiency", leaks.unlisted, words.format("not listed", "0 where lists suffice", spread)
    yield "comprehensiveness", leaks.listed, words.format("listed", "large where lists are needed", spread)


def _masks(trained: Explained | None, tested: Explained, y_train, y_test, unknown: str) -> Line:
    """Return C of a linear Cox model on which factors are listed, without their values."""
    from ..estimators import CoxPH

    words = "C on these rows of a linear Cox model of the bare lists, listed or not, without values: .5 says nothing"
    if unknown or trained is None:
        return "C.mask_only", float("nan"), f"{words}; {unknown}"
    if not (trained.used.nunique() > 1).any():
        return "C.mask_only", 0.5, f"{words}; all patients have one list"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        bare = CoxPH(penalizer=RIDGE).fit(trained.used.to_numpy(float), y_train)
    return "C.mask_only", bare.score(tested.used.to_numpy(float), y_test), words


def _refit(model, train: tuple, X, y, strata, rng: dict[str, int], unknown: str) -> Iterator[Line]:
    from ..metrics.concordance import concordance_of
    from ..survival import outcome_of

    words = "C of the predictor learnt anew on masked inputs, gates frozen"
    if not isinstance(model, NetEstimator) or not callable(getattr(model, "gates", None)):
        unknown = "not made: the model has no gates"
    if unknown:
        yield "C.masked_refit", float("nan"), f"{words}; {unknown}"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        refit = masked_refit(model, *train)
    outcome = outcome_of(X, y)
    yield "C.refit", concordance_of(outcome, refit.predict(X)).value, f"{words}; the gates see all that they saw"
    listed = concordance_of(outcome, listed_risk(refit, X, **rng)).value
    yield "C.masked_refit", listed, f"{words}; factors that are not listed redrawn: the C of what is listed"
    if strata is not None:
        within = concordance_of(outcome, listed_risk(refit, X, strata=strata, **rng)).value
        yield "C.masked_refit.strata", within, f"{words}; factors that are not listed redrawn within strata"


def _probes(tested: Explained, probes: Sequence[str]) -> Line:
    if not len(probes):
        return "probes", float("nan"), f"{PROBED}; none was offered"
    return "probes", float(tested.used[list(probes)].any(axis=1).mean()), f"{PROBED}, of {len(probes)}"


def _stable(model, tested: Explained, X, others: Sequence[Any]) -> Iterator[Line]:
    """Yield how alike the lists are that members, and models of other folds, make for one row."""
    words = "Jaccard index of two lists of a row, mean over pairs of {} and rows"
    members = _members(model, X)
    few = "; undefined: there is one member" if len(members) < 2 else ""
    yield "stability.members", _alike(members), words.format("members of the ensemble") + few
    names = list(tested.used)
    lists = [explained(other, X).used.reindex(columns=names, fill_value=False).to_numpy() for other in others]
    few = "" if others else "; not known of one model: the report of a study has it"
    yield "stability.folds", _alike([tested.used.to_numpy(), *lists]), words.format("models of folds") + few


def _members(model, X) -> list[np.ndarray]:
    """Return the factors that each member uses for each row, bool (n, G) each."""
    if not isinstance(model, Selecting):
        return []
    net, x = model._fitted(X)
    used = predict(net, x, lambda _, parts: net.selected(parts)).cpu().numpy()
    return [by_factor(member, model.design_) for member in used]


def _alike(lists: Sequence[np.ndarray]) -> float:
    """Return the mean Jaccard index over pairs and rows; rows of two empty lists are left out, nan where none is."""
    found = []
    for a, b in combinations(lists, 2):
        both, either = (a & b).sum(axis=1), (a | b).sum(axis=1)
        found.append(both[either > 0] / either[either > 0])
    values = np.concatenate(found) if found else np.empty(0)
    return float(values.mean()) if len(values) else float("nan")
