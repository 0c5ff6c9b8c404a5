r"""Losses of margins: labels are +1 and -1, and right answers beyond the margin cost nothing.

They give decisions, not probabilities. With a raw output :math:`f` and a label
:math:`s = 2y - 1` the margin is :math:`s f`. The inverse link is :math:`(1 + f)/2`, the raw
output on the scale where labels are 0 and 1: a label is predicted above 0.5.
"""

from __future__ import annotations

import numbers

import torch
from torch import Tensor

from ..._compat import Interval, StrOptions
from ._base import LOSSES, Loss
from ._classification import ClassLoss, LabelLoss, UnboundLoss, n_classes_of, shares_of
from ._constants import class_shares, weighted_mean


@LOSSES.register("hinge")
class Hinge(UnboundLoss):
    r"""The loss of linear support vector machines, :math:`\max(0, 1 - s f)` with labels ±1.

    Summed over labels; several classes are each against the rest, and summed, as in
    ``LinearSVC``. There are no probabilities. A smoothed label, or one that is a probability
    :math:`y`, has the expected loss,
    :math:`y \max(0, 1 - f) + (1 - y) \max(0, 1 + f)`.

    Keras' ``Hinge`` is the mean over outputs. Its ``CategoricalHinge`` is not a sum over
    classes but :math:`\max(0, 1 + \max_{j \ne y} f_j - f_y)`, the loss of Crammer and Singer
    and scikit-learn's ``hinge_loss`` of several classes: `multi_class` chooses it.

    The best constant is the more frequent side, 1 or -1. With "crammer_singer" it is 1 for a
    class of more than half of the rows and 0 for the others; with no such class all are 0.

    Parameters
    ----------
    multi_class : {"ovr", "crammer_singer"}, default="ovr"
        How several exclusive classes are told apart, in ``LinearSVC``'s words. Labels can be
        smoothed with "ovr" only.

    References
    ----------
    C. Cortes, V. Vapnik, "Support-vector networks", Machine Learning 20 (1995); K. Crammer,
    Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector machines",
    JMLR 2 (2001).
    """

    has_probabilities = False
    _parameter_constraints = {"multi_class": [StrOptions({"ovr", "crammer_singer"})]}

    def __init__(self, multi_class: str = "ovr") -> None:
        self.multi_class = multi_class

    def bind(self, kind: str) -> Loss:
        if kind != "multiclass":
            return LabelMargin(1)
        return OneVsRestMargin(1) if self.multi_class == "ovr" else CrammerSinger()


@LOSSES.register("squared_hinge")
class SquaredHinge(UnboundLoss):
    r"""Squared hinge, :math:`\max(0, 1 - s f)^2` with labels ±1: a hinge with a slope that is
    continuous.

    Summed over labels; several classes are each against the rest, and summed: the loss of
    ``LinearSVC``. There are no probabilities. A smoothed label, or one that is a probability,
    has the expected loss. Keras' ``SquaredHinge`` is the mean over outputs.

    The best constant is the mean of the labels ±1.

    References
    ----------
    Y. Tang, "Deep learning using linear support vector machines", arXiv:1306.0239 (2013).
    """

    has_probabilities = False

    def bind(self, kind: str) -> Loss:
        return OneVsRestMargin(2) if kind == "multiclass" else LabelMargin(2)


_POWER = {"power": [Interval(numbers.Integral, 1, 2, closed="both")]}


class LabelMargin(LabelLoss):
    r"""Hinge of independent labels, :math:`\sum_j \max(0, 1 - s_j f_j)^p`, or its square.

    Parameters
    ----------
    power : {1, 2}, default=1
        The exponent :math:`p`.
    """

    out_activation = "affine"
    has_probabilities = False
    _parameter_constraints = _POWER

    def __init__(self, power: int = 1) -> None:
        self.power = power

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return _margin_terms(raw, target, self.power)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return _margin_slope(raw, target, self.power)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return (raw + 1) / 2

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return _best_margin(weighted_mean(target, weight), self.power)


class OneVsRestMargin(ClassLoss):
    r"""Hinge of exclusive classes, each against the rest and summed, or its square.

    Parameters
    ----------
    power : {1, 2}, default=1
        The exponent of the hinge.
    """

    out_activation = "affine"
    has_probabilities = False
    _parameter_constraints = _POWER

    def __init__(self, power: int = 1) -> None:
        self.power = power

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return _margin_terms(raw, _shares(raw, target), self.power).sum(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return _margin_slope(raw, _shares(raw, target), self.power)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return (raw + 1) / 2

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return _best_margin(
            class_shares(target, weight, n_classes_of(target, n_outputs)), self.power
        )


class CrammerSinger(Loss):
    r"""Hinge of the right class over the best wrong one,
    :math:`\max(0, 1 + \max_{j \ne y} f_j - f_y)`, for a class index :math:`y`.
    """

    kinds = frozenset({"multiclass"})
    scales_target = False
    has_gradient = True
    has_probabilities = False

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        right, wrong, _ = _rivals(raw, target)
        return (1 + wrong - right).clamp(min=0)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        right, wrong, rival = _rivals(raw, target)
        slope = (1 + wrong - right > 0).to(raw).unsqueeze(-1)
        gradient = torch.zeros_like(raw).scatter_(-1, rival.unsqueeze(-1), slope)
        return gradient.scatter_(-1, target.unsqueeze(-1), -slope)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return (class_shares(target, weight, n_classes_of(target, n_outputs)) > 0.5).double()


def _rivals(raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Raw output of the right class, the largest other one, and that one's index."""
    index = target.unsqueeze(-1)
    others = raw.scatter(-1, index, float("-inf"))
    wrong, rival = others.max(-1)
    return raw.gather(-1, index).squeeze(-1), wrong, rival


def _shares(raw: Tensor, target: Tensor) -> Tensor:
    return shares_of(target, raw.shape[-1], raw.dtype)


def _margin_terms(raw: Tensor, target: Tensor, power: int) -> Tensor:
    yes, no = (1 - raw).clamp(min=0), (1 + raw).clamp(min=0)
    if power == 2:
        yes, no = yes.square(), no.square()
    return target * yes + (1 - target) * no


def _margin_slope(raw: Tensor, target: Tensor, power: int) -> Tensor:
    if power == 2:
        yes, no = 2 * (1 - raw).clamp(min=0), 2 * (1 + raw).clamp(min=0)
    else:
        yes, no = (raw < 1).to(raw), (raw > -1).to(raw)
    return (1 - target) * no - target * yes


def _best_margin(share: Tensor, power: int) -> Tensor:
    mean = 2 * share - 1
    return mean if power == 2 else mean.sign()
