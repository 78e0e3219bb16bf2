"""The LASSO path of the linear Cox model."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from survlspin import CoxPH, InputError, Outcome
from survlspin.estimators import lasso_path
from survlspin.heads import Cox
from survlspin.synthetic import registry

GOLD = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "cox_path.json.gz").read_bytes()))


def rows_of(case):
    table = pd.DataFrame(GOLD["sets"][case["set"]])
    X, y = table[case["x"]], table[case["roles"]]
    weight = y.get("weight", pd.Series(np.ones(len(y))))
    spread = np.sqrt(np.average((X - np.average(X, axis=0, weights=weight)) ** 2, axis=0, weights=weight))
    return X, y, float(weight.sum() / (weight * y["event"]).sum()), spread


@pytest.mark.parametrize("name", GOLD["cases"])
def test_paths_are_those_of_glmnet(name):
    """In units of standard deviations; the weights are glmnet's."""
    case = GOLD["cases"][name]
    X, y, unit, spread = rows_of(case)
    factor = dict.fromkeys(X.columns, 1.0) | case.get("penalty_factor", {})
    factor = {column: value * len(factor) / sum(factor.values()) for column, value in factor.items()}
    path = lasso_path(X, y, np.array(case["lam"]) * unit, ties="breslow", penalty_factor=factor)
    np.testing.assert_allclose(path * spread, case["coef"] * spread, atol=1e-9)


def small():
    X, y, _ = registry(1500, random_state=0)
    return X[["age", "tumour_size", "grade_III", "er_negative", "chemotherapy_yes"]], y


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_every_point_meets_the_conditions_of_the_optimum(l1_ratio, standardize, ties):
    X, y = small()
    path = lasso_path(X, y, n_lams=8, l1_ratio=l1_ratio, standardize=standardize, ties=ties)
    z, head = X.to_numpy(dtype=float), Cox(ties)
    z = z - z.mean(axis=0)
    unit = z.std(axis=0) if standardize else np.ones(z.shape[1])
    target = head.prepare(Outcome.of(y))
    for lam, coef in zip(path.index, path.to_numpy(), strict=True):
        gradient = head.quadratic(torch.from_numpy(z @ coef)[None, :, None], target).gradient[0, :, 0].numpy() @ z
        slope = (gradient + lam * (1 - l1_ratio) * unit**2 * coef) / (lam * l1_ratio * unit)
        np.testing.assert_allclose(slope[coef != 0], -np.sign(coef[coef != 0]), atol=1e-7)
        assert (np.abs(slope) < 1 + 1e-7).all()


def test_the_path_begins_where_nothing_is_selected_and_its_points_are_those_of_coxph():
    X, y = small()
    path = lasso_path(X, y, n_lams=6)
    counts = (path != 0).sum(axis=1).to_numpy()
    assert counts[0] == 0
    assert counts[1] > 0
    assert counts[-1] == 5
    assert (np.diff(path.index) < 0).all()
    for lam in path.index[[2, 5]]:
        model = CoxPH(penalizer=lam, l1_ratio=1.0).fit(X, y)
        np.testing.assert_allclose(model.coef_, path.loc[lam], rtol=1e-6, atol=1e-12)


def test_weights_in_any_order_give_the_same():
    X, y = small()
    path = lasso_path(X, y, [0.01, 0.1, 0.03])
    assert path.index.tolist() == [0.01, 0.1, 0.03]
    np.testing.assert_allclose(path.iloc[[1, 2, 0]], lasso_path(X, y, [0.1, 0.03, 0.01]), rtol=1e-10, atol=1e-14)


def test_columns_that_make_each_other_up_are_no_trouble():
    X, y = small()
    path = lasso_path(X.assign(again=X["age"]), y, n_lams=5)
    np.testing.assert_allclose(path["age"] + path["again"], lasso_path(X, y, path.index)["age"], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {"lams": [0.1, 0.0]},
        {"l1_ratio": 0.0},
        {"n_lams": 1},
        {"smallest": 1.0},
        {"penalty_factor": {"age": -1.0}},
        {"penalty_factor": dict.fromkeys(["age", "tumour_size", "grade_III", "er_negative", "chemotherapy_yes"], 0)},
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings):
    with pytest.raises(InputError, match=f"SL-487 {next(iter(settings))}"):
        lasso_path(*small(), **settings)
