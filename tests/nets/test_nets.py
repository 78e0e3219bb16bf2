import pytest
import torch
from nets.cases import CASES, HEADS, PAIRS, P, takes

from survlspin.errors import InputError
from survlspin.heads import Gaussian
from survlspin.nets import LLSPIN, LSPIN, NIMO, Dense, LassoNet
from survlspin.testing import check_net, numbers
from survlspin.train.fit import seeded

CONTEXT = [name for name in CASES if "context" in name]


def made(name, models=1, seed=0, scale=1.0):
    """A net of the name in float64, its weights drawn and then widened."""
    net = CASES[name](models).double().initialize(seeded(range(seed, seed + models)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(scale)
    return net.eval()


def rows(n=200, seed=0):
    return torch.randn(n, P, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("name", "head_name"), PAIRS)
def test_contract(name, head_name):
    head, outcome = HEADS[head_name]
    if takes(name, head):
        check_net(lambda models: CASES[name](models, head), head, outcome)
    else:
        with pytest.raises(InputError, match=rf"SL-425 NIMO has one output; .* needs {head.k}\."):
            CASES[name](1, head)


@pytest.mark.parametrize("name", CASES)
def test_nets_put_into_one_are_each_what_they_were(name):
    parts = [made(name, models, seed=models) for models in (1, 2)]
    for net in parts:
        net.train()(rows(seed=net.models))  # norms of their own
    eta = torch.cat([net.eval()(rows())[0] for net in parts])
    joined = made(name).put(parts)
    assert joined.models == 3
    torch.testing.assert_close(joined(rows())[0], eta, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_initial_weights_are_truncated_at_two_standard_deviations_and_biases_0(name):
    net = CASES[name](40).initialize(seeded(range(40)))
    weights = {n: p for n, p in net.named_parameters() if n.endswith("weight")}
    drawn = torch.cat([p.detach().flatten() for p in weights.values()]) / net.init_std
    assert drawn.abs().max() <= 2
    assert abs(drawn.std() - 0.88) < 0.03
    for parameter_name, parameter in net.named_parameters():
        if parameter_name.endswith(("bias", "shift")):
            assert not parameter.any()


def test_a_net_for_cox_has_no_output_bias():
    for net in (LSPIN(P), LLSPIN(P), Dense(P)):
        assert net.predictor.affine[-1].bias is None


@pytest.mark.parametrize(("name", "n_gates"), [("LSPIN groups", 3), ("LLSPIN groups", 3), ("LSPIN context groups", 2)])
def test_the_columns_of_a_group_have_one_gate(name, n_gates):
    net = made(name, scale=8.0)
    gate = net(rows())[1]["gate"]
    assert net.n_gates == n_gates
    for i, j in (net.column[:, None] == net.column).nonzero().tolist():
        assert torch.equal(gate[..., i], gate[..., j])
    assert (gate == 0).any()
    assert (gate == 1).any()


@pytest.mark.parametrize("name", CONTEXT)
def test_gates_see_the_context_alone(name):
    net = made(name, scale=8.0)
    context, x, other = net.context, rows(), rows(seed=1)
    other[:, context] = x[:, context]
    gate, gate_of_other = (net(each)[1]["gate"] for each in (x, other))
    assert torch.equal(gate, gate_of_other)
    assert not torch.equal(gate, net(rows(seed=1))[1]["gate"])
    assert net.selected({"gate": gate})[..., context].all()


@pytest.mark.parametrize("name", CONTEXT)
def test_the_context_enters_as_a_main_effect_that_is_0_at_the_reference(name):
    net = made(name, scale=8.0)
    gated = [column for column in range(P) if column not in net.context.tolist()]
    x = rows()
    x[:, gated] = 0
    eta, parts = net(x)
    at_reference = net(torch.zeros(1, P, dtype=torch.float64))
    torch.testing.assert_close(
        eta - at_reference[0], parts["offset"] - at_reference[1]["offset"], rtol=1e-12, atol=1e-14
    )
    assert eta.std() > 0.01


def test_the_context_is_out_of_the_gated_input():
    net = made("LLSPIN context", scale=8.0)
    assert not net(rows())[1]["coef"][:, :, net.context].any()


@pytest.mark.parametrize("make", [LSPIN, LLSPIN])
def test_noise_moves_the_gates_by_sigma(make):
    net = make(P, sigma=0.25).double().eval()  # weights 0: gates are 1/2
    noise = torch.linspace(-3, 3, 10 * P, dtype=torch.float64).view(1, 10, P)
    gate = net(rows(10), noise)[1]["gate"]
    torch.testing.assert_close(gate, (0.5 + 0.25 * noise).clamp(0, 1), rtol=1e-14, atol=0)
    assert (net(rows(10))[1]["gate"] == 0.5).all()


@pytest.mark.parametrize("make", [LSPIN, Dense])
def test_activations_differ(make):
    x = 3 * rows(20)
    eta = [
        make(P, act=act).double().initialize(seeded([0])).predict(x) for act in ("tanh", "relu", "leaky_relu", "silu")
    ]
    for i, one in enumerate(eta):
        for other in eta[:i]:
            assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("SL-402", lambda: Dense(P, act="sigmoid")),
        ("SL-403", lambda: LSPIN(P, sigma=0.0)),
        ("SL-403", lambda: LLSPIN(P, sigma=float("nan"))),
        ("SL-404", lambda: LLSPIN(P, context=range(P))),
    ],
)
def test_settings_that_make_no_sense_are_refused(code, make):
    with pytest.raises(InputError, match=code):
        make()


# ---- the check notices: each class here breaks one promise ----


class UnnamedPenalty(LSPIN):
    penalty_names = ()


class SharedState(Dense):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.register_buffer("rows_seen", torch.zeros(1))


class HiddenState(Dense):
    mean = 0.0

    def forward(self, x, noise=None, weight=None):
        eta, parts = super().forward(x, noise, weight)
        if self.training:
            share = torch.ones_like(eta[..., 0]) if weight is None else weight.expand(self.models, -1)
            self.mean = ((share[..., None] * eta).sum(1, keepdim=True) / share.sum(1)[:, None, None]).detach()
        return eta - self.mean, parts

    def rows(self, index):
        net = super().rows(index)
        net.mean = 0.0
        return net


class SharedSolution(NIMO):
    def solve(self, batch, head, lam):
        super().solve(batch, head, lam)
        self.gamma = self.gamma + 0.01 * self.gamma.mean(0)


class FirstRow(NIMO):
    def solve(self, batch, head, lam):
        super().solve(batch, head, lam)
        self.gamma = self.gamma + batch.x[:, 0]


class SolvesForAllRows(NIMO):
    def solve(self, batch, head, lam):
        super().solve(batch, head, lam)
        self.gamma = self.gamma + batch.x.mean(1)


class Forgets(NIMO):
    def solve(self, batch, head, lam):
        super().solve(batch, head, lam)
        self.gamma = self.gamma * (batch.target.total > 0)[:, None]


class SharedThreshold(LassoNet):
    def prox(self, lam, lr):
        super().prox(lam, lr.mean().expand_as(lr))


class MovesAlways(LassoNet):
    def prox(self, lam, lr):
        super().prox(lam, lr + 0.1)


class ShrinksAlways(LassoNet):
    def prox(self, lam, lr):
        super().prox({"skip": lam["skip"] + 0.1}, lr)


class UnseenPenalty(LassoNet):
    def nonsmooth(self, lam):
        return torch.zeros_like(lam["skip"])


@pytest.mark.parametrize(
    ("net", "complaint"),
    [
        (UnnamedPenalty, "the penalty 'gates' is not among penalty_names"),
        (SharedState, r"the state 'rows_seen' has shape \(1,\)"),
        (HiddenState, "the kept output of a net that took on the state dict"),
        (SharedSolution, r"the state 'gamma' of models \[0\] by themselves, solved"),
        (FirstRow, "the state 'gamma' of rows in another order, solved"),
        (SolvesForAllRows, "the state 'gamma' of rows beside rows of weight 0, solved"),
        (Forgets, "the state 'gamma' of models whose rows say nothing, solved"),
        (SharedThreshold, r"models \[0\] moved by themselves"),
        (MovesAlways, "a proximal step of 0"),
        (ShrinksAlways, "a proximal step of no penalty"),
        (UnseenPenalty, "prox moves a model further than its penalty falls"),
    ],
)
def test_a_net_that_breaks_a_promise(net, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_net(lambda models: net(5, (4,), Gaussian(), models=models), Gaussian(), numbers())
