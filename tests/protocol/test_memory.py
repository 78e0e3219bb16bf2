"""What a comparison needs, what is free, and the refusal before anything is fitted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest
from labour import Labour, fits, people

from survlspin.errors import InputError
from survlspin.folds import Fold, TrainOneTestNine
from survlspin.outcome import Outcome
from survlspin.protocol import Unit, memory, run
from survlspin.protocol.memory import Need, check_memory, free_memory, need_of

GB = 10**9


def unit(path=False, points=None):
    return Unit("any", Labour(), Fold("1", np.arange(100), np.arange(100, 150), np.arange(150, 1000)), 0, path, points)


def test_results_grow_with_points_and_processes_with_their_number():
    X = np.zeros((1000, 20))
    one, path = need_of([unit()], X), need_of([unit(True, 10)], X)
    assert one.results == 850 * (8 + 3) + 150 * 8  # risk and influence, 20 factors in 3 bytes, and the hazard
    kept = need_of([replace(unit(), horizons=(1.0, 2.0, 5.0))], X)
    assert kept.results == 850 * (8 + 3 + 3 * 4)
    few = Outcome.of({"time": np.arange(1000) % 7 + 1.0, "event": np.arange(1000) % 7 > 1})
    assert need_of([unit()], X, outcome=few).results == 850 * (8 + 3) + 5 * 8
    assert path.results == 10 * one.results
    assert need_of([unit(True)], X).results > path.results
    assert need_of([unit()] * 3, X).results == 3 * one.results
    assert one.n_jobs == 1
    assert need_of([unit()] * 3, X, 2).n_jobs == 2
    assert need_of([unit()], X, 4).n_jobs == 1
    assert need_of([unit()] * 3, X, 2).process > one.process + 100e6  # another process has to be begun
    assert need_of([unit()] * 3, X, 2).total > 2 * need_of([unit()] * 3, X, 2).process


def test_a_category_counts_by_its_levels():
    X = pd.DataFrame({"age": np.arange(1000.0), "site": [f"C{i % 40}" for i in range(1000)]})
    assert need_of([unit()], X).process > 5 * need_of([unit()], X[["age"]]).process


@pytest.mark.parametrize(
    ("need", "remedy"),
    [
        (Need(2 * GB, 1 * GB, 4), r"9\.0 GB \(4 processes of 2\.0 GB, results 1\.0 GB\), and 6\.0 GB.* n_jobs=2\."),
        (Need(2 * GB, 5 * GB, 1), r"7\.0 GB \(1 process of .*fewer rows"),
        (Need(0, 7 * GB, 0), "fewer rows"),
    ],
    ids=["processes", "one", "cluster"],
)
def test_what_does_not_fit_is_refused_with_what_would(monkeypatch, need, remedy):
    monkeypatch.setattr(memory, "free_memory", lambda: 6.0 * GB)
    with pytest.raises(InputError, match=f"SL-365.*{remedy}"):
        check_memory(need)
    check_memory(Need(2 * GB, 1 * GB, 2))


def test_nothing_is_fitted_or_written_where_memory_is_short(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000.0)
    (tmp_path / "counts").mkdir()
    with pytest.raises(InputError, match="SL-365"):
        run({"labour": Labour(tmp_path / "counts")}, *people(), cv=TrainOneTestNine(3), store=tmp_path / "study")
    assert fits(tmp_path / "counts") == {}
    assert not (tmp_path / "study").exists()


def group(folder, limit, used, cached, names=("memory.max", "memory.current", "inactive_file")):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cached}\n")


def test_the_limit_of_a_container_or_job_counts(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/jobs/17/step\n")
    group(tmp_path / "jobs/17/step", "max", 300, 0)
    group(tmp_path / "jobs/17", 1000, 300, 50)
    group(tmp_path / "jobs", 5000, 300, 0)
    assert list(memory._left_by_groups(own, tmp_path)) == [750, 4700]


def test_groups_of_version_1(tmp_path):
    own = tmp_path / "own"
    own.write_text("5:devices:/\n4:memory,other:/job\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    group(tmp_path / "memory/job", 1000, 400, 100, names)
    assert list(memory._left_by_groups(own, tmp_path)) == [700]
    assert list(memory._left_by_groups(tmp_path / "not there", tmp_path)) == []


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="no such limit on this system")
def test_the_limit_of_the_process_counts(monkeypatch):
    everything = free_memory()
    size = psutil.Process().memory_info().vms
    monkeypatch.setattr(psutil.Process, "rlimit", lambda self, kind: (size + 10**6, size + 10**6))
    assert free_memory() <= 10**6 < everything
