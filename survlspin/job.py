"""The main job: Cox-LSPIN beside what one would use instead, on the same folds, and each patient's risk factors."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from survlspin import __version__
from survlspin._messages import listed, nearest
from survlspin.baselines import CoxLasso, Forest
from survlspin.errors import InputError
from survlspin.estimators import CoxLLSPIN, CoxLSPIN, CoxPH, DeepSurv
from survlspin.explaining import explain
from survlspin.folds import LARGE, External, RepeatedKFold, Splitter, TrainOneTestNine, default_cv
from survlspin.probes import Probes
from survlspin.protocol import run
from survlspin.protocol.asked import horizons_of
from survlspin.protocol.plan import plan as plan_of
from survlspin.results import written
from survlspin.store import Store
from survlspin.study import Study
from survlspin.tuning import Tuning

__all__ = ["BASELINES", "CALL", "Plan", "begin", "execute", "plan"]

CALL = "job"  # where a store keeps the call

REPEATS = 1  # of cross-validation; with it 686 patients take less than 4 minutes on 2 cores
BASELINES = {"lspin": "LSPIN", "deepsurv": "DeepSurv", "cox": "Cox PH", "lasso": "Cox-LASSO", "forest": "Forest"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What is to be compared, and how.

    Attributes
    ----------
    study : Study
    models : dict
        Name -> estimator; the first is LLSPIN.
    left_out : tuple of str
        Models that cannot be had on these data, and why.
    cv : Splitter
    reason : str
        Why this protocol.
    over : dict
        The models that are fitted over their whole penalty path, and how, as `survlspin.run` takes them.
    seed, seeds : int
        The first seed, and how many.
    tune : Tuning or None
    probes : Probes or None
    probe_rate : float or None
        The share of the probes that a penalty may select to be chosen; None: validation rows choose.
    store : Path or None
    horizons : tuple of float
        Times by which the probability of the event is wanted.
    """

    study: Study
    models: dict[str, Any]
    left_out: tuple[str, ...]
    cv: Splitter
    reason: str
    over: dict[str, dict[str, Any]]
    seed: int
    seeds: int
    tune: Tuning | None
    probes: Probes | None
    probe_rate: float | None
    store: Path | None
    horizons: tuple[float, ...]

    def opening(self) -> dict[str, Any]:
        """What was read and what will be done with it, as plain values."""
        study, design = self.study, self.study.design
        numbers = {variable.name for variable in design.variables if variable.levels is None}
        tune, probes = self.tune, self.probes
        return {
            "version": __version__,
            "source": study.source,
            "rows": len(study.X),
            "patients": len(study.X) if study.groups is None else len(set(study.groups)),
            "events": study.outcome.n_events,
            "time_unit": study.unit,
            "longest_time": float(study.outcome.time.max()),
            "numbers": [variable.name for variable in design.variables if variable.name in numbers],
            "categories": [variable.name for variable in design.variables if variable.name not in numbers],
            "dropped": design.dropped,
            "notes": list(design.notes),
            "compared": list(self.models),
            "members": self.models["LLSPIN"].members,
            "context": self.models["LLSPIN"].context,
            "protocol": self.cv.description,
            "reason": self.reason,
            "left_out": list(self.left_out),
            "seed": self.seed,
            "seeds": self.seeds,
            "tune": None if tune is None else {"trials": tune.n_trials, "spaces": tune.spaces},
            "probes": None if probes is None else {"kind": probes.kind, "n": probes.n, "rate": self.probe_rate},
            "store": None if self.store is None else str(self.store),
            "horizons": list(self.horizons),
        }


def plan(
    study: Study,
    *,
    folds: int | None = None,
    repeats: int | None = None,
    members: int = 10,
    context: Collection[str] = (),
    skip: Collection[str] = (),
    seed: int = 0,
    force: bool = False,
    protocol: str = "auto",
    seeds: int = 1,
    points: int | None = None,
    tune: int | None = None,
    preset: str | None = None,
    storage: str | None = None,
    probes: int = 0,
    shadow_probes: int = 0,
    probe_rate: float | None = None,
    store: Path | None = None,
    horizon: Collection[float] = (),
) -> Plan:
    """Choose models and protocol.

    Parameters
    ----------
    study : Study
    folds, repeats : int, optional
        Instead of the protocol's own.
    members : int
        Nets in each ensemble.
    context : collection of str
        The variables that alone the gates may see; none: all.
    skip : collection of str
        Keys of `BASELINES` to leave out.
    seed : int
    force : bool
    protocol : {"auto", "one-nine", "nine-one", "external"}
    seeds : int
        Fits of every model on every fold.
    points : int, optional
        Points of every penalty path.
    tune : int, optional
        Trials per model; `preset` names the spaces, `storage` the database.
    probes, shadow_probes : int
        Columns of noise, or shuffled copies of columns, to add; not both.
    probe_rate : float, optional
        Choose penalties by the share of probes that they select.
    store : Path, optional
        The folder that keeps what is done.
    horizon : collection of float
        Times by which the probability of the event is wanted.

    Raises
    ------
    InputError
        SL-217 context that is no variable; SL-346 folds; SL-391 horizons; SL-513 skip.
    """
    for key in set(skip) - set(BASELINES):
        raise InputError("SL-513", f"--skip {key!r}{nearest(key, BASELINES)}.", f"It may be {listed(BASELINES)}.")
    study.design.column_index(context)
    models, left_out = _models(study, members, list(context) or None, skip, force, points)
    cv, reason = _protocol(study, protocol, folds, repeats, seed)
    spaces = "default" if preset is None else str(preset)
    tuning = None if tune is None else Tuning(tune, spaces, storage=storage, random_state=seed)
    kind, n = ("shadow", shadow_probes) if shadow_probes else ("uniform", probes)
    return Plan(
        study=study,
        models=models,
        left_out=left_out,
        cv=cv,
        reason=reason,
        over={name: _path(model, points) for name, model in models.items() if hasattr(model, "path")},
        seed=seed,
        seeds=seeds,
        tune=tuning,
        probes=Probes(kind, n, random_state=seed) if n else None,
        probe_rate=probe_rate,
        store=store,
        horizons=horizons_of(horizon, study.outcome.time.max()),
    )


def begin(plan: Plan, call: dict[str, Any]) -> None:
    """Make the plan's store, or find that it is of this very study, and keep the call there by which it is resumed.

    Raises
    ------
    InputError
        As `survlspin.run` does before anything is fitted.
    """
    with Store.open(plan.store, plan_of(**_asked(plan)).describe(plan.tune)) as store:
        store.put_json(CALL, call)


def execute(plan: Plan, out: Path, n_jobs: int | None = None, progress: bool = True) -> dict[str, Any]:
    """Compare the models, explain the patients, and write the results.

    Parameters
    ----------
    plan : Plan
    out : Path
        An existing folder.
    n_jobs : int, optional
        Processes; the numbers do not depend on it.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    dict
        Plain values, those of `Plan.opening` among them.
    """
    asked = _asked(plan)
    with _quiet_workers():
        runs = run(**asked, tune=plan.tune, store=plan.store, n_jobs=n_jobs, progress=progress)
    if plan.probe_rate is not None:
        runs = runs.choose_by_probes(plan.probe_rate)
    found, files = written(runs, len(plan.study.design.factors), out)
    patients, own = explain(plan, runs, out)
    paths = [str(path) for path in (*files, *own)]
    return {**plan.opening(), **found, "per_patient": patients, "out": str(out), "files": paths}


def _asked(plan: Plan) -> dict[str, Any]:
    """Return what is compared on what, as `survlspin.run` calls it."""
    return {
        "models": plan.models,
        "X": plan.study.X,
        "y": plan.study.y,
        "cv": plan.cv,
        "over": plan.over,
        "probes": plan.probes,
        "random_state": [plan.seed + i for i in range(plan.seeds)],
        "groups": plan.study.groups,
        "horizons": plan.horizons,
    }


def _models(
    study: Study, members: int, context: list[str] | None, skip: Collection[str], force: bool, points: int | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the models that these data can be given to, and why the others are left out."""
    net: dict[str, Any] = {"members": members, "force": force}
    models = {
        "LLSPIN": CoxLLSPIN(**net, context=context),
        "LSPIN": CoxLSPIN(**net, context=context),
        "DeepSurv": DeepSurv(**net),
        "Cox PH": CoxPH(),
        "Cox-LASSO": CoxLasso() if points is None else CoxLasso(n_alphas=points),
        "Forest": Forest(),
    }
    models = {name: model for name, model in models.items() if name not in {BASELINES[key] for key in skip}}
    present = {"entry", "weight", "stratum"} & set(study.y.dtype.names)
    unusable = {name: present - model.uses for name, model in models.items()}
    left_out = tuple(f"{name} cannot use {' and '.join(sorted(parts))}" for name, parts in unusable.items() if parts)
    return {name: model for name, model in models.items() if not unusable[name]}, left_out


def _path(model: Any, points: int | None) -> dict[str, Any]:
    """Return how a model's path is asked for; Cox-LASSO has the number of points among its own settings."""
    return {"lam": "path"} if points is None or isinstance(model, CoxLasso) else {"lam": "path", "points": points}


def _protocol(study: Study, protocol: str, folds: int | None, repeats: int | None, seed: int) -> tuple[Splitter, str]:
    """Return the splitter, changed as asked for, and why it is this one."""
    reason, automatic = "as asked for", protocol == "auto"
    if study.external is not None:
        return External(study.external, random_state=seed), reason
    cv = default_cv(len(study.X), seed)
    if not automatic:
        cv = TrainOneTestNine(random_state=seed) if protocol == "one-nine" else RepeatedKFold(10, random_state=seed)
    if isinstance(cv, RepeatedKFold):
        asked = {"n_splits": folds, "n_repeats": repeats or REPEATS}
        why = f"below {LARGE:,} rows every patient is needed for training"
    else:
        asked = {"n_folds": folds, "n_repeats": repeats}
        why = f"from {LARGE:,} rows on a tenth is enough to train on, and training sets need not overlap"
    cv = dataclasses.replace(cv, **{name: n for name, n in asked.items() if n is not None})
    return cv, why if automatic else reason


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Keep worker processes from printing warnings: what concerns the data was said of all rows before."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before
