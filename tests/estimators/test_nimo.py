import numpy as np
import pandas as pd
import pytest
import torch

import survlspin
from survlspin.errors import InputError
from survlspin.estimators import CoxNIMO, NIMOClassifier, NIMORegressor
from survlspin.nimo_data import draw, survival
from survlspin.testing import check_estimator

COX = survival("S1", 300, 0)[:2]
NUMBERS, CLASSES = draw("S1", 300), draw("C1", 300)
SMALL = {"hidden": (8, 8), "epochs": 12, "random_state": 0}
FITS = {
    "Cox": lambda **o: CoxNIMO(**({"lam": 0.02} | SMALL | o)).fit(*COX),
    "classes": lambda **o: NIMOClassifier(**({"lam": 0.01} | SMALL | o)).fit(*CLASSES),
    "numbers": lambda **o: NIMORegressor(**({"lam": 0.0005} | SMALL | o)).fit(*NUMBERS),
}
ROWS = {"Cox": COX[0], "classes": CLASSES[0], "numbers": NUMBERS[0]}


def outputs(model, X):
    if isinstance(model, CoxNIMO):
        return model.predict(X)
    return model.decision_function(X) if isinstance(model, NIMOClassifier) else model.predict(X)


def test_contract():
    check_estimator(CoxNIMO(hidden=(8, 8), lam=0.02, epochs=20))


@pytest.mark.parametrize("task", FITS)
def test_coefficients_and_corrections_make_the_outputs(task):
    model, X = FITS[task](members=2, lam={"lasso": 0.001, "group": 0.0}), ROWS[task]
    own = model.coef_.to_numpy() * (1 + model.corrections(X))
    x = model.design_.transform(X)
    found = (own.to_numpy() * x).sum(1)
    expected = outputs(model, X)
    if task == "numbers":
        found = found * model.scale_
    difference = found - expected
    np.testing.assert_allclose(difference, difference.mean(), atol=1e-5)  # the intercept, or the centre
    assert list(model.coef_.index) == list(model.design_.columns)
    assert model.corrections(X).std().max() > 0.01


@pytest.mark.parametrize("task", FITS)
def test_corrections_keep_to_their_bounds(task):
    model = FITS[task](epochs=150, lr=0.05, lam={"lasso": 0.001, "group": 0.0})
    correction = model.corrections(ROWS[task]).to_numpy()
    assert abs(correction).max() <= (2 if task == "classes" else 1)
    assert correction.max() - correction.min() > 0.5


def test_bounds_of_classes_are_wider():
    assert FITS["classes"](epochs=1).net_.reach == 2.0
    assert FITS["Cox"](epochs=1).net_.reach == 1.0


def test_factors_with_a_coefficient_and_those_that_correct():
    X = pd.DataFrame(NUMBERS[0], columns=list("abcde"))
    model = NIMORegressor(lam=0.0006, hidden=(16, 16), epochs=500, lr=0.02, random_state=0).fit(X, NUMBERS[1])
    assert model.linear_ == ["a", "b", "c"]
    assert set(model.nonlinear_) == {"b", "c"}
    selected = model.selected(X)
    assert selected.all().to_dict() == {"a": True, "b": True, "c": True, "d": False, "e": False}
    assert (model.coef_ * model.scale_ / X.std()).round(0).tolist() == [3, -2, 2, 0, 0]
    new = draw("S1", 300, 1)
    assert model.score(pd.DataFrame(new[0], columns=list("abcde")), new[1]) > 0.99


def test_risk_factors_add_up_to_the_log_risk():
    model = FITS["Cox"]()
    frame = model.risk_factors(COX[0][:20]).frame
    assert frame["log_hr"].notna().all()


def test_lam_of_a_number_weighs_both_penalties():
    assert FITS["Cox"](lam=0.1).lam_ == {"lasso": 0.1, "group": pytest.approx(0.3)}
    assert FITS["Cox"](lam={"lasso": 0.1, "group": 0.0}).lam_ == {"lasso": 0.1, "group": 0.0}
    with pytest.raises(InputError, match="SL-407"):
        FITS["Cox"](lam={"gates": 0.1})


def test_path_and_auto():
    path = CoxNIMO(**SMALL | {"epochs": 120}).path(*COX, points=3)
    assert path.frame["lam"].is_monotonic_increasing
    assert path.frame["union"].iloc[0] > path.frame["union"].iloc[-1]
    auto = CoxNIMO(**SMALL | {"epochs": 5}).fit(*COX)
    assert auto.lam_["lasso"] in set(auto.path_["lam"])
    assert path.at(0).lam_["group"] == 3 * path.at(0).lam_["lasso"]


def test_large_data_train_on_batches_with_memory_and_forget_it():
    X, y, _ = survival("S1", 2600, 1)
    full, batches = (
        CoxNIMO(lam=0.01, **SMALL | {"epochs": 3, "batch_size": size}).fit(X, y) for size in (None, "auto")
    )
    assert full.net_.memory == batches.net_.memory == 0
    assert set(batches.net_.state_dict()) == set(full.net_.state_dict())
    assert (full.predict(X) != batches.predict(X)).any()
    for model in (full, batches):
        assert model.score(X, y) > 0.75


def test_few_rows_are_one_batch():
    auto, full = (FITS["Cox"](epochs=3, batch_size=size) for size in ("auto", None))
    assert (auto.predict(COX[0]) == full.predict(COX[0])).all()


@pytest.mark.parametrize("task", FITS)
def test_saved_and_loaded(task, tmp_path):
    model = FITS[task](batch_size=64, members=2)
    model.save(tmp_path / "model")
    loaded = survlspin.load(tmp_path / "model")
    assert (outputs(loaded, ROWS[task]) == outputs(model, ROWS[task])).all()
    assert loaded.coef_.equals(model.coef_)


@pytest.mark.parametrize("option", [{"delta": 1.0}, {"noise": 0.0}, {"frequency": 3.0}, {"hidden": ()}])
def test_settings_are_used(option):
    assert (FITS["Cox"]().predict(COX[0]) != FITS["Cox"](**option).predict(COX[0])).any()


def test_the_seed_alone_decides():
    first, again, other = (FITS["Cox"](random_state=seed).predict(COX[0]) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert torch.get_num_threads() >= 1


@pytest.mark.parametrize("wrong", [{"delta": 0}, {"delta": 2.0}, {"noise": -1.0}, {"frequency": 0}, {"hidden": 3}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=f"SL-408 {next(iter(wrong))}"):
        FITS["Cox"](**wrong)


def test_three_classes_are_refused():
    with pytest.raises(
        InputError, match="SL-425 Only binary classification is supported: NIMO has one output, and y has 3"
    ):
        NIMOClassifier(lam=0.1).fit(CLASSES[0], np.arange(300) % 3)


def test_two_targets_are_refused():
    with pytest.raises(InputError, match="SL-425 NIMO has one output; y has 2 targets"):
        NIMORegressor(lam=0.1).fit(NUMBERS[0], NUMBERS[0][:, :2])


def test_a_lambda_that_leaves_nothing():
    X, y = draw("S1", 60)
    model = NIMORegressor(lam=3.0, epochs=200, patience=200, random_state=0).fit(X, y)
    assert not model.selected(X).any(axis=None)
