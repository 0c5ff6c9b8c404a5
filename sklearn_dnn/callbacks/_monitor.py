"""Gradients, activations and updates of each layer, epoch by epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

import torch
from sklearn.callback import CallbackContext
from torch import Tensor

from .._threads import torch_ready
from ._diagnosis import LayerSample, SampleLoss, draw_sample, look_into, weights_of
from ._epochs import Epoch, check_callable, check_every, may_be_epoch
from ._records import RowsCallback

FLAT = 0.05  # slopes below are called saturated
STILL = 1e-8  # units that vary less over the rows, relatively, are called dead


class GradientActivationMonitor(RowsCallback):
    r"""How gradients, activations and updates stand in each layer, a row an epoch and layer.

    Parameters
    ----------
    every : int, default=1
        Epochs between looks; epochs that `every` divides are looked at.
    n_rows : int, default=256
        Training rows that are looked at, the same ones throughout a fit.
    loss : callable or None, default=None
        Mean loss, a function of predictions and targets (tensors of shape (n, k)), that
        gradients are taken of. None is the log loss for classifiers and, for regressors,
        :math:`\frac12\operatorname{mean}((\hat y - y)^2)/\operatorname{var}(y)`.
    path : str, path or None, default=None
        As for :class:`History`.

    Notes
    -----
    :meth:`frame` has these columns beside those that :class:`History` has, too:

    ``layer``
        Number of the dense layer, from 0 at the input. The matrix of a skip connection belongs
        to the layer at which it arrives.
    ``gradient_norm``
        Euclidean norm of the loss' gradient with respect to the layer's parameters. Norms that
        shrink by orders of magnitude towards the input show vanishing gradients, norms that
        grow exploding ones.
    ``activation_mean``, ``activation_std``
        Of what the layer hands on, over rows and units.
    ``dead``
        Share of units that give the same number for all rows, such as a ReLU unit that is
        never active.
    ``saturated``
        Share of rows and units where the activation function's slope is below 0.05 in
        magnitude; of a ReLU that is where it is not active. NaN for the last layer.
    ``update_ratio``
        :math:`\lVert W_t - W_{t-1} \rVert / \lVert W_{t-1} \rVert` of the weights (without
        intercepts) before and after the epoch. The rule of thumb of 1e-3 is for one step of the
        optimizer; an epoch has ``n_samples / batch_size`` of them.

    All is computed on what ``to_torch()`` gives, in evaluation mode and float64: without
    dropout, and with a batch norm's running statistics. The loss is that of the predictions,
    without penalties; if the network trains on another one than the default, give `loss`. One
    look costs about a step on `n_rows` rows without any of the engine's shortcuts.

    References
    ----------
    X. Glorot and Y. Bengio (2010). Understanding the difficulty of training deep feedforward
    neural networks. AISTATS.
    """

    def __init__(
        self,
        every: int = 1,
        n_rows: int = 256,
        *,
        loss: SampleLoss | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(path)
        self.every = every
        self.n_rows = n_rows
        self.loss = loss

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse bad parameters before training."""
        check_every("every", self.every, least=1)
        check_every("n_rows", self.n_rows, least=2)
        check_callable("loss", self.loss, ("raw", "target"))

    def on_fit_task_begin(
        self, estimator: Any, context: CallbackContext, *, fitted_estimator: Any = None
    ) -> None:
        """Called at the beginning of each task."""
        self._start_clock(context)
        if fitted_estimator is not None and may_be_epoch(context):
            with torch_ready():
                weights = weights_of(fitted_estimator, type(self).__name__)
            self._fit_of(context).memory["before"] = weights

    def _epoch_ends(self, epoch: Epoch) -> None:
        memory = epoch.fit.memory
        before = memory.pop("before", {})
        if epoch.number % self.every:
            return
        if "sample" not in memory:
            memory["sample"] = draw_sample(epoch, self.n_rows)
        layers = look_into(epoch.fitted, memory["sample"], type(self).__name__, self.loss)
        for i, layer in enumerate(layers):
            values = {"layer": i} | figures(layer)
            self._keep(epoch, values | {"update_ratio": update_ratio(layer, before)})


def figures(layer: LayerSample) -> dict[str, float]:
    """What a layer's tensors come to."""
    a = layer.activations
    low, high = a.amin(0), a.amax(0)
    still = (high - low) <= STILL * torch.maximum(low.abs(), high.abs())
    flat = math.nan if layer.slopes is None else _share(layer.slopes.abs() < FLAT)
    return {
        "gradient_norm": _norm(layer.gradients.values()),
        "activation_mean": float(a.mean()),
        "activation_std": float(a.std(correction=0)),
        "dead": _share(still),
        "saturated": flat,
    }


def update_ratio(layer: LayerSample, before: dict[str, Tensor]) -> float:
    """Norm of the change over the norm before; NaN where there was nothing before."""
    names = [name for name in layer.weights if name in before]
    size = _norm(before[name] for name in names)
    if size == 0:
        return math.nan
    return _norm(layer.weights[name] - before[name] for name in names) / size


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.square().sum()) for tensor in tensors))


def _share(mask: Tensor) -> float:
    return float(mask.double().mean())
