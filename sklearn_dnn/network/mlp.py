"""The forward pass of a stack, and the two ways to its gradient.

``hidden`` is the definition, for every combination of components, and autograd follows it.
``DenseKernel`` computes the same for the plain dense network by hand, into buffers that are
allocated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..components.activations import Activation
from ..components.dropouts import Dropout
from ..specification import FitSpec
from .architecture import Architecture
from .chance import seeded
from .parameters import Layer, Network

_INPUT_DROPOUT = Dropout()


class Noise(NamedTuple):
    """What makes a pass random: how much, and where it is drawn from.

    Numbers are floats, or tensors of shape (m, 1, 1) where members of a stack differ.

    Attributes
    ----------
    rates : sequence
        Share of each hidden layer's units, or weights, that drop.
    input_rate
        Share of the inputs that drop.
    weight_std
        Standard deviation of what is added to each weight.
    generator : torch.Generator
    """

    rates: Sequence[float | Tensor]
    input_rate: float | Tensor
    weight_std: float | Tensor
    generator: torch.Generator


def on(value: float | Tensor) -> bool:
    """Whether a number, or any member's of a stack, is other than 0."""
    return isinstance(value, Tensor) or value != 0


def affine(x: Tensor, layer: Layer) -> Tensor:
    """``x W + b``: (b, p) -> (b, k), or (m, b, p) -> (m, b, k) for a stack."""
    if layer.bias is None:
        return torch.matmul(x, layer.weight)
    if layer.weight.dim() == 2:
        return torch.addmm(layer.bias, x, layer.weight)
    # baddbmm with a bias that has to be broadcast is twice as slow
    return torch.bmm(x, layer.weight).add_(layer.bias)


def hidden(
    x: Tensor,
    network: Network,
    architecture: Architecture,
    *,
    training: bool = False,
    noise: Noise | None = None,
    outputs: list[Tensor] | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """What the output layer reads: activations of the last hidden layer.

    Parameters
    ----------
    x : Tensor of shape (b, p), or (m, b, p) for a stack
        Standardised inputs.
    training : bool
        Whether norms measure the batch, and update their averages.
    noise : Noise or None
        None for a pass without chance.
    outputs : list or None
        Takes the output of each hidden layer.
    counts : Tensor of shape (b, 1) or (m, b, 1), or None
        The rows' weights, which a norm that measures the batch goes by; None for 1 each.

    Returns
    -------
    Tensor of shape (b, k) or (m, b, k)
        `x` itself where there is no hidden layer; with the inputs beside, in a wide network.
    """
    a = architecture
    if a.input_norm is not None:
        x = a.input_norm.forward(x, network.entrance, network.entrance_statistics, training, counts)
    if noise is not None and on(noise.input_rate):
        x = _INPUT_DROPOUT.forward(x, noise.input_rate, noise.generator)
    if a.module is not None:
        return module_outputs(x, network, a, training=training, noise=noise)
    skip = inputs = x
    for i, layer in enumerate(network.layers[:-1]):
        x = _hidden_layer(x, skip, i, layer, a, training, noise, counts)
        if a.ends_block(i):
            skip = x
        if outputs is not None:
            outputs.append(x)
    if a.topology.wide and a.n_hidden:
        x = torch.cat([x, inputs], -1)
    return x


def _hidden_layer(
    x: Tensor,
    skip: Tensor,
    i: int,
    layer: Layer,
    a: Architecture,
    training: bool,
    noise: Noise | None,
    counts: Tensor | None,
) -> Tensor:
    """One hidden layer; `skip` is what arrives where a block ends."""
    z = affine(x, effective(layer, i, a, noise))
    norm, activation = a.norm, a.activations[i]
    generator = None if noise is None else noise.generator
    normed = norm is not None and not norm.on_weights
    if normed and norm.position == "before":
        z = norm.forward(z, layer.norm, layer.statistics, training, counts)
    if a.ends_block(i) and activation.inputs_per_unit == 1:
        z = _join(z, skip, layer)
    x = activation.layer_forward(z, layer.activation, generator)
    if a.ends_block(i) and activation.inputs_per_unit > 1:
        x = _join(x, skip, layer)
    if normed and norm.position == "after":
        x = norm.forward(x, layer.norm, layer.statistics, training, counts)
    if noise is not None and on(noise.rates[i]) and a.dropouts[i].on == "units":
        x = a.dropouts[i].forward(x, noise.rates[i], noise.generator)
    return x


def _join(branch: Tensor, skip: Tensor, layer: Layer) -> Tensor:
    """A block's branch and what skipped it."""
    if "multiplier" in layer.skip:
        branch = branch * layer.skip["multiplier"]
    if "projection" in layer.skip:
        skip = torch.matmul(skip, layer.skip["projection"])
    return branch + skip


def effective(layer: Layer, i: int, a: Architecture, noise: Noise | None) -> Layer:
    """A layer with the weights that a pass really multiplies by."""
    is_hidden = i < a.n_hidden
    normed = a.on_weights and is_hidden
    drops = noise is not None and is_hidden and on(noise.rates[i]) and a.dropouts[i].on == "weights"
    shaken = noise is not None and on(noise.weight_std)
    if not (normed or drops or shaken):
        return layer
    weight = layer.weight
    if normed:
        weight = a.norm.weight(weight, layer.norm)
    if shaken:
        drawn = torch.empty_like(weight).normal_(generator=noise.generator)
        weight = weight + drawn * noise.weight_std
    if drops:
        weight = a.dropouts[i].forward(weight, noise.rates[i], noise.generator)
    return Layer(weight, layer.bias)


def module_outputs(
    x: Tensor, network: Network, a: Architecture, *, training: bool, noise: Noise | None
) -> Tensor:
    """What a user's own module makes of its inputs, on the numbers of the network.

    What the module draws from torch's random state, it draws from the fit's own stream.
    """
    module = a.live_module
    # a pass with noise but without training leaves statistics as they are
    module.train(training or noise is not None)
    if not training:
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm1d | torch.nn.SyncBatchNorm):
                part.eval()
    kept = network.module_statistics
    named = dict(network.module) | dict(kept)
    if training:
        # copies, since a change of one view would count as one of all to autograd
        named |= {name: tensor.clone() for name, tensor in kept.items()}
    for name, buffer in module.named_buffers():
        if not buffer.is_floating_point():  # an index, a mask or a count
            named[name] = kept[name].round().to(buffer.dtype)
    seed = 0
    if noise is not None:
        draw = torch.empty((), dtype=torch.int64, device=noise.generator.device)
        seed = int(draw.random_(2**62, generator=noise.generator))
    with seeded(seed, str(x.device)):
        outputs = torch.func.functional_call(module, named, (x,))
    if training:
        with torch.no_grad():
            for name, _ in module.named_buffers():
                kept[name].copy_(named[name])
    return outputs


def raw_outputs_of(
    x: Tensor, network: Network, architecture: Architecture, noise: Noise | None
) -> Tensor:
    """Raw outputs of a pass that does not train: (b, p) -> (b, k)."""
    top = hidden(x, network, architecture, noise=noise)
    return affine(top, effective(network.layers[-1], architecture.n_hidden, architecture, noise))


class Evaluator:
    """The forward pass of a network that does not train, into memory that each call uses again.

    Parameters
    ----------
    network : Network
    architecture : Architecture
    noise : Noise or None
        For passes that are to be random nonetheless.
    """

    def __init__(
        self, network: Network, architecture: Architecture, noise: Noise | None = None
    ) -> None:
        self.network = network
        self.layers = network.layers
        self.architecture = architecture
        self.noise = noise
        self.plain = (
            noise is None
            and architecture.is_plain
            and all(a.saves == "output" for a in architecture.activations)
        )
        self._buffers: list[Tensor] = []

    def raw(self, x: Tensor) -> Tensor:
        """Raw outputs, in new memory: (b, p) -> (b, k), or with a leading m for a stack."""
        if self.plain:
            return affine(self.hidden(x), self.layers[-1])
        return raw_outputs_of(x, self.network, self.architecture, self.noise)

    def hidden(self, x: Tensor) -> Tensor:
        """What the output layer reads; the next call overwrites it."""
        if not self.plain or x.dim() == 3:
            return hidden(x, self.network, self.architecture, noise=self.noise)
        for i, layer in enumerate(self.layers[:-1]):
            out = self._buffer(i, x.shape[0], layer)
            torch.addmm(layer.bias, x, layer.weight, out=out)
            self.architecture.activations[i].apply(out, out)
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
        Architecture.of(spec).is_plain
        and not spec.is_noisy
        and not spec.mixes_precision
        and spec.activity_l1 == 0
        and spec.topology.auxiliary_weight == 0
        and all(activation.saves is not None for activation in spec.activation)
        and spec.objective.has_gradient
    )


class DenseKernel:
    """Forward and backward of a plain dense stack by hand, for one number of rows.

    Parameters
    ----------
    layers, gradients : sequence of Layer
        Views of the parameters and of the buffer that :meth:`backward` fills.
    activations : sequence of Activation
        Of the hidden layers; each must have a kernel.
    n_rows : int
        Rows of a batch.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        gradients: Sequence[Layer],
        activations: Sequence[Activation],
        n_rows: int,
    ) -> None:
        self.layers = list(layers)
        self.gradients = list(gradients)
        self.activations = list(activations)
        first = layers[0].weight
        self.single = first.dim() == 2
        self.product = torch.mm if self.single else torch.bmm
        lead = (n_rows,) if self.single else (first.shape[0], n_rows)
        widths = [layer.weight.shape[-1] for layer in layers[:-1]]
        self.outputs = [first.new_empty(*lead, width) for width in widths]
        self.inputs = [
            first.new_empty(*lead, w) if activation.saves == "input" else out
            for w, activation, out in zip(widths, activations, self.outputs, strict=True)
        ]
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
        for layer, z, a, activation in zip(
            self.layers, self.inputs, self.outputs, self.activations, strict=False
        ):
            if self.single:
                torch.addmm(layer.bias, x, layer.weight, out=z)
            else:
                torch.bmm(x, layer.weight, out=z).add_(layer.bias)
            activation.apply(z, a)
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
                self.activations[i - 1].gradient(below, self.inputs[i - 1], below)
                delta = below
