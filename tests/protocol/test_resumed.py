"""A comparison in a store: what is done is never done again, and what is read back is what was found."""

import json
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from labour import Labour, fits, numbers, people
from optuna.distributions import FloatDistribution

from survlspin.baselines import CoxLasso, Forest, LifelinesCoxPH
from survlspin.errors import InputError, InputTypeError
from survlspin.protocol import Probes, RepeatedKFold, TrainOneTestNine, Tuning, read_runs, run, status
from survlspin.store import Store

CV = TrainOneTestNine(3, validation=0.2)
PATHS = {"lasso": {"lam": "path"}}
LASSO = CoxLasso(n_alphas=5)


@pytest.fixture
def counts(tmp_path):
    """A folder for the counts of fits."""
    folder = tmp_path / "counts"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    return tmp_path / "study"


def table_of(runs):
    return runs.table().to_csv()


def test_a_finished_study_is_read_and_not_fitted_again(counts, store):
    models, data = {"labour": Labour(counts), "lasso": LASSO}, people()
    first = run(models, *data, cv=CV, over=PATHS, random_state=[0, 1], store=store)
    assert set(fits(counts).values()) == {1}
    assert len(fits(counts)) == 6
    again = run(models, *data, cv=CV, over=PATHS, random_state=[0, 1], store=store)
    assert set(fits(counts).values()) == {1}
    assert table_of(again) == table_of(first)  # the times, too
    assert numbers(again) == numbers(first) == numbers(run(models, *data, cv=CV, over=PATHS, random_state=[0, 1]))


def test_results_are_read_from_the_store_alone(store):
    X, y = people()
    probes, groups = Probes(n=4), np.arange(len(X)) // 2
    tune = Tuning(n_trials=2, random_state=5)
    models = {"lasso": CoxLasso(), "forest": Forest(n_estimators=5)}
    found = run(models, X, y, CV, {"lasso": {"lam": "path"}}, tune, probes, store, groups=groups)
    read = read_runs(store)
    assert numbers(read) == numbers(found)
    assert read.attrs == found.attrs
    assert read.probes == found.probes == ("probe_1", "probe_2", "probe_3", "probe_4")
    assert list(read.labels) == list(X.index)
    assert read.validation == found.validation == {"lasso": "held out", "forest": "trained on"}
    assert read.paths == found.paths
    np.testing.assert_array_equal(read.patient, groups)
    pd.testing.assert_frame_equal(read.probe_table(), found.probe_table())
    pd.testing.assert_frame_equal(read.agreement("lasso"), found.agreement("lasso"))
    pd.testing.assert_frame_equal(read.ledger.trials, found.ledger.trials, check_dtype=False)
    assert read.splits.attrs == found.splits.attrs
    assert read.ledger.test_rows() == 0
    for fold in found.folds.values():
        for part in ("train", "validation", "test", "aside"):
            np.testing.assert_array_equal(getattr(read.folds[fold.name], part), getattr(fold, part))


@pytest.mark.parametrize("does", ["raise once", "interrupt once"])
def test_a_study_that_was_cut_off_ends_as_one_that_was_not(counts, store, tmp_path, does):
    data = people()
    for _ in range(3):  # each fit is cut off the first time it is tried
        with pytest.raises((InputError, KeyboardInterrupt)):
            run({"labour": Labour(counts, does), "lasso": LASSO}, *data, cv=CV, over=PATHS, store=store)
        if does == "raise once":
            break
    models = {"labour": Labour(counts, does), "lasso": LASSO}
    resumed = run(models, *data, cv=CV, over=PATHS, store=store)
    assert set(fits(counts).values()) == {2}
    whole = run({"labour": Labour(), "lasso": LASSO}, *data, cv=CV, over=PATHS, store=tmp_path / "whole")
    assert numbers(resumed) == numbers(whole)


def test_what_fails_is_named_after_all_others_are_done_and_kept(counts, store):
    models = {"bad": Labour(counts, "raise"), "good": Labour(counts)}
    X, y = people()
    with pytest.raises(InputError, match="SL-363 3 of 6 could not be done: bad on fold 1 with seed ") as caught:
        run(models, X, y, cv=CV, store=store)
    assert "ValueError in fit (labour.py, line " in str(caught.value)
    assert str(X.iloc[0, 0])[:5] not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)
    assert fits(counts).keys() == {f"{does}-{seed}" for does in ("work", "raise") for seed in seeds_in(counts)}
    read = read_runs(store)
    assert {fit.model for fit in read.fits} == {"good"}
    assert [name.split(" with")[0] for name in read.unfinished] == [f"bad on fold {k}" for k in (1, 2, 3)]
    assert "3 of 6" in read.table().attrs["partial"]
    state = status(store)
    assert (state["done"], state["all"], state["models"]["bad"]["done"], state["eta"]) == (3, 6, 0, None)
    assert state["models"]["good"]["seconds"] > 0
    assert (state["holder"], state["running"], state["damaged"], state["tuning"]) == (None, 0, 0, None)
    run({"good": Labour(counts)}, X, y, cv=CV, store=store)  # without the bad one the study is finished
    assert read_runs(store).unfinished == ()


def seeds_in(folder):
    return {name.rpartition("-")[2] for name in fits(folder)}


def test_nothing_finished_cannot_be_read(counts, store):
    with pytest.raises(InputError, match="SL-355"):
        read_runs(store)
    with pytest.raises(InputError, match="SL-363"):
        run({"bad": Labour(counts, "raise")}, *people(), cv=CV, store=store)
    with pytest.raises(InputError, match="SL-369"):
        read_runs(store)


def test_models_come_and_go_and_only_the_new_are_fitted(counts, store):
    data = people()
    run({"one": Labour(counts)}, *data, cv=CV, store=store)
    models = {"one": Labour(counts), "two": Labour(counts, "work more"), "cox": LifelinesCoxPH()}
    both = run(models, *data, cv=CV, store=store)
    assert set(fits(counts).values()) == {1}
    assert len(fits(counts)) == 6
    assert list(both.table().index) == ["one", "two", "cox"]
    alone = run({"cox": LifelinesCoxPH()}, *data, cv=CV, store=store)
    assert table_of(alone) == table_of(read_runs(store))
    assert list(alone.table().index) == ["cox"]


def test_one_setting_under_two_names_is_fitted_once(counts, store):
    models = {"one": Labour(counts), "same": Labour(counts, random_state=3)}  # every fit gets a seed anyway
    runs = run(models, *people(), cv=CV, store=store)
    assert set(fits(counts).values()) == {1}
    assert [fit.model for fit in runs.fits] == ["one"] * 3 + ["same"] * 3
    assert runs.table().loc["same", "C"] == runs.table().loc["one", "C"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"data": people(seed=1)}, "data fingerprint: .*data events: "),
        ({"cv": TrainOneTestNine(3, validation=0.2, random_state=1)}, "split rows: "),
        ({"random_state": [0, 1]}, "seeds: 1 entries, here 2"),
        ({"probes": Probes()}, "probes: "),
        ({"tune": 2}, "tuning: "),
        ({"groups": np.arange(150)}, "data fingerprint: "),
    ],
    ids=["data", "folds", "seeds", "probes", "tuning", "groups"],
)
def test_another_study_is_refused_and_what_differs_is_named(counts, store, changed, named):
    asked = {"data": people(), "cv": CV, "models": {"labour": Labour(counts)}, "store": store}
    X, y = asked["data"]
    run(X=X, y=y, **{name: value for name, value in asked.items() if name != "data"})
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    asked |= changed
    X, y = asked.pop("data")
    with pytest.raises(InputError, match=f"SL-356 .*{named}"):
        run(X=X, y=y, **asked)
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_a_damaged_result_is_made_again(counts, store):
    models, data = {"labour": Labour(counts)}, people()
    first = run(models, *data, cv=CV, store=store)
    unit = sorted((store / "units").iterdir())[1]
    content = bytearray(unit.read_bytes())
    content[-1] ^= 1
    unit.write_bytes(content)
    assert len(read_runs(store).fits) == 2
    again = run(models, *data, cv=CV, store=store)
    assert sorted(fits(counts).values()) == [1, 1, 2]
    assert numbers(again) == numbers(first)
    assert status(store)["damaged"] == 1


def test_results_that_do_not_stay_are_said_to_be_missing(counts, store, monkeypatch):
    monkeypatch.setattr("survlspin.protocol.compare.fits_in", lambda store, listing: ([], ["labour on fold 2"]))
    with pytest.raises(InputError, match=r"SL-369 .* does not keep labour on fold 2 whole"):
        run({"labour": Labour(counts)}, *people(), cv=CV, store=store)


def test_a_store_that_cannot_be_written_ends_the_study_at_once(counts, store, monkeypatch):
    def full(self, key, *record):
        raise InputError("SL-361", "no space left on the device.")

    monkeypatch.setattr("survlspin.store.StoreFolder.save", full)
    with pytest.raises(InputError, match=r"^SL-361") as caught:
        run({"labour": Labour(counts)}, *people(), cv=CV, store=store)
    assert caught.value.code == "SL-361"
    assert len(fits(counts)) == 1


def test_one_study_has_one_writer(counts, store):
    data = people()
    run({"labour": Labour(counts)}, *data, cv=CV, store=store)
    with Store.open(store, Store.read(store).plan), pytest.raises(InputError, match="SL-357"):
        run({"labour": Labour(counts)}, *data, cv=CV, store=store)
    assert status(store)["holder"] is None


def test_progress_of_a_study_at_work(counts, store):
    data = people()
    run({"labour": Labour(counts)}, *data, cv=CV, store=store)
    sorted((store / "units").iterdir())[0].unlink()
    with Store.open(store, Store.read(store).plan) as held:
        held.mark("some unit")
        state = status(store)
    assert state["running"] == 1
    assert state["holder"]["alive"] is True
    assert (state["done"], state["all"]) == (2, 3)
    assert state["eta"] == pytest.approx(state["models"]["labour"]["seconds"])


@pytest.mark.parametrize("per_fold", [None, False, True])
def test_no_fold_is_judged_by_rows_that_its_tuning_saw(store, per_fold):
    tune = Tuning(n_trials=2, per_fold=per_fold)
    runs = run({"lasso": CoxLasso(), "cox": LifelinesCoxPH()}, *people(), cv=CV, tune=tune, store=store)
    searched = ["1"] if per_fold is not True else ["1", "2", "3"]
    assert list(runs.ledger.trials["fold"].unique()) == searched
    said = "on every fold for itself" if per_fold else "on fold 1, whose patients no fold tests"
    assert runs.table().attrs["protocol"].endswith(f"; settings tuned {said}")
    for fold in runs.folds.values():
        seen = runs.ledger.seen["1" if per_fold is not True else fold.name]
        assert not np.isin(fold.test, seen).any()
        assert np.isin(fold.aside, seen).all()
        assert len(fold.aside) == (0 if per_fold or fold.name == "1" else len(runs.folds["1"].train))
    assert status(store)["tuning"] == {"done": 2 * len(searched), "all": 2 * len(searched)}


def test_trials_in_a_database_are_not_counted_in_the_store(store, tmp_path):
    tune = Tuning(n_trials=2, storage=f"sqlite:///{tmp_path / 'trials.db'}")
    runs = run({"lasso": CoxLasso()}, *people(), cv=CV, tune=tune, store=store)
    assert len(runs.ledger.trials) == 3
    assert not list((store / "tuning").iterdir())
    assert status(store)["tuning"] is None


def test_cross_validation_tunes_every_fold_for_itself_by_default():
    runs = run({"lasso": CoxLasso()}, *people(), cv=RepeatedKFold(2, 1), tune=1)
    assert list(runs.ledger.trials["fold"].unique()) == ["1.1", "1.2"]
    assert all(len(fold.aside) == 0 for fold in runs.folds.values())


def test_tuned_settings_are_those_that_are_fitted():
    X, y = people()
    space = {"alpha": FloatDistribution(0.01, 0.02)}
    tune, models = Tuning(n_trials=3, spaces={"lasso": space}), {"lasso": CoxLasso(alpha=9.0), "cox": LifelinesCoxPH()}
    tuned = run(models, X, y, cv=CV, tune=tune)
    best = tuned.ledger.trials.sort_values("value").iloc[0]
    alpha = json.loads(best["params"])["alpha"]
    by_hand = run({"lasso": CoxLasso(alpha=alpha)}, X, y, cv=CV)
    first = {runs: next(fit for fit in runs.fits if fit.fold == "1") for runs in (tuned, by_hand)}
    np.testing.assert_allclose(first[tuned].risk, first[by_hand].risk, rtol=1e-6)
    assert list(tuned.ledger.trials["model"].unique()) == ["lasso"]
    nothing = run({"cox": LifelinesCoxPH()}, X, y, cv=CV, tune=3)
    assert nothing.ledger.trials.empty
    assert "tuned" not in nothing.attrs["protocol"]
    assert all(len(fold.aside) == 0 for fold in nothing.folds.values())


def test_a_search_that_cannot_end_is_named():
    distribution = {"alpha": "no distribution"}
    with pytest.raises(InputError, match="SL-372"):
        run({"lasso": CoxLasso()}, *people(), cv=CV, tune=Tuning(spaces={"lasso": distribution}))
    spaces = {"lasso": {"alpha": FloatDistribution(-2, -1)}}
    with pytest.raises(InputError, match=r"SL-363 1 of 1 .*tuning of lasso on fold 1: SL-376"):
        run({"lasso": CoxLasso()}, *people(), cv=CV, tune=Tuning(n_trials=2, spaces=spaces))


@pytest.mark.parametrize(("wrong", "named"), [({"tune": "50"}, "tune is a str"), ({"probes": 3}, "probes is a int")])
def test_tuning_and_probes_of_the_wrong_kind(wrong, named):
    with pytest.raises(InputTypeError, match=f"SL-350 {named}"):
        run({"lasso": CoxLasso()}, *people(), cv=CV, **wrong)


def test_a_store_is_for_its_owner_alone(counts, store):
    with pytest.raises(InputError, match="SL-363"):
        run({"lasso": LASSO, "bad": Labour(counts, "raise")}, *people(), cv=CV, tune=1, store=store)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store, *store.rglob("*")]}
    assert {path.name for path in modes} > {"plan.json", "study.json", "ledger.safetensors", "tuning", "checkpoints"}
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if Path(path).is_dir() else 0o600)} == {}


def test_labels_that_json_does_not_have_are_kept_as_text(store):
    X, y = people()
    X.index = pd.date_range("2001-01-01", periods=len(X), name="seen")
    run({"cox": LifelinesCoxPH()}, X, y, cv=CV, store=store)
    labels = read_runs(store).labels
    assert (labels[1], labels.name) == ("2001-01-02 00:00:00", "seen")


def test_points_of_paths():
    X, y = people()
    with pytest.raises(InputError, match=r"SL-347 over asks lasso for 4 points.*n_alphas"):
        run({"lasso": LASSO}, X, y, cv=CV, over={"lasso": {"lam": "path", "points": 4}})
    for asked in ({"lam": "path", "point": 4}, {"points": 4}):
        with pytest.raises(InputError, match="SL-347"):
            run({"lasso": LASSO}, X, y, cv=CV, over={"lasso": asked})
