import json
import os

import numpy as np
import pandas as pd
import pytest
from seer.exports import dic_bytes, listing, written

from survlspin.errors import InputError
from survlspin.seer import cache, open_export, read_export, reader

TABLE = listing(60)


@pytest.fixture
def source(tmp_path):
    path = written(TABLE, tmp_path)
    path.write_bytes(path.read_bytes() + b"cut")
    return open_export(path)


def read(source, folder, monkeypatch=None, **how):
    """Read through the cache; with `monkeypatch`, without parsing."""
    if monkeypatch is not None:
        monkeypatch.setattr(reader, "blocks", None)
    return source.read(cache=folder, max_quarantine=0.1, **how)


def same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.quarantine, other.quarantine)
    np.testing.assert_array_equal(one.lines, other.lines)
    assert (one.formats, one.unformatted) == (other.formats, other.unformatted)
    assert json.dumps(one.facts) == json.dumps(other.facts)


def test_the_copy_is_what_was_read(source, tmp_path, monkeypatch):
    fresh = source.read(max_quarantine=0.1)
    folder = tmp_path / "new" / "cache"
    same(read(source, folder), fresh)
    [copy] = folder.iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    same(read(source, folder, monkeypatch), fresh)


def test_too_many_broken_lines_are_too_many_in_a_copy(source, tmp_path, monkeypatch):
    read(source, tmp_path / "cache")
    monkeypatch.setattr(reader, "blocks", None)
    with pytest.raises(InputError, match="SL-570"):
        source.read(cache=tmp_path / "cache")


def test_copies_of_other_columns_other_files_and_other_settings_are_others(source, tmp_path):
    folder, path = tmp_path / "cache", source.path
    read(source, folder)
    read(source, folder, names=["Sex"])
    assert len(list(folder.iterdir())) == 2
    read(open_export(path, encoding="latin-1"), folder)
    assert len(list(folder.iterdir())) == 3
    (tmp_path / "export.dic").write_bytes(dic_bytes(more=["Var2DisplayType=Unformatted"]))
    assert read(open_export(path), folder).unformatted == {"Sex"}
    assert len(list(folder.iterdir())) == 4
    path.write_bytes(path.read_bytes().replace(b"  Male", b"  Female"))
    assert set(read(open_export(path), folder).table["Sex"]) == {"Female"}
    assert len(list(folder.iterdir())) == 5


def test_the_name_of_the_file_is_that_of_today(source, tmp_path, monkeypatch):
    read(source, tmp_path / "cache")
    for name in ("export.txt", "export.dic"):
        (tmp_path / name).rename(tmp_path / name.replace("export", "renamed"))
    found = read(open_export(tmp_path / "renamed.txt"), tmp_path / "cache", monkeypatch)
    assert found.facts["file"] == "renamed.txt"


@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_a_damaged_copy_is_read_anew(source, tmp_path, engine):
    folder = tmp_path / "cache"
    fresh = read(source, folder, engine=engine)
    [copy] = folder.iterdir()
    whole = copy.read_bytes()
    for damaged in (b"", b"PAR1", whole[:-100], whole[: len(whole) // 2], b"no parquet at all" * 99):
        copy.write_bytes(damaged)
        same(read(source, folder, engine=engine), fresh)
        assert copy.read_bytes() == whole
    rng = np.random.default_rng(0)
    for at in rng.choice(len(whole), 30, replace=False):
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << int(rng.integers(8))]) + whole[at + 1 :])
        same(read(source, folder, engine=engine), fresh)


def test_a_copy_that_cannot_be_written_is_an_error(source, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="SL-575"):
        read(source, tmp_path / "file" / "cache")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.pq, "write_table", full)
    with pytest.raises(InputError, match=r"SL-575 .*No space left"):
        read(source, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []


def test_a_file_that_changes_while_it_is_read_is_kept_as_what_was_read(source, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "digest", lambda path: "of an earlier content")
    fresh = read(source, tmp_path / "cache")
    monkeypatch.undo()
    same(read(source, tmp_path / "cache", monkeypatch), fresh)


def test_read_export_takes_all_of_it(source, tmp_path):
    found = read_export(
        source.path, ["Sex"], cache=tmp_path / "cache", max_quarantine=0.1, engine="polars", delimiter="tab"
    )
    assert list(found.table) == ["Sex"]
