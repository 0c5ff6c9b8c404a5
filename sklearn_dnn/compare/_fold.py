"""One fit on one fold, measured; it may run in another process."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer
from threadpoolctl import threadpool_limits

from .._compat import offers
from .._interruption import whole_fit

# With fewer, threads of OpenMP and BLAS wait for each other more than they help, and on a busy
# machine many times so.
FEW_ROWS = 25_000


@dataclass
class FoldResult:
    """What one fit gave, or the error that ended it."""

    scores: dict[str, float] = field(default_factory=dict)
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    predictions: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    curve: dict[str, list[float]] | None = None
    error: str | None = None
    late: bool = False
    notes: list[str] = field(default_factory=list)


@contextmanager
def quiet(n_rows: int) -> Iterator[list[warnings.WarningMessage]]:
    """Fit within it: warnings are caught, threads are few where the rows are, Ctrl-C is Ctrl-C."""
    limit = 1 if n_rows < FEW_ROWS else None
    with (
        threadpool_limits(limit),
        warnings.catch_warnings(record=True) as caught,
        whole_fit(),
    ):
        warnings.simplefilter("always")
        yield caught


def run_fold(
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    fold: tuple[np.ndarray, np.ndarray],
    scoring: list[str],
    classes: np.ndarray | None,
    deadline: float | None,
) -> FoldResult:
    """Fit a copy of `model` on the training rows and judge it on the test rows.

    Parameters
    ----------
    model : estimator
        Not changed.
    X : DataFrame of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    fold : (ndarray, ndarray)
        Training and test rows.
    scoring : list of str
        Names of scorers.
    classes : ndarray of shape (n_classes,) or None
        All labels, in the order of the columns of the probabilities.
    deadline : float or None
        `time.time()` after which nothing is started, in seconds.

    Returns
    -------
    result : FoldResult
    """
    if deadline is not None and time.time() >= deadline:
        return FoldResult(late=True)
    result = FoldResult()
    with quiet(len(y)) as caught:
        try:
            _fit_and_judge(result, clone(model), X, y, fold, scoring, classes)
        except Exception as error:  # a model of the user may raise anything
            result.error = f"{type(error).__name__}: {_first_line(error)}"
    for entry in caught:
        text = " ".join(str(entry.message).split())
        if not issubclass(entry.category, ConvergenceWarning) and text not in result.notes:
            result.notes.append(text)
    return result


def _fit_and_judge(
    result: FoldResult,
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    fold: tuple[np.ndarray, np.ndarray],
    scoring: list[str],
    classes: np.ndarray | None,
) -> None:
    train, test = fold
    X_train, X_test = X.iloc[train], X.iloc[test]
    start = time.perf_counter()
    model.fit(X_train, y[train])
    fitted = time.perf_counter()
    result.predictions = np.asarray(model.predict(X_test))
    result.fit_seconds = fitted - start
    result.predict_seconds = time.perf_counter() - fitted
    result.scores = _scores(model, X_test, y[test], scoring, result.notes)
    if classes is not None and offers(model, "predict_proba"):
        result.probabilities = np.zeros((len(test), len(classes)))
        known = np.searchsorted(classes, model.classes_)
        result.probabilities[:, known] = model.predict_proba(X_test)
    result.curve = _curve(model)


def _scores(
    model: Any, X: pd.DataFrame, y: np.ndarray, scoring: list[str], notes: list[str]
) -> dict[str, float]:
    """All scores, nan with a note where a scorer can't judge this model."""
    try:
        return check_scoring(model, scoring=scoring)(model, X, y)  # predicts once for all
    except (AttributeError, ValueError, TypeError):
        pass  # one of them can't; find which
    scores = {}
    for name in scoring:
        try:
            scores[name] = float(get_scorer(name)(model, X, y))
        except (AttributeError, ValueError, TypeError) as error:
            scores[name] = float("nan")
            notes.append(f"{name} can't be computed: {_first_line(error)}")
    return scores


def _curve(model: Any) -> dict[str, list[float]] | None:
    """The loss of each epoch, where the model, or the last step of a pipeline, has one."""
    network = model.steps[-1][1] if offers(model, "steps") else model
    network = getattr(network, "regressor_", network)
    losses = getattr(network, "loss_curve_", None)
    if losses is None:
        return None
    curve = {"loss": [float(value) for value in losses]}
    validation = getattr(network, "validation_loss_curve_", None)
    if validation:
        curve["validation_loss"] = [float(value) for value in validation]
    return curve


def _first_line(error: Exception) -> str:
    """What a note has room for: the first line, and what was added to the error."""
    lines = str(error).strip().splitlines() or ["no message"]
    return " ".join([lines[0], *getattr(error, "__notes__", [])])
