import math

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from sklearn.linear_model import LinearRegression, LogisticRegression
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.util import Surv

from survlspin.errors import InputError
from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.nets import NIMO
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.testing import check_net
from survlspin.train import Batch, Data, Rows, Settings, fit, predict
from survlspin.train.evaluate import refresh
from survlspin.train.fit import penalty_weights, seeded

HEADS = (Gaussian(), Bernoulli(), Cox("efron"), Cox("breslow"))
IDS = ("Gaussian", "Bernoulli", "Cox efron", "Cox breslow")


def rows(n=150, p=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, p))


def outcome(head, x, seed=1, months=True):
    """What the head predicts, from a linear model with noise; times are tied heavily."""
    rng = np.random.default_rng(seed)
    at = x @ np.linspace(1.2, -0.8, x.shape[1]) + 0.4
    if isinstance(head, Gaussian):
        return Response(at + rng.normal(size=len(x)))
    if isinstance(head, Bernoulli):
        return Response((rng.random(len(x)) < 1 / (1 + np.exp(-at))).astype(int))
    time = 12 * rng.exponential(size=len(x)) * np.exp(-at / 2)
    return Outcome(np.ceil(time) if months else time, (rng.random(len(x)) < 0.7).astype(int))


def made(head, p=4, hidden=(5, 4), models=1, scale=1.0, **options):
    net = NIMO(p, hidden, head, models=models, **options).double().initialize(seeded(range(models)))
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name != "c":
                parameter.mul_(scale)
    return net.eval()


def batch(head, x, given=None):
    return Batch(torch.from_numpy(x)[None], head.prepare(outcome(head, x) if given is None else given))


def weights(net, lasso=0.0, group=0.0):
    return penalty_weights(net, {"lasso": lasso, "group": group})


def solved(net, head, x, lasso=0.0, given=None):
    net.solve(batch(head, x, given), head, weights(net, lasso))
    return net


@pytest.mark.parametrize("head", HEADS, ids=IDS)
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_contract_with_coefficients(head, hidden):
    def make(models):
        net = NIMO(4, hidden, head, models=models)
        net.gamma += torch.tensor([0.5, -1.0, 0.3, 2.0])
        net.intercept += 0.0 if head.free_intercept else 0.7
        return net

    check_net(make, head, None if isinstance(head, Cox) else outcome(head, rows(24)))


@pytest.mark.parametrize("hidden", [(5,), (5, 4)])
def test_the_correction_of_a_column_is_that_of_the_row_without_it(hidden):
    net, x = made(Gaussian(), hidden=hidden, scale=8.0), torch.from_numpy(rows())
    correction = net.corrections(x[None])
    for j in range(4):
        without = x.clone()
        without[:, j] = 0
        torch.testing.assert_close(net.corrections(without[None])[..., j], correction[..., j], rtol=1e-12, atol=1e-13)
    assert correction.std(1).min() > 0.1
    assert not net.corrections(torch.zeros(1, 3, 4).double()).any()


def test_the_correction_knows_its_column():
    net = made(Gaussian(), p=2, scale=8.0, frequency=6.0)
    with torch.no_grad():
        net.first.weight[:, 1] = net.first.weight[:, 0]
    x = torch.from_numpy(rows(p=1)).expand(-1, 2)
    one, other = net.corrections(x[None])[0].T
    assert (one - other).abs().max() > 0.1


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (-1.0, 3.0), (-0.2, 0.1)])
def test_corrections_fill_their_bounds_and_are_0_at_the_reference(bounds):
    net = made(Gaussian(), scale=40.0, bounds=bounds)
    correction = net.corrections(torch.from_numpy(5 * rows(2000))[None]).detach()
    low, high = (float(c) for c in (correction.min(), correction.max()))
    width = bounds[1] - bounds[0]
    assert bounds[0] - 1e-12 <= low < bounds[0] + 0.01 * width
    assert bounds[1] + 1e-12 >= high > bounds[1] - 0.01 * width
    assert net.corrections(torch.zeros(1, 1, 4).double()).abs().max() < 1e-14


def test_blocks_of_rows_make_no_difference(monkeypatch):
    net, x = made(Gaussian(), scale=8.0), torch.from_numpy(rows())
    whole = net.corrections(x[None])
    monkeypatch.setattr("survlspin.nets.nimo.ENTRIES", 200)
    with torch.no_grad():
        torch.testing.assert_close(net.corrections(x[None]), whole, rtol=1e-13, atol=1e-14)


def test_noise_is_in_training_alone_and_scaled():
    net, x = made(Gaussian(), scale=8.0, noise=0.3), torch.from_numpy(rows())
    assert net.n_gates == 5
    assert NIMO(4, noise=0.0).n_gates == 0
    noise = torch.randn(1, len(x), 5, dtype=torch.float64)
    noisy = net.corrections(x[None], noise)
    assert (noisy - net.corrections(x[None])).abs().max() > 0.01
    other = made(Gaussian(), scale=8.0, noise=0.6)
    torch.testing.assert_close(other.corrections(x[None], noise / 2), noisy, rtol=1e-12, atol=1e-14)


# ---- what is solved ----


def linear(head, p=4, **options):
    return made(head, p, (), **options)


def test_without_penalty_and_net_it_is_least_squares():
    x = rows()
    reference = LinearRegression().fit(x, outcome(Gaussian(), x).value)
    net = solved(linear(Gaussian()), Gaussian(), x)
    np.testing.assert_allclose(net.beta[0].detach(), reference.coef_, rtol=1e-10)
    np.testing.assert_allclose(net.intercept[0], reference.intercept_, rtol=1e-10)


def test_without_penalty_and_net_it_is_logistic_regression():
    x = rows()
    reference = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(x, outcome(Bernoulli(), x).value)
    net = solved(linear(Bernoulli()), Bernoulli(), x)
    np.testing.assert_allclose(net.beta[0].detach(), reference.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(net.intercept[0], reference.intercept_, rtol=1e-6)


def test_without_penalty_and_net_it_is_cox_regression_with_efron_ties():
    x, head = rows(), Cox("efron")
    given = outcome(head, x)
    assert len(np.unique(given.time)) < 50
    frame = {f"x{j}": column for j, column in enumerate(x.T)} | {"time": given.time, "event": given.event}
    reference = CoxPHFitter().fit(pd.DataFrame(frame), "time", "event", fit_options={"precision": 1e-12})
    net = solved(linear(head), head, x)
    np.testing.assert_allclose(net.beta[0].detach(), reference.params_, rtol=0, atol=1e-8)
    assert not net.intercept.any()


def test_without_penalty_and_net_it_is_cox_regression_with_breslow_ties():
    x, head = rows(), Cox("breslow")
    given = outcome(head, x)
    reference = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-14, n_iter=200).fit(
        x, Surv.from_arrays(given.event == 1, given.time)
    )
    net = solved(linear(head), head, x)
    np.testing.assert_allclose(net.beta[0].detach(), reference.coef_, rtol=0, atol=1e-8)
    efron = solved(linear(Cox("efron")), Cox("efron"), x, given=given)
    assert (net.beta - efron.beta).abs().max() > 1e-3


def profiled(net, head, x, lasso, given=None):
    """Learn c by L-BFGS on the loss at the solution, as the envelope theorem allows."""
    data = batch(head, x, given)
    lam = weights(net, lasso)
    search = torch.optim.LBFGS(
        [net.c], max_iter=500, tolerance_grad=1e-14, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        search.zero_grad()
        net.eval()
        net.solve(data, head, lam)
        net.train()
        eta, parts = net(data.x)
        loss = (head.nll(eta, data.target) + lasso * net.penalties(parts, data)["lasso"]).sum()
        loss.backward()
        return loss

    search.step(closure)
    return net.eval()


def test_with_delta_1_it_is_the_cox_lasso():
    x, head = rows(200, 6), Cox("breslow")
    given = outcome(head, x, months=False)
    reference = CoxnetSurvivalAnalysis(alphas=[0.15], l1_ratio=1.0, tol=1e-14, max_iter=10**6)
    reference.fit(x, Surv.from_arrays(given.event == 1, given.time))
    alpha = 0.15 * len(x) / (given.event == 1).sum()  # its loss is divided by the rows, ours by the events
    net = profiled(linear(head, 6, delta=1.0), head, x, alpha, given)
    expected = reference.coef_[:, 0]
    assert 0 < (expected != 0).sum() < 6
    np.testing.assert_allclose(net.beta[0].detach(), expected, rtol=0, atol=1e-5)
    assert net.linear_columns[0].tolist() == (expected != 0).tolist()


@pytest.mark.parametrize("delta", [0.5, 0.8, 1.0])
def test_the_penalty_is_the_power_of_the_coefficients(delta):
    """Of one orthogonal column: the least of 1/2 (y - beta)^2 + lasso |beta|^q over a fine grid."""
    x = np.array([[1.0], [-1.0]])
    y, lasso = 2.0, 0.3
    grid = np.linspace(0.5, 2.5, 2_000_001)
    power = 2 * delta / (1 + delta)
    best = grid[(0.5 * (y - grid) ** 2 + lasso * grid**power).argmin()]
    net = profiled(linear(Gaussian(), 1, delta=delta), Gaussian(), x, lasso, Response(np.array([y, -y])))
    assert float(net.beta.detach()) == pytest.approx(best, abs=2e-6)
    expected = lasso * best**power
    parts = net(torch.from_numpy(x))[1]
    assert lasso * float(net.penalties(parts, None)["lasso"].detach()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("head", HEADS, ids=IDS)
def test_the_loss_is_flat_in_what_is_solved(head):
    """So that the solution needs no derivative: the gradient by c is that of the profile."""
    x, lasso = rows(), 0.2
    data = batch(head, x)
    net = made(head, scale=6.0)
    lam = weights(net, lasso)

    def loss(c):
        with torch.no_grad():
            net.c.copy_(c)
        net.eval()
        net.solve(data, head, lam)
        net.train()
        eta, parts = net(data.x)
        return (head.nll(eta, data.target) + lasso * net.penalties(parts, data)["lasso"]).sum()

    at = torch.tensor([[1.0, 0.7, 1.3, 0.9]], dtype=torch.float64)
    gradient = torch.autograd.grad(loss(at), net.c)[0]
    for j in range(4):
        step = 1e-5 * torch.eye(4, dtype=torch.float64)[j]
        slope = (loss(at + step) - loss(at - step)).item() / 2e-5
        assert float(gradient[0, j]) == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("head", HEADS, ids=IDS)
def test_one_warm_step_comes_close_and_never_climbs(head):
    x = 3 * rows()
    data, net = batch(head, x), made(head, scale=6.0).train()
    lam, losses = weights(net, 0.1), []
    for _ in range(12):
        net.solve(data, head, lam)
        eta, parts = net(data.x)
        losses.append((head.nll(eta, data.target) + 0.1 * net.penalties(parts, data)["lasso"]).item())
    assert (np.diff(losses) <= 1e-12).all()
    gamma = net.gamma
    net.eval().solve(data, head, lam)
    torch.testing.assert_close(gamma, net.gamma, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("head", HEADS, ids=IDS)
def test_what_has_no_finite_solution_does_not_break(head):
    """Separated classes, deaths in order of x, equal columns, a column of 0, and a wild start."""
    x = np.column_stack([np.linspace(-30, 30, 40)] * 2 + [np.zeros(40)])
    order = np.arange(40)
    given = {Gaussian: Response(order - 5.0), Bernoulli: Response((order > 19).astype(int))}
    given = given.get(type(head), Outcome(40.0 - order, np.ones(40, dtype=int)))
    net = linear(head, 3)
    net.gamma += torch.tensor([30.0, -25.0, 4.0])
    data = batch(head, x, given)
    at_start = float(head.nll(predict(net, data.x[0]), data.target))
    net.solve(data, head, weights(net))
    after = float(head.nll(predict(net, data.x[0]), data.target))
    assert math.isfinite(after)
    assert after < 1e-3 * at_start + 1e-3
    assert net.gamma.isfinite().all()


def test_rows_that_say_nothing_change_nothing():
    x, head = rows(), Cox()
    given = outcome(head, x)
    for memory in (0.0, 0.9):
        net = solved(linear(head, memory=memory), head, x, given=given).train()
        gamma = net.gamma.clone()
        net.solve(batch(head, x, Outcome(given.time, 0 * given.event)), head, weights(net))
        assert torch.equal(net.gamma, gamma)


@pytest.mark.parametrize("head", HEADS, ids=IDS)
def test_normal_equations_of_batches_come_to_the_solution_of_all_rows(head):
    x = rows(2000, seed=3)
    given = outcome(head, x, months=False)
    whole = solved(linear(head), head, x, 0.05, given)
    data, rng = Data(torch.from_numpy(x), head.prepare(given)), np.random.default_rng(0)
    distance = {}
    for memory in (0.0, 0.98):
        net, far = linear(head, memory=memory).train(), []
        for _ in range(120):
            net.solve(data.take(torch.from_numpy(rng.choice(2000, (1, 100)))), head, weights(net, 0.05))
            far.append((net.beta - whole.beta).norm().item())
        distance[memory] = np.mean(far[-30:])
    assert distance[0.98] < 0.35 * distance[0.0]
    assert distance[0.98] < 0.1


def test_models_of_a_stack_are_solved_each_by_itself():
    x, head = rows(), Cox()
    net = made(head, models=3, scale=6.0)
    data, lam = batch(head, x), weights(net, [0.1, 0.2, 0.0])
    alone = [net.rows([b]) for b in range(3)]
    net.solve(data, head, lam)
    for b, one in enumerate(alone):
        one.solve(data, head, {name: value[[b]] for name, value in lam.items()})
        torch.testing.assert_close(one.gamma[0], net.gamma[b], rtol=1e-10, atol=1e-12)


# ---- what is 0 ----


def test_small_scales_and_columns_are_0_in_evaluation():
    net = made(Gaussian(), scale=6.0)
    x = torch.from_numpy(rows())
    net.gamma += 1
    with torch.no_grad():
        net.c[0] = torch.tensor([1.0, 0.04, -0.06, 0.5])
        net.first.weight[0, 3] *= 1e-3
    eta, parts = net(x)
    assert net.linear_columns[0].tolist() == [True, False, True, True]
    assert net.nonlinear_columns[0].tolist() == [True, True, True, False]
    assert net.selected(parts).all()
    assert not parts["coef"][:, :, 1].any()
    moved = x.clone()
    moved[:, 3] += 2
    torch.testing.assert_close(net(moved)[0], eta + 2 * parts["coef"][:, :, 3], rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        net.first.weight[0, 1] *= 1e-3
    _, parts = net(x)
    assert net.selected(parts)[0, 0].tolist() == [True, False, True, True]
    moved = x.clone()
    moved[:, 1] += 2
    assert torch.equal(net(moved)[0], net(x)[0])


def test_a_column_that_corrects_only_itself_is_not_used():
    net = made(Gaussian(), p=2, scale=6.0)
    with torch.no_grad():
        net.c[0] = torch.tensor([1.0, 0.0])
    net.gamma += 1
    assert net.linear_columns[0].tolist() == [True, False]
    assert net.nonlinear_columns[0].tolist() == [False, True]
    assert not linear(Gaussian()).nonlinear_columns.any()


# ---- training ----


def interacting(n, p=4, seed=0):
    x = np.random.default_rng(seed).uniform(-2, 2, (n, p))
    return x, 3 * x[:, 0] * (1 + np.tanh(2 * x[:, 1])) - 2 * x[:, 2]


def trained(head, y, x, lasso=0.003, group=0.01, epochs=300, models=1, batch_size=None, **options):
    data = Data(torch.from_numpy(x), head.prepare(y))
    net = NIMO(x.shape[1], (16, 16), head, models=models, **options).double().initialize(seeded(range(models)))
    settings = Settings(epochs=epochs, lr=1e-2, batch_size=batch_size)
    fit(net, head, data, [np.arange(len(x))], weights(net, lasso, group), seeded(range(models)), settings)
    return net


def test_an_interaction_is_found_beyond_a_linear_model():
    x, y = interacting(300)
    net = trained(Gaussian(), Response(y), x)
    xt, yt = interacting(300, seed=1)
    error = np.square(predict(net, torch.from_numpy(xt))[0, :, 0].numpy() - yt).mean()
    straight = np.square(LinearRegression().fit(x, y).predict(xt) - yt).mean()
    assert error < 0.1 * straight
    own = net(torch.from_numpy(xt))[1]["coef"][0, :, 2, 0].detach()
    assert own.mean().item() == pytest.approx(-2, abs=0.2)
    assert net.beta[0, 3].abs().item() < 0.05


def test_batches_with_memory_find_it_too():
    x, y = interacting(800)
    error = {}
    for memory in (0.0, 0.9):
        net = trained(Gaussian(), Response(y), x, epochs=12, batch_size=64, memory=memory)
        error[memory] = np.square(predict(net, torch.from_numpy(x))[0, :, 0].numpy() - y).mean()
    assert max(error.values()) < 1.0
    assert error[0.0] != error[0.9]


def test_what_is_kept_is_solved_on_all_training_rows():
    x, y = interacting(200)
    head, lam = Gaussian(), 0.01
    data = Data(torch.from_numpy(x), head.prepare(Response(y)))
    net = trained(head, Response(y), x, lasso=lam, epochs=5, batch_size=50)
    again = net.rows([0])
    refresh(again, head, data, Rows([np.arange(200)]), weights(again, lam, 0.01))
    torch.testing.assert_close(again.gamma, net.gamma, rtol=1e-9, atol=1e-12)


def test_the_pass_after_a_solution_reuses_its_corrections():
    x, head = rows(), Gaussian()
    net = made(head, scale=6.0).train()
    data = Batch(torch.from_numpy(x)[None], head.prepare(outcome(head, x)), torch.randn(1, 150, 5).double())
    net.solve(data, head, weights(net, 0.1))
    first, second = net(data.x, data.noise)[0], net(data.x, data.noise)[0]
    assert torch.equal(first, second)
    for eta in (first, second):
        assert torch.autograd.grad(eta.square().sum(), net.first.weight)[0].abs().max() > 1e-3
    net.solve(data, head, weights(net, 0.1))
    other = torch.from_numpy(x[:10])[None]
    torch.testing.assert_close(net(other)[0], net.eval()(other)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("penalty", ["lasso", "group"])
def test_penalties_make_sparse(penalty):
    x, y = interacting(80, 5)
    used = []
    for lam in (0.0, 0.3):
        net = trained(Gaussian(), Response(y), x, epochs=150, **{"lasso": 0.0, "group": 0.0} | {penalty: lam})
        used.append(int((net.linear_columns if penalty == "lasso" else net.nonlinear_columns).sum()))
    assert used[0] == 5
    assert used[1] < 5


@pytest.mark.parametrize(
    "option", [{"delta": 1.0}, {"exponent": 1.0}, {"bounds": (-1.0, 3.0)}, {"noise": 0.0}, {"frequency": 3.0}]
)
def test_options_are_used(option):
    x, y = interacting(60)
    plain, other = (trained(Gaussian(), Response(y), x, epochs=20, **o) for o in ({}, option))
    assert (predict(plain, torch.from_numpy(x)) - predict(other, torch.from_numpy(x))).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SL-425 NIMO has one output; Multinomial\\(3\\) needs 3", {"head": Multinomial(3)}),
        ("SL-425 NIMO has one output; Gaussian\\(2\\) needs 2", {"head": Gaussian(2)}),
        ("SL-426", {"delta": 0.0}),
        ("SL-426", {"exponent": 1.5}),
        ("SL-427", {"bounds": (0.0, 1.0)}),
        ("SL-427", {"bounds": (-1.0, float("inf"))}),
        ("SL-428", {"noise": -0.1}),
        ("SL-428", {"memory": 1.0}),
        ("SL-428", {"frequency": 0.0}),
    ],
)
def test_settings_that_make_no_sense_are_refused(code, options):
    with pytest.raises(InputError, match=code):
        NIMO(3, **options)
