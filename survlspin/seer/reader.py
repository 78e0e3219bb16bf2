"""Exports of SEER*Stat, fixed-width files and tables made of them: every line a row or quarantined."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .._messages import nearest
from ..errors import InputError
from .cache import cached, keep, place
from .describe import Description, describe
from .engines import Engine, engine_named
from .export import Export, Gathering, Part, refuse_many
from .lines import blocks
from .opening import digest, opened

__all__ = ["Source", "open_export", "read_export"]

BLOCK = 1 << 24
THREADS = 2


@dataclass(frozen=True, eq=False)
class Source:
    """An export that was found readable, but not read.

    Parameters
    ----------
    path : Path
    about : Description
    """

    path: Path
    about: Description

    @property
    def names(self) -> tuple[str, ...]:
        """The headers of its columns, as in the file, its ``.dic`` or ``.sas``."""
        return self.about.names

    @property
    def facts(self) -> dict:
        """What is known before reading: file, database, submission, form, delimiter, header, ..."""
        return self.about.facts

    def read(
        self,
        names: Iterable[str] | None = None,
        *,
        engine: str = "pandas",
        cache: str | Path | None = None,
        max_quarantine: float = 0.01,
    ) -> Export:
        """Read the columns of those names, or all.

        Parameters
        ----------
        names : iterable of str, optional
            Headers.
        engine : {"pandas", "polars"}
            What parses; the answer is the same.
        cache : path, optional
            A folder for a copy that is faster to read again. It holds patients: keep it where the export may be.
        max_quarantine : float
            The largest share of lines that may be quarantined.

        Raises
        ------
        InputError
            SL-501 the file cannot be opened; SL-562 it is no whole gzip file; SL-563 no rows; SL-570 too many lines
            cannot be read; SL-572 a column that is not there; SL-574 an engine that is not there; SL-575 the cache
            cannot be written.
        """
        wanted, parse = self._wanted(names), engine_named(engine)
        export = self._cached(wanted, parse, cache) if cache is not None else self._parsed(wanted, parse)
        refuse_many(self.path.name, export.facts["lines"], list(export.quarantine["reason"]), max_quarantine)
        return export

    def _parsed(self, wanted: list[int], engine: Engine) -> Export:
        gathering = Gathering(self.about, wanted, engine)
        with opened(self.path) as (stream, hashed):
            for part in _side_by_side(gathering.parse, blocks(stream, BLOCK)):
                gathering.add(part)
        return gathering.export(hashed.hexdigest())

    def _cached(self, wanted: list[int], engine: Engine, folder: str | Path) -> Export:
        names = [self.names[i] for i in wanted]
        export = cached(place(folder, digest(self.path), self.about, names), self.about, names)
        if export is None:
            export = self._parsed(wanted, engine)
            keep(place(folder, export.facts["sha256"]["file"], self.about, names), export)
        return export

    def _wanted(self, names: Iterable[str] | None) -> list[int]:
        """Return the positions of the columns that are wanted, in the file's order."""
        if names is None:
            return list(range(len(self.names)))
        names = list(names)
        for name in names:
            if name not in self.names:
                found = f"{self.path.name} has no column {name!r}{nearest(name, self.names)}."
                raise InputError("SL-572", found, "Names are those of Source.names.")
        return sorted({self.names.index(name) for name in names})


def _side_by_side(parse: Callable[[bytes, bool], Part], data: Iterable[bytes]) -> Iterator[Part]:
    """Yield the parsed blocks in their order; two are being parsed at any time."""
    waiting: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for i, block in enumerate(data):
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
            waiting.append(pool.submit(parse, block, i == 0))
        while waiting:
            yield waiting.popleft().result()


def open_export(
    path: str | Path,
    *,
    dic: str | Path | None = None,
    sas: str | Path | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Source:
    """Look at an export, without reading it.

    Parameters
    ----------
    path : str or Path
        Text, or text packed with gzip.
    dic, sas : str or Path, optional
        The ``.dic`` of an export, or the ``.sas`` of a fixed-width file; by default the one beside it.
    encoding : str, optional
        By default UTF-8 where the bytes are, else cp1252.
    delimiter : {"tab", "comma", "semicolon"}, optional
        By default the one that the ``.dic`` says, or that fits.

    Raises
    ------
    InputError
        SL-501 a file cannot be opened; SL-561 it is no text; SL-562 no whole gzip file; SL-563 it is empty; SL-564
        neither header nor ``.dic``; SL-565 a faulty ``.dic``; SL-566 a name twice; SL-567 the ``.dic`` or ``.sas`` is
        of another file; SL-568 the delimiter is not known; SL-569 a table of counts or rates; SL-571 a faulty ``.sas``;
        SL-573 an unknown encoding.
    """
    path, dic, sas = Path(path), Path(dic) if dic else None, Path(sas) if sas else None
    about = describe(path, dic, sas, encoding, delimiter)
    if about.table:
        found = f"{path.name} is a {about.table} of groups, not a listing of patients."
        raise InputError("SL-569", found, "In SEER*Stat, make a Case Listing Session with Patient ID, and export that.")
    return Source(path, about)


def read_export(path: str | Path, names: Iterable[str] | None = None, **how) -> Export:
    """Read an export; what can be said of it is what `open_export` and `Source.read` take."""
    reading = {key: how.pop(key) for key in ("engine", "cache", "max_quarantine") if key in how}
    return open_export(path, **how).read(names, **reading)
