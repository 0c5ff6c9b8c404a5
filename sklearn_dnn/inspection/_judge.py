"""Judging a fitted estimator: its scores, its mistakes, and what it should leave unanswered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import check_scoring
from sklearn.utils.validation import check_is_fitted

from .._compat import offers
from ._network import MLP, Opened, as_columns, class_index, n_rows

UNDERFIT, OVERFIT, OK = "underfit", "overfit", "ok"
# Share of the way from the baseline to a score of 1, without a target.
POOR = 0.5
GAP = 0.1

ADVICE = {
    UNDERFIT: (
        "More data will not help: the network does not even fit what it has seen.",
        "Give it more: units, layers, epochs (max_iter), another learning_rate_init or schedule.",
        "Take away what holds it back: alpha, l1, weight_decay, dropout, early stopping.",
        "Look at the columns: what is not in them can't be learnt.",
    ),
    OVERFIT: (
        "More data will help.",
        "Hold it back: alpha, weight_decay, dropout, early_stopping=True, fewer units.",
        "Average several networks that differ by random_state.",
    ),
    OK: ("Judge it once on rows that were used for no choice at all.",),
}


@dataclass(frozen=True)
class Diagnosis:
    """Whether a network learnt too little or too much by heart.

    Attributes
    ----------
    verdict : {"underfit", "overfit", "ok"}
    train_score, validation_score, baseline_score : float
        Accuracy or R2; the baseline's is of a constant prediction on the validation rows.
    target : float or None
        The score that was wanted.
    advice : tuple of str
    """

    verdict: str
    train_score: float
    validation_score: float
    baseline_score: float
    target: float | None
    advice: tuple[str, ...]

    def __str__(self) -> str:
        wanted = "" if self.target is None else f", wanted {self.target:.3f}"
        head = (
            f"{self.verdict}: training {self.train_score:.3f}, validation "
            f"{self.validation_score:.3f}, baseline {self.baseline_score:.3f}{wanted}"
        )
        return "\n".join([head, *(f"- {line}" for line in self.advice)])


def diagnose(
    estimator: Any, X: Any, y: Any, X_val: Any, y_val: Any, *, target: float | None = None
) -> Diagnosis:
    """Tell underfitting from overfitting, and what to do.

    Poor on the training rows: "underfit", and more data will not help. Good there and poor on
    the validation rows: "overfit", and more data will help.

    Parameters
    ----------
    estimator : fitted classifier or regressor
        Of any make; its own `score` is taken (accuracy, R2).
    X, y : array-like
        The rows it was fitted on.
    X_val, y_val : array-like
        Rows that it has not seen.
    target : float, default=None
        The score that is good. Without it a score is poor if it covers less than half of the
        way from the baseline (a constant prediction) to 1, and the gap between training and
        validation is too wide if it is more than a tenth of that way. Where the data are so
        noisy that no model can get half of the way, give `target`.

    Returns
    -------
    Diagnosis
        ``print(diagnosis)`` shows it.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep learning", 2016, section 11.3.
    """
    kind = _kind(estimator, "diagnose")
    check_is_fitted(estimator)
    dummy = DummyClassifier() if kind == "classifier" else DummyRegressor()
    # A constant prediction has no need of columns, which may be of any kind.
    blank, blank_val = (np.zeros((n_rows(table), 1)) for table in (X, X_val))
    baseline = float(dummy.fit(blank, y).score(blank_val, y_val))
    train, validation = (float(estimator.score(*part)) for part in ((X, y), (X_val, y_val)))
    way = max(1.0 - baseline, np.finfo(float).eps)
    if target is not None:
        poor, apart = train < target, validation < target
    else:
        poor = train - baseline < POOR * way
        apart = train - validation > GAP * way
    verdict = UNDERFIT if poor else OVERFIT if apart else OK
    advice = list(ADVICE[verdict])
    if validation <= baseline:
        advice.insert(0, "On rows it has not seen it is no better than a constant prediction.")
    return Diagnosis(verdict, train, validation, baseline, target, tuple(advice))


def _kind(estimator: Any, function: str) -> str:
    if is_classifier(estimator):
        return "classifier"
    if is_regressor(estimator):
        return "regressor"
    raise TypeError(
        f"{function} needs a classifier or a regressor. Got {type(estimator).__name__} instead."
    )


def worst_mistakes(estimator: Any, X: Any, y: Any, n: int = 10) -> pd.DataFrame:
    """The rows with the largest loss, the worst first.

    Parameters
    ----------
    estimator : fitted classifier with `predict_proba`, or fitted regressor
        Of any make.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    n : int, default=10
        How many.

    Returns
    -------
    DataFrame
        ``row`` (position in X), ``y``, ``prediction`` and

        - of a classifier ``probability`` (of the true label) and ``loss``, minus its logarithm;
        - of a regressor ``residual`` (y minus prediction) and ``loss``, half its square.

        Several outputs have columns ``y_0``, ``y_1``, ..., and their losses are summed. The index
        is that of X, where X is a data frame.
    """
    kind = _kind(estimator, "worst_mistakes")
    if kind == "classifier":
        _require_probabilities(estimator, "worst_mistakes")
    check_is_fitted(estimator)
    true, predicted = as_columns(y), as_columns(estimator.predict(X))
    if kind == "classifier":
        name, values = "probability", _true_probability(estimator, X, true)
        with np.errstate(divide="ignore"):
            loss = -np.log(values).sum(axis=1)
    else:
        name, values = "residual", true - predicted
        loss = 0.5 * (values**2).sum(axis=1)
    worst = np.argsort(-loss, kind="stable")[:n]
    table: dict[str, Any] = {"row": worst}
    for title, part in (("y", true), ("prediction", predicted), (name, values)):
        for column in range(part.shape[1]):
            label = title if part.shape[1] == 1 else f"{title}_{column}"
            table[label] = part[worst, column]
    table["loss"] = loss[worst]
    index = X.index[worst] if offers(X, "iloc") else None
    return pd.DataFrame(table, index=index)


def _require_probabilities(estimator: Any, function: str) -> None:
    if not offers(estimator, "predict_proba"):
        raise TypeError(
            f"{function} needs a classifier with predict_proba, which {type(estimator).__name__} "
            "lacks. sklearn.calibration.CalibratedClassifierCV gives it one."
        )


def _true_probability(estimator: Any, X: Any, true: np.ndarray) -> np.ndarray:
    """Probabilities of what is true, (n, 1), or (n, n_labels) for an indicator matrix."""
    p = estimator.predict_proba(X)
    if true.shape[1] > 1:
        return np.where(true == 1, p, 1 - p)
    index = class_index(estimator.classes_, true[:, 0])
    return p[np.arange(len(p)), index][:, None]


def evaluate(
    estimator: MLP,
    X: Any,
    y: Any,
    scoring: str | Callable[..., float] | Sequence[str] | Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """The loss and other metrics together.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    scoring : str, callable, sequence of str or mapping, default=None
        Scorers by scikit-learn's names, or a callable ``scorer(estimator, X, y)``; None is the
        estimator's own `score`.

    Returns
    -------
    dict of str to float
        ``"loss"``, the mean of the estimator's own loss without penalties and weights (that of
        scaled targets, of a regressor), and every score by its name ("score" for a single one
        that has none).
    """
    opened = Opened(estimator, "evaluate")
    result = {"loss": float(opened.loss_values(X, y).mean())}
    if scoring is None or callable(scoring):
        scores = {"score": check_scoring(estimator, scoring)(estimator, X, y)}
    else:
        several = [scoring] if isinstance(scoring, str) else scoring
        scores = check_scoring(estimator, several)(estimator, X, y)
    return result | {name: float(value) for name, value in scores.items()}


class Answers(NamedTuple):
    """Predictions of which some are withheld.

    Attributes
    ----------
    prediction : ndarray of shape (n_samples,)
        Labels; what stands in unanswered rows is the label that would have been given.
    answered : ndarray of bool of shape (n_samples,)
    confidence : ndarray of float of shape (n_samples,)
        Largest probability.
    """

    prediction: np.ndarray
    answered: np.ndarray
    confidence: np.ndarray


def predict_with_rejection(estimator: Any, X: Any, threshold: float) -> Answers:
    """Predict, but only where the largest probability is high enough.

    Parameters
    ----------
    estimator : fitted classifier with `predict_proba`
        Of one column of labels.
    X : array-like of shape (n_samples, n_features)
    threshold : float
        Smallest probability in [0, 1] that is an answer.

    Returns
    -------
    Answers
        The coverage is ``answers.answered.mean()``.

    References
    ----------
    C. K. Chow, "On optimum recognition error and reject tradeoff", IEEE Transactions on
    Information Theory 16, 1970.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be a probability in [0, 1]. Got {threshold!r} instead.")
    _require_probabilities(estimator, "predict_with_rejection")
    check_is_fitted(estimator)
    prediction = estimator.predict(X)
    if prediction.ndim != 1:
        raise ValueError(
            "predict_with_rejection is for one column of labels, but this estimator predicts an "
            f"indicator matrix of {prediction.shape[1]} labels."
        )
    confidence = estimator.predict_proba(X).max(axis=1)
    return Answers(prediction, confidence >= threshold, confidence)


class Coverage(NamedTuple):
    """Accuracy against coverage, from the surest row alone to all rows.

    Attributes
    ----------
    coverage : ndarray of shape (n_points,)
        Share of rows answered, rising to 1.
    accuracy : ndarray of shape (n_points,)
        Share of the answers that are right.
    threshold : ndarray of shape (n_points,)
        Smallest probability that is answered.
    """

    coverage: np.ndarray
    accuracy: np.ndarray
    threshold: np.ndarray


def coverage_curve(estimator: Any, X: Any, y: Any) -> Coverage:
    """How accurate the answers are if only the surest are given.

    Parameters
    ----------
    estimator : fitted classifier with `predict_proba`
        Of one column of labels.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)

    Returns
    -------
    Coverage
        One point for each probability that occurs; rows of equal probability are answered
        together.

    References
    ----------
    R. El-Yaniv and Y. Wiener, "On the foundations of noise-free selective classification", JMLR
    11, 2010.
    """
    prediction, _, confidence = predict_with_rejection(estimator, X, 0.0)
    order = np.argsort(-confidence, kind="stable")
    sure, right = confidence[order], (prediction == np.asarray(y).ravel())[order]
    last = np.append(np.flatnonzero(np.diff(sure)), len(sure) - 1)
    count = last + 1
    return Coverage(count / len(sure), np.cumsum(right)[last] / count, sure[last])
