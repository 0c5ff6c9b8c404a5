"""One fit: from checked data to what the engine trains on, begun anew or gone on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..._compat import from_numpy
from ...components.curricula import ranks
from ...components.ensembles import Bagging
from ..data.batches import TrainingSet
from ..data.columns import Columns
from ..data.encoder import encoding_for
from ..data.features import Encoding, Features
from ..data.targets import Codec
from ..reading.given import Given
from ..specification import FitSpec, Task
from ..training.evaluate import ValidationSet
from ..training.range_test import RangeTest, range_test
from ..training.state import Progress
from ..training.streams import generator
from .request import Weigher

# What the largest weight of a row may be, and the inverse of what it must be.
LARGEST_WEIGHT = 1e30
# What a plan of columns says of a task.
SIZES = ("n_features", "n_passed", "levels")


@dataclass
class Held:
    """Rows that judge, and whence they came.

    Attributes
    ----------
    given : Given
        Targets and weights of a table.
    rows : ndarray of int, shape (n_val,) or (m, n_val)
        The table's rows that judge: all members, or each one.
    inner : bool
        True if the table is the training table, and the rows were taken out of it.
    origin : tuple of ndarray and int, or None
        Of rows that an earlier call took out: their positions in its table, and its length.
    """

    given: Given
    rows: np.ndarray
    inner: bool
    origin: tuple[np.ndarray, int] | None = None

    @property
    def by_member(self) -> bool:
        """Whether each member is judged by rows of its own."""
        return self.rows.ndim == 2

    def export(self) -> dict[str, Any]:
        """A copy of the judging rows alone, to go on with."""
        given, rows = self.given, self.rows
        positions, n = (rows, given.X.shape[0]) if self.inner else (self.origin or (None, 0))
        return {
            "X": given.X[rows],
            "y": given.y[rows],
            "weight": None if given.weight is None else given.weight[rows],
            "positions": positions,
            "n": n,
        }


@dataclass
class Session:
    """Everything that the engine needs for one estimator's fit of ``m`` members.

    Attributes
    ----------
    spec : FitSpec
        Of every member.
    codec : Codec
    columns : Columns
        What becomes of those of the table.
    progress : list of Progress
        One a member.
    given : Given
        What trains, with class weights multiplied in.
    training : ndarray of int, shape (n,)
        Those of its rows that train.
    rows : ndarray of int, shape (m, n_member)
        Those that each member trains on.
    held : Held or None
        The same for all members.
    draws : list of int
        Seeds that members' rows are drawn from.
    temperature : float
        That raw outputs are divided by, once it is fitted.
    """

    spec: FitSpec
    codec: Codec
    columns: Columns
    progress: list[Progress]
    given: Given
    training: np.ndarray
    rows: np.ndarray
    held: Held | None
    draws: list[int]
    temperature: float = 1.0

    @property
    def specs(self) -> list[FitSpec]:
        """One a member, as the engine takes them."""
        return [self.spec] * len(self.progress)

    def only(self, members: Sequence[int]) -> Session:
        """The session of some of the members."""
        keep = list(members)
        if keep == list(range(len(self.progress))):
            return self
        return replace(
            self,
            progress=[self.progress[i] for i in keep],
            rows=self.rows[keep],
            draws=[self.draws[i] for i in keep],
            held=self._held_of(keep),
        )

    def on(self, device: str) -> Session:
        """The session on another device, before its first step."""
        for progress in self.progress:
            progress.masks = generator(progress.masks.initial_seed(), device)
        return replace(self, spec=replace(self.spec, device=device))

    def _held_of(self, members: Any) -> Held | None:
        """What judges a member, or some."""
        if self.held is None or not self.held.by_member:
            return self.held
        return replace(self.held, rows=self.held.rows[members])

    def alone(self, member: int) -> Session:
        """The session of one member as if it were the fit of a single network."""
        if self.spec.n_networks == 1:
            return self
        single = replace(self.only([member]), spec=replace(self.spec, n_members=1))
        if self.held is None or not self.held.by_member:
            return single
        return replace(single, training=self.rows[member], held=self._held_of(member))

    def part(self, which: str) -> tuple[Any, Any, Any] | None:
        """The rows (X, y, weights) that train, or that judge all members; None where none do.

        Parameters
        ----------
        which : {"training", "validation"}
        """
        given, rows = self.given, self.training
        if which == "validation":
            if self.held is None or self.held.by_member:
                return None
            given, rows = self.held.given, self.held.rows
        return given.raw(rows), given.y[rows], None if given.weight is None else given.weight[rows]

    def training_set(self) -> TrainingSet:
        """The rows that train, as the engine reads them."""
        features, y, weight = self._tensors(self.given)
        spec = self.spec
        y = spec.objective.prepare(y, spec.task.n_outputs, spec.torch_dtype)
        rows = from_numpy(self.rows).int()
        return TrainingSet(features, y, weight, rows, self._difficulty())

    def _difficulty(self) -> torch.Tensor | None:
        """How hard each row that trains is among its like, from 0 to 1."""
        if self.given.difficulty is None:
            return None
        rank = np.zeros(self.given.X.shape[0])
        rank[self.training] = ranks(self.given.difficulty[self.training])
        return torch.from_numpy(rank)

    def range_test(self, min_rate: float, max_rate: float, n_steps: int) -> RangeTest:
        """How the first member's loss goes while the rate rises; the session stays as it is."""
        data = self.training_set().select([0])
        return range_test(
            self.spec,
            self.progress[0],
            data,
            min_rate=min_rate,
            max_rate=max_rate,
            n_steps=n_steps,
        )

    def validation_set(self, training: TrainingSet) -> ValidationSet | None:
        """The rows that judge; an inner part shares the training set's table."""
        if self.held is None:
            return None
        if self.held.inner:
            y = self.codec.encode(self.given.y, self.spec.torch_dtype).to(self.spec.device)
            table = (training.features, y, training.weight)
        else:
            table = self._tensors(self.held.given)
        rows = from_numpy(np.atleast_2d(self.held.rows))
        calibrated = self.spec.calibration is not None
        return ValidationSet(*table, rows, self.codec.score, calibrated=calibrated)

    def _tensors(self, given: Given) -> tuple[Features, torch.Tensor, torch.Tensor | None]:
        spec = self.spec
        y = self.codec.encode(given.y, spec.torch_dtype).to(spec.device)
        weight = None
        if given.weight is not None:
            weight = from_numpy(given.weight).to(device=spec.device, dtype=spec.torch_dtype)
        return self.features(given), y, weight

    def features(self, given: Given) -> Features:
        """Rows of a table as the network reads them."""
        return Features(given.X, self.encoding(gappy=given.gappy))

    def encoding(self, *, gappy: bool) -> Encoding:
        """What turns rows of a table into the network's inputs."""
        spec = self.spec
        return encoding_for(self.columns, spec.torch_dtype, spec.device, gappy=gappy)


def member_rows(training: np.ndarray, draws: Sequence[int], ensemble: str | Bagging) -> np.ndarray:
    """The rows that each member trains on, (m, n_member), in the order of the table.

    Parameters
    ----------
    training : ndarray of int, shape (n,) or (m, n)
        Those there are, for all members or for each one.
    draws : sequence of int
        A seed a member.
    ensemble : str or Bagging
        The estimator's.
    """
    n = training.shape[-1]
    if not isinstance(ensemble, Bagging):
        return np.broadcast_to(training, (len(draws), n)).copy()
    size, repeats = max(1, round(float(ensemble.fraction) * n)), bool(ensemble.bootstrap)
    drawn = [np.random.default_rng(seed).choice(n, size, replace=repeats) for seed in draws]
    drawn_rows = np.sort(np.stack(drawn), axis=1)
    return np.take_along_axis(np.broadcast_to(training, (len(draws), n)), drawn_rows, axis=1)


def task_of(
    given: Given, codec: Codec, columns: Columns, n_training: int, has_validation: bool
) -> Task:
    return Task(
        kind=codec.kind,
        n_features=columns.width,
        n_outputs=codec.n_outputs,
        n_samples=len(given.rows),
        n_training=n_training,
        dtype=given.X.dtype.name,
        has_validation=has_validation,
        has_difficulty=given.difficulty is not None,
        n_passed=columns.n_passed,
        levels=columns.levels,
        float32_targets=codec.suits_float32(given.y[given.rows]),
    )


def weighted(
    weigher: Weigher, given: Given, rows: np.ndarray, held: Held | None
) -> tuple[Given, np.ndarray, Held | None]:
    """Class weights multiplied in; rows that then weigh nothing are left out."""
    name = "sample_weight"
    if given.weight is not None:
        refuse_far_weights(given.weight, name)
        name += " times class_weight"
    weighted = weigher(given, rows)
    given = weighted(given)
    if given.weight is not None:
        refuse_far_weights(given.weight, name if name.count(" ") else "class_weight")
    if held is not None:
        table = given if held.inner else weighted(held.given)
        held = replace(held, given=table, rows=_that_count(table, held.rows))
        if len(held.rows) == 0:
            raise ValueError(
                "All rows of the validation part have weight 0. Change class_weight or the "
                "validation part."
            )
    rows = _that_count(given, rows)
    if len(rows) == 0:
        raise ValueError("All rows to train on have weight 0. Change class_weight.")
    return given, rows, held


def refuse_far_weights(weight: np.ndarray, name: str) -> None:
    """Refuse weights whose sums with losses are no numbers, or too small to divide by."""
    largest = float(weight.max(initial=0.0))
    if largest == 0 or 1 / LARGEST_WEIGHT <= largest <= LARGEST_WEIGHT:
        return
    how, verb = ("up to", "Divide") if largest > 1 else ("of no more than", "Multiply")
    raise ValueError(
        f"{name} has weights {how} {largest:g} (row {int(np.argmax(weight))}), but the largest "
        f"must lie between {1 / LARGEST_WEIGHT:g} and {LARGEST_WEIGHT:g}: sums of others are not "
        f"finite, or lost in rounding. {verb} all by one number; what counts is how large they "
        "are beside each other, and their sum beside alpha."
    )


def _that_count(given: Given, rows: np.ndarray) -> np.ndarray:
    return rows if given.weight is None else rows[given.weight[rows] > 0]


def refuse_targets_outside(
    spec: FitSpec, given: Given, rows: np.ndarray, held: Held | None
) -> None:
    """Refuse targets that no prediction can reach."""
    if spec.output_range is None:
        return
    low, high = spec.output_range
    parts = [("y", given.y[rows])]
    if held is not None:
        parts.append(("y" if held.inner else "y_val", held.given.y[held.rows]))
    link, advice = spec.output_activation, ""
    least, most = (float(of([of(y) for _, y in parts])) for of in (np.min, np.max))
    if np.isfinite(spec.output_range).all() and least < most:
        advice = (
            "Give bounds that hold all targets, as in output_activation="
            f"Bounded({link!r}, {least!r}, {most!r}), or c"
        )
    for name, y in parts:
        if np.min(y) < low or np.max(y) > high:
            raise ValueError(
                f"{name} has values from {np.min(y):g} to {np.max(y):g}, but output_activation="
                f"{link!r} predicts numbers from {low:g} to {high:g}. {advice or 'C'}hoose another "
                "output_activation."
            )


def tests_rates(parameters: Mapping[str, Any]) -> bool:
    """Whether the learning rate is found by a range test."""
    rate = parameters["learning_rate_init"]
    return isinstance(rate, str) and rate == "range_test"
