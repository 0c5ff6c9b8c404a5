"""The fitted attributes: what training found out, in one dictionary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from ...components.base import Component
from ..fitted.fitted import PARTS
from ..fitted.states import STATE_FORMAT
from ..network.weights import Weights
from ..specification import FitSpec
from ..training.ends import MAX_ITER, Outcome
from ..training.numbers import mean_record
from ..training.state import Progress
from .session import Session


def fitted_attributes(session: Session, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All fitted attributes but the codec's, as NumPy arrays and plain Python values.

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
    } | ({} if spec.task.kind == "regression" else {"temperature_": session.temperature})


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
        parts = value if isinstance(value, tuple) else (value,)
        parts = [part for part in parts if isinstance(part, Component)]
        if any(type(part) not in known for part in parts):
            copies = [clone(part) for part in parts]
            own[name] = copies if isinstance(value, tuple) else copies[0]
    if spec.module is not None:
        own["hidden_layer_sizes"] = clone(spec.module)
    return own


def outcomes_now(session: Session, weights: Callable[[int], Weights]) -> list[Outcome]:
    """The outcomes as if training had ended with some weights, one a member."""
    return [_outcome_now(p, weights(i)) for i, p in enumerate(session.progress)]


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
