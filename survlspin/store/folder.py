"""The files of a study's units: results, checkpoints, and who is at what."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np

from survlspin.errors import InputError

from .files import (
    Arrays,
    Damaged,
    cannot_write,
    canonical,
    digest,
    seal_arrays,
    seal_json,
    unseal_arrays,
    unseal_json,
    write,
)
from .lock import Holder

__all__ = ["CHECKPOINTS", "JSON", "RUNNING", "TUNING", "UNITS", "StoreFolder"]

UNITS, CHECKPOINTS, RUNNING, TUNING = "units", "checkpoints", "running", "tuning"
KEY, FACTS = "key", "facts"  # what the file of a unit says of it
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
        """Return a unit's arrays and facts; None if it is absent or was found damaged (SL-360: cannot be read).

        A file of another unit, renamed, is as one that is damaged.
        """

        def own(raw: bytes) -> Arrays:
            arrays, facts = unseal_arrays(raw)
            if facts.get(KEY) != key:
                raise Damaged
            return arrays, facts[FACTS]

        return self._read(self._unit(key), own)

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
        self._write(self._unit(key), seal_arrays(arrays, {KEY: key, FACTS: facts}))

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
        path = self.folder / CHECKPOINTS / key
        self._check_writable(path)
        shutil.rmtree(path, ignore_errors=True)

    def journal(self, name: str) -> Path:
        """Return the path of a tuning study's journal: names that differ in any way have different files."""
        stem = f"{quote(name, safe=' ')[:80]}-{digest(name.encode('utf-8', 'surrogatepass'))[:8]}"
        return self._made(self.folder / TUNING) / f"{stem}.journal"

    def mark(self, key: str) -> None:
        """Say that this process works on a unit."""
        self._write(self._marker(key), seal_json(Holder.me().to_dict()))

    def unmark(self, key: str) -> None:
        """Say that nobody works on a unit any more."""
        path = self._marker(key)
        self._check_writable(path)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error

    def marked(self) -> dict[str, Holder]:
        """Return who works on which unit, by key; that a holder is not ``alive`` means that it died at it."""
        paths = sorted((self.folder / RUNNING).glob(f"*{JSON}"))
        found = {path.stem: self._read(path, lambda raw: Holder.of(unseal_json(raw))) for path in paths}
        return {key: holder for key, holder in found.items() if holder is not None}

    def whole(self, path: Path) -> bool | None:
        """Return whether a file of the store is as it was written; None where it has no checksum, or is gone."""
        if path.suffix == DAMAGED:
            return False
        unseal: Callable[[bytes], Any] | None = {JSON: unseal_json, ARRAYS: unseal_arrays}.get(path.suffix)
        try:
            content = None if unseal is None else unseal(path.read_bytes())
        except FileNotFoundError:
            return None
        except Damaged:
            return False
        if path.parent == self.folder / UNITS and content is not None:
            return content[1].get(KEY) == path.stem
        return None if unseal is None else True

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
        self._check_writable(path)
        write(path, content)

    def _check_writable(self, path: Path) -> None:
        if not self.writable:
            found = f"{path} cannot be written: the store was opened for reading."
            raise InputError("SL-361", found, "Open it for writing.")

    def _made(self, folder: Path) -> Path:
        """Make a folder if it is not there; a reader does not."""
        try:
            if self.writable:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder
