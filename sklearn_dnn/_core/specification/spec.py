"""The frozen specification of a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np
import torch

from ...components.activations import Activation
from ...components.architectures import HiddenModule
from ...components.augmentations import Augmentation
from ...components.base import Component
from ...components.clipping import ClipNorm
from ...components.constraints import Constraint
from ...components.curricula import Curriculum
from ...components.dropouts import DropoutRule
from ...components.embeddings import NumericEmbedding, entering_width
from ...components.ensembles import Bagging
from ...components.initializers import Initializer
from ...components.losses import Loss
from ...components.norms import BatchNorm, Norm
from ...components.optimizers import Optimizer
from ...components.schedules import Schedule
from ...components.stopping import EarlyStopping
from ...components.topologies import Topology

# The type that computes products in bfloat16, on float32 parameters.
MIXED = "mixed_bfloat16"


@dataclass(frozen=True)
class Task:
    """What the data say.

    Parameters
    ----------
    kind : {"regression", "binary", "multiclass", "multilabel"}
        What is learnt.
    n_features, n_outputs : int
        Columns of the network's input, and targets (classes of a softmax, labels, numbers). In
        the input, numbers come first, then what passes as it is, then codes of levels.
    n_samples : int
        Rows of positive weight that were given.
    n_training : int
        Those that train, after a validation part was taken out.
    dtype : str
        Type of the input, "float32" or "float64".
    has_validation : bool
        True if there are rows that judge even of a small table: the caller gave a validation
        set, or each member holds out a fold.
    has_difficulty : bool
        True if the caller told how difficult each row is.
    n_passed : int
        Columns of zeros and ones: indicators of gaps, and levels that have a column each.
    levels : tuple of int
        For each column of codes the number of its levels, which are learned as vectors.
    float32_targets : bool
        False if float32 can't tell the targets of a regression apart, as times in seconds; its
        predictions are then float64 whatever the type of X.
    """

    kind: str
    n_features: int
    n_outputs: int
    n_samples: int
    n_training: int
    dtype: str
    has_validation: bool = False
    has_difficulty: bool = False
    n_passed: int = 0
    levels: tuple[int, ...] = ()
    float32_targets: bool = True

    @property
    def n_numbers(self) -> int:
        """Columns of numbers."""
        return self.n_features - self.n_passed - len(self.levels)


@dataclass(frozen=True)
class FitSpec:
    """Everything that decides a fit, with nothing left open.

    The fields have the meaning of the estimators' parameters of the same name; components are
    checked instances, one for each layer where layers may differ, and every number is a number:
    `driven` has the schedules of those that are scheduled, by the names of
    :func:`~.driven.driven_numbers`. `output_range` is what predictions lie between, and
    `accumulation_steps` the batches of a step. `by_recipe` tells whether the recipe for tables
    chose what was left at "auto", `whole_cycles` whether patience ends nothing before the
    schedules' cycles are over, and `loss_of_batches` whether an epoch's loss is the mean of what
    its batches minimised, by their rows: each with the penalty of the weights that it found.
    """

    task: Task
    hidden_layer_sizes: tuple[int, ...] | HiddenModule
    activation: tuple[Activation, ...]
    output_activation: Activation | None
    output_range: tuple[float, float] | None
    topology: Topology
    initializer: tuple[Initializer, ...]
    bias_initializer: float | str | Initializer
    norm: Norm | None
    dropout: tuple[DropoutRule, ...]
    input_dropout: float
    weight_noise: float
    augmentation: tuple[Augmentation, ...]
    curriculum: Curriculum | None
    loss: Loss
    output_weights: tuple[float, ...] | None
    optimizer: Optimizer
    learning_rate_init: float
    schedule: Schedule
    driven: dict[str, Schedule]
    batch_size: int
    accumulation_steps: int
    max_iter: int
    clip_norm: ClipNorm | None
    clip_value: float | None
    alpha: float | tuple[float, ...]
    l1: float | tuple[float, ...]
    activity_l1: float
    weight_decay: float
    constraint: Constraint | None
    ema_decay: float
    label_smoothing: float
    calibration: str | None
    input_scaling: str | Norm | None
    numeric_embedding: NumericEmbedding | None
    target_scaling: str | None
    early_stopping: bool
    stopping: EarlyStopping | None
    n_iter_no_change: float
    tol: float
    monitor: str | Callable[..., float]
    max_time: float | None
    shuffle: bool
    n_members: int
    ensemble: str | Bagging
    device: str
    n_threads: int
    dtype: str
    by_recipe: bool = False
    whole_cycles: bool = False
    loss_of_batches: bool = False

    @cached_property
    def objective(self) -> Loss:
        """The loss that is really trained, with its link."""
        return objective(self.loss, self.task.kind, self.output_weights, self.output_activation)

    @property
    def n_raw(self) -> int:
        """Raw outputs of the network."""
        return self.task.n_outputs * self.objective.outputs_per_target

    @property
    def n_shared(self) -> int:
        """Members that share one network; 1 where each has a network of its own."""
        return self.n_members if self.ensemble == "shared" else 1

    @property
    def n_networks(self) -> int:
        """Networks that are trained: one a member that shares nothing."""
        return 1 if self.ensemble == "shared" else self.n_members

    @property
    def module(self) -> HiddenModule | None:
        """A user's own hidden part."""
        sizes = self.hidden_layer_sizes
        return sizes if isinstance(sizes, HiddenModule) else None

    @property
    def input_norm(self) -> Norm | None:
        """A norm of the inputs that is trained with the network."""
        return self.input_scaling if isinstance(self.input_scaling, Norm) else None

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The schedules there are, by the number that each drives."""
        return {"learning_rate": self.schedule, **self.driven}

    @property
    def _plans(self) -> dict[str, Schedule | Curriculum]:
        """The schedules, by the same names, and the curriculum."""
        drawn = {} if self.curriculum is None else {"curriculum": self.curriculum}
        return {**self.schedules, **drawn}

    @property
    def ending_with_training(self) -> list[str]:
        """The schedules, and the curriculum, that end where training does."""
        return [name for name, plan in self._plans.items() if plan.ends_with_training]

    def in_cycle(self, passed: Callable[[str], float]) -> bool:
        """Whether a schedule, or the curriculum, has not come to its end, or to that of a cycle.

        Parameters
        ----------
        passed : callable
            ``passed(name)`` gives the epochs since one of them began.
        """
        times = ((plan, passed(name)) for name, plan in self._plans.items())
        return any(plan.cycle_end(t, float(self.max_iter)) > t for plan, t in times)

    @property
    def refits(self) -> bool:
        """Whether the network is trained again on all rows, for as long as was best."""
        return self.stopping is not None and self.stopping.refit

    @property
    def restores_best(self) -> bool:
        """Whether the best weights are kept, where there was something to judge them by."""
        return self.stopping is None or self.stopping.restore_best

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        """Share of each hidden layer's units, or weights, dropped in training."""
        return tuple(float(rule.rate) for rule in self.dropout)

    @property
    def is_noisy(self) -> bool:
        """Whether a forward pass in training draws at random."""
        return (
            any(rate > 0 for rate in self.dropout_rates)
            or self.input_dropout > 0
            or self.weight_noise > 0
            or any(activation.noisy for activation in self.activation)
            or self.module is not None
        )

    @property
    def may_measure_batches(self) -> bool:
        """Whether some part may need the variance of a batch, which one row has not."""
        norms = (self.norm, self.input_norm)
        return self.module is not None or any(isinstance(norm, BatchNorm) for norm in norms)

    @property
    def mixes_precision(self) -> bool:
        """Whether products are computed in bfloat16, on float32 parameters."""
        return self.dtype == MIXED

    @property
    def torch_dtype(self) -> torch.dtype:
        """Type of parameters and inputs."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    def as_dict(self) -> dict[str, Any]:
        """The same as nested plain Python values, for people and for files."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def objective(
    loss: Loss,
    kind: str,
    output_weights: Sequence[float] | None,
    output_activation: Activation | None,
) -> Loss:
    """A loss bound to a kind of task, to weights of its targets, and to a link."""
    bound = loss.bind(kind)
    if output_weights is not None:
        bound = bound.with_output_weights(output_weights)
    if output_activation is not None:
        bound = bound.with_link(output_activation)
    return bound


def task_width(embedding: NumericEmbedding | None, task: Task) -> int:
    """What the first layer reads of a task's columns."""
    return entering_width(embedding, task.n_numbers, task.n_passed, len(task.levels))


def is_on(strength: float | Sequence[float]) -> bool:
    """Whether a penalty, one for all layers or one a layer, is above zero anywhere."""
    return any(s > 0 for s in strength) if isinstance(strength, Sequence) else strength > 0


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        parameters = {k: _plain(v) for k, v in value.get_params(deep=False).items()}
        return {"component": type(value).__name__, **parameters}
    if isinstance(value, Task | dict):
        items = value if isinstance(value, dict) else vars(value)
        return {k: _plain(v) for k, v in items.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # a user's callable or class: its address would differ from process to process
    named = value if isinstance(value, type | FunctionType) else type(value)
    return f"{named.__module__}.{named.__qualname__}"
