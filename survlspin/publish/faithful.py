"""The faithfulness card as it may be shown: nothing on it tells of fewer patients than a count that is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from survlspin.faithfulness import sampled_card
from survlspin.faithfulness.sampled import MISSED, few, looked_at
from survlspin.study import Study

__all__ = ["shared_card"]


def shared_card(
    model: Any,
    data: Study,
    least: int,
    *,
    counted: bool,
    training: tuple | None = None,
    seen: bool | np.ndarray = False,
) -> dict[str, Any]:
    """Return the faithfulness card of a model on patients, as plain values, counts below `least` hidden.

    Hidden are shares of the sample that stand for 1 to ``least - 1`` patients or for all but so few, what needs
    outcomes where fewer than `least` had the event, the names of columns that stand in for each other, which may be
    those of few patients, and, unless `counted`, how many patients there are. `seen` as in `sampled_card`.
    """
    sample, made_from = looked_at(len(data.X), seen), np.broadcast_to(seen, len(data.X)).sum()
    counted = counted and all(part == 0 or part >= least for part in (made_from, len(data.X) - made_from))
    outcome = data.outcome
    y = data.y if (outcome.event[sample] != 0).sum() >= least else None
    strata = outcome.stratum
    found = sampled_card(model, data.X, y, train=training, strata=strata, seen=seen, counted=counted).to_dict()
    found["note"] = found["note"].split(MISSED)[0]  # why may be a count
    for line in found["measures"]:
        line.update(_shown(line["measure"], line["value"], line["definition"], len(sample), least))
    if y is None:
        found["note"] += f" What needs outcomes is left out: fewer than {least} had the event."
    return found


def _shown(measure: str, value: float | None, definition: str, n: int, least: int) -> dict[str, Any]:
    """Return what of a line may be shown."""
    if value is None:
        return {}
    if measure == "redundant":
        return {"definition": definition.split(": ")[0]}
    if few(measure, value, n, least):
        return {"value": None, "definition": f"{definition}; hidden: below {least} patients, or all but so few"}
    return {"value": float(np.round(value, 3))}
