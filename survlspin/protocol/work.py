"""Tasks for joblib's engines, each for itself: what fails or dies ends no other, and what dies is tried once more."""

from __future__ import annotations

import pickle
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from .._messages import listed
from ..errors import InputError, InputTypeError, InputWarning
from ..store import StoreFolder

__all__ = ["Failure", "Task", "carry_out", "marks_for", "refuse_failures"]

AGAIN = ".again"  # ends the marker of a second attempt
HOPELESS = ("SL-361", "SL-415")  # nothing can be written: what the others find would be lost

Task = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class Failure:
    """Why a task has no result.

    Attributes
    ----------
    reason : str
        In one line without a patient's values.
    error : Exception or None
        What was raised; None where its process died.
    """

    reason: str
    error: Exception | None = None

    @property
    def died(self) -> bool:
        """Whether the task took its process with it."""
        return self.error is None

    @property
    def hopeless(self) -> bool:
        """Whether further tasks had better not be begun."""
        return getattr(self.error, "code", None) in HOPELESS

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return the failure that an error is; what cannot be sent to another process is replaced by its traceback."""
        if isinstance(error, InputError | InputTypeError | InputWarning):
            return cls(str(error), error)
        *_, last = traceback.extract_tb(error.__traceback__)
        reason = f"{type(error).__name__} in {last.name} ({Path(last.filename).name}, line {last.lineno})."
        try:
            return cls(reason, pickle.loads(pickle.dumps(error)).with_traceback(error.__traceback__))
        except Exception:  # noqa: BLE001 - whatever an exception of others does when it is pickled
            return cls(reason, RuntimeError(traceback.format_exc()))


@contextmanager
def marks_for(store: StoreFolder | None) -> Iterator[StoreFolder]:
    """Yield where workers say what they are at: in the store, or in a folder that is there for as long as they are."""
    if store is not None:
        yield StoreFolder(store.folder)
        return
    with tempfile.TemporaryDirectory(prefix="survlspin-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "running").mkdir()
        yield StoreFolder(folder)


def carry_out(tasks: Mapping[str, Task], marks: StoreFolder, n_jobs: int | None = None) -> Iterator[tuple[str, Any]]:
    """Yield each task's key and result, or `Failure`, as they come.

    A task that raises ends no other. Where a process dies, so does the pool of joblib's own engine: the tasks that were
    running are tried once more, one at a time, and the others go on. Dask tries a dead worker's task again by itself,
    if its ``allowed-failures`` (3 by default) are 2 or more; a task that has died twice is not begun a third time.

    Parameters
    ----------
    tasks : dict
        Key (good for a file's name) -> function and arguments; all can be pickled.
    marks : StoreFolder
        Where running tasks are marked; see `marks_for`.
    n_jobs : int, optional
        Processes, as in joblib.

    Raises
    ------
    InputError
        SL-361, SL-415 at once, where the store cannot be written.
    """
    left = dict(tasks)
    while left:
        try:
            for key, result in _pool(left, marks, n_jobs):
                del left[key]
                yield key, result
        except InputError:
            raise
        except Exception:  # noqa: BLE001 - tasks catch their own: this is the engine's, and each has its own kinds
            begun = {key.removesuffix(AGAIN) for key in marks.marked()}
            for key in [key for key in left if key in begun] or list(left):
                yield key, _alone(key, left.pop(key), marks)


def refuse_failures(failed: Mapping[str, Failure], n_tasks: int, kept: str) -> None:
    """Raise if anything failed, naming it.

    Parameters
    ----------
    failed : dict
        What the task is called -> why it failed.
    n_tasks : int
        How many tasks there were.
    kept : str
        What became of the others.

    Raises
    ------
    InputError
        SL-363 tasks failed; SL-364 tasks took their process with them, twice.
    """
    dead = [name for name, failure in failed.items() if failure.died]
    rest = {name: failure for name, failure in failed.items() if not failure.died}
    died = f"the process of {listed(dead)} died twice, as where memory runs out."
    if rest:
        name, first = next(iter(rest.items()))
        found = f"{len(failed)} of {n_tasks} could not be done: {listed(rest)}. {name}: {first.reason}"
        raise InputError("SL-363", f"{found} {died if dead else ''}".rstrip(), kept) from first.error
    if dead:
        raise InputError("SL-364", died, f"{kept} Fewer processes leave more memory to each: n_jobs.")


def _pool(tasks: Mapping[str, Task], marks: StoreFolder, n_jobs: int | None) -> Iterator[tuple[str, Any]]:
    """Hand tasks to joblib, one by one and no sooner than a process is free, and yield what comes back."""
    parallel = joblib.Parallel(n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
    results = parallel([joblib.delayed(_attempt)(marks, key, *task) for key, task in tasks.items()])
    try:
        for key, result in results:
            if isinstance(result, Failure) and result.error is not None and result.hopeless:
                raise result.error
            yield key, result
    finally:
        with warnings.catch_warnings(action="ignore"):  # joblib's, where not everything was asked for
            results.close()


def _alone(key: str, task: Task, marks: StoreFolder) -> Any:
    """Carry out a task in a process of its own."""
    try:
        [(_, result)] = _pool({key: task}, marks, 2)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - the engine's, as above
        return Failure.of(error) if key not in marks.marked() else Failure("its process died.")
    return result


def _attempt(marks: StoreFolder, key: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """Carry out a task where it is, marked for as long as that lasts."""
    try:
        if marks.folder.exists():  # elsewhere in a cluster it need not
            begun = marks.marked()
            if key + AGAIN in begun:
                return key, Failure("its process died.")
            marks.mark(key + AGAIN if key in begun else key)
        result = function(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever a model raises is this task's alone
        result = Failure.of(error)
    marks.unmark(key + AGAIN)
    marks.unmark(key)
    return key, result
