"""The estimators within scikit-learn's tools, and with every kind of table and target."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import torch
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_blobs, make_classification, make_regression
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    StackingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import DataConversionWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes two known
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import SGD, Dropout, Rectangular
from sklearn_dnn.estimators._parameters import GROUPS

# Fits are kept short; whether they have converged is not what is asked here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The validation part of the earlier fit was not kept"),
]

QUICK = {"hidden_layer_sizes": (12,), "max_iter": 12, "learning_rate_init": 0.02}


def _classifier(**parameters):
    return MLPClassifier(**{**QUICK, "random_state": 0, **parameters})


def _regressor(**parameters):
    return MLPRegressor(**{**QUICK, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def two_classes():
    return make_classification(
        160, 6, n_informative=4, n_redundant=0, class_sep=1.5, random_state=0
    )


@pytest.fixture(scope="module")
def three_classes():
    return make_blobs(150, 4, centers=3, cluster_std=2.0, random_state=1)


@pytest.fixture(scope="module")
def numbers():
    X, y = make_regression(160, 5, noise=5.0, random_state=0)
    return X, y


# Pipelines and searches


def test_pipeline_is_its_steps_done_by_hand(two_classes):
    X, y = two_classes
    pipeline = make_pipeline(StandardScaler(), _classifier()).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    by_hand = _classifier().fit(Z, y)
    np.testing.assert_array_equal(pipeline.predict_proba(X), by_hand.predict_proba(Z))
    np.testing.assert_array_equal(pipeline.classes_, by_hand.classes_)


def test_cross_val_score_is_the_folds_done_by_hand(three_classes):
    X, y = three_classes
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(_classifier(), X, y, cv=folds)
    by_hand = [_classifier().fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds.split(X, y)]
    np.testing.assert_array_equal(scores, by_hand)
    assert scores.min() > 0.6


def test_an_integer_cv_stratifies_for_the_classifier(three_classes):
    X, y = three_classes
    by_number = cross_val_score(_classifier(), X, y, cv=3)
    np.testing.assert_array_equal(
        by_number, cross_val_score(_classifier(), X, y, cv=StratifiedKFold(3))
    )


def test_grid_search_over_a_components_parameter(two_classes):
    X, y = two_classes
    grid = {"optimizer__momentum": [0.0, 0.9]}
    search = GridSearchCV(_classifier(optimizer=SGD()), grid, cv=3).fit(X, y)
    by_hand = [
        cross_val_score(_classifier(optimizer=SGD(momentum=m)), X, y, cv=3).mean()
        for m in (0.0, 0.9)
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)
    best = search.best_estimator_
    assert best.spec_["optimizer"]["momentum"] == search.best_params_["optimizer__momentum"]


def test_grid_search_over_depth(numbers):
    X, y = numbers
    model = _regressor(hidden_layer_sizes=Rectangular(width=7))
    search = GridSearchCV(model, {"hidden_layer_sizes__depth": [0, 1, 3]}, cv=2).fit(X, y)
    depth = search.best_params_["hidden_layer_sizes__depth"]
    assert search.best_estimator_.spec_["hidden_layer_sizes"] == [7] * depth
    same = _regressor(hidden_layer_sizes=(7,) * depth).fit(X, y)
    np.testing.assert_array_equal(search.predict(X), same.predict(X))


def test_grid_search_over_components_themselves(two_classes):
    X, y = two_classes
    grid = {"optimizer": ["adam", SGD(momentum=0.9)], "dropout": [0.0, Dropout(0.2)]}
    search = GridSearchCV(_classifier(), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4


def test_a_search_leaves_the_component_that_was_given_alone(two_classes):
    X, y = two_classes
    given = SGD(momentum=0.5)
    model = _classifier(optimizer=given)
    GridSearchCV(model, {"optimizer__momentum": [0.0, 0.9]}, cv=2).fit(X, y)
    assert model.optimizer is given
    assert given.momentum == 0.5


def test_randomized_search_with_loguniform(two_classes):
    X, y = two_classes
    pipeline = Pipeline([("scale", StandardScaler()), ("net", _classifier(optimizer=SGD()))])
    search = RandomizedSearchCV(
        pipeline,
        {"net__learning_rate_init": loguniform(1e-3, 1e-1), "net__alpha": loguniform(1e-5, 1e-1)},
        n_iter=4,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    rate = search.best_estimator_["net"].spec_["learning_rate_init"]
    assert rate == search.best_params_["net__learning_rate_init"]
    assert isinstance(rate, float)


def test_halving_search_spends_epochs(two_classes):
    X, y = two_classes
    search = HalvingGridSearchCV(
        _classifier(n_iter_no_change=np.inf),
        {"learning_rate_init": [1e-5, 1e-3, 3e-2]},
        resource="max_iter",
        min_resources=3,
        max_resources=9,
        cv=2,
        random_state=0,
    ).fit(X, y)
    np.testing.assert_array_equal(np.unique(search.cv_results_["n_resources"]), [3, 9])
    assert search.best_estimator_.n_iter_ == 9


def test_learning_curve_and_validation_curve(numbers):
    X, y = numbers
    sizes, train, test = learning_curve(_regressor(), X, y, train_sizes=[0.3, 1.0], cv=3)
    assert train.shape == test.shape == (len(sizes), 3)
    train, test = validation_curve(
        _regressor(), X, y, param_name="alpha", param_range=[1e-4, 1e4], cv=3
    )
    # so strong a penalty leaves the mean
    assert train[0].mean() > train[1].mean() + 0.3


# Parameters, copies and displays


def test_nested_parameters_over_a_string_name_the_component(two_classes):
    X, y = two_classes
    with pytest.raises(ValueError, match=r"optimizer='sgd'.*optimizer=SGD\(\)"):
        _classifier(optimizer="sgd").set_params(optimizer__momentum=0.9)
    search = GridSearchCV(
        _classifier(optimizer="sgd"), {"optimizer__momentum": [0.9]}, cv=2, error_score="raise"
    )
    with pytest.raises(ValueError, match=r"SGD\(\)"):
        search.fit(X, y)


def test_a_component_and_its_parameter_can_be_set_together():
    model = _classifier(optimizer="adam").set_params(optimizer=SGD(), optimizer__momentum=0.7)
    assert model.optimizer.momentum == 0.7


def test_a_misspelt_parameter_is_refused_as_by_scikit_learn():
    with pytest.raises(ValueError, match="Invalid parameter 'hidden_layers'"):
        _classifier().set_params(hidden_layers=(3,))
    with pytest.raises(ValueError, match="Invalid parameter 'momentums'"):
        _classifier(optimizer=SGD()).set_params(optimizer__momentums=0.1)


def test_clone_copies_components_and_no_state(two_classes):
    X, y = two_classes
    model = _classifier(
        hidden_layer_sizes=Rectangular(2, 5), optimizer=SGD(momentum=0.3), dropout=Dropout(0.1)
    ).fit(X, y)
    twin = clone(model)
    assert repr(twin) == repr(model)
    assert not hasattr(twin, "coefs_")
    for name in ("hidden_layer_sizes", "optimizer", "dropout"):
        ours, theirs = getattr(model, name), getattr(twin, name)
        assert theirs is not ours
        assert theirs.get_params() == ours.get_params()
    twin.set_params(optimizer__momentum=0.9)
    assert model.optimizer.momentum == 0.3
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


def test_get_params_reaches_into_components():
    model = _classifier(optimizer=SGD(momentum=0.3), hidden_layer_sizes=Rectangular(2, 5))
    deep, shallow = model.get_params(), model.get_params(deep=False)
    assert deep["optimizer__momentum"] == 0.3
    assert deep["hidden_layer_sizes__depth"] == 2
    assert not [name for name in shallow if "__" in name]


def test_repr_shows_what_was_changed():
    model = MLPClassifier((3,), optimizer=SGD(momentum=0.3))
    assert "hidden_layer_sizes=(3,)" in repr(model)
    assert "SGD(momentum=0.3)" in repr(model)
    assert "alpha" not in repr(model)
    with sklearn.config_context(print_changed_only=False):
        assert "alpha=0.0001" in repr(MLPClassifier())


@pytest.mark.parametrize("fitted", [False, True])
def test_html_display(two_classes, fitted):
    model = _classifier(optimizer=SGD(momentum=0.3), hidden_layer_sizes=Rectangular(1, 4))
    if fitted:
        model.fit(*two_classes)
    html = model._repr_html_()
    assert "MLPClassifier" in html
    assert "SGD(momentum=0.3)" in html
    assert "MLPClassifier" in make_pipeline(StandardScaler(), model)._repr_html_()
    default = MLPClassifier().get_params(deep=False)
    given = [name for name, value in model.get_params(deep=False).items() if value != default[name]]
    for title, group in GROUPS.items():
        n_set = len(set(group) & set(given))
        said = f"{title.capitalize()} ({n_set} set)" if n_set else title.capitalize()
        assert f"<summary>{said}</summary>" in html
    assert "<summary>Parameters</summary>" not in html
    cells = re.findall(r'<td class="param">(?:\s|<a[^>]*>)*(\w+)', html)
    for name in model.get_params(deep=False):
        assert cells.count(name) == 1


# Meta-estimators


def test_calibration(two_classes):
    X, y = two_classes
    model = CalibratedClassifierCV(_classifier(), cv=3).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1)
    assert model.score(X, y) > 0.7


def test_tuned_threshold(two_classes):
    X, y = two_classes
    model = TunedThresholdClassifierCV(_classifier(), cv=2, scoring="balanced_accuracy").fit(X, y)
    positive = _classifier().fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.predict(X), positive >= model.best_threshold_)


def test_stacking(three_classes):
    X, y = three_classes
    model = StackingClassifier(
        [("net", _classifier()), ("linear", LogisticRegression())],
        final_estimator=LogisticRegression(),
        cv=2,
    ).fit(X, y)
    assert model.transform(X).shape == (len(X), 6)
    assert model.score(X, y) > 0.7


def test_voting_averages(numbers):
    X, y = numbers
    parts = [("net", _regressor()), ("linear", LinearRegression())]
    model = VotingRegressor(parts).fit(X, y)
    mean = np.mean([clone(part).fit(X, y).predict(X) for _, part in parts], axis=0)
    np.testing.assert_allclose(model.predict(X), mean)


def test_bagging(three_classes):
    X, y = three_classes
    model = BaggingClassifier(_classifier(random_state=None), 4, random_state=0).fit(X, y)
    assert len({e.random_state for e in model.estimators_}) == 4
    mean = np.mean([e.predict_proba(X) for e in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), mean)


def test_boosting_of_classifiers_uses_weights(two_classes):
    X, y = two_classes
    model = AdaBoostClassifier(_classifier(max_iter=5), n_estimators=5, random_state=0).fit(X, y)
    assert len(model.estimators_) == 5
    assert model.score(X, y) > model.estimators_[0].score(X, y)


def test_boosting_of_regressors(numbers):
    X, y = numbers
    model = AdaBoostRegressor(_regressor(), n_estimators=3, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.5


def test_transformed_target(numbers):
    X, y = numbers
    y = y + 1000.0
    model = TransformedTargetRegressor(_regressor(), func=np.log, inverse_func=np.exp).fit(X, y)
    by_hand = _regressor().fit(X, np.log(y))
    np.testing.assert_allclose(model.predict(X), np.exp(by_hand.predict(X)))


def test_permutation_importance_finds_the_columns_that_matter():
    X = np.random.default_rng(0).normal(size=(200, 4))
    y = 3 * X[:, 0] + X[:, 2]
    model = _regressor(max_iter=40).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    np.testing.assert_array_equal(np.argsort(importance.importances_mean)[:1:-1], [0, 2])


def test_sequential_selection_finds_the_columns_that_matter():
    X = np.random.default_rng(0).normal(size=(150, 4))
    y = 3 * X[:, 0] + 2 * X[:, 2]
    selector = SequentialFeatureSelector(_regressor(), n_features_to_select=2, cv=2)
    np.testing.assert_array_equal(selector.fit(X, y).get_support(indices=True), [0, 2])


def test_multioutput_classifier_is_a_fit_a_column(three_classes):
    X, y = three_classes
    Y = np.column_stack([y, 2 - y])
    model = MultiOutputClassifier(_classifier()).fit(X, Y)
    by_hand = [_classifier().fit(X, column).predict(X) for column in Y.T]
    np.testing.assert_array_equal(model.predict(X), np.column_stack(by_hand))


def test_one_against_the_rest(three_classes):
    X, y = three_classes
    model = OneVsRestClassifier(_classifier()).fit(X, y)
    assert len(model.estimators_) == 3
    assert model.score(X, y) > 0.7


def test_scorers_by_name(two_classes):
    X, y = two_classes
    names = ["roc_auc", "neg_log_loss", "average_precision", "f1", "neg_brier_score"]
    for name in names:
        scores = cross_val_score(_classifier(), X, y, cv=2, scoring=name, error_score="raise")
        assert np.isfinite(scores).all(), name


# As a transformer


def test_transform_is_the_last_hidden_layer_by_hand(numbers):
    X, y = numbers
    model = _regressor(hidden_layer_sizes=(9, 4)).fit(X, y)
    h = (X - model.input_mean_) / model.input_scale_
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        h = np.maximum(h @ W + b, 0)
    np.testing.assert_allclose(model.transform(X), h, rtol=1e-6, atol=1e-8)
    out = (h @ model.coefs_[-1] + model.intercepts_[-1])[:, 0]
    np.testing.assert_allclose(
        out * model.target_scale_ + model.target_mean_, model.predict(X), rtol=1e-6
    )


def test_a_step_within_a_pipeline_and_a_union(two_classes):
    X, y = two_classes
    union = FeatureUnion([("raw", StandardScaler()), ("net", _classifier())])
    pipeline = make_pipeline(union, LogisticRegression()).fit(X, y)
    names = pipeline[:-1].get_feature_names_out()
    expected = [f"raw__x{i}" for i in range(6)] + [f"net__mlpclassifier{i}" for i in range(12)]
    np.testing.assert_array_equal(names, expected)
    assert pipeline[:-1].transform(X).shape == (len(X), 18)
    assert pipeline.score(X, y) > 0.7


def test_names_of_transformed_columns_follow_the_last_hidden_layer(numbers):
    X, y = numbers
    for sizes, width in (((9, 4), 4), ((), 5)):
        model = _regressor(hidden_layer_sizes=sizes).fit(X, y)
        names = model.get_feature_names_out()
        np.testing.assert_array_equal(names, [f"mlpregressor{i}" for i in range(width)])
        assert model.transform(X).shape[1] == width
        np.testing.assert_array_equal(
            model.transform(X), _regressor(hidden_layer_sizes=sizes).fit_transform(X, y)
        )


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(two_classes, container):
    pytest.importorskip(container)
    X, y = two_classes
    plain = _classifier().fit(X, y)
    framed = _classifier().set_output(transform=container).fit(X, y)
    table = framed.transform(X)
    assert type(table).__module__.startswith(container)
    assert list(table.columns) == list(plain.get_feature_names_out())
    np.testing.assert_array_equal(table.to_numpy(), plain.transform(X))
    np.testing.assert_array_equal(framed.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_global_output_setting_changes_nothing_inside(numbers, container):
    pytest.importorskip(container)
    X, y = numbers
    parameters = {"early_stopping": True, "validation_fraction": 0.2, "monitor": "r2"}
    plain = _regressor(**parameters).fit(X, y)
    with sklearn.config_context(transform_output=container):
        under = _regressor(**parameters).fit(X, y)
        under.partial_fit(X, y)
        predicted = under.predict(X)
    np.testing.assert_array_equal(predicted, plain.partial_fit(X, y).predict(X))
    assert isinstance(predicted, np.ndarray)
    assert isinstance(under.input_mean_, np.ndarray)


# Kinds of tables


def _frames(container, X, y):
    module = pytest.importorskip(container)
    names = [f"column {i}" for i in range(X.shape[1])]
    frame = module.DataFrame({name: X[:, i] for i, name in enumerate(names)})
    return names, frame, module.Series(y)


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_frames_are_their_arrays_with_names(two_classes, container, make):
    X, y = two_classes
    names, frame, target = _frames(container, X, y)
    plain, framed = make().fit(X, y), make().fit(frame, target)
    # a frame's columns lie one after another, so that sums over rows round differently
    np.testing.assert_allclose(framed.predict(frame), plain.predict(X), rtol=1e-9, atol=1e-12)
    assert not hasattr(plain, "feature_names_in_")
    np.testing.assert_array_equal(framed.feature_names_in_, names)
    assert framed.score(frame, target) == pytest.approx(plain.score(X, y))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_names_are_checked_where_a_frame_comes_again(two_classes, container):
    X, y = two_classes
    names, frame, target = _frames(container, X, y)
    model = _classifier().fit(frame, target)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[names[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
    with pytest.warns(UserWarning, match="X has feature names"):
        _classifier().fit(X, y).predict(frame)


@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_a_named_validation_set_and_a_scorer_with_frames(two_classes, make):
    X, y = two_classes
    names, frame, target = _frames("pandas", X, y)
    scoring = "accuracy" if make is _classifier else "r2"
    model = make(monitor=scoring)
    model.fit(frame[:120], target[:120], X_val=frame[120:], y_val=target[120:])
    plain = make(monitor=scoring).fit(X[:120], y[:120], X_val=X[120:], y_val=y[120:])
    np.testing.assert_allclose(model.predict(frame), plain.predict(X), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="feature names should match"):
        make().fit(frame, target, X_val=frame[names[::-1]], y_val=target)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_labels_in_frames(three_classes, container):
    X, y = three_classes
    words = np.array(["red", "green", "blue"])[y]
    _, frame, target = _frames(container, X, words)
    model = _classifier().fit(frame, target)
    np.testing.assert_array_equal(model.classes_, ["blue", "green", "red"])
    same = _classifier().fit(X, words)
    np.testing.assert_array_equal(model.predict(frame), same.predict(X))


def test_categorical_labels_of_pandas(three_classes):
    pandas = pytest.importorskip("pandas")
    X, y = three_classes
    words = np.array(["red", "green", "blue"])[y]
    model = _classifier().fit(X, pandas.Series(words, dtype="category"))
    np.testing.assert_array_equal(model.predict(X), _classifier().fit(X, words).predict(X))


def test_several_targets_in_a_frame(numbers):
    pandas = pytest.importorskip("pandas")
    X, y = numbers
    Y = np.column_stack([y, -2 * y])
    framed = _regressor().fit(X, pandas.DataFrame(Y, columns=["a", "b"]))
    np.testing.assert_array_equal(framed.predict(X), _regressor().fit(X, Y).predict(X))


SPARSE = [sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.csc_array]


@pytest.mark.parametrize("to_sparse", SPARSE)
@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_sparse_equals_dense(two_classes, to_sparse, make):
    X, y = two_classes
    X = np.where(np.abs(X) < 0.7, 0, X)
    S = to_sparse(X)
    for parameters in ({"batch_size": 32}, {"early_stopping": True}):
        dense, sparse = make(**parameters).fit(X, y), make(**parameters).fit(S, y)
        np.testing.assert_allclose(sparse.predict(S), dense.predict(X), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(sparse.transform(S), dense.transform(S), rtol=1e-6, atol=1e-8)
    assert sp.issparse(S)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_tensors_are_their_arrays(two_classes, dtype):
    X, y = two_classes
    T, t = torch.from_numpy(10 * X).to(dtype), torch.from_numpy(y)
    model = _classifier().fit(T, t)
    same = _classifier().fit(T.numpy(), y)
    np.testing.assert_array_equal(model.predict_proba(T), same.predict_proba(T.numpy()))
    assert isinstance(model.predict(T), np.ndarray)


def test_tensors_with_a_gradient_and_as_weights(numbers):
    X, y = numbers
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    T = torch.from_numpy(X).requires_grad_()
    model = _regressor().fit(T, torch.from_numpy(y), sample_weight=torch.from_numpy(weight))
    same = _regressor().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(model.predict(T), same.predict(X))
    assert T.grad is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_memory_maps(two_classes, tmp_path, dtype):
    X, y = two_classes
    np.save(tmp_path / "X.npy", X.astype(dtype))
    np.save(tmp_path / "y.npy", y)
    M, m = (np.load(tmp_path / name, mmap_mode="r") for name in ("X.npy", "y.npy"))
    model = _classifier(batch_size=32).fit(M, m)
    same = _classifier(batch_size=32).fit(X.astype(dtype), y)
    np.testing.assert_array_equal(model.predict_proba(M), same.predict_proba(X.astype(dtype)))


def _locked(*arrays):
    """Copies that can't be written to, as joblib's workers get large arrays."""
    copies = [array.copy() for array in arrays]
    for array in copies:
        array.setflags(write=False)
    return copies


@pytest.fixture
def every_warning_of_torch():
    """Torch gives some warnings once a process; here each time."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.usefixtures("every_warning_of_torch")
@pytest.mark.parametrize("y_type", [np.float64, np.float32, np.int64, bool])
def test_regressor_takes_read_only_arrays(numbers, y_type):
    X, y, weight = _locked(numbers[0], numbers[1].astype(y_type), np.ones(160))
    model = _regressor(early_stopping=True)
    model.fit(X, y, sample_weight=weight)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    model.partial_fit(X, y, sample_weight=weight)
    assert model.predict(X).shape == model.transform(X)[:, 0].shape


@pytest.mark.usefixtures("every_warning_of_torch")
@pytest.mark.parametrize("columns", [1, 2])
def test_classifier_takes_read_only_arrays(two_classes, columns):
    X, y = two_classes
    Y = y if columns == 1 else np.column_stack([y, 1 - y])
    X, Y, weight = _locked(X, Y, np.ones(160))
    class_weight = {0: 1.0, 1: 2.0} if columns == 1 else None
    model = _classifier(early_stopping=True, class_weight=class_weight)
    model.fit(X, Y, sample_weight=weight)
    model.partial_fit(X, Y, sample_weight=weight)
    assert model.predict(X).shape == Y.shape


@pytest.mark.usefixtures("every_warning_of_torch")
def test_read_only_sparse_matrix(two_classes):
    X, y = two_classes
    S = sp.csr_matrix(np.where(np.abs(X) < 0.7, 0, X))
    for array in (S.data, S.indices, S.indptr):
        array.setflags(write=False)
    model = _classifier(batch_size=32).fit(S, y)
    assert model.predict(S).shape == y.shape


def test_inputs_are_left_as_they_were(numbers):
    X, y = numbers
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    given = X.copy(), y.copy(), weight.copy()
    model = _regressor(early_stopping=True, batch_size=32, max_iter=3)
    model.fit(given[0], given[1], sample_weight=given[2])
    model.predict(given[0])
    model.transform(given[0])
    for array, before in zip(given, (X, y, weight), strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_layout_in_memory_does_not_matter(numbers, order):
    X, y = numbers
    other = np.repeat(X, 2, axis=1)[:, ::2] if order == "strided" else np.array(X, order=order)
    plain = _regressor(batch_size=32).fit(X, y)
    same = _regressor(batch_size=32).fit(other, y)
    np.testing.assert_allclose(same.predict(other), plain.predict(X), rtol=1e-9)


def test_lists(three_classes):
    X, y = three_classes
    model = _classifier().fit(X.tolist(), y.tolist())
    same = _classifier().fit(X, y)
    np.testing.assert_array_equal(model.predict(X.tolist()), same.predict(X))
    listed = _regressor().fit(X.tolist(), y.tolist(), sample_weight=[1.0] * len(y))
    assert listed.predict(X.tolist()).shape == y.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_have_the_type_of_the_table(two_classes, dtype):
    X, y = two_classes
    X = X.astype(dtype)
    model, regressor = _classifier().fit(X, y), _regressor().fit(X, y)
    outputs = [model.predict_proba(X), model.decision_function(X), model.transform(X)]
    outputs += [regressor.predict(X), regressor.transform(X)]
    assert {output.dtype for output in outputs} == {np.dtype(dtype)}


# Kinds of targets


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array([False, True]),
        np.array([-1, 1]),
        np.array([3, 7], dtype=np.int8),
        np.array([2, 5], dtype=np.uint32),
        np.array([0.0, 1.0]),
    ],
    ids=lambda labels: f"{labels.dtype}",
)
def test_labels_keep_their_type(two_classes, labels):
    X, y = two_classes
    model = _classifier().fit(X, labels[y])
    predicted = model.predict(X)
    assert model.classes_.dtype == predicted.dtype == labels.dtype
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(predicted, labels[_classifier().fit(X, y).predict(X)])


def test_more_than_two_labels_keep_their_type(three_classes):
    X, y = three_classes
    for labels in (np.array(["b", "a", "c"]), np.array([20, 10, 30], dtype=np.int16)):
        model = _classifier().fit(X, labels[y])
        assert model.predict(X).dtype == labels.dtype
        np.testing.assert_array_equal(model.classes_, np.sort(labels))
        assert model.score(X, labels[y]) > 0.7


@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_a_column_as_target_warns_as_scikit_learn_does(two_classes, make):
    X, y = two_classes
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        model = make().fit(X, y[:, None])
    same = make().fit(X, y)
    assert model.predict(X).shape == y.shape
    np.testing.assert_array_equal(model.predict(X), same.predict(X))


def test_several_labels(two_classes):
    X, y = two_classes
    Y = np.column_stack([y, X[:, 0] > 0, 1 - y]).astype(int)
    model = _classifier(max_iter=40).fit(X, Y)
    predicted, probability = model.predict(X), model.predict_proba(X)
    assert predicted.shape == probability.shape == Y.shape
    np.testing.assert_array_equal(predicted, probability > 0.5)
    assert model.score(X, Y) == accuracy_score(Y, predicted)
    assert balanced_accuracy_score(Y[:, 1], predicted[:, 1]) > 0.8
    sparse = _classifier(max_iter=40).fit(X, sp.csr_matrix(Y))
    np.testing.assert_array_equal(sparse.predict(X), predicted)


def test_several_columns_of_classes_are_refused_with_the_way_out(three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        _classifier().fit(X, np.column_stack([y, y]))


def test_numbers_are_refused_as_classes(numbers):
    X, y = numbers
    with pytest.raises(ValueError, match="Unknown label type"):
        _classifier().fit(X, y + 0.5)


@pytest.mark.parametrize("dtype", [np.int32, np.float32, bool])
def test_regression_targets_of_other_types(two_classes, dtype):
    X, y = two_classes
    model = _regressor().fit(X, y.astype(dtype))
    np.testing.assert_allclose(model.predict(X), _regressor().fit(X, y.astype(float)).predict(X))


# Tags


def test_tags_are_honest():
    classifier, regressor = get_tags(MLPClassifier()), get_tags(MLPRegressor())
    assert is_classifier(MLPClassifier())
    assert is_regressor(MLPRegressor())
    assert classifier.classifier_tags.multi_class
    assert classifier.classifier_tags.multi_label
    assert not classifier.target_tags.multi_output
    assert regressor.target_tags.multi_output
    assert regressor.target_tags.single_output
    for tags in (classifier, regressor):
        assert tags.target_tags.required
        assert tags.input_tags.sparse
        assert tags.input_tags.allow_nan
        assert not tags.input_tags.categorical  # arrays of numbers hold numbers
        assert not tags.input_tags.string
        assert not tags.input_tags.positive_only
        assert not tags.non_deterministic
        assert not tags.array_api_support
        assert tags.requires_fit
        assert set(tags.transformer_tags.preserves_dtype) == {"float64", "float32"}
        assert not tags.no_validation


def test_gaps_and_text_are_taken_as_the_tags_say(numbers):
    X, y = numbers
    holed = X.copy()
    holed[0, 0] = np.nan
    assert np.isfinite(_regressor().fit(holed, y).predict(X)).all()
    with pytest.warns(UserWarning, match="have gaps .* had none in the rows that trained"):
        assert np.isfinite(_regressor().fit(X, y).predict(holed)).all()
    with pytest.raises(ValueError, match="could not convert string to float"):
        _regressor().fit(np.full(X.shape, "text"), y)


@pytest.mark.parametrize("layout", ["C", "F", "columns"])
def test_a_large_table_is_gathered_without_a_copy_in_any_layout(layout, monkeypatch):
    """A table above the limit for a copy is read batch by batch, with the same result."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((300, 8))
    X = {"C": wide[:, :4].copy(), "F": np.asfortranarray(wide[:, :4]), "columns": wide[:, :4]}
    y = wide[:, 0] + wide[:, 1]
    parameters = {"batch_size": 32, "max_iter": 3, "random_state": 0, "dtype": "float64"}
    held = MLPRegressor((5,), **parameters).fit(X["C"], y)
    monkeypatch.setattr("sklearn_dnn._core.data.features.RESIDENT_BYTES", 0)
    read = MLPRegressor((5,), **parameters).fit(X[layout], y)
    np.testing.assert_allclose(read.predict(X["C"]), held.predict(X["C"]), rtol=1e-10)
