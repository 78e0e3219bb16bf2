"""`survlspin verify`: which files of a model or a store are as they were written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import invoke

from survlspin.baselines import CoxLasso
from survlspin.storage import ARRAYS, MODEL
from survlspin.store import Store
from survlspin.testing.estimators import patients
from survlspin.train import checkpoint
from survlspin.verifying import verify

X, Y = patients()
MODELS = {name: f"model/{name}" for name in (MODEL, ARRAYS)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    CoxLasso(alpha=0.1).fit(X, Y).save(folder / "model")
    (folder / "fit.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("study") / "store"
    with Store.open(folder, {"models": ["a"]}) as opened:
        for i in range(3):
            key = opened.key({"unit": i})
            opened.save(key, {"risk": np.arange(4.0) + i}, {"fold": str(i)})
        opened.put_json("job", {"version": "1"})
        opened.put_arrays("folds", {"patient": np.arange(4)})
        opened.journal("a").write_text("{}\n")
        (opened.checkpoints(key) / "001.checkpoint").write_bytes(sealed(b"state"))
    (folder / "units" / ".survlspin-half").write_bytes(b"half")  # by a process that was killed
    shutil.copytree(model / "model", folder / "model")
    return folder


def sealed(content: bytes) -> bytes:
    return checkpoint.hashlib.sha256(content).digest() + content


@pytest.fixture
def copy(store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    return tmp_path / "store"


def told(folder, expected):
    """What the command says as JSON, its exit code, and the same as text."""
    code, text = invoke("verify", folder)
    again, output = invoke("verify", folder, "--json")
    assert code == again == expected
    return json.loads(output.splitlines()[-1]), " ".join(text.split())


def test_a_whole_model(model):
    for folder, kind in ((model, "a fitted model and its tables"), (model / "model", "a saved model")):
        report, text = told(folder, 0)
        assert report["kind"] == kind
        assert (report["files"], report["whole"], report["damaged"], report["fine"]) == (2, 2, [], True)
        assert "2 of 2 files are as they were written; damaged: 0. Nothing to mend." in text


@pytest.mark.parametrize("name", [MODEL, ARRAYS])
def test_a_damaged_model_is_exit_2_and_names_the_file(model, tmp_path, name):
    shutil.copytree(model, tmp_path / "copy")
    flip(tmp_path / "copy" / "model" / name)
    report, text = told(tmp_path / "copy", 2)
    assert report["damaged"] == [f"model/{name}"]
    assert [each["code"] for each in report["problems"]] == ["SL-543"]
    assert report["whole"] == (name == ARRAYS)  # of the arrays nothing can be told without the manifest
    assert f"damaged: model/{name}" in text


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_model_that_is_whole_and_cannot_be_loaded(model, tmp_path):
    shutil.copytree(model / "model", tmp_path / "copy")
    (tmp_path / "copy" / ARRAYS).unlink()
    report, _ = told(tmp_path / "copy", 2)
    assert (report["files"], report["whole"], report["unsealed"]) == (1, 0, [MODEL])
    assert [each["code"] for each in report["problems"]] == ["SL-541"]
    (tmp_path / "copy" / ARRAYS).symlink_to(model / "model" / ARRAYS)
    assert told(tmp_path / "copy", 2)[0]["problems"][0]["code"] == "SL-689"


def test_a_whole_store(store):
    report, text = told(store, 0)
    assert report["kind"] == "the store of a study"
    assert (report["files"], report["whole"], report["damaged"]) == (10, 9, [])  # 3 units, 2, plan, folds, job, 2
    assert [Path(name).parts[0] for name in report["unsealed"]] == ["tuning"]
    assert "9 of 10 files are as they were written" in text


def test_every_damaged_file_of_a_store_is_named_and_stays_where_it_is(copy):
    before = {path.relative_to(copy): path.stat().st_size for path in copy.rglob("*") if path.is_file()}
    units = sorted((copy / "units").glob("*.safetensors"))
    shutil.copy(units[0], units[1])  # another unit's
    for path in (units[2], copy / "job.json", *copy.rglob("*.checkpoint"), copy / "model" / ARRAYS):
        flip(path)
    report, text = told(copy, 2)
    names = [f"units/{units[1].name}", f"units/{units[2].name}", "job.json", f"model/{ARRAYS}"]
    assert set(names) < set(report["damaged"])
    assert len(report["damaged"]) == 5
    assert all(name in text for name in report["damaged"])
    assert {path.relative_to(copy): path.stat().st_size for path in copy.rglob("*") if path.is_file()} == before


def test_what_a_run_set_aside_is_damaged(copy):
    first = next((copy / "units").glob("*.safetensors"))
    first.rename(f"{first}.damaged")
    report, text = told(copy, 2)
    assert report["damaged"] == [f"units/{first.name}.damaged"]
    assert "SL-695 1 of 10 files" in text
    assert "survlspin resume computes again" in text


def test_what_is_neither_is_refused(tmp_path, copy):
    for folder in (tmp_path, tmp_path / "none", copy / "job.json"):
        assert "SL-694" in told_error(folder)
    flip(copy / "plan.json")
    assert "SL-360" in told_error(copy)


def told_error(folder) -> str:
    code, text = invoke("verify", folder, "--json")
    assert code == 2
    return text


def test_a_store_that_is_written_to_can_be_verified(copy):
    with Store.open(copy, {"models": ["a"]}) as opened:
        opened.mark(opened.key({"unit": 9}))
        assert verify(copy)["fine"]
