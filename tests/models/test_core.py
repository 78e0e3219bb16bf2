"""The pycox face takes the steps of the training core."""

import copy

import numpy as np
import pytest
import torch
from cox_rows import GATES, KINDS, cox_rows, make, quiet, weights

from survlspin import heads
from survlspin._pycox import tt
from survlspin.outcome import Outcome
from survlspin.train import Batch, Data, Settings, step
from survlspin.train.fit import fit as core_fit
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.optim import Buffer, make_optimizer


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


class Fixed:
    """The same draws for the core and for pycox's face, a new set for every step."""

    def __init__(self, steps, n, gates, dtype):
        self.draws = torch.randn(steps, n, gates, generator=torch.Generator().manual_seed(7), dtype=dtype)
        self.taken = 0

    def __call__(self, n, n_gates):
        self.taken += 1
        return self.draws[self.taken - 1]


@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-6), (True, 1e-9)])
@pytest.mark.parametrize(
    ("name", "optimizer", "lr", "ties"),
    [("sgd", tt.optim.SGD, 0.05, "breslow"), ("adam", tt.optim.Adam, 0.01, "efron")],
)
def test_twenty_full_batch_steps_equal_the_core(kind, name, optimizer, lr, ties, double, tolerance):
    x, time, event = cox_rows(100, levels=25)
    net = KINDS[kind][1](5).initialize(seeded([3]))
    net, head = net.double() if double else net, heads.Cox(ties)
    start = weights(net).clone()
    dtype = next(net.parameters()).dtype
    noise = Fixed(20, len(x), net.n_gates, dtype)
    model = make(kind, optimizer(lr), net=copy.deepcopy(net), head=head, lam=GATES[kind], noise=noise)
    quiet(model, (x, time, event), batch_size=len(x), epochs=20)

    buffer = Buffer(net.train())
    moves, lam = make_optimizer(name, buffer), penalty_weights(net, GATES[kind])
    target, rows = head.prepare(Outcome.of((time, event))), torch.from_numpy(x).to(dtype)[None]
    for draw in noise.draws:
        batch = Batch(rows, target, draw[None] if net.n_gates else None)
        step(net, head, batch, lam, buffer, moves, torch.full((1,), lr, dtype=dtype))

    assert noise.taken == (20 if net.n_gates else 0)
    assert (weights(net) - start).abs().max() > 0.01
    np.testing.assert_allclose(weights(model.net), weights(net), atol=tolerance, rtol=0)
    np.testing.assert_allclose(model.predict(x), net.eval().predict(rows[0]).detach(), atol=10 * tolerance, rtol=0)


@pytest.mark.parametrize("deaths", [120, 5])
@pytest.mark.filterwarnings("ignore:SL-117")
def test_minibatches_and_noise_are_those_of_the_core(kind, deaths):
    """With few deaths most batches hold none and make no step, not even by momentum."""
    x, time, event = cox_rows(120, levels=25)
    event[deaths:] = 0
    model = make(kind, tt.optim.Adam(0.01), double=True, lam=GATES[kind], random_state=11)
    quiet(model, (x, time, event), batch_size=10, epochs=2)

    generators, head = seeded([11]), heads.Cox()
    net = KINDS[kind][1](5).double().initialize(generators)
    data = Data(torch.from_numpy(x).double(), head.prepare(Outcome.of((time, event))))
    settings = Settings(epochs=2, batch_size=10, lr=0.01, average=0.0)
    history = core_fit(net, head, data, [np.arange(120)], penalty_weights(net, GATES[kind]), generators, settings)
    assert (history.skipped[0] > 10) == (deaths == 5)
    np.testing.assert_allclose(weights(model.net), weights(net), atol=1e-9, rtol=0)
