"""A network's numbers as its layers use them: views of what lies on one flat buffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class Layer(NamedTuple):
    """Views of one layer's numbers.

    One network has ``weight`` (n_in, n_out) and vectors (n_out,); a stack has (m, n_in, n_out)
    and (m, 1, n_out).

    Attributes
    ----------
    weight : Tensor
    bias : Tensor or None
        None where a norm behind it makes it redundant.
    norm, statistics : dict of str to Tensor
        The norm's learnt and measured vectors; empty without one.
    activation : dict of str to Tensor
        What the activation learns.
    skip : dict of str to Tensor
        Where a skip connection arrives: its "projection" (n_skip, n_out), where widths differ,
        and the branch's "multiplier" (1,), where there is one.
    """

    weight: Tensor
    bias: Tensor | None
    norm: Mapping[str, Tensor] = NOTHING
    statistics: Mapping[str, Tensor] = NOTHING
    activation: Mapping[str, Tensor] = NOTHING
    skip: Mapping[str, Tensor] = NOTHING


class Network(NamedTuple):
    """Views of all numbers of a network, or of a stack.

    Attributes
    ----------
    layers : list of Layer
        The hidden ones, and the output.
    entrance, entrance_statistics : dict of str to Tensor
        The input norm's vectors.
    auxiliary : Layer or None
        The auxiliary output.
    module, module_statistics : dict of str to Tensor
        Parameters and buffers of a user's own hidden part, by their names in it.
    members : dict of str to Tensor
        Where members share the network, each one's own: factors of its "inputs" (k, p) and of
        the "units" (k, h) that the output reads, and the output's "bias" (k, o).
    embedding, embedding_statistics : dict of str to Tensor
        What embeddings have learnt and measured; see :mod:`~sklearn_dnn._core.network.entrance`.
    """

    layers: list[Layer]
    entrance: Mapping[str, Tensor] = NOTHING
    entrance_statistics: Mapping[str, Tensor] = NOTHING
    auxiliary: Layer | None = None
    module: Mapping[str, Tensor] = NOTHING
    module_statistics: Mapping[str, Tensor] = NOTHING
    members: Mapping[str, Tensor] = NOTHING
    embedding: Mapping[str, Tensor] = NOTHING
    embedding_statistics: Mapping[str, Tensor] = NOTHING

    def trained(self) -> dict[str, Tensor]:
        """All trained tensors by name, in the order of the buffer's weights and then the rest."""
        found: dict[str, Tensor] = {}
        for prefix, layer in self._named_layers():
            found[f"{prefix}.weight"] = layer.weight
            if layer.bias is not None:
                found[f"{prefix}.bias"] = layer.bias
            for part in ("norm", "activation", "skip"):
                for name, tensor in getattr(layer, part).items():
                    found[f"{prefix}.{part}.{name}"] = tensor
        found |= {f"entrance.{name}": tensor for name, tensor in self.entrance.items()}
        found |= {f"members.{name}": tensor for name, tensor in self.members.items()}
        found |= {f"embedding.{name}": tensor for name, tensor in self.embedding.items()}
        return found | {f"module.{name}": tensor for name, tensor in self.module.items()}

    def measured(self) -> dict[str, Tensor]:
        """All tensors that follow the data, by name."""
        found = {
            f"{prefix}.statistics.{name}": tensor
            for prefix, layer in self._named_layers()
            for name, tensor in layer.statistics.items()
        }
        found |= {f"entrance.{name}": t for name, t in self.entrance_statistics.items()}
        found |= {f"embedding.{name}": t for name, t in self.embedding_statistics.items()}
        return found | {f"module.{name}": t for name, t in self.module_statistics.items()}

    def _named_layers(self) -> Iterator[tuple[str, Layer]]:
        for i, layer in enumerate(self.layers):
            yield f"layers.{i}", layer
        if self.auxiliary is not None:
            yield "auxiliary", self.auxiliary

    def replaced(self, tensors: Sequence[Tensor]) -> Network:
        """The same network on other trained tensors, in the order of :meth:`trained`."""
        source = dict(zip(self.trained(), tensors, strict=True))

        def layer(prefix: str, old: Layer) -> Layer:
            def part(name: str) -> dict[str, Tensor]:
                return {k: source[f"{prefix}.{name}.{k}"] for k in getattr(old, name)}

            return Layer(
                source[f"{prefix}.weight"],
                source.get(f"{prefix}.bias"),
                part("norm"),
                old.statistics,
                part("activation"),
                part("skip"),
            )

        return Network(
            [layer(f"layers.{i}", old) for i, old in enumerate(self.layers)],
            {k: source[f"entrance.{k}"] for k in self.entrance},
            self.entrance_statistics,
            None if self.auxiliary is None else layer("auxiliary", self.auxiliary),
            {k: source[f"module.{k}"] for k in self.module},
            self.module_statistics,
            {k: source[f"members.{k}"] for k in self.members},
            {k: source[f"embedding.{k}"] for k in self.embedding},
            self.embedding_statistics,
        )
