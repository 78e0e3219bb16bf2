"""Worker processes that have the package from the start: a process that forks them loads it once."""

import multiprocessing
from multiprocessing import forkserver

import dask
import pytest
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend.context import set_start_method


@pytest.fixture(scope="module")
def forked():
    """joblib's own engine and Dask fork their workers from such a process."""
    multiprocessing.set_forkserver_preload(["distributed", "labour", "survlspin.protocol"])
    forkserver.ensure_running()
    set_start_method("forkserver", force=True)
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield
    get_reusable_executor().shutdown()  # other tests begin workers of their own, as users do
    set_start_method(None, force=True)
