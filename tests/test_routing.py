"""Weights, groups and validation sets on their way through scikit-learn's metadata routing."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor

# Fits are kept short; whether they have converged is not what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.02, "random_state": 0}


def _classifier(**parameters):
    return MLPClassifier(**{**QUICK, **parameters})


def _regressor(**parameters):
    return MLPRegressor(**{**QUICK, **parameters})


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(scope="module")
def labelled():
    X, y = make_classification(120, 5, n_informative=4, n_redundant=0, random_state=0)
    return 7 * X + 3, y, np.random.default_rng(0).uniform(0.1, 4, len(y))


@pytest.fixture(scope="module")
def numbers():
    X, y = make_regression(120, 5, noise=5.0, random_state=0)
    return 7 * X + 3, y, np.random.default_rng(1).uniform(0.1, 4, len(y))


def _same_fit(a, b):
    assert a.loss_curve_ == b.loss_curve_
    assert a.validation_scores_ == b.validation_scores_
    for ours, theirs in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# Routing


@pytest.mark.usefixtures("routing")
def test_validation_set_goes_through_a_pipeline_scaled(labelled):
    X, y, w = labelled
    # without the estimator's own scaling, an unscaled validation set is seen at once
    net = _classifier(input_scaling=None).set_fit_request(
        sample_weight=True, X_val=True, y_val=True, sample_weight_val=True
    )
    pipeline = Pipeline([("scale", StandardScaler()), ("net", net)], transform_input=["X_val"])
    train, held = slice(0, 80), slice(80, None)
    # the scaler did not ask for weights
    pipeline.named_steps["scale"].set_fit_request(sample_weight=False)
    pipeline.fit(
        X[train],
        y[train],
        sample_weight=w[train],
        X_val=X[held],
        y_val=y[held],
        sample_weight_val=w[held],
    )
    scaler = StandardScaler().fit(X[train])
    by_hand = _classifier(input_scaling=None).fit(
        scaler.transform(X[train]),
        y[train],
        sample_weight=w[train],
        X_val=scaler.transform(X[held]),
        y_val=y[held],
        sample_weight_val=w[held],
    )
    _same_fit(pipeline["net"], by_hand)
    assert by_hand.spec_["early_stopping"]


@pytest.mark.usefixtures("routing")
def test_each_routed_thing_matters(numbers):
    X, y, w = numbers
    given = {"sample_weight": w, "X_val": X[:40], "y_val": y[:40], "sample_weight_val": w[:40]}
    full = _regressor().fit(X, y, **given)
    for name in ("sample_weight", "sample_weight_val"):
        without = _regressor().fit(X, y, **{k: v for k, v in given.items() if k != name})
        assert without.validation_loss_curve_ != full.validation_loss_curve_, name


@pytest.mark.usefixtures("routing")
def test_nothing_is_routed_that_was_not_asked_for(labelled):
    X, y, w = labelled
    scaler = StandardScaler().set_fit_request(sample_weight=True)
    pipeline = make_pipeline(scaler, _classifier())
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        pipeline.fit(X, y, sample_weight=w)
    pipeline[-1].set_fit_request(sample_weight=False)
    pipeline.fit(X, y, sample_weight=w)
    Z = StandardScaler().fit(X, sample_weight=w).transform(X)
    _same_fit(pipeline[-1], _classifier().fit(Z, y))


@pytest.mark.usefixtures("routing")
def test_grid_search_splits_routed_weights(labelled):
    X, y, w = labelled
    model = _classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = GridSearchCV(model, {"alpha": [1e-4, 10.0]}, cv=KFold(3), error_score="raise")
    search.fit(X, y, sample_weight=w)
    for i, alpha in enumerate((1e-4, 10.0)):
        scores = []
        for a, b in KFold(3).split(X):
            fitted = _classifier(alpha=alpha).fit(X[a], y[a], sample_weight=w[a])
            scores.append(fitted.score(X[b], y[b], sample_weight=w[b]))
        assert search.cv_results_["mean_test_score"][i] == pytest.approx(np.mean(scores))
    best = _classifier(**search.best_params_).fit(X, y, sample_weight=w)
    _same_fit(search.best_estimator_, best)


@pytest.mark.usefixtures("routing")
def test_cross_validation_splits_weights_and_groups(numbers):
    X, y, w = numbers
    groups = np.arange(len(y)) % 12
    inner = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    model = _regressor(early_stopping=True, validation_fraction=inner)
    model.set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=False)
    result = cross_validate(
        model,
        X,
        y,
        cv=GroupKFold(3),
        params={"sample_weight": w, "groups": groups},
        return_estimator=True,
        error_score="raise",
    )
    for fitted, (a, _) in zip(result["estimator"], GroupKFold(3).split(X, y, groups), strict=True):
        by_hand = clone(model).fit(X[a], y[a], sample_weight=w[a], groups=groups[a])
        _same_fit(fitted, by_hand)


@pytest.mark.usefixtures("routing")
def test_a_name_can_be_changed_on_the_way(numbers):
    X, y, w = numbers
    model = _regressor().set_fit_request(sample_weight="importance")
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y, importance=w)
    _same_fit(pipeline[-1], _regressor().fit(StandardScaler().fit_transform(X), y, sample_weight=w))


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_requests_survive_a_clone(make):
    model = make().set_fit_request(X_val=True, y_val=True, groups=True)
    requests = clone(model).get_metadata_routing().fit.requests
    assert {name for name, request in requests.items() if request} == {"X_val", "y_val", "groups"}
    assert {"sample_weight", "sample_weight_val"} <= set(requests)
    partial = make().get_metadata_routing().partial_fit.requests
    assert {"sample_weight", "X_val", "y_val", "sample_weight_val"} <= set(partial)


# Without routing, metadata go by the step's name


def test_weights_by_the_name_of_the_step(numbers):
    X, y, w = numbers
    pipeline = Pipeline([("scale", StandardScaler()), ("net", _regressor())])
    pipeline.fit(X, y, net__sample_weight=w)
    Z = StandardScaler().fit_transform(X)
    _same_fit(pipeline["net"], _regressor().fit(Z, y, sample_weight=w))


# Splitters as validation_fraction


def _held_out_by(splitter, X, y, make=_regressor, groups=None):
    """A fit with a splitter within is the fit with its first split given."""
    inner = make(early_stopping=True, validation_fraction=splitter)
    inner.fit(X, y, groups=groups)
    a, b = next(iter(splitter.split(X, y, groups)))
    a, b = np.sort(a), np.sort(b)
    given = make(early_stopping=True).fit(X[a], y[a], X_val=X[b], y_val=y[b])
    assert inner.spec_["task"]["n_training"] == len(a)
    np.testing.assert_allclose(inner.loss_curve_, given.loss_curve_)
    np.testing.assert_allclose(inner.validation_loss_curve_, given.validation_loss_curve_)
    np.testing.assert_allclose(inner.predict(X), given.predict(X))


@pytest.mark.parametrize(
    "splitter",
    [
        ShuffleSplit(1, test_size=0.3, random_state=0),
        TimeSeriesSplit(2),
        KFold(4),
        PredefinedSplit(np.where(np.arange(120) < 30, 0, -1)),
    ],
    ids=lambda s: type(s).__name__,
)
def test_splitters(numbers, splitter):
    X, y, _ = numbers
    _held_out_by(splitter, X, y)


def test_stratified_splitter_sees_the_labels(labelled):
    X, y, _ = labelled
    words = np.array(["no", "yes"])[y]
    splitter = StratifiedShuffleSplit(1, test_size=0.25, random_state=3)
    _held_out_by(splitter, X, words, make=_score_only)


def _score_only(**parameters):
    """A classifier whose predictions are probabilities, to be compared as numbers."""

    class Probabilities(MLPClassifier):
        def predict(self, X):
            return self.predict_proba(X)

    return Probabilities(**{**QUICK, **parameters})


@pytest.mark.parametrize(
    "splitter",
    [GroupShuffleSplit(1, test_size=0.25, random_state=0), GroupKFold(4)],
    ids=lambda s: type(s).__name__,
)
def test_groups_are_held_out_whole(numbers, splitter):
    X, y, _ = numbers
    _held_out_by(splitter, X, y, groups=np.arange(len(y)) // 6)


def test_groups_of_rows_without_weight_are_left_out(numbers):
    X, y, w = numbers
    groups = np.arange(len(y)) // 6
    absent = groups == 0
    splitter = GroupKFold(4)
    model = _regressor(early_stopping=True, validation_fraction=splitter)
    zeroed = clone(model).fit(X, y, sample_weight=np.where(absent, 0, w), groups=groups)
    there = ~absent
    removed = clone(model).fit(X[there], y[there], sample_weight=w[there], groups=groups[there])
    np.testing.assert_allclose(zeroed.predict(X), removed.predict(X))


def test_a_group_splitter_without_groups_says_so(numbers):
    X, y, _ = numbers
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        _regressor(early_stopping=True, validation_fraction=GroupKFold(3)).fit(X, y)


def test_groups_as_a_list_or_series(numbers):
    pandas = pytest.importorskip("pandas")
    X, y, _ = numbers
    groups = np.array(["abcdef"[i] for i in np.arange(len(y)) % 6])
    model = _regressor(early_stopping=True, validation_fraction=GroupKFold(3))
    reference = clone(model).fit(X, y, groups=groups)
    for kind in (groups.tolist(), pandas.Series(groups)):
        _same_fit(clone(model).fit(X, y, groups=kind), reference)


def test_an_empty_part_is_refused(numbers):
    class Nothing:
        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

        def split(self, X, y=None, groups=None):
            yield np.arange(len(X)), np.arange(0)

    X, y, _ = numbers
    with pytest.raises(ValueError, match="0 to validate with"):
        _regressor(early_stopping=True, validation_fraction=Nothing()).fit(X, y)


# A share as validation_fraction


@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_without_shuffling_the_last_rows_are_held_out(numbers, make):
    X, y, w = numbers
    if make is _classifier:
        y = (y > 0).astype(int)
    parameters = {"early_stopping": True, "shuffle": False}
    inner = make(validation_fraction=0.25, **parameters).fit(X, y, sample_weight=w)
    given = make(**parameters).fit(
        X[:90],
        y[:90],
        sample_weight=w[:90],
        X_val=X[90:],
        y_val=y[90:],
        sample_weight_val=w[90:],
    )
    np.testing.assert_allclose(inner.validation_loss_curve_, given.validation_loss_curve_)
    np.testing.assert_allclose(inner.validation_scores_, given.validation_scores_)
    np.testing.assert_allclose(inner.predict(X), given.predict(X))


@pytest.mark.parametrize("seed", range(4))
def test_a_share_is_stratified(seed):
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = np.arange(200) % 10 == 0  # one in ten
    held = []

    def record(_model, _X, y_val):
        held.append(y_val)
        return 0.0

    model = _classifier(early_stopping=True, monitor=record, max_iter=1, random_state=seed)
    model.fit(X, y)
    assert model.spec_["task"]["n_training"] == 180
    assert len(held[0]) == 20
    assert held[0].sum() == 2


@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_half_a_validation_set_is_refused(numbers, make):
    X, y, w = numbers
    y = (y > 0).astype(int)
    with pytest.raises(ValueError, match="X_val was given without y_val"):
        make().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="y_val was given without X_val"):
        make().fit(X, y, y_val=y)
    with pytest.raises(ValueError, match="sample_weight_val was given without X_val"):
        make().fit(X, y, sample_weight_val=w)
