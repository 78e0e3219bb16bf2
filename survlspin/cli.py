"""The `survlspin` command."""

import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import wraps
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import typer

from survlspin import _options as o
from survlspin._remedies import remedy
from survlspin.errors import InputError, InputTypeError, InputWarning

if TYPE_CHECKING:
    from survlspin.sample import Sample
    from survlspin.study import Roles, Study

__all__ = ["app", "main"]

NEEDED = {"EXPORT": "data", "--recipe NAME": "recipe"}
USER_ERROR, CANNOT_WRITE, INTERRUPTED = 2, 3, 130
WRITING = ("SL-521", "SL-522", "SL-523", "SL-526", "SL-547", "SL-549")
EXITS = "Exit codes: 0 done; 2 something to mend in the call or the data; 3 cannot write; 130 interrupted."
SURVIVAL = ("time", "event", "entry", "stratum", "event_code")

app = typer.Typer(
    name="survlspin",
    help="Interpretable deep survival models: compared honestly, with each patient's risk factors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _exits(command: Callable[..., None]) -> Callable[..., None]:
    """Turn mistakes of the user into one line and an exit code."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        try:
            command(*args, **kwargs)
        except (InputError, InputTypeError) as error:
            typer.echo(f"error: {_said(error)}", err=True)
            raise typer.Exit(CANNOT_WRITE if error.code in WRITING else USER_ERROR) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


@app.callback()
def _survlspin() -> None:
    pass


@app.command(
    help="Compare Cox-LLSPIN and Cox-LSPIN with DeepSurv, Cox regression, Cox-LASSO and a random survival forest: "
    "without --data on 686 patients with breast cancer (GBSG2). Prints C with intervals, paired differences and C at "
    "small numbers of risk factors; writes these, the curve of C against the number of factors, and each patient's "
    "risk factors.",
    epilog=EXITS,
)
@_exits
def run(
    ctx: typer.Context,
    data: o.Data = None, sep: o.Sep = ",", decimal: o.Decimal = ".", encoding: o.Encoding = "utf-8",
    time: o.Time = None, event: o.Event = None, event_code: o.EventCode = None, entry: o.Entry = None,
    weight: o.Weight = None, stratum: o.Stratum = None, group: o.Group = None, id: o.Id = None, drop: o.Drop = (),
    category: o.Category = (), number: o.Number = (), zero_time: o.Zero = o.ZeroTime.keep, folds: o.Folds = None,
    repeats: o.Repeats = None, members: o.Members = 10, context: o.Context = (), skip: o.Skip = (), seed: o.Seed = 0,
    jobs: o.Jobs = None, force: o.Force = False, out: o.Out = Path("survlspin-results"), as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:  # fmt: skip
    _finish(ctx.params, _main_job, "summary.closing")


@app.command(
    help="Fit one model: to your file, or without --data to the 686 patients with breast cancer (GBSG2). Writes the "
    "fitted model (for survlspin.load), its coefficients or what it selects, and each patient's risk factors; prints "
    "how well it predicts rows that were not trained on, and what else these rows served.",
    epilog=EXITS,
)
@_exits
def fit(
    ctx: typer.Context,
    data: o.Data = None, sep: o.Sep = ",", decimal: o.Decimal = ".", encoding: o.Encoding = "utf-8",
    time: o.Time = None, event: o.Event = None, target: o.Target = None, event_code: o.EventCode = None,
    entry: o.Entry = None, weight: o.Weight = None, stratum: o.Stratum = None, group: o.Group = None, id: o.Id = None,
    drop: o.Drop = (), category: o.Category = (), number: o.Number = (), zero_time: o.Zero = o.ZeroTime.keep,
    model: o.Model = "CoxLLSPIN", lam: o.Lam = None, members: o.OwnMembers = None, context: o.OwnContext = (),
    setting: o.Setting = (), test: o.Test = 0.0, seed: o.OwnSeed = 0, force: o.OwnForce = False,
    out: o.OwnOut = Path("survlspin-model"), as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    _finish(ctx.params, _fit_job, "summary.fit_closing")


@app.command(
    help="Make a cohort of a registry's export, or of a table, by a recipe: prints how many rows, patients and events "
    "each rule excludes, and writes the cohort (Parquet), the flow (table, JSON, chart) and the manifest. The flow "
    "hides small numbers; the cohort holds patients.",
    epilog=EXITS,
)
@_exits
def cohort(
    ctx: typer.Context,
    data: o.Export = None, recipe: o.Recipe = None, recipes: o.Recipes = False, outcome: o.Outcome = None,
    switch: o.Switch = (), alias: o.Alias = (), seed: o.NoiseSeed = 0, dic: o.Dic = None, sas: o.Sas = None,
    encoding: o.FileEncoding = None, delimiter: o.Separated = None, engine: o.ParsedBy = o.Engine.pandas,
    cache: o.Cache = None, max_quarantine: o.Quarantine = 0.01, min_cell: o.MinCell = 5,
    out: o.CohortOut = Path("cohort.parquet"), as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    if recipes:
        from survlspin import preparing

        found = preparing.recipe_list()
        typer.echo(json.dumps(found) if as_json else preparing.recipe_text(found))
    else:
        _finish(ctx.params, _cohort_job, "preparing.closing")


@app.command(
    help="Say what is wrong with a file before anything runs: its form, lines that cannot be read, columns, labels "
    "that are not known, the years covered, duplicates, and what a recipe would miss. Shows no patient's values.",
    epilog="Exit codes: 0 fine; 2 something to mend in the file or the call; 130 interrupted.",
)
@_exits
def check(
    ctx: typer.Context,
    data: o.Checked, recipe: o.Recipe = None, outcome: o.Outcome = None, switch: o.Switch = (), alias: o.Alias = (),
    dic: o.Dic = None, sas: o.Sas = None, encoding: o.FileEncoding = None, delimiter: o.Separated = None,
    engine: o.ParsedBy = o.Engine.pandas, as_json: o.Json = False, verbose: o.Verbose = False,
) -> None:  # fmt: skip
    if not _finish(ctx.params, _check_job, "checking.closing")["fine"]:
        raise typer.Exit(USER_ERROR)


def _finish(given: dict[str, Any], job: Callable[[dict[str, Any]], dict[str, Any]], words: str) -> dict[str, Any]:
    """Do a job, collect the notes, and say what was found."""
    start = perf_counter()
    with _notes(given["verbose"]) as notes:
        report = job(given)
    report["notes"] += notes
    report["seconds"] = round(perf_counter() - start, 1)
    if given["as_json"]:
        typer.echo(json.dumps(report, allow_nan=False))
    else:
        module, name = words.split(".")
        typer.echo("\n" + getattr(import_module(f"survlspin.{module}"), name)(report))
    return report


def _main_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, say what was read, compare, explain; return what was found."""
    from survlspin.job import execute, plan
    from survlspin.summary import opening, verdict

    study = _study(given)
    settings = ("folds", "repeats", "members", "context", "skip", "seed", "force")
    planned = plan(study, **{name: given[name] for name in settings})
    _writable(given["out"])
    if not given["as_json"]:
        typer.echo(opening(planned.opening()))
    try:
        report = execute(planned, given["out"], given["jobs"] or -1)
    except OSError as error:
        raise _cannot_write(given["out"], error) from error
    return {**report, "verdict": verdict(report)}


def _fit_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, fit, save; return what was found."""
    from survlspin import fitting, sample
    from survlspin.summary import fit_opening

    task = fitting.task_of(given["model"])
    settings = {name: given[name] for name in ("lam", "members", "context", "seed", "force")}
    model = fitting.model_of(given["model"], settings=given["setting"], **settings)
    rows = sample.sample_of(_study(given)) if task == "survival" else _table(given, task)
    _writable(given["out"])
    if not given["as_json"]:
        typer.echo(fit_opening(fitting.described(model, rows)))
    shown = sys.stderr.isatty() and not given["as_json"]
    try:
        return fitting.execute(model, rows, given["out"], given["test"], given["seed"], shown)
    except OSError as error:
        raise _cannot_write(given["out"], error) from error


def _cohort_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, apply the recipe, write; return what was counted."""
    from survlspin.preparing import prepare

    if absent := [name for name in ("EXPORT", "--recipe NAME") if given[NEEDED[name]] is None]:
        found = f"survlspin cohort needs {' and '.join(absent)}."
        raise InputError("SL-510", found, "survlspin cohort --recipes lists the recipes.")
    same = ("data", "recipe", "out", "min_cell", "cache", "seed", "max_quarantine")
    how = {**{name: given[name] for name in same}, **_registry(given)}
    _begin(given)
    return prepare(**how)


def _check_job(given: dict[str, Any]) -> dict[str, Any]:
    """Look at a file; return what was found."""
    from survlspin.checking import examine

    how = _registry(given)
    _begin(given)
    return examine(given["data"], recipe=given["recipe"], **how)


def _begin(given: dict[str, Any]) -> None:
    """Say on a terminal what takes minutes."""
    if sys.stderr.isatty() and not given["as_json"]:
        typer.echo(f"reading {given['data']} ...", err=True)


def _registry(given: dict[str, Any]) -> dict[str, Any]:
    """Return what `cohort` and `check` say alike of an export and a recipe."""
    from survlspin.preparing import pairs

    switches, aliases = pairs(given["switch"], "--set"), pairs(given["alias"], "--alias")
    same = {name: given[name] for name in ("outcome", "dic", "sas", "encoding")}
    chosen = {name: given[name] and given[name].value for name in ("delimiter", "engine")}
    return {**same, **chosen, "switches": switches, "aliases": aliases}


def _study(given: dict[str, Any]) -> "Study":
    """Return the patients: of the file, or without one GBSG2."""
    from survlspin.study import gbsg2, study_of

    if given.get("target") is not None:
        found = f"--target is for models of classes or numbers, and {given['model']} predicts survival."
        raise InputError("SL-552", found, "Name --time and --event, or another --model.")
    roles = _roles(given)
    if roles is None:
        return gbsg2()
    how = {"event_code": given["event_code"], "zero_time": given["zero_time"].value, "force": given["force"]}
    return study_of(given["data"], roles, numbers=given["number"], **how, **_form(given))


def _table(given: dict[str, Any], task: str) -> "Sample":
    """Return the rows of the file and the column to predict."""
    from survlspin.sample import table_of

    if strange := [f"--{name.replace('_', '-')}" for name in SURVIVAL if given[name] is not None]:
        found = f"{', '.join(strange)}: for survival, and {given['model']} predicts {task}."
        raise InputError("SL-552", found, "Name the column to predict, --target COLUMN, or another --model.")
    named = {"--data FILE": given["data"], "--target COLUMN": given["target"]}
    if absent := [name for name, value in named.items() if value is None]:
        found = f"{given['model']} needs {' and '.join(absent)}."
        raise InputError("SL-510", found, "See survlspin fit --help.")
    roles = {name: given[name] for name in ("weight", "group", "id", "drop", "category", "force")}
    return table_of(given["data"], given["target"], task, numbers=given["number"], **roles, **_form(given))


def _form(given: dict[str, Any]) -> dict[str, str]:
    return {"sep": _separator(given["sep"]), "decimal": given["decimal"], "encoding": given["encoding"]}


def _roles(given: dict[str, Any]) -> "Roles | None":
    """Return the roles of the file's columns, or None where there is no file; a cohort's manifest says them."""
    from survlspin.study import Roles, known_roles

    roles = {field.name: given[field.name] for field in fields(Roles)}
    if given["data"] is None:
        of_a_file = {**roles, "event-code": given["event_code"], "number": given["number"]}
        if named := [f"--{name}" for name, value in of_a_file.items() if value]:
            raise InputError("SL-510", f"{', '.join(named)} without --data.", "Name the file: --data FILE.")
        return None
    if given["time"] is None and given["event"] is None:
        roles = {name: roles[name] or known for name, known in {**roles, **known_roles(given["data"])}.items()}
    if absent := [f"--{name} COLUMN" for name in ("time", "event") if roles[name] is None]:
        raise InputError("SL-510", f"--data needs {' and '.join(absent)}.", "See --help.")
    return Roles(**{name: tuple(value) if isinstance(value, list) else value for name, value in roles.items()})


def _separator(sep: str) -> str:
    sep = {"tab": "\t", "\\t": "\t"}.get(sep, sep)
    if len(sep) != 1:
        raise InputError("SL-513", f"--sep {sep!r}.", "It is one character, or the word tab.")
    return sep


def _writable(out: Path) -> None:
    """Make the folder of the results and try it, before hours of work."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _cannot_write(out, error) from error


def _cannot_write(out: Path, error: OSError) -> InputError:
    return InputError("SL-526", f"cannot write to {out}: {error.strerror or error}.", "Name another folder: --out.")


def _said(message: InputError | InputTypeError | InputWarning) -> str:
    return " ".join(part for part in (message.code, message.found, remedy(message)) if part)


@contextmanager
def _notes(verbose: bool) -> Iterator[list[str]]:
    """Say each of our warnings once, on the error stream, and collect them; others only where asked for."""
    notes: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def say(message, *args, **kwargs):
            if not isinstance(message, InputWarning):
                show(message, *args, **kwargs)
            elif (note := _said(message)) not in notes:
                notes.append(note)
                typer.echo(f"note: {note}", err=True)

        warnings.showwarning = say
        warnings.simplefilter("default" if verbose else "ignore")
        warnings.simplefilter("always", InputWarning)
        yield notes


def main() -> None:
    """Run the command."""
    app()
