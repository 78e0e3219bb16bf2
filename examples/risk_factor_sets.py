"""Risk-factor sets of real patients: C of what is listed, at equal numbers of listed factors.

Four models on Rotterdam, METABRIC, FLCHAIN and SUPPORT, each fitted to one half of the patients (a fifth of them
validates) and judged on the other, and the other way round: Cox-LLSPIN with free gates, with a context that a search
on the half proposes, the free gates' masked refit with all factors redrawn that are not listed (the C of what is
listed), and Cox-LASSO. At each count stands the point of the path with the best validation C among those that list at
most so many factors per training patient, on average. Differences are from the context, positive where it is better.

The folder holds ``rotterdam.csv`` (R's survival package), ``metabric.feather`` and ``support.feather`` (pycox).

    python examples/risk_factor_sets.py DATA_DIR --jobs 2

C, mean of two halves; the contexts proposed for each; leakage, the share of patients whose free gates' answer moves by
more than .2 in half of the draws of what is not listed:

    factors listed (mean), at most      1     2     3     4     6   all
    Rotterdam  context                     .681  .688  .691  .694  .694   nodes; nodes + meno
               free gates            .577  .694  .697  .697  .697  .697   leakage .11 to .30
               masked refit          .536  .686  .690  .690  .690  .690
               Cox-LASSO             .675  .676  .682  .690  .694  .693
    METABRIC   context               .590  .612  .629  .632  .639  .641   x8; x8
               free gates            .609  .617  .626  .628  .633  .635   leakage .15 to .27
               masked refit          .611  .609  .620  .626  .626  .638
               Cox-LASSO             .590  .592  .593  .615  .623  .630
    FLCHAIN    context                     .794  .795  .795  .795  .795   kappa; age + kappa
               free gates            .766  .790  .791  .793  .793  .793   leakage .01 to .07
               masked refit          .736  .786  .790  .793  .794  .794
               Cox-LASSO             .779  .788  .790  .794  .796  .796
    SUPPORT    context                     .578  .590  .590  .594  .601   x6 + x12; x6 + x0
               free gates            .557  .590  .594  .596  .597  .596   leakage .14 to .17
               masked refit          .547  .580  .588  .591  .592  .594
               Cox-LASSO             .548  .551  .552  .555  .562  .568

The context loses to the free gates, with 95 % below 0, at two and three factors on Rotterdam (-.013, -.009), one on
METABRIC (-.019), two and four on SUPPORT (-.012, -.006); it wins at all counts on FLCHAIN (+.002 to +.005) and with all
on SUPPORT (+.005); else it is level. Against what the free gates list (masked refit) it loses at one factor on METABRIC
alone (-.021), against Cox-LASSO nowhere.
"""

import argparse
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from compare_on_real_patients import COHORTS

from survlspin import CoxLLSPIN, RepeatedKFold, propose_context
from survlspin.baselines import CoxLasso
from survlspin.errors import InputWarning
from survlspin.faithfulness import leakage, listed_risk, masked_refit
from survlspin.metrics import Estimate, concordance
from survlspin.metrics.estimate import Z95

COUNTS = (1, 2, 3, 4, 6, 99)
SHOWN = ("free", "context", "masked refit", "Cox-LASSO")


def support(folder: Path):
    """SUPPORT: survival in days of 8,873 seriously ill adults, 14 columns."""
    table = pd.read_feather(folder / "support.feather")
    return table.drop(columns=["duration", "event"]), (table["duration"], table["event"])


def cohort(name: str, folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the predictors and the outcome of a cohort."""
    X, (time, event) = (COHORTS | {"SUPPORT": support})[name](folder)
    y = np.empty(len(X), dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = np.asarray(event, dtype=bool), np.asarray(time, dtype=float)
    return X.reset_index(drop=True), y


def half(X: pd.DataFrame, y: np.ndarray, fold, **search) -> tuple[dict, dict[tuple[str, int], Estimate]]:
    """Fit everything to one half; return what was found besides C, and C on the other half by method and count."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", InputWarning)
    (train, valid, test), learnt = (fold.train, fold.validation, fold.test), np.union1d(fold.train, fold.validation)
    found = propose_context(CoxLLSPIN(), X.iloc[learnt], y[learnt], **search)
    models = {
        "context": CoxLLSPIN(context=list(found.context), random_state=0),
        "free": CoxLLSPIN(random_state=0),
        "Cox-LASSO": CoxLasso(n_alphas=60),
    }
    facts, estimates = {"context": " + ".join(found.context) or "(none)", "seconds": found.seconds}, {}
    check, own = (X.iloc[valid], y[valid]), (X.iloc[train], y[train])
    for name, model in models.items():
        picked = at_counts(model.path(*own, check), X.iloc[train], *check)
        for chosen in set(picked.values()):
            counts = [k for k in picked if picked[k] is chosen]
            estimates |= dict.fromkeys([(name, k) for k in counts], on(y[test], chosen.predict(X.iloc[test])))
            if name == "free":
                listed = on(y[test], listed_risk(masked_refit(chosen, *own, check), X.iloc[test]))
                estimates |= dict.fromkeys([("masked refit", k) for k in counts], listed)
                facts |= dict.fromkeys([("leakage", k) for k in counts], leakage(chosen, X.iloc[test]).value)
    return facts, estimates


def at_counts(path, X: pd.DataFrame, checked: pd.DataFrame, y: np.ndarray) -> dict[int, object]:
    """Return the point of the path with the best validation C among those of at most so many factors per patient."""
    models = [path.at(i) for i in range(len(path))]
    counts = np.array([model.n_selected(X).mean() for model in models])
    values = np.array([on(y, model.predict(checked)).value for model in models])
    best = {k: np.where(counts <= k, values, -1.0) for k in COUNTS}
    return {k: models[int(value.argmax())] for k, value in best.items() if value.max() >= 0}


def on(y: np.ndarray, risk: np.ndarray) -> Estimate:
    """Return Harrell's C."""
    return concordance(y["time"], y["event"], risk)


def compare(name: str, halves: list[tuple[dict, dict]]) -> pd.DataFrame:
    """Return the table of a cohort: C by count and method, and differences from the context with 95 %."""
    facts, estimates = zip(*halves, strict=True)
    lines = []
    for k in COUNTS:
        line: dict = {"cohort": name, "k": k, "contexts": ", ".join(fact["context"] for fact in facts)}
        own = {method: [each[method, k] for each in estimates if (method, k) in each] for method in SHOWN}
        own = {method: found for method, found in own.items() if len(found) == len(estimates)}
        line |= {method: np.mean([found.value for found in each]) for method, each in own.items()}
        line["leakage"] = np.mean([fact.get(("leakage", k), np.nan) for fact in facts])
        for method in set(own) - {"context"} if "context" in own else ():
            gain, se = difference(own["context"], own[method])
            line[f"- {method}"] = f"{gain:+.4f} ({gain - Z95 * se:+.4f} to {gain + Z95 * se:+.4f})"
        lines.append(line)
    return pd.DataFrame(lines)


def difference(a: list[Estimate], b: list[Estimate]) -> tuple[float, float]:
    """Return the mean difference over halves that share no test patient, and its standard error."""
    gains = [one.value - other.value for one, other in zip(a, b, strict=True)]
    square = [((one.influence - other.influence) ** 2).sum() for one, other in zip(a, b, strict=True)]
    return float(np.mean(gains)), float(np.sqrt(sum(square)) / len(gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of rotterdam.csv, metabric.feather and support.feather")
    parser.add_argument("--cohorts", nargs="+", default=["Rotterdam", "METABRIC", "FLCHAIN", "SUPPORT"])
    parser.add_argument("--most", type=int, default=2, help="variables of a context")
    parser.add_argument("--parts", type=int, default=3, help="of each half, in the search for a context")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for name in options.cohorts:
        X, y = cohort(name, options.data)
        work = (
            joblib.delayed(half)(X, y, fold, most=options.most, cv=options.parts)
            for fold in RepeatedKFold(2, 1).folds(X, y)
        )
        table = compare(name, joblib.Parallel(n_jobs=options.jobs)(work))
        print(f"{table.round(4).to_string(index=False)}\n", flush=True)


if __name__ == "__main__":
    main()
