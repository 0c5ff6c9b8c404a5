"""The forward pass over many rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .._compat import from_numpy
from .._threads import limit_threads
from ..data.features import Features, Standardiser, Table
from ..network.architecture import Architecture
from ..network.mlp import Evaluator, Noise
from ..network.parameters import Layer, Network

# Bytes of one layer's output that stay in a core's cache, and that keep a GPU busy.
PIECE_BYTES = {"cpu": 2**20, "cuda": 2**28}


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
    X: Table,
    standardiser: Standardiser,
    network: Network,
    architecture: Architecture,
    finish: Callable[[Evaluator, Tensor], Tensor],
    n_threads: int,
    noise: Noise | None = None,
) -> np.ndarray:
    """What one network makes of every row of a table, in order.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p)
    standardiser : Standardiser
    network : Network
    architecture : Architecture
    finish : callable
        From the network and standardised inputs (b, p) to results (b, r).
    n_threads : int
        Pieces worked on at the same time, each by a single thread: kernels that share one
        piece wait for each other at its end, longest on a busy machine.
    noise : Noise or None
        For random passes; with one thread, so that they can be repeated.

    Returns
    -------
    ndarray of shape (n, r), in the type of the standardiser
    """
    piece = piece_rows(network.layers)
    starts = range(0, X.shape[0], piece)
    evaluator = Evaluator(network, architecture, noise)
    first = finish(evaluator, standardiser(_tensor(X[:piece]))).cpu()
    if len(starts) == 1:
        return first.numpy()
    results = torch.empty(X.shape[0], first.shape[1], dtype=first.dtype)
    results[:piece].copy_(first)
    left = iter(starts[1:])
    turn = Lock()

    def work() -> None:
        evaluator = Evaluator(network, architecture, noise)
        scratch = torch.empty(0)
        while True:
            with turn:
                start = next(left, None)
            if start is None:
                return
            x = _tensor(X[start : start + piece])
            if len(scratch) < len(x):
                scratch = torch.empty_like(x)
            result = finish(evaluator, standardiser(x, out=scratch[: len(x)]))
            results[start : start + piece].copy_(result)

    if n_threads == 1:
        work()
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            for future in [pool.submit(_alone, work) for _ in range(n_threads)]:
                future.result()
    return results.numpy()


def _alone(work: Callable[[], None]) -> None:
    """Run in a pool's thread, with kernels that take no further thread."""
    with limit_threads(1), torch.no_grad():
        work()


def _tensor(rows: Table) -> Tensor:
    """Rows as a dense tensor."""
    return from_numpy(rows.toarray() if sp.issparse(rows) else np.ascontiguousarray(rows))
