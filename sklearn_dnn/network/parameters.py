"""All parameters of a stack on one flat buffer, and the views that layers use.

The buffer has shape ``(m, p)``: a row a member. A row holds all weight matrices first, so that
penalties and decay act on one slice, then all biases, then the vectors of the norms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ..components.norms import Norm
from ..specification import FitSpec


class Layer(NamedTuple):
    """Views of one layer's numbers.

    One network has ``weight`` (n_in, n_out) and vectors (n_out,); a stack has (m, n_in, n_out)
    and (m, 1, n_out). The last layer has no norm: empty dictionaries.
    """

    weight: Tensor
    bias: Tensor
    norm: dict[str, Tensor]
    statistics: dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """Where each layer's numbers stand in a row of the buffers.

    Parameters
    ----------
    sizes : tuple of int
        Units of every layer, from the inputs to the raw outputs.
    norm : Norm or None
        What follows each hidden layer.
    """

    sizes: tuple[int, ...]
    norm: Norm | None

    @property
    def n_weights(self) -> int:
        """Numbers at the head of a row that are weights."""
        return sum(i * o for i, o in pairwise(self.sizes))

    @property
    def n_parameters(self) -> int:
        """Trainable numbers of one member: the length of a row."""
        vectors = 0 if self.norm is None else len(self.norm.parameter_starts)
        return self.n_weights + sum(self.sizes[1:]) + vectors * sum(self.sizes[1:-1])

    @property
    def n_statistics(self) -> int:
        """Numbers of one member that training measures instead of learning."""
        vectors = 0 if self.norm is None else len(self.norm.buffer_starts)
        return vectors * sum(self.sizes[1:-1])

    def layers(self, theta: Tensor, statistics: Tensor) -> list[Layer]:
        """Views of `theta` (m, p) and `statistics` (m, s), one :class:`Layer` a layer."""
        m = theta.shape[0]
        row = _Reader(theta)
        weights = [
            row.take(i * o).view((m, i, o) if m > 1 else (i, o)) for i, o in pairwise(self.sizes)
        ]
        biases = [row.vector(o) for o in self.sizes[1:]]
        norms: list[dict[str, Tensor]] = [{} for _ in weights]
        measured: list[dict[str, Tensor]] = [{} for _ in weights]
        if self.norm is not None:
            side = _Reader(statistics)
            for index, width in enumerate(self.sizes[1:-1]):
                norms[index] = {name: row.vector(width) for name in self.norm.parameter_starts}
                measured[index] = {name: side.vector(width) for name in self.norm.buffer_starts}
        return [Layer(*parts) for parts in zip(weights, biases, norms, measured, strict=True)]


class _Reader:
    """Cuts consecutive pieces off the rows of a buffer."""

    def __init__(self, buffer: Tensor) -> None:
        self.buffer = buffer
        self.position = 0

    def take(self, length: int) -> Tensor:
        piece = self.buffer[:, self.position : self.position + length]
        self.position += length
        return piece

    def vector(self, length: int) -> Tensor:
        piece = self.take(length)
        return piece.unsqueeze(1) if piece.shape[0] > 1 else piece[0]


def initial_parameters(
    spec: FitSpec, layout: Layout, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """First values of a stack, one generator a member.

    Weights come from the specification's initializers, drawn in float64 on the CPU so that
    neither dtype nor device changes them. Biases are zero, except that the linear model's is
    drawn like a weight: with standardised columns and targets zero is its optimum, where a
    gradient of mere rounding errors would be blown up by Adam's division.

    Returns
    -------
    theta : Tensor of shape (m, p)
    statistics : Tensor of shape (m, s)
    """
    rows, sides = [], []
    for generator in generators:
        theta = torch.zeros(1, layout.n_parameters, dtype=torch.float64)
        statistics = torch.zeros(1, layout.n_statistics, dtype=torch.float64)
        layers = layout.layers(theta, statistics)
        for layer in layers:
            drawer = spec.output_initializer if layer is layers[-1] else spec.initializer
            layer.weight.copy_(drawer.draw(*layer.weight.shape, generator))
            if len(layers) == 1:
                layer.bias.copy_(drawer.draw(*layer.weight.shape, generator)[0])
            if spec.norm is not None:
                for name, vector in layer.norm.items():
                    vector.fill_(spec.norm.parameter_starts[name])
                for name, vector in layer.statistics.items():
                    vector.fill_(spec.norm.buffer_starts[name])
        rows.append(theta)
        sides.append(statistics)
    where = {"dtype": spec.torch_dtype, "device": spec.device}
    return torch.cat(rows).to(**where), torch.cat(sides).to(**where)
