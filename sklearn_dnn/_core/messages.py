"""What is said when something is refused or has gone wrong: always with the way out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from types import BuiltinFunctionType
from typing import Any

import numpy as np
import torch

from .._compat import InvalidParameterError
from .._devices import MEMORY_ERRORS, lacks_memory
from .._warnings import warn
from ..components import (
    FAMILIES,
    Accumulated,
    Bagging,
    Bounded,
    ClipNorm,
    EarlyStopping,
    Rectangular,
    Scheduled,
)
from ..components.base import Component, call_of, public_names, refuse_arguments, shown


def refuse_columns(value: Any) -> None:
    """Refuse `categorical_features` that name no columns."""
    if value is None or isinstance(value, str):
        return
    try:
        fits = not isinstance(value, Set | Mapping) and np.ndim(value) == 1
    except ValueError:  # a list of lists of unequal length
        fits = False
    if not fits:
        raise InvalidParameterError(
            "The 'categorical_features' parameter must be a mask, positions or names of columns in "
            f"one list, 'from_dtype' or None. Got {shown(value)} instead."
        )


# What functions that are given as parameters are called with.
_CALLED_WITH = {
    "activation": ("z",),
    "augmentation": ("x", "y", "generator"),
    "curriculum": ("t", "difficulty_rank"),
    "loss": ("raw", "target"),
    "monitor": ("estimator", "X", "y"),
    "schedule": ("t", "horizon"),
}


def refuse_functions(parameters: Mapping[str, Any]) -> None:
    """Refuse functions of a wrong number of arguments before anything is done."""
    for name, wanted in _CALLED_WITH.items():
        given = parameters[name]
        for value in given if isinstance(given, list | tuple) else (given,):
            if callable(value) and not isinstance(value, type | torch.nn.Module):
                refuse_arguments(name, value, wanted)
    monitor = parameters["monitor"]
    # Python's own functions take what comes, and score nothing
    own = isinstance(monitor, BuiltinFunctionType) and monitor.__module__ == "builtins"
    if own or isinstance(monitor, type):
        raise InvalidParameterError(
            "The 'monitor' parameter must be 'loss', the name of a scorer or a function "
            "monitor(estimator, X, y) that returns a score. Got "
            f"{public_names(shown(monitor))} instead."
        )


# Components of parameters that are a number, or know no names.
_WITHOUT_NAMES: dict[str, tuple[type[Component], ...]] = {
    "batch_size": (Accumulated,),
    "clip_norm": (ClipNorm,),
    "dropout": (Scheduled,),
    "early_stopping": (EarlyStopping,),
    "ensemble": (Bagging,),
    "hidden_layer_sizes": (Rectangular,),
    "input_dropout": (Scheduled,),
    "output_activation": (Bounded,),
    "weight_decay": (Scheduled,),
}


def component_advice(parameter: str, value: Any, sub: str) -> str:
    """The component that has the nested parameter which somebody tried to set."""
    families: dict[str, dict[str, type[Component]]] = {
        name: registry.classes for name, registry in FAMILIES.items()
    }
    families |= {
        other: families[family]
        for other, family in (
            ("bias_initializer", "initializer"),
            ("output_activation", "activation"),
            ("input_scaling", "norm"),
        )
    }
    family = families.get(parameter, {}) | {
        cls.__name__: cls for cls in _WITHOUT_NAMES.get(parameter, ())
    }
    named = family.get(value) if isinstance(value, str) else None
    first = sub.partition("__")[0]
    able = [cls for cls in family.values() if first in inspect.signature(cls).parameters]
    if named in able:
        able = [named]
    if not able:
        return f" No component of {parameter!r} has a parameter {sub!r}."
    return f" Give the component that has {sub!r}, as in {parameter}={call_of(able[0])}."


class DivergedError(ValueError):
    """No epoch had a finite loss, so that there are no weights to keep."""


_TOO_LITTLE = " has too little memory: "


@contextmanager
def memory_advice(device: str | torch.device) -> Iterator[None]:
    """Say the way out where a device's memory is too small, once."""
    try:
        yield
    except MEMORY_ERRORS as error:
        if not lacks_memory(error) or _TOO_LITTLE in str(error):
            raise
        raise memory_error(error, device) from error


def memory_error(error: BaseException, device: str | torch.device) -> Exception:
    """An error that says what `error` does, and the way out; it holds no memory of its own.

    It is of torch's type, or a MemoryError where that was one.
    """
    kind = MemoryError if isinstance(error, MemoryError) else torch.OutOfMemoryError
    if _TOO_LITTLE in str(error):
        return kind(str(error))
    elsewhere = "another device" if str(device) == "cpu" else "another device, or device='cpu'"
    return kind(
        f"device={str(device)!r}{_TOO_LITTLE}{str(error).rstrip('. ')}. Use a smaller batch_size "
        f"or network, fewer members (n_members), {elsewhere}."
    )


def tell_of_overflow(results: np.ndarray, *, is_double: bool) -> None:
    """Say for how many rows what the network gives is no number."""
    lost = np.flatnonzero(~np.isfinite(results.reshape(len(results), -1)).all(1))
    dtype, advice = "float64", "Look at these rows of X."
    if not is_double:
        dtype, advice = "float32", "Pass X as float64, or look at these rows."
    warn(
        f"The results of {len(lost)} of {len(results)} rows (first of row {lost[0]}) are not "
        f"finite: X, or what the network has learnt, is too large there for {dtype}. {advice}"
    )


@contextmanager
def naming_input(what: str) -> Iterator[None]:
    """Say of what an input error speaks, where its own words name X and y."""
    try:
        yield
    except (ValueError, TypeError) as error:
        error.add_note(f"It is about {what}.")
        raise


def told(error: BaseException) -> str:
    """What an error says, with its notes, as text of one line."""
    notes = getattr(error, "__notes__", [])
    return " ".join(" ".join([str(error), *notes]).split())
