"""One variable of a table: what its cells are, and how they become columns of the design matrix."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from survlspin._messages import rows
from survlspin._usual import Odd, Usual
from survlspin.errors import InputError

__all__ = ["Variable", "each", "fit_variable", "read"]

HUGE = 1e100  # no measurement is larger; squares of what is smaller do not overflow
MILLION = 1e6  # a value this many times the usual spread away from the rest is a mistake
MANY_LEVELS = 1000


@dataclass(frozen=True, eq=False)
class Variable:
    """The fitted encoder of one input variable; `levels` is None for numbers and flags."""

    name: str
    columns: tuple[str, ...]
    reference: Any  # the reference patient's value, as in the table
    center: float = 0.0
    scale: float = 1.0
    levels: pd.Index | None = None
    place: np.ndarray | None = None  # (levels,) the column of each level among `columns`, -1 for none
    usual: Usual | None = None  # the range of a number in training
    unit: str = ""

    def write(self, series: pd.Series, out: np.ndarray, unseen: Any = None) -> Odd:
        """Write the coded cells into `out` (columns, n), which holds zeros; return how many are unlike training's."""
        if self.levels is None:
            cells = read(series)
            if isinstance(cells, pd.Series):
                raise InputError("SL-209", "holds text where training had numbers", _AS_NUMBERS)
            odd = Odd() if self.usual is None else self.usual.odd(cells)
            cells -= self.center
            cells /= self.scale
            _refuse_cells(cells, limit=1e30)
            out[0] = cells
            return odd
        codes, replaced = self.codes(series, unseen)
        place = self.place[codes]
        row = np.flatnonzero(place >= 0)
        out[place[row], row] = 1
        return Odd(unseen=replaced)

    def codes(self, series: pd.Series, instead: Any = None) -> tuple[np.ndarray, int]:
        """Position of each cell's level among the levels of training, (n,), and how many had none.

        These count as the level `instead`, where training had that, and are refused elsewhere.
        """
        series = _unwrapped(series)
        cells = (series if isinstance(series.dtype, pd.CategoricalDtype) else series.astype("category")).cat
        level = np.append(self.levels.get_indexer(cells.categories), -1)  # of each category; -1: unseen or missing
        codes = level[cells.codes]
        unseen = codes < 0
        if n := int(np.count_nonzero(unseen)):
            _refuse_missing(series)
            if instead is None or instead not in self.levels:
                remedy = "Nothing is known about it: recode it to a level of training, or drop these rows."
                raise InputError("SL-214", f"has a level that training had not in {rows(unseen)}", remedy)
            codes[unseen] = self.levels.get_loc(instead)
        return codes, n


def each(columns: Iterable[tuple[str, pd.Series]], work: Callable[[str, pd.Series], Any]) -> list:
    """``work(name, series)`` of every column; the columns with the first kind of fault are named in one error."""
    done, faults = [], []
    for name, series in columns:
        try:
            done.append(work(name, series))
        except InputError as fault:
            faults.append((name, fault))
    if faults:
        code, remedy = faults[0][1].code, faults[0][1].remedy
        found = [f"{name!r} {fault.found}" for name, fault in faults if fault.code == code]
        more = f"; and {len(found) - 10} columns more" if len(found) > 10 else ""
        raise InputError(code, f"{'; '.join(found[:10])}{more}.", remedy)
    return done


def read(series: pd.Series) -> np.ndarray | pd.Series:
    """The cells as fresh float64 numbers (missing: NaN), or as a categorical Series without unused categories."""
    series = _unwrapped(series)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return series.cat.remove_unused_categories()
    if types.is_bool_dtype(dtype) or (types.is_numeric_dtype(dtype) and dtype.kind != "c"):
        return series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    if types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        return _text(series)
    raise InputError("SL-211", f"is of type {dtype}", "Make it numbers, flags or categories (of dates, a difference).")


_AS_NUMBERS = 'Make it numbers with pd.to_numeric; if it holds codes, say so with astype("category").'


def _unwrapped(series: pd.Series) -> pd.Series:
    if isinstance(series.dtype, pd.SparseDtype):
        return series.sparse.to_dense()
    if isinstance(series.dtype, pd.ArrowDtype) and str(series.dtype).startswith("dictionary"):
        return series.astype("category")
    return series


def _text(series: pd.Series) -> pd.Series:
    """A column of text as categories; numbers in disguise and mixtures are refused."""
    if series.dtype == object:
        kind = types.infer_dtype(series, skipna=True)
        if kind in ("integer", "floating", "mixed-integer-float", "decimal", "boolean"):
            _refuse_missing(series)
            raise InputError("SL-209", f"is of type object and holds {kind} values", "X = X.infer_objects() mends it.")
        if kind not in ("string", "empty"):
            _refuse_mixture(series)
    cells = series.astype("category")
    number = pd.to_numeric(pd.Series(cells.cat.categories, dtype=object), errors="coerce").notna().to_numpy()
    if 2 * number.sum() > len(number):
        text = np.append(~number, False)[cells.cat.codes]
        cause = f", for it is no number in {rows(text)}" if text.any() else ""
        raise InputError("SL-209", f"holds numbers, but was read as text{cause}", _AS_NUMBERS)
    return cells


def _refuse_mixture(series: pd.Series) -> None:
    kinds = series.map(type).where(series.notna())
    first = kinds.dropna().iloc[0]
    odd = (kinds.notna() & (kinds != first)).to_numpy()
    if not odd.any():
        raise InputError("SL-211", f"holds {first.__name__} objects", "Make it numbers, flags or categories.")
    found = f"mixes {first.__name__} with {kinds[odd].iloc[0].__name__} in {rows(odd)}"
    raise InputError("SL-210", found, "Make all cells numbers, or all text.")


def _refuse_missing(series: pd.Series) -> None:
    missing = series.isna().to_numpy()
    if missing.all() and len(missing):
        raise InputError("SL-206", "is missing in all rows", "Leave this column out.")
    if missing.any():
        remedy = "Fill them in, drop these rows or, where being unknown says something, make it a level of its own."
        raise InputError("SL-205", f"is missing in {rows(missing)}", remedy)


def _refuse_cells(cells: np.ndarray, limit: float) -> None:
    if not (good := np.abs(cells) <= limit).all():  # False for NaN
        _refuse_missing(pd.Series(cells))
        raise InputError("SL-207", f"is infinite or beyond {limit:g} in {rows(~good)}", "Mend or drop these rows.")


def fit_variable(
    name: str,
    series: pd.Series,
    weight: np.ndarray | None,
    probe: np.ndarray,
    *,
    standardize: bool,
    coding: str,
    force: bool,
) -> tuple[Variable, np.ndarray] | None:
    """The encoder, and what its columns (each standardized) are against `probe` (n, 2); None for a constant."""
    cells = read(series)
    if isinstance(cells, pd.Series):
        return _fit_levels(name, cells, weight, probe, onehot=coding == "onehot")
    _refuse_cells(cells, limit=HUGE)
    low, high = cells.min(), cells.max()
    width = high - low
    if width <= 1e-12 * max(abs(low), abs(high)):  # constant but for rounding
        return None
    two_valued = bool(((cells == low) | (cells == high)).all())
    if not (two_valued or force):
        _refuse_far_off(cells)
    unit = (cells - low) / width  # within [0, 1] whatever the unit: neither overflow nor underflow
    mean = np.average(unit, weights=weight)
    sd = np.sqrt(np.average((unit - mean) ** 2, weights=weight))
    if two_valued:
        center, scale = (high if mean > 0.5 else low), width
        reference = series.iloc[int(np.argmax(cells == center))]
    else:
        center = reference = low + width * mean
        scale = width * sd
    usual = Usual.of(cells, weight, two_valued)
    variable = Variable(name, (name,), reference, center, scale if standardize else 1.0, usual=usual)
    return variable, ((unit - mean) @ probe / sd)[None]


def _fit_levels(
    name: str, cells: pd.Series, weight: np.ndarray | None, probe: np.ndarray, onehot: bool
) -> tuple[Variable, np.ndarray] | None:
    _refuse_missing(cells)
    levels, codes = cells.cat.categories, cells.cat.codes.to_numpy()
    if len(levels) > MANY_LEVELS:
        remedy = "Merge the rare ones, as in X[c].where(X[c].isin(X[c].value_counts().index[:50]), 'other')."
        raise InputError("SL-212", f"has {len(levels)} levels, more than {MANY_LEVELS}", remedy)
    if len(levels) < 2:
        return None
    share = np.bincount(codes, weights=weight)
    share = share / share.sum()
    kept = np.ones(len(levels), bool)
    kept[np.argmax(share)] = onehot
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    columns = tuple(f"{name}[{level}]" for level in levels[kept])
    reference = None if onehot else levels[np.argmax(share)]
    sums = np.stack([np.bincount(codes, weights=draw) for draw in probe.T], axis=1)  # (levels, 2)
    against = (sums - share[:, None] * probe.sum(axis=0)) / np.sqrt(share * (1 - share))[:, None]
    return Variable(name, columns, reference, levels=levels, place=place), against[kept]


def _refuse_far_off(cells: np.ndarray) -> None:
    """Refuse values a million spreads away; skewed and zero-inflated columns have none."""
    sample = cells[:: 1 + len(cells) // 4096]
    middle = _median(sample)
    if max(cells.max() - middle, middle - cells.min()) < MILLION / 10 * _spread(np.abs(sample - middle)):
        return  # true of nearly all columns, and quickly seen
    distance = np.abs(cells - _median(cells))
    near = MILLION * _spread(distance)
    far = distance > MILLION * near * np.sqrt(np.mean((distance[distance <= near] / near) ** 2))
    if far.any():
        found = f"is more than a million times its usual spread away from the rest in {rows(far)}"
        raise InputError("SL-208", found, "Mend these cells; force=True takes them as they are.")


def _spread(distance: np.ndarray) -> float:
    """The median distance, or that of the cells away from the middle where most are on it."""
    return _median(distance) or _median(distance[distance > 0])


def _median(values: np.ndarray) -> float:
    return np.sort(values)[(len(values) - 1) // 2] if len(values) else 0.0
