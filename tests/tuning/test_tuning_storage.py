"""Where trials are kept, and how a search goes on from there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import load_study
from optuna.trial import TrialState
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from trials import FOLD, SPACE, facts, lasso_search, people, whole

from survlspin import InputError
from survlspin.baselines import CoxLasso
from survlspin.folds import Fold
from survlspin.tuning import storage as storage_module
from survlspin.tuning import trials_done
from survlspin.tuning.search import SEAL, _seal
from survlspin.tuning.storage import REASON, opened

TESTS = Path(__file__).parents[1]
KILLS = 6

DRIVER = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from trials import lasso_search
journal, kills, chance = Path(sys.argv[2]), int(sys.argv[3]), random.Random(0)
lasso_search(None, 1)  # what is loaded late is loaded
lines = lambda: journal.read_bytes().count(10) if journal.exists() else 0
for _ in range(kills):
    end, child = lines() + chance.randint(1, 15), os.fork()
    if child == 0:
        lasso_search(journal, 10_000)  # which does not come to its end
    while lines() < end:
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


def reopened(journal):
    storage = JournalStorage(JournalFileBackend(str(journal), JournalFileOpenLock(str(journal))))
    return load_study(study_name="LASSO · fold 1", storage=storage)


def test_what_is_kept_is_not_made_again(tmp_path, monkeypatch):
    journal = tmp_path / "a.journal"
    first = lasso_search(journal)
    assert journal.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(CoxLasso, "fit", None)
    again = lasso_search(journal)
    assert facts(again) == facts(first)
    assert again.trials["seconds"].tolist() == first.trials["seconds"].tolist()
    assert facts(lasso_search(journal, 11))[1] == facts(first)[1][:12]


@pytest.mark.parametrize(
    ("storage", "done", "n_trials"),
    [("a.journal", 0, 1), ("a.journal", 1, 1), ("a.journal", 12, 13), ("sqlite:///{}/a.db", 1, 1)],
)
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path, storage, done, n_trials, monkeypatch):
    storage = storage.format(tmp_path) if "://" in storage else tmp_path / storage
    expected, fit, fits = facts(lasso_search(n_trials=n_trials)), CoxLasso.fit, []

    def interrupted(self, X, y, validation_data=None):
        fits.append(1)
        if len(fits) == done + 1:
            raise KeyboardInterrupt
        return fit(self, X, y, validation_data)

    monkeypatch.setattr(CoxLasso, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lasso_search(storage, n_trials)
    assert facts(lasso_search(storage, n_trials)) == expected
    assert len(fits) == n_trials + 2  # that of the settings given, and the one cut off


@pytest.mark.parametrize("failed", [False, True], ids=["cut off", "failed"])
def test_a_running_trial_is_over(tmp_path, failed):
    journal, space = tmp_path / "a.journal", {"alpha": FloatDistribution(-0.02, 0.05)}
    expected = lasso_search(space=space)
    n = expected.trials["state"].tolist().index("failed") - 1  # proposed before the first that fails
    lasso_search(journal, n, space=space)
    trial = reopened(journal).ask(space)
    if failed:  # killed just before the trial was called failed: it is finished all the same
        trial.set_user_attr("seconds", 0.1)
        trial.set_user_attr(SEAL, _seal(trial.params, "SL-464"))
        trial.set_user_attr(REASON, "SL-464")
    resumed = lasso_search(journal, space=space)
    kept = reopened(journal).get_trials(deepcopy=False)
    assert kept[n].state == TrialState.FAIL
    assert len(kept) == 13 + (not failed)
    columns = ["state", "reason", "trial"] if failed else ["state", "reason", "trial", "value", "params"]
    assert resumed.trials[columns].equals(expected.trials[columns])
    assert facts(resumed)[1][n + 2 :] == facts(expected)[1][n + 2 :]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_killed_at_random_instants(tmp_path):
    journal = tmp_path / "a.journal"
    call = [sys.executable, "-c", DRIVER, str(TESTS), str(journal), str(KILLS)]
    subprocess.run(call, check=True)
    resumed = lasso_search(journal)
    cut_off = [trial for trial in reopened(journal).get_trials() if trial.state == TrialState.FAIL]
    assert 0 < len(cut_off) <= KILLS
    assert facts(resumed) == whole()


def test_what_a_killed_process_leaves_behind_does_not_block(tmp_path, monkeypatch):
    journal = tmp_path / "a.journal"
    lasso_search(journal, 5)
    content = journal.read_bytes()
    Path(f"{journal}.lock").symlink_to(journal)  # Optuna would wait for half a minute
    journal.write_bytes(content[:-7])
    resumed = lasso_search(journal)
    assert facts(resumed) == whole()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.journal", "a.journal.held"]


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_journal_cut_anywhere_goes_on(tmp_path, share):
    journal = tmp_path / "a.journal"
    lasso_search(journal)
    content = journal.read_bytes()
    journal.write_bytes(content[: int(share * len(content))])
    assert facts(lasso_search(journal)) == whole()


def test_two_processes_at_one_journal(tmp_path, monkeypatch):
    journal = tmp_path / "a.journal"
    monkeypatch.setattr(storage_module, "RELEASE", 0.1)
    with opened(journal), pytest.raises(InputError, match="SL-375 another process works at"):
        lasso_search(journal)
    lasso_search(journal, 1)


@pytest.mark.parametrize("line", [b"{not json}\n", b'{"op_code": 4}\n', b"\xff\n"], ids=["json", "facts", "bytes"])
def test_a_damaged_journal_is_named(tmp_path, line):
    journal = tmp_path / "a.journal"
    lasso_search(journal, 2)
    journal.write_bytes(line + journal.read_bytes())
    with pytest.raises(InputError, match=r"SL-379 .*a\.journal is damaged"):
        lasso_search(journal)
    with pytest.raises(InputError, match="SL-379"):
        trials_done(journal)


@pytest.mark.parametrize("entry", ['"given"', '"values":'], ids=["given", "proposed"])
def test_a_value_that_was_changed_is_not_believed(tmp_path, entry):
    journal = tmp_path / "a.journal"
    lasso_search(journal, 1)
    lines = journal.read_text().splitlines(keepends=True)
    [i] = [i for i, line in enumerate(lines) if entry in line]
    lines[i] = re.sub(r'("values?":\s*\[?)\d', r"\g<1>9", lines[i])
    journal.write_text("".join(lines))
    with pytest.raises(InputError, match=r"SL-379 .*a\.journal is damaged\. Delete it"):
        lasso_search(journal, 1)


def test_a_journal_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="SL-361"):
        lasso_search(tmp_path / "absent" / "a.journal")
    journal = tmp_path / "a.journal"

    def full(self, logs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", full)
    with pytest.raises(InputError, match=r"SL-361 .*No space left"):
        lasso_search(journal)
    monkeypatch.undo()
    assert facts(lasso_search(journal)) == whole()


@pytest.mark.parametrize("url", ["postgresql://me:secret@127.0.0.1:1/db", "sqlite:////no/such/folder/a.db"])
def test_a_database_that_cannot_be_opened(url):
    with pytest.raises(InputError, match="SL-374") as caught:
        lasso_search(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("statement", [None, "CREATE TABLE studies"], ids=["no connection", "tables being made"])
def test_tables_that_others_are_making_are_waited_for(tmp_path, statement, monkeypatch):
    tries = []

    def busy(url, **options):
        tries.append(url)
        if len(tries) < 3:
            raise OperationalError(statement, None, Exception("table studies already exists"))
        return InMemoryStorage()

    monkeypatch.setattr(optuna.storages, "RDBStorage", busy)
    if statement is None:
        with pytest.raises(InputError, match="SL-374"), opened("sqlite://"):
            pytest.fail("opened")
        assert len(tries) == 1
        return
    monkeypatch.setattr(InMemoryStorage, "engine", create_engine("sqlite://"), raising=False)
    with opened("sqlite://"):
        assert len(tries) == 3


OTHER = {
    "space": ({"space": SPACE | {"alpha": FloatDistribution(1e-3, 0.2)}}, "space"),
    "seed": ({"seed": 4}, "seed"),
    "model": ({"estimator": CoxLasso(validation_fraction=0.3)}, "model"),
    "training": ({"fold": Fold("1", FOLD.train[1:], FOLD.validation, FOLD.test)}, "training data"),
    "validation": ({"fold": Fold("1", FOLD.train, FOLD.validation[1:], FOLD.test)}, "validation data"),
    "labels": (
        {"data": (people()[0].reset_index(drop=True), people()[1])},
        "training data and another validation data",
    ),
}


@pytest.mark.parametrize("what", OTHER)
def test_trials_made_with_something_else_are_refused(tmp_path, what):
    journal, (changed, named) = tmp_path / "a.journal", OTHER[what]
    lasso_search(journal, 2)
    with pytest.raises(
        InputError, match=f"SL-373 the trials kept of 'LASSO · fold 1' were made with another {named}\\."
    ):
        lasso_search(journal, 2, **changed)


def test_a_study_without_a_description_is_a_new_one(tmp_path):
    journal = tmp_path / "a.journal"
    lasso_search(journal, 1)
    first = journal.read_bytes().splitlines(keepends=True)[0]
    journal.write_bytes(first)  # killed after it was made
    assert facts(lasso_search(journal)) == whole()


def test_trials_are_counted(tmp_path):
    journal = tmp_path / "a.journal"
    assert trials_done(journal) == 0
    lasso_search(journal, 6, space={"alpha": FloatDistribution(-0.05, 0.05)})
    assert trials_done(journal) == 6
    reopened(journal).ask()
    assert trials_done(journal) == 6


def test_one_database_for_many_searches(tmp_path):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert facts(lasso_search(url, 1, name="another")) != facts(lasso_search(url, 1))
    assert facts(lasso_search(url, 1))[1] == whole()[1][:2]
