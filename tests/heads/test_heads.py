import math

import numpy as np
import pytest
import torch
from heads.cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from survlspin.heads import Bernoulli, Gaussian, Multinomial
from survlspin.heads.glm import RowQuadratic, RowTarget
from survlspin.response import Response
from survlspin.testing import check_head, classes, numbers


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CASES)
def test_contract(name, seed):
    check_head(*CASES[name](), seed)


@st.composite
def responses(draw):
    """A head with a few rows for it: constant or not, with weights (perhaps all 0) or without."""
    n, k = draw(st.integers(1, 9)), draw(st.integers(2, 4))
    head, shape, element = draw(
        st.sampled_from(
            [
                (Gaussian(), (n,), st.floats(-9, 9)),
                (Gaussian(k), (n, k), st.floats(-9, 9)),
                (Bernoulli(), (n,), st.integers(0, 1)),
                (Multinomial(k), (n,), st.integers(0, k - 1)),
            ]
        )
    )
    size = math.prod(shape)
    value = np.array(draw(st.lists(element, min_size=size, max_size=size))).reshape(shape)
    weight = draw(st.none() | st.lists(st.integers(0, 2), min_size=n, max_size=n))
    return head, Response(value, None if weight is None else np.array(weight, dtype=float))


@settings(max_examples=25, deadline=None)
@given(responses(), st.integers(0, 99))
def test_contract_with_few_rows(case, seed):
    check_head(*case, seed)


# ---- the check notices: each class here breaks one promise ----


class InputMajor(Multinomial):
    def quadratic(self, eta, target):
        class Permuted(RowQuadratic):
            def sandwich(self, z):
                models, k, p = len(z), self.curvature.shape[-1], z.shape[-1]
                blocks = super().sandwich(z).view(models, k, p, k, p)
                return blocks.permute(0, 2, 1, 4, 3).reshape(models, k * p, k * p)

        return Permuted(*vars(super().quadratic(eta, target)).values())


class Bound(Bernoulli):
    def _curvature(self, eta):
        return torch.full_like(eta, 0.25)[..., None]


class DiagonalOnly(Multinomial):
    def _curvature(self, eta):
        return torch.diag_embed(super()._curvature(eta).diagonal(dim1=-2, dim2=-1))


class Single(Gaussian):
    def quadratic(self, eta, target):
        exact = super().quadratic(eta, target)
        return RowQuadratic(exact.gradient.to(eta.dtype), exact.curvature)


class Unweighted(Gaussian):
    def quadratic(self, eta, target):
        every = torch.ones_like(target.weight) * (target.total > 0)[:, None]
        return super().quadratic(eta, RowTarget(target.value, every))


class NeverSilent(Gaussian):
    def quadratic(self, eta, target):
        exact = super().quadratic(eta, target)
        return RowQuadratic(exact.gradient + 1e-14, exact.curvature)


class Free(Multinomial):
    free_intercept = True


class Compared(Gaussian):
    def score(self, eta):
        return (eta - eta.mean(1, keepdim=True)).sum(-1)


class AllOutputs(Gaussian):
    def score(self, eta):
        return eta


class OverflowingScore(Bernoulli):
    def score(self, eta):
        return (eta.exp().log1p() - eta / 2)[..., 0]


class Reversed(Gaussian):
    def prepare(self, outcome):
        target = super().prepare(outcome)

        class Target(RowTarget):
            def take(self, index, valid=None):
                return Target(*(getattr(super(Target, self).take(index, valid), name) for name in ("value", "weight")))

            def to(self, device):
                return self

            def split(self, parts):
                return reversed(list(super().split(parts)))

        return Target(target.value, target.weight)


@pytest.mark.parametrize(
    ("head", "response", "complaint"),
    [
        (InputMajor(3), classes(3), "the sandwich of all rows"),
        (Bound(), classes(), "the sandwich of all rows"),
        (DiagonalOnly(3), classes(3), "the sandwich of all rows"),
        (Single(), numbers(), "not in float64"),
        (Unweighted(), numbers(), "the quadratic's gradient of all rows"),
        (NeverSilent(), numbers(), "the quadratic is not exactly 0"),
        (Free(3), classes(3), "after adding a constant to one output"),
        (Compared(), numbers(), "the score of a row alone"),
        (AllOutputs(), numbers(), "not one number per row"),
        (OverflowingScore(), classes(), "the score of outputs of 100 in float32"),
        (Reversed(), numbers(), "of a part"),
    ],
)
def test_a_head_that_breaks_a_promise(head, response, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_head(head, response)
