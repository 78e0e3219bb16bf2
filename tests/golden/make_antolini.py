"""Make antolini.json: pycox's time-dependent concordance of small random survival curves that tie and cross."""

import importlib.metadata
import json

import numpy as np
from pycox.evaluation.concordance import concordance_td
from pycox.utils import idx_at_times

rng = np.random.default_rng(0)
cases = []
while len(cases) < 60:
    n, last = int(rng.integers(3, 16)), (2, 5, 1000)[len(cases) % 3]
    time, event = rng.integers(1, last + 1, n).astype(float), rng.integers(0, 2, n)
    times = np.unique(rng.integers(0, 7, 4)).astype(float)
    survival = np.sort(rng.integers(0, 5, (n, len(times))) / 4, axis=1)[:, ::-1]
    own = idx_at_times(times, time, "post")
    try:
        found = {how: concordance_td(time, event, survival.T, own, how) for how in ("antolini", "adj_antolini")}
    except ZeroDivisionError:  # no comparable pair
        continue
    data = {"time": time, "event": event, "survival": survival, "times": times}
    cases.append({name: values.tolist() for name, values in data.items()} | found)
with open("antolini.json", "w", encoding="utf-8") as file:
    json.dump({"pycox": importlib.metadata.version("pycox"), "cases": cases}, file)
