"""Presets: both estimators take them, they say where they are from, and searches can use them."""

from __future__ import annotations

import copy
import pickle
import re
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from checks import with_every_check
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import FTRL, Momentum
from sklearn_dnn.presets import (
    ABOUT,
    DENSE,
    GERON_EARLY,
    PRESETS,
    RISK_SENSITIVE,
    SKLEARN,
    SPARSE,
    param_distributions,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:No validation part was held out:UserWarning"),
    # SKLEARN takes columns as they are, and some of the checks' are far from standard
    pytest.mark.filterwarnings("ignore:input_scaling=None, but columns of X:UserWarning"),
]

ESTIMATORS = [MLPClassifier, MLPRegressor]
DATA = {MLPClassifier: load_iris(return_X_y=True), MLPRegressor: load_diabetes(return_X_y=True)}


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_says_where_it_is_from(name):
    about = ABOUT[name]
    assert about.source
    assert about.use
    assert about.note.endswith(".")
    assert 1990 < about.year <= 2026
    assert set(ABOUT) == set(PRESETS)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("name", list(PRESETS))
def test_both_estimators_take_it_and_clone_and_pickle(name, cls):
    preset = PRESETS[name]
    network = cls(**preset)
    assert {k: repr(v) for k, v in network.get_params().items() if k in preset} == {
        k: repr(v) for k, v in preset.items()
    }
    twin = pickle.loads(pickle.dumps(clone(network)))
    assert repr(twin.get_params()) == repr(network.get_params())
    network.set_params(**PRESETS["DENSE"])


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_read_only_all_the_way(name):
    with pytest.raises(TypeError):
        PRESETS[name]["alpha"] = 1.0
    # what could be changed is a copy: no two estimators share it
    before = repr(PRESETS[name])
    first, second = MLPClassifier(**PRESETS[name]), MLPClassifier(**PRESETS[name])
    nested = {k: v for k, v in first.get_params().items() if "__" in k}
    first.set_params(**dict.fromkeys(nested, None))
    assert {k: v for k, v in second.get_params().items() if "__" in k} == nested
    assert repr(PRESETS[name]) == before
    assert repr(copy.deepcopy(PRESETS[name])) == repr(pickle.loads(pickle.dumps(PRESETS[name])))
    assert len(PRESETS[name]) == len(dict(PRESETS[name]))


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "BEST" else []) for n in PRESETS]
)
def test_it_learns(name, cls):
    X, y = DATA[cls]
    score = cross_val_score(
        cls(**PRESETS[name], random_state=0).set_params(n_threads=1), X, y, cv=3
    )
    # the iris are told apart by any sound network; of the diabetics half the variance is noise
    limit = 0.9 if cls is MLPClassifier else 0.2
    if name == "SKLEARN" and cls is MLPRegressor:  # columns of deviation 0.05, as in its source
        limit = -0.1
    assert score.mean() > limit


# Whose sources name early stopping, and those that draw a mask of dropout for each row.
STOPPING = ["GERON_EARLY", "DENSE", "REGULARIZED"]
MASKED = ["REGULARIZED", "RISK_SENSITIVE"]


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("name", list(PRESETS))
def test_what_promises_early_stopping_holds_rows_out_of_any_table(name, cls):
    X, y = DATA[cls]
    network = cls(**{**PRESETS[name], "max_iter": 2, "hidden_layer_sizes": (4,)}).fit(X, y)
    assert network.spec_["early_stopping"] is (name in STOPPING)
    n_held = -(-len(X) // 10) if name in STOPPING else 0
    assert network.spec_["task"]["n_training"] == len(X) - n_held
    assert (network.validation_loss_curve_ is not None) is (name in STOPPING)


def test_the_rate_of_geron_early_follows_the_validation_error():
    X, y = DATA[MLPRegressor]
    network = MLPRegressor(**{**GERON_EARLY, "n_iter_no_change": 40}, random_state=0).fit(X, y)

    def rates(values):
        """Half of it after five values in a row that are not 1e-4 below the lowest before."""
        factor, lowest, idle, found = 1.0, np.inf, 0, []
        for value in values:
            found.append(0.001 * factor)
            idle = 0 if value < lowest - 1e-4 else idle + 1
            lowest = min(lowest, value)
            if idle == 5:
                factor, idle = factor / 2, 0
        return found

    assert network.lr_curve_ == pytest.approx(rates(network.validation_loss_curve_))
    assert network.lr_curve_ != pytest.approx(rates(network.loss_curve_))
    assert network.lr_curve_[-1] < network.lr_curve_[0]


@pytest.mark.parametrize("name", MASKED)
def test_dropout_draws_a_mask_for_each_row(name):
    X, y = DATA[MLPRegressor]
    network = MLPRegressor(**{**PRESETS[name], "max_iter": 1}, random_state=0).fit(X, y)
    assert {rule["rate"] for rule in network.spec_["dropout"]} == {PRESETS[name]["dropout"]}
    # rows that are all the same differ by their masks alone
    p = network.predict(np.repeat(X[:1], 20, axis=0), n_samples=1)
    assert len(np.unique(p)) > 10


@pytest.mark.parametrize("name", list(PRESETS))
def test_it_stops_early_where_there_are_rows_to_hold_out(name):
    X = np.random.default_rng(0).normal(size=(10_001, 2))
    network = MLPClassifier(**{**PRESETS[name], "max_iter": 1}).fit(X, X[:, 0] > 0)
    assert network.spec_["early_stopping"] == (name != "SKLEARN")


def test_sklearn_is_scikit_learns_default():
    theirs = SklearnClassifier().get_params()
    same = set(SKLEARN) & set(theirs)
    assert {"alpha", "batch_size", "max_iter", "tol", "early_stopping", "shuffle"} <= same
    assert {k: SKLEARN[k] for k in same} == {k: theirs[k] for k in same}
    assert SKLEARN["optimizer"] == theirs["solver"]
    assert SKLEARN["schedule"] == theirs["learning_rate"]
    given = {**SKLEARN, "max_iter": 2, "target_scaling": None}
    regressor = MLPRegressor(**given, random_state=0)
    regressor.fit(*DATA[MLPRegressor])
    assert regressor.input_mean_ is None


def test_biases_of_sklearn_begin_as_scikit_learns():
    given = {"max_iter": 1, "learning_rate_init": 1e-30, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = SklearnClassifier(**given).fit(*DATA[MLPClassifier])
    ours = MLPClassifier(**{**SKLEARN, **given}).fit(*DATA[MLPClassifier])
    for mine, other, coef in zip(ours.intercepts_, theirs.intercepts_, ours.coefs_, strict=True):
        limit = (6 / sum(coef.shape)) ** 0.5
        for biases in (mine, other):
            assert np.all(np.abs(biases) <= limit)
            assert np.abs(biases).max() > limit / 10
    assert np.abs(ours.intercepts_[0]).max() > 0.9 * (6 / 104) ** 0.5


@pytest.mark.parametrize("name", ["GERON_EARLY", "SELF_NORMALIZING"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_selu_keeps_its_conditions(name, cls):
    cls(**{**PRESETS[name], "max_iter": 1}).fit(*DATA[cls])  # a warning would be an error


def test_deep_networks_of_dense_have_batch_norm():
    X, y = DATA[MLPClassifier]
    norms = [
        MLPClassifier(**{**DENSE, "hidden_layer_sizes": (8,) * depth, "max_iter": 1})
        .fit(X, y)
        .spec_["norm"]
        for depth in (2, 6)
    ]
    assert norms[0] is None
    assert norms[1]["component"] == "BatchNorm"


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_sparse_networks_have_exact_zeros_and_are_as_good(cls):
    X, y = DATA[cls]
    network, full = (
        cls(**{**SPARSE, "optimizer": FTRL(l1=l1)}, random_state=0, n_threads=1).fit(X[::2], y[::2])
        for l1 in (3.0, 0.0)
    )
    zeros = [np.mean(np.concatenate([c.ravel() for c in e.coefs_]) == 0) for e in (network, full)]
    assert zeros[0] > 0.25
    assert zeros[1] < 0.01
    assert network.score(X[1::2], y[1::2]) > full.score(X[1::2], y[1::2]) - 0.05
    assert repr(SPARSE["optimizer"]) == repr(FTRL(l1=3.0))


def test_risk_sensitive_networks_tell_how_sure_they_are():
    X, y = DATA[MLPRegressor]
    network = MLPRegressor(**{**RISK_SENSITIVE, "max_iter": 20}, random_state=0).fit(X, y)
    _, near = network.predict(X[:50], n_samples=50, return_std=True)
    _, far = network.predict(20 * X[:50], n_samples=50, return_std=True)
    assert np.all(near > 0)
    assert np.median(far) > 2 * np.median(near)  # where nothing was seen
    X, y = DATA[MLPClassifier]
    network = MLPClassifier(**{**RISK_SENSITIVE, "max_iter": 3}, random_state=0).fit(X, y)
    p, spread = network.predict_proba(X, n_samples=20, return_std=True)
    assert p.shape == spread.shape
    assert np.all(spread > 0)


def test_a_preset_can_be_searched():
    search = RandomizedSearchCV(
        MLPClassifier(**{**DENSE, "optimizer": Momentum(), "max_iter": 3}, random_state=0),
        {"optimizer__momentum": [0.8, 0.99]},
        n_iter=2,
        cv=2,
    )
    search.fit(*DATA[MLPClassifier])
    assert search.best_params_["optimizer__momentum"] in {0.8, 0.99}


# Most checks do not depend on the preset: one by the recipe and one plain network by default.
QUICK = ["FAST", "SKLEARN"]
SLOW = [name for name in PRESETS if name not in QUICK]


def networks(names):
    return [cls(**PRESETS[name]) for name in names for cls in ESTIMATORS]


# A held-out part and masks of rows are drawn for the rows there are: not the same for a row of
# weight 2 as for the row twice.
REASON = "rows do not meet every step unchanged: a split, or masks"
WEIGHT_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}


def excepted(network):
    """The checks that a preset's network is not meant to pass."""
    unequal = [{**PRESETS[name]} for name in {*STOPPING, *MASKED}]
    given = network.get_params(deep=False)
    if any(all(repr(given[k]) == repr(v) for k, v in preset.items()) for preset in unequal):
        return dict.fromkeys(WEIGHT_CHECKS, REASON)
    return {}


def checks_of_weights():
    for network in networks(SLOW):
        if excepted(network):
            continue
        for estimator, check in estimator_checks_generator(network):
            if check.func.__name__ in WEIGHT_CHECKS:
                yield estimator, check


def not_warned_of(test):
    """Some checks set alpha themselves, or give less rows than a batch has."""
    for warning in (
        "ignore:activation='selu' .* broken. alpha=0.01 :UserWarning",
        "ignore:batch_size=64 is larger than the:UserWarning",
    ):
        test = pytest.mark.filterwarnings(warning)(test)
    return test


@pytest.mark.slow
@not_warned_of
@with_every_check(networks(QUICK), expected_failed_checks=excepted)
def test_every_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@not_warned_of
@with_every_check(networks(SLOW), expected_failed_checks=excepted)
def test_every_check_of_the_others(estimator, check):
    check(estimator)


@not_warned_of
@pytest.mark.parametrize(("estimator", "check"), list(checks_of_weights()))
def test_weights_are_repeated_rows_with_norms_too(estimator, check):
    check(estimator)


# Spaces to search


@pytest.mark.parametrize(
    ("size", "kind", "cls"),
    [
        ("small", None, MLPClassifier),
        ("small", "regressor", MLPRegressor),
        ("large", "classifier", MLPClassifier),
        ("large", "regressor", MLPRegressor),
    ],
)
def test_every_sampled_candidate_fits(size, kind, cls):
    X, y = DATA[cls]
    for candidate in ParameterSampler(param_distributions(size, kind=kind), 12, random_state=0):
        network = clone(cls(max_iter=2, random_state=0)).set_params(**clone(candidate, safe=False))
        network.fit(X, y)
        assert np.isfinite(network.loss_curve_).all()


def test_samples_lie_where_they_should():
    samples = list(ParameterSampler(param_distributions("large"), 400, random_state=0))
    momenta = [s["optimizer__momentum"] for s in samples if "optimizer__momentum" in s]
    assert 0.8 <= min(momenta) < 0.82
    assert 0.97 < max(momenta) <= 0.99
    assert 100 < len(momenta) < 300
    rates = np.log10([s["learning_rate_init"] for s in samples])
    assert rates.min() >= -5
    assert rates.max() <= -1
    assert {s["hidden_layer_sizes__depth"] for s in samples} == set(range(1, 7))
    # what hangs together is searched together
    together = {"learning_rate_init", "batch_size", "weight_decay", "optimizer__momentum"}
    assert together <= set(param_distributions("large")[0])
    assert set(param_distributions("small")[0]) < set(param_distributions("large")[0])


def test_a_randomized_search_takes_it_and_spaces_are_not_shared():
    search = RandomizedSearchCV(
        MLPClassifier(max_iter=2, random_state=0), param_distributions(), n_iter=4, cv=2,
        random_state=0, error_score="raise",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "batch_size=128 is larger than", UserWarning)
        search.fit(*DATA[MLPClassifier])
    assert len(search.cv_results_["params"]) == 4
    first, second = param_distributions(), param_distributions()
    assert first[0]["optimizer"][0] is not second[0]["optimizer"][0]


@pytest.mark.parametrize("parameters", [{"size": "huge"}, {"kind": "clusterer"}])
def test_unknown_spaces_are_refused(parameters):
    with pytest.raises(ValueError, match=r"must be .*Got '(huge|clusterer)'"):
        param_distributions(**parameters)


# The pages


@pytest.mark.parametrize("page", ["presets", "inspection"])
def test_programs_of_the_page_run(page, capsys):
    pytest.importorskip("matplotlib").use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    text = (Path(__file__).parents[1] / "docs" / f"{page}.rst").read_text("utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)
    names = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "batch_size=128 is larger than", UserWarning)
        for block in blocks:
            exec(textwrap.dedent(block), names)  # one program, its parts in order
    assert len(blocks) >= 3
    pyplot.close("all")
    if page == "inspection":
        assert "vanishing" in capsys.readouterr().out
