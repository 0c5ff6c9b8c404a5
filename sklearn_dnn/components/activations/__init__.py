"""Activations: the functions between the dense layers.

Names are scikit-learn's where it has one (``logistic``), else torch's or Keras' in snake case.
The family is the rectifiers, the exponential linear units, the squashing, self-gated, shrinking
and gated activations, those that wrap a module or function of the user's, and plain ones, which
are one formula everywhere.
"""

from ._base import ACTIVATIONS, Activation
from ._bounded import Bounded
from ._exponential import Celu, Elu, Selu
from ._foreign import FunctionActivation, TorchActivation, as_activation
from ._gated import Geglu, Glu, Swiglu
from ._plain import ExponentialActivation, Identity, LogSigmoid, Softplus, SparsePlus, Squareplus
from ._rectifiers import LeakyRelu, Prelu, Relu, Relu6, Rrelu
from ._self_gated import Gelu, HardSwish, Mish, Silu
from ._shrinkage import Hardshrink, Softshrink, Tanhshrink
from ._sigmoids import HardSigmoid, HardTanh, Logistic, Softsign, SparseSigmoid, Tanh

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Bounded",
    "Celu",
    "Elu",
    "ExponentialActivation",
    "FunctionActivation",
    "Geglu",
    "Gelu",
    "Glu",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Hardshrink",
    "Identity",
    "LeakyRelu",
    "LogSigmoid",
    "Logistic",
    "Mish",
    "Prelu",
    "Relu",
    "Relu6",
    "Rrelu",
    "Selu",
    "Silu",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SparsePlus",
    "SparseSigmoid",
    "Squareplus",
    "Swiglu",
    "Tanh",
    "Tanhshrink",
    "TorchActivation",
    "as_activation",
]
