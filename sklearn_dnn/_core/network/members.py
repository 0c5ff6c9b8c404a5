"""Members that share one network: an ensemble for little more than the price of one.

The formulas, and what of BatchEnsemble and TabM this is, stand in ``docs/members.rst``. To the
hidden layers the members are rows: ``b`` rows of a batch become ``k * b``, those of a member
together; a stack of ``m`` such networks has that axis in front of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ...components.losses import Loss
from .views import Layer


def repeated(rows: Tensor, k: int, axis: int) -> Tensor:
    """The rows along an axis `k` times: ``(.., b, ..) -> (.., k * b, ..)``."""
    each = rows.unsqueeze(axis)
    shape = list(each.shape)
    shape[axis] = k
    return each.expand(shape).flatten(axis, axis + 1)


def entering(x: Tensor, members: Mapping[str, Tensor]) -> Tensor:
    """What each member sees of the inputs: ``(.., b, p) -> (.., k * b, p)``."""
    # (.., 1, b, p) * (.., k, 1, p)
    return (x.unsqueeze(-3) * members["inputs"].unsqueeze(-2)).flatten(-3, -2)


def split(rows: Tensor, k: int) -> Tensor:
    """Rows by member: ``(.., k * b, h) -> (.., k, b, h)``."""
    return rows.unflatten(-2, (k, rows.shape[-2] // k))


def heads(top: Tensor, layer: Layer, members: Mapping[str, Tensor]) -> Tensor:
    """Raw outputs of each member: ``(.., k * b, h) -> (.., k, b, o)``."""
    factors = members["units"]
    # (.., k, h, 1) * (.., 1, h, o): the products of a head are fewer than those of its rows
    weight = factors.unsqueeze(-1) * layer.weight.unsqueeze(-3)
    raw = torch.matmul(split(top, factors.shape[-2]), weight)
    raw = raw + members["bias"].unsqueeze(-2)
    return raw if layer.bias is None else raw + layer.bias


def mean_values(loss: Loss, raw: Tensor, target: Tensor, k: int) -> Tensor:
    """Loss of each row, the mean of its members': raw outputs ``(.., k, b, o) -> (.., b)``.

    With ``k = 1`` raw outputs are ``(.., b, o)``: those of one network.
    """
    if k == 1:
        return loss.values(raw, target)
    n_rows = raw.shape[-2]
    values = loss.values(raw.flatten(-3, -2), repeated(target, k, raw.dim() - 3))
    return values.unflatten(-1, (k, n_rows)).mean(-2)


def joined(raw: Tensor, link: Callable[[Tensor], Tensor]) -> Tensor:
    """What calibrated members predict together: ``(m, b, k) -> (b, r)``.

    The mean of their probabilities is less sure than each of them, that of their raw outputs is
    surer than it; halfway is nearest to how often they are right.
    """
    return 0.5 * (link(raw).mean(0) + link(raw.mean(0)))


def log_mean(logs: Tensor) -> Tensor:
    """Logarithm of the mean of what the logarithms are of: ``(m, b, r) -> (b, r)``."""
    return logs.logsumexp(0) - math.log(len(logs))


def log_joined(raw: Tensor, log_link: Callable[[Tensor], Tensor]) -> Tensor:
    """Logarithm of :func:`joined`, from the logarithm of its link."""
    return log_mean(torch.stack([log_mean(log_link(raw)), log_link(raw.mean(0))]))
