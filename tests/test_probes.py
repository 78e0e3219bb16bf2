"""Columns that mean nothing, and what their selection says."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kstest

from survlspin.baselines import CoxLasso, LifelinesCoxPH
from survlspin.errors import InputError
from survlspin.folds import TrainOneTestNine
from survlspin.probes import Probes, probe_report, probe_share, smallest_lambda, upper_bound
from survlspin.splits import blocks
from survlspin.usage import usage

KINDS = [Probes("uniform", 10), Probes("shadow", 10)]


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    grade = pd.Categorical.from_codes(rng.integers(3, size=n), ["I", "II", "III"])
    X = pd.DataFrame(
        {"age": rng.normal(size=n), "grade": grade, "positive": rng.random(n) < 0.1, "nodes": np.arange(n)}
    )
    return X.set_axis([f"id {i}" for i in rng.permutation(n)])


@pytest.mark.parametrize("probes", KINDS, ids=["uniform", "shadow"])
@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(40)), columns=st.permutations(["age", "grade", "positive", "nodes"]))
def test_a_row_has_its_probes_in_any_order_of_rows_and_columns(probes, order, columns):
    X = table(40)
    there = probes.add(X.iloc[order][columns])
    assert list(there.columns[:4]) == list(columns)
    pd.testing.assert_frame_equal(there.loc[X.index, [*X, *probes.names(X)]], probes.add(X))


@pytest.mark.parametrize("probes", KINDS, ids=["uniform", "shadow"])
def test_rows_are_known_by_the_labels_given(probes):
    X = table()
    order = np.random.default_rng(1).permutation(200)
    plain = probes.add(X.reset_index(drop=True), labels=X.index)
    np.testing.assert_array_equal(plain[list(probes.names(X))], probes.add(X)[list(probes.names(X))])
    other = probes.add(X.reset_index(drop=True))
    assert not plain.equals(other)
    numbers, text = X.set_axis(np.arange(200)), X.set_axis(np.arange(200).astype(str))
    np.testing.assert_array_equal(probes.add(numbers), probes.add(text))
    shuffled = probes.add(X.iloc[order].to_numpy(), labels=X.index[order])
    assert shuffled.index.equals(pd.RangeIndex(200))


@pytest.mark.parametrize("probes", KINDS, ids=["uniform", "shadow"])
def test_rows_of_one_label_go_by_what_is_in_them(probes):
    X = table()
    patient = np.random.default_rng(2).integers(60, size=200)
    order = np.random.default_rng(1).permutation(200)
    one = probes.add(X, labels=patient).sort_values("nodes")  # nodes: all different
    pd.testing.assert_frame_equal(probes.add(X.iloc[order], labels=patient[order]).sort_values("nodes"), one)
    assert list(one.index) == list(X.index)


def test_uniform_probes_are_uniform_and_a_row_keeps_them_whoever_leaves():
    X = table(2000)
    made = Probes("uniform", 20).add(X).iloc[:, 4:]
    assert list(made) == [f"probe_{k}" for k in range(1, 21)]
    assert min(kstest(made[name], "uniform").pvalue for name in made) > 1e-4
    assert np.abs(np.corrcoef(made.T) - np.eye(20)).max() < 5 / np.sqrt(2000)
    pd.testing.assert_frame_equal(Probes("uniform", 20).add(X.iloc[::3]).iloc[:, 4:], made.iloc[::3])
    pd.testing.assert_frame_equal(Probes("uniform", 3).add(X).iloc[:, 4:], made.iloc[:, :3])


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 12), rows=st.integers(1, 60), seed=st.integers(0, 9))
def test_shadows_keep_the_distribution_exactly(n, rows, seed):
    X = table(rows, seed)
    probes = Probes("shadow", n, random_state=seed)
    made = probes.add(X)
    names = probes.names(X)
    assert list(made.columns) == [*X, *names]
    times = [sum(name.startswith(f"shadow_{column}_") for name in names) for column in X]
    assert sum(times) == n
    assert max(times) - min(times) <= 1
    for name in names:
        _, column, number = name.split("_")
        assert 1 <= int(number) <= -(-n // 4)
        assert made[name].dtype == X[column].dtype
        assert sorted(made[name]) == sorted(X[column])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shadows_break_every_link(seed):
    n = 800
    age = np.random.default_rng(seed).normal(size=n)
    X = pd.DataFrame({"age": age, "twin": -age})
    made = Probes("shadow", 4, random_state=seed).add(X)
    linked = np.abs(np.corrcoef(made.T) - np.eye(6))
    assert linked[0, 1] == pytest.approx(1)
    linked[:2, :2] = 0
    assert linked.max() < 5.5 / np.sqrt(n)


def test_shadows_within_blocks_carry_no_value_from_one_to_another():
    X = table()
    y = {"time": np.arange(1.0, 201), "event": np.arange(200) % 2}
    folds = list(TrainOneTestNine(3).folds(X, y))
    probes, block = Probes("shadow", 8), blocks(folds, 200)
    one = probes.add(X, within=block)
    names = list(probes.names(X))
    for number in set(block):
        for name in names:
            assert sorted(one[name][block == number]) == sorted(X[name.split("_")[1]][block == number])
    poisoned = X.assign(age=np.where(block == block[folds[0].test[0]], 1e6, X["age"]))
    other = probes.add(poisoned, within=block)
    pd.testing.assert_frame_equal(other[names].iloc[folds[0].train], one[names].iloc[folds[0].train])
    assert (probes.add(poisoned)[names].iloc[folds[0].train] != one[names].iloc[folds[0].train]).any(axis=None)
    order = np.random.default_rng(1).permutation(200)
    renamed = np.array([2, 0, 3, 1])[block]
    pd.testing.assert_frame_equal(probes.add(X.iloc[order], within=renamed[order]).loc[X.index], one)


@pytest.mark.parametrize("kind", ["uniform", "shadow"])
def test_the_seed_decides(kind):
    X = table()
    one, other = (Probes(kind, 8, random_state=seed).add(X) for seed in (0, 1))
    pd.testing.assert_frame_equal(Probes(kind, 8).add(X), one)
    assert not np.array_equal(one.iloc[:, 4:], other.iloc[:, 4:])
    first = {Probes(kind, 1, random_state=seed).names(X) for seed in range(20)}
    assert len(first) == (4 if kind == "shadow" else 1)


def test_the_kinds_differ_and_have_their_numbers():
    X = table()
    uniform, shadow = Probes("uniform"), Probes("shadow")
    assert (uniform.n, shadow.n) == (3, 55)
    assert uniform.names(X) == ("probe_1", "probe_2", "probe_3")
    assert len(set(shadow.names(X))) == 55
    assert not {*uniform.names(X)} & {*shadow.names(X)}
    assert {name.split("_")[1] for name in shadow.names(X)[:4]} == {*X}


def test_columns_that_are_noise_already_count_and_get_no_shadow():
    X = Probes().add(table())
    probes = Probes("shadow", 4, columns=["probe_1", "probe_2", "probe_3"])
    assert probes.names(X)[:3] == ("probe_1", "probe_2", "probe_3")
    assert not any("probe" in name for name in probes.names(X)[3:])
    assert len(probes.add(X).columns) == 4 + 3 + 4
    only = Probes(n=0, columns=["probe_2"])
    assert only.names(X) == ("probe_2",)
    pd.testing.assert_frame_equal(only.add(X), X)


def test_arrays_become_tables():
    made = Probes(n=1).add(np.zeros((4, 2)))
    assert list(made) == ["x0", "x1", "probe_1"]
    assert made.index.equals(pd.RangeIndex(4))


@pytest.mark.parametrize("wrong", [{"kind": "normal"}, {"n": 0}, {"n": -1}, {"n": 2.5}])
def test_probes_that_cannot_be_made(wrong):
    with pytest.raises(InputError, match="SL-388"):
        Probes(**wrong)


def test_nothing_to_make_shadows_of():
    with pytest.raises(InputError, match="SL-388"):
        Probes("shadow", columns=["a"]).add(pd.DataFrame({"a": [1, 2]}))


@pytest.mark.parametrize(
    ("probes", "name"), [(Probes(), "probe_2"), (Probes("shadow", 4), "shadow_nodes_1")], ids=["uniform", "shadow"]
)
def test_names_that_are_taken(probes, name):
    with pytest.raises(InputError, match=rf"SL-389 X has columns called '{name}'"):
        probes.add(table().assign(**{name: 0.0}))


def test_noise_that_is_not_there():
    with pytest.raises(InputError, match=r"SL-389 X has no column 'nods' \(did you mean 'nodes'\?\)"):
        Probes(columns=["nods"]).names(table())


def test_as_many_labels_as_rows():
    with pytest.raises(InputError, match=r"SL-301.*X 200, labels 3"):
        Probes().add(table(), labels=[1, 2, 3])


@pytest.mark.parametrize(("n", "bound"), [(3, 0.6316), (20, 0.1391), (55, 0.0530), (100, 0.0295), (300, 0.0099)])
def test_no_probe_selected_bounds_the_rate_by_this(n, bound):
    assert upper_bound(0, n) == pytest.approx(bound, abs=5e-5)


@given(n=st.integers(1, 80), selected=st.integers(0, 80), level=st.floats(0.5, 0.999))
def test_at_the_bound_so_few_are_selected_with_probability_one_minus_level(n, selected, level):
    selected = min(selected, n)
    bound = upper_bound(selected, n, level)
    if selected == n:
        assert bound == 1
    else:
        assert binom.cdf(selected, n, bound) == pytest.approx(1 - level, rel=1e-6)


@pytest.mark.parametrize("wrong", [(-1, 3, 0.95), (4, 3, 0.95), (0, 3, 1.0), (0, 3, 0.0)])
def test_bounds_of_what_cannot_be(wrong):
    with pytest.raises(InputError, match="SL-390"):
        upper_bound(*wrong)


@given(
    share=st.lists(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.4]), min_size=4, max_size=4), min_size=1, max_size=8),
    rate=st.sampled_from([0.0, 0.2, 0.25, 0.5, 1.0]),
    seed=st.integers(0, 9),
)
def test_the_smallest_penalty_that_keeps_to_the_rate_from_there_on(share, rate, seed):
    lam = np.random.default_rng(seed).permutation(len(share)) + 1.0
    rates = (np.array(share) > 0).mean(axis=1)
    fine = [i for i in range(len(lam)) if (rates[lam >= lam[i]] <= rate).all()]
    expected = min(fine, key=lambda i: lam[i]) if fine else lam.argmax()
    assert smallest_lambda(lam, pd.DataFrame(share), rate) == expected


def test_a_single_fit_is_its_own_choice():
    assert smallest_lambda([np.nan], [[1.0, 1.0]], 0.05) == 0


@pytest.mark.parametrize(("share", "rate"), [([[0.0]], -0.1), ([[0.0]], 1.1), (np.empty((2, 0)), 0.1)])
def test_rates_that_cannot_be_kept_to(share, rate):
    with pytest.raises(InputError, match="SL-390"):
        smallest_lambda(np.arange(len(share)), share, rate)


def fit(model, share, chosen=0):
    return SimpleNamespace(model=model, share=pd.DataFrame(share), chosen=chosen)


def test_the_share_of_a_probe_in_several_columns_is_that_of_the_most_used():
    columns = {"shadow_grade_1[II]": [0.2], "shadow_grade_1[III]": [0.5], "shadow_grade_10": [0.9]}
    found = probe_share(pd.DataFrame({"age": [1.0], **columns}), ["shadow_grade_1", "shadow_grade_10", "constant"])
    assert found.iloc[0].to_dict() == {"shadow_grade_1": 0.5, "shadow_grade_10": 0.9}


def test_the_report_counts_probes_selected_by_anybody():
    names = ["p1", "p2", "p3", "p4"]
    none = dict.fromkeys(names, 0.0)
    fits = [
        fit("A", {"age": [1, 1], **{name: [1, 0] for name in names}}, chosen=1),
        fit("A", {"age": [1], **none, "p1": [0.4], "p2": [0.2]}),
        fit("A", {"age": [1], **none, "p1": [0.4]}),
        fit("B", {"age": [1], **none}),
        fit("C", {"age": [1], "p1": [1.0], "p2": [1.0]}),  # the others were constant among its training rows
        fit("D", {0: [1], 1: [1]}),
    ]
    report = probe_report(fits, names)
    assert list(report.index) == list("ABCD")
    assert list(report.columns) == ["offered", "selected", "in_most", "rate", "upper", "opened"]
    assert report.loc["A"].to_list() == pytest.approx([4, 1, 1, 0.25, upper_bound(1, 4), 1 / 12])
    assert report.loc["B"].to_list() == pytest.approx([4, 0, 0, 0, upper_bound(0, 4), 0])
    assert report.loc["C"].to_list() == pytest.approx([2, 2, 2, 1, 1, 1])
    assert report.loc["D", "offered"] == 0
    assert report.loc["D", ["rate", "upper"]].isna().all()
    assert report.attrs["upper"].startswith("upper 95% bound (Clopper-Pearson")
    half = probe_report(fits, names, level=0.5)
    assert half.loc["A", "upper"] == upper_bound(1, 4, 0.5)
    assert half.attrs["upper"].startswith("upper 50% bound")
    two = probe_report(fits[1:3], names).loc["A"]  # 1.5 is rounded up, and one fit of two is not most
    assert (two["selected"], two["in_most"], two["upper"]) == (1.5, 1, upper_bound(2, 4))
    fewer = probe_report([*fits[3:4], fit("B", {"p1": [0.0], "p2": [0.0]})], names).loc["B"]
    assert (fewer["offered"], fewer["upper"]) == (2, upper_bound(0, 2))
    all_of_them = [fit("E", {name: [1.0] for name in names}), fit("E", {"p1": [1.0], "p2": [1.0]})]
    assert probe_report(all_of_them, names).loc["E", ["offered", "rate", "upper"]].to_list() == [2, 1, 1]


def test_a_model_that_selects_takes_few_probes_and_one_that_does_not_takes_all():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 4)), columns=["age", "size", "nodes", "ratio"])
    y = {"time": rng.exponential(np.exp(-2 * X["age"] - X["size"])), "event": np.ones(240, int)}
    probes = Probes("shadow", 12)
    X, names = probes.add(X), list(probes.names(X))
    dense, path = LifelinesCoxPH().fit(X, y), CoxLasso(random_state=0).path(X, y)
    lasso = pd.DataFrame([usage(path.at(i), X).share for i in range(len(path))])
    fits = [fit("Cox PH", [usage(dense, X).share]), fit("Cox-LASSO", lasso, path.chosen)]
    report = probe_report(fits, names)
    assert report["offered"].tolist() == [12, 12]
    assert report.loc["Cox PH", ["rate", "upper", "opened"]].tolist() == [1, 1, 1]
    assert report.loc["Cox-LASSO", "rate"] < 1
    i = smallest_lambda(path.frame["lam"], probe_share(lasso, names), rate=0.0)
    assert lasso[names].iloc[i].sum() == 0
    assert lasso["age"].iloc[i] == 1
    assert lasso[names].iloc[i - 1].sum() > 0
