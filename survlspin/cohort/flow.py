"""The flow of exclusions: how many rows, patients and events each rule of a cohort costs, and what may be published.

Rows are counted in the order of the rules. *Excluded* are those that pass every earlier rule and fail this one; *fails*
are all that fail it, of all rows read, whatever the other rules say. A patient is excluded with his last row, so that
before = excluded + after holds for rows, patients and events alike; a patient fails a rule as soon as one row does.

A number of a few patients may not be published, and neither may numbers that give it away. :meth:`Flow.masked` pools
neighbouring rules until nothing small is left, in the cells or between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.tables import replacing

__all__ = ["Count", "Flow", "Step"]

PARTS = ("rows", "patients", "events")
CELLS = ("before", "excluded", "after", "fails")


@dataclass(frozen=True)
class Count:
    """A number of rows, of their patients, and of those rows that end with the event.

    Attributes
    ----------
    rows, patients, events : int or None
        None: hidden.
    """

    rows: int | None
    patients: int | None
    events: int | None

    def __sub__(self, other: Count) -> Count:
        """Return the difference of each number; hidden where one of the two is."""
        pairs = ((getattr(self, part), getattr(other, part)) for part in PARTS)
        return Count(*(None if a is None or b is None else a - b for a, b in pairs))

    def without(self, parts: Iterable[str]) -> Count:
        """Return these numbers with `parts` hidden."""
        hidden = set(parts)
        return Count(*(None if part in hidden else getattr(self, part) for part in PARTS))


@dataclass(frozen=True)
class Step:
    """One rule of a flow, or several that are pooled.

    Attributes
    ----------
    id, text : str
        Its name, and what it keeps; of pooled rules, joined by ``+`` and ``;``.
    before, excluded, after : Count
        In the order of the flow; excluded = before - after.
    fails : Count
        Of all rows read, those that fail this rule whatever the others say; hidden for pooled rules.
    """

    id: str
    text: str
    before: Count
    excluded: Count
    after: Count
    fails: Count


@dataclass(frozen=True)
class Flow:
    """Rows, patients and events before, between and after the rules of a cohort.

    Attributes
    ----------
    steps : tuple of Step
    start, end : Count
        What was read, and what is left.
    min_cell : int or None
        The smallest number that is shown beside 0; None: nothing is hidden.

    Examples
    --------
    >>> import numpy as np
    >>> age, event = np.array([20, 30, 40, 50]), np.array([True, False, True, True])
    >>> flow = Flow.count([("adult", "25 years or older", age >= 25)], np.arange(4), event)
    >>> flow.end
    Count(rows=3, patients=3, events=2)
    """

    steps: tuple[Step, ...]
    start: Count
    end: Count
    min_cell: int | None = None

    @classmethod
    def count(
        cls,
        rules: Iterable[tuple[str, str, np.ndarray]],
        patients: np.ndarray | None,
        event: np.ndarray,
    ) -> Flow:
        """Count what each rule costs.

        Parameters
        ----------
        rules : iterable of (id, text, keep)
            In order; `keep` is bool (n,).
        patients : int array (n,) or None
            Each row's patient as a number; None: every row is a patient.
        event : bool array (n,)
            Whether the row ends with the event, False where that is unknown.

        Returns
        -------
        Flow

        Raises
        ------
        InputError
            SL-353 an array of another length or type.
        """
        event = _flags(event, "event", None)
        patients = np.arange(len(event)) if patients is None else np.asarray(patients)
        if patients.shape != event.shape:
            found = f"patients has shape {patients.shape}, event {event.shape}."
            raise InputError("SL-353", found, "Give one patient per row.")
        codes = np.unique(patients, return_inverse=True)[1]
        left = np.ones(len(event), dtype=bool)
        start = before = _count(left, codes, event)
        steps = []
        for name, text, keep in rules:
            keep = _flags(keep, f"rule {name!r}", len(event))
            left &= keep
            after = _count(left, codes, event)
            steps.append(Step(name, text, before, before - after, after, _count(~keep, codes, event)))
            before = after
        return cls(tuple(steps), start, before)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Flow:
        """Return the flow that :meth:`as_dict` wrote down."""
        steps = (Step(step["id"], step["text"], *(Count(**step[cell]) for cell in CELLS)) for step in content["steps"])
        return cls(tuple(steps), Count(**content["start"]), Count(**content["end"]), content["min_cell"])

    def as_dict(self) -> dict[str, Any]:
        """Return the flow in plain lists, dicts and numbers."""
        content = asdict(self)
        return {**content, "steps": list(content["steps"])}

    @property
    def frame(self) -> pd.DataFrame:
        """One row per rule: `rule`, `text`, and rows, patients and events before, excluded, after and failing."""
        numbers = {
            f"{cell}_{part}": pd.array([getattr(getattr(step, cell), part) for step in self.steps], dtype="Int64")
            for cell in CELLS
            for part in PARTS
        }
        return pd.DataFrame(
            {"rule": [step.id for step in self.steps], "text": [step.text for step in self.steps], **numbers}
        )

    def to_json(self, path: str | Path | None = None, *, min_cell: int | None = None) -> str:
        """Return the flow as JSON text, masked for `min_cell` if given; write it to `path` if given."""
        text = json.dumps(self._shown(min_cell).as_dict(), indent=1, ensure_ascii=False) + "\n"
        return _written(text, path)

    def to_csv(self, path: str | Path, *, min_cell: int | None = None) -> None:
        """Write :attr:`frame` to a CSV file, masked for `min_cell` if given; hidden numbers are empty cells."""
        _written(self._shown(min_cell).frame.to_csv(index=False, lineterminator="\n"), path)

    def to_svg(self, path: str | Path | None = None, *, min_cell: int | None = None) -> str:
        """Return the flow as a chart, SVG text, masked for `min_cell` if given; write it to `path` if given."""
        from survlspin.cohort.flow_chart import svg

        return _written(svg(self._shown(min_cell)), path)

    def _shown(self, min_cell: int | None) -> Flow:
        return self if min_cell is None else self.masked(min_cell)

    def masked(self, min_cell: int = 5) -> Flow:
        """Return the flow without numbers from 1 to ``min_cell - 1``, given or to be had by subtraction.

        Neighbouring rules are pooled until what they exclude and what they leave are both 0 or at least `min_cell` in
        rows, patients, events, rows without the event, and rows beyond one per patient. What is small in the
        first or last box itself is hidden there and in the exclusions beside it. Two flows of the same patients, by
        other rules, are not masked against each other: their difference may be small.

        Parameters
        ----------
        min_cell : int
            The smallest number that may be shown beside 0; 1 hides nothing.

        Returns
        -------
        Flow

        Raises
        ------
        InputError
            SL-354 `min_cell` is no whole number of at least 1, or the flow is masked for a smaller one.
        """
        if not isinstance(min_cell, int) or isinstance(min_cell, bool) or min_cell < 1:
            raise InputError("SL-354", f"min_cell={min_cell!r}.", "Give a whole number of at least 1; 5 is usual.")
        if self.min_cell is not None:
            if self.min_cell >= min_cell:
                return self
            found = f"the flow is masked for {self.min_cell} and cannot be masked again for {min_cell}."
            raise InputError("SL-354", found, "Count it again, or mask the flow that was counted.")
        from survlspin.cohort.masking import mask

        return mask(self, min_cell)


def _count(rows: np.ndarray, codes: np.ndarray, event: np.ndarray) -> Count:
    patients = np.count_nonzero(np.bincount(codes[rows]))
    return Count(int(np.count_nonzero(rows)), int(patients), int(np.count_nonzero(rows & event)))


def _flags(values: np.ndarray, name: str, n: int | None) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype != bool or values.ndim != 1 or (n is not None and len(values) != n):
        found = f"{name} is {values.dtype} of shape {values.shape}."
        raise InputError("SL-353", found, f"Give bool values, one per row{'' if n is None else f' of {n:,}'}.")
    return values


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        with replacing(Path(path)) as name:
            Path(name).write_text(text, encoding="utf-8")
    return text
