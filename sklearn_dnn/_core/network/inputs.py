"""Raw columns as the network reads them, as ordinary torch modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data.columns import Columns
from ..data.encoder import PlanTensors, encode


class Standardised(nn.Module):
    """Numbers without gaps, of mean 0 and standard deviation 1, or as they are.

    Parameters
    ----------
    columns : Columns
        A plain plan.
    dtype : torch.dtype
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, columns: Columns, dtype: torch.dtype) -> None:
        super().__init__()
        scaling, n = columns.plain_scaling, columns.width
        mean = torch.zeros(n, dtype=dtype) if scaling is None else torch.tensor(scaling.mean)
        scale = torch.ones(n, dtype=dtype) if scaling is None else torch.tensor(scaling.scale)
        self.register_buffer("mean", mean.to(dtype))
        self.register_buffer("scale", scale.to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(self.mean.dtype) - self.mean) / self.scale


class Encoded(nn.Module):
    """Numbers with gaps (NaN), scaled by any plan without categories.

    Parameters
    ----------
    columns : Columns
    dtype : torch.dtype
    """

    fill: Tensor

    def __init__(self, columns: Columns, dtype: torch.dtype) -> None:
        super().__init__()
        parts = PlanTensors.of(columns, dtype, "cpu")
        self.clips = parts.clips
        self.names = [name for name in PlanTensors.__dataclass_fields__ if name != "clips"]
        for name in self.names:
            self.register_buffer(name, getattr(parts, name))

    def forward(self, x: Tensor) -> Tensor:
        parts = {name: getattr(self, name) for name in self.names}
        return encode(x.to(self.fill.dtype), PlanTensors(clips=self.clips, **parts))


def inputs_module(columns: Columns, dtype: torch.dtype) -> nn.Module:
    """What takes raw columns (n, p) to the network's inputs."""
    return Standardised(columns, dtype) if columns.is_plain else Encoded(columns, dtype)
