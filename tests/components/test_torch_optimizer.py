import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import SGD, Adam, AMSGrad, Lookahead, RMSprop, TorchOptimizer
from sklearn_dnn.components.optimizers import OPTIMIZERS

# short fits have not converged
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHAPES = ((4, 3), (3, 2))
SIZE = 12 + 6 + 5


class Counting(torch.optim.Optimizer):
    """Gradient descent that keeps one state of each kind."""

    def __init__(self, params, lr, scale=1.0):
        super().__init__(params, {"lr": lr, "scale": scale, "total": 0.0, "steps": 0})

    @torch.no_grad()
    def step(self):
        (group,) = self.param_groups
        group["steps"] += 1
        group["total"] += group["lr"]
        for p in group["params"]:
            state = self.state[p]
            if not state:
                state |= {"count": 0, "share": 1.0, "odd": False, "nothing": None}
            assert state["nothing"] is None
            state["count"] += 1
            state["share"] *= 0.9
            state["odd"] = not state["odd"]
            assert type(state["count"]) is int
            assert type(state["share"]) is float
            assert state["odd"] is (state["count"] % 2 == 1)
            p.sub_(p.grad, alpha=group["scale"] * group["lr"] * state["share"] / group["steps"])


class Remembering(torch.optim.SGD):
    """Keeps what can't be kept."""

    def step(self):
        for p in self.param_groups[0]["params"]:
            self.state[p]["history"] = []


class Needy(torch.optim.SGD):
    def step(self, closure):
        closure()


class Rateless(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {})

    def step(self):
        pass


class Shapely(torch.optim.Optimizer):
    """Moves every parameter by what only its own shape tells."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            if p.ndim == 2:
                p.add_(torch.arange(len(p))[:, None])


def row_and_gradients(dtype):
    generator = torch.Generator().manual_seed(5)
    theta = torch.randn((1, SIZE), dtype=dtype, generator=generator)
    return theta, torch.randn((20, 1, SIZE), dtype=dtype, generator=generator)


def path_of(rule, dtype):
    with torch.no_grad():
        theta, grads = row_and_gradients(dtype)
        grad = torch.zeros_like(theta)
        move = rule.bind(theta, grad, rule.start(theta, SHAPES), SHAPES)
        path = []
        for k, g in enumerate(grads):
            grad.copy_(g)
            move(0.1 / (1 + k), rule.coefficients())
            path.append(theta.clone())
    return torch.stack(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (TorchOptimizer(torch.optim.Adam), Adam()),
        (TorchOptimizer(torch.optim.Adam, betas=(0.5, 0.9)), Adam(beta_1=0.5, beta_2=0.9)),
        (TorchOptimizer(torch.optim.Adam, fused=True), Adam()),
        (TorchOptimizer(torch.optim.Adam, foreach=True, amsgrad=True), AMSGrad()),
        (TorchOptimizer(torch.optim.SGD), SGD()),
        (TorchOptimizer(torch.optim.SGD, momentum=0.8, nesterov=True), SGD(0.8, True)),
        (TorchOptimizer(torch.optim.RMSprop, alpha=0.9), RMSprop()),
        (Lookahead(TorchOptimizer(torch.optim.Adam), k=3), Lookahead(k=3)),
    ],
    ids=repr,
)
def test_torchs_class_is_our_rule(theirs, ours, dtype):
    tolerance = 1e-11 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(
        path_of(theirs, dtype), path_of(ours, dtype), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        (TorchOptimizer(torch.optim.SGD, momentum=0.9), SGD(momentum=0.9)),
        (TorchOptimizer(torch.optim.Adam), Adam()),
    ],
    ids=repr,
)
def test_a_schedule_of_momentum_reaches_the_class(rule, same):
    (one, grads), (two, _) = row_and_gradients(torch.float64), row_and_gradients(torch.float64)
    assert rule.momentum_name == same.momentum_name
    with torch.no_grad():
        states = rule.start(one, SHAPES), same.start(two, SHAPES)
        for k, g in enumerate(grads):
            momentum = {same.momentum_name: 0.9 - 0.02 * k}
            rule.step(one, g.clone(), states[0], 0.1, rule.coefficients() | momentum)
            same.step(two, g.clone(), states[1], 0.1, same.coefficients() | momentum)
    torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)


def test_matrices_have_torchs_orientation():
    rule = TorchOptimizer(Shapely)
    theta = torch.zeros(1, SIZE)
    rule.step(theta, torch.ones_like(theta), rule.start(theta, SHAPES), 0.1, {})
    first, second = torch.tensor([[0.0, 1.0, 2.0]] * 4), torch.tensor([[0.0, 1.0]] * 3)
    expected = torch.cat([first.flatten(), second.flatten(), torch.zeros(5)])
    assert torch.equal(theta[0], expected)


def test_state_of_every_kind_is_kept():
    rule = TorchOptimizer(Counting, scale=2.0)
    rule.validate()
    (one, grads), (two, _) = row_and_gradients(torch.float64), row_and_gradients(torch.float64)
    with torch.no_grad():
        grad = torch.zeros_like(one)
        state, saved = rule.start(one, SHAPES), rule.start(two, SHAPES)
        move = rule.bind(one, grad, state, SHAPES)
        for g in grads:
            grad.copy_(g)
            move(0.1, {})
            saved = pickle.loads(pickle.dumps({n: v.numpy() for n, v in saved.items()}))
            saved = {n: torch.from_numpy(np.array(v)) for n, v in saved.items()}
            rule.step(two, g.clone(), saved, 0.1, {})
            assert torch.equal(one, two)
    assert state["group.float.total"].item() == pytest.approx(2.0)
    assert state["group.int.steps"].item() == 20
    assert not [name for name in state if "scale" in name]


def test_facts():
    assert TorchOptimizer(torch.optim.ASGD).default_rate == 0.01
    assert TorchOptimizer(Counting).default_rate == 0.001
    assert TorchOptimizer(torch.optim.ASGD).momentum_name is None
    assert TorchOptimizer(torch.optim.RMSprop, momentum=0.5).coefficients() == {"momentum": 0.5}
    assert TorchOptimizer(torch.optim.NAdam).coefficients() == {"beta_1": 0.9}
    assert not TorchOptimizer(torch.optim.Adam).stackable


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        (TorchOptimizer(torch.optim.LBFGS), ValueError, r"closure.*optimizer='lbfgs'"),
        (TorchOptimizer(Needy), ValueError, r"drive Needy.*closure"),
        (TorchOptimizer(Rateless), ValueError, r"with Rateless.*has no 'lr'"),
        (TorchOptimizer(Remembering), ValueError, r"'history' is a list"),
        (TorchOptimizer(torch.optim.SparseAdam), ValueError, r"SparseAdam.*one vector"),
        (TorchOptimizer(torch.optim.Adam, lr=0.1), ValueError, r"'lr' is no argument"),
        (TorchOptimizer(torch.optim.Adam, maximize=True), ValueError, r"'maximize' is no arg"),
        (TorchOptimizer(torch.optim.Adam, beta=0.1), ValueError, r"'beta'.*mean 'betas'"),
        (TorchOptimizer(torch.optim.Adam, eps=-1.0), ValueError, r"Adam and \{'eps': -1.0\}"),
        (TorchOptimizer(dict), TypeError, r"subclass of torch.optim.Optimizer.*dict"),
        (TorchOptimizer("adam"), TypeError, r"wraps a class. Got 'adam'"),
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_refused(rule, error, words):
    with pytest.raises(error, match=words):
        OPTIMIZERS.resolve(rule)


@pytest.mark.skipif("Muon" not in dir(torch.optim), reason="this version of torch has no Muon")
def test_muon_of_torch_is_refused_since_it_takes_no_vectors():
    with pytest.raises(ValueError, match=r"2D parameters.*biases and norms as one vector"):
        TorchOptimizer(torch.optim.Muon).validate()


def test_component_round_trips():
    rule = TorchOptimizer(torch.optim.ASGD, lambd=1e-3)
    for copy in (clone(rule), pickle.loads(pickle.dumps(rule))):
        assert copy.get_params() == {"wrapped": torch.optim.ASGD, "lambd": 1e-3}
    assert rule.set_params(alpha=0.5).arguments == {"lambd": 1e-3, "alpha": 0.5}
    with pytest.raises(ValueError, match="'momentum' is no argument of ASGD"):
        rule.set_params(momentum=0.5)


# In an estimator


def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, X @ rng.normal(size=4) + rng.normal(size=60)


def regressor(optimizer, **parameters):
    usual = {"learning_rate_init": 0.02, "batch_size": 16, "max_iter": 6, "random_state": 0}
    return MLPRegressor((5, 3), optimizer=optimizer, tol=0.0, **usual | parameters)


def test_a_fit_is_ours():
    X, y = table()
    parameters = {"schedule": "exponential", "weight_decay": 0.1, "norm": "layer"}
    theirs = regressor(TorchOptimizer(torch.optim.Adam), **parameters).fit(X, y)
    ours = regressor("adam", **parameters).fit(X, y)
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-9)


@pytest.mark.parametrize(
    "optimizer",
    [
        TorchOptimizer(torch.optim.ASGD, lambd=0.1, t0=10),
        TorchOptimizer(torch.optim.NAdam),
        Lookahead(TorchOptimizer(torch.optim.SGD, momentum=0.9, dampening=0.5), k=4),
    ],
    ids=repr,
)
def test_a_fit_goes_on(optimizer):
    X, y = table()
    whole = regressor(optimizer).fit(X, y)
    parts = regressor(optimizer, max_iter=2, warm_start=True).fit(X, y)
    parts = pickle.loads(pickle.dumps(parts)).fit(X, y).fit(X, y)
    np.testing.assert_array_equal(parts.predict(X), whole.predict(X))
    assert len(set(whole.loss_curve_)) == 6


def test_nested_parameters_reach_the_class():
    X, y = table()
    model = regressor(Lookahead(TorchOptimizer(torch.optim.Adam, eps=1e-8)))
    first = model.fit(X, y).predict(X)
    model.set_params(optimizer__optimizer__eps=10.0, optimizer__k=2)
    assert np.abs(model.fit(X, y).predict(X) - first).max() > 1e-3
