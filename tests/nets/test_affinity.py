"""Kernels against their definitions, and the penalties on pairs of rows against sums over all pairs."""

import numpy as np
import pytest
import torch

from survlspin.errors import InputError
from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.nets import LSPIN
from survlspin.nets.affinity import RBF, Nearest, SameLabel, make_affinity, pair_penalties
from survlspin.response import Response
from survlspin.testing import cohort
from survlspin.train.step import Batch

M, P, G = 9, 3, 4
EXACT = {"rtol": 1e-12, "atol": 1e-14}


def draws(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def kernel(affinity, x, absent=(), label=None):
    present = torch.ones(1, len(x), dtype=torch.bool)
    present[0, list(absent)] = False
    return affinity.kernel(x[None], label, present)[0]


def brute_force(k, z, weight):
    """The two penalties by loops over all pairs of rows."""
    near = apart = mass = 0.0
    for i in range(len(z)):
        for j in range(len(z)):
            pair = float(weight[i] * weight[j])
            difference = float(((z[i] - z[j]) ** 2).sum())
            near += pair * float(k[i, j]) * difference
            apart -= pair * (1 - float(k[i, j])) * difference
            mass += pair
    return near / mass, apart / mass


AFFINITIES = {
    "rbf": RBF(),
    "rbf 1.3": RBF(1.3, columns=[0, 2]),
    "knn": Nearest(2),
    "label": SameLabel(),
    "label columns": SameLabel(columns=[1]),
}


@pytest.mark.parametrize("name", AFFINITIES)
def test_penalties_are_sums_over_all_pairs(name):
    x, z, weight = draws(1, M, P).round(), draws(2, M, G, seed=1), torch.arange(M).double()[None]
    label = (torch.arange(M) % 3).view(1, M, 1)
    k = AFFINITIES[name].kernel(x, label, weight > 0)
    found = pair_penalties(AFFINITIES[name], z, x, weight, label)
    expected = torch.tensor([brute_force(k[0], own, weight[0]) for own in z], dtype=torch.float64).T
    torch.testing.assert_close(torch.stack(found), expected, **EXACT)
    assert (found[0] > 0).all()
    assert (found[1] < 0).all()


def test_with_one_hot_labels_they_are_the_similarity_terms_of_the_reference():
    """Mean over all pairs of K D and of (1 - K)(-D), with K = 1 - |y_i - y_j|^2 / 2 on one-hot labels."""
    code = torch.arange(M) % 3
    one_hot, z = torch.eye(3, dtype=torch.float64)[code], draws(1, M, G).sigmoid()
    similarity = 1 - ((one_hot[:, None] - one_hot) ** 2).sum(-1) / 2
    distance = ((z[0][:, None] - z[0]) ** 2).sum(-1)
    weight, label = torch.ones(1, M, dtype=torch.float64), code.view(1, M, 1)
    near, apart = pair_penalties(SameLabel(), z, draws(1, M, P), weight, label)
    torch.testing.assert_close(near[0], (similarity * distance).mean(), **EXACT)
    torch.testing.assert_close(apart[0], ((1 - similarity) * -distance).mean(), **EXACT)


def test_rbf_is_a_gaussian_of_the_distance():
    x = draws(M, P)
    distance = torch.cdist(x, x)
    torch.testing.assert_close(kernel(RBF(0.7), x), torch.exp(-(distance**2) / (2 * 0.7**2)), rtol=1e-12, atol=1e-13)
    above = distance[torch.triu(torch.ones(M, M, dtype=torch.bool), 1)]  # 36 distances
    expected = torch.exp(-(distance**2) / (2 * above.sort().values[17] ** 2))
    torch.testing.assert_close(kernel(RBF(), x), expected, rtol=1e-10, atol=1e-13)


def test_absent_rows_do_not_move_the_median():
    x = draws(M, P)
    far = torch.cat([x, 50 + draws(4, P, seed=1)])
    found = kernel(RBF(), far, absent=range(M, M + 4))[:M, :M]
    torch.testing.assert_close(found, kernel(RBF(), x), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("absent", [(), range(1, 5), range(5)])
def test_rows_that_are_all_one_are_all_alike(absent):
    assert (kernel(RBF(), torch.ones(5, P).double(), absent) == 1).all()


def test_nearest_joins_rows_of_which_one_is_near_the_other():
    x = torch.tensor([[0.0], [1.0], [3.0], [6.0], [50.0]]).double()
    expected = torch.eye(5, dtype=torch.bool)
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 4)):
        expected[i, j] = expected[j, i] = True
    found = kernel(Nearest(1), x).bool() | torch.eye(5, dtype=torch.bool)
    assert torch.equal(found, expected)
    assert kernel(Nearest(1), x, absent=[3])[2, 4] == 1  # of those present, row 2 is nearest to row 4
    assert kernel(Nearest(9), x).bool()[~torch.eye(5, dtype=torch.bool)].all()


def test_equally_near_rows_are_all_neighbours():
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [0.0, 0.0], [30.0, 30.0]]).double()
    assert kernel(Nearest(1), x)[3].tolist()[:3] == [1, 1, 1]


def test_a_row_has_the_label_that_the_columns_say():
    x = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 1.0], [1.0, 1.0]]).double()
    assert kernel(SameLabel(columns=[0, 1]), x)[0].tolist() == [1, 0, 1, 0]
    assert kernel(SameLabel(columns=[0]), x)[0].tolist() == [1, 1, 1, 0]
    assert kernel(SameLabel(), x, label=torch.tensor([3, 3, 1, 1]).view(1, 4, 1))[0].tolist() == [1, 1, 0, 0]


def test_affinities_by_name_differ():
    x, label = draws(M, P), (torch.arange(M) % 2).view(1, M, 1)
    kernels = [kernel(make_affinity(name), x, label=label) for name in ("rbf", "label")]
    kernels.append(kernel(make_affinity("knn", neighbors=2), x))
    for i, one in enumerate(kernels):
        for other in kernels[:i]:
            assert (one - other).abs().max() > 0.1
    assert make_affinity(None) is None
    assert make_affinity("rbf", bandwidth=2.0).bandwidth == 2.0


def test_a_long_batch_is_a_row_of_blocks(monkeypatch):
    monkeypatch.setattr("survlspin.nets.affinity.PAIRED", 4)
    x, z, weight = draws(1, M, P), draws(1, M, G, seed=1), torch.arange(1, M + 1).double()[None]
    found, sums, mass = pair_penalties(RBF(1.0), z, x, weight), np.zeros(2), 0.0
    for rows in (slice(0, 4), slice(4, 8), slice(8, 12)):
        own = weight[0, rows]
        sums += np.array(brute_force(kernel(RBF(1.0), x[0, rows]), z[0, rows], own)) * float(own.sum()) ** 2
        mass += float(own.sum()) ** 2
    np.testing.assert_allclose(torch.cat(found).numpy(), sums / mass, rtol=1e-12)


def test_large_passes_hold_no_matrix_of_all_pairs():
    n = 60_000
    found = pair_penalties(RBF(1.0), torch.rand(1, n, 3), torch.randn(1, n, 2), torch.ones(1, n).double())
    assert torch.isfinite(torch.stack(found)).all()


def test_rows_that_all_have_weight_0_have_no_penalty():
    found = pair_penalties(RBF(), draws(1, M, G), draws(1, M, P), torch.zeros(1, M).double())
    assert not torch.stack(found).any()


def test_whole_weights_are_repetition():
    x, z, weight = draws(M, P), draws(M, G, seed=1), np.arange(M) % 3
    for affinity in (RBF(1.0), SameLabel(columns=[0])):
        weighted = pair_penalties(affinity, z[None], x[None], torch.from_numpy(weight).double()[None])
        often = np.repeat(np.arange(M), weight)
        repeated = pair_penalties(affinity, z[often][None], x[often][None], torch.ones(1, len(often)).double())
        torch.testing.assert_close(torch.stack(weighted), torch.stack(repeated), **EXACT)


def test_float32_differences_of_like_gates_keep_their_digits():
    z = 0.7 + 1e-4 * draws(1, 200, G)
    x, weight = draws(1, 200, P), torch.ones(1, 200).double()
    found, exact = (
        torch.stack(pair_penalties(RBF(1.0), z.to(t), x.to(t), weight)) for t in (torch.float, torch.double)
    )
    torch.testing.assert_close(found.double(), exact, rtol=2e-3, atol=0)


@pytest.mark.parametrize(
    ("head", "response", "same"),
    [(Bernoulli(), [0, 1, 0], True), (Multinomial(3), [2, 1, 2], True), (Bernoulli(), [0, 0, 1], False)],
)
def test_the_label_of_a_classification_is_the_class(head, response, same):
    net = LSPIN(P, head=head, affinity="label").double()
    target = head.prepare(Response(np.array(response)))
    z = torch.tensor([[0.0] * P, [1.0] * P, [0.0] * P]).double()
    stability = net.penalties({"mu": z[None] - 0.5, "z": z[None]}, Batch(torch.zeros(1, 3, P).double(), target))
    assert bool(stability["stability"] < 1e-12) is same


@pytest.mark.parametrize("head", [Cox(), Gaussian()])
def test_an_outcome_without_classes_has_no_label(head):
    net = LSPIN(P, head=head, affinity="label").double()
    n = len(cohort())
    target = head.prepare(cohort() if isinstance(head, Cox) else Response(np.zeros(n)))
    batch = Batch(draws(1, n, P), target)
    with pytest.raises(InputError, match="SL-435"):
        net.penalties(net(batch.x)[1], batch)


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("SL-433", lambda: LSPIN(P, affinity="gaussian")),
        ("SL-433", lambda: make_affinity(3)),
        ("SL-434", lambda: RBF(0.0)),
        ("SL-434", lambda: RBF(float("nan"))),
        ("SL-434", lambda: Nearest(0)),
        ("SL-434", lambda: Nearest(2.5)),
        ("SL-434", lambda: SameLabel(columns=[])),
        ("SL-434", lambda: RBF(columns=[-1])),
        ("SL-434", lambda: LSPIN(P, affinity=RBF(columns=[P]))),
    ],
)
def test_affinities_that_make_no_sense_are_refused(code, make):
    with pytest.raises(InputError, match=code):
        make()
