"""The estimators against scikit-learn, closed forms, worked steps, and themselves.

Everything is in float64, so that two ways to the same number differ by rounding alone.
"""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import Batcher, TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.specification import Task, resolve
from sklearn_dnn._core.training import gradients as gradients_module
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn._threads import limit_threads
from sklearn_dnn.components import (
    SGD,
    Adam,
    BatchNorm,
    Gaussian,
    Huber,
    Momentum,
    Nesterov,
    Quantile,
)
from sklearn_dnn.components.activations import ACTIVATIONS
from sklearn_dnn.components.losses import LOSSES
from sklearn_dnn.components.norms import NORMS
from sklearn_dnn.components.optimizers import OPTIMIZERS


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Steps are taken here without the engine, which would limit the threads."""
    with limit_threads(1):
        yield


KINDS = ["regression", "outputs", "binary", "multiclass", "multilabel"]


def table(kind, n=24, p=3, seed=0):
    """Columns of several scales, and targets that follow them with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    signal = X @ rng.normal(size=(p, 3)) + 0.5 * rng.normal(size=(n, 3))
    y = {
        "regression": signal[:, 0],
        "outputs": signal[:, :2],
        "binary": np.where(signal[:, 0] > 0, "yes", "no"),
        "multiclass": signal.argmax(1) + 5,
        "multilabel": (signal > 0).astype(int),
        "counts": rng.poisson(np.exp(0.4 * signal[:, 0])),
    }[kind]
    return X, y


def estimator(kind, hidden_layer_sizes=(5,), **parameters):
    cls = MLPRegressor if kind in {"regression", "outputs", "counts"} else MLPClassifier
    return cls(hidden_layer_sizes, **({"random_state": 0} | parameters))


def fitted(model, *args, **kwargs):
    """Fit for a given number of epochs; that they were too few is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*args, **kwargs)


def parameters_of(model):
    vectors = [v for part in (model.norm_weights_, model.norm_statistics_) for v in part]
    arrays = [*model.coefs_, *model.intercepts_, *(v[name] for v in vectors for name in sorted(v))]
    return np.concatenate([array.ravel() for array in arrays])


# The linear model is scikit-learn's.

TO_THE_END = {"input_scaling": None, "tol": 1e-11, "n_iter_no_change": np.inf, "max_iter": 3000}
# Three ways to the optimum; the other optimizers' steps fall to nothing with the rate.
WAYS = {
    "lbfgs": {"optimizer": "lbfgs"},
    "adam": {"optimizer": "adam", "learning_rate_init": 0.1, "schedule": "cosine"},
    "momentum": {"optimizer": "momentum", "learning_rate_init": 0.05, "schedule": "cosine"},
}
ALPHA = 3.0
weighted = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


def sample_weight(n, weighted):
    return np.random.default_rng(9).uniform(0.2, 3.0, n) if weighted else None


def linear(kind, way="lbfgs", **parameters):
    parameters = TO_THE_END | WAYS[way] | {"alpha": ALPHA} | parameters
    if kind in {"regression", "outputs", "counts"}:
        parameters.setdefault("target_scaling", None)
    return estimator(kind, (), **parameters)


@weighted
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("kind", ["regression", "outputs"])
def test_linear_regression_is_ridge(kind, way, weighted):
    X, y = table(kind, n=60)
    weight = sample_weight(60, weighted)
    model = linear(kind, way).fit(X, y, weight)
    ridge = Ridge(alpha=ALPHA, solver="svd").fit(X, y, weight)
    # from a gradient of 1e-11; the rates of the other two ways end at zero, not their errors
    tolerance = {"rtol": 1e-7, "atol": 1e-8} if way == "lbfgs" else {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(model.coefs_[0].T, np.atleast_2d(ridge.coef_), **tolerance)
    np.testing.assert_allclose(model.intercepts_[0], np.atleast_1d(ridge.intercept_), **tolerance)
    np.testing.assert_allclose(model.predict(X), ridge.predict(X), **tolerance)


@weighted
def test_linear_classification_of_two_is_logistic_regression(weighted):
    X, y = table("binary", n=60)
    weight = sample_weight(60, weighted)
    model = linear("binary").fit(X, y, weight)
    logistic = LogisticRegression(C=1 / ALPHA, solver="newton-cholesky", tol=1e-12)
    logistic.fit(X, y, weight)
    np.testing.assert_allclose(model.coefs_[0].T, logistic.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.intercepts_[0], logistic.intercept_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.predict_proba(X), logistic.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), logistic.predict(X))


@weighted
@pytest.mark.parametrize("way", ["lbfgs", "adam"])
def test_linear_classification_of_several_is_multinomial_regression(way, weighted):
    X, y = table("multiclass", n=60)
    weight = sample_weight(60, weighted)
    model = linear("multiclass", way).fit(X, y, weight)
    logistic = LogisticRegression(C=1 / ALPHA, solver="newton-cholesky", tol=1e-12)
    logistic.fit(X, y, weight)
    tolerance = {"rtol": 1e-6, "atol": 1e-7} if way == "lbfgs" else {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(model.coefs_[0].T, logistic.coef_, **tolerance)
    # a number added to all intercepts changes nothing
    np.testing.assert_allclose(
        model.intercepts_[0] - model.intercepts_[0].mean(),
        logistic.intercept_ - logistic.intercept_.mean(),
        **tolerance,
    )
    np.testing.assert_allclose(model.predict_proba(X), logistic.predict_proba(X), **tolerance)
    np.testing.assert_array_equal(model.predict(X), logistic.predict(X))


@weighted
def test_linear_multilabel_is_a_logistic_regression_a_label(weighted):
    X, y = table("multilabel", n=60)
    weight = sample_weight(60, weighted)
    p = linear("multilabel").fit(X, y, weight).predict_proba(X)
    for j, column in enumerate(y.T):
        logistic = LogisticRegression(C=1 / ALPHA, solver="newton-cholesky", tol=1e-12)
        logistic.fit(X, column, weight)
        np.testing.assert_allclose(p[:, j], logistic.predict_proba(X)[:, 1], rtol=1e-6)


@weighted
def test_linear_counts_are_poisson_regression(weighted):
    X, y = table("counts", n=60)
    weight = sample_weight(60, weighted)
    model = linear("counts", loss="poisson").fit(X, y, weight)
    # scikit-learn divides the loss, but not the penalty, by the sum of weights
    total = 60 if weight is None else weight.sum()
    poisson = PoissonRegressor(alpha=ALPHA / total, tol=1e-12, max_iter=1000)
    poisson.fit(X, y, weight)
    np.testing.assert_allclose(model.coefs_[0][:, 0], poisson.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), poisson.predict(X), rtol=1e-5)


@weighted
@pytest.mark.parametrize("kind", ["regression", "outputs"])
def test_scaling_inside_is_a_pipeline_of_scalers(kind, weighted):
    X, y = table(kind, n=60)
    X, y = X * [0.01, 1, 300] + [1, 50, -700], 40 * y + 1000
    weight = sample_weight(60, weighted)
    scaled = {"input_scaling": "standard", "target_scaling": "standard"}
    model = linear(kind, **scaled).fit(X, y, weight)
    columns = StandardScaler().fit(X, sample_weight=weight)
    targets = StandardScaler().fit(y.reshape(60, -1), sample_weight=weight)
    ridge = Ridge(alpha=ALPHA, solver="svd")
    ridge.fit(columns.transform(X), targets.transform(y.reshape(60, -1)), weight)
    expected = targets.inverse_transform(ridge.predict(columns.transform(X)).reshape(60, -1))
    np.testing.assert_allclose(model.predict(X), expected.reshape(y.shape), rtol=1e-8)
    if not weighted:
        pipeline = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA, solver="svd"))
        whole = TransformedTargetRegressor(pipeline, transformer=StandardScaler()).fit(X, y)
        np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-8)


# scikit-learn's weights make scikit-learn's predictions, and learn as they do there.

THEIRS = {MLPRegressor: SklearnRegressor, MLPClassifier: SklearnClassifier}


def given_weights(model, coefs, intercepts):
    model.coefs_ = [np.array(a, dtype=float) for a in coefs]
    model.intercepts_ = [np.array(a, dtype=float) for a in intercepts]
    return model


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("sizes", [(5,), (4, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_scikit_learn_predict_the_same(kind, sizes, activation):
    X, y = table(kind, n=40)
    ours = estimator(kind, sizes, activation=activation, input_scaling=None, max_iter=1)
    theirs = THEIRS[type(ours)](
        hidden_layer_sizes=sizes,
        activation=activation,
        max_iter=3,
        learning_rate_init=0.1,
        random_state=1,
    )
    if kind in {"regression", "outputs"}:
        ours.set_params(target_scaling=None)
    fitted(ours, X, y)
    fitted(theirs, X, y)
    assert [a.shape for a in ours.coefs_] == [a.shape for a in theirs.coefs_]
    assert ours.out_activation_ == theirs.out_activation_
    assert not np.allclose(ours.coefs_[0], theirs.coefs_[0])
    given_weights(ours, theirs.coefs_, theirs.intercepts_)
    if kind in {"regression", "outputs"}:
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-10, atol=1e-12)
    else:
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        np.testing.assert_allclose(
            ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-10, atol=1e-12
        )
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-12)


# The same rule in both words. scikit-learn adds epsilon before it corrects the averages.
RULES = {
    "sgd": (SGD(), {"solver": "sgd", "momentum": 0.0}),
    "momentum": (Momentum(0.8), {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False}),
    "nesterov": (Nesterov(0.8), {"solver": "sgd", "momentum": 0.8}),
    "adam": (Adam(0.8, 0.95, 1e-15), {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-15}),
}


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("kind", KINDS)
def test_training_is_scikit_learns(kind, rule, alpha):
    X, y = table(kind, n=40)
    optimizer, words = RULES[rule]
    common = {
        "hidden_layer_sizes": (4, 3),
        "activation": "tanh",
        "alpha": alpha,
        "batch_size": 7,
        "shuffle": False,
        "learning_rate_init": 0.02,
        "max_iter": 1,
        "random_state": 0,
    }
    ours = estimator(kind, optimizer=optimizer, input_scaling=None, **common)
    if kind in {"regression", "outputs"}:
        ours.set_params(target_scaling=None)
    theirs = fitted(THEIRS[type(ours)](warm_start=True, **common, **words), X, y)
    given_weights(fitted(ours, X, y), theirs.coefs_, theirs.intercepts_)
    fitted(ours.set_params(warm_start=True, max_iter=4), X, y)
    fitted(theirs.set_params(max_iter=4), X, y)
    for mine, other in zip(
        [*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    # scikit-learn averages the squared errors of several targets, but not their gradients
    if alpha == 0 and kind != "outputs":
        np.testing.assert_allclose(ours.loss_curve_[-4:], theirs.loss_curve_[-4:], rtol=1e-10)


# A step, worked by hand.


def stepped(model, X, y, coefs, intercepts, weight=None):
    """The model after one epoch from these weights."""
    fitted(model.set_params(max_iter=1, warm_start=False), X, y, weight)
    given_weights(model, coefs, intercepts)
    return fitted(model.set_params(warm_start=True), X, y, weight)


@pytest.mark.parametrize(
    ("alpha", "l1", "decay"), [(0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (0.0, 0.5, 0.0), (0.6, 0.5, 3.0)]
)
def test_one_step_of_a_small_network_by_hand(alpha, l1, decay):
    # Two inputs, two tanh units, one output; the units' outputs are round numbers.
    low, high = math.atanh(0.5), math.atanh(0.8)
    X = np.array([[1.0, 0.0], [0.0, 1.0]])
    y = np.array([1.0, 2.0])
    W1, b1 = np.array([[low, -low], [0.0, high]]), np.array([0.0, 0.0])
    W2, b2 = np.array([[1.0], [2.0]]), np.array([0.5])
    # Forward: units [[0.5, -0.5], [0, 0.8]]; outputs 0.5 - 1 + 0.5 = 0 and 0 + 1.6 + 0.5 = 2.1;
    # errors -1 and 0.1; loss (1 + 0.01) / 2 / 2 = 0.2525.
    # Backward, with half the errors, -0.5 and 0.05:
    #   W2: 0.5 * -0.5 + 0 = -0.25 and -0.5 * -0.5 + 0.8 * 0.05 = 0.29; b2: -0.45.
    #   Units times slopes 1 - a^2, which are [[0.75, 0.75], [1, 0.36]]:
    #     row 1: -0.5 * 1 * 0.75 = -0.375 and -0.5 * 2 * 0.75 = -0.75;
    #     row 2: 0.05 * 1 * 1 = 0.05 and 0.05 * 2 * 0.36 = 0.036.
    dW1, db1 = np.array([[-0.375, -0.75], [0.05, 0.036]]), np.array([-0.325, -0.714])
    dW2, db2 = np.array([[-0.25], [0.29]]), np.array([-0.45])
    # The penalty (alpha / 2 * sum(W^2) + l1 * sum(|W|)) / 2 rows adds its derivative to that of
    # the weights, and decay multiplies them by 1 - 0.1 * decay. Biases have neither.
    model = MLPRegressor(
        (2,),
        activation="tanh",
        optimizer="sgd",
        learning_rate_init=0.1,
        alpha=alpha,
        l1=l1,
        weight_decay=decay,
        input_scaling=None,
        target_scaling=None,
        dtype="float64",
    )
    stepped(model, X, y, [W1, W2], [b1, b2])
    for ours, W, dW in zip(model.coefs_, (W1, W2), (dW1, dW2), strict=True):
        # at 0 the l1 penalty has slopes to both sides, between which the gradient is lost
        at_zero = dW - np.clip(dW, -l1 / 2, l1 / 2)
        penalised = np.where(W == 0, at_zero, dW + l1 / 2 * np.sign(W)) + alpha / 2 * W
        by_hand = (1 - 0.1 * decay) * W - 0.1 * penalised
        np.testing.assert_allclose(ours, by_hand, rtol=1e-13, atol=1e-15)
    for ours, by_hand in zip(model.intercepts_, [b1 - 0.1 * db1, b2 - 0.1 * db2], strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-13)
    # The epoch's loss is that of the outputs before the step.
    assert model.history_["train_loss"][-1] == pytest.approx(0.2525, rel=1e-13)


def test_one_weighted_step_of_a_classifier_by_hand():
    # One input, no hidden layer: p = logistic(0) = 1/2 in each row, so the errors are 1/2 for
    # "a" and -1/2 for "b". Weights 3 and 1 count 3/4 and 1/4:
    #   W: 3/4 * 1/2 * 2 + 1/4 * -1/2 * 4 = 0.75 - 0.5 = 0.25; b: 3/8 - 1/8 = 0.25.
    model = MLPClassifier(
        (), optimizer="sgd", learning_rate_init=1.0, alpha=0.0, input_scaling=None
    )
    X, y = np.array([[2.0], [4.0]]), np.array(["a", "b"])
    stepped(model, X, y, [[[0.0]]], [[0.0]], weight=np.array([3.0, 1.0]))
    np.testing.assert_allclose(model.coefs_[0], [[-0.25]], rtol=1e-14)
    np.testing.assert_allclose(model.intercepts_[0], [-0.25], rtol=1e-14)


def test_steps_of_the_linear_model_are_gradient_descent():
    X, y = table("regression")
    X1 = np.column_stack([np.ones(len(X)), X])
    theta = np.array([0.3, -1.0, 0.5, 2.0])
    model = linear("regression", alpha=0.0).set_params(optimizer="sgd", learning_rate_init=0.2)
    stepped(model, X, y, [theta[1:, None]], [theta[:1]])
    theta = theta - 0.2 * X1.T @ (X1 @ theta - y) / len(X)
    np.testing.assert_allclose(np.append(model.intercepts_, model.coefs_), theta, rtol=1e-12)
    fitted(model.set_params(max_iter=4), X, y)
    for _ in range(4):
        theta = theta - 0.2 * X1.T @ (X1 @ theta - y) / len(X)
    np.testing.assert_allclose(np.append(model.intercepts_, model.coefs_), theta, rtol=1e-12)


# A weight is a number of rows.

WITH_STEPS = [name for name in OPTIMIZERS if not OPTIMIZERS[name].full_batch]
FEW_EPOCHS = {"activation": "tanh", "alpha": 0.5, "tol": 0.0, "max_iter": 6}


@settings(max_examples=2, deadline=None, derandomize=True)
@given(counts=st.lists(st.integers(1, 4), min_size=24, max_size=24))
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("kind", [*KINDS, "balanced", "counts"])
def test_a_weight_is_a_number_of_rows(kind, optimizer, counts):
    parameters = FEW_EPOCHS | {"optimizer": optimizer, "learning_rate_init": 0.02}
    if kind == "balanced":
        kind, parameters["class_weight"] = "multiclass", "balanced"
    if kind == "counts":
        parameters["loss"] = "poisson"
    X, y = table(kind)
    by_weight = fitted(estimator(kind, **parameters), X, y, np.array(counts, dtype=float))
    by_rows = fitted(estimator(kind, **parameters), X.repeat(counts, 0), y.repeat(counts, 0))
    # a common tolerance of vectors of size one; the rest is rounding that few steps amplify
    np.testing.assert_allclose(
        parameters_of(by_weight), parameters_of(by_rows), rtol=1e-7, atol=1e-9
    )
    np.testing.assert_allclose(by_weight.loss_curve_, by_rows.loss_curve_, rtol=1e-7)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(absent=st.sets(st.integers(0, 39), max_size=12))
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"batch_size": 5},
        {"batch_size": 5, "shuffle": False},
        {"batch_size": 5, "early_stopping": True, "validation_fraction": 0.2},
        {"batch_size": 5, "norm": "batch"},
        {"batch_size": 5, "dropout": 0.2},
        {"optimizer": "lbfgs"},
    ],
    ids=lambda p: "-".join(map(str, p.values())) or "full",
)
@pytest.mark.parametrize("kind", [*KINDS, "balanced"])
def test_a_weight_of_zero_is_an_absent_row(kind, parameters, absent):
    parameters = FEW_EPOCHS | {"max_iter": 3} | parameters
    if kind == "balanced":
        kind, parameters["class_weight"] = "multiclass", "balanced"
    X, y = table(kind, n=40)
    weight = np.random.default_rng(3).uniform(0.5, 2.0, 40)
    weight[list(absent)] = 0.0
    there = weight > 0
    by_weight = fitted(estimator(kind, **parameters), X, y, weight)
    by_rows = fitted(estimator(kind, **parameters), X[there], y[there], weight[there])
    np.testing.assert_allclose(
        parameters_of(by_weight), parameters_of(by_rows), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(by_weight.loss_curve_, by_rows.loss_curve_, rtol=1e-10)
    if "early_stopping" in parameters:
        np.testing.assert_allclose(by_weight.validation_scores_, by_rows.validation_scores_)


@pytest.mark.parametrize("kind", KINDS)
def test_common_weights_change_nothing_but_alpha(kind):
    X, y = table(kind, n=40)
    parameters = FEW_EPOCHS | {"batch_size": 7}
    plain = fitted(estimator(kind, **parameters), X, y)
    ones = fitted(estimator(kind, **parameters), X, y, np.ones(40))
    # alpha is divided by a batch's sum of weights
    threes = fitted(estimator(kind, **parameters | {"alpha": 1.5}), X, y, np.full(40, 3.0))
    for other in (ones, threes):
        np.testing.assert_allclose(
            parameters_of(plain), parameters_of(other), rtol=1e-8, atol=1e-11
        )


# The gradient: by hand, by autograd and by differences.

# What each loss is tried on: the kind of the task, the loss and the raw outputs.
GRADIENTS = {
    name: ("regression", name, 2)
    for name, cls in LOSSES.classes.items()
    if "regression" in cls.kinds
} | {
    "huber": ("regression", Huber(delta=0.5), 2),
    "quantile": ("regression", Quantile((0.2, 0.7)), 2),
    "gaussian": ("regression", Gaussian(0.5), 2),
    "hinge": ("binary", "hinge", 1),
    "squared_hinge": ("multiclass", "squared_hinge", 3),
    "focal": ("multiclass", "focal", 3),
    "poly1": ("binary", "poly1", 1),
    "log_loss, binary": ("binary", "log_loss", 1),
    "log_loss, multiclass": ("multiclass", "log_loss", 3),
    "log_loss, multilabel": ("multilabel", "log_loss", 3),
}
activations = pytest.mark.parametrize("activation", list(ACTIVATIONS))
N_ROWS = 9


def test_every_loss_has_its_gradient_tried():
    assert {name.split(",")[0] for name in GRADIENTS} == set(LOSSES)


BY_HAND = [name for name, cls in ACTIVATIONS.classes.items() if cls.saves is not None]


def spec_of(kind, k, **parameters):
    model = estimator(kind, **parameters)
    task = Task(
        kind=kind, n_features=3, n_outputs=k, n_samples=N_ROWS, n_training=N_ROWS, dtype="float64"
    )
    return resolve(model.get_params(deep=False), task)


def a_step(specs, weighted):
    """A step of a stack away from its start, and a batch for it."""
    spec, m = specs[0], len(specs)
    rng = np.random.default_rng(5)
    features = Features(rng.normal(size=(20, 3)), Standardiser(None, torch.float64, "cpu"))
    k = spec.task.n_outputs
    y = {
        "regression": rng.poisson(2.0, size=(20, k)).astype(float) + 0.25,
        "binary": rng.integers(0, 2, size=(20, 1)).astype(float),
        "multiclass": rng.integers(0, k, size=20),
        "multilabel": rng.integers(0, 2, size=(20, k)).astype(float),
    }[spec.task.kind]
    weight = torch.from_numpy(rng.uniform(0.5, 2.0, 20)) if weighted else None
    rows = torch.from_numpy(np.stack([rng.permutation(20)[:N_ROWS] for _ in specs]))
    data = TrainingSet(features, torch.from_numpy(y), weight, rows)
    progress = Progress.begin(specs, Streams.of_members(0, m))
    noise = torch.randn(progress.theta.shape, generator=torch.Generator().manual_seed(1))
    progress.theta.add_(noise, alpha=0.3)
    step = TrainingStep(specs, progress)
    (batch,) = Batcher(data, N_ROWS, False, False).epoch(progress.orders).batches
    return step, batch


@pytest.mark.parametrize(
    ("hidden", "activation", "loss"),
    [
        *(((4, 5), name, loss) for name in BY_HAND for loss in ("squared_error", "huber")),
        *(((4, 5), name, loss) for name in ("relu", "gelu") for loss in GRADIENTS),
        *(((), "relu", loss) for loss in GRADIENTS),
    ],
)
@pytest.mark.parametrize("m", [1, 3])
def test_gradient_by_hand_is_autograds(loss, activation, m, hidden, monkeypatch):
    kind, name, k = GRADIENTS[loss]
    parameters = {"hidden_layer_sizes": hidden, "activation": activation, "loss": name}
    if kind != "regression":
        parameters["label_smoothing"] = 0.1
    specs = [spec_of(kind, k, alpha=alpha, **parameters) for alpha in (0.5, 0.0, 2.0)[:m]]
    by_hand, batch = a_step(specs, weighted=m == 3)
    monkeypatch.setattr(gradients_module, "has_kernel", lambda _: False)
    by_autograd, _ = a_step(specs, weighted=m == 3)
    assert by_hand.gradients.by_hand
    assert not by_autograd.gradients.by_hand
    raws = by_hand.gradient(batch).raw, by_autograd.gradient(batch).raw
    torch.testing.assert_close(*raws, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(by_hand.grad, by_autograd.grad, rtol=1e-10, atol=1e-12)
    assert by_hand.grad.abs().max() > 1e-3


QUIET = [name for name, cls in ACTIVATIONS.classes.items() if not cls.noisy]


# Each loss, activation and norm by itself among the others' plainest and, in pairs, smoothest.
@pytest.mark.parametrize(
    ("loss", "activation", "norm"),
    [
        *((loss, "tanh", None) for loss in GRADIENTS),
        *((loss, "relu", "batch") for loss in GRADIENTS),
        *(("squared_error", activation, None) for activation in QUIET),
        *(("log_loss, multiclass", activation, "layer") for activation in QUIET),
        *(("huber", activation, norm) for activation in ("silu", "selu") for norm in NORMS),
    ],
)
def test_gradient_is_the_slope_of_the_objective(loss, activation, norm):
    kind, name, k = GRADIENTS[loss]
    spec = spec_of(
        kind,
        k,
        hidden_layer_sizes=(4, 3),
        activation=activation,
        loss=name,
        alpha=0.5,
        norm=norm,
    )
    step, batch = a_step([spec], weighted=norm is None)
    with torch.no_grad():
        value, gradient = step.objective(batch)
        theta, h = step.theta, 1e-6
        slopes = torch.zeros_like(theta)
        for i in range(theta.shape[1]):
            here = float(theta[0, i])
            theta[0, i] = here + h
            up, _ = step.objective(batch)
            theta[0, i] = here - h
            down, _ = step.objective(batch)
            theta[0, i] = here
            slopes[0, i] = (up - down) / (2 * h)
    # rounding of the objective over h, and h^2 times its third derivative
    torch.testing.assert_close(slopes, gradient, rtol=1e-6, atol=2e-9 * (10 + value))


# The same network as a module of torch.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("norm", [None, *NORMS])
@pytest.mark.parametrize("kind", [*KINDS, "counts"])
def test_the_exported_module_is_the_prediction(kind, norm, dtype):
    X, y = table(kind, n=40)
    X = (X * [0.1, 1, 30] + [1, 5, -70]).astype(dtype)
    if kind in {"regression", "outputs"}:
        y = 40 * y + 100
    parameters = {"loss": "poisson"} if kind == "counts" else {}
    model = estimator(kind, (6, 4), norm=norm, dtype=dtype, max_iter=3, **parameters)
    module = fitted(model, X, y).to_torch()
    assert not module.training
    assert all(p.dtype == getattr(torch, dtype) for p in module.parameters())
    with torch.no_grad():
        out = module(torch.from_numpy(X)).numpy()
    if kind in {"regression", "outputs", "counts"}:
        assert out.shape == (40, model.n_outputs_)
        out, expected = out.reshape(y.shape), model.predict(X)
    else:
        p = model.predict_proba(X)
        expected = p[:, 1:] if kind == "binary" else p
    rounding = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(out, expected, rtol=0, atol=rounding * np.abs(expected).max())


@pytest.mark.parametrize("members", [{}, {"n_members": 2}, {"n_members": 2, "ensemble": "shared"}])
@pytest.mark.parametrize(
    ("norm", "stays"),
    [
        ("batch", False),
        (BatchNorm(position="after"), False),
        ("weight", False),
        ("layer", True),
        (None, False),
    ],
)
def test_norms_are_folded_in_the_exported_module(norm, stays, members):
    """In prediction a batch norm is one product and sum, which a dense layer takes over."""
    X, y = table("regression", n=40)
    model = estimator("regression", (6, 4), norm=norm, max_iter=3, dropout=0.1, **members)
    whole, short = (fitted(model, X, y).to_torch(fold_norms=fold) for fold in (False, True))
    kinds = {type(part).__name__ for part in short.modules()}
    assert any("Norm" in kind or "Weight" in kind for kind in kinds) == stays
    assert not any("parametrizations" in name for name, _ in short.named_parameters())
    with torch.no_grad():
        out, expected = (module(torch.from_numpy(X)).numpy() for module in (short, whole))
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)


@activations
def test_the_exported_module_has_the_activation(activation):
    X, y = table("regression", n=40)
    model = fitted(estimator("regression", (6, 4), activation=activation, max_iter=3), X, y)
    with torch.no_grad():
        out = model.to_torch()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(out[:, 0], model.predict(X), rtol=1e-10, atol=1e-12)
