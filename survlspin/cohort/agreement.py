"""Whether two fields that should say the same do: the checks that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from survlspin.cohort.codebook import STATUS, Values
from survlspin.cohort.recipe import Choice

__all__ = ["agreements", "masked_agreements"]


def agreements(choice: Choice, values: Mapping[str, Values]) -> list[dict[str, Any]]:
    """Count, for each check of a recipe, the records in which two numbers differ.

    Parameters
    ----------
    choice : Choice
    values : dict of str -> Values
        The fields of the records kept.

    Returns
    -------
    list of dict
        ``id``, ``text``, the fields ``of`` and ``against``, ``compared`` (records in which both are known exactly; 0
        where the file lacks one of them) and ``differ`` (those of them in which the two are not equal).
    """
    exact, found = STATUS.index("exact"), []
    for check in choice.checks:
        one, other = values[check.source], values[check.against]
        both = (one.status == exact) & (other.status == exact)
        counts = {"compared": int(both.sum()), "differ": int(np.count_nonzero(both & (one.data != other.data)))}
        found.append({"id": check.id, "text": check.text, "of": check.source, "against": check.against, **counts})
    return found


def masked_agreements(found: Iterable[Mapping[str, Any]], rows: int, least: int) -> list[dict[str, Any]]:
    """Return `found` without numbers from 1 to ``least - 1``, given or to be had by subtraction; None: hidden.

    Parameters
    ----------
    found : list of dict
        As `agreements` returns them.
    rows : int
        The records kept.
    least : int
        The smallest number that is shown beside 0.
    """
    small, shown = range(1, least), []
    for each in found:
        n, differ = each["compared"], each["differ"]
        few = n in small or rows - n in small
        hidden = few or differ in small or n - differ in small
        shown.append({**each, "compared": None if few else n, "differ": None if hidden else differ})
    return shown
