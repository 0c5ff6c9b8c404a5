r"""Cross-entropies that weigh easy and hard rows otherwise: focal loss and poly-1 loss.

Both are smallest, over all rows that look alike, not where the logistic or softmax of the raw
outputs is the true probability but at a known distortion of it. Their inverse links undo it, so
that probabilities are calibrated; the order of classes is that of the raw outputs.
"""

from __future__ import annotations

import numbers
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval
from ._base import LOSSES, Loss
from ._classification import (
    ClassLoss,
    LabelLoss,
    UnboundLoss,
    logistic,
    n_classes_of,
    over_classes,
    shares_of,
)
from ._constants import class_shares, flat_point, minimum, possible, weighted_mean

# Log-odds beyond which a float64 probability is 0 or 1.
CERTAIN = 800.0


class _FocalShape:
    """What losses of the focal shape have in common."""

    out_activation = "focal"
    _parameter_constraints = {"gamma": [Interval(numbers.Real, 0, None, closed="left")]}

    def __init__(self, gamma: float = 2.0) -> None:
        self.gamma = gamma

    def _log_phi(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        return self.gamma * log_q + _surplus(log_q, log_p, self.gamma)


class _Poly1Shape:
    """What losses of the poly-1 shape have in common."""

    out_activation = "poly1"
    _parameter_constraints = {"epsilon": [Interval(numbers.Real, -1, None, closed="neither")]}

    def __init__(self, epsilon: float = 1.0) -> None:
        self.epsilon = epsilon

    def _log_phi(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        return torch.log1p(self.epsilon * log_p.exp())


@LOSSES.register("focal")
class Focal(_FocalShape, UnboundLoss):
    r"""Focal loss: cross-entropy in which rows that are already right count little.

    :math:`-(1 - p_y)^\gamma \log p_y`, where :math:`p_y` is the logistic or softmax of the raw
    outputs at the true class; summed over labels. With :math:`\gamma = 0` it is the
    cross-entropy. The balancing factor :math:`\alpha` of the paper is ``class_weight``. A
    smoothed label has the expected loss.

    Predicted probabilities are not :math:`p`, as in torchvision and Keras, which is too close
    to the middle, but the probabilities whose expected loss :math:`p` makes smallest,
    proportional to :math:`p_j / \varphi(p_j)` with
    :math:`\varphi(p) = (1-p)^\gamma - \gamma (1-p)^{\gamma-1} p \log p`.

    The best constant is found by bisection, or for several classes by BFGS.

    Parameters
    ----------
    gamma : float, default=2.0
        How little right rows count.

    References
    ----------
    T.-Y. Lin et al., "Focal loss for dense object detection", ICCV (2017);
    N. Charoenphakdee et al., "On focal loss for class-posterior probability estimation: a
    theoretical perspective", CVPR (2021).
    """

    def bind(self, kind: str) -> Loss:
        return (CategoricalFocal if kind == "multiclass" else BernoulliFocal)(self.gamma)


@LOSSES.register("poly1")
class Poly1(_Poly1Shape, UnboundLoss):
    r"""Poly-1 loss: cross-entropy and a linear term, :math:`-\log p_y + \epsilon (1 - p_y)`.

    :math:`p_y` is the logistic or softmax of the raw outputs at the true class; labels are
    summed. The first term of the cross-entropy's series in :math:`1 - p_y` counts
    :math:`1 + \epsilon` times. A smoothed label has the expected loss.

    Predicted probabilities are not :math:`p` but the probabilities whose expected loss
    :math:`p` makes smallest, proportional to :math:`p_j / (1 + \epsilon p_j)`.

    The best constant is found by bisection, or for several classes by BFGS.

    Parameters
    ----------
    epsilon : float, default=1.0
        Weight of the linear term, above -1.

    References
    ----------
    Z. Leng et al., "PolyLoss: a polynomial expansion perspective of classification loss
    functions", ICLR (2022).
    """

    def bind(self, kind: str) -> Loss:
        return (CategoricalPoly1 if kind == "multiclass" else BernoulliPoly1)(self.epsilon)


class _ShapedLabels(LabelLoss):
    """A loss of yes-or-no targets that is symmetric in the two and linear in the target."""

    has_symmetric_link = True

    @abstractmethod
    def _log_phi(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """As that of :class:`_ShapedClasses`, of either of the two."""

    def _log_odds(self, raw: Tensor) -> Tensor:
        """Log-odds of the calibrated probability."""
        yes, no = functional.logsigmoid(raw), functional.logsigmoid(-raw)
        return raw - self._log_phi(yes, no) + self._log_phi(no, yes)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return logistic(self._log_odds(raw))

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        return functional.logsigmoid(self._log_odds(raw))

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        shares = possible(weighted_mean(target, weight), len(target))
        bound = torch.full_like(shares, CERTAIN)
        wanted = torch.logit(shares)
        return flat_point(lambda z: self._log_odds(z) - wanted, -bound, bound)


class _ShapedClasses(ClassLoss):
    """A loss of exclusive classes that is linear in the target's distribution."""

    @abstractmethod
    def _by_class(self, log_p: Tensor) -> Tensor:
        """Loss of each class as if it were the true one, ``(.., b, k)``."""

    @abstractmethod
    def _log_phi(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Logarithm of minus the derivative of :meth:`_by_class` by `log_p`; q is 1 - p."""

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        by_class = self._by_class(over_classes(torch.log_softmax, raw))
        if target.is_floating_point():
            return (by_class * target).sum(-1)
        return by_class.gather(-1, target.unsqueeze(-1)).squeeze(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        log_p = over_classes(torch.log_softmax, raw)
        slope = self._log_phi(log_p, _log_rest(log_p)).exp()
        pull = shares_of(target, raw.shape[-1], raw.dtype) * slope
        return log_p.exp() * pull.sum(-1, keepdim=True) - pull

    def inverse_link(self, raw: Tensor) -> Tensor:
        return over_classes(torch.softmax, self._calibrated(raw))

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        return over_classes(torch.log_softmax, self._calibrated(raw))

    def _calibrated(self, raw: Tensor) -> Tensor:
        """Logits of the calibrated probabilities."""
        log_p, log_q = _both_logs(raw)
        return log_p - self._log_phi(log_p, log_q)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        shares = class_shares(target, weight, n_classes_of(target, n_outputs))
        shares = possible(shares, len(target))
        shares = shares / shares.sum()
        # a row of its own for each loss but one: all rows together are their mean target
        found = minimum(lambda z: self.values(z, shares), shares.log())
        return torch.log_softmax(found, -1)


class BernoulliFocal(_FocalShape, _ShapedLabels):
    """Focal loss of yes-or-no targets with one raw output each.

    Parameters
    ----------
    gamma : float, default=2.0
        How little right rows count.
    """

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        # 1 - p = exp(-softplus(z)), p = exp(-softplus(-z))
        of_no, of_yes = functional.softplus(raw), functional.softplus(-raw)
        yes = torch.exp(-self.gamma * of_no) * of_yes
        no = torch.exp(-self.gamma * of_yes) * of_no
        return target * yes + (1 - target) * no

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        p, q = torch.sigmoid(raw), torch.sigmoid(-raw)
        of_no, of_yes = functional.softplus(raw), functional.softplus(-raw)
        yes = torch.exp(-self.gamma * of_no) * (self.gamma * p * of_yes + q)
        no = torch.exp(-self.gamma * of_yes) * (self.gamma * q * of_no + p)
        return (1 - target) * no - target * yes


class CategoricalFocal(_FocalShape, _ShapedClasses):
    """Focal loss of exclusive classes.

    Parameters
    ----------
    gamma : float, default=2.0
        How little right rows count.
    """

    def _by_class(self, log_p: Tensor) -> Tensor:
        return -torch.exp(self.gamma * _log_rest(log_p)) * log_p


class BernoulliPoly1(_Poly1Shape, _ShapedLabels):
    """Poly-1 loss of yes-or-no targets with one raw output each.

    Parameters
    ----------
    epsilon : float, default=1.0
        Weight of the linear term.
    """

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        entropy = functional.binary_cross_entropy_with_logits(raw, target, reduction="none")
        wrong = target * torch.sigmoid(-raw) + (1 - target) * torch.sigmoid(raw)
        return entropy + self.epsilon * wrong

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        p, q = torch.sigmoid(raw), torch.sigmoid(-raw)
        return p - target + self.epsilon * p * q * (1 - 2 * target)


class CategoricalPoly1(_Poly1Shape, _ShapedClasses):
    """Poly-1 loss of exclusive classes.

    Parameters
    ----------
    epsilon : float, default=1.0
        Weight of the linear term.
    """

    def _by_class(self, log_p: Tensor) -> Tensor:
        return -log_p - self.epsilon * torch.expm1(log_p)


def _both_logs(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of p = softmax(raw) and of 1 - p, without a loss of digits where p is near 1."""
    log_p = over_classes(torch.log_softmax, raw)
    top = log_p.argmax(-1, keepdim=True)
    # that of the most probable class is the sum of the others
    rest = log_p.scatter(-1, top, -torch.inf).logsumexp(-1, keepdim=True)
    log_p = log_p.scatter(-1, top, torch.log1p(-rest.exp()))
    return log_p, torch.log1p(-log_p.exp()).scatter(-1, top, rest)


def _log_rest(log_p: Tensor) -> Tensor:
    """log(1 - p), finite also where p is 1."""
    return (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny).log()


def _surplus(log_q: Tensor, log_p: Tensor, gamma: float) -> Tensor:
    r""":math:`\log(1 - \gamma p \log p / q)` with q = 1 - p: what phi is beyond q^gamma."""
    tiny = torch.finfo(log_p.dtype).tiny
    # near p = 1 both go to 0 together, and their ratio to 1
    ratio = (-log_p).clamp(min=tiny) / log_q.exp().clamp(min=tiny)
    return torch.log1p(gamma * log_p.exp() * ratio)
