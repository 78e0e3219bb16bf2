"""Training that is cut off and begun again ends where it would have ended uninterrupted, bit for bit."""

import errno
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from nets.cases import CASES, P

import survlspin
from survlspin.errors import InputError, InputWarning
from survlspin.heads import Cox, Gaussian
from survlspin.nets import LassoNet
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.synthetic import registry
from survlspin.train import Data, Settings, checkpoint, fit
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.prox_path import PathSettings, prox_path
from survlspin.train.stack import Stack

N, MODELS = 90, 3
GRID = (0.05, 0.1, 0.2, 0.4)
SETTINGS = Settings(epochs=6, batch_size=32, lr=0.05, patience=2, average=0.5)


class Cut(Exception):
    """What ends a run."""


@contextmanager
def cut_after(saves):
    """End, once, the work inside after so many checkpoints."""
    original, left = checkpoint._Kept.save, [saves]

    def save(self):
        original(self)
        left[0] -= 1
        if left[0] == 0:
            raise Cut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint._Kept, "save", save)
        yield


def cut_often(work, folder, seed, most=3):
    """Return what `work` returns, begun again after each of a few random ends, and how often it was ended."""
    rng, cuts = np.random.default_rng(seed), 0
    while True:
        try:
            with cut_after(rng.integers(1, most + 1) if cuts else 1), checkpoint.keeping(folder, every=0):
                return work(), cuts
        except Cut:
            cuts += 1


def require_same(found, expected):
    """Demand equal bytes."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        one, other = np.asarray(found[name]), np.asarray(value)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), name


def survival(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, P)).astype(np.float32)
    time = np.ceil(8 * rng.exponential(np.exp(x[:, 1] - x[:, 0])))
    return x, Outcome(time, rng.random(N) < 0.7)


def train(name="LSPIN", lam=0.01, seed=0, data_seed=0, settings=SETTINGS, rows=60, valid=True, progress=None):
    """Train models of unequal rows in one stack; return every number that comes out."""
    x, outcome = survival(data_seed)
    data, head = Data(torch.from_numpy(x), Cox().prepare(outcome)), Cox()
    net = CASES[name](MODELS).initialize(seeded(range(seed, seed + MODELS)))
    weights, generators = penalty_weights(net, dict.fromkeys(net.penalty_names, lam)), seeded(range(MODELS))
    own = [np.arange(rows - 10 * b) for b in range(MODELS)]
    check = (data, [np.arange(60, N - b) for b in range(MODELS)]) if valid else ()
    history = fit(net, head, data, own, weights, generators, settings, *check, progress=progress)
    said = {name: value for name, value in vars(history).items() if name != "trace"}
    epochs, lines = zip(*history.trace, strict=True) if history.trace else ((), ())
    state = {f"generator {b}": generator.get_state() for b, generator in enumerate(generators)}
    return {**net.state_dict(), **said, **state, "epochs": np.array(epochs), "trace": np.array(lines)}


def walk(head, models=1, grid=None, valid=True):
    """Compute the path of a LassoNet; return every number that comes out."""
    x, outcome = survival()
    outcome = Response(x[:, :2].astype(float)) if isinstance(head, Gaussian) else outcome
    data = Data(torch.from_numpy(x), head.prepare(outcome))
    net = LassoNet(P, (4,), head, models=models).initialize(seeded(range(models)))
    check = (data, [np.arange(60, N)]) if valid else (None, ())
    lam, settings = penalty_weights(net, {"layers": 0.1}), PathSettings(points=3, steps=5)
    found = prox_path(net, head, data, [np.arange(60)], lam, settings, *check, grid)
    left = {f"left {name}": value for name, value in net.state_dict().items()}
    return {**found.net.state_dict(), **left, **{n: v for n, v in vars(found).items() if n != "net"}}


# ---- any kind of net, any kind of path ----


@pytest.mark.parametrize("name", CASES)
def test_every_net_goes_on_where_it_was(name, tmp_path):
    settings = replace(SETTINGS, epochs=3)
    with cut_after(2), checkpoint.keeping(tmp_path, every=0), pytest.raises(Cut):
        train(name, settings=settings)
    with checkpoint.keeping(tmp_path):
        found = train(name, settings=settings)
    require_same(found, train(name, settings=settings))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize(("batch_size", "valid"), [(None, True), (32, False)])
def test_every_way_to_train_goes_on_where_it_was(optimizer, batch_size, valid, tmp_path):
    settings = replace(SETTINGS, optimizer=optimizer, batch_size=batch_size, weight_decay=0.1, warm_up={"gates": 3})
    found, cuts = cut_often(lambda: train(settings=settings, valid=valid), tmp_path, 0)
    require_same(found, train(settings=settings, valid=valid))
    assert cuts > 0


def test_models_that_have_stopped_stay_away(tmp_path, monkeypatch):
    monkeypatch.setattr("survlspin.train.training.STEPS_PER_EVALUATION", 1)
    settings, left = replace(SETTINGS, epochs=20, lr=0.2, patience=1), []
    found, cuts = cut_often(lambda: train(settings=settings), tmp_path, 3)
    require_same(found, train(settings=settings, progress=lambda *at: left.append(at[2])))
    assert cuts > 0
    assert {1, 2} & set(left[:-1])  # some stopped before others


def test_a_stack_in_parts_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["survlspin.train.fit"], "ROWS_PER_STEP", 32)
    found, cuts = cut_often(train, tmp_path, 1)
    require_same(found, train())
    assert cuts > 2
    assert len(list(tmp_path.glob("*.checkpoint"))) == MODELS


@pytest.mark.parametrize(
    ("head", "models", "grid", "valid"),
    [(Cox(), 2, GRID, True), (Gaussian(2), 1, None, False)],
    ids=["given grid", "own grid"],
)
def test_a_path_goes_on_where_it_was(head, models, grid, valid, tmp_path):
    found, cuts = cut_often(lambda: walk(head, models, grid, valid), tmp_path, 4)
    require_same(found, walk(head, models, grid, valid))
    assert cuts > 0


SMALL = {"epochs": 2, "random_state": 0}
ESTIMATORS = {
    "CoxLSPIN": {"hidden": (3,), "gate_hidden": (3,)},
    "CoxLLSPIN": {"gate_hidden": (3,), "members": 2},
    "CoxSTG": {"hidden": (3,)},
    "CoxLassoNet": {"hidden": (3,)},
    "CoxNIMO": {"hidden": (3, 3)},
    "CoxGradientLasso": {"hidden": (3,)},
    "DeepSurv": {"hidden": (3,), "members": 2, "restarts": 2},
}


@cache
def patients():
    X, y, _ = registry(200, random_state=0)
    return X.iloc[:, :6], y


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore:SL-463")  # rare flags in few rows
def test_every_estimator_goes_on_where_it_was(name, tmp_path):
    X, y = patients()

    def work():
        model = getattr(survlspin, name)(**SMALL, **ESTIMATORS[name])
        if name == "DeepSurv":
            return {"risk": model.fit(X, y).predict(X), "history": model.history_.objective}
        path = model.path(X, y, points=3 if "SPIN" in name else 2)
        return {"risk": path.at(path.chosen).predict(X), "frame": path.frame.to_numpy(), **path._net.state_dict()}

    expected = work()
    found, cuts = cut_often(work, tmp_path, 5)
    require_same(found, expected)
    assert cuts > 0


# ---- what is finished, other work ----


def test_what_is_finished_is_not_done_again(tmp_path, monkeypatch):
    with checkpoint.keeping(tmp_path):
        expected = train(), walk(Cox(), 1, GRID)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(files) == ["001.checkpoint", "002.checkpoint"]  # every 30 s, and at the end
    monkeypatch.setattr(Stack, "epoch", None)
    monkeypatch.setattr("survlspin.train.descent.Descent.step", None)
    with checkpoint.keeping(tmp_path):
        for found, known in zip((train(), walk(Cox(), 1, GRID)), expected, strict=True):
            require_same(found, known)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


OTHERS = {
    "net": {"name": "LSPIN groups"},
    "lambda": {"lam": 0.02},
    "weights": {"seed": 1},
    "data": {"data_seed": 1},
    "rows": {"rows": 59},
    "validation": {"valid": False},
    "epochs": {"settings": replace(SETTINGS, epochs=9)},
    "optimizer": {"settings": replace(SETTINGS, optimizer="adamw")},
    "warm-up": {"settings": replace(SETTINGS, warm_up={"gates": 2})},
}


@pytest.mark.parametrize("other", OTHERS)
def test_checkpoints_of_other_work_are_passed_over(other, tmp_path):
    with checkpoint.keeping(tmp_path, every=0):
        first = train()
    seen = []
    with checkpoint.keeping(tmp_path, every=0):
        found = train(**OTHERS[other], progress=lambda *at: seen.append(at[0]))
    assert seen[0] == 1
    require_same(found, train(**OTHERS[other]))
    with checkpoint.keeping(tmp_path, every=0):
        require_same(train(), first)


def of_constant(constant, default=0):
    return lambda h, more=default: h * constant + more


FUNCTIONS = [of_constant(1), of_constant(2), of_constant(1, 1), partial(pow, 2), partial(pow, 3), partial(min, 2)]
FUNCTIONS += [SETTINGS.epochs_of, Settings().epochs_of, SETTINGS.__eq__]
FUNCTIONS += [lambda h: h * 2, lambda h: h * 3, lambda h: lambda: h * 2, lambda h: lambda: h * 3]


def test_functions_differ_in_what_they_do_and_hold():
    assert len({checkpoint._digest(function, {}) for function in FUNCTIONS}) == len(FUNCTIONS)
    assert checkpoint._digest(of_constant(1), {}) == checkpoint._digest(of_constant(1), {})
    assert checkpoint._digest(partial(pow, 2), {}) == checkpoint._digest(partial(pow, 2), {})


def test_nothing_is_written_outside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with checkpoint.keeping(tmp_path / "kept" / "here"):
        pass
    train()
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "here"]


def test_checkpoints_are_for_their_owner_alone(tmp_path):
    with checkpoint.keeping(tmp_path / "kept", every=0):
        train()
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()} == {0o600}
    assert len(list((tmp_path / "kept").iterdir())) == 2  # the newest and the one before


# ---- faults ----


def epochs_seen(work, folder):
    """Return what `work` returns in `folder`, and the epochs that it trains there."""
    seen = []
    with checkpoint.keeping(folder, every=0):
        return work(progress=lambda *at: seen.append(at[0])), seen


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        del content[len(content) // 2 :]
    elif how == "empty":
        content.clear()
    else:
        content[len(content) * 3 // 4] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "empty", "one bit"])
def test_78_a_damaged_checkpoint_gives_way_to_the_one_before(how, tmp_path):
    expected = train()
    with cut_after(4), checkpoint.keeping(tmp_path, every=0), pytest.raises(Cut):
        train()
    damage(tmp_path / "001.checkpoint", how)
    with pytest.warns(InputWarning, match=r"SL-416 the checkpoint .*001\.checkpoint is damaged"):
        found, seen = epochs_seen(train, tmp_path)
    require_same(found, expected)
    assert seen[0] == 4
    assert (tmp_path / "001.damaged").exists()
    assert epochs_seen(train, tmp_path)[1] == []


def test_where_both_are_damaged_training_begins_again(tmp_path):
    with cut_after(4), checkpoint.keeping(tmp_path, every=0), pytest.raises(Cut):
        train()
    for name in ("001.checkpoint", "001.before"):
        damage(tmp_path / name, "one bit")
    with pytest.warns(InputWarning, match="SL-416") as caught:
        found, seen = epochs_seen(train, tmp_path)
    require_same(found, train())
    assert seen[0] == 1
    assert len(caught) == 2


@pytest.mark.parametrize("full", [True, False], ids=["a real limit", "no space left"])
def test_67_training_goes_on_where_no_checkpoint_can_be_written(full, tmp_path, monkeypatch):
    with cut_after(2), checkpoint.keeping(tmp_path, every=0), pytest.raises(Cut):
        train()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fail(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    try:
        if full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        else:
            monkeypatch.setattr(checkpoint.os, "fsync", fail)
        with pytest.warns(InputWarning, match=r"SL-414 .* (too large|No space left).* Training goes on") as caught:
            found, seen = epochs_seen(train, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    monkeypatch.undo()
    assert len(caught) == 1
    require_same(found, train())
    assert seen[0] == 3
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert epochs_seen(train, tmp_path)[1] == seen  # from what was kept before


def test_a_folder_in_which_nothing_can_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="SL-415"), checkpoint.keeping(tmp_path / "file"):
        pass
    monkeypatch.setattr(checkpoint.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(InputError, match=r"SL-415 .*read-only"), checkpoint.keeping(tmp_path):
        pass


KILLED = """
import sys, time
sys.path[:0] = sys.argv[2:]
from train.test_checkpoint import LONG, train
from survlspin.train import checkpoint
with checkpoint.keeping(sys.argv[1], every=0):
    train(settings=LONG)
time.sleep(600)
"""
LONG = replace(SETTINGS, epochs=40, patience=40)


def test_68_killed_it_goes_on_where_it_was(tmp_path):
    """At an instant that no one chose, in another process, and by a signal that cannot be caught."""
    paths = [str(Path(__file__).parents[1]), *filter(None, sys.path)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), *paths])
    while not (tmp_path / "001.before").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.3))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    found, seen = epochs_seen(lambda progress: train(settings=LONG, progress=progress), tmp_path)
    require_same(found, train(settings=LONG))
    assert 1 not in seen
