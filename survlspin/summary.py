"""What a comparison or a fit found, as text for a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from survlspin._messages import listed
from survlspin._study_text import opened, probed, settings, studied
from survlspin._text import duration, in_columns, interval, number, wrapped

__all__ = ["closing", "fit_closing", "fit_opening", "opening", "report_closing", "verdict"]

OURS = ("LLSPIN", "LSPIN")
SURE = "its 95% interval leaves out 0"
UNSURE = "its 95% interval includes 0"


def opening(report: dict[str, Any]) -> str:
    """Return what was read and what will be done with it."""
    whose = "" if report["patients"] == report["rows"] else f" of {report['patients']:,} patients"
    variables = len(report["numbers"]) + len(report["categories"])
    context = report["context"]
    lines = [
        f"survlspin {report['version']}",
        f"Read: {report['source']}: {report['rows']:,} rows{whose}, {report['events']:,} events, "
        f"{variables} variables; time in {report['time_unit']}, up to {report['longest_time']:g}.",
        f"  Numbers: {listed(report['numbers'], 30) or 'none'}.",
        f"  Categories: {listed(report['categories'], 30) or 'none'}.",
        *(f"  Left out: {name} ({why})." for name, why in report["dropped"].items()),
        *(f"  Note: {note}." for note in report["notes"]),
        f"Protocol: {report['protocol']}; {report['reason']}.",
        f"Models: {listed(report['compared'])}; nets as ensembles of {report['members']}. Validation rows choose "
        "penalties and stop training, test rows choose nothing.",
        f"Gates see {'every variable' if context is None else 'only ' + listed(context)}.",
        *(f"Left out: {why}." for why in report["left_out"]),
        *opened(report),
    ]
    return wrapped(lines)


def closing(report: dict[str, Any]) -> str:
    """Return the tables, what they say, and where the files are."""
    patients = report["per_patient"]
    shares = [[f"{row['share']:.1%}", f"{row['n']:,}", row["set_key"]] for row in patients["sets"]]
    lines = [
        f"C: {report['C_definition']}.",
        f"{report['interval']}.".replace("95% interval", "95% intervals", 1),
        *studied(report),
        "",
        _fitted(report),
        f"{patients['note']} Associations, not causes.",
    ]
    names = [Path(name).name for name in report["files"]]
    parts = [
        _models(report),
        _differences(report),
        _counts(report),
        probed(report),
        settings(report),
        wrapped(lines) + "\n\n" + in_columns([["share", "rows", "most frequent sets"], *shares], left=(2,)),
        wrapped(["In short:", *(f"  {line}" for line in report["verdict"])]),
        wrapped([f"Took {duration(report['seconds'])}. Wrote to {report['out']}:", f"  {', '.join(names)}"]),
        f"Report on it: survlspin report {shlex.quote(report['store'])} --horizon TIME" if report["store"] else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _fitted(report: dict[str, Any]) -> str:
    """Return which rows and what else decided each patient's risk factors."""
    patients = report["per_patient"]
    whose = "all" if patients["rows"] == report["rows"] else "the"
    which = "" if whose == "all" else " that are not of the other data set"
    how = {
        "validation": "chosen on validation rows among them",
        "probes": "the median over folds of those that the probes chose",
    }[patients["lam_by"]]
    frozen = (report["tuned"] or {}).get("frozen")
    where = "the settings tuned above" if frozen else "settings tuned on them"
    tuned = "" if patients["tuned"] is None else f", with {where}"
    return (
        f"Each patient's risk factors: LLSPIN fitted once to {whose} {patients['rows']:,} rows{which}{tuned}, lambda "
        f"{patients['lam']:.3g} {how}; median {patients['factors_median']:g} factors, "
        f"different sets: {patients['n_sets']:,}. Its C on these same rows would flatter it and is not reported."
    )


def verdict(report: dict[str, Any]) -> list[str]:
    """Return what the comparison says for and against LLSPIN and LSPIN, in sentences."""
    lines = []
    c = {row["model"]: row["C"] for row in report["models"]}
    for ours in OURS:
        rows = [row for row in report["differences"] if row["model"] == ours and row["other"] not in OURS]
        better = [row for row in rows if row["difference"] is not None and round(row["difference"], 3) < 0]
        for row in sorted(better, key=lambda row: row["difference"]):
            sure = SURE if row["difference_high"] < 0 else UNSURE
            lines.append(
                f"{row['other']} ranked patients better than {ours} here: C {c[row['other']]:.3f} against "
                f"{c[ours]:.3f} (difference {-row['difference']:.3f}; {sure})."
            )
        if rows and not better:
            clear = [row["other"] for row in rows if row["difference_low"] is not None and row["difference_low"] > 0]
            sure = f"clearly (interval without 0) above {listed(clear)}" if clear else "clearly above none of them"
            lines.append(f"No other model has a higher C than {ours} ({c[ours]:.3f}, three digits); it is {sure}.")
    return [*lines, *_beside_lasso(report)]


def _beside_lasso(report: dict[str, Any]) -> list[str]:
    """Return who has the higher C at each count, LLSPIN or Cox-LASSO."""
    c = {(row["model"], row["count"]): row["C"] for row in report["at_counts"]}
    lines = []
    for row in report["differences_at_counts"]:
        k, difference = row["count"], row["difference"]
        if row["other"] == "Cox-LASSO" and difference is not None:
            rounded = round(difference, 3)
            order = "ahead of" if rounded > 0 else "behind" if rounded < 0 else "level with"
            sure = SURE if row["difference_low"] > 0 or row["difference_high"] < 0 else UNSURE
            lines.append(
                f"With at most {k} factors LLSPIN is {order} Cox-LASSO: C {c['LLSPIN', k]:.3f} against "
                f"{c['Cox-LASSO', k]:.3f} (difference {difference:+.3f}; {sure})."
            )
    return lines


def fit_opening(report: dict[str, Any]) -> str:
    """Return what was read and what will be fitted to it."""
    lines = [
        f"survlspin {report['version']}",
        f"Read: {report['source']}: {report['rows']:,} rows, {_predicted(report)}, "
        f"{len(report['numbers']) + len(report['categories'])} variables.",
        f"  Numbers: {listed(report['numbers'], 30) or 'none'}.",
        f"  Categories: {listed(report['categories'], 30) or 'none'}.",
        *(f"  Left out: {name} ({why})." for name, why in report["dropped"].items()),
        *(f"  Note: {note}." for note in report["notes"]),
        f"Model: {report['settings']}.",
    ]
    return wrapped(lines)


def fit_closing(report: dict[str, Any]) -> str:
    """Return what the model selects, how well it predicts, and where the files are."""
    patients, names = report["per_patient"], [Path(name).name for name in report["files"]]
    shares = [[row["factor"], f"{row['share']:.1%}", row["reference"]] for row in patients.get("selection", ())]
    lam = ", ".join(f"{name} {value:.3g}" for name, value in report["lam"].items())
    how = " (chosen on validation rows)" if report["chosen"] else ""
    parts = [
        wrapped([f"Weight of the penalty: {lam}{how}."]) if lam else "",
        in_columns([["factor", "used by", "reference"], *shares], left=(0, 2)) if shares else "",
        wrapped(_selected(patients)),
        wrapped(_judgement(report)),
        wrapped([f"Took {duration(report['seconds'])}. Wrote to {report['out']}:", f"  {', '.join(names)}"]),
    ]
    return "\n\n".join(part for part in parts if part)


def report_closing(report: dict[str, Any]) -> str:
    """Return what a report is about, and where it is."""
    tables, figures = (
        sum(Path(name).parent.name == kind for name in report["files"]) for kind in ("tables", "figures")
    )
    hidden = report["min_cell"] > 1
    lines = [
        f"Judged on {report['judged_on']}.",
        *([f"Unfinished: {report['partial']}."] if report["partial"] else []),
        f"Counts below {report['min_cell']} are hidden." if hidden else "Small counts are not hidden (--min-cell).",
        f"Took {duration(report['seconds'])}. Wrote {report['files'][0]}, with {tables} tables and {figures} figures "
        "beside it.",
    ]
    return wrapped(lines)


def _predicted(report: dict[str, Any]) -> str:
    if report["task"] == "survival":
        return f"{report['events']:,} events (time in {report['time_unit']})"
    if report["task"] == "numbers":
        return f"target {report['target']}"
    return f"target {report['target']} of {len(report['classes'])} classes"


def _selected(patients: dict[str, Any]) -> list[str]:
    if not patients:
        return []
    return [
        f"Factors per row: median {patients['factors_median']:g}, mean {patients['factors_mean']:.1f}; different sets: "
        f"{patients['n_sets']:,}.",
        *([f"{patients['note']} Associations, not causes."] if "note" in patients else ()),
    ]


def _judgement(report: dict[str, Any]) -> list[str]:
    """Return how well the model predicts, and what the rows that say so served before."""
    lines = []
    if report["test"]:
        lines.append(f"Test rows, which chose nothing: {_estimate(report['test'])}.")
    if report["validation"]:
        served = ["stopped training"] * report["stopped"] + ["chose the penalty"] * report["chosen"]
        why = f"They {' and '.join(served)}, so that this number flatters the model" if served else "They chose nothing"
        lines.append(f"Validation rows, not trained on: {_estimate(report['validation'])}. {why}.")
    if found := report["test"] or report["validation"]:
        lines.append(f"{found['measure']}: {found['definition']}.")
    else:
        lines.append("All rows were trained on; how well the model predicts these is not said.")
    return lines if report["test"] else [*lines, "--test 0.25 sets rows apart that choose nothing."]


def _estimate(found: dict[str, Any]) -> str:
    between = "" if found["low"] is None else f" (95% interval {interval(found['low'], found['high'])})"
    return f"{found['measure']} {number(found['value'])}{between} on {found['rows']:,} rows"


def _models(report: dict[str, Any]) -> str:
    head = ["", "C", "95% interval", "factors per patient", "seconds per fit", "validation rows"]
    body = [
        [
            row["model"],
            number(row["C"]),
            interval(row["low"], row["high"]),
            number(row["factors"], 1),
            number(row["seconds"], 1),
            row["validation"],
        ]
        for row in report["models"]
    ]
    title = "Test patients, mean over folds (factors: median per training patient)"
    return f"{title}\n{in_columns([head, *body], left=(0, 5))}"


def _differences(report: dict[str, Any]) -> str:
    signs = [
        [
            f"{row['model']} minus {row['other']}",
            number(row["difference"], 4, "+"),
            interval(row["difference_low"], row["difference_high"], 4, "+"),
        ]
        for row in report["differences"]
    ]
    return in_columns([["Paired differences in C", "", "95% interval"], *signs], left=(0,)) if signs else ""


def _counts(report: dict[str, Any]) -> str:
    rows = report["at_counts"]
    counts = sorted({row["count"] for row in rows})
    if not counts:
        return ""
    cell = {
        (row["model"], row["count"]): f"{number(row['C'])} ({interval(row['low'], row['high'])})"
        if row["C"] is not None
        else "-"
        for row in rows
    }
    body = [[model, *(cell[model, k] for k in counts)] for model in dict.fromkeys(row["model"] for row in rows)]
    return in_columns([["C with at most", *(f"{k} factors" for k in counts)], *body], left=(0,))
