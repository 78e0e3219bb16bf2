"""Fitted estimators on disk: arrays and JSON, never pickles, whole or not at all."""

from __future__ import annotations

import copy
import json
import os
import stat
import tempfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as written_arrays
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from . import __version__, baselines, estimators
from ._files import synchronise
from ._messages import listed, nearest
from ._stored import StoredNet, decode, encode
from .base import DesignEstimator
from .errors import InputError
from .estimators.net import NetEstimator
from .heads.baseline import Baseline
from .nets import Net
from .store import versions
from .store.files import canonical, digest

__all__ = ["ARRAYS", "FOLDER", "MODEL", "check_target", "damaged", "load", "registry", "save"]

FORMAT = 2  # from 2 on with the usual ranges of numbers, which models of format 1 lack
MODEL, ARRAYS = "survlspin.json", "survlspin.safetensors"
FOLDER = "model"  # what the folder of a saved model is called in a store, and in that of `survlspin fit`
BASELINES = ("CoxLasso", "LifelinesCoxPH")  # those whose fitted state is arrays
PROBE = 16  # rows on which a net that was read back must answer as the one that was written
DAMAGED = "Fetch or save it again."


def registry() -> dict[str, type[DesignEstimator]]:
    """Return the estimators that can be saved and loaded, by name."""
    found = {name: getattr(estimators, name) for name in estimators.__all__}
    found |= {name: getattr(baselines, name) for name in BASELINES}
    return {name: cls for name, cls in found.items() if isinstance(cls, type) and issubclass(cls, DesignEstimator)}


def save(estimator: DesignEstimator, directory: str | os.PathLike, overwrite: bool = False, grid=None) -> None:
    """Write a fitted estimator; see `survlspin.base.DesignEstimator.save`."""
    name = type(estimator).__name__
    if registry().get(name) is not type(estimator):
        found = f"{name} is not among the estimators that can be saved."
        raise InputError("SL-545", found, "Keep it with joblib.dump, and load that only where you trust the file.")
    check_is_fitted(estimator, "design_")
    if grid is not None:
        estimator = _on_grid(estimator, np.asarray(grid, dtype=np.float64))
    target = Path(os.path.realpath(directory))
    try:
        check_target(target, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".survlspin-") as work:
            new = Path(work, "new")
            new.mkdir()
            _write(estimator, new)
            if not _answers_alike(estimator, load(new)):
                found = "settings were changed since the fit, and do not make the fitted net."
                raise InputError("SL-548", found, "Set them back, or fit again.")
            _replace(target, new, Path(work, "old"))
    except OSError as error:
        found = f"{target} cannot be written: {error.strerror or error}."
        raise InputError("SL-549", found, "Nothing was changed.") from error


def load(directory: str | os.PathLike, device: str | None = None, unseen: Hashable = None) -> Any:
    """Return the fitted estimator that was saved in a folder.

    It predicts what the saved one did, bit for bit on the same machine, and can be fitted again. Nothing in the folder
    is run as code.

    Parameters
    ----------
    directory : str or path
        Written by an estimator's `save`.
    device : str, optional
        Where to compute, instead of the device that the estimator was made for.
    unseen : level, optional
        What levels that training had not are to count as; see `survlspin.design.Design.take_unseen_as`. None: rows that
        have such a level are refused.

    Raises
    ------
    InputError
        SL-541 no saved model; SL-542 it is of a newer version; SL-543 it is damaged; SL-544 an estimator that this
        version does not have; SL-409 a device that is not there; SL-689 a link or another special file; SL-692 no
        variable has the level `unseen`.

    Examples
    --------
    >>> import tempfile, survlspin
    >>> from survlspin.synthetic import registry
    >>> X, y, truth = registry(300, random_state=0)
    >>> model = survlspin.CoxLLSPIN(lam=0.02, epochs=5, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/model")
    ...     loaded = survlspin.load(f"{folder}/model")
    >>> bool((loaded.predict(X) == model.predict(X)).all())
    True
    """
    folder = Path(directory)
    model, arrays = _read(folder)
    cls = registry().get(model["class"])
    if cls is None:
        found = f"{folder} holds a {model['class']!r}, saved by version {model['version']}, which this version "
        raise InputError("SL-544", f"{found}({__version__}) does not have{nearest(model['class'], registry())}.")
    try:
        parameters = decode(model["parameters"], arrays)
        if unknown := sorted(set(parameters) - set(cls._get_param_names())):
            found = f"{folder} was saved by version {model['version']}, with settings unknown here: {listed(unknown)}."
            raise InputError("SL-542", found, "Update survlspin.")
        if device is not None and "device" in parameters:
            parameters["device"] = device
        estimator = _restored(cls(**parameters), decode(model["attributes"], arrays))
        estimator.design_.take_unseen_as(unseen)
        return estimator
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise InputError("SL-543", f"{folder} holds what no version writes ({error}).", DAMAGED) from error


def _write(estimator: DesignEstimator, folder: Path) -> None:
    """Write the two files."""
    parameters = estimator.get_params(deep=False)
    kept = set(vars(estimator)) - set(parameters) - set(estimator._unsaved)
    attributes = {name: value for name, value in vars(estimator).items() if name in kept}
    arrays: dict[str, np.ndarray] = {}
    model = {
        "class": type(estimator).__name__,
        "version": __version__,
        "versions": versions(),
        "parameters": {"dict": [[name, encode(value, name, arrays)] for name, value in parameters.items()]},
        "attributes": {"dict": [[name, encode(value, name, arrays)] for name, value in attributes.items()]},
    }
    tensors = written_arrays(arrays)
    stored = {"format": FORMAT, "sha256": _digests(FORMAT, model, tensors), "model": model}
    for name, content in ((ARRAYS, tensors), (MODEL, _rendered(stored))):
        (folder / name).write_bytes(content)
        synchronise(folder / name, os.O_RDWR)


def _on_grid(estimator: DesignEstimator, grid: np.ndarray) -> DesignEstimator:
    """Return a copy whose curves are kept at the times of `grid` alone."""
    times = getattr(estimator, "unique_times_", None)
    if times is None:
        raise InputError("SL-693", f"{type(estimator).__name__} has no curves to put on a grid.", "Leave grid out.")
    if not (grid.ndim == 1 and len(grid) and grid[0] >= 0 and grid[-1] <= times[-1] and (np.diff(grid) > 0).all()):
        found = "grid is no ascending list of times from 0 to the end of follow-up."
        raise InputError("SL-693", found, "Give times as grid=[12, 24, 60].")
    coarse = copy.copy(estimator)
    for name, value in vars(estimator).items():
        if isinstance(value, Baseline):
            setattr(coarse, name, value.on(grid))
        elif isinstance(value, tuple) and any(isinstance(part, Baseline) for part in value):
            setattr(coarse, name, tuple(part.on(grid) for part in value))
    coarse.unique_times_ = grid
    return coarse


def damaged(folder: Path) -> list[str]:
    """Return which files of a saved model are not as they were written; raises as `load` where there is none."""
    return _opened(folder)[2]


def _read(folder: Path) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    """Return what the two files hold, once their checksums are found right."""
    model, tensors, wrong = _opened(folder)
    try:
        if not wrong:
            return model, read_arrays(tensors)
    except SafetensorError:
        wrong = [ARRAYS]
    raise InputError("SL-543", f"{folder} is damaged: {listed(wrong)}: not as it was written.", DAMAGED)


def _opened(folder: Path) -> tuple[dict[str, Any], bytes, list[str]]:
    """Return what the manifest says of the model, the bytes of the arrays, and which files are damaged."""
    if folder.is_file():
        remedy = "Give the folder that an estimator's save(...) wrote. Pickles and archives are never opened."
        raise InputError("SL-541", f"{folder} is a file; a saved model is a folder.", remedy)
    raw, tensors = (_bytes(folder, name) for name in (MODEL, ARRAYS))
    try:
        stored = json.loads(raw)
        version, model = stored["format"], stored["model"]
        if version > FORMAT:
            found = f"{folder} is of format {version}, saved by survlspin {model.get('version')}; this version "
            raise InputError("SL-542", f"{found}({__version__}) reads up to {FORMAT}.", "Update survlspin.")
        digests, known = _digests(version, model, tensors), stored["sha256"][ARRAYS]
        own = {"format": version, "sha256": {**digests, ARRAYS: known}, "model": model}
        whole = {MODEL: type(version) is int and raw == _rendered(own), ARRAYS: known == digests[ARRAYS]}
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, tensors, [MODEL]
    return model, tensors, [name for name, good in whole.items() if not good]


def _bytes(folder: Path, name: str) -> bytes:
    """Return what a file of a saved model holds; only a file of the folder itself is opened."""
    path = folder / name
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            found = f"{name} in {folder} is a link or another special file, and is not opened."
            raise InputError("SL-689", found, "Give a folder that holds the model itself.")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        found = f"{folder} is no saved model: it has no {name}."
        raise InputError("SL-541", found, "Give a folder that an estimator's save(...) wrote.") from error
    except OSError as error:
        raise InputError("SL-549", f"{folder} cannot be read: {error.strerror or error}.", "Check the path.") from error


def _restored(estimator: DesignEstimator, attributes: dict[str, Any]) -> DesignEstimator:
    """Give an estimator its fitted attributes back; nets are made anew and take on their state."""
    if isinstance(estimator, NetEstimator):
        estimator._check()
    for name, value in attributes.items():
        if isinstance(value, StoredNet):
            attributes[name] = _net(estimator, attributes["design_"], value)
    vars(estimator).update(attributes)
    return estimator


def _net(estimator: NetEstimator, design, stored: StoredNet) -> Net:
    models = len(next(iter(stored.state.values())))
    net = estimator._net(design, stored.head, models)
    if {name: (v.shape, v.dtype) for name, v in net.state_dict().items()} != {
        name: (v.shape, v.dtype) for name, v in stored.state.items()
    }:
        raise InputError("SL-548", "the settings do not make the net whose weights are stored.", "Fit again.")
    return net.adopt(stored.state).to(estimator.device or "cpu")


def _answers_alike(estimator: DesignEstimator, other: DesignEstimator) -> bool:
    """Return whether the nets of both answer the same on a few rows."""
    nets = [(net, vars(other)[name]) for name, net in vars(estimator).items() if isinstance(net, Net)]
    return all(torch.equal(a, b) for pair in nets for a, b in zip(*map(_answers, pair), strict=True))


@torch.no_grad()
def _answers(net: Net) -> list[Tensor]:
    x = torch.randn(PROBE, net.p, generator=torch.Generator().manual_seed(0))
    eta, parts = net.eval()(x.to(next(net.parameters()).device))
    return [eta, net.selected(parts), *(part for part in parts.values() if torch.is_tensor(part))]


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse to replace anything but an empty folder (SL-547), or a saved model that may be replaced (SL-546)."""
    if not target.exists():
        return
    inside = {path.name for path in target.iterdir()} if target.is_dir() else None
    if inside is None or inside - {MODEL, ARRAYS}:
        what = "is a file" if inside is None else f"holds other files ({listed(sorted(inside - {MODEL, ARRAYS}), 3)})"
        raise InputError("SL-547", f"{target} {what} and is not replaced.", "Name a new folder.")
    if inside and not overwrite:
        raise InputError("SL-546", f"{target} holds a saved model.", "Replace it with overwrite=True.")


def _replace(target: Path, new: Path, old: Path) -> None:
    """Put the folder `new` in the place of `target`, which is put back where that fails."""
    there = target.exists()
    if there:
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if there:
            old.rename(target)
        raise


def _digests(version: int, model: dict[str, Any], tensors: bytes) -> dict[str, str]:
    """Return the SHA-256 of what the manifest says and of the arrays."""
    said = model if version == 1 else {"format": version, "model": model}
    return {"model": digest(canonical(said)), ARRAYS: digest(tensors)}


def _rendered(stored: dict[str, Any]) -> bytes:
    """Return the manifest's bytes, of which there is one form."""
    return json.dumps(stored, indent=1, allow_nan=False).encode("ascii") + b"\n"
