"""The work of `survlspin cohort`, and its words: an export and a recipe become a cohort and the files beside it."""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from survlspin import __version__
from survlspin._text import duration, in_columns, wrapped
from survlspin.errors import InputError, InputWarning

if TYPE_CHECKING:
    from survlspin.cohort import Cohort
    from survlspin.cohort.flow import Flow

__all__ = ["closing", "cut_off", "pairs", "prepare", "recipe_list", "recipe_text", "targets"]

PRIVATE = 0o600
ENDINGS = (".flow.csv", ".flow.json", ".flow.svg", ".manifest.json")
CELLS = ("rows", "patients", "events")


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Return what ``NAME=VALUE`` texts say; SL-555 where one says nothing, or a name twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value) or name in found:
            raise InputError("SL-555", f"{option} {text!r}.", f"Write {option} NAME=VALUE, each name once.")
        found[name] = value
    return found


def targets(out: Path, sources: Iterable[Path]) -> list[Path]:
    """Return the files that will be written, once they can be.

    Raises
    ------
    InputError
        SL-521 no such folder; SL-522 one is a folder; SL-527 the name is none of a Parquet file; SL-528 one is a file
        that will be read.
    """
    if out.suffix != ".parquet":
        raise InputError("SL-527", f"--out {str(out)!r}.", "Give a name that ends in .parquet.")
    if not out.parent.is_dir():
        raise InputError("SL-521", f"There is no folder {out.parent}.", "Make it first.")
    files = [out, *(out.with_name(out.stem + ending) for ending in ENDINGS)]
    read = [source for source in sources if source.exists()]
    for file in files:
        if file.is_dir():
            raise InputError("SL-522", f"{file} is a folder.", "Give another name: --out.")
        if file.exists() and any(file.samefile(source) for source in read):
            raise InputError("SL-528", f"{file} would be read and written.", "Give another name: --out.")
    return files


def prepare(
    data: Path, recipe: str, out: Path, *, min_cell: int, dic: Path | None = None, sas: Path | None = None, **how: Any
) -> dict[str, Any]:
    """Build a cohort and write it with its flow and manifest: all files or none.

    Parameters
    ----------
    data : Path
    recipe : str
    out : Path
        Of the Parquet file; the other files have its name with other endings.
    min_cell : int
        The smallest number of patients that the flow shows beside 0.
    dic, sas, **how
        As in `survlspin.build_cohort`.

    Returns
    -------
    dict
        What was read, chosen, counted (masked) and written.

    Raises
    ------
    InputError
        As `targets` and `build_cohort`; SL-354 `min_cell`; SL-523 a file cannot be written.

    Warns
    -----
    InputWarning
        SL-559 the file ends within a line; and what `build_cohort` warns of.
    """
    from survlspin.cohort import build_cohort
    from survlspin.cohort.agreement import masked_agreements
    from survlspin.cohort.recipe import load_recipe

    files = targets(out, [path for path in (data, dic, sas, Path(recipe)) if path is not None])
    known = load_recipe(recipe)
    cohort = build_cohort(data, known, dic=dic, sas=sas, **how)
    if cohort.manifest["source"].get("cut_off"):
        warnings.warn(cut_off(cohort.manifest["source"], InputWarning), stacklevel=2)
    flow = cohort.flow.masked(min_cell)
    _write(cohort, flow, files)
    checks = masked_agreements(cohort.manifest["checks"], cohort.flow.end.rows, min_cell)
    return {**_report(cohort, flow, data), "checks": checks, "files": [str(file) for file in files]}


def cut_off(facts: Mapping[str, Any], kind: type = InputError) -> Any:
    """Return the error, or warning, that a file ends within a line."""
    found = f"{facts['file']} is cut off: its last line has no end, and is left out."
    return kind("SL-559", found, "Export or copy it again; if it is whole, end its last line.")


def _write(cohort: Cohort, flow: Flow, files: list[Path]) -> None:
    """Write all files into a folder beside their place, and then give them their names."""
    parquet, table, content, chart, manifest = files
    try:
        with tempfile.TemporaryDirectory(dir=parquet.parent, prefix=".survlspin-") as name:
            folder = Path(name)
            cohort.write(folder / parquet.name)
            flow.to_csv(folder / table.name)
            flow.to_json(folder / content.name)
            flow.to_svg(folder / chart.name)
            text = json.dumps(cohort.manifest, indent=1, ensure_ascii=False)
            (folder / manifest.name).write_text(text + "\n", encoding="utf-8")
            (folder / manifest.name).chmod(PRIVATE)
            for file in files:
                os.replace(folder / file.name, file)
    except OSError as error:
        found = f"{parquet} cannot be written: {error.strerror or error}."
        raise InputError("SL-523", found, "Is there room, and may you write there?") from error


def _report(cohort: Cohort, flow: Flow, data: Path) -> dict[str, Any]:
    manifest = cohort.manifest
    facts = manifest["source"]
    same = ("recipe", "title", "citation", "licence", "outcome", "switches", "roles", "unit", "fingerprint")
    return {
        "version": __version__,
        "source": str(data),
        "facts": {key: facts[key] for key in ("form", "database", "submission", "cutoff") if facts.get(key)},
        "quarantined": len(cohort.quarantine),
        "reasons": {str(reason): int(n) for reason, n in cohort.quarantine["reason"].value_counts().items()},
        **{key: manifest[key] for key in same},
        "flow": flow.as_dict(),
        "columns": [column["name"] for column in manifest["columns"]],
        "notes": [],
    }


def closing(report: dict[str, Any]) -> str:
    """Return what was read, the flow, what is left and where it is."""
    flow, facts = report["flow"], report["facts"]
    known = ", ".join(f"{key} {value}" for key, value in facts.items())
    outcome = report["outcome"]
    events = "; ".join(f"{code} {text}" for code, text in outcome["events"].items() if text)
    bad = [f"{n:,} with {reason}" for reason, n in report["reasons"].items()]
    lines = [
        f"survlspin {report['version']}",
        f"Read: {report['source']}{f' ({known})' if known else ''}: {_said(flow['start'])}.",
        *([f"Lines that could not be read, and are in no row: {'; '.join(bad)}."] if bad else ()),
        f"Recipe: {report['recipe']}: {report['title']}.",
        f"Outcome: {outcome['name']}: {outcome['title']}{f' ({events})' if events else ''}; in {report['unit']}.",
        *_switches(report["switches"]),
    ]
    names = [Path(name).name for name in report["files"]]
    end = [
        f"Cohort: {_said(flow['end'])}; {len(report['columns'])} columns.",
        *(_agreement(each) for each in report["checks"]),
        f"Took {duration(report['seconds'])}. Wrote to {Path(report['files'][0]).parent}:",
        f"  {', '.join(names)}",
        f"{names[0]} holds patients and {names[-1]} exact numbers: both are for you alone. In the files of the flow "
        + (_masked(flow["min_cell"]) if flow["min_cell"] > 1 else "nothing is hidden."),
        *([f"Cite: {report['citation']}"] if report["citation"] else ()),
    ]
    return "\n\n".join([wrapped(lines), _table(flow), wrapped(end)])


def _switches(switches: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = []
    for name, each in switches.items():
        value = each["value"]
        why = " (a guess)" if each["guess"] and value == each["default"] else ""
        lines.append(f"  --set {name}={_shown(value)}{'' if value == each['default'] else ' (not the default)'}{why}")
    return ["Switches:", *lines] if lines else []


def _shown(value: str | bool | int | float) -> str:
    """Return the value of a switch as it is written on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _agreement(check: Mapping[str, Any]) -> str:
    """Return how often two fields differ that should be the same."""
    if check["compared"] == 0:
        return f"Check: {check['text']}: nothing to compare in this file."
    compared, differ = _number(check["compared"]), _number(check["differ"])
    return f"Check: {check['text']}: rows compared: {compared}; different: {differ}."


def _masked(least: int) -> str:
    what = f"rules are pooled and numbers hidden so that none from 1 to {least - 1} is given or can be computed."
    return f"{what} --min-cell 1 hides nothing."


def _said(count: Mapping[str, int | None]) -> str:
    rows, patients, events = (count[cell] for cell in CELLS)
    if rows is None:
        return "numbers hidden"
    whose = "" if patients in (None, rows) else f" of {patients:,} patients"
    return f"{rows:,} rows{whose}, {'events hidden' if events is None else f'{events:,} events'}"


def _number(value: int | None) -> str:
    return "hidden" if value is None else f"{value:,}"


def _table(flow: Mapping[str, Any]) -> str:
    """Return the flow as a table: each rule, what it excludes and what it leaves."""
    body = [["excluded unless", *CELLS, "rows left", "fail it at all"]]
    for step in flow["steps"]:
        numbers = [step["excluded"][cell] for cell in CELLS] + [step["after"]["rows"], step["fails"]["rows"]]
        first, *more = textwrap.wrap(step["text"], 40)
        body.append([first, *map(_number, numbers)])
        body += [[f"  {line}", *[""] * len(numbers)] for line in more]
    return in_columns(body, left=(0,))


def recipe_list() -> list[dict[str, Any]]:
    """Return name, title, source, outcomes and switches of the recipes that come with the package."""
    from survlspin.cohort.recipe import load_recipe, recipes

    found = []
    for known in map(load_recipe, recipes()):
        switches = {
            name: {"values": list(each.values), "default": each.default, "text": each.text, "guess": each.guess}
            for name, each in known.switches.items()
        }
        outcomes = {name: each.title for name, each in known.outcomes.items()}
        found.append(
            {"name": known.name, "title": known.title, "source": known.source, "outcomes": outcomes}
            | {"switches": switches, "licence": known.licence, "card": known.card}
        )
    return found


def recipe_text(found: Iterable[Mapping[str, Any]]) -> str:
    """Return the list of recipes for a terminal."""
    lines = []
    for each in found:
        lines.append(f"{each['name']}: {each['title']}")
        lines.append(f"  --outcome {', '.join(each['outcomes'])}")
        for name, switch in each["switches"].items():
            values, default = "|".join(map(_shown, switch["values"])), _shown(switch["default"])
            lines.append(f"  --set {name}={values} (by default {default}{', a guess' if switch['guess'] else ''})")
    return wrapped(lines)
