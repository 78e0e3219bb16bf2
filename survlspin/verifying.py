"""The work of `survlspin verify`: which files of a saved model or of a study's store are as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from survlspin import __version__
from survlspin._files import TEMPORARY
from survlspin._messages import listed
from survlspin._remedies import remedy
from survlspin._text import wrapped
from survlspin.errors import InputError
from survlspin.storage import ARRAYS, FOLDER, MODEL, damaged, load
from survlspin.store import Store
from survlspin.store.folder import CHECKPOINTS, DAMAGED, JSON, RUNNING
from survlspin.store.store import LOCK, PLAN
from survlspin.train.checkpoint import is_whole

__all__ = ["closing", "verify"]


def verify(folder: Path) -> dict[str, Any]:
    """Return which files of a folder are whole: of a saved model, of what `survlspin fit` writes, of a study's store.

    Nothing is changed, and nothing in the folder is run as code. Half-written files of processes that were killed are
    left out.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        It can be written as JSON. ``whole`` counts the files that are as they were written, ``damaged`` names the
        others, ``unsealed`` those without a checksum; ``problems`` are what a reader would be told; ``fine`` says that
        nothing is damaged and that there is no problem.

    Raises
    ------
    InputError
        SL-694 the folder is none of these; SL-359, SL-360, SL-392 the plan of a store cannot be read.
    """
    folder = Path(folder)
    models = [place for place in (folder, folder / FOLDER) if (place / MODEL).exists() or (place / MODEL).is_symlink()]
    states: dict[str, bool | None] = {}
    problems = [error for place in models for error in _model(place, folder, states)]
    kind = "a saved model" if folder in models else "a fitted model and its tables"
    if (folder / f"{PLAN}{JSON}").exists():
        kind = "the store of a study"
        _store(Store.read(folder), states)
    elif not models:
        found = f"{folder} is neither a saved model nor the store of a study."
        raise InputError("SL-694", found, "Name what save(...), survlspin fit --out or survlspin run --store wrote.")
    bad = sorted(name for name, whole in states.items() if whole is False)
    if bad and not problems:
        found = f"{len(bad)} of {len(states)} files of {folder} are not as they were written."
        advice = "survlspin resume computes again what they held; a plan or a model is to be fetched or made again."
        problems.append(InputError("SL-695", found, advice))
    return {
        "version": __version__,
        "folder": str(folder),
        "kind": kind,
        "files": len(states),
        "whole": sum(whole is True for whole in states.values()),
        "damaged": bad,
        "unsealed": sorted(name for name, whole in states.items() if whole is None),
        "problems": [{"code": each.code, "found": each.found, "remedy": remedy(each)} for each in problems],
        "fine": not bad and not problems,
        "notes": [],
    }


def _model(place: Path, folder: Path, states: dict[str, bool | None]) -> list[InputError]:
    """Note the files of a saved model; return why it cannot be loaded."""
    found: dict[str, bool | None] = {name: None for name in (MODEL, ARRAYS) if (place / name).exists()}
    problems = []
    try:
        wrong = damaged(place)
        found[ARRAYS] = None if MODEL in wrong else ARRAYS not in wrong
        found[MODEL] = MODEL not in wrong
        load(place)
    except InputError as error:
        problems.append(error)
    states |= {str((place / name).relative_to(folder)): whole for name, whole in found.items()}
    return problems


def _store(store: Store, states: dict[str, bool | None]) -> None:
    """Note the files of a store, but for those that say who is at work."""
    for path in sorted(store.folder.rglob("*")):
        name = path.relative_to(store.folder)
        top = name.parts[0]
        if path.is_file() and top not in (FOLDER, RUNNING) and not path.name.startswith((LOCK, TEMPORARY)):
            whole = is_whole(path.read_bytes()) if top == CHECKPOINTS else store.whole(path)
            states[str(name)] = whole if path.suffix != DAMAGED else False


def closing(report: Mapping[str, Any]) -> str:
    """Return what was found as text for a terminal."""
    counts = f"{report['whole']:,} of {report['files']:,} files are as they were written"
    lines = [f"{report['folder']}: {report['kind']}.", f"{counts}; damaged: {len(report['damaged']):,}."]
    lines += [f"  damaged: {name}" for name in report["damaged"]]
    if report["unsealed"]:
        lines.append(f"Without a checksum, or not to be told: {listed(report['unsealed'])}.")
    said = [f"  {each['code']} {each['found']} {each['remedy']}".rstrip() for each in report["problems"]]
    return wrapped([*lines, *(["To mend:", *said] if said else ["Nothing to mend."])])
