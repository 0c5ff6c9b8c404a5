"""How training ended: what is kept, and what the user should know."""

from __future__ import annotations

from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn
from ..training.engine import DIVERGED, INTERRUPTED, MAX_ITER, Outcome
from ._far import divergence_advice
from ._messages import DivergedError
from ._session import Session


def with_hope(session: Session, outcomes: list[Outcome]) -> tuple[list[int], list[Outcome]]:
    """The members that had a finite loss once, and their outcomes."""
    kept = [i for i, o in enumerate(outcomes) if o.end_reason != DIVERGED or o.best_iter > 0]
    if not kept:
        raise DivergedError(
            f"The loss was not finite after any epoch. {divergence_advice(session)}"
        )
    return kept, [outcomes[i] for i in kept]


def tell_of_left_out(session: Session, n_left_out: int) -> None:
    """Say that some members of an ensemble could not be trained."""
    if n_left_out:
        warn(
            f"The loss of {n_left_out} of {n_left_out + len(session.progress)} members was not "
            "finite after any epoch; the ensemble goes without them. "
            f"{divergence_advice(session)}",
            ConvergenceWarning,
        )


def tell_how_it_ended(session: Session, outcomes: list[Outcome], *, warn_of_max_iter: bool) -> None:
    """Warnings about an end that the user should know of."""
    spec = session.spec
    diverged = [outcome for outcome in outcomes if outcome.end_reason == DIVERGED]
    if any(outcome.end_reason == INTERRUPTED for outcome in outcomes):
        warn("Training interrupted by user.")
    elif diverged:
        who = "" if spec.n_networks == 1 else f"of {len(diverged)} members, first "
        warn(
            f"The loss was no longer finite {who}after epoch {diverged[0].progress.epoch}; the "
            f"weights of epoch {diverged[0].best_iter} are kept. {divergence_advice(session)}",
            ConvergenceWarning,
        )
    elif (
        warn_of_max_iter
        and any(outcome.end_reason == MAX_ITER for outcome in outcomes)
        and not spec.schedule.ends_with_training
    ):
        warn(
            f"Maximum iterations ({spec.max_iter}) reached and the optimization hasn't converged "
            "yet. Increase max_iter.",
            ConvergenceWarning,
        )
