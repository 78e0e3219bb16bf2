"""One writer at a time: a lock file that names its process, and tells the dead from the living."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from survlspin.errors import InputError

from .files import Damaged, cannot_write, seal_json, unseal_json, write

__all__ = ["Holder", "Lock"]

SAME = 2.0  # seconds within which two starts since boot are one
PATIENCE = 1.0  # seconds that a new lock may take to say who holds it
ATTEMPTS = 5


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
            before = _take(self.path, me)
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
    """Return who holds a lock; None if nobody does, or who does has not yet said so.

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
    for _ in range(ATTEMPTS):
        if _create(path, me):
            return None
        holder = _settled(path)
        if holder is None and not path.exists():
            continue  # let go meanwhile
        if holder is not None:
            _refuse_unless_dead(path, holder)
        if _succeed(path, holder, me):
            return holder
    raise InputError("SL-357", f"{path.parent} is being taken by other processes.", "Try again.")


def _succeed(path: Path, dead: Holder | None, me: Holder) -> bool:
    """Make `path` name me instead of the dead (None: it died before it wrote), unless it names somebody new.

    Only who holds the lock of the succession, a file named after the dead one's token, may do so. That lock is taken as
    any other: dying at this very moment blocks nobody either.
    """
    succession = path.with_name(f"{path.name}.{dead.token if dead else 'unsaid'}")
    _take(succession, me)
    try:
        if holder_of(path) != dead:
            return False
        write(path, seal_json(me.to_dict()))
        return True
    finally:
        succession.unlink(missing_ok=True)


def _create(path: Path, me: Holder) -> bool:
    """Make the file if there is none; return whether it was made, and still is this process's."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(seal_json(me.to_dict()))
            file.flush()
            os.fsync(handle)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return holder_of(path) == me


def _settled(path: Path) -> Holder | None:
    """Return who holds the lock, once it is said."""
    end = time.monotonic() + PATIENCE
    while (holder := holder_of(path)) is None and path.exists() and time.monotonic() < end:
        time.sleep(PATIENCE / 50)
    return holder


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
