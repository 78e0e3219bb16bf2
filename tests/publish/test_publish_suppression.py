import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from survlspin.errors import InputError
from survlspin.publish.counting import ALL, Population, counted_sets, counted_subgroup
from survlspin.publish.suppression import CountTable, audit, suppress


def crossed(cells: np.ndarray, name: str = "") -> CountTable:
    """A table of two variables with its margins."""
    rows, columns = (range(size) for size in cells.shape)
    counts = {(name, i, j): int(cells[i, j]) for i in rows for j in columns}
    counts |= {("row", i): int(cells[i].sum()) for i in rows} | {(name, j): int(cells[:, j].sum()) for j in columns}
    sums = [(("row", i), [(name, i, j) for j in columns]) for i in rows]
    sums += [((name, j), [(name, i, j) for i in rows]) for j in columns]
    sums += [("all", [("row", i) for i in rows]), ("all", [(name, j) for j in columns])]
    return CountTable(counts | {"all": int(cells.sum())}, sums)


def merged(tables) -> dict:
    return {cell: n for table in tables for cell, n in table.counts.items()}


def limits(shown: list[CountTable], cell) -> tuple[float, float]:
    """The least and the largest number that a hidden cell can be, with every equation at once; not whole."""
    counts = merged(shown)
    place = {name: i for i, name in enumerate(counts)}
    rows, right = [], []
    for total, parts in {(total, tuple(parts)) for table in shown for total, parts in table.sums}:
        row = np.zeros(len(place))
        row[place[total]] = 1
        row[[place[part] for part in parts]] = -1
        rows.append(row)
        right.append(0)
    known = [(n, n) if n is not None else (1, None) for n in counts.values()]
    found = [linprog(sign * np.eye(len(place))[place[cell]], None, None, rows, right, known) for sign in (1, -1)]
    return found[0].fun, -found[1].fun if found[1].status == 0 else np.inf


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.integers(2, 4), st.integers(3, 11), st.data())
def test_no_cell_of_linked_tables_can_be_solved(n, m, least, data):
    numbers = st.one_of(st.integers(0, 12), st.integers(0, 60))
    first = np.array(data.draw(st.lists(numbers, min_size=n * m, max_size=n * m))).reshape(n, m)
    split = np.array(data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    left = (first.sum(axis=1) * split).astype(int)
    second = np.column_stack([left, first.sum(axis=1) - left])  # the same rows by something else
    tables = [crossed(first, "a"), crossed(second, "b")]
    counts, shown = merged(tables), suppress(tables, least)
    for cell, n_shown in merged(shown).items():
        assert n_shown in (None, counts[cell])
        assert n_shown is None or n_shown == 0 or n_shown >= least
        if n_shown is None:
            low, high = limits(shown, cell)
            assert high > low + 0.5
            assert high > least - 0.5
    assert audit(shown, least) == {}


def test_the_smallest_second_cell_is_hidden():
    table = CountTable({"all": 100, "a": 3, "b": 40, "c": 57}, [("all", ["a", "b", "c"])])
    assert suppress([table], 5)[0].counts == {"all": 100, "a": None, "b": None, "c": 57}


def test_two_small_cells_that_add_up_to_a_small_count_need_a_third():
    table = CountTable({"all": 60, "a": 2, "b": 2, "c": 20, "d": 36}, [("all", ["a", "b", "c", "d"])])
    assert suppress([table], 5)[0].counts == {"all": 60, "a": None, "b": None, "c": None, "d": 36}


def test_where_there_is_nothing_small_all_is_shown():
    table = crossed(np.array([[11, 20], [0, 30]]))
    assert suppress([table], 11)[0].counts == table.counts


def test_later_tables_give_way_first():
    sums = [("all", ["a", "b"]), ("b", ["x", "y"]), ("b", ["u", "v"])]
    first = CountTable({"all": 90, "a": 50, "b": 40}, sums)
    second = CountTable({"x": 4, "y": 36, "u": 20, "v": 20})
    shown = merged(suppress([first, second], 5))
    assert (shown["all"], shown["a"], shown["b"], shown["u"]) == (90, 50, 40, 20)
    assert shown["x"] is shown["y"] is None


@pytest.mark.parametrize(("seed", "n"), [(11, 92), (37, 92), (59, 98)])
def test_the_total_is_shown_where_details_can_be_hidden_instead(seed, n):
    rng = np.random.default_rng(seed)
    people = Population(("a", "b"), rng.random((n, 2)) < rng.uniform(0.1, 0.9, 2))
    level = rng.choice(3, n, p=rng.dirichlet(np.ones(3)))
    shown = suppress([CountTable({ALL: n}), counted_sets(people), counted_subgroup(people, "g", level, 3)], 11)
    assert merged(shown)[ALL] == n
    assert audit(shown, 11) == {}


def test_what_is_printed_nowhere_is_protected_too():
    sums = [("all", ["with", "without"])]
    table = CountTable({"all": 100, "with": 98, "without": 2}, sums, frozenset({"without"}))
    assert suppress([table], 5)[0].counts == {"all": 100, "with": None, "without": None}
    may_be_none = CountTable({"all": 100, "a": 50, "b": 48, "c": 2}, [("all", ["a", "b", "c"])], frozenset("bc"))
    assert suppress([may_be_none], 5)[0].counts == {"all": 100, "a": 50, "b": None, "c": None}


def test_cells_that_are_not_named_when_hidden_may_be_none():
    counts, sums = {"all": 30, "a": 13, "b": 12, "c": 3, "d": 2}, [("all", ["a", "b", "c", "d"])]
    pooled = suppress([CountTable(counts, sums, pooled=frozenset("abcd"))], 11)[0].counts
    assert pooled == {"all": 30, "a": 13, "b": None, "c": None, "d": None}
    many = {"all": 16, **{f"s{i}": 1 for i in range(5)}, "t": 11}
    table = CountTable(many, [("all", [cell for cell in many if cell != "all"])], pooled=frozenset(many) - {"all"})
    assert audit(suppress([table], 11), 11) == {}


def test_audit_finds_what_subtraction_reveals():
    table = CountTable({"all": 100, "a": None, "b": 97}, [("all", ["a", "b"])])
    assert audit([table], 5) == {"a": (3, 3)}
    two = CountTable({"all": 100, "a": None, "b": None, "c": 97}, [("all", ["a", "b", "c"])])
    assert audit([two], 5) == {"a": (1, 2), "b": (1, 2)}
    large = CountTable({"all": 100, "a": None, "b": 57}, [("all", ["a", "b"])])
    assert audit([large], 5) == {"a": (43, 43)}


def test_audit_finds_what_two_tables_reveal_together():
    cells = np.array([[30, 2, 14], [20, 13, 40], [25, 40, 30]])
    shown = [crossed(cells)]
    counts = dict(shown[0].counts) | dict.fromkeys([("", 0, 1), ("", 0, 2), ("", 1, 1), ("", 1, 2)])
    shown = [CountTable(counts, shown[0].sums)]
    assert audit(shown, 3) == {}
    assert ("", 0, 1) in audit([*shown, CountTable({"pair": 42}, [("pair", [("", 0, 1), ("", 1, 2)])])], 3)


def test_counts_that_do_not_add_up_are_refused():
    with pytest.raises(InputError, match="SL-675"):
        audit([CountTable({"all": 10, "a": None, "b": 12}, [("all", ["a", "b"])])], 5)


@pytest.mark.parametrize("whole", [500, 0])
def test_many_cells_are_solved_as_any_numbers(whole, monkeypatch):
    monkeypatch.setattr("survlspin.publish.suppression.WHOLE", whole)
    cells = np.random.default_rng(0).negative_binomial(0.5, 0.01, (12, 6))
    shown = suppress([crossed(cells)], 11)
    assert audit(shown, 11) == {}
    assert sum(n is None for n in shown[0].counts.values()) < 30
