"""Training that goes on: partial_fit, warm_start and pickles in between."""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from layers import arrays_of_layers
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import (
    FTRL,
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
    Cyclic,
    DropConnect,
    Dropout,
    EarlyStopping,
    Exponential,
    FunctionSchedule,
    GaussianDropout,
    InputNoise,
    Linear,
    LinearCurriculum,
    Lookahead,
    MaxNorm,
    Mixup,
    Momentum,
    MomentumCycle,
    Muon,
    Nadam,
    OneCycle,
    Performance,
    Piecewise,
    Plain,
    Prelu,
    Residual,
    Rprop,
    Scheduled,
    TorchOptimizer,
    Warmup,
)
from sklearn_dnn.components.optimizers import OPTIMIZERS

K = 6  # epochs
ESTIMATORS = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])

OPTIMIZER_CASES = [{"optimizer": name} for name in OPTIMIZERS if name != "lbfgs"]
PLATEAU = Performance(reduction=0.5, patience=1, threshold=0.5)


def falling(t, horizon):
    return 1.0 / (1.0 + t + 0.0 * horizon)


CASES = [
    *OPTIMIZER_CASES,
    {"optimizer": Lookahead("momentum", k=4)},
    {"optimizer": Lookahead(Muon(), k=7, alpha=0.3)},
    {"optimizer": TorchOptimizer(torch.optim.Adam, amsgrad=True)},
    {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=0.9)},
    {"optimizer": FTRL(l1=0.5, l2=0.1)},
    {"optimizer": Rprop(), "batch_size": "full"},
    {"optimizer": "adafactor", "l1": 0.01},
    {"optimizer": "lion", "weight_decay": Scheduled(0.3, Linear(horizon=K))},
    {"optimizer": "sgd", "weight_decay": Scheduled(0.3, PLATEAU)},
    {"optimizer": AdamW(weight_decay=Scheduled(0.3, Linear(horizon=K)))},
    {"optimizer": Momentum(Scheduled(0.8, MomentumCycle(0.2, horizon=K)))},
    {"optimizer": Adam(Scheduled(0.9, PLATEAU))},
    {"optimizer": Nadam(Scheduled(0.9, FunctionSchedule(falling)))},
    {"optimizer": Lookahead(Adam(Scheduled(0.9, PLATEAU)), k=4)},
    {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, Linear(horizon=K)))},
    {"optimizer": AdamW(Scheduled(0.9, PLATEAU), weight_decay=Scheduled(0.3, Exponential()))},
    {
        "dropout": Scheduled(0.5, Linear(horizon=K)),
        "input_dropout": Scheduled(0.2, Linear(horizon=K)),
    },
    {"dropout": 0.5, "input_dropout": Scheduled(0.2, PLATEAU)},
    {"dropout": Scheduled(0.5, PLATEAU), "schedule": PLATEAU, "early_stopping": True},
    {"dropout": [Scheduled(0.5, Linear(horizon=K)), Scheduled(0.3, PLATEAU)]},
    {"dropout": [0.3, DropConnect(Scheduled(0.5, Exponential()))]},
    {"schedule": FunctionSchedule(falling)},
    {"schedule": Warmup(Performance(patience=1, threshold=0.5), epochs=2.5)},
    {"schedule": Cyclic(period=2.5)},
    {"batch_size": "full"},
    {"batch_size": Accumulated(16, 4), "ema_decay": 0.8},
    {"clip_norm": ClipNorm(0.1, "tensor"), "constraint": MaxNorm(1.0)},
    {"activity_l1": 0.01, "alpha": [0.1, 0.0, 1.0], "l1": [0.0, 0.01, 0.0]},
    {"topology": Residual(multiplier=True), "hidden_layer_sizes": (6, 6, 6, 6)},
    {"topology": "wide", "activation": "swiglu", "norm": "rms"},
    {"topology": Plain(auxiliary_weight=0.3), "activation": [Prelu(), "rrelu"]},
    {"norm": "weight", "optimizer": "momentum"},
    {"norm": "group", "bias_initializer": "prior", "initializer": "lsuv"},
    {"dropout": [GaussianDropout(0.2), DropConnect(0.2)], "weight_noise": 0.01},
    {"dropout": Dropout(0.3, shared=True)},
    {"augmentation": [InputNoise(0.1), Mixup(0.4)]},
    {"augmentation": "adversarial"},
    {"input_scaling": "batch_norm"},
    {"early_stopping": EarlyStopping(patience=50, start_after=2)},
    {"early_stopping": EarlyStopping(patience=50, watch="training"), "learning_rate_init": 0.5},
    {"early_stopping": EarlyStopping(patience=50, baseline=0.0, restore_best=False)},
    {"optimizer": SGD(momentum=0.9, nesterov=True)},
    {"batch_size": "auto"},
    {"shuffle": False},
    {"dropout": 0.3},
    {"dropout": AlphaDropout(0.2), "activation": "selu"},
    {"norm": "batch"},
    {"norm": BatchNorm(momentum=0.5), "dropout": 0.3},
    {"norm": "layer"},
    {"hidden_layer_sizes": ()},
    {"clip_norm": 0.1, "l1": 0.01, "weight_decay": 0.1},
    {"dtype": "float32"},
    {"input_scaling": None},
    {"early_stopping": True},
    {"early_stopping": True, "shuffle": False},
    {"early_stopping": True, "dropout": 0.3, "norm": "batch"},
    {"early_stopping": True, "learning_rate_init": 1.0},  # so that the best is not the last
    {"schedule": "exponential"},
    {"schedule": "power"},
    {"schedule": Piecewise((2, 4), (1.0, 0.5, 0.1))},
    {"schedule": Performance(patience=1, threshold=0.5)},
    {"schedule": Performance(patience=1, threshold=0.5), "early_stopping": True},
    {"schedule": Cosine(horizon=K)},
    {"schedule": Linear(horizon=3)},
    {"schedule": OneCycle(horizon=K), "optimizer": "momentum"},
]


def named(parameters):
    text = ",".join(f"{k}={v}" for k, v in parameters.items())
    return re.sub(" at 0x[0-9a-f]+", "", text)  # the same in every process


cases = pytest.mark.parametrize("parameters", CASES, ids=named)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=3.0, scale=2.0, size=(90, 4))
    return X, (X[:, 0] + 0.3 * X[:, 1] ** 2 + rng.normal(size=90) > 6).astype(int)


def make(cls, **parameters):
    quick = {
        "hidden_layer_sizes": (7, 5),
        "learning_rate_init": 0.02,
        "batch_size": 16,
        "max_iter": K,
        "n_iter_no_change": 100,
        "random_state": 3,
    }
    return cls(**quick | parameters)


def quietly(fit, *args, **kwargs):
    """Fit, where it is not asked whether that many epochs were enough."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Maximum iterations", ConvergenceWarning)
        return fit(*args, **kwargs)


CURVES = ("loss_curve_", "lr_curve_", "validation_loss_curve_", "validation_scores_")


def assert_same(one, other, X):
    """Two models agree bit for bit in what they know and predict."""
    for name in ("coefs_", "intercepts_"):
        assert all(map(np.array_equal, getattr(one, name), getattr(other, name))), name
    vectors = [
        [*model.norm_weights_, *model.norm_statistics_, model.extra_weights_]
        for model in (one, other)
    ]
    for mine, theirs in zip(*vectors, strict=True):
        assert mine.keys() == theirs.keys()
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)
    for name in (*CURVES, "best_iter_", "t_", "best_loss_", "best_validation_score_"):
        assert getattr(one, name) == getattr(other, name), name
    method = "predict_proba" if isinstance(one, MLPClassifier) else "predict"
    assert np.array_equal(getattr(one, method)(X), getattr(other, method)(X))


# Many calls are one fit


# Each case in one of the two, both in the other: what a parameter keeps knows of no task.
SLOW_CLASSIFIER, SLOW_REGRESSOR = (
    pytest.mark.parametrize("cls", [quick, pytest.param(other, marks=pytest.mark.slow)])
    for quick, other in [(MLPRegressor, MLPClassifier), (MLPClassifier, MLPRegressor)]
)


@SLOW_REGRESSOR
@cases
def test_calls_of_partial_fit_equal_one_fit(data, cls, parameters):
    X, y = data
    whole = quietly(make(cls, **parameters).fit, X, y)
    steps = make(cls, **parameters)
    for _ in range(K):
        steps.partial_fit(X, y)
    assert_same(steps, whole, X)
    # as scikit-learn counts: the epochs of the last call
    assert (whole.n_iter_, steps.n_iter_, len(steps.loss_curve_)) == (K, 1, K)


@SLOW_CLASSIFIER
@pytest.mark.parametrize("parameters", [*CASES, {"optimizer": "lbfgs"}], ids=named)
def test_warm_fits_equal_one_fit(data, cls, parameters):
    X, y = data
    if parameters.get("optimizer") == "lbfgs":
        parameters = {**parameters, "batch_size": "auto"}
    whole = quietly(make(cls, **parameters).fit, X, y)
    steps = make(cls, warm_start=True, **{**parameters, "max_iter": 1})
    for _ in range(K):
        quietly(steps.fit, X, y)
    assert_same(steps, whole, X)


@ESTIMATORS
def test_warm_fits_of_several_epochs_equal_one_fit(data, cls):
    X, y = data
    whole = quietly(make(cls, dropout=0.3, early_stopping=True).fit, X, y)
    steps = make(cls, dropout=0.3, early_stopping=True, warm_start=True)
    for n_epochs in (1, 3, 2):
        quietly(steps.set_params(max_iter=n_epochs).fit, X, y)
    assert_same(steps, whole, X)


@ESTIMATORS
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"dropout": 0.3, "norm": "batch", "early_stopping": True},
        {"optimizer": "nadam", "schedule": Performance(patience=1, threshold=0.5)},
        *({"optimizer": name} for name in ("adafactor", "ftrl", "lion", "muon", "rprop")),
        {"optimizer": Lookahead("momentum", k=4), "ema_decay": 0.9},
        {"optimizer": TorchOptimizer(torch.optim.Adam, amsgrad=True)},
        {"optimizer": Adam(Scheduled(0.9, PLATEAU)), "dropout": Scheduled(0.3, PLATEAU)},
        {"dropout": [Scheduled(0.3, PLATEAU), Scheduled(0.5, Linear(horizon=4))]},
        {"clip_norm": ClipNorm(0.1, "tensor"), "batch_size": Accumulated(8, 3)},
        {"topology": "wide", "activation": ["prelu", "glu"], "augmentation": "mixup"},
    ],
    ids=named,
)
def test_a_pickle_goes_on_as_the_original_would(data, cls, method, parameters):
    X, y = data
    whole = quietly(make(cls, **parameters).fit, X, y)
    steps = make(cls, warm_start=True, **{**parameters, "max_iter": 1})
    for _ in range(K):
        quietly(getattr(steps, method), X, y)
        steps = pickle.loads(pickle.dumps(steps))
    assert_same(steps, whole, X)


@ESTIMATORS
def test_a_pickled_twin_does_not_disturb_the_original(data, cls):
    X, y = data
    model = make(cls, dropout=0.3).partial_fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    for _ in range(3):
        twin.partial_fit(X, y)
    model.partial_fit(X, y)
    alone = make(cls, dropout=0.3).partial_fit(X, y).partial_fit(X, y)
    assert_same(model, alone, X)


@ESTIMATORS
@pytest.mark.parametrize("weighted", [False, True])
def test_validation_set_and_weights_go_on(data, cls, weighted):
    X, y = data
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    weight_val = rng.uniform(0, 2, 30) if weighted else None
    given = {"X_val": X[60:], "y_val": y[60:], "sample_weight_val": weight_val}
    whole = quietly(make(cls).fit, X[:60], y[:60], weight, **given)
    steps, first_only = make(cls), make(cls)
    for i in range(K):
        steps.partial_fit(X[:60], y[:60], weight, **given)
        # the validation set of the first call judges until another one comes
        first_only.partial_fit(X[:60], y[:60], weight, **(given if i == 0 else {}))
    assert_same(steps, whole, X)
    assert_same(first_only, whole, X)


def test_class_weights_go_on(data):
    X, y = data
    whole = quietly(make(MLPClassifier, class_weight={1: 3.0}, early_stopping=True).fit, X, y)
    steps = make(MLPClassifier, class_weight={1: 3.0}, early_stopping=True)
    for _ in range(K):
        steps.partial_fit(X, y)
    assert_same(steps, whole, X)


@ESTIMATORS
def test_best_weights_predict_while_the_last_ones_go_on(data, cls):
    X, y = data
    scores = [1.0, 5.0, 2.0, 3.0, 4.0, 6.0]
    seen = []

    def monitor(estimator, _X, _y):
        seen.append(estimator.coefs_[0].copy())
        return scores[len(seen) - 1]

    model = make(cls, early_stopping=True, monitor=monitor)
    for epoch, best in enumerate([1, 2, 2, 2, 2, 6], start=1):
        model.partial_fit(X, y)
        assert (len(model.loss_curve_), model.best_iter_) == (epoch, best)
        assert np.array_equal(model.coefs_[0], seen[best - 1])
    whole = make(cls, early_stopping=True, monitor=lambda *_: 0.0)
    quietly(whole.fit, X, y)
    assert model.loss_curve_ == whole.loss_curve_


# What partial_fit keeps from its first call


@ESTIMATORS
def test_held_out_rows_stay_held_out(data, cls):
    X, y = data
    model = make(cls, early_stopping=True)
    judged = []
    model.set_params(monitor=lambda _est, X_val, _y: judged.append(np.array(X_val)) or 0.0)
    for _ in range(4):
        model.partial_fit(X, y)
        assert model.spec_["task"]["n_training"] == 81
    assert all(np.array_equal(part, judged[0]) for part in judged)
    # and they have no part in training: other targets there change nothing
    held = np.array([np.flatnonzero((row == X).all(1))[0] for row in judged[0]])
    others = make(cls, early_stopping=True, monitor=lambda *_: 0.0)
    y_other = y.copy()
    if cls is MLPRegressor:
        y_other = y_other + 100.0 * np.isin(np.arange(90), held)
    for _ in range(4):
        others.partial_fit(X, y_other)
    assert others.loss_curve_ == model.loss_curve_


@ESTIMATORS
def test_all_rows_of_another_table_train(data, cls):
    X, y = data
    model = make(cls, early_stopping=True)
    model.partial_fit(X[:50], y[:50])
    assert model.spec_["task"]["n_training"] == 45
    model.partial_fit(X[50:], y[50:])
    assert model.spec_["task"]["n_training"] == 40
    model.partial_fit(X[40:], y[40:])  # of as many rows as the first
    assert model.spec_["task"]["n_training"] == 50
    assert len(model.validation_scores_) == 3
    model.partial_fit(X[:50], y[:50])  # the first table again, with its rows held out
    assert model.spec_["task"]["n_training"] == 45
    assert model.t_ == 45 + 40 + 50 + 45


@ESTIMATORS
def test_chunks_of_a_table_are_its_batches(data, cls):
    X, y = data
    # with the scaling of the whole, which partial_fit takes from its first call
    X = (X - X.mean(0)) / X.std(0)
    y = (y - y.mean()) / y.std() if cls is MLPRegressor else y
    plain = {"input_scaling": None, "batch_size": 30, "shuffle": False}
    if cls is MLPRegressor:
        plain["target_scaling"] = None
    whole = quietly(make(cls, **plain, max_iter=4).fit, X, y)
    chunks = make(cls, **plain)
    first = {"classes": [0, 1]} if cls is MLPClassifier else {}
    for epoch in range(4):
        for start in (0, 30, 60):
            rows = slice(start, start + 30)
            chunks.partial_fit(X[rows], y[rows], **(first if epoch == start == 0 else {}))
    assert all(map(np.array_equal, chunks.coefs_, whole.coefs_))
    assert len(chunks.loss_curve_) == 12
    assert chunks.t_ == whole.t_ == 4 * 90
    assert np.mean(chunks.loss_curve_[:3]) == pytest.approx(whole.loss_curve_[0], rel=1e-3)


@ESTIMATORS
def test_chunks_of_other_sizes(data, cls):
    X, y = data
    model = make(cls, batch_size="auto", learning_rate_init=0.05)
    first = {"classes": [0, 1]} if cls is MLPClassifier else {}
    seen = 0
    for epoch in range(60):
        for start, end in ((0, 50), (50, 51), (51, 90)):
            call = first if epoch == start == 0 else {}
            model.partial_fit(X[start:end], y[start:end], **call)
            seen += end - start
            assert model.t_ == seen
    assert model.score(X, y) > (0.85 if cls is MLPClassifier else 0.5)


@ESTIMATORS
def test_scaling_is_that_of_the_first_call(data, cls):
    X, y = data
    model = make(cls).partial_fit(X[:40], y[:40])
    assert model.input_mean_ == pytest.approx(X[:40].mean(0))
    mean, scale = model.input_mean_.copy(), model.input_scale_.copy()
    units = None if cls is MLPClassifier else (model.target_mean_, model.target_scale_)
    model.partial_fit(1000 + X[40:], y[40:])
    assert np.array_equal(model.input_mean_, mean)
    assert np.array_equal(model.input_scale_, scale)
    if units is not None:
        assert np.array_equal((model.target_mean_, model.target_scale_), units)


def test_classes_are_those_of_the_first_call(data):
    X, y = data
    order = np.argsort(y, kind="stable")
    n_zeros = int(np.sum(y == 0))
    model = make(MLPClassifier, learning_rate_init=0.05)
    zeros, ones = order[:n_zeros], order[n_zeros:]
    model.partial_fit(X[zeros], y[zeros], classes=[0, 1])  # only one of them is there yet
    assert model.classes_.tolist() == [0, 1]
    assert model.predict_proba(X).shape == (90, 2)
    for _ in range(40):
        model.partial_fit(X[ones], y[ones]).partial_fit(X[zeros], y[zeros], classes=[1, 0])
    assert model.score(X, y) > 0.6
    assert model.classes_.tolist() == [0, 1]


def test_three_classes_of_which_two_come_first(data):
    X, _ = data
    labels = np.array(["a", "b", "c"])[np.arange(90) % 3]
    model = make(MLPClassifier, batch_size="auto")
    model.partial_fit(X[:2], labels[:2], classes=["c", "b", "a"])
    model.partial_fit(X, labels)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.coefs_[-1].shape == (5, 3)


@ESTIMATORS
def test_random_state_instances_are_drawn_from_once(data, cls):
    X, y = data
    one = make(cls, random_state=np.random.RandomState(5))
    other = make(cls, random_state=np.random.RandomState(5))
    for _ in range(3):
        one.partial_fit(X, y)
    quietly(other.set_params(max_iter=3).fit, X, y)
    assert_same(one, other, X)


# fit, and then on


@ESTIMATORS
def test_partial_fit_after_fit_goes_on_from_its_weights(data, cls):
    X, y = data
    model = quietly(make(cls, max_iter=30, batch_size="auto").fit, X, y)
    end, curve = [c.copy() for c in model.coefs_], list(model.loss_curve_)
    model.set_params(learning_rate_init=1e-12).partial_fit(X, y)
    assert (model.n_iter_, len(model.loss_curve_)) == (1, 31)
    assert model.loss_curve_[:30] == curve
    assert model.loss_curve_[30] < curve[-1]
    assert all(np.allclose(*pair, atol=1e-9) for pair in zip(model.coefs_, end, strict=True))


# What an optimizer keeps of earlier weights


ANCHORED = ["adam", "ftrl", FTRL(l1=0.01), Lookahead(k=1), Lookahead("ftrl", k=2)]
anchored = pytest.mark.parametrize("optimizer", ANCHORED, ids=str)


def nearly(model, weights):
    pairs = zip(arrays_of_layers(model), weights, strict=True)
    return all(np.allclose(*pair, rtol=0, atol=1e-6) for pair in pairs)


@anchored
def test_an_optimizer_begins_where_an_earlier_fit_ended(data, optimizer):
    X, y = data
    model = quietly(make(MLPClassifier, optimizer=optimizer, norm="layer").fit, X, y)
    end = arrays_of_layers(model)
    model.set_params(learning_rate_init=1e-12).partial_fit(X, y)
    assert nearly(model, end)


@anchored
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_an_optimizer_goes_on_from_weights_that_were_set(data, optimizer, average):
    X, y = data
    short = {"optimizer": optimizer, "learning_rate_init": 1e-8}
    model = make(MLPClassifier, ema_decay=average, **short).partial_fit(X, y)
    given = [np.full_like(w, 0.1) for w in arrays_of_layers(model)]
    model = pickle.loads(pickle.dumps(model.set_weights(given)))
    model.partial_fit(X, y)
    assert nearly(model, given)
    model.set_params(learning_rate_init=0.02).partial_fit(X, y)
    assert not nearly(model, given)


def test_weights_that_were_set_leave_the_moments(data):
    """The first step after is by Adam's moments of before, not by a beginner's."""
    X, y = data
    model = make(MLPRegressor, batch_size="full").partial_fit(X, y)
    steps = []
    for moments_before in (True, False):
        twin = pickle.loads(pickle.dumps(model))
        start = twin.get_weights()
        if moments_before:
            twin.set_weights(start)
        else:
            del twin._progress
        twin.partial_fit(X, y)
        steps.append(twin.coefs_[0] - start["layers.0.weight"])
    rate = 0.02
    np.testing.assert_allclose(np.abs(steps[1]), rate, rtol=1e-3)  # Adam's first step
    goes_on = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
    np.testing.assert_array_equal(steps[0], goes_on.coefs_[0] - model.coefs_[0])


@ESTIMATORS
def test_partial_fit_after_a_warm_fit_is_one_epoch_more(data, cls):
    X, y = data
    parameters = {"dropout": 0.3, "early_stopping": True}
    model = quietly(make(cls, warm_start=True, **parameters, max_iter=K - 1).fit, X, y)
    model.partial_fit(X, y)
    assert_same(model, quietly(make(cls, **parameters).fit, X, y), X)


@ESTIMATORS
def test_a_warm_fit_after_partial_fit_goes_on(data, cls):
    X, y = data
    model = make(cls, dropout=0.3, warm_start=True, max_iter=K - 1).partial_fit(X, y)
    quietly(model.fit, X, y)
    assert_same(model, quietly(make(cls, dropout=0.3).fit, X, y), X)


@ESTIMATORS
def test_cuts_stay_beside_a_schedule_that_begins_anew(data, cls):
    """A schedule without a horizon goes on with its state, whatever another one does."""
    X, y = data
    both = {"schedule": PLATEAU, "dropout": Scheduled(0.2, "linear")}
    model = make(cls, warm_start=True, **both)
    quietly(model.fit, X, y)
    n = model.n_iter_
    quietly(model.fit, X, y)
    rates = model.lr_curve_
    assert rates[n - 1] < rates[0]
    assert rates[n] <= rates[n - 1]
    assert rates[-1] < rates[n]


@ESTIMATORS
def test_a_fit_without_warm_start_begins_anew(data, cls):
    X, y = data
    parameters = {"dropout": 0.3, "early_stopping": True, "norm": "batch"}
    alone = quietly(make(cls, **parameters).fit, X, y)
    again = make(cls, **parameters, hidden_layer_sizes=(3,), optimizer="sgd")
    again.partial_fit(X[:50, :2], y[:50]).partial_fit(X[:50, :2], y[:50])
    again.set_params(hidden_layer_sizes=(7, 5), optimizer="adam")
    assert_same(quietly(again.fit, X, y), alone, X)
    assert_same(quietly(again.fit, X, y), alone, X)
    assert again.n_features_in_ == 4
    assert set(vars(again)) == set(vars(alone))


@ESTIMATORS
def test_a_clone_begins_anew(data, cls):
    X, y = data
    model = make(cls, warm_start=True)
    quietly(model.fit, X, y)
    assert_same(quietly(clone(model).fit, X, y), model, X)


@ESTIMATORS
def test_a_plain_fit_keeps_nothing_to_go_on_with(data, cls):
    X, y = data
    plain = quietly(make(cls).fit, X, y)
    kept = quietly(make(cls, warm_start=True).fit, X, y)
    assert len(pickle.dumps(plain)) < len(pickle.dumps(kept))
    quietly(kept.set_params(warm_start=False).fit, X, y)
    assert set(vars(plain)) == set(vars(kept))


# Warm starts


@ESTIMATORS
def test_each_warm_fit_says_that_it_still_improved(data, cls):
    model = make(cls, warm_start=True, max_iter=2, batch_size="auto", learning_rate_init=1e-3)
    for _ in range(3):
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\)"):
            model.fit(*data)
        assert model.n_iter_ == model.members_[0]["n_iter"] == 2
    assert len(model.loss_curve_) == 6
    assert model.t_ == 6 * len(data[0])


@ESTIMATORS
def test_a_warm_fit_after_patience_trains_again(data, cls):
    X, y = data
    model = make(cls, warm_start=True, tol=10.0, n_iter_no_change=2, max_iter=50).fit(X, y)
    assert model.end_reason_ == "tol"
    n_iter = model.n_iter_
    model.fit(X, y)
    assert (model.n_iter_, len(model.loss_curve_)) == (3, n_iter + 3)


@ESTIMATORS
def test_a_warm_fit_after_an_unbeaten_baseline_may_try_as_long_again(data, cls):
    never = EarlyStopping(baseline=0.0, baseline_patience=2, patience=50)
    model = make(cls, warm_start=True, early_stopping=never, max_iter=50)
    for _ in range(2):
        model.fit(*data)
        assert (model.end_reason_, model.n_iter_) == ("baseline", 3)


def a_cliff(t, horizon):
    return 1e30 if t >= 3 else 1.0 + 0.0 * horizon


@ESTIMATORS
def test_a_warm_fit_after_a_divergence_has_its_patience_again(data, cls):
    parameters = {"optimizer": "sgd", "batch_size": "full", "tol": 1e-3, "n_iter_no_change": 2}
    model = make(cls, warm_start=True, schedule=FunctionSchedule(a_cliff), **parameters)
    with pytest.warns(ConvergenceWarning, match=r"weights of epoch \d are kept"):
        model.fit(*data)
    assert model.end_reason_ == "diverged"
    # the first epoch is the best of these, though the loss was as low before
    model.set_params(schedule="constant", learning_rate_init=1e-9, max_iter=50).fit(*data)
    assert (model.end_reason_, model.n_iter_) == ("tol", 4)


@ESTIMATORS
@pytest.mark.parametrize("schedule", ["cosine", "linear", "one_cycle", Cosine(final_factor=0.1)])
def test_a_schedule_to_the_end_begins_anew_in_each_warm_fit(data, cls, schedule):
    X, y = data
    model = make(cls, schedule=schedule, warm_start=True, max_iter=4).fit(X, y)
    once = list(model.lr_curve_)
    assert len(set(once)) > 1
    model.fit(X, y)
    assert model.lr_curve_ == pytest.approx(once * 2)


def again_and_again(schedule):
    """A schedule that begins anew every four epochs, for one fit of eight."""
    return FunctionSchedule(lambda t, _: schedule.factor(t % 4, 4.0, {}))


def repeated(t, ranks):
    weights = WHOLE.weights(torch.from_numpy(ranks), t % 4, 4.0)
    return None if weights is None else weights.numpy()


WHOLE = LinearCurriculum(epochs=None)
SMALL = {"batch_size": 16}
DECAYED = SMALL | {"optimizer": "adamw"}
DOWN = Linear(final_factor=0.0)
# What begins anew in each warm fit, as it is in one long fit, and what goes on beside it.
BESIDE = {
    "rate": (
        {"schedule": OneCycle()},
        {"schedule": again_and_again(OneCycle())},
        DECAYED | {"weight_decay": Scheduled(0.5, Exponential())},
    ),
    "decay": (
        {"weight_decay": Scheduled(0.5, DOWN)},
        {"weight_decay": Scheduled(0.5, again_and_again(DOWN))},
        DECAYED | {"schedule": Exponential()},
    ),
    "decay of the rule": (
        {"optimizer": AdamW(weight_decay=Scheduled(0.5, DOWN))},
        {"optimizer": AdamW(weight_decay=Scheduled(0.5, again_and_again(DOWN)))},
        SMALL | {"schedule": Exponential()},
    ),
    "momentum": (
        {"optimizer": Momentum(Scheduled(0.8, MomentumCycle()))},
        {"optimizer": Momentum(Scheduled(0.8, again_and_again(MomentumCycle())))},
        SMALL | {"schedule": Exponential(), "curriculum": LinearCurriculum(epochs=6)},
    ),
    "dropout": (
        {"dropout": Scheduled(0.5, DOWN)},
        {"dropout": Scheduled(0.5, again_and_again(DOWN))},
        SMALL | {"optimizer": Momentum(Scheduled(0.8, Exponential()))},
    ),
    "dropout of inputs": (
        {"input_dropout": Scheduled(0.5, DOWN)},
        {"input_dropout": Scheduled(0.5, again_and_again(DOWN))},
        SMALL | {"dropout": Scheduled(0.5, Exponential())},
    ),
    "dropout of a layer": (
        {"dropout": [Scheduled(0.5, DOWN), Scheduled(0.4, Exponential())]},
        {"dropout": [Scheduled(0.5, again_and_again(DOWN)), Scheduled(0.4, Exponential())]},
        SMALL | {"optimizer": Momentum(0.8)},
    ),
    "curriculum": (
        {"curriculum": WHOLE},
        {"curriculum": repeated},
        SMALL
        | {"optimizer": Momentum(Scheduled(0.8, Linear(horizon=6))), "schedule": Exponential()},
    ),
}


@ESTIMATORS
@pytest.mark.parametrize("name", list(BESIDE))
def test_what_ends_with_training_begins_anew_and_all_else_goes_on(data, cls, name):
    X, y = data
    anew, long, beside = BESIDE[name]
    given = {"difficulty": np.abs(X[:, 0])} if "curriculum" in anew | beside else {}
    whole = quietly(make(cls, max_iter=8, **long, **beside).fit, X, y, **given)
    steps = make(cls, max_iter=4, warm_start=True, **anew, **beside)
    for _ in range(2):
        quietly(steps.fit, X, y, **given)
    assert steps.lr_curve_ == pytest.approx(whole.lr_curve_, rel=1e-12)
    assert steps.loss_curve_ == pytest.approx(whole.loss_curve_, rel=1e-9)
    for mine, theirs in zip(steps.coefs_, whole.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


@ESTIMATORS
def test_a_schedule_with_a_horizon_of_its_own_runs_once(data, cls):
    X, y = data
    schedule = Linear(final_factor=0.5, horizon=4)
    model = make(cls, schedule=schedule, warm_start=True, max_iter=4, batch_size="auto")
    quietly(model.fit, X, y)
    quietly(model.fit, X, y)
    factors = np.array(model.lr_curve_) / 0.02
    assert factors == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5, 0.5, 0.5, 0.5])


@ESTIMATORS
def test_over_calls_of_partial_fit_a_schedule_runs_once_and_stays(data, cls):
    X, y = data
    schedule = Linear(final_factor=0.5)
    model = make(cls, schedule=schedule, max_iter=4, batch_size="auto")
    for _ in range(6):
        model.partial_fit(X, y)
    factors = np.array(model.lr_curve_) / 0.02
    assert factors == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5, 0.5])


@ESTIMATORS
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("first", "then"), [("constant", "performance"), ("performance", "cosine"), ("power", "linear")]
)
def test_another_schedule_may_follow(data, cls, method, first, then):
    X, y = data
    model = make(cls, schedule=first, warm_start=True)
    for schedule in (first, then):
        quietly(getattr(model.set_params(schedule=schedule), method), X, y)
    assert len(model.loss_curve_) == (2 * K if method == "fit" else 2)


# Where a schedule may drive a number: the parameters with that number there.
PLACES = {
    "dropout": lambda number: {"dropout": number},
    "rate": lambda number: {"dropout": Dropout(number)},
    "dropout of the first layer": lambda number: {"dropout": [number, 0.3]},
    "dropout of the second layer": lambda number: {"dropout": [0.3, number]},
    "input_dropout": lambda number: {"input_dropout": number},
    "weight_decay": lambda number: {"weight_decay": number},
    "decay of the rule": lambda number: {"optimizer": AdamW(weight_decay=number)},
    "momentum": lambda number: {"optimizer": SGD(number)},
    "beta_1": lambda number: {"optimizer": Adam(number)},
    "momentum within": lambda number: {"optimizer": Lookahead(SGD(number), k=4)},
}
places = pytest.mark.parametrize("put", PLACES.values(), ids=PLACES)


def later(factor):
    """A schedule that is at 1 for three epochs, and at a factor after."""
    return Piecewise((3,), (1.0, factor))


# A number of 0.6 for three epochs, and one of 0.15 for the next three.
CHANGES = {
    "begins": (0.6, Scheduled(0.6, later(0.25))),
    "ends": (Scheduled(0.6, later(0.25)), 0.15),
    "changes its number": (Scheduled(0.6, "constant"), Scheduled(0.15, "constant")),
    "is another one": (Scheduled(0.6, "constant"), Scheduled(0.6, later(0.25))),
    "is no longer there": (0.6, 0.15),
    "begins with its horizon": (0.6, Scheduled(0.3, Linear(final_factor=0.5, horizon=3))),
}


@SLOW_CLASSIFIER
@places
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_schedules_of_numbers_begin_end_and_change_between_calls(data, cls, put, change, method):
    X, y = data
    first, then = map(put, CHANGES[change])
    whole = make(cls, **put(Scheduled(0.6, later(0.25))))
    quietly(whole.fit, X, y)
    steps = make(cls, warm_start=True, max_iter=3, **first)
    for parameters in (first, then):
        steps.set_params(**parameters)
        for _ in range(3 if method == "partial_fit" else 1):
            quietly(getattr(steps, method), X, y)
        steps = pickle.loads(pickle.dumps(steps))
    assert_same(steps, whole, X)


@ESTIMATORS
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_schedule_may_move_to_another_number(data, cls, method):
    X, y = data
    often, seldom = Scheduled(0.4, later(0.5)), 0.2
    whole = make(
        cls, dropout=[often, Scheduled(0.2, later(2.0))], weight_decay=Scheduled(0.3, later(0.5))
    )
    quietly(whole.fit, X, y)
    # 0.4 and 0.2, then 0.2 and 0.4
    first = {"dropout": [Scheduled(0.4, "constant"), seldom], "weight_decay": 0.3}
    then = {
        "dropout": [seldom, Scheduled(0.4, "constant")],
        "weight_decay": Scheduled(0.15, "constant"),
    }
    steps = make(cls, warm_start=True, max_iter=3)
    for parameters in (first, then):
        steps.set_params(**parameters)
        for _ in range(3 if method == "partial_fit" else 1):
            quietly(getattr(steps, method), X, y)
    assert_same(steps, whole, X)
    assert list(steps.spec_["driven"]) == ["weight_decay", "dropout_1"]


@ESTIMATORS
@places
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("constant", "performance"),
        ("performance", "cosine"),
        ("power", "linear"),
        (None, "performance"),
        ("performance", None),
        ("performance", Warmup("performance")),
    ],
    ids=str,
)
def test_another_schedule_of_a_number_may_follow(data, cls, put, method, first, then):
    X, y = data
    model = make(cls, warm_start=True, max_iter=2)
    for schedule in (first, then, first):
        number = 0.5 if schedule is None else Scheduled(0.5, schedule)
        quietly(getattr(model.set_params(**put(number)), method), X, y)
    assert len(model.loss_curve_) == (6 if method == "fit" else 3)
    assert np.isfinite(model.loss_curve_).all()


@ESTIMATORS
def test_cuts_of_a_number_begin_anew_where_the_schedule_moves(data, cls):
    """What a schedule remembers is of the number that it drives."""
    X, y = data
    cut = Performance(reduction=0.01, patience=1, threshold=0.99)  # after each second epoch
    long = Scheduled(0.5, later(1.0))
    model = make(cls, warm_start=True, dropout=[Scheduled(0.5, cut), 0.5])
    quietly(model.fit, X, y)
    kept = pickle.loads(pickle.dumps(model))
    quietly(kept.set_params(max_iter=1).fit, X, y)
    moved = pickle.loads(pickle.dumps(model))
    quietly(moved.set_params(max_iter=1, dropout=[0.5, Scheduled(0.5, cut)]).fit, X, y)
    plain = pickle.loads(pickle.dumps(model))
    quietly(plain.set_params(max_iter=1, dropout=[long, 0.5]).fit, X, y)
    assert_same(moved, plain, X)
    assert kept.loss_curve_[-1] != moved.loss_curve_[-1]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bounds_go_on(data, method):
    X, y = data
    given = {"output_activation": Bounded("tanh", -1.0, 3.0)}
    whole = quietly(make(MLPRegressor, **given).fit, X, y)
    steps = make(MLPRegressor, warm_start=True, max_iter=1, **given)
    for _ in range(K):
        quietly(getattr(steps, method), X, y)
    assert_same(steps, whole, X)


@ESTIMATORS
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_members_go_on_with_the_rows_that_they_drew(data, cls, method):
    X, y = data
    given = {"n_members": 2, "ensemble": Bagging(0.7)}
    whole = quietly(make(cls, **given).fit, X, y)
    steps = make(cls, warm_start=True, max_iter=1, **given)
    for _ in range(K):
        quietly(getattr(steps, method), X, y)
        steps = pickle.loads(pickle.dumps(steps))
    for one, other in zip(steps.members_, whole.members_, strict=True):
        assert one["loss_curve"] == other["loss_curve"]
    for one, other in zip(steps.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@ESTIMATORS
def test_components_of_numbers_may_change_between_warm_fits(data, cls):
    X, y = data
    model = make(cls, warm_start=True, n_members=2, batch_size=Accumulated(8, 2), clip_norm=0.1)
    quietly(model.fit, X, y)
    weights = [c.copy() for c in model.coefs_]
    model.set_params(
        learning_rate_init=1e-12,
        batch_size=30,
        clip_norm=ClipNorm(0.2, "tensor"),
        ensemble=Bagging(0.5),
        dropout=Scheduled(0.2, "linear"),
    )
    quietly(model.fit, X, y)
    assert (model.n_iter_, len(model.loss_curve_)) == (K, 2 * K)
    assert all(np.allclose(*pair, atol=1e-8) for pair in zip(model.coefs_, weights, strict=True))
    assert model.spec_["clip_norm"]["scope"] == "tensor"
    assert (model.spec_["batch_size"], model.spec_["accumulation_steps"]) == (30, 1)
    assert model.spec_["task"]["n_training"] == 45
    quietly(model.set_params(ensemble="independent", clip_norm=None).fit, X, y)
    assert model.spec_["task"]["n_training"] == 90


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Bounded("tanh", -1.0, 3.0), Bounded("tanh", -1.0, 4.0)),
        (Bounded("tanh", -1.0, 3.0), Bounded("logistic", -1.0, 3.0)),
        ("logistic", Bounded("logistic", -1.0, 3.0)),
        (Bounded("logistic", -1.0, 3.0), "identity"),
    ],
    ids=str,
)
def test_warm_fits_keep_their_bounds(data, first, then):
    X, y = data
    model = make(MLPRegressor, warm_start=True, output_activation=first)
    quietly(model.fit, X, y)
    with pytest.raises(ValueError, match=r"another output_activation.*warm_start=False"):
        model.set_params(output_activation=then).fit(X, y)


def test_the_bounds_of_a_function_are_those_of_the_function_itself(data):
    """A network whose output means the same goes on, however that is written."""
    X, y = data
    model = make(MLPRegressor, warm_start=True, output_activation="logistic", max_iter=3)
    quietly(model.fit, X, y)
    quietly(model.set_params(output_activation=Bounded("logistic", 0.0, 1.0)).fit, X, y)
    whole = make(MLPRegressor, output_activation="logistic")
    assert_same(model, quietly(whole.fit, X, y), X)


@ESTIMATORS
def test_members_that_share_stay_together_over_warm_fits(data, cls):
    X, y = data
    model = make(cls, warm_start=True, n_members=2, ensemble="shared")
    quietly(model.fit, X, y)
    with pytest.raises(ValueError, match="another ensemble: it was 'shared' and is 'independent'"):
        model.set_params(ensemble=Bagging()).fit(X, y)


@ESTIMATORS
def test_numbers_may_change_between_warm_fits(data, cls):
    X, y = data
    model = make(cls, warm_start=True, batch_size="auto")
    quietly(model.fit, X, y)
    weights = [c.copy() for c in model.coefs_]
    model.set_params(learning_rate_init=1e-12, alpha=1.0, batch_size=30, dropout=0.5)
    quietly(model.fit, X, y)
    assert (model.n_iter_, len(model.loss_curve_)) == (K, 2 * K)
    assert model.lr_curve_[K:] == pytest.approx([1e-12] * K)
    assert model.spec_["alpha"] == 1.0
    assert all(np.allclose(*pair, atol=1e-8) for pair in zip(model.coefs_, weights, strict=True))


@ESTIMATORS
def test_warm_fits_leave_their_input_alone(data, cls):
    X, y = (a.copy() for a in data)
    model = make(cls, warm_start=True, early_stopping=True)
    for _ in range(2):
        quietly(model.fit, X, y)
    assert np.array_equal(X, data[0])
    assert np.array_equal(y, data[1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fit_after_an_early_stopped_fit_says_that_its_part_is_gone(data):
    X, y = data
    model = MLPClassifier((5,), early_stopping=True, max_iter=3, random_state=0).fit(X, y)
    seen = model.t_
    with pytest.warns(UserWarning, match="validation part of the earlier fit was not kept"):
        model.partial_fit(X, y)
    assert model.spec_["early_stopping"] is False
    assert model.t_ == seen + len(X)
    model.partial_fit(X, y)  # said once


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_another_monitor_begins_anew_to_look_for_the_best(data):
    X, y = data
    model = MLPClassifier((5,), early_stopping=True, warm_start=True, max_iter=5, random_state=0)
    model.set_params(monitor="accuracy").fit(X, y)
    model.set_params(monitor="loss").fit(X, y)
    best = int(np.argmin(model.validation_loss_curve_[5:])) + 6
    assert model.best_iter_ == best


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_another_loss_begins_anew_to_look_for_the_best(data):
    X, y = data
    model = make(MLPRegressor, early_stopping=True, monitor="loss", warm_start=True, max_iter=15)
    model.set_params(loss="squared_error").fit(X, y)
    model.set_params(loss="absolute_error").fit(X, y)
    earlier, later = np.split(np.array(model.validation_loss_curve_), [15])
    assert earlier.min() < later.min()  # which says nothing: they are of two kinds
    assert model.best_iter_ == 16 + int(np.argmin(later))


@ESTIMATORS
def test_another_penalty_begins_anew_to_look_for_the_lowest_loss(data, cls):
    model = make(cls, warm_start=True, n_iter_no_change=2)
    quietly(model.fit, *data)
    quietly(model.set_params(alpha=50.0).fit, *data)
    earlier, later = model.loss_curve_[:K], model.loss_curve_[K:]
    assert min(later) > min(earlier)  # which says nothing: there is more to pay for
    assert (model.end_reason_, model.n_iter_) == ("max_iter", K)
