"""The worked example of McLernon et al. (2023): a Cox model of Rotterdam's patients, judged on them and on GBSG."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin import CoxPH, split_xy
from survlspin.metrics import (
    auc,
    brier,
    calibration_curve,
    calibration_in_the_large,
    calibration_slope,
    concordance,
    observed_expected,
    poisson_slope,
    scaled_brier,
    uno,
)

GOLD = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "stratos.json.gz").read_bytes()))
COLUMNS = ["size2", "size3", "nodes2", "nodes3", "grade3"]
MEASURES = {
    "harrell": lambda d: concordance(d.time, d.event, d.lp),
    "uno": lambda d: uno(d.time, d.event, d.lp, tau=5),
    "oe": lambda d: observed_expected(d.time, d.event, d.risk, 5),
    "slope": lambda d: calibration_slope(d.time, d.event, d.lp, robust=False),
    "large": lambda d: calibration_in_the_large(d.time, d.event, d.hazard, robust=False),
    "poisson": lambda d: poisson_slope(d.time, d.event, d.hazard, d.lp, robust=False),
}
PUBLISHED = {  # of GBSG: value, standard error where it is given
    "harrell": (0.6524008, 0.0167169),
    "uno": (0.6353713, 0.0165112),
    "oe": (1.01739, None),
    "slope": (1.056204, 0.1226128),
    "large": (1.015695, None),
    "poisson": (1.031769, None),
}


@pytest.fixture(scope="module", params=["rotterdam", "gbsg"])
def cohort(request):
    return pd.DataFrame(GOLD[request.param]["data"]), GOLD[request.param]


@pytest.mark.parametrize("measure", MEASURES)
def test_values_and_errors_equal_r(cohort, measure):
    data, gold = cohort
    found = MEASURES[measure](data)
    np.testing.assert_allclose([found.value, found.se], gold[measure][:2], rtol=1e-8)


@pytest.mark.parametrize("measure", PUBLISHED)
def test_values_are_those_published(measure):
    found = MEASURES[measure](pd.DataFrame(GOLD["gbsg"]["data"]))
    value, se = PUBLISHED[measure]
    assert found.value == pytest.approx(value, rel=1e-6)
    assert se is None or found.se == pytest.approx(se, rel=1e-5)


def test_the_robust_error_of_the_slope_is_r_s(cohort):
    data, gold = cohort
    found = calibration_slope(data.time, data.event, data.lp)
    np.testing.assert_allclose(found.se, gold["slope"][2], rtol=1e-8)
    np.testing.assert_allclose(np.sum(found.influence**2), found.se**2, rtol=1e-12)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_smooth_curve_and_its_limits_equal_r(cohort, ties):
    data, gold = cohort
    found = calibration_curve(data.time, data.event, data.risk, 5, ties=ties, grid=data.risk[:5])
    for name in ("observed", "low", "high"):
        np.testing.assert_allclose(found.frame[name], gold["curve"][ties][name], rtol=1e-8)
    for name in ("ici", "e50", "e90", "emax"):
        np.testing.assert_allclose(getattr(found, name), gold["curve"][ties][name], rtol=1e-6)


def test_the_distances_are_those_published():
    data = pd.DataFrame(GOLD["gbsg"]["data"])
    found = calibration_curve(data.time, data.event, data.risk, 5)
    assert [round(d, 2) for d in (found.ici, found.e50, found.e90)] == [0.03, 0.03, 0.07]


def test_brier_score_and_auc_are_those_published():
    data = pd.DataFrame(GOLD["gbsg"]["data"])
    assert round(brier(data.time, data.event, data.risk, 4.99).value, 3) == 0.225
    assert round(auc(data.time, data.event, data.lp, 4.99).value, 3) == 0.677
    assert round(scaled_brier(data.time, data.event, data.risk, 4.99).value, 3) == 0.101


def test_our_cox_regression_predicts_what_was_judged(cohort):
    rotterdam = pd.DataFrame(GOLD["rotterdam"]["data"])
    X, y = split_xy(rotterdam[[*COLUMNS, "time", "event"]], time="time", event="event")
    model = CoxPH().fit(X, y)
    np.testing.assert_allclose(model.coef_[COLUMNS], GOLD["model"]["coef"], rtol=1e-9)
    np.testing.assert_allclose([model.log_likelihood_null_, model.log_likelihood_], GOLD["model"]["loglik"], rtol=1e-12)
    data, _ = cohort
    lp = model.predict(data[COLUMNS])
    np.testing.assert_allclose(np.ptp(lp - data.lp), 0, atol=1e-9)
    np.testing.assert_allclose(-np.expm1(-model.baseline_.cumulative_hazard(lp, [5.0])[:, 0]), data.risk, rtol=1e-8)
