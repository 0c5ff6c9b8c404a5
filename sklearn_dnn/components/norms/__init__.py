"""Norms: layers that keep the scale of what passes through them.

Some treat each unit alone, over a batch or by its weights, the others the units of one row.
There is no instance normalization: it measures one channel of one example over its places, and a
column of a table has a single place, whose norm would be 0.
"""

from ._base import NORMS, Norm
from ._columns import BatchNorm, WeightNorm
from ._rows import GroupNorm, LayerNorm, RMSNorm

__all__ = [
    "NORMS",
    "BatchNorm",
    "GroupNorm",
    "LayerNorm",
    "Norm",
    "RMSNorm",
    "WeightNorm",
]
