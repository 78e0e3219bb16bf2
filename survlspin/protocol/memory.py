"""How much memory a comparison will need, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import psutil
from joblib.parallel import get_active_backend
from pandas.api.types import is_numeric_dtype

from ..errors import InputError
from ..outcome import Outcome
from .unit import Unit

__all__ = ["Need", "check_memory", "free_memory", "need_of"]

PROCESS = 450e6  # a process with this package and PyTorch loaded
POINTS = 50  # of a path whose method decides on their number
COPIES = 8  # of the design, as float32, while a model is trained or asked: of rows, columns, activations
GB = 1e9
MEMBERSHIP, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
FILES = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}  # versions 2 and 1


@dataclass(frozen=True)
class Need:
    """An estimate, bytes.

    Attributes
    ----------
    process : float
        Each process that fits.
    results : float
        All results together, in the process that asked for them.
    n_jobs : int
        Processes on this machine.
    """

    process: float
    results: float
    n_jobs: int

    @property
    def total(self) -> float:
        return self.process * self.n_jobs + self.results


def need_of(units: Sequence[Unit], X, n_jobs: int | None = None, outcome: Outcome | None = None) -> Need:
    """Estimate what fitting the units takes on this machine; a cluster's workers are not counted.

    Without the outcome, each row is taken to have a time of its own.
    """
    columns = _columns(X)
    n_times = len(X) if outcome is None else len(np.unique(outcome.time[outcome.event != 0]))
    sizes = [_result(unit, X.shape[1], n_times) for unit in units]
    rows = max(len(unit.fold.train) + len(unit.fold.validation) + len(unit.fold.listed) for unit in units)
    local = type(get_active_backend()[0]).__module__.startswith("joblib._parallel")
    processes = min(joblib.effective_n_jobs(n_jobs), len(units)) if local else 0
    own = PROCESS if processes > 1 else 0.0  # the process that asked is there already
    return Need(own + COPIES * 4 * rows * columns + max(sizes), sum(sizes), processes)


def free_memory() -> float:
    """Return the bytes that this machine, its container or batch job, and the limit of this process leave."""
    free = [float(psutil.virtual_memory().available), *_left_by_groups()]
    if hasattr(psutil, "RLIMIT_AS"):
        process = psutil.Process()
        soft, _ = process.rlimit(psutil.RLIMIT_AS)
        if soft != psutil.RLIM_INFINITY:
            free.append(float(soft - process.memory_info().vms))
    return min(free)


def check_memory(need: Need) -> None:
    """Refuse what will not fit (SL-365)."""
    free = free_memory()
    if need.total <= free:
        return
    fits = int((free - need.results) // need.process) if need.process else 0
    remedy = f"Use fewer processes: n_jobs={fits}." if 0 < fits < need.n_jobs else "Use fewer rows, models or points."
    found = f"{need.n_jobs} process{'' if need.n_jobs == 1 else 'es'} of {need.process / GB:.1f} GB"
    raise InputError(
        "SL-365",
        f"this needs about {need.total / GB:.1f} GB ({found}, results {need.results / GB:.1f} GB), and "
        f"{free / GB:.1f} GB are free.",
        remedy,
    )


def _columns(X) -> int:
    """Return how many columns the design has, at most."""
    if not isinstance(X, pd.DataFrame):
        return X.shape[1]
    return sum(1 if is_numeric_dtype(column.dtype) else column.nunique() for _, column in X.items())


def _result(unit: Unit, n_factors: int, n_times: int) -> float:
    """Return the bytes of a fit: risk, influence, factors and hazard of every point, or probabilities of one."""
    points = 1 if not unit.path else unit.points or POINTS
    single, test = np.dtype(np.float32).itemsize, len(unit.fold.test)
    hazard = 0 if unit.horizons else 2 * single * min(n_times, len(unit.fold.train) + len(unit.fold.validation))
    point = 2 * single * test + len(unit.fold.listed) * -(-n_factors // 8) + hazard
    return points * point + single * test * len(unit.horizons)


def _left_by_groups(membership: Path = MEMBERSHIP, root: Path = CGROUPS) -> Iterator[float]:
    """Yield what each control group that this process is in leaves of its limit, if it has one."""
    with suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            top = root / "memory" if "memory" in controllers.split(",") else root
            inner = top / name.lstrip("/")
            for folder in (inner, *inner.parents):
                for limit, used in FILES.items() if folder.is_relative_to(top) else ():
                    with suppress(OSError, ValueError):  # it is not there, or "max"
                        most, now = float((folder / limit).read_text()), float((folder / used).read_text())
                        yield most - now + _cached(folder)


def _cached(folder: Path) -> float:
    """Return the bytes of files that a group holds and would give back."""
    entries = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return float(entries.get("total_inactive_file", entries.get("inactive_file", 0)))
