"""Running averages, step counts and intervals that many rules share."""

from __future__ import annotations

import math
import numbers
from typing import TypeGuard

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import Coefficient, Coefficients, cast

POSITIVE = Interval(numbers.Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(numbers.Real, 0, None, closed="left")
BELOW_ONE = Interval(numbers.Real, 0, 1, closed="left")


def is_plain(c: Coefficients) -> TypeGuard[dict[str, float]]:
    """Whether all members share all coefficients, as the fused kernels require."""
    return not any(isinstance(value, Tensor) for value in c.values())


def new_step(theta: Tensor) -> Tensor:
    """A step counter at 0, of the type and place that the fused kernels want."""
    return torch.zeros((), dtype=torch.float32, device=theta.device)


def advance(state: dict[str, Tensor]) -> Coefficient:
    """Count a step; its number in double precision, without waiting for an accelerator."""
    step = state["step"].add_(1)
    return step.item() if step.is_cpu else step.double()


def average_(mean: Tensor, value: Tensor, memory: Coefficient) -> None:
    """mean <- memory * mean + (1 - memory) * value."""
    mean.lerp_(value, cast(1 - memory, mean))


def average_square_(square: Tensor, grad: Tensor, memory: Coefficient) -> None:
    """square <- memory * square + (1 - memory) * grad^2."""
    if isinstance(memory, Tensor):
        square.lerp_(grad.square(), cast(1 - memory, square))
    else:
        square.mul_(memory).addcmul_(grad, grad, value=1 - memory)


def root(value: Coefficient) -> Coefficient:
    """The square root of a number or a column."""
    return value.sqrt() if isinstance(value, Tensor) else math.sqrt(value)
