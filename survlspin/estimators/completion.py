"""Missing entries of a table of numbers, completed by a LassoNet that reads few of its columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..errors import InputError
from ..heads import Gaussian
from ..nets import LassoNet
from ..response import Response
from ..train import Data
from ..train.descent import Descent
from ..train.fit import penalty_weights, seeded
from ..train.threads import fitting_threads
from .net import is_whole

CHECKED = 0.1  # share of the known entries that judge
HIDDEN = 0.2  # share of the known entries that a round hides from the net
STEPS = 5  # of a round
PATIENCE = 40  # rounds without a better judgement

__all__ = ["Completion", "complete"]


@dataclass(frozen=True, eq=False)
class Completion:
    """A completed table.

    Attributes
    ----------
    values : DataFrame or array (n, p)
        The table, as it was given, with its missing entries filled in.
    used : bool array (p,)
        The columns that the net reads.
    error : float
        Root mean squared error on known entries set apart, in standard deviations of their columns; the columns' means
        would have an error of about 1.
    rounds : int
        Rounds to the net that was kept.
    """

    values: pd.DataFrame | np.ndarray
    used: np.ndarray
    error: float
    rounds: int


def complete(
    X,
    lam: float = 0.1,
    *,
    hidden: tuple[int, ...] = (32,),
    M: float = 10.0,
    layers: float = 1e-3,
    rounds: int = 400,
    random_state: int = 0,
) -> Completion:
    """Fill in the missing entries of a table from the columns that a LassoNet keeps.

    Parameters
    ----------
    X : DataFrame or array (n, p)
        Numbers; nan (or infinite) where one is missing.
    lam : float
        Weight of the columns' norms: the larger, the fewer columns are read. Columns are standardised, and the loss is
        half the squared error of a row, summed over columns.
    hidden, M
        As in `survlspin.nets.LassoNet`.
    layers : float
        Weight of the penalty on the later layers.
    rounds : int
        At most.
    random_state : int

    Returns
    -------
    Completion

    Raises
    ------
    InputError
        SL-408 for `rounds` that cannot be used; SL-424 where a column has fewer than two different known values, or
        nothing is missing.

    Notes
    -----
    The paper (section 7) alternates between a fit to the completed table and new values for its missing entries. So do
    the rounds here, with one change: a net that sees an entry it is asked for learns to repeat it, missing ones with
    it. Missing entries are therefore shown as their columns' means, and every round does so with a fifth of the known
    ones, drawn anew.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 8))
    >>> X[rng.random(X.shape) < 0.2] = np.nan
    >>> complete(X, rounds=5).error < 1
    True
    """
    if not is_whole(rounds):
        raise InputError("SL-408", f"rounds={rounds!r}.", "Give a whole number from 1.")
    table = np.array(X, dtype=float)
    known = np.isfinite(table)
    _check(table, known)
    rng = np.random.default_rng(random_state)
    judge = known & (rng.random(table.shape) < CHECKED)
    seen = known & ~judge
    mean, scale = _moments(table, known)
    z = torch.from_numpy(np.where(known, (table - mean) / scale, 0.0)).float()
    head = Gaussian(table.shape[1])
    net = LassoNet(table.shape[1], hidden, head, M=M).initialize(seeded([random_state]))
    with fitting_threads(table.size):
        seen, judge = torch.from_numpy(seen), torch.from_numpy(judge)
        best, error, taken = _alternate(net, z, seen, judge, lam, layers, rounds, rng)
    kept = net.rows([0])
    kept.adopt(best).eval()
    with torch.no_grad():
        filled = kept(z * torch.from_numpy(known))[0][0].numpy() * scale + mean
    values = np.where(known, table, filled)
    if isinstance(X, pd.DataFrame):
        values = pd.DataFrame(values, index=X.index, columns=X.columns)
    return Completion(values, kept.kept()[0].numpy(), error, taken)


def _check(table: np.ndarray, known: np.ndarray) -> None:
    if table.ndim != 2 or known.all():
        raise InputError("SL-424", "there is no missing entry in a table of rows and columns.", "Mark them as nan.")
    first = np.where(known, table, -np.inf).max(0)
    constant = ~(known & (table != first)).any(0)
    if constant.any():
        found = f"column {int(constant.argmax())} has fewer than two different known values."
        raise InputError("SL-424", found, "Leave the column out.")


def _moments(table: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there = np.where(known, table, np.nan)
    return np.nanmean(there, 0), np.nanstd(there, 0)


def _alternate(net, z, seen, judge, lam: float, layers: float, rounds: int, rng):
    """Fit and complete by turns; return the state, error and round of the net that judges best."""
    target, shown = z * seen, z * seen
    weights, length = penalty_weights(net, {"skip": lam, "layers": layers}), None
    best, error, taken = net.state_dict(), np.inf, 0
    for i in range(1, rounds + 1):
        hide = torch.from_numpy(rng.random(z.shape) < HIDDEN)
        data = Data(shown * ~hide, net.head.prepare(Response(target.double().numpy())))
        descent = Descent(net, net.head, data.take(torch.arange(len(z))[None]), weights)
        descent.length = descent.length if length is None else length
        for _ in range(STEPS):
            descent.step(torch.ones(1, dtype=torch.bool))
        length = descent.length
        with torch.no_grad():
            made = net.eval()(shown)[0][0]
        target = torch.where(seen, z, made)
        found = float((made - z)[judge].square().mean().sqrt()) if bool(judge.any()) else 0.0
        if found < error:
            error, taken = found, i
            best = {name: value.clone() for name, value in net.state_dict().items()}
        elif i - taken >= PATIENCE:
            break
    return best, error, taken
