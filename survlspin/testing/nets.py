"""The contract of a net."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..heads import Head, Target
from ..nets import Net
from ..outcome import Outcome
from ..train.fit import seeded
from ..train.step import Batch, objective
from .common import MODELS, cohort, require, require_close, slopes


def check_net(make_net: Callable[[int], Net], head: Head, outcome: Outcome | None = None, seed: int = 0) -> None:
    """Check what training relies on in a net.

    The shapes of what it returns; models in a stack are each what they are alone, from their initial weights on; the
    order of rows does not matter; rows of weight 0 are absent; the gradient is that of the objective; an evaluation
    pass repeats itself, is as linear as ``parts["coef"]`` says and uses the columns that `selected` names.

    Parameters
    ----------
    make_net : callable
        Takes the number of models; returns the net.
    head : Head
        The head the net is for.
    outcome : Outcome, optional
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
    whole = _answers(net, batch)
    _check_shapes(net, batch)
    _check_initial_weights(make_net)
    for models in ([0], [1], [2], [1, 0, 1]):
        found = _answers(net.rows(models), _part(batch, models))
        _require_same(f"models {models} by themselves", found, {name: value[models] for name, value in whole.items()})
    shared, repeated = (Batch(x, batch.target, batch.noise) for x in (batch.x[:1], batch.x[:1].expand_as(batch.x)))
    _require_same("models that share their rows", _answers(net, shared), _answers(net, repeated))
    order = torch.from_numpy(rng.permutation(batch.x.shape[1]))
    _require_same("rows in another order", _answers(net, _part(batch, rows=order)), _rows(whole, order))
    _check_absent_rows(net, batch, rng)
    _check_evaluation(net, batch)
    _check_net_gradient(net, head, batch, rng)


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


def _answers(net: Net, batch: Batch) -> dict[str, Tensor]:
    """Return outputs and penalties of a training pass and outputs of the evaluation pass after it."""
    net.train()
    eta, parts = net(batch.x, batch.noise, batch.target.weight)
    answers = {"the training output": eta}
    answers |= {f"the penalty {name!r}": value for name, value in net.penalties(parts, batch).items()}
    net.eval()
    eta, parts = net(batch.x)
    return answers | {"the output": eta, "the selection": net.selected(parts).to(eta.dtype)}


def _rows(answers: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: value if value.dim() == 1 else value[:, rows] for name, value in answers.items()}


def _require_same(what: str, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        require_close(f"{name} of {what}", found[name], value)


def _check_shapes(net: Net, batch: Batch) -> None:
    n = batch.x.shape[1]
    net.train()
    eta, parts = net(batch.x, batch.noise, batch.target.weight)
    require(eta.shape == (MODELS, n, net.k), f"the output has shape {tuple(eta.shape)}.")
    for name, value in net.penalties(parts, batch).items():
        require(value.shape == (MODELS,), f"the penalty {name!r} has shape {tuple(value.shape)}, not one per model.")
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


def _check_absent_rows(net: Net, batch: Batch, rng) -> None:
    """Check that rows of weight 0 do not move the others, the penalties or the norms."""
    absent = torch.from_numpy(rng.random(batch.x.shape[1]) < 0.3)
    index = torch.arange(len(absent))[None]
    x = torch.where(absent[:, None], 50.0, batch.x)
    padded = Batch(x, batch.target.take(index, ~absent[None]), batch.noise)
    present = (~absent).nonzero()[:, 0]
    found = _rows(_answers(net, padded), present)
    _require_same("rows beside rows of weight 0", found, _answers(net, _part(batch, rows=present)))


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


def _check_net_gradient(net: Net, head: Head, batch: Batch, rng) -> None:
    net.train()
    lam = {name: torch.full((MODELS,), 0.3, dtype=torch.float64) for name in _penalty_names(net, batch)}
    for name, parameter in net.named_parameters():
        at = parameter.detach().clone()

        def loss(shift: Tensor, parameter=parameter, at=at) -> Tensor:
            parameter.data = at + shift
            return objective(net, head, batch, lam)[0].detach()

        gradient = torch.autograd.grad(objective(net, head, batch, lam)[0].sum(), parameter)[0]
        require_close(f"the gradient by {name}", *slopes(loss, gradient, at, rng, 1e-6), 1e-5, 1e-7)
        parameter.data = at


def _penalty_names(net: Net, batch: Batch) -> list[str]:
    return list(net.penalties(net(batch.x, batch.noise, batch.target.weight)[1], batch))
