"""Initializers: the first values of the weights.

The scaled ones, here, are a single formula: a variance of ``scale / fan``, where fan is the number
of inputs of a unit (fan_in), of units that read it (fan_out), or their mean (fan_avg). The family
has also plain ones, of one scale whatever the fan, and deep ones, which look at directions, at data
or at the depth of the network.
"""

from ._base import (
    INITIALIZERS,
    Initializer,
)
from ._deep import (
    LSUV,
    Fixup,
    Orthogonal,
)
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
