"""Neural networks for tables that are scikit-learn estimators, trained by PyTorch."""

from .estimators._classifier import MLPClassifier
from .estimators._regressor import MLPRegressor
from .persistence import TRUSTED_TYPES

__version__ = "0.1.0"

__all__ = ["TRUSTED_TYPES", "MLPClassifier", "MLPRegressor", "__version__"]
