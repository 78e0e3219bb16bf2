"""Each patient's risk factors: LLSPIN, fitted once to all rows, with the settings that the comparison found."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from survlspin.curve import save_figure
from survlspin.estimators import CoxLLSPIN
from survlspin.folds import Fold, RepeatedKFold
from survlspin.results import settled
from survlspin.runs import Runs
from survlspin.storage import FOLDER
from survlspin.store import Store
from survlspin.threads import one_thread
from survlspin.train import checkpoint
from survlspin.tuning import search, sight_of, tuned
from survlspin.tuning.spaces import settings

if TYPE_CHECKING:
    from survlspin.job import Plan

__all__ = ["explain"]

MODEL, KEY = "LLSPIN", "final"


def explain(plan: Plan, runs: Runs, out: Path) -> tuple[dict[str, Any], list[Path]]:
    """Write what LLSPIN says of each patient.

    It is fitted to all rows but those of another data set (`Study.external`), which it explains, too. With a store its
    training is checkpointed and the model kept there.

    Returns
    -------
    dict, list of Path
        A summary, and the files.
    """
    with _store_of(plan) as store:
        model, how = _final_model(plan, runs, store)
        if store is not None:
            model.save(store.folder / FOLDER, overwrite=True)
    factors = model.risk_factors(plan.study.X)
    sets = factors.sets()
    files = [out / name for name in ("factors.csv", "factors.parquet", "sets.csv", "sets.png", "sets.svg")]
    factors.to_csv(files[0])
    factors.to_parquet(files[1])
    sets.to_csv(files[2])
    figure = sets.plot()
    for path in files[3:]:
        save_figure(figure, path)
    summary = {
        **how,
        "lam": float(model.lam_["gates"]),
        "factors_median": float(factors.patients()["n_factors"].median()),
        "n_sets": len(sets.frame),
        "sets": json.loads(sets.frame.head(5).to_json(orient="records")),
        "note": factors.note,
    }
    return summary, files


def _final_model(plan: Plan, runs: Runs, store: Store | None) -> tuple[CoxLLSPIN, dict[str, Any]]:
    """Fit LLSPIN on one thread, as the folds were; return it, and what decided its settings."""
    study = plan.study
    rows = np.arange(len(study.X)) if study.external is None else np.flatnonzero(~study.external)
    X, y = study.X.iloc[rows], study.y[rows]
    groups = None if study.groups is None else study.groups[rows]
    model = clone(plan.models[MODEL]).set_params(random_state=plan.seed)
    how: dict[str, Any] = {"rows": len(rows), "tuned": None, "lam_by": "validation"}
    parts: tuple[Any, ...] = (X, y)
    validation = {}
    if groups is not None or plan.tune is not None:  # whole patients validate, the same ones for tuning and the fit
        whole = next(RepeatedKFold(n_repeats=1, random_state=plan.seed).folds(X, y, groups))
        fold = Fold("all", np.setdiff1d(np.arange(len(X)), whole.validation), whole.validation, np.arange(0))
        parts = X.iloc[fold.train], y[fold.train]
        validation = {"validation_data": (X.iloc[fold.validation], y[fold.validation])}
    if plan.tune is not None:
        how["tuned"] = _settings(plan, runs, store, X, y, fold)
        model = tuned(model, how["tuned"], path=True)
    if plan.probe_rate is not None:
        chosen = [fit.points["lam"].iloc[fit.chosen] for fit in runs.fits if fit.model == MODEL]
        model, how["lam_by"] = model.set_params(lam=float(np.median(chosen))), "probes"
    with one_thread(), nullcontext() if store is None else checkpoint.keeping(store.checkpoints(KEY)):
        return model.fit(*parts, **validation), how


def _settings(plan: Plan, runs: Runs, store: Store | None, X, y: np.ndarray, fold: Fold) -> dict[str, Any]:
    """Return the settings that all folds share; where each has its own, search as on a fold, here on all rows."""
    if runs.ledger is not None and runs.ledger.frozen:
        best = settled(runs.ledger)
        return settings(best.loc[best["model"] == MODEL, "params"].iloc[0])
    space = plan.tune.spaces_for(plan.models).get(MODEL, {})
    journal = None if store is None else store.journal(f"{MODEL} on all rows")
    model, storage, seed = plan.models[MODEL], plan.tune.storage or journal, plan.tune.random_state
    return search(MODEL, model, space, *sight_of(X, y, fold), plan.tune.n_trials, seed, storage).params


def _store_of(plan: Plan) -> AbstractContextManager[Store | None]:
    """Return the plan's store, which nobody else may use meanwhile, if there is one."""
    return nullcontext() if plan.store is None else Store.open(plan.store, Store.read(plan.store).plan)
