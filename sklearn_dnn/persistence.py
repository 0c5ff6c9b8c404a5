"""What a file of a fitted estimator may hold."""

from __future__ import annotations

from . import components
from .components import FAMILIES
from .estimators._classifier import MLPClassifier
from .estimators._regressor import MLPRegressor


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


# Of a wrapper, the function or the class that it holds has to be trusted by itself.
TRUSTED_TYPES: list[str] = sorted(
    {
        _name(cls)
        for cls in (
            MLPClassifier,
            MLPRegressor,
            *(vars(components)[name] for name in components.__all__),
            *(registry[name] for registry in FAMILIES.values() for name in registry),
        )
    }
    # by name, since the module imports scikit-learn's own
    | {f"sklearn_dnn.neural_network.{name}" for name in ("MLPClassifier", "MLPRegressor")}
)
"""Names of all types of this package that an estimator's state can hold, for ``skops.io.load``.

The fitted state itself is NumPy arrays and plain Python values; components of a user's own are
not in the list.
"""
