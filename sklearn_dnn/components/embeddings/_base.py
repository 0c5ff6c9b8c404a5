"""What an embedding of numbers is: the base class, the registry, and the widths of what enters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..base import Component
from ..registry import Registry
from ._kernels import EmbeddingKernel

# Numbers of the vector that stands for a level of a category, however many levels there are:
# RealMLP's choice (Holzmueller et al., 2024). Rules that grow with the levels gain little.
CODE_SIZE = 8
# Standard deviation of these numbers at the start. Vectors of rare levels stay near it, so that
# it is small beside a standardised column.
CODE_START = 0.1


class NumericEmbedding(Component):
    """What stands in the place of each column of numbers in front of the first layer.

    All columns are embedded alike, each with numbers of its own. Penalties and decay leave these
    numbers alone, as they do all that is no weight matrix of a layer.

    Attributes
    ----------
    varying : tuple of str
        Parameters that decide first values alone: the members of a stack may differ in them.
    measures : bool
        Whether :meth:`measure` looks at the rows to train on, before the first step.
    """

    varying: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[bool] = False

    @property
    @abstractmethod
    def numbers_each(self) -> int:
        """How many numbers a column becomes."""

    @abstractmethod
    def parameter_shapes(self, n_columns: int) -> dict[str, tuple[int, ...]]:
        """Shapes of what is trained, of two axes at least, the first being that of columns."""

    def buffer_shapes(self, n_columns: int) -> dict[str, tuple[int, ...]]:
        """Likewise of what is measured; nothing by default."""
        return {}

    @abstractmethod
    def start(self, n_columns: int, generator: torch.Generator) -> dict[str, Tensor]:
        """First values of what is trained, in float64."""

    def measure(self, x: np.ndarray, weight: np.ndarray | None) -> dict[str, np.ndarray]:
        """What is measured on rows to train on.

        Parameters
        ----------
        x : ndarray of shape (n, p)
            Columns as the network sees them: standardised.
        weight : ndarray of shape (n,) or None
            The rows' weights, all positive.
        """
        return {}

    @abstractmethod
    def forward(
        self, x: Tensor, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
    ) -> Tensor:
        """Embed columns, for autograd to follow.

        Rows come last: products of small matrices with long ones are fastest so.

        Parameters
        ----------
        x : Tensor of shape (p, b) or (m, p, b)
        parameters, buffers : mapping of str to Tensor
            With a leading axis m for a stack.

        Returns
        -------
        Tensor of shape (q, b) or (m, q, b)
            Where ``q = p * numbers_each``.
        """

    def kernel(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        like: Tensor,
    ) -> EmbeddingKernel | None:
        """The same with gradients by hand; None, the default, leaves them to autograd.

        Parameters
        ----------
        parameters, gradients, buffers : mapping of str to Tensor
            Views that stay; the kernel fills `gradients`.
        like : Tensor of shape (p, b) or (m, p, b)
            Numbers such as come.
        """
        return None


EMBEDDINGS: Registry[NumericEmbedding] = Registry("numeric_embedding", NumericEmbedding)


def entering_width(
    embedding: NumericEmbedding | None, n_numbers: int, n_passed: int, n_codes: int
) -> int:
    """What the first layer reads of so many columns of numbers, passed ones, and codes."""
    each = 1 if embedding is None else embedding.numbers_each
    return n_numbers * each + n_passed + n_codes * CODE_SIZE
