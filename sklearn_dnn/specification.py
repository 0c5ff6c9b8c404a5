"""From what the user typed to what is really done: names to components, "auto" to numbers.

Below this module nobody reads the estimator and nothing is "auto".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ._threads import available_threads
from .components.activations import ACTIVATIONS, Activation
from .components.architectures import Architecture
from .components.base import Component
from .components.dropouts import DROPOUTS, Dropout, DropoutRule
from .components.initializers import INITIALIZERS, Initializer
from .components.losses import LOSSES, Loss
from .components.norms import NORMS, BatchNorm, Norm
from .components.optimizers import OPTIMIZERS, Optimizer
from .components.schedules import SCHEDULES, Constant, Schedule

# Multiply-adds of a step below which float64 costs no more time than float32: the step is
# spent on calling kernels, not on arithmetic.
FLOAT64_WORK = 2**19
# Multiply-adds of a step above which a GPU pays for launching its kernels.
CUDA_WORK = 2**23
EARLY_STOPPING_ROWS = 10_000


@dataclass(frozen=True)
class Task:
    """What the data say.

    Parameters
    ----------
    kind : {"regression", "binary", "multiclass", "multilabel"}
        What is learnt.
    n_features, n_outputs : int
        Columns of the network's input and of its raw output.
    n_samples : int
        Rows of positive weight that were given.
    n_training : int
        Those that train, after a validation part was taken out.
    dtype : str
        Type of the input, "float32" or "float64".
    has_validation : bool
        True if the caller gave a validation set.
    """

    kind: str
    n_features: int
    n_outputs: int
    n_samples: int
    n_training: int
    dtype: str
    has_validation: bool = False


@dataclass(frozen=True)
class FitSpec:
    """Everything that decides a fit, with nothing left open.

    The fields have the meaning of the estimators' parameters of the same name; components are
    checked instances, and every number is a number.
    """

    task: Task
    hidden_layer_sizes: tuple[int, ...]
    activation: Activation
    initializer: Initializer
    output_initializer: Initializer
    norm: Norm | None
    dropout: DropoutRule | None
    loss: Loss
    optimizer: Optimizer
    learning_rate_init: float
    schedule: Schedule
    batch_size: int
    max_iter: int
    clip_norm: float | None
    clip_value: float | None
    alpha: float
    l1: float
    weight_decay: float
    label_smoothing: float
    input_scaling: str | None
    target_scaling: str | None
    early_stopping: bool
    n_iter_no_change: float
    tol: float
    monitor: str | Callable[..., float]
    max_time: float | None
    shuffle: bool
    device: str
    n_threads: int
    dtype: str

    @cached_property
    def objective(self) -> Loss:
        """The loss, bound to the task."""
        return self.loss.bind(self.task.kind)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units of every layer, from the inputs to the raw outputs."""
        return (self.task.n_features, *self.hidden_layer_sizes, self.task.n_outputs)

    @property
    def dropout_rate(self) -> float:
        """Share of hidden units dropped in training; 0 without dropout."""
        return 0.0 if self.dropout is None else float(self.dropout.rate)

    @property
    def torch_dtype(self) -> torch.dtype:
        return torch.float64 if self.dtype == "float64" else torch.float32

    def as_dict(self) -> dict[str, Any]:
        """The same as nested plain Python values, for people and for files."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        parameters = {k: _plain(v) for k, v in value.get_params(deep=False).items()}
        return {"component": type(value).__name__, **parameters}
    if isinstance(value, Task):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # a user's callable: its address would differ from process to process
    return f"{type(value).__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"


def structure(spec: FitSpec) -> dict[str, Any]:
    """What the members of a stack must have in common: all but numbers that are columns there."""
    shared = spec.as_dict()
    for name in (
        "learning_rate_init",
        "schedule",
        "max_iter",
        "clip_norm",
        "clip_value",
        "alpha",
        "l1",
        "weight_decay",
        "label_smoothing",
        "n_iter_no_change",
        "tol",
        "dropout",
        "initializer",
        "output_initializer",
    ):
        del shared[name]
    for name in (*spec.optimizer.varying, "weight_decay"):
        shared["optimizer"].pop(name, None)
    return shared


def step_work(layer_sizes: tuple[int, ...], batch_size: int) -> int:
    """Multiply-adds of one forward pass over a batch."""
    return batch_size * sum(i * o for i, o in pairwise(layer_sizes))


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
    p = dict(parameters)
    hidden = hidden_sizes(p["hidden_layer_sizes"])
    activation = ACTIVATIONS.resolve(p["activation"])
    initializer = p["initializer"]
    output_initializer = initializer
    if isinstance(initializer, str) and initializer == "auto":
        initializer = activation.initializer
        output_initializer = "glorot_uniform"
    optimizer = OPTIMIZERS.resolve(p["optimizer"])
    schedule = SCHEDULES.resolve(p["schedule"])
    dropout = _resolve_dropout(p["dropout"])
    batch_size = _resolve_batch_size(p["batch_size"], optimizer, task.n_training)
    sizes = (task.n_features, *hidden, task.n_outputs)
    work = step_work(sizes, batch_size)
    loss = _resolve_loss(p["loss"], task)
    norm = None if p["norm"] is None else NORMS.resolve(p["norm"])
    target_scaling = p.get("target_scaling")
    spec = FitSpec(
        task=task,
        hidden_layer_sizes=hidden,
        activation=activation,
        initializer=INITIALIZERS.resolve(initializer),
        output_initializer=INITIALIZERS.resolve(output_initializer),
        norm=norm,
        dropout=dropout,
        loss=loss,
        optimizer=optimizer,
        learning_rate_init=float(p["learning_rate_init"]),
        schedule=schedule,
        batch_size=batch_size,
        max_iter=int(p["max_iter"]),
        clip_norm=None if p["clip_norm"] is None else float(p["clip_norm"]),
        clip_value=None if p["clip_value"] is None else float(p["clip_value"]),
        alpha=float(p["alpha"]),
        l1=float(p["l1"]),
        weight_decay=_resolve_decay(p["weight_decay"], p["optimizer"], optimizer),
        label_smoothing=float(p.get("label_smoothing", 0.0)),
        input_scaling=p["input_scaling"],
        target_scaling=target_scaling if loss.scales_target else None,
        early_stopping=stops_early(p["early_stopping"], task.n_samples, task.has_validation),
        n_iter_no_change=float(p["n_iter_no_change"]),
        tol=float(p["tol"]),
        monitor=p["monitor"],
        max_time=None if p["max_time"] is None else float(p["max_time"]),
        shuffle=bool(p["shuffle"]),
        device=_resolve_device(p["device"], work),
        n_threads=_resolve_threads(p["n_threads"], work),
        dtype=_resolve_dtype(p["dtype"], task.dtype, work),
    )
    _refuse_contradictions(spec)
    return spec


def stops_early(value: bool | str, n_samples: int, has_validation: bool) -> bool:
    """Whether a validation part decides when a fit ends: what "auto" means."""
    if isinstance(value, str):
        return has_validation or n_samples > EARLY_STOPPING_ROWS
    return bool(value)


def hidden_sizes(value: Any) -> tuple[int, ...]:
    """The hidden layers' sizes as a tuple of int.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    if isinstance(value, Architecture):
        value.validate()
        return value.sizes()
    sizes = [value] if np.ndim(value) == 0 else list(value)
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(
                "The 'hidden_layer_sizes' parameter must hold positive integers, one a hidden "
                f"layer (hidden_layer_sizes must be > 0). Got {value!r} instead: use (64, 64) for "
                "two layers of 64 units, () for none."
            )
    return tuple(int(size) for size in sizes)


def _resolve_dropout(value: float | str | DropoutRule) -> DropoutRule | None:
    if isinstance(value, str | DropoutRule):
        rule = DROPOUTS.resolve(value)
        return rule if rule.rate > 0 else None
    return Dropout(float(value)) if value > 0 else None


def _resolve_batch_size(value: int | str, optimizer: Optimizer, n_samples: int) -> int:
    if optimizer.full_batch:
        if value != "auto":
            raise ValueError(
                f"optimizer={OPTIMIZERS.name_of(optimizer)!r} takes all rows at once, but "
                f"batch_size={value!r}. Leave batch_size='auto', or choose another optimizer."
            )
        return n_samples
    if isinstance(value, str):
        return min(200, n_samples)
    if value > n_samples:
        warnings.warn(
            f"batch_size={value} is larger than the {n_samples} rows to train on and is clipped.",
            UserWarning,
            stacklevel=6,
        )
    return min(int(value), n_samples)


def _resolve_loss(value: str | Loss, task: Task) -> Loss:
    loss = LOSSES.resolve(value)
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


def _resolve_device(value: str, work: int) -> str:
    if value == "auto":
        return "cuda" if work >= CUDA_WORK and torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(value)
    except RuntimeError as error:
        raise ValueError(
            "The 'device' parameter must be 'auto' or a torch device such as 'cpu', 'cuda' or "
            f"'cuda:1'. Got {value!r} instead."
        ) from error
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ValueError(
                f"device={value!r} was asked for, but torch sees {count} CUDA devices. Use "
                "device='cpu' or 'auto', or install a CUDA build of torch and its driver."
            )
    elif device.type != "cpu":
        raise ValueError(
            "The 'device' parameter must be 'auto', 'cpu', 'cuda' or 'cuda:<index>'. "
            f"Got {value!r} instead."
        )
    return value


def _resolve_threads(value: int | None, work: int) -> int:
    if value is not None:
        return int(value)
    # Below four million multiply-adds a second thread costs more than it does.
    return max(1, min(available_threads(), work >> 21))


def _resolve_dtype(value: str, input_dtype: str, work: int) -> str:
    if value != "auto":
        return value
    return "float64" if input_dtype == "float64" and work <= FLOAT64_WORK else "float32"


def _refuse_contradictions(spec: FitSpec) -> None:
    if isinstance(spec.norm, BatchNorm) and spec.batch_size == 1 and spec.task.n_training > 1:
        raise ValueError(
            "norm='batch' needs the variance of a batch, but batch_size=1. Use batch_size >= 2 "
            "or norm='layer'."
        )
    if spec.monitor != "loss" and not spec.early_stopping:
        raise ValueError(
            f"monitor={spec.monitor!r} scores a validation part, but early_stopping is off. Use "
            "early_stopping=True, give X_val and y_val, or leave monitor='loss'."
        )
    smooths = type(spec.objective).smooth is not Loss.smooth
    if spec.label_smoothing > 0 and not smooths:
        raise ValueError(
            f"label_smoothing={spec.label_smoothing!r} needs a loss with labels to smooth, but "
            f"loss={spec.loss!r} has no method `smooth`. Set label_smoothing=0.0, or use "
            "loss='log_loss'."
        )
    if spec.optimizer.full_batch:
        name = OPTIMIZERS.name_of(spec.optimizer)
        for parameter, value, off in (
            ("dropout", spec.dropout_rate, 0.0),
            ("clip_norm", spec.clip_norm, None),
            ("clip_value", spec.clip_value, None),
            ("l1", spec.l1, 0.0),
            ("weight_decay", spec.weight_decay, 0.0),
        ):
            if value != off:
                raise ValueError(
                    f"optimizer={name!r} minimises one smooth function by a line search, but "
                    f"{parameter}={value!r}. Set {parameter}={off!r} (alpha penalises weights "
                    "smoothly), or choose another optimizer."
                )
        if not isinstance(spec.schedule, Constant):
            raise ValueError(
                f"optimizer={name!r} finds its own step length, but schedule={spec.schedule!r}. "
                "Leave schedule='constant', or choose another optimizer."
            )
