"""Numbers of a stack's members: one for all, or a column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

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


def mean_record(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What members' records of an epoch are on average; None where none knows.

    Numbers that are not finite, of members that diverged, count only where there are no others.
    """
    if len(records) == 1:
        return dict(records[0])
    means = {}
    for name in records[0]:
        known = [record[name] for record in records if record[name] is not None]
        finite = [value for value in known if math.isfinite(value)] or known
        means[name] = sum(finite) / len(finite) if finite else None
    return means
