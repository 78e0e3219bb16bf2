"""What may be given to the pycox face, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import torch
from cox_rows import cox_rows, make, quiet

from survlspin import heads, models, nets
from survlspin.errors import InputError, InputTypeError, InputWarning


def inputs():
    x, time, event = cox_rows()
    frame = pd.DataFrame(x, index=[f"p{i}" for i in range(300)])
    wide = np.repeat(x.astype(np.float64), 2, axis=1)
    locked = x.copy()
    locked.flags.writeable = False
    y = np.empty(300, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = event, time
    target = (time, event)
    return {
        "float64": (x.astype(np.float64), target),
        "tuple of one": ((x,), target),
        "table": (frame, target),
        "nullable table": (frame.convert_dtypes(), target),
        "table and series": (frame, (pd.Series(time, frame.index), pd.Series(event, frame.index))),
        "table and table": (frame, pd.DataFrame({"time": time, "event": event}, frame.index)),
        "not contiguous": (wide[:, ::2], target),
        "negative strides": (x[::-1][::-1], (time[::-1][::-1], event[::-1][::-1])),
        "read-only": (locked, target),
        "tensors": (torch.from_numpy(x).double(), (torch.from_numpy(time), torch.from_numpy(event))),
        "array and tensors": (x, (torch.from_numpy(time), torch.from_numpy(event.astype(np.float32)))),
        "booleans": (x, (time, event.astype(bool))),
        "structured": (x, y),
        "lists": (x.tolist(), [time.tolist(), event.tolist()]),
    }


@pytest.mark.parametrize("form", inputs())
def test_every_form_of_the_same_rows_gives_the_same_model(form):
    x, time, event = cox_rows()
    reference = make("llspin", random_state=0)
    log = quiet(reference, (x, time, event), batch_size=150, val_data=(x, (time, event)))
    input, target = inputs()[form]
    model = make("llspin", random_state=0)
    other = model.fit(input, target, batch_size=150, verbose=False, val_data=(input, target))
    pd.testing.assert_frame_equal(other.to_pandas(), log.to_pandas())
    np.testing.assert_array_equal(np.asarray(model.predict(input)), reference.predict(x))
    reference.compute_baseline_hazards()
    model.compute_baseline_hazards(input, target)
    pd.testing.assert_frame_equal(model.predict_surv_df(input), reference.predict_surv_df(x))


def test_a_gradient_with_respect_to_the_input_passes():
    model = make("llspin", random_state=0)
    x = torch.from_numpy(cox_rows()[0]).requires_grad_()
    model.predict(x, grads=True).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("SL-218", lambda x: x[:, :4]),
        ("SL-218", lambda x: torch.from_numpy(x[:, :4])),
        ("SL-205", lambda x: np.where(np.arange(300)[:, None] == 7, np.nan, x)),
        ("SL-207", lambda x: np.where(np.arange(300)[:, None] == 7, np.inf, x)),
        ("SL-209", lambda x: pd.DataFrame(x).assign(grade=["II", "III"] * 150).iloc[:, 1:]),
        ("SL-203", lambda x: x[:, 0]),
    ],
)
def test_unusable_columns_are_refused(code, spoil):
    x, time, event = cox_rows()
    model = make("lspin")
    with pytest.raises((InputError, InputTypeError), match=code):
        quiet(model, (spoil(x), time, event))
    with pytest.raises((InputError, InputTypeError), match=code):
        model.predict(spoil(x))


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("SL-103", lambda time, event: (time, event + 1)),
        ("SL-104", lambda time, event: (-time, event)),
        ("SL-116", lambda time, event: (time, 0 * event)),
        ("SL-301", lambda time, event: (time[:9], event[:9])),
        ("SL-461", lambda time, event: {"time": time, "event": event, "weight": time}),
    ],
)
def test_unusable_outcomes_are_refused(code, target):
    x, time, event = cox_rows()
    with pytest.raises(InputError, match=code):
        make("lspin").fit(x, target(time, event), verbose=False)


def test_few_events_are_warned_of():
    x, time, _ = cox_rows()
    with pytest.warns(InputWarning, match="SL-117"):
        quiet(make("lspin"), (x, time, np.arange(300) < 3))


@pytest.mark.parametrize(
    ("cls", "wrong"), [(models.CoxLSPIN, nets.LLSPIN), (models.CoxLLSPIN, nets.Dense), (models.DeepSurv, nets.LSPIN)]
)
def test_the_net_must_be_of_the_models_kind(cls, wrong):
    with pytest.raises(InputError, match=f"SL-471.*type {wrong.__name__}.*takes {cls.takes.__name__}"):
        cls(wrong(5))


def test_a_path_is_no_net():
    with pytest.raises(InputError, match=r"SL-471.*str.*load_net"):
        models.DeepSurv("net.pt")


def test_a_stack_is_refused():
    with pytest.raises(InputError, match=r"SL-472.*3 models"):
        models.CoxLSPIN(nets.LSPIN(5, models=3))


def test_net_and_head_must_match():
    class Other(heads.Cox):
        k, free_intercept = 2, False

    with pytest.raises(InputError, match=r"SL-473.*2 outputs with a bias"):
        models.DeepSurv(nets.Dense(5, head=Other()))
    with pytest.raises(InputError, match=r"SL-473.*head is str"):
        models.DeepSurv(nets.Dense(5), head="efron")


@pytest.mark.parametrize(
    ("code", "lam"),
    [
        (r"SL-407.*'gate'.*LSPIN.*did you mean 'gates'", {"gate": 0.1}),
        ("SL-406", {"gates": -1.0}),
        ("SL-406", {"gates": float("nan")}),
        (r"SL-406.*lam=0.02.*gates", 0.02),
    ],
)
def test_unusable_lam_is_refused(code, lam):
    with pytest.raises(InputError, match=code):
        models.CoxLSPIN(nets.LSPIN(5), lam=lam)


def test_deepsurv_has_no_penalty():
    with pytest.raises(InputError, match=r"SL-407.*Dense.*It has none"):
        models.DeepSurv(nets.Dense(5), lam={"gates": 0.1})
