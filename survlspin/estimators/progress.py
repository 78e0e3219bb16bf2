"""The progress bar of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm


@contextmanager
def progress_bar(label: str, shown: bool) -> Iterator[Callable[[int, int, int], None] | None]:
    """Yield a function of (epoch, epochs, models still in training) that moves a bar with its ETA, or None."""
    if not shown:
        yield None
        return
    with tqdm(desc=label, unit="epoch") as bar:

        def show(epoch: int, epochs: int, models: int) -> None:
            bar.total = epochs
            bar.set_postfix(training=models, refresh=False)
            bar.update(epoch - bar.n)

        yield show
