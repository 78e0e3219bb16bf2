"""Which risk factors a model used for each patient, and what each of them did to the log-hazard.

The tables are made block by block from what an estimator says of a block of patients (:class:`Explanation`), so that
half a million patients are never held at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from survlspin.errors import InputError
from survlspin.tables import read_csv, write_csv, write_parquet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Explanation", "FactorTable", "SetTable", "read_csv"]

LISTED = ("patient", "factor", "role", "value", "gate", "log_hr", "hr", "rank", "reference")
PATIENTS = ("patient", "n_factors", "set_key", "log_risk", "baseline", "residual")
SETS = ("set_key", "n", "share", "cumulative")
TOLERANCE = 1e-6  # of the larger of 1 and the sum of the terms' sizes

ADDS_UP = "Within a patient baseline + the sum of log_hr = log-risk; hr = exp(log_hr), against the reference patient."
ADDS_NOT = (
    "This model is not linear in the factors it selects: they have no contributions that would add up to the log-risk, "
    "so log_hr and hr are left empty and rank goes by gate."
)


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a fitted model says of a block of n patients, in p design columns of G factors.

    Parameters
    ----------
    index : Index
        The patients.
    values : DataFrame (n, G)
        The patient's value of each factor, in registry units.
    factors : tuple of str
        The G names.
    group : int array (p,)
        The factor of each design column.
    context : bool array (G,)
        The factors that the gates may see: always listed.
    gate : array (n, p)
        In [0, 1], mean over the ensemble's members.
    open : bool array (n, p)
        Whether any member opens the column.
    contribution : array (n, p) or None
        ``coef_j(x) x_j`` on the log-hazard, mean over members; None for a net that is not locally linear.
    context_contribution : array (n,) or None
        What the context columns contribute together, ``b(c) - b(0)``; None without context.
    baseline : float
        Log-risk of the reference patient, whose columns are all 0.
    log_risk : array (n,)
        The model's prediction.
    reference : Series
        The reference patient's value of each factor.
    """

    index: pd.Index
    values: pd.DataFrame
    factors: tuple[str, ...]
    group: np.ndarray
    context: np.ndarray
    gate: np.ndarray
    open: np.ndarray
    contribution: np.ndarray | None
    context_contribution: np.ndarray | None
    baseline: float
    log_risk: np.ndarray
    reference: pd.Series

    def __len__(self) -> int:
        return len(self.index)

    @property
    def patients(self) -> np.ndarray:
        """The patients' names as text, (n,)."""
        return self.index.astype(str).to_numpy(object)

    @cached_property
    def listed(self) -> np.ndarray:
        """The factors that the patient's answer uses: open in any column, or context; bool (n, G)."""
        return self._by_factor(np.logical_or, self.open, bool) | self.context

    @cached_property
    def effects(self) -> np.ndarray:
        """Log hazard ratios of the listed factors and, last, of the joint context; NaN where there is none; (n, G + 1).

        A lone context factor has the context's effect as its own. Of several only the joint effect is known.
        """
        effects = np.full((len(self), len(self.factors) + 1), np.nan)
        if self.contribution is not None:
            effects[:, :-1] = np.where(self.listed, self._by_factor(np.add, self.contribution, np.float64), np.nan)
            effects[:, np.flatnonzero(self.context)] = np.nan
            if self.context.any():
                joint = -1 if self.context.sum() > 1 else self.context.argmax()
                effects[:, joint] = self.context_contribution
        return effects + 0.0  # no -0.0

    @property
    def residual(self) -> np.ndarray:
        """Log-risk less the baseline and the listed effects, (n,); NaN for a net that is not locally linear."""
        if self.contribution is None:
            return np.full(len(self), np.nan)
        return self.log_risk - self.baseline - np.nansum(self.effects, axis=1)

    @property
    def set_keys(self) -> np.ndarray:
        """The sorted names of the patient's listed factors joined by " + ", or "(none)"; (n,)."""
        order = np.argsort(np.array(self.factors, dtype=str), kind="stable")
        sets, row = np.unique(np.packbits(self.listed[:, order], axis=1), axis=0, return_inverse=True)
        names = np.array(self.factors, dtype=object)[order]
        members = np.unpackbits(sets, axis=1, count=len(order)).astype(bool)
        return np.array([" + ".join(names[m]) or "(none)" for m in members], dtype=object)[row]

    def long(self) -> pd.DataFrame:
        """One row per patient and listed factor, largest first; the columns of :attr:`FactorTable.frame`."""
        joint = self.contribution is not None and self.context.sum() > 1
        listed = np.column_stack([self.listed, np.full(len(self), joint)])  # (n, G + 1)
        gate = np.full(listed.shape, np.nan)
        gate[:, :-1] = np.where(self.context, np.nan, self._by_factor(np.maximum, self.gate, np.float64))
        size = gate if self.contribution is None else np.abs(self.effects)
        place = np.where(listed, np.where(np.isnan(size), 1, -size), 2)  # then those without a size, then the unlisted
        order = np.argsort(place, axis=1, kind="stable")
        row, rank = np.nonzero(np.arange(listed.shape[1]) < listed.sum(axis=1, keepdims=True))
        factor = order[row, rank]  # (m,), m rows of the table
        log_hr = self.effects[row, factor]
        context = [name for name, is_context in zip(self.factors, self.context, strict=True) if is_context]
        columns = (
            self.patients[row],
            _pick([*self.factors, f"context: {' + '.join(context)}"], factor),
            _pick([*np.where(self.context, "context", "selected"), "context"], factor),
            self._value_texts(row, factor),
            gate[row, factor],
            log_hr,
            np.exp(log_hr),
            pd.arrays.IntegerArray(rank + 1, mask=np.isnan(size[row, factor])),
            _pick([*(_reference_text(self.reference[name]) for name in self.factors), ""], factor),
        )
        return pd.DataFrame(dict(zip(LISTED, columns, strict=True)))

    def patient_table(self) -> pd.DataFrame:
        """One row per patient; the columns of :meth:`FactorTable.patients`."""
        columns = (
            self.patients,
            self.listed.sum(axis=1),
            self.set_keys,
            np.asarray(self.log_risk, dtype=np.float64),
            np.full(len(self), float(self.baseline)),
            self.residual,
        )
        return pd.DataFrame(dict(zip(PATIENTS, columns, strict=True)))

    def _by_factor(self, reduce: np.ufunc, cells: np.ndarray, dtype: type) -> np.ndarray:
        """Reduce (n, p) cells to (n, G), each row by itself: the answer does not depend on the block."""
        order = np.argsort(self.group, kind="stable")
        present, start = np.unique(self.group[order], return_index=True)
        out = np.zeros((len(self), len(self.factors)), dtype)
        out[:, present] = reduce.reduceat(np.asarray(cells, dtype)[:, order], start, axis=1)
        return out

    def _value_texts(self, row: np.ndarray, factor: np.ndarray) -> np.ndarray:
        texts = np.full(len(row), "", dtype=object)
        for g in range(len(self.factors)):
            cells = np.flatnonzero(factor == g)
            texts[cells] = _value_text(self.values.iloc[row[cells], g])
        return texts


class FactorTable:
    """The risk factors of each patient: one row per patient and listed factor.

    A factor is listed for a patient when a gate of it is open for that patient in any member of the ensemble, or when
    it is context (its gate is then empty: it has none). The effect ``log_hr`` is against the reference patient. Of a
    single context factor it is the context's main effect; of several only the joint effect is known, and an extra row
    named ``context: a + b`` carries it. Where a model is not linear, effects are left empty, and :attr:`note` says so.

    Parameters
    ----------
    blocks : callable
        Each call gives a fresh iterator over the :class:`Explanation` of successive blocks of patients, at least one.
    n_rows : int
        Patients in all.
    linear : bool
        Whether the model is linear in the factors it selects, so that effects add up to the log-risk.

    Raises
    ------
    InputError
        SL-441 effects and baseline miss the log-risk (checked for every patient whenever a block is read).
    """

    def __init__(self, blocks: Callable[[], Iterable[Explanation]], n_rows: int, linear: bool):
        self._blocks, self.n_rows, self.linear = blocks, n_rows, linear

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        return f"FactorTable(n_rows={self.n_rows}, linear={self.linear})"

    @property
    def note(self) -> str:
        """What the effects mean for this model, in a sentence to print beside the table."""
        return ADDS_UP if self.linear else ADDS_NOT

    def iter_batches(self) -> Iterator[pd.DataFrame]:
        """The table's rows, block by block of patients."""
        return (block.long() for block in self._checked())

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The whole table.

        Columns: ``patient`` and ``factor``; ``role``, selected or context; ``value`` in registry units, as text;
        ``gate`` in [0, 1], the largest of the factor's columns; ``log_hr`` and ``hr`` against the ``reference`` value;
        ``rank``, 1 for the largest \\|log_hr\\| of the patient (for a model that is not linear, the largest gate).
        """
        return pd.concat(self.iter_batches(), ignore_index=True)

    def to_csv(self, path: str | Path) -> None:
        """Write the table block by block, cells that a spreadsheet would run as a formula escaped.

        :func:`read_csv` gives the table back as it was. Errors: :func:`survlspin.tables.write_csv`.
        """
        write_csv(self.iter_batches(), path, LISTED)

    def to_parquet(self, path: str | Path) -> None:
        """Write the table block by block. Errors: :func:`survlspin.tables.write_csv`."""
        write_parquet(self.iter_batches(), path, LISTED)

    def patients(self) -> pd.DataFrame:
        """One row per patient, also where no factor is listed.

        Columns: ``patient``; ``n_factors`` listed; ``set_key``, their sorted names; ``log_risk``; ``baseline``, the
        reference patient's log-risk; ``residual``, what the effects leave unexplained (empty if not linear).
        """
        return pd.concat([block.patient_table() for block in self._checked()], ignore_index=True)

    def sets(self) -> "SetTable":
        """How many patients share each set of factors."""
        counts = Counter()
        for block in self._checked():
            counts.update(block.set_keys)
        return SetTable(counts)

    def plot(self, patient: object, top: int = 10) -> "Figure":
        """The waterfall of hazard ratios from the reference patient to one patient; linear models only.

        Parameters
        ----------
        patient : str or int
            Its label in the index.
        top : int
            Factors shown by themselves; the rest are one bar.

        Raises
        ------
        InputError
            SL-442 the model is not linear, SL-443 the patient is not exactly one row.
        """
        from survlspin.factor_plots import waterfall

        if not self.linear:
            raise InputError("SL-442", "A model that is not linear has no contributions to stack.", "See note.")
        found = [(block, row) for block in self._checked() for row in np.flatnonzero(block.patients == str(patient))]
        if len(found) != 1:
            raise InputError("SL-443", f"Patient {patient} is in {len(found)} rows.", "Name one row of the index.")
        block, row = found[0]
        listed = block.long()
        return waterfall(listed[listed["patient"] == str(patient)], block.log_risk[row] - block.baseline, top)

    def _checked(self) -> Iterator[Explanation]:
        start = 0
        for block in self._blocks():
            size = abs(block.baseline) + np.nansum(np.abs(block.effects), axis=1)
            wrong = ~(np.abs(block.residual) <= TOLERANCE * np.maximum(1, size))  # also where it is NaN
            if self.linear and wrong.any():
                miss = f"row {start + wrong.argmax()} by {abs(block.residual[wrong][0]):.2g} ({wrong.sum()} rows)"
                raise InputError("SL-441", f"Baseline and contributions miss the log-risk of {miss}.", "Report this.")
            yield block
            start += len(block)


class SetTable:
    """How many patients share each set of factors.

    Parameters
    ----------
    counts : dict
        Set, as sorted names joined by " + ", to its number of patients.

    Attributes
    ----------
    frame : DataFrame
        ``set_key``, ``n``, ``share`` of all patients and ``cumulative`` share; most frequent first.

    Examples
    --------
    >>> SetTable({"age": 1, "age + nodes": 3}).frame["share"].tolist()
    [0.75, 0.25]
    """

    def __init__(self, counts: dict[str, int]):
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        self.frame = pd.DataFrame(ordered, columns=list(SETS[:2])).astype({"n": np.int64})
        self.frame["share"] = self.frame["n"] / self.frame["n"].sum()
        self.frame["cumulative"] = self.frame["n"].cumsum() / self.frame["n"].sum()

    def to_csv(self, path: str | Path) -> None:
        """Write the table; escaping and errors as for :meth:`FactorTable.to_csv`."""
        write_csv([self.frame], path, SETS)

    def plot(self, top: int = 12) -> "Figure":
        """Bars of the `top` most frequent sets; the rest are one bar."""
        from survlspin.factor_plots import set_bars

        return set_bars(self.frame, top)


def _pick(texts: list[str], which: np.ndarray) -> np.ndarray:
    return np.array(texts, dtype=object)[which]


def _value_text(values: pd.Series) -> np.ndarray:
    """Each value as text by itself: 63.0 is "63", 0.1 is "0.1", a missing value is ""."""
    if isinstance(values.dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return pa.array(values).cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
    return values.astype(str).where(values.notna(), "").to_numpy(object)


def _reference_text(value: object) -> str:
    """A mean to six digits; a level as it is."""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
