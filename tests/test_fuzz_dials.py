"""Dials in random company: gradients are slopes, fits can be repeated, gone on with and carried.

Each case draws its parameters from a seed of its own, so that a failure can be seen again. Below
stand cases that such searches found.
"""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_friedman1

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import Batcher, TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.fitting.opening import open_session
from sklearn_dnn._core.fitting.request import Arguments
from sklearn_dnn._core.network.mlp import affine, hidden
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn.components import (
    SGD,
    Accumulated,
    Adam,
    AdamW,
    AlphaDropout,
    Bagging,
    BatchNorm,
    Bounded,
    ClipNorm,
    Cosine,
    DropConnect,
    Dropout,
    EarlyStopping,
    GaussianDropout,
    GroupNorm,
    HiddenModule,
    LayerNorm,
    Linear,
    LinearCurriculum,
    Lookahead,
    Momentum,
    Muon,
    Nesterov,
    Performance,
    Periodic,
    PiecewiseLinear,
    Plain,
    Quantile,
    Residual,
    RMSNorm,
    Scheduled,
    TorchOptimizer,
    Warmup,
    WeightNorm,
    Wide,
)
from sklearn_dnn.components.dropouts import DropoutRule
from sklearn_dnn.components.optimizers import OPTIMIZERS
from sklearn_dnn.inspection import learning_rate_range_test

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:activation='selu'"),
    pytest.mark.filterwarnings("ignore:topology=Residual.* has none:UserWarning"),
]
KINDS = ("regression", "binary", "multiclass", "multilabel")
# differences need a slope everywhere
SMOOTH = [
    "tanh",
    "logistic",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "squareplus",
    "elu",
    "celu",
    "softsign",
    "glu",
    "swiglu",
    "geglu",
    "log_sigmoid",
    "tanhshrink",
    "prelu",
]
STEPWISE = [name for name in OPTIMIZERS if name not in {"lbfgs", "ftrl"}]
# Parameters whose number a schedule may drive, and rules with a momentum that it may drive.
DRIVEN = ("dropout", "input_dropout", "weight_decay", "optimizer")
PLATEAU = Performance(patience=1, threshold=0.5)
WITH_MOMENTUM = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adam": Adam,
    "adamw": lambda number: AdamW(weight_decay=Scheduled(0.05, number.schedule)),
    "muon": Muon,
    "lookahead": lambda number: Lookahead(Adam(number), k=3),
}


class Draw:
    """Random choices from one seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        # of dials that came later, so that they leave the draws of the others as they were
        self.later = np.random.default_rng([seed, 1])
        self.kind = KINDS[seed % 4]

    def one(self, *values):
        return values[self.rng.integers(len(values))]

    def chance(self, p):
        return self.rng.random() < p

    def table(self, n):
        rng = self.rng
        X = rng.normal(size=(n, 3)) * [1, 3, 0.2] + [0, 1, -1]
        y = {
            "regression": rng.gamma(2.0, size=(n, 2)) + 0.1,
            "binary": rng.integers(0, 2, n),
            "multiclass": np.arange(n) % 3,
            "multilabel": rng.integers(0, 2, (n, 3)),
        }[self.kind]
        return X, y, rng.uniform(0.5, 2, n) if self.chance(0.5) else None

    def strengths(self, n):
        return [float(x) for x in self.rng.uniform(0, 1, n + 1)]

    def network(self):
        """What decides the objective."""
        one, chance = self.one, self.chance
        n = int(self.rng.integers(0, 5))
        position = one("before", "after")
        aux = {}
        if n and chance(0.4):
            aux = {"auxiliary_weight": 0.3, "auxiliary_layer": one(None, n)}
        p = {
            "hidden_layer_sizes": tuple(one(2, 4, 6) for _ in range(n)),
            "activation": [one(*SMOOTH) for _ in range(n)] if chance(0.7) else one(*SMOOTH),
            "norm": one(
                None,
                BatchNorm(position=position),
                LayerNorm(position=position),
                RMSNorm(position=position),
                GroupNorm(position=position),
                WeightNorm(),
            ),
            "topology": one(
                Plain(**aux),
                Residual(one(1, 2, 3), multiplier=chance(0.5), wide=chance(0.5), **aux),
                Wide(**aux),
            ),
            "input_scaling": one("standard", None, "batch_norm", LayerNorm()),
            "alpha": one(0.0, 0.5, self.strengths(n)),
            "l1": one(0.0, 0.3, self.strengths(n)),
            "activity_l1": one(0.0, 0.0, 0.2),
            "initializer": one("auto", "lsuv", "orthogonal", "he_normal"),
            "bias_initializer": one(0.0, 0.1, "prior", "normal"),
        }
        if n == 0:
            p["activity_l1"] = 0.0
        embeddings = [None, Periodic(n_frequencies=3, size=2, scale=0.3)]
        if p["input_scaling"] in ("standard", None):
            embeddings += [PiecewiseLinear(n_bins=3, size=2), PiecewiseLinear(n_bins=3, size=None)]
        p["numeric_embedding"] = embeddings[self.later.integers(len(embeddings))]
        return p | (self.targets() if self.kind == "regression" else self.labels())

    def targets(self):
        one, chance = self.one, self.chance
        p = {
            "loss": one(
                *["squared_error", "huber", "log_cosh", "gaussian", "poisson", "gamma", "tweedie"],
                "squared_log_error",
                Quantile((0.2, 0.7)),
            )
        }
        if p["loss"] in {"squared_error", "huber", "log_cosh"} and chance(0.5):
            p["output_activation"] = one("softplus", "exponential", "logistic", "tanh", "elu")
            if p["output_activation"] in {"logistic", "tanh"}:
                p["output_activation"] = Bounded(p["output_activation"], -1.0, 20.0)
        if chance(0.4):
            p["output_weights"] = [0.5, 2.0]
        return p

    def labels(self):
        p = {"loss": self.one("log_loss", "squared_hinge", "focal", "poly1")}
        if p["loss"] != "squared_hinge" and self.chance(0.5):
            p["label_smoothing"] = 0.1
        return p

    def training(self, n_hidden):
        """What decides the way to its minimum."""
        one = self.one
        optimizer = one(*STEPWISE, TorchOptimizer(torch.optim.SGD, momentum=0.9))
        schedules = ("constant", Linear(horizon=3), "exponential", "step", Warmup())
        p = {
            "dropout": one(
                0.0,
                AlphaDropout(0.2),
                GaussianDropout(0.2),
                DropConnect(0.2),
                Dropout(0.2, shared=True),
                [0.1] * n_hidden,
            ),
            "input_dropout": one(0.0, 0.1),
            "weight_noise": one(0.0, 0.05),
            "augmentation": one(None, "mixup", "adversarial", ("input_noise", "adversarial")),
            "optimizer": optimizer,
            "schedule": "constant"
            if optimizer == "rprop"
            else one(*schedules, Performance(patience=1, threshold=0.5)),
            "weight_decay": one(0.0, 0.05),
            "clip_norm": one(None, 0.5, ClipNorm(0.5), ClipNorm(0.1, "tensor")),
            "clip_value": one(None, 0.1),
            "constraint": one(None, "max_norm", "unit_norm", "box"),
            "ema_decay": one(0.0, 0.9),
            "early_stopping": one(
                False,
                True,
                EarlyStopping(patience=50),
                EarlyStopping(patience=50, watch="training"),
            ),
            "batch_size": one(
                8, 16, "full", Accumulated(8, 2), Accumulated(8, 3), Accumulated(16, 2)
            ),
            "learning_rate_init": one(0.01, "auto"),
            "shuffle": one(True, True, False),
            "dtype": one("float64", "float32"),
        }
        return p | {name: self.scheduled(name, p[name]) for name in DRIVEN}

    def scheduled(self, name, value):
        """A parameter's value with a schedule for its number, or as it is."""
        if isinstance(value, list):  # some layers', each by itself
            return [self.scheduled(name, each) for each in value]
        if self.chance(0.5):
            return value
        plans = ("exponential", Cosine(horizon=4), Linear(horizon=3), PLATEAU)
        if name == "optimizer":
            if isinstance(value, TorchOptimizer):
                momentum = Scheduled(value.momentum, self.one(*plans))
                return TorchOptimizer(value.wrapped, momentum=momentum)
            put = WITH_MOMENTUM.get(value)
            return value if put is None else put(Scheduled(0.8, self.one(*plans)))
        if isinstance(value, DropoutRule):
            return clone(value).set_params(rate=Scheduled(value.rate, self.one(*plans)))
        return Scheduled(value, self.one(*plans))


def leave_out_what_is_refused(p):
    if isinstance(p["optimizer"], AdamW):  # which has a decay of its own
        p["weight_decay"] = 0.0
    if isinstance(p["norm"], WeightNorm) and p["hidden_layer_sizes"]:
        p["constraint"] = None


def estimator(kind):
    return MLPRegressor if kind == "regression" else MLPClassifier


# Gradients


def objective_of(step, batch, statistics):
    """What a step descends, written out."""
    spec, a = step.spec, step.architecture
    network = step.layout.network(step.progress.theta, statistics.clone())
    weighted = isinstance(batch.share, torch.Tensor)
    share = batch.share if weighted else torch.full((len(batch.x), 1), batch.share).double()
    outputs = []
    counts = share * batch.total if weighted else None
    top = hidden(batch.x, network, a, training=True, outputs=outputs, counts=counts)
    target = batch.y
    if spec.label_smoothing:
        target = spec.objective.smooth(target, spec.label_smoothing, spec.task.n_outputs)
    raw = [affine(top, network.layers[-1])]
    if spec.n_shared > 1:  # rows of each member in turn
        own = zip(
            top.chunk(spec.n_shared), network.members["units"], network.members["bias"], strict=True
        )
        raw = [(rows * units) @ network.layers[-1].weight + bias for rows, units, bias in own]
        share = torch.cat([share] * spec.n_shared) / spec.n_shared
        target = torch.cat([target] * spec.n_shared)
    values = spec.objective.values(torch.cat(raw), target)
    if network.auxiliary is not None:
        read = outputs[spec.topology.auxiliary_position(a.n_hidden)]
        beside = spec.objective.values(affine(read, network.auxiliary), target)
        values = values + spec.topology.auxiliary_weight * beside
    total = (values * share[:, 0]).sum()
    total = total + sum(spec.activity_l1 * (o.abs() * share).sum() for o in outputs)
    for matrix in step.layout.matrices:
        w = network.trained()[matrix.name]
        alpha, l1 = (
            strength[matrix.owner] if isinstance(strength, tuple) else strength
            for strength in (spec.alpha, spec.l1)
        )
        total = total + (alpha / 2 * w.square().sum() + l1 * w.abs().sum()) / float(batch.total)
    return float(total)


@pytest.mark.parametrize("seed", range(48))
def test_gradient_is_the_slope(seed):
    draw = Draw(seed)
    p = draw.network()
    if seed % 3 == 2 and p["hidden_layer_sizes"]:
        p |= {"n_members": 3, "ensemble": "shared"}
    X, y, w = draw.table(12)
    model = estimator(draw.kind)(
        random_state=seed, batch_size="full", dtype="float64", early_stopping=False, **p
    )
    session = open_session(model._request(), Arguments(X, y, w))
    progress = session.progress[0]
    theta = progress.theta
    generator = torch.Generator().manual_seed(seed)
    theta.add_(torch.randn(theta.shape, generator=generator, dtype=torch.float64), alpha=0.2)
    step = TrainingStep([session.spec], progress)
    batches = Batcher(session.training_set(), 12, shuffle=False, merge_single=False)
    (batch,) = batches.epoch(progress.orders).batches
    statistics = progress.statistics.clone()
    with torch.no_grad():
        step.gradient(batch)
        along = torch.randn(5, *theta.shape, generator=generator, dtype=torch.float64)
        start, h = theta.clone(), 1e-7
        for direction in along:
            theta.copy_(start + h * direction)
            above = objective_of(step, batch, statistics)
            theta.copy_(start - h * direction)
            below = objective_of(step, batch, statistics)
            slope = float((step.grad * direction).sum())
            assert (above - below) / (2 * h) == pytest.approx(slope, rel=1e-5, abs=1e-5)
        theta.copy_(start)
        if not session.spec.activity_l1:  # which a search along a line has no place for
            value, _ = step.objective(batch)
            assert value == pytest.approx(objective_of(step, batch, statistics), rel=1e-6)


# Fits


def process_state():
    keys = np.random.get_state()  # noqa: NPY002 - the process' own is what is looked at
    return (
        torch.get_rng_state().numpy().tobytes(),
        (keys[1].tobytes(), keys[2]),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )


def outputs_of(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def is_slow(seed):
    """Of each kind of ensemble, which the seed decides, some are quick."""
    return 110 <= seed < 140 or seed >= 150


@pytest.mark.parametrize(
    "seed",
    [pytest.param(s, marks=[pytest.mark.slow] if is_slow(s) else []) for s in range(100, 160)],
)
def test_fits_repeat_go_on_and_travel(seed):
    draw = Draw(seed)
    p = draw.network()
    if isinstance(p["activation"], str) and draw.chance(0.3):
        p["activation"] = "rrelu"
    p |= draw.training(len(p["hidden_layer_sizes"]))
    leave_out_what_is_refused(p)
    p |= {"random_state": seed, "n_iter_no_change": 1000, "validation_fraction": 0.25}
    if seed % 3 == 0:
        own_rows = (Bagging(), Bagging(0.6), Bagging(0.6, bootstrap=False), "independent")
        p |= {"n_members": 3, "ensemble": draw.one(*own_rows)}
    if seed >= 140 and p["hidden_layer_sizes"]:
        p |= {"n_members": 3, "ensemble": "shared", "constraint": None, "weight_noise": 0.0}
    X, y, w = draw.table(40)
    before = process_state()

    model = estimator(draw.kind)(max_iter=4, **p).fit(X, y, w)
    found = outputs_of(model, X)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(outputs_of(clone(model).fit(X, y, w), X), found)
    np.testing.assert_array_equal(outputs_of(pickle.loads(pickle.dumps(model)), X), found)

    half = clone(model).set_params(max_iter=2, warm_start=True).fit(X, y, w)
    whole = pickle.loads(pickle.dumps(half)).fit(X, y, w)
    np.testing.assert_array_equal(outputs_of(whole, X), found)
    assert whole.history_["loss"] == model.history_["loss"]

    assert "total" in model.summary()
    assert type(model).__name__ in model._repr_html_()
    there = model.to_torch()(torch.from_numpy(X)).detach().double().numpy()
    if draw.kind == "regression" or hasattr(model, "predict_proba"):
        if draw.kind == "binary":
            there = np.hstack([1 - there, there])
        tolerance = 2e-3 if p["dtype"] == "float32" else 1e-8
        np.testing.assert_allclose(
            there.reshape(found.shape), found, rtol=tolerance, atol=tolerance
        )
    assert process_state() == before


# What the search found

X, Y = make_friedman1(60, random_state=0)
WEIGHTS = np.random.default_rng(0).integers(1, 4, 60).astype(float)
SMALL = {"hidden_layer_sizes": (8, 8), "max_iter": 4, "random_state": 0}


@pytest.mark.parametrize(
    "p", [{"norm": "batch"}, {"norm": "batch", "topology": "wide"}, {"input_scaling": "batch_norm"}]
)
def test_a_weight_is_a_repeated_row_to_batch_norms(p):
    p = SMALL | p | {"batch_size": "full", "shuffle": False}
    weighted = MLPRegressor(**p).fit(X, Y, WEIGHTS)
    again = np.repeat(np.arange(60), WEIGHTS.astype(int))
    repeated = MLPRegressor(**p).fit(X[again], Y[again])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)


@pytest.mark.parametrize("penalty", [{"alpha": 5.0}, {"alpha": 0.0, "l1": 3.0}])
@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_accumulated_steps_are_those_of_larger_batches(penalty, weight):
    common = SMALL | penalty | {"shuffle": False}
    pieces = MLPRegressor(batch_size=Accumulated(10, 3), **common).fit(X, Y, weight)
    whole = MLPRegressor(batch_size=30, **common).fit(X, Y, weight)
    for a, b in zip(pieces.coefs_, whole.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    if weight is None:  # else an epoch's loss divides penalties by a mean weight of batches
        np.testing.assert_allclose(pieces.loss_curve_, whole.loss_curve_, rtol=1e-9)


def test_an_epoch_that_time_ends_before_its_first_step_has_no_norm():
    for clip in (1.0, ClipNorm(1.0, "tensor")):
        model = MLPRegressor(
            clip_norm=clip, batch_size=Accumulated(10, 4), max_time=1e-9, **SMALL
        ).fit(X, Y)
        assert model.history_["gradient_norm"] == [None]
    assert model.end_reason_ == "time"


def test_refit_is_the_fit_on_all_rows_in_their_own_units():
    p = {"hidden_layer_sizes": (8,), "random_state": 0}
    refitted = MLPRegressor(early_stopping=EarlyStopping(refit=True), max_iter=20, **p).fit(X, Y)
    plain = MLPRegressor(early_stopping=False, max_iter=refitted.best_iter_, **p).fit(X, Y)
    np.testing.assert_array_equal(refitted.predict(X), plain.predict(X))
    np.testing.assert_array_equal(refitted.input_mean_, X.mean(0))


def test_refit_keeps_the_rate_that_was_found():
    p = {"early_stopping": EarlyStopping(refit=True), "batch_size": 16, **SMALL}
    found = MLPRegressor(learning_rate_init="range_test", **p).fit(X, Y)
    given = MLPRegressor(learning_rate_init=found.spec_["learning_rate_init"], **p).fit(X, Y)
    np.testing.assert_array_equal(found.predict(X), given.predict(X))


def test_refit_and_warm_start_are_refused_before_training():
    model = MLPRegressor(early_stopping=EarlyStopping(refit=True), warm_start=True, **SMALL)
    with pytest.raises(ValueError, match="warm_start=True"):
        model.fit(X, Y)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    "put",
    [
        lambda schedule: {"optimizer": Momentum(Scheduled(0.9, schedule))},
        lambda schedule: {"dropout": Scheduled(0.2, schedule)},
        lambda schedule: {"dropout": [0.1, Scheduled(0.2, schedule)]},
        lambda schedule: {"input_dropout": Scheduled(0.2, schedule)},
        lambda schedule: {"weight_decay": Scheduled(0.1, schedule)},
    ],
    ids=["momentum", "dropout", "a layer's", "inputs", "weight_decay"],
)
def test_another_driving_schedule_begins_anew(put):
    model = MLPRegressor(warm_start=True, **put("constant"), **SMALL).fit(X, Y)
    model.set_params(**put(Performance(patience=1))).fit(X, Y)
    assert len(model.loss_curve_) == 8


@pytest.mark.parametrize("optimizer", ["lbfgs", "rprop"])
def test_a_rule_without_a_rate_has_no_range_test(optimizer):
    model = MLPRegressor(optimizer=optimizer, learning_rate_init="range_test", **SMALL)
    with pytest.raises(ValueError, match="finds its own step lengths"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match="finds its own step lengths"):
        learning_rate_range_test(model, X, Y)


def test_the_range_test_needs_no_difficulty():
    model = MLPRegressor(curriculum="linear", batch_size=16, **SMALL)
    assert learning_rate_range_test(model, X, Y).suggestion > 0


@pytest.mark.parametrize("constraint", ["max_norm", "unit_norm", "non_negative", "box"])
def test_constraints_leave_norms_alone(constraint):
    model = MLPRegressor(norm="layer", **SMALL).fit(X, Y)
    gains = [norm["weight"].copy() for norm in model.norm_weights_]
    model.set_params(constraint=constraint, warm_start=True, learning_rate_init=1e-15)
    for norm in model.norm_weights_:
        norm["weight"][:] = -3.0
    model.fit(X, Y)
    for norm, gain in zip(model.norm_weights_, gains, strict=True):
        assert norm["weight"].shape == gain.shape
        np.testing.assert_allclose(norm["weight"], -3.0)


def test_members_follow_a_curriculum_to_horizons_of_their_own():
    features = Features(X, Standardiser(None, torch.float64, "cpu"))
    y, difficulty = torch.from_numpy(Y), torch.linspace(0, 1, 60, dtype=torch.float64)
    horizons = [2.0, 4.0, 40.0]
    rows = torch.arange(60).repeat(3, 1)

    def batches(members):
        data = TrainingSet(features, y, None, rows[members], difficulty)
        batcher = Batcher(data, 20, True, False, LinearCurriculum(epochs=None, random_share=0.0))
        orders = [torch.Generator().manual_seed(i) for i in members]
        return batcher.epoch(orders, 4.0, [horizons[i] for i in members])

    together = batches([0, 1, 2]).y
    for i in range(3):
        torch.testing.assert_close(together[i], batches([i]).y)
    assert len(together[0].unique()) == 60  # its plan is over
    assert len(together[2].unique()) < 60


def test_names_in_capitals_are_recognised():
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        MLPRegressor(activation="ReLU").fit(X, Y)


def test_an_auxiliary_output_needs_a_hidden_layer():
    model = MLPRegressor(hidden_layer_sizes=(), topology=Plain(auxiliary_weight=0.3))
    with pytest.raises(ValueError, match="0 hidden layers"):
        model.fit(X, Y)


@pytest.mark.parametrize("scaling", ["standard", "batch_norm"])
def test_lsuv_looks_at_what_training_does(scaling):
    model = MLPRegressor(
        initializer="lsuv", input_scaling=scaling, learning_rate_init=1e-15, **SMALL
    ).fit(1000 * X, Y)
    standard = (X - X.mean(0)) / X.std(0)
    assert (standard @ model.coefs_[0]).std() == pytest.approx(1, abs=0.05)


class Mixed(torch.nn.Module):
    """A learned part, a frozen one, and buffers that are no floating-point numbers."""

    def __init__(self, n_features):
        super().__init__()
        self.learned = torch.nn.Linear(n_features, 6)
        self.frozen = torch.nn.Linear(3, 4)
        for parameter in self.frozen.parameters():
            parameter.requires_grad_(False)
        self.register_buffer("columns", torch.tensor([0, 2, 4]))
        self.register_buffer("mask", torch.tensor([True, False, True, True]))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.calls += 1
        top = torch.tanh(self.learned(x))
        return torch.cat([top, self.frozen(top[:, self.columns]) * self.mask], 1)


def test_modules_keep_frozen_numbers_indices_and_counts():
    short, long = (
        MLPRegressor(hidden_layer_sizes=HiddenModule(Mixed), max_iter=n, random_state=0).fit(X, Y)
        for n in (1, 5)
    )
    before, after = short.extra_weights_, long.extra_weights_
    for name in ("frozen.weight", "frozen.bias", "columns", "mask"):
        np.testing.assert_array_equal(before[f"module.{name}*"], after[f"module.{name}*"])
    assert not np.array_equal(before["module.learned.weight"], after["module.learned.weight"])
    assert (before["module.calls*"], after["module.calls*"]) == (1, 5)
    module = long.to_torch()
    there = module(torch.from_numpy(X)).detach().numpy()[:, 0]
    np.testing.assert_allclose(there, long.predict(X), rtol=1e-4)
    assert math.isfinite(pickle.loads(pickle.dumps(long)).score(X, Y))


class Measuring(torch.nn.Module):
    """Two layers that measure, which torch counts the batches of."""

    def __init__(self, n_features):
        super().__init__()
        self.first = torch.nn.BatchNorm1d(n_features)
        self.dense = torch.nn.Linear(n_features, 6)
        self.second = torch.nn.BatchNorm1d(6, momentum=None)  # a plain mean over all batches

    def forward(self, x):
        return torch.relu(self.second(self.dense(self.first(x))))


def test_modules_may_measure_in_several_places():
    p = SMALL | {"hidden_layer_sizes": HiddenModule(Measuring), "batch_size": 20}
    model = MLPRegressor(learning_rate_init=1e-15, dtype="float64", **p).fit(X, Y)
    extra = model.extra_weights_
    assert extra["module.first.num_batches_tracked*"] == 12
    assert np.isfinite(model.predict(X)).all()
    # batches are normed by themselves, so that their means are the bias
    np.testing.assert_allclose(
        extra["module.second.running_mean*"], extra["module.dense.bias"], atol=1e-9
    )


def test_a_wide_network_without_hidden_layers_as_a_module():
    model = MLPRegressor(hidden_layer_sizes=(), topology="wide", max_iter=3, random_state=0)
    model.fit(X, Y)
    there = model.to_torch()(torch.from_numpy(X)).detach().numpy()[:, 0]
    np.testing.assert_allclose(there, model.predict(X), rtol=1e-9)
