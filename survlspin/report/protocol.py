"""The chapter on the protocol: who was trained and tested on, what tuning saw, and how to do it again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from survlspin import __version__
from survlspin._messages import listed
from survlspin.folds import Fold
from survlspin.results import settled
from survlspin.runs import Runs
from survlspin.splits import PARTS
from survlspin.store import versions

from .drawing import COLORS, PALE
from .parts import Figure, Section, Table, Text
from .source import Subject

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["command_of", "picture", "protocol_section"]

ACROSS, FOLDS = 240, 15  # patients and folds that the picture shows
COLOR = dict(zip(PARTS, (COLORS[0], COLORS[4], COLORS[2], PALE), strict=True))
WORDS = {"train": "trained on", "validation": "validates", "test": "tested on", "aside": "set aside"}
PATHS = ("data", "out", "store", "storage")


def protocol_section(subject: Subject) -> Section:
    """Return the chapter: outputs 7 to 9."""
    said, facts = _words(subject)
    parts: list[Text | Table | Figure] = [Text(said)]
    if subject.runs is not None:
        parts += [picture(subject.runs.folds.values()), *_manifest(subject.runs)]
    tuning, found = _tuning(subject)
    parts += [*tuning, *_settings(subject), _again(subject)]
    lead = "Which patients trained, validated and tested each model, what chose its settings, and how to do it again."
    return Section("protocol", "Protocol", lead, parts, {**facts, **found})


def _words(subject: Subject) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the protocol in sentences, and as facts."""
    names = listed(subject.models, 30)
    [judged, *_] = subject.models[subject.reference]
    facts = {
        "models.names": names,
        "protocol.external": subject.external,
        "protocol.apparent": subject.kind == "model" and np.array_equal(judged.rows, judged.trained),
        "protocol.judged_on": subject.judged_on,
        "protocol.words": subject.judged_on.capitalize(),
    }
    development = "Development of models and their comparison" if subject.kind == "study" else "Evaluation of a model"
    facts["report.objective"] = f"{development}, judged on {subject.judged_on}"
    if not facts["protocol.apparent"]:
        facts["protocol.apart"] = f"Judged on {subject.judged_on}"
    if subject.external and (subject.runs is not None or subject.development is not None):
        facts["external.words"] = "evaluated on another data set"
    if (runs := subject.runs) is None:
        return (f"Model: {names}. Judged on {subject.judged_on}.",), facts
    seeds = subject.plan.get("seeds", [])
    description = f"{runs.description[0].upper()}{runs.description[1:]}"
    dealt = "" if subject.external else " Patients are dealt out whole, stratified by event."
    facts |= {
        "protocol.words": description,
        "protocol.folds": len(runs.folds),
        "protocol.fits": len(runs.fits),
        "protocol.unfinished": len(runs.unfinished),
        "protocol.seeds": seeds,
        "protocol.disjoint": _disjoint(runs.folds.values()),
    }
    lines = [
        f"{description}.{dealt}",
        f"Compared: {names}. Every number on performance is of {subject.judged_on}.",
        f"{len(runs.fits)} fits, {len(seeds)} of every model on every fold (seeds: {listed(seeds, 20)}).",
    ]
    if runs.unfinished:
        lines.append(f"Missing: {len(runs.unfinished)} fits.")
    both = [name for name, how in runs.validation.items() if how == "trained on"]
    if both:
        lines.append(f"{listed(both)} have nothing that validation rows could choose, and train on these, too.")
    return tuple(lines), facts


def _disjoint(folds) -> bool:
    rows = np.concatenate([fold.train for fold in folds])
    return len(np.unique(rows)) == len(rows)


def picture(folds) -> Figure:
    """Return the folds as a picture: a line per fold, patients from left to right, dealt out to parts."""
    folds = list(folds)
    runs = [_runs(row) for row in _dealt(folds)]

    def draw(figure: matplotlib.figure.Figure) -> None:
        from matplotlib.patches import Patch

        axes = figure.add_subplot()
        for i, pieces in enumerate(runs):
            for part, start, width in pieces:
                axes.broken_barh([(start, width)], (i - 0.42, 0.84), color=COLOR[part], lw=0, antialiased=False)
        axes.set(yticks=range(len(runs)), yticklabels=[fold.name for fold in folds[:FOLDS]], xlim=(0, 1), xticks=[])
        axes.set(ylabel="fold", xlabel="patients")
        axes.invert_yaxis()
        axes.grid(visible=False)
        seen = {part for pieces in runs for part, *_ in pieces}
        handles = [Patch(color=COLOR[part], label=WORDS[part]) for part in PARTS if part in seen]
        figure.legend(handles=handles, loc="outside upper left", ncols=4, fontsize=9)

    sizes = (f"{WORDS[part]} {np.median([len(getattr(fold, part)) for fold in folds]):,.0f}" for part in PARTS)
    alt = f"{len(folds)} folds; rows of a fold, median: {', '.join(sizes)}."
    cut = f" The first {FOLDS} of {len(folds)} folds." if len(folds) > FOLDS else ""
    note = f"Patients are ordered by the part they have in each fold, and stand for their neighbours.{cut}"
    return Figure("split", "Who trains, validates and tests", alt, draw, note, (7.2, 0.9 + 0.3 * len(runs)))


def _dealt(folds: list[Fold]) -> np.ndarray:
    """Return the part (its number from 1; 0: none) of some patients in each fold, (folds, `ACROSS` at most)."""
    n = 1 + max(int(getattr(fold, part).max(initial=0)) for fold in folds for part in PARTS)
    part_of = np.zeros((min(len(folds), FOLDS), n), dtype=np.int8)
    for row, fold in zip(part_of, folds, strict=False):
        for i, part in enumerate(PARTS):
            row[getattr(fold, part)] = i + 1
    rare = 1 + PARTS.index(min(("train", "test"), key=lambda part: len(getattr(folds[0], part))))
    order = np.lexsort([*part_of[::-1], (part_of == rare).argmax(axis=0)])
    shown = np.linspace(0, n - 1, min(n, ACROSS)).astype(int)
    return part_of[:, order[shown]]


def _runs(row: np.ndarray) -> list[tuple[str, float, float]]:
    """Return neighbours of one part as pieces: the part, where it begins, how wide it is."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(row)) + 1, [len(row)]])
    pieces = zip(row[edges[:-1]], edges[:-1] / len(row), np.diff(edges) / len(row), strict=True)
    return [(PARTS[code - 1], float(start), float(width)) for code, start, width in pieces if code]


def _manifest(runs: Runs) -> list[Table]:
    if (splits := runs.splits) is None:
        return []
    frame = splits[splits["rows"] > 0].reset_index(drop=True)
    note = (
        "SHA-256 of the labels of the rows, sorted, each followed by a line feed: the split can be checked without "
        f"naming anybody. Seed of the split: {splits.attrs.get('seed')}."
    )
    counts = {"rows": (), "patients": (), "events": ()}
    return [Table("splits", "Split manifest", frame, note, counts=counts, within="fold")]


def _tuning(subject: Subject) -> tuple[Sequence[Text | Table], dict[str, Any]]:
    """Return what chose the settings, and whether it saw test rows."""
    if subject.runs is None:
        return [], {}
    if (ledger := subject.ledger) is None or not len(ledger.trials):
        said = (
            "Settings were not tuned: they are as listed. Penalties and the end of training were chosen on validation "
            "rows. Test rows used for tuning: 0."
        )
        return [Text((said,))], {"tuning.none": "No settings were tuned", "tuning.test_rows": 0}
    trials, seen = ledger.trials, ledger.test_rows()
    where = "on one fold, whose patients no fold tests" if ledger.frozen else "for every fold by itself"
    said = f"Settings were tuned {where}: {len(trials):,} trials. Test rows used for tuning: {seen}."
    best = settled(ledger)
    best = best.assign(params=[_params(params) for params in best["params"]])
    shown = trials.drop(columns=["train_sha256", "validation_sha256"])
    note = f"Test rows used for tuning: {seen}, counted from the rows that each trial saw and each fold tests."
    tables = [
        Table("tuned", "Settings found", best.rename(columns={"value": "criterion's value", "params": "settings"})),
        Table("ledger", "Every trial, and the rows that it saw", shown, note),
    ]
    return [Text((said,)), *tables], {"tuning.trials": len(trials), "tuning.test_rows": seen}


def _params(params: Mapping[str, Any]) -> str:
    shown = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in params.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items()) or "as given"


def _settings(subject: Subject) -> list[Table]:
    """Return the settings of every model that is compared; of a single model they are in its specification."""
    models = subject.plan.get("models", {})
    rows = [
        (name, setting, _plain(value))
        for name, entry in models.items()
        for setting, value in [("class", entry["settings"]["class"]), *entry["settings"]["params"].items()]
    ]
    frame = pd.DataFrame(rows, columns=["model", "setting", "value"])
    return [Table("settings", "Settings of every model before tuning", frame)] if rows else []


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return listed((f"{name}: {_plain(part)}" for name, part in value.items()), 20)
    return listed(map(_plain, value), 20) if isinstance(value, list) else str(value)


def _again(subject: Subject) -> Table:
    """Return what is needed to do it again."""
    used = subject.plan.get("versions") or subject.call.get("versions") or {}
    command = "resume" if subject.kind == "study" else "fit"
    rows = [
        ("command", command_of(subject.call, "run" if command == "resume" else "fit")),
        ("seeds", listed(subject.plan.get("seeds", [subject.call.get("seed")]), 50)),
        (
            "data, SHA-256 of content",
            subject.plan.get("data", {}).get("fingerprint") or subject.call.get("fingerprint"),
        ),
        ("threads", "one for each fit; the numbers do not depend on the number of processes"),
        *((f"version of {name}", version) for name, version in used.items()),
        ("report made by", f"survlspin {__version__}, Python {versions()['python']}, {platform.machine()}"),
    ]
    frame = pd.DataFrame([(name, str(value)) for name, value in rows if value not in (None, "", "None")])
    return Table("again", "To do it again", frame.set_axis(["what", "value"], axis=1))


def command_of(call: Mapping[str, Any], name: str) -> str | None:
    """Return the command line of a call that was kept, without the folders of its files."""
    if not (options := call.get("options")):
        return None
    from inspect import signature

    from survlspin import cli

    usual = {key: parameter.default for key, parameter in signature(getattr(cli, name)).parameters.items()}
    words = ["survlspin", name]
    for key, value in options.items():
        if value is None or value == usual.get(key) or value in (False, [], ()):
            continue
        flag = "--set" if key == "setting" else f"--{key.replace('_', '-')}"
        for each in value if isinstance(value, list | tuple) else [value]:
            text = Path(str(each)).name if key in PATHS else str(each)
            words += [flag] if each is True else [flag, text]
    return shlex.join(words)
