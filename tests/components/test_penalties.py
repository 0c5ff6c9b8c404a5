import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from sklearn_dnn.components.optimizers import OPTIMIZERS
from sklearn_dnn.components.penalties import (
    activity_penalty,
    add_penalty_gradient_,
    decay_,
    l1_gradient_,
    orthant_,
    penalty,
    per_layer,
)

COLUMN = torch.tensor([[0.0], [0.3], [2.0]], dtype=torch.float64)
ROW = per_layer([0.0, 0.4, 3.0], [5, 1, 6])
STRENGTHS = [0.0, 0.7, COLUMN, ROW, COLUMN * ROW]


def weights(dtype=torch.float64):
    w = torch.randn((3, 12), dtype=dtype, generator=torch.Generator().manual_seed(0))
    w[:, 3] = 0.0
    return w


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("alpha", "l1"), list(itertools.product(STRENGTHS, STRENGTHS)))
def test_penalty_is_its_formula(alpha, l1, dtype):
    w = weights(dtype)
    a, b = torch.as_tensor(alpha, dtype=dtype), torch.as_tensor(l1, dtype=dtype)
    expected = (0.5 * a * w**2 + b * w.abs()).sum(1)
    result = penalty(w, alpha, l1)
    assert result.shape == (3,)
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.25, torch.tensor([[1.0], [0.5], [0.1]], dtype=torch.float64)])
@pytest.mark.parametrize(("alpha", "l1"), list(itertools.product(STRENGTHS, STRENGTHS)))
def test_gradient_is_autograds(alpha, l1, scale, dtype):
    w = weights(dtype).requires_grad_()
    factor = torch.as_tensor(scale, dtype=dtype).expand(3, 1)[:, 0]
    a, b = torch.as_tensor(alpha, dtype=dtype), torch.as_tensor(l1, dtype=dtype)
    loss = factor * (0.5 * a * w**2 + b * w.abs()).sum(1)
    (expected,) = torch.autograd.grad(loss.sum(), w)
    grad = torch.ones((3, 20), dtype=dtype)
    slice_ = grad[:, 4:16]  # weights are a slice of the buffer
    add_penalty_gradient_(slice_, w.detach(), alpha, l1, scale)
    torch.testing.assert_close(slice_, 1 + expected)
    outside = torch.cat([grad[:, :4], grad[:, 16:]], 1)
    assert torch.equal(outside, torch.ones_like(outside))


def test_penalty_can_be_followed_by_autograd():
    w = weights().requires_grad_()
    (result,) = torch.autograd.grad(penalty(w, COLUMN, 0.7).sum(), w)
    expected = torch.zeros_like(w)
    add_penalty_gradient_(expected, w.detach(), COLUMN, 0.7, 1.0)
    torch.testing.assert_close(result, expected)


def test_no_strength_changes_no_bit():
    grad = weights()
    add_penalty_gradient_(grad, torch.full_like(grad, torch.inf), 0.0, 0.0, 1.0)
    assert torch.equal(grad, weights())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [0.1, COLUMN / 4, ROW / 4, COLUMN * ROW / 10])
def test_decay_shrinks(factor, dtype):
    w = weights(dtype)
    decay_(w, factor)
    torch.testing.assert_close(w, weights(dtype) * torch.as_tensor(1 - factor, dtype=dtype))


# Strengths by layer.


def test_a_strength_for_each_layer():
    strengths = per_layer([0.1, 0, 2], [2, 3, 1])
    expected = torch.tensor([[0.1, 0.1, 0, 0, 0, 2]], dtype=torch.float64)
    assert torch.equal(strengths, expected)
    w = weights(torch.float32)
    layers = w.split([5, 1, 6], dim=1)
    torch.testing.assert_close(
        penalty(w, ROW, ROW),
        sum(penalty(part, c, c) for part, c in zip(layers, (0.0, 0.4, 3.0), strict=True)),
    )


@pytest.mark.parametrize(
    ("strengths", "said"),
    [
        ([0.1], r"one for each of the 2 weight matrices.*Got 1: \[0.1\]"),
        ([0.1, 0.2, 0.3], "one number for all"),
        ([0.1, -1.0], r"at least 0. Got \[0.1, -1.0\]"),
        ([0.1, float("nan")], "finite"),
    ],
)
def test_bad_strengths_by_layer_are_refused(strengths, said):
    with pytest.raises(ValueError, match=said):
        per_layer(strengths, [4, 2])


# l1 with exact zeros.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [0.0, *STRENGTHS[1:]])
def test_pseudo_gradient_is_the_steepest_way_down(strength, dtype):
    w = weights(dtype)
    w[:, 5:9] = 0.0
    g = torch.randn(w.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    result = g.clone()
    l1_gradient_(result, w, strength)
    s = torch.as_tensor(strength, dtype=dtype).expand_as(w)
    # slopes of g w + s |w| to the right and to the left of w
    right = g + s * torch.where(w >= 0, 1.0, -1.0)
    left = g + s * torch.where(w > 0, 1.0, -1.0)
    expected = torch.where(right < 0, right, torch.where(left > 0, left, 0.0))
    torch.testing.assert_close(result, torch.where(w != 0, right, expected))
    assert (result[(w == 0) & (g.abs() <= s)] == 0).all()


def test_weights_stay_in_their_orthant():
    before = torch.tensor([[1.0, 1.0, -1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0]])
    pseudo = torch.tensor([[3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 0.0, -2.0, 0.0]])
    after = torch.tensor([[0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5, 0.5, torch.nan]])
    orthant_(after, before, pseudo)
    expected = torch.tensor([[0.5, 0.0, 0.0, -0.5, 0.0, -0.5, 0.0, 0.5, torch.nan]])
    torch.testing.assert_close(after, expected, equal_nan=True, rtol=0, atol=0)


N, P = 60, 10
# Rate, and what it is multiplied by a step: some rules swing around a minimum as wide as it.
RATES = {
    "sgd": (0.05, 1.0),
    "momentum": (0.02, 1.0),
    "nesterov": (0.02, 1.0),
    "adagrad": (0.5, 1.0),
    "rmsprop": (0.02, 0.997),
    "adam": (0.05, 0.998),
    "nadam": (0.05, 0.998),
    "adamax": (0.2, 0.998),
}


def linear_problem():
    """A table with correlated columns, of which four matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) + 0.5 * rng.normal(size=(N, 1))
    coef = np.zeros(P)
    coef[[0, 3, 4, 8]] = [2.0, -1.5, 0.7, 0.2]
    return X, X @ coef + 0.3 * rng.normal(size=N)


def minimised(name, alpha, l1, n_steps=4000):
    """Weights, a row a member, that make half the mean squared error with penalties small."""
    X, y = (torch.from_numpy(array) for array in linear_problem())
    rule = OPTIMIZERS[name]()
    rate, shrink = RATES[name]
    generator = torch.Generator().manual_seed(0)
    w = torch.randn((len(l1), P), dtype=torch.float64, generator=generator)
    state, c = rule.start(w), rule.coefficients()
    for step in range(n_steps):
        grad = ((w @ X.T - y) @ X) / N
        add_penalty_gradient_(grad, w, alpha, 0.0, 1 / N)
        l1_gradient_(grad, w, l1 / N)
        before, pseudo = w.clone(), grad.clone()
        rule.step(w, grad, state, rate * shrink**step, c)
        orthant_(w, before, pseudo)
    return w.numpy()


def assert_same_solution(coefs, expected):
    np.testing.assert_allclose(coefs, expected, rtol=0, atol=2e-6)
    assert ((coefs == 0) == (np.asarray(expected) == 0)).all()


# Of each kind of rule the one that takes the least time, and the others.
QUICK = ["sgd", "rmsprop", "adam", "nadam", "adamax"]
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in RATES if name not in QUICK]


@pytest.mark.parametrize("name", [*QUICK, *OTHERS])
def test_every_rule_finds_lasso_and_its_zeros(name):
    strengths = [0.02, 0.2, 1.0]
    X, y = linear_problem()
    expected = [
        Lasso(a, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(X, y).coef_
        for a in strengths
    ]
    zeros = [int((coef == 0).sum()) for coef in expected]
    assert zeros[0] < zeros[1] < zeros[2] < P
    l1 = N * torch.tensor(strengths, dtype=torch.float64).unsqueeze(1)
    assert_same_solution(minimised(name, 0.0, l1), expected)


def test_a_gradient_of_the_absolute_value_makes_no_zeros():
    X, y = (torch.from_numpy(array) for array in linear_problem())
    w = torch.ones((1, P), dtype=torch.float64)
    for _ in range(2000):
        grad = ((w @ X.T - y) @ X) / N
        add_penalty_gradient_(grad, w, 0.0, 0.2 * N, 1 / N)
        w -= 0.05 * grad
    assert (w != 0).all()


@pytest.mark.parametrize("ratio", [0.2, 0.9])
def test_elastic_net_by_its_conversion(ratio):
    X, y = linear_problem()
    a = 0.3
    expected = ElasticNet(a, l1_ratio=ratio, fit_intercept=False, tol=1e-12).fit(X, y).coef_
    l1 = torch.full((1, 1), N * a * ratio, dtype=torch.float64)
    assert_same_solution(minimised("sgd", N * a * (1 - ratio), l1), [expected])


@pytest.mark.parametrize("name", ["sgd", pytest.param("adam", marks=pytest.mark.slow)])
def test_ridge_by_its_conversion(name):
    X, y = linear_problem()
    expected = Ridge(5.0, fit_intercept=False).fit(X, y).coef_
    assert_same_solution(minimised(name, 5.0, torch.zeros(1, 1).double()), [expected])


def test_strengths_by_weight_spare_their_columns():
    X, y = linear_problem()
    l1 = torch.full((1, P), 1e9, dtype=torch.float64)
    l1[:, :4] = 0.0
    (coefs,) = minimised("sgd", 0.0, l1)
    expected = np.linalg.lstsq(X[:, :4], y)[0]
    np.testing.assert_allclose(coefs[:4], expected, rtol=0, atol=2e-6)
    assert (coefs[4:] == 0).all()


# Activities.


@pytest.mark.parametrize("lead", [(), (3,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_activity_penalty_is_its_formula(lead, dtype):
    outputs = [torch.randn(*lead, 5, k, dtype=dtype).requires_grad_() for k in (4, 2)]
    total = sum(a.detach().abs().sum(-1) for a in outputs)  # a number a row
    result = activity_penalty(outputs, 0.3)
    assert result.shape == lead
    torch.testing.assert_close(result, 0.3 * total.mean(-1))
    slopes = torch.autograd.grad(result.sum(), outputs)
    for slope, a in zip(slopes, outputs, strict=True):
        torch.testing.assert_close(slope, 0.3 / 5 * a.detach().sign())
    share = torch.tensor([0.5, 0.25, 0.25, 0.0, 0.0], dtype=dtype).unsqueeze(1)
    weighted = activity_penalty(outputs, 0.3, share.expand(*lead, 5, 1))
    torch.testing.assert_close(weighted, 0.3 * (total * share[:, 0]).sum(-1))
    torch.testing.assert_close(activity_penalty(outputs, 0.3, 1 / 5), result)


def test_members_may_differ_in_the_strength_of_activities():
    outputs = [torch.randn(3, 5, k) for k in (4, 2)]
    result = activity_penalty(outputs, COLUMN)
    assert result.dtype == torch.float32
    for i, strength in enumerate(COLUMN[:, 0]):
        alone = activity_penalty([a[i] for a in outputs], float(strength))
        torch.testing.assert_close(result[i], alone)
