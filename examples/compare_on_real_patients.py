"""Cox-LSPIN against what one would use instead, on four public cohorts of patients.

GBSG2 and FLCHAIN ship with scikit-survival. Rotterdam and METABRIC are read from a folder (``--data``) that holds
``rotterdam.csv`` (R's survival package) and ``metabric.feather`` (pycox); without it they are left out. Every model has
the same repeated 5-fold; lambda and stopping are decided on validation rows. For each cohort the script prints the
table of C with paired differences from the ensemble of ten Cox-LLSPIN, and C at 2, 4 and 6 factors per patient.

    python examples/compare_on_real_patients.py --data DIR --repeats 5 --jobs 2 --out results
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sksurv.datasets import load_flchain, load_gbsg2

from survlspin import CoxLLSPIN, CoxLSPIN, DeepSurv, RepeatedKFold, run
from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH

REFERENCE = "Cox-LLSPIN x10"


def gbsg2(_: Path | None):
    """German breast cancer study group: recurrence-free survival in days, 686 patients."""
    X, y = load_gbsg2()
    return X, (y["time"], y["cens"])


def flchain(_: Path | None):
    """Serum free light chains: survival in days, 7,874 patients; without cause of death, and creatinine (gaps)."""
    X, y = load_flchain()
    X = X.drop(columns=["chapter", "creatinine"])
    return X.assign(**{"sample.yr": X["sample.yr"].astype(int)}), (y["futime"], y["death"])


def rotterdam(folder: Path | None):
    """Rotterdam tumour bank: survival in days, 2,982 patients."""
    table = pd.read_csv(folder / "rotterdam.csv")
    columns = ["year", "age", "meno", "size", "grade", "nodes", "pgr", "er", "hormon", "chemo"]
    return table[columns].astype({"size": "category", "grade": "category"}), (table["dtime"], table["death"])


def metabric(folder: Path | None):
    """METABRIC: survival in months, 1,904 patients, four genes and five clinical columns."""
    table = pd.read_feather(folder / "metabric.feather")
    return table.drop(columns=["duration", "event"]), (table["duration"], table["event"])


COHORTS = {"GBSG2": gbsg2, "METABRIC": metabric, "FLCHAIN": flchain, "Rotterdam": rotterdam}


def models(members: int) -> dict:
    """Return the models compared."""
    return {
        REFERENCE: CoxLLSPIN(members=members),
        "Cox-LLSPIN": CoxLLSPIN(),
        "Cox-LSPIN x10": CoxLSPIN(members=members),
        "Cox-LSPIN": CoxLSPIN(),
        "DeepSurv": DeepSurv(),
        "Cox PH": LifelinesCoxPH(),
        "Cox-LASSO": CoxLasso(),
        "Forest": Forest(),
    }


def compare(name: str, folder: Path | None, repeats: int, jobs: int, members: int = 10, rows: int | None = None):
    """Return the runs of all models on one cohort (its first `rows` rows)."""
    X, (time, event) = COHORTS[name](folder)
    y = pd.DataFrame({"event": np.asarray(event, dtype=bool), "time": np.asarray(time, dtype=float)}, index=X.index)
    compared = models(members)
    paths = {key: {"lam": "path"} for key in compared if "LSPIN" in key or "LASSO" in key}
    return run(compared, X[:rows], y[:rows], cv=RepeatedKFold(5, repeats), over=paths, n_jobs=jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of rotterdam.csv and metabric.feather")
    parser.add_argument("--cohorts", nargs="+", choices=COHORTS, default=list(COHORTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("survlspin-results"))
    options = parser.parse_args()
    for name in options.cohorts:
        if options.data is None and name in ("METABRIC", "Rotterdam"):
            print(f"{name} left out: give --data.")
            continue
        runs = compare(name, options.data, options.repeats, options.jobs)
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        runs.save(folder)
        runs.at_counts([2, 4, 6]).to_csv(folder / "at_counts.csv")
        print(f"\n{name}: {runs.attrs}\n{runs.table(REFERENCE).round(4).to_string()}\n")
        print(runs.at_counts([2, 4, 6], reference=REFERENCE).round(4).to_string())


if __name__ == "__main__":
    main()
