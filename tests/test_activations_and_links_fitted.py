"""Activations of layers, and links of the output, seen through fitted estimators."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ids import without_addresses
from layers import arrays_of_layers
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.fitted.fitted import Fitted
from sklearn_dnn.components import (
    AlphaDropout,
    Bounded,
    Dropout,
    Elu,
    Focal,
    FunctionLoss,
    Hinge,
    Poly1,
    Prelu,
    Quantile,
    Rrelu,
    TorchLoss,
)
from sklearn_dnn.components.losses import LOSSES, ElementwiseLoss

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 60, 3
ONE_STEP = {"optimizer": "sgd", "batch_size": "full", "max_iter": 1, "alpha": 0.0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=2.0, scale=3.0, size=(N, P))
    return X, X[:, 0] - 0.3 * X[:, 1] + rng.normal(size=N)


def make(hidden=(5, 4), **parameters):
    quick = {"learning_rate_init": 0.05, "batch_size": 20, "max_iter": 3, "random_state": 1}
    return MLPRegressor(hidden, **quick | parameters)


def before_training(model, X, y):
    """A twin of an unfitted model whose only step is too short to change a number."""
    return clone(model).set_params(**ONE_STEP, learning_rate_init=1e-300).fit(X, y)


def by_hand(model, X, functions):
    h = (X - model.input_mean_) / model.input_scale_
    for W, b, f in zip(model.coefs_, model.intercepts_, [*functions, lambda z: z], strict=True):
        h = f(h @ W + b)
    return (h * model.target_scale_ + model.target_mean_)[:, 0]


def relu(z):
    return np.maximum(z, 0)


def softplus_by_torch(z):
    return nn.functional.softplus(z, beta=2.0)


# Activations of hidden layers


@pytest.mark.parametrize(
    ("given", "functions"),
    [
        (["relu", "tanh"], [relu, np.tanh]),
        (("identity", Elu(2.0)), [lambda z: z, lambda z: np.where(z > 0, z, 2 * np.expm1(z))]),
        ([torch.sin, "relu"], [np.sin, relu]),
        ([softplus_by_torch, nn.Tanh], [lambda z: np.logaddexp(0, 2 * z) / 2, np.tanh]),
        (nn.Softsign, [lambda z: z / (1 + abs(z))] * 2),
    ],
    ids=["names", "component", "function", "own function", "class for all"],
)
def test_each_layer_has_its_own(table, given, functions):
    X, y = table
    model = make(activation=given).fit(X, y)
    np.testing.assert_allclose(model.predict(X), by_hand(model, X, functions), rtol=1e-10)
    with torch.no_grad():
        np.testing.assert_allclose(model.to_torch()(torch.tensor(X))[:, 0], model.predict(X))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_function_is_the_activation_of_its_name(table):
    X, y = table
    models = [
        make(activation=a, initializer="glorot_uniform").fit(X, y)
        for a in (torch.tanh, nn.Tanh, "tanh")
    ]
    for model in models[:2]:
        np.testing.assert_allclose(model.predict(X), models[2].predict(X), rtol=1e-10)


def test_as_many_as_layers_are_asked_for(table):
    with pytest.raises(ValueError, match=r"'activation'.*sequence of 2.*Got 3"):
        make(activation=["relu"] * 3).fit(*table)


def test_prelu_learns_a_slope_a_unit(table):
    X, y = table
    model = make(activation=Prelu(0.1), max_iter=20).fit(X, y)
    slopes = [model.extra_weights_[f"layers.{i}.activation.slope"] for i in (0, 1)]
    assert [s.shape for s in slopes] == [(5,), (4,)]
    assert (slopes[0] != 0.1).all()
    functions = [lambda z, s=s: np.where(z > 0, z, s * z) for s in slopes]
    np.testing.assert_allclose(model.predict(X), by_hand(model, X, functions), rtol=1e-10)
    plain = make(activation="relu").fit(X, y)
    assert model.n_parameters_ == plain.n_parameters_ + 5 + 4


@pytest.mark.parametrize(
    "pressure", [{"alpha": 100.0}, {"l1": 10.0}, {"weight_decay": 0.5}, {"constraint": "unit_norm"}]
)
def test_slopes_and_biases_are_under_no_pressure(table, pressure):
    X, y = table
    free, pressed = (
        make(activation="prelu", **ONE_STEP | more, learning_rate_init=0.1).fit(X, y)
        for more in ({}, pressure)
    )
    assert not np.array_equal(free.coefs_[0], pressed.coefs_[0])
    for name in ("layers.0.activation.slope", "layers.1.activation.slope"):
        np.testing.assert_array_equal(free.extra_weights_[name], pressed.extra_weights_[name])
        assert (free.extra_weights_[name] != 0.25).any()
    for ours, theirs in zip(free.intercepts_, pressed.intercepts_, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rrelu_draws_slopes_in_training_and_predicts_with_their_mean(table):
    X, y = table
    model = make(activation=Rrelu(0.1, 0.9)).fit(X, y)
    functions = [lambda z: np.where(z > 0, z, 0.5 * z)] * 2
    np.testing.assert_allclose(model.predict(X), by_hand(model, X, functions), rtol=1e-10)
    # the first step's loss is that of random slopes, not that of the mean
    step = make(activation=Rrelu(0.1, 0.9), **ONE_STEP).fit(X, y)
    still = make(activation=Rrelu(0.5, 0.5), **ONE_STEP).fit(X, y)
    start = before_training(step, X, y)
    exact = 0.5 * np.mean((start.predict(X) - y) ** 2) / y.var()
    assert still.loss_ == pytest.approx(exact, rel=1e-10)
    assert abs(step.loss_ / exact - 1) > 1e-3
    assert np.array_equal(clone(step).fit(X, y).coefs_[0], step.coefs_[0])


# The conditions of selu

BROKEN = {
    "initializer": ({"initializer": "he_normal"}, "initializer=HeNormal"),
    "norm": ({"norm": "batch"}, "norm=BatchNorm"),
    "dropout": ({"dropout": 0.1}, r"dropout=Dropout\(rate=0.1\)"),
    "second dropout": ({"dropout": [AlphaDropout(0.1), Dropout(0.2)]}, r"Dropout\(rate=0.2\)"),
    "residual": ({"topology": "residual"}, "topology=Residual"),
    "wide": ({"topology": "wide"}, "topology=Wide"),
    "scale": ({"input_scaling": None}, "inputs' scale"),
    "alpha": ({"alpha": 0.1}, "alpha=0.1"),
    "a layer's alpha": ({"alpha": [0.0, 0.2, 0.0]}, r"alpha=\(0.0, 0.2, 0.0\)"),
    "l1": ({"l1": 0.1}, "l1=0.1"),
    "constraint": ({"constraint": "max_norm"}, "constraint=MaxNorm"),
}


@pytest.mark.parametrize("broken", list(BROKEN))
def test_selu_says_which_condition_is_broken(table, broken):
    parameters, words = BROKEN[broken]
    with pytest.warns(UserWarning, match=f"activation='selu'.*broken: .*{words}") as record:
        make(activation="selu", **parameters).fit(*table)
    (message,) = [str(w.message) for w in record if "selu" in str(w.message)]
    assert message.count("use") + message.count("standardize") == 1, "only the one that is broken"


def test_selu_says_all_broken_conditions_at_once(table):
    with pytest.warns(UserWarning, match=r"norm=.*; dropout=.*; constraint="):
        make(activation="selu", norm="layer", dropout=0.5, constraint="box").fit(*table)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"dropout": AlphaDropout(0.2)},
        {"initializer": "lecun_uniform"},
        {"input_scaling": "batch_norm"},
        {"alpha": 0.0},
        # of the layers, only those of selu have conditions
        {"activation": ["selu", "relu"], "initializer": ["lecun_normal", "he_normal", "zeros"]},
    ],
    ids=str,
)
def test_selu_is_silent_where_nothing_is_broken(table, parameters):
    make(**{"activation": "selu"} | parameters).fit(*table)


def test_selu_takes_inputs_that_a_user_standardised(table):
    X, y = table
    model = make(activation="selu", input_scaling=None)
    model.fit((X - X.mean(0)) / X.std(0), y)
    make_pipeline(StandardScaler(), model).fit(X, y)


# Links of a regressor's output

BOUNDED = {
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), (0.0, 1.0)),
    "tanh": (np.tanh, (-1.0, 1.0)),
}
POSITIVE = ["relu", "softplus", "exponential", "squareplus"]


def linked_by(name, bounds):
    """An output's activation, within bounds where there are any."""
    return name if bounds is None else Bounded(name, *bounds)


extreme = {
    "float64": st.floats(-1e150, 1e150, width=64),
    "float32": st.floats(-(2.0**50), 2.0**50, width=32),
}


@pytest.fixture(scope="module")
def bounded_models(table):
    X, y = table
    low, high = 0.1, 0.7  # neither is a number of float32
    target = np.clip(low + (high - low) * (y - y.min()) / np.ptp(y), low, high)
    return {
        (name, dtype): make(
            output_activation=Bounded(name, low, high), dtype=dtype, learning_rate_init=0.5
        ).fit(X, target)
        for name in BOUNDED
        for dtype in ("float32", "float64")
    }


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(BOUNDED))
def test_predictions_never_leave_the_range(bounded_models, name, dtype, data):
    X = data.draw(hnp.arrays(dtype, (4, P), elements=extreme[dtype]))
    predicted = bounded_models[name, dtype].predict(X)
    assert predicted.dtype == dtype
    assert (predicted.astype(np.float64) >= 0.1).all()
    assert (predicted.astype(np.float64) <= 0.7).all()


@settings(max_examples=20, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", POSITIVE)
def test_predictions_of_positive_links_are_never_negative(positive_models, name, data):
    X = data.draw(hnp.arrays("float64", (4, P), elements=st.floats(-1e3, 1e3)))
    assert (positive_models[name].predict(X) >= 0).all()


@pytest.fixture(scope="module")
def positive_models(table):
    X, y = table
    return {name: make(output_activation=name).fit(X, np.exp(y / 4)) for name in POSITIVE}


@pytest.mark.parametrize("name", POSITIVE)
def test_targets_of_positive_links_are_divided_only(positive_models, table, name):
    deviation = np.exp(table[1] / 4).std()
    model = positive_models[name]
    assert model.target_mean_ == 0.0
    assert model.target_scale_ == pytest.approx(deviation)
    bare = make(output_activation=name, target_scaling=None).fit(table[0], np.exp(table[1] / 4))
    assert (bare.target_mean_, bare.target_scale_) == (0.0, 1.0)


def test_a_single_bound_other_than_zero_is_kept(table):
    """elu predicts numbers above -1, in the units of y, whatever the targets' deviation."""
    X, y = table
    y = 50 * (y - y.min()) - 1
    model = make(output_activation="elu", max_iter=60).fit(X, y)
    z = model.transform(X) @ model.coefs_[-1] + model.intercepts_[-1]
    elu = np.where(z > 0, z, np.expm1(z))
    scale = y.std()
    np.testing.assert_allclose(model.predict(X), ((elu + 1) * scale - 1)[:, 0], rtol=1e-9)
    assert model.predict(X).min() >= -1
    assert model.score(X, y) > 0.5  # targets far above and near the bound are in reach
    with pytest.raises(ValueError, match="y has values from -2 "):
        model.fit(X, np.where(np.arange(N) == 7, -2.0, y))


@pytest.mark.parametrize("name", list(BOUNDED))
@pytest.mark.parametrize("bounds", [None, (-3.0, 5.0)])
def test_a_training_step_with_a_link_is_torchs(table, name, bounds):
    X, y = table
    link, reach = BOUNDED[name]
    low, high = reach if bounds is None else bounds
    y = low + (high - low) * (y - y.min()) / np.ptp(y)
    model = make((4,), activation="tanh", output_activation=linked_by(name, bounds))
    first = before_training(model, X, y)
    step = clone(model).set_params(**ONE_STEP, learning_rate_init=0.3).fit(X, y)
    x = torch.tensor((X - X.mean(0)) / X.std(0))
    numbers = [torch.tensor(a, requires_grad=True) for a in arrays_of_layers(first)]
    raw = torch.tanh(x @ numbers[0] + numbers[1]) @ numbers[2] + numbers[3]
    linked = torch.sigmoid(raw) if name == "logistic" else torch.tanh(raw)
    scaled = reach[0] + (torch.tensor(y) - low) / (high - low) * (reach[1] - reach[0])
    loss = 0.5 * (linked[:, 0] - scaled).square().mean()
    loss.backward()
    assert step.loss_ == pytest.approx(loss.item(), rel=1e-10)
    for ours, number in zip(arrays_of_layers(step), numbers, strict=True):
        np.testing.assert_allclose(
            ours, (number - 0.3 * number.grad).detach().numpy(), rtol=1e-9, atol=1e-14
        )
    predicted = low + (high - low) * (link(raw.detach().numpy()) - reach[0]) / np.ptp(reach)
    np.testing.assert_allclose(first.predict(X), predicted[:, 0], rtol=1e-10)
    with torch.no_grad():
        np.testing.assert_allclose(step.to_torch()(torch.tensor(X))[:, 0], step.predict(X))


@pytest.mark.parametrize(
    ("link", "inside", "outside"),
    [
        ("logistic", (0.0, 1.0), (1.01, -0.2)),
        (Bounded("tanh", 2, 3), (2.0, 3.0), (1.9, 3.1)),
        ("softplus", (0.0, 1e6), (-1e-3,)),
    ],
    ids=str,
)
def test_targets_outside_are_refused(table, link, inside, outside):
    X, y = table
    model = make(output_activation=link)
    low, high = inside
    good = low + (min(high, low + 1) - low) * (y - y.min()) / np.ptp(y)
    good[0], good[1] = inside  # the bounds themselves are targets
    model.fit(X, good)
    bounded = high < 1e6
    reach = f"predicts numbers from {low:g} to {high if bounded else np.inf:g}"
    name = link.activation if isinstance(link, Bounded) else link
    for bad in outside:
        y = good.copy()
        y[-1] = bad
        found = re.escape(f"values from {min(y):g} to {max(y):g}, but output_activation=")
        bounds = re.escape(f", {float(min(y))!r}, {float(max(y))!r})")
        both = re.escape(f", {float(min(y.min(), low))!r}, {float(max(y.max(), high))!r})")
        advice = r"Choose another output_activation\.$"
        if bounded:
            advice = (
                rf"Give bounds that hold all targets, as in output_activation=Bounded\(.*{name}"
            )
            advice += r".*{bounds}, or choose another output_activation\.$"
        match = rf"(?i)^{{what}} has {found}.*{name}.* {reach}\. {advice}"
        with pytest.raises(ValueError, match=match.format(what="y", bounds=bounds)):
            make(output_activation=link).fit(X, y)
        # of all targets, not only of those that are outside
        with pytest.raises(ValueError, match=match.format(what="y_val", bounds=both)):
            make(output_activation=link).fit(X, good, X_val=X, y_val=y)
        with pytest.raises(ValueError, match=r"^y has values"):
            make(output_activation=link).partial_fit(X, good).partial_fit(X, y)
        with pytest.raises(ValueError, match=r"^y has values"):
            # whether the row trains or judges
            make(output_activation=link, early_stopping=True, shuffle=False).fit(X, y)
        # rows of weight zero are no targets
        make(output_activation=link).fit(X, y, sample_weight=np.append(np.ones(N - 1), 0.0))
        # what the message advises
        if bounded:
            make(output_activation=Bounded(name, min(y), max(y))).fit(X, y)


@pytest.mark.parametrize(
    ("link", "match"),
    [
        (Bounded("identity", 0, 1), "bounded on both sides, but activation='identity' is within"),
        (Bounded("softplus", 0, 1), "bounded on both sides, but activation='softplus' is within"),
        (Bounded("elu", -1, 1), "bounded on both sides"),
        (Bounded("glu", 0, 1), "bounded on both sides"),
        (Bounded("tanh", 1, 1), "low=1 and high=1: low must be less than high"),
        (Bounded("tanh", 2, 1), "low=2 and high=1: low must be less than high"),
        (Bounded("tanh", 0, np.inf), "'high' parameter of Bounded must be a float in the range"),
        (Bounded("tanh", np.nan, 1), "'low' parameter of Bounded must be a float in the range"),
        (Bounded("tanhh", 0, 1), "Did you mean 'tanh'"),
        ("prelu", "is no link"),
        ("glu", "is no link"),
    ],
    ids=str,
)
def test_links_and_ranges_that_do_not_go_together(table, link, match):
    with pytest.raises(ValueError, match=match):
        make(output_activation=link).fit(*table)


@pytest.mark.parametrize("name", list(BOUNDED))
def test_the_bounds_of_a_link_written_out_change_nothing(table, name):
    X, y = table
    low, high = BOUNDED[name][1]
    y = low + (high - low) * (y - y.min()) / np.ptp(y)
    plain, written = (
        make(output_activation=link).fit(X, y) for link in (name, Bounded(name, low, high))
    )
    np.testing.assert_array_equal(plain.predict(X), written.predict(X))
    assert plain.spec_ == written.spec_


def test_several_targets_share_the_range(table):
    X, y = table
    Y = np.column_stack([y, -y])
    Y = (Y - Y.min(0)) / np.ptp(Y, axis=0) * 10
    model = make(output_activation=Bounded("logistic", 0, 10), max_iter=60).fit(X, Y)
    predicted = model.predict(X)
    assert predicted.shape == Y.shape
    assert predicted.min() >= 0
    assert predicted.max() <= 10
    assert model.score(X, Y) > 0.5


def test_a_classifier_has_no_output_activation():
    assert "output_activation" not in MLPClassifier().get_params()


# The link of a loss of classes


class ComplementaryLogLog(ElementwiseLoss):
    """Two classes with the link 1 - exp(-exp(z)), which is not symmetric."""

    kinds = frozenset({"binary"})
    out_activation = "cloglog"
    scales_target = False

    def terms(self, raw, target):
        log_q = -torch.exp(raw)
        return -(target * torch.log(-torch.expm1(log_q)) + (1 - target) * log_q)

    def inverse_link(self, raw):
        return -torch.expm1(-torch.exp(raw))


def of_log_odds(raw, target):
    return nn.functional.binary_cross_entropy_with_logits(raw, target, reduction="none")


def classes_of(kind, y):
    if kind == "multilabel":
        return np.column_stack([y > 0, y > 2]).astype(int)
    return np.digitize(y, np.quantile(y, [0.5] if kind == "binary" else [0.3, 0.7]))


LOSSES_OF_CLASSES = [
    (loss, kind)
    for loss in [
        *(name for name in LOSSES if "binary" in LOSSES[name].kinds),
        Focal(gamma=3.0),
        Poly1(epsilon=-0.5),
        Hinge("crammer_singer"),
        FunctionLoss(of_log_odds, kinds=("binary", "multilabel")),
        TorchLoss(nn.CrossEntropyLoss),
        TorchLoss(nn.MultiMarginLoss),
        ComplementaryLogLog(),
    ]
    for kind in ("binary", "multiclass", "multilabel")
    if kind in LOSSES.resolve(loss).kinds
]


@pytest.mark.parametrize(("loss", "kind"), LOSSES_OF_CLASSES, ids=without_addresses)
def test_all_ways_to_probabilities_agree(table, loss, kind):
    X, y = table
    y = classes_of(kind, y)
    model = MLPClassifier((5,), loss=loss, max_iter=20, learning_rate_init=0.02, random_state=0)
    model.fit(X, y)
    there = model.to_torch()(torch.from_numpy(X)).detach().numpy()
    if kind == "multiclass":
        predicted = there.argmax(1)
    else:
        predicted = (there > 0.5).astype(int).reshape(y.shape)
    np.testing.assert_array_equal(predicted, model.predict(X))
    if not hasattr(model, "predict_proba"):
        return
    p = model.predict_proba(X)
    np.testing.assert_allclose(there, p[:, 1:] if kind == "binary" else p, rtol=1e-10, atol=1e-14)
    if kind != "multilabel":
        np.testing.assert_allclose(p.sum(1), 1)
        np.testing.assert_array_equal(model.classes_[p.argmax(1)], model.predict(X))


@pytest.mark.parametrize(
    "loss",
    ["log_loss", "focal", "poly1", FunctionLoss(of_log_odds, kinds=("binary",))],
    ids=without_addresses,
)
def test_small_probabilities_of_both_classes_keep_their_digits(table, loss):
    X, y = table
    model = MLPClassifier((), loss=loss, max_iter=2, random_state=0).fit(X, classes_of("binary", y))
    model.coefs_[0][:] = 0
    found = []
    for raw in (50.0, -50.0):
        model.intercepts_[0][:] = raw
        found.append(model.predict_proba(X[:1])[0])
    np.testing.assert_allclose(found[0], found[1][::-1], rtol=1e-9)
    assert 0 < found[0][0] < 1e-16


def fitted_far_out(table, kind, loss="log_loss", **parameters):
    """A model, and rows so far out that probabilities underflow."""
    X, y = table
    model = MLPClassifier((8,), loss=loss, max_iter=15, learning_rate_init=0.02, random_state=0)
    model.set_params(**parameters).fit(X, classes_of(kind, y))
    return model, X * 5e3


def logarithms(kind, raw):
    """Of the probabilities of cross-entropy, from raw outputs, by scipy."""
    raw = raw.astype(np.float64)
    if kind == "multiclass":
        return log_softmax(raw, axis=-1)
    yes = log_expit(raw)
    return np.stack([log_expit(-raw), yes], -1) if kind == "binary" else yes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("own", [False, True], ids=["log_loss", "a function"])
def test_log_probabilities_are_those_of_raw_outputs(table, kind, dtype, own):
    loss = "log_loss"
    if own:
        loss = TorchLoss(nn.CrossEntropyLoss)
        if kind != "multiclass":
            loss = FunctionLoss(of_log_odds, kinds=("binary", "multilabel"))
    model, far = fitted_far_out(table, kind, loss)
    far = far.astype(dtype)
    found = model.predict_log_proba(far)
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    p = model.predict_proba(far)
    assert (p == 0).any()
    assert p.dtype == dtype
    expected = logarithms(kind, model.decision_function(far))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found, expected, rtol=50 * eps, atol=2 * eps)
    p = p.astype(np.float64)  # what is denormal has lost digits
    seen = p > np.finfo(dtype).tiny
    np.testing.assert_allclose(found[seen], np.log(p[seen]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ensemble", ["independent", "shared"])
@pytest.mark.parametrize("calibration", [None, "temperature"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_log_probabilities_of_ensembles(table, kind, ensemble, calibration):
    parameters = {"n_members": 3, "ensemble": ensemble, "calibration": calibration}
    if calibration is not None:
        parameters |= {"early_stopping": True, "validation_fraction": 0.3}
    model, far = fitted_far_out(table, kind, **parameters)
    fitted = Fitted(model)
    raws = fitted.member_outputs(far, lambda network, x: network.raw(x)).swapaxes(0, 1)
    raws = raws[..., 0] if kind == "binary" else raws
    expected = logsumexp(logarithms(kind, raws), axis=0) - np.log(3)
    if calibration is not None:
        together = logarithms(kind, raws.mean(0))
        expected = np.logaddexp(expected, together) - np.log(2)
    found = model.predict_log_proba(far)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)
    assert (model.predict_proba(far) == 0).any()
    # decisions rank rows as these do, also where probabilities are 0 or 1
    decision = model.decision_function(far)
    if kind == "binary":
        np.testing.assert_allclose(decision, expected[:, 1] - expected[:, 0], rtol=1e-9)
    elif kind == "multiclass":
        np.testing.assert_allclose(decision, expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(("dtype", "step"), [("float32", 60.0), ("float64", 500.0)])
def test_focal_and_poly_log_probabilities_far_out(table, dtype, step):
    """Limits of the links p / phi(p), where one class has all but all of the probability."""
    X, y = table
    X = X[:1].astype(dtype)
    for loss, power, constant in ((Focal(3.0), 3.0, 4.0), (Poly1(0.5), 0.0, 1.5)):
        model = MLPClassifier((), loss=loss, max_iter=1, random_state=0)
        model.fit(table[0], classes_of("binary", y))
        model.coefs_[0][:] = 0
        model.intercepts_[0][:] = step
        odds = (1 + power) * step - np.log(constant)  # q^gamma (1 + gamma), and 1 + epsilon
        found = model.predict_log_proba(X)[0]
        np.testing.assert_allclose(found, log_expit([-odds, odds]), rtol=1e-5, atol=1e-30)
        model = MLPClassifier((), loss=loss, max_iter=1, random_state=0)
        model.fit(table[0], classes_of("multiclass", y))
        model.coefs_[0][:] = 0
        model.intercepts_[0][:] = [0.0, step, 2 * step]
        found = model.predict_log_proba(X)[0]
        rest = power * step - np.log(constant)
        expected = np.array([-2 * step - rest, -step - rest, 0.0])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-10)


def test_a_link_of_ones_own_has_the_logarithms_that_its_probabilities_have(table):
    X, y = table
    model = MLPClassifier((), loss=ComplementaryLogLog(), max_iter=5, random_state=0)
    model.fit(X, classes_of("binary", y))
    p = model.predict_proba(X)
    seen = p > 0
    np.testing.assert_allclose(model.predict_log_proba(X)[seen], np.log(p[seen]), rtol=1e-9)


def test_a_single_class_is_certain(table):
    X, _ = table
    model = MLPClassifier((3,), max_iter=2).fit(X, np.ones(N))
    assert (model.predict_log_proba(X) == 0).all()


@pytest.mark.parametrize(
    ("link", "bounds"), [("softplus", None), ("exponential", None), ("logistic", (0.0, 40.0))]
)
@pytest.mark.parametrize("loss", [Quantile(0.9), Quantile((0.5,))], ids=str)
def test_quantiles_go_through_the_link(table, link, bounds, loss):
    X, y = table
    y = np.abs(y) + 1
    link = linked_by(link, bounds)
    model = make(loss=loss, output_activation=link, max_iter=60).fit(X, y)
    found = model.predict_quantiles(X)
    assert found.shape == (N, 1)
    np.testing.assert_allclose(found[:, 0], model.predict(X))
    both = np.column_stack([y, y])
    two = make(loss=loss, output_activation=link).fit(X, both)
    assert two.predict_quantiles(X).shape == (N, 2, 1)
    np.testing.assert_allclose(two.predict_quantiles(X)[..., 0], two.predict(X))
