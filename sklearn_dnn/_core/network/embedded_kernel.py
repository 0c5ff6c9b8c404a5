"""Forward and backward of networks behind embeddings, into memory that each call uses again."""

from __future__ import annotations

import torch
from torch import Tensor

from ..._compat import foreach_copy_
from ...components.embeddings import CODE_SIZE, EmbeddingKernel
from .architecture import CODES, Architecture
from .entrance import add_looked_up_, cut, looked_up
from .kernels import DenseKernel, SharedKernel
from .views import Network


class EmbeddedKernel:
    """A kernel behind embeddings; autograd follows those that have no gradients by hand.

    Parameters
    ----------
    kernel : DenseKernel or SharedKernel
        Of what comes behind.
    network, gradients : Network
        Views of the parameters and of the buffer that :meth:`backward` fills.
    architecture : Architecture
    """

    def __init__(
        self,
        kernel: DenseKernel | SharedKernel,
        network: Network,
        gradients: Network,
        architecture: Architecture,
    ) -> None:
        self.kernel, self.architecture, self.network = kernel, architecture, network
        self.table = network.embedding.get(CODES)
        self.gradients = {k: t for k, t in gradients.embedding.items() if k != CODES}
        self.table_gradient = gradients.embedding.get(CODES)
        self.leaves = {
            name: network.embedding[name].detach().requires_grad_() for name in self.gradients
        }
        self.by_hand: EmbeddingKernel | None = None
        self.entering: Tensor | None = None

    def _open(self, x: Tensor) -> Tensor:
        """Memory for what enters the first layer, and for the derivative by it: (.., w, b)."""
        a = self.architecture
        self.entering = x.new_empty(*x.shape[:-2], a.sizes[0], x.shape[-2])
        self.by_entering = torch.empty_like(self.entering)
        if a.embedding is not None:
            parts = (self.network.embedding, self.gradients, self.network.embedding_statistics)
            self.by_hand = a.embedding.kernel(*parts, x[..., : a.n_numbers].mT)
        return self.entering

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of a batch, keeping what :meth:`backward` needs."""
        entering = self._open(x) if self.entering is None else self.entering
        rest, self.index = cut(x, self.architecture)
        n_numbers = self.architecture.n_numbers
        columns = rest.mT.contiguous()
        at = self._put_numbers(columns[..., :n_numbers, :], entering)
        to = at + columns.shape[-2] - n_numbers
        entering[..., at:to, :] = columns[..., n_numbers:, :]
        if self.index is not None:
            assert self.table is not None
            entering[..., to:, :] = looked_up(self.index, self.table).mT
        return self.kernel.forward(entering.mT)

    def _put_numbers(self, numbers: Tensor, entering: Tensor) -> int:
        """Columns of numbers (.., p, b) embedded, and how many they became."""
        embedding = self.architecture.embedding
        each = 1 if embedding is None else embedding.numbers_each
        there = entering[..., : numbers.shape[-2] * each, :]
        if self.by_hand is not None:
            self.by_hand.forward(numbers, there)
        elif embedding is None:
            there.copy_(numbers)
        else:
            with torch.enable_grad():
                measured = self.network.embedding_statistics
                self.embedded = embedding.forward(numbers, self.leaves, measured)
            there.copy_(self.embedded.detach())
        return int(there.shape[-2])

    def backward(self, delta: Tensor) -> None:
        """Fill the gradients from `delta`, the derivative by the raw outputs."""
        delta = self.kernel.backward(delta)
        if not self.gradients and self.index is None:
            return
        self.kernel.by_inputs(delta, self.by_entering)
        if self.gradients:
            embedding, n_numbers = self.architecture.embedding, self.architecture.n_numbers
            assert embedding is not None
            by_numbers = self.by_entering[..., : n_numbers * embedding.numbers_each, :]
            if self.by_hand is not None:
                self.by_hand.backward(by_numbers)
            else:
                grads = torch.autograd.grad(self.embedded, list(self.leaves.values()), by_numbers)
                foreach_copy_(list(self.gradients.values()), grads)
        if self.index is not None:
            assert self.table_gradient is not None
            vectors = self.by_entering[..., -self.index.shape[-1] * CODE_SIZE :, :]
            add_looked_up_(self.table_gradient.zero_(), self.index, vectors.mT)
