"""The contextual lasso: its projection by bisection, its budget, its contract for all kinds of heads, what it finds."""

import numpy as np
import pytest
import torch

from survlspin.errors import InputError
from survlspin.heads import Cox, Gaussian, Multinomial
from survlspin.nets import ContextualLasso
from survlspin.nets.contextual import _threshold
from survlspin.response import Response
from survlspin.testing import check_net, classes, cohort, numbers
from survlspin.train import Data, Settings, fit
from survlspin.train.fit import seeded

P = 5
HEADS = {"cox": (Cox(), cohort()), "numbers": (Gaussian(2), numbers(2)), "classes": (Multinomial(3), classes(3))}


@pytest.mark.parametrize("budget", [0.4, 1.5, 1e3])
@pytest.mark.parametrize("kind", HEADS)
def test_contract(kind, budget):
    head, outcome = HEADS[kind]
    check_net(
        lambda models: ContextualLasso(P, (4,), head, budget=budget, context=[0, 2], models=models), head, outcome
    )


def sizes(seed=0, n=40, k=2):
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy(rng.integers(0, 4, (3, n)).astype(float))
    return torch.from_numpy(rng.exponential(size=(3, n, P, k))), weight / weight.sum(1, keepdim=True)


def mean_sum(size, share, threshold):
    return (share[..., None, None] * (size - threshold).clamp(min=0)).sum((1, 2, 3))


@pytest.mark.parametrize("budget", [1e-3, 0.7, 6.0])
def test_the_threshold_leaves_the_budget(budget):
    size, share = sizes()
    threshold = _threshold(size, share, budget)
    torch.testing.assert_close(
        mean_sum(size, share, threshold), torch.full((3,), budget, dtype=torch.float64), rtol=1e-10, atol=1e-12
    )
    low, high = torch.zeros_like(threshold), size.amax((1, 2, 3), keepdim=True)
    for _ in range(100):  # bisection
        middle = (low + high) / 2
        above = mean_sum(size, share, middle).view_as(middle) > budget
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    torch.testing.assert_close(threshold, low, rtol=1e-9, atol=1e-12)


def test_what_is_within_the_budget_stays():
    size, share = sizes()
    assert not _threshold(size, share, 1e3).any()


def test_whole_weights_are_repetition():
    size, _ = sizes()
    often = torch.arange(40) % 3
    repeated = size.repeat_interleave(often, 1)
    equal = torch.full(repeated.shape[:2], 1 / repeated.shape[1], dtype=torch.float64)
    share = (often.double() / often.sum()).expand(3, -1)
    torch.testing.assert_close(_threshold(size, share, 1.0), _threshold(repeated, equal, 1.0), rtol=1e-12, atol=0)


def trained(budget, epochs=150):
    """Numbers whose slope depends on the side of the first column: column 1 on one side, column 2 on the other."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, P))
    y = np.where(x[:, 0] > 0, 2 * x[:, 1], -2 * x[:, 2])
    head, rows = Gaussian(), np.arange(400)
    data = Data(torch.from_numpy(x), head.prepare(Response(y)))
    net = ContextualLasso(P, (16,), head, budget=budget, context=[0]).double().initialize(seeded([0]))
    settings = Settings(epochs=epochs, batch_size=100, lr=0.02)
    fit(net, head, data, [rows], {}, seeded([0]), settings, data, [np.arange(400, 500)])
    return net.eval(), data.x, torch.from_numpy(y)


def test_the_mean_over_training_rows_is_the_budget_and_zeros_are_exact():
    net, x, y = trained(1.9)
    eta, parts = net(x)
    coef = parts["coef"][0, :, :, 0].detach()
    torch.testing.assert_close(
        coef[:400].abs().sum(1).mean(), torch.tensor(1.9, dtype=torch.float64), rtol=1e-9, atol=0
    )
    away = x[400:, 0].abs() > 0.3
    truth = torch.zeros(200, P, dtype=torch.bool)
    truth[:, 1], truth[:, 2] = x[400:, 0] > 0, x[400:, 0] <= 0
    chosen = net.selected(parts)[0, 400:]
    assert (chosen == truth)[away].double().mean() > 0.9
    assert bool((coef[400:][~chosen] == 0).all())
    assert ((eta[0, 400:, 0] - y[400:])[away] ** 2).mean() < 0.1 * y.var()


def test_a_smaller_budget_chooses_less():
    counts = []
    for budget in (1e-3, 0.5, 8.0):
        net, x, _ = trained(budget, epochs=40)
        counts.append(float(net.selected(net(x)[1]).double().sum(-1).mean()))
    assert 0 < counts[0] < counts[1] < counts[2]


def test_the_context_alone_decides_on_coefficients():
    net, x, _ = trained(1.9, epochs=5)
    other = torch.randn_like(x)
    other[:, 0] = x[:, 0]
    assert torch.equal(net(x)[1]["coef"], net(other)[1]["coef"])


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_that_makes_no_sense_is_refused(budget):
    with pytest.raises(InputError, match="SL-437"):
        ContextualLasso(P, budget=budget)
