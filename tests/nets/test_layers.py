import pytest
import torch
from scipy.stats import norm

from survlspin.errors import InputError
from survlspin.nets import LLSPIN, LSPIN, STG, GradientLasso, LassoNet
from survlspin.nets.layers import MLP, Affine, Norm, open_probability, truncated_normal_


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def test_truncated_normal():
    draws = truncated_normal_(torch.empty(200_000, dtype=torch.float64), 0.1, generator())
    assert draws.abs().max() <= 0.2
    assert abs(draws.std() / 0.1 - 0.8796) < 0.005
    assert abs(draws.mean()) < 0.001
    torch.testing.assert_close(
        truncated_normal_(torch.empty(9), 0.1, generator()).double(),
        truncated_normal_(torch.empty(9, dtype=torch.float64), 0.1, generator()),
        rtol=1e-6,
        atol=1e-8,
    )


def test_norm_is_batch_normalisation_of_each_model():
    x, ours = normal(3, 20, 4), Norm(3, 4).double()
    ours.scale.data, ours.shift.data = normal(3, 1, 4, seed=1), normal(3, 1, 4, seed=2)
    for b in range(3):
        peer = torch.nn.BatchNorm1d(4, eps=1e-3).double()
        peer.weight.data, peer.bias.data = ours.scale[b, 0].detach(), ours.shift[b, 0].detach()
        torch.testing.assert_close(ours(x)[b], peer(x[b]), rtol=1e-12, atol=1e-13)
    again = ours.eval()(x)
    torch.testing.assert_close(again, ours.train()(x), rtol=1e-12, atol=1e-13)


def test_norm_weights_are_repetition():
    x, weight = normal(1, 12, 3), torch.arange(12) % 4
    rows = torch.repeat_interleave(weight)
    ours = Norm(1, 3).double()
    weighted = ours(x, weight[None].double())[:, rows]
    torch.testing.assert_close(weighted, ours(x[:, rows]), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 3, 2)])
def test_a_deep_linear_net_collapses_to_an_affine_map(hidden, bias, norms):
    net = MLP(2, (4, *hidden, 2), None, norm=norms, bias=bias).double()
    for seed, parameter in enumerate(net.parameters()):
        parameter.data = normal(*parameter.shape, seed=seed)
    x = normal(2, 9, 4)
    net(x)  # the norms' statistics
    coef, intercept = net.eval().collapse()
    torch.testing.assert_close(x @ coef + intercept, net(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n", [20, 32, 250, 512])
def test_one_output_has_the_same_bits_whatever_the_number_of_models(n, bias):
    layer = Affine(10, 55, 1, bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(0))
    x = torch.randn(10, n, 55, generator=torch.Generator().manual_seed(1))
    many = layer(x)
    slopes = torch.autograd.grad(many.square().sum(), list(layer.parameters()))
    for b in (0, 9):
        one = Affine(1, 55, 1, bias)
        one.load_state_dict({name: value[b : b + 1] for name, value in layer.state_dict().items()})
        alone = one(x[b : b + 1])
        assert torch.equal(alone[0], many[b])
        for own, slope in zip(torch.autograd.grad(alone.square().sum(), list(one.parameters())), slopes, strict=True):
            assert torch.equal(own[0], slope[b])


@pytest.mark.parametrize("sigma", [0.25, 0.5, 2.0])
def test_open_probability_is_that_of_a_gaussian_above_0(sigma):
    mu = torch.linspace(-1, 1, 21, dtype=torch.float64)
    expected = norm.sf(0, loc=mu + 0.5, scale=sigma)
    torch.testing.assert_close(open_probability(mu, sigma), torch.from_numpy(expected), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("make", [LSPIN, LLSPIN, STG, GradientLasso, LassoNet])
@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("SL-422 .*2 entries for 3", [0, 1]),
        ("SL-422 .*whole", [0.1, 0.2, 0.3]),
        ("SL-422 .*whole", list("aab")),
        ("SL-422 column 2 is in no", [[0], [1]]),
        ("SL-423 column 1 is in two", [[0, 1], [1, 2]]),
        ("SL-423", [[0, 1], [2, 3]]),
    ],
)
def test_groups_that_are_none_are_refused(make, code, group):
    with pytest.raises(InputError, match=code):
        make(3, group=group)


@pytest.mark.parametrize("make", [LSPIN, LLSPIN, STG])
def test_noise_has_a_finite_size(make):
    for sigma in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="SL-403"):
            make(3, sigma=sigma)
