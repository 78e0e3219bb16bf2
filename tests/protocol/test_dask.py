"""The same numbers from one process, from joblib's own engine and from a cluster; and a cluster's dead workers."""

import joblib
import pytest
from distributed import Client, LocalCluster
from labour import Labour, fits, numbers, people
from optuna.distributions import FloatDistribution

from survlspin import CoxLLSPIN, CoxPH
from survlspin.errors import InputError
from survlspin.folds import External, TrainOneTestNine
from survlspin.protocol import Tuning, read_runs, run
from survlspin.synthetic import registry

N = 2600  # rows: X has more than the megabyte from which joblib shares an array read-only
MODELS = {"LLSPIN": CoxLLSPIN(epochs=1), "cox": CoxPH(penalizer=0.01)}
ASKED = {
    "cv": TrainOneTestNine(3, validation=0.3),
    "over": {"LLSPIN": {"lam": "path", "points": 2}},
    "tune": Tuning(n_trials=2, spaces={"cox": {"penalizer": FloatDistribution(0.01, 0.1)}}),
}


@pytest.fixture(scope="module")
def data():
    X, y, _ = registry(N, random_state=0)
    assert X.to_numpy().nbytes > 1e6
    return X, y


@pytest.fixture(scope="module")
def cluster(forked):
    """Two worker processes of one thread each."""
    asked = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**asked, silence_logs=50) as cluster, Client(cluster):
        yield cluster


@pytest.fixture(scope="module")
def alone(data):
    return numbers(run(MODELS, *data, **ASKED))


def test_four_processes_find_what_one_finds(data, alone, forked):
    with joblib.parallel_config(backend="loky"):
        assert numbers(run(MODELS, *data, **ASKED, n_jobs=4)) == alone


@pytest.mark.parametrize("kept", [True, False], ids=["store", "memory"])
def test_a_cluster_finds_what_one_process_finds(data, alone, cluster, tmp_path, kept):
    with joblib.parallel_config(backend="dask"):
        found = run(MODELS, *data, **ASKED, store=tmp_path / "study" if kept else None)
    assert numbers(found) == alone
    if kept:
        assert numbers(read_runs(tmp_path / "study")) == alone


def test_a_dead_worker_of_a_cluster(cluster, tmp_path):
    counts, store = tmp_path / "counts", tmp_path / "study"
    counts.mkdir()
    X, y = people()
    cv = External([i >= len(X) // 2 for i in range(len(X))])
    behaviour = {"good": "work", "once": "die once", "deadly": "die", "other": "work more"}
    models = {name: Labour(counts, does) for name, does in behaviour.items()}
    named = r"SL-364 the process of deadly on fold external with seed \d+ died twice"
    with joblib.parallel_config(backend="dask"), pytest.raises(InputError, match=named):
        run(models, X, y, cv=cv, store=store)
    read = read_runs(store)
    counted = fits(counts)
    assert [counted[f"{does}-{read.fits[0].seed}"] for does in ("die once", "die")] == [2, 2]
    assert [fit.model for fit in read.fits] == ["good", "once", "other"]
