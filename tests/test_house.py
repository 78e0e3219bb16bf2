"""The rules of the house: what is loaded, what is shipped, what no file may hold."""

import ast
import importlib
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

import survlspin

ROOT = Path(__file__).parents[1]
LONGEST = 350
DATA = ("recipes", "codebooks")  # the folders of datasets/ whose files the wheel has
CODE = re.compile(r"SL-\d{3}")


@cache
def tracked(folder: str = ".") -> list[Path]:
    """The files under version control that are there."""
    names = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def modules() -> list[Path]:
    return [path for path in tracked("survlspin") if path.suffix == ".py"]


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout


def test_neither_the_package_nor_its_estimators_load_baselines_or_figures():
    seconds, package, estimators = python(
        "import sys, time, torch; t = time.perf_counter(); import survlspin; s = time.perf_counter() - t; "
        "loaded = lambda: [m for m in ('pycox', 'lifelines', 'sksurv', 'matplotlib', 'optuna') if m in sys.modules]; "
        "before = loaded(); survlspin.CoxLSPIN, survlspin.run, survlspin.split_xy, survlspin.tuning; "
        "print(s, before, loaded(), sep='|')"
    ).split("|")
    assert float(seconds) < 0.3
    assert package == estimators.strip() == "[]"


def test_the_command_answers_without_torch():
    code = "import sys, survlspin.cli; print([m for m in ('torch', 'pandas', 'sklearn') if m in sys.modules])"
    assert python(code).strip() == "[]"


def test_every_public_name_is_there():
    for name in survlspin.__all__:
        assert getattr(survlspin, name) is not None
    assert set(survlspin.__all__) <= set(dir(survlspin))
    assert survlspin.metrics is importlib.import_module("survlspin.metrics")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bsurvlspin\.([a-z_]+)(?=[.` ])", text)) <= set(survlspin.__all__)
    with pytest.raises(AttributeError, match="no attribute 'CoxLSPN'"):
        _ = survlspin.CoxLSPN


def test_files_are_short():
    long = {path.name: n for path in modules() if (n := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST}
    assert long == {}


def test_datasets_is_no_package():
    assert not list((ROOT / "datasets").rglob("*.py"))


def test_the_wheel_holds_the_tracked_files_and_no_other(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    members = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    code = {path.relative_to(ROOT).as_posix() for path in tracked("survlspin")}
    data = {path.relative_to(ROOT / "datasets") for kind in DATA for path in tracked(f"datasets/{kind}")}
    assert members == code | {f"survlspin/_data/{path.as_posix()}" for path in data}


def test_the_readme_begins_with_the_two_commands():
    blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    assert re.fullmatch(r"pip install \.\nsurvlspin run\n", blocks[0])
    assert re.fullmatch(r"pip install '\.\[test\]'\npytest .*\n", blocks[1])


def test_no_file_names_a_machine():
    places = "|".join(re.escape("/" + name + "/") for name in ("work", "root", "home", "tmp", "Users"))
    hits = []
    for path in tracked():
        if path.suffix in (".py", ".md", ".toml", ".R", ".json", ".cff", "") and path != Path(__file__):
            hits += [
                f"{path.name}: {hit}" for hit in re.findall(rf"(?<![\w.])(?:{places})\w*", path.read_text("utf-8"))
            ]
    assert hits == []


def test_every_code_has_a_test():
    strings = (
        node.value
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    codes = {text for text in strings if CODE.fullmatch(text)}
    tests = "".join(path.read_text(encoding="utf-8") for path in tracked("tests") if path.suffix == ".py")
    assert len(codes) > 50
    assert sorted(codes - set(CODE.findall(tests))) == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_print_no_assert_no_bare_except(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), node.lineno
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), node.lineno
        assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"), node.lineno
