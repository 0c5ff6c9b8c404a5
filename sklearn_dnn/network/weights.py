"""The numbers of one trained network as NumPy arrays, and the way back to tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .._compat import from_numpy
from .parameters import Layer, Layout


@dataclass(frozen=True)
class Weights:
    """What a fitted network knows.

    Attributes
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
    intercepts : list of ndarray of shape (n_out,)
    norms : list of dict of ndarray of shape (n_out,)
        For each hidden layer, the norm's learnt vectors; empty without a norm.
    statistics : list of dict of ndarray of shape (n_out,)
        For each hidden layer, the norm's measured vectors.
    """

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    norms: list[dict[str, np.ndarray]]
    statistics: list[dict[str, np.ndarray]]

    @classmethod
    def read(cls, layout: Layout, theta: Tensor, statistics: Tensor) -> Weights:
        """A copy of one member's rows, of shape (p,) and (s,)."""
        rows = [t.detach().cpu().clone().unsqueeze(0) for t in (theta, statistics)]
        layers = layout.layers(*rows)
        return cls(
            coefs=[layer.weight.numpy() for layer in layers],
            intercepts=[layer.bias.numpy() for layer in layers],
            norms=[{k: v.numpy() for k, v in layer.norm.items()} for layer in layers[:-1]],
            statistics=[
                {k: v.numpy() for k, v in layer.statistics.items()} for layer in layers[:-1]
            ],
        )

    def write(self, layout: Layout, theta: Tensor, statistics: Tensor) -> None:
        """Put the numbers into the buffers of a single member, (1, p) and (1, s)."""
        for own, there in zip(
            self.layers(theta.dtype, str(theta.device)),
            layout.layers(theta, statistics),
            strict=True,
        ):
            there.weight.copy_(own.weight)
            there.bias.copy_(own.bias)
            for mine, theirs in ((own.norm, there.norm), (own.statistics, there.statistics)):
                for name, vector in mine.items():
                    theirs[name].copy_(vector)

    def layers(self, dtype: torch.dtype, device: str) -> list[Layer]:
        """Tensors for the forward pass, sharing memory with the arrays where they can."""

        def tensor(array: np.ndarray) -> Tensor:
            tensor = from_numpy(array)
            if tensor.dtype == dtype and device == "cpu":
                return tensor  # calling .to would take longer than a small layer
            return tensor.to(device=device, dtype=dtype)

        vectors = [
            tuple({k: tensor(v) for k, v in part.items()} for part in pair)
            for pair in zip(self.norms, self.statistics, strict=True)
        ]
        vectors.append(({}, {}))
        return [
            Layer(tensor(coef), tensor(intercept), *pair)
            for coef, intercept, pair in zip(self.coefs, self.intercepts, vectors, strict=True)
        ]
