"""Kill -9 at random instants of a study, resume it, and compare every table byte for byte with an uninterrupted run.

The study tunes Cox-LLSPIN, Cox-LASSO and a forest on each of three folds of invented patients, fits the path of the
first two, and lasts some seconds. It runs once uninterrupted; then, for each of ``--kills`` instants spread over that
time, it is begun anew, killed with all its processes at that instant, and resumed in a new process to its end. Columns
of seconds are left out of the comparison.

    python examples/kill_and_resume.py --kills 20 --jobs 1 2
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pandas as pd

from survlspin import CoxLLSPIN, RepeatedKFold, Tuning, run
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH
from survlspin.synthetic import registry

TIMES = ["seconds"]
TRIALS, FOLDS, POINTS = 3, 3, 4


def study(store: Path, jobs: int, rows: int, epochs: int):
    """Run the study, or what is left of it."""
    X, y, _ = registry(rows, random_state=0)
    X.index = [f"patient {i}" for i in range(rows)]
    models = {
        "LLSPIN": CoxLLSPIN(epochs=epochs, gate_hidden=(4,)),
        "Cox-LASSO": CoxLasso(n_alphas=20),
        "Forest": Forest(n_estimators=10),
        "Cox PH": LifelinesCoxPH(),
    }
    over = {"LLSPIN": {"lam": "path", "points": POINTS}, "Cox-LASSO": {"lam": "path"}}
    how = {"cv": RepeatedKFold(FOLDS, 1), "over": over, "tune": Tuning(TRIALS), "store": store}
    return run(models, X.iloc[:, :6], y, **how, n_jobs=jobs, progress=False)


def write(runs, out: Path) -> None:
    """Write every table of a study without its times, and the risks of the test patients."""
    out.mkdir()
    tables = {
        "table": runs.table(),
        "points": runs.points(),
        "at_counts": runs.at_counts((1, 2, 3)),
        "curve": runs.curve().frame,
        "stability": runs.stability(),
        "frequency": runs.frequency(),
        "agreement": runs.agreement("LLSPIN"),
        "splits": runs.splits,
        "ledger": runs.ledger.trials,
    }
    for name, table in tables.items():
        table.drop(columns=TIMES, errors="ignore").to_csv(out / f"{name}.csv")
    pd.DataFrame({f"{fit.model} {fit.fold}": [fit.risk.tobytes().hex()] for fit in runs.fits}).to_csv(out / "risk.csv")


def begun(store: Path, out: Path, jobs: int, rows: int, epochs: int) -> subprocess.Popen:
    """Start the study in a process group of its own; return once it has begun."""
    given = [str(part) for part in ("--child", store, out, "--jobs", jobs, "--rows", rows, "--epochs", epochs)]
    call = [sys.executable, "-W", "ignore", __file__, *given]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(call, stdout=subprocess.PIPE, env=environment, start_new_session=True, text=True)
    process.stdout.readline()
    return process


def finished(process: subprocess.Popen) -> float:
    """Wait for its end, demand that it was a good one, and return how many seconds that took."""
    start = perf_counter()
    process.communicate()
    if process.returncode:
        raise SystemExit(f"the study ended with {process.returncode}")
    return perf_counter() - start


def killed(process: subprocess.Popen, after: float) -> bool:
    """Kill the whole process group after so many seconds; return whether the study was still running."""
    sleep(after)
    running = process.poll() is None
    with suppress(ProcessLookupError):  # it has ended
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def same(one: Path, other: Path) -> bool:
    """Return whether two folders hold the same bytes under the same names."""
    found = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, other)]
    return found[0] == found[1]


def compare(folder: Path, kills: int, jobs: int, rows: int, epochs: int, seed: int = 0) -> pd.DataFrame:
    """Return one row per kill: when, of how many seconds, what was done by then, and whether all tables are equal."""
    rng, entries, how = np.random.default_rng(seed), [], (jobs, rows, epochs)
    length = finished(begun(folder / "whole", folder / "expected", *how))
    for k in range(kills):
        store, out = folder / f"store-{k}", folder / f"tables-{k}"
        after = length * (k + rng.random()) / kills
        running = killed(begun(store, folder / f"lost-{k}", *how), after)
        trials, fits = (len(list(store.glob(name))) for name in ("tuning/*.journal", "units/*"))
        finished(begun(store, out, *how))
        entry = {"jobs": jobs, "killed after": round(after, 1), "of": round(length, 1), "running": running}
        entries.append({**entry, "searches begun": trials, "fits done": fits, "same": same(folder / "expected", out)})
    return pd.DataFrame(entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="instants, for each number of processes")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print("begun", flush=True)
        write(study(args.child[0], args.jobs[0], args.rows, args.epochs), args.child[1])
        return
    for jobs in args.jobs:
        with tempfile.TemporaryDirectory() as folder:
            table = compare(Path(folder), args.kills, jobs, args.rows, args.epochs)
        print(table.to_string(index=False), flush=True)
        if not table["same"].all():
            raise SystemExit("some resumed tables differ")


if __name__ == "__main__":
    main()
