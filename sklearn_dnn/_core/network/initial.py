"""The first values of all parameters of a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ...components.embeddings import CODE_START
from ...components.initializers import Initializer
from ...components.norms import Norm
from ..specification import FitSpec, refuse_too_large
from .architecture import CODES
from .chance import seeded
from .parameters import Layout
from .views import Layer, Network


def initial_parameters(
    specs: Sequence[FitSpec],
    layout: Layout,
    generators: Sequence[torch.Generator],
    prior: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """First values of a stack, one specification and generator a member.

    Weights come from the specifications' initializers, drawn in float64 on the CPU so that
    neither dtype nor device changes them.

    Parameters
    ----------
    prior : Tensor of shape (n_raw,) or None
        Where the output's bias starts with ``bias_initializer="prior"``.

    Returns
    -------
    theta : Tensor of shape (m, p)
    statistics : Tensor of shape (m, s)
    """
    first = specs[0]
    refuse_too_large(
        layout.n_parameters,
        first.n_networks,
        itemsize=first.torch_dtype.itemsize,
        device=first.device,
        what=_what(first),
    )
    rows, sides = [], []
    for spec, generator in zip(specs, generators, strict=True):
        theta = torch.zeros(1, layout.n_parameters, dtype=torch.float64)
        statistics = torch.zeros(1, layout.n_statistics, dtype=torch.float64)
        network = layout.network(theta, statistics)
        _Start(spec, layout, network, generator).fill(prior)
        rows.append(theta)
        sides.append(statistics)
    dtype, device = first.torch_dtype, first.device
    return torch.cat(rows).to(device, dtype), torch.cat(sides).to(device, dtype)


def _what(spec: FitSpec) -> str:
    """The parameters that say how large a network is."""
    layers = f"hidden_layer_sizes={spec.module or spec.hidden_layer_sizes!r}"
    embedding = spec.numeric_embedding
    return layers if embedding is None else f"{layers} with numeric_embedding={embedding!r}"


class _Start:
    """Fills the numbers of one member with their first values."""

    def __init__(
        self,
        spec: FitSpec,
        layout: Layout,
        network: Network,
        generator: torch.Generator,
    ) -> None:
        self.spec = spec
        self.layout = layout
        self.architecture = layout.architecture
        self.network = network
        self.generator = generator

    def fill(self, prior: Tensor | None) -> None:
        a, network = self.architecture, self.network
        for i, layer in enumerate(network.layers):
            draw = self._drawer(i)
            layer.weight.copy_(draw(*layer.weight.shape))
            self._fill_bias(layer, i, draw, prior)
            if "projection" in layer.skip:
                projection = layer.skip["projection"]
                n_in, n_out = projection.shape
                projection.copy_(self._plain(i).draw(n_in, n_out, self.generator))
            if "multiplier" in layer.skip:
                layer.skip["multiplier"].fill_(1.0)
            if a.norm is not None and i < a.n_hidden:
                # a norm behind a gated unit is narrower than its weights
                weight = layer.weight[:, : self.layout.normed_width(i)]
                _fill_norm(a.norm, weight, layer.norm, layer.statistics)
            if i < a.n_hidden:
                for name, start in a.activations[i].parameter_starts.items():
                    layer.activation[name].fill_(start)
        if network.auxiliary is not None:
            weight = network.auxiliary.weight
            n_in, n_out = weight.shape
            weight.copy_(self._plain(-1).draw(n_in, n_out, self.generator))
        if a.input_norm is not None:
            columns = torch.empty(1, a.n_numbers, dtype=torch.float64)
            _fill_norm(a.input_norm, columns, network.entrance, network.entrance_statistics)
        if a.module is not None:
            self._fill_module()
        if a.embeds:
            self._fill_embedding()
        if a.n_shared > 1:
            self._fill_members(prior)

    def _fill_embedding(self) -> None:
        """What embeddings start with; what they measure comes with the data."""
        a, own = self.architecture, self.network.embedding
        if a.embedding is not None:
            given = self.spec.numeric_embedding  # members may differ in how numbers start
            assert given is not None
            for name, values in given.start(a.n_numbers, self.generator).items():
                own[name].copy_(values)
        if a.levels:
            own[CODES].normal_(0.0, CODE_START, generator=self.generator)

    def _fill_members(self, prior: Tensor | None) -> None:
        """Members' own numbers, drawn last: what they share is drawn as in one network alone.

        The output's scale stands in the factors, where each member can change it by itself: a
        step of Adam is of one size for all numbers, and factors near 1 would hardly move.
        """
        members, i = self.network.members, self.architecture.n_hidden
        output = self.network.layers[i].weight
        scale = output.square().mean().sqrt()
        if scale == 0.0:  # an output that is to start at zero stays there
            scale = torch.ones_like(scale)
        output.div_(scale)
        for name, size in (("inputs", 1.0), ("units", scale)):
            coins = torch.randint(2, members[name].shape, generator=self.generator)
            members[name].copy_((2 * coins - 1) * size)
        draw = self._drawer(i)
        for bias in members["bias"]:
            self._fill_bias(Layer(self.network.layers[i].weight, bias), i, draw, prior)

    def _plain(self, layer: int) -> Initializer:
        return self.spec.initializer[layer]

    def _drawer(self, layer: int) -> Callable[[int, int], Tensor]:
        """What draws the weights of a dense layer, by its place in the network."""
        initializer, topology = self._plain(layer), self.architecture.topology
        n_hidden, size = self.architecture.n_hidden, topology.block_size
        if layer == n_hidden and initializer.zero_output:
            return lambda i, o: torch.zeros(i, o, dtype=torch.float64)
        if size and layer < n_hidden // size * size:
            return lambda i, o: initializer.draw_in_block(
                i,
                o,
                self.generator,
                position=layer % size,
                block_size=size,
                n_blocks=n_hidden // size,
            )
        return lambda i, o: initializer.draw(i, o, self.generator)

    def _fill_bias(
        self,
        layer: Layer,
        i: int,
        draw: Callable[[int, int], Tensor],
        prior: Tensor | None,
    ) -> None:
        """Biases start as asked for; the linear model's at 0 is drawn like a weight.

        With standardised columns and targets 0 is that bias' optimum, where a gradient of mere
        rounding errors would be blown up by Adam's division.
        """
        if layer.bias is None:
            return
        how, is_output = self.spec.bias_initializer, i == self.architecture.n_hidden
        linear = self.architecture.n_hidden == 0 and self.architecture.module is None
        if isinstance(how, Initializer):
            n_in, n_out = layer.weight.shape
            layer.bias.copy_(how.draw(n_in, n_out, self.generator)[0])
        elif how == "prior":
            if is_output and prior is not None:
                layer.bias.copy_(prior)
        elif how == 0.0 and linear:
            layer.bias.copy_(draw(*layer.weight.shape)[0])
        else:
            assert not isinstance(how, str)
            layer.bias.fill_(how)

    def _fill_module(self) -> None:
        """The starts that the user's class draws, from a seed of this member."""
        seed = int(torch.randint(2**62, (), generator=self.generator))
        with seeded(seed):
            module = self.architecture.build_module()
        own = dict(module.named_parameters()) | dict(module.named_buffers())
        for part in (self.network.module, self.network.module_statistics):
            for name, tensor in part.items():
                tensor.copy_(own[name].detach())


def _fill_norm(
    norm: Norm, weight: Tensor, learnt: Mapping[str, Tensor], measured: Mapping[str, Tensor]
) -> None:
    for name, vector in norm.start_vectors(weight).items():
        learnt[name].copy_(vector)
    for name, start in norm.buffer_starts.items():
        measured[name].fill_(start)
