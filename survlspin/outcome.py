"""Every accepted ``y`` becomes one typed value, and every complaint about ``y`` is made here."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandas.api import types

from survlspin._events import event_codes, refuse
from survlspin._messages import listed, nearest, rows
from survlspin.errors import InputError, InputTypeError, InputWarning

__all__ = ["Outcome", "check_enough_events", "split_xy"]

FIELDS = ("event", "time", "entry", "weight", "stratum")
ROUNDING = np.sqrt(np.finfo(np.float64).eps)  # two times this close, relative to the mean time, are one time
ENOUGH_EVENTS = 10
MONTHS_IN_150_YEARS = 1800
FORMS = "Make y with split_xy(df, time=..., event=...), or give (durations, events) or a frame of event and time."


@dataclass(frozen=True, eq=False)
class Outcome:
    """Follow-up of n patients, as the heads and the metrics read it; made by `Outcome.of`.

    Parameters
    ----------
    time : float64 array (n,)
        Time to event or censoring, in the unit of the data (months in most registries).
    event : int64 array (n,)
        1 = event, 0 = censored; of competing risks 1, 2, ... are the causes.
    entry : float64 array (n,), optional
        Delayed entry: the patient is at risk on ``(entry, time]``. Unit of `time`; may be negative.
    weight : float64 array (n,), optional
        Case weights >= 0. A row of weight 0 counts as absent.
    stratum : array (n,) of labels, optional
        Patients are compared within their stratum only.
    """

    time: np.ndarray
    event: np.ndarray
    entry: np.ndarray | None = None
    weight: np.ndarray | None = None
    stratum: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.time)

    @property
    def n_events(self) -> int:
        """Events among the rows of positive weight."""
        return int(np.count_nonzero(self.event if self.weight is None else self.event * (self.weight > 0)))

    def take(self, index) -> "Outcome":
        """The rows at `index` (positions, a slice or a boolean mask)."""
        return Outcome(**{name: values[index] for name, values in self._fields().items()})

    def to_y(self) -> np.ndarray:
        """The same as a structured array: ``time``, ``entry``, ``weight`` and ``stratum`` if any, and ``event``.

        That is a flag, or with competing risks the code of the cause.
        """
        event = self.event if self.event.max(initial=0) > 1 else self.event.astype(bool)
        fields = {**self._fields(), "event": event}
        names = [name for name in FIELDS if name in fields]
        y = np.empty(len(self), dtype=[(name, fields[name].dtype) for name in names])
        for name in names:
            y[name] = fields[name]
        return y

    def of_cause(self, cause: int) -> "Outcome":
        """The same follow-up with one of the competing causes as the event, 1; the others are censored."""
        return replace(self, event=(self.event == cause).astype(np.int64))

    def _fields(self) -> dict[str, np.ndarray]:
        return {name: values for name, values in vars(self).items() if values is not None}

    @classmethod
    def of(
        cls,
        y,
        *,
        event_of_interest=None,
        causes: bool = False,
        n_rows: int | None = None,
        index: pd.Index | None = None,
    ) -> "Outcome":
        """Read any accepted `y`; times that differ only by rounding are made equal, as in R's ``survival``.

        Parameters
        ----------
        y : structured array, DataFrame, dict, (durations, events) or Outcome
            Fields ``event`` and ``time``, and ``entry``, ``weight``, ``stratum`` where there are any. A structured
            array of one boolean and one float field may name them as it likes (scikit-survival's form). Two
            vectors, durations first, may be arrays or tensors (pycox's form).
        event_of_interest : optional
            The value of ``event`` that is the event; all other values are then censored (cause-specific). Needed
            where the values are not 0/1.
        causes : bool
            Keep the codes of competing causes: 0 = censored, 1, 2, ... the causes.
        n_rows : int, optional
            Rows of the predictors that `y` must match.
        index : pandas Index, optional
            Index of the predictors. Where `y` has an index too, the two must be equal.

        Returns
        -------
        Outcome

        Raises
        ------
        InputError, InputTypeError
            With a code SL-101 to SL-115; SL-301 and SL-302 where `y` does not match the predictors; SL-601 where
            events are no codes of causes, SL-602 where causes are asked for and one of them is named, too.

        Examples
        --------
        >>> outcome = Outcome.of(([5.0, 8.0, 2.0], [2, 0, 1]), event_of_interest=1)
        >>> outcome.event
        array([0, 0, 1])
        """
        given = _read(y)
        fields = {name: _vector(name, values) for name, values in given.items()}
        _check_rows({name: len(values) for name, values in fields.items()}, n_rows)
        _check_index([values.index for values in given.values() if isinstance(values, pd.Series)], index)
        event = event_codes(fields["event"], event_of_interest, causes)
        time = _time("time", fields["time"])
        refuse("SL-104", time < 0, "negative time", "Check the dates these times were made from.")
        entry = _time("entry", fields["entry"]) if "entry" in fields else None
        time, entry = _without_rounding(time, entry)
        if entry is not None and (late := entry >= time).any():
            remedy = "Patients are at risk on (entry, time]. For times of 0, split_xy has zero_time='half' and 'drop'."
            raise InputError("SL-110", f"entry is not before time in {rows(late)}.", remedy)
        weight = _weight(fields["weight"]) if "weight" in fields else None
        stratum = _stratum(fields["stratum"]) if "stratum" in fields else None
        return cls(time, event, entry, weight, stratum)


def split_xy(
    df: pd.DataFrame,
    time: str,
    event: str,
    entry: str | None = None,
    weight: str | None = None,
    stratum: str | None = None,
    *,
    event_of_interest=None,
    causes: bool = False,
    zero_time: str = "keep",
) -> tuple[pd.DataFrame, np.ndarray]:
    """Split a table into predictors and outcome.

    Parameters
    ----------
    df : DataFrame, one row per patient
    time, event, entry, weight, stratum : str
        Names of the columns that hold the outcome, as in `Outcome`; all other columns are predictors.
    event_of_interest : optional
        The value of the event column that is the event, where the values are not 0/1; other values are censored.
    causes : bool
        Keep the codes of competing causes: 0 = censored, 1, 2, ... the causes.
    zero_time : {"keep", "half", "drop", "refuse"}
        What to do with times of 0, which registries give to patients seen for less than one unit. ``"half"``: set
        them to half a unit, or to half of the smallest positive time if that is shorter. ``"drop"``: leave these
        rows out of `X` and `y`.

    Returns
    -------
    X : DataFrame
        The predictors, index kept.
    y : structured array
        ``event`` (bool, or the code of the cause), ``time`` (float), and ``entry``, ``weight``, ``stratum`` where
        named.

    Raises
    ------
    InputError
        With a code SL-101 to SL-115, SL-119, SL-120, SL-601 or SL-602.

    Warns
    -----
    InputWarning
        SL-118 where the longest time, in months, is beyond 150 years.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"age": [50, 61, 47], "months": [5.0, 8.0, 0.0], "died": [1, 0, 1]})
    >>> X, y = split_xy(df, time="months", event="died", zero_time="half")
    >>> y["time"]
    array([5. , 8. , 0.5])
    """
    if not isinstance(df, pd.DataFrame):
        raise InputTypeError("SL-114", f"the table is a {type(df).__name__}, not a DataFrame.", FORMS)
    roles = {"time": time, "event": event, "entry": entry, "weight": weight, "stratum": stratum}
    named = {role: name for role, name in roles.items() if name is not None}
    for role, name in named.items():
        if name not in df.columns:
            raise InputError("SL-115", f"{role}={name!r} is no column of the table{nearest(str(name), df.columns)}.")
    fields = {role: _vector(role, df[name]) for role, name in named.items()}
    times, zero = _zero_times(fields["time"], zero_time)
    outcome = Outcome.of({**fields, "time": times}, event_of_interest=event_of_interest, causes=causes)
    X = df.drop(columns=list(named.values()))
    if zero_time == "drop" and zero.any():
        X, outcome = X.loc[~zero], outcome.take(~zero)
    if outcome.time.max(initial=0) > MONTHS_IN_150_YEARS:
        found = f"the longest time is {outcome.time.max():g}: beyond 150 years if it counts months."
        remedy = "If it counts days, all is well; horizons are then days, too."
        warnings.warn(InputWarning("SL-118", found, remedy), stacklevel=2)
    return X, outcome.to_y()


def check_enough_events(outcome: Outcome, force: bool = False, of: str = "") -> None:
    """Refuse to fit a model to fewer than 10 events.

    Parameters
    ----------
    outcome : Outcome
    force : bool
        Turn the refusal of 1 to 9 events into a warning; no event at all is refused always.
    of : str
        What messages say of the events: " of cause 2".

    Raises
    ------
    InputError
        SL-116 without any event, SL-117 with fewer than 10.
    """
    n = outcome.n_events
    if n == 0:
        raise InputError(
            "SL-116", f"no event{of} among {len(outcome)} rows.", "There is nothing to fit; check the coding."
        )
    if n < ENOUGH_EVENTS:
        found = f"only {n} event{'' if n == 1 else 's'}{of} among {len(outcome)} rows, fewer than {ENOUGH_EVENTS}."
        if not force:
            raise InputError("SL-117", found, "Results would be noise; force=True fits all the same.")
        warnings.warn(InputWarning("SL-117", found, "The results are noise."), stacklevel=3)


def _read(y) -> dict:
    """The fields of `y` under our names, as they were given."""
    if isinstance(y, Outcome):
        fields = y._fields()
    elif isinstance(y, pd.DataFrame | Mapping):
        fields = {name: y[name] for name in y}
    elif isinstance(y, np.ndarray) and y.dtype.names:
        fields = {ours: y[theirs] for ours, theirs in _structured_names(y.dtype).items()}
    elif isinstance(y, tuple | list) and len(y) == 2:
        fields = {"time": y[0], "event": y[1]}
    else:
        what = f"an array of shape {y.shape}" if isinstance(y, np.ndarray) else f"a {type(y).__name__}"
        raise InputTypeError("SL-114", f"y is {what}; which part is time and which is event?", FORMS)
    if not {"event", "time"} <= fields.keys() <= set(FIELDS):
        found = f"y has fields {listed(fields)}; it needs event and time and may have entry, weight, stratum."
        raise InputError("SL-115", found, FORMS)
    return fields


def _structured_names(dtype: np.dtype) -> dict[str, str]:
    names = dtype.names or ()
    kinds = {dtype[name].kind: name for name in names}
    if len(names) == 2 and set(names) != {"event", "time"} and kinds.keys() == {"b", "f"}:
        return {"event": kinds["b"], "time": kinds["f"]}
    return {name: name for name in names}


def _vector(name: str, values) -> pd.Series:
    if hasattr(values, "detach"):  # a tensor, wherever it lives
        values = values.detach().cpu().numpy()
    if np.ndim(values) != 1:
        raise InputTypeError("SL-114", f"{name} of y has {np.ndim(values)} dimensions instead of one.", FORMS)
    return values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))


def _check_rows(lengths: dict[str, int], n_rows: int | None) -> None:
    lengths = lengths if n_rows is None else {"X": n_rows, **lengths}
    if len(set(lengths.values())) > 1:
        raise InputError("SL-301", f"numbers of rows differ: {listed(f'{name} {n}' for name, n in lengths.items())}.")


def _check_index(found: list[pd.Index], index: pd.Index | None) -> None:
    expected = found[:1] if index is None else [index]
    if not all(other.equals(expected[0]) for other in found):
        remedy = "Nothing is aligned unasked: take y.loc[X.index], or drop the indices if the order is the same."
        raise InputError("SL-302", "the rows of X and y (or of the parts of y) have different indices.", remedy)


def _numbers(name: str, values: pd.Series) -> np.ndarray:
    """A fresh float64 array; missing cells are NaN."""
    values = values.infer_objects()
    if not types.is_numeric_dtype(values.dtype) or values.dtype.kind in "bc":
        remedy = "Give a number of months (or days, years): of dates, the difference; of text, pd.to_numeric."
        raise InputError("SL-109", f"{name} is of type {values.dtype}, not a number.", remedy)
    return values.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)


def _time(name: str, values: pd.Series) -> np.ndarray:
    time = _numbers(name, values)
    refuse("SL-101", np.isnan(time), f"missing {name}", "Drop these rows, or find it out.")
    refuse("SL-102", np.isinf(time), f"infinite {name}", "Give the time of last contact.")
    return time


def _zero_times(values: pd.Series, zero_time: str) -> tuple[pd.Series, np.ndarray]:
    """Times with the zeros moved where asked for, and where they were."""
    if zero_time not in ("keep", "half", "drop", "refuse"):
        raise InputError("SL-120", f"zero_time={zero_time!r}.", "It may be 'keep', 'half', 'drop' or 'refuse'.")
    time = _numbers("time", values)
    zero = time == 0
    if zero_time == "refuse":
        refuse("SL-119", zero, "time of 0", "Keep, move or drop these rows: zero_time='keep', 'half' or 'drop'.")
    if zero_time in ("half", "drop"):
        time[zero] = time[time > 0].min(initial=1.0) / 2
    return pd.Series(time, index=values.index), zero


def _without_rounding(time: np.ndarray, entry: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Make times equal that differ by rounding only: R's ``timefix``, here relative and so free of the unit."""
    times = time if entry is None else np.concatenate([time, entry])
    distinct, place = np.unique(times, return_inverse=True)
    apart = np.diff(distinct) * len(distinct) > ROUNDING * np.abs(distinct).sum()
    if apart.all():
        return time, entry
    start = np.append(True, apart)
    times = distinct[start][np.cumsum(start)[place] - 1]
    return times[: len(time)], None if entry is None else times[len(time) :]


def _weight(values: pd.Series) -> np.ndarray:
    weight = _numbers("weight", values)
    refuse("SL-111", ~(np.isfinite(weight) & (weight >= 0)), "weight negative, missing or infinite", "")
    if weight.sum() == 0 and len(weight):
        raise InputError("SL-112", "all weights are 0.", "A row of weight 0 counts as absent.")
    return weight


def _stratum(values: pd.Series) -> np.ndarray:
    refuse("SL-113", values.isna().to_numpy(), "missing stratum", "Drop these rows, or give them a stratum.")
    labels = values.to_numpy()
    return labels.astype(str) if labels.dtype == object else labels.copy()
