"""The last chapters: what this study cannot say, and the sheets of the reporting guidelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from survlspin._messages import listed

from .checklists import sheets
from .parts import Section, Text, number

__all__ = ["LIMITS", "cannot_say", "closing_sections"]

Facts = Mapping[str, Any]


def _small(facts: Facts) -> bool:
    return facts.get("sample.enough") is False


def _first(facts: Facts, kind: str, name: str) -> Any:
    """Return a fact of the model that the report is about first; None where it is not known."""
    return facts.get(f"{kind}.{facts.get('performance.reference')}.{name}")


LIMITS: tuple[tuple[Callable[[Facts], Any], str], ...] = (
    (
        lambda f: f.get("protocol.unfinished"),
        "Unfinished: {protocol.unfinished} fits are missing, and every number is of those that are there.",
    ),
    (
        lambda f: f.get("protocol.apparent"),
        "How well the model predicts patients whom it was not made from: it is judged on those it was made from.",
    ),
    (
        lambda f: not f.get("protocol.external") and not f.get("protocol.apparent"),
        "How well the models predict elsewhere or in later years: the patients judged on are of the data "
        "that the models "
        "were made from.",
    ),
    (
        lambda f: f.get("protocol.external"),
        "Why performance differs from that on the data the model was made from: the patients, the "
        "measurements and the "
        "care may all differ.",
    ),
    (
        lambda f: f.get("competing.words"),
        "What happens to patients who may have another event first: {competing.words}.",
    ),
    (
        lambda f: not f.get("competing.words"),
        "Whether censored patients had an event that precludes the one predicted: the data as given do not "
        "tell. If they "
        "did, the probabilities are too high.",
    ),
    (
        lambda f: True,
        "Anything after {horizon.last} (longest follow-up {data.longest}), or how censoring would have to be mended if "
        "it depends on what is not in the data: it is taken to be independent of the event.",
    ),
    (
        _small,
        "That the models are as good as they could be: a training set has {sample.train_n} rows, and the "
        "criteria for "
        "survival models ask for {sample.needed}.",
    ),
    (
        lambda f: f.get("protocol.disjoint") is False,
        "How much models would differ had they been trained on other patients: training sets of "
        "cross-validation share "
        "most of theirs.",
    ),
    (
        lambda f: len(f.get("protocol.seeds") or (0, 0)) == 1,
        "How much of a difference is luck of the starting values: every model was fitted once on every fold.",
    ),
    (
        lambda f: f.get("comparators.unclear"),
        "Which of {performance.reference} and {comparators.unclear} ranks patients better: the 95 % intervals of these "
        "differences include 0.",
    ),
    (
        lambda f: f.get("calibration.missing"),
        "Whether the probabilities of {calibration.missing} are right: none are kept.",
    ),
    (
        lambda f: _first(f, "ph", "rejected"),
        "That hazards are proportional: of the prognostic index of {performance.reference} this is rejected at 5 % in "
        "{ph.FIRST.rejected} of {ph.FIRST.fits} fits.",
    ),
    (
        lambda f: _first(f, "probes", "selected"),
        "That a factor which is selected means something: of {probes.offered} columns of noise {probes.FIRST.selected} "
        "were selected for anybody.",
    ),
    (
        lambda f: f.get("protocol.folds") and not f.get("probes.offered"),
        "How often a factor that means nothing is selected: no probes were offered.",
    ),
    (
        lambda f: not f.get("thresholds.words"),
        "Whether acting on the predictions does more good than harm: no threshold probabilities were named.",
    ),
    (
        lambda f: not f.get("subgroups.names"),
        "Whether predictions serve groups of patients alike: no subgroups were named.",
    ),
    (
        lambda f: True,
        "Anything about patients with missing values, who were refused or left out before.",
    ),
    (
        lambda f: f.get("outcome.late_entry"),
        "Anything about those who had the event before they entered: patients came under observation late.",
    ),
    (
        lambda f: f.get("model.gates_see_all") and not f.get("faithfulness.leaks"),
        "That the listed risk factors are all that a prediction depends on: the gates see every predictor, "
        "and a factor that is not listed may have opened or closed them.",
    ),
    (
        lambda f: f.get("model.gates_see_all") and f.get("faithfulness.leaks"),
        "That the listed risk factors are all that a prediction depends on: the gates see every predictor, and with "
        "factors redrawn that are not listed the log-hazard of {faithfulness.leaks} of patients moves by over 0.2.",
    ),
    (
        lambda f: f.get("model.full") is None,
        "How to compute a prediction: no single fitted model is specified.",
    ),
    (
        lambda f: True,
        "What causes what: coefficients and risk factors are associations.",
    ),
    (
        lambda f: not f.get("data.min_cell"),
        "Whether it may be shown to others: small counts are not hidden (--min-cell).",
    ),
)
"""When a sentence holds, and the sentence; names in braces are facts, FIRST is the model that is reported on first."""


def cannot_say(facts: Facts) -> list[str]:
    """Return what a study cannot say, in sentences that follow from its facts."""
    return [_filled(words, facts) for holds, words in LIMITS if holds(facts)]


def closing_sections(facts: Facts) -> list[Section]:
    """Return the chapters: outputs 32 and 31."""
    said = cannot_say(facts)
    limits = Section(
        "limits",
        "What this study cannot say",
        "Generated from the facts of this study; limits that no fact shows are for the authors to add.",
        [Text(tuple(said), bullets=True)],
        {"limits.count": len(said)},
    )
    lead = (
        "What the guidelines ask for, with answers where the facts of this study give them. Blanks are for the authors."
    )
    return [limits, Section("closing", "Reporting sheets", lead, [*sheets(facts)])]


def _filled(words: str, facts: Facts) -> str:
    words = words.replace("FIRST", str(facts.get("performance.reference")))
    for name in (name for name in facts if f"{{{name}}}" in words):
        value = facts[name]
        text = (
            number(value) if isinstance(value, float | int) else listed(value, 20) if isinstance(value, list) else value
        )
        words = words.replace(f"{{{name}}}", str(text))
    return words
