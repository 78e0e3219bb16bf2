"""A study's folder: its plan, its lock and its units."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from survlspin._messages import listed
from survlspin.errors import InputError

from .files import TEMPORARY, Damaged, as_json, cannot_write, unseal_json
from .folder import CHECKPOINTS, JSON, RUNNING, TUNING, UNITS, StoreFolder
from .lock import Holder, Lock, holder_of
from .plan import differences

__all__ = ["Store"]

PLAN, LOCK = "plan", "lock"


class Store(StoreFolder):
    """A study's folder with its plan, and with its lock if it was opened for writing; see `open` and `read`.

    A pickle of it is a `StoreFolder`: the lock stays where it was taken.

    Attributes
    ----------
    folder : Path
        Absolute.
    plan : dict
        As JSON gives it back.
    succeeded : Holder or None
        The process that held the lock and died.
    """

    plan: dict[str, Any]
    succeeded: Holder | None = None
    _lock: Lock | None = None

    def __reduce__(self):
        return StoreFolder, (self.folder, self.writable)

    @classmethod
    def open(cls, folder: str | os.PathLike, plan: Mapping[str, Any]) -> Store:
        """Take a study's folder for writing, or make it.

        Use it in a ``with``: leaving it releases the lock. What a killed process left half-written is removed.

        Parameters
        ----------
        folder : str or path
            A new or empty one, or a store.
        plan : dict
            What JSON can say. In a store of another plan, only its entries ``models`` and ``units`` may differ, and
            become those of this one: units are kept under keys of their own.

        Raises
        ------
        InputError
            SL-355 the folder holds something else; SL-356 its plan differs, and in what; SL-357 another process uses
            it; SL-358 it is locked by a process that nobody here can see; SL-359 a newer version wrote it; SL-360 its
            plan is damaged or cannot be read; SL-361 it cannot be written; SL-392 an older version wrote it.
        """
        store = cls(folder)
        store._check_folder()
        store._made(store.folder)
        store._lock = Lock(store._named(LOCK, JSON))
        try:
            store.succeeded = store._lock.take()
            store._adopt(plan)
            store._tidy()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def read(cls, folder: str | os.PathLike) -> Store:
        """Return a study's folder for reading, whoever works on it.

        Raises
        ------
        InputError
            SL-355 it is no store; SL-359, SL-392 a newer or an older version wrote it; SL-360 its plan is damaged or
            cannot be read.
        """
        store = cls(folder, writable=False)
        stored = store._stored_plan()
        if stored is None:
            raise InputError("SL-355", f"{store.folder} is no store: it has no plan.", "Name the folder of a study.")
        store.plan = stored
        return store

    @property
    def holder(self) -> Holder | None:
        """The process that holds the lock, alive or not."""
        return holder_of(self._named(LOCK, JSON))

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check_folder(self) -> None:
        """Refuse a file, and a folder of something else."""
        try:
            inside = {path.name for path in self.folder.iterdir()}
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise InputError("SL-355", f"{self.folder} is a file, or lies in one.", "Name a new folder.") from error
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        others = sorted(name for name in inside if not name.startswith((LOCK, TEMPORARY)))
        if others and self._stored_plan() is None:
            found = f"{self.folder} is no store and holds other files ({listed(others, 3)})."
            raise InputError("SL-355", found, "Name a new folder.")

    def _stored_plan(self) -> dict[str, Any] | None:
        path = self._named(PLAN, JSON)
        try:
            return unseal_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, Damaged) as error:
            why = (
                f"cannot be read: {error.strerror or error}"
                if isinstance(error, OSError)
                else "is damaged, or no store's"
            )
            remedy = f"Put back a copy of it, or begin a new store and move {UNITS} there: finished fits are found."
            raise InputError("SL-360", f"{path} {why}.", remedy) from error

    def _tidy(self) -> None:
        """Remove what killed processes left: half-written files, markers, checkpoints of finished units."""
        for path in [*self.folder.rglob(f"{TEMPORARY}*"), *(self.folder / RUNNING).iterdir()]:
            with suppress(OSError):
                path.unlink()
        for path in (self.folder / CHECKPOINTS).glob("*"):
            if self.has(path.name):
                self.forget(path.name)

    def _adopt(self, plan: Mapping[str, Any]) -> None:
        """Write the plan, once it is found to be that of the store."""
        asked, stored = as_json(plan), self._stored_plan()
        if stored is not None and (differing := differences(stored, asked)):
            found = f"{self.folder} holds another study. {'; '.join(differing)}."
            raise InputError("SL-356", found, "Name a new folder, or use the data, versions and settings of this one.")
        self.plan = asked
        if asked != stored:
            self.put_json(PLAN, asked)
        for name in (UNITS, CHECKPOINTS, RUNNING, TUNING):
            self._made(self.folder / name)
