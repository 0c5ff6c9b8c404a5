r"""Penalties on the weights of each member, :math:`\alpha \|w\|_2^2 / 2 + \lambda \|w\|_1`.

`weights` (m, p) is the slice of the flat buffer that has the weights; biases are not penalised.
"""

from __future__ import annotations

import torch
from torch import Tensor


def penalty(weights: Tensor, alpha: float | Tensor, l1: float | Tensor) -> Tensor:
    r"""The penalty of each member, :math:`\frac\alpha2 \sum w^2 + \lambda \sum |w|`.

    Parameters
    ----------
    weights : Tensor of shape (m, p)
        The weights, a row a member.
    alpha, l1 : float or Tensor of shape (m, 1)
        The strengths :math:`\alpha` and :math:`\lambda`; a number 0 skips its term.

    Returns
    -------
    Tensor of shape (m,)
        The penalties.
    """
    total = weights.new_zeros((len(weights), 1))
    if isinstance(alpha, Tensor) or alpha != 0:
        norms = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        total = total + 0.5 * _cast(alpha, weights) * norms.square()
    if isinstance(l1, Tensor) or l1 != 0:
        norms = torch.linalg.vector_norm(weights, ord=1, dim=1, keepdim=True)
        total = total + _cast(l1, weights) * norms
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
    alpha, l1 : float or Tensor of shape (m, 1)
        The strengths; a number 0 skips its term.
    scale : float or Tensor of shape (m, 1)
        :math:`c`, e.g. one over the number of rows.
    """
    if isinstance(alpha, Tensor) or alpha != 0:
        _add_scaled_(grad, weights, scale * alpha)
    if isinstance(l1, Tensor) or l1 != 0:
        _add_scaled_(grad, weights.sign(), scale * l1)


def decay_(weights: Tensor, factor: float | Tensor) -> None:
    r"""Shrink the weights in place, :math:`w (1 - f)`.

    Parameters
    ----------
    weights : Tensor of shape (m, p)
        The weights, a row a member.
    factor : float or Tensor of shape (m, 1)
        :math:`f`; for decoupled decay the rate now times the decay.
    """
    weights.mul_(_cast(1 - factor, weights))


def _cast(value: float | Tensor, like: Tensor) -> float | Tensor:
    """A column in the type of `like`, which addcmul_ asks for; a number as it is."""
    return value.to(like.dtype) if isinstance(value, Tensor) else value


def _add_scaled_(grad: Tensor, term: Tensor, coefficient: float | Tensor) -> None:
    """grad += coefficient * term, in one call."""
    if isinstance(coefficient, Tensor):
        grad.addcmul_(term, _cast(coefficient, grad))
    else:
        grad.add_(term, alpha=coefficient)
