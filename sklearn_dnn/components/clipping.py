"""Clipping: bounds on the gradient of each member, (m, p), before the optimizer's step.

Where both are asked for, elements are cut first and the length is bounded after, so that both
bounds hold. Only one norm over all parameters keeps the direction of the whole gradient; one
norm a tensor keeps that of each tensor; cutting elements keeps none.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from .._compat import Interval, StrOptions
from .base import Component


class ClipNorm(Component):
    """A bound on the length of the gradient, of the whole or of each tensor.

    Parameters
    ----------
    max_norm : float, default=1.0
        The largest l2 norm; a longer gradient is scaled down.
    scope : {"global", "tensor"}, default="global"
        What it is the norm of: the whole gradient of a network, whose direction is kept (Keras'
        ``global_clipnorm``), or each weight matrix and vector by itself (Keras' ``clipnorm``).

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013.
    """

    _parameter_constraints = {
        "max_norm": [Interval(numbers.Real, 0, None, closed="neither")],
        "scope": [StrOptions({"global", "tensor"})],
    }

    def __init__(
        self, max_norm: float = 1.0, scope: Literal["global", "tensor"] = "global"
    ) -> None:
        self.max_norm = max_norm
        self.scope = scope


def clip_by_value_(grad: Tensor, limit: float | Tensor) -> Tensor:
    r"""Cut every element to :math:`[-c, c]`, in place; this may turn the gradient.

    Parameters
    ----------
    grad : Tensor of shape (m, p)
        The gradient, a row a member.
    limit : float or Tensor of shape (m, 1)
        :math:`c > 0`.

    Returns
    -------
    Tensor of shape (m, 1)
        The largest absolute values before the clip.
    """
    if isinstance(limit, Tensor):
        limit = limit.to(grad.dtype)
    largest = torch.linalg.vector_norm(grad, torch.inf, dim=1, keepdim=True)
    grad.clamp_(-limit, limit)  # type: ignore[arg-type]  # two numbers, or two tensors
    return largest


def clip_by_norm_(grad: Tensor, limit: float | Tensor) -> Tensor:
    r"""Shorten each row to length :math:`c`, in place: :math:`g \min(1, c / \|g\|_2)`.

    The norm is one over all parameters of a member, and the direction is kept; this is Keras'
    ``global_clipnorm``. A row within the bound is not changed by a bit. Nothing waits for the
    device.

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


def clip_each_by_norm_(
    grads: Sequence[Tensor], limit: float | Tensor, *, stacked: bool | None = None
) -> Tensor:
    r"""Shorten each tensor to length :math:`c`, in place, by a norm of its own.

    Every weight matrix, bias and vector of a norm has its own norm: Keras' ``clipnorm``. The
    direction of each tensor is kept, that of the whole gradient is not.

    Parameters
    ----------
    grads : sequence of Tensor
        The gradients of the tensors of one network; or of a stack, with a leading axis of length
        m: there each member has norms of its own.
    limit : float or Tensor of shape (m, 1)
        :math:`c > 0`.
    stacked : bool or None, default=None
        Whether there is that axis; None where three dimensions say so.

    Returns
    -------
    Tensor of shape (m, n_tensors)
        The norms before the clip; m is 1 for one network.
    """
    if stacked is None:
        stacked = grads[0].dim() == 3
    norms = []
    for grad in grads:
        rows = grad if stacked else grad.unsqueeze(0)
        # vector_norm of several dimensions is their common length, not a matrix norm
        norms.append(torch.linalg.vector_norm(rows, dim=tuple(range(1, rows.dim()))))
    before = torch.stack(norms, dim=1)
    if isinstance(limit, Tensor):
        limit = limit.to(before.dtype)
    factors = (limit / before).clamp_(max=1.0)
    for i, grad in enumerate(grads):
        factor = factors[:, i]
        grad.mul_(factor.view(-1, *[1] * (grad.dim() - 1)) if stacked else factor.squeeze(0))
    return before
