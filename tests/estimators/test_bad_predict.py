"""What fitted models answer to tables that are not like those of training, and to none."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from survlspin.baselines import CoxLasso
from survlspin.errors import InputError
from survlspin.estimators import CoxLLSPIN, CoxPH
from survlspin.storage import registry
from survlspin.testing.estimators import patients

X, Y = patients()
MODELS = {
    "net": CoxLLSPIN(lam=0.02, epochs=2, members=2, random_state=0).fit(X, Y),
    "cox": CoxPH().fit(X, Y),
    "lasso": CoxLasso(alpha=0.05).fit(X, Y),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def test_45_47_order_and_further_columns_change_nothing(model):
    turned = X[X.columns[::-1]].assign(more="x", another=np.nan)
    np.testing.assert_array_equal(model.predict(turned), model.predict(X))
    review = model.design_.review(turned)
    assert review.index[review["use"] == "ignored"].tolist() == ["more", "another"]


def test_46_a_renamed_column_is_named(model):
    with pytest.raises(InputError, match=r"SL-213 no column 'size' \(did you mean 'sizes'\?\)"):
        model.predict(X.rename(columns={"size": "sizes"}))


def test_48_an_unseen_level_is_never_the_baseline(model):
    with pytest.raises(InputError, match=r"SL-214 'grade' has a level that training had not in 1 row"):
        model.predict(X.assign(grade=X["grade"].cat.add_categories("IV").where(np.arange(len(X)) != 7, "IV")))


def test_49_a_missing_cell_is_refused_with_its_place(model):
    with pytest.raises(InputError, match=r"SL-205 'age' is missing in 1 row, first at position 5\."):
        model.predict(X.assign(age=X["age"].where(np.arange(len(X)) != 5)))


def test_50_one_row_no_row_and_pieces(model):
    many = pd.concat([X] * 20, ignore_index=True)
    pieces = [many[start:stop] for start, stop in pairwise([0, 1, 2, 9, 800, 2300, 2400])]
    found, risk = np.concatenate([model.predict(piece) for piece in pieces]), model.predict(many)
    np.testing.assert_array_equal(found, risk)
    if hasattr(model, "gates"):
        assert pd.concat([model.gates(piece) for piece in pieces]).equals(model.gates(many))
        assert pd.concat([model.selected(piece) for piece in pieces]).equals(model.selected(many))
    assert model.predict(X[:0]).shape == (0,)
    assert model.predict_survival_function(X[:0], return_array=True).shape == (0, len(model.unique_times_))


@pytest.mark.parametrize("name", registry())
def test_52_nothing_is_predicted_before_fit(name):
    model = registry()[name]()
    for ask in ("predict", "predict_survival_function", "predict_proba", "gates", "selected", "risk_factors"):
        if hasattr(model, ask):
            with pytest.raises(NotFittedError):
                getattr(model, ask)(X)
