"""Names to components, "auto" to numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..._warnings import warn
from ...components.activations import Activation, Bounded, as_activation
from ...components.architectures import HiddenModule
from ...components.augmentations import as_augmentations
from ...components.base import shown
from ...components.batches import Accumulated
from ...components.clipping import ClipNorm
from ...components.constraints import CONSTRAINTS
from ...components.curricula import as_curriculum
from ...components.embeddings import EMBEDDINGS
from ...components.losses import LOSSES, Loss, as_loss
from ...components.norms import NORMS, BatchNorm, Norm
from ...components.optimizers import OPTIMIZERS, Optimizer
from ...components.schedules import SCHEDULES, as_schedule
from ...components.stopping import PATIENCE, EarlyStopping
from .auto import is_auto, plain, stops_early, without_validation
from .contradictions import refuse_contradictions
from .driven import driven_numbers, with_numbers
from .layers import hidden_sizes, network_parts, per_layer, strength_by_layer
from .machine import machine_of
from .spec import FitSpec, Task


def resolve(
    parameters: Mapping[str, Any],
    task: Task,
    *,
    by_recipe: bool = False,
    is_judged: bool = True,
) -> FitSpec:
    """The frozen specification of a fit.

    Parameters
    ----------
    parameters : mapping
        The estimator's parameters, each already of an allowed type and range.
    task : Task
        What the data say.
    by_recipe : bool
        Whether the recipe for tables has chosen some of the parameters.
    is_judged : bool
        Whether there are rows that judge, if early stopping asks for them.

    Raises
    ------
    ValueError
        If parameters contradict each other or the task; both values are shown.
    """
    given = plain(parameters)
    p = with_numbers(given)
    hidden = hidden_sizes(p["hidden_layer_sizes"])
    n_hidden = 0 if isinstance(hidden, HiddenModule) else len(hidden)
    activation = per_layer("activation", p["activation"], n_hidden, as_activation)
    optimizer = OPTIMIZERS.resolve(p["optimizer"])
    loss = _resolve_loss(p["loss"], task)
    output_activation, output_range = _resolve_link(p)
    batch_size, accumulation_steps = _resolve_batches(p["batch_size"], optimizer, task.n_training)
    embedding = _optional(p["numeric_embedding"], EMBEDDINGS.resolve)
    n_idle = p["n_iter_no_change"]
    machine = machine_of(p, task, hidden, embedding, optimizer, batch_size)
    spec = FitSpec(
        task=task,
        **network_parts(p, hidden, activation),
        output_activation=output_activation,
        output_range=output_range,
        augmentation=as_augmentations(p["augmentation"]),
        curriculum=as_curriculum(p["curriculum"]),
        loss=loss,
        output_weights=_resolve_output_weights(p.get("output_weights"), task),
        **_updates(p, optimizer, n_hidden + 1),
        driven=driven_numbers(given, n_hidden),
        batch_size=batch_size,
        accumulation_steps=accumulation_steps,
        max_iter=int(p["max_iter"]),
        label_smoothing=float(p.get("label_smoothing", 0.0)),
        calibration=p.get("calibration"),
        input_scaling=_resolve_input_scaling(p["input_scaling"]),
        numeric_embedding=embedding,
        target_scaling=p.get("target_scaling") if loss.scales_target else None,
        early_stopping=stops_early(p["early_stopping"], task.n_samples, task.has_validation),
        stopping=_resolve_stopping(p["early_stopping"]),
        n_iter_no_change=float(PATIENCE if is_auto(n_idle) else n_idle),
        tol=float(p["tol"]),
        monitor=p["monitor"],
        max_time=_optional(p["max_time"], float),
        shuffle=bool(p["shuffle"]),
        n_members=int(p["n_members"]),
        ensemble=p["ensemble"],
        by_recipe=by_recipe,
        **machine,
    )
    spec = _with_patience(spec, n_idle)
    refuse_contradictions(spec, given)
    return spec if is_judged else without_validation(spec)


def _updates(p: Mapping[str, Any], optimizer: Optimizer, n_matrices: int) -> dict[str, Any]:
    """What a step does to the weights: rate, clipping, penalties."""
    return {
        "optimizer": optimizer,
        "learning_rate_init": _resolve_rate(p["learning_rate_init"], optimizer),
        "schedule": SCHEDULES.resolve(as_schedule(p["schedule"])),
        "clip_norm": _resolve_clip_norm(p["clip_norm"]),
        "clip_value": _optional(p["clip_value"], float),
        "alpha": strength_by_layer("alpha", p["alpha"], n_matrices),
        "l1": strength_by_layer("l1", p["l1"], n_matrices),
        "activity_l1": float(p["activity_l1"]),
        "weight_decay": _resolve_decay(p["weight_decay"], p["optimizer"], optimizer),
        "constraint": _optional(p["constraint"], CONSTRAINTS.resolve),
        "ema_decay": float(p["ema_decay"]),
    }


def _optional(value: Any, read: Callable[[Any], Any]) -> Any:
    return None if value is None else read(value)


def _resolve_link(p: Mapping[str, Any]) -> tuple[Activation | None, tuple[float, float] | None]:
    """The activation of a regressor's output, None for the loss' own, and what it can reach."""
    value = p.get("output_activation", "identity")
    bounds = (float(value.low), float(value.high)) if isinstance(value, Bounded) else None
    inner = value.activation if isinstance(value, Bounded) else value
    activation = None if inner == "identity" else as_activation(inner)
    if activation is None:
        return None, None
    low, high = activation.range
    if activation.inputs_per_unit != 1 or activation.parameter_starts or activation.noisy:
        raise ValueError(
            f"output_activation={value!r} is no link: it has learned or random parts. Use one of "
            "'identity', 'relu', 'softplus', 'exponential', 'logistic' and 'tanh'."
        )
    if math.isinf(low) and math.isinf(high):
        return activation, None
    return activation, bounds or (float(low), float(high))


def _resolve_clip_norm(value: Any) -> ClipNorm | None:
    if value is None:
        return None
    given = value if isinstance(value, ClipNorm) else ClipNorm(value)
    return ClipNorm(float(given.max_norm), given.scope)


def _resolve_input_scaling(value: Any) -> str | Norm | None:
    if isinstance(value, Norm):
        return NORMS.resolve(value)
    return BatchNorm() if value == "batch_norm" else value


def _resolve_output_weights(value: Any, task: Task) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        weights = np.asarray(value, dtype=np.float64).ravel()
    except (ValueError, TypeError):
        weights = np.empty(0)
    if len(weights) != task.n_outputs or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            f"The 'output_weights' parameter must hold {task.n_outputs} finite numbers of at "
            f"least 0, one a target. Got {shown(value)} instead."
        )
    if not weights.any():
        raise ValueError("The 'output_weights' parameter is 0 for every target.")
    return tuple(float(w) for w in weights)


def _resolve_rate(value: Any, optimizer: Optimizer) -> float:
    """The rate; before a range test has found one, the optimizer's own."""
    return optimizer.default_rate if isinstance(value, str) else float(value)


def _resolve_stopping(value: Any) -> EarlyStopping | None:
    if not isinstance(value, EarlyStopping):
        return None
    value.validate()
    return value


def _with_patience(spec: FitSpec, given: float | str) -> FitSpec:
    """What "auto" patience is, once the schedules are known."""
    borne = math.inf if spec.ending_with_training else PATIENCE
    rule = spec.stopping
    return replace(
        spec,
        n_iter_no_change=float(borne) if is_auto(given) else spec.n_iter_no_change,
        stopping=None if rule is None else rule.settled(borne),
        whole_cycles=is_auto(given if rule is None else rule.patience),
    )


def _resolve_batches(value: Any, optimizer: Optimizer, n_samples: int) -> tuple[int, int]:
    """The size of a batch, and how many of them make a step."""
    batches = value if isinstance(value, Accumulated) else Accumulated(value, steps=1)
    size, steps = batches.size, int(batches.steps)
    if optimizer.full_batch:
        if size not in ("auto", "full") or steps > 1:
            raise ValueError(
                f"optimizer={OPTIMIZERS.name_of(optimizer)!r} takes all rows at once, but "
                f"batch_size={value!r}. Leave batch_size='auto', or choose another optimizer."
            )
        return n_samples, 1
    if isinstance(size, str):
        return (min(200, n_samples) if size == "auto" else n_samples), steps
    if size > n_samples:
        warn(f"batch_size={value} is larger than the {n_samples} rows to train on and is clipped.")
    return min(int(size), n_samples), steps


def _resolve_loss(value: Any, task: Task) -> Loss:
    loss = LOSSES.resolve(as_loss(value))
    if task.kind not in loss.kinds:
        allowed = sorted(name for name in LOSSES if task.kind in LOSSES[name].kinds)
        raise ValueError(
            f"The 'loss' parameter must be for {task.kind} targets: one of {allowed}. "
            f"Got {value!r} instead, which is for {sorted(loss.kinds)}."
        )
    return loss


def _resolve_decay(value: float, given: str | Optimizer, optimizer: Optimizer) -> float:
    own = optimizer.decay()
    if value == 0 or isinstance(given, str) or own == 0:
        return float(value) if value > 0 else own
    raise ValueError(
        f"weight_decay={value!r} contradicts the decay of optimizer={optimizer!r} "
        f"(weight_decay={own!r}). Set one of the two to 0."
    )
