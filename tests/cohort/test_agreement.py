import numpy as np
import pytest
from registry import FIELDS, people, write

from survlspin.cohort.agreement import masked_agreements
from survlspin.cohort.build import build_cohort
from survlspin.cohort.recipe import load_recipe
from survlspin.errors import InputError

CHECK = {"id": "sizes", "text": "merged against recoded", "of": "size", "against": "recode"}
RECODE = {"column": "Recode", "kind": "number", "unit": "mm", "codes": FIELDS["size_old"]["codes"]}


def with_check(tmp_path, **keys):
    return write(tmp_path, fields=FIELDS | {"recode": RECODE}, checks=[CHECK | keys])


def test_records_kept_are_compared_where_both_numbers_are_exact(tmp_path):
    raw = people(300)
    old = raw["Year"].astype(int) <= 2003
    size = raw["Size until 2003"].where(old, raw["Size since 2004"])
    rng = np.random.default_rng(1)
    raw["Recode"] = np.where(rng.random(300) < 0.1, "7", np.where(rng.random(300) < 0.1, "995", size))
    cohort = build_cohort(raw, with_check(tmp_path))
    mine = raw.assign(size=size).set_index("ID").loc[cohort.groups]
    both = ~mine["size"].isin(["995", "999"]) & ~mine["Recode"].isin(["995", "999"])
    differ = both & (mine["size"] != mine["Recode"])
    [found] = cohort.manifest["checks"]
    assert found == CHECK | {"compared": both.sum(), "differ": differ.sum()}
    assert 0 < differ.sum() < both.sum() < len(cohort)
    assert cohort.fingerprint == build_cohort(raw, write(tmp_path)).fingerprint


def test_a_file_without_the_column_has_nothing_to_compare(tmp_path):
    [found] = build_cohort(people(), with_check(tmp_path)).manifest["checks"]
    assert (found["compared"], found["differ"]) == (0, 0)


def test_a_check_may_depend_on_a_switch(tmp_path):
    path = with_check(tmp_path, when={"ranges": "drop"})
    assert build_cohort(people(), path).manifest["checks"] == []
    assert len(build_cohort(people(), path, switches={"ranges": "drop"}).manifest["checks"]) == 1


@pytest.mark.parametrize(
    ("keys", "code", "text"),
    [
        ({"agianst": "size"}, "SL-584", "did you mean 'against'"),
        ({"of": 3}, "SL-585", "not text"),
        ({"of": "recode"}, "SL-585", "with itself"),
        ({"of": "grade"}, "SL-585", "is category, not a number"),
        ({"against": "recoed"}, "SL-586", "did you mean 'recode'"),
        ({"when": {"rangs": "keep"}}, "SL-586", "did you mean 'ranges'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_refused_by_name(tmp_path, keys, code, text):
    with pytest.raises(InputError, match=text) as caught:
        load_recipe(with_check(tmp_path, **keys))
    assert caught.value.code == code


def test_two_checks_need_two_names(tmp_path):
    with pytest.raises(InputError, match="'sizes' twice") as caught:
        load_recipe(write(tmp_path, fields=FIELDS | {"recode": RECODE}, checks=[CHECK, CHECK]))
    assert caught.value.code == "SL-586"


@pytest.mark.parametrize(
    ("compared", "differ", "shown"),
    [
        (0, 0, (0, 0)),
        (50, 0, (50, 0)),
        (50, 5, (50, 5)),
        (100, 0, (100, 0)),
        (50, 4, (50, None)),
        (50, 46, (50, None)),
        (4, 0, (None, None)),
        (97, 20, (None, None)),
    ],
    ids=str,
)
def test_small_counts_are_hidden_and_those_that_give_them_away(compared, differ, shown):
    [found] = masked_agreements([CHECK | {"compared": compared, "differ": differ}], 100, 5)
    assert (found["compared"], found["differ"]) == shown
