import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survlspin.errors import InputError
from survlspin.metrics.auc import auc
from survlspin.nonparametric import censoring_curve

GOLDEN = Path(__file__).parents[1] / "golden"
R = json.loads(gzip.decompress((GOLDEN / "score.json.gz").read_bytes()))


@st.composite
def cohorts(draw, causes=2):
    n = draw(st.integers(1, 25))
    column = lambda values: np.array(draw(st.lists(values, min_size=n, max_size=n)))  # noqa: E731
    time, event = column(st.integers(1, 9)), column(st.integers(0, causes))
    event[time.argmax()] = 1  # cause 1 occurs
    return time, event, column(st.integers(-3, 3)), column(st.integers(1, 4)), draw(st.integers(1, int(time.max())))


def brute(time, event, risk, weight, horizon):
    """All pairs of cases and controls."""
    left = censoring_curve(time, event, weight).at(np.minimum(time, horizon), left=True)
    known = np.where((event > 0) | (time >= horizon), weight / left, 0)
    case = (event == 1) & (time <= horizon)
    pair = np.outer(known * case, known * ~case)
    score = (risk[:, None] > risk) + (risk[:, None] == risk) / 2
    return np.sum(pair * score) / pair.sum() if pair.sum() else np.nan


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cohorts())
def test_all_pairs(cohort):
    time, event, risk, weight, horizon = cohort
    found = auc(time, event, risk, horizon, weight=weight)
    assert found.value == pytest.approx(brute(*cohort), rel=1e-12, nan_ok=True)
    if np.isnan(found.value):
        assert "undefined: no " in repr(found)
        assert np.isnan([found.se, found.low, found.high]).all()
        return
    for moved in (np.exp(risk), 2.0 * risk - 7, risk**3):  # any scale
        other = auc(time, event, moved, horizon, weight=weight)
        assert other.value == found.value
        np.testing.assert_array_equal(other.influence, found.influence)
    turned = auc(time, event, -risk, horizon, weight=weight)
    assert turned.value == pytest.approx(1 - found.value, abs=1e-12)
    np.testing.assert_allclose(turned.influence, -found.influence, atol=1e-13)


def test_perfect_useless_and_turned():
    time, event = np.arange(1, 41), np.tile([1, 1, 0, 1], 10)
    for risk, value in ((-time, 1), (np.zeros(40), 0.5), (time, 0)):
        found = auc(time, event, risk, 20)
        assert found.value == pytest.approx(value, abs=1e-12)
        assert found.se == pytest.approx(0, abs=1e-12)
        assert [found.low, found.high] == pytest.approx([value] * 2, abs=1e-9)


@pytest.mark.parametrize(("event", "why"), [([0, 1, 1], "no event by"), ([1, 1, 1], "no control at")])
def test_without_a_case_or_a_control_it_is_undefined(event, why):
    found = auc([1, 2, 3], event, [3, 2, 1], 1 if event[0] == 0 else 3)
    assert np.isnan(found.value)
    assert f"undefined: {why} the horizon" in repr(found)
    assert found.counts.loc["all"].sum() == 3


def test_a_horizon_of_its_own_for_each_column():
    time, event = np.array([1, 2, 3, 4, 5, 6]), np.array([1, 1, 0, 1, 1, 0])
    risks = np.array([[5, 1], [4, 2], [3, 3], [2, 4], [1, 5], [0, 6]])
    both = auc(time, event, risks, [2, 4])
    assert [e.value for e in both] == [auc(time, event, risks[:, j], t).value for j, t in enumerate((2, 4))] == [1, 0]
    shared = auc(time, event, risks[:, 0], [2, 4])
    assert [e.value for e in shared] == [1, 1]
    assert isinstance(auc(time, event, risks[:, 0], [2]), tuple)
    with pytest.raises(InputError, match="SL-331"):
        auc(time, event, risks, [2, 3, 4])


def test_rotterdam_to_gbsg():
    """The published 0.677 is that of just before five years, where two more are not censored yet."""
    case = R["gbsg"]
    before, at = auc(case["time"], case["event"], R["stratos"]["risk5"], [4.99, 5])
    assert before.value == pytest.approx(0.677, abs=5e-4)
    assert at.value == pytest.approx(0.6807, abs=5e-5)
    assert before.low < before.value < before.high
    assert "logit" in before.definition


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("SL-306", {"horizon": 7}),
        ("SL-326", {"cause": 3}),
        ("SL-331", {"risk": [1, 2]}),
        ("SL-332", {"risk": [1, np.nan, 2]}),
        ("SL-333", {"event": [1, -1, 0]}),
    ],
    ids=["beyond", "cause", "length", "missing", "outcome"],
)
def test_bad_input(code, change):
    arguments = {"time": [1, 2, 3], "event": [1, 2, 0], "risk": [3, 2, 1], "horizon": 2, **change}
    with pytest.raises(InputError, match=code):
        auc(**arguments)
