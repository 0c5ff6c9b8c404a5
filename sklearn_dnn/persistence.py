"""What a file of a fitted estimator may hold."""

from __future__ import annotations

from .components import (
    EarlyStopping,
    FunctionActivation,
    FunctionAugmentation,
    FunctionCurriculum,
    FunctionLoss,
    FunctionSchedule,
    HiddenModule,
    Rectangular,
    TorchActivation,
    TorchLoss,
    TorchOptimizer,
)
from .components.activations import ACTIVATIONS
from .components.augmentations import AUGMENTATIONS
from .components.constraints import CONSTRAINTS
from .components.curricula import CURRICULA
from .components.dropouts import DROPOUTS
from .components.embeddings import EMBEDDINGS
from .components.initializers import INITIALIZERS
from .components.losses import LOSSES
from .components.norms import NORMS
from .components.optimizers import OPTIMIZERS
from .components.schedules import SCHEDULES
from .components.topologies import TOPOLOGIES
from .estimators._classifier import MLPClassifier
from .estimators._regressor import MLPRegressor

_REGISTRIES = (
    ACTIVATIONS,
    AUGMENTATIONS,
    CONSTRAINTS,
    CURRICULA,
    DROPOUTS,
    EMBEDDINGS,
    INITIALIZERS,
    LOSSES,
    NORMS,
    OPTIMIZERS,
    SCHEDULES,
    TOPOLOGIES,
)

# The function or the class that one of these wraps has to be trusted by itself.
_WRAPPERS = (
    FunctionActivation,
    FunctionAugmentation,
    FunctionCurriculum,
    FunctionLoss,
    FunctionSchedule,
    HiddenModule,
    TorchActivation,
    TorchLoss,
    TorchOptimizer,
)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


TRUSTED_TYPES: list[str] = sorted(
    _name(cls)
    for cls in (
        MLPClassifier,
        MLPRegressor,
        EarlyStopping,
        Rectangular,
        *_WRAPPERS,
        *(registry[name] for registry in _REGISTRIES for name in registry),
    )
)
"""Names of all types of this package that an estimator's state can hold, for ``skops.io.load``.

The fitted state itself is NumPy arrays and plain Python values; components of a user's own are
not in the list.
"""
