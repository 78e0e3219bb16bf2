"""The contract checks notice what they are there for: each class here breaks one promise."""

import pytest
import torch

from survlspin.heads import Cox
from survlspin.nets import LLSPIN, LSPIN, Dense
from survlspin.testing import check_head, check_net, cohort
from survlspin.testing.common import require, require_close


class WrongGradient(Cox):
    def nll(self, eta, target):
        return super().nll(eta, target) + 0.01 * (eta - eta.detach()).sum((1, 2))


class WithoutTotal(Cox):
    def nll(self, eta, target):
        return super().nll(eta, target) * target.total.repeat_interleave(len(eta) // len(target.total))


class NotFree(Cox):
    free_intercept = False


class Overflowing(Cox):
    def nll(self, eta, target):
        return super().nll(eta, target) + 0 * eta.exp().sum((1, 2))


class CountsAll(Cox):
    def nll(self, eta, target):
        return super().nll(eta, target) + 0.1 * (eta - eta.mean(1, keepdim=True)).square().mean((1, 2))


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        (WrongGradient(), "the gradient: the largest deviation"),
        (WithoutTotal(), "the sum of the contributions"),
        (NotFree(), "free_intercept is False"),
        (Overflowing(), "float32"),
        (CountsAll(), "the sum of the contributions"),
    ],
)
def test_a_head_that_breaks_a_promise(head, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_head(head, cohort())


class OnePenalty(LSPIN):
    def penalties(self, parts, batch):
        return {name: value.sum() for name, value in super().penalties(parts, batch).items()}


class IgnoresWeights(LSPIN):
    def penalties(self, parts, batch):
        return {"gates": parts["gate"].mean((1, 2))}


class Neighbours(Dense):
    def forward(self, x, noise=None, weight=None):
        eta, parts = super().forward(x, noise, weight)
        return eta + 0.1 * eta.mean(0, keepdim=True), parts


class Order(Dense):
    def forward(self, x, noise=None, weight=None):
        eta, parts = super().forward(x, noise, weight)
        return eta.cumsum(1), parts


class NoisyAlways(LSPIN):
    def forward(self, x, noise=None, weight=None):
        eta, parts = super().forward(x, noise, weight)
        return eta if self.training else eta + 1e-6 * torch.randn_like(eta), parts


class WrongCoefficient(LLSPIN):
    def forward(self, x, noise=None, weight=None):
        eta, parts = super().forward(x, noise, weight)
        return eta if self.training else eta + 0.1, parts


class SelectsAll(LLSPIN):
    def selected(self, parts):
        return torch.ones_like(parts["gate"], dtype=torch.bool)


class BendsAtFirst(LSPIN):
    def begin(self, x, gate):
        return super().begin(x, gate).relu()


class FinishesElsewhere(LSPIN):
    def finish(self, h):
        return super().finish(h) + 0.1


class SharedDraws(Dense):
    def initialize(self, generators):
        return super().initialize([generators[0]] * len(generators))


class DetachedGates(LSPIN):
    def _output(self, x, weight, parts):
        return super()._output(x, weight, {**parts, "input": parts["input"].detach()})


@pytest.mark.parametrize(
    ("net", "complaint"),
    [
        (OnePenalty, "has shape"),
        (IgnoresWeights, "rows beside rows of weight 0"),
        (Neighbours, r"models \[0\] by themselves"),
        (Order, "rows in another order"),
        (NoisyAlways, "the output"),
        (WrongCoefficient, "sum coef"),
        (SelectsAll, "selected is not where"),
        (BendsAtFirst, "begin, of the middle"),
        (FinishesElsewhere, "finish of begin"),
        (SharedDraws, "depends on the others"),
        (DetachedGates, "the gradient by gating"),
    ],
)
def test_a_net_that_breaks_a_promise(net, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_net(lambda models: net(5, models=models), Cox())


def test_demands_fail_in_plain_words():
    require(True, "")
    require_close("x", [1.0], [1.0 + 1e-12])
    for found, expected, words in [
        ([1.0], [2.0], "deviation is 1"),
        ([1.0], [1.0, 2.0], "shape"),
        ([float("nan")], [1.0], "nan"),
    ]:
        with pytest.raises(AssertionError, match=words):
            require_close("x", found, expected)
