import numpy as np
import pytest
import torch
from nets.cases import P
from scipy.stats import norm

from survlspin.errors import InputError
from survlspin.heads import Cox
from survlspin.nets import STG
from survlspin.outcome import Outcome
from survlspin.train import Batch, Data, Settings, fit
from survlspin.train.fit import penalty_weights, seeded

TRUE = [3, 11, 20, 33, 47]
COLUMNS = 50


def rows(n=20):
    return torch.randn(n, P, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def stirred(*args, models=2, **options):
    net = STG(P, *args, models=models, **options).double().initialize(seeded(range(models)))
    net.mu.data = torch.linspace(-2, 2, net.mu.numel(), dtype=torch.float64).view(net.mu.shape)
    return net.eval()


def test_every_row_has_the_same_gates_and_they_are_not_bounded_by_tanh():
    net = stirred()
    gate = net(rows())[1]["gate"]
    assert torch.equal(gate, gate[:, :1].expand_as(gate))
    torch.testing.assert_close(gate[:, 0], (net.mu[:, 0] + 0.5).clamp(0, 1), rtol=0, atol=0)
    assert (STG(P)(rows().float())[1]["gate"] == 0.5).all()  # at the start


def test_noise_moves_each_rows_gates_by_sigma():
    noise = torch.linspace(-3, 3, 10 * P, dtype=torch.float64).view(1, 10, P)
    gate = STG(P, sigma=0.25).double()(rows(10), noise)[1]["gate"]
    torch.testing.assert_close(gate, (0.5 + 0.25 * noise).clamp(0, 1), rtol=1e-14, atol=0)


def test_the_penalty_is_the_expected_number_of_open_gates():
    net = stirred(sigma=0.4, group=[0, 0, 1, 1, 2, 3])
    batch = Batch(rows()[None], Cox().prepare(Outcome(np.arange(1.0, 21), np.ones(20, int))))
    found = net.penalties(net(batch.x)[1], batch)["gates"]
    mu = net.mu[:, 0].detach().numpy()
    np.testing.assert_allclose(found.detach().numpy(), norm.cdf((mu + 0.5) / 0.4).sum(1), rtol=1e-12)
    noise = torch.randn(2, 20_000, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gate = net(torch.zeros(20_000, P, dtype=torch.float64), noise)[1]["gate"]
    number = (gate[..., [0, 2, 4, 5]] > 0).double().sum(2)  # one column of each group
    assert ((number.mean(1) - found).abs() < 4 * number.std(1) / len(number[0]) ** 0.5).all()


def test_a_group_has_one_gate():
    net = stirred(group=[0, 1, 1, 2, 0, 2])
    gate = net(rows())[1]["gate"]
    assert net.n_gates == 3
    for i, j in ((0, 4), (1, 2), (3, 5)):
        assert torch.equal(gate[..., i], gate[..., j])


def test_only_the_linear_net_has_coefficients():
    assert "coef" not in stirred((4,))(rows())[1]
    net = stirred(())
    coef = net(rows())[1]["coef"]
    gate = (net.mu[:, 0] + 0.5).clamp(0, 1)
    torch.testing.assert_close(coef[:, 0, :, 0], gate * net.predictor.affine[0].weight[..., 0], rtol=1e-13, atol=0)


def test_activations_differ():
    eta = [stirred(act=act).predict(3 * rows()) for act in ("tanh", "relu", "leaky_relu", "silu")]
    for i, one in enumerate(eta):
        for other in eta[:i]:
            assert (one - other).abs().max() > 1e-4


def test_noise_needs_a_spread():
    with pytest.raises(InputError, match="SL-403"):
        STG(P, sigma=0.0)


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_stg_cox_finds_the_true_columns_and_fewer_the_larger_lambda(hidden):
    rng = np.random.default_rng(0)
    x, beta = rng.normal(size=(600, COLUMNS)), np.zeros(COLUMNS)
    beta[TRUE] = [1, -1, 0.8, -0.8, 0.6]
    time, censored = rng.exponential(np.exp(-x @ beta)), rng.exponential(2, len(x))
    head = Cox()
    data = Data(
        torch.from_numpy(x).float(), head.prepare(Outcome(np.minimum(time, censored), (time <= censored).astype(int)))
    )
    lam = [0.0, 0.005, 0.02, 0.05, 0.1, 0.5]
    net = STG(COLUMNS, hidden, head, models=len(lam)).initialize(seeded([0] * len(lam)))
    settings = Settings(epochs=60, batch_size=128, lr=0.03)
    weights = penalty_weights(net, {"gates": lam})
    fit(net, head, data, [np.arange(len(x))], weights, seeded([0] * len(lam)), settings)
    selected = net.selected(net(data.x)[1])[:, 0]
    number = selected.sum(1).tolist()
    assert selected[2].nonzero()[:, 0].tolist() == TRUE
    assert selected[3].nonzero()[:, 0].tolist() == TRUE
    assert number == sorted(number, reverse=True)
    assert number[0] > 20
    assert number[-1] == 0
