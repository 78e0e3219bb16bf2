"""A study's folder: its plan, and for every unit of work the result, the checkpoints, and who is at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np

from survlspin._messages import listed
from survlspin.errors import InputError

from .files import (
    TEMPORARY,
    Arrays,
    Damaged,
    as_json,
    cannot_write,
    canonical,
    digest,
    seal_arrays,
    seal_json,
    unseal_arrays,
    unseal_json,
    write,
)
from .lock import Holder, Lock, holder_of
from .plan import differences

__all__ = ["Store", "StoreFolder"]

PLAN, LOCK = "plan", "lock.json"
UNITS, CHECKPOINTS, RUNNING, TUNING = "units", "checkpoints", "running", "tuning"
ARRAYS, JSON, DAMAGED = ".safetensors", ".json", ".damaged"

Content = TypeVar("Content")


class StoreFolder:
    """What workers need of a store: the files of units. It can be pickled and takes no lock.

    A file that is not as it was written is never believed: it is renamed ``*.damaged`` and counts as absent.

    Parameters
    ----------
    folder : str or path
    writable : bool
        False: nothing is written, renamed or removed.

    Attributes
    ----------
    folder : Path
        Absolute.
    writable : bool
    """

    def __init__(self, folder: str | os.PathLike, writable: bool = True):
        self.folder = Path(os.path.abspath(folder))
        self.writable = writable
        self._disbelieved: set[Path] = set()

    @staticmethod
    def key(facts: Mapping[str, Any]) -> str:
        """Return the name of a unit made from all that decides its result, whatever the order of the facts."""
        return digest(canonical(facts))[:32]

    def has(self, key: str) -> bool:
        """Return whether a unit's result is there; whether it is whole is seen when it is loaded."""
        return self._unit(key).exists()

    def keys(self) -> list[str]:
        """Return the keys of the units that are there."""
        return sorted(path.stem for path in (self.folder / UNITS).glob(f"*{ARRAYS}"))

    def load(self, key: str) -> Arrays | None:
        """Return a unit's arrays and facts; None if it is absent or was found damaged (SL-360: cannot be read)."""
        return self._read(self._unit(key), unseal_arrays)

    def save(self, key: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Write a unit's result, whole or not at all.

        Parameters
        ----------
        key : str
            Of `key`.
        arrays : dict
            Name -> array of numbers or flags, of any shape.
        facts : dict
            What JSON can say.

        Raises
        ------
        InputError
            SL-361 it cannot be written; what was there is as it was.
        """
        self._write(self._unit(key), seal_arrays(arrays, facts))

    def put_arrays(self, name: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any] | None = None) -> None:
        """Write arrays of the study itself; as `save`."""
        self._write(self._named(name, ARRAYS), seal_arrays(arrays, facts or {}))

    def get_arrays(self, name: str) -> Arrays | None:
        """Return what `put_arrays` wrote; None if it is absent or was found damaged."""
        return self._read(self._named(name, ARRAYS), unseal_arrays)

    def put_json(self, name: str, value: Any) -> None:
        """Write a value of the study itself as JSON, whole or not at all (SL-361: it cannot be written)."""
        self._write(self._named(name, JSON), seal_json(value))

    def get_json(self, name: str) -> Any:
        """Return what `put_json` wrote; None if it is absent or was found damaged."""
        return self._read(self._named(name, JSON), unseal_json)

    def checkpoints(self, key: str) -> Path:
        """Return the folder of a unit's checkpoints, made if need be."""
        return self._made(self.folder / CHECKPOINTS / key)

    def forget(self, key: str) -> None:
        """Remove a unit's checkpoints."""
        shutil.rmtree(self.folder / CHECKPOINTS / key, ignore_errors=True)

    def journal(self, name: str) -> Path:
        """Return the path of a tuning study's journal: names that differ in any way have different files."""
        stem = f"{quote(name, safe=' ')[:80]}-{digest(name.encode('utf-8', 'surrogatepass'))[:8]}"
        return self._made(self.folder / TUNING) / f"{stem}.journal"

    def mark(self, key: str) -> None:
        """Say that this process works on a unit."""
        self._write(self._marker(key), seal_json(Holder.me().to_dict()))

    def unmark(self, key: str) -> None:
        """Say that nobody works on a unit any more."""
        self._marker(key).unlink(missing_ok=True)

    def marked(self) -> dict[str, Holder]:
        """Return who works on which unit, by key; that a holder is not ``alive`` means that it died at it."""
        found = {path.stem: self._read(path, unseal_json) for path in sorted((self.folder / RUNNING).glob(f"*{JSON}"))}
        return {key: Holder.of(stored) for key, stored in found.items() if stored is not None}

    @property
    def damaged(self) -> int:
        """The number of files that were found damaged."""
        aside = {path.with_name(path.name.removesuffix(DAMAGED)) for path in self.folder.rglob(f"*{DAMAGED}")}
        return len(aside | self._disbelieved)

    def _unit(self, key: str) -> Path:
        return self.folder / UNITS / f"{key}{ARRAYS}"

    def _marker(self, key: str) -> Path:
        return self.folder / RUNNING / f"{key}{JSON}"

    def _named(self, name: str, ending: str) -> Path:
        return self.folder / f"{quote(name, safe='')}{ending}"

    def _read(self, path: Path, unseal: Callable[[bytes], Content]) -> Content | None:
        try:
            return unseal(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            found = f"{path} cannot be read: {error.strerror or error}."
            raise InputError("SL-360", found, "Mend this, and run again.") from error
        except Damaged:
            self._disbelieved.add(path)
            if self.writable:
                with suppress(OSError):
                    os.replace(path, path.with_name(path.name + DAMAGED))
            return None

    def _write(self, path: Path, content: bytes | bytearray) -> None:
        if not self.writable:
            raise InputError("SL-361", f"{path} cannot be written: the store was opened for reading.")
        write(path, content)

    def _made(self, folder: Path) -> Path:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder


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
            plan is damaged or cannot be read; SL-361 it cannot be written.
        """
        store = cls(folder)
        store._check_folder()
        try:
            store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(store.folder, error) from error
        store._lock = Lock(store.folder / LOCK)
        store.succeeded = store._lock.take()
        try:
            store._tidy()
            store._adopt(plan)
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
            SL-355 it is no store; SL-359 a newer version wrote it; SL-360 its plan is damaged or cannot be read.
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
        return holder_of(self.folder / LOCK)

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
        if others and PLAN + JSON not in inside:
            found = f"{self.folder} is no store and holds other files ({listed(others, 3)})."
            raise InputError("SL-355", found, "Name a new folder.")

    def _stored_plan(self) -> dict[str, Any] | None:
        path = self._named(PLAN, JSON)
        try:
            return unseal_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, Damaged) as error:
            why = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else "is damaged"
            remedy = f"Put back a copy of it, or begin a new store and move {UNITS} there: finished fits are found."
            raise InputError("SL-360", f"{path} {why}.", remedy) from error

    def _tidy(self) -> None:
        """Remove what killed processes left: half-written files, markers, checkpoints of finished units."""
        for path in [
            *self.folder.rglob(f"{TEMPORARY}*"),
            *self.folder.glob(f"{LOCK}.*"),
            *self.folder.glob("running/*"),
        ]:
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
        for name in (UNITS, CHECKPOINTS, RUNNING, TUNING):
            self._made(self.folder / name)
        self.plan = asked
        if asked != stored:
            self.put_json(PLAN, asked)
