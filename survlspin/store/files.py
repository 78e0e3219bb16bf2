"""Files that are whole or not there, and are believed only while their SHA-256 is right: JSON and arrays, no pickles.

JSON files hold their content beside the digest of it. Files of arrays are safetensors files that any reader of that
format opens: their metadata has one entry, the digest of the whole file (made with 64 zeros in its place) and then the
facts as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as written_arrays

from survlspin import __version__
from survlspin._files import TEMPORARY, replacing
from survlspin.errors import InputError

__all__ = [
    "FORMAT",
    "TEMPORARY",
    "Arrays",
    "Damaged",
    "as_json",
    "cannot_write",
    "canonical",
    "digest",
    "seal_arrays",
    "seal_json",
    "unseal_arrays",
    "unseal_json",
    "write",
]

FORMAT = 2  # from 2 on fits say the probability of the event
ENTRY = "survlspin"
MARK = f'"{ENTRY}":"'.encode()  # the digest follows it: the metadata come first in a file
BLANK = b"0" * 64

Arrays = tuple[dict[str, np.ndarray], dict[str, Any]]


class Damaged(Exception):
    """A file is not as it was written."""


def as_json(value: Any) -> Any:
    """Return `value` as it comes back from a JSON file: NumPy's numbers as numbers, tuples as lists, keys as text."""
    return json.loads(json.dumps(value, default=_plain))


def canonical(value: Any) -> bytes:
    """Return `value` as JSON, the same bytes for the same content whatever the order of the keys."""
    return json.dumps(as_json(value), sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(content: bytes | bytearray) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def seal_json(content: Any) -> bytes:
    """Return a JSON file of `content`, for `unseal_json`."""
    body = {"format": FORMAT, "version": __version__, "content": as_json(content)}
    return json.dumps({"sha256": digest(canonical(body)), **body}, indent=1).encode("ascii") + b"\n"


def unseal_json(raw: bytes) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    Damaged
        It is not as `seal_json` made it.
    InputError
        SL-359 a newer version made it, SL-392 an older one.
    """
    try:
        body = json.loads(raw)
        stored, made, version = body.pop("sha256"), int(body["format"]), str(body["version"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise Damaged from error
    if made > FORMAT:
        found = f"the store is of format {made}, written by survlspin {version}; this version ({__version__}) "
        raise InputError("SL-359", f"{found}reads up to {FORMAT}.", "Update survlspin.")
    if made < FORMAT:
        found = f"the store is of format {made}, written by survlspin {version}; this version ({__version__}) "
        raise InputError("SL-392", f"{found}reads {FORMAT} alone.", "Run the study again, with another folder.")
    if stored != digest(canonical(body)) or "content" not in body:
        raise Damaged
    return body["content"]


def seal_arrays(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> bytearray:
    """Return a file of arrays of numbers and what JSON can say of them, for `unseal_arrays`."""
    plain = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    if other := [name for name, array in plain.items() if array.dtype.kind not in "biuf"]:
        raise TypeError(f"arrays of numbers only, not {', '.join(other)}")
    raw = bytearray(written_arrays(plain, {ENTRY: (BLANK + canonical(facts)).decode("ascii")}))
    at = raw.index(MARK) + len(MARK)
    raw[at : at + len(BLANK)] = digest(raw).encode("ascii")
    return raw


def unseal_arrays(raw: bytes) -> Arrays:
    """Return the arrays and the facts; `Damaged` where a single bit is not as `seal_arrays` made it."""
    at = raw.find(MARK) + len(MARK)
    blank = bytearray(raw)
    blank[at : at + len(BLANK)] = BLANK
    if raw[at : at + len(BLANK)] != digest(blank).encode("ascii"):
        raise Damaged
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    arrays = {name: array.copy() for name, array in read_arrays(raw).items()}  # writable, and aligned
    return arrays, json.loads(header["__metadata__"][ENTRY][len(BLANK) :])


def write(path: Path, content: bytes | bytearray) -> None:
    """Make `content` the whole of a file, readable by its owner alone; whatever happens, the old or the new is there.

    Raises
    ------
    InputError
        SL-361 it cannot be written; an old file is as it was.
    """
    try:
        with replacing(path) as new:
            new.write_bytes(content)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return the coded error."""
    found = f"{path} cannot be written: {error.strerror or error}."
    return InputError("SL-361", found, "What was there is as it was: mend this, and run again.")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
