"""The arrays of a fitted estimator by name, as a user reads and sets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..._compat import from_numpy
from ...components.base import nearest
from ..fitted.arrays import (
    NAMES,
    PREFIXES,
    SAME_TABLE,
    arrays_around,
    attributes_around,
    recoded,
    shape_told,
)
from ..fitted.fitted import Fitted
from ..network.architecture import Architecture
from ..network.parameters import Layout
from ..network.weights import Weights
from ..reading.raw_columns import as_array
from .request import saved_members

# Kinds of NumPy's types: real numbers, and labels.
_REAL, _LABELS = "biuf", "biufOUS"


def get_weights(estimator: Any) -> dict[str, np.ndarray]:
    """Copies of all arrays that predictions depend on, by name."""
    return {name: array.copy() for name, array in _arrays_of(estimator).items()}


def with_matrices(estimator: Any, matrices: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The same with other matrices of the layers, and the lengths that a norm of them learns."""
    architecture, found = Fitted(estimator).architecture, get_weights(estimator)
    for i, matrix in enumerate(matrices):
        found[f"layers.{i}.weight"] = matrix
        norm = architecture.norm
        if norm is not None and norm.on_weights and i < architecture.n_hidden:
            starts = norm.start_vectors(from_numpy(matrix))
            found |= {f"layers.{i}.norm.{name}": t.numpy() for name, t in starts.items()}
    return found


def set_weights(estimator: Any, weights: Mapping[str, Any] | Sequence[Any]) -> None:
    """Put others in place of them; what training saved to go on with takes them over.

    Raises
    ------
    ValueError
        If names or shapes differ, or numbers are of no use where they stand.
    """
    fitted, old = Fitted(estimator), _arrays_of(estimator)
    layout = Layout(fitted.architecture)
    trained = layout.shapes_by_name()
    if not isinstance(weights, Mapping):
        weights = old | _from_list(weights, list(trained), len(estimator.coefs_))
    _refuse_names(weights, old)
    # of a table that differs its own arrays tell most
    ordered = sorted(old, key=lambda name: not name.startswith(PREFIXES))
    given = {name: _read(name, weights[name], old[name]) for name in ordered if name in weights}
    found = attributes_around(estimator, given)
    network = {name: array for name, array in old.items() if not name.startswith(PREFIXES)}
    new = fitted.weights.replaced(
        {n: _numbers(n, given[n], a.dtype, n in trained) for n, a in network.items()}
    )
    new = _normed(new, fitted.architecture)
    found |= {
        "coefs_": new.coefs,
        "intercepts_": new.intercepts,
        "norm_weights_": new.norms,
        "norm_statistics_": new.statistics,
        "extra_weights_": new.extras,
    }
    saved = vars(estimator).get("_progress")
    if saved is not None:
        held = recoded(estimator, found["categories_"], saved["validation"])
        found["_progress"] = saved | {
            "progress": _progress_with(saved, new, layout),
            "validation": held,
            "weights_were_set": True,
        }
    vars(estimator).update(found)


def _arrays_of(estimator: Any) -> dict[str, np.ndarray]:
    """All arrays by name, sharing memory with the estimator's."""
    fitted = Fitted(estimator)
    trained = Layout(fitted.architecture).shapes_by_name()
    return fitted.weights.by_name(trained) | arrays_around(estimator)


def _from_list(weights: Any, trained: Sequence[str], n_layers: int) -> dict[str, Any]:
    """Matrix, bias, matrix, ... by name, where nothing else was trained."""
    if not isinstance(weights, Sequence) or isinstance(weights, str | bytes):
        raise TypeError(
            "set_weights needs a dict of arrays by name, as get_weights returns, or a list of "
            f"matrices and biases. Got {type(weights).__name__}."
        )
    names = [f"layers.{i}.{part}" for i in range(n_layers) for part in ("weight", "bias")]
    others = [name for name in trained if name not in names]
    lacking = [name for name in names if name not in trained]
    if others or lacking:
        why = f"has {_some(others)}, too" if others else f"has no {_some(lacking)}"
        raise ValueError(
            "A list of arrays holds the matrix and the bias of each layer alone, but this network "
            f"{why}. Give a dict: change arrays of the one that get_weights returns."
        )
    if len(weights) != len(names):
        raise ValueError(
            f"set_weights needs {len(names)} arrays in a list, the matrix and the bias of each "
            f"layer in turn. Got {len(weights)}."
        )
    return dict(zip(names, weights, strict=True))


def _some(names: Sequence[str]) -> str:
    """Names for a message, the first ones of many."""
    shown = ", ".join(map(repr, names[:4]))
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _refuse_names(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse arrays that are missing or unknown; names of columns may be left out."""
    lacking = [name for name in known if name not in given and name != NAMES]
    others = [name for name in given if name not in known and name != NAMES]
    if not lacking and not others:
        return
    parts = []
    if lacking:
        parts.append(f"lacks {_some(lacking)}")
    if others:
        close = nearest(str(others[0]), list(known)) if len(others) == 1 else ""
        parts.append(f"has {_some(others)}, which the estimator has no place for.{close}")
    told = " and ".join(parts).removesuffix(".")
    raise ValueError(
        f"weights {told}{'' if told.endswith('?') else '.'} Change arrays of the dict that "
        f"get_weights returns. {SAME_TABLE}"
    )


def _read(name: str, value: Any, old: np.ndarray) -> np.ndarray:
    """An array of a shape and kind that fit the place it takes."""
    if np.ma.is_masked(value):
        raise ValueError(f"{name!r} must hold numbers, but {np.ma.count_masked(value)} are masked.")
    try:
        array = np.asarray(as_array(value))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name!r} must be an array of shape {old.shape}: {error}") from error
    kinds = _LABELS if name == "targets.classes" or old.dtype.kind not in _REAL else _REAL
    if name.startswith("inputs.levels."):
        kinds = _LABELS
    if array.dtype.kind not in kinds:
        what = "real numbers" if kinds == _REAL else "numbers or text"
        raise ValueError(f"{name!r} must hold {what}. Got an array of {array.dtype}.")
    asked = shape_told(name, array, old)
    if asked:
        raise ValueError(
            f"{name!r} must have shape {asked}. Got {array.shape} instead. {SAME_TABLE}"
        )
    return array


def _numbers(name: str, value: np.ndarray, dtype: np.dtype, is_trained: bool) -> np.ndarray:
    """Numbers of the network in its type, which none may overflow."""
    with np.errstate(over="ignore"):
        array = value.astype(dtype)
    if name.startswith("module.") and not is_trained:
        return array  # a user's own buffer may hold infinities, as masks do
    most = np.finfo(dtype).max
    if is_trained:
        most = np.sqrt(most)  # beyond it products are infinite
    good = np.abs(array) <= most
    if not good.all():
        raise ValueError(
            f"{name!r} must hold finite numbers, of at most {most:.1e} in a network of {dtype}. "
            f"Got {value[~good][0]}."
        )
    return array


def _normed(weights: Weights, architecture: Architecture) -> Weights:
    """The weights with the matrices that a norm of them makes of directions and lengths."""
    norm = architecture.norm
    if norm is None or not norm.on_weights:
        return weights
    arrays = weights.by_name([])
    for i in range(architecture.n_hidden):
        given = arrays[f"layers.{i}.weight"]
        lengths = {
            name: torch.from_numpy(vector).unsqueeze(-2)
            for name, vector in weights.norms[i].items()
        }
        found = norm.weight(torch.from_numpy(given), lengths).numpy()
        if not np.allclose(found, given, rtol=64 * np.finfo(given.dtype).eps, atol=0):
            arrays[f"layers.{i}.weight"] = found  # else the digits stay as they are
    return weights.replaced(arrays)


def _progress_with(saved: Mapping[str, Any], weights: Weights, layout: Layout) -> Any:
    """What was kept to go on with, standing at other weights."""
    states = []
    for state, member in zip(saved_members(saved), weights.members(), strict=True):
        moved = {name: state[name].copy() for name in ("theta", "statistics")}
        member.write(layout, *map(torch.from_numpy, moved.values()))
        states.append(state | moved)
    return states if isinstance(saved["progress"], list) else states[0]
