"""A stack of members in training: an epoch of it, and what each member has come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..data.batches import Batcher, EpochData, TrainingSet, counted_by_rows
from ..network.mlp import Evaluator
from ..network.weights import Weights
from ..specification import FitSpec
from .divergence import has_diverged
from .ends import DIVERGED, MAX_ITER, PATIENCE, TIME, TOL, Outcome
from .evaluate import LossMeter, ValidationSet, own_loss
from .kept import KeptWeights
from .numbers import column
from .stacks import fresh_optimizer
from .state import Progress
from .step import TrainingStep
from .stopping import Patience

Judge = Callable[[Weights], float]


class Watch(NamedTuple):
    """How a call of the engine judges its members: see :func:`~.engine.train`."""

    judges: Sequence[Judge | None]
    patient: bool
    fresh: bool


class StackRun:
    """The members of one stack that are still training."""

    def __init__(
        self,
        specs: Sequence[FitSpec],
        progress: Progress,
        data: TrainingSet,
        validation: ValidationSet | None,
        members: list[int],
        watch: Watch,
    ) -> None:
        self.specs, self.progress, self.members = list(specs), progress, members
        self.data, self.validation, self.watch = data, validation, watch
        self.spec = spec = specs[0]
        self.step = TrainingStep(specs, progress)
        self.layout = self.step.layout
        judged = self.layout.network(progress.judged, progress.statistics)
        self.network = Evaluator(judged, self.step.architecture)
        self.batcher = Batcher(
            data,
            spec.batch_size,
            spec.shuffle,
            merge_single=spec.may_measure_batches,
            curriculum=spec.curriculum,
        )
        self.driven = list(dict.fromkeys(name for s in specs for name in s.driven))
        self.per_step = any(schedule.per_step for s in specs for schedule in s.schedules.values())
        if spec.optimizer.full_batch:
            progress.optimizer["loss"].fill_(math.nan)  # the data may have changed
        self.kept = KeptWeights(progress)

    def only(self, members: list[int]) -> StackRun:
        """The run of some of the members."""
        if members == self.members:
            return self
        keep = [self.members.index(member) for member in members]
        run = StackRun(
            [self.specs[i] for i in keep],
            self.progress.select(keep),
            self.data.select(keep),
            None if self.validation is None else self.validation.select(keep),
            members,
            self.watch,
        )
        run.kept = self.kept.select(keep)
        return run

    def epoch(self, started: float, rows: Tensor | None = None) -> list[dict[str, Any]]:
        """One pass over the rows; a record of it for each member.

        Parameters
        ----------
        started : float
            When training did, which ``max_time`` is counted from.
        rows : Tensor of int64, shape (m, n), or None
            Those of the table, in an order that was drawn elsewhere.
        """
        progress = self.progress
        epoch_started = perf_counter()
        if rows is None:
            horizons = [float(spec.max_iter) for spec in self.specs]
            epoch = self.batcher.epoch(progress.orders, progress.passed("curriculum"), horizons)
        else:
            epoch = self.batcher.dealt(rows)
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
            judge = self.watch.judges[self.members[i]]
            if finite[i] and self._judged(self.specs[i]) and judge is not None:
                records[i]["validation_score"] = judge(self.weights(self.members[i]))
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
        self, epoch: EpochData, started: float
    ) -> tuple[list[tuple[float, float]], float | Tensor, bool]:
        """Step over the batches: losses of each member, the last rate, never converged."""
        progress, spec, step = self.progress, self.spec, self.step
        meter = LossMeter(
            spec.objective,
            counted_by_rows(epoch, self.batcher.bounds) if spec.loss_of_batches else epoch,
            step.gradients.target,
            spec.n_shared,
        )
        # of the weights that the epoch begins with: with a single batch, its objective exactly
        penalties, seen = step.penalties().double(), 0
        if spec.loss_of_batches:
            penalties.zero_()
        n_steps = len(self.batcher.bounds)
        rate = self._rate()
        step.drive(self._factors())
        deadline = math.inf if spec.max_time is None else started + spec.max_time
        for i, batch in enumerate(epoch.batches):
            if self.per_step:
                rate = self._rate(i / n_steps)
                step.drive(self._factors(i / n_steps))
            n_rows = batch.rows.stop - batch.rows.start
            if spec.loss_of_batches:
                total = batch.total.flatten() if isinstance(batch.total, Tensor) else batch.total
                penalties += step.penalties() * (n_rows / total)
            meter.add(batch, step(batch, rate, last=i + 1 == n_steps))
            progress.samples += n_rows
            seen += n_rows
            if perf_counter() > deadline:
                break
        bare, weight = meter.means()
        if spec.loss_of_batches:
            penalised = bare + penalties / seen
            return list(zip(penalised.tolist(), bare.tolist(), strict=True)), rate, False
        # penalties are divided by the weights of a step, which may take several batches
        steps = math.ceil(meter.n_batches / spec.accumulation_steps)
        penalised = bare + penalties / (weight * (meter.n_batches / steps))
        return list(zip(penalised.tolist(), bare.tolist(), strict=True)), rate, False

    def _iterate(self, epoch: EpochData) -> tuple[list[tuple[float, float]], float | Tensor, bool]:
        """One iteration of an optimizer that needs the whole objective."""
        (batch,) = epoch.batches
        state, step = self.progress.optimizer, self.step
        exhausted = self.spec.optimizer.iterate(
            self.progress.theta, lambda _: step.objective(batch), state
        )
        self.progress.samples += batch.rows.stop
        # an auxiliary output is trained, and told of nowhere
        loss = float(state["loss"]) - step.auxiliary_loss(batch)
        bare = loss - float(step.penalties().sum() / batch.total)
        flat = float(state["grad"].abs().max()) <= self.spec.tol
        return [(loss, bare)], 1.0, exhausted or flat

    def _rate(self, part: float = 0.0) -> float | Tensor:
        """Learning rates of all members where that part of the epoch is over."""
        t = self.progress.passed("learning_rate") + part
        rates = [
            spec.learning_rate_init * spec.schedule.factor(t, float(spec.max_iter), state)
            for spec, state in zip(self.specs, self.progress.schedules, strict=True)
        ]
        return column(rates, self.progress.theta)

    def _factors(self, part: float = 0.0) -> dict[str, list[float]]:
        """What schedules multiply other numbers by where that part of the epoch is over."""
        times = {name: self.progress.passed(name) + part for name in self.driven}
        return {
            name: [
                spec.driven[name].factor(t, float(spec.max_iter), states[name])
                if name in spec.driven
                else 1.0
                for spec, states in zip(self.specs, self.progress.driven, strict=True)
            ]
            for name, t in times.items()
        }

    def ends(self, records: list[dict[str, Any]], started: float) -> dict[int, str]:
        """Members that end after this epoch, and why; the best weights are noted."""
        progress = self.progress
        ended: dict[int, str] = {}
        improved: dict[int, int] = {}
        for i, (member, spec, record) in enumerate(
            zip(self.members, self.specs, records, strict=True)
        ):
            value = self._monitored(member, spec, record)
            if not (record["finite"] and math.isfinite(value)):
                ended[member] = DIVERGED
                continue
            patience = progress.patience[i]
            best_iter = patience.best_iter
            if patience.update(value, progress.epoch):
                improved[i] = best_iter
            spec.schedule.observe(progress.schedules[i], value)
            for name, schedule in spec.driven.items():
                schedule.observe(progress.driven[i][name], value)
            if record["converged"]:
                ended[member] = TOL
            elif self.watch.patient and (reason := self._why_over(spec, patience)) is not None:
                ended[member] = reason
            elif spec.max_time is not None and perf_counter() - started > spec.max_time:
                ended[member] = TIME
        self.kept.note(progress, improved)
        return ended

    def _why_over(self, spec: FitSpec, patience: Patience) -> str | None:
        """Why a member ends by what it has come to; None where it goes on."""
        if patience.ended != PATIENCE:
            return patience.ended
        if spec.whole_cycles and spec.in_cycle(self.progress.passed):
            return None
        return PATIENCE if self._chooses(spec) else TOL

    def _judged(self, spec: FitSpec) -> bool:
        return spec.early_stopping and self.validation is not None

    def _chooses(self, spec: FitSpec) -> bool:
        """Whether the best weights are wanted, by what the early stopping watches."""
        return self._judged(spec) or spec.stopping is not None

    def _monitored(self, member: int, spec: FitSpec, record: dict[str, Any]) -> float:
        """The value that is to fall."""
        if not self._judged(spec):
            return float(record["loss"])
        if self.watch.judges[member] is None:
            return float(record["validation_loss"])
        sign = -1.0 if spec.stopping is None else spec.stopping.sign(scored=True)
        return sign * float(record["validation_score"])

    def weights(self, member: int) -> Weights:
        """A member's weights as they are now."""
        i = self.members.index(member)
        return Weights.read(self.layout, self.progress.judged[i], self.progress.statistics[i])

    def outcome(self, member: int, reason: str) -> Outcome:
        """How a member ended."""
        i = self.members.index(member)
        spec, progress = self.specs[i], self.progress.select([i])
        patience, own = progress.patience[0], partial(self._own_loss, i)
        ended = reason in {TOL, PATIENCE, MAX_ITER}
        patient, fresh = self.watch.patient, self.watch.fresh
        start = self.kept.start_of(i)
        if ended and has_diverged(spec, progress, start, own, patient=patient, fresh=fresh):
            reason = DIVERGED
        hopeless, kept_iter = False, None
        # a loss that rose is divergence, too: the best weights seen are kept
        if reason == DIVERGED or not torch.isfinite(progress.theta.sum()):
            if not self._judged(spec):
                kept_iter = self.kept.choose(i, progress, own)
                hopeless = kept_iter is None
            progress.theta.copy_(progress.best_theta)
            progress.judged.copy_(progress.best_theta)
            progress.statistics.copy_(progress.best_statistics)
            # what led there must not lead there again
            progress.optimizer = fresh_optimizer(self.spec, progress.theta)
        best = self._chooses(spec) and spec.restores_best and patience.best_iter > 0
        theta = progress.best_theta if best else progress.judged
        statistics = progress.best_statistics if best else progress.statistics
        return Outcome(
            weights=Weights.read(self.layout, theta[0], statistics[0]),
            history=progress.histories[0],
            end_reason=reason,
            n_iter=progress.epoch - progress.began,
            best_iter=0 if hopeless and reason == DIVERGED else patience.best_iter,
            progress=progress,
            kept_iter=kept_iter,
        )

    def _own_loss(self, i: int, theta: Tensor, statistics: Tensor) -> float:
        """A member's loss with these weights, without noise, on rows that train."""
        network = Evaluator(self.layout.network(theta, statistics), self.step.architecture)
        prepare, objective = self.step.gradients.target, self.spec.objective
        return own_loss(self.data.select([i]), network, objective, prepare, self.spec.n_shared)
