"""The risk factors of each patient, streamed in blocks of patients."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from survlspin.errors import InputError
from survlspin.factors.explanation import LISTED, PATIENTS, Basis, Explanation, Risk, risk_names
from survlspin.factors.sets import SetTable
from survlspin.factors.shapley import MOST
from survlspin.tables import write_csv, write_parquet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FactorTable"]

TOLERANCE = 1e-6  # of the larger of 1 and the sum of the terms' sizes

REFERENCE = "the reference patient"
SAME = "this patient with the listed factors at the reference"
SUM = "Within a patient baseline + the sum of log_hr = log-risk; hr = exp(log_hr), against {}."
SHAPLEY = "log_hr is the exact Shapley value of the factor among those listed for the patient, {} held as they are. "
TOO_MANY = (
    f" log_hr is left empty, and rank goes by gate, where more than {MOST} open factors differ from the "
    "reference patient's in a member."
)
CONTEXT = " Context factors share their main effect by exact Shapley values{}."
MUCH_CONTEXT = f", but not more than {MOST} of them: their log_hr is left empty"


class FactorTable:
    """The risk factors of each patient: one row per patient and listed factor.

    A factor is listed for a patient when a gate of it is open for that patient in any member of the ensemble, or when
    it is context (its gate is then empty: it has none). The effects ``log_hr`` are against the reference patient, or
    where other factors act, too (gradient LASSO), against the same patient with the listed ones at the reference
    (:attr:`against`), and add up to what the log-risk is above that baseline. In a model that is linear in the factors
    it selects they are its terms, elsewhere exact Shapley values (:attr:`kind`); several context factors always share
    their main effect by Shapley values. :attr:`note` says what holds.

    Parameters
    ----------
    blocks : callable
        Each call gives a fresh iterator over the :class:`Explanation` of successive blocks of patients, at least one.
    n_rows : int
        Patients in all.
    basis : Basis
        What holds for all of them.
    risk : callable
        ``risk(log_risks, times, stratum)`` is the probability (n, H) of the event by `times` (H,).

    Attributes
    ----------
    factors, units, context, reference, members, linear, others_act
        As in :class:`Basis`; `reference` is the reference patient's value of each factor.

    Raises
    ------
    InputError
        SL-441 effects and baseline miss the log-risk (checked for every patient whenever a block is read).

    References
    ----------
    Shapley (1953), A value for n-person games, Contributions to the Theory of Games II, 307-317.
    """

    def __init__(self, blocks: Callable[[], Iterable[Explanation]], n_rows: int, basis: Basis, risk: Risk):
        self._blocks, self.n_rows, self._risk = blocks, n_rows, risk
        self.factors, self.units, self.context = basis.factors, basis.units, basis.context
        self.reference, self.members, self.linear = basis.reference, basis.members, basis.linear
        self.others_act = basis.others_act

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        return f"FactorTable(n_rows={self.n_rows}, kind={self.kind!r})"

    @property
    def kind(self) -> str:
        """What the effects of selected factors are: "additive" terms of a linear model, or "Shapley" values."""
        return "additive" if self.linear else "Shapley"

    @property
    def against(self) -> str:
        """Whom a patient's effects and their sum, log-risk less baseline, are against."""
        return SAME if self.others_act else REFERENCE

    @property
    def note(self) -> str:
        """What the effects mean for this model, in sentences to print beside the table."""
        several, note = int(self.context.sum()), SUM.format(self.against)
        if not self.linear:
            note = SHAPLEY.format("the others" if self.others_act else "gates") + note + TOO_MANY
        return note + (CONTEXT.format(MUCH_CONTEXT if several > MOST else "") if several > 1 else "")

    def explanations(self) -> Iterator[Explanation]:
        """What the model says of each block of patients, as arrays."""
        start = 0
        for block in self._blocks():
            size = np.abs(block.baseline) + np.where(block.listed, np.abs(block.effects), 0.0).sum(axis=1)
            wrong = block.explained & ~(np.abs(block.residual) <= TOLERANCE * np.maximum(1, size))  # also where NaN
            if wrong.any():
                miss = f"row {start + wrong.argmax()} by {abs(block.residual[wrong][0]):.2g} ({wrong.sum()} rows)"
                raise InputError("SL-441", f"Baseline and effects miss the log-risk of {miss}.", "Report this.")
            yield block
            start += len(block)

    def iter_batches(self) -> Iterator[pd.DataFrame]:
        """The table's rows, block by block of patients."""
        return (block.long() for block in self.explanations())

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The whole table.

        Columns: ``patient`` and ``factor``; ``role``, selected or context; ``value`` in registry units, as text, and
        its ``unit``; ``gate`` in [0, 1], the mean over members of the factor's largest; ``open``, whether any member
        uses it, as all do with context; ``log_hr`` and ``hr`` against the ``reference`` value, mean over members;
        ``low`` and ``high``, the least and the largest log_hr over members, 0 in one that closes the factor;
        ``agree``, how many members use it, ``of`` so many; ``rank``, 1 for the largest \\|log_hr\\| of the patient
        (where effects are left empty, for the largest gate).
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

    def patients(
        self, horizons: Sequence[float] = (), moved: np.ndarray | None = None, stratum: np.ndarray | None = None
    ) -> pd.DataFrame:
        """One row per patient, also where no factor is listed.

        Parameters
        ----------
        horizons : sequence of float
            In the unit of the training rows' times; they come in ascending order.
        moved : bool array (n,), optional
            Whether each patient's log-hazard moves when factors that are not listed are redrawn.
        stratum : array (n,), optional
            Each row's, where the model was fitted with strata and there are horizons.

        Returns
        -------
        DataFrame
            ``patient``; ``n_factors`` listed; ``set_key``, their sorted names; ``log_risk``; ``baseline``, the log-risk
            with all listed factors at the reference; ``residual``, what the effects leave unexplained (empty where they
            are); for each horizon, as 60, ``risk_60``, the probability of the event (of the cause, with the others at
            work) by then, with the least and the largest over members, ``risk_60_low`` and ``risk_60_high``; ``leaks``,
            which is `moved`, or empty.

        Raises
        ------
        InputError
            SL-413 for a horizon beyond the training rows' last time, SL-412 for strata that are missing or unknown,
            SL-444 where `moved` or `stratum` is not one per patient.
        """
        return pd.concat(self.iter_patients(horizons, moved, stratum), ignore_index=True)

    def iter_patients(
        self, horizons: Sequence[float] = (), moved: np.ndarray | None = None, stratum: np.ndarray | None = None
    ) -> Iterator[pd.DataFrame]:
        """The rows of :meth:`patients`, block by block."""
        return (told() for _, told in self._patients(horizons, moved, stratum))

    def iter_tables(
        self, horizons: Sequence[float] = (), moved: np.ndarray | None = None, stratum: np.ndarray | None = None
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """The rows of :meth:`iter_batches` and of :meth:`iter_patients`, each block explained once for both."""
        return ((block.long(), told()) for block, told in self._patients(horizons, moved, stratum))

    def _patients(self, horizons, moved, stratum) -> Iterator[tuple[Explanation, Callable[[], pd.DataFrame]]]:
        """Each block, and what makes its rows of :meth:`patients`."""
        rows, horizons = {"moved": moved, "stratum": stratum}, np.unique(horizons)
        for name, value in rows.items():
            if value is not None and np.shape(value) != (self.n_rows,):
                found = f"{name} has shape {np.shape(value)} for {self.n_rows} patients."
                raise InputError("SL-444", found, "Give one value per patient.")
        start = 0
        for block in self.explanations():
            part = slice(start, start + len(block))
            own = {name: None if value is None else np.asarray(value)[part] for name, value in rows.items()}
            yield block, partial(block.patient_table, self._risk, horizons, **own)
            start += len(block)

    @staticmethod
    def patient_columns(horizons: Sequence[float] = ()) -> list[str]:
        """Return the names of the columns of :meth:`patients`."""
        return [*PATIENTS, *risk_names(np.unique(horizons)), "leaks"]

    def sets(self) -> SetTable:
        """How many patients share each set of factors."""
        counts = Counter()
        for block in self.explanations():
            counts.update(block.set_keys)
        return SetTable(counts)

    def plot(self, patient: object, top: int = 10) -> "Figure":
        """The waterfall of hazard ratios from the reference patient (see :attr:`against`) to one patient.

        Parameters
        ----------
        patient : str or int
            Its label in the index.
        top : int
            Factors shown by themselves; the rest are one bar.

        Raises
        ------
        InputError
            SL-442 the patient has effects that are left empty, SL-443 the patient is not exactly one row.
        """
        from survlspin.factor_plots import waterfall

        found = [b.take(rows) for b in self.explanations() if len(rows := np.flatnonzero(b.patients == str(patient)))]
        if (n := sum(map(len, found))) != 1:
            raise InputError("SL-443", f"Patient {patient} is in {n} rows.", "Name one row of the index.")
        if not found[0].explained.all():
            raise InputError("SL-442", f"Patient {patient} has effects that are left empty.", "See note.")
        above = float(found[0].log_risk[0] - found[0].baseline[0])
        return waterfall(found[0].long(), above, top, self.kind, self.against)
