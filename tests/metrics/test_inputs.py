import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError
from survlspin.metrics.inputs import predicted, rows_of

GOOD = {"time": [3, 1, 2], "event": [1, 0, 1]}


def test_rows_are_typed_columns():
    rows = rows_of(pd.Series([3, 1, 2]), [True, False, True], stratum=["b", "a", "b"], cluster=[7, 7, 5])
    assert (rows.n, rows.entry, rows.weight, rows.strata) == (3, None, None, ["a", "b"])
    assert (rows.time.dtype, rows.event.dtype) == (float, bool)
    assert rows.stratum.tolist() == [1, 0, 1]
    assert rows.cluster.tolist() == [1, 1, 0]
    assert rows_of(**GOOD).strata == ["all"]


def test_causes_are_whole_numbers():
    rows = rows_of([3, 1, 2], [2, 0, 1], causes=True)
    assert rows.event.tolist() == [2, 0, 1]
    assert rows.event.dtype == np.int64


def test_influence_is_pooled_by_cluster():
    influence = np.array([1.0, 2, 4])
    assert rows_of(**GOOD).pooled(influence) is influence
    assert rows_of(**GOOD, cluster=["x", "y", "x"]).pooled(influence).tolist() == [5, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"time": [3, 1, 2.5]},
        {"event": [1, 1, 1]},
        {"entry": [0, 0, 1]},
        {"weight": [1, 1, 1]},
        {"stratum": [1, 1, 1]},
        {"cluster": [1, 1, 1]},
        {"causes": True},
    ],
)
def test_every_column_changes_the_digest(change):
    assert rows_of(**{**GOOD, **change}).digest != rows_of(**GOOD).digest
    assert rows_of(**{**GOOD, **change}).digest == rows_of(**{**GOOD, **change}).digest


@pytest.mark.parametrize(
    ("code", "change", "words"),
    [
        ("SL-331", {"event": [1, 0]}, "event has shape"),
        ("SL-331", {"cluster": [1, 0]}, "cluster has shape"),
        ("SL-331", {"time": [[3, 1, 2]]}, "time has shape"),
        ("SL-333", {"time": ["a", "b", "c"]}, "not numbers"),
        ("SL-333", {"time": [3, np.inf, 2]}, "position 1 has a missing or infinite time"),
        ("SL-333", {"event": [1, 0, 2]}, "position 2 has an event that is neither"),
        ("SL-333", {"event": [1, 0, 0.5], "causes": True}, "position 2 has an event that is not a whole"),
        ("SL-333", {"event": [-1, 0, 1], "causes": True}, "position 0 has an event that is not a whole"),
        ("SL-333", {"entry": [0, np.nan, 0]}, "position 1 has an entry"),
        ("SL-333", {"weight": [0, np.nan, 0]}, "position 1 has a missing"),
        ("SL-333", {"stratum": [0, np.nan, 0]}, "position 1 has no stratum"),
        ("SL-333", {"cluster": ["a", "a", None]}, "position 2 has no cluster"),
    ],
)
def test_refuses_what_is_no_outcome(code, change, words):
    with pytest.raises(InputError, match=f"^{code} .*{words}"):
        rows_of(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("code", "values"), [("SL-331", [1, 2]), ("SL-332", [1, np.nan, 2]), ("SL-332", [1, 2, -np.inf]), ("SL-332", "abc")]
)
def test_refuses_what_is_no_prediction(code, values):
    with pytest.raises(InputError, match=f"^{code} .*risk"):
        predicted("risk", list(values), 3)
