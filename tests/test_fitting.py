"""The fit of one model: what is read, fitted, judged and written."""

import json

import numpy as np
import pandas as pd
import pytest

import survlspin
from survlspin.competing import CompetingRisksEstimator
from survlspin.errors import InputError
from survlspin.estimators import CoxLLSPIN, DenseClassifier, DenseRegressor
from survlspin.factors import read_csv
from survlspin.fitting import described, execute, model_of, task_of
from survlspin.metrics.concordance import concordance_of
from survlspin.outcome import Outcome
from survlspin.sample import Sample, sample_of, table_of
from survlspin.storage import registry
from survlspin.study import Roles, study_of
from survlspin.summary import fit_closing, fit_opening

N = 160
QUICK = {"members": 2, "settings": ["epochs=3", "hidden=[3]"]}


def frame():
    rng = np.random.default_rng(0)
    age, grade = rng.normal(60, 10, N).round(1), rng.choice(["I", "II", "=III"], N)
    time = np.ceil(rng.exponential(60 * np.exp(-0.08 * (age - 60) - (grade == "=III"))).clip(0, 100))
    size = (0.1 * age + rng.normal(size=N)).round(3)
    return pd.DataFrame(
        {
            "id": [f"p{i:03d}" for i in range(N)],
            "age": age,
            "grade": grade,
            "months": time,
            "died": (time < 100).astype(int),
            "size": size,
            "big": np.where(size > 6, "big", "small"),
            "w": rng.uniform(0.5, 2, N).round(2),
            "person": [f"{i // 2}" for i in range(N)],
        }
    )


SURVIVAL = {"time": "months", "event": "died", "drop": ("size", "big", "w")}
PLAIN = {"drop": ("months", "died", "w")}


@pytest.fixture
def patients(tmp_path):
    def read(change=None, **roles):
        (frame() if change is None else frame().assign(**change)).to_csv(tmp_path / "p.csv", index=False)
        roles = {"id": "id", **SURVIVAL, **roles}
        if "group" not in roles:
            roles["drop"] = (*roles["drop"], "person")
        return sample_of(study_of(tmp_path / "p.csv", Roles(**roles)))

    return read


@pytest.fixture
def table(tmp_path):
    def read(target="big", task="classes", change=None, **roles):
        (frame() if change is None else frame().assign(**change)).to_csv(tmp_path / "t.csv", index=False)
        rest = {"big", "size"} - {target}
        drop = [*roles.pop("drop", ("months", "died", "w")), *rest, *([] if "group" in roles else ["person"])]
        return table_of(tmp_path / "t.csv", target, task, **{"id": "id", "drop": drop, **roles})

    return read


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def files(out):
    return {path.name for path in out.iterdir()}


# ---- what is fitted ----


def test_the_fitted_model_is_that_of_fit_and_is_saved(patients, out):
    sample = patients()
    report = execute(model_of("CoxLLSPIN", lam="0.02", **QUICK), sample, out)
    expected = CoxLLSPIN(lam=0.02, members=2, epochs=3, hidden=(3,), random_state=0).fit(sample.X, sample.y)
    loaded = survlspin.load(out / "model")
    np.testing.assert_array_equal(loaded.predict(sample.X), expected.predict(sample.X))
    assert loaded.get_params() == expected.get_params()
    assert files(out) == {"fit.json", "model", "selection.csv", "factors.csv", "sets.csv"}
    assert report["lam"] == {"gates": 0.02}
    assert (report["chosen"], report["stopped"], report["test"]) == (False, True, None)
    assert (report["rows"], report["fitted_rows"], report["validation"]["rows"]) == (N, N, 32)
    json.dumps(report, allow_nan=False)


def test_the_validation_number_is_that_of_the_rows_set_apart_by_the_fit(patients, out):
    sample = patients()
    model = model_of("CoxLLSPIN", lam="0.02", **QUICK)
    valid = model._problem(sample.X, sample.y, None).valid_rows
    report = execute(model, sample, out)
    expected = concordance_of(Outcome.of(sample.y[valid]), survlspin.load(out / "model").predict(sample.X.iloc[valid]))
    found = report["validation"]
    assert (found["value"], found["low"], found["high"]) == (expected.value, expected.low, expected.high)


def test_a_path_is_written_and_its_choice_said(patients, out):
    report = execute(model_of("CoxLLSPIN", lam="auto", members=1, settings=["epochs=2"]), patients(), out)
    path = pd.read_csv(out / "path.csv", float_precision="round_trip")
    assert report["chosen"]
    pd.testing.assert_frame_equal(path, survlspin.load(out / "model").path_)
    assert report["lam"]["gates"] in path["lam"].to_numpy()
    assert "chose the penalty" in fit_closing({**report, "seconds": 1.0})


def test_test_rows_are_not_fitted_to(patients, out):
    sample = patients()
    report = execute(model_of("CoxLLSPIN", lam="0.02", **QUICK), sample, out, test=0.25, seed=3)
    rest, kept = sample.apart(0.25, 3)
    assert (report["fitted_rows"], report["test"]["rows"]) == (120, 40)
    loaded = survlspin.load(out / "model")
    assert report["test"]["value"] == loaded.score(sample.X.iloc[kept], sample.y[kept])
    expected = model_of("CoxLLSPIN", lam="0.02", **QUICK).fit(sample.X.iloc[rest], sample.y[rest])
    np.testing.assert_array_equal(loaded.predict(sample.X), expected.predict(sample.X))
    event = sample.y["event"]
    assert event[kept].mean() == pytest.approx(event.mean(), abs=0.02)


def test_whole_patients_are_set_apart(patients, table, out):
    for sample in (patients(group="person"), table(group="person")):
        for share in (0.2, 0.4):
            rest, apart = sample.apart(share, 0)
            assert not set(sample.groups[rest]) & set(sample.groups[apart])
            assert len(apart) == round(share * N)
    report = execute(model_of("CoxLLSPIN", lam="0.02", **QUICK), patients(group="person"), out, test=0.25)
    assert report["validation"]["rows"] == pytest.approx(0.2 * 120, abs=2)
    execute(model_of("DenseClassifier", **QUICK), table(group="person"), out)


def test_levels_that_only_test_rows_have_are_refused_before_the_fit(patients, out):
    sample = patients()
    kept = sample.apart(0.25, 0)[1]
    sample.X["grade"] = np.where(np.arange(N) == kept[0], "IV", sample.X["grade"])
    with pytest.raises(InputError, match="SL-214"):
        execute(model_of("CoxLLSPIN"), sample, out, test=0.25)


def test_too_few_rows_to_set_apart(table):
    with pytest.raises(InputError, match="SL-557"):
        table().take(np.arange(3)).apart(0.1, 0)


# ---- what is written ----


def test_coefficients_are_in_the_units_that_are_written_with_them(patients, out):
    sample = patients()
    execute(model_of("LifelinesCoxPH"), sample, out)
    written, model = read_csv(out / "coefficients.csv"), survlspin.load(out / "model")
    assert written["column"].tolist() == list(model.design_.columns)
    assert written["factor"].tolist() == ["age", "grade", "grade"]
    np.testing.assert_allclose(np.exp(written["coef"]), written["hr"])
    older = sample.X.assign(age=sample.X["age"] + written["per"][0])
    np.testing.assert_allclose(model.predict(older) - model.predict(sample.X), written["coef"][0], rtol=1e-5)
    assert files(out) == {"fit.json", "model", "coefficients.csv"}


def test_limits_and_p_values_are_written_where_a_model_has_them(patients, out):
    report = execute(model_of("CoxPH"), patients(), out)
    written = read_csv(out / "coefficients.csv")
    assert (written["hr_low"] < written["hr"]).all()
    assert (written["hr"] < written["hr_high"]).all()
    assert written["p"].between(0, 1).all()
    assert report["validation"] is None
    assert "All rows were trained on" in fit_closing({**report, "seconds": 1.0})


def test_hazard_ratios_are_for_models_of_survival(table, out):
    execute(model_of("NIMORegressor", lam="0.1", **QUICK), table("size", "numbers"), out)
    written = read_csv(out / "coefficients.csv")
    assert written["coef"].tolist() == survlspin.load(out / "model").coef_.tolist()
    assert written[["hr", "hr_low", "hr_high", "p"]].isna().all(axis=None)


def test_what_is_selected_is_written(patients, out):
    sample = patients()
    report = execute(model_of("CoxLLSPIN", lam="0.1", **QUICK), sample, out)
    model = survlspin.load(out / "model")
    selection = read_csv(out / "selection.csv").set_index("factor")
    pd.testing.assert_series_equal(
        selection["share"].sort_index(), model.selected(sample.X).mean().sort_index(), check_names=False
    )
    assert selection["gate"].to_dict() == pytest.approx(model.gates(sample.X).mean().to_dict())
    assert set(read_csv(out / "factors.csv")["patient"]) <= set(sample.X.index)
    assert read_csv(out / "sets.csv")["n"].sum() == N
    assert report["per_patient"]["factors_median"] == model.n_selected(sample.X).median()


def test_sets_of_classes_are_those_that_are_selected(table, out):
    sample = table()
    execute(model_of("LLSPINClassifier", lam="0.3", **QUICK), sample, out)
    used = survlspin.load(out / "model").selected(sample.X)
    names = used.apply(lambda row: " + ".join(sorted(used.columns[row])) or "(none)", axis=1)
    written = read_csv(out / "sets.csv").set_index("set_key")["n"]
    assert written.to_dict() == names.value_counts().to_dict()
    assert files(out) == {"fit.json", "model", "selection.csv", "sets.csv"}


def test_tables_of_an_earlier_fit_do_not_stay(patients, out):
    execute(model_of("LifelinesCoxPH"), patients(), out)
    (out / "mine.txt").touch()
    execute(model_of("DeepSurv", **QUICK), patients(), out)
    assert files(out) == {"fit.json", "model", "mine.txt"}


# ---- how it is judged ----


def test_accuracy_and_r2_respect_weights(table, out):
    for name, target, task, measure in (
        ("DenseClassifier", "big", "classes", "accuracy"),
        ("DenseRegressor", "size", "numbers", "R2"),
    ):
        sample = table(target, task, weight="w", drop=("months", "died"))
        report = execute(model_of(name, **QUICK), sample, out, test=0.3)
        kept = sample.take(sample.apart(0.3, 0)[1])
        score = survlspin.load(out / "model").score(kept.X, kept.y, sample_weight=kept.weight)
        assert report["test"]["measure"] == measure
        assert report["test"]["value"] == pytest.approx(score)
        assert (report["test"]["low"] is None) == (measure == "R2")
        unweighted = survlspin.load(out / "model").score(kept.X, kept.y)
        assert report["test"]["value"] != pytest.approx(unweighted)


def test_weights_and_groups_reach_the_fit(table, out):
    weighted, plain = table(weight="w", drop=("months", "died")), table()
    for sample in (weighted, plain):
        execute(model_of("DenseClassifier", **QUICK), sample, out)
        expected = DenseClassifier(members=2, epochs=3, hidden=(3,), random_state=0)
        expected.fit(sample.X, sample.y, sample_weight=sample.weight)
        found = survlspin.load(out / "model").predict_proba(sample.X)
        np.testing.assert_array_equal(found, expected.predict_proba(sample.X))
    grouped = table("size", "numbers", group="person", weight="w", drop=("months", "died"))
    execute(model_of("DenseRegressor", **QUICK), grouped, out)
    rest, valid = (grouped.take(at) for at in grouped.apart(0.2, 0))
    expected = DenseRegressor(members=2, epochs=3, hidden=(3,), random_state=0)
    expected.fit(rest.X, rest.y, rest.weight, (valid.X, valid.y, valid.weight))
    np.testing.assert_array_equal(survlspin.load(out / "model").predict(grouped.X), expected.predict(grouped.X))


def test_the_text_says_what_the_rows_served(patients, table, out):
    report = execute(model_of("CoxLasso"), patients(), out)
    text = flat(fit_closing({**report, "seconds": 1.0}))
    assert f"C {report['validation']['value']:.3f}" in text
    assert "They chose the penalty, so that this number flatters the model" in text
    report = execute(model_of("DeepSurv", **QUICK), patients(), out, test=0.25)
    text = flat(fit_closing({**report, "seconds": 1.0}))
    assert "Test rows, which chose nothing" in text
    assert "They stopped training, so that" in text
    assert "--test" not in text
    model = model_of("DenseRegressor", **QUICK)
    opening = flat(fit_opening(described(model, table("size", "numbers"))))
    assert "target size" in opening
    assert "members=2" in opening


def flat(text):
    return " ".join(text.split())


# ---- what is asked for ----


def test_a_model_is_made_as_asked():
    model = model_of(
        "CoxLSPIN", lam="0.5", context=["age"], seed=7, force=True, settings=["sigma=0.3", "groups=column"]
    )
    assert (model.lam, model.context, model.random_state, model.force) == (0.5, ["age"], 7, True)
    assert (model.sigma, model.groups, model.members) == (0.3, "column", 10)
    assert model_of("CoxLSPIN", settings=["gate_hidden=[4, 2]", "lr=auto"]).gate_hidden == (4, 2)
    assert model_of("DenseClassifier").members == 1
    here = [name for name, cls in registry().items() if not issubclass(cls, CompetingRisksEstimator)]
    assert {task_of(name) for name in here} == {"survival", "classes", "numbers"}


@pytest.mark.parametrize(
    ("name", "asked", "code"),
    [
        ("CoxLSPN", {}, "SL-551 .*did you mean 'CoxLSPIN'"),
        ("Design", {}, "SL-551"),
        ("FineGray", {}, "SL-607 FineGray models competing causes"),
        ("DeepSurv", {"lam": "0.1"}, "SL-553 --lam"),
        ("CoxLasso", {"members": 3}, "SL-553 --members"),
        ("DeepSurv", {"context": ["age"]}, "SL-553 --context"),
        ("CoxLSPIN", {"settings": ["hiden=[3]"]}, "SL-553 .*did you mean 'hidden'"),
        ("CoxLSPIN", {"settings": ["hidden"]}, "SL-555"),
        ("CoxLSPIN", {"settings": ["hidden=8,8"]}, "SL-555"),
        ("CoxLSPIN", {"settings": ["sigma=large"]}, "SL-555"),
        ("CoxLSPIN", {"lam": "large"}, "SL-555"),
    ],
)
def test_what_cannot_be_asked(name, asked, code):
    with pytest.raises(InputError, match=code):
        model_of(name, **asked)


def test_classes_of_every_type_are_read(table):
    for classes, kind in (([3, 1, 2], "i"), ([True, False, True], "b"), (["a", "", "größe"], "O"), ([0.0, 1, 2], "if")):
        values = np.array(classes)[np.arange(N) % 3]
        if "" in classes:
            with pytest.raises(InputError, match=r"SL-554 .*53 rows, first at position 1"):
                table(change={"big": values})
        else:
            sample = table(change={"big": values})
            assert sample.y.dtype.kind in kind
            np.testing.assert_array_equal(sample.y, values)


@pytest.mark.parametrize(
    ("target", "task", "change", "roles", "code"),
    [
        ("big", "numbers", {}, {}, "SL-556"),
        ("size", "classes", {}, {}, "SL-556"),
        ("size", "numbers", {"size": [np.nan] + [1.5] * (N - 1)}, {}, "SL-554"),
        ("size", "numbers", {"size": ["inf"] + ["1.5"] * (N - 1)}, {}, "SL-554"),
        ("bigg", "classes", {}, {}, "SL-511 --target 'bigg'.*did you mean 'big'"),
        ("big", "classes", {}, {"weight": "big"}, "SL-512"),
        ("big", "classes", {"w": -1}, {"weight": "w", "drop": ("months", "died")}, "SL-153"),
        ("big", "classes", {"w": "x"}, {"weight": "w", "drop": ("months", "died")}, "SL-154"),
        ("big", "classes", {"person": [None] + ["1"] * (N - 1)}, {"group": "person"}, "SL-514"),
        ("big", "classes", {"age": [None] + [1.0, 2.0] * (N // 2 - 1) + [3.0]}, {}, "SL-205"),
    ],
)
def test_what_cannot_be_read(table, target, task, change, roles, code):
    with pytest.raises(ValueError if code != "SL-154" else TypeError, match=code):
        table(target, task, change, **roles)


def test_categories_of_numbers_and_numbers_with_zeros_are_read_as_asked(table):
    change = {"age": np.arange(N) % 3, "person": ["007", "010"] * (N // 2)}
    sample = table(change=change, category=["age"], numbers=["person"], group=None, drop=("months", "died", "w"))
    assert isinstance(sample, Sample)
    assert {v.name: v.levels is None for v in sample.design.variables} == {"age": False, "grade": False, "person": True}
