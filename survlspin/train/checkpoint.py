"""Checkpoints: training that was cut off goes on where it was, to the same numbers bit for bit."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from .. import __version__
from .._files import TEMPORARY, replacing, synchronise
from .._orphans import stop_orphan
from ..errors import InputError, InputWarning

__all__ = ["Work", "is_whole", "keeping", "of"]

FORMAT = 1
DIGEST = hashlib.sha256().digest_size
NEXT = "/"  # between the names of dicts within dicts

State: TypeAlias = "dict[str, Tensor | State]"
_KEEPING: ContextVar[_Folder | None] = ContextVar("survlspin_checkpoints", default=None)


class Work(Protocol):
    """Work that goes on round by round, and can go on elsewhere from the state it was in after any of them."""

    over: bool

    def state(self) -> State:
        """Return everything that the next rounds and the result depend on, besides what the work began with."""

    def restore(self, state: State) -> None:
        """Take on a state, right after the beginning."""


@contextmanager
def keeping(folder: str | os.PathLike, every: float = 30.0) -> Iterator[None]:
    """Keep, and go on from, checkpoints of everything that is trained inside the ``with`` block.

    The work inside is told apart by its order. Begun again after an interruption, with the same folder, the same
    work in the same order takes what was finished from there and goes on with the rest, to the numbers it would have
    had uninterrupted, bit for bit on one machine and number of threads.

    Parameters
    ----------
    folder : str or path
        For these checkpoints alone, and for one process at a time; it is made, for its owner's eyes only.
    every : float
        Seconds between two checkpoints of the same work, at least; there is one at its end, too.

    Raises
    ------
    InputError
        SL-415 where nothing can be written in the folder.

    Notes
    -----
    A checkpoint is written beside the one before, with a checksum, before it takes its place. One that is damaged is
    renamed, with a warning (SL-416), and the one before used. One of other work (other data, rows, settings,
    lambdas, seeds or versions) is passed over, too. Where a checkpoint cannot be written, because the disk is full,
    say, training goes on with a warning (SL-414): those written before stay, and later ones are tried. A worker process
    whose parent is gone ends: who goes on from its checkpoints has them alone.
    """
    path = Path(folder)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in path.glob(f"{TEMPORARY}*"):  # by a process that was killed
            left.unlink()
        reason = "" if os.access(path, os.W_OK | os.X_OK) else "permission denied, or a read-only disk"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise InputError("SL-415", f"no checkpoints can be kept in {path}: {reason}.", "Name another folder.")
    token = _KEEPING.set(_Folder(path, every))
    try:
        yield
    finally:
        _KEEPING.reset(token)


def of(work: Work) -> _Kept | _NotKept:
    """Return the keeper of `work` that is about to begin; inside `keeping` it restores what was kept of it.

    Its ``save()``, after every round, writes a checkpoint where one is due.
    """
    folder = _KEEPING.get()
    if folder is None:
        return _NotKept()
    folder.begun += 1
    return _Kept(work, folder.path / f"{folder.begun:03d}.checkpoint", folder.every)


def is_whole(content: bytes) -> bool:
    """Return whether the bytes of a checkpoint are as they were written."""
    return hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]


@dataclass
class _Folder:
    """Where checkpoints are kept, and how much work has begun."""

    path: Path
    every: float
    begun: int = 0


class _NotKept:
    """Outside `keeping`."""

    def save(self) -> None:
        """Write nothing."""


class _Kept:
    """The checkpoints of one piece of work: the newest and the one before.

    A file is a checksum of the rest, a digest of the problem, and the state's tensors.
    """

    def __init__(self, work: Work, newest: Path, every: float):
        self.work, self.every, self.newest = work, every, newest
        self.before = newest.with_suffix(".before")
        self.problem = _digest([FORMAT, __version__, str(torch.__version__), work], {})
        self.failed = False
        state = self._read(self.newest) or self._read(self.before)
        if state is not None:
            work.restore(_nested(state))
        self.due = monotonic() + every

    def save(self) -> None:
        """Write a checkpoint if one is due, or the work is over."""
        if not self.work.over and monotonic() < self.due:
            return
        stop_orphan()
        content = self.problem + save(dict(_flat(self.work.state())))
        try:
            self._write(hashlib.sha256(content).digest() + content)
        except OSError as error:
            if not self.failed:
                found = f"a checkpoint in {self.newest.parent} cannot be written: {error.strerror or error}."
                remedy = "Training goes on; cut off now, it would be begun from the checkpoint before."
                warnings.warn(InputWarning("SL-414", found, remedy), stacklevel=2)
            self.failed = True
        self.due = monotonic() + self.every

    def _write(self, content: bytes) -> None:
        with replacing(self.newest) as new:
            new.write_bytes(content)
            synchronise(new, os.O_RDWR)
            if self.newest.exists():
                self.newest.replace(self.before)

    def _read(self, path: Path) -> dict[str, Tensor] | None:
        """Return the state in a file; None where there is none, it is damaged, or of another problem."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            content = b""
        if not is_whole(content):
            path.replace(path.with_suffix(".damaged"))
            remedy = "The one before is used, if there is one: nothing but time is lost."
            warnings.warn(InputWarning("SL-416", f"the checkpoint {path} is damaged.", remedy), stacklevel=2)
            return None
        same = content[DIGEST : 2 * DIGEST] == self.problem
        return {name: value.clone() for name, value in load(content[2 * DIGEST :]).items()} if same else None


def _flat(state: State, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in state.items():
        if isinstance(value, Tensor):
            yield prefix + name, value.detach().cpu().clone(memory_format=torch.contiguous_format)
        else:
            yield from _flat(value, prefix + name + NEXT)


def _nested(flat: Mapping[str, Tensor]) -> State:
    state: State = {}
    for name, value in flat.items():
        *outer, last = name.split(NEXT)
        inner: Any = state
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return state


def _digest(value: object, known: dict[int, tuple[object, bytes]]) -> bytes:
    """Return a digest of everything in `value`; what is `known` already is not read again."""
    if id(value) not in known:
        digest = hashlib.sha256(f"{type(value).__module__}.{type(value).__qualname__}".encode())
        for part in _parts(value):
            digest.update(part if isinstance(part, bytes | memoryview) else _digest(part, known))
        known[id(value)] = value, digest.digest()
    return known[id(value)][1]


def _parts(value: Any) -> Iterable[object]:
    """Return what makes up `value`: bytes and other values."""
    match value:
        case Tensor():
            return [value.detach().cpu().numpy()]
        case np.ndarray():
            content = value.tolist() if value.dtype.hasobject else np.ascontiguousarray(value).reshape(-1).data
            return [value.dtype.str, value.shape, content]
        case torch.Generator():
            return [value.get_state()]
        case nn.Module():
            own = {name: item for name, item in vars(value).items() if name[0] != "_" and name != "training"}
            return [own, value._parameters, value._buffers, value._modules]
        case type() | BuiltinFunctionType():
            return [f"{value.__module__}.{value.__qualname__}".encode()]
        case FunctionType():
            held = [cell.cell_contents for cell in value.__closure__ or ()]
            return [value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, held]
        case CodeType():
            return [value.co_code, value.co_consts, value.co_names]
        case MethodType():
            return [value.__func__, value.__self__]
        case partial():
            return [value.func, value.args, value.keywords]
        case Mapping():
            return value.items()
        case tuple() | list():
            return value
        case set() | frozenset():
            return sorted(value, key=repr)
    return [vars(value)] if hasattr(value, "__dict__") else [repr(value).encode()]
