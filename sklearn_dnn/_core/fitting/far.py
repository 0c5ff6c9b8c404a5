"""Numbers so far out that networks train badly on them, or squares of them are none: told of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..._warnings import warn
from ..data.scaling import fit_scaling
from ..data.targets import Codec
from ..reading.inputs import Given
from ..reading.targets import LARGEST_TARGET
from ..specification import FitSpec, warn_of_broken_conditions
from .session import Session

# Targets without units of their own that are no larger can't be told from 0.
SMALLEST_TARGET = 1e-30
# Of the derivative by raw outputs, whose square an optimizer may sum: by type.
STEEPEST = {torch.float32: 1e18, torch.float64: LARGEST_TARGET}
# Parameters beyond it are told of where a loss is none, but for those that are a limit of
# something, or no part of the loss and its steps, and the rate, which is told of anyway.
FAR_PARAMETER = 1e15
HARMLESS = {
    "task",
    "learning_rate_init",
    "tol",
    "max_iter",
    "max_time",
    "n_iter_no_change",
    "stopping",
    "clip_norm",
    "clip_value",
    "constraint",
    "batch_size",
    "accumulation_steps",
}
# Network inputs beyond it come of rows unlike all others, not of a rate.
FAR_INPUT = 1e6
# Dropout from which on noise may hide what a network learns.
MUCH_DROPOUT = 0.5
# A penalty's strength over a sum of weights from which on it hides most of what there is to learn.
STRONG_PENALTY = 0.1


# Rows that are looked at to judge columns by, and the mean or deviation that is far from standard.
SEEN_ROWS = 10_000
FAR = 10.0
# What is too small, where all columns are, and how unlike columns may be that are one row's.
SMALL, UNLIKE = 0.01, 1000.0


def check_sizes_of_targets(
    spec: FitSpec, codec: Codec, given: Given, rows: np.ndarray, *, fresh: bool
) -> None:
    """Refuse targets whose loss is none in the type that trains; warn of such as count as 0.

    Parameters
    ----------
    fresh : bool
        Whether the codec has the units of these rows.
    """
    if not codec.is_numeric or (fresh and spec.target_scaling == "standard"):
        return
    y = given.y[rows].astype(np.float64, copy=False).reshape(len(rows), -1)
    offset, factor = codec.units()
    size = np.abs((y - offset) / factor)
    largest = size.max()
    known = np.where(size > 0, size, 1.0)
    usual = np.sqrt(SMALLEST_TARGET)
    if known.min() >= usual and largest <= 1 / usual:
        return
    for row in np.unique([*known.argmin(0), *size.argmax(0)]):
        if not _slope(spec, codec.encode(y[[row]], spec.torch_dtype)) <= STEEPEST[spec.torch_dtype]:
            shown = ", ".join(f"{value:g}" for value in y[row])
            raise ValueError(
                f"y has {shown} in row {rows[row]}, where loss={spec.loss!r} or its slope is too "
                f"large for {spec.dtype}, the type that trains. Bring y nearer to 1 by a factor"
                + (", or use target_scaling='standard'" if spec.objective.scales_target else "")
                + (", or dtype='float64'" if spec.torch_dtype == torch.float32 else "")
                + "."
            )
    if fresh and 0 < largest < SMALLEST_TARGET:
        way = "target_scaling=None" if spec.objective.scales_target else f"loss={spec.loss!r}"
        warn(
            f"y has no number larger than {np.abs(y).max():g}, and {way} leaves such as they are: "
            "a network can't tell them from 0. Multiply y by a number of that size."
        )


def _slope(spec: FitSpec, target: torch.Tensor) -> float:
    """The largest derivative of the loss where all raw outputs are 0; infinite for no number."""
    target = target.to(spec.device)
    raw = torch.zeros(
        len(target), spec.n_raw, dtype=target.dtype, device=target.device, requires_grad=True
    )
    with torch.enable_grad():
        values = spec.objective.values(raw, target)
        (slope,) = torch.autograd.grad(values.sum(), raw)
    return float(slope.abs().max()) if torch.isfinite(values).all() else np.inf


def tell_of_strong_penalties(spec: FitSpec, given: Given, rows: np.ndarray) -> None:
    """Warn where small weights of rows make a penalty strong that is usual with weights of 1."""
    if given.weight is None:
        return
    mean = float(given.weight[rows].mean())
    n = min(spec.batch_size * spec.accumulation_steps, len(rows))
    for name in ("alpha", "l1"):
        strength = np.max(getattr(spec, name))
        if strength / n <= STRONG_PENALTY < strength / n / mean:
            warn(
                f"The weights of rows (sample_weight times class_weight) have a mean of {mean:.3g}"
                f", so that {name}={strength:g}, which is divided by their sum in a batch "
                f"({n * mean:.3g}), outweighs the loss. Multiply sample_weight by a number so that "
                f"the mean is 1, or lower {name}."
            )


def lower_noises(spec: FitSpec) -> str:
    """What else may make a training loss high, as the rest of an advice to lower."""
    named = {
        "weight_noise": spec.weight_noise,
        "input_dropout": spec.input_dropout,
        "dropout": max(spec.dropout_rates, default=0.0),
    }
    return "".join(
        f", or {name} (now {value:g})"
        for name, value in named.items()
        if value > 0 and (name == "weight_noise" or value >= MUCH_DROPOUT)
    )


def divergence_advice(session: Session) -> str:
    """What to change where the loss is no longer finite."""
    spec = session.spec
    far = _far_inputs(session)
    if far is not None:
        return far
    advice = f"Lower learning_rate_init (now {spec.learning_rate_init:g})"
    numbers = ", ".join(f"{name}={value:g}" for name, value in _far_parameters(spec))
    if numbers:
        advice = (
            f"Bring what is far out for {spec.dtype} nearer to 1: {numbers}. If that is not all, "
            f"lower {advice.removeprefix('Lower ')}"
        )
    if spec.clip_norm is None and not spec.optimizer.full_batch:
        advice += ", or set clip_norm=1.0"
    advice += lower_noises(spec)
    if spec.input_scaling is None:
        advice += ", or scale the inputs with input_scaling='standard'"
    return advice + "."


def _far_parameters(spec: FitSpec) -> Iterator[tuple[str, float]]:
    """Names and values of numbers, of components too, that a loss may not be finite for."""
    plain = {name: v for name, v in spec.as_dict().items() if name not in HARMLESS}
    parts = list(plain.items())
    for name, value in parts:
        if isinstance(value, dict):
            parts += [(f"{name}__{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            parts += [(name, inner) for inner in value]
        elif isinstance(value, int | float) and FAR_PARAMETER < abs(value) < np.inf:
            yield name, value


def _far_inputs(session: Session) -> str | None:
    """What to do about rows whose inputs are far from all others, where that is what is wrong."""
    if session.spec.input_scaling is None:
        return None
    parts = [(session.given, session.training)]
    if session.held is not None and not session.held.inner:
        parts.append((session.held.given, session.held.rows.ravel()))
    numbers = session.columns.numbers
    for name, (given, rows) in zip(("X", "X_val"), parts, strict=False):
        features = session.features(given)
        for start in range(0, len(rows), 1000):
            some = rows[start : start + 1000]
            x = features.rows(torch.from_numpy(some)).cpu()[:, : len(numbers)]
            size = torch.nan_to_num(x.abs(), nan=torch.inf)
            if size.numel() == 0 or size.max() <= FAR_INPUT:
                continue
            i, j = np.unravel_index(int(size.argmax()), size.shape)
            column = numbers[j]
            label = column if given.names is None else repr(str(given.names[column]))
            value = given.X[int(some[i]), int(column)]
            return (
                f"{name} has {value:g} in row {some[i]} of column {label}, too far from the "
                "numbers that the column is scaled by. Correct it, leave the row out, or use "
                "input_scaling='quantile'."
            )
    return None


def warn_of_scales(session: Session) -> None:
    """Say so where the network gets columns as they are, and they are far from standard."""
    norm = session.spec.input_norm
    by_row = norm is not None and norm.input_scaling != "standard"
    if sp.issparse(session.given.X) or not (session.spec.input_scaling is None or by_row):
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    some = session.training[:SEEN_ROWS]
    fill = np.nan_to_num(session.columns.fill) if session.given.gappy else None
    scaling = fit_scaling(session.given.X, some, None, fill)
    seen = session.given.X[some]
    spread = np.fmin.reduce(seen, axis=0) < np.fmax.reduce(seen, axis=0)
    varied = spread & ~session.columns.categorical
    mean, scale = np.abs(scaling.mean[varied]), scaling.scale[varied]
    if by_row:
        _warn_of_unlike_columns(norm, np.hypot(mean, scale))
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    if mean.size and (mean.max() > FAR or scale.max() > FAR):
        warn(
            f"input_scaling=None, but columns of X have means up to {mean.max():.3g} and standard "
            f"deviations up to {scale.max():.3g}; networks train badly on such. Use "
            "input_scaling='standard', or scale X before."
        )
    elif mean.size and scale.max() < SMALL and mean.max() < SMALL:
        warn(
            "input_scaling=None, but no column of X has a mean or a standard deviation above "
            f"{max(scale.max(), mean.max()):.3g}; a network learns little from numbers so small. "
            "Use input_scaling='standard', or scale X before."
        )
    near = (mean < 0.5) & (scale > 0.5) & (scale < 2.0)
    warn_of_broken_conditions(session.spec, standardised=bool(near.all()))


def _warn_of_unlike_columns(norm: Any, size: np.ndarray) -> None:
    """Say so where a norm of rows meets a column beside which others are nothing."""
    if size.size and size.max() > UNLIKE * size.min():
        warn(
            f"input_scaling={norm!r} normalises each row, but columns of X differ in size from "
            f"{size.min():.3g} to {size.max():.3g}, so that the small ones are lost beside the "
            "large. Use input_scaling='standard' or 'batch_norm', or scale X before."
        )
