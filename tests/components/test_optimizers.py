import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_dnn.components.optimizers import (
    FTRL,
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    Lookahead,
    Momentum,
    Muon,
    Nadam,
    Nesterov,
    RAdam,
    RMSprop,
    Rprop,
    TorchOptimizer,
)

STEPS = 25
MEMBERS, SIZE = 3, 11
RATES = torch.tensor([[0.1], [0.01], [0.5]], dtype=torch.float64)


def betas(rule):
    return {"betas": (rule.beta_1, rule.beta_2), "eps": rule.epsilon}


class ByHand:
    """A rule written down in NumPy, with the face of torch's optimizers."""

    def __init__(self, params, lr, foreach, **numbers):
        (self.parameter,) = params
        self.param_groups = [{"lr": lr} | numbers]
        self.start(self.parameter.detach().double().numpy())

    @torch.no_grad()
    def step(self):
        x, g = (t.detach().double().numpy() for t in (self.parameter, self.parameter.grad))
        moved = self.moved(x, g, **self.param_groups[0])
        self.parameter.copy_(torch.from_numpy(moved))


class LionByHand(ByHand):
    def start(self, x):
        self.mean = np.zeros_like(x)

    def moved(self, x, g, lr, betas):
        c = betas[0] * self.mean + (1 - betas[0]) * g
        self.mean = betas[1] * self.mean + (1 - betas[1]) * g
        return x - lr * np.sign(c)


class FtrlByHand(ByHand):
    """McMahan's algorithm with its sums z and n, from the mass 1 / rate on the first weights."""

    def start(self, x):
        self.n = self.z = self.mass = np.zeros_like(x)

    def moved(self, x, g, lr, l1, l2, beta, power, first):
        self.n = self.n + g * g
        mass = (beta + (first + self.n) ** -power) / lr
        self.z = self.z + g - (mass - self.mass) * x
        self.mass = mass
        pulled = np.maximum(np.abs(self.z) - l1, 0)
        return np.where(pulled > 0, -np.sign(self.z) * pulled / (mass + l2), 0.0)


class LookaheadByHand:
    def __init__(self, params, lr, foreach, inner, k, alpha):
        (self.parameter,) = params
        cls, arguments = inner
        self.fast = cls(params, lr=lr, foreach=foreach, **arguments)
        self.param_groups = self.fast.param_groups
        self.slow, self.k, self.alpha, self.count = self.parameter.detach().clone(), k, alpha, 0

    @torch.no_grad()
    def step(self):
        self.fast.step()
        self.count += 1
        if self.count % self.k == 0:
            self.slow = self.slow + self.alpha * (self.parameter - self.slow)
            self.parameter.copy_(self.slow)


def lookahead_by_hand(rule):
    inner = OPTIMIZERS.resolve(rule.optimizer)
    oracle = CASES[OPTIMIZERS.name_of(inner)][1](inner)
    return LookaheadByHand, {"inner": oracle, "k": rule.k, "alpha": rule.alpha}


# for each name: rules to compare, and the same rule of torch or by hand
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
    "amsgrad": (
        [AMSGrad(), AMSGrad(beta_1=0.5, beta_2=0.3, epsilon=0.1)],
        lambda r: (torch.optim.Adam, betas(r) | {"amsgrad": True}),
    ),
    "radam": (
        # rectified from the sixth step on, a little earlier or later, and never
        [RAdam(), RAdam(beta_1=0.5, beta_2=0.9, epsilon=0.1), RAdam(beta_2=0.5)],
        lambda r: (torch.optim.RAdam, betas(r)),
    ),
    "adadelta": (
        [Adadelta(), Adadelta(rho=0.5, epsilon=0.01)],
        lambda r: (torch.optim.Adadelta, {"rho": r.rho, "eps": r.epsilon}),
    ),
    "rprop": (
        [Rprop(), Rprop(eta_minus=0.3, eta_plus=2.0, step_min=0.05, step_max=0.2)],
        lambda r: (
            torch.optim.Rprop,
            {"etas": (r.eta_minus, r.eta_plus), "step_sizes": (r.step_min, r.step_max)},
        ),
    ),
    "lion": (
        [Lion(), Lion(beta_1=0.5, beta_2=0.7)],
        lambda r: (LionByHand, {"betas": (r.beta_1, r.beta_2)}),
    ),
    "ftrl": (
        [
            FTRL(l1=0.3, l2=0.2),
            FTRL(),
            FTRL(l1=1.0, beta=0.0, power=-0.8, initial_accumulator=0.1),
            FTRL(l2=1.0, power=0.0),
        ],
        lambda r: (
            FtrlByHand,
            r.coefficients() | {"first": r.initial_accumulator},
        ),
    ),
    "lookahead": (
        [
            Lookahead(Adam()),
            Lookahead("rmsprop", k=1, alpha=0.25),
            Lookahead(SGD(momentum=0.8), k=3, alpha=1.0),
            Lookahead(Rprop(), k=4),
        ],
        lookahead_by_hand,
    ),
}
# Rules that cut matrices from one member's row have a table of their own; L-BFGS has no steps.
ON_MATRICES = {"adafactor", "muon"}
STEPPED = [name for name in OPTIMIZERS if name not in {"lbfgs", *ON_MATRICES}]
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
    "amsgrad": [{"beta_1": 1.0}, {"beta_2": -0.1}, {"epsilon": 0.0}],
    "radam": [{"beta_1": -1.0}, {"beta_2": 1.0}, {"epsilon": 0.0}],
    "adadelta": [{"rho": 1.0}, {"epsilon": 0.0}],
    "rprop": [
        {"eta_minus": 1.0},
        {"eta_minus": 0.0},
        {"eta_plus": 1.0},
        {"step_min": 0.0},
        {"step_max": 0.0},
        {"step_min": 2.0, "step_max": 1.0},
    ],
    "lion": [{"beta_1": 1.0}, {"beta_2": -0.1}],
    "ftrl": [
        {"l1": -1.0},
        {"l2": -1.0},
        {"beta": -1.0},
        {"power": 0.5},
        {"initial_accumulator": -1.0},
        {"beta": 0.0},
    ],
    "lookahead": [
        {"optimizer": "adm"},
        {"optimizer": "lbfgs"},
        {"optimizer": LBFGS()},
        {"optimizer": 3},
        {"k": 0},
        {"k": 2.5},
        {"alpha": 0.0},
        {"alpha": 1.5},
    ],
    "adafactor": [
        {"beta_2_decay": 0.1},
        {"epsilon_1": 0.0},
        {"epsilon_2": -1.0},
        {"threshold": 0.0},
    ],
    "muon": [
        {"momentum": 1.0},
        {"nesterov": "yes"},
        {"ns_steps": 0},
        {"ns_steps": 100},
        {"adjust": "none"},
        {"beta_1": 1.0},
        {"beta_2": 1.0},
        {"epsilon": 0.0},
    ],
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


def numbers(rule):
    return rule.coefficients()


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
    assert set(MATRIX_CASES) == ON_MATRICES
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
@pytest.mark.parametrize("form", [numbers, columns])
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
    first = {"sgd": SGD(momentum=0.9)}.get(name, CASES[name][0][0])
    # from small to large, but inside what each coefficient of most may be
    highest = first.coefficients()
    rules = [
        clone(first).set_params(**{k: v * f for k, v in highest.items()}) for f in (0.3, 0.9, 1.0)
    ]
    c = {
        k: torch.tensor([[r.coefficients()[k]] for r in rules], dtype=torch.float64)
        for k in highest
    }
    theta, grads = theta_and_gradients(dtype)
    start = theta.clone()
    state = first.start(theta)
    for k, grad in enumerate(grads):
        first.step(theta, grad.clone(), state, RATES * varying_rate(k), c)
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


@pytest.mark.parametrize("form", [numbers, columns])
@pytest.mark.parametrize("name", STEPPED)
def test_a_step_number_left_on_the_device_gives_the_same(name, form, monkeypatch):
    rule = OPTIMIZERS[name]()
    theta, grads = theta_and_gradients(torch.float32)
    expected = path_of(rule, theta.clone(), grads, varying_rate, form(rule))
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
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


# Rprop's shortest length is above zero
@pytest.mark.parametrize("name", [name for name in STEPPED if name != "rprop"])
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
            assert repr(copy) == repr(rule)
            assert copy.get_params().keys() == rule.get_params().keys()
            assert copy.coefficients() == rule.coefficients()
        assert repr(rule).startswith(type(rule).__name__ + "(")
        assert set(rule._parameter_constraints) == set(rule.get_params(deep=False))
        assert {n for n in rule.coefficients() if "__" not in n} <= set(rule.get_params())
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


FACTS = {
    # default rate, momentum, stackable, linear in the rate
    "sgd": (0.01, "momentum", True, True),
    "momentum": (0.01, "momentum", True, True),
    "nesterov": (0.01, "momentum", True, True),
    "adagrad": (0.01, None, True, True),
    "rmsprop": (0.001, None, True, True),
    "adadelta": (1.0, None, True, True),
    "adam": (0.001, "beta_1", True, True),
    "adamw": (0.001, "beta_1", True, True),
    "amsgrad": (0.001, "beta_1", True, True),
    "radam": (0.001, "beta_1", True, True),
    "nadam": (0.002, "beta_1", True, True),
    "adamax": (0.002, "beta_1", True, True),
    "rprop": (0.01, None, True, False),
    "lion": (3e-4, "beta_1", True, True),
    "ftrl": (0.1, None, True, False),
    "adafactor": (0.01, None, False, False),
    "muon": (0.001, "momentum", False, True),
    "lookahead": (0.001, "optimizer__beta_1", True, False),
    "lbfgs": (1.0, None, False, False),
}


def test_facts():
    rules = {name: OPTIMIZERS[name]() for name in OPTIMIZERS}
    assert {
        name: (r.default_rate, r.momentum_name, r.stackable, r.rate_linear)
        for name, r in rules.items()
    } == FACTS
    assert [name for name in rules if rules[name].full_batch] == ["lbfgs"]
    assert {name for name in rules if not rules[name].follows_rate} == {"rprop", "lbfgs"}
    for name, (_, momentum, _, _) in FACTS.items():
        assert momentum is None or momentum in rules[name].coefficients()


def test_lookahead_has_the_facts_of_what_it_is_around():
    rule = Lookahead(Muon())
    assert (rule.default_rate, rule.momentum_name) == (0.001, "optimizer__momentum")
    assert not rule.stackable
    rule = Lookahead(Rprop())
    assert (rule.default_rate, rule.momentum_name) == (0.01, None)
    assert not rule.follows_rate
    assert Lookahead(AdamW(weight_decay=0.3)).decay() == 0.3


def test_lookahead_has_nested_parameters():
    rule = Lookahead(Lookahead(Adam()))
    rule.set_params(optimizer__optimizer__beta_1=0.5, optimizer__k=3)
    assert rule.coefficients()["optimizer__optimizer__beta_1"] == 0.5
    said = r"optimizer__beta_1.*optimizer='adam' has no.*'beta_1', as in Lookahead\(optimizer="
    with pytest.raises(ValueError, match=said):
        Lookahead().set_params(optimizer__beta_1=0.5)
    assert Lookahead().set_params(optimizer=Adam(), optimizer__beta_1=0.5).optimizer.beta_1 == 0.5


# A schedule of momentum


def momentum_of(step):
    return 0.9 - 0.03 * step


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize("form", [numbers, columns])
@pytest.mark.parametrize("name", [n for n in STEPPED if FACTS[n][1] is not None])
def test_momentum_is_read_at_every_step(name, form):
    rule = SGD(momentum=0.9) if name == "sgd" else CASES[name][0][0]
    theta, grads = theta_and_gradients(torch.float64)
    cls, arguments = CASES[name][1](rule)
    parameter = torch.nn.Parameter(theta.clone())
    oracle = cls([parameter], lr=0.1, foreach=False, **arguments)
    (group,) = oracle.param_groups
    state = rule.start(theta)
    c = form(rule)
    for k, grad in enumerate(grads):
        parameter.grad = grad.clone()
        if "betas" in group:
            group["betas"] = (momentum_of(k), group["betas"][1])
        else:
            group["momentum"] = momentum_of(k)
        if rule.decay():
            theta.mul_(1 - 0.1 * rule.decay())
        c[rule.momentum_name] = 0 * c[rule.momentum_name] + momentum_of(k)
        oracle.step()
        rule.step(theta, grad, state, 0.1, c)
        close(theta, parameter.detach(), torch.float64)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_momentum_of_zero_forgets_the_velocity(nesterov):
    rule = SGD(momentum=0.9, nesterov=nesterov)
    theta, grads = theta_and_gradients(torch.float64)
    by_number, by_column, expected = theta.clone(), theta.clone(), theta.clone()
    state, states, velocity = rule.start(theta), rule.start(theta), torch.zeros_like(theta)
    for grad, mu in zip(grads, [0.9, 0.9, 0.0, 0.5, 0.9], strict=False):
        velocity = mu * velocity + grad
        expected -= 0.1 * (grad + mu * velocity if nesterov else velocity)
        rule.step(by_number, grad.clone(), state, 0.1, {"momentum": mu})
        column = torch.full((MEMBERS, 1), mu, dtype=torch.float64)
        rule.step(by_column, grad.clone(), states, 0.1, {"momentum": column})
    close(by_number, expected, torch.float64)
    close(by_column, expected, torch.float64)


# What is particular to a rule


def test_ftrl_from_zero_is_tensorflows_at_a_constant_rate():
    rate, l1, l2, beta, first = 0.3, 0.4, 0.05, 0.2, 0.1
    theta, grads = theta_and_gradients(torch.float64)
    theta.zero_()
    rule = FTRL(l1=l1, l2=2 * l2, beta=beta, initial_accumulator=first)
    state = rule.start(theta)
    w = np.zeros(theta.shape)
    n, z = np.full_like(w, first), np.zeros_like(w)
    zeros = 0
    for grad in grads:
        g = grad.numpy()
        new = n + g**2
        z = z + g - (np.sqrt(new) - np.sqrt(n)) / rate * w
        n = new
        quadratic = np.sqrt(n) / rate + 2 * (l2 + beta / (2 * rate))
        w = (np.clip(z, -l1, l1) - z) / quadratic
        rule.step(theta, grad.clone(), state, rate, rule.coefficients())
        np.testing.assert_allclose(theta.numpy(), w, rtol=1e-11, atol=1e-14)
        assert torch.equal(theta == 0, torch.from_numpy(w == 0))
        zeros += (theta == 0).sum().item()
    assert 0.1 < zeros / grads.numel() < 0.9


def test_ftrl_without_penalties_is_adagrad():
    theta, grads = theta_and_gradients(torch.float64)
    ours = FTRL(beta=0.0, initial_accumulator=0.5)
    theirs = Adagrad(epsilon=1e-300, initial_accumulator=0.5)
    close(
        path_of(ours, theta.clone(), grads, varying_rate, ours.coefficients()),
        path_of(theirs, theta.clone(), grads, varying_rate, theirs.coefficients()),
        torch.float64,
    )


def test_ftrl_spares_biases():
    theta, grads = theta_and_gradients(torch.float64)
    other = theta.clone()
    rules = FTRL(l1=1e3, l2=1.0), FTRL()
    states = [
        rule.start(x, [(2, 3), (1, 1)]) for rule, x in zip(rules, (theta, other), strict=True)
    ]
    for grad in grads:
        for rule, x, state in zip(rules, (theta, other), states, strict=True):
            rule.step(x, grad.clone(), state, 0.1, rule.coefficients())
    assert not theta[:, :7].any()
    assert torch.equal(theta[:, 7:], other[:, 7:])


def test_lion_moves_by_the_rate():
    theta, grads = theta_and_gradients(torch.float64)
    before = theta.clone()
    rule = Lion()
    rule.step(theta, grads[0], rule.start(theta), 0.1, rule.coefficients())
    moved = (theta - before).abs()
    torch.testing.assert_close(moved[:, 1:], torch.full_like(moved[:, 1:], 0.1))
    assert not moved[:, 0].any()


def test_rprop_sees_signs_of_tiny_gradients():
    theta = torch.zeros(1, 1)
    rule = Rprop()
    state = rule.start(theta)
    for _ in range(2):
        rule.step(theta, torch.full_like(theta, 1e-30), state, 0.1, rule.coefficients())
    assert theta.item() == pytest.approx(-0.1 - 0.12)


# Rules on matrices

SHAPES = [(3, 5), (5, 2)]
N_WEIGHTS, N_REST = 25, 6


@pytest.fixture
def muon_in_double(monkeypatch):
    """torch.optim.Muon computes in bfloat16; here in the type it is given."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


def adafactor_of_torch(rule):
    arguments = {
        "beta2_decay": rule.beta_2_decay,
        "eps": (rule.epsilon_1, rule.epsilon_2),
        "d": rule.threshold,
    }
    return [(torch.optim.Adafactor, arguments)] * 2


def muon_of_torch(rule):
    if "Muon" not in dir(torch.optim):
        pytest.skip("this version of torch has no Muon")
    arguments = {
        "weight_decay": 0.0,
        "momentum": rule.momentum,
        "nesterov": rule.nesterov,
        "ns_steps": rule.ns_steps,
        "adjust_lr_fn": rule.adjust,
    }
    return (torch.optim.Muon, arguments), (torch.optim.Adam, betas(rule))


# for each name: rules, and torch's optimizers of the matrices and of the rest
MATRIX_CASES = {
    "adafactor": (
        [
            Adafactor(),
            Adafactor(beta_2_decay=-0.5, epsilon_1=0.1, epsilon_2=0.5, threshold=1.3),
        ],
        adafactor_of_torch,
    ),
    "muon": (
        [
            Muon(),
            Muon(momentum=0.5, nesterov=False, ns_steps=3, beta_1=0.5, beta_2=0.9, epsilon=0.1),
            Muon(adjust="original"),
        ],
        muon_of_torch,
    ),
}
MATRIX_RULES = [(name, i) for name in MATRIX_CASES for i in range(len(MATRIX_CASES[name][0]))]


def row_and_gradients(dtype=torch.float64):
    generator = torch.Generator().manual_seed(11)
    size = N_WEIGHTS + N_REST
    theta = torch.randn((1, size), dtype=dtype, generator=generator)
    return theta, torch.randn((STEPS, 1, size), dtype=dtype, generator=generator)


def parts(row):
    """Matrices as torch has them, (n_out, n_in), and the rest."""
    return (
        [row[0, :15].view(3, 5).T.contiguous(), row[0, 15:25].view(5, 2).T.contiguous()],
        row[0, 25:].clone(),
    )


@pytest.mark.usefixtures("double_by_default", "muon_in_double")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "i"), MATRIX_RULES)
def test_path_on_matrices_is_torchs(name, i, dtype):
    rule = MATRIX_CASES[name][0][i]
    theta, grads = row_and_gradients(dtype)
    matrices, rest = parts(theta)
    parameters = [*map(torch.nn.Parameter, matrices), torch.nn.Parameter(rest)]
    (first, arguments), (second, others) = MATRIX_CASES[name][1](rule)
    oracles = [
        first(parameters[:2], lr=0.1, **arguments),
        second(parameters[2:], lr=0.1, **others),
    ]
    state = rule.start(theta, SHAPES)
    for k, grad in enumerate(grads):
        matrices, rest = parts(grad)
        for parameter, gradient in zip(parameters, [*matrices, rest], strict=True):
            parameter.grad = gradient
        for oracle in oracles:
            oracle.param_groups[0]["lr"] = varying_rate(k)
            oracle.step()
        rule.step(theta, grad.clone(), state, varying_rate(k), rule.coefficients())
        matrices, rest = parts(theta)
        for ours, theirs in zip([*matrices, rest], parameters, strict=True):
            close(ours, theirs.detach(), dtype)


@pytest.mark.parametrize("steps", [1, 5])
def test_muon_takes_its_polynomial_of_the_singular_values(steps):
    # and so U p(S) V^T is the step; the momentum of a first step scales the gradient alone
    theta, grads = row_and_gradients()
    before = theta.clone()
    rule = Muon(ns_steps=steps)
    rule.step(theta, grads[0].clone(), rule.start(theta, SHAPES), 0.1, rule.coefficients())
    for shape, place in zip(SHAPES, (slice(0, 15), slice(15, 25)), strict=True):
        u, s, vt = torch.linalg.svd(grads[0, 0, place].view(shape), full_matrices=False)
        s = s / s.norm()
        for _ in range(steps):
            s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
        expected = -0.1 * 0.2 * math.sqrt(max(shape)) * (u * s) @ vt
        moved = (theta - before)[0, place].view(shape)
        torch.testing.assert_close(moved, expected, rtol=1e-11, atol=1e-13)
        assert steps == 1 or (s > 0.6).all()


@pytest.mark.usefixtures("double_by_default", "muon_in_double")
def test_muon_reads_its_momentum_at_every_step():
    rule = Muon()
    theta, grads = row_and_gradients()
    matrices, _ = parts(theta)
    parameters = [*map(torch.nn.Parameter, matrices)]
    (cls, arguments), _ = muon_of_torch(rule)
    oracle = cls(parameters, lr=0.1, **arguments)
    state = rule.start(theta, SHAPES)
    for k, grad in enumerate(grads):
        for parameter, gradient in zip(parameters, parts(grad)[0], strict=True):
            parameter.grad = gradient
        oracle.param_groups[0]["momentum"] = momentum_of(k)
        oracle.step()
        c = rule.coefficients() | {"momentum": momentum_of(k)}
        rule.step(theta, grad.clone(), state, 0.1, c)
        for ours, theirs in zip(parts(theta)[0], parameters, strict=True):
            close(ours, theirs.detach(), torch.float64)


@pytest.mark.parametrize("name", sorted(ON_MATRICES))
def test_rules_on_matrices_do_without_some_of_a_row(name):
    rule = OPTIMIZERS[name]()
    for shapes in ([], [(5, 5), (1, 6)]):  # a vector alone, and matrices alone
        theta, grads = row_and_gradients()
        state = rule.start(theta, shapes)
        for grad in grads:
            rule.step(theta, grad.clone(), state, 0.1, rule.coefficients())
        assert torch.isfinite(theta).all()


def test_squares_of_adafactor_take_a_row_and_a_column():
    theta, _ = row_and_gradients()
    state = Adafactor().start(theta, SHAPES)
    assert {n: state[n].shape[1] for n in ("rows", "columns", "square")} == {
        "rows": 8,
        "columns": 7,
        "square": N_REST,
    }


# Going on, with every rule that makes steps

GOING_ON = [
    *(rule for name in sorted(STEPPED) for rule in CASES[name][0][:1]),
    *(rule for name in sorted(ON_MATRICES) for rule in MATRIX_CASES[name][0][:1]),
    Lookahead(Muon(), k=3),
    Lookahead(TorchOptimizer(torch.optim.NAdam), k=3),
    TorchOptimizer(torch.optim.ASGD, lambd=0.1, t0=5),
    TorchOptimizer(torch.optim.SGD),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", GOING_ON, ids=repr)
def test_a_rule_goes_on_through_numpy(rule, dtype):
    with torch.no_grad():
        one, grads = row_and_gradients(dtype)
        two, grad = one.clone(), torch.zeros_like(one)
        state_one, state_two = rule.start(one, SHAPES), rule.start(two, SHAPES)
        move = rule.bind(one, grad, state_one, SHAPES)
        for k, g in enumerate(grads):
            if k % 10 == 7:
                arrays = pickle.loads(pickle.dumps({n: v.numpy() for n, v in state_two.items()}))
                state_two = {n: torch.from_numpy(np.array(v)) for n, v in arrays.items()}
            grad.copy_(g)
            move(varying_rate(k), rule.coefficients())
            rule.step(two, g.clone(), state_two, varying_rate(k), rule.coefficients())
            assert torch.equal(one, two), k
        assert state_one.keys() == state_two.keys()
        for name, value in state_one.items():
            assert torch.equal(value, state_two[name]), name


def test_torchs_optimizers_are_not_made():
    code = (
        "import sys, torch, sklearn_dnn.components.optimizers as o\n"
        "theta = torch.ones(1, 7)\n"
        "for name in o.OPTIMIZERS:\n"
        "    rule = o.OPTIMIZERS[name]()\n"
        "    if not rule.full_batch:\n"
        "        state = rule.start(theta, [(2, 3)])\n"
        "        rule.step(theta, torch.ones(1, 7), state, 0.1, rule.coefficients())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# The forms of scikit-learn and Keras


def run_rule(rule, rates, columns=False):
    """Where one number goes by gradients 1, 2, 3, ..., at those rates."""
    theta = torch.zeros((2, 1) if columns else (1, 1), dtype=torch.float64)
    state = rule.start(theta)
    found = []
    for i, rate in enumerate(rates):
        grad = torch.full_like(theta, i + 1.0)
        own = torch.tensor([[rate], [2 * rate]], dtype=torch.float64) if columns else rate
        rule.step(theta, grad, state, own, rule.coefficients())
        found.append(theta[0].item())
    return found


@pytest.mark.parametrize("columns", [False, True])
def test_adams_epsilon_hat_is_beside_the_root_that_is_not_corrected(columns):
    rule = Adam(0.9, 0.99, 0.5, epsilon_hat=True)
    m = v = theta = 0.0
    expected = []
    for i in range(4):
        m, v = 0.9 * m + 0.1 * (i + 1), 0.99 * v + 0.01 * (i + 1) ** 2
        rate = 0.1 * math.sqrt(1 - 0.99 ** (i + 1)) / (1 - 0.9 ** (i + 1))
        theta -= rate * m / (math.sqrt(v) + 0.5)
        expected.append(theta)
    assert run_rule(rule, [0.1] * 4, columns) == pytest.approx(expected, rel=1e-6)
    assert run_rule(Adam(0.9, 0.99, 0.5), [0.1] * 4) != pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
def test_a_velocity_of_steps_keeps_the_rates_that_they_had(nesterov, columns):
    rates = [0.1, 0.1, 0.02, 0.02]
    velocity = theta = 0.0
    expected = []
    for i, rate in enumerate(rates):
        step = -rate * (i + 1)
        velocity = 0.9 * velocity + step
        theta += 0.9 * velocity + step if nesterov else velocity
        expected.append(theta)
    rule = SGD(0.9, nesterov, velocity="steps")
    assert run_rule(rule, rates, columns) == pytest.approx(expected)
    gradients = run_rule(SGD(0.9, nesterov), rates)
    assert gradients[:2] == pytest.approx(expected[:2])  # the same while the rate is
    assert gradients[2:] != pytest.approx(expected[2:])
