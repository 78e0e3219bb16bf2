"""Where the trials of a search are kept: memory, a journal file, or a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ..errors import InputError
from ..store.files import cannot_write

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import BaseJournalBackend

__all__ = ["finished", "opened", "trials_done"]

REASON = "reason"  # the attribute of a trial that failed by itself; one that was cut off has none
PATIENCE = 30  # seconds to wait for others at a database
RELEASE = 10  # seconds in which a worker whose parent was killed ends, as a rule


@contextmanager
def opened(storage: Path | str | None) -> Iterator[BaseStorage]:
    """Open what `search` was given.

    Raises
    ------
    InputError
        SL-374 a database that cannot be used, SL-375 a journal at which another process works, SL-379 a journal that is
        damaged, SL-361 one that cannot be written.
    """
    from optuna.storages import InMemoryStorage

    if storage is None:
        yield InMemoryStorage()
    else:
        with _journal(storage) if isinstance(storage, Path) else _database(storage) as found:
            yield found


def trials_done(journal: Path) -> int:
    """Return how many trials of a search its journal file says are finished; 0 where there is no such file."""
    from optuna.storages.journal import JournalFileBackend

    if not journal.exists():
        return 0
    storage = _read(JournalFileBackend(str(journal)), journal)
    return sum(len(finished(storage.get_all_trials(study._study_id))) for study in storage.get_all_studies())


def finished(trials: list) -> list:
    """Return the trials of Optuna that came to their end, with a value or a reason for none, in their order."""
    from optuna.trial import TrialState

    return [t for t in trials if t.state == TrialState.COMPLETE or (t.state.is_finished() and REASON in t.user_attrs)]


@contextmanager
def _journal(path: Path) -> Iterator[BaseStorage]:
    """Open a journal file for this process alone.

    The operating system ends the hold of a process that dies. What such a process leaves behind then is nobody's and
    cleared away: Optuna's own lock, and a last line that was being written.
    """
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    hold = FileLock(f"{path}.held", mode=0o600)
    try:
        path.touch(mode=0o600)
        hold.acquire(timeout=RELEASE)
        Path(f"{path}.lock").unlink(missing_ok=True)
        _trim(path)
    except Timeout as error:
        raise InputError("SL-375", f"another process works at {path}.", "Wait until it has ended.") from error
    except OSError as error:
        hold.release()
        raise cannot_write(path, error) from error
    try:
        yield _read(JournalFileBackend(str(path), JournalFileOpenLock(str(path))), path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        hold.release()


def _read(backend: BaseJournalBackend, path: Path) -> JournalStorage:
    from optuna.storages import JournalStorage

    try:
        return JournalStorage(backend)
    except (ValueError, LookupError) as error:
        raise InputError("SL-379", f"{path} is damaged.", "Delete it: its trials are then made again.") from error


def _trim(path: Path) -> None:
    """Cut off a last line without an end."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)


@contextmanager
def _database(url: str) -> Iterator[BaseStorage]:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = _connected(url)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (SQLAlchemyError, StorageInternalError) as error:
        raise _no_database(error) from error


def _connected(url: str) -> RDBStorage:
    """Connect to a database. Its tables are made at first, and others may be making them: then they are there soon."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DBAPIError

    options = {"connect_args": {"timeout": PATIENCE}} if url.startswith("sqlite") else {}
    end = monotonic() + PATIENCE
    while True:
        try:
            return RDBStorage(url, engine_kwargs=options)
        except (ImportError, RuntimeError) as error:  # no driver, or tables of another version of Optuna
            raise _no_database(error) from error
        except DBAPIError as error:
            if error.statement is None or monotonic() > end:  # without a statement there was no connection
                raise
            sleep(0.2)


def _no_database(error: Exception) -> InputError:
    """Return the coded error, without the URL, which may hold a password."""
    found = f"the database of the trials cannot be used: {type(error).__name__}."
    return InputError("SL-374", found, "Check its URL, that it runs, and that its driver is installed.")
