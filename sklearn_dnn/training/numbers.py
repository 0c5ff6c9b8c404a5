"""Numbers of a stack's members: one for all, or a column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def column(
    values: Sequence[float], like: Tensor, dtype: torch.dtype | None = None
) -> float | Tensor:
    """One number a member: a float where all agree, else a tensor of shape (m, 1)."""
    if all(value == values[0] for value in values):
        return float(values[0])
    return torch.tensor(values, dtype=dtype or like.dtype, device=like.device).unsqueeze(1)


def per_row(value: float | Tensor) -> float | Tensor:
    """A member's number ready to meet tensors of shape (m, b, k)."""
    return value.unsqueeze(-1) if isinstance(value, Tensor) else value


def is_on(value: float | Tensor) -> bool:
    """Whether a number, or any member's, is other than 0."""
    return isinstance(value, Tensor) or value != 0
