"""Early stopping in memory and learning rates that move."""

import numpy as np
import pytest
import torch
from cox_rows import cox_rows

from survlspin import models, nets
from survlspin._pycox import tt
from survlspin.errors import InputError


def fit(callbacks, epochs=20, seed=0, model=None, val=True, **kwargs):
    """A net that overfits 60 rows, so that the validation loss rises again."""
    x, time, event = cox_rows(60, seed=seed)
    x_valid, *valid = cox_rows(200, seed=seed + 100)
    if model is None:
        model = models.DeepSurv(nets.Dense(5, hidden=(30,)), tt.optim.Adam(0.1), random_state=seed)
    val_data = (x_valid, tuple(valid)) if val else None
    model.fit(x, (time, event), epochs=epochs, callbacks=callbacks, val_data=val_data, verbose=False, **kwargs)
    score = model.score_in_batches(x_valid, tuple(valid))["loss"]
    return model, score


def test_the_best_weights_come_back_and_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stopping = models.EarlyStopping(patience=5)
    model, score = fit([stopping], epochs=200)
    losses = model.log.to_pandas()["val_loss"]
    assert len(losses) == int(np.argmin(losses)) + 1 + 5 < 200
    assert stopping.best_epoch == int(np.argmin(losses))
    assert score == pytest.approx(losses.min(), rel=1e-6)
    assert losses.iloc[-1] > losses.min()
    assert list(tmp_path.iterdir()) == []


def test_it_stops_where_torchtuples_stops(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours, score = fit([models.EarlyStopping(patience=4)], epochs=200)
    theirs, other = fit([tt.cb.EarlyStopping(patience=4)], epochs=200)
    assert len(ours.log.to_pandas()) == len(theirs.log.to_pandas())
    assert score == other


def test_one_instance_serves_many_fits():
    stopping = models.EarlyStopping(patience=4)
    for seed in (0, 1):
        again, alone = fit([stopping], seed=seed), fit([models.EarlyStopping(patience=4)], seed=seed)
        assert again[1] == alone[1]
        assert len(again[0].log.to_pandas()) == len(alone[0].log.to_pandas())


def test_a_second_fit_of_one_model_starts_afresh():
    stopping = models.EarlyStopping(patience=2)
    model, _ = fit([stopping], epochs=100)
    first = len(model.log.to_pandas())
    fit([stopping], epochs=100, model=model)
    assert len(model.log.to_pandas()) >= first + 2


def test_training_rows_and_other_metrics_can_be_watched():
    train = models.EarlyStopping(patience=1, dataset="train")
    model, _ = fit([train], epochs=15, val=False)
    assert train.best == model.log.to_pandas()["train_loss"].iloc[train.best_epoch]

    def flat(log_h, durations, events):
        return 0 * log_h.sum()

    stopping = models.EarlyStopping(patience=3, metric="flat")
    model, _ = fit([stopping], epochs=15, metrics={"flat": flat})
    assert stopping.best_epoch == 0
    assert len(model.log.to_pandas()) == 4


def test_min_delta_asks_for_more():
    strict = models.EarlyStopping(patience=3, min_delta=10.0)
    model, _ = fit([strict])
    assert (len(model.log.to_pandas()), strict.best_epoch) == (4, 0)


def test_unusable_settings_are_refused():
    with pytest.raises(InputError, match=r"SL-474.*val_data"):
        fit([models.EarlyStopping()], val=False)
    with pytest.raises(InputError, match=r"SL-475.*'los'.*did you mean 'loss'"):
        fit([models.EarlyStopping(metric="los")])
    with pytest.raises(InputError, match="SL-476"):
        models.EarlyStopping(dataset="test")


def test_schedulers_move_the_learning_rate():
    rates = []

    class Look(tt.cb.Callback):
        def on_epoch_start(self):
            rates.append(self.model.optimizer.param_groups[0]["lr"])

    halve = models.LRScheduler(lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5))
    fit([halve, Look()], epochs=3)
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.025])

    rates.clear()
    plateau = models.LRScheduler(lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2))
    model, _ = fit([plateau, Look()], epochs=30)
    losses = model.log.to_pandas()["val_loss"].to_numpy()
    moved = int(np.argmax(np.array(rates) < 0.1))  # after the third epoch in a row without a new best
    assert rates[:moved] == [0.1] * moved != []
    assert (losses[moved - 3 : moved] >= losses[: moved - 3].min()).all()
