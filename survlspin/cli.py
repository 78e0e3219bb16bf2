"""The `survlspin` command."""

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from enum import StrEnum
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from survlspin.errors import InputError, InputTypeError, InputWarning

if TYPE_CHECKING:
    from survlspin.study import Roles

__all__ = ["app", "main"]

USER_ERROR, CANNOT_WRITE, INTERRUPTED = 2, 3, 130
WRITING = ("SL-521", "SL-522", "SL-523", "SL-526")

# what to do about a mistake, in the words of the command line
REMEDIES = {
    "SL-103": "Name the value that is the event: --event-code VALUE.",
    "SL-107": "Name the value that is the event: --event-code VALUE.",
    "SL-109": "Give a number of months (or days, years); of dates, the difference.",
    "SL-110": "Patients are at risk on (entry, time]; for times of 0 there are --zero-time half and drop.",
    "SL-117": "Results would be noise; --force fits all the same.",
    "SL-119": "Keep, move or drop these rows: --zero-time keep, half or drop.",
    "SL-206": "Leave this column out: --drop COLUMN.",
    "SL-208": "Mend these cells; --force takes them as they are.",
    "SL-209": "Mend the cells; if they are codes, say so: --category COLUMN. Empty cells alone are missing.",
    "SL-211": "Leave it out (--drop COLUMN), or make it numbers or categories (of dates, a difference).",
    "SL-212": "Merge the rare ones, or leave the column out: --drop COLUMN.",
    "SL-215": "Leave them out (--drop COLUMN), unless they were known at time 0.",
    "SL-216": "Say which is the label (--id COLUMN); leave others out (--drop COLUMN) if they measure nothing.",
    "SL-341": "Ask for fewer: --folds.",
    "SL-342": "Ask for fewer: --folds.",
    "SL-343": "Say which column is the patient: --group COLUMN.",
    "SL-346": "Ask for at least 2: --folds.",
    "SL-351": "Merge rare categories, ask for fewer --folds, or leave the column out: --drop COLUMN.",
}  # fmt: skip

app = typer.Typer(
    name="survlspin",
    help="Interpretable deep survival models: compared honestly, with each patient's risk factors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class ZeroTime(StrEnum):
    """What to do with times of 0."""

    keep = "keep"
    half = "half"
    drop = "drop"
    refuse = "refuse"


def _option(name: str, help: str, kind: Any = str | None, panel: str | None = None, **more: Any) -> Any:
    return Annotated[kind, typer.Option(name, help=help, rich_help_panel=panel, **more)]


FILE, COLUMNS, HOW = "Your file", "Columns of your file (all others are predictors)", "How to compare"
Names = list[str]
Data = _option("--data", "CSV (also .gz) or Parquet; without it GBSG2.", Path | None, FILE)
Sep = _option("--sep", "What separates the columns of a CSV; 'tab' for tabs.", str, FILE)
Decimal = _option("--decimal", "Decimal mark of a CSV.", str, FILE)
Encoding = _option("--encoding", "Encoding of a CSV.", str, FILE)
Time = _option("--time", "Time to event or censoring.", panel=COLUMNS)
Event = _option("--event", "1 = event, 0 = censored; other codes with --event-code.", panel=COLUMNS)
EventCode = _option("--event-code", "The value of --event that is the event; all others are censored.", panel=COLUMNS)
Entry = _option("--entry", "Delayed entry.", panel=COLUMNS)
Weight = _option("--weight", "Case weights.", panel=COLUMNS)
Stratum = _option("--stratum", "Strata.", panel=COLUMNS)
Group = _option("--group", "The patient, where one has several rows.", panel=COLUMNS)
Id = _option("--id", "What rows are called in the results; kept as text.", panel=COLUMNS)
Drop = _option("--drop", "A column to leave out; may be repeated.", Names, COLUMNS)
Category = _option("--category", "A column of numbers that are codes; may be repeated.", Names, COLUMNS)
Number = _option("--number", "A column of numbers with leading zeros; may be repeated.", Names, COLUMNS)
Zero = _option("--zero-time", "Times of 0: keep, set to half a unit, drop the row, or refuse.", ZeroTime, COLUMNS)
Folds = _option("--folds", "Folds; by default 5, or 10 from 10,000 rows on.", int | None, HOW, min=2)
Repeats = _option("--repeats", "Repetitions of cross-validation; by default 1.", int | None, HOW, min=1)
Members = _option("--members", "Nets in each ensemble.", int, HOW, min=1)
Context = _option("--context", "A column that the gates may see; may be repeated. None: all.", Names, HOW)
Skip = _option("--skip", "A model to leave out: lspin, deepsurv, cox, lasso, forest; may be repeated.", Names, HOW)
Seed = _option("--seed", "Decides every random number.", int, HOW, min=0)
Jobs = _option("--jobs", "Processes; by default one per core. The numbers do not depend on it.", int | None, HOW, min=1)
Force = _option("--force", "Accept fewer than 10 events and suspect values.", bool, HOW)
Out = _option("--out", "Folder for the results; files of the same names are replaced.", Path)
Json = _option("--json", "Print one JSON object instead of text.", bool)
Verbose = _option("--verbose", "Show the warnings of other libraries, too.", bool)


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
    epilog="Exit codes: 0 done; 2 something to mend in the call or the data; 3 cannot write; 130 interrupted.",
)
@_exits
def run(
    ctx: typer.Context,
    data: Data = None, sep: Sep = ",", decimal: Decimal = ".", encoding: Encoding = "utf-8",
    time: Time = None, event: Event = None, event_code: EventCode = None, entry: Entry = None, weight: Weight = None,
    stratum: Stratum = None, group: Group = None, id: Id = None, drop: Drop = (), category: Category = (),
    number: Number = (), zero_time: Zero = ZeroTime.keep, folds: Folds = None, repeats: Repeats = None,
    members: Members = 10, context: Context = (), skip: Skip = (), seed: Seed = 0, jobs: Jobs = None,
    force: Force = False, out: Out = Path("survlspin-results"), as_json: Json = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    start = perf_counter()
    with _notes(verbose) as notes:
        report = _main_job(ctx.params)
    report["notes"] += notes
    report["seconds"] = round(perf_counter() - start, 1)
    if as_json:
        typer.echo(json.dumps(report, allow_nan=False))
    else:
        from survlspin.summary import closing

        typer.echo("\n" + closing(report))


def _main_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, say what was read, compare, explain; return what was found."""
    roles = _roles(given)
    from survlspin.job import execute, plan
    from survlspin.study import gbsg2, study_of
    from survlspin.summary import opening, verdict

    if roles is None:
        study = gbsg2()
    else:
        form = {"sep": _separator(given["sep"]), "decimal": given["decimal"], "encoding": given["encoding"]}
        how = {"event_code": given["event_code"], "zero_time": given["zero_time"].value, "force": given["force"]}
        study = study_of(given["data"], roles, numbers=given["number"], **how, **form)
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


def _roles(given: dict[str, Any]) -> "Roles | None":
    """Return the roles of the file's columns, or None where there is no file."""
    from survlspin.study import Roles

    roles = {field.name: given[field.name] for field in fields(Roles)}
    if given["data"] is None:
        of_a_file = {**roles, "event-code": given["event_code"], "number": given["number"]}
        if named := [f"--{name}" for name, value in of_a_file.items() if value]:
            raise InputError("SL-510", f"{', '.join(named)} without --data.", "Name the file: --data FILE.")
        return None
    if absent := [f"--{name} COLUMN" for name in ("time", "event") if given[name] is None]:
        raise InputError("SL-510", f"--data needs {' and '.join(absent)}.", "See survlspin run --help.")
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
    own = isinstance(message, InputWarning) and message.code not in ("SL-215", "SL-216")  # nothing was refused
    remedy = message.remedy if own else REMEDIES.get(message.code, message.remedy)
    return " ".join(part for part in (message.code, message.found, remedy) if part)


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
