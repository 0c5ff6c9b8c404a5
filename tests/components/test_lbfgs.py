import math
import pickle

import numpy as np
import pytest
import scipy.optimize
import torch

from sklearn_dnn.components.optimizers import LBFGS


def quadratic(n=30, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    basis, _ = torch.linalg.qr(torch.randn((n, n), dtype=torch.float64, generator=generator))
    hessian = basis @ torch.diag(torch.logspace(0, 2, n, dtype=torch.float64)) @ basis.T
    optimum = torch.randn(n, dtype=torch.float64, generator=generator)

    def evaluate(theta):
        e = theta[0].double() - optimum
        return (0.5 * e @ hessian @ e).item(), (hessian @ e)[None].to(dtype)

    return evaluate, optimum


def rosenbrock(theta):
    x = theta[0].numpy().astype(np.float64)
    gradient = torch.from_numpy(scipy.optimize.rosen_der(x))[None].to(theta.dtype)
    return float(scipy.optimize.rosen(x)), gradient


def minimise(rule, theta, evaluate, iterations=300, tol=1e-9):
    state = rule.start(theta)
    for k in range(iterations):
        before = state["loss"].item()
        end = rule.iterate(theta, evaluate, state)
        loss, grad = evaluate(theta)
        assert state["loss"].item() == loss
        assert torch.equal(state["grad"], grad)
        assert not loss > before
        if end or grad.abs().max() < tol:
            return k + 1, state
    return iterations, state


def test_lbfgs_finds_the_optimum_of_a_quadratic():
    evaluate, optimum = quadratic()
    theta = torch.zeros((1, 30), dtype=torch.float64)
    iterations, _ = minimise(LBFGS(), theta, evaluate)
    assert iterations < 150
    torch.testing.assert_close(theta[0], optimum, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("history_size", [1, 5, 10])
def test_lbfgs_finds_the_optimum_of_rosenbrock(history_size):
    start = np.array([-1.2, 1.0, -1.2, 1.0, 0.5, -0.5])
    theta = torch.from_numpy(start.copy())[None]
    calls = []

    def evaluate(theta):
        calls.append(0)
        return rosenbrock(theta)

    iterations, _ = minimise(LBFGS(history_size=history_size), theta, evaluate)
    oracle = scipy.optimize.minimize(
        scipy.optimize.rosen,
        start,
        jac=scipy.optimize.rosen_der,
        method="L-BFGS-B",
        options={"maxcor": history_size, "gtol": 1e-9, "ftol": 0.0, "maxiter": 500},
    )
    assert iterations < 200
    np.testing.assert_allclose(theta[0].numpy(), oracle.x, atol=1e-6)
    if history_size == 10:
        # minimise itself evaluates once an iteration
        assert len(calls) - iterations < 1.5 * oracle.nfev


def test_lbfgs_in_single_precision_ends_at_the_noise():
    evaluate, optimum = quadratic(dtype=torch.float32)
    theta = torch.zeros((1, 30))
    iterations, _ = minimise(LBFGS(), theta, evaluate, iterations=1000, tol=0.0)
    assert iterations < 1000
    torch.testing.assert_close(theta[0].double(), optimum, rtol=1e-3, atol=1e-3)


def test_lbfgs_goes_on_identically_through_numpy():
    rule = LBFGS(history_size=4)
    one = torch.tensor([[-1.2, 1.0, -1.2, 1.0]], dtype=torch.float64)
    two = one.clone()
    state_one, state_two = rule.start(one), rule.start(two)
    for k in range(25):
        assert rule.iterate(one, rosenbrock, state_one) is False
        assert rule.iterate(two, rosenbrock, state_two) is False
        arrays = pickle.loads(pickle.dumps({n: v.numpy() for n, v in state_two.items()}))
        state_two = {n: torch.from_numpy(np.array(v)) for n, v in arrays.items()}
        assert torch.equal(one, two), k


def test_lbfgs_steps_meet_the_strong_wolfe_conditions():
    rule = LBFGS()
    theta = torch.tensor([[-1.2, 1.0, -1.2, 1.0]], dtype=torch.float64)
    state = rule.start(theta)
    rule.iterate(theta, rosenbrock, state)
    for _ in range(20):
        loss, grad, old = state["loss"].item(), state["grad"].clone(), theta.clone()
        rule.iterate(theta, rosenbrock, state)
        s = theta - old
        slope, new_slope = (grad * s).sum(), (state["grad"] * s).sum()
        assert slope < 0
        assert state["loss"] <= loss + 1e-4 * slope
        assert new_slope.abs() <= 0.9 * slope.abs() * (1 + 1e-12)


def test_lbfgs_ends_at_a_zero_gradient():
    evaluate, optimum = quadratic()
    theta = optimum[None].clone()
    assert LBFGS().iterate(theta, evaluate, LBFGS().start(theta)) is True
    assert torch.equal(theta[0], optimum)


def test_lbfgs_survives_a_wall():
    # the first trial steps leave the domain of the logarithm
    def evaluate(theta):
        x = theta[0]
        if (x <= 0).any():
            return math.inf, torch.full_like(theta, math.nan)
        return (x - x.log()).sum().item() * 100, 100 * (1 - 1 / x)[None]

    theta = torch.tensor([[1e-3, 5.0]], dtype=torch.float64)
    minimise(LBFGS(), theta, evaluate)
    torch.testing.assert_close(theta, torch.ones_like(theta))


def test_lbfgs_gives_up_where_the_gradient_lies():
    theta = torch.ones((1, 3), dtype=torch.float64)
    state = LBFGS().start(theta)

    def evaluate(theta):
        return theta.square().sum().item(), -2 * theta

    assert LBFGS().iterate(theta, evaluate, state) is True
    assert torch.equal(theta, torch.ones_like(theta))
    assert state["loss"].item() == 3.0
    assert state["count"].item() == 0


def test_lbfgs_forgets_a_history_that_misleads():
    evaluate, optimum = quadratic()
    theta = torch.zeros((1, 30), dtype=torch.float64)
    rule = LBFGS()
    state = rule.start(theta)
    for _ in range(3):
        rule.iterate(theta, evaluate, state)
    state["y"].neg_()  # the direction now goes uphill
    assert rule.iterate(theta, evaluate, state) is False
    assert state["count"].item() == 1
    for _ in range(150):
        if rule.iterate(theta, evaluate, state):
            break
    torch.testing.assert_close(theta[0], optimum, rtol=1e-5, atol=1e-5)


def test_lbfgs_leaves_a_diverged_network_alone():
    theta = torch.ones((1, 2))
    state = LBFGS().start(theta)
    assert LBFGS().iterate(theta, lambda t: (math.inf, t * math.nan), state) is True
    assert torch.equal(theta, torch.ones(1, 2))


def test_lbfgs_may_reuse_the_gradients_buffer():
    # an engine writes every gradient to the same place
    evaluate, optimum = quadratic()
    buffer = torch.zeros((1, 30), dtype=torch.float64)

    def into_buffer(theta):
        loss, grad = evaluate(theta)
        return loss, buffer.copy_(grad)

    theta = torch.zeros((1, 30), dtype=torch.float64)
    minimise(LBFGS(), theta, into_buffer)
    torch.testing.assert_close(theta[0], optimum, rtol=1e-8, atol=1e-8)
