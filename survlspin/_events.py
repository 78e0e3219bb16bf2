"""Events as whole numbers, and every complaint about them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api import types

from survlspin._messages import listed, rows
from survlspin.errors import InputError

__all__ = ["event_codes", "refuse"]

ALTERNATIVE = "Models of all causes take the codes: CauseSpecificCoxPH, CauseSpecificCoxLLSPIN, FineGray."
CODES = "Code competing causes 1, 2, ... without a gap, and censored rows 0."


def refuse(code: str, bad: np.ndarray, what: str, remedy: str) -> None:
    """Raise an InputError that counts the `bad` rows, if there are any."""
    if bad.any():
        raise InputError(code, f"{what} in {rows(bad)}.", remedy)


def event_codes(values: pd.Series, event_of_interest, causes: bool = False) -> np.ndarray:
    """Return 1 where the event happened, else 0; with `causes` their codes."""
    if causes and event_of_interest is not None:
        found = f"causes=True and event_of_interest={event_of_interest!r}."
        raise InputError("SL-602", found, "Leave one of them out: all causes, or one whose rivals are censored.")
    refuse("SL-106", values.isna().to_numpy(), "missing event", "Drop these rows, or find it out.")
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.dtype.categories.dtype)
    values = values.infer_objects()
    if causes:
        return _causes(values)
    if event_of_interest is not None:
        event = (values.astype(object) == event_of_interest).to_numpy(dtype=bool)
        if not event.any():
            found = f"event_of_interest={event_of_interest!r} does not occur"
            raise InputError("SL-108", f"{found}; event has values {_distinct(values)}.")
        return event.astype(np.int64)
    if not (types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype)):
        found = f"event has values {_distinct(values)}; this model takes 0/1."
        raise InputError("SL-107", found, 'Name the one that is the event: event_of_interest="...".')
    codes = values.to_numpy(dtype=np.float64)
    if not ((codes == 0) | (codes == 1)).all():
        no_code = ~np.isfinite(codes) | (codes != np.rint(codes))
        refuse("SL-105", no_code, "event is no whole number", "Events are coded 0/1.")
        distinct = np.unique(codes).astype(int)
        found = f"event has values {_distinct(distinct)}; this model takes 0/1."
        likely = distinct[min(1, len(distinct) - 1)]
        raise InputError("SL-103", found, f"Name the event of interest: event_of_interest={likely}. {ALTERNATIVE}")
    return codes.astype(np.int64)


def _distinct(values: Iterable) -> str:
    return f"{{{listed(sorted(set(values), key=lambda value: (str(type(value)), value)))}}}"


def _causes(values: pd.Series) -> np.ndarray:
    """Return the codes, whole numbers from 0."""
    if not (types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype)):
        raise InputError("SL-601", f"event is of type {values.dtype}, not a code of a cause.", CODES)
    codes = values.to_numpy(dtype=np.float64)
    no_code = ~np.isfinite(codes) | (codes != np.rint(codes)) | (codes < 0)
    refuse("SL-601", no_code, "event is no code of a cause", CODES)
    return codes.astype(np.int64)
