"""Threads for small steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 500_000  # entries of a step's design below which more threads cost more than they save


@contextmanager
def fitting_threads(entries: int) -> Iterator[None]:
    """Compute on one thread while steps are small, then on as many as before."""
    threads = torch.get_num_threads()
    if entries < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
