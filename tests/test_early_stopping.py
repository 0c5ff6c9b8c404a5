"""When a fit ends, why, and which weights it leaves."""

from __future__ import annotations

import math
import signal
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.model_selection import ShuffleSplit
from sklearn.utils.validation import check_is_fitted

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.training.stopping import Patience
from sklearn_dnn.components import EarlyStopping, Piecewise
from sklearn_dnn.components.losses import ElementwiseLoss
from sklearn_dnn.estimators import _base

ESTIMATORS = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
unconverged = pytest.mark.filterwarnings("ignore:Maximum iterations:Warning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    return X, (X[:, 0] + X[:, 1] ** 2 + 0.5 * rng.normal(size=120) > 1).astype(int)


def make(cls, **parameters):
    quick = {
        "hidden_layer_sizes": (6,),
        "learning_rate_init": 0.02,
        "batch_size": 40,
        "max_iter": 6,
        "random_state": 0,
    }
    return cls(**quick | parameters)


class Script:
    """A monitor that gives the scores of a script, and keeps the weights it was shown.

    Parameters
    ----------
    scores : sequence of float
        One an epoch.
    happen : dict of int to callable
        What else happens when an epoch (from 1) is scored.
    """

    def __init__(self, scores, happen=()):
        self.scores = scores
        self.happen = dict(happen)
        self.seen = []

    def __call__(self, estimator, X, y):
        epoch = len(self.seen) + 1
        if epoch in self.happen:
            self.happen[epoch]()
        self.seen.append([w.copy() for w in (*estimator.coefs_, *estimator.intercepts_)])
        return self.scores[epoch - 1]

    def has(self, model, epoch):
        """Whether a model has the weights that it had after an epoch."""
        now = [*model.coefs_, *model.intercepts_]
        return all(map(np.array_equal, now, self.seen[epoch - 1]))


class AtEpoch:
    """A callback of scikit-learn that does something when an epoch (from 1) begins or ends."""

    def __init__(self, epoch, act, hook="end"):
        self.epoch, self.act, self.hook = epoch, act, hook

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if self.hook == "begin" and context.task_name == "epoch":
            self._act(context)

    def on_fit_task_end(self, estimator, context):
        if self.hook == "end" and context.task_name == "epoch":
            return self._act(context)
        return False

    def _act(self, context):
        return self.act() if context.task_id + 1 == self.epoch else False


class Keeper(AtEpoch):
    """Keeps the first layer's weights of each epoch."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            vars(self).setdefault("shown", []).append(fitted_estimator.coefs_[0].copy())


def interrupt():
    raise KeyboardInterrupt


def press_control_c():
    signal.raise_signal(signal.SIGINT)


def stop():
    return True


# Scikit-learn's rule


@pytest.mark.parametrize(
    ("values", "tol", "n_iter_no_change", "end", "best"),
    [
        ([5, 4, 4.5, 4.2, 4.1, 1], 0.0, 2, 5, 2),  # the third idle epoch in a row is too many
        ([5, 4, 4.5, 4.2, 3.9, 4, 4, 4, 9], 0.0, 2, 8, 5),  # an improvement counts anew
        ([5, 4, 4, 4, 4, 4], 0.0, 1, None, 2),  # not above the best is no idleness where tol is 0
        ([5, 4, 4, 4, 4, 4], 0.1, 1, 4, 2),
        ([5, 4.95, 4.9, 4.85], 0.1, 1, 3, 3),  # improvements below tol: idle, yet the best
        ([5, 4.5, 4.0, 3.5], 0.5, 1, None, 4),  # exactly tol counts
        ([1, 2, 3, 4, 5], 0.0, 1, 3, 1),
        ([1, 2, 3, 4, 5], 0.0, math.inf, None, 1),
    ],
)
def test_patience(values, tol, n_iter_no_change, end, best):
    patience = Patience(tol, n_iter_no_change)
    ended = None
    for n_iter, value in enumerate(values, start=1):
        lowest = value < min(values[: n_iter - 1], default=math.inf)
        assert patience.update(value, n_iter) == lowest
        if patience.exhausted:
            ended = n_iter
            break
    assert ended == end
    assert patience.best_iter == best
    assert patience.best == values[best - 1]


def stopping_epoch(values, tol, n_iter_no_change):
    """Scikit-learn's ``_update_no_improvement_count`` over a curve; lower is better."""
    best, idle = math.inf, 0
    for n_iter, value in enumerate(values, start=1):
        idle = idle + 1 if value > best - tol else 0
        best = min(best, value)
        if idle > n_iter_no_change:
            return n_iter
    return None


@ESTIMATORS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_fit_ends_at_the_epoch_of_the_rule(data, cls, early_stopping):
    model = make(
        cls,
        early_stopping=early_stopping,
        max_iter=300,
        tol=1e-3,
        n_iter_no_change=3,
        learning_rate_init=0.05,
    ).fit(*data)
    monitored = model.validation_loss_curve_ if early_stopping else model.loss_curve_
    assert 3 < model.n_iter_ < 300
    assert stopping_epoch(monitored, 1e-3, 3) == model.n_iter_ == len(monitored)
    assert model.best_iter_ == 1 + np.argmin(monitored)
    assert model.end_reason_ == ("patience" if early_stopping else "tol")


@ESTIMATORS
@pytest.mark.parametrize("n_iter_no_change", [1, 2])
def test_a_scripted_fit_ends_where_the_script_says(data, cls, n_iter_no_change):
    script = Script([1, 2, 5, 4, 4, 4, 4, 4])
    model = make(
        cls,
        early_stopping=True,
        monitor=script,
        max_iter=8,
        n_iter_no_change=n_iter_no_change,
    ).fit(*data)
    assert model.n_iter_ == len(script.seen) == 4 + n_iter_no_change
    assert model.best_iter_ == 3
    assert model.end_reason_ == "patience"
    assert model.validation_scores_ == script.scores[: model.n_iter_]
    assert model.best_validation_score_ == 5
    assert script.has(model, 3)


def test_lbfgs_ends_where_the_gradient_vanishes(data):
    X, _ = data
    model = MLPRegressor((), optimizer="lbfgs", tol=1e-6).fit(X, X @ [1.0, -1.0, 2.0, 0.0])
    assert model.end_reason_ == "tol"
    assert model.n_iter_ < 50


# Every end leaves the best weights


@ESTIMATORS
def test_patience_leaves_the_best(data, cls):
    script = Script([1, 3, 2, 2, 2, 2])
    model = make(cls, early_stopping=True, monitor=script, n_iter_no_change=2).fit(*data)
    assert (model.end_reason_, model.n_iter_, model.best_iter_) == ("patience", 5, 2)
    assert script.has(model, 2)


@unconverged
@ESTIMATORS
def test_max_iter_leaves_the_best(data, cls):
    script = Script([1, 2, 5, 4, 3, 2])
    model = make(cls, early_stopping=True, monitor=script).fit(*data)
    assert (model.end_reason_, model.n_iter_, model.best_iter_) == ("max_iter", 6, 3)
    assert script.has(model, 3)


@ESTIMATORS
def test_max_time_leaves_the_best(data, cls):
    script = Script([1, 3, 2, 2, 2, 2], {4: lambda: time.sleep(0.6)})
    model = make(cls, early_stopping=True, monitor=script, max_time=0.5).fit(*data)
    assert (model.end_reason_, model.n_iter_, model.best_iter_) == ("time", 4, 2)
    assert script.has(model, 2)


@ESTIMATORS
def test_a_callback_leaves_the_best(data, cls):
    script = Script([1, 3, 2, 2, 2, 2])
    model = make(cls, early_stopping=True, monitor=script)
    model.set_callbacks(AtEpoch(4, stop)).fit(*data)
    assert (model.end_reason_, model.n_iter_, model.best_iter_) == ("callback", 4, 2)
    assert script.has(model, 2)


@ESTIMATORS
@pytest.mark.parametrize("how", [interrupt, press_control_c])
@pytest.mark.parametrize("where", ["begin", "end"])
def test_an_interrupt_in_a_callback_leaves_the_best(data, cls, how, where):
    script = Script([1, 3, 2, 2, 2, 2])
    model = make(cls, early_stopping=True, monitor=script)
    model.set_callbacks(AtEpoch(4, how, where))
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(*data)
    done = 4 if where == "end" else 3
    assert (model.end_reason_, model.n_iter_, model.best_iter_) == ("interrupted", done, 2)
    assert len(model.loss_curve_) == len(model.validation_scores_) == done
    assert script.has(model, 2)


@ESTIMATORS
@pytest.mark.parametrize("how", [interrupt, press_control_c])
def test_an_interrupt_in_a_scorer_leaves_the_best(data, cls, how):
    script = Script([101, 103, 102, 102, 102, 102], {4: how})
    model = make(cls, early_stopping=True, monitor=script)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(*data)
    assert (model.end_reason_, model.best_iter_) == ("interrupted", 2)
    assert script.has(model, 2)
    assert all(len(curve) == model.n_iter_ for curve in model.history_.values())
    assert model.validation_scores_ == script.scores[: model.n_iter_]


@ESTIMATORS
@pytest.mark.parametrize("how", [interrupt, press_control_c])
def test_an_interrupt_before_the_end_of_the_first_epoch_leaves_nothing(data, cls, how):
    in_a_callback = make(cls).set_callbacks(AtEpoch(1, how, "begin"))
    in_a_scorer = make(cls, early_stopping=True, monitor=Script([1, 2], {1: how}))
    for model in (in_a_callback, in_a_scorer):
        with pytest.raises(KeyboardInterrupt):
            model.fit(*data)
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


def test_an_interrupt_of_partial_fit_comes_out(data):
    script = Script([1, 2], {2: interrupt})
    model = make(MLPClassifier, early_stopping=True, monitor=script).partial_fit(*data)
    before = model.predict_proba(data[0])
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(*data)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(model.predict_proba(data[0]), before)


# From the fourth epoch on the rate is beyond all numbers.
CLIFF = Piecewise(boundaries=(3,), factors=(1.0, 1e305))


@ESTIMATORS
def test_divergence_leaves_the_best(data, cls):
    script = Script([1, 3, 2, 2, 2, 2])
    model = make(cls, early_stopping=True, monitor=script, schedule=CLIFF)
    with pytest.warns(ConvergenceWarning, match=r"after epoch 4.*of epoch 2 .*learning_rate_init"):
        model.fit(*data)
    assert (model.end_reason_, model.n_iter_, model.best_iter_) == ("diverged", 4, 2)
    assert script.has(model, 2)


@ESTIMATORS
@pytest.mark.parametrize(
    ("monitor", "early_stopping"), [("loss", False), ("loss", True), ("named", True)]
)
def test_divergence_rolls_back(data, cls, monitor, early_stopping):
    if monitor == "named":
        monitor = "neg_log_loss" if cls is MLPClassifier else "r2"
    model = make(cls, early_stopping=early_stopping, monitor=monitor, schedule=CLIFF)
    with pytest.warns(ConvergenceWarning, match="no longer finite"):
        model.fit(*data)
    assert model.end_reason_ == "diverged"
    alone = make(cls, early_stopping=early_stopping, monitor=monitor, max_iter=model.best_iter_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone.fit(*data)
    assert 1 <= model.best_iter_ <= 3
    assert all(map(np.array_equal, model.coefs_, alone.coefs_))


@ESTIMATORS
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam", "adagrad", "nadam"])
@pytest.mark.parametrize("rate", [1e6, 1e160, 1e307])
@pytest.mark.parametrize("batch_size", ["auto", 10])
def test_no_rate_leaves_weights_that_are_not_finite(data, cls, optimizer, rate, batch_size):
    X, y = data
    model = make(
        cls,
        optimizer=optimizer,
        learning_rate_init=rate,
        batch_size=batch_size,
        alpha=0,
        input_scaling=None,
    )
    ways_out = ("learning_rate_init", "clip_norm=1.0", "input_scaling='standard'")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            model.fit(100 * X, y)
        except ValueError as error:
            refusal = str(error)
        else:
            refusal = None
    if refusal is not None:
        assert all(part in refusal for part in ("not finite", *ways_out))
        return
    assert all(np.isfinite(w).all() for w in (*model.coefs_, *model.intercepts_))
    if model.end_reason_ == "diverged":
        (warning,) = [w for w in told if "networks train badly on such" not in str(w.message)]
        assert issubclass(warning.category, ConvergenceWarning)
        assert all(way_out in str(warning.message) for way_out in ways_out)


@unconverged
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_after_divergence_at_a_lower_rate(data, method):
    def go_on(model):
        return getattr(model, method)(*data)

    model = go_on(make(MLPClassifier, warm_start=True))
    good = model.loss_
    model.set_params(learning_rate_init=1e200)
    with pytest.warns(ConvergenceWarning, match="learning_rate_init"):
        go_on(model)
    assert model.end_reason_ == "diverged"
    model.set_params(learning_rate_init=0.01)
    for _ in range(5):
        go_on(model)
        assert model.end_reason_ != "diverged"
    assert model.loss_ < good


# What judges


@unconverged
@pytest.mark.parametrize(("n_rows", "is_on"), [(10_000, False), (10_001, True)])
def test_auto_goes_by_the_number_of_rows(n_rows, is_on):
    X = np.linspace(0, 1, n_rows).reshape(-1, 1)
    model = make(MLPRegressor, max_iter=1, batch_size=5000).fit(X, X[:, 0])
    assert model.spec_["early_stopping"] is is_on
    assert (model.validation_scores_ is not None) is is_on
    assert model.spec_["task"]["n_training"] == (9000 if is_on else n_rows)


@unconverged
def test_auto_counts_rows_of_positive_weight():
    X = np.linspace(0, 1, 10_001).reshape(-1, 1)
    weight = np.ones(10_001)
    weight[17] = 0
    model = make(MLPRegressor, max_iter=1, batch_size=5000).fit(X, X[:, 0], sample_weight=weight)
    assert model.spec_["early_stopping"] is False


@unconverged
@ESTIMATORS
def test_auto_is_on_with_a_validation_set(data, cls):
    X, y = data
    model = make(cls).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    assert model.spec_["early_stopping"] is True
    assert model.spec_["task"]["n_training"] == 80
    assert model.best_loss_ is None


@unconverged
@ESTIMATORS
def test_a_validation_set_without_early_stopping_only_watches(data, cls):
    X, y = data
    watched = make(cls, early_stopping=False, max_iter=20).fit(
        X[:80], y[:80], X_val=X[80:], y_val=y[80:]
    )
    alone = make(cls, early_stopping=False, max_iter=20).fit(X[:80], y[:80])
    assert len(watched.validation_loss_curve_) == watched.n_iter_
    assert watched.loss_curve_ == alone.loss_curve_
    assert all(map(np.array_equal, watched.coefs_, alone.coefs_))


@unconverged
@ESTIMATORS
def test_curves_and_scores_are_those_of_the_validation_set(data, cls):
    X, y = data
    X_val, y_val = X[80:], y[80:]
    model = make(cls, max_iter=30, learning_rate_init=0.1)
    model.fit(X[:80], y[:80], X_val=X_val, y_val=y_val)
    n = model.n_iter_
    assert len(model.loss_curve_) == len(model.lr_curve_) == n
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == n
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    assert model.loss_ == model.loss_curve_[-1]
    best = model.best_iter_ - 1
    assert model.validation_loss_curve_[best] == min(model.validation_loss_curve_)
    if cls is MLPClassifier:
        loss = log_loss(y_val, model.predict_proba(X_val))
        score = accuracy_score(y_val, model.predict(X_val))
    else:
        units = model.target_scale_[0] ** 2
        loss = mean_squared_error(y_val, model.predict(X_val)) / 2 / units
        score = r2_score(y_val, model.predict(X_val))
    assert model.validation_loss_curve_[best] == pytest.approx(loss)
    assert model.validation_scores_[best] == pytest.approx(score)


@unconverged
@ESTIMATORS
def test_without_a_validation_part_there_are_no_validation_curves(data, cls):
    model = make(cls).fit(*data)
    assert model.validation_loss_curve_ is None
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.best_loss_ == min(model.loss_curve_)


@unconverged
@ESTIMATORS
def test_weights_of_the_validation_set_count(data, cls):
    X, y = data
    X_val, y_val = X[80:], y[80:]
    weight = np.r_[np.zeros(10), np.ones(20), np.full(10, 2.0)]
    rows = np.repeat(np.arange(40), weight.astype(int))
    for monitor in ("loss", "accuracy" if cls is MLPClassifier else "r2"):
        weighted = make(cls, monitor=monitor).fit(
            X[:80], y[:80], X_val=X_val, y_val=y_val, sample_weight_val=weight
        )
        repeated = make(cls, monitor=monitor).fit(
            X[:80], y[:80], X_val=X_val[rows], y_val=y_val[rows]
        )
        unweighted = make(cls, monitor=monitor).fit(X[:80], y[:80], X_val=X_val, y_val=y_val)
        for curve in ("validation_loss_curve_", "validation_scores_"):
            assert getattr(weighted, curve) == pytest.approx(getattr(repeated, curve))
            assert getattr(weighted, curve) != pytest.approx(getattr(unweighted, curve))


class Listener:
    """A monitor that keeps what it is asked to judge on, with the score as it is."""

    def __call__(self, estimator, X, y):
        self.X, self.y = np.array(X), np.array(y)
        return 0.0


@unconverged
def test_the_validation_part_is_stratified():
    rng = np.random.default_rng(0)
    X = np.arange(200.0).reshape(-1, 1)
    y = rng.permutation(np.repeat(["a", "b", "c"], [20, 60, 120]))
    listener = Listener()
    make(MLPClassifier, early_stopping=True, monitor=listener, validation_fraction=0.25).fit(X, y)
    assert {label: np.sum(listener.y == label) for label in "abc"} == {"a": 5, "b": 15, "c": 30}
    # inputs and labels belong together
    assert np.array_equal(y[listener.X[:, 0].astype(int)], listener.y)


@unconverged
@ESTIMATORS
@pytest.mark.parametrize(
    ("how", "shuffle"),
    [(0.2, True), (0.2, False), (ShuffleSplit(1, test_size=0.2, random_state=1), True)],
)
def test_the_validation_part_never_trains(data, cls, how, shuffle):
    X, y = data[0].copy(), data[1].copy()
    X[:, 0] = np.arange(len(X))
    parameters = {"early_stopping": True, "validation_fraction": how, "shuffle": shuffle}
    listener = Listener()
    first = make(cls, monitor=listener, **parameters).fit(X, y)
    held = listener.X[:, 0].astype(int)
    assert len(held) == len(set(held)) == 24
    assert first.spec_["task"]["n_training"] == 96
    if not shuffle:
        assert np.array_equal(held, np.arange(96, 120))
    # whatever the held-out rows hold, training is the same
    other = X.copy()
    other[held] = -1e3
    other_y = y.copy() if cls is MLPClassifier else y + np.isin(np.arange(120), held) * 1e3
    second = make(cls, monitor=Listener(), **parameters).fit(other, other_y)
    assert second.loss_curve_ == first.loss_curve_
    assert all(map(np.array_equal, first.coefs_, second.coefs_))
    assert np.array_equal(first.input_mean_, second.input_mean_)
    trained = np.setdiff1d(np.arange(120), held)
    assert first.input_mean_ == pytest.approx(X[trained].mean(0))
    if cls is MLPRegressor:
        assert first.target_mean_ == pytest.approx(y[trained].mean())


@unconverged
def test_weightless_rows_do_not_judge(data):
    X, y = data[0].copy(), data[1]
    X[:, 0] = np.arange(len(X))
    weight = np.ones(len(X))
    weight[::3] = 0
    listener = Listener()
    model = make(MLPClassifier, early_stopping=True, monitor=listener, validation_fraction=0.5)
    model.fit(X, y, sample_weight=weight)
    assert len(listener.X) == 40
    assert (listener.X[:, 0].astype(int) % 3 != 0).all()


@unconverged
@pytest.mark.parametrize("seed", [0, 1])
def test_the_part_goes_by_random_state(data, seed):
    X = data[0].copy()
    X[:, 0] = np.arange(len(X))
    parts = []
    for random_state in (seed, seed, seed + 10):
        listener = Listener()
        make(MLPRegressor, early_stopping=True, monitor=listener, random_state=random_state).fit(
            X, data[1]
        )
        parts.append(listener.X[:, 0].tolist())
    assert parts[0] == parts[1] != parts[2]


@unconverged
@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.arange(10) % 2, "10 rows leave 9 to train on and 1 to hold out"),
        (np.arange(18), "18 rows leave 18 to train on and 0 to hold out.*only one of its class"),
    ],
)
def test_where_nothing_can_be_held_out_the_training_loss_is_monitored(labels, reason):
    X = np.random.default_rng(0).normal(size=(len(labels), 2))
    model = make(MLPClassifier, early_stopping=True, batch_size="auto")
    with pytest.warns(UserWarning, match=f"No validation part.*{reason}.*X_val and y_val"):
        model.fit(X, labels)
    assert model.validation_scores_ is None
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.spec_["task"]["n_training"] == len(labels)


@unconverged
@pytest.mark.parametrize(
    ("cls", "name", "metric"),
    [
        (MLPClassifier, "accuracy", accuracy_score),
        (MLPRegressor, "r2", r2_score),
        (MLPRegressor, "neg_mean_squared_error", lambda *a: -mean_squared_error(*a)),
    ],
)
def test_a_named_scorer_is_monitored(data, cls, name, metric):
    X, y = data
    model = make(cls, monitor=name, max_iter=40, n_iter_no_change=4, learning_rate_init=0.1)
    model.fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    scores = model.validation_scores_
    assert model.best_iter_ == 1 + np.argmax(scores)  # the first of the best
    assert model.best_validation_score_ == max(scores)
    assert metric(y[80:], model.predict(X[80:])) == pytest.approx(max(scores))
    end = stopping_epoch([-score for score in scores], model.tol, 4)
    assert model.n_iter_ == (end or 40)


# Ends without a validation part


@ESTIMATORS
@pytest.mark.parametrize("schedule", ["constant", "performance", "exponential"])
def test_max_iter_warns_as_scikit_learn_does(data, cls, schedule):
    told = r"\(6\) reached and the optimization hasn't converged yet"
    with pytest.warns(ConvergenceWarning, match=told):
        make(cls, schedule=schedule).fit(*data)
    for scores in ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 5]):
        with pytest.warns(ConvergenceWarning, match=told):
            make(cls, schedule=schedule, early_stopping=True, monitor=Script(scores)).fit(*data)


@ESTIMATORS
def test_partial_fit_never_warns_of_max_iter(data, cls):
    model = make(cls)
    for _ in range(3):
        model.partial_fit(*data)
    assert model.loss_curve_ == sorted(model.loss_curve_, reverse=True)


@ESTIMATORS
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "linear"])
def test_a_schedule_that_ends_at_max_iter_is_meant_to_end_there(data, cls, schedule):
    model = make(cls, schedule=schedule).fit(*data)
    assert model.end_reason_ == "max_iter"


@ESTIMATORS
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_max_time(cls, optimizer):
    model = make(
        cls,
        optimizer=optimizer,
        batch_size="auto",
        max_iter=10**6,
        max_time=0.2,
        tol=0.0,
        n_iter_no_change=np.inf,
        alpha=0.0,
    )
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(500, 30)), rng.integers(0, 2, 500)
    started = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - started
    if optimizer == "adam":
        assert model.end_reason_ == "time"
    if model.end_reason_ == "time":  # a search along a line may come to its end before
        assert 0.2 < seconds < 3.0
        assert sum(model.history_["seconds"]) < seconds
    assert model.n_iter_ == len(model.loss_curve_)


@ESTIMATORS
def test_max_time_cuts_an_epoch(cls):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200_000, 5)), rng.integers(0, 2, 200_000)
    model = make(cls, batch_size=1, max_time=0.1, early_stopping=False)
    started = time.perf_counter()
    model.fit(X, y)
    assert time.perf_counter() - started < 3.0
    assert (model.end_reason_, model.n_iter_) == ("time", 1)
    assert math.isfinite(model.loss_)
    assert 0 < model.t_ < 200_000


@ESTIMATORS
def test_without_a_validation_part_the_last_weights_stay(data, cls):
    keeper = Keeper(0, stop)
    model = make(cls, max_iter=300, learning_rate_init=0.1, n_iter_no_change=2)
    model.set_callbacks(keeper).fit(*data)
    assert model.end_reason_ == "tol"
    assert model.best_iter_ < model.n_iter_ == len(keeper.shown)
    assert np.array_equal(model.coefs_[0], keeper.shown[-1])
    assert not np.array_equal(model.coefs_[0], keeper.shown[model.best_iter_ - 1])


# Where no rows can be held out


def error_rate(model, X, y):
    return 1 - model.score(X, y)


@pytest.mark.parametrize(
    ("monitor", "rule"),
    [
        ("accuracy", {"baseline": 0.99, "baseline_patience": 2}),
        ("accuracy", {"target": 0.01, "mode": "max"}),
        (error_rate, {"target": 0.99, "mode": "min"}),
        (error_rate, {"target": 0.99, "baseline": 0.5, "mode": "min"}),
    ],
)
@unconverged
def test_a_score_is_not_compared_with_the_loss(data, monitor, rule):
    X, y = data[0][:9], data[1][:9]
    stopping = EarlyStopping(patience=50, **rule)
    few = {"batch_size": "auto", "warm_start": True}
    model = make(MLPClassifier, early_stopping=stopping, monitor=monitor, **few)
    with pytest.warns(UserWarning, match="held out|left out") as told:
        model.fit(X, y)
    split, left_out = sorted(str(w.message) for w in told if w.category is UserWarning)
    assert "No validation part was held out" in split
    assert "left out" in left_out
    assert all(f"{name}=" in left_out for name in ("target", "baseline") if name in rule)
    # neither did the first epoch reach a target, nor did a baseline go unbeaten
    assert (model.end_reason_, model.n_iter_) == ("max_iter", 6)
    with pytest.warns(UserWarning, match="left out"):
        model.fit(X, y)
    assert (model.end_reason_, model.n_iter_, len(model.loss_curve_)) == ("max_iter", 6, 12)
    assert model.spec_["monitor"] == "loss"
    assert model.best_iter_ == 1 + int(np.argmin(model.loss_curve_))


@unconverged
@pytest.mark.filterwarnings("ignore:No validation part was held out:UserWarning")
def test_a_target_of_the_loss_stays(data):
    X, y = data[0][:9], data[1][:9]
    few = {"batch_size": "auto"}
    losses = make(MLPClassifier, early_stopping=False, **few).fit(X, y).loss_curve_
    model = make(MLPClassifier, early_stopping=EarlyStopping(target=losses[2]), **few).fit(X, y)
    assert (model.end_reason_, model.n_iter_) == ("target", 3)


@ESTIMATORS
@unconverged
def test_held_out_rows_without_weight_judge_nothing(data, cls):
    X, y = data
    seen = []
    weight = np.repeat([0.0, 1.0], [5, 15])
    model = make(
        cls, early_stopping=True, monitor=lambda _, X_val, __: float(seen.append(X_val) or 0)
    )
    model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:], sample_weight_val=weight)
    assert all(np.array_equal(part, X[105:]) for part in seen)
    assert seen


@unconverged
def test_held_out_rows_of_a_class_without_weight_judge_nothing(data):
    X, y = data[0], np.where(np.arange(120) % 4 == 0, 2, data[1])
    seen = []
    model = make(MLPClassifier, early_stopping=True, class_weight={2: 0.0})
    model.set_params(monitor=lambda _, __, y_val: float(seen.append(set(y_val)) or 0)).fit(X, y)
    assert seen
    assert all(judged == {0, 1} for judged in seen)


# The network that trains again on all rows


REFIT = EarlyStopping(refit=True, patience=50)


def test_an_interrupted_fit_does_not_train_again(data):
    script = Script([0.5, 0.9, 0.7, 0.6, 0.6, 0.6], {4: interrupt})
    model = make(MLPClassifier, early_stopping=REFIT, monitor=script)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(*data)
    assert (model.end_reason_, model.best_iter_) == ("interrupted", 2)
    assert script.has(model, 2)


class Interrupted(ElementwiseLoss):
    """A loss of two classes that is interrupted where all rows train."""

    kinds = frozenset({"binary"})
    out_activation = "logistic"
    scales_target = False

    def terms(self, raw, target):
        if len(raw) == 120:
            interrupt()
        return torch.nn.functional.binary_cross_entropy_with_logits(raw, target, reduction="none")

    def inverse_link(self, raw):
        return torch.sigmoid(raw)


def test_an_interrupted_second_training_leaves_the_first_network(data):
    script = Script([0.5, 0.9, 0.7, 0.6, 0.6, 0.6])
    changes = {"loss": Interrupted(), "monitor": script, "batch_size": "full"}
    model = make(MLPClassifier, early_stopping=REFIT, **changes)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(*data)
    assert model.end_reason_ == "interrupted"
    assert script.has(model, 2)


@unconverged
def test_a_second_training_that_diverges_leaves_the_first_network(data):
    steps = []

    class Infinite(Interrupted):
        """Where all rows train, no number from the second epoch on."""

        def terms(self, raw, target):
            steps.extend(["all"] * (len(raw) == 120))
            scale = torch.nan if len(raw) == 120 and len(steps) > 1 else 1.0
            cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
            return scale * cross_entropy(raw, target, reduction="none")

    script = Script([0.5, 0.7, 0.9, 0.6, 0.6, 0.6])
    changes = {"loss": Infinite(), "monitor": script, "batch_size": "full"}
    model = make(MLPClassifier, early_stopping=REFIT, **changes)
    with pytest.warns(ConvergenceWarning, match=r"it diverged\. Lower learning_rate_init.*refit"):
        model.fit(*data)
    assert len(steps) > 1
    assert model.best_iter_ == 3
    assert script.has(model, 3)
    assert model.spec_["task"]["n_training"] == 108


@unconverged
def test_a_second_training_sees_levels_that_only_held_out_rows_have(data):
    X, y = data
    kind = pd.Categorical(["one", "two", "three"] * 36 + ["late"] * 12)
    frame = pd.DataFrame(X).assign(kind=kind).rename(columns=str)
    once, again = (
        make(MLPClassifier, early_stopping=stopping, shuffle=False).fit(frame, y)
        for stopping in (EarlyStopping(patience=50), REFIT)
    )
    assert len(again.coefs_[0]) > len(once.coefs_[0])
    for model in (once, again):
        assert model.spec_["task"]["n_features"] == len(model.coefs_[0])
        assert np.isfinite(model.predict_proba(frame)).all()
    others = frame.assign(kind=pd.Categorical(["one"] * 120, categories=kind.categories))
    assert not np.allclose(again.predict_proba(frame), again.predict_proba(others))


def test_no_time_is_left_to_train_again(data):
    script = Script([0.5, 0.9, 0.7, 0.6], {3: lambda: time.sleep(2.0)})
    model = make(MLPClassifier, early_stopping=REFIT, monitor=script, max_time=2.0)
    with pytest.warns(ConvergenceWarning, match=r"max_time=2.0 was spent before.*refit=False"):
        model.fit(*data)
    assert model.end_reason_ == "time"
    assert script.has(model, 2)


@unconverged
def test_the_second_training_gets_the_time_that_is_left(data, monkeypatch):
    scores = [0.5, 0.6, 0.7, 0.9, 0.6, 0.6]
    plain = make(MLPClassifier, early_stopping=False, max_iter=4).fit(*data)
    clock = iter([100.0, 160.0 - 1e-9])
    monkeypatch.setattr(_base, "perf_counter", lambda: next(clock))
    script = Script(scores)
    model = make(MLPClassifier, early_stopping=REFIT, monitor=script, max_time=60.0)
    with pytest.warns(ConvergenceWarning, match=r"max_time=60.0 ended it in epoch 1 of 4"):
        model.fit(*data)
    assert script.has(model, 4)
    clock = iter([100.0, 101.0])
    again = make(MLPClassifier, early_stopping=REFIT, monitor=Script(scores), max_time=60.0)
    again.fit(*data)  # in time, and without a warning
    np.testing.assert_array_equal(again.coefs_[0], plain.coefs_[0])
    assert again.spec_["max_time"] == 60.0
