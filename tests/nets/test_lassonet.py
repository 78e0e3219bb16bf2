import pytest
import torch
from nets.cases import P

from survlspin.errors import InputError
from survlspin.heads import Cox, Gaussian, Multinomial
from survlspin.nets import LassoNet
from survlspin.testing import check_net, classes, cohort, numbers
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.step import Batch, objective

GROUP = [0, 1, 1, 2, 0, 2]
KINDS = {"plain": {}, "groups": {"group": GROUP}, "linear": {"M": 0}, "linear groups": {"M": 0, "group": GROUP}}


def made(head=None, models=1, seed=0, **options):
    return LassoNet(P, (5,), head, models=models, **options).double().initialize(seeded(range(seed, seed + models)))


def batch(head=None, seed=0):
    target = (head or Cox()).prepare(cohort() if head is None else numbers(head.k))
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(1, target.weight.shape[1], P, generator=generator, dtype=torch.float64), target)


def ones(net):
    return torch.ones(net.models, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [Gaussian(3), Multinomial(3)], ids=["numbers", "classes"])
def test_contract_with_several_outputs(head, kind):
    outcome = numbers(3) if isinstance(head, Gaussian) else classes(3)
    check_net(lambda models: LassoNet(P, (5,), head, models=models, **KINDS[kind]), head, outcome)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [None, Gaussian(3)], ids=["cox", "numbers"])
def test_the_proximal_step_keeps_the_bound_and_lets_groups_go_as_a_whole(head, kind):
    net = made(head, models=3, **KINDS[kind])
    lam = {"skip": torch.tensor([0.0, 0.2, 90.0], dtype=torch.float64)}
    net.prox(lam, ones(net))
    kept = net.kept()
    assert kept[0].all()
    assert not kept[2].any()
    norm = torch.stack([net.norms()[:, g] for g in ([*range(P)] if net.code is None else GROUP)], 1)  # (B, P)
    assert (net.first.abs().amax(-1) <= net.M * norm * (1 + 1e-12)).all() if net.deep is not None else net.M == 0
    assert torch.equal(net.skip.weight.any(-1), kept)
    torch.testing.assert_close(net.nonsmooth(lam), lam["skip"] * net.norms().sum(1))
    parts = net.eval()(torch.randn(4, P, dtype=torch.float64))[1]
    assert torch.equal(net.selected(parts), kept[:, None].expand(-1, 4, -1))


def test_a_column_that_is_out_moves_no_answer():
    net = made(models=2)
    net.skip.weight.data[:, [1, 4]] = 0
    net.first.data[:, [1, 4]] = 0
    x = torch.randn(7, P, dtype=torch.float64)
    other = x.clone()
    other[:, [1, 4]] += 3
    assert torch.equal(net(x)[0], net(other)[0])
    assert not torch.equal(net(x)[0], net(x + 1)[0])


def test_each_model_has_its_own_lambda_and_length_of_step():
    net = made(models=2)
    rows = [net.rows([i]) for i in range(2)]
    lam, lr = torch.tensor([0.3, 0.1], dtype=torch.float64), torch.tensor([0.2, 0.9], dtype=torch.float64)
    net.prox({"skip": lam}, lr)
    for i, alone in enumerate(rows):
        alone.prox({"skip": lam[i : i + 1]}, lr[i : i + 1])
        torch.testing.assert_close(alone.skip.weight[0], net.skip.weight[i])
        torch.testing.assert_close(alone.first[0], net.first[i])


@pytest.mark.parametrize("name", ["layers", "ridge"])
def test_penalties_in_the_loss_have_gradients(name):
    net, rows = made(), batch()
    lam = penalty_weights(net, {name: 0.7})
    loss, nll = objective(net, Cox(), rows, lam)
    weights = {"layers": net.deep.affine[1].weight, "ridge": net.skip.weight}
    torch.testing.assert_close(loss - nll, 0.35 * weights[name].square().sum()[None])
    for key, weight in weights.items():
        gradient, plain = (torch.autograd.grad(v.sum(), weight, retain_graph=True)[0] for v in (loss, nll))
        torch.testing.assert_close(gradient, plain + 0.7 * weight * (key == name))


def gradients(net, rows):
    loss, _ = objective(net.train(), net.head, rows, penalty_weights(net, {}))
    wanted = [net.skip.weight] + ([net.first] if net.deep is not None else [])
    found = torch.autograd.grad(loss.sum(), wanted)
    return found[0], found[1] if len(found) > 1 else torch.zeros_like(net.first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [None, Gaussian(2)], ids=["cox", "numbers"])
def test_entry_is_the_lambda_at_which_an_empty_net_stays_empty(head, kind):
    net, rows = made(head, **KINDS[kind]), batch(head)
    with torch.no_grad():
        net.skip.weight.zero_()
        net.first.zero_()
    by_theta, by_first = gradients(net, rows)
    entry = net.entry(by_theta, by_first)
    for lam in (0.99 * entry[0].max(), 1.01 * entry[0].max()):
        moved = net.rows([0])
        with torch.no_grad():
            moved.skip.weight -= 1e-3 * by_theta
            moved.first.sub_(1e-3 * by_first)
        moved.prox({"skip": lam[None]}, 1e-3 * ones(net))
        enters = bool(lam < entry.max())
        assert bool(moved.kept().any()) == enters
        assert bool(net.violation(by_theta, by_first, lam[None]) > 0) == enters
    assert net.violation(by_theta, by_first, 0.9 * entry.max()[None]).item() == pytest.approx(0.1 * entry.max().item())


@pytest.mark.parametrize("kind", ["plain", "groups"])
def test_the_violation_is_that_of_the_optimality_conditions(kind):
    """g_W pushes outwards by mu >= 0 at the bound, else is 0, and g_theta + (lam - M sum mu) theta / |theta| = 0."""
    net, lam = made(Gaussian(2), **KINDS[kind]), torch.tensor([1.5], dtype=torch.float64)
    net.prox({"skip": 0.5 * lam}, ones(net))
    group = torch.arange(P) if net.code is None else net.code
    norm = net.norms()[:, group, None]  # (1, P, 1)
    bound = net.first.abs() >= net.M * norm * (1 - 1e-9)
    assert 0 < bound.sum() < bound.numel()
    mu = 0.1 * torch.rand(net.first.shape, dtype=torch.float64) * bound
    total = torch.stack([mu[:, group == g].sum() for g in group.tolist()])[None, :, None]
    by_theta = (-(lam - net.M * total) * net.skip.weight / norm).detach()
    by_first = (-mu * net.first.sign()).detach()
    assert net.violation(by_theta, by_first, lam).item() < 1e-12
    nudged = by_theta.clone()
    nudged[0, 2, 1] += 0.3
    assert net.violation(nudged, by_first, lam).item() == pytest.approx(0.3)
    inside, at_bound = (tuple(places.nonzero()[0]) for places in (~bound, bound))
    for place, sign in ((inside, 1.0), (at_bound, net.first.detach().sign()[at_bound])):
        nudged = torch.where(bound, 0, by_first)  # where nothing pushes
        nudged[place] += 0.4 * sign
        plain = (-lam * net.skip.weight / norm).detach()
        assert net.violation(plain, nudged, lam).item() == pytest.approx(0.4)


def test_m_0_and_no_hidden_layer_are_the_same_linear_model():
    nets = [LassoNet(P, hidden, M=m).initialize(seeded([0])) for hidden, m in (((16,), 0.0), ((), 10.0))]
    assert {name for name, _ in nets[0].named_parameters()} == {"skip.weight"}
    assert torch.equal(nets[0].skip.weight, nets[1].skip.weight)
    assert LassoNet(P, M=0, head=Gaussian(2)).skip.bias.shape == (1, 1, 2)


def test_activations_differ():
    x = 3 * torch.randn(20, P, dtype=torch.float64)
    eta = [made(act=act).predict(x) for act in ("relu", "tanh", "leaky_relu", "silu")]
    for i, one in enumerate(eta):
        for other in eta[:i]:
            assert (one - other).abs().max() > 1e-5


def test_groups_may_be_given_by_their_columns():
    one, other = made(group=GROUP), made(group=[[0, 4], [1, 2], [3, 5]])
    assert torch.equal(one.code, other.code)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SL-421", {"M": -1.0}),
        ("SL-421", {"M": float("nan")}),
        ("SL-422", {"group": [0, 1]}),
        ("SL-423", {"group": [[0, 1, 2], [2, 3, 4, 5]]}),
        ("SL-402", {"act": "sigmoid"}),
    ],
)
def test_settings_that_make_no_sense_are_refused(code, options):
    with pytest.raises(InputError, match=code):
        LassoNet(P, **options)
