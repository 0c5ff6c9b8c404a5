"""Ctrl-C in searches and validation: what was done counts, and half-trained networks never do."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import optuna
import pytest
import sklearn.model_selection as theirs
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes two of them known
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier as TheirMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier
from sklearn_dnn import model_selection as ours
from sklearn_dnn._core.training.stack_run import StackRun
from sklearn_dnn.compare import _pictures, compare_models
from sklearn_dnn.components import EarlyStopping, HiddenModule
from sklearn_dnn.inspection import bias_variance

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
]

X, Y = make_classification(90, 6, n_informative=4, flip_y=0.1, random_state=0)


class Quiet(BaseEstimator):
    """A callback that does nothing, but keeps a network out of stacks."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


class Hidden(torch.nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.layer = torch.nn.Linear(n_features, 4)

    def forward(self, x):
        return torch.tanh(self.layer(x))


def network(**more):
    given = {"hidden_layer_sizes": (4,), "max_iter": 8, "tol": 0.0, "n_iter_no_change": 100}
    given |= {"learning_rate_init": 0.05, "batch_size": 20, "random_state": 0}
    return MLPClassifier(**given | more)


def full_batch(**more):
    return network(optimizer="lbfgs", batch_size="auto", **more)


ALONE = {
    "lbfgs": full_batch(),
    "muon": network(optimizer="muon"),
    "adafactor": network(optimizer="adafactor"),
    "max_time": network(max_time=600.0),
    "refit": network(early_stopping=EarlyStopping(refit=True)),
    "callbacks": network().set_callbacks(Quiet()),
    "verbose": network(verbose=1),
    "module": network(hidden_layer_sizes=HiddenModule(Hidden)),
    "members": full_batch(n_members=2),
    "calibrated": CalibratedClassifierCV(network(), cv=2),
    "pooled": CalibratedClassifierCV(network(), cv=2, ensemble=False),
    "transformer": make_pipeline(network(), LogisticRegression()),
    "in front": make_pipeline(network(), network()),
    "behind": make_pipeline(StandardScaler(), CalibratedClassifierCV(full_batch(), cv=2)),
    "nested": ours.GridSearchCV(full_batch(max_iter=5), {"tol": [0.0]}, cv=2),
    "nested stacks": ours.GridSearchCV(network(max_iter=5), {"tol": [0.0]}, cv=2),
}
PATHS = {"calibrated": "estimator__", "pooled": "estimator__"}
PATHS |= {"transformer": "mlpclassifier__", "in front": "mlpclassifier-1__"}
PATHS |= {"behind": "calibratedclassifiercv__estimator__"}
PATHS |= {"nested": "estimator__", "nested stacks": "estimator__"}


AFTER = []  # epochs, over all fits, after which a score was asked for
JUDGED = []


def scoring(estimator, X, y):
    """Minus the log loss, which each epoch changes."""
    AFTER.append(JUDGED[-1].n_epochs)
    return log_loss_scorer(estimator, X, y)


def log_loss_scorer(estimator, X, y):
    return float(np.log(estimator.predict_proba(X)[np.arange(len(y)), y] + 1e-12).mean())


class Key:
    """The user's Ctrl-C in a certain epoch, counted over all fits."""

    def __init__(self, monkeypatch):
        self.n_epochs, self.at, self.after = 0, None, AFTER
        AFTER.clear()
        JUDGED.append(self)
        epoch, lock = StackRun.epoch, threading.Lock()

        def counted(run, started):
            with lock:
                self.n_epochs += 1
                pressed = self.n_epochs == self.at
            if pressed:
                raise KeyboardInterrupt
            return epoch(run, started)

        monkeypatch.setattr(StackRun, "epoch", counted)

    def press_in_fit(self, i):
        """Press within the i-th fit of a search like the one before, counted from 0."""
        ends = [0, *self.after]
        self.n_epochs, self.at = 0, (ends[i] + ends[i + 1]) // 2 + 1
        self.after.clear()

    def release(self):
        self.at = None
        self.after.clear()


@pytest.fixture
def key(monkeypatch):
    return Key(monkeypatch)


def splits(search):
    """Scores, (n_candidates, n_folds)."""
    n = search.n_splits_
    return np.column_stack([search.cv_results_[f"split{i}_test_score"] for i in range(n)])


def search_of(kind, folder=None, search=ours.GridSearchCV, **more):
    grid = {f"{PATHS.get(kind, '')}alpha": [1e-4, 0.1, 1.0]}
    return search(ALONE[kind], grid, cv=2, scoring=scoring, checkpoint=folder, **more)


@pytest.mark.parametrize("kind", ALONE)
def test_a_search_ends_and_goes_on_as_if_nothing_was(kind, key, tmp_path):
    whole = splits(search_of(kind).fit(X, Y))
    folder = tmp_path / "results"
    key.press_in_fit(3)
    with pytest.warns(UserWarning, match="Interrupted by the user: 3 of 6 fits are done and count"):
        # the refit of some has a validation of its own, whose fits are kept as well
        search = search_of(kind, folder, refit=kind != "pooled").fit(X, Y)
    np.testing.assert_array_equal(splits(search)[0], whole[0])
    np.testing.assert_array_equal(splits(search)[1], [whole[1, 0], np.nan])
    assert np.isnan(splits(search)[2]).all()
    assert search.best_index_ == 0
    assert len(list(folder.iterdir())) == 3
    key.release()
    again = search_of(kind, folder).fit(X, Y)
    np.testing.assert_array_equal(splits(again), whole)
    assert len(key.after) == 3


@pytest.mark.parametrize("kind", ["lbfgs", "calibrated", "nested"])
@pytest.mark.parametrize("i", [0, 1])
def test_no_candidate_is_complete(kind, i, key, tmp_path):
    search_of(kind).fit(X, Y)
    key.press_in_fit(i)
    search = search_of(kind, tmp_path)
    with pytest.raises(KeyboardInterrupt) as caught:
        search.fit(X, Y)
    assert caught.value.__notes__ == [f"{i} of 6 fits are done and kept in {str(tmp_path)!r}."]
    assert not {"best_estimator_", "cv_results_"} & set(vars(search))
    assert len(list(tmp_path.iterdir())) == i


def test_of_a_failed_candidate_nothing_is_complete(key):
    grid = [{"alpha": [-1.0]}, {"alpha": [1e-4]}]
    search = ours.GridSearchCV(full_batch(), grid, cv=2, scoring=scoring, error_score=9.0)
    search.set_params(refit=False).fit(X, Y)
    key.press_in_fit(1)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)


def test_what_was_not_done_is_not_the_best(key):
    """An ``error_score`` above all scores is for fits that fail."""
    search = search_of("lbfgs", error_score=0.0, refit=False)
    search.fit(X, Y)
    key.press_in_fit(3)
    with pytest.warns(UserWarning, match="Interrupted by the user"):
        search.fit(X, Y)
    assert search.best_index_ == 0
    assert np.isnan(splits(search)[1:]).sum() == 3


def test_errors_are_to_be_raised(key):
    search = search_of("lbfgs", error_score="raise").fit(X, Y)
    key.press_in_fit(3)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)


@pytest.mark.parametrize("kind", ["lbfgs", "max_time", "behind"])
def test_in_threads(kind, key):
    whole = splits(search_of(kind).fit(X, Y))
    key.press_in_fit(4)
    with (
        joblib.parallel_config("threading"),
        pytest.warns(UserWarning, match="Interrupted by the user"),
    ):
        search = search_of(kind, n_jobs=2).fit(X, Y)
    n_epochs = key.n_epochs
    found = splits(search)
    assert np.isnan(found).any()
    done = np.isfinite(found)
    np.testing.assert_array_equal(found[done], whole[done])
    time.sleep(0.1)
    assert key.n_epochs == n_epochs  # nobody trains on for nothing


class Breaks(ClassifierMixin, BaseEstimator):
    """Trains in no time, or is cut off at once."""

    def __init__(self, code=0):
        self.code = code

    def fit(self, X, y):
        if self.code == 2:
            raise KeyboardInterrupt
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_what_threads_have_done_counts_though_nobody_has_fetched_it_yet():
    search = ours.GridSearchCV(Breaks(), {"code": [0, 1, 2]}, cv=2, n_jobs=2)
    with (
        joblib.parallel_config("threading"),
        pytest.warns(UserWarning, match="Interrupted by the user: [34] of 6 fits"),
    ):
        search.fit(X, Y)
    assert np.isfinite(splits(search)).all(axis=1).any()


@pytest.mark.parametrize("kind", ["lbfgs", "calibrated"])
def test_the_refit_is_cut_off(kind, key):
    search = search_of(kind).fit(X, Y)
    before = splits(search)
    key.n_epochs, key.at = 0, key.after[-1] + 2
    with pytest.raises(KeyboardInterrupt) as caught:
        search.fit(X, Y)
    assert "The search itself is done" in caught.value.__notes__[0]
    np.testing.assert_array_equal(splits(search), before)
    assert search.best_params_
    assert "best_estimator_" not in vars(search)  # neither half-trained nor of the fit before


class TestHalving:
    GRID = {"alpha": [1e-4, 0.01, 0.1, 1.0]}
    ASKED = {"resource": "max_iter", "min_resources": 2, "max_resources": 8, "factor": 2, "cv": 2}

    def search(self, estimator, **more):
        return ours.HalvingGridSearchCV(
            estimator, self.GRID, scoring=scoring, random_state=0, **self.ASKED | more
        )

    @pytest.mark.parametrize("estimator", [full_batch(), network()])
    def test_a_rung_of_which_nothing_is_done(self, key, estimator):
        whole = self.search(estimator, return_train_score=False).fit(X, Y)
        first = np.flatnonzero(whole.cv_results_["iter"] == 0)
        if estimator.optimizer == "lbfgs":
            key.press_in_fit(8)
        else:  # stacks: two epochs of the eight fits of the first rung
            key.at, key.n_epochs = 4, 0
        with pytest.warns(UserWarning, match="in iteration 1, counted from 0.*iteration 0 is tak"):
            search = self.search(estimator, return_train_score=False).fit(X, Y)
        np.testing.assert_array_equal(splits(search), splits(whole)[first])
        assert search.best_index_ == np.argmax(whole.cv_results_["mean_test_score"][first])
        assert search.best_score_ == search.cv_results_["mean_test_score"].max()
        assert search.best_estimator_.max_iter == 2
        # the definitions in scikit-learn's documentation
        assert (search.n_iterations_, search.n_resources_, search.n_candidates_) == (1, [2], [4])
        assert search.n_remaining_candidates_ == 2
        assert search.n_possible_iterations_ == whole.n_possible_iterations_
        assert search.n_required_iterations_ == whole.n_required_iterations_

    def test_a_rung_of_which_some_is_done(self, key):
        whole = self.search(full_batch(), return_train_score=False).fit(X, Y)
        key.press_in_fit(11)
        with pytest.warns(UserWarning, match="2 of 4|3 of 4") as caught:
            search = self.search(full_batch(), return_train_score=False).fit(X, Y)
        assert len([w for w in caught if "Interrupted" in str(w.message)]) == 1
        assert list(search.cv_results_["iter"]) == [0] * 4 + [1] * 2  # no third rung
        np.testing.assert_array_equal(splits(search)[:5], splits(whole)[:5])
        assert search.best_index_ == 4

    def test_the_first_rung(self, key):
        key.at = 2
        with pytest.raises(KeyboardInterrupt):
            self.search(full_batch()).fit(X, Y)


class TestValidation:
    def test_cross_validate(self, key):
        asked = {"cv": 3, "scoring": scoring}
        whole = ours.cross_validate(full_batch(), X, Y, **asked)["test_score"]
        key.press_in_fit(1)
        with pytest.warns(UserWarning, match="Interrupted by the user: 1 of 3 fits"):
            found = ours.cross_validate(full_batch(), X, Y, **asked)["test_score"]
        np.testing.assert_array_equal(found, [whole[0], np.nan, np.nan])

    def test_cross_val_score_of_which_nothing_is_done(self, key):
        key.at = 2
        with pytest.raises(KeyboardInterrupt):
            ours.cross_val_score(full_batch(), X, Y, cv=3)

    @pytest.mark.parametrize("estimator", [full_batch(), network()])
    def test_predictions_are_all_or_none(self, key, estimator):
        key.at = 10 if estimator.optimizer == "lbfgs" else 4
        with pytest.raises(KeyboardInterrupt):
            ours.cross_val_predict(estimator, X, Y, cv=3)

    def test_curves(self, key):
        asked = {"cv": 2, "scoring": scoring}
        values = {"param_name": "alpha", "param_range": [1e-4, 1.0]}
        _, whole = ours.validation_curve(full_batch(), X, Y, **asked, **values)
        ends = [0, *key.after[::2]]  # two scores a fit
        key.n_epochs, key.at = 0, (ends[2] + ends[3]) // 2 + 1
        with pytest.warns(UserWarning, match="Interrupted by the user: 2 of 4 fits"):
            _, found = ours.validation_curve(full_batch(), X, Y, **asked, **values)
        assert np.isnan(found).sum() == 2
        np.testing.assert_array_equal(found[np.isfinite(found)], whole[np.isfinite(found)])

    @pytest.mark.parametrize("incremental", [False, True])
    def test_learning_curve(self, key, incremental):
        key.at = 2
        estimator = network(max_time=600.0)
        with pytest.raises(KeyboardInterrupt):
            ours.learning_curve(
                estimator,
                X,
                Y,
                cv=2,
                train_sizes=[0.5, 1.0],
                exploit_incremental_learning=incremental,
            )


class TestToolsOfOthers:
    @pytest.mark.parametrize("at", [2, 20, 30])
    def test_permutations(self, key, at):
        key.at = at  # one of the fits before, and of those that joblib is given
        with ours.stacking(), pytest.raises(KeyboardInterrupt):
            theirs.permutation_test_score(full_batch(), X, Y, cv=2, n_permutations=2)
        assert key.n_epochs == at

    def test_a_tool_does_not_go_on(self, key):
        """The first of its validations returns what was done, the next would begin."""
        key.at = 12
        selector = SequentialFeatureSelector(full_batch(), n_features_to_select=1, cv=2)
        with (
            ours.stacking() as backend,
            pytest.raises(KeyboardInterrupt),
            pytest.warns(UserWarning, match="Interrupted by the user: 1 of 2 fits"),
        ):
            selector.fit(X, Y)
        assert backend.interrupted
        assert key.n_epochs == 12

    def test_their_search(self, key):
        asked = {"cv": 2, "scoring": scoring}
        grid = {"alpha": [1e-4, 1.0]}
        with ours.stacking():
            theirs.GridSearchCV(full_batch(), grid, **asked).fit(X, Y)
        key.press_in_fit(1)
        with ours.stacking(), pytest.raises(KeyboardInterrupt):
            theirs.GridSearchCV(full_batch(), grid, **asked).fit(X, Y)

    def test_outside_of_a_block_a_fit_ends_with_a_warning(self, key):
        with ours.stacking():
            pass
        key.at = 4
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model = network().fit(X, Y)
        assert (model.end_reason_, model.n_iter_) == ("interrupted", 3)


def test_optuna(key):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {"alpha": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True)}
    asked = {"n_trials": 4, "batch_size": 2, "cv": 2, "scoring": scoring}

    def study_of():
        sampler = optuna.samplers.RandomSampler(seed=0)
        return optuna.create_study(direction="maximize", sampler=sampler)

    whole = study_of()
    ours.optimize(whole, full_batch(), space, X, Y, **asked)
    key.press_in_fit(2)
    study = study_of()
    with pytest.warns(UserWarning, match="Interrupted by the user: 2 of 4 fits"):
        ours.optimize(study, full_batch(), space, X, Y, **asked)
    states = optuna.trial.TrialState
    assert [t.state for t in study.trials] == [states.COMPLETE, states.FAIL]
    assert study.trials[0].value == whole.trials[0].value


@pytest.mark.parametrize("estimator", [full_batch(), CalibratedClassifierCV(network(), cv=2)])
def test_compare(estimator, key):
    key.at = 5
    result = compare_models(X, Y, {"good": LogisticRegression(), "stopped": estimator}, cv=2)
    assert result.interrupted
    assert result.ranking == ["good"]
    assert result.missing == {"stopped": "interrupted after 0 of 2 folds"}
    assert key.n_epochs == 5


def test_a_picture_over_fits(key):
    """Of networks that were cut off there is none."""
    pytest.importorskip("matplotlib")
    result = compare_models(X, Y, {"net": network(max_iter=3)}, cv=2)
    key.at = key.n_epochs + 2
    with pytest.raises(KeyboardInterrupt):
        _pictures._draw(_pictures.PICTURES["rows"], result)
    assert key.n_epochs == key.at


def test_a_measurement_over_fits(key):
    key.at = 12
    with pytest.raises(KeyboardInterrupt):
        bias_variance(network(), X, Y, n_rounds=4, random_state=0)
    assert key.n_epochs == 12


# The signal itself


class Swallows(ClassifierMixin, BaseEstimator):
    """As many networks of others: Ctrl-C ends its training, and nothing is raised."""

    def __init__(self, at=None, code=0):
        self.at, self.code = at, code

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        try:
            if self.code == self.at:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pass
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


ON_SIGNAL = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="handlers are the main's"
)


@ON_SIGNAL
@pytest.mark.parametrize("error", [False, True])
def test_those_that_swallow_the_signal(error):
    class Breaks(Swallows):
        def fit(self, X, y):
            super().fit(X, y)
            if error and self.code == self.at:
                raise ValueError("of what was cut off")
            return self

    handler = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match="Interrupted by the user: 2 of 6 fits"):
        search = ours.GridSearchCV(Breaks(at=1), {"code": [0, 1, 2]}, cv=2).fit(X, Y)
    assert np.isnan(splits(search)).sum() == 4
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(KeyboardInterrupt):
        ours.cross_validate(Breaks(at=0), X, Y, cv=2)
    result = compare_models(X, Y, {"good": Breaks(), "stopped": Breaks(at=0)}, cv=2)
    assert result.missing == {"stopped": "interrupted after 0 of 2 folds"}


@ON_SIGNAL
def test_scikit_learns_network(monkeypatch):
    """It warns, and ends as if it had finished."""
    backprop, calls = TheirMLPClassifier._backprop, []

    def pressed(self, *args):
        calls.append(1)
        if len(calls) == 9:
            signal.raise_signal(signal.SIGINT)
        return backprop(self, *args)

    monkeypatch.setattr(TheirMLPClassifier, "_backprop", pressed)
    model = TheirMLPClassifier((4,), max_iter=3, batch_size=45, random_state=0)
    with (
        pytest.warns(UserWarning, match="Training interrupted by user"),
        pytest.warns(UserWarning, match="Interrupted by the user: 2 of 4 fits"),
    ):
        search = ours.GridSearchCV(model, {"alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
    assert list(np.isnan(splits(search)).ravel()) == [False, False, True, True]


@ON_SIGNAL
def test_a_handler_that_does_not_raise_is_obeyed():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        search = ours.GridSearchCV(Swallows(at=1), {"code": [0, 1]}, cv=2).fit(X, Y)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 2
    assert np.isfinite(splits(search)).all()


# Other processes


class PressesOnce(Quiet):
    """Presses Ctrl-C in its process in the third epoch of the fits with a certain `alpha`."""

    def __init__(self, flag, alpha):
        self.flag, self.alpha = flag, alpha

    def on_fit_task_begin(self, estimator, context):
        here = context.task_name == "epoch" and context.task_id == 3
        if here and estimator.alpha == self.alpha and not Path(self.flag).exists():
            Path(self.flag).touch()
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_in_other_processes(tmp_path):
    def search(flag):
        estimator = network(max_time=600.0).set_callbacks(PressesOnce(str(flag), 1.0))
        return ours.GridSearchCV(
            estimator,
            {"alpha": [1e-4, 0.1, 1.0]},
            cv=2,
            n_jobs=2,
            scoring=log_loss_scorer,
            checkpoint=tmp_path / "results",
        )

    (tmp_path / "pressed").touch()
    with joblib.parallel_config("loky"):
        whole = search(tmp_path / "pressed")
        whole.checkpoint = None
        whole = splits(whole.fit(X, Y))
        try:
            with pytest.warns(UserWarning, match="Interrupted by the user"):
                found = splits(search(tmp_path / "flag").fit(X, Y))
        except KeyboardInterrupt:  # the first two candidates had not come so far
            found = np.full((3, 2), np.nan)
        again = search(tmp_path / "flag").fit(X, Y)
    done = np.isfinite(found)
    assert not done.all()
    np.testing.assert_array_equal(found[done], whole[done])
    np.testing.assert_array_equal(splits(again), whole)


PROGRAM = """
import sys, time, numpy as np
from sklearn.datasets import make_classification
from sklearn_dnn import MLPClassifier
from sklearn_dnn.model_selection import GridSearchCV
X, y = make_classification(200, 6, random_state=0)
model = MLPClassifier((4,), max_time=600.0, max_iter={max_iter}, tol=0.0, n_iter_no_change=10**6)
model.set_params(random_state=0)
grid = {{"alpha": [1e-4, 1.0]}}
search = GridSearchCV(model, grid, cv=2, n_jobs={n_jobs}, checkpoint={folder!r})
print("begins", flush=True)
search.fit(X, y)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_in_a_terminal(tmp_path, n_jobs):
    """It goes to all processes of the group; nothing half-trained is kept."""
    program = PROGRAM.format(max_iter=10**7, n_jobs=n_jobs, folder=str(tmp_path / "results"))
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout.readline() == "begins\n"
        try:
            process.communicate(timeout=4)
        except subprocess.TimeoutExpired:  # it trains by now, or imports
            os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in error
    assert not list((tmp_path / "results").iterdir())
