"""A user's own torch module as the hidden part of an estimator."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from ids import without_addresses
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.data.scaling import fit_scaling
from sklearn_dnn._core.specification import Task, resolve
from sklearn_dnn._core.training.engine import train
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn.components import Dropout, HiddenModule, Piecewise, Relu, Scheduled

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)


class Bottleneck(nn.Module):
    """All that makes a module hard: numbers that follow the data, and chance."""

    def __init__(self, n_features, width=6, rate=0.2):
        super().__init__()
        self.dense = nn.Linear(n_features, width)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(rate)

    def forward(self, x):
        return self.drop(torch.tanh(self.norm(self.dense(x))))


class Smooth(nn.Module):
    """A plain hidden layer."""

    def __init__(self, n_features, width=5):
        super().__init__()
        self.dense = nn.Linear(n_features, width)

    def forward(self, x):
        return torch.tanh(self.dense(x))


class Fixed(nn.Module):
    """A module without numbers, and without `n_features`."""

    def forward(self, x):
        return torch.cat([x, x.square()], -1)


class Flat(nn.Module):
    def forward(self, x):
        return x.sum()


N, P = 60, 4


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=1.0, scale=2.0, size=(N, P))
    return X, X[:, 0] - X[:, 1] ** 2 / 4 + 0.3 * rng.normal(size=N)


def make(module, cls=MLPRegressor, **parameters):
    quick = {
        "learning_rate_init": 0.02,
        "batch_size": 20,
        "max_iter": 4,
        "random_state": 3,
        "dtype": "float64",
    }
    return cls(module, **quick | parameters)


def same(one, other, X):
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    assert one.extra_weights_.keys() == other.extra_weights_.keys()
    for name, array in one.extra_weights_.items():
        np.testing.assert_array_equal(array, other.extra_weights_[name], err_msg=name)
    for a, b in zip(one.get_weights().values(), other.get_weights().values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_is_torchs(table):
    """Three epochs of gradient descent on the module with a dense layer on top, by torch."""
    X, y = table
    plain = {"optimizer": "sgd", "batch_size": "full", "alpha": 0.0}
    model = make(HiddenModule(Smooth), **plain, learning_rate_init=0.1, max_iter=3).fit(X, y)
    first = make(HiddenModule(Smooth), **plain, learning_rate_init=1e-300, max_iter=1).fit(X, y)
    net = first.to_torch()
    x = torch.tensor((X - X.mean(0)) / X.std(0))
    target = torch.tensor((y - y.mean()) / y.std())[:, None]
    descent = torch.optim.SGD(net.layers.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        descent.zero_grad()
        loss = 0.5 * nn.functional.mse_loss(net.layers(x), target)
        loss.backward()
        descent.step()
        losses.append(loss.item())
    with torch.no_grad():
        np.testing.assert_allclose(model.predict(X), net(torch.tensor(X))[:, 0], rtol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-10)
    np.testing.assert_allclose(
        model.extra_weights_["module.dense.weight"], net.layers[0].dense.weight.detach(), rtol=1e-10
    )


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_it_learns(table, cls):
    X, y = table
    y = y if cls is MLPRegressor else np.where(y > 0, "yes", "no")
    model = make(HiddenModule(Bottleneck, width=16, rate=0.0), cls, max_iter=150).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.n_parameters_ == (P + 1) * 16 + 2 * 16 + 17
    assert model.coefs_[0].shape == (16, 1)
    assert model.transform(X).shape == (N, 16)
    names = {"dense.weight", "dense.bias", "norm.weight", "norm.bias"}
    measured = {"norm.running_mean*", "norm.running_var*", "norm.num_batches_tracked*"}
    assert set(model.extra_weights_) == {f"module.{name}" for name in names | measured}
    # the norm counted every batch
    assert model.extra_weights_["module.norm.num_batches_tracked*"] == model.n_iter_ * 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_exported_module_is_the_prediction(table, dtype):
    X, y = table
    X = X.astype(dtype)
    model = make(HiddenModule(Bottleneck), dtype=dtype).fit(X, y)
    predicted = model.predict(X)
    assert predicted.dtype == dtype
    with torch.no_grad():
        module = model.to_torch()
        ours = module(torch.from_numpy(X))[:, 0].numpy()
    assert not module.training
    assert next(module.parameters()).dtype == getattr(torch, dtype)
    assert model.extra_weights_["module.dense.weight"].dtype == dtype
    np.testing.assert_allclose(ours, predicted, rtol=1e-10 if dtype == "float64" else 1e-4)


def test_dtype_is_the_users_or_float32(table):
    """What a module multiplies is not known, so that "auto" saves time."""
    X, y = table
    for dtype, expected in (("auto", "float32"), ("float64", "float64")):
        model = make(HiddenModule(Bottleneck), dtype=dtype, max_iter=1).fit(X, y)
        assert model.extra_weights_["module.dense.weight"].dtype == expected
        assert model.predict(X).dtype == np.float64


def test_predictions_do_not_depend_on_other_rows_or_on_chance(table):
    X, y = table
    model = make(HiddenModule(Bottleneck, rate=0.5)).fit(X, y)
    together = model.predict(X)
    np.testing.assert_array_equal(model.predict(X), together)
    np.testing.assert_allclose(
        np.concatenate([model.predict(X[i : i + 1]) for i in range(N)]), together, rtol=1e-10
    )


def test_random_passes_are_the_modules_dropout(table):
    X, y = table
    model = make(HiddenModule(Bottleneck, rate=0.5)).fit(X, y)
    mean, deviation = model.predict(X, n_samples=30, return_std=True)
    assert (deviation > 0).all()
    np.testing.assert_array_equal(model.predict(X, n_samples=30), mean)
    statistics = {k: v.copy() for k, v in model.extra_weights_.items()}
    model.predict(X, n_samples=3)
    for name, array in model.extra_weights_.items():
        np.testing.assert_array_equal(array, statistics[name])


def test_chance_comes_from_random_state_alone(table):
    X, y = table
    torch.manual_seed(1)
    one = make(HiddenModule(Bottleneck)).fit(X, y)
    torch.manual_seed(2)
    torch.rand(7)
    before = torch.get_rng_state()
    other = make(HiddenModule(Bottleneck)).fit(X, y)
    other.predict(X)
    other.to_torch()
    assert torch.equal(torch.get_rng_state(), before)
    same(one, other, X)
    third = make(HiddenModule(Bottleneck), random_state=4).fit(X, y)
    assert not np.array_equal(
        third.extra_weights_["module.dense.weight"], one.extra_weights_["module.dense.weight"]
    )


def test_pickles_and_clones(table):
    X, y = table
    model = make(HiddenModule(Bottleneck, width=3)).fit(X, y)
    same(pickle.loads(pickle.dumps(model)), model, X)
    twin = clone(model)
    assert repr(twin) == repr(model)
    assert twin.hidden_layer_sizes is not model.hidden_layer_sizes
    same(twin.fit(X, y), model, X)
    # what was fitted does not follow a later change of the parameter
    predicted = model.predict(X)
    model.set_params(hidden_layer_sizes__width=9)
    np.testing.assert_array_equal(model.predict(X), predicted)


def test_a_search_reaches_its_arguments(table):
    X, y = table
    widths = [1, 4]
    search = GridSearchCV(
        make(HiddenModule(Bottleneck)), {"hidden_layer_sizes__width": widths}, cv=2
    ).fit(X, y)
    assert search.cv_results_["param_hidden_layer_sizes__width"].tolist() == widths
    best = search.best_estimator_
    assert best.coefs_[0].shape == (search.best_params_["hidden_layer_sizes__width"], 1)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_calls_that_go_on_equal_one_fit(table, method):
    X, y = table
    whole = make(HiddenModule(Bottleneck)).fit(X, y)
    parts = make(HiddenModule(Bottleneck), max_iter=1, warm_start=method == "fit")
    for _ in range(4):
        getattr(parts, method)(X, y)
        parts = pickle.loads(pickle.dumps(parts))
    same(whole, parts, X)
    with pytest.raises(ValueError, match="another hidden_layer_sizes"):
        getattr(parts.set_params(hidden_layer_sizes__width=9, warm_start=True), method)(X, y)


def test_a_module_without_numbers(table):
    """Squares beside the columns: a quadratic model."""
    X, y = table
    model = make(HiddenModule(Fixed), optimizer="lbfgs", batch_size="auto", max_iter=200, alpha=0.0)
    model.fit(X, y)
    Z = (X - X.mean(0)) / X.std(0)
    design = np.hstack([Z, Z**2, np.ones((N, 1))])
    exact = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(model.predict(X), exact, atol=1e-3)
    assert model.extra_weights_ == {}


def test_members_of_a_stack_are_trained_one_after_another(table):
    X, y = table
    Z = (X - X.mean(0)) / X.std(0)
    t = (y - y.mean()) / y.std()
    rates = [0.01, 0.05]
    task = Task("regression", P, 1, N, N, "float64")
    specs = [
        resolve(make(HiddenModule(Smooth), learning_rate_init=rate).get_params(deep=False), task)
        for rate in rates
    ]
    features = Features(X, Standardiser(fit_scaling(X, None, None), torch.float64, "cpu"))
    rows = torch.arange(N)[None]
    target = torch.tensor(t)[:, None]

    streams = Streams.of_members(0, len(specs))

    def outcomes(members):
        progress = Progress.begin([specs[i] for i in members], [streams[i] for i in members])
        data = TrainingSet(features, target, None, rows.expand(len(members), -1))
        return train([specs[i] for i in members], progress, data)

    together = outcomes([0, 1])
    for i in (0, 1):
        (alone,) = outcomes([i])
        np.testing.assert_allclose(together[i].weights.coefs[0], alone.weights.coefs[0], rtol=1e-10)
        for name, array in alone.weights.extras.items():
            np.testing.assert_allclose(together[i].weights.extras[name], array, rtol=1e-10)
    assert not np.allclose(together[0].weights.coefs[0], together[1].weights.coefs[0])
    assert np.isfinite(Z).all()


# What is refused


class Counting(torch.nn.Module):
    """With a batch norm, whose count is a single number, and single numbers of its own."""

    def __init__(self, n_features):
        super().__init__()
        self.dense = torch.nn.Linear(n_features, 4)
        self.normed = torch.nn.BatchNorm1d(4)
        self.factor = torch.nn.Parameter(torch.tensor(1.5))
        self.register_buffer("shift", torch.tensor(0.25))

    def forward(self, x):
        return torch.tanh(self.normed(self.dense(x))) * self.factor + self.shift


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("n_members", [2, 3])
def test_single_numbers_of_members(table, cls, n_members):
    X, y = table
    y = y if cls is MLPRegressor else (y > np.median(y)).astype(int)
    given = {"max_iter": 2, "random_state": 0, "warm_start": True, "dtype": "float64"}
    model = cls(HiddenModule(Counting), n_members=n_members, **given).fit(X, y)
    answer = model.predict if cls is MLPRegressor else model.predict_proba
    each = model.predict_members(X)
    assert len(each) == n_members
    np.testing.assert_allclose(answer(X), each.mean(axis=0), rtol=1e-12)
    for i in range(n_members):
        alone = pickle.loads(pickle.dumps(model.member(i)))
        expected = alone.predict(X) if cls is MLPRegressor else alone.predict_proba(X)
        np.testing.assert_allclose(each[i], expected, rtol=1e-12)
        assert alone.extra_weights_["module.normed.num_batches_tracked*"].shape == ()
    twin = pickle.loads(pickle.dumps(model))
    there = model.to_torch()(torch.from_numpy(X)).detach().numpy()[:, 0]
    here = answer(X) if cls is MLPRegressor else answer(X)[:, 1]
    np.testing.assert_allclose(there, here, rtol=1e-7)
    for going_on in ("fit", "partial_fit"):
        first, second = (getattr(m, going_on)(X, y).predict(X) for m in (model, twin))
        np.testing.assert_array_equal(first, second)
    arrays = model.get_weights()
    assert arrays["module.normed.num_batches_tracked"].shape == (n_members,)
    twin.set_weights(arrays | {"module.factor": np.zeros(n_members)})
    assert np.ptp(twin.predict_members(X), axis=1).max() < 1e-12
    assert "total of" in model.summary()


def test_single_numbers_of_members_in_a_search(table):
    X, y = table
    model = MLPRegressor(HiddenModule(Counting), n_members=2, max_iter=2, random_state=0)
    search = GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.predict_members(X).shape == (2, len(X))


def test_a_module_of_another_shape_is_refused(table):
    with pytest.raises(ValueError, match=r"must take \(b, n_features\) to \(b, width\).*\(\)"):
        make(HiddenModule(Flat)).fit(*table)


@pytest.mark.parametrize(
    ("component", "error", "match"),
    [
        (lambda: HiddenModule(dict), TypeError, "derived from torch.nn.Module"),
        (lambda: HiddenModule(Smooth(3)), TypeError, "wraps a class"),
        (lambda: HiddenModule(Smooth, widht=3), ValueError, "'widht' is no argument.*'width'"),
        (lambda: HiddenModule(Smooth, n_features=3), ValueError, "'n_features' is no argument"),
    ],
)
def test_what_is_no_module_is_refused(table, component, error, match):
    with pytest.raises(error, match=match):
        make(component()).fit(*table)


@pytest.mark.parametrize(
    "parameters",
    [
        {"norm": "batch"},
        {"activity_l1": 0.1},
        {"weight_noise": 0.1},
        {"topology": "residual"},
        {"topology": "wide"},
        {"activation": "tanh"},
        {"activation": torch.relu},
        {"dropout": 0.5},
        {"dropout": "alpha_dropout"},
        {"dropout": Scheduled(0.5, "linear")},
        {"dropout": Dropout(Scheduled(0.5, "linear"))},
        {"constraint": "max_norm"},
    ],
    ids=without_addresses,
)
def test_what_can_not_reach_into_a_module_is_refused(table, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"module of your own.*{name}="):
        make(HiddenModule(Smooth), **parameters).fit(*table)


@pytest.mark.parametrize("module", [Smooth, Bottleneck])
@pytest.mark.parametrize(
    "same",
    [
        {"activation": Relu()},
        {"dropout": Dropout(0.0)},
        {"dropout": Dropout(Scheduled(0.0, "linear"))},
        {"input_dropout": Scheduled(0.0, "linear")},
    ],
    ids=str,
)
def test_defaults_that_are_written_out_change_nothing(table, module, same):
    X, y = table
    written, plain = (make(HiddenModule(module), **p).fit(X, y) for p in (same, {}))
    np.testing.assert_array_equal(written.predict(X), plain.predict(X))


def test_a_schedule_drives_what_drops_before_a_module(table):
    X, y = table
    scheduled = {"input_dropout": Scheduled(0.5, Piecewise((1,), (1.0, 0.0)))}
    module, drops = HiddenModule(Smooth), {"input_dropout": 0.5}
    first, driven, always = (
        make(module, **p).fit(X, y) for p in (drops | {"max_iter": 1}, scheduled, drops)
    )
    assert driven.loss_curve_[0] == first.loss_curve_[0] == always.loss_curve_[0]
    assert driven.loss_curve_[1] != always.loss_curve_[1]


@pytest.mark.parametrize("rate", [0.02, "range_test"])
def test_a_batch_norm_within_never_sees_a_single_row(table, rate):
    X, y = table
    model = make(HiddenModule(Bottleneck), batch_size=29, learning_rate_init=rate)
    model.fit(X[:59], y[:59])
    assert np.isfinite(model.predict(X)).all()


def test_an_estimators_activation_is_one_a_layer(table):
    with pytest.raises(ValueError, match="a sequence of 0"):
        make(HiddenModule(Smooth), activation=["relu"]).fit(*table)
