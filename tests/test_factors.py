import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from survlspin.errors import InputError
from survlspin.factors import Explanation, FactorTable, SetTable, read_csv

FACTORS = ("nodes", "age", "grade", "er", "zone")
GROUP = np.array([0, 1, 2, 2, 3, 4])  # grade has two columns


def explain(n=40, seed=0, context=(), linear=True, **changes):
    """A block of n invented patients for which everything adds up."""
    rng = np.random.default_rng(seed)
    is_context = np.isin(FACTORS, context)
    open_ = (rng.random((n, len(GROUP))) < 0.4) & ~is_context[GROUP]
    contribution = np.where(open_, rng.normal(size=open_.shape), 0.0)
    joint = rng.normal(size=n) if context else None
    index = pd.Index([f"{i:03d}" for i in range(n)])
    values = {
        "nodes": rng.integers(0, 30, n),
        "age": rng.normal(60, 9, n),
        "grade": pd.Categorical(rng.choice(["I", "II"], n)),
        "er": rng.random(n) < 0.5,
        "zone": rng.choice(["=north", "-1.5", "NA", "+south"], n),
    }
    block = Explanation(
        index=index,
        values=pd.DataFrame(values, index=index),
        factors=FACTORS,
        group=GROUP,
        context=is_context,
        gate=np.where(open_, rng.random(open_.shape), 0.0),
        open=open_,
        contribution=contribution if linear else None,
        context_contribution=joint,
        baseline=-0.25,
        log_risk=contribution.sum(axis=1) - 0.25 + (0 if joint is None else joint),
        reference=pd.Series({"nodes": 5.0123456, "age": 60.0, "grade": "I", "er": False, "zone": "NA"}, dtype=object),
    )
    return replace(block, **changes)


PER_ROW = ("index", "gate", "open", "contribution", "context_contribution", "log_risk")


def take(block, rows):
    parts = {name: getattr(block, name) for name in PER_ROW}
    parts = {name: part if part is None else part[rows] for name, part in parts.items()}
    return replace(block, values=block.values.iloc[rows], **parts)  # noqa: PD011


def table(block, size=7):
    rows = np.arange(len(block))
    pieces = [take(block, rows[start : start + size]) for start in range(0, max(len(block), 1), size)]
    return FactorTable(lambda: iter(pieces), len(block), block.contribution is not None)


blocks = st.builds(
    explain,
    n=st.integers(0, 30),
    seed=st.integers(0, 99),
    context=st.sampled_from([(), ("age",), ("age", "grade")]),
    linear=st.booleans(),
)


def test_long_table_of_one_patient_by_hand():
    block = explain(
        n=1,
        open=np.array([[True, False, True, True, False, False]]),
        gate=np.array([[0.3, 0.0, 0.2, 0.9, 0.0, 0.0]]),
        contribution=np.array([[0.5, 0.0, -1.0, 0.25, 0.0, 0.0]]),
        log_risk=np.array([-0.5]),
    )
    frame = table(block).frame
    assert list(frame["factor"]) == ["grade", "nodes"]
    assert list(frame["role"]) == ["selected", "selected"]
    assert list(frame["gate"]) == [0.9, 0.3]
    assert list(frame["log_hr"]) == [-0.75, 0.5]
    np.testing.assert_allclose(frame["hr"], np.exp([-0.75, 0.5]))
    assert list(frame["rank"]) == [1, 2]
    assert list(frame["value"]) == [str(block.values[name].iloc[0]) for name in ("grade", "nodes")]  # noqa: PD011
    assert list(frame["reference"]) == ["I", "5.01235"]


def test_values_keep_registry_units():
    block = explain(n=2, open=np.ones((2, 6), bool), contribution=np.zeros((2, 6)), log_risk=np.full(2, -0.25))
    values = block.values.assign(age=[63.0, 0.1], er=[True, False], zone=["=north", None])  # noqa: PD011
    block = replace(block, values=values)
    wide = table(block).frame.pivot(index="patient", columns="factor", values="value")
    assert list(wide["age"]) == ["63", "0.1"]
    assert list(wide["er"]) == ["True", "False"]
    assert list(wide["zone"]) == ["=north", ""]


@given(blocks)
@settings(max_examples=30, deadline=None)
def test_sums_sets_and_batches(block):
    whole = table(block, size=max(len(block), 1))
    frame, patients, sets = whole.frame, whole.patients(), whole.sets().frame
    assert sets["n"].sum() == len(patients) == len(whole) == len(block)
    assert (sets["n"].diff().dropna() <= 0).all()
    if block.contribution is None:
        assert frame[["log_hr", "hr"]].isna().all(axis=None)
        assert patients["residual"].isna().all()
    else:
        total = frame.groupby("patient")["log_hr"].sum().reindex(block.patients, fill_value=0.0)
        np.testing.assert_allclose(block.baseline + total, block.log_risk, atol=1e-12)
        np.testing.assert_allclose(patients["residual"], 0, atol=1e-12)
    assert_frame_equal(table(block, size=3).frame, frame)
    assert_frame_equal(table(block, size=3).patients(), patients)
    assert_frame_equal(table(block, size=3).sets().frame, sets)


@given(blocks, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_row_order_moves_rows_only(block, random):
    rows = np.array(random.sample(range(len(block)), len(block)), dtype=int)
    shuffled = table(take(block, rows))
    frame = shuffled.frame.sort_values("patient", kind="stable", ignore_index=True)
    assert_frame_equal(frame, table(block).frame)
    assert_frame_equal(shuffled.patients(), table(block).patients().iloc[rows].reset_index(drop=True))
    assert_frame_equal(shuffled.sets().frame, table(block).sets().frame)


@pytest.mark.parametrize("linear", [True, False])
def test_rank_is_by_effect_or_by_gate(linear):
    frame = table(explain(linear=linear)).frame
    size = frame["log_hr"].abs() if linear else frame["gate"]
    expected = size.groupby(frame["patient"]).rank(ascending=False)
    assert list(frame["rank"]) == list(expected)


def test_note_says_whether_contributions_add_up():
    assert "= log-risk" in table(explain()).note
    assert "left empty" in table(explain(linear=False)).note


def test_patient_without_factors_is_counted():
    closed = np.zeros((3, 6), bool)
    block = explain(n=3, open=closed, contribution=closed * 1.0, log_risk=np.full(3, -0.25))
    assert table(block).frame.empty
    assert list(table(block).patients()["set_key"]) == ["(none)"] * 3
    assert list(table(block).patients()["n_factors"]) == [0] * 3
    assert table(block).sets().frame.to_dict("list") == {
        "set_key": ["(none)"],
        "n": [3],
        "share": [1],
        "cumulative": [1],
    }


def test_set_names_are_sorted():
    block = explain(n=1, open=np.array([[True, True, True, False, False, True]]), linear=False)
    assert list(table(block).sets().frame["set_key"]) == ["age + grade + nodes + zone"]


def test_sets_are_ordered_and_cumulated():
    frame = SetTable({"b": 1, "a": 1, "c": 2}).frame
    assert list(frame["set_key"]) == ["c", "a", "b"]
    assert list(frame["cumulative"]) == [0.5, 0.75, 1.0]


def test_lone_context_factor_has_the_main_effect():
    block = explain(context=("age",))
    age = table(block).frame.query("factor == 'age'")
    assert set(age["role"]) == {"context"}
    np.testing.assert_array_equal(age["log_hr"], block.context_contribution)
    assert age["gate"].isna().all()
    assert table(block).patients()["set_key"].str.contains("age").all()


def test_several_context_factors_share_one_row():
    block = explain(context=("age", "er"))
    frame = table(block).frame
    joint = frame.query("factor == 'context: age + er'")
    np.testing.assert_array_equal(joint["log_hr"], block.context_contribution)
    own = frame.query("factor in ['age', 'er']")
    assert len(own) == 2 * len(block)
    assert own[["log_hr", "hr", "gate", "rank"]].isna().all(axis=None)
    assert frame["rank"].notna().sum() == len(frame) - len(own)
    assert not table(block).sets().frame["set_key"].str.contains("context").any()


@pytest.mark.parametrize("size", [4, 100])
def test_contributions_that_do_not_add_up_are_refused(size):
    block = explain()
    off = np.where(np.arange(len(block)) == 17, 3e-5, 0.0)
    broken = table(replace(block, log_risk=block.log_risk + off), size)
    for read in (broken.patients, broken.sets, lambda: broken.frame):
        with pytest.raises(InputError, match=r"SL-441 .*row 17 by 3e-05 \(1 rows\)"):
            read()


def test_contribution_of_a_closed_factor_is_refused():
    block = explain()
    with pytest.raises(InputError, match="SL-441"):
        table(replace(block, open=block.open & (GROUP != 0))).patients()


def test_a_missing_log_risk_is_refused():
    block = explain()
    with pytest.raises(InputError, match="SL-441"):
        table(replace(block, log_risk=np.where(np.arange(len(block)) == 5, np.nan, block.log_risk))).patients()


def test_the_tolerance_grows_with_the_terms():
    block = explain()
    large = replace(block, contribution=100 * block.contribution, log_risk=100 * (block.log_risk + 0.25) - 0.25)
    single = replace(large, log_risk=large.log_risk.astype(np.float32))
    assert table(single).patients()["residual"].abs().between(1e-9, 1e-4).any()


def test_csv_bytes_do_not_depend_on_batches(tmp_path):
    for size in (1, 7, 1000):
        table(explain(context=("age", "er")), size).to_csv(tmp_path / f"{size}.csv")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("context", [(), ("age", "er")])
@pytest.mark.parametrize("linear", [True, False])
def test_files_come_back_as_written(tmp_path, context, linear):
    factors = table(explain(context=context, linear=linear))
    factors.to_csv(tmp_path / "a b é.csv")
    assert_frame_equal(read_csv(tmp_path / "a b é.csv"), factors.frame)
    factors.to_parquet(tmp_path / "f.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "f.parquet").astype({"rank": "Int64"}), factors.frame)
    assert "=north" in set(pd.read_parquet(tmp_path / "f.parquet")["value"])
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
    factors = table(explain(context=("age", "er")))
    patient = factors.patients().iloc[3]
    figure = factors.plot(patient["patient"], top=2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[-1].strip() == f"{np.exp(patient['log_risk'] - patient['baseline']):#.3g}"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[-2].replace("\N{NO-BREAK SPACE}", " ").endswith(" more factors")
    ratios = [float(text.strip("× ")) for text in texts if "×" in text]
    assert np.prod(ratios) == pytest.approx(float(texts[-1]), rel=0.02)  # four numbers of three digits
    bars = factors.sets().plot(top=3)
    assert re.search(r"\d+.other.sets", bars.axes[0].get_yticklabels()[-1].get_text())
    shares = [float(text.get_text().split(" %")[0]) for text in bars.axes[0].texts]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    for drawn in (figure, bars):
        drawn.savefig(tmp_path / "plot.png")


def test_long_set_names_are_wrapped_and_ended():
    bars = SetTable({" + ".join(f"a long factor {i}" for i in range(40)): 1}).plot()
    lines = bars.axes[0].get_yticklabels()[0].get_text().split("\n")
    assert len(lines) == 4
    assert max(map(len, lines)) <= 46
    assert lines[-1].endswith("…")


def test_waterfall_is_for_linear_models_and_known_patients():
    with pytest.raises(InputError, match="SL-442"):
        table(explain(linear=False)).plot("003")
    with pytest.raises(InputError, match="SL-443 Patient nobody is in 0 rows"):
        table(explain()).plot("nobody")
    block = explain(n=2, index=pd.Index(["x", "x"]))
    with pytest.raises(InputError, match="SL-443 Patient x is in 2 rows"):
        table(block).plot("x")
