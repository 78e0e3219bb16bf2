"""Competing risks: death of the cancer or of other causes, by a net with shared gates, Cox regression and Fine-Gray.

Half of the patients are fitted, half are tested. For each cause and model the table has the cause-specific C, and at
the horizon, with the cumulative incidence as the prediction, the AUC and the Brier score weighted for censoring, the
scaled Brier score, and observed over expected deaths; then the paired differences between the models. (The
cause-specific C asks for the order of hazards; Fine-Gray's log-risk orders probabilities.) The linear models have a
slight ridge penalty, so that rare levels do no harm. Without a file the patients are invented, so that the true
probabilities are known; they are one more row. Six of their 55 columns matter, which suits a sparse model.

    python examples/competing_risks.py --rows 8000 --horizon 60
    python examples/competing_risks.py --data patients.csv --time months --event cause --horizon 60
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from survlspin import CauseSpecificCoxLLSPIN, CauseSpecificCoxPH, FineGray, Outcome, metrics, split_xy
from survlspin.synthetic import competing

NAMES = ("C", "AUC", "Brier", "scaled Brier", "O/E")
RIDGE = 0.01


def predictions(X, y, tested, horizon: float, members: int = 1, lam="auto") -> dict[str, dict[int, np.ndarray]]:
    """Fit the models; return log-risk and probability by the horizon, (2, n), of `tested` by model and cause."""
    net = CauseSpecificCoxLLSPIN(lam=lam, members=members, random_state=0).fit(X, y)
    cox = CauseSpecificCoxPH(penalizer=RIDGE).fit(X, y)
    found = {}
    for name, model in {"LLSPIN of all causes": net, "Cox of each cause": cox}.items():
        risk, probability = model.predict(tested), model.predict_cumulative_incidence(tested, horizon)
        found[name] = {cause: np.stack([risk[:, cause - 1], probability[:, cause - 1]]) for cause in (1, 2)}
    found["Fine-Gray"] = {}
    for cause in (1, 2):
        model = FineGray(cause, penalizer=RIDGE).fit(X, y)
        columns = [model.predict(tested), model.predict_cumulative_incidence(tested, horizon)]
        found["Fine-Gray"][cause] = np.stack(columns)
    share = net.selected(tested).mean().sort_values(ascending=False)
    print("Share of patients for whom the net uses a factor:")
    print(share[share > 0].round(2).to_string(), end="\n\n")
    return found


def judged(outcome: Outcome, cause: int, risk: np.ndarray, probability: np.ndarray, horizon: float) -> dict:
    """Return the measures of one model and cause."""
    time, event = outcome.time, outcome.event
    return {
        "C": metrics.concordance_of(outcome.of_cause(cause), risk),
        "AUC": metrics.auc(time, event, probability, horizon, cause=cause),
        "Brier": metrics.brier(time, event, probability, horizon, cause=cause),
        "scaled Brier": metrics.scaled_brier(time, event, probability, horizon, cause=cause),
        "O/E": metrics.observed_expected(time, event, probability, horizon, cause=cause),
    }


def report(outcome: Outcome, found: dict[str, dict[int, np.ndarray]], horizon: float) -> dict[int, pd.DataFrame]:
    """Print, and return by cause, each model's measures; then the differences from the first model."""
    tables = {}
    for cause in (1, 2):
        estimates = {name: judged(outcome, cause, *parts[cause], horizon) for name, parts in found.items()}
        rows = {
            name: {key: f"{e.value:.4f} (SE {e.se:.4f})" for key, e in row.items()} for name, row in estimates.items()
        }
        tables[cause] = pd.DataFrame(
            {name: {key: e.value for key, e in row.items()} for name, row in estimates.items()}
        ).T
        print(f"Cause {cause}, at {horizon:g}:")
        print(pd.DataFrame(rows).T[list(NAMES)].to_string(), end="\n\n")
        first, *others = estimates
        for name in others:
            for key in ("C", "AUC", "Brier"):
                gap = metrics.compare(estimates[first][key], estimates[name][key])
                print(f"  {key}: {first} minus {name} {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})")
        print()
    print(*dict.fromkeys(e.definition for e in next(iter(estimates.values())).values()), sep="\n")
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=8000, help="invented patients")
    parser.add_argument("--data", help="a CSV with the columns --time and --event (0, 1, 2); all others are predictors")
    parser.add_argument("--time", default="time")
    parser.add_argument("--event", default="event")
    parser.add_argument("--horizon", type=float, default=60.0)
    parser.add_argument("--members", type=int, default=1, help="nets in the ensemble")
    options = parser.parse_args()
    if options.data:
        X, y = split_xy(pd.read_csv(options.data).dropna(), options.time, options.event, causes=True)
        truth = None
    else:
        X, y, truth = competing(options.rows)
    fitted, tested = train_test_split(np.arange(len(y)), test_size=0.5, stratify=y["event"], random_state=0)
    found = predictions(X.iloc[fitted], y[fitted], X.iloc[tested], options.horizon, options.members)
    if truth is not None:
        incidence = truth.cumulative_incidence(options.horizon)[tested, :, 0]
        hazard = np.log(truth.hazard[tested])
        found["truth"] = {c: np.stack([hazard[:, c - 1], incidence[:, c - 1]]) for c in (1, 2)}
    report(Outcome.of(y[tested], causes=True), found, options.horizon)


if __name__ == "__main__":
    main()
