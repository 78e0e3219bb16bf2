"""A Cox model of Rotterdam's patients, validated on GBSG: the worked example of McLernon et al. (2023).

DATA_DIR has rotterdam.csv and gbsg.csv of R's survival package. The model is the paper's: size, nodes (at most 19, with
a restricted cubic spline) and grade, for recurrence or death in the first five years. Its measures are printed beside
the published ones; the published AUC and Brier scores are of shortly before five years. (At five years itself the
patients whose follow-up ends there are known to be free of events.)

Then, what weights for censoring is printed once more in the manner of scikit-survival's examples, which take the curve
of censoring from the training patients. Of Rotterdam's, hardly anybody is censored in five years; of GBSG's, most are.
By Rotterdam's curve the few who are known to be free of events at five years do not stand for those who were censored
before: the weights add up to far fewer patients than there are, the sum of squared errors is divided by all of them,
and the Brier score looks much better than it is.

    python examples/rotterdam_gbsg.py DATA_DIR
    python examples/rotterdam_gbsg.py DATA_DIR --out rotterdam-gbsg    # the files, and the commands that compare models
    python examples/rotterdam_gbsg.py DATA_DIR --out rotterdam-gbsg --report    # and the report that these make
"""

import argparse
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.util import Surv

from survlspin import CoxPH, metrics, split_xy
from survlspin.cli import app
from survlspin.nonparametric import censoring_curve

YEARS, MOST_NODES, KNOTS = 5.0, 19, (0, 1, 9)
SIZES = ["<=20", "20-50", ">50"]
BEFORE = 4.99  # scikit-survival refuses the end of follow-up
PUBLISHED = {  # GBSG: values, and standard errors where there are any
    "Harrell's C": "0.6524008 (0.0167169)",
    "Uno's C": "0.6353713 (0.0165112)",
    "AUC by 4.99": "0.677",
    "O/E": "1.01739",
    "calibration in the large": "1.015695",
    "calibration slope": "1.056204 (0.1226128)",
    "calibration slope, Poisson": "1.031769",
    "ICI": "0.03",
    "E50": "0.03",
    "E90": "0.07",
    "Brier score by 4.99": "0.225",
    "scaled Brier score by 4.99": "0.101",
}


def cohorts(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sets of patients with the columns of the model, followed up for five years."""
    rotterdam, gbsg = (pd.read_csv(folder / f"{name}.csv") for name in ("rotterdam", "gbsg"))
    first = np.where((rotterdam.recur == 0) & (rotterdam.death == 1), rotterdam.dtime, rotterdam.rtime)
    size = pd.cut(gbsg["size"], [-1, 20, 50, np.inf], labels=SIZES).astype(str)
    return (
        _coded(first / 365.25, np.maximum(rotterdam.recur, rotterdam.death), rotterdam["size"], rotterdam),
        _coded(gbsg.rfstime / 365.25, gbsg.status, size, gbsg),
    )


def _coded(years, event, size, patients: pd.DataFrame) -> pd.DataFrame:
    nodes = np.minimum(patients.nodes, MOST_NODES)
    return pd.DataFrame(
        {
            "size": pd.Categorical(size, SIZES),
            "nodes": nodes,
            "nodes_spline": metrics.rcs_basis(nodes, KNOTS)[:, 1],
            "grade_3": (patients.grade == 3).astype(int),
            "years": np.minimum(years, YEARS),
            "event": np.where(years > YEARS, 0, event),
        }
    )


def predictions(model: CoxPH, X: pd.DataFrame, years) -> pd.DataFrame:
    """Return each patient's log-risk, probability of the event by five years, and cumulative hazard at the own time."""
    risk = model.predict(X)
    times = np.unique(years)
    own = model.baseline_.cumulative_hazard(np.zeros(1), times)[0][np.searchsorted(times, years)]
    by_horizon = 1 - model.baseline_.survival(risk, [YEARS])[:, 0]
    return pd.DataFrame({"risk": risk, "probability": by_horizon, "hazard": own * np.exp(risk)})


def measured(time, event, found: pd.DataFrame) -> dict[str, metrics.Estimate]:
    """Return the measures of the STRATOS guidance; errors as the guidance has them."""
    p, hazard = found["probability"], found["hazard"]
    curve = metrics.calibration_curve(time, event, p, YEARS)
    distances = {
        name.upper(): metrics.Estimate(getattr(curve, name), *[np.nan] * 3, curve.definition)
        for name in ("ici", "e50", "e90")
    }
    return {
        "Harrell's C": metrics.concordance(time, event, found["risk"]),
        "Uno's C": metrics.uno(time, event, found["risk"], tau=YEARS),
        **{f"AUC by {t:g}": metrics.auc(time, event, found["risk"], t) for t in (BEFORE, YEARS)},
        "O/E": metrics.observed_expected(time, event, p, YEARS),
        "calibration in the large": metrics.calibration_in_the_large(time, event, hazard, robust=False),
        "calibration slope": metrics.calibration_slope(time, event, found["risk"], robust=False),
        "calibration slope, Poisson": metrics.poisson_slope(time, event, hazard, found["risk"], robust=False),
        **distances,
        **{f"Brier score by {t:g}": metrics.brier(time, event, p, t) for t in (BEFORE, YEARS)},
        **{f"scaled Brier score by {t:g}": metrics.scaled_brier(time, event, p, t) for t in (BEFORE, YEARS)},
    }


def conventions(train: pd.DataFrame, test: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return the measures that weight for censoring, by whose censoring curve and by whom they are computed."""
    y = {name: Surv.from_arrays(d.event == 1, d.years) for name, d in (("training", train), ("test", test))}
    p, risk = found["probability"].to_numpy(), found["risk"].to_numpy()
    free, died = test.years > BEFORE, (test.years <= BEFORE) & (test.event == 1)
    rows = {}
    for whose, patients in (("test", test), ("training", train)):
        curve = censoring_curve(patients.years, patients.event)
        rows[f"survlspin, {whose} rows"] = {
            "AUC": metrics.auc(test.years, test.event, risk, BEFORE, censoring=curve).value,
            "Brier score": metrics.brier(test.years, test.event, p, BEFORE, censoring=curve).value,
            "G by the horizon": float(curve.at(BEFORE)),
            "sum of weights": float((died / curve.at(test.years, left=True)).sum() + free.sum() / curve.at(BEFORE)),
        }
        rows[f"scikit-survival, {whose} rows"] = {
            "AUC": cumulative_dynamic_auc(y[whose], y["test"], risk, BEFORE)[1],
            "Brier score": brier_score(y[whose], y["test"], 1 - p[:, None], BEFORE)[1][0],
            "Uno's C": concordance_index_ipcw(y[whose], y["test"], risk, tau=BEFORE)[0],
        }
    rows["survlspin, test rows"]["Uno's C"] = metrics.uno(test.years, test.event, risk, tau=YEARS).value
    return pd.DataFrame(rows).T[["Uno's C", "AUC", "Brier score", "G by the horizon", "sum of weights"]]


def validate(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit, predict and print; return the table of measures and that of conventions."""
    train, test = cohorts(folder)
    X, y = split_xy(train, time="years", event="event")
    model = CoxPH().fit(X, y)
    print(f"Cox regression of {model.n_} patients, {model.n_events_} events:")
    print(model.summary()[["coef", "exp(coef)", "se(coef)"]].to_string(), end="\n\n")
    found = {name: predictions(model, d[X.columns], d.years) for name, d in (("Rotterdam", train), ("GBSG", test))}
    measures = {name: measured(d.years, d.event, found[name]) for name, d in (("Rotterdam", train), ("GBSG", test))}
    table = pd.DataFrame({name: {key: e.value for key, e in row.items()} for name, row in measures.items()})
    table["SE, GBSG"] = {key: e.se for key, e in measures["GBSG"].items()}
    table["published, GBSG"] = PUBLISHED
    print(f"At {YEARS:g} years:")
    print(table.to_string(float_format="{:.7f}".format, na_rep=""), end="\n\n")
    print(*(f"{key} = {e.definition}" for key, e in measures["GBSG"].items()), sep="\n", end="\n\n")
    weighted = conventions(train, test, found["GBSG"])
    print(f"GBSG at {BEFORE} years, by whose curve of censoring, G, the weights are made:")
    print(weighted.to_string(float_format="{:.3f}".format, na_rep=""), end="\n\n")
    return table, weighted


def commands(folder: Path, out: Path) -> list[list[str]]:
    """Write the patients for the command line; return the commands that compare models and report on them."""
    out.mkdir(parents=True, exist_ok=True)
    for name, patients in zip(("rotterdam", "gbsg"), cohorts(folder), strict=True):
        patients.to_csv(out / f"{name}.csv", index=False)
    both = pd.concat([patients.assign(gbsg=k) for k, patients in enumerate(cohorts(folder))])
    both.to_csv(out / "both.csv", index=False)
    horizon = ["--horizon", f"{YEARS:g}"]
    roles = ["--time", "years", "--event", "event", "--external", "gbsg"]
    run = ["run", "--data", f"{out}/both.csv", *roles, "--members", "3", *horizon]
    report = ["report", f"{out}/study", *horizon, "--thresholds", ".1,.2,.3,.4,.5", "--out", f"{out}/report"]
    return [[*run, "--store", f"{out}/study", "--out", f"{out}/results"], report]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="the folder of rotterdam.csv and gbsg.csv")
    parser.add_argument("--out", type=Path, help="folder for the files of the command line")
    parser.add_argument("--report", action="store_true", help="run the commands, too (with --out)")
    options = parser.parse_args()
    validate(options.data)
    for command in commands(options.data, options.out) if options.out else ():
        print(shlex.join(["survlspin", *command]))
        if options.report:
            app(command, standalone_mode=False)


if __name__ == "__main__":
    main()
