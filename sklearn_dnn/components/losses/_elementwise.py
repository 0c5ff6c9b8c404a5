"""Losses that are a sum of one term a target, so that each target can have a weight."""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from ..base import computed
from ._base import Loss


class ElementwiseLoss(Loss):
    """A loss that is a sum of one term a target: subclasses define :meth:`terms`."""

    @abstractmethod
    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row and target: ``(.., b, k), (.., b, t) -> (.., b, t)``."""

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return self.terms(raw, target).sum(-1)

    def with_output_weights(self, weights: Sequence[float]) -> Loss:
        weighted = WeightedLoss(self, weights)
        weighted.validate()
        return weighted


class WeightedLoss(ElementwiseLoss):
    r"""A loss whose terms are weighted, :math:`\sum_j w_j \ell(z_j, y_j)`.

    Made by :meth:`Loss.with_output_weights`.

    Parameters
    ----------
    loss : ElementwiseLoss
        The loss, bound to its task.
    weights : array-like of shape (t,)
        The weights as they are, not normalised; none negative, not all 0.
    """

    _parameter_constraints = {"loss": [ElementwiseLoss], "weights": ["array-like"]}

    def __init__(self, loss: ElementwiseLoss, weights: Sequence[float]) -> None:
        self.loss = loss
        self.weights = weights

    def _check(self) -> None:
        weights = list(self.weights)
        good = all(isinstance(w, numbers.Real) and 0 <= w < math.inf for w in weights)
        if not good or not any(weights):
            raise ValueError(
                "Output weights must be finite numbers >= 0, not all of them 0. Got "
                f"{self.weights!r} instead: give one number a target, such as (1.0, 0.5)."
            )

    @computed
    def kinds(self) -> Collection[str]:
        return self.loss.kinds

    @computed
    def out_activation(self) -> str:
        return self.loss.out_activation

    @computed
    def scales_target(self) -> bool:
        return self.loss.scales_target

    @computed
    def outputs_per_target(self) -> int:
        return self.loss.outputs_per_target

    @computed
    def has_gradient(self) -> bool:
        return self.loss.has_gradient

    @computed
    def has_probabilities(self) -> bool:
        return self.loss.has_probabilities

    @computed
    def is_calibratable(self) -> bool:
        return self.loss.is_calibratable

    @computed
    def has_deviation(self) -> bool:
        return self.loss.has_deviation

    @computed
    def has_quantiles(self) -> bool:
        return self.loss.has_quantiles

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        terms = self.loss.terms(raw, target)
        return terms * self._weights(terms)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        gradient = self.loss.gradient(raw, target)
        return gradient.mul_(self._weights(gradient).repeat_interleave(self.outputs_per_target))

    def _weights(self, like: Tensor) -> Tensor:
        return torch.tensor([float(w) for w in self.weights], dtype=like.dtype, device=like.device)

    def prepare(self, target: Tensor, n_outputs: int, dtype: torch.dtype) -> Tensor:
        return self.loss.prepare(target, n_outputs, dtype)

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        return self.loss.smooth(target, smoothing, n_outputs)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return self.loss.inverse_link(raw)

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        return self.loss.log_inverse_link(raw)

    def deviation(self, raw: Tensor) -> Tensor:
        return self.loss.deviation(raw)

    def quantiles(self, raw: Tensor) -> Tensor:
        return self.loss.quantiles(raw)

    def target_fault(self, lowest: float) -> str:
        return self.loss.target_fault(lowest)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        # targets have nothing in common, so that each has its own best as before
        return self.loss.best_constant(target, weight, n_outputs)
