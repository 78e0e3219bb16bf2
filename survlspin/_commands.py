"""What every command of `survlspin` does alike: an exit code, each note once, and what was found."""

import json
import shlex
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from time import perf_counter
from typing import Any

import typer

from survlspin import _calls as calls
from survlspin._remedies import remedy
from survlspin.errors import InputError, InputTypeError, InputWarning

__all__ = ["EXITS", "USER_ERROR", "WRITING", "exits", "finish"]

USER_ERROR, CANNOT_WRITE, INTERRUPTED = 2, 3, 130
WRITING = ("SL-361", "SL-415", "SL-521", "SL-522", "SL-523", "SL-526", "SL-547", "SL-549")
EXITS = "Exit codes: 0 done; 2 something to mend in the call or the data; 3 cannot write; 130 interrupted."


def exits(command: Callable[..., None]) -> Callable[..., None]:
    """Turn mistakes of the user into one line and an exit code."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        try:
            with _terminable():
                command(*args, **kwargs)
        except (InputError, InputTypeError) as error:
            typer.echo(f"error: {_said(error)}", err=True)
            raise typer.Exit(CANNOT_WRITE if error.code in WRITING else USER_ERROR) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            if calls.remembered(store := kwargs.get("store")):
                typer.echo(f"resume with: survlspin resume {shlex.quote(str(store))}", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


@contextmanager
def _terminable() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C, so that what is done is kept and said."""
    if threading.current_thread() is not threading.main_thread():  # no other may set it
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finish(given: dict[str, Any], job: Callable[[dict[str, Any]], dict[str, Any]], words: str) -> dict[str, Any]:
    """Do a job, collect the notes, and say what was found."""
    start = perf_counter()
    with _notes(given["verbose"]) as notes:
        report = job(given)
    report["notes"] += notes
    report["seconds"] = round(perf_counter() - start, 1)
    if given["as_json"]:
        typer.echo(json.dumps(report, allow_nan=False))
    else:
        module, name = words.rsplit(".", 1)
        typer.echo("\n" + getattr(import_module(f"survlspin.{module}"), name)(report))
    return report


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
