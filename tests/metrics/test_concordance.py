import json
import time as clock
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored

from survlspin.errors import InputError
from survlspin.metrics import concordance, concordance_of

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "concordance.json").read_text())["cases"]
OPTIONS = {"entry": "entry", "strata": "stratum", "weights": "weight", "cluster": "cluster"}  # R's cases, our words
SEEDS = st.integers(0, 2**32)
COLUMNS = {"entry": "entry", "strata": "strata", "weights": "w", "cluster": "cl"}


@pytest.fixture(scope="module")
def r_data():
    return dict(list(pd.read_csv(GOLDEN / "concordance.csv.gz").groupby("set")))


def brute(time, event, risk, entry=None, weight=None, stratum=None):
    """C and the five counts from all n x n pairs; complex weights allowed, so that they can be differentiated."""
    n = len(time)
    weight = np.ones(n) if weight is None else weight
    stratum = np.zeros(n) if stratum is None else stratum
    entry = np.full(n, -np.inf) if entry is None else entry
    together = (stratum[:, None] == stratum) & (event[:, None] == 1)  # [i, j]: i has an event
    tied_time = together & (event == 1) & (time[:, None] == time) & ~np.eye(n, dtype=bool)
    later = (time > time[:, None]) | ((time == time[:, None]) & (event == 0))
    comparable = together & later & (entry < time[:, None])
    higher, equal = risk[:, None] > risk, risk[:, None] == risk
    once = comparable & higher, comparable & ~higher & ~equal, comparable & equal
    twice = tied_time & ~equal, tied_time & equal  # [i, j] and [j, i]
    counts = np.array([weight @ kind @ weight for kind in once] + [weight @ kind @ weight / 2 for kind in twice])
    return (counts[0] + counts[2] / 2) / counts[:3].sum() if counts[:3].sum() else np.nan, counts


def cohort(seed, min_size=1, whole_weights=False):
    """A small cohort with many ties, every option present or absent."""
    rng = np.random.default_rng(seed)
    n, last = rng.integers(min_size, 25), rng.choice([1, 4, 1000])
    time, risk = rng.integers(1, last, n, endpoint=True).astype(float), rng.integers(-2, 4, n) / 3
    data = {"time": time, "event": rng.integers(0, 2, n), "risk": risk}
    options = {
        "entry": time - rng.integers(1, 6, n),
        "weight": rng.integers(0, 4, n) * 1.0 if whole_weights else rng.integers(0, 31, n) / 7,
        "stratum": rng.integers(0, 3, n),
    }
    return data | {name: values for name, values in options.items() if rng.random() < 0.5}


def registry(n, seed=0):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    death, censoring = rng.exponential(600 * np.exp(-risk)), rng.uniform(1, 132, n)
    time = np.minimum(death, censoring)
    options = {
        "weight": rng.uniform(0.2, 3, n),
        "stratum": rng.integers(0, 12, n),
        "entry": time * rng.uniform(0, 0.8, n),
    }
    return {"time": time, "event": death <= censoring, "risk": risk}, options


# ---- equality with R, with definitions, with peers ----


@pytest.mark.parametrize("case", CASES)
def test_value_error_and_counts_equal_r(case, r_data):
    name, score, options = case.split("/", 2)
    frame, gold = r_data[name], CASES[case]
    given_options = {OPTIONS[o]: frame[COLUMNS[o]] for o in OPTIONS if o in options.split("_")}
    given_options |= {o: gold[o] for o in ("timewt", "tau") if o in gold}
    time = np.maximum(frame["time"], gold.get("ymin", 0))  # R: earlier events are tied
    found = concordance(time, frame["event"], frame[score], **given_options, force=True)
    np.testing.assert_allclose(found.value, gold["C"], rtol=1e-12)
    np.testing.assert_allclose(found.se, gold["se"], rtol=1e-10, atol=1e-15)  # R leaves 1e-17 where C is 1
    np.testing.assert_allclose(found.counts, gold["count"], rtol=1e-12)
    if "influence" in gold:
        np.testing.assert_allclose(found.influence, gold["influence"], rtol=1e-10, atol=1e-15)


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_equals_counting_all_pairs(seed):
    data = cohort(seed)
    value, counts = brute(**data)
    found = concordance(**data)
    np.testing.assert_allclose(found.value, value, rtol=1e-12)
    np.testing.assert_allclose(found.counts.sum(), counts, rtol=1e-12)
    np.testing.assert_array_equal(found.counts.sum() == 0, counts == 0)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_influence_is_the_weight_times_the_derivative(seed):
    data = cohort(seed, min_size=2)
    weight = data.setdefault("weight", np.ones(len(data["time"])))
    assume(brute(**data)[1][:3].sum() > 0)
    step = 1e-30  # a complex step: the derivative without a difference
    derivative = [brute(**{**data, "weight": weight + 1j * step * row})[0].imag / step for row in np.eye(len(weight))]
    found = concordance(**data)
    np.testing.assert_allclose(found.influence, weight * derivative, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found.se**2, np.sum(found.influence**2), rtol=1e-12)
    np.testing.assert_allclose(found.influence.sum(), 0, atol=1e-12)  # C does not depend on the weights' scale


def test_influence_is_the_derivative_of_the_value_itself():
    data, options = registry(300)
    row, found = 7, concordance(**data, **options)
    values = []
    for factor in (1 - 1e-5, 1 + 1e-5):
        weight = options["weight"].copy()
        weight[row] *= factor
        values.append(concordance(**data, **{**options, "weight": weight}).value)
    np.testing.assert_allclose(found.influence[row], np.diff(values)[0] / 2e-5, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_equals_scikit_survival_and_lifelines_without_options(seed):
    data = cohort(seed, min_size=2)
    time, event, risk = data["time"], data["event"], data["risk"]
    found = concordance(time, event, risk)
    assume(not np.isnan(found.value))
    value, concordant, discordant, tied_risk, _ = concordance_index_censored(event == 1, time, risk)
    np.testing.assert_allclose(found.value, value, rtol=1e-12)
    assert found.counts.iloc[0, :3].tolist() == [concordant, discordant, tied_risk]
    np.testing.assert_allclose(found.value, concordance_index(time, -risk, event), rtol=1e-12)


# ---- what must and must not change the answer ----


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_row_order_does_not_matter(seed):
    data = cohort(seed)
    order = np.random.default_rng(seed + 1).permutation(len(data["time"]))
    found, moved = concordance(**data), concordance(**{name: values[order] for name, values in data.items()})
    np.testing.assert_allclose(moved.value, found.value, rtol=1e-13)
    np.testing.assert_allclose(moved.influence, found.influence[order], rtol=1e-12, atol=1e-15)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_whole_weight_is_a_repeated_row(seed):
    data = cohort(seed, whole_weights=True)
    times = data.setdefault("weight", np.ones(len(data["time"]))).astype(int)
    row = np.repeat(np.arange(len(times)), times)
    repeated = concordance(**{name: values[row] for name, values in data.items() if name != "weight"})
    found = concordance(**data)
    np.testing.assert_allclose(repeated.value, found.value, rtol=1e-13)
    np.testing.assert_array_equal(repeated.counts.sum().iloc[:3], found.counts.sum().iloc[:3])
    if not np.isnan(found.value):
        np.testing.assert_allclose(np.bincount(row, repeated.influence, len(times)), found.influence, atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([np.exp2, np.cbrt, lambda t: t / 12, lambda t: 1e6 * t]))
def test_only_the_order_of_times_and_risks_matters(seed, increasing):
    data = cohort(seed)
    data["time"] = data["time"] % 100 + 1
    if "entry" in data:
        data["entry"] = data["time"] - 2
    found = concordance(**data)
    other = {**data, "risk": np.exp(data["risk"])} | {k: increasing(data[k]) for k in ("time", "entry") if k in data}
    np.testing.assert_equal(concordance(**other).value, found.value)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_opposite_risk_turns_c_around(seed):
    data = cohort(seed)
    found, opposite = concordance(**data), concordance(**{**data, "risk": -data["risk"]})
    np.testing.assert_allclose(opposite.value, 1 - found.value, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(opposite.influence, -found.influence, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(opposite.counts["discordant"], found.counts["concordant"], rtol=1e-14)


def test_every_option_changes_the_answer_and_is_named_in_the_definition():
    data, options = registry(500)
    named = {"weight": "weighted", "stratum": "within strata", "entry": "delayed entry"}
    plain = concordance(**data)
    found = {name: concordance(**data, **{name: values}) for name, values in options.items()}
    assert len({plain.value, *(e.value for e in found.values())}) == 4
    assert all(named[name] in e.definition and named[name] not in plain.definition for name, e in found.items())


def test_weights_count_by_ratio_and_zero_is_absent():
    data, options = registry(400)
    weight = np.where(np.arange(400) % 3, options["weight"], 0)
    found, scaled = concordance(**data, weight=weight), concordance(**data, weight=weight * 1e-9)
    np.testing.assert_allclose([scaled.value, scaled.se], [found.value, found.se], rtol=1e-12)
    kept = weight > 0
    less = concordance(**{k: v[kept] for k, v in data.items()}, weight=weight[kept])
    np.testing.assert_allclose([less.value, less.se], [found.value, found.se], rtol=1e-12)
    assert not found.influence[~kept].any()


def test_no_digits_are_lost_in_differences():
    _, options = registry(5000)
    time = np.arange(5000.0)
    found = concordance(time, np.ones(5000), -time, **{**options, "entry": time - 300.5})
    assert found.value == 1
    assert not found.counts["discordant"].any()
    assert (found.se, found.low, found.high) == (0, 1, 1)


def test_counts_are_given_by_stratum():
    data, options = registry(200)
    labels = np.array(["north", "south"])[options["stratum"] % 2]
    found = concordance(**data, stratum=labels)
    south = concordance(*(values[labels == "south"] for values in data.values()))
    assert found.counts.index.tolist() == ["north", "south"]
    np.testing.assert_array_equal(found.counts.loc["south"], south.counts.loc["all"])


# ---- edges ----


@pytest.mark.parametrize(
    ("time", "event"), [([3, 3, 3], [1, 1, 1]), ([1, 2, 3], [0, 0, 0]), ([1, 2, 3], [0, 0, 1]), ([4], [1]), ([], [])]
)
def test_without_comparable_pairs_c_is_undefined(time, event):
    found = concordance(time, event, np.arange(len(time)))
    assert np.isnan([found.value, found.se, found.low, found.high, *found.influence]).all()
    assert "undefined" in found.definition
    assert found.influence.shape == (len(time),)


def test_a_constant_risk_has_c_one_half():
    data, options = registry(100)
    found = concordance(**{**data, "risk": np.zeros(100)}, **options)
    assert (found.value, found.se) == (0.5, 0)
    assert found.counts[["concordant", "discordant"]].to_numpy().sum() == 0


def test_an_outcome_gives_all_it_carries():
    data, options = registry(100)
    outcome = SimpleNamespace(time=data["time"], event=data["event"], **options)
    assert concordance_of(outcome, data["risk"]).value == concordance(**data, **options).value


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("SL-331", {"risk": np.zeros(5)}),
        ("SL-331", {"risk": np.zeros((6, 1))}),
        ("SL-331", {"risk": None}),
        ("SL-331", {"stratum": [1, 2]}),
        ("SL-332", {"risk": [0, 1, np.nan, 2, 3, 4]}),
        ("SL-332", {"risk": [0, 1, np.inf, 2, 3, 4]}),
        ("SL-332", {"risk": ["low", "high"] * 3}),
        ("SL-333", {"time": [1, 2, np.nan, 4, 5, 6]}),
        ("SL-333", {"event": [1, 2, 0, 0, 1, 1]}),
        ("SL-333", {"weight": [1, 1, -1, 1, 1, 1]}),
        ("SL-333", {"entry": [0, 0, 3, 0, 0, 0]}),
        ("SL-333", {"stratum": np.array(["a", None, "b", "a", "b", "a"])}),
    ],
)
def test_refuses_what_cannot_be_ranked(code, change):
    data = {"time": np.arange(1.0, 7), "event": np.ones(6), "risk": np.arange(6.0)} | change
    with pytest.raises(InputError, match=code):
        concordance(**data)


@pytest.mark.parametrize("months", [True, False], ids=["months", "continuous"])
def test_many_patients_take_little_time_and_memory(months):
    data, options = registry(60_000)
    if months:
        data = {**data, "time": np.floor(data["time"]) + 1, "risk": np.round(data["risk"], 1)}
    started = clock.perf_counter()
    plain = concordance(**data)
    seconds = clock.perf_counter() - started
    assert seconds < 2  # 0.01 s and 0.06 s on one 2.5 GHz core
    tracemalloc.start()
    everything = concordance(**data, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e7
    if months:
        started = clock.perf_counter()
        assert plain.value == pytest.approx(concordance_index(data["time"], -data["risk"], data["event"]), rel=1e-12)
        assert clock.perf_counter() - started > 3 * seconds  # 20 times, on a machine with nothing else to do
    assert everything.value == pytest.approx(plain.value, abs=0.03)  # the same patients, other pairs
