"""All parameters of a stack on one flat buffer: where each of a layer's numbers stands.

The buffer has shape ``(m, p)``: a row a member. A row holds all weight matrices first, so that
penalties and decay act on one slice, then everything else that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from .architecture import Architecture
from .chance import seeded
from .views import NOTHING, Layer, Network


class Matrix(NamedTuple):
    """A weight matrix on the buffer: its name, shape, and the layer whose penalty it bears."""

    name: str
    shape: tuple[int, ...]
    owner: int


class Layout:
    """Where each number stands in a row of the buffers.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = a = architecture
        self.module_parts: dict[str, tuple[int, ...]] = {}
        self.module_buffers: dict[str, tuple[int, ...]] = {}
        hidden = [*a.sizes[1:-1]]
        top = hidden[-1] if hidden else a.sizes[0]
        if a.module is not None:
            top = self._read_module()
        #: inputs and outputs of each dense layer
        self.fans = [
            (i, o * act.inputs_per_unit)
            for (i, o), act in zip(pairwise(a.sizes[:-1]), a.activations, strict=True)
        ]
        self.fans.append((top + a.sizes[0] * bool(a.topology.wide and hidden), a.sizes[-1]))
        self.matrices = list(self._matrices())
        self.vectors = list(self._vectors())
        self.n_weights = sum(math.prod(m.shape) for m in self.matrices)
        self.n_parameters = self.n_weights + sum(math.prod(shape) for _, shape in self.vectors)
        self.measured = list(self._measured())
        self.n_statistics = sum(math.prod(shape) for _, shape in self.measured)

    def _read_module(self) -> int:
        """Note the parts of a user's module; the width of its outputs."""
        with seeded(0):
            module = self.architecture.build_module()
            module.eval()
            with torch.no_grad():
                outputs = module(torch.zeros(2, self.architecture.sizes[0]))
        if not isinstance(outputs, Tensor) or outputs.dim() != 2 or len(outputs) != 2:
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs)
            raise ValueError(
                f"hidden_layer_sizes={self.architecture.module!r} must take (b, n_features) to "
                f"(b, width). For 2 rows it gave {shape}."
            )
        named = dict(module.named_parameters())
        self.module_parts = {n: tuple(p.shape) for n, p in named.items() if p.requires_grad}
        # what is frozen is kept beside the buffers
        frozen = {n: tuple(p.shape) for n, p in named.items() if not p.requires_grad}
        self.module_buffers = frozen | {n: tuple(b.shape) for n, b in module.named_buffers()}
        return int(outputs.shape[1])

    def _matrices(self) -> Iterator[Matrix]:
        a = self.architecture
        shape: tuple[int, ...]
        for i, shape in enumerate(self.fans):
            yield Matrix(f"layers.{i}.weight", shape, i)
        for i, width in enumerate(a.sizes[1:-1]):
            if a.ends_block(i) and a.skip_width(i) != width:
                yield Matrix(f"layers.{i}.skip.projection", (a.skip_width(i), width), i)
        position = a.topology.auxiliary_position(a.n_hidden) if a.n_hidden else None
        if position is not None:
            shape = (a.sizes[position + 1], a.sizes[-1])
            yield Matrix("auxiliary.weight", shape, len(self.fans) - 1)
        for name, shape in self.module_parts.items():
            if len(shape) > 1:
                yield Matrix(f"module.{name}", shape, 0)

    def _vectors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        a = self.architecture
        for i, (_, n_out) in enumerate(self.fans):
            if not self._drops_bias(i):
                yield f"layers.{i}.bias", (n_out,)
        if any(m.name == "auxiliary.weight" for m in self.matrices):
            yield "auxiliary.bias", (a.sizes[-1],)
        for i, width in enumerate(a.sizes[1:-1]):
            if a.norm is not None:
                for name in a.norm.parameter_starts:
                    yield f"layers.{i}.norm.{name}", (self.normed_width(i),)
            for name in a.activations[i].parameter_starts:
                yield f"layers.{i}.activation.{name}", (width,)
            if a.ends_block(i) and a.topology.multiplier:
                yield f"layers.{i}.skip.multiplier", (1,)
        yield from self._entrance()
        for name, shape in self.module_parts.items():
            if len(shape) <= 1:
                yield f"module.{name}", shape
        yield from self._members()

    def _entrance(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        a = self.architecture
        for name in () if a.input_norm is None else a.input_norm.parameter_starts:
            yield f"entrance.{name}", (a.n_numbers,)
        for name, shape in a.embedding_shapes.items():
            yield f"embedding.{name}", shape

    def _members(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        a, (n_top, n_out) = self.architecture, self.fans[-1]
        if a.n_shared == 1:
            return
        yield "members.inputs", (a.n_shared, a.sizes[0])
        yield "members.units", (a.n_shared, n_top)
        yield "members.bias", (a.n_shared, n_out)

    def _measured(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        a = self.architecture
        for i in range(a.n_hidden):
            if a.norm is not None:
                for name in a.norm.buffer_starts:
                    yield f"layers.{i}.statistics.{name}", (self.normed_width(i),)
        if a.input_norm is not None:
            for name in a.input_norm.buffer_starts:
                yield f"entrance.{name}", (a.n_numbers,)
        for name, shape in a.embedding_buffer_shapes.items():
            yield f"embedding.{name}", shape
        for name, shape in self.module_buffers.items():
            yield f"module.{name}", shape

    def _drops_bias(self, layer: int) -> bool:
        norm = self.architecture.norm
        if layer == self.architecture.n_hidden and self.architecture.n_shared > 1:
            return True  # members have their own
        return norm is not None and norm.drops_bias and layer < self.architecture.n_hidden

    def normed_width(self, layer: int) -> int:
        """Units that a hidden layer's norm sees."""
        a = self.architecture
        assert a.norm is not None
        behind = a.norm.position == "after" and not a.norm.on_weights
        return a.sizes[layer + 1] if behind else self.fans[layer][1]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shapes of the matrices at the head of a row; of tensors with more axes, flattened."""
        return tuple((m.shape[0], math.prod(m.shape[1:])) for m in self.matrices)

    @property
    def owners(self) -> list[int]:
        """For each matrix the dense layer whose penalty it bears."""
        return [m.owner for m in self.matrices]

    def shapes_by_name(self) -> dict[str, tuple[int, ...]]:
        """The shape of every trained tensor of a single network."""
        return {m.name: tuple(m.shape) for m in self.matrices} | dict(self.vectors)

    def network(self, theta: Tensor, statistics: Tensor) -> Network:
        """Views of `theta` (m, p) and `statistics` (m, s)."""
        row, side = _Cutter(theta), _Cutter(statistics)
        found: ByOwner = {}
        for m in self.matrices:
            _file(found, m.name, row.matrix(m.shape))
        for name, shape in self.vectors:
            _file(found, name, row.vector(shape))
        measured: ByOwner = {}
        for name, shape in self.measured:
            _file(measured, name, side.vector(shape))
        return Network(
            [_layer(f"layers.{i}", found, measured) for i in range(len(self.fans))],
            found.get("entrance", NOTHING),
            measured.get("entrance", NOTHING),
            _layer("auxiliary", found, measured) if "auxiliary" in found else None,
            found.get("module", NOTHING),
            measured.get("module", NOTHING),
            found.get("members", NOTHING),
            found.get("embedding", NOTHING),
            measured.get("embedding", NOTHING),
        )


# Tensors by what they belong to, such as ``layers.0.norm``, and by their own names.
ByOwner = dict[str, dict[str, Tensor]]


def _file(parts: ByOwner, name: str, tensor: Tensor) -> None:
    """Put a tensor where its name belongs; names in a user's module have dots of their own."""
    split = name.partition if name.startswith("module.") else name.rpartition
    owner, _, own = split(".")
    parts.setdefault(owner, {})[own] = tensor


def _layer(prefix: str, found: ByOwner, measured: ByOwner) -> Layer:
    return Layer(
        found[prefix]["weight"],
        found[prefix].get("bias"),
        found.get(f"{prefix}.norm", NOTHING),
        measured.get(f"{prefix}.statistics", NOTHING),
        found.get(f"{prefix}.activation", NOTHING),
        found.get(f"{prefix}.skip", NOTHING),
    )


class _Cutter:
    """Cuts consecutive pieces off the rows of a buffer."""

    def __init__(self, buffer: Tensor) -> None:
        self.buffer = buffer
        self.position = 0

    def _take(self, shape: tuple[int, ...]) -> Tensor:
        length = math.prod(shape)
        piece = self.buffer[:, self.position : self.position + length]
        self.position += length
        return piece

    def matrix(self, shape: tuple[int, ...]) -> Tensor:
        m = len(self.buffer)
        return self._take(shape).view((m, *shape) if m > 1 else shape)

    def vector(self, shape: tuple[int, ...]) -> Tensor:
        piece = self._take(shape)
        m = len(self.buffer)
        if m == 1:
            return piece[0].view(shape)
        return piece.view(m, *shape) if len(shape) > 1 else piece.unsqueeze(1)
