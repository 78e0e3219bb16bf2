import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.metrics import calibration_curve, horizon_calibration
from survlspin.metrics.calibration_pseudo import pseudo_values
from survlspin.metrics.inputs import rows_of

GOLDEN = Path(__file__).parents[1] / "golden"
GOLD = json.loads(gzip.decompress((GOLDEN / "calibration.json.gz").read_bytes()))
STRATOS = json.loads(gzip.decompress((GOLDEN / "stratos.json.gz").read_bytes()))
GBSG = pd.DataFrame(GOLD["data"])
DISTANCES = ("ici", "e50", "e90", "emax")


def invented(n=400, seed=0):
    """Exponential times with the probabilities of an event by 1 that made them, censored at random."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.9, n)
    death, censored = rng.exponential(-1 / np.log1p(-p)), rng.uniform(0.3, 3, n)
    return np.minimum(death, censored), (death <= censored).astype(int), p


def pseudo_case(name):
    case = STRATOS["mgus2"] if name == "mgus2" else STRATOS["gbsg"]
    data, gold = case["data"], STRATOS["pseudo_gbsg"] if name == "gbsg" else case["pseudo"]
    return data["time"], data.get("code", data.get("event")), np.array(data["risk"]), gold


def test_the_curve_equals_rms_and_risk_regression():
    found = calibration_curve(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"], ties="breslow")
    np.testing.assert_allclose(found.observed, GBSG.rcs, rtol=1e-9)
    for name in DISTANCES:
        np.testing.assert_allclose(getattr(found, name), GOLD["rcs"][name], rtol=1e-8)


def test_hazard_regression_differs_and_is_not_offered():
    found = calibration_curve(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"], ties="breslow")
    assert 0.01 < np.abs(found.observed - GBSG.hare).max() < 0.12
    with pytest.raises(InputError, match=r"SL-314 method='hare'\. Use one of cox, pseudo"):
        calibration_curve(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"], method="hare")


@pytest.mark.parametrize("name", ["gbsg", "mgus2"])
def test_pseudo_values_and_their_regressions_equal_r(name):
    time, event, p, gold = pseudo_case(name)
    values = pseudo_values(rows_of(time, event, causes=True), gold["horizon"])
    np.testing.assert_allclose(values.mean(), gold["mean"], rtol=1e-10)
    np.testing.assert_allclose(values[:20], gold["pseudo"], rtol=1e-8, atol=1e-12)
    intercept, slope = horizon_calibration(time, event, p, gold["horizon"])
    np.testing.assert_allclose([intercept.value, intercept.se], gold["level"], rtol=1e-7)
    np.testing.assert_allclose([slope.value, slope.se], gold["line"], rtol=1e-6)
    curve = calibration_curve(time, event, p, gold["horizon"], method="pseudo", grid=p[:20])
    np.testing.assert_allclose(curve.observed[:20], gold["observed"], rtol=1e-7)
    np.testing.assert_allclose(curve.frame["observed"], gold["observed"], rtol=1e-7)
    for part in DISTANCES:
        np.testing.assert_allclose(getattr(curve, part), gold[part], rtol=1e-6)


def test_competing_risks_are_smoothed_by_pseudo_values():
    time, event, p, gold = pseudo_case("mgus2")
    assert calibration_curve(time, event, p, gold["horizon"]).ici == pytest.approx(gold["ici"], rel=1e-6)
    assert "cause 2" in calibration_curve(time, event, p, gold["horizon"], cause=2).definition
    with pytest.raises(InputError, match="SL-314"):
        calibration_curve(time, event, p, gold["horizon"], method="cox")


def test_methods_and_ties_differ():
    time, event, p = invented()
    time = np.ceil(time * 10) / 10
    found = [calibration_curve(time, event, p, 1, **how).ici for how in ({}, {"method": "pseudo"}, {"ties": "breslow"})]
    assert len(set(found)) == 3
    assert calibration_curve(time, event, p, 1, n_knots=5).ici != found[0]


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_true_probabilities_are_near_the_diagonal(method):
    time, event, p = invented(20_000)
    found = calibration_curve(time, event, p, 1, method=method)
    assert found.emax < 0.04
    frame = found.frame
    assert (frame["low"] < frame["observed"]).all()
    assert (frame["observed"] < frame["high"]).all()
    assert frame[["low", "high"]].stack().between(0, 1).all()
    assert frame["predicted"].iloc[[0, -1]].tolist() == pytest.approx(np.quantile(p, [0.01, 0.99]))
    assert calibration_curve(time, event, p**2, 1, method=method).ici > 0.1


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_pointwise_intervals_cover(method):
    inside = []
    for seed in range(100):
        time, event, p = invented(300, seed)
        frame = calibration_curve(time, event, p, 1, method=method, grid=[0.3, 0.6]).frame
        inside.append((frame["low"] < frame["predicted"]) & (frame["predicted"] < frame["high"]))
    assert 0.9 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_weights_of_whole_numbers_repeat_rows(method):
    time, event, p = invented(150)
    weight = np.random.default_rng(1).integers(0, 3, 150)
    row = np.repeat(np.arange(150), weight)
    how = {"method": method, "ties": "breslow", "grid": [0.2, 0.5]}
    weighted = calibration_curve(time, event, p, 1, weight=weight, **how)
    repeated = calibration_curve(time[row], event[row], p[row], 1, **how)
    np.testing.assert_allclose(weighted.frame["observed"], repeated.frame["observed"], rtol=1e-8)
    for name in DISTANCES:
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-7)


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_all_predictions_equal_give_the_observed_risk(method):
    time, event, _ = invented()
    found = calibration_curve(time, event, np.full(400, 0.5), 1, method=method)
    assert np.ptp(found.observed) == 0
    assert found.ici == pytest.approx(abs(found.observed[0] - 0.5))


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_predictions_of_0_and_1_are_numbers(method):
    time, event, p = invented()
    p[:3], p[3:6] = 0, 1
    assert np.isfinite(calibration_curve(time, event, p, 1, method=method, grid=[0, 0.5, 1]).frame).all(axis=None)


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_limits_without_end_are_0_and_1(method):
    p = np.linspace(0.001, 0.999, 12)
    found = calibration_curve(np.arange(12.0, 0, -1), p > 0.8, p, 6, method=method, grid=[0.01, 0.99])
    assert (found.frame[["low", "high"]].isin([0, 1]).any(axis=None)) or found.frame["low"].isna().all()
    assert not (found.frame[["observed", "low", "high"]].to_numpy() > 1).any()


@pytest.mark.parametrize("method", ["cox", "pseudo"])
def test_no_event_is_undefined(method):
    time, _, p = invented()
    found = calibration_curve(time, 0 * time, p, 0.2, method=method)
    assert np.isnan(found.ici)
    assert "undefined: too few events" in repr(found)


def test_several_horizons_are_each_one():
    time, event, p = invented()
    both = calibration_curve(time, event, np.stack([p / 2, p], axis=1), [0.5, 1])
    assert [c.ici for c in both] == [
        calibration_curve(time, event, p / 2, 0.5).ici,
        calibration_curve(time, event, p, 1).ici,
    ]


@pytest.mark.parametrize("grid", [[0.5, 1.5], [[0.5]], [np.nan]], ids=["above", "shape", "nan"])
def test_317_a_grid_of_no_probabilities_is_refused(grid):
    with pytest.raises(InputError, match="SL-317"):
        calibration_curve(*invented(), 1, grid=grid)
