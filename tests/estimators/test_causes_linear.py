"""Linear models of competing risks: equality with R, and what is refused."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin import CauseSpecificCoxPH, CoxPH, FineGray, InputError, InputWarning, Outcome, load
from survlspin.competing import cumulative_incidence
from survlspin.heads.subdistribution import SubdistributionTarget

GOLD = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "competing.json.gz").read_bytes()))
TABLE, NEW = pd.DataFrame(GOLD["data"]), pd.DataFrame(GOLD["new"])
PREDICTORS, AT = ["age", "male", "mspike"], GOLD["at"]
X = TABLE[PREDICTORS]
NAMES = {1: "pcm", 2: "death"}
KINDS = {"": [], "/weighted": ["w"], "/entry": ["entry"]}
# crr of R's cmprsk 2.2-11 on the same rows, whose weights treat censorings at event times in another way
CRR = {
    1: ([-0.0169425280797417, -0.213616037006754, 0.88846412648137],
        [0.00582979039274533, 0.185201471951203, 0.155231297283012]),
    2: ([0.0588038790536341, 0.367586906116736, -0.153960684851349],
        [0.00372472400599868, 0.0672207503843765, 0.0636916752651465]),
}  # fmt: skip


def outcome(kind=""):
    roles = {"time": "time", "event": "code", **{{"w": "weight"}.get(name, name): name for name in KINDS[kind]}}
    return pd.DataFrame({role: TABLE[name] for role, name in roles.items()})


# ---- equality with R ----


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cause_specific_coefficients_equal_r(ties):
    model = CauseSpecificCoxPH(ties=ties).fit(X, outcome())
    for cause, name in NAMES.items():
        gold = GOLD["cause_specific"][f"{name}/{ties}"]
        np.testing.assert_allclose(model.coef_[cause], gold["coef"], rtol=1e-9)
        np.testing.assert_allclose(model.se_[cause], gold["naive_se"], rtol=1e-8)
        found = model.log_likelihood_null_[cause], model.log_likelihood_[cause]
        np.testing.assert_allclose(found, gold["loglik"], rtol=1e-12)
        summary = model.summary(cause)
        np.testing.assert_array_equal(summary["coef"], model.coef_[cause])
        assert model.n_events_[cause] == (TABLE["code"] == cause).sum()


@pytest.mark.parametrize(("ties", "kind"), [("efron", ""), *(("breslow", kind) for kind in KINDS)])
def test_incidences_equal_r(ties, kind):
    model = CauseSpecificCoxPH(ties=ties, robust=False).fit(X, outcome(kind))
    gold = np.array(GOLD["incidence"][ties + kind])  # patients, states, times
    found = model.predict_cumulative_incidence(NEW, AT)
    np.testing.assert_allclose(found, gold[:, 1:], rtol=1e-8)
    survival = model.predict_survival_function(NEW)
    np.testing.assert_allclose([curve(AT) for curve in survival], gold[:, 0], rtol=1e-8)


@pytest.mark.parametrize(("ties", "kind"), [("efron", ""), ("breslow", ""), ("breslow", "/weighted")])
@pytest.mark.parametrize("cause", NAMES)
def test_fine_gray_equals_r(cause, ties, kind):
    gold = GOLD["fine_gray"][f"{NAMES[cause]}/{ties}{kind}"]
    model = FineGray(cause, ties=ties).fit(X, outcome(kind))
    np.testing.assert_allclose(model.coef_, gold["coef"], rtol=1e-9)
    np.testing.assert_allclose(model.naive_se_, gold["naive_se"], rtol=1e-7)
    np.testing.assert_allclose(model.se_, gold["se"], rtol=1e-7)
    np.testing.assert_allclose([model.log_likelihood_null_, model.log_likelihood_], gold["loglik"], rtol=1e-11)
    np.testing.assert_allclose(model.predict_cumulative_incidence(NEW, AT), gold["incidence"], rtol=1e-8)
    assert model.n_events_ == (TABLE["code"] == cause).sum()


@pytest.mark.parametrize("cause", NAMES)
def test_fine_gray_is_near_crr(cause):
    model, (coef, se) = FineGray(cause, ties="breslow").fit(X, outcome()), CRR[cause]
    np.testing.assert_allclose((model.coef_ - coef) / se, 0, atol=0.01)
    np.testing.assert_allclose(model.se_, se, rtol=0.01)


def test_weights_of_patients_who_stay_equal_r():
    rows = pd.DataFrame(GOLD["weights"])
    times = np.unique(TABLE["time"][TABLE["code"] == 1])
    target = SubdistributionTarget(Outcome.of(outcome(), causes=True), 1, "efron")
    np.testing.assert_array_equal(target.bins.time, times)
    for number, mine in rows.groupby("id"):
        ended = TABLE["time"][number - 1]
        later = np.flatnonzero(times > ended)
        place = np.searchsorted(mine["fgstop"], times[later])  # R has rows for intervals with an event only
        found = target.uncensored[later, 0] * target.later[0, number - 1]
        np.testing.assert_allclose(found, mine["fgwt"].to_numpy()[place], rtol=1e-12)


# ---- what follows from the definitions ----


def test_strata_have_incidences_of_their_own():
    y = outcome().assign(stratum=TABLE["old"])
    model = CauseSpecificCoxPH().fit(X, y)
    found = model.predict_cumulative_incidence(X, AT, stratum=TABLE["old"])
    for old, rows in TABLE.groupby("old").groups.items():
        curves = [{None: b.curves[old]} for b in model.baselines_]
        alone = [type(b)(curve) for b, curve in zip(model.baselines_, curves, strict=True)]
        expected = cumulative_incidence(alone, model.predict(X.loc[rows]), np.array(AT))
        np.testing.assert_allclose(found[rows], expected, rtol=1e-12)
    for wrong in (None, TABLE["old"][1:], [*TABLE["old"], 0], TABLE["old"] + 1):
        with pytest.raises(InputError, match="SL-412"):
            model.predict_cumulative_incidence(X, stratum=wrong)


@pytest.mark.parametrize("cause", NAMES)
def test_without_censoring_patients_whom_another_cause_ended_stay_for_good(cause):
    y = outcome()[TABLE["code"] > 0].astype(float)
    own = y["event"] == cause
    for_good = y.assign(event=own, time=y["time"].where(own, y["time"].max() + 1))
    fine, cox = FineGray(cause, robust=False).fit(X.loc[y.index], y), CoxPH().fit(X.loc[y.index], for_good)
    np.testing.assert_allclose(fine.coef_, cox.coef_, rtol=1e-9)
    np.testing.assert_allclose(fine.se_, cox.se_, rtol=1e-9)
    curve = cox.predict_survival_function(NEW)
    found = fine.predict_cumulative_incidence(NEW, AT)
    np.testing.assert_allclose(found, [1 - function(AT) for function in curve], rtol=1e-9)


def test_without_rivals_the_incidence_is_one_minus_survival():
    lone = CoxPH().fit(X, outcome().assign(event=TABLE["code"] == 2))
    eta = np.column_stack([np.full(len(NEW), -80.0), lone.predict(NEW)])
    found = cumulative_incidence((lone.baseline_, lone.baseline_), eta, lone.unique_times_)
    survival = lone.predict_survival_function(NEW, return_array=True)
    np.testing.assert_allclose(found[:, 1], 1 - survival, rtol=1e-9, atol=1e-15)
    assert found[:, 0].max() < 1e-30


def test_incidences_of_extreme_risks_are_probabilities():
    model = CauseSpecificCoxPH().fit(X, outcome())
    eta = np.array([[800.0, 0.0], [800.0, 800.0], [-800.0, -800.0], [300.0, -300.0]])
    found = cumulative_incidence(model.baselines_, eta, model.unique_times_)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.sum(axis=1).max() <= 1 + 1e-12
    np.testing.assert_allclose(found[[0, 1, 3], :, -1].sum(axis=1), 1)
    np.testing.assert_allclose(found[3, 0, -1], 1)


def test_shapes_of_incidences():
    model, fine = CauseSpecificCoxPH().fit(X, outcome()), FineGray().fit(X, outcome())
    full = model.predict_cumulative_incidence(NEW)
    assert full.shape == (2, 2, len(model.unique_times_))
    assert fine.predict_cumulative_incidence(NEW).shape == (2, len(fine.unique_times_))
    np.testing.assert_array_equal(model.predict_cumulative_incidence(NEW, AT, cause=2), model_at(model)[:, 1])
    np.testing.assert_array_equal(model.predict_cumulative_incidence(NEW, AT[1], cause=2), model_at(model)[:, 1, 1])
    np.testing.assert_array_equal(fine.predict_cumulative_incidence(NEW, 60, cause=1).shape, (2,))
    assert not model.predict_cumulative_incidence(NEW, 0.5).any()  # before the first event


def model_at(model):
    return model.predict_cumulative_incidence(NEW, AT)


def test_the_unit_of_time_and_the_order_of_rows_say_nothing():
    order = np.random.default_rng(0).permutation(len(X))
    y = outcome()
    turned = y.assign(time=y["time"] * 30.4375).iloc[order]
    days = np.array(AT) * 30.4375
    for cls in (FineGray, CauseSpecificCoxPH):
        one, other = cls().fit(X, y), cls().fit(X.iloc[order], turned)
        np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-9)
        np.testing.assert_allclose(other.se_, one.se_, rtol=1e-7)
        found = other.predict_cumulative_incidence(NEW, days)
        np.testing.assert_allclose(found, one.predict_cumulative_incidence(NEW, AT), rtol=1e-8)


def test_a_penalty_draws_towards_nothing():
    free, held = (FineGray(penalizer=penalty).fit(X, outcome()) for penalty in (0.0, 1.0))
    assert (held.coef_.abs() < free.coef_.abs()).all()
    sparse = CauseSpecificCoxPH(penalizer=0.2, l1_ratio=1.0).fit(X, outcome())
    assert (sparse.coef_ == 0).to_numpy().any()


def test_clusters_are_heeded():
    cluster = np.arange(len(X)) // 2
    for cls in (FineGray, CauseSpecificCoxPH):
        alone, joint = cls(robust=True).fit(X, outcome()), cls(robust=True).fit(X, outcome(), cluster=cluster)
        np.testing.assert_array_equal(alone.coef_, joint.coef_)
        assert not np.isclose(np.asarray(alone.se_), np.asarray(joint.se_), rtol=1e-3).all()


def test_a_column_made_of_others_is_left_out():
    doubled = X.assign(twice=2 * X["age"])
    for model in (FineGray(), CauseSpecificCoxPH()):
        with pytest.warns(InputWarning, match="SL-481"):
            model.fit(doubled, outcome())
        assert np.isnan(np.asarray(model.coef_.loc["twice"])).all()
        assert np.isfinite(model.predict(doubled)).all()


def test_warnings_name_the_cause():
    apart = X.assign(flag=(TABLE["code"] == 1) & (TABLE["age"] > 60))  # none of them dies of anything else
    with pytest.warns(InputWarning) as caught:
        model = CauseSpecificCoxPH().fit(apart, outcome())
    assert [str(warning.message)[:18] for warning in caught] == ["SL-482 of cause 2:"]
    assert model.infinite_ == {1: (), 2: ("flag",)}
    few = outcome().assign(event=np.where(TABLE["code"] == 1, np.where(np.arange(len(X)) < 100, 1, 0), TABLE["code"]))
    with pytest.warns(InputWarning) as caught:
        CauseSpecificCoxPH().fit(X, few)
    assert [str(warning.message)[:6] for warning in caught] == ["SL-117"]


# ---- kept on disk ----


@pytest.mark.parametrize("model", [CauseSpecificCoxPH(), FineGray(2)], ids=["cause-specific", "Fine-Gray"])
def test_a_saved_model_is_the_same(model, tmp_path):
    model.fit(X, outcome()).save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    expected = model.predict_cumulative_incidence(NEW, AT)
    np.testing.assert_array_equal(loaded.predict_cumulative_incidence(NEW, AT), expected)
    pd.testing.assert_frame_equal(pd.DataFrame(loaded.se_), pd.DataFrame(model.se_), check_exact=True)
    assert loaded.score(X, outcome()) == model.score(X, outcome())
    assert set(vars(loaded)) == set(vars(model))


# ---- refusals ----


@pytest.mark.parametrize("model", [CauseSpecificCoxPH(), FineGray()], ids=["cause-specific", "Fine-Gray"])
def test_outcomes_that_are_refused(model):
    single, gap = (TABLE["code"] > 0).astype(int), TABLE["code"].replace({2: 3})
    for event, code in ((single, "SL-604"), (gap, "SL-116 no event of cause 2"), (-TABLE["code"], "SL-601")):
        with pytest.raises(InputError, match=code):
            model.fit(X, outcome().assign(event=event))
    with pytest.raises(InputError, match="SL-483"):
        type(model)(penalizer=-1).fit(X, outcome())


def test_what_fine_gray_cannot_use_is_refused():
    with pytest.raises(InputError, match="SL-461 y has entry"):
        FineGray().fit(X, outcome("/entry"))
    with pytest.raises(InputError, match="SL-605"):
        FineGray(cause=3).fit(X, outcome())
    model = FineGray(cause=2).fit(X, outcome())
    for call in (lambda: model.predict_cumulative_incidence(X, cause=1), lambda: model.score(X, outcome(), cause=1)):
        with pytest.raises(InputError, match="SL-605"):
            call()


@pytest.mark.parametrize("times", [-1.0, 1e9, np.nan, [60, np.inf]], ids=str)
def test_times_at_which_nothing_is_known_are_refused(times):
    for model in (CauseSpecificCoxPH(), FineGray()):
        model.fit(X, outcome())
        with pytest.raises(InputError, match="SL-413"):
            model.predict_cumulative_incidence(NEW, times)


def test_causes_that_are_not_there_are_refused():
    model = CauseSpecificCoxPH().fit(X, outcome())
    for call in (
        lambda: model.predict_cumulative_incidence(NEW, cause=3),
        lambda: model.score(X, outcome(), cause=0),
        lambda: model.summary(cause=3),
    ):
        with pytest.raises(InputError, match="SL-605"):
            call()
