"""From a SEER*Stat export to C against the number of factors, and to each patient's risk factors.

The patients are invented, so that this runs without the registry's data; with an export of your own leave out
`seer_export` and give its path (the .dic that SEER*Stat wrote lies beside it):

    python examples/seer_from_export_to_sets.py --export export.txt --out results
"""

import argparse
import tempfile
from pathlib import Path

from survlspin import CoxLLSPIN, CoxPH, RepeatedKFold, build_cohort, run
from survlspin.baselines import CoxLasso
from survlspin.synthetic import seer_export

SMALLEST = 5  # patients that a published number may stand for


def analyse(export: Path, out: Path, recipe: str = "seer-breast-epi", folds: int = 5, **settings):
    """Make the cohort, compare models on it, and list each patient's risk factors; everything goes to `out`."""
    out.mkdir(parents=True, exist_ok=True)

    cohort = build_cohort(export, recipe)  # who stays, and which columns there are, is the recipe's
    cohort.write(out / "cohort.parquet")  # patients: for your eyes alone
    cohort.flow.to_csv(out / "flow.csv", min_cell=SMALLEST)
    cohort.flow.to_svg(out / "flow.svg", min_cell=SMALLEST)
    X, y = cohort.X.set_axis(cohort.groups), cohort.y  # each row is called by its patient

    models = {"LLSPIN": CoxLLSPIN(**settings), "Cox-LASSO": CoxLasso(), "Cox PH": CoxPH()}
    paths = {"LLSPIN": {"lam": "path"}, "Cox-LASSO": {"lam": "path"}}
    runs = run(models, X, y, cv=RepeatedKFold(folds, 1), over=paths)
    runs.save(out)  # tables, and the curve of C against the number of factors

    model = CoxLLSPIN(random_state=0, **settings).fit(X, y)
    factors = model.risk_factors(X)
    factors.to_parquet(out / "factors.parquet")  # patients, too
    sets = factors.sets().frame
    sets[sets["n"] >= SMALLEST].to_csv(out / "sets.csv", index=False)
    return cohort, runs, sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", type=Path, help="an export of SEER*Stat; by default invented patients")
    parser.add_argument("--recipe", default="seer-breast-epi")
    parser.add_argument("--out", type=Path, default=Path("survlspin-results"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = options.export or seer_export(folder, 20_000).path
        cohort, runs, sets = analyse(export, options.out, options.recipe)
    columns = ["rule", "excluded_patients", "after_patients", "after_events"]
    print(cohort.flow.masked(SMALLEST).frame[columns].to_string())
    print(f"\n{runs.table('Cox PH')[['C', 'low', 'high', 'factors', 'difference']].round(3).to_string()}")
    print(f"\nC with at most so many factors\n{runs.at_counts([1, 2, 4, 6])['C'].unstack().round(3).to_string()}")
    print(f"\nMost frequent sets of risk factors\n{sets.head(8)[['set_key', 'share']].round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()
