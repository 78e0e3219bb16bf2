"""Cox regression on an invented registry: seconds of CoxPH and of lifelines in one process, and that they agree.

The registry has 55 columns and time in whole months; both fit Efron's likelihood on one thread and report standard
errors. CoxPH's seconds include the encoding of the table, the tests, the concordance and the baseline hazard. R's
``coxph`` is timed, too, where ``Rscript`` with the package survival is there.

    python examples/coxph_speed.py --rows 50000 484000
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from survlspin import CoxPH
from survlspin.synthetic import registry

R_SCRIPT = """
d <- read.csv(commandArgs(TRUE)[1]); suppressMessages(library(survival))
s <- system.time(fit <- coxph(Surv(time, event) ~ ., d))
cat(s[["elapsed"]], coef(fit), sep = "\\n")
"""


def lifelines(table: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Return lifelines' seconds and coefficients."""
    from lifelines import CoxPHFitter

    start = perf_counter()
    model = CoxPHFitter().fit(table, "time", "event")
    return perf_counter() - start, model.params_.to_numpy()


def r_coxph(table: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Return the seconds and coefficients of R's coxph, reading not counted."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.csv"
        table.to_csv(data, index=False)
        out = subprocess.run(["Rscript", "-e", R_SCRIPT, data], capture_output=True, text=True, check=True).stdout
    seconds, *coef = map(float, out.split())
    return seconds, np.array(coef)


def compare(n: int, with_r: bool = False, repeats: int = 2) -> pd.DataFrame:
    """Return the best seconds of `repeats` fits of `n` rows, and how far coefficients are from CoxPH's."""
    X, y, _ = registry(n, random_state=0)
    table = X.astype(float).assign(time=y["time"], event=y["event"].astype(int))
    CoxPH().fit(X[["age"]], y)  # what is loaded at first use is not timed
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        model = CoxPH().fit(X, y)
        seconds.append(perf_counter() - start)
    rows = {"CoxPH": (min(seconds), model.coef_.to_numpy())}
    rows["lifelines"] = min((lifelines(table) for _ in range(repeats)), key=lambda found: found[0])
    if with_r:
        rows["R coxph"] = min((r_coxph(table) for _ in range(repeats)), key=lambda found: found[0])
    ours = rows["CoxPH"]
    return pd.DataFrame(
        {
            name: {
                "rows": n,
                "seconds": time,
                "times CoxPH's": time / ours[0],
                "largest difference in SE": np.max(np.abs(coef - ours[1]) / model.se_),
            }
            for name, (time, coef) in rows.items()
        }
    ).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", type=int, default=[50_000, 484_000])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        for n in options.rows:
            table = compare(n, with_r=shutil.which("Rscript") is not None)
            print(table.to_string(float_format="{:.3g}".format), flush=True)


if __name__ == "__main__":
    main()
