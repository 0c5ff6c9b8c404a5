"""Components: what can be named, or given with parameters of its own, in an estimator.

Each family is a module with a registry of names. ``optimizer="sgd"`` and ``optimizer=SGD()``
are the same; only the second has nested parameters such as ``optimizer__momentum``.
"""

from .activations import (
    Elu,
    Gelu,
    Identity,
    LeakyRelu,
    Logistic,
    Relu,
    Selu,
    Silu,
    Softplus,
    Tanh,
)
from .architectures import Rectangular
from .dropouts import AlphaDropout, Dropout
from .initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    VarianceScaling,
)
from .losses import AbsoluteError, Huber, LogLoss, Poisson, SquaredError
from .norms import BatchNorm, LayerNorm
from .optimizers import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Momentum,
    Nadam,
    Nesterov,
    RMSprop,
)
from .schedules import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    OneCycle,
    Performance,
    Piecewise,
    Power,
)

__all__ = [
    "LBFGS",
    "SGD",
    "AbsoluteError",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AlphaDropout",
    "BatchNorm",
    "Constant",
    "Cosine",
    "Dropout",
    "Elu",
    "Exponential",
    "Gelu",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Huber",
    "Identity",
    "LayerNorm",
    "LeakyRelu",
    "LecunNormal",
    "LecunUniform",
    "Linear",
    "LogLoss",
    "Logistic",
    "Momentum",
    "Nadam",
    "Nesterov",
    "OneCycle",
    "Orthogonal",
    "Performance",
    "Piecewise",
    "Poisson",
    "Power",
    "RMSprop",
    "Rectangular",
    "Relu",
    "Selu",
    "Silu",
    "Softplus",
    "SquaredError",
    "Tanh",
    "VarianceScaling",
]
