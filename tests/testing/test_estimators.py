"""The contract check of estimators notices what it is there for: each class here breaks one promise."""

import numpy as np
import pytest

from survlspin import CoxLLSPIN, DeepSurv
from survlspin.testing import check_estimator


class ChangesParameters(DeepSurv):
    def fit(self, X, y, validation_data=None):
        self.epochs = 1
        return super().fit(X, y, validation_data)


class ChangesData(DeepSurv):
    def fit(self, X, y, validation_data=None):
        X["age"] -= X["age"].mean()
        return super().fit(X, y, validation_data)


class ReturnsNothing(DeepSurv):
    def fit(self, X, y, validation_data=None):
        super().fit(X, y, validation_data)


class NeedsNoFit(DeepSurv):
    def score(self, X, y):
        return 0.5


class PublicAttribute(DeepSurv):
    def fit(self, X, y, validation_data=None):
        self.rows = len(X)
        return super().fit(X, y, validation_data)


class Remembers(DeepSurv):
    def predict(self, X):
        return super().predict(X) + self.fits_

    def fit(self, X, y, validation_data=None):
        self.fits_ = getattr(self, "fits_", 0) + 1
        return super().fit(X, y, validation_data)


class Float32(DeepSurv):
    def predict(self, X):
        return super().predict(X).astype(np.float32)


class ByPosition(DeepSurv):
    def predict(self, X):
        return super().predict(X) + float(X.columns[0] == "age")


class AmongRows(DeepSurv):
    def predict(self, X):
        risk = super().predict(X)
        return risk - risk.mean()


class OtherConcordance(DeepSurv):
    def score(self, X, y):
        return 1 - super().score(X, y)


class Rising(DeepSurv):
    def predict_survival_function(self, X, return_array=False):
        curves = 1 - super().predict_survival_function(X, return_array=True)
        return curves if return_array else np.array([lambda times, c=c: c for c in curves])


class WithoutIndex(CoxLLSPIN):
    def gates(self, X):
        return super().gates(X).reset_index(drop=True)


class CountsAll(CoxLLSPIN):
    def n_selected(self, X):
        return super().n_selected(X) + 1


class KeepsRows(DeepSurv):
    def fit(self, X, y, validation_data=None):
        super().fit(X, y, validation_data)
        self.x_ = self.design_.transform(X)
        return self


class Forgets(DeepSurv):
    def __getstate__(self):
        return {**super().__getstate__(), "center_": self.center_ + 1}


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [
        (ChangesParameters, "fit changes parameters"),
        (ChangesData, "modifies the data"),
        (ReturnsNothing, "fit does not return the estimator"),
        (NeedsNoFit, "score does not raise NotFittedError"),
        (PublicAttribute, r"\['rows'\], set by fit, do not end with"),
        (Remembers, "a second fit of one estimator predicts otherwise"),
        (Float32, "predict returns float32"),
        (ByPosition, "depends on the order of columns"),
        (AmongRows, "predict for one row"),
        (OtherConcordance, "and the concordance"),
        (Rising, "survival rises"),
        (WithoutIndex, "gates has another index"),
        (CountsAll, "n_selected does not count"),
        (KeepsRows, "holds training rows"),
        (Forgets, "a pickled model predicts otherwise"),
    ],
)
def test_an_estimator_that_breaks_a_promise(cls, complaint):
    settings = {"lam": 0.02} if issubclass(cls, CoxLLSPIN) else {}
    with pytest.raises(AssertionError, match=complaint):
        check_estimator(cls(epochs=2, **settings))
