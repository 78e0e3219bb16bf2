import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from survlspin.cohort.flow import Count, Flow
from survlspin.errors import InputError

PARTS = ("rows", "patients", "events")
QUICK = settings(max_examples=150, deadline=None, derandomize=True)


def example() -> Flow:
    """100 rows of 90 patients: the first 10 patients have two rows."""
    patients = np.r_[np.arange(90), np.arange(10)]
    row = np.arange(100)
    rules = [("adult", "25 years or older", row >= 10), ("stage", "Stage known", (row % 2 == 0) | (row > 40))]
    return Flow.count(rules, patients, row % 3 == 0)


def test_rows_patients_and_events_are_counted_in_order_and_by_themselves():
    adult, stage = (flow := example()).steps
    assert flow.start == adult.before == Count(100, 90, 34)
    assert adult.excluded == Count(10, 0, 4)  # each has another row
    assert adult.fails == Count(10, 10, 4)
    assert stage.before == adult.after == Count(90, 90, 30)
    assert stage.excluded == Count(15, 15, 5)
    assert stage.fails == Count(20, 20, 7)
    assert flow.end == stage.after == Count(75, 75, 25)


def test_without_patients_rows_are_patients():
    event = np.array([True, False, True])
    flow = Flow.count([("a", "A", np.array([True, True, False]))], None, event)
    assert flow.end == Count(2, 2, 1)
    assert Flow.count([], None, event).end == Count(3, 3, 2)
    assert Flow.count([("a", "A", ~event)], np.array([7, 7, 7]), event).end == Count(1, 1, 0)


@QUICK
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(0, 4))
def test_counts_add_up_and_failing_depends_on_no_order(seed, n, m):
    rng = np.random.default_rng(seed)
    rules = [(f"r{i}", f"Rule {i}", rng.random(n) < 0.8) for i in range(m)]
    patients, event = rng.integers(0, 40, n), rng.random(n) < 0.4
    flow = Flow.count(rules, patients, event)
    back = Flow.count(rules[::-1], patients, event)
    assert (flow.start, flow.end) == (back.start, back.end)
    assert {step.id: step.fails for step in flow.steps} == {step.id: step.fails for step in back.steps}
    for step in flow.steps:
        assert step.before - step.excluded == step.after
        assert step.excluded.rows <= step.fails.rows
    kept = np.logical_and.reduce([np.ones(n, bool), *(keep for _, _, keep in rules)])
    assert flow.end == Count(int(kept.sum()), len(set(patients[kept])), int(event[kept].sum()))
    assert sum(step.excluded.rows for step in flow.steps) == n - flow.end.rows


def test_the_frame_json_and_csv_hold_the_same_numbers(tmp_path):
    flow = example()
    frame = flow.frame
    assert frame["rule"].tolist() == ["adult", "stage"]
    assert frame.loc[1, ["before_rows", "excluded_patients", "after_events", "fails_rows"]].tolist() == [90, 15, 25, 20]
    assert Flow.of(json.loads(flow.to_json())) == flow
    flow.to_json(tmp_path / "flow.json")
    assert (tmp_path / "flow.json").read_text() == flow.to_json()
    flow.to_csv(tmp_path / "flow.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "flow.csv"), frame, check_dtype=False)
    flow.to_csv(tmp_path / "flow.csv", min_cell=11)
    assert len(pd.read_csv(tmp_path / "flow.csv")) == 1
    masked = flow.masked(11)
    assert Flow.of(json.loads(flow.to_json(min_cell=11))) == masked
    assert masked.masked(5) == masked
    assert flow.masked(1).steps == flow.steps


def test_what_cannot_be_counted_is_refused():
    event = np.zeros(3, bool)
    for rules, patients, flags in (
        ([("a", "A", np.ones(3))], None, event),
        ([("a", "A", np.ones(2, bool))], None, event),
        ([], np.arange(2), event),
        ([], None, np.zeros(3)),
    ):
        with pytest.raises(InputError, match="SL-353"):
            Flow.count(rules, patients, flags)
    for least in (0, 1.5, True, "5"):
        with pytest.raises(InputError, match="SL-354"):
            example().masked(least)
    with pytest.raises(InputError, match="SL-354"):
        example().masked(5).masked(11)


# ---- masking ----


def flow_of(excluded: list[tuple[int, int]], left: tuple[int, int]) -> Flow:
    """The flow of rules that exclude (rows, of them events) after each other and leave `left`; a patient per row."""
    sizes = np.array([*excluded, left])
    group = np.repeat(np.arange(len(sizes)), sizes[:, 0])
    event = np.concatenate([np.arange(n) < d for n, d in sizes])
    return Flow.count([(f"r{i}", f"Rule {i}", group != i) for i in range(len(excluded))], None, event)


def test_neighbouring_rules_are_pooled_until_nothing_is_small():
    masked = flow_of([(50, 20), (3, 1), (40, 10), (30, 12), (10, 10)], (100, 40)).masked(5)
    assert [step.id for step in masked.steps] == ["r0", "r1+r2", "r3", "r4"]
    assert masked.steps[1].text == "Rule 1; Rule 2"
    assert masked.steps[1].excluded == Count(43, 43, 11)
    assert masked.steps[1].fails == Count(None, None, None)
    assert masked.steps[2].fails == Count(30, 30, 12)


def test_the_last_rules_are_pooled_backwards():
    masked = flow_of([(50, 20), (30, 12), (3, 0)], (100, 40)).masked(5)
    assert [step.id for step in masked.steps] == ["r0", "r1+r2"]
    assert (masked.start, masked.end) == (Count(183, 183, 72), Count(100, 100, 40))


def test_events_and_rows_without_one_count_like_rows():
    for small in ((20, 2), (20, 18)):
        masked = flow_of([(50, 20), small], (100, 40)).masked(5)
        assert [step.id for step in masked.steps] == ["r0+r1"]
    assert len(flow_of([(50, 20), (20, 0)], (100, 40)).masked(5).steps) == 2
    assert len(flow_of([(50, 20), (20, 5)], (100, 40)).masked(11).steps) == 1


def test_what_nothing_can_be_pooled_with_hides_the_number_read():
    masked = flow_of([(3, 0)], (100, 40)).masked(5)
    nothing = Count(None, None, None)
    assert (masked.start, masked.end) == (nothing, Count(100, 100, 40))
    assert masked.steps[0].excluded == masked.steps[0].fails == nothing


def test_a_small_last_box_hides_the_exclusions_before_it():
    masked = flow_of([(50, 20), (60, 10)], (30, 2)).masked(5)
    assert masked.end == masked.steps[-1].after == Count(30, 30, None)
    assert masked.steps[-1].excluded == Count(60, 60, None)
    assert masked.steps[-1].before == Count(90, 90, 12)
    assert flow_of([(50, 20)], (2, 1)).masked(5).end == Count(None, None, None)
    assert flow_of([], (3, 1)).masked(5).start == Count(None, None, None)


def test_failing_at_all_is_hidden_where_it_gives_other_rules_away():
    first, second = np.arange(200) >= 50, (np.arange(200) < 47) | (np.arange(200) > 80)
    masked = Flow.count([("a", "A", first), ("b", "B", second)], None, np.arange(200) % 2 == 0).masked(5)
    assert masked.steps[1].excluded.rows == 31
    assert masked.steps[1].fails == Count(None, None, None)  # 34: three of them fail the first rule, too


CELL = st.tuples(*2 * [st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 6, 9, 40])])
REGIONS = st.integers(1, 3).flatmap(lambda m: st.lists(CELL, min_size=2**m, max_size=2**m))


def venn(cells: list[tuple[int, int]]) -> tuple[Flow, np.ndarray, np.ndarray]:
    """A flow of m rules from the counts (no event, event) of each of the 2**m ways to pass or fail them."""
    m = len(cells).bit_length() - 1
    fails = (np.arange(2**m)[:, None] >> np.arange(m) & 1).astype(bool)  # (2**m, m)
    counts = np.array(cells).T.ravel()  # without the event, then with it
    at = np.repeat(np.arange(2 * len(cells)), counts)
    rules = [(f"r{i}", f"Rule {i}", ~fails[at % len(cells), i]) for i in range(m)]
    return Flow.count(rules, None, at >= len(cells)), fails, counts


def published(flow: Flow, masked: Flow, fails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each number shown as a sum of the cells of the Venn diagram: (numbers, cells) of 0 and 1, and (numbers,)."""
    place = {step.id: i for i, step in enumerate(flow.steps)}
    sums, values = [], []

    def add(count: Count, where: np.ndarray) -> None:
        for value, parts in ((count.rows, (where, where)), (count.events, (False * where, where))):
            if value is not None:
                sums.append(np.concatenate(parts))
                values.append(value)

    def left(i: int) -> np.ndarray:
        return ~fails[:, :i].any(axis=1)

    add(masked.start, left(0))
    add(masked.end, left(len(place)))
    for step in masked.steps:
        first, *_, last = [place[name] for name in step.id.split("+")] * 2
        for count, where in (
            (step.before, left(first)),
            (step.excluded, left(first) & ~left(last + 1)),
            (step.after, left(last + 1)),
        ):
            add(count, where)
        add(step.fails, fails[:, first])
    return np.array(sums, float).reshape(-1, 2 * len(fails)), np.array(values, float)


@QUICK
@given(REGIONS, st.integers(2, 7))
def test_no_group_of_rows_that_the_rules_define_can_be_solved_for(cells, least):
    flow, fails, counts = venn(cells)
    sums, values = published(flow, flow.masked(least), fails)
    assert sums @ counts == pytest.approx(values)
    n = len(fails)
    where = (np.arange(1, 2**n)[:, None] >> np.arange(n) & 1).astype(float)
    groups = np.concatenate([np.hstack(pair) for pair in ((where, where), (0 * where, where), (where, 0 * where))])
    open_ = np.ones(2 * n, bool)
    while True:  # what adds up to 0 is 0 everywhere
        base = np.linalg.svd(sums[:, open_], full_matrices=False)
        base = base[2][base[1] > 1e-9]
        inside = groups[:, open_]
        solved = np.abs(inside @ base.T @ base - inside).max(axis=1, initial=0) < 1e-9
        empty = solved & (inside @ counts[open_] == 0)
        shut = open_ & (groups[empty] > 0).any(axis=0)
        if not shut.any():
            break
        open_ &= ~shut
    found = (groups @ counts)[solved]
    assert not ((found > 0) & (found < least)).any()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(CELL, min_size=8, max_size=8), st.integers(3, 6))
def test_no_small_exclusion_is_pinned_by_its_bounds(cells, least):
    flow, fails, counts = venn(cells)
    sums, values = published(flow, flow.masked(least), fails)
    for i in range(3):
        here = ~fails[:, :i].any(axis=1) & fails[:, i]
        for group in (np.r_[here, here], np.r_[False * here, here], np.r_[here, False * here]):
            if 0 < (true := group @ counts) < least:
                low, high = (sign * linprog(sign * group, A_eq=sums, b_eq=values).fun for sign in (1, -1))
                assert low < true - 0.5 or high > true + 0.5


@QUICK
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 5), st.integers(2, 7))
def test_no_number_of_patients_along_the_flow_is_small(seed, n, m, least):
    rng = np.random.default_rng(seed)
    rules = [(f"r{i}", f"Rule {i}", rng.random(n) < rng.choice([0.5, 0.9, 0.99])) for i in range(m)]
    flow = Flow.count(rules, rng.integers(0, rng.integers(1, 2 * n), n), rng.random(n) < rng.random())
    masked = flow.masked(least)
    for box in (masked.start, *(step.after for step in masked.steps)):
        assert fine(box, least)
    for step in masked.steps:
        assert fine(step.excluded, least)
        for other in (masked.start - step.fails, step.fails, step.fails - step.excluded):
            assert fine(other, least)
    boxes = [masked.start, *(step.after for step in masked.steps)]
    for before, after in pairwise(boxes):
        assert fine(before - after, least)
        assert fine(before - boxes[-1], least)
    assert all(step.before - step.excluded == step.after or None in hidden(step) for step in masked.steps)


def hidden(step) -> set:
    return {getattr(count, part) for count in (step.before, step.excluded, step.after) for part in PARTS} & {None}


def fine(count: Count, least: int) -> bool:
    """Whether neither the numbers nor their differences are from 1 to least - 1."""
    numbers = [count.rows, count.patients, count.events]
    if count.rows is not None:
        numbers += [count.rows - other for other in (count.patients, count.events) if other is not None]
    return not any(number is not None and 0 < number < least for number in numbers)
