"""Neural networks for tables that are scikit-learn estimators, trained by PyTorch."""

from ._show_versions import show_versions
from ._version import __version__
from .estimators._classifier import MLPClassifier
from .estimators._regressor import MLPRegressor
from .persistence import TRUSTED_TYPES

__all__ = ["TRUSTED_TYPES", "MLPClassifier", "MLPRegressor", "__version__", "show_versions"]
