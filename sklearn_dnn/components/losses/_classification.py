r"""Cross-entropy, and the base class of losses of exclusive classes.

Two classes are one raw output and a target of 0 or 1; labels are one raw output each;
exclusive classes one raw output each and a class index. A target may also be a probability, or
a distribution over the classes: a loss is then its expectation, linear in the target.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ._base import LOSSES, Loss
from ._constants import class_shares, possible, weighted_mean
from ._elementwise import ElementwiseLoss

# Bytes of one-hot targets that are cheaper to hold than to write again for each batch.
ONE_HOT_BYTES = 2**24

CLASSIFICATION = frozenset({"binary", "multiclass", "multilabel"})


class LabelLoss(ElementwiseLoss):
    """A loss of yes-or-no targets, for two classes or several labels."""

    kinds = frozenset({"binary", "multilabel"})
    scales_target = False
    has_gradient = True

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        return target * (1 - smoothing) + 0.5 * smoothing


class ClassLoss(Loss):
    """A loss of exclusive classes."""

    kinds = frozenset({"multiclass"})
    scales_target = False
    has_gradient = True
    takes_distributions = True

    def prepare(self, target: Tensor, n_outputs: int, dtype: torch.dtype) -> Tensor:
        # a step subtracts a distribution in one call, where an index takes four
        if target.numel() * n_outputs * dtype.itemsize > ONE_HOT_BYTES:
            return target
        return shares_of(target, n_outputs, dtype)

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        if not target.is_floating_point():
            target = functional.one_hot(target, n_outputs)
        return target.double() * (1 - smoothing) + smoothing / n_outputs


def shares_of(target: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """Class indices as distributions, ``(.., b) -> (.., b, k)``; distributions as they are."""
    if target.is_floating_point():
        return target
    zeros = target.new_zeros(*target.shape, n_classes, dtype=dtype)
    return zeros.scatter_(-1, target.unsqueeze(-1), 1.0)


def n_classes_of(target: Tensor, n_outputs: int | None) -> int:
    """Number of classes that targets of exclusive classes have."""
    if n_outputs is not None:
        return n_outputs
    return target.shape[-1] if target.is_floating_point() else int(target.max()) + 1


class UnboundLoss(Loss):
    """A loss that is another one for each kind of task."""

    kinds = CLASSIFICATION
    scales_target = False

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        raise AssertionError("bind the loss to a task first")


@LOSSES.register("log_loss")
class LogLoss(UnboundLoss):
    """Cross-entropy, for two classes, several classes, or several labels.

    One raw output and the logistic link for two classes; one a class and softmax for several;
    one a label and the logistic link for a multilabel indicator (labels are summed). Always
    computed from raw outputs, never from probabilities, so that no logarithm of zero arises.

    The best constant is the logarithm of the shares of classes, or the log-odds of labels; a
    class or label without rows counts as half a row.
    """

    def bind(self, kind: str) -> Loss:
        return CategoricalLogLoss() if kind == "multiclass" else BernoulliLogLoss()


class BernoulliLogLoss(LabelLoss):
    r"""Cross-entropy of independent yes-or-no outputs with the logistic link.

    :math:`\sum_j \log(1 + e^{z_j}) - y_j z_j` with :math:`y_j \in [0, 1]`.
    """

    is_calibratable = True
    out_activation = "logistic"
    has_symmetric_link = True

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(raw, target, reduction="none")

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return torch.sigmoid(raw).sub_(target)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return logistic(raw)

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        return functional.logsigmoid(raw)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return torch.logit(possible(weighted_mean(target, weight), len(target)))


class CategoricalLogLoss(ClassLoss):
    r"""Cross-entropy of exclusive classes with the softmax link.

    :math:`-\log \mathrm{softmax}(z)_y` for a class index :math:`y`; a target of shape
    ``(b, k)`` is taken as a distribution over the classes.
    """

    is_calibratable = True
    out_activation = "softmax"

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        log_p = over_classes(torch.log_softmax, raw)
        if target.is_floating_point():
            return -(log_p * target).sum(-1)
        return -log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        p = over_classes(torch.softmax, raw)
        if target.is_floating_point():
            return p.sub_(target)
        return p.scatter_(-1, target.unsqueeze(-1), -1.0, reduce="add")

    def inverse_link(self, raw: Tensor) -> Tensor:
        return over_classes(torch.softmax, raw)

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        return over_classes(torch.log_softmax, raw)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        shares = class_shares(target, weight, n_classes_of(target, n_outputs))
        return torch.log_softmax(possible(shares, len(target)).log(), -1)


def logistic(raw: Tensor) -> Tensor:
    """The logistic function, never 1.

    A finite raw output is no certainty, and its complement has a logarithm.
    """
    return torch.sigmoid(raw).clamp(max=1 - torch.finfo(raw.dtype).eps / 2)


def over_classes(function: Callable[[Tensor, int], Tensor], raw: Tensor) -> Tensor:
    """Softmax or its logarithm over the last axis.

    torch's kernel takes short last axes row by row; along the other axis it is several times
    faster.
    """
    if raw.shape[-1] >= 32 or raw.dim() == 1:
        return function(raw, -1)
    return function(raw.mT, -2).mT
