"""The pycox face: its contract with pycox, its loss, its loop, its seeds and its copies."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from cox_rows import GATES, KINDS, cox_rows, make, quiet, weights

from survlspin import heads, models, nets
from survlspin._pycox import CoxPH, tt
from survlspin.errors import InputError
from survlspin.train import Settings
from survlspin.train.fit import seeded


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


# pycox's contract


def test_is_a_pycox_model(kind):
    model = make(kind)
    assert isinstance(model, CoxPH)
    assert isinstance(model, tt.Model)
    log = quiet(model, cox_rows(), epochs=2, batch_size=100)
    assert isinstance(log, tt.cb.TrainingLogger)
    assert log is model.log
    assert list(log.to_pandas().index) == [0, 1]
    x, (durations, events) = model.training_data
    assert len(x) == len(durations) == len(events) == 300
    assert model.fit_info["batches_per_epoch"] == 3


def test_constructor_takes_pycox_arguments_in_order():
    def loss(log_h, durations, events):
        return (log_h**2).mean() + 0 * durations.sum() + 0 * events.sum()

    optimizer = tt.optim.SGD(0.1)
    model = models.DeepSurv(nets.Dense(5), optimizer, "cpu", loss)
    assert model.optimizer is optimizer
    assert model.device == torch.device("cpu")
    quiet(model, cox_rows(), epochs=30, batch_size=300)
    assert np.abs(model.predict(cox_rows()[0])).max() < 0.1
    for optimizer in (torch.optim.Adam, torch.optim.Adam(model.net.parameters(), 1e-2), tt.optim.AdamW(1e-2)):
        quiet(models.DeepSurv(model.net, optimizer), cox_rows())


def test_default_optimizer_is_adam_with_the_rate_of_the_core():
    model = models.DeepSurv(nets.Dense(5))
    assert type(model.optimizer) is tt.optim.Adam
    assert model.optimizer.param_groups[0]["lr"] == Settings().lr


def test_device_is_the_cpu_unless_named():
    model = models.DeepSurv(nets.Dense(5))
    model.set_device(None)
    assert model.device == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", 0, torch.device("cuda:1")):
        with pytest.raises(InputError, match="SL-409"):
            models.DeepSurv(nets.Dense(5), device=device)


@pytest.mark.cuda
def test_the_device_reaches_everything(kind):
    rows = cox_rows(levels=20)
    model = make(kind, device="cuda", lam=GATES[kind], random_state=0)
    quiet(model, rows, epochs=3, val_data=(rows[0], rows[1:]), callbacks=[models.EarlyStopping()])
    on_cpu = make(kind, lam=GATES[kind], random_state=0)
    quiet(on_cpu, rows, epochs=3, val_data=(rows[0], rows[1:]), callbacks=[models.EarlyStopping()])
    assert all(value.is_cuda for value in model.net.parameters())
    np.testing.assert_allclose(model.predict(rows[0]), on_cpu.predict(rows[0]), atol=1e-4)
    model.compute_baseline_hazards()
    assert model.predict_surv_df(rows[0]).shape[1] == 300


def test_data_loaders_of_torchtuples_work(kind):
    x, time, event = cox_rows()
    data = tt.tuplefy(x, (time.astype(np.float32), event.astype(np.float32)))
    train, valid = tt.make_dataloader(data, 100, shuffle=False), tt.make_dataloader(data, 100, shuffle=False)
    model = make(kind, random_state=0)
    model.fit_dataloader(train, epochs=2, val_dataloader=valid, verbose=False)
    whole = model.score_in_batches(x, (time, event), batch_size=300)
    assert model.val_metrics.scores["loss"]["score"][-1] == pytest.approx(whole["loss"], rel=1e-5)
    inputs = tt.make_dataloader(tt.tuplefy(x), 100, shuffle=False)
    np.testing.assert_allclose(model.predict(inputs), model.predict(x), atol=1e-6)


def test_optimizers_and_callbacks_of_torchtuples_work(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = cox_rows()
    model = make(kind, tt.optim.SGD(0.05, momentum=0.5))
    callbacks = [tt.cb.EarlyStopping(patience=3), tt.cb.ClipGradNorm(model.net, 1.0)]
    quiet(model, rows, epochs=5, callbacks=callbacks, val_data=(rows[0], rows[1:]))
    assert len(model.log.to_pandas()) <= 5


def test_the_learning_rate_finder_of_torchtuples_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, time, event = cox_rows()
    model = make("lspin", random_state=0)
    start = weights(model.net).clone()
    found = model.lr_finder(x, (time, event), batch_size=50, n_steps=40, tolerance=4)
    assert 1e-4 <= found.get_best_lr() <= 1
    assert torch.equal(weights(model.net), start)


# rare events


def test_rare_events_leave_no_nan(kind):
    x, time, event = cox_rows(800)
    event[np.random.default_rng(1).random(800) < 0.85] = 0
    assert 0.05 < event.mean() < 0.1
    for batch_size, epochs in ((256, 4), (16, 1)):
        model = make(kind, tt.optim.Adam(0.01), lam=GATES[kind], random_state=0)
        log = quiet(model, (x, time, event), batch_size=batch_size, epochs=epochs)
        assert torch.isfinite(weights(model.net)).all()
        assert np.isfinite(log.to_pandas()["train_loss"]).all()


# the loss


def efron_by_hand(log_h, time, event):
    total = 0.0
    for t in np.unique(time[event == 1]):
        dead, at_risk = (time == t) & (event == 1), np.exp(log_h[time >= t]).sum()
        m, own = dead.sum(), np.exp(log_h[dead]).sum()
        total += log_h[dead].sum() - sum(np.log(at_risk - j / m * own) for j in range(m))
    return -total / event.sum()


def test_deepsurv_without_penalty_is_efrons_loss():
    x, time, event = cox_rows(80, levels=9)
    model = models.DeepSurv(nets.Dense(5).double(), random_state=0)
    log_h = model.predict(x)[:, 0]
    score = model.score_in_batches(x, (time, event))
    assert list(score) == ["loss"]
    assert score["loss"] == pytest.approx(efron_by_hand(log_h, time, event), rel=1e-12)
    breslow = models.DeepSurv(model.net, head=heads.Cox("breslow")).score_in_batches(x, (time, event))
    assert breslow["loss"] > score["loss"] + 0.01


def test_training_loss_is_nll_and_weighted_penalties():
    rows = cox_rows()
    model = make("lspin", lam={"gates": 0.3}, random_state=0)
    log = quiet(model, rows, epochs=2, val_data=(rows[0], rows[1:])).to_pandas()
    assert set(log) == {f"{data}_{name}" for data in ("train", "val") for name in ("loss", "nll", "gates")}
    for data in ("train", "val"):
        np.testing.assert_allclose(log[f"{data}_loss"], log[f"{data}_nll"] + 0.3 * log[f"{data}_gates"], rtol=1e-6)
    unpenalised = make("lspin", net=model.net).score_in_batches(*[rows[0], rows[1:]])
    assert unpenalised["loss"] == unpenalised["nll"]


def test_lam_can_be_changed_by_a_callback():
    class Anneal(tt.cb.Callback):
        def on_epoch_start(self):
            self.model.lam["gates"] += 1.0

    model = make("lspin", lam={"gates": -0.0}, random_state=0)
    log = quiet(model, cox_rows(), epochs=3, callbacks=[Anneal()]).to_pandas()
    np.testing.assert_allclose((log["train_loss"] - log["train_nll"]) / log["train_gates"], [1, 2, 3], rtol=1e-5)


def test_metrics_are_called_with_log_risks_durations_and_events():
    def mean_risk(log_h, durations, events):
        assert log_h.shape == (len(durations), 1)
        assert set(events.tolist()) <= {0, 1}
        return log_h.mean()

    rows = cox_rows()
    log = quiet(make("lspin"), rows, metrics={"risk": mean_risk}, val_data=(rows[0], rows[1:])).to_pandas()
    assert {"train_risk", "val_risk"} <= set(log)


# validation


def test_validation_is_one_set_however_it_is_cut(kind):
    x, time, event = cox_rows(9000)
    model = make(kind, lam=GATES[kind], random_state=0)
    few = cox_rows(50)
    quiet(model, few, val_data=(x, (time, event)))
    whole = efron_by_hand_fast(model, x, time, event)
    logged = {name: scores["score"][-1] for name, scores in model.val_metrics.scores.items()}
    assert logged.get("nll", logged["loss"]) == pytest.approx(whole, rel=1e-5)
    for size in (9000, 1000):
        assert model.score_in_batches(x, (time, event), batch_size=size) == pytest.approx(logged, rel=1e-5)
    chunks = model.score_in_batches(x, (time, event), batch_size=8224, mean=False, numpy=False)
    assert abs(float(chunks["loss"].mean()) - logged["loss"]) > 0.5


def efron_by_hand_fast(model, x, time, event):
    """No times are tied, so that Efron's loss is the mean of pycox's terms."""
    assert len(np.unique(time)) == len(time)
    return -model.partial_log_likelihood(x, (time, event)).mean()


def test_validation_is_free_of_noise_and_training_is_not():
    x, time, event = cox_rows()
    model = make("lspin", random_state=0)
    first, second = (model.score_in_batches(x, (time, event)) for _ in range(2))
    assert first == second
    noisy = [model.score_in_batches(x, (time, event), eval_=False)["nll"] for _ in range(2)]
    assert noisy[0] != noisy[1]
    assert model.net.training  # as torchtuples leaves a net


def test_norms_have_the_statistics_of_all_training_rows():
    x, time, event = cox_rows(300)
    model = models.DeepSurv(nets.Dense(5, norm=True), random_state=0)
    seen = []

    class Look(tt.cb.Callback):
        def on_epoch_end(self):
            seen.append(model.net.predictor.norm[0].mean.clone())

    quiet(
        model,
        (x + 3, time, event),
        batch_size=50,
        epochs=2,
        val_data=(x[:20], (time[:20], event[:20])),
        callbacks=[Look()],
    )
    for mean in (*seen, model.net.predictor.norm[0].mean):
        np.testing.assert_allclose(mean[0, 0], x.mean(0) + 3, atol=1e-5)


# seeds


def test_a_seed_decides_the_numbers_and_nothing_else_does(kind):
    runs = []
    for seed, disturbance in ((1, 0), (1, 99), (2, 0)):
        torch.manual_seed(disturbance)
        np.random.seed(disturbance)  # noqa: NPY002 -- the global state that must not matter
        model = make(kind, random_state=seed)
        quiet(model, cox_rows(), batch_size=64, epochs=2)
        runs.append(weights(model.net))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_without_a_seed_torchs_global_one_decides():
    runs = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        runs.append(weights(models.DeepSurv(nets.Dense(5)).net))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_weights_that_are_there_are_kept():
    net = nets.Dense(5).initialize(seeded([4]))
    before = weights(net).clone()
    models.DeepSurv(net, random_state=0)
    assert torch.equal(weights(net), before)


def test_noise_of_another_shape_fails():
    model = make("lspin", noise=lambda n, n_gates: torch.zeros(n, n_gates - 1))
    with pytest.raises(RuntimeError, match="shape"):
        quiet(model, cox_rows())


# copies


def test_copies_continue_and_hold_no_patient(kind):
    rows = cox_rows()
    model = make(kind, random_state=0)
    callbacks = [models.EarlyStopping(), tt.cb.ClipGradNorm(model.net, 1.0)]
    quiet(model, rows, epochs=3, batch_size=100, val_data=(rows[0], rows[1:]), callbacks=callbacks)
    model.compute_baseline_hazards(rows[0][:40], (rows[1][:40], rows[2][:40]))
    text = pickle.dumps(model)
    assert rows[0][50].tobytes() not in text
    assert rows[1][50].tobytes() not in text
    copies = [pickle.loads(text), copy.deepcopy(model)]
    for other in copies:
        pd.testing.assert_frame_equal(other.predict_surv_df(rows[0][:9]), model.predict_surv_df(rows[0][:9]))
        assert not hasattr(other, "training_data")
        with pytest.raises(InputError, match="SL-478"):
            other.compute_baseline_hazards()
    for other in (model, *copies):
        quiet(other, rows, batch_size=100)
    for other in copies:
        assert torch.equal(weights(other.net), weights(model.net))
