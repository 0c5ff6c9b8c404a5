"""The forward pass over many rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .._compat import from_numpy
from ..data.features import Features, Standardiser, Table
from ..network.mlp import Evaluator
from ..network.parameters import Layer

# Bytes of one layer's output that stay in a core's cache, and that keep a GPU busy.
PIECE_BYTES = {"cpu": 2**20, "cuda": 2**28, "mps": 2**26}


def piece_rows(layers: Sequence[Layer]) -> int:
    """Rows of a piece, so that the widest layer's output stays in the cache."""
    first = layers[0].weight
    widest = max(max(layer.weight.shape[-2:]) for layer in layers)
    members = first.shape[0] if first.dim() == 3 else 1
    return max(64, PIECE_BYTES[first.device.type] // (widest * members * first.element_size()))


def raw_outputs(features: Features, index: Tensor, network: Evaluator) -> Tensor:
    """Raw outputs of rows `index` (.., n), without noise: (n, k), or (m, n, k) for a stack."""
    piece = piece_rows(network.layers)
    parts = [
        network.raw(features.rows(index[..., start : start + piece]))
        for start in range(0, index.shape[-1], piece)
    ]
    return torch.cat(parts, dim=-2)


def table_outputs(
    X: Table, standardiser: Standardiser, network: Evaluator, finish: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """What one network makes of every row of a table, in order.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p)
    standardiser : Standardiser
    network : Evaluator
    finish : callable
        From standardised inputs (b, p) to results (b, r).

    Returns
    -------
    ndarray of shape (n, r), in the type of the standardiser
    """
    piece = piece_rows(network.layers)
    if X.shape[0] <= piece:
        return finish(standardiser(_tensor(X))).cpu().numpy()
    results = scratch = torch.empty(0)
    for start in range(0, X.shape[0], piece):
        x = _tensor(X[start : start + piece])
        if start == 0:
            scratch = torch.empty_like(x)
        result = finish(standardiser(x, out=scratch[: len(x)]))
        if start == 0:
            results = torch.empty(X.shape[0], result.shape[1], dtype=result.dtype)
        results[start : start + piece].copy_(result)
    return results.numpy()


def _tensor(rows: Table) -> Tensor:
    """Rows as a dense tensor."""
    return from_numpy(rows.toarray() if sp.issparse(rows) else np.ascontiguousarray(rows))
