"""Brier score and AUC at horizons, against R and against the derivative of their own definition."""

import gzip
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.metrics.auc import auc
from survlspin.metrics.brier import brier, scaled_brier
from survlspin.metrics.compare import compare
from survlspin.metrics.ipcw import Weights
from survlspin.nonparametric import censoring_curve

GOLDEN = Path(__file__).parents[1] / "golden"
R = json.loads(gzip.decompress((GOLDEN / "score.json.gz").read_bytes()))
SETS = ["gbsg", "months", "pbc", "mgus2"]  # months: tied times, risks in tenths; mgus2: competing risks
TIGHT = {"rtol": 1e-10, "atol": 1e-14}


def rows_of_set(name):
    case = R[name]
    risks = {model: np.array(risk) for model, risk in case["risks"].items()}
    return np.array(case["time"]), np.array(case["event"]), risks, case


def of_model(table, model, column):
    return [value for value, m in zip(table[column], table["model"], strict=True) if m == model]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("measure", [auc, brier], ids=["AUC", "Brier"])
def test_values_and_standard_errors_are_those_of_r(name, measure):
    time, event, risks, case = rows_of_set(name)
    label = {auc: "AUC", brier: "Brier"}[measure]
    table = case[label.lower()]
    for model, risk in risks.items():
        found = measure(time, event, risk, case["times"])
        np.testing.assert_allclose([f.value for f in found], of_model(table, model, label), **TIGHT)
        np.testing.assert_allclose([f.se for f in found], of_model(table, model, "se"), **TIGHT)
        for estimate in found:
            assert np.sum(estimate.influence**2) == pytest.approx(estimate.se**2, rel=1e-12)
            assert estimate.counts.loc["all"].sum() == len(time)


@pytest.mark.parametrize("name", ["gbsg", "months", "mgus2"])
@pytest.mark.parametrize("measure", [auc, brier], ids=["AUC", "Brier"])
def test_differences_of_two_models_are_those_of_r(name, measure):
    time, event, risks, case = rows_of_set(name)
    label = {auc: "AUC", brier: "Brier"}[measure]
    found = {model: measure(time, event, risk, case["times"]) for model, risk in risks.items()}
    if measure is brier:
        found["Null model"] = brier(time, event, None, case["times"])
    table = case[f"{label.lower()}_contrasts"]
    rows = zip(table["model"], table["reference"], table["times"], table[f"delta.{label}"], table["se"], strict=True)
    for model, reference, horizon, delta, se in rows:
        at = case["times"].index(horizon)
        difference = compare(found[model][at], found[reference][at])
        np.testing.assert_allclose([difference.value, difference.se], [delta, se], rtol=1e-8)
    assert len(table["model"]) == len(case["times"]) * len(list(combinations(found, 2)))


@pytest.mark.parametrize("name", SETS)
def test_the_null_model_is_that_of_r(name):
    time, event, risks, case = rows_of_set(name)
    null = brier(time, event, None, case["times"])
    np.testing.assert_allclose([e.value for e in null], of_model(case["brier"], "Null model", "Brier"), **TIGHT)
    np.testing.assert_allclose([e.se for e in null], of_model(case["brier"], "Null model", "se"), **TIGHT)
    for model, risk in risks.items():
        scaled = scaled_brier(time, event, risk, case["times"])
        np.testing.assert_allclose([e.value for e in scaled], of_model(case["brier"], model, "IPA"), rtol=1e-9)


class ByRow:
    """A model of censoring: each row has its own curve, known just before its time or just before one horizon."""

    def __init__(self, time, at_time, horizon, at_horizon):
        self.reached, self.values = np.minimum(time, horizon), np.where(time > horizon, at_horizon, at_time)

    def at(self, times, left):
        assert left
        np.testing.assert_array_equal(times, self.reached)
        return self.values


def test_censoring_that_depends_on_covariates_is_that_of_r():
    time, event, risks, _ = rows_of_set("pbc")
    case, risk = R["pbc_cox"], risks["m"]
    for j, horizon in enumerate(case["times"]):
        curve = ByRow(time, np.array(case["at_time"]), horizon, np.array(case["at_horizon"])[:, j])
        found = auc(time, event, risk[:, j], horizon, censoring=curve)
        assert found.value == pytest.approx(case["auc"]["AUC"][j], rel=1e-10)
        assert "given by the caller" in found.definition
        score = brier(time, event, risk[:, j], horizon, censoring=curve)
        assert score.value == pytest.approx(of_model(case["brier"], "m", "Brier")[j], rel=1e-10)


def test_a_given_curve_that_is_zero_is_refused():
    with pytest.raises(InputError, match="SL-308"):
        brier([1, 2, 3, 4], [1, 1, 1, 0], [0.5] * 4, 3, censoring=censoring_curve([1, 1.5], [0, 0]))


def example(causes, seed=3, n=40):
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 9, n).astype(float), rng.integers(0, causes + 1, n)
    return time, event, np.round(rng.uniform(size=n), 1), rng.integers(1, 4, n).astype(float)


@pytest.mark.parametrize("causes", [1, 2])
@pytest.mark.parametrize("measure", [auc, brier, scaled_brier], ids=["AUC", "Brier", "scaled"])
def test_whole_weights_are_repeated_rows(measure, causes):
    time, event, p, weight = example(causes)
    again = np.repeat(np.arange(len(time)), weight.astype(int))
    weighted, repeated = measure(time, event, p, 5, weight=weight), measure(time[again], event[again], p[again], 5)
    assert weighted.value == pytest.approx(repeated.value, rel=1e-12)
    sums = np.bincount(again, repeated.influence) / np.sqrt(len(again) / (len(again) - 1))
    np.testing.assert_allclose(weighted.influence / np.sqrt(40 / 39), sums, atol=1e-14)
    doubled = measure(time, event, p, 5, weight=2 * weight)
    np.testing.assert_allclose(doubled.influence, weighted.influence, atol=1e-14)
    assert "weighted" in weighted.definition
    assert "weighted" not in repeated.definition


@pytest.mark.parametrize("measure", [auc, brier, scaled_brier], ids=["AUC", "Brier", "scaled"])
def test_influence_is_the_derivative_in_the_weights(measure):
    """To first order in 1 / at risk: R's influence has 1 / Y where the derivative of Kaplan-Meier's has 1 / (Y - d)."""
    rng = np.random.default_rng(0)
    n = 3000
    time, event = rng.exponential(size=n), (rng.uniform(size=n) < 0.5).astype(int)
    p = np.clip(0.7 - 0.1 * np.log(time) + rng.normal(size=n) / 5, 0, 1)
    base, step = measure(time, event, p, 1.0), 1e-3
    rows = rng.integers(0, n, 12)
    for row in rows:
        weight = np.ones(n)
        weight[row] += step
        moved = measure(time, event, p, 1.0, weight=weight)
        assert (moved.value - base.value) / step == pytest.approx(base.influence[row], rel=5e-3, abs=2e-7)


def test_whoever_is_censored_at_the_horizon_had_no_event_by_then():
    """Follow-up cut off at a time changes nothing for a horizon at that time: the last time is a horizon."""
    time, event, risks, _ = rows_of_set("gbsg")
    cut, kept = np.minimum(time, 4.5), np.where(time > 4.5, 0, event)
    for measure in (auc, brier, scaled_brier):
        whole, short = measure(time, event, risks["m1"][:, 4], 4.5), measure(cut, kept, risks["m1"][:, 4], 4.5)
        assert short.value == pytest.approx(whole.value, rel=1e-12)
        assert short.se == pytest.approx(whole.se, rel=1e-12)


@pytest.mark.parametrize("measure", [auc, brier, scaled_brier], ids=["AUC", "Brier", "scaled"])
def test_the_order_of_rows_does_not_matter(measure):
    time, event, p, weight = example(2)
    order = np.random.default_rng(1).permutation(len(time))
    a = measure(time, event, p, 5, weight=weight, cause=2)
    b = measure(time[order], event[order], p[order], 5, weight=weight[order], cause=2)
    assert a.value == pytest.approx(b.value, rel=1e-12)
    np.testing.assert_allclose(a.influence[order], b.influence, atol=1e-14)
    assert a.value != measure(time, event, p, 5, weight=weight, cause=1).value


def test_the_definition_names_horizon_cause_and_source():
    time, event, p, _ = example(2)
    words = brier(time, event, p, 5, cause=2).definition
    left = censoring_curve(time, event).at(5, left=True)
    assert f"t=5; cause 2 among competing; censoring curve of these rows, G(5-) = {left:.3g}" in words
    assert "near 0: unstable" not in words
    late = brier(np.arange(1, 41), np.arange(40) % 10 == 9, np.full(40, 0.3), 40)  # the last time is a horizon
    assert "G(40-) = 0.0" in late.definition
    assert ", near 0: unstable" in late.definition
    assert Weights(time, event > 0).at(5).words.startswith("t=5; censoring")
