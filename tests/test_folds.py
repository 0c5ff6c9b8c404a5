"""Members of an ensemble that each hold out another part of the rows."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV as TheirGridSearchCV

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.splits import folds
from sklearn_dnn._core.fitting.opening import open_session
from sklearn_dnn._core.fitting.request import Arguments
from sklearn_dnn.components import Bagging, EarlyStopping, Scheduled
from sklearn_dnn.model_selection import GridSearchCV

# Members end by a patience of four, some while the cosine is still high.
pytestmark = pytest.mark.filterwarnings("ignore:.*of its peak rate")

PLAIN = {
    "hidden_layer_sizes": (8,),
    "n_members": 4,
    "validation_fraction": "folds",
    "schedule": "cosine",
    "max_iter": 12,
    "n_iter_no_change": 4,
    "learning_rate_init": 0.05,
    "random_state": 0,
}


@settings(max_examples=50, deadline=None)
@example(n=20, n_folds=2, n_classes=5, shuffle=False, seed=5)  # a class has one row
@given(
    n=st.integers(20, 90),
    n_folds=st.integers(2, 10),
    n_classes=st.integers(1, 5),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_parts_are_apart_equal_and_stratified(n, n_folds, n_classes, shuffle, seed):
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(200, n, replace=False))
    labels = rng.integers(n_classes, size=n)
    training, judging = folds(rows, n_folds, labels=labels, shuffle=shuffle, seed=seed)
    # the only row of a class trains every member
    free = n - np.count_nonzero(np.bincount(labels) == 1)
    assert judging.shape == (n_folds, free // n_folds)
    assert len(np.unique(judging)) == judging.size
    for own, held in zip(training, judging, strict=True):
        assert np.array_equal(np.sort(np.concatenate([own, held])), rows)
        assert np.array_equal(np.sort(own), own)
        for label in range(n_classes):
            of_class = np.isin(held, rows[labels == label]).sum()
            # at most the rows that are left over, one a fold, are missing
            assert abs(of_class - (labels == label).sum() / n_folds) < 2
    again = folds(rows, n_folds, labels=labels, shuffle=shuffle, seed=seed)
    assert np.array_equal(again[0], training)
    assert np.array_equal(again[1], judging)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_each_member_keeps_the_best_by_its_own_part(cls):
    X, y = make_classification(103, 6, flip_y=0.3, random_state=0)
    network = cls(**PLAIN).fit(X, y)
    losses = [member["history"]["validation_loss"] for member in network.members_]
    assert len({tuple(loss) for loss in losses}) == 4
    assert [m["best_iter"] - 1 for m in network.members_] == [np.argmin(loss) for loss in losses]


class _Part:
    """A splitter of one split."""

    def __init__(self, training, judging):
        self.split_ = (training, judging)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1

    def split(self, X, y=None, groups=None):
        yield self.split_


def test_the_first_member_equals_a_network_alone():
    X, y = make_classification(103, 6, random_state=0)
    ensemble = MLPClassifier(**PLAIN, input_scaling=None, dtype="float64").fit(X, y)
    session = open_session(ensemble._request(), Arguments(X, y))
    part = _Part(session.rows[0], session.held.rows[0])
    single = MLPClassifier(
        **PLAIN | {"n_members": 1, "validation_fraction": part, "early_stopping": True},
        input_scaling=None,
        dtype="float64",
    ).fit(X, y)
    theirs = ensemble.members_[0]["history"]
    np.testing.assert_allclose(single.history_["loss"], theirs["loss"], rtol=1e-9)
    np.testing.assert_allclose(
        single.history_["validation_loss"], theirs["validation_loss"], rtol=1e-9
    )
    np.testing.assert_allclose(
        single.predict_proba(X), ensemble.member(0).predict_proba(X), rtol=1e-7
    )


def test_all_rows_are_learnt_from_and_scalings_are_of_all():
    X, y = make_regression(50, 3, random_state=0)
    network = MLPRegressor(**PLAIN).fit(X, y)
    np.testing.assert_allclose(network.input_mean_, X.mean(0))
    session = open_session(network._request(), Arguments(X, y))
    assert set(session.rows.ravel()) == set(range(50))


def test_weights_groups_and_draws_of_rows():
    X, y = make_classification(103, 6, random_state=0)
    weight = np.arange(103) % 3 * 1.0
    network = MLPClassifier(**PLAIN).fit(X, y, sample_weight=weight)
    session = open_session(network._request(), Arguments(X, y, weight))
    assert np.all(weight[session.rows] > 0)
    assert np.all(weight[session.held.rows] > 0)
    for bags, repeats in ((Bagging(), True), (Bagging(0.5, bootstrap=False), False)):
        drawn = MLPClassifier(**PLAIN, ensemble=bags)
        session = open_session(drawn._request(), Arguments(X, y))
        assert session.rows.shape == (4, 78 if repeats else 39)
        for own, held in zip(session.rows, session.held.rows, strict=True):
            assert not np.intersect1d(own, held).size
            assert (len(np.unique(own)) < len(own)) == repeats
    with pytest.raises(ValueError, match="groups"):
        MLPClassifier(**PLAIN).fit(X, y, groups=np.arange(103))


def test_refit_trains_on_all_rows():
    X, y = make_regression(60, 3, noise=5.0, random_state=0)
    network = MLPRegressor(**PLAIN, early_stopping=EarlyStopping(refit=True)).fit(X, y)
    plain = MLPRegressor(**PLAIN).fit(X, y)
    assert not np.allclose(network.predict(X), plain.predict(X))


@pytest.mark.parametrize(
    "space",
    [
        {"learning_rate_init": [0.02, 0.1]},
        {"ensemble": ["independent", Bagging(), Bagging(0.5)]},
        {"weight_decay": [0.0, 0.1, Scheduled(0.1, "linear")]},
    ],
    ids=["rates", "bags", "decays"],
)
def test_the_search_gives_the_scores_of_scikit_learns(space):
    X, y = make_classification(120, 6, random_state=0)
    network = MLPClassifier(**PLAIN, dtype="float64")
    ours = GridSearchCV(network, space, cv=2, scoring="neg_log_loss").fit(X, y)
    theirs = TheirGridSearchCV(network, space, cv=2, scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-7
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_members": 1}, "n_members=1"),
        ({"ensemble": "shared"}, "ensemble='shared'"),
        ({"warm_start": True}, "warm_start=True can't go on"),
        ({"n_members": 40}, "two rows a member"),
    ],
)
def test_what_folds_are_not_for(change, match):
    X, y = make_classification(60, 6, random_state=0)
    with pytest.raises(ValueError, match=match):
        MLPClassifier(**PLAIN | change).fit(X, y)


def test_partial_fit_refuses_folds():
    X, y = make_classification(60, 6, random_state=0)
    with pytest.raises(ValueError, match="partial_fit can't go on"):
        MLPClassifier(**PLAIN).partial_fit(X, y, classes=[0, 1])


def test_folds_are_left_aside_where_something_else_judges():
    X, y = make_classification(60, 6, random_state=0)
    given_part = MLPClassifier(**PLAIN).fit(X, y, X_val=X[:20], y_val=y[:20])
    fraction = MLPClassifier(**PLAIN | {"validation_fraction": 0.1})
    fraction.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert np.array_equal(given_part.predict_proba(X), fraction.predict_proba(X))
    off = MLPClassifier(**PLAIN, early_stopping=False).fit(X, y)
    assert set(off.history_["validation_loss"]) == {None}
