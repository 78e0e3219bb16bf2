"""A study's folder: one plan, one writer, results that are whole or absent."""

import errno
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from survlspin.errors import InputError
from survlspin.store import Store, StoreFolder
from survlspin.store.files import TEMPORARY, seal_json
from survlspin.store.lock import Holder, holder_of
from survlspin.store.plan import differences

PLAN = {
    "data": {"rows": 686, "fingerprint": "1a2b3c4d" * 8},
    "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
    "seeds": [0, 1],
    "tuning": None,
    "models": {"LSPIN": {"lam": 0.1}},
}
ARRAYS, FACTS = {"risk": np.arange(6, dtype=np.float32).reshape(2, 3)}, {"model": "LSPIN", "C": 0.1 + 0.2}
NOBODY = 65534


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(result):
    arrays, facts = result
    return facts == FACTS and arrays["risk"].tobytes() == ARRAYS["risk"].tobytes()


def plan(**changes):
    return {**PLAN, **changes}


def test_a_new_store_is_its_owners_alone(folder):
    with Store.open(folder / "deep", PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
        store.put_json("job", {})
        store.mark("unit")
        store.checkpoints("unit")
        store.journal("LSPIN").touch()
        modes = {
            path.is_dir(): path.stat().st_mode & 0o777 for path in store.folder.rglob("*") if path.suffix != ".journal"
        }
        assert modes == {True: 0o700, False: 0o600}
        assert store.folder.stat().st_mode & 0o777 == 0o700
        assert (store.plan, store.succeeded) == (PLAN, None)
    assert store.holder is None


def test_a_relative_folder_stays_where_it_was(folder, monkeypatch):
    folder.mkdir()
    monkeypatch.chdir(folder)
    with Store.open("study", PLAN) as store:
        monkeypatch.chdir(folder.parent)
        store.save("unit", ARRAYS, FACTS)
    assert (folder / "study" / "units" / "unit.safetensors").exists()


def test_a_key_is_all_that_decides_and_no_order(folder):
    key = Store.key({"seed": 1, "model": {"a": 1, "b": 2}})
    assert key == Store.key({"model": {"b": 2, "a": 1}, "seed": np.int64(1)})
    assert key != Store.key({"model": {"b": 2, "a": 1}, "seed": 2})
    assert (len(key), set(key) <= set("0123456789abcdef")) == (32, True)


def test_results_come_back(folder):
    with Store.open(folder, PLAN) as store:
        assert (store.has("unit"), store.load("unit"), store.keys()) == (False, None, [])
        store.save("unit", ARRAYS, FACTS)
        assert (store.has("unit"), store.keys()) == (True, ["unit"])
        store.put_arrays("folds", {"train": np.arange(3)})
        store.put_json("job", {"data": "a.csv", "n": np.int64(3)})
    store = Store.read(folder)
    assert same(store.load("unit"))
    assert store.get_arrays("folds")[0]["train"].tolist() == [0, 1, 2]
    assert store.get_json("job") == {"data": "a.csv", "n": 3}
    assert (store.get_json("none"), store.get_arrays("none")) == (None, None)
    assert store.plan == PLAN


def test_the_order_of_the_plan_is_kept(folder):
    models = {"z": 1, "a": 2, "m": 3}
    with Store.open(folder, plan(models=models)):
        pass
    assert list(Store.read(folder).plan["models"]) == ["z", "a", "m"]


def test_workers_get_the_folder_without_the_lock(folder):
    with Store.open(folder, PLAN) as store:
        worker = pickle.loads(pickle.dumps(store))
        assert type(worker) is StoreFolder
        worker.save("unit", ARRAYS, FACTS)
        assert same(store.load("unit"))
        del worker
        assert store.holder.alive


def test_two_runs_on_one_store_the_second_is_refused(folder):
    with Store.open(folder, PLAN):
        before = files(folder)
        with pytest.raises(InputError, match=r"^SL-357 .*study is in use by this process"):
            Store.open(folder, PLAN)
        assert files(folder) == before
        assert Store.read(folder).holder.pid == os.getpid()


def test_the_lock_is_released_whatever_happens(folder):
    with pytest.raises(KeyboardInterrupt), Store.open(folder, PLAN):
        raise KeyboardInterrupt
    with pytest.raises(InputError, match="SL-356"):
        Store.open(folder, plan(seeds=[3]))
    assert not (folder / "lock.json").exists()
    with Store.open(folder, PLAN):
        pass


def test_another_study_is_refused_and_every_difference_named(folder):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
    before = files(folder)
    asked = plan(data={"rows": 685, "fingerprint": "1a2b3c4e" * 8}, versions={"torch": "2.12.1"}, seeds=[0, 2])
    with pytest.raises(InputError) as caught:
        Store.open(folder, asked)
    assert str(caught.value) == (
        f"SL-356 {folder} holds another study. data rows: 686, here 685; data fingerprint: 1a2b3c4d..., here "
        "1a2b3c4e...; versions torch: 2.13.0, here 2.12.1; versions numpy: 2.4.6, here nothing; seeds 2: 1, here 2. "
        "Name a new folder, or use the data, versions and settings of this one."
    )
    assert files(folder) == before


def test_models_may_come_and_go(folder):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
    with Store.open(folder, plan(models={"Cox": {}}, units={"a": 1})) as store:
        assert same(store.load("unit"))
    assert Store.read(folder).plan["models"] == {"Cox": {}}


@pytest.mark.parametrize(
    ("stored", "asked", "said"),
    [
        ({"a": 1}, {"a": 1.0}, ["a: 1, here 1.0"]),
        ({"a": 1}, {}, ["a: 1, here nothing"]),
        ({}, {"a": {"b": 1}}, ['a: nothing, here {"b": 1}']),
        ({"a": [1, 2]}, {"a": [1]}, ["a: 2 entries, here 1"]),
        ({"a": None}, {"a": {"n": 50}}, ['a: null, here {"n": 50}']),
        ({"a": "x" * 60 + "1"}, {"a": "x" * 60 + "2"}, ["a: ...xxxx1, here ...xxxx2"]),
        ({"a": "x" * 60}, {"a": "y" * 60}, [f"a: {'x' * 40}..., here {'y' * 40}..."]),
        ({"a": "b" * 62 + "11"}, {"a": "b" * 62 + "12"}, ["a: ...bbb11, here ...bbb12"]),
        ({"a": "x" * 41}, {"a": "x" * 60}, ["a: ...xxxx, here ...xxxx" + "x" * 19]),
        ({"models": 1, "units": 2}, {"models": 3}, []),
    ],
    ids=range(10),
)
def test_differences_are_short_and_to_be_seen(stored, asked, said):
    assert differences(stored, asked) == said


@pytest.mark.parametrize(("code", "made", "can"), [("SL-359", 3, "up to 2"), ("SL-392", 1, "2 alone")])
def test_a_store_of_another_format_is_refused_with_both_versions(folder, code, made, can):
    with Store.open(folder, PLAN):
        pass
    path = folder / "plan.json"
    other = f'"format": {made}'.encode()
    path.write_bytes(path.read_bytes().replace(b'"format": 2', other).replace(b'"0.1.0"', b'"9.8.7"'))
    before = files(folder)
    said = rf"{code} the store is of format {made}, written by survlspin 9\.8\.7; this version \(.*\) reads {can}\."
    for open_ in (Store.read, lambda place: Store.open(place, PLAN)):
        with pytest.raises(InputError, match=said):
            open_(folder)
    assert files(folder) == before


@pytest.mark.parametrize("names", [["thesis.tex"], ["units/a"], ["running/a", ".survlspin-a"], ["lock.json", "b"]])
def test_a_folder_of_something_else_is_refused_and_left_alone(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    before = files(folder)
    with pytest.raises(InputError, match=r"SL-355 .* is no store and holds other files \(.*\)\. Name a new folder"):
        Store.open(folder, PLAN)
    with pytest.raises(InputError, match=r"SL-355 .* is no store: it has no plan"):
        Store.read(folder)
    assert files(folder) == before


def test_a_plan_of_something_else_or_damaged_is_refused_and_left_alone(folder):
    folder.mkdir()
    (folder / "running").mkdir()
    (folder / "running" / "mine").write_text("mine")
    for content in ('{"holidays": []}', "", "\0" * 500):
        (folder / "plan.json").write_text(content)
        before = files(folder)
        for open_ in (Store.read, lambda place: Store.open(place, PLAN)):
            with pytest.raises(InputError, match=r"SL-360 .*plan.json is damaged, or no store's\. Put back a copy"):
                open_(folder)
        assert files(folder) == before


def test_files_and_folders_that_are_not_there(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "in"):
        with pytest.raises(InputError, match=r"SL-355 .* is a file, or lies in one"):
            Store.open(place, PLAN)
        with pytest.raises(InputError, match=r"SL-355 .* is no store"):
            Store.read(place)
    with pytest.raises(InputError, match=r"SL-355 .* is no store"):
        Store.read(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with Store.open(tmp_path / "empty", PLAN) as store:
        assert store.plan == PLAN


def test_units_can_move_into_a_new_store(folder, tmp_path):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
    (folder / "plan.json").write_text("damaged")
    with Store.open(tmp_path / "new", PLAN) as store:
        shutil.copytree(folder / "units", store.folder / "units", dirs_exist_ok=True)
        assert same(store.load("unit"))


DAMAGES = {
    "empty": lambda raw: b"",
    "cut": lambda raw: raw[:-2],
    "flipped": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "pickle": lambda raw: pickle.dumps(raw),
    "another unit's bytes before": lambda raw: raw + raw,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_damaged_files_are_set_aside_and_counted(folder, damage):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
        store.put_json("job", {"a": 1})
        for name in ("units/unit.safetensors", "job.json"):
            path = folder / name
            path.write_bytes(damage(path.read_bytes()))
        assert store.damaged == 0
        reader = Store.read(folder)
        assert (reader.load("unit"), reader.damaged) == (None, 1)  # which sets nothing aside
        assert store.has("unit")
        assert store.load("unit") is None
        assert store.get_json("job") is None
        assert (store.damaged, reader.damaged, StoreFolder(folder).damaged) == (2, 2, 2)
        assert (store.has("unit"), store.keys()) == (False, [])
        assert {path.name for path in folder.rglob("*.damaged")} == {"unit.safetensors.damaged", "job.json.damaged"}
        store.save("unit", ARRAYS, FACTS)
        assert same(store.load("unit"))


def test_the_file_of_another_unit_is_not_believed(folder):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
        shutil.copy(folder / "units" / "unit.safetensors", folder / "units" / "other.safetensors")
        assert store.load("other") is None
        store.put_arrays("folds", ARRAYS, FACTS)
        shutil.copy(folder / "folds.safetensors", folder / "units" / "third.safetensors")
        assert store.load("third") is None
        assert (store.damaged, store.keys()) == (2, ["unit"])
        assert same(store.load("unit"))


def test_a_file_that_cannot_be_read_is_an_error(folder):
    with Store.open(folder, PLAN) as store:
        (folder / "units" / "unit.safetensors").mkdir()
        with pytest.raises(InputError, match=r"^SL-360 .*unit\.safetensors cannot be read: Is a directory"):
            store.load("unit")
    shutil.rmtree(folder)
    (folder / "plan.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"^SL-360 .*plan\.json cannot be read: Is a directory"):
        Store.open(folder, PLAN)


def test_markers_say_who_is_at_what(folder):
    with Store.open(folder, PLAN) as store:
        store.mark("a")
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        (folder / "running" / "b.json").write_bytes(seal_json({**Holder.me().to_dict(), "pid": gone.pid}))
        (folder / "running" / "c.json").write_bytes(seal_json({**Holder.me().to_dict(), "host": "elsewhere"}))
        (folder / "running" / "d.json").write_bytes(seal_json({"pid": 1}))
        assert {key: holder.alive for key, holder in store.marked().items()} == {"a": True, "b": False, "c": None}
        assert store.marked()["a"].pid == os.getpid()
        store.unmark("a")
        store.unmark("a")
        assert sorted(store.marked()) == ["b", "c"]
    with Store.open(folder, PLAN) as store:
        assert store.marked() == {}


def test_checkpoints_and_journals_have_places(folder):
    with Store.open(folder, PLAN) as store:
        (store.checkpoints("a") / "1").touch()
        assert store.checkpoints("a") == folder / "checkpoints" / "a"
        assert [path.name for path in store.checkpoints("a").iterdir()] == ["1"]
        store.forget("a")
        store.forget("a")
        assert list((folder / "checkpoints").iterdir()) == []
        names = ("LSPIN", "lspin", "a/b", "a%2Fb", "..", "x" * 300, "x" * 301, "π", "")
        journals = [store.journal(name) for name in names]
        for path in journals:
            path.touch()
        assert {path.parent for path in journals} == {folder / "tuning"}
        assert len({path.name.lower() for path in journals}) == len(names)


def test_opening_removes_what_killed_processes_left(folder):
    with Store.open(folder, PLAN) as store:
        store.save("done", ARRAYS, FACTS)
        store.mark("half")
        for key in ("done", "half"):
            (store.checkpoints(key) / "1").touch()
        for place in (".", "units", "tuning", "checkpoints/half"):
            (folder / place / f"{TEMPORARY}x").touch()
        before = files(folder)
    with Store.open(folder, PLAN) as store:
        left = before.keys() - files(folder).keys()
    assert left == {
        *(f"{place}{TEMPORARY}x" for place in ("", "units/", "tuning/", "checkpoints/half/")),
        "running/half.json",
        "checkpoints/done/1",
    }


def test_a_reader_writes_nothing(folder):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
    before = files(folder)
    reader = Store.read(folder)
    writes = [
        lambda: reader.save("unit", ARRAYS, {}),
        lambda: reader.put_json("job", 1),
        lambda: reader.put_arrays("folds", {}),
        lambda: reader.mark("unit"),
        lambda: reader.unmark("unit"),
        lambda: reader.forget("unit"),
    ]
    for write in writes:
        with pytest.raises(InputError, match=r"SL-361 .* cannot be written: the store was opened for reading"):
            write()
    assert not reader.journal("LSPIN").exists()
    assert not reader.checkpoints("other").exists()
    assert not pickle.loads(pickle.dumps(reader)).writable
    assert files(folder) == before


@contextmanager
def unprivileged(*folders):
    """Act as somebody whom modes of files stop; root owns nothing then."""
    if os.geteuid():
        yield
        return
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_written_keeps_everything():
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "study")
        with Store.open(folder, PLAN) as store:
            store.save("unit", ARRAYS, FACTS)
        before = files(folder)
        with unprivileged(Path(place)):
            for path in (folder, folder / "units"):
                path.chmod(0o500)
            with pytest.raises(InputError, match=r"^SL-361 .*lock\.json cannot be written: Permission denied"):
                Store.open(folder, PLAN)
            with pytest.raises(InputError, match=r"^SL-361 .*unit\.safetensors cannot be written: Permission denied"):
                StoreFolder(folder).save("unit", ARRAYS, {})
            with pytest.raises(InputError, match=r"^SL-361 .*new cannot be written: Permission denied"):
                Store.open(folder / "new", PLAN)
            assert same(Store.read(folder).load("unit"))
            for path in (folder, folder / "units"):
                path.chmod(0o700)
        assert files(folder) == before


def test_a_folder_that_becomes_read_only_does_not_hide_why_it_was_left(folder, monkeypatch):
    def read_only(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    store = Store.open(folder, PLAN)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", read_only)
        with pytest.raises(InputError, match=r"SL-361 .*a\.json cannot be written: Read-only"), store:
            store.unmark("a")


@contextmanager
def files_limited_to(size):
    """Let no file of this process grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_everything(folder):
    with Store.open(folder, PLAN) as store:
        store.save("unit", ARRAYS, FACTS)
        with files_limited_to(4096):
            for write in (store.save, store.put_arrays):
                with pytest.raises(InputError, match=r"SL-361 .*unit.* cannot be written: File too large. What was"):
                    write("unit", {"a": np.zeros(10_000)}, {})
        assert same(store.load("unit"))
    assert files(folder).keys() == {"plan.json", "lock.guard", "units/unit.safetensors"}


def fill(path):
    path.write_bytes(bytes(shutil.disk_usage(path.parent).free))


def test_a_small_disk_that_is_full_keeps_everything(tmp_path):
    """As above on a file system of 1 MB, where one may be mounted."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        with Store.open(tmp_path / "study", PLAN) as store:
            store.save("unit", ARRAYS, FACTS)
            with pytest.raises(InputError, match=r"^SL-361 .*unit.* cannot be written: No space left on device"):
                store.save("unit", {"a": np.zeros(200_000)}, {})
            fill(tmp_path / "filler")
            for write in (lambda: store.mark("unit"), lambda: store.put_json("job", 1)):
                with pytest.raises(InputError, match="SL-361"):
                    write()
            assert same(store.load("unit"))
        fill(tmp_path / "more")  # where the lock was
        with pytest.raises(InputError, match=r"^SL-361 .*lock\.json cannot be written: No space left on device"):
            Store.open(tmp_path / "study", PLAN)
        (tmp_path / "filler").unlink()
        with Store.open(tmp_path / "study", PLAN) as store:
            assert same(store.load("unit"))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


BUSY = """
import os, sys
import numpy as np
from survlspin.store import Store

def work():
    with Store.open(sys.argv[1], {"data": 1}) as store:
        n = 0
        while True:
            n += 1
            store.mark("unit")
            store.save("unit", {"a": np.full(20_000, n)}, {"n": n})
            store.put_json("job", {"n": [n] * 500})
            store.unmark("unit")
            if n == 1:
                print(os.getpid(), flush=True)

for line in sys.stdin:
    if not (child := os.fork()):
        work()
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def test_killed_at_any_instant_the_store_opens_and_all_in_it_is_whole(folder):
    rng, left = np.random.default_rng(0), {"plan.json", "lock.json", "lock.guard", "job.json", "unit.safetensors"}
    with subprocess.Popen([sys.executable, "-c", BUSY, str(folder)], stdin=-1, stdout=-1, text=True) as parent:
        for _ in range(6):
            print("begin", file=parent.stdin, flush=True)
            pid = int(parent.stdout.readline())
            time.sleep(0.05 * rng.random())
            os.kill(pid, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"
            with Store.open(folder, {"data": 1}) as store:
                assert store.succeeded.pid == pid
                assert store.damaged == 0
                arrays, facts = store.load("unit")
                assert (arrays["a"] == facts["n"]).all()
                assert len(store.get_json("job")["n"]) == 500
                assert {path.name for path in folder.rglob("*") if path.is_file()} == left


BARE = """
import sys
import numpy as np
from survlspin.store import Store
with Store.open(sys.argv[1], {"data": {"b": 1, "a": "\\u03c0"}}) as store:
    store.save(store.key({"x": 1, "model": "\\u03c0"}), {"b": np.arange(3), "a": np.eye(2)}, {"y": 1, "x": "\\u03c0"})
    store.put_json("job", {"text": "\\u03c0"})
    store.journal("\\u03c0").touch()
sys.stdout.write(str("torch" in sys.modules))
"""


def test_home_zone_and_language_change_no_byte_and_torch_is_not_loaded(tmp_path):
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    written = []
    for i, bare in enumerate(({}, {"TZ": "Pacific/Chatham", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "3"})):
        call = [sys.executable, "-c", BARE, str(tmp_path / str(i))]
        assert subprocess.run(call, capture_output=True, text=True, check=True, env={**path, **bare}).stdout == "False"
        written.append(files(tmp_path / str(i)))
    assert written[0] == written[1]
    assert len(written[0]) == 5


def test_the_lock_of_another_host_is_refused(folder):
    with Store.open(folder, PLAN):
        there = holder_of(folder / "lock.json")
    (folder / "lock.json").write_bytes(seal_json({**there.to_dict(), "host": "elsewhere"}))
    with pytest.raises(InputError, match=rf"^SL-358 .* on elsewhere .* delete {folder / 'lock.json'}\.$"):
        Store.open(folder, PLAN)
    assert Store.read(folder).holder.host == "elsewhere"
