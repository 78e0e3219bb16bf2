import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from commands import invoke
from typer.testing import CliRunner

import survlspin
from survlspin import fitting, job
from survlspin._commands import WRITING
from survlspin._remedies import REMEDIES
from survlspin.cli import app
from survlspin.factors import read_csv
from survlspin.summary import closing, opening, verdict

COLUMNS = ["--time", "months", "--event", "died"]
FILES = {
    "table.csv", "folds.csv", "stability.csv", "frequency.csv", "splits.csv", "curve.csv", "curve.png", "curve.svg",
    "differences.csv", "at_counts.csv", "differences_at_counts.csv", "agreement-LLSPIN.csv", "agreement-Cox-LASSO.csv",
    "factors.csv", "factors.parquet", "sets.csv", "sets.png", "sets.svg",
}  # fmt: skip

SHORT = """
from functools import partial
from survlspin import job
from survlspin.cli import main

job.CoxLLSPIN, job.DeepSurv = (partial(net, epochs=20, lr=0.05) for net in (job.CoxLLSPIN, job.DeepSurv))
main()
"""


def patients(n=150) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age, grade = rng.normal(60, 10, n).round(1), rng.choice(["I", "II", "=III"], n)
    time = rng.exponential(60 * np.exp(-0.08 * (age - 60) - (grade == "=III")))
    return pd.DataFrame(
        {
            "id": [f"{i:03d}" for i in range(n)],
            "age": age,
            "size": rng.normal(size=n).round(2),
            "grade": grade,
            "months": np.ceil(time.clip(0, 100)),
            "died": (time < 100).astype(int),
        }
    )


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run the command on a table; give the exit code and all it said."""
    monkeypatch.chdir(tmp_path)

    def run(frame: pd.DataFrame | None, *arguments: str, columns=COLUMNS, command="run"):
        data = []
        if frame is not None:
            frame.to_csv("my patients.csv", index=False)
            data = ["--data", "my patients.csv", *columns]
        return invoke(command, *data, *arguments)

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole run in a process of its own, as a user starts it; its nets train for few epochs."""
    folder = tmp_path_factory.mktemp("a folder")
    patients().to_csv(folder / "patients.csv.gz", index=False)
    options = [
        *("--data", "patients.csv.gz", *COLUMNS, "--id", "id", "--out", "results/größe"),
        *("--members", "2", "--folds", "2", "--repeats", "1", "--jobs", "1"),
        *("--skip", "lspin", "--points", "8", "--json"),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SHORT, "run", *options],
        cwd=folder, env=environment, capture_output=True, check=False, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout), folder


def test_a_run_reports_every_model_and_writes_its_files(finished):
    report, folder = finished
    assert [row["model"] for row in report["models"]] == ["LLSPIN", *list(job.BASELINES.values())[1:]]
    assert all(0.5 < row["low"] < row["C"] < row["high"] < 1 for row in report["models"])
    assert (report["rows"], report["members"]) == (150, 2)
    assert report["categories"] == ["grade"]
    assert "2-fold" in report["protocol"]
    assert {Path(name).name for name in report["files"]} == FILES
    assert all((folder / name).stat().st_size for name in report["files"])
    assert {path.name for path in (folder / "results" / "größe").iterdir()} == FILES


def test_differences_are_ours_minus_the_other(finished):
    report, folder = finished
    c = {row["model"]: row["C"] for row in report["models"]}
    assert len(report["differences"]) == 4
    for row in report["differences"]:
        assert row["difference"] == pytest.approx(c[row["model"]] - c[row["other"]], abs=1e-9)
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    at = {(row["model"], row["count"]): row["C"] for row in report["at_counts"]}
    assert [row["count"] for row in report["differences_at_counts"]] == [2]
    for row in report["differences_at_counts"]:
        assert row["difference"] == pytest.approx(at["LLSPIN", 2] - at[row["other"], 2], abs=1e-9)
    written = pd.read_csv(folder / "results" / "größe" / "differences.csv")
    assert written["difference"].tolist() == pytest.approx([row["difference"] for row in report["differences"]])


def test_patients_keep_their_labels_and_values(finished):
    factors = read_csv(finished[1] / "results" / "größe" / "factors.csv")
    frame = patients().set_index("id")
    assert set(factors["patient"]) <= set(frame.index)
    grade = factors[factors["factor"] == "grade"].set_index("patient")["value"]
    assert grade.tolist() == frame.loc[grade.index, "grade"].tolist()
    assert finished[0]["per_patient"]["sets"][0]["n"] <= 150


def test_the_text_holds_what_the_json_holds(finished):
    report = finished[0]
    text = opening(report) + closing(report)
    for row in report["models"]:
        assert f"{row['C']:.3f}" in text
    for name in report["files"]:
        assert Path(name).name in text
    assert report["C_definition"].split(";")[0] in text
    assert "Took " in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_verdict_names_who_is_better(finished):
    report = dict(finished[0])
    row = {"model": "LLSPIN", "other": "Forest", "difference": -0.02, "difference_low": -0.03, "difference_high": -0.01}
    report |= {"differences": [row], "differences_at_counts": []}
    [worse] = verdict(report)
    assert worse.startswith("Forest ranked patients better than LLSPIN")
    assert "leaves out 0" in worse
    better = {**row, "difference": 0.02, "difference_low": 0.01, "difference_high": 0.03}
    assert "above Forest" in verdict({**report, "differences": [better]})[0]
    sparse = {**row, "other": "Cox-LASSO", "count": 2}
    c = [{"count": 2, "model": name, "C": value} for name, value in (("LLSPIN", 0.6), ("Cox-LASSO", 0.62))]
    [line] = verdict({**report, "differences": [], "at_counts": c, "differences_at_counts": [sparse]})
    assert "2 factors LLSPIN is behind Cox-LASSO: C 0.600 against 0.620 (difference -0.020" in line


@pytest.mark.parametrize(
    ("change", "arguments", "code"),
    [
        ({}, ["--time", "month"], "SL-511"),
        ({}, ["--drop", "died"], "SL-512"),
        ({}, ["--event-code", "dead"], "SL-513"),
        ({}, ["--skip", "rsf"], "SL-513"),
        ({}, ["--sep", "tabs"], "SL-513"),
        ({}, ["--context", "ages"], "SL-217"),
        ({}, ["--sep", ";"], "SL-507"),
        ({"size": "1,5"}, [], "SL-508"),
        ({"died": 2}, [], "SL-103"),
        ({"died": "dead"}, [], "SL-107"),
        ({"months": "2020-01-01"}, [], "SL-109"),
        ({"died": 0}, [], "SL-116"),
        ({"died": [1] * 5 + [0] * 145}, [], "SL-117"),
        ({"months": 0}, ["--zero-time", "refuse"], "SL-119"),
        ({"age": [None] * 3 + [1.5] * 147}, [], "SL-205"),
        ({"age": ["NA"] * 3 + list(range(147))}, [], "SL-209"),
        ({"grade": "2020-01-01"}, [], "SL-211"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(call, change, arguments, code):
    exit_code, output = call(patients().assign(**change).drop(columns="id"), *arguments)
    [line] = output.splitlines()
    assert exit_code == 2
    assert line.startswith(f"error: {code} ")
    assert not Path("survlspin-results").exists()


def test_options_without_their_partners_are_refused(call):
    for arguments in (["--data", "patients.csv"], ["--time", "months"], ["--event-code", "1"]):
        assert call(None, *arguments)[0] == 2
        assert "SL-510" in call(None, *arguments)[1]
    assert call(None, "--members", "0")[0] == 2
    assert "SL-501" in call(None, "--data", "none.csv", *COLUMNS)[1]


def test_a_folder_that_cannot_be_written_is_exit_3(call, tmp_path):
    (tmp_path / "file").touch()
    for folder in ("file", "file/below"):
        exit_code, output = call(patients().drop(columns="id"), "--out", folder)
        assert exit_code == 3
        assert output.startswith("error: SL-526 ")


@pytest.mark.parametrize(
    ("stop", "expected"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 3)]
)
def test_what_stops_the_work_decides_the_exit_code(call, monkeypatch, stop, expected):
    def execute(*args):
        raise stop

    monkeypatch.setattr(job, "execute", execute)
    assert call(patients().drop(columns="id"))[0] == expected


def test_notes_are_said_once_in_the_words_of_the_command_line(call, monkeypatch):
    def execute(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "execute", execute)
    frame = patients().assign(dead=lambda f: f["died"])
    _, output = call(frame.drop(columns="id"))
    assert output.count("SL-215") == 1
    assert "--drop COLUMN" in output


def test_models_that_cannot_use_the_outcome_are_left_out_by_name(call, monkeypatch):
    plans = []

    def execute(plan, *args):
        plans.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "execute", execute)
    frame = patients().assign(weight=1, arm="a").drop(columns="id")
    _, output = call(frame, "--weight", "weight", "--stratum", "arm", "--skip", "lspin", "--context", "age")
    [plan] = plans
    assert list(plan.models) == ["LLSPIN", "DeepSurv", "Cox PH"]
    assert "Forest cannot use stratum and weight" in output
    assert "only age" in output


def test_the_protocol_follows_the_number_of_rows(monkeypatch):
    def described(n: int, *asked) -> str:
        return job._protocol(SimpleNamespace(X=range(n), external=None), "auto", *asked, 0)[0].description

    assert "2-fold cross-validation, repeated 3" in described(500, 2, 3)
    assert "1 of 10 folds" in described(10_000, None, None)


# ---- survlspin fit ----

QUICK = ["--members", "2", "--set", "epochs=2", "--lam", "0.02"]


def test_a_fit_writes_a_model_that_can_be_loaded_elsewhere(tmp_path):
    patients().to_csv(tmp_path / "patients.csv", index=False)
    command = "from survlspin.cli import main; main()"
    options = ["--data", "patients.csv", *COLUMNS, "--id", "id", "--out", "a/größe", *QUICK, "--test", "0.2", "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", command, "fit", *options],
        cwd=tmp_path, env=environment, capture_output=True, check=False, text=True, encoding="utf-8",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["model"], report["rows"], report["fitted_rows"]) == ("CoxLLSPIN", 150, 120)
    assert {Path(name).name for name in report["files"]} == {
        "fit.json",
        "selection.csv",
        "factors.csv",
        "sets.csv",
        "model",
    }
    frame = patients().set_index("id")
    assert set(read_csv(tmp_path / "a" / "größe" / "factors.csv")["patient"]) <= set(frame.index)
    loaded = survlspin.load(tmp_path / "a" / "größe" / "model")
    assert loaded.predict(frame).shape == (150,)
    assert not loaded.verbose


def test_a_fit_says_first_what_was_read_and_then_what_was_found(call):
    exit_code, output = call(patients().drop(columns="id"), *QUICK, command="fit")
    assert exit_code == 0
    assert output.index("Read: my patients.csv: 150 rows") < output.index("Weight of the penalty: gates 0.02")
    assert "They stopped training, so that this number flatters" in " ".join(output.split())
    assert "Wrote to survlspin-model" in output
    assert call(patients().drop(columns="id"), *QUICK, command="fit")[0] == 0  # the model is replaced


def test_classes_and_numbers_are_fitted_from_a_target(call):
    for model, target, measure in (("DenseClassifier", "grade", "accuracy"), ("DenseRegressor", "size", "R2")):
        columns, out = ["--target", target, "--id", "id"], ["--out", target]
        arguments = ["--model", model, *QUICK[:4], "--weight", "months", *out]
        exit_code, output = call(patients(), *arguments, columns=columns, command="fit")
        assert exit_code == 0
        assert f"target {target}" in output
        assert f"{measure} " in output
        loaded = survlspin.load(target + "/model")
        assert loaded.predict(patients()[loaded.feature_names_in_]).shape == (150,)


@pytest.mark.parametrize(
    ("arguments", "columns", "code"),
    [
        (["--model", "CoxLLSPN"], COLUMNS, "SL-551"),
        (["--target", "size"], COLUMNS, "SL-552"),
        (["--model", "LSPINClassifier"], COLUMNS, "SL-552"),
        (["--model", "LSPINClassifier"], [], "SL-510"),
        (["--model", "LSPINClassifier", "--target", "grad"], [], "SL-511"),
        (["--model", "LSPINRegressor", "--target", "grade"], [], "SL-556"),
        (["--model", "DeepSurv", "--lam", "1"], COLUMNS, "SL-553"),
        (["--lam", "one"], COLUMNS, "SL-555"),
        (["--lam", "-1"], COLUMNS, "SL-406"),
        (["--time", "month"], ["--event", "died"], "SL-511"),
        (["--set", "ties=exact"], COLUMNS, "SL-401"),
        (["--set", "patience=0"], COLUMNS, "SL-408"),
        (["--test", "0.001"], COLUMNS, "SL-557"),
        (["--sep", "tabs"], COLUMNS, "SL-513"),
    ],
)
def test_mistakes_in_a_fit_are_one_line_and_exit_2(call, arguments, columns, code):
    exit_code, output = call(patients().drop(columns="id"), *arguments, columns=columns, command="fit")
    assert exit_code == 2
    assert output.splitlines()[-1].startswith(f"error: {code} ")


def test_options_of_a_file_without_one_are_refused_by_fit_too(call):
    for arguments in (["--time", "months"], ["--model", "LSPINClassifier", "--target", "grade"]):
        exit_code, output = call(None, *arguments, command="fit")
        assert exit_code == 2
        assert "SL-510" in output
    assert call(None, "--test", "1.5", command="fit")[0] == 2


def test_a_fit_that_cannot_be_written_is_exit_3_before_the_work(call, monkeypatch):
    Path("file").touch()
    Path("other/model").mkdir(parents=True)
    Path("other/model/notes.txt").touch()
    monkeypatch.setattr(fitting, "_fit", None)
    for folder, code in (("file", "SL-526"), ("other", "SL-547")):
        exit_code, output = call(patients().drop(columns="id"), "--out", folder, command="fit")
        assert exit_code == 3
        assert f"error: {code} " in output


@pytest.mark.parametrize(
    ("stop", "expected"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 3)]
)
def test_what_stops_a_fit_decides_the_exit_code(call, monkeypatch, stop, expected):
    samples = []

    def execute(model, sample, *args):
        samples.append(sample)
        raise stop

    monkeypatch.setattr(fitting, "execute", execute)
    assert call(None, command="fit")[0] == expected
    assert len(samples[0]) == 686  # GBSG2


@pytest.mark.parametrize("command", ["run", "fit"])
def test_help_names_the_exit_codes(command):
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert "130 interrupted" in result.output


def test_remedies_are_for_codes_that_exist():
    package = Path(job.__file__).parent
    source = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "_remedies.py")
    assert all(code in source for code in REMEDIES)
    assert len(WRITING) == 8
