import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.metrics import decision_curve, net_benefit

GOLDEN = Path(__file__).parents[1] / "golden"
GOLD = json.loads(gzip.decompress((GOLDEN / "calibration.json.gz").read_bytes()))
MGUS2 = json.loads(gzip.decompress((GOLDEN / "stratos.json.gz").read_bytes()))["mgus2"]
GBSG = pd.DataFrame(GOLD["data"])


def test_the_curve_equals_r():
    gold = GOLD["decision"]
    found = decision_curve(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"], gold["thresholds"])
    np.testing.assert_allclose(found["model"], gold["model"], rtol=1e-9)
    np.testing.assert_allclose(found["all"], gold["all"], rtol=1e-9)
    assert (found["none"] == 0).all()
    assert found["positive"].iloc[[0, -1]].tolist() == [1, (GBSG.p >= 0.8).mean()]


def test_with_competing_risks_the_incidence_of_r_is_used():
    data, gold = MGUS2["data"], MGUS2["decision"]
    found = decision_curve(data["time"], data["code"], data["risk"], 120, gold["thresholds"])
    np.testing.assert_allclose(found["model"], gold["model"], rtol=1e-9)
    assert found["all"].iloc[0] != found["model"].iloc[0]


def test_without_censoring_true_and_false_positives_are_counted():
    rng = np.random.default_rng(0)
    p, event = rng.uniform(size=300), rng.integers(0, 2, 300)
    time = np.where(event == 1, 1.0, 2.0)
    treated = p >= 0.3
    expected = (event[treated].sum() - (1 - event[treated]).sum() * 0.3 / 0.7) / 300
    assert net_benefit(time, event, p, 1.0, 0.3).value == pytest.approx(expected, rel=1e-12)
    parts = treated * (event - (1 - event) * 0.3 / 0.7)
    found = net_benefit(time, event, p, 1.0, 0.3)
    assert found.se == pytest.approx(parts.std() / np.sqrt(300), rel=1e-12)


def test_the_gain_is_over_the_better_of_all_and_none():
    found = decision_curve(GBSG.time, GBSG.event, GBSG.p, 4, [0.1, 0.3, 0.6, 0.99])
    np.testing.assert_allclose(found["gain"], found["model"] - np.maximum(found["all"], 0))
    assert found["gain_se"].iloc[0] == pytest.approx(0, abs=1e-15)  # all are treated
    assert 0 < found["gain_se"].iloc[1] < found["se"].iloc[1]
    assert found["gain_se"].iloc[2] == found["se"].iloc[2]
    assert found.iloc[3][["positive", "model", "se"]].tolist() == [0, 0, 0]  # nobody is


def test_errors_cover():
    rng, inside = np.random.default_rng(2), []
    tail = np.linspace(0.5, 0.9, 10_001)  # of the predictions; F by .99 of those who have p by 1
    truth = 0.5 * np.mean(1 - 2 * (1 - tail) ** 0.99)
    for _ in range(300):
        p = rng.uniform(0.1, 0.9, 200)
        death, censored = rng.exponential(-1 / np.log1p(-p)), rng.uniform(0.2, 3, 200)
        found = net_benefit(np.minimum(death, censored), death <= censored, p, 0.99, 0.5)
        inside.append(found.low < truth < found.high)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_weights_repeat_rows_and_thresholds_are_each_one():
    weight = np.random.default_rng(0).integers(0, 3, len(GBSG))
    row = np.repeat(np.arange(len(GBSG)), weight)
    one = decision_curve(GBSG.time, GBSG.event, GBSG.p, 4, [0.3, 0.5], weight=weight)
    two = decision_curve(GBSG.time[row], GBSG.event[row], GBSG.p[row], 4, [0.3, 0.5])
    np.testing.assert_allclose(one[["positive", "model", "all"]], two[["positive", "model", "all"]], rtol=1e-9)
    both = net_benefit(GBSG.time, GBSG.event, GBSG.p, 4, [0.3, 0.5])
    assert both[1].value == net_benefit(GBSG.time, GBSG.event, GBSG.p, 4, 0.5).value


def test_probabilities_in_single_precision_are_counted_once():
    p = np.array([0.7, 0.2, 0.9], dtype=np.float32)  # the first is just below 0.7
    line = decision_curve([1, 2, 3], [1, 1, 1], p, 2, [0.7]).iloc[0]
    assert line["positive"] == pytest.approx(1 / 3)
    assert line["model"] == pytest.approx(-0.7 / 0.3 / 3)  # one false positive


@pytest.mark.parametrize("thresholds", [[0.2, 1.0], [0], [], "low", [[0.2]], np.nan], ids=range(6))
def test_315_thresholds_are_probabilities(thresholds):
    with pytest.raises(InputError, match="SL-315"):
        net_benefit(GBSG.time, GBSG.event, GBSG.p, 4, thresholds)


def test_315_one_horizon_at_a_time():
    with pytest.raises(InputError, match="SL-315"):
        decision_curve(GBSG.time, GBSG.event, np.stack([GBSG.p, GBSG.p], axis=1), [3, 4], [0.2])


def test_thresholds_have_no_default():
    with pytest.raises(TypeError, match="thresholds"):
        decision_curve(GBSG.time, GBSG.event, GBSG.p, 4)
