"""NIMO on the invented data of its paper and on survival times: our figures, the paper's, and what no model can beat.

Every data set has 200 rows that train, 100 that validate and 100 that test. The draws of a kind are trained as one
stack, each from several starts, of which the one with the best validation objective counts. The paper's figures are
of single draws, as their spread shows.

    python examples/nimo_tables.py --kinds toy S1 S2 S3 S4 C1 C2 C3 --draws 10
    python examples/nimo_tables.py --survival S1 S3
"""

import argparse
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from survlspin.heads import Bernoulli, Cox, Gaussian
from survlspin.metrics import concordance
from survlspin.nets import NIMO
from survlspin.nimo_data import CLASSES, NOISE, bayes_accuracy, draw, survival
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.train import Data, Settings, fit, predict
from survlspin.train.fit import penalty_weights, seeded

TRAIN, VALID, TEST = 200, 100, 100
PAPER = {"toy": 0.166, "S1": 0.030, "S2": 0.217, "S3": 0.334, "S4": 0.048, "C1": 0.92, "C2": 0.85, "C3": 0.84}
NUMBERS = {"lam": {"lasso": 0.003, "group": 0.05}, "frequency": 3.0, "noise": 0.1, "epochs": 3000}
LABELS = {"lam": {"lasso": 0.003, "group": 0.02}, "frequency": 6.28, "noise": 0.2, "epochs": 600}
TIMES = {"lam": {"lasso": 0.02, "group": 0.05}, "frequency": 2.0, "noise": 0.1, "epochs": 400}
ROWS = {"S1": 1000, "S3": 600}  # of survival data, a fifth of which validate
NEW = 4000  # patients who test


def trained(head, data, parts, draws, restarts, how, seed=0, hidden=(32, 64), bounds=(-1.0, 1.0)):
    """Return the best of each draw's models by validation objective, as one stack.

    `parts` are the numbers of rows of one draw that train, validate and test; the draws follow one another.
    """
    models, size = draws * restarts, sum(parts)
    net = NIMO(
        data.x.shape[1], hidden, head, bounds=bounds, frequency=how["frequency"], noise=how["noise"], models=models
    ).initialize(seeded(range(seed, seed + models)))
    train = [np.arange(parts[0]) + size * i for i in range(draws)]
    valid = [np.arange(parts[0], parts[0] + parts[1]) + size * i for i in range(draws)]
    settings = Settings(epochs=how["epochs"], batch_size=None, lr=3e-3, patience=how["epochs"])
    lam, generators = penalty_weights(net, how["lam"]), seeded(range(seed, seed + models))
    history = fit(net, head, data, train, lam, generators, settings, data, valid)
    best = history.objective.reshape(draws, restarts).argmin(1) + restarts * np.arange(draws)
    return net.rows(best.tolist())


def tested(net, data, parts):
    """Return each draw's outputs for its rows that test, a list of arrays."""
    size, first = sum(parts), parts[0] + parts[1]
    x = [data.x[size * i + first : size * (i + 1)] for i in range(net.models)]
    return [predict(net.rows([i]), rows)[0, :, 0].double().numpy() for i, rows in enumerate(x)]


def paper(kind: str, draws: int, restarts: int, how: dict | None = None) -> dict:
    """Return test error (numbers) or accuracy (classes) over the draws, beside the paper's and the truth's."""
    start, classes, parts = perf_counter(), kind in CLASSES, (TRAIN, VALID, TEST)
    how, head = how or (LABELS if classes else NUMBERS), Bernoulli() if classes else Gaussian()
    sets = [draw(kind, sum(parts), seed) for seed in range(draws)]
    x, y = (np.concatenate(arrays) for arrays in zip(*sets, strict=True))
    data = Data(torch.from_numpy(x.astype(np.float32)), head.prepare(Response(y)))
    net = trained(head, data, parts, draws, restarts, how, bounds=(-2.0, 2.0) if classes else (-1.0, 1.0))
    found = []
    for eta, (_, own) in zip(tested(net, data, parts), sets, strict=True):
        own = own[-TEST:]
        found.append(np.mean((eta > 0) == own) if classes else np.mean((eta - own) ** 2))
    return {
        "kind": kind,
        "mean": np.mean(found),
        "sd": np.std(found, ddof=1) if draws > 1 else np.nan,
        "median": np.median(found),
        "paper": PAPER[kind],
        "truth": bayes_accuracy(kind) if classes else NOISE**2,
        "columns": net.linear_columns.sum(1).float().mean().item(),
        "in the net": net.nonlinear_columns.sum(1).float().mean().item(),
        "seconds": perf_counter() - start,
    }


def times(kind: str, draws: int, restarts: int, how: dict = TIMES) -> dict:
    """Return the mean C of NIMO, of linear Cox regression and of the true log-hazard on new patients."""
    n = ROWS[kind]
    parts, start, head = (n - n // 5, n // 5, NEW), perf_counter(), Cox()
    sets = [survival(kind, sum(parts), seed) for seed in range(draws)]
    x, y, log_hazard = (np.concatenate(arrays) for arrays in zip(*sets, strict=True))
    outcome = Outcome(y["time"], y["event"].astype(int))
    data = Data(torch.from_numpy(x.astype(np.float32)), head.prepare(outcome))
    net = trained(head, data, parts, draws, restarts, how)
    linear = trained(head, data, (n, 0, NEW), draws, 1, {**how, "lam": {}, "epochs": 0}, hidden=())
    truth = [own[n:] for own in np.split(log_hazard, draws)]
    risks = {"NIMO": tested(net, data, parts), "linear": tested(linear, data, parts), "truth": truth}
    c = {
        name: [
            concordance(own["time"][n:], own["event"][n:], r).value
            for own, r in zip(np.split(y, draws), risk, strict=True)
        ]
        for name, risk in risks.items()
    }
    means = {name: np.mean(values) for name, values in c.items()}
    return {"kind": kind, "rows": n, **means, "sd": np.std(c["NIMO"]), "seconds": perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="*", default=["toy", "S1", "S4", "C1"], choices=list(PAPER))
    parser.add_argument("--survival", nargs="*", default=["S3"], choices=list(ROWS))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for title, run, kinds in [
        ("test error (toy, S) or accuracy (C)", paper, options.kinds),
        ("C-index on new patients", times, options.survival),
    ]:
        rows = []
        for kind in kinds:
            rows.append(run(kind, options.draws, options.restarts))
            print(f"\n{title}\n{pd.DataFrame(rows).set_index('kind').round(4).to_string()}", flush=True)


if __name__ == "__main__":
    main()
