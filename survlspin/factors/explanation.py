"""What a fitted model says of a block of patients, and the two tables that say it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["LISTED", "PATIENTS", "Basis", "Explanation", "risk_names"]

LISTED = (
    *("patient", "factor", "role", "value", "unit", "gate", "open", "log_hr", "hr", "low", "high"),
    *("agree", "of", "rank", "reference"),
)
PATIENTS = ("patient", "n_factors", "set_key", "log_risk", "baseline", "residual")
PER_ROW = ("index", "gate", "agreement", "effects", "low", "high", "baseline")

Risk = Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]
"""The probability (n, H) of the event by times (H,), of log-risks (n, K) and the rows' strata (n,)."""


@dataclass(frozen=True, eq=False)
class Basis:
    """What holds for all patients that a model explains.

    Parameters
    ----------
    factors : tuple of str (G,)
    units : tuple of str (G,)
        "" where there is none or it is not known.
    context : bool array (G,)
        The factors that the gates may see: always listed.
    reference : Series
        The reference patient's value of each factor.
    members : int
        M, of the ensemble.
    linear : bool
        Whether the model is linear in the factors it selects. Where it is not, effects are Shapley values.
    output : int
        Which of the K log-risks the effects are on: 0, or of competing causes the explained one's place.
    others_act : bool
        Whether factors that are not listed (in a member, by it) act, too, at the patient's values (gradient LASSO).
    """

    factors: tuple[str, ...]
    units: tuple[str, ...]
    context: np.ndarray
    reference: pd.Series
    members: int
    linear: bool
    output: int = 0
    others_act: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation(Basis):
    """What a fitted model says of a block of n patients.

    Parameters
    ----------
    index : Index
        The patients.
    values : DataFrame (n, G)
        The patient's value of each factor, in registry units.
    gate : array (n, G)
        In [0, 1], mean over the ensemble's members; of a factor the largest of its columns.
    agreement : int16 array (n, G)
        Members that open the factor; all of them for context.
    effects, low, high : array (n, G)
        Log hazard ratios against the factor's reference value: mean, least and largest over members, 0 in a member
        that closes the factor; NaN where they are not known.
    baseline : array (n,)
        The log-risk with all listed factors at the reference, gates held: the reference patient's, unless `others_act`.
    log_risks : array (M, n, K)
        Of members and of causes.
    """

    index: pd.Index
    values: pd.DataFrame
    gate: np.ndarray
    agreement: np.ndarray
    effects: np.ndarray
    low: np.ndarray
    high: np.ndarray
    baseline: np.ndarray
    log_risks: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: np.ndarray) -> "Explanation":
        """Return what the model says of the patients with the row numbers `rows`."""
        own = {name: getattr(self, name)[rows] for name in PER_ROW}
        return replace(self, values=self.values.iloc[rows], log_risks=self.log_risks[:, rows], **own)

    @property
    def patients(self) -> np.ndarray:
        """The patients' names as text, (n,)."""
        return self.index.astype(str).to_numpy(object)

    @cached_property
    def listed(self) -> np.ndarray:
        """The factors that the patient's answer uses: open in any member, or context; bool (n, G)."""
        return (self.agreement > 0) | self.context

    @cached_property
    def log_risk(self) -> np.ndarray:
        """The model's prediction, (n,): the mean over members, added up in their order also of one patient."""
        return sum(self.log_risks[..., self.output]) / len(self.log_risks)

    @cached_property
    def explained(self) -> np.ndarray:
        """Whether the effects of all the patient's listed factors are known, bool (n,)."""
        return ~(self.listed & np.isnan(self.effects)).any(axis=1)

    @cached_property
    def residual(self) -> np.ndarray:
        """Log-risk less the baseline and the listed effects, (n,); NaN where not all of them are known."""
        return self.log_risk - self.baseline - np.where(self.listed, self.effects, 0.0).sum(axis=1)

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
        gate = np.where(self.context, np.nan, self.gate)
        size = np.where(self.explained[:, None], np.abs(self.effects), gate)
        place = np.where(self.listed, np.where(np.isnan(size), 1, -size), 2)  # then those without a size, the unlisted
        order = np.argsort(place, axis=1, kind="stable")
        row, rank = np.nonzero(np.arange(place.shape[1]) < self.listed.sum(axis=1, keepdims=True))
        factor = order[row, rank]  # (m,), m rows of the table
        log_hr = self.effects[row, factor] + 0.0  # no -0.0
        columns = (
            self.patients[row],
            _pick(self.factors, factor),
            _pick(np.where(self.context, "context", "selected"), factor),
            self._value_texts(row, factor),
            _pick(self.units, factor),
            gate[row, factor],
            np.ones(len(row), dtype=bool),
            log_hr,
            np.exp(log_hr),
            self.low[row, factor] + 0.0,
            self.high[row, factor] + 0.0,
            self.agreement[row, factor].astype(np.int64),
            np.full(len(row), self.members, dtype=np.int64),
            pd.arrays.IntegerArray(rank + 1, mask=np.isnan(size[row, factor])),
            _pick([_reference_text(self.reference[name]) for name in self.factors], factor),
        )
        return pd.DataFrame(dict(zip(LISTED, columns, strict=True)))

    def patient_table(
        self,
        risk: Risk | None = None,
        horizons: Sequence[float] = (),
        moved: np.ndarray | None = None,
        stratum: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """One row per patient; the columns of :meth:`FactorTable.patients`, whose parameters are of this block."""
        columns = (
            self.patients,
            self.listed.sum(axis=1),
            self.set_keys,
            np.asarray(self.log_risk, dtype=np.float64),
            np.asarray(self.baseline, dtype=np.float64),
            self.residual,
        )
        table = dict(zip(PATIENTS, columns, strict=True))
        if len(horizons):
            times = np.asarray(horizons, dtype=np.float64)
            members = np.stack([risk(member, times, stratum) for member in self.log_risks])  # (M, n, H)
            mean = risk(self.log_risks.mean(axis=0), times, stratum)
            risks = np.stack([mean, members.min(axis=0), members.max(axis=0)], axis=2)  # (n, H, 3)
            table |= dict(zip(risk_names(horizons), risks.reshape(len(self), 3 * len(times)).T, strict=True))
        leaks = np.zeros(len(self), dtype=bool) if moved is None else np.asarray(moved, dtype=bool)
        table["leaks"] = pd.arrays.BooleanArray(leaks, mask=np.full(len(self), moved is None))
        return pd.DataFrame(table)

    def _value_texts(self, row: np.ndarray, factor: np.ndarray) -> np.ndarray:
        texts = np.full(len(row), "", dtype=object)
        for g in np.unique(factor):
            cells = np.flatnonzero(factor == g)
            texts[cells] = _value_text(self.values.iloc[:, g].take(row[cells]))
        return texts


def risk_names(horizons: Iterable[float]) -> list[str]:
    """Return the columns of the risks at horizons: ``risk_60``, ``risk_60_low``, ``risk_60_high``, ..."""
    return [f"risk_{horizon:.12g}{part}" for horizon in horizons for part in ("", "_low", "_high")]


def _pick(texts: Iterable[str], which: np.ndarray) -> np.ndarray:
    return np.array([*texts], dtype=object)[which]


def _value_text(values: pd.Series) -> np.ndarray:
    """Each value as text by itself: 63.0 is "63", 0.1 is "0.1", a missing value is ""."""
    if isinstance(values.dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels = np.append(values.cat.categories.astype(str).to_numpy(object), "")
        return levels[values.cat.codes]
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return pa.array(values).cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
    return values.astype(str).where(values.notna(), "").to_numpy(object)


def _reference_text(value: object) -> str:
    """A mean to six digits; a level as it is."""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
