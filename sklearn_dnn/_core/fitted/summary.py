"""The layers of a fitted network as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..network.parameters import Layout
from .fitted import Fitted


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
