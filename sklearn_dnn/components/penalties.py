r"""Penalties on the weights of each member, :math:`\alpha \|w\|_2^2 / 2 + \lambda \|w\|_1`.

`weights` (m, p) is the slice of the flat buffer that has the weight matrices. Biases, the
vectors of norms and the trainable numbers of activations are not penalised.

A batch's mean loss over n rows is increased by the penalty over n, as in scikit-learn's MLP: so
n times the mean loss and the penalty are added. With the squared error, which has a half, and
no hidden layer, the strengths are those of scikit-learn's linear models as follows.

- ``Ridge(a)``: :math:`\alpha = a`.
- ``Lasso(a)``, whose loss is a mean: :math:`\lambda = n a`.
- ``ElasticNet(a, l1_ratio=r)``: :math:`\lambda = n a r` and :math:`\alpha = n a (1 - r)`.

Against a penalty that is added to the mean loss itself, such as Keras', the strength here is n
times theirs; Keras' l2 has no half, which is another factor 2. A plain mean of squares as loss
has twice the size of ours, for which all strengths are twice as large. The gradient of
:math:`\alpha` is torch's ``weight_decay`` (:math:`\alpha / n`); it is decay of the weights
(:func:`decay_`) for plain gradient descent only.

The derivative of :math:`|w|` makes no weight zero: steps jump over the kink.
:func:`l1_gradient_` and :func:`orthant_` make exact zeros with every optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._compat import InvalidParameterError


def per_layer(strengths: Sequence[float], sizes: Sequence[int]) -> Tensor:
    """A strength for each weight, from one a layer.

    Parameters
    ----------
    strengths : sequence of float
        One for each weight matrix, from the inputs to the outputs; at least 0.
    sizes : sequence of int
        The number of weights of each matrix.

    Returns
    -------
    Tensor of shape (1, p), float64

    Raises
    ------
    ValueError
        If there is not one strength a matrix, or one is negative or not finite.
    """
    values = torch.tensor([float(strength) for strength in strengths], dtype=torch.float64)
    if len(values) != len(sizes):
        raise InvalidParameterError(
            f"A penalty's strengths by layer must be one for each of the {len(sizes)} weight "
            f"matrices, the last being the output layer's. Got {len(values)}: "
            f"{list(strengths)!r}. Give {len(sizes)} of them, or one number for all."
        )
    if not (values.isfinite() & (values >= 0)).all():
        raise InvalidParameterError(
            "A penalty's strengths by layer must be finite numbers of at least 0. Got "
            f"{list(strengths)!r} instead: use 0.0 for a layer without a penalty."
        )
    return values.repeat_interleave(torch.tensor(list(sizes), dtype=torch.int64)).unsqueeze(
        0
    )  # (p,) -> (1, p)


def penalty(weights: Tensor, alpha: float | Tensor, l1: float | Tensor) -> Tensor:
    r"""The penalty of each member, :math:`\frac12 \sum \alpha w^2 + \sum \lambda |w|`.

    Parameters
    ----------
    weights : Tensor of shape (m, p)
        The weights, a row a member.
    alpha, l1 : float or Tensor of shape (m, 1), (m, p) or (1, p)
        The strengths :math:`\alpha` and :math:`\lambda`, which weights and members may differ
        in; a number 0 skips its term.

    Returns
    -------
    Tensor of shape (m,)
        The penalties.
    """
    total: float | Tensor = 0.0
    if _by_weight(alpha):
        total = 0.5 * (_cast(alpha, weights) * weights.square()).sum(1, keepdim=True)
    elif isinstance(alpha, Tensor) or alpha != 0:
        norms = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        total = norms.square() * (0.5 * _cast(alpha, weights))
    if _by_weight(l1):
        total = total + (_cast(l1, weights) * weights.abs()).sum(1, keepdim=True)
    elif isinstance(l1, Tensor) or l1 != 0:
        norms = torch.linalg.vector_norm(weights, ord=1, dim=1, keepdim=True)
        total = total + _cast(l1, weights) * norms
    if not isinstance(total, Tensor):
        return weights.new_zeros(len(weights))
    return total.squeeze(1)  # (m, 1) -> (m,)


def add_penalty_gradient_(
    grad: Tensor,
    weights: Tensor,
    alpha: float | Tensor,
    l1: float | Tensor,
    scale: float | Tensor,
) -> None:
    r"""Add the penalty's gradient in place, :math:`g + c (\alpha w + \lambda\, sign(w))`.

    At :math:`w = 0` the absolute value has the derivative 0 here.

    Parameters
    ----------
    grad, weights : Tensor of shape (m, p)
        The gradient that is added to, and the weights.
    alpha, l1 : float or Tensor of shape (m, 1), (m, p) or (1, p)
        The strengths; a number 0 skips its term.
    scale : float or Tensor of shape (m, 1)
        :math:`c`, e.g. one over the number of rows.
    """
    if isinstance(alpha, Tensor) or alpha != 0:
        _add_scaled_(grad, weights, scale * alpha)
    if isinstance(l1, Tensor) or l1 != 0:
        _add_scaled_(grad, weights.sign(), scale * l1)


def l1_gradient_(grad: Tensor, weights: Tensor, strength: float | Tensor) -> None:
    r"""Add in place the slope of :math:`\lambda |w|` along the way that goes down.

    Where :math:`w \neq 0` that is :math:`\lambda\, sign(w)`. At :math:`w = 0` the sum has a
    slope to either side: if both go up, :math:`|g| \leq \lambda`, it is 0, and the weight may
    stay; else :math:`g - \lambda\, sign(g)`. The result, the pseudo-gradient, is 0 exactly
    where :math:`w` is optimal.

    Parameters
    ----------
    grad : Tensor of shape (m, p)
        The gradient of all else in the objective, an l2 penalty included.
    weights : Tensor of shape (m, p)
        Where it was taken.
    strength : float or Tensor of shape (m, 1), (m, p) or (1, p)
        :math:`\lambda` in the objective whose gradient this is: for a mean loss, l1 over the
        number of rows.

    See Also
    --------
    orthant_ : What goes with it after the optimizer's step.

    References
    ----------
    G. Andrew and J. Gao, "Scalable training of L1-regularized log-linear models", ICML 2007.
    """
    strength = _cast(strength, grad)
    # two numbers, or two tensors
    at_zero = -grad.clamp(-strength, strength)  # type: ignore[arg-type]
    grad.add_(torch.where(weights == 0, at_zero, strength * weights.sign()))


def orthant_(
    weights: Tensor,
    before: Tensor,
    pseudo_gradient: Tensor,
    strength: float | Tensor = 1.0,
) -> None:
    r"""Set to exactly 0, in place, every weight that a step took out of its orthant.

    In one step a weight may move on its side of zero only: that of its sign before the step, or
    for a weight that was 0 the side that the pseudo-gradient points down to. There the penalty
    is linear, and its gradient was right. This is so for whatever rule made the step, so that
    momentum, Adam and others too get exact zeros.

    Parameters
    ----------
    weights : Tensor of shape (m, p)
        The weights after the optimizer's step.
    before : Tensor of shape (m, p)
        A copy of them from before.
    pseudo_gradient : Tensor of shape (m, p)
        What :func:`l1_gradient_` made. Optimizers may overwrite a gradient, clipping keeps
        signs: give a copy from before the step.
    strength : float or Tensor of shape (m, 1), (m, p) or (1, p), default=1.0
        :math:`\lambda`: weights that are not penalised may change their sign.

    References
    ----------
    G. Andrew and J. Gao, "Scalable training of L1-regularized log-linear models", ICML 2007.
    """
    side = torch.where(before == 0, -pseudo_gradient, before).sign()
    left = weights * side <= 0  # not so for NaN, of a fit that diverged
    if isinstance(strength, Tensor):
        left &= strength > 0
    weights.masked_fill_(left, 0.0)


def activity_penalty(
    outputs: Sequence[Tensor],
    strength: float | Tensor,
    share: float | Tensor | None = None,
) -> Tensor:
    r"""Penalty on what units put out: :math:`\lambda` times the mean over rows of :math:`\sum|a|`.

    The sum is over the units of all layers given. It makes representations sparse, where a
    penalty on weights makes connections sparse. Keras' ``activity_regularizer`` is a mean over
    rows too.

    Parameters
    ----------
    outputs : sequence of Tensor of shape (b, k) or (m, b, k)
        Outputs of the hidden layers, one tensor a layer, for autograd to follow.
    strength : float or Tensor of shape (m, 1)
        :math:`\lambda`.
    share : float or Tensor of shape (b, 1) or (m, b, 1), default=None
        What each row counts, its weight over the batch's sum of weights; None is one over the
        number of rows.

    Returns
    -------
    Tensor of shape () or (m,)
    """
    assert outputs, "a network without hidden layers has no activities to penalise"
    if share is None:
        share = 1.0 / outputs[0].shape[-2]
    first, *others = [(a.abs() * share).sum((-2, -1)) for a in outputs]
    total = sum(others, first)
    if isinstance(strength, Tensor):
        strength = strength.squeeze(-1).to(outputs[0].dtype)  # (m, 1) -> (m,)
    return total * strength


def decay_(weights: Tensor, factor: float | Tensor) -> None:
    r"""Shrink the weights in place, :math:`w (1 - f)`.

    Parameters
    ----------
    weights : Tensor of shape (m, p)
        The weights, a row a member.
    factor : float or Tensor of shape (m, 1), (m, p) or (1, p)
        :math:`f`; for decoupled decay the rate now times the decay.
    """
    weights.mul_(_cast(1 - factor, weights))


def _by_weight(strength: float | Tensor) -> bool:
    """Whether a strength differs by weight."""
    return isinstance(strength, Tensor) and strength.shape[1] > 1


def _cast(value: float | Tensor, like: Tensor) -> float | Tensor:
    """A column in the type of `like`; a number as it is."""
    return value.to(like.dtype) if isinstance(value, Tensor) else value


def _add_scaled_(grad: Tensor, term: Tensor, coefficient: float | Tensor) -> None:
    """grad += coefficient * term, in one call."""
    if isinstance(coefficient, Tensor):
        grad.addcmul_(term, coefficient.to(grad.dtype))
    else:
        grad.add_(term, alpha=coefficient)
