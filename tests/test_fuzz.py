"""Tables and outcomes of any kind: finite numbers or a coded refusal, and never anything else.

``FUZZ=10000 pytest tests/test_fuzz.py`` tries as many.
"""

import os
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from survlspin import CoxLLSPIN, CoxLSPIN, CoxPH, DeepSurv, RepeatedKFold, TrainOneTestNine, run
from survlspin.baselines import CoxLasso, Forest
from survlspin.errors import InputError, InputTypeError, InputWarning

FEW = 150
EXAMPLES = int(os.environ.get("FUZZ", FEW))
MODELS = {
    "Cox PH": CoxPH(),
    "ridge": CoxPH(penalizer=0.1),
    "Cox-LASSO": CoxLasso(alpha=0.05),
    "path": CoxLasso(n_alphas=5, random_state=0),
    "LLSPIN": CoxLLSPIN(lam=0.02, epochs=1, random_state=0),
    "LSPIN": CoxLSPIN(lam=0.02, epochs=1, random_state=0, force=True),
    "DeepSurv": DeepSurv(epochs=1, random_state=0),
    "Forest": Forest(n_estimators=2, random_state=0),
}
COLUMNS = {
    "normal": lambda rng, n: rng.normal(50, 10, n),
    "skewed": lambda rng, n: np.floor(rng.exponential(20, n)),
    "few": lambda rng, n: rng.integers(0, 3, n),
    "rare": lambda rng, n: (rng.random(n) < 0.05).astype(float),
    "tiny": lambda rng, n: 1e-12 * rng.normal(size=n),
    "far": lambda rng, n: 1e9 + rng.normal(size=n),
    "flags": lambda rng, n: rng.random(n) < 0.4,
    "levels": lambda rng, n: rng.choice(["I", "II", "größe", "NA", ""], n),
    "constant": lambda rng, n: np.full(n, 7.0),
}
CELLS = [
    np.nan,
    np.inf,
    -np.inf,
    1e30,
    1e308,
    5e-324,
    -0.0,
    None,
    "x",
    "1,5",
    "",
    True,
    (1, 2),
    pd.NaT,
    pd.Timestamp(0),
]
DTYPES = ["float32", "float16", "Float64", "Int64", "category", "string", "object", "int8", "Sparse[float]", "bool"]
RARE = st.integers(0, 9).map(lambda i: i == 9)
NAMES = st.one_of(
    st.sampled_from(["age", "age ", "time", "a=b", "x|y", "_", ""]), st.text(max_size=3), st.integers(0, 3)
)
TIMES = [np.nan, np.inf, -1.0, 0.0, 1e-300, 1e300, "x"]
EVENTS = [np.nan, 2, 0.5, -1, "Dead", None]
ROLES = {
    "weight": lambda rng, n: rng.choice([0.0, 1.0, 2.5], n),
    "entry": lambda rng, n: rng.uniform(-5, 2, n),
    "stratum": lambda rng, n: rng.choice(["a", "b"], n),
}


def sampled(draw, values):
    return draw(st.sampled_from(values))


def odd_cell(draw, X, y):
    """A cell that is like no other of its column."""
    if X.size:
        j, i = draw(st.integers(0, X.shape[1] - 1)), draw(st.integers(0, len(X) - 1))
        column = X.iloc[:, j].astype(object)
        column.iloc[i] = sampled(draw, CELLS)
        X.isetitem(j, column if draw(st.booleans()) else column.infer_objects())


def other_type(draw, X, y):
    if X.shape[1]:
        j = draw(st.integers(0, X.shape[1] - 1))
        with np.errstate(all="ignore"), suppress(TypeError, ValueError, OverflowError):
            X.isetitem(j, X.iloc[:, j].astype(sampled(draw, DTYPES)))


def other_index(draw, X, y):
    X.index = sampled(draw, [X.index[::-1], pd.Index(["a"] * len(X)), pd.Index(np.arange(len(X)) / 2)])


def other_role(draw, X, y):
    name = sampled(draw, list(ROLES))
    y[name] = ROLES[name](np.random.default_rng(draw(st.integers(0, 99))), len(X))


def odd_outcome(draw, X, y):
    name, values = sampled(draw, [("time", TIMES), ("event", EVENTS)])
    column = list(y[name])
    if column:
        column[draw(st.integers(0, len(column) - 1))] = sampled(draw, values)
        y[name] = column


def one_outcome(draw, X, y):
    name, value = sampled(draw, [("event", 0), ("event", 1), ("time", 3.0), ("event", 2)])
    y[name] = np.full(len(X), value)


def shorter_outcome(draw, X, y):
    y["time"] = y["time"][1:]


FAULTS = [
    odd_cell,
    odd_cell,
    other_type,
    other_type,
    other_index,
    other_role,
    odd_outcome,
    one_outcome,
    shorter_outcome,
]


@st.composite
def tables(draw):
    """A table with up to 5 columns and an outcome that a model can learn, and up to 2 faults of them."""
    n = draw(st.integers(0, 30) if draw(RARE) else st.integers(40, 80))
    names = draw(st.lists(NAMES, min_size=0 if draw(RARE) else 1, max_size=5, unique=not draw(RARE)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    X = pd.DataFrame({i: COLUMNS[sampled(draw, list(COLUMNS))](rng, n) for i in range(len(names))}, index=range(n))
    X = X.set_axis(names, axis=1)
    y = {"time": np.ceil(rng.exponential(20, n)), "event": rng.random(n) < 0.7}
    for fault in draw(st.lists(st.sampled_from(FAULTS), max_size=2)):
        fault(draw, X, y)
    return X, y


def fitted(name, X, y):
    """All numbers that a fit gives."""
    model = clone(MODELS[name]).fit(X, y)
    numbers = [model.predict(X)]
    if hasattr(model, "predict_survival_function") and name != "Forest" and "stratum" not in y:
        numbers.append(model.predict_survival_function(X, return_array=True))
    if hasattr(model, "selected"):
        numbers.append(model.selected(X).to_numpy(dtype=float))
    return numbers


def compared(cv, X, y):
    """All numbers of a comparison but C, which is undefined where no pair of patients can be compared."""
    models = {"Cox PH": CoxPH(penalizer=0.1), "Cox-LASSO": CoxLasso(n_alphas=4)}
    return [fit.risk for fit in run(models, X, y, cv=cv, progress=False).fits]


@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == FEW, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from([*MODELS, TrainOneTestNine(2, validation=0.2), RepeatedKFold(2, 1)]))
def test_any_table_is_answered_in_finite_numbers_or_refused_under_a_code(table, work):
    X, y = table
    before = X.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        warnings.filterwarnings("ignore", "overflow encountered in cast")  # of cells that the next fold refuses
        try:
            numbers = fitted(work, X, y) if isinstance(work, str) else compared(work, X, y)
        except (InputError, InputTypeError):  # these have a code
            numbers = []
    assert all(np.isfinite(values).all() for values in numbers)
    pd.testing.assert_frame_equal(X, before)
