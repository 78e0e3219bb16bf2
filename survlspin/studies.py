"""Studies that are left running: the call they began with, and how far they are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from survlspin import __version__
from survlspin._messages import listed
from survlspin._text import duration, in_columns, wrapped
from survlspin.errors import InputError
from survlspin.job import CALL
from survlspin.protocol import status
from survlspin.store import Store

__all__ = ["memory_of", "progress", "recalled", "said"]

HERE = ("store", "jobs", "as_json", "verbose")  # what another call may say otherwise without asking for another thing
PATHS = ("data", "out")


def memory_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a store keeps of a call of `survlspin run`: no more is needed to go on from anywhere.

    Paths are absolute. The URL of a database that holds a password, or may, is left out.
    """
    options = {name: value for name, value in given.items() if name not in HERE}
    options |= {name: str(Path(given[name]).absolute()) for name in PATHS if given[name] is not None}
    url = urlsplit(given.get("storage") or "")
    secret = url.password is not None or bool(url.query)  # some drivers take the password there
    return {"version": __version__, "options": {**options, **({"storage": None} if secret else {})}, "secret": secret}


def recalled(folder: Path, storage: str | None = None) -> dict[str, Any]:
    """Return the options of the call that a store was made by.

    Raises
    ------
    InputError
        SL-355, SL-359, SL-360, SL-392 no store, or one that cannot be read; SL-534 no call in it; SL-535 a database
        that only the user can name; SL-536 another version's.
    """
    call = Store.read(folder).get_json(CALL)
    if call is None:
        found = f"{folder} does not say which call of survlspin run it is of."
        raise InputError("SL-534", found, "Give that call again, with its --store: it goes on.")
    if call["version"] != __version__:
        found = f"survlspin {call['version']} began this study, and this is {__version__}."
        raise InputError("SL-536", found, "Go on with that version: numbers may differ between two.")
    if call["secret"] and storage is None:
        found = "the trials are in a database whose URL has a password, or may have one, and is not kept."
        raise InputError("SL-535", found, "Name it: --storage URL.")
    options = {**call["options"], **({} if storage is None else {"storage": storage})}
    return {**options, **{name: Path(options[name]) for name in PATHS if options[name] is not None}}


def progress(folder: Path) -> dict[str, Any]:
    """Return how far a study is, as `survlspin.protocol.status` says, for `said`."""
    return {"version": __version__, **status(folder), "notes": []}


def said(report: Mapping[str, Any]) -> str:
    """Return how far a study is as text for a terminal."""
    holder, tuning, more = report["holder"], report["tuning"], ""
    rows = [
        [
            name,
            f"{model['done']:,}",
            f"{model['all']:,}",
            "-" if model["seconds"] is None else f"{model['seconds']:.1f}",
        ]
        for name, model in report["models"].items()
    ]
    lines = [f"{report['store']}: {report['done']:,} of {report['all']:,} fits done."]
    if tuning is not None:
        lines.append(f"Tuning: {tuning['done']:,} of {tuning['all']:,} trials done.")
    lines.append(_who(holder, report["running"]))
    if report["done"] < report["all"]:
        lines.append(f"Time left for the fits: {_left(report)}.")
    if report["damaged"]:
        lines.append(f"Damaged files: {report['damaged']}; what they held is computed again.")
    if not (holder and holder["alive"]) and report["done"] < report["all"]:
        more = f"\nGo on with: survlspin resume {shlex.quote(report['store'])}"
    table = in_columns([["", "done", "of", "seconds per fit"], *rows], left=(0,))
    return f"{table}\n\n{wrapped(lines)}{more}"


def _who(holder: Mapping[str, Any] | None, running: int) -> str:
    if holder is None:
        return "Nobody works on it."
    who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    if holder["alive"] is None:
        return f"It is held by {who}; whether that still runs is not seen from here."
    return f"At work: {who}; {running} at once." if holder["alive"] else f"Nobody works on it: {who} has died."


def _left(report: Mapping[str, Any]) -> str:
    """Return how long the fits that are left take; of models without a finished fit that is not known."""
    if report["eta"] is not None:
        return f"about {duration(report['eta'])}"
    models = report["models"].values()
    known = sum((model["all"] - model["done"]) * model["seconds"] for model in models if model["seconds"] is not None)
    unknown = [name for name, model in report["models"].items() if model["seconds"] is None]
    least = f"at least {duration(known / max(1, report['running']))}; " if known else ""
    return f"{least}not known of {listed(unknown)}, of which no fit is done"
