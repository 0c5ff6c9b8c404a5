"""The networks that learn from the held-out rows too, for as long as the first ones learnt."""

from __future__ import annotations

from dataclasses import replace

from sklearn.exceptions import ConvergenceWarning

from ..._interruption import in_loop
from ..._warnings import warn
from ..training.ends import DIVERGED, INTERRUPTED, TIME, Outcome
from .ending import Ended
from .opening import open_session
from .request import Arguments, Request
from .running import train_session
from .session import SIZES, Session


def trained_on_all(
    request: Request, arguments: Arguments, ended: Ended, seconds: float | None
) -> Ended:
    """The fit with the weights of networks that trained on the held-out rows too.

    The session gets the units that these networks learned in. Where their training is cut
    short, by the `seconds` that are left or otherwise, the first networks stay.
    """
    outcomes, max_time = ended.outcomes, request.parameters["max_time"]
    judged = ended.session.held is not None and all(o.best_iter > 0 for o in outcomes)
    if not judged or any(o.end_reason == INTERRUPTED for o in outcomes):
        return ended
    if seconds is not None and seconds <= 0:
        _tell_of_no_refit(f"max_time={max_time!r} was spent before", "Raise max_time")
        return ended
    try:
        whole, again = _trained_again(request, arguments, ended, seconds)
    except KeyboardInterrupt:
        if in_loop():
            raise
        return _interrupted(ended)
    ends = {new.end_reason for new in again}
    if INTERRUPTED in ends:
        return _interrupted(ended)
    if TIME in ends:
        wanted = max(outcome.best_iter for outcome in outcomes)
        when = f"in epoch {max(new.n_iter for new in again)} of {wanted}"
        _tell_of_no_refit(f"max_time={max_time!r} ended it {when}", "Raise max_time")
    elif DIVERGED in ends:
        _tell_of_no_refit("it diverged", "Lower learning_rate_init")
    else:
        ended = _with_weights_of(ended, whole, again)
    return ended


def _trained_again(
    request: Request, arguments: Arguments, ended: Ended, seconds: float | None
) -> tuple[Session, list[Outcome]]:
    """Training on all rows, for as many epochs as were best before."""
    changes = {
        "early_stopping": False,
        "monitor": "loss",
        "learning_rate_init": ended.session.spec.learning_rate_init,  # not found once more
        "max_time": seconds,
    }
    anew = replace(
        request,
        parameters={**request.parameters, **changes},
        seed=request.draw_seed(),
        earlier=None,
    )
    table = replace(arguments, X_val=None, y_val=None, sample_weight_val=None, groups=None)
    whole = open_session(anew, table)
    n_epochs = [outcome.best_iter for outcome in ended.outcomes]
    return whole, train_session(anew, whole.only(ended.kept), n_epochs=n_epochs, patient=False)


def _with_weights_of(ended: Ended, whole: Session, again: list[Outcome]) -> Ended:
    """The first networks' fit with what the second ones learnt, and the units they did it in."""
    session = ended.session
    sizes = {name: getattr(whole.spec.task, name) for name in SIZES}
    spec = replace(session.spec, task=replace(session.spec.task, **sizes))
    session = replace(
        session, spec=spec, given=whole.given, columns=whole.columns, codec=whole.codec
    )
    learnt = [
        replace(outcome, weights=new.weights, progress=new.progress)
        for outcome, new in zip(ended.outcomes, again, strict=True)
    ]
    return replace(ended, session=session, outcomes=learnt)


def _interrupted(ended: Ended) -> Ended:
    """The first networks, of a training that Ctrl-C cut off."""
    outcomes = [replace(outcome, end_reason=INTERRUPTED) for outcome in ended.outcomes]
    return replace(ended, outcomes=outcomes)


def _tell_of_no_refit(why: str, way_out: str) -> None:
    """Warn that the network is not the one that `refit` asks for."""
    warn(
        f"EarlyStopping(refit=True): the network that trained without the held-out rows is kept, "
        f"because the training with them was not completed: {why}. {way_out}, or set refit=False.",
        ConvergenceWarning,
    )
