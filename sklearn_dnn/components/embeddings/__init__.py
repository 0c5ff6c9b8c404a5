"""Embeddings: several numbers in place of one, in front of the first layer.

Those of numbers are components. The vectors that stand for the levels of a category have no
choices: each level has one of :data:`CODE_SIZE` numbers, whose start is normal with the standard
deviation :data:`CODE_START`.
"""

from ._base import CODE_SIZE, CODE_START, EMBEDDINGS, NumericEmbedding, entering_width
from ._kernels import EmbeddingKernel
from ._periodic import Periodic
from ._piecewise import PiecewiseLinear

__all__ = [
    "CODE_SIZE",
    "CODE_START",
    "EMBEDDINGS",
    "EmbeddingKernel",
    "NumericEmbedding",
    "Periodic",
    "PiecewiseLinear",
    "entering_width",
]
