import numpy as np
import pytest
import torch
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from survlspin.errors import InputError
from survlspin.heads import Cox, Gaussian, Multinomial
from survlspin.nets import LassoNet
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.train import Data
from survlspin.train.descent import Descent
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.prox_path import PathSettings, prox_path, vanishing
from survlspin.train.step import objective

N, P = 160, 6
QUICK = PathSettings(points=12)


def design(n=N, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, P))
    x[:, 3] += x[:, 0]
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32)


def survival(seed=0):
    rng, x = np.random.default_rng(seed), design(seed=seed)
    risk = x[:, 0] + 0.7 * x[:, 1] ** 2 - 0.5 * x[:, 2]
    time = np.ceil(9 * rng.exponential(np.exp(-risk)))
    return x, Outcome(time, rng.integers(0, 4, N) > 0)


def problem(kind="cox"):
    x, outcome = survival()
    y = x[:, :2].astype(float) + 0.1 * np.random.default_rng(1).normal(size=(N, 2))
    head, outcome = {
        "cox": (Cox(), outcome),
        "numbers": (Gaussian(2), Response(y)),
        "classes": (Multinomial(3), Response(np.digitize(y[:, 0], [-0.5, 0.5]))),
    }[kind]
    return head, Data(torch.from_numpy(x), head.prepare(outcome))


def made(head, hidden=(8,), models=1, seed=0, **options):
    return LassoNet(P, hidden, head, models=models, **options).initialize(seeded(range(seed, seed + models)))


def path(kind="cox", hidden=(8,), models=1, settings=QUICK, rows=None, valid=None, grid=None, lam=None, **options):
    head, data = problem(kind)
    net = made(head, hidden, models, **options)
    rows = [np.arange(N)] if rows is None else rows
    weights = penalty_weights(net, lam or {"layers": 0.1})
    return prox_path(net, head, data, rows, weights, settings, data if valid else None, valid or (), grid)


@pytest.mark.parametrize("kind", ["cox", "numbers", "classes"])
def test_a_path_leads_from_every_column_to_none_for_good(kind):
    found = path(kind)
    assert found.kept[0].all()
    assert not found.kept[-1].any()
    assert (np.diff(found.lam) > 0).all()
    assert found.net.models == len(found.lam) == len(found.kkt) == len(found.steps)
    ratios = found.lam[1:12] / found.lam[:11]
    np.testing.assert_allclose(ratios, ratios[0])
    assert found.kkt[-1] < 0.05
    on = path(kind, grid=np.append(found.lam, found.lam[-1] * np.array([1.0001, 1.5, 4])))
    assert not on.kept[-3:].any()


def test_true_linear_columns_leave_last():
    found = path(settings=PathSettings(points=40))
    importance = vanishing(found.lam, found.kept)[0]
    assert set(np.argsort(importance)[-2:]) == {0, 2}
    assert np.isfinite(importance).all()


def test_vanishing_is_the_point_after_the_last_that_has_the_column():
    lam, kept = np.array([1.0, 2.0, 3.0, 4.0]), np.zeros((4, 4), dtype=bool)
    kept[:3, 0] = kept[[0, 2], 1] = kept[:, 2] = True
    assert vanishing(lam, kept).tolist() == [4.0, 4.0, np.inf, 1.0]


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_m_0_is_the_cox_lasso_along_the_path(ties):
    x, outcome = survival()
    if ties == "efron":  # coxnet has Breslow's ties: break them, and both are the same
        outcome = Outcome(outcome.time + 1e-4 * np.arange(N), outcome.event)
    head = Cox(ties)
    net = made(head, M=0)
    y = Surv.from_arrays(outcome.event, outcome.time)
    model = CoxnetSurvivalAnalysis(l1_ratio=1.0, n_alphas=15, alpha_min_ratio=0.02, tol=1e-10, max_iter=10**6).fit(x, y)
    lam = model.alphas_ * N / outcome.event.sum()  # their loss is divided by the rows, ours by the events
    data = Data(torch.from_numpy(x), head.prepare(outcome))
    found = prox_path(net, head, data, [np.arange(N)], penalty_weights(net, {}), grid=lam[::-1])
    coef = found.net.skip.weight.detach()[..., 0].numpy()[::-1].T
    np.testing.assert_allclose(coef, model.coef_, atol=1e-3)
    assert np.abs(model.coef_).max() > 0.5
    assert (found.kkt[:-1] <= 1e-3).all()
    own = prox_path(made(head, M=0), head, data, [np.arange(N)], penalty_weights(net, {}))
    assert own.lam[-2] <= lam[0] * (1 + 1e-5) <= own.lam[-1] * (1 + 2e-5)


def test_the_grid_and_its_penalty_are_those_of_the_objective():
    found = path(grid=[0.05, 0.5])
    head, data = problem()
    batch = data.take(torch.arange(N)[None])
    for i, lam in enumerate(found.lam):
        net = found.net.rows([i])
        weights = penalty_weights(net, {"skip": lam, "layers": 0.1})
        smooth, nll = objective(net, head, batch, weights)
        assert found.objective[i, 0] == pytest.approx((smooth + net.nonsmooth(weights)).item(), rel=1e-5)
        assert found.nll[i, 0] == pytest.approx(nll.item(), rel=1e-5)


def test_models_of_a_stack_that_share_a_grid_are_what_they_are_alone():
    grid = np.geomspace(0.1, 5, 6)
    together = path(models=2, grid=grid, settings=PathSettings(steps=4))
    for model in range(2):
        alone = path(seed=model, grid=grid, settings=PathSettings(steps=4))
        np.testing.assert_allclose(together.objective[:, model], alone.objective[:, 0], rtol=1e-4)
        np.testing.assert_array_equal(together.kept[:, model], alone.kept[:, 0])


def test_models_may_have_rows_of_their_own_and_rows_that_validate():
    halves = [np.arange(0, N, 2), np.arange(1, N, 2)]
    found = path(models=2, rows=halves, valid=halves[::-1])
    assert not found.kept[-1].any()
    head, data = problem()
    i = len(found.lam) // 3
    net = found.net.rows([2 * i + 1])
    with torch.no_grad():
        nll = head.nll(net(data.x[halves[0]][None])[0], data.target.take(torch.from_numpy(halves[0])[None]))
    assert found.nll[i, 1] == pytest.approx(nll.item(), rel=1e-5)


def test_the_best_step_by_validation_is_kept():
    rows = [np.arange(0, N, 2)], [np.arange(1, N, 2)]
    settings = PathSettings(steps=40, tolerance=0.0)
    grid, lam = [1e-3], {"layers": 1e-3}
    best, last = (path(rows=rows[0], valid=v, grid=grid, settings=settings, lam=lam) for v in (rows[1], None))
    head, data = problem()
    target = data.target.take(torch.from_numpy(rows[1][0])[None])
    nll = [head.nll(found.net(data.x[rows[1][0]][None])[0], target).item() for found in (best, last)]
    assert nll[0] < nll[1] - 0.01


@pytest.mark.parametrize("options", [{}, {"group": [0, 0, 1, 1, 2, 2]}, {"M": 0.5}])
@pytest.mark.parametrize("kind", ["cox", "numbers"])
def test_a_descent_comes_to_rest_at_an_optimum(kind, options):
    head, data = problem(kind)
    net = made(head, act="tanh", **options).double()
    batch = Data(data.x.double(), data.target).take(torch.arange(N)[None])
    descent = Descent(net, head, batch, penalty_weights(net, {"layers": 1.0}))
    descent.at(0.1)
    before, start = descent.kkt().item(), descent.smooth + net.nonsmooth(descent.lam)
    for _ in range(600):
        descent.step(torch.ones(1, dtype=torch.bool))
        if descent.kkt().item() < 1e-3:
            break
    assert descent.kkt().item() < 1e-3 < before
    assert (descent.smooth + net.nonsmooth(descent.lam) < start).all()
    assert net.kept().any()


def test_columns_of_a_group_leave_together():
    found = path(group=[0, 0, 1, 1, 2, 2])
    assert (found.kept[..., 0::2] == found.kept[..., 1::2]).all()
    assert len({tuple(kept) for kept in found.kept[:, 0]}) > 2


def test_the_caller_hears_of_every_point():
    head, data = problem()
    net, said = made(head, M=0), []
    weights = penalty_weights(net, {})
    prox_path(net, head, data, [np.arange(N)], weights, grid=[0.1, 0.2], progress=lambda *a: said.append(a))
    assert [s[0] for s in said] == [1, 2]


@pytest.mark.parametrize("grid", [[], [1.0, 0.5], [-1.0], [float("nan")], [[1.0]]])
def test_a_grid_that_is_none_is_refused(grid):
    with pytest.raises(InputError, match="SL-406"):
        path(grid=grid)


def test_columns_that_say_nothing_are_refused():
    head, data = problem()
    net, data = made(head), Data(torch.zeros_like(data.x), data.target)
    with pytest.raises(InputError, match="SL-429"):
        prox_path(net, head, data, [np.arange(N)], penalty_weights(net, {}))
