import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from survlspin.errors import InputError
from survlspin.metrics import explained
from survlspin.metrics.compare import compare
from survlspin.metrics.explained import gonen_heller, kent_oquigley_r2, nagelkerke_r2, royston_d, royston_r2

R = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "score.json.gz").read_bytes()))
MEASURES = [royston_d, royston_r2, kent_oquigley_r2, nagelkerke_r2, gonen_heller]
NAMES = {royston_d: "D", royston_r2: "R.D", kent_oquigley_r2: "R.KO", nagelkerke_r2: "R.N", gonen_heller: "C.GH"}
IDS = [measure.__name__ for measure in MEASURES]


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_on_its_own_rows_r_agrees(measure):
    case = R["royston"]
    options = {} if measure in (royston_d, royston_r2) else {"recalibrate": False}
    if measure is nagelkerke_r2:
        options["ties"] = "breslow"
    found = measure(case["time"], case["event"], case["lp"], **options)
    assert found.value == pytest.approx(case["apparent"][NAMES[measure]], rel=1e-8)
    assert np.sum(found.influence**2) == pytest.approx(found.se**2, rel=1e-12)


@pytest.mark.parametrize(
    "measure", [m for m in MEASURES if m is not nagelkerke_r2], ids=[i for i in IDS if "nag" not in i]
)
def test_on_new_rows_r_agrees(measure):
    """R multiplies the log-risks by their slope on the new rows; so do we unless told otherwise."""
    time, event, lp = R["gbsg"]["time"], R["gbsg"]["event"], np.array(R["pec"]["lp"])
    assert measure(time, event, lp).value == pytest.approx(R["royston"]["new"][NAMES[measure]], rel=1e-8)
    assert measure(time, event, 3 * lp + 1).value == pytest.approx(measure(time, event, lp).value, rel=1e-9)


def test_the_standard_error_of_r():
    time, event, lp = R["gbsg"]["time"], R["gbsg"]["event"], R["pec"]["lp"]
    model, robust = (royston_d(time, event, lp, robust=robust) for robust in (False, True))
    assert model.se == pytest.approx(R["royston"]["new"]["se(D)"], rel=1e-8)
    assert model.influence is None
    assert 1.02 * model.se < robust.se < 1.2 * model.se  # the scores are estimated, too
    assert "model-based" in model.definition
    assert "robust" in robust.definition


def cohort(n, seed=0):
    rng = np.random.default_rng(seed)
    risk = np.round(rng.normal(size=n), 2)
    death, censoring = rng.exponential(np.exp(-risk)), rng.exponential(1.5, n)
    return np.ceil(20 * np.minimum(death, censoring)), (death <= censoring).astype(int), risk


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_influence_is_what_leaving_a_patient_out_changes(measure):
    columns = np.array(cohort(250))
    whole = measure(*columns)
    left_out = [whole.value - measure(*np.delete(columns, i, axis=1)).value for i in range(0, 250, 10)]
    influence = whole.influence[::10]
    assert np.corrcoef(left_out, influence)[0, 1] > 0.995
    assert np.std(left_out) == pytest.approx(np.std(influence), rel=0.06)
    assert abs(whole.influence.sum()) < 0.05 * whole.se * np.sqrt(250)


@pytest.mark.parametrize("spread", [0.01, 1, 30])
def test_gonen_and_heller_over_all_pairs(spread):
    time, event, risk = cohort(200)
    eta = spread * risk
    pairs = expit(np.abs(eta[:, None] - eta))
    expected = (pairs.sum() - 100) / (200 * 199)
    found = gonen_heller(time, event, eta, recalibrate=False)
    assert found.value == pytest.approx(expected, rel=1e-11)
    own = 2 * ((pairs.sum(axis=1) - 0.5) / 199 - expected) / 200
    np.testing.assert_allclose(found.influence, own, atol=1e-13)
    turned = gonen_heller(time, event, -eta)  # only distances count
    assert turned.value == pytest.approx(gonen_heller(time, event, eta).value, rel=1e-9)


def test_what_is_no_log_hazard_ratio_is_refused():
    time, event, risk = cohort(200)
    with pytest.raises(InputError, match="SL-311"):
        gonen_heller(time, event, 1000 * risk, recalibrate=False)
    assert gonen_heller(time, event, 1000 * risk).value == pytest.approx(
        gonen_heller(time, event, risk).value, rel=1e-9
    )


def test_blocks_of_rows_join(monkeypatch):
    whole = gonen_heller(*cohort(1000))
    monkeypatch.setattr(explained, "CELLS", 1000)
    apart = gonen_heller(*cohort(1000))
    assert apart.value == pytest.approx(whole.value, rel=1e-12)
    np.testing.assert_allclose(apart.influence, whole.influence, atol=1e-15)


def test_d_knows_ranks_only():
    time, event, risk = cohort(300)
    assert royston_d(time, event, np.exp(risk)).value == royston_d(time, event, risk).value
    assert royston_d(time, event, -risk).value == pytest.approx(-royston_d(time, event, risk).value, rel=1e-9)
    weaker = royston_d(time, event, risk + np.random.default_rng(1).normal(size=300))
    difference = compare(royston_d(time, event, risk), weaker)
    assert difference.value > 2 * difference.se > 0


def test_options_change_the_result():
    time, event, risk = cohort(300)
    for measure in MEASURES[2:]:
        assert measure(time, event, 2 * risk).value != measure(time, event, 2 * risk, recalibrate=False).value
    efron, breslow = (nagelkerke_r2(time, event, risk, ties=ties).value for ties in ("efron", "breslow"))
    assert efron != pytest.approx(breslow, rel=1e-6)
    with pytest.raises(InputError, match="SL-401"):
        nagelkerke_r2(time, event, risk, ties="exact")


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_other_causes_are_censored(measure):
    time, event, risk = cohort(200)
    codes = event * np.random.default_rng(2).integers(1, 3, 200)
    found = measure(time, codes, risk, cause=2)
    assert found.value == pytest.approx(measure(time, codes == 2, risk).value, rel=1e-12)
    with pytest.raises(InputError, match="SL-326"):
        measure(time, codes, risk, cause=3)


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_323_nobody(measure):
    with pytest.raises(InputError, match="SL-323"):
        measure([], [], [])


@pytest.mark.parametrize("measure", MEASURES, ids=IDS)
def test_without_events_or_differences_it_is_undefined(measure):
    for event, risk in (([0, 0, 0], [1, 2, 3]), ([1, 1, 0], [2, 2, 2])):
        found = measure([1, 2, 3], event, risk)
        assert np.isnan(found.value)
        assert "undefined: no events, or all risks are equal" in repr(found)
