"""The settings of estimators: equal where they fit the same, in any process; refused where nobody could tell."""

import importlib
import operator
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sksurv.linear_model import CoxPHSurvivalAnalysis

from survlspin.baselines import Forest, adapt
from survlspin.errors import InputError
from survlspin.estimators import CoxLSPIN
from survlspin.store import StoreFolder, settings_of
from survlspin.store.files import canonical


class Plain:
    def __init__(self, value):
        self.value = value


class Slotted:
    __slots__ = ("value",)


class Loop:
    def __init__(self):
        self.me = self


def of(setting):
    """The description of one setting."""
    return settings_of(FunctionTransformer(func=setting))["params"]["func"]


def named(x):
    return x


def test_an_estimator_is_its_class_and_settings():
    described = settings_of(CoxLSPIN(lam=0.5, hidden=(4, 2)))
    assert described["class"].endswith(".CoxLSPIN")
    assert described["params"]["lam"] == 0.5
    assert described["params"]["hidden"] == [4, 2]
    assert described == settings_of(CoxLSPIN(hidden=[4, 2], lam=np.float64(0.5)))
    assert described != settings_of(CoxLSPIN(lam=0.4, hidden=(4, 2)))


def test_estimators_in_estimators_are_described_too():
    def pipeline(alpha):
        return adapt(make_pipeline(StandardScaler(), CoxPHSurvivalAnalysis(alpha=alpha)))

    assert settings_of(pipeline(0.1)) == settings_of(pipeline(0.1))
    assert settings_of(pipeline(0.1)) != settings_of(pipeline(0.2))
    assert settings_of(adapt(Forest())) != settings_of(adapt(CoxPHSurvivalAnalysis()))
    inner = settings_of(pipeline(0.1))["params"]["estimator"]["params"]["steps"][1]
    assert (inner[0], inner[1]["params"]["alpha"]) == ("coxphsurvivalanalysis", 0.1)


def test_searches_and_selectors_are_described():
    def search(folds, pattern):
        columns = ColumnTransformer([("numbers", StandardScaler(), make_column_selector(pattern))])
        return GridSearchCV(make_pipeline(columns, LinearRegression()), {"a": [1, 2]}, cv=KFold(folds), scoring=None)

    assert settings_of(search(3, "x")) == settings_of(search(3, "x"))
    assert settings_of(search(3, "x")) != settings_of(search(4, "x"))
    assert settings_of(search(3, "x")) != settings_of(search(3, "y"))


DIFFERENT = [
    None, True, 1, 2, 1.5, float("nan"), float("inf"), "1", [1, 2], [2, 1], {"a": 1}, {"a": 2}, {1: 1}, {1, 2}, {1, 3},
    np.arange(3), np.arange(3.0), np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2), np.array(["a", None]),
    pd.Series([1, 2]), pd.Series([1, 2], index=[1, 2]), pd.Series([1, 2], name="a"), pd.DataFrame({"a": [1, 2]}),
    pd.Index([1, 2]), pd.Index([1, 3]), StandardScaler, LinearRegression, StandardScaler(), LinearRegression(),
    named, np.log1p, np.exp, len, operator.add, partial(named, 1), partial(named, 2), StandardScaler().fit,
    StandardScaler(with_mean=False).fit, np.random.RandomState(0), np.random.RandomState(1), np.random.default_rng(0),
    np.random.default_rng(1), Plain(1), Plain(2), Plain(named), KFold(2), KFold(3), torch.device("cpu"), 1 + 2j,
    pd.Timestamp("2020-01-01"), b"bytes", str.upper, str.lower, np.longdouble(2),
]  # fmt: skip


def test_different_settings_are_different_and_can_be_written_as_json():
    described = [canonical(of(setting)) for setting in DIFFERENT]
    assert len(set(described)) == len(DIFFERENT)


def test_equal_settings_are_equal():
    assert of({"b": 1, "a": 2}) == of({"a": 2, "b": 1})
    assert of({"x", "y", "z"}) == of({"z", "y", "x"})
    assert of((1, 2)) == of([1, 2]) == of([np.int8(1), np.int64(2)])
    assert of(np.random.RandomState(3)) == of(np.random.RandomState(3))
    assert of(np.asfortranarray(np.eye(3, 2))) == of(np.eye(3, 2))


def test_a_function_that_was_edited_is_another(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    described = []
    for constant in (1, 2, 1):
        folder = tmp_path / str(len(described))
        folder.mkdir()
        (folder / "edited.py").write_text(f"def add(x):\n    return x + {constant}\n")
        monkeypatch.syspath_prepend(folder)
        described.append(canonical(of(importlib.import_module("edited").add)))
        del sys.modules["edited"]
    assert described[0] != described[1]
    assert described[0] == described[2]


ELSEWHERE = """
import sys
import numpy as np
from sklearn.compose import make_column_selector as selector
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from survlspin.store import StoreFolder, settings_of

def of(setting):
    return StoreFolder.key(settings_of(FunctionTransformer(func=setting)))

def without_source(x):
    return x

sys.stdout.write(of([selector("x"), {"b", "a"}, np.eye(2), StandardScaler]))
of(without_source)
"""


def test_in_another_process_settings_are_the_same_and_its_own_functions_are_refused():
    bare = {"PYTHONHASHSEED": "random", "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, check=False, env=bare)
    setting = FunctionTransformer(func=[make_column_selector("x"), {"a", "b"}, np.eye(2), StandardScaler])
    assert done.stdout == StoreFolder.key(settings_of(setting))
    assert "SL-362 FunctionTransformer(func=...) is or holds __main__.without_source, whose source is" in done.stderr


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        (lambda x: x, "<lambda>, which has no name of its own"),
        ([partial(lambda x: x, 1)], "<lambda>, which has no name of its own"),
        (object(), "object, which does not say all of itself"),
        (Slotted(), "Slotted, which does not say all of itself"),
        (Loop(), "Loop, which holds itself"),
        (torch.nn.Linear(2, 2), "Linear, which does not say all of itself"),
        (torch.arange(10_000), "Tensor, which does not say all of itself"),
        ({"a": (i for i in ())}, "generator, which does not say all of itself"),
    ],
    ids=["lambda", "partial", "object", "slots", "loop", "module", "tensor", "generator"],
)
def test_what_a_later_process_could_not_know_again_is_refused(setting, why):
    with pytest.raises(InputError, match=r"^SL-362 FunctionTransformer\(func=...\) is or holds .*" + why):
        of(setting)
