"""The outcome of the cohort that patients are compared with, where the table of patients has it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from survlspin.errors import InputWarning
from survlspin.outcome import split_xy
from survlspin.study import event_value, gbsg2, known_roles

__all__ = ["outcome_in"]


def outcome_in(table: pd.DataFrame, path: Path | None, options: Mapping[str, Any]) -> Any:
    """Return the outcome of the rows of a table that have one; None where the columns are not there.

    Parameters
    ----------
    table : DataFrame
    path : Path or None
        The file that was named for it, if one was.
    options : dict
        Of the call that made the model: what the columns are called.
    """
    if path is None and "data" in options and options["data"] is None:
        return gbsg2().y
    path = path or options.get("data")
    roles = {**({} if path is None else known_roles(path)), **{name: role for name, role in options.items() if role}}
    columns = {name: roles[name] for name in ("time", "event", "entry", "weight") if name in roles}
    if not {"time", "event"} <= set(columns) or not set(columns.values()) <= set(table.columns):
        return None
    known = table.loc[table[[*columns.values()]].notna().all(axis=1), [*columns.values()]]
    if known.empty:
        return None
    code = options.get("event_code")
    value = None if code is None else event_value(known[columns["event"]], code)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # said when the model was made
        return split_xy(known, **columns, event_of_interest=value, zero_time=options.get("zero_time", "keep"))[1]
