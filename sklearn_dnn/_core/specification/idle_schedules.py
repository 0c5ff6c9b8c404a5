"""Schedules that have nothing to drive."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from ...components.optimizers import Lookahead, Optimizer
from .spec import FitSpec


def refuse_idle_schedules(spec: FitSpec, parameters: Mapping[str, Any]) -> None:
    """Refuse a schedule whose factors multiply nothing but 0.

    A 0 that a component states passes: a search over that component may have it among others.
    """
    optimizer, dropout = parameters["optimizer"], parameters["dropout"]
    for what, where, drives, way_out in (
        (
            "momentum",
            f"optimizer={optimizer!r}",
            _has_momentum(spec, optimizer),
            "use optimizer='momentum' (in a search that has 0 too, SGD(momentum=0.0))",
        ),
        (
            "dropout",
            f"dropout={dropout!r} and input_dropout={spec.input_dropout!r}",
            _has_dropout(spec, dropout),
            "set one of them above 0 (in a search that has 0 too, Dropout(rate=0.0))",
        ),
        (
            "weight_decay",
            f"weight_decay={spec.weight_decay!r}",
            _has_decay(spec, optimizer),
            "set it above 0 (in a search that has 0 too, AdamW(weight_decay=0.0))",
        ),
    ):
        schedule = getattr(spec, f"{what}_schedule")
        if schedule is not None and not drives:
            raise ValueError(
                f"{what}_schedule={schedule!r} drives a {what} of 0, with {where}. Set "
                f"{what}_schedule=None, or {way_out}."
            )


def _has_momentum(spec: FitSpec, given: str | Optimizer) -> bool:
    name = spec.optimizer.momentum_name
    if name is None:
        return False
    inner = _innermost(given)
    stated = inner.get_params() if isinstance(inner, Optimizer) else {}
    return spec.optimizer.coefficients()[name] != 0 or name.rpartition("__")[2] in stated


def _has_decay(spec: FitSpec, given: str | Optimizer) -> bool:
    inner = _innermost(given)
    own = isinstance(inner, Optimizer) and type(inner).decay is not Optimizer.decay
    return spec.weight_decay > 0 or own


def _has_dropout(spec: FitSpec, given: Any) -> bool:
    if spec.input_dropout > 0 or spec.module is not None:
        return spec.input_dropout > 0
    rules = given if isinstance(given, list | tuple) else [given]
    return any(
        rule is not None and (not isinstance(rule, Real) or float(rule) > 0) for rule in rules
    )


def _innermost(optimizer: str | Optimizer) -> str | Optimizer:
    """What a lookahead, or one around another, goes around."""
    while isinstance(optimizer, Lookahead):
        optimizer = optimizer.optimizer
    return optimizer
