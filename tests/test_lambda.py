"""The table of docs/lambda.md, row by row: what a source minimises is a constant times what we do, at our lambda."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.linear_model import Lasso, LogisticRegression
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from survlspin.estimators import CoxPH, GradientLassoRegressor, STGRegressor
from survlspin.heads import Bernoulli, Cox, Gaussian
from survlspin.nets import LSPIN, NIMO, STG, ContextualLasso, GradientLasso, LassoNet
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.train import Batch
from survlspin.train.step import objective

N, P, MODELS, LAM = 30, 5, 3, 0.37
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P))
NUMBER = X[:, 0] - X[:, 1] + RNG.normal(size=N)
CLASS = (NUMBER > 0.2).astype(int)
TIME, EVENT = RNG.exponential(np.exp(-X[:, 0])), RNG.random(N) < 0.6
EVENTS = EVENT.sum()
OUTCOMES = {"numbers": Response(NUMBER), "classes": Response(CLASS), "Cox": Outcome(TIME, EVENT.astype(int))}
HEADS = {"numbers": Gaussian(), "classes": Bernoulli(), "Cox": Cox("breslow")}
tasks = pytest.mark.parametrize("task", HEADS)


def stirred(make, task, **options):
    """Three models of random weights, and the rows."""
    head = HEADS[task]
    net = make(P, head=head, models=MODELS, **options).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return net, Batch(torch.from_numpy(X)[None], head.prepare(OUTCOMES[task]))


def ours(net, batch, **lam):
    lam = {name: torch.full((MODELS,), value, dtype=torch.float64) for name, value in lam.items()}
    lam |= {name: torch.zeros(MODELS, dtype=torch.float64) for name in net.penalty_names if name not in lam}
    value = objective(net, net.head, batch, lam)[0] + net.nonsmooth(lam)
    return value.detach().numpy()


def loss(eta, task):
    """The loss in the usual unit of other programs: mean squared error, mean cross-entropy, mean over events."""
    eta = eta.detach().numpy()[..., 0]
    if task == "numbers":
        return ((NUMBER - eta) ** 2).mean(1)
    if task == "classes":
        return np.mean(np.log1p(np.exp(eta)) - CLASS * eta, axis=1)
    terms = [eta[:, i] - np.log(np.exp(eta[:, TIME[i] <= TIME]).sum(1)) for i in np.flatnonzero(EVENT)]
    return -np.sum(terms, axis=0) / EVENTS


def factor(task):
    """What our loss is multiplied by in that unit: ours of numbers is half the squared error."""
    return 2 if task == "numbers" else 1


def probability(parts):
    """Of gates to be open, (models, rows, gates)."""
    return norm.cdf((parts["mu"].detach().numpy() + 0.5) / 0.5)


GATES = {
    "LSPIN, paper": (LSPIN, lambda open_: open_.sum(2).mean(1), 1),
    "LSPIN, code": (LSPIN, lambda open_: open_.mean((1, 2)), 1 / P),
    "LSPIN, summed": (LSPIN, lambda open_: open_.sum((1, 2)), N),
    "STG, paper": (STG, lambda open_: open_[:, 0].sum(1), 1),
    "STG, package": (STG, lambda open_: open_[:, 0].mean(1), 1 / P),
}


@tasks
@pytest.mark.parametrize("source", GATES)
def test_gates(source, task):
    make, penalty, share = GATES[source]
    net, batch = stirred(make, task)
    eta, parts = net(batch.x)
    theirs = loss(eta, task) + LAM * penalty(probability(parts))
    np.testing.assert_allclose(theirs, factor(task) * ours(net, batch, gates=LAM * share / factor(task)), rtol=1e-10)


def test_stg_package_for_cox_has_lambda_1():
    net, batch = stirred(STG, "Cox")
    eta, parts = net(batch.x)
    theirs = loss(eta, "Cox") + probability(parts)[:, 0].sum(1)
    np.testing.assert_allclose(theirs, ours(net, batch, gates=1.0), rtol=1e-10)


@pytest.mark.parametrize(("kind", "power"), [(STGRegressor, 2), (GradientLassoRegressor, 1)])
def test_regressors_fit_y_in_units_of_its_standard_deviation(kind, power):
    y, lam = 10 + 7 * NUMBER, 20.0
    own = lam / (2 * y.std() ** power)
    model = kind(lam=own, hidden=(4,), epochs=2, standardize=False, random_state=0).fit(X, y)
    net, head = model.net_.double().eval(), Gaussian()
    batch = Batch(torch.from_numpy(X - X.mean(0))[None], head.prepare(Response((y - y.mean()) / y.std())))
    parts = net(batch.x)[1]
    if kind is STGRegressor:
        penalty = probability(parts)[0, 0].sum()
    else:
        penalty = y.std() * np.abs(net.slopes(parts).detach().numpy()).sum(2).mean()
    theirs = np.mean((y - model.predict(X)) ** 2) + lam * penalty
    found = objective(net, head, batch, {net.penalty_names[0]: torch.tensor([own], dtype=torch.float64)})[0].item()
    assert theirs == pytest.approx(2 * y.var() * found, rel=1e-5)


@tasks
@pytest.mark.parametrize(("reduced", "share"), [("mean over rows", 1), ("mean over rows and columns", 1 / P)])
def test_gradient_lasso(reduced, share, task):
    net, batch = stirred(GradientLasso, task, hidden=(4,), act="tanh")
    eta, parts = net(batch.x)
    slopes = np.abs(net.slopes(parts).detach().numpy())
    theirs = loss(eta, task) + LAM * (slopes.sum(2).mean(1) if share == 1 else slopes.mean((1, 2)))
    lam = LAM * share / factor(task)
    np.testing.assert_allclose(theirs, factor(task) * ours(net, batch, gradient=lam), rtol=1e-10)


def optimal(task, coef, intercept, lam):
    """How far a linear LassoNet with these coefficients is from optimal at a lambda in our unit."""
    head = HEADS[task]
    net = LassoNet(P, (), head, M=0).double()
    net.skip.weight.data[0, :, 0] = torch.from_numpy(np.asarray(coef, dtype=float))
    if net.skip.bias is not None:
        net.skip.bias.data.fill_(float(intercept))
    batch = Batch(torch.from_numpy(X)[None], head.prepare(OUTCOMES[task]))
    slope = torch.einsum("bnk,bnp->bpk", head.quadratic(net(batch.x)[0], batch.target).gradient, batch.x)
    return net.violation(slope, slope[..., :0], torch.tensor([lam], dtype=torch.float64)).item()


def test_lasso_of_scikit_learn():
    model = Lasso(alpha=0.3, tol=1e-12).fit(X, NUMBER)
    assert 0 < (model.coef_ != 0).sum() < P
    assert optimal("numbers", model.coef_, model.intercept_, 0.3) < 1e-8


def test_logistic_regression_of_scikit_learn():
    model = LogisticRegression(l1_ratio=1.0, solver="saga", C=0.3, tol=1e-12, max_iter=100_000).fit(X, CLASS)
    assert 0 < (model.coef_ != 0).sum() < P
    assert optimal("classes", model.coef_[0], model.intercept_[0], 1 / (0.3 * N)) < 1e-8


def test_coxnet_and_glmnet():
    y = Surv.from_arrays(EVENT, TIME)
    model = CoxnetSurvivalAnalysis(l1_ratio=1.0, alphas=[0.1], tol=1e-14, max_iter=1_000_000).fit(X, y)
    assert 0 < (model.coef_ != 0).sum() < P
    lam = 0.1 * N / EVENTS
    assert optimal("Cox", model.coef_[:, 0], 0, lam) < 1e-6
    elastic = CoxnetSurvivalAnalysis(l1_ratio=0.5, alphas=[0.1], tol=1e-14, max_iter=1_000_000).fit(X, y)
    same = CoxPH(ties="breslow", penalizer=lam, l1_ratio=0.5, standardize=False).fit(pd.DataFrame(X), (TIME, EVENT))
    np.testing.assert_allclose(same.coef_, elastic.coef_[:, 0], atol=1e-5)


def test_lifelines():
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(P)])
    theirs = CoxPHFitter(penalizer=0.3).fit(table.assign(time=TIME, event=EVENT), "time", "event")
    lam = 0.3 * N / EVENTS * N / (N - 1)  # its variances have n - 1
    same = CoxPH(penalizer=lam, l1_ratio=0.0).fit(table, (TIME, EVENT))
    np.testing.assert_allclose(same.coef_, theirs.params_, rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("lr", [0.02, 0.005])
def test_lassonet_package(momentum, lr):
    """Its step, with M = 0: a gradient step with momentum, then the proximal step for lr * lambda."""
    lam, theta, velocity = 2.0 if momentum else 0.6, np.zeros(P), np.zeros(P)
    x, y = X - X.mean(0), NUMBER - NUMBER.mean()
    for _ in range(20_000):
        velocity = momentum * velocity + 2 * x.T @ (x @ theta - y) / N
        theta = theta - lr * velocity
        theta = np.sign(theta) * np.maximum(np.abs(theta) - lr * lam, 0)
    assert 0 < (theta != 0).sum() < P
    assert optimal("numbers", theta, NUMBER.mean() - X.mean(0) @ theta, lam * (1 - momentum) / 2) < 1e-8


@pytest.mark.parametrize("delta", [1.0, 0.5])
def test_nimo(delta):
    ridge, mu, beta = 0.8, 0.05, 1.7
    theirs = minimize_scalar(
        lambda log: ridge * (beta / np.exp(log)) ** 2 + mu * np.exp(2 * delta * log), tol=1e-12
    ).fun / (2 * N)
    lasso = (1 + delta) / (2 * N) * mu ** (1 / (1 + delta)) * (ridge / delta) ** (delta / (1 + delta))
    if delta == 1:
        assert lasso == pytest.approx(np.sqrt(ridge * mu) / N)
    net = NIMO(P, (4,), Gaussian(), delta=delta, exponent=1.0).double()
    batch = Batch(torch.from_numpy(X)[None], Gaussian().prepare(OUTCOMES["numbers"]))
    with torch.no_grad():
        net.c.zero_()
        c = beta ** (1 / (1 + delta))  # of all products beta the one with the least penalty
        net.c[0, 0], net.gamma[0, 0] = c, beta / c
    parts = net.train()(batch.x)[1]
    penalties = net.penalties(parts, batch)
    assert theirs == pytest.approx(lasso * penalties["lasso"].item(), rel=1e-6)
    columns = net.first.weight.detach().norm(dim=-1).sum()
    assert penalties["group"].item() == pytest.approx(float(columns), abs=1e-4)


def test_contextual_lasso():
    """Its projection of all n * p coefficients onto the l1 ball of radius n * lambda."""
    net, batch = stirred(ContextualLasso, "numbers", budget=0.8)
    net.budget = 1e9
    free = net.train()(batch.x)[1]["coef"].detach().numpy()[..., 0]
    net.budget = 0.8
    found = net(batch.x)[1]["coef"].detach().numpy()[..., 0]
    for b in range(MODELS):
        size = np.sort(np.abs(free[b]).ravel())[::-1]
        excess = (size.cumsum() - N * 0.8) / np.arange(1, size.size + 1)
        threshold = excess[np.flatnonzero(size > excess)[-1]]
        projected = np.sign(free[b]) * np.maximum(np.abs(free[b]) - threshold, 0)
        np.testing.assert_allclose(found[b], projected, atol=1e-10)
    np.testing.assert_allclose(np.abs(found).sum(2).mean(1), 0.8)


def test_every_row_of_the_page_names_its_test():
    page = (Path(__file__).parents[1] / "docs" / "lambda.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    here = {name for name in globals() if name.startswith("test_")} - {"test_every_row_of_the_page_names_its_test"}
    assert named == here
