"""Single patients as text for a terminal: a table of factors with bars, and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from survlspin._messages import persons
from survlspin._text import in_columns, wrapped

from .portraits import ASSOCIATION, Patient, Portraits, percent

__all__ = ["explained", "told", "written"]

BAR = 12  # characters from the middle of a bar to its end
FULL, LEFT = "#", (0, 1, 2)  # columns of text, and the last
HEAD = ["factor", "this patient", "reference", "HR", "members", "agree", ""]


def told(portraits: Portraits) -> dict[str, Any]:
    """Return what is said of the patients as plain values."""
    at = np.searchsorted(portraits.times, portraits.ticks)

    def curve(values: np.ndarray) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in values[at]]

    def patient(each: Patient) -> dict[str, Any]:
        factors = each.factors.astype(object).where(each.factors.notna(), None).to_dict(orient="records")
        said = {"patient": each.label, "hr": float(np.exp(each.log_hr)), "factors": factors, "remarks": each.remarks}
        return {**said, **{name: curve(getattr(each, name)) for name in ("survival", "low", "high")}}

    cohort = {
        "members": portraits.members,
        "times": portraits.ticks.tolist(),
        "unit": portraits.unit,
        "cohort": curve(portraits.cohort),
    }
    words = {
        "compared": portraits.compared,
        "model": portraits.model,
        "against": portraits.against,
        "about": [*portraits.notes, ASSOCIATION],
    }
    return {"patients": [patient(each) for each in portraits.patients], **cohort, **words}


def explained(report: Mapping[str, Any]) -> str:
    """Return the text of what `told` returned."""
    most = max((abs(row["log_hr"] or 0) for each in report["patients"] for row in each["factors"]), default=0) or 1
    blocks = [_patient(each, report, most) for each in report["patients"]]
    local = "LOCAL ONLY: this is of single patients, and must not leave the place where their data may be."
    about = wrapped([report["model"], *report["about"], local])
    return "\n\n\n".join(blocks) + f"\n\n{about}"


def written(report: Mapping[str, Any]) -> str:
    """Return where the page is."""
    lines = [
        f"{persons(report['patients'])}. Wrote {report['files'][0]}",
        "LOCAL ONLY: the page holds single patients and must not leave the place where their data may be.",
    ]
    return wrapped(lines)


def _patient(each: Mapping[str, Any], report: Mapping[str, Any], most: float) -> str:
    head = f"Patient {each['patient']}: hazard ratio {each['hr']:#.3g} against {report['against']}"
    factors = _without_one([HEAD, *(_factor(row, most) for row in each["factors"])], report["members"])
    shown = in_columns(factors, (*LEFT, len(factors[0]) - 1)) if each["factors"] else ""
    parts = [head, shown, wrapped(each["remarks"]), _curve(each, report)]
    return "\n\n".join(part for part in parts if part)


def _without_one(rows: list[list[str]], members: int) -> list[list[str]]:
    """Leave out the range over members where there is one."""
    at = rows[0].index("members")
    return rows if members > 1 else [row[:at] + row[at + 1 :] for row in rows]


def _factor(row: Mapping[str, Any], most: float) -> list[str]:
    name = row["factor"] + (" (context)" if row["role"] == "context" else "")
    agree = f"{row['agree']} of {row['of']}"
    cells = [name, f"{row['value']} {row['unit']}".strip(), row["reference"]]
    if row["log_hr"] is None:
        return [*cells, "-", "-", agree, "" if row["gate"] is None else f"gate {row['gate']:.2f}"]
    limits = " to ".join(f"{np.exp(row[name]):#.3g}" for name in ("low", "high"))
    bar = FULL * round(BAR * abs(row["log_hr"]) / most)
    bars = f"{'':{BAR}}|{bar}" if row["log_hr"] > 0 else f"{bar:>{BAR}}|"
    return [*cells, f"× {row['hr']:#.3g}", limits, agree, bars]


def _curve(each: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Return the probabilities of no event beside the cohort's."""
    rows = [[f"no event by, {report['unit']}", "this patient", "members", "cohort"]]
    numbers = zip(report["times"], each["survival"], each["low"], each["high"], report["cohort"], strict=True)
    for time, survival, low, high, cohort in numbers:
        rows.append([f"{time:g}", percent(survival), f"{percent(low)[:-2]} to {percent(high)}", percent(cohort)])
    return in_columns(_without_one(rows, report["members"]), ()) + f"\ncohort: {report['compared']}"
