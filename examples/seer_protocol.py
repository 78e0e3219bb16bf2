"""The paper's protocol on an invented SEER export: train on one fold, test on nine; and what each model costs.

The export is written as SEER*Stat would write it and read by the recipe seer-breast-lspin2022. Every model is fitted on
each of ten disjoint folds; those with a penalty over a path of at most 12 points. The study is kept in a store: started
again with the same arguments, this script goes on where it was stopped.

    python examples/seer_protocol.py --rows 60000 --jobs 4 --store seer-study
"""

import argparse
import tempfile
import warnings
from pathlib import Path
from time import perf_counter

import pandas as pd

from survlspin import (
    CoxLassoNet,
    CoxLLSPIN,
    CoxLSPIN,
    CoxNIMO,
    CoxPH,
    CoxSTG,
    DeepSurv,
    TrainOneTestNine,
    build_cohort,
    run,
)
from survlspin.baselines import CoxLasso, Forest
from survlspin.errors import InputWarning
from survlspin.synthetic import seer_export

RECORDS_PER_ROW = 1.88  # of an export, to the rows that the recipe keeps


def models() -> dict:
    """Return the methods of the paper's Fig. 4 (left), and ours."""
    gates = {"gate_hidden": (32,), "patience": 10}
    return {
        "Cox-LLSPIN": CoxLLSPIN(**gates),
        "Cox-LSPIN": CoxLSPIN(hidden=(32,), **gates),
        "Cox-STG, linear": CoxSTG(hidden=()),
        "Cox-STG, nonlinear": CoxSTG(hidden=(32,)),
        "Cox-LassoNet": CoxLassoNet(hidden=(32,)),
        "Cox-NIMO": CoxNIMO(hidden=(16, 16), patience=5),
        "Cox-LASSO": CoxLasso(n_alphas=12),
        "Cox PH": CoxPH(),
        "DeepSurv": DeepSurv(hidden=(32,)),
        "RSF": Forest(),
    }


def cohort(rows: int, seed: int):
    """Return predictors, outcome and patients of about so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        export = seer_export(folder, round(RECORDS_PER_ROW * rows), random_state=seed)
        made = build_cohort(export.path, "seer-breast-lspin2022", dic=export.dic, seed=seed)
    return made.X, made.y, made.groups


def main(
    rows: int = 60_000,
    points: int = 12,
    folds: int = 10,
    jobs: int | None = None,
    store: Path | None = None,
    out: Path | None = None,
    seed: int = 0,
    only: list[str] | None = None,
) -> pd.DataFrame:
    """Run the study; print and return its table with the share of the cost."""
    X, y, groups = cohort(rows, seed)
    chosen = {name: model for name, model in models().items() if not only or name in only}
    asked = {"lam": "path", "points": points}
    over = {name: {"lam": "path"} if name == "Cox-LASSO" else asked for name in chosen if hasattr(chosen[name], "path")}
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # collinear columns: every level has a column of its own
        cv = TrainOneTestNine(folds)
        runs = run(chosen, X, y, cv, over, store=store, n_jobs=jobs, random_state=seed, groups=groups)
    wall = perf_counter() - start
    table = runs.table()
    table["share_of_cost"] = table["seconds"] / table["seconds"].sum()
    print(f"{len(X):,} rows, {int((y['event'] != 0).sum()):,} events, {folds} folds; wall time {wall:.0f} s")
    print(table[["C", "low", "high", "factors", "difference", "seconds", "share_of_cost"]].round(4).to_string())
    print(*runs.attrs.values(), sep="\n")
    if out is not None:
        runs.save(out)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--points", type=int, default=12, help="of each path")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="models, by name")
    main(**vars(parser.parse_args()))
