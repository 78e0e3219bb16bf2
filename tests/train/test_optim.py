import pytest
import torch

from survlspin.errors import InputError
from survlspin.heads import Cox
from survlspin.nets import LSPIN, Dense
from survlspin.train.fit import seeded
from survlspin.train.optim import OPTIMIZERS, Buffer, make_optimizer

MODELS, SIZE, STEPS = 3, 7, 20
PEERS = {
    "adam": lambda p, lr, decay: torch.optim.Adam([p], lr=lr, weight_decay=decay),
    "adamw": lambda p, lr, decay: torch.optim.AdamW([p], lr=lr, weight_decay=decay),
    "sgd": lambda p, lr, decay: torch.optim.SGD([p], lr=lr, weight_decay=decay),
}


class Plain:
    """A buffer's values alone."""

    def __init__(self, value):
        self.value = value


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(name, decay, moved, lr, keep_at=None):
    """Values after 20 steps of given gradients; after step `keep_at` model 0 leaves."""
    value = normal(MODELS, SIZE)
    optimizer = make_optimizer(name, Plain(value), decay)
    rows = torch.arange(MODELS)
    for i in range(STEPS):
        grad = normal(MODELS, SIZE, seed=i + 1)[rows]
        optimizer.step(value, grad, lr[rows], moved[i][rows])
        if i == keep_at:
            value, rows = value[1:].clone(), rows[1:]
            optimizer.keep(torch.tensor([1, 2]))
    return value


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_row_moves_as_by_torch_and_only_when_it_should(name, decay, stops):
    lr = torch.tensor([0.01, 0.1, 0.5], dtype=torch.float64)
    moved = normal(STEPS, MODELS, seed=99) > 0 if stops else torch.ones(STEPS, MODELS, dtype=torch.bool)
    value = run(name, decay, moved, lr)
    for b in range(MODELS):
        parameter = normal(MODELS, SIZE)[b].clone().requires_grad_()
        peer = PEERS[name](parameter, lr[b].item(), decay)
        for i in range(STEPS):
            if moved[i, b]:
                parameter.grad = normal(MODELS, SIZE, seed=i + 1)[b]
                peer.step()
        torch.testing.assert_close(value[b], parameter.detach(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_that_stay_do_not_feel_that_another_leaves(name):
    lr, moved = torch.full((MODELS,), 0.1, dtype=torch.float64), normal(STEPS, MODELS, seed=5) > -1
    torch.testing.assert_close(run(name, 0.1, moved, lr, keep_at=8), run(name, 0.1, moved, lr)[1:], rtol=0, atol=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_row_that_does_not_move_keeps_value_and_state(name):
    value = normal(MODELS, SIZE)
    optimizer = make_optimizer(name, Plain(value), 0.1)
    lr = torch.full((MODELS,), 0.1, dtype=torch.float64)
    optimizer.step(value, normal(MODELS, SIZE, seed=1), lr, torch.ones(MODELS, dtype=torch.bool))
    before = {"value": value.clone(), **{k: v.clone() for k, v in optimizer.state.items()}}
    optimizer.step(value, normal(MODELS, SIZE, seed=2), lr, torch.tensor([True, False, True]))
    for key, old in before.items():
        new = value if key == "value" else optimizer.state[key]
        assert torch.equal(new[1], old[1])
        assert not torch.equal(new[0], old[0])


def test_the_optimisers_and_decays_differ():
    lr, moved = torch.full((MODELS,), 0.1, dtype=torch.float64), torch.ones(STEPS, MODELS, dtype=torch.bool)
    ends = [run(name, decay, moved, lr) for name in OPTIMIZERS for decay in (0.0, 0.1)]
    same = [(i, j) for i in range(6) for j in range(i) if torch.allclose(ends[i], ends[j])]
    without_decay = {name: 2 * i for i, name in enumerate(OPTIMIZERS)}
    assert same == [(without_decay["adamw"], without_decay["adam"])]


def test_the_parameters_are_views_of_the_buffer():
    net = LSPIN(4, models=2).double().initialize(seeded([0, 1]))
    x = normal(9, 4)
    buffer = Buffer(net)
    before = net(x)[0]
    buffer.value.mul_(2)
    assert not torch.equal(net(x)[0], before)
    start = 0
    for parameter in net.parameters():
        size = parameter[0].numel()
        assert torch.equal(parameter.detach().flatten(1), buffer.value[:, start : start + size])
        start += size
    assert start == buffer.value.shape[1]


def test_the_gradient_of_a_sum_is_each_models_own():
    net = Dense(4, head=Cox(), models=2).double().initialize(seeded([0, 1]))
    x = normal(9, 4)
    both = Buffer(net).gradient(net(x)[0].square().sum())
    for b in range(2):
        one = net.rows([b])
        torch.testing.assert_close(Buffer(one).gradient(one(x)[0].square().sum())[0], both[b], rtol=1e-12, atol=1e-14)


def test_an_unknown_optimiser_is_refused():
    with pytest.raises(InputError, match="SL-405"):
        make_optimizer("lion", Plain(normal(1, 2)))
