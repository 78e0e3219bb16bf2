"""Invented patients with a registry's kinds of columns."""

import numpy as np
import pandas as pd

from survlspin.outcome import Outcome


def patients(n=60):
    """A registry's kinds of columns: measurements, counts with many zeros, flags, ordered and free categories."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(60, 10, n),
            "progrec": np.where(rng.random(n) < 0.6, 0, rng.integers(0, 2000, n)),
            "node positive": rng.random(n) < 0.7,
            "tgrade": pd.Categorical(
                rng.choice(["I", "II", "III"], n, p=[0.2, 0.6, 0.2]), ["0", "I", "II", "III"], True
            ),
            "site=": rng.choice(["outer", "inner", "größe"], n, p=[0.2, 0.2, 0.6]),
        },
        index=[f"p{i:03}" for i in range(n)],
    )


def follow_up(n=60):
    rng = np.random.default_rng(5)
    return Outcome.of((rng.exponential(60, n), rng.random(n) < 0.5))
