"""Records of one patient: copies, contradictions, and an order that does not depend on the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from survlspin._messages import listed
from survlspin.cohort.codebook import Values
from survlspin.errors import InputError

__all__ = ["copies", "in_order", "patient_codes", "refuse_conflicts"]


def patient_codes(name: str, values: Values) -> np.ndarray:
    """Return the patient of each record as a number: int array (n,), patients numbered in the order of their names.

    Raises
    ------
    InputError
        SL-597 records without a patient.
    """
    if (lost := int(np.count_nonzero(~values.known))) > 0:
        found = f"{lost} of {len(values.status)} records have no {name!r}."
        raise InputError("SL-597", found, "Records cannot be put together by patient; complete the column.")
    codes, unique = pd.factorize(values.data)
    rank = np.empty(len(unique), dtype=np.int64)
    rank[pc.sort_indices(pa.array(unique)).to_numpy()] = np.arange(len(unique))
    return rank[codes]


def copies(patients: np.ndarray, values: Mapping[str, Values]) -> np.ndarray:
    """Which records equal an earlier one of the same patient in every field that was read: bool array (n,)."""
    several = np.flatnonzero(np.bincount(patients)[patients] > 1)
    again = np.zeros(len(patients), dtype=bool)
    again[several] = _cells(values, several).assign(patient=patients[several]).duplicated().to_numpy()
    return again


def refuse_conflicts(
    patients: np.ndarray, values: Mapping[str, Values], person: Iterable[str], key: Iterable[str], same: Iterable[str]
) -> None:
    """Refuse patients whose records contradict each other.

    Parameters
    ----------
    patients : int array (n,)
    values : dict of str -> Values
    person : iterable of str
        Fields that are the same in all records of a patient, where they are known.
    key, same : iterable of str
        Records of a patient that agree in the fields `key`, all known, agree in the fields `same` as well.

    Raises
    ------
    InputError
        SL-591 there are such patients.
    """
    several = np.flatnonzero(np.bincount(patients)[patients] > 1)
    owner = patients[several]
    wrong = {name: n for name in person if (n := _contradicting(owner, values[name].take(several)))}
    key = list(key)
    if key:
        known = np.logical_and.reduce([values[name].known[several] for name in key])
        cells = _cells({name: values[name] for name in key}, several[known]).assign(patient=owner[known])
        record = cells.groupby(list(cells.columns), sort=False).ngroup().to_numpy()
        for name in same:
            if n := _contradicting(record, values[name].take(several[known])):
                wrong[name] = max(n, wrong.get(name, 0))
    if wrong:
        what = listed(f"{name} ({n} patient{'' if n == 1 else 's'})" for name, n in wrong.items())
        remedy = "Were two exports joined, or IDs changed? Correct the file or take these patients out of it."
        raise InputError("SL-591", f"records of one patient contradict each other in {what}.", remedy)


def in_order(rows: np.ndarray, patients: np.ndarray, values: Mapping[str, Values], order: Iterable[str]) -> np.ndarray:
    """Return `rows` (positions of records) sorted by patient, then `order`, then all other fields."""
    keys = [patients[rows], *(values[name].data[rows] for name in order)]
    place = np.lexsort(keys[::-1])
    new = np.zeros(len(place), dtype=bool)
    for key in keys:
        ahead, behind = key[place[1:]], key[place[:-1]]
        new[1:] |= (ahead != behind) & ~(pd.isna(ahead) & pd.isna(behind))
    run = np.cumsum(new)
    tied = np.flatnonzero(np.bincount(run)[run] > 1)
    if len(tied):
        rest = [_rank(each.take(rows[place[tied]])) for each in values.values()]
        place[tied] = place[tied][np.lexsort([*rest, run[tied]])]
    return rows[place]


def _contradicting(owner: np.ndarray, values: Values) -> int:
    """The number of owners with two known values."""
    cells = pd.DataFrame({"owner": owner, "value": values.data})[values.known].drop_duplicates()
    return int(np.count_nonzero(cells["owner"].value_counts() > 1))


def _rank(values: Values) -> np.ndarray:
    """Numbers that sort as the values do, those that are not known by their status."""
    codes = pd.factorize(values.data, sort=True)[0]
    return np.where(values.known, codes, -1 - values.status.astype(np.int64))


def _cells(values: Mapping[str, Values], rows: np.ndarray) -> pd.DataFrame:
    """Data and status of all fields, two columns each."""
    cells = {(name, part): getattr(each, part)[rows] for name, each in values.items() for part in ("data", "status")}
    return pd.DataFrame({" ".join(name): cell for name, cell in cells.items()}, copy=False)
