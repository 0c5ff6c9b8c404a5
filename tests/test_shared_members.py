"""Members that share one network, against explicit networks, autograd and plain fits."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import Batcher, TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.data.targets import BinaryCodec, MulticlassCodec, RegressionCodec
from sklearn_dnn._core.fitted.fitted import Fitted
from sklearn_dnn._core.network import kernels as kernels_module
from sklearn_dnn._core.network.architecture import Architecture
from sklearn_dnn._core.network.data_dependent import scale_to_data
from sklearn_dnn._core.network.initial import initial_parameters
from sklearn_dnn._core.network.kernels import SharedKernel
from sklearn_dnn._core.network.members import mean_values
from sklearn_dnn._core.network.mlp import Evaluator
from sklearn_dnn._core.network.parameters import Layout
from sklearn_dnn._core.specification import Task, resolve
from sklearn_dnn._core.training import gradients as gradients_module
from sklearn_dnn._core.training.engine import train
from sklearn_dnn._core.training.evaluate import ValidationSet
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn.components import (
    Accumulated,
    Bagging,
    BatchNorm,
    ClipNorm,
    Dropout,
    Gaussian,
    HiddenModule,
    LayerNorm,
    Mixup,
    Plain,
    Prelu,
    Quantile,
    Residual,
    Scheduled,
)
from sklearn_dnn.components.losses import LOSSES
from sklearn_dnn.inspection import layer_statistics

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, P, K = 40, 5, 3
EXACT = {"rtol": 1e-10, "atol": 1e-12}
CODECS = {
    "regression": RegressionCodec.unscaled(np.zeros((2, 2))),
    "binary": BinaryCodec(np.array([False, True])),
    "multiclass": MulticlassCodec(np.arange(3)),
}


def spec_of(kind="regression", n_members=K, **parameters):
    cls = MLPRegressor if kind == "regression" else MLPClassifier
    usual = {
        "hidden_layer_sizes": (6, 4),
        "activation": "tanh",
        "batch_size": 16,
        "max_iter": 4,
        "tol": 0.0,
        "learning_rate_init": 0.01,
        "ensemble": "shared",
        "n_members": n_members,
    }
    codec = CODECS[kind]
    task = Task(
        kind=kind,
        n_features=P,
        n_outputs=codec.n_outputs,
        n_samples=N,
        n_training=N,
        dtype="float64",
        has_validation=True,
    )
    return resolve(cls(**usual | parameters).get_params(deep=False), task)


def targets(kind, rng):
    if kind == "regression":
        return torch.from_numpy(rng.normal(size=(N, 2)))
    if kind == "binary":
        return torch.from_numpy(rng.integers(0, 2, size=(N, 1)).astype(float))
    return torch.from_numpy(rng.integers(0, 3, size=N))


def training_set(kind="regression", m=1, weighted=False, n_rows=N):
    rng = np.random.default_rng(0)
    features = Features(rng.normal(size=(N, P)), Standardiser(None, torch.float64, "cpu"))
    weight = torch.from_numpy(rng.uniform(0.5, 2.0, N)) if weighted else None
    rows = np.stack([rng.permutation(N)[:n_rows] for _ in range(m)])
    return TrainingSet(features, targets(kind, rng), weight, torch.from_numpy(rows))


def a_step(specs, kind="regression", weighted=False):
    """A step away from its start, and a batch of 9 rows for it."""
    m = len(specs)
    progress = Progress.begin(specs, Streams.of_members(0, m))
    noise = torch.randn(progress.theta.shape, generator=torch.Generator().manual_seed(1))
    progress.theta.add_(noise, alpha=0.3)
    step = TrainingStep(specs, progress)
    data = training_set(kind, m, weighted, n_rows=9)
    (batch,) = Batcher(data, 9, False, False).epoch(progress.orders).batches
    return step, batch


def plain_networks(spec, theta, statistics):
    """Each member as a network of its own: its specification's architecture, and its buffers."""
    shared = Layout(Architecture.of(spec))
    alone = Layout(replace(Architecture.of(spec), n_shared=1))
    source = shared.network(theta, statistics)
    found = []
    for i in range(spec.n_members):
        own = torch.zeros(1, alone.n_parameters, dtype=theta.dtype)
        there = alone.network(own, statistics)
        mine = source.trained()
        for name, tensor in there.trained().items():
            if name in mine:
                tensor.copy_(mine[name])
        # (x * r) W = x (r W)
        first, last = there.layers[0].weight, there.layers[-1].weight
        first.mul_(source.members["inputs"][i].unsqueeze(1))
        for layer in there.layers:
            if "projection" in layer.skip:  # it reads the inputs too
                layer.skip["projection"].mul_(source.members["inputs"][i].unsqueeze(1))
        last.mul_(source.members["units"][i].unsqueeze(1))
        there.layers[-1].bias.copy_(source.members["bias"][i])
        found.append(Evaluator(there, alone.architecture))
    return found


# The function.


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"hidden_layer_sizes": (7,)},
        {"hidden_layer_sizes": (4, 4, 4), "activation": "swiglu"},
        {"norm": "layer", "activation": Prelu()},
        {"norm": "rms"},
        {"norm": "batch"},
        {"topology": Residual(multiplier=True)},
    ],
    ids=str,
)
def test_a_member_is_a_network_with_rows_of_its_matrices_multiplied(parameters):
    spec = spec_of(**parameters)
    step, batch = a_step([spec])
    progress = step.progress
    evaluator = Evaluator(step.network, step.architecture)
    raw = evaluator.raw(batch.x)
    assert raw.shape == (K, 9, 2)
    for mine, alone in zip(
        raw, plain_networks(spec, progress.theta, progress.statistics), strict=True
    ):
        torch.testing.assert_close(mine, alone.raw(batch.x), **EXACT)
    assert (raw[0] - raw[1]).abs().max() > 0.01


def test_with_factors_of_one_every_member_is_the_plain_network():
    spec = spec_of()
    step, batch = a_step([spec])
    for factors in ("inputs", "units"):
        step.network.members[factors].fill_(1.0)
    step.network.members["bias"].copy_(step.network.members["bias"][:1].clone().expand(K, -1))
    raw = Evaluator(step.network, step.architecture).raw(batch.x)
    alone = plain_networks(spec, step.theta, step.progress.statistics)[0].raw(batch.x)
    for mine in raw:
        torch.testing.assert_close(mine, alone, **EXACT)


def test_one_member_is_the_plain_fit():
    X, y = make_classification(60, P, random_state=0)
    plain = MLPClassifier((6,), max_iter=3, random_state=0).fit(X, y)
    one = clone(plain).set_params(ensemble="shared", n_members=1).fit(X, y)
    assert np.array_equal(plain.predict_proba(X), one.predict_proba(X))
    assert one.n_parameters_ == plain.n_parameters_


# How it starts.


def start(spec, seed=0):
    layout = Layout(Architecture.of(spec))
    generators = [torch.Generator().manual_seed(seed)]
    return layout.network(*initial_parameters([spec], layout, generators))


def test_factors_start_at_plus_or_minus_one_and_the_outputs_scale():
    spec = spec_of(n_members=32, hidden_layer_sizes=(20, 20))
    shared, alone = start(spec), start(replace(spec, n_members=1))
    torch.testing.assert_close(shared.layers[0].weight, alone.layers[0].weight)
    torch.testing.assert_close(shared.layers[1].weight, alone.layers[1].weight)
    inputs, units = shared.members["inputs"], shared.members["units"]
    assert set(inputs.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(inputs.mean())) < 0.3
    # heads are the draw of a plain network, with signs of their own
    drawn = alone.layers[-1].weight
    heads = units.unsqueeze(-1) * shared.layers[-1].weight
    torch.testing.assert_close(heads.abs(), drawn.abs().expand(32, -1, -1))
    assert 0.3 < float((units > 0).double().mean()) < 0.7
    assert float(shared.layers[-1].weight.square().mean()) == pytest.approx(1.0)


@pytest.mark.parametrize("how", ["normal", 0.5])
def test_biases_of_outputs_start_as_asked_for(how):
    bias = start(spec_of(bias_initializer=how)).members["bias"]
    assert bias.shape == (K, 2)
    assert (bias[0] != bias[1]).all() == (how == "normal")


def test_a_prior_starts_every_member_at_the_best_constant():
    X, y = make_classification(200, P, weights=[0.9], random_state=0)
    model = MLPClassifier(
        (6,),
        n_members=K,
        ensemble="shared",
        bias_initializer="prior",
        learning_rate_init=1e-12,
        max_iter=1,
    ).fit(X, y)
    log_odds = np.log(y.mean() / (1 - y.mean()))
    np.testing.assert_allclose(model.extra_weights_["members.bias"], log_odds, rtol=1e-6)


def test_weights_scaled_to_data_bring_each_layer_to_unit_variance():
    spec = spec_of(initializer="lsuv", activation="relu", hidden_layer_sizes=(30, 30))
    progress = Progress.begin([spec], Streams.of_members(0, 1))
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(400, P)))
    scale_to_data(spec, progress.theta, progress.statistics, x)
    network = Layout(Architecture.of(spec)).network(progress.theta, progress.statistics)
    raw = Evaluator(network, Architecture.of(spec)).raw(x)
    assert float(raw.var()) == pytest.approx(1.0, abs=0.1)
    member = x * network.members["inputs"][0]
    assert float((member @ network.layers[0].weight).var()) == pytest.approx(1.0, abs=0.15)


# The loss and its gradient.


@pytest.mark.parametrize("kind", list(CODECS))
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_mean_of_members_losses(kind, weighted):
    spec = spec_of(kind, alpha=0.3)
    step, batch = a_step([spec], kind, weighted)
    value, _ = step.objective(batch)
    share = (
        batch.share.squeeze(-1) if weighted else torch.full((9,), batch.share, dtype=torch.float64)
    )
    losses = [
        float((spec.objective.values(alone.raw(batch.x), batch.y) * share).sum())
        for alone in plain_networks(spec, step.theta, step.progress.statistics)
    ]
    expected = np.mean(losses) + float(step.penalties()) / float(batch.total)
    assert value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", list(CODECS))
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", ["silu", "elu"]], ids=str)
@pytest.mark.parametrize("cached", [0, 2**17])
def test_gradient_by_hand_is_autograds(kind, m, activation, cached, monkeypatch):
    monkeypatch.setattr(kernels_module, "CACHED", cached)
    specs = [spec_of(kind, activation=activation, alpha=alpha) for alpha in (0.5, 0.0, 2.0)[:m]]
    by_hand, batch = a_step(specs, kind, weighted=m == 3)
    assert isinstance(by_hand.gradients._new_kernel(9), SharedKernel)
    monkeypatch.setattr(gradients_module, "has_kernel", lambda _: False)
    by_autograd, _ = a_step(specs, kind, weighted=m == 3)
    assert by_hand.gradients.by_hand
    assert not by_autograd.gradients.by_hand
    raws = by_hand.gradient(batch).raw, by_autograd.gradient(batch).raw
    torch.testing.assert_close(*raws, **EXACT)
    torch.testing.assert_close(by_hand.grad, by_autograd.grad, **EXACT)
    assert by_hand.grad.abs().max() > 1e-3


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"hidden_layer_sizes": (5,)},
        {"norm": "layer"},
        {"norm": BatchNorm(position="after")},
        {"norm": "weight"},
        {"input_scaling": "batch_norm"},
        {"topology": Residual(block_size=1, wide=True)},
        {"activation": "swiglu"},
        {"output_activation": "softplus"},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_the_slope_of_the_objective(parameters, weighted):
    spec = spec_of(**{"activation": "tanh", "alpha": 0.5} | parameters)
    step, batch = a_step([spec], weighted=weighted)
    _, gradient = step.objective(batch)
    slopes = slopes_of(lambda: step.objective(batch)[0], step.theta)
    torch.testing.assert_close(gradient, slopes, rtol=1e-5, atol=1e-7)


def slopes_of(function, theta, h=1e-6):
    """Central differences of a function that reads `theta` (1, p)."""
    slopes = torch.zeros_like(theta)
    for i in range(theta.shape[1]):
        kept = float(theta[0, i])
        ends = []
        for sign in (1, -1):
            theta[0, i] = kept + sign * h
            ends.append(function())
        theta[0, i] = kept
        slopes[0, i] = (ends[0] - ends[1]) / (2 * h)
    return slopes


def test_a_penalty_on_activations_is_the_mean_of_members():
    gradients = []
    for strength in (0.0, 0.7):
        step, batch = a_step([spec_of(hidden_layer_sizes=(4,), activity_l1=strength)])
        gradients.append(step.objective(batch)[1])
    evaluator = Evaluator(step.network, step.architecture)
    slopes = slopes_of(lambda: float(evaluator.hidden(batch.x).abs().sum()), step.theta)
    torch.testing.assert_close(
        gradients[1] - gradients[0], 0.7 * slopes / (9 * K), rtol=1e-5, atol=1e-7
    )


def test_an_auxiliary_output_is_read_by_every_member():
    X, y = make_classification(60, P, random_state=0)
    model = shared(hidden_layer_sizes=(6, 4), topology=Plain(auxiliary_weight=0.3)).fit(X, y)
    assert model.extra_weights_["auxiliary.weight"].shape == (6, 1)


# Stacks of such networks: cross-validation.


@pytest.mark.parametrize("kind", list(CODECS))
@pytest.mark.parametrize(
    "parameters",
    [{}, {"norm": "batch"}, {"norm": "rms", "clip_norm": ClipNorm(0.1, "tensor")}],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_stack_trains_each_as_it_would_alone(kind, parameters, weighted):
    spec = spec_of(kind, **parameters)
    data = training_set(kind, 3, weighted, n_rows=30)
    rows = torch.from_numpy(np.stack([np.arange(10)] * 3))
    held = ValidationSet(data.features, data.y, data.weight, rows, CODECS[kind].score)

    streams = Streams.of_members(0, 3)

    def outcomes(members):
        progress = Progress.begin([spec] * len(members), [streams[i] for i in members])
        return train([spec] * len(members), progress, data.select(members), held.select(members))

    for i, ours in enumerate(outcomes([0, 1, 2])):
        (alone,) = outcomes([i])
        for name in ("loss", "train_loss", "validation_loss", "validation_score"):
            np.testing.assert_allclose(
                ours.history[name], alone.history[name], rtol=1e-8, err_msg=name
            )
        torch.testing.assert_close(ours.progress.theta, alone.progress.theta, rtol=1e-8, atol=1e-10)


def test_the_validation_loss_is_the_mean_of_members_and_its_score_that_of_their_mean():
    spec = spec_of("binary")
    step, _ = a_step([spec], "binary")
    data = training_set("binary")
    held = ValidationSet(data.features, data.y, None, data.rows[:, :20], CODECS["binary"].score)
    ((loss, score),) = held.judge(Evaluator(step.network, step.architecture), spec.objective)
    x, y = data.features.rows(data.rows[0, :20]), data.y[data.rows[0, :20]]
    alone = plain_networks(spec, step.theta, step.progress.statistics)
    raws = torch.stack([one.raw(x) for one in alone])
    losses = [float(spec.objective.values(raw, y).mean()) for raw in raws]
    assert loss == pytest.approx(np.mean(losses))
    mean = spec.objective.inverse_link(raws).mean(0)
    assert score == pytest.approx(float(((mean > 0.5) == (y > 0.5)).double().mean()))


@pytest.mark.parametrize("loss", [n for n in LOSSES if "regression" in LOSSES[n].kinds])
def test_every_loss_averages_over_members(loss):
    objective = LOSSES[loss]().bind("regression")
    rng = torch.Generator().manual_seed(0)
    r = objective.outputs_per_target
    raw = torch.randn(2, K, 7, r, generator=rng, dtype=torch.float64)
    target = torch.rand(2, 7, 1, generator=rng, dtype=torch.float64) + 0.1
    expected = torch.stack([objective.values(raw[:, i], target) for i in range(K)]).mean(0)
    torch.testing.assert_close(mean_values(objective, raw, target, K), expected)


# The estimators.


def shared(cls=MLPClassifier, **parameters):
    usual = {
        "hidden_layer_sizes": (8,),
        "n_members": 4,
        "ensemble": "shared",
        "max_iter": 8,
        "learning_rate_init": 0.01,
        "random_state": 0,
    }
    return cls(**usual | parameters)


@pytest.fixture(scope="module")
def table():
    return make_classification(
        80, P, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
    )


@pytest.fixture(scope="module")
def numbers(table):
    X, _ = table
    rng = np.random.default_rng(0)
    return X, np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2]]) + 0.1 * rng.normal(size=(80, 2))


def test_predictions_are_means_behind_the_link(table, numbers):
    X, y = table
    model = shared().fit(X, y)
    each = model.predict_members(X)
    assert each.shape == (4, 80, 3)
    np.testing.assert_allclose(each.mean(0), model.predict_proba(X))
    assert np.array_equal(model.predict(X), each.mean(0).argmax(1))
    assert each.std(0).max() > 0.01  # they differ
    scores = model.decision_function(X)
    assert np.array_equal(scores.argmax(1), model.predict(X))

    X, Y = numbers
    model = shared(MLPRegressor).fit(X, Y)
    each = model.predict_members(X)
    assert each.shape == (4, 80, 2)
    np.testing.assert_allclose(model.predict(X), each.mean(0))


@pytest.mark.parametrize("loss", ["log_loss", "focal", "hinge"])
def test_the_decision_function_decides_as_predict_does(table, loss):
    X, y = table
    labels = y > 0
    model = shared(loss=loss).fit(X, labels)
    scores = model.decision_function(X)
    assert scores.shape == (80,)
    assert np.array_equal(scores > 0, model.predict(X))
    if loss != "hinge":
        odds = model.predict_proba(X)
        np.testing.assert_allclose(scores, np.log(odds[:, 1] / odds[:, 0]), rtol=1e-6)


def test_sure_members_have_finite_decisions(table):
    X, y = table
    model = shared().fit(X, y > 0)
    model.extra_weights_["members.bias"] += 1e4
    assert np.isfinite(model.decision_function(X)).all()


def test_deviations_and_quantiles_are_those_of_the_mixture(numbers):
    X, Y = numbers
    model = shared(MLPRegressor, loss=Gaussian()).fit(X, Y)
    fitted = Fitted(model)
    raws = torch.from_numpy(fitted.member_outputs(X, lambda net, x: net.raw(x))).movedim(1, 0)
    loss = fitted.loss
    means = torch.stack([loss.inverse_link(raw) for raw in raws])
    variances = torch.stack([loss.deviation(raw) for raw in raws]).square()
    expected = (variances.mean(0) + means.var(0, unbiased=False)).sqrt().numpy()
    _, deviation = model.predict(X, return_std=True)
    np.testing.assert_allclose(deviation, expected * model.target_scale_, rtol=1e-8)
    quantiles = shared(MLPRegressor, loss=Quantile((0.2, 0.8))).fit(X, Y).predict_quantiles(X)
    assert quantiles.shape == (80, 2, 2)
    assert (quantiles[..., 1] >= quantiles[..., 0]).all()


class Block(torch.nn.Sequential):
    """A hidden part of a user's own."""

    def __init__(self, n_features):
        super().__init__(torch.nn.Linear(n_features, 6), torch.nn.Tanh())


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"norm": "batch"},
        {"norm": BatchNorm(position="after"), "hidden_layer_sizes": (8, 6)},
        {"norm": BatchNorm(position="after"), "topology": "wide"},
        {"norm": LayerNorm(position="after")},
        {"norm": "group", "hidden_layer_sizes": (32,)},
        {"norm": "weight"},
        {"input_scaling": "batch_norm"},
        {"topology": Residual(multiplier=True), "hidden_layer_sizes": (8, 6, 4)},
        {"topology": "wide", "activation": "geglu"},
        {"activation": Prelu()},
        {"dropout": 0.2, "input_dropout": 0.1},
        {"dropout": Dropout(0.2, shared=True)},
        {"dropout": "alpha_dropout", "activation": "selu"},
        {"dropout": "dropconnect"},
        {"augmentation": [Mixup(), "adversarial"]},
        {"augmentation": "input_noise", "label_smoothing": 0.1},
        {"activity_l1": 0.01, "l1": 0.01, "weight_decay": 0.1, "alpha": [0.1, 0.0]},
        {"ema_decay": 0.9, "clip_norm": ClipNorm(0.1, "tensor"), "clip_value": 0.1},
        {"dropout": Scheduled(0.2, "linear"), "weight_decay": Scheduled(0.1, "cosine")},
        {"early_stopping": True},
        {"early_stopping": True, "monitor": "neg_log_loss"},
        {"initializer": "lsuv"},
        {"initializer": "fixup", "topology": "residual", "hidden_layer_sizes": (8,) * 4},
        {"optimizer": "lbfgs"},
        {"optimizer": "muon"},
        {"optimizer": "ftrl"},
        {"dtype": "mixed_bfloat16"},
        {"dtype": "float32"},
        {"learning_rate_init": "range_test"},
        {"batch_size": Accumulated(16, 2), "class_weight": "balanced"},
        {"hidden_layer_sizes": HiddenModule(Block)},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:activation='selu' keeps mean 0:UserWarning")
def test_every_dial_goes_with_it_and_into_files_and_modules(table, parameters):
    X, y = table
    model = shared(**parameters).fit(X, y)
    assert np.isfinite(model.loss_curve_).all()
    probabilities = model.predict_proba(X)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), probabilities)
    with torch.no_grad():
        module = model.to_torch()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(module, probabilities, atol=1e-5)
    # the pass that training sees, without folding
    raw = Fitted(model).outputs(X, lambda net, x: net.raw(x).softmax(-1), fold=False)
    np.testing.assert_allclose(raw, probabilities, atol=1e-6)
    assert model.transform(X).shape == (80, 4 * model.coefs_[-1].shape[0])
    assert len(model.get_feature_names_out()) == 4 * model.coefs_[-1].shape[0]
    assert f"{model.n_parameters_:,}" in model.summary().splitlines()[-1]
    own = 4 * (P + model.coefs_[-1].shape[0] + 3)
    assert any(
        line.startswith("members' own") and f"{own:,}" in line
        for line in model.summary().splitlines()
    )


def test_members_masks_are_independent(table):
    X, y = table
    model = shared(dropout=0.5, input_dropout=0.3).fit(X, y)
    noisy, _ = model.predict_proba(X, n_samples=20, return_std=True)
    assert noisy.shape == (80, 3)
    step_of = spec_of(dropout=0.5)
    step, batch = a_step([step_of])
    for name in ("inputs", "units"):
        step.network.members[name].fill_(1.0)
    step.network.members["bias"].zero_()
    noise = step.gradients.noise
    raw = Evaluator(step.network, step.architecture, noise).raw(batch.x)
    assert (raw[0] - raw[1]).abs().max() > 0.01


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_a_weight_of_two_is_the_row_twice(table, cls):
    X, y = table
    weight = np.where(np.arange(80) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(80), weight.astype(int))
    a = shared(cls, batch_size="full").fit(X, y, sample_weight=weight)
    b = shared(cls, batch_size="full").fit(X[twice], y[twice])
    predict = "predict" if cls is MLPRegressor else "predict_proba"
    np.testing.assert_allclose(getattr(a, predict)(X), getattr(b, predict)(X), rtol=1e-7)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("parameters", [{}, {"norm": "batch", "ema_decay": 0.9}])
def test_short_fits_that_go_on_are_one_long_fit(table, parameters):
    X, y = table
    whole = shared(max_iter=6, tol=0.0, **parameters).fit(X, y)
    parts = shared(max_iter=2, tol=0.0, warm_start=True, **parameters)
    for _ in range(3):
        parts.fit(X, y)
        parts = pickle.loads(pickle.dumps(parts))
    assert np.array_equal(whole.predict_proba(X), parts.predict_proba(X))
    assert whole.loss_curve_ == parts.loss_curve_


def test_going_on_without_what_was_saved_keeps_the_weights(table):
    X, y = table
    model = shared().fit(X, y)
    before = model.predict_proba(X)
    model.set_params(warm_start=True, learning_rate_init=1e-12, max_iter=1).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-8)
    model.partial_fit(X, y)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("n_members", {"n_members": 5}),
        ("ensemble", {"ensemble": "independent"}),
        ("ensemble", {"ensemble": Bagging()}),
    ],
)
def test_going_on_with_other_members_is_refused(table, name, changes):
    model = shared(warm_start=True).fit(*table)
    with pytest.raises(ValueError, match=f"another {name}"):
        model.set_params(**changes).fit(*table)


def test_arrays_of_weights_go_back_and_forth(table):
    X, y = table
    model = shared(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    arrays = model.get_weights()
    others = {name: a + 1.0 for name, a in arrays.items() if not name.startswith("targets.")}
    model.set_weights(arrays | others)
    assert not np.allclose(model.predict_proba(X), before)
    model.set_weights(arrays)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match=r"'members\.bias'"):
        model.set_weights([*model.coefs_, *model.intercepts_])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes=\(\) has none.*ensemble='independent'"),
        ({"constraint": "max_norm"}, r"constraint=MaxNorm.*Set constraint=None"),
        ({"weight_noise": 0.1}, r"weight_noise=0.1.*Set weight_noise=0.0"),
    ],
)
def test_what_has_no_meaning_is_refused(table, parameters, message):
    with pytest.raises(ValueError, match=message):
        shared(**parameters).fit(*table)
    if parameters != {"hidden_layer_sizes": ()}:
        shared(n_members=1, **parameters).fit(*table)  # one member shares with nobody


def test_what_looks_into_one_networks_layers_says_that_there_are_several(table):
    X, _ = table
    model = shared().fit(*table)
    with pytest.raises(ValueError, match=r"layer_statistics.*4 members.*n_members=1"):
        layer_statistics(model, X)


@pytest.mark.parametrize(("sizes", "n_outputs"), [((20, 64, 64), 2), ((8, 64, 64), 1)])
def test_sixteen_members_have_at_most_a_third_more_numbers(sizes, n_outputs):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, sizes[0])), rng.normal(size=(30, n_outputs))
    Y = Y[:, 0] if n_outputs == 1 else Y
    one = MLPRegressor(sizes[1:], max_iter=1).fit(X, Y).n_parameters_
    many = shared(MLPRegressor, hidden_layer_sizes=sizes[1:], n_members=16, max_iter=1).fit(X, Y)
    p, _, h = sizes
    assert many.n_parameters_ == one + 16 * (p + h + n_outputs) - n_outputs
    assert many.n_parameters_ <= 1.3 * one


def test_members_together_are_better_than_their_mean(numbers):
    X, Y = numbers
    model = shared(MLPRegressor, n_members=8, hidden_layer_sizes=(32, 32), max_iter=150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[:50], Y[:50])
    each = model.predict_members(X[50:])
    together = np.mean((each.mean(0) - Y[50:]) ** 2)
    assert together < np.mean((each - Y[50:]) ** 2)
    assert model.score(X[50:], Y[50:]) > 0.5
