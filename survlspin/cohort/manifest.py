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

__all__ = ["FLOW_KEY", "KEY", "fingerprint_of", "manifest_of", "sealed", "units_of", "unsealed"]

KEY, FLOW_KEY, SEAL = b"survlspin", b"survlspin_flow", b"survlspin_sha256"  # in the metadata of Parquet


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


def units_of(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the unit of every column that has one, by name; a rescaled column has none."""
    columns = manifest.get("columns", ())
    return {column["name"]: column["unit"] for column in columns if column["unit"] and not column["scaled"]}


def sealed(manifest: dict[str, Any], flow: str) -> dict[bytes, bytes]:
    """Return the metadata of a cohort file: manifest and flow as JSON, and their SHA-256."""
    said = {KEY: json.dumps(manifest).encode(), FLOW_KEY: flow.encode()}
    return {**said, SEAL: _seal(said)}


def unsealed(said: dict[bytes, bytes]) -> dict[str, Any] | None:
    """Return the manifest in the metadata of a file; None if there is none, or it was changed."""
    whole = KEY in said and FLOW_KEY in said and said.get(SEAL) == _seal(said)
    return json.loads(said[KEY]) if whole else None


def _seal(said: dict[bytes, bytes]) -> bytes:
    return hashlib.sha256(said[KEY] + b"\0" + said[FLOW_KEY]).hexdigest().encode()


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
