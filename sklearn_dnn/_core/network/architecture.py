"""What decides which numbers a network has, and what is computed with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ...components.activations import Activation
from ...components.architectures import HiddenModule
from ...components.dropouts import DropoutRule
from ...components.embeddings import CODE_SIZE, NumericEmbedding, entering_width
from ...components.norms import Norm
from ...components.topologies import Topology
from ..specification import FitSpec
from .chance import seeded

# The name of the table of all levels' vectors among an embedding's numbers.
CODES = "codes"


@dataclass(frozen=True)
class Architecture:
    """The parts of a network, without its numbers.

    Attributes
    ----------
    sizes : tuple of int
        Units of every layer, from the inputs to the raw outputs. With a module of the user's,
        inputs and outputs alone. Inputs are what the first layer reads, embeddings included.
    activations : tuple of Activation
        One a hidden layer.
    norm : Norm or None
        Of each hidden layer.
    topology : Topology
    input_norm : Norm or None
        In front of the first layer, and of embeddings: of the columns of numbers.
    dropouts : tuple of DropoutRule
        One a hidden layer.
    module : HiddenModule or None
        What stands in place of hidden layers.
    n_shared : int
        Members that share the network; see :mod:`~sklearn_dnn._core.network.members`.
    embedding : NumericEmbedding or None
        Of the columns of numbers.
    n_passed : int
        Columns of zeros and ones, which are read as they are.
    levels : tuple of int
        For each column of codes the number of its levels.
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    norm: Norm | None
    topology: Topology
    input_norm: Norm | None = None
    dropouts: tuple[DropoutRule, ...] = ()
    module: HiddenModule | None = None
    n_shared: int = 1
    embedding: NumericEmbedding | None = None
    n_passed: int = 0
    levels: tuple[int, ...] = ()

    @classmethod
    def of(cls, spec: FitSpec) -> Architecture:
        """The architecture that a specification asks for."""
        return cls.of_parts(
            spec.hidden_layer_sizes,
            n_raw=spec.n_raw,
            n_numbers=spec.task.n_numbers,
            n_passed=spec.task.n_passed,
            levels=spec.task.levels,
            activations=spec.activation,
            norm=spec.norm,
            topology=spec.topology,
            input_norm=spec.input_norm,
            dropouts=spec.dropout,
            n_shared=spec.n_shared,
            embedding=spec.numeric_embedding,
        )

    @classmethod
    def of_parts(
        cls,
        hidden: tuple[int, ...] | HiddenModule,
        *,
        n_raw: int,
        n_numbers: int,
        n_passed: int,
        levels: tuple[int, ...],
        activations: tuple[Activation, ...],
        norm: Norm | None,
        topology: Topology,
        input_norm: Norm | None,
        dropouts: tuple[DropoutRule, ...],
        n_shared: int,
        embedding: NumericEmbedding | None,
    ) -> Architecture:
        """The architecture of hidden layers, or a module of the user's, on columns of each kind.

        Without columns of numbers there is nothing to normalise or to embed.
        """
        module = hidden if isinstance(hidden, HiddenModule) else None
        if n_numbers == 0:
            input_norm = embedding = None
        width = entering_width(embedding, n_numbers, n_passed, len(levels))
        return cls(
            sizes=(width, *(hidden if module is None else ()), n_raw),
            activations=activations,
            norm=norm,
            topology=topology,
            input_norm=input_norm,
            dropouts=dropouts,
            module=module,
            n_shared=n_shared,
            embedding=embedding,
            n_passed=n_passed,
            levels=levels,
        )

    @property
    def embeds(self) -> bool:
        """Whether the first layer reads something else than the columns."""
        return self.embedding is not None or bool(self.levels)

    @cached_property
    def n_numbers(self) -> int:
        """Columns of numbers."""
        left = self.sizes[0] - self.n_passed - len(self.levels) * CODE_SIZE
        return left if self.embedding is None else left // self.embedding.numbers_each

    @property
    def embedding_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what embeddings are trained by, by name."""
        own = self.embedding
        shapes = {} if own is None else dict(own.parameter_shapes(self.n_numbers))
        return shapes | ({CODES: (sum(self.levels), CODE_SIZE)} if self.levels else {})

    @property
    def embedding_buffer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Likewise of what was measured for them."""
        return {} if self.embedding is None else self.embedding.buffer_shapes(self.n_numbers)

    @property
    def n_columns(self) -> int:
        """Columns of a row of inputs: numbers, then what passes, then codes."""
        return self.n_numbers + self.n_passed + len(self.levels)

    @property
    def n_hidden(self) -> int:
        return len(self.sizes) - 2

    @property
    def is_plain(self) -> bool:
        """Whether hidden layers are dense parts and elementwise activations, and no more."""
        return (
            self.norm is None
            and self.input_norm is None
            and self.module is None
            and self.topology.block_size == 0
            and not self.topology.wide
            and all(a.inputs_per_unit == 1 and not a.parameter_starts for a in self.activations)
        )

    @property
    def on_weights(self) -> bool:
        """Whether the norm acts on weights instead of outputs."""
        return self.norm is not None and self.norm.on_weights

    def ends_block(self, layer: int) -> bool:
        """Whether a skip connection arrives at this hidden layer (from 0)."""
        return self.topology.ends_block(layer, self.n_hidden)

    def skip_width(self, layer: int) -> int:
        """Width of what a skip connection brings to this hidden layer."""
        return self.sizes[layer + 1 - self.topology.block_size]

    def without_norm(self) -> Architecture:
        """The same after the norm was folded into the dense layers."""
        return replace(self, norm=None)

    @cached_property
    def live_module(self) -> torch.nn.Module:
        """The user's hidden part, to be called on numbers that stand elsewhere."""
        with seeded(0):
            return self.build_module()

    def build_module(self) -> torch.nn.Module:
        """A new hidden part of the user's, drawn from torch's random state as it is."""
        assert self.module is not None
        return self.module.build(self.sizes[0])
