"""Searches and validation that train many networks as one stack."""

from ._halving import HalvingGridSearchCV, HalvingRandomSearchCV
from ._optuna import optimize
from ._search import GridSearchCV, RandomizedSearchCV
from ._stacking import stacking
from ._validation import (
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)

__all__ = [
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "optimize",
    "stacking",
    "validation_curve",
]
