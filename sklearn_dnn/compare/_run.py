"""From a table to a comparison: its checks, its folds, its models."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold

from .._compat import offers
from .._core.reading.raw_columns import as_table
from .._terminal import printable
from .._version import __version__
from ._columns import describe_columns
from ._loop import Run
from ._models import RIVALS, build, converted
from ._result import Comparison
from ._tables import TableProblem, check_names, listed, nearest
from ._target import drop_gaps, find_task, target_array

SCORING = {
    "regression": ["neg_root_mean_squared_error", "r2"],
    "binary": ["roc_auc", "accuracy", "neg_log_loss"],
    "multiclass": ["accuracy", "neg_log_loss"],
}


def compare_models(
    X: Any,
    y: Any,
    models: Sequence[str] | Mapping[str, Any] | None = None,
    cv: int | BaseCrossValidator = 5,
    scoring: Sequence[str] | None = None,
    *,
    task: str | None = None,
    seed: int = 0,
    n_jobs: int = 1,
    max_time: float | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> Comparison:
    """Compare models on a table by cross-validation, all on the same folds.

    The rivals prepare the table by themselves, learning the preparation of each fold from its
    training rows only: gaps are filled, numbers standardised and categories encoded.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, n_columns)
        The columns; numbers, texts, categories and gaps may be among them.
    y : Series or array-like of shape (n_rows,)
        The target. Rows without it are dropped.
    models : list of str, dict of estimator, or None
        Names among `RIVALS`, None being all of them; or own estimators by name, which are given
        `X` as it is, all columns included.
    cv : int or splitter, default=5
        Folds, shuffled and, for classes, stratified; or a splitter of scikit-learn.
    scoring : list of str or None
        Names of scikit-learn's scorers; the first one sorts. None is RMSE and R2 for regression;
        area under the ROC curve, accuracy and log loss for two classes; accuracy and log loss
        for several.
    task : {"regression", "binary", "multiclass"} or None
        None finds it from the target.
    seed : int, default=0
        Seed of the folds and of all chance in the rivals.
    n_jobs : int, default=1
        Folds of a model fitted at once, each in a process of its own; -1 is one a core.
    max_time : float or None
        Seconds after which no new fit is started. Models without all folds go to `missing`.
    progress : callable or None
        Told of each finished fold by a dict: "model", "fold" (from 1), "n_folds", "done",
        "total", "seconds" so far, "seconds_left" as a guess.

    Returns
    -------
    comparison : Comparison
        Whatever was finished, also after Ctrl-C.

    Raises
    ------
    TableProblem
        A `ValueError`: the table or an argument doesn't allow a comparison.

    Notes
    -----
    All rivals have scikit-learn's defaults, but for the penalties, which are chosen on inner
    folds, 15 neighbours, and a standardised target for `elastic_net` and `sklearn_mlp`, which
    depend on its units. Tables below 25000 rows are fitted in one thread, but for the random
    forest. Warnings of the models become notes; those of convergence are dropped.
    """
    X, y = _as_pandas(X, y)
    check_names(X)
    X, y, notes = drop_gaps(X, y)
    task, note = find_task(y, task)
    notes.append(note)
    labels = target_array(y, task)
    _check_numbers(seed, n_jobs, max_time)
    splitter, n_folds = _splitter(cv, task, labels, seed, notes)
    names = _check_scoring(scoring, task)
    _check_scorers_fit(names, task, labels)
    chosen, X, given = _choose(models, task, X, seed, notes)
    folds = _folds(splitter, X, labels, cv)
    run = Run(
        X=given,
        y=labels,
        classes=None if task == "regression" else np.unique(labels),
        scoring=names,
        folds=folds,
        n_jobs=n_jobs,
        max_time=max_time,
        progress=progress,
        notes=notes,
    )
    interrupted = run.all(chosen)
    return Comparison(
        task=task,
        target=str(y.name),
        X=X,
        y=labels,
        classes=run.classes,
        scoring=names,
        folds=folds,
        scores=run.scores,
        fit_seconds=run.fit_seconds,
        predict_seconds=run.predict_seconds,
        predictions=run.predictions,
        probabilities=run.probabilities,
        curves=run.curves,
        models=chosen,
        missing=run.missing,
        notes=notes,
        settings={"task": task, "target": str(y.name), "used_columns": list(X.columns)}
        | _settings(seed, cv, n_folds or len(folds), X, names, n_jobs, max_time),
        interrupted=interrupted,
    )


def _as_pandas(X: Any, y: Any) -> tuple[pd.DataFrame, pd.Series]:
    if not isinstance(X, pd.DataFrame):
        array = np.asarray(as_table(X))
        if array.ndim != 2:
            raise TableProblem(f"X must have two dimensions, rows and columns; got {array.ndim}.")
        X = pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])]).infer_objects()
    if not isinstance(y, pd.Series):
        y = pd.Series(np.asarray(as_table(y)).ravel(), name="target")
    if y.name is None:
        y = y.rename("target")
    if len(X) != len(y):
        raise TableProblem(f"X and y must have as many rows; got {len(X)} and {len(y)}.")
    if len(X) == 0:
        raise TableProblem("X has no rows.")
    return X.reset_index(drop=True), y.reset_index(drop=True)


def _check_numbers(seed: int, n_jobs: int, max_time: float | None) -> None:
    if not 0 <= seed < 2**32:
        raise TableProblem(f"seed must be a whole number from 0 to 2**32 - 1; got {seed}.")
    if n_jobs == 0:
        raise TableProblem("n_jobs must be a number of processes, or -1 for one a core; got 0.")
    if max_time is not None and not max_time > 0:
        raise TableProblem(f"max_time must be a number of seconds above 0; got {max_time}.")


def _splitter(
    cv: int | BaseCrossValidator, task: str, y: np.ndarray, seed: int, notes: list[str]
) -> tuple[Any, int | None]:
    """The splitter, and its number of folds where that was given."""
    if not isinstance(cv, (int, np.integer)):
        if not offers(cv, "get_n_splits"):
            raise TableProblem(f"cv must be a whole number or a splitter; got {cv!r}.")
        return cv, None
    n_folds = int(cv)
    if not 2 <= n_folds <= len(y):
        raise TableProblem(f"cv must be from 2 to the number of rows, {len(y)}; got {n_folds}.")
    if task == "regression":
        return KFold(n_folds, shuffle=True, random_state=seed), n_folds
    labels, counts = np.unique(y, return_counts=True)
    smallest = int(counts.min())
    if smallest < n_folds:
        notes.append(
            f"{smallest} folds instead of {n_folds}: the class "
            f"{printable(labels[counts.argmin()])} has only "
            f"{smallest} rows."
        )
        n_folds = smallest
    return StratifiedKFold(n_folds, shuffle=True, random_state=seed), n_folds


def _folds(
    splitter: Any, X: pd.DataFrame, y: np.ndarray, cv: int | BaseCrossValidator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each fold."""
    try:
        return [(train, test) for train, test in splitter.split(X, y)]
    except ValueError as error:
        raise TableProblem(f"The rows can't be split by cv={cv!r}: {error}") from error


def _check_scoring(scoring: Sequence[str] | None, task: str) -> list[str]:
    if scoring is None:
        return list(SCORING[task])
    names = [scoring] if isinstance(scoring, str) else list(dict.fromkeys(scoring))
    if not names:
        raise TableProblem("scoring is empty; give a scorer, or None for the usual ones.")
    known = get_scorer_names()
    for name in names:
        if name not in known:
            raise TableProblem(
                f"There is no scorer {name!r}{nearest(name, known) or '.'} "
                f"Usual for {task} are {listed(SCORING[task])}."
            )
    return names


def _check_scorers_fit(names: Sequence[str], task: str, labels: np.ndarray) -> None:
    """Refuse scorers that are not for the task, tried on a few rows of its kind."""
    x = np.arange(24.0).reshape(-1, 1)
    if task == "regression":
        y, model = np.linspace(1.0, 2.0, 24), LinearRegression()
    else:
        y, model = np.resize(np.unique(labels)[:4], 24), LogisticRegression()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
        for name in names:
            try:
                get_scorer(name)(model, x, y)
            except (ValueError, TypeError, AttributeError) as error:
                reason = str(error).split("\n")[0].rstrip(".")
                raise TableProblem(
                    f"The scorer {name!r} is not for the task {task}: {reason}. Usual are "
                    f"{listed(SCORING[task])}."
                ) from error


def _choose(
    models: Sequence[str] | Mapping[str, Any] | None,
    task: str,
    X: pd.DataFrame,
    seed: int,
    notes: list[str],
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """The unfitted models by name, the columns in use, and the same as the models get them."""
    if isinstance(models, Mapping):
        if not models:
            raise TableProblem("models is empty; give at least one estimator.")
        return dict(models), X, X
    if isinstance(models, str):
        models = [models]
    names = list(RIVALS) if models is None else list(dict.fromkeys(models))
    if not names:
        raise TableProblem(f"models is empty; choose among {listed(RIVALS, 20)}.")
    for name in names:
        if name not in RIVALS:
            raise TableProblem(
                f"There is no model {name!r}{nearest(name, RIVALS) or '.'} "
                f"The models are {listed(RIVALS, 20)}."
            )
    X = X.rename(columns=str)  # a number would be taken for a position
    columns = describe_columns(X)
    notes += columns.notes
    used = {*columns.numeric, *columns.categorical}
    X = X[[name for name in X.columns if name in used]]
    chosen = {
        name: build(name, task, columns.numeric, columns.categorical, seed, len(X))
        for name in names
    }
    return chosen, X, converted(X, columns.numeric, columns.categorical)


def _settings(
    seed: int,
    cv: int | BaseCrossValidator,
    n_folds: int,
    X: pd.DataFrame,
    scoring: list[str],
    n_jobs: int,
    max_time: float | None,
) -> dict[str, Any]:
    return {
        "seed": seed,
        "cv": n_folds if isinstance(cv, (int, np.integer)) else repr(cv),
        "scoring": list(scoring),
        "rows": X.shape[0],
        "columns": X.shape[1],
        "n_jobs": n_jobs,
        "max_time": max_time,
        "versions": {
            "python": platform.python_version(),
            "sklearn_dnn": __version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
    }
