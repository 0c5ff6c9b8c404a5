"""Initial weights that are scaled on a batch of data."""

from __future__ import annotations

import torch
from torch import Tensor

from ..specification import FitSpec
from .architecture import Architecture
from .mlp import affine, hidden
from .parameters import Layout, Network


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
    # norms measure the batch, as in the first step; what they note of it is not kept
    network = layout.network(theta, statistics.clone())
    with torch.no_grad():
        for i, layer in enumerate(network.layers):
            initializer = spec.initializer[i]
            if not initializer.data_dependent:
                continue
            below = _inputs_of(network, layout, x, i)
            layer.weight.copy_(
                initializer.rescale(
                    layer.weight.clone(),
                    lambda w, b=below, la=layer: affine(b, la._replace(weight=w)),
                )
            )


def _inputs_of(network: Network, layout: Layout, x: Tensor, i: int) -> Tensor:
    """What layer `i` reads of the network as it is now."""
    a = layout.architecture
    if i == a.n_hidden:
        return hidden(x, network, a, training=a.module is None)
    outputs: list[Tensor] = []
    hidden(x, network, a, training=True, outputs=outputs)
    if i > 0:
        return outputs[i - 1]
    if a.input_norm is None:
        return x
    return a.input_norm.forward(x, network.entrance, network.entrance_statistics, True)
