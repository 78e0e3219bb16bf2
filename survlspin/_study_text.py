"""What a study was asked and found beyond C, as text: tuning, probes, stability, agreement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from survlspin._messages import listed
from survlspin._text import in_columns, interval, number, wrapped

__all__ = ["opened", "probed", "settings", "studied"]

SEVERAL = 1.5  # models per patient from which they can agree


def opened(report: dict[str, Any]) -> Iterator[str]:
    """Yield what is asked for besides."""
    if report["seeds"] > 1:
        yield f"Fits: {report['seeds']} of every model on every fold, each with a seed of its own."
    if tune := report["tune"]:
        where = {"default": "this package's spaces", "lspin2022": "Table B.4 of the LSPIN paper"}[tune["spaces"]]
        yield f"Tuning: {tune['trials']} trials per model ({where}), on training and validation rows alone."
    if probes := report["probes"]:
        what = "uniform noise" if probes["kind"] == "uniform" else "shuffled copies of other columns"
        yield f"Probes: {probes['n']} columns of {what} are offered beside the variables."
        if probes["rate"] is not None:
            yield f"  Each path's smallest penalty that selects at most {100 * probes['rate']:g}% of them is chosen."
    if report["horizons"]:
        times = " and ".join(f"{time:g}" for time in report["horizons"])
        yield f"Horizons: {times}; the probability of the event by then is kept."
    if report["store"]:
        yield f"Store: {report['store']}. It keeps what is done; it holds patients' rows."


def settings(report: dict[str, Any]) -> str:
    """Return what tuning saw and found."""
    if (tuned := report["tuned"]) is None:
        return ""
    [first, *_] = tuned["seen"]
    rows = f"{first['train_rows']:,} training and {first['validation_rows']:,} validation rows"
    trials = f"{tuned['trials']:,} trials in all, {tuned['failed']:,} of them failed"
    where = (
        f"It saw the {rows} of fold {first['fold']} alone; what it found holds for every fold."
        if tuned["frozen"]
        else f"Every fold is tuned for itself, and tuning saw its training and validation rows alone (fold "
        f"{first['fold']}: {rows}); the settings of each fold are in ledger.csv."
    )
    lines = [f"Tuning: {trials}. {where} Test rows used for tuning: {tuned['test_rows']}."]
    if tuned["aside"]:
        lines.append(
            "The other folds do not test the patients that tuning saw: up to "
            f"{tuned['aside']:,} rows of a fold are left out."
        )
    lines.append("The penalty of a model with a path is that of the point which is chosen on it, fold by fold.")
    if tuned["not_tuned"]:
        lines.append(f"Nothing to search: {listed(tuned['not_tuned'])}.")
    text = wrapped(lines)
    if not tuned["frozen"]:
        return text
    rows = [[best["model"], _params(best["params"]) or "as given"] for best in tuned["best"]]
    return f"{text}\n\n{in_columns([['', 'settings found'], *rows], left=(0, 1))}"


def _limits(row: dict[str, Any]) -> str:
    low, high = row["nogueira_low"], row["nogueira_high"]
    return "no interval from so few folds" if low is None else interval(low, high, 2)


def _params(params: dict[str, Any]) -> str:
    shown = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in params.items()}
    return ", ".join(f"{name.split('__')[-1]} {value}" for name, value in shown.items())


def probed(report: dict[str, Any]) -> str:
    """Return what the models that select made of the probes."""
    if (probes := report["probed"]) is None:
        return ""
    rows = [
        [
            row["model"],
            f"{number(row['selected'], 1)} of {row['offered']}",
            "-" if row["upper"] is None else f"{row['upper']:.1%}",
            "-" if row["opened"] is None else f"{row['opened']:.1%}",
        ]
        for row in probes["models"]
    ]
    head = ["Probes", "selected for anybody", "upper 95% bound", "patients x probes"]
    n = probes["n"]
    lines = [
        "The bound is on the share of meaningless columns that are selected for anybody; "
        f"0 of {n} only bounds it below {probes['none']:.1%}.",
        "Models that do not select use every probe. Wherever factors are counted or compared, probes are among them.",
    ]
    return f"{in_columns([head, *rows], left=(0,))}\n{wrapped(lines)}"


def studied(report: dict[str, Any]) -> Iterator[str]:
    """Yield how alike the models of the folds are in what they select."""
    stable = [
        f"{row['model']} {number(row['nogueira'], 2)} ({_limits(row)})"
        for row in report["stability"]
        if row["nogueira"] is not None
    ]
    if stable:
        yield (
            "Stability of what is selected over folds (Nogueira; 1: the same factors, 0: as by chance): "
            f"{', '.join(stable)}; {report['stability_note']}."
        )
    agreed = [
        f"{row['model']} {number(row['any'], 1)}, {number(row['half'], 1)} and {number(row['all'], 1)}"
        for row in report["agreement"]
        if row["models"] >= SEVERAL
    ]
    if agreed:
        models = report["agreement"][0]["models"]
        yield (
            f"Agreement of the models that did not train on a patient ({models:.3g} of each kind): factors that any, "
            f"at least half, and all of them list, mean over patients: {'; '.join(agreed)}."
        )
