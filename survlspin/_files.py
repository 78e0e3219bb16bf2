"""Files that are whole or not there: the new one is complete, and on the disk, before it takes the place of the old."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["TEMPORARY", "replacing", "synchronise"]

TEMPORARY = ".survlspin-"  # how files begin that are not yet whole


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new file beside `path`, readable by its owner alone, that takes its name once all went well.

    Otherwise nothing is left behind, and `path` is as it was; an OSError is as the system raised it.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
    os.close(handle)
    new = Path(name)
    try:
        yield new
        synchronise(new, os.O_RDWR)
        os.replace(new, path)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
    with suppress(OSError):  # where folders can be synchronised, the new name is then on the disk, too
        synchronise(path.parent)


def synchronise(path: Path, how: int = os.O_RDONLY) -> None:
    """Return once a file, or the names in a folder, are on the disk."""
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
