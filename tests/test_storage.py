"""Saving and loading: the loaded estimator is the saved one, and nothing but a saved model is loaded or replaced."""

import datetime
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import survlspin
from survlspin import storage
from survlspin._stored import decode, encode
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH, PycoxDeepSurv
from survlspin.competing import CompetingRisksEstimator
from survlspin.errors import InputError
from survlspin.estimators import CoxLLSPIN, CoxLSPIN, DeepSurv, DenseRegressor, LLSPINClassifier
from survlspin.outcome import Outcome
from survlspin.storage import ARRAYS, MODEL, damaged, load, registry
from survlspin.store import versions
from survlspin.testing import check_estimator
from survlspin.testing.estimators import _traces, patients

GOLDEN = Path(__file__).parent / "golden" / "model_format1"
X, Y = patients()
SMALL = {"epochs": 2, "members": 2, "random_state": 0, "hidden": (4,)}
READERS = ("gates", "selected", "n_selected", "predict_proba", "decision_function")


def target_of(cls):
    if issubclass(cls, CompetingRisksEstimator):
        return patients(causes=2)[1]
    if hasattr(cls, "predict_survival_function"):
        return Y
    if not hasattr(cls, "predict_proba"):
        return X["size"] ** 2
    classes = 3 if cls().__sklearn_tags__().classifier_tags.multi_class else 2
    return np.array(["low", "high", "mean"])[np.arange(len(X)) % classes]


def small(cls, **more):
    known = cls._get_param_names()
    return cls(**{name: value for name, value in {**SMALL, **more}.items() if name in known})


def round_trip(model, folder):
    model.save(folder / "model")
    return load(folder / "model")


def settings_of(model):
    """The parameters with their types; a generator by its state."""
    values = {name: getattr(value, "get_state", lambda v=value: v)() for name, value in model.get_params().items()}
    return {name: (type(value), repr(value)) for name, value in values.items()}


def require_same(loaded, model, X=X):
    """Everything that a user reads from the two is equal, to the last bit."""
    assert type(loaded) is type(model)
    assert settings_of(loaded) == settings_of(model)
    assert set(vars(loaded)) == set(vars(model)) - set(model._unsaved)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for name in READERS:
        if hasattr(model, name):
            a, b = (getattr(each, name)(X) for each in (loaded, model))
            assert a.equals(b) if hasattr(a, "equals") else np.array_equal(a, b)
    if hasattr(model, "risk_factors"):
        pd.testing.assert_frame_equal(loaded.risk_factors(X).frame, model.risk_factors(X).frame, check_exact=True)
    if hasattr(model, "path_"):
        pd.testing.assert_frame_equal(loaded.path_, model.path_, check_exact=True)
    pd.testing.assert_series_equal(loaded.design_.reference, model.design_.reference)
    assert loaded.design_.dropped == model.design_.dropped
    for name in ("lam_", "n_features_in_"):
        assert getattr(loaded, name, None) == getattr(model, name, None)


def require_same_curves(loaded, model, **strata):
    for name in ("predict_survival_function", "predict_cumulative_hazard_function"):
        if hasattr(model, name):
            a, b = (getattr(each, name)(X, return_array=True, **strata) for each in (loaded, model))
            np.testing.assert_array_equal(a, b)


def require_same_pieces(model):
    """Rows asked in pieces of 1, 7 and 1000 get the answers that they get at once, to the last bit."""
    ask = getattr(model, "predict_proba", model.predict)
    many = pd.concat([X.assign(size=X["size"] + i) for i in range(10)], ignore_index=True)
    whole = ask(many)
    for size, stop in ((1, 20), (7, 140), (1000, len(many))):
        found = [ask(many[start : start + size]) for start in range(0, stop, size)]
        np.testing.assert_array_equal(np.concatenate(found), whole[:stop])


# ---- every estimator ----


@pytest.mark.parametrize("name", registry())
def test_every_estimator_comes_back_as_it_was(name, tmp_path):
    cls = registry()[name]
    y = target_of(cls)
    model = small(cls, lam=0.0 if "LassoNet" in name else 0.02).fit(X, y)  # that walks to any other lambda
    loaded = round_trip(model, tmp_path)
    require_no_rows(tmp_path / "model", model)
    require_same(loaded, model)
    require_same_curves(loaded, model)
    require_same_pieces(model)
    np.testing.assert_array_equal(loaded.fit(X, y).predict(X), model.predict(X))


def require_no_rows(folder, model):
    """The files hold no row of X, no number of it, no label, and no array that is longer than the times of curves."""
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not any(run in stored for run in _traces(model.design_.transform(X), X))
    text = (folder / MODEL).read_text()
    assert not any(repr(float(value)) in text for value in X[["age", "size"]].to_numpy().ravel())
    assert not any(f'"{label}"' in text for label in X.index)
    longest = max(len(array) for array in storage._read(folder)[1].values() if array.ndim)
    assert longest <= len(getattr(model, "unique_times_", range(20)))


@pytest.mark.parametrize("name", [name for name in registry() if name.startswith("Cox")])
def test_a_model_chosen_from_a_path_keeps_the_path(name, tmp_path):
    model = small(registry()[name], lam="auto", members=1).fit(X, Y)
    require_same(round_trip(model, tmp_path), model)


@pytest.mark.parametrize(
    ("cls", "more"),
    [
        (CoxLLSPIN, {"context": ["age", "grade"]}),
        (CoxLSPIN, {"groups": "column", "hidden": (4, 3)}),
        (CoxLLSPIN, {"lam": {"gates": 0.1}, "standardize": False, "gate_hidden": [3, 2], "ties": "breslow"}),
        (DeepSurv, {"random_state": np.random.RandomState(5), "lr": np.float32(0.01), "device": torch.device("cpu")}),
        (DeepSurv, {"validation_fraction": 0.0, "members": np.int64(1)}),
    ],
    ids=["context", "widths", "lists", "types", "numbers"],
)
def test_settings_come_back_with_their_types(cls, more, tmp_path):
    model = small(cls, **{"lam": 0.02, **more}).fit(X, Y)
    loaded = round_trip(model, tmp_path)
    require_same(loaded, model)
    require_same_curves(loaded, model)
    for name in more:
        assert type(getattr(loaded, name)) is type(getattr(model, name))


@pytest.mark.parametrize(
    ("cls", "labels"),
    [(DeepSurv, ["a", "b"]), (DeepSurv, [1, 2]), (DeepSurv, [0.5, 1.5]), (DeepSurv, [True, False]),
     (LifelinesCoxPH, ["a", "b"])],
    ids=str,
)  # fmt: skip
def test_curves_by_stratum_come_back(cls, labels, tmp_path):
    stratum = np.array(labels)[np.arange(len(X)) % 2]
    outcome = Outcome.of(Y)
    rng = np.random.default_rng(0)
    y = Outcome(outcome.time + 1, outcome.event, rng.uniform(0, 1, len(X)), rng.uniform(0.5, 2, len(X)), stratum)
    model = small(cls).fit(X, y)
    loaded = round_trip(model, tmp_path)
    assert [type(label) for label in loaded.baseline_.curves] == [type(label) for label in model.baseline_.curves]
    require_same_curves(loaded, model, stratum=stratum)


@pytest.mark.parametrize(
    "y",
    [
        np.arange(120) % 2,
        np.arange(120) % 2 == 0,
        np.array(["no", "größe"], dtype=object)[np.arange(120) % 2],
        np.arange(120) % 4 / 2,
    ],
    ids=["numbers", "flags", "text", "halves"],
)
def test_classes_come_back_with_their_type(y, tmp_path):
    y = y.astype(int) if y.dtype == float else y
    model = small(LLSPINClassifier, lam=0.02).fit(X, y)
    loaded = round_trip(model, tmp_path)
    require_same(loaded, model)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.predict(X).dtype == model.predict(X).dtype


def test_several_targets_and_arrays_without_names(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    model = small(DenseRegressor).fit(x, x[:, :2] ** 2)
    loaded = round_trip(model, tmp_path)
    assert loaded.targets_ == (2,)
    assert not hasattr(loaded, "feature_names_in_")
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


DATES = pd.to_datetime(["2020-01-01", "2021-06-05", "1999-12-31"])
LEVELS = {
    "text": ["=I", "größe", ""],
    "string": pd.array(["a", "b", "c"], dtype="string[python]"),
    "arrow text": pd.array(["a", "b", "c"], dtype="string[pyarrow]"),
    "codes": pd.Categorical([7, 9, 8]),
    "nullable codes": pd.Categorical(pd.array([7, 9, 8], dtype="Int64")),
    "halves": pd.Categorical([0.5, 1.5, -2.5]),
    "flags": pd.Categorical([True, False, True]),
    "dates": pd.Categorical(DATES),
    "days": pd.Categorical([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1), datetime.date(2022, 1, 1)]),
    "bins": pd.cut([1.0, 5.0, 9.0], [0, 3, 6, 10]),
    "months": pd.Categorical(pd.period_range("2020-01", periods=3, freq="M")),
    "boolean": np.array([True, False, True]),
    "nullable boolean": pd.array([True, False, True], dtype="boolean"),
    "whole": np.array([3, 4, 9], dtype=np.int16),
    "nullable whole": pd.array([3, 4, 9], dtype="Int32"),
    "arrow": pd.array([3.5, 4.5, 9.5], dtype="double[pyarrow]"),
}


@pytest.mark.parametrize("kind", LEVELS)
def test_columns_of_every_kind_come_back(kind, tmp_path):
    values = pd.Series(LEVELS[kind]).take(np.random.default_rng(0).integers(0, 3, len(X)))
    table = pd.DataFrame({"age": X["age"], "v": values.set_axis(X.index)})
    model = small(CoxLLSPIN, lam=0.02, epochs=1).fit(table, Y)
    loaded = round_trip(model, tmp_path)
    require_same(loaded, model, table)
    assert type(loaded.design_.reference["v"]) is type(model.design_.reference["v"])


def test_a_loaded_model_can_be_saved_cloned_and_loaded_elsewhere(tmp_path):
    model = small(CoxLLSPIN, lam=0.02).fit(X, Y)
    loaded = round_trip(model, tmp_path)
    loaded.save(tmp_path / "again")
    for name in (MODEL, ARRAYS):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
    np.testing.assert_array_equal(clone(loaded).fit(X, Y).predict(X), model.predict(X))
    code = (
        "import sys, survlspin, joblib; X, risk = joblib.load(sys.argv[2]); model = survlspin.load(sys.argv[1]);"
        "print((model.predict(X) == risk).all(), [m for m in ('sksurv', 'lifelines', 'pycox') if m in sys.modules])"
    )
    joblib.dump((X, model.predict(X)), tmp_path / "expected")
    command = [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path / "expected")]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip() == "True []"


def test_the_files_say_what_they_are(tmp_path):
    small(CoxLLSPIN, lam=0.02).fit(X, Y).save(tmp_path / "new" / "model")
    written = json.loads((tmp_path / "new" / "model" / MODEL).read_text())
    assert (written["format"], written["model"]["version"]) == (2, survlspin.__version__)
    assert written["model"]["class"] == "CoxLLSPIN"
    assert written["model"]["versions"] == versions()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"model"}


# ---- values ----

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.floats(width=32, allow_nan=False).map(np.float32)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.booleans().map(np.bool_)
    | st.decimals(allow_nan=False)
    | st.dates()
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


def typed(value):
    """The value with the types of everything in it."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(part)) for key, part in value.items()]
    return type(value), [typed(part) for part in value] if isinstance(value, list | tuple) else value


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_values_come_back_as_they_were(value):
    arrays = {}
    stored = json.loads(json.dumps(encode(value, "v", arrays), allow_nan=False))
    assert typed(decode(stored, arrays)) == typed(value)


@pytest.mark.parametrize(
    "value",
    [
        np.array([], dtype=np.float32),
        np.array(3.5),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.array(["a", "bcd"]),
        np.array([[1, "a"], [None, 2.5]], dtype=object),
        np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
        np.array([b"x", b"yz"]),
        np.array([[1, 2]], dtype="m8[s]"),
    ],
    ids=repr,
)
def test_arrays_come_back_as_they_were(value):
    arrays = {}
    stored = json.loads(json.dumps(encode(value, "v", arrays)))
    assert all(array.dtype.kind in "biuf" for array in arrays.values())
    found = decode(stored, arrays)
    assert (found.dtype, found.shape) == (value.dtype.newbyteorder("="), value.shape)
    assert found.tolist() == value.tolist()
    assert found.flags.writeable


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), np.datetime64("NaT")], ids=str)
def test_what_is_not_finite_comes_back(value):
    arrays = {}
    found = decode(json.loads(json.dumps(encode(value, "v", arrays), allow_nan=False)), arrays)
    assert type(found) is type(value)
    assert str(found) == str(value)


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[5, 6]),
        pd.DataFrame(index=pd.RangeIndex(3)),
        pd.Series([1.5], index=["age"], name="coef"),
        pd.Index(["2020"], name="year"),
        pd.RangeIndex(2, 9, 3),
        pd.Index([("a", 1), ("b", 2)], tupleize_cols=False),
        pd.date_range("2020", periods=2),
    ],
    ids=repr,
)
def test_tables_come_back_as_they_were(value):
    arrays = {}
    found = decode(json.loads(json.dumps(encode(value, "v", arrays))), arrays)
    assert type(found) is type(value)
    assert joblib.hash(found) == joblib.hash(value) or found.equals(value)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        [1, lambda: 0],
        {"a": np.array([1 + 2j])},
        np.ma.array([1.0]),
        np.complex64(1),
        pd.Timestamp("2020-01-01", tz="UTC"),
        pd.Series(pd.Categorical(["a"])),
        pd.DataFrame({"a": pd.array([1], dtype="Int64")}),
        pd.MultiIndex.from_tuples([(1, 2)]),
        Decimal,
        torch.nn.Linear(1, 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_only_a_pickle_could_keep_is_refused_by_name(value):
    with pytest.raises(InputError, match=r"SL-545 setting(\.\w+)? is or holds a"):
        encode(value, "setting", {})


# ---- what cannot be saved ----


def test_estimators_that_hold_foreign_models_are_refused():
    class Own(DeepSurv):
        pass

    for model in (Forest(5), PycoxDeepSurv(epochs=1), Own(epochs=1)):
        with pytest.raises(InputError, match=f"SL-545 {type(model).__name__} is not among"):
            model.save("model")
    assert not Path("model").exists()


def test_a_setting_that_cannot_be_kept_is_named(tmp_path):
    model = small(DeepSurv).fit(X, Y).set_params(verbose=object())
    with pytest.raises(InputError, match="SL-545 verbose is or holds a object"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_an_estimator_that_is_not_fitted_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        CoxLLSPIN().save(tmp_path / "model")


@pytest.mark.parametrize("change", [{"hidden": (5,)}, {"hidden": (4, 4)}, {"context": ["age"]}])
def test_settings_changed_since_the_fit_are_refused_where_they_make_another_net(change, tmp_path):
    model = small(CoxLSPIN, lam=0.02).fit(X, Y).set_params(**change)
    with pytest.raises(InputError, match="SL-548"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    round_trip(model.set_params(hidden=(4,), context=None, epochs=9), tmp_path)


def test_a_net_that_answers_otherwise_is_noticed(tmp_path, monkeypatch):
    model = small(DeepSurv).fit(X, Y)
    own = DeepSurv._net

    def other(*args):
        net = own(*args)
        return net.register_forward_hook(lambda module, args, out: (out[0] + 1, out[1])) and net

    monkeypatch.setattr(DeepSurv, "_net", other)
    with pytest.raises(InputError, match="SL-548"):
        model.save(tmp_path / "model")


# ---- where it is written ----


def test_only_a_saved_model_is_replaced_and_only_when_asked(tmp_path):
    first, second = small(CoxLasso, alpha=0.1).fit(X, Y), small(CoxLasso, alpha=0.2).fit(X, Y)
    place = tmp_path / "model"
    place.mkdir()
    first.save(place)  # an empty folder
    with pytest.raises(InputError, match="SL-546"):
        second.save(place)
    assert load(place).alpha == 0.1
    second.save(place, overwrite=True)
    assert load(place).alpha == 0.2
    (place / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"SL-547 .*notes\.txt"):
        first.save(place, overwrite=True)
    with pytest.raises(InputError, match=r"SL-547 .*is a file"):
        first.save(place / "notes.txt", overwrite=True)
    assert (place / "notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


@pytest.mark.parametrize("when", ["written", "renamed"])
def test_a_failure_leaves_what_was_there(when, tmp_path, monkeypatch):
    place = tmp_path / "model"
    small(CoxLasso, alpha=0.1).fit(X, Y).save(place)
    own = Path.rename

    def fail(path, target):
        if path.name == "new":
            raise OSError(28, "No space left on device")
        return own(path, target)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, *(("rename", fail) if when == "renamed" else ("write_bytes", full)))
    with pytest.raises(InputError, match=r"SL-549 .*No space left"):
        small(CoxLasso, alpha=0.2).fit(X, Y).save(place, overwrite=True)
    assert load(place).alpha == 0.1
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


@pytest.mark.parametrize("name", ["with a blank", "Größe 患者", 'it\'s "quoted"', "-rf", "a/new/folder"])
def test_66_paths_of_any_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small(CoxLasso, alpha=0.1).fit(X, Y)
    model.save(name)
    np.testing.assert_array_equal(load(name).predict(X), model.predict(X))


def test_a_folder_that_cannot_be_written_or_read(tmp_path, monkeypatch):
    model = small(CoxLasso, alpha=0.1).fit(X, Y)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="SL-549"):
        model.save(tmp_path / "file" / "model")
    model.save(tmp_path / "model")

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(InputError, match=r"SL-549 .*cannot be read"):
        load(tmp_path / "model")


# ---- a model to share ----


@pytest.mark.parametrize(
    "name", [name for name in registry() if hasattr(registry()[name], "predict_survival_function")]
)
def test_on_a_grid_a_model_keeps_no_time_of_a_patient(name, tmp_path):
    cls = registry()[name]
    y = target_of(cls).copy()
    y["time"] += 0.123  # by which they are known
    model = small(cls, lam=0.0 if "LassoNet" in name else 0.02).fit(X, y)
    grid = np.linspace(0, 0.9 * y["time"].max(), 7)
    model.save(tmp_path / "model", grid=grid)
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.unique_times_, grid)
    at_grid = np.searchsorted(model.unique_times_, grid, side="right")
    full = model.predict_survival_function(X, return_array=True)
    full = np.column_stack([np.ones(len(X)), full])[:, at_grid]
    np.testing.assert_array_equal(loaded.predict_survival_function(X, return_array=True), full)
    stored = list(storage._read(tmp_path / "model")[1].values())
    assert not any(np.isin(y["time"], array).any() for array in stored if array.dtype == np.float64)
    assert max(array.size for array in stored if array.dtype == np.float64) < len(X)
    assert np.isin(y["time"], model.unique_times_).any()  # the model itself is as it was


@pytest.mark.parametrize("grid", [[], [[1.0]], [2.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [1e9], [np.nan], 3.0])
def test_what_is_no_grid(grid, tmp_path):
    with pytest.raises(InputError, match="SL-693 grid is no ascending list of times"):
        small(CoxLasso, alpha=0.1).fit(X, Y).save(tmp_path / "model", grid=grid)
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_curves_has_no_grid(tmp_path):
    model = small(LLSPINClassifier, lam=0.02).fit(X, np.arange(len(X)) % 2)
    with pytest.raises(InputError, match="SL-693 LLSPINClassifier has no curves"):
        model.save(tmp_path / "model", grid=[1.0])


# ---- what cannot be loaded ----


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("saved") / "model"
    small(CoxLLSPIN, lam=0.02).fit(X, Y).save(place)
    return place


def changed(saved, folder, change, **head):
    """A copy of the saved model with its JSON changed, and the checksum right."""
    shutil.copytree(saved, folder)
    written = json.loads((saved / MODEL).read_text())
    change(written["model"])
    written["sha256"] = storage._digests(written["format"], written["model"], (saved / ARRAYS).read_bytes())
    (folder / MODEL).write_bytes(storage._rendered({**written, **head}))
    return folder


def test_what_is_no_saved_model(tmp_path, saved):
    shutil.copytree(saved, tmp_path / "half")
    (tmp_path / "half" / ARRAYS).unlink()
    for place in (tmp_path / "none", tmp_path, tmp_path / "half", saved / MODEL):
        with pytest.raises(InputError, match="SL-541"):
            load(place)


@pytest.mark.parametrize(
    ("change", "head", "code"),
    [
        (lambda m: None, {"format": 3}, "SL-542 .* of format 3, saved by survlspin .* reads up to 2"),
        (lambda m: None, {"format": 1}, f"SL-543 .*damaged: {MODEL}"),
        (lambda m: m["parameters"]["dict"].append(["bandwidth", 3]), {}, "SL-542 .*bandwidth"),
        (lambda m: None, {"format": "1"}, "SL-543"),
        (lambda m: None, {"format": 0}, "SL-543"),
        (lambda m: None, {"format": 2.0}, "SL-543"),
        (lambda m: None, {"sha256": {}}, "SL-543"),
        (lambda m: m.pop("attributes"), {}, "SL-543"),
        (lambda m: m.update(attributes={"pickle": ["x"]}), {}, "SL-543"),
        (lambda m: m.update(attributes=[[[]]]), {}, "SL-543"),
        (lambda m: m["attributes"]["dict"].append(["net_", {"head": ["Head", {"dict": []}]}]), {}, "SL-543"),
        (lambda m: m["attributes"]["dict"].append(["x_", {"record": ["Popen", {"dict": []}]}]), {}, "SL-543"),
        (lambda m: m["attributes"]["dict"].append(["x_", {"array": "none"}]), {}, "SL-543"),
        (lambda m: m["parameters"]["dict"].append(["hidden", {"tuple": [[5]]}]), {}, "SL-548"),
        (lambda m: m.update({"class": "CoxLLSPN"}), {}, "SL-544 .*did you mean 'CoxLLSPIN'"),
        (lambda m: m.update({"class": "Path"}), {}, "SL-544"),
        (lambda m: m.update({"class": "os.system"}), {}, "SL-544"),
        (lambda m: m["parameters"]["dict"].append(["epochs", -1]), {}, "SL-408"),
    ],
)
def test_what_cannot_be_loaded(saved, tmp_path, change, head, code):
    with pytest.raises(InputError, match=code):
        load(changed(saved, tmp_path / "model", change, **head))


def test_an_unchanged_copy_loads_and_a_device_can_be_named(saved, tmp_path):
    copy = changed(saved, tmp_path / "model", lambda m: None)
    assert load(copy).device is None
    assert load(copy, device="cpu").device == "cpu"
    with pytest.raises(InputError, match="SL-409"):
        load(copy, device="none")


def with_bytes(saved, folder, name, content):
    """A copy of the saved model, one file of which holds other bytes."""
    if not folder.exists():
        shutil.copytree(saved, folder)
    for each in (MODEL, ARRAYS):
        (folder / each).write_bytes(content if each == name else (saved / each).read_bytes())
    return folder


@pytest.mark.parametrize("name", [MODEL, ARRAYS])
def test_60_every_flipped_bit_is_refused(saved, tmp_path, name):
    content = (saved / name).read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(content), 200, replace=False):
        other = bytearray(content)
        other[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InputError, match=r"SL-54[23]"):
            load(with_bytes(saved, tmp_path / "model", name, other))


@pytest.mark.parametrize("name", [MODEL, ARRAYS])
def test_59_a_file_cut_short_anywhere_is_refused(saved, tmp_path, name):
    content = (saved / name).read_bytes()
    for length in np.linspace(0, len(content) - 1, 50).astype(int):
        with pytest.raises(InputError, match=f"SL-543 .*damaged: .*{name}"):
            load(with_bytes(saved, tmp_path / "model", name, content[:length]))


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"epochs",\n     2', '"epochs",\n     3'),
        lambda text: text.replace('"usual"', '"usual "'),
        lambda text: text.replace('"format": 2', '"format": 1'),
        lambda text: text.replace('"format": 2', '"format":  2'),
        lambda text: text.replace('"format": 2', '"format": 2,\n "more": 1'),
        lambda text: text.replace('"sha256": {', '"sha256": {\n  "more": "",'),
        lambda text: text + "\n",
        lambda text: text.replace('"format": 2', '"format": 2,\n "format": 2'),
        lambda text: "{}",
        lambda text: "null",
    ],
)
def test_61_an_edited_manifest_is_refused(saved, tmp_path, edit):
    text = (saved / MODEL).read_text()
    assert edit(text) != text
    folder = with_bytes(saved, tmp_path / "model", MODEL, edit(text).encode())
    with pytest.raises(InputError, match=f"SL-543 .*damaged: {MODEL}"):
        load(folder)
    assert damaged(folder) == [MODEL]


def test_arrays_of_another_model_are_refused(saved, tmp_path):
    other = (saved / ARRAYS).read_bytes()[:-1] + b"x"
    folder = with_bytes(saved, tmp_path / "model", ARRAYS, other)
    assert (damaged(saved), damaged(folder)) == ([], [ARRAYS])


def test_62_a_model_of_the_format_before_is_read(tmp_path):
    model = load(GOLDEN / "model")
    np.testing.assert_allclose(model.predict(X), json.loads((GOLDEN / "expected.json").read_text()), rtol=1e-12)
    assert not model.design_.review(X.assign(age=12 * X["age"]))["doubtful"].any()  # it has no ranges to go by
    model.save(tmp_path / "model")
    assert json.loads((tmp_path / "model" / MODEL).read_text())["format"] == 2
    np.testing.assert_array_equal(load(tmp_path / "model").predict(X), model.predict(X))


class Bomb:
    """What runs code where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


def test_63_a_pickle_is_never_opened(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(Bomb())
    Path("model.pkl").write_bytes(pickled)
    torch.save({"state": Bomb()}, "model.pt")
    for name in ("model.pkl", "model.pt"):
        with pytest.raises(InputError, match=r"SL-541 .*is a file; .*Pickles and archives are never opened"):
            load(name)
        for place in (MODEL, ARRAYS):
            with pytest.raises(InputError, match=f"SL-543 .*damaged: .*{place}"):
                load(with_bytes(saved, tmp_path / "model", place, Path(name).read_bytes()))
    folder = changed(saved, tmp_path / "sealed", lambda m: None)  # even where the checksum is made right
    (folder / ARRAYS).write_bytes(pickled)
    written = json.loads((folder / MODEL).read_text())
    sha256 = storage._digests(2, written["model"], pickled)
    (folder / MODEL).write_bytes(storage._rendered({**written, "sha256": sha256}))
    with pytest.raises(InputError, match="SL-543"):
        load(folder)
    assert not Path("exploded").exists()
    pickle.loads(pickled)
    assert Path("exploded").exists()  # the bomb is one


def test_64_links_archives_and_paths_that_lead_elsewhere_are_refused(saved, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(saved, outside)
    for name in (MODEL, ARRAYS):
        folder = tmp_path / f"linked {name}"
        shutil.copytree(saved, folder)
        (folder / name).unlink()
        (folder / name).symlink_to(outside / name)
        with pytest.raises(InputError, match=f"SL-689 {name} in .* is a link"):
            load(folder)
        (folder / name).unlink()
        os.mkfifo(folder / name)  # to read it would wait for ever
        with pytest.raises(InputError, match="SL-689"):
            load(folder)
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../slipped", "x")
        packed.writestr(MODEL, "{}")
    with pytest.raises(InputError, match=r"SL-541 .*archives are never opened"):
        load(archive)
    assert not (tmp_path.parent / "slipped").exists()
    written = json.loads((saved / MODEL).read_text())
    for name in ("../outside/survlspin.safetensors", str(outside / ARRAYS)):
        sha256 = {"model": written["sha256"]["model"], name: written["sha256"][ARRAYS]}
        with pytest.raises(InputError, match="SL-543"):
            load(changed(saved, tmp_path / "paths", lambda m: None, sha256=sha256))
        shutil.rmtree(tmp_path / "paths")


def test_json_nested_without_end_is_noticed(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "model")
    (tmp_path / "model" / MODEL).write_text("[" * 100_000)
    with pytest.raises(InputError, match="SL-543"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda model: model.center_.__iadd__(1), "predicts otherwise"),
        (lambda model: model.set_params(epochs=7), "has other parameters"),
        (lambda model: vars(model).pop("history_"), r"has no \['history_'\]"),
    ],
)
def test_the_check_of_estimators_notices_what_a_saved_model_loses(change, complaint, monkeypatch):
    def changed_load(place):
        model = load(place)
        change(model)
        return model

    check_estimator(small(DeepSurv))
    monkeypatch.setattr(storage, "load", changed_load)
    with pytest.raises(AssertionError, match=f"a saved model {complaint}"):
        check_estimator(small(DeepSurv))
