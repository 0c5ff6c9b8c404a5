"""How layers are joined: fitted networks against the same computed by hand."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from layers import arrays_of_layers
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import Dropout, Plain, Residual, Wide
from sklearn_dnn.components.norms import NORMS

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 40, 4


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=2.0, scale=3.0, size=(N, P))
    return X, X[:, 0] - 0.2 * X[:, 1] ** 2 + rng.normal(size=N)


def make(hidden, cls=MLPRegressor, **parameters):
    quick = {
        "activation": "tanh",
        "learning_rate_init": 0.02,
        "batch_size": 16,
        "max_iter": 3,
        "random_state": 1,
    }
    return cls(hidden, **quick | parameters)


def before_training(model, X, y, **fit):
    """A twin of an unfitted model whose only step is too short to change a number."""
    return (
        clone(model)
        .set_params(
            optimizer="sgd",
            learning_rate_init=1e-300,
            max_iter=1,
            batch_size="full",
            schedule="constant",
        )
        .fit(X, y, **fit)
    )


def glu(z):
    first, second = np.split(z, 2, axis=1)
    return first / (1 + np.exp(-second))


def by_hand(model, X, *, block_size=0, wide=False, function=np.tanh, gated=False):
    """Predictions from fitted attributes, in plain NumPy."""
    h = skip = inputs = (X - model.input_mean_) / model.input_scale_
    extra = model.extra_weights_
    for i, (W, b) in enumerate(zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True)):
        z = h @ W + b
        ends = block_size > 0 and (i + 1) % block_size == 0
        if gated:
            z = function(z)
        if ends:
            bridge = skip
            if f"layers.{i}.skip.projection" in extra:
                bridge = skip @ extra[f"layers.{i}.skip.projection"]
            z = z * extra.get(f"layers.{i}.skip.multiplier", 1.0) + bridge
        h = z if gated else function(z)
        if ends:
            skip = h
    if wide:
        h = np.hstack([h, inputs])
    raw = h @ model.coefs_[-1] + model.intercepts_[-1]
    return (raw * model.target_scale_ + model.target_mean_)[:, 0]


def parameters_by_hand(hidden, *, block_size=0, wide=False, multiplier=False, gated=False):
    """Trained numbers of a network with one output."""
    widths = [P, *hidden]
    total = hidden[-1] + P * wide + 1
    for i, k in enumerate(hidden):
        total += (widths[i] + 1) * k * (2 if gated else 1)
        if block_size and (i + 1) % block_size == 0:
            below = widths[i + 1 - block_size]
            total += (below * k if below != k else 0) + multiplier
    return total


def test_a_residual_network_without_a_block_is_told_of(table):
    X, y = table[:2]
    model = MLPRegressor((5,), topology="residual", max_iter=1, n_iter_no_change=5)
    with (
        pytest.warns(UserWarning, match=r"blocks of 2 hidden layers, but .*\(5,\) has none"),
        pytest.warns(ConvergenceWarning),
    ):
        model.fit(X, y)


# Forward passes


@pytest.mark.parametrize(
    ("hidden", "block_size", "projected"),
    [
        ((6, 6, 6, 6), 2, [1]),  # only the first block has another width than its input
        ((P, P), 2, []),
        ((5, 6, 7), 1, [0, 1, 2]),
        ((6, 5, 7, 5, 3), 2, [1]),  # 5 to 5 needs none; the last layer fills no block
        ((P, 7, P, 6, 5), 3, []),
        pytest.param(
            (5,),
            2,
            [],  # a single layer fills no block, of which the user is told
            marks=pytest.mark.filterwarnings("ignore:topology=.*has none:UserWarning"),
        ),
    ],
)
@pytest.mark.parametrize("multiplier", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_a_residual_network_by_hand(table, hidden, block_size, projected, multiplier, wide):
    X, y = table
    topology = Residual(block_size, multiplier=multiplier, wide=wide)
    model = make(hidden, topology=topology).fit(X, y)
    np.testing.assert_allclose(
        model.predict(X), by_hand(model, X, block_size=block_size, wide=wide), rtol=1e-10
    )
    projections = [k for k in model.extra_weights_ if k.endswith("projection")]
    assert projections == [f"layers.{i}.skip.projection" for i in projected]
    multipliers = [v for k, v in model.extra_weights_.items() if k.endswith("multiplier")]
    assert len(multipliers) == multiplier * (len(hidden) // block_size)
    assert all(m.shape == (1,) and m != 1.0 for m in multipliers), "multipliers learn"
    assert model.n_parameters_ == parameters_by_hand(
        hidden, block_size=block_size, wide=wide, multiplier=multiplier
    )


def test_a_residual_network_of_gated_units_by_hand(table):
    X, y = table
    model = make((6, 5, 5), activation="glu", topology=Residual(1, multiplier=True)).fit(X, y)
    ours = by_hand(model, X, block_size=1, function=glu, gated=True)
    np.testing.assert_allclose(model.predict(X), ours, rtol=1e-10)
    assert [W.shape for W in model.coefs_] == [(P, 12), (6, 10), (5, 10), (5, 1)]
    assert model.n_parameters_ == parameters_by_hand(
        (6, 5, 5), block_size=1, multiplier=True, gated=True
    )


@pytest.mark.parametrize("hidden", [(5,), (6, 3)])
def test_a_wide_network_by_hand(table, hidden):
    X, y = table
    model = make(hidden, topology="wide").fit(X, y)
    np.testing.assert_allclose(model.predict(X), by_hand(model, X, wide=True), rtol=1e-10)
    assert model.coefs_[-1].shape == (hidden[-1] + P, 1)
    assert model.transform(X).shape == (N, hidden[-1] + P)
    assert model.get_feature_names_out().shape == (hidden[-1] + P,)


def test_a_wide_network_without_deep_part_is_the_linear_model(table):
    X, y = table
    wide, plain = (make((), topology=topology).fit(X, y) for topology in ("wide", "plain"))
    np.testing.assert_array_equal(wide.predict(X), plain.predict(X))


def test_a_wide_network_whose_deep_part_is_silent_is_the_linear_model(table):
    """Hidden units that start at zero output and get no gradient leave a linear model."""
    X, y = table
    full = {"optimizer": "sgd", "batch_size": "full", "alpha": 0.0, "learning_rate_init": 0.1}
    wide = make((3,), activation="relu", topology=Wide(), initializer="zeros", **full)
    linear = make((), initializer="zeros", **full)
    for model in (wide, linear):
        model.set_params(max_iter=50).fit(X, y)
    np.testing.assert_allclose(wide.predict(X), linear.predict(X), rtol=1e-10)
    assert not wide.coefs_[0].any()


def test_a_residual_network_with_zero_branches_is_the_activation_of_its_input(table):
    X, y = table
    model = before_training(
        make(
            (P, P), activation="relu", topology="residual", initializer=["zeros", "zeros", "normal"]
        ),
        X,
        y,
    )
    standardised = (X - X.mean(0)) / X.std(0)
    np.testing.assert_allclose(model.transform(X), np.maximum(standardised, 0), atol=1e-12)


# The auxiliary output

ONE_STEP = {"optimizer": "sgd", "batch_size": "full", "max_iter": 1, "alpha": 0.0}


def test_the_auxiliary_gradient_reaches_the_layers_below_it(table):
    """Through a layer of zeros the network's own loss has no gradient for those below it."""
    X, y = table
    start = ["normal", "normal", "zeros", "normal", "normal"]
    rate, weight = 0.5, 0.3
    common = {"initializer": start, "learning_rate_init": rate, **ONE_STEP}
    alone = make((5, 6, 4, 3), **common)
    helped = make((5, 6, 4, 3), topology=Plain(auxiliary_weight=weight), **common)
    first = before_training(helped, X, y)
    alone.fit(X, y)
    helped.fit(X, y)
    for i in range(2):
        np.testing.assert_array_equal(alone.coefs_[i], first.coefs_[i])
        assert not np.array_equal(helped.coefs_[i], first.coefs_[i])
    for i in (2, 3, 4):  # above the auxiliary output, which reads the second of four
        np.testing.assert_array_equal(helped.coefs_[i], alone.coefs_[i])
    # the same step by torch
    x = torch.tensor((X - X.mean(0)) / X.std(0))
    target = torch.tensor((y - y.mean()) / y.std())
    W = [torch.tensor(w, requires_grad=True) for w in first.coefs_[:2]]
    V = torch.tensor(first.extra_weights_["auxiliary.weight"], requires_grad=True)
    beside = (torch.tanh(torch.tanh(x @ W[0]) @ W[1]) @ V)[:, 0]
    (weight * 0.5 * (beside - target).square().mean()).backward()
    for trained, w in (
        (helped.coefs_[0], W[0]),
        (helped.coefs_[1], W[1]),
        (helped.extra_weights_["auxiliary.weight"], V),
    ):
        np.testing.assert_allclose(trained, (w - rate * w.grad).detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_auxiliary_output_reads_the_layer_asked_for(table, layer):
    X, y = table
    topology = Plain(auxiliary_weight=0.5, auxiliary_layer=layer)
    model = make((5, 6, 7), topology=topology).fit(X, y)
    assert model.extra_weights_["auxiliary.weight"].shape == ((5, 6, 7)[layer - 1], 1)
    with pytest.raises(ValueError, match=r"auxiliary output at hidden layer 4"):
        make((5, 6, 7), topology=Plain(0.5, 4)).fit(X, y)
    with pytest.raises(ValueError, match=r"0 hidden layers"):
        make((), topology=Plain(0.5)).fit(X, y)


@pytest.mark.parametrize("topology", [Plain(0.4), Residual(auxiliary_weight=0.4), Wide(0.4)])
def test_predictions_do_without_the_auxiliary_output(table, topology):
    X, y = table
    model = make((5, 5, 5), topology=topology).fit(X, y)
    before = model.predict(X)
    module = model.to_torch()
    model.extra_weights_["auxiliary.weight"] += 10.0
    model.extra_weights_["auxiliary.bias"] += 10.0
    np.testing.assert_array_equal(model.predict(X), before)
    n_numbers = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert n_numbers == model.n_parameters_ - (5 + 1)  # it has 5 weights and a bias


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_the_auxiliary_loss_is_no_part_of_loss_(table, cls):
    X, y = table
    y = y > 0 if cls is MLPClassifier else y
    model = make((5, 6), cls, topology=Plain(auxiliary_weight=3.0), **ONE_STEP).fit(X, y)
    first = before_training(model, X, y)
    if cls is MLPRegressor:  # the loss of an epoch with one step is that before the step
        expected = 0.5 * np.mean((first.predict(X) - y) ** 2) / y.std() ** 2
    else:
        expected = -np.mean(np.log(first.predict_proba(X)[np.arange(N), y.astype(int)]))
    assert model.loss_ == pytest.approx(expected, rel=1e-10)
    # and what follows differs from a fit without it
    alone = make((5, 6), cls, **ONE_STEP).fit(X, y)
    assert model.loss_ == pytest.approx(alone.loss_, rel=1e-12)
    assert not np.array_equal(model.coefs_[0], alone.coefs_[0])


def test_a_search_along_a_line_sees_the_auxiliary_loss(table):
    """L-BFGS ends where the sum of both losses has no slope left, and tells of one of them."""
    X, y = table
    weight = 1.0
    parameters = {"optimizer": "lbfgs", "alpha": 0.5, "tol": 1e-6, "n_iter_no_change": 10_000}
    parameters |= {"dtype": "float64", "max_iter": 3000, "batch_size": "full"}
    model = make((4, 3), topology=Plain(auxiliary_weight=weight), **parameters).fit(X, y)
    assert model.end_reason_ == "tol"
    x = torch.tensor((X - X.mean(0)) / X.std(0))
    target = torch.tensor((y - y.mean()) / y.std())
    extra = [model.extra_weights_[f"auxiliary.{name}"] for name in ("weight", "bias")]
    leaves = [torch.tensor(w, requires_grad=True) for w in (*arrays_of_layers(model), *extra)]
    W, b, V, c, U, d, A, e = leaves
    low = torch.tanh(x @ W + b)

    def loss(raw):
        return 0.5 * (raw[:, 0] - target).square().mean()

    own = loss(torch.tanh(low @ V + c) @ U + d)
    penalty = 0.25 * sum(w.square().sum() for w in (W, V, U, A)) / N
    (own + weight * loss(low @ A + e) + penalty).backward()
    assert max(float(leaf.grad.abs().max()) for leaf in leaves) < 2e-6
    assert model.history_["train_loss"][-1] == pytest.approx(own.item(), rel=1e-9)
    assert model.loss_ == pytest.approx((own + penalty).item(), rel=1e-9)


# Every combination as a module, unfolded, and through a file

TOPOLOGIES = [
    Plain(auxiliary_weight=0.2),
    Residual(2),
    Residual(1, multiplier=True, wide=True),
    Wide(),
]
ACTIVATIONS = ["tanh", "prelu", "glu", "rrelu", ["relu", "swiglu", "prelu"]]
NORMED = [None] + [
    NORMS[name](**{"position": position} if position else {})
    for name, position in [
        *itertools.product([n for n in NORMS if n != "weight"], ["before", "after"]),
        ("weight", None),
    ]
]


# Each two of the three meet by default, and all three among the slow ones.
NAMED = [[(str(value), value) for value in kind] for kind in (TOPOLOGIES, NORMED, ACTIVATIONS)]
EXPORTED = [
    pytest.param(*values, id="-".join(names), marks=[pytest.mark.slow] if sum(places) % 5 else [])
    for combined in itertools.product(*map(enumerate, NAMED))
    for places, named in [zip(*combined, strict=True)]
    for names, values in [zip(*named, strict=True)]
]


@pytest.mark.parametrize(("topology", "norm", "activation"), EXPORTED)
def test_the_exported_module_is_the_prediction(table, topology, norm, activation):
    X, y = table
    model = make((5, 6, 5), topology=topology, norm=norm, activation=activation, max_iter=2)
    model.fit(X, y)
    predicted = model.predict(X)
    with torch.no_grad():
        module = model.to_torch()
        np.testing.assert_allclose(module(torch.from_numpy(X))[:, 0], predicted, rtol=1e-9)
    # transform computes norms row by row where predict has them folded into dense layers
    raw = model.transform(X) @ model.coefs_[-1] + model.intercepts_[-1]
    unfolded = (raw * model.target_scale_ + model.target_mean_)[:, 0]
    np.testing.assert_allclose(unfolded, predicted, rtol=1e-9)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), predicted)
    assert not np.allclose(predicted, predicted[0])  # there was something to compare


def test_the_exported_module_of_other_numbers(table):
    """float32, classes, and dropout, which the module leaves out."""
    X, y = table
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = make(
        (5, 5),
        MLPClassifier,
        topology=Residual(multiplier=True),
        norm="batch",
        dropout=Dropout(0.4),
        input_scaling="batch_norm",
    ).fit(X.astype(np.float32), labels)
    with torch.no_grad():
        ours = model.to_torch()(torch.from_numpy(X.astype(np.float32))).numpy()
    np.testing.assert_allclose(ours, model.predict_proba(X.astype(np.float32)), atol=1e-6)


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=repr)
@pytest.mark.parametrize("activation", ["prelu", "glu"])
def test_skops_round_trip(table, topology, activation):
    skops = pytest.importorskip("skops.io")
    X, y = table
    model = make((5, 6, 5), topology=topology, activation=activation, norm="batch").fit(X, y)
    file = skops.dumps(model)
    again = skops.loads(file, trusted=list(sklearn_dnn.TRUSTED_TYPES))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.extra_weights_.keys() == model.extra_weights_.keys()


# Going on


def same(one, other, X):
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.extra_weights_.keys() == other.extra_weights_.keys()
    for name, array in one.extra_weights_.items():
        np.testing.assert_array_equal(array, other.extra_weights_[name], err_msg=name)


GOING_ON = [
    {"topology": topology, "activation": activation, "norm": norm}
    for topology, activation, norm in [
        (TOPOLOGIES[0], "prelu", None),
        (TOPOLOGIES[1], "tanh", "batch"),
        (TOPOLOGIES[2], "glu", "weight"),
        (TOPOLOGIES[3], "rrelu", "layer"),
        (Residual(2, multiplier=True, auxiliary_weight=0.3), "prelu", "group"),
    ]
]


@pytest.mark.parametrize("parameters", GOING_ON, ids=str)
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_calls_that_go_on_equal_one_fit(table, parameters, method):
    X, y = table
    whole = make((5, 6, 5), **parameters, max_iter=4).fit(X, y)
    parts = make((5, 6, 5), **parameters, max_iter=1, warm_start=method == "fit")
    for _ in range(4):
        getattr(parts, method)(X, y)
        parts = pickle.loads(pickle.dumps(parts))
    same(whole, parts, X)


@pytest.mark.parametrize(
    ("old", "new"),
    [("plain", "wide"), (Residual(1), Residual(2)), (Residual(), Residual(multiplier=True))],
)
def test_another_topology_is_not_gone_on_with(table, old, new):
    X, y = table
    model = make((5, 5), topology=old, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="another topology"):
        model.set_params(topology=new).fit(X, y)
