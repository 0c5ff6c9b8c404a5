"""Worked examples that lectures and books print, through the estimators."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from layers import arrays_of_layers
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import (
    SGD,
    Adam,
    AdamW,
    GaussianDropout,
    Lookahead,
    Momentum,
    Scheduled,
)
from sklearn_dnn.components.optimizers import OPTIMIZERS
from sklearn_dnn.inspection import layer_statistics, learning_rate_range_test

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR_TARGET = np.array([0.0, 1.0, 1.0, 0.0])
SHORT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(n=200, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X @ rng.normal(size=p) + 0.1 * rng.normal(size=n)


def untrained(hidden, X, y, **settings):
    """A network after one epoch of steps too small to matter."""
    model = MLPRegressor(hidden, max_iter=1, learning_rate_init=1e-12, random_state=0, **settings)
    with pytest.warns(ConvergenceWarning):
        return model.fit(X, y)


def test_a_line_says_one_half_to_xor_and_two_relu_units_solve_it():
    np.testing.assert_allclose(LinearRegression().fit(XOR, XOR_TARGET).predict(XOR), 0.5)
    unscaled = {"input_scaling": None, "target_scaling": None}
    model = untrained((2,), XOR, XOR_TARGET, **unscaled)
    W, c = np.ones((2, 2)), np.array([0.0, -1.0])
    w, b = np.array([[1.0], [-2.0]]), np.zeros(1)
    model.set_weights([W, c, w, b])
    np.testing.assert_array_equal(model.predict(XOR), XOR_TARGET)


def test_xor_is_learnt():
    model = MLPClassifier((8,), activation="tanh", optimizer="lbfgs", alpha=0.0, random_state=0)
    assert model.fit(XOR, XOR_TARGET).score(XOR, XOR_TARGET) == 1.0


@SHORT
def test_set_weights_is_the_inverse_of_get_weights():
    X, y = table()
    first, second = (
        MLPRegressor((5, 3), max_iter=2, random_state=seed).fit(X, y) for seed in range(2)
    )
    assert not np.allclose(first.predict(X), second.predict(X))
    second.set_weights(first.get_weights())
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    shapes = [w.shape for w in arrays_of_layers(first)]
    assert shapes == [(4, 5), (5,), (5, 3), (3,), (3, 1), (1,)]


@SHORT
def test_the_summary_counts_every_number():
    X, y = table()
    model = MLPRegressor((5, 3), norm="batch", max_iter=2, random_state=0).fit(X, y)
    weights = 4 * 5 + 5 * 3 + 3 * 1 + 1  # no biases in front of a batch norm
    vectors = 2 * (5 + 3)  # two learnt a layer, and as many measured
    assert model.n_parameters_ == weights + vectors
    total = model.summary().splitlines()[-1]
    assert [int(n.replace(",", "")) for n in re.findall(r"[\d,]+", total)] == [
        weights + vectors,
        vectors,
    ]


def test_twenty_layers_keep_their_signal_and_learn():
    X, y = table(n=300)
    labels = (y > 0).astype(int)
    deep = (32,) * 20
    std = layer_statistics(untrained(deep, X, y, activation="selu"), X)["std"].to_numpy()[:20]
    assert std.min() > 0.5
    assert std.max() < 2.0
    model = MLPClassifier(deep, activation="selu", max_iter=10, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, labels)
    assert model.score(X, labels) > 0.9


@SHORT
def test_all_rows_in_a_step_are_one_step_an_epoch():
    X, y = table(n=50)
    full, by_number = (
        MLPRegressor((4,), batch_size=size, max_iter=3, shuffle=False, random_state=0).fit(X, y)
        for size in ("full", 50)
    )
    assert full.spec_["batch_size"] == 50
    np.testing.assert_array_equal(full.coefs_[0], by_number.coefs_[0])


@SHORT
@pytest.mark.parametrize("name", ["sgd", "adagrad", "adadelta", "adam"])
def test_the_usual_rate_is_the_optimizers(name):
    X, y = table(n=50)
    model = MLPRegressor(
        (4,), optimizer=name, learning_rate_init="auto", max_iter=1, random_state=0
    ).fit(X, y)
    usual = {"sgd": 0.01, "adagrad": 0.01, "adadelta": 1.0, "adam": 0.001}
    assert model.lr_curve_ == [usual[name]]
    assert OPTIMIZERS[name]().default_rate == usual[name]


@SHORT
def test_the_range_test_rises_by_a_constant_factor_and_takes_a_tenth_of_the_best():
    X, y = table()
    model = MLPRegressor((8,), optimizer="sgd", batch_size=20, max_iter=2, random_state=0)
    model.fit(X, y)
    before = model.get_weights()
    test = learning_rate_range_test(model, X, y, min_rate=1e-5, max_rate=100.0, n_steps=80)
    for old, new in zip(before.values(), model.get_weights().values(), strict=True):
        np.testing.assert_array_equal(old, new)
    rates = np.asarray(test.rates)
    factors = rates[1:] / rates[:-1]
    np.testing.assert_allclose(factors, 1e7 ** (1 / 79))
    assert rates[0] == pytest.approx(1e-5)
    lowest = rates[int(np.nanargmin(test.smoothed))]
    assert test.suggestion == pytest.approx(lowest / 10)
    assert rates[0] < lowest < rates[-1]
    # gradient descent on a standardised table is unstable long before the last rate
    assert len(rates) < 80 or not math.isfinite(test.losses[-1])


@SHORT
def test_products_of_few_bits_learn_what_float32_learns():
    X, y = table()
    settings = {"learning_rate_init": 0.01, "batch_size": 32, "max_iter": 40, "random_state": 0}
    single, mixed = (
        MLPRegressor((16,), dtype=dtype, **settings).fit(X, y)
        for dtype in ("float32", "mixed_bfloat16")
    )
    assert single.score(X, y) > 0.95
    assert mixed.score(X, y) == pytest.approx(single.score(X, y), abs=0.03)
    assert not np.array_equal(mixed.coefs_[0], single.coefs_[0])


def test_clipping_comes_before_the_step_of_the_optimizer():
    X, y = table(n=40)
    limit, rate = 1e-3, 0.5
    settings = {"optimizer": "sgd", "learning_rate_init": rate, "alpha": 0.0, "max_iter": 1}
    settings |= {"batch_size": "full", "shuffle": False, "random_state": 0, "dtype": "float64"}
    start = untrained((), X, y, alpha=0.0, batch_size="full", dtype="float64", optimizer="sgd")
    with pytest.warns(ConvergenceWarning):
        model = MLPRegressor((), clip_norm=limit, **settings).fit(X, y)
    moved = [a - b for a, b in zip(arrays_of_layers(model), arrays_of_layers(start), strict=True)]
    length = math.sqrt(sum(float((m**2).sum()) for m in moved))
    assert length == pytest.approx(rate * limit, rel=1e-4)
    assert model.history_["clipped"] == [1.0]
    assert model.history_["gradient_norm"][0] > limit


@SHORT
def test_columns_between_zero_and_one_are_taken_as_they_are():
    X, y = table(n=60)
    low, high = X.min(0), X.max(0)
    plain = MLPRegressor((4,), input_scaling=None, max_iter=2, random_state=0)
    chain = make_pipeline(MinMaxScaler(), plain).fit(X, y)
    by_hand = clone(plain).fit((X - low) / (high - low), y)
    assert by_hand.input_mean_ is None
    np.testing.assert_allclose(chain[-1].coefs_[0], by_hand.coefs_[0], rtol=1e-10)


def nothing(_t, _horizon):
    return 0.0


@SHORT
@pytest.mark.parametrize(
    "holder",
    [
        lambda number: {"dropout": number},
        lambda number: {"dropout": GaussianDropout(number)},
        lambda number: {"input_dropout": number},
        lambda number: {"weight_decay": number},
        lambda number: {"optimizer": AdamW(weight_decay=number)},
        lambda number: {"optimizer": Momentum(number)},
        lambda number: {"optimizer": SGD(number)},
        lambda number: {"optimizer": Adam(beta_1=number)},
        lambda number: {"optimizer": Lookahead(SGD(number))},
    ],
    ids=[
        "dropout",
        "gaussian",
        "input_dropout",
        "decay",
        "adamw",
        "momentum",
        "sgd",
        "beta_1",
        "lookahead",
    ],
)
def test_a_factor_of_zero_switches_off(holder):
    X, y = table(n=60)
    settings = {"learning_rate_init": 0.05, "batch_size": 20, "max_iter": 3, "random_state": 0}
    with_it, without, scheduled, zero = (
        MLPRegressor((6,), **settings, **holder(number)).fit(X, y)
        for number in (0.5, 0.0, Scheduled(0.5, nothing), Scheduled(0.0, "constant"))
    )
    assert not np.allclose(with_it.coefs_[0], without.coefs_[0])
    np.testing.assert_allclose(scheduled.coefs_[0], without.coefs_[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(zero.coefs_[0], without.coefs_[0])
