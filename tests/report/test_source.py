import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from reported import COLUMNS, LABELS, fitted, patients, said, studied, written

from survlspin import CoxPH, InputError, LLSPINClassifier
from survlspin.report import subject_of
from survlspin.report.kept import call_of
from survlspin.report.source import RESTRICTED, made_from
from survlspin.study import Roles, study_of

ROLES = Roles(time="months", event="died", id="id")


@pytest.fixture(scope="module")
def data(folder):
    return study_of(written(folder), ROLES)


def code(path, data, **how) -> str:
    with pytest.raises(InputError) as found:
        subject_of(path, data, **{"horizons": [24], **how})
    return found.value.code


def test_a_model_is_judged_on_the_rows_set_apart(folder, data):
    subject = subject_of(fitted(folder, "--test", "0.25"), data, horizons=[60, 24, 24], thresholds=[0.5, 0.2])
    [[judged]] = subject.models.values()
    assert (subject.kind, subject.external, subject.horizons, subject.thresholds) == (
        "model",
        False,
        (24, 60),
        (0.2, 0.5),
    )
    assert len(judged.rows) == 60
    assert not set(judged.rows) & set(judged.trained)
    assert len(judged.rows) + len(judged.trained) == len(LABELS)
    refitted = CoxPH().fit(data.X.iloc[judged.trained], data.y[judged.trained])
    np.testing.assert_allclose(judged.risk, refitted.predict(data.X.iloc[judged.rows]))
    curves = refitted.predict_survival_function(data.X.iloc[judged.rows])
    np.testing.assert_allclose(judged.event_probability(24)[:, 0], [1 - curve(24) for curve in curves])
    assert np.isnan(judged.event_probability([24, 500])).tolist()[0] == [False, True]
    assert subject.apparent is not None
    np.testing.assert_array_equal(subject.apparent.rows, judged.trained)


def test_without_rows_set_apart_performance_is_apparent(tmp_path, data):
    said("fit", "--data", written(tmp_path), *COLUMNS, "--model", "CoxPH", "--out", tmp_path / "fit")
    subject = subject_of(tmp_path / "fit", data, horizons=[24])
    [[judged]] = subject.models.values()
    assert "apparent" in subject.judged_on
    np.testing.assert_array_equal(judged.rows, judged.trained)


def test_other_patients_are_external_to_a_model(folder, data):
    other = study_of(written(folder, seed=2), ROLES)
    subject = subject_of(fitted(folder, "--test", "0.25"), other, horizons=[24], development=data)
    [[judged]] = subject.models.values()
    assert subject.external
    assert subject.development is data
    assert len(judged.rows) == len(LABELS)
    assert len(judged.trained) == 0
    assert subject_of(fitted(folder, "--test", "0.25"), other, horizons=[24], development=other).development is None


def test_of_a_model_without_its_call_nothing_is_claimed(tmp_path, data):
    CoxPH().fit(data.X, data.y).save(tmp_path / "model")
    subject = subject_of(tmp_path / "model", data, horizons=[24])
    assert "not known" in subject.judged_on
    assert not subject.external
    assert call_of(tmp_path / "model") == {}


def test_the_rows_that_a_model_was_made_from_are_known_again(folder, data, tmp_path):
    path = fitted(folder, "--test", "0.25")
    [[judged]] = subject_of(path, data, horizons=[24]).models.values()
    np.testing.assert_array_equal(made_from(path, data), judged.trained)
    np.testing.assert_array_equal(made_from(studied(folder), data), np.arange(len(LABELS)))
    apart = np.arange(len(LABELS)) % 3 == 0
    np.testing.assert_array_equal(made_from(studied(folder), replace(data, external=apart)), np.flatnonzero(~apart))
    other = study_of(written(folder, seed=2), ROLES)
    assert made_from(path, other) is None
    assert made_from(studied(folder), other) is None
    CoxPH().fit(data.X, data.y).save(tmp_path / "model")
    assert made_from(tmp_path / "model", data) is None


def test_the_fit_of_a_models_own_folder_is_found(folder):
    assert call_of(fitted(folder, "--test", "0.25") / "model")["test"] == 0.25


def test_a_study_has_every_fit_with_its_rows(folder, data):
    subject = subject_of(studied(folder), data, horizons=[24])
    assert list(subject.models) == ["LLSPIN", "Cox PH", "Cox-LASSO"]
    assert subject.reference == "LLSPIN"
    assert all(len(fits) == 3 for fits in subject.models.values())
    for name, fits in subject.models.items():
        tested = np.concatenate([each.rows for each in fits])
        assert sorted(tested) == list(range(len(LABELS)))
        for each in fits:
            fold = subject.runs.folds[each.fold]
            assert not set(each.rows) & set(each.trained)
            assert set(fold.train) <= set(each.trained)
            assert (set(fold.validation) <= set(each.trained)) == (name == "Cox PH")
            assert each.risk.shape == each.rows.shape
            assert each.event_probability([12, 24]).shape == (len(each.rows), 2)
    assert type(subject.model).__name__ == "CoxLLSPIN"
    assert subject.call["options"]["time"] == "months"
    assert not subject.external
    assert subject.partial is None


def test_other_data_than_the_studys_are_refused(folder, data):
    assert code(studied(folder), study_of(written(folder, seed=2), ROLES)) == "SL-622"
    assert code(studied(folder), replace(data, X=data.X[["size", "age", "grade"]])) == "SL-622"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"horizons": []}, "SL-623"),
        ({"horizons": [0]}, "SL-623"),
        ({"horizons": [float("nan")]}, "SL-623"),
        ({"horizons": [24, 101]}, "SL-624"),
        ({"thresholds": [0.2, 20]}, "SL-625"),
        ({"thresholds": [0]}, "SL-625"),
        ({"subgroups": ["grad"]}, "SL-626"),
        ({"subgroups": ["age"]}, "SL-626"),
    ],
    ids=str,
)
def test_what_cannot_be_reported_on_is_refused(folder, data, how, expected):
    assert code(fitted(folder, "--test", "0.25"), data, **how) == expected


def test_a_horizon_at_the_last_time_is_accepted(folder, data):
    assert data.outcome.time.max() == 100
    assert subject_of(fitted(folder, "--test", "0.25"), data, horizons=[100]).horizons == (100,)


def test_folders_of_something_else_are_refused(tmp_path, data):
    assert code(tmp_path / "nowhere", data) == "SL-621"
    assert code(tmp_path, data) == "SL-621"
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    LLSPINClassifier(lam=0.1, epochs=1).fit(X, np.arange(60) % 2).save(tmp_path / "model")
    assert code(tmp_path, data) == "SL-627"


def test_a_call_that_cannot_be_read_is_said(folder, tmp_path, data):
    shutil.copytree(fitted(folder, "--test", "0.25"), tmp_path / "fit")
    (tmp_path / "fit" / "fit.json").write_text("{")
    assert code(tmp_path / "fit", data) == "SL-631"


@pytest.mark.parametrize(("licence", "least"), [("SEER research data agreement: no release to others", 11), ("CC0", 0)])
def test_counts_are_hidden_where_the_licence_forbids_release(folder, data, licence, least):
    path = fitted(folder, "--test", "0.25")
    kept = replace(data, manifest={"licence": licence})
    assert (RESTRICTED in licence) == bool(least)
    assert subject_of(path, kept, horizons=[24]).min_cell == least
    assert subject_of(path, kept, horizons=[24], min_cell=5).min_cell == 5


def test_what_reading_dropped_is_counted(tmp_path):
    table = patients()
    table.loc[:3, "months"] = 0
    table.to_csv(tmp_path / "zero.csv", index=False)
    data = study_of(tmp_path / "zero.csv", ROLES, zero_time="drop")
    flow = data.flows["reading"]
    assert (flow.start.rows, flow.end.rows) == (240, 236)
    assert flow.start.events - flow.end.events == int(table["died"][:4].sum())
    assert json.loads(flow.to_json())["steps"][0]["text"] == "a time above 0"
