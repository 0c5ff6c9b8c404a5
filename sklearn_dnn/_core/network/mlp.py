"""The forward pass of a stack: the definition, for every combination of components.

Autograd follows it; :mod:`~sklearn_dnn._core.network.kernels` has gradients by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...components.dropouts import Dropout
from .architecture import Architecture
from .chance import seeded
from .entrance import embedded, normed
from .members import entering, heads, repeated, split
from .views import Layer, Network

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
    shared : torch.Generator or None
        Where that is drawn from which all rows have in common, in a pass that takes them piece
        by piece; None for `generator`.
    """

    rates: Sequence[float | Tensor]
    input_rate: float | Tensor
    weight_std: float | Tensor
    generator: torch.Generator
    shared: torch.Generator | None = None

    def source(self, shared: bool) -> torch.Generator:
        """Where a draw is taken from that all rows share, or that each has for itself."""
        return self.shared if shared and self.shared is not None else self.generator

    def begin_piece(self) -> None:
        """Let the next rows share what the pass' first ones drew."""
        if self.shared is not None:
            self.shared.manual_seed(self.shared.initial_seed())


def is_nonzero(value: float | Tensor) -> bool:
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
        Standardised inputs. Where k members share the network, all that comes behind the input
        norm and embeddings has k * b rows, those of a member together.
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
        x = normed(x, network, a, training, counts)
    if a.embeds:
        x = embedded(x, network, a)
    if a.n_shared > 1:
        x = entering(x, network.members)
        counts = None if counts is None else repeated(counts, a.n_shared, counts.dim() - 2)
    if noise is not None and is_nonzero(noise.input_rate):
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
    activation = a.activations[i]
    norm = None if a.norm is None or a.norm.on_weights else a.norm
    generator = None if noise is None else noise.generator
    if norm is not None and norm.position == "before":
        z = norm.forward(z, layer.norm, layer.statistics, training, counts)
    if a.ends_block(i) and activation.inputs_per_unit == 1:
        z = _join(z, skip, layer)
    x = activation.layer_forward(z, layer.activation, generator)
    if a.ends_block(i) and activation.inputs_per_unit > 1:
        x = _join(x, skip, layer)
    if norm is not None and norm.position == "after":
        x = norm.forward(x, layer.norm, layer.statistics, training, counts)
    if noise is not None and is_nonzero(noise.rates[i]) and a.dropouts[i].on == "units":
        rule = a.dropouts[i]
        x = rule.forward(x, noise.rates[i], noise.source(rule.shared))
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
    is_hidden, weight = i < a.n_hidden, layer.weight
    if a.norm is not None and is_hidden and a.norm.on_weights:
        weight = a.norm.weight(weight, layer.norm)
    if noise is not None and is_nonzero(noise.weight_std):
        drawn = torch.empty_like(weight).normal_(generator=noise.source(shared=True))
        weight = weight + drawn * noise.weight_std
    if (
        noise is not None
        and is_hidden
        and is_nonzero(noise.rates[i])
        and a.dropouts[i].on == "weights"
    ):
        weight = a.dropouts[i].forward(weight, noise.rates[i], noise.source(shared=True))
    return layer if weight is layer.weight else Layer(weight, layer.bias)


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
    return outputs_of(hidden(x, network, architecture, noise=noise), network, architecture, noise)


def outputs_of(
    top: Tensor, network: Network, architecture: Architecture, noise: Noise | None
) -> Tensor:
    """Raw outputs from what the output layer reads.

    Returns
    -------
    Tensor of shape (b, k) or (m, b, k)
        Where members share the network, (n_shared, b, k) or (m, n_shared, b, k).
    """
    layer = effective(network.layers[-1], architecture.n_hidden, architecture, noise)
    if architecture.n_shared > 1:
        return heads(top, layer, network.members)
    return affine(top, layer)


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
            and architecture.n_shared == 1
            and all(a.saves == "output" for a in architecture.activations)
        )
        self.embeds = architecture.embeds
        self._buffers: list[Tensor] = []

    def begin_piece(self) -> None:
        """Let the next rows share what a random pass' first ones drew."""
        if self.noise is not None:
            self.noise.begin_piece()

    def raw(self, x: Tensor) -> Tensor:
        """Raw outputs, in new memory: (b, p) -> (b, k), or with a leading m for a stack.

        Where members share the network, they have an axis in front of the rows'.
        """
        if self.plain:
            return affine(self.hidden(x), self.layers[-1])
        return raw_outputs_of(x, self.network, self.architecture, self.noise)

    def hidden(self, x: Tensor) -> Tensor:
        """What the output layer reads; the next call overwrites it.

        Where members share the network, they have an axis in front of the rows'.
        """
        if not self.plain:
            top = hidden(x, self.network, self.architecture, noise=self.noise)
            k = self.architecture.n_shared
            return top if k == 1 else split(top, k)
        single = x.dim() == 2
        if self.embeds:
            x = embedded(x, self.network, self.architecture)
        for i, layer in enumerate(self.layers[:-1]):
            out = self._buffer(i, x.shape[-2], layer)
            assert layer.bias is not None
            if single:
                torch.addmm(layer.bias, x, layer.weight, out=out)
            else:
                torch.bmm(x, layer.weight, out=out).add_(layer.bias)
            self.architecture.activations[i].apply(out, out)
            x = out
        return x

    def _buffer(self, i: int, n_rows: int, layer: Layer) -> Tensor:
        """Memory for a layer's outputs, (b, k) or (m, b, k)."""
        *lead, _, width = layer.weight.shape
        if i == len(self._buffers):
            self._buffers.append(layer.weight.new_empty(*lead, n_rows, width))
        if n_rows > self._buffers[i].shape[-2]:
            self._buffers[i] = layer.weight.new_empty(*lead, n_rows, width)
        buffer = self._buffers[i]
        return buffer[:, :n_rows] if lead else buffer[:n_rows]


class InTurn:
    """The face of an :class:`Evaluator` over networks that are no stack: a pass of each in turn.

    Parameters
    ----------
    evaluators : sequence of Evaluator
    """

    def __init__(self, evaluators: Sequence[Evaluator]) -> None:
        self.evaluators = list(evaluators)
        self.layers = self.evaluators[0].layers
        self.architecture = self.evaluators[0].architecture

    def begin_piece(self) -> None:
        """See :meth:`Evaluator.begin_piece`; the networks have one noise."""
        self.evaluators[0].begin_piece()

    def raw(self, x: Tensor) -> Tensor:
        """Raw outputs, (b, p) -> (m, b, k)."""
        return torch.stack([evaluator.raw(x) for evaluator in self.evaluators])

    def hidden(self, x: Tensor) -> Tensor:
        """What the output layers read, (b, p) -> (m, b, k)."""
        return torch.stack([evaluator.hidden(x) for evaluator in self.evaluators])
