import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from survlspin.errors import InputError
from survlspin.factors import Basis, Explanation, FactorTable, SetTable, read_csv
from survlspin.tables import write_csv

FACTORS = ("nodes", "age", "grade", "er", "zone")


REFERENCE = {"nodes": 5.0123456, "age": 60.0, "grade": "I", "er": False, "zone": "NA"}
MEMBERS = 3


def explain(n=40, seed=0, context=(), linear=True, unknown=(), **changes):
    """A block of n invented patients for whom everything adds up; of those numbered `unknown` effects are not known."""
    rng = np.random.default_rng(seed)
    is_context = np.isin(FACTORS, context)
    opened = (rng.random((MEMBERS, n, len(FACTORS))) < 0.3) | is_context
    own = np.where(opened, rng.normal(size=opened.shape), 0.0)
    own[:, np.isin(np.arange(n), unknown)[:, None] & ~is_context] = np.nan
    log_risks = np.nan_to_num(own).sum(axis=2)[..., None] - 0.25
    own[:, ~opened.any(0)] = np.nan
    index = pd.Index([f"{i:03d}" for i in range(n)])
    values = {
        "nodes": rng.integers(0, 30, n),
        "age": rng.normal(60, 9, n),
        "grade": pd.Categorical(rng.choice(["I", "II"], n)),
        "er": rng.random(n) < 0.5,
        "zone": rng.choice(["=north", "-1.5", "NA", "+south"], n),
    }
    block = Explanation(
        factors=FACTORS,
        units=("", "years", "", "", ""),
        context=is_context,
        reference=pd.Series(REFERENCE, dtype=object),
        members=MEMBERS,
        linear=linear,
        index=index,
        values=pd.DataFrame(values, index=index),
        gate=np.where(opened, rng.random(opened.shape), 0.0).mean(0),
        agreement=opened.sum(0).astype(np.int16),
        effects=own.mean(0),
        low=own.min(0),
        high=own.max(0),
        baseline=np.full(n, -0.25),
        log_risks=log_risks,
    )
    return replace(block, **changes)


def shifted(block, by):
    return replace(block, log_risks=block.log_risks + np.reshape(by, (1, -1, 1)))


def risk(log_risks, times, stratum):
    return -np.expm1(-np.exp(log_risks) * times / 1000)


def table(block, size=7):
    rows = np.arange(len(block))
    pieces = [block.take(rows[start : start + size]) for start in range(0, max(len(block), 1), size)]
    basis = Basis(**{name: getattr(block, name) for name in vars(block) if name in Basis.__dataclass_fields__})
    return FactorTable(lambda: iter(pieces), len(block), basis, risk)


blocks = st.builds(
    explain,
    n=st.integers(0, 30),
    seed=st.integers(0, 99),
    context=st.sampled_from([(), ("age",), ("age", "grade")]),
    linear=st.booleans(),
    unknown=st.sampled_from([(), (0, 3)]),
)


def test_long_table_of_one_patient_by_hand():
    own = np.array([[[0.5, 0, -1, 0, 0]], [[0.1, 0, 0, 0, 0]], [[0.3, 0, -1.1, 0, 0]]])  # (members, 1, factors)
    block = explain(
        n=1,
        gate=np.array([[0.3, 0, 0.9, 0, 0]]),
        agreement=np.array([[3, 0, 2, 0, 0]], dtype=np.int16),
        effects=own.mean(0),
        low=own.min(0),
        high=own.max(0),
        log_risks=own.sum(axis=2)[..., None] - 0.25,
    )
    frame = table(block).frame
    assert list(frame["factor"]) == ["grade", "nodes"]
    assert list(frame["role"]) == ["selected", "selected"]
    assert list(frame["gate"]) == [0.9, 0.3]
    assert frame["open"].all()
    np.testing.assert_allclose(frame["log_hr"], [-0.7, 0.3])
    np.testing.assert_allclose(frame["hr"], np.exp([-0.7, 0.3]))
    assert frame[["low", "high"]].to_numpy().tolist() == [[-1.1, 0.0], [0.1, 0.5]]
    assert frame[["agree", "of"]].to_numpy().tolist() == [[2, 3], [3, 3]]
    assert list(frame["rank"]) == [1, 2]
    assert list(frame["value"]) == [str(block.values[name].iloc[0]) for name in ("grade", "nodes")]  # noqa: PD011
    assert list(frame["unit"]) == ["", ""]
    assert list(frame["reference"]) == ["I", "5.01235"]


def test_values_keep_registry_units():
    block = explain(n=2, context=FACTORS)
    values = block.values.assign(age=[63.0, 0.1], er=[True, False], zone=["=north", None])  # noqa: PD011
    block = replace(block, values=values)
    wide = table(block).frame.pivot(index="patient", columns="factor", values="value")
    assert list(wide["age"]) == ["63", "0.1"]
    assert list(wide["er"]) == ["True", "False"]
    assert list(wide["zone"]) == ["=north", ""]
    assert set(table(block).frame.query("factor == 'age'")["unit"]) == {"years"}


@given(blocks)
@settings(max_examples=20, deadline=None)
def test_sums_sets_and_batches(block):
    whole = table(block, size=max(len(block), 1))
    frame, patients, sets = whole.frame, whole.patients(), whole.sets().frame
    assert sets["n"].sum() == len(patients) == len(whole) == len(block)
    assert (sets["n"].diff().dropna() <= 0).all()
    known = block.explained
    assert (patients["residual"].notna() == known).all()
    assert frame["log_hr"].isna().equals(frame["hr"].isna())
    total = frame.groupby("patient")["log_hr"].sum().reindex(block.patients, fill_value=0.0)
    np.testing.assert_allclose((block.baseline + total)[known], block.log_risk[known], atol=1e-12)
    np.testing.assert_allclose(patients["residual"][known], 0, atol=1e-12)
    rows = frame[frame["log_hr"].notna()]
    assert ((rows["low"] <= rows["log_hr"] + 1e-12) & (rows["log_hr"] <= rows["high"] + 1e-12)).all()
    assert (frame["agree"].between(1, MEMBERS) & (frame["of"] == MEMBERS)).all()
    assert_frame_equal(table(block, size=3).frame, frame)
    assert_frame_equal(table(block, size=3).patients(), patients)
    assert_frame_equal(table(block, size=3).sets().frame, sets)


@given(blocks, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_row_order_moves_rows_only(block, random):
    rows = np.array(random.sample(range(len(block)), len(block)), dtype=int)
    shuffled = table(block.take(rows))
    frame = shuffled.frame.sort_values("patient", kind="stable", ignore_index=True)
    assert_frame_equal(frame, table(block).frame)
    assert_frame_equal(shuffled.patients(), table(block).patients().iloc[rows].reset_index(drop=True))
    assert_frame_equal(shuffled.sets().frame, table(block).sets().frame)


@pytest.mark.parametrize("unknown", [(), range(40)], ids=["effects", "gates"])
def test_rank_is_by_effect_or_by_gate(unknown):
    frame = table(explain(unknown=unknown)).frame
    size = frame["gate"] if unknown else frame["log_hr"].abs()
    expected = size.groupby(frame["patient"]).rank(ascending=False)
    assert list(frame["rank"]) == list(expected)


def test_note_says_what_effects_are():
    linear, several, shapley = (table(explain(**of)) for of in ({}, {"context": ("age", "er")}, {"linear": False}))
    for factors in (linear, several, shapley):
        assert "baseline + the sum of log_hr = log-risk" in factors.note
    assert (linear.kind, shapley.kind) == ("additive", "Shapley")
    others = table(explain(linear=False, others_act=True))
    assert linear.against == shapley.against == "the reference patient"
    assert "hr = exp(log_hr), against this patient with the listed factors at the reference." in others.note
    assert "gates held as they are" in shapley.note
    assert "the others held as they are" in others.note
    assert "Shapley" not in linear.note
    assert "Context factors share their main effect by exact Shapley values." in several.note
    assert "left empty" not in several.note
    assert "exact Shapley value" in shapley.note
    assert "left empty" in shapley.note
    many = tuple(f"c{i}" for i in range(11))
    basis = Basis(many, ("",) * 11, np.ones(11, bool), pd.Series(0.0, many), 1, True)
    assert "left empty" in FactorTable(lambda: iter([]), 0, basis, risk).note


def test_patient_without_factors_is_counted():
    closed = {"agreement": np.zeros((3, 5), np.int16), "effects": np.full((3, 5), np.nan)}
    block = explain(n=3, log_risks=np.full((MEMBERS, 3, 1), -0.25), **closed)
    assert table(block).frame.empty
    assert list(table(block).patients()["set_key"]) == ["(none)"] * 3
    assert list(table(block).patients()["n_factors"]) == [0] * 3
    assert table(block).patients()["residual"].tolist() == [0.0] * 3
    assert table(block).sets().frame.to_dict("list") == {
        "set_key": ["(none)"],
        "n": [3],
        "share": [1],
        "cumulative": [1],
    }


def test_set_names_are_sorted():
    block = explain(n=1, context=("age", "grade", "nodes", "zone"), agreement=np.zeros((1, 5), np.int16), unknown=(0,))
    assert list(table(block).sets().frame["set_key"]) == ["age + grade + nodes + zone"]


def test_sets_are_ordered_and_cumulated():
    frame = SetTable({"b": 1, "a": 1, "c": 2}).frame
    assert list(frame["set_key"]) == ["c", "a", "b"]
    assert list(frame["cumulative"]) == [0.5, 0.75, 1.0]


def test_context_is_listed_without_a_gate():
    block = explain(context=("age", "er"))
    own = table(block).frame.query("factor in ['age', 'er']")
    assert len(own) == 2 * len(block)
    assert set(own["role"]) == {"context"}
    assert own["gate"].isna().all()
    assert own["log_hr"].notna().all()
    assert (own["agree"] == MEMBERS).all()
    assert table(block).patients()["set_key"].str.contains("age.* er").all()


# ---- patients ----


def test_risks_have_the_band_of_the_members():
    block = explain()
    patients = table(block).patients(horizons=[60, 120.5])
    assert list(patients)[6:] == table(block).patient_columns([60, 120.5])[6:]
    assert list(patients)[6:12] == [f"risk_{t}{part}" for t in ("60", "120.5") for part in ("", "_low", "_high")]
    np.testing.assert_allclose(patients["risk_60"], -np.expm1(-np.exp(block.log_risk) * 0.06))
    members = -np.expm1(-np.exp(block.log_risks[..., 0]) * 0.1205)
    np.testing.assert_allclose(patients["risk_120.5_low"], members.min(axis=0))
    np.testing.assert_allclose(patients["risk_120.5_high"], members.max(axis=0))
    assert_frame_equal(table(block, 3).patients([60, 120.5]), patients)


def test_who_leaks_is_said_or_left_empty():
    block = explain()
    moved = np.arange(len(block)) % 3 == 0
    assert table(block).patients()["leaks"].isna().all()
    assert list(table(block).patients(moved=moved)["leaks"]) == list(moved)
    for wrong in ({"moved": moved[1:]}, {"stratum": ["a"]}):
        with pytest.raises(InputError, match=f"SL-444 {next(iter(wrong))}"):
            table(block).patients(**wrong)


# ---- what does not add up ----


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("size", [4, 100])
def test_effects_that_do_not_add_up_are_refused(size, linear):
    block = explain(linear=linear)
    broken = table(shifted(block, np.where(np.arange(len(block)) == 17, 3e-5, 0.0)), size)
    for read in (broken.patients, broken.sets, lambda: broken.frame):
        with pytest.raises(InputError, match=r"SL-441 .*row 17 by 3e-05 \(1 rows\)"):
            read()


def test_effects_that_are_not_known_are_not_added_up():
    block = shifted(explain(linear=False, unknown=(17,)), np.where(np.arange(40) == 17, 1.0, 0.0))
    assert np.flatnonzero(table(block).patients()["residual"].isna()).tolist() == [17]


def test_an_effect_of_a_closed_factor_is_refused():
    block = explain()
    with pytest.raises(InputError, match="SL-441"):
        table(replace(block, agreement=block.agreement * (np.arange(5) > 0))).patients()


def test_a_missing_log_risk_is_refused():
    block = explain()
    with pytest.raises(InputError, match="SL-441"):
        table(shifted(block, np.where(np.arange(len(block)) == 5, np.nan, 0.0))).patients()


def test_the_tolerance_grows_with_the_terms():
    block = explain()
    large = replace(block, effects=1000 * block.effects, log_risks=1000 * (block.log_risks + 0.25) - 0.25)
    single = replace(large, log_risks=large.log_risks.astype(np.float32))
    assert table(single).patients()["residual"].abs().max() > 1e-6


# ---- files ----


def test_csv_bytes_do_not_depend_on_batches(tmp_path):
    for size in (1, 7, 1000):
        table(explain(context=("age", "er")), size).to_csv(tmp_path / f"{size}.csv")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("context", [(), ("age", "er")])
@pytest.mark.parametrize("linear", [True, False])
def test_files_come_back_as_written(tmp_path, context, linear):
    factors = table(explain(context=context, linear=linear, unknown=() if linear else (0, 5)))
    factors.to_csv(tmp_path / "a b é.csv")
    assert_frame_equal(read_csv(tmp_path / "a b é.csv").astype({"agree": int, "of": int}), factors.frame)
    factors.to_parquet(tmp_path / "f.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "f.parquet").astype({"rank": "Int64"}), factors.frame)
    assert "=north" in set(pd.read_parquet(tmp_path / "f.parquet")["value"])
    people = factors.patients(horizons=[60])
    write_csv([people], tmp_path / "p.csv", people.columns)
    assert_frame_equal(read_csv(tmp_path / "p.csv").astype({"n_factors": int, "leaks": "boolean"}), people)
    factors.sets().to_csv(tmp_path / "sets.csv")
    assert_frame_equal(read_csv(tmp_path / "sets.csv").astype({"n": int}), factors.sets().frame)
    assert "007" in set(read_csv(tmp_path / "a b é.csv")["patient"])


def test_a_table_without_rows_has_its_columns(tmp_path):
    none = table(explain(n=0))
    none.to_csv(tmp_path / "none.csv")
    assert list(read_csv(tmp_path / "none.csv")) == list(none.frame)
    none.sets().plot()


def test_the_plain_file_shows_no_formula(tmp_path):
    table(explain()).to_csv(tmp_path / "f.csv")
    cells = pd.read_csv(tmp_path / "f.csv", dtype=str, keep_default_na=False)["value"]
    assert {"'=north", "'+south", "-1.5", "NA"} <= set(cells)


def test_plots_show_what_the_tables_hold(tmp_path):
    factors = table(explain(context=("age", "er"), linear=False))
    patient = factors.patients().iloc[3]
    figure = factors.plot(patient["patient"], top=2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[-1].strip() == f"{np.exp(patient['log_risk'] - patient['baseline']):#.3g}"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[-2].replace("\N{NO-BREAK SPACE}", " ").endswith(" more factors")
    ratios = [float(text.strip("× ")) for text in texts if "×" in text]
    assert np.prod(ratios) == pytest.approx(float(texts[-1]), rel=0.02)  # four numbers of three digits
    assert "Shapley values" in figure.axes[0].get_xlabel()
    assert "Shapley" not in table(explain()).plot("003").axes[0].get_xlabel()
    [age] = [label.get_text() for label in figure.axes[0].get_yticklabels() if "age" in label.get_text()]
    assert re.search(r"age.=.\d\d\.\d{1,4}.years.\(reference.60\)", age.replace("\n", " "))
    bars = factors.sets().plot(top=3)
    assert re.search(r"\d+.other.sets", bars.axes[0].get_yticklabels()[-1].get_text())
    shares = [float(text.get_text().split(" %")[0]) for text in bars.axes[0].texts]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    for drawn in (figure, bars):
        drawn.savefig(tmp_path / "plot.png")


def test_one_other_set_is_one():
    bars = SetTable({"age": 2, "size": 1}).plot(top=1)
    assert bars.axes[0].get_yticklabels()[-1].get_text().split() == ["1", "other", "set"]


def test_long_set_names_are_wrapped_and_ended():
    bars = SetTable({" + ".join(f"a long factor {i}" for i in range(40)): 1}).plot()
    lines = bars.axes[0].get_yticklabels()[0].get_text().split("\n")
    assert len(lines) == 4
    assert max(map(len, lines)) <= 46
    assert lines[-1].endswith("…")


def test_waterfall_is_for_known_patients_with_effects():
    with pytest.raises(InputError, match=r"SL-442 Patient 003 has effects that are left empty\. See note"):
        table(explain(linear=False, unknown=(3,))).plot("003")
    with pytest.raises(InputError, match="SL-443 Patient nobody is in 0 rows"):
        table(explain()).plot("nobody")
    block = explain(n=2, index=pd.Index(["x", "x"]))
    with pytest.raises(InputError, match="SL-443 Patient x is in 2 rows"):
        table(block).plot("x")
