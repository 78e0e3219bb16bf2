"""What the folds of a study say for the card of its method."""

import numpy as np
import pandas as pd
import pytest

from survlspin.faithfulness import over_folds
from survlspin.fit_record import Fit
from survlspin.folds import Fold
from survlspin.runs import Runs

NAMES = ["a", "b", "probe_1"]
SOME, OTHER, NONE = [1, 0, 1], [1, 1, 0], [0, 0, 0]


def runs_of(lists, tested, probes=()):
    """A study of folds, each of which tests rows and lists the same factors for all of them and for its training."""
    fits, folds = [], {}
    for k, (own, rows) in enumerate(zip(lists, tested, strict=True)):
        folds[str(k)] = Fold(str(k), np.setdiff1d(np.arange(4), rows), np.arange(0), np.asarray(rows))
        used = np.packbits(np.tile(np.array(own, dtype=bool), (1, len(rows), 1)), axis=-1)
        share, risk = pd.DataFrame([own], columns=NAMES, dtype=float), np.zeros((1, len(rows)), dtype=np.float32)
        points = pd.DataFrame({"C": [0.5]})
        fits.append(Fit("M", str(k), 0, points, 0, share, risk, risk, "C", 1.0, used))
    return Runs(fits, folds, {"M": "held out"}, (), np.arange(4), "", probes=probes)


def test_two_lists_of_a_row_are_compared():
    found = over_folds(runs_of([SOME, OTHER], [[0, 1], [1, 2]]), "M")
    assert list(found) == ["stability.folds"]
    value = {name: value for name, value, _ in found["stability.folds"]}
    assert value["stability.folds"] == value["stability.folds.jaccard"] == pytest.approx(1 / 3)
    assert value["stability.folds.nogueira"] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("lists", "tested", "name", "why"),
    [
        ([SOME, OTHER], [[0, 1], [2, 3]], "stability.folds", "no row is listed by two of them"),
        ([SOME], [[0, 1]], "stability.folds", "there is one fold"),
        ([SOME], [[0, 1]], "stability.folds.jaccard", "there is one fold"),
        ([NONE, NONE], [[0, 1], [0, 1]], "stability.folds.nogueira", "all sets are empty or full"),
    ],
    ids=["apart", "one", "one-set", "empty"],
)
def test_what_is_undefined_says_why(lists, tested, name, why):
    lines = {line[0]: line for line in over_folds(runs_of(lists, tested), "M")["stability.folds"]}
    assert np.isnan(lines[name][1])
    assert lines[name][2].endswith(f"; undefined: {why}")


def test_rows_are_counted_that_list_a_probe():
    [line] = over_folds(runs_of([SOME, OTHER], [[0, 1], [2, 3]], ("probe_1",)), "M")["probes"]
    assert line[:2] == ("probes", 0.5)
    assert "of 1; mean over the test rows of 2 fits" in line[2]
