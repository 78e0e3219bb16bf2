"""The interpretability measures on the LSPIN paper's synthetic data, whose true columns are known row by row.

LSPIN is trained as `lspin_tables.py` does it, and measured on test rows. Beside it stand: what the measures are of the
true columns ("truth"; for faithfulness, the model's predictions with the true columns as importances), what the
authors' code gave with its published settings (one seed), and the paper's figures. For these data the paper gives
accuracy or squared error, and F1 of the columns; its other measures are on other data.

    python examples/interpretability.py --rows E1 E5
"""

import argparse

import numpy as np
import pandas as pd
import torch
from lspin_tables import NUMBERS, OURS, PUBLISHED, Problem, problem, quick, train
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from survlspin.design import Design
from survlspin.metrics.interpretability import (
    counts_per_patient,
    diversity,
    faithfulness,
    gate_statistics,
    interpretability,
    lipschitz,
)
from survlspin.nets import Net
from survlspin.train import predict

# the authors' code: median and union of the columns per row, shares of gates at 0, between and at 1, F1
CODE = {
    "E1": (3, 7, 0.638, 0.007, 0.355, 0.982),
    "E2": (3.5, 11, 0.645, 0.033, 0.323, 0.853),
    "E3": (5, 9, 0.561, 0.029, 0.410, 0.941),
    "E4": (2, 6, 0.958, 0.004, 0.038, 0.976),
    "E5": (3, 5, 0.857, 0.000, 0.143, 1.000),
}
SHOWN = ("count.median", "count.union", "gates.closed", "gates.between", "gates.open", "F1")


class Trained(BaseEstimator):
    """A trained net, as an estimator whose explanations can be measured."""

    def __init__(self, net: Net, task: Problem):
        self.net = net
        self.task = task
        example = task.example
        self.design_ = Design.fit(example.X[example.train])

    def _pass(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n,) and gates (n, p)."""
        x = torch.tensor(X, dtype=torch.float32)
        both = predict(self.net, x, lambda eta, parts: torch.cat([eta, parts["gate"]], -1))[0].double().numpy()
        return both[:, 0], both[:, 1:]

    def gates(self, X: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(self._pass(X)[1], columns=list(self.design_.factors))

    def selected_columns(self, X: np.ndarray) -> pd.DataFrame:
        return self.gates(X) > 0


class Numbers(RegressorMixin, Trained):
    """A net of numbers, in their standardised unit."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self._pass(X)[0]


class Classes(ClassifierMixin, Trained):
    """A net of two classes."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        second = 1 / (1 + np.exp(-self._pass(X)[0]))
        return np.column_stack([1 - second, second])

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.predict_proba(X).argmax(1)


def trained(name: str, seed: int = 0, small: bool = False) -> Trained:
    """Return LSPIN trained on one of the paper's examples."""
    recipe = quick(OURS[name]) if small else OURS[name]
    task = problem(name, None, recipe.standardize)
    return (Numbers if name in NUMBERS else Classes)(train(recipe, task, seed), task)


def measured(name: str, seed: int = 0, small: bool = False) -> pd.DataFrame:
    """Return each measure of LSPIN, of the truth, of the authors' code and of the paper."""
    model = trained(name, seed, small)
    example = model.task.example
    X, y, truth = example.X[example.test], example.y[example.test], example.truth[example.test]
    group = np.unique(truth, axis=0, return_inverse=True)[1].ravel()
    table = interpretability(model, X, y, groups=group).set_index("name")[["value"]].rename(columns={"value": "ours"})
    used = model.selected_columns(X).to_numpy()
    table.loc["F1", "ours"] = 2 * (used & truth).sum() / (used.sum() + truth.sum())
    table["truth"] = pd.Series(of_truth(model, X, y, truth, group))
    table["code"] = pd.Series(dict(zip(SHOWN, CODE[name], strict=True)) if name in CODE else {}, dtype=float)
    table["paper"] = pd.Series({"F1": PUBLISHED[name][1]}, dtype=float)
    if name not in NUMBERS:
        table.loc["generalizability.model", "paper"] = PUBLISHED[name][0]
    return table


def of_truth(model: Trained, X: np.ndarray, y: np.ndarray, truth: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """Return what the measures are where exactly the true columns are used."""
    counts, gates, apart = counts_per_patient(truth), gate_statistics(truth), diversity(truth, group)
    faithful = faithfulness(model, X, y, importance=truth.astype(float))
    steep = lipschitz(model.design_.transform(X), truth)
    return {
        **{f"count.{name}": counts[name] for name in ("median", "mean", "union", "core", "sets")},
        **{f"gates.{name}": gates[name] for name in ("closed", "between", "open")},
        "faithfulness": faithful.value,
        "faithfulness.score": faithful.by_score,
        "stability.mean": float(np.nanmean(steep)),
        "stability.95": float(np.nanquantile(steep, 0.95)),
        "diversity": apart.value,
        "diversity.between": apart.between,
        "diversity.within": apart.within,
        "F1": 1.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=list(OURS), default=["E1", "E4", "E5"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two epochs a stage: only to see it run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.rows:
        print(f"{name}\n{measured(name, options.seed, options.quick).round(3).to_string(na_rep='')}\n", flush=True)


if __name__ == "__main__":
    main()
