"""The second derivative of the Cox loss, from sums by event time."""

from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
import torch

from survlspin.heads import Cox, cox_terms
from survlspin.outcome import Outcome
from survlspin.testing import cohort

OPTIONS = ["weight", "entry", "stratum"]
SUBSETS = list(chain.from_iterable(combinations(OPTIONS, r) for r in range(4)))


def some(n=40, options=(), seed=0, tied=True):
    full = cohort(n, seed)
    time = full.time if tied else full.time + np.random.default_rng(seed).random(n)
    return Outcome(time, full.event, **{option: getattr(full, option) for option in options})


def negative_log_likelihood(eta, outcome, ties):
    """The loss from all pairs of rows, for automatic differentiation."""
    n = len(outcome)
    weight, entry, stratum = (
        torch.from_numpy(np.full(n, default) if given is None else given)
        for given, default in [(outcome.weight, 1.0), (outcome.entry, -np.inf), (outcome.stratum, 0)]
    )
    time, event = torch.from_numpy(outcome.time), torch.from_numpy(outcome.event * (weight.numpy() > 0)) == 1
    nll = -(weight * event * eta).sum()
    for s, t in {(s, t) for s, t, e in zip(stratum.tolist(), time.tolist(), event.tolist(), strict=True) if e}:
        at_risk = (stratum == s) & (entry < t) & (time >= t)
        dead = event & (stratum == s) & (time == t)
        m = int(dead.sum())
        for step in range(m):
            share = weight * at_risk * (1 - dead.double() * (step / m if ties == "efron" else 0.0))
            nll = nll + weight[dead].mean() * torch.logsumexp((share.log() + eta)[share > 0], 0)
    return nll / (weight * event).sum()


def hessian(eta, z, outcome, ties):
    beta = torch.zeros(z.shape[1], dtype=torch.float64)
    return torch.autograd.functional.hessian(
        lambda beta: negative_log_likelihood(eta + z @ beta, outcome, ties), beta
    ).numpy()


def rows(n, p, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(scale * rng.normal(size=n)), torch.from_numpy(rng.normal(size=(n, p)))


@pytest.mark.parametrize("options", SUBSETS, ids="-".join)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("tied", [True, False])
def test_the_sandwich_is_the_hessian(tied, ties, options):
    outcome, (eta, z) = some(30, options, tied=tied), rows(30, 4)
    head = Cox(ties)
    quadratic = head.quadratic(eta[None, :, None], head.prepare(outcome))
    found = quadratic.sandwich(z[None])[0].numpy()
    np.testing.assert_allclose(found, hessian(eta, z, outcome, ties), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    loss = negative_log_likelihood(eta, outcome, ties)
    np.testing.assert_allclose(quadratic.loss, loss[None], rtol=1e-12)


@pytest.mark.parametrize("options", [(), tuple(OPTIONS)], ids=["plain", "all"])
def test_rows_in_runs_make_the_same_sandwich(options, monkeypatch):
    outcome, (eta, z) = some(200, options), rows(200, 3)
    head = Cox()
    target = head.prepare(outcome)
    whole = head.quadratic(eta[None, :, None], target).sandwich(z[None])
    monkeypatch.setattr(cox_terms, "CHUNK", 50)
    np.testing.assert_allclose(head.quadratic(eta[None, :, None], target).sandwich(z[None]), whole, rtol=1e-11)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_columns_far_from_0_lose_no_digits(ties):
    outcome, (eta, z) = some(300), rows(300, 3)
    head = Cox(ties)
    quadratic = head.quadratic(eta[None, :, None], head.prepare(outcome))
    near, far = quadratic.sandwich(z[None]), quadratic.sandwich(z[None] + 1e6)
    np.testing.assert_allclose(far, near, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_log_risks_far_apart(ties):
    outcome, (eta, z) = some(60), rows(60, 3, scale=80.0)
    head = Cox(ties)
    found = head.quadratic(eta[None, :, None], head.prepare(outcome)).sandwich(z[None])[0]
    np.testing.assert_allclose(found, hessian(eta, z, outcome, ties), rtol=1e-7, atol=1e-13)


def test_a_thousand_logs_apart_it_stays_finite():
    outcome, (eta, z) = some(60, OPTIONS), rows(60, 3, scale=1000.0)
    head = Cox()
    assert head.quadratic(eta[None, :, None], head.prepare(outcome)).sandwich(z[None]).isfinite().all()


def test_columns_shared_by_all_models_need_no_copies():
    outcome, (_, z) = some(50, OPTIONS), rows(50, 3)
    head = Cox()
    eta = torch.from_numpy(np.random.default_rng(1).normal(size=(4, 50, 1)))
    together = head.quadratic(eta, head.prepare(outcome)).sandwich(z.expand(4, -1, -1))
    for one, found in zip(eta, together, strict=True):
        alone = head.quadratic(one[None], head.prepare(outcome)).sandwich(z[None])[0]
        np.testing.assert_allclose(found, alone, rtol=1e-11, atol=1e-14)


def test_the_score_is_the_log_risk():
    eta = torch.arange(6.0).view(1, 6, 1)
    np.testing.assert_array_equal(Cox().score(eta), eta[..., 0])


@pytest.mark.parametrize("options", SUBSETS, ids="-".join)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_residuals_add_up_to_the_slope(ties, options):
    outcome, (eta, z) = some(60, options), rows(60, 3)
    head = Cox(ties)
    target = head.prepare(outcome)
    quadratic = head.quadratic(eta[None, :, None], target)
    for shift in (0.0, 1e4):
        residuals = quadratic.residuals(z[None] + shift)[0]
        slope = -(quadratic.gradient[0, :, 0] @ z) * target.total
        np.testing.assert_allclose(residuals.sum(0), slope, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("options", SUBSETS, ids="-".join)
def test_a_residual_is_what_the_slope_gains_from_the_rows_weight(options):
    """The slope of Breslow's likelihood by coefficients, differentiated by the log of each row's weight."""
    outcome, (eta, z) = some(30, options), rows(30, 3)
    weight = np.ones(30) if outcome.weight is None else outcome.weight
    head = Cox("breslow")

    def slope(weight):
        target = head.prepare(replace(outcome, weight=weight))
        return -(head.quadratic(eta[None, :, None], target).gradient[0, :, 0] @ z).numpy() * target.total.item()

    steps = np.exp(1e-5 * np.eye(30))
    gains = np.stack([(slope(weight * up) - slope(weight / up)) / 2e-5 for up in steps])
    found = head.quadratic(eta[None, :, None], head.prepare(outcome)).residuals(z[None])[0]
    np.testing.assert_allclose(found, gains, rtol=1e-6, atol=1e-8)


def test_residuals_of_a_stack_are_each_models_own():
    outcome, (_, z) = some(50, OPTIONS), rows(50, 3)
    head = Cox()
    target = head.prepare(outcome)
    eta = torch.from_numpy(np.random.default_rng(1).normal(size=(4, 50, 1)))
    index = torch.stack([torch.arange(50), torch.arange(50).flip(0)])
    stack = head.quadratic(eta, target.take(index)).residuals(z.expand(4, -1, -1))
    for b, found in enumerate(stack):
        alone = head.quadratic(eta[b : b + 1], target.take(index[b // 2][None])).residuals(z[None])[0]
        np.testing.assert_allclose(found, alone, rtol=1e-10, atol=1e-13)
