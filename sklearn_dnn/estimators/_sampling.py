"""Predictions with the noise of training left on, many times over."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from torch import Tensor

from ..network.mlp import Evaluator
from ..training.state import generator
from ._fitted import Fitted, present


def sampled(
    fitted: Fitted,
    X: Any,
    finish: Callable[[Evaluator, Tensor], Tensor],
    n_samples: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over random passes of what ``finish(network, x)`` gives.

    Parameters
    ----------
    fitted : Fitted
    X : table of shape (n, p)
    finish : callable
    n_samples : int
        Passes.

    Returns
    -------
    mean, deviation : ndarray of shape (n, r), in X's type
        The deviation is that of the passes, with their number less one as divisor; 0 for one.

    Raises
    ------
    ValueError
        If there is no noise to sample, or `n_samples` is not a positive integer.
    """
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer or None. Got {n_samples!r}.")
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
        values = fitted.outputs(X, finish, noise_from=stream)
        change = values - mean
        mean = mean + change / i
        spread = spread + change * (values - mean)
    deviation = np.sqrt(np.maximum(spread, 0.0) / max(1, int(n_samples) - 1))
    return mean.astype(values.dtype, copy=False), deviation.astype(values.dtype, copy=False)
