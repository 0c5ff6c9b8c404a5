"""The forward pass over many rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from ..data.features import Features, Standardiser, Table
from ..network.mlp import Architecture, affine, hidden
from ..network.parameters import Layer

# Bytes of one layer's output that stay in a core's cache.
PIECE_BYTES = 2**20


def piece_rows(layers: Sequence[Layer]) -> int:
    """Rows of a piece, so that the widest layer's output stays in the cache."""
    widest = max(max(layer.weight.shape[-2:]) for layer in layers)
    members = layers[0].weight.shape[0] if layers[0].weight.dim() == 3 else 1
    return max(64, PIECE_BYTES // (widest * members * layers[0].weight.element_size()))


def raw_outputs(
    features: Features, index: Tensor, layers: Sequence[Layer], architecture: Architecture
) -> Tensor:
    """Raw outputs of rows `index` (.., n), without noise: (n, k), or (m, n, k) for a stack."""
    piece = piece_rows(layers)
    parts = []
    for start in range(0, index.shape[-1], piece):
        x = features.rows(index[..., start : start + piece])
        parts.append(affine(hidden(x, layers, architecture), layers[-1]))
    return torch.cat(parts, dim=-2)


def table_outputs(
    X: Table,
    standardiser: Standardiser,
    layers: Sequence[Layer],
    finish: Callable[[Tensor], Tensor],
) -> np.ndarray:
    """What one network makes of every row of a table, in order.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p)
    standardiser : Standardiser
    layers : sequence of Layer
    finish : callable
        From standardised inputs (b, p) to results (b, r).

    Returns
    -------
    ndarray of shape (n, r), in the type of the standardiser
    """
    piece = piece_rows(layers)
    parts = []
    for start in range(0, X.shape[0], piece):
        rows = X[start : start + piece]
        rows = rows.toarray() if sp.issparse(rows) else np.ascontiguousarray(rows)
        # torch wants memory that it could write to
        x = torch.from_numpy(rows if rows.flags.writeable else rows.copy())
        parts.append(finish(standardiser(x)).cpu())
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).numpy()
