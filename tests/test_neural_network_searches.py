"""Searches over scikit-learn's networks: its scores, trained in lockstep as stacks."""

import threading
import time
import warnings

import numpy as np
import pytest
import sklearn.model_selection as theirs
import sklearn.neural_network as its
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import model_selection as ours
from sklearn_dnn import neural_network as mine
from sklearn_dnn._lockstep import Meeting, in_lockstep, meeting
from sklearn_dnn.neural_network import _fits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
GIVEN = {"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 0}


@pytest.fixture
def stacks(monkeypatch):
    """Sizes of the stacks that were made."""
    sizes = []

    class Noted(_fits.Stack):
        def __init__(self, fits):
            sizes.append(len(fits))
            super().__init__(fits)

    monkeypatch.setattr(_fits, "Stack", Noted)
    return sizes


def assert_equal_scores(a, b):
    for name, values in a.cv_results_.items():
        if name.startswith(("split", "mean_test", "rank")):
            assert_allclose(values, b.cv_results_[name], rtol=1e-9, err_msg=name)
    assert a.best_params_ == b.best_params_


GRIDS = {
    "numbers": {"alpha": [1e-4, 1.0], "learning_rate_init": [1e-3, 1e-2]},
    "kinds": {"solver": ["adam", "sgd", "lbfgs"], "hidden_layer_sizes": [(6,), (4, 3)]},
    "early": {"early_stopping": [True, False], "n_iter_no_change": [1, 5]},
    "schedules": {"solver": ["sgd"], "learning_rate": ["constant", "invscaling", "adaptive"]},
}


@pytest.mark.parametrize("name", GRIDS)
def test_scores_are_scikit_learns(name, stacks):
    a = theirs.GridSearchCV(its.MLPClassifier(**GIVEN), GRIDS[name], cv=3).fit(X, Y)
    assert stacks == []
    b = ours.GridSearchCV(mine.MLPClassifier(**GIVEN), GRIDS[name], cv=3).fit(X, Y)
    assert_equal_scores(a, b)
    if name in {"numbers", "schedules"}:  # but for the refit, in few stacks
        assert sum(stacks[:-1]) == 3 * len(b.cv_results_["params"])
        assert len(stacks) <= 3


def test_behind_other_steps(stacks):
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "standardscaler__with_mean": [True, False]}
    a, b = (
        search(make_pipeline(StandardScaler(), network(**GIVEN)), grid, cv=3).fit(X, Y)
        for search, network in (
            (theirs.GridSearchCV, its.MLPClassifier),
            (ours.GridSearchCV, mine.MLPClassifier),
        )
    )
    assert_equal_scores(a, b)
    assert max(stacks) > 1


def test_validation_functions():
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    for name in ("cross_val_score", "cross_val_predict"):
        a = getattr(theirs, name)(its.MLPClassifier(**GIVEN), X, Y, cv=3)
        b = getattr(ours, name)(mine.MLPClassifier(**GIVEN), X, Y, cv=3)
        assert_allclose(a, b)
    params = {"sample_weight": weight}
    a = theirs.cross_validate(
        its.MLPRegressor(**GIVEN), X, Y, cv=3, params=params, return_train_score=True
    )
    b = ours.cross_validate(
        mine.MLPRegressor(**GIVEN),
        X,
        Y,
        cv=3,
        params=params,
        return_train_score=True,
        return_estimator=True,
    )
    for key in ("test_score", "train_score"):
        assert_allclose(a[key], b[key], rtol=1e-9)
    assert all(isinstance(e, mine.MLPRegressor) and "fit" not in vars(e) for e in b["estimator"])


def test_a_fit_that_fails_leaves_the_others():
    grid = {"hidden_layer_sizes": [(6,), (-1,)]}
    base = mine.MLPClassifier(**GIVEN)
    search = ours.GridSearchCV(base, grid, cv=3, error_score=np.nan)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(X, Y)
    assert "3 fits failed out of a total of 6" in str(
        next(w.message for w in told if w.category is FitFailedWarning)
    )
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0"):
        ours.GridSearchCV(base, grid, cv=3, error_score="raise").fit(X, Y)
    assert meeting() is None


def test_seconds_are_those_of_each_fit():
    began = time.perf_counter()
    search = ours.GridSearchCV(mine.MLPClassifier(**GIVEN), {"alpha": np.logspace(-4, 0, 9)}, cv=3)
    search.fit(X, Y)
    spent = search.cv_results_["mean_fit_time"].sum() * 3
    assert 0 < spent < 1.5 * (time.perf_counter() - began)
    assert (search.cv_results_["mean_fit_time"] > 0).all()


def test_other_estimators_around_them(stacks):
    bag = BaggingClassifier(mine.MLPClassifier(**GIVEN), n_estimators=3, random_state=0)
    same = clone(bag).set_params(estimator=its.MLPClassifier(**GIVEN))
    a = theirs.cross_val_score(same, X, Y, cv=3)
    assert_allclose(ours.cross_val_score(bag, X, Y, cv=3), a)
    assert 3 in stacks


def test_a_search_within_a_search():
    inner = ours.GridSearchCV(mine.MLPClassifier(**GIVEN), {"alpha": [1e-4, 1.0]}, cv=2)
    same = theirs.GridSearchCV(its.MLPClassifier(**GIVEN), {"alpha": [1e-4, 1.0]}, cv=2)
    assert_allclose(
        ours.cross_val_score(inner, X, Y, cv=3), theirs.cross_val_score(same, X, Y, cv=3)
    )


@pytest.mark.slow
def test_in_other_processes():
    a = theirs.GridSearchCV(its.MLPClassifier(**GIVEN), GRIDS["numbers"], cv=3).fit(X, Y)
    b = ours.GridSearchCV(mine.MLPClassifier(**GIVEN), GRIDS["numbers"], cv=3, n_jobs=2)
    assert_equal_scores(a, b.fit(X, Y))


def test_ctrl_c_ends_all(monkeypatch):
    """What was interrupted does not count, though scikit-learn's networks go on after it."""
    pressed = _fits.train_together
    calls = []

    def train(asked):
        calls.append(len(asked))
        if len(calls) == 3:
            import signal  # noqa: PLC0415 - of this test alone

            signal.raise_signal(signal.SIGINT)
        return pressed(asked)

    monkeypatch.setattr("sklearn_dnn.neural_network._fits.train_together", train)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        ours.cross_validate(mine.MLPClassifier(**GIVEN), X, Y, cv=3)
    assert threading.active_count() == before


class Locked(mine.MLPClassifier):
    """One whose fit holds what another fit waits for."""

    lock = threading.Lock()

    def fit(self, X, y):
        with self.lock:
            return super().fit(X, y)


def test_subclasses_are_fitted_one_after_the_other(stacks):
    a = theirs.cross_val_score(its.MLPClassifier(**GIVEN), X, Y, cv=3)
    assert_allclose(ours.cross_val_score(Locked(**GIVEN), X, Y, cv=3), a)
    assert set(stacks) == {1}


def test_chance_of_the_process_is_drawn_as_there():
    found = []
    for module, network in ((theirs, its), (ours, mine)):
        np.random.seed(3)  # noqa: NPY002 - what programs do
        found.append(module.cross_val_score(network.MLPClassifier((6,), max_iter=5), X, Y, cv=3))
        found.append(np.random.randint(10**6))  # noqa: NPY002 - what programs do
    assert_allclose(found[0], found[2])
    assert found[1] == found[3]


def test_what_ends_a_search_warns_of_no_other_fit():
    grid = {"hidden_layer_sizes": [(6,), (-1,)]}
    search = ours.GridSearchCV(mine.MLPClassifier(**GIVEN), grid, cv=3, error_score="raise")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="must be > 0"):
            search.fit(X, Y)
    assert not any("interrupted" in str(w.message) for w in told)


# The meeting itself


def test_tasks_wait_for_each_other():
    """Epochs are asked for together, whoever has fewer leaves, and one works at a time."""
    together, at_work = [], []

    def train(asked):
        assert not at_work
        together.append(sorted(each.fit for each in asked))
        for each in asked:
            each.loss = float(each.rows)

    def task(name, n_epochs):
        def run():
            found = []
            for epoch in range(n_epochs):
                at_work.append(name)
                time.sleep(0.001)
                assert at_work == [name]
                at_work.remove(name)
                found.append(meeting().epoch(_fits.Asked(name, epoch)))
            return name, found

        return run

    results = dict(in_lockstep([task("a", 3), task("b", 1), task("c", 2)], train))
    assert results == {"a": [0.0, 1.0, 2.0], "b": [0.0], "c": [0.0, 1.0]}
    assert together == [["a", "b", "c"], ["a", "c"], ["a"]]
    assert meeting() is None


def test_an_error_of_a_task_ends_all():
    def broken():
        raise OSError("broken")

    def endless():
        while True:
            meeting().epoch(_fits.Asked("endless", 0))

    def train(asked):
        for each in asked:
            each.loss = 0.0

    with pytest.raises(OSError, match="broken"):
        list(in_lockstep([endless, broken, endless], train))


def test_an_error_of_an_epoch_is_that_of_its_fit():
    def train(asked):
        for each in asked:
            each.loss, each.error = (0.0, None) if each.fit == "good" else (None, OSError("bad"))

    def task(name):
        def run():
            try:
                return name, meeting().epoch(_fits.Asked(name, 0))
            except OSError as error:
                return name, str(error)

        return run

    assert dict(in_lockstep([task("good"), task("bad")], train)) == {"good": 0.0, "bad": "bad"}


def test_an_error_where_all_are_trained_leaves_nobody_waiting():
    def train(_asked):
        raise MemoryError("too little")

    def task():
        try:
            return meeting().epoch(_fits.Asked("fit", 0))
        except MemoryError as error:
            return str(error)

    assert list(in_lockstep([task] * 4, train)) == ["too little"] * 4


def test_a_stack_that_cannot_be_made_is_a_fit_that_fails(monkeypatch):
    def broken(_fits_of_it):
        raise MemoryError("too little")

    monkeypatch.setattr(_fits, "Stack", broken)
    with pytest.raises(MemoryError, match="too little"):
        ours.cross_val_score(mine.MLPClassifier(**GIVEN), X, Y, cv=3, error_score="raise")


def test_a_meeting_of_nobody():
    assert list(in_lockstep([], lambda _: None)) == []
    Meeting(lambda _: None, 1).end()
