"""The numbers of one trained network as NumPy arrays, and the way back to tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .._compat import from_numpy
from .mlp import effective
from .parameters import NOTHING, Layer, Layout, Network


@dataclass(frozen=True)
class Weights:
    """What a fitted network knows.

    Attributes
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
        What layers multiply by: with a norm of the weights, the normed ones.
    intercepts : list of ndarray of shape (n_out,)
        Zeros where a norm makes them redundant.
    norms : list of dict of ndarray of shape (n_out,)
        For each hidden layer, the norm's learnt vectors; empty without a norm.
    statistics : list of dict of ndarray of shape (n_out,)
        For each hidden layer, the norm's measured vectors.
    extras : dict of str to ndarray
        Everything else, by the names of :meth:`Network.trained` and :meth:`Network.measured`;
        measured ones end in "*".
    """

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    norms: list[dict[str, np.ndarray]]
    statistics: list[dict[str, np.ndarray]]
    extras: dict[str, np.ndarray]

    @classmethod
    def read(cls, layout: Layout, theta: Tensor, statistics: Tensor) -> Weights:
        """A copy of one member's rows, of shape (p,) and (s,)."""
        rows = [t.detach().cpu().clone().unsqueeze(0) for t in (theta, statistics)]
        network = layout.network(*rows)
        trained = {name: t.numpy() for name, t in network.trained().items()}
        measured = {f"{name}*": t.numpy() for name, t in network.measured().items()}
        layers = network.layers
        own = {
            f"layers.{i}.{part}"
            for i in range(len(layers))
            for part in ("weight", "bias", "norm", "statistics")
        }
        return cls(
            coefs=[
                effective(layer, i, layout.architecture, None).weight.numpy()
                for i, layer in enumerate(layers)
            ],
            intercepts=[
                np.zeros(layer.weight.shape[1], layer.weight.numpy().dtype)
                if layer.bias is None
                else layer.bias.numpy()
                for layer in layers
            ],
            norms=[{k: v.numpy() for k, v in layer.norm.items()} for layer in layers[:-1]],
            statistics=[
                {k: v.numpy() for k, v in layer.statistics.items()} for layer in layers[:-1]
            ],
            extras={
                name: array
                for name, array in (trained | measured).items()
                if ".".join(name.rstrip("*").split(".")[:3]) not in own
            },
        )

    def write(self, layout: Layout, theta: Tensor, statistics: Tensor) -> None:
        """Put the numbers into the buffers of a single member, (1, p) and (1, s)."""
        there = layout.network(theta, statistics)
        own = self.network(theta.dtype, str(theta.device))
        mine = own.trained()
        for name, tensor in there.trained().items():
            tensor.copy_(mine[name])
        mine = own.measured()
        for name, tensor in there.measured().items():
            tensor.copy_(mine[name])

    def network(self, dtype: torch.dtype, device: str) -> Network:
        """Tensors for the forward pass, sharing memory with the arrays where they can."""

        def tensor(array: np.ndarray) -> Tensor:
            tensor = from_numpy(array)
            if tensor.dtype == dtype and device == "cpu":
                return tensor  # calling .to would take longer than a small layer
            return tensor.to(device=device, dtype=dtype)

        def tensors(arrays: dict[str, np.ndarray]) -> Mapping[str, Tensor]:
            return (
                NOTHING if not arrays else {name: tensor(array) for name, array in arrays.items()}
            )

        layers = []
        for i, (coef, intercept) in enumerate(zip(self.coefs, self.intercepts, strict=True)):
            hidden = i < len(self.norms)
            layers.append(
                Layer(
                    tensor(coef),
                    tensor(intercept),
                    tensors(self.norms[i]) if hidden else NOTHING,
                    tensors(self.statistics[i]) if hidden else NOTHING,
                    tensors(self._extra(f"layers.{i}.activation.")) if self.extras else NOTHING,
                    tensors(self._extra(f"layers.{i}.skip.")) if self.extras else NOTHING,
                )
            )
        if not self.extras:
            return Network(layers)
        auxiliary = None
        if "auxiliary.weight" in self.extras:
            pair = (self.extras["auxiliary.weight"], self.extras["auxiliary.bias"])
            auxiliary = Layer(*map(tensor, pair))
        return Network(
            layers,
            tensors(self._extra("entrance.")),
            tensors(self._extra("entrance.", measured=True)),
            auxiliary,
            tensors(self._extra("module.")),
            tensors(self._extra("module.", measured=True)),
        )

    def _extra(self, prefix: str, measured: bool = False) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(prefix).rstrip("*"): array
            for name, array in self.extras.items()
            if name.startswith(prefix) and name.endswith("*") == measured
        }
