"""A session in the engine: what shows its training, and what judges it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring

from ..._compat import scorer_takes_weights
from ..._devices import MEMORY_ERRORS, lacks_memory
from ...callbacks._observers import Bar, Lines, shows_bar
from ..fitted.fitted import Fitted
from ..messages import memory_advice
from ..network.weights import Weights
from ..reading.inputs import TOLD
from ..training.ends import INTERRUPTED, Outcome
from ..training.engine import Observer, train
from ..training.stack_run import Judge
from ..training.state import Progress
from .ending import attributes_now
from .request import Request
from .session import Session


def train_session(
    request: Request,
    session: Session,
    observers: Sequence[Observer] = (),
    *,
    n_epochs: int | Sequence[int],
    patient: bool,
) -> list[Outcome]:
    """Let the engine train all members.

    Parameters
    ----------
    observers : sequence of Observer
        Beside what `verbose` shows.
    n_epochs : int or sequence of int
        At most; one for all members, or one a member.
    patient : bool
        Whether early stopping and `tol` may end it.
    """
    with memory_advice(session.spec.device):
        training = session.training_set()
        validation = session.validation_set(training)
    n_shown = n_epochs if isinstance(n_epochs, int) else max(n_epochs)
    verbose = request.parameters["verbose"]
    bar = Bar(n_shown, request.name) if shows_bar(verbose) else None
    if bar is not None:
        observers = [*observers, bar]
    elif verbose:
        observers = [*observers, Lines()]
    judges = judges_of(request, session)

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
            return run(everyone) if in_step else in_parts(everyone, session.progress, run)
    finally:
        if bar is not None:
            bar.close()


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


def judges_of(request: Request, session: Session) -> list[Judge | None]:
    """What scores each member, as a single network."""
    return [scorer_judge(request, session.alone(i)) for i in range(len(session.progress))]


def scorer_judge(request: Request, session: Session) -> Callable[[Weights], float] | None:
    """The score of weights that ``monitor`` asks for; None where the loss is monitored.

    Parameters
    ----------
    request : Request
    session : Session
        Of a single member.
    """
    monitor = request.parameters["monitor"]
    if monitor == "loss" or session.held is None:
        return None
    given, rows = session.held.given, session.held.rows
    scorer = check_scoring(request.copy({}), scoring=monitor)
    extra = {}
    if given.weight is not None and scorer_takes_weights(scorer):
        extra["sample_weight"] = given.weight[rows]
    X, y = given.raw(rows), given.y[rows]

    def judge(weights: Weights) -> float:
        network = request.copy(attributes_now(session, lambda _: weights) | {TOLD: True})
        try:
            score = float(scorer(network, X, y, **extra))
        except (ValueError, TypeError) as error:
            if not _outputs_are_finite(network, X):
                return np.nan
            raise ValueError(
                f"monitor={monitor!r} can't score this estimator on its validation part: "
                f"{str(error).rstrip('.')}. Choose another scorer, or monitor='loss'."
            ) from error
        if not np.isfinite(score) and _outputs_are_finite(network, X):
            raise ValueError(
                f"monitor={monitor!r} gave {score}, which is no score. Choose another scorer, or "
                "monitor='loss'."
            )
        return score

    return judge


def _outputs_are_finite(network: Any, X: Any) -> bool:
    """Whether a score that is none is the scorer's fault, not that of a fit which diverges."""
    return bool(np.isfinite(Fitted(network).raw(X)).all())
