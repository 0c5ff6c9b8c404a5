"""Training that may end by itself is not ended before a schedule has come to its own end."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from ids import without_addresses
from sklearn.exceptions import ConvergenceWarning

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import (
    SGD,
    Adam,
    AdamW,
    Cosine,
    CosineRestarts,
    Cyclic,
    Dropout,
    EarlyStopping,
    LinearCurriculum,
    Lookahead,
    Momentum,
    OneCycle,
    Piecewise,
    Scheduled,
    Sequential,
    TorchOptimizer,
    Warmup,
)
from sklearn_dnn.components.curricula import ExponentialCurriculum
from sklearn_dnn.components.schedules import HorizonSchedule, Schedule
from sklearn_dnn.model_selection import GridSearchCV
from sklearn_dnn.presets import BEST, DENSE, SELF_NORMALIZING

pytestmark = pytest.mark.filterwarnings("ignore:Maximum iterations")

MAX_ITER = 40
# With a patience of ten, a fit that never improves ends after the first epoch and eleven idle ones.
BY_TEN = 12

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
Y = X[:, 0] + 0.1 * rng.normal(size=60)


def falling(estimator, _X, _y):
    """A score that is best after the first epoch."""
    return -float(estimator.n_iter_)


def model(cls=MLPRegressor, **parameters):
    """A network whose monitored value never gets better after the first epoch."""
    quick = {
        "hidden_layer_sizes": (4,),
        "batch_size": "full",
        "max_iter": MAX_ITER,
        "early_stopping": True,
        "monitor": falling,
        "random_state": 0,
    }
    return cls(**quick | parameters)


class Halves(HorizonSchedule):
    """One of a user's, with an end."""

    _parameter_constraints = {"horizon": [float, int, None]}

    def __init__(self, horizon=None):
        self.horizon = horizon

    def factor(self, t, horizon, state):
        return 1.0 if self.passed(t, horizon) < 0.5 else 0.5


class ToTheEnd(Schedule):
    """One of a user's that says no more than that it ends with training."""

    per_step = True
    ends_with_training = True

    def factor(self, t, horizon, state):
        return 1.0 - 0.9 * t / horizon


def to_the_end(t, horizon):
    return 1.0 - t / horizon


def late_drop(t, horizon):
    return 1.0 if t < horizon - 5 else 0.1


def slower(t, _):
    return 0.97**t


SCHEDULES = [
    ("constant", BY_TEN),
    ("performance", BY_TEN),
    ("exponential", BY_TEN),
    ("power", BY_TEN),
    ("step", BY_TEN),
    ("inverse_square_root", BY_TEN),
    (slower, BY_TEN),
    ("one_cycle", MAX_ITER),
    ("cosine", MAX_ITER),
    ("linear", MAX_ITER),
    ("polynomial", MAX_ITER),
    (OneCycle(final_divisor=10.0, anneal="cosine"), MAX_ITER),
    (Warmup("cosine"), MAX_ITER),
    (Warmup(Warmup(OneCycle(), epochs=2), epochs=3), MAX_ITER),
    (Sequential(), MAX_ITER),
    (Sequential(("cosine", "constant", "linear"), (3, 8)), MAX_ITER),
    (Halves(), MAX_ITER),
    (ToTheEnd(), MAX_ITER),
    (to_the_end, MAX_ITER),
    (late_drop, MAX_ITER),
    # ends of their own
    (Cosine(horizon=25), 25),
    (Cosine(horizon=24.5), 25),
    (Cosine(horizon=6), BY_TEN),
    (Cosine(horizon=90), MAX_ITER),
    (Halves(20.0), 20),
    (Warmup(Cosine(horizon=15), epochs=5), 20),
    (Warmup("constant", epochs=20), 20),
    (Warmup("performance", epochs=3), BY_TEN),
    (Sequential(("cosine", "constant"), (20,)), 20),
    (Sequential(("constant", OneCycle(horizon=10)), (20,)), 30),
    (Piecewise((20, 30)), 30),
    (Piecewise(), BY_TEN),
    # ends of waves: 10, 30, 70 epochs, and every 16
    (CosineRestarts(), 30),
    (CosineRestarts(period=7, multiplier=1), 14),
    (Cyclic(period=16), 16),
    (Warmup(Cyclic(period=9), epochs=2), 20),
]


@pytest.mark.parametrize(("schedule", "end"), SCHEDULES, ids=without_addresses)
@pytest.mark.parametrize("stops", [True, EarlyStopping()], ids=["by patience", "by component"])
def test_patience_waits_for_the_end_of_a_schedule(schedule, end, stops):
    fitted = model(schedule=schedule, early_stopping=stops).fit(X, Y)
    assert fitted.n_iter_ == end
    assert fitted.best_iter_ == 1


@pytest.mark.parametrize(("schedule", "end"), SCHEDULES, ids=without_addresses)
def test_tol_waits_for_the_end_of_a_schedule(schedule, end):
    fitted = model(schedule=schedule, early_stopping=False, monitor="loss", tol=1e9).fit(X, Y)
    assert fitted.n_iter_ == end
    assert len(fitted.loss_curve_) == end


@pytest.mark.parametrize(
    ("plan", "end"),
    [
        ({"dropout": Scheduled(0.2, "linear")}, MAX_ITER),
        ({"dropout": Dropout(Scheduled(0.2, "linear"))}, MAX_ITER),
        ({"dropout": [Scheduled(0.2, "linear")]}, MAX_ITER),
        ({"input_dropout": Scheduled(0.2, "linear")}, MAX_ITER),
        ({"optimizer": Momentum(Scheduled(0.9, "momentum_cycle"))}, MAX_ITER),
        ({"optimizer": Adam(Scheduled(0.9, "momentum_cycle"))}, MAX_ITER),
        ({"optimizer": Lookahead(SGD(Scheduled(0.9, Cosine(horizon=20))))}, 20),
        (
            {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, "linear"))},
            MAX_ITER,
        ),
        ({"weight_decay": Scheduled(0.1, Cosine(horizon=20))}, 20),
        ({"weight_decay": Scheduled(0.1, "exponential")}, BY_TEN),
        ({"optimizer": AdamW(weight_decay=Scheduled(0.1, Cosine(horizon=20)))}, 20),
        ({"dropout": [0.1, Scheduled(0.2, Cosine(horizon=20))], "hidden_layer_sizes": (4, 4)}, 20),
        (
            {
                "dropout": [Scheduled(0.2, Cosine(horizon=15)), Scheduled(0.2, Cosine(horizon=20))],
                "hidden_layer_sizes": (4, 4),
            },
            20,
        ),
        # of a number for which there is no place
        (
            {
                "dropout": Scheduled(0.2, "linear"),
                "hidden_layer_sizes": (),
                "learning_rate_init": 0.05,
            },
            BY_TEN,
        ),
        ({"curriculum": LinearCurriculum(epochs=None)}, MAX_ITER),
        ({"curriculum": LinearCurriculum(epochs=17)}, 17),
        # a fifth of the rows, twice as many every six epochs: all of them after three times
        ({"curriculum": ExponentialCurriculum(0.2, 2.0, every=6.0)}, 18),
        ({"schedule": Cosine(horizon=20), "curriculum": LinearCurriculum(epochs=17)}, 20),
    ],
    ids=without_addresses,
)
def test_patience_waits_for_all_that_has_an_end(plan, end):
    given = {"difficulty": X[:, 0]} if "curriculum" in plan else {}
    assert model(**plan).fit(X, Y, **given).n_iter_ == end


def test_what_auto_was_can_be_read():
    def read(**parameters):
        spec = model(max_iter=2, **parameters).fit(X, Y).spec_
        return spec["n_iter_no_change"], spec["whole_cycles"], spec["stopping"]

    assert read() == (10.0, True, None)
    assert read(schedule="one_cycle") == (np.inf, True, None)
    assert read(schedule=Cosine(horizon=25)) == (10.0, True, None)
    assert read(schedule="one_cycle", n_iter_no_change=4) == (4.0, False, None)
    assert read(early_stopping=EarlyStopping())[2]["patience"] == 10
    waits = read(schedule="one_cycle", early_stopping=EarlyStopping(baseline=0.5))
    assert waits[1:] == (True, waits[2])
    # a baseline says that a fit is hopeless: it has ten epochs, whatever the schedule
    assert (waits[2]["patience"], waits[2]["baseline_patience"]) == (np.inf, 10)
    obeyed = read(schedule="one_cycle", early_stopping=EarlyStopping(patience=7))
    assert obeyed[1] is False
    assert obeyed[2]["patience"] == 7
    assert EarlyStopping().patience == MLPClassifier().n_iter_no_change == "auto"


def test_a_baseline_and_a_target_do_not_wait():
    rule = EarlyStopping(baseline=0.0, baseline_patience=3)
    fitted = model(schedule="one_cycle", early_stopping=rule).fit(X, Y)
    assert (fitted.end_reason_, fitted.n_iter_) == ("baseline", 4)
    fitted = model(schedule="one_cycle", early_stopping=EarlyStopping(target=-5.0)).fit(X, Y)
    assert (fitted.end_reason_, fitted.n_iter_) == ("target", 1)


# A number is obeyed, and what it costs is said


@pytest.mark.parametrize(
    ("schedule", "epochs", "length", "share"),
    [
        # one step an epoch: the last one is at the rate of epoch t - 1
        ("one_cycle", 12, 40, 0.1 + 0.9 * 11 / 18),
        ("linear", 12, 40, 1 - 0.99 * 11 / 40),
        ("cosine", 12, 40, (1 + np.cos(np.pi * 11 / 40)) / 2),
        (Warmup("linear", epochs=4), 12, 40, 1 - 0.99 * 7 / 36),
        (Cosine(horizon=30), 12, 30, (1 + np.cos(np.pi * 11 / 30)) / 2),
        (CosineRestarts(), 12, 30, (1 + np.cos(np.pi * 1 / 20)) / 2),
        (to_the_end, 12, 40, 1 - 11 / 40),
        (Piecewise((30,), (4.0, 1.0)), 12, 30, 1.0),
    ],
    ids=without_addresses,
)
@pytest.mark.parametrize("way", ["n_iter_no_change", "EarlyStopping", "tol"])
def test_a_number_is_obeyed_and_a_cut_is_told(schedule, epochs, length, share, way):
    given = {
        "n_iter_no_change": {"n_iter_no_change": 10},
        "EarlyStopping": {"early_stopping": EarlyStopping(patience=10)},
        "tol": {"n_iter_no_change": 10, "early_stopping": False, "monitor": "loss", "tol": 1e9},
    }[way]
    with pytest.warns(ConvergenceWarning, match="of its peak rate") as told:
        fitted = model(schedule=schedule, **given).fit(X, Y)
    (message,) = [str(w.message) for w in told]
    assert told[0].filename == __file__
    assert fitted.n_iter_ == epochs
    assert f"after epoch {epochs} of the {length} " in message
    assert f"at {share:.0%} of its peak" in message
    assert f"({fitted.end_reason_!r})" in message
    assert {"tol": "n_iter_no_change='auto'"}.get(way, way) in message
    assert "'auto'" in message


@pytest.mark.parametrize(
    "parameters",
    [
        {"schedule": "constant"},
        {"schedule": "performance"},
        {"schedule": slower},
        {"schedule": "cosine", "n_iter_no_change": 25},  # after 27 of 40 epochs: 27 %
        {"schedule": Cosine(horizon=8)},  # it had come to its end
    ],
    ids=without_addresses,
)
def test_no_cut_is_told_where_none_is(parameters):
    model(**{"n_iter_no_change": 10} | parameters).fit(X, Y)  # a warning would be an error


def test_members_that_were_cut_are_counted():
    with pytest.warns(
        ConvergenceWarning, match="The training of 3 of 3 ended .* epoch 5 of the 40"
    ):
        model(n_members=3, schedule="cosine", n_iter_no_change=3).fit(X, Y)


# Calls that go on, time, searches


def test_partial_fit_ends_nothing_and_takes_max_iter_calls_for_the_whole():
    fitted = model(schedule="linear", n_iter_no_change=1, max_iter=8)
    for _ in range(8):
        fitted.partial_fit(X, Y)
    assert fitted.lr_curve_ == pytest.approx(0.001 * (1 - 0.99 * np.arange(8) / 8))


def test_each_warm_fit_has_a_cycle_of_its_own_and_comes_to_its_end():
    fitted = model(schedule="one_cycle", warm_start=True, max_iter=20).fit(X, Y)
    fitted.fit(X, Y)
    assert len(fitted.lr_curve_) == 40
    assert fitted.end_reason_ == "max_iter"
    assert fitted.lr_curve_[20:] == pytest.approx(fitted.lr_curve_[:20])


def test_a_horizon_of_its_own_goes_over_warm_fits():
    fitted = model(schedule=Cosine(horizon=30), warm_start=True, max_iter=20).fit(X, Y)
    assert (len(fitted.lr_curve_), fitted.end_reason_) == (20, "max_iter")
    fitted.fit(X, Y)
    assert (len(fitted.lr_curve_), fitted.end_reason_) == (30, "patience")


def test_a_warm_fit_may_get_a_number_and_give_it_back():
    fitted = model(schedule="linear", warm_start=True, max_iter=20).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="after epoch 4 of the 20 "):
        fitted.set_params(n_iter_no_change=3).fit(X, Y)
    assert len(fitted.lr_curve_) == 24
    fitted.set_params(n_iter_no_change="auto").fit(X, Y)
    assert len(fitted.lr_curve_) == 44


def epochs(estimator, _X, _y):
    return float(estimator.n_iter_)


def slow(estimator, _X, _y):
    if estimator.n_iter_ == 3:  # epochs that are over
        time.sleep(0.6)
    return 0.0


@pytest.mark.parametrize("patience", ["auto", 30])
def test_max_time_does_not_wait_and_is_told(patience):
    fitted = model(schedule="linear", monitor=slow, max_time=0.5, n_iter_no_change=patience)
    with pytest.warns(
        ConvergenceWarning, match="after epoch 4 of the 40 .*at 93% .*Lower max_iter"
    ):
        fitted.fit(X, Y)
    assert (fitted.end_reason_, fitted.n_iter_) == ("time", 4)
    model(monitor=slow, max_time=0.5).fit(X, Y)  # without a plan nothing is lost


def test_members_of_a_stack_wait_each_by_its_own_rule():
    rules = {
        ("constant", "auto"): BY_TEN,
        ("constant", 3): 5,
        ("linear", "auto"): MAX_ITER,
        ("linear", 30): 32,
        (Cosine(horizon=20), "auto"): 20,
        (to_the_end, "auto"): MAX_ITER,
    }
    grid = [{"schedule": [s], "n_iter_no_change": [n]} for s, n in rules]
    network = model(early_stopping=False, monitor="loss", tol=1e9)
    search = GridSearchCV(network, grid, cv=2, scoring=epochs, refit=False).fit(X, Y)
    assert search.cv_results_["mean_test_score"].tolist() == list(rules.values())


# Presets and the recipe for tables


@pytest.mark.parametrize("preset", [DENSE, SELF_NORMALIZING], ids=["DENSE", "SELF_NORMALIZING"])
@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_presets_of_one_cycle_come_to_its_end(preset, stops, cls):
    given = {**preset, "hidden_layer_sizes": (5,), "early_stopping": stops, "max_iter": 30}
    fitted = cls(**given, tol=1e9, random_state=0).fit(X, Y > 0 if cls is MLPClassifier else Y)
    assert (fitted.n_iter_, fitted.end_reason_) == (30, "max_iter")
    assert fitted.lr_curve_[-1] < 0.1 * max(fitted.lr_curve_)


WIDE = rng.normal(size=(200, 3))


def test_the_recipe_keeps_its_patience_with_its_own_schedule_alone():
    def read(**parameters):
        given = {"max_iter": 2, "random_state": 0} | parameters
        spec = MLPRegressor(**given).fit(WIDE, WIDE[:, 0]).spec_
        assert spec["by_recipe"]
        rule = spec["stopping"]
        return spec["n_iter_no_change"] if rule is None else rule["patience"], spec["whole_cycles"]

    assert read() == (12, False)
    assert read(early_stopping=EarlyStopping()) == (12, False)
    assert read(early_stopping=False) == (np.inf, False)
    assert read(schedule="one_cycle") == (np.inf, True)
    assert read(schedule="one_cycle", early_stopping=EarlyStopping()) == (np.inf, True)
    assert read(schedule=Cosine(horizon=5)) == (10, True)
    for number in (
        {"dropout": Scheduled(0.1, "linear")},
        {"dropout": Dropout(Scheduled(0.1, "linear"))},
        {"input_dropout": Scheduled(0.1, "linear")},
        {"weight_decay": Scheduled(0.1, "linear")},
        {"optimizer": Adam(Scheduled(0.9, "linear"))},
        {"optimizer": Lookahead(AdamW(weight_decay=Scheduled(0.1, "linear")))},
    ):
        assert read(**number) == (np.inf, True), number
    short = Cosine(horizon=5)
    assert read(schedule=short, dropout=Scheduled(0.1, short)) == (10, True)
    assert read(schedule=short, dropout=Scheduled(0.1, "linear")) == (np.inf, True)
    assert read(dropout=0.1, optimizer=AdamW(weight_decay=0.1)) == (12, False)
    assert read(schedule="one_cycle", n_iter_no_change=5) == (5, False)


def test_the_recipes_own_schedule_is_told_of_where_a_shorter_patience_cuts_it():
    given = {"tol": 1e9, "n_members": 2, "random_state": 0}
    MLPRegressor(**given).fit(WIDE, WIDE[:, 0])  # twelve idle epochs are what was found to do
    MLPRegressor(**given | {"n_iter_no_change": BEST["n_iter_no_change"]}).fit(WIDE, WIDE[:, 0])
    with pytest.warns(ConvergenceWarning, match="after epoch 4 of the 60 "):
        MLPRegressor(**given, n_iter_no_change=2).fit(WIDE, WIDE[:, 0])
