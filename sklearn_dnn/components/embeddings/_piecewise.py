"""Embeddings by how far a number has come through bins of its column."""

from __future__ import annotations

import numbers
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..._compat import Interval, StrOptions
from ._base import EMBEDDINGS, NumericEmbedding
from ._kernels import BinsAloneKernel, BinsKernel, EmbeddingKernel

# What the outer bins go on to beyond their edges, in widths of a bin.
_BEYOND = 1.0


@EMBEDDINGS.register("piecewise_linear")
class PiecewiseLinear(NumericEmbedding):
    r"""How far a number has come through each bin of its column.

    Bins lie between quantiles of the training rows, :math:`b_0 < b_1 < \dots < b_T`. The element
    of bin :math:`t` is

    .. math:: e_t = \mathrm{clip}\Bigl(\frac{x - b_{t-1}}{b_t - b_{t-1}},\, 0,\, 1\Bigr)

    so that a linear function of :math:`e` is a piecewise linear function of :math:`x`. Below the
    first edge :math:`e_1` goes on down to -1, above the last one :math:`e_T` up to 2; in the paper
    both go on for ever, so that a narrow bin makes huge numbers of what lies outside. Where
    quantiles fall together, a column has fewer bins, and zeros in place of the others; a constant
    column has none.

    With a `size`, a linear map for each column follows, beside a linear part (TabM's form):

    .. math:: g\bigl(w\,x + b + W e\bigr)

    where :math:`W` starts at zero, :math:`w` and :math:`b` uniform within one over the square root
    of `size`, and :math:`g` is the `activation`. The paper's own has no :math:`w`, and draws
    :math:`W`.

    Parameters
    ----------
    n_bins : int, default=16
        Bins of each column, at most.
    size : int or None, default=8
        Numbers that a column becomes; None for the elements :math:`e` as they are.
    activation : {"identity", "relu"}, default="identity"
        What follows the linear map.

    References
    ----------
    Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022.

    Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025.
    """

    _parameter_constraints = {
        "n_bins": [Interval(numbers.Integral, 1, None, closed="left")],
        "size": [Interval(numbers.Integral, 1, None, closed="left"), None],
        "activation": [StrOptions({"identity", "relu"})],
    }
    measures = True

    def __init__(
        self, n_bins: int = 16, size: int | None = 8, activation: str = "identity"
    ) -> None:
        self.n_bins = n_bins
        self.size = size
        self.activation = activation

    def _check(self) -> None:
        if self.size is None and self.activation != "identity":
            raise ValueError(
                f"PiecewiseLinear(activation={self.activation!r}, size=None) has no linear map "
                "that an activation could follow. Give a size, or activation='identity'."
            )

    @property
    def numbers_each(self) -> int:
        return int(self.n_bins if self.size is None else self.size)

    def parameter_shapes(self, n_columns: int) -> dict[str, tuple[int, ...]]:
        if self.size is None:
            return {}
        s = int(self.size)
        return {
            "slope": (n_columns, s),
            "bias": (n_columns, s),
            "weight": (n_columns, s, int(self.n_bins)),
        }

    def buffer_shapes(self, n_columns: int) -> dict[str, tuple[int, ...]]:
        shape = (n_columns, int(self.n_bins))
        return dict.fromkeys(("left", "factor", "lowest", "highest"), shape)

    def start(self, n_columns: int, generator: torch.Generator) -> dict[str, Tensor]:
        drawn = {}
        for name, shape in self.parameter_shapes(n_columns).items():
            drawn[name] = torch.zeros(shape, dtype=torch.float64)
            if name != "weight":
                bound = shape[1] ** -0.5
                drawn[name].uniform_(-bound, bound, generator=generator)
        return drawn

    def measure(self, x: np.ndarray, weight: np.ndarray | None) -> dict[str, np.ndarray]:
        """Left edges of the bins, one over their widths, and the bounds of their elements."""
        shapes = self.buffer_shapes(x.shape[1])
        found = {name: np.zeros(shape) for name, shape in shapes.items()}
        for j in range(x.shape[1]):
            edges = quantile_edges(x[:, j], weight, int(self.n_bins))
            k = len(edges) - 1
            if k == 0:
                continue
            found["left"][j, :k] = edges[:-1]
            found["factor"][j, :k] = 1.0 / np.diff(edges)
            found["highest"][j, :k] = 1.0
            found["lowest"][j, 0] -= _BEYOND
            found["highest"][j, k - 1] += _BEYOND
        return found

    def forward(
        self, x: Tensor, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
    ) -> Tensor:
        # (.., p, 1, b) - (.., p, t, 1) -> (.., p, t, b)
        part = (x.unsqueeze(-2) - buffers["left"].unsqueeze(-1)) * buffers["factor"].unsqueeze(-1)
        part = part.clamp(buffers["lowest"].unsqueeze(-1), buffers["highest"].unsqueeze(-1))
        if self.size is None:
            return part.flatten(-3, -2)
        line = x.unsqueeze(-2) * parameters["slope"].unsqueeze(-1)
        # (.., p, s, t) (.., p, t, b) -> (.., p, s, b) -> (.., p * s, b)
        mixed = torch.matmul(parameters["weight"], part) + line + parameters["bias"].unsqueeze(-1)
        mixed = mixed.flatten(-3, -2)
        return mixed.relu() if self.activation == "relu" else mixed

    def kernel(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        like: Tensor,
    ) -> EmbeddingKernel | None:
        if self.size is None:
            return BinsAloneKernel(buffers)
        return BinsKernel(parameters, gradients, buffers, like, self.activation == "relu")


def quantile_edges(column: np.ndarray, weight: np.ndarray | None, n_bins: int) -> np.ndarray:
    """Quantiles between which lie as many bins, without those that repeat; float64.

    They are values of the column, so that a row of weight 2 is exactly the row twice.
    """
    order = np.argsort(column, kind="stable")
    values = column[order].astype(np.float64)
    reached = np.arange(1, len(values) + 1) if weight is None else np.cumsum(weight[order])
    wanted = np.linspace(0.0, 1.0, n_bins + 1) * reached[-1]
    at = np.searchsorted(reached, wanted * (1.0 - 1e-12), side="left")
    return np.unique(values[np.minimum(at, len(values) - 1)])
