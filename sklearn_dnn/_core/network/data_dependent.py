"""Initial weights that are scaled on a batch of data."""

from __future__ import annotations

import torch
from torch import Tensor

from ..specification import FitSpec
from .architecture import Architecture
from .entrance import embedded, normed
from .members import entering
from .mlp import affine, effective, hidden, outputs_of
from .parameters import Layout
from .views import Network


def scale_to_data(spec: FitSpec, theta: Tensor, statistics: Tensor, x: Tensor) -> None:
    """Rescale, in place, the weights of each layer whose initializer asks for it.

    Parameters
    ----------
    spec : FitSpec
    theta, statistics : Tensor of shape (1, p) and (1, s)
    x : Tensor of shape (b, n_features)
        Inputs as the network sees them.
    """
    layout = Layout(Architecture.of(spec))
    a = layout.architecture
    # norms measure the batch, as in the first step; what they note of it is not kept
    network = layout.network(theta, statistics.clone())
    with torch.no_grad():
        for i, layer in enumerate(network.layers):
            initializer = spec.initializer[i]
            if not initializer.data_dependent:
                continue
            below = _inputs_of(network, layout, x, i)
            weight = initializer.rescale(
                effective(layer, i, a, None).weight.clone(),
                lambda w, b=below, i=i: _put_out(network, layout, b, i, w),
            )
            layer.weight.copy_(weight)
            # lengths are learnt apart from directions
            if a.norm is not None and a.norm.on_weights and i < a.n_hidden:
                for name, vector in a.norm.start_vectors(weight).items():
                    layer.norm[name].copy_(vector)


def _put_out(network: Network, layout: Layout, x: Tensor, i: int, weight: Tensor) -> Tensor:
    """What the dense part of layer `i` makes of its inputs with other weights: (b, k)."""
    layer = network.layers[i]._replace(weight=weight)
    a = layout.architecture
    if a.n_shared == 1 or i < a.n_hidden:
        return affine(x, layer)
    changed = network._replace(layers=[*network.layers[:-1], layer])
    return outputs_of(x, changed, a, None).flatten(-3, -2)


def _inputs_of(network: Network, layout: Layout, x: Tensor, i: int) -> Tensor:
    """What layer `i` reads of the network as it is now."""
    a = layout.architecture
    if i == a.n_hidden:
        return hidden(x, network, a, training=a.module is None)
    outputs: list[Tensor] = []
    hidden(x, network, a, training=True, outputs=outputs)
    if i > 0:
        return outputs[i - 1]
    if a.input_norm is not None:
        x = normed(x, network, a, True, None)
    if a.embeds:
        x = embedded(x, network, a)
    return x if a.n_shared == 1 else entering(x, network.members)
