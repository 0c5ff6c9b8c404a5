"""Where an error comes from: bias, or variance from one training set to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from ._judge import _kind
from ._network import as_columns, n_rows, quiet, take


@dataclass(frozen=True)
class BiasVariance:
    """Parts of the expected error over training sets.

    Attributes
    ----------
    error : float
        Mean squared error, or share of wrong labels; the sum of the parts.
    bias : float
        Squared error of the mean prediction (noise included), or share of rows whose most
        frequent prediction is wrong.
    variance : float
        Mean squared distance from the mean prediction, or the net variance
        ``unbiased_variance - biased_variance``.
    unbiased_variance : float or None
        Error that labels other than the most frequent one bring where that is right.
    biased_variance : float or None
        Error that they save where it is wrong.
    n_rounds : int
    n_rows : int
        Rows that were judged.
    """

    error: float
    bias: float
    variance: float
    unbiased_variance: float | None
    biased_variance: float | None
    n_rounds: int
    n_rows: int

    def __str__(self) -> str:
        return (
            f"error {self.error:.4g} = bias {self.bias:.4g} + variance {self.variance:.4g} "
            f"({self.n_rounds} bootstrap sets, {self.n_rows} rows)"
        )


def bias_variance(
    estimator: Any,
    X: Any,
    y: Any,
    n_rounds: int = 20,
    *,
    X_test: Any = None,
    y_test: Any = None,
    random_state: int | None = 0,
) -> BiasVariance:
    r"""Bias and variance over bootstrap sets.

    With :math:`h_r(x)` the prediction after the r-th bootstrap set and :math:`\bar h(x)` the
    mean of them, the squared error is

    .. math:: E_r[(y - h_r)^2] = (y - \bar h)^2 + E_r[(h_r - \bar h)^2]

    for every row: bias (squared, with the noise of y, which one target a row cannot tell from
    it) and variance. For labels the loss is 0 or 1 and :math:`\bar h` the most frequent
    prediction (Domingos): bias is 1 where it is wrong, and variance adds to the error where it
    is right and takes from it where it is wrong.

    Parameters
    ----------
    estimator : classifier or regressor
        Of any make; clones are fitted. With ``random_state=None`` the chance of training is a
        part of the variance; with an int only the rows differ.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,), or (n_samples, n_outputs) for a regressor
        Squared errors of several outputs are summed.
    n_rounds : int, default=20
        Bootstrap sets, each as large as X.
    X_test, y_test : array-like, default=None
        Rows to judge on. None takes each row of X by the rounds whose set lacks it.
    random_state : int or None, default=0
        Of the bootstrap sets.

    Returns
    -------
    BiasVariance

    References
    ----------
    P. Domingos, "A unified bias-variance decomposition", ICML 2000.
    """
    classifier = _kind(estimator, "bias_variance") == "classifier"
    if n_rounds < 2:
        raise ValueError(f"n_rounds must be at least 2 bootstrap sets. Got {n_rounds!r} instead.")
    if (X_test is None) != (y_test is None):
        raise ValueError("Give X_test and y_test together, or neither.")
    y = np.asarray(y)
    if classifier and y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(
            "bias_variance is for one column of labels, but y is an indicator matrix: call it "
            "for each label."
        )
    judged, true = (X, y) if X_test is None else (X_test, np.asarray(y_test))
    true = as_columns(true)
    rng = np.random.default_rng(random_state)
    n = n_rows(X)
    predictions, counted = [], []
    for _ in range(n_rounds):
        rows = rng.integers(n, size=n)
        with quiet():
            model = clone(estimator).fit(take(X, rows), y[rows])
        predictions.append(as_columns(model.predict(judged)))
        out = np.ones(len(true), dtype=bool)
        if X_test is None:
            out[rows] = False
        counted.append(out)
    h, out = np.stack(predictions), np.stack(counted)
    seen = out.any(axis=0)
    if not seen.any():
        raise ValueError(
            f"Every row of X is in all {n_rounds} bootstrap sets: raise n_rounds, or give X_test "
            "and y_test."
        )
    parts = _of_labels if classifier else _of_numbers
    return parts(h[:, seen], true[seen], out[:, seen], n_rounds)


def _of_numbers(h: np.ndarray, y: np.ndarray, out: np.ndarray, n_rounds: int) -> BiasVariance:
    """(r, n, k) predictions, (n, k) targets, (r, n) which predictions count."""
    weight = out / out.sum(axis=0)
    mean = np.einsum("rn,rnk->nk", weight, h)
    bias = float(((y - mean) ** 2).sum(axis=1).mean())
    variance = float((weight * ((h - mean) ** 2).sum(axis=2)).sum(axis=0).mean())
    error = float((weight * ((h - y) ** 2).sum(axis=2)).sum(axis=0).mean())
    return BiasVariance(error, bias, variance, None, None, n_rounds, len(y))


def _of_labels(h: np.ndarray, y: np.ndarray, out: np.ndarray, n_rounds: int) -> BiasVariance:
    """(r, n, 1) labels, (n, 1) true ones, (r, n) which predictions count."""
    labels = h[:, :, 0]
    known = np.unique(labels)
    weight = out / out.sum(axis=0)
    share = np.stack([(weight * (labels == label)).sum(axis=0) for label in known])  # (K, n)
    main = known[share.argmax(axis=0)]
    error = (weight * (labels != y[:, 0])).sum(axis=0)
    biased = main != y[:, 0]
    # Where the main prediction is right, all error is variance; where wrong, it saves some.
    unbiased_variance = float(np.where(biased, 0.0, error).mean())
    biased_variance = float(np.where(biased, 1.0 - error, 0.0).mean())
    return BiasVariance(
        float(error.mean()),
        float(biased.mean()),
        unbiased_variance - biased_variance,
        unbiased_variance,
        biased_variance,
        n_rounds,
        len(y),
    )
