"""The end of a fit, whichever way it came: alone, in a stack, or in one of several calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from ..._compat import from_numpy
from ..._threads import limit_threads
from ...components.base import Component
from ..fitted.fitted import PARTS
from ..fitted.states import STATE_FORMAT
from ..messages import DivergedError, memory_advice
from ..network.architecture import Architecture
from ..network.mlp import Evaluator
from ..network.weights import Weights
from ..specification import FitSpec
from ..training.ends import DIVERGED, MAX_ITER, Outcome
from ..training.forward import raw_outputs
from ..training.numbers import mean_record
from ..training.state import Progress
from ..training.temperature import POWER, fitted_temperature
from .end_warnings import tell_how_it_ended, tell_of_cut_cycle, tell_of_left_out
from .far import divergence_advice
from .request import Request
from .session import Session


def fitted_attributes(session: Session, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All fitted attributes, as NumPy arrays and plain Python values.

    A user's own components, which no name stands for, are kept as they are. Where the session
    asks for several members, arrays have a leading member axis, and curves are means over the
    members that were still training.

    Parameters
    ----------
    session : Session
    outcomes : sequence of Outcome
        One a member.
    """
    spec, scaling = session.spec, session.columns.plain_scaling
    reading = session.given.reading
    weights, history = outcomes[0].weights, outcomes[0].history
    if spec.n_networks > 1:
        weights = Weights.stacked([outcome.weights for outcome in outcomes])
        history = _mean_history([outcome.history for outcome in outcomes])
    if session.temperature != 1:
        weights = weights.cooled(session.temperature, spec.n_shared)
    last = max(outcomes, key=lambda outcome: outcome.n_iter)  # of equals the first
    judged = session.held is not None
    scores = list(history["validation_score"]) if judged else None
    early = judged and spec.early_stopping
    return {
        "state_format_": STATE_FORMAT,
        "own_components_": _own_components(spec),
        "coefs_": weights.coefs,
        "intercepts_": weights.intercepts,
        "norm_weights_": weights.norms,
        "norm_statistics_": weights.statistics,
        "extra_weights_": weights.extras,
        "input_mean_": None if scaling is None else scaling.mean,
        "input_scale_": None if scaling is None else scaling.scale,
        "input_columns_": session.columns.as_dict(),
        "is_categorical_": None if reading is None else reading.mask,
        "is_parsed_": None if reading is None else reading.parsed,
        "categories_": [] if reading is None else list(reading.categories),
        "n_layers_": len(weights.coefs) + 1,
        "n_outputs_": weights.coefs[-1].shape[-1],
        "n_parameters_": sum(int(o.progress.theta.shape[1]) for o in outcomes),
        "out_activation_": spec.objective.out_activation,
        "spec_": spec.as_dict(),
        "device_": spec.device,
        "n_iter_": last.n_iter,
        "t_": max(outcome.progress.samples for outcome in outcomes),
        "best_iter_": max(outcome.best_iter for outcome in outcomes),
        "end_reason_": last.end_reason,
        "loss_": history["loss"][-1] if history["loss"] else np.inf,
        "best_loss_": None if early else min(history["loss"], default=np.inf),
        "loss_curve_": list(history["loss"]),
        "validation_loss_curve_": list(history["validation_loss"]) if judged else None,
        "validation_scores_": scores,
        "best_validation_score_": _best(scores or (), spec),
        "lr_curve_": list(history["learning_rate"]),
        "history_": {name: list(values) for name, values in history.items()},
        "members_": [_member(outcome, judged) for outcome in outcomes],
    } | session.codec.attributes(session.temperature)


def _member(outcome: Outcome, judged: bool) -> dict[str, Any]:
    """How one member was trained."""
    history = {name: list(values) for name, values in outcome.history.items()}
    return {
        "n_iter": outcome.n_iter,
        "best_iter": outcome.best_iter,
        "end_reason": outcome.end_reason,
        "loss_curve": history["loss"],
        "validation_loss_curve": history["validation_loss"] if judged else None,
        "validation_scores": history["validation_score"] if judged else None,
        "history": history,
    }


def _mean_history(histories: Sequence[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
    """Curves of the means over the members that have come to each epoch."""
    names = list(histories[0])
    means: dict[str, list[Any]] = {name: [] for name in names}
    for epoch in range(max(len(h[names[0]]) for h in histories)):
        there = [
            {name: h[name][epoch] for name in names} for h in histories if epoch < len(h[names[0]])
        ]
        for name, value in mean_record(there).items():
            means[name].append(value)
    return means


def _best(scores: Sequence[float | None], spec: FitSpec) -> float | None:
    """The best of the scores; less is better where the early stopping says so."""
    scored = spec.monitor != "loss"
    rising = not scored or spec.stopping is None or spec.stopping.sign(scored) < 0
    known = [score for score in scores if score is not None]
    return (max if rising else min)(known, default=None)


def _own_components(spec: FitSpec) -> dict[str, Any]:
    """Components that no registered name stands for, as they are."""
    own: dict[str, Any] = {}
    for name, registry in PARTS.items():
        known = tuple(registry.classes.values())
        value = getattr(spec, name)
        several = value if isinstance(value, tuple) else (value,)
        parts = [part for part in several if isinstance(part, Component)]
        if any(type(part) not in known for part in parts):
            copies = [clone(part) for part in parts]
            own[name] = copies if isinstance(value, tuple) else copies[0]
    if spec.module is not None:
        own["hidden_layer_sizes"] = clone(spec.module)
    return own


def attributes_now(session: Session, weights: Callable[[int], Weights]) -> dict[str, Any]:
    """The attributes as if training had ended with some weights, one a member."""
    outcomes = [_outcome_now(p, weights(i)) for i, p in enumerate(session.progress)]
    return fitted_attributes(session, outcomes)


def _outcome_now(progress: Progress, weights: Weights) -> Outcome:
    # a stack that a member trains in shares its curves and its patience
    return Outcome(
        weights=weights,
        history=progress.histories[0],
        end_reason=MAX_ITER,
        n_iter=len(progress.histories[0]["loss"]) - progress.began,
        best_iter=progress.patience[0].best_iter,
        progress=progress,
    )


def calibrated(session: Session, outcomes: Sequence[Outcome]) -> Session:
    """The session with the temperature that suits its members' raw outputs best.

    Where each member holds out a fold, all rows count, each with the outputs of the member that
    did not learn from it, and a power of the temperature is taken. Where the same rows judge all
    members, the mean of their raw outputs does.
    """
    spec, held = session.spec, session.held
    if spec.calibration is None or held is None:
        return session
    architecture = Architecture.of(spec)
    rows = from_numpy(held.rows)
    with torch.no_grad(), limit_threads(spec.n_threads), memory_advice(spec.device):
        features = session.features(held.given)
        y = session.codec.encode(held.given.y, spec.torch_dtype).to(spec.device)
        raws = []
        for i, outcome in enumerate(outcomes):
            network = outcome.weights.network(spec.torch_dtype, spec.device)
            own = rows[i] if held.by_member else rows
            raw = raw_outputs(features, own, Evaluator(network, architecture))
            raws.append(raw if spec.n_shared == 1 else raw.mean(0))
        raw = torch.cat(raws) if held.by_member else torch.stack(raws).mean(0)
        index = rows.flatten().to(y.device)
        weight = None
        if held.given.weight is not None:
            weight = from_numpy(held.given.weight).to(y.device)[index]
        temperature = fitted_temperature(spec.objective, raw, y[index], weight)
        if held.by_member:
            temperature **= POWER
    return replace(session, temperature=temperature)


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
