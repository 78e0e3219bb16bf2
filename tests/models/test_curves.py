"""Baseline hazard, curves and likelihood of the pycox face against pycox itself, and where pycox overflows."""

import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from cox_rows import cox_rows

from survlspin import heads, models, nets
from survlspin._pycox import CoxPH, EvalSurv, tt
from survlspin.errors import InputError


class Doubled(torch.nn.Module):
    """The same log-risks for pycox: a net of one linear column, in float64."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net.predict(x)


@pytest.fixture(scope="module", params=[None, 12], ids=["untied", "tied"])
def pair(request):
    """Our model with Breslow's ties and pycox's of the same net, and rows in float64."""
    x, time, event = cox_rows(200, levels=request.param)
    net = nets.LSPIN(5).double()
    ours = models.CoxLSPIN(net, head=heads.Cox("breslow"), random_state=0)
    theirs = CoxPH(Doubled(net.eval()), tt.optim.Adam(), device="cpu")
    return ours, theirs, x.astype(np.float64), (time, event)


def linear(scale):
    """DeepSurv of one column, log-risk scale * x."""
    net = nets.Dense(1, hidden=())
    with torch.no_grad():
        net.predictor.affine[0].weight.fill_(scale)
    return models.DeepSurv(net)


def test_predict_is_pycoxs(pair):
    ours, theirs, x, _ = pair
    assert ours.predict(x).shape == (200, 1)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    assert isinstance(ours.predict(torch.from_numpy(x)), torch.Tensor)
    assert isinstance(ours.predict(x, numpy=False), torch.Tensor)
    np.testing.assert_allclose(ours.predict(x, batch_size=7), ours.predict(x), atol=1e-15)
    np.testing.assert_array_equal(ours.predict(x, func=torch.exp), np.exp(ours.predict(x)))


@pytest.mark.parametrize("max_duration", [None, 0.7])
def test_baseline_hazards_are_pycoxs(pair, max_duration):
    ours, theirs, x, target = pair
    mine = ours.compute_baseline_hazards(x, target, max_duration)
    pd.testing.assert_series_equal(mine, theirs.compute_baseline_hazards(x, target, max_duration), rtol=1e-12)
    for name in ("baseline_hazards_", "baseline_cumulative_hazards_"):
        pd.testing.assert_series_equal(getattr(ours, name), getattr(theirs, name), rtol=1e-12)


def test_times_without_an_event_have_hazard_zero():
    x, time, event = cox_rows()
    hazards = models.DeepSurv(nets.Dense(5)).compute_baseline_hazards(x, (time, event))
    np.testing.assert_array_equal(hazards.index, np.unique(time))
    assert ((hazards > 0).to_numpy() == event[np.argsort(time)].astype(bool)).all()


@pytest.mark.parametrize("max_duration", [None, 0.7])
def test_curves_are_pycoxs(pair, max_duration):
    ours, theirs, x, target = pair
    for model in (ours, theirs):
        model.compute_baseline_hazards(x, target)
    for name in ("predict_surv_df", "predict_cumulative_hazards"):
        mine, other = (getattr(model, name)(x[:9], max_duration) for model in (ours, theirs))
        pd.testing.assert_frame_equal(mine, other, rtol=1e-10)
    curves = ours.predict_surv(x[:9], max_duration)
    np.testing.assert_array_equal(curves, ours.predict_surv_df(x[:9], max_duration).to_numpy().T)
    assert isinstance(ours.predict_surv(torch.from_numpy(x)), torch.Tensor)
    assert isinstance(ours.predict_surv(pd.DataFrame(x)), np.ndarray)


def test_likelihood_is_pycoxs(pair):
    ours, theirs, x, target = pair
    mine, other = (model.partial_log_likelihood(x, target) for model in (ours, theirs))
    pd.testing.assert_series_equal(mine.sort_index(), other.sort_index(), rtol=1e-6)  # pycox adds 1e-7 to risk sums
    given = ours.partial_log_likelihood(None, target, g_preds=ours.predict(x))
    pd.testing.assert_series_equal(given, mine)
    assert -mine.mean() == pytest.approx(ours.score_in_batches(x, target)["nll"], rel=1e-12)


@pytest.mark.parametrize("method", ["predict", "predict_surv", "predict_surv_df", "compute_baseline_hazards", "fit"])
def test_signatures_begin_as_pycoxs(method):
    mine, other = (list(inspect.signature(getattr(cls, method)).parameters) for cls in (models.CoxLSPIN, CoxPH))
    for name, expected in zip(mine, other, strict=False):
        if name in ("args", "kwargs"):
            break
        assert name == expected


def test_efrons_baseline_is_not_breslows():
    x, time, event = cox_rows(200, levels=12)
    net = nets.Dense(5)
    efron = models.DeepSurv(net, random_state=0).compute_baseline_hazards(x, (time, event))
    breslow = models.DeepSurv(net, head=heads.Cox("breslow")).compute_baseline_hazards(x, (time, event))
    assert (efron > breslow).all()


def test_baseline_of_the_training_rows_is_the_default():
    x, time, event = cox_rows()
    model = models.DeepSurv(nets.Dense(5), random_state=0)
    model.fit(x, (time, event), verbose=False)
    pd.testing.assert_series_equal(model.compute_baseline_hazards(), model.compute_baseline_hazards(x, (time, event)))
    before = model.baseline_hazards_
    model.compute_baseline_hazards(x[:50], (time[:50], event[:50]), set_hazards=False)
    assert model.baseline_hazards_ is before
    model.fit(x, (time, event), verbose=False)  # the weights moved: the old baseline is not theirs
    with pytest.raises(ValueError, match="compute_baseline_hazards"):
        model.predict_surv_df(x)


@pytest.mark.parametrize(("sample", "rows"), [(60, 60), (0.3, 90)])
def test_baseline_of_a_sample_is_drawn_by_the_seed(sample, rows):
    x, time, event = cox_rows(300)
    drawn = [
        models.DeepSurv(nets.Dense(5), random_state=seed).compute_baseline_hazards(x, (time, event), sample=sample)
        for seed in (0, 0, 1)
    ]
    assert len(drawn[0]) == rows
    pd.testing.assert_series_equal(drawn[0], drawn[1])
    assert not drawn[0].index.equals(drawn[2].index)


def test_a_given_baseline_serves_a_model_without_one():
    x, time, event = cox_rows()
    net = nets.Dense(5)
    hazards = models.DeepSurv(net, random_state=0).compute_baseline_hazards(x, (time, event))
    model = models.DeepSurv(net)
    curves = model.predict_surv_df(x, baseline_hazards_=hazards)
    assert not hasattr(model, "baseline_hazards_")
    model.compute_baseline_hazards(x, (time, event))
    pd.testing.assert_frame_equal(curves, model.predict_surv_df(x))


@pytest.mark.parametrize("largest", [89.0, 300.0])
def test_large_log_risks_do_not_overflow(largest):
    time = np.arange(1.0, 41.0)
    x = np.linspace(1, -1, 40, dtype=np.float32)[:, None]  # who dies first has the largest risk
    target = time, np.ones(40, dtype=int)
    model = linear(largest)
    hazards = model.compute_baseline_hazards(x, target)
    curves = model.predict_surv_df(x)
    assert np.isfinite(hazards).all()
    assert (hazards > 0).all()
    assert np.isfinite(curves.to_numpy()).all()
    middle = np.diagonal(curves.to_numpy())  # S of each patient when they die; at constant ratios of risk, 1/e or less
    assert (middle < 0.5).all()
    assert (np.diagonal(curves.to_numpy(), 1) > 0.5).all()
    pll = model.partial_log_likelihood(x, target)
    log_h = largest * x[:, 0].astype(np.float64)
    expected = [log_h[i] - np.logaddexp.reduce(log_h[i:]) for i in range(40)]
    np.testing.assert_allclose(pll.sort_index(), expected, rtol=1e-6, atol=1e-9)
    theirs = CoxPH(model.net, tt.optim.Adam(), device="cpu")
    with np.errstate(all="ignore"):
        theirs.compute_baseline_hazards(x, target)
        assert np.isnan(theirs.predict_surv_df(x).to_numpy()).any()  # what this test is there for


def test_curves_serve_pycoxs_evaluation(pair):
    ours, _, x, (time, event) = pair
    ours.compute_baseline_hazards(x, (time, event))
    curves = ours.predict_surv_df(x)
    for evaluation in (EvalSurv, models.SurvEval):
        assert 0.5 < evaluation(curves, time, event).concordance_td("antolini") <= 1


# files


def saved(tmp_path):
    x, time, event = cox_rows()
    model = models.CoxLSPIN(nets.LSPIN(5, norm=True), random_state=0)
    model.fit(x, (time, event), verbose=False)
    model.compute_baseline_hazards()
    model.save_net(tmp_path / "net")
    return x, model


def test_a_saved_net_is_read_back_with_its_baseline(tmp_path):
    x, model = saved(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"]
    other = models.CoxLSPIN(nets.LSPIN(5, norm=True), random_state=1)
    assert other.load_net(str(tmp_path / "net.pt")) is other.net
    pd.testing.assert_frame_equal(other.predict_surv_df(x), model.predict_surv_df(x))
    pd.testing.assert_series_equal(other.baseline_hazards_, model.baseline_hazards_)
    assert x[7].tobytes() not in (tmp_path / "net.pt").read_bytes()


def test_a_net_saved_without_baseline_leaves_none(tmp_path):
    _, model = saved(tmp_path)
    models.CoxLSPIN(nets.LSPIN(5, norm=True)).save_net(tmp_path / "bare.pt")
    model.load_net(tmp_path / "bare")
    assert not hasattr(model, "baseline_hazards_")


def test_other_files_are_refused(tmp_path):
    saved(tmp_path)
    torch.save(nets.LSPIN(5), tmp_path / "whole.pt")
    (tmp_path / "text.pt").write_text("no net")
    model = models.CoxLSPIN(nets.LSPIN(5), random_state=0)
    for name in ("whole.pt", "text.pt", "net.pt"):  # the last has norms, which this net has not
        with pytest.raises(InputError, match=f"SL-531.*{name}.*LSPIN"):
            model.load_net(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        model.load_net(tmp_path / "absent.pt")


def test_weights_alone_are_saved_as_in_torchtuples(tmp_path):
    x, model = saved(tmp_path)
    model.save_model_weights(tmp_path / "weights.pt")
    other = models.CoxLSPIN(nets.LSPIN(5, norm=True), random_state=1)
    other.load_model_weights(tmp_path / "weights.pt")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
