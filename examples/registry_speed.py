"""Speed and C at registry size: Cox-LLSPIN, a forest and Cox regression on invented registries of 51,000 x 55 rows.

All are fitted in one run on two threads and judged on 20,000 other rows; 10,000 rows validate. The set "linear" has 0/1
columns and a near-linear truth, which Cox regression finds; "heterogeneous" has four subgroups with risk factors of
their own, and the forest takes minutes on its continuous columns.

    python examples/registry_speed.py --kinds linear heterogeneous --threads 2
"""

import argparse
import resource
from time import perf_counter

import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from survlspin import CoxLLSPIN
from survlspin.baselines import Forest, LifelinesCoxPH
from survlspin.metrics import concordance
from survlspin.synthetic import registry

TRAIN, VALID, TEST = 51_000, 10_000, 20_000


def timed(work):
    """Return what `work` returns and its seconds."""
    start = perf_counter()
    result = work()
    return result, perf_counter() - start


def compare(kind: str, threads: int, lam: float, forest: bool, sizes=(TRAIN, VALID, TEST), points=20):
    """Return seconds and C of every model on one kind of registry."""
    train, valid, test = (slice(sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(3))
    X, y, truth = registry(sum(sizes), kind=kind, random_state=0)
    validation = (X[valid], y[valid])

    def row(name, seconds, risk, factors):
        c = concordance(y["time"][test], y["event"][test], risk)
        return {"model": name, "seconds": seconds, "C": c.value, "SE": c.se, "factors": factors}

    rows = [row("true log-hazard", 0.0, truth.log_hazard[test], X.shape[1])]
    model, seconds = timed(lambda: CoxLLSPIN(lam=lam, random_state=0).fit(X[train], y[train], validation))
    rows.append(row(f"Cox-LLSPIN, lam={lam}", seconds, model.predict(X[test]), model.n_selected(X[test]).median()))
    path, seconds = timed(lambda: CoxLLSPIN(random_state=0).path(X[train], y[train], validation, points))
    model = path.at(path.chosen)
    name = f"Cox-LLSPIN, path of {len(path)}, lam chosen"
    rows.append(row(name, seconds, model.predict(X[test]), model.n_selected(X[test]).median()))
    others = {"Cox regression (lifelines)": LifelinesCoxPH()}
    if forest:
        others["forest, 100 trees, leaf 15"] = Forest(n_jobs=threads, random_state=0)
    for name, other in others.items():
        _, seconds = timed(lambda other=other: other.fit(X[train], y[train]))
        rows.append(row(name, seconds, other.predict(X[test]), X.shape[1]))
    return pd.DataFrame(rows).set_index("model")


def large(n: int, lam: float) -> None:
    """Print seconds and memory of one fit of `n` rows."""
    X, y, _ = registry(n + VALID, kind="linear", random_state=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    validation = (X[n:], y[n:])
    _, seconds = timed(lambda: CoxLLSPIN(lam=lam, random_state=0).fit(X[:n], y[:n], validation))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"{n:,} rows: {seconds:.1f} s, peak memory {grown:.2f} GB above the data")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["linear", "heterogeneous"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lam", type=float, default=0.002)
    parser.add_argument("--no-forest", action="store_true")
    parser.add_argument("--large", type=int, default=464_000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        for kind in options.kinds:
            table = compare(kind, options.threads, options.lam, not options.no_forest)
            print(f"\n{kind}\n{table.round(4).to_string()}", flush=True)
        if options.large:
            large(options.large, options.lam)


if __name__ == "__main__":
    main()
