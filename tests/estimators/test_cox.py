"""The Cox estimators: what they promise, and what they promise to scikit-learn's tools."""

import pytest

from survlspin import CoxLLSPIN, CoxLSPIN, DeepSurv
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH, PycoxDeepSurv
from survlspin.testing import check_estimator

KINDS = {
    "llspin": CoxLLSPIN(lam=0.02, epochs=3),
    "llspin, auto": CoxLLSPIN(epochs=2),
    "lspin": CoxLSPIN(lam=0.02, epochs=3, members=2, context="age"),
    "deepsurv": DeepSurv(epochs=3),
    "cox": LifelinesCoxPH(),
    "lasso": CoxLasso(n_alphas=10),
    "forest": Forest(n_estimators=5, low_memory=False),
    "pycox": PycoxDeepSurv(epochs=1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind):
    check_estimator(KINDS[kind])
