"""The weights of a fitted estimator as a user reads, sets and counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..network.parameters import Layout
from ._fitted import Fitted
from ._going_on import saved_members


def get_weights(estimator: Any) -> list[np.ndarray]:
    """Copies of all weights and biases: matrix, bias, matrix, ..., from the inputs on."""
    Fitted(estimator)
    pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    return [array.copy() for pair in pairs for array in pair]


def set_weights(estimator: Any, weights: Sequence[Any]) -> None:
    """Put others in place of them; what training saved to go on with takes them over.

    Raises
    ------
    ValueError
        If their number or a shape differs, or a number is not finite.
    """
    old = get_weights(estimator)
    if len(weights) != len(old):
        raise ValueError(
            f"set_weights needs {len(old)} arrays, the matrix and the bias of each layer in turn. "
            f"Got {len(weights)}."
        )
    new = []
    for i, (given, array) in enumerate(zip(weights, old, strict=True)):
        value = np.array(given, dtype=array.dtype)
        what = f"{'bias' if i % 2 else 'matrix'} of layer {i // 2}"
        if value.shape != array.shape:
            raise ValueError(
                f"The {what} must have shape {array.shape}. Got {value.shape} instead."
            )
        if not np.isfinite(value).all():
            raise ValueError(f"The {what} must hold finite numbers.")
        new.append(value)
    architecture = Fitted(estimator).architecture
    names = Layout(architecture).shapes_by_name()
    for i, intercept in enumerate(new[1::2]):
        if f"layers.{i}.bias" not in names and intercept.any():
            why = (
                "members that share the network (ensemble='shared') have their own. Put it into "
                "extra_weights_['members.bias']."
                if i == architecture.n_hidden
                else f"norm={architecture.norm!r} behind it takes its place. Put the shift into "
                "norm_weights_, or into the layer above."
            )
            raise ValueError(f"The bias of layer {i} must be zeros: {why}")
    estimator.coefs_, estimator.intercepts_ = new[0::2], new[1::2]
    members = Fitted(estimator).weights.members()
    if architecture.on_weights:  # lengths are learnt apart from directions
        for i, vectors in enumerate(estimator.norm_weights_):
            starts = [
                architecture.norm.start_vectors(torch.from_numpy(member.coefs[i]))
                for member in members
            ]
            for name in starts[0]:
                each = [start[name].numpy() for start in starts]
                vectors[name] = each[0] if estimator.coefs_[0].ndim == 2 else np.stack(each)
        members = Fitted(estimator).weights.members()
    saved = vars(estimator).get("_progress")
    if saved is not None:
        for progress, member in zip(saved_members(saved), members, strict=True):
            pair = [torch.from_numpy(progress[name]) for name in ("theta", "statistics")]
            member.write(Layout(architecture), *pair)
        saved["weights_were_set"] = True


def summary(estimator: Any) -> str:
    """A table of the layers with their shapes and numbers."""
    fitted = Fitted(estimator)
    layout = Layout(fitted.architecture)
    architecture = layout.architecture
    trained = [(m.name, m.shape) for m in layout.matrices] + layout.vectors
    rows = [("layer", "units", "activation", "trained", "measured")]
    layers = [f"layers.{i}" for i in range(len(layout.fans))]
    heads = ["entrance", "embedding", "module", *layers, "members", "auxiliary"]
    n_hidden = architecture.n_hidden
    for head in heads:
        own = _count(head, trained)
        measured = _count(head, layout.measured)
        if not own and not measured:
            continue
        units, activation = "", ""
        names = {"entrance": "input norm", "module": "hidden module"}
        name = names.get(head, head)
        if head == "embedding":
            units = str(architecture.sizes[0])
        if head == "members":
            name, units = "members' own", str(architecture.n_shared)
        if head == "auxiliary":
            name, units = "auxiliary output", str(architecture.sizes[-1])
        if head.startswith("layers."):
            i = int(head.removeprefix("layers."))
            name = f"hidden {i + 1}" if i < n_hidden else "output"
            units = str(architecture.sizes[i + 1] if i < n_hidden else architecture.sizes[-1])
            activation = (
                type(architecture.activations[i]).__name__
                if i < n_hidden
                else estimator.out_activation_
            )
        rows.append((name, units, activation, f"{own:,}", f"{measured:,}"))
    total = sum(_size(shape) for _, shape in layout.measured)
    n_networks = fitted.n_networks
    if n_networks > 1:
        each = (f"{layout.n_parameters:,}", f"{total:,}")
        rows.append(("a member", "", "", *each))
    whole = [n_networks * n for n in (layout.n_parameters, total)]
    name = "total" if n_networks == 1 else f"total of {n_networks} members"
    rows.append((name, "", "", f"{whole[0]:,}", f"{whole[1]:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join(
            cell.ljust(width) if i in (0, 2) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    lines.insert(-1, lines[1])
    return "\n".join(lines)


def _count(head: str, parts: Sequence[tuple[str, tuple[int, ...]]]) -> int:
    return sum(_size(shape) for name, shape in parts if name.startswith(f"{head}."))


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))
