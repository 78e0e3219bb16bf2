import json
from pathlib import Path

import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.metrics import antolini, concordance, definitions

CASES = json.loads((Path(__file__).parents[1] / "golden" / "antolini.json").read_text())["cases"]


def exponential(n=300, seed=0):
    """Proportional hazards in whole months."""
    rng = np.random.default_rng(seed)
    risk = np.round(rng.normal(size=n), 1)
    death, censoring = rng.exponential(20 * np.exp(-risk)), rng.uniform(1, 40, n)
    times = np.arange(40.0)
    survival = np.exp(-np.exp(risk)[:, None] * times / 20)
    return np.ceil(np.minimum(death, censoring)), death <= censoring, risk, survival, times


@pytest.mark.parametrize(("how", "adjusted"), [("antolini", False), ("adj_antolini", True)])
def test_equals_pycox(how, adjusted):
    for case in CASES:
        found = antolini(*(case[name] for name in ("time", "event", "survival", "times")), adjusted=adjusted)
        np.testing.assert_allclose(found.value, case[how], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("adjusted", [False, True])
def test_influence_is_the_weight_times_the_derivative(adjusted):
    time, event, risk, _, times = exponential(40)
    rng = np.random.default_rng(1)
    survival = np.exp(-np.exp(risk)[:, None] * (times / 20) ** rng.uniform(0.3, 3, (40, 1)))  # curves that cross
    weight = rng.uniform(0.5, 2, len(time))
    found = antolini(time, event, survival, times, weight=weight, adjusted=adjusted)
    for row in range(0, len(time), 8):
        values = []
        for factor in (1 - 1e-5, 1 + 1e-5):
            moved = weight.copy()
            moved[row] *= factor
            values.append(antolini(time, event, survival, times, weight=moved, adjusted=adjusted).value)
        np.testing.assert_allclose(found.influence[row], np.diff(values)[0] / 2e-5, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.se**2, np.sum(found.influence**2))


def test_curves_that_never_cross_are_ranked_as_their_risks():
    time, event, risk, survival, times = exponential()
    strict, half = (antolini(time, event, survival, times, adjusted=a) for a in (False, True))
    sums = concordance(time, event, risk).counts.loc["all"]
    np.testing.assert_array_equal(strict.counts.loc["all"], sums)
    np.testing.assert_allclose(strict.value, sums["concordant"] / sums.iloc[:3].sum(), rtol=1e-13)
    assert strict.value < half.value
    panel = definitions(time, event, risk), definitions(time, event, risk, survival=survival, times=times)
    np.testing.assert_allclose(panel[0].iloc[:, 1:], panel[1].iloc[:, 1:], rtol=1e-12)


def test_without_ties_all_definitions_are_harrell():
    rng = np.random.default_rng(5)
    time, event, risk = rng.uniform(1, 9, 50), rng.integers(0, 2, 50), rng.normal(size=50)
    panel = definitions(time, event, risk)
    np.testing.assert_allclose(panel["C"], panel["C"][0], rtol=1e-13)
    np.testing.assert_allclose(panel["se"], panel["se"][0], rtol=1e-12)
    assert (panel["tied"] == 0).all()


def test_a_risk_of_two_values_shows_how_far_definitions_are_apart():
    time, event, risk, _, _ = exponential(1000)
    panel = definitions(time, event, risk > 0, 30)
    assert list(panel) == ["definition", "C", "se", "low", "high", "tied"]
    words = [
        "C(Harrell; risk ties 1/2",
        "C(Harrell; risk ties dropped",
        "C(Uno; risk ties 1/2",
        "C(Antolini; survival ties 0",
    ]
    assert [text.startswith(start) for text, start in zip(panel["definition"], words, strict=False)] == [True] * 4
    assert panel["definition"][4].startswith("C(adjusted Antolini; survival ties 1/2; pairs at one time twice")
    assert panel["definition"].str.contains("tau=30").all()
    half, dropped, uno, strict, adjusted = panel["C"]
    tied = panel["tied"][0]
    np.testing.assert_allclose([strict + tied / 2, dropped], [half, strict / (1 - tied)], rtol=1e-12)
    assert strict < min(half, adjusted, uno) < max(half, adjusted, uno) < dropped
    assert len(set(panel["C"])) == 5
    assert (panel["low"] < panel["C"]).all()
    assert (panel["high"] > panel["C"]).all()


def test_tau_and_weights_and_clusters_are_respected():
    time, event, _, survival, times = exponential()
    found = antolini(time, event, survival, times, tau=10)
    cut = antolini(time, event & (time <= 10), survival, times)
    assert (found.value, found.se) == (cut.value, cut.se)
    weight = np.random.default_rng(2).integers(0, 3, len(time))
    row = np.repeat(np.arange(len(time)), weight)
    repeated = antolini(time[row], event[row], survival[row], times, cluster=row)
    weighted = antolini(time, event, survival, times, weight=weight)
    np.testing.assert_allclose(repeated.value, weighted.value, rtol=1e-13)
    np.testing.assert_allclose(repeated.se, weighted.se, rtol=1e-12)


def test_no_comparable_pair_is_undefined():
    found = antolini([3, 3, 3], [1, 1, 1], np.ones((3, 1)), [1])
    assert np.isnan([found.value, found.se]).all()
    assert "undefined: no comparable pairs" in str(found)
    panel = definitions([3, 3, 3], [1, 1, 1], [1, 2, 2])
    assert panel["C"].isna().tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("SL-304", {"survival": [[0.9, 0.5], [90, 0.5]]}),
        ("SL-304", {"survival": [[0.9, -0.5], [0.9, 0.5]]}),
        ("SL-305", {"survival": [[0.9, 0.5], [0.5, 0.9]]}),
        ("SL-331", {"survival": [[0.9, 0.5]]}),
        ("SL-331", {"survival": [0.9, 0.5]}),
        ("SL-331", {"survival": np.ones((2, 0)), "times": []}),
        ("SL-332", {"survival": [[0.9, np.nan], [0.9, 0.5]]}),
        ("SL-332", {"survival": [["high", "low"], ["high", "low"]]}),
        ("SL-333", {"event": [1, 2]}),
        ("SL-334", {"tau": 9}),
        ("SL-340", {"times": [2, 1]}),
        ("SL-340", {"times": [1, np.nan]}),
    ],
)
def test_refuses_what_are_no_survival_curves(code, change):
    data = {"time": [1, 2], "event": [1, 0], "survival": [[0.9, 0.5], [0.9, 0.5]], "times": [1, 2]}
    with pytest.raises(InputError, match=f"^{code}"):
        antolini(**{**data, **change})
