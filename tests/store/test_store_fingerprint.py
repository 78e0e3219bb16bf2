"""The fingerprint of data: one changed cell, name or order is another; the same data, however held, are the same."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd

from survlspin.store import fingerprint, versions

CSV = "age,grade,nodes,when\n50.5,low,1,2001-02-03\n,high,0,2001-02-04\n61,,3,2001-02-05\n40,low,2,2001-02-06\n"
CODE = f"""
import io
import numpy as np, pandas as pd
from survlspin.store import fingerprint
X = pd.read_csv(io.StringIO({CSV!r})).astype({{"grade": "category"}})
y = np.array([(True, 1.0), (False, 2.0), (True, 3.0), (True, 4.0)], [("event", bool), ("time", float)])
print(fingerprint(X, y, ["a", "b", "c", "d"], np.array([1, 1, 2, 3])), end="")
"""
LABELS, GROUPS = ["a", "b", "c", "d"], np.array([1, 1, 2, 3])


def outcome():
    return np.array([(True, 1.0), (False, 2.0), (True, 3.0), (True, 4.0)], [("event", bool), ("time", float)])


def table():
    return pd.read_csv(io.StringIO(CSV)).astype({"grade": "category"})


def of(X=None, y=None, labels=LABELS, groups=GROUPS):
    return fingerprint(table() if X is None else X, outcome() if y is None else y, labels, groups)


def changed(column, row, value):
    X = table()
    X[column] = X[column].astype(object) if column != "grade" else X[column]
    kind = table()[column].dtype
    X.loc[row, column] = value
    return X if column == "grade" else X.astype({column: kind})


def with_time(value):
    y = outcome()
    y["time"][2] = value
    return y


OTHERS = {
    "a cell": lambda: of(changed("age", 3, np.nextafter(40, 41))),
    "a cell is missing": lambda: of(changed("age", 3, np.nan)),
    "a missing cell is not": lambda: of(changed("age", 1, 0.0)),
    "a whole number": lambda: of(changed("nodes", 0, 2)),
    "a category": lambda: of(changed("grade", 0, "high")),
    "a missing category": lambda: of(changed("grade", 3, np.nan)),
    "a text": lambda: of(changed("when", 3, "2001-02-07")),
    "a level nobody has": lambda: of(table().assign(grade=table()["grade"].cat.add_categories(["none"]))),
    "the order of levels": lambda: of(table().assign(grade=table()["grade"].cat.reorder_categories(["low", "high"]))),
    "ordered levels": lambda: of(table().assign(grade=table()["grade"].cat.as_ordered())),
    "the name of a column": lambda: of(table().rename(columns={"age": "Age"})),
    "the order of columns": lambda: of(table()[["grade", "age", "nodes", "when"]]),
    "a column less": lambda: of(table().drop(columns="when")),
    "a row less": lambda: of(table()[:3], outcome()[:3], LABELS[:3], GROUPS[:3]),
    "the order of rows": lambda: of(table()[::-1], outcome()[::-1], LABELS[::-1], GROUPS[::-1]),
    "text for a category": lambda: of(table().astype({"grade": object})),
    "a date for text": lambda: of(table().astype({"when": "datetime64[ns]"})),
    "a flag for a number": lambda: of(table().assign(nodes=[True, False, True, True])),
    "a fraction for a whole number": lambda: of(table().astype({"nodes": float})),
    "a time": lambda: of(y=with_time(3.5)),
    "a label": lambda: of(labels=["a", "b", "c", "e"]),
    "a label's kind": lambda: of(labels=[0, 1, 2, 3]),
    "a label's kind, again": lambda: of(labels=["0", "1", "2", "3"]),
    "a patient": lambda: of(groups=np.array([1, 2, 2, 3])),
    "no patients": lambda: of(groups=None),
    "an array": lambda: of(table()[["age", "nodes"]].to_numpy()),
}


def test_whatever_is_changed_the_fingerprint_is_another():
    prints = {"nothing": of(), **{name: other() for name, other in OTHERS.items()}}
    assert len(set(prints.values())) == len(prints)
    assert all(len(text) == 64 for text in prints.values())


def test_it_is_the_same_in_any_process():
    bare = {
        "PYTHONHASHSEED": "random",
        "TZ": "Pacific/Chatham",
        "LANG": "C",
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=bare).stdout
    assert said == of()


def test_what_holds_the_numbers_does_not_count():
    X = table()
    assert of(X.astype({"nodes": "int8"})) == of(X.astype({"nodes": "Int32"})) == of()
    assert of(X.astype({"age": "float32"})) == of(X.astype({"age": "Float64"})) == of()
    assert of(X.astype({"nodes": "int64[pyarrow]", "age": "double[pyarrow]"})) == of()
    assert of(X.astype({"when": "string"})) == of()
    assert of(labels=pd.Index(LABELS)) == of(labels=np.array(LABELS, dtype=object)) == of()
    assert of(y=pd.DataFrame(outcome())) == of()
    numbers = X[["nodes"]].rename(columns={"nodes": 0})
    assert of(numbers.to_numpy()) == of(np.asfortranarray(numbers.to_numpy())) == of(numbers)
    assert of(X.set_axis(list("wxyz"))) == of()  # the labels are given apart


def test_missing_flags_and_whole_numbers():
    flags = [pd.array([True, None, False, True], "boolean"), pd.array([True, False, False, True], "boolean")]
    wholes = [pd.array([2**60, None, 3, 4], "Int64"), pd.array([2**60 + 1, None, 3, 4], "Int64")]
    prints = {of(pd.DataFrame({"a": column})) for column in flags + wholes}
    assert len(prints) == 4
    two = [pd.DataFrame({"a": values}) for values in ([0.0, np.nan, 1.0, 1.0], [np.nan, 0.0, 1.0, 1.0])]
    assert of(two[0]) != of(two[1])
    assert of(pd.DataFrame({"a": flags[1]})) == of(pd.DataFrame({"a": flags[1].astype(bool)}))


def test_columns_cannot_be_taken_for_one_another():
    a = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["x", "x"])
    b = pd.DataFrame([[1.0, 2.0], [4.0, 3.0]], columns=["x", "x"])
    y, labels = np.zeros(2), [0, 1]
    assert fingerprint(a, y, labels) != fingerprint(b, y, labels)
    assert fingerprint(a, y, labels) != fingerprint(a.set_axis(["x", "x.1"], axis=1), y, labels)
    assert fingerprint(a.set_axis([1, 2], axis=1), y, labels) != fingerprint(a.set_axis(["1", "2"], axis=1), y, labels)


def test_predictors_and_outcome_cannot_be_taken_for_one_another():
    table = pd.DataFrame(np.eye(3), columns=list("abc"))
    assert fingerprint(table[["a", "b"]], table[["c"]], LABELS) != fingerprint(table[["a"]], table[["b", "c"]], LABELS)


def test_versions_are_those_that_are_installed():
    import torch

    found = versions()
    assert found["torch"] == torch.__version__
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert {"survlspin", "numpy", "pandas", "scipy", "scikit-learn", "scikit-survival", "lifelines"} <= found.keys()
