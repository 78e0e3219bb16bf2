"""Every accepted y gives the same Outcome; every mistake in y is refused under its own code."""

import json
import time as clock
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from survlspin.errors import InputError, InputTypeError, InputWarning
from survlspin.outcome import Outcome, check_enough_events, split_xy

TIME = [5.0, 8.0, 2.0, 3.0]
EVENT = [1, 0, 1, 0]


def structured(event_dtype=bool, **names):
    event, time = names.get("event", "event"), names.get("time", "time")
    y = np.empty(4, dtype=[(event, event_dtype), (time, float)])
    y[event], y[time] = EVENT, TIME
    return y


def frame(**changes):
    return pd.DataFrame({"age": [50, 61, 47, 70], "months": TIME, "died": EVENT} | changes)


ACCEPTED = {
    "ours": structured(),
    "ours, int codes": structured(int),
    "scikit-survival": structured(event="cens", time="days"),
    "scikit-survival, reversed": structured(event="cens", time="days")[["days", "cens"]],
    "reversed names": np.array(
        [(t, e == 1) for t, e in zip(TIME, EVENT, strict=True)], [("time", "f4"), ("event", "?")]
    ),
    "frame": pd.DataFrame({"time": TIME, "event": EVENT}, index=list("abcd")),
    "nullable frame": pd.DataFrame({"time": TIME, "event": EVENT}).convert_dtypes(),
    "arrow frame": pd.DataFrame({"time": TIME, "event": EVENT}).convert_dtypes(dtype_backend="pyarrow"),
    "dict of lists": {"time": TIME, "event": EVENT},
    "object column": {"time": pd.Series(TIME, dtype=object), "event": pd.Series(EVENT, dtype=object).astype(bool)},
    "categorical event": {"time": TIME, "event": pd.Series(EVENT, dtype="category")},
    "pair": (np.array(TIME), np.array(EVENT)),
    "list of two": [TIME, EVENT],
    "tensors": (torch.tensor(TIME, requires_grad=True), torch.tensor(EVENT)),
    "bool event": (TIME, np.array(EVENT, bool)),
    "float event": (TIME, np.array(EVENT, float)),
    "int8 event": (TIME, np.array(EVENT, "int8")),
    "whole-number time": (np.array(TIME, "int32"), EVENT),
    "big-endian": (np.array(TIME, ">f8"), np.array(EVENT, ">i4")),
    "outcome": Outcome(np.array(TIME), np.array(EVENT)),
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_every_form_is_the_same_outcome(form):
    outcome = Outcome.of(ACCEPTED[form])
    assert outcome.time.dtype == np.float64
    assert outcome.event.dtype == np.int64
    np.testing.assert_array_equal(outcome.time, TIME)
    np.testing.assert_array_equal(outcome.event, EVENT)
    assert outcome.entry is outcome.weight is outcome.stratum is None
    assert (len(outcome), outcome.n_events) == (4, 2)


def test_all_fields_survive_the_round_trip():
    fields = {"time": TIME, "event": EVENT, "entry": [0, 1, 0, 2], "weight": [1, 0, 2, 0.5], "stratum": list("aabb")}
    outcome = Outcome.of(Outcome.of(pd.DataFrame(fields)).to_y())
    assert outcome.to_y().dtype.names == ("event", "time", "entry", "weight", "stratum")
    for name, values in fields.items():
        assert getattr(outcome, name).tolist() == values
    part = outcome.take([2, 0])
    assert part.stratum.tolist() == ["b", "a"]
    assert part.weight.tolist() == [2, 1]
    assert outcome.take(outcome.time > 2).time.tolist() == [5, 8, 3]


def test_events_of_weight_zero_are_not_there():
    assert Outcome.of({"time": TIME, "event": EVENT, "weight": [0, 1, 1, 1]}).n_events == 1


def test_the_arrays_are_fresh():
    time, event = np.array(TIME), np.array(EVENT)
    outcome = Outcome.of((time, event))
    outcome.time[0], outcome.event[0] = 99, 0
    assert (time[0], event[0]) == (5, 1)
    time.flags.writeable = False
    assert Outcome.of((time, event)).time.flags.writeable


def test_whole_number_strata_stay_numbers():
    assert Outcome.of({"time": TIME, "event": EVENT, "stratum": [3, 1, 1, 3]}).stratum.tolist() == [3, 1, 1, 3]


def refused(code, y, kind=InputError, **options):
    with pytest.raises(kind, match=f"^{code}"):
        Outcome.of(y, **options)


# mistakes in times and events


@pytest.mark.parametrize(("code", "value"), [("SL-101", np.nan), ("SL-102", np.inf), ("SL-104", -1.0)])
def test_1_2_3_time_missing_infinite_negative(code, value):
    refused(code, ([5.0, 8.0, value, 3.0], EVENT))
    if value == -1:  # at risk since before the origin: nothing wrong
        assert Outcome.of({"time": TIME, "event": EVENT, "entry": [0, value, 0, 0]}).entry.tolist() == [0, -1, 0, 0]
    else:
        refused(code, {"time": TIME, "event": EVENT, "entry": [0, value, 0, 0]})


def test_1_the_message_gives_count_and_first_row_and_no_values():
    with pytest.raises(InputError) as caught:
        Outcome.of(([77.25, np.nan, np.nan], [1, 0, 1]))
    assert caught.value.found == "missing time in 2 rows, first at position 1."


def test_4_zero_time():
    X, y = split_xy(frame(months=[0.0, 8, 2, 0]), "months", "died")
    assert y["time"].tolist() == [0, 8, 2, 0]
    X, y = split_xy(frame(months=[0.0, 8, 2, 0]), "months", "died", zero_time="half")
    assert y["time"].tolist() == [0.5, 8, 2, 0.5]
    X, y = split_xy(frame(months=[0, 0.4, 0.2, 3]), "months", "died", zero_time="half")
    assert y["time"].tolist() == [0.1, 0.4, 0.2, 3]
    X, y = split_xy(frame(months=[0.0, 8, 2, 0]), "months", "died", zero_time="drop")
    assert y["time"].tolist() == [8, 2]
    assert X.index.tolist() == [1, 2]
    with pytest.raises(InputError, match=r"^SL-119 time of 0 in 2 rows, first at position 0\."):
        split_xy(frame(months=[0.0, 8, 2, 0]), "months", "died", zero_time="refuse")
    with pytest.raises(InputError, match=r"^SL-120"):
        split_xy(frame(), "months", "died", zero_time="halve")


def test_4_zero_time_entered_at_zero():
    table = frame(months=[0.0, 8, 2, 0], entered=0.0)
    with pytest.raises(InputError, match=r"^SL-110 .* in 2 rows, first at position 0\."):
        split_xy(table, "months", "died", entry="entered")
    assert len(split_xy(table, "months", "died", entry="entered", zero_time="half")[1]) == 4
    assert len(split_xy(table, "months", "died", entry="entered", zero_time="drop")[1]) == 2


def test_6_codes_beyond_0_and_1_need_a_name():
    refused(r"SL-103 event has values {1, 2}; .* event_of_interest=2\.", (TIME, [1, 2, 1, 1]))
    refused(r"SL-103 event has values {0, 1, 2}; .* event_of_interest=1\.", (TIME, [0, 1, 2, 0]))
    assert Outcome.of((TIME, [0, 1, 2, 2]), event_of_interest=2).event.tolist() == [0, 0, 1, 1]
    assert Outcome.of((TIME, [1, 1, 2, 1]), event_of_interest=2).event.tolist() == [0, 0, 1, 0]
    refused("SL-108", (TIME, [0, 1, 2, 2]), event_of_interest=3)


@pytest.mark.parametrize("value", [0.5, 2.5, np.inf])
def test_7_fractions_among_events(value):
    refused("SL-105", (TIME, [0, 1, value, 1]))


@pytest.mark.parametrize("event", [[0, np.nan, 1, 1], [True, None, False, True], pd.array([0, None, 1, 1], "Int8")])
def test_8_missing_event(event):
    refused("SL-106 missing event in 1 row, first at position 1", (TIME, event))
    refused("SL-106", (TIME, event), event_of_interest=1)


@pytest.mark.parametrize("dtype", [object, "string", "category", "string[pyarrow]"])
def test_9_events_as_text(dtype):
    event = pd.Series(["Dead", "Alive", "Dead", "Alive"], dtype=dtype)
    refused(r"SL-107 .*{Alive, Dead}.*event_of_interest", (TIME, event))
    assert Outcome.of((TIME, event), event_of_interest="Dead").event.tolist() == EVENT


def test_9_events_as_dates():
    refused("SL-107", (TIME, pd.date_range("2020-01-01", periods=4)))


def test_10_no_event():
    with pytest.raises(InputError, match=r"^SL-116"):
        check_enough_events(Outcome.of((TIME, [0, 0, 0, 0])), force=True)


@pytest.mark.parametrize("n", [1, 9])
def test_11_few_events(n):
    outcome = Outcome.of((np.arange(20.0), np.arange(20) < n))
    with pytest.raises(InputError, match=f"^SL-117 only {n} event"):
        check_enough_events(outcome)
    with pytest.warns(InputWarning, match=f"^SL-117 only {n} event"):
        check_enough_events(outcome, force=True)


def test_11_ten_events_are_enough():
    check_enough_events(Outcome.of((np.arange(20.0), np.arange(20) < 10)))


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=50), st.sampled_from([365.25, 12.0, 1e-9, 3e7]))
def test_16_the_unit_of_time_changes_no_tie(days, unit):
    ranks = [
        np.unique(Outcome.of((np.array(days) / u, np.zeros(len(days)))).time, return_inverse=True)[1] for u in (1, unit)
    ]
    np.testing.assert_array_equal(*ranks)


def test_16_times_equal_but_for_rounding_are_one_time():
    outcome = Outcome.of(([0.3, 0.1 + 0.2, 0.30001], [1, 1, 1]))
    assert outcome.time.tolist() == [0.3, 0.3, 0.30001]
    refused("SL-110", {"time": [0.1 + 0.2, 1.0], "event": [1, 1], "entry": [0.3, 0.0]})


def test_16_rounding_is_mended_as_in_r():
    golden = json.loads((Path(__file__).parent / "golden" / "timefix.json").read_text())
    time, entry = np.array(golden["time"]), np.array(golden["entry"])
    event = np.ones(len(time), int)
    assert len(np.unique(golden["fixed"])) < len(np.unique(time))
    np.testing.assert_allclose(Outcome.of((time, event)).time, golden["fixed"], rtol=1e-15)
    outcome = Outcome.of({"time": time, "event": event, "entry": entry})
    np.testing.assert_allclose(np.c_[outcome.entry, outcome.time], golden["fixed_with_entry"], rtol=1e-15)


@given(arrays(float, st.integers(0, 30), elements=st.floats(0, 1e6)))
def test_16_making_ties_keeps_order_and_moves_little(time):
    fixed = Outcome.of((time, np.zeros(len(time)))).time
    assert (np.diff(fixed[np.argsort(time)]) >= 0).all()
    np.testing.assert_allclose(fixed, time, atol=2e-8 * (1 + len(time)) * (time.max(initial=0)))


@pytest.mark.parametrize(
    "time",
    [
        pd.date_range("2020-01-01", periods=4),
        pd.to_timedelta([5, 8, 2, 3], unit="D"),
        ["5", "8", "2", "3"],
        [True, False, True, True],
        pd.Series(TIME, dtype="category"),
    ],
)
def test_17_time_as_dates_text_or_flags(time):
    refused("SL-109 time", (time, EVENT))
    with pytest.raises(InputError, match=r"^SL-109"):
        split_xy(frame(months=time), "months", "died")


def test_18_times_that_look_like_days():
    with pytest.warns(InputWarning, match=r"^SL-118 the longest time is 2659"):
        split_xy(frame(months=[5.0, 2659, 2, 3]), "months", "died")
    Outcome.of(([5.0, 2659, 2, 3], EVENT))


# the forms of y


@pytest.mark.parametrize("y", [np.c_[TIME, EVENT], np.array(TIME), None, "months", [TIME], np.array([TIME, EVENT])])
def test_forms_that_do_not_say_which_is_time(y):
    refused("SL-114", y, InputTypeError)


def test_parts_of_two_dimensions():
    refused("SL-114 time of y has 2 dimensions", ([TIME, TIME], [EVENT, EVENT]), InputTypeError)


def test_unknown_and_absent_fields():
    refused("SL-115 y has fields time, event, weights;", {"time": TIME, "event": EVENT, "weights": TIME})
    refused("SL-115 y has fields time;", {"time": TIME})
    refused("SL-115", np.zeros(4, [("cens", int), ("days", float)]))


def test_split_xy_names():
    X, y = split_xy(frame(w=1.0, s=["a", "b", "a", "b"]), "months", "died", weight="w", stratum="s")
    assert X.columns.tolist() == ["age"]
    assert y.dtype.names == ("event", "time", "weight", "stratum")
    assert y["event"].dtype == bool
    with pytest.raises(InputError, match=r"^SL-115 time='month' is no column .*'months'"):
        split_xy(frame(), "month", "died")
    with pytest.raises(InputTypeError, match=r"^SL-114"):
        split_xy(frame().to_numpy(), "months", "died")
    table = frame(cause=[0, 1, 2, 2])
    assert split_xy(table, "months", "cause", event_of_interest=2)[1]["event"].tolist() == [False, False, True, True]
    with pytest.raises(InputError, match=r"^SL-103"):
        split_xy(table, "months", "cause")


# rows, indices, weights, strata


def test_40_lengths():
    refused("SL-301 numbers of rows differ: X 5, time 4, event 4", (TIME, EVENT), n_rows=5)
    refused("SL-301 numbers of rows differ: time 4, event 3", (TIME, EVENT[:3]))


def test_41_indices():
    y = pd.DataFrame({"time": TIME, "event": EVENT}, index=list("abcd"))
    assert len(Outcome.of(y, index=pd.Index(list("abcd")))) == 4
    assert len(Outcome.of(y.to_dict("list"), index=pd.Index(list("abcd")))) == 4  # y without an index
    refused("SL-302", y, index=pd.Index(list("abdc")))
    refused("SL-302", (y["time"], EVENT), index=pd.RangeIndex(4))
    refused("SL-302", (y["time"], y["event"][::-1]))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_44_bad_weight(weight):
    refused(r"SL-111 .* in 1 row, first at position 2", {"time": TIME, "event": EVENT, "weight": [1, 1, weight, 1]})


def test_44_weights_all_zero():
    refused("SL-112", {"time": TIME, "event": EVENT, "weight": [0, 0, 0, 0]})


def test_missing_stratum():
    refused("SL-113", {"time": TIME, "event": EVENT, "stratum": ["a", None, "b", "b"]})
    refused("SL-113", {"time": TIME, "event": EVENT, "stratum": [1, np.nan, 2, 2]})


def test_entry_not_before_time():
    refused("SL-110 .* in 1 row, first at position 2", {"time": TIME, "event": EVENT, "entry": [1, 1, 2, 1]})


def test_half_a_million_rows_are_read_quickly():
    rng = np.random.default_rng(0)
    y = np.empty(500_000, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = rng.random(500_000) < 0.2, rng.exponential(60, 500_000)
    start = clock.perf_counter()
    Outcome.of(y)
    assert clock.perf_counter() - start < 1  # 0.05 s on one core; a loop over rows takes longer than the limit


# ---- competing causes ----

CAUSES = [0, 2, 1, 2]


@pytest.mark.parametrize(
    "event",
    [CAUSES, np.array(CAUSES, float), pd.Series(CAUSES, dtype="Int8"), pd.Series(CAUSES, dtype="category"),
     torch.tensor(CAUSES)],
    ids=["list", "floats", "nullable", "category", "tensor"],
)  # fmt: skip
def test_causes_keep_their_codes(event):
    outcome = Outcome.of({"time": TIME, "event": event}, causes=True)
    np.testing.assert_array_equal(outcome.event, CAUSES)
    assert outcome.event.dtype == np.int64
    assert outcome.n_events == 3
    for cause in (1, 2):
        named = Outcome.of({"time": TIME, "event": event}, event_of_interest=cause)
        np.testing.assert_array_equal(outcome.of_cause(cause).event, named.event)
    again = Outcome.of(outcome.to_y(), causes=True)
    np.testing.assert_array_equal(again.event, CAUSES)
    assert Outcome.of(outcome.take([0, 2]).to_y()).to_y()["event"].dtype == bool  # codes 0 and 1 are flags


def test_a_table_keeps_its_causes():
    X, y = split_xy(frame(died=CAUSES), time="months", event="died", causes=True)
    assert list(X) == ["age"]
    np.testing.assert_array_equal(y["event"], CAUSES)
    with pytest.raises(InputError, match=r"SL-103 .* event_of_interest=1\. Models of all causes take the codes"):
        split_xy(frame(died=CAUSES), time="months", event="died")


@pytest.mark.parametrize("event", [[0, 1, 2.5, 1], [0, -1, 1, 2], [0, np.inf, 1, 2], list("abca")], ids=str)
def test_what_is_no_code_of_a_cause_is_refused(event):
    with pytest.raises(InputError, match="SL-601"):
        Outcome.of({"time": TIME, "event": event}, causes=True)


def test_all_causes_and_one_of_them_are_refused():
    with pytest.raises(InputError, match="SL-602"):
        Outcome.of((TIME, CAUSES), causes=True, event_of_interest=1)
    with pytest.raises(InputError, match="SL-106"):
        Outcome.of((TIME, [0, np.nan, 1, 2]), causes=True)
