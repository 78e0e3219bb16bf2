"""The sections on performance: every measure of every model, as means over folds with intervals that cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..fold_mean import interval
from .parts import Section
from .performance_calibration import calibration
from .performance_comparators import comparators
from .performance_diagnostics import diagnostics
from .performance_discrimination import discrimination
from .performance_faithful import card_of, faithful
from .performance_means import evaluate
from .performance_measures import measures
from .performance_overall import overall, utility
from .performance_sets import redundancy, sets
from .performance_stability import probes, stability
from .performance_subgroups import subgroups
from .performance_tested import grid_of

if TYPE_CHECKING:
    from .source import Subject

__all__ = ["performance_sections"]

CENSORING = (
    "Kaplan-Meier curve of censoring of the test rows themselves, censorings after events at tied times; never of the "
    "rows that models were made from"
)


def performance_sections(subject: Subject) -> list[Section]:
    """Return the sections on how well models do, in the order of the report.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    list of Section
        Discrimination, calibration, overall performance, clinical utility, comparators, diagnostics, stability,
        probes, sets of factors, faithfulness, redundant columns, subgroups; what is absent is said, and why.
        Their facts are under the names of the measures: ``c.harrell.MODEL``, ``brier.HORIZON.MODEL``.

    Notes
    -----
    Every number is a function of `survlspin.metrics` on the test rows of one fit, averaged over folds by
    `survlspin.fold_mean.FoldMean`. The first model is the reference of all differences.
    """
    rows = np.unique(np.concatenate([judged.rows for fits in subject.models.values() for judged in fits]))
    grid = grid_of(subject.outcome.take(rows), _known(subject))
    asked = measures(subject.horizons, grid, subject.data.unit, subject.thresholds)
    found = evaluate(subject, asked, grid)
    first, card = discrimination(subject, found, grid), card_of(subject)
    return [
        Section(first.key, first.title, first.lead, first.parts, {**_facts(subject), **first.facts}),
        calibration(subject, found, grid),
        overall(subject, found, grid),
        utility(subject, found, grid),
        comparators(subject, found),
        diagnostics(subject, found, grid),
        stability(subject),
        probes(subject),
        sets(subject),
        faithful(subject, card),
        redundancy(subject, card),
        subgroups(subject, asked, grid),
    ]


def _known(subject: Subject) -> np.ndarray:
    """Return the times whose probabilities are kept of every model that has not all; empty where any time will do."""
    kept = [fit.horizons for fit in subject.runs.fits if len(fit.horizons)] if subject.runs is not None else []
    known = kept[0] if kept else np.empty(0)
    for times in kept[1:]:
        known = np.intersect1d(known, times)
    return known


def _facts(subject: Subject) -> dict[str, Any]:
    """Return what the measures are taken on."""
    fits = next(iter(subject.models.values()))
    rows = np.unique(np.concatenate([judged.rows for judged in fits]))
    facts = {
        "performance.models": list(subject.models),
        "performance.fits": len(fits),
        "performance.folds": len({judged.fold for judged in fits}),
        "performance.seeds": len({judged.seed for judged in fits}),
        "performance.rows": len(rows),
        "performance.events": int((subject.outcome.event[rows] == 1).sum()),
        "censoring.source": CENSORING,
    }
    facts["interval.words"] = interval(1, 1) if subject.runs is None else subject.runs.attrs["interval"]
    return facts
