from itertools import permutations

import numpy as np
import pytest

from survlspin.factors import shapley
from survlspin.factors.shapley import MOST


def by_orders(worth, players):
    """Shapley values as they are defined: what a player adds when it enters, the mean over all orders of entry."""
    shares, orders = dict.fromkeys(players, 0.0), list(permutations(players))
    for order in orders:
        for place, player in enumerate(order):
            shares[player] += (worth(set(order[: place + 1])) - worth(set(order[:place]))) / len(orders)
    return shares


def test_values_are_those_of_all_orders():
    rng = np.random.default_rng(0)
    n, G = 10, 7
    plays = rng.random((n, G)) < 0.5
    a, b = rng.normal(size=(n, G)), rng.normal(size=(n, G, G))

    def of_one(row, keep):
        return np.tanh((keep * a[row]).sum()) + keep @ b[row] @ keep

    def value(rows, players, inside):
        keep = np.zeros((len(rows), len(inside), G))
        np.put_along_axis(keep, players[:, None], inside[None], axis=2)
        return np.array([[of_one(row, one) for one in own] for row, own in zip(rows, keep, strict=True)])

    found = shapley(value, plays)
    for row in range(n):

        def worth(inside, row=row):
            return of_one(row, np.isin(np.arange(G), list(inside)) * 1.0)

        expected = by_orders(worth, np.flatnonzero(plays[row]).tolist())
        np.testing.assert_allclose(found[row], [expected.get(g, 0.0) for g in range(G)], atol=1e-12)


def test_ten_players_are_exact_and_eleven_are_not_tried():
    plays = np.arange(13) < np.array([[MOST], [MOST + 1], [0]])
    asked = []

    def value(rows, players, inside):
        asked.append(rows)
        return inside.all(axis=1) + players @ inside.T

    shares = shapley(value, plays)
    np.testing.assert_allclose(shares[0, :MOST], np.arange(MOST) + 0.1)
    np.testing.assert_array_equal(np.isnan(shares[1]), plays[1])
    np.testing.assert_array_equal(shares[2], 0)
    assert np.concatenate(asked).tolist() == [0]


@pytest.mark.parametrize("n", [0, 1])
def test_no_players_and_no_rows(n):
    np.testing.assert_array_equal(shapley(lambda *_: 1 / 0, np.zeros((n, 3), bool)), np.zeros((n, 3)))
