import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from commands import invoke

from survlspin import _calls, explaining, job, results, studies
from survlspin._study_text import opened, settings, studied
from survlspin._text import duration
from survlspin.estimators import CoxLLSPIN
from survlspin.protocol import read_runs
from survlspin.store import Store, StoreFolder
from survlspin.summary import closing

COLUMNS = ("--time", "months", "--event", "died", "--id", "id")
SMALL = ("--members", 1, "--points", 3, "--jobs", 1, "--skip", "lspin", "--skip", "deepsurv", "--skip", "forest")
STUDY = (*COLUMNS, *SMALL, "--protocol", "one-nine", "--folds", 3, "--tune", 2, "--probes", 3, "--horizon", 50)
NEW = {"splits.csv", "ledger.csv", "probes.csv", "stability.csv", "frequency.csv", "agreement-LLSPIN.csv"}
LABELS = [f"patient-{i:03d}" for i in range(120)]


def patients() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age, size = rng.normal(60, 10, len(LABELS)).round(1), rng.normal(size=len(LABELS)).round(2)
    time = np.ceil(rng.exponential(60 * np.exp(-0.08 * (age - 60) - size)).clip(0, 100))
    return pd.DataFrame({"id": LABELS, "age": age, "size": size, "months": time, "died": (time < 100).astype(int)})


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Nets that are trained for a moment, and no pictures: what they show does not matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", lambda self, path, **more: path.touch())
        patch.setattr(job, "CoxLLSPIN", partial(CoxLLSPIN, epochs=3))
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study: its folder, and what the command said of it."""
    folder = tmp_path_factory.mktemp("study")
    patients().to_csv(folder / "patients.csv", index=False)
    code, output = run(folder, *STUDY, "--json")
    assert code == 0, output
    return folder, json.loads(output.splitlines()[-1])


@pytest.fixture
def copy(study, tmp_path):
    """The same study somewhere else."""
    shutil.copytree(study[0], tmp_path / "copy")
    return tmp_path / "copy"


def run(folder: Path, *options, out="out"):
    return invoke(
        "run", "--data", folder / "patients.csv", "--store", folder / "store", "--out", folder / out, *options
    )


def words(text: str) -> str:
    return " ".join(text.split())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_study_writes_what_it_rests_on(study):
    folder, report = study
    out = folder / "out"
    assert {Path(name).name for name in report["files"]} == {path.name for path in out.iterdir()} > NEW
    assert (out / "ledger.csv").read_text().splitlines()[-1] == "# test rows used for tuning: 0"
    splits = pd.read_csv(out / "splits.csv")
    assert set(splits["part"]) == {"train", "validation", "test", "aside"}
    assert splits["seed"].eq(0).all()
    assert splits["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    for model in ("LLSPIN", "Cox-LASSO"):
        assert mode(out / f"agreement-{model}.csv") == 0o600
    listed = pd.read_csv(out / "agreement-LLSPIN.csv", dtype={"patient": str})
    assert listed["patient"].tolist() == LABELS
    assert listed["models"].isin([0, 2]).all()
    assert listed.iloc[:, 2:].le(listed["models"], axis=0).all(axis=None)


def test_only_files_of_patients_hold_labels(study):
    out = study[0] / "out"
    with_labels = {path.name for path in out.glob("*.csv") if LABELS[7] in path.read_text(encoding="utf-8")}
    assert with_labels == {"agreement-LLSPIN.csv", "agreement-Cox-LASSO.csv", "factors.csv"}


def test_what_tuning_and_probes_did_is_said(study):
    report = study[1]
    text = words(closing(report))
    assert "Test rows used for tuning: 0." in text
    assert "alone; what it found holds for every fold." in text
    assert f"do not test the patients that tuning saw: up to {report['tuned']['aside']} rows of a fold" in text
    assert "Nothing to search: Cox PH." in text
    found = {row["model"]: row["params"] for row in report["tuned"]["best"]}
    assert report["per_patient"]["tuned"].get("lr") == found["LLSPIN"].get("lr")
    best = [{"model": "A", "params": {"lr": 0.01234}}, {"model": "B", "params": {}}]
    assert "A lr 0.0123 B as given" in words(settings({"tuned": {**report["tuned"], "best": best}}))
    assert "with the settings tuned above" in text
    assert "0 of 3 only bounds it below 63.2%" in text
    assert {row["model"] for row in report["probed"]["models"]} == {"LLSPIN", "Cox-LASSO"}
    assert "influence on C (infinitesimal jackknife)" in text
    assert "(2 of each kind): factors that any, at least half, and all of them list" in text
    assert max(map(len, closing(report).splitlines())) <= 110


def test_stability_is_said_with_its_limits_where_it_is_defined(study):
    limits = {"nogueira_low": 0.5, "nogueira_high": 0.9}
    rows = [
        {"model": "LLSPIN", "nogueira": 0.7, **limits},
        {"model": "LSPIN", "nogueira": 0.6, **dict.fromkeys(limits)},
        {"model": "Cox-LASSO", "nogueira": None, **dict.fromkeys(limits)},
    ]
    [said] = studied({**study[1], "stability": rows, "agreement": []})
    assert "LLSPIN 0.70 (0.50 to 0.90), LSPIN 0.60 (no interval from so few folds); 95 % limits by" in said
    assert "Cox-LASSO" not in said
    assert study[1]["stability_note"] in said


def test_the_best_trial_has_the_smallest_loss_or_the_largest_c():
    rows = [
        ("LLSPIN", "1", "complete", 1.4, "validation NLL", 0.1),
        ("LLSPIN", "1", "complete", 1.2, "validation NLL", 0.2),
        ("LLSPIN", "1", "failed", np.nan, "validation NLL", 0.3),
        ("LLSPIN", "2", "complete", 9.0, "validation NLL", 0.4),
        ("Forest", "1", "complete", 0.6, "validation C", 0.5),
        ("Forest", "1", "complete", 0.7, "validation C", 0.6),
        ("Forest", "1", "complete", 0.7, "validation C", 0.7),
    ]
    trials = pd.DataFrame(rows, columns=["model", "fold", "state", "value", "criterion", "lr"])
    trials["params"] = trials["lr"].map(lambda lr: json.dumps({"lr": lr}))
    best = results.settled(SimpleNamespace(trials=trials))
    assert [(row.model, row.fold, row.params["lr"]) for row in best.itertuples()] == [
        ("LLSPIN", "1", 0.2),
        ("LLSPIN", "2", 0.4),
        ("Forest", "1", 0.6),
    ]


def test_agreement_counts_what_any_half_and_all_models_list():
    table = pd.DataFrame({"models": [4, 2, 0], "age": [4, 1, 0], "size": [2, 0, 0], "grade": [1, 2, 0]})
    said = {"models": 3.0, "any": (3 + 2) / 2, "half": (2 + 2) / 2, "all": (1 + 1) / 2}
    assert results._agreement(table) == said


def test_settings_of_their_own_for_every_fold_are_in_the_ledger(study):
    report = {"tuned": {**study[1]["tuned"], "frozen": False, "aside": 0}}
    assert "the settings of each fold are in ledger.csv" in words(settings(report))
    assert "lr" not in settings(report)
    assert settings({"tuned": None}) == ""


def test_a_study_is_resumed_from_its_store_alone(study, copy):
    code, output = invoke("resume", copy / "store", "--jobs", 1, "--out", copy / "again")
    assert code == 0
    assert "Read: " in output
    for path in (copy / "out").glob("*.csv"):
        assert path.read_bytes() == (copy / "again" / path.name).read_bytes()  # seconds, too: nothing was fitted again
    again = json.loads((copy / "store" / "job.json").read_text())["content"]
    assert again["options"]["data"] == str(study[0] / "patients.csv")
    assert again["options"]["out"] == str(copy / "again")
    assert again["options"]["horizon"] == [50.0]
    assert read_runs(copy / "store").horizons == (50.0,)
    assert "Horizons: 50; the probability" in words(output)


def test_another_call_is_refused(copy):
    stored = (copy / "store" / "job.json").read_bytes()
    code, output = run(copy, *STUDY, "--folds", 4)
    assert code == 2
    assert "SL-356" in output
    assert "split protocol" in output
    assert "survlspin resume" in output
    assert (copy / "store" / "job.json").read_bytes() == stored


def test_the_same_call_goes_on_and_holds_the_store_until_the_last_model_is_fitted(copy, monkeypatch):
    holders, fitted = [], explaining._final_model

    def last(*arguments):
        holders.append(Store.read(copy / "store").holder.pid)
        return fitted(*arguments)

    monkeypatch.setattr(explaining, "_final_model", last)
    assert run(copy, *STUDY, out="again")[0] == 0
    assert (copy / "again" / "folds.csv").read_bytes() == (copy / "out" / "folds.csv").read_bytes()
    assert holders == [os.getpid()]
    assert Store.read(copy / "store").holder is None
    assert list((copy / "store" / "checkpoints" / "final").iterdir())


def test_a_file_that_was_moved_is_named_and_one_that_was_changed_is_refused(study, copy, tmp_path):
    moved = tmp_path / "moved.csv"
    patients().to_csv(moved, index=False)
    assert invoke("resume", copy / "store", "--jobs", 1, "--data", moved)[0] == 0
    patients().assign(age=lambda f: f["age"].where(f.index > 0, 50)).to_csv(moved, index=False)
    code, output = invoke("resume", copy / "store", "--data", moved)
    assert code == 2
    assert "SL-356" in output
    assert "data fingerprint" in output
    code, output = invoke("resume", copy / "store", "--data", tmp_path / "none.csv")
    assert code == 2
    assert "SL-501" in output


def test_penalties_may_be_chosen_by_probes(copy):
    code, output = run(copy, *STUDY, "--probe-rate", 0.34, "--json", out="again")
    assert code == 0
    report = json.loads(output.splitlines()[-1])
    [lasso] = [row for row in report["probed"]["models"] if row["model"] == "Cox-LASSO"]
    assert lasso["selected"] <= 1
    points = pd.read_csv(copy / "again" / "folds.csv").query("model == 'LLSPIN' and chosen")
    assert report["per_patient"]["lam"] == pytest.approx(points["lam"].median())
    assert "the median over folds of those that the probes chose" in words(closing(report))
    assert "selects at most 34% of them" in words("\n".join(opened(report)))


def test_status_counts_what_is_done(copy):
    report = json.loads(invoke("status", copy / "store", "--json")[1])
    assert (report["done"], report["all"]) == (9, 9)
    assert report["tuning"] == {"done": 4, "all": 4}
    next((copy / "store" / "units").iterdir()).unlink()
    code, output = invoke("status", copy / "store")
    assert code == 0
    assert "8 of 9 fits done" in words(output)
    assert "4 of 4 trials" in words(output)
    assert f"Go on with: survlspin resume {copy / 'store'}" in output
    assert "patient-" not in output


def test_status_says_who_is_at_work(copy):
    with Store.open(copy / "store", Store.read(copy / "store").plan):
        _, output = invoke("status", copy / "store")
        assert f"At work: process {os.getpid()} on " in output
        code, refused = run(copy, *STUDY)
    assert code == 2
    assert "SL-357" in refused
    report = json.loads(invoke("status", copy / "store", "--json")[1])
    assert report["holder"] is None
    far = {"pid": 1, "host": "elsewhere", "since": "today"}
    assert "not seen from here" in studies.said({**report, "holder": {**far, "alive": None}})
    assert "has died" in studies.said({**report, "holder": {**far, "alive": False}})
    assert "Damaged files: 2" in studies.said({**report, "damaged": 2})
    assert "about 2 h 5 min" in studies.said({**report, "done": 3, "eta": 7500.0})
    models = {"A": {"done": 2, "all": 4, "seconds": 60.0}, "B": {"done": 0, "all": 4, "seconds": None}}
    begun = {**report, "done": 2, "eta": None, "running": 2, "models": models}
    assert "at least 1 min 0 s; not known of B" in words(studies.said(begun))
    assert "fits: not known of B" in words(studies.said({**begun, "models": {"B": models["B"]}}))


def test_a_store_without_a_call_or_of_another_version_cannot_be_resumed(copy):
    call = Store.read(copy / "store").get_json("job")
    for change, code in (({"version": "0.0.1"}, "SL-536"), ({"secret": True}, "SL-535")):
        StoreFolder(copy / "store").put_json("job", {**call, **change})
        exit_code, output = invoke("resume", copy / "store")
        assert exit_code == 2
        assert output.startswith(f"error: {code} ")
    (copy / "store" / "job.json").unlink()
    assert "SL-534" in invoke("resume", copy / "store")[1]
    for command in ("resume", "status"):
        assert "SL-355" in invoke(command, copy / "out")[1]
        assert invoke(command, copy / "nothing")[0] == 2


def test_a_password_is_not_kept():
    given = {"data": Path("a.csv"), "out": Path("o"), "store": Path("s"), "jobs": 2, "as_json": True, "verbose": False}
    for url in ("postgresql://me:secret@host/trials", "postgresql://host/trials?user=me&password=secret"):
        kept = studies.memory_of({**given, "storage": url})
        assert '"storage": null' in json.dumps(kept)
        assert kept["secret"]
    open_one = studies.memory_of({**given, "storage": "sqlite:///trials.db"})
    assert open_one["options"]["storage"] == "sqlite:///trials.db"
    assert not open_one["secret"]
    assert open_one["options"]["data"] == str(Path.cwd() / "a.csv")
    assert not {"store", "jobs"} & set(open_one["options"])


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        (["--protocol", "external"], "SL-532", "--external"),
        (["--external", "age", "--protocol", "one-nine"], "SL-532", "--protocol one-nine"),
        (["--external", "age", "--folds", "3"], "SL-515", "--folds"),
        (["--preset", "lspin2022"], "SL-532", "--tune"),
        (["--storage", "sqlite:///trials.db"], "SL-532", "--tune"),
        (["--tune", "2", "--storage", "trials.db"], "SL-371", "sqlite:///"),
        (["--probes", "3", "--shadow-probes", "55"], "SL-532", "--shadow-probes"),
        (["--probe-rate", "0.1"], "SL-532", "--probes"),
        (["--external", "age"], "SL-533", "'age' is neither 0 nor 1"),
        (["--external", "ages"], "SL-511", "'ages'"),
        (["--external", "elsewhere"], "SL-342", "mark other rows (--external)"),
        (["--tune", "2", "--folds", "2", "--protocol", "one-nine", *map(str, SMALL)], "SL-387", "--protocol nine-one"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(tmp_path, options, code, named):
    patients().assign(elsewhere=0).to_csv(tmp_path / "patients.csv", index=False)
    exit_code, output = invoke("run", "--data", tmp_path / "patients.csv", *COLUMNS, "--out", tmp_path, *options)
    assert exit_code == 2
    assert f"error: {code} " in output
    assert named in output


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Return the plan that options make."""

    def make(*options, **columns) -> job.Plan:
        plans = []
        monkeypatch.setattr(job, "execute", lambda plan, *args: plans.append(plan) or _stop())
        patients().assign(**columns).to_csv(tmp_path / "patients.csv", index=False)
        data, out = ("--data", tmp_path / "patients.csv"), ("--out", tmp_path)
        code, output = invoke("run", *data, *COLUMNS, *out, *options)
        assert code == 130
        assert ("resume with: survlspin resume " in output) == ("--store" in options)
        return plans[0]

    return make


def _stop():
    raise KeyboardInterrupt


def test_every_protocol_is_another(planned):
    external = {"registry": [1, 0, 0] * 40}
    plans = [
        planned(),
        planned("--protocol", "one-nine"),
        planned("--protocol", "nine-one"),
        planned("--external", "registry", **external),
    ]
    said = [plan.cv.description for plan in plans]
    assert len(set(said)) == 4
    assert said[1].startswith("trained on 1 of 10 folds")
    assert said[2].startswith("10-fold")
    assert [plan.reason for plan in plans[1:]] == ["as asked for"] * 3
    assert plans[3].study.external.sum() == 40
    assert "registry" not in plans[3].study.X
    assert "repeated 2 times" in planned("--protocol", "one-nine", "--repeats", 2).cv.description


def test_options_of_a_study_reach_its_plan(planned):
    plain = planned()
    assert (plain.tune, plain.probes, plain.seeds, plain.store) == (None, None, 1, None)
    plan = planned("--tune", 7, "--seeds", 3, "--seed", 5, "--shadow-probes", 9, "--points", 4, "--probe-rate", 0.2)
    assert (plan.tune.n_trials, plan.tune.spaces, plan.tune.random_state) == (7, "default", 5)
    assert (plan.probes.kind, plan.probes.n, plan.probe_rate) == ("shadow", 9, 0.2)
    assert plan.over["LLSPIN"] == {"lam": "path", "points": 4}
    assert plan.models["Cox-LASSO"].n_alphas == 4
    assert job._asked(plan)["random_state"] == [5, 6, 7]
    text = words("\n".join(opened(plan.opening())))
    assert "7 trials per model (this package's spaces)" in text
    assert "Fits: 3 of every model" in text
    plan = planned("--horizon", 60, "--horizon", 24.5)
    assert plan.horizons == job._asked(plan)["horizons"] == (24.5, 60)
    assert "Horizons: 24.5 and 60; the" in words("\n".join(opened(plan.opening())))
    paper = planned("--tune", 7, "--preset", "lspin2022")
    assert paper.tune.spaces == "lspin2022"
    assert "Table B.4" in "".join(opened(paper.opening()))


def test_an_external_data_set_is_tested_on_and_explained_but_not_learnt_from(tmp_path):
    frame = patients().assign(registry=[1, 0, 0, 0] * 30)
    frame.to_csv(tmp_path / "patients.csv", index=False)
    code, output = run(tmp_path, *COLUMNS, *SMALL, "--external", "registry", "--json")
    assert code == 0
    report = json.loads(output.splitlines()[-1])
    assert report["per_patient"]["rows"] == 90
    assert "fitted once to the 90 rows that are not of the other data set" in words(closing(report))
    splits = pd.read_csv(tmp_path / "out" / "splits.csv").set_index("part")["rows"]
    assert splits["test"] == 30
    factors = pd.read_csv(tmp_path / "out" / "factors.csv")
    assert set(factors["patient"]) <= set(LABELS)


def test_where_every_fold_is_tuned_so_is_the_model_of_all_rows(tmp_path, monkeypatch):
    patients().to_csv(tmp_path / "patients.csv", index=False)
    code, output = run(tmp_path, *COLUMNS, *SMALL, "--folds", 2, "--tune", 1, "--json", out="store/results")
    assert code == 0
    report = json.loads(output.splitlines()[-1])
    assert not report["tuned"]["frozen"]
    assert report["tuned"]["trials"] == 8
    assert report["per_patient"]["tuned"] is not None
    assert len(list((tmp_path / "store" / "tuning").glob("LLSPIN on all rows*.journal"))) == 1
    assert "with settings tuned on them, lambda" in words(closing(report))
    assert invoke("status", tmp_path / "store", "--json")[0] == 0


def test_a_store_that_cannot_be_written_is_exit_3(copy, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in (copy / "store").rglob("*.json")}
    monkeypatch.setattr("survlspin._files.os.replace", full)
    code, output = run(copy, *STUDY)
    assert code == 3
    assert "SL-361" in output
    assert {path: path.read_bytes() for path in (copy / "store").rglob("*.json")} == before


def test_a_study_that_is_terminated_says_how_to_go_on(tmp_path):
    patients().to_csv(tmp_path / "patients.csv", index=False)
    command = "from survlspin.cli import main; main()"
    options = ("run", "--data", "patients.csv", *COLUMNS, *map(str, SMALL), "--folds", "2", "--store", "a store")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    started = subprocess.Popen(
        [sys.executable, "-c", command, *options],
        cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (tmp_path / "a store" / "study.json").exists() and started.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    started.terminate()
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130, said
    assert said.splitlines()[-2:] == ["interrupted", "resume with: survlspin resume 'a store'"]
    report = json.loads(invoke("status", tmp_path / "a store", "--json")[1])
    assert report["holder"] is None
    assert report["done"] < report["all"] == 6


def test_ctrl_c_leaves_a_store_that_can_be_resumed(tmp_path, planned):
    plan = planned(*SMALL, "--folds", 2, "--store", tmp_path / "store")
    assert plan.store == tmp_path / "store"
    assert studies.recalled(tmp_path / "store")["folds"] == 2
    assert "0 of 6 fits done" in invoke("status", tmp_path / "store")[1]


def test_what_is_stopped_before_there_is_a_store_names_none(tmp_path, monkeypatch):
    monkeypatch.setattr(_calls, "main_job", lambda given: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    code, output = invoke("run", "--store", tmp_path / "store")
    assert code == 130
    assert "resume" not in output
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("seconds", "said"), [(59.6, "1 min 0 s"), (61, "1 min 1 s"), (3599, "59 min 59 s"), (93_720, "26 h 2 min")]
)
def test_long_times_are_said_in_hours(seconds, said):
    assert duration(seconds) == said


def test_every_file_of_a_finished_study_is_whole(study):
    code, output = invoke("verify", study[0] / "store", "--json")
    report = json.loads(output.splitlines()[-1])
    assert (code, report["damaged"], report["fine"]) == (0, [], True)
    assert {Path(name).parts[0] for name in report["unsealed"]} <= {"tuning"}
    assert report["whole"] > len(list((study[0] / "store" / "units").iterdir())) > 0
