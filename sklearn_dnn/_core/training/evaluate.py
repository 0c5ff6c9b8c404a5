"""What an epoch's losses were: on the rows that trained, and on those held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...components.losses import Loss
from ..data.batches import Batch, EpochData, TrainingSet
from ..data.features import Features
from ..network.members import mean_values
from ..network.mlp import Evaluator
from .forward import raw_outputs
from .gradients import Trained
from .temperature import best_on_grid

# Raw outputs that are collected before their losses are computed at one stroke.
COLLECTED = 2**20
# Rows that a loss is found from where it is compared roughly.
SEEN_ROWS = 2**14


class LossMeter:
    """Mean loss of an epoch from the raw outputs that its steps left behind.

    The losses of many batches are computed together: a batch's own would cost as much time as
    a layer of a small network.

    Parameters
    ----------
    loss : Loss
    epoch : EpochData
    prepare : callable
        Turns targets into those that are trained on, where batches come as they are.
    n_shared : int
        Members that share a network, whose losses' mean is the network's.
    """

    def __init__(
        self,
        loss: Loss,
        epoch: EpochData,
        prepare: Callable[[Tensor], Tensor],
        n_shared: int = 1,
    ) -> None:
        self.loss = loss
        self.n_shared = n_shared
        self.epoch = epoch
        self.prepare = prepare
        self.n_batches = 0
        self._raws: list[Tensor] = []
        self._start = self._stop = self._size = 0
        self._sum: float | Tensor = 0.0
        self._weight: float | Tensor = 0.0

    def add(self, batch: Batch, trained: Trained) -> None:
        """Take in what a batch was trained on; batches come in order."""
        raw = trained.raw
        if trained.target is not None:
            self._add_augmented(batch, trained)
            return
        self._raws.append(raw)
        self._stop = batch.rows.stop
        self._size += raw.numel()
        self.n_batches += 1
        if self._size > COLLECTED:
            self._flush()

    def _add_augmented(self, batch: Batch, trained: Trained) -> None:
        """The loss of rows that are not those of the epoch counts by their own shares."""
        assert trained.target is not None
        assert trained.share is not None
        values = mean_values(self.loss, trained.raw, trained.target, self.n_shared).double()
        share, total = trained.share, batch.total
        share = share.squeeze(-1) if isinstance(share, Tensor) else share
        total = total.squeeze(-1) if isinstance(total, Tensor) else total  # (m, 1) -> (m,)
        self._sum = self._sum + (values * share).sum(-1) * total
        self._weight = self._weight + total
        self.n_batches += 1

    def _flush(self) -> None:
        if not self._raws:
            return
        raw = self._raws[0] if len(self._raws) == 1 else torch.cat(self._raws, dim=-2)
        axis, length = raw.dim() - 2 - (self.n_shared > 1), self._stop - self._start
        target = self.prepare(self.epoch.y.narrow(axis, self._start, length))
        values = mean_values(self.loss, raw, target, self.n_shared).double()
        if self.epoch.weight is None:
            self._sum = self._sum + values.sum(-1)
            self._weight += length
        else:
            weight = self.epoch.weight.narrow(axis, self._start, length)
            self._sum = self._sum + (values * weight).sum(-1)
            self._weight = self._weight + weight.double().sum(-1)
        self._raws.clear()
        self._start, self._size = self._stop, 0

    def means(self) -> tuple[Tensor, float | Tensor]:
        """Mean loss of each member, and its mean sum of weights in a batch: shape (m,)."""
        self._flush()
        assert isinstance(self._sum, Tensor)
        return (self._sum / self._weight).reshape(-1), self._weight / self.n_batches


def own_loss(
    data: TrainingSet,
    network: Evaluator,
    loss: Loss,
    prepare: Callable[[Tensor], Tensor],
    n_shared: int = 1,
) -> float:
    """Mean loss without penalties or noise of a single network, on some rows that train."""
    (rows,) = data.rows
    rows = rows[:: -(-len(rows) // SEEN_ROWS)].long()
    raw = raw_outputs(data.features, rows, network)
    there = (rows if data.offsets is None else rows + data.offsets[0]).to(data.y.device)
    values = mean_values(loss, raw, prepare(data.y[there]), n_shared).double()
    if data.weight is None:
        return float(values.mean())
    weight = data.weight[there].double()
    return float((values * weight).sum() / weight.sum())


@dataclass
class ValidationSet:
    """Rows that judge a stack.

    Parameters
    ----------
    features : Features
    y : Tensor of shape (n_table, ...)
    weight : Tensor of shape (n_table,) or None
    rows : Tensor of int64, shape (m, n), or (1, n) where the same judge all members
        The rows of the table that judge each member.
    score : callable
        ``score(prediction, target, weight)`` gives one number a member.
    offsets : Tensor of int64, shape (m, 1), or None
        As in :class:`~sklearn_dnn._core.data.batches.TrainingSet`.
    calibrated : bool
        Whether losses are those at the best of a few temperatures: what is lost by being too
        sure is mended by the one that is fitted at the end.
    """

    features: Features
    y: Tensor
    weight: Tensor | None
    rows: Tensor
    score: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    offsets: Tensor | None = None
    calibrated: bool = False

    def select(self, members: Sequence[int]) -> ValidationSet:
        """The same for some of the members."""
        keep = list(members)
        common = len(self.rows) == 1
        return replace(
            self,
            features=self.features.select(keep),
            rows=self.rows if common else self.rows[keep],
            offsets=None if self.offsets is None else self.offsets[keep],
        )

    def judge(self, network: Evaluator, loss: Loss) -> list[tuple[float, float]]:
        """Mean loss without penalties, and score, of each member.

        Where members share a network the loss is the mean of theirs, and the score is that of
        their mean prediction.
        """
        index = self.rows
        there = index if self.offsets is None else index + self.offsets
        if len(index) == 1:
            index, there = index[0], there[0]
        raw = raw_outputs(self.features, index, network)
        there = there.to(self.y.device)
        target = self.y[there]
        weight = None if self.weight is None else self.weight[there]
        k = network.architecture.n_shared
        if raw.dim() - (k > 1) > there.dim() + 1:  # the same rows for all members
            target = target.expand(len(raw), *target.shape)
            weight = None if weight is None else weight.expand(len(raw), *weight.shape)
        if self.calibrated:
            pooled = raw if k == 1 else raw.mean(-3)
            losses = best_on_grid(loss, pooled, target, weight)
        else:
            values = mean_values(loss, raw, target, k)
            if weight is not None:
                values = values * weight / weight.sum(-1, keepdim=True) * values.shape[-1]
            losses = values.mean(-1)
        predicted = loss.inverse_link(raw)
        scores = self.score(predicted if k == 1 else predicted.mean(-3), target, weight)
        return list(zip(losses.reshape(-1).tolist(), scores.reshape(-1).tolist(), strict=True))
