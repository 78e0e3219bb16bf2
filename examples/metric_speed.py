"""Seconds of the metrics on half a million patients in whole months, beside those of other packages in one process.

C comes with its standard error and every patient's influence, in lifelines without. Risks have a few hundred values, as
those of sparse models do, or are all different. R's ``concordance`` is timed where ``Rscript`` with the package
survival is there. What takes others minutes or all memory at this size is compared at 20,000 patients.

    python examples/metric_speed.py --rows 484000 --threads 2
"""

import argparse
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from lifelines.utils import concordance_index
from pycox.evaluation.concordance import concordance_td
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.util import Surv
from threadpoolctl import threadpool_limits

from survlspin.metrics import antolini, auc, brier, concordance, integrated_brier, uno

TAU = 120.0  # months
HORIZONS = np.arange(12.0, 132.0, 12.0)
GRID = np.linspace(1.2, 120.0, 100)
R_SCRIPT = """
d <- read.csv(commandArgs(TRUE)[1]); suppressMessages(library(survival)); tau <- as.numeric(commandArgs(TRUE)[2])
told <- function(...) {
  seconds <- system.time(r <- concordance(..., data=d, reverse=TRUE))[["elapsed"]]
  cat(seconds, format(r$concordance, digits=15), "")
}
for (f in c(Surv(time, event) ~ tied, Surv(time, event) ~ different)) {
  told(f, std.err=FALSE); told(f); told(f, timewt="n/G2", ymax=tau)
}
"""


def patients(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return times in whole months, events, and the risk with and without ties."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    death, end = rng.exponential(600 * np.exp(-risk)), rng.uniform(1, 300, n)
    time = np.ceil(np.minimum(death, end))
    return {"time": time, "event": death <= end, "tied": np.round(risk * 50) / 50, "different": risk}


def probability(risk: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the probability of an event by each time, which the patients were drawn from."""
    return -np.expm1(-np.exp(risk.astype(np.float32))[:, None] * times.astype(np.float32) / 600)


def race(measure: str, n: int, repeats: int, packages: dict[str, Callable[[], float]]) -> list[dict]:
    """Return a line per package, ours first: the least seconds of so many calls, and how far its value is from ours."""
    lines = []
    for package, call in packages.items():
        seconds = []
        for _ in range(repeats):
            start = perf_counter()
            value = call()
            seconds.append(perf_counter() - start)
        lines.append({"measure": measure, "rows": n, "package": package, "seconds": min(seconds), "value": value})
    return lines


def large(data: dict[str, np.ndarray], repeats: int) -> list[dict]:
    """Return the lines of what is fast enough for all rows."""
    time, event, tied, different = data.values()
    begin, n = (time, event), len(time)
    p = probability(tied, GRID)
    ours = {
        "Brier score at 100 times": lambda: brier(*begin, p, GRID)[-1].value,
        "integrated Brier score": lambda: integrated_brier(*begin, p, GRID).value,
        "AUC at 10 horizons": lambda: auc(*begin, tied, HORIZONS)[-1].value,
        "Uno's C, tied risks": lambda: uno(*begin, tied, TAU).value,
        "Uno's C, different risks": lambda: uno(*begin, different, TAU).value,
    }
    lines = [line for name, call in ours.items() for line in race(name, n, repeats, {"survlspin": call})]
    lines += race(
        "C, tied risks",
        n,
        repeats,
        {
            "survlspin": lambda: concordance(*begin, tied).value,
            "lifelines": lambda: concordance_index(time, -tied, event),
        },
    )
    lines += race(
        "C, different risks",
        n,
        repeats,
        {
            "survlspin": lambda: concordance(*begin, different).value,
            "lifelines": lambda: concordance_index(time, -different, event),
        },
    )
    return lines


def with_r(data: dict[str, np.ndarray]) -> list[dict]:
    """Return the lines of R: C without a standard error, and both C with; reading is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        pd.DataFrame(data | {"event": data["event"].astype(int)}).to_csv(file, index=False)
        call = ["Rscript", "-e", R_SCRIPT, file, str(TAU)]
        found = iter(subprocess.run(call, capture_output=True, text=True, check=True).stdout.split())
    lines = []
    for kind in ("tied", "different"):
        for measure, package in (("C", "R, no SE"), ("C", "R"), ("Uno's C", "R")):
            line = {"measure": f"{measure}, {kind} risks", "rows": len(data["time"]), "package": package}
            lines.append(line | {"seconds": float(next(found)), "value": float(next(found))})
    return lines


def small(data: dict[str, np.ndarray], repeats: int) -> list[dict]:
    """Return the lines of what takes others minutes, or all memory, at full size."""
    time, event, risk, n = data["time"], data["event"], data["tied"], len(data["time"])
    y = Surv.from_arrays(event, time)
    p = probability(risk, GRID).astype(float)
    steps = np.unique(time)
    survival = 1 - probability(risk, steps)
    own = np.searchsorted(steps, time)
    races = {
        "C": {
            "survlspin": lambda: concordance(time, event, risk).value,
            "scikit-survival": lambda: concordance_index_censored(event, time, risk)[0],
        },
        "Uno's C": {
            "survlspin": lambda: uno(time, event, risk, TAU).value,
            "scikit-survival": lambda: concordance_index_ipcw(y, y, risk, TAU)[0],
        },
        "Antolini's C": {
            "survlspin": lambda: antolini(time, event, survival, steps).value,
            "pycox": lambda: concordance_td(time, event, survival.T, own, "antolini"),
        },
        "Brier score at 100 times": {
            "survlspin": lambda: brier(time, event, p, GRID)[-1].value,
            "scikit-survival": lambda: brier_score(y, y, 1 - p, GRID)[1][-1],
        },
        "AUC at 10 horizons": {
            "survlspin": lambda: auc(time, event, risk, HORIZONS)[-1].value,
            "scikit-survival": lambda: cumulative_dynamic_auc(y, y, risk, HORIZONS)[0][-1],
        },
    }
    return [line for name, packages in races.items() for line in race(name, n, repeats, packages)]


def compare(n: int, few: int, repeats: int = 3) -> pd.DataFrame:
    """Return a line per measure, size and package: seconds, as a multiple of ours, and the distance from our value."""
    lines = large(patients(n), repeats)
    lines += with_r(patients(n)) if shutil.which("Rscript") else []
    table = pd.DataFrame(lines + small(patients(few), repeats))
    ours = table[table["package"] == "survlspin"].set_index(["measure", "rows"])
    own = ours.loc[pd.MultiIndex.from_frame(table[["measure", "rows"]])]
    table["times ours"] = table["seconds"] / own["seconds"].to_numpy()
    table["apart"] = (table["value"] - own["value"].to_numpy()).abs()
    return table.sort_values(["rows", "measure"], ascending=[False, True], kind="stable", ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=484_000)
    parser.add_argument("--few", type=int, default=20_000, help="rows where all packages are compared")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many calls counts")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with threadpool_limits(options.threads):
        table = compare(options.rows, options.few, options.repeats)
    print(table.drop(columns="value").to_string(index=False, float_format="{:.3g}".format))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


if __name__ == "__main__":
    main()
