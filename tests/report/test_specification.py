import numpy as np
import pandas as pd
import pytest
from reported import patients

from survlspin import CoxLLSPIN, CoxLSPIN, CoxPH
from survlspin.report.specification import invented, worked

MODELS = {
    "linear": CoxPH(),
    "local": CoxLLSPIN(lam=0.01, epochs=5, members=2, random_state=0),
    "context": CoxLLSPIN(lam=0.01, epochs=5, members=2, context=["age", "grade"], random_state=0),
    "net": CoxLSPIN(lam=0.01, epochs=5, random_state=0),
}
HORIZONS = (12.0, 60.0)


@pytest.fixture(scope="module")
def rows():
    table = patients()
    return table[["age", "size", "grade"]], {"time": table["months"], "event": table["died"]}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request, rows):
    return request.param, MODELS[request.param].fit(*rows)


def test_the_prediction_worked_by_hand_is_that_of_the_model(fitted, rows):
    name, model = fitted
    patient = invented(model.design_, rows[0])
    found = worked(model, patient, HORIZONS)
    assert found.log_risk == pytest.approx(float(model.predict(patient)[0]), rel=1e-9, abs=1e-9)
    survival = model.predict_survival_function(patient)[0]
    np.testing.assert_allclose(found.probability, 1 - survival(np.array(HORIZONS)), rtol=1e-9)
    assert (len(found.terms) > 0) == (name != "net")
    if len(found.terms):
        assert found.terms["adds"].sum() == pytest.approx(found.log_risk)


def test_the_invented_patient_is_nobody(rows):
    X, y = rows
    design = CoxPH().fit(X, y).design_
    patient = invented(design, X)
    assert list(patient) == ["age", "size", "grade"]
    assert patient["grade"].iloc[0] != design.reference["grade"]
    assert patient["age"].iloc[0] == float(f"{X['age'].mean() + X['age'].std():.3g}")
    assert not X.eq(patient.iloc[0]).all(axis=1).any()
    assert design.transform(patient).shape == (1, len(design.columns))


def test_flags_and_whole_numbers_stay_what_they_are():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"nodes": rng.integers(0, 20, 80), "flag": rng.random(80) < 0.3})
    model = CoxPH().fit(X, {"time": rng.exponential(size=80), "event": np.ones(80, int)})
    patient = invented(model.design_, X)
    assert patient["nodes"].dtype.kind == "i"
    assert patient["flag"].tolist() == [True]
    assert worked(model, patient, (0.5,)).log_risk == pytest.approx(model.predict(patient)[0])


def test_beyond_follow_up_nothing_is_claimed(rows):
    model = MODELS["linear"].fit(*rows)
    found = worked(model, invented(model.design_, rows[0]), (50.0, 500.0))
    assert np.isnan(found.probability).tolist() == [False, True]
