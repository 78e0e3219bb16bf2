"""The work of `survlspin check`, and its words: what is wrong with a file, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pandas.api import types

from survlspin import __version__, _shipped
from survlspin._findings import Column, Findings
from survlspin._messages import listed
from survlspin._remedies import remedy
from survlspin._text import in_columns, wrapped
from survlspin.cohort import read_cohort
from survlspin.cohort.codebook import Codebook
from survlspin.cohort.recipe import Choice, load_recipe
from survlspin.cohort.records import TABLES, cells_of, frame_of, taken
from survlspin.errors import InputError
from survlspin.preparing import cut_off
from survlspin.reading import read_table
from survlspin.seer import Source, open_export
from survlspin.seer.opening import DELIMITERS
from survlspin.study import known_roles

__all__ = ["closing", "examine"]

MOST = 0.5  # of the columns that are known make a table the export of a registry
KINDS = {
    "labels": "a case listing of SEER*Stat, with labels",
    "quoted": "a case listing of SEER*Stat, with labels in quotes",
    "unformatted": "a case listing of SEER*Stat, with codes",
    "fixed": "a fixed-width file of SEER",
    "csv": "a table made of a registry's export",
}


def examine(
    data: Path,
    *,
    recipe: str | None = None,
    outcome: str | None = None,
    switches: Mapping[str, Any] = {},
    aliases: Mapping[str, str] = {},
    dic: Path | None = None,
    sas: Path | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    engine: str = "pandas",
) -> dict[str, Any]:
    """Return what a file is and everything that is wrong with it; parameters as in `survlspin.build_cohort`.

    Returns
    -------
    dict
        It can be written as JSON and holds no patient's values. ``problems`` are what would stop the work, ``fine``
        says that there are none.

    Raises
    ------
    InputError
        SL-501 there is no such file; SL-583 to SL-588 and SL-592 what is wrong with the recipe or its switches.
    """
    choice = None if recipe is None else load_recipe(recipe).choose(switches, outcome)
    if not data.is_file():
        raise InputError("SL-501", f"{data} is no file.", "Check the path.")
    found = Findings({"version": __version__, "source": str(data), "recipe": recipe, "notes": []})
    try:
        if known_roles(data):
            _cohort(found, data)
        elif data.suffix.lower() in TABLES or (choice is not None and choice.recipe.source == "table"):
            _a_table(found, data, choice, aliases, encoding, delimiter)
        else:
            source = open_export(data, dic=dic, sas=sas, encoding=encoding, delimiter=delimiter)
            _an_export(found, source, choice, aliases, engine)
    except InputError as error:
        found.problems.append(error)
    problems = [{"code": each.code, "found": each.found, "remedy": remedy(each)} for each in found.problems]
    return {**found.report, "problems": problems, "fine": not problems}


def _cohort(found: Findings, path: Path) -> None:
    """Look at a cohort that this package wrote."""
    cohort = read_cohort(path)
    found.report |= {"kind": f"a cohort made by recipe {cohort.manifest['recipe']!r}", "rows": len(cohort)}


def _a_table(found: Findings, path: Path, choice: Choice | None, aliases: Mapping[str, str], *form: str | None) -> None:
    """Look at a table, with a recipe or by itself."""
    if choice is None:
        _plain(found, path, ())
        return
    table, facts = frame_of(path, choice.recipe, aliases, *form)
    found.report |= {"kind": f"a table for recipe {choice.recipe.name!r}", "facts": facts, "rows": len(table)}
    book = choice.recipe.book
    headers = _named(found, book, [str(name) for name in table.columns], aliases)
    columns = {name: Column(cells_of(table[header], book[name]), header=header) for name, header in headers.items()}
    found.fields(book, headers, columns, choice)


def _an_export(found: Findings, source: Source, choice: Choice | None, aliases: Mapping[str, str], engine: str) -> None:
    """Look at an export, or at a table that may be made of one."""
    book, facts = _book(source.names) if choice is None else choice.recipe.book, source.facts
    strange = len(book.unresolved(source.names)) / len(source.names)
    if choice is None and facts["form"] == "csv" and strange > MOST:
        form = {"sep": DELIMITERS[facts["delimiter"]], "encoding": facts["encoding"] or "utf-8"}
        _plain(found, source.path, source.names, **form)
        return
    found.report |= {"kind": KINDS[facts["form"]], "facts": facts}
    headers = _named(found, book, source.names, aliases)
    export = found.attempt(partial(source.read, headers.values(), engine=engine))
    if export is None:  # too many lines that cannot be read: what of the others?
        export = source.read(headers.values(), engine=engine, max_quarantine=1.0)
    reasons = {str(reason): int(n) for reason, n in export.quarantine["reason"].value_counts().items()}
    found.report |= {"facts": export.facts, "rows": export.facts["rows"], "quarantined": reasons}
    if export.facts["cut_off"]:
        found.problems.append(cut_off(export.facts))
    _submission(found, export.facts, choice)
    columns = {
        name: Column(taken(export.table, header), export.formats.get(header, {}), header in export.unformatted, header)
        for name, header in headers.items()
    }
    found.fields(book, headers, columns, choice)


def _plain(found: Findings, path: Path, names: Iterable[str], **form: Any) -> None:
    """Say what the columns of a table hold, and what `run` and `fit` need to be told of them."""
    told = {"SL-508": {"decimal": ","}, "SL-509": {"numbers": names}}
    table = None
    while table is None:
        try:
            table = read_table(path, **form)
        except InputError as error:
            if error.code not in told:
                raise
            form |= told.pop(error.code)
            found.note(f"{error.code} {error.found} Nothing to mend, but for run and fit: {remedy(error)}")
    kinds = (
        ("flags", types.is_bool_dtype),
        ("numbers", types.is_numeric_dtype),
        ("dates", types.is_datetime64_any_dtype),
    )
    columns = {
        str(name): {
            "kind": next((kind for kind, holds in kinds if holds(table[name].dtype)), "text"),
            "missing": int(table[name].isna().sum()),
        }
        for name in table
    }
    found.report |= {"kind": "a table", "rows": len(table), "table": columns}
    if again := int(table.duplicated().sum()):
        found.note(f"{again:,} row{' is an exact copy' if again == 1 else 's are exact copies'} of another one.")


def _book(headers: Iterable[str]) -> Codebook:
    """Return the shipped code book that knows most of these headers."""
    headers = list(headers)
    return min(map(Codebook.load, _shipped.names("codebooks")), key=lambda book: len(book.unresolved(headers)))


def _named(found: Findings, book: Codebook, names: Iterable[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that the columns are; say which are none."""
    headers = book.resolve(names, aliases)
    unknown = [name for name in names if name not in headers.values()]
    found.report["columns"] = {"known": headers, "unknown": unknown}
    return headers


def _submission(found: Findings, facts: Mapping[str, Any], choice: Choice | None) -> None:
    known = () if choice is None else choice.recipe.submissions
    if facts["form"] != "csv" and not facts.get("submission"):
        found.note("The submission is not known: the .dic names no database, or there is none.")
    elif known and facts.get("submission") and facts["submission"] not in known:
        found.note(f"The export is of the submission of {facts['submission']}; the recipe knows {listed(known)}.")


def closing(report: Mapping[str, Any]) -> str:
    """Return what was found as text for a terminal."""
    parts = [wrapped(_opening(report))]
    if table := report.get("table"):
        rows = [[name, each["kind"], f"{each['missing']:,}"] for name, each in table.items()]
        parts.append(in_columns([["column", "holds", "missing"], *rows], left=(0, 1)))
    if coverage := report.get("coverage"):
        shown = {name: each for name, each in coverage.items() if name in report["needed"]}
        parts.append(_years(report["columns"]["known"], shown))
    notes = [f"Note: {note}" for note in report["notes"]]
    problems = [f"  {each['code']} {each['found']} {each['remedy']}".rstrip() for each in report["problems"]]
    said = ["To mend:", *problems] if problems else ["Nothing to mend."]
    return "\n\n".join([*parts, wrapped([*notes, *said])])


def _opening(report: Mapping[str, Any]) -> list[str]:
    """Return lines on the file, its columns and patients."""
    facts, bad = report.get("facts", {}), report.get("quarantined", {})
    said = [f"{key} {facts[key]}" for key in ("database", "submission", "cutoff") if facts.get(key)]
    said += [f"{key} {facts[key]}" for key in ("delimiter", "encoding") if facts.get(key)]
    said += [f"with {name}" for name in ("dic", "sas") if (facts.get("sha256") or {}).get(name)]
    lines = [
        f"survlspin {report['version']}",
        f"{report['source']}: {report.get('kind', 'not read')}{', ' if said else ''}{', '.join(said)}.",
    ]
    if "rows" in report:
        lines.append(f"Rows: {report['rows']:,}.")
    if bad:
        whys = (f"{n:,} with {reason}" for reason, n in bad.items())
        lines.append(f"Lines that cannot be read: {sum(bad.values()):,}: {listed(whys)}.")
    if columns := report.get("columns"):
        lines.append(f"Columns: {len(columns['known'])} known; {len(columns['unknown'])} not known, and not used")
        lines[-1] += f": {listed(columns['unknown'], 60)}." if columns["unknown"] else "."
    if patients := report.get("patients"):
        lines.append(
            f"Patients: {patients['all']:,}, {patients['several']:,} with several records; records that are exact "
            f"copies: {patients['copies']:,}."
        )
    return lines


def _years(headers: Mapping[str, str], coverage: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the share of values that are known, over all years and in each era, as a table."""
    eras = list(dict.fromkeys(era for each in coverage.values() for era in each["eras"] or {}))
    rows = [
        [name, _cut(headers[name]), f"{each['known']:.1%}"]
        + [f"{share:.1%}" if (share := (each["eras"] or {}).get(era)) is not None else "" for era in eras]
        for name, each in coverage.items()
    ]
    return in_columns([["field", "column", "known", *eras], *rows], left=(0, 1))


def _cut(text: str, most: int = 44) -> str:
    return text if len(text) <= most else text[: most - 3].rstrip() + "..."
