"""How training ended: what is kept, and what the user should know."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn
from ..specification import RECIPE_PATIENCE, FitSpec, is_auto
from ..training.engine import DIVERGED, INTERRUPTED, MAX_ITER, PATIENCE, TIME, TOL, Outcome
from ._messages import DivergedError, divergence_advice
from ._session import Session

# Share of a schedule's peak rate above which an end is no end of a cycle, and the times that are
# looked at to find the peak.
HIGH, N_TIMES = 0.5, 201


def with_hope(session: Session, outcomes: list[Outcome]) -> tuple[list[int], list[Outcome]]:
    """The members that had a finite loss once, and their outcomes."""
    kept = [i for i, o in enumerate(outcomes) if o.end_reason != DIVERGED or o.best_iter > 0]
    if not kept:
        raise DivergedError(
            f"The loss was not finite after any epoch. {divergence_advice(session.spec)}"
        )
    return kept, [outcomes[i] for i in kept]


def tell_of_left_out(session: Session, outcomes: list[Outcome], n_left_out: int) -> None:
    """Say that some members of an ensemble could not be trained."""
    if n_left_out and any(outcome.end_reason == INTERRUPTED for outcome in outcomes):
        warn(
            f"{n_left_out} of {n_left_out + len(session.progress)} members had not begun, or had "
            "no finite loss; the ensemble goes without them."
        )
    elif n_left_out:
        warn(
            f"The loss of {n_left_out} of {n_left_out + len(session.progress)} members was not "
            "finite after any epoch; the ensemble goes without them. "
            f"{divergence_advice(session.spec)}",
            ConvergenceWarning,
        )


def tell_of_cut_cycle(session: Session, outcomes: list[Outcome], schedule: Any) -> None:
    """Say that a schedule was cut while its rate was still high.

    Parameters
    ----------
    session : Session
    outcomes : list of Outcome
    schedule : object
        What the user gave. With the recipe's own, its patience, or more, was found to do.
    """
    spec = session.spec
    borne = spec.n_iter_no_change if spec.stopping is None else spec.stopping.patience
    suits = is_auto(schedule) and borne >= RECIPE_PATIENCE
    reasons = {TIME} if suits else {PATIENCE, TOL, TIME}
    cut = [(o, _share_of_peak(spec, o)) for o in outcomes if o.end_reason in reasons]
    cut = [(o, share) for o, share in cut if share > HIGH and spec.in_cycle(o.progress.passed)]
    if not cut:
        return
    outcome, share = max(cut, key=lambda pair: pair[1])
    done, end_reason = outcome.progress.passed("learning_rate"), outcome.end_reason
    end = spec.schedule.cycle_end(done, float(spec.max_iter))
    who = "Training" if len(outcomes) == 1 else f"The training of {len(cut)} of {len(outcomes)}"
    if end_reason == TIME:
        way_out = "Lower max_iter, so that its end comes within max_time, or raise max_time"
    elif spec.stopping is not None:
        way_out = "Set the patience of EarlyStopping to 'auto', which waits for that end"
    else:
        way_out = "Set n_iter_no_change='auto', which waits for that end"
    warn(
        f"{who} ended ({end_reason!r}) after epoch {done} of the {end:g} that "
        f"schedule={spec.schedule!r} takes, at {share:.0%} of its peak rate, so that what the "
        f"fall of the rate gains is lost. {way_out}.",
        ConvergenceWarning,
    )


def _share_of_peak(spec: FitSpec, outcome: Outcome) -> float:
    """The last rate, as a share of the highest that the schedule would have come to."""
    rates = outcome.history["learning_rate"]
    if not rates or not math.isfinite(rates[-1]):
        return 0.0
    horizon, state = float(spec.max_iter), spec.schedule.start()
    times = np.linspace(0.0, horizon, N_TIMES)
    peak = max(spec.schedule.factor(float(t), horizon, state) for t in times)
    return rates[-1] / (spec.learning_rate_init * peak) if peak > 0 else 0.0


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
            f"weights of epoch {diverged[0].best_iter} are kept. {divergence_advice(spec)}",
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
