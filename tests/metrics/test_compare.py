import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.metrics import calibration_slope, compare, concordance, uno
from survlspin.metrics.estimate import Z95

GOLDEN = Path(__file__).parents[1] / "golden"
COMPARED = json.loads((GOLDEN / "concordance.json").read_text())["compared"]
TIME, EVENT = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1, 1, 0, 1, 0, 1])
A, B = np.array([6.0, 5, 4, 3, 2, 1]), np.array([1.0, 6, 2, 5, 4, 3])


@pytest.fixture(scope="module")
def r_data():
    return dict(list(pd.read_csv(GOLDEN / "concordance.csv.gz").groupby("set")))


@pytest.mark.parametrize("case", COMPARED)
def test_differences_equal_r(case, r_data):
    frame, gold = r_data[case.split("/")[0]], COMPARED[case]
    a, b = (
        concordance(frame["time"], frame["event"], frame[score], timewt=gold["timewt"], force=True)
        for score in ("sA", "sB")
    )
    found = compare(b, a)
    np.testing.assert_allclose(found.value, np.diff(gold["C"])[0], rtol=1e-10)
    np.testing.assert_allclose(found.se, gold["se"], rtol=1e-10)
    np.testing.assert_allclose(a.influence @ b.influence, gold["var"][0][1], rtol=1e-10, atol=1e-18)
    np.testing.assert_allclose([found.low, found.high], found.value + Z95 * found.se * np.array([-1, 1]))


def test_a_difference_is_turned_around_and_of_itself_nothing():
    a, b = concordance(TIME, EVENT, A), concordance(TIME, EVENT, B)
    assert compare(a, b).value == -compare(b, a).value == a.value - b.value
    assert compare(a, b).se == compare(b, a).se > 0
    assert (compare(a, a).value, compare(a, a).se) == (0, 0)
    assert compare(a, b).definition.startswith("difference of C(Harrell; risk ties 1/2")
    assert compare(compare(a, b), compare(b, b)).value == a.value - b.value


def test_clusters_are_compared_by_cluster():
    cluster = [0, 0, 1, 1, 2, 2]
    found = compare(concordance(TIME, EVENT, A, cluster=cluster), concordance(TIME, EVENT, B, cluster=cluster))
    plain = compare(concordance(TIME, EVENT, A), concordance(TIME, EVENT, B))
    np.testing.assert_allclose(found.influence, plain.influence.reshape(3, 2).sum(axis=1))


@pytest.mark.parametrize(
    ("code", "other"),
    [
        ("SL-338", concordance(TIME[:5], EVENT[:5], B[:5])),
        ("SL-338", concordance(TIME, EVENT[::-1], B)),
        ("SL-338", concordance(TIME, EVENT, B, weight=[1, 1, 1, 1, 1, 2])),
        ("SL-338", concordance(TIME, EVENT, B, cluster=[1, 1, 1, 2, 2, 2])),
        ("SL-339", concordance(TIME, EVENT, B, tau=4)),
        ("SL-339", concordance(TIME, EVENT, B, ties="dropped")),
        ("SL-339", uno(TIME, EVENT, B, 4)),
    ],
    ids=["fewer", "moved", "weighted", "clustered", "tau", "ties", "Uno"],
)
def test_refuses_what_is_not_alike(code, other):
    with pytest.raises(InputError, match=f"^{code}"):
        compare(concordance(TIME, EVENT, A), other)


def test_errors_of_a_model_are_not_paired():
    found = calibration_slope([1, 2, 3, 4, 5], [1, 1, 1, 1, 0], [1.0, 2.0, 0.5, 0.6, 0.0], robust=False)
    with pytest.raises(InputError, match="SL-338") as caught:
        compare(found, found)
    assert "no influence" in str(caught.value)


def test_the_difference_from_something_undefined_is_undefined():
    nothing = concordance(TIME, EVENT, A, tau=0.5)
    found = compare(nothing, nothing)
    assert np.isnan([found.value, found.se, found.low, found.high]).all()
    assert "undefined: one of the two is" in str(found)
    drop = concordance([1, 2], [1, 1], [0, 0], ties="dropped"), concordance([1, 2], [1, 1], [1, 0], ties="dropped")
    assert np.isnan(compare(*drop).value)
