"""Columns that can mean nothing: how many of them a model selects says how often it selects falsely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

from ._messages import listed, nearest
from ._patients import hashes
from .errors import InputError
from .fit_record import Fit

__all__ = ["Probes", "probe_report", "probe_share", "smallest_lambda", "upper_bound"]

WORDS = 8  # random numbers that one hash of a label gives
USUAL = {"uniform": 3, "shadow": 55}
RULE = (
    "upper {:.0%} bound (Clopper-Pearson, one-sided) on the share of meaningless columns that some patient's answer "
    "uses, for the mean number of probes selected per fit, rounded up, among the probes of one fit: folds share the "
    "columns and are taken as no further evidence"
)


@dataclass(frozen=True)
class Probes:
    """Columns that can mean nothing, to be added to the predictors before any fold is made.

    What selects them selects falsely. Three uniform columns are those of the LSPIN paper; none of 3 selected, though,
    bounds the share of false selections by no less than 63 %, none of 55 by 5.3 %. A shadow has the values of a real
    column without its links to the outcome and to other columns: it says what a column like this brings about by
    chance, and nothing of columns that are no cause but go along with one. Probes are also more columns to be wrong
    about: a model that is offered 55 of them is not the one that is offered none, and may well predict worse.

    Parameters
    ----------
    kind : {"uniform", "shadow"}
        Random numbers between 0 and 1, or columns of X shuffled over its rows.
    n : int, optional
        Columns to add, 3 uniform ones or 55 shadows by default. Shadows take the columns of X in turn, in an order
        that the seed decides.
    random_state : int
    columns : sequence of str
        Columns of X that are noise already, as recipes make them (``noise_u1``) or other probes: they count, too, and
        get no shadows.

    Raises
    ------
    InputError
        SL-388 an unknown kind, or a number that is none.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [50, 61, 47, 72], "noise_u1": [0.2, 0.7, 0.4, 0.9]})
    >>> list(Probes(n=2).add(X))
    ['age', 'noise_u1', 'probe_1', 'probe_2']
    >>> shadows = Probes("shadow", n=2, columns=["noise_u1"])
    >>> shadows.names(X)
    ('noise_u1', 'shadow_age_1', 'shadow_age_2')
    >>> sorted(shadows.add(X)["shadow_age_1"])
    [47, 50, 61, 72]
    """

    kind: str = "uniform"
    n: int | None = None
    random_state: int = 0
    columns: Sequence[str] = ()

    def __post_init__(self):
        object.__setattr__(self, "columns", tuple(self.columns))
        if self.kind not in USUAL:
            raise InputError("SL-388", f"kind={self.kind!r}.", "Probes may be 'uniform' or 'shadow'.")
        object.__setattr__(self, "n", USUAL[self.kind] if self.n is None else self.n)
        if not (isinstance(self.n, int | np.integer) and self.n >= 0 and (self.n or self.columns)):
            raise InputError("SL-388", f"n={self.n!r}.", "Ask for a whole number of probes from 1.")

    def names(self, X) -> tuple[str, ...]:
        """Return the names of all probes; X as in `add`."""
        return (*self.columns, *self._sources(_table(X)))

    def add(self, X, labels=None, within=None) -> pd.DataFrame:
        """Return X with the probes as further columns.

        A uniform probe of a row depends on the row's label and the seed alone. The value that a row gets of a shadow
        depends on the labels of all rows, never on their order.

        Parameters
        ----------
        X : DataFrame or array (n, p)
            The columns of an array are called x0, x1, ...
        labels : sequence (n,), optional
            What each row is known by; by default its index label, or its position in an array.
        within : int array (n,), optional
            Shadows are shuffled within the rows of one number only. With the `survlspin.splits.blocks` of disjoint
            folds no value of a row that is tested then gets to a row that is trained on.

        Raises
        ------
        InputError
            SL-389 names that X has already, or columns it does not have; SL-301 another number of labels than rows.
        """
        table = _table(X)
        labels = table.index if labels is None else pd.Index(labels)
        if len(labels) != len(table):
            raise InputError("SL-301", f"numbers of rows differ: X {len(table)}, labels {len(labels)}.")
        sources = self._sources(table)
        if self.kind == "uniform":
            made = self._uniform(labels, sources)
        else:
            made = self._shadows(table, labels, sources, within)
        return pd.concat([table, pd.DataFrame(made, index=table.index)], axis=1)

    def _sources(self, table: pd.DataFrame) -> dict[str, int]:
        """Return the name of every column to add, and the position of the column it is a shadow of (-1: of none)."""
        names = [str(name) for name in table.columns]
        if strange := [name for name in self.columns if name not in names]:
            found = listed(f"{name!r}{nearest(name, names)}" for name in strange)
            raise InputError("SL-389", f"X has no column {found}.", "Name columns of X that are noise: columns=[...].")
        made = {f"probe_{k + 1}": -1 for k in range(self.n)}
        if self.kind == "shadow":
            real = [j for j, name in enumerate(names) if name not in self.columns]
            if self.n and not real:
                raise InputError("SL-388", "X has no column to make shadows of.", "Ask for uniform probes.")
            order = np.argsort(hashes([names[j] for j in real], ("order", self.random_state))[:, 0], kind="stable")
            turns = [(k // len(real) + 1, real[order[k % len(real)]]) for k in range(self.n)]
            made = {f"shadow_{names[j]}_{turn}": j for turn, j in turns}
        if clash := [name for name in made if name in names]:
            raise InputError("SL-389", f"X has columns called {listed(map(repr, clash))}.", "Rename them.")
        return made

    def _uniform(self, labels, sources) -> dict[str, Any]:
        blocks = [hashes(labels, ("uniform", self.random_state, block), WORDS) for block in range(-(-self.n // WORDS))]
        return {name: (blocks[k // WORDS][:, k % WORDS] >> 11) * 2.0**-53 for k, name in enumerate(sources)}

    def _shadows(self, table, labels, sources, within) -> dict[str, Any]:
        within = np.zeros(len(table), dtype=int) if within is None else np.asarray(within)
        keys = [hashes(labels, ("row", self.random_state))[:, 0]]
        if not labels.is_unique:  # rows of one label are told apart by what is in them
            keys.insert(0, pd.util.hash_pandas_object(table, index=False).to_numpy())
        order = np.lexsort(keys)
        receivers = order[np.argsort(within[order], kind="stable")]
        made, draw, source = {}, np.empty(len(order)), np.empty(len(order), dtype=int)
        for name, j in sources.items():
            rng = np.random.default_rng(int(hashes([name], ("shuffle", self.random_state))[0, 0]))
            draw[order] = rng.random(len(order))
            source[receivers] = np.lexsort((draw, within))
            made[name] = table.iloc[:, j].array.take(source)
        return made


def _table(X) -> pd.DataFrame:
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X)).add_prefix("x")


def upper_bound(selected: int, n: int, level: float = 0.95) -> float:
    """Return the exact upper bound on the share of false selections that `selected` of n probes leave possible.

    One-sided, of Clopper and Pearson (1934): the share at which so few would be selected with probability 1 - level.

    Parameters
    ----------
    selected, n : int
    level : float

    Raises
    ------
    InputError
        SL-390 numbers that cannot be.

    Examples
    --------
    >>> round(upper_bound(0, 3), 3), round(upper_bound(0, 55), 4)
    (0.632, 0.053)
    """
    if not (0 <= selected <= n and 0 < level < 1):
        found = f"{selected} of {n} probes selected, level={level}."
        raise InputError("SL-390", found, "Selected are 0 to n; the level is between 0 and 1.")
    return 1.0 if selected == n else float(beta.ppf(level, selected + 1, n - selected))


def probe_share(share: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return the share of patients whose answer uses each probe, (P, probes offered), from that of each factor (P, G).

    A probe coded by several columns that are factors of their own is used where the most used of them is. Probes
    without a factor, constant among the training rows, were not offered and are left out.
    """
    own = {name: [c for c in share.columns if str(c) == name or str(c).startswith(f"{name}[")] for name in names}
    return pd.DataFrame({name: share[own[name]].max(axis=1) for name in own if own[name]}, index=share.index)


def probe_report(fits: Iterable[Fit], names: Iterable[str], level: float = 0.95) -> pd.DataFrame:
    """Return what every model made of the probes, at the point it stands with.

    Parameters
    ----------
    fits : iterable of Fit
    names : iterable of str
        The probes, as `Probes.names` says.
    level : float

    Returns
    -------
    DataFrame
        One row per model. ``offered``: how many probes every fit could select, at least; ``selected``: those used for
        any training patient, mean over fits; ``in_most``: those selected by more than half of the fits; ``rate``:
        selected / offered, of each fit, mean over fits; ``upper``: the bound on it; ``opened``: the share of pairs of a
        training patient and a probe where the answer uses the probe. ``attrs["upper"]`` says how the bound is made. NaN
        where no probe was offered.
    """
    names = list(names)
    by_model: dict[str, list[pd.Series]] = {}
    for fit in fits:
        by_model.setdefault(fit.model, []).append(probe_share(fit.share, names).iloc[fit.chosen])
    report = pd.DataFrame({model: _row(shares, level) for model, shares in by_model.items()}).T.rename_axis("model")
    report = report.astype({"offered": int, "in_most": int})
    report.attrs = {"upper": RULE.format(level)}
    return report


def _row(shares: list[pd.Series], level: float) -> dict[str, float]:
    table = pd.DataFrame(shares)  # (fits, probes), NaN: not offered
    each = table.notna().sum(axis=1)
    offered, used = int(each.min()), table > 0
    selected = float(used.sum(axis=1).mean())
    return {
        "offered": offered,
        "selected": selected,
        "in_most": int((used.mean() > 0.5).sum()),
        "rate": float((used.sum(axis=1) / each).mean()) if offered else np.nan,
        "upper": upper_bound(min(ceil(selected), offered), offered, level) if offered else np.nan,
        "opened": float(table.mean(axis=1).mean()),
    }


def smallest_lambda(points_lam, probe_share, rate: float) -> int:
    """Return the position of the smallest penalty that keeps to a rate of false selection.

    It is the smallest at which, as at every larger one, at most the share `rate` of the probes is used by anybody; the
    largest penalty where that one uses more.

    Parameters
    ----------
    points_lam : array (P,)
        The penalty of each point.
    probe_share : array (P, probes)
        The share of patients whose answer uses each probe, as the function `probe_share` returns it.
    rate : float
        From 0 to 1.

    Raises
    ------
    InputError
        SL-390 a rate out of range, or no probe.

    Examples
    --------
    >>> smallest_lambda([0.1, 0.2, 0.4], [[0.3, 0.0], [0.0, 0.0], [0.0, 0.0]], rate=0.05)
    1
    """
    used = np.asarray(probe_share) > 0
    if not 0 <= rate <= 1 or not used.size:
        found = f"rate={rate}, {used.shape[-1]} probes."
        raise InputError("SL-390", found, "A rate is from 0 to 1, and counts probes that the fit was offered.")
    order = np.argsort(-np.asarray(points_lam), kind="stable")  # largest penalty first
    kept = np.logical_and.accumulate((used.mean(axis=1) <= rate)[order])
    return int(order[max(int(kept.sum()) - 1, 0)])
