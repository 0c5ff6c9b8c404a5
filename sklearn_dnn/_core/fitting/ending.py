"""The end of a fit, whichever way it came: alone, in a stack, or in one of several calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..messages import DivergedError
from ..training.engine import DIVERGED, Outcome
from .attributes import fitted_attributes
from .calibration import calibrated
from .end_warnings import tell_how_it_ended, tell_of_cut_cycle, tell_of_left_out
from .far import divergence_advice
from .request import Request
from .session import Session


@dataclass(frozen=True)
class Ended:
    """A fit that was trained.

    Attributes
    ----------
    request : Request
    session : Session
        Of the members that are kept, with the temperature that suits them.
    outcomes : list of Outcome
        Theirs.
    kept : list of int
        Their positions among all that were trained.
    n_left_out : int
        How many others there were.
    """

    request: Request
    session: Session
    outcomes: list[Outcome]
    kept: list[int]
    n_left_out: int

    def attributes(self) -> dict[str, Any]:
        """All fitted attributes, and what is kept to go on with, if that may be asked for."""
        found = fitted_attributes(self.session, self.outcomes)
        if self.request.may_go_on:
            held = self.session.held
            states = [outcome.progress.export() for outcome in self.outcomes]
            found["_progress"] = {
                "asked": self.request.parameters["early_stopping"] is True,
                "progress": states if self.session.spec.n_networks > 1 else states[0],
                "draws": self.session.draws,
                "validation": None if held is None else held.export(),
            }
        return found

    def tell(self) -> None:
        """Warn of what the user should know."""
        whole, parameters = not self.request.in_calls, self.request.parameters
        tell_how_it_ended(self.session, self.outcomes, warn_of_max_iter=whole)
        if whole:
            tell_of_cut_cycle(self.session, self.outcomes, parameters["schedule"])
        tell_of_left_out(self.session, self.outcomes, self.n_left_out)


def end(request: Request, session: Session, outcomes: Sequence[Outcome]) -> Ended:
    """End a fit: of its members those are kept that had a finite loss once.

    Raises
    ------
    DivergedError
        If there is none.
    """
    kept = [i for i, o in enumerate(outcomes) if o.end_reason != DIVERGED or o.best_iter > 0]
    if not kept:
        raise DivergedError(
            f"The loss was not finite after any epoch. {divergence_advice(session)}"
        )
    n_left_out = len(session.progress) - len(kept)
    outcomes = [outcomes[i] for i in kept]
    session = calibrated(session.only(kept), outcomes)
    return Ended(request, session, outcomes, kept, n_left_out)
