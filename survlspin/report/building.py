"""From a subject to its report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from survlspin import __version__
from survlspin.store import versions

from .closing import closing_sections
from .data import data_section
from .page import write
from .parts import Report
from .performance import performance_sections
from .protocol import protocol_section
from .source import Subject
from .specification import model_section

__all__ = ["report", "report_of"]

COUNTS = tuple(f"{of}.{what}" for of in ("data", "performance") for what in ("n", "rows", "events"))


def report_of(subject: Subject) -> Report:
    """Return the report on a subject, to be looked at or written."""
    sections = [
        data_section(subject),
        protocol_section(subject),
        *performance_sections(subject),
        model_section(subject),
    ]
    facts: dict[str, Any] = {f"versions.{name}": version for name, version in versions().items()}
    for section in sections:
        facts |= section.facts
    facts = {name: _shown(name, plain(value), subject.min_cell) for name, value in facts.items()}
    closing = closing_sections(facts)
    for section in closing:
        facts |= section.facts
    return Report(_title(subject), _subtitle(facts), facts, [*sections, *closing], subject.partial, subject.min_cell)


def report(subject: Subject, out: str | Path) -> list[Path]:
    """Write the report on a subject into a folder: ``report.html``, ``tables/``, ``figures/`` and ``facts.json``.

    Parameters
    ----------
    subject : Subject
        From `subject_of`.
    out : str or Path
        A folder; made if need be.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> import tempfile
    >>> from survlspin import CoxPH
    >>> from survlspin.report import report, subject_of
    >>> from survlspin.study import gbsg2
    >>> patients = gbsg2()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     CoxPH().fit(patients.X, patients.y).save(f"{folder}/model")
    ...     files = report(subject_of(f"{folder}/model", patients, horizons=[1825]), f"{folder}/report")
    >>> files[0].name
    'report.html'
    """
    return write(report_of(subject), out)


def plain(value: Any) -> Any:
    """Return a fact as JSON has it: plain numbers, lists and texts; None for what is not known."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _shown(name: str, value: Any, least: int) -> Any:
    """Return a fact, or, if it is a small count of rows or events, None."""
    return None if name in COUNTS and 0 < value < least else value


def _title(subject: Subject) -> str:
    names = list(subject.models)
    others = "" if len(names) == 1 else f" beside {len(names) - 1} other model{'s' if len(names) > 2 else ''}"
    return f"{names[0]}{others}: evaluation"


def _subtitle(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['data.source']}. {_few(facts['data.n'])} patients, {_few(facts['data.events'])} events; horizon "
        f"{facts['horizon.words']}. survlspin {__version__}."
    )


def _few(count: int | None) -> str:
    """Return a count as text; of one that is hidden that it is small."""
    return "few" if count is None else f"{count:,}"
