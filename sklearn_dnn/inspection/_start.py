"""Before anything is learnt: the loss at the start, and a few rows learnt by heart."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score

from .._core.messages import DivergedError
from .._threads import torch_ready
from ._network import (
    MLP,
    REGULARISERS,
    E,
    Opened,
    as_columns,
    dense,
    free_optimizer,
    n_rows,
    plain_copy,
    quiet,
    require_network,
    take,
)

# So small a rate that no weight changes by a step.
NO_RATE = 1e-30


@dataclass(frozen=True)
class InitialLoss:
    """The loss of a network before it has learnt anything.

    Attributes
    ----------
    loss : float
        Of freshly drawn weights, on all rows, without penalties and dropout; NaN where it is
        not finite.
    expected : float
        Of raw outputs that are all zero; with ``bias_initializer="prior"``, `baseline`.
    baseline : float
        Of the best constant prediction: the entropy of the classes' shares, or the loss of
        predicting the mean or what else is best. Training should get below it soon.
    verdict : {"ok", "high", "low", "not finite"}
    advice : str
    """

    loss: float
    expected: float
    baseline: float
    verdict: str
    advice: str

    def __str__(self) -> str:
        text = (
            f"initial loss {self.loss:.4g}, expected about {self.expected:.4g}, best constant "
            f"{self.baseline:.4g}: {self.verdict}"
        )
        return f"{text}. {self.advice}" if self.advice else text


_INITIAL_ADVICE = {
    "ok": "",
    "high": "First weights or columns are too large: use initializer='auto' and "
    "input_scaling='standard', and look at the columns' scales.",
    "low": "The network knows too much before it has learnt: look at the targets' scale "
    "(target_scaling) and at the loss.",
    "not finite": "Columns or first weights are so large that numbers overflow: scale the columns, "
    "and use initializer='auto'.",
}


def initial_loss(estimator: MLP, X: Any, y: Any, *, factor: float = 5.0) -> InitialLoss:
    r"""Loss of a freshly initialised network against what it should be.

    A fresh network knows nothing: its raw outputs are small, and its loss is about
    :math:`\ln K` for K exclusive classes, :math:`\ln 2` for two, :math:`L \ln 2` for L labels,
    and half the variance of y (0.5 an output, if y is standardised) for the squared error.
    Raw outputs of variance v add about v / 2 to that of the squared error; relu with He's
    weights begins with v of about 2.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted or not; it is not changed. A clone is fitted for one epoch at a rate of 1e-30,
        without penalties, dropout and class weights.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    factor : float, default=5.0
        How many times larger or smaller than expected is still "ok".

    Returns
    -------
    InitialLoss

    References
    ----------
    A. Karpathy, "A recipe for training neural networks", 2019.
    """
    require_network(estimator, "initial_loss")
    try:
        fresh = _fresh(estimator, X, y)
        loss = float(fresh.loss_curve_[0])
    except DivergedError:
        # what is expected depends on the targets alone
        fresh, loss = _fresh(estimator, np.zeros_like(dense(X)), y), np.nan
    opened = Opened(fresh, "initial_loss")
    with torch_ready(), torch.no_grad():
        target = opened.targets(y)
        k = fresh.n_outputs_  # raw ones: classes, where targets are their indices
        constant = opened.loss.best_constant(target, None, k)
        at_start = constant if fresh.bias_initializer == "prior" else torch.zeros_like(constant)
        expected, baseline = (
            float(opened.loss.values(raw.expand(n_rows(X), k), target).mean())
            for raw in (at_start, constant)
        )
    if not np.isfinite(loss):
        verdict = "not finite"
    elif loss > expected + (factor - 1) * abs(expected):  # likelihoods may be below 0
        verdict = "high"
    else:
        verdict = "low" if loss < expected - (1 - 1 / factor) * abs(expected) else "ok"
    return InitialLoss(loss, expected, baseline, verdict, _INITIAL_ADVICE[verdict])


def _fresh(estimator: E, X: Any, y: Any) -> E:
    """A fitted clone with the weights of the start."""
    clone = plain_copy(
        estimator,
        **REGULARISERS,
        optimizer="sgd",
        learning_rate_init=NO_RATE,
        max_iter=1,
        class_weight=None,
    )
    with quiet():
        return clone.fit(X, y)


@dataclass(frozen=True)
class TinySubset:
    """How a network does on a few rows that it may learn by heart.

    Attributes
    ----------
    reached : bool
        Whether `score` is at least `wanted`.
    score : float
        Accuracy (share of rows with all labels right), or R2, on these rows; NaN where the
        network diverged.
    wanted : float
    n_rows : int
    n_iter : int
        Epochs that it trained.
    advice : str
    """

    reached: bool
    score: float
    wanted: float
    n_rows: int
    n_iter: int
    advice: str

    def __str__(self) -> str:
        text = (
            f"{self.n_rows} rows learnt by heart: score {self.score:.4g} after {self.n_iter} "
            f"epochs, wanted {self.wanted:.4g}"
        )
        return f"{text}. {self.advice}" if self.advice else text


def overfit_tiny_subset(
    estimator: MLP,
    X: Any,
    y: Any,
    n: int = 20,
    *,
    max_iter: int = 1000,
    wanted: float | None = None,
    random_state: int | None = 0,
) -> TinySubset:
    """Train without regularisation on a few rows, which a sound network learns by heart.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted or not; it is not changed. A clone trains without penalties, decay, dropout,
        label smoothing, schedule and early stopping, all rows a step.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    n : int, default=20
        Rows to take, at random; of every class about as many.
    max_iter : int, default=1000
        Epochs.
    wanted : float, default=None
        The score to reach; None is 1.0 for a classifier and an R2 of 0.99 for a regressor.
    random_state : int or None, default=0
        Of the choice of rows.

    Returns
    -------
    TinySubset
    """
    require_network(estimator, "overfit_tiny_subset")
    classifier = is_classifier(estimator)
    wanted = (1.0 if classifier else 0.99) if wanted is None else wanted
    y = np.asarray(y)
    rows = _few_rows(y, n, classifier, random_state)
    few, target = take(X, rows), y[rows]
    clone = plain_copy(
        estimator,
        **REGULARISERS,
        optimizer=free_optimizer(estimator),
        batch_size="auto",
        class_weight=None,
        max_iter=max_iter,
        tol=1e-6,  # ends lbfgs, whose gradient is then nothing; patience there is none
    )
    score, n_iter, fell = np.nan, 1, False
    with quiet(), suppress(DivergedError):
        clone.fit(few, target)
        predicted, losses = clone.predict(few), clone.loss_curve_
        n_iter, fell = int(clone.n_iter_), bool(losses[-1] <= losses[0])
        if classifier or np.isfinite(predicted).all():
            score = float((accuracy_score if classifier else r2_score)(target, predicted))
    reached = score >= wanted
    advice = "" if reached else _tiny_advice(few, target, fell)
    return TinySubset(reached, score, wanted, len(rows), n_iter, advice)


def _few_rows(y: np.ndarray, n: int, classifier: bool, random_state: int | None) -> np.ndarray:
    if n < 2:
        raise ValueError(f"n must be at least 2 rows. Got {n!r} instead.")
    order = np.random.default_rng(random_state).permutation(len(y))
    if classifier and y.ndim == 1:
        # One row of each class in turn, so that no class is missed while there is room.
        turn = np.empty(len(y), dtype=np.intp)
        for label in np.unique(y):
            of_class = order[y[order] == label]
            turn[of_class] = np.arange(len(of_class))
        order = order[np.argsort(turn[order], kind="stable")]
    return order[: min(n, len(y))]


def _tiny_advice(X: Any, y: np.ndarray, fell: bool) -> str:
    x = dense(X)
    _, inverse = np.unique(x, axis=0, return_inverse=True)
    columns = as_columns(y)
    for group in range(inverse.max() + 1):
        if len(np.unique(columns[inverse.ravel() == group], axis=0)) > 1:
            return "Some of these rows are equal but have different targets: no network can tell."
    if not fell:
        return (
            "The loss rose: lower learning_rate_init, set clip_norm, and use "
            "input_scaling='standard'."
        )
    return (
        "Raise learning_rate_init or the width, and use initializer='auto' and "
        "input_scaling='standard'; if nothing helps, rows and targets do not belong together."
    )
