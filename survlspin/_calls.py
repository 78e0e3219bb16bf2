"""From the options of a command to its work: each returns what was found, as plain values."""

import sys
import tempfile
import warnings
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from survlspin.errors import InputError, InputWarning

if TYPE_CHECKING:
    from survlspin.sample import Sample
    from survlspin.study import Roles, Study

__all__ = [
    "UNSAID",
    "cannot_write",
    "check_job",
    "cohort_job",
    "fit_job",
    "form_of",
    "main_job",
    "read_again",
    "remembered",
    "report_job",
    "reported",
    "resume_job",
    "status_job",
    "verify_job",
    "writable",
]

CALL = "job.json"
NEEDED = {"EXPORT": "data", "--recipe NAME": "recipe"}
SURVIVAL = ("time", "event", "entry", "stratum", "event_code")
UNSAID = ("sep", "decimal", "encoding", "zero_time")  # what has a default, and is in the call that is kept
COMPARED = (
    "folds", "repeats", "members", "context", "skip", "seed", "force", "protocol", "seeds", "points", "tune", "preset",
    "storage", "probes", "shadow_probes", "probe_rate", "store", "horizon",
)  # fmt: skip


def main_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, say what was read, compare, explain; return what was found."""
    _partners(given)
    from survlspin.job import begin, execute, plan
    from survlspin.studies import memory_of
    from survlspin.summary import opening, verdict

    planned = plan(_study(given), **{name: given[name] for name in COMPARED})
    if given["store"] is not None:  # first: the results may go into its folder
        begin(planned, memory_of(given))
    writable(given["out"])
    if not given["as_json"]:
        typer.echo(opening(planned.opening()))
    try:
        report = execute(planned, given["out"], given["jobs"] or -1)
    except OSError as error:
        raise cannot_write(given["out"], error) from error
    return {**report, "verdict": verdict(report)}


def resume_job(given: dict[str, Any]) -> dict[str, Any]:
    """Do what a store says was asked for; only where things are and how much is said may differ."""
    from survlspin.studies import recalled

    here = {name: given[name] for name in ("data", "out") if given[name] is not None}
    same = {name: given[name] for name in ("store", "jobs", "as_json", "verbose")}
    return main_job({**recalled(given["store"], given["storage"]), **same, **here})


def status_job(given: dict[str, Any]) -> dict[str, Any]:
    """Return how far a study is."""
    from survlspin.studies import progress

    return progress(given["store"])


def fit_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, fit, save; return what was found."""
    from survlspin import fitting, sample
    from survlspin.studies import memory_of
    from survlspin.summary import fit_opening

    task = fitting.task_of(given["model"])
    settings = {name: given[name] for name in ("lam", "members", "context", "seed", "force")}
    model = fitting.model_of(given["model"], settings=given["setting"], **settings)
    rows = sample.sample_of(_study(given)) if task == "survival" else _table(given, task)
    writable(given["out"])
    if not given["as_json"]:
        typer.echo(fit_opening(fitting.described(model, rows)))
    shown = sys.stderr.isatty() and not given["as_json"]
    try:
        call = memory_of(given)["options"]
        return fitting.execute(model, rows, given["out"], given["test"], given["seed"], shown, call)
    except OSError as error:
        raise cannot_write(given["out"], error) from error


def report_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read what is to be reported on, and write the report; return what was written."""
    from survlspin.report import in_unit, report, subject_of

    study, development = (each and in_unit(each, given["unit"]) for each in reported(given))
    subject = subject_of(
        given["path"],
        study,
        horizons=given["horizon"],
        thresholds=_probabilities(given["thresholds"]),
        subgroups=given["subgroup"],
        min_cell=given["min_cell"],
        development=development,
    )
    writable(given["out"])
    try:
        files = report(subject, given["out"])
    except OSError as error:
        raise cannot_write(given["out"], error) from error
    said = {"partial": subject.partial, "judged_on": subject.judged_on, "min_cell": subject.min_cell}
    return {**said, "out": str(given["out"]), "files": [str(path) for path in files], "notes": []}


def reported(given: dict[str, Any]) -> "tuple[Study, Study | None]":
    """Return the patients to judge on, and where they are others the patients that the model was made from.

    What is not said on the command line is as in the call that the store or the model keeps.
    """
    from survlspin.report.kept import call_of, is_store

    options = call_of(given["path"]).get("options")
    if options is None and given["data"] is None:
        found = f"{given['path']} does not say which data it is of."
        raise InputError("SL-628", found, "Name them: --data FILE --time COLUMN --event COLUMN.")
    known = {name: Path(value) if name == "data" and value else value for name, value in (options or {}).items()}
    own = {name: value for name, value in given.items() if value not in (None, (), [], False)}
    form = () if options is None or (given["data"] is not None and not is_store(given["path"])) else UNSAID
    said = {name: value for name, value in own.items() if name not in form}
    read = read_again if given["data"] is None and given["time"] is None else _study
    study = read({**given, **known, **said})
    if given["data"] is None or options is None or is_store(given["path"]):
        return study, None
    there = known["data"] is None or known["data"].is_file()
    return study, read_again({**given, **known}) if there else None


def read_again(given: dict[str, Any]) -> "Study":
    """Return patients that were read before: what is to be noted of them was said then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        return _study(given)


def _probabilities(text: str | None) -> list[float]:
    """Return numbers that commas or blanks separate."""
    try:
        return [float(word) for word in (text or "").replace(",", " ").split()]
    except ValueError:
        raise InputError("SL-625", f"--thresholds {text!r}.", "Give probabilities, as .1,.2,.4.") from None


def cohort_job(given: dict[str, Any]) -> dict[str, Any]:
    """Read, apply the recipe, write; return what was counted."""
    from survlspin.preparing import prepare

    if absent := [name for name in ("EXPORT", "--recipe NAME") if given[NEEDED[name]] is None]:
        found = f"survlspin cohort needs {' and '.join(absent)}."
        raise InputError("SL-510", found, "survlspin cohort --recipes lists the recipes.")
    same = ("data", "recipe", "out", "min_cell", "cache", "seed", "max_quarantine")
    how = {**{name: given[name] for name in same}, **_registry(given)}
    _begin(given)
    return prepare(**how)


def check_job(given: dict[str, Any]) -> dict[str, Any]:
    """Look at a file; return what was found."""
    from survlspin.checking import examine

    how = _registry(given)
    _begin(given)
    return examine(given["data"], recipe=given["recipe"], **how)


def verify_job(given: dict[str, Any]) -> dict[str, Any]:
    """Look at the files of a folder; return which are whole."""
    from survlspin.verifying import verify

    return verify(given["folder"])


def _partners(given: dict[str, Any]) -> None:
    """Refuse options without those that they belong to, and options that exclude each other (SL-515, SL-532)."""
    external = given["external"] is not None
    if external and (named := [f"--{name}" for name in ("folds", "repeats") if given[name] is not None]):
        found = f"{' and '.join(named)} with --external: one model is trained on all rows that are not marked."
        raise InputError("SL-515", found, "Leave it out; --seeds asks for several fits.")
    wrong = {
        "--protocol external without --external": given["protocol"] == "external" and not external,
        f"--external with --protocol {given['protocol']}": external and given["protocol"] not in ("auto", "external"),
        "--preset without --tune": given["preset"] and given["tune"] is None,
        "--storage without --tune": given["storage"] and given["tune"] is None,
        "--probes with --shadow-probes": given["probes"] and given["shadow_probes"],
        "--probe-rate without --probes or --shadow-probes": given["probe_rate"] is not None
        and not (given["probes"] or given["shadow_probes"]),
    }
    if found := [name for name, is_so in wrong.items() if is_so]:
        raise InputError("SL-532", f"{'; '.join(found)}.", "See survlspin run --help.")


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
    how = {"event_code": given["event_code"], "zero_time": str(given["zero_time"]), "force": given["force"]}
    return study_of(given["data"], roles, numbers=given["number"], **how, **form_of(given))


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
    return table_of(given["data"], given["target"], task, numbers=given["number"], **roles, **form_of(given))


def form_of(given: dict[str, Any]) -> dict[str, str]:
    """Return how a file of text is written."""
    return {"sep": _separator(given["sep"]), "decimal": given["decimal"], "encoding": given["encoding"]}


def _roles(given: dict[str, Any]) -> "Roles | None":
    """Return the roles of the file's columns, or None where there is no file; a cohort's manifest says them."""
    from survlspin.study import Roles, known_roles

    roles = {field.name: given.get(field.name) for field in fields(Roles)}
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


def writable(out: Path) -> None:
    """Make the folder of the results and try it, before hours of work."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise cannot_write(out, error) from error


def cannot_write(out: Path, error: OSError) -> InputError:
    """Return the error of a folder that cannot be written to."""
    return InputError("SL-526", f"cannot write to {out}: {error.strerror or error}.", "Name another folder: --out.")


def remembered(store: Path | None) -> bool:
    """Return whether a folder holds the call of a study, with which it can be resumed."""
    return store is not None and (store / CALL).is_file()
