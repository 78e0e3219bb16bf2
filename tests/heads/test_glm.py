import numpy as np
import pytest
import torch
from scipy.special import log_expit, logsumexp
from sklearn.linear_model import LogisticRegression

from survlspin.errors import InputError, InputTypeError
from survlspin.heads import Bernoulli, Gaussian, Multinomial
from survlspin.heads.glm import CHUNK
from survlspin.response import Response
from survlspin.testing import classes, cohort, numbers

HEADS = [(Gaussian(), numbers()), (Gaussian(3), numbers(3)), (Bernoulli(), classes()), (Multinomial(3), classes(3))]
IDS = ["Gaussian", "Gaussian 3", "Bernoulli", "Multinomial"]


def outputs(head, n, scale=1.0, seed=0):
    """Outputs of one model (1, n, k)."""
    return scale * torch.from_numpy(np.random.default_rng(seed).normal(size=(1, n, head.k)))


def loss_and_gradient(head, eta, response):
    """The loss and its gradient (n, k)."""
    eta = eta.clone().requires_grad_()
    loss = head.nll(eta, head.prepare(response))
    return loss.item(), torch.autograd.grad(loss.sum(), eta)[0][0].numpy()


def newton(head, z, response, steps=30):
    """The coefficients (p, k) on the columns z (n, p) at which the loss is least."""
    z, target = torch.from_numpy(z)[None], head.prepare(response)
    beta = torch.zeros(1, z.shape[2], head.k, dtype=torch.float64)
    for _ in range(steps):
        quadratic = head.quadratic(z @ beta, target)
        gradient = (quadratic.gradient.mT @ z).flatten(1)
        move = torch.linalg.pinv(quadratic.sandwich(z), hermitian=True) @ gradient[..., None]
        beta = beta - move.view(1, head.k, -1).mT
    return beta[0].numpy()


def with_intercept(n, p, seed=0):
    return np.hstack([np.ones((n, 1)), np.random.default_rng(seed).normal(size=(n, p))])


# ---- equality with definitions ----


def test_the_gaussian_loss_is_half_the_weighted_mean_squared_error():
    response, head = numbers(3), Gaussian(3)
    eta = outputs(head, 24)
    error = eta[0].numpy() - response.value
    loss, gradient = loss_and_gradient(head, eta, response)
    np.testing.assert_allclose(loss, np.average(0.5 * (error**2).sum(1), weights=response.weight), rtol=1e-14)
    np.testing.assert_allclose(gradient, error * (response.weight / response.weight.sum())[:, None], rtol=1e-13)


def test_the_bernoulli_loss_is_that_of_scipy():
    response, head = classes(), Bernoulli()
    eta = outputs(head, 24, 5.0)
    sign = 2 * response.value - 1
    expected = -np.average(log_expit(sign * eta[0, :, 0].numpy()), weights=response.weight)
    np.testing.assert_allclose(loss_and_gradient(head, eta, response)[0], expected, rtol=1e-14)


def test_the_multinomial_loss_is_that_of_scipy():
    response, head = classes(3), Multinomial(3)
    eta = outputs(head, 24, 5.0)
    own = eta[0].numpy()
    expected = np.average(logsumexp(own, 1) - own[np.arange(24), response.value], weights=response.weight)
    np.testing.assert_allclose(loss_and_gradient(head, eta, response)[0], expected, rtol=1e-14)


def test_two_classes_are_one_output_or_two():
    response = classes()
    eta = outputs(Bernoulli(), 24, 3.0)
    two = torch.cat([torch.zeros_like(eta), eta], -1)
    one, both = (loss_and_gradient(head, at, response) for head, at in [(Bernoulli(), eta), (Multinomial(2), two)])
    np.testing.assert_allclose(one[0], both[0], rtol=1e-14)
    np.testing.assert_allclose(one[1], both[1][:, 1:], rtol=1e-12, atol=1e-16)
    torch.testing.assert_close(Bernoulli().score(eta), Multinomial(2).score(two), rtol=1e-13, atol=1e-15)
    z = outputs(Multinomial(2), 24, seed=1)
    small, large = (
        head.quadratic(at, head.prepare(response)).sandwich(z)
        for head, at in [(Bernoulli(), eta), (Multinomial(2), two)]
    )
    torch.testing.assert_close(small, large[:, 2:, 2:], rtol=1e-13, atol=0)


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
def test_a_whole_weight_is_repetition(head, response):
    times = np.random.default_rng(0).integers(0, 4, 24)
    rows = np.repeat(np.arange(24), times)
    eta = outputs(head, 24)
    weighted, each = loss_and_gradient(head, eta, Response(response.value, times.astype(float)))
    repeated, gradient = loss_and_gradient(head, eta[:, rows], Response(response.value[rows]))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-13)
    for column in range(head.k):
        expected = np.bincount(rows, gradient[:, column], minlength=24)
        np.testing.assert_allclose(each[:, column], expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
def test_the_unit_of_the_weights_does_not_matter(head, response):
    eta = outputs(head, 24)
    found = loss_and_gradient(head, eta, Response(response.value, 1e6 * response.weight))
    for a, b in zip(found, loss_and_gradient(head, eta, response), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
def test_gradcheck(head, response):
    target = head.prepare(response)
    eta = torch.cat([outputs(head, 24), outputs(head, 24, seed=1)]).requires_grad_()
    assert torch.autograd.gradcheck(lambda eta: head.nll(eta, target), eta)
    assert torch.autograd.gradgradcheck(head.score, eta)


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
def test_the_sandwich_is_the_hessian_by_automatic_differentiation(head, response):
    target, eta, z = head.prepare(response), outputs(head, 24, 2.0), outputs(Gaussian(4), 24, seed=1)
    hessian = torch.autograd.functional.hessian(
        lambda beta: head.nll(eta + z @ beta.view(head.k, 4).T, target)[0], torch.zeros(4 * head.k).double()
    )
    sandwich = head.quadratic(eta, target).sandwich(z)[0]
    torch.testing.assert_close(sandwich, hessian, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(sandwich, sandwich.T, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("p", [1, 50])
def test_a_sandwich_in_parts_is_the_whole(p):
    n, head = 3000, Multinomial(3)
    target, eta = head.prepare(classes(3, n)), outputs(head, n)
    z = torch.from_numpy(np.random.default_rng(1).normal(size=(1, n, p)))
    quadratic = head.quadratic(eta, target)
    expected = torch.einsum("bnj,bnac,bnl->bajcl", z, quadratic.curvature, z).reshape(1, 3 * p, 3 * p)
    assert (n * 3 * p > CHUNK) == (p == 50)
    torch.testing.assert_close(quadratic.sandwich(z), expected, rtol=1e-11, atol=1e-14)


def test_scores():
    eta = outputs(Gaussian(3), 24, 4.0)
    torch.testing.assert_close(Gaussian(3).score(eta), eta.sum(2))
    own = eta[0].numpy()
    np.testing.assert_allclose(Multinomial(3).score(eta)[0], logsumexp(own, 1) - own.mean(1), rtol=1e-13)
    np.testing.assert_allclose(Bernoulli().score(eta[..., :1])[0], -log_expit(-own[:, 0]) - own[:, 0] / 2, rtol=1e-13)
    for head in (Bernoulli(), Multinomial(3)):  # least where the classes are equally probable
        assert (head.score(eta[..., : head.k]) > head.score(torch.zeros(1, 1, head.k)).item()).all()


# ---- Newton's method with the quadratic ----


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_equals_scikit_learn(weighted):
    rng = np.random.default_rng(0)
    z = with_intercept(300, 4)
    y = (rng.random(300) < 1 / (1 + np.exp(-z @ [0.3, 1, -1, 0.5, 0]))).astype(int)
    weight = rng.integers(0, 5, 300) / 2 if weighted else None
    peer = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(z[:, 1:], y, weight)
    found = newton(Bernoulli(), z, Response(y, weight))
    np.testing.assert_allclose(found[:, 0], np.append(peer.intercept_, peer.coef_), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_multinomial_regression_equals_scikit_learn(weighted):
    rng = np.random.default_rng(1)
    z = with_intercept(400, 3)
    eta = z @ rng.normal(size=(4, 3))
    y = (eta + rng.gumbel(size=eta.shape)).argmax(1)
    weight = rng.integers(0, 5, 400) / 2 if weighted else None
    peer = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-10, max_iter=1000).fit(z[:, 1:], y, weight)
    found = newton(Multinomial(3), z, Response(y, weight))
    expected = np.vstack([peer.intercept_, peer.coef_.T])
    expected -= expected.mean(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 0, atol=1e-10)


@pytest.mark.parametrize("k", [1, 3])
def test_one_step_is_least_squares(k):
    response, z = numbers(k, 80), with_intercept(80, 4)
    root = np.sqrt(response.weight)[:, None]
    expected = np.linalg.lstsq(root * z, root * response.value, rcond=None)[0]
    np.testing.assert_allclose(newton(Gaussian(k), z, response, steps=1), expected, rtol=1e-12, atol=1e-13)


# ---- extremes ----


def test_certain_classes_in_float32():
    at = torch.tensor([100.0, -100.0, 100.0, -100.0])[None, :, None]
    bernoulli = loss_and_gradient(Bernoulli(), at, Response(np.array([0, 1, 1, 0])))
    np.testing.assert_allclose(bernoulli[0], 50, rtol=1e-6)
    np.testing.assert_allclose(bernoulli[1][:, 0], np.array([1, -1, 0, 0]) / 4, rtol=1e-6, atol=1e-30)
    three = torch.cat([torch.zeros_like(at), at, -at], -1)
    loss, gradient = loss_and_gradient(Multinomial(3), three, Response(np.array([2, 1, 1, 2])))
    np.testing.assert_allclose(loss, 100, rtol=1e-6)
    np.testing.assert_allclose(gradient[:, 1], np.array([1, -1, 0, 0]) / 4, rtol=1e-6, atol=1e-30)


def test_a_certain_row_keeps_its_loss_and_its_curvature():
    """Neither log(1 + exp(-50)) nor p (1 - p) is lost to the rounding of 1 + exp(-50)."""
    eta = torch.full((1, 1, 1), 50.0, dtype=torch.float64)
    two = torch.cat([torch.zeros_like(eta), eta], -1)
    for head, at in [(Bernoulli(), eta), (Multinomial(2), two)]:
        target = head.prepare(Response(np.ones(1, int)))
        curvature = head.quadratic(at, target).sandwich(torch.ones(1, 1, 1))[0].diagonal()
        np.testing.assert_allclose(curvature, np.exp(-50.0), rtol=1e-12)
    np.testing.assert_allclose(loss_and_gradient(Bernoulli(), eta, Response(np.ones(1, int)))[0], np.exp(-50.0))


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
def test_rows_of_weight_0_are_absent_whatever_their_output(head, response):
    absent = response.weight == 0
    eta = outputs(head, 24)
    alone = loss_and_gradient(head, eta[:, ~absent], response.take(~absent))
    eta[:, absent] = 1e6
    loss, gradient = loss_and_gradient(head, eta, response)
    np.testing.assert_allclose(loss, alone[0], rtol=1e-14)
    np.testing.assert_allclose(gradient[~absent], alone[1], rtol=1e-13)
    np.testing.assert_array_equal(gradient[absent], 0)
    assert absent.any()


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
def test_without_rows_loss_and_gradient_are_exactly_0(head, response):
    for nothing in (response.take(slice(0)), Response(response.value, np.zeros(24))):
        eta = outputs(head, len(nothing))
        loss, gradient = loss_and_gradient(head, eta, nothing)
        assert loss == 0
        assert not gradient.any()
        sandwich = head.quadratic(eta, head.prepare(nothing)).sandwich(torch.ones(1, len(nothing), 2))
        assert sandwich.shape == (1, 2 * head.k, 2 * head.k)
        assert not sandwich.any()


@pytest.mark.parametrize(("head", "response"), HEADS, ids=IDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_has_the_outputs_dtype(head, response, dtype):
    eta, target = outputs(head, 24).to(dtype), head.prepare(response)
    assert head.nll(eta, target).dtype is dtype
    assert head.score(eta).dtype is dtype
    assert head.quadratic(eta, target).gradient.dtype is torch.float64


# ---- mistakes ----


@pytest.mark.parametrize(
    ("head", "value", "code", "words"),
    [
        (Gaussian(), np.zeros((4, 3)), "SL-156", r"3 numbers per row, Gaussian\(k=1\) takes 1"),
        (Gaussian(2), np.zeros(4), "SL-156", r"1 numbers per row, Gaussian\(k=2\) takes 2"),
        (Multinomial(3), np.zeros((4, 3)), "SL-156", r"3 numbers per row, Multinomial\(k=3\) takes 1"),
        (Bernoulli(), np.array([0, 1, 2, 2]), "SL-157", r"codes 0 to 1; .* in 2 rows, first at position 2"),
        (Bernoulli(), np.array([0, -1]), "SL-157", r"codes 0 to 1; .* in 1 row, first at position 1"),
        (Multinomial(3), np.array([0, 1, 3]), "SL-157", r"Multinomial\(k=3\) takes codes 0 to 2"),
        (Multinomial(3), np.array([0.5]), "SL-157", "codes 0 to 2"),
    ],
)
def test_a_response_that_does_not_fit_the_head_is_refused(head, value, code, words):
    with pytest.raises(InputError, match=f"{code} .*{words}"):
        head.prepare(Response(value))


def test_follow_up_is_no_response():
    with pytest.raises(InputTypeError, match="SL-155 Bernoulli got Outcome"):
        Bernoulli().prepare(cohort())


def test_a_net_with_other_outputs_than_the_heads_is_refused():
    target = Multinomial(3).prepare(classes(3))
    for at in (torch.zeros(1, 24, 1), torch.zeros(2, 24, 4)):
        for method in (Multinomial(3).nll, Multinomial(3).contributions, Multinomial(3).quadratic):
            with pytest.raises(InputError, match=rf"SL-158 the net has {at.shape[2]} .*Multinomial takes 3"):
                method(at, target)


@pytest.mark.parametrize("make", [lambda: Gaussian(0), lambda: Multinomial(1)])
def test_too_few_outputs_are_refused(make):
    with pytest.raises(InputError, match="SL-159 k="):
        make()
