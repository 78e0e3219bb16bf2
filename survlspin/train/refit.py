"""The relaxed refit: what is predicted from chosen columns, learnt again without the penalties that chose them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..heads import Head, Target
from ..nets import Net
from ..nets.layers import MLP, Affine, Norm
from .fit import fit, penalty_weights
from .settings import Settings
from .step import Data

RIDGE = 1e-4  # per squared coefficient, in the unit of the loss
STEPS, ENOUGH = 100, 1e-12  # Newton steps at most; how far the loss may be above its least
REFITTED = ("predictor", "main")  # parts of a gated net that do not choose columns


def relax(
    net: Net,
    head: Head,
    train: Data,
    rows: Sequence[np.ndarray],
    generators: Sequence[torch.Generator],
    settings: Settings,
    valid: Data | None = None,
    valid_rows: Sequence[np.ndarray] = (),
    ridge: float = RIDGE,
) -> Net:
    """Return models with the same gates, whose prediction nets are refitted without penalties.

    Parameters
    ----------
    net : Net
        B trained models with gates.
    head, train, rows, generators, settings, valid, valid_rows : see `survlspin.train.fit.fit`
        The last five serve prediction nets that are trained by gradients.
    ridge : float
        Weight of half the squared coefficients where they are solved for; it keeps them finite where the rows
        separate, and makes those of columns that no gate opens 0.

    Returns
    -------
    Net
        B new models; `net` keeps its own.

    Raises
    ------
    InputError
        SL-438 where the net has no gates.

    Notes
    -----
    The gates stay what they are in an evaluation, so every row uses the columns it used before. Where the net is
    linear in the gated row, with outputs ``sum_j gate_ij x_ij beta_j`` and what the context adds, beta is the exact
    minimiser of the loss (plus the ridge), found by Newton steps in float64 at a cost of O(n p^2 k^2) each. Any other
    prediction net, and the context's effect with it, is trained on from where it is, to the best validation NLL.
    The rows that taught the gates teach the coefficients again, which can overfit: compare by validation NLL.
    This undoes the shrinkage that the penalty leaves (Meinshausen: Relaxed Lasso, Computational Statistics & Data
    Analysis 2007).
    """
    parts = net.eval()(train.x[:1])[1]
    if "gate" not in parts:
        found = f"{type(net).__name__} has no gates that choose columns."
        raise InputError("SL-438", found, "Refit a net that has, such as LSPIN or STG.")
    if "coef" in parts and min(_widths(_predictor(net))) >= net.k:
        return _solved(net, head, train, rows, ridge)
    return _trained(net, head, train, rows, generators, settings, valid, valid_rows)


def _predictor(net: Net) -> MLP:
    return cast("MLP", net.predictor)


def _widths(mlp: MLP) -> list[int]:
    """Return the outputs of every layer."""
    return [layer.weight.shape[2] for layer in cast("list[Affine]", list(mlp.affine))]


@torch.no_grad()
def _solved(net: Net, head: Head, train: Data, rows: Sequence[np.ndarray], ridge: float) -> Net:
    """Solve model by model."""
    like, models = next(net.parameters()), []
    for b in range(net.models):
        model = net.rows([b]).double().eval()
        index = torch.from_numpy(np.asarray(rows[b * len(rows) // net.models])).to(train.x.device)
        x, target = train.x[index].double()[None], train.target.take(index[None])
        eta, parts = model(x)
        z = parts.get("input", parts["gate"] * x)  # (1, n, p)
        beta, intercept = _predictor(model).collapse()
        offset = eta - z @ beta - intercept  # of the context
        if net.bias:
            z, beta = torch.cat([z, torch.ones_like(z[..., :1])], -1), torch.cat([beta, intercept], 1)
        beta = _newton(head, target, z, offset, beta, torch.arange(z.shape[2], device=z.device) < net.p, ridge)
        _put_map(_predictor(model), beta[:, : net.p], beta[:, net.p :])
        models.append(model.to(like.dtype))
    return models[0].put(models)


def _newton(head: Head, target: Target, z: Tensor, offset: Tensor, beta: Tensor, drawn: Tensor, ridge: float) -> Tensor:
    """Return the coefficients (1, q, k) of least loss on columns `z` (1, n, q), those `drawn` (q,) with the ridge."""
    pull = ridge * drawn.double()[:, None]  # (q, 1)

    def value(beta: Tensor) -> Tensor:
        return head.nll(offset + z @ beta, target)[0] + 0.5 * (pull * beta[0] ** 2).sum()

    at = value(beta)
    for _ in range(STEPS):
        quadratic = head.quadratic(offset + z @ beta, target)
        gradient = z.mT @ quadratic.gradient + pull * beta  # (1, q, k)
        hessian = quadratic.sandwich(z)[0]  # (k * q, k * q)
        diagonal = pull.expand(-1, beta.shape[2]).T.flatten() + 1e-9 * (1 + hessian.diagonal().mean())
        by_output = gradient.mT.reshape(-1, 1)
        step = torch.linalg.solve(hessian + diagonal.diag(), by_output).view(beta.mT.shape).mT
        gain = (gradient * step).sum()  # twice what a quadratic would gain
        length, new = 1.0, value(beta - step)
        while not new <= at - 0.1 * length * gain and length > 1e-4:
            length /= 2
            new = value(beta - length * step)
        if new <= at:
            beta, at = beta - length * step, new
        if not gain > 2 * ENOUGH * (1 + at.abs()) or length <= 1e-4:
            break
    return beta


def _put_map(mlp: MLP, coef: Tensor, intercept: Tensor) -> None:
    """Make a deep linear net the affine map with these coefficients (1, p, k) and intercept (1, 0 or 1, k)."""
    layers, k = cast("list[Affine]", list(mlp.affine)), coef.shape[2]
    for i, layer in enumerate(layers):
        layer.weight.zero_()[:, : coef.shape[1] if i == 0 else k, :k] = coef if i == 0 else torch.eye(k).to(coef)
        if layer.bias is not None:
            layer.bias.zero_()
    if layers[-1].bias is not None:
        layers[-1].bias.copy_(intercept)
    for norm in cast("list[Norm]", list(mlp.norm or [])):  # make it change nothing
        norm.scale.copy_((norm.var + norm.eps).sqrt())
        norm.shift.copy_(norm.mean)


def _trained(net, head, train, rows, generators, settings, valid, valid_rows) -> Net:
    """Train the prediction nets, the gates' parameters kept among the buffers meanwhile."""
    learner = net.rows(range(net.models))
    for name in [name for name, _ in learner.named_parameters() if not name.startswith(REFITTED)]:
        module, _, attribute = name.rpartition(".")
        owner = learner.get_submodule(module)
        value = getattr(owner, attribute).detach()
        delattr(owner, attribute)
        owner.register_buffer(attribute, value)
    learner.n_gates = 0  # no noise
    fit(learner, head, train, rows, penalty_weights(learner, {}), generators, settings, valid, valid_rows)
    return net.rows(range(net.models)).adopt(learner.state_dict()).eval()
