"""The forward pass over many rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from ..._compat import from_numpy
from ..._devices import KINDS
from ..._threads import limit_threads
from ..data.features import Encoding, Features
from ..data.source import Table, is_sparse
from ..network.mlp import Evaluator, InTurn
from ..network.views import Layer

LEAST_ROWS = 64


def piece_rows(layers: Sequence[Layer], n_shared: int = 1) -> int:
    """Rows of a piece, so that the widest layer's output stays in the cache."""
    first = layers[0].weight
    widest = max(max(layer.weight.shape[-2:]) for layer in layers)
    members = (first.shape[0] if first.dim() == 3 else 1) * n_shared
    piece_bytes = KINDS[first.device.type].piece_bytes
    return max(LEAST_ROWS, piece_bytes // (widest * members * first.element_size()))


def raw_outputs(features: Features, index: Tensor, network: Evaluator) -> Tensor:
    """Raw outputs of rows `index` (.., n), without noise: (n, k), or (m, n, k) for a stack.

    A stack whose members have rows in common takes them from one axis, too.
    """
    piece = piece_rows(network.layers, network.architecture.n_shared)
    parts = []
    for start in range(0, index.shape[-1], piece):
        x = features.rows(index[..., start : start + piece])
        parts.append(network.raw(for_all(x, network)))
    return torch.cat(parts, dim=-2)


def for_all(x: Tensor, network: Evaluator | InTurn) -> Tensor:
    """Rows (b, p) as each member of a stack reads them, (m, b, p), without a copy."""
    weight = network.layers[0].weight
    if x.dim() == weight.dim():
        return x
    return x.expand(len(weight), *x.shape)


def table_outputs(
    X: Table,
    encoding: Encoding,
    open_network: Callable[[], Evaluator | InTurn],
    finish: Callable[[Evaluator | InTurn, Tensor], Tensor],
    n_threads: int,
) -> np.ndarray:
    """What a network, or a stack, makes of every row of a table, in order.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p)
    encoding : Encoding
    open_network : callable
        Gives an evaluator, whose memory is of one thread.
    finish : callable
        From the network and standardised inputs (b, p) to results (b, r).
    n_threads : int
        Pieces worked on at the same time, each by a single thread: kernels that share one
        piece wait for each other at its end, longest on a busy machine. Random passes need a
        single one, so that they can be repeated.

    Returns
    -------
    ndarray of shape (n, r), in the type of the encoding
    """
    evaluator = open_network()
    if X.shape[0] <= LEAST_ROWS:  # where asking for more would take longer than a small layer
        return finish(evaluator, encoding(_tensor(X))).cpu().numpy()
    piece = piece_rows(evaluator.layers, evaluator.architecture.n_shared)
    starts = range(0, X.shape[0], piece)
    first = finish(evaluator, encoding(_tensor(X[:piece]))).cpu()
    if len(starts) == 1:
        return first.numpy()
    results = torch.empty(X.shape[0], first.shape[1], dtype=first.dtype)
    results[:piece].copy_(first)
    left = iter(starts[1:])
    turn = Lock()

    def work() -> None:
        evaluator = open_network()
        scratch = torch.empty(0, dtype=first.dtype)
        while True:
            with turn:
                start = next(left, None)
            if start is None:
                return
            x = _tensor(X[start : start + piece])
            if len(scratch) < len(x):
                scratch = torch.empty_like(x)
            evaluator.begin_piece()
            result = finish(evaluator, encoding(x, out=scratch[: len(x)]))
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
    return from_numpy(rows.toarray() if is_sparse(rows) else np.ascontiguousarray(rows))
