"""What is counted for a publication: patients by set of factors, by subgroup and over time, and how that adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from survlspin.publish.suppression import CountTable

__all__ = ["ALL", "Course", "Population", "counted_sets", "counted_subgroup", "counted_times", "kept_times"]

ALL = "all"
APART = 200  # sets that are told apart; rarer ones are counted together
JOINT = 50  # sets up to which those of a subgroup are counted, too


@dataclass(frozen=True, eq=False)
class Population:
    """Patients and the factors that are listed for each.

    Attributes
    ----------
    factors : tuple of str (G,)
    listed : bool array (n, G)
    """

    factors: tuple[str, ...]
    listed: np.ndarray

    def __len__(self) -> int:
        return len(self.listed)

    @cached_property
    def sets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sets that there are, most frequent first: factors (S, G), patients (S,); and each patient's set (n,)."""
        bits = np.packbits(self.listed, axis=1)
        code = pd.DataFrame(bits).groupby([*range(bits.shape[1])], sort=False).ngroup().to_numpy()
        n, bits = np.bincount(code), bits[np.unique(code, return_index=True)[1]]
        order = np.lexsort([*bits.T, -n])
        members = np.unpackbits(bits[order], axis=1, count=len(self.factors)).astype(bool)
        return members, n[order], np.argsort(order)[code]

    def name(self, s: int) -> str:
        """Return what a set is called: its sorted names."""
        names = sorted(name for name, member in zip(self.factors, self.sets[0][s], strict=True) if member)
        return " + ".join(names) or "(none)"


def counted_sets(people: Population) -> CountTable:
    """Return patients by set, by number of factors, and by factor.

    Cells: `ALL`, ``("set", s)``, ``("size", k)``, ``("factor", f)``, and the silent ``("without", f)``. Sets beyond the
    200 most frequent ones are silent, and known by what they add to the other cells.
    """
    members, n, _ = people.sets
    sizes, factors = members.sum(axis=1), range(len(people.factors))
    whom = {ALL: np.ones(len(n), dtype=bool)}
    whom |= {("size", k): sizes == k for k in range(len(factors) + 1)}
    whom |= {("factor", f): members[:, f] for f in factors} | {("without", f): ~members[:, f] for f in factors}
    apart, rare = [("set", s) for s in range(min(len(n), APART))], len(n) > APART
    counts: dict = dict(zip(apart, n.tolist(), strict=False))
    sums: list = []
    for cell, mask in whom.items():
        counts[cell] = int(n @ mask)
        sums.append((cell, [*(apart[s] for s in np.flatnonzero(mask[:APART])), *[("rest", cell)] * rare]))
    margins = [(ALL, [("size", k) for k in range(len(factors) + 1)])]
    margins += [(ALL, [("factor", f), ("without", f)]) for f in factors]
    silent = {("without", f) for f in factors}
    if rare:
        rest = {("rest", cell): int(n[APART:] @ mask[APART:]) for cell, mask in whom.items()}
        rest["listings"] = int(n[APART:] @ sizes[APART:])  # of a size k there are k for each patient
        sums += [(("rest", total), [("rest", part) for part in parts]) for total, parts in margins]
        sums.append(("listings", [("rest", ("factor", f)) for f in factors]))
        sums.append(("listings", [("rest", ("size", k)) for k in range(len(factors) + 1) for _ in range(k)]))
        counts, silent = counts | rest, silent | rest.keys()
    return CountTable(counts, sums + margins, frozenset(silent), frozenset(apart))


def counted_subgroup(people: Population, name: str, level: np.ndarray, n_levels: int) -> CountTable:
    """Return patients by the levels (n,) of a column, counted from 0, and by factor within each.

    Cells: ``("level", name, g)``, ``("factor", f, name, g)``, and silent ``("without", f, name, g)`` and, of up to 50
    sets, ``("set", s, name, g)``.
    """
    members, n, code = people.sets
    by_set = np.bincount(code * n_levels + level, minlength=len(n) * n_levels).reshape(len(n), n_levels)
    levels, joint = range(n_levels), range(len(n) if len(n) <= JOINT else 0)
    rows = {("factor", f): mask for f, mask in enumerate(members.T)} | {
        ("without", f): ~mask for f, mask in enumerate(members.T)
    }
    counts = {("level", name, g): int(by_set[:, g].sum()) for g in levels}
    for cell, mask in rows.items():
        counts |= {(*cell, name, g): int(n) for g, n in enumerate(mask.astype(np.float64) @ by_set)}
    counts |= {("set", s, name, g): int(by_set[s, g]) for s in joint for g in levels}
    totals = [*rows, *(("set", s) for s in joint)]
    sums = [(cell, [(*cell, name, g) for g in levels]) for cell in totals]
    sums.append((ALL, [("level", name, g) for g in levels]))
    for g in levels:
        whole = ("level", name, g)
        sums += [(whole, [("factor", f, name, g), ("without", f, name, g)]) for f in range(len(people.factors))]
        if joint:
            sums.append((whole, [("set", s, name, g) for s in joint]))
            for cell, mask in rows.items():
                sums.append(((*cell, name, g), [("set", s, name, g) for s in np.flatnonzero(mask)]))
    return CountTable(counts, sums, frozenset(cell for cell in counts if cell[0] in ("without", "set")))


@dataclass(frozen=True, eq=False)
class Course:
    """What becomes of some patients, between the times that are shown of them.

    Attributes
    ----------
    whom : cell
        `ALL`, or ``("set", s)``.
    times : int array (J + 1,)
        Positions in the grid of times, from 0.
    events, there : int array (J + 1,)
        Events since the time before, and patients who are still under observation after each.
    """

    whom: object
    times: np.ndarray
    events: np.ndarray
    there: np.ndarray


def kept_times(events: np.ndarray, others: np.ndarray, least: int) -> np.ndarray:
    """Return the grid's times, positions from 0, between which neither events nor censorings are few, but maybe none.

    Parameters
    ----------
    events, others : int array (K,)
        Patients whose event, or whose end of observation without, is between a time and the next.
    least : int
        What is not few; as many are still there at every time that is kept.

    Examples
    --------
    >>> kept_times(np.array([3, 9, 0, 20, 4]), np.array([0, 11, 12, 2, 16]), 11).tolist()
    [0, 2, 3]
    """
    kept, start, there = [0], 0, int(events.sum() + others.sum())
    for k in range(1, len(events) + 1):
        gone = [int(part[start:k].sum()) for part in (events, others)]
        if all(n == 0 or n >= least for n in gone) and there - sum(gone) >= least:
            kept.append(k)
            start, there = k, there - sum(gone)
    return np.array(kept)


def counted_times(
    people: Population, chosen: Sequence[int], interval: np.ndarray, event: np.ndarray, least: int
) -> tuple[list[CountTable], list[Course]]:
    """Return who leaves when, of all patients and of each of some sets, and their courses.

    Cells: ``("events", whom, j)`` and ``("there", whom, j)`` of the j-th time that is kept, where `whom` is `ALL` or
    ``("set", s)``; silent are those who leave without an event, and what happens between two times of the grid.

    Parameters
    ----------
    people : Population
    chosen : sequence of int
        The sets.
    interval : int array (n,)
        In which interval of the grid each patient is last seen, from 0.
    event : bool array (n,)
        Whether that is because of the event.
    least : int
    """
    code, last = people.sets[2], int(interval.max()) + 1
    groups = {ALL: np.ones(len(people), dtype=bool)} | {("set", s): code == s for s in chosen}
    groups["others"] = ~np.isin(code, chosen)
    counts, sums, courses = {}, [], []
    for whom, rows in groups.items():
        pair = [np.bincount(interval[rows & (event == happened)], minlength=last) for happened in (True, False)]
        for kind, n in zip(("events", "ends"), pair, strict=True):
            counts |= {("step", kind, whom, k): int(n[k]) for k in range(last)}
        steps = [("step", kind, whom, k) for kind in ("events", "ends") for k in range(last)]
        counts[_size(whom)] = int(rows.sum())
        sums.append((_size(whom), steps))
        if whom != "others":
            kept = kept_times(*pair, least)
            courses.append(_course(whom, kept, *pair))
            _add_course(courses[-1], counts, sums)
    for kind in ("events", "ends"):
        parts = [whom for whom in groups if whom != ALL]
        sums += [(("step", kind, ALL, k), [("step", kind, whom, k) for whom in parts]) for k in range(last)]
    silent = {cell for cell in counts if cell[0] in ("step", "ends")} | {_size("others")}
    of_all = {cell: n for cell, n in counts.items() if cell != ALL and cell[1] == ALL}  # these give way last
    pooled = frozenset({("set", s) for s in chosen})
    return [CountTable(of_all), CountTable(counts, sums, frozenset(silent), pooled)], courses


def _size(whom) -> object:
    """Return the cell of how many they are."""
    return ("set", "others") if whom == "others" else whom


def _course(whom, kept: np.ndarray, events: np.ndarray, ends: np.ndarray) -> Course:
    happened, gone = (np.append(0, np.cumsum(n))[kept] for n in (events, events + ends))
    return Course(whom, kept, np.diff(happened, prepend=0), int((events + ends).sum()) - gone)


def _add_course(course: Course, counts: dict, sums: list) -> None:
    """Add the cells of a course, and what they are the sums of."""
    whom, before = course.whom, _size(course.whom)
    for j in range(1, len(course.times)):
        cells = [(kind, whom, j) for kind in ("there", "events", "ends")]
        there, events = int(course.there[j]), int(course.events[j])
        counts |= dict(zip(cells, (there, events, int(course.there[j - 1]) - there - events), strict=True))
        between = range(course.times[j - 1], course.times[j])
        sums += [((kind, whom, j), [("step", kind, whom, k) for k in between]) for kind in ("events", "ends")]
        sums.append((before, cells))
        before = cells[0]
