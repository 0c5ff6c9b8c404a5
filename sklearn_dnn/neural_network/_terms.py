"""What scikit-learn's networks ask for, in the engine's terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier

from .._compat import from_numpy
from .._core.specification import FitSpec, Task, resolve
from ..components.losses import BernoulliLogLoss, CategoricalLogLoss, LogLoss, Loss
from ..components.optimizers import SGD, Adam, Optimizer
from ..components.schedules import Schedule
from ..estimators._classifier import MLPClassifier
from ..estimators._regressor import MLPRegressor


class AsTold(Schedule):
    """The learning rate of scikit-learn's optimizer, which changes it between epochs."""

    per_step = False

    def __init__(self, network: Any) -> None:
        self.network = network

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        optimizer = self.network._optimizer
        # the current rate of Adam has the corrections in it
        adam = is_adam(optimizer)
        return float(optimizer.learning_rate_init if adam else optimizer.learning_rate)


class ClippedLogLoss(LogLoss):
    """The log loss as scikit-learn tells it, where a probability counts as eps at least."""

    def bind(self, kind: str) -> Loss:
        return ClippedOfClasses() if kind == "multiclass" else ClippedOfLabels()


class ClippedOfLabels(BernoulliLogLoss):
    def terms(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return super().terms(raw, target).clamp(max=-math.log(torch.finfo(raw.dtype).eps))


class ClippedOfClasses(CategoricalLogLoss):
    def values(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return super().values(raw, target).clamp(max=-math.log(torch.finfo(raw.dtype).eps))


def packed(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    """Arrays behind each other, matrices first: the order of both libraries."""
    return from_numpy(np.concatenate([array.ravel() for array in arrays]))


def unpacked(row: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Views of a row in the shapes of arrays."""
    ends = np.cumsum([array.size for array in like])
    return [
        part.reshape(array.shape)
        for part, array in zip(np.split(row, ends[:-1]), like, strict=True)
    ]


def specification(
    network: Any, X: Any, n_rows: int, batch_size: int, optimizer: Any = None
) -> FitSpec:
    """The engine's specification of a fit, of the weights that are there."""
    ours = MLPClassifier if is_classifier(network) else MLPRegressor
    dtype = network.coefs_[0].dtype.name
    parameters = ours(
        tuple(matrix.shape[1] for matrix in network.coefs_[:-1]),
        network.activation,
        loss=ClippedLogLoss() if network.loss == "log_loss" else network.loss,
        optimizer=rule_of(network, optimizer),
        learning_rate_init=1.0,
        schedule=AsTold(network),
        batch_size=batch_size,
        alpha=float(network.alpha),
        max_iter=network.max_iter,
        dtype=dtype,
        initializer="zeros",
        input_scaling=None,
    ).get_params(deep=False) | {"target_scaling": None}
    task = Task(kind_of(network), X.shape[1], network.n_outputs_, X.shape[0], n_rows, dtype)
    return replace(resolve(parameters, task), loss_of_batches=True)


def kind_of(network: Any) -> str:
    """What a network with first weights learns."""
    if not is_classifier(network):
        return "regression"
    if network.out_activation_ == "softmax":
        return "multiclass"
    return "binary" if network.n_outputs_ == 1 else "multilabel"


def is_adam(optimizer: Any) -> bool:
    """Whether an optimizer of scikit-learn's is Adam's."""
    return "beta_1" in vars(optimizer)


def rule_of(network: Any, optimizer: Any = None) -> Optimizer:
    """The update rule, in scikit-learn's form; of L-BFGS, which asks for gradients alone, any.

    Parameters
    ----------
    optimizer : object or None
        scikit-learn's of the call before, which keeps its numbers; None for a new one.
    """
    numbers = network if optimizer is None else optimizer
    if network.solver == "adam" if optimizer is None else is_adam(optimizer):
        betas = float(numbers.beta_1), float(numbers.beta_2)
        return Adam(*betas, float(numbers.epsilon), epsilon_hat=True)
    momentum = float(numbers.momentum)
    looks = numbers.nesterovs_momentum if optimizer is None else numbers.nesterov
    return SGD(momentum, nesterov=bool(looks) and momentum > 0, velocity="steps")
