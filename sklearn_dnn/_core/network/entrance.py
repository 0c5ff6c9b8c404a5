"""What becomes of a row of inputs before the first layer reads it.

A row has columns of numbers, then columns that pass as they are, then columns of codes, which
are the positions of levels, as floats. The numbers are normed, where the inputs have a norm, and
embedded; each code is replaced by the vector of its level. What the first layer reads stands in
the same order.

``q`` columns, of them ``p`` of numbers and ``c`` of codes; levels of all columns of codes stand
below each other in one table of ``l`` rows.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

from ..._devices import adds_in_order
from ...components.embeddings import CODE_SIZE
from .architecture import CODES, Architecture
from .views import Network


def normed(
    x: Tensor, network: Network, a: Architecture, training: bool, counts: Tensor | None
) -> Tensor:
    """Inputs behind their norm, which leaves all but numbers as they are."""
    assert a.input_norm is not None
    n, vectors = a.n_numbers, (network.entrance, network.entrance_statistics)
    if n == x.shape[-1]:
        return a.input_norm.forward(x, *vectors, training, counts)
    numbers = a.input_norm.forward(x[..., :n], *vectors, training, counts)
    return torch.cat([numbers, x[..., n:]], -1)


def embedded(x: Tensor, network: Network, a: Architecture) -> Tensor:
    """What the first layer reads: ``(.., b, q) -> (.., b, w)``, for autograd to follow."""
    rest, index = cut(x, a)
    vectors = [] if index is None else [looked_up(index, network.embedding[CODES])]
    if a.embedding is None:
        return torch.cat([rest, *vectors], -1)
    columns = rest.mT.contiguous()
    numbers, passed = columns[..., : a.n_numbers, :], columns[..., a.n_numbers :, :]
    embedded = a.embedding.forward(numbers, network.embedding, network.embedding_statistics)
    return torch.cat([embedded, passed, *(v.mT for v in vectors)], -2).mT


def cut(x: Tensor, a: Architecture) -> tuple[Tensor, Tensor | None]:
    """All but codes, and the rows of the table that codes stand for; None without codes."""
    if not a.levels:
        return x, None
    at = x.shape[-1] - len(a.levels)
    return x[..., :at], x[..., at:].long() + _first_rows(a.levels, x.device)


def looked_up(index: Tensor, table: Tensor) -> Tensor:
    """Vectors side by side: rows ``(.., b, c)`` of a table ``(.., l, d)`` as ``(.., b, c * d)``."""
    if not adds_in_order(table):
        found = table[_with_members(index, table)]
    elif table.dim() == 2:
        found = table.index_select(0, index.flatten())
    else:  # to copy whole rows is worth a call for each member
        each = zip(table.unbind(), index.unbind(), strict=True)
        found = torch.stack([own.index_select(0, rows.flatten()) for own, rows in each])
    return found.view(*index.shape[:-1], -1)


def add_looked_up_(table: Tensor, index: Tensor, delta: Tensor) -> None:
    """Add to rows ``(.., b, c)`` of a table what :func:`looked_up` put out, in place."""
    vectors = delta.unflatten(-1, (index.shape[-1], CODE_SIZE))
    if not adds_in_order(table):  # so that sums are not those of index_add_
        table.index_put_(_with_members(index, table), vectors, accumulate=True)
    elif table.dim() == 2:
        table.index_add_(0, index.flatten(), vectors.flatten(0, 1))
    else:
        for own, rows, part in zip(table, index, vectors, strict=True):
            own.index_add_(0, rows.flatten(), part.flatten(0, 1))


def _with_members(index: Tensor, table: Tensor) -> tuple[Tensor, ...]:
    if table.dim() == 2:
        return (index,)
    members = torch.arange(len(table), device=table.device)
    return members.view(-1, 1, 1), index


@lru_cache(maxsize=64)
def _first_rows(levels: tuple[int, ...], device: torch.device) -> Tensor:
    """Where each column's levels begin in the table, (c,); kept, since a GPU waits for a copy."""
    return torch.tensor([0, *accumulate(levels[:-1])], device=device)
