"""The relaxed refit against minima of the loss found otherwise; gates stay where they are."""

from functools import cache

import numpy as np
import pytest
import torch

from survlspin.errors import InputError
from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.nets import LLSPIN, LSPIN, STG, Dense
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.train import Data, Settings, fit, predict
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.refit import relax

N, P, MODELS = 240, 5, 2
SETTINGS = Settings(epochs=60, batch_size=None, lr=0.05, average=0.0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P))
SIGNAL = np.where(X[:, 0] > 0, 2 * X[:, 1], -X[:, 2])
WEIGHT = RNG.integers(0, 4, N) / 2
OUTCOMES = {
    "cox": (Cox(), Outcome(np.ceil(9 * RNG.exponential(np.exp(-SIGNAL))), RNG.integers(0, 2, N), weight=WEIGHT)),
    "numbers": (
        Gaussian(2),
        Response(np.stack([SIGNAL, 1 - SIGNAL], 1) + 0.3 * RNG.normal(size=(N, 2)), WEIGHT),
    ),
    "two classes": (Bernoulli(), Response((SIGNAL + RNG.normal(size=N) > 0).astype(int), WEIGHT)),
    "classes": (Multinomial(3), Response(np.digitize(SIGNAL + RNG.normal(size=N), [-1, 1]), WEIGHT)),
}
ROWS = [np.arange(0, 160), np.arange(60, 200)]
NETS = {
    "plain": lambda head: LLSPIN(P, (), head, models=MODELS),
    "deep norm": lambda head: LLSPIN(P, (4, 3), head, norm=True, models=MODELS),
    "context": lambda head: LLSPIN(P, (), head, context=[0], models=MODELS),
    "groups": lambda head: LLSPIN(P, (4,), head, group=[0, 1, 1, 2, 2], models=MODELS),
    "narrow": lambda head: LLSPIN(P, (1,), head, models=MODELS),
    "STG linear": lambda head: STG(P, (), head, models=MODELS),
}
CURVED = {
    "curved": lambda head: LSPIN(P, (8,), head, models=MODELS),
    "curved context": lambda head: LSPIN(P, (4,), head, context=[0], norm=True, models=MODELS),
    "STG": lambda head: STG(P, (6,), head, models=MODELS),
}


@cache
def made(name, kind):
    """A net trained with a penalty that shrinks it."""
    head, outcome = OUTCOMES[kind]
    net = (NETS | CURVED | {"Dense": lambda head: Dense(P, (), head, models=MODELS)})[name](head)
    net = net.double().initialize(seeded(range(MODELS)))
    data = Data(torch.from_numpy(X), head.prepare(outcome))
    weights = penalty_weights(net, {"gates": 0.05} if "gates" in net.penalty_names else {})
    fit(net, head, data, ROWS, weights, seeded(range(MODELS)), SETTINGS)
    return net, head, data


def trained(name, kind):
    """A copy of the net, its head and data."""
    net, head, data = made(name, kind)
    return net.rows(range(MODELS)).eval(), head, data


def relaxed(net, head, data, **options):
    return relax(net, head, data, ROWS, seeded(range(MODELS)), SETTINGS, **options)


def losses(net, head, data):
    index = [torch.from_numpy(rows) for rows in ROWS]
    eta = [net(data.x[i])[0][b : b + 1] for b, i in enumerate(index)]
    targets = [data.target.take(i[None]) for i in index]
    return torch.cat([head.nll(e, target) for e, target in zip(eta, targets, strict=True)])


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("name", ["plain", "deep norm", "context", "groups", "STG linear"])
def test_no_linear_map_of_the_gated_columns_has_a_smaller_loss(name, kind):
    """The loss is convex in the map, so it is least where its slope is 0."""
    net, head, data = trained(name, kind)
    new = relaxed(net, head, data, ridge=1e-9)
    loss = losses(new, head, data)
    assert (loss < losses(net, head, data)).all()
    first, last = new.predictor.affine[0], new.predictor.affine[-1]
    of = [first.weight] if last.bias is None else [first.weight, last.bias]
    slopes = torch.autograd.grad(loss.sum(), of)
    assert max(slope[..., : head.k].abs().max() for slope in slopes) < 1e-6


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("name", ["context", "curved context"])
def test_gates_and_the_net_given_stay_what_they_are(name, kind):
    net, head, data = trained(name, kind)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    new = relaxed(net, head, data)
    gates = [each(data.x)[1]["gate"] for each in (net, new)]
    assert torch.equal(*gates)
    assert bool((gates[0] == 0).any())
    for key, value in net.state_dict().items():
        assert torch.equal(value, state[key])
    assert [n for n, _ in new.named_parameters()] == [n for n, _ in net.named_parameters()]
    assert new.n_gates == net.n_gates
    assert new.state_dict().keys() == state.keys()
    assert not torch.equal(predict(net, data.x), predict(new, data.x))


def test_a_linear_gaussian_is_least_squares_on_the_gated_columns():
    head, data = Gaussian(), Data(torch.from_numpy(X), Gaussian().prepare(Response(SIGNAL, WEIGHT)))
    net = LLSPIN(P, (), head, models=MODELS).double().initialize(seeded(range(MODELS)))
    new = relaxed(net, head, data, ridge=0.0)
    for b, rows in enumerate(ROWS):
        z = (net.eval()(data.x[rows])[1]["gate"][b] * data.x[rows]).detach().numpy()
        root = np.sqrt(WEIGHT[rows])[:, None]
        design = root * np.column_stack([z, np.ones(len(z))])
        beta = np.linalg.lstsq(design, root[:, 0] * SIGNAL[rows], rcond=None)[0]
        coef, intercept = (a[b, :, 0].detach().numpy() for a in new.predictor.collapse())
        np.testing.assert_allclose(np.append(coef, intercept), beta, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["plain", "curved"])
def test_a_relaxed_model_is_the_same_in_a_stack_as_alone(name):
    net, head, data = trained(name, "cox")
    both = relaxed(net, head, data)
    alone = relax(net.rows([1]), head, data, ROWS[1:], seeded([1]), SETTINGS)
    torch.testing.assert_close(predict(both, data.x)[1:], predict(alone, data.x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["cox", "numbers"])
@pytest.mark.parametrize("name", CURVED)
def test_a_nonlinear_net_is_trained_on_without_penalty(name, kind):
    net, head, data = trained(name, kind)
    assert (losses(relaxed(net, head, data), head, data) < losses(net, head, data)).all()
    watched = relaxed(net, head, data, valid=data, valid_rows=[np.arange(200, N)])
    assert torch.equal(watched(data.x)[1]["gate"], net(data.x)[1]["gate"])
    assert not torch.equal(predict(watched, data.x), predict(net, data.x))


def test_a_deep_map_too_narrow_for_the_outputs_is_trained():
    net, head, data = trained("narrow", "numbers")
    assert (losses(relaxed(net, head, data), head, data) < losses(net, head, data)).all()


def test_separated_classes_have_finite_coefficients():
    net, head, _ = trained("plain", "two classes")
    data = Data(torch.from_numpy(X), head.prepare(Response((X[:, 1] > 0).astype(int))))
    with torch.no_grad():
        net.gating.affine[-1].bias.fill_(50.0)  # every gate open
    coef = relaxed(net, head, data).predictor.collapse()[0].detach()
    assert 5 < coef.abs().max() < 100


def test_a_column_that_no_row_opens_gets_no_coefficient():
    net, head, data = trained("plain", "two classes")
    with torch.no_grad():
        net.gating.affine[-1].bias[..., 3] = -50.0
    assert not relaxed(net, head, data).predictor.collapse()[0][:, 3].abs().gt(1e-8).any()


def test_a_net_without_gates_is_refused():
    net, head, data = trained("Dense", "cox")
    with pytest.raises(InputError, match="SL-438"):
        relaxed(net, head, data)
