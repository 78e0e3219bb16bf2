"""Ten folds trained as one stack of models against the same ten fits in a loop: the same numbers, in less time?

Each model is a Cox-LLSPIN net with its own training rows, weights and noise; all have the same settings, those of the
estimator at the number of rows, for some 240 steps. One set of rows validates all. The folds are invented patients
of `survlspin.synthetic.registry`, disjoint as in train-one/test-nine.

    python examples/stacking_speed.py --rows 200 2000 20000 --threads 1 2
    python examples/stacking_speed.py --rows 200 2000 20000 --device cuda
"""

import argparse
import math
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from survlspin import nets
from survlspin.design import Design
from survlspin.heads import Cox
from survlspin.outcome import Outcome
from survlspin.synthetic import registry
from survlspin.train import Data, Settings, fit, predict
from survlspin.train.fit import penalty_weights, seeded

FOLDS, VALID, STEPS = 10, 1_000, 240
LAM = 0.005
SAME = 1e-6  # of two log-risks, in float32


def settings_of(n: int, steps: int) -> Settings:
    """Return how the estimators train on n rows, for so many steps and without early stopping."""
    lr, batch_size = (3e-3, min(max(n // 8, 32), 256)) if n < 10_000 else (1e-2, 512)
    epochs = math.ceil(steps / math.ceil(n / batch_size))
    return Settings(epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=0.1, patience=epochs)


class Study:
    """The folds' rows, and models that are trained on them."""

    def __init__(self, n: int, device: str, steps: int, dtype: torch.dtype):
        X, y, _ = registry(FOLDS * n + VALID, random_state=0)
        self.head, self.settings = Cox(), settings_of(n, steps)
        self.design = Design.fit(X)
        x = torch.from_numpy(self.design.transform(X)).to(device, dtype)
        self.data = Data(x, self.head.prepare(Outcome(y["time"], y["event"])).to(device))
        self.rows, self.valid = np.arange(FOLDS * n).reshape(FOLDS, n), np.arange(FOLDS * n, len(X))

    def train(self, folds: list[int]) -> torch.Tensor:
        """Train the models of `folds` as one stack; return their log-risks (B, rows)."""
        net = nets.LLSPIN(len(self.design.columns), (), self.head, gate_hidden=(8,), models=len(folds))
        net.initialize(seeded(folds)).to(self.data.x)
        fit(
            net, self.head, self.data, [self.rows[fold] for fold in folds], penalty_weights(net, {"gates": LAM}),
            seeded([100 + fold for fold in folds]), self.settings, self.data, [self.valid],
        )  # fmt: skip
        return predict(net, self.data.x)[..., 0].cpu()


def timed(work):
    """Return what `work` returns and its seconds."""
    start = perf_counter()
    result = work()
    return result, perf_counter() - start


def compare(rows: int, threads: int = 1, device: str = "cpu", steps: int = STEPS, repeats: int = 3, double=False):
    """Return the seconds of both ways, the best of `repeats` by turns, and how far their log-risks differ."""
    torch.set_num_threads(threads)
    study, seconds = Study(rows, device, steps, torch.float64 if double else torch.float32), []
    for _ in range(repeats):
        stack, stacked = timed(lambda: study.train(list(range(FOLDS))))
        lone, looped = timed(lambda: torch.cat([study.train([fold]) for fold in range(FOLDS)]))
        seconds.append((stacked, looped))
    stacked, looped = np.min(seconds, 0)
    return {
        "rows per fold": rows,
        "threads": threads,
        "batch": study.settings.batch_size,
        "stack s": stacked,
        "loop s": looped,
        "ratio": looped / stacked,
        "models alike bit for bit": int((stack == lone).all(1).sum()),
        "largest difference": float((stack - lone).abs().max()),
        "spread of log-risks": float(lone.std()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 2_000, 20_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--double", action="store_true", help="in float64")
    options = parser.parse_args()
    how = {"device": options.device, "steps": options.steps, "repeats": options.repeats, "double": options.double}
    table = pd.DataFrame([compare(n, threads, **how) for n in options.rows for threads in options.threads])
    print(table.to_string(index=False, float_format="{:.3g}".format))
    assert (table["largest difference"] <= SAME).all(), "stacked models are not the models alone"


if __name__ == "__main__":
    main()
