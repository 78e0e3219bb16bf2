import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import brier_score
from sksurv.util import Surv

from survlspin.errors import InputError
from survlspin.metrics.brier import brier, integrated_brier, scaled_brier
from survlspin.nonparametric import aalen_johansen, censoring_curve, product_limit

GOLDEN = Path(__file__).parents[1] / "golden"
R = json.loads(gzip.decompress((GOLDEN / "score.json.gz").read_bytes()))
PEC = R["pec"]
TIMES = np.array(PEC["times"])


@pytest.fixture(scope="module")
def gbsg():
    """Times, events and the model's probabilities at the grid of pec."""
    probability = 1 - np.exp(-np.outer(np.exp(PEC["lp"]), PEC["hazard"]))
    return np.array(R["gbsg"]["time"]), np.array(R["gbsg"]["event"]), probability


def test_every_time_of_pec(gbsg):
    time, event, probability = gbsg
    for given, name in ((probability, "m1"), (None, "Reference")):
        found = [estimate.value for estimate in brier(time, event, given, TIMES)]
        np.testing.assert_allclose(found, PEC["brier"][name], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("high", [3, 4.5])
def test_the_integrated_score_of_pec(gbsg, high):
    time, event, probability = gbsg
    end = TIMES[np.abs(TIMES - high).argmin()]
    for given, name in ((probability, "m1"), (None, "Reference")):
        found = integrated_brier(time, event, given, TIMES, high=end, rule="left")
        assert found.value == pytest.approx(PEC[f"ibs_{high:g}"][name], rel=1e-10)
        assert f"from 0 to {high:g}, {round(high * 20)} times, left" in found.definition


def test_the_integrated_score_of_riskregression():
    """It divides by the last time, though its integral begins at the first."""
    case = R["gbsg"]
    found = integrated_brier(case["time"], case["event"], case["risks"]["m1"], case["times"], rule="left")
    theirs = [x for x, model in zip(case["brier"]["IBS"], case["brier"]["model"], strict=True) if model == "m1"][-1]
    assert found.value * (4.5 - 1) / 4.5 == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize("rule", ["trapezoid", "left"])
def test_the_integrated_score_is_a_mean_over_time(gbsg, rule):
    time, event, probability = gbsg
    columns = np.arange(20, 90, 10)
    at = TIMES[columns]
    one = integrated_brier(time, event, probability[:, columns], at, low=at[1], high=at[5], rule=rule)
    each = brier(time, event, probability[:, columns[1:6]], at[1:6])
    share = {"trapezoid": np.array([0.5, 1, 1, 1, 0.5]) / 4, "left": np.array([1, 1, 1, 1, 0]) / 4}[rule]
    assert one.value == pytest.approx(share @ [e.value for e in each], rel=1e-12)
    np.testing.assert_allclose(one.influence, share @ [e.influence for e in each], atol=1e-15)
    assert one.se == pytest.approx(np.sqrt(np.sum(one.influence**2)), rel=1e-12)


def test_the_rules_differ(gbsg):
    time, event, probability = gbsg
    a, b = (integrated_brier(time, event, probability, TIMES, rule=rule).value for rule in ("trapezoid", "left"))
    assert a > b + 1e-3


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SL-309", {"times": [1, 3, 2]}),
        ("SL-309", {"low": 1.5}),
        ("SL-309", {"low": 2, "high": 2}),
        ("SL-310", {"rule": "simpson"}),
        ("SL-306", {"times": [1, 2, 9]}),
    ],
    ids=["order", "not a time", "empty", "rule", "beyond"],
)
def test_ranges_that_mean_nothing_are_refused(code, options):
    with pytest.raises(InputError, match=code):
        integrated_brier([1, 2, 3, 4], [1, 1, 0, 1], None, **{"times": [1, 2, 3], **options})


@pytest.mark.parametrize("causes", [1, 2])
def test_the_null_model_is_the_curve_of_these_rows(causes):
    rng = np.random.default_rng(causes)
    time, event = rng.integers(1, 30, 300), rng.integers(0, causes + 1, 300)
    weight = rng.uniform(0, 2, 300)
    if causes == 1:
        p = 1 - product_limit(time, event, weight).at(12)
    else:
        p = float(aalen_johansen(time, event, weight=weight).at(12, cause=1))
    given, null = (brier(time, event, q, 12, weight=weight) for q in (np.full(300, p), None))
    assert given.value == pytest.approx(null.value, rel=1e-12)
    np.testing.assert_allclose(given.influence, null.influence, atol=1e-15)
    assert null.value == pytest.approx(p * (1 - p), rel=1e-12)  # whatever the censoring
    scaled = scaled_brier(time, event, np.full(300, p), 12, weight=weight)
    assert [scaled.value, scaled.se] == pytest.approx([0, 0], abs=1e-12)
    assert ("Kaplan-Meier" if causes == 1 else "Aalen-Johansen") in null.definition


def test_perfect_predictions():
    time, event = np.arange(1, 41), np.tile([1, 1, 0, 1], 10)
    perfect = (time <= 20) * event
    assert [brier(time, event, perfect, 20).value, scaled_brier(time, event, perfect, 20).value] == [0, 1]


def test_nothing_to_predict_is_undefined():
    rng = np.random.default_rng(7)
    time, weight = rng.integers(1, 5, 12), rng.uniform(size=12)  # whose sum depends on its order
    for found in (
        scaled_brier([1, 2, 3], [0, 0, 1], [0.1, 0.1, 0.2], 2),
        scaled_brier(time, np.ones(12), np.full(12, 0.3), time.max(), weight=weight),
    ):
        assert np.isnan(found.value)
        assert "undefined: all or none have the event" in repr(found)


def test_the_weights_of_scikit_survival_come_from_other_rows():
    """Its ``survival_train`` is meant to be what the model was trained on. On Rotterdam nine in ten are followed for
    five years, on GBSG one in three: weighted by Rotterdam's G, those without an event count a third of what they
    should, and the score of 0.225 becomes 0.137. Given the evaluated rows, scikit-survival agrees with us.
    """
    null = json.loads(gzip.decompress((GOLDEN / "null.json.gz").read_bytes()))
    train_time, train_event = np.array(null["time"]) / 365.25, np.array(null["event"])
    time, event = np.array(R["gbsg"]["time"]), np.array(R["gbsg"]["event"])
    probability, horizon = np.array(R["stratos"]["risk5"]), 4.99
    test, train = (Surv.from_arrays(e == 1, t) for e, t in ((event, time), (train_event, train_time)))
    theirs = [brier_score(source, test, 1 - probability, horizon)[1][0] for source in (train, test)]
    trained = brier(time, event, probability, horizon, censoring=censoring_curve(train_time, train_event))
    ours = brier(time, event, probability, horizon)
    assert [trained.value, ours.value] == pytest.approx([0.137, 0.225], abs=5e-4)
    assert [trained.value, ours.value] == pytest.approx(theirs, rel=1e-3)
    assert "given by the caller" in trained.definition
    assert "of these rows" in ours.definition


def test_pandas_columns_and_lists_are_taken():
    frame = pd.DataFrame({"t": [4, 2, 3, 1], "e": [1, 1, 0, 1], "p": [0.2, 0.8, 0.4, 0.9]}, index=list("abcd"))
    from_frame = brier(frame["t"], frame["e"], frame["p"], 3)
    assert from_frame.value == brier([4, 2, 3, 1], [1, 1, 0, 1], [0.2, 0.8, 0.4, 0.9], 3).value
    assert repr(from_frame).startswith(f"{from_frame.value:.4f} (SE")
