"""Faults of the machine, as the command meets them in the middle of a study."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import pandas as pd
import psutil
import pytest
from commands import invoke

from survlspin import job
from survlspin.estimators import CoxLLSPIN
from survlspin.testing.estimators import patients

EPOCHS = 2
OPTIONS = (
    *("--data", "patients.csv", "--time", "time", "--event", "event", "--id", "patient"),
    *("--members", "1", "--points", "3", "--folds", "2", "--tune", "2"),
    *("--skip", "lspin", "--skip", "deepsurv", "--skip", "forest"),
)
ODD = f"""
import random, time
from functools import partial
from multiprocessing import forkserver, set_forkserver_preload

from joblib.externals.loky.backend.context import set_start_method

set_forkserver_preload(["survlspin.protocol"])  # loaded once, and not by every worker
forkserver.ensure_running()
set_start_method("forkserver")

right, jumps = time.time, random.Random(0)
time.time = lambda: right() + jumps.choice([-1e8, -5.0, 3600.0, 1e8])

from survlspin import job
from survlspin.cli import main
from survlspin.estimators import CoxLLSPIN

job.CoxLLSPIN = partial(CoxLLSPIN, epochs={EPOCHS})
main()
"""


def put_patients(folder: Path) -> None:
    X, y = patients(200)
    X.assign(time=y["time"], event=y["event"].astype(int)).to_csv(folder / "patients.csv")


def command(folder: Path, *options: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The command in a folder, its nets trained for a moment."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(job, "CoxLLSPIN", partial(CoxLLSPIN, epochs=EPOCHS))
    return invoke("run", *OPTIONS, *options)


def results(folder: Path) -> dict[str, bytes]:
    """The files that a study wrote, without times."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("table.csv", "folds.csv", "ledger.csv"):
        table = pd.read_csv(io.BytesIO(found[name]), comment="#")
        found[name] = table.drop(columns="seconds").to_csv().encode()
    return found


def kill_a_worker(store: Path, study: subprocess.Popen) -> int:
    """Kill -9 the first process that says what it is at."""
    end = monotonic() + 120
    while study.poll() is None and monotonic() < end:
        for path in (store / "running").glob("*.json"):
            try:
                pid = json.loads(path.read_bytes())["content"]["pid"]
                os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):  # it is done
                continue
            return pid
        sleep(0.01)
    raise AssertionError("no worker was found")


def test_71_73_a_killed_worker_an_odd_environment_and_a_clock_that_jumps_change_no_byte(tmp_path, monkeypatch):
    """One process in the usual environment; then two without home and terminal, one of which is killed at its work."""
    put_patients(tmp_path)
    code, output = command(tmp_path, "--jobs", "1", "--out", "usual", monkeypatch=monkeypatch)
    assert code == 0, output
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C", "LC_ALL": "C", "TZ": "Pacific/Apia"}
    study = subprocess.Popen(
        [sys.executable, "-c", ODD, "run", *OPTIONS, "--jobs", "2", "--store", "store", "--out", "odd"],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", start_new_session=True,
    )  # fmt: skip
    assert kill_a_worker(tmp_path / "store", study) != study.pid
    _, said = study.communicate(timeout=240)
    assert study.returncode == 0, said
    assert results(tmp_path / "odd") == results(tmp_path / "usual")


def test_72_a_limit_of_memory_refuses_a_study_before_it_begins(tmp_path, monkeypatch):
    put_patients(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 400_000_000, hard))
    try:
        code, output = command(tmp_path, "--jobs", "4", "--store", "store", monkeypatch=monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert code == 2
    assert output.splitlines()[-1].startswith("error: SL-365 this needs about ")
    assert not list((tmp_path / "store").glob("units/*"))
