"""Pairs of patients of whom one has an event, the *early* one, and the other, the *late* one, is known to live longer.

Every row is late once, and those with an event are also early. Rows are numbered by how many event times of their
stratum they outlived, so that

    early and late form a pair  <=>  early's number < late's number

holds with all of R's rules for tied times: a patient censored at an event time has outlived it, one who died at it has
not. With delayed entry a row is also late a second time, at its entry, with its weight negated: what it had outlived
before it was under observation is taken back.

Rows alike in stratum, risk and number are one *cell*. Pairs are counted in O(cells log times), from both sides at once,
since the standard error needs each patient's own pairs. Weights are whole numbers while they are summed (see `_whole`),
so that no difference of sums loses digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from survlspin.metrics.inputs import Rows
from survlspin.metrics.time_table import TimeTable, dense, ranked

__all__ = ["KINDS", "Pairs", "count_pairs"]

KINDS = ["concordant", "discordant", "tied.x", "tied.y", "tied.xy"]
FEW = 4  # cells for each row, up to which empty ones are kept


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs by kind, in R's words `KINDS`: of the strata, and of each patient.

    Attributes
    ----------
    counts : float64 (S, 5)
        The pair weights of each stratum.
    as_early, as_late : float64 (3, c)
        The weight of the partners that a row of each cell has as the early and as the late one, by the first three
        kinds.
    together : float64 (2, d)
        Of each of the d rows with an event, the weight of its partners of the last two kinds.
    cell : int64 (n,)
        Each row's cell.
    entered : int64 (n,) or None
        The cell that each row is late in at its entry.
    rows : Rows
    """

    counts: np.ndarray
    as_early: np.ndarray
    as_late: np.ndarray
    together: np.ndarray
    cell: np.ndarray
    entered: np.ndarray | None
    rows: Rows

    def of_rows(self, factor: np.ndarray) -> np.ndarray:
        """Return each row's weight times that of its partners, summed over the kinds with these factors (n,).

        Parameters
        ----------
        factor : array (5,)
        """
        early, late = factor[:3] @ self.as_early, factor[:3] @ self.as_late
        died = np.flatnonzero(self.rows.event)
        found = late[self.cell]
        found[died] += early[self.cell[died]] + factor[3:] @ self.together
        if self.entered is not None:
            found -= late[self.entered]
        return found if self.rows.weight is None else found * self.rows.weight

    def ratio(self, numerator: tuple, denominator: tuple) -> tuple[float, np.ndarray]:
        """Return a ratio of sums over kinds, and each row's influence on it (n,); nan without such pairs.

        Parameters
        ----------
        numerator, denominator : tuple of 5 floats
            What a pair of each kind adds.
        """
        sums, over, under = self.counts.sum(axis=0), np.array(numerator), np.array(denominator)
        total = float(sums @ under)
        if not total > 0:
            return float("nan"), np.full(self.rows.n, np.nan)
        value = float(sums @ over) / total
        return value, self.of_rows((over - value * under) / total)


def count_pairs(rows: Rows, risk: np.ndarray, table: TimeTable, time_weight: np.ndarray | None = None) -> Pairs:
    """Count all pairs.

    Parameters
    ----------
    rows : Rows
    risk : float64 (n,)
    table : TimeTable
        Of these rows.
    time_weight : float64 (H,), optional
        What a pair counts whose early patient dies at each time of the table; 1 without.

    Returns
    -------
    Pairs
    """
    number, at_entry, length = _numbers(rows, table)
    cells, cell = _cells(rows, risk, number, at_entry, length)
    cell, entered = cell[: rows.n], None if at_entry is None else cell[rows.n :]
    died = np.flatnonzero(rows.event)
    of_died = cell[died]

    weight, shift = _whole(rows.case_weight)
    late, dead = (_pooled(of, mass, len(cells.line)) for of, mass in ((cell, weight), (of_died, weight[died])))
    if entered is not None:
        late -= _pooled(entered, weight, len(late))
    early, early_shift, factor = dead, shift, np.ones(len(late))
    if time_weight is not None:
        factor[of_died] = time_weight[table.place[died]]
        early, early_shift = _whole(np.ldexp(dead * factor, -shift))
    as_early, as_late = _partners(cells, late, early)
    as_early, as_late = np.ldexp(as_early, -shift) * factor, np.ldexp(as_late, -early_shift)

    at_time = _pooled(cells.home, dead, cells.length.sum())
    together = np.array([at_time[cells.home[of_died]] - dead[of_died], dead[of_died] - weight[died]])
    together = np.ldexp(together, -shift) * factor[of_died]
    once, half = np.ldexp(dead, -shift) * as_early, np.ldexp(weight[died], -shift - 1) * together
    strata = [(cells.stratum, kind) for kind in once] + [(cells.stratum[of_died], kind) for kind in half]
    counts = np.array([np.bincount(stratum, kind, len(length)) for stratum, kind in strata]).T
    return Pairs(counts, as_early, as_late, together, cell, entered, rows)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Rows alike in stratum, risk and number, in this order, the highest risk first: (c,) each.

    `line` numbers stratum and risk, `home` stratum and number; `length` (S,) says how many numbers each stratum has;
    `whole` whether every number is there on every line, with patients or without.
    """

    stratum: np.ndarray
    line: np.ndarray
    number: np.ndarray
    home: np.ndarray
    length: np.ndarray
    whole: bool


def _numbers(rows: Rows, table: TimeTable) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Each row's number, that at its entry, and how many numbers each stratum has; strata are laid end to end."""
    dies = np.zeros(len(table.time), np.int64)
    dies[table.place[rows.event]] = 1
    passed = np.concatenate([[0], np.cumsum(dies)])
    number = (passed[1:] + table.stratum)[table.place] - rows.event
    at_entry = None if table.began is None else (passed[:-1] + table.stratum)[table.began]
    return number, at_entry, np.bincount(table.stratum[dies > 0], minlength=len(rows.strata)) + 1


def _cells(rows, risk, number, at_entry, length) -> tuple[_Cells, np.ndarray]:
    """The cells, and those of the rows, then of the rows at entry."""
    distinct, rank = ranked(-risk)
    first, top = np.cumsum(length) - length, int(length.max())
    line = rank * top if rows.stratum is None else (rows.stratum * len(distinct) + rank) * top - first[rows.stratum]
    cell = line + number if at_entry is None else np.concatenate([line + number, line + at_entry])
    size = len(length) * len(distinct) * top
    codes, cell = (np.arange(size), cell) if size <= FEW * rows.n else dense(cell)
    whole = len(codes) == size
    if whole:
        length = np.full_like(length, top)
    line, number = np.divmod(codes, top)
    stratum = line // max(1, len(distinct))
    home = number + (np.cumsum(length) - length)[stratum]
    return _Cells(stratum, line, number, home, length, whole), cell


def _whole(weight: np.ndarray) -> tuple[np.ndarray, int]:
    """Weights as whole multiples of a power of two, 61 bits for their sum: sums and differences of sums are exact."""
    shift = 61 - int(np.frexp(weight.sum())[1])
    return np.rint(np.ldexp(weight, shift)).astype(np.int64), shift


def _pooled(place: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    """The sum of the weights of each place (size,)."""
    total = np.zeros(size, np.int64)
    np.add.at(total, place, weight)
    return total


def _partners(cells: _Cells, late: np.ndarray, early: np.ndarray) -> np.ndarray:
    """The weight of each cell's partners, the late ones that it has as early and the early ones that it has as late, in
    concordant, discordant and tied pairs (2, 3, c)."""
    at_home = (_pooled(cells.home, weight, cells.length.sum()) for weight in (late, early))
    every = _facing(cells.length, *at_home)[:, cells.home]
    tied = _facing(_lengths(cells.line), late, early)
    if cells.whole:
        shape = (len(cells.length), -1, int(cells.length.max()))
        after, before = (kind.reshape(shape) for kind in tied)
        ordered = np.reshape([after[:, ::-1].cumsum(axis=1)[:, ::-1], before.cumsum(axis=1)], tied.shape)
    else:
        ordered = _ordered(np.bincount(cells.stratum, minlength=len(cells.length)), cells.number, late, early)
    return np.stack([ordered - tied, every - ordered, tied], axis=1)


def _lengths(segment: np.ndarray) -> np.ndarray:
    """How many items in a row are alike."""
    return np.diff(np.flatnonzero(np.diff(segment, prepend=-1)), append=len(segment))


def _facing(length: np.ndarray, late: np.ndarray, early: np.ndarray) -> np.ndarray:
    """For items in order, cut into segments of these lengths: the late weight after each item in its segment, and the
    early weight before it (2, m)."""
    end = np.cumsum(length)
    late_sum, early_sum = _sums(late), _sums(early)
    after = np.repeat(late_sum[end], length) - late_sum[1:]
    return np.stack([after, early_sum[:-1] - np.repeat(early_sum[end - length], length)])


def _ordered(length: np.ndarray, number: np.ndarray, late: np.ndarray, early: np.ndarray) -> np.ndarray:
    """For items in order of risk, strata apart: the late weight after each item with a greater number, and the early
    weight before it with a smaller one (2, c).

    Two different numbers first differ in one binary digit, where the lesser has 0 and the greater 1. So for each digit,
    highest first: items that agree in all higher digits are a segment, and there the early weight of those with 0 faces
    the late weight of those with 1. Every split keeps the order within segments.
    """
    items = np.stack([number, np.arange(len(number)), late, early, np.zeros_like(late), np.zeros_like(late)])
    for digit in reversed(range(int(number.max(initial=0)).bit_length())):
        one = items[0] >> digit & 1
        ones, zeros = np.flatnonzero(one), np.flatnonzero(one == 0)
        n_ones = np.diff(np.searchsorted(ones, np.cumsum(length)), prepend=0)
        n_zeros = length - n_ones
        late_sum, early_sum = _sums(items[2, ones]), _sums(items[3, zeros])
        after = np.repeat(late_sum[np.cumsum(n_ones)], n_zeros) - late_sum[zeros - np.arange(len(zeros))]
        before = early_sum[ones - np.arange(len(ones))] - np.repeat(early_sum[np.cumsum(n_zeros) - n_zeros], n_ones)
        items = np.take(items, np.concatenate([zeros, ones]), axis=1)
        items[4, : len(zeros)] += after
        items[5, len(zeros) :] += before
        length = np.concatenate([n_zeros, n_ones])
        length = length[length > 0]
    found = np.empty((2, len(number)), np.int64)
    found[:, items[1]] = items[4:]
    return found


def _sums(values: np.ndarray) -> np.ndarray:
    """The sums of the first 0, 1, ..., all values."""
    return np.concatenate([[0], np.cumsum(values)])
