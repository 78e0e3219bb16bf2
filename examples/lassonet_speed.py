"""Speed and C of the LassoNet path beside the package lassonet, on one thread and the same rows.

Two sets: whas500 (500 patients, 14 columns, which scikit-survival ships), and an invented registry of 5,000 patients
and 55 columns. The package runs with its default settings and Efron's ties; CoxLassoNet with a hidden layer as wide as
the package's (100), and with its own (16). The rows kept apart judge every point of a path. CoxLassoNet is timed twice:
stopping each step early on its training rows, as the package does, and with a fifth of its rows set aside, which then
choose a point. M = 0 is compared with scikit-survival's Cox lasso. Seconds are those of the processor, on one thread.

    pip install lassonet==0.0.21        # for the comparison alone
    python examples/lassonet_speed.py
"""

import argparse
import warnings
from time import process_time

import numpy as np
import pandas as pd
import torch
from sksurv.datasets import load_whas500
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv
from threadpoolctl import threadpool_limits

from survlspin import CoxLassoNet
from survlspin.metrics import concordance
from survlspin.synthetic import registry

REGISTRY = 10_000  # half to fit, half to judge
EPOCHS = 5  # of the fit before the path, where no rows say when it is over


def patients(name: str, n: int = REGISTRY):
    """Return columns of numbers (standardised on the rows to fit), outcomes, rows to fit and rows to judge."""
    if name == "whas500":
        X, found = load_whas500()
        X, y = X.astype(float), {"time": found["lenfol"].astype(float), "event": found["fstat"].astype(bool)}
        fit = 0.8
    else:
        X, found, _ = registry(n, "heterogeneous", random_state=0)
        y, fit = {"time": found["time"].astype(float), "event": found["event"].astype(bool)}, 0.5
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.split(order, [round(fit * len(X))])
    X = X.astype(float)
    X = (X - X.iloc[train].mean()) / X.iloc[train].std().replace(0, 1)
    return X, pd.DataFrame(y), train, test


def judged(model: str, seconds: float, y: pd.DataFrame, risks, used, chosen=None) -> dict:
    """Return a row of the table: the best point by the rows kept apart, and the one chosen without them."""
    c = np.array([concordance(y["time"], y["event"], r).value if np.ptp(r) > 0 else 0.5 for r in risks])
    best, row = int(c.argmax()), {"model": model, "seconds": seconds, "points": len(c)}
    row |= {"best C": c[best], "columns": used[best]}
    return row | ({} if chosen is None else {"C chosen": c[chosen], "columns chosen": used[chosen]})


def ours(X, y, train, test, apart: bool, points: int | None = None, **options) -> dict:
    """Fit the path, with rows set `apart` that validate, or with the training rows in that place; judge its points."""
    X_train, y_train = X.iloc[train], y.iloc[train]
    options |= {} if apart else {"epochs": EPOCHS}
    start = process_time()
    model = CoxLassoNet(groups="column", random_state=0, **options)
    path = model.path(X_train, y_train, None if apart else (X_train, y_train), points)
    seconds = process_time() - start
    risks = [path.at(i).predict(X.iloc[test]) for i in range(len(path))]
    name = f"CoxLassoNet {model.hidden}, {'a fifth validates' if apart else 'all rows train'}"
    return judged(name, seconds, y.iloc[test], risks, path.frame["median"].to_numpy(), path.chosen if apart else None)


def theirs(X, y, train, test) -> dict:
    """Fit the path of the package lassonet with its default settings; judge its points."""
    from lassonet import LassoNetCoxRegressor

    model = LassoNetCoxRegressor(tie_approximation="efron", verbose=0, torch_seed=0)
    x = X.to_numpy(np.float32)
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        points = model.path(x[train], y.iloc[train].to_numpy(np.float32), return_state_dicts=True)
    seconds = process_time() - start
    risks = []
    for point in points:
        model.load(point.state_dict)
        risks.append(model.predict(x[test])[:, 0])
    return judged("lassonet 0.0.21", seconds, y.iloc[test], risks, [int(p.selected.sum()) for p in points])


def lasso(X, y, train, points: int = 20) -> pd.DataFrame:
    """Return the largest difference of coefficients between M = 0 and scikit-survival's Cox lasso, by lambda."""
    X, y = X.iloc[train], y.iloc[train]
    y = y.assign(time=y["time"] + 1e-6 * np.arange(len(y)))  # theirs has Breslow's ties
    settings = {"l1_ratio": 1.0, "n_alphas": points, "alpha_min_ratio": 0.02, "tol": 1e-10, "max_iter": 10**6}
    other = CoxnetSurvivalAnalysis(**settings)
    rows = []
    options = {
        "M": 0,
        "groups": "column",
        "standardize": False,
        "validation_fraction": 0,
        "epochs": 1,
        "random_state": 0,
    }
    model = CoxLassoNet(lam=1.0, **options).fit(X, y)
    other.fit(model.design_.transform(X).astype(float), Surv.from_dataframe("event", "time", y))
    for alpha, coef in zip(other.alphas_, other.coef_.T, strict=True):
        lam = alpha * len(y) / y["event"].sum()  # their loss is divided by the rows, ours by the events
        found = model.set_params(lam=float(lam)).fit(X, y).net_.skip.weight.detach()[0, :, 0].numpy()
        rows.append({"lam": lam, "columns": int((coef != 0).sum()), "difference": np.abs(found - coef).max()})
    return pd.DataFrame(rows).set_index("lam")


def compare(name: str, rival: bool = True, n: int = REGISTRY, widths=((100,), (16,)), **options) -> pd.DataFrame:
    """Return seconds and C of the paths on one set of patients."""
    data = patients(name, n)
    ours(*data, True, 3, hidden=(4,), epochs=1)  # a first call, which loads what is needed
    rows = [ours(*data, apart, hidden=hidden, **options) for hidden in widths for apart in (False, True)]
    return pd.DataFrame(rows + ([theirs(*data)] if rival else [])).set_index("model")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["whas500", "registry"])
    parser.add_argument("--alone", action="store_true", help="without the package lassonet")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for name in settings.sets:
            print(f"\n{name}\n{compare(name, not settings.alone).round(4).to_string()}")
            print(f"\n{name}, M = 0 beside the Cox lasso\n{lasso(*patients(name)[:3]).round(6).to_string()}")
