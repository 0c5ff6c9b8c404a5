"""What a file of a fitted estimator may hold."""

from __future__ import annotations

from .components.activations import ACTIVATIONS
from .components.architectures import Rectangular
from .components.dropouts import DROPOUTS
from .components.initializers import INITIALIZERS
from .components.losses import LOSSES
from .components.norms import NORMS
from .components.optimizers import OPTIMIZERS
from .components.schedules import SCHEDULES
from .estimators._classifier import MLPClassifier
from .estimators._regressor import MLPRegressor

_REGISTRIES = (
    ACTIVATIONS,
    DROPOUTS,
    INITIALIZERS,
    LOSSES,
    NORMS,
    OPTIMIZERS,
    SCHEDULES,
)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


TRUSTED_TYPES: list[str] = sorted(
    _name(cls)
    for cls in (
        MLPClassifier,
        MLPRegressor,
        Rectangular,
        *(registry[name] for registry in _REGISTRIES for name in registry),
    )
)
"""Names of all types of this package that an estimator's state can hold, for ``skops.io.load``.

The fitted state itself is NumPy arrays and plain Python values; components of a user's own are
not in the list.
"""
