"""Classifiers and regressors keep scikit-learn's promises."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from survlspin import (
    DenseClassifier,
    DenseRegressor,
    GradientLassoClassifier,
    GradientLassoRegressor,
    LassoNetClassifier,
    LassoNetRegressor,
    LLSPINClassifier,
    LLSPINRegressor,
    LSPINClassifier,
    LSPINRegressor,
    NIMOClassifier,
    NIMORegressor,
    STGClassifier,
    STGRegressor,
)
from survlspin.errors import InputError

QUICK = {"epochs": 5, "lr": 0.06}
ESTIMATORS = [
    DenseClassifier(**QUICK),
    DenseRegressor(**QUICK),
    LLSPINClassifier(lam=0.01, **QUICK),
    LLSPINRegressor(lam=0.01, **QUICK),
    LSPINClassifier(lam=0.01, **QUICK),
    LSPINRegressor(lam=0.01, **QUICK),
    STGClassifier(lam=0.01, **QUICK),
    STGRegressor(lam=0.01, **QUICK),
    LassoNetClassifier(M=0, lam=0.01, **QUICK),
    LassoNetRegressor(M=0, lam=0.01, **QUICK),
    GradientLassoClassifier(lam=0.01, **QUICK),
    GradientLassoRegressor(lam=0.01, **QUICK),
    NIMOClassifier(lam=0.01, epochs=30),
    NIMORegressor(lam=0.001, epochs=30),
]
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "a row of weight 2 and two equal rows fall otherwise into "
    "batches and into the rows that validate, and get other noise"
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learn(estimator, check):
    check(estimator)


X = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize(
    ("code", "model", "y"),
    [
        ("SL-161 1 of 3", LSPINClassifier(), np.repeat(["a", "b", "c"], [20, 19, 1])),
        ("SL-163", DenseClassifier(), np.ones(40)),
        ("SL-162", LSPINRegressor(), np.full(40, 1e9)),
        ("SL-162", DenseRegressor(), np.column_stack([np.arange(40.0), np.zeros(40)])),
        ("SL-165", DenseRegressor(), None),
        ("SL-165", DenseClassifier(), None),
    ],
)
def test_targets_that_cannot_be_learnt_are_refused(code, model, y):
    with pytest.raises(InputError, match=code):
        model.fit(X, y)


@pytest.mark.parametrize(("model", "y"), [(DenseRegressor, X[:, 0]), (DenseClassifier, X[:, 0] > 0)])
def test_rows_of_weight_0_are_not_there(model, y):
    weight = np.repeat([1.0, 0.0], 20)
    y = np.where(weight > 0, y, 1e12) if model is DenseRegressor else y
    whole = model(epochs=3, random_state=0).fit(X, y, sample_weight=weight)
    part = model(epochs=3, random_state=0).fit(X[:20], y[:20])
    np.testing.assert_array_equal(whole.predict(X), part.predict(X))


def test_a_class_that_only_validates_is_refused():
    with pytest.raises(InputError, match=r"SL-164 .* 1 row, first at position 2"):
        DenseClassifier().fit(X, np.arange(40) % 2, validation_data=(X[:3], [0, 1, 2]))
