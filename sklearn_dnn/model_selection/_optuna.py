"""Studies of Optuna whose trials are trained in stacks, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from numbers import Integral
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv

from .._core.network.weights import Weights
from .._core.training.engine import Observer
from ..estimators._stacks import Fit
from ._arguments import Folds, Scoring
from ._stacking import stacking
from ._watching import Watchers

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

Space = Callable[["Trial"], Mapping[str, Any]] | Mapping[str, Any]


def optimize(
    study: Study,
    estimator: BaseEstimator,
    space: Space,
    X: Any,
    y: Any = None,
    *,
    n_trials: int,
    batch_size: int = 8,
    cv: Folds = None,
    scoring: Scoring = None,
    groups: Any = None,
    n_jobs: int | None = None,
    report_every: int = 1,
    error_score: float | Literal["raise"] = np.nan,
    params: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> None:
    """Run trials of an Optuna study, with the networks of a batch of them trained in stacks.

    Each trial is a cross-validation, and its value the mean score over the folds, which is that of
    :func:`cross_val_score`. Between epochs the study's pruner may end trials.

    Parameters
    ----------
    study : optuna.Study
        With ``direction="maximize"``, since scores are better when greater; what it has found is in
        it afterwards.
    estimator : estimator
        A network, or a ``Pipeline`` or ``TransformedTargetRegressor`` that ends in one.
    space : callable or dict
        What is searched: a function that is given a trial and returns parameters of the estimator
        by name, or a dictionary of Optuna's distributions by the names of parameters.
    X, y : array-like
        The table, and what is to be predicted.
    n_trials : int
        Trials to run.
    batch_size : int, default=8
        Trials that are asked for, and trained, at a time. The study's sampler learns from a batch
        when it has ended: larger ones are faster, smaller ones better informed.
    cv : int, splitter or iterable, default=None
        As in :func:`cross_val_score`; all trials have the same folds.
    scoring : str, callable, list or dict, default=None
        As in :class:`GridSearchCV`. A study of several directions needs as many scores, as a list
        or a dictionary; their order is that of the directions. Its trials are not pruned.
    groups : array-like of shape (n_samples,), default=None
        For the splitter.
    n_jobs : int, default=None
        Threads that train stacks; processes could not reach the study.
    report_every : int, default=1
        Epochs from one report to the pruner to the next.
    error_score : float or "raise", default=nan
        The score of a fit that raises. A trial whose mean score is not finite has failed.
    params : dict, default=None
        Passed to ``fit``. As in :class:`GridSearchCV`, ``sample_weight`` weighs scores, too.
    progress : bool, default=False
        Whether to show a bar for each batch. It needs tqdm.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        If the study minimizes, scores and directions are not as many, or a number is not allowed.

    See Also
    --------
    RandomizedSearchCV : Random search, with a median rule of its own.

    Notes
    -----
    What is reported after an epoch (from 0) is minus the loss, so that greater is better: of the
    validation part if the network holds one out, else of training without penalties. It is the
    mean over the trial's folds in one stack, the first that gets to this epoch. Networks that
    can't be stacked report nothing and are not pruned.

    Pruners differ in what they compare a trial with. ``MedianPruner`` takes trials that are
    complete, so it ends none in the first batch; ``SuccessiveHalvingPruner`` and
    ``HyperbandPruner`` take those of the same batch, too.

    Trials of a batch do not know each other's values: ``TPESampler(constant_liar=True)`` keeps
    them apart. After Ctrl-C the trials that were done count, the others have failed, and no more
    are begun; if none of the batch is done, or with ``error_score="raise"``, all of it have failed
    and KeyboardInterrupt is raised.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dnn import MLPClassifier
    >>> from sklearn_dnn.model_selection import optimize
    >>> def space(trial):
    ...     return {"alpha": trial.suggest_float("alpha", 1e-5, 1.0, log=True)}
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(max_iter=20)
    >>> study = optuna.create_study(direction="maximize")
    >>> optimize(study, model, space, X, y, n_trials=16)  # doctest: +SKIP
    >>> model.set_params(**space(study.best_trial)).fit(X, y)  # doctest: +SKIP
    """
    optuna = _optuna()
    for name, number in {"batch_size": batch_size, "report_every": report_every}.items():
        if not (isinstance(number, Integral) and number >= 1):
            raise ValueError(
                f"{name} must be a whole number of at least 1. Got {number!r} instead."
            )
    names = _names_of_scores(study, scoring, optuna)
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    search = GridSearchCV(
        estimator,
        [{}],
        scoring=scoring,
        n_jobs=n_jobs,
        refit=False,
        cv=list(splitter.split(X, y, groups)),
        error_score=error_score,
    )
    states = optuna.trial.TrialState
    with stacking(progress=progress) as backend:
        while n_trials > 0 and not backend.interrupted:
            trials, candidates = _ask(study, space, min(batch_size, n_trials), states)
            n_trials -= len(trials)
            pruner = Pruner(trials, report_every)
            backend.watchers = ReportingWatchers(pruner if len(names) == 1 else None)
            search.param_grid = [{k: [v] for k, v in found.items()} for found in candidates]
            try:
                search.fit(X, y, **(params or {}))
            except BaseException:
                _fail(study, trials, states)
                raise
            values = np.column_stack([search.cv_results_[f"mean_test_{n}"] for n in names])
            for trial, value in zip(trials, values, strict=True):
                if trial.number in pruner.pruned:
                    study.tell(trial, state=states.PRUNED)
                elif np.isfinite(value).all():
                    study.tell(trial, value.tolist())
                else:
                    study.tell(trial, state=states.FAIL)


def _optuna() -> Any:
    try:
        return import_module("optuna")
    except ImportError as error:
        raise ImportError("optimize needs Optuna: pip install 'sklearn-dnn[optuna]'.") from error


def _names_of_scores(study: Study, scoring: Scoring, optuna: Any) -> list[str]:
    """As in ``cv_results_``."""
    names = list(scoring) if isinstance(scoring, Mapping | list | tuple) else ["score"]
    if len(names) != len(study.directions):
        raise ValueError(
            f"scoring has {len(names)} scores, but the study has {len(study.directions)} "
            "directions: give as many of the one as of the other."
        )
    if optuna.study.StudyDirection.MINIMIZE in study.directions:
        raise ValueError(
            "The study minimizes, but scores are better when greater: make it by "
            "optuna.create_study(direction='maximize'), and take errors by scorers such as "
            "'neg_root_mean_squared_error'."
        )
    return names


def _ask(
    study: Study, space: Space, n_trials: int, states: Any
) -> tuple[list[Trial], list[dict[str, Any]]]:
    """Trials, and the parameters of each."""
    trials: list[Trial] = []
    candidates = []
    try:
        for _ in range(n_trials):
            trials.append(study.ask() if callable(space) else study.ask(dict(space)))
            found = space(trials[-1]) if callable(space) else trials[-1].params
            candidates.append(dict(found))
    except BaseException:
        _fail(study, trials, states)
        raise
    return trials, candidates


def _fail(study: Study, trials: Sequence[Trial], states: Any) -> None:
    for trial in trials:
        study.tell(trial, state=states.FAIL)


class Pruner:
    """What the stacks of a batch of trials have in common.

    Parameters
    ----------
    trials : sequence of optuna.Trial
    report_every : int
        Epochs.
    """

    def __init__(self, trials: Sequence[Trial], report_every: int) -> None:
        self.trials = trials
        self.report_every = report_every
        self.pruned: set[int] = set()
        self._reported: set[tuple[int, int]] = set()
        self._lock = Lock()

    def take(self, epoch: int, values: Mapping[int, float]) -> None:
        """Report trials, by their positions in the batch, and then ask which shall end."""
        with self._lock:
            new = [i for i in values if (i, epoch) not in self._reported]
            for i in new:
                self.trials[i].report(values[i], epoch)
                self._reported.add((i, epoch))
            for i in new:
                trial = self.trials[i]
                if trial.number not in self.pruned and trial.should_prune():
                    self.pruned.add(trial.number)

    def ends(self, i: int) -> bool:
        """Whether the trial at a position in the batch shall end."""
        return self.trials[i].number in self.pruned


class ReportingObserver:
    """Reports the losses of a stack, and ends the members of trials that are pruned.

    Parameters
    ----------
    pruner : Pruner
    positions : list of int
        For each member its trial's position in the batch.
    """

    def __init__(self, pruner: Pruner, positions: list[int]) -> None:
        self.pruner = pruner
        self.positions = positions
        self.losses: dict[int, float] = {}

    def epoch_begins(self, epoch: int, weights: Callable[[int], Weights]) -> None:
        pass

    def epoch_ends(
        self, epoch: int, records: dict[int, dict[str, Any]], weights: Callable[[int], Weights]
    ) -> set[int]:
        """A member that ended by itself counts with its last loss."""
        for member, record in records.items():
            loss = record["validation_loss"]
            self.losses[member] = record["train_loss"] if loss is None else loss
        if (epoch + 1) % self.pruner.report_every == 0:
            running = dict.fromkeys(self.positions[member] for member in records)
            self.pruner.take(epoch, {i: -self._mean(i) for i in running})
        return {member for member in records if self.pruner.ends(self.positions[member])}

    def _mean(self, position: int) -> float:
        """Over the folds of a trial."""
        return float(np.mean([v for m, v in self.losses.items() if self.positions[m] == position]))


class ReportingWatchers(Watchers):
    """Makes the observers of a batch of trials.

    Parameters
    ----------
    pruner : Pruner or None
        None for trials that report nothing.
    """

    stay = True

    def __init__(self, pruner: Pruner | None) -> None:
        super().__init__()
        self.pruner = pruner

    def __call__(self, stack: Sequence[Fit]) -> list[Observer]:
        if self.pruner is None:
            return []
        positions = []
        for fit in stack:
            assert fit.candidate is not None
            positions += [fit.candidate] * fit.n_members
        return [ReportingObserver(self.pruner, positions)]
