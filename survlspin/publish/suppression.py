"""Which counts of linked tables may be shown, so that no small one can be had from the others.

Whoever reads the tables knows what adds up to what, that counts are whole and not negative, and that a cell that is
printed as hidden is not 0. A hidden count is safe when all that leaves open whether it is as large as `least`: then
neither it, nor any sum of cells that it is part of, is known to be small. A count that is printed nowhere is also safe
when it may be 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, eye_array, hstack

from survlspin.errors import InputError

__all__ = ["CountTable", "audit", "suppress"]

Cell = Hashable
WHOLE = 500  # cells that are solved together, up to which they are taken to be whole numbers
NEAR = 1e-6


@dataclass(frozen=True, eq=False)
class CountTable:
    """Counts of patients, and what they add up to.

    Attributes
    ----------
    counts : dict
        Cell -> its count, or None where it is hidden. Anything that can be hashed names a cell; one that is in several
        tables is one number.
    sums : sequence of (cell, sequence of cells)
        Each a total and its parts.
    silent : set of cells
        Those that are not printed at all, but must not be had from the others, either.
    pooled : set of cells
        Those that are not named where they are hidden, but counted with others: nobody then knows that there are such
        patients.
    """

    counts: Mapping[Cell, int | None]
    sums: Sequence[tuple[Cell, Sequence[Cell]]] = ()
    silent: frozenset[Cell] = frozenset()
    pooled: frozenset[Cell] = frozenset()


def suppress(tables: Sequence[CountTable], least: int) -> list[CountTable]:
    """Hide counts of linked tables so that `audit` finds nothing.

    Every count from 1 to ``least - 1`` is hidden, then others that are needed, rather those of later tables, and of one
    table small ones; zeros are never hidden.

    Parameters
    ----------
    tables : sequence of CountTable
        With all counts.
    least : int
        The smallest count that may be known.

    Returns
    -------
    list of CountTable
        Counts that are hidden, and those of silent cells, are None.

    Raises
    ------
    InputError
        SL-675 where the counts do not add up.

    References
    ----------
    Hundepool et al. (2012), Statistical Disclosure Control, chapter 4. Wiley. Kelly, Golden and Assad (1992), Cell
    suppression: disclosure protection for sensitive tabular data. Networks 22, 397-417.

    Examples
    --------
    >>> table = CountTable({"all": 100, "a": 3, "b": 40, "c": 57}, [("all", ["a", "b", "c"])])
    >>> suppress([table], 5)[0].counts
    {'all': 100, 'a': None, 'b': None, 'c': 57}
    """
    web = _Web(tables)
    small = dict.fromkeys(cell for cell, n in web.counts.items() if 0 < n < least)
    hidden = small.keys() | web.silent
    chosen = [*_by_sums(web, hidden, least), *_by_solving(web, small, hidden, least, whole=False)]
    for cell in sorted(chosen, key=web.cost, reverse=True):  # what turned out not to be needed is shown
        hidden.remove(cell)
        near = web.linked([cell], hidden)
        told = any(web.told_by(i, hidden, least) for i in web.sums_of[cell])
        if told or any(told for _, told in web.sifted([c for c in small if c in near], hidden, least, whole=False)):
            hidden.add(cell)
    _by_solving(web, small, hidden, least, whole=True)
    return [replace(t, counts={cell: None if cell in hidden else n for cell, n in t.counts.items()}) for t in tables]


def _by_sums(web: _Web, hidden: set[Cell], least: int) -> list[Cell]:
    """Add to `hidden` until no sum by itself tells of a cell that it is small; return what was added."""
    chosen: list[Cell] = []
    sums = list(range(len(web.sums)))
    while sums:
        i = sums.pop()
        while web.told_by(i, hidden, least):
            chosen.append(web.next_to_hide(i, hidden))
            hidden.add(chosen[-1])
            sums += web.sums_of[chosen[-1]]
    return chosen


def _by_solving(web: _Web, small: Iterable[Cell], hidden: set[Cell], least: int, whole: bool) -> list[Cell]:
    """Add to `hidden` until all sums together tell of no small cell that it is small; return what was added."""
    chosen: list[Cell] = []
    unsure = dict.fromkeys(small)
    while unsure:  # a cell that is safe stays so when others are hidden
        for cell, told in web.sifted(list(unsure), hidden, least, whole):
            if told:
                chosen += web.cheapest(cell, hidden, least)
                hidden.update(chosen)
            del unsure[cell]
            if told:
                break
    return chosen


def audit(tables: Sequence[CountTable], least: int) -> dict[Cell, tuple[int, int]]:
    """Return the hidden cells that can be had: known to be from 1 to ``least - 1``, or, if named, known exactly.

    Cells that are linked to each other are solved as whole numbers up to 500 of them, and beyond as any numbers, which
    leaves more open.

    Parameters
    ----------
    tables : sequence of CountTable
        As they are to be shown.
    least : int

    Returns
    -------
    dict
        Cell -> the smallest and the largest count that it can have. Empty where all is well.

    Raises
    ------
    InputError
        SL-675 where the counts do not add up.

    Examples
    --------
    >>> audit([CountTable({"all": 100, "a": None, "b": 97}, [("all", ["a", "b"])])], 5)
    {'a': (3, 3)}
    """
    web = _Web(tables)
    hidden = {cell for cell, n in web.counts.items() if n is None} | web.silent
    small = {cell for cell, told in web.sifted(hidden, hidden, least, whole=True) if told}
    found = small | set(web.solved(hidden))
    return {cell: web.limits(cell, hidden) for cell in web.counts if cell in found}


class _Web:
    """All cells of some tables, and the sums that link them."""

    def __init__(self, tables: Iterable[CountTable]):
        self.counts: dict[Cell, int | None] = {}
        self.silent: set[Cell] = set()
        self.unnamed: set[Cell] = set()  # those that may be 0 although they are hidden
        self.table: dict[Cell, int] = {}  # the first that has the cell
        self.sums: list[tuple[Cell, ...]] = []  # total, parts
        self.sums_of: dict[Cell, list[int]] = defaultdict(list)
        for i, table in enumerate(tables):
            self.counts |= table.counts
            self.table = dict.fromkeys(table.counts, i) | self.table
            self.silent |= table.silent
            self.unnamed |= table.silent | table.pooled
            self.sums += [(total, *parts) for total, parts in table.sums]
        self.last, self.most = max(self.table.values(), default=0), max(filter(None, self.counts.values()), default=1)
        for i, cells in enumerate(self.sums):
            for cell in cells:
                self.sums_of[cell].append(i)

    def linked(self, cells: Iterable[Cell], hidden: set[Cell]) -> set[Cell]:
        """Return the hidden cells that share a sum with one of `cells`, or with a hidden cell that does, and so on."""
        found, done, next_up = set(cells) & hidden, set(), list(cells)
        while next_up:
            for i in self.sums_of[next_up.pop()]:
                if i not in done:
                    done.add(i)
                    new = {cell for cell in self.sums[i] if cell in hidden} - found
                    found |= new
                    next_up += new
        return found

    def pieces(self, cells: Iterable[Cell], hidden: set[Cell]) -> Iterator[tuple[list[Cell], _Piece]]:
        """Yield the `cells`, hidden ones, of each web of linked hidden cells, and that web."""
        left = set(cells)
        for cell in self.counts:
            if cell in left:
                web = self.linked([cell], hidden)
                yield [each for each in self.counts if each in left and each in web], _Piece(self, web)
                left -= web

    def sifted(self, cells: Iterable[Cell], hidden: set[Cell], least: int, whole: bool) -> Iterator[tuple[Cell, bool]]:
        """Yield the hidden `cells`, each with whether it is known to be from 1 to ``least - 1``, as `whole` numbers."""
        for some, piece in self.pieces(cells, hidden):
            piece.whole = piece.whole and whole
            yield from piece.sifted(some, least)

    def solved(self, hidden: set[Cell]) -> Iterator[Cell]:
        """Yield the cells printed as hidden of which the equations alone tell what they are."""
        for some, piece in self.pieces(hidden - self.unnamed, hidden):
            yield from piece.solved(some)

    def limits(self, cell: Cell, hidden: set[Cell]) -> tuple[int, int]:
        """Return the smallest and the largest count that a hidden cell can have."""
        [(_, piece)] = self.pieces([cell], hidden)
        return piece.limits(cell)

    def told_by(self, i: int, hidden: set[Cell], least: int) -> bool:
        """Return whether one sum alone tells of a cell that it is from 1 to ``least - 1``."""
        total, *parts = self.sums[i]
        unknown = [cell for cell in parts if cell in hidden]
        if total in hidden or not unknown:
            return False
        rest = sum(self.counts[cell] for cell in unknown) - sum(cell not in self.unnamed for cell in unknown)
        if len(unknown) == 1:
            return 0 < self.counts[unknown[0]] < least
        return any(
            self.counts[cell] > 0 and rest + (cell not in self.unnamed) < least
            for cell in unknown
            if cell not in self.silent
        )

    def next_to_hide(self, i: int, hidden: set[Cell]) -> Cell:
        """Return the count that costs least among those shown in a sum, of equal ones a part."""
        return min((cell for cell in self.sums[i][::-1] if cell not in hidden and self.counts[cell]), key=self.cost)

    def cheapest(self, cell: Cell, hidden: set[Cell], least: int) -> list[Cell]:
        """Return the counts that cost least among those which, hidden, make a hidden cell safe."""
        piece = _Piece(self, {each for each, n in self.counts.items() if n or each in hidden})
        piece.whole = True
        cost = {each: self.cost(each) for each in piece.place if each not in hidden}
        return piece.cheapest(cell, least, cost, [self.counts[each] for each in cost])

    def cost(self, cell: Cell) -> float:
        """Return what is lost where a count is hidden: for each later table a quarter; of one table up to twice."""
        return 4 ** (self.last - self.table[cell]) * (1 + self.counts[cell] / self.most)


class _Piece:
    """Hidden cells that are linked: what is known of them is ``matrix @ x = constant`` and ``x >= low``."""

    def __init__(self, web: _Web, cells: set[Cell]):
        self.place = {cell: j for j, cell in enumerate(each for each in web.counts if each in cells)}
        sums = sorted({i for cell in cells for i in web.sums_of[cell]})
        entries, self.constant = [], np.zeros(len(sums))
        for row, i in enumerate(sums):
            for k, cell in enumerate(web.sums[i]):
                sign = -1 if k else 1
                if cell in cells:
                    entries.append((row, self.place[cell], sign))
                else:
                    self.constant[row] -= sign * web.counts[cell]
        rows, columns, signs = np.array(entries, dtype=int).reshape(-1, 3).T
        self.matrix = coo_array((signs.astype(float), (rows, columns)), (len(sums), len(cells)))
        self.low = np.array([cell not in web.unnamed for cell in self.place], dtype=float)
        self.silent = np.array([cell in web.silent for cell in self.place])
        self.whole = len(self.place) <= WHOLE

    def sifted(self, cells: list[Cell], least: int) -> Iterator[tuple[Cell, bool]]:
        """Yield `cells`, each with whether it is known to be from 1 to ``least - 1``."""
        names, left = list(self.place), np.array([self.place[cell] for cell in cells])
        for solution in (self._fewest, self._most):  # one solution clears many
            while len(left) and (safe := self._clears(solution(left, least), left, least)).any():
                yield from ((names[j], False) for j in left[safe])
                left = left[~safe]
        while len(left):
            both = [self._clears(solution(left[:1], least), left, least) for solution in (self._fewest, self._most)]
            safe = both[0] | both[1]
            yield from ((names[j], False) for j in left[safe])
            if not safe[0]:
                yield names[left[0]], True
                safe[0] = True
            left = left[~safe]

    def _clears(self, x: np.ndarray, at: np.ndarray, least: int) -> np.ndarray:
        """Return which of the cells `at` are safe because they may be as they are in a solution."""
        return (x[at] > least - NEAR) | (self.silent[at] & (x[at] < NEAR))

    def solved(self, cells: list[Cell]) -> list[Cell]:
        """Return those of `cells` that have the same count in every solution of the equations."""
        free = null_space(self.matrix.toarray()) if self.matrix.shape[0] else np.eye(len(self.place))
        return [cell for cell in cells if np.abs(free[self.place[cell]]).max(initial=0.0) < NEAR]

    def limits(self, cell: Cell) -> tuple[int, int]:
        """Return the smallest and the largest count that a cell can have."""
        j, most = self.place[cell], np.abs(self.constant).sum() + 1  # one more than any count that is bounded
        low, high = (self._solve(sign * np.eye(len(self.place))[j], most)[j] for sign in (1, -1))
        return round(low), round(high)

    def _fewest(self, at: np.ndarray, least: int) -> np.ndarray:
        """Return counts that the cells can have, with as few as can be in the silent cells `at`."""
        aim = np.zeros(len(self.place))
        aim[at[self.silent[at]]] = 1
        return self._solve(aim, np.inf)

    def _most(self, at: np.ndarray, least: int) -> np.ndarray:
        """Return counts that the cells can have, with as many as can be in those `at`, but up to `least` in each."""
        m, k = len(self.place), len(at)
        link = LinearConstraint(self._beside(at, -1), 0, np.inf)  # what counts is at most the cell
        return self._solve(np.repeat([0.0, -1.0], [m, k]), np.repeat([np.inf, least], [m, k]), link)[:m]

    def cheapest(self, cell: Cell, least: int, cost: Mapping[Cell, float], counts: Sequence[int]) -> list[Cell]:
        """Return which cells move from their `counts`, by least cost times distance, where a cell is safe."""
        m, at = len(self.place), np.array([self.place[each] for each in cost])
        far = [LinearConstraint(self._beside(at, -1), -np.inf, counts)]  # at least this far above, or below
        far += [LinearConstraint(self._beside(at, 1), counts, np.inf)]
        aim, own = np.append(np.zeros(m), [*cost.values()]), np.eye(1, m + len(at), self.place[cell])
        safe = [(least, np.inf)] + [(0, 0)] * bool(self.silent[self.place[cell]])
        found = [self._solution(aim, np.inf, *far, LinearConstraint(own, *limits)) for limits in safe]
        nearest = min((x for x in found if x is not None), key=lambda x: aim @ x)  # more patients are always possible
        moved = np.abs(nearest[at] - counts) > NEAR
        return [each for each, is_so in zip(cost, moved, strict=True) if is_so]

    def _beside(self, at: np.ndarray, sign: int) -> coo_array:
        """Return a matrix that adds to each of the cells `at` a further variable, or takes it away."""
        k = len(at)
        return hstack([coo_array((np.ones(k), (np.arange(k), at)), (k, len(self.place))), sign * eye_array(k)])

    def _solve(self, aim: np.ndarray, most: np.ndarray | float, *further: LinearConstraint) -> np.ndarray:
        """Return the solution with the smallest ``aim @ x`` (SL-675 where there is none)."""
        found = self._solution(aim, most, *further)
        if found is None:
            raise InputError("SL-675", "counts do not add up.", "Give totals that are the sums of their parts.")
        return found

    def _solution(self, aim: np.ndarray, most: np.ndarray | float, *further: LinearConstraint) -> np.ndarray | None:
        """Return the solution with the smallest ``aim @ x``, or None; there may be more variables than cells."""
        more = len(aim) - len(self.low)
        known = hstack([self.matrix, coo_array((len(self.constant), more))]) if more else self.matrix
        equations = [LinearConstraint(known, self.constant, self.constant)] if len(self.constant) else []
        found = milp(
            aim,
            bounds=Bounds(np.append(self.low, np.zeros(more)), most),
            constraints=[*equations, *further],
            integrality=np.repeat([int(self.whole), 0], [len(self.low), more]),
        )
        return found.x
