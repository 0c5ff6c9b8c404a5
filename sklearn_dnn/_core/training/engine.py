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

from ..._interruption import in_loop, raise_if_stopped
from ..._threads import limit_threads
from ..data.batches import Batcher, Epoch, TrainingSet
from ..network.mlp import Evaluator
from ..network.weights import Weights
from ..specification import FitSpec, structure
from .evaluate import LossMeter, ValidationSet, own_loss
from .numbers import column
from .stacks import fresh_optimizer, stacks
from .state import DRIVEN, Progress
from .step import Step
from .stopping import Patience

MAX_ITER, PATIENCE, TOL, TIME = "max_iter", "patience", "tol", "time"
CALLBACK, INTERRUPTED, DIVERGED = "callback", "interrupted", "diverged"
# Epochs that show whether the loss rises, and by what share of it.
LEAST_EPOCHS, RISE = 5, 0.05
# How far a fitted network's loss must rise, in losses of the first epoch of all.
FAR_RISE = 10.0
# A parameter this large may come of a step after which no loss was seen.
FAR_WEIGHT = 1e15
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
    n_iter : int
        Epochs done by this call.
    best_iter : int
        The epoch (from 1, of all calls that went on from each other) with the best monitored value.
    progress : Progress
        Of this member alone.
    kept_iter : int or None
        After divergence the epoch whose weights are kept; 0 for those that the call began with.
    """

    weights: Weights
    history: dict[str, list[Any]]
    end_reason: str
    n_iter: int
    best_iter: int
    progress: Progress
    kept_iter: int | None = None


Judge = Callable[[Weights], float]


def train(
    specs: Sequence[FitSpec],
    progress: Progress | Sequence[Progress],
    data: TrainingSet,
    validation: ValidationSet | None = None,
    *,
    observers: Sequence[Observer] = (),
    judges: Sequence[Judge | None] | None = None,
    n_epochs: int | Sequence[int] | None = None,
    patient: bool = True,
) -> list[Outcome]:
    """Train members, each until it has ended, an epoch of all at a time.

    They are cut into stacks that fit a cache; how does not change what a member becomes, but
    for the noise of training, which the members of a stack draw from one stream.

    Parameters
    ----------
    specs : sequence of FitSpec
        One a member; they differ in what :func:`~sklearn_dnn._core.specification.structure` leaves
        out only.
    progress : Progress or sequence of Progress
        Where to go on from: that of all members, or one a member, on the specification's device
        or the CPU. It is changed in place, where the members are a single stack of that progress
        on their device, or a single member.
    data : TrainingSet
    validation : ValidationSet or None
    observers : sequence of Observer
    judges : sequence of callable or None
        For each member a score (higher is better) of its weights that is monitored instead of
        the validation loss, or None.
    n_epochs : int, sequence of int or None
        Epochs at most, for all or for each member; None for each specification's ``max_iter``.
    patient : bool
        Whether members end when they no longer improve.

    Returns
    -------
    list of Outcome
        One a member, in order.
    """
    first = specs[0]
    assert all(s is first or structure(s) == structure(first) for s in specs), (
        "members differ in kind"
    )
    if n_epochs is None or isinstance(n_epochs, int):
        n_epochs = [n_epochs or spec.max_iter for spec in specs]
    first_epoch = (progress if isinstance(progress, Progress) else progress[0]).epoch
    watch = _Watch(judges or [None] * len(specs), patient, fresh=first_epoch == 0)
    with limit_threads(first.n_threads), torch.no_grad():
        runs = []
        for members, part in stacks(specs, progress):
            is_all = len(members) == len(specs)
            held = validation if validation is None or is_all else validation.select(members)
            rows = data if is_all else data.select(members)
            own = [specs[i] for i in members]
            runs.append(_Run(own, part.on(first), rows, held, members, watch))
        outcomes = _Runs(runs, observers, n_epochs).until_all_ended()
    return [outcomes[member] for member in range(len(specs))]


def rises(spec: FitSpec, losses: Sequence[float]) -> bool:
    """Whether the training loss never again came below that of the first epoch, but rose.

    Where later epochs are harder than the first one by themselves, that says nothing.
    """
    if len(losses) < LEAST_EPOCHS or spec.curriculum is not None or spec.dropout_schedule:
        return False
    first, later = losses[0], losses[1:]
    margin = max(spec.tol, RISE * abs(first))
    return min(later) >= first and sum(later) / len(later) > first + margin


class _Watch(NamedTuple):
    judges: Sequence[Judge | None]
    patient: bool
    fresh: bool


class _Runs:
    """Stacks that train in step, an epoch of each in turn."""

    def __init__(
        self, runs: list[_Run], observers: Sequence[Observer], n_epochs: Sequence[int]
    ) -> None:
        self.runs, self.observers, self.n_epochs = runs, observers, n_epochs
        self.began = [run.progress.epoch for run in runs]
        self.outcomes: dict[int, Outcome] = {}

    def until_all_ended(self) -> dict[int, Outcome]:
        """Train; members that end leave, and the others go on as smaller stacks."""
        started = perf_counter()
        try:
            for done in count(1):
                epoch = max(run.progress.epoch for run in self.runs)
                for observer in self.observers:
                    observer.epoch_begins(epoch, self._weights)
                records: dict[int, dict[str, Any]] = {}
                raise_if_stopped()
                ended: dict[int, str] = {}
                epoch_started = perf_counter()
                for run in self.runs:
                    found = run.epoch(started)
                    ended |= run.ends(found, started)
                    records |= dict(zip(run.members, found, strict=True))
                self._time(records, perf_counter() - epoch_started)
                for observer in self.observers:
                    for member in observer.epoch_ends(epoch, records, self._weights):
                        if member in records:
                            ended.setdefault(member, CALLBACK)
                for member in records:
                    if done == self.n_epochs[member]:
                        ended.setdefault(member, MAX_ITER)
                if ended:
                    self._leave(ended)
                    if not self.runs:
                        return self.outcomes
        except KeyboardInterrupt as pressed:
            if in_loop():
                raise
            self._interrupt(pressed)
            return self.outcomes
        raise AssertionError("the loop ends when all members have")

    def _interrupt(self, pressed: KeyboardInterrupt) -> None:
        """Let all members leave, unless a first epoch is not over: there is nothing to keep."""
        if not self.outcomes and any(
            run.progress.epoch == began for run, began in zip(self.runs, self.began, strict=True)
        ):
            raise pressed
        self._leave({member: INTERRUPTED for run in self.runs for member in run.members})

    def _time(self, records: dict[int, dict[str, Any]], seconds: float) -> None:
        """Note how long all stacks took, where there are several."""
        if len(self.runs) == 1:
            return
        for run in self.runs:
            for member, history in zip(run.members, run.progress.histories, strict=True):
                records[member]["seconds"] = history["seconds"][-1] = seconds

    def _leave(self, ended: dict[int, str]) -> None:
        for run in self.runs:
            for member in run.members:
                if member in ended:
                    self.outcomes[member] = run.outcome(member, ended[member])
        left = [[member for member in run.members if member not in ended] for run in self.runs]
        self.runs = [run.only(some) for run, some in zip(self.runs, left, strict=True) if some]

    def _weights(self, member: int) -> Weights:
        """A member's weights as they are now, or as they were when it left."""
        if member in self.outcomes:
            return self.outcomes[member].weights
        return next(run for run in self.runs if member in run.members).weights(member)


class _Run:
    """The members of one stack that are still training."""

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
        self.batcher = Batcher(
            data,
            spec.batch_size,
            spec.shuffle,
            merge_single=spec.may_measure_batches,
            curriculum=spec.curriculum,
        )
        self.driven = [n for n in DRIVEN if getattr(spec, f"{n}_schedule") is not None]
        self.per_step = any(schedule.per_step for s in specs for schedule in s.schedules.values())
        if spec.optimizer.full_batch:
            progress.optimizer["loss"].fill_(math.nan)  # the data may have changed
        #: parameters and statistics before the first step of this call
        self.start = (progress.judged.clone(), progress.statistics.clone())
        #: the best but one, and their epochs
        self.earlier = (progress.best_theta.clone(), progress.best_statistics.clone())
        self.earlier_iter = [0] * len(specs)

    def only(self, members: list[int]) -> _Run:
        """The run of some of the members."""
        if members == self.members:
            return self
        keep = [self.members.index(member) for member in members]
        run = _Run(
            [self.specs[i] for i in keep],
            self.progress.select(keep),
            self.data.select(keep),
            None if self.validation is None else self.validation.select(keep),
            members,
            self.watch,
        )
        run.start = (self.start[0][keep], self.start[1][keep])
        run.earlier = (self.earlier[0][keep], self.earlier[1][keep])
        run.earlier_iter = [self.earlier_iter[i] for i in keep]
        return run

    def epoch(self, started: float) -> list[dict[str, Any]]:
        """One pass over the rows; a record of it for each member."""
        progress = self.progress
        epoch_started = perf_counter()
        horizons = [float(spec.max_iter) for spec in self.specs]
        epoch = self.batcher.epoch(progress.orders, progress.passed("curriculum"), horizons)
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
        self, epoch: Epoch, started: float
    ) -> tuple[list[tuple[float, float]], float | Tensor, bool]:
        """Step over the batches: losses of each member, the last rate, never converged."""
        progress, spec, step = self.progress, self.spec, self.step
        meter = LossMeter(spec.objective, epoch, step.gradients.target, spec.n_shared)
        # of the weights that the epoch begins with: with a single batch, its objective exactly
        penalties = step.penalties().double()
        n_steps = len(self.batcher.bounds)
        rate = self._rate()
        step.drive(self._factors())
        deadline = math.inf if spec.max_time is None else started + spec.max_time
        for i, batch in enumerate(epoch.batches):
            if self.per_step:
                rate = self._rate(i / n_steps)
                step.drive(self._factors(i / n_steps))
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
                getattr(spec, f"{name}_schedule").factor(t, float(spec.max_iter), states[name])
                for spec, states in zip(self.specs, self.progress.driven, strict=True)
            ]
            for name, t in times.items()
        }

    def ends(self, records: list[dict[str, Any]], started: float) -> dict[int, str]:
        """Members that end after this epoch, and why; the best weights are noted."""
        progress = self.progress
        ended: dict[int, str] = {}
        improved = []
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
                improved.append(i)
                self.earlier_iter[i] = best_iter if best_iter > progress.began else 0
            spec.schedule.observe(progress.schedules[i], value)
            for name in self.driven:
                getattr(spec, f"{name}_schedule").observe(progress.driven[i][name], value)
            if record["converged"]:
                ended[member] = TOL
            elif self.watch.patient and (reason := self._why_over(spec, patience)) is not None:
                ended[member] = reason
            elif spec.max_time is not None and perf_counter() - started > spec.max_time:
                ended[member] = TIME
        if len(improved) == len(self.specs):
            best = progress.best_theta, progress.best_statistics
            progress.best_theta, progress.best_statistics = self.earlier
            self.earlier = best
            progress.best_theta.copy_(progress.judged)
            progress.best_statistics.copy_(progress.statistics)
        elif improved:
            self.earlier[0][improved] = progress.best_theta[improved]
            self.earlier[1][improved] = progress.best_statistics[improved]
            progress.best_theta[improved] = progress.judged[improved]
            progress.best_statistics[improved] = progress.statistics[improved]
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
        progress = self.progress.select([i])
        patience = progress.patience[0]
        ended = reason in {TOL, PATIENCE, MAX_ITER}
        if ended and self._has_diverged(i, progress):
            reason = DIVERGED
        hopeless, kept_iter = False, None
        # a loss that rose is divergence, too: the best weights seen are kept
        if reason == DIVERGED or not torch.isfinite(progress.theta.sum()):
            if not self._judged(self.specs[i]):
                kept_iter = self._choose_kept(i, progress)
                hopeless = kept_iter is None
            progress.theta.copy_(progress.best_theta)
            progress.judged.copy_(progress.best_theta)
            progress.statistics.copy_(progress.best_statistics)
            # what led there must not lead there again
            progress.optimizer = fresh_optimizer(self.spec, progress.theta)
        spec = self.specs[i]
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

    def _has_diverged(self, i: int, progress: Progress) -> bool:
        """Whether a member that came to its end has weights without use."""
        spec = self.specs[i]
        far = not progress.theta.abs().max() < FAR_WEIGHT
        if far and not math.isfinite(self._own_loss(i, progress.judged, progress.statistics)):
            return True
        losses = progress.histories[0]["loss"]
        if not (self.watch.patient and rises(spec, losses[progress.began :])):
            return False
        noisy = spec.is_noisy or spec.augmentation
        if self.watch.fresh and not noisy:
            return True
        # noise makes a loss higher than the network's own is; and one that was fitted may rise
        # for a while, but not far above that of a new network
        margin = 0.0 if self.watch.fresh else FAR_RISE * abs(losses[0])
        own = self._own_loss(i, progress.judged, progress.statistics)
        return not own < self._own_loss(i, *self._start(i)) + margin

    def _choose_kept(self, i: int, progress: Progress) -> int | None:
        """Let the best weights be those whose own loss is lowest; their epoch.

        The loss of an epoch is that of weights before its steps, and may be good where those
        after it are not. 0 stands for the start of the call, None for no weights worth to keep:
        the start was no fit, and no loss since is a number.
        """
        best = (progress.best_theta, progress.best_statistics)
        earlier = (self.earlier[0][[i]], self.earlier[1][[i]])
        kept = [best, self._start(i), earlier]
        losses = [self._own_loss(i, *weights) for weights in kept]
        losses = [loss if math.isfinite(loss) else math.inf for loss in losses]
        chosen = losses.index(min(losses))
        if losses[0] == math.inf and chosen == 0:
            chosen = 1
        if chosen == 1 and progress.began == 0 and losses[0] == math.inf:
            return None
        progress.best_theta, progress.best_statistics = (t.clone() for t in kept[chosen])
        return (progress.patience[0].best_iter, 0, self.earlier_iter[i])[chosen]

    def _start(self, i: int) -> tuple[Tensor, Tensor]:
        return self.start[0][[i]], self.start[1][[i]]

    def _own_loss(self, i: int, theta: Tensor, statistics: Tensor) -> float:
        """A member's loss with these weights, without noise, on rows that train."""
        network = Evaluator(self.layout.network(theta, statistics), self.step.architecture)
        prepare, objective = self.step.gradients.target, self.spec.objective
        return own_loss(self.data.select([i]), network, objective, prepare, self.spec.n_shared)
