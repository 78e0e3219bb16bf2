"""One writer at a time: a lock file that names its process, and tells the dead from the living."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from filelock import FileLock, Timeout

from survlspin.errors import InputError

from .files import Damaged, cannot_write, seal_json, unseal_json

__all__ = ["Holder", "Lock"]

SAME = 2.0  # seconds within which two starts since boot are one
PATIENCE = 10.0  # seconds to wait for others who look at a lock


@dataclass(frozen=True)
class Holder:
    """A process that holds something.

    Attributes
    ----------
    pid : int
    host : str
    started : float
        Seconds from the start of the machine to that of the process: no change of the clock moves it, and another
        process that gets the same pid later has another one.
    since : str
        Since when it holds it, UTC.
    token : str
        Of its own for every holding.
    """

    pid: int
    host: str
    started: float
    since: str
    token: str

    @classmethod
    def me(cls) -> Holder:
        """Return this process."""
        since = datetime.now(UTC).isoformat(" ", "seconds")
        return cls(os.getpid(), socket.gethostname(), _started(psutil.Process()), since, uuid4().hex)

    @classmethod
    def of(cls, stored: Any) -> Holder:
        """Return what `to_dict` made `stored` of; `Damaged` where it did not."""
        try:
            return cls(**stored)
        except TypeError as error:
            raise Damaged from error

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)

    @property
    def alive(self) -> bool | None:
        """Whether the process runs; None where that cannot be known, on another host."""
        if self.host != socket.gethostname():
            return None
        try:
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and abs(_started(process) - self.started) < SAME
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


class Lock:
    """A file that exists while it is held.

    It outlives a process that is killed. Who looks whether its holder lives, and succeeds the dead, does so under a
    lock of the operating system, on a file beside it that stays empty: of two who do one comes first.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        self.path = path
        self._mine: Holder | None = None

    def take(self) -> Holder | None:
        """Hold the lock; return the dead process that held it, if there was one.

        Raises
        ------
        InputError
            SL-357 a living process holds it (this one, too); SL-358 nobody here can know whether its process lives;
            SL-361 it cannot be written.
        """
        me = Holder.me()
        try:
            with FileLock(self.path.with_suffix(".guard"), timeout=PATIENCE, mode=0o600):
                before = _take(self.path, me)
        except (Timeout, FileExistsError) as error:
            raise InputError(
                "SL-357", f"{self.path.parent} is being taken by another process.", "Try again."
            ) from error
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._mine = me
        return before

    def release(self) -> None:
        """Let go; a lock that another process took meanwhile is left alone."""
        with suppress(OSError, InputError):  # it would hide the reason for leaving; the dead hold no lock anyway
            if self._mine is not None and self._mine.pid == os.getpid() and holder_of(self.path) == self._mine:
                self.path.unlink()
        self._mine = None


def holder_of(path: Path) -> Holder | None:
    """Return who holds a lock; None if nobody does (an empty file: who took it died before saying so).

    Raises
    ------
    InputError
        SL-358 the file is damaged.
    """
    try:
        raw = path.read_bytes()
        return Holder.of(unseal_json(raw)) if raw else None
    except FileNotFoundError:
        return None
    except Damaged as error:
        raise _unknown(path, "it does not say by whom") from error


def _take(path: Path, me: Holder) -> Holder | None:
    """Make `path` name me unless it names the living; return the dead one that it named."""
    before = holder_of(path)
    if before is not None:
        _refuse_unless_dead(path, before)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # another host may not see the guard
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(seal_json(me.to_dict()))
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return before


def _refuse_unless_dead(path: Path, holder: Holder) -> None:
    alive = holder.alive
    if alive is None:
        raise _unknown(path, f"by {holder}, and from {socket.gethostname()} nobody sees whether it still runs")
    if alive:
        who = "this process" if holder.pid == os.getpid() else str(holder)
        raise InputError("SL-357", f"{path.parent} is in use by {who}.", "Wait for it, or end it.")


def _unknown(path: Path, why: str) -> InputError:
    return InputError("SL-358", f"{path.parent} is locked {why}.", f"If nothing runs on it, delete {path}.")


def _started(process: psutil.Process) -> float:
    boot = psutil.boot_time()  # asked first: older versions of psutil then count from the same moment
    return round(process.create_time() - boot, 2)
