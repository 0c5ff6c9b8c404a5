"""The arrays around a fitted network, by name: what becomes of columns, and of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data.columns import Columns
from ..data.scaling import Scaling
from .fitted import Fitted

# All of them begin so; the network's own do not.
PREFIXES = ("inputs.", "targets.", "temperature")
NAMES = "inputs.names"
FLOAT32 = "targets.float32"
_PLAN = ("fill", "gaps", "center", "scale", "knots", "scores", "widths")
_POSITIVE = ("inputs.scale", "targets.scale", "temperature")
# Beyond it products of two are infinite.
LARGEST = float(np.sqrt(np.finfo(np.float64).max))
SAME_TABLE = (
    "The arrays must come from an estimator with the same parameters, fitted on a table with the "
    "same columns and categories."
)


def arrays_around(estimator: Any) -> dict[str, np.ndarray]:
    """All of them, sharing memory with the estimator's."""
    e, found = estimator, {}
    if "feature_names_in_" in vars(e):
        found[NAMES] = e.feature_names_in_
    if e.input_mean_ is not None:
        found |= {"inputs.center": e.input_mean_, "inputs.scale": e.input_scale_}
    kept = e.input_columns_
    found |= {f"inputs.{n}": kept[n] for n in _PLAN if kept.get(n) is not None}
    for j, slots, levels in zip(_positions(e), kept.get("slots", []), e.categories_, strict=True):
        found |= {f"inputs.slots.{j}": slots, f"inputs.levels.{j}": levels}
    found |= {name: vars(e)[attribute] for name, attribute in e._target_arrays.items()}
    if e.spec_["task"]["kind"] == "regression":
        found[FLOAT32] = np.array([Fitted(e).suits_float32])
    if e.spec_["calibration"] is not None:
        found["temperature"] = np.asarray(e.temperature_, dtype=np.float64)
    return found


def shape_told(name: str, given: np.ndarray, old: np.ndarray) -> str:
    """The shape that an array should have, for a message; empty where its own will do.

    How many knots and levels there are depends on the rows that trained; the network need not.
    """
    if given.shape == old.shape or name == NAMES:
        return ""
    if name in {"inputs.knots", "inputs.scores"}:
        fits = given.ndim == 2 and len(given) > 1 and given.shape[1] == old.shape[1]
        return "" if fits else f"(k, {old.shape[1]}) with k of at least 2"
    fits = name.startswith("inputs.levels.") and given.ndim == 1  # slots are looked at with them
    if name.startswith("inputs.slots."):
        fits = given.ndim == 1 and len(given) > 1 and given.max() == old.max()
    return "" if fits else str(old.shape)


def _refuse_other_lengths(new: Mapping[str, np.ndarray], positions: list[int]) -> None:
    """Refuse arrays of which one is longer than what stands beside it."""
    if "inputs.knots" in new and new["inputs.knots"].shape != new["inputs.scores"].shape:
        shapes = new["inputs.knots"].shape, new["inputs.scores"].shape
        raise ValueError(
            "'inputs.knots' and 'inputs.scores' must have the same shape, a score for each knot. "
            f"Got {shapes[0]} and {shapes[1]}."
        )
    for j in positions:
        n_levels, n_slots = len(new[f"inputs.levels.{j}"]), len(new[f"inputs.slots.{j}"])
        if n_slots != n_levels + 2:
            raise ValueError(
                f"'inputs.slots.{j}' must have two numbers more than 'inputs.levels.{j}' has "
                f"labels, for an unknown level and for a gap. Got {n_slots} numbers and {n_levels} "
                "labels."
            )


def _positions(estimator: Any) -> list[int]:
    """Those of the columns of categories."""
    categorical = estimator.is_categorical_
    return [] if categorical is None else np.flatnonzero(categorical).tolist()


def attributes_around(estimator: Any, given: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The attributes that hold other arrays, of which names, shapes and kinds are right.

    Raises
    ------
    ValueError
        If numbers are of no use where they stand, or the columns become other inputs.
    """
    e = estimator
    old = arrays_around(e)
    if NAMES in old and NAMES in given and list(old[NAMES]) != list(given[NAMES]):
        raise ValueError(
            f"{NAMES!r} are {list(given[NAMES])}, and the estimator was fitted with "
            f"{list(old[NAMES])}. {SAME_TABLE}"
        )
    new = {name: _checked(name, given[name], array) for name, array in old.items() if name != NAMES}
    _refuse_other_lengths(new, _positions(e))
    kept = dict(e.input_columns_) | {
        name: new[f"inputs.{name}"] for name in _PLAN if e.input_columns_.get(name) is not None
    }
    if "slots" in kept:
        kept["slots"] = [new[f"inputs.slots.{j}"] for j in _positions(e)]
    found: dict[str, Any] = {a: new[name] for name, a in e._target_arrays.items()}
    found["input_columns_"] = kept
    found["categories_"] = [new[f"inputs.levels.{j}"] for j in _positions(e)]
    scaling = None
    if e.input_mean_ is not None:
        scaling = Scaling(new["inputs.center"], new["inputs.scale"])
        found |= {"input_mean_": scaling.mean, "input_scale_": scaling.scale}
    if FLOAT32 in new:
        found["spec_"] = e.spec_ | {
            "task": e.spec_["task"] | {"float32_targets": bool(new[FLOAT32][0])}
        }
    if "temperature" in new:
        found["temperature_"] = float(new["temperature"])
    if kept["fill"] is not None:  # which states of earlier versions lack
        plan = Columns.from_dict(kept, e.is_categorical_, scaling)
        _refuse_other_inputs(plan, Fitted(e).columns)
        _refuse_useless(plan)
    return found


def _checked(name: str, value: np.ndarray, old: np.ndarray) -> np.ndarray:
    """One array as it is kept."""
    if name == "targets.classes" or name.startswith("inputs.levels."):
        return _labels(name, value)
    if old.dtype.kind in "biu":
        new = value.astype(old.dtype)
        if not np.array_equal(new, value) or np.min(new, initial=0) < -1:
            raise ValueError(f"{name!r} must hold {_WHOLE[old.dtype.kind]}. Got {value}.")
        return new
    # in float64, or in float32 where it is that, so that no digit is lost
    new = value.astype(np.float32 if value.dtype == np.float32 else np.float64)
    if name.startswith("inputs."):
        return new
    above = name in _POSITIVE
    if not np.all(np.abs(new) <= LARGEST) or (above and not np.all(new > 0)):
        what = f"finite numbers{' above 0' if above else ''}, of at most {LARGEST:.1e}"
        raise ValueError(f"{name!r} must hold {what}. Got {value}.")
    return new


_WHOLE = {"b": "True or False", "i": "whole numbers of at least -1", "u": "whole numbers"}


def _labels(name: str, value: np.ndarray) -> np.ndarray:
    """Labels of classes or levels: distinct, and in order where they are looked up by it."""
    known = value.tolist()
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{name!r} must hold labels without gaps. Got {known}.")
    ordered = name == "targets.classes" or value.dtype.kind in "biuf"
    if len(set(known)) < len(known) or (ordered and known != sorted(known)):
        order = " in rising order" if ordered else ""
        raise ValueError(f"{name!r} must hold different labels{order}. Got {known}.")
    return value.copy()


def _refuse_other_inputs(new: Columns, old: Columns) -> None:
    """Refuse a plan that makes other inputs of a row than those the network has."""
    asked, there = ((plan.numbers.tolist(), plan.n_passed, plan.levels) for plan in (new, old))
    if asked != there:
        raise ValueError(
            "'inputs.fill', 'inputs.gaps', 'inputs.widths' and 'inputs.slots' make of a row "
            f"{_told(asked)}; the network reads {_told(there)}. {SAME_TABLE}"
        )


def _told(inputs: tuple[list[int], int, tuple[int, ...]]) -> str:
    numbers, n_passed, levels = inputs
    return f"{len(numbers)} numbers, {n_passed} zeros or ones and {len(levels)} codes {levels}"


def _refuse_useless(plan: Columns) -> None:
    """Refuse numbers that would make infinite inputs or none."""
    for name in ("fill", "center", "scale", "knots", "scores"):
        array = getattr(plan, name)
        if array is None:
            continue
        own = array[..., plan.numbers]
        # a robust scale is infinite where a column is constant
        good = own > 0 if name == "scale" else np.isfinite(own)
        if not good.all():
            what = "numbers above 0" if name == "scale" else "finite numbers"
            raise ValueError(
                f"'inputs.{name}' must hold {what} for each column of numbers. Got {own}."
            )
    if plan.knots is not None and np.any(np.diff(plan.knots[:, plan.numbers], axis=0) < 0):
        raise ValueError("'inputs.knots' must be in rising order in each column of numbers.")
    if plan.center is None or plan.scale is None:
        return
    with np.errstate(over="ignore"):
        apart = np.abs(plan.center[plan.numbers] / plan.scale[plan.numbers])
    if np.any(apart > LARGEST):
        raise ValueError(
            "'inputs.center' is more than 1e154 times 'inputs.scale' for some column, so that "
            "products would be infinite."
        )


def recoded(estimator: Any, categories: list[np.ndarray], saved: Any) -> Any:
    """A validation part that was kept, with the codes of other tables of levels."""
    if saved is None or not categories:
        return saved
    X = saved["X"].copy()
    both = zip(_positions(estimator), estimator.categories_, categories, strict=True)
    for j, before, now in both:
        place = {level: i for i, level in enumerate(now.tolist())}
        codes = np.array([*(place.get(level, -1) for level in before.tolist()), -1])
        known = ~np.isnan(X[:, j])
        X[known, j] = codes[X[known, j].astype(np.int64)]  # an unknown one, -1, is the last
    return saved | {"X": X}
