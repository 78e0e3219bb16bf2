"""How a study is tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from sklearn.base import BaseEstimator

from .._messages import listed, nearest
from ..errors import InputError
from .spaces import PRESETS, Space, check_space, described, space_of

__all__ = ["Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How settings are found: every model gets the same number of trials, on training and validation rows alone.

    Parameters
    ----------
    n_trials : int
        Settings that are proposed per model; those given are tried before, and kept if none of them is better.
    spaces : "default", "lspin2022" or dict
        A preset (`space_of`), or model name -> preset or {setting: ``optuna.distributions``}; models that a dict does
        not name are not tuned.
    per_fold : bool, optional
        True: every fold is tuned for itself. False: the settings found on the first fold are those of all. None: that
        of the first where training sets are disjoint, as in the LSPIN paper, and every fold for itself elsewhere.
    storage : str, optional
        The URL of a database that keeps the trials, such as ``"sqlite:///trials.db"`` or ``"postgresql://..."``; one
        process at a time may work on a study in it. None: journals in the study's store, or memory.
    random_state : int
        Alone decides, with the data, which settings are tried and how they are fitted.
    models : sequence of str, optional
        The models to tune; None: all that have something to search.

    Raises
    ------
    InputError
        SL-371 for a value that cannot be used.

    Examples
    --------
    >>> from survlspin import CoxLLSPIN
    >>> from survlspin.baselines import LifelinesCoxPH
    >>> list(Tuning(n_trials=20).spaces_for({"LLSPIN": CoxLLSPIN(), "Cox PH": LifelinesCoxPH()}))
    ['LLSPIN']
    """

    n_trials: int = 50
    spaces: str | Mapping[str, str | Mapping[str, Any]] = "default"
    per_fold: bool | None = None
    storage: str | None = field(default=None, repr=False)
    random_state: int = 0
    models: Sequence[str] | None = None

    def __post_init__(self):
        by_model = self.spaces if isinstance(self.spaces, Mapping) else {"": self.spaces}
        presets = [space for space in by_model.values() if not isinstance(space, Mapping)]
        rules = {
            "n_trials": (_is_whole(self.n_trials, 1), "a whole number from 1"),
            "random_state": (_is_whole(self.random_state, 0), "a whole number from 0"),
            "spaces": (all(space in list(PRESETS) for space in presets), f"{' or '.join(PRESETS)}, or a dict by model"),
            "per_fold": (self.per_fold in (None, True, False), "True, False or None"),
            "models": (not isinstance(self.models, str), "a list of names"),
        }
        for name, (holds, wanted) in rules.items():
            if not holds:
                raise InputError("SL-371", f"{name}={getattr(self, name)!r}.", f"Give {wanted}.")
        if self.storage is not None and "://" not in str(self.storage):
            raise InputError("SL-371", "storage is no URL of a database.", 'Give one such as "sqlite:///trials.db".')

    def spaces_for(self, models: Mapping[str, BaseEstimator]) -> dict[str, Space]:
        """Return, for each model that is tuned, its space.

        Parameters
        ----------
        models : dict
            Name -> estimator, as `survlspin.baselines.adapt` returns it.

        Raises
        ------
        InputError
            SL-372 for a name that is no model's, a setting that a model does not have, or what is no distribution.
        """
        own = {} if isinstance(self.spaces, str) else self.spaces
        for name in (*own, *(self.models or ())):
            if name not in models:
                found = f"{name!r} is to be tuned and is no model{nearest(name, models)}."
                raise InputError("SL-372", found, f"The models are {listed(models)}.")
        spaces = {name: self._space(name, model) for name, model in models.items()}
        if empty := [name for name in self.models or () if not spaces[name]]:
            found = f"there is nothing to search for {listed(empty)}."
            raise InputError("SL-372", found, "Leave it out of models, or give its space: spaces={name: {...}}.")
        return {name: space for name, space in spaces.items() if space and name in (self.models or models)}

    def frozen(self, disjoint: bool) -> bool:
        """Return whether the first fold's settings are those of all, where training sets are `disjoint` or not."""
        return disjoint if self.per_fold is None else not self.per_fold

    def described(self, models: Mapping[str, BaseEstimator]) -> dict[str, Any]:
        """Return what decides the settings found, as JSON has it: without the storage, which may hold a password."""
        return {
            "n_trials": int(self.n_trials),
            "per_fold": self.per_fold,
            "random_state": int(self.random_state),
            "spaces": {name: described(space) for name, space in self.spaces_for(models).items()},
        }

    def _space(self, name: str, model: BaseEstimator) -> Space:
        space = self.spaces if isinstance(self.spaces, str) else self.spaces.get(name, {})
        return space_of(model, space) if isinstance(space, str) else check_space(name, model, space)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
