"""The contract of a net."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..heads import Head, Target
from ..nets import Net
from ..outcome import Outcome
from ..response import Response
from ..train.fit import penalty_weights, seeded
from ..train.step import Batch, objective
from .common import MODELS, cohort, require, require_close, slopes

PICKS = ([0], [1], [2], [1, 0, 1])  # models of the stack, by themselves
OF_ROWS = ("the training output", "the output", "the selection")  # the answers (B, n, ...)

Answers = dict[str, Tensor]


def check_net(
    make_net: Callable[[int], Net], head: Head, outcome: Outcome | Response | None = None, seed: int = 0
) -> None:
    """Check what training relies on in a net.

    The shapes of what it returns; models in a stack are each what they are alone, from their initial weights on; the
    order of rows does not matter; rows of weight 0 are absent; the gradient is that of the objective; an evaluation
    pass repeats itself, is as linear as ``parts["coef"]`` says, is what `finish` makes of the affine `begin` and uses
    the columns that `selected` names; a state dict is all of its models. What `solve` computes is each model's own,
    too, in any order of rows, and stays where they say nothing. `prox` leaves a model that is within its bounds as it
    is where the step or the penalties are 0, and moves it no further than `nonsmooth` falls.

    Parameters
    ----------
    make_net : callable
        Takes the number of models; returns the net.
    head : Head
        The head the net is for.
    outcome : Outcome or Response, optional
        Rows to train on; by default `cohort`.
    seed : int

    Raises
    ------
    AssertionError
        With what does not hold.

    Examples
    --------
    >>> from survlspin.heads import Cox
    >>> from survlspin.nets import LSPIN
    >>> check_net(lambda models: LSPIN(4, models=models), Cox())
    """
    rng = np.random.default_rng(seed)
    net = _stirred(make_net(MODELS).double(), rng)
    batch = _batch(net, head.prepare(cohort() if outcome is None else outcome), rng)
    lam = penalty_weights(net, dict.fromkeys(net.penalty_names, (0.2, 0.3, 0.4)))
    _check_shapes(net, batch)
    _check_initial_weights(make_net)
    _check_solve(net, head, batch, lam, rng)
    _check_alone("", lambda models, part: _answers(net.rows(models), part), batch)
    _check_rows("", lambda part: _answers(net, part), batch, rng)
    _check_state(net, make_net, batch)
    _check_prox(net, lam)
    _check_evaluation(net, batch)
    _check_net_gradient(net, head, batch, lam, rng)


def _stirred(net: Net, rng) -> Net:
    """Give every parameter a random value, so that no part of the net is idle."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.from_numpy(0.6 * rng.normal(size=parameter.shape)))
    return net


def _batch(net: Net, target: Target, rng) -> Batch:
    n = target.weight.shape[1]
    x = torch.from_numpy(rng.normal(size=(MODELS, n, net.p)))
    noise = torch.from_numpy(rng.normal(size=(MODELS, n, net.n_gates))) if net.n_gates else None
    return Batch(x, target, noise)


def _part(batch: Batch, models=slice(None), rows: Tensor | None = None) -> Batch:
    """Return the batch of some models or rows."""
    rows = torch.arange(batch.x.shape[1]) if rows is None else rows
    noise = None if batch.noise is None else batch.noise[models][:, rows]
    return Batch(batch.x[models][:, rows], batch.target.take(rows[None]), noise)


def _of(models: list[int], values: Answers) -> Answers:
    return {name: value[models] for name, value in values.items()}


def _answers(net: Net, batch: Batch) -> Answers:
    """Return outputs and penalties of a training pass and outputs of the evaluation pass after it."""
    net.train()
    eta, parts = net(batch.x, batch.noise, batch.target.weight)
    answers = {"the training output": eta}
    answers |= {f"the penalty {name!r}": value for name, value in net.penalties(parts, batch).items()}
    net.eval()
    eta, parts = net(batch.x)
    return answers | {"the output": eta, "the selection": net.selected(parts).to(eta.dtype)}


def _state(net: Net) -> Answers:
    return {f"the state {name!r}": value.clone() for name, value in net.state_dict().items()}


def _rows(answers: Answers, rows: Tensor) -> Answers:
    return {name: value[:, rows] if name in OF_ROWS else value for name, value in answers.items()}


def _require_same(what: str, found: Answers, expected: Answers) -> None:
    for name, value in expected.items():
        require_close(f"{name} of {what}", found[name], value)


def _check_alone(how: str, answers: Callable[[list[int], Batch], Answers], batch: Batch) -> None:
    """Check that a stack's answers are those of its models, and that models may share their rows."""
    every = list(range(MODELS))
    whole = answers(every, batch)
    for models in PICKS:
        _require_same(f"models {models} by themselves{how}", answers(models, _part(batch, models)), _of(models, whole))
    shared, repeated = (Batch(x, batch.target, batch.noise) for x in (batch.x[:1], batch.x[:1].expand_as(batch.x)))
    _require_same(f"models that share their rows{how}", answers(every, shared), answers(every, repeated))


def _check_rows(how: str, answers: Callable[[Batch], Answers], batch: Batch, rng) -> None:
    """Check that rows have no order, and that those of weight 0 move neither the others nor penalties nor norms."""
    n = batch.x.shape[1]
    order, absent = torch.from_numpy(rng.permutation(n)), torch.from_numpy(rng.random(n) < 0.3)
    found = answers(_part(batch, rows=order))
    _require_same(f"rows in another order{how}", found, _rows(answers(batch), order))
    target = batch.target.take(torch.arange(n)[None], ~absent[None])
    padded = Batch(torch.where(absent[:, None], 50.0, batch.x), target, batch.noise)
    present = (~absent).nonzero()[:, 0]
    alone = answers(_part(batch, rows=present))
    _require_same(f"rows beside rows of weight 0{how}", _rows(answers(padded), present), alone)


def _check_solve(net: Net, head: Head, batch: Batch, lam: Answers, rng) -> None:
    """Check what is solved for, from a solution on, and leave the net with one."""
    if type(net).solve is Net.solve:
        return

    def solved(models: list[int], part: Batch) -> Answers:
        one = net.rows(models)
        one.solve(part, head, _of(models, lam))
        return _state(one)

    every, index = list(range(MODELS)), torch.arange(batch.x.shape[1])[None]
    net.eval().solve(batch, head, lam)
    for training, how in ((True, ", solved for a step"), (False, ", solved for evaluation")):
        net.train(training)
        _check_alone(how, solved, batch)
        _check_rows(how, lambda part: solved(every, part), batch, rng)
        silent = solved(every, Batch(batch.x, batch.target.take(index, index < 0), batch.noise))
        _require_same(f"models whose rows say nothing{how}", silent, _state(net))


def _check_state(net: Net, make_net: Callable[[int], Net], batch: Batch) -> None:
    """Check that a new net which takes on the state dict gives the same answers, to the last bit."""
    other = make_net(1).double().adopt({name: value.clone() for name, value in net.state_dict().items()})
    require(other.models == MODELS, "adopt does not count the models.")
    outputs = [{"the kept output": each.eval()(batch.x)[0]} | _answers(each, batch) for each in (net, other)]
    for name, value in outputs[0].items():
        require(torch.equal(outputs[1][name], value), f"{name} of a net that took on the state dict is another.")


def _check_prox(net: Net, lam: Answers) -> None:
    if type(net).prox is Net.prox:
        return

    def moved(models: list[int], lam: Answers, lr: Tensor, start: Net = net) -> tuple[Net, Answers]:
        one = start.rows(models)
        one.prox(_of(models, lam), lr[models])
        return one, _state(one) | {"the penalty of the step": torch.as_tensor(one.nonsmooth(_of(models, lam)))}

    every, lr = list(range(MODELS)), torch.tensor([0.4, 0.0, 0.1], dtype=torch.float64)
    none = {name: torch.zeros_like(value) for name, value in lam.items()}
    for models in PICKS:
        whole = _of(models, moved(every, lam, lr)[1])
        _require_same(f"models {models} moved by themselves", moved(models, lam, lr)[1], whole)
    start, before = moved(every, lam, 0 * lr)  # brings the models within their bounds
    for what, weights, length in (("0", lam, 0 * lr), ("no penalty", none, lr)):
        found = _state(moved(every, weights, length, start)[0])
        _require_same(f"a model within its bounds after a proximal step of {what}", found, _state(start))
    _, after = moved(every, lam, lr, start)
    fall = lr * (before["the penalty of the step"] - after["the penalty of the step"])
    distance = sum(((after[name] - value) ** 2).flatten(1).sum(1) / 2 for name, value in _state(start).items())
    require(bool((distance <= fall + 1e-12).all()), "prox moves a model further than its penalty falls.")


def _check_shapes(net: Net, batch: Batch) -> None:
    n = batch.x.shape[1]
    for name, value in net.state_dict().items():
        require(value.shape[:1] == (MODELS,), f"the state {name!r} has shape {tuple(value.shape)}, not one per model.")
    net.train()
    eta, parts = net(batch.x, batch.noise, batch.target.weight)
    require(eta.shape == (MODELS, n, net.k), f"the output has shape {tuple(eta.shape)}.")
    for name, value in net.penalties(parts, batch).items():
        require(value.shape == (MODELS,), f"the penalty {name!r} has shape {tuple(value.shape)}, not one per model.")
        require(name in net.penalty_names, f"the penalty {name!r} is not among penalty_names.")
    net.eval()
    parts = net(batch.x)[1]
    for name, shape in {"gate": (net.p,), "coef": (net.p, net.k), "offset": (net.k,)}.items():
        found = tuple(parts[name].shape) if name in parts else (MODELS, n, *shape)
        require(found == (MODELS, n, *shape), f"parts[{name!r}] has shape {found} instead of {(MODELS, n, *shape)}.")
    selected = net.selected(parts)
    right = selected.dtype is torch.bool and selected.shape == batch.x.shape
    require(right, f"selected is {selected.dtype} of shape {tuple(selected.shape)}.")
    require(net.predict(batch.x[0]).shape == eta.shape, "predict of a stack has another shape than the output.")
    require(net.rows([0]).predict(batch.x[0]).shape == (n, net.k), "predict of one model keeps the leading dimension.")


def _check_initial_weights(make_net: Callable[[int], Net]) -> None:
    stack = make_net(MODELS).initialize(seeded(range(MODELS)))
    for b in range(MODELS):
        alone = make_net(1).initialize(seeded([b]))
        for (name, one), many in zip(alone.named_parameters(), stack.parameters(), strict=True):
            require(bool((one[0] == many[b]).all()), f"the initial {name} of a model depends on the others.")


def _check_evaluation(net: Net, batch: Batch) -> None:
    net.eval()
    (eta, parts), again = net(batch.x), net(batch.x)[0]
    require(bool((eta == again).all()), "two evaluation passes differ.")
    selected = net.selected(parts)
    if "gate" in parts:
        require(bool((selected == (parts["gate"] > 0)).all()), "selected is not where the gate is open.")
    if "coef" in parts:
        linear = (parts["coef"] * batch.x[..., None]).sum(2) + parts["offset"]
        require_close("sum coef * x + offset", linear, eta)
        require(not bool(parts["coef"][~selected].any()), "a column that is not selected has a coefficient.")
    gate = parts.get("gate", selected)
    sums, none = net.begin(batch.x, gate), net.begin(torch.zeros_like(batch.x), gate)
    require_close("begin, of the middle between a row and 0", net.begin(batch.x / 2, gate), (sums + none) / 2)
    main = net.main_effect(batch.x[..., net.context]) if getattr(net, "main", None) is not None else 0.0
    require_close("finish of begin", net.finish(sums) + main, eta)


def _check_net_gradient(net: Net, head: Head, batch: Batch, lam: Answers, rng) -> None:
    net.train()
    for name, parameter in net.named_parameters():
        at = parameter.detach().clone()

        def loss(shift: Tensor, parameter=parameter, at=at) -> Tensor:
            parameter.data = at + shift
            return objective(net, head, batch, lam)[0].detach()

        gradient = torch.autograd.grad(objective(net, head, batch, lam)[0].sum(), parameter)[0]
        require_close(f"the gradient by {name}", *slopes(loss, gradient, at, rng, 1e-6), 1e-5, 1e-7)
        parameter.data = at
