"""The examples run, at a small size."""

import gzip
import json
import runpy
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sksurv.ensemble import RandomSurvivalForest

import survlspin
import survlspin.synthetic
from survlspin.baselines import CoxLasso

EXAMPLES = Path(__file__).parents[1] / "examples"
GOLDEN = Path(__file__).parent / "golden"


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "compare_on_real_patients",
        "competing_risks",
        "context_search",
        "coxph_speed",
        "gradient_lasso_synthetic",
        "interpretability",
        "interval_coverage",
        "kill_and_resume",
        "lspin_tables",
        "nimo_tables",
        "lassonet_speed",
        "metric_speed",
        "registry_speed",
        "risk_factor_sets",
        "rotterdam_gbsg",
        "seer_figure4",
        "seer_from_export_to_sets",
        "seer_protocol",
        "stacking_speed",
    }


def test_compare_on_real_patients(monkeypatch):
    example = runpy.run_path(str(EXAMPLES / "compare_on_real_patients.py"))
    small = {
        name: model.set_params(epochs=1) if "epochs" in model.get_params() else model
        for name, model in example["models"](members=2).items()
        if name in (example["REFERENCE"], "Cox-LASSO", "Cox PH")
    }
    monkeypatch.setitem(example["compare"].__globals__, "models", lambda members: small)
    runs = example["compare"]("GBSG2", None, repeats=1, jobs=1, members=2, rows=200)
    table = runs.table(example["REFERENCE"])
    assert set(table.index) == set(small)
    assert table["C"].between(0.3, 0.9).all()


@pytest.mark.filterwarnings("ignore:SL-463")  # rare flags in 800 rows
def test_registry_speed():
    example = runpy.run_path(str(EXAMPLES / "registry_speed.py"))
    table = example["compare"]("linear", threads=1, lam=0.01, forest=False, sizes=(800, 300, 800), points=4)
    assert table["C"].iloc[0] == pytest.approx(table["C"].max(), abs=0.05)
    assert table["C"].between(0.4, 0.9).all()


def test_gradient_lasso_synthetic():
    example = runpy.run_path(str(EXAMPLES / "gradient_lasso_synthetic.py"))
    table = example["compare"](600, epochs=2, seed=0, lam=(0.0, 1.0))
    assert table.loc["truth", "D_eff"] == pytest.approx(1.87, abs=0.02)
    assert table["D_eff"].between(1, 49).all()
    assert table["AUC"].between(0.3, 1).all()


@pytest.mark.filterwarnings("ignore:SL-481")  # a rare flag in 600 rows
def test_competing_risks():
    example = runpy.run_path(str(EXAMPLES / "competing_risks.py"))
    X, y, truth = survlspin.synthetic.competing(900)
    fitted, tested = slice(0, 600), slice(600, 900)
    found = example["predictions"](X[fitted], y[fitted], X[tested], 60.0, lam=0.02)
    tables = example["report"](survlspin.Outcome.of(y[tested], causes=True), found, 60.0)
    for cause, table in tables.items():
        assert list(table.index) == ["LLSPIN of all causes", "Cox of each cause", "Fine-Gray"]
        assert table[["C", "AUC"]].to_numpy().min() > 0.5
        assert table["Brier"].between(0.02, 0.25).all()
        risk, probability = found["Fine-Gray"][cause]
        assert (probability.argsort() == risk.argsort()).all()
    known = truth.cumulative_incidence(60.0)[tested, :, 0]
    for name in ("Cox of each cause", "Fine-Gray"):
        assert all(np.corrcoef(found[name][c][1], known[:, c - 1])[0, 1] > 0.5 for c in (1, 2))


def test_interval_coverage():
    example = runpy.run_path(str(EXAMPLES / "interval_coverage.py"))
    table = example["coverage"]("one-nine", 300, replicates=30, months=True)
    assert set(table.index) == {("C", m) for m in example["MODELS"]} | {
        ("difference", m) for m in ("with noise", "fewer")
    }
    assert table["ours"].between(80, 100).all()  # of 30, where 95 % are expected
    assert (table.loc["C", "naive"] < 85).all()
    assert (table.loc["C", "NB"] > 95).all()
    assert table.loc[("difference", "with noise"), "truth"] < 0
    for protocol in example["PROTOCOLS"]:
        assert example["judge"](0, 120, protocol, months=False)[["low", "high"]].notna().all(axis=None)


@pytest.mark.filterwarnings("ignore:SL-482")  # rare flags in 3000 rows
def test_coxph_speed():
    example = runpy.run_path(str(EXAMPLES / "coxph_speed.py"))
    table = example["compare"](3000, repeats=1)
    assert list(table.index) == ["CoxPH", "lifelines"]
    assert table.loc["lifelines", "largest difference in SE"] < 0.05
    assert (table["seconds"] > 0).all()


@pytest.mark.filterwarnings("ignore:SL-463")  # rare flags in few rows
def test_stacking_speed():
    example = runpy.run_path(str(EXAMPLES / "stacking_speed.py"))
    line = example["compare"](40, threads=torch.get_num_threads(), steps=12, repeats=1)
    assert line["largest difference"] <= example["SAME"]
    assert line["ratio"] > 0
    assert line["spread of log-risks"] > 0.01


def test_nimo_tables(monkeypatch):
    example = runpy.run_path(str(EXAMPLES / "nimo_tables.py"))
    numbers = example["paper"]("S1", draws=2, restarts=2, how={**example["NUMBERS"], "epochs": 20})
    assert numbers["truth"] < numbers["mean"] < 3
    classes = example["paper"]("C1", draws=2, restarts=1, how={**example["LABELS"], "epochs": 20})
    assert 0.5 < classes["mean"] < classes["truth"]
    monkeypatch.setitem(example["times"].__globals__, "NEW", 500)
    monkeypatch.setitem(example["times"].__globals__, "ROWS", {"S1": 200})
    survival = example["times"]("S1", draws=2, restarts=1, how={**example["TIMES"], "epochs": 20})
    assert 0.75 < survival["linear"] < survival["truth"]
    assert 0.75 < survival["NIMO"] < survival["truth"]


@pytest.mark.filterwarnings("ignore:SL-117", "ignore:SL-463", "ignore:SL-482")  # few events in 200 rows
def test_68_kill_and_resume(tmp_path):
    example = runpy.run_path(str(EXAMPLES / "kill_and_resume.py"))
    small = {"jobs": 1, "rows": 200, "epochs": 4}
    example["write"](example["study"](tmp_path / "whole", **small), tmp_path / "expected")
    for begun in ("tuning/*.journal", "units/*.safetensors"):  # the second kill meets what the first has left
        process = example["begun"](tmp_path / "store", tmp_path / "lost", **small)
        while not any((tmp_path / "store").glob(begun)) and process.poll() is None:
            time.sleep(0.01)
        assert example["killed"](process, 0)
    assert len(list((tmp_path / "store" / "units").glob("*.safetensors"))) < 12
    example["write"](example["study"](tmp_path / "store", **small), tmp_path / "resumed")
    assert example["same"](tmp_path / "expected", tmp_path / "resumed")
    assert not (tmp_path / "lost").exists()


def stratos_files(folder: Path) -> None:
    """The patients of the example as R's survival package has them, as far as the example reads them."""
    gold = json.loads(gzip.decompress((GOLDEN / "stratos.json.gz").read_bytes()))
    for name in ("rotterdam", "gbsg"):
        d = pd.DataFrame(gold[name]["data"])
        days, size = d.time * 365.25, d.size2 + 2 * d.size3
        columns = {"nodes": d.nodes2, "grade": 2 + d.grade3}
        if name == "gbsg":
            columns |= {"rfstime": days, "status": d.event, "size": np.array([20, 21, 60])[size]}
        else:
            columns |= {"rtime": days, "dtime": days, "recur": d.event, "death": 0}
            columns["size"] = np.array(["<=20", "20-50", ">50"])[size]
        pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)


def test_rotterdam_gbsg(tmp_path):
    stratos_files(tmp_path)
    example = runpy.run_path(str(EXAMPLES / "rotterdam_gbsg.py"))
    table, weighted = example["validate"](tmp_path)
    for name, text in example["PUBLISHED"].items():
        value = text.split()[0]
        digits = len(value.partition(".")[2])
        assert table.loc[name, "GBSG"] == pytest.approx(float(value), abs=0.51 * 10**-digits)
    assert table.loc["calibration slope", "Rotterdam"] == pytest.approx(1, abs=1e-6)
    for whose in ("test", "training"):
        ours, theirs = (weighted.loc[f"{by}, {whose} rows"] for by in ("survlspin", "scikit-survival"))
        assert ours[["AUC", "Brier score"]].tolist() == pytest.approx(theirs[["AUC", "Brier score"]].tolist(), rel=1e-3)
    assert weighted["Brier score"].round(3).tolist() == [0.225, 0.225, 0.137, 0.137]
    study, report = example["commands"](tmp_path, tmp_path / "out")
    assert [study[0], report[0], report[1]] == ["run", "report", study[study.index("--store") + 1]]
    both = pd.read_csv(study[2])
    assert both["gbsg"].value_counts().to_dict() == {0: 2982, 1: 686}


def test_lspin_tables():
    example = runpy.run_path(str(EXAMPLES / "lspin_tables.py"))
    assert set(example["OURS"]) == set(example["PAPER"]) == set(example["PUBLISHED"]) == set(example["REFERENCE_CODE"])
    for name in ("Eq1", "E4"):
        line = example["row"](name, seeds=1, share=1e-4, small=True)
        f1 = float(line["F1 ours"].split()[0])
        assert 0 < f1 <= 1
        assert 0 < line["open"] <= {"Eq1": 5, "E4": 50}[name]
        assert line["measure"] == {"Eq1": "MSE", "E4": "accuracy"}[name]
        assert line["ratio"] > 0


def test_interpretability(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    example = runpy.run_path(str(EXAMPLES / "interpretability.py"))
    table = example["measured"]("E4", small=True)
    assert {"ours", "truth", "code", "paper"} == set(table.columns)
    assert table.loc["F1"].tolist()[1:] == [1.0, 0.976, 0.9615]
    assert 0 < table.loc["F1", "ours"] < 1
    assert table.loc["diversity", "truth"] == table.loc["diversity.between", "truth"] == 1
    assert table.loc["count.median", "truth"] == 2
    assert table.loc[["gates.closed", "gates.between", "gates.open"], ["ours", "truth"]].sum().round(9).eq(1).all()


@pytest.mark.filterwarnings("ignore::survlspin.errors.InputWarning")  # rare levels in few rows
def test_context_search(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(EXAMPLES)
    example = runpy.run_path(str(EXAMPLES / "context_search.py"))
    monkeypatch.setitem(example["compare"].__globals__, "GATES", {"gate_hidden": (8,), "epochs": 1})
    monkeypatch.setitem(example["fitted"].__globals__, "DENSE", ())
    data, sizes = example["joined"](example["study"](tmp_path, 2000, "hetero", 0)), (400, 200)
    found = example["compare"](data, sizes, fits=1, candidates=["Age"], most=1, cv=2)
    assert data.X.shape[1] == 21
    assert found[1].loc["context", "C"].between(0.3, 0.9).all()
    assert found[2].loc["leakage", "context"] == 0
    assert "C of the truth 0.7" in example["report"]("hetero", data, sizes, *found)


@pytest.mark.filterwarnings("ignore::survlspin.errors.InputWarning")  # few rows
def test_risk_factor_sets(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    example = runpy.run_path(str(EXAMPLES / "risk_factor_sets.py"))
    quick = example["CoxLLSPIN"](epochs=1, random_state=0)
    monkeypatch.setitem(example["half"].__globals__, "CoxLLSPIN", lambda **given: clone(quick).set_params(**given))
    X, y = example["cohort"]("FLCHAIN", None)
    fold = next(survlspin.RepeatedKFold(2, 1).folds(X[:400], y[:400]))
    halves = [example["half"](X[:400], y[:400], fold, candidates=["age"], most=1, cv=2)] * 2
    table = example["compare"]("FLCHAIN", halves).set_index("k")
    assert table.loc[99, list(example["SHOWN"])].between(0.5, 0.95).all()
    assert table.loc[99, "contexts"] in ("age, age", "(none), (none)")
    assert table.loc[99, "leakage"] >= 0


def test_lspin_tables_find_true_columns():
    example = runpy.run_path(str(EXAMPLES / "lspin_tables.py"))
    recipe = example["OURS"]["Eq5"]
    recipe = replace(recipe, restarts=1, stages=(replace(recipe.stages[0], epochs=30),))
    task = example["problem"]("Eq5", None, recipe.standardize)
    mse, f1, _ = example["score"](example["train"](recipe, task, 0), task, task.example.test)
    assert mse < 0.003  # the variance of y is .032
    assert f1 > 0.8  # of all columns: .75


def test_lassonet_speed():
    example = runpy.run_path(str(EXAMPLES / "lassonet_speed.py"))
    table = example["compare"]("registry", rival=False, n=400, widths=((4,),), points=5)
    assert table["best C"].between(0.5, 0.9).all()
    X, y, train, _ = example["patients"]("whas500")
    assert example["lasso"](X.iloc[:, :6], y, train, points=4)["difference"].max() < 1e-3


SMALL = {"epochs": 2, "random_state": 0}


def small_methods(example):
    """Every method of the figure, at the smallest size."""
    nets = {"gate_hidden": (2,), **SMALL}
    small = {
        "Cox-LLSPIN": survlspin.CoxLLSPIN(**nets),
        "Cox-LSPIN": survlspin.CoxLSPIN(hidden=(2,), **nets),
        "Cox-STG, nonlinear": survlspin.CoxSTG(hidden=(2,), **SMALL),
        "Cox-STG, linear": survlspin.CoxSTG(**SMALL),
        "DeepSurv": survlspin.DeepSurv(hidden=(2,), **SMALL),
        "Cox-NIMO": survlspin.CoxNIMO(hidden=(2, 2), **SMALL),
        "RSF": RandomSurvivalForest(n_estimators=2, low_memory=True),
    }
    whole = example["methods"]()
    assert set(whole) == {*small, "Cox PH", "Cox-LASSO", "Cox-LLSPIN, context", "Cox-LassoNet"}
    fewer = {name: replace(whole[name], model=model, fits=1, points=2) for name, model in small.items()}
    return {"Cox PH": whole["Cox PH"], "Cox-LASSO": replace(whole["Cox-LASSO"], model=CoxLasso(n_alphas=10)), **fewer}


@pytest.mark.filterwarnings("ignore:SL-463", "ignore:SL-481", "ignore:SL-482")
def test_seer_figure4(tmp_path, monkeypatch):
    example = runpy.run_path(str(EXAMPLES / "seer_figure4.py"))
    monkeypatch.setitem(example["_models"].__globals__, "DENSE", (0.0,))
    data = example["study"](tmp_path, 2000, "hetero", 0)
    assert data.X.shape[1] == 55
    assert set(data.truth) == set(data.variable)
    assert data.truth.sum().gt(0).sum() == 5  # age, size, ratio, grade, marital status
    table = pd.concat(example["compare"](data, small_methods(example), 500, 150), ignore_index=True)
    oracle = example["truth_of"](data, 500, 150)
    assert 0.65 < oracle.value < 0.9  # few test patients
    assert table["C"].between(0.3, 0.9).all()
    assert set(table["by"]) == {"median", "mean", "auto", "sparse"}
    lasso = table[(table["method"] == "Cox-LASSO") & (table["by"] == "median")].set_index("k")
    assert (lasso["median"] <= lasso.index).all()
    text = example["report"](table, oracle)
    assert "C at k columns at most (mean over training patients)" in text
    example["draw"](table, oracle, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_seer_figure4_judges_what_is_selected():
    recovery = runpy.run_path(str(EXAMPLES / "seer_figure4.py"))["recovery"]
    columns = {"Age": "Age", "T1": "T", "T2": "T", "TsizeMerged": "TsizeMerged", "noise_u1": "noise_u1"}
    used = pd.DataFrame([[1, 1, 1, 0, 0], [1, 0, 0, 1, 1], [0, 0, 0, 0, 0]], columns=list(columns)).astype(bool)
    truth = pd.DataFrame({"Age": [0, 0, 1], "T": 0, "TsizeMerged": 1, "noise_u1": 0}).astype(bool)
    found = recovery(used, pd.Series(columns), truth)
    assert found["strict precision"] == pytest.approx((0 + 1 / 3) / 2)  # of the patients for whom something is used
    assert found["strict recall"] == pytest.approx((0 + 1 + 0) / 3)
    assert found["strict F1"] == pytest.approx((0 + 1 / 2 + 0) / 3)
    assert found["credited precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)  # age says which subgroup one is in
    assert found["credited recall"] == found["strict recall"]
    assert found["twins precision"] == pytest.approx((1 + 2 / 3) / 2)  # T stands for the size
    assert found["twins recall"] == pytest.approx((1 + 1 + 0) / 3)
    assert found["noise"] == pytest.approx(1 / 3)


@pytest.mark.filterwarnings("ignore:SL-463", "ignore:SL-481", "ignore:SL-482")
def test_seer_from_export_to_sets(tmp_path):
    example = runpy.run_path(str(EXAMPLES / "seer_from_export_to_sets.py"))
    export = survlspin.synthetic.seer_export(tmp_path, 2000)
    cohort, runs, sets = example["analyse"](export.path, tmp_path / "out", folds=2, epochs=2)
    assert len(cohort) == cohort.flow.end.rows
    assert set(runs.table().index) == {"LLSPIN", "Cox-LASSO", "Cox PH"}
    assert sets["share"].sum() == pytest.approx(1)
    names = {"cohort.parquet", "flow.csv", "flow.svg", "table.csv", "curve.png", "factors.parquet", "sets.csv"}
    written = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert names <= set(written)
    assert {written[name].stat().st_mode & 0o777 for name in ("cohort.parquet", "factors.parquet")} == {0o600}
    assert pd.read_csv(written["sets.csv"])["n"].min() >= 5


def test_seer_protocol(tmp_path, monkeypatch):
    example = runpy.run_path(str(EXAMPLES / "seer_protocol.py"))
    whole = example["models"]()
    quick = {"Cox PH": whole["Cox PH"], "Cox-STG, linear": whole["Cox-STG, linear"].set_params(**SMALL)}
    assert {*quick, "Cox-LLSPIN", "Cox-LSPIN", "Cox-LASSO", "DeepSurv", "RSF"} < set(whole)
    monkeypatch.setitem(example["main"].__globals__, "models", lambda: quick)
    size = {"rows": 1000, "points": 2, "folds": 2, "store": tmp_path / "store"}
    table = example["main"](**size, out=tmp_path / "results")
    assert table["share_of_cost"].sum() == pytest.approx(1)
    assert example["main"](**size)["C"].equals(table["C"])
    assert (tmp_path / "results" / "curve.svg").exists()


def test_metric_speed(monkeypatch):
    example = runpy.run_path(str(EXAMPLES / "metric_speed.py"))
    monkeypatch.setitem(example["small"].__globals__, "concordance_td", lambda *_: 0.7)  # compiles for seconds
    table = example["compare"](2000, 300, repeats=1).set_index(["measure", "rows", "package"]).sort_index()
    assert table["times ours"].xs("survlspin", level="package").eq(1).all()
    assert table["seconds"].gt(0).all()
    assert table.loc[("C, tied risks", 2000), "apart"].max() < 1e-12
    assert table.loc[("C, different risks", 2000), "apart"].max() < 1e-12
    assert table["apart"].drop("pycox", level="package").max() < 0.1  # another weight of censoring
