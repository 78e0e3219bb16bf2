"""Training models to each one's best validation objective."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .._messages import listed, nearest
from ..errors import InputError, InputWarning
from ..heads import Head
from ..nets import Net
from .evaluate import refresh
from .optim import Buffer
from .rows import Rows
from .settings import Settings
from .stack import Stack
from .step import Data
from .threads import fitting_threads
from .training import History, Progress, Training

SMALLER = "Give a smaller learning rate, lr=..., or look for values far off."
ROWS_PER_STEP = 30_000  # a stack whose steps would hold more rows is slower than its parts


def fit(
    net: Net,
    head: Head,
    train: Data,
    rows: Sequence[np.ndarray],
    lam: dict[str, Tensor],
    generators: Sequence[torch.Generator],
    settings: Settings,
    valid: Data | None = None,
    valid_rows: Sequence[np.ndarray] = (),
    progress: Progress | None = None,
) -> History:
    """Train the models of `net` in place, each on its own rows, and leave each with its best weights.

    Parameters
    ----------
    net : Net
        B models.
    head : Head
    train, valid : Data
        The data sets that training and validation rows index. Without `valid` every model runs all epochs and keeps
        its last averaged weights.
    rows, valid_rows : sequence of T int arrays
        Rows of each model; with T < B each array serves B / T models in a row.
    lam : dict of Tensor (B,)
        The weight of each penalty by name.
    generators : sequence of B torch.Generator
        Batches and noise of model b come from generator b alone, so that a model trained alone equals the same model
        inside a stack.
    settings : Settings
    progress : callable, optional
        Called after every epoch with (epoch, epochs, models still in training).

    Returns
    -------
    History

    Notes
    -----
    A model stops when its validation objective, NLL + lambda * penalty with gates deterministic, has not improved
    for `patience` evaluations, or where its weights or that objective are no numbers any more: a warning (SL-417)
    names the epoch, and its best weights before are kept. A stack whose steps would hold more than 30,000 rows is
    split. Inside `survlspin.train.checkpoint.keeping` every part goes on from its checkpoint.
    """
    penalty_weights(net, settings.warm_up, "warm_up")
    models, all_rows = net.models, Rows(rows)
    longest = int(all_rows.size.max())
    per_step = min(settings.batch_size or longest, longest)
    size = max(ROWS_PER_STEP // per_step, 1)
    history = History.empty(models)
    trained = []
    for part in torch.arange(models).split(size):
        own_rows = all_rows.of(part, models)
        own_lam = {name: value[part.to(value.device)] for name, value in lam.items()}
        own = [generators[i] for i in part.tolist()]
        stack = Stack(net.rows(part), head, train, own_rows, own_lam, own, settings)
        check = None if valid is None else (valid, Rows(valid_rows).of(part, models))
        best = net.rows(part)
        with fitting_threads(len(part) * per_step * net.p):
            training = Training(stack, check)
            training.run(progress)
            Buffer(best).value.copy_(training.best)
        history.put(part.numpy(), training.history)
        refresh(best, head, train, own_rows, own_lam)
        trained.append(best)
    net.put(trained).eval()
    if history.lost.any():
        first, n = history.lost[history.lost > 0].min(), np.count_nonzero(history.lost)
        found = f"training of {n} of {models} models left the numbers, first in epoch {first}; the best before is kept."
        warnings.warn(InputWarning("SL-417", found, SMALLER), stacklevel=2)
    return history


def nothing_learnt(history: History) -> InputError:
    """Return the error for models whose training was in vain."""
    found = f"training left the numbers in epoch {history.lost.max()}, before anything was learnt."
    return InputError("SL-417", found, SMALLER)


def seeded(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one generator per seed; they alone decide weights, batches and noise."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def penalty_weights(net: Net, lam: Mapping[str, float | Sequence[float]], setting: str = "lam") -> dict[str, Tensor]:
    """Return `lam`, a number for all models or one for each, as tensors (B,) like the net's parameters.

    Penalties of the net that `lam` does not name have weight 0. Another `setting` by penalty is read alike.

    Raises
    ------
    InputError
        SL-406 where a weight is negative or not a number; SL-407 where the net has no penalty of a name.
    """
    like = next(net.parameters())
    weights = {name: like.new_zeros(net.models) for name in net.penalty_names}
    for name, value in lam.items():
        if name not in weights:
            raise unknown_penalty(name, net.penalty_names, type(net).__name__, setting)
        try:
            weight = torch.as_tensor(value, dtype=like.dtype, device=like.device).expand(net.models).clone()
        except (RuntimeError, TypeError, ValueError) as error:
            found = f"{setting}[{name!r}]={value!r} for {net.models} models."
            raise InputError("SL-406", found, "Give a number, or one for each model.") from error
        if not bool((weight >= 0).all()) or not math.isfinite(float(weight.sum())):
            raise InputError("SL-406", f"{setting}[{name!r}] is negative or not a number.", "Give a number >= 0.")
        weights[name] = weight
    return weights


def unknown_penalty(name: str, known: Sequence[str], owner: str, setting: str = "lam") -> InputError:
    """Return the error for a penalty that `owner` does not have."""
    found = f"{setting} names {name!r}, but {owner} has no such penalty{nearest(name, known)}."
    return InputError("SL-407", found, f"It has {listed(known) or 'none'}.")
