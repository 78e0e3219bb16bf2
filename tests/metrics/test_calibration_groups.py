import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from survlspin.errors import InputError
from survlspin.metrics import calibration_groups, d_calibration

GOLDEN = Path(__file__).parents[1] / "golden"
GOLD = json.loads(gzip.decompress((GOLDEN / "calibration.json.gz").read_bytes()))
MGUS2 = json.loads(gzip.decompress((GOLDEN / "stratos.json.gz").read_bytes()))["mgus2"]
GBSG = pd.DataFrame(GOLD["data"])


def test_deciles_equal_r():
    found = calibration_groups(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"])
    for name, values in GOLD["deciles"].items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9)


def test_groups_with_competing_risks_equal_r():
    data = MGUS2["data"]
    found = calibration_groups(data["time"], data["code"], data["risk"], 120, groups=5)
    gold = np.array(MGUS2["groups"])[:, [0, 2, 3]]
    np.testing.assert_allclose(found[["observed", "low", "high"]], gold, rtol=1e-8)


def test_counts_add_up():
    found = calibration_groups(GBSG.time, GBSG.event, GBSG.p, GOLD["horizon"], groups=4)
    assert len(found) == 4
    assert found["n"].sum() == len(GBSG)
    assert found["events"].sum() == (GBSG.event * (GBSG.time <= GOLD["horizon"])).sum()
    assert found["n_risk"].sum() == (GBSG.time >= GOLD["horizon"]).sum()


def test_whole_weights_repeat_rows_and_tied_predictions_share_a_group():
    weight = np.random.default_rng(0).integers(0, 3, len(GBSG))
    row = np.repeat(np.arange(len(GBSG)), weight)
    one = calibration_groups(GBSG.time, GBSG.event, GBSG.p, 4, weight=weight)
    two = calibration_groups(GBSG.time[row], GBSG.event[row], GBSG.p[row], 4)
    np.testing.assert_allclose(one, two, rtol=1e-9)
    tied = calibration_groups(GBSG.time, GBSG.event, np.where(GBSG.p > 0.5, 0.6, 0.3), 4)
    assert tied["predicted"].tolist() == pytest.approx([0.3, 0.6])
    assert len(calibration_groups(GBSG.time, GBSG.event, np.full(len(GBSG), 0.4), 4)) == 1


def brute_d(event, s, bins):
    """The counts of Haider et al. (2020), patient by patient and bin by bin."""
    count = np.zeros(bins)
    for died, at in zip(event, s, strict=True):
        for k in range(bins):
            low, high = k / bins, (k + 1) / bins
            inside = low <= at < high or (k == bins - 1 and at == 1)
            if died:
                count[k] += inside
            elif inside:
                count[k] += (at - low) / at if at > 0 else 1
            elif at >= high:
                count[k] += (high - low) / at
    return count


@pytest.mark.parametrize("bins", [2, 8, 16])
def test_d_calibration_equals_its_definition(bins):
    rng = np.random.default_rng(bins)
    s = np.concatenate([rng.uniform(size=200), [0, 0, 1, 1, 0.5, 0.5]])
    event = rng.integers(0, 2, len(s))
    event[-6:] = [0, 1, 0, 1, 0, 1]
    found = d_calibration(np.ones(len(s)), event, 1 - s, bins=bins)
    count = brute_d(event, 1 - (1 - s), bins)
    np.testing.assert_allclose(found.bins["count"], count, rtol=1e-9)
    test = chisquare(count)
    np.testing.assert_allclose([found.statistic, found.p], [test.statistic, test.pvalue], rtol=1e-9)
    assert found.df == bins - 1
    assert f"on {bins - 1} df" in repr(found)


def test_true_probabilities_are_d_calibrated_and_others_not():
    rng = np.random.default_rng(1)
    rate = np.exp(rng.normal(size=4000))
    death, censored = rng.exponential(1 / rate), rng.uniform(0, 3, 4000)
    time, event = np.minimum(death, censored), death <= censored
    assert d_calibration(time, event, -np.expm1(-rate * time)).p > 0.05
    assert d_calibration(time, event, -np.expm1(-2 * rate * time)).p < 1e-6


@pytest.mark.parametrize(
    "call",
    [
        lambda d: calibration_groups(d.time, d.event, d.p, 4, groups=1),
        lambda d: d_calibration(d.time, d.event, d.p, bins=1),
        lambda d: d_calibration(d.time, d.event, d.p, bins=2.5),
    ],
    ids=["groups", "bins", "half"],
)
def test_316_too_few_groups_are_refused(call):
    with pytest.raises(InputError, match="SL-316"):
        call(GBSG)


def test_323_nobody_is_not_calibrated():
    with pytest.raises(InputError, match="SL-323"):
        d_calibration([], [], [])


def test_303_percentages_are_refused():
    with pytest.raises(InputError, match="SL-303"):
        d_calibration(GBSG.time, GBSG.event, GBSG.p * 100)
