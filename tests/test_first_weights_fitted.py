"""How weights and biases start, seen through estimators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import (
    LSUV,
    Bounded,
    ConstantInitializer,
    Lookahead,
    Quantile,
    Residual,
    UniformInitializer,
)

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 80, 4
ONE_STEP = {"optimizer": "sgd", "batch_size": "full", "max_iter": 1, "alpha": 0.0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=2.0, scale=3.0, size=(N, P))
    return X, np.exp(X[:, 0] / 4) + rng.random(N)


def make(hidden=(5, 3), cls=MLPRegressor, **parameters):
    return cls(hidden, **{"random_state": 1, "max_iter": 3} | parameters)


def before_training(model, X, y, **fit):
    """A twin of an unfitted model whose only step is too short to change a number."""
    still = {"optimizer": "sgd", "learning_rate_init": 1e-300, "max_iter": 1}
    return clone(model).set_params(**still).fit(X, y, **fit)


def test_each_matrix_has_its_own_initializer(table):
    given = [ConstantInitializer(0.5), "zeros", UniformInitializer(2.0, 3.0)]
    model = before_training(make(initializer=given), *table)
    first, second, third = model.coefs_
    assert (first == 0.5).all()
    assert not second.any()
    assert ((third >= 2) & (third <= 3)).all()
    assert len(np.unique(third)) == 3
    with pytest.raises(ValueError, match=r"'initializer'.*sequence of 3.*output's the last"):
        make(initializer=["zeros", "zeros"]).fit(*table)


def test_one_initializer_draws_every_matrix(table):
    model = before_training(make(initializer=UniformInitializer(2.0, 3.0)), *table)
    for W in model.coefs_:
        assert ((W >= 2) & (W <= 3)).all()
        assert len(np.unique(W)) == W.size


def test_auto_is_he_for_relu_and_glorot_for_the_output(table):
    names = ["HeNormal", "HeUniform"]
    model = before_training(make((400, 400), initializer="auto"), *table)
    spec = [i["component"] for i in model.spec_["initializer"]]
    assert spec[0] == spec[1]
    assert spec[0] in names
    assert spec[2] == "GlorotUniform"
    assert model.coefs_[1].var() == pytest.approx(2 / 400, rel=0.02)
    assert model.coefs_[2].var() == pytest.approx(2 / 401, rel=0.2)


# Biases


@pytest.mark.parametrize("how", [0.0, 0.3, -2])
def test_biases_start_at_a_number(table, how):
    model = before_training(make(bias_initializer=how), *table)
    for b in model.intercepts_:
        np.testing.assert_allclose(b, how, atol=1e-250)


def test_biases_start_by_an_initializer(table):
    model = before_training(make(bias_initializer=UniformInitializer(2.0, 3.0)), *table)
    for b in model.intercepts_:
        assert ((b >= 2) & (b <= 3)).all()
        assert len(np.unique(b)) == b.size


def constant(cls=MLPRegressor, **parameters):
    """A network that starts as a constant, its bias."""
    return make(cls=cls, initializer="zeros", bias_initializer="prior", **parameters)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_prior_predicts_the_shares_of_classes(table, weighted, n_classes):
    X, y = table
    labels = np.digitize(y, np.quantile(y, [0.15, 0.4][: n_classes - 1]))
    weight = np.random.default_rng(1).uniform(0.2, 3, N) if weighted else np.ones(N)
    model = constant(MLPClassifier, **ONE_STEP)
    start = before_training(model, X, labels, sample_weight=weight)
    shares = np.bincount(labels, weight) / weight.sum()
    np.testing.assert_allclose(start.predict_proba(X), np.tile(shares, (N, 1)), rtol=1e-6)
    # hidden biases are zero, and the first loss is the entropy
    assert not start.intercepts_[0].any()
    model.fit(X, labels, weight)
    assert model.loss_ == pytest.approx(-np.sum(shares * np.log(shares)), rel=1e-8)


def test_prior_predicts_the_shares_of_labels(table):
    X, _ = table
    Y = (np.random.default_rng(2).random((N, 3)) < [0.1, 0.5, 0.8]).astype(int)
    start = before_training(constant(MLPClassifier), X, Y)
    np.testing.assert_allclose(start.predict_proba(X), np.tile(Y.mean(0), (N, 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, np.mean),
        ({"target_scaling": None}, np.mean),
        ({"loss": "poisson"}, np.mean),
        ({"loss": "gamma"}, np.mean),
        ({"output_activation": "softplus"}, np.mean),
        ({"output_activation": Bounded("logistic", 0, 100)}, np.mean),
        ({"loss": "gaussian"}, np.mean),
        ({"loss": "absolute_error"}, np.median),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_prior_predicts_the_best_constant_of_a_loss(table, parameters, expected):
    X, y = table
    start = before_training(constant(**parameters), X, y)
    if expected is np.median:  # anything between the two in the middle is one
        low, high = np.sort(y)[N // 2 - 1 : N // 2 + 1]
        predicted = start.predict(X)
        assert ((predicted >= low - 1e-9) & (predicted <= high + 1e-9)).all()
    else:
        np.testing.assert_allclose(start.predict(X), expected(y), rtol=1e-5)


def test_prior_predicts_quantiles(table):
    X, y = table
    levels = (0.1, 0.5, 0.9)
    start = before_training(constant(loss=Quantile(levels)), X, y)
    below = (y[:, None] <= start.predict_quantiles(X)[0] + 1e-9).mean(0)
    np.testing.assert_allclose(below, levels, atol=1 / N + 1e-9)


def test_prior_saves_epochs_on_rare_classes(table):
    X, _ = table
    rare = np.arange(N) % 20 == 0
    losses = [
        log_loss(rare, before_training(make(cls=MLPClassifier, bias_initializer=b), X, rare)
                 .predict_proba(X))
        for b in ("prior", 0.0)
    ]  # fmt: skip
    assert losses[0] < 0.6 * losses[1]


# Starts that look at data or depth


@pytest.mark.parametrize("activation", ["tanh", "mish", "swiglu", "relu"])
@pytest.mark.parametrize("topology", ["plain", "residual", "wide"])
@pytest.mark.parametrize("norm", [None, "weight"])
def test_lsuv_has_unit_variance_layer_by_layer(table, activation, topology, norm):
    X, y = table
    model = make(
        (12, 12, 6), initializer=LSUV(0.01), activation=activation, topology=topology, norm=norm,
        batch_size="full",
    )  # fmt: skip
    start = before_training(model, X, y)
    variances = [_variance_of_layer(start, X, depth) for depth in range(4)]
    np.testing.assert_allclose(variances, 1.0, atol=0.0101)
    glorot = before_training(clone(model).set_params(initializer="glorot_uniform"), X, y)
    far = [abs(_variance_of_layer(glorot, X, depth) - 1) for depth in range(4)]
    assert max(far) > 0.1


def _variance_of_layer(model, X, depth):
    """Variance of what dense layer `depth` puts out, over rows and units."""
    functions = {
        "tanh": torch.tanh,
        "mish": torch.nn.functional.mish,
        "relu": torch.relu,
        "swiglu": lambda z: torch.nn.functional.silu(z.chunk(2, -1)[0]) * z.chunk(2, -1)[1],
    }
    f, gated = functions[model.activation], model.activation == "swiglu"
    x = skip = h = torch.tensor((X - model.input_mean_) / model.input_scale_)
    for i in range(len(model.coefs_)):
        if i == len(model.coefs_) - 1 and model.topology == "wide":
            h = torch.cat([h, x], -1)
        z = h @ torch.tensor(model.coefs_[i]) + torch.tensor(model.intercepts_[i])
        if i == depth:
            return float(z.var(correction=0))
        if model.topology == "residual" and i == 1:
            bridge = skip @ torch.tensor(model.extra_weights_["layers.1.skip.projection"])
            h = f(z) + bridge if gated else f(z + bridge)
        else:
            h = f(z)
    raise AssertionError


def first_variance(model, X):
    """Over all rows, of what the first layer puts out."""
    return float((((X - model.input_mean_) / model.input_scale_) @ model.coefs_[0]).var())


def test_lsuv_looks_at_rows_from_the_whole_table(table):
    X, y = table
    middle = X.mean(0) + 0.1 * (X[:1] - X.mean(0))
    X = np.vstack([np.repeat(middle, N, 0), X])  # sorted: a first batch would say little
    y = np.r_[y, y]
    model = make(initializer="lsuv", batch_size=N)
    seeds = [1, *range(1, 11)]
    starts = [before_training(clone(model).set_params(random_state=i), X, y) for i in seeds]
    assert np.mean([first_variance(start, X) for start in starts]) == pytest.approx(1.0, abs=0.15)
    np.testing.assert_array_equal(starts[0].coefs_[0], starts[1].coefs_[0])
    shapes = [start.coefs_[0] / np.linalg.norm(start.coefs_[0]) for start in starts[:3]]
    assert not np.allclose(shapes[0], shapes[2])


def test_lsuv_looks_at_rows_in_proportion_to_their_weights(table):
    """Rows of weight 5 are five rows: the spread is that of the repeated table."""
    X, y = table
    far = np.linalg.norm(X, axis=1)
    weight = np.where(far > np.median(far), 5.0, 1.0)
    index = np.repeat(np.arange(N), weight.astype(int))
    model = make(initializer=LSUV(0.001), input_scaling=None)
    weighted = [
        before_training(model.set_params(random_state=i), X, y, sample_weight=weight)
        for i in range(20)
    ]
    repeated = [
        before_training(
            clone(model).set_params(batch_size="full", random_state=i), X[index], y[index]
        )
        for i in range(20)
    ]
    lengths = [np.mean([np.linalg.norm(m.coefs_[0]) for m in ms]) for ms in (weighted, repeated)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.03)
    plain = [before_training(model.set_params(random_state=i), X, y) for i in range(20)]
    assert np.mean([np.linalg.norm(m.coefs_[0]) for m in plain]) > 1.15 * lengths[1]


def test_lsuv_is_what_best_weights_begin_with(table):
    """The average and the best weights start from scaled weights too."""
    X, y = table
    model = make(initializer="lsuv", ema_decay=0.999, early_stopping=True)
    start = before_training(model, X, y)
    plain = before_training(clone(model).set_params(ema_decay=0.0), X, y)
    for ours, theirs in zip(start.coefs_, plain.coefs_, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["ftrl", Lookahead(k=1)], ids=str)
def test_lsuv_is_what_the_optimizer_begins_with(table, optimizer):
    X, y = table
    still = {"learning_rate_init": 1e-12, "max_iter": 1}
    start = make(initializer="lsuv", optimizer=optimizer, **still).fit(X, y)
    plain = before_training(make(initializer="lsuv"), X, y)
    for ours, theirs in zip(start.coefs_, plain.coefs_, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_fixup_starts_as_a_constant_and_trains_deep_networks(table):
    X, y = table
    deep = make(
        (8,) * 60,
        initializer="fixup",
        topology=Residual(2, multiplier=True),
        learning_rate_init=0.01,
        max_iter=60,
    )
    start = before_training(deep, X, y)
    for i in range(1, 60, 2):
        assert not start.coefs_[i].any(), "each block's branch ends in zeros"
        assert start.coefs_[i - 1].any()
    assert np.ptp(start.predict(X)) == 0
    np.testing.assert_allclose(start.predict(X), y.mean())
    deep.fit(X, y)
    assert deep.score(X, y) > 0.8
    assert all(W.any() for W in deep.coefs_), "every branch has learnt"


@pytest.mark.parametrize("topology", ["plain", Residual(3)], ids=str)
@pytest.mark.filterwarnings("ignore:.*the network is a plain one")
def test_fixup_predicts_a_constant_without_blocks_too(table, topology):
    X, y = table
    start = before_training(make((8, 8), initializer="fixup", topology=topology), X, y)
    assert all(W.any() for W in start.coefs_[:-1])
    assert np.abs(start.coefs_[-1]).max() < 1e-290, "but for one step of no length"
    np.testing.assert_allclose(start.predict(X), y.mean())


# Weights that are equal stay equal


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_equal_weights_keep_units_interchangeable(table, optimizer):
    X, y = table
    model = make(
        initializer=ConstantInitializer(0.1), optimizer=optimizer, activation="tanh",
        learning_rate_init=0.05, max_iter=30,
    ).fit(X, y)  # fmt: skip
    assert not np.allclose(model.coefs_[0], 0.1), "it did train"
    for W in model.coefs_[:2]:
        np.testing.assert_allclose(W, W[:, :1].repeat(W.shape[1], 1), rtol=1e-9)
    for b in model.intercepts_[:2]:
        np.testing.assert_allclose(b, b[0], rtol=1e-9)
    # so that the network is one of a single unit a layer
    np.testing.assert_allclose(np.linalg.matrix_rank(model.transform(X), tol=1e-6), 1)


def test_zeros_never_leave_zero_behind_a_relu(table):
    X, y = table
    model = make(initializer="zeros", activation="relu", alpha=0.0, max_iter=20).fit(X, y)
    assert not any(W.any() for W in model.coefs_)
    np.testing.assert_allclose(model.predict(X), model.predict(X)[0])
