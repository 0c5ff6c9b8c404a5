"""scikit-learn's common tests as cases of pytest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import pytest
from sklearn import config_context
from sklearn.utils.estimator_checks import estimator_checks_generator


def with_every_check(
    estimators: Iterable[Any],
    *,
    expected_failed_checks: Callable[[Any], Mapping[str, str]] | None = None,
) -> pytest.MarkDecorator:
    """What ``parametrize_with_checks`` does, printing each estimator once instead of once a check.

    Parameters
    ----------
    estimators : iterable of estimators
    expected_failed_checks : callable or None
        From an estimator to a mapping: name of a check, why it fails.
    """
    cases = []
    for estimator in estimators:
        failing = expected_failed_checks(estimator) if expected_failed_checks else {}
        cases += estimator_checks_generator(
            estimator, expected_failed_checks=dict(failing), mark="xfail"
        )
    return pytest.mark.parametrize(("estimator", "check"), cases, ids=cache(_name))


def _name(value: Any) -> str:
    """Of a check, or of an estimator with the parameters that are not at their defaults."""
    if callable(value):
        given = ",".join(f"{name}={v}" for name, v in value.keywords.items())
        return value.func.__name__ + (f"({given})" if given else "")
    with config_context(print_changed_only=True):
        return re.sub(r"\s", "", str(value))
