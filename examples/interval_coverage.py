"""Do the intervals of a comparison cover? Simulated studies of three linear Cox models, judged by what they expect.

Every replicate draws patients, deals them out to folds, fits three Cox models on each, and asks `Runs` for the 95 %
intervals of the mean C and of differences in C. What they should cover is the expected C of the procedure: the mean
over all replicates of the C of their models on patients who are in no study. Beside it stand the naive interval, SD
over folds / sqrt(K), and that of Nadeau and Bengio (2003), SD times sqrt(1 / K + tested / trained).

    python examples/interval_coverage.py --rows 500 1000 --protocols one-nine 5-fold --replicates 1000 --jobs 2
"""

import argparse

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from survlspin.curve import COUNTS
from survlspin.folds import External, RepeatedKFold, TrainOneTestNine
from survlspin.metrics.concordance import concordance
from survlspin.metrics.estimate import Z95
from survlspin.runs import Fit, Runs

BETA = np.array([0.5, 0.4, 0.3, 0.2, 0.2])
NOISE = 5  # columns without an effect
MODELS = {"true columns": 5, "with noise": 10, "fewer": 3}  # the first so many columns
REFERENCE = "true columns"
NEW = 3000  # patients who are in no study, per replicate
PROTOCOLS = {
    "one-nine": (lambda n, seed: TrainOneTestNine(random_state=seed), False),
    "one-nine, validation too": (lambda n, seed: TrainOneTestNine(random_state=seed), True),
    "5-fold": (lambda n, seed: RepeatedKFold(5, 1, random_state=seed), True),
    "10-fold": (lambda n, seed: RepeatedKFold(10, 1, random_state=seed), True),
    "5 x 5-fold": (lambda n, seed: RepeatedKFold(5, 5, random_state=seed), True),
    "external": (lambda n, seed: External(np.arange(n) >= n // 2, random_state=seed), True),
}
"""Name -> splitter of n rows, and whether models train on the validation rows, too."""


def draw(n: int, rng: np.random.Generator, months: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns (n, 10), times (n,), in whole months where asked for, and events (n,): a third are censored."""
    x = rng.normal(size=(n, len(BETA) + NOISE))
    time = 30 * rng.exponential(np.exp(-x[:, : len(BETA)] @ BETA))
    censored = rng.exponential(60, n)
    shown = np.minimum(time, censored)
    return x, np.ceil(shown) if months else shown, time <= censored


def fit(x: np.ndarray, time: np.ndarray, event: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """Return Cox coefficients (p,): Breslow's ties, Newton's method, and a ridge that only keeps them finite."""
    order = np.argsort(-time, kind="stable")
    x, time, event = x[order], time[order], event[order]
    died = np.flatnonzero(event)
    at_risk = np.searchsorted(-time, -time[died], side="right") - 1  # the last row with a time as long
    products = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    beta = np.zeros(x.shape[1])
    for _ in range(20):
        weight = np.exp(x @ beta)[:, None]
        total, first, second = (
            np.cumsum(weight * part, axis=0)[at_risk] for part in (np.ones((len(x), 1)), x, products)
        )
        first = first / total
        hessian = (second / total).sum(axis=0).reshape(len(beta), -1) - first.T @ first
        gradient = (x[died] - first).sum(axis=0) - ridge * len(died) * beta
        step = np.linalg.solve(hessian + ridge * len(died) * np.eye(len(beta)), gradient)
        beta = beta + step * min(1, 2 / np.abs(step).max())
        if np.abs(step).max() < 1e-6:
            break
    return beta


def study(seed: int, n: int, protocol: str, months: bool) -> tuple[Runs, dict[str, float]]:
    """Return a study of n patients, and the C of its models (those of two folds) on patients who are in no study."""
    rng = np.random.default_rng([seed, n])
    x, time, event = draw(n, rng, months)
    new, new_time, new_event = draw(NEW, rng, months)
    make, validation = PROTOCOLS[protocol]
    splitter = make(n, seed)
    folds = list(splitter.folds(x, {"time": time, "event": event}))
    fits, truth = [], {}
    for name, p in MODELS.items():
        expected = []
        for fold in folds:
            rows = np.union1d(fold.train, fold.validation) if validation else fold.train
            beta = fit(x[rows, :p], time[rows], event[rows])
            risk = x[fold.test, :p] @ beta
            found = concordance(time[fold.test], event[fold.test], risk)
            points = pd.DataFrame(
                [{**dict.fromkeys(COUNTS, p), "C": found.value, "lam": np.nan, "validation_nll": np.nan}]
            )
            nothing = np.zeros((1, len(risk), 0), dtype=np.uint8)
            fits.append(
                Fit(
                    name,
                    fold.name,
                    0,
                    points,
                    0,
                    pd.DataFrame([[]]),
                    risk[None],
                    found.influence[None],
                    "C",
                    0.0,
                    nothing,
                )
            )
            if len(expected) < 2:
                expected.append(concordance(new_time, new_event, new[:, :p] @ beta).value)
        truth[name] = float(np.mean(expected))
    by_name = {fold.name: fold for fold in folds}
    return Runs(fits, by_name, dict.fromkeys(MODELS, "held out"), (), np.arange(n), splitter.description), truth


def judge(seed: int, n: int, protocol: str, months: bool) -> pd.DataFrame:
    """Return one replicate: of every C and difference the estimate, the limits by each method, and the truth."""
    runs, truth = study(seed, n, protocol, months)
    table, points = runs.table(REFERENCE), runs.points()
    by_fold = points.pivot(index="fold", columns="model", values="C")
    fold = next(iter(runs.folds.values()))
    k, ratio = len(by_fold), len(fold.test) / len(fold.train)
    rows = {}
    for name in MODELS:
        for what in ("C",) if name == REFERENCE else ("C", "difference"):
            minus = what == "difference"
            values = by_fold[name] - by_fold[REFERENCE] if minus else by_fold[name]
            low, high = ("difference_low", "difference_high") if minus else ("low", "high")
            own = {"low": table.loc[name, low], "high": table.loc[name, high]}
            target = truth[name] - truth[REFERENCE] if minus else truth[name]
            sd = values.std() if k > 1 else np.nan
            naive, corrected = Z95 * sd / np.sqrt(k), Z95 * sd * np.sqrt(1 / k + ratio)
            rows[what, name] = {"value": values.mean(), "truth": target, **own, "naive": naive, "NB": corrected}
    return pd.DataFrame(rows).T


def coverage(protocol: str, n: int, replicates: int, months: bool, jobs: int = 1) -> pd.DataFrame:
    """Return the share of intervals that cover the truth, in percent with its Monte-Carlo interval, by method.

    ``truth`` has a standard error of its own, ``truth_se``; ``width`` is the mean width of the package's intervals over
    that of perfect ones, from the spread of the estimates over replicates.
    """
    return summary(Parallel(n_jobs=jobs)(delayed(judge)(seed, n, protocol, months) for seed in range(replicates)))


def summary(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the coverage over replicates, as `coverage` does."""
    found, replicates, rows = pd.concat(parts, keys=range(len(parts))), len(parts), {}
    for key, one in found.groupby(level=[1, 2], sort=False):
        truth, error = one["truth"].mean(), (one["value"] - one["truth"].mean()).abs()
        hits = {
            "ours": (one["low"] <= truth) & (truth <= one["high"]),
            **{name: error <= one[name] for name in ("naive", "NB") if one[name].notna().all()},
        }
        spread = {
            "truth": truth,
            "truth_se": one["truth"].std() / np.sqrt(replicates),
            "bias": one["value"].mean() - truth,
            "width": (one["high"] - one["low"]).mean() / (2 * Z95 * one["value"].std()),
        }
        shares = {name: 100 * hit.mean() for name, hit in hits.items()}
        low, high = wilson(int(hits["ours"].sum()), replicates)
        rows[key] = {**spread, "ours": shares.pop("ours"), "from": 100 * low, "to": 100 * high, **shares}
    return pd.DataFrame(rows).T.rename_axis(["of", "model"])


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share, z2 = hits / n, Z95**2
    middle, half = share + z2 / (2 * n), Z95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return float((middle - half) / (1 + z2 / n)), float((middle + half) / (1 + z2 / n))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000, 3000])
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--days", action="store_true", help="times without ties, instead of whole months")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    for n in asked.rows:
        for protocol in asked.protocols:
            table = coverage(protocol, n, asked.replicates, not asked.days, asked.jobs)
            times = "days" if asked.days else "months"
            print(f"\n{protocol}, {n} patients, {times}, {asked.replicates} replicates: coverage of 95 % intervals, %")
            print(table.to_string(float_format=lambda v: f"{v:.4f}" if abs(v) < 1 else f"{v:.2f}"), flush=True)


if __name__ == "__main__":
    main()
