"""The loop. It knows no estimator and no task: a stack, its data, and who watches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from .._threads import limit_threads
from ..components.norms import BatchNorm
from ..data.batches import Batcher, Epoch, TrainingSet
from ..network.architecture import Architecture
from ..network.mlp import Evaluator
from ..network.parameters import Layout
from ..network.weights import Weights
from ..specification import FitSpec, structure
from .evaluate import LossMeter, ValidationSet
from .numbers import column
from .state import DRIVEN, Progress
from .step import Step

MAX_ITER, PATIENCE, TOL, TIME = "max_iter", "patience", "tol", "time"
CALLBACK, INTERRUPTED, DIVERGED = "callback", "interrupted", "diverged"
# beside them the ends of the early stopping component: "baseline" and "target"


class Observer(Protocol):
    """Who watches a stack being trained; members are known by their number in it."""

    def epoch_begins(self, epoch: int, weights: Callable[[int], Weights]) -> None:
        """Called before each epoch (from 0)."""

    def epoch_ends(
        self, epoch: int, records: dict[int, dict[str, Any]], weights: Callable[[int], Weights]
    ) -> set[int]:
        """Called after each epoch with a record a member; the members that should stop."""


@dataclass
class Outcome:
    """How the training of one member ended.

    Attributes
    ----------
    weights : Weights
        What predicts: the best where there was a validation part, else the last.
    history : dict of list
        One value an epoch for each name.
    end_reason : str
    n_iter, best_iter : int
        Epochs done, and the epoch (from 1) with the best monitored value.
    improving : bool
        Whether the last epoch still improved the monitored value.
    progress : Progress
        Of this member alone.
    """

    weights: Weights
    history: dict[str, list[Any]]
    end_reason: str
    n_iter: int
    best_iter: int
    improving: bool
    progress: Progress


Judge = Callable[[Weights], float]


def train(
    specs: Sequence[FitSpec],
    progress: Progress,
    data: TrainingSet,
    validation: ValidationSet | None = None,
    *,
    observers: Sequence[Observer] = (),
    judge: Judge | None = None,
    n_epochs: int | None = None,
    patient: bool = True,
) -> list[Outcome]:
    """Train a stack of members, each until it has ended.

    Parameters
    ----------
    specs : sequence of FitSpec
        One a member; they differ in what :func:`~sklearn_dnn.specification.structure` leaves
        out only.
    progress : Progress
        Where to go on from.
    data : TrainingSet
    validation : ValidationSet or None
    observers : sequence of Observer
    judge : callable or None
        A score (higher is better) of a member's weights that is monitored instead of the
        validation loss.
    n_epochs : int or None
        Epochs at most; None for each specification's ``max_iter``.
    patient : bool
        Whether members end when they no longer improve.

    Returns
    -------
    list of Outcome
        One a member, in order.
    """
    assert all(structure(s) == structure(specs[0]) for s in specs[1:]), "members differ in kind"
    watch = _Watch(observers, judge, patient, n_epochs)
    members = range(len(specs))
    outcomes: dict[int, Outcome] = {}
    with limit_threads(specs[0].n_threads), torch.no_grad():
        stackable = specs[0].optimizer.stackable and specs[0].module is None
        if stackable or len(specs) == 1:
            run = _Run(specs, progress, data, validation, list(members), watch)
            outcomes |= run.until_all_ended()
        else:
            for i in members:
                alone = progress.select([i])
                alone.optimizer = _fresh_optimizer(specs[i], alone.theta)
                held = None if validation is None else validation.select([i])
                run = _Run([specs[i]], alone, data.select([i]), held, [i], watch)
                outcomes |= run.until_all_ended()
    return [outcomes[member] for member in members]


def _fresh_optimizer(spec: FitSpec, theta: Tensor) -> dict[str, Tensor]:
    return spec.optimizer.start(theta, Layout(Architecture.of(spec)).shapes)


class _Watch(NamedTuple):
    observers: Sequence[Observer]
    judge: Judge | None
    patient: bool
    n_epochs: int | None


class _Run:
    """The members of a stack that are still training."""

    def __init__(
        self,
        specs: Sequence[FitSpec],
        progress: Progress,
        data: TrainingSet,
        validation: ValidationSet | None,
        members: list[int],
        watch: _Watch,
    ) -> None:
        self.specs, self.progress, self.members = list(specs), progress, members
        self.data, self.validation, self.watch = data, validation, watch
        self.spec = spec = specs[0]
        self.step = Step(specs, progress)
        self.layout = self.step.layout
        judged = self.layout.network(progress.judged, progress.statistics)
        self.network = Evaluator(judged, self.step.architecture)
        measures = isinstance(spec.norm, BatchNorm) or isinstance(spec.input_norm, BatchNorm)
        self.batcher = Batcher(
            data, spec.batch_size, spec.shuffle, merge_single=measures, curriculum=spec.curriculum
        )
        self.driven = [n for n in DRIVEN if getattr(spec, f"{n}_schedule") is not None]
        self.per_step = any(schedule.per_step for s in specs for schedule in s.schedules)
        if spec.optimizer.full_batch:
            progress.optimizer["loss"].fill_(math.nan)  # the data may have changed

    def only(self, members: list[int]) -> _Run:
        """The run of some of the members."""
        if members == self.members:
            return self
        keep = [self.members.index(member) for member in members]
        return _Run(
            [self.specs[i] for i in keep],
            self.progress.select(keep),
            self.data.select(keep),
            None if self.validation is None else self.validation.select(keep),
            members,
            self.watch,
        )

    def until_all_ended(self) -> dict[int, Outcome]:
        """Train; members that end leave, and the others go on as a smaller stack."""
        started = perf_counter()
        outcomes: dict[int, Outcome] = {}
        run = self
        try:
            for done in count(1):
                run._tell_begin()
                records = run._epoch(started)
                ended = run._ends(records, started)
                for member in run._tell_end(records):
                    ended.setdefault(member, CALLBACK)
                for member, spec in zip(run.members, run.specs, strict=True):
                    if done == (self.watch.n_epochs or spec.max_iter):
                        ended.setdefault(member, MAX_ITER)
                if ended:
                    outcomes |= {m: run._outcome(m, reason) for m, reason in ended.items()}
                    left = [member for member in run.members if member not in ended]
                    if not left:
                        return outcomes
                    run = run.only(left)
        except KeyboardInterrupt:
            left = [member for member in run.members if member not in outcomes]
            return outcomes | {member: run._outcome(member, INTERRUPTED) for member in left}
        raise AssertionError("the loop ends when all members have")

    def _epoch(self, started: float) -> list[dict[str, Any]]:
        """One pass over the rows; a record of it for each member."""
        progress = self.progress
        epoch_started = perf_counter()
        passed = progress.epoch - progress.origin
        horizons = [float(spec.max_iter) for spec in self.specs]
        epoch = self.batcher.epoch(progress.orders, passed, horizons)
        if self.spec.optimizer.full_batch:
            losses, rate, converged = self._iterate(epoch)
        else:
            losses, rate, converged = self._steps(epoch, started)
        judged: list[Any] = [(None, None)] * len(self.specs)
        if self.validation is not None:
            judged = self.validation.judge(self.network, self.spec.objective)
        rates = rate.flatten().tolist() if isinstance(rate, Tensor) else [rate] * len(self.specs)
        seconds = perf_counter() - epoch_started
        clips = self.step.read_norms()
        # the training loss is that of the weights before each step: the last step's may be worse
        finite = torch.isfinite(progress.theta.sum(1)).tolist()
        records = []
        for i, ((loss, bare), (val_loss, val_score)) in enumerate(zip(losses, judged, strict=True)):
            records.append(
                {
                    "loss": loss,
                    "train_loss": bare,
                    "validation_loss": val_loss,
                    "validation_score": val_score,
                    "learning_rate": rates[i],
                    "gradient_norm": clips[i][0],
                    "clipped": clips[i][1],
                    "seconds": seconds,
                }
            )
            if finite[i] and self._judged(self.specs[i]) and self.watch.judge is not None:
                records[i]["validation_score"] = self.watch.judge(self._weights(self.members[i]))
        # an epoch counts when all of it is known
        progress.epoch += 1
        for history, record in zip(progress.histories, records, strict=True):
            for name, value in record.items():
                history[name].append(value)
            record["converged"] = converged
        for record, is_finite in zip(records, finite, strict=True):
            record["finite"] = is_finite and math.isfinite(record["loss"])
        return records

    def _steps(
        self, epoch: Epoch, started: float
    ) -> tuple[list[tuple[float, float]], float | Tensor, bool]:
        """Step over the batches: losses of each member, the last rate, never converged."""
        progress, spec, step = self.progress, self.spec, self.step
        meter = LossMeter(spec.objective, epoch, step.gradients.target)
        # of the weights that the epoch begins with: with a single batch, its objective exactly
        penalties = step.penalties().double()
        n_steps = len(self.batcher.bounds)
        passed = progress.epoch - progress.origin
        rate = self._rate(passed)
        step.drive(self._factors(passed))
        deadline = math.inf if spec.max_time is None else started + spec.max_time
        for i, batch in enumerate(epoch.batches):
            if self.per_step:
                rate = self._rate(passed + i / n_steps)
                step.drive(self._factors(passed + i / n_steps))
            meter.add(batch, step(batch, rate, last=i + 1 == n_steps))
            progress.samples += batch.rows.stop - batch.rows.start
            if perf_counter() > deadline:
                break
        bare, weight = meter.means()
        # penalties are divided by the weights of a step, which may take several batches
        steps = math.ceil(meter.n_batches / spec.accumulation_steps)
        penalised = bare + penalties / (weight * (meter.n_batches / steps))
        return list(zip(penalised.tolist(), bare.tolist(), strict=True)), rate, False

    def _iterate(self, epoch: Epoch) -> tuple[list[tuple[float, float]], float, bool]:
        """One iteration of an optimizer that needs the whole objective."""
        (batch,) = epoch.batches
        state, step = self.progress.optimizer, self.step
        exhausted = self.spec.optimizer.iterate(
            self.progress.theta, lambda _: step.objective(batch), state
        )
        self.progress.samples += batch.rows.stop
        loss = float(state["loss"])
        bare = loss - float(step.penalties().sum() / batch.total)
        flat = float(state["grad"].abs().max()) <= self.spec.tol
        return [(loss, bare)], 1.0, exhausted or flat

    def _rate(self, t: float) -> float | Tensor:
        """Learning rates of all members, `t` epochs after the schedules began."""
        rates = [
            spec.learning_rate_init * spec.schedule.factor(t, float(spec.max_iter), state)
            for spec, state in zip(self.specs, self.progress.schedules, strict=True)
        ]
        return column(rates, self.progress.theta)

    def _factors(self, t: float) -> dict[str, list[float]]:
        """What schedules multiply other numbers by, `t` epochs after they began."""
        return {
            name: [
                getattr(spec, f"{name}_schedule").factor(t, float(spec.max_iter), states[name])
                for spec, states in zip(self.specs, self.progress.driven, strict=True)
            ]
            for name in self.driven
        }

    def _ends(self, records: list[dict[str, Any]], started: float) -> dict[int, str]:
        """Members that end after this epoch, and why; the best weights are noted."""
        progress = self.progress
        ended: dict[int, str] = {}
        improved = []
        for i, (member, spec, record) in enumerate(
            zip(self.members, self.specs, records, strict=True)
        ):
            value = self._monitored(spec, record)
            if not (record["finite"] and math.isfinite(value)):
                ended[member] = DIVERGED
                continue
            patience = progress.patience[i]
            if patience.update(value, progress.epoch):
                improved.append(i)
            spec.schedule.observe(progress.schedules[i], value)
            for name in self.driven:
                getattr(spec, f"{name}_schedule").observe(progress.driven[i][name], value)
            if record["converged"]:
                ended[member] = TOL
            elif self.watch.patient and patience.ended is not None:
                plain = patience.ended == PATIENCE and not self._chooses(spec)
                ended[member] = TOL if plain else patience.ended
            elif spec.max_time is not None and perf_counter() - started > spec.max_time:
                ended[member] = TIME
        if len(improved) == len(self.specs):
            progress.best_theta.copy_(progress.judged)
            progress.best_statistics.copy_(progress.statistics)
        elif improved:
            progress.best_theta[improved] = progress.judged[improved]
            progress.best_statistics[improved] = progress.statistics[improved]
        return ended

    def _judged(self, spec: FitSpec) -> bool:
        return spec.early_stopping and self.validation is not None

    def _chooses(self, spec: FitSpec) -> bool:
        """Whether the best weights are wanted, by what the early stopping watches."""
        return self._judged(spec) or spec.stopping is not None

    def _monitored(self, spec: FitSpec, record: dict[str, Any]) -> float:
        """The value that is to fall."""
        if not self._judged(spec):
            return float(record["loss"])
        if self.watch.judge is None:
            return float(record["validation_loss"])
        sign = -1.0 if spec.stopping is None else spec.stopping.sign(scored=True)
        return sign * float(record["validation_score"])

    def _weights(self, member: int) -> Weights:
        """A member's weights as they are now."""
        i = self.members.index(member)
        return Weights.read(self.layout, self.progress.judged[i], self.progress.statistics[i])

    def _tell_begin(self) -> None:
        for observer in self.watch.observers:
            observer.epoch_begins(self.progress.epoch, self._weights)

    def _tell_end(self, records: list[dict[str, Any]]) -> set[int]:
        by_member = dict(zip(self.members, records, strict=True))
        epoch = self.progress.epoch - 1
        asked = [o.epoch_ends(epoch, by_member, self._weights) for o in self.watch.observers]
        return set().union(*asked) & set(self.members)

    def _outcome(self, member: int, reason: str) -> Outcome:
        i = self.members.index(member)
        progress = self.progress.select([i])
        patience = progress.patience[0]
        if reason == DIVERGED or not torch.isfinite(progress.theta.sum()):
            progress.theta.copy_(progress.best_theta)
            progress.judged.copy_(progress.best_theta)
            progress.statistics.copy_(progress.best_statistics)
            # what led there must not lead there again
            progress.optimizer = _fresh_optimizer(self.spec, progress.theta)
        spec = self.specs[i]
        best = self._chooses(spec) and spec.restores_best and patience.best_iter > 0
        theta = progress.best_theta if best else progress.judged
        statistics = progress.best_statistics if best else progress.statistics
        return Outcome(
            weights=Weights.read(self.layout, theta[0], statistics[0]),
            history=progress.histories[0],
            end_reason=reason,
            n_iter=progress.epoch,
            best_iter=patience.best_iter,
            improving=patience.best_iter == progress.epoch,
            progress=progress,
        )
