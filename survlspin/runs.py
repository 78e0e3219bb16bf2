"""The results of a comparison: C with intervals that cover, paired differences, C at a number of factors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .curve import COUNTS, Curve, check_count
from .errors import InputError
from .fit_record import Fit
from .fold_mean import FoldMean, interval
from .folds import Fold
from .instability import Instability, instability
from .probes import probe_report, probe_share, smallest_lambda
from .selection import agreement_of, frequency_of, stability_of

if TYPE_CHECKING:
    from .tuning import Ledger

__all__ = ["Fit", "Runs"]

Pick = Callable[[Fit], int | None]  # a point of a fit's path
Influence = Callable[[Fit, int], np.ndarray]
Average = Callable[[tuple[tuple[Fit, int | None], ...]], FoldMean]


@dataclass(frozen=True, eq=False)
class Runs:
    """What `survlspin.run` found.

    Attributes
    ----------
    fits : list of Fit
    folds : dict
        Name -> `survlspin.folds.Fold`.
    validation : dict
        Model -> "held out": validation rows chose its penalty or stopping; or "trained on": it had nothing to choose.
    paths : tuple of str
        The models fitted over their path.
    patient : int array (n,)
        Each row's patient.
    description : str
        The protocol.
    labels : Index or array (n,), optional
        What the rows are called; by default their positions.
    probes : tuple of str
        The columns of noise that were offered.
    ledger : Ledger, optional
        Every trial of tuning, and which rows it saw.
    splits : DataFrame, optional
        The rows, patients and events of each part of each fold, with a digest of its row labels.
    unfinished : tuple of str
        The fits that are missing. Every table then says so, and is of the fits that are there.
    horizons : tuple of float
        The times by which the probability of the event was asked for.

    Raises
    ------
    InputError
        SL-395 without any fit.
    """

    fits: list[Fit]
    folds: dict[str, Fold]
    validation: dict[str, str]
    paths: tuple[str, ...]
    patient: np.ndarray
    description: str
    labels: pd.Index | np.ndarray | None = None
    probes: tuple[str, ...] = ()
    ledger: Ledger | None = None
    splits: pd.DataFrame | None = None
    unfinished: tuple[str, ...] = ()
    horizons: tuple[float, ...] = ()

    def __post_init__(self):
        if not self.fits:
            raise InputError("SL-395", "No fit is finished.", "Wait for the first, or resume the study.")

    @property
    def attrs(self) -> dict[str, str]:
        """How C is defined, how its intervals are made, and the protocol; every table carries them.

        ``partial`` is there where fits are missing, and says how many.
        """
        attrs = {"C": self.fits[0].definition, "interval": self._interval, "protocol": self.description}
        if self.unfinished:
            missing, done = len(self.unfinished), len(self.fits)
            attrs["partial"] = f"unfinished: {done} of {done + missing} fits; {missing} are missing"
        return attrs

    def points(self) -> pd.DataFrame:
        """Return every point of every fit: its penalty, counts, C, and whether it is the one that was chosen."""
        points = pd.concat([fit.points for fit in self.fits], ignore_index=True)
        size = [len(fit.points) for fit in self.fits]
        for name in ("model", "fold", "seed", "seconds"):
            points[name] = np.repeat([getattr(fit, name) for fit in self.fits], size)
        points["point"] = np.concatenate([np.arange(n) for n in size])
        points["chosen"] = points["point"] == np.repeat([fit.chosen for fit in self.fits], size)
        columns = ["model", "fold", "seed", "point", "chosen", "lam", "validation_nll", *COUNTS, "C", "seconds"]
        return points[columns]

    def table(self, reference: str | None = None) -> pd.DataFrame:
        """Return one row per model, with its paired difference from the model `reference` (by default the first).

        Columns: ``C``, the mean over folds, with ``se``, ``low``, ``high``; ``factors``, the factors used per training
        patient (median; mean over folds); ``difference`` in C with its own ``_se``, ``_low``, ``_high``; ``seconds``
        per fit; ``folds``; ``validation``, what became of the validation rows. ``attrs`` names the definitions.

        Raises
        ------
        InputError
            SL-349 for a `reference` that is no model.
        """
        table = self._compare(list(self.validation), reference, lambda fit: fit.chosen, self._mean)
        points = self.points().query("chosen").groupby("model")
        table.insert(4, "factors", points["median"].mean())
        table["seconds"] = points["seconds"].mean()
        table["folds"] = [len({fit.fold for fit in self._of(model)}) for model in table.index]
        table["validation"] = pd.Series(self.validation)
        return table

    def at_counts(
        self, counts: Iterable[int] = (2, 4, 6), by: str = "median", reference: str | None = None
    ) -> pd.DataFrame:
        """Return C at k factors for every model with a path, and its difference from `reference` at the same k.

        C at k factors is that of the densest point of the path whose training count is at most k, fold by fold, and NaN
        where a fold has no such point. `by` says which count, one of `survlspin.curve.COUNTS`: the "median" or the
        "mean" of the factors used per training patient, or the "union" over them; or "median_columns", "mean_columns",
        "union_columns", where each column that codes a category counts. Columns as in `table`.

        Raises
        ------
        InputError
            SL-349 for a `reference` that is no model with a path; SL-397 where no model has one; SL-466 for another
            `by`.
        """
        check_count("by", by)
        if not self.paths:
            raise InputError("SL-397", "no model has a path.", 'Ask for some: over={NAME: {"lam": "path"}}.')
        mean = lru_cache(2 * len(self.paths))(self._mean)  # neighbouring k often mean the same points
        tables = {}
        for k in counts:

            def pick(fit: Fit, most: float = k) -> int | None:
                return densest(fit.points[by].to_numpy(), most)

            tables[k] = self._compare(list(self.paths), reference, pick, mean)
        table = pd.concat(tables, names=["count"]).swaplevel().sort_index(level="model", sort_remaining=False)
        table.attrs = self.attrs
        return table

    def curve(self) -> Curve:
        """Return C against what is used, by each count: paths as lines, every model's own choice as a point."""
        points, chosen = self.points(), self.table()
        own = points[points["chosen"]].groupby("model")
        frames = [chosen.assign(kind="chosen", by=by, count=own[by].mean()).reset_index() for by in COUNTS]
        frames += [path for model in self.paths if len(path := self._path(model))]
        columns = ["model", "kind", "by", "count", "C", "se", "low", "high"]
        return Curve(pd.concat(frames, ignore_index=True).dropna(subset="C")[columns], points, self.attrs)

    def choose_by_probes(self, rate: float) -> Runs:
        """Return the same with every path at the smallest penalty that selects at most the share `rate` of the probes.

        At that penalty and at every larger one, no more of the probes are used for any training patient; test rows
        have no say. Models without a path stay as they are.

        Raises
        ------
        InputError
            SL-390 for a rate that is none, and where a fit was offered no probe.
        """

        def chosen(fit: Fit) -> Fit:
            if fit.model not in self.paths:
                return fit
            point = smallest_lambda(fit.points["lam"], probe_share(fit.share, self.probes), rate)
            return fit.choosing(point)

        words = f"penalties chosen so that at most {100 * rate:g}% of {len(self.probes)} probes are used"
        return replace(self, fits=[chosen(fit) for fit in self.fits], description=f"{self.description}; {words}")

    def probe_table(self) -> pd.DataFrame:
        """Return what every model made of the probes: see `survlspin.probes.probe_report`."""
        return self._named(probe_report(self.fits, self.probes))

    def agreement(self, model: str) -> pd.DataFrame:
        """Return for every row how many models that did not train on it list each factor: a model per fold and seed.

        One row per row of the data, by label: ``models``, how many say something of it (0 for rows that every fold
        trains or validates on), and for each factor how many of these use it.

        Raises
        ------
        InputError
            SL-396 for a `model` without fits.
        """
        if not (fits := self._of(model)):
            raise InputError("SL-396", f"No fit of {model!r}.", f"Use one of {', '.join(self._fitted)}.")
        table = agreement_of(fits, self.folds, len(self.patient))
        return self._named(table if self.labels is None else table.set_axis(pd.Index(self.labels), axis=0))

    def stability(self) -> pd.DataFrame:
        """Return how alike the sets of factors are that a model selects on several folds, one row per model.

        A fold's set holds the factors used for half of its training patients or more. Columns: ``folds``; ``nogueira``,
        with 95 % limits ``nogueira_low`` and ``nogueira_high``, see `survlspin.stability.nogueira`; ``jaccard``, the
        mean over pairs of folds of the share of factors that two sets have in common; ``patient_jaccard``, the same of
        the sets that two folds list for one patient that neither trained on, mean over patients. NaN where there is
        nothing to compare, or where every set is empty or full.
        """
        rows = {model: stability_of(self._of(model), self.folds, len(self.patient)) for model in self._fitted}
        table = self._named(pd.DataFrame(rows).T.astype({"folds": int}).rename_axis("model"))
        trained = pd.concat([pd.Series(self.patient[fold.train]).drop_duplicates() for fold in self.folds.values()])
        shared = "share patients, which makes them more alike" if trained.duplicated().any() else "share no patient"
        table.attrs["nogueira"] = f"95 % limits by the jackknife over folds and Student's t; training sets {shared}"
        return table

    def instability(self, model: str, horizon: float) -> Instability:
        """Return how each patient's probability of the event differs over fits that did not train on the patient: see
        `survlspin.instability.instability`."""
        return instability(self, model, horizon)

    def frequency(self) -> pd.DataFrame:
        """Return one row per model and factor: the number of ``folds`` that use it for half of their training patients
        or more, ``of`` how many, and the mean over folds of the ``share`` of training patients it is used for."""
        tables = {model: frequency_of(self._of(model)) for model in self._fitted}
        return self._named(pd.concat(tables, names=["model", "factor"]))

    def save(self, folder: str | Path) -> list[Path]:
        """Write table.csv, folds.csv (the points of every fit), stability.csv, frequency.csv, curve.csv, curve.png,
        curve.svg, and where there are any probes.csv, splits.csv and ledger.csv; return the paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {
            "table": self.table(),
            "folds": self.points().set_index("model"),
            "stability": self.stability(),
            "frequency": self.frequency(),
        }
        tables |= {"probes": self.probe_table()} if self.probes else {}
        if self.splits is not None:
            said = {name: str(value) for name, value in self.splits.attrs.items()}
            tables["splits"] = self.splits.assign(**said)
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=name != "splits")
        files = [folder / f"{name}.csv" for name in tables]
        if self.ledger is not None:
            files.append(folder / "ledger.csv")
            self.ledger.to_csv(files[-1])
        return [*files, *self.curve().save(folder)]

    @property
    def _fitted(self) -> list[str]:
        return [model for model in self.validation if self._of(model)]

    @property
    def _interval(self) -> str:
        """How the intervals are made; model by model where that differs."""
        models: dict[str, list[str]] = {}
        for model in self._fitted:
            cells = {(fit.fold, fit.seed) for fit in self._of(model)}
            models.setdefault(interval(len({fold for fold, _ in cells}), len(cells)), []).append(model)
        return "; ".join(models if len(models) == 1 else (f"{', '.join(who)}: {how}" for how, who in models.items()))

    def _of(self, model: str) -> list[Fit]:
        """Return the fits of a model, by fold and seed."""
        place = list(self.folds).index
        return sorted((fit for fit in self.fits if fit.model == model), key=lambda fit: (place(fit.fold), fit.seed))

    def _named(self, table: pd.DataFrame) -> pd.DataFrame:
        table.attrs = {**self.attrs, **table.attrs}
        return table

    def _influence(self, fit: Fit, point: int) -> np.ndarray:
        """Return the influence of each patient on C, float32 (patients,)."""
        rows = self.folds[fit.fold].test
        return np.bincount(self.patient[rows], fit.influence[point], self.patient.max() + 1).astype(np.float32)

    def _mean(self, chosen: tuple[tuple[Fit, int | None], ...], influence_of: Influence | None = None) -> FoldMean:
        """Average points of fits, all folds alike; `influence_of` may remember what `_influence` returns."""
        influence_of = influence_of or self._influence
        by_fold: dict[str, list[tuple[Fit, int | None]]] = {}
        for fit, point in chosen:
            by_fold.setdefault(fit.fold, []).append((fit, point))
        units = list(by_fold.values()) if len(by_fold) > 1 else [[pair] for pair in chosen]
        m = int(self.patient.max()) + 1
        values, influence = np.full(max(1, len(units)), np.nan), np.zeros((max(1, len(units)), m), dtype=np.float32)
        trained = np.zeros(influence.shape, dtype=bool)
        for k, pairs in enumerate(units):
            trained[k, self.patient[self.folds[pairs[0][0].fold].train]] = True
            points = [(fit, point) for fit, point in pairs if point is not None]
            if len(points) == len(pairs):
                values[k] = np.mean([fit.points["C"].iloc[point] for fit, point in points])
                influence[k] = reduce(np.add, (influence_of(*each) for each in points)) / len(points)
        return FoldMean(values, influence, trained)

    def _path(self, model: str) -> pd.DataFrame:
        """Return C with at most so many, by each count; counts that mean the same points are averaged once."""
        fits = self._of(model)
        influence = cache(self._influence)
        mean = cache(lambda picks: self._mean(tuple(zip(fits, picks, strict=True)), influence).own)
        rows = []
        for by in COUNTS:
            counts = [fit.points[by].to_numpy() for fit in fits]
            most = math.ceil(max((count.max() for count in counts), default=0))
            picks = {k: tuple(densest(c, k) for c in counts) for k in range(1, most + 1)}
            rows += [{"by": by, "count": k, **mean(points)} for k, points in picks.items() if None not in points]
        return pd.DataFrame(rows).assign(model=model, kind="path")

    def _compare(self, models: list[str], reference: str | None, pick: Pick, mean: Average) -> pd.DataFrame:
        """Return one row per model: C, and its difference from the reference on the fits that both have."""
        reference = models[0] if reference is None else reference
        if reference not in models:
            raise InputError("SL-349", f"reference {reference!r}.", f"Use one of {', '.join(models)}.")
        chosen = {model: tuple((fit, pick(fit)) for fit in self._of(model)) for model in models}
        cells = {model: {(fit.fold, fit.seed) for fit, _ in pairs} for model, pairs in chosen.items()}

        def row(model: str) -> dict[str, float]:
            both = cells[model] & cells[reference]
            pair = (tuple(c for c in chosen[name] if (c[0].fold, c[0].seed) in both) for name in (model, reference))
            ours, theirs = map(mean, pair)
            return mean(chosen[model]).columns(ours - theirs)

        return self._named(pd.DataFrame({model: row(model) for model in models}).T.rename_axis("model"))


def densest(counts: np.ndarray, k: float) -> int | None:
    """Return the first of the points with the largest count that is at most k, or None."""
    allowed = np.flatnonzero(counts <= k)
    return int(allowed[counts[allowed].argmax()]) if len(allowed) else None
