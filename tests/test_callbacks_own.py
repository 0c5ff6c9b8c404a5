"""The package's own callbacks."""

from __future__ import annotations

import copy
import doctest
import importlib
import pickle
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.callback import (
    AutoPropagatedCallback,
    CallbackSupportMixin,
    FitCallback,
    ScoringMonitor,
    with_callbacks,
)
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from torch import nn

from sklearn_dnn import MLPClassifier, MLPRegressor, _show_versions, callbacks
from sklearn_dnn.callbacks import (
    Checkpoint,
    CSVLogger,
    EpochScoring,
    FunctionCallback,
    GradientActivationMonitor,
    History,
    LivePlot,
    StopAtTarget,
    TensorBoard,
    _checkpoint,
    _live_plot,
)
from sklearn_dnn.callbacks._diagnosis import Sample, default_loss, look_into
from sklearn_dnn.callbacks._monitor import figures
from sklearn_dnn.callbacks._observers import CallbackObserver, Parts
from sklearn_dnn.components import BatchNorm, EarlyStopping, Residual

# Fits are kept short; whether they have converged is not what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (6,), "max_iter": 5, "learning_rate_init": 0.02, "random_state": 0}
BOTH = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])


@pytest.fixture(scope="module")
def data():
    return make_classification(80, 4, n_informative=3, n_redundant=0, random_state=0)


def always(*_):
    return False


# One of each; the path is a folder.
EACH = {
    "History": lambda path: History(path / "history.jsonl"),
    "CSVLogger": lambda path: CSVLogger(path / "log.csv"),
    "Checkpoint": lambda path: Checkpoint(path / "{epoch}.joblib"),
    "FunctionCallback": lambda _: FunctionCallback(always),
    "EpochScoring": lambda _: EpochScoring(None, on="training"),
    "StopAtTarget": lambda _: StopAtTarget("loss", -1.0),
    "GradientActivationMonitor": lambda _: GradientActivationMonitor(),
    "TensorBoard": lambda path: TensorBoard(path / "tb", histograms_every=2, graph=True),
    "LivePlot": lambda _: LivePlot(),
}
EVERY = pytest.mark.parametrize("name", EACH)


def _made(name, path):
    for package in {"TensorBoard": "tensorboard", "LivePlot": "matplotlib"}.get(name, "").split():
        pytest.importorskip(package)
    return EACH[name](path)


class Keeper:
    """Keeps the fitted copy that an epoch begins with, and those that it ends with."""

    def __init__(self):
        self.kept = []

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch" and not self.kept:
            self.kept.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.kept.append(fitted_estimator)


# The protocol


def test_every_exported_callback_is_tested():
    assert set(EACH) == set(callbacks.__all__)


@EVERY
def test_follows_the_protocol(name, tmp_path):
    callback = _made(name, tmp_path)
    assert isinstance(callback, FitCallback)
    assert isinstance(callback, AutoPropagatedCallback)
    assert callback.max_propagation_depth is None
    assert repr(callback).startswith(f"{name}(")


@pytest.mark.parametrize("parameters", [{"dropout": 0.3, "batch_size": 16}, {"norm": "batch"}])
@EVERY
@BOTH
def test_changes_no_prediction(data, cls, parameters, name, tmp_path):
    X, y = data
    parameters = {**QUICK, "early_stopping": True, **parameters}
    watched = cls(**parameters).set_callbacks(_made(name, tmp_path)).fit(X, y)
    alone = cls(**parameters).fit(X, y)
    np.testing.assert_array_equal(watched.predict(X), alone.predict(X))
    assert watched.loss_curve_ == alone.loss_curve_
    assert watched.end_reason_ == alone.end_reason_ == "max_iter"


@EVERY
def test_leaves_the_random_state_and_torch_as_they_were(data, name, tmp_path):
    legacy = check_random_state(None)  # NumPy's global one
    before = torch.get_rng_state(), legacy.get_state()[1].copy(), torch.is_grad_enabled()
    MLPClassifier(**QUICK).set_callbacks(_made(name, tmp_path)).fit(*data)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], legacy.get_state()[1])
    assert before[2] == torch.is_grad_enabled()


@EVERY
def test_pickles_copies_and_clones_along_with_its_estimator(data, name, tmp_path):
    callback = _made(name, tmp_path)
    model = MLPClassifier(**QUICK).set_callbacks(callback)
    for twin in (clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        twin.fit(*data)
        again = pickle.loads(pickle.dumps(twin))
        np.testing.assert_array_equal(again.predict(data[0]), twin.predict(data[0]))
    assert repr(pickle.loads(pickle.dumps(callback)))


@EVERY
def test_within_a_pipeline_in_a_search(data, name, tmp_path):
    callback = _made(name, tmp_path)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1e-2]}, cv=2)
    history = History()
    search.set_callbacks(history, callback).fit(*data)
    frame = history.frame()
    assert list(frame.groupby("fit")["epoch"].max()) == [5] * 5  # two by two, and the refit
    assert not callback._fits
    assert not callback._clocks


def test_set_inside_a_pipeline_it_is_refused_with_the_way_out(data):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK).set_callbacks(History()))
    with pytest.raises(TypeError, match="directly on the meta-estimator"):
        pipeline.fit(*data)


def test_fits_in_threads_are_kept_apart(data):
    history = History()
    search = GridSearchCV(MLPClassifier(**QUICK), {"alpha": [1e-4, 1e-2]}, cv=2, n_jobs=2)
    with joblib.parallel_backend("threading"):
        search.set_callbacks(history).fit(*data)
    frame = history.frame()
    assert frame.groupby("fit")["epoch"].apply(list).tolist() == [[1, 2, 3, 4, 5]] * 5
    assert frame.groupby("fit")["loss"].apply(lambda loss: loss.is_monotonic_decreasing).all()


@EVERY
def test_nothing_is_left_of_a_fit_that_broke_off(data, name, tmp_path):
    callback = _made(name, tmp_path)

    def mishap(*_):
        raise RuntimeError("mishap")

    model = MLPClassifier(**QUICK).set_callbacks(callback, FunctionCallback(mishap))
    with pytest.raises(RuntimeError, match="mishap"):
        model.fit(*data)
    assert not callback._fits
    assert not callback._clocks
    assert model.set_callbacks(callback).fit(*data).n_iter_ == 5


@pytest.mark.parametrize(
    "name", ["History", "CSVLogger", "Checkpoint", "FunctionCallback", "EpochScoring"]
)
def test_another_estimator_is_watched_as_far_as_it_tells(data, name, tmp_path):
    history = History()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.set_callbacks(_made(name, tmp_path), history).fit(*data)
    frame = history.frame()
    assert list(frame["epoch"]) == list(range(1, model[-1].n_iter_[0] + 1))
    assert (frame["estimator"] == "LogisticRegression").all()
    assert (frame["seconds"] >= 0).all()


@pytest.mark.parametrize(
    ("callback", "match"),
    [
        (lambda _: GradientActivationMonitor(), r"to_torch\(\)"),
        (lambda path: TensorBoard(path, histograms_every=1), r"to_torch\(\)"),
        (lambda _: LivePlot(), "history_"),
        (lambda _: StopAtTarget("auto", 1), "history_"),
        (lambda _: StopAtTarget("loss", 1), "'loss' is not known of LogisticRegression"),
        (lambda path: Checkpoint(path / "a", save_best_only=True), "history_"),
        (lambda _: EpochScoring(None), "no validation part"),
    ],
)
def test_another_estimator_that_tells_too_little_is_an_error(data, callback, match, tmp_path):
    model = LogisticRegression().set_callbacks(callback(tmp_path))
    with pytest.raises((TypeError, ValueError), match=match):
        model.fit(*data)


@pytest.mark.parametrize(
    ("callback", "match"),
    [
        (Checkpoint("a", every=0), "every must be a whole number of at least 1; got 0"),
        (Checkpoint("a{}"), "a field has no name"),
        (GradientActivationMonitor(every=1.5), "every must be"),
        (GradientActivationMonitor(n_rows=1), "n_rows must be"),
        (GradientActivationMonitor(loss=3), "loss must be a function"),
        (LivePlot(every=True), "every must be"),
        (TensorBoard("a", histograms_every=-1), "histograms_every must be"),
        (FunctionCallback(3), "on_epoch_end must be a function"),
        (StopAtTarget("loss", None), "value must be a number"),
        (EpochScoring(None, on="test"), "on must be"),
        (EpochScoring(None, X=[[1]]), "y is missing"),
        (EpochScoring(None, on="training", X=[[1]], y=[1]), "contradicts"),
        (EpochScoring(None, sample_weight=[1]), "goes with X and y"),
    ],
    ids=repr,
)
def test_a_bad_parameter_is_refused_before_training(data, callback, match):
    model = MLPClassifier(**QUICK).set_callbacks(callback)
    with pytest.raises((TypeError, ValueError), match=match):
        model.fit(*data)
    assert not hasattr(model, "coefs_")


# History and CSVLogger


@BOTH
def test_history_has_the_curves_of_every_epoch(data, cls):
    history = History()
    model = cls(**QUICK, early_stopping=True).set_callbacks(history).fit(*data)
    frame = history.frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["epoch"]) == [1, 2, 3, 4, 5]
    assert (frame["fit"] == 0).all()
    assert all(f"``{name}``" in History.__doc__ for name in frame)
    for name, values in model.history_.items():
        # what was not computed is None in the one, NaN in the other
        np.testing.assert_array_equal(frame[name], np.array(values, dtype=float))
    model.fit(*data)
    assert list(history.frame()["fit"]) == [0] * 5 + [1] * 5


def test_history_without_a_validation_part_and_without_rows(data):
    history = History()
    assert history.frame().empty
    assert {"fit", "estimator", "epoch"} <= set(history.frame().columns)
    MLPClassifier(**QUICK).set_callbacks(history).fit(*data)
    assert history.frame()["validation_loss"].isna().all()


def test_history_counts_on_with_warm_start(data):
    history = History()
    model = MLPClassifier(**QUICK, warm_start=True).set_callbacks(history).fit(*data)
    model.fit(*data)
    assert list(history.frame()["epoch"]) == list(range(1, 11))


def test_history_and_scoring_monitor_can_be_joined(data):
    history, monitor = History(), ScoringMonitor(scoring="accuracy")
    MLPClassifier(**QUICK).set_callbacks(history, monitor).fit(*data)
    log = monitor.get_logs()
    joined = history.frame().merge(log.data_as_pandas, on="task_id_path")
    assert len(joined) == 5
    assert set(joined["run_id"]) == {str(log.run_id)}


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("propagated", [True, False])
def test_history_in_a_file_has_the_rows_of_all_processes(data, n_jobs, propagated, tmp_path):
    history = History(tmp_path / "rows.jsonl")
    log = CSVLogger(tmp_path / "rows.csv")
    model = MLPClassifier(**QUICK)
    if propagated:
        search = GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=2, n_jobs=n_jobs, refit=False)
        search.set_callbacks(history, log).fit(*data)
    else:
        cross_validate(model.set_callbacks(history, log), *data, cv=4, n_jobs=n_jobs)
    frame, table = history.frame(), pd.read_csv(tmp_path / "rows.csv")
    assert frame.groupby("fit")["epoch"].apply(list).tolist() == [[1, 2, 3, 4, 5]] * 4
    fits = table["task_id_path"].str.rpartition("/")[0]
    assert list(table.groupby([table["run_id"], fits]).size()) == [5] * 4
    assert sorted(table["loss"]) == sorted(frame["loss"])


def test_csv_has_the_same_numbers_as_the_history(data, tmp_path):
    path = tmp_path / "log.csv"
    history = History()
    model = MLPRegressor(**QUICK).set_callbacks(history, CSVLogger(path)).fit(*data)
    table, frame = pd.read_csv(path), history.frame()
    assert tuple(table.columns) == CSVLogger.columns
    assert set(table.columns) >= set(model.history_)
    assert set(table.columns) == set(frame.columns)
    same = [name for name in CSVLogger.columns if name != "task_id_path"]
    pd.testing.assert_frame_equal(table[same], frame[same], check_dtype=False, rtol=1e-14)


def test_csv_is_on_disk_after_every_epoch(data, tmp_path):
    path = tmp_path / "log.csv"
    lines = []
    count = FunctionCallback(lambda *_: lines.append(len(path.read_text().splitlines())))
    MLPClassifier(**QUICK).set_callbacks(CSVLogger(path), count).fit(*data)
    assert lines == [2, 3, 4, 5, 6]  # with the header
    assert len(path.read_text().splitlines()) == 6


def test_csv_appends_or_begins_anew(data, tmp_path):
    path = tmp_path / "log.csv"
    model = MLPClassifier(**QUICK)
    log = CSVLogger(path)
    model.set_callbacks(log).fit(*data)
    model.fit(*data)
    assert list(pd.read_csv(path)["fit"]) == [0] * 5 + [1] * 5
    model.set_callbacks(CSVLogger(path, append=True)).fit(*data)
    assert len(pd.read_csv(path)) == 15
    pickle.loads(pickle.dumps(model)).fit(*data)
    assert len(pd.read_csv(path)) == 20
    model.set_callbacks(CSVLogger(path)).fit(*data)
    assert len(pd.read_csv(path)) == 5


def test_csv_refuses_a_file_of_other_columns(data, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    model = MLPClassifier(**QUICK).set_callbacks(CSVLogger(path, append=True))
    with pytest.raises(ValueError, match="other columns, a, b"):
        model.fit(*data)
    assert path.read_text() == "a,b\n1,2\n"


# Checkpoint


@BOTH
def test_checkpoint_holds_the_fit_that_stopped_there(data, cls, tmp_path):
    X, y = data
    callback = Checkpoint(tmp_path / "at" / "{epoch}-{loss:.3f}.joblib", every=2)
    model = cls(**QUICK).set_callbacks(callback).fit(X, y)
    files = sorted(path.name for path in (tmp_path / "at").iterdir())
    assert files == [f"{k}-{model.loss_curve_[k - 1]:.3f}.joblib" for k in (2, 4)]
    for name in files:
        loaded = joblib.load(tmp_path / "at" / name)
        alone = cls(**{**QUICK, "max_iter": int(name[0])}).fit(X, y)
        np.testing.assert_array_equal(loaded.predict(X), alone.predict(X))
        assert loaded.n_iter_ == int(name[0])
        assert not any("callback" in attribute for attribute in vars(loaded))
        loaded.fit(X, y)  # it is whole: it can be fitted again, unwatched
    assert sorted(path.name for path in (tmp_path / "at").iterdir()) == files


def test_the_best_checkpoint_is_what_early_stopping_keeps(data, tmp_path):
    X, y = data
    parameters = {**QUICK, "early_stopping": True, "learning_rate_init": 0.5, "max_iter": 12}
    path = tmp_path / "best.joblib"
    model = MLPClassifier(**parameters).set_callbacks(Checkpoint(path, save_best_only=True))
    model.fit(X, y)
    assert model.best_iter_ < model.n_iter_
    best = joblib.load(path)
    assert best.n_iter_ == model.best_iter_
    np.testing.assert_array_equal(best.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("monitor", ["auto", "validation_score"])
def test_the_best_checkpoint_by_a_score(data, monitor, tmp_path):
    path = tmp_path / "best.joblib"
    parameters = {**QUICK, "early_stopping": True, "monitor": "f1_macro", "max_iter": 10}
    model = MLPClassifier(**parameters)
    model.set_callbacks(Checkpoint(path, save_best_only=True, monitor=monitor)).fit(*data)
    assert joblib.load(path).n_iter_ == 1 + int(np.argmax(model.validation_scores_))


def error_rate(model, X, y):
    return 1 - model.score(X, y)


@pytest.mark.parametrize("monitor", ["auto", "validation_score"])
def test_a_score_to_be_made_small(data, monitor, tmp_path):
    path = tmp_path / "best.joblib"
    rule = EarlyStopping(mode="min", patience=100)
    parameters = {**QUICK, "early_stopping": rule, "monitor": error_rate, "max_iter": 12}
    model = MLPClassifier(**parameters | {"validation_fraction": 0.5})
    model.set_callbacks(Checkpoint(path, save_best_only=True, monitor=monitor)).fit(*data)
    errors = model.validation_scores_
    assert errors[0] > min(errors)
    assert joblib.load(path).n_iter_ == model.best_iter_ == 1 + errors.index(min(errors))
    model.set_callbacks(StopAtTarget(monitor, min(errors))).fit(*data)
    assert model.n_iter_ == 1 + errors.index(min(errors))


def test_auto_is_the_training_loss_where_that_is_watched(data, tmp_path):
    X, y = data
    path = tmp_path / "best.joblib"
    rule = EarlyStopping(watch="training", patience=100)
    parameters = {**QUICK, "early_stopping": rule, "max_iter": 12, "learning_rate_init": 0.3}
    model = MLPClassifier(**parameters).set_callbacks(Checkpoint(path, save_best_only=True))
    model.fit(X[:20], y[:20], X_val=X[20:], y_val=y[20:])
    losses, others = model.loss_curve_, model.validation_loss_curve_
    assert np.argmin(losses) != np.argmin(others)
    assert joblib.load(path).n_iter_ == model.best_iter_ == 1 + int(np.argmin(losses))


def test_a_checkpoint_is_whole_or_as_it_was(data, tmp_path, monkeypatch):
    path = tmp_path / "model.joblib"
    model = MLPClassifier(**QUICK).set_callbacks(Checkpoint(path)).fit(*data)
    before = path.read_bytes()

    def half(_, file):
        file.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(_checkpoint.joblib, "dump", half)
    with pytest.raises(OSError, match="full"):
        model.fit(*data)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.joblib"]


def test_a_checkpoint_of_a_second_warm_fit_goes_on_from_its_own_weights(data, tmp_path):
    X, y = data
    model = MLPClassifier(**QUICK, warm_start=True, optimizer="sgd").fit(X, y)
    model.set_callbacks(Checkpoint(tmp_path / "{epoch}")).fit(X, y)
    loaded = joblib.load(tmp_path / "8")
    coef = loaded.coefs_[0].copy()
    loaded.set_params(max_iter=1, learning_rate_init=1e-12).fit(X, y)
    np.testing.assert_allclose(loaded.coefs_[0], coef, rtol=1e-9)
    assert (loaded.n_iter_, len(loaded.loss_curve_)) == (1, 9)


def test_unknown_fields_and_monitors_of_a_checkpoint(data, tmp_path):
    model = MLPClassifier(**QUICK).set_callbacks(Checkpoint(tmp_path / "{los}"))
    with pytest.raises(ValueError, match=r"'los'.*fields are loss, "):
        model.fit(*data)
    model.set_callbacks(Checkpoint(tmp_path / "a", True, monitor="auc"))
    with pytest.raises(ValueError, match=r"monitor='auc' is not known.*'loss'"):
        model.fit(*data)
    model.set_callbacks(Checkpoint(tmp_path / "a", True, monitor="validation_loss"))
    with pytest.raises(ValueError, match="needs a validation part"):
        model.fit(*data)


def test_checkpoints_of_many_fits_have_names_of_their_own(data, tmp_path):
    callback = Checkpoint(tmp_path / "{name}-{fit}-{epoch}", every=5)
    search = GridSearchCV(MLPClassifier(**QUICK), {"alpha": [1e-4, 1e-2]}, cv=2)
    search.set_callbacks(callback).fit(*data)
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 5
    assert len({name.split("-")[1] for name in names}) == 5
    assert {name.split("-")[3] for name in names} == set("01234")


# FunctionCallback and StopAtTarget


def test_functions_are_called_in_order(data):
    calls = []

    def note(name):
        return lambda epoch, record, fitted: calls.append((name, epoch, record, fitted))

    callback = FunctionCallback(
        note("epoch end"),
        on_epoch_begin=note("epoch begin"),
        on_fit_begin=note("fit begin"),
        on_fit_end=note("fit end"),
    )
    X, y = data
    model = MLPClassifier(**{**QUICK, "max_iter": 2}).set_callbacks(callback).fit(X, y)
    assert [call[:2] for call in calls] == [
        ("fit begin", 0),
        ("epoch begin", 0),
        ("epoch end", 1),
        ("epoch begin", 1),
        ("epoch end", 2),
        ("fit end", 2),
    ]
    assert calls[0][2] == {}
    assert [call[2]["loss"] for call in calls[2::2]] == model.loss_curve_[:1] + [model.loss_] * 1
    np.testing.assert_array_equal(calls[-1][3].predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(calls[2][3].coefs_[0], calls[3][3].coefs_[0])


def test_a_true_return_stops(data):
    X, y = data
    callback = FunctionCallback(lambda epoch, _, fitted: fitted.score(X, y) >= 0 and epoch > 1)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    model = pipeline.set_callbacks(callback).fit(X, y)[-1]
    assert (model.n_iter_, model.end_reason_) == (2, "callback")


def test_what_a_function_does_to_the_fitted_copy_stays_there(data):
    X, y = data

    def spoil(_, record, fitted):
        fitted.coefs_[0][:] = 0
        fitted.history_.clear()
        record.clear()

    model = MLPClassifier(**QUICK).set_callbacks(FunctionCallback(spoil)).fit(X, y)
    alone = MLPClassifier(**QUICK).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))


def test_stop_at_target(data):
    curve = MLPClassifier(**QUICK).fit(*data).loss_curve_
    assert sorted(curve, reverse=True) == curve
    model = MLPClassifier(**QUICK).set_callbacks(StopAtTarget("loss", curve[2])).fit(*data)
    assert (model.n_iter_, model.end_reason_) == (3, "callback")
    parameters = {**QUICK, "early_stopping": True, "max_iter": 30}
    model = MLPClassifier(**parameters)
    scores = model.fit(*data).validation_scores_
    target = max(scores)
    model.set_callbacks(StopAtTarget("validation_score", target)).fit(*data)
    assert model.n_iter_ == 1 + scores.index(target)
    losses = MLPClassifier(**parameters).fit(*data).validation_loss_curve_
    model.set_callbacks(StopAtTarget("auto", losses[1])).fit(*data)
    assert model.n_iter_ == 1 + int(np.argmax(np.array(losses) <= losses[1]))
    model.set_callbacks(StopAtTarget("loss", -1)).fit(*data)
    assert model.end_reason_ != "callback"


# EpochScoring


def test_scores_of_what_fit_was_given(data):
    X, y = data
    scoring, keeper = EpochScoring(["f1_macro", "neg_log_loss"], on="training"), Keeper()
    MLPClassifier(**QUICK).set_callbacks(scoring, keeper).fit(X, y)
    frame = scoring.frame()
    fits = keeper.kept[1:]
    assert list(frame["f1_macro"]) == [f1_score(y, f.predict(X), average="macro") for f in fits]
    np.testing.assert_allclose(
        frame["neg_log_loss"], [-log_loss(y, f.predict_proba(X)) for f in fits], rtol=1e-12
    )


def test_training_loss_without_dropout_is_below_that_with(data):
    scoring = EpochScoring("neg_log_loss", on="training", name="evaluated")
    parameters = {**QUICK, "dropout": 0.5, "max_iter": 30, "alpha": 0.0}
    model = MLPClassifier(**parameters).set_callbacks(scoring).fit(*data)
    assert -scoring.frame()["evaluated"].iloc[-1] < model.history_["train_loss"][-1]


def test_scores_of_rows_of_ones_own(data):
    X, y = data
    weight = np.linspace(0, 1, 30)
    scoring = EpochScoring("accuracy", X=X[:30], y=y[:30], sample_weight=weight)
    keeper = Keeper()
    MLPClassifier(**QUICK).set_callbacks(scoring, keeper).fit(X[30:], y[30:])
    expected = [
        accuracy_score(y[:30], fitted.predict(X[:30]), sample_weight=weight)
        for fitted in keeper.kept[1:]
    ]
    assert list(scoring.frame()["accuracy"]) == expected


def test_sample_weights_of_fit_go_to_the_training_score(data):
    X, y = data
    weight = np.linspace(0.1, 1, len(y))
    scoring, keeper = EpochScoring("accuracy", on="training"), Keeper()
    MLPClassifier(**QUICK).set_callbacks(scoring, keeper).fit(X, y, sample_weight=weight)
    expected = [accuracy_score(y, f.predict(X), sample_weight=weight) for f in keeper.kept[1:]]
    np.testing.assert_allclose(scoring.frame()["accuracy"], expected, rtol=1e-12)


def _two(estimator, X, y):
    return {"a": 1, "b": estimator.score(X, y)}


@pytest.mark.parametrize(
    ("scoring", "name", "columns"),
    [
        (None, None, ["score"]),
        ("f1", None, ["f1"]),
        ("f1", "mine", ["mine"]),
        (["f1", "accuracy"], "mine", ["mine_f1", "mine_accuracy"]),
        ({"g": "f1", "h": _two}, None, ["g", "a", "b"]),
        (_two, "mine", ["mine_a", "mine_b"]),
        (lambda *_: 0.5, None, ["score"]),
    ],
)
def test_forms_of_scoring(data, scoring, name, columns):
    callback = EpochScoring(scoring, on="training", name=name)
    MLPClassifier(**QUICK).set_callbacks(callback).fit(*data)
    frame = callback.frame()
    assert list(frame.columns) == ["fit", "estimator", "epoch", *columns, "run_id", "task_id_path"]
    assert len(frame) == 5


def test_a_scorer_that_does_not_fit_is_an_error(data):
    model = MLPRegressor(**QUICK).set_callbacks(EpochScoring("neg_log_loss", on="training"))
    with pytest.raises(ValueError, match=r"EpochScoring\(scoring='neg_log_loss'\) can't score"):
        model.fit(*data)


class Watched(CallbackSupportMixin, BaseEstimator):
    """A network that hands its parts to callbacks."""

    @with_callbacks
    def fit(self, X, y):
        model = MLPClassifier(**{**QUICK, "max_iter": 1}).fit(X, y)
        parts = {"training": (X[20:], y[20:], None), "validation": (X[:20], y[:20], None)}
        root = self._init_callback_context(max_subtasks=1)
        observer = CallbackObserver(model, root, X, y, {}, lambda _: vars(model), parts=parts.get)
        observer.epoch_begins(0, lambda _: None)
        observer.epoch_ends(0, {}, lambda _: None)
        self.model_ = model
        return self


def test_parts_of_the_rows_reach_the_callbacks(data):
    X, y = data
    validation, training = EpochScoring(None), EpochScoring(None, on="training")
    pickles = []
    pickled = FunctionCallback(lambda *told: pickles.append(pickle.dumps(told[-1])))
    watched = Watched().set_callbacks(validation, training, pickled).fit(X, y)
    assert list(validation.frame()["score"]) == [watched.model_.score(X[:20], y[:20])]
    assert list(training.frame()["score"]) == [watched.model_.score(X[20:], y[20:])]
    assert pickle.loads(pickles[0]).predict(X).shape == y.shape
    assert pickle.loads(pickle.dumps(Parts({}.get)))("training") is None


@pytest.mark.parametrize("form", ["array", "frame", "sparse"])
@pytest.mark.parametrize("how", ["inner", "given"])
@BOTH
def test_scores_of_the_rows_held_out(data, cls, how, form):
    X, y = data
    table = {
        "array": X,
        "frame": pd.DataFrame(X, columns=list("abcd")),
        "sparse": sp.csr_matrix(X),
    }[form]
    callback = EpochScoring(None)
    extra = {"X_val": table, "y_val": y} if how == "given" else {}
    model = cls(**QUICK, early_stopping=True).set_callbacks(callback).fit(table, y, **extra)
    assert list(callback.frame()["score"]) == pytest.approx(model.validation_scores_, rel=1e-12)


def test_training_and_validation_rows_are_apart(data):
    X, y = data
    found = {}

    def look(_epoch, _record, fitted):
        found.update({which: vars(fitted)["_parts"](which) for which in ("training", "validation")})

    MLPClassifier(**QUICK, early_stopping=True).set_callbacks(FunctionCallback(look)).fit(X, y)
    rows = np.concatenate([found["training"][0], found["validation"][0]])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))


# GradientActivationMonitor


def _sample(X, y):
    return Sample(torch.from_numpy(np.asarray(X, dtype=np.float64)), np.asarray(y))


def test_gradient_norm_of_a_linear_model_in_closed_form(data):
    X, _ = data
    y = X @ [1.0, -2.0, 0.5, 0.0] + np.sin(9 * X[:, 0])
    monitor, keeper = GradientActivationMonitor(), Keeper()
    parameters = {**QUICK, "hidden_layer_sizes": (), "optimizer": "sgd"}
    MLPRegressor(**parameters).set_callbacks(monitor, keeper).fit(X, y)
    frame = monitor.frame()
    assert len(frame) == 5
    for norm, fitted in zip(frame["gradient_norm"], keeper.kept[1:], strict=True):
        scaled = (X - fitted.input_mean_) / fitted.input_scale_
        # d/dw of mean((y^ - y)^2) / (2 var y), where y^ = (x w + b) sd(y) + mean(y)
        error = (fitted.predict(X) - y) / y.std()
        expected = np.hypot(np.linalg.norm(scaled.T @ error / len(y)), error.mean())
        assert norm == pytest.approx(expected, rel=1e-6)


def test_update_ratio_is_that_of_the_weights(data):
    monitor, keeper = GradientActivationMonitor(), Keeper()
    MLPClassifier(**{**QUICK, "hidden_layer_sizes": (6, 3)}).set_callbacks(monitor, keeper).fit(
        *data
    )
    frame = monitor.frame()
    assert list(frame["layer"]) == [0, 1, 2] * 5
    for epoch, (old, new) in enumerate(zip(keeper.kept, keeper.kept[1:], strict=False), start=1):
        rows = frame[frame["epoch"] == epoch]
        expected = [
            np.linalg.norm(b - a) / np.linalg.norm(a)
            for a, b in zip(old.coefs_, new.coefs_, strict=True)
        ]
        np.testing.assert_allclose(rows["update_ratio"], expected, rtol=1e-6)


@pytest.mark.parametrize("norm", [None, "batch"])
def test_activations_are_those_of_transform(data, norm):
    X, y = data
    monitor, keeper = GradientActivationMonitor(n_rows=1000), Keeper()
    MLPClassifier(**QUICK, norm=norm).set_callbacks(monitor, keeper).fit(X, y)
    frame = monitor.frame()
    hidden, out = (frame[frame["layer"] == i] for i in (0, 1))
    for i, fitted in enumerate(keeper.kept[1:]):
        a = fitted.transform(X)
        assert hidden["activation_mean"].iloc[i] == pytest.approx(a.mean(), rel=1e-6)
        assert hidden["activation_std"].iloc[i] == pytest.approx(a.std(), rel=1e-6)
        # a ReLU's slope is 0 where it is not active
        assert hidden["saturated"].iloc[i] == pytest.approx((a == 0).mean(), abs=1e-12)
        p = fitted.predict_proba(X)[:, 1]
        assert out["activation_mean"].iloc[i] == pytest.approx(p.mean(), rel=1e-6)
    assert out["saturated"].isna().all()


def test_dead_units_are_counted(data):
    X, y = data
    model = MLPClassifier(**QUICK).fit(X, y)
    model.intercepts_[0][:] = 1e3  # all active
    assert figures(look_into(model, _sample(X, y), "it")[0])["dead"] == 0
    model.intercepts_[0][:2] = -1e3
    found = figures(look_into(model, _sample(X, y), "it")[0])
    assert found["dead"] == pytest.approx(2 / 6)
    assert found["saturated"] == pytest.approx(2 / 6)


def test_saturation_of_tanh(data):
    X, y = data
    model = MLPClassifier(**QUICK, activation="tanh").fit(X, y)
    model.intercepts_[0][:] = 0
    model.coefs_[0][:] *= 1e-3
    assert figures(look_into(model, _sample(X, y), "it")[0])["saturated"] == 0
    model.coefs_[0][:] *= 1e9
    assert figures(look_into(model, _sample(X, y), "it")[0])["saturated"] > 0.99


def test_vanishing_gradients_are_seen(data):
    monitor = GradientActivationMonitor()
    parameters = {**QUICK, "hidden_layer_sizes": (6,) * 6, "max_iter": 1}
    MLPClassifier(**parameters, activation="logistic").set_callbacks(monitor).fit(*data)
    norms = monitor.frame()["gradient_norm"].to_numpy()
    assert norms[0] < 1e-2 * norms[-1]


def test_a_look_now_and_then(data, tmp_path):
    monitor = GradientActivationMonitor(every=2, n_rows=10, path=tmp_path / "rows")
    MLPClassifier(**QUICK).set_callbacks(monitor).fit(*data)
    assert list(monitor.frame()["epoch"]) == [2, 2, 4, 4]
    assert monitor.frame()["update_ratio"].gt(0).all()


@pytest.mark.parametrize("kind", ["frame", "sparse", "tensor", "float32", "list"])
def test_forms_of_tables(data, kind):
    X, y = data
    forms = {
        "frame": lambda: pd.DataFrame(X, columns=list("abcd")),
        "sparse": lambda: sp.csr_matrix(X),
        "tensor": lambda: torch.from_numpy(X),
        "float32": lambda: X.astype(np.float32),
        "list": X.tolist,
    }
    monitor = GradientActivationMonitor(n_rows=20)
    MLPClassifier(**QUICK).set_callbacks(monitor).fit(forms[kind](), y)
    assert monitor.frame()["gradient_norm"].gt(0).all()


class Nested(RegressorMixin, BaseEstimator):
    """A fitted estimator whose module has modules within modules, and a residual connection."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleDict(
                {"a": nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.PReLU(3), nn.Dropout())}
            )

        def forward(self, x):
            return x + self.inner["a"](x)

    def to_torch(self):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Sequential(nn.Linear(4, 3), nn.Tanh()), self.Block(), nn.Linear(3, 1)
        ).eval()


def test_nested_modules(data):
    X, y = data
    with torch.random.fork_rng():
        layers = look_into(Nested(), _sample(X, y), "it")
        module = Nested().to_torch().double()
    assert [layer.name for layer in layers] == ["0.0", "1.inner.a.0", "2"]
    assert set(layers[1].weights) == {
        f"1.inner.a.{name}" for name in ("0.weight", "0.bias", "1.weight", "1.bias", "2.weight")
    }
    target = torch.from_numpy(y.astype(float))[:, None]
    loss = (module(torch.from_numpy(X)) - target).square().mean() / 2 / y.var()
    loss.backward()
    for layer in layers:
        for name, gradient in layer.gradients.items():
            torch.testing.assert_close(gradient, module.get_parameter(name).grad)
    a = torch.tanh(module[0][0](torch.from_numpy(X)).detach())
    torch.testing.assert_close(layers[0].slopes, 1 - a**2)
    assert layers[1].slopes.shape == (len(y), 3)
    assert layers[2].slopes is None


BUILDS = {
    "residual": {"topology": "residual"},
    "projected": {"hidden_layer_sizes": (6, 5), "topology": Residual(multiplier=True)},
    "wide": {"topology": "wide"},
    "gated": {"activation": "swiglu"},
    "learning": {"activation": "prelu"},
    "weight norm": {"norm": "weight"},
    "norm behind": {"norm": BatchNorm(position="after")},
}


@pytest.mark.parametrize("name", BUILDS)
def test_networks_of_every_build_are_looked_into(data, name):
    X, y = data
    given = {**QUICK, "hidden_layer_sizes": (6, 6), "activation": "tanh"} | BUILDS[name]
    model = MLPClassifier(**given).fit(X, y)
    layers = look_into(model, _sample(X, y), "it")
    n = len(model.coefs_)
    assert len(layers) == n  # the matrix of a skip connection is no layer
    for layer, coef in zip(layers, model.coefs_, strict=True):
        weight = next(w for w in layer.weights.values() if w.dim() == 2)
        np.testing.assert_allclose(weight.numpy(), coef.T)
    hidden = layers[-2].activations.numpy()
    np.testing.assert_allclose(hidden, model.transform(X)[:, : hidden.shape[1]], rtol=1e-6)
    assert all(layer.slopes is not None for layer in layers[:-1])
    names = set().union(*(layer.weights for layer in layers))
    assert names == {key for key, _ in model.to_torch().named_parameters()}
    monitor = GradientActivationMonitor()
    MLPClassifier(**given).set_callbacks(monitor).fit(X, y)
    assert monitor.frame()["gradient_norm"].gt(0).all()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "text"])
def test_default_loss_of_classifiers(kind):
    if kind == "multilabel":
        X, y = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
    else:
        n = 3 if kind == "multiclass" else 2
        X, y = make_classification(60, 4, n_informative=3, n_redundant=0, n_classes=n)
        y = np.array(["no", "yes"])[y] if kind == "text" else y
    model = MLPClassifier(**QUICK).fit(X, y)
    predictions = model.to_torch().double()(torch.from_numpy(X))
    p = model.predict_proba(X)
    if kind == "multilabel":
        expected = -np.log(np.where(y == 1, p, 1 - p)).sum(1).mean()
    else:
        expected = log_loss(y, p)
    assert float(default_loss(model, predictions.detach(), y)) == pytest.approx(expected, rel=1e-6)


def test_a_single_class_has_no_gradients(data, tmp_path):
    pytest.importorskip("tensorboard")
    X, _ = data
    monitor = GradientActivationMonitor()
    model = MLPClassifier(**QUICK).set_callbacks(monitor, TensorBoard(tmp_path, histograms_every=1))
    model.fit(X, np.full(len(X), 7))
    assert model.predict_proba(X).min() == 1
    assert (monitor.frame()["gradient_norm"] == 0).all()
    assert np.isfinite(monitor.frame()["activation_std"]).all()
    predictions = model.to_torch().double()(torch.from_numpy(X))
    assert float(default_loss(model, predictions.detach(), np.full(len(X), 7))) == 0


def test_a_loss_of_ones_own(data):
    X, y = data
    monitor, twice = GradientActivationMonitor(), GradientActivationMonitor(loss=_twice)
    MLPRegressor(**QUICK).set_callbacks(monitor, twice).fit(X, y.astype(float))
    a, b = monitor.frame()["gradient_norm"], twice.frame()["gradient_norm"]
    np.testing.assert_allclose(b, 2 * np.var(y) * a, rtol=1e-9)


def _twice(predictions, targets):
    return (predictions - targets).square().sum(1).mean()


# TensorBoard


def _events(path):
    module = "tensorboard.backend.event_processing.event_accumulator"
    events = importlib.import_module(module).EventAccumulator(
        str(path), size_guidance={"scalars": 0, "histograms": 0}
    )
    events.Reload()
    return events


def test_tensorboard_curves_are_those_of_the_network(data, tmp_path):
    pytest.importorskip("tensorboard")
    model = MLPClassifier(**QUICK, early_stopping=True).set_callbacks(TensorBoard(tmp_path))
    model.fit(*data)
    model.fit(*data)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    events = _events(folders[0])
    for name in ("loss", "validation_loss", "validation_score", "learning_rate"):
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(
            [scalar.value for scalar in scalars], model.history_[name], rtol=1e-6
        )
    last = events.Scalars("final/validation_loss")
    assert last[-1].value == pytest.approx(model.validation_loss_curve_[-1], rel=1e-6)
    assert events.Tags()["histograms"] == []
    assert not events.Tags()["graph"]


def test_tensorboard_histograms_graph_and_parameters(data, tmp_path):
    pytest.importorskip("tensorboard")
    callback = TensorBoard(tmp_path, histograms_every=2, graph=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK)).set_callbacks(callback)
    pipeline.fit(*data)
    (folder,) = tmp_path.iterdir()
    assert "MLPClassifier" in folder.name
    events = _events(folder)
    tags = events.Tags()["histograms"]
    for kind, n in (("weights/", 4), ("gradients/", 4), ("activations/", 2)):
        names = [tag for tag in tags if tag.startswith(kind)]
        assert len(names) == n
        for name in names:
            assert [histogram.step for histogram in events.Histograms(name)] == [2, 4]
    (first,) = [tag for tag in tags if re.fullmatch(r"weights/layers.0.weight", tag)]
    assert events.Histograms(first)[0].histogram_value.num == 4 * 6
    assert any("Linear" in node.name for node in events.Graph().node)
    (start,) = [
        data.session_start_info
        for tag, data in _plugin_data(events)
        if tag == "_hparams_/session_start_info"
    ]
    assert start.hparams["learning_rate_init"].number_value == 0.02
    assert start.hparams["hidden_layer_sizes"].string_value == "(6,)"


def _plugin_data(events):
    module = importlib.import_module("tensorboard.plugins.hparams.plugin_data_pb2")
    for tag, content in events.summary_metadata.items():
        if content.plugin_data.plugin_name == "hparams":
            yield tag, module.HParamsPluginData.FromString(content.plugin_data.content)


def test_tensorboard_without_the_package(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    model = MLPClassifier(**QUICK).set_callbacks(TensorBoard(tmp_path))
    with pytest.raises(ImportError, match=r"sklearn-dnn\[tensorboard\]"):
        model.fit(*data)


def test_heavy_packages_are_imported_late():
    code = (
        "import sys, sklearn_dnn.callbacks; "
        "print([m for m in ('tensorboard', 'matplotlib', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# LivePlot


def test_live_plot_draws_the_curves(data):
    pytest.importorskip("matplotlib")
    plot = LivePlot(every=2)
    parameters = {**QUICK, "early_stopping": True}
    model = MLPClassifier(**parameters).set_callbacks(plot).fit(*data)
    lines = {line.get_label(): line.get_xydata() for line in plot.figure.axes[0].get_lines()}
    # a training loss is the mean of an epoch: it belongs half an epoch to the left
    np.testing.assert_allclose(
        lines["training loss"], np.c_[np.arange(0.5, 5), model.loss_curve_], rtol=1e-12
    )
    np.testing.assert_allclose(
        lines["validation loss"], np.c_[np.arange(1, 6), model.validation_loss_curve_], rtol=1e-12
    )
    MLPClassifier(**QUICK).set_callbacks(plot).fit(*data)
    (line,) = plot.figure.axes[0].get_lines()
    assert line.get_label() == "training loss"


def test_live_plot_in_a_notebook(data, monkeypatch):
    pytest.importorskip("matplotlib")
    shown = []

    class Image:
        def __init__(self, data, format):
            self.data = data

    class Handle:
        def update(self, image):
            shown.append(image.data)

    def display(image, display_id):
        assert display_id is True
        shown.append(image.data)
        return Handle()

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    ipython.__spec__ = types.SimpleNamespace()
    ipython.version_info = (9, 0)  # matplotlib asks for it
    page = types.ModuleType("IPython.display")
    page.Image, page.display = Image, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", page)
    MLPClassifier(**QUICK).set_callbacks(LivePlot(every=2)).fit(*data)
    assert len(shown) == 3  # epochs 2 and 4, and the last
    assert all(picture.startswith(b"\x89PNG") for picture in shown)
    shown.clear()
    ipython.get_ipython = lambda: None
    MLPClassifier(**QUICK).set_callbacks(LivePlot()).fit(*data)
    assert not shown


def test_live_plot_in_a_window(data, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    pyplot, figure = (importlib.import_module(f"matplotlib.{n}") for n in ("pyplot", "figure"))

    class Window(figure.Figure):
        def show(self, warn=True):
            self.canvas.draw_idle = lambda: drawn.append(1)

    monkeypatch.setattr(_live_plot, "_has_windows", lambda: True)
    monkeypatch.setattr(pyplot, "figure", Window)
    MLPClassifier(**QUICK).set_callbacks(LivePlot()).fit(*data)
    assert len(drawn) == 5


def test_live_plot_without_matplotlib(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    model = MLPClassifier(**QUICK).set_callbacks(LivePlot())
    with pytest.raises(ImportError, match=r"sklearn-dnn\[report\]"):
        model.fit(*data)


# show_versions


def test_show_versions(capsys):
    _show_versions.show_versions()
    out = capsys.readouterr().out
    for name in ("python", "sklearn_dnn", "numpy", "scipy", "scikit-learn", "torch"):
        assert re.search(rf"^ *{name}: \S", out, flags=re.MULTILINE)
    assert f"torch: {torch.__version__.partition('+')[0]}" in out
    assert f"CUDA available: {torch.cuda.is_available()}" in out
    assert "torch default: torch.float32" in out
    assert "eps float32: 1.19209e-07" in out
    assert "of torch:" in out
    assert "openmp" in out


def test_show_versions_names_devices_and_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a device")
    monkeypatch.setattr(_show_versions, "OPTIONAL", ("no-such-package-of-anyone",))
    _show_versions.show_versions()
    out = capsys.readouterr().out
    assert "cuda:0: a device" in out
    assert "no-such-package-of-anyone: not installed" in out


# The documentation


PAGE = Path(__file__).parents[1] / "docs" / "callbacks.rst"


def _blocks():
    """The page's Python blocks, in order."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    blocks, block = [], None
    for line in [*lines, "end"]:
        if block is not None and line and not line.startswith("   "):
            blocks.append("\n".join(block))
            block = None
        if block is not None:
            block.append(line[3:])
        if line == ".. code-block:: python":
            block = []
    return blocks


def test_every_callback_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for name in callbacks.__all__:
        assert f"{name}(" in "\n".join(_blocks()), name
        assert f"``{name}``" in text or f"{name}\n" in text, name


@pytest.mark.filterwarnings('ignore:install "ipywidgets":UserWarning')
def test_the_programs_of_the_page_run(tmp_path, monkeypatch, capsys):
    for package in ("matplotlib", "rich", "tensorboard"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    blocks = _blocks()
    assert len(blocks) >= 10
    for block in blocks:
        exec(compile(block, "callbacks.rst", "exec"), names)
        assert capsys.readouterr().out.strip()


def test_docstring_examples():
    for name in callbacks.__all__:
        cls = getattr(callbacks, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for test in doctest.DocTestFinder(recurse=False).find(cls, name):
                assert doctest.DocTestRunner().run(test).failed == 0
