"""What is resolved layer by layer: from one value for all, or one a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from itertools import islice
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from ..._compat import Interval
from ...components.activations import ACTIVATIONS, Activation
from ...components.architectures import DEEPEST, HiddenModule, LayerSizes
from ...components.base import Component, shown
from ...components.dropouts import DROPOUTS, Dropout, DropoutRule
from ...components.initializers import INITIALIZERS, Initializer
from ...components.norms import NORMS, BatchNorm, Norm
from ...components.topologies import TOPOLOGIES

# Hidden layers from which norm="auto" takes batch normalization.
DEEP = 4


_SIZE = Interval(Integral, 1, None, closed="left")


_NUMBER = Interval(Real, None, None, closed="neither")


_STRENGTH = Interval(Real, 0, None, closed="left")


C = TypeVar("C", bound=Component)


def network_parts(
    p: Mapping[str, Any], hidden: tuple[int, ...] | HiddenModule, activation: tuple[Activation, ...]
) -> dict[str, Any]:
    """What a network is made of, and how it starts."""
    n_hidden = len(activation)
    return {
        "hidden_layer_sizes": hidden,
        "activation": activation,
        "topology": TOPOLOGIES.resolve(p["topology"]),
        "initializer": _resolve_initializer(p["initializer"], activation),
        "bias_initializer": _resolve_bias(p["bias_initializer"]),
        "norm": _resolve_norm(p["norm"], activation),
        "dropout": per_layer("dropout", p["dropout"], n_hidden, _resolve_dropout),
        "input_dropout": float(p["input_dropout"] or 0.0),
        "weight_noise": float(p["weight_noise"]),
    }


def hidden_sizes(value: Any) -> tuple[int, ...] | HiddenModule:
    """The hidden layers' sizes as a tuple of int, or a user's own hidden part.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    if isinstance(value, LayerSizes | HiddenModule):
        value.validate()
        return value.sizes() if isinstance(value, LayerSizes) else value
    try:
        sizes = list(islice(value, DEEPEST + 1))
    except TypeError:  # one, or an array without axes
        sizes = [value]
    if len(sizes) > DEEPEST:
        raise ValueError(
            f"The 'hidden_layer_sizes' parameter must hold at most {DEEPEST} hidden layers, one "
            f"size each. Got more instead: {shown(sizes, 80)}. A width is a single number: 100."
        )
    if isinstance(value, Set | Mapping) or not all(_SIZE.is_satisfied_by(size) for size in sizes):
        raise ValueError(
            "The 'hidden_layer_sizes' parameter must hold positive integers, one a hidden "
            f"layer (hidden_layer_sizes must be > 0). Got {shown(value)} instead: use (64, 64) "
            "for two layers of 64 units, () for none."
        )
    return tuple(int(size) for size in sizes)


def is_sequence(value: Any) -> bool:
    """Whether a parameter that may be one for all layers was given as one a layer."""
    return isinstance(value, list | tuple | np.ndarray)


def per_layer(name: str, value: Any, n: int, read: Callable[[Any], C]) -> tuple[C, ...]:
    """One component a layer, from one for all or from a sequence."""
    if not is_sequence(value):
        component = read(value)
        return (component,) * n
    _refuse_length(name, value, n, "one a hidden layer")
    return tuple(read(v) for v in value)


def _refuse_length(name: str, value: Sequence[Any], n: int, what: str) -> None:
    if len(value) != n:
        raise ValueError(
            f"The {name!r} parameter must be one for all layers, or a sequence of {n}, {what}. "
            f"Got {len(value)} instead: {shown(value)}."
        )


def strength_by_layer(name: str, value: Any, n: int) -> float | tuple[float, ...]:
    if not is_sequence(value):
        return float(value)
    _refuse_length(name, value, n, "one a weight matrix, the output's the last")
    if not all(_STRENGTH.is_satisfied_by(strength) for strength in value):
        raise ValueError(
            f"The {name!r} parameter must hold numbers of at least 0. Got {shown(value)} instead."
        )
    return tuple(float(strength) for strength in value)


def _resolve_initializer(value: Any, activation: tuple[Activation, ...]) -> tuple[Initializer, ...]:
    """An initializer a weight matrix; "auto" suits each layer's activation."""
    n = len(activation) + 1
    if isinstance(value, str) and value == "auto":
        names = [*(a.initializer for a in activation), "glorot_uniform"]
        return tuple(INITIALIZERS.resolve(name) for name in names)
    if not is_sequence(value):
        return (INITIALIZERS.resolve(value),) * n
    _refuse_length("initializer", value, n, "one a weight matrix, the output's the last")
    return tuple(INITIALIZERS.resolve(v) for v in value)


def _resolve_bias(value: Any) -> float | str | Initializer:
    if isinstance(value, Real):
        return float(value)
    return value if value == "prior" else INITIALIZERS.resolve(value)


def _resolve_norm(value: Any, activation: tuple[Activation, ...]) -> Norm | None:
    if value is None:
        return None
    if isinstance(value, str) and value == "auto":
        names = {ACTIVATIONS.name_of(a) for a in activation}
        return BatchNorm() if len(activation) >= DEEP and "selu" not in names else None
    return NORMS.resolve(value)


def _resolve_dropout(value: Any) -> DropoutRule:
    if isinstance(value, str | DropoutRule):
        return DROPOUTS.resolve(value)
    if value is None:
        return Dropout(0.0)
    if not _NUMBER.is_satisfied_by(value):
        raise ValueError(
            "The 'dropout' parameter must hold rates in the range [0.0, 1.0), names, components "
            f"or None. Got {shown(value)} instead."
        )
    rule = Dropout(float(value))
    rule.validate()
    return rule
