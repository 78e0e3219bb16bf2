"""Worker processes whose parent was killed: nobody waits for them, and who resumes does the same work again."""

from __future__ import annotations

from multiprocessing import parent_process

import psutil

__all__ = ["stop_orphan"]


def stop_orphan() -> None:
    """End this process if it is a worker whose parent is gone."""
    parent = parent_process()
    try:
        gone = parent is not None and psutil.Process(parent.pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        gone = True
    except psutil.AccessDenied:
        gone = False
    if gone:
        raise SystemExit("the process that this one works for is gone")
