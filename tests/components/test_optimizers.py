import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
import torch
from sklearn.base import clone

from sklearn_dnn.components import optimizers
from sklearn_dnn.components.optimizers import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
)

STEPS = 25
MEMBERS, SIZE = 3, 11
RATES = torch.tensor([[0.1], [0.01], [0.5]], dtype=torch.float64)


def betas(rule):
    return {"betas": (rule.beta_1, rule.beta_2), "eps": rule.epsilon}


# for each name: rules to compare, and the same rule of torch
CASES = {
    "sgd": (
        [SGD(), SGD(momentum=0.8), SGD(momentum=0.8, nesterov=True)],
        lambda r: (torch.optim.SGD, {"momentum": r.momentum, "nesterov": r.nesterov}),
    ),
    "momentum": (
        [Momentum(), Momentum(momentum=0.5), Momentum(momentum=0.0)],
        lambda r: (torch.optim.SGD, {"momentum": r.momentum}),
    ),
    "nesterov": (
        [Nesterov(), Nesterov(momentum=0.5)],
        lambda r: (torch.optim.SGD, {"momentum": r.momentum, "nesterov": True}),
    ),
    "adagrad": (
        [Adagrad(), Adagrad(epsilon=0.1, initial_accumulator=0.5)],
        lambda r: (
            torch.optim.Adagrad,
            {"eps": r.epsilon, "initial_accumulator_value": r.initial_accumulator},
        ),
    ),
    "rmsprop": (
        [RMSprop(), RMSprop(rho=0.5, epsilon=0.1)],
        lambda r: (torch.optim.RMSprop, {"alpha": r.rho, "eps": r.epsilon}),
    ),
    "adam": (
        [Adam(), Adam(beta_1=0.5, beta_2=0.9, epsilon=0.1), Adam(beta_1=0.0)],
        lambda r: (torch.optim.Adam, betas(r)),
    ),
    "adamw": (
        [AdamW(), AdamW(beta_1=0.5, beta_2=0.9, epsilon=0.1, weight_decay=0.3)],
        lambda r: (torch.optim.AdamW, betas(r) | {"weight_decay": r.weight_decay}),
    ),
    "nadam": (
        [Nadam(), Nadam(beta_1=0.5, beta_2=0.9, epsilon=0.1, momentum_decay=0.1)],
        lambda r: (torch.optim.NAdam, betas(r) | {"momentum_decay": r.momentum_decay}),
    ),
    "adamax": (
        [Adamax(), Adamax(beta_1=0.5, beta_2=0.9, epsilon=0.1)],
        lambda r: (torch.optim.Adamax, betas(r)),
    ),
}
NOT_STEPPED = {"lbfgs"}
STEPPED = [name for name in OPTIMIZERS if name not in NOT_STEPPED]
RULES = [(name, i) for name in CASES for i in range(len(CASES[name][0]))]

BAD = {
    "sgd": [{"momentum": -0.1}, {"momentum": 1.1}, {"nesterov": "yes"}, {"nesterov": True}],
    "momentum": [{"momentum": -0.1}, {"momentum": "high"}],
    "nesterov": [{"momentum": 2.0}],
    "adagrad": [{"epsilon": 0.0}, {"initial_accumulator": -1.0}],
    "rmsprop": [{"rho": 1.0}, {"epsilon": -1.0}],
    "adam": [{"beta_1": 1.0}, {"beta_2": -0.1}, {"epsilon": 0.0}, {"epsilon": math.inf}],
    "adamw": [{"beta_1": 1.0}, {"beta_2": 1.0}, {"epsilon": 0.0}, {"weight_decay": -1.0}],
    "nadam": [{"beta_1": 1.0}, {"beta_2": 1.0}, {"epsilon": 0.0}, {"momentum_decay": -1.0}],
    "adamax": [{"beta_1": 1.0}, {"beta_2": 1.0}, {"epsilon": 0.0}],
    "lbfgs": [{"history_size": 0}, {"history_size": 2.5}, {"max_line_search": 0}],
}


@pytest.fixture
def double_by_default():
    # torch keeps the steps and NAdam's product in the default type
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def theta_and_gradients(dtype, members=MEMBERS):
    generator = torch.Generator().manual_seed(7)
    theta = torch.randn((MEMBERS, SIZE), dtype=dtype, generator=generator)
    grads = torch.randn((STEPS, MEMBERS, SIZE), dtype=dtype, generator=generator)
    grads[:, :, 0] = 0.0
    return theta[:members].clone(), grads[:, :members].clone()


def varying_rate(step):
    return 0.1 / (1 + step / 5)


def columns(rule):
    return {
        k: torch.full((MEMBERS, 1), v, dtype=torch.float64) for k, v in rule.coefficients().items()
    }


def path_of(rule, theta, grads, rate, c):
    """The parameters after each step; `rate` is a function of the step."""
    state = rule.start(theta)
    path = []
    for k, grad in enumerate(grads):
        if rule.decay():
            theta.mul_(1 - rate(k) * rule.decay())
        rule.step(theta, grad.clone(), state, rate(k), c)
        path.append(theta.clone())
    return torch.stack(path)


def path_of_torch(name, rule, theta, grads, rate):
    cls, arguments = CASES[name][1](rule)
    parameter = torch.nn.Parameter(theta.clone())
    oracle = cls([parameter], lr=0.1, foreach=False, **arguments)
    path = []
    for k, grad in enumerate(grads):
        parameter.grad = grad.clone()
        oracle.param_groups[0]["lr"] = rate(k)
        oracle.step()
        path.append(parameter.detach().clone())
    return torch.stack(path)


def close(a, b, dtype):
    tolerance = {torch.float64: 1e-11, torch.float32: 3e-5}[dtype]
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_every_name_has_a_case():
    assert set(CASES) == set(STEPPED)
    assert set(BAD) == set(OPTIMIZERS)


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", ["numbers", "columns", "one column"])
@pytest.mark.parametrize(("name", "i"), RULES)
def test_path_is_torchs(name, i, form, dtype):
    rule = CASES[name][0][i]
    theta, grads = theta_and_gradients(dtype)
    c = rule.coefficients()
    if form == "columns":
        c = columns(rule)
    elif form == "one column":
        first = next(iter(c))
        c[first] = columns(rule)[first]
    expected = path_of_torch(name, rule, theta, grads, varying_rate)
    close(path_of(rule, theta, grads, varying_rate, c), expected, dtype)


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", [Optimizer.coefficients, columns])
@pytest.mark.parametrize(("name", "i"), RULES)
def test_rates_of_their_own_are_torchs_for_each_member(name, i, form, dtype):
    rule = CASES[name][0][i]
    theta, grads = theta_and_gradients(dtype)
    start = theta.clone()
    path = path_of(rule, theta, grads, lambda k: RATES * varying_rate(k), form(rule))
    for m in range(MEMBERS):
        rate = RATES[m].item()
        expected = path_of_torch(
            name, rule, start[m], grads[:, m], lambda k, rate=rate: rate * varying_rate(k)
        )
        close(path[:, m], expected, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", STEPPED)
def test_a_stack_is_its_members(name, dtype):
    cls = OPTIMIZERS[name]
    # from small to large, but inside what each coefficient may be
    highest = (SGD(momentum=0.9) if name == "sgd" else cls()).coefficients()
    rules = [cls(**{k: v * f for k, v in highest.items()}) for f in (0.3, 0.9, 1.0)]
    c = {
        k: torch.tensor([[r.coefficients()[k]] for r in rules], dtype=torch.float64)
        for k in highest
    }
    theta, grads = theta_and_gradients(dtype)
    start = theta.clone()
    state = cls().start(theta)
    for k, grad in enumerate(grads):
        cls().step(theta, grad.clone(), state, RATES * varying_rate(k), c)
    for m, rule in enumerate(rules):
        alone = start[m : m + 1].clone()
        own = rule.start(alone)
        for k, grad in enumerate(grads[:, m : m + 1]):
            rate = RATES[m].item() * varying_rate(k)
            rule.step(alone, grad.clone(), own, rate, rule.coefficients())
        close(theta[m : m + 1], alone, dtype)
        for key, value in state.items():
            if value.ndim == 2:
                close(value[m : m + 1].to(dtype), own[key].to(dtype), dtype)


@pytest.mark.parametrize("form", [Optimizer.coefficients, columns])
@pytest.mark.parametrize("name", STEPPED)
def test_a_step_number_left_on_the_device_gives_the_same(name, form, monkeypatch):
    rule = OPTIMIZERS[name]()
    theta, grads = theta_and_gradients(torch.float32)
    expected = path_of(rule, theta.clone(), grads, varying_rate, form(rule))
    monkeypatch.setattr(optimizers, "_advance", lambda state: state["step"].add_(1).double())
    close(path_of(rule, theta, grads, varying_rate, form(rule)), expected, torch.float32)


@pytest.mark.parametrize("name", STEPPED)
def test_members_can_leave_a_stack(name):
    rule = OPTIMIZERS[name]()
    c = rule.coefficients()
    theta, grads = theta_and_gradients(torch.float64)
    whole = path_of(rule, theta.clone(), grads, varying_rate, c)
    state = rule.start(theta)
    for k, grad in enumerate(grads):
        if k == 10:
            theta = theta[[0, 2]].clone()
            state = {n: v[[0, 2]].clone() if v.ndim == 2 else v for n, v in state.items()}
        if rule.decay():
            theta.mul_(1 - varying_rate(k) * rule.decay())
        rule.step(theta, grad[[0, 2]] if k >= 10 else grad.clone(), state, varying_rate(k), c)
    close(theta, whole[-1][[0, 2]], torch.float64)


@pytest.mark.parametrize("name", STEPPED)
def test_state(name):
    rule = OPTIMIZERS[name]()
    theta, grads = theta_and_gradients(torch.float32)
    buffer = theta.data_ptr()
    state = rule.start(theta)
    for slot in rule.slots:
        assert state[slot].shape == theta.shape
        assert state[slot].dtype == theta.dtype
    for grad in grads:
        rule.step(theta, grad, state, RATES, rule.coefficients())
    assert theta.data_ptr() == buffer
    if "step" in state:
        assert state["step"].dtype == torch.float32
        assert state["step"].ndim == 0
        assert state["step"].item() == STEPS


@pytest.mark.parametrize("name", STEPPED)
def test_rate_zero_moves_nothing(name):
    theta, grads = theta_and_gradients(torch.float32)
    start = theta.clone()
    rule = OPTIMIZERS[name]()
    path_of_rates = torch.tensor([[0.0], [0.1], [0.0]])
    state = rule.start(theta)
    for grad in grads:
        rule.step(theta, grad, state, path_of_rates, rule.coefficients())
    assert torch.equal(theta[[0, 2]], start[[0, 2]])
    assert not torch.equal(theta[1], start[1])


def test_momentum_by_hand():
    # v = 2, then 0.5 * 2 + 4 = 5; theta = 1 - 0.1 * 2, then - 0.1 * 5
    theta = torch.tensor([[1.0]], dtype=torch.float64)
    rule = Momentum(momentum=0.5)
    state = rule.start(theta)
    rule.step(theta, torch.full_like(theta, 2.0), state, 0.1, rule.coefficients())
    assert theta.item() == pytest.approx(0.8)
    rule.step(theta, torch.full_like(theta, 4.0), state, 0.1, rule.coefficients())
    assert theta.item() == pytest.approx(0.3)
    assert state["velocity"].item() == pytest.approx(5.0)


def test_adams_first_step_has_the_length_of_the_rate():
    theta = torch.zeros(1, 3, dtype=torch.float64)
    rule = Adam()
    grad = torch.tensor([[1e-3, -1.0, 1e3]], dtype=torch.float64)
    rule.step(theta, grad, rule.start(theta), 0.01, rule.coefficients())
    expected = torch.tensor([[-0.01, 0.01, -0.01]], dtype=torch.float64)
    torch.testing.assert_close(theta, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_component_round_trips(name):
    for rule in [OPTIMIZERS.resolve(name), *CASES.get(name, ([],))[0]]:
        rule.validate()
        for copy in (clone(rule), pickle.loads(pickle.dumps(rule))):
            assert type(copy) is OPTIMIZERS[name]
            assert copy.get_params() == rule.get_params()
        assert repr(rule).startswith(type(rule).__name__ + "(")
        assert set(rule._parameter_constraints) == set(rule.get_params())
        assert set(rule.coefficients()) <= set(rule.get_params())
        assert all(type(value) is float for value in rule.coefficients().values())


@pytest.mark.parametrize(("name", "bad"), [(n, bad) for n in list(OPTIMIZERS) for bad in BAD[n]])
def test_bad_values_are_refused(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        OPTIMIZERS.resolve(OPTIMIZERS[name](**bad))


def test_nesterov_without_momentum_shows_both_values():
    with pytest.raises(ValueError, match=r"nesterov=True with momentum=0.0.*momentum above 0"):
        SGD(nesterov=True).validate()


def test_decay_is_adamws_alone():
    decays = {name: OPTIMIZERS[name]().decay() for name in OPTIMIZERS}
    assert decays == dict.fromkeys(OPTIMIZERS, 0.0) | {"adamw": 0.01}
    assert "weight_decay" not in AdamW().coefficients()


def test_facts():
    assert [n for n in OPTIMIZERS if OPTIMIZERS[n].full_batch] == ["lbfgs"]
    assert [n for n in OPTIMIZERS if not OPTIMIZERS[n].stackable] == ["lbfgs"]
    assert [n for n in OPTIMIZERS if not OPTIMIZERS[n].rate_linear] == ["lbfgs"]


def test_torchs_optimizers_are_not_made():
    code = (
        "import sys, torch, sklearn_dnn.components.optimizers as o\n"
        "theta = torch.ones(2, 3)\n"
        "for name in o.OPTIMIZERS:\n"
        "    rule = o.OPTIMIZERS[name]()\n"
        "    if not rule.full_batch:\n"
        "        state = rule.start(theta)\n"
        "        rule.step(theta, torch.ones(2, 3), state, 0.1, rule.coefficients())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# L-BFGS


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
