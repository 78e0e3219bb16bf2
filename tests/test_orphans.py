"""Workers whose parent was killed end: what they would go on with is begun again by whoever resumes."""

import subprocess
import sys
from time import monotonic, sleep
from types import SimpleNamespace

import psutil
import pytest
from trials import lasso_search

from survlspin import _orphans
from survlspin._orphans import stop_orphan
from survlspin.train import checkpoint

PARENT = """
import multiprocessing, time
from survlspin._orphans import stop_orphan

def work(said):
    while True:
        stop_orphan()
        said.set()
        time.sleep(0.01)

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    said = context.Event()
    worker = context.Process(target=work, args=(said,))
    worker.start()
    said.wait()
    print(worker.pid, flush=True)
    worker.join()
"""


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_worker_ends_when_its_parent_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=-1, stderr=subprocess.DEVNULL) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        assert alive(worker)
        parent.kill()
    end = monotonic() + 60
    while alive(worker):
        if monotonic() > end:
            worker.kill()
            pytest.fail("the worker goes on")
        sleep(0.01)


@pytest.fixture
def orphaned(monkeypatch):
    """This process is a worker, and its parent is gone."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setattr(_orphans, "parent_process", lambda: SimpleNamespace(pid=gone.pid))


def test_an_orphan_makes_no_further_trial(orphaned):
    with pytest.raises(SystemExit):
        lasso_search(n_trials=1)


def test_an_orphan_writes_no_checkpoint(orphaned, tmp_path):
    work = SimpleNamespace(over=True, state=dict)
    with checkpoint.keeping(tmp_path), pytest.raises(SystemExit):
        checkpoint.of(work).save()
    assert not list(tmp_path.iterdir())


def test_who_may_not_look_goes_on(orphaned, monkeypatch):
    def denied(pid):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", denied)
    stop_orphan()
