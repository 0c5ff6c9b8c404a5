"""The range test of the learning rate."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.base import clone

from .._compat import Interval
from .._core.training.range_test import RangeTest
from ..components.base import shown
from ._network import MLP, require_network

_RATE = Interval(Real, 0, None, closed="neither")
_STEPS = Interval(Integral, 2, 10**6, closed="both")


def learning_rate_range_test(
    estimator: MLP,
    X: Any,
    y: Any,
    *,
    min_rate: float = 1e-6,
    max_rate: float = 10.0,
    n_steps: int = 200,
    sample_weight: Any = None,
) -> RangeTest:
    r"""How the loss goes while the learning rate rises from step to step.

    A clone of the estimator takes `n_steps` steps, on one batch each, with the rates
    :math:`\eta_i = \eta_0 (\eta_1 / \eta_0)^{i / (n - 1)}`, and is thrown away: `estimator` is
    left as it is. The test ends early where the running mean of the loss is four times its
    lowest value, or the loss is no longer finite. ``learning_rate_init="range_test"`` does the
    same within `fit`.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted or not; its parameters count, but for the learning rate and its schedule.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    min_rate, max_rate : float, default=1e-6 and 10.0
        The first and the last rate.
    n_steps : int, default=200
        The number of steps.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    RangeTest
        ``rates``, ``losses`` (of the batch before each step), ``smoothed`` (their running mean)
        and ``suggestion``: a tenth of the rate at which that mean was lowest. Where the loss
        begins to rise, the rate is already too large to train with.

    See Also
    --------
    RangeTestDisplay : Draws it.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """
    require_network(estimator, "learning_rate_range_test")
    rates = (min_rate, max_rate)
    if not all(_RATE.is_satisfied_by(rate) for rate in rates) or not min_rate < max_rate:
        raise ValueError(
            "learning_rate_range_test needs rates 0 < min_rate < max_rate. Got "
            f"min_rate={shown(min_rate)} and max_rate={shown(max_rate)}."
        )
    if not _STEPS.is_satisfied_by(n_steps):
        raise ValueError(
            f"n_steps must be an integer of at least 2 and at most {_STEPS.right}. Got "
            f"{shown(n_steps)}."
        )
    # held-out rows and tests of their own are not wanted here
    twin = clone(estimator).set_params(
        learning_rate_init=1.0,
        early_stopping=False,
        monitor="loss",
        curriculum=None,
        warm_start=False,
    )
    return twin._range_test(X, y, sample_weight, (float(min_rate), float(max_rate)), int(n_steps))
