"""Those who watch: scikit-learn's callbacks, and what `verbose` shows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.callbacks import _observers as observers

# Fits are kept short; whether they have converged is not what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (6,), "max_iter": 5, "learning_rate_init": 0.02, "random_state": 0}
SCORE = {MLPClassifier: "accuracy", MLPRegressor: "r2"}
BOTH = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])


@pytest.fixture(scope="module")
def data():
    return make_classification(80, 4, n_informative=3, n_redundant=0, random_state=0)


class Recorder:
    """Keeps what every hook was told.

    Parameters
    ----------
    at_end : callable or None
        Called with the epoch (from 0) at each epoch's end; its result is the hook's.
    """

    def __init__(self, at_end=None):
        self.at_end = at_end
        self.hooks = []
        self.ended = []

    def setup(self, estimator, context):
        self.hooks.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.hooks.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.hooks.append(("begin", context.task_name))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.hooks.append(("end", context.task_name))
        if context.task_name == "epoch":
            self.ended.append((X, y, metadata, fitted_estimator))
            if self.at_end is not None:
                return self.at_end(context.task_id)
        return False


class StopAfter:
    """Asks to stop after some epochs; scikit-learn hands it on to inner estimators."""

    max_propagation_depth = None

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id + 1 >= self.n_epochs


class StopWithin:
    """The same, but it stays with the estimator that it was set on."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    setup = StopAfter.setup
    teardown = StopAfter.teardown
    on_fit_task_begin = StopAfter.on_fit_task_begin
    on_fit_task_end = StopAfter.on_fit_task_end


def _epochs_done(estimator, _X, _y):
    """A scorer that tells how long an inner fit has run."""
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    return float(last.n_iter_ if last.end_reason_ == "callback" else -last.n_iter_)


# The protocol


@BOTH
def test_one_task_an_epoch_within_the_task_of_the_fit(data, cls):
    recorder = Recorder()
    model = cls(**QUICK).set_callbacks(recorder).fit(*data)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    assert recorder.hooks == [
        ("setup", "fit"),
        ("begin", "fit"),
        *epoch * model.n_iter_,
        ("end", "fit"),
        ("teardown", "fit"),
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"batch_size": 16, "dropout": 0.2, "norm": "batch"},
        {"optimizer": "lbfgs"},
        {"optimizer": "momentum", "schedule": "exponential", "dtype": "float32"},
    ],
    ids=lambda p: ",".join(p) or "defaults",
)
@BOTH
def test_fitted_estimator_is_a_fit_that_stopped_there(data, cls, parameters):
    X, y = data
    recorder = Recorder()
    model = cls(**QUICK, **parameters).set_callbacks(recorder).fit(X, y)
    kept = [fitted for *_, fitted in recorder.ended]
    assert len(kept) == model.n_iter_
    for k, fitted in enumerate(kept, start=1):
        alone = cls(**{**QUICK, **parameters, "max_iter": k}).fit(X, y)
        np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))
        np.testing.assert_array_equal(fitted.transform(X), alone.transform(X))
        assert fitted.n_iter_ == alone.n_iter_ == k
        assert fitted.loss_curve_ == alone.loss_curve_
    np.testing.assert_array_equal(kept[-1].predict(X), model.predict(X))


def test_hooks_are_told_what_the_user_gave(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=list("abcd"))
    weight = np.linspace(0.5, 2, len(y))
    recorder = Recorder()
    MLPClassifier(**QUICK).set_callbacks(recorder).fit(frame, y, sample_weight=weight)
    for told_X, told_y, metadata, fitted in recorder.ended:
        assert told_X is frame
        assert told_y is y
        assert metadata["sample_weight"] is weight
        assert 0 <= fitted.score(told_X, told_y, **metadata) <= 1


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True}, {"dropout": 0.3}])
@BOTH
def test_watching_changes_no_prediction(data, cls, parameters):
    X, y = data
    monitor = ScoringMonitor(scoring=SCORE[cls])
    watched = cls(**QUICK, **parameters).set_callbacks(Recorder(), monitor).fit(X, y)
    alone = cls(**QUICK, **parameters).fit(X, y)
    np.testing.assert_array_equal(watched.predict(X), alone.predict(X))
    assert watched.loss_curve_ == alone.loss_curve_
    assert watched.set_callbacks().fit(X, y).loss_curve_ == alone.loss_curve_


def test_a_callback_that_predicts_draws_nothing_from_the_fit(data):
    X, y = data
    recorder = Recorder()
    recorder.at_end = lambda _: recorder.ended[-1][-1].predict(X).sum() < 0
    parameters = {**QUICK, "dropout": 0.3, "batch_size": 16}
    watched = MLPClassifier(**parameters).set_callbacks(recorder).fit(X, y)
    alone = MLPClassifier(**parameters).fit(X, y)
    np.testing.assert_array_equal(watched.predict_proba(X), alone.predict_proba(X))


def test_warm_start_tells_its_own_epochs(data):
    recorder = Recorder()
    model = MLPClassifier(**QUICK, warm_start=True).fit(*data)
    model.set_callbacks(recorder).fit(*data)
    assert len(recorder.ended) == 5
    assert [fitted.n_iter_ for *_, fitted in recorder.ended] == [1, 2, 3, 4, 5]
    assert [len(fitted.loss_curve_) for *_, fitted in recorder.ended] == [6, 7, 8, 9, 10]


# Stopping


@BOTH
def test_a_stop_request_ends_the_fit(data, cls):
    X, y = data
    model = cls(**QUICK).set_callbacks(StopAfter(3)).fit(X, y)
    assert model.end_reason_ == "callback"
    assert model.n_iter_ == len(model.loss_curve_) == 3
    alone = cls(**{**QUICK, "max_iter": 3}).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), alone.predict(X))


def test_a_stop_request_does_not_warn(data):
    model = MLPClassifier(**QUICK).set_callbacks(StopAfter(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*data)


def test_a_stop_keeps_the_best_weights_under_early_stopping(data):
    X, y = data
    # a rate at which the held-out loss is not best at the end
    parameters = {**QUICK, "early_stopping": True, "learning_rate_init": 0.5, "max_iter": 12}
    model = MLPClassifier(**parameters).set_callbacks(StopAfter(8)).fit(X, y)
    assert model.end_reason_ == "callback"
    assert model.best_iter_ == 1 + int(np.argmin(model.validation_loss_curve_))
    assert model.best_iter_ < model.n_iter_ == 8
    best = MLPClassifier(**{**parameters, "max_iter": model.best_iter_}).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), best.predict_proba(X))


def test_a_stop_through_a_pipeline(data):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    pipeline.set_callbacks(StopAfter(2)).fit(*data)
    assert pipeline[-1].n_iter_ == 2
    assert pipeline[-1].end_reason_ == "callback"
    pipeline.set_callbacks().fit(*data)
    assert pipeline[-1].n_iter_ == 5


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stop_through_a_search(data, n_jobs):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    grid = {"mlpclassifier__alpha": [1e-4, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=_epochs_done, n_jobs=n_jobs)
    search.set_callbacks(StopAfter(3)).fit(*data)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [3, 3])
    assert search.best_estimator_[-1].end_reason_ == "callback"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callback_of_the_inner_estimator_goes_along_with_its_copies(data, n_jobs):
    model = MLPClassifier(**QUICK).set_callbacks(StopWithin(2))
    result = cross_validate(model, *data, cv=2, scoring=_epochs_done, n_jobs=n_jobs)
    np.testing.assert_array_equal(result["test_score"], [2, 2])


# Errors and interrupts


class MishapError(Exception):
    """Raised by a callback."""


def _mishap(epoch):
    if epoch == 1:
        raise MishapError
    return False


def test_teardown_after_an_error_in_a_callback(data):
    X, y = data
    recorder = Recorder(_mishap)
    model = MLPClassifier(**QUICK).set_callbacks(recorder)
    with pytest.raises(MishapError):
        model.fit(X, y)
    assert recorder.hooks[-1] == ("teardown", "fit")
    assert not hasattr(model, "coefs_")
    recorder.at_end = None
    again = model.fit(X, y)
    np.testing.assert_array_equal(again.predict(X), MLPClassifier(**QUICK).fit(X, y).predict(X))


def test_an_error_leaves_the_earlier_fit_whole(data):
    X, y = data
    model = MLPClassifier(**QUICK).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(MishapError):
        model.set_callbacks(Recorder(_mishap)).fit(X, 1 - y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_teardown_where_training_diverges(data):
    recorder = Recorder()
    model = MLPRegressor(
        **{**QUICK, "learning_rate_init": 1e30}, optimizer="sgd", dtype="float32", batch_size=8
    )
    with pytest.raises(ValueError, match="not finite"):
        model.set_callbacks(recorder).fit(data[0], 1.0 * data[1])
    assert recorder.hooks[0] == ("setup", "fit")
    assert recorder.hooks[-1] == ("teardown", "fit")


def _interrupt(epoch):
    if epoch == 2:
        raise KeyboardInterrupt
    return False


def test_an_interrupt_keeps_what_was_learnt(data):
    X, y = data
    recorder = Recorder(_interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        model = MLPClassifier(**QUICK).set_callbacks(recorder).fit(X, y)
    assert model.end_reason_ == "interrupted"
    assert model.n_iter_ == 3
    assert recorder.hooks[-2:] == [("end", "fit"), ("teardown", "fit")]
    alone = MLPClassifier(**{**QUICK, "max_iter": 3}).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))


# scikit-learn's own callbacks


@BOTH
def test_scoring_monitor_logs_every_epoch(data, cls):
    X, y = data
    monitor, recorder = ScoringMonitor(scoring=SCORE[cls]), Recorder()
    model = cls(**QUICK).set_callbacks(monitor, recorder).fit(X, y)
    rows = monitor.get_logs().data
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in epochs] == list(range(model.n_iter_))
    assert [row[SCORE[cls]] for row in epochs] == [f.score(X, y) for *_, f in recorder.ended]
    assert epochs[-1][SCORE[cls]] == model.score(X, y)


def test_scoring_monitor_within_a_search(data):
    monitor = ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(
        MLPClassifier(**QUICK).set_callbacks(monitor), {"alpha": [1e-4, 1e-2]}, cv=2
    )
    search.fit(*data)
    logged = [row for log in monitor.get_logs(select="all") for row in log.data]
    epochs = [row for row in logged if row["task_name"] == "epoch"]
    n_fits = 2 * 2 + 1  # the last with all rows
    assert len(epochs) == n_fits * QUICK["max_iter"]


@pytest.mark.filterwarnings('ignore:install "ipywidgets":UserWarning')
def test_progress_bar(data, capsys):
    pytest.importorskip("rich")
    X, y = data
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    plain = clone(pipeline).fit(X, y)
    pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "MLPClassifier" in capsys.readouterr().out
    np.testing.assert_array_equal(pipeline.predict_proba(X), plain.predict_proba(X))


# Verbosity


@BOTH
def test_silent_by_default(data, cls, capfd):
    model = cls(**QUICK).fit(*data)
    model.predict(data[0])
    if hasattr(model, "predict_proba"):
        model.predict_proba(data[0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, True])
def test_a_bar(data, capsys, verbose):
    pytest.importorskip("tqdm")
    MLPClassifier(**QUICK, verbose=verbose).fit(*data)
    out, err = capsys.readouterr()
    assert out == ""
    assert "MLPClassifier" in err
    assert "5/5" in err
    assert "loss=" in err


def test_the_bar_ends_with_the_fit(data, capsys):
    pytest.importorskip("tqdm")
    model = MLPClassifier(**QUICK, verbose=1)
    with pytest.raises(MishapError):
        model.set_callbacks(Recorder(_mishap)).fit(*data)
    assert capsys.readouterr().err.endswith("\n")


def test_lines_where_there_is_no_tqdm(data, capsys, monkeypatch):
    monkeypatch.setattr(observers, "find_spec", lambda _: None)
    model = MLPClassifier(**QUICK, verbose=1).fit(*data)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == model.n_iter_
    assert err == ""


def test_a_line_an_epoch(data, capsys):
    model = MLPClassifier(**QUICK, verbose=2, early_stopping=True).fit(*data)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert len(lines) == model.n_iter_
    for i, (line, loss, score) in enumerate(
        zip(lines, model.loss_curve_, model.validation_scores_, strict=True), start=1
    ):
        assert line.startswith(f"Iteration {i}, loss = {loss:.8f}")
        assert f"validation score = {score:.6f}" in line


def test_lines_of_a_fit_that_goes_on_count_on(data, capsys):
    model = MLPClassifier(**QUICK, verbose=2, warm_start=True).fit(*data)
    capsys.readouterr()
    model.fit(*data)
    assert capsys.readouterr().out.startswith("Iteration 6,")


def test_verbosity_changes_no_prediction(data):
    X, y = data
    quiet = MLPClassifier(**QUICK).fit(X, y).predict_proba(X)
    for verbose in (1, 2, 3):
        model = MLPClassifier(**QUICK, verbose=verbose).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), quiet)
