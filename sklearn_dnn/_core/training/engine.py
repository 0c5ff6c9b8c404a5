"""The loop. It knows no estimator and no task: a stack, its data, and who watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from time import perf_counter
from typing import Any, Protocol

import torch

from ..._interruption import in_loop, raise_if_stopped
from ..._threads import limit_threads
from ..data.batches import TrainingSet
from ..network.weights import Weights
from ..specification import FitSpec, structure
from .ends import CALLBACK, INTERRUPTED, MAX_ITER, Outcome
from .evaluate import ValidationSet
from .stack_run import Judge, StackRun, Watch
from .stacks import stacks
from .state import Progress


class Observer(Protocol):
    """Who watches a stack being trained; members are known by their number in it."""

    def epoch_begins(self, epoch: int, weights: Callable[[int], Weights]) -> None:
        """Called before each epoch (from 0)."""

    def epoch_ends(
        self, epoch: int, records: dict[int, dict[str, Any]], weights: Callable[[int], Weights]
    ) -> set[int]:
        """Called after each epoch with a record a member; the members that should stop."""


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
        "members differ in kind: see COLUMNS in specification/stackable.py"
    )
    if n_epochs is None or isinstance(n_epochs, int):
        n_epochs = [n_epochs or spec.max_iter for spec in specs]
    first_epoch = (progress if isinstance(progress, Progress) else progress[0]).epoch
    watch = Watch(judges or [None] * len(specs), patient, fresh=first_epoch == 0)
    with limit_threads(first.n_threads), torch.no_grad():
        runs = []
        for members, part in stacks(specs, progress):
            is_all = len(members) == len(specs)
            held = validation if validation is None or is_all else validation.select(members)
            rows = data if is_all else data.select(members)
            own = [specs[i] for i in members]
            runs.append(StackRun(own, part.on(first), rows, held, members, watch))
        outcomes = _Runs(runs, observers, n_epochs).until_all_ended()
    return [outcomes[member] for member in range(len(specs))]


class _Runs:
    """Stacks that train in step, an epoch of each in turn."""

    def __init__(
        self, runs: list[StackRun], observers: Sequence[Observer], n_epochs: Sequence[int]
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
