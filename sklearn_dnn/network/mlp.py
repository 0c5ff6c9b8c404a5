"""The forward pass of a stack, and the two ways to its gradient.

``forward`` is the definition, for every combination of components, and autograd follows it.
``DenseKernel`` computes the same for the plain dense network by hand, into buffers that are
allocated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..components.activations import Activation
from ..components.dropouts import DropoutRule
from ..components.norms import Norm
from ..specification import FitSpec
from .parameters import Layer


class Architecture(NamedTuple):
    """What stands between the dense layers."""

    activation: Activation
    norm: Norm | None
    dropout: DropoutRule | None


class Noise(NamedTuple):
    """What makes a training pass random: the share dropped and where masks come from."""

    rate: float | Tensor
    generator: torch.Generator


def affine(x: Tensor, layer: Layer) -> Tensor:
    """``x W + b``: (b, p) -> (b, k), or (m, b, p) -> (m, b, k) for a stack."""
    if layer.weight.dim() == 2:
        return torch.addmm(layer.bias, x, layer.weight)
    # baddbmm with a bias that has to be broadcast is twice as slow
    return torch.bmm(x, layer.weight).add_(layer.bias)


def hidden(
    x: Tensor,
    layers: Sequence[Layer],
    architecture: Architecture,
    *,
    training: bool = False,
    noise: Noise | None = None,
) -> Tensor:
    """Activations of the last hidden layer, or `x` itself where there is none.

    Parameters
    ----------
    x : Tensor of shape (b, p), or (m, b, p) for a stack
    training : bool
        Whether norms measure the batch, and update their averages.
    noise : Noise or None
        Dropout's rate and generator; None leaves every unit in.
    """
    for layer in layers[:-1]:
        x = affine(x, layer)
        if architecture.norm is not None:
            x = architecture.norm.forward(x, layer.norm, layer.statistics, training)
        x = architecture.activation.forward(x)
        if architecture.dropout is not None and noise is not None:
            x = architecture.dropout.forward(x, noise.rate, noise.generator)
    return x


class Evaluator:
    """The forward pass without noise, into memory that each call uses again.

    Parameters
    ----------
    layers : sequence of Layer
    architecture : Architecture
    """

    def __init__(self, layers: Sequence[Layer], architecture: Architecture) -> None:
        self.layers = list(layers)
        self.architecture = architecture
        self._buffers: list[Tensor] = []

    def raw(self, x: Tensor) -> Tensor:
        """Raw outputs, in new memory: (b, p) -> (b, k), or with a leading m for a stack."""
        return affine(self.hidden(x), self.layers[-1])

    def hidden(self, x: Tensor) -> Tensor:
        """Activations of the last hidden layer; the next call overwrites them."""
        activation = self.architecture.activation
        plain = self.architecture.norm is None and activation.saves == "output"
        if not plain or x.dim() == 3:
            return hidden(x, self.layers, self.architecture)
        for i, layer in enumerate(self.layers[:-1]):
            out = self._buffer(i, x.shape[0], layer)
            torch.addmm(layer.bias, x, layer.weight, out=out)
            activation.apply(out, out)
            x = out
        return x

    def _buffer(self, i: int, n_rows: int, layer: Layer) -> Tensor:
        if i == len(self._buffers):
            self._buffers.append(layer.weight.new_empty(n_rows, layer.weight.shape[1]))
        if n_rows > len(self._buffers[i]):
            self._buffers[i] = layer.weight.new_empty(n_rows, layer.weight.shape[1])
        return self._buffers[i][:n_rows]


def has_kernel(spec: FitSpec) -> bool:
    """True if a fit can be trained by :class:`DenseKernel`."""
    return (
        spec.norm is None
        and spec.dropout is None
        and (spec.activation.saves is not None or not spec.hidden_layer_sizes)
        and spec.objective.has_gradient
    )


class DenseKernel:
    """Forward and backward of a plain dense stack by hand, for one number of rows.

    Parameters
    ----------
    layers, gradients : sequence of Layer
        Views of the parameters and of the buffer that :meth:`backward` fills.
    activation : Activation
        Of the hidden layers; it must have a kernel.
    n_rows : int
        Rows of a batch.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        gradients: Sequence[Layer],
        activation: Activation,
        n_rows: int,
    ) -> None:
        self.layers = list(layers)
        self.gradients = list(gradients)
        self.activation = activation
        first = layers[0].weight
        self.single = first.dim() == 2
        self.product = torch.mm if self.single else torch.bmm
        lead = (n_rows,) if self.single else (first.shape[0], n_rows)
        widths = [layer.weight.shape[-1] for layer in layers[:-1]]
        self.outputs = [first.new_empty(*lead, width) for width in widths]
        keeps_input = activation.saves == "input"
        self.inputs = [first.new_empty(*lead, w) for w in widths] if keeps_input else self.outputs
        # two places in turn for the layers' derivatives: what is in the cache is fast
        size = max((a.numel() for a in self.outputs), default=0)
        places = [first.new_empty(size) for _ in range(min(2, len(widths)))]
        self.deltas = [places[i % 2][: a.numel()].view(a.shape) for i, a in enumerate(self.outputs)]
        self.outputs_t = [a.mT for a in self.outputs]
        # a product with ones sums the rows in half the time of a reduction
        self.ones = first.new_ones(*lead[:-1], 1, n_rows)
        self.bias_gradients = [
            g.bias.unsqueeze(0) if self.single else g.bias for g in self.gradients
        ]
        self.weights_t = [layer.weight.mT for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of a batch, keeping what :meth:`backward` needs."""
        self.x = x
        for layer, z, a in zip(self.layers, self.inputs, self.outputs, strict=False):
            if self.single:
                torch.addmm(layer.bias, x, layer.weight, out=z)
            else:
                torch.bmm(x, layer.weight, out=z).add_(layer.bias)
            self.activation.apply(z, a)
            x = a
        return affine(x, self.layers[-1])

    def backward(self, delta: Tensor) -> None:
        """Fill the gradients from `delta`, the derivative by the raw outputs."""
        for i in range(len(self.layers) - 1, -1, -1):
            x_t = self.outputs_t[i - 1] if i else self.x.mT
            self.product(x_t, delta, out=self.gradients[i].weight)
            self.product(self.ones, delta, out=self.bias_gradients[i])
            if i:
                below = self.deltas[i - 1]
                self.product(delta, self.weights_t[i], out=below)
                self.activation.gradient(below, self.inputs[i - 1], below)
                delta = below
