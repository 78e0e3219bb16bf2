"""Fig. 4 (left) of the LSPIN paper on an invented SEER export: C against the columns used per patient, and the truth.

The export is written as SEER*Stat would write it, the recipe seer-breast-lspin2022 makes the paper's table of it (52
columns, and 3 of noise), and every method learns from 51,000 patients. 10,000 others validate: they choose lambda,
seeds and stopping. All that is left is test, and chooses nothing: only what validation rows chose is predicted there.
"C at k columns" is that of the model with the best validation C among those that use at most k columns per training
patient, by the median as in the paper or by the mean. Of a method's path as a whole there are two choices, with the
seed of the least validation loss: what lam="auto" takes, and the sparsest model within two standard errors of the best.

The truth is known for each patient, so that the selected variables can be judged: strictly, against the variables of
the patient's own hazard; with those credited that say which subgroup the patient is in (age, positive nodes, receptor);
and with variables that carry the same information taken as one (positive nodes, node ratio and N; size and T).

    python examples/seer_figure4.py --mode hetero --jobs 2 --out results

Test C of that command, 118,277 patients and 22,587 events, two fits of each net, one data set; the truth has .753:

    columns per patient (mean), at most       1     2     3     4     6    10    55
    Cox-LLSPIN                             .734  .743  .745  .748  .748  .750  .750
    Cox-LSPIN                              .727  .743  .747  .748  .748  .748  .749
    Cox-LLSPIN, gates see the context                .727  .727  .746  .748  .749
    Cox-STG, nonlinear                     .619  .731  .741  .744  .747  .750  .750
    Cox-LassoNet                                     .737  .740  .745  .746  .748
    Cox-LASSO                              .650  .721  .732  .732  .732  .732  .732
    Cox-STG, linear                        .650  .711  .728  .728  .730  .730  .730
    Cox-NIMO (10,000 training rows)                  .726  .726  .726  .737  .742
    DeepSurv .748, RSF (60 trees of 20,000 patients) .747, Cox PH .729: all columns

Cox-LSPIN finds .80 of the true variables with 1.8 columns and .88 with 2.7 (precision .98 and .78), no noise. Below two
columns the gates, which see all, tell more than the columns they open (recall .46 for LLSPIN with 1.7); with gates that
see the context alone, which is counted, it takes six columns. With --mode homog Cox-LLSPIN is .0012 behind Cox PH; with
--mode null all C are .50 and the gates leave no column (Cox-LASSO, by its lowest loss, leaves two).
"""

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sksurv.ensemble import RandomSurvivalForest

from survlspin import CoxLassoNet, CoxLLSPIN, CoxLSPIN, CoxNIMO, CoxPH, CoxSTG, DeepSurv, build_cohort
from survlspin.baselines import CoxLasso, adapt
from survlspin.errors import InputWarning
from survlspin.metrics import Estimate, concordance
from survlspin.metrics.estimate import Z95
from survlspin.synthetic import seer_export

RECIPE = "seer-breast-lspin2022"
NAMES = {"age": "Age", "size": "TsizeMerged", "ratio": "NodesRatio", "grade": "Grade", "marital": "Marital", "er": "ER"}
DEFINING = ["Age", "NodesPos", "ER"]  # they say which subgroup a patient is in
TWINS = {"NodesPos": "NodesRatio", "N": "NodesRatio", "T": "TsizeMerged"}
COUNTS = (1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 55)
CONTEXT = ["Age", "NodesPos", "ER_positive"]  # columns of these
DENSE = (0.0, 0.001, 0.003)  # lambdas below those of the paths of gates
COLORS = [*(f"C{i}" for i in range(10)), "0.4"]
RULES = {"auto": 'lam="auto"', "sparse": "the sparsest within two SE of the least validation loss"}


@dataclass(frozen=True, eq=False)
class Study:
    """Patients whose truth is known: table, outcome, each column's variable, true variables (n, G), log-hazard."""

    X: pd.DataFrame
    y: np.ndarray
    variable: pd.Series
    truth: pd.DataFrame
    log_hazard: np.ndarray


@dataclass(frozen=True, eq=False)
class Method:
    """An estimator; how often it is fitted; on how many rows at most, if they cannot all be used in reasonable time."""

    model: object
    fits: int = 1
    points: int | None = None
    rows: int | None = None


def methods() -> dict[str, Method]:
    """Return the methods compared."""
    gates = {"gate_hidden": (32,), "patience": 10}  # the default gating net of 8 units loses .004 in C at this size
    forest = {"n_estimators": 60, "min_samples_leaf": 50, "max_features": 18, "max_samples": 20_000}
    return {
        "Cox PH": Method(CoxPH()),
        "Cox-LASSO": Method(CoxLasso(n_alphas=200)),
        "DeepSurv": Method(DeepSurv(hidden=(32,)), fits=2),
        "Cox-LLSPIN": Method(CoxLLSPIN(**gates), fits=2),
        "Cox-LSPIN": Method(CoxLSPIN(hidden=(32,), **gates), fits=2),
        "Cox-NIMO": Method(CoxNIMO(), points=6, rows=10_000),
        "RSF": Method(RandomSurvivalForest(**forest, low_memory=True, random_state=0)),
        "Cox-LLSPIN, context": Method(CoxLLSPIN(context=CONTEXT, **gates), fits=2),
        "Cox-STG, nonlinear": Method(CoxSTG(hidden=(32,)), fits=2),
        "Cox-STG, linear": Method(CoxSTG(hidden=()), fits=2),
        "Cox-LassoNet": Method(CoxLassoNet(hidden=(32,)), fits=2),
    }


def study(folder: Path, records: int, mode: str, seed: int) -> Study:
    """Write an export, read it as one would a real one, and join the truth to its patients.

    Patients with two tumours are left out: the truth is joined by patient.
    """
    export = seer_export(folder, records, mode=mode, random_state=seed)
    cohort = build_cohort(export.path, RECIPE, dic=export.dic, seed=seed)
    truth = export.truth.set_index("patient")
    once = cohort.groups.isin(truth.index[~truth.index.duplicated(keep=False)]).to_numpy()
    truth = truth.loc[cohort.groups[once]]
    variable = pd.Series({column["name"]: column["group"] for column in cohort.manifest["columns"]})
    true = pd.DataFrame(False, index=range(len(truth)), columns=list(dict.fromkeys(variable)))
    for name, group in NAMES.items():
        true[group] = truth[f"factor_{name}"].to_numpy()
    return Study(cohort.X[once].reset_index(drop=True), cohort.y[once], variable, true, truth["log_hazard"].to_numpy())


def deal(n: int, train: int, valid: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows that train, rows that validate and, the rest, rows that test."""
    order = np.random.default_rng(seed).permutation(n)
    return tuple(np.sort(part) for part in np.split(order, [train, train + valid]))


def fitted(method: Method, data: Study, train: np.ndarray, valid: np.ndarray, seed: int) -> list[dict]:
    """Fit a method with one seed; return its models, with the columns they use and their risks of validation rows."""
    torch.set_num_threads(1)
    model, rows = clone(method.model), train[: method.rows]
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    model = adapt(model)
    X, y, check = data.X.iloc[rows], data.y[rows], (data.X.iloc[valid], data.y[valid])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # collinear columns: every level has a column of its own
        start = process_time()
        models = list(_models(model, method.points, X, y, check))
        seconds = process_time() - start
    points = []
    for each, marks in models:
        used = each.n_selected(X) if hasattr(each, "n_selected") else pd.Series(X.shape[1], index=X.index)
        counts = {"median": used.median(), "mean": used.mean()}
        points.append(
            {"seed": seed, **counts, **marks, "seconds": seconds, "model": each, "risk": each.predict(check[0])}
        )
    return points


def _models(model, points, X, y, check):
    """Yield the models of a path, or the one there is, each with its path's validation loss where a rule chooses it."""
    if isinstance(model, DeepSurv):
        yield model.fit(X, y, check), dict.fromkeys(RULES, float(model.history_.nll.min()))
    elif not hasattr(model, "path"):
        yield model.fit(X, y), dict.fromkeys(RULES, 0.0)
    else:
        path = model.path(X, y, check) if points is None else model.path(X, y, check, points)
        loss, se = path.frame["validation_nll"].to_numpy(), path.frame["validation_se"].to_numpy()
        sparsest = np.flatnonzero(loss - loss.min() <= 2 * se)[-1]
        for i in range(len(path)):
            marks = {"auto": loss[i] if i == path.chosen else np.inf, "sparse": loss.min() if i == sparsest else np.inf}
            yield path.at(i), marks
    if isinstance(model, CoxLLSPIN | CoxLSPIN | CoxSTG):
        yield from ((clone(model).set_params(lam=lam).fit(X, y, check), dict.fromkeys(RULES, np.inf)) for lam in DENSE)


def choices(points: list[dict], data: Study, valid: np.ndarray) -> dict[tuple[str, int], int]:
    """Return, by the validation rows alone, the point at each count of columns, and the method's choice."""
    y = data.y[valid]
    estimates = [concordance(y["time"], y["event"], point["risk"]) for point in points]
    value = np.array([estimate.value for estimate in estimates])
    count_of = {by: np.array([point[by] for point in points]) for by in ("median", "mean")}
    picked: dict[tuple[str, int], int] = {}
    for by, count in count_of.items():
        for k in COUNTS:
            allowed = np.flatnonzero(count <= k)
            if len(allowed):
                picked[by, k] = int(allowed[value[allowed].argmax()])
    for rule in RULES:
        picked[rule, 0] = int(np.argmin([point[rule] for point in points]))
    return picked


def difference(a: Estimate, b: Estimate) -> tuple[float, float]:
    """Return the difference of two C on the same patients, and its standard error."""
    return a.value - b.value, float(np.sqrt(((a.influence - b.influence) ** 2).sum()))


def recovery(used: pd.DataFrame, variable: pd.Series, truth: pd.DataFrame) -> dict[str, float]:
    """Compare the variables used for each patient with the true ones; means over patients.

    ``precision`` and ``recall`` (of patients for whom there is one), ``F1``; ``noise``, the share of patients for whom
    a column of noise is used.
    """
    used = pd.DataFrame({
        name: used[columns.index].any(axis=1).to_numpy() for name, columns in variable.groupby(variable, sort=False)
    })[list(truth)]  # fmt: skip
    right = truth.assign(**dict.fromkeys(set(DEFINING) & set(truth), True))
    out = _shares("strict", used, truth, truth) | _shares("credited", used, truth, right)
    used, truth, right = (_twins(table) for table in (used, truth, right))
    noise = used.filter(like="noise").any(axis=1).mean()
    return {**out, **_shares("twins", used, truth, right), "noise": noise}


def _twins(table: pd.DataFrame) -> pd.DataFrame:
    """Take variables that carry the same information as one."""
    one = pd.Series({name: TWINS.get(name, name) for name in table})
    return pd.DataFrame({name: table[members.index].any(axis=1) for name, members in one.groupby(one)})


def _shares(how: str, used: pd.DataFrame, truth: pd.DataFrame, right: pd.DataFrame) -> dict[str, float]:
    used, truth, right = (table.to_numpy() for table in (used, truth, right))
    with np.errstate(invalid="ignore"):
        precision = (used & right).sum(1) / used.sum(1)
        recall = (used & truth).sum(1) / truth.sum(1)
        harmonic = np.nan_to_num(2 * precision * recall / (precision + recall))
    harmonic[~truth.any(1)] = np.nan
    values = {"precision": precision, "recall": recall, "F1": harmonic}
    return {f"{how} {name}": _mean(value) for name, value in values.items()}


def _mean(values: np.ndarray) -> float:
    return float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else np.nan


def judged(name: str, points: list[dict], data: Study, valid: np.ndarray, test: np.ndarray) -> tuple[list[dict], dict]:
    """Judge what validation rows chose on test rows: table rows, and the estimate of C at each count."""
    picked, y, rows, estimates = choices(points, data, valid), data.y[test], [], {}
    done = {i: _on_test(points[i]["model"], data, test) for i in set(picked.values())}
    for (by, k), i in picked.items():
        estimates[by, k], found = done[i]
        counts = {key: points[i][key] for key in ("median", "mean", "seed")}
        rows.append({"method": name, "by": by, "k": k, **counts, **found, "events": int(y["event"].sum())})
    return rows, estimates


def _on_test(model, data: Study, test: np.ndarray) -> tuple[Estimate, dict[str, float]]:
    """Return C on the test rows, and how well the true variables are recovered there."""
    X, y = data.X.iloc[test], data.y[test]
    estimate = concordance(y["time"], y["event"], model.predict(X))
    found = {"C": estimate.value, "low": estimate.low, "high": estimate.high}
    if not hasattr(model, "selected"):
        return estimate, found
    used = model.selected(X).reset_index(drop=True)
    used = used.reindex(columns=data.X.columns, fill_value=False)  # columns that do not vary in training
    return estimate, found | recovery(used, data.variable, data.truth.iloc[test].reset_index(drop=True))


def compare(data: Study, compared: dict[str, Method], train: int, valid: int, seed: int = 0, jobs: int = 1):
    """Fit and judge all methods; yield each one's table, with differences in C from what the first one chose."""
    parts = deal(len(data.X), train, valid, seed)
    units = [(name, each, seed + i) for name, each in compared.items() for i in range(each.fits)]
    work = (joblib.delayed(fitted)(each, data, parts[0], parts[1], at) for _, each, at in units)
    fits = iter(joblib.Parallel(n_jobs=jobs, return_as="generator")(work))
    reference = None
    for name, each in compared.items():
        found = [next(fits) for _ in range(each.fits)]
        lines, estimates = judged(name, [point for points in found for point in points], data, *parts[1:])
        reference = reference or estimates["auto", 0]
        for line in lines:
            gain, se = difference(estimates[line["by"], line["k"]], reference)
            line |= {"difference": gain, "difference_low": gain - Z95 * se, "difference_high": gain + Z95 * se}
        yield pd.DataFrame(lines).assign(seconds=sum(points[0]["seconds"] for points in found))


def truth_of(data: Study, train: int, valid: int, seed: int = 0) -> Estimate:
    """Return C of the true log-hazard on the test rows."""
    test = deal(len(data.X), train, valid, seed)[2]
    return concordance(data.y["time"][test], data.y["event"][test], data.log_hazard[test])


def report(table: pd.DataFrame, oracle: Estimate) -> str:
    """Return the tables as text."""
    own = {rule: table[table["by"] == rule].set_index("method") for rule in RULES}
    columns = ["median", "mean", "C", "low", "high", "difference", "difference_low", "difference_high", "seconds"]
    parts = [f"Truth: C {oracle.value:.4f}; {table['events'].iloc[0]} events among the test patients."]
    for rule, lines in own.items():
        title = f"{RULES[rule]}: columns per training patient, C, its difference from that of {lines.index[0]}"
        parts.append(f"{title}\n{lines[columns].round(4).to_string()}")
    for by in ("median", "mean"):
        wide = table[table["by"] == by].pivot(index="method", columns="k", values="C").reindex(own["auto"].index)
        parts.append(f"C at k columns at most ({by} over training patients)\n{wide.round(4).to_string(na_rep='')}")
    judged_at = {RULES[rule]: lines for rule, lines in own.items()}
    for k in (2, 3, 4):
        lines = table[(table["by"] == "mean") & (table["k"] == k)].set_index("method")
        judged_at[f"{k} columns at most (mean)"] = lines
    found = [name for name in table if name.startswith(("strict", "credited", "twins", "noise"))]
    for title, lines in judged_at.items() if found else ():
        shown = lines[["mean", *found]].dropna(how="all", subset=found)
        parts.append(f"True variables found, {title}\n{shown.round(3).to_string()}")
    return "\n\n".join(parts)


def draw(table: pd.DataFrame, oracle: Estimate, path: Path) -> None:
    """Draw C against columns per patient: their median, as in the paper, and their mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, by in zip(panels, ("median", "mean"), strict=True):
        ax.axhline(oracle.value, color="black", linewidth=1, label="truth")
        for i, (name, lines) in enumerate(table.groupby("method", sort=False)):
            shown = lines[(lines["by"] == by) & (lines["C"] > oracle.value - 0.05)]
            style = {"marker": "osD^vP*Xhd<"[i % 11], "color": COLORS[i % 11], "ms": 4, "lw": 1.2}
            ax.plot(shown["k"], shown["C"], label=name, **style)
            if len(shown) == 1:  # a model that uses all columns
                ax.axhline(shown["C"].iloc[0], color=style["color"], linestyle=":", lw=0.8)
        ax.set_xscale("log", base=2)
        ax.set_xticks(COUNTS, COUNTS)
        ax.minorticks_off()
        ax.set_xlabel(f"Columns per patient, at most ({by} of training patients)")
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("C on test patients")
    panels[1].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(path, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=("hetero", "homog", "null", "nonlinear"), default="hetero")
    parser.add_argument("--records", type=int, default=400_000, help="records of the export; about half are analysed")
    parser.add_argument("--train", type=int, default=51_000)
    parser.add_argument("--valid", type=int, default=10_000)
    parser.add_argument("--methods", nargs="+", default=list(methods()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("survlspin-results"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = study(Path(folder), options.records, options.mode, options.seed)
    compared = {name: each for name, each in methods().items() if name in options.methods}
    options.out.mkdir(parents=True, exist_ok=True)
    sizes, tables = (options.train, options.valid, options.seed), []
    oracle = truth_of(data, *sizes)
    for part in compare(data, compared, *sizes, options.jobs):
        tables.append(part)
        pd.concat(tables).to_csv(options.out / f"figure4_{options.mode}.csv", index=False)
    table = pd.concat(tables, ignore_index=True)
    draw(table, oracle, options.out / f"figure4_{options.mode}.png")
    print(f"{options.mode}: {len(data.X):,} patients, {options.train:,} train, {options.valid:,} validate")
    print(report(table, oracle), flush=True)


if __name__ == "__main__":
    main()
