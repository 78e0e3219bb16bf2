"""What a store or the folder of a model keeps of how it was made, and by which data are known again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from survlspin._patients import labels_of
from survlspin.errors import InputError
from survlspin.fitting import KEPT
from survlspin.job import CALL
from survlspin.storage import FOLDER, MODEL
from survlspin.store import Store, fingerprint
from survlspin.study import UNKNOWN_UNIT, Study

__all__ = ["call_of", "digest_of", "in_unit", "is_store", "model_in"]


def is_store(path: str | Path) -> bool:
    """Return whether a folder is a store, True, or holds a fitted model, False; SL-621 where it is neither."""
    path = Path(path)
    if (path / "plan.json").exists():
        return True
    if model_in(path) is not None:
        return False
    found = f"{path} is neither a store of survlspin run nor a folder of survlspin fit."
    raise InputError("SL-621", found, "Name the folder that --store or --out named.")


def model_in(path: Path) -> Path | None:
    """Return the folder of the saved model: the one named, or the one in it that `survlspin fit` and `run` write."""
    return next((folder for folder in (path, path / FOLDER) if (folder / MODEL).exists()), None)


def call_of(path: str | Path) -> dict[str, Any]:
    """Return what is kept of the call that made a store or a model: ``version``, ``options``; empty if nothing is."""
    path = Path(path)
    if is_store(path):
        return Store.read(path).get_json(CALL) or {}
    for folder in (path, path.parent):  # the model's own folder may be named
        kept = folder / KEPT
        if kept.exists() and model_in(folder) == model_in(path):
            try:
                return json.loads(kept.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise InputError("SL-631", f"{kept} cannot be read.", "Put back a copy of it, or remove it.") from error
    return {}


def in_unit(data: Study, unit: str | None) -> Study:
    """Return data whose unit of time is called as given, or "time units" where nothing is known of it."""
    return replace(data, unit=unit or ("time units" if data.unit == UNKNOWN_UNIT else data.unit))


def digest_of(data: Study) -> str:
    """Return the fingerprint of data, as a store keeps it."""
    return fingerprint(data.X, data.y, labels_of(data.X), data.groups)
