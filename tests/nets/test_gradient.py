"""Gradient LASSO; with a linear net it is the lasso of scikit-learn and of scikit-survival's coxnet."""

import numpy as np
import pytest
import torch
from nets.cases import P
from sklearn.linear_model import Lasso
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.nets import GradientLasso
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.train import Batch, Data, Settings, evaluate, fit
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.rows import Rows
from survlspin.train.step import objective

GROUP = [0, 1, 1, 2, 0, 2]
N = 40


def stirred(*args, models=1, **options):
    net = GradientLasso(P, *args, models=models, **options).double().initialize(seeded(range(models)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(5).add_(0.05)
    return net


def rows(n=N, p=P, seed=0):
    return torch.randn(n, p, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numbers(head, weight=None):
    return Batch(rows()[None], head.prepare(Response(rows(N, 1).numpy()[:, 0], weight)))


@pytest.mark.parametrize(
    ("head", "hidden", "act"),
    [(Cox(), (), "relu"), (Gaussian(2), (4, 3), "silu"), (Bernoulli(), (4,), "tanh"), (Multinomial(3), (5,), "relu")],
)
def test_slopes_are_the_derivatives_of_the_score(head, hidden, act):
    net, x, step = stirred(hidden, head, act=act), rows(), 1e-6
    slopes = net.slopes(net(x)[1])
    for j in range(P):
        shift = step * torch.eye(P, dtype=torch.float64)[j]
        up, down = (head.score(net(x + s)[0]) for s in (shift, -shift))
        torch.testing.assert_close(slopes[..., j], (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


def test_the_slope_of_two_classes_is_that_of_the_logit_times_probability_less_a_half():
    certainty, logit = stirred((4,), Bernoulli()), stirred((4,), Gaussian())
    slopes, of_logit = (net.slopes(net(rows())[1]) for net in (certainty, logit))
    share = torch.sigmoid(certainty(rows())[0]) - 0.5
    torch.testing.assert_close(slopes, share * of_logit, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("group", [None, GROUP])
def test_the_penalty_is_the_weighted_mean_of_the_norm_of_the_slopes(group):
    weight = np.linspace(0, 2, N)
    net, batch = stirred((4,), Gaussian(), group=group), numbers(Gaussian(), weight)
    parts = net(batch.x)[1]
    slopes = net.slopes(parts)[0].detach().numpy()
    norm = np.abs(slopes).sum(1)
    if group is not None:
        norm = sum(2**0.5 * np.linalg.norm(slopes[:, np.equal(group, g)], axis=1) for g in range(3))
    found = net.penalties(parts, batch)["gradient"].item()
    assert found == pytest.approx(np.average(norm, weights=weight), rel=1e-12)


def test_passes_without_gradients_give_the_same_penalty(monkeypatch):
    monkeypatch.setattr("survlspin.train.evaluate.CHUNK", 15)
    head = Gaussian()
    net, batch = stirred((4,), head, act="tanh"), numbers(head, np.linspace(0, 2, N))
    lam = {"gradient": torch.tensor([0.7], dtype=torch.float64)}
    expected = torch.stack(objective(net.train(), head, batch, lam)).detach()
    data = Data(batch.x[0], batch.target)
    found = evaluate.evaluate(net, head, data, Rows([np.arange(N)]), lam)
    torch.testing.assert_close(torch.stack(found), expected, rtol=1e-12, atol=1e-14)
    with torch.no_grad():
        eta = net(batch.x)[0]
    assert not eta.requires_grad


def test_a_gradient_by_the_input_passes_through():
    net, x = stirred((4,), act="tanh"), rows().requires_grad_()
    slopes = torch.autograd.grad(net.predict(x).sum(), x)[0]
    torch.testing.assert_close(slopes, net.slopes(net(rows())[1])[0], rtol=1e-12, atol=1e-14)


def test_columns_with_a_tenth_of_the_largest_slope_are_selected():
    net = GradientLasso(P, ())
    net.predictor.affine[0].weight.data[0, :, 0] = torch.tensor([1.0, -0.5, 0.1001, -0.0999, 0.0, 0.1])
    x = rows(3).float()
    assert net.selected(net(x)[1])[0].tolist() == 3 * [[True, True, True, False, False, True]]
    assert net.d_eff(x).tolist() == [4.0]
    grouped = GradientLasso(P, (), group=GROUP)
    grouped.predictor.affine[0].weight.data[0, :, 0] = torch.tensor([1.0, 0.05, 0.05, 0.0, 0.0, 0.11])
    assert grouped.selected(grouped(x)[1])[0, 0].tolist() == [True, False, False, True, True, True]
    net.predictor.affine[0].weight.data.zero_()
    assert net.d_eff(x).tolist() == [0.0]


def test_a_slope_of_0_has_a_gradient_of_0():
    for group in (None, GROUP):
        net, batch = GradientLasso(P, (), Gaussian(), group=group).double(), numbers(Gaussian())
        penalty = net.penalties(net(batch.x)[1], batch)["gradient"]
        gradient = torch.autograd.grad(penalty.sum(), net.predictor.affine[0].weight)[0]
        assert not gradient.any()


def test_the_ratio_rule_sets_the_penalty_against_the_loss():
    head = Bernoulli()
    net = stirred((5,), head, models=2)
    batch = Batch(rows()[None], head.prepare(Response(np.arange(N) % 2)))
    lam = net.lambda_at_ratio(batch, 0.5)
    loss, nll = objective(net, head, batch, {"gradient": lam})
    torch.testing.assert_close(loss, 1.5 * nll, rtol=1e-12, atol=0)


def outcome():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 8))
    time = np.ceil(12 * rng.exponential(np.exp(-x @ [1.0, -0.8, 0.5, 0, 0, 0, 0, 0])))  # whole months, many tied
    return x, time, rng.random(200) < 0.6


@pytest.fixture(scope="module")
def coxnet():
    """Data, and for some points of coxnet's path its coefficients and the same lambda in our unit."""
    x, time, event = outcome()
    model = CoxnetSurvivalAnalysis(l1_ratio=1.0, tol=1e-14, max_iter=1_000_000, n_alphas=30, alpha_min_ratio=0.01)
    model.fit(x, Surv.from_arrays(event, time))
    head = Cox("breslow")
    batch = Batch(torch.from_numpy(x)[None], head.prepare(Outcome(time, event.astype(int))))
    return head, batch, model.coef_, model.alphas_ * len(x) / event.sum()


def linear(head, coef, group=None):
    net = GradientLasso(len(coef), (), head, group=group).double()
    net.predictor.affine[0].weight.data[0, :, 0] = torch.from_numpy(np.asarray(coef))
    return net


def test_a_linear_net_has_coxnets_largest_lambda(coxnet):
    head, batch, coef, lam = coxnet
    largest = linear(head, coef[:, 0]).largest_lambda(batch).item()
    assert largest == pytest.approx(lam[0], rel=1e-8)


@pytest.mark.parametrize("i", [5, 12, 20])
def test_coxnets_solution_is_ours(coxnet, i):
    """No column's slope of the loss exceeds lambda, and where a coefficient is not 0 it is -lambda * its sign."""
    head, batch, coef, lam = coxnet
    net = linear(head, coef[:, i])
    slope = (batch.x * head.quadratic(net(batch.x)[0], batch.target).gradient)[0].sum(0).detach().numpy() / lam[i]
    used = coef[:, i] != 0
    assert 0 < used.sum() < 9
    np.testing.assert_allclose(slope[used], -np.sign(coef[used, i]), rtol=1e-5)
    assert (np.abs(slope[~used]) < 1).all()


@pytest.mark.parametrize("i", [5, 12, 20])
def test_training_arrives_at_coxnets_objective(coxnet, i):
    head, batch, coef, lam = coxnet
    weight = {"gradient": torch.tensor([lam[i]], dtype=torch.float64)}
    best = objective(linear(head, coef[:, i]), head, batch, weight)[0].item()
    net = linear(head, np.zeros(len(coef)))
    settings = Settings(epochs=600, batch_size=None, lr=0.01)
    fit(net, head, Data(batch.x[0], batch.target), [np.arange(200)], weight, seeded([0]), settings)
    found = objective(net, head, batch, weight)[0].item()
    assert best - 1e-9 < found < best + 1e-3


def test_a_linear_net_for_numbers_is_the_lasso():
    head, x, y = Gaussian(), rows(N).numpy() + 2, rows(N, 1, seed=1).numpy()[:, 0] + 3
    y = y + x[:, 0] - x[:, 1]
    batch = Batch(torch.from_numpy(x)[None], head.prepare(Response(y)))
    net = linear(head, np.zeros(P))
    largest = net.largest_lambda(batch).item()
    assert largest == pytest.approx(np.abs((x - x.mean(0)).T @ (y - y.mean())).max() / N, rel=1e-12)
    for share, some in ((1.001, False), (0.999, True)):
        assert Lasso(alpha=share * largest, tol=1e-12).fit(x, y).coef_.any() == some
    lasso = Lasso(alpha=largest / 5, tol=1e-12).fit(x, y)
    optimum = linear(head, lasso.coef_)
    optimum.predictor.affine[0].bias.data.fill_(lasso.intercept_)
    lam = {"gradient": torch.tensor([largest / 5], dtype=torch.float64)}
    best = objective(optimum, head, batch, lam)[0].item()
    assert best == pytest.approx(
        0.5 * np.mean((y - lasso.predict(x)) ** 2) + largest / 5 * np.abs(lasso.coef_).sum(), rel=1e-12
    )
    settings = Settings(epochs=1500, batch_size=None, lr=0.02)
    fit(net, head, Data(batch.x[0], batch.target), [np.arange(N)], lam, seeded([0]), settings)
    assert best - 1e-9 < objective(net, head, batch, lam)[0].item() < best + 1e-3


def test_the_largest_lambda_of_factors_is_the_group_lassos():
    head, x, group = Gaussian(), rows().numpy(), np.array(GROUP)
    y = x @ [1.0, 0.5, 0, 0, 0, 0] + rows(N, 1, seed=1).numpy()[:, 0]
    batch = Batch(torch.from_numpy(x)[None], head.prepare(Response(y)))
    slope = (x - x.mean(0)).T @ (y - y.mean()) / N
    expected = max(np.linalg.norm(slope[group == g]) / 2**0.5 for g in range(3))
    assert linear(head, np.zeros(P), GROUP).largest_lambda(batch).item() == pytest.approx(expected, rel=1e-12)


def test_the_penalty_makes_slopes_sparse():
    """Two halves of the rows, of which each has a column of its own."""
    x = rows(400).float()
    x[:, 0] = torch.arange(400) % 2 * 4.0 - 2
    y = torch.where(x[:, 0] > 0, x[:, 1], x[:, 2]).double().numpy() + rows(400, 1, seed=1).numpy()[:, 0] / 2
    head, lam = Gaussian(), [0.0, 0.1]
    data = Data(x, head.prepare(Response(y)))
    net = GradientLasso(P, (16, 8), head, models=2).initialize(seeded([0, 0]))
    settings = Settings(epochs=60, batch_size=50, lr=0.01)
    fit(net, head, data, [np.arange(400)], penalty_weights(net, {"gradient": lam}), seeded([0, 0]), settings)
    plain, sparse = net.d_eff(x).tolist()
    assert sparse < 1.5 < plain
