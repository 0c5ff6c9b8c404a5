"""Initializers: the first values of the weights.

The scaled ones have a variance that the shape of a layer decides, the plain ones one scale
whatever the shape, and the deep ones look at directions, at data or at the depth of the network.
"""

from ._base import INITIALIZERS, Initializer
from ._deep import LSUV, Fixup, Orthogonal
from ._plain import (
    ConstantInitializer,
    IdentityInitializer,
    NormalInitializer,
    Sparse,
    TruncatedNormal,
    UniformInitializer,
    Zeros,
)
from ._scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

__all__ = [
    "INITIALIZERS",
    "LSUV",
    "ConstantInitializer",
    "Fixup",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "NormalInitializer",
    "Orthogonal",
    "Sparse",
    "TruncatedNormal",
    "UniformInitializer",
    "VarianceScaling",
    "Zeros",
]
