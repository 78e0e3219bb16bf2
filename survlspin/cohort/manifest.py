"""What a cohort says of itself: where it is from, what was chosen, and a fingerprint of its content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd

from survlspin import __version__
from survlspin.cohort.flow import Count
from survlspin.cohort.recipe import Choice

__all__ = ["fingerprint_of", "manifest_of"]


def manifest_of(
    choice: Choice,
    facts: dict[str, Any],
    frame: pd.DataFrame,
    columns: list[dict[str, Any]],
    checks: list[dict[str, Any]],
    roles: dict[str, str],
    end: Count,
    seed: int,
) -> dict[str, Any]:
    """Return the manifest: recipe, choices, source, roles, numbers, fingerprint, checks and columns, all JSON."""
    recipe, outcome = choice.recipe, choice.outcome
    switches = {
        name: {"value": choice.switches[name], "default": each.default, "text": each.text, "guess": each.guess}
        for name, each in recipe.switches.items()
    }
    events = {str(event.code): event.text for event in outcome.events}
    return {
        "recipe": recipe.name,
        "recipe_sha256": recipe.digest,
        "title": recipe.title,
        "version": __version__,
        "citation": recipe.citation,
        "licence": recipe.licence,
        "switches": switches,
        "outcome": {"name": choice.name, "title": outcome.title, "plus": outcome.plus, "events": events},
        "roles": roles,
        "unit": outcome.unit or recipe.unit,
        "seed": seed,
        "rows": end.rows,
        "patients": end.patients,
        "events": end.events,
        "source": facts,
        "fingerprint": fingerprint_of(frame),
        "checks": checks,
        "columns": columns,
    }


def fingerprint_of(frame: pd.DataFrame) -> str:
    """SHA-256 of the columns' names, kinds and values; rows without a patient count in any order."""
    parts = {name: _plain(frame[name]) for name in frame}
    order = slice(None)
    if "patient" not in frame:
        order = np.lexsort([codes for codes, _ in parts.values()][::-1])
    digest = hashlib.sha256()
    for name, (codes, levels) in parts.items():
        digest.update(json.dumps([name, str(codes.dtype), levels]).encode())
        digest.update(np.ascontiguousarray(codes[order]).tobytes())
    return digest.hexdigest()


def _plain(column: pd.Series) -> tuple[np.ndarray, list[str] | None]:
    """Numbers as they are; categories and text as codes and their levels."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype("<i4"), [str(level) for level in column.cat.categories]
    if column.dtype == object:
        codes, levels = pd.factorize(column)
        return codes.astype("<i4"), [str(level) for level in levels]
    data = column.to_numpy()
    return data.astype(data.dtype.newbyteorder("<")), None
