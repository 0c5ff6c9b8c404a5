"""A session in the engine: what shows its training, and what judges it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..._devices import MEMORY_ERRORS, lacks_memory
from ...callbacks._observers import Bar, Lines, shows_bar
from ..messages import memory_advice
from ..training.ends import INTERRUPTED, Outcome
from ..training.engine import Observer, train
from ..training.stack_run import Judge
from ..training.state import Progress
from .ending import with_hope
from .judging import scorer_judge
from .session import Session


def train_session(
    estimator: Any,
    session: Session,
    observers: list[Observer],
    *,
    n_epochs: int | Sequence[int],
    patient: bool,
) -> tuple[list[int], list[Outcome]]:
    """Let the engine train: the members that did not diverge at once, and their outcomes."""
    with memory_advice(session.spec.device):
        training = session.training_set()
        validation = session.validation_set(training)
    n_shown = n_epochs if isinstance(n_epochs, int) else max(n_epochs)
    bar = Bar(n_shown, type(estimator).__name__) if shows_bar(estimator.verbose) else None
    if bar is not None:
        observers = [*observers, bar]
    elif estimator.verbose:
        observers = [*observers, Lines()]
    judges = judges_of(estimator, session)

    def run(members: list[int]) -> list[Outcome]:
        part, whole = session.only(members), len(members) == len(session.progress)
        return train(
            part.specs,
            part.progress,
            training if whole else training.select(members),
            validation if whole or validation is None else validation.select(members),
            observers=observers,
            judges=[judges[i] for i in members],
            n_epochs=n_epochs if isinstance(n_epochs, int) else [n_epochs[i] for i in members],
            patient=patient,
        )

    everyone = list(range(len(session.progress)))
    # who watches sees all members of an epoch, and a time is that of all
    in_step = bool(observers) or session.spec.max_time is not None
    try:
        with memory_advice(session.spec.device):
            outcomes = run(everyone) if in_step else in_parts(everyone, session.progress, run)
    finally:
        if bar is not None:
            bar.close()
    return with_hope(session, outcomes)


def tried(progress: Sequence[Progress], run: Callable[[], list[Outcome]]) -> list[Outcome] | None:
    """The outcomes that `run` gives; None, and the progress as it was, where memory is too small.

    For several members, whose tensors a stack copies.
    """
    before = [own.remembered() for own in progress]
    try:
        return run()
    except MEMORY_ERRORS as error:
        if not lacks_memory(error):
            raise
    for own, remembered in zip(progress, before, strict=True):
        own.go_back(remembered)
    return None


def in_parts(
    members: list[int], progress: Sequence[Progress], run: Callable[[list[int]], list[Outcome]]
) -> list[Outcome]:
    """The outcomes of some members, trained by `run` in as few parts as memory allows.

    Where it is too small for all at once, one half is trained after the other, down to single
    members. After Ctrl-C no further part is begun: there are outcomes of the first members only.
    """
    if len(members) == 1:
        return run(members)
    found = tried([progress[i] for i in members], lambda: run(members))
    if found is not None:
        return found
    half = len(members) // 2
    outcomes = in_parts(members[:half], progress, run)
    if any(outcome.end_reason == INTERRUPTED for outcome in outcomes):
        return outcomes
    return outcomes + in_parts(members[half:], progress, run)


def judges_of(estimator: Any, session: Session) -> list[Judge | None]:
    """What scores each member, as a single network."""
    judges = []
    for i in range(len(session.progress)):
        alone = session.alone(i)
        judges.append(scorer_judge(estimator, alone, estimator._attributes_now(alone)))
    return judges
