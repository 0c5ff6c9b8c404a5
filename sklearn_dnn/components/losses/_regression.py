r"""Losses of an error :math:`e = \hat y - y`: the network's raw outputs are its predictions."""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval
from ._base import LOSSES
from ._constants import flat_point, weighted_mean, weighted_quantile
from ._elementwise import ElementwiseLoss


@LOSSES.register("squared_error")
class SquaredError(ElementwiseLoss):
    r"""Squared error, :math:`\frac{1}{2}\sum_j (\hat y_j - y_j)^2`.

    The half is scikit-learn's: with no hidden layer the optimum is that of ``Ridge(alpha)``.
    torch's ``MSELoss`` and Keras have no half. Outputs are summed, not averaged, so that each
    target is fitted as it would be alone. The best constant is the mean.
    """

    has_gradient = True

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).square().mul_(0.5)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return raw - target

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return weighted_mean(target, weight)


@LOSSES.register("absolute_error")
class AbsoluteError(ElementwiseLoss):
    r"""Absolute error, :math:`\sum_j |\hat y_j - y_j|`; its optimum is the median.

    The derivative at zero error is zero. Of all medians of an even number of rows the best
    constant given is the middle one.
    """

    has_gradient = True

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).abs()

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).sign_()

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return weighted_quantile(target, weight, 0.5)


@LOSSES.register("huber")
class Huber(ElementwiseLoss):
    r"""Huber's loss: quadratic for small errors, linear for large ones.

    With :math:`e = \hat y - y`: :math:`e^2/2` where :math:`|e| \le \delta`, else
    :math:`\delta(|e| - \delta/2)`, summed over outputs; torch's ``HuberLoss``. The best
    constant is found by bisection.

    Parameters
    ----------
    delta : float, default=1.0
        Where the loss turns linear, in units of the target that the network sees: standard
        deviations with ``target_scaling="standard"``.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical
    Statistics 35 (1964).
    """

    has_gradient = True
    _parameter_constraints = {"delta": [Interval(numbers.Real, 0, None, closed="neither")]}

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.huber_loss(raw, target, reduction="none", delta=self.delta)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).clamp_(-self.delta, self.delta)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return _best_location(self, target, weight)


@LOSSES.register("log_cosh")
class LogCosh(ElementwiseLoss):
    r"""Logarithm of the hyperbolic cosine of the error, :math:`\sum_j \log\cosh(\hat y_j - y_j)`.

    Near :math:`e^2/2` for small errors and :math:`|e| - \log 2` for large ones, with all
    derivatives. Keras' ``LogCosh`` is its mean over outputs. The best constant is found by
    bisection.

    References
    ----------
    R. A. Saleh, A. K. M. E. Saleh, "Statistical properties of the log-cosh loss function used
    in machine learning", arXiv:2208.04564 (2022).
    """

    has_gradient = True

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        size = (raw - target).abs()
        # cosh overflows where its logarithm does not
        return size + functional.softplus(-2 * size) - math.log(2)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return torch.tanh_(raw - target)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return _best_location(self, target, weight)


@LOSSES.register("epsilon_insensitive")
class EpsilonInsensitive(ElementwiseLoss):
    r"""The loss of support vector regression, :math:`\sum_j \max(0, |\hat y_j - y_j| - \epsilon)`.

    Errors up to :math:`\epsilon` cost nothing: the loss of ``LinearSVR`` and ``SVR``. The
    derivative at the kinks is 0. The best constant is found by bisection; of several it is the
    middle one.

    Parameters
    ----------
    epsilon : float, default=0.1
        The error that is free, in units of the target that the network sees: standard
        deviations with ``target_scaling="standard"``.

    References
    ----------
    V. N. Vapnik, "The Nature of Statistical Learning Theory", Springer (1995).
    """

    has_gradient = True
    _parameter_constraints = {"epsilon": [Interval(numbers.Real, 0, None, closed="left")]}

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return ((raw - target).abs() - self.epsilon).clamp(min=0)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        error = raw - target
        return error.sign() * (error.abs() > self.epsilon)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return _best_location(self, target, weight)


def _best_location(loss: ElementwiseLoss, target: Tensor, weight: Tensor | None) -> Tensor:
    """The best constant between the smallest and the largest target, by bisection.

    For losses that are convex in one raw output a target, with the identity as link.
    """
    target = target.double()

    def slope(at: Tensor) -> Tensor:
        return weighted_mean(loss.gradient(at.expand_as(target), target), weight)

    return flat_point(slope, target.min(0).values, target.max(0).values)
