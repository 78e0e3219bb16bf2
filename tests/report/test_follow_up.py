import numpy as np
import pytest

from survlspin.outcome import Outcome
from survlspin.report import follow_up
from survlspin.report.drawing import svg
from survlspin.study import gbsg2


@pytest.fixture(scope="module")
def groups():
    return {"all rows": gbsg2().outcome}


def test_follow_up_of_gbsg2(groups):
    """Median and limits: R, survfit(Surv(time, 1 - cens) ~ 1), log-transformed."""
    found = follow_up.summary(groups).frame.set_index("what")["all rows"]
    assert found[["rows", "events", "median follow-up", "distinct times"]].tolist() == [686, 299, 1645, 574]
    assert 0 < found["share of events tied"] < 0.5


def test_numbers_at_risk_add_up(groups):
    frame = follow_up.at_risk(groups).frame
    assert frame["time"].tolist() == [0, 500, 1000, 1500, 2000, 2500]
    left = frame["at risk"].iloc[0] - (frame["events since"] + frame["censored since"]).cumsum()
    time = groups["all rows"].time
    exact = [np.count_nonzero(time > t) for t in frame["time"]]
    assert left.tolist() == exact
    assert frame["at risk"].tolist() == [np.count_nonzero(time >= t) for t in frame["time"]]
    assert frame["survival"].is_monotonic_decreasing


def test_where_counts_are_hidden_the_table_ends_before_they_are_small(groups):
    frame = follow_up.at_risk(groups, 11).frame
    assert frame["at risk"].min() >= 11
    assert frame["time"].max() == 2000
    assert "events since" not in frame
    assert (frame["survival"].round(2) == frame["survival"]).all()
    text = svg(follow_up.curves(groups, "days", 11))
    known = svg(follow_up.curves(groups, "days", 0))
    assert ">6</text>" in known
    assert ">6</text>" not in text
    assert ">2500</text>" in known
    assert ">2500</text>" not in text


def test_curves_are_not_drawn_at_the_times_of_patients(groups):
    figure = follow_up.curves(groups, "days", 0)
    assert svg(figure).count("\nL ") < 2 * follow_up.POINTS + 100
    assert "free of the event at 1000" in figure.alt


def test_those_who_come_late_are_not_at_risk_before():
    outcome = Outcome.of({"time": [5.0, 6, 7, 8], "event": [1, 0, 1, 1], "entry": [0.0, 3, 0, 6]})
    assert [follow_up.there_at(outcome, t) for t in (0, 4, 7)] == [2, 3, 2]
    assert len(follow_up.both(outcome)) == 2


@pytest.mark.parametrize(("last", "times"), [(10, [0, 2, 4, 6, 8, 10]), (0.7, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])])
def test_times_of_tables_are_round(last, times):
    np.testing.assert_allclose(follow_up.reporting_times(last), times)
