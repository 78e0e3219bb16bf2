"""Measures of explanations: against loops over rows and pairs, and on models whose answer is known."""

from functools import partial
from importlib import import_module
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from survlspin import CoxLLSPIN, CoxPH, DenseRegressor, LLSPINClassifier, LSPINRegressor
from survlspin.baselines import CoxLasso, Forest
from survlspin.errors import InputError
from survlspin.metrics import concordance
from survlspin.metrics.interpretability import (
    counts_per_patient,
    diversity,
    explained,
    faithfulness,
    gate_statistics,
    generalizability,
    interpretability,
    leakage,
    lipschitz,
    row_correlations,
    set_sizes,
)
from survlspin.metrics.interpretability.leakage import mixed

RNG = np.random.default_rng(7)
USED = RNG.random((40, 6)) < [0.9, 0.7, 0.5, 0.3, 0.1, 0.0]
GROUPS = np.array(["a", "b", "c"])[RNG.integers(0, 3, 40)]


def patients(n=240, seed=1):
    """Two numbers that matter, a category that does a little, and a number that does not."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["age", "size", "noise"])
    X.insert(1, "grade", pd.Categorical(rng.choice(["I", "II", "III"], n, p=[0.3, 0.5, 0.2])))
    risk = 1.5 * X["age"] + 0.7 * X["size"] + 0.3 * (X["grade"] == "III")
    time = rng.exponential(np.exp(-risk.to_numpy()))
    return X, {"time": time.clip(max=5), "event": time < 5}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """Small forests: how good they are does not matter here."""
    monkeypatch.setattr(import_module("survlspin.metrics.interpretability.generalizability"), "TREES", 2)


@pytest.fixture
def few_draws(monkeypatch):
    """All measures at once, with few draws and folds: how exact they are does not matter here."""
    overview = import_module("survlspin.metrics.interpretability.overview")
    monkeypatch.setattr(overview, "leakage", partial(leakage, draws=2))
    monkeypatch.setattr(overview, "generalizability", partial(generalizability, folds=2))


# ---- gates and sets ----


def test_gates_are_counted_one_by_one():
    gates = RNG.random((30, 4)).clip(0.3, 0.7)
    gates = np.where(gates == 0.3, 0, np.where(gates == 0.7, 1, gates))
    cells = [g for row in gates for g in row]
    found = gate_statistics(pd.DataFrame(gates))
    assert found["closed"] == sum(g == 0 for g in cells) / 120 > 0
    assert found["open"] == sum(g == 1 for g in cells) / 120 > 0
    assert found["between"] == pytest.approx(sum(0 < g < 1 for g in cells) / 120)
    assert found[["closed", "between", "open"]].sum() == pytest.approx(1)
    assert found["mean"] == pytest.approx(np.mean(cells))


def test_counts_are_those_of_the_rows():
    sizes = [sum(row) for row in USED.tolist()]
    found = counts_per_patient(pd.DataFrame(USED))
    assert found["median"] == np.median(sizes)
    assert found["mean"] == np.mean(sizes)
    assert (found["least"], found["most"]) == (min(sizes), max(sizes))
    assert found["union"] == 5
    assert found["core"] == sum(all(row[g] for row in USED) for g in range(6))
    assert found["sets"] == len({tuple(row) for row in USED.tolist()})
    table = set_sizes(USED)
    assert table["rows"].tolist() == [sizes.count(k) for k in range(max(sizes) + 1)]
    assert table["share"].sum() == pytest.approx(1)


def index(a, b):
    return sum(a & b) / sum(a | b) if sum(a | b) else None


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else float("nan")


def test_diversity_pair_by_pair():
    used = USED.copy()
    used[:3] = False
    found = diversity(used, GROUPS, share=0.3)
    pairs = list(combinations(range(40), 2))
    between = mean(index(used[i], used[j]) for i, j in pairs if GROUPS[i] != GROUPS[j])
    within = mean(index(used[i], used[j]) for i, j in pairs if GROUPS[i] == GROUPS[j])
    assert found.between == pytest.approx(1 - between, rel=1e-12)
    assert found.within == pytest.approx(1 - within, rel=1e-12)
    sets = [used[name == GROUPS].mean(axis=0) >= 0.3 for name in "abc"]
    assert found.value == pytest.approx(1 - mean(index(a, b) for a, b in combinations(sets, 2)), rel=1e-12)
    np.testing.assert_array_equal(found.sets.to_numpy(), sets)
    assert diversity(used, GROUPS, share=0.8).value != found.value


def test_diversity_at_its_ends():
    same, apart = np.array([[1, 1, 0, 0]] * 4), np.array([[1, 1, 0, 0]] * 2 + [[0, 0, 1, 1]] * 2)
    groups = [0, 0, 1, 1]
    assert diversity(same, groups).value == diversity(same, groups).between == 0
    assert diversity(apart, groups).value == diversity(apart, groups).between == 1
    assert diversity(apart, groups).within == 0
    one = diversity(apart, [5, 5, 5, 5])
    assert np.isnan(one.value)
    assert np.isnan(one.between)
    assert one.definition.endswith("undefined: there are no two groups with a factor")


@pytest.mark.parametrize("measure", [gate_statistics, counts_per_patient, set_sizes])
@pytest.mark.parametrize("cells", [[1, 0], [[2, 0]], [[np.nan, 0]], np.empty((0, 3))], ids=repr)
def test_no_table_of_gates_or_sets(measure, cells):
    with pytest.raises(InputError, match="SL-617"):
        measure(cells)


def test_groups_of_other_rows():
    with pytest.raises(InputError, match="SL-617 40 rows, and groups of shape"):
        diversity(USED, GROUPS[:5])
    with pytest.raises(InputError, match="SL-617 no group in 2 rows, first at position 3"):
        diversity(USED, np.where(np.isin(np.arange(40), (3, 9)), None, GROUPS.astype(object)))


# ---- stability ----


def steepest(x, e, k, radius):
    """L_i by loops."""
    found = []
    for i in range(len(x)):
        near = sorted((np.linalg.norm(x[j] - x[i]), j) for j in range(len(x)) if (x[j] != x[i]).any())
        near = [pair for pair in near if radius is None or pair[0] <= radius][: k or len(x)]
        found.append(max((np.linalg.norm(e[j] - e[i]) / d for d, j in near), default=np.nan))
    return found


@pytest.mark.parametrize(("k", "radius"), [(1, None), (10, None), (None, 1.1), (3, 0.6)], ids=str)
def test_lipschitz_constants_by_loops(k, radius):
    rng = np.random.default_rng(3)
    x, e = rng.normal(size=(50, 3)), rng.random((50, 4))
    found = lipschitz(x, e, neighbours=k, radius=radius)
    np.testing.assert_allclose(found, steepest(x, e, k, radius), rtol=1e-12)
    assert np.isnan(found).any() == (radius is not None)  # some have nobody within it


def test_lipschitz_of_what_is_known():
    x = np.random.default_rng(0).normal(size=(60, 4))
    np.testing.assert_allclose(lipschitz(x, 3 * x, neighbours=5), 3)
    assert lipschitz(x, np.ones((60, 2)), neighbours=5).max() == 0
    twice = np.repeat(x, 30, axis=0)  # equal rows are one
    np.testing.assert_allclose(lipschitz(twice, 3 * twice, neighbours=5), 3)
    torn = 3 * twice
    torn[1] += 1
    assert np.isinf(lipschitz(twice, torn)[:30]).all()
    assert np.isfinite(lipschitz(twice, torn)[30:]).any()
    assert np.isnan(lipschitz(np.zeros((5, 2)), np.zeros((5, 2)))).all()


@pytest.mark.parametrize(
    "asked",
    [
        {"neighbours": 0},
        {"neighbours": 2.5},
        {"neighbours": None},
        {"radius": -1.0},
        {"radius": np.inf},
        {"neighbours": True},
    ],
    ids=repr,
)
def test_nobody_is_near(asked):
    with pytest.raises(InputError, match="SL-618"):
        lipschitz(np.zeros((4, 2)), np.zeros((4, 2)), **asked)


def test_explanations_of_other_rows():
    with pytest.raises(InputError, match="SL-618 4 rows and 5 explanations"):
        lipschitz(np.zeros((4, 2)), np.zeros((5, 2)))


# ---- faithfulness ----


def test_correlations_row_by_row():
    a, b = RNG.random((2, 20, 5))
    a[3], b[5] = 0.4, 0.0
    found = row_correlations(a, b)
    for i in range(20):
        expected = np.nan if i in (3, 5) else np.corrcoef(a[i], b[i])[0, 1]
        np.testing.assert_allclose(found[i], expected, rtol=1e-9)


@pytest.mark.parametrize("as_table", [True, False], ids=["table", "array"])
def test_removal_from_a_linear_model_changes_the_log_risk_by_the_contribution(as_table):
    X, y = patients()
    if not as_table:
        X = X.drop(columns="grade").to_numpy()
    model = CoxPH().fit(X, y)
    contribution = np.abs(model.design_.transform(X) * model.coef_.to_numpy())
    own = np.zeros((len(X), len(model.design_.factors)))
    np.add.at(own.T, model.design_.group, contribution.T)
    found = faithfulness(model, X, y, importance=own)
    np.testing.assert_allclose(found.rows, 1, atol=1e-6)
    assert found.value == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found.frame["change"], own.mean(axis=0), rtol=1e-5)
    assert faithfulness(model, X, importance=-own).value == pytest.approx(-1, abs=1e-6)
    order = found.frame.sort_values("importance", ascending=False)
    assert order["kept"].iloc[-1] == 0.5  # nothing is left, and all are tied
    first = order.index[0]
    assert order.loc[first, "kept"] == pytest.approx(model.score(X, y) - order.loc[first, "drop"])
    assert found.by_score == pytest.approx(np.corrcoef(found.frame["importance"], found.frame["drop"])[0, 1])


def test_without_an_outcome_there_is_no_score_and_without_choice_no_correlation():
    X, y = patients()
    found = faithfulness(CoxPH().fit(X, y), X)
    assert np.isnan(found.value)
    assert "undefined: no row's importances and changes vary" in found.definition
    assert np.isnan(found.by_score)
    assert found.frame[["drop", "kept"]].isna().all(axis=None)
    with pytest.raises(InputError, match="SL-617 importances of shape"):
        faithfulness(CoxPH().fit(X, y), X, importance=np.ones((3, 3)))


def test_a_category_is_removed_as_a_whole_where_its_columns_are_factors():
    X, y = patients()
    model = CoxLLSPIN(groups="column", epochs=3, lam=0.01, random_state=0).fit(X, y)
    found = faithfulness(model, X)
    grades = [name for name in found.frame.index if name.startswith("grade")]
    at_mode = X.assign(grade=pd.Categorical(["II"] * len(X), dtype=X["grade"].dtype))
    expected = np.abs(model.predict(at_mode) - model.predict(X)).mean()
    np.testing.assert_allclose(found.frame.loc[grades, "change"], expected, rtol=1e-9)
    assert len(grades) == 2


def test_classes_change_by_the_probability_of_the_likeliest():
    X, _ = patients()
    y = np.where(X["age"] + X["size"] > 0.3, "ill", "well")
    model = LLSPINClassifier(epochs=8, lam=0.01, random_state=0).fit(X, y)
    found = faithfulness(model, X, y)
    p = model.predict_proba(X)
    likeliest = p.argmax(axis=1)
    other = model.predict_proba(X.assign(age=model.design_.reference["age"]))
    rows = np.arange(len(X))
    expected = np.abs(other[rows, likeliest] - p[rows, likeliest]).mean()
    assert found.frame.loc["age", "change"] == pytest.approx(expected, rel=1e-9)
    assert found.frame.loc["age", "drop"] == pytest.approx(
        np.mean(p.argmax(1) == (y == "well")) - np.mean(other.argmax(1) == (y == "well"))
    )


# ---- leakage ----


def redrawn(model, X, used, draws, threshold, seed):
    """Leakage by loops over rows."""
    rng, moved = np.random.default_rng(seed), []
    full = model.predict(X)
    for _ in range(draws):
        donor = rng.integers(0, len(X), len(X))
        records = [
            {name: row[name] if use[name] else other[name] for name in X}
            for row, other, use in zip(
                X.to_dict("records"), X.iloc[donor].to_dict("records"), used.to_dict("records"), strict=True
            )
        ]
        table = pd.DataFrame(records).astype(X.dtypes)
        moved.append(np.abs(model.predict(table) - full))
    return np.mean(np.array(moved) > threshold, axis=0), np.mean(moved)


def test_leakage_by_loops():
    X, y = patients(60)
    model = CoxLLSPIN(epochs=30, lam=0.05, random_state=0).fit(X, y)
    used = model.selected(X)
    assert 0 < used.to_numpy().mean() < 1
    found = leakage(model, X, draws=4, threshold=0.01, random_state=3)
    rows, unlisted = redrawn(model, X, used, 4, 0.01, 3)
    np.testing.assert_allclose(found.rows, rows)
    assert found.unlisted == pytest.approx(unlisted, rel=1e-9)
    assert found.value == np.mean(rows >= 0.5)
    assert found.listed == pytest.approx(redrawn(model, X, ~used, 4, 0.01, 3)[1], rel=1e-9)


def test_a_cell_is_its_own_or_the_donors_whatever_its_kind():
    rng, n = np.random.default_rng(0), 40
    text = rng.choice(["a", "b", None], n)
    kinds = {"number": rng.normal(size=n), "whole": rng.integers(0, 99, n), "level": pd.Categorical(text), "text": text}
    few = pd.array(rng.choice([0, 1, None], n), "Int64")
    X = pd.DataFrame({**kinds, "few": few, 7: rng.random(n) < 0.5, "more": 1})
    X.index = [f"row {i // 2}" for i in range(n)]  # labels need not be of one row
    names = [name for name in X if name != "more"][::-1]
    model = SimpleNamespace(design_=SimpleNamespace(variables=[SimpleNamespace(name=str(name)) for name in names]))
    donor, keep = rng.integers(0, n, n), rng.random((n, len(names))) < 0.5
    found, expected = mixed(model, X, donor, keep), X.copy()
    for j, name in enumerate(names):
        own, other = (X[name].iloc[rows].reset_index(drop=True) for rows in (np.arange(n), donor))
        expected[name] = own.where(keep[:, j], other).array
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("groups", ["factor", "column"])
def test_gates_that_see_only_context_leak_nothing(groups):
    X, y = patients()
    model = CoxLLSPIN(epochs=15, lam=0.02, context=["grade"], groups=groups, random_state=0).fit(X, y)
    assert not model.selected(X).all(axis=None)
    found = leakage(model, X, draws=3, threshold=0)
    assert found.value == found.unlisted == 0
    assert found.listed > 0.1


def test_a_model_of_an_array_that_hides_what_it_uses_leaks():
    X, y = patients()
    X = X.drop(columns="grade")
    model = Chooses().fit(X, y)
    rows = leakage(model, X).rows
    assert rows[X["age"] > 0].max() < 0.5 < np.median(rows[X["age"] <= 0])  # for these the size is not listed
    plain = CoxPH().fit(X.to_numpy(), y)
    assert leakage(plain, X.to_numpy()).unlisted == 0
    assert leakage(plain, X.to_numpy()).listed == pytest.approx(leakage(CoxPH().fit(X, y), X).listed)


def test_moves_of_numbers_are_in_their_standard_deviation():
    X, _ = patients()
    for scale in (1, 1000):
        model = LSPINRegressor(epochs=5, lam=0.02, random_state=0).fit(X, scale * X["age"].to_numpy())
        found = leakage(model, X, draws=2)
        assert found.listed == pytest.approx(1.0, abs=0.5)
        assert "0.2 SD" in found.definition


@pytest.mark.parametrize("asked", [{"draws": 0}, {"draws": 1.5}, {"threshold": -1}, {"threshold": np.nan}], ids=repr)
def test_draws_that_are_none(asked):
    X, y = patients(60)
    with pytest.raises(InputError, match="SL-618 draws="):
        leakage(CoxPH().fit(X, y), X, **asked)


# ---- generalizability ----


class Chooses(CoxPH):
    """Cox regression that says it uses for each row the column `age`, and `size` where `age` is above 0, or all."""

    def selected_columns(self, X):
        used = pd.DataFrame(False, index=X.index, columns=list(self.design_.columns))
        used["age"] = True
        used["size"] = X["age"] > 0
        return used


def test_simple_models_see_what_is_not_masked():
    X, y = patients()
    X = X.drop(columns="grade")
    table = generalizability(Chooses().fit(X, y), X, y, folds=2)
    assert table.attrs["score"] == "C"
    assert list(table.index) == ["Cox", "forest"]
    everything = generalizability(CoxPH().fit(X, y), X, y, folds=2)
    np.testing.assert_array_equal(everything["masked"], everything["plain"])
    np.testing.assert_array_equal(everything["plain"], table["plain"])
    assert everything["mask_only"].isna().all()  # a mask that never varies says nothing
    assert table.loc["Cox", "masked"] != table.loc["Cox", "plain"]
    assert table.loc["Cox", "mask_only"] > 0.6  # which column is masked tells the sign of age
    assert table.loc["Cox", "plain"] > 0.75


@pytest.mark.filterwarnings("ignore:SL-481")  # a column that is masked for everybody
def test_the_linear_model_of_a_fold_by_hand():
    from sklearn.model_selection import StratifiedKFold

    X, y = patients()
    X = X.drop(columns="grade")
    model = Chooses().fit(X, y)
    x = model.design_.transform(X).astype(float) * model.selected_columns(X).to_numpy()
    scores = []
    event = np.asarray(y["event"])
    for train, test in StratifiedKFold(2, shuffle=True, random_state=3).split(x, event):
        part = {name: np.asarray(values)[train] for name, values in y.items()}
        risk = CoxPH(penalizer=1e-3).fit(x[train], part).predict(x[test])
        scores.append(concordance(np.asarray(y["time"])[test], event[test], risk).value)
    found = generalizability(model, X, y, folds=2, random_state=3)
    assert found.loc["Cox", "masked"] == pytest.approx(np.mean(scores), rel=1e-9)


def test_a_forest_is_left_out_where_it_cannot_use_the_outcome():
    X, y = patients(80)
    table = generalizability(CoxPH().fit(X, y), X, {**y, "weight": np.arange(80) % 3 + 1.0}, folds=2)
    assert list(table.index) == ["Cox"]


# ---- all of them ----

MODELS = {
    "net": (CoxLLSPIN(epochs=25, lam=0.01, random_state=0), None),
    "lasso": (CoxLasso(alpha=0.05), None),
    "forest": (Forest(3, random_state=0), None),
    "classes": (LLSPINClassifier(epochs=5, lam=0.02, random_state=0), "classes"),
    "numbers": (LSPINRegressor(epochs=5, lam=0.02, random_state=0), "numbers"),
    "dense": (DenseRegressor(epochs=5, random_state=0), "numbers"),
}


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("name", MODELS)
def test_every_measure_of_every_kind_of_model(name):
    model, kind = MODELS[name]
    X, y = patients(150)
    if kind is not None:
        number = X["age"].to_numpy() + 0.3 * X["size"].to_numpy()
        y = number if kind == "numbers" else np.where(number > 0, "ill", "well")
    model.fit(X, y)
    table = interpretability(model, X, y, groups=None if kind == "classes" else X["grade"]).set_index("name")
    assert table.index.is_unique
    assert table["definition"].str.len().min() > 20
    undefined = table["definition"].str.contains("undefined")
    assert (table["value"].isna() == undefined).all()
    assert {"faithfulness", "diversity", "stability.mean", "generalizability.model"} <= set(table.index)
    gates = table.loc[["gates.closed", "gates.between", "gates.open"], "value"]
    assert gates.isna().all() if name in ("lasso", "forest", "dense") else gates.sum() == pytest.approx(1)
    assert table.loc["count.median", "value"] == explained(model, X).used.sum(axis=1).median()
    assert ("nll" in table.index) == (kind == "classes")
    if kind is None:
        assert table.loc["generalizability.model", "value"] > 0.6


@pytest.mark.usefixtures("few_draws")
def test_without_groups_there_is_no_diversity():
    X, _ = patients(60)
    y = X["age"].to_numpy()
    table = interpretability(DenseRegressor(epochs=2, random_state=0).fit(X, y), X, y).set_index("name")
    assert table.loc["diversity", "definition"].endswith("undefined: no groups are given")
    assert "diversity.between" not in table.index


def test_a_model_without_a_design_is_refused():
    X, y = patients(100)
    X = X.drop(columns="grade")
    y = pd.DataFrame(y).to_records(index=False)
    pipeline = make_pipeline(StandardScaler(), CoxPH()).fit(X, y)
    for measure in (interpretability, generalizability, faithfulness, lambda model, X, y: leakage(model, X)):
        with pytest.raises(InputError, match="SL-619 Pipeline has no design"):
            measure(pipeline, X, y)
