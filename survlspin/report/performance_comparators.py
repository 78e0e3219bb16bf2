"""How models differ from the one the report is about, on the same patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import figures
from .parts import Figure, Section, Table, Text
from .performance_means import UNDEFINED, Average, Evaluation, plain

if TYPE_CHECKING:
    from .source import Subject

__all__ = ["comparators"]

COLUMNS = ("Difference", "SE", "95 % from", "to")
GROUPS = ("discrimination", "calibration", "overall")


def comparators(subject: Subject, found: Evaluation) -> Section:
    """Return the section on comparators; it says of each whether it is better or worse, whoever it is."""
    reference, others = found.models[0], found.models[1:]
    facts: dict[str, Any] = {"performance.reference": reference}
    if not others:
        text = Text(("No other model was judged on these rows: whether a simpler one would do as well is not known.",))
        return Section("comparators", "Comparators", "There is nothing to compare with.", [text], facts)
    averages = [a for group in GROUPS for a in found.of(group) if a.difference is not None]
    for a in averages:
        value, _, low, high = a.difference
        name = f"difference.{a.measure.key}.{a.model}"
        facts |= {name: plain(value), f"{name}.low": plain(low), f"{name}.high": plain(high)}
    ranked = {model: verdict(found.averages["c.harrell", model]) for model in others}
    for word in ("better", "worse", "unclear"):
        facts[f"comparators.{word}"] = [model for model, said in ranked.items() if said == word]
    lead = _lead(reference, ranked)
    note = (
        f"Each model minus {reference}, fold by fold on the same rows; intervals as above. Of many differences one in "
        "twenty leaves 0 out by chance alone. O/E and slopes aim at 1: a difference in them is neither good nor bad."
    )
    parts: list[Text | Table | Figure] = [
        _figure(found, others),
        Text(_sentences(averages) or ("By no measure can any model be told apart from it.",)),
        Table("comparators", f"Paired differences from {reference}", _frame(averages, reference), note, DIGITS),
    ]
    return Section("comparators", "Comparators", lead, parts, facts)


DIGITS = dict.fromkeys(("Difference", "95 % from", "to"), "+.4f") | {"SE": ".4f"}


def verdict(average: Average) -> str:
    """Return whether a model is "better" or "worse" than the reference, or "unclear": the interval includes 0."""
    _, _, low, high = average.difference
    sign = average.measure.better
    if sign and low * high > 0:  # false for nan
        return "better" if sign * low > 0 else "worse"
    return "unclear"


def _lead(reference: str, ranked: dict[str, str]) -> str:
    words = {
        "better": f"better than {reference}",
        "worse": f"worse than {reference}",
        "unclear": "not told apart from it",
    }
    said = [
        f"{', '.join(models)}: {words[word]}"
        for word in words
        if (models := [model for model, own in ranked.items() if own == word])
    ]
    return f"By Harrell's C on the same patients: {'; '.join(said)}."


def _sentences(averages: list[Average]) -> tuple[str, ...]:
    """Say of each model by which measures it is better, and by which worse, where that can be told."""
    told: dict[tuple[str, str], list[str]] = {}
    for a in averages:
        if (word := verdict(a)) != "unclear":
            value, _, low, high = a.difference
            words = f"{a.measure.title} ({value:+.4f}; {low:+.4f} to {high:+.4f})"
            told.setdefault((a.model, word), []).append(words)
    return tuple(f"{model} is {word} by {', '.join(words)}." for (model, word), words in told.items())


def _frame(averages: list[Average], reference: str) -> pd.DataFrame:
    rows = []
    for a in averages:
        cells = {c: UNDEFINED if np.isnan(x) else float(x) for c, x in zip(COLUMNS, a.difference, strict=True)}
        said = {"better": a.model, "worse": reference, "unclear": "not told"}[verdict(a)] if a.measure.better else ""
        rows.append({"Measure": a.measure.title, "Model": a.model, **cells, "In favour of": said})
    return pd.DataFrame(rows)


def _figure(found: Evaluation, others: list[str]) -> Figure:
    reference = found.models[0]
    differences = [found.averages["c.harrell", model].difference for model in others]
    rows = np.array([[value, low, high] for value, _, low, high in differences])
    alt = f"Differences in Harrell's C from {reference} with 95 % intervals. " + " ".join(
        f"{model}: {value:+.3f} ({low:+.3f} to {high:+.3f})."
        for model, (value, low, high) in zip(others, rows, strict=True)
    )

    def draw(figure) -> None:
        figures.intervals(figure, others, rows, f"Harrell's C minus that of {reference}", at=0.0, sign=True)

    title = f"Harrell's C: differences from {reference}"
    return Figure("c-differences", title, alt, draw, "", (7.0, 1.1 + 0.42 * len(others)))
