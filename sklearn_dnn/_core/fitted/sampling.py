"""Predictions with the noise of training left on, many times over."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.utils import check_random_state

from ..._compat import Interval
from ...components.base import shown
from ..training.streams import generator
from .fitted import Finish, Fitted, present

# More can't be waited for.
PASSES = Interval(Integral, 1, 10**6, closed="both")


def over_members(mean: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of members' mixture, (n, m, r) -> (n, r).

    By the law of total variance: the mean of their variances and the variance of their means.
    """
    if mean.shape[1] == 1:
        return mean[:, 0], deviation[:, 0]
    variance = (deviation**2).mean(1) + mean.var(1)
    return mean.mean(1), np.sqrt(variance)


def mixture_quantiles(mean: np.ndarray, deviation: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles of equal mixtures of normal laws, by bisection: (n, m, k), (q,) -> (n, k, q)."""
    mean, deviation = (a.astype(np.float64)[..., None] for a in (mean, deviation))
    each = mean + deviation * ndtri(levels)
    low, high = each.min(1), each.max(1)  # a mixture's quantile lies between its members'
    for _ in range(60):
        middle = (low + high) / 2
        below = ndtr((middle[:, None] - mean) / deviation).mean(1) < levels
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def sampled(
    fitted: Fitted,
    X: Any,
    finish: Finish,
    n_samples: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations over random passes of what ``finish(network, x)`` gives.

    Parameters
    ----------
    fitted : Fitted
    X : table of shape (n, p)
    finish : callable
    n_samples : int
        Passes.

    Returns
    -------
    mean, deviation : ndarray of shape (n, m, r), in X's type
        For each member, of which a single network has one. The deviation is that of the passes,
        with their number less one as divisor; 0 for one.

    Raises
    ------
    ValueError
        If there is no noise to sample, or `n_samples` is not a positive integer.
    """
    if not PASSES.is_satisfied_by(n_samples):
        raise ValueError(
            f"n_samples must be a positive integer, at most {PASSES.right}, or None. Got "
            f"{shown(n_samples)}."
        )
    if not fitted.is_noisy():
        raise ValueError(
            f"n_samples={n_samples!r} repeats predictions with the noise of training, but this "
            "network was trained without any. Fit it with dropout, input_dropout or weight_noise, "
            "or leave n_samples=None."
        )
    estimator = fitted.estimator
    seed = int(check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max))
    stream = generator(seed, present(estimator.device_))
    mean = spread = np.zeros(())
    for i in range(1, int(n_samples) + 1):
        # Welford's sums, which lose no digits where passes nearly agree
        values = fitted.member_outputs(X, finish, noise_from=stream)
        change = values - mean
        mean = mean + change / i
        spread = spread + change * (values - mean)
    deviation = np.sqrt(np.maximum(spread, 0.0) / max(1, int(n_samples) - 1))
    return mean.astype(values.dtype, copy=False), deviation.astype(values.dtype, copy=False)
