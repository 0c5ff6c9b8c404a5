"""What "auto" chooses: the recipe for tables, or the plain values."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from checks import with_every_check
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV as TheirGridSearchCV

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.specification import PLAIN, auto
from sklearn_dnn._core.specification.auto import recipe
from sklearn_dnn.components import Accumulated, AdamW, Bagging, Dropout, Scheduled
from sklearn_dnn.model_selection import GridSearchCV
from sklearn_dnn.presets import BEST, FAST

X, Y = make_classification(500, 6, n_informative=4, flip_y=0.1, random_state=0)
SOME = {"max_iter": 6, "random_state": 0}


def frame():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X, columns=list("abcdef"))
    table["kind"] = pd.Series(rng.choice(["x", "y", "z"], 500), dtype="category")
    table.loc[rng.choice(500, 60, replace=False), "a"] = np.nan
    return table


def test_the_recipe_is_what_the_documentation_says():
    spec = MLPClassifier(**SOME).fit(X, Y).spec_
    assert spec["by_recipe"]
    assert spec["hidden_layer_sizes"] == [128, 128]
    assert spec["n_members"] == 8
    assert [part["component"] for part in spec["activation"]] == ["Silu"] * 2
    assert [rule["rate"] for rule in spec["dropout"]] == [0.05] * 2
    assert [part["component"] for part in spec["initializer"]] == ["HeNormal"] * 2 + ["LecunNormal"]
    assert spec["optimizer"]["component"] == "AdamW"
    assert spec["learning_rate_init"] == pytest.approx(0.01 * np.sqrt(500 / 600))
    assert spec["schedule"]["schedule"]["component"] == "Cosine"
    assert spec["schedule"]["initial_factor"] == 0.1
    assert spec["input_scaling"] == "quantile_robust"
    assert spec["numeric_embedding"]["component"] == "Periodic"
    assert spec["calibration"] == "temperature"
    assert spec["n_iter_no_change"] == 12
    assert spec["dtype"] == "float32"
    assert spec["task"]["n_training"] == 500 - 500 // 8
    assert spec["batch_size"] == 28  # 16 batches of 27, and 5 rows more
    assert spec["max_iter"] == 6
    assert MLPClassifier(random_state=0).fit(X[:200], Y[:200]).spec_["max_iter"] == 60


@pytest.mark.parametrize(
    ("n_training", "n_batches", "batch_size"),
    [(88, 5, 18), (256, 16, 16), (1000, 16, 63), (4096, 16, 256), (8750, 34, 258)],
)
def test_batches_of_the_recipe(n_training, n_batches, batch_size):
    chosen = recipe("binary", n_training, 5, n_training=n_training)
    assert chosen["batch_size"] == batch_size
    assert -(-n_training // batch_size) == n_batches


def test_the_recipe_of_regressors():
    spec = MLPRegressor(**SOME).fit(X[:, :5], X[:, 5]).spec_
    assert [part["component"] for part in spec["activation"]] == ["Gelu"] * 2
    assert spec["learning_rate_init"] == pytest.approx(0.015 * np.sqrt(500 / 600))
    assert spec["calibration"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_sizes": (100,)},
        {"warm_start": True},
        {"optimizer": "lbfgs"},
        {"optimizer": "rprop", "batch_size": "full"},
    ],
    ids=repr,
)
def test_plain_values_where_the_recipe_does_not_fit(change):
    network = MLPClassifier(**SOME | change, dtype="float64")
    asked = {name: value for name, value in PLAIN.items() if name not in SOME | change}
    named = MLPClassifier(**SOME | change | asked, dtype="float64")
    first, second = (_fitted(model) for model in (network, named))
    assert not first.spec_["by_recipe"]
    assert first.spec_ == second.spec_
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))


def _fitted(network, *table):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return network.fit(*(table or (X, Y)))


def _as_marked_plain(monkeypatch, network):
    """Fitted as in a test that is marked so."""
    with monkeypatch.context() as patch:
        patch.setattr(auto, "LEAST_ROWS", np.inf)
        return _fitted(network)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_tests_marked_plain_differ_by_what_auto_stands_for_alone(monkeypatch, cls):
    network = cls(**SOME)
    asked = {name: PLAIN[name] for name in cls._parameters if name in PLAIN}
    named, marked = _fitted(cls(**asked | SOME)), _as_marked_plain(monkeypatch, clone(network))
    assert named.spec_ == marked.spec_
    assert np.array_equal(named.predict(X), marked.predict(X))
    by_recipe = _fitted(clone(network))
    assert by_recipe.spec_["by_recipe"]
    kind = "regression" if cls is MLPRegressor else "binary"
    chosen = recipe(kind, 500, 6, n_training=500 - 500 // 8, max_iter=SOME["max_iter"])
    if cls is MLPRegressor:
        del chosen["calibration"]  # of probabilities
    named, marked = (
        _fitted(cls(**SOME | chosen)),
        _as_marked_plain(monkeypatch, cls(**SOME | chosen)),
    )
    assert named.spec_ == marked.spec_ == by_recipe.spec_ | {"by_recipe": False}
    for network in (named, marked):
        assert np.array_equal(network.predict(X), by_recipe.predict(X))


@pytest.mark.plain
def test_in_a_test_marked_plain_the_recipe_does_not_choose():
    assert not _fitted(MLPClassifier(**SOME)).spec_["by_recipe"]


def test_small_and_sparse_tables_and_partial_fit_are_plain():
    assert not _fitted(MLPClassifier(**SOME), X[:99], Y[:99]).spec_["by_recipe"]
    assert not _fitted(MLPClassifier(**SOME), sp.csr_matrix(X), Y).spec_["by_recipe"]
    network = MLPClassifier(**SOME)
    for _ in range(2):
        network.partial_fit(X, Y, classes=[0, 1])
    assert not network.spec_["by_recipe"]
    assert len(network.members_) == 1


def test_what_is_set_stays():
    network = MLPClassifier(
        **SOME, activation="relu", n_members=3, dropout=0.0, input_scaling="standard"
    ).fit(X, Y)
    spec = network.spec_
    assert spec["by_recipe"]
    assert [part["component"] for part in spec["activation"]] == ["Relu"] * 2
    assert spec["n_members"] == 3
    assert spec["input_scaling"] == "standard"
    assert spec["task"]["n_training"] == 500 - 500 // 3
    assert spec["numeric_embedding"]["component"] == "Periodic"


@pytest.mark.parametrize(
    ("change", "driven", "n_idle"),
    [
        ({"dropout": Scheduled(0.1, "linear")}, ["dropout_0", "dropout_1"], np.inf),
        ({"dropout": Dropout(Scheduled(0.1, "linear"))}, ["dropout_0", "dropout_1"], np.inf),
        ({"input_dropout": Scheduled(0.1, "linear")}, ["input_dropout"], np.inf),
        ({"weight_decay": Scheduled(0.1, "cosine")}, ["weight_decay"], np.inf),
        ({"optimizer": AdamW(Scheduled(0.9, "momentum_cycle"))}, ["momentum"], np.inf),
        ({"optimizer": AdamW(weight_decay=Scheduled(0.1, "linear"))}, ["weight_decay"], np.inf),
        ({"weight_decay": 0.1, "input_dropout": 0.1, "dropout": 0.1}, [], 12),
    ],
    ids=str,
)
def test_scheduled_numbers_and_the_patience_of_the_recipe(change, driven, n_idle):
    spec = MLPClassifier(**SOME, **change).fit(X, Y).spec_
    assert spec["by_recipe"]
    assert spec["n_members"] == 8
    assert sorted(spec["driven"]) == driven
    assert spec["n_iter_no_change"] == n_idle  # the recipe's own suits its schedule alone
    assert spec["whole_cycles"] == bool(driven)
    if "dropout" in change:
        assert [rule["rate"] for rule in spec["dropout"]] == [0.1] * 2
    if "weight_decay" in change:  # it stands in the place of the recipe's
        assert spec["weight_decay"] == 0.1
        assert spec["optimizer"]["weight_decay"] == 0.0


def test_no_decay_that_is_scheduled_leaves_that_of_the_recipe():
    plain, none = (
        MLPClassifier(**SOME, **change).fit(X, Y)
        for change in ({"n_iter_no_change": 12}, {"weight_decay": Scheduled(0.0, "linear")})
    )
    assert none.spec_["optimizer"] == plain.spec_["optimizer"]
    assert none.spec_["optimizer"]["weight_decay"] > 0
    assert none.spec_["driven"] == {}


def test_accumulated_batches_are_of_the_recipes_size_or_ones_own():
    for batches, size in ((Accumulated(), 28), (Accumulated(steps=3), 28), (Accumulated(50), 50)):
        spec = MLPClassifier(**SOME, batch_size=batches).fit(X, Y).spec_
        assert spec["by_recipe"]
        assert (spec["batch_size"], spec["accumulation_steps"]) == (size, batches.steps)


def test_members_that_draw_rows_take_folds_too():
    bags = MLPClassifier(**SOME, ensemble=Bagging()).fit(X, Y)
    assert bags.spec_["n_members"] == 8
    assert bags.spec_["task"]["n_training"] == 500 - 500 // 8
    assert bags.spec_["ensemble"] == {"component": "Bagging", "fraction": 1.0, "bootstrap": True}


def test_without_early_stopping_all_rows_train_to_the_end():
    network = MLPClassifier(**SOME, early_stopping=False).fit(X, Y)
    assert network.spec_["task"]["n_training"] == 500
    assert network.spec_["calibration"] is None
    assert network.temperature_ == 1
    assert {member["n_iter"] for member in network.members_} == {6}


def test_a_validation_set_judges_all_members():
    network = MLPClassifier(**SOME).fit(X[:400], Y[:400], X_val=X[400:], y_val=Y[400:])
    assert network.spec_["task"]["n_training"] == 400
    assert network.temperature_ != 1


def test_members_that_share_and_one_network_hold_out_a_part():
    shared = MLPClassifier(**SOME, ensemble="shared").fit(X, Y)
    single = MLPClassifier(**SOME, n_members=1).fit(X, Y)
    for network in (shared, single):
        assert network.spec_["task"]["n_training"] == 400


def test_folds_where_the_recipe_does_not_apply():
    with pytest.raises(ValueError, match="the recipe for tables does not apply, 'auto' is 1"):
        MLPClassifier(validation_fraction="folds").fit(X[:90], Y[:90])


def test_going_on_after_the_recipe():
    network = _fitted(MLPClassifier(**SOME, schedule="constant"))
    before = network.predict_proba(X)
    network.partial_fit(X, Y)  # without a warning: the recipe goes on without held-out rows
    assert network.spec_["n_members"] == 8
    assert not np.array_equal(network.predict_proba(X), before)


def test_the_recipes_schedule_has_ended_where_training_goes_on():
    network = MLPClassifier(**SOME).fit(X, Y)
    assert network.lr_curve_[-1] < 0.1 * network.spec_["learning_rate_init"]
    network.partial_fit(X, Y)
    assert network.lr_curve_[-1] == pytest.approx(network.spec_["learning_rate_init"])


def test_a_plain_fit_can_be_gone_on_with_more_than_once():
    network = MLPClassifier(**SOME, early_stopping=True).fit(X, Y)
    with pytest.warns(UserWarning, match="was not kept"):
        network.partial_fit(X, Y)
    network.partial_fit(X, Y)
    assert network.temperature_ == 1
    assert network.spec_["calibration"] is None
    network = MLPClassifier(**SOME).fit(X, Y).set_params(warm_start=True)
    for _ in range(2):
        _fitted(network)
    assert len(network.loss_curve_) == 18


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_a_table_of_categories_alone(cls):
    table = frame()[["kind"]]
    network = cls(**SOME).fit(table, Y)
    assert np.isfinite(network.predict(table)).all()


def test_few_rows_to_judge_by_fit_no_temperature():
    few = MLPClassifier(**SOME).fit(X, Y, X_val=X[:60], y_val=Y[:60])
    assert few.spec_["calibration"] is None
    two = MLPClassifier(**SOME, n_members=2).fit(X[:200], Y[:200])
    assert two.spec_["calibration"] == "temperature"
    one = MLPClassifier(**SOME, n_members=1, validation_fraction=0.1).fit(X, Y)
    assert one.spec_["calibration"] is None


def test_many_members_and_few_rows():
    network = MLPClassifier(**SOME, n_members=16).fit(X[:120], Y[:120])
    assert len(network.members_) == 16
    assert network.spec_["task"]["n_training"] == 96


@pytest.mark.parametrize(
    ("change", "given", "n_training"),
    [
        ({"early_stopping": False}, {}, 1000),
        ({}, {"X_val": X[:150], "y_val": Y[:150]}, 1000),
        ({"ensemble": Bagging(0.5, bootstrap=False)}, {}, 438),
        ({"ensemble": Bagging(0.5)}, {}, 438),
        ({"ensemble": Bagging()}, {}, 875),
        ({}, {}, 875),
    ],
)
def test_batches_are_of_one_size(change, given, n_training):
    table = np.tile(X, (2, 1)), np.tile(Y, 2)
    spec = MLPClassifier(**SOME | {"max_iter": 2} | change).fit(*table, **given).spec_
    assert spec["task"]["n_training"] == n_training
    n_batches = -(-n_training // spec["batch_size"])
    assert n_batches * spec["batch_size"] - n_training < n_batches
    assert n_batches == 16


def test_one_epoch_of_one_step_learns():
    network = MLPClassifier(max_iter=1, random_state=0).fit(X, Y)
    assert network.lr_curve_[0] > 0


def test_what_goes_with_what_the_user_set():
    selu = MLPClassifier(**SOME, activation="selu").fit(X, Y).spec_
    assert selu["numeric_embedding"] is None
    assert [rule["rate"] for rule in selu["dropout"]] == [0.0] * 2
    assert selu["initializer"][0]["component"].startswith("Lecun")
    one_a_layer = _fitted(MLPClassifier(**SOME, activation=["tanh"]))
    assert not one_a_layer.spec_["by_recipe"]
    assert hasattr(MLPRegressor(), "predict_quantiles")
    assert not hasattr(MLPRegressor((5,)), "predict_quantiles")


@pytest.mark.parametrize("cls", [MLPClassifier, pytest.param(MLPRegressor, marks=pytest.mark.slow)])
def test_raw_frames_in_searches_pickles_and_importances(cls):
    table = frame()
    network = cls(**SOME).fit(table, Y)
    twin = pickle.loads(pickle.dumps(network))
    assert np.array_equal(twin.predict(table), network.predict(table))
    again = clone(network).fit(table, Y)
    assert np.array_equal(again.predict(table), network.predict(table))
    importance = permutation_importance(network, table, Y, n_repeats=2, random_state=0)
    assert len(importance.importances_mean) == 7
    asked = {"cv": 2, "refit": False, "n_jobs": 1, "error_score": "raise"}
    space = {"weight_decay": [0.0, 0.1]}
    ours = GridSearchCV(cls(**SOME), space, **asked).fit(table, Y)
    theirs = TheirGridSearchCV(cls(**SOME), space, **asked).fit(table, Y)
    # members draw their masks from the stack's stream: equal in distribution
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=0.1
    )
    still = {"dropout": 0.0, **SOME}
    ours = GridSearchCV(cls(**still), space, **asked).fit(table, Y)
    theirs = TheirGridSearchCV(cls(**still), space, **asked).fit(table, Y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=0.01
    )


def test_several_targets_and_deviations():
    X, Y = make_regression(300, 5, n_targets=2, random_state=0)
    network = MLPRegressor(**SOME).fit(X, Y)
    mean, deviation = network.predict(X, return_std=True)
    assert mean.shape == deviation.shape == (300, 2)
    assert (deviation > 0).all()
    with pytest.raises(ValueError, match="groups"):
        MLPRegressor(**SOME).fit(X, Y, groups=np.arange(300))


@pytest.mark.parametrize("preset", [FAST, BEST], ids=["FAST", "BEST"])
def test_presets_follow_the_recipe(preset):
    network = MLPClassifier(**{**preset, "max_iter": 20}, random_state=0).fit(X, Y)
    assert network.spec_["by_recipe"]
    assert network.spec_["n_members"] == preset["n_members"]
    assert network.score(X, Y) > 0.8


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:No validation part was held out:UserWarning")
@with_every_check([MLPClassifier(), MLPRegressor()])
def test_every_check_on_the_defaults(estimator, check):
    check(estimator)
