"""The tables of a comparison: their files, and their rows as plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from survlspin.probes import upper_bound
from survlspin.runs import Runs
from survlspin.tables import write_counts
from survlspin.tuning import Ledger
from survlspin.tuning.search import best_of

__all__ = ["COUNTS", "settled", "written"]

COUNTS = (2, 4, 6)
OURS = ("LLSPIN", "LSPIN")
ESTIMATE = ("C", "se", "low", "high")
DIFFERENCE = ("difference", "difference_se", "difference_low", "difference_high")


def written(runs: Runs, n_factors: int, out: Path) -> tuple[dict[str, Any], list[Path]]:
    """Write the tables into a folder.

    Parameters
    ----------
    runs : Runs
    n_factors : int
        Factors that a model may use.
    out : Path

    Returns
    -------
    dict, list of Path
        The tables as plain values, and the files.
    """
    tables, files = _tables(runs, n_factors), runs.save(out)
    for name in ("differences", "at_counts", "differences_at_counts"):
        tables[name].to_csv(out / f"{name}.csv", index=False)
        files.append(out / f"{name}.csv")
    agreement = []
    for model in runs.paths:
        table = runs.agreement(model)
        files.append(out / f"agreement-{model}.csv")
        write_counts(table, files[-1])
        agreement.append({"model": model, **_agreement(table)})
    stability = runs.stability()
    found = {name: _records(table) for name, table in tables.items()}
    found |= {"agreement": agreement, "stability": _records(stability.loc[list(runs.paths)].reset_index())}
    found |= {"stability_note": stability.attrs["nogueira"], "probed": _probed(runs), "tuned": _tuned(runs)}
    return {**found, "C_definition": runs.attrs["C"], "interval": runs.attrs["interval"]}, files


def settled(ledger: Ledger) -> pd.DataFrame:
    """Return the best trial of each model and fold: ``model``, ``fold``, ``value``, ``params``."""
    searches = ledger.trials.groupby(["model", "fold"], sort=False)
    best = ledger.trials.loc[[best_of(trials) for _, trials in searches]]
    return best.assign(params=best["params"].map(json.loads))[["model", "fold", "value", "params"]]


def _tuned(runs: Runs) -> dict[str, Any] | None:
    """Return what tuning saw and found, and what was not tested for it."""
    if (ledger := runs.ledger) is None:
        return None
    trials = ledger.trials
    seen = trials.drop_duplicates("fold")[["fold", "train_rows", "validation_rows"]]
    return {
        "frozen": ledger.frozen,
        "test_rows": ledger.test_rows(),
        "seen": _records(seen),
        "trials": len(trials),
        "failed": int((trials["state"] == "failed").sum()),
        "best": settled(ledger).to_dict("records"),
        "not_tuned": [model for model in runs.validation if model not in set(trials["model"])],
        "aside": max(len(fold.aside) for fold in runs.folds.values()),
    }


def _probed(runs: Runs) -> dict[str, Any] | None:
    """Return what the models that select made of the probes, and what selecting none would have said."""
    if not runs.probes:
        return None
    table = runs.probe_table()
    own = table.loc[list(runs.paths)]
    n = len(runs.probes)
    return {"n": n, "none": upper_bound(0, n), "rule": table.attrs["upper"], "models": _records(own.reset_index())}


def _agreement(table: pd.DataFrame) -> dict[str, float]:
    """Return, over the patients that models say something of, how many do, and how many factors any, most, all list."""
    said = table[table.iloc[:, 0] > 0]
    models, counts = said.iloc[:, 0].to_numpy()[:, None], said.iloc[:, 1:].to_numpy()
    least = {"any": 1, "half": models / 2, "all": models}
    return {"models": float(models.mean()), **{k: float((counts >= n).sum(axis=1).mean()) for k, n in least.items()}}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records"))


def _tables(runs: Runs, n_factors: int) -> dict[str, pd.DataFrame]:
    """Return the tables: one row per model; per pair of models; per model and count."""
    table = runs.table().reset_index()
    names = list(table["model"])
    ours = [name for name in OURS if name in names]
    pairs = [_minus(runs.table(reference=name), name) for name in ours]
    pairs[-1] = pairs[-1][~pairs[-1]["other"].isin(ours)]  # each pair once
    counts = [k for k in COUNTS if k <= n_factors]
    at_counts = pd.DataFrame(columns=["model", "count", *ESTIMATE])
    beside = pd.DataFrame(columns=["model", "other", "count", *DIFFERENCE])
    if counts:
        found = runs.at_counts(counts)
        at_counts = found.reset_index().sort_values("model", key=lambda m: m.map(names.index), kind="stable")
        beside = _minus(found, OURS[0])
    return {
        "models": table[["model", *ESTIMATE, "factors", "seconds", "validation"]],
        "differences": pd.concat(pairs, ignore_index=True)[["model", "other", *DIFFERENCE]],
        "at_counts": at_counts[["model", "count", *ESTIMATE]],
        "differences_at_counts": beside[["model", "other", "count", *DIFFERENCE]],
    }


def _minus(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return `model` minus each other one, from a table with the differences of the others from it."""
    others = table.reset_index().rename(columns={"model": "other"})
    low, high = -others["difference_high"], -others["difference_low"]
    turned = others.assign(model=model, difference=-others["difference"], difference_low=low, difference_high=high)
    return turned[turned["other"] != model]
