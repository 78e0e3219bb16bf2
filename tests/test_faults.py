"""Faults in the middle of a whole study, with a store and tuning: it ends as one that met none, or says what it lacks.

The numbers are those of the list in tests/test_torture.py; each part of a study has tests of its own beside it.
"""

import errno
import os
import re
import socket
from pathlib import Path

import pytest
import torch

from survlspin import CoxLLSPIN, CoxLSPIN, CoxNIMO, CoxSTG, DeepSurv, RepeatedKFold, Tuning, run
from survlspin.baselines import CoxLasso, Forest
from survlspin.errors import InputError, InputWarning
from survlspin.protocol import read_runs, status
from survlspin.store import StoreFolder
from survlspin.testing.estimators import patients

pytestmark = pytest.mark.filterwarnings("ignore:SL-117")  # few events validate

X, Y = patients(200)
MODELS = {
    "LLSPIN": CoxLLSPIN(epochs=4, gate_hidden=(4,)),
    "Cox-LASSO": CoxLasso(n_alphas=6),
    "Forest": Forest(n_estimators=4),
}
PATHS = {"LLSPIN": {"lam": "path", "points": 3}, "Cox-LASSO": {"lam": "path"}}
UNITS = 6


def study(store=None, models=MODELS, over=PATHS, tune=2, **how):
    tuning = Tuning(tune) if tune else None
    cv = RepeatedKFold(2, 1)
    return run(models, X, Y, cv=cv, over=over, tune=tuning, store=store, progress=False, **how)


def tables(runs):
    """Every table as text, and the risks, without times."""
    frames = [runs.table(), runs.points(), runs.curve().frame, runs.at_counts((1, 2)), runs.stability()]
    frames += [runs.agreement("LLSPIN"), runs.frequency(), runs.splits]
    frames += [] if runs.ledger is None else [runs.ledger.trials]
    text = [frame.drop(columns="seconds", errors="ignore").to_csv() for frame in frames]
    return [*text, *(fit.risk.tobytes() for fit in runs.fits)]


@pytest.fixture(scope="module")
def expected():
    """The tables of a study that met no fault."""
    return tables(study())


@pytest.fixture
def store(tmp_path):
    return tmp_path / "study"


def contents(folder: Path):
    """What the files of a store that is not at work hold."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupted(store, units):
    """Interrupt a study when it is about to keep one more result."""
    done, save = [], StoreFolder.save

    def stop(self, *args):
        if len(done) == units:
            raise KeyboardInterrupt
        done.append(save(self, *args))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoreFolder, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            study(store)


# ---- 67: the disk is full ----


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full from some write on, whoever writes."""
    written, sync = [0], os.fsync

    def full_after(n):
        written[0] = -n

    def fsync(handle):
        written[0] += 1
        if written[0] > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    full_after(10**9)
    monkeypatch.setattr(os, "fsync", fsync)
    return full_after


@pytest.mark.parametrize("writes", [1, 8, 60])
def test_67_a_full_disk_ends_a_study_and_what_is_there_stays(writes, disk, store, expected):
    disk(writes)
    with pytest.raises(InputError, match=r"SL-361 .* cannot be written: No space left on device"):
        study(store)
    before = contents(store) if store.exists() else {}
    disk(0)
    with pytest.raises(InputError, match="SL-361"):
        study(store)
    whole = {name: content for name, content in before.items() if name.parts[0] in ("units", "plan.json")}
    assert whole.items() <= contents(store).items()
    disk(10**9)
    assert tables(study(store)) == expected


# ---- 74: threads and processes ----


NETS = {
    "LLSPIN": CoxLLSPIN(lam=0.02, epochs=3, members=2),
    "LSPIN": CoxLSPIN(lam=0.02, epochs=3),
    "STG": CoxSTG(lam=0.02, epochs=3),
    "NIMO": CoxNIMO(lam=0.02, epochs=3),
    "DeepSurv": DeepSurv(epochs=3),
    "Forest": Forest(n_estimators=4),
}


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_74_threads_change_no_digit(threads):
    found = []
    for n in (1, 2, 4):
        threads(n)
        found.append([fit.risk.tobytes() for fit in study(models=NETS, over={}, tune=None).fits])
        assert torch.get_num_threads() == n
    assert found[0] == found[1] == found[2]


# ---- 75: a GPU that is not there ----


def test_75_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"SL-363 4 of 4 .* SL-409 device='cuda' cannot be used") as refusal:
        study(models={"one": DeepSurv(device="cuda"), "two": CoxLSPIN(device="cuda:0")}, over={}, tune=None)
    assert refusal.value.__cause__.code == "SL-409"


# ---- 76: training that leaves the numbers ----


def test_76_a_model_that_learns_nothing_is_named_and_the_others_are_done(store):
    wild = {**MODELS, "LLSPIN": DeepSurv(lr=1e30, optimizer="sgd", epochs=3)}
    with (
        pytest.warns(InputWarning, match="SL-417"),
        pytest.raises(InputError, match=r"SL-363 2 of 6 could not be done: LLSPIN on fold 1.1 .* SL-417"),
    ):
        study(store, wild, {"Cox-LASSO": {"lam": "path"}}, tune=None)
    assert len(read_runs(store).fits) == 4


# ---- 77: no network ----


def test_77_nothing_asks_for_the_network(monkeypatch, store, expected):
    def refuse(*args, **kwargs):
        raise AssertionError("a call of the network")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    with pytest.raises(AssertionError, match="network"):
        socket.create_connection(("localhost", 9))
    assert tables(study(store)) == expected


# ---- 78, 79: damaged and half-finished studies ----


DAMAGE = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "a bit": lambda raw: raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 4]) + raw[len(raw) // 2 + 1 :],
    "other": lambda raw: b"\x80\x04cos\nsystem\n",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The store of a finished study, for copies."""
    store = tmp_path_factory.mktemp("finished") / "study"
    study(store)
    return store


def copy_of(finished, store):
    for name, content in contents(finished).items():
        path = store / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
    return store


@pytest.mark.parametrize("how", DAMAGE)
def test_78_damaged_results_are_computed_again(how, finished, store, expected):
    copy_of(finished, store)
    units = sorted((store / "units").iterdir())
    for path in (*units[::2], store / "ledger.safetensors", store / "folds.safetensors", store / "study.json"):
        path.write_bytes(DAMAGE[how](path.read_bytes()))
    kept = {path: path.stat().st_mtime_ns for path in units[1::2]}
    assert tables(study(store)) == expected
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert len(list((store / "units").glob("*.damaged"))) == len(units[::2])
    assert StoreFolder(store).damaged >= len(units[::2])


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_78_trials_cut_off_are_made_again(share, finished, store, expected):
    """In the middle of a record, under Optuna's own lock."""
    copy_of(finished, store)
    for journal in (store / "tuning").glob("*.journal"):
        content = journal.read_bytes()
        journal.write_bytes(content[: int(share * len(content))])
        journal.with_name(journal.name + ".lock").touch()
    assert tables(study(store)) == expected


def test_78_trials_that_are_not_as_they_were_kept_are_refused(finished, store, expected):
    copy_of(finished, store)
    journal = next((store / "tuning").glob("Cox-LASSO on fold 1.1-*.journal"))
    content, value = journal.read_bytes(), re.compile(rb'"values": ?\[(\d)')
    digit = value.search(content).group(1)
    journal.write_bytes(value.sub(lambda hit: hit.group()[:-1] + bytes([digit[0] ^ 1]), content, count=1))
    with pytest.raises(InputError, match=r"SL-379 .*Cox-LASSO on fold 1.1-\w+\.journal is damaged"):
        study(store)
    journal.unlink()
    assert tables(study(store)) == expected


def test_78_a_checkpoint_of_nothing_is_no_trouble(store, expected):
    interrupted(store, 0)
    found = list((store / "checkpoints").rglob("*.checkpoint"))
    assert found
    for path in found:
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.warns(InputWarning, match="SL-416"):
        assert tables(study(store)) == expected


def test_79_a_half_finished_study_says_so(store, expected):
    interrupted(store, 4)
    found = status(store)
    assert (found["done"], found["all"], found["tuning"]) == (4, UNITS, {"done": 12, "all": 12})
    assert found["holder"] is None
    runs = read_runs(store)
    assert len(runs.unfinished) == 2
    for table in (runs.table(), runs.at_counts((1, 2)), runs.frequency()):
        assert table.attrs["partial"] == "unfinished: 4 of 6 fits; 2 are missing"
    figure = runs.curve().plot()
    assert "unfinished" in " ".join(text.get_text() for text in (*figure.texts, *figure.axes[0].texts)).lower()
    assert tables(study(store)) == expected
    assert read_runs(store).unfinished == ()
    assert tables(read_runs(store)) == expected
