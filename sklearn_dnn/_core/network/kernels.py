"""Forward and backward of dense networks by hand, into buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...components.activations import Activation
from ...components.dropouts import DropoutRule, Memory
from ..specification import FitSpec
from .architecture import Architecture
from .mlp import Noise, affine, is_nonzero
from .views import Layer, Network

# Numbers of all members' first gradients up to which they stay in a core's cache.
CACHED = 2**17


def has_kernel(spec: FitSpec) -> bool:
    """True if a fit can be trained by :class:`DenseKernel`, or :class:`SharedKernel`."""
    a = Architecture.of(spec)
    return (
        a.is_plain
        and (not spec.is_noisy or _only_drops_units(spec))
        and not spec.mixes_precision
        and spec.activity_l1 == 0
        and spec.topology.auxiliary_weight == 0
        and all(activation.saves is not None for activation in spec.activation)
        and spec.objective.has_gradient
    )


def _only_drops_units(spec: FitSpec) -> bool:
    """Whether all noise multiplies what hidden layers put out."""
    return (
        spec.input_dropout == 0
        and spec.weight_noise == 0
        and not any(activation.noisy for activation in spec.activation)
        and all(rule.multiplies for rule in spec.dropout)
    )


class Dropping:
    """Dropout of a hidden layer's units by hand, as the definition of the forward pass draws it.

    Parameters
    ----------
    rule : DropoutRule
        One that multiplies.
    layer : int
    noise : callable
        Gives the rates as they are now.
    a, read : Tensor
        What the layer puts out, and where what the next one reads of it is put.
    """

    def __init__(
        self,
        rule: DropoutRule,
        layer: int,
        noise: Callable[[], Noise | None],
        a: Tensor,
        read: Tensor,
    ) -> None:
        self.rule, self.layer, self.noise = rule, layer, noise
        self.a, self.read = a, read
        self.memory = Memory.like(a)
        self.factor: Tensor | None = None

    def forward(self) -> None:
        """Drop a fresh share."""
        noise, rule = self.noise(), self.rule
        assert noise is not None
        rate = noise.rates[self.layer]
        self.factor = None
        if is_nonzero(rate):
            self.factor = rule.factor(self.a, rate, noise.source(rule.shared), self.memory)
            torch.mul(self.a, self.factor, out=self.read)
        elif self.read is not self.a:
            self.read.copy_(self.a)

    def backward(self, delta: Tensor) -> None:
        """Take the derivative, in place, from behind the dropout to in front of it."""
        if self.factor is not None:
            delta.mul_(self.factor)


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
    dropouts : sequence of DropoutRule
        One a hidden layer, all of which multiply; empty for none.
    noise : callable or None
        Gives the rates of `dropouts` as they are now.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        gradients: Sequence[Layer],
        activations: Sequence[Activation],
        n_rows: int,
        dropouts: Sequence[DropoutRule] = (),
        noise: Callable[[], Noise | None] | None = None,
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
        # what the next layer reads; an activation may need what it put out itself
        self.read = self.outputs
        self.drops: list[Dropping | None] = [None] * len(widths)
        if noise is not None:
            self.read = [
                out if activation.saves == "input" else torch.empty_like(out)
                for out, activation in zip(self.outputs, activations, strict=True)
            ]
            self.drops = [
                Dropping(dropouts[i], i, noise, self.outputs[i], self.read[i])
                for i in range(len(widths))
            ]
        self.outputs_t = [a.mT for a in self.read]
        # a product with ones sums the rows in half the time of a reduction
        self.ones = first.new_ones(*lead[:-1], 1, n_rows)
        self.bias_gradients = [
            g.bias.unsqueeze(0) if self.single and g.bias is not None else g.bias
            for g in self.gradients
        ]
        self.weights_t = [layer.weight.mT for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of a batch, keeping what :meth:`backward` needs."""
        return affine(self.hidden(x), self.layers[-1])

    def hidden(self, x: Tensor) -> Tensor:
        """What the output layer reads."""
        self.x = x
        each = (self.inputs, self.outputs, self.activations, self.drops, self.read)
        for layer, z, a, activation, drop, read in zip(self.layers, *each, strict=False):
            if self.single:
                torch.addmm(layer.bias, x, layer.weight, out=z)
            else:
                torch.bmm(x, layer.weight, out=z).add_(layer.bias)
            activation.apply(z, a)
            if drop is not None:
                drop.forward()
            x = read
        return x

    def backward(self, delta: Tensor) -> Tensor:
        """Fill the gradients from `delta`, the derivative by the raw outputs.

        The derivative by what the first layer puts out is returned, in memory that the next
        call uses again.
        """
        delta = self.down_to_first(delta, len(self.layers) - 1)
        self.product(self.x.mT, delta, out=self.gradients[0].weight)
        self.product(self.ones, delta, out=self.bias_gradients[0])
        return delta

    def by_inputs(self, delta: Tensor, out: Tensor) -> None:
        """Put the derivative by the inputs, from what :meth:`backward` gave, into `out`.

        It has rows last, (.., p, b).
        """
        self.product(self.layers[0].weight, delta.mT, out=out)

    def down_to_first(self, delta: Tensor, layer: int) -> Tensor:
        """Fill the gradients of this layer and of those below it, except the first.

        Parameters
        ----------
        delta : Tensor
            The derivative by what the layer puts out in front of its activation.
        layer : int

        Returns
        -------
        Tensor
            The same of the first layer.
        """
        for i in range(layer, 0, -1):
            self.product(self.outputs_t[i - 1], delta, out=self.gradients[i].weight)
            self.product(self.ones, delta, out=self.bias_gradients[i])
            below = self.deltas[i - 1]
            self.product(delta, self.weights_t[i], out=below)
            drop = self.drops[i - 1]
            if drop is not None:
                drop.backward(below)
            self.activations[i - 1].gradient(below, self.inputs[i - 1], below)
            delta = below
        return delta


class SharedKernel:
    """The same where ``k`` members share the network.

    Parameters
    ----------
    network, gradients : Network
        Views of the parameters and of the buffer that :meth:`backward` fills.
    activations : sequence of Activation
        Of the hidden layers, of which there is one at least; each must have a kernel.
    n_rows : int
        Rows ``b`` of a batch.
    dropouts, noise
        As of :class:`DenseKernel`.
    """

    def __init__(
        self,
        network: Network,
        gradients: Network,
        activations: Sequence[Activation],
        n_rows: int,
        dropouts: Sequence[DropoutRule] = (),
        noise: Callable[[], Noise | None] | None = None,
    ) -> None:
        self.members, self.own = network.members, gradients.members
        self.first, self.last = network.layers[0].weight, network.layers[-1].weight
        self.first_gradient = gradients.layers[0]
        self.last_gradient = gradients.layers[-1].weight
        self.k, p = self.members["inputs"].shape[-2:]
        layers, rows = (network.layers, gradients.layers), self.k * n_rows
        self.dense = DenseKernel(*layers, activations, rows, dropouts, noise)
        self.lead = self.first.shape[:-2]  # () or (m,)
        new = self.first.new_empty
        self.x = new(*self.lead, self.k, n_rows, p)
        self.x_rows = self.x.flatten(-3, -2)
        top = self.dense.read[-1]
        self.top = top.unflatten(-2, (self.k, n_rows)).flatten(0, -3)  # (m * k, b, h)
        self.top_delta = self.dense.deltas[-1].view(self.top.shape)
        h, o = self.last.shape[-2:]
        self.heads = new(*self.lead, self.k, h, o)
        self.head_gradients = torch.empty_like(self.heads)
        self.factors = self.members["units"].unsqueeze(-1)  # (.., k, h, 1)
        self.bias = self.members["bias"].unsqueeze(-2)  # (.., k, 1, o)
        self.input_factors = self.members["inputs"].unsqueeze(-2)  # (.., k, 1, p)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of each member (.., k, b, o), keeping what :meth:`backward` needs."""
        self.inputs = x.unsqueeze(-3)
        torch.mul(self.inputs, self.input_factors, out=self.x)
        self.dense.hidden(self.x_rows)
        torch.mul(self.last.unsqueeze(-3), self.factors, out=self.heads)
        raw = torch.bmm(self.top, self.heads.flatten(0, -3))
        return raw.view(*self.lead, self.k, *raw.shape[-2:]).add_(self.bias)

    def backward(self, delta: Tensor) -> Tensor:
        """Fill the gradients from `delta` (.., k, b, o), the derivative by the raw outputs.

        What is returned is as that of :meth:`DenseKernel.backward`, (.., k * b, h).
        """
        dense = self.dense
        torch.sum(delta, -2, out=self.own["bias"])
        flat = delta.reshape(-1, *delta.shape[-2:])
        torch.bmm(self.top.mT, flat, out=self.head_gradients.flatten(0, -3))
        # by the factors, and by the matrix they share
        torch.sum(self.head_gradients * self.last.unsqueeze(-3), -1, out=self.own["units"])
        torch.sum(self.head_gradients.mul_(self.factors), -3, out=self.last_gradient)
        torch.bmm(flat, self.heads.flatten(0, -3).mT, out=self.top_delta)
        below, n = dense.deltas[-1], len(dense.activations)
        drop = dense.drops[-1]
        if drop is not None:
            drop.backward(below)
        dense.activations[-1].gradient(below, dense.inputs[-1], below)
        below = dense.down_to_first(below, n - 1)
        dense.product(dense.ones, below, out=dense.bias_gradients[0])
        self._first(below)
        return below

    def by_inputs(self, delta: Tensor, out: Tensor) -> None:
        """The derivative by the inputs that members share: see :meth:`DenseKernel.by_inputs`."""
        self.dense.product(delta, self.first.mT, out=self.x_rows)  # which are no longer needed
        torch.sum(self.x.mul_(self.input_factors), -3, out=out.mT)

    def _first(self, delta: Tensor) -> None:
        """The gradients of the first matrix and of the inputs' factors."""
        p, h = self.first.shape[-2:]
        if self.first.numel() * self.k <= CACHED:
            # each member's product of inputs and derivatives serves both: (.., k, p, h)
            shape = (*self.lead, self.k, p, delta.shape[-2] // self.k)
            each = torch.bmm(
                self.inputs.mT.expand(shape).reshape(-1, *shape[-2:]),
                delta.reshape(-1, shape[-1], h),
            ).view(*self.lead, self.k, p, h)
            torch.sum(each * self.first.unsqueeze(-3), -1, out=self.own["inputs"])
            factors = self.members["inputs"].unsqueeze(-1)
            torch.sum(each.mul_(factors), -3, out=self.first_gradient.weight)
            return
        self.dense.product(self.x_rows.mT, delta, out=self.first_gradient.weight)
        by_input = torch.matmul(delta, self.first.mT).view(self.x.shape)
        torch.sum(by_input.mul_(self.inputs), -2, out=self.own["inputs"])
