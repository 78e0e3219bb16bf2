"""The lock: one writer at a time; the dead hold nothing, and only one succeeds them."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from survlspin.errors import InputError
from survlspin.store import lock as lock_module
from survlspin.store.files import Damaged, seal_json
from survlspin.store.lock import SAME, Holder, Lock, holder_of

WORKER = """
import sys, time
from pathlib import Path
from survlspin.errors import InputError
from survlspin.store import lock as module

def say(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()

say("ready")
for line in sys.stdin:
    path, at = line.split()
    lock = module.Lock(Path(path))
    while time.time() < float(at):
        pass
    try:
        before = lock.take()
    except InputError as error:
        say(error.code)
    else:
        say(f"took {before.pid if before else None}")
    sys.stdin.readline()
    lock.release()
    say("released")
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock.json"


def worker():
    process = subprocess.Popen([sys.executable, "-c", WORKER], stdin=-1, stdout=-1, text=True)
    return process


def told(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()


def heard(process):
    return process.stdout.readline().strip()


def ended(process):
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture
def dead():
    """A holder whose process is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Holder.me(), pid=process.pid, token="dead")


def leave(path, holder):
    path.write_bytes(seal_json(holder.to_dict()))


def test_it_says_who_holds_it_and_is_gone_once_released(path):
    lock = Lock(path)
    assert lock.take() is None
    holder = holder_of(path)
    assert (holder.pid, holder.host, holder.alive) == (os.getpid(), socket.gethostname(), True)
    assert str(holder) == f"process {os.getpid()} on {socket.gethostname()} since {holder.since}"
    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
    assert not path.exists()
    lock.release()


def test_this_process_may_not_take_it_twice(path):
    first, second = Lock(path), Lock(path)
    first.take()
    with pytest.raises(InputError, match=r"^SL-357 .* is in use by this process\. Wait for it, or end it\.$"):
        second.take()
    second.release()
    assert path.exists()
    first.release()
    second.take()
    second.release()


def test_another_process_is_named_until_it_is_killed(path):
    other = worker()
    heard(other)
    told(other, f"{path} 0")
    assert heard(other) == "took None"
    who = f"process {other.pid} on {socket.gethostname()} since 20"
    with pytest.raises(InputError, match=f"^SL-357 .* is in use by {who}"):
        Lock(path).take()
    assert holder_of(path).alive
    os.kill(other.pid, signal.SIGKILL)
    psutil.Process(other.pid).status()  # dead and not yet waited for
    while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    lock = Lock(path)
    assert lock.take().pid == other.pid
    assert holder_of(path).pid == os.getpid()
    lock.release()
    assert not path.exists()
    with suppress(BrokenPipeError):
        ended(other)


def test_the_dead_and_those_who_got_their_number_hold_nothing(path, dead):
    me = Holder.me()
    for gone in (dead, replace(me, started=me.started - 2 * SAME, token="before")):
        assert gone.alive is False
        leave(path, gone)
        lock = Lock(path)
        assert lock.take() == gone
        assert holder_of(path).pid == os.getpid()
        lock.release()
        assert not path.exists()


def test_a_clock_that_jumps_kills_nobody(monkeypatch):
    me = Holder.me()
    boot, created = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + 86_400)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: created(process) + 86_400)
    assert me.alive


def test_a_process_that_may_not_be_seen_is_alive(monkeypatch):
    def denied(process):
        raise psutil.AccessDenied

    me = Holder.me()
    monkeypatch.setattr(psutil.Process, "status", denied)
    assert me.alive


def test_another_host_is_refused_with_the_file_to_delete(path, dead):
    leave(path, replace(dead, host="elsewhere"))
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        Lock(path).take()
    assert str(caught.value) == (
        f"SL-358 {path.parent} is locked by process {dead.pid} on elsewhere since {dead.since}, and from "
        f"{socket.gethostname()} nobody sees whether it still runs. If nothing runs on it, delete {path}."
    )
    assert path.read_bytes() == before
    assert holder_of(path).alive is None


@pytest.mark.parametrize("content", [b"\x80\x04N.", b'{"pid": 1}', b"{"], ids=["pickle", "other", "cut"])
def test_a_damaged_lock_is_refused_with_the_file_to_delete(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^SL-358 .* is locked it does not say by whom\. If nothing .* delete .*json"):
        Lock(path).take()
    assert path.read_bytes() == content


def test_an_empty_lock_is_free(path):
    path.touch()
    lock = Lock(path)
    assert lock.take() is None
    assert holder_of(path).pid == os.getpid()
    lock.release()


def test_who_cannot_look_in_time_is_refused(path, monkeypatch):
    monkeypatch.setattr(lock_module, "PATIENCE", 0.1)
    with (
        FileLock(path.with_suffix(".guard")),
        pytest.raises(InputError, match=r"SL-357 .* is being taken by another process\. Try again\."),
    ):
        Lock(path).take()
    assert not path.exists()


def test_who_is_overtaken_on_another_host_is_refused(path, monkeypatch, dead):
    """Another host need not see the guard: the lock appears after it was found free."""
    monkeypatch.setattr(Path, "unlink", lambda place, missing_ok: leave(place, dead))
    with pytest.raises(InputError, match=r"SL-357 .* is being taken by another process\. Try again\."):
        Lock(path).take()
    assert holder_of(path) == dead


def test_releasing_leaves_the_lock_of_another_alone(path, dead):
    lock = Lock(path)
    lock.take()
    leave(path, dead)
    lock.release()
    assert holder_of(path) == dead
    path.write_bytes(b"damaged")
    lock.release()
    assert path.read_bytes() == b"damaged"


def test_a_lock_that_cannot_be_written_is_refused_and_leaves_nothing(path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(InputError, match=r"^SL-361 .*lock\.json cannot be written: No space left on device"):
        Lock(path).take()
    assert not path.exists()


def test_what_is_no_holder_is_damaged():
    for stored in (None, {}, {"pid": 1}, [1, 2]):
        with pytest.raises(Damaged):
            Holder.of(stored)


def test_of_two_processes_that_race_for_a_lock_one_wins(tmp_path, dead):
    racers = [worker(), worker()]
    for racer in racers:
        assert heard(racer) == "ready"
    for round_ in range(10):
        path = tmp_path / f"{round_}.json"
        stale = round_ % 2
        if stale:
            leave(path, dead)
        at = time.time() + 0.05
        for racer in racers:
            told(racer, f"{path} {at}")
        assert sorted(map(heard, racers)) == ["SL-357", f"took {dead.pid if stale else None}"]
        for racer in racers:
            told(racer, "")
        assert [heard(racer) for racer in racers] == ["released"] * 2
    for racer in racers:
        ended(racer)
    assert not list(tmp_path.glob("*.json"))
