"""All parameters of a stack on one flat buffer, and the views that layers use.

The buffer has shape ``(m, p)``: a row a member. A row holds all weight matrices first, so that
penalties and decay act on one slice, then everything else that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from .architecture import Architecture
from .chance import seeded

NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class Layer(NamedTuple):
    """Views of one layer's numbers.

    One network has ``weight`` (n_in, n_out) and vectors (n_out,); a stack has (m, n_in, n_out)
    and (m, 1, n_out).

    Attributes
    ----------
    weight : Tensor
    bias : Tensor or None
        None where a norm behind it makes it redundant.
    norm, statistics : dict of str to Tensor
        The norm's learnt and measured vectors; empty without one.
    activation : dict of str to Tensor
        What the activation learns.
    skip : dict of str to Tensor
        Where a skip connection arrives: its "projection" (n_skip, n_out), where widths differ,
        and the branch's "multiplier" (1,), where there is one.
    """

    weight: Tensor
    bias: Tensor | None
    norm: Mapping[str, Tensor] = NOTHING
    statistics: Mapping[str, Tensor] = NOTHING
    activation: Mapping[str, Tensor] = NOTHING
    skip: Mapping[str, Tensor] = NOTHING


class Network(NamedTuple):
    """Views of all numbers of a network, or of a stack.

    Attributes
    ----------
    layers : list of Layer
        The hidden ones, and the output.
    entrance, entrance_statistics : dict of str to Tensor
        The input norm's vectors.
    auxiliary : Layer or None
        The auxiliary output.
    module, module_statistics : dict of str to Tensor
        Parameters and buffers of a user's own hidden part, by their names in it.
    members : dict of str to Tensor
        Where members share the network, each one's own: factors of its "inputs" (k, p) and of
        the "units" (k, h) that the output reads, and the output's "bias" (k, o).
    embedding, embedding_statistics : dict of str to Tensor
        What embeddings have learnt and measured; see :mod:`~sklearn_dnn._core.network.entrance`.
    """

    layers: list[Layer]
    entrance: Mapping[str, Tensor] = NOTHING
    entrance_statistics: Mapping[str, Tensor] = NOTHING
    auxiliary: Layer | None = None
    module: Mapping[str, Tensor] = NOTHING
    module_statistics: Mapping[str, Tensor] = NOTHING
    members: Mapping[str, Tensor] = NOTHING
    embedding: Mapping[str, Tensor] = NOTHING
    embedding_statistics: Mapping[str, Tensor] = NOTHING

    def trained(self) -> dict[str, Tensor]:
        """All trained tensors by name, in the order of the buffer's weights and then the rest."""
        found: dict[str, Tensor] = {}
        for prefix, layer in self._named_layers():
            found[f"{prefix}.weight"] = layer.weight
            if layer.bias is not None:
                found[f"{prefix}.bias"] = layer.bias
            for part in ("norm", "activation", "skip"):
                for name, tensor in getattr(layer, part).items():
                    found[f"{prefix}.{part}.{name}"] = tensor
        found |= {f"entrance.{name}": tensor for name, tensor in self.entrance.items()}
        found |= {f"members.{name}": tensor for name, tensor in self.members.items()}
        found |= {f"embedding.{name}": tensor for name, tensor in self.embedding.items()}
        return found | {f"module.{name}": tensor for name, tensor in self.module.items()}

    def measured(self) -> dict[str, Tensor]:
        """All tensors that follow the data, by name."""
        found = {
            f"{prefix}.statistics.{name}": tensor
            for prefix, layer in self._named_layers()
            for name, tensor in layer.statistics.items()
        }
        found |= {f"entrance.{name}": t for name, t in self.entrance_statistics.items()}
        found |= {f"embedding.{name}": t for name, t in self.embedding_statistics.items()}
        return found | {f"module.{name}": t for name, t in self.module_statistics.items()}

    def _named_layers(self) -> Iterator[tuple[str, Layer]]:
        for i, layer in enumerate(self.layers):
            yield f"layers.{i}", layer
        if self.auxiliary is not None:
            yield "auxiliary", self.auxiliary

    def replaced(self, tensors: Sequence[Tensor]) -> Network:
        """The same network on other trained tensors, in the order of :meth:`trained`."""
        source = dict(zip(self.trained(), tensors, strict=True))

        def layer(prefix: str, old: Layer) -> Layer:
            def part(name: str) -> dict[str, Tensor]:
                return {k: source[f"{prefix}.{name}.{k}"] for k in getattr(old, name)}

            return Layer(
                source[f"{prefix}.weight"],
                source.get(f"{prefix}.bias"),
                part("norm"),
                old.statistics,
                part("activation"),
                part("skip"),
            )

        return Network(
            [layer(f"layers.{i}", old) for i, old in enumerate(self.layers)],
            {k: source[f"entrance.{k}"] for k in self.entrance},
            self.entrance_statistics,
            None if self.auxiliary is None else layer("auxiliary", self.auxiliary),
            {k: source[f"module.{k}"] for k in self.module},
            self.module_statistics,
            {k: source[f"members.{k}"] for k in self.members},
            {k: source[f"embedding.{k}"] for k in self.embedding},
            self.embedding_statistics,
        )


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
        row, side = _Reader(theta), _Reader(statistics)
        found: Parts = {}
        for m in self.matrices:
            _file(found, m.name, row.matrix(m.shape))
        for name, shape in self.vectors:
            _file(found, name, row.vector(shape))
        measured: Parts = {}
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
Parts = dict[str, dict[str, Tensor]]


def _file(parts: Parts, name: str, tensor: Tensor) -> None:
    """Put a tensor where its name belongs; names in a user's module have dots of their own."""
    split = name.partition if name.startswith("module.") else name.rpartition
    owner, _, own = split(".")
    parts.setdefault(owner, {})[own] = tensor


def _layer(prefix: str, found: Parts, measured: Parts) -> Layer:
    return Layer(
        found[prefix]["weight"],
        found[prefix].get("bias"),
        found.get(f"{prefix}.norm", NOTHING),
        measured.get(f"{prefix}.statistics", NOTHING),
        found.get(f"{prefix}.activation", NOTHING),
        found.get(f"{prefix}.skip", NOTHING),
    )


class _Reader:
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
