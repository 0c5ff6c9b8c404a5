"""The size of training's steps."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from .._core.messages import DivergedError
from .._core.specification import hidden_sizes, plain_value
from .._core.training.ends import DIVERGED
from ..components.architectures import HiddenModule
from ._network import MLP, free_optimizer, plain_copy, quiet, require_network, take


def update_ratios(
    estimator: MLP, X: Any, y: Any, *, n_steps: int = 20, random_state: int | None = 0
) -> pd.DataFrame:
    r"""Size of a step against the size of the weights, layer by layer.

    The ratio is :math:`\lVert \Delta W \rVert_2 / \lVert W \rVert_2` for one step, median over
    the steps. About 1e-3 is wanted; below 1e-4 training is slow, above 1e-2 it is unsteady.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted or not; it is not changed. A clone is trained for one epoch, and then watched
        for `n_steps` batches of random rows, at ``learning_rate_init`` throughout (no schedule).
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    n_steps : int, default=20
        Steps to watch.
    random_state : int or None, default=0
        Of the choice of batches.

    Returns
    -------
    DataFrame
        A row a layer, the output layer last: ``weight_norm``, ``update_norm``, ``ratio`` and
        ``verdict`` ("ok", "low" below 1e-4, "high" above 1e-2; "diverged", beside numbers that are
        NaN, where the loss was not finite after the first epoch or a later step).

    References
    ----------
    A. Karpathy, CS231n notes, "Neural networks part 3: babysitting the learning process".
    """
    require_network(estimator, "update_ratios")
    if free_optimizer(estimator).full_batch:
        raise ValueError(
            f"optimizer={estimator.optimizer!r} takes all rows at once and has no steps of "
            "batches to watch. Use another optimizer."
        )
    clone = plain_copy(estimator, class_weight=None)
    norms = _norms(clone, X, np.asarray(y), n_steps, np.random.default_rng(random_state))
    weight, update = np.median(norms, axis=0).T
    ratio = np.median(norms[..., 1] / np.maximum(norms[..., 0], 1e-300), axis=0)
    verdict = np.select(
        [np.isnan(ratio), ratio < 1e-4, ratio > 1e-2], ["diverged", "low", "high"], "ok"
    )
    names = [f"hidden {i + 1}" for i in range(len(weight) - 1)] + ["output"]
    return pd.DataFrame(
        {"weight_norm": weight, "update_norm": update, "ratio": ratio, "verdict": verdict},
        index=pd.Index(names, name="layer"),
    )


def _norms(clone: MLP, X: Any, y: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
    """Norms of weights and updates, (n_steps, n_layers, 2); one step of NaN if it diverges."""
    norms = []
    with quiet(), suppress(DivergedError), np.errstate(over="ignore"):
        clone.partial_fit(X, y)
        size = int(clone.spec_["batch_size"])
        for _ in range(n_steps):
            before = [coef.copy() for coef in clone.coefs_]
            rows = rng.choice(len(y), size, replace=False)
            clone.partial_fit(take(X, rows), y[rows])
            pairs = zip(before, clone.coefs_, strict=True)
            norms.append([(np.linalg.norm(b), np.linalg.norm(a - b)) for b, a in pairs])
            # one that has diverged is back at earlier weights
            if clone.end_reason_ == DIVERGED or not np.isfinite(norms[-1]).all():
                break
        else:
            return np.array(norms)
    hidden = hidden_sizes(plain_value("hidden_layer_sizes", clone.hidden_layer_sizes))
    n_layers = 1 if isinstance(hidden, HiddenModule) else len(hidden) + 1
    return np.full((1, n_layers, 2), np.nan)
