"""The page of single patients: one file that loads nothing, with a picker."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from survlspin import __version__
from survlspin.tables import replacing

from .portraits import ASSOCIATION, Patient, Portraits, percent

__all__ = ["html", "write"]

THIN = 0.004  # of the width, a bar at least
TINY = 1e-9
MARGIN = 0.04  # of the width, on either side of the bars


def write(portraits: Portraits, path: str | Path) -> Path:
    """Write the page of single patients, readable by its owner alone.

    Parameters
    ----------
    portraits : Portraits
    path : str or Path
        The file; an old one is replaced.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        SL-521 no such folder, SL-522 the path is a folder, SL-523 the file cannot be written.
    """
    with replacing(Path(path)) as new:
        new.write_text(html(portraits), encoding="utf-8", newline="\n")
    return Path(path)


def html(portraits: Portraits) -> str:
    """Return the page."""
    script = _text("templates/patients.js")
    index = [{"label": each.label, "hr": f"{np.exp(each.log_hr):#.3g}"} for each in portraits.patients]
    page = _environment().get_template("patients.html")
    return page.render(
        about=portraits,
        association=ASSOCIATION,
        patients=[_viewed(each, portraits) for each in portraits.patients],
        times=[{"left": _share(t / portraits.times[-1]), "text": f"{t:g}"} for t in portraits.ticks],
        index=_embedded(index),
        style=Markup(_text("../report/templates/report.css") + _text("templates/patients.css")),
        script=Markup(script),
        digest=b64encode(sha256(script.encode()).digest()).decode(),
        version=__version__,
    )


def _viewed(each: Patient, about: Portraits) -> dict[str, Any]:
    """Return a patient as the template reads it."""
    at = np.searchsorted(about.times, about.ticks)
    numbers = zip(about.ticks, each.survival[at], each.low[at], each.high[at], about.cohort[at], strict=True)
    return {
        "label": each.label,
        "hr": f"{np.exp(each.log_hr):#.3g}",
        "remarks": each.remarks,
        "explained": each.explained,
        "waterfall": _waterfall(each),
        "path": _steps(about.times, each.survival),
        "band": _band(about.times, each.low, each.high),
        "cohort": _steps(about.times, about.cohort),
        "numbers": [
            (f"{time:g}", percent(survival), f"{percent(low)[:-2]} to {percent(high)}", percent(cohort))
            for time, survival, low, high, cohort in numbers
        ],
    }


def _waterfall(each: Patient) -> dict[str, Any]:
    """Return the rows of the waterfall, places in % of its width on a logarithmic scale; and its ticks."""
    rows = [_row(row) for row in each.factors.to_dict(orient="records")]
    if not each.explained:
        return {"rows": rows}
    steps, low, high = each.factors[["log_hr", "low", "high"]].to_numpy().T
    edges = np.concatenate([[0.0], np.cumsum(steps)])  # before each bar, and after the last
    every = np.concatenate([edges, edges[:-1] + low, edges[:-1] + high, [-0.05, 0.05]])
    start, unit = every.min(), (1 - 2 * MARGIN) / np.ptp(every)

    def place(log_hr: float) -> str:
        return _share(MARGIN + unit * (log_hr - start))

    for i, row in enumerate(rows):
        row |= {"start": place(edges[i]), "end": place(edges[i + 1]), "left": place(edges[i : i + 2].min())}
        row |= {"width": _share(max(unit * abs(steps[i]), THIN)), "worse": steps[i] > 0}
        row |= {"low": place(edges[i] + low[i]), "range": _share(unit * (high[i] - low[i]))}
    ticks = [{"left": place(t), "text": f"{np.exp(t):.3g}"} for t in _ratios(start, every.max())]
    return {"rows": rows, "ticks": ticks, "one": place(0.0), "end": place(edges[-1])}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is written of a factor."""
    same = {name: row[name] for name in ("factor", "role", "reference", "agree", "of")}
    gate = "" if np.isnan(row["gate"]) else f"{row['gate']:.2f}"
    ratios = {"hr": f"{row['hr']:#.3g}", "limits": [f"{np.exp(row[name]):#.3g}" for name in ("low", "high")]}
    return {**same, **ratios, "value": f"{row['value']} {row['unit']}".strip(), "gate": gate}


def _ratios(low: float, high: float) -> np.ndarray:
    """Return at most four round hazard ratios between two limits, as logarithms, 1 among them."""
    least, most = np.exp(low) - TINY, np.exp(high) + TINY
    even = (np.arange(np.ceil(least / step), most // step + 1) * step for step in (0.05, 0.1, 0.2, 0.5))
    powers = (base ** np.arange(-(-low // np.log(base)), high // np.log(base) + 1) for base in (2.0, 5.0, 10.0, 100.0))
    return np.log(next((ticks for ticks in chain(even, powers) if len(ticks) <= 4), [1.0]))


def _steps(times: np.ndarray, curve: np.ndarray) -> str:
    """Return a step curve as an SVG path in a square of 100 by 100."""
    known = np.isfinite(curve)
    points = zip(times[known] / times[-1], 1 - curve[known], strict=True)
    return "M0,0" + "".join(f"H{_share(x)}V{_share(y)}" for x, y in points)


def _band(times: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return the area between two step curves as an SVG path."""
    back = zip(times[::-1] / times[-1], 1 - low[::-1], strict=True)
    return _steps(times, high) + "".join(f"V{_share(y)}H{_share(x)}" for x, y in back) + "Z"


def _share(part: float) -> str:
    return f"{100 * part:.2f}".rstrip("0").rstrip(".")


def _embedded(value: Any) -> Markup:
    """Return JSON that nothing in it can end the element that holds it."""
    text = json.dumps(value)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
