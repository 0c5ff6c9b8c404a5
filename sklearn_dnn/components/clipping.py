"""Clipping: bounds on the gradient of each member, (m, p), before the optimizer's step."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_by_value_(grad: Tensor, limit: float | Tensor) -> None:
    r"""Cut every element to :math:`[-c, c]`, in place; this may turn the gradient.

    Parameters
    ----------
    grad : Tensor of shape (m, p)
        The gradient, a row a member.
    limit : float or Tensor of shape (m, 1)
        :math:`c > 0`.
    """
    if isinstance(limit, Tensor):
        limit = limit.to(grad.dtype)
    grad.clamp_(-limit, limit)


def clip_by_norm_(grad: Tensor, limit: float | Tensor) -> Tensor:
    r"""Shorten each row to length :math:`c`, in place: :math:`g \min(1, c / \|g\|_2)`.

    The norm is one over all parameters of a member, and the direction is kept. A row within
    the bound is not changed by a bit. Nothing waits for the device.

    Parameters
    ----------
    grad : Tensor of shape (m, p)
        The gradient, a row a member.
    limit : float or Tensor of shape (m, 1)
        :math:`c > 0`.

    Returns
    -------
    Tensor of shape (m, 1)
        The norms before the clip.

    Notes
    -----
    ``torch.nn.utils.clip_grad_norm_`` adds 1e-6 to the norm; we do not.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013.
    """
    norms = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
    if isinstance(limit, Tensor):
        limit = limit.to(grad.dtype)
    grad.mul_((limit / norms).clamp_(max=1.0))  # c / 0 is infinite, so a zero row stays zero
    return norms
