"""Fit every model on the same folds, and gather what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from sklearn.base import BaseEstimator
from tqdm import tqdm

from .._messages import listed
from ..errors import InputError
from ..folds import Splitter
from ..probes import Probes
from ..runs import Fit, Runs
from ..store import Store, StoreFolder
from .memory import check_memory, need_of
from .plan import Plan, plan
from .stored import fits_in, keep_study, keep_unit
from .unit import Unit, fit_unit
from .work import Failure, Task, carry_out, marks_for, refuse_failures

__all__ = ["run"]


def run(
    models: Mapping[str, BaseEstimator],
    X,
    y,
    cv: Splitter | None = None,
    over: Mapping[str, Mapping[str, Any]] | None = None,
    tune=None,
    probes: Probes | None = None,
    store: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: int | Sequence[int] = 0,
    groups=None,
    progress: bool = True,
) -> Runs:
    """Fit every model on the same folds and compare them on the same test patients.

    Test rows choose nothing: penalties, stopping and tuning see the fold's training and validation rows alone. Models
    whose ``fit`` takes no ``validation_data`` (Cox regression, forests, pipelines) are, once tuned, trained on training
    and validation rows together; the table says so.

    Parameters
    ----------
    models : dict
        Name -> estimator of this package or of scikit-survival, or a pipeline or search around one.
    X : DataFrame or array (n, p)
    y : any accepted outcome
    cv : Splitter, optional
        `TrainOneTestNine`, `RepeatedKFold`, `External` or a `Splitter` of your own; by default (`default_cv`) 5 times
        repeated 5-fold cross-validation below 10,000 rows, train-one/test-nine from there on.
    over : dict, optional
        The models whose whole penalty path is wanted: ``{"LSPIN": {"lam": "path"}}``, or of so many penalties:
        ``{"LSPIN": {"lam": "path", "points": 12}}``. In the table they stand with the point that the validation rows
        chose.
    probes : Probes, optional
        Columns that can mean nothing, to be added to X: what selects them selects falsely.
    store : str or path, optional
        A folder, new or of this very study. What is finished is kept there and not computed again, what was cut off
        goes on from its last checkpoint: the same call again resumes a study, to the same numbers. Further models may
        be added; other data, folds, seeds or versions are refused. It holds patients' rows: keep it as you keep them.
    n_jobs : int, optional
        Processes, as in joblib, or its other engines: ``with joblib.parallel_config(backend="dask")``. The numbers do
        not depend on it. Processes on other machines need the store in a folder that they share, and one thread each.
    random_state : int or sequence of int
        Each seed is one more fit of every model on every fold; folds of one seed differ in what they draw from it.
    groups : array (n,), optional
        Patient labels: rows of one patient stay in one part and count as one in standard errors.
    progress : bool
        Show a progress bar with the time left, on a terminal only.

    Returns
    -------
    Runs

    Raises
    ------
    InputError
        SL-341 to SL-346 folds that cannot be made, SL-382 to SL-386 folds that cannot be used; SL-347 a path that
        cannot be had; SL-348 seeds; SL-351 a category so rare that a fold has nobody to learn it from; SL-355 to SL-362
        a store that cannot be used; SL-363 fits that failed, SL-364 whose process died twice, once all others are done;
        SL-365 too little memory; SL-369 results that do not stay in the store; SL-388, SL-389 probes.
    InputTypeError
        SL-350 something that is not an estimator, not a splitter, no probes.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from survlspin import RepeatedKFold
    >>> from survlspin.baselines import CoxLasso, LifelinesCoxPH
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "nodes", "noise"])
    >>> y = {"time": rng.exponential(np.exp(-X["age"])), "event": np.ones(200, int)}
    >>> models = {"Cox PH": LifelinesCoxPH(), "Cox-LASSO": CoxLasso()}
    >>> runs = run(models, X, y, cv=RepeatedKFold(3, 1), over={"Cox-LASSO": {"lam": "path"}})
    >>> int(runs.table().loc["Cox PH", "factors"])
    3
    """
    made = plan(models, X, y, cv, over, probes, random_state, groups)
    check_memory(need_of(made.units(made.folds), made.X, n_jobs))
    with ExitStack() as stack:
        kept = None if store is None else stack.enter_context(Store.open(store, made.describe()))
        units, about = made.units(made.folds), made.about(made.folds)
        if kept is None:
            return Runs(_fits(units, made, n_jobs, progress), **about)
        return Runs(_kept_fits(units, made, kept, about, n_jobs, progress), **about)


def _fits(units: Sequence[Unit], made: Plan, n_jobs: int | None, progress: bool) -> list[Fit]:
    """Fit all units and return what they found, in their order."""
    names = {str(i): unit.name for i, unit in enumerate(units)}
    tasks: dict[str, Task] = {key: (fit_unit, (unit, made.X, made.y)) for key, unit in zip(names, units, strict=True)}
    with marks_for(None) as marks:
        found = _carried_out(tasks, names, marks, n_jobs, progress, "With a store, store=..., the others are kept.")
    return [found[key] for key in names]


def _kept_fits(
    units: Sequence[Unit], made: Plan, store: Store, about: dict[str, Any], n_jobs: int | None, progress: bool
) -> list[Fit]:
    """Fit the units that the store does not have, and return the fits of all; what is found damaged is fitted again."""
    keys = [made.key(unit) for unit in units]
    listing = keep_study(store, about, units, keys)
    folder, names = StoreFolder(store.folder), {key: unit.name for key, unit in zip(keys, units, strict=True)}
    for _ in range(2):
        tasks: dict[str, Task] = {
            key: (keep_unit, (unit, made.X, made.y, folder, key))
            for key, unit in zip(keys, units, strict=True)
            if not store.has(key)
        }
        _carried_out(tasks, names, folder, n_jobs, progress, "The others are kept: run again for these alone.")
        fits, missing = fits_in(store, listing)
        if not missing:
            return fits
    raise InputError("SL-369", f"{store.folder} does not keep {listed(missing)} whole.", "Use another disk.")


def _carried_out(
    tasks: Mapping[str, Task],
    names: Mapping[str, str],
    marks: StoreFolder,
    n_jobs: int | None,
    progress: bool,
    kept: str,
) -> dict[str, Any]:
    """Return the results of tasks by key, showing how many of all that have `names` are done."""
    found: dict[str, Any] = {}
    bar = tqdm(total=len(names), initial=len(names) - len(tasks), unit="fit", disable=None if progress else True)
    with bar:
        for key, result in carry_out(tasks, marks, n_jobs):
            found[key] = result
            bar.update()
    failed = {names[key]: result for key, result in found.items() if isinstance(result, Failure)}
    refuse_failures(failed, len(tasks), kept)
    return found
