r"""Members that share one network: an ensemble for little more than the price of one.

``k`` members share every matrix, the hidden layers' biases and all that norms and activations
learn. A member :math:`i` has for its own a factor for each input and for each unit that the
output layer reads, and the output's biases:

.. math::

    h_i = f(x \odot r_i), \qquad z_i = (h_i \odot s_i)\, W + b_i

where :math:`f` are the hidden layers, :math:`W` is the output's matrix, and :math:`\odot` is
element by element. To the hidden layers the members are rows: ``k`` times as many, so that each
shared matrix takes one large product. Below, ``b`` rows of a batch become ``k * b``, those of a
member together; a stack of ``m`` such networks has that axis in front of all.

The inputs' factors start at +1 or -1 by a fair coin, as in TabM. The units' start at plus or minus
the root mean square of the output's matrix as its initializer drew it, and the matrix at what was
drawn over that: each head starts as a matrix of the usual size, with signs of its own.

Of one network with ``p`` columns, ``h`` numbers that the output reads (with the inputs, in a wide
network) and ``o`` raw outputs, ``k`` members add ``k * (p + h + o) - o`` numbers. With hidden
layers (64, 64) 16 members have at most 1.25 times the numbers of one, whatever ``p`` and ``o`` are,
but for wide networks, whose heads read ``p`` numbers more; a network of one hidden layer has little
to share, and grows by about ``k / h + k / p`` of itself.

BatchEnsemble has factors in front of and behind each matrix, and biases of each layer of its own:
2.3 times the numbers of one network, for 16 members of 20-64-64-2. TabM starts all but the first
factors at 1, and gives each member an output matrix of its own. TabM-mini keeps of the factors the
first only, as we do. For one raw output its heads can compute what ours can. For several they take
``o`` times as many numbers (in all 1.4 times those of one network of 20-64-64-2, 2.6 times with ten
outputs), so that ours stay factors of one matrix; members that tell many classes apart differ less
by that.

Penalties, decay, DropConnect (one mask a step) and norms of weights act on the matrices, which
members share; batch statistics are those of all members' rows.

Y. Wen, D. Tran and J. Ba, "BatchEnsemble: an alternative approach to efficient ensemble and
lifelong learning", ICLR 2020.

Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
parameter-efficient ensembling", ICLR 2025.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..components.losses import Loss
from .parameters import Layer


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
