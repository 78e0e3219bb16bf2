"""A comparison in a store: what is kept of it, what is read back without the data, and how far it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..folds import Fold
from ..runs import Fit, Runs
from ..splits import PARTS
from ..store import Store, StoreFolder
from ..train import checkpoint
from ..tuning import Ledger, trials_done
from .tune import journal_of
from .unit import Unit, fit_unit, name_of

__all__ = ["fits_in", "keep_study", "keep_unit", "read_runs", "status"]

STUDY, FOLDS, LEDGER = "study", "folds", "ledger"
SAME = ("validation", "paths", "description", "probes", "horizons")  # what JSON holds as it is
SAMPLE = 3  # fits whose time stands for their model's


def keep_unit(unit: Unit, X, y: np.ndarray, store: StoreFolder, key: str) -> None:
    """Fit a unit, from its last checkpoint on, and keep the result; do nothing where it is there."""
    if store.has(key):
        return
    with checkpoint.keeping(store.checkpoints(key)):
        fit = fit_unit(unit, X, y)
    store.save(key, *fit.to_record())
    store.forget(key)


def keep_study(store: Store, about: dict[str, Any], units: Sequence[Unit], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Keep all that `Runs` says but the fits, and the key of every unit; return the list of units as it is kept.

    Parameters
    ----------
    store : Store
    about : dict
        The arguments of `Runs`.
    units : list of Unit
    keys : list of str
    """
    folds: dict[str, Fold] = about["folds"]
    parts = {f"{k}.{part}": getattr(fold, part) for k, fold in enumerate(folds.values()) for part in PARTS}
    store.put_arrays(FOLDS, {"patient": about["patient"], **parts}, {"labels": _plain(about["labels"])})
    if about["ledger"] is not None:
        store.put_arrays(LEDGER, *about["ledger"].to_record())
    listing = [
        {"key": key, "model": unit.model, "fold": unit.fold.name, "seed": unit.seed}
        for key, unit in zip(keys, units, strict=True)
    ]
    splits = {"attrs": about["splits"].attrs, "rows": about["splits"].to_dict("list")}
    same = {name: about[name] for name in SAME}
    store.put_json(STUDY, {**same, "folds": list(folds), "splits": splits, "units": listing})
    return listing


def fits_in(store: StoreFolder, units: Iterable[dict[str, Any]]) -> tuple[list[Fit], list[str]]:
    """Return the fits of a store's study in the order of its plan, and what the units are called that have none."""
    fits, missing = [], []
    for unit in units:
        record = store.load(unit["key"])
        if record is None:
            missing.append(name_of(unit["model"], unit["fold"], unit["seed"]))
        else:
            fits.append(replace(Fit.from_record(*record), model=unit["model"], fold=unit["fold"]))
    return fits, missing


def read_runs(folder: str | os.PathLike) -> Runs:
    """Return what is finished of a comparison in a store; the data are not needed.

    Parameters
    ----------
    folder : str or path
        The ``store`` of `survlspin.run`; another process may be at work on it.

    Returns
    -------
    Runs
        Its ``unfinished`` names the fits that are missing.

    Raises
    ------
    InputError
        SL-355, SL-359, SL-360 no store, one of a newer version, a damaged one; SL-369 nothing is finished; SL-392 one
        of an older version.
    """
    store = Store.read(folder)
    study, kept, ledger = store.get_json(STUDY), store.get_arrays(FOLDS), store.get_arrays(LEDGER)
    fits, missing = ([], []) if study is None else fits_in(store, study["units"])
    if not fits or kept is None:
        raise InputError("SL-369", f"{store.folder} has no fit that is finished and whole.", "Run the study again.")
    arrays, facts = kept
    folds = {name: Fold(name, *(arrays[f"{k}.{part}"] for part in PARTS)) for k, name in enumerate(study["folds"])}
    splits = pd.DataFrame(study["splits"]["rows"])
    splits.attrs = study["splits"]["attrs"]
    return Runs(
        fits=fits,
        folds=folds,
        validation=study["validation"],
        paths=tuple(study["paths"]),
        patient=arrays["patient"],
        description=study["description"],
        labels=pd.Index(facts["labels"]["values"], name=facts["labels"]["name"]),
        probes=tuple(study["probes"]),
        ledger=None if ledger is None else Ledger.from_record(*ledger, folds.values()),
        splits=splits,
        unfinished=tuple(missing),
        horizons=tuple(study["horizons"]),
    )


def status(folder: str | os.PathLike) -> dict[str, Any]:
    """Return how far a comparison in a store is, as plain values.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    dict
        ``models``: name -> fits ``done`` of ``all``, mean ``seconds``; ``done`` of ``all``; ``eta``, seconds that the
        fits left take by as many processes as are at work (at least one), None where nothing is known of a model yet;
        ``running``, fits at work; ``holder``, the process that has the store (``pid``, ``host``, ``since``,
        ``alive``), or None; ``damaged`` files; ``tuning``: trials ``done`` of ``all``, where the store keeps them, or
        None.
    """
    store = Store.read(folder)
    facts = store.get_json(STUDY) or {"units": []}
    models = {name: _progress(store, name, entry, facts["units"]) for name, entry in store.plan["models"].items()}
    running = [holder for holder in store.marked().values() if holder.alive is not False]
    left = [(m["all"] - m["done"], m["seconds"]) for m in models.values() if m["done"] < m["all"]]
    known = all(seconds is not None for _, seconds in left)
    holder = store.holder
    return {
        "store": str(store.folder),
        "models": models,
        "done": sum(model["done"] for model in models.values()),
        "all": sum(model["all"] for model in models.values()),
        "eta": sum(n * seconds for n, seconds in left) / max(1, len(running)) if known else None,
        "running": len(running),
        "holder": None
        if holder is None
        else {"pid": holder.pid, "host": holder.host, "since": holder.since, "alive": holder.alive},
        "damaged": store.damaged,
        "tuning": _trials(store),
    }


def _trials(store: Store) -> dict[str, int] | None:
    """Return how many trials are made; None where there are none to make."""
    searches = [(name, fold) for name, entry in store.plan["models"].items() for fold in entry["searches"]]
    if not searches:
        return None
    done = sum(trials_done(journal_of(store, *pair)) for pair in searches)
    return {"done": done, "all": len(searches) * store.plan["tuning"]["n_trials"]}


def _plain(labels: pd.Index) -> dict[str, Any]:
    """Return labels as JSON has them: whole numbers, or text."""
    values = labels.tolist()
    plain = values if all(type(value) in (int, str) for value in values) else [str(value) for value in values]
    return {"name": None if labels.name is None else str(labels.name), "values": plain}


def _progress(store: Store, name: str, entry: dict[str, Any], units: Sequence[dict[str, Any]]) -> dict[str, Any]:
    done = [unit["key"] for unit in units if unit["model"] == name and store.has(unit["key"])]
    sample = [record[1]["seconds"] for key in done[:SAMPLE] if (record := store.load(key)) is not None]
    return {"done": len(done), "all": entry["fits"], "seconds": float(np.mean(sample)) if sample else None}
