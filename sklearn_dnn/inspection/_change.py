"""Changed inputs and changed weights: how much does a fitted network bear?"""

from __future__ import annotations

import copy
import numbers
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._core.fitting.weights import with_matrices
from .._core.reading.tables import names_of_categories
from .._threads import torch_ready
from ._network import MLP, E, Opened, refuse_ensemble, refuse_own_module, require_network


def fgsm(estimator: MLP, X: Any, y: Any, epsilon: ArrayLike) -> np.ndarray:
    r"""Rows moved in the worst direction, by the fast gradient sign method.

    .. math:: x + \epsilon \, \mathrm{sign}(\nabla_x J(x, y))

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted; it is not changed.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets.
    epsilon : float or array-like of shape (n_features,)
        How far each column is moved, in units of X, at least 0. Columns of different units need
        an array, such as ``0.1 * est.input_scale_``.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float64
        Adversarial rows. ``est.score(fgsm(est, X, y, epsilon), y)`` measures robustness.

    References
    ----------
    I. Goodfellow, J. Shlens and C. Szegedy, "Explaining and harnessing adversarial examples",
    ICLR 2015.
    """
    opened = Opened(estimator, "fgsm")
    categories = names_of_categories(estimator)
    if categories:
        raise ValueError(
            "fgsm moves numbers, but the estimator was fitted with categories in the columns "
            f"{categories}, which can't be moved a little. Fit it on encoded columns, or without "
            "them."
        )
    step = np.asarray(epsilon, dtype=np.float64)
    n_features = estimator.n_features_in_
    if step.shape not in {(), (n_features,)} or not np.all(np.isfinite(step) & (step >= 0)):
        raise ValueError(
            "epsilon must be a finite number of at least 0, or one for each of the "
            f"{n_features} columns. Got {epsilon!r} instead."
        )
    with torch_ready(), torch.enable_grad():
        x = opened.rows(X).requires_grad_()
        loss = opened.loss.values(opened.run(x).raw, opened.targets(y)).sum()
        (gradient,) = torch.autograd.grad(loss, [x])
        return x.detach().numpy() + step * gradient.sign().numpy()


def prune(estimator: E, amount: float, *, scope: Literal["global", "layer"] = "global") -> E:
    """A copy of a fitted network in which the smallest weights are zero.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted; it is not changed.
    amount : float
        Share of the weights in ``coefs_``, in [0, 1], that become zero: those of smallest
        absolute value. Biases, and matrices in skip connections, stay. The number of them is
        rounded.
    scope : {"global", "layer"}, default="global"
        Whether the smallest are chosen over the whole network or in each layer by itself.

    Returns
    -------
    estimator
        Predicts with the pruned weights. Its arrays have the old shapes, and further training
        moves all of them again.

    References
    ----------
    Y. LeCun, J. S. Denker and S. A. Solla, "Optimal brain damage", NeurIPS 1989, which this plain
    choice by size is the baseline of.
    """
    require_network(estimator, "prune")
    check_is_fitted(estimator)
    if isinstance(amount, bool) or not isinstance(amount, numbers.Real) or not 0 <= amount <= 1:
        raise ValueError(f"amount must be a share of the weights in [0, 1]. Got {amount!r}.")
    if scope not in {"global", "layer"}:
        raise ValueError(f"scope must be 'global' or 'layer'. Got {scope!r} instead.")
    refuse_ensemble(estimator, "prune")
    refuse_own_module(estimator, "prune")
    coefs = [coef.copy() for coef in estimator.coefs_]
    if scope == "layer":
        parts = [_without_smallest(coef.ravel(), amount) for coef in coefs]
    else:
        flat = _without_smallest(np.concatenate([coef.ravel() for coef in coefs]), amount)
        parts = np.split(flat, np.cumsum([coef.size for coef in coefs])[:-1])
    pruned = copy.deepcopy(estimator)
    matrices = [part.reshape(coef.shape) for part, coef in zip(parts, coefs, strict=True)]
    with torch_ready():
        weights = with_matrices(estimator, matrices)
    return pruned.set_weights(weights)


def _without_smallest(weights: np.ndarray, amount: float) -> np.ndarray:
    """A flat array with its smallest share set to zero, in place."""
    count = round(float(amount) * weights.size)
    weights[np.argsort(np.abs(weights), kind="stable")[:count]] = 0
    return weights
