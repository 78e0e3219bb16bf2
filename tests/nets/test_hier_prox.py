"""The hierarchical proximal operator against brute force and against the package lassonet."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from survlspin.errors import InputError
from survlspin.nets.hier_prox import gather_groups, group_layout, hier_prox, scatter_groups
from survlspin.nets.layers import group_codes

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lassonet_prox.json").read_text())


def value(b, w, theta, weight, lam):
    return ((b - theta) ** 2).sum() / 2 + ((w - weight) ** 2).sum() / 2 + lam * np.linalg.norm(b)


def least(theta, weight, lam, m):
    """The minimum over |b| = t by search; given t, b has theta's direction and w is weight clipped at m t."""

    def at(t):
        clipped = np.clip(weight, -m * t, m * t)
        return (t - np.linalg.norm(theta)) ** 2 / 2 + ((clipped - weight) ** 2).sum() / 2 + lam * t

    top = np.linalg.norm(theta) + m * np.abs(weight).sum() + 1e-9
    found = minimize_scalar(at, bounds=(0, top), method="bounded", options={"xatol": 1e-12})
    return min(found.fun, at(0.0))


def drawn(seed):
    """A case: one output or several, hidden units or none, M from 0 to 30, theta sometimes 0."""
    rng = np.random.default_rng(seed)
    a, h = rng.integers(1, 5), rng.integers(0, 9)
    theta, weight = rng.normal(size=a) * rng.choice([0, 0.1, 1], p=[0.1, 0.2, 0.7]), rng.normal(size=h)
    return theta, weight * rng.choice([0.01, 0.3, 3]), 3 * rng.random(), rng.choice([0, 0.1, 1, 10, 30])


@pytest.mark.parametrize("part", range(4))
def test_no_search_finds_less(part):
    for seed in range(250 * part, 250 * (part + 1)):
        theta, weight, lam, m = drawn(seed)
        b, w = (v.numpy() for v in hier_prox(torch.from_numpy(theta), torch.from_numpy(weight), lam, m))
        assert np.abs(w).max(initial=0) <= m * np.linalg.norm(b) * (1 + 1e-12)
        best = least(theta, weight, lam, m)
        assert abs(value(b, w, theta, weight, lam) - best) <= 1e-9 * (1 + best)


def test_no_feasible_point_nearby_is_better():
    rng = np.random.default_rng(0)
    for seed in range(50):
        theta, weight, lam, m = drawn(seed)
        b, w = (v.numpy() for v in hier_prox(torch.from_numpy(theta), torch.from_numpy(weight), lam, m))
        best = value(b, w, theta, weight, lam)
        for scale in (1e-4, 1e-2, 1.0):
            other = b + scale * rng.normal(size=b.shape)
            bound = m * np.linalg.norm(other)
            around = np.clip(w + scale * rng.normal(size=w.shape), -bound, bound)
            assert value(other, around, theta, weight, lam) >= best - 1e-12


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_lassonet_finds_the_same(case):
    theta, weight, b, w = (torch.tensor(case[name], dtype=torch.float64) for name in ("theta", "weight", "b", "w"))
    ours = hier_prox(theta, weight, case["lam"], case["M"])
    torch.testing.assert_close(ours[0], b, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(ours[1], w, rtol=1e-9, atol=1e-12)


def test_columns_and_models_are_independent_and_have_their_own_lambda():
    generator = torch.Generator().manual_seed(0)
    theta, weight = (torch.randn(3, 4, width, generator=generator) for width in (2, 7))
    lam = torch.rand(3, 4, 1, generator=generator)
    b, w = hier_prox(theta, weight, lam, 2.0)
    for model in range(3):
        for column in range(4):
            alone = hier_prox(theta[model, column], weight[model, column], lam[model, column], 2.0)
            torch.testing.assert_close((b[model, column], w[model, column]), alone)


def test_groups_are_one_vector_each_and_padding_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    theta, weight = (torch.randn(2, 6, width, generator=generator) for width in (3, 5))
    code = group_codes([2, 0, 1, 0, 0, 2], 6)
    index, place = group_layout(code)
    found = hier_prox(gather_groups(theta, index), gather_groups(weight, index), 1.5, 0.7)
    b, w = scatter_groups(found[0], place, 3), scatter_groups(found[1], place, 5)
    for group in range(3):
        mine = code == group
        alone = hier_prox(theta[:, mine].flatten(1), weight[:, mine].flatten(1), 1.5, 0.7)
        torch.testing.assert_close(b[:, mine].flatten(1), alone[0])
        torch.testing.assert_close(w[:, mine].flatten(1), alone[1])


def test_without_weights_or_with_m_0_it_is_the_soft_threshold():
    theta = torch.tensor([[3.0], [-0.5], [-2.0]])
    expected = torch.tensor([[2.0], [0.0], [-1.0]])
    for b, w in (hier_prox(theta, torch.zeros(3, 0), 1.0, 10.0), hier_prox(theta, torch.ones(3, 4), 1.0, 0.0)):
        torch.testing.assert_close(b, expected)
        assert not w.any()


def test_lambda_0_is_the_nearest_point_that_keeps_the_bound():
    theta, weight = torch.tensor([1.0]), torch.tensor([0.5, -0.9])
    assert torch.equal(torch.cat(hier_prox(theta, weight, 0.0, 1.0)), torch.tensor([1.0, 0.5, -0.9]))
    b, w = hier_prox(theta, 4 * weight, 0.0, 1.0)
    torch.testing.assert_close(b, torch.tensor([2.3]))  # (1 + 3.6) / (1 + 1)
    torch.testing.assert_close(w, torch.tensor([2.0, -2.3]))


def test_groups_by_number_or_by_their_columns():
    assert group_codes([7, 3, 7, 3], 4).tolist() == group_codes([[1, 3], [0, 2]], 4).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("SL-422", [0, 1, 1]),
        ("SL-422", [0, 1, 1, 2, 2]),
        ("SL-422", [[0, 1], [3]]),
        ("SL-423", [[0, 1], [1, 2, 3]]),
        ("SL-423", [[0, 1, 2], [3, 4]]),
        ("SL-423", [[0, 1, 2, 3], [-1]]),
    ],
)
def test_groups_that_are_not_a_partition_are_refused(code, group):
    with pytest.raises(InputError, match=code):
        group_codes(group, 4)
