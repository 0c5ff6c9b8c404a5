"""Fits that fail leave the estimator as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def all_or_nothing(method: F) -> F:
    """Decorator of a method after whose errors the estimator is as it was before the call.

    Its attributes are put back, parameters and fitted ones, and the stream of a `random_state`
    that is an instance of NumPy's. Nothing may change a fitted attribute in place: what training
    goes on from is copied first.
    """

    @wraps(method)
    def whole(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(estimator))
        chance = before.get("random_state")
        if not isinstance(chance, np.random.RandomState):
            chance = None
        drawn = None if chance is None else chance.get_state()
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:
            put_back(estimator, before)
            if chance is not None and drawn is not None:
                chance.set_state(drawn)
            raise

    return cast("F", whole)


def put_back(estimator: Any, before: dict[str, Any]) -> None:
    """Give an estimator the attributes that it had."""
    now = vars(estimator)
    for name in now.keys() - before.keys():
        del now[name]
    now.update(before)
