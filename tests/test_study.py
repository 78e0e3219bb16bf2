import numpy as np
import pandas as pd
import pytest

from survlspin.errors import InputError, InputWarning
from survlspin.study import Roles, gbsg2, study_of

ROLES = {"time": "months", "event": "died"}


@pytest.fixture
def study(tmp_path):
    def read(frame: pd.DataFrame, roles=None, **settings):
        frame.to_csv(tmp_path / "patients.csv", index=False)
        return study_of(tmp_path / "patients.csv", Roles(**ROLES, **(roles or {})), **settings)

    return read


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    n = 60
    return pd.DataFrame(
        {
            "pid": [f"{i // 2:03d}" for i in range(n)],
            "row": [f"{i:03d}" for i in range(n)],
            "months": rng.integers(1, 90, n),
            "died": rng.integers(0, 2, n),
            "age": rng.normal(60, 10, n).round(1),
            "site": rng.integers(1, 4, n),
            "note": "x",
        }
    )


def refused(study, frame, roles=None, **settings):
    with pytest.raises(InputError) as caught:
        study(frame, roles, **settings)
    return caught.value


def test_gbsg2_has_its_patients_and_categories():
    found = gbsg2()
    assert found.X.shape == (686, 8)
    assert found.outcome.n_events == 299
    assert found.unit == "days"
    assert [v.name for v in found.design.variables if v.levels is not None] == ["horTh", "menostat", "tgrade"]


def test_roles_leave_the_predictors(study, frame):
    found = study(frame, {"group": "pid", "id": "row", "drop": ("note",), "category": ("site",)})
    assert list(found.X) == ["age", "site"]
    assert found.X.index.tolist() == frame["row"].tolist()
    assert found.groups.tolist() == frame["pid"].tolist()
    assert len(found.design.columns) == 3


def test_one_column_may_be_label_and_group(study, frame):
    found = study(frame, {"group": "pid", "id": "pid", "drop": ("row", "note")})
    assert found.X.index.tolist() == found.groups.tolist() == frame["pid"].tolist()


def test_rows_with_time_0_leave_with_their_labels(study, frame):
    frame.loc[[0, 5], "months"] = 0
    found = study(frame, {"group": "pid", "id": "row"}, zero_time="drop")
    assert found.X.index.tolist() == frame["row"].drop([0, 5]).tolist()
    assert found.groups.tolist() == frame["pid"].drop([0, 5]).tolist()


@pytest.mark.parametrize(
    ("values", "code"), [([0, 1, 2], "1"), ([1.5, 3.0, 0.0], "3"), (["alive", "dead", "?"], "dead")]
)
def test_the_event_code_has_the_type_of_its_column(study, frame, values, code):
    kinds = np.array(values)[np.arange(60) % 3]
    found = study(frame.assign(died=kinds).drop(columns=["pid", "row"]), event_code=code)
    assert found.outcome.event.tolist() == [str(kind).removesuffix(".0") == code for kind in kinds]


def test_flags_are_events(study, frame):
    words = frame["died"].map({0: "False", 1: "True"})
    frame = frame.drop(columns=["pid", "row"])
    for code, turned in ((None, 0), ("true", 0), ("0", 1)):
        found = study(frame.assign(died=words), event_code=code)
        assert found.outcome.event.tolist() == (frame["died"] ^ turned).tolist()


def test_roles_that_cannot_be_are_refused(study, frame):
    frame = frame.drop(columns="pid").assign(row="p" + frame["row"])
    error = refused(study, frame, {"weight": "ages"})
    assert error.code == "SL-511"
    assert "'age'" in error.found
    assert refused(study, frame, {"drop": ("died",)}).code == "SL-512"
    assert refused(study, frame, {"stratum": "site", "category": ("site",)}).code == "SL-512"
    assert refused(study, frame, event_code="dead").code == "SL-513"
    assert refused(study, frame.assign(row=frame["row"].mask(frame["row"] == "p017")), {"id": "row"}).code == "SL-514"


def test_what_is_wrong_with_the_patients_is_said_before_any_fit(study, frame):
    frame = frame.assign(pid="p" + frame["pid"]).drop(columns="row")
    few = frame.assign(died=np.arange(60) < 5)
    assert refused(study, few).code == "SL-117"
    assert refused(study, frame.assign(age=frame["age"].mask(frame["age"] > 70))).code == "SL-205"
    with pytest.warns(InputWarning, match="SL-117"):
        study(few, {"group": "pid"}, force=True)
    with pytest.warns(InputWarning, match="SL-215 'dead'"):
        study(frame.assign(dead=frame["died"]))
    with pytest.warns(InputWarning, match="SL-216 'row'"):
        study(frame.assign(row=[f"p{i}" for i in range(60)]))
