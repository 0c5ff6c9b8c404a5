"""What the user should know of how training ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from ..._warnings import warn
from ..data.order import steps
from ..specification import RECIPE_PATIENCE, FitSpec, is_auto
from ..training.divergence import LEAST_EPOCHS, rises
from ..training.ends import DIVERGED, INTERRUPTED, MAX_ITER, PATIENCE, TIME, TOL, Outcome
from .far import divergence_advice, lower_noises
from .session import Session

# Share of a schedule's peak rate above which an end is no end of a cycle, and the times that are
# looked at to find the peak.
HIGH, N_TIMES = 0.5, 201
# Rows that the loss of zeros is found from.
SEEN_ROWS = 2**14
# A loss that ends below this share of its height has fallen.
HARDLY = 0.9
# Epochs at the end of which a loss should have moved: where it ended training, and where all were
# done, which may just be few.
SOME_EPOCHS, MANY_EPOCHS = 11, 20
# How many times as high as that of zeros a loss was that comes of steps that are too long.
LONG = 10.0


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
            f"{divergence_advice(session)}",
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
    assert not isinstance(borne, str)  # it is settled with the specification
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
        warn(_of_divergence(session, diverged), ConvergenceWarning)
    elif warn_of_max_iter and (stuck := _stuck(session, outcomes)):
        warn(stuck, ConvergenceWarning)
    elif warn_of_max_iter and any(
        o.end_reason == MAX_ITER and not _ends_a_cycle(spec, o) for o in outcomes
    ):
        warn(
            f"Maximum iterations ({spec.max_iter}) reached and the optimization hasn't converged "
            "yet. Increase max_iter.",
            ConvergenceWarning,
        )


def _ends_a_cycle(spec: FitSpec, outcome: Outcome) -> bool:
    """Whether the schedule is at an end of its own after the last epoch."""
    done = outcome.progress.passed("learning_rate")
    end = spec.schedule.cycle_end(float(done), float(spec.max_iter))
    return spec.schedule.ends_with_training or end == done


def _of_divergence(session: Session, diverged: list[Outcome]) -> str:
    """What is said of members whose loss was no number, or rose for good."""
    first = diverged[0]
    began = first.progress.began
    losses = first.history["loss"][began:]
    who = "" if session.spec.n_networks == 1 else f" of {len(diverged)} members, first"
    if all(map(math.isfinite, losses)) and rises(session.spec, losses):
        what = (
            f"The training loss{who} never again came below that of epoch {began + 1} "
            f"({losses[0]:.3g}; "
            f"{losses[-1]:.3g} after epoch {first.progress.epoch})"
        )
    else:
        what = f"The loss was no longer finite{who} after epoch {first.progress.epoch}"
    kept = f"the weights of epoch {first.kept_iter or first.best_iter} are kept"
    if first.kept_iter == 0:
        kept = "the weights that training began with are kept, since none after were better"
    return f"{what}; {kept}. {divergence_advice(session)}"


def _stuck(session: Session, outcomes: list[Outcome]) -> str | None:
    """What is said of members that learnt no more than a network that puts out zeros.

    A loss that hardly moves above that of zeros comes of steps that are too short; one that has
    been far above it, and is still above it, of steps that are too long.
    """
    spec = session.spec
    if spec.augmentation or spec.curriculum is not None or spec.optimizer.full_batch:
        return None
    zeros = None
    for outcome in outcomes:
        losses = outcome.history["train_loss"]
        if outcome.end_reason not in {MAX_ITER, PATIENCE, TOL} or len(losses) < LEAST_EPOCHS:
            continue
        rate = f"learning_rate_init (now {spec.learning_rate_init:g})"
        hardly = (
            f"The training loss hardly moved from the first epoch on ({losses[0]:.4g}; "
            f"{losses[-1]:.4g} after epoch {outcome.progress.epoch})"
        )
        # of few epochs that were asked for nothing can be said but that they are few
        noises = lower_noises(spec)
        or_lower = noises.replace("or ", "or lower ", 1)
        enough = len(losses) >= (MANY_EPOCHS if outcome.end_reason == MAX_ITER else SOME_EPOCHS)
        if enough and _creeps(losses, spec.tol):
            return f"{hardly}, by less than tol={spec.tol:g} an epoch: raise {rate}."
        highest = max(losses)
        if highest > 0 and losses[-1] < HARDLY * highest and highest < LONG:
            continue  # most fits: the loss has fallen well, from where networks begin
        zeros = _loss_of_zeros(session) if zeros is None else zeros
        above = losses[-1] - zeros
        if enough and above > 0.02 * abs(zeros) and _stands(losses, above):
            zero = f"that of a network that puts out zeros ({zeros:.4g})"
            return f"{hardly}, and is above {zero}: raise {rate}{or_lower}."
        if above > zeros > 0 and highest > LONG * zeros:
            return (
                f"The training loss was up to {highest:.3g} and ended at {losses[-1]:.3g}, above "
                f"that of a network that puts out zeros ({zeros:.3g}). Lower {rate}{noises}."
            )
    return None


def _creeps(losses: Sequence[float], tol: float) -> bool:
    """Whether a loss fell by nearly the same in each epoch, by less than `tol` and by little."""
    falls = -np.diff(losses)
    steady = np.all((falls > 0) & (falls < tol)) and falls[-1] > 0.5 * falls[0]
    return bool(steady and losses[0] - losses[-1] < 0.02 * abs(losses[0]))


def _stands(losses: Sequence[float], above: float) -> bool:
    """Whether a loss moves no more than by noise, or by little beside what could be gained."""
    first, second = np.array_split(np.asarray(losses), 2)
    moved = abs(first.mean() - second.mean())
    noise = np.sqrt(first.var() / len(first) + second.var() / len(second))
    # the noise of a straight fall is an eighth of what it moves
    return bool(moved < 0.05 * above or moved < min(2.5 * noise, 0.3 * above))


def _loss_of_zeros(session: Session) -> float:
    """The mean loss of some of the rows that train where all raw outputs are 0."""
    spec, given = session.spec, session.given
    rows = session.training[steps(len(session.training), SEEN_ROWS)]
    y = session.codec.encode(given.y[rows], spec.torch_dtype)
    raw = torch.zeros(len(rows), spec.n_raw, dtype=spec.torch_dtype)
    values = spec.objective.values(raw, y).double().numpy()
    return float(np.average(values, weights=None if given.weight is None else given.weight[rows]))
