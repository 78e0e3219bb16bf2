"""What a model uses: per patient, by any patient; a category as one factor or as its columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from survlspin import CoxLSPIN
from survlspin.baselines import CoxLasso, LifelinesCoxPH
from survlspin.usage import COUNTS, usage

FAST = {"epochs": 3, "hidden": (3,), "gate_hidden": (3,), "lam": 0.05, "random_state": 0}


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"age": rng.normal(size=150), "grade": rng.choice(list("abcd"), 150), "size": rng.normal(size=150)}
    )
    y = {"time": rng.exponential(np.exp(-X["age"] - (X["grade"] == "a"))), "event": rng.integers(0, 2, 150)}
    return X, y


class Says:
    """Selects what it was told to."""

    def __init__(self, frame):
        self.frame = frame

    def selected(self, X):
        return self.frame


def test_counts_and_shares_of_what_each_patient_uses():
    frame = pd.DataFrame([[1, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]], columns=list("abcd")).astype(bool)
    found = usage(Says(frame), frame)
    assert found.share.to_dict() == {"a": 0.75, "b": 0, "c": 0.5, "d": 0.25}
    assert found.counts == dict(zip(COUNTS, (1.5, 1.5, 3, 1.5, 1.5, 3), strict=True))
    np.testing.assert_array_equal(found.used, frame)


@pytest.mark.parametrize("model", [CoxLSPIN(**FAST), CoxLasso(alpha=0.02)], ids=lambda m: type(m).__name__)
def test_a_category_is_one_factor_or_its_columns(patients, model):
    X, y = patients
    model = model.fit(X, y)
    columns, factors, found = model.selected_columns(X), model.selected(X), usage(model, X)
    assert list(columns) == list(model.design_.columns) == ["age", *columns.columns[1:4], "size"]
    grade = columns.columns[model.design_.group == 1]
    assert len(grade) == 3
    np.testing.assert_array_equal(columns[grade].any(axis=1), factors["grade"])
    np.testing.assert_array_equal(found.used, factors)
    assert columns.index.equals(factors.index)
    assert found.counts["mean"] == factors.sum(axis=1).mean()
    assert found.counts["mean_columns"] == columns.sum(axis=1).mean()
    assert found.counts["union_columns"] == columns.any().sum() > found.counts["union"]


def test_what_does_not_select_uses_everything(patients):
    X, y = patients
    found = usage(LifelinesCoxPH().fit(X, y), X)
    assert [found.counts[name] for name in COUNTS] == [3, 3, 3, 5, 5, 5]
    assert found.used.all()
    assert found.share.to_dict() == {"age": 1, "grade": 1, "size": 1}
    bare = usage(BaseEstimator(), X.to_numpy())
    assert set(bare.counts.values()) == {3}
    assert bare.share.index.tolist() == [0, 1, 2]
