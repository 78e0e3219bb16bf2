import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from sksurv.linear_model import CoxPHSurvivalAnalysis

from survlspin.errors import InputError
from survlspin.heads import Cox
from survlspin.outcome import Outcome
from survlspin.testing import cohort

FROM_R = json.loads((Path(__file__).parents[1] / "golden" / "cox_baseline.json").read_text())["cases"]
TIES = ["efron", "breslow"]


def baseline(outcome, eta, ties):
    return Cox(ties).baseline(torch.as_tensor(eta, dtype=torch.float64), outcome)


def brute(outcome, eta, ties):
    """Event times and cumulative hazard at log-risk 0, without strata."""
    dead, entry = outcome.event == 1, np.full(len(outcome), -np.inf) if outcome.entry is None else outcome.entry
    risk = np.exp(eta) * (1.0 if outcome.weight is None else outcome.weight)
    times, jumps = np.unique(outcome.time[dead]), []
    for t in times:
        now = dead & (outcome.time == t)
        s, d, m = risk[(entry < t) & (outcome.time >= t)].sum(), risk[now].sum(), now.sum()
        weight = 1.0 if outcome.weight is None else outcome.weight[now].mean()
        jumps.append(weight * (1 / (s - (np.arange(m) / m if ties == "efron" else np.zeros(m)) * d)).sum())
    return times, np.cumsum(jumps)


@pytest.mark.parametrize("case", FROM_R)
def test_cumulative_hazard_equals_r(case):
    gold = {name: np.array(value) if isinstance(value, list) else value for name, value in FROM_R[case].items()}
    hazard = {name: np.array(value) for name, value in gold["basehaz"].items()}
    outcome = Outcome(gold["time"] * 1.0, gold["event"], gold.get("entry"), stratum=gold.get("strata"))
    found = baseline(outcome, gold["lp"], case.split("/")[1])
    strata = [None] if outcome.stratum is None else np.unique(outcome.stratum)
    for label in strata:
        mine = slice(None) if label is None else hazard["strata"] == label
        curve = found.cumulative_hazard(np.zeros(1), hazard["time"][mine], None if label is None else np.array([label]))
        np.testing.assert_allclose(curve[0], hazard["hazard"][mine], rtol=1e-11)
    assert set(found.times) <= set(hazard["time"])


@pytest.mark.parametrize("ties", TIES)
def test_curves_of_new_patients_equal_r(ties):
    gold = FROM_R[f"lung/{ties}"]
    found = baseline(Outcome(np.array(gold["time"], float), np.array(gold["event"])), gold["lp"], ties)
    curves = found.survival(np.array(gold["new"]["lp"]), gold["new"]["time"])
    np.testing.assert_allclose(curves, gold["new"]["survival"], rtol=1e-11)


@pytest.mark.parametrize("options", [(), ("weight",), ("entry",), ("entry", "weight")])
@pytest.mark.parametrize("ties", TIES)
def test_cumulative_hazard_equals_the_definition(ties, options):
    full = cohort(80, seed=2)
    outcome = Outcome(full.time, full.event, **{name: getattr(full, name) for name in options})
    eta = np.random.default_rng(2).normal(size=80)
    times, expected = brute(outcome, eta, ties)
    found = baseline(outcome, eta, ties)
    np.testing.assert_array_equal(found.times, times)
    between = np.concatenate([times - 0.5, times, times + 0.25])
    hazard = found.cumulative_hazard(np.array([0.0, 1.5]), between)
    steps = np.concatenate([[0], expected])
    for row, factor in zip(hazard, np.exp([0.0, 1.5]), strict=True):
        expected_row = np.concatenate([steps[:-1], steps[1:], steps[1:]]) * factor
        np.testing.assert_allclose(row, expected_row, rtol=1e-12)


def test_the_tie_rules_differ():
    outcome = cohort(80)
    ends = [baseline(outcome, np.zeros(80), ties).survival(np.zeros(2), [99], np.arange(2)) for ties in TIES]
    assert (ends[0] < ends[1]).all()


def test_curves_equal_lifelines_and_scikit_survival():
    rng = np.random.default_rng(4)
    x, full = rng.normal(size=(150, 2)), cohort(150, seed=4)
    outcome = Outcome(full.time, full.event)
    y = np.array(list(zip(full.event == 1, full.time, strict=True)), dtype=[("event", bool), ("time", float)])
    peer = CoxPHSurvivalAnalysis(ties="breslow").fit(x, y)
    found = baseline(outcome, x @ peer.coef_, "breslow")
    times = np.unique(full.time)
    np.testing.assert_allclose(
        found.survival(x @ peer.coef_, times), [f(times) for f in peer.predict_survival_function(x)], rtol=1e-12
    )
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(time=full.time, event=full.event)
    other = CoxPHFitter().fit(frame, "time", "event")
    eta = x @ other.params_.to_numpy()
    found = baseline(outcome, eta, "breslow")
    expected = other.predict_cumulative_hazard(frame, times=times).to_numpy().T
    np.testing.assert_allclose(found.cumulative_hazard(eta, times), expected, rtol=1e-11)


@pytest.mark.parametrize("ties", TIES)
def test_curves_at_log_risks_of_300_are_finite_and_fall(ties):
    outcome = cohort(60)
    eta = np.random.default_rng(1).choice([-300.0, 0.0, 300.0], 60)
    found = baseline(outcome, eta, ties)
    times = np.arange(-1.0, 40)
    for values in (found.cumulative_hazard(eta, times, outcome.stratum), -found.survival(eta, times, outcome.stratum)):
        assert np.isfinite(values).all()
        assert (np.diff(values, axis=1) >= 0).all()
    survival = found.survival(eta, times, outcome.stratum)
    assert survival[:, 0].min() == 1
    assert survival.min() >= 0


def test_a_stratum_without_events_has_no_hazard():
    outcome = Outcome(np.arange(1.0, 7), np.array([1, 0, 1, 0, 0, 0]), stratum=np.repeat(["a", "b"], 3))
    found = baseline(outcome, np.zeros(6), "efron")
    np.testing.assert_array_equal(found.survival(np.zeros(1), [0, 3, 9], np.array(["b"])), 1)
    np.testing.assert_array_equal(found.times, [1, 3])


def test_missing_superfluous_and_unknown_strata_are_refused():
    plain = Outcome(np.arange(1.0, 5), np.ones(4, int))
    stratified = Outcome(plain.time, plain.event, stratum=np.array([0, 0, 1, 1]))
    for outcome, stratum in [
        (plain, np.zeros(2)),
        (stratified, None),
        (stratified, np.array([0, 2])),
        (stratified, [0]),
    ]:
        with pytest.raises(InputError, match="SL-412"):
            baseline(outcome, np.zeros(4), "efron").survival(np.zeros(2), [1.0], stratum)
