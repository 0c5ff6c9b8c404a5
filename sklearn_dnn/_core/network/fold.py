"""Norms folded into the dense layers beside them, for prediction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...components.norms import Norm
from .architecture import Architecture
from .views import NOTHING, Layer, Network


def is_foldable(architecture: Architecture) -> bool:
    """Whether the norm is an affine map in prediction that dense layers can take over.

    Behind the activation it is taken over by the layer that reads it, which has to be one.
    """
    norm, topology = architecture.norm, architecture.topology
    if norm is None or architecture.module is not None:
        return False
    if norm.on_weights:
        return True
    affine = type(norm).fold is not Norm.fold
    return affine and (norm.position == "before" or topology.block_size == 0)


def folded(network: Network, architecture: Architecture) -> tuple[Network, Architecture]:
    r"""The same function without the norm.

    In front of the activation :math:`s (x W + b) + t = x (W s) + (b s + t)`; behind it the next
    layer takes :math:`(s a + t) W + b = a (s W) + (t W + b)`.

    Parameters
    ----------
    network : Network
        Of a single member, or a stack; its layers have biases, perhaps of zeros.
    architecture : Architecture
        One that :func:`is_foldable` says yes to.
    """
    norm = architecture.norm
    assert norm is not None
    layers = list(network.layers)
    members = network.members
    for i in range(len(layers) - 1):
        layer = layers[i]  # where the norm below was behind its activation, no longer the old one
        weight, bias = layer.weight, layer.bias
        if norm.on_weights:
            weight = norm.weight(weight, layer.norm)
        else:
            pair = norm.fold(layer.norm, layer.statistics)
            assert pair is not None
            if norm.position == "before":
                assert bias is not None
                weight, bias = weight * pair[0], bias * pair[0] + pair[1]
            else:
                if members and i + 2 == len(layers):
                    members = _heads_behind(members, layers[i + 1], pair[1])
                    pair = (pair[0], torch.zeros_like(pair[1]))
                layers[i + 1] = _behind(layers[i + 1], *pair)
        layers[i] = Layer(weight, bias, NOTHING, NOTHING, layer.activation, layer.skip)
    plain = network._replace(layers=layers, auxiliary=None, members=members)
    return plain, architecture.without_norm()


def _behind(layer: Layer, scale: Tensor, shift: Tensor) -> Layer:
    """A layer that reads ``scale * a + shift``, as one that reads `a`.

    In a wide network it reads inputs beside, which stay as they are.
    """
    assert layer.bias is not None
    k = scale.shape[-1]
    weight = layer.weight.clone()
    weight[..., :k, :] *= scale.unsqueeze(1) if scale.dim() == 1 else scale.mT
    bias = layer.bias + shift @ layer.weight[..., :k, :]
    return Layer(weight, bias, layer.norm, layer.statistics, layer.activation, layer.skip)


def _heads_behind(
    members: Mapping[str, Tensor], layer: Layer, shift: Tensor
) -> Mapping[str, Tensor]:
    """Members' own biases that take over `shift`, which their factors multiply."""
    k = len(shift)
    own = (members["units"][:, :k] * shift) @ layer.weight[:k]
    return dict(members) | {"bias": members["bias"] + own}
