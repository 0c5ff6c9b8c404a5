"""What our searches do beyond scikit-learn's: checkpoints, interruptions, lost workers, bars."""

import os
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn.model_selection as theirs
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes two of them known
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    _watching,
    stacking,
)
from sklearn_dnn.model_selection._calls import Call

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLOSE = {"rtol": 1e-7, "atol": 1e-9}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X @ RNG.normal(size=4) + 0.3 * RNG.normal(size=60)
NETWORK = MLPRegressor((8,), activation="tanh", max_iter=6, batch_size=16, random_state=3)
GRID = {"learning_rate_init": [0.003, 0.01, 0.03]}


LIMIT = []  # calls of a scorer, after which the process is cut off; a list is not its content


class CutOff(BaseException):
    """What no search catches."""


def counted(folder, estimator, X, y):
    """A scorer that leaves a file for each time it was called, in whichever process."""
    n = len(list(Path(folder).iterdir()))
    if n in LIMIT:
        raise CutOff
    Path(folder, f"{n}-{os.getpid()}-{os.urandom(4).hex()}").touch()
    return estimator.score(X, y)


def scores(search):
    return search.cv_results_["mean_test_score"]


class TestCheckpoint:
    @pytest.fixture
    def folder(self, tmp_path):
        return tmp_path / "results"

    @pytest.fixture
    def calls(self, tmp_path):
        calls = tmp_path / "calls"
        calls.mkdir()
        return calls

    def search(self, folder, calls, estimator=NETWORK, grid=GRID, **more):
        scoring = partial(counted, str(calls))
        return GridSearchCV(estimator, grid, cv=3, scoring=scoring, checkpoint=folder, **more)

    def n_new(self, calls, search, X=X, y=Y):
        before = len(list(calls.iterdir()))
        search.fit(X, y)
        return len(list(calls.iterdir())) - before

    @pytest.mark.parametrize(
        ("estimator", "prefix"),
        [(NETWORK, ""), (Pipeline([("s", StandardScaler()), ("mlp", NETWORK)]), "mlp__")],
    )
    def test_results_are_taken(self, folder, calls, estimator, prefix):
        grid = {f"{prefix}learning_rate_init": [0.003, 0.01, 0.03]}
        first = self.search(folder, calls, estimator, grid)
        assert self.n_new(calls, first) == 9
        again = self.search(folder, calls, estimator, grid)
        assert self.n_new(calls, again) == 0
        for name in ("mean_test_score", "mean_fit_time"):
            np.testing.assert_array_equal(again.cv_results_[name], first.cv_results_[name])
        more = self.search(folder, calls, estimator, {name: [*v, 0.1] for name, v in grid.items()})
        assert self.n_new(calls, more) == 3

    def test_of_other_estimators(self, folder, calls):
        for expected in (6, 0):
            search = self.search(folder, calls, Ridge(), {"alpha": [0.1, 1.0]})
            assert self.n_new(calls, search) == expected

    def test_what_changed_is_done_anew(self, folder, calls):
        assert self.n_new(calls, self.search(folder, calls)) == 9
        assert self.n_new(calls, self.search(folder, calls), X + 1e-9) == 9
        assert self.n_new(calls, self.search(folder, calls), y=Y * 2) == 9
        assert self.n_new(calls, self.search(folder, calls, NETWORK.__sklearn_clone__())) == 0
        other = MLPRegressor(**NETWORK.get_params() | {"alpha": 0.5})
        assert self.n_new(calls, self.search(folder, calls, other)) == 9
        assert self.n_new(calls, self.search(folder, calls, return_train_score=True)) == 18

    def test_half_a_file(self, folder, calls):
        self.search(folder, calls).fit(X, Y)
        whole = sorted(folder.glob("*.pkl"))
        assert len(whole) == 9
        whole[0].write_bytes(whole[0].read_bytes()[:20])
        whole[1].write_bytes(b"")
        with pytest.warns(UserWarning, match="2 results are damaged, and these fits are done anew"):
            assert self.n_new(calls, self.search(folder, calls)) == 2
        assert self.n_new(calls, self.search(folder, calls)) == 0

    def test_goes_on_where_it_was_cut_off(self, folder, calls, monkeypatch):
        search = self.search(folder, calls)
        monkeypatch.setattr(f"{__name__}.LIMIT", [4])
        with pytest.raises(CutOff):
            search.fit(X, Y)
        monkeypatch.undo()
        assert len(list(folder.glob("*.pkl"))) == 4
        assert len(list(folder.iterdir())) == 4
        assert self.n_new(calls, search) == 5
        np.testing.assert_allclose(
            scores(search), scores(GridSearchCV(NETWORK, GRID, cv=3).fit(X, Y))
        )


class Interrupted:
    """A scorer at whose n-th call the user presses Ctrl-C."""

    def __init__(self, n):
        self.n = n

    def __call__(self, estimator, X, y):
        self.n -= 1
        if self.n < 0:
            raise KeyboardInterrupt
        return estimator.score(X, y)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
@pytest.mark.parametrize("estimator", [NETWORK, Ridge()])
def test_interruption(estimator):
    grid = GRID if estimator is NETWORK else {"alpha": [0.1, 1.0, 10.0]}
    search = GridSearchCV(estimator, grid, cv=3, scoring=Interrupted(7))
    with (
        pytest.warns(UserWarning, match="Interrupted by the user: 7 of 9 fits are done and count"),
        pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 9"),
    ):
        search.fit(X, Y)
    splits = np.array([search.cv_results_[f"split{i}_test_score"] for i in range(3)])
    assert np.isnan(splits).sum() == 2
    whole = theirs.GridSearchCV(estimator, grid, cv=3).fit(X, Y)
    done = np.isfinite(scores(search))
    assert 1 <= done.sum() < 3
    np.testing.assert_allclose(scores(search)[done], scores(whole)[done], **CLOSE)
    assert search.best_index_ == np.nanargmax(scores(search))
    assert hasattr(search.best_estimator_, "n_features_in_")


def test_interruption_before_anything_was_done():
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(NETWORK, GRID, cv=3, scoring=Interrupted(0)).fit(X, Y)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_interruption_while_training(monkeypatch):
    """A second stack that is interrupted: what the first did counts."""
    seen = []

    def make(_, stack):
        seen.append(stack)
        return [Interrupting()] if len(seen) == 2 else []

    class Interrupting:
        def epoch_begins(self, epoch, weights):
            if epoch == 2:
                raise KeyboardInterrupt

        def epoch_ends(self, epoch, records, weights):
            return set()

    monkeypatch.setattr(_watching.Watchers, "__call__", make)
    grid = {"activation": ["tanh", "gelu"], **GRID}
    with pytest.warns(UserWarning, match="Interrupted by the user: 9 of 18 fits"):
        search = GridSearchCV(NETWORK, grid, cv=3).fit(X, Y)
    assert np.isfinite(scores(search)).sum() == 3
    assert search.best_estimator_.n_iter_ == 6


def lost_once(flag, estimator, X, y):
    """A scorer in whose first call the process dies."""
    if not Path(flag).exists():
        Path(flag).touch()
        os._exit(1)
    return estimator.score(X, y)


@pytest.mark.slow
def test_lost_worker(tmp_path):
    search = GridSearchCV(
        NETWORK, GRID, cv=3, n_jobs=2, scoring=partial(lost_once, str(tmp_path / "flag"))
    )
    with joblib.parallel_config("loky"), pytest.warns(UserWarning, match="A worker was lost"):
        search.fit(X, Y)
    expected = theirs.GridSearchCV(NETWORK, GRID, cv=3).fit(X, Y)
    np.testing.assert_allclose(scores(search), scores(expected), **CLOSE)


class TestProgress:
    @pytest.fixture
    def bars(self, monkeypatch):
        bars = []

        class Noted(_watching.SearchBar):
            def __init__(self, n_epochs):
                super().__init__(n_epochs)
                bars.append(self.bar)

        monkeypatch.setattr("sklearn_dnn.model_selection._backend.SearchBar", Noted)
        return bars

    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_reaches_its_end(self, bars, capsys, n_jobs):
        grid = [
            {"max_iter": [3, 5], "early_stopping": [False, True]},
            {"optimizer": ["lbfgs"], "batch_size": ["auto"]},
            {"learning_rate_init": [0.01], "n_iter_no_change": [1], "tol": [10.0]},
        ]
        with joblib.parallel_config("threading"):
            search = GridSearchCV(NETWORK, grid, cv=3, n_jobs=n_jobs, progress=True).fit(X, Y)
        (bar,) = bars
        assert bar.n == bar.total
        assert "best score" in capsys.readouterr().err
        assert np.isfinite(scores(search)).all()

    def test_continued_training(self, bars):
        asked = {"resource": "max_iter", "max_resources": 8, "min_resources": 2, "factor": 2}
        grid = {"learning_rate_init": [0.003, 0.01, 0.02, 0.03]}
        search = HalvingGridSearchCV(
            NETWORK, grid, cv=3, continue_training=True, progress=True, **asked
        )
        search.fit(X, Y)
        assert [bar.n for bar in bars] == [bar.total for bar in bars] == [24, 24, 24]

    def test_failing_fits(self, bars):
        grid = {"learning_rate_init": [0.01, -1.0]}
        search = GridSearchCV(NETWORK, grid, cv=3, progress=True, error_score=-1.0)
        with pytest.warns(FitFailedWarning):
            search.fit(X, Y)
        assert bars[0].n == bars[0].total

    def test_silent_without(self, capsys):
        GridSearchCV(NETWORK, GRID, cv=3).fit(X, Y)
        captured = capsys.readouterr()
        assert captured.out == captured.err == ""


class TestEarlyTermination:
    GRID = {"learning_rate_init": [0.01, 0.02, 0.03, 1e-7]}

    def test_of_a_hopeless_candidate(self):
        network = MLPRegressor(**NETWORK.get_params() | {"max_iter": 20})
        search = RandomizedSearchCV(
            network, self.GRID, n_iter=4, cv=3, random_state=0, early_termination=3
        )
        n_iter = []
        search.scoring = lambda estimator, X, y: (
            n_iter.append((estimator.learning_rate_init, estimator.n_iter_))
            or estimator.score(X, y)
        )
        search.fit(X, Y)
        assert {n for rate, n in n_iter if rate == 1e-7} == {3}
        assert {n for rate, n in n_iter if rate == 0.03} == {20}
        assert search.best_params_ != {"learning_rate_init": 1e-7}

    def test_none_is_as_in_scikit_learn(self):
        asked = {"n_iter": 4, "cv": 3, "random_state": 0}
        one = RandomizedSearchCV(NETWORK, self.GRID, early_termination=None, **asked).fit(X, Y)
        other = theirs.RandomizedSearchCV(NETWORK, self.GRID, **asked).fit(X, Y)
        np.testing.assert_allclose(scores(one), scores(other), **CLOSE)

    @pytest.mark.parametrize("value", [0, 1.5, "median"])
    def test_bad_values(self, value):
        with pytest.raises(ValueError, match="early_termination must be None or"):
            RandomizedSearchCV(NETWORK, GRID, n_iter=2, early_termination=value).fit(X, Y)


class TestContinuedTraining:
    GRID = {"learning_rate_init": [0.003, 0.01, 0.02, 0.03], "alpha": [0.01, 0.1]}

    @pytest.mark.parametrize("piped", [False, True])
    @pytest.mark.parametrize("optimizer", ["adam", "momentum"])
    @pytest.mark.parametrize("cls", [HalvingGridSearchCV, HalvingRandomSearchCV])
    def test_equals_training_anew(self, piped, optimizer, cls):
        network = MLPRegressor(**NETWORK.get_params() | {"optimizer": optimizer})
        prefix = "mlp__" if piped else ""
        estimator = Pipeline([("s", StandardScaler()), ("mlp", network)]) if piped else network
        grid = {prefix + name: values for name, values in self.GRID.items()}
        asked = {"resource": f"{prefix}max_iter", "min_resources": 2, "max_resources": 8}
        asked |= {"factor": 2, "cv": 3, "random_state": 0}
        anew = cls(estimator, grid, **asked).fit(X, Y)
        on = cls(estimator, grid, continue_training=True, **asked).fit(X, Y)
        assert on.n_resources_ == anew.n_resources_ == [2, 4, 8]
        for key in ("mean_test_score", "mean_train_score"):
            np.testing.assert_allclose(on.cv_results_[key], anew.cv_results_[key], **CLOSE)
        assert on.best_params_ == anew.best_params_
        np.testing.assert_array_equal(on.predict(X), anew.predict(X))

    def test_networks_that_have_stopped_are_judged_in_turn(self, monkeypatch):
        """Filters of warnings belong to the process, and each call changes them."""
        run, turns = Call.run, []

        def spied(call):
            turns.append((call.fit.before is not None, backend._turn.locked()))
            return run(call)

        monkeypatch.setattr(Call, "run", spied)
        network = MLPRegressor(**NETWORK.get_params() | {"tol": 1e9, "n_iter_no_change": 1})
        asked = {"resource": "max_iter", "min_resources": 4, "max_resources": 8, "factor": 2}
        with joblib.parallel_config("threading"), stacking(continue_training=True) as backend:
            theirs.HalvingGridSearchCV(network, self.GRID, cv=3, n_jobs=2, **asked).fit(X, Y)
        assert (True, True) in turns
        assert all(is_held for _, is_held in turns)

    @pytest.mark.parametrize("resource", ["n_samples", "batch_size"])
    def test_other_resources_are_refused(self, resource):
        asked = {"resource": resource, "max_resources": 8, "continue_training": True}
        with pytest.raises(ValueError, match="needs the network's max_iter as resource"):
            HalvingGridSearchCV(NETWORK, self.GRID, **asked).fit(X, Y)


def test_stacking_around_scikit_learns_own(capsys):
    expected = scores(theirs.GridSearchCV(NETWORK, GRID, cv=3).fit(X, Y))
    plain = theirs.cross_val_score(NETWORK, X, Y, cv=3)
    permuted = theirs.permutation_test_score(NETWORK, X, Y, cv=3, n_permutations=3, random_state=0)
    with stacking(verbose=2):
        search = theirs.GridSearchCV(NETWORK, GRID, cv=3).fit(X, Y)
        assert "[stacking] 9 of 9 fits trained in stacks" in capsys.readouterr().out
        np.testing.assert_allclose(theirs.cross_val_score(NETWORK, X, Y, cv=3), plain, **CLOSE)
        found = theirs.permutation_test_score(NETWORK, X, Y, cv=3, n_permutations=3, random_state=0)
    np.testing.assert_allclose(scores(search), expected, **CLOSE)
    np.testing.assert_allclose(found[1], permuted[1], **CLOSE)
