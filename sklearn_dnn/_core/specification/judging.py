"""Whether rows that do not train judge a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sklearn.base import clone

from ..._warnings import warn
from ...components.stopping import EarlyStopping
from .spec import FitSpec

EARLY_STOPPING_ROWS = 10_000


def stops_early(value: bool | str | EarlyStopping, n_samples: int, has_validation: bool) -> bool:
    """Whether a validation part decides when a fit ends: what "auto" means."""
    if isinstance(value, str):
        return has_validation or n_samples > EARLY_STOPPING_ROWS
    if isinstance(value, EarlyStopping):
        return value.watch == "validation"
    return bool(value)


def holds_out_folds(parameters: Mapping[str, Any]) -> bool:
    """Whether each member of an ensemble is to hold out rows of its own.

    Raises
    ------
    ValueError
        If there are no members that could.
    """
    asked = parameters["validation_fraction"] == "folds"
    if not asked or not stops_early(parameters["early_stopping"], 0, has_validation=True):
        return False
    if int(parameters["n_members"]) == 1 or parameters["ensemble"] == "shared":
        raise ValueError(
            "validation_fraction='folds' lets each of several independent members hold out rows "
            f"of its own, but n_members={parameters['n_members']!r} and "
            f"ensemble={parameters['ensemble']!r}. Set n_members to 2 or more (where the recipe "
            "for tables does not apply, 'auto' is 1) with ensemble='independent', or give a "
            "fraction."
        )
    return True


def without_validation(spec: FitSpec) -> FitSpec:
    """What is really done where no rows could be held out: the training loss is monitored.

    A target and a baseline of a score are left out with a warning, since no loss can be compared
    with them.
    """
    rule = spec.stopping
    if rule is not None and spec.monitor != "loss":
        given = {name: getattr(rule, name) for name in ("target", "baseline")}
        given = {name: value for name, value in given.items() if value is not None}
        if given:
            values = " and ".join(f"{name}={value!r}" for name, value in given.items())
            warn(
                f"{values} of EarlyStopping is left out: without a validation part there are no "
                f"scores of monitor={spec.monitor!r} to compare it with. Give X_val and y_val, or "
                "more rows."
            )
        changes = {"mode": "auto", "target": None, "baseline": None, "baseline_patience": None}
        rule = clone(rule).set_params(**changes)
    return replace(spec, early_stopping=False, monitor="loss", stopping=rule, calibration=None)
