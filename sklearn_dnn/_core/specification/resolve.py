"""Names to components, "auto" to numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import islice
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from ..._compat import Interval
from ..._warnings import warn
from ...components.activations import ACTIVATIONS, Activation, as_activation
from ...components.architectures import DEEPEST, HiddenModule, LayerSizes
from ...components.augmentations import as_augmentations
from ...components.base import Component, shown
from ...components.constraints import CONSTRAINTS
from ...components.curricula import as_curriculum
from ...components.dropouts import DROPOUTS, Dropout, DropoutRule
from ...components.embeddings import EMBEDDINGS
from ...components.initializers import INITIALIZERS, Initializer
from ...components.losses import LOSSES, Loss, as_loss
from ...components.norms import NORMS, BatchNorm, Norm
from ...components.optimizers import OPTIMIZERS, Optimizer
from ...components.schedules import SCHEDULES, Schedule, as_schedule
from ...components.stopping import PATIENCE, EarlyStopping
from ...components.topologies import TOPOLOGIES
from .auto import is_auto, plain
from .contradictions import refuse_contradictions
from .judging import stops_early
from .machine import machine_of
from .spec import FitSpec, Task

# Hidden layers from which norm="auto" takes batch normalization.
DEEP = 4

_SIZE = Interval(Integral, 1, None, closed="left")
_NUMBER = Interval(Real, None, None, closed="neither")
_STRENGTH = Interval(Real, 0, None, closed="left")

C = TypeVar("C", bound=Component)


def resolve(parameters: Mapping[str, Any], task: Task) -> FitSpec:
    """The frozen specification of a fit.

    Parameters
    ----------
    parameters : mapping
        The estimator's parameters, each already of an allowed type and range.
    task : Task
        What the data say.

    Raises
    ------
    ValueError
        If parameters contradict each other or the task; both values are shown.
    """
    p = plain(parameters)
    hidden = hidden_sizes(p["hidden_layer_sizes"])
    n_hidden = 0 if isinstance(hidden, HiddenModule) else len(hidden)
    activation = _per_layer("activation", p["activation"], n_hidden, as_activation)
    optimizer = OPTIMIZERS.resolve(p["optimizer"])
    loss = _resolve_loss(p["loss"], task)
    output_activation, output_range = _resolve_link(p)
    batch_size = _resolve_batch_size(p["batch_size"], optimizer, task.n_training)
    embedding = _optional(p["numeric_embedding"], EMBEDDINGS.resolve)
    n_idle = p["n_iter_no_change"]
    machine = machine_of(p, task, hidden, embedding, optimizer, batch_size)
    spec = FitSpec(
        task=task,
        **_network(p, hidden, activation),
        output_activation=output_activation,
        output_range=output_range,
        augmentation=as_augmentations(p["augmentation"]),
        curriculum=as_curriculum(p["curriculum"]),
        loss=loss,
        output_weights=_resolve_output_weights(p.get("output_weights"), task),
        **_updates(p, optimizer, n_hidden + 1),
        batch_size=batch_size,
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
        bootstrap=bool(p["bootstrap"]),
        member_fraction=_optional(p["member_fraction"], float),
        **machine,
    )
    spec = _with_patience(spec, n_idle)
    refuse_contradictions(spec, p)
    return spec


def _network(
    p: Mapping[str, Any], hidden: tuple[int, ...] | HiddenModule, activation: tuple[Activation, ...]
) -> dict[str, Any]:
    """What a network is made of, and how it starts."""
    n_hidden = len(activation)
    return {
        "hidden_layer_sizes": hidden,
        "activation": activation,
        "topology": TOPOLOGIES.resolve(p["topology"]),
        "initializer": _resolve_initializer(p["initializer"], activation),
        "bias_initializer": _resolve_bias(p["bias_initializer"]),
        "norm": _resolve_norm(p["norm"], activation),
        "dropout": _per_layer("dropout", p["dropout"], n_hidden, _resolve_dropout),
        "input_dropout": float(p["input_dropout"] or 0.0),
        "weight_noise": float(p["weight_noise"]),
    }


def _updates(p: Mapping[str, Any], optimizer: Optimizer, n_matrices: int) -> dict[str, Any]:
    """What a step does to the weights: rate, schedules, clipping, penalties."""
    return {
        "optimizer": optimizer,
        "learning_rate_init": _resolve_rate(p["learning_rate_init"], optimizer),
        "schedule": _resolve_schedule("schedule", p),
        "momentum_schedule": _resolve_schedule("momentum_schedule", p),
        "dropout_schedule": _resolve_schedule("dropout_schedule", p),
        "weight_decay_schedule": _resolve_schedule("weight_decay_schedule", p),
        "accumulation_steps": int(p["accumulation_steps"]),
        "clip_norm": _optional(p["clip_norm"], float),
        "clip_value": _optional(p["clip_value"], float),
        "clip_scope": p["clip_scope"],
        "alpha": _resolve_strength("alpha", p["alpha"], n_matrices),
        "l1": _resolve_strength("l1", p["l1"], n_matrices),
        "activity_l1": float(p["activity_l1"]),
        "weight_decay": _resolve_decay(p["weight_decay"], p["optimizer"], optimizer),
        "constraint": _optional(p["constraint"], CONSTRAINTS.resolve),
        "ema_decay": float(p["ema_decay"]),
    }


def hidden_sizes(value: Any) -> tuple[int, ...] | HiddenModule:
    """The hidden layers' sizes as a tuple of int, or a user's own hidden part.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    if isinstance(value, LayerSizes | HiddenModule):
        value.validate()
        return value.sizes() if isinstance(value, LayerSizes) else value
    try:
        sizes = list(islice(value, DEEPEST + 1))
    except TypeError:  # one, or an array without axes
        sizes = [value]
    if len(sizes) > DEEPEST:
        raise ValueError(
            f"The 'hidden_layer_sizes' parameter must hold at most {DEEPEST} hidden layers, one "
            f"size each. Got more instead: {shown(sizes, 80)}. A width is a single number: 100."
        )
    if isinstance(value, Set | Mapping) or not all(_SIZE.is_satisfied_by(size) for size in sizes):
        raise ValueError(
            "The 'hidden_layer_sizes' parameter must hold positive integers, one a hidden "
            f"layer (hidden_layer_sizes must be > 0). Got {shown(value)} instead: use (64, 64) "
            "for two layers of 64 units, () for none."
        )
    return tuple(int(size) for size in sizes)


def _optional(value: Any, read: Callable[[Any], Any]) -> Any:
    return None if value is None else read(value)


def is_sequence(value: Any) -> bool:
    """Whether a parameter that may be one for all layers was given as one a layer."""
    return isinstance(value, list | tuple | np.ndarray)


def _per_layer(name: str, value: Any, n: int, read: Callable[[Any], C]) -> tuple[C, ...]:
    """One component a layer, from one for all or from a sequence."""
    if not is_sequence(value):
        component = read(value)
        return (component,) * n
    _refuse_length(name, value, n, "one a hidden layer")
    return tuple(read(v) for v in value)


def _refuse_length(name: str, value: Sequence[Any], n: int, what: str) -> None:
    if len(value) != n:
        raise ValueError(
            f"The {name!r} parameter must be one for all layers, or a sequence of {n}, {what}. "
            f"Got {len(value)} instead: {shown(value)}."
        )


def _resolve_strength(name: str, value: Any, n: int) -> float | tuple[float, ...]:
    if not is_sequence(value):
        return float(value)
    _refuse_length(name, value, n, "one a weight matrix, the output's the last")
    if not all(_STRENGTH.is_satisfied_by(strength) for strength in value):
        raise ValueError(
            f"The {name!r} parameter must hold numbers of at least 0. Got {shown(value)} instead."
        )
    return tuple(float(strength) for strength in value)


def _resolve_link(p: Mapping[str, Any]) -> tuple[Activation | None, tuple[float, float] | None]:
    """The activation of a regressor's output, None for the loss' own, and what it can reach."""
    value, given = p.get("output_activation", "identity"), p.get("output_range")
    activation = None if value == "identity" else as_activation(value)
    if activation is None:
        if given is not None:
            raise ValueError(
                f"output_range={given!r} needs a bounded output, but output_activation={value!r}. "
                "Use output_activation='logistic' or 'tanh'."
            )
        return None, None
    low, high = activation.range
    if activation.inputs_per_unit != 1 or activation.parameter_starts or activation.noisy:
        raise ValueError(
            f"output_activation={value!r} is no link: it has learned or random parts. Use one of "
            "'identity', 'relu', 'softplus', 'exponential', 'logistic' and 'tanh'."
        )
    if math.isinf(low) and math.isinf(high):
        return activation, None
    if math.isinf(low) or math.isinf(high):
        if given is not None:
            raise ValueError(
                f"output_range={given!r} needs an output that is bounded on both sides, but that "
                f"of output_activation={value!r} is within {activation.range}. Use 'logistic' or "
                "'tanh'."
            )
        return activation, (float(low), float(high))
    if given is None:
        return activation, (float(low), float(high))
    numbers = list(given)
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        raise ValueError(
            "The 'output_range' parameter must be two finite numbers, the smaller one first. Got "
            f"{given!r} instead."
        )
    return activation, (float(numbers[0]), float(numbers[1]))


def _resolve_initializer(value: Any, activation: tuple[Activation, ...]) -> tuple[Initializer, ...]:
    """An initializer a weight matrix; "auto" suits each layer's activation."""
    n = len(activation) + 1
    if isinstance(value, str) and value == "auto":
        names = [*(a.initializer for a in activation), "glorot_uniform"]
        return tuple(INITIALIZERS.resolve(name) for name in names)
    if not is_sequence(value):
        return (INITIALIZERS.resolve(value),) * n
    _refuse_length("initializer", value, n, "one a weight matrix, the output's the last")
    return tuple(INITIALIZERS.resolve(v) for v in value)


def _resolve_bias(value: Any) -> float | str | Initializer:
    if isinstance(value, Real):
        return float(value)
    return value if value == "prior" else INITIALIZERS.resolve(value)


def _resolve_norm(value: Any, activation: tuple[Activation, ...]) -> Norm | None:
    if value is None:
        return None
    if isinstance(value, str) and value == "auto":
        names = {ACTIVATIONS.name_of(a) for a in activation}
        return BatchNorm() if len(activation) >= DEEP and "selu" not in names else None
    return NORMS.resolve(value)


def _resolve_input_scaling(value: Any) -> str | Norm | None:
    if isinstance(value, Norm):
        return NORMS.resolve(value)
    return BatchNorm() if value == "batch_norm" else value


def _resolve_dropout(value: Any) -> DropoutRule:
    if isinstance(value, str | DropoutRule):
        return DROPOUTS.resolve(value)
    if value is None:
        return Dropout(0.0)
    if not _NUMBER.is_satisfied_by(value):
        raise ValueError(
            "The 'dropout' parameter must hold rates in the range [0.0, 1.0), names, components "
            f"or None. Got {shown(value)} instead."
        )
    rule = Dropout(float(value))
    rule.validate()
    return rule


def _resolve_schedule(name: str, p: Mapping[str, Any]) -> Any:
    """The schedule of that name; None where it was left out."""
    value = p[name]
    if isinstance(value, type) and issubclass(value, Schedule):
        raise TypeError(
            f"The {name!r} parameter takes an instance, not a class: write {value.__name__}() "
            f"instead of {value.__name__}."
        )
    return None if value is None else SCHEDULES.resolve(as_schedule(value))


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


def _resolve_batch_size(value: int | str, optimizer: Optimizer, n_samples: int) -> int:
    if optimizer.full_batch:
        if value not in ("auto", "full"):
            raise ValueError(
                f"optimizer={OPTIMIZERS.name_of(optimizer)!r} takes all rows at once, but "
                f"batch_size={value!r}. Leave batch_size='auto', or choose another optimizer."
            )
        return n_samples
    if isinstance(value, str):
        return min(200, n_samples) if value == "auto" else n_samples
    if value > n_samples:
        warn(f"batch_size={value} is larger than the {n_samples} rows to train on and is clipped.")
    return min(int(value), n_samples)


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
