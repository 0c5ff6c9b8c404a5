"""The networks that learn from the held-out rows too, for as long as the first ones learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from ..._interruption import in_loop
from ..._warnings import warn
from ..messages import memory_advice
from ..training.ends import DIVERGED, INTERRUPTED, TIME, Outcome
from .opening import open_session
from .running import train_session
from .session import SIZES, Session


def trained_on_all(
    estimator: Any,
    table: tuple[Any, Any, Any],
    difficulty: Any,
    session: Session,
    outcomes: list[Outcome],
    kept: list[int],
    seconds: float | None,
) -> tuple[Session, list[Outcome]]:
    """The outcomes with the weights of networks that trained on the held-out rows too.

    The session gets the units that these networks learned in. Where their training is cut
    short, by the `seconds` that are left or otherwise, the first networks stay.
    """
    if seconds is not None and seconds <= 0:
        _tell_of_no_refit(f"max_time={estimator.max_time!r} was spent before", "Raise max_time")
        return session, outcomes
    interrupted = [replace(outcome, end_reason=INTERRUPTED) for outcome in outcomes]
    try:
        with memory_advice(session.spec.device):
            whole = open_session(
                estimator,
                *table,
                difficulty=difficulty,
                going_on=False,
                changes={
                    "early_stopping": False,
                    "monitor": "loss",
                    "learning_rate_init": session.spec.learning_rate_init,  # not found once more
                    "max_time": seconds,
                },
            )
        still, again = train_session(
            estimator, whole.only(kept), [], n_epochs=[o.best_iter for o in outcomes], patient=False
        )
    except KeyboardInterrupt:
        if in_loop():
            raise
        return session, interrupted
    ends = {new.end_reason for new in again}
    if INTERRUPTED in ends:
        return session, interrupted
    if TIME in ends:
        wanted = max(outcome.best_iter for outcome in outcomes)
        when = f"in epoch {max(new.n_iter for new in again)} of {wanted}"
        _tell_of_no_refit(f"max_time={estimator.max_time!r} ended it {when}", "Raise max_time")
        return session, outcomes
    if DIVERGED in ends or len(still) < len(outcomes):
        _tell_of_no_refit("it diverged", "Lower learning_rate_init")
        return session, outcomes
    sizes = {name: getattr(whole.spec.task, name) for name in SIZES}
    spec = replace(session.spec, task=replace(session.spec.task, **sizes))
    session = replace(
        session, spec=spec, given=whole.given, columns=whole.columns, codec=whole.codec
    )
    return session, [
        replace(outcome, weights=new.weights, progress=new.progress)
        for outcome, new in zip(outcomes, again, strict=True)
    ]


def _tell_of_no_refit(why: str, way_out: str) -> None:
    """Warn that the network is not the one that `refit` asks for."""
    warn(
        f"EarlyStopping(refit=True): the network that trained without the held-out rows is kept, "
        f"because the training with them was not completed: {why}. {way_out}, or set refit=False.",
        ConvergenceWarning,
    )
