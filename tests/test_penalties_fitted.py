"""Penalties and constraints on weights, seen through fitted estimators."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import Batcher, TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.specification import Task, resolve
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn.components import Box, MaxNorm, MinMaxNorm, NonNegative, Residual, UnitNorm

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 60, 6
STILL = {"optimizer": "sgd", "learning_rate_init": 1e-300, "max_iter": 1, "batch_size": "full"}
ONE_STEP = {"optimizer": "sgd", "batch_size": "full", "max_iter": 1, "learning_rate_init": 0.1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P))
    y = 3 * X[:, 0] - 2 * X[:, 1] + 0.5 * X[:, 2] + rng.normal(size=N) + 1.0
    return X, y


def make(hidden=(5, 4), cls=MLPRegressor, **parameters):
    quick = {"learning_rate_init": 0.02, "batch_size": 20, "max_iter": 4, "random_state": 1}
    return cls(hidden, **{"activation": "tanh"} | quick | parameters)


# The linear model is scikit-learn's

WAYS = {
    "sgd": {"optimizer": "sgd", "learning_rate_init": 0.3},
    "momentum": {"optimizer": "momentum", "learning_rate_init": 0.05, "schedule": "cosine"},
    "adam": {"optimizer": "adam", "learning_rate_init": 0.1, "schedule": "cosine"},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate_init": 0.02, "schedule": "cosine"},
}
LINEAR = {
    "batch_size": "full",
    "input_scaling": None,
    "target_scaling": None,
    "max_iter": 1500,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
}
# the rates of all ways but the first end at zero, not their errors
close = {"rtol": 1e-3, "atol": 1e-3}


def linear(way, **parameters):
    return make((), **LINEAR | WAYS[way] | parameters)


@pytest.mark.parametrize("way", list(WAYS))
def test_alpha_is_ridge(table, way):
    X, y = table
    model = linear(way, alpha=20.0).fit(X, y)
    ridge = Ridge(20.0).fit(X, y)
    np.testing.assert_allclose(model.coefs_[0][:, 0], ridge.coef_, **close)
    np.testing.assert_allclose(model.intercepts_[0], ridge.intercept_, **close)


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_l1_is_lasso_with_its_zeros(table, way, strength):
    X, y = table
    model = linear(way, alpha=0.0, l1=N * strength).fit(X, y)
    lasso = Lasso(strength, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coefs_[0][:, 0], lasso.coef_, **close)
    np.testing.assert_allclose(model.intercepts_[0], lasso.intercept_, **close)
    np.testing.assert_array_equal(model.coefs_[0][:, 0] == 0, lasso.coef_ == 0)
    assert 0 < np.sum(lasso.coef_ == 0) < P


@pytest.mark.parametrize("way", list(WAYS))
def test_both_are_the_elastic_net(table, way):
    X, y = table
    strength, ratio = 0.6, 0.5
    model = linear(way, alpha=N * strength * (1 - ratio), l1=N * strength * ratio).fit(X, y)
    net = ElasticNet(strength, l1_ratio=ratio, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coefs_[0][:, 0], net.coef_, **close)
    np.testing.assert_array_equal(model.coefs_[0][:, 0] == 0, net.coef_ == 0)
    assert (net.coef_ == 0).any()


def test_all_weights_are_zero_at_once_beyond_the_largest_useful_strength(table):
    X, y = table
    largest = np.abs((X - X.mean(0)).T @ (y - y.mean())).max()
    assert not linear("sgd", alpha=0.0, l1=1.01 * largest).fit(X, y).coefs_[0].any()
    assert linear("sgd", alpha=0.0, l1=0.99 * largest).fit(X, y).coefs_[0].any()


# One strength a layer


def steps(table, **parameters):
    """Weights before a step, and after one with and one without the parameters."""
    X, y = table
    start = make(alpha=0.0).set_params(**STILL).fit(X, y).coefs_
    free = make(alpha=0.0, **ONE_STEP).fit(X, y).coefs_
    return start, free, make(**{"alpha": 0.0} | ONE_STEP | parameters).fit(X, y).coefs_


def test_alpha_by_layer(table):
    alphas = (2.0, 0.0, 7.0)
    start, free, pressed = steps(table, alpha=alphas)
    for alpha, W, f, p in zip(alphas, start, free, pressed, strict=True):
        np.testing.assert_allclose(p, f - 0.1 * alpha / N * W, rtol=1e-9, atol=1e-13)


def test_l1_by_layer(table):
    strengths = (0.5, 0.0, 1.5)
    start, free, pressed = steps(table, l1=list(strengths))
    for l1, W, f, p in zip(strengths, start, free, pressed, strict=True):
        expected = f - 0.1 * l1 / N * np.sign(W)
        expected = np.where((expected * W < 0) & (l1 > 0), 0.0, expected)
        np.testing.assert_allclose(p, expected, rtol=1e-9, atol=1e-13)
    # in the end only the layers under it have zeros
    sparse = make(l1=[5.0, 0.0, 5.0], max_iter=60).fit(*table).coefs_
    assert (sparse[0] == 0).any()
    assert not (sparse[1] == 0).any()


@pytest.mark.parametrize("name", ["alpha", "l1"])
def test_one_strength_a_layer_is_one_for_all(table, name):
    one, many = (make(**{name: s}).fit(*table) for s in (0.5, (0.5, 0.5, 0.5)))
    for a, b in zip(one.get_weights().values(), many.get_weights().values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    assert one.loss_ == pytest.approx(many.loss_, rel=1e-10)


@pytest.mark.parametrize("name", ["alpha", "l1"])
@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ((0.1, 0.2), "sequence of 3.*Got 2"),
        ((0.1, -0.2, 0.1), "numbers of at least 0"),
        ((0.1, "a", 0.1), "numbers of at least 0"),
        ((0.1, np.nan, 0.1), "numbers of at least 0"),
    ],
)
def test_strengths_that_are_none(table, name, bad, match):
    with pytest.raises(ValueError, match=f"'{name}'.*{match}"):
        make(**{name: bad}).fit(*table)


@pytest.mark.parametrize("l1", [0.0, 2.0])
def test_the_penalty_is_in_the_loss(table, l1):
    """An epoch of one step reports the objective before it."""
    X, y = table
    model = make(alpha=3.0, l1=l1, **ONE_STEP).fit(X, y)
    start = clone(model).set_params(**STILL).fit(X, y)
    bare = 0.5 * np.mean((start.predict(X) - y) ** 2) / y.var()
    penalty = sum(1.5 * np.sum(W**2) + l1 * np.abs(W).sum() for W in start.coefs_)
    assert model.loss_ == pytest.approx(bare + penalty / N, rel=1e-9)


def test_activity_l1_by_a_closed_form(table):
    """One linear unit: the gradient of mean |w x + b| is the mean of sign(w x + b) x."""
    X, y = table
    common = {"activation": "identity", "alpha": 0.0, "bias_initializer": 0.3} | ONE_STEP
    start = make((1,), **common).set_params(**STILL).fit(X, y)
    free = make((1,), **common).fit(X, y)
    pressed = make((1,), **common, activity_l1=2.0).fit(X, y)
    x = (X - X.mean(0)) / X.std(0)
    sign = np.sign(x @ start.coefs_[0] + start.intercepts_[0])
    np.testing.assert_allclose(
        pressed.coefs_[0], free.coefs_[0] - 0.1 * 2.0 * x.T @ sign / N, rtol=1e-9
    )
    np.testing.assert_allclose(
        pressed.intercepts_[0], free.intercepts_[0] - 0.1 * 2.0 * sign.mean(), rtol=1e-9
    )
    np.testing.assert_allclose(pressed.coefs_[1], free.coefs_[1], rtol=1e-10)


def test_activity_l1_makes_hidden_outputs_small(table):
    X, y = table
    sizes = [
        np.abs(make((10,), activation="relu", activity_l1=a, max_iter=100).fit(X, y).transform(X))
        for a in (0.0, 0.01, 1.0)
    ]
    assert sizes[0].mean() > 1.5 * sizes[1].mean() > 1.5 * sizes[2].mean()


# Constraints


def lengths(W):
    return np.linalg.norm(W, axis=0)


HOLDS = {
    MaxNorm(0.6): lambda W: (lengths(W) <= 0.6 + 1e-12).all(),
    UnitNorm(): lambda W: np.allclose(lengths(W), 1, rtol=1e-12),
    MinMaxNorm(0.5, 0.7): lambda W: ((lengths(W) > 0.5 - 1e-9) & (lengths(W) < 0.7 + 1e-9)).all(),
    NonNegative(): lambda W: (W >= 0).all(),
    Box(-0.2, 0.1): lambda W: ((W >= -0.2) & (W <= 0.1)).all(),
}


@pytest.mark.parametrize("constraint", list(HOLDS), ids=repr)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_constraints_hold_after_every_step(table, constraint, optimizer, cls):
    X, y = table
    y = y if cls is MLPRegressor else (y > 1).astype(int)
    model = make(cls=cls, constraint=constraint, optimizer=optimizer, learning_rate_init=0.1)
    start = clone(model).set_params(**STILL, constraint=None).fit(X, y)
    holds = HOLDS[constraint]
    assert not all(map(holds, start.coefs_)), "it is something to keep to"
    more = {"classes": [0, 1]} if cls is MLPClassifier else {}
    model.set_params(batch_size="full")
    for i in range(0, N, 6):
        model.partial_fit(X[i : i + 6], y[i : i + 6], **more)
        assert all(map(holds, model.coefs_))
    assert model.intercepts_[0].any(), "biases are free"


@pytest.mark.parametrize("constraint", list(HOLDS), ids=repr)
def test_constraints_hold_for_what_skips_layers(table, constraint):
    X, y = table
    model = make((5, 4), constraint=constraint, topology=Residual(1), learning_rate_init=0.1)
    model.fit(X, y)
    skips = [w for name, w in model.extra_weights_.items() if name.endswith("skip.projection")]
    assert len(skips) == 2, "neither layer is as wide as what it reads"
    assert all(map(HOLDS[constraint], [*skips, *model.coefs_]))
    free = clone(model).set_params(constraint=None).fit(X, y)
    assert not HOLDS[constraint](free.extra_weights_["layers.0.skip.projection"])


def test_a_constraint_that_never_binds_changes_nothing(table):
    one, other = make().fit(*table), make(constraint=MaxNorm(1e6)).fit(*table)
    for a, b in zip(one.get_weights().values(), other.get_weights().values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_constrained_step_is_the_step_and_then_the_projection(table):
    _, free, kept = steps(table, constraint=MaxNorm(0.8))
    for f, k in zip(free, kept, strict=True):
        np.testing.assert_allclose(k, f * np.minimum(1, 0.8 / lengths(f)), rtol=1e-10)


def test_non_negative_weights_make_a_monotone_network(table):
    X, y = table
    model = make(constraint="non_negative", max_iter=30).fit(X, y)
    higher = X + np.abs(np.random.default_rng(1).normal(size=X.shape))
    assert (model.predict(higher) >= model.predict(X) - 1e-9).all()


def test_members_of_a_stack_have_bounds_of_their_own(table):
    X, y = table
    limits = [0.3, 1.0, 5.0]
    task = Task("regression", P, 1, N, N, "float64")
    specs = [
        resolve(make(constraint=MaxNorm(c), learning_rate_init=0.2).get_params(deep=False), task)
        for c in limits
    ]
    features = Features(X, Standardiser(None, torch.float64, "cpu"))
    data = TrainingSet(
        features, torch.tensor(y)[:, None], None, torch.arange(N)[None].expand(3, -1)
    )
    progress = Progress.begin(specs, Streams.of_members(0, 3))
    with torch.no_grad():
        step = TrainingStep(specs, progress)
        for batch in Batcher(data, 20, False, False).epoch(progress.orders).batches:
            step(batch, 0.2)
            for layer in step.network.layers:
                for c, W in zip(limits, layer.weight.numpy(), strict=True):
                    assert (lengths(W) <= c + 1e-12).all()
    # the widest bound never bound, the narrowest did
    assert lengths(step.network.layers[0].weight[2].numpy()).max() > 1.0
    assert lengths(step.network.layers[0].weight[0].numpy()).max() == pytest.approx(0.3)


@pytest.mark.parametrize(
    "parameters",
    [
        {"l1": (0.5, 0.0, 1.0), "alpha": (0.0, 1.0, 2.0)},
        {"activity_l1": 0.1},
        {"constraint": MaxNorm(0.7)},
        {"constraint": "unit_norm", "norm": "layer"},
    ],
    ids=str,
)
def test_calls_that_go_on_equal_one_fit(table, parameters):
    X, y = table
    whole = make(**parameters).fit(X, y)
    parts = make(**parameters)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y)))
    for a, b in zip(whole.get_weights().values(), parts.get_weights().values(), strict=True):
        np.testing.assert_array_equal(a, b)
