"""The numbers of trained networks as NumPy arrays, and the way back to tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..._compat import from_numpy
from .mlp import effective
from .parameters import Layout
from .views import NOTHING, Layer, Network


@dataclass(frozen=True)
class Weights:
    """What a fitted network knows, or a stack of them: arrays then have a leading member axis.

    Attributes
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
        What layers multiply by: with a norm of the weights, the normed ones.
    intercepts : list of ndarray of shape (n_out,)
        Zeros where a norm makes them redundant, and where members of one network have outputs'
        biases of their own.
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
    def stacked(cls, members: Sequence[Weights]) -> Weights:
        """Those of several networks of one shape."""

        def stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
            return np.stack(arrays)

        def named(dicts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
            return {name: stack([d[name] for d in dicts]) for name in dicts[0]}

        return cls(
            [stack(arrays) for arrays in zip(*(w.coefs for w in members), strict=True)],
            [stack(arrays) for arrays in zip(*(w.intercepts for w in members), strict=True)],
            [named(dicts) for dicts in zip(*(w.norms for w in members), strict=True)],
            [named(dicts) for dicts in zip(*(w.statistics for w in members), strict=True)],
            named([w.extras for w in members]),
        )

    @property
    def n_members(self) -> int | None:
        """Members of a stack; None for one network."""
        return len(self.coefs[0]) if self.coefs[0].ndim == 3 else None

    def members(self) -> list[Weights]:
        """One a network, sharing memory."""
        if self.n_members is None:
            return [self]
        return [self._member(i) for i in range(self.n_members)]

    def _member(self, i: int) -> Weights:
        def named(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            # a module's count is a single number: array[i] would be none of NumPy's arrays
            return {name: array[i, ...] for name, array in arrays.items()}

        return Weights(
            [array[i] for array in self.coefs],
            [array[i] for array in self.intercepts],
            [named(arrays) for arrays in self.norms],
            [named(arrays) for arrays in self.statistics],
            named(self.extras),
        )

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

    def by_name(self, trained: Collection[str]) -> dict[str, np.ndarray]:
        """All arrays by the names of :class:`Network`, layer by layer, sharing memory.

        Biases that are not among the `trained` names, since a norm or members' own ones stand for
        them, are left out.
        """
        found: dict[str, np.ndarray] = {}
        for i, (coef, intercept) in enumerate(zip(self.coefs, self.intercepts, strict=True)):
            prefix = f"layers.{i}"
            found[f"{prefix}.weight"] = coef
            if f"{prefix}.bias" in trained:
                found[f"{prefix}.bias"] = intercept
            if i < len(self.norms):
                found |= {f"{prefix}.norm.{k}": a for k, a in self.norms[i].items()}
                found |= {f"{prefix}.statistics.{k}": a for k, a in self.statistics[i].items()}
            found |= {k: a for k, a in self.extras.items() if k.startswith(f"{prefix}.")}
        return found | {name.rstrip("*"): array for name, array in self.extras.items()}

    def replaced(self, arrays: Mapping[str, np.ndarray]) -> Weights:
        """Those of other arrays with the names of :meth:`by_name`."""

        def others(prefix: str, old: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: arrays[f"{prefix}.{name}"] for name in old}

        return Weights(
            [arrays[f"layers.{i}.weight"] for i in range(len(self.coefs))],
            [arrays.get(f"layers.{i}.bias", old) for i, old in enumerate(self.intercepts)],
            [others(f"layers.{i}.norm", old) for i, old in enumerate(self.norms)],
            [others(f"layers.{i}.statistics", old) for i, old in enumerate(self.statistics)],
            {name: arrays[name.rstrip("*")] for name in self.extras},
        )

    def cooled(self, temperature: float, n_shared: int) -> Weights:
        """Those of a network whose raw outputs are divided by a temperature."""
        extras = self.extras
        if n_shared > 1:  # members' own biases of the output
            bias = self.extras["members.bias"]
            extras = self.extras | {"members.bias": bias / bias.dtype.type(temperature)}

        def divided(arrays: list[np.ndarray]) -> list[np.ndarray]:
            *others, last = arrays
            return [*others, last / last.dtype.type(temperature)]

        return Weights(
            divided(self.coefs), divided(self.intercepts), self.norms, self.statistics, extras
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

        is_stack = self.coefs[0].ndim == 3

        def tensor(array: np.ndarray) -> Tensor:
            tensor = from_numpy(array)
            if is_stack and tensor.dim() == 2:  # vectors meet rows: (m, k) -> (m, 1, k)
                tensor = tensor.unsqueeze(1)
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
            weight, bias = self.extras["auxiliary.weight"], self.extras["auxiliary.bias"]
            auxiliary = Layer(tensor(weight), tensor(bias))
        return Network(
            layers,
            tensors(self._extra("entrance.")),
            tensors(self._extra("entrance.", measured=True)),
            auxiliary,
            tensors(self._extra("module.")),
            tensors(self._extra("module.", measured=True)),
            tensors(self._extra("members.")),
            tensors(self._extra("embedding.")),
            tensors(self._extra("embedding.", measured=True)),
        )

    def _extra(self, prefix: str, measured: bool = False) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(prefix).rstrip("*"): array
            for name, array in self.extras.items()
            if name.startswith(prefix) and name.endswith("*") == measured
        }
