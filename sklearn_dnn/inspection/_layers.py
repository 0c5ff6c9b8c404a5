"""What the hidden layers of a fitted network do with rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from .._threads import torch_ready
from ._network import MLP, Opened, Pass, refuse_own_module

# An activation this share of the range from a bound, or nearer, is saturated.
NEAR_A_BOUND = 0.05
# Shares of units, and factors between layers, from which a layer is told of.
MANY = 0.5
FAR = 1e3


def layer_statistics(estimator: MLP, X: Any, y: Any = None) -> pd.DataFrame:
    r"""Activations and gradients of every hidden layer.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted; it is not changed. The network runs as in prediction: without dropout, with the
        running statistics of a norm. Of a module of your own no layers are known.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets; without them there are no gradients.

    Returns
    -------
    DataFrame
        A row a hidden layer, from the inputs on:

        ``units``
            Width.
        ``mean``, ``std``, ``min``, ``max``
            Of what the layer hands on, over rows and units.
        ``signal``
            Root of the mean over units of the variance over rows: what tells rows apart, where
            `std` also holds that units have different means.
        ``dead_share``
            Share of units whose activation function is 0 on all rows.
        ``saturated_share``
            Share of the activation function's values within 5 % of its range from one of its
            bounds; NaN where it is not bounded on both sides.
        ``gradient_norm``
            l2 norm of the gradient of the mean loss by the layer's weights, as ``coefs_`` has
            them (if `y` is given).
        ``signal_gradient``
            Root mean square, over rows, of the l2 norm of the gradient of a row's loss by the
            layer's activations (if `y` is given): what comes back from the outputs.
        ``verdict``
            "dead", "saturated" (more than half), "vanishing", "exploding" (the signal's
            gradient is a thousand times less or more than at the last hidden layer; without
            `y`, `signal` a thousand times less or more than at the first) or "ok".

    Notes
    -----
    The loss is the estimator's own, in its own units (a scaled target's, of a regressor), without
    penalties, weights and label smoothing. All is computed in float64.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    opened = _opened(estimator, "layer_statistics")
    with torch_ready(), torch.set_grad_enabled(y is not None):
        seen = opened.run(opened.rows(X))
        gradients = None if y is None or not seen.hidden else _gradients(opened, seen, y)
        outputs, functions = (
            [tensor.detach().numpy() for tensor in tensors]
            for tensors in (seen.hidden, seen.functions)
        )
    table = []
    for layer, (a, function) in enumerate(zip(outputs, functions, strict=True)):
        row = {
            "units": a.shape[1],
            "mean": a.mean(),
            "std": a.std(),
            "min": a.min(),
            "max": a.max(),
            "signal": np.sqrt(a.var(axis=0).mean()),
            "dead_share": _dead(function).mean(),
            "saturated_share": _saturated(function, *opened.activations[layer].range),
        }
        if gradients is not None:
            row["gradient_norm"], row["signal_gradient"] = gradients[layer]
        table.append(row)
    columns = list(table[0]) if table else ["units"]
    index = pd.RangeIndex(1, len(table) + 1, name="layer")
    frame = pd.DataFrame(table, columns=columns, index=index)
    frame["verdict"] = _verdicts(frame)
    return frame


def _dead(function: np.ndarray) -> np.ndarray:
    """Which units are 0 on all rows: (n, k) -> (k,)."""
    return (function == 0).all(axis=0)


def _saturated(function: np.ndarray, low: float, high: float) -> float:
    """Share of activations near one of the bounds; NaN if there are not two."""
    if not np.isfinite(high - low):
        return np.nan
    margin = NEAR_A_BOUND * (high - low)
    return float(((function <= low + margin) | (function >= high - margin)).mean())


def _gradients(opened: Opened, seen: Pass, y: Any) -> list[tuple[float, float]]:
    """Norms of the gradients by each hidden layer's weights and activations."""
    loss = opened.loss.values(seen.raw, opened.targets(y))
    weights = opened.weights[:-1]
    found = torch.autograd.grad(loss.mean(), [*weights, *seen.hidden])
    norms = []
    n = len(loss)
    for by_weight, by_output in zip(found[: len(weights)], found[len(weights) :], strict=True):
        # the mean's gradient is a row's over n
        rows = by_output.norm(dim=1) * n
        norms.append((float(by_weight.norm()), float(rows.square().mean().sqrt())))
    return norms


def _verdicts(frame: pd.DataFrame) -> list[str]:
    verdicts = []
    by_gradient = "signal_gradient" in frame
    scales: Any = frame["signal_gradient" if by_gradient else "signal"] if len(frame) else []
    for layer, row in enumerate(frame.itertuples()):
        reference = scales.iloc[-1 if by_gradient else 0]
        scale = scales.iloc[layer]
        if row.dead_share > MANY:
            verdicts.append("dead")
        elif row.saturated_share > MANY:
            verdicts.append("saturated")
        elif scale * FAR < reference:
            verdicts.append("vanishing")
        elif scale > reference * FAR or not np.isfinite(scale):
            verdicts.append("exploding")
        else:
            verdicts.append("ok")
    return verdicts


def dead_units(estimator: MLP, X: Any) -> list[np.ndarray]:
    """Units of each hidden layer whose activation function is 0 on all rows.

    They pass on neither signal nor gradient: "leaky_relu" or "elu", a smaller learning rate or
    a norm keep units alive.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    list of ndarray of int
        Positions of the dead units, one array a hidden layer.
    """
    _, functions = _seen(estimator, X, "dead_units")
    return [np.flatnonzero(_dead(function)) for function in functions]


def activations(estimator: MLP, X: Any) -> list[np.ndarray]:
    """What every hidden layer hands on, as prediction computes it.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    list of ndarray of shape (n_samples, n_units), float64
        With what skip connections bring, and after a norm that stands behind the activation.
    """
    return _seen(estimator, X, "activations")[0]


def _seen(estimator: MLP, X: Any, function: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What hidden layers that are known hand on, and what their activations put out."""
    opened = _opened(estimator, function)
    with torch_ready(), torch.no_grad():
        seen = opened.run(opened.rows(X))
        return [t.numpy() for t in seen.hidden], [t.numpy() for t in seen.functions]


def _opened(estimator: MLP, function: str) -> Opened:
    """A network whose hidden layers are known."""
    opened = Opened(estimator, function)
    refuse_own_module(estimator, function)
    return opened
