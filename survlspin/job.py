"""The main job: Cox-LSPIN beside what one would use instead, on the same folds, and each patient's risk factors."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from survlspin import __version__
from survlspin._messages import listed, nearest
from survlspin.baselines import CoxLasso, Forest
from survlspin.errors import InputError
from survlspin.estimators import CoxLLSPIN, CoxLSPIN, CoxPH, DeepSurv
from survlspin.folds import LARGE, RepeatedKFold, Splitter, default_cv
from survlspin.protocol import run
from survlspin.study import Study
from survlspin.threads import one_thread

if TYPE_CHECKING:
    from survlspin.runs import Runs

__all__ = ["BASELINES", "COUNTS", "Plan", "execute", "plan"]

COUNTS = (2, 4, 6)
REPEATS = 1  # of cross-validation; with it 686 patients take less than 4 minutes on 2 cores
OURS = ("LLSPIN", "LSPIN")
ESTIMATE = ("C", "se", "low", "high")
DIFFERENCE = ("difference", "difference_se", "difference_low", "difference_high")
BASELINES = {"lspin": "LSPIN", "deepsurv": "DeepSurv", "cox": "Cox PH", "lasso": "Cox-LASSO", "forest": "Forest"}


@dataclass(frozen=True, eq=False)
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
    seed : int
    """

    study: Study
    models: dict[str, Any]
    left_out: tuple[str, ...]
    cv: Splitter
    reason: str
    seed: int

    @property
    def paths(self) -> list[str]:
        """The models that are fitted over their whole penalty path."""
        return [name for name, model in self.models.items() if hasattr(model, "path")]

    def opening(self) -> dict[str, Any]:
        """What was read and what will be done with it, as plain values."""
        study, design = self.study, self.study.design
        numbers = {variable.name for variable in design.variables if variable.levels is None}
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

    Raises
    ------
    InputError
        SL-217 context that is no variable; SL-346 folds; SL-513 skip; SL-515 repeats where the protocol has none.
    """
    for key in set(skip) - set(BASELINES):
        raise InputError("SL-513", f"--skip {key!r}{nearest(key, BASELINES)}.", f"It may be {listed(BASELINES)}.")
    study.design.column_index(context)
    net = {"members": members, "force": force}
    gated = {**net, "context": list(context) or None}
    models = {
        "LLSPIN": CoxLLSPIN(**gated),
        "LSPIN": CoxLSPIN(**gated),
        "DeepSurv": DeepSurv(**net),
        "Cox PH": CoxPH(),
        "Cox-LASSO": CoxLasso(),
        "Forest": Forest(),
    }
    models = {name: model for name, model in models.items() if name not in {BASELINES[key] for key in skip}}
    present = {"entry", "weight", "stratum"} & set(study.y.dtype.names)
    unusable = {name: present - model.uses for name, model in models.items()}
    left_out = tuple(f"{name} cannot use {' and '.join(sorted(parts))}" for name, parts in unusable.items() if parts)
    models = {name: model for name, model in models.items() if not unusable[name]}
    cv, reason = _protocol(len(study.X), folds, repeats, seed)
    return Plan(study, models, left_out, cv, reason, seed)


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
    study = plan.study
    over = {name: {"lam": "path"} for name in plan.paths}
    with _quiet_workers():
        runs = run(plan.models, study.X, study.y, plan.cv, over, n_jobs, plan.seed, study.groups, progress)
    results, files = _results(runs, len(study.design.factors)), runs.save(out)
    for name in ("differences", "at_counts", "differences_at_counts"):
        results[name].to_csv(out / f"{name}.csv", index=False)
        files.append(out / f"{name}.csv")
    patients, written = _explain(plan, out)
    records = {name: json.loads(frame.to_json(orient="records")) for name, frame in results.items()}
    definitions = {"C_definition": runs.attrs["C"], "interval": runs.attrs["interval"]}
    paths = [str(path) for path in (*files, *written)]
    return {**plan.opening(), **records, **definitions, "per_patient": patients, "out": str(out), "files": paths}


def _protocol(n_rows: int, folds: int | None, repeats: int | None, seed: int) -> tuple[Splitter, str]:
    """Return the splitter, changed as asked for, and why it is this one."""
    cv = default_cv(n_rows, seed)
    if isinstance(cv, RepeatedKFold):
        asked = {"n_splits": folds, "n_repeats": repeats or REPEATS}
        reason = f"below {LARGE:,} rows every patient is needed for training"
    elif repeats is None:
        asked = {"n_folds": folds}
        reason = f"from {LARGE:,} rows on a tenth is enough to train on, and training sets need not overlap"
    else:
        found = f"--repeats {repeats} is for cross-validation; {n_rows:,} rows are trained on one fold, tested on nine."
        raise InputError("SL-515", found, "Leave it out.")
    return dataclasses.replace(cv, **{name: n for name, n in asked.items() if n is not None}), reason


def _results(runs: Runs, n_factors: int) -> dict[str, pd.DataFrame]:
    """Return the tables: one row per model; per pair of models; per model and count."""
    table = runs.table().reset_index()
    names = list(table["model"])
    ours = [name for name in OURS if name in names]
    pairs = [_minus(runs.table(reference=name), name) for name in ours]
    pairs[-1] = pairs[-1][~pairs[-1]["other"].isin(ours)]  # each pair once
    counts = [k for k in COUNTS if k <= n_factors]
    at_counts = pd.DataFrame(columns=["model", "count", *ESTIMATE])
    beside = pd.DataFrame(columns=["model", "other", "count", *DIFFERENCE])
    if counts:
        found = runs.at_counts(counts)
        at_counts = found.reset_index().sort_values("model", key=lambda m: m.map(names.index), kind="stable")
        beside = _minus(found, OURS[0])
    return {
        "models": table[["model", *ESTIMATE, "factors", "seconds", "validation"]],
        "differences": pd.concat(pairs, ignore_index=True)[["model", "other", *DIFFERENCE]],
        "at_counts": at_counts[["model", "count", *ESTIMATE]],
        "differences_at_counts": beside[["model", "other", "count", *DIFFERENCE]],
    }


def _minus(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return `model` minus each other one, from a table with the differences of the others from it."""
    others = table.reset_index().rename(columns={"model": "other"})
    low, high = -others["difference_high"], -others["difference_low"]
    turned = others.assign(model=model, difference=-others["difference"], difference_low=low, difference_high=high)
    return turned[turned["other"] != model]


def _final_model(plan: Plan) -> CoxLLSPIN:
    """Fit LLSPIN to all rows, on one thread as the folds were."""
    X, y, groups = plan.study.X, plan.study.y, plan.study.groups
    model = clone(plan.models["LLSPIN"]).set_params(random_state=plan.seed)
    with one_thread():
        if groups is None:
            return model.fit(X, y)
        fold = next(RepeatedKFold(n_repeats=1, random_state=plan.seed).folds(X, y, groups))  # whole patients validate
        train = np.setdiff1d(np.arange(len(X)), fold.validation)
        valid = X.iloc[fold.validation], y[fold.validation]
        return model.fit(X.iloc[train], y[train], validation_data=valid)


def _explain(plan: Plan, out: Path) -> tuple[dict[str, Any], list[Path]]:
    """Write what LLSPIN says of each patient; return a summary of it, and the files."""
    model = _final_model(plan)
    factors = model.risk_factors(plan.study.X)
    sets = factors.sets()
    files = [out / name for name in ("factors.csv", "factors.parquet", "sets.csv", "sets.png", "sets.svg")]
    factors.to_csv(files[0])
    factors.to_parquet(files[1])
    sets.to_csv(files[2])
    figure = sets.plot()
    figure.savefig(files[3])
    figure.savefig(files[4], metadata={"Date": None})
    summary = {
        "lam": float(model.lam_["gates"]),
        "factors_median": float(factors.patients()["n_factors"].median()),
        "n_sets": len(sets.frame),
        "sets": json.loads(sets.frame.head(5).to_json(orient="records")),
        "note": factors.note,
    }
    return summary, files


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
