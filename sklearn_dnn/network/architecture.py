"""What decides which numbers a network has, and what is computed with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ..components.activations import Activation
from ..components.architectures import HiddenModule
from ..components.dropouts import DropoutRule
from ..components.norms import Norm
from ..components.topologies import Topology
from ..specification import FitSpec
from .chance import seeded


@dataclass(frozen=True)
class Architecture:
    """The parts of a network, without its numbers.

    Attributes
    ----------
    sizes : tuple of int
        Units of every layer, from the inputs to the raw outputs. With a module of the user's,
        inputs and outputs alone.
    activations : tuple of Activation
        One a hidden layer.
    norm : Norm or None
        Of each hidden layer.
    topology : Topology
    input_norm : Norm or None
        In front of the first layer.
    dropouts : tuple of DropoutRule
        One a hidden layer.
    module : HiddenModule or None
        What stands in place of hidden layers.
    n_shared : int
        Members that share the network; see :mod:`~sklearn_dnn.network.members`.
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    norm: Norm | None
    topology: Topology
    input_norm: Norm | None = None
    dropouts: tuple[DropoutRule, ...] = ()
    module: HiddenModule | None = None
    n_shared: int = 1

    @classmethod
    def of(cls, spec: FitSpec) -> Architecture:
        """The architecture that a specification asks for."""
        module = spec.module
        hidden = () if module is not None else spec.hidden_layer_sizes
        return cls(
            sizes=(spec.task.n_features, *hidden, spec.n_raw),
            activations=spec.activation,
            norm=spec.norm,
            topology=spec.topology,
            input_norm=spec.input_norm,
            dropouts=spec.dropout,
            module=module,
            n_shared=spec.n_shared,
        )

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
