"""Rows of rare classes train, and others are held out: early stopping stays on."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from sklearn_dnn import MLPClassifier
from sklearn_dnn._core.data.splits import folds, inner_split
from sklearn_dnn.model_selection import GridSearchCV

pytestmark = pytest.mark.filterwarnings("ignore:Maximum iterations")

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 3))
TWO = np.where(X[:, 0] > 0, "p", "n").astype(object)


def with_odd(n_odd=1, labels=TWO):
    """Labels of which some have a class of their own."""
    y = labels.copy()
    for i in range(n_odd):
        y[5 + 7 * i] = f"odd {i}"
    return y


def model(**parameters):
    quick = {
        "hidden_layer_sizes": (4,),
        "max_iter": 4,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "random_state": 0,
    }
    return MLPClassifier(**quick | parameters)


def parts(labels, how=0.2, *, shuffle=True, seed=0):
    rows = np.arange(len(labels))

    def first(splitter):
        return next(iter(splitter.split(rows.reshape(-1, 1), labels)))

    return inner_split(
        rows, how, labels=np.asarray(labels), shuffle=shuffle, seed=seed, splitter=first
    )


# What the split promises


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=25),
    how=st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.9]),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_class_trains_and_a_part_judges(counts, how, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    n, others = len(labels), sum(c for c in counts if c > 1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        training, judging = parts(labels, how, seed=seed)
    assert set(labels[training]) == set(range(len(counts)))
    # one row of a class, at least, is left of what may be held out
    most = others - sum(c > 1 for c in counts)
    asked = min(int(np.ceil(how * n)), others)
    if asked < 2 or n - asked < 2:
        assert judging is None
        assert "No validation part was held out" in str(told[0].message)
        return
    assert min(asked, max(most, 1)) <= len(judging) <= asked
    assert np.array_equal(np.sort(np.r_[training, judging]), np.arange(n))
    single = np.flatnonzero(np.isin(labels, np.flatnonzero(np.array(counts) == 1)))
    assert set(single) <= set(training)
    # only a part of one class is worth a word
    assert bool(told) == (len(set(labels[judging])) == 1)


def test_the_split_of_the_others_is_the_one_without_the_odd_row():
    y = np.repeat([0, 1], 50)
    plain = parts(y, 0.1)
    odd = parts(np.r_[y, 2], 0.1)  # eleven of 101 rows instead of ten of 100
    assert len(odd.validation) == 11
    assert 100 in odd.training
    for label, share in ((0, 50), (1, 50)):
        held = np.sum(np.r_[y, 2][odd.validation] == label)
        assert abs(held - 11 * share / 100) < 1
    assert np.bincount(y[plain.validation]).tolist() == [5, 5]


def test_many_classes_of_few_rows_are_held_out_in_proportion():
    labels = np.r_[np.repeat(np.arange(400), 2), np.full(3200, 400)]  # 4,000 rows
    training, judging = parts(labels, 0.05)  # 200 rows for 401 classes
    assert len(judging) == 200
    assert len(set(labels[training])) == 401
    # behind a row of each class there are 400 of the rare ones and 3,199 others
    assert abs(np.sum(labels[judging] < 400) - 200 * 400 / 3599) <= 1


def test_the_last_rows_are_those_of_classes_that_train_elsewhere():
    labels = np.r_[np.arange(80) % 2, 5, np.arange(18) % 2, 6]
    training, judging = parts(labels, 0.2, shuffle=False)
    assert judging.tolist() == [*range(78, 80), *range(81, 99)]  # the last twenty but two odd ones
    assert {80, 99} <= set(training)


def test_labels_that_a_single_row_has_or_lacks_train():
    y = RNG.integers(0, 2, size=(N, 4))
    y[:, 1], y[:, 2] = 0, 1
    y[7, 1], y[11, 2] = 1, 0
    for seed in range(20):
        training, judging = parts(y, 0.3, seed=seed)
        assert len(judging) == 36
        assert {7, 11} <= set(training)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    n_folds=st.integers(2, 4),
    seed=st.integers(0, 2**31 - 1),
)
def test_each_member_of_folds_has_the_single_rows(counts, n_folds, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    n, others = len(labels), sum(c for c in counts if c > 1)
    if n < 2 * n_folds or others < n_folds:
        return
    training, judging = folds(np.arange(n), n_folds, labels=labels, shuffle=True, seed=seed)
    assert judging.shape == (n_folds, others // n_folds)
    assert len(np.unique(judging)) == judging.size
    for own in training:
        assert set(labels[own]) == set(range(len(counts)))


# Splitters of the user's


def test_a_splitter_keeps_its_parts_but_for_the_odd_row():
    labels = np.r_[np.arange(60) % 2, 2]
    for seed in range(8):
        splitter = ShuffleSplit(1, test_size=0.3, random_state=seed)
        theirs = next(splitter.split(labels))
        training, judging = parts(labels, splitter)
        assert set(judging) == set(theirs[1]) - {60}
        assert set(training) == set(theirs[0]) | {60}


def test_rows_that_a_splitter_repeats_stay_repeated():
    class Twice:
        def split(self, X, y=None, groups=None):
            yield np.r_[np.arange(50), np.arange(10)], np.arange(50, 60)

        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

    training, judging = parts(np.arange(60) % 2, Twice())
    assert np.bincount(training).tolist() == [2] * 10 + [1] * 40
    assert judging.tolist() == list(range(50, 60))


def test_a_group_with_all_rows_of_a_small_class_is_told_of():
    groups = np.repeat(np.arange(12), 10)
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    held = next(splitter.split(X, TWO, groups))[1]
    y = TWO.copy()
    y[held[:3]] = "small"
    network = model(validation_fraction=splitter)
    with pytest.warns(UserWarning, match=r"train and do not judge.*\['small'\]"):
        network.fit(X, y, groups=groups)
    assert network.spec_["early_stopping"]
    assert network.spec_["task"]["n_training"] == N - len(held) + 3


def test_where_most_of_a_part_has_to_train_nothing_is_held_out():
    y = np.repeat(["a", "b", "c"], 40)
    network = model(validation_fraction=0.3, shuffle=False)
    with pytest.warns(UserWarning, match=r"alone, and can't tell"):
        network.fit(X, y)  # the last 36 of 40 rows of "c"
    with pytest.warns(UserWarning, match=r"No validation part.*\['c'\] would be left to train"):
        network.set_params(validation_fraction=0.4).fit(X, y)
    assert not network.spec_["early_stopping"]


def test_a_stratified_splitter_says_that_it_refuses():
    network = model(validation_fraction=StratifiedShuffleSplit(1, test_size=0.2, random_state=0))
    with pytest.raises(ValueError, match="least populated class") as caught:
        network.fit(X, with_odd())
    assert "validation_fraction=StratifiedShuffleSplit" in caught.value.__notes__[0]


def test_stratified_folds_of_the_user():
    network = model(validation_fraction=StratifiedKFold(4))
    with pytest.warns(UserWarning, match="least populated class"):  # scikit-learn's own
        network.fit(X, with_odd())
    assert network.validation_loss_curve_ is not None


# Fits


@pytest.mark.parametrize("n_odd", [1, 4])
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_odd_row_turns_nothing_off(n_odd, shuffle):
    network = model(shuffle=shuffle, calibration="temperature").fit(X, with_odd(n_odd))
    assert network.spec_["early_stopping"]
    assert network.spec_["calibration"] == "temperature"
    assert network.spec_["task"]["n_training"] == N - 24
    best = np.argmin(network.validation_loss_curve_)
    assert network.best_iter_ == best + 1
    assert len(network.classes_) == 2 + n_odd


def test_above_ten_thousand_rows_auto_stays_on():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(12_000, 3))
    y = np.where(many[:, 0] > 0, "p", "n").astype(object)
    y[5] = "oops"
    network = MLPClassifier((4,), max_iter=2, batch_size=4000).fit(many, y)
    assert network.spec_["early_stopping"]
    assert network.spec_["task"]["n_training"] == 10_800
    assert network.classes_.tolist() == ["n", "oops", "p"]


def test_the_one_positive_row_trains_and_it_is_said_that_none_judges():
    y = np.zeros(N, dtype=int)
    y[17] = 1
    with pytest.warns(UserWarning, match="rows of class .*0.* alone.*X_val and y_val"):
        network = model().fit(X, y)
    assert network.spec_["early_stopping"]
    assert network.classes_.tolist() == [0, 1]


def test_a_class_with_one_row_of_weight_trains():
    y = TWO.copy()
    y[[3, 40, 90]] = "odd"
    weight = np.ones(N)
    weight[[3, 40]] = 0.0
    network = model().fit(X, y, sample_weight=weight)
    assert network.spec_["early_stopping"]
    # a fifth of the 118 rows that count, rounded up
    assert network.spec_["task"]["n_training"] == 118 - 24


def test_partial_fit_and_warm_start_hold_out_too():
    y = with_odd(2)
    network = model(warm_start=True).fit(X, y).fit(X, y)
    assert network.validation_loss_curve_ is not None
    stepwise = model().partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
    assert len(stepwise.validation_loss_curve_) == 2


def test_members_and_shared_members_hold_out_too():
    for how in ("independent", "shared"):
        assert (
            model(n_members=3, ensemble=how).fit(X, with_odd()).validation_loss_curve_ is not None
        )
    in_folds = model(n_members=3, validation_fraction="folds").fit(X, with_odd(2))
    # 118 rows that may be held out, in three parts
    assert in_folds.spec_["task"]["n_training"] == N - 118 // 3


def test_labels_hold_out_too():
    y = np.c_[X[:, 0] > 0, X[:, 1] > 0, np.zeros(N)].astype(int)
    y[9, 2] = 1
    network = model().fit(X, y)
    assert network.spec_["task"]["n_training"] == N - 24


def last_loss(estimator, _X, _y):
    return -estimator.validation_loss_curve_[-1]


def test_a_stack_holds_out_as_each_fit_alone():
    y = TWO.copy()
    y[[4, 80]] = "odd"  # one row in each half
    y[100] = "lost"  # in one of the halves alone: that fit is not stacked
    halves = [(np.arange(60), np.arange(60, N)), (np.r_[np.arange(40), 60:N], np.arange(40, 60))]
    search = GridSearchCV(
        model(), {"alpha": [1e-4, 1.0]}, cv=halves, scoring=last_loss, refit=False
    ).fit(X, y)
    for i, (train, _) in enumerate(halves):
        scores = search.cv_results_[f"split{i}_test_score"]
        for alpha, score in zip([1e-4, 1.0], scores, strict=True):
            alone = model(alpha=alpha).fit(X[train], y[train])
            assert score == pytest.approx(-alone.validation_loss_curve_[-1], rel=1e-9)
