"""Who trains, validates and is tested."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score

from survlspin.baselines import LifelinesCoxPH
from survlspin.errors import InputError, InputTypeError
from survlspin.folds import External, Fold, RepeatedKFold, TrainOneTestNine, default_cv
from survlspin.outcome import Outcome

SPLITTERS = [TrainOneTestNine(5), TrainOneTestNine(4, n_repeats=2), RepeatedKFold(4, 2)]


def data(n=200, events=0.3, seed=0):
    rng = np.random.default_rng(seed)
    event = (rng.permutation(n) < round(events * n)).astype(int)
    X = pd.DataFrame({"x": rng.normal(size=n)}, index=[f"patient {i}" for i in rng.permutation(n)])
    return X, {"time": rng.exponential(size=n), "event": event}


def named(folds, index):
    return [{part: set(index[getattr(fold, part)]) for part in ("train", "validation", "test")} for fold in folds]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(60, 150), k=st.integers(2, 6), share=st.floats(0.03, 0.4), seed=st.integers(0, 99))
def test_train_one_test_nine_deals_every_patient_once(n, k, share, seed):
    X, y = data(n, seed=seed)
    folds = list(TrainOneTestNine(k, share, seed).folds(X, y))
    validation = folds[0].validation
    assert len(validation) == pytest.approx(share * n, abs=2)
    assert sorted(np.concatenate([validation, *(fold.train for fold in folds)])) == list(range(n))
    for fold in folds:
        np.testing.assert_array_equal(fold.validation, validation)
        assert sorted(np.concatenate([fold.train, fold.validation, fold.test])) == list(range(n))
    sizes = [len(fold.train) for fold in folds]
    events = [y["event"][fold.train].sum() for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    assert max(events) - min(events) <= 1


@settings(max_examples=30, deadline=None)
@given(n=st.integers(60, 150), k=st.integers(2, 6), share=st.floats(0.03, 0.4), seed=st.integers(0, 99))
def test_repeated_k_fold_tests_every_patient_once_per_repeat(n, k, share, seed):
    X, y = data(n, seed=seed)
    folds = list(RepeatedKFold(k, 2, seed, share).folds(X, y))
    for repeat in (folds[:k], folds[k:]):
        assert sorted(np.concatenate([fold.test for fold in repeat])) == list(range(n))
    for fold in folds:
        parts = [fold.train, fold.validation, fold.test]
        assert sorted(np.concatenate(parts)) == list(range(n))
        assert all(y["event"][part].any() for part in parts)
        assert len(fold.validation) == pytest.approx(share * (n - len(fold.test)), abs=2)
    assert named(folds[:k], X.index) != named(folds[k:], X.index)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(60, 150), k=st.integers(2, 6), share=st.floats(0.03, 0.4), seed=st.integers(0, 99))
def test_repeats_of_train_one_test_nine_deal_the_same_patients_anew(n, k, share, seed):
    X, y = data(n, seed=seed)
    folds = list(TrainOneTestNine(k, share, seed, n_repeats=3).folds(X, y))
    assert [fold.name for fold in folds] == [f"{r}.{i}" for r in (1, 2, 3) for i in range(1, k + 1)]
    once = list(TrainOneTestNine(k, share, seed).folds(X, y))
    assert [fold.name for fold in once] == [str(i) for i in range(1, k + 1)]
    assert named(once, X.index) == named(folds[:k], X.index)
    for repeat in (folds[:k], folds[k : 2 * k], folds[2 * k :]):
        assert sorted(np.concatenate([fold.train for fold in repeat])) == sorted(
            once[0].train.tolist() + once[0].test.tolist()
        )
        assert np.ptp([y["event"][fold.train].sum() for fold in repeat]) <= 1
        for fold in repeat:
            np.testing.assert_array_equal(fold.validation, once[0].validation)
            np.testing.assert_array_equal(np.union1d(fold.train, fold.test), np.union1d(once[0].train, once[0].test))
    assert len({frozenset(fold.train.tolist()) for fold in folds}) == 3 * k


@settings(max_examples=20, deadline=None)
@given(k=st.integers(2, 5), repeats=st.integers(1, 2), seed=st.integers(0, 99))
def test_every_other_fold_tests_every_patient_trained_on_and_patients_stay_whole(k, repeats, seed):
    X, y = data(150, events=0.4, seed=seed)
    patient = np.random.default_rng(seed).integers(70, size=len(X))
    cv = TrainOneTestNine(k, 0.1, seed, repeats)
    folds = list(cv.folds(X.set_axis(patient), y, patient))
    assert len(folds) == cv.get_n_splits()
    tested = np.concatenate([np.unique(patient[fold.test]) for fold in folds])
    trained = np.unique(np.concatenate([patient[fold.train] for fold in folds]))
    who, times = np.unique(tested, return_counts=True)
    np.testing.assert_array_equal(who, trained)
    assert set(times) == {(k - 1) * repeats}
    for fold in folds:
        assert sum(len(np.unique(patient[part])) for part in (fold.train, fold.validation, fold.test)) == len(
            set(patient)
        )


@pytest.mark.parametrize(
    ("cv", "disjoint"),
    [
        (TrainOneTestNine(4), True),
        (TrainOneTestNine(4, n_repeats=2), False),
        (RepeatedKFold(4, 1), False),
        (External(np.arange(200) < 50), True),
    ],
    ids=["nine", "nine-twice", "k-fold", "external"],
)
def test_disjoint_says_whether_training_sets_share_patients(cv, disjoint):
    X, y = data()
    rows = np.concatenate([fold.train for fold in cv.folds(X, y)])
    assert (len(set(rows)) == len(rows)) == disjoint
    assert cv.disjoint is disjoint


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_folds_go_by_row_labels_not_by_row_order(cv):
    X, y = data()
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = {name: values[order] for name, values in y.items()}
    assert named(cv.folds(X, y), X.index) == named(cv.folds(X.iloc[order], shuffled), X.index[order])


def test_labels_read_as_text_or_as_numbers_give_the_same_folds():
    X, y = data()
    X.index = np.arange(len(X))
    text = X.set_axis(X.index.astype(str))
    assert named(TrainOneTestNine(5).folds(X, y), np.arange(200)) == named(
        TrainOneTestNine(5).folds(text, y), np.arange(200)
    )


def test_folds_are_the_same_in_every_process_and_version():
    y = {"time": np.arange(1.0, 13), "event": [1, 0] * 6}
    fold = next(RepeatedKFold(3, 1, random_state=7).folds(np.zeros((12, 1)), y))
    assert [fold.train.tolist(), fold.validation.tolist(), fold.test.tolist()] == [
        [1, 4, 5, 6, 7, 8],
        [9, 10],
        [0, 2, 3, 11],
    ]


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_another_seed_gives_other_folds(cv):
    X, y = data()
    other = type(cv)(**{**vars(cv), "random_state": 1})
    assert named(cv.folds(X, y), X.index) != named(other.folds(X, y), X.index)


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_groups_keep_a_patient_in_one_part(cv):
    X, y = data()
    patient = np.random.default_rng(2).integers(60, size=len(X))
    for fold in cv.folds(X.set_axis(patient), y, groups=patient):  # repeated labels are then no matter
        train, validation, test = (set(patient[rows]) for rows in (fold.train, fold.validation, fold.test))
        assert not (train & validation | train & test | validation & test)


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_scikit_learn_can_use_the_splitters(cv):
    X, y = data()
    y = Outcome.of(y).to_y()
    assert len(cross_val_score(LifelinesCoxPH(), X, y, cv=cv)) == cv.get_n_splits()


def test_split_of_cross_validation_trains_on_the_validation_rows_too():
    X, y = data()
    for train, test in RepeatedKFold(4, 1).split(X, y):
        assert sorted([*train, *test]) == list(range(200))


def test_validation_index_is_that_of_every_fold():
    X, y = data()
    cv = TrainOneTestNine(5, validation=0.1)
    validation = cv.validation_index(X, y)
    assert len(validation) == 20
    for train, test in cv.split(X, y):
        assert not set(validation) & {*train, *test}


def test_the_default_depends_on_the_number_of_rows():
    assert default_cv(9_999) == RepeatedKFold(5, 5)
    assert default_cv(10_000, random_state=3) == TrainOneTestNine(10, random_state=3)


def test_descriptions_say_what_is_done():
    assert TrainOneTestNine().description.startswith("trained on 1 of 10 folds, tested on the other 9; 5%")
    assert TrainOneTestNine(5, n_repeats=3).description.startswith(
        "trained on 1 of 5 folds, tested on the other 4, repeated 3 times; 5%"
    )
    assert RepeatedKFold().description.startswith("5-fold cross-validation, repeated 5 times; 20%")
    assert RepeatedKFold(4, 1).description.startswith("4-fold cross-validation; 20%")
    assert External([1]).description.startswith("trained on one data set, tested on another; 20%")


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_rows_than_folds(n):
    X, y = data(n, events=1.0)
    with pytest.raises(InputError, match="SL-341"):
        list(RepeatedKFold(5).folds(X, y))


def test_fewer_rows_than_folds_once_validation_is_set_aside():
    X, y = data(10, events=1.0)
    with pytest.raises(InputError, match="SL-341"):
        list(TrainOneTestNine(10).folds(X, y))


@pytest.mark.parametrize("cv", [TrainOneTestNine(10), RepeatedKFold(10)], ids=repr)
def test_a_fold_without_events_is_refused_with_a_number_that_works(cv):
    X, y = data(100, events=0.08)
    with pytest.raises(InputError, match="SL-342") as caught:
        list(cv.folds(X, y))
    name, n = caught.value.remedy.rstrip(".").split()[-1].split("=")
    folds = list(type(cv)(**{name: int(n)}).folds(X, y))
    assert all(y["event"][part].any() for fold in folds for part in (fold.train, fold.validation, fold.test))


@pytest.mark.parametrize("events", [0, 1, 2, 3])
def test_too_few_events_for_any_cross_validation(events):
    X, y = data(100, events=events / 100)
    with pytest.raises(InputError, match=r"SL-342.*Add patients"):
        list(RepeatedKFold(2, 1).folds(X, y))


def test_four_events_are_enough_for_any_number_of_folds_up_to_four():
    X, y = data(100, events=0.04)
    for k in (2, 3, 4):
        for fold in RepeatedKFold(k, 1).folds(X, y):
            assert all(y["event"][part].any() for part in (fold.train, fold.validation, fold.test))


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_repeated_row_labels_need_groups(cv):
    X, y = data()
    with pytest.raises(InputError, match=r"SL-343.*1 rows"):
        list(cv.folds(X.rename(index={X.index[0]: X.index[1]}), y))


@pytest.mark.parametrize("groups", [np.arange(199), [None, *range(199)]], ids=["length", "gap"])
def test_groups_that_do_not_fit(groups):
    X, y = data()
    with pytest.raises(InputError, match="SL-344"):
        list(TrainOneTestNine().folds(X, y, groups))


def test_folds_need_y():
    with pytest.raises(InputTypeError, match="SL-345"):
        list(TrainOneTestNine().split(np.zeros((100, 1))))


@pytest.mark.parametrize(
    ("splitter", "wrong"),
    [
        (TrainOneTestNine, {"n_folds": 1}),
        (TrainOneTestNine, {"validation": 0.0}),
        (TrainOneTestNine, {"n_repeats": 0}),
        (RepeatedKFold, {"n_splits": 1}),
        (RepeatedKFold, {"n_repeats": 0}),
        (External, {"test": [1], "validation": 1.0}),
        (RepeatedKFold, {"validation": 1.0}),
    ],
)
def test_settings_out_of_range(splitter, wrong):
    with pytest.raises(InputError, match="SL-346"):
        splitter(**wrong)


def test_listed_are_the_rows_tested_and_those_aside():
    fold = Fold("1", np.array([0]), np.array([1]), np.array([3, 5]))
    assert fold.aside.dtype.kind == "i"
    assert fold.listed.tolist() == [3, 5]
    fold = Fold("1", np.array([0]), np.array([1]), np.array([3, 5]), np.array([2, 6]))
    assert fold.listed.tolist() == [2, 3, 5, 6]


@settings(max_examples=20, deadline=None)
@given(n=st.integers(40, 120), share=st.floats(0.05, 0.6), seed=st.integers(0, 99))
def test_external_tests_the_marked_rows_and_trains_on_the_others(n, share, seed):
    X, y = data(n, events=0.5, seed=seed)
    far = np.zeros(n, dtype=bool)
    far[: n // 3] = True
    y["event"][[0, 1, -1, -2, -3, -4]] = 1
    [fold] = External(far, share, seed).folds(X, y)
    assert fold.name == "external"
    np.testing.assert_array_equal(fold.test, np.flatnonzero(far))
    assert sorted([*fold.train, *fold.validation]) == list(range(n // 3, n))
    assert len(fold.validation) == pytest.approx(share * (~far).sum(), abs=2)
    events = y["event"][~far].sum()
    assert y["event"][fold.validation].sum() == pytest.approx(share * events, abs=1)
    assert y["event"][fold.train].any()


def test_external_takes_flags_or_labels_and_goes_by_labels():
    X, y = data()
    far = pd.Series(np.random.default_rng(0).random(200) < 0.3, index=X.index)
    expected = named(External(far.to_numpy()).folds(X, y), X.index)
    for test in (far, far.astype("boolean"), list(far), far.index[far], list(far.index[far])):
        assert named(External(test).folds(X, y), X.index) == expected
    order = np.random.default_rng(1).permutation(200)
    shuffled = {name: values[order] for name, values in y.items()}
    assert named(External(far.index[far]).folds(X.iloc[order], shuffled), X.index[order]) == expected
    assert named(External(far, random_state=1).folds(X, y), X.index) != expected
    [fold] = External(np.arange(30)).folds(X.to_numpy(), y)
    assert fold.test.tolist() == list(range(30))


def test_external_for_scikit_learn():
    X, y = data()
    cv = External(np.arange(200) < 60)
    [(train, test)] = cv.split(X, y)
    assert (train.tolist(), test.tolist()) == (list(range(60, 200)), list(range(60)))
    assert len(cross_val_score(LifelinesCoxPH(), X, Outcome.of(y).to_y(), cv=cv)) == cv.get_n_splits() == 1


@pytest.mark.parametrize(
    "test",
    [
        np.ones(199, dtype=bool),
        pd.Series(np.arange(200) < 50),
        pd.Series([None] + [True] * 199, dtype="boolean"),
        ["nobody"],
        ["patient 1", "patient 1"],
        (np.arange(200) < 50).astype(int),
    ],
    ids=["length", "index", "gap", "unknown", "repeated", "numbers"],
)
def test_external_marks_that_fit_no_rows(test):
    X, y = data()
    with pytest.raises(InputError, match="SL-381"):
        list(External(test).folds(X, y))


def test_external_splits_no_patient():
    X, y = data()
    far = np.arange(200) < 50
    patient = np.arange(200) // 2
    [fold] = External(far).folds(X, y, patient)
    assert not {*patient[fold.train]} & {*patient[fold.validation]}
    with pytest.raises(InputError, match=r"SL-382 1 patient has"):
        list(External(np.arange(200) < 51).folds(X, y, patient))


@pytest.mark.parametrize(("inside", "outside"), [(0, 10), (1, 10), (10, 0)])
def test_external_needs_events_on_both_sides(inside, outside):
    X, y = data(200, events=0.0)
    y["event"][:inside] = y["event"][200 - outside :] = 1
    with pytest.raises(InputError, match=rf"SL-342 {inside} patients .* {outside} to test on"):
        list(External(np.arange(200) >= 100).folds(X, y))
