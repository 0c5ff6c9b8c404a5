"""The rows of an epoch in batches, for one network or for a stack.

``m`` members, ``n`` rows a member, ``b`` rows a batch, ``p`` columns. One network has no
leading axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ...components.curricula import Curriculum
from .features import RESIDENT_BYTES, Features

# Batches whose views are made together: more would hold memory for nothing.
CUT_AT_ONCE = 256
# Rows whose order is drawn together: more would need memory beside the order itself.
ORDERED_AT_ONCE = 2**18


class Batch(NamedTuple):
    """What one step learns from.

    Attributes
    ----------
    x : Tensor of shape (b, p) or (m, b, p)
    y : Tensor of shape (b, ...) or (m, b, ...)
    share : float or Tensor of shape (b, 1) or (m, b, 1)
        What each row counts: its weight over the batch's sum of weights.
    total : float or Tensor of shape (m, 1)
        The batch's sum of weights.
    rows : slice
        Where the batch stands in the epoch.
    """

    x: Tensor
    y: Tensor
    share: float | Tensor
    total: float | Tensor
    rows: slice


class EpochData(NamedTuple):
    """Targets and weights in the order of an epoch, and its batches."""

    y: Tensor
    weight: Tensor | None
    batches: Iterator[Batch]


@dataclass
class TrainingSet:
    """What a stack is trained on.

    Parameters
    ----------
    features : Features
        One table for all members.
    y : Tensor of shape (n_table, ...)
        Encoded targets of the table's rows.
    weight : Tensor of shape (n_table,) or None
        Positive where a row is used.
    rows : Tensor of int32, shape (m, n)
        The rows of the table that each member learns from.
    difficulty : Tensor of shape (n_table,) or None
        How hard each row is among those of the table, from 0 to 1.
    offsets : Tensor of int64, shape (m, 1), or None
        Where members have targets or weights of their own, which stand below each other in `y`
        and `weight`: where each member's begin.
    """

    features: Features
    y: Tensor
    weight: Tensor | None
    rows: Tensor
    difficulty: Tensor | None = None
    offsets: Tensor | None = None

    @property
    def n_rows(self) -> int:
        """Rows a member."""
        return int(self.rows.shape[1])

    def select(self, members: Sequence[int]) -> TrainingSet:
        """The same for some of the members."""
        keep = list(members)
        return replace(
            self,
            features=self.features.select(keep),
            rows=self.rows[keep],
            offsets=None if self.offsets is None else self.offsets[keep],
        )


def batch_bounds(n_rows: int, batch_size: int, merge_single: bool) -> list[slice]:
    """Slices that cut `n_rows` into batches; the last one may be shorter.

    With `merge_single` a last batch of one row, which has no variance, joins the one before.
    """
    starts = list(range(0, n_rows, batch_size))
    if merge_single and len(starts) > 1 and n_rows - starts[-1] == 1:
        starts.pop()
    stops = [*starts[1:], n_rows]
    return [slice(a, b) for a, b in zip(starts, stops, strict=True)]


class Batcher:
    """Deals out epochs.

    Parameters
    ----------
    data : TrainingSet
    batch_size : int
    shuffle : bool
        Whether each epoch has an order of its own; a single batch is never reordered.
    merge_single : bool
        See :func:`batch_bounds`.
    curriculum : Curriculum or None
        Which rows an epoch draws, by their difficulty.
    """

    def __init__(
        self,
        data: TrainingSet,
        batch_size: int,
        shuffle: bool,
        merge_single: bool,
        curriculum: Curriculum | None = None,
    ) -> None:
        self.data = data
        self.curriculum = curriculum
        self.bounds = batch_bounds(data.n_rows, batch_size, merge_single)
        self.shuffle = shuffle and len(self.bounds) > 1
        self._fixed: tuple[Tensor, Tensor | None, Tensor] | None = None
        self._memory: tuple[Tensor, Tensor | None, Tensor] | None = None

    def epoch(
        self,
        generators: Sequence[torch.Generator],
        t: float = 0.0,
        horizons: Sequence[float] | None = None,
    ) -> EpochData:
        """One pass over every member's rows.

        Parameters
        ----------
        generators : sequence of torch.Generator
            Of the order, one a member.
        t : float
            Epochs done, which a curriculum asks for.
        horizons : sequence of float or None
            Epochs to do in all, one a member; None for no end.
        """
        if self.shuffle or self._fixed is None or self.curriculum is not None:
            ordered = self._order(generators, t, horizons or [math.inf] * len(generators))
            if not self.shuffle:
                self._fixed = ordered
        else:
            ordered = self._fixed
        y, weight, index = ordered
        return EpochData(y, weight, self._batches(y, weight, index))

    def dealt(self, rows: Tensor) -> EpochData:
        """The pass over rows of the table in an order that was drawn elsewhere.

        Parameters
        ----------
        rows : Tensor of int64, shape (m, n)
        """
        offsets = self.data.offsets
        there = (rows if offsets is None else rows + offsets).to(self.data.y.device)
        y = self.data.y[there]
        weight = None if self.data.weight is None else self.data.weight[there]
        if len(rows) == 1:
            y, rows, weight = y[0], rows[0], None if weight is None else weight[0]
        return EpochData(y, weight, self._batches(y, weight, rows))

    def _order(
        self, generators: Sequence[torch.Generator], t: float, horizons: Sequence[float]
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Targets (.., n, ..), weights (.., n) and row numbers (.., n) in a new order."""
        rows = self.data.rows
        m, n = rows.shape
        at_once = max(1, ORDERED_AT_ONCE // n)
        if m == 1 or m <= at_once:
            y, weight, index = ordered = self._ordered(slice(0, m), generators, t, horizons)
            return ordered if m > 1 else (y[0], None if weight is None else weight[0], index[0])
        if self._memory is None:  # taken once: the epoch before is over when the next is dealt
            y, weight = self.data.y, self.data.weight
            self._memory = (
                y.new_empty(m, n, *y.shape[1:]),
                None if weight is None else weight.new_empty(m, n),
                torch.empty_like(rows),
            )
        for start in range(0, m, at_once):
            part = slice(start, start + at_once)
            ordered = self._ordered(part, generators[part], t, horizons[part])
            for out, piece in zip(self._memory, ordered, strict=True):
                if out is not None and piece is not None:
                    out[part] = piece
        return self._memory

    def _ordered(
        self,
        members: slice,
        generators: Sequence[torch.Generator],
        t: float,
        horizons: Sequence[float],
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """The same of some of the members."""
        rows = self.data.rows[members]
        if self.curriculum is not None:
            rows = self._drawn(rows, generators, t, horizons)
        elif self.shuffle:
            orders = [torch.randperm(rows.shape[1], generator=g) for g in generators]
            rows = rows.gather(1, torch.stack(orders))
        there = rows if self.data.offsets is None else rows + self.data.offsets[members]
        there = there.to(self.data.y.device)
        weight = None if self.data.weight is None else self.data.weight[there]
        return self.data.y[there], weight, rows

    def _drawn(
        self,
        rows: Tensor,
        generators: Sequence[torch.Generator],
        t: float,
        horizons: Sequence[float],
    ) -> Tensor:
        """As many rows as there are, drawn as the curriculum wants, or each row once."""
        assert self.curriculum is not None
        assert self.data.difficulty is not None
        drawn = []
        for own, g, horizon in zip(rows, generators, horizons, strict=True):
            weights = self.curriculum.weights(self.data.difficulty[own], t, horizon)
            if weights is not None:
                drawn.append(own[torch.multinomial(weights, len(own), True, generator=g)])
            elif self.shuffle:
                drawn.append(own[torch.randperm(len(own), generator=g)])
            else:
                drawn.append(own)
        return torch.stack(drawn)

    def _batches(self, y: Tensor, weight: Tensor | None, index: Tensor) -> Iterator[Batch]:
        features = self.data.features
        width = features.width * features.encoding.dtype.itemsize
        ahead = None
        if features.resident is not None and index.numel() * width <= RESIDENT_BYTES:
            ahead = features.rows(index)
        axis = index.dim() - 1
        for i in range(0, len(self.bounds), CUT_AT_ONCE):
            bounds = self.bounds[i : i + CUT_AT_ONCE]
            pieces = cut(index if ahead is None else ahead, bounds, axis)
            for rows, piece, target in zip(bounds, pieces, cut(y, bounds, axis), strict=True):
                length = rows.stop - rows.start
                x = features.rows(piece) if ahead is None else piece
                share: float | Tensor = 1.0 / length
                total: float | Tensor = float(length)
                if weight is not None:
                    w = weight.narrow(axis, rows.start, length)
                    total = w.sum(-1, keepdim=True)
                    share = (w / total).unsqueeze(-1)
                    if axis == 0:
                        total = total.unsqueeze(0)
                yield Batch(x, target, share, total, rows)


def counted_by_rows(epoch: EpochData, bounds: Sequence[slice]) -> EpochData:
    """The epoch with weights that sum to the rows of each batch, as scikit-learn counts losses."""
    if epoch.weight is None:
        return epoch
    weight = epoch.weight.clone()
    for rows in bounds:
        part = weight[..., rows]
        part.mul_((rows.stop - rows.start) / part.sum(-1, keepdim=True))
    return epoch._replace(weight=weight)


def cut(tensor: Tensor, bounds: Sequence[slice], axis: int) -> Sequence[Tensor]:
    """Views of adjoining rows, made in one call, which costs less than one call a view."""
    start, stop = bounds[0].start, bounds[-1].stop
    if stop - start < tensor.shape[axis]:
        tensor = tensor.narrow(axis, start, stop - start)
    return tensor.split_with_sizes([rows.stop - rows.start for rows in bounds], axis)
