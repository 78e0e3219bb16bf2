import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survlspin.errors import InputError
from survlspin.metrics import (
    calibration_curve,
    calibration_in_the_large,
    calibration_slope,
    compare,
    decision_curve,
    horizon_calibration,
    net_benefit,
    observed_expected,
    poisson_slope,
)

GOLDEN = Path(__file__).parents[1] / "golden"
GOLD = json.loads(gzip.decompress((GOLDEN / "calibration.json.gz").read_bytes()))
GBSG = pd.DataFrame(GOLD["data"])
MGUS2 = json.loads(gzip.decompress((GOLDEN / "stratos.json.gz").read_bytes()))["mgus2"]


def cohort(n=200, seed=0, causes=1):
    """Times in whole units, most of them tied; events, log-risks and the probabilities that made them."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    death = rng.exponential(30 * np.exp(-risk))
    time = np.ceil(np.minimum(death, rng.uniform(5, 60, n)))
    event = (death <= time) * rng.integers(1, causes + 1, n)
    return time, event, risk, -np.expm1(-20 / 30 * np.exp(risk))


def estimates(time, event, p, risk, weight=None):
    """One of each estimate, at 20."""
    binary = (np.asarray(event) == 1).astype(int)
    hazard = -np.log1p(-p) * np.minimum(time, 20) / 20
    intercept, slope = horizon_calibration(time, event, p, 20, weight=weight)
    return {
        "oe": observed_expected(time, event, p, 20, weight=weight),
        "large": calibration_in_the_large(time, binary, hazard, 20, weight=weight),
        "poisson": poisson_slope(time, binary, hazard, risk, 20, weight=weight),
        "slope": calibration_slope(time, event, risk, weight=weight),
        "intercept": intercept,
        "horizon slope": slope,
        "net benefit": net_benefit(time, event, p, 20, 0.4, weight=weight),
    }


# ---- equality with R ----


def test_gbsg_equals_r():
    ratio = observed_expected(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"])
    slope = calibration_slope(GBSG.time, GBSG.event, GBSG.lp, robust=False)
    np.testing.assert_allclose(ratio.value, GOLD["oe"]["ratio"], rtol=1e-9)
    np.testing.assert_allclose([slope.value, slope.se], GOLD["slope"], rtol=1e-8)


def test_with_competing_risks_the_incidence_is_r_s():
    data = MGUS2["data"]
    found = observed_expected(data["time"], data["code"], data["risk"], 120)
    np.testing.assert_allclose(found.value * np.mean(data["risk"]), MGUS2["incidence"][0], rtol=1e-9)
    cause = calibration_slope(data["time"], data["code"], np.log(data["risk"]), robust=False)
    np.testing.assert_allclose([cause.value, cause.se], MGUS2["cause_slope"], rtol=1e-8)
    assert "causes other than 1 censored" in cause.definition


# ---- definitions ----


@pytest.mark.parametrize("causes", [1, 2])
@pytest.mark.parametrize("name", estimates(*np.array(cohort())[[0, 1, 3, 2]]))
def test_influence_is_the_weight_times_the_derivative(name, causes):
    time, event, risk, p = cohort(60, seed=3, causes=causes)
    weight = np.random.default_rng(1).uniform(0.5, 2, 60)
    found = estimates(time, event, p, risk, weight)[name]
    np.testing.assert_allclose(np.sum(found.influence**2), found.se**2, rtol=1e-12)
    if name in ("intercept", "horizon slope"):
        return  # these take pseudo-values as data
    for row in (4, 17, 40):
        ends = []
        for factor in (1 - 1e-4, 1 + 1e-4):
            moved = weight.copy()
            moved[row] *= factor
            ends.append(estimates(time, event, p, risk, moved)[name].value)
        np.testing.assert_allclose(found.influence[row], (ends[1] - ends[0]) / 2e-4, rtol=1e-5, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2]))
def test_rows_may_be_shuffled_repeated_or_absent(seed, causes):
    time, event, risk, p = cohort(80, seed=seed, causes=causes)
    rng = np.random.default_rng(seed)
    order = rng.permutation(80)
    plain = estimates(time, event, p, risk)
    shuffled = estimates(time[order], event[order], p[order], risk[order])
    weight = rng.integers(0, 3, 80)
    weighted = estimates(time, event, p, risk, weight)
    row = np.repeat(np.arange(80), weight)
    repeated = estimates(time[row], event[row], p[row], risk[row])
    for name in plain:
        np.testing.assert_allclose(shuffled[name].value, plain[name].value, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(shuffled[name].influence, plain[name].influence[order], rtol=1e-6, atol=1e-9)
        if name != "slope":  # Efron's terms differ between a weight of 2 and two deaths
            np.testing.assert_allclose(weighted[name].value, repeated[name].value, rtol=1e-8, atol=1e-10)


def test_a_recalibrated_model_is_calibrated():
    time, event, risk, _ = cohort(500)
    slope = calibration_slope(time, event, risk)
    assert calibration_slope(time, event, risk * slope.value).value == pytest.approx(1, abs=1e-9)
    hazard = 0.01 * time * np.exp(risk)
    large = calibration_in_the_large(time, event, hazard)
    assert calibration_in_the_large(time, event, hazard * large.value).value == pytest.approx(1, abs=1e-12)
    poisson = poisson_slope(time, event, hazard, risk)
    steeper = poisson_slope(time, event, hazard * np.exp(risk * (poisson.value - 1)), risk * poisson.value)
    assert steeper.value == pytest.approx(1, abs=1e-9)
    everybody = observed_expected(time, event, np.full(500, 0.25), 20)
    assert observed_expected(time, event, np.full(500, 0.25 * everybody.value), 20).value == pytest.approx(1, abs=1e-12)


def test_true_probabilities_are_calibrated_whatever_the_seed():
    time, event, risk, p = cohort(20_000, seed=5)
    death = np.random.default_rng(9).exponential(30 * np.exp(-risk))
    censored = np.random.default_rng(10).uniform(5, 60, 20_000)
    time, event = np.minimum(death, censored), death <= censored
    assert observed_expected(time, event, p, 20).value == pytest.approx(1, abs=0.03)
    intercept, slope = horizon_calibration(time, event, p, 20)
    assert intercept.value == pytest.approx(0, abs=0.05)
    assert slope.value == pytest.approx(1, abs=0.05)


def test_several_horizons_are_each_one():
    time, event, _, p = cohort()
    both = observed_expected(time, event, np.stack([p / 2, p], axis=1), [10, 20])
    assert [e.value for e in both] == [
        observed_expected(time, event, p / 2, 10).value,
        observed_expected(time, event, p, 20).value,
    ]


def test_a_horizon_ends_follow_up():
    time, event, risk, _ = cohort()
    cut, stopped = np.minimum(time, 20), event * (time <= 20)
    hazard = cut * np.exp(risk) / 30
    assert (
        calibration_in_the_large(time, event, hazard, 20).value
        == calibration_in_the_large(cut, stopped, hazard).value
        != calibration_in_the_large(time, event, hazard).value
    )
    assert poisson_slope(time, event, hazard, risk, 20).value == poisson_slope(cut, stopped, hazard, risk).value


def test_options_differ():
    time, event, risk, p = cohort()
    slopes = {calibration_slope(time, event, risk, ties=ties).value for ties in ("efron", "breslow")}
    assert len(slopes) == 2
    for measure in (
        lambda robust: calibration_slope(time, event, risk, robust=robust),
        lambda robust: calibration_in_the_large(time, event, p, robust=robust),
        lambda robust: poisson_slope(time, event, p, risk, robust=robust),
    ):
        found, model = measure(True), measure(False)
        assert found.value == model.value
        assert found.se != model.se
        assert model.influence is None
        assert "robust error" in found.definition
        assert "model-based error" in model.definition


def test_strata_and_entry_change_the_slope():
    time, event, risk, _ = cohort()
    plain = calibration_slope(time, event, risk).value
    assert calibration_slope(time, event, risk, stratum=np.arange(200) % 2).value != plain
    assert calibration_slope(time, event, risk, entry=time / 2).value != plain


def test_rows_that_are_there_twice_count_once_by_cluster():
    time, event, risk, p = cohort()
    twice = [np.tile(values, 2) for values in (time, event, risk, p)]

    def measures(t, e, r, p, cluster=None):
        return [
            observed_expected(t, e, p, 20, cluster=cluster),
            calibration_in_the_large(t, e, p, cluster=cluster),
            poisson_slope(t, e, p, r, cluster=cluster),
            calibration_slope(t, e, r, ties="breslow", cluster=cluster),
        ]

    for one, two in zip(
        measures(time, event, risk, p), measures(*twice, cluster=np.tile(np.arange(200), 2)), strict=True
    ):
        np.testing.assert_allclose([two.value, two.se], [one.value, one.se], rtol=1e-8)
        assert len(two.influence) == 200
        assert "clustered" in two.definition


def test_two_models_are_compared_on_the_same_rows():
    time, event, risk, p = cohort()
    gap = compare(observed_expected(time, event, p, 20), observed_expected(time, event, p**2, 20))
    assert gap.high < 0
    nothing = compare(calibration_slope(time, event, risk), calibration_slope(time, event, 0 * risk))
    assert "undefined" in nothing.definition
    with pytest.raises(InputError, match="SL-338"):
        compare(calibration_slope(time, event, risk), calibration_slope(time[1:], event[1:], risk[1:]))


def test_counts_are_what_the_ratio_is_made_of():
    time, event, _, p = cohort()
    found = observed_expected(time, event, p, 20)
    assert found.counts["expected"].item() == pytest.approx(p.mean())
    assert found.value == pytest.approx((found.counts["observed"] / found.counts["expected"]).item())


# ---- what is undefined or refused ----


@pytest.mark.parametrize(
    ("measure", "why"),
    [
        (lambda t, e, z: observed_expected(t, e, z, 20), "the mean prediction is 0"),
        (lambda t, e, z: calibration_in_the_large(t, 0 * e, z + 1), "no event"),
        (lambda t, e, z: calibration_in_the_large(t, e, z), "no hazard"),
        (lambda t, e, z: poisson_slope(t, e, z + 1, z), "all risks are equal"),
        (lambda t, e, z: poisson_slope(t, e, z, t), "no events"),
        (lambda t, e, z: calibration_slope(t, e, z), "all risks are equal"),
        (lambda t, e, z: calibration_slope(t, 0 * e, t), "no events"),
        (lambda t, e, z: calibration_slope(t, t < 9, (t < 9) * 1.0), "without end"),
        (lambda t, e, z: poisson_slope(t, t < 9, z + 1, (t < 9) * 1.0), "without end"),
        (lambda t, e, z: horizon_calibration(t, e, z + 0.5, 20)[1], "all predictions are equal"),
        (lambda t, e, z: horizon_calibration(t, 0 * e, z + 0.5, 20)[0], "no events"),
    ],
    ids=range(11),
)
def test_undefined_is_said(measure, why):
    time, event, _, _ = cohort()
    found = measure(time, event, np.zeros(200))
    assert np.isnan([found.value, found.se, found.low, found.high]).all()
    assert "undefined" in repr(found)
    assert why in found.definition


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("SL-303", lambda t, e, r, p: observed_expected(t, e, 100 * p, 20)),
        ("SL-303", lambda t, e, r, p: calibration_curve(t, e, 100 * p, 20)),
        ("SL-303", lambda t, e, r, p: decision_curve(t, e, 100 * p, 20, [0.2])),
        ("SL-304", lambda t, e, r, p: horizon_calibration(t, e, p - 0.5, 20)),
        ("SL-306", lambda t, e, r, p: observed_expected(t, e, p, 1000)),
        ("SL-306", lambda t, e, r, p: observed_expected(t, e, p, 20, weight=0 * t)),
        ("SL-306", lambda t, e, r, p: observed_expected([], [], [], 20)),
        ("SL-323", lambda t, e, r, p: calibration_slope([], [], [])),
        ("SL-313", lambda t, e, r, p: calibration_in_the_large(t, e, p - 1)),
        ("SL-313", lambda t, e, r, p: poisson_slope(t, e, p - 1, r)),
        ("SL-326", lambda t, e, r, p: observed_expected(t, e, p, 20, cause=3)),
        ("SL-326", lambda t, e, r, p: calibration_slope(t, e, r, cause=3)),
        ("SL-332", lambda t, e, r, p: calibration_slope(t, e, np.where(r > 1, np.nan, r))),
        ("SL-332", lambda t, e, r, p: observed_expected(t, e, np.where(r > 1, np.nan, p), 20)),
        ("SL-401", lambda t, e, r, p: calibration_slope(t, e, r, ties="exact")),
    ],
    ids=range(15),
)
def test_mistakes_have_codes(code, call):
    with pytest.raises(InputError) as caught:
        call(*cohort())
    assert caught.value.code == code


def test_a_horizon_at_the_last_time_is_accepted():
    time, event, _, p = cohort()
    assert observed_expected(time, event, p, time.max()).value > 0
    assert calibration_curve(time, event, p, time.max()).ici > 0
