import importlib
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from nets.cases import CASES, P, takes

from survlspin.errors import InputError, InputWarning
from survlspin.heads import Bernoulli, Cox, Multinomial
from survlspin.outcome import Outcome
from survlspin.response import Response
from survlspin.train import Data, Rows, Settings, fit
from survlspin.train.evaluate import evaluate, refresh
from survlspin.train.fit import penalty_weights, seeded
from survlspin.train.optim import Buffer, make_optimizer
from survlspin.train.step import step

MODULE = importlib.import_module("survlspin.train.fit")  # the function of this name hides it in the package
TRAINING = "survlspin.train.training"
MODELS, N = 8, 130
FULL = Settings(epochs=50, batch_size=None, lr=0.02)
BATCHES = Settings(epochs=14, batch_size=16, lr=0.02)  # 3 to 5 batches an epoch
NETS = ["LSPIN", "LSPIN context groups", "LLSPIN deep norm", "Dense norm"]


def survival(n=N, seed=0, weight=None, events=None):
    """Rows whose first two columns matter, times with ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, P))
    time = np.ceil(8 * rng.exponential(np.exp(x[:, 1] - x[:, 0])))
    event = (rng.random(n) < 0.7).astype(int) if events is None else np.isin(np.arange(n), events).astype(int)
    return x, Outcome(time, event, weight=weight)


def data_of(x, outcome, head=None):
    return Data(torch.from_numpy(x), (head or Cox()).prepare(outcome))


def folds(models=MODELS, n=N, seed=1):
    """Training and validation rows of each model, of unequal number."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n) for _ in range(models)]
    sizes = 40 + 5 * np.arange(models)
    return [o[:s] for o, s in zip(orders, sizes, strict=True)], [o[s:] for o, s in zip(orders, sizes, strict=True)]


def made(name, models=MODELS, seed=0, head=None):
    return CASES[name](models, head or Cox()).double().initialize(seeded(range(seed, seed + models)))


def lams(net, value=0.01):
    return penalty_weights(net, dict.fromkeys(net.penalty_names, value))


def values(net):
    return torch.cat([p.detach().flatten(1) for p in net.parameters()], 1)


def trained(name, settings, models=range(MODELS), data=None, checked=True, seed=100, head=None):
    """The models picked, trained in one stack; each has its own folds and seed, so that it is the same in any stack."""
    models, head = list(models), head or Cox()
    data = data_of(*survival()) if data is None else data
    net = made(name, head=head).rows(models)
    train_rows, valid_rows = ([rows[b] for b in models] for rows in folds(n=len(data.x)))
    check = (data, valid_rows) if checked else ()
    generators = seeded([seed + b for b in models])
    return net, fit(net, head, data, train_rows, lams(net), generators, settings, *check)


def require_equal(stack, alone, models, tolerance=1e-9):
    """Demand that models of a stack ended as by themselves: weights, epochs, objectives."""
    (net, history), (one, own) = stack, alone
    x = torch.from_numpy(survival()[0])
    outputs, own_outputs = (each.cpu().eval().predict(x[None]) for each in (net, one))
    torch.testing.assert_close(outputs[models], own_outputs, rtol=tolerance, atol=tolerance)
    idle = 10 if net.derived else 1  # biases before a norm have a gradient of 0, and Adam moves them by its rounding
    torch.testing.assert_close(values(net)[models], values(one), rtol=tolerance, atol=idle * tolerance)
    np.testing.assert_array_equal(history.best_epoch[models], own.best_epoch)
    np.testing.assert_array_equal(history.skipped[models], own.skipped)
    np.testing.assert_allclose(history.objective[models], own.objective, rtol=tolerance)
    np.testing.assert_allclose(history.nll[models], own.nll, rtol=tolerance)


# ---- a stack is its models, each alone ----


@pytest.mark.parametrize("settings", [FULL, BATCHES], ids=["full batch", "minibatches"])
@pytest.mark.parametrize("name", NETS)
def test_a_stack_of_8_is_each_alone(name, settings):
    stack = trained(name, settings)
    for b in range(MODELS) if name == "LSPIN" else (0, 5):
        require_equal(stack, trained(name, settings, [b]), [b])


@pytest.mark.parametrize(("predicts", "batch_size"), [("survival", None), ("survival", 16), ("classes", 16)])
@pytest.mark.parametrize("name", CASES)
def test_every_net_in_a_stack_is_itself_alone(name, predicts, batch_size):
    settings = replace(FULL, epochs=20) if batch_size is None else replace(BATCHES, epochs=5)
    (x, outcome), head, models = survival(), Cox(), [0, 4, 7]
    if predicts == "classes":
        head = Multinomial(3) if takes(name, Multinomial(3)) else Bernoulli()
        outcome = Response(np.clip(outcome.time // 4, 0, max(head.k, 2) - 1).astype(int))
    data = data_of(x, outcome, head)
    stack, alone = (trained(name, settings, picked, data, head=head) for picked in (models, models[1:2]))
    require_equal(stack, alone, [1])


def test_a_model_of_one_batch_is_itself_beside_models_of_two():
    settings = replace(BATCHES, batch_size=64)  # 40 rows are one batch, 75 are two
    stack = trained("LSPIN", settings)
    for b in (0, MODELS - 1):
        require_equal(stack, trained("LSPIN", settings, [b]), [b])


@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_stack_is_each_alone_when_models_stop_at_different_times(batch_size, monkeypatch):
    monkeypatch.setattr(f"{TRAINING}.STEPS_PER_EVALUATION", 1)
    settings = Settings(
        epochs=60, batch_size=batch_size, lr=0.1 if batch_size is None else 0.03, patience=2, average=0.5
    )
    stack = trained("LLSPIN", settings)
    stopped = np.isfinite([objective for _, objective in stack[1].trace]).sum(0)
    assert len(set(stopped)) >= 4
    for b in range(MODELS):
        require_equal(stack, trained("LLSPIN", settings, [b]), [b])


@pytest.mark.parametrize("name", ["LSPIN", "Dense norm"])
def test_a_stack_may_be_split(name, monkeypatch):
    whole = trained(name, BATCHES)
    monkeypatch.setattr(MODULE, "ROWS_PER_STEP", 3 * BATCHES.batch_size)
    split = trained(name, BATCHES)
    require_equal(split, whole, range(MODELS))
    assert len(split[1].trace) > len(whole[1].trace)


def test_shared_rows_are_rows_named_for_each_model():
    data, (rows, check) = data_of(*survival()), (r[:2] for r in folds())
    runs = []
    for times in (1, 2):  # 2 sets of rows for 4 models in pairs, or 4 sets of rows
        net = made("LSPIN", 4)
        sets = [[r for r in own for _ in range(times)] for own in (rows, check)]
        history = fit(net, Cox(), data, sets[0], lams(net), seeded(range(4)), BATCHES, data, sets[1])
        runs.append((net, history))
    require_equal(*runs, range(4))


# ---- seeds ----


@pytest.mark.parametrize("settings", [FULL, BATCHES], ids=["full batch", "minibatches"])
def test_two_runs_with_one_seed_are_bit_identical_whatever_the_global_generators(settings):
    runs, states = [], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        states.append((torch.get_rng_state(), np.random.get_state()[1].copy()))  # noqa: NPY002
        runs.append(trained("LSPIN", settings))
        assert torch.equal(torch.get_rng_state(), states[-1][0])
        np.testing.assert_array_equal(np.random.get_state()[1], states[-1][1])  # noqa: NPY002
    assert torch.equal(values(runs[0][0]), values(runs[1][0]))
    np.testing.assert_array_equal(runs[0][1].objective, runs[1][1].objective)
    other = trained("LSPIN", settings, seed=500)
    assert not torch.allclose(values(runs[0][0]), values(other[0]), rtol=1e-3)


# ---- what is done to the weights ----


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_full_batches_without_noise_are_plain_steps_and_a_moving_average(average):
    settings = replace(FULL, average=average, optimizer="sgd", epochs=30)
    net, history = trained("Dense norm", settings, [0], checked=False)
    data, peer = data_of(*survival()), made("Dense norm").rows([0])
    rows = Rows(folds()[0][:1])
    batch, buffer = data.take(rows.index), Buffer(peer.train())
    mean, lr = buffer.value.clone(), torch.tensor([settings.lr], dtype=torch.float64)
    for taken in range(1, 31):
        step(peer, Cox(), batch, {}, buffer, make_optimizer("sgd", buffer), lr)
        keep = min(average, taken / (taken + 10))
        mean = keep * mean + (1 - keep) * buffer.value
    torch.testing.assert_close(values(net), mean, rtol=1e-7, atol=1e-9)  # the decay is made in float32
    assert history.best_epoch == [30]


@pytest.mark.parametrize(("name", "split"), [*((name, False) for name in NETS), ("LSPIN", True), ("Dense norm", True)])
def test_the_best_weights_are_those_returned(name, split, monkeypatch):
    monkeypatch.setattr(f"{TRAINING}.STEPS_PER_EVALUATION", 1)
    if split:
        monkeypatch.setattr(MODULE, "ROWS_PER_STEP", 3 * BATCHES.batch_size)
    net, history = trained(name, replace(BATCHES, lr=0.1, patience=99, average=0.0))
    data, valid_rows = data_of(*survival()), Rows(folds()[1])
    objective, nll = evaluate(net, Cox(), data, valid_rows, lams(net))
    np.testing.assert_allclose(objective, history.objective, rtol=1e-11)
    np.testing.assert_allclose(nll, history.nll, rtol=1e-11)
    epochs, trace = zip(*history.trace, strict=True)
    for b in range(MODELS):
        mine = {e: t[b] for e, t in zip(epochs, trace, strict=True) if np.isfinite(t[b])}
        assert history.objective[b] == min(mine.values())
        assert mine[history.best_epoch[b]] == history.objective[b]
    assert (history.best_epoch < BATCHES.epochs).any()


def test_a_trained_net_is_in_evaluation_mode():
    assert not trained("Dense norm", replace(FULL, epochs=1))[0].training


def test_a_model_without_a_number_for_an_objective_keeps_its_first_weights():
    data, net = data_of(*survival()), made("Dense linear", 2)
    with torch.no_grad():
        net.predictor.affine[0].weight[1] = torch.nan
    rows, check = [np.arange(100)] * 2, [np.arange(100, N)] * 2
    with pytest.warns(InputWarning, match="SL-417 training of 1 of 2 models left the numbers, first in epoch 20;"):
        history = fit(net, Cox(), data, rows, {}, seeded([0, 1]), FULL, data, check)
    assert np.isfinite(history.objective).tolist() == [True, False]
    assert history.best_epoch[1] == 0
    assert history.lost.tolist() == [0, 20]
    assert values(net).isnan().all(1).tolist() == [False, True]


class Breaks(Cox):
    """A head whose loss is no number after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def nll(self, eta, target):
        self.steps -= eta.requires_grad
        loss = super().nll(eta, target)
        return loss * torch.nan if self.steps < 0 and eta.requires_grad else loss


@pytest.mark.parametrize("checked", [True, False])
def test_76_a_loss_that_is_no_number_stops_training_and_the_best_weights_are_restored(checked):
    """The loss breaks in step 50 of 80; evaluations are after 20, 40 and 60."""
    data, settings = data_of(*survival()), replace(FULL, epochs=80, patience=9)
    ended = []
    for head, epochs in ((Breaks(49), 80), (Cox(), 40)):
        net, seen, how = made("Dense linear", 1), [], replace(settings, epochs=epochs)
        arguments = (data if checked else None, [np.arange(100, N)], lambda *now, seen=seen: seen.append(now))
        with pytest.warns(InputWarning, match="epoch 60; the best before is kept") if epochs == 80 else nullcontext():
            history = fit(net, head, data, [np.arange(100)], {}, seeded([0]), how, *arguments)
        ended.append((values(net), history.best_epoch[0], history.lost[0], len(seen)))
    (broken, best, lost, epochs), (whole, whole_best, _, _) = ended
    assert (lost, epochs, best) == (60, 60, whole_best)
    torch.testing.assert_close(broken, whole, rtol=0, atol=0)


@pytest.mark.parametrize("checked", [False, True])
def test_norms_have_the_statistics_of_the_training_rows(checked):
    net, _ = trained("LLSPIN deep norm", BATCHES, checked=checked)
    data = data_of(*survival())
    before = net.eval().predict(data.x)
    refresh(net, Cox(), data, Rows(folds()[0]), {})
    torch.testing.assert_close(before, net.predict(data.x), rtol=1e-10, atol=1e-12)


def test_without_validation_rows_the_last_average_is_kept():
    net, history = trained("LSPIN", BATCHES, checked=False)
    np.testing.assert_array_equal(history.best_epoch, BATCHES.epochs)
    assert np.isnan(history.nll).all()
    assert np.isinf(history.objective).all()
    shorter, _ = trained("LSPIN", replace(BATCHES, epochs=BATCHES.epochs - 1), checked=False)
    assert not torch.allclose(values(net), values(shorter), rtol=1e-4)


# ---- when it stops, what it counts ----


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_and_epochs_are_respected(patience, monkeypatch):
    monkeypatch.setattr(f"{TRAINING}.STEPS_PER_EVALUATION", 1)
    seen = []
    data, net, (rows, valid_rows) = data_of(*survival()), made("Dense norm"), folds()
    settings = Settings(epochs=40, batch_size=16, lr=0.05, patience=patience, average=0.0)
    generators = seeded(range(MODELS))
    history = fit(
        net, Cox(), data, rows, {}, generators, settings, data, valid_rows, progress=lambda *now: seen.append(now)
    )
    for objective in np.transpose([objective for _, objective in history.trace]):
        mine = objective[np.isfinite(objective)]
        clearly, best, last = 1e-4, np.inf, 0
        for i, value in enumerate(mine):
            if value < (1 - clearly) * best:
                last = i
            best = min(best, value)
        assert len(mine) == min(last + 1 + patience, 40)
    assert [now[0] for now in seen] == list(range(1, len(seen) + 1))
    assert {now[1] for now in seen} == {40}
    assert [now[2] for now in seen] == sorted((now[2] for now in seen), reverse=True)
    assert seen[-1][2] == 0


def test_small_data_are_not_evaluated_after_every_epoch():
    _, history = trained("Dense norm", FULL)
    assert [epoch for epoch, _ in history.trace] == [20, 40, 50]


def test_batches_without_events_make_no_step_and_are_counted():
    x, outcome = survival(events=[3, 70])
    data, net = data_of(x, outcome), made("LSPIN", 3)
    rows = [np.arange(60), np.arange(100), np.arange(4, 64)]  # one event, two, none
    before = values(net)
    settings = replace(BATCHES, average=0.0)
    history = fit(net, Cox(), data, rows, lams(net), seeded(range(3)), settings)
    assert history.skipped[0] == settings.epochs * 3  # of 4 batches
    assert settings.epochs * 5 <= history.skipped[1] <= settings.epochs * 6  # of 7
    assert history.skipped[2] == settings.epochs * 4
    moved = (values(net) != before).any(1)
    assert moved.tolist() == [True, True, False]


# ---- the rows ----


@pytest.mark.parametrize("name", ["Dense", "LSPIN"])
def test_order_of_rows_leaves_the_model(name):
    x, outcome = survival()
    order = np.random.default_rng(3).permutation(N)
    models = []
    for rows in (np.arange(N), order):
        net = made(name, 1)
        net.sigma = 1e-30  # noise belongs to positions, not to patients
        fit(net, Cox(), data_of(x[rows], outcome.take(rows)), [np.arange(N)], lams(net), seeded([0]), FULL)
        models.append(values(net))
    torch.testing.assert_close(*models, rtol=1e-8, atol=1e-10)


def test_a_whole_weight_is_repetition():
    weight = (np.arange(N) % 4).astype(float)
    x, outcome = survival(weight=weight)
    rows, head = np.repeat(np.arange(N), np.arange(N) % 4), Cox("breslow")
    models = []
    for data in (data_of(x, outcome, head), data_of(x[rows], survival()[1].take(rows), head)):
        net = made("Dense norm", 1)
        fit(net, head, data, [np.arange(len(data.x))], {}, seeded([0]), FULL)
        models.append(net.eval().predict(torch.from_numpy(x)))
    torch.testing.assert_close(*models, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["LSPIN", "Dense norm"])
def test_evaluation_in_blocks_is_evaluation(name, monkeypatch):
    net, data, rows = made(name), data_of(*survival(weight=np.arange(N) % 5 / 2)), Rows(folds()[1])
    refresh(net, Cox(), data, Rows(folds()[0]), {})
    whole = evaluate(net, Cox(), data, rows, lams(net))
    monkeypatch.setattr("survlspin.train.evaluate.CHUNK", 7 * MODELS)
    for found, expected in zip(evaluate(net, Cox(), data, rows, lams(net)), whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def test_lambda_per_model_and_its_refusals():
    net = made("LSPIN", 2)
    assert penalty_weights(net, {"gates": [0.1, 0.2]})["gates"].tolist() == [0.1, 0.2]
    assert penalty_weights(net, {"gates": 0.1})["gates"].dtype == torch.float64
    for bad in (-0.1, float("nan"), float("inf"), [0.1, -0.1]):
        with pytest.raises(InputError, match="SL-406"):
            penalty_weights(net, {"gates": bad})


def test_a_larger_lambda_closes_gates():
    data, net = data_of(*survival()), made("LSPIN", 2)
    lam = penalty_weights(net, {"gates": [0.0, 1.0]})
    fit(net, Cox(), data, [np.arange(N)], lam, seeded([0, 0]), replace(BATCHES, lr=0.05))
    open_gates = net.selected(net.eval()(data.x)[1]).sum((1, 2))
    assert open_gates[1] < 0.5 * open_gates[0]


@pytest.mark.cuda
@pytest.mark.parametrize("settings", [FULL, BATCHES], ids=["full batch", "minibatches"])
@pytest.mark.parametrize("name", NETS)
def test_a_gpu_gives_the_same_models(name, settings):
    data = data_of(*survival())
    expected = trained(name, settings)
    there = Data(data.x.cuda(), data.target.to("cuda"))
    train_rows, valid_rows = folds()
    net = made(name).cuda()
    generators = seeded(range(100, 100 + MODELS))
    history = fit(net, Cox(), there, train_rows, lams(net), generators, settings, there, valid_rows)
    assert {tensor.device.type for tensor in (*net.parameters(), *net.buffers())} == {"cuda"}
    assert net.predict(there.x).is_cuda
    require_equal((net, history), expected, range(MODELS), 1e-7)


def warmed(lam, warm_up, epochs=4, lr=0.02, patience=3):
    """A net trained with a warm-up, and its history."""
    net, data = made("LSPIN"), data_of(*survival())
    settings = Settings(epochs, None, lr, patience=patience, average=0.0, warm_up=warm_up)
    rows, valid_rows = folds()
    return net, fit(net, Cox(), data, rows, lams(net, lam), seeded(range(MODELS)), settings, data, valid_rows)


def test_a_penalty_does_not_count_in_the_steps_of_its_warm_up():
    free, held, late = (warmed(*each) for each in ((0.0, {}), (0.5, {"gates": 4}), (0.5, {"gates": 3})))
    assert torch.equal(values(free[0]), values(held[0]))  # of all 4 epochs
    assert not torch.equal(values(free[0]), values(late[0]))
    assert (held[1].objective > held[1].nll + 0.1).all()  # it counts in the validation objective


@pytest.mark.parametrize("warm_up", [{}, {"gates": 30}])
def test_no_model_stops_in_a_warm_up(warm_up, monkeypatch):
    monkeypatch.setattr(f"{TRAINING}.STEPS_PER_EVALUATION", 1)
    evaluations = len(warmed(0.1, warm_up, epochs=40, lr=0.8, patience=1)[1].trace)
    assert (evaluations > 30) is bool(warm_up)


def test_a_warm_up_of_no_penalty_is_refused():
    with pytest.raises(InputError, match=r"SL-407 warm_up names 'gate'.*did you mean 'gates'"):
        warmed(0.1, {"gate": 3})
    with pytest.raises(InputError, match="SL-406 warm_up"):
        warmed(0.1, {"gates": -3})
