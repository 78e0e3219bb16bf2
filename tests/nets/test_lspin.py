"""LSPIN and LLSPIN against the reference code, whose loss is a mean squared error: hence a Gaussian head here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from nets.cases import P

from survlspin.heads import Cox, Head, Target
from survlspin.nets import LLSPIN, LSPIN
from survlspin.outcome import Outcome
from survlspin.testing import check_head, check_net, cohort
from survlspin.train.optim import Buffer, make_optimizer
from survlspin.train.step import Batch, objective, step

GOLDEN = Path(__file__).parents[1] / "golden"
EXACT = {"rtol": 1e-9, "atol": 1e-11}
FLOAT32 = {"rtol": 1e-4, "atol": 2e-6}


class Values(Target):
    """Measured values (T, n)."""

    def __init__(self, value, weight):
        self.value, self.weight, self.total = value, weight, weight.sum(1)

    def take(self, index, valid=None):
        value, weight = (a.expand(len(index), -1).gather(1, index) for a in (self.value, self.weight))
        return Values(value, weight if valid is None else weight * valid)

    def split(self, parts):
        return map(Values, self.value.chunk(parts), self.weight.chunk(parts))

    def to(self, device):
        return Values(self.value.to(device), self.weight.to(device))


class Gaussian(Head):
    """Mean squared error, of the outcome's time."""

    k, decomposes, free_intercept = 1, True, False

    def prepare(self, outcome):
        weight = np.ones(len(outcome)) if outcome.weight is None else outcome.weight
        return Values(torch.from_numpy(outcome.time)[None], torch.from_numpy(weight)[None])

    def nll(self, eta, target):
        return self.contributions(eta, target).sum(1)

    def contributions(self, eta, target):
        value, weight, total = (a.repeat_interleave(len(eta) // len(target.total), 0) for a in vars(target).values())
        return weight * (eta[..., 0] - value) ** 2 / total[:, None].clamp(min=1e-300)


class Reference:
    """Golden numbers of one net, and our net with the reference's weights."""

    def __init__(self, name, **options):
        self.gold = dict(np.load(GOLDEN / f"{name}.npz"))
        x, y = self.tensor("X"), self.tensor("y")[:, 0]
        self.n, self.p = x.shape
        make = {"lspin": LSPIN, "llspin_deep": LLSPIN}[name]
        self.net = make(self.p, head=Gaussian(), sigma=float(self.gold["sigma"]), **options).double()
        self.x, self.target = x[None], Values(y[None], torch.ones(1, self.n, dtype=torch.float64))
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
    loss, fit_loss = objective(reference.net.train(), Gaussian(), reference.batch(0), reference.lam)
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
        losses.append(objective(net, Gaussian(), reference.batch(i), reference.lam)[0].detach())
        step(net, Gaussian(), reference.batch(i), reference.lam, buffer, optimizer, lr)
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
    loss, fit_loss = objective(net, Gaussian(), Batch(reference.x, reference.target), reference.lam)
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


def test_the_contract_holds_for_a_head_with_an_intercept():
    check_head(Gaussian(), cohort())
    for make in (LSPIN, LLSPIN):
        check_net(lambda models, make=make: make(P, (4,), Gaussian(), norm=True, models=models), Gaussian())
        assert make(P, head=Gaussian()).predictor.affine[-1].bias is not None
