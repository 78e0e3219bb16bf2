"""Fit every model on the same folds, and gather what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.base import BaseEstimator
from tqdm import tqdm

from .._messages import listed
from ..errors import InputError
from ..folds import Splitter
from ..probes import Probes
from ..runs import Fit, Runs
from ..store import Store, StoreFolder
from ..tuning import Tuning
from .memory import check_memory, need_of
from .plan import Plan, plan
from .stored import fits_in, keep_study, keep_unit
from .tune import folds_left, tune_models, tuning_of
from .unit import Unit, fit_unit
from .work import Failure, Task, carry_out, marks_for, refuse_failures

__all__ = ["run"]


def run(
    models: Mapping[str, BaseEstimator],
    X,
    y,
    cv: Splitter | None = None,
    over: Mapping[str, Mapping[str, Any]] | None = None,
    tune: Tuning | int | None = None,
    probes: Probes | None = None,
    store: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: int | Sequence[int] = 0,
    groups=None,
    progress: bool = True,
    horizons: Sequence[float] = (),
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
    tune : Tuning or int, optional
        How settings are found before, or the number of trials for each model; see `survlspin.tuning.Tuning`.
        Where all folds use what was found on the first, no fold tests on the patients it saw.
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
    horizons : sequence of float
        Times by which the probability of the event is wanted (`Fit.event_probability`), in the unit of y. Cox models
        without strata say it at any time; of others it is kept by these and by 24 times spread over the events.

    Returns
    -------
    Runs

    Raises
    ------
    InputError
        SL-341 to SL-346 folds that cannot be made, SL-382 to SL-386 folds that cannot be used; SL-347 a path that
        cannot be had; SL-348 seeds; SL-351 a category so rare that a fold has nobody to learn it from; SL-355 to SL-362
        a store that cannot be used; SL-363 fits that failed, SL-364 whose process died twice, once all others are done;
        SL-365 too little memory; SL-369 results that do not stay in the store; SL-371 to SL-379, SL-387 tuning;
        SL-388, SL-389 probes; SL-391 horizons that are no times of the follow-up; SL-392 a store of an older version.
    InputTypeError
        SL-350 no models, something that is not an estimator, not a splitter, no probes.

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
    made = plan(models, X, y, cv, over, probes, random_state, groups, horizons)
    tuning = tuning_of(tune)
    folds = folds_left(made, tuning)
    check_memory(need_of(made.units(folds), made.X, n_jobs, made.outcome))
    with nullcontext() if store is None else Store.open(store, made.describe(tuning)) as kept:
        at_work, settled, ledger = _AtWork(kept, n_jobs, progress), None, None
        if tuning is not None:
            settled, ledger = tune_models(made, tuning, folds, kept, partial(at_work.carried_out, what="search"))
        return at_work.runs(made, made.units(folds, settled), made.about(folds, ledger))


@dataclass(frozen=True)
class _AtWork:
    """How tasks are carried out: where what they find is kept, in how many processes, shown or not."""

    store: Store | None
    n_jobs: int | None
    progress: bool

    def runs(self, made: Plan, units: Sequence[Unit], about: dict[str, Any]) -> Runs:
        """Fit the units."""
        fits = self._fits(made, units) if self.store is None else self._kept_fits(self.store, made, units, about)
        return Runs(fits, **about)

    def carried_out(self, tasks: Mapping[str, Task], names: Mapping[str, str], what: str = "fit") -> dict[str, Any]:
        """Return the results of tasks by key, showing how many of all that have names are done; refuse failures."""
        kept = (
            "With a store, store=..., what is done is kept."
            if self.store is None
            else "The others are kept: run again."
        )
        found: dict[str, Any] = {}
        bar = tqdm(
            total=len(names), initial=len(names) - len(tasks), unit=what, disable=None if self.progress else True
        )
        with bar, marks_for(self.store) as marks:
            for key, result in carry_out(tasks, marks, self.n_jobs):
                found[key] = result
                bar.update()
        refuse_failures({names[key]: hit for key, hit in found.items() if isinstance(hit, Failure)}, len(tasks), kept)
        return found

    def _fits(self, made: Plan, units: Sequence[Unit]) -> list[Fit]:
        """Return the fits of all units, in their order."""
        names = {str(i): unit.name for i, unit in enumerate(units)}
        tasks: dict[str, Task] = {str(i): (fit_unit, (unit, made.X, made.y)) for i, unit in enumerate(units)}
        found = self.carried_out(_longest_first(tasks), names)
        return [found[key] for key in names]

    def _kept_fits(self, store: Store, made: Plan, units: Sequence[Unit], about: dict[str, Any]) -> list[Fit]:
        """Fit what the store does not have, and return all; what is then found damaged is fitted again."""
        keys = [made.key(unit) for unit in units]
        listing = keep_study(store, about, units, keys)
        folder, names = StoreFolder(store.folder), {key: unit.name for key, unit in zip(keys, units, strict=True)}
        for _ in range(2):
            tasks: dict[str, Task] = {
                key: (keep_unit, (unit, made.X, made.y, folder, key))
                for key, unit in zip(keys, units, strict=True)
                if not store.has(key)
            }
            self.carried_out(_longest_first(tasks), names)
            fits, missing = fits_in(store, listing)
            if not missing:
                return fits
        raise InputError("SL-369", f"{store.folder} does not keep {listed(missing)} whole.", "Use another disk.")


def _longest_first(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Put the paths first."""
    return dict(sorted(tasks.items(), key=lambda item: not item[1][1][0].path))
