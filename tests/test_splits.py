"""Folds are checked, written down, and freed of what tuning saw."""

import hashlib
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survlspin.errors import InputError
from survlspin.folds import External, Fold, RepeatedKFold, Splitter, TrainOneTestNine
from survlspin.splits import blocks, check_folds, spare, split_manifest

PARTS = ("train", "validation", "test", "aside")


def data(n=120, events=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x": rng.normal(size=n)}, index=[f"id {i}" for i in rng.permutation(n)])
    return X, {"time": rng.exponential(size=n), "event": (rng.permutation(n) < round(events * n)).astype(int)}


class ByTime(Splitter):
    """A user's own: the early half of the rows is trained on, and events are not looked at."""

    def folds(self, X, y, groups=None):
        a, b, n = len(X) // 3, len(X) // 2, len(X)
        yield Fold("early", np.arange(a), np.arange(a, b), np.arange(b, n))

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1

    @property
    def description(self):
        return "trained on the first third"


def own(y):
    return list(ByTime().folds(np.zeros((120, 1)), y))


def test_a_splitter_of_ones_own_is_taken_if_its_folds_are_sound():
    _, y = data()
    assert not ByTime().disjoint
    [fold] = check_folds(ByTime().folds(np.zeros((120, 1)), y), y, np.arange(120))
    assert fold.name == "early"


@settings(max_examples=30, deadline=None)
@given(
    cv=st.sampled_from([TrainOneTestNine(4), TrainOneTestNine(3, 0.1, 2, 2), RepeatedKFold(3, 2), "external"]),
    patients=st.integers(60, 120),
    seed=st.integers(0, 99),
)
def test_our_folds_are_sound(cv, patients, seed):
    X, y = data(seed=seed)
    patient = np.random.default_rng(seed).integers(patients, size=120)
    cv = External(patient % 3 == 0) if cv == "external" else cv
    folds = check_folds(cv.folds(X, y, patient), y, patient)
    assert len(folds) == cv.get_n_splits()


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_without_events_is_refused_and_a_stratified_splitter_proposed(part):
    _, y = data()
    [fold] = folds = own(y)
    y["event"][getattr(fold, part)] = 0
    with pytest.raises(InputError, match=rf"SL-383 fold early has no event.*{part[:4]}.*TrainOneTestNine\("):
        check_folds(folds, y, np.arange(120))


def test_an_event_without_weight_is_no_event():
    _, y = data()
    [fold] = folds = own(y)
    y["weight"] = np.ones(120)
    check_folds(folds, y, np.arange(120))
    y["weight"][fold.test] = 0
    with pytest.raises(InputError, match=r"SL-383.*to test on"):
        check_folds(folds, y, np.arange(120))


@pytest.mark.parametrize("part", ["validation", "test", "aside"])
def test_one_patient_in_two_parts(part):
    _, y = data()
    [fold] = own(y)
    fold = replace(fold, test=np.arange(60, 119), aside=np.array([119]))
    code = np.arange(120)
    check_folds([fold], y, code)
    code[0] = code[getattr(fold, part)[0]]
    with pytest.raises(InputError, match=rf"SL-382 fold early: 1 patient is in both its train and its {part}.*groups="):
        check_folds([fold], y, code)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_without_rows(part):
    _, y = data()
    [fold] = own(y)
    with pytest.raises(InputError, match=rf"SL-384 fold early has no rows to {part[:4]}"):
        check_folds([replace(fold, **{part: np.arange(0)})], y, np.arange(120))


@pytest.mark.parametrize(
    "rows",
    [np.arange(60, 121), np.arange(-1, 5), np.ones(120, dtype=bool), np.array([61, 60]), np.array([60, 60]), [[60]]],
    ids=["beyond", "negative", "flags", "descending", "twice", "nested"],
)
def test_rows_that_are_not_there(rows):
    _, y = data()
    [fold] = own(y)
    with pytest.raises(InputError, match="SL-385 the test rows of fold early"):
        check_folds([replace(fold, test=np.asarray(rows))], y, np.arange(120))


@pytest.mark.parametrize(("times", "found"), [(0, "no folds"), (2, "two folds are called early")])
def test_folds_have_names_of_their_own(times, found):
    _, y = data()
    with pytest.raises(InputError, match=f"SL-386 {found}"):
        check_folds(own(y) * times, y, np.arange(120))
    with pytest.raises(InputError, match="SL-386 names of folds that are no texts"):
        check_folds([replace(fold, name=1) for fold in own(y)], y, np.arange(120))


@settings(max_examples=30, deadline=None)
@given(k=st.integers(2, 6), repeats=st.integers(1, 2), seed=st.integers(0, 99), which=st.integers(0, 11))
def test_spare_tests_on_nobody_whom_tuning_saw(k, repeats, seed, which):
    X, y = data(seed=seed)
    patient = np.random.default_rng(seed).integers(90, size=120)
    before = list(TrainOneTestNine(k, 0.1, seed, repeats).folds(X, y, patient))
    tuned_on = before[which % len(before)]
    if k == 2:
        with pytest.raises(InputError, match="SL-387"):
            spare(before, tuned_on, y, patient)
        return
    after = check_folds(spare(before, tuned_on, y, patient), y, patient)
    seen = {*patient[tuned_on.train], *patient[tuned_on.validation]}
    for old, new in zip(before, after, strict=True):
        assert not seen & {*patient[new.test]}
        np.testing.assert_array_equal(new.listed, old.test)
        np.testing.assert_array_equal(new.train, old.train)
        np.testing.assert_array_equal(new.validation, old.validation)
        assert len(new.aside) == 0 if old is tuned_on else {*patient[new.aside]} == seen & {*patient[old.test]}


def test_spare_knows_patients_by_rows_or_by_code():
    tuned_on = Fold("1", np.array([0]), np.array([1]), np.array([2, 3, 4]))
    other = Fold("2", np.array([2]), np.array([1]), np.array([0, 3, 4]))
    assert spare([tuned_on, other], tuned_on)[1].test.tolist() == [3, 4]
    code = np.array([0, 1, 2, 0, 4])  # row 3 is the patient of row 0
    [_, left] = spare([tuned_on, other], tuned_on, code=code)
    assert (left.test.tolist(), left.aside.tolist()) == ([4], [0, 3])
    third = Fold("3", np.array([4]), np.array([1]), np.array([0, 2, 3]))
    [_, _, left] = spare(spare([tuned_on, other, third], tuned_on), other)  # models tuned on two of them
    assert (left.test.tolist(), left.aside.tolist()) == ([3], [0, 2])


def test_spare_refuses_folds_with_nothing_left_to_test():
    X, y = data()
    folds = list(RepeatedKFold(5, 1).folds(X, y))  # fold 1 tunes on all whom the others test
    with pytest.raises(InputError, match=r"SL-387 fold 1.2 would test on 0 rows.*Tuning\(per_fold=True\)"):
        spare(folds, folds[0])
    folds = list(TrainOneTestNine(3).folds(X, y))
    assert len(spare(folds, folds[0], y)) == 3
    y["event"][folds[1].train] = 0
    with pytest.raises(InputError, match=r"SL-387 fold 3 would test on \d+ rows, none with an event"):
        spare(folds, folds[0], y)


@pytest.mark.parametrize(
    ("cv", "number"), [(TrainOneTestNine(4), 5), (External(np.arange(40)), 3), (RepeatedKFold(3, 1), None)], ids=repr
)
def test_blocks_are_in_one_part_of_every_fold(cv, number):
    X, y = data()
    folds = list(cv.folds(X.to_numpy(), y))
    block = blocks(folds, 120)
    assert number is None or len(set(block)) == number
    for fold in folds:
        for part in PARTS:
            inside = np.isin(np.arange(120), getattr(fold, part))
            assert not {*block[inside]} & {*block[~inside]}
    order = np.random.default_rng(1).permutation(120)
    place = np.argsort(order)
    moved = [Fold(fold.name, *(np.sort(place[getattr(fold, part)]) for part in PARTS)) for fold in folds]
    np.testing.assert_array_equal(blocks(moved, 120), block[order])


def test_the_manifest_counts_and_identifies_every_part():
    X, y = data()
    patient = np.arange(120) // 2
    folds = spare(folds := list(TrainOneTestNine(4).folds(X, y, patient)), folds[0])
    manifest = split_manifest(folds, X.index, y, patient, "one of four", 7)
    assert manifest.attrs == {"description": "one of four", "seed": 7}
    assert len(manifest) == 4 * 4
    for entry in manifest.itertuples():
        fold = next(fold for fold in folds if fold.name == entry.fold)
        rows = getattr(fold, entry.part)
        assert (entry.rows, entry.patients) == (len(rows), len(set(patient[rows])))
        assert entry.events == y["event"][rows].sum()
        text = "".join(f"{label}\n" for label in sorted(X.index[rows]))
        assert entry.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert not manifest.map(str).apply(lambda column: column.str.contains("id ")).any(axis=None)


def test_the_manifest_says_what_sort_and_sha256sum_say(tmp_path):
    labels = ["b", "a\tb", "a", "Z", "é", "a b", "10", "9"]
    rows = np.arange(len(labels))
    y = {"time": rows + 1.0, "event": np.ones(len(labels), int)}
    fold = Fold("1", rows, rows, rows)
    (tmp_path / "ids").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    command = "LC_ALL=C sort ids | sha256sum"
    told = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    assert split_manifest([fold], labels, y, rows, "", 0)["sha256"][0] == told.split()[0]


def test_the_manifest_does_not_depend_on_the_order_of_rows():
    X, y = data()
    order = np.random.default_rng(1).permutation(120)
    cv = TrainOneTestNine(4)
    one = split_manifest(cv.folds(X, y), X.index, y, np.arange(120), "", 0)
    shuffled = {name: values[order] for name, values in y.items()}
    other = split_manifest(cv.folds(X.iloc[order], shuffled), X.index[order], shuffled, np.arange(120), "", 0)
    pd.testing.assert_frame_equal(one, other)
    third = split_manifest(TrainOneTestNine(4, random_state=1).folds(X, y), X.index, y, np.arange(120), "", 1)
    assert (one["sha256"] != third["sha256"])[one["part"] != "aside"].all()
