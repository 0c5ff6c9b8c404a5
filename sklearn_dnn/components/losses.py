"""Losses: what a network is trained to make small.

A loss owns its link: the network ends in raw numbers, and :meth:`Loss.inverse_link` turns them
into predictions. ``k`` is the number of raw outputs, ``b`` the number of rows; every method
also takes a leading axis of stacked networks.
"""

from __future__ import annotations

import numbers
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .._compat import Interval
from .base import Component, Registry

# Bytes of one-hot targets that are cheaper to hold than to write again for each batch.
ONE_HOT_BYTES = 2**24


class Loss(Component):
    """A function of raw outputs and targets, summed over outputs, one value a row.

    Training minimises the weighted mean of :meth:`values` over the rows of a batch. A loss
    that also defines :meth:`gradient` (and says so in `has_gradient`) is trained without the
    overhead of autograd; the results are the same.

    Attributes
    ----------
    kinds : frozenset of {"regression", "binary", "multiclass", "multilabel"}
        The tasks that the loss is for.
    out_activation : str
        Name of the inverse link, as scikit-learn's ``out_activation_``.
    scales_target : bool
        True if targets may be standardised: the link is the identity.
    has_gradient : bool
        True if :meth:`gradient` is defined.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"regression"})
    out_activation: ClassVar[str] = "identity"
    scales_target: ClassVar[bool] = True
    has_gradient: ClassVar[bool] = False

    def bind(self, kind: str) -> Loss:
        """The loss that is really trained for a task of this kind."""
        return self

    @abstractmethod
    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row: ``(b, k), target -> (b,)``."""

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        """Derivative of :meth:`values` by `raw`, shape ``(b, k)``, as a new tensor."""
        raise AssertionError(f"{type(self).__name__} leaves its gradient to autograd")

    def prepare(self, target: Tensor, n_outputs: int, dtype: torch.dtype) -> Tensor:
        """All training targets in the form that steps read fastest; as they are by default."""
        return target

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        """Targets that :meth:`values` takes, moved towards the uniform distribution."""
        raise AssertionError(f"{type(self).__name__} has no labels to smooth")

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Predictions from raw outputs, ``(b, k) -> (b, k)``."""
        return raw

    def target_fault(self, lowest: float) -> str:
        """What is wrong with targets whose smallest value is `lowest`; "" if nothing."""
        return ""


LOSSES: Registry[Loss] = Registry("loss", Loss)


@LOSSES.register("squared_error")
class SquaredError(Loss):
    r"""Squared error, :math:`\frac{1}{2}\sum_j (\hat y_j - y_j)^2`.

    The half is scikit-learn's: with no hidden layer the optimum is that of ``Ridge(alpha)``.
    Outputs are summed, not averaged, so that each target is fitted as it would be alone.
    """

    has_gradient = True

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).square().sum(-1).mul(0.5)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return raw - target


@LOSSES.register("absolute_error")
class AbsoluteError(Loss):
    r"""Absolute error, :math:`\sum_j |\hat y_j - y_j|`; its optimum is the median.

    The derivative at zero error is zero.
    """

    has_gradient = True

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).abs().sum(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).sign_()


@LOSSES.register("huber")
class Huber(Loss):
    r"""Huber's loss: quadratic for small errors, linear for large ones.

    With :math:`e = \hat y - y`: :math:`e^2/2` where :math:`|e| \le \delta`, else
    :math:`\delta(|e| - \delta/2)`, summed over outputs.

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

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.huber_loss(raw, target, reduction="none", delta=self.delta).sum(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).clamp_(-self.delta, self.delta)


@LOSSES.register("poisson")
class Poisson(Loss):
    r"""Half the Poisson deviance with a log link, up to a term without the prediction.

    :math:`\sum_j \exp(z_j) - y_j z_j` for raw outputs :math:`z`, plus
    :math:`y \log y - y` so that a perfect prediction has loss zero; targets must not be
    negative. With no hidden layer the optimum is that of ``PoissonRegressor``. Targets are
    not standardised: the link would no longer be the logarithm of the mean.
    """

    out_activation = "exp"
    scales_target = False
    has_gradient = True

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        constant = torch.xlogy(target, target) - target
        return (raw.exp() - target * raw + constant).sum(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return raw.exp().sub_(target)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return raw.exp()

    def target_fault(self, lowest: float) -> str:
        return f"targets must be >= 0, got a smallest one of {lowest:g}" if lowest < 0 else ""


@LOSSES.register("log_loss")
class LogLoss(Loss):
    """Cross-entropy, for two classes, several classes, or several labels.

    One raw output and the logistic link for two classes; one a class and softmax for several;
    one a label and the logistic link for a multilabel indicator (labels are summed). Always
    computed from raw outputs, never from probabilities, so that no logarithm of zero arises.
    """

    kinds = frozenset({"binary", "multiclass", "multilabel"})
    scales_target = False

    def bind(self, kind: str) -> Loss:
        return CategoricalLogLoss() if kind == "multiclass" else BernoulliLogLoss()

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        raise AssertionError("bind the loss to a task first")


class BernoulliLogLoss(Loss):
    r"""Cross-entropy of independent yes-or-no outputs with the logistic link.

    :math:`\sum_j \log(1 + e^{z_j}) - y_j z_j` with :math:`y_j \in [0, 1]`.
    """

    kinds = frozenset({"binary", "multilabel"})
    out_activation = "logistic"
    scales_target = False
    has_gradient = True

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(raw, target, reduction="none").sum(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return torch.sigmoid(raw).sub_(target)

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        return target * (1 - smoothing) + 0.5 * smoothing

    def inverse_link(self, raw: Tensor) -> Tensor:
        # never 1: a finite raw output is no certainty, and its complement has a logarithm
        return torch.sigmoid(raw).clamp(max=1 - torch.finfo(raw.dtype).eps / 2)


class CategoricalLogLoss(Loss):
    r"""Cross-entropy of exclusive classes with the softmax link.

    :math:`-\log \mathrm{softmax}(z)_y` for a class index :math:`y`; a target of shape
    ``(b, k)`` is taken as a distribution over the classes.
    """

    kinds = frozenset({"multiclass"})
    out_activation = "softmax"
    scales_target = False
    has_gradient = True

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        log_p = _over_classes(torch.log_softmax, raw)
        if target.is_floating_point():
            return -(log_p * target).sum(-1)
        return -log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        p = _over_classes(torch.softmax, raw)
        if target.is_floating_point():
            return p.sub_(target)
        index = target.unsqueeze(-1)
        return p.scatter_add_(-1, index, p.new_full((), -1.0).expand(index.shape))

    def prepare(self, target: Tensor, n_outputs: int, dtype: torch.dtype) -> Tensor:
        # a step subtracts a distribution in one call, where an index takes four
        if target.numel() * n_outputs * dtype.itemsize > ONE_HOT_BYTES:
            return target
        one_hot = target.new_zeros(*target.shape, n_outputs, dtype=dtype)
        return one_hot.scatter_(-1, target.unsqueeze(-1), 1.0)

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        if not target.is_floating_point():
            target = functional.one_hot(target, n_outputs)
        return target.double() * (1 - smoothing) + smoothing / n_outputs

    def inverse_link(self, raw: Tensor) -> Tensor:
        return _over_classes(torch.softmax, raw)


def _over_classes(function: Callable[[Tensor, int], Tensor], raw: Tensor) -> Tensor:
    """Softmax or its logarithm over the last axis.

    torch's kernel takes short last axes row by row; along the other axis it is several times
    faster.
    """
    if raw.shape[-1] >= 32 or raw.dim() == 1:
        return function(raw, -1)
    return function(raw.mT, -2).mT
