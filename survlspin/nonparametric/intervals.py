"""Confidence limits of a probability on five scales, as R's ``survfit`` has them."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from survlspin.errors import InputError

__all__ = ["SCALES", "check_scale", "limits"]

SCALES = ("log", "plain", "log-log", "logit", "arcsin")


def limits(p: np.ndarray, se: np.ndarray, ci: str, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper limits of probabilities `p` with standard errors `se`, within 0 and 1.

    They are symmetric on the scale `ci`; nan where that scale has no place for `p`.

    Raises
    ------
    InputError
        SL-324 for an unknown scale, or an `alpha` that is not between 0 and 1.
    """
    check_scale(ci, alpha)
    half = norm.isf(alpha / 2) * se
    inside = np.where((p > 0) & (p < 1), p, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        if ci == "plain":
            low, high = p - half, p + half
        elif ci == "log":
            low, high = p * np.exp(-half / p), p * np.exp(half / p)
        elif ci == "log-log":
            power = np.exp(half / (inside * np.log(inside)))
            low, high = inside ** (1 / power), inside**power
        elif ci == "logit":
            width = half / (inside * (1 - inside))
            low, high = expit(logit(inside) - width), expit(logit(inside) + width)
        else:
            angle, width = np.arcsin(np.sqrt(inside)), half / (2 * np.sqrt(inside * (1 - inside)))
            low, high = np.sin(np.maximum(angle - width, 0)) ** 2, np.sin(np.minimum(angle + width, np.pi / 2)) ** 2
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def check_scale(ci: str, alpha: float) -> None:
    if ci not in SCALES:
        raise InputError("SL-324", f"ci={ci!r}.", f"Use one of {', '.join(SCALES)}.")
    if not 0 < alpha < 1:
        raise InputError("SL-324", f"alpha={alpha!r}.", "Give a number between 0 and 1: one minus the coverage.")
