"""Fits of scikit-learn's networks on the engine, whose loop is scikit-learn's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from .._compat import from_numpy
from .._core.data.batches import TrainingSet
from .._core.data.features import Features, Standardiser
from .._core.specification import members_at_once, structure
from .._core.training.stack_run import StackRun, Watch
from .._core.training.state import Progress
from .._core.training.streams import Streams
from .._lockstep import Asked, meeting
from .._threads import available_threads, limit_threads, torch_ready
from ._terms import is_adam, packed, specification, unpacked


class Rows:
    """Rows of a table by their numbers: what scikit-learn splits and shuffles in its place."""

    def __init__(self, table: Any, index: np.ndarray) -> None:
        self.table, self.index = table, index

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.index), self.table.shape[1]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: Any) -> Rows:
        return Rows(self.table, self.index[key[0] if isinstance(key, tuple) else key])

    @cached_property
    def gathered(self) -> Any:
        """The rows themselves, kept: those that judge are asked for after each epoch."""
        return self.table[self.index]


class Fit:
    """A fit on the engine: its specification, where it stands, and what it learns from.

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
        With first weights.
    X, y, sample_weight : the arguments of its ``fit``, checked
    n_rows : int
        Those that train.
    batch_size : int
    optimizer : object or None
        scikit-learn's of the call before, which is gone on with.
    """

    def __init__(
        self,
        network: Any,
        X: Any,
        y: np.ndarray,
        sample_weight: Any,
        n_rows: int,
        batch_size: int,
        optimizer: Any = None,
    ) -> None:
        self.network, self.X, self.n_rows = network, X, n_rows
        self.arrays = network.coefs_, network.intercepts_
        dtype = network.coefs_[0].dtype
        self.spec = spec = specification(network, X, n_rows, batch_size, optimizer)
        self.progress = Progress.begin([spec], [Streams(0, 0, 0, 0, 0)])
        self.progress.theta[0].copy_(packed([*network.coefs_, *network.intercepts_]))
        target = from_numpy(np.ascontiguousarray(y).astype(dtype, copy=False))
        self.y = spec.objective.prepare(target, spec.task.n_outputs, spec.torch_dtype)
        self.weight = None
        if sample_weight is not None:
            self.weight = from_numpy(sample_weight.astype(dtype, copy=False))
        self.stack: Stack | None = None
        if optimizer is not None:
            self._recall(optimizer)

    @cached_property
    def alone(self) -> Stack:
        """The fit as a stack of one."""
        return Stack([self])

    def lay_weights(self) -> None:
        """Let the network's weights stand where the engine changes them."""
        network, row = self.network, self.progress.theta[0].numpy()
        views = unpacked(row, [*network.coefs_, *network.intercepts_])
        n = len(network.coefs_)
        self.laid = views[:n], views[n:]
        network.coefs_, network.intercepts_ = self.laid

    def end(self) -> None:
        """Give the weights back to the arrays that the fit began with, which scikit-learn changes.

        And let go of tables: a stack may have other fits to do.
        """
        network, (coefs, intercepts) = self.network, self.laid
        for own, array in zip(
            [*self.arrays[0], *self.arrays[1]], [*coefs, *intercepts], strict=True
        ):
            own[...] = array
        if network.coefs_ is coefs:
            network.coefs_, network.intercepts_ = self.arrays
        if self.stack is not None:
            self._remember(self.stack.state_of(self), network._optimizer)
        self.stack = None
        del self.X, self.y, self.weight
        vars(self).pop("alone", None)

    def epoch(self, rows: np.ndarray) -> float:
        """Train on rows in their order; the mean loss as scikit-learn counts it."""
        met = meeting()
        asked = Asked(self, rows)
        if met is not None:
            return met.epoch(asked)
        with torch_ready():
            self.stack = self.alone
            self.stack.epoch([asked])
        assert asked.loss is not None
        return asked.loss

    def as_theirs(self, penalised: float, bare: float) -> np.float64:
        """scikit-learn takes the mean of squared errors over outputs, whose sum it minimises."""
        if self.network.out_activation_ != "identity":
            return np.float64(penalised)
        return np.float64(bare / self.spec.task.n_outputs + (penalised - bare))

    # What stays with scikit-learn's optimizer, for the next call

    def _remember(self, state: dict[str, torch.Tensor], optimizer: Any) -> None:
        like = [*self.arrays[0], *self.arrays[1]]
        if is_adam(optimizer):
            optimizer.t = int(state["step"])
            optimizer.ms = unpacked(state["mean"][0].numpy().copy(), like)
            optimizer.vs = unpacked(state["square"][0].numpy().copy(), like)
        else:
            optimizer.velocities = unpacked(state["velocity"][0].numpy().copy(), like)

    def _recall(self, optimizer: Any) -> None:
        state = self.progress.optimizer
        if is_adam(optimizer):
            state["step"].fill_(optimizer.t)
            state["mean"][0].copy_(packed(optimizer.ms))
            state["square"][0].copy_(packed(optimizer.vs))
        else:
            state["velocity"][0].copy_(packed(optimizer.velocities))


class Stack:
    """Fits that train at once, on tables of their own or on the same one."""

    def __init__(self, fits: Sequence[Fit]) -> None:
        self.fits = list(fits)
        spec, specs = fits[0].spec, [fit.spec for fit in fits]
        # a single one's numbers stay where they are, under the network's weights
        progress = Progress.joined([fit.progress for fit in fits])
        tables = {id(fit.X): fit.X for fit in fits}
        ends = np.cumsum([0, *(table.shape[0] for table in tables.values())])
        first_row = dict(zip(tables, ends.tolist(), strict=False))
        self.offsets = torch.tensor([[first_row[id(fit.X)]] for fit in fits])
        ends = np.cumsum([0, *(len(fit.y) for fit in fits)])
        weight = [fit.weight for fit in fits if fit.weight is not None]
        data = TrainingSet(
            Features(_joined(list(tables.values())), Standardiser(None, spec.torch_dtype, "cpu")),
            torch.cat([fit.y for fit in fits]),
            torch.cat(weight) if weight else None,
            torch.zeros(len(fits), fits[0].n_rows, dtype=torch.int32),
            offsets=torch.from_numpy(ends[:-1]).unsqueeze(1) - self.offsets,
        )
        watch = Watch([None] * len(fits), patient=False, fresh=True)
        self.run = StackRun(specs, progress, data, None, list(range(len(fits))), watch)

    def epoch(self, asked: Sequence[Asked]) -> None:
        """Train an epoch of those fits that are still there, in the order of the stack."""
        here = {id(each.fit): each for each in asked}
        members = [member for member in self.run.members if id(self.fits[member]) in here]
        self.run = self.run.only(members)
        there = [here[id(self.fits[member])] for member in members]
        rows = torch.stack([from_numpy(each.rows) for each in there]) + self.offsets[members]
        began = perf_counter()
        with limit_threads(self.run.spec.n_threads), torch.no_grad():
            records = self.run.epoch(0.0, rows)
        for each, record, theta in zip(there, records, self.run.progress.theta, strict=True):
            each.seconds = (perf_counter() - began) / len(there)
            each.loss = each.fit.as_theirs(record["loss"], record["train_loss"])
            if len(self.fits) > 1:
                each.fit.progress.theta[0].copy_(theta)

    def state_of(self, fit: Fit) -> dict[str, torch.Tensor]:
        """Where a fit's optimizer stands."""
        member = self.fits.index(fit)
        return self.run.progress.select([self.run.members.index(member)]).optimizer


# Bytes of tables of several fits that are worth a copy of all below each other.
TOGETHER = 2**26


def train_together(asked: Sequence[Asked]) -> None:
    """Train the epochs that fits wait for: those that are alike as stacks."""
    groups: dict[Any, list[Asked]] = {}
    for each in asked:
        groups.setdefault(id(each.fit.stack) if each.fit.stack else _kind(each.fit), []).append(
            each
        )
    parts = [part for group in groups.values() for part in _parts(group)]
    n_threads = min(available_threads(), len(parts))
    if n_threads == 1:
        for part in parts:
            _train(part)
        return
    # stacks side by side, with one thread each: threads within one would wait for each other
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(_train, parts))


def _train(some: Sequence[Asked]) -> None:
    """Train an epoch of fits that are one stack, or will be."""
    with torch_ready():
        try:
            stack = some[0].fit.stack or Stack([each.fit for each in some])
            for each in some:
                each.fit.stack = stack
            stack.epoch(some)
        except Exception as error:
            for each in some:
                each.error = error


def _kind(fit: Fit) -> str:
    """What fits have in common that may train as one stack."""
    spec = replace(fit.spec, n_threads=1)
    return repr((structure(spec), fit.n_rows, fit.weight is None, fit.progress.counts))


def _parts(group: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """Those of a stack as they are; those of none in parts that fit a cache, and the memory."""
    if group[0].fit.stack is not None:
        yield group
        return
    at_once = members_at_once(group[0].fit.spec)
    part: list[Asked] = []
    tables: dict[int, int] = {}
    for each in sorted(group, key=lambda each: id(each.fit.X)):
        X = each.fit.X
        size = X.data.nbytes if sp.issparse(X) else X.nbytes
        full = sum(tables.values()) + (0 if id(X) in tables else size) > TOGETHER
        if part and (len(part) == at_once or full):
            yield part
            part, tables = [], {}
        part.append(each)
        tables[id(X)] = size
    yield part


def _joined(tables: list[Any]) -> Any:
    """Tables below each other."""
    if len(tables) == 1:
        return tables[0]
    return sp.vstack(tables, format="csr") if sp.issparse(tables[0]) else np.concatenate(tables)
