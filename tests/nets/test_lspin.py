"""LSPIN and LLSPIN against the reference code; the options of their penalties; the contract for all kinds of heads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from nets.cases import P

from survlspin.errors import InputError
from survlspin.heads import Bernoulli, Cox, Gaussian, Multinomial
from survlspin.nets import LLSPIN, LSPIN
from survlspin.nets.affinity import Nearest
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.testing import check_net, classes, cohort, numbers
from survlspin.train import Data, Settings, fit
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.optim import Buffer, make_optimizer
from survlspin.train.step import Batch, objective, step

GOLDEN = Path(__file__).parents[1] / "golden"
EXACT = {"rtol": 1e-9, "atol": 1e-11}
FLOAT32 = {"rtol": 1e-4, "atol": 2e-6}


class SquaredError(Gaussian):
    """The reference's loss, which is twice the house's."""

    def nll(self, eta, target):
        return 2 * super().nll(eta, target)


class Reference:
    """Golden numbers of one net, and our net with the reference's weights."""

    def __init__(self, name, **options):
        self.gold = dict(np.load(GOLDEN / f"{name}.npz"))
        x = self.tensor("X")
        self.n, self.p = x.shape
        make = {"lspin": LSPIN, "llspin_deep": LLSPIN}[name]
        self.net = make(self.p, head=SquaredError(), sigma=float(self.gold["sigma"]), **options).double()
        self.x, self.target = x[None], SquaredError().prepare(Response(self.gold["y"]))
        self.lam = {"gates": torch.tensor([self.gold["lam"] / self.p])}  # theirs: of the mean over gates, not their sum
        self.load("w0")

    def tensor(self, key):
        return torch.from_numpy(np.asarray(self.gold[key], dtype=np.float64))

    def names(self):
        """The reference's names of our parameters, in the order of ours."""
        net = self.net
        gating = [f"gate_layer{i}/" for i in range(1, len(net.gating.affine))]
        hidden = [f"layer{i}/" for i in range(1, len(net.predictor.affine))]
        names = [prefix + part for prefix in gating for part in ("weights", "biases")] + ["weights2", "biases2"]
        names += [prefix + part for prefix in [*hidden, ""] for part in ("weights", "biases")]
        if net.derived:
            names += [f"{prefix}batch_normalization/{part}" for prefix in [*hidden, ""] for part in ("gamma", "beta")]
        return names

    def load(self, when):
        for name, parameter in zip(self.names(), self.net.parameters(), strict=True):
            parameter.data.copy_(self.tensor(f"{when}/{name}").view(parameter.shape))

    def restore_running_statistics(self):
        prefixes = [f"layer{i}/" for i in range(1, len(self.net.predictor.affine))] + [""]
        for norm, prefix in zip(self.net.predictor.norm or (), prefixes, strict=False):
            for ours, theirs in {"mean": "moving_mean", "var": "moving_variance"}.items():
                setattr(norm, ours, self.tensor(f"w6/{prefix}batch_normalization/{theirs}").view(1, 1, -1))

    def batch(self, i):
        return Batch(self.x, self.target, self.tensor("noise")[i : i + 1])

    def agrees(self, key, found, tolerance=EXACT):
        expected = self.gold[key]
        np.testing.assert_allclose(found.detach().numpy().reshape(expected.shape), expected, err_msg=key, **tolerance)


@pytest.fixture(params=["lspin", "llspin_deep"])
def reference(request):
    options = {
        "lspin": {"hidden": (5, 3), "act": "leaky_relu", "gate_hidden": (4,)},
        "llspin_deep": {"hidden": (7, 4, 1), "norm": True, "gate_hidden": (6,)},
    }
    return Reference(request.param, **options[request.param])


@pytest.mark.parametrize(("prefix", "tolerance"), [("", EXACT), ("tensorflow/", FLOAT32)])
def test_a_training_pass_equals_the_reference(reference, prefix, tolerance):
    net, batch = reference.net.train(), reference.batch(0)
    eta, parts = net(batch.x, batch.noise, batch.target.weight)
    reference.agrees(f"{prefix}train/mu", parts["mu"], tolerance)
    reference.agrees(f"{prefix}train/gates", parts["gate"], tolerance)
    reference.agrees(f"{prefix}train/pred", eta, tolerance)
    penalty = reference.lam["gates"] * net.penalties(parts, batch)["gates"]
    reference.agrees(f"{prefix}train/reg_gates", penalty, tolerance)


def test_loss_and_gradients_equal_the_reference(reference):
    loss, fit_loss = objective(reference.net.train(), SquaredError(), reference.batch(0), reference.lam)
    reference.agrees("train/loss", loss)
    reference.agrees("train/fit_loss", fit_loss)
    parameters = list(reference.net.parameters())
    for name, gradient in zip(reference.names(), torch.autograd.grad(loss.sum(), parameters), strict=True):
        reference.agrees(f"grad/{name}", gradient)


def test_the_penalty_is_the_number_of_open_gates_and_the_references_its_share(reference):
    net, batch = reference.net.train(), reference.batch(0)
    _, parts = net(batch.x, batch.noise, batch.target.weight)
    share = reference.gold["train/reg_gates"] / reference.gold["lam"]
    np.testing.assert_allclose(net.penalties(parts, batch)["gates"].item(), share * reference.p, rtol=1e-9)


def test_six_steps_of_gradient_descent_equal_the_reference(reference):
    net = reference.net.train()
    buffer = Buffer(net)
    optimizer, lr = make_optimizer("sgd", buffer), torch.tensor([0.05], dtype=torch.float64)
    losses = []
    for i in range(6):
        losses.append(objective(net, SquaredError(), reference.batch(i), reference.lam)[0].detach())
        step(net, SquaredError(), reference.batch(i), reference.lam, buffer, optimizer, lr)
    for prefix, tolerance in {"": EXACT, "tensorflow/": FLOAT32}.items():
        reference.agrees(f"{prefix}train/losses_6steps", torch.stack(losses), tolerance)
        for name, parameter in zip(reference.names(), net.parameters(), strict=True):
            reference.agrees(f"{prefix}w6/{name}", parameter, tolerance)


@pytest.mark.parametrize("when", ["eval0", "eval6"])
def test_an_evaluation_pass_equals_the_reference(reference, when):
    if when == "eval6":
        reference.load("w6")
        reference.restore_running_statistics()
    net = reference.net.eval()
    eta, parts = net(reference.x)
    reference.agrees(f"{when}/mu", parts["mu"])
    reference.agrees(f"{when}/gates", parts["gate"])
    reference.agrees(f"{when}/pred", eta)
    loss, fit_loss = objective(net, SquaredError(), Batch(reference.x, reference.target), reference.lam)
    reference.agrees(f"{when}/loss", loss)
    reference.agrees(f"{when}/fit_loss", fit_loss)
    if f"{when}/eff_coef" in reference.gold:
        coef, intercept = net.predictor.collapse()
        reference.agrees(f"{when}/eff_coef", coef, FLOAT32)  # known to float32 precision only
        reference.agrees(f"{when}/eff_intercept", intercept, FLOAT32)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_llspin_equals_a_port_of_the_paper(ties):
    gold = {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(GOLDEN / "cox_llspin.npz").items()}
    n, p = gold["X"].shape
    head = Cox(ties)
    net = LLSPIN(p, head=head, gate_hidden=(4,), sigma=float(gold["sigma"])).double().train()
    names = [f"{layer}.{part}" for layer in ("gate.0", "gate.1") for part in ("weight", "bias")] + ["pred.0.weight"]
    for name, parameter in zip(names, net.parameters(), strict=True):
        parameter.data.copy_(gold[f"w0/{name}"].t().reshape(parameter.shape))
    target = head.prepare(Outcome(gold["time"].numpy(), gold["event"].numpy().astype(int)))
    batch = Batch(gold["X"][None], target, gold["noise"][None])
    eta, parts = net(batch.x, batch.noise)
    bias = gold["w0/pred.0.bias"]  # Cox's loss does not feel it, and we build none
    penalty = net.penalties(parts, batch)["gates"]
    lam = {"gates": gold["lam"].view(1) / p}
    loss, _ = objective(net, head, batch, lam)
    found = {
        "train/mu": parts["mu"][0],
        "train/gates": parts["gate"][0],
        "train/eta": eta[0, :, 0] + bias,
        "reg/mean_mean": penalty[0] / p,
        "reg/sum_features_mean_samples": penalty[0],
        "reg/sum_sum": penalty[0] * n,
        f"{ties}/loss_plus_lam_meanmean": loss[0],
    }
    for name, gradient in zip(names, torch.autograd.grad(loss.sum(), list(net.parameters())), strict=True):
        found[f"{ties}/grad/{name}"] = gradient[0].view(gold[f"w0/{name}"].t().shape).t()
    eta, parts = net.eval()(batch.x)
    found |= {"eval/gates": parts["gate"][0], "eval/eta": eta[0, :, 0] + bias}
    found["eval/n_selected"] = net.selected(parts)[0].sum(-1)
    for key, value in found.items():
        torch.testing.assert_close(
            value.detach(), gold[key].view(value.shape), msg=lambda m, key=key: f"{key}: {m}", **EXACT
        )


HEADS = {"cox": (Cox(), cohort()), "numbers": (Gaussian(2), numbers(2)), "classes": (Multinomial(3), classes(3))}
MAKERS = {
    "LSPIN": lambda head, models: LSPIN(P, (4,), head, group=[0, 1, 1, 2, 0, 2], affinity="rbf", models=models),
    "LSPIN context": lambda head, models: LSPIN(P, (4,), head, context=[1, 4], norm=True, models=models),
    "LLSPIN": lambda head, models: LLSPIN(P, (), head, affinity=Nearest(4), target=1.0, models=models),
    "LLSPIN deep": lambda head, models: LLSPIN(P, (5, 3), head, norm=True, context=[0], models=models),
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("name", MAKERS)
def test_the_contract_holds_for_every_kind_of_head(name, kind):
    head, outcome = HEADS[kind]
    check_net(lambda models: MAKERS[name](head, models), head, outcome)


def test_the_contract_holds_for_labels_that_are_the_classes():
    check_net(
        lambda models: LSPIN(P, (4,), Multinomial(3), affinity="label", models=models), Multinomial(3), classes(3)
    )


@pytest.mark.parametrize("make", [LSPIN, LLSPIN])
def test_only_an_outcome_with_an_intercept_has_an_output_bias(make):
    assert make(P, head=Gaussian()).predictor.affine[-1].bias is not None
    assert make(P, head=Cox()).predictor.affine[-1].bias is None


def at_gates(net, mu):
    """The penalties of a batch whose gates have these mu (n, G)."""
    target = Gaussian().prepare(Response(np.zeros(len(mu)), np.arange(1.0, 1 + len(mu))))
    at = torch.tensor(mu, dtype=torch.float64)[None]
    return net.penalties(
        {"mu": at, "z": (at + 0.5).clamp(0, 1)}, Batch(torch.zeros(1, len(mu), P, dtype=torch.float64), target)
    )


def test_a_target_spares_as_many_gates():
    wide, target = [[1.0] * P, [1.0] * 4 + [-1.0] * 2, [-1.0] * P], 4.0
    plain, spared = LSPIN(P), LSPIN(P, target=target)
    for mu, open_ in zip(wide, (6, 4, 0), strict=True):
        excess = at_gates(plain, [mu])["gates"] - at_gates(plain, [wide[1]])["gates"]
        expected = excess if open_ > target else torch.zeros_like(excess)
        torch.testing.assert_close(at_gates(spared, [mu])["gates"], expected, rtol=1e-9, atol=1e-12)


def test_below_its_target_the_penalty_does_not_pull():
    net = LSPIN(P, target=3.0)
    for mu, pulls in ((-0.5, False), (0.5, True)):
        value = torch.full((1, 4, P), mu, dtype=torch.float64, requires_grad=True)
        target = Gaussian().prepare(Response(np.zeros(4)))
        batch = Batch(torch.zeros(1, 4, P, dtype=torch.float64), target)
        gradient = torch.autograd.grad(net.penalties({"mu": value}, batch)["gates"].sum(), value)[0]
        assert bool((gradient > 0).all()) is pulls


@pytest.mark.parametrize("target", [-1.0, float(P), float("nan")])
def test_a_target_that_no_gates_can_meet_is_refused(target):
    with pytest.raises(InputError, match="SL-436"):
        LSPIN(P, target=target)


def test_an_affinity_brings_its_penalties():
    assert LSPIN(P).penalty_names == ("gates",)
    net = LSPIN(P, affinity="rbf")
    assert net.penalty_names == ("gates", "stability", "diversity")
    assert tuple(at_gates(net, [[1.0] * P, [-1.0] * P])) == net.penalty_names


def trained(**lam):
    """Gates of a small classification after a short training, and its classes."""
    rng = np.random.default_rng(0)
    code = np.arange(120) % 2
    x = torch.from_numpy(rng.normal(size=(120, P)) + code[:, None])
    head = Bernoulli()
    net = LSPIN(P, (4,), head, affinity="label").double().initialize(seeded([0]))
    data = Data(x, head.prepare(Response(code)))
    settings = Settings(epochs=60, batch_size=None, lr=0.03, average=0.0)
    fit(net, head, data, [np.arange(120)], penalty_weights(net, lam), seeded([0]), settings)
    return net.eval()(x)[1]["z"][0].detach(), code


def test_stability_draws_the_gates_of_a_class_together_and_diversity_drives_classes_apart():
    spread, apart = {}, {}
    for name, lam in {"none": {}, "stability": {"stability": 5.0}, "diversity": {"diversity": 5.0}}.items():
        z, code = trained(**lam)
        of_class = [z[code == c] for c in (0, 1)]
        spread[name] = float(sum(own.var(0).sum() for own in of_class))
        apart[name] = float((of_class[0].mean(0) - of_class[1].mean(0)).norm())
    assert spread["stability"] < 0.3 * spread["none"]
    assert apart["diversity"] > 1.5 * apart["none"]
