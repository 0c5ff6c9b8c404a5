"""Diagnostics: against closed forms, finite differences, and what the estimators say themselves."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, mean_pinball_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import (
    SGD,
    Adam,
    AdamW,
    Bagging,
    BatchNorm,
    Dropout,
    HiddenModule,
    Lookahead,
    Quantile,
    Residual,
    Scheduled,
)
from sklearn_dnn.components.activations import ACTIVATIONS, Activation
from sklearn_dnn.inspection import (
    activations,
    bias_variance,
    coverage_curve,
    dead_units,
    diagnose,
    evaluate,
    fgsm,
    initial_loss,
    layer_statistics,
    overfit_tiny_subset,
    predict_with_rejection,
    prune,
    sanity_check,
    update_ratios,
    worst_mistakes,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
LABELS = np.column_stack([IRIS[1] == 1, IRIS[1] >= 1]).astype(int)


@pytest.fixture(scope="module")
def classifier():
    return MLPClassifier((16, 8), max_iter=60, learning_rate_init=0.01, random_state=0).fit(*IRIS)


@pytest.fixture(scope="module")
def regressor():
    return MLPRegressor((16, 8), max_iter=30, learning_rate_init=0.01, random_state=0).fit(
        *DIABETES
    )


# The loss at the start


@pytest.mark.parametrize(
    ("estimator", "X", "y", "expected"),
    [
        (MLPClassifier, *IRIS, math.log(3)),
        (MLPClassifier, *CANCER, math.log(2)),
        (MLPClassifier, IRIS[0], LABELS, 2 * math.log(2)),
        (MLPRegressor, *DIABETES, 0.5),  # half the variance of a standardised target
        (MLPRegressor, DIABETES[0], np.column_stack([DIABETES[1]] * 2), 1.0),
    ],
)
def test_initial_loss_expects_what_knowing_nothing_costs(estimator, X, y, expected):
    found = initial_loss(estimator(random_state=0), X, y)
    assert found.expected == pytest.approx(expected)
    assert found.verdict == "ok"


def test_baseline_is_the_entropy_of_the_prior():
    X, y = CANCER
    p = y.mean()
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert initial_loss(MLPClassifier(random_state=0), X, y).baseline == pytest.approx(entropy)
    rare = np.where(np.arange(150) < 120, 0, IRIS[1])
    shares = np.bincount(rare)[[0, 2]] / 150
    three = np.where(np.arange(150) == 0, 1, rare)
    shares = np.bincount(three) / 150
    found = initial_loss(MLPClassifier(random_state=0), IRIS[0], three)
    assert found.baseline == pytest.approx(-(shares * np.log(shares)).sum())


def test_initial_loss_is_that_of_the_weights_that_a_fit_begins_with():
    """Without hidden layers the first weights can be read off, and the loss done by hand."""
    X, y = IRIS
    network = MLPClassifier((), optimizer=SGD(), random_state=0)
    still = MLPClassifier((), optimizer="sgd", learning_rate_init=1e-30, max_iter=1, random_state=0)
    still.fit(X, y)
    raw = (X - X.mean(0)) / X.std(0) @ still.coefs_[0] + still.intercepts_[0]
    log_p = raw - np.log(np.exp(raw).sum(1, keepdims=True))
    by_hand = -log_p[np.arange(150), y].mean()
    assert initial_loss(network, X, y).loss == pytest.approx(by_hand, rel=1e-12)


def test_initial_loss_leaves_out_what_only_training_adds():
    bare = initial_loss(MLPClassifier((30,), random_state=0), *IRIS)
    held_back = MLPClassifier(
        (30,),
        alpha=10.0,
        l1=1.0,
        dropout=0.5,
        label_smoothing=0.3,
        class_weight={0: 5.0},
        schedule="one_cycle",
        optimizer="lbfgs",
        early_stopping=True,
        random_state=0,
    ).set_params(optimizer=AdamW())
    assert initial_loss(held_back, *IRIS).loss == pytest.approx(bare.loss, rel=1e-12)


@pytest.mark.parametrize("tool", [initial_loss, overfit_tiny_subset, update_ratios, sanity_check])
@pytest.mark.parametrize(
    "holder",
    [
        lambda number: {"optimizer": Adam(beta_1=number(0.8))},
        lambda number: {"optimizer": AdamW(weight_decay=number(0.3))},
        lambda number: {"optimizer": Lookahead(SGD(number(0.8)))},
        lambda number: {"weight_decay": number(0.3), "input_dropout": number(0.2)},
        lambda number: {"dropout": [Dropout(number(0.5)), number(0.2)]},
    ],
    ids=["beta_1", "adamw", "lookahead", "decay", "dropout"],
)
def test_what_looks_at_a_plain_fit_takes_scheduled_numbers_as_plain_ones(tool, holder):
    X, y = IRIS
    found = [
        tool(MLPClassifier((8, 8), random_state=0, **p), X, y)
        for p in (
            holder(float),
            holder(lambda value: Scheduled(value, "linear"))
            | {"ensemble": Bagging(0.5), "n_members": 3},
        )
    ]
    assert str(found[0]) == str(found[1])


def test_too_large_columns_make_the_initial_loss_high():
    X, y = IRIS
    found = initial_loss(MLPClassifier(input_scaling=None, random_state=0), X * 1000, y)
    assert found.verdict == "high"
    assert "input_scaling='standard'" in str(found)


def test_initial_loss_of_poisson_is_that_of_predicting_one():
    y = np.arange(1.0, 41.0)
    X = np.random.default_rng(0).normal(size=(40, 3))
    found = initial_loss(MLPRegressor(loss="poisson", random_state=0), X, y)
    assert found.expected == pytest.approx(np.mean(1 + y * np.log(y) - y))
    m = y.mean()
    assert found.baseline == pytest.approx(np.mean(m - y * np.log(m) + y * np.log(y) - y))


# A few rows by heart


@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (MLPClassifier(alpha=100.0, dropout=0.5, random_state=0), *IRIS),
        (MLPClassifier(optimizer="lbfgs", random_state=0), *CANCER),
        (MLPClassifier(optimizer=AdamW(weight_decay=1.0), random_state=0), IRIS[0], LABELS),
        (MLPRegressor(random_state=0), *DIABETES),
    ],
)
def test_a_sound_network_learns_a_few_rows_by_heart(estimator, X, y):
    found = overfit_tiny_subset(estimator, X, y)
    assert found.reached
    assert found.n_rows == 20
    assert not found.advice


def test_equal_rows_with_different_targets_are_told_of():
    found = overfit_tiny_subset(MLPClassifier(random_state=0), np.ones((30, 2)), np.arange(30) % 2)
    assert not found.reached
    assert found.score == 0.5
    assert "equal but have different targets" in str(found)


def test_a_network_without_a_rate_learns_nothing_by_heart():
    slow = MLPClassifier(optimizer="sgd", learning_rate_init=1e-9, random_state=0)
    found = overfit_tiny_subset(slow, *IRIS, max_iter=5)
    assert not found.reached
    assert found.n_iter == 5
    assert "learning_rate_init" in found.advice


def test_rows_are_of_every_class():
    y = np.r_[np.zeros(500), np.ones(3), np.full(3, 2)]
    X = np.random.default_rng(0).normal(size=(506, 2))
    seen = []

    class Spy(MLPClassifier):
        def fit(self, X, y):
            seen.append(y)
            return super().fit(X, y)

    overfit_tiny_subset(Spy(random_state=0), X, y, n=9, max_iter=1)
    assert np.bincount(seen[0].astype(int)).tolist() == [3, 3, 3]


# Steps


def test_ratio_of_plain_descent_follows_the_rate():
    """Norms of updates are the rate times those of gradients, so ratios are about linear in it."""
    X, y = IRIS
    ratios = [
        update_ratios(
            MLPClassifier((8,), optimizer="sgd", learning_rate_init=r, random_state=0), X, y
        )
        for r in (1e-5, 1e-4)
    ]
    np.testing.assert_allclose(ratios[1]["ratio"] / ratios[0]["ratio"], 10, rtol=0.02)
    assert ratios[0].index.tolist() == ["hidden 1", "output"]
    assert set(ratios[0]["verdict"]) == {"low"}
    fast = MLPClassifier((8,), learning_rate_init=0.1, random_state=0)
    assert set(update_ratios(fast, X, y)["verdict"]) == {"high"}


def test_one_step_of_adam_moves_each_weight_by_about_the_rate():
    """A step of Adam is at most about the rate in each weight: norms are below rate * sqrt(n)."""
    table = update_ratios(MLPRegressor((20,), random_state=0), *DIABETES)
    sizes = np.array([10 * 20, 20])
    assert np.all(table["update_norm"] < 1.5e-3 * np.sqrt(sizes))
    assert np.all(table["update_norm"] > 1e-4 * np.sqrt(sizes))


def test_a_curriculum_is_left_out():
    estimator = MLPClassifier((8,), curriculum="linear", max_iter=5, random_state=0)
    plain = MLPClassifier((8,), max_iter=5, random_state=0)
    pd.testing.assert_frame_equal(update_ratios(estimator, *IRIS), update_ratios(plain, *IRIS))
    X, y = IRIS
    assert str(sanity_check(estimator, X, y)) == str(sanity_check(plain, X, y))


def test_full_batch_optimizers_have_no_steps_to_watch():
    with pytest.raises(ValueError, match=r"lbfgs.*no steps"):
        update_ratios(MLPClassifier(optimizer="lbfgs"), *IRIS)


# All of it


def test_sanity_check_passes_where_all_is_well():
    report = sanity_check(MLPClassifier(random_state=0), *IRIS)
    assert report.passed, str(report)
    assert len(report.checks) == 5
    assert str(report).count("ok  ") == 5


def test_sanity_check_finds_unscaled_columns_constant_ones_and_rare_classes():
    X = np.column_stack([IRIS[0] * 1000, np.ones(150)])
    y = (np.arange(150) < 4).astype(int)
    network = MLPClassifier(input_scaling=None, optimizer="lbfgs", random_state=0)
    report = sanity_check(network, pd.DataFrame(X), y)
    failed = {check.name: check for check in report.checks if not check.passed}
    assert {"columns", "targets", "initial loss"} <= set(failed)
    assert "[4] are constant" in failed["columns"].advice
    assert "input_scaling='standard'" in failed["columns"].advice
    assert report.update_ratios is None
    assert not report.passed
    assert "LOOK columns" in str(report)


DIVERGING = {
    "rate": {"learning_rate_init": 1e8, "optimizer": "sgd"},
    "rate without bound": {"learning_rate_init": 1e200},
    "rate of one layer": {"learning_rate_init": 1e8, "optimizer": "sgd", "hidden_layer_sizes": ()},
}


@pytest.mark.parametrize("name", list(DIVERGING))
def test_a_network_that_diverges_fails_the_check_of_its_steps(name):
    X, y = DIABETES
    network = MLPRegressor(**{"hidden_layer_sizes": (8,), "random_state": 0} | DIVERGING[name])
    ratios = update_ratios(network, X, y)
    assert ratios.index.tolist() == ["hidden 1"] * len(network.hidden_layer_sizes) + ["output"]
    assert set(ratios["verdict"]) == {"diverged"}
    assert ratios.drop(columns="verdict").isna().all(axis=None)
    report = sanity_check(network, X, y)
    failed = {check.name: check.advice for check in report.checks if not check.passed}
    assert set(failed) == {"a few rows by heart", "size of the steps"}
    assert all("lower learning_rate_init" in advice.lower() for advice in failed.values())
    assert "LOOK size of the steps: the loss is no longer finite" in str(report)


def test_a_network_that_diverges_after_the_first_epoch_has_no_steps():
    class Rising(MLPRegressor):
        """Diverges from the third call on."""

        def partial_fit(self, X, y):
            if len(getattr(self, "loss_curve_", ())) == 2:
                self.learning_rate_init = 1e8
            return super().partial_fit(X, y)

    network = Rising((8,), optimizer="sgd", random_state=0)
    assert set(update_ratios(network, *DIABETES, n_steps=1)["verdict"]) == {"ok"}
    ratios = update_ratios(network, *DIABETES)
    assert set(ratios["verdict"]) == {"diverged"}


def test_columns_that_overflow_fail_checks():
    X, y = DIABETES
    network = MLPRegressor((8,), input_scaling=None, dtype="float32", random_state=0)
    start, sound = (initial_loss(network, X * scale, y) for scale in (1e30, 1.0))
    assert start.verdict == "not finite"
    assert start.expected == sound.expected
    assert start.baseline == sound.baseline
    failed = {check.name for check in sanity_check(network, X * 1e30, y).checks if not check.passed}
    assert failed >= {"columns", "initial loss", "a few rows by heart", "size of the steps"}


def test_sanity_check_finds_unscaled_targets():
    X, y = DIABETES
    report = sanity_check(MLPRegressor(target_scaling=None, random_state=0), X, y)
    (targets,) = [check for check in report.checks if check.name == "targets"]
    assert "target_scaling='standard'" in targets.advice


# Layers


def forward_by_hand(network, X):
    """Activations of a relu network."""
    a, hidden = (X - network.input_mean_) / network.input_scale_, []
    for W, b in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        a = np.maximum(a @ W + b, 0)
        hidden.append(a)
    return hidden


def test_layer_statistics_are_those_of_the_activations(classifier):
    X = IRIS[0]
    table = layer_statistics(classifier, X)
    for row, a in zip(table.itertuples(), forward_by_hand(classifier, X), strict=True):
        assert row.units == a.shape[1]
        found = (row.mean, row.std, row.min, row.max, row.dead_share)
        wanted = (a.mean(), a.std(), a.min(), a.max(), (a == 0).all(0).mean())
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
        assert row.signal == pytest.approx(np.sqrt(np.mean([np.var(unit) for unit in a.T])))
        assert np.isnan(row.saturated_share)  # relu has no upper bound
    for ours, theirs in zip(
        activations(classifier, X), forward_by_hand(classifier, X), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert "gradient_norm" not in table


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_the_last_hidden_layer_is_what_transform_gives(norm):
    network = MLPClassifier((9, 7), norm=norm, activation="tanh", max_iter=3, random_state=0)
    network.fit(*IRIS)
    np.testing.assert_allclose(
        activations(network, IRIS[0])[-1], network.transform(IRIS[0]), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (MLPClassifier, *IRIS),
        (MLPClassifier, *CANCER),
        (MLPClassifier, IRIS[0], LABELS),
        (MLPRegressor, *DIABETES),
    ],
)
def test_gradient_norm_is_that_of_finite_differences(estimator, X, y):
    X, y = X[:30], y[:30]
    network = estimator((3, 4), activation="tanh", max_iter=3, random_state=0).fit(X, y)
    table = layer_statistics(network, X, y)
    for layer in (0, 1):
        squared = 0.0
        for where in np.ndindex(network.coefs_[layer].shape):
            losses = []
            for sign in (1, -1):
                moved = copy.deepcopy(network)
                moved.coefs_[layer][where] += sign * 1e-5
                losses.append(evaluate(moved, X, y)["loss"])
            squared += ((losses[0] - losses[1]) / 2e-5) ** 2
            if where[0] == 3 and X.shape[1] > 10:  # thirty columns: enough seen
                break
        if X.shape[1] <= 10 or layer == 1:
            assert table["gradient_norm"].iloc[layer] == pytest.approx(squared**0.5, rel=1e-5)


def test_signal_gradient_of_one_output_is_a_product_of_matrices():
    """Squared error through the identity: a row's gradient by the last layer is (h - y) W."""
    X, y = DIABETES
    network = MLPRegressor((5, 4), activation="identity", max_iter=5, random_state=0).fit(X, y)
    error = (network.predict(X) - y) / network.target_scale_
    back = [(network.coefs_[1] @ network.coefs_[2]).ravel(), network.coefs_[2].ravel()]
    wanted = [np.sqrt(np.mean(error**2)) * np.linalg.norm(w) for w in back]
    table = layer_statistics(network, X, y)
    np.testing.assert_allclose(table["signal_gradient"], wanted, rtol=1e-10)


def test_vanishing_and_exploding_are_told_of():
    X, y = IRIS
    sigmoid = MLPClassifier((20,) * 10, activation="logistic", initializer="glorot_normal")
    table = layer_statistics(sigmoid.set_params(max_iter=1, random_state=0).fit(X, y), X, y)
    assert table["verdict"].iloc[0] == "vanishing"
    assert table["verdict"].iloc[-1] == "ok"
    shrunk = MLPClassifier((20,) * 3, activation="tanh", max_iter=1, random_state=0).fit(X, y)
    shrunk.coefs_[1] *= 1e-5
    shrunk.coefs_[2] *= 1e-5
    assert layer_statistics(shrunk, X)["verdict"].tolist()[-1] == "vanishing"
    grown = MLPClassifier((20,) * 3, max_iter=1, random_state=0).fit(X, y)
    grown.coefs_[1] *= 1e5
    assert layer_statistics(grown, X)["verdict"].tolist() == ["ok", "exploding", "exploding"]


def test_dead_and_saturated_units_are_counted():
    X, y = IRIS
    network = MLPClassifier((10, 5), max_iter=2, random_state=0).fit(X, y)
    network.intercepts_[0][[1, 2, 3, 4, 5, 6]] = -1e6
    table = layer_statistics(network, X)
    assert set(range(1, 7)) <= set(dead_units(network, X)[0].tolist())
    assert table["dead_share"].iloc[0] == len(dead_units(network, X)[0]) / 10
    assert table["verdict"].iloc[0] == "dead"
    tanh = MLPClassifier((10,), activation="tanh", max_iter=1, random_state=0).fit(X, y)
    tanh.coefs_[0][:] = 0
    # within 5 % of the range of 2 means beyond 0.9 on either side
    tanh.intercepts_[0][:] = np.arctanh(
        [0.91, -0.91, 0.95, -0.99, 0.999, 0.92, -0.93, 0.89, 0, -0.89]
    )
    table = layer_statistics(tanh, X)
    assert table["saturated_share"].iloc[0] == pytest.approx(0.7)
    assert table["verdict"].iloc[0] == "saturated"


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_saturation_is_told_of_every_activation_that_is_bounded_on_both_sides(name):
    X, y = IRIS
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "activation='selu'", UserWarning)
        network = MLPClassifier((6,), activation=name, max_iter=1, random_state=0).fit(X, y)
    network.coefs_[0][:] = 0
    share = []
    for far in (-100.0, 100.0, 200.0):
        network.intercepts_[0][:] = far
        (a,) = activations(network, X)
        share.append((layer_statistics(network, X)["saturated_share"].iloc[0], a[0, 0]))
    (left, low), (right, high), (_, beyond) = share
    bounded = abs(low) < 90 and low != high and abs(high - beyond) < 0.01
    if ACTIVATIONS[name].inputs_per_unit == 1 and bounded:
        assert (left, right) == (1, 1)
    else:
        assert np.isnan(left)
        assert np.isnan(right)


class Ramp(Activation):
    """A line between two bounds."""

    def __init__(self, low=-2.0, high=3.0):
        self.low = low
        self.high = high

    @property
    def range(self):
        return (self.low, self.high)

    def forward(self, z):
        return z.clamp(self.low, self.high)


def test_bounds_are_those_of_the_component():
    X, y = IRIS
    network = MLPClassifier((4,), activation=Ramp(-2.0, 3.0), max_iter=1, random_state=0).fit(X, y)
    network.coefs_[0][:] = 0
    network.intercepts_[0][:] = [-1.8, -1.7, 2.7, 2.8]  # 5 % of the range are a quarter
    assert layer_statistics(network, X)["saturated_share"].iloc[0] == 0.5


def test_each_layer_has_the_bounds_of_its_own_activation():
    X, y = IRIS
    network = MLPClassifier((5, 5, 5), activation=["tanh", "relu", "logistic"], max_iter=1)
    shares = layer_statistics(network.fit(X, y), X)["saturated_share"]
    assert shares.isna().tolist() == [False, True, False]


ODD = {
    "residual": {"topology": "residual"},
    "projected": {"hidden_layer_sizes": (6, 5, 4), "topology": Residual(multiplier=True)},
    "wide": {"topology": "wide"},
    "residual and gated": {"topology": Residual(wide=True), "activation": "swiglu"},
    "mixed": {"activation": ["prelu", "glu", "tanh"]},
    "weight norm": {"norm": "weight"},
    "norm behind": {"norm": BatchNorm(position="after")},
    "input norm": {"input_scaling": "batch_norm"},
    "float32": {"dtype": "float32"},
    "linked": {"output_activation": "softplus", "loss": "huber"},
    "gaussian": {"loss": "gaussian"},
    "quantiles": {"loss": Quantile((0.1, 0.5, 0.9))},
    "poisson": {"loss": "poisson"},
    "two targets": {"output_weights": (1.0, 0.25), "loss": "squared_error"},
}


def odd_network(name):
    X, y = DIABETES[0][:60], DIABETES[1][:60]
    y = np.column_stack([y, y[::-1]]) if name == "two targets" else y
    given = {"hidden_layer_sizes": (6, 6, 6), "activation": "tanh", "max_iter": 4} | ODD[name]
    return MLPRegressor(**given, random_state=0).fit(X, y), X, y


@pytest.mark.parametrize("name", ODD)
def test_networks_of_every_build_are_seen_as_they_predict(name):
    network, X, y = odd_network(name)
    seen = activations(network, X)
    top = seen[-1]
    if name in {"wide", "residual and gated"}:  # the output reads the inputs too
        top = np.hstack([top, (X - network.input_mean_) / network.input_scale_])
    np.testing.assert_allclose(top, network.transform(X), rtol=1e-5)
    table = layer_statistics(network, X, y)
    assert table["units"].tolist() == list(network.get_params()["hidden_layer_sizes"])
    assert np.isfinite(table[["gradient_norm", "signal_gradient"]]).all(axis=None)


@pytest.mark.parametrize("name", ODD)
def test_gradients_of_every_build_are_those_of_moved_rows(name):
    """Where the loss rises by moving along its gradient, fgsm must make it rise."""
    network, X, y = odd_network(name)
    step = 1e-4 * X.std(axis=0)
    before = evaluate(network, X, y)["loss"]
    assert evaluate(network, fgsm(network, X, y, step), y)["loss"] > before


@pytest.mark.parametrize("name", ["projected", "weight norm", "gaussian", "residual and gated"])
def test_gradient_norms_of_every_build_are_those_of_finite_differences(name):
    network, X, y = odd_network(name)
    if name == "weight norm":  # the gradient by what the layer multiplies by, not by its factors
        network = plain_twin(network)
    table = layer_statistics(network, X, y)
    squared = 0.0
    for where in np.ndindex(network.coefs_[1].shape):
        losses = []
        for sign in (1, -1):
            moved = copy.deepcopy(network)
            moved.coefs_[1][where] += sign * 1e-5
            losses.append(evaluate(moved, X, y)["loss"])
        squared += ((losses[0] - losses[1]) / 2e-5) ** 2
    assert table["gradient_norm"].iloc[1] == pytest.approx(squared**0.5, rel=1e-5)


def plain_twin(network):
    """A network without norm that has the same weights."""
    twin = clone(network).set_params(norm=None, max_iter=1)
    twin.fit(DIABETES[0][:60], DIABETES[1][:60])
    twin.coefs_, twin.intercepts_ = network.coefs_, network.intercepts_
    return twin


def test_weight_norm_is_judged_by_the_weights_that_it_multiplies_by():
    network, X, y = odd_network("weight norm")
    pd.testing.assert_frame_equal(
        layer_statistics(network, X, y), layer_statistics(plain_twin(network), X, y), rtol=1e-9
    )


def test_a_norm_behind_the_activation_hides_no_dead_unit():
    X, y = IRIS
    given = {"norm": BatchNorm(position="after"), "max_iter": 2, "random_state": 0}
    network = MLPClassifier((8,), **given).fit(X, y)
    network.intercepts_[0][:3] = -1e6
    network.norm_weights_[0]["bias"][:] = 1.0
    assert set(dead_units(network, X)[0]) >= {0, 1, 2}
    assert layer_statistics(network, X)["dead_share"].iloc[0] >= 3 / 8
    assert (activations(network, X)[0][:, :3] != 0).all()  # what is handed on is not 0


@pytest.mark.parametrize("name", ODD)
def test_pruned_networks_of_every_build_predict_with_the_pruned_weights(name):
    network, X, _ = odd_network(name)
    pruned = prune(network, 0.4)
    before = copy.deepcopy(network)
    for coef, old in zip(pruned.coefs_, before.coefs_, strict=True):
        np.testing.assert_array_equal(coef[coef != 0], old[coef != 0])
    if name == "weight norm":
        twin = plain_twin(network)
        twin.coefs_ = pruned.coefs_
        np.testing.assert_allclose(pruned.predict(X), twin.predict(X), rtol=1e-9)
    assert not np.array_equal(pruned.predict(X), network.predict(X))
    np.testing.assert_array_equal(network.predict(X), before.predict(X))


@pytest.mark.parametrize(
    ("loss", "baseline"),
    [
        ("gaussian", lambda z: np.log(z.std()) + 0.5),
        ("absolute_error", lambda z: np.abs(z - np.median(z)).mean()),
        (
            Quantile((0.1, 0.5, 0.9)),
            lambda z: sum(
                min(mean_pinball_loss(z, np.full_like(z, c), alpha=q) for c in z)
                for q in (0.1, 0.5, 0.9)
            ),
        ),
    ],
)
def test_baseline_of_a_loss_is_that_of_its_own_best_constant(loss, baseline):
    X, y = DIABETES
    found = initial_loss(MLPRegressor(loss=loss, random_state=0), X, y)
    assert found.baseline == pytest.approx(baseline((y - y.mean()) / y.std()), rel=1e-6)
    assert found.verdict == "ok"


@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (MLPClassifier, IRIS[0], (np.arange(150) < 3).astype(int)),
        (MLPRegressor, DIABETES[0], DIABETES[1] + 1000),
    ],
)
def test_biases_from_the_prior_are_expected_to_begin_at_the_baseline(estimator, X, y):
    found = initial_loss(
        estimator(bias_initializer="prior", target_scaling=None, random_state=0)
        if estimator is MLPRegressor
        else estimator(bias_initializer="prior", random_state=0),
        X,
        y,
    )
    assert found.expected == found.baseline
    assert found.verdict == "ok"


def test_a_likelihood_below_zero_has_a_verdict():
    X, y = DIABETES
    small = MLPRegressor((), loss="gaussian", target_scaling=None, initializer="zeros")
    found = initial_loss(small, X, y / 1e4)
    assert found.expected < 0
    assert found.verdict == "ok"


@pytest.mark.parametrize("name", ["gaussian", "quantiles", "poisson", "linked", "two targets"])
def test_mistakes_are_judged_by_predictions_whatever_the_loss(name):
    network, X, y = odd_network(name)
    table = worst_mistakes(network, X, y, n=60)
    residual = (y - network.predict(X)).reshape(60, -1)
    np.testing.assert_allclose(table["loss"], np.sort((residual**2).sum(1) / 2)[::-1])


class Own(torch.nn.Module):
    def __init__(self, n_features, width=4):
        super().__init__()
        self.n_outputs = width
        self.inner = torch.nn.Linear(n_features, width)

    def forward(self, x):
        return torch.tanh(self.inner(x))


def test_a_module_of_ones_own_is_judged_but_has_no_layers_to_look_at():
    X, y = IRIS
    network = MLPClassifier(HiddenModule(Own), max_iter=3, random_state=0).fit(X, y)
    p = network.predict_proba(X)[np.arange(150), y]
    assert evaluate(network, X, y)["loss"] == pytest.approx(-np.log(p).mean(), rel=1e-6)
    assert evaluate(network, fgsm(network, X, y, 0.1), y)["loss"] > evaluate(network, X, y)["loss"]
    assert initial_loss(network, X, y).expected == pytest.approx(math.log(3))
    for function, given in [
        (layer_statistics, X), (activations, X), (dead_units, X), (prune, 0.1)
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=r"module of your own.*to_torch\(\)"):
            function(network, given)


def test_linear_models_have_no_hidden_layer():
    network = MLPClassifier((), max_iter=2, random_state=0).fit(*IRIS)
    assert len(layer_statistics(network, *IRIS)) == 0
    assert dead_units(network, IRIS[0]) == []


# Judging


def test_diagnosis_of_too_little_and_too_much():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20))
    y = (X[:, 0] + rng.normal(size=400) > 0).astype(int)
    halves = (X[:200], y[:200], X[200:], y[200:])
    over = diagnose(KNeighborsClassifier(1).fit(*halves[:2]), *halves)
    assert (over.verdict, over.train_score) == ("overfit", 1.0)
    assert "More data will help." in over.advice
    xor = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
    cut = (X[:200], xor[:200], X[200:], xor[200:])
    under = diagnose(LogisticRegression().fit(*cut[:2]), *cut)
    assert under.verdict == "underfit"
    assert any("More data will not help" in line for line in under.advice)
    sound = (X[:200, :1], (X[:, 0] > 0)[:200], X[200:, :1], (X[:, 0] > 0)[200:])
    assert diagnose(LogisticRegression().fit(*sound[:2]), *sound).verdict == "ok"
    assert str(over).startswith("overfit: training 1.000")


def test_diagnosis_by_a_target_and_against_the_baseline():
    X, y = DIABETES
    model = Ridge(0.01).fit(X[:300], y[:300])
    parts = (X[:300], y[:300], X[300:], y[300:])
    assert diagnose(model, *parts, target=0.4).verdict == "ok"
    assert diagnose(model, *parts, target=0.9).verdict == "underfit"
    tree = DecisionTreeRegressor(random_state=0).fit(X[:300], y[:300])
    found = diagnose(tree, *parts, target=0.4)
    assert found.verdict == "overfit"
    # R2 of the training mean on other rows
    wanted = 1 - np.sum((y[300:] - y[:300].mean()) ** 2) / np.sum((y[300:] - y[300:].mean()) ** 2)
    assert found.baseline_score == pytest.approx(wanted)
    assert ("no better than a constant" in found.advice[0]) == (found.validation_score <= wanted)


def test_worst_mistakes_are_the_largest_losses(classifier, regressor):
    X, y = IRIS
    table = worst_mistakes(classifier, X, y, n=150)
    p = classifier.predict_proba(X)[np.arange(150), y]
    np.testing.assert_array_equal(np.sort(table["row"]), np.arange(150))
    np.testing.assert_allclose(table["loss"], np.sort(-np.log(p))[::-1])
    np.testing.assert_allclose(table["probability"], np.sort(p))
    wrong = table[table["y"] != table["prediction"]]
    assert 1 - len(wrong) / 150 == pytest.approx(classifier.score(X, y))
    X, y = DIABETES
    frame = pd.DataFrame(X, index=[f"patient {i}" for i in range(len(y))])
    table = worst_mistakes(regressor, frame, y, n=3)
    residual = y - regressor.predict(X)
    worst = np.argsort(-np.abs(residual))[:3]
    assert table.index.tolist() == [f"patient {i}" for i in worst]
    np.testing.assert_allclose(table["residual"], residual[worst])


def test_worst_mistakes_of_several_outputs_sum_losses():
    X, _ = IRIS
    network = MLPClassifier((5,), max_iter=5, random_state=0).fit(X, LABELS)
    table = worst_mistakes(network, X, LABELS, n=2)
    assert {"y_0", "y_1", "prediction_1", "probability_0"} <= set(table)
    p = network.predict_proba(X)
    loss = -np.log(np.where(LABELS == 1, p, 1 - p)).sum(1)
    np.testing.assert_allclose(table["loss"], np.sort(loss)[::-1][:2])


@pytest.mark.plain
@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (MLPClassifier(norm="batch"), *IRIS),
        (MLPClassifier(dropout=0.2), *CANCER),
        (MLPRegressor(alpha=1.0), *DIABETES),
        (MLPRegressor(loss="huber"), *DIABETES),
        (MLPRegressor(loss="poisson"), *DIABETES),
        (MLPRegressor(loss="gaussian"), *DIABETES),
        (MLPRegressor(loss=Quantile((0.1, 0.9))), *DIABETES),
        (MLPRegressor(output_activation="softplus"), *DIABETES),
        (MLPRegressor(topology="residual", hidden_layer_sizes=(8, 8)), *DIABETES),
        (MLPClassifier(loss="focal"), *CANCER),
        (MLPClassifier(loss="hinge"), *IRIS),
        (MLPClassifier(norm="weight"), *IRIS),
    ],
)
def test_evaluate_gives_the_validation_loss_of_the_history(estimator, X, y):
    estimator.set_params(max_iter=3, random_state=0, early_stopping=True)
    estimator.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    found = evaluate(estimator, X[1::2], y[1::2])
    best = estimator.validation_loss_curve_[estimator.best_iter_ - 1]
    assert found["loss"] == pytest.approx(best, rel=1e-6)
    assert found["score"] == pytest.approx(estimator.score(X[1::2], y[1::2]))


def right_rows(estimator, X, y):
    return np.sum(estimator.predict(X) == y)


def test_evaluate_takes_scorers_by_name_list_and_callable(classifier):
    X, y = IRIS
    found = evaluate(classifier, X, y, ["accuracy", "neg_log_loss"])
    assert found["accuracy"] == accuracy_score(y, classifier.predict(X))
    assert found["neg_log_loss"] == pytest.approx(-found["loss"])
    assert set(evaluate(classifier, X, y, "f1_macro")) == {"loss", "f1_macro"}
    assert evaluate(classifier, X, y, right_rows)["score"] == found["accuracy"] * 150


# Withholding answers


def test_only_sure_rows_are_answered(classifier):
    X = IRIS[0]
    found = predict_with_rejection(classifier, X, 0.9)
    p = classifier.predict_proba(X)
    np.testing.assert_array_equal(found.answered, p.max(1) >= 0.9)
    np.testing.assert_array_equal(found.prediction, classifier.predict(X))
    assert predict_with_rejection(classifier, X, 0.0).answered.all()
    with pytest.raises(ValueError, match=r"\[0, 1\].*1.5"):
        predict_with_rejection(classifier, X, 1.5)


def test_coverage_curve_ends_at_plain_accuracy(classifier):
    X, y = IRIS
    curve = coverage_curve(classifier, X, y)
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(classifier.score(X, y))
    assert np.all(np.diff(curve.coverage) > 0)
    assert np.all(np.diff(curve.threshold) < 0)
    for coverage, accuracy, threshold in list(zip(*curve, strict=True))[::20]:
        found = predict_with_rejection(classifier, X, threshold)
        assert found.answered.mean() == pytest.approx(coverage)
        right = (found.prediction == y)[found.answered]
        assert right.mean() == pytest.approx(accuracy)


# Bias and variance


def test_error_is_the_sum_of_its_parts():
    X, y = DIABETES
    for model in (LinearRegression(), DecisionTreeRegressor(random_state=0)):
        found = bias_variance(model, X, y, n_rounds=8)
        assert found.error == pytest.approx(found.bias + found.variance)
    for label in (IRIS[1], (IRIS[1] == 1).astype(int)):
        found = bias_variance(KNeighborsClassifier(1), IRIS[0], label, n_rounds=8)
        assert found.error == pytest.approx(found.bias + found.variance)
        assert found.variance == pytest.approx(found.unbiased_variance - found.biased_variance)


def test_a_tree_varies_where_a_stump_is_biased():
    X, y = DIABETES
    tree, stump = (
        bias_variance(DecisionTreeRegressor(max_depth=d, random_state=0), X, y, n_rounds=15)
        for d in (None, 1)
    )
    assert tree.variance > 2 * stump.variance
    assert tree.bias < stump.bias + 500


def test_variance_of_a_mean_is_that_of_statistics():
    """The mean of a bootstrap set varies by (the variance of y) / n."""
    y = DIABETES[1]
    X = np.zeros((len(y), 1))
    found = bias_variance(LinearRegression(), X, y, 400, X_test=X, y_test=y)
    assert found.variance == pytest.approx(y.var() / len(y), rel=0.2)
    assert found.bias == pytest.approx(y.var(), rel=0.01)
    assert found.n_rows == len(y)


def test_networks_are_decomposed_too():
    X, y = IRIS
    network = MLPClassifier((5,), max_iter=10, random_state=0)
    before = pickle.dumps(network)
    found = bias_variance(network, X, y, n_rounds=3)
    assert 0 <= found.bias <= 1
    assert "3 bootstrap sets" in str(found)
    assert pickle.dumps(network) == before


# Adversarial rows, pruned weights


def test_fgsm_of_a_linear_model_moves_along_the_signs_of_its_weights():
    X, y = DIABETES
    network = MLPRegressor((), max_iter=50, random_state=0).fit(X, y)
    moved = fgsm(network, X, y, 0.01)
    # the loss grows away from the target: along the weights where the prediction is too high
    error = np.sign(network.predict(X) - y)
    wanted = X + 0.01 * error[:, None] * np.sign(network.coefs_[0][:, 0])
    np.testing.assert_allclose(moved, wanted, rtol=1e-12)


def test_fgsm_hurts_more_than_random_signs(classifier):
    X, y = IRIS
    step = 0.3 * X.std(axis=0)
    signs = np.random.default_rng(0).choice([-1, 1], X.shape)
    worst = evaluate(classifier, fgsm(classifier, X, y, step), y)
    chance = evaluate(classifier, X + step * signs, y)
    assert worst["loss"] > 2 * chance["loss"]
    np.testing.assert_array_equal(fgsm(classifier, X, y, 0.0), X)
    np.testing.assert_allclose(np.abs(fgsm(classifier, X, y, step) - X), np.tile(step, (150, 1)))
    for epsilon in (-1.0, [0.1, 0.2], np.nan):
        with pytest.raises(ValueError, match="epsilon"):
            fgsm(classifier, X, y, epsilon)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_prune_zeroes_the_smallest_weights_of_a_copy(classifier, scope):
    before = [coef.copy() for coef in classifier.coefs_]
    pruned = prune(classifier, 0.5, scope=scope)
    for old, kept in zip(before, classifier.coefs_, strict=True):
        np.testing.assert_array_equal(old, kept)
    if scope == "layer":
        for coef in pruned.coefs_:
            assert np.mean(coef == 0) == pytest.approx(0.5, abs=0.5 / coef.size)
    flat, old = (np.concatenate([c.ravel() for c in cs]) for cs in (pruned.coefs_, before))
    if scope == "global":
        assert np.sum(flat == 0) == round(0.5 * flat.size)
        assert np.abs(old[flat == 0]).max() <= np.abs(old[flat != 0]).min()
    np.testing.assert_array_equal(flat[flat != 0], old[flat != 0])
    assert prune(classifier, 0.0).score(*IRIS) == classifier.score(*IRIS)
    everything = prune(classifier, 1.0).predict_proba(IRIS[0])
    np.testing.assert_allclose(everything, everything[:1].repeat(150, axis=0))


def test_prune_refuses_what_is_no_share(classifier):
    for amount in (-0.1, 1.1, True, "half"):
        with pytest.raises(ValueError, match=r"amount.*\[0, 1\]"):
            prune(classifier, amount)
    with pytest.raises(ValueError, match="scope"):
        prune(classifier, 0.5, scope="unit")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"hidden_layer_sizes": (1,)}, {"hidden_layer_sizes": (50,)}),
        ({"alpha": 300.0}, {"alpha": 0.0}),
        ({"l1": 30.0}, {"l1": 0.0}),
        ({"weight_decay": 10.0}, {"weight_decay": 0.0}),
        ({"dropout": 0.8}, {"dropout": 0.0}),
    ],
)
def test_knobs_move_capacity_as_the_page_says(less, more):
    """Capacity is how well rows that were seen are fitted."""
    scores = []
    for knob in (less, more):
        network = MLPRegressor((50,), learning_rate_init=0.01, max_iter=60, random_state=0)
        scores.append(network.set_params(**knob).fit(*DIABETES).score(*DIABETES))
    assert scores[1] > scores[0] + 0.02


# What is common to all

NEEDS_FITTED = {
    "layer_statistics": layer_statistics,
    "dead_units": lambda est, X, _: dead_units(est, X),
    "evaluate": evaluate,
    "fgsm": lambda est, X, y: fgsm(est, X, y, 0.1),
    "prune": lambda est, *_: prune(est, 0.1),
    "diagnose": lambda est, X, y: diagnose(est, X, y, X, y),
    "worst_mistakes": worst_mistakes,
    "coverage_curve": coverage_curve,
}
OF_ANY_MAKE = {"diagnose", "worst_mistakes", "coverage_curve"}
NEEDS_NO_FIT = {
    "initial_loss": initial_loss,
    "overfit_tiny_subset": lambda est, X, y: overfit_tiny_subset(est, X, y, max_iter=3),
    "update_ratios": lambda est, X, y: update_ratios(est, X, y, n_steps=2),
    "bias_variance": lambda est, X, y: bias_variance(est, X, y, 2),
}


@pytest.mark.parametrize("name", NEEDS_FITTED)
def test_unfitted_estimators_are_refused(name):
    with pytest.raises(NotFittedError):
        NEEDS_FITTED[name](MLPClassifier(), *IRIS)


@pytest.mark.parametrize("name", [*NEEDS_FITTED, *NEEDS_NO_FIT])
def test_the_given_estimator_is_not_changed(name, classifier):
    given = copy.deepcopy(classifier).set_params(max_iter=3)
    before = pickle.dumps(given)
    torch_state = torch.random.get_rng_state()
    (NEEDS_FITTED | NEEDS_NO_FIT)[name](given, *IRIS)
    assert pickle.dumps(given) == before
    assert torch.equal(torch.random.get_rng_state(), torch_state)


@pytest.mark.parametrize("name", [*NEEDS_FITTED, *NEEDS_NO_FIT])
@pytest.mark.parametrize("kind", [pd.DataFrame, sparse.csr_array, np.float32])
def test_tables_of_every_kind_are_taken(name, kind):
    X, y = IRIS
    table = kind(X)
    given = MLPClassifier((5,), max_iter=2, random_state=0).fit(table, y)
    (NEEDS_FITTED | NEEDS_NO_FIT)[name](given, table, y)


@pytest.mark.parametrize("name", [*sorted(NEEDS_FITTED.keys() - OF_ANY_MAKE), "initial_loss"])
def test_foreign_estimators_are_refused_with_the_way_out(name):
    function = (NEEDS_FITTED | NEEDS_NO_FIT)[name]
    with pytest.raises(TypeError, match=r"MLPClassifier.*Got LogisticRegression"):
        function(LogisticRegression().fit(*IRIS), *IRIS)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=2)).fit(*IRIS)
    with pytest.raises(TypeError, match=r"est\[:-1\]\.transform\(X\)"):
        function(pipeline, *IRIS)


@pytest.mark.parametrize("name", sorted(OF_ANY_MAKE))
def test_predictions_of_any_estimator_can_be_judged(name):
    NEEDS_FITTED[name](make_pipeline(StandardScaler(), LogisticRegression()).fit(*IRIS), *IRIS)
    with pytest.raises(TypeError, match="classifier"):
        NEEDS_FITTED[name](StandardScaler().fit(IRIS[0]), *IRIS)


def test_what_probabilities_are_needed_for_says_so():
    with pytest.raises(TypeError, match=r"predict_proba.*CalibratedClassifierCV"):
        coverage_curve(LinearSVC().fit(*CANCER), *CANCER)


def test_unknown_labels_are_refused(classifier):
    with pytest.raises(ValueError, match="labels that the estimator was not fitted on"):
        evaluate(classifier, IRIS[0], IRIS[1] + 1)


def test_infinite_numbers_and_missing_columns_are_refused(classifier):
    infinite = np.where(np.arange(150)[:, None] == 7, np.inf, IRIS[0])
    with pytest.raises(ValueError, match="X contains infinity"):
        layer_statistics(classifier, infinite)
    with pytest.raises(ValueError, match="3 features"):
        fgsm(classifier, IRIS[0][:, :3], IRIS[1], 0.1)
