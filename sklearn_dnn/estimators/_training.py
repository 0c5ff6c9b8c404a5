"""A session in the engine: what shows its training, and what judges it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..callbacks.observers import Bar, Lines, shows_bar
from ..training.engine import Judge, Observer, Outcome, train
from ._ending import with_hope
from ._judging import scorer_judge
from ._messages import memory_advice
from ._session import Session


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
    try:
        with memory_advice(session.spec.device):
            outcomes = train(
                session.specs,
                session.progress,
                training,
                validation,
                observers=observers,
                judges=judges_of(estimator, session),
                n_epochs=n_epochs,
                patient=patient,
            )
    finally:
        if bar is not None:
            bar.close()
    return with_hope(session, outcomes)


def judges_of(estimator: Any, session: Session) -> list[Judge | None]:
    """What scores each member, as a single network."""
    judges = []
    for i in range(len(session.progress)):
        alone = session.alone(i)
        judges.append(scorer_judge(estimator, alone, estimator._attributes_now(alone)))
    return judges
