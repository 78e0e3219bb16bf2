"""Where to search: for each model its settings and their ranges, as distributions of Optuna."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from .._messages import listed, nearest
from ..baselines.foreign import Encoded
from ..errors import InputError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["PRESETS", "Space", "check_space", "described", "rules_out", "settings", "space_of"]

Space = dict[str, "BaseDistribution"]

WIDTHS = ("hidden", "gate_hidden")  # settings that are tuples, and texts such as "32-16" in a space
TEXT = re.compile(r"none|[1-9]\d*(-[1-9]\d*)*")
PAPER_ROWS = 51_140  # training rows of a fold of the LSPIN paper


def space_of(estimator: BaseEstimator, preset: str = "default") -> Space:
    """Return the settings to search for an estimator, and their ranges.

    A setting that differs from the default of the estimator's class is the user's, and is not searched.

    The preset ``"default"`` is made for the units and the training of this package, with early stopping: learning
    rate, epochs at most, weight decay, lambda, widths, members; M of LassoNet; delta of NIMO; alpha of Cox-LASSO;
    trees, leaf size and columns per split of forests; dropout of pycox's DeepSurv. Cox regressions without selection
    (`CoxPH`, `LifelinesCoxPH`) are references and have nothing to search.

    The preset ``"lspin2022"`` is that of Table B.4 of the LSPIN paper: prediction nets of 100, 30 and 5 units (none for
    linear models), gating nets of 300; learning rates of .01 to 1; 500, 1,000 or 2,000 epochs; alpha of Cox-LASSO 1e-7
    to 1, in scikit-survival's unit as there; 1 to 1,000 trees. Converted are the lambdas of Cox-(L)LSPIN, 1e-9 to 1e-5:
    that penalty is a sum over rows (``docs/lambda.md``), and ours a mean, so that they are multiplied by the paper's
    51,140 training rows; those of Cox-STG, .001 to .1, are in our unit. The paper does not name its optimiser for
    survival; as in its code for other data it is gradient descent on all rows without weight decay. Nothing stops
    early, but the epoch that is kept is the one of the best validation objective. Models that are not in the paper have
    nothing to search.

    Parameters
    ----------
    estimator : estimator
        Of this package or one of scikit-survival's forests. Pipelines and unknown estimators have an empty space.
    preset : {"default", "lspin2022"}

    Returns
    -------
    dict
        Setting -> ``optuna.distributions``. Widths are texts, ``"32-16"`` or ``"none"``.

    Raises
    ------
    InputError
        SL-371 for an unknown preset.

    Examples
    --------
    >>> from survlspin.baselines import Forest
    >>> sorted(space_of(Forest()))
    ['max_features', 'min_samples_leaf', 'n_estimators']
    >>> sorted(space_of(Forest(n_estimators=20)))
    ['max_features', 'min_samples_leaf']
    """
    if preset not in PRESETS:
        raise InputError("SL-371", f"the preset {preset!r}{nearest(preset, PRESETS)}.", f"Use {' or '.join(PRESETS)}.")
    wrapped = isinstance(estimator, Encoded) and estimator.encode
    inner, prefix = (estimator.estimator, "estimator__") if wrapped else (estimator, "")
    spaces = PRESETS[preset]()
    known = next((spaces[cls.__name__] for cls in type(inner).__mro__ if cls.__name__ in spaces), {})
    default = {name: parameter.default for name, parameter in inspect.signature(type(inner)).parameters.items()}
    return {f"{prefix}{name}": found for name, found in known.items() if getattr(inner, name) == default[name]}


def settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the estimator's settings for the values of a trial: widths become tuples."""
    return {name: _widths(value) if _is_widths(name, value) else value for name, value in params.items()}


def check_space(name: str, estimator: BaseEstimator, space: Mapping[str, Any]) -> Space:
    """Return a space that a user made for the model `name`.

    Raises
    ------
    InputError
        SL-372 a setting that the model does not have, something that is no distribution, or a text that is no widths.
    """
    from optuna.distributions import BaseDistribution

    known = estimator.get_params()
    for key, found in space.items():
        if key not in known:
            text = f"{type(estimator).__name__} ({name}) has no setting {key!r}{nearest(key, known)}."
            raise InputError("SL-372", text, f"It has {listed(known, 40)}.")
        if not isinstance(found, BaseDistribution):
            text = f"the space of {name} has a {type(found).__name__} for {key}."
            raise InputError("SL-372", text, "Use optuna.distributions: FloatDistribution(0.001, 0.1, log=True).")
        texts = [value for value in getattr(found, "choices", ()) if _is_widths(key, value)]
        if bad := [value for value in texts if not TEXT.fullmatch(value)]:
            raise InputError("SL-372", f"{key} of {name} cannot be {listed(bad)}.", 'Write "32-16", or "none".')
    return dict(space)


def rules_out(space: Space, estimator: BaseEstimator) -> bool:
    """Return whether an estimator has another value of a setting than the only one that the space has."""
    single = {name: found for name, found in space.items() if found.single()}
    only = {name: getattr(found, "choices", [getattr(found, "low", None)])[0] for name, found in single.items()}
    given = estimator.get_params()
    return any(given[name] != value for name, value in settings(only).items())


def described(space: Space) -> dict[str, Any]:
    """Return a space as JSON has it."""
    from optuna.distributions import distribution_to_json

    return {name: json.loads(distribution_to_json(space[name])) for name in sorted(space)}


def _is_widths(name: str, value: Any) -> bool:
    return isinstance(value, str) and name.split("__")[-1] in WIDTHS


def _widths(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(map(int, text.split("-")))


def _log(low: float, high: float) -> BaseDistribution:
    from optuna.distributions import FloatDistribution

    return FloatDistribution(low, high, log=True)


def _one_of(*choices: Any) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(choices)


def _default() -> dict[str, Space]:
    from optuna.distributions import FloatDistribution, IntDistribution

    rate = {"lr": _log(1e-3, 3e-2), "epochs": IntDistribution(10, 300, log=True)}
    net = {**rate, "weight_decay": _log(1e-3, 3.0), "members": IntDistribution(1, 5, step=2)}
    hidden = {"hidden": _one_of("8", "16", "32", "32-16")}
    gates = {"lam": _log(5e-4, 0.1), "gate_hidden": _one_of("4", "8", "16", "32")}
    forest: Space = {
        "n_estimators": IntDistribution(50, 200, log=True),
        "min_samples_leaf": IntDistribution(3, 100, log=True),
        "max_features": _one_of("sqrt", "log2", 0.5),
    }
    pycox = {**rate, "hidden": _one_of("16", "32", "32-32", "64-64"), "dropout": FloatDistribution(0.0, 0.5)}
    nimo = {
        **rate,
        "epochs": IntDistribution(100, 1000, log=True),
        "lam": _log(1e-4, 0.3),
        "delta": FloatDistribution(0.25, 1.0),
    }
    return {
        "CoxLLSPIN": {**net, **gates},
        "CoxLSPIN": {**net, **gates, **hidden},
        "CoxSTG": {**net, "lam": _log(5e-4, 0.2), **hidden},
        "CoxLassoNet": {**net, "lam": _log(0.1, 30.0), "M": _log(0.3, 30.0), **hidden},
        "CoxNIMO": nimo,
        "CoxGradientLasso": {**net, "lam": _log(1e-3, 0.3), "hidden": _one_of("16", "32-16", "50-30")},
        "DeepSurv": {**net, **hidden},
        "PycoxDeepSurv": pycox,
        "CoxLasso": {"alpha": _log(1e-5, 0.5)},
        "Forest": forest,
        "RandomSurvivalForest": forest,
        "ExtraSurvivalTrees": forest,
    }


def _lspin2022() -> dict[str, Space]:
    rate = {"lr": _log(1e-2, 1.0), "epochs": _one_of(500, 1000, 2000)}
    descent = {"optimizer": _one_of("sgd"), "batch_size": _one_of(None), "weight_decay": _one_of(0.0)}
    net = {**rate, **descent, "patience": _one_of(2000)}
    hidden = {"hidden": _one_of("100-30-5")}
    gates = {"lam": _log(1e-9 * PAPER_ROWS, 1e-5 * PAPER_ROWS), "gate_hidden": _one_of("300")}
    forest = {"n_estimators": _one_of(1, 10, 100, 500, 1000)}
    return {
        "CoxLLSPIN": {**net, **gates},
        "CoxLSPIN": {**net, **gates, **hidden},
        "CoxSTG": {**net, "lam": _log(1e-3, 1e-1), **hidden},
        "DeepSurv": {**net, **hidden},
        "PycoxDeepSurv": {**rate, **hidden},
        "CoxLasso": {"alpha": _log(1e-7, 1.0)},
        "Forest": forest,
        "RandomSurvivalForest": forest,
    }


PRESETS = {"default": _default, "lspin2022": _lspin2022}
