"""Tasks that fail, tasks whose process dies, and a store that cannot be written."""

import pytest
from labour import Labour, fits, numbers, people

from survlspin.errors import InputError, InputTypeError
from survlspin.folds import External
from survlspin.protocol import read_runs, run
from survlspin.protocol.work import Failure, carry_out, marks_for, refuse_failures

N = 150
CV = External([i >= N // 2 for i in range(N)])  # one fold: a fit for each model


def square(number):
    return number * number


def refuse(number):
    raise {0: ValueError(f"the first patient is {number}"), 1: InputTypeError("SL-350", "cv is a int.")}[number]


class Unsendable(Exception):
    def __init__(self, one, two):
        super().__init__(one, two)
        self.three = lambda: two


def raise_unsendable():
    raise Unsendable(1, 2)


def results(tasks, n_jobs=None):
    with marks_for(None) as marks:
        return dict(carry_out(tasks, marks, n_jobs))


def test_tasks_have_results_by_key():
    assert results({str(i): (square, (i,)) for i in range(5)}) == {str(i): i * i for i in range(5)}
    assert results({}) == {}


def test_what_raises_ends_no_other_and_is_named():
    found = results({"a": (refuse, (0,)), "b": (square, (3,)), "c": (refuse, (1,)), "d": (raise_unsendable, ())})
    assert found["b"] == 9
    failed = {key: result for key, result in found.items() if isinstance(result, Failure)}
    assert failed["a"].reason.startswith("ValueError in refuse (test_work.py, line ")
    assert failed["c"].reason == "SL-350 cv is a int."
    assert "raise Unsendable(1, 2)" in str(failed["d"].error)
    with pytest.raises(
        InputError, match=r"SL-363 3 of 4 could not be done: a, c, d\. a: ValueError .* Kept\."
    ) as caught:
        refuse_failures(failed, 4, "Kept.")
    assert caught.value.__cause__ is failed["a"].error


def test_the_dead_are_named_apart():
    dead = {"x": Failure("its process died.")}
    with pytest.raises(InputError, match=r"SL-364 the process of x died twice.* n_jobs"):
        refuse_failures(dead, 2, "Kept.")
    with pytest.raises(InputError, match=r"SL-363 2 of 2 could not be done: y\. y: bad\. the process of x died twice"):
        refuse_failures({**dead, "y": Failure("bad.", ValueError())}, 2, "Kept.")
    refuse_failures({}, 2, "Kept.")


def test_a_task_that_died_twice_is_not_begun_a_third_time():
    """As where an engine tries a dead worker's tasks again by itself."""
    with marks_for(None) as marks:
        marks.mark("a")
        marks.mark("a.again")
        marks.mark("b")
        found = dict(carry_out({"a": (square, (2,)), "b": (square, (3,))}, marks))
        assert found["a"].died
        assert found["b"] == 9
        assert set(marks.marked()) == {"a", "a.again"}


def test_what_dies_is_tried_once_more_then_named_and_costs_no_other_its_result(tmp_path, forked):
    counts, store = tmp_path / "counts", tmp_path / "study"
    counts.mkdir()
    behaviour = {"good": "work", "once": "die once", "deadly": "die", "other": "work more"}
    models = {name: Labour(counts, does) for name, does in behaviour.items()}
    with pytest.raises(InputError, match=r"SL-364 the process of deadly on fold external with seed \d+ died twice"):
        run(models, *people(N), cv=CV, n_jobs=2, store=store)
    read = read_runs(store)
    counted = fits(counts)
    assert [counted[f"{does}-{read.fits[0].seed}"] for does in ("die once", "die")] == [2, 2]
    by_hand = run({name: Labour() for name in ("good", "once", "other")}, *people(N), cv=CV)
    assert numbers(read)[1:] == numbers(by_hand)[1:]
    assert not list((store / "running").glob("*once*"))


def test_where_an_engine_breaks_and_no_task_says_that_it_ran_each_is_tried_alone(monkeypatch):
    pools = []

    def broken(tasks, marks, n_jobs):
        pools.append((list(tasks), n_jobs))
        yield from ()
        if len(tasks) > 1 or "a" in tasks:
            raise RuntimeError("the engine broke")
        yield "b", 9

    monkeypatch.setattr("survlspin.protocol.work._pool", broken)
    found = results({"a": (square, (2,)), "b": (square, (3,))}, n_jobs=5)
    assert pools == [(["a", "b"], 5), (["a"], 2), (["b"], 2)]
    assert found["b"] == 9
    assert found["a"].reason.startswith("RuntimeError in broken")
