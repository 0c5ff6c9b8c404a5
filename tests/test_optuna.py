"""Studies of Optuna: trials are cross-validations, trained together, and pruned between epochs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.training.ends import CALLBACK
from sklearn_dnn.model_selection import _backend, optimize

optuna = pytest.importorskip("optuna", reason="needs Optuna, the extra optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)
COMPLETE, PRUNED, FAIL = (
    getattr(optuna.trial.TrialState, name) for name in ("COMPLETE", "PRUNED", "FAIL")
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::optuna.exceptions.ExperimentalWarning",
)

N_EPOCHS = 6
NETWORK = MLPRegressor(
    (6,), batch_size=16, max_iter=N_EPOCHS, tol=0.0, random_state=0, early_stopping=False
)
FLOATS = optuna.distributions.FloatDistribution
RATES = {"learning_rate_init": FLOATS(1e-4, 1e-1, log=True), "alpha": FLOATS(1e-5, 1.0, log=True)}


@pytest.fixture(scope="module")
def data():
    return make_regression(60, 4, noise=5.0, random_state=0)


def study_of(pruner=None, directions=("maximize",), sampler=None):
    return optuna.create_study(
        directions=list(directions),
        sampler=sampler or optuna.samplers.RandomSampler(seed=0),
        pruner=pruner or optuna.pruners.NopPruner(),
    )


class PruneOdd(optuna.pruners.BasePruner):
    """Ends trials of odd numbers at a step."""

    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.number % 2 == 1 and trial.last_step >= self.step


def states(study):
    return [trial.state for trial in study.trials]


def stacks_seen(monkeypatch):
    """The stacks that are trained from now on."""
    seen = []

    def spied(stack, observers=()):
        seen.append(list(stack))
        return train(stack, observers)

    train = _backend.train_stack
    monkeypatch.setattr(_backend, "train_stack", spied)
    return seen


# Values


@pytest.mark.parametrize("early_stopping", [False, True])
def test_values_are_cross_val_scores(data, early_stopping):
    X, y = data
    network = clone(NETWORK).set_params(early_stopping=early_stopping)
    cv = KFold(3, shuffle=True, random_state=1)
    study = study_of()
    optimize(study, network, RATES, X, y, n_trials=5, batch_size=3, cv=cv, scoring="r2")
    assert states(study) == [COMPLETE] * 5
    for trial in study.trials:
        alone = clone(network).set_params(**trial.params)
        scores = cross_val_score(alone, X, y, cv=cv, scoring="r2")
        assert trial.value == pytest.approx(scores.mean(), rel=1e-6)
        assert sorted(trial.intermediate_values) == list(range(N_EPOCHS))


def test_a_function_as_space_gives_parameters_that_are_no_suggestions(data):
    def space(trial):
        width = trial.suggest_int("width", 3, 5)
        return {"hidden_layer_sizes": (width, width), "alpha": trial.suggest_float("alpha", 0, 1)}

    X, y = data
    study = study_of()
    optimize(study, NETWORK, space, X, y, n_trials=4, cv=2)
    best = clone(NETWORK).set_params(**space(study.best_trial))
    assert cross_val_score(best, X, y, cv=2).mean() == pytest.approx(study.best_value, rel=1e-6)


def test_a_classifier_in_a_pipeline():
    X, y = make_classification(60, 4, random_state=0)
    network = MLPClassifier((6,), max_iter=5, random_state=0, early_stopping=False)
    model = make_pipeline(StandardScaler(), network)
    study = study_of()
    space = {"mlpclassifier__learning_rate_init": RATES["learning_rate_init"]}
    optimize(study, model, space, X, y, n_trials=3, cv=3, scoring="neg_log_loss")
    for trial in study.trials:
        folds = StratifiedKFold(3)
        alone = clone(model).set_params(**trial.params)
        scores = cross_val_score(alone, X, y, cv=folds, scoring="neg_log_loss")
        assert trial.value == pytest.approx(scores.mean(), rel=1e-6)


def test_all_trials_have_the_same_folds(data):
    """Even those of a splitter that draws anew each time."""
    X, y = data
    study = study_of()
    for _ in range(4):
        study.enqueue_trial({"alpha": 0.1})
    optimize(
        study,
        NETWORK,
        {"alpha": RATES["alpha"]},
        X,
        y,
        n_trials=4,
        batch_size=2,
        cv=KFold(2, shuffle=True),
    )
    assert np.ptp([trial.value for trial in study.trials]) < 1e-6


def test_weights_are_split(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.3, 3.0, len(y))
    study = study_of()
    optimize(study, NETWORK, RATES, X, y, n_trials=1, cv=2, params={"sample_weight": weight})
    alone = clone(NETWORK).set_params(**study.best_params)
    search = GridSearchCV(alone, {}, cv=2).fit(X, y, sample_weight=weight)
    assert study.best_value == pytest.approx(search.best_score_, rel=1e-6)


def test_several_directions(data):
    X, y = data
    study = study_of(directions=["maximize", "maximize"])
    scoring = ["r2", "neg_mean_absolute_error"]
    optimize(study, NETWORK, RATES, X, y, n_trials=3, cv=2, scoring=scoring)
    for trial in study.trials:
        alone = clone(NETWORK).set_params(**trial.params)
        scores = [cross_val_score(alone, X, y, cv=2, scoring=name).mean() for name in scoring]
        assert trial.values == pytest.approx(scores, rel=1e-6)


def test_ensembles_are_pruned_whole(data, monkeypatch):
    X, y = data
    network = clone(NETWORK).set_params(n_members=3)
    seen = stacks_seen(monkeypatch)
    study = study_of(PruneOdd(2))
    optimize(study, network, RATES, X, y, n_trials=2, cv=2)
    assert states(study) == [COMPLETE, PRUNED]
    lengths = {f.candidate: {o.n_iter for o in f.outcomes} for stack in seen for f in stack}
    assert lengths == {0: {N_EPOCHS}, 1: {3}}
    alone = clone(network).set_params(**study.best_params)
    assert study.best_value == pytest.approx(cross_val_score(alone, X, y, cv=2).mean(), rel=1e-6)


def test_batches_are_stacks(data, monkeypatch):
    X, y = data
    seen = stacks_seen(monkeypatch)
    optimize(study_of(), NETWORK, RATES, X, y, n_trials=7, batch_size=5, cv=3)
    assert [len(stack) for stack in seen] == [15, 6]


# Pruning


@pytest.mark.parametrize("cv", [3, 7], ids=["folds of a length", "folds of two lengths"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_pruned_trials_leave_their_stacks(data, monkeypatch, cv, n_jobs):
    X, y = data
    seen = stacks_seen(monkeypatch)
    free, study = study_of(), study_of(PruneOdd(2))
    optimize(free, NETWORK, RATES, X, y, n_trials=6, batch_size=4, cv=cv)
    del seen[:]
    optimize(study, NETWORK, RATES, X, y, n_trials=6, batch_size=4, cv=cv, n_jobs=n_jobs)
    assert states(study) == [COMPLETE, PRUNED] * 3
    for trial, other in zip(study.trials, free.trials, strict=True):
        assert trial.params == other.params
        if trial.state is COMPLETE:
            assert trial.value == pytest.approx(other.value, rel=1e-6)
            assert sorted(trial.intermediate_values) == list(range(N_EPOCHS))
        else:
            assert trial.last_step >= 2
    fits = [fit for stack in seen for fit in stack]
    assert len(fits) == 6 * cv
    for fit in fits:
        if fit.candidate % 2:
            assert fit.end_reasons == {CALLBACK}
            assert fit.n_iter <= 3 or n_jobs == 2
        else:
            assert fit.n_iter == N_EPOCHS


@pytest.mark.parametrize("early_stopping", [False, True])
def test_what_is_reported_is_the_mean_loss_of_the_folds(data, early_stopping):
    X, y = data
    network = clone(NETWORK).set_params(early_stopping=early_stopping, n_iter_no_change=N_EPOCHS)
    study = study_of()
    optimize(study, network, RATES, X, y, n_trials=2, cv=2)
    for trial in study.trials:
        curves = []
        for train, _ in KFold(2).split(X):
            fitted = clone(network).set_params(**trial.params).fit(X[train], y[train])
            name = "validation_loss" if early_stopping else "train_loss"
            curves.append(fitted.history_[name])
        reported = [trial.intermediate_values[epoch] for epoch in range(N_EPOCHS)]
        np.testing.assert_allclose(reported, -np.mean(curves, axis=0), rtol=1e-5)


def test_reports_every_so_many_epochs(data):
    X, y = data
    study = study_of(PruneOdd(0))
    optimize(study, NETWORK, RATES, X, y, n_trials=2, cv=2, report_every=2)
    assert [sorted(trial.intermediate_values) for trial in study.trials] == [[1, 3, 5], [1]]


def test_a_pruner_of_optunas_ends_what_is_worse(data):
    X, y = data
    study = study_of(optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2))
    optimize(study, NETWORK, RATES, X, y, n_trials=8, cv=2)
    ended = [trial for trial in study.trials if trial.state is PRUNED]
    assert 2 <= len(ended) < 8
    best = max(
        trial.intermediate_values[0] for trial in study.trials
    )  # the first rung keeps its best
    assert any(
        t.intermediate_values[0] == best and len(t.intermediate_values) > 1 for t in study.trials
    )


def test_what_is_not_stacked_is_not_pruned(data):
    X, y = data
    network = clone(NETWORK).set_params(optimizer="lbfgs", batch_size="auto")
    study = study_of(PruneOdd(0))
    optimize(study, network, {"alpha": RATES["alpha"]}, X, y, n_trials=2, cv=2)
    assert states(study) == [COMPLETE] * 2
    assert not study.trials[0].intermediate_values


# What goes wrong


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_trial_whose_fits_raise_has_failed(data):
    X, y = data
    study = study_of()
    for alpha in (0.1, -1.0):
        study.enqueue_trial({"alpha": alpha})
    space = {"alpha": FLOATS(-1.0, 1.0)}
    optimize(study, NETWORK, space, X, y, n_trials=2, cv=2)
    assert states(study) == [COMPLETE, FAIL]


def test_no_trial_is_left_running_after_an_error(data):
    X, y = data
    study = study_of()

    def wrong(trial):
        return {"alpha": trial.suggest_float("alpha", 0.1, 1.0), "no_such": 1}

    def raises(trial):
        if trial.number == 3:
            raise RuntimeError("in the space")
        return {}

    with pytest.raises(ValueError, match="no_such"):
        optimize(study, NETWORK, wrong, X, y, n_trials=2, cv=2, error_score="raise")
    with pytest.raises(RuntimeError, match="in the space"):
        optimize(study, NETWORK, raises, X, y, n_trials=4, cv=2)
    assert states(study) == [FAIL] * 4


class Interrupts(optuna.pruners.BasePruner):
    """Ctrl-C in the second batch."""

    def prune(self, study, trial):
        if trial.number == 3 and trial.last_step == 1:
            raise KeyboardInterrupt
        return False


def test_ctrl_c_ends_the_batch_and_the_loop(data):
    X, y = data
    study = study_of(Interrupts())
    with pytest.raises(KeyboardInterrupt):  # nothing of the second batch is done
        optimize(study, NETWORK, RATES, X, y, n_trials=8, batch_size=2, cv=2)
    assert states(study) == [COMPLETE] * 2 + [FAIL] * 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_ctrl_c_keeps_what_was_done(data):
    def space(trial):  # two stacks, the second of which is interrupted
        return {"hidden_layer_sizes": (6,) if trial.number < 3 else (5,)}

    X, y = data
    study = study_of(Interrupts())
    with pytest.warns(UserWarning, match="Interrupted by the user"):
        optimize(study, NETWORK, space, X, y, n_trials=9, batch_size=4, cv=2)
    assert states(study) == [COMPLETE] * 3 + [FAIL]


@pytest.mark.parametrize(
    ("directions", "given", "match"),
    [
        (["minimize"], {}, "direction='maximize'"),
        (["maximize"] * 2, {}, "1 scores, but the study has 2"),
        (["maximize"], {"scoring": ["r2", "max_error"]}, "2 scores, but the study has 1"),
        (["maximize"], {"batch_size": 0}, "batch_size must be"),
        (["maximize"], {"report_every": 0.5}, "report_every must be"),
    ],
)
def test_what_is_refused(data, directions, given, match):
    X, y = data
    study = study_of(directions=directions)
    with pytest.raises(ValueError, match=match):
        optimize(study, NETWORK, RATES, X, y, n_trials=1, **given)
    assert not study.trials


def test_without_optuna_the_extra_is_named(data, monkeypatch):
    X, y = data
    study = study_of()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"sklearn-dnn\[optuna\]"):
        optimize(study, NETWORK, RATES, X, y, n_trials=1)
