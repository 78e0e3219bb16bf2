"""Rows with a known log-risk, as pycox's users give them, and small models for them."""

import numpy as np
import torch

from survlspin import models, nets

KINDS = {
    "lspin": (models.CoxLSPIN, lambda p, **kw: nets.LSPIN(p, hidden=(7, 3), gate_hidden=(6,), **kw)),
    "llspin": (models.CoxLLSPIN, lambda p, **kw: nets.LLSPIN(p, gate_hidden=(6,), **kw)),
    "deepsurv": (models.DeepSurv, lambda p, **kw: nets.Dense(p, hidden=(7,), **kw)),
}
GATES = {"lspin": {"gates": 0.05}, "llspin": {"gates": 0.05}, "deepsurv": {}}


def make(kind, *args, double=False, net=None, **kwargs):
    cls, build = KINDS[kind]
    net = build(5) if net is None else net
    return cls(net.double() if double else net, *args, **kwargs)


def quiet(model, rows, **kwargs):
    x, *target = rows
    return model.fit(x, tuple(target), verbose=False, **kwargs)


def weights(net):
    return torch.cat([value.detach().reshape(-1) for value in net.parameters()])


def cox_rows(n=300, p=5, levels=None, censoring=1.0, seed=0):
    """Return x (n, p) float32, durations (n,) and events (n,) of log-risk x0 - x1; with `levels`, so many times."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)).astype(np.float32)
    died = rng.exponential(np.exp(x[:, 1] - x[:, 0]))
    left = rng.exponential(1 / censoring, n) if censoring else np.full(n, np.inf)
    time = np.minimum(died, left)
    if levels is not None:
        edges = np.quantile(time, np.linspace(0, 1, levels + 1)[1:-1])
        time = np.searchsorted(edges, time) + 1.0
    return x, time, (died <= left).astype(np.int64)
