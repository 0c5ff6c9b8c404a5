"""Embeddings of numbers forward and backward by hand, in memory that each call uses again.

``p`` columns, ``b`` rows, ``f`` elements of a column, of which ``s`` numbers are mixed. A stack
has a leading axis m; here members and columns are one axis of ``n = m * p``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

TURN = 2.0 * math.pi


class EmbeddingKernel(ABC):
    """One number of rows, as :meth:`NumericEmbedding.kernel` makes it."""

    @abstractmethod
    def forward(self, x: Tensor, out: Tensor) -> None:
        """Put what :meth:`NumericEmbedding.forward` gives into `out`."""

    @abstractmethod
    def backward(self, delta: Tensor) -> None:
        """Fill the gradients from `delta`, the derivative by what came out."""


class _Mixing:
    """``W e + b``, and gradients that a vector ``v`` of each column has in ``v x`` and ``v``."""

    def __init__(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], like: Tensor
    ) -> None:
        self.parameters, self.gradients = parameters, gradients
        *_, s, f = parameters["weight"].shape
        self.n, b = like[..., 0].numel(), like.shape[-1]
        self.elements = like.new_empty(self.n, f, b)
        self.mixed = like.new_empty(self.n, s, b)
        # each row's number, and a one: (n, b, 2)
        self.beside = like.new_ones(self.n, b, 2)

    def read(self, x: Tensor) -> None:
        """Note the numbers, (.., p, b)."""
        self.beside[..., 0] = x.reshape(self.n, -1)

    def by_column(self, name: str) -> Tensor:
        """Trained numbers of a column as (n, .., 1), or matrices as (n, s, f)."""
        tensor = self.parameters[name]
        if name == "weight":
            return tensor.reshape(self.elements.shape[0], *tensor.shape[-2:])
        return tensor.reshape(self.n, -1, 1)

    def forward(self) -> Tensor:
        """(n, s, b), of the elements as they are."""
        return torch.baddbmm(
            self.by_column("bias"), self.by_column("weight"), self.elements, out=self.mixed
        )

    def fill_matrix(self, delta: Tensor) -> None:
        """The gradient of ``W`` from `delta` (n, s, b)."""
        own = self.gradients["weight"]
        own.copy_(torch.bmm(delta, self.elements.mT).view(own.shape))

    def fill_vectors(self, delta: Tensor, of_numbers: str, of_ones: str | None) -> None:
        """The gradients of the factor of x, and of what is added, from `delta` (n, k, b)."""
        sums = torch.bmm(delta, self.beside)
        for i, name in enumerate((of_numbers, of_ones)):
            if name is not None:
                self.gradients[name].copy_(sums[..., i].view(self.gradients[name].shape))


class WavesKernel(EmbeddingKernel):
    """Of :class:`Periodic` with ``dense=True``.

    Parameters
    ----------
    parameters, gradients : mapping of str to Tensor
    like : Tensor of shape (p, b) or (m, p, b)
        Numbers such as come.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], like: Tensor
    ) -> None:
        self.mixing = _Mixing(parameters, gradients, like)
        self.angles = torch.empty_like(self.mixing.elements)
        self.by_angles = torch.empty_like(self.angles)
        self.bias_gradient = gradients["bias"]

    def forward(self, x: Tensor, out: Tensor) -> None:
        mixing, n_columns = self.mixing, x.shape[-2]
        mixing.read(x)
        phases, frequencies = mixing.by_column("phases"), mixing.by_column("frequencies")
        numbers = x.reshape(mixing.n, 1, -1)
        torch.addcmul(phases, numbers, frequencies, value=TURN, out=self.angles)
        torch.cos(self.angles, out=mixing.elements)
        out[..., :n_columns, :] = x
        out[..., n_columns:, :] = mixing.forward().view(*x.shape[:-2], -1, x.shape[-1])

    def backward(self, delta: Tensor) -> None:
        mixing = self.mixing
        n_columns = delta.shape[-2] // (1 + mixing.mixed.shape[1])
        delta = delta[..., n_columns:, :].reshape(mixing.mixed.shape)
        mixing.fill_matrix(delta)
        self.bias_gradient.copy_(delta.sum(-1).view(self.bias_gradient.shape))
        matrix, there = mixing.by_column("weight").mT, self.by_angles
        torch.baddbmm(there, matrix, delta, beta=0, alpha=-1, out=there)
        there.mul_(torch.sin(self.angles, out=self.angles))
        mixing.fill_vectors(self.by_angles, "frequencies", "phases")
        mixing.gradients["frequencies"].mul_(TURN)


class BinsKernel(EmbeddingKernel):
    """Of :class:`PiecewiseLinear` with a size.

    Parameters
    ----------
    parameters, gradients, buffers : mapping of str to Tensor
    like : Tensor of shape (p, b) or (m, p, b)
    rectifies : bool
        Whether the rectifier ends it.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        like: Tensor,
        rectifies: bool,
    ) -> None:
        self.mixing = _Mixing(parameters, gradients, like)
        # what was measured does not change while it is trained
        self.bins = {k: t.reshape(self.mixing.n, -1, 1) for k, t in buffers.items()}
        self.rectifies = rectifies

    def forward(self, x: Tensor, out: Tensor) -> None:
        mixing, bins = self.mixing, self.bins
        mixing.read(x)
        numbers = x.reshape(mixing.n, 1, -1)
        _put_elements(numbers, bins, mixing.elements)
        mixed = mixing.forward().addcmul_(numbers, mixing.by_column("slope"))
        if self.rectifies:
            mixed.relu_()
        out.copy_(mixed.view(out.shape))

    def backward(self, delta: Tensor) -> None:
        mixing = self.mixing
        delta = delta.reshape(mixing.mixed.shape)
        if self.rectifies:
            delta = delta * (mixing.mixed > 0)
        mixing.fill_matrix(delta)
        mixing.fill_vectors(delta, "slope", "bias")


class BinsAloneKernel(EmbeddingKernel):
    """Of :class:`PiecewiseLinear` without a size, which learns nothing.

    Parameters
    ----------
    buffers : mapping of str to Tensor
    """

    def __init__(self, buffers: Mapping[str, Tensor]) -> None:
        self.bins = {name: tensor.unsqueeze(-1) for name, tensor in buffers.items()}
        self.n_bins = buffers["left"].shape[-1]

    def forward(self, x: Tensor, out: Tensor) -> None:
        # (.., p * t, b) -> (.., p, t, b)
        _put_elements(x.unsqueeze(-2), self.bins, out.unflatten(-2, (-1, self.n_bins)))

    def backward(self, delta: Tensor) -> None:
        """There is nothing to fill."""


def _put_elements(numbers: Tensor, bins: Mapping[str, Tensor], out: Tensor) -> None:
    """How far numbers (.., 1, b) have come through bins (.., t, 1), into (.., t, b)."""
    torch.sub(numbers, bins["left"], out=out).mul_(bins["factor"])
    out.clamp_(bins["lowest"], bins["highest"])
