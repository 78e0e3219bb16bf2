"""The ledger counts test rows, and would find one."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from trials import FOLD, lasso_search, people

from survlspin import InputError
from survlspin.baselines import CoxLasso
from survlspin.folds import RepeatedKFold, TrainOneTestNine
from survlspin.splits import spare, split_manifest
from survlspin.tuning import Ledger, search, sight_of

SPACE = {"alpha": FloatDistribution(-0.05, 0.05)}  # some trials fail


def searches(folds, n_trials=4):
    X, y = people()
    return [search("LASSO", CoxLasso(), SPACE, *sight_of(X, y, fold), n_trials=n_trials) for fold in folds]


def closing(ledger, folder):
    ledger.to_csv(folder / "ledger.csv")
    return (folder / "ledger.csv").read_text(encoding="utf-8").splitlines()[-1]


def test_a_planted_overlap_is_counted(tmp_path):
    found = lasso_search(n_trials=2)
    clean = Ledger.of([found], [FOLD], frozen=False)
    assert clean.check().test_rows() == 0
    assert closing(clean, tmp_path) == "# test rows used for tuning: 0"
    planted = replace(FOLD, test=np.concatenate([[2, 70, 71], FOLD.test]))  # one trained on, two validated on
    ledger = Ledger.of([found], [planted], frozen=False)
    assert ledger.test_rows() == clean.test_rows([planted]) == 3
    assert ledger.test_rows([FOLD]) == 0
    assert ledger.trials["test_rows"].tolist() == [3, 3, 3]
    assert closing(ledger, tmp_path) == "# test rows used for tuning: 3"
    with pytest.raises(InputError, match="SL-377 3 test rows were used for tuning"):
        ledger.check()


def test_what_is_frozen_counts_on_every_fold():
    X, y = people()
    folds = list(TrainOneTestNine(4, 0.2).folds(X, y))
    found = searches(folds[:1])
    n = len(folds[0].train)
    assert Ledger.of(found, folds, frozen=True).test_rows() == n > 0
    assert Ledger.of(found, folds, frozen=False).test_rows() == 0
    assert Ledger.of(found, spare(folds, folds[0]), frozen=True).check().test_rows() == 0


def test_each_fold_for_itself():
    X, y = people()
    folds = list(RepeatedKFold(3, 1).folds(X, y))
    ledger = Ledger.of(searches(folds, 1), folds, frozen=False).check()
    assert ledger.test_rows() == 0
    assert Ledger.of(searches(folds, 1), folds, frozen=True).test_rows() == len(X)
    assert ledger.trials["fold"].tolist() == ["1.1", "1.1", "1.2", "1.2", "1.3", "1.3"]


def test_the_file_has_a_line_per_trial_and_its_rows(tmp_path):
    X, y = people()
    [found] = searches([FOLD], 8)
    Ledger.of([found], [FOLD], frozen=True).to_csv(tmp_path / "ledger.csv")
    assert (tmp_path / "ledger.csv").stat().st_mode & 0o777 == 0o600
    table = pd.read_csv(tmp_path / "ledger.csv", comment="#", float_precision="round_trip")
    assert table["trial"].tolist() == list(range(9))
    assert table.columns[-1] == "seconds"
    assert set(table["state"]) == {"complete", "failed"}
    np.testing.assert_array_equal(table["value"], found.trials["value"])
    assert json.loads(table["params"][7]) == json.loads(found.trials["params"][7])
    manifest = split_manifest([FOLD], X.index, y, np.arange(len(X)), "", 0).set_index("part")
    for part in ("train", "validation"):
        assert set(table[f"{part}_rows"]) == {manifest["rows"][part]}
        assert set(table[f"{part}_sha256"]) == {manifest["sha256"][part]}
    assert "p1" not in (tmp_path / "ledger.csv").read_text(encoding="utf-8")


def test_it_comes_back_from_its_record(tmp_path):
    ledger = Ledger.of(searches([FOLD], 8), [FOLD], frozen=True)
    arrays, facts = ledger.to_record()
    again = Ledger.from_record(arrays, json.loads(json.dumps(facts)), [FOLD])
    pd.testing.assert_frame_equal(again.trials, ledger.trials, check_exact=True)
    assert again.frozen
    assert again.test_rows([replace(FOLD, test=np.array([5]))]) == 1
    for name, one in {"a": ledger, "b": again}.items():
        one.to_csv(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_was_tuned(tmp_path):
    ledger = Ledger.of([], [FOLD], frozen=False)
    assert ledger.check().test_rows() == 0
    assert closing(ledger, tmp_path) == "# test rows used for tuning: 0"
    again = Ledger.from_record(*ledger.to_record(), [FOLD])
    assert list(again.trials.columns) == list(ledger.trials.columns)
