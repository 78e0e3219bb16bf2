"""The rows that one model is fitted to: patients, or a table with a column of classes or numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from survlspin._messages import rows
from survlspin.design import Design
from survlspin.errors import InputError
from survlspin.reading import read_table
from survlspin.response import Response
from survlspin.study import Study, check_labels, check_roles

__all__ = ["Sample", "sample_of", "table_of"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to fit a model to, checked.

    Attributes
    ----------
    source : str
    task : {"survival", "classes", "numbers"}
    X : DataFrame (n, variables)
    y : array (n,)
        Structured for survival, else the column `target`.
    design : Design
        Fitted on all rows: it says what is a number and what a category, and what is left out.
    weight : array (n,) or None
        Case weights; those of patients are in `y`.
    groups : array (n,) or None
        Each row's patient.
    unit, target : str
        Of time; the name of what is predicted.
    """

    source: str
    task: str
    X: pd.DataFrame
    y: np.ndarray
    design: Design
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    unit: str = ""
    target: str = ""

    def __len__(self) -> int:
        return len(self.X)

    def take(self, at: np.ndarray) -> Sample:
        """Return the rows at the positions `at`."""
        weight, groups = (None if v is None else v[at] for v in (self.weight, self.groups))
        return replace(self, X=self.X.iloc[at], y=self.y[at], weight=weight, groups=groups)

    @property
    def labels(self) -> np.ndarray | None:
        """What the rows are stratified by where some are set apart."""
        return {"survival": lambda: self.y["event"], "classes": lambda: self.y, "numbers": lambda: None}[self.task]()

    def apart(self, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of rows to keep and of a share to set apart: whole patients, else stratified.

        Raises
        ------
        InputError
            SL-557 where the rows are too few for that.
        """
        try:
            if self.groups is not None:
                splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
                parts = next(splitter.split(self.X, groups=self.groups))
            else:
                at, labels = np.arange(len(self)), self.labels
                parts = train_test_split(at, test_size=share, random_state=seed, stratify=labels)
        except ValueError as error:
            found = f"{share:.0%} of {len(self)} rows cannot be set apart ({str(error).rstrip('.')})."
            raise InputError("SL-557", found, "Give more rows, or another share.") from error
        return np.sort(parts[0]), np.sort(parts[1])


def sample_of(study: Study) -> Sample:
    """Return the patients of a study."""
    return Sample(study.source, "survival", study.X, study.y, study.design, None, study.groups, study.unit, "event")


def table_of(
    path: str | Path,
    target: str,
    task: str,
    *,
    weight: str | None = None,
    group: str | None = None,
    id: str | None = None,
    drop: Iterable[str] = (),
    category: Iterable[str] = (),
    numbers: Iterable[str] = (),
    force: bool = False,
    **form: str,
) -> Sample:
    """Read a file whose column `target` is to be predicted from all columns without a role.

    Parameters
    ----------
    path : str or Path
    target, weight, group, id : str
        Columns; as in `survlspin.study.Roles`.
    task : {"classes", "numbers"}
    drop, category, numbers : iterable of str
        Columns to leave out, that are categories although they hold numbers, and with leading zeros.
    force : bool
        Accept suspect values.
    **form : str
        ``sep``, ``decimal`` and ``encoding`` of a CSV.

    Raises
    ------
    InputError, InputTypeError
        SL-501 to SL-509 the file; SL-511 to SL-514 the roles; SL-15x the weights; SL-2xx the predictors; SL-554 a
        target that is missing, SL-556 one that is not of the kind that the model predicts.
    """
    drop, category = list(drop), list(category)
    text = [name for name in (id, group, *category, *drop) if name is not None]
    table = read_table(path, text=text, numbers=[*numbers, *([] if weight is None else [weight])], **form)
    check_roles(table.columns, {"target": target, "weight": weight, "group": group, "id": id}, drop, category)
    check_labels(table, id, group)
    table = table.astype(dict.fromkeys(category, "category"))
    aside = {name for name in (target, weight, group, id, *drop) if name is not None}
    X, y = table.drop(columns=list(aside)), _target(table[target], target, task)
    weights = None if weight is None else Response(np.zeros(len(table)), table[weight].to_numpy()).weight
    if id is not None:
        X.index = pd.Index(table[id], name=id)
    design = Design.fit(X, weight=weights, force=force)
    design.transform(X)  # rows of weight 0, too
    groups = None if group is None else table[group].to_numpy()
    return Sample(str(path), task, X, y, design, weights, groups, "", target)


def _target(values: pd.Series, name: str, task: str) -> np.ndarray:
    """Return the target's values: numbers, or classes of numbers, flags or text."""
    number = types.is_numeric_dtype(values.dtype)
    missing = values.isna().to_numpy()
    if number and not missing.any():
        missing = ~np.isfinite(values.to_numpy(dtype=np.float64))
    if missing.any():
        raise InputError("SL-554", f"--target {name!r} is missing or infinite in {rows(missing)}.", "Drop these rows.")
    if task == "numbers":
        if not number:
            found = f"--target {name!r} holds {values.dtype} values, and the model predicts numbers."
            raise InputError("SL-556", found, "Mend the cells, or name a model of classes.")
        return values.to_numpy(dtype=np.float64)
    if number:
        cells = values.to_numpy(dtype=bool if types.is_bool_dtype(values.dtype) else None)
        if cells.dtype.kind == "f" and (cells != np.rint(cells)).any():
            found = f"--target {name!r} holds numbers that are not whole, and the model predicts classes."
            raise InputError("SL-556", found, "Make classes of them, or name a model of numbers.")
        return cells
    return values.astype(str).to_numpy(dtype=object)
