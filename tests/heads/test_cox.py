import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from survlspin.errors import InputError
from survlspin.heads import Cox
from survlspin.outcome import Outcome
from survlspin.testing import check_head, cohort

GOLDEN = Path(__file__).parents[1] / "golden"
TIES = ["efron", "breslow"]
OPTIONS = ["weight", "entry", "stratum"]
FROM_R = json.loads((GOLDEN / "cox_loss.json").read_text())
LOG_ROWS = [(), ("entry",), ("stratum",), ("entry", "stratum", "weight")]


def loss_and_gradient(head, eta, target):
    """The loss of one model's log-risks (n,) and its gradient (n,)."""
    eta = torch.as_tensor(eta).clone().requires_grad_()
    loss = head.nll(eta[None, :, None], target)[0]
    return loss.item(), torch.autograd.grad(loss, eta)[0].numpy()


def brute(eta, outcome, ties):
    """Loss and gradient from all pairs of rows, in the log domain: no sum can overflow or cancel."""
    n = len(outcome)
    weight, entry, stratum = (
        torch.from_numpy(np.full(n, default) if given is None else given)
        for given, default in [(outcome.weight, 1.0), (outcome.entry, -np.inf), (outcome.stratum, 0)]
    )
    time, event = torch.from_numpy(outcome.time), torch.from_numpy(outcome.event * (weight.numpy() > 0)) == 1
    eta = torch.as_tensor(eta, dtype=torch.float64).clone().requires_grad_()
    total = (weight * event).sum()
    nll = -(weight * event * eta).sum()
    for s, t in {(s, t) for s, t, e in zip(stratum.tolist(), time.tolist(), event.tolist(), strict=True) if e}:
        at_risk = (stratum == s) & (entry < t) & (time >= t)
        dead = event & (stratum == s) & (time == t)
        m = int(dead.sum())
        for step in range(m):
            share = weight * at_risk * (1 - dead.double() * (step / m if ties == "efron" else 0.0))
            nll = nll + weight[dead].mean() * torch.logsumexp((share.log() + eta)[share > 0], 0)
    loss = nll / total.clamp(min=1e-300)
    return loss.item(), torch.autograd.grad(loss, eta)[0].numpy()


def some(n=40, options=(), seed=0):
    """A cohort with the options named."""
    full = cohort(n, seed)
    return Outcome(full.time, full.event, **{option: getattr(full, option) for option in options})


@st.composite
def outcomes(draw):
    """Small cohorts, from all tied to hardly tied, every option present or absent, perhaps without an event."""
    n = draw(st.integers(1, 24))

    def column(values, dtype=float):
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype)

    time = column(st.integers(1, draw(st.sampled_from([1, 4, 1000]))))
    given = {
        "entry": lambda: time - column(st.integers(1, 5)),
        "weight": lambda: column(st.integers(0, 9)) / 3,
        "stratum": lambda: column(st.integers(0, 2), int),
    }
    return Outcome(
        time, column(st.booleans(), int), **{name: make() for name, make in given.items() if draw(st.booleans())}
    )


def normal(n, scale=1.0, seed=0):
    return scale * np.random.default_rng(seed).normal(size=n)


# ---- equality with R, with definitions ----


@pytest.mark.parametrize("case", FROM_R["cases"])
def test_loss_and_gradient_equal_r(case):
    name, tag, ties = case.split("/")
    data, gold = {k: np.array(v) for k, v in FROM_R["sets"][name].items()}, FROM_R["cases"][case]
    columns = {"w": ("weight", "w"), "entry": ("entry", "entry"), "strata": ("stratum", "strata")}
    outcome = Outcome(
        data["time"],
        data["event"],
        **{ours: data[theirs] for tag_, (ours, theirs) in columns.items() if tag_ in tag.split("_")},
    )
    head = Cox(ties)
    target = head.prepare(outcome)
    loss, gradient = loss_and_gradient(head, data["lp"] * (25 if tag == "biglp" else 1), target)
    total = target.total.item()
    np.testing.assert_allclose(loss * total, -gold["loglik"], rtol=1e-12)
    np.testing.assert_allclose(gradient * total, -np.array(gold["gradient"]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("data", ["tied", "untied"])
def test_loss_and_gradient_equal_all_pairs_by_automatic_differentiation(data, ties):
    gold = np.load(GOLDEN / "cox_pairs.npz")
    head = Cox(ties)
    target = head.prepare(Outcome(gold[f"{data}/time"], gold[f"{data}/event"].astype(int)))
    loss, gradient = loss_and_gradient(head, gold[f"{data}/eta"], target)
    np.testing.assert_allclose(loss, gold[f"{data}/{ties}/loss"], rtol=1e-12)
    np.testing.assert_allclose(gradient, gold[f"{data}/{ties}/grad_eta"], rtol=1e-10, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(outcomes(), st.sampled_from(TIES), st.sampled_from([0.3, 3.0, 30.0]))
def test_loss_and_gradient_equal_the_definition(outcome, ties, scale):
    eta = normal(len(outcome), scale)
    head = Cox(ties)
    loss, gradient = loss_and_gradient(head, eta, head.prepare(outcome))
    expected = brute(eta, outcome, ties)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("options", LOG_ROWS)
@pytest.mark.parametrize("ties", TIES)
def test_gradcheck(ties, options):
    head, outcome = Cox(ties), some(14, options)
    target = head.prepare(outcome)
    eta = torch.from_numpy(normal(28)).view(2, 14, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda eta: head.nll(eta, target), eta)


def test_the_tie_rules_differ_where_there_are_ties_and_only_there():
    tied, untied = (Outcome(time, np.ones(6, int)) for time in (np.ones(6), np.arange(1.0, 7)))
    losses = {
        o: [loss_and_gradient(Cox(ties), normal(6), Cox(ties).prepare(o))[0] for ties in TIES] for o in (tied, untied)
    }
    assert losses[tied][0] < losses[tied][1] - 0.1
    np.testing.assert_allclose(*losses[untied], rtol=1e-14)


def test_unknown_ties_are_refused():
    with pytest.raises(InputError, match="SL-401"):
        Cox("exact")


# ---- the contract: batches, stacks, padding, order, shift ----


@settings(max_examples=25, deadline=None)
@given(outcomes(), st.sampled_from(TIES), st.integers(0, 99))
def test_contract(outcome, ties, seed):
    check_head(Cox(ties), outcome, seed)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("rows", [20, 300])  # fewer rows than event times, and more
def test_a_batch_is_its_rows_alone(rows, ties):
    rng = np.random.default_rng(1)
    outcome = Outcome(rng.integers(1, 120, 500).astype(float), rng.integers(0, 2, 500), rng.integers(-40, 1, 500) * 1.0)
    head, eta, index = Cox(ties), normal(500), rng.permutation(500)[:rows]
    whole = head.prepare(outcome)
    batch = whole.take(torch.from_numpy(index)[None])
    assert (batch.n_bins < whole.n_bins) == (rows == 20)
    found, alone = (loss_and_gradient(head, eta[index], t) for t in (batch, head.prepare(outcome.take(index))))
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("garbage", [1e6, -1e6])
def test_rows_of_weight_0_are_absent_whatever_their_output(garbage, ties):
    outcome = some(60, OPTIONS)
    absent = np.arange(60) % 3 == 0
    outcome.weight[absent] = 0
    head, eta = Cox(ties), normal(60)
    alone = loss_and_gradient(head, eta[~absent], head.prepare(outcome.take(~absent)))
    loss, gradient = loss_and_gradient(head, np.where(absent, garbage, eta), head.prepare(outcome))
    np.testing.assert_allclose(loss, alone[0], rtol=1e-13)
    np.testing.assert_allclose(gradient[~absent], alone[1], rtol=1e-11, atol=1e-15)
    np.testing.assert_array_equal(gradient[absent], 0)


@settings(max_examples=50, deadline=None)
@given(outcomes(), st.integers(0, 99))
def test_a_whole_weight_is_repetition_for_breslow(outcome, seed):
    times = np.random.default_rng(seed).integers(1, 4, len(outcome))
    rows = np.repeat(np.arange(len(outcome)), times)
    plain = Outcome(outcome.time, outcome.event, outcome.entry, None, outcome.stratum)
    weighted = Outcome(outcome.time, outcome.event, outcome.entry, times.astype(float), outcome.stratum)
    head, eta = Cox("breslow"), normal(len(outcome))
    loss, gradient = loss_and_gradient(head, eta, head.prepare(weighted))
    repeated, each = loss_and_gradient(head, eta[rows], head.prepare(plain.take(rows)))
    np.testing.assert_allclose(loss, repeated, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(gradient, np.bincount(rows, each), rtol=1e-9, atol=1e-12)


def test_efron_weights_are_not_repetition():
    """R's rule: the m deaths of one time take m steps whatever their weights, so copies are more steps."""
    outcome = Outcome(np.ones(2), np.ones(2, int), weight=np.full(2, 2.0))
    twice = Outcome(np.ones(4), np.ones(4, int))
    weighted, repeated = (loss_and_gradient(Cox(), np.zeros(len(o)), Cox().prepare(o))[0] for o in (outcome, twice))
    np.testing.assert_allclose(weighted, np.log([4, 2]).mean(), rtol=1e-14)
    np.testing.assert_allclose(repeated, np.log([4, 3, 2, 1]).mean(), rtol=1e-14)


# ---- extremes ----


@pytest.mark.parametrize("options", LOG_ROWS)
@pytest.mark.parametrize("ties", TIES)
def test_outputs_of_100_in_float32(ties, options):
    outcome = some(200, options)
    eta = np.random.default_rng(3).choice([-100.0, 100.0], 200) + normal(200).round(1)
    head = Cox(ties)
    loss, gradient = loss_and_gradient(head, torch.tensor(eta, dtype=torch.float32), head.prepare(outcome))
    expected = brute(torch.tensor(eta, dtype=torch.float32).double(), outcome, ties)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-5)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ties", TIES)
def test_a_row_that_has_not_entered_drowns_nobody(ties, dtype):
    """Its risk is e^200 times that of those at risk: a difference of two running sums would leave nothing of them."""
    time, entry = np.array([2.0, 2, 3, 4, 9]), np.array([0.0, 0, 0, 1, 5])
    outcome = Outcome(time, np.array([1, 1, 1, 0, 1]), entry)
    eta = torch.tensor([-100.0, -99, -101, -100, 100], dtype=dtype)
    head = Cox(ties)
    found, expected = loss_and_gradient(head, eta, head.prepare(outcome)), brute(eta, outcome, ties)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6 if dtype is torch.float32 else 1e-12)


@pytest.mark.parametrize("options", LOG_ROWS)
@pytest.mark.parametrize("ties", TIES)
def test_log_risks_too_far_apart_for_float64_leave_the_loss_finite(ties, options):
    outcome, head = some(60, options), Cox(ties)
    eta = np.random.default_rng(0).choice([-2000.0, 0.0, 2000.0], 60)
    target = head.prepare(outcome)
    loss, gradient = loss_and_gradient(head, eta, target)
    null, _ = loss_and_gradient(head, np.zeros(60), target)
    assert 0.3 * null < loss < np.inf
    assert np.isfinite(gradient).all()
    assert head.contributions(torch.from_numpy(eta)[None, :, None], target).isfinite().all()


@pytest.mark.parametrize("ties", TIES)
def test_without_events_loss_and_gradient_are_exactly_0(ties):
    head, outcome = Cox(ties), some(20)
    target = head.prepare(outcome)
    events, censored = (torch.from_numpy(np.flatnonzero(outcome.event == e)[:6]) for e in (1, 0))
    eta = torch.from_numpy(normal(12)).view(2, 6, 1).requires_grad_()
    loss = head.nll(eta, target.take(torch.stack([events, censored])))
    gradient = torch.autograd.grad(loss.sum(), eta)[0]
    assert loss[0] != 0
    assert loss[1] == 0
    assert gradient[0].all()
    assert not gradient[1].any()
    nobody = head.prepare(Outcome(outcome.time, np.zeros(20, int)))
    loss, gradient = loss_and_gradient(head, normal(20), nobody)
    assert loss == 0
    assert not gradient.any()


def test_all_times_tied_has_a_closed_form():
    n, m, eta = 9, 5, normal(9)
    outcome = Outcome(np.full(n, 7.0), (np.arange(n) < m).astype(int))
    s, d = np.exp(eta).sum(), np.exp(eta[:m]).sum()
    for ties, logs in {"breslow": np.log(s), "efron": np.log(s - np.arange(m) / m * d).mean()}.items():
        loss, _ = loss_and_gradient(Cox(ties), eta, Cox(ties).prepare(outcome))
        np.testing.assert_allclose(loss, logs - eta[:m].mean(), rtol=1e-14)


@pytest.mark.parametrize("options", LOG_ROWS)
@pytest.mark.parametrize("rescale", [lambda t: t / 365.25, np.exp, lambda t: t**3 - 5], ids=["unit", "exp", "cube"])
def test_only_the_order_of_times_matters(rescale, options):
    outcome, eta = some(50, options), normal(50)
    entry = None if outcome.entry is None else rescale(outcome.entry)
    changed = Outcome(rescale(outcome.time), outcome.event, entry, outcome.weight, outcome.stratum)
    losses = [loss_and_gradient(Cox(), eta, Cox().prepare(o)) for o in (outcome, changed)]
    assert losses[0][0] == losses[1][0]
    np.testing.assert_array_equal(losses[0][1], losses[1][1])


@pytest.mark.parametrize("ties", TIES)
def test_order_of_rows_at_twelve_distinct_times(ties):
    rng = np.random.default_rng(5)
    outcome = Outcome(rng.integers(1, 13, 2000).astype(float), rng.integers(0, 2, 2000))
    eta, order = normal(2000), rng.permutation(2000)
    head = Cox(ties)
    loss, gradient = loss_and_gradient(head, eta, head.prepare(outcome))
    again = loss_and_gradient(head, eta[order], head.prepare(outcome.take(order)))
    np.testing.assert_allclose(again[0], loss, rtol=1e-14)
    np.testing.assert_allclose(again[1], gradient[order], rtol=1e-10, atol=1e-17)


def test_contributions_are_of_events_alone_and_each_stratum_adds_its_own():
    outcome, head = some(60, OPTIONS), Cox()
    eta = torch.from_numpy(normal(60))[None, :, None]
    target = head.prepare(outcome)
    parts = head.contributions(eta, target)[0].numpy() * target.total.item()
    np.testing.assert_array_equal(parts[outcome.event == 0], 0)
    for label in (0, 1):
        mine = outcome.stratum == label
        own = head.prepare(outcome.take(mine))
        np.testing.assert_allclose(parts[mine].sum(), head.nll(eta[:, mine], own).item() * own.total.item(), rtol=1e-12)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("extra", [(), ("entry", "stratum", "weight")])
@pytest.mark.parametrize("width", [10, 60])
def test_the_parts_of_a_split_are_the_targets_taken_one_by_one(ties, extra, width):
    outcome = cohort(80, 5)
    if not extra:
        outcome = Outcome(outcome.time, outcome.event)
    head, rng = Cox(ties), np.random.default_rng(0)
    target = head.prepare(outcome)
    index = torch.from_numpy(rng.integers(0, 80, (6, width)))  # three batches of two models
    valid = torch.from_numpy(rng.random((6, width)) < 0.9)
    eta = torch.from_numpy(rng.normal(size=(2, width, 1))).requires_grad_()
    for i, part in enumerate(target.take(index, valid).split(3)):
        run = slice(2 * i, 2 * i + 2)
        found, expected = (head.nll(eta, t) for t in (part, target.take(index[run], valid[run])))
        assert torch.equal(part.total, target.take(index[run], valid[run]).total)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        slopes = (torch.autograd.grad(nll.sum(), eta)[0] for nll in (found, expected))
        torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-15)
