"""Ensembles: members are the networks that each would have been alone, and predict together."""

import copy
import pickle
import warnings
from functools import cache

import numpy as np
import pytest
import torch
from layers import arrays_of_layers
from scipy.special import logit
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV as TheirGridSearchCV

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import TrainingSet
from sklearn_dnn._core.fitting import running
from sklearn_dnn._core.fitting.session import member_rows
from sklearn_dnn._core.specification import machine
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn.callbacks import FunctionCallback, History
from sklearn_dnn.components import (
    Accumulated,
    Bagging,
    BatchNorm,
    ClipNorm,
    EarlyStopping,
    Gaussian,
    HiddenModule,
    Momentum,
    Plain,
    Quantile,
    Residual,
    Scheduled,
)
from sklearn_dnn.inspection import layer_statistics, prune
from sklearn_dnn.model_selection import GridSearchCV
from sklearn_dnn.persistence import TRUSTED_TYPES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
M, N = 4, 90
KINDS = ["regression", "regression2", "binary", "multiclass", "multilabel"]
kinds = pytest.mark.parametrize("kind", KINDS)
CURVES = ("loss", "train_loss", "validation_loss", "validation_score", "learning_rate")


@cache
def data(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4)) * [1, 2, 0.1, 5] + [0, 3, 0, -2]
    signal = (X - X.mean(0)) / X.std(0) @ rng.normal(size=(4, 3)) + rng.normal(size=(N, 3)) / 2
    y = {
        "regression": signal[:, 0],
        "regression2": signal[:, :2] * [1, 30],
        "binary": np.where(signal[:, 0] > 0, "yes", "no"),
        "multiclass": signal.argmax(1),
        "multilabel": (signal > 0).astype(int),
    }[kind]
    return X, y


def model(kind, **parameters):
    cls = MLPRegressor if kind.startswith("regression") else MLPClassifier
    usual = {"hidden_layer_sizes": (6, 5), "activation": "tanh", "max_iter": 6, "batch_size": 16}
    usual |= {"learning_rate_init": 0.02, "random_state": 3, "tol": 0.0, "n_members": M}
    return cls(**usual | parameters)


def singles(monkeypatch, ensemble, *args, **kwargs):
    """Fits of single networks, each with one member's streams, and the split of the first's."""
    seed = ensemble._draw_seed()
    streams = Streams.of_members(seed, ensemble.n_members)
    found = []
    for stream in streams:
        own = Streams(streams[0].split, stream.weights, stream.order, stream.masks, stream.rows)
        with monkeypatch.context() as patch:
            patch.setattr(Streams, "of_members", classmethod(lambda *_, own=own: [own]))
            found.append(clone(ensemble).set_params(n_members=1).fit(*args, **kwargs))
    return found


def assert_members_are(ensemble, alone, rtol=1e-6):
    assert len(ensemble.members_) == len(alone)
    for i, single in enumerate(alone):
        member = ensemble.members_[i]
        assert member["end_reason"] == single.end_reason_
        assert member["n_iter"] == single.n_iter_
        assert member["best_iter"] == single.best_iter_
        for name in CURVES:
            here, there = member["history"][name], single.history_[name]
            if there[0] is None:
                assert here == there
            else:
                np.testing.assert_allclose(here, there, rtol=rtol, atol=1e-9)
        pairs = [*zip(ensemble.coefs_, single.coefs_, strict=True)]
        pairs += zip(ensemble.intercepts_, single.intercepts_, strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours[i], theirs, rtol=rtol, atol=1e-8)


class Dense(torch.nn.Module):
    """A hidden part of the user's."""

    def __init__(self, n_features, width):
        super().__init__()
        self.layer = torch.nn.Linear(n_features, width)

    def forward(self, x):
        return torch.tanh(self.layer(x))


# Members are the networks that they would be alone


def test_the_first_member_has_the_streams_of_a_single_fit():
    many = Streams.of_members(5, 30)
    assert many[:1] == Streams.of_members(5, 1)
    assert many[:7] == Streams.of_members(5, 7)
    words = np.random.SeedSequence(5).generate_state(4, np.uint32)
    first = many[0]
    assert [first.split, first.weights, first.order, first.masks] == words.tolist()
    assert len({s.weights for s in many} | {s.order for s in many}) == 60


VARIANTS = {
    "plain": {},
    "batch_norm": {"norm": "batch"},
    "weight_norm": {"norm": "weight"},
    "learned": {"activation": "prelu", "topology": "residual", "hidden_layer_sizes": (6, 6)},
    "entrance": {"input_scaling": "batch_norm", "topology": "wide", "norm": "rms"},
    "skips": {
        "topology": Residual(multiplier=True, block_size=1),
        "norm": BatchNorm(position="after"),
    },
    "behind": {"norm": BatchNorm(position="after"), "topology": "wide"},
    "auxiliary": {"topology": Plain(auxiliary_weight=0.3), "activation": "swiglu"},
    "early": {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 1},
    "average": {"ema_decay": 0.9, "optimizer": "momentum", "schedule": "one_cycle"},
    "bootstrap": {"ensemble": Bagging(), "early_stopping": True},
    "share": {
        "ensemble": Bagging(0.6, bootstrap=False),
        "initializer": "lsuv",
        "bias_initializer": "prior",
    },
    "scheduled": {
        "optimizer": Momentum(Scheduled(0.9, "momentum_cycle")),
        "weight_decay": Scheduled(0.1, "linear"),
        "clip_norm": ClipNorm(0.3, "tensor"),
        "batch_size": Accumulated(16, 2),
    },
    "lbfgs": {"optimizer": "lbfgs", "batch_size": "auto"},
    "full": {"batch_size": "full", "clip_norm": 0.5, "weight_decay": 0.01},
}


@kinds
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_member_is_the_network_that_it_would_be_alone(kind, variant, monkeypatch):
    X, y = data(kind)
    weight = np.random.default_rng(1).integers(0, 3, N).astype(float)
    ensemble = model(kind, **VARIANTS[variant]).fit(X, y, weight)
    alone = singles(monkeypatch, ensemble, X, y, weight)
    assert_members_are(ensemble, alone)
    if kind.startswith("regression"):
        each = [single.predict(X) for single in alone]
        mean = ensemble.predict(X)
    else:
        each = [single.predict_proba(X) for single in alone]
        mean = ensemble.predict_proba(X)
    np.testing.assert_allclose(ensemble.predict_members(X), each, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(mean, np.mean(each, axis=0), rtol=1e-6, atol=1e-8)


def test_members_differ_and_one_member_is_a_single_fit():
    X, y = data("regression")
    plain = model("regression", n_members=1).fit(X, y)
    ensemble = model("regression").fit(X, y)
    assert ensemble.coefs_[0].shape == (M, 4, 6)
    assert ensemble.intercepts_[0].shape == (M, 6)
    assert plain.coefs_[0].shape == (4, 6)
    np.testing.assert_allclose(ensemble.coefs_[0][0], plain.coefs_[0], rtol=1e-9)
    assert len(np.unique(ensemble.coefs_[0][:, 0, 0])) == M
    assert ensemble.n_parameters_ == M * plain.n_parameters_


def test_members_stop_by_themselves_and_keep_their_best(monkeypatch):
    X, y = data("multiclass")
    ensemble = model(
        "multiclass", early_stopping=True, n_iter_no_change=1, max_iter=60, learning_rate_init=0.1
    ).fit(X, y)
    ends = [member["n_iter"] for member in ensemble.members_]
    assert len(set(ends)) > 1
    assert ensemble.n_iter_ == max(ends) == len(ensemble.loss_curve_)
    assert_members_are(ensemble, singles(monkeypatch, ensemble, X, y))
    for epoch in range(max(ends)):
        there = [m["loss_curve"][epoch] for m in ensemble.members_ if epoch < m["n_iter"]]
        assert ensemble.loss_curve_[epoch] == pytest.approx(np.mean(there))


def test_what_is_given_beside_the_table_is_for_all_members(monkeypatch):
    X, y = data("multiclass")
    rng = np.random.default_rng(4)
    ensemble = model(
        "multiclass",
        class_weight="balanced",
        curriculum="linear",
        ensemble=Bagging(),
        max_iter=12,
    )
    given = {
        "X_val": X[:30] + 0.1,
        "y_val": y[:30],
        "sample_weight_val": rng.random(30),
        "difficulty": rng.random(N),
    }
    ensemble.fit(X, y, **given)
    assert_members_are(ensemble, singles(monkeypatch, ensemble, X, y, **given))


def test_a_scorer_judges_each_member(monkeypatch):
    X, y = data("binary")
    ensemble = model("binary", early_stopping=True, monitor="neg_log_loss", n_iter_no_change=1)
    ensemble.set_params(max_iter=40, learning_rate_init=0.1).fit(X, y)
    assert_members_are(ensemble, singles(monkeypatch, ensemble, X, y))


def test_refit_trains_each_member_for_its_own_best_epochs(monkeypatch):
    X, y = data("regression")
    rule = EarlyStopping(patience=1, refit=True)
    ensemble = model("regression", early_stopping=rule, max_iter=40, learning_rate_init=0.1)
    ensemble.fit(X, y)
    assert len({member["best_iter"] for member in ensemble.members_}) > 1
    assert_members_are(ensemble, singles(monkeypatch, ensemble, X, y))


def test_a_module_of_ones_own(monkeypatch):
    X, y = data("regression")
    hidden = HiddenModule(Dense, width=5)
    ensemble = model("regression", hidden_layer_sizes=hidden, activation="relu").fit(X, y)
    assert_members_are(ensemble, singles(monkeypatch, ensemble, X, y))
    each = ensemble.predict_members(X)
    np.testing.assert_allclose(ensemble.predict(X), each.mean(0))
    np.testing.assert_allclose(each[2], ensemble.member(2).predict(X))


def test_noise_of_members_is_as_of_single_networks():
    X, y = data("regression")
    ensemble = model("regression", dropout=0.4, n_members=150).fit(X, y)
    losses = [member["loss_curve"][-1] for member in ensemble.members_]
    alone = [
        model("regression", dropout=0.4, n_members=1, random_state=i).fit(X, y).loss_
        for i in range(60)
    ]
    error = np.hypot(np.std(losses) / np.sqrt(150), np.std(alone) / np.sqrt(60))
    assert abs(np.mean(losses) - np.mean(alone)) < 4 * error


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_cut_into_stacks_changes_nothing(optimizer, monkeypatch):
    X, y = data("multiclass")
    whole = model("multiclass", n_members=7, optimizer=optimizer).fit(X, y)
    per_member = 4 * (4 * 6 + 6 * 5 + 5 * 3) + 2 * 16 * (4 + 6 + 5 + 3)
    monkeypatch.setattr(machine, "STACK_BYTES", 3 * 8 * per_member)
    seen = (whole.spec_["batch_size"], whole.spec_["dtype"])
    assert machine._at_once((6, 5), (4, 6, 5, 3), *seen) == 3
    cut = clone(whole).fit(X, y)
    for a, b in zip(whole.coefs_, cut.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(whole.loss_curve_, cut.loss_curve_)


# Rows of members


def rows_of(monkeypatch, estimator, X, y, **fit):
    seen = []
    real = running.train

    def spy(specs, progress, training: TrainingSet, *args, **kwargs):
        seen.append(training.rows.numpy().copy())
        return real(specs, progress, training, *args, **kwargs)

    monkeypatch.setattr(running, "train", spy)
    estimator.fit(X, y, **fit)
    return seen[0]


@pytest.mark.parametrize("n_members", [1, M])
def test_rows_that_members_train_on(n_members, monkeypatch):
    X, y = data("regression")

    def rows(**changes):
        return rows_of(monkeypatch, model("regression", n_members=n_members, **changes), X, y)

    assert (rows() == np.arange(N)).all()
    share = rows(ensemble=Bagging(0.5, bootstrap=False))
    assert share.shape == (n_members, N // 2)
    assert all(len(set(member)) == N // 2 for member in share)
    every_one = rows(ensemble=Bagging(bootstrap=False))
    assert (every_one == np.arange(N)).all()
    drawn = rows(ensemble=Bagging())
    assert drawn.shape == (n_members, N)
    assert all(len(set(member)) < N for member in drawn)
    both = rows(ensemble=Bagging(0.3))
    assert both.shape == (n_members, 27)
    for found in (share, drawn, both):
        assert len({tuple(member) for member in found}) == n_members
    held = rows(ensemble=Bagging(), early_stopping=True, validation_fraction=0.2)
    assert held.shape == (n_members, 72)
    assert len(set(held.ravel())) <= 72


def test_rows_of_no_weight_are_not_drawn(monkeypatch):
    X, y = data("regression")
    weight = np.repeat([0.0, 1.0], N // 2)
    bagged = model("regression", ensemble=Bagging())
    found = rows_of(monkeypatch, bagged, X, y, sample_weight=weight)
    assert found.shape == (M, N // 2)
    assert found.min() >= N // 2


def test_a_bootstrap_takes_each_row_about_once():
    drawn = member_rows(np.arange(50), range(4000), Bagging())
    counts = np.bincount(drawn.ravel(), minlength=50) / 4000
    np.testing.assert_allclose(counts, 1.0, atol=0.08)
    share = np.mean([len(set(member)) / 50 for member in drawn])
    assert share == pytest.approx(1 - (1 - 1 / 50) ** 50, abs=0.01)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (Bagging(0.0), "'fraction' parameter of Bagging"),
        (Bagging(1.5), "'fraction' parameter of Bagging"),
        (Bagging(1.5, bootstrap=False), "'fraction' parameter of Bagging"),
        (Bagging("half"), "'fraction' parameter of Bagging"),
        (Bagging(bootstrap="no"), "'bootstrap' parameter of Bagging"),
        (Bagging, r"an instance, not a class: write Bagging\(\)"),
        ("bagging", "'ensemble' parameter"),
    ],
    ids=str,
)
def test_bad_shares_are_refused(bad, match):
    X, y = data("regression")
    with pytest.raises(ValueError, match=match):
        model("regression", ensemble=bad).fit(X, y)


def test_all_rows_drawn_once_are_the_rows_of_independent_members():
    X, y = data("multiclass")
    plain = model("multiclass").fit(X, y)
    once = model("multiclass", ensemble=Bagging(bootstrap=False)).fit(X, y)
    drawn = model("multiclass", ensemble=Bagging()).fit(X, y)
    for ours, theirs, others in zip(once.coefs_, plain.coefs_, drawn.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert not np.allclose(ours, others)
    assert once.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
@pytest.mark.parametrize(
    "space",
    [
        {"ensemble": ["independent", Bagging(), Bagging(bootstrap=False)], "n_members": [1, 3]},
        {"ensemble": ["independent", Bagging(0.5), Bagging(0.5, bootstrap=False)]},
        {"clip_norm": [None, 0.1, ClipNorm(0.1, "tensor"), ClipNorm(0.3)], "n_members": [2]},
        {
            "weight_decay": [0.0, 0.1, Scheduled(0.1, "linear"), Scheduled(0.3, "cosine")],
            "optimizer": [Momentum(0.5), Momentum(Scheduled(0.9, "momentum_cycle"))],
        },
    ],
    ids=["rows", "fewer rows", "clips", "schedules"],
)
def test_a_search_over_them_trains_stacks_and_gives_the_scores_of_each_alone(kind, space, capsys):
    X, y = data(kind)
    network = model(kind, n_members=2, dtype="float64")
    asked = {"cv": 2, "refit": False, "scoring": "r2" if kind == "regression" else "neg_log_loss"}
    theirs = TheirGridSearchCV(network, space, **asked).fit(X, y)
    capsys.readouterr()
    ours = GridSearchCV(network, space, **asked, verbose=2).fit(X, y)
    n_fits = 2 * len(ours.cv_results_["params"])
    assert f"[stacking] {n_fits} of {n_fits} fits trained in stacks" in capsys.readouterr().out
    scores, expected = (s.cv_results_["mean_test_score"] for s in (ours, theirs))
    np.testing.assert_allclose(scores, expected, rtol=1e-7)
    assert len(set(scores.round(9))) > 1


def test_a_search_reaches_the_numbers_of_bags():
    X, y = data("binary")
    space = {"ensemble__fraction": [0.5, 1.0], "ensemble__bootstrap": [True, False]}
    search = GridSearchCV(model("binary", ensemble=Bagging()), space, cv=2).fit(X, y)
    alone = [
        model("binary", ensemble=Bagging(p["ensemble__fraction"], p["ensemble__bootstrap"]))
        for p in search.cv_results_["params"]
    ]
    theirs = TheirGridSearchCV(model("binary"), {"ensemble": [m.ensemble for m in alone]}, cv=2)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        theirs.fit(X, y).cv_results_["mean_test_score"],
        rtol=1e-7,
    )
    with pytest.raises(ValueError, match=r"ensemble='independent'.*ensemble=Bagging\(\)"):
        model("binary").set_params(ensemble__fraction=0.5)


# Going on


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ensemble": Bagging()},
        {"ensemble": Bagging(0.6, bootstrap=False)},
        {"dropout": 0.3},
        {"norm": "batch", "ema_decay": 0.9},
        {"early_stopping": True},
        {"optimizer": "lbfgs", "batch_size": "auto"},
    ],
)
def test_warm_starts_are_one_long_fit(changes):
    X, y = data("multiclass")
    whole = model("multiclass", max_iter=6, **changes).fit(X, y)
    parts = model("multiclass", max_iter=2, warm_start=True, **changes)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.fit(X, y)))
    for a, b in zip(whole.coefs_, parts.coefs_, strict=True):
        assert np.array_equal(a, b)
    assert whole.loss_curve_ == parts.loss_curve_


def test_members_may_go_on_with_rows_of_their_own(monkeypatch):
    X, y = data("regression")
    first = model("regression", warm_start=True, max_iter=2).fit(X, y)
    weights = [w.copy() for w in first.coefs_]
    first.set_params(ensemble=Bagging(0.5, bootstrap=False), learning_rate_init=1e-300)
    rows = rows_of(monkeypatch, first, X, y)
    drawn = model("regression", ensemble=Bagging(0.5, bootstrap=False))
    assert np.array_equal(rows, rows_of(monkeypatch, drawn, X, y))
    for before, after in zip(weights, first.coefs_, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-12)
    assert (rows_of(monkeypatch, first.set_params(ensemble="independent"), X, y) == range(N)).all()
    with pytest.raises(ValueError, match="another ensemble"):
        first.set_params(ensemble="shared").fit(X, y)


def test_partial_fits_are_one_fit():
    X, y = data("regression")
    whole = model("regression", max_iter=3, early_stopping=False).fit(X, y)
    parts = model("regression")
    for _ in range(3):
        parts.partial_fit(X, y)
    for a, b in zip(whole.coefs_, parts.coefs_, strict=True):
        assert np.array_equal(a, b)
    assert (parts.n_iter_, len(parts.loss_curve_)) == (1, 3)


def test_members_that_ended_apart_go_on_each_from_where_it_was(monkeypatch):
    X, y = data("regression")
    changes = {"tol": 0.01, "n_iter_no_change": 1, "max_iter": 30, "learning_rate_init": 0.1}
    ensemble = model("regression", warm_start=True, **changes).fit(X, y)
    ends = [member["n_iter"] for member in ensemble.members_]
    assert len(set(ends)) > 1
    alone = singles(monkeypatch, ensemble, X, y)
    ensemble.set_params(max_iter=2).fit(X, y)
    for single in alone:
        single.set_params(max_iter=2).fit(X, y)
    assert [m["n_iter"] for m in ensemble.members_] == [s.n_iter_ for s in alone]
    assert_members_are(ensemble, alone)


def test_going_on_with_another_number_of_members_is_refused():
    X, y = data("regression")
    fitted = model("regression", warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="another n_members"):
        fitted.set_params(n_members=2).fit(X, y)


def test_partial_fit_after_a_fit_keeps_weights_and_curves():
    X, y = data("regression")
    fitted = model("regression").fit(X, y)
    before = [list(member["loss_curve"]) for member in fitted.members_]
    fitted.partial_fit(X, y)
    assert [m["loss_curve"][:-1] for m in fitted.members_] == before


# Predictions


def test_deviations_are_those_of_the_members():
    X, y = data("regression2")
    fitted = model("regression2").fit(X, y)
    each = fitted.predict_members(X)
    assert each.shape == (M, N, 2)
    mean, deviation = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(mean, each.mean(0))
    np.testing.assert_allclose(deviation, each.std(0))
    np.testing.assert_allclose(mean, fitted.predict(X))


def test_deviations_of_a_gaussian_loss_add_up():
    X, y = data("regression")
    fitted = model("regression", loss="gaussian").fit(X, y)
    parts = [fitted.member(i).predict(X, return_std=True) for i in range(M)]
    means, own = (np.array(part) for part in zip(*parts, strict=True))
    _, deviation = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(deviation, np.sqrt((own**2).mean(0) + means.var(0)))
    quantiles = fitted.predict_quantiles(X, (0.05, 0.5, 0.9))
    for q, found in zip((0.05, 0.5, 0.9), quantiles.T, strict=True):
        np.testing.assert_allclose(norm.cdf(found, means, own).mean(0), q, rtol=1e-7)


def test_quantiles_of_members():
    X, y = data("regression2")
    fitted = model("regression2", n_members=9).fit(X, y)
    found = fitted.predict_quantiles(X)
    expected = np.quantile(fitted.predict_members(X), [0.1, 0.5, 0.9], axis=0)
    np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1))
    assert fitted.predict_quantiles(X, 0.5).shape == (N, 2, 1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        fitted.predict_quantiles(X, (0.1, 1.0))
    by_loss = model("regression", loss=Quantile((0.2, 0.8))).fit(X, y[:, 0])
    each = [by_loss.member(i).predict_quantiles(X) for i in range(M)]
    np.testing.assert_allclose(by_loss.predict_quantiles(X), np.mean(each, axis=0))
    with pytest.raises(ValueError, match="quantiles of its own"):
        by_loss.predict_quantiles(X, 0.5)
    single = model("regression", loss=Gaussian(), n_members=1)
    assert not hasattr(single, "predict_quantiles")


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_classifiers_average_probabilities(kind):
    X, y = data(kind)
    fitted = model(kind, max_iter=3).fit(X, y)
    each = fitted.predict_members(X)
    assert each.shape[:2] == (M, N)
    mean, deviation = fitted.predict_proba(X, return_std=True)
    np.testing.assert_allclose(mean, each.mean(0))
    np.testing.assert_allclose(deviation, each.std(0), atol=1e-12)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(each.mean(0)))
    odds = np.log(mean) if kind == "multiclass" else logit(mean)
    odds = odds[:, 1] if kind == "binary" else odds
    np.testing.assert_allclose(fitted.decision_function(X), odds)
    if kind == "multilabel":
        assert np.array_equal(fitted.predict(X), mean > 0.5)
    else:
        assert np.array_equal(fitted.predict(X), fitted.classes_[mean.argmax(1)])


def test_what_a_single_network_refuses():
    X, y = data("binary")
    single = model("binary", n_members=1).fit(X, y)
    with pytest.raises(ValueError, match="n_members > 1"):
        single.predict_proba(X, return_std=True)
    assert single.predict_members(X).shape == (1, N, 2)
    with pytest.raises(TypeError, match="return_std"):
        model("binary").fit(X, y).predict(X, return_std=True)
    hinge = model("binary", loss="hinge").fit(X, y)
    assert not hasattr(hinge, "predict_members")
    raw = [hinge.member(i).decision_function(X) for i in range(M)]
    np.testing.assert_allclose(hinge.decision_function(X), np.mean(raw, axis=0))
    assert np.array_equal(hinge.predict(X) == "yes", np.mean(raw, axis=0) > 0)


def test_decisions_of_sure_members_are_finite_and_ordered():
    X, y = data("binary")
    fitted = model("binary").fit(X, y)
    fitted.set_weights([array * 50 for array in arrays_of_layers(fitted)])
    decision = fitted.decision_function(X)
    assert np.isfinite(decision).all()
    order = np.argsort(decision)
    assert (np.diff(fitted.predict_proba(X)[order, 1]) >= 0).all()


@pytest.mark.slow
def test_random_passes_are_of_all_members():
    X, y = data("regression")
    fitted = model("regression", dropout=0.4, max_iter=40).fit(X, y)
    mean, deviation = fitted.predict(X, n_samples=400, return_std=True)
    each = [fitted.member(i).predict(X, n_samples=400, return_std=True) for i in range(M)]
    means, own = (np.array(part) for part in zip(*each, strict=True))
    expected = np.sqrt((own**2).mean(0) + means.var(0))
    np.testing.assert_allclose(mean, means.mean(0), atol=4 * own.max() / np.sqrt(400))
    np.testing.assert_allclose(deviation, expected, rtol=0.25)
    binary = data("binary")
    classifier = model("binary", dropout=0.4).fit(*binary)
    p, spread = classifier.predict_proba(X, n_samples=20, return_std=True)
    assert p.shape == spread.shape == (N, 2)
    assert classifier.predict(X, n_samples=20).shape == (N,)


@pytest.mark.parametrize("n_rows", [1, 7, 5000])
@pytest.mark.parametrize("changes", [{}, {"norm": "batch"}, {"topology": "wide", "norm": "layer"}])
def test_pieces_and_threads_change_nothing(n_rows, changes):
    X, y = data("multiclass")
    fitted = model("multiclass", hidden_layer_sizes=(40, 30), n_members=12, **changes).fit(X, y)
    many = np.random.default_rng(2).normal(size=(n_rows, 4))
    each = [fitted.member(i).predict_proba(many) for i in range(12)]
    np.testing.assert_allclose(fitted.predict_members(many), each, rtol=1e-9, atol=1e-12)
    assert fitted.predict_proba(many.astype(np.float32)).dtype == np.float32


@kinds
def test_transform_and_to_torch(kind):
    X, y = data(kind)
    fitted = model(kind).fit(X, y)
    hidden = fitted.transform(X)
    assert hidden.shape == (N, M * 5)
    assert len(fitted.get_feature_names_out()) == M * 5
    np.testing.assert_allclose(hidden[:, 5:10], fitted.member(1).transform(X))
    outputs = fitted.to_torch()(torch.from_numpy(X)).detach().numpy()
    if kind.startswith("regression"):
        np.testing.assert_allclose(outputs.reshape(y.shape), fitted.predict(X))
    else:
        probabilities = fitted.predict_proba(X)
        expected = probabilities[:, 1:] if kind == "binary" else probabilities
        np.testing.assert_allclose(outputs, expected)


# State


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_round_trips(kind):
    X, y = data(kind)
    fitted = model(kind, norm="batch").fit(X, y)
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert np.array_equal(twin.predict(X), fitted.predict(X))
        assert twin.members_ == fitted.members_
    skops = pytest.importorskip("skops.io")
    loaded = skops.loads(skops.dumps(fitted), trusted=TRUSTED_TYPES)
    assert np.array_equal(loaded.predict(X), fitted.predict(X))


@pytest.mark.parametrize("norm_name", [None, "weight", "batch"])
def test_weights_go_in_and_out(norm_name):
    X, y = data("regression")
    fitted = model("regression", norm=norm_name, warm_start=True).fit(X, y)
    twin = model("regression", norm=norm_name, warm_start=True, random_state=8).fit(X, y)
    weights = fitted.get_weights()
    assert weights["layers.0.weight"].shape == (M, 4, 6)
    twin.set_weights(weights)
    np.testing.assert_array_equal(twin.predict(X), fitted.predict(X))
    twin.set_params(learning_rate_init=1e-30, max_iter=1).fit(X, y)
    np.testing.assert_allclose(twin.coefs_[0], fitted.coefs_[0], rtol=1e-9)
    with pytest.raises(ValueError, match="shape"):
        twin.set_weights({name: array[:1] for name, array in weights.items()})
    assert "total of 4 members" in fitted.summary()
    total = fitted.summary().splitlines()[-1]
    assert f"{fitted.n_parameters_:,}" in total


def test_a_member_is_an_estimator(monkeypatch):
    X, y = data("binary")
    ensemble = model("binary", early_stopping=True).fit(X, y)
    for i, single in enumerate(singles(monkeypatch, ensemble, X, y)):
        member = ensemble.member(i)
        np.testing.assert_allclose(member.predict_proba(X), single.predict_proba(X), rtol=1e-6)
        assert member.n_parameters_ == single.n_parameters_
        assert member.best_validation_score_ == pytest.approx(single.best_validation_score_)
        assert {k for k in vars(member) if k.endswith("_")} == {
            k for k in vars(single) if k.endswith("_")
        }
        assert member.n_iter_ == single.n_iter_
    with pytest.raises(ValueError, match="number of a member"):
        ensemble.member(M)


@pytest.mark.parametrize("look", [layer_statistics, lambda e, _: prune(e, 0.5)])
def test_what_looks_into_one_network_says_so(look):
    X, y = data("binary")
    fitted = model("binary").fit(X, y)
    with pytest.raises(ValueError, match=r"est\.member\(0\)"):
        look(fitted, X)
    look(fitted.member(0), X)


# Ends


def test_members_that_diverge_at_once_are_left_out(monkeypatch):
    X, y = data("regression")
    bad = {1, 2}
    real = running.train

    def spoil(specs, progress, *args, **kwargs):
        for i in bad:
            progress[i].theta.fill_(np.nan)
        return real(specs, progress, *args, **kwargs)

    plain = model("regression", warm_start=True).fit(X, y)
    with monkeypatch.context() as patch:
        patch.setattr(running, "train", spoil)
        with pytest.warns(ConvergenceWarning, match="2 of 4 members"):
            fitted = clone(plain).fit(X, y)
    assert len(fitted.members_) == 2
    np.testing.assert_allclose(fitted.coefs_[0], plain.coefs_[0][[0, 3]], rtol=1e-9)
    fitted.fit(X, y)
    plain.fit(X, y)
    np.testing.assert_allclose(fitted.coefs_[0], plain.coefs_[0][[0, 3]], rtol=1e-9)
    bad |= {0, 3}
    monkeypatch.setattr(running, "train", spoil)
    with pytest.raises(ValueError, match="not finite after any epoch"):
        clone(plain).fit(X, y)


def test_max_time_ends_all_members_together(monkeypatch):
    X, y = data("regression")
    monkeypatch.setattr(machine, "STACK_BYTES", 1)
    fitted = model("regression", max_time=0.3, max_iter=10**6, n_iter_no_change=np.inf).fit(X, y)
    ends = [member["n_iter"] for member in fitted.members_]
    assert {member["end_reason"] for member in fitted.members_} == {"time"}
    assert min(ends) > 0
    assert max(ends) - min(ends) <= 1


@pytest.mark.parametrize("optimizer", ["adam", "muon"])  # as one stack, and one by one
def test_an_epoch_of_each_member_takes_the_seconds_of_all(optimizer):
    X, y = data("regression")
    fitted = model("regression", optimizer=optimizer).fit(X, y)
    first, *others = [member["history"]["seconds"] for member in fitted.members_]
    assert all(seconds == first for seconds in others)
    assert fitted.history_["seconds"] == pytest.approx(first)


def test_the_best_epoch_is_that_of_the_member_that_learnt_longest():
    X, y = data("regression")
    fitted = model("regression", early_stopping=True, learning_rate_init=0.3, max_iter=12).fit(X, y)
    best = [member["best_iter"] for member in fitted.members_]
    assert len(set(best)) > 1
    assert fitted.best_iter_ == max(best)


def test_an_interrupt_keeps_every_member():
    X, y = data("regression")

    def interrupt(epoch, *_):
        if epoch == 3:
            raise KeyboardInterrupt

    fitted = model("regression").set_callbacks(FunctionCallback(on_epoch_end=interrupt))
    with pytest.warns(UserWarning, match="interrupted"):
        fitted.fit(X, y)
    assert fitted.end_reason_ == "interrupted"
    assert len(fitted.members_) == M
    assert {m["n_iter"] for m in fitted.members_} == {3}


@pytest.mark.parametrize("stack_bytes", [1, 2**22])
def test_callbacks_see_the_ensemble(stack_bytes, monkeypatch):
    X, y = data("regression")
    monkeypatch.setattr(machine, "STACK_BYTES", stack_bytes)
    history, seen = History(), []
    watch = FunctionCallback(on_epoch_end=lambda *args: seen.append(args[2].predict(X)))
    fitted = model("regression", tol=0.01, n_iter_no_change=1, max_iter=40, learning_rate_init=0.1)
    plain = clone(fitted).fit(X, y)
    fitted.set_callbacks(history, watch).fit(X, y)
    assert len({member["n_iter"] for member in fitted.members_}) > 1
    frame = history.frame()
    assert len(frame) == fitted.n_iter_
    np.testing.assert_allclose(frame["loss"], fitted.loss_curve_)
    # members that have left stand in the copy as they ended
    np.testing.assert_allclose(seen[-1], fitted.predict(X))
    assert not np.allclose(seen[0], seen[-1])
    for a, b in zip(fitted.coefs_, plain.coefs_, strict=True):
        assert np.array_equal(a, b)


def test_lines_are_means_over_members(capsys):
    X, y = data("regression")
    fitted = model("regression", verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == fitted.n_iter_
    assert f"loss = {fitted.loss_curve_[-1]:.8f}" in lines[-1]


def test_range_test_is_shared():
    X, y = data("regression")
    fitted = model("regression", learning_rate_init="range_test").fit(X, y)
    single = model("regression", learning_rate_init="range_test", n_members=1).fit(X, y)
    assert fitted.spec_["learning_rate_init"] == single.spec_["learning_rate_init"]


def test_more_threads_for_more_members():
    wide = {"hidden_layer_sizes": (64, 64), "batch_size": 32, "max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y = data("regression")
        one = model("regression", n_members=1, **wide).fit(X, y)
        many = model("regression", n_members=64, **wide).fit(X, y)
    assert many.spec_["n_threads"] >= one.spec_["n_threads"]
    assert many.spec_["dtype"] == one.spec_["dtype"]
