"""Whether predicted probabilities are right: O/E, calibration in the large, slope, smooth curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..metrics.calibration_groups import d_calibration
from ..metrics.calibration_smooth import calibration_curve
from . import figures
from .parts import Figure, Section, Table, Text
from .performance_means import Evaluation, of_fits, plain, said, tested_of, within

if TYPE_CHECKING:
    from .performance_tested import Tested
    from .source import Subject

__all__ = ["calibration", "smooth_curves"]

DIGITS = {"Estimate": ".3f", "SE": ".4f", "95 % from": ".3f", "to": ".3f"}
LEVEL = 0.05
POINTS = 50  # of a curve
BINS = 40  # of the histogram of predictions
FITS = "Thin: each fit. Bold: their mean, where all of them predict. "
NO_LIMITS = "Without intervals: they are not made for a single fit."
PARTS = ("ici", "e50", "e90")
ENDS = 0.01, 0.99  # percentiles of the predictions, between which curves are drawn


def calibration(subject: Subject, found: Evaluation, grid: np.ndarray) -> Section:
    """Return the section on calibration."""
    title = f"Calibration{found.mean}, with 95 % intervals"
    facts = found.facts("calibration")
    missing = [model for model in found.models if _unsaid(found, model)]
    facts["calibration.missing"] = missing
    parts: list[Text | Table | Figure] = [
        Table("calibration", title, found.summary("calibration"), found.definitions("calibration")),
        Table("calibration-numbers", "The same with standard errors", found.table("calibration"), "", DIGITS),
    ]
    parts += _d_calibration(subject, found.models, grid, facts)
    if missing:
        parts.append(Text((f"Of {', '.join(missing)} no probabilities are kept: only their order is judged.",)))
    for horizon in subject.horizons:
        curves = {m: smooth_curves(subject, m, horizon, grid) for m in found.models if m not in missing}
        curves = {model: curve for model, curve in curves.items() if curve is not None}
        if curves:
            parts += _of_horizon(subject, horizon, curves)
            for model, curve in curves.items():
                facts |= {f"{part}.{horizon:g}.{model}": plain(np.mean(curve[part])) for part in PARTS}
    lead = (
        "Are predicted probabilities right? Observed / expected compares their mean with the observed share "
        "(above 1: predicted too low); a slope below 1 says that predictions are too extreme, above 1 too timid; the "
        "curve says where. 1 is perfect for all three."
    )
    return Section("calibration", "Calibration", lead, parts, facts)


def _d_calibration(subject: Subject, models: list[str], grid: np.ndarray, facts: dict[str, Any]) -> list[Table]:
    """Return the tests of whether predictions at the rows' own times are evenly spread, one row per model."""
    rows = []
    for model in models:
        found = [p for p in of_fits(_p_of, tested_of(subject, model, grid)) if p is not None]
        if found:
            rejected, median = int(np.sum(np.array(found) < LEVEL)), float(np.median(found))
            rows.append({"Model": model, "Fits": len(found), f"p below {LEVEL:g}": rejected, "Median p": median})
            facts |= {f"d_calibration.{model}.rejected": rejected, f"d_calibration.{model}.p": median}
    if not rows:
        return []
    note = (
        "Whether the probabilities of surviving until patients' own times are evenly spread between 0 and 1, the whole "
        "follow-up through (Haider and others 2020; 10 bins). It does not say how far off they are; in large samples "
        "it finds what does not matter."
    )
    return [Table("d-calibration", "D-calibration", pd.DataFrame(rows), note, {"Median p": ".3f"})]


def _p_of(tested: Tested) -> float | None:
    """Return the p value of D-calibration; None where it is not defined for what is known."""
    outcome = tested.outcome
    if outcome.entry is not None or outcome.weight is not None:
        return None
    try:
        p = -np.expm1(-tested.own_hazard(float(outcome.time.max())))
        return d_calibration(outcome.time, outcome.event, p).p
    except InputError:
        return None


def _unsaid(found: Evaluation, model: str) -> bool:
    """Whether no probability of a model is known at any horizon."""
    own = [found.averages[m.key, model] for m in found.measures if m.key.startswith("oe.")]
    return bool(own) and all(np.isnan(a.value) for a in own)


def smooth_curves(subject: Subject, model: str, horizon: float, grid: np.ndarray) -> dict[str, Any] | None:
    """Return the calibration of a model's fits at a horizon; None where none has a curve.

    Returns
    -------
    dict
        ``x`` (k,) predicted; ``folds`` (fits, k) observed, nan outside a fit's own predictions; ``mean`` (k,);
        ``edges`` and ``share`` of the histogram of predictions; ``ici``, ``e50``, ``e90`` (fits,).
    """
    edges = np.linspace(0, 1, BINS + 1)
    found = of_fits(lambda tested: _curve_of(tested, horizon, edges), tested_of(subject, model, grid))
    if not (known := [each for each in found if each is not None]):
        return None
    curves, spread, shares = zip(*known, strict=True)
    x = np.linspace(min(c[0][0] for c in curves), max(c[0][-1] for c in curves), POINTS)
    folds = np.array([np.interp(x, *curve, left=np.nan, right=np.nan) for curve in curves])
    varied = folds[(~np.isnan(folds)).sum(axis=1) > 1]  # fits that tell patients apart
    mean = varied.mean(axis=0) if len(varied) else folds[0]  # where all predict: elsewhere it would jump
    counts = np.sum(shares, axis=0)
    counts = np.where(counts < len(shares) * max(1, subject.min_cell), 0, counts)
    measured = dict(zip(PARTS, np.array(spread).T, strict=True))
    return {"x": x, "folds": folds, "mean": mean, "edges": edges, "share": counts / max(1, counts.sum()), **measured}


def _curve_of(tested: Tested, horizon: float, edges: np.ndarray) -> tuple | None:
    """Return the curve of a fit (predicted, observed), its distances, and how many are predicted between the edges."""
    outcome = tested.outcome
    try:
        tested.censored_at_random()
        p = tested.probability(horizon)
        at = np.linspace(*np.nanquantile(p, ENDS), POINTS)
        curve = calibration_curve(outcome.time, outcome.event, p, horizon, grid=at, weight=outcome.weight)
    except InputError:
        return None
    xy = curve.frame["predicted"].to_numpy(), curve.frame["observed"].to_numpy()
    return xy, [getattr(curve, part) for part in PARTS], np.histogram(p, edges)[0]


def _of_horizon(subject: Subject, horizon: float, curves: dict[str, dict[str, Any]]) -> list[Table | Figure]:
    """Return the figure and the table of the curves at a horizon."""
    words = f"by {horizon:g} {subject.data.unit}"
    rows = [
        {"Model": model, **{part.upper(): _between(curve[part]) for part in PARTS}} for model, curve in curves.items()
    ]
    several = max(len(curve["folds"]) for curve in curves.values()) > 1
    note = (
        "ICI, E50, E90: mean, median and 90th percentile over test rows of the distance between the predicted "
        "probability and the smooth curve. "
    ) + ("Mean over fits; in brackets the lowest and the highest of them." if several else NO_LIMITS)
    name = f"calibration-curve-{horizon:g}"
    table = Table(name, f"Distance from perfect calibration {words}", pd.DataFrame(rows), note)
    panels = [
        figures.Panel(
            model,
            [
                *(
                    figures.Line("fold", curve["x"], fold, thin=True)
                    for fold in curve["folds"]
                    if len(curve["folds"]) > 1
                ),
                figures.Line("mean", curve["x"], curve["mean"]),
            ],
            curve["edges"],
            curve["share"],
        )
        for model, curve in curves.items()
    ]
    alt = f"Observed against predicted probability {words}. " + " ".join(_seen(m, c) for m, c in curves.items())

    def draw(figure) -> None:
        figures.calibration(figure, panels, words)

    note = f"{FITS if several else ''}Dashed: perfect. Below: the predictions."
    return [Figure(name, f"Smooth calibration {words}", alt, draw, note, figures.grid_size(len(panels))), table]


def _seen(model: str, curve: dict[str, Any]) -> str:
    """Say where a curve lies."""
    known = ~np.isnan(curve["mean"])
    if not known.any():
        return f"{model}: no two folds predict alike."
    off = curve["mean"][known] - curve["x"][known]
    worst = int(np.abs(off).argmax())
    x, d = curve["x"][known][worst], off[worst]
    side = "above" if d > 0 else "below"
    return f"{model} is at most {abs(d):.2f} off, {side} the diagonal where {x:.2f} is predicted."


def _between(values: np.ndarray) -> str:
    """Return a mean over fits with their lowest and highest value as text."""
    return within(np.mean(values), np.min(values), np.max(values)) if len(values) > 1 else said(values[0])
