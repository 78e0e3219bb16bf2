"""The settings of an estimator as JSON that is the same in every process, or a refusal."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from survlspin.errors import InputError

from .files import canonical, digest
from .fingerprint import fingerprint

__all__ = ["settings_of"]

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def settings_of(estimator: Any) -> dict[str, Any]:
    """Return the class of an estimator and all its settings, those of the estimators in it too, as JSON has them.

    Two estimators with equal descriptions fit the same; the order of a dict does not count.

    Parameters
    ----------
    estimator : estimator
        Anything with scikit-learn's ``get_params``.

    Returns
    -------
    dict
        ``class`` and ``params``.

    Raises
    ------
    InputError
        SL-362 a setting that has no description which is the same in another process, such as a lambda.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> settings_of(StandardScaler(with_mean=False))["params"]
    {'copy': True, 'with_mean': False, 'with_std': True}
    """
    params = estimator.get_params(deep=False)
    described = {name: _described(params[name], f"{type(estimator).__name__}({name}=...)") for name in sorted(params)}
    return {"class": _qualified(type(estimator)), "params": described}


def _described(value: Any, where: str) -> Any:
    """Return JSON for a setting; `where` names it in the refusal."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
        return _described(value.item(), where)
    if isinstance(value, list | tuple):
        return [_described(part, where) for part in value]
    if isinstance(value, set | frozenset):
        return {"set": _sorted(_described(part, where) for part in value)}
    if isinstance(value, Mapping):
        return {"dict": _sorted([_described(key, where), _described(part, where)] for key, part in value.items())}
    if isinstance(value, np.ndarray):
        return {"array": [value.dtype.str, list(value.shape), fingerprint(value.ravel(), None, ())]}
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        frame = value if isinstance(value, pd.DataFrame) else value.to_frame()
        return {type(value).__name__: fingerprint(frame, None, frame.index)}
    if isinstance(value, type):
        return {"type": _qualified(value)}
    if callable(getattr(value, "get_params", None)):
        return settings_of(value)
    if isinstance(value, partial):
        return {"partial": [_described(part, where) for part in (value.func, value.args, value.keywords)]}
    if inspect.isroutine(value):
        return _function(value, where)
    if isinstance(value, np.random.RandomState):
        return {"RandomState": _described(value.get_state(), where)}
    if isinstance(value, np.random.Generator):
        return {"Generator": _described(value.bit_generator.state, where)}
    return _object(value, where)


def _function(value: Any, where: str) -> dict[str, Any]:
    """Describe a function by its name and source, and a method by its object, too."""
    name = _qualified(value)
    if "<" in name:
        raise _refused(where, f"{name}, which has no name of its own")
    try:
        source = digest(inspect.getsource(value).encode("utf-8", "surrogatepass"))
    except (OSError, TypeError) as error:
        source = ""
        if name.startswith("__main__."):
            raise _refused(where, f"{name}, whose source is not to be had") from error
    owner = getattr(value, "__self__", None)
    bound = [] if owner is None or inspect.ismodule(owner) else [_described(owner, where)]
    return {"function": [name, source, *bound]}


def _object(value: Any, where: str) -> dict[str, Any]:
    """Describe anything else by what it says of itself; a plain object by its attributes."""
    kind = _qualified(type(value))
    if type(value).__repr__ is object.__repr__ and hasattr(value, "__dict__"):
        try:
            return {"object": [kind, _described(vars(value), where)]}
        except RecursionError as error:
            raise _refused(where, f"a {kind}, which holds itself") from error
    text = repr(value)
    if ADDRESS.search(text) or "..." in text or hasattr(value, "state_dict"):
        raise _refused(where, f"a {kind}, which does not say all of itself")
    return {"repr": [kind, text]}


def _refused(where: str, what: str) -> InputError:
    found = f"{where} is or holds {what}: a later process could not know it again."
    return InputError("SL-362", found, "Use numbers, texts, lists, estimators, or functions defined in a module.")


def _qualified(value: Any) -> str:
    return f"{getattr(value, '__module__', None)}.{value.__qualname__}"


def _sorted(described: Any) -> list[Any]:
    return sorted(described, key=canonical)
