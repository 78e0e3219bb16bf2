"""The difference of two measures of the same patients."""

from __future__ import annotations

import re

import numpy as np

from survlspin.errors import InputError
from survlspin.metrics.estimate import Z95, Estimate

__all__ = ["compare"]


def compare(a: Estimate, b: Estimate) -> Estimate:
    """The difference ``a - b`` of one measure of two models, paired by patient.

    Parameters
    ----------
    a, b : Estimate
        One measure (the same definition: horizon, tau, weights) of two models on the same rows in the same order.

    Returns
    -------
    Estimate
        ``influence`` is the difference of theirs, ``se`` the root of the sum of its squares; ``low`` and ``high`` are
        95 % limits, symmetric about the difference. All nan where `a` or `b` is undefined.

    Raises
    ------
    InputError
        SL-338 the rows differ, or a measure has no influence, as with ``robust=False``; SL-339 the definitions differ.

    Examples
    --------
    >>> from survlspin.metrics import concordance
    >>> time, event = [5, 8, 8, 12], [1, 1, 0, 0]
    >>> compare(concordance(time, event, [4, 3, 2, 1]), concordance(time, event, [2.0, 0.5, 0.5, 1.0])).value
    0.30000000000000004
    """
    known = a.influence is not None and b.influence is not None
    if not known or not a.rows or a.rows != b.rows or len(a.influence) != len(b.influence):
        found = "The two measures are not of the same rows, or one has no influence values."
        raise InputError("SL-338", found, "Evaluate both on the same patients, with robust errors.")
    words, other = (re.split("[;,] (?:undefined|95%)", estimate.definition)[0] for estimate in (a, b))
    if words != other:
        found = f"The definitions differ: {words} and {other}."
        raise InputError("SL-339", found, "Compare like with like, e.g. at one tau.")
    value, influence = a.value - b.value, a.influence - b.influence
    se = float(np.sqrt(np.sum(influence**2)))
    undefined = "; undefined: one of the two is" if np.isnan(value) else ""
    definition = f"difference of {words}{undefined}; 95% symmetric"
    return Estimate(value, se, value - Z95 * se, value + Z95 * se, definition, influence, rows=a.rows)
