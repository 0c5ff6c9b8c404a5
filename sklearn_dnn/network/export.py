"""A fitted network as an ordinary torch module."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..components.activations import Activation
from ..components.losses import Loss
from ..data.features import Scaling
from .mlp import Architecture
from .weights import Weights


class TorchNetwork(nn.Module):
    """Raw columns in, predictions out: ``(n, n_features) -> (n, n_outputs)``.

    Parameters
    ----------
    weights : Weights
    architecture : Architecture
    loss : Loss
        Its inverse link ends the network.
    scaling : Scaling or None
        Of the inputs.
    units : tuple of ndarray of shape (n_outputs,)
        Offset and factor of the targets' units.
    """

    def __init__(
        self,
        weights: Weights,
        architecture: Architecture,
        loss: Loss,
        scaling: Scaling | None,
        units: tuple[np.ndarray, np.ndarray],
    ) -> None:
        super().__init__()
        dtype = torch.from_numpy(weights.coefs[0][:0].copy()).dtype
        n_features = weights.coefs[0].shape[0]
        mean = np.zeros(n_features) if scaling is None else scaling.mean
        scale = np.ones(n_features) if scaling is None else scaling.scale
        for name, vector in (
            ("input_mean", mean),
            ("input_scale", scale),
            ("target_mean", units[0]),
            ("target_scale", units[1]),
        ):
            self.register_buffer(name, torch.tensor(vector, dtype=dtype))
        parts: list[nn.Module] = []
        for i, (coef, intercept) in enumerate(zip(weights.coefs, weights.intercepts, strict=True)):
            parts.append(_linear(coef, intercept))
            if i < len(weights.coefs) - 1:
                if architecture.norm is not None:
                    vectors = weights.norms[i] | weights.statistics[i]
                    module = architecture.norm.module(coef.shape[1]).to(dtype)
                    for name, there in architecture.norm.module_names.items():
                        getattr(module, there).data.copy_(torch.tensor(vectors[name]))
                    parts.append(module)
                parts.append(_Function(architecture.activation))
        self.layers = nn.Sequential(*parts)
        self.link = _Link(loss)

    def forward(self, x: Tensor) -> Tensor:
        x = (x.to(self.input_mean.dtype) - self.input_mean) / self.input_scale
        return self.link(self.layers(x)) * self.target_scale + self.target_mean


def _linear(coef: np.ndarray, intercept: np.ndarray) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):  # a new layer draws weights that are not wanted
        layer = nn.Linear(1, 1)
    layer.in_features, layer.out_features = coef.shape
    layer.weight = nn.Parameter(torch.tensor(coef.T))
    layer.bias = nn.Parameter(torch.tensor(intercept))
    return layer


class _Function(nn.Module):
    """An activation component as a module."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def extra_repr(self) -> str:
        return repr(self.activation)

    def forward(self, z: Tensor) -> Tensor:
        return self.activation.forward(z)


class _Link(nn.Module):
    """A loss' inverse link as a module."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def extra_repr(self) -> str:
        return self.loss.out_activation

    def forward(self, raw: Tensor) -> Tensor:
        return self.loss.inverse_link(raw)
