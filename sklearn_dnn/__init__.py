"""Neural networks for tables that are scikit-learn estimators, trained by PyTorch."""

from .estimators._classifier import MLPClassifier
from .estimators._regressor import MLPRegressor

__version__ = "0.1.0"

__all__ = ["MLPClassifier", "MLPRegressor", "__version__"]
