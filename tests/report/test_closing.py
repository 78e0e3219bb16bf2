import re

import pytest

from survlspin.report.closing import LIMITS, cannot_say

FACTS = {
    "horizon.last": "60 months",
    "data.longest": 120.0,
    "performance.reference": "LLSPIN",
    "protocol.folds": 5,
    "model.full": "yes",
    "thresholds.words": "0.2",
    "subgroups.names": "sex",
    "probes.offered": 3,
    "data.min_cell": 11,
}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"protocol.unfinished": 3}, "Unfinished: 3 fits are missing"),
        ({"protocol.apparent": True}, "it is judged on those it was made from"),
        ({"protocol.external": True}, "Why performance differs"),
        ({"competing.words": "other deaths count as censored"}, "another event first: other deaths count as censored."),
        ({"sample.enough": False, "sample.train_n": 438.5, "sample.needed": 1632}, "438 rows, and the criteria for"),
        ({"protocol.disjoint": False}, "share most of theirs"),
        ({"protocol.seeds": [7]}, "fitted once on every fold"),
        ({"thresholds.words": None}, "no threshold probabilities were named"),
        ({"subgroups.names": None}, "no subgroups were named"),
        ({"outcome.late_entry": True}, "under observation late"),
        ({"model.gates_see_all": True}, "the gates see every predictor"),
        ({"model.gates_see_all": True, "faithfulness.leaks": "0.7 %"}, "the log-hazard of 0.7 % of patients moves"),
        ({"model.full": None}, "no single fitted model is specified"),
        ({"data.min_cell": 0}, "small counts are not hidden"),
        ({"comparators.unclear": ["Cox PH", "Forest"]}, "Which of LLSPIN and Cox PH, Forest ranks patients better"),
        ({"calibration.missing": ["Forest"]}, "Whether the probabilities of Forest are right"),
        ({"ph.LLSPIN.rejected": 2, "ph.LLSPIN.fits": 5}, "rejected at 5 % in 2 of 5 fits"),
        ({"probes.LLSPIN.selected": 1.5}, "of 3 columns of noise 1.50 were selected"),
        ({"probes.offered": None}, "no probes were offered"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_limit_is_named_where_its_facts_hold(more, sentence):
    before, after = cannot_say(FACTS), cannot_say({**FACTS, **more})
    assert not [line for line in before if sentence in line]
    [line] = [line for line in after if sentence in line]
    assert not re.search(r"\{|FIRST|None", line)


def test_some_limits_always_hold():
    lines = cannot_say(FACTS)
    assert [line for line in lines if line.startswith("What causes what")]
    assert [line for line in lines if line.startswith("Anything after 60 months (longest follow-up 120)")]
    assert len(lines) < len(LIMITS)
