"""A session that goes on from where an earlier one ended."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..data.features import Scaling
from ..data.targets import Codec
from ..network.architecture import Architecture
from ..network.parameters import Layout
from ..network.weights import Weights
from ..specification import (
    FitSpec,
    resolve,
)
from ..training.state import Progress, Streams, driven_schedules
from ._inputs import Given
from ._session import Held, Session, Weigher, refuse_targets_outside, task_of, tests_rates, weighted


def go_on(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    *,
    weigher: Weigher,
    seed: int,
    scaling: Scaling | None,
    samples: int,
    before: Mapping[str, Any],
    saved: Mapping[str, Any] | None,
    weights: Weights,
    history: Mapping[str, list[Any]],
) -> Session:
    """A session from where an earlier one ended.

    Parameters
    ----------
    scaling : Scaling or None
        Of the first call.
    samples : int
        Rows that training has seen before.
    before : mapping
        The specification of the earlier fit, as a dictionary.
    saved : mapping or None
        What the earlier fit kept to go on; None where it kept weights alone.
    weights : Weights
    history : mapping of list
        The curves of earlier epochs.
    """
    rows = given.rows
    held = None
    if validation is None and saved is not None and saved["validation"] is not None:
        held, rows = _held_before(saved["validation"], given, rows)
    fresh = None if validation is None else Held(validation, validation.rows, inner=False)
    given, rows, fresh = weighted(weigher, given, rows, fresh)
    held = held if fresh is None else fresh
    spec = resolve(parameters, task_of(given, codec, len(rows), held is not None))
    if not (spec.mixes_precision and weights.coefs[0].dtype == np.float32):
        spec = replace(spec, dtype=str(weights.coefs[0].dtype))
    if isinstance(parameters["learning_rate_init"], str) and tests_rates(parameters):
        # the rate that the first call found
        spec = replace(spec, learning_rate_init=before["learning_rate_init"])
    _refuse_other_shape(spec, before, weights)
    refuse_targets_outside(spec, given, rows, held)
    if held is None and spec.early_stopping:
        _tell_no_part_is_held(parameters, before, saved)
        spec = replace(spec, early_stopping=False)
    if saved is not None:
        progress = Progress.restore(spec, saved["progress"])
        afresh = spec.schedule.start()
        if (
            before["schedule"]["component"] != spec.as_dict()["schedule"]["component"]
            or progress.schedules[0].keys() != afresh.keys()  # another one behind a warmup
        ):
            progress.schedules = [afresh]
        for name, state in driven_schedules(spec).items():
            old, kept = before[f"{name}_schedule"], progress.driven[0][name]
            now = spec.as_dict()[f"{name}_schedule"]
            if old is None or old["component"] != now["component"] or kept.keys() != state.keys():
                progress.driven[0][name] = state
        if _judged_otherwise(spec, before, fresh, saved["validation"]):
            progress.patience[0].forget()
            progress.schedules = [spec.schedule.start()]
            progress.driven = [driven_schedules(spec)]
    else:
        progress = Progress.begin([spec], [Streams.from_seed(seed)])
        layout = Layout(Architecture.of(spec))
        weights.write(layout, progress.theta, progress.statistics)
        progress.judged.copy_(progress.theta)
        progress.best_theta.copy_(progress.theta)
        progress.best_statistics.copy_(progress.statistics)
        progress.samples = samples
        progress.histories = [{name: list(values) for name, values in history.items()}]
        progress.epoch = len(history["loss"])
    return Session(spec, codec, scaling, progress, given, rows, held)


def _tell_no_part_is_held(
    parameters: Mapping[str, Any], before: Mapping[str, Any], saved: Mapping[str, Any] | None
) -> None:
    """Refuse, or warn, where early stopping is on but nothing can judge."""
    if saved is None and before["early_stopping"]:
        warnings.warn(
            "The validation part of the earlier fit was not kept: all rows train, and the "
            "training loss is monitored. Give X_val and y_val, or fit with warm_start=True from "
            "the start.",
            UserWarning,
            stacklevel=6,
        )
    elif saved is not None and parameters["early_stopping"] is True and not saved["asked"]:
        raise ValueError(
            "early_stopping=True needs a validation part, but training began without one. Give "
            "X_val and y_val, or call fit with warm_start=False."
        )


def _judged_otherwise(
    spec: FitSpec,
    before: Mapping[str, Any],
    fresh: Held | None,
    saved: Mapping[str, Any] | None,
) -> bool:
    """Whether earlier values can't be compared with those to come."""
    now = spec.as_dict()
    if any(now[name] != before[name] for name in ("monitor", "loss", "early_stopping")):
        return True
    if not spec.early_stopping:
        return any(now[name] != before[name] for name in ("alpha", "l1", "label_smoothing"))
    if fresh is None:
        return saved is None
    if saved is None:
        return True
    given = fresh.export()
    return not all(_equal(given[name], saved[name]) for name in ("X", "y", "weight"))


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    return bool((a != b).nnz == 0) if sp.issparse(a) else np.array_equal(a, b)


def _held_before(
    saved: Mapping[str, Any], given: Given, rows: np.ndarray
) -> tuple[Held, np.ndarray]:
    """The validation part of the first call, and the rows that may train beside it.

    Where the same table comes again, its held-out rows stay held out; all rows of another
    table train.
    """
    part = Given(saved["X"], saved["y"], saved["weight"])
    positions = saved["positions"]
    if positions is not None and saved["n"] == given.X.shape[0]:
        again = given.X[positions]
        if _equal(again, part.X):
            rows = np.setdiff1d(rows, positions, assume_unique=True)
    origin = None if positions is None else (positions, saved["n"])
    return Held(part, part.rows, inner=False, origin=origin), rows


def _refuse_other_shape(spec: FitSpec, before: Mapping[str, Any], weights: Weights) -> None:
    """What can't change between calls that go on from each other."""
    n_raw = weights.coefs[-1].shape[1]
    now = spec.as_dict()
    for name, old, new in (
        ("hidden_layer_sizes", _layers(before), _layers(now)),
        ("norm", before["norm"], now["norm"]),
        ("topology", before["topology"], now["topology"]),
        ("loss", *((before["loss"], now["loss"]) if n_raw != spec.n_raw else ("", ""))),
        ("output_activation", before["output_activation"], now["output_activation"]),
        ("output_range", before["output_range"], now["output_range"]),
        ("input_scaling", before["input_scaling"], now["input_scaling"]),
        ("target_scaling", before["target_scaling"], now["target_scaling"]),
        ("optimizer", _rules(before["optimizer"]), _rules(now["optimizer"])),
    ):
        if old != new:
            raise ValueError(
                f"Training can't go on with another {name}: it was {old!r} and is {new!r}. Restore "
                "the parameter, or call fit with warm_start=False."
            )

    here = Layout(Architecture.of(spec)).shapes_by_name()
    there = weights.network(torch.float64, "cpu").trained()
    missing = [n for n, shape in here.items() if n not in there or there[n].shape != shape]
    lost = [n for n in there if n not in here and ".activation." in n]
    if missing or lost:
        raise ValueError(
            f"Training can't go on with an activation of other trained numbers or of another "
            f"width ({', '.join(missing + lost)}). Restore activation={before['activation']!r}, or "
            "call fit with warm_start=False."
        )


def _rules(optimizer: Mapping[str, Any]) -> list[Any]:
    """The rule, and what it wraps."""
    inner = optimizer.get("optimizer")
    inside = _rules(inner) if isinstance(inner, Mapping) else inner
    return [optimizer["component"], optimizer.get("wrapped"), inside]


def _layers(spec: Mapping[str, Any]) -> Any:
    """The shape of the network as it is said in messages."""
    hidden = spec["hidden_layer_sizes"]
    if isinstance(hidden, Mapping):
        return hidden
    sizes = [spec["task"]["n_features"], *hidden, spec["task"]["n_outputs"]]
    return f"{'-'.join(map(str, sizes))} (inputs to outputs)"
