"""The dials of training through the estimators: early stopping, rates, schedules, batches."""

from __future__ import annotations

import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.training import range_test as range_test_module
from sklearn_dnn.components import (
    FTRL,
    SGD,
    Accumulated,
    Adam,
    AdamW,
    ClipNorm,
    Cosine,
    Dropout,
    EarlyStopping,
    FunctionLoss,
    Lookahead,
    Momentum,
    MomentumCycle,
    OneCycle,
    Performance,
    Piecewise,
    Rprop,
    Scheduled,
    Step,
    TorchOptimizer,
    Warmup,
)
from sklearn_dnn.components.optimizers import OPTIMIZERS
from sklearn_dnn.inspection import learning_rate_range_test

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)
BOTH = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
N, P = 48, 4


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=1.0, scale=2.0, size=(N, P))
    return X, (X[:, 0] + 0.4 * X[:, 1] ** 2 + rng.normal(size=N) > 3).astype(int)


def make(cls, **parameters):
    quick = {
        "hidden_layer_sizes": (5, 3),
        "activation": "tanh",
        "learning_rate_init": 0.02,
        "batch_size": 12,
        "max_iter": 4,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
    }
    return cls(**quick | parameters)


def numbers_of(model):
    """All numbers that a network has learned or measured, as one list of arrays."""
    vectors = [*model.norm_weights_, *model.norm_statistics_]
    arrays = [v[name] for v in vectors for name in sorted(v)]
    return [*model.coefs_, *model.intercepts_, *arrays]


def assert_equal(one, other):
    """Two models know the same, bit for bit."""
    pairs = list(zip(numbers_of(one), numbers_of(other), strict=True))
    assert pairs
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)


class Script:
    """A monitor that gives the values of a script, and keeps the weights it was shown."""

    def __init__(self, values):
        self.values = list(values)
        self.seen = []

    def __call__(self, estimator, X, y):
        self.seen.append([w.copy() for w in (*estimator.coefs_, *estimator.intercepts_)])
        return float(self.values[len(self.seen) - 1])


# Early stopping


def end_of(values, rule, patience):
    """Epochs done, why training ends, and the best epoch, by the definition of the component.

    Parameters
    ----------
    values : list of float
        The monitored value after each epoch; less is better.
    rule : dict
        Parameters of the component that differ from its defaults, with signs already turned.
    patience : float
    """
    start, relative = rule.get("start_after", 0), rule.get("relative", False)
    target, baseline = rule.get("target"), rule.get("baseline")
    borne = rule.get("baseline_patience")
    borne = patience if borne is None else borne

    def better(value, than):
        least = rule.get("min_delta", 0.0) * (abs(than) if relative else 1.0)
        return value < than and than - value >= least

    end, reason = len(values), "max_iter"
    for n in range(start + 1, len(values) + 1):
        idle = [
            k > start + 1 and not better(values[k - 1], min(values[start : k - 1]))
            for k in range(start + 1, n + 1)
        ]
        in_a_row = 0
        for is_idle in reversed(idle):
            if not is_idle:
                break
            in_a_row += 1
        best = min(values[start:n])
        if target is not None and best <= target:
            end, reason = n, "target"
        elif baseline is not None and not better(best, baseline) and n - start > borne:
            end, reason = n, "baseline"
        elif in_a_row > patience:
            end, reason = n, "patience"
        else:
            continue
        break
    first = start if end > start else 0
    return end, reason, first + int(np.argmin(values[first:end])) + 1


RULES = [
    {},
    {"min_delta": 0.5},
    {"min_delta": 0.25, "relative": True},
    {"start_after": 3},
    {"start_after": 12},
    {"target": -0.75},
    {"target": -0.5, "start_after": 4},
    {"baseline": 0.25},
    {"baseline": -0.5, "baseline_patience": 0},
    {"baseline": 0.0, "baseline_patience": 5, "min_delta": 0.25},
    {"baseline": 0.0, "target": -0.75, "start_after": 2, "min_delta": 0.25},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("mode", ["auto", "max", "min"])
def test_the_end_is_the_definitions(table, rule, patience, mode):
    # eighths have no rounding; of 9 values in 12 epochs some are ties
    seed = [RULES.index(rule), patience, len(mode)]
    values = (np.random.default_rng(seed).integers(-4, 5, size=12) / 4).tolist()
    sign = 1.0 if mode == "min" else -1.0
    turned = {k: sign * v if k in {"target", "baseline"} else v for k, v in rule.items()}
    script = Script(sign * v for v in values)
    stopping = EarlyStopping(patience=patience, mode=mode, **turned)
    model = make(MLPRegressor, max_iter=12, early_stopping=stopping, monitor=script).fit(*table)
    assert (model.n_iter_, model.end_reason_, model.best_iter_) == end_of(values, rule, patience)
    kept = [*model.coefs_, *model.intercepts_]
    assert all(map(np.array_equal, kept, script.seen[model.best_iter_ - 1]))
    best = (min if mode == "min" else max)(model.validation_scores_)
    assert model.best_validation_score_ == best


def test_every_end_is_among_them():
    """The made-up curves reach what they are made up for."""
    found = set()
    for i, rule in enumerate(RULES):
        for patience in (0, 2):
            for length in (3, 4):
                rng = np.random.default_rng([i, patience, length])
                found.add(end_of((rng.integers(-4, 5, size=12) / 4).tolist(), rule, patience)[1])
    assert found == {"patience", "target", "baseline", "max_iter"}


@BOTH
@pytest.mark.parametrize(
    "rule", [{}, {"min_delta": 0.1}, {"min_delta": 0.05, "relative": True}, {"start_after": 3}]
)
def test_the_training_loss_may_be_watched(table, cls, rule):
    restless = {"learning_rate_init": 0.5, "optimizer": "momentum", "max_iter": 20}
    whole = make(cls, **restless, early_stopping=False).fit(*table)
    assert whole.n_iter_ == 20
    ends = set()
    for patience in range(4):
        stopping = EarlyStopping(patience=patience, watch="training", **rule)
        model = make(cls, **restless, early_stopping=stopping).fit(*table)
        n, reason, best = end_of(whole.loss_curve_, rule, patience)
        assert (model.n_iter_, model.end_reason_, model.best_iter_) == (n, reason, best)
        assert model.loss_curve_ == whole.loss_curve_[:n]
        assert model.validation_scores_ is None
        assert model.spec_["task"]["n_training"] == N  # no rows are held out
        ends.add(n)
        after = make(cls, **restless, early_stopping=False).set_params(max_iter=best).fit(*table)
        assert_equal(model, after)
    assert len(ends) > 1


@BOTH
def test_a_target_of_the_loss(table, cls):
    whole = make(cls, max_iter=20, early_stopping=True).fit(*table)
    losses = whole.validation_loss_curve_
    target = sorted(losses)[len(losses) // 2]
    stopping = EarlyStopping(patience=math.inf, target=target)
    model = make(cls, max_iter=20, early_stopping=stopping).fit(*table)
    assert model.end_reason_ == "target"
    assert model.n_iter_ == 1 + next(i for i, loss in enumerate(losses) if loss <= target)


@BOTH
def test_the_last_weights_may_be_wanted(table, cls):
    scores = [1.0, 5.0, 2.0, 3.0, 4.0]
    for restore, epoch in ((True, 2), (False, 5)):
        script = Script(scores)
        stopping = EarlyStopping(patience=2, restore_best=restore)
        model = make(cls, max_iter=9, early_stopping=stopping, monitor=script).fit(*table)
        assert (model.n_iter_, model.best_iter_) == (5, 2)
        kept = [*model.coefs_, *model.intercepts_]
        assert all(map(np.array_equal, kept, script.seen[epoch - 1]))


@pytest.mark.parametrize(("patience", "tol"), [(1, 0.25), (3, 0.5)])
def test_it_is_the_rule_of_the_two_parameters(table, patience, tol):
    values = [0.0, 0.75, 1.0, 0.5, 1.5, 1.5, 1.75, 1.0, 1.0, 1.25, 1.0, 1.0]
    old = make(MLPRegressor, max_iter=12, early_stopping=True, monitor=Script(values))
    old.set_params(n_iter_no_change=patience, tol=tol).fit(*table)
    stopping = EarlyStopping(patience=patience, min_delta=tol)
    new = make(MLPRegressor, max_iter=12, early_stopping=stopping, monitor=Script(values))
    # what the parameters say counts no more
    new.set_params(n_iter_no_change=1, tol=100.0).fit(*table)
    assert (new.n_iter_, new.best_iter_) == (old.n_iter_, old.best_iter_)
    assert new.n_iter_ < 12
    assert_equal(new, old)


@BOTH
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"dropout": 0.2, "norm": "batch", "optimizer": "adamw"},
        {"schedule": Cosine(horizon=9), "batch_size": "auto"},
        {"ema_decay": 0.9, "l1": 0.01},
    ],
    ids=str,
)
def test_refit_is_a_fit_on_all_rows(table, cls, parameters):
    X, y = table
    weight = np.random.default_rng(1).uniform(0.5, 2.0, N)
    stopping = EarlyStopping(patience=1, refit=True)
    scores = [1.0, 2.0, 3.0, 1.0, 1.0, 1.0]
    model = make(cls, max_iter=9, early_stopping=stopping, monitor=Script(scores), **parameters)
    model.fit(X, y, weight)
    assert (model.best_iter_, model.n_iter_, model.end_reason_) == (3, 5, "patience")
    whole = make(cls, max_iter=3, early_stopping=False, **parameters).fit(X, y, weight)
    assert_equal(model, whole)
    method = "predict_proba" if cls is MLPClassifier else "predict"
    assert np.array_equal(getattr(model, method)(X), getattr(whole, method)(X))
    assert len(model.loss_curve_) == 5  # the curves are those that chose
    assert model.validation_scores_ == scores[:5]


def test_refit_draws_balanced_weights_from_all_rows(table):
    X, y = table
    parameters = {"class_weight": "balanced"}
    stopping = EarlyStopping(patience=0, refit=True)
    model = make(MLPClassifier, max_iter=9, early_stopping=stopping, **parameters).fit(X, y)
    whole = make(MLPClassifier, max_iter=model.best_iter_, **parameters).fit(X, y)
    assert_equal(model, whole)


@pytest.mark.parametrize(
    ("parameters", "given", "parts"),
    [
        ({"refit": True}, True, ["refit=True", "there are none", "no X_val"]),
        ({"refit": True, "watch": "training"}, False, ["refit=True with watch='training'"]),
    ],
)
def test_refit_needs_rows_that_were_held_out(table, parameters, given, parts):
    model = make(MLPRegressor, early_stopping=EarlyStopping(**parameters))
    extra = {"X_val": table[0], "y_val": table[1]} if given else {}
    with pytest.raises(ValueError, match=r".*".join(map(_escaped, parts))):
        model.fit(*table, **extra)


def _escaped(text):
    return text.replace("(", r"\(").replace(")", r"\)")


def test_a_score_needs_rows_that_are_held_out(table):
    stopping = EarlyStopping(watch="training")
    with pytest.raises(ValueError, match="monitor='r2' scores a validation part"):
        make(MLPRegressor, early_stopping=stopping, monitor="r2").fit(*table)


def test_the_loss_is_not_to_rise(table):
    with pytest.raises(ValueError, match=r"mode='max'.*loss.*mode='auto'"):
        make(MLPRegressor, early_stopping=EarlyStopping(mode="max")).fit(*table)


@BOTH
def test_an_end_by_rule_goes_on_in_a_warm_fit(table, cls):
    stopping = EarlyStopping(patience=1, start_after=0)
    script = Script([3.0, 2.0, 1.0, 0.0, 0.0, 0.0])
    model = make(cls, early_stopping=stopping, monitor=script, warm_start=True, max_iter=10)
    model.fit(*table)
    assert (model.n_iter_, model.end_reason_) == (3, "patience")
    model.fit(*table)
    assert (model.n_iter_, len(model.loss_curve_), model.best_iter_) == (2, 5, 1)


# Learning rates


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_auto_is_the_optimizers_own_rate(table, name):
    own = OPTIMIZERS[name]().default_rate
    parameters = {"optimizer": name, "batch_size": "auto", "max_iter": 2}
    model = make(MLPRegressor, learning_rate_init="auto", **parameters).fit(*table)
    assert model.spec_["learning_rate_init"] == own
    assert model.lr_curve_ == [own] * model.n_iter_
    assert_equal(model, make(MLPRegressor, learning_rate_init=own, **parameters).fit(*table))


def test_auto_of_a_wrapper_is_that_of_what_it_wraps(table):
    model = make(MLPRegressor, learning_rate_init="auto", optimizer=Lookahead("momentum", k=2))
    assert model.fit(*table).spec_["learning_rate_init"] == Momentum.default_rate


RANGE_CASES = {
    "plain": {},
    "noisy": {"dropout": 0.3, "weight_noise": 0.01, "augmentation": "input_noise"},
    "measured": {"norm": "batch", "optimizer": "momentum", "input_scaling": "batch_norm"},
    "averaged": {"ema_decay": 0.9, "l1": 0.01, "constraint": "max_norm"},
    "accumulated": {
        "batch_size": Accumulated(12, 2),
        "schedule": Warmup(epochs=2),
        "initializer": "lsuv",
    },
    "held out": {"early_stopping": True},
    "scheduled": {
        "optimizer": Momentum(Scheduled(0.9, "momentum_cycle")),
        "weight_decay": Scheduled(0.1, "linear"),
        "dropout": Scheduled(0.3, "linear"),
        "clip_norm": ClipNorm(0.5, "tensor"),
    },
    "matrices": {"optimizer": "muon", "activation": "prelu"},
    "torch's": {"optimizer": TorchOptimizer(torch.optim.Adam, amsgrad=True)},
}


@BOTH
@pytest.mark.parametrize("parameters", RANGE_CASES.values(), ids=RANGE_CASES)
def test_a_range_test_leaves_no_trace_on_the_fit(table, cls, parameters):
    X, y = table
    weight = np.random.default_rng(1).uniform(0.5, 2.0, N)
    tested = make(cls, learning_rate_init="range_test", **parameters).fit(X, y, weight)
    rate = tested.spec_["learning_rate_init"]
    assert 1e-7 < rate <= 1.0
    plain = make(cls, learning_rate_init=rate, **parameters).fit(X, y, weight)
    assert_equal(tested, plain)
    assert tested.loss_curve_ == plain.loss_curve_


def test_a_range_test_of_a_sparse_table(table):
    X, y = table
    zeros = np.where(np.random.default_rng(3).random(X.shape) < 0.5, 0.0, X)
    rates = [
        make(MLPClassifier, learning_rate_init="range_test").fit(X_, y).spec_["learning_rate_init"]
        for X_ in (zeros, sp.csr_matrix(zeros))
    ]
    assert rates[0] == rates[1]


@BOTH
def test_the_range_test_of_a_fit_is_the_tools(table, cls):
    model = make(cls)
    found = learning_rate_range_test(model, *table)
    fitted = clone(model).set_params(learning_rate_init="range_test").fit(*table)
    assert fitted.spec_["learning_rate_init"] == found.suggestion


@BOTH
def test_the_rate_that_was_found_stays(table, cls):
    model = make(cls, learning_rate_init="range_test", warm_start=True, max_iter=2).fit(*table)
    rate = model.spec_["learning_rate_init"]
    model.fit(*table)
    assert model.spec_["learning_rate_init"] == rate
    whole = make(cls, learning_rate_init=rate, max_iter=4).fit(*table)
    assert_equal(model, whole)


def process_state():
    keys = np.random.get_state()  # noqa: NPY002 - the process' own is what is looked at
    return (
        torch.get_rng_state().numpy().tobytes(),
        keys[1].tobytes(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )


@BOTH
@pytest.mark.parametrize("is_fitted", [False, True])
def test_the_range_test_leaves_all_as_it_was(table, cls, is_fitted):
    model = make(cls, dropout=0.2, early_stopping=True, warm_start=True)
    if is_fitted:
        model.fit(*table)
    before, state = pickle.dumps(model), process_state()
    first = learning_rate_range_test(model, *table, n_steps=30)
    second = learning_rate_range_test(model, *table, n_steps=30)
    assert pickle.dumps(model) == before
    assert process_state() == state
    np.testing.assert_array_equal(first.losses, second.losses)
    assert model.learning_rate_init == 0.02
    if is_fitted:
        assert_equal(pickle.loads(before), model)


def test_rates_rise_geometrically(table):
    found = learning_rate_range_test(
        make(MLPRegressor), *table, min_rate=1e-5, max_rate=1e-2, n_steps=31
    )
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == 31
    np.testing.assert_allclose(found.rates[[0, 10, 20, 30]], [1e-5, 1e-4, 1e-3, 1e-2])
    np.testing.assert_allclose(np.diff(np.log(found.rates)), math.log(1e3) / 30)


def test_losses_are_those_before_each_step(table):
    X, y = table
    # one batch: the first loss is that of the first weights, the second that after a step
    model = make(MLPRegressor, batch_size="full", optimizer="sgd")
    found = learning_rate_range_test(model, X, y, min_rate=0.1, max_rate=0.4, n_steps=3)
    hand = make(MLPRegressor, batch_size="full", optimizer="sgd", alpha=1e-4)
    losses = []
    for rate in (0.1, 0.2, 0.4):
        hand.set_params(learning_rate_init=rate).partial_fit(X, y)
        losses.append(hand.history_["train_loss"][-1])
    np.testing.assert_allclose(found.rates, [0.1, 0.2, 0.4])
    np.testing.assert_allclose(found.losses, losses, rtol=1e-9)


def test_a_range_test_ends_where_the_loss_has_risen(table):
    X, y = table
    model = make(MLPRegressor, optimizer="sgd", activation="identity")
    found = learning_rate_range_test(model, X, y, max_rate=1e6, n_steps=300)
    assert len(found.rates) < 300
    assert np.all(np.isfinite(found.losses))
    below = found.smoothed <= 4 * np.minimum.accumulate(found.smoothed)
    assert below[:-1].all()
    assert found.suggestion < 0.5  # far below the rate it ended at


def scripted(monkeypatch, losses):
    """Let each step of a range test have a loss of a script."""

    class Scripted:
        def __init__(self, specs, progress):
            self.losses = iter(losses)
            self.gradients = SimpleNamespace(target=torch.zeros_like)

        def __call__(self, batch, rate):
            # half the mean square of this number is the loss
            raw = torch.full_like(batch.y, math.sqrt(2 * next(self.losses)))
            return SimpleNamespace(raw=raw, target=None, share=None)

    monkeypatch.setattr(range_test_module, "TrainingStep", Scripted)


def running_mean(losses):
    """The mean with weights 0.95^age of the losses so far, at each of them."""
    out = []
    for n in range(1, len(losses) + 1):
        weights = 0.95 ** np.arange(n - 1, -1, -1)
        out.append(weights @ losses[:n] / weights.sum())
    return np.array(out)


@pytest.mark.parametrize("valley", [25, 40, 55])
def test_a_tenth_of_the_rate_of_the_lowest_running_mean(table, monkeypatch, valley):
    losses = 1.0 + np.abs(np.arange(80) - valley) / 80.0
    scripted(monkeypatch, losses)
    found = learning_rate_range_test(
        make(MLPRegressor), *table, min_rate=1e-6, max_rate=10.0, n_steps=80
    )
    expected = running_mean(losses)
    np.testing.assert_allclose(found.losses, losses)
    np.testing.assert_allclose(found.smoothed, expected)
    assert found.suggestion == pytest.approx(found.rates[np.argmin(expected)] / 10)
    assert np.argmin(expected) >= valley


@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_a_range_test_ends_before_a_loss_that_is_none(table, monkeypatch, end):
    scripted(monkeypatch, [*np.linspace(2.0, 1.0, 30), end, 1.0])
    found = learning_rate_range_test(make(MLPRegressor), *table, n_steps=60)
    assert len(found.losses) == 30
    scripted(monkeypatch, [end])
    with pytest.raises(ValueError, match="no finite loss, even at the rate"):
        learning_rate_range_test(make(MLPRegressor), *table, n_steps=60)


def test_a_range_test_ends_at_four_times_its_lowest(table, monkeypatch):
    losses = np.array([1.0] * 30 + [200.0] * 30)
    scripted(monkeypatch, losses)
    found = learning_rate_range_test(make(MLPRegressor), *table, n_steps=60)
    mean = running_mean(losses)
    assert len(found.losses) == 1 + np.argmax(mean > 4 * np.minimum.accumulate(mean))


# Schedules

TIMES = []


def noting(t, horizon):
    TIMES.append((t, horizon))
    return 1.0 / (1.0 + t)


@BOTH
def test_a_function_is_asked_at_every_step(table, cls):
    TIMES.clear()
    model = make(cls, schedule=noting, batch_size=20, max_iter=3).fit(*table)
    # 48 rows in batches of 20 are 3 steps an epoch
    steps = TIMES[:-10]  # after them it is asked at five times whether it goes by the horizon
    assert sorted({t for t, _ in steps}) == pytest.approx([k / 3 for k in range(9)])
    assert {horizon for _, horizon in steps} == {3.0}
    assert {horizon for _, horizon in TIMES[-10:]} == {3.0, 6.0}
    # a curve has the rate of each epoch's last step
    assert model.lr_curve_ == pytest.approx([0.02 / (1 + e + 2 / 3) for e in range(3)])
    assert pickle.loads(pickle.dumps(model)).lr_curve_ == model.lr_curve_


@BOTH
def test_the_rate_of_a_function_is_that_of_the_steps(table, cls):
    # one step an epoch: the same as setting the rate by hand
    model = make(cls, schedule=noting, batch_size="full", optimizer="momentum").fit(*table)
    hand = make(cls, batch_size="full", optimizer="momentum")
    for epoch in range(4):
        hand.set_params(learning_rate_init=0.02 * (1.0 / (1.0 + epoch))).partial_fit(*table)
    assert_equal(model, hand)
    assert model.lr_curve_ == hand.lr_curve_


def test_a_factor_below_zero_is_refused(table):
    with pytest.raises(ValueError, match="at least 0"):
        make(MLPRegressor, schedule=_below_zero).fit(*table)


def _below_zero(_t, _horizon):
    return -1.0


# What a number that may be scheduled stands in, and a value of it.
DRIVEN = {
    "momentum": (lambda number: {"optimizer": Momentum(number)}, 0.8),
    "beta_1": (lambda number: {"optimizer": Adam(beta_1=number)}, 0.8),
    "inner momentum": (lambda number: {"optimizer": Lookahead(SGD(number), k=3)}, 0.8),
    "torch's momentum": (
        lambda number: {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=number)},
        0.8,
    ),
    "torch's beta_1": (
        lambda number: {"optimizer": TorchOptimizer(torch.optim.Adam, betas=(number, 0.99))},
        0.8,
    ),
    "dropout": (lambda number: {"dropout": number}, 0.5),
    "dropout of a layer": (lambda number: {"dropout": [0.2, Dropout(number)]}, 0.5),
    "input_dropout": (lambda number: {"input_dropout": number}, 0.5),
    "decay": (lambda number: {"weight_decay": number, "optimizer": "sgd"}, 0.5),
    "decay of adamw": (lambda number: {"optimizer": AdamW(weight_decay=number)}, 0.5),
    "inner decay": (
        lambda number: {"optimizer": Lookahead(AdamW(weight_decay=number), k=3)},
        0.5,
    ),
}
# What the specification calls each.
DRIVEN_NAMES = {
    "momentum": ["momentum"],
    "beta_1": ["momentum"],
    "inner momentum": ["momentum"],
    "torch's momentum": ["momentum"],
    "torch's beta_1": ["momentum"],
    "dropout": ["dropout_0", "dropout_1"],
    "dropout of a layer": ["dropout_1"],
    "input_dropout": ["input_dropout"],
    "decay": ["weight_decay"],
    "decay of adamw": ["weight_decay"],
    "inner decay": ["weight_decay"],
}


def as_scheduled(name, schedule):
    """Parameters with a number that the schedule drives; the rate has two of its own."""
    if name == "rate":
        return {"schedule": schedule}
    holder, value = DRIVEN[name]
    return holder(Scheduled(value, schedule))


def times(name, factor):
    """Parameters with that number times a factor."""
    if name == "rate":
        return {"learning_rate_init": 0.02 * factor}
    holder, value = DRIVEN[name]
    return holder(value * factor)


@BOTH
@pytest.mark.parametrize("name", ["rate", *DRIVEN])
def test_a_schedule_is_as_changing_the_number_by_hand(table, cls, name):
    schedule = Piecewise((2, 3), (1.0, 0.5, 0.25))
    whole = make(cls, max_iter=5, **as_scheduled(name, schedule)).fit(*table)
    hand = make(cls)
    for factor in (1.0, 1.0, 0.5, 0.25, 0.25):
        hand.set_params(**times(name, factor)).partial_fit(*table)
    assert_equal(whole, hand)
    undriven = make(cls, max_iter=5, **times(name, 1.0)).fit(*table)
    assert whole.loss_curve_[:2] == undriven.loss_curve_[:2]
    assert whole.loss_curve_[4] != undriven.loss_curve_[4]


@BOTH
@pytest.mark.parametrize("name", ["rate", *DRIVEN])
def test_a_watching_schedule_drives_each_number(table, cls, name):
    # no epoch improves by so much: the factor is halved after each second one
    schedule = Performance(reduction=0.5, patience=1, threshold=1e6)
    rates = make(cls, max_iter=6, schedule=schedule).fit(*table).lr_curve_
    factors = np.array(rates) / 0.02
    assert factors[-1] < factors[0] == 1.0
    whole = make(cls, max_iter=6, **as_scheduled(name, schedule)).fit(*table)
    hand = make(cls)
    for factor in factors:
        hand.set_params(**times(name, float(factor))).partial_fit(*table)
    assert_equal(whole, hand)


@BOTH
@pytest.mark.parametrize("name", list(DRIVEN))
def test_a_constant_schedule_is_the_plain_number(table, cls, name):
    constant, plain = (
        make(cls, max_iter=3, **parameters).fit(*table)
        for parameters in (as_scheduled(name, "constant"), times(name, 1.0))
    )
    assert_equal(constant, plain)
    assert constant.loss_curve_ == plain.loss_curve_
    assert sorted(constant.spec_["driven"]) == DRIVEN_NAMES[name]
    assert plain.spec_["driven"] == {}


@BOTH
def test_no_dropout_at_a_factor_of_0(table, cls):
    late = Piecewise((3,), (0.0, 1.0))
    model = make(cls, dropout=Scheduled(0.5, late), input_dropout=Scheduled(0.2, late))
    plain = make(cls).fit(*table)
    np.testing.assert_allclose(model.fit(*table).loss_curve_[:3], plain.loss_curve_[:3], rtol=1e-9)
    assert model.loss_curve_[3] != pytest.approx(plain.loss_curve_[3], rel=1e-3)


def _flat(raw, _target):
    return 0.0 * raw.sum(1)


def _sloped(raw, _target):
    return raw.sum(1)


def linear(**parameters):
    quick = {
        "hidden_layer_sizes": (),
        "alpha": 0.0,
        "batch_size": "full",
        "optimizer": "sgd",
        "learning_rate_init": 0.5,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
    }
    return MLPRegressor(**quick | parameters)


def test_weight_decay_worked(table):
    # no slope: all that happens to a weight is w <- w (1 - rate s(t) decay d(t))
    model = linear(
        loss=FunctionLoss(_flat),
        schedule=Step(every=2, ratio=0.5),
        weight_decay=Scheduled(0.4, Piecewise((1, 3), (1.0, 3.0, 0.5))),
    )
    first = clone(model).set_params(weight_decay=0.0)
    first.partial_fit(*table)
    shrunk = first.coefs_[0].copy()
    for rate, decay in ((0.5, 0.4), (0.5, 1.2), (0.25, 1.2), (0.25, 0.2), (0.125, 0.2)):
        shrunk *= 1 - rate * decay
        model.partial_fit(*table)
        np.testing.assert_allclose(model.coefs_[0], shrunk, rtol=1e-12)
    np.testing.assert_array_equal(model.intercepts_[0], first.intercepts_[0])


@pytest.mark.parametrize(
    ("parameters", "searched"),
    [
        ({"dropout": Scheduled(0.5, "linear")}, "dropout__value"),
        ({"dropout": Dropout(Scheduled(0.5, "linear"))}, "dropout__rate__value"),
        ({"dropout": Dropout(Scheduled(0.5, "linear"))}, "dropout__rate"),
        ({"input_dropout": Scheduled(0.5, "linear")}, "input_dropout__value"),
        ({"weight_decay": Scheduled(0.5, "linear")}, "weight_decay__value"),
        ({"optimizer": SGD(Scheduled(0.5, "linear"))}, "optimizer__momentum__value"),
        ({"optimizer": SGD(Scheduled(0.5, "linear"))}, "optimizer__momentum"),
        (
            {"optimizer": AdamW(weight_decay=Scheduled(0.5, "linear"))},
            "optimizer__weight_decay__value",
        ),
    ],
    ids=str,
)
def test_a_search_may_have_zero_among_what_a_schedule_drives(table, parameters, searched):
    model = make(MLPRegressor, max_iter=2, **parameters)
    search = GridSearchCV(model, {searched: [0.0, 0.5]}, cv=2, error_score="raise").fit(*table)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def momenta(model, table, n):
    """Momentum of each of n steps, from how far a bias of constant slope 1 moves.

    With the velocity v <- m v + 1 a step is rate * v.
    """
    model.set_params(bias_initializer=1.0)
    moved, found, velocity = 1.0, [], 0.0
    for _ in range(n):
        model.partial_fit(*table)
        bias = float(model.intercepts_[0][0])
        now = (moved - bias) / model.lr_curve_[-1]
        found.append((now - 1.0) / velocity if velocity else math.nan)
        velocity, moved = now, bias
    return np.array(found)


def test_one_cycle_and_its_momentum_worked(table):
    # the numbers of Smith's policy: the rate from a tenth to its peak at 45 % and back at 90 %,
    # then down to a thousandth of the first; the momentum from 0.95 to 0.85 and back, and flat
    model = linear(
        loss=FunctionLoss(_sloped),
        optimizer=Momentum(Scheduled(0.95, "momentum_cycle")),
        schedule="one_cycle",
        max_iter=20,
    )
    found = momenta(model, table, 20)
    rates = np.array(model.lr_curve_)
    divisor = OneCycle().final_divisor
    at = [0, 3, 6, 9, 12, 15, 18, 19]
    np.testing.assert_allclose(
        rates[at], [0.05, 0.2, 0.35, 0.5, 0.35, 0.2, 0.05, 0.05 * (1 + 1 / divisor) / 2], rtol=0.02
    )
    assert rates.argmax() == 9
    expected = [0.95 - 0.1 * k / 9 for k in range(10)] + [0.85 + 0.1 * k / 9 for k in range(1, 10)]
    np.testing.assert_allclose(found[1:], [*expected, 0.95][1:], rtol=1e-6)


def test_a_momentum_schedule_is_torchs_sgd_with_its_momentum_changed(table):
    X, y = table
    y = y + X[:, 2]
    cycle = MomentumCycle(low_factor=0.2, up_fraction=0.4, down_fraction=0.4)
    parameters = {
        "optimizer": SGD(momentum=0.9),
        "learning_rate_init": 0.05,
        "batch_size": 12,
        "shuffle": False,
        "input_scaling": None,
        "target_scaling": None,
    }
    scheduled = {"optimizer": SGD(momentum=Scheduled(0.9, cycle))}
    ours = linear(**parameters | scheduled, max_iter=5).fit(X, y)
    start = linear(**parameters | {"learning_rate_init": 1e-300, "max_iter": 1}).fit(X, y)
    w = torch.tensor(start.coefs_[0], requires_grad=True)
    b = torch.tensor(start.intercepts_[0], requires_grad=True)
    theirs = torch.optim.SGD([w, b], lr=0.05, momentum=0.9)
    for k in range(20):
        rows = slice(12 * (k % 4), 12 * (k % 4) + 12)
        theirs.param_groups[0]["momentum"] = 0.9 * cycle.factor(k / 4, 5.0, {})
        theirs.zero_grad()
        error = torch.from_numpy(X[rows]) @ w + b - torch.from_numpy(y[rows])[:, None]
        (error.square().mean() / 2).backward()
        theirs.step()
    np.testing.assert_allclose(ours.coefs_[0], w.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(ours.intercepts_[0], b.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_schedule_drives_the_momentum_and_the_decay_of_an_optimizer(table, name):
    X, y = table
    rule = OPTIMIZERS[name]
    inner = {"optimizer": "sgd"} if name == "lookahead" else {}
    able = {"weight_decay", rule().momentum_name}
    small = {} if rule().full_batch else {"batch_size": 12}
    for parameter, value in rule(**inner).get_params(deep=False).items():
        if isinstance(value, bool | str) or parameter in inner:
            continue
        scheduled = rule(**inner | {parameter: Scheduled(value, Piecewise((1,), (1.0, 0.1)))})
        model = make(MLPRegressor, **{"batch_size": "auto"} | small, optimizer=scheduled)
        if parameter in able:
            plain = clone(model).set_params(optimizer=rule(**inner)).fit(X, y)
            model.fit(X, y)
            driven = "momentum" if parameter == rule().momentum_name else parameter
            assert set(model.spec_["driven"]) == {driven}
            assert value == 0 or not np.array_equal(model.coefs_[0], plain.coefs_[0])
        else:
            with pytest.raises(ValueError, match=rf"{parameter}.*Scheduled\(.*learning_rate_init"):
                model.fit(X, y)


@pytest.mark.parametrize(
    "arguments",
    [
        {"eps": Scheduled(1e-8, "linear")},
        {"weight_decay": Scheduled(0.1, "linear")},
        {"betas": (0.9, Scheduled(0.999, "linear"))},
        {"betas": (Scheduled(0.9, "linear"), Scheduled(0.999, "linear"))},
    ],
    ids=str,
)
def test_no_schedule_of_what_a_class_of_torch_reads_once(table, arguments):
    model = make(MLPRegressor, optimizer=TorchOptimizer(torch.optim.Adam, **arguments))
    with pytest.raises(ValueError, match=r"A schedule can't drive .* of Adam: only `momentum`"):
        model.fit(*table)


# Batches and optimizers


@BOTH
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_full_batch_has_all_rows_that_train(table, cls, early_stopping):
    n_training = N - math.ceil(0.1 * N) if early_stopping else N
    full = make(cls, batch_size="full", early_stopping=early_stopping).fit(*table)
    assert full.spec_["task"]["n_training"] == n_training
    assert full.spec_["batch_size"] == n_training
    number = make(cls, batch_size=n_training, early_stopping=early_stopping).fit(*table)
    assert_equal(full, number)
    assert full.loss_curve_ == number.loss_curve_


def test_a_full_batch_is_more_than_auto():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(250, 2))
    sizes = {"auto": 200, "full": 250}
    for batch_size, n in sizes.items():
        model = make(MLPRegressor, batch_size=batch_size, max_iter=1).fit(X, X[:, 0])
        assert model.spec_["batch_size"] == n


def test_ftrl_leaves_exact_zeros(table):
    X, y = table
    rng = np.random.default_rng(0)
    X = np.column_stack([X, rng.normal(size=(N, 8))])  # columns that say nothing
    y = X[:, 0] - X[:, 1]
    found = {}
    for l1 in (0.0, 20.0):
        model = linear(optimizer=FTRL(l1=l1), learning_rate_init="auto", batch_size=12, max_iter=60)
        found[l1] = model.fit(X, y).coefs_[0].ravel() == 0.0
    assert not found[0.0].any()
    assert not found[20.0][:2].any()
    assert found[20.0][2:].sum() >= 6
    # and as many as can be left out do not predict
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("n_steps", [300, 1200])
@pytest.mark.parametrize(("a", "n_zeros"), [(0.1, 6), (0.2, 6), (1.0, 8)])
def test_the_l1_of_ftrl_counts_once_for_all_steps(n_steps, a, n_zeros):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 10)) + 0.5 * rng.normal(size=(60, 1))
    X = (X - X.mean(0)) / X.std(0)
    y = X[:, [0, 3, 4, 8]] @ [2.0, -1.5, 0.7, 0.2] + 0.3 * rng.normal(size=60)
    optimizer = FTRL(l1=a * n_steps)
    model = linear(
        optimizer=optimizer, learning_rate_init=1.0, max_iter=n_steps, target_scaling=None
    )
    w = model.fit(X, y).coefs_[0].ravel()
    # the zeros of Lasso
    assert (w == 0).sum() == n_zeros
    assert ((w == 0) == (Lasso(a, tol=1e-10).fit(X, y).coef_ == 0)).all()
    # and beside them no shrinkage
    A = np.column_stack([X[:, w != 0], np.ones(60)])
    np.testing.assert_allclose(w[w != 0], np.linalg.lstsq(A, y)[0][:-1], atol=0.02)


def test_rprop_on_all_rows_is_least_squares(table):
    X, y = table
    y = X @ [1.0, -2.0, 0.5, 3.0] + y
    model = linear(optimizer="rprop", learning_rate_init=0.01, max_iter=400).fit(X, y)
    A = np.column_stack([X, np.ones(N)])
    expected = A @ np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-3)


def test_rprop_sees_signs_alone(table):
    # the loss times anything: the same signs, the same steps
    X, y = table
    one = linear(optimizer=Rprop(), output_weights=None, max_iter=5).fit(X, y)
    ten = linear(optimizer=Rprop(), output_weights=[10.0], max_iter=5).fit(X, y)
    np.testing.assert_allclose(one.coefs_[0], ten.coefs_[0], rtol=1e-12)


def test_an_optimizer_of_torch_is_ours(table):
    theirs = TorchOptimizer(torch.optim.Adam, betas=(0.8, 0.99))
    a = make(MLPRegressor, optimizer=theirs).fit(*table)
    b = make(MLPRegressor, optimizer=Adam(beta_1=0.8, beta_2=0.99)).fit(*table)
    for one, other in zip(numbers_of(a), numbers_of(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)
