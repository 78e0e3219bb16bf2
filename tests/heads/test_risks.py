"""The likelihood of competing causes is the causes' Cox likelihoods together."""

import numpy as np
import pytest
import torch
from heads.cases import ended

from survlspin.errors import InputError
from survlspin.heads import CauseSpecificCox, Cox


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_loss_is_that_of_each_cause_with_the_others_censored(ties):
    outcome, head = ended(3), CauseSpecificCox(3, ties)
    eta = torch.from_numpy(np.random.default_rng(0).normal(size=(2, len(outcome), 3)))
    target = head.prepare(outcome)
    total = 0.0
    for cause in (1, 2, 3):
        alone = Cox(ties).prepare(outcome.of_cause(cause))
        total += Cox(ties).nll(eta[..., cause - 1 : cause], alone) * alone.total
    weight = outcome.weight[outcome.event != 0].sum()
    np.testing.assert_allclose(head.nll(eta, target) * weight, total, rtol=1e-13)
    np.testing.assert_allclose(target.total, [weight], rtol=1e-14)


def test_ties_differ():
    outcome = ended(2)
    eta = torch.from_numpy(np.random.default_rng(0).normal(size=(1, len(outcome), 2)))
    efron, breslow = (CauseSpecificCox(2, ties) for ties in ("efron", "breslow"))
    assert abs(float(efron.nll(eta, efron.prepare(outcome)) - breslow.nll(eta, breslow.prepare(outcome)))) > 1e-3


def test_one_cause_is_a_cox_model():
    outcome = ended(1)
    eta = torch.from_numpy(np.random.default_rng(0).normal(size=(2, len(outcome), 1)))
    one, cox = CauseSpecificCox(1), Cox()
    assert torch.equal(one.nll(eta, one.prepare(outcome)), cox.nll(eta, cox.prepare(outcome)))
    baseline, alone = one.baselines(eta[0], outcome)[0], cox.baseline(eta[0, :, 0], outcome)
    for stratum, (time, hazard) in alone.curves.items():
        np.testing.assert_array_equal(baseline.curves[stratum], (time, hazard))


def test_no_cause_is_refused():
    with pytest.raises(InputError, match="SL-603"):
        CauseSpecificCox(0)
    with pytest.raises(InputError, match="SL-401"):
        CauseSpecificCox(2, "exact")
