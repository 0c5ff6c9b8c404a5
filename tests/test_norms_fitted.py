"""Norms inside fitted estimators: their place, their numbers, and what rows count to them."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from layers import arrays_of_layers
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import BatchNorm, Dropout, GroupNorm, LayerNorm, RMSNorm
from sklearn_dnn.components.norms import NORMS

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 41, 4
ONE_STEP = {"optimizer": "sgd", "batch_size": "full", "max_iter": 1, "alpha": 0.0}
STILL = {"optimizer": "sgd", "learning_rate_init": 1e-300, "max_iter": 1}
ON_OUTPUTS = [n for n in NORMS if not NORMS[n].on_weights]
positions = pytest.mark.parametrize("position", ["before", "after"])


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=2.0, scale=3.0, size=(N, P))
    return X, X[:, 0] - 0.3 * X[:, 1] ** 2 + rng.normal(size=N)


def make(hidden=(6, 4), cls=MLPRegressor, **parameters):
    quick = {
        "activation": "tanh",
        "learning_rate_init": 0.02,
        "batch_size": 20,
        "max_iter": 4,
        "random_state": 1,
    }
    return cls(hidden, **quick | parameters)


def normed(norm, z, vectors, statistics):
    """A norm in prediction, in plain NumPy."""
    weight, bias = vectors["weight"], vectors.get("bias", 0.0)
    if isinstance(norm, BatchNorm):
        mean, variance = statistics["mean"], statistics["variance"]
    elif isinstance(norm, RMSNorm):
        mean, variance = 0.0, np.mean(z**2, axis=1, keepdims=True)
    elif isinstance(norm, LayerNorm):
        mean, variance = z.mean(1, keepdims=True), z.var(1, keepdims=True)
    else:
        groups = np.stack(np.split(z, norm.n_groups, axis=1))
        mean, variance = (
            np.concatenate([np.repeat(f(g, axis=1)[:, None], g.shape[1], 1) for g in groups], 1)
            for f in (np.mean, np.var)
        )
    return weight * (z - mean) / np.sqrt(variance + norm.epsilon) + bias


def hidden_by_hand(model, X, norm):
    h = (X - model.input_mean_) / model.input_scale_
    for i, (W, b) in enumerate(zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True)):
        z = h @ W + b
        vectors = model.norm_weights_[i], model.norm_statistics_[i]
        if norm.position == "before":
            h = np.tanh(normed(norm, z, *vectors))
        else:
            h = normed(norm, np.tanh(z), *vectors)
    return h


@positions
@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
@pytest.mark.parametrize("cls", [BatchNorm, LayerNorm, RMSNorm, GroupNorm])
def test_predictions_and_hidden_outputs_by_hand(table, cls, epsilon, position):
    X, y = table
    more = {"n_groups": 2} if cls is GroupNorm else {}
    norm = cls(epsilon=epsilon, position=position, **more)
    model = make(norm=norm).fit(X, y)
    h = hidden_by_hand(model, X, norm)
    np.testing.assert_allclose(model.transform(X), h, rtol=1e-9)
    raw = h @ model.coefs_[-1] + model.intercepts_[-1]
    # where predict folds the norm into dense layers, it is the same function
    np.testing.assert_allclose(
        model.predict(X), (raw * model.target_scale_ + model.target_mean_)[:, 0], rtol=1e-9
    )


@positions
@pytest.mark.parametrize("name", ON_OUTPUTS)
def test_numbers_of_a_normed_network(table, name, position):
    X, y = table
    model = make((6, 4), norm=NORMS[name](position=position)).fit(X, y)
    vectors = len(NORMS[name].parameter_starts)
    redundant = name == "batch" and position == "before"
    biases = 0 if redundant else 6 + 4
    assert model.n_parameters_ == P * 6 + 6 * 4 + 4 + 1 + biases + vectors * (6 + 4)
    for b in model.intercepts_[:-1]:
        assert b.any() != redundant
    assert [sorted(s) for s in model.norm_statistics_] == [
        ["mean", "variance"] if name == "batch" else []
    ] * 2


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_is_what_running_averages_keep(table, momentum):
    X, y = table
    model = make((6,), norm=BatchNorm(momentum=momentum), batch_size="full", **STILL).fit(X, y)
    z = (X - X.mean(0)) / X.std(0) @ model.coefs_[0]
    (found,) = model.norm_statistics_
    # they start at 0 and 1
    np.testing.assert_allclose(found["mean"], (1 - momentum) * z.mean(0), atol=1e-12)
    np.testing.assert_allclose(
        found["variance"], momentum + (1 - momentum) * z.var(0, ddof=1), rtol=1e-10
    )


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_training_is_torchs(table, norm):
    """Batches of 20 and 21 rows for a batch norm, since one row has no variance; else 20, 20, 1."""
    X, y = table
    common = {"optimizer": "sgd", "learning_rate_init": 0.1, "shuffle": False, "alpha": 0.0}
    model = make((6,), norm=norm, **common, max_iter=3).fit(X, y)
    first = make((6,), norm=norm, batch_size="full", **STILL).fit(X, y)
    width = 6
    net = nn.Sequential(
        nn.Linear(P, width, bias=norm != "batch"),
        nn.BatchNorm1d(width) if norm == "batch" else nn.LayerNorm(width),
        nn.Tanh(),
        nn.Linear(width, 1),
    ).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(first.coefs_[0].T))
        if norm != "batch":
            net[0].bias.zero_()
        net[3].weight.copy_(torch.tensor(first.coefs_[1].T))
        net[3].bias.zero_()
    x = torch.tensor((X - X.mean(0)) / X.std(0))
    target = torch.tensor((y - y.mean()) / y.std())[:, None]
    descent = torch.optim.SGD(net.parameters(), lr=0.1)
    ends = [0, 20, 41] if norm == "batch" else [0, 20, 40, 41]
    for _ in range(3):
        for a, b in itertools.pairwise(ends):
            descent.zero_grad()
            (0.5 * (net(x[a:b]) - target[a:b]).square().mean()).backward()
            descent.step()
    assert model.t_ == 3 * N
    np.testing.assert_allclose(model.coefs_[0], net[0].weight.detach().T, rtol=1e-8)
    np.testing.assert_allclose(model.coefs_[1], net[3].weight.detach().T, rtol=1e-8)
    np.testing.assert_allclose(
        model.norm_weights_[0]["bias"], net[1].bias.detach(), rtol=1e-8, atol=1e-12
    )
    if norm == "batch":
        found = model.norm_statistics_[0]
        np.testing.assert_allclose(found["mean"], net[1].running_mean, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(found["variance"], net[1].running_var, rtol=1e-8)
    predicted = net.eval()(x).detach().numpy()[:, 0] * y.std() + y.mean()
    np.testing.assert_allclose(model.predict(X), predicted, rtol=1e-8)


@positions
@pytest.mark.parametrize("name", ON_OUTPUTS)
def test_predictions_do_not_depend_on_other_rows(table, name, position):
    X, y = table
    model = make(norm=NORMS[name](position=position)).fit(X, y)
    alone = np.concatenate([model.predict(X[i : i + 1]) for i in range(N)])
    np.testing.assert_allclose(alone, model.predict(X), rtol=1e-10)


# A norm of the inputs


@pytest.mark.parametrize("norm", [None, "batch"])
def test_the_inputs_may_be_normed(table, norm):
    X, y = table
    model = make(input_scaling="batch_norm", norm=norm, max_iter=30).fit(X, y)
    twin = make(input_scaling=BatchNorm(), norm=norm, max_iter=30).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))
    # columns are standardised first, and the norm refines that
    np.testing.assert_allclose(model.input_mean_, X.mean(0))
    np.testing.assert_allclose(model.input_scale_, X.std(0))
    e = model.extra_weights_
    assert set(e) == {"entrance.weight", "entrance.bias", "entrance.mean*", "entrance.variance*"}
    plain = make(norm=norm).fit(X, y)
    assert model.n_parameters_ == plain.n_parameters_ + 2 * P
    if norm is None:
        x = (X - X.mean(0)) / X.std(0)
        x = (x - e["entrance.mean*"]) / np.sqrt(e["entrance.variance*"] + 1e-5)
        x = x * e["entrance.weight"] + e["entrance.bias"]
        h = np.tanh(np.tanh(x @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1]
                    + model.intercepts_[1])  # fmt: skip
        raw = h @ model.coefs_[2] + model.intercepts_[2]
        np.testing.assert_allclose(
            model.predict(X), (raw * model.target_scale_ + model.target_mean_)[:, 0], rtol=1e-9
        )
    # after 60 steps the running averages are the standardised columns'
    np.testing.assert_allclose(e["entrance.mean*"], 0, atol=0.1)
    np.testing.assert_allclose(e["entrance.variance*"], 1, atol=0.2)


def test_a_row_norm_of_the_inputs_loses_the_rows_level(table):
    X, y = table
    model = make(input_scaling=LayerNorm()).fit(X, y)
    np.testing.assert_allclose(model.predict(X + 100.0), model.predict(X), rtol=1e-6)


@pytest.mark.parametrize(
    "factor",
    [1e-200, 1e160, *(pytest.param(f, marks=pytest.mark.slow) for f in (1e-3, 1e-12, 1e25))],
)
@pytest.mark.parametrize("norm", ["batch_norm", LayerNorm(), RMSNorm(), GroupNorm(2)], ids=str)
def test_a_norm_of_the_inputs_does_not_see_the_unit(table, norm, factor):
    X, y = table
    usual = make(input_scaling=norm).fit(X, y).predict(X)
    model = make(input_scaling=norm).fit(X * factor, y)
    np.testing.assert_allclose(model.predict(X * factor), usual, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e25])
def test_nor_in_float32(table, factor):
    X, y = table
    usual = make(input_scaling="batch_norm").fit(X, y).predict(X)
    small = (X * factor).astype(np.float32)
    model = make(input_scaling="batch_norm").fit(small, y)
    np.testing.assert_allclose(model.predict(small), usual, rtol=1e-4)


@pytest.mark.parametrize("scaling", ["standard", "batch_norm", "robust", "quantile_robust"])
def test_time_stamps_of_float32(scaling):
    rng = np.random.default_rng(0)
    seconds = rng.uniform(0, 1e7, 200)
    X = np.column_stack([1.7e9 + seconds, rng.normal(size=200)]).astype(np.float32)
    y = np.sin(seconds / 2e6)
    model = make(input_scaling=scaling, max_iter=150, dtype="float64").fit(X, y)
    assert model.score(X, y) > 0.9
    # the same rows in a wider type are the same rows
    np.testing.assert_allclose(model.predict(X.astype(float)), model.predict(X), atol=1e-5)


def test_a_norm_of_rows_among_unlike_columns_is_told(table):
    X, y = table
    X = X * [1.0, 1e4, 1.0, 1.0]
    with pytest.warns(UserWarning, match=r"LayerNorm\(\) normalises each row.*'batch_norm'"):
        make(input_scaling=LayerNorm()).fit(X, y)


def test_columns_too_small_to_learn_from_are_told(table):
    X, y = table
    with pytest.warns(UserWarning, match=r"input_scaling=None.*learns little.*'standard'"):
        make(input_scaling=None).fit(X * 1e-6, y)


# A norm of the weights


def test_coefs_are_the_weights_that_are_worked_with(table):
    X, y = table
    model = make(norm="weight").fit(X, y)
    h = (X - model.input_mean_) / model.input_scale_
    for i in range(2):
        h = np.tanh(h @ model.coefs_[i] + model.intercepts_[i])
        lengths = np.linalg.norm(model.coefs_[i], axis=0)
        np.testing.assert_allclose(lengths, np.abs(model.norm_weights_[i]["gain"]), rtol=1e-10)
    raw = h @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_allclose(
        model.predict(X), (raw * model.target_scale_ + model.target_mean_)[:, 0], rtol=1e-10
    )
    assert model.norm_weights_[0].keys() == {"gain"}
    assert len(model.norm_weights_) == 2, "the output layer has none"


def test_weights_that_a_user_set_predict_and_are_gone_on_from(table):
    X, y = table
    model = make(norm="weight").partial_fit(X, y)
    rng = np.random.default_rng(3)
    given = [rng.normal(size=w.shape) for w in arrays_of_layers(model)]
    arrays = model.get_weights()
    for i in range(3):
        arrays |= {f"layers.{i}.weight": given[2 * i], f"layers.{i}.bias": given[2 * i + 1]}
    for i in range(2):
        arrays[f"layers.{i}.norm.gain"] = np.sqrt((given[2 * i] ** 2).sum(axis=0))
    model.set_weights(arrays)
    h = (X - model.input_mean_) / model.input_scale_
    for W, b in zip(given[0:4:2], given[1:4:2], strict=True):
        h = np.tanh(h @ W + b)
    predicted = ((h @ given[4] + given[5]) * model.target_scale_ + model.target_mean_)[:, 0]
    np.testing.assert_allclose(model.predict(X), predicted, rtol=1e-10)
    model = pickle.loads(pickle.dumps(model))
    model.set_params(learning_rate_init=1e-300).partial_fit(X, y)
    for ours, theirs in zip(arrays_of_layers(model), given, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


# "auto"


@pytest.mark.parametrize(
    ("depth", "activation", "expected"),
    [
        (0, "relu", None),
        (3, "relu", None),
        (4, "relu", "BatchNorm"),
        (6, "tanh", "BatchNorm"),
        (6, "selu", None),
        (4, ["relu", "relu", "selu", "relu"], None),
    ],
)
def test_auto_norms_deep_networks(table, depth, activation, expected):
    X, y = table
    model = make((4,) * depth, norm="auto", activation=activation, max_iter=1).fit(X, y)
    assert model.spec_["norm"] == (
        None if expected is None else {"component": "BatchNorm"} | BatchNorm().get_params()
    )
    assert make((4,) * depth, activation=activation, max_iter=1).fit(X, y).spec_["norm"] is None


# Weights of rows

COUNTING = [
    {"norm": "batch"},
    {"norm": BatchNorm(position="after")},
    {"input_scaling": "batch_norm"},
    {"dropout": Dropout(0.4, shared=True)},
    {"dropout": Dropout(0.4, shared=True), "norm": "batch"},
]


@pytest.mark.parametrize("parameters", COUNTING, ids=str)
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_a_weight_is_a_number_of_rows(table, cls, parameters):
    X, y = table
    y = y if cls is MLPRegressor else np.digitize(y, np.quantile(y, [0.3, 0.6]))
    counts = np.random.default_rng(5).integers(0, 4, N)
    common = {"batch_size": "full", "optimizer": "momentum", "max_iter": 8, "alpha": 0.5}
    weighted = make(cls=cls, **common, **parameters).fit(X, y, counts.astype(float))
    repeated = make(cls=cls, **common, **parameters)
    repeated.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    close = {"rtol": 1e-7, "atol": 1e-12}
    for a, b in zip(weighted.get_weights().values(), repeated.get_weights().values(), strict=True):
        np.testing.assert_allclose(a, b, **close)
    for ours, theirs in (
        (weighted.norm_statistics_, repeated.norm_statistics_),
        (weighted.norm_weights_, repeated.norm_weights_),
        ([weighted.extra_weights_], [repeated.extra_weights_]),
    ):
        for a, b in zip(ours, theirs, strict=True):
            assert a.keys() == b.keys()
            for name in a:
                np.testing.assert_allclose(a[name], b[name], **close)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)


def test_masks_of_rows_make_weights_other_than_rows(table):
    """Why there is a shared mask: the usual one is drawn for each row."""
    X, y = table
    two = np.full(N, 2.0)
    common = {"batch_size": "full", "dropout": 0.4}
    weighted = make(**common).fit(X, y, two)
    repeated = make(**common).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2))
    assert not np.allclose(weighted.coefs_[0], repeated.coefs_[0])


@pytest.mark.parametrize("name", [n for n in NORMS if n != "batch"])
def test_norms_that_do_not_mix_rows_know_no_weights(table, name):
    """A weight of zero or one is an absent or a present row to them."""
    X, y = table
    keep = np.arange(N) % 3 > 0
    common = {"norm": name, "batch_size": "full", "input_scaling": None, "target_scaling": None}
    weighted = make(**common).fit(X, y, keep.astype(float))
    absent = make(**common).fit(X[keep], y[keep])
    np.testing.assert_allclose(weighted.predict(X), absent.predict(X), rtol=1e-7)
    assert clone(weighted).norm == name
