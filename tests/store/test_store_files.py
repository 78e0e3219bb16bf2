"""Sealed files: they come back bit for bit, and nothing that is not as it was written is believed."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from survlspin.errors import InputError
from survlspin.store.files import (
    TEMPORARY,
    Damaged,
    canonical,
    seal_arrays,
    seal_json,
    unseal_arrays,
    unseal_json,
    write,
)

ARRAYS = {
    "risk": np.array([[0.1, -np.inf], [np.nan, 3.0]], dtype=np.float32),
    "rows": np.arange(3),
    "used": np.array([[255], [1]], dtype=np.uint8),
    "flags": np.array([True, False]),
    "one": np.array(2.5),
    "none": np.empty((2, 0)),
}
FACTS = {"model": "LSPIN (π)", "seconds": 0.1 + 0.2, "points": [1, None, True], "text": '"survlspin":"'}
JSON = {"b": [1, 2.5, None, "π"], "a": {"x": 0.1 + 0.2}}


def flips(raw):
    """Every file that differs from this one in one bit."""
    for i in range(len(raw)):
        for bit in range(8):
            other = bytearray(raw)
            other[i] ^= 1 << bit
            yield bytes(other)


def test_arrays_and_facts_come_back_bit_for_bit():
    arrays, facts = unseal_arrays(bytes(seal_arrays(ARRAYS, FACTS)))
    assert facts == FACTS
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()
        assert arrays[name].flags.writeable


def test_the_order_of_memory_does_not_count():
    table = np.arange(6.0).reshape(2, 3)
    assert seal_arrays({"a": np.asfortranarray(table)}, {}) == seal_arrays({"a": table}, {})
    assert np.array_equal(unseal_arrays(bytes(seal_arrays({"a": table.T}, {})))[0]["a"], table.T)
    assert np.array_equal(unseal_arrays(bytes(seal_arrays({"a": table.astype(">f8")}, {})))[0]["a"], table)


def test_the_same_content_is_the_same_bytes():
    assert seal_arrays(dict(reversed(ARRAYS.items())), dict(reversed(FACTS.items()))) == seal_arrays(ARRAYS, FACTS)


def test_any_reader_of_safetensors_opens_the_file():
    assert np.array_equal(load(bytes(seal_arrays(ARRAYS, FACTS)))["rows"], ARRAYS["rows"])


@pytest.mark.parametrize(
    "array", [np.array(["text"]), np.array([{}]), np.array(["2020"], "M8[D]")], ids=["U", "O", "M"]
)
def test_only_numbers_and_flags_are_kept(array):
    with pytest.raises(TypeError, match="arrays of numbers only, not other"):
        seal_arrays({**ARRAYS, "other": array}, {})


def test_arrays_with_any_bit_flipped_or_cut_at_any_byte_are_damaged():
    raw = bytes(seal_arrays({"a": np.arange(3.0), "b": np.array([True])}, {"seed": 7}))
    for other in [*flips(raw), *(raw[:n] for n in range(len(raw))), raw + b"\0"]:
        with pytest.raises(Damaged):
            unseal_arrays(other)


def test_json_with_any_bit_flipped_or_cut_at_any_byte_is_damaged_or_says_the_same():
    raw = seal_json(JSON)
    believed, others = [], []
    for other in [raw, *flips(raw), *(raw[:n] for n in range(len(raw))), raw + b"x"]:
        try:
            believed.append(unseal_json(other))
        except Damaged:
            continue
        except InputError as error:
            others.append(error.code)
    assert all(content == JSON for content in believed)  # "\u03C0" is "\u03c0"
    assert len(believed) < 10
    assert sorted(others) == ["SL-359", "SL-359", "SL-392"]  # format 2 with a bit flipped: 3, 6 and 0


ENDLESS = b'{"sha256": 1, "format": 1e999, "version": 1}'


@pytest.mark.parametrize("raw", [ENDLESS, b"", b"[]", b"3", b"null", b'{"content": 1}', b"\xff", b"[" * 100_000])
def test_other_json_is_damaged(raw):
    with pytest.raises(Damaged):
        unseal_json(raw)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


def test_a_pickle_is_never_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for raw in (pickle.dumps(Trap()), pickle.dumps(np.arange(3)) * 9):
        with pytest.raises(Damaged):
            unseal_arrays(raw)
        with pytest.raises(Damaged):
            unseal_json(raw)
    assert os.listdir() == []


def test_a_newer_format_is_refused_with_both_versions():
    newer = json.dumps({"format": 3, "version": "7.3", "sha256": "made in another way", "content": 1})
    with pytest.raises(
        InputError, match=r"SL-359 the store is of format 3, written by survlspin 7\.3; this version \("
    ):
        unseal_json(newer.encode())


@given(st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.booleans())))
def test_canonical_json_knows_no_order(value):
    assert canonical(dict(reversed(value.items()))) == canonical(value)
    assert unseal_json(seal_json(value)) == value


def test_canonical_json_of_numpy_and_of_keys_that_are_numbers():
    assert canonical({"a": np.float64(0.5), "b": (np.int64(2), np.True_)}) == b'{"a":0.5,"b":[2,true]}'
    assert canonical({2: 0, 10: 0}) == canonical({"10": 0, "2": 0})
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        canonical({"a": object()})


def test_a_file_is_its_owners_alone_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "full")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, fail)
            with pytest.raises(InputError, match=r"SL-361 .*file cannot be written: full"):
                write(path, b"new")
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file"]


KILLED = """
import os, signal, sys
from pathlib import Path
from survlspin.store.files import write

def deadly(step, path, first):
    real = getattr(os, step)
    def die(*arguments):
        if first:
            real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(os, step, die)
    write(path, b"new")

for step, name, first in zip(*[iter(sys.argv[1:])] * 3):
    if not (child := os.fork()):
        deadly(step, Path(name, "file"), first == "after")
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


def test_killed_at_any_step_leaves_the_old_or_the_new_file(tmp_path):
    there = {
        ("close", "before"): b"old",
        ("fsync", "before"): b"old",
        ("fsync", "after"): b"old",
        ("replace", "before"): b"old",
        ("replace", "after"): b"new",
    }
    calls = []
    for step, when in there:
        folder = tmp_path / f"{step}-{when}"
        folder.mkdir()
        (folder / "file").write_bytes(b"old")
        calls += [step, str(folder), when]
    subprocess.run([sys.executable, "-c", KILLED, *calls], check=True)
    for (step, when), content in there.items():
        folder = tmp_path / f"{step}-{when}"
        assert (folder / "file").read_bytes() == content
        assert all(name == "file" or name.startswith(TEMPORARY) for name in os.listdir(folder))
