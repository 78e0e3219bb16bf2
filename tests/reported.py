"""Invented patients, a model of them and a study of them, as reports are about."""

from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import invoke

from survlspin import job
from survlspin.estimators import CoxLLSPIN
from survlspin.report import page

LABELS = [f"patient-{i:03d}" for i in range(240)]
COLUMNS = ("--time", "months", "--event", "died", "--id", "id")
QUICK = ("--members", 1, "--points", 3, "--jobs", 1, "--skip", "lspin", "--skip", "deepsurv", "--skip", "forest")


@contextmanager
def sketched():
    """Figures of reports are not drawn, which would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "svg", lambda figure: "<svg></svg>")
        yield


def patients(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = len(LABELS)
    age, size = rng.normal(60, 10, n).round(1), rng.normal(20, 5, n).round(2)
    grade = rng.choice(["I", "II", "III", "Unknown"], n, p=[0.3, 0.45, 0.22, 0.03])
    time = np.ceil(rng.exponential(80 * np.exp(-0.06 * (age - 60) - 0.1 * (size - 20)))).clip(1, 100)
    died = ((time < 100) & (rng.random(n) < 0.8)).astype(int)
    return pd.DataFrame({"id": LABELS, "age": age, "size": size, "grade": grade, "months": time, "died": died})


def written(folder: Path, seed: int = 1) -> Path:
    path = folder / f"patients{seed}.csv"
    patients(seed).to_csv(path, index=False)
    return path


def said(*arguments) -> str:
    code, output = invoke(*arguments)
    assert code == 0, output
    return output


@cache
def fitted(folder: Path, *options) -> Path:
    """A folder of `survlspin fit`."""
    said("fit", "--data", written(folder), *COLUMNS, "--model", "CoxPH", "--out", folder / "fit", *options)
    return folder / "fit"


@cache
def studied(folder: Path) -> Path:
    """A store of `survlspin run`."""
    store, out = folder / "store", folder / "out"
    with pytest.MonkeyPatch.context() as patch:  # nets that are trained for a moment, and no pictures
        patch.setattr("matplotlib.figure.Figure.savefig", lambda self, path, **more: path.touch())
        patch.setattr(job, "CoxLLSPIN", partial(CoxLLSPIN, epochs=3))
        text = said("run", "--data", written(folder), *COLUMNS, *QUICK, "--folds", 3, "--store", store, "--out", out)
    (folder / "said.txt").write_text(text, encoding="utf-8")
    return store
