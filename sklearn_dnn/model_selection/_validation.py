"""scikit-learn's validation functions, with networks trained in stacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import sklearn.model_selection as sklearn_functions

from ._stacking import stacking

P = ParamSpec("P")
T = TypeVar("T")


def _stacked(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, with the same signature, where networks are trained in stacks."""

    @wraps(function)
    def stacked(*args: P.args, **kwargs: P.kwargs) -> T:
        verbose: Any = kwargs.get("verbose", 0)
        with stacking(verbose=verbose):
            return function(*args, **kwargs)

    return stacked


cross_validate = _stacked(sklearn_functions.cross_validate)
cross_val_score = _stacked(sklearn_functions.cross_val_score)
cross_val_predict = _stacked(sklearn_functions.cross_val_predict)
learning_curve = _stacked(sklearn_functions.learning_curve)
validation_curve = _stacked(sklearn_functions.validation_curve)
