"""How much predictions and selected factors change from one fit to the next, and what probes say of the selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from . import figures
from .parts import Figure, Section, Table, Text
from .performance_means import UNDEFINED, plain
from .performance_sets import selects

if TYPE_CHECKING:
    from .source import Subject

__all__ = ["probes", "stability"]

BINS = 15  # of the mean prediction
DISTANCES = "MAPE", "Half of the patients below", "95 % of the patients below"
BANDS = 0.025, 0.1, 0.5, 0.9, 0.975
ONCE = (
    "Every patient is tested by a single fit: how much predictions change from fit to fit is not known. Ask for "
    "repeated folds, several seeds, or train-one/test-nine."
)
LISTED = "Listed by any", "by half", "by all"
SHARES = dict.fromkeys((*LISTED, "Nogueira", "95 % from", "to", "Jaccard", "Jaccard of a patient's sets"), ".2f")
TOP = 20  # factors drawn
UNPROBED = "Not known: no columns of noise were offered (survlspin run --probes)."
EVERY = "No model leaves out a factor: there is no selection whose stability could be measured."


def stability(subject: Subject) -> Section:
    """Return the section on stability."""
    parts: list[Text | Table | Figure] = []
    facts: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for horizon in subject.horizons if subject.runs is not None else ():
        panels = []
        for model in subject.models:
            try:
                found = subject.runs.instability(model, horizon)
            except InputError:  # no probabilities
                continue
            if found.frame["models"].max() < 2:
                continue
            measured = found.summary()
            rows.append({"Horizon": horizon, "Model": model, "Patients": int(measured["rows"]), **_columns(measured)})
            facts |= {f"instability.{horizon:g}.{model}": plain(found.mape)}
            facts["instability.fits"] = int(found.frame["models"].max())
            panels.append((model, _bands(subject, model, horizon, found.frame)))
        if panels:
            parts.append(_instability_figure(panels, rows, horizon, subject.data.unit))
    parts.append(_instability_table(rows, len(subject.runs.folds)) if rows else Text((ONCE,)))
    if subject.runs is not None:
        parts += _selection(subject, facts)
    lead = "What would another sample have given? Predictions of the same patient, and the factors selected, over fits."
    return Section("stability", "Stability", lead, parts, facts)


def _bands(subject: Subject, model: str, horizon: float, patients: pd.DataFrame) -> np.ndarray:
    """Return mean predictions, by groups of patients alike in them, and between what single fits' predictions lie.

    Array (k, 6): the mean, and it plus the quantiles `BANDS` of the distances of single predictions from the patient's
    own mean.
    """
    mean = patients["mean"].to_numpy()
    several = np.flatnonzero(patients["models"].to_numpy() > 1)
    several = several[np.argsort(mean[several], kind="stable")]
    code = np.full(len(mean), -1)
    code[several] = np.arange(len(several)) * BINS // len(several)
    group, apart = [], []
    for judged in subject.models[model]:
        rows = judged.rows[code[judged.rows] >= 0]
        said = judged.event_probability([horizon])[code[judged.rows] >= 0, 0]
        group.append(code[rows])
        apart.append((said - mean[rows]).astype(np.float32))
    spread = pd.Series(np.concatenate(apart)).groupby(np.concatenate(group)).quantile(BANDS).unstack()
    middle = pd.Series(mean[several]).groupby(code[several]).mean()
    return np.column_stack([middle, middle.to_numpy()[:, None] + spread.to_numpy()])


def _columns(measured: pd.Series) -> dict[str, float]:
    return dict(zip(DISTANCES, measured[["mape", "mape_median", "mape_95"]].tolist(), strict=True))


def _instability_figure(
    panels: list[tuple[str, np.ndarray]], rows: list[dict[str, Any]], horizon: float, unit: str
) -> Figure:
    words = f"by {horizon:g} {unit}"
    alt = f"Single fits' predictions against their mean {words}. " + " ".join(
        f"{model}: a patient's predictions are {row['MAPE']:.3f} from their mean, on average."
        for (model, _), row in zip(panels, rows[-len(panels) :], strict=True)
    )

    def draw(figure) -> None:
        figures.instability(figure, panels, words)

    note = (
        "Around each patient's own mean: the median of single fits (line), 80 % of them (dark band) and 95 % (pale). A "
        "model that every fit makes alike is a line."
    )
    return Figure(
        f"instability-{horizon:g}",
        f"Instability of predictions {words}",
        alt,
        draw,
        note,
        figures.grid_size(len(panels)),
    )


def _instability_table(rows: list[dict[str, Any]], n_folds: int) -> Table:
    note = (
        "MAPE: mean absolute distance of a single fit's probability from the mean of all fits that test the patient. "
        "There is no fit to all patients to compare with, as bootstrap studies have: with few fits the mean lies "
        "closer to each."
    )
    if n_folds == 1:
        note += " All were trained on the same patients, and differ by their seeds alone."
    formats = {"Horizon": "g", "Patients": ",d", **dict.fromkeys(DISTANCES, ".4f")}
    return Table("instability", "Instability of predictions", pd.DataFrame(rows), note, formats)


def _selection(subject: Subject, facts: dict[str, Any]) -> list[Text | Table | Figure]:
    """Return how alike the selected sets are, and how often each factor is selected."""
    runs = subject.runs
    frequency = runs.frequency()
    choosing = [model for model in subject.models if selects(subject, model)]
    if not choosing:
        return [Text((EVERY,))]
    measured = runs.stability()
    names = {
        "folds": "Folds", "nogueira": "Nogueira", "nogueira_low": "95 % from", "nogueira_high": "to",
        "jaccard": "Jaccard", "patient_jaccard": "Jaccard of a patient's sets",
    }  # fmt: skip
    own = measured.loc[choosing].dropna(axis=1, how="all")
    for model in choosing:
        facts[f"stability.{model}.nogueira"] = plain(measured.loc[model, "nogueira"])
        facts[f"stability.{model}.jaccard"] = plain(measured.loc[model, "jaccard"])
    frame = own.rename(columns=names).astype(object).where(own.notna().to_numpy(), UNDEFINED)
    frame = frame.rename_axis("Model").reset_index()
    shared = {model: _agreement(runs.agreement(model)) for model in choosing}
    frame = frame.join(pd.DataFrame([shared[model] for model in choosing]))
    note = (
        f"1: the same factors in every fold; Nogueira 0: as by chance. {measured.attrs['nogueira']}. Listed: of "
        "patients whom several fits did not train on, the mean number of factors that any, half and all of these list."
    )
    shares = frequency.loc[choosing].reset_index()
    shares.columns = ["Model", "Factor", "Folds", "Of", "Share of patients"]
    trained = np.median([len(judged.trained) for judged in subject.models[choosing[0]]])
    small = (shares["Share of patients"] * trained).between(0, subject.min_cell, inclusive="neither")
    shares["Share of patients"] = shares["Share of patients"].mask(small)
    said = "Folds: those that use the factor for half of their training patients or more."
    if small.any():
        said += " Left out: shares of too few patients to be shown."
    formats = {"Share of patients": ".3f"}
    return [
        Table("selection-stability", "Stability of what is selected", frame, note, SHARES),
        _frequency_figure(shares, choosing),
        Table("factor-frequency", "How often each factor is selected", shares, said, formats),
    ]


def _agreement(table: pd.DataFrame) -> dict[str, float | str]:
    """Return how many factors any, half and all fits of a patient list, mean over patients of several fits."""
    said = table[table.iloc[:, 0] > 1]
    if not len(said):
        return dict.fromkeys(LISTED, UNDEFINED)
    models, counts = said.iloc[:, 0].to_numpy()[:, None], said.iloc[:, 1:].to_numpy()
    return {
        name: float((counts >= least).sum(axis=1).mean())
        for name, least in zip(LISTED, (1, models / 2, models), strict=True)
    }


def _frequency_figure(shares: pd.DataFrame, models: list[str]) -> Figure:
    wide = shares.pivot(index="Factor", columns="Model", values="Share of patients")[models]
    known = wide.fillna(0.0)
    wide = wide.loc[known.mean(axis=1).sort_values(ascending=False, kind="stable").index[:TOP]]
    alt = "Share of training patients each factor is used for. " + " ".join(
        f"{model}: most {known[model].idxmax()}, {100 * known[model].max():.0f} %." for model in models
    )

    def draw(figure) -> None:
        figures.heat(figure, wide)

    note = f"The {len(wide)} factors used most; mean over folds."
    size = (min(7.2, 2.6 + 1.1 * len(models)), 0.9 + 0.26 * len(wide))
    return Figure("factor-frequency", "Factors used, % of patients", alt, draw, note, size)


def probes(subject: Subject) -> Section:
    """Return the section on probes."""
    runs = subject.runs
    if runs is None or not runs.probes:
        return Section("probes", "Probes", "How often is a factor selected that means nothing?", [Text((UNPROBED,))])
    table = runs.probe_table()
    frame = table.reset_index()
    frame.columns = ["Model", "Offered", "Selected", "By most fits", "Rate", "At most", "Patients x probes"]
    frame = frame.astype(object).where(frame.notna(), UNDEFINED)
    facts: dict[str, Any] = {"probes.offered": len(runs.probes)}
    for model, row in table.iterrows():
        facts |= {f"probes.{model}.selected": plain(row["selected"]), f"probes.{model}.upper": plain(row["upper"])}
    formats = {"Selected": ".1f", **dict.fromkeys(("Rate", "At most", "Patients x probes"), ".3f")}
    note = f"At most: {table.attrs['upper']}. Models that do not select use every probe."
    lead = (
        f"{len(runs.probes)} columns that can mean nothing were offered beside the real ones. What selects them "
        "selects falsely; how many are selected bounds the share of false selections."
    )
    title = "What models made of columns that mean nothing"
    return Section("probes", "Probes", lead, [Table("probes", title, frame, note, formats)], facts)
