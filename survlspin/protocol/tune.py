"""Settings found before the comparison: which rows are searched on, and which are then left to judge by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..errors import InputTypeError
from ..folds import Fold
from ..splits import spare
from ..store import Store
from ..tuning import Ledger, Search, Tuning, search, sight_of, trials_done, tuned
from .plan import Plan
from .unit import seed_of
from .work import Task

__all__ = ["folds_left", "journal_of", "tune_models", "tuning_of"]


def tuning_of(tune: Any) -> Tuning | None:
    """Return how to tune: as given, or with so many trials (SL-350 for anything else)."""
    if tune is None or isinstance(tune, Tuning):
        return tune
    if not isinstance(tune, int | np.integer) or isinstance(tune, bool):
        raise InputTypeError("SL-350", f"tune is a {type(tune).__name__}.", "Give Tuning(...), or a number of trials.")
    return Tuning(n_trials=int(tune))


def journal_of(store: Store, model: str, fold: str) -> Path:
    """Return the journal of a search."""
    return store.journal(f"{model} on fold {fold}")


def folds_left(plan: Plan, tuning: Tuning | None) -> list[Fold]:
    """Return the folds to judge by: none tests on a patient whom tuning sees for it (SL-387: nobody would be left)."""
    if tuning is None or not _frozen(plan, tuning) or not tuning.spaces_for(plan.models):
        return plan.folds
    return spare(plan.folds, plan.folds[0], plan.y, plan.patient)


def tune_models(
    plan: Plan,
    tuning: Tuning,
    folds: list[Fold],
    store: Store | None,
    carried_out: Callable[[Mapping[str, Task], Mapping[str, str]], dict[str, Any]],
) -> tuple[dict[tuple[str, str], BaseEstimator], Ledger]:
    """Search the settings of every model that has some to search, on training and validation rows.

    Parameters
    ----------
    plan : Plan
    tuning : Tuning
    folds : list of Fold
        What `folds_left` returns.
    store : Store or None
        Where trials are kept if not in a database.
    carried_out : callable
        Tasks by key, and what each is called -> results by key.

    Returns
    -------
    dict
        (Model, fold) -> the estimator with the settings found; not there for models that are not tuned.
    Ledger

    Raises
    ------
    InputError
        SL-363 a search failed; SL-377 a row that tuning saw is tested.
    """
    frozen = _frozen(plan, tuning)
    tasks: dict[str, Task] = {}
    names: dict[str, str] = {}
    over: set[str] = set()  # these are but read, which is no work for another process
    for name, space in tuning.spaces_for(plan.models).items():
        for k, fold in enumerate(plan.folds[:1] if frozen else plan.folds):
            journal = None if store is None else journal_of(store, name, fold.name)
            seed, storage = seed_of(tuning.random_state, k), tuning.storage or journal
            key = f"tuning-{len(tasks)}"
            names[key] = f"tuning of {name} on fold {fold.name}"
            tasks[key] = _search, (name, plan.models[name], space, plan.X, plan.y, fold, tuning.n_trials, seed, storage)
            if isinstance(storage, Path) and trials_done(storage) >= tuning.n_trials:
                over.add(key)
    found = carried_out({key: task for key, task in tasks.items() if key not in over}, names)
    searches: list[Search] = [tasks[key][0](*tasks[key][1]) if key in over else found[key] for key in tasks]
    models = {
        (hit.model, fold.name): tuned(plan.models[hit.model], hit.params, hit.model in plan.over)
        for hit in searches
        for fold in folds
        if frozen or fold.name == hit.rows.fold
    }
    return models, Ledger.of(searches, folds, frozen).check()


def _frozen(plan: Plan, tuning: Tuning) -> bool:
    return tuning.frozen(plan.cv.disjoint)


def _search(name: str, model: BaseEstimator, space, X, y: np.ndarray, fold: Fold, n_trials: int, seed: int, storage):
    """Search in a worker; what searches is handed the fold's training and validation rows, and nothing else."""
    return search(name, model, space, *sight_of(X, y, fold), n_trials, seed, storage)
