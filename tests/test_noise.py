"""Noise while training: dropouts, noise on weights, augmentations; and which rows are drawn."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from ids import without_addresses
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from sklearn_dnn import MLPClassifier, MLPRegressor, _devices
from sklearn_dnn.components import (
    Adversarial,
    AlphaDropout,
    DropConnect,
    Dropout,
    FunctionLoss,
    GaussianDropout,
    Hinge,
    InputNoise,
    LabelNoise,
    LinearCurriculum,
    Mixup,
    TargetNoise,
    TorchLoss,
)

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 60, 3
STILL = {"optimizer": "sgd", "learning_rate_init": 1e-300, "max_iter": 1, "batch_size": "full"}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=2.0, scale=3.0, size=(N, P))
    return X, X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=N)


def make(hidden=(8,), cls=MLPRegressor, **parameters):
    quick = {"learning_rate_init": 0.02, "batch_size": 20, "max_iter": 4, "random_state": 1}
    return cls(hidden, **quick | parameters)


def labels(y, k=3):
    return np.digitize(y, np.quantile(y, np.arange(1, k) / k))


NOISES = [
    {"dropout": 0.4},
    {"dropout": Dropout(0.4, shared=True)},
    {"dropout": GaussianDropout(0.4)},
    {"dropout": AlphaDropout(0.4)},
    {"dropout": DropConnect(0.4)},
    {"input_dropout": 0.4},
    {"weight_noise": 0.4},
]
noises = pytest.mark.parametrize("noise", NOISES, ids=str)


@noises
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_predictions_are_without_noise(table, cls, noise):
    X, y = table
    y = y if cls is MLPRegressor else labels(y)
    model = make(cls=cls, activation="tanh", **noise).fit(X, y)
    h = np.tanh((X - model.input_mean_) / model.input_scale_ @ model.coefs_[0]
                + model.intercepts_[0])  # fmt: skip
    raw = h @ model.coefs_[1] + model.intercepts_[1]
    if cls is MLPRegressor:
        expected = (raw * model.target_scale_ + model.target_mean_)[:, 0]
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10)
    else:
        odds = np.exp(raw)
        np.testing.assert_allclose(
            model.predict_proba(X), odds / odds.sum(1, keepdims=True), rtol=1e-10
        )
    np.testing.assert_allclose(model.transform(X), h, rtol=1e-10)
    # but training had some, from random_state alone
    plain = make(cls=cls, activation="tanh").fit(X, y)
    assert not np.array_equal(plain.coefs_[0], model.coefs_[0])
    np.testing.assert_array_equal(clone(model).fit(X, y).coefs_[0], model.coefs_[0])


OFF = [
    {"dropout": Dropout(0.0)},
    {"dropout": [0.0]},
    {"dropout": Dropout(0.0, shared=True)},
    {"dropout": GaussianDropout(0.0)},
    {"dropout": AlphaDropout(0.0)},
    {"dropout": DropConnect(0.0)},
    {"input_dropout": 0.0, "weight_noise": 0.0},
    {"augmentation": InputNoise(0.0)},
    {"augmentation": InputNoise(0.0, distribution="uniform")},
    {"augmentation": [Adversarial(0.0), Adversarial(clean_share=1.0)]},
    {"augmentation": []},
]


@pytest.mark.parametrize("off", [*OFF, {"augmentation": TargetNoise(0.0)}], ids=str)
def test_none_of_it_is_the_plain_fit_of_numbers(table, off):
    X, y = table
    one, other = make().fit(X, y), make(**off).fit(X, y)
    for a, b in zip(one.get_weights().values(), other.get_weights().values(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "off", [*OFF, {"augmentation": LabelNoise(0.0)}, {"augmentation": Mixup(0.0)}], ids=str
)
@pytest.mark.parametrize("k", [2, 3])
def test_none_of_it_is_the_plain_fit_of_classes(table, off, k):
    X, y = table
    one, other = (make(cls=MLPClassifier, **p).fit(X, labels(y, k)) for p in ({}, off))
    for a, b in zip(one.get_weights().values(), other.get_weights().values(), strict=True):
        if "Mixup" in str(off):  # classes become distributions, whose loss rounds otherwise
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)
        else:
            np.testing.assert_array_equal(a, b)


# Random passes, against the moments of a linear network

RATE = 0.3
FLOOR = -1.0507009873554805 * 1.6732632423543772  # of selu


def moments(model, X, noise):
    """Mean and variance of a linear network's random passes, by hand, in the units of y."""
    x = (X - model.input_mean_) / model.input_scale_
    (W, V), (b, c) = model.coefs_, model.intercepts_
    h, v = x @ W + b, V[:, 0]
    odds = RATE / (1 - RATE)
    mean = h @ v + c
    if noise in {"dropout", "shared", "gaussian"}:
        variance = odds * (h**2) @ v**2
    elif noise == "alpha":
        q = 1 - RATE
        A = (q + FLOOR**2 * q * RATE) ** -0.5
        mean = A * q * h @ v + c
        variance = A**2 * q * RATE * (h - FLOOR) ** 2 @ v**2
    elif noise == "dropconnect":
        variance = odds * (x**2 @ W**2) @ v**2
    elif noise == "input":
        variance = odds * x**2 @ (W @ v) ** 2
    else:  # normal noise on both matrices
        of_h = RATE**2 * (x**2).sum(1)  # variance of each hidden unit
        variance = (v**2).sum() * of_h + RATE**2 * ((h**2).sum(1) + h.shape[1] * of_h)
    scale = model.target_scale_[0]
    return mean * scale + model.target_mean_[0], variance * scale**2


KINDS = {
    "dropout": {"dropout": RATE},
    "shared": {"dropout": Dropout(RATE, shared=True)},
    "gaussian": {"dropout": GaussianDropout(RATE)},
    "alpha": {"dropout": AlphaDropout(RATE)},
    "dropconnect": {"dropout": DropConnect(RATE)},
    "input": {"input_dropout": RATE},
    "weights": {"weight_noise": RATE},
}


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in {"dropout", "weights"} else pytest.param(kind, marks=pytest.mark.slow)
        for kind in KINDS
    ],
)
def test_random_passes_have_the_moments_of_the_noise(table, kind):
    X, y = table
    model = make(activation="identity", **KINDS[kind], max_iter=20).fit(X, y)
    passes = 2500
    mean, deviation = model.predict(X[:12], n_samples=passes, return_std=True)
    expected, variance = moments(model, X[:12], kind)
    if kind != "alpha":  # which keeps mean and variance of selu's units, not of each number
        np.testing.assert_allclose(expected, model.predict(X[:12]), rtol=1e-9)
    error = np.sqrt(variance / passes)
    assert (np.abs(mean - expected) < 4.5 * error).all()
    np.testing.assert_allclose(deviation, np.sqrt(variance), rtol=0.1)


def test_each_layer_has_its_own_rate(table):
    X, y = table
    model = make((6, 5), activation="identity", dropout=[0.0, RATE], max_iter=20).fit(X, y)
    assert [rule["rate"] for rule in model.spec_["dropout"]] == [0.0, RATE]
    h = model.transform(X)
    variance = RATE / (1 - RATE) * h**2 @ model.coefs_[2] ** 2 * model.target_scale_**2
    deviation = model.predict(X, n_samples=2000, return_std=True)[1]
    np.testing.assert_allclose(deviation, np.sqrt(variance)[:, 0], rtol=0.1)
    kinds = make((6, 5), dropout=[DropConnect(0.1), "alpha_dropout"]).fit(X, y).spec_["dropout"]
    assert [kind["component"] for kind in kinds] == ["DropConnect", "AlphaDropout"]
    with pytest.raises(ValueError, match=r"'dropout'.*sequence of 2.*Got 3"):
        make((6, 5), dropout=[0.1, 0.2, 0.3]).fit(X, y)


def test_a_shared_mask_is_one_thinned_network(table):
    X, y = table
    same = np.repeat(X[:1], 30, axis=0)
    shared = make(dropout=Dropout(0.5, shared=True)).fit(X, y)
    own = make(dropout=0.5).fit(X, y)
    assert np.ptp(shared.predict(same, n_samples=1)) == 0
    assert np.ptp(own.predict(same, n_samples=1)) > 0


@pytest.mark.parametrize(
    "noise",
    [
        {"dropout": [Dropout(0.5, shared=True), Dropout(0.3, shared=True)]},
        {"dropout": [DropConnect(0.5), Dropout(0.3, shared=True)]},
        {"weight_noise": 0.4},
        {"weight_noise": 0.4, "dropout": DropConnect(0.5)},
    ],
    ids=str,
)
def test_a_pass_over_many_pieces_is_one_network(table, noise, monkeypatch):
    X, y = table
    small = replace(_devices.KINDS["cpu"], piece_bytes=1)
    monkeypatch.setitem(_devices.KINDS, "cpu", small)  # 64 rows a piece
    same = np.repeat(X[:1], 200, axis=0)
    model = make((16, 16), **noise).fit(X, y)
    one, other = (model.set_params(random_state=i).predict(same, n_samples=1) for i in (0, 1))
    np.testing.assert_allclose(one, one[0], rtol=1e-12)
    assert abs(one[0] - other[0]) > 1e-6
    spread = model.predict(same, n_samples=20, return_std=True)[1]
    assert spread.min() > 0
    np.testing.assert_allclose(spread, spread[0], rtol=1e-9)


def test_rows_draw_for_themselves_in_every_piece(table, monkeypatch):
    X, y = table
    small = replace(_devices.KINDS["cpu"], piece_bytes=1)
    monkeypatch.setitem(_devices.KINDS, "cpu", small)  # 64 rows a piece
    same = np.repeat(X[:1], 192, axis=0)
    rules = [Dropout(0.5, shared=True), GaussianDropout(0.4)]
    found = make((16, 16), dropout=rules).fit(X, y).predict(same, n_samples=1)
    assert len(np.unique(found)) == 192
    rules = [Dropout(0.5), Dropout(0.5, shared=True)]
    found = make((16, 16), dropout=rules).fit(X, y).predict(same, n_samples=1).reshape(3, 64)
    assert (np.abs(found[0] - found[1]) > 1e-9).mean() > 0.9
    assert (np.abs(found[1] - found[2]) > 1e-9).mean() > 0.9


@noises
def test_random_passes_can_be_repeated(table, noise):
    X, y = table
    model = make(**noise).fit(X, y)
    ours = model.predict(X, n_samples=5, return_std=True)
    theirs = pickle.loads(pickle.dumps(model)).predict(X, n_samples=5, return_std=True)
    np.testing.assert_array_equal(ours, theirs)
    other = model.set_params(random_state=2).predict(X, n_samples=5)
    assert not np.array_equal(other, ours[0])
    model.set_params(random_state=np.random.RandomState(0))
    drawn = [model.predict(X, n_samples=5) for _ in range(2)]
    assert not np.array_equal(*drawn)  # an instance goes on


def test_random_passes_leave_the_process_chance_alone(table):
    X, y = table
    model = make(dropout=0.3).fit(X, y)
    state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002 - the process' own
    model.predict(X, n_samples=3)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002 - the process' own


@pytest.mark.parametrize("k", [2, 3])
def test_random_probabilities(table, k):
    X, y = table
    model = make(cls=MLPClassifier, dropout=0.4).fit(X, labels(y, k))
    mean, deviation = model.predict_proba(X, n_samples=50, return_std=True)
    np.testing.assert_allclose(mean.sum(1), 1.0, rtol=1e-6)
    assert deviation.shape == mean.shape == (N, k)
    assert (deviation > 0).all()
    if k == 2:
        np.testing.assert_allclose(deviation[:, 0], deviation[:, 1], rtol=1e-6)


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_without_noise_there_is_nothing_to_sample(table, cls):
    X, y = table
    y = y if cls is MLPRegressor else labels(y)
    method = "predict" if cls is MLPRegressor else "predict_proba"
    # augmentations are no part of the network
    for model in (make(cls=cls), make(cls=cls, augmentation="input_noise")):
        with pytest.raises(ValueError, match=r"trained without any.*dropout"):
            getattr(model.fit(X, y), method)(X, n_samples=3)
    noisy = make(cls=cls, dropout=0.2).fit(X, y)
    for bad in (0, -1, 2.5, True, "3"):
        with pytest.raises(ValueError, match="n_samples must be a positive integer"):
            getattr(noisy, method)(X, n_samples=bad)


# Augmentations: what a function behind them sees


class Spy:
    """An augmentation that changes nothing and keeps what came."""

    def __init__(self):
        self.seen = []

    def __call__(self, x, y, generator):
        self.seen.append((x.numpy().copy(), y.numpy().copy()))
        return x, y


def spied(table, augmentation, cls=MLPRegressor, y=None, **parameters):
    """The single batch of a fit, as it came and as it was learnt from."""
    X, plain = table
    before, after = Spy(), Spy()
    model = make(
        cls=cls,
        augmentation=[before, augmentation, after],
        **{"batch_size": "full", "max_iter": 1, "shuffle": False} | parameters,
    ).fit(X, plain if y is None else y)
    return before.seen[0], after.seen[0], model


def test_a_function_sees_standardised_columns_and_scaled_targets(table):
    X, y = table
    (x, t), _, _ = spied(table, Spy())
    np.testing.assert_allclose(x, (X - X.mean(0)) / X.std(0), rtol=1e-10)
    np.testing.assert_allclose(t[:, 0], (y - y.mean()) / y.std(), rtol=1e-10)
    (_, t), _, _ = spied(table, Spy(), MLPClassifier, labels(y))
    np.testing.assert_array_equal(t, np.eye(3)[labels(y)])


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_input_noise_keeps_targets(table, distribution):
    (x, t), (noisy, kept), _ = spied(table, InputNoise(0.3, distribution))
    np.testing.assert_array_equal(kept, t)
    noise = noisy - x
    assert noise.std() == pytest.approx(0.3, rel=0.2)
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(noise.size)
    assert len(np.unique(noise)) == noise.size


def test_target_noise_keeps_inputs(table):
    (x, t), (kept, noisy), _ = spied(table, TargetNoise(0.3))
    np.testing.assert_array_equal(kept, x)
    assert (noisy - t).std() == pytest.approx(0.3, rel=0.3)


def test_label_noise_keeps_inputs_and_the_likeliest_label(table):
    y = labels(table[1])
    (x, _), (kept, noisy), _ = spied(table, LabelNoise(0.3), MLPClassifier, y)
    np.testing.assert_array_equal(kept, x)
    np.testing.assert_allclose(noisy.sum(1), 1.0)
    np.testing.assert_array_equal(noisy.argmax(1), y)
    assert ((noisy > 0) & (noisy < 1)).all()


def test_mixup_is_between_rows(table):
    y = labels(table[1])
    (x, t), (mixed, shares), _ = spied(table, Mixup(1.0), MLPClassifier, y)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    for row, target in zip(range(N), shares, strict=True):
        # part * own + (1 - part) * partner, with one part for columns and classes
        gaps = mixed[row] - x  # from each candidate
        way = x[row] - x
        part = (gaps * way).sum(1) / np.maximum((way**2).sum(1), 1e-300)
        on_line = np.abs(gaps - part[:, None] * way).max(1) < 1e-9
        between = on_line & (part > -1e-9) & (part < 1 + 1e-9)
        wanted = part[:, None] * t[row] + (1 - part[:, None]) * t
        assert (between & (np.abs(wanted - target).max(1) < 1e-9)).any()


def test_adversarial_rows_go_up_the_loss(table):
    """The twins of a linear model move by epsilon along the sign of (prediction - y) w."""
    X, y = table
    before, after = Spy(), Spy()
    model = MLPRegressor(
        (), augmentation=[before, Adversarial(0.1), after], shuffle=False, random_state=1, **STILL
    ).fit(X, y)
    (x, t), (both, targets) = before.seen[0], after.seen[0]
    np.testing.assert_array_equal(both[:N], x)
    np.testing.assert_array_equal(targets, np.concatenate([t, t]))
    raw = x @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(
        both[N:], x + 0.1 * np.sign((raw - t) * model.coefs_[0].T), rtol=1e-10
    )
    twins = both[N:] @ model.coefs_[0] + model.intercepts_[0]
    halves = [0.5 * np.mean((r - t) ** 2) for r in (raw, twins)]
    assert model.loss_ == pytest.approx(np.mean(halves), rel=1e-4)
    assert halves[1] > halves[0]


def test_augmentations_are_fresh_for_each_batch(table):
    X, y = table
    spy = Spy()
    make(augmentation=[InputNoise(0.3), spy], max_iter=2, shuffle=False).fit(X, y)
    assert len(spy.seen) == 2 * 3
    assert not np.array_equal(spy.seen[0][0], spy.seen[3][0])


def test_noise_on_inputs_is_ridge(table):
    """Bishop (1995), exactly so for a linear model: a penalty of n sigma^2 / 2 on its weights."""
    X, y = table
    Z, t = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    model = MLPRegressor(
        (), augmentation=InputNoise(0.5), optimizer="sgd", learning_rate_init=0.05,
        batch_size="full", max_iter=3000, alpha=0.0, ema_decay=0.999, n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    ridge = Ridge(alpha=N * 0.5**2).fit(Z, t)
    np.testing.assert_allclose(model.coefs_[0][:, 0], ridge.coef_, atol=0.015)
    free = np.linalg.lstsq(Z, t, rcond=None)[0]
    assert np.abs(free - ridge.coef_).max() > 0.05


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("name", ["input_noise", "mixup", "adversarial"])
def test_augmented_fits_learn_and_go_on(table, cls, name):
    X, y = table
    y = y if cls is MLPRegressor else labels(y, 2)
    model = make((20,), cls, augmentation=name, max_iter=60).fit(X, y)
    assert model.score(X, y) > 0.7
    whole = make(cls=cls, augmentation=name).fit(X, y)
    parts = make(cls=cls, augmentation=name)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y)))
    np.testing.assert_array_equal(whole.coefs_[0], parts.coefs_[0])


def test_augmentations_of_other_tasks_are_refused(table):
    X, y = table
    with pytest.raises(ValueError, match=r"LabelNoise\(\) is for"):
        make(augmentation="label_noise").fit(X, y)
    with pytest.raises(ValueError, match=r"TargetNoise\(\) is for"):
        make(cls=MLPClassifier, augmentation="target_noise").fit(X, labels(y))
    with pytest.raises(ValueError, match="may leave the targets"):
        make(augmentation="target_noise", loss="poisson").fit(X, np.exp(y / 5))


def of_an_index(raw, target):
    return -torch.log_softmax(raw, -1).gather(-1, target.unsqueeze(-1)).squeeze(-1)


def of_either(raw, target):
    return torch.nn.functional.cross_entropy(raw, target, reduction="none")


class OfEither(torch.nn.CrossEntropyLoss):
    pass


class OfAnIndex(torch.nn.Module):
    def forward(self, raw, target):
        return of_an_index(raw, target)


class OwnOfEither(torch.nn.Module):
    takes_distributions = True

    def forward(self, raw, target):
        return of_either(raw, target)


OF_AN_INDEX = [Hinge("crammer_singer"), of_an_index, torch.nn.MultiMarginLoss, OfAnIndex]


@pytest.mark.parametrize("augmentation", ["mixup", "label_noise", lambda x, y, _: (x, y)])
@pytest.mark.parametrize("loss", OF_AN_INDEX, ids=without_addresses)
def test_shares_of_classes_need_a_loss_that_takes_them(table, augmentation, loss):
    X, y = table
    model = make(cls=MLPClassifier, loss=loss, augmentation=augmentation)
    with pytest.raises(ValueError, match=r"(?s)augmentation=.*loss=.*log_loss"):
        model.fit(X, labels(y, 3))
    model.set_params(augmentation="input_noise").fit(X, labels(y, 3))


def of_log_odds(raw, target):
    return torch.nn.functional.binary_cross_entropy_with_logits(raw, target, reduction="none")


def test_two_classes_have_shares_anyway(table):
    X, y = table
    make(cls=MLPClassifier, loss=of_log_odds, augmentation="mixup").fit(X, labels(y, 2))
    model = make(cls=MLPClassifier, loss=of_log_odds, augmentation="label_noise")
    with pytest.raises(ValueError, match=r"LabelNoise\(\) needs a loss with labels to smooth"):
        model.fit(X, labels(y, 2))


@pytest.mark.parametrize(
    "loss",
    [
        "hinge",
        FunctionLoss(of_either, takes_distributions=True),
        TorchLoss(OfEither),
        TorchLoss(OwnOfEither),
    ],
    ids=without_addresses,
)
def test_a_loss_of_shares_learns_from_mixed_rows(table, loss):
    X, y = table
    parameters = {"cls": MLPClassifier, "augmentation": "mixup", "max_iter": 60}
    model = make(loss=loss, **parameters).fit(X, labels(y, 3))
    assert model.score(X, labels(y, 3)) > 0.6
    if loss != "hinge":  # all of them are the log loss
        known = make(loss="log_loss", **parameters).fit(X, labels(y, 3))
        np.testing.assert_allclose(model.coefs_[0], known.coefs_[0], rtol=1e-6, atol=1e-8)


# Curricula: which rows are drawn


def drawn_rows(X, curriculum, max_iter=3, **parameters):
    """The rows of each epoch, recognised by their first column."""
    spy = Spy()
    y, difficulty = X[:, 1], np.arange(N)[::-1]  # the last row is the easiest
    make(
        augmentation=spy, curriculum=curriculum, max_iter=max_iter, input_scaling=None,
        batch_size=20, **parameters,
    ).fit(X, y, difficulty=difficulty)  # fmt: skip
    columns = np.concatenate([x[:, 0] for x, _ in spy.seen]).reshape(max_iter, N)
    return [[int(np.flatnonzero(X[:, 0] == value)[0]) for value in epoch] for epoch in columns]


def test_a_function_says_which_rows_are_drawn(table):
    told = []

    def plan(t, rank):
        told.append((t, rank))
        return None if t == 2 else np.where(rank < 0.1 * (t + 1), 1.0, 0.0)

    epochs = drawn_rows(table[0], plan)
    assert [t for t, _ in told] == [0, 1, 2]
    np.testing.assert_allclose(told[0][1], np.arange(N)[::-1] / N)
    assert set(epochs[0]) <= set(range(N - 6, N))
    assert set(epochs[1]) <= set(range(N - 12, N))
    assert not set(epochs[1]) <= set(range(N - 6, N))
    assert sorted(epochs[2]) == list(range(N))


def test_the_easiest_share_grows(table):
    epochs = drawn_rows(table[0], LinearCurriculum(0.25, epochs=2, random_share=0.0))
    assert set(epochs[0]) <= set(range(N - 15, N))
    assert set(epochs[1]) <= set(range(N - 38, N))
    assert not set(epochs[1]) <= set(range(N - 15, N))
    assert sorted(epochs[2]) == list(range(N))


def test_ranks_are_those_among_the_rows_that_train(table):
    X, y = table
    told = []

    def plan(_, rank):
        told.append(rank)

    difficulty = np.arange(N, dtype=float)
    make(curriculum=plan, early_stopping=True, shuffle=False, max_iter=1).fit(
        X, y, difficulty=difficulty
    )
    np.testing.assert_allclose(told[0], np.arange(54) / 54)  # the last tenth judges


def test_difficulty_is_checked(table):
    X, y = table
    model = make(curriculum="linear")
    with pytest.raises(ValueError, match=r"call fit\(X, y, difficulty=...\)"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="difficulty was given, but curriculum=None"):
        make().fit(X, y, difficulty=np.ones(N))
    for bad in (np.ones(N - 1), np.ones((N, 2)), np.full(N, np.nan), np.array(["a"] * N)):
        with pytest.raises(ValueError, match="difficulty"):
            model.fit(X, y, difficulty=bad)
    model.fit(X, y, difficulty=list(range(N)))
    same = make(curriculum="linear").fit(X, y, difficulty=np.exp(np.arange(N) / 9))
    np.testing.assert_array_equal(model.coefs_[0], same.coefs_[0])  # only the order counts


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        (lambda _, rank: np.zeros(len(rank)), "not all 0"),
        (lambda _, rank: -rank, "at least 0"),
        (lambda _, rank: rank[:-1], "one weight a row"),
    ],
)
def test_plans_that_can_not_be_followed(table, plan, match):
    X, y = table
    with pytest.raises(ValueError, match=match):
        make(curriculum=plan).fit(X, y, difficulty=np.arange(N))
