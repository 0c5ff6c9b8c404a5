"""Embeddings by sines and cosines of trained frequencies."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import EMBEDDINGS, NumericEmbedding
from ._kernels import EmbeddingKernel, WavesKernel


@EMBEDDINGS.register("periodic")
class Periodic(NumericEmbedding):
    r"""Waves of trained frequencies, taken together by a small linear layer for each column.

    With ``dense=True`` a column becomes

    .. math:: \bigl(x,\; W \cos(2\pi c\,x + \phi) + b\bigr)

    with `n_frequencies` frequencies :math:`c`, which start normal with standard deviation
    `scale`, and phases :math:`\phi`, which start uniform on :math:`[-\pi, \pi]`. The number itself
    stands beside `size` - 1 others (RealMLP's "PBLD"). With ``dense=False`` it becomes

    .. math:: \max\bigl(0,\; W [\cos(2\pi c\,x), \sin(2\pi c\,x)] + b\bigr)

    of `size` numbers, as in the first paper ("PLR"). :math:`W` and :math:`b` start uniform within
    one over the square root of the waves they read, as torch's linear layers do.

    Parameters
    ----------
    n_frequencies : int, default=16
        Frequencies of each column.
    size : int, default=4
        Numbers that a column becomes, itself included where ``dense=True``.
    scale : float, default=0.1
        Standard deviation of the frequencies at the start, in waves a standard deviation of the
        column: the one to search, from 0.01 to 10. Large ones tell near numbers apart, and
        overfit.
    dense : bool, default=True
        Which of the two forms.

    References
    ----------
    Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022.

    D. Holzmueller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data", NeurIPS 2024. It trains these numbers at a tenth of the
    network's rate; here they have the same.
    """

    _parameter_constraints = {
        "n_frequencies": [Interval(numbers.Integral, 1, None, closed="left")],
        "size": [Interval(numbers.Integral, 1, None, closed="left")],
        "scale": [Interval(numbers.Real, 0, None, closed="neither")],
        "dense": ["boolean"],
    }
    varying = ("scale",)

    def __init__(
        self, n_frequencies: int = 16, size: int = 4, scale: float = 0.1, dense: bool = True
    ) -> None:
        self.n_frequencies = n_frequencies
        self.size = size
        self.scale = scale
        self.dense = dense

    def _check(self) -> None:
        if self.dense and self.size < 2:
            raise ValueError(
                f"Periodic(size={self.size!r}, dense=True) has the number itself and nothing "
                "beside it. Use size >= 2, or dense=False."
            )

    @property
    def numbers_each(self) -> int:
        return int(self.size)

    def parameter_shapes(self, n_columns: int) -> dict[str, tuple[int, ...]]:
        f, s = int(self.n_frequencies), int(self.size)
        if self.dense:
            return {
                "frequencies": (n_columns, f),
                "phases": (n_columns, f),
                "weight": (n_columns, s - 1, f),
                "bias": (n_columns, s - 1),
            }
        return {
            "frequencies": (n_columns, f),
            "weight": (n_columns, s, 2 * f),
            "bias": (n_columns, s),
        }

    def start(self, n_columns: int, generator: torch.Generator) -> dict[str, Tensor]:
        shapes = self.parameter_shapes(n_columns)
        bound = shapes["weight"][-1] ** -0.5
        drawn = {}
        for name, shape in shapes.items():
            values = torch.empty(shape, dtype=torch.float64)
            if name == "frequencies":
                drawn[name] = values.normal_(0.0, float(self.scale), generator=generator)
            else:
                half = math.pi if name == "phases" else bound
                drawn[name] = values.uniform_(-half, half, generator=generator)
        return drawn

    def forward(
        self, x: Tensor, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
    ) -> Tensor:
        # (.., p, 1, b) * (.., p, f, 1) -> (.., p, f, b)
        angles = (x * (2.0 * math.pi)).unsqueeze(-2) * parameters["frequencies"].unsqueeze(-1)
        if self.dense:
            waves = torch.cos(angles + parameters["phases"].unsqueeze(-1))
        else:
            waves = torch.cat([angles.cos(), angles.sin()], -2)
        # (.., p, s, f) (.., p, f, b) -> (.., p, s, b) -> (.., p * s, b)
        mixed = torch.matmul(parameters["weight"], waves) + parameters["bias"].unsqueeze(-1)
        mixed = mixed.flatten(-3, -2)
        return torch.cat([x, mixed], -2) if self.dense else mixed.relu()

    def kernel(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        like: Tensor,
    ) -> EmbeddingKernel | None:
        return WavesKernel(parameters, gradients, like) if self.dense else None
