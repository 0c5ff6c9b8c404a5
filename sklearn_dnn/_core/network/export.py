"""A fitted network as an ordinary torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...components.activations import Activation
from ...components.losses import Loss
from ...components.norms import Norm
from ..data.columns import Columns
from .architecture import Architecture
from .chance import seeded
from .entrance import embedded
from .fold import folded, is_foldable
from .inputs import inputs_module
from .members import entering, heads, joined
from .views import Layer, Network
from .weights import Weights


class TorchNetwork(nn.Module):
    """Raw columns in, predictions out: ``(n, n_features) -> (n, n_targets)``.

    Those of members that share the network are averaged.

    Parameters
    ----------
    weights : Weights
    architecture : Architecture
    loss : Loss
        Its inverse link ends the network.
    columns : Columns
        What becomes of the raw ones; without categories.
    units : tuple of ndarray of shape (n_targets,)
        Offset and factor of the targets' units.
    bounds : tuple of float
        What predictions stay within, rounding included.
    is_calibrated : bool
        Whether members join as calibrated ones do: see
        :func:`~sklearn_dnn._core.network.members.joined`.
    fold : bool
        Whether norms go into the dense layers beside them where they can.
    suits_float32 : bool
        Whether float32 tells targets apart; otherwise predictions are float64.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(
        self,
        weights: Weights,
        architecture: Architecture,
        loss: Loss,
        columns: Columns,
        units: tuple[np.ndarray, np.ndarray],
        bounds: tuple[float, float] = (-np.inf, np.inf),
        *,
        is_calibrated: bool = False,
        fold: bool = False,
        suits_float32: bool = True,
    ) -> None:
        super().__init__()
        self.bounds = bounds
        self.is_calibrated = is_calibrated
        dtype = torch.from_numpy(weights.coefs[0][:0].copy()).dtype
        self.inputs = inputs_module(columns, dtype)
        unit_dtype = dtype if suits_float32 else torch.float64
        self.register_buffer("target_mean", torch.tensor(units[0], dtype=unit_dtype))
        self.register_buffer("target_scale", torch.tensor(units[1], dtype=unit_dtype))
        network, a = weights.network(dtype, "cpu"), architecture
        if fold and is_foldable(a):
            network, a = folded(network, a)
        chain: list[nn.Module] = []
        if a.input_norm is not None:
            vectors = dict(network.entrance) | dict(network.entrance_statistics)
            norm = _norm_module(a.input_norm, a.n_numbers, vectors, dtype)
            chain.append(norm if a.n_numbers == a.n_columns else _Beside(norm, a.n_numbers))
        if a.embeds:
            chain.append(_Embedding(a, network))
        n_entrance = len(chain)
        if a.module is not None:
            chain.append(_own_module(a, network, dtype))
        elif a.topology.block_size or a.topology.wide:
            chain.append(_Joined(a, network, dtype))
        else:
            for i in range(a.n_hidden):
                chain += _parts(a, network.layers[i], i, dtype)
        self.n_shared = a.n_shared
        last: nn.Module = _linear(network.layers[-1])
        if a.n_shared > 1:
            last = _Heads(network)
            chain.insert(n_entrance, _Entering(network))
        self.layers = nn.Sequential(*chain, last)
        self.link = _Link(loss)

    def forward(self, x: Tensor) -> Tensor:
        raw = self.raw(x)
        return self.in_units(self.together(raw) if self.n_shared > 1 else self.link(raw))

    def raw(self, x: Tensor) -> Tensor:
        """Raw outputs of raw columns; those of members that share the network have an axis."""
        return self.layers(self.inputs(x))

    def together(self, raw: Tensor) -> Tensor:
        """What members, (m, b, k), predict as one."""
        return joined(raw, self.link) if self.is_calibrated else self.link(raw).mean(0)

    def in_units(self, y: Tensor) -> Tensor:
        """Predictions in the units of the targets."""
        y = y * self.target_scale + self.target_mean
        return y if self.bounds == (-np.inf, np.inf) else y.clamp(*self.bounds)


class TorchEnsemble(nn.Module):
    """Members side by side, each from raw columns on: what they predict as one.

    Parameters
    ----------
    networks : sequence of TorchNetwork
    """

    def __init__(self, networks: Sequence[TorchNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        networks: Any = self.networks  # a list of modules has lost their type
        first = networks[0]
        return first.in_units(first.together(torch.stack([n.raw(x) for n in networks])))


def _linear(layer: Layer, weight: Tensor | None = None) -> nn.Linear:
    """A dense layer on copies of its numbers, or of other weights."""
    weight = (layer.weight if weight is None else weight).detach()
    with seeded(0):  # a new layer draws weights that are not wanted
        linear = nn.Linear(1, 1, bias=layer.bias is not None)
    linear.in_features, linear.out_features = weight.shape
    linear.weight = nn.Parameter(weight.T.clone(memory_format=torch.contiguous_format))
    if layer.bias is not None:
        linear.bias = nn.Parameter(layer.bias.clone())
    return linear


def _norm_module(
    norm: Norm, width: int, vectors: dict[str, Tensor], dtype: torch.dtype
) -> nn.Module:
    module = norm.module(width).to(dtype)
    for name, there in norm.module_names.items():
        getattr(module, there).data.copy_(vectors[name])
    return module


def _parts(a: Architecture, layer: Layer, i: int, dtype: torch.dtype) -> list[nn.Module]:
    """One hidden layer as modules in the order they are applied."""
    norm = a.norm
    function = _Function(a.activations[i], layer.activation)
    if norm is None:
        return [_linear(layer), function]
    if norm.on_weights:
        return [_linear(layer, norm.weight(layer.weight, layer.norm)), function]
    width = next(iter(layer.norm.values())).shape[-1] if layer.norm else a.sizes[i + 1]
    module = _norm_module(norm, width, dict(layer.norm) | dict(layer.statistics), dtype)
    linear = _linear(layer)
    if norm.position == "before":
        return [linear, module, function]
    return [linear, function, module]


def _own_module(a: Architecture, network: Network, dtype: torch.dtype) -> nn.Module:
    """The user's hidden part with its trained numbers."""
    with seeded(0):
        module = a.build_module().to(dtype)
    own = dict(module.named_parameters()) | dict(module.named_buffers())
    for name, tensor in (dict(network.module) | dict(network.module_statistics)).items():
        own[name].data.copy_(tensor)
    return module


class _Joined(nn.Module):
    """Hidden layers with skip connections, or with the inputs beside the last of them."""

    def __init__(self, architecture: Architecture, network: Network, dtype: torch.dtype) -> None:
        super().__init__()
        a = architecture
        self.wide = a.topology.wide and a.n_hidden > 0
        self.hidden = nn.ModuleList()
        for i in range(a.n_hidden):
            layer = network.layers[i]
            parts = _parts(a, layer, i, dtype)
            # gated units, and norms behind the activation, come after the sum
            at = next(j for j, part in enumerate(parts) if isinstance(part, _Function))
            at += a.activations[i].inputs_per_unit > 1
            arrives = a.ends_block(i)
            self.hidden.append(
                nn.ModuleDict(
                    {
                        "branch": nn.Sequential(*parts[:at]),
                        "join": Join(layer) if arrives else nn.Identity(),
                        "rest": nn.Sequential(*parts[at:]),
                    }
                )
            )

    def forward(self, x: Tensor) -> Tensor:
        skip = inputs = x
        hidden: Any = self.hidden  # a list of modules has lost their type
        for layer in hidden:
            x = layer["branch"](x)
            if isinstance(layer["join"], Join):
                x = layer["join"](x, skip)
            x = layer["rest"](x)
            if isinstance(layer["join"], Join):
                skip = x
        return torch.cat([x, inputs], -1) if self.wide else x


class Join(nn.Module):
    """The sum of a block's branch and what skipped it."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.projection = None
        if "projection" in layer.skip:
            self.projection = _linear(Layer(layer.skip["projection"], None))
        multiplier = layer.skip.get("multiplier", torch.ones(1, dtype=layer.weight.dtype))
        self.multiplier = nn.Parameter(multiplier.clone(), requires_grad="multiplier" in layer.skip)

    def forward(self, branch: Tensor, skip: Tensor) -> Tensor:
        if self.projection is not None:
            skip = self.projection(skip)
        return branch * self.multiplier + skip


class _Beside(nn.Module):
    """A norm of the first columns, beside which the others stay as they are."""

    def __init__(self, norm: nn.Module, n_numbers: int) -> None:
        super().__init__()
        self.norm = norm
        self.n_numbers = n_numbers

    def forward(self, x: Tensor) -> Tensor:
        n = self.n_numbers
        return torch.cat([self.norm(x[:, :n]), x[:, n:]], -1)


class _Embedding(nn.Module):
    """Embeddings of numbers and of codes: (n, n_columns) -> (n, n_entering)."""

    def __init__(self, architecture: Architecture, network: Network) -> None:
        super().__init__()
        self.architecture = architecture
        self.learned = nn.ParameterDict(
            {name: nn.Parameter(tensor.clone()) for name, tensor in network.embedding.items()}
        )
        self.measured = list(network.embedding_statistics)
        for name, tensor in network.embedding_statistics.items():
            self.register_buffer(name, tensor.clone())

    def extra_repr(self) -> str:
        a = self.architecture
        parts = [] if a.embedding is None else [repr(a.embedding)]
        return ", ".join([*parts, *(["levels=" + repr(a.levels)] if a.levels else [])])

    def forward(self, x: Tensor) -> Tensor:
        network = Network(
            [],
            embedding=dict(self.learned.items()),
            embedding_statistics={name: getattr(self, name) for name in self.measured},
        )
        return embedded(x, network, self.architecture)


class _Entering(nn.Module):
    """The inputs as each of the members sees them: (n, p) -> (k * n, p)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.inputs = nn.Parameter(network.members["inputs"].clone())

    def forward(self, x: Tensor) -> Tensor:
        return entering(x, {"inputs": self.inputs})


class _Heads(nn.Module):
    """Raw outputs of each of the members: (k * n, h) -> (k, n, o)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.units = nn.Parameter(network.members["units"].clone())
        self.bias = nn.Parameter(network.members["bias"].clone())
        self.weight = nn.Parameter(network.layers[-1].weight.clone())

    def forward(self, top: Tensor) -> Tensor:
        return heads(top, Layer(self.weight, None), {"units": self.units, "bias": self.bias})


class _Function(nn.Module):
    """An activation component as a module, with what it has learned."""

    def __init__(self, activation: Activation, learned: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.activation = activation
        self.learned = nn.ParameterDict({k: nn.Parameter(t.clone()) for k, t in learned.items()})

    def extra_repr(self) -> str:
        return repr(self.activation)

    def forward(self, z: Tensor) -> Tensor:
        return self.activation.layer_forward(z, dict(self.learned.items()), None)


class _Link(nn.Module):
    """A loss' inverse link as a module."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def extra_repr(self) -> str:
        return self.loss.out_activation

    def forward(self, raw: Tensor) -> Tensor:
        return self.loss.inverse_link(raw)
