from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from survlspin.errors import InputError
from survlspin.outcome import Outcome
from survlspin.publish.bundle import AGE, OTHERS, publish
from survlspin.publish.counting import ALL, Population, counted_sets, kept_times
from survlspin.publish.suppression import audit
from survlspin.study import Study

FACTORS = ("age", "nodes", "size")
ALL_SETS = ["".join(letters) for letters in product(*(("", name[0]) for name in FACTORS))]
TABLES = ("sets", "sizes", "factors", "subgroups", "courses", "effects", "baseline")


class Model:
    """A model that lists for each patient the factors that a column names by letters."""

    def get_params(self, deep=False):
        return {"lam": 0.1}

    def risk_factors(self, X):
        listed = np.array([[name[0] in cell for name in FACTORS] for cell in X["listed"]])
        effects = np.where(listed, X["age"].to_numpy()[:, None] / 100, np.nan)
        basis = {"factors": FACTORS, "units": ("years", "", "mm"), "context": np.zeros(3, bool), "members": 2}
        blocks = [
            SimpleNamespace(listed=part, effects=e)
            for part, e in zip(*map(np.array_split, (listed, effects), (2, 2)), strict=True)
        ]
        return SimpleNamespace(explanations=lambda: iter(blocks), kind="additive", note="", **basis)


def study(listed, grade, time, event, **more) -> Study:
    n = len(listed)
    age = np.random.default_rng(0).normal(70, 15, n).clip(20, 103)
    X = pd.DataFrame({"listed": listed, "grade": grade, "age": age}, index=[f"ID-{i:05}-secret" for i in range(n)])
    return Study(
        "a secret file.csv", X, Outcome.of((time, event)).to_y(), "years", more.pop("groups", None), None, **more
    )


def people(n=400, seed=0) -> Study:
    rng = np.random.default_rng(seed)
    listed = rng.choice(["a", "an", "ans", "s", "", "n"], n, p=[0.4, 0.3, 0.2, 0.06, 0.03, 0.01])
    time = rng.integers(1, 5, n).astype(float)
    return study(listed, rng.choice(["I", "II", "III"], n, p=[0.5, 0.45, 0.05]), time, rng.random(n) < 0.7)


def tables_of(data, out, least, subgroups=("grade",)) -> dict[str, pd.DataFrame]:
    out.mkdir(exist_ok=True)
    publish(Model(), data, out, least, subgroups)
    return {name: pd.read_csv(out / f"{name}.csv", keep_default_na=False, na_values=[""]) for name in TABLES}


def atoms_of(data: Study, grid: np.ndarray) -> tuple[np.ndarray, list, np.ndarray]:
    """Every kind of patient that there can be, bool by what is true of it, and how many there are."""
    levels = sorted(set(data.X["grade"]))
    step = np.searchsorted(grid, data.y["time"], side="left")
    kinds = list(product(ALL_SETS, levels, range(1, len(grid)), (True, False)))
    found = zip(data.X["listed"], data.X["grade"], step, data.y["event"], strict=True)
    n = pd.Series([(*kind[:2], int(kind[2]), bool(kind[3])) for kind in found]).value_counts()
    return kinds, n.reindex(pd.Index(kinds, tupleize_cols=False), fill_value=0).to_numpy()


def key(letters: str) -> str:
    return " + ".join(sorted(name for name in FACTORS if name[0] in letters)) or "(none)"


def said(tables: dict[str, pd.DataFrame], kinds: list, grid: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Everything that the tables print, as equations on the kinds; shares are numbers of their totals."""
    letters, level, step, event = (np.array(part) for part in zip(*kinds, strict=True))
    names, size = np.array([key(s) for s in letters]), np.array([len(s) for s in letters])
    has = {name: np.array([name[0] in s for s in letters]) for name in FACTORS}
    total, found = tables["sets"]["n"].sum(), []
    for row in tables["sets"].itertuples():
        others = ~np.isin(names, tables["sets"]["set_key"])
        found.append((others if row.set_key == OTHERS else names == row.set_key, row.n))
    for row in tables["sizes"].itertuples():
        found += [(size == row.n_factors, n) for n in (row.n, row.share * total)]
    for row in tables["factors"].itertuples():
        found += [(has[row.factor], n) for n in (row.n, row.share * total)]
    for row in tables["subgroups"].itertuples():
        there = level == row.level
        found += [(there, row.patients), *((has[row.factor] & there, n) for n in (row.n, row.share * row.patients))]
    for name, rows in tables["courses"].groupby("set_key"):
        mine, before = (names == name) | (name == "(all)"), 0
        for row in rows.itertuples():
            k = int(np.searchsorted(grid, row.time))
            found += [(mine & (step > k), row.at_risk), (mine & event & (step > before) & (step <= k), row.events)]
            before = k
    return [(mask.astype(float), np.round(float(n))) for mask, n in found if pd.notna(n)]


def hidden_small(kinds: list, n: np.ndarray, least: int):
    """Counts of the tables, printed or not, that are small: what each is of."""
    tests = [("set", lambda kind, s=s: kind[0] == s) for s in {kind[0] for kind in kinds}]
    tests += [("size", lambda kind, k=k: len(kind[0]) == k) for k in range(4)]
    levels = {kind[1] for kind in kinds}
    tests += [("level", lambda kind, g=g: kind[1] == g) for g in levels]
    for f in "ans":
        for yes in (True, False):
            tests.append(("factor", lambda kind, f=f, yes=yes: (f in kind[0]) == yes))
            tests += [("part", lambda kind, f=f, g=g, yes=yes: (f in kind[0]) == yes and kind[1] == g) for g in levels]
    tests += [("joint", lambda kind, s=s, g=g: kind[:2] == (s, g)) for s, g in {kind[:2] for kind in kinds}]
    for what, test in tests:
        mask = np.array([test(kind) for kind in kinds], dtype=float)
        if 0 < mask @ n < least:
            yield what, mask


@settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.integers(0, 10**6), st.sampled_from([5, 11]), st.integers(60, 400))
def test_nothing_hidden_can_be_solved_from_everything_that_is_published(tmp_path_factory, seed, least, n):
    rng = np.random.default_rng(seed)
    listed = rng.choice(ALL_SETS, n, p=rng.dirichlet(np.full(8, rng.choice([0.2, 0.6]))))
    grade = rng.choice(["I", "II"], n, p=rng.dirichlet(np.full(2, 0.7)))
    data = study(listed, grade, rng.integers(1, 3, n).astype(float), rng.random(n) < 0.5)
    tables = tables_of(data, tmp_path_factory.mktemp("out") / "x", least)
    grid = np.unique(np.append(tables["courses"]["time"], [0.0, 1, 2]))
    kinds, counts = atoms_of(data, grid)
    equations = said(tables, kinds, grid)
    left, right = (np.array(part) for part in zip(*equations, strict=True))
    assert np.array_equal(left @ counts, right)  # what is printed is true
    for what, mask in hidden_small(kinds, counts, least):
        low, high = (linprog(sign * mask, None, None, left, right) for sign in (1, -1))
        assert high.status == 3 or -high.fun - low.fun > 0.99, what  # 3: there is no limit


def lists(seed: int) -> Study:
    rng = np.random.default_rng(seed)
    listed = rng.choice(ALL_SETS, 200, p=rng.dirichlet(np.full(8, 0.4)))
    return study(listed, ["I"] * 200, np.ones(200), np.ones(200, dtype=bool))


@pytest.mark.parametrize("seed", [1, 12])
def test_sizes_and_factors_together_tell_of_no_hidden_count(tmp_path, seed):
    data = lists(seed)
    tables = tables_of(data, tmp_path / "x", 11, ())
    tables["courses"] = tables["courses"].iloc[:0]
    kinds = [(s, "I", 1, True) for s in ALL_SETS]
    counts = np.array([(data.X["listed"] == s).sum() for s in ALL_SETS])
    left, right = (np.array(part) for part in zip(*said(tables, kinds, np.array([0.0, 1])), strict=True))
    for what, mask in hidden_small(kinds, counts, 11):
        low, high = (linprog(sign * mask, None, None, left, right) for sign in (1, -1))
        assert high.status == 3 or -high.fun - low.fun > 0.99, what


def test_a_factor_that_only_rare_sets_have_can_be_published(tmp_path, monkeypatch):
    monkeypatch.setattr("survlspin.publish.counting.APART", 4)
    assert tables_of(lists(5), tmp_path / "x", 11, ())["factors"]["n"].isna().any()


@pytest.mark.parametrize("apart", [200, 3])
def test_patients_by_size_tell_how_many_factors_are_listed(monkeypatch, apart):
    monkeypatch.setattr("survlspin.publish.counting.APART", apart)
    sets, n = np.eye(5, dtype=bool), [40, 30, 20, 10, 3]
    table = counted_sets(Population(tuple("abcde"), np.repeat(sets | sets[0], n, axis=0)))
    assert all(table.counts[total] == sum(table.counts[part] for part in parts) for total, parts in table.sums)
    hidden = {("factor", 4)} | table.silent | table.pooled
    shown = replace(table, counts={cell: None if cell in hidden else n for cell, n in table.counts.items()})
    assert audit([shown], 5)["factor", 4] == (3, 3)


@pytest.mark.parametrize("name", ["age", "Age", "AGE_DX", "AgeAtDx", "AgeDx", "patientAge", "age at diagnosis"])
def test_a_column_is_known_as_an_age(name):
    assert AGE.search(name)


@pytest.mark.parametrize("name", ["stage", "Stage", "STAGE", "agent", "Agent", "dosage", "average", "nodes"])
def test_a_column_is_no_age(name):
    assert not AGE.search(name)


def test_what_is_published(tmp_path):
    data = people()
    tables = tables_of(data, tmp_path / "x", 11, ("age",))
    for name in ("sets", "sizes", "factors", "subgroups"):
        n = tables[name]["n"].dropna()
        assert ((n == 0) | (n >= 11)).all(), name
        assert tables[name]["share"].dropna().between(0, 1).all()
    courses = tables["courses"]
    assert ((courses["events"] == 0) | (courses["events"] >= 11)).all()
    assert (courses["at_risk"] >= 11).all()
    assert {"age", "age + nodes"} <= set(tables["sets"]["set_key"])
    assert "nodes" not in set(tables["sets"]["set_key"])  # too few
    ages = tables["subgroups"].query("column == 'age'")["level"].unique()
    assert "90+" in ages
    assert max(int(age[:2]) for age in ages) == 90
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "x").iterdir()}
    assert set(files) == {*(f"{name}.csv" for name in TABLES), "card.json"}
    for name, text in files.items():
        assert "secret" not in text, name
        assert "ID-" not in text, name


def test_courses_are_those_of_kaplan_and_meier(tmp_path):
    data = study(["a"] * 300, ["I"] * 300, np.repeat([1.0, 2, 3, 4], 75), np.tile([True, False, True], 100))
    courses = tables_of(data, tmp_path / "x", 5)["courses"]
    assert courses["set_key"].unique().tolist() == ["(all)", "age"]
    everyone = courses[courses["set_key"] == "(all)"].set_index("time")
    assert everyone.loc[2.0, "at_risk"] == 150
    assert everyone.loc[2.0, "events"] == 50
    assert everyone.loc[2.0, "survival"] == pytest.approx((1 - 50 / 300) * (1 - 50 / 225), abs=5e-4)


def test_the_baseline_is_of_the_times_that_are_shown_of_all(tmp_path, monkeypatch):
    def hiding(tables, least):
        counts = [{cell: None if cell == ("events", ALL, 3) else n for cell, n in t.counts.items()} for t in tables]
        return [replace(t, counts=found) for t, found in zip(tables, counts, strict=True)]

    hazard = SimpleNamespace(curves={None: ()}, cumulative_hazard=lambda risk, times: np.array([times / 10]))
    for name, value in {"baseline_": hazard, "unique_times_": np.array([1.0, 4])}.items():
        monkeypatch.setattr(Model, name, value, raising=False)
    monkeypatch.setattr("survlspin.publish.bundle.suppress", hiding)
    monkeypatch.setattr("survlspin.publish.bundle.audit", lambda tables, least: {})
    tables = tables_of(people(), tmp_path / "x", 5, ())
    times = tables["courses"].query("set_key == '(all)'")["time"].tolist()
    assert len(times) == 3
    assert tables["baseline"]["time"].tolist() == times
    assert tables["baseline"]["cumulative_hazard"].tolist() == pytest.approx([time / 10 for time in times])


def test_quantiles_are_of_many(tmp_path):
    data = people()
    effects = tables_of(data, tmp_path / "x", 11, ())["effects"].set_index("factor")
    has = data.X["listed"].str.contains("a")
    values = np.sort(data.X["age"][has] / 100)
    at = round(0.5 * len(values) - 5.5)
    assert effects.loc["age", "log_hr_50"] == pytest.approx(values[at : at + 11].mean(), abs=6e-4)
    few = tables_of(people(110), tmp_path / "y", 11, ())["effects"].set_index("factor")
    assert np.isnan(few.loc["age", "log_hr_5"])
    assert few["log_hr_50"].notna().any()


def test_an_effect_of_nothing_has_no_sign(tmp_path):
    data = people()
    data.X["age"] = -0.01
    median = tables_of(data, tmp_path / "x", 11, ())["effects"]["log_hr_50"].dropna()
    assert len(median)
    assert (median == 0).all()
    assert not np.signbit(median).any()


def test_of_several_rows_of_a_patient_one_counts(tmp_path):
    data = people()
    columns = (data.X["listed"].to_numpy(), data.X["grade"].to_numpy(), data.y["time"], data.y["event"])
    twice = study(*(np.repeat(column, 2) for column in columns), groups=np.repeat(np.arange(400), 2))
    once, again = (tables_of(each, tmp_path / name, 11, ()) for each, name in ((data, "x"), (twice, "y")))
    pd.testing.assert_frame_equal(once["factors"], again["factors"])


def test_times_between_which_few_leave_are_left_out():
    assert kept_times(np.array([3, 9, 0, 20, 4]), np.array([0, 11, 12, 2, 16]), 11).tolist() == [0, 2, 3]
    assert kept_times(np.array([50, 5]), np.array([0, 5]), 11).tolist() == [0]


@pytest.mark.parametrize(
    ("code", "least", "subgroups", "n"),
    [
        ("SL-674", 1, (), 400),
        ("SL-676", 5, ("grad",), 400),
        ("SL-676", 5, ("listed", "unlike"), 400),
        ("SL-677", 11, (), 21),
    ],
)
def test_what_cannot_be_published(code, least, subgroups, n, tmp_path):
    data = people(n)
    data.X["unlike"] = np.arange(n)
    with pytest.raises(InputError, match=code):
        publish(Model(), data, tmp_path, least, subgroups)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_factors_is_refused(tmp_path):
    with pytest.raises(InputError, match="SL-673"):
        publish(object(), people(), tmp_path, 11)


def test_nothing_is_written_where_the_audit_finds_something(tmp_path, monkeypatch):
    monkeypatch.setattr("survlspin.publish.bundle.suppress", lambda tables, least: tables)
    monkeypatch.setattr("survlspin.publish.bundle.audit", lambda tables, least: {"cell": (1, 3)})
    with pytest.raises(InputError, match="SL-678"):
        publish(Model(), people(), tmp_path, 11)
    assert list(tmp_path.iterdir()) == []
