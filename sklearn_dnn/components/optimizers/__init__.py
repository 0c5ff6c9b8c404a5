r"""Optimizers: update rules on the flat buffer that holds all parameters of a stack.

This module brings the family together; importing it fills the registry. Members of a stack
with rates of their own share one step of rate 1 where a rule is proportional to the rate, from
which each goes its own part of the way.
"""

from __future__ import annotations

from ._adam import Adam, AdamW, AMSGrad
from ._adam_variants import Adamax, Nadam, RAdam
from ._adaptive import Adadelta, Adagrad, RMSprop
from ._base import OPTIMIZERS, Optimizer
from ._descent import SGD, Momentum, Nesterov
from ._ftrl import FTRL
from ._lbfgs import LBFGS
from ._lookahead import Lookahead
from ._matrices import Adafactor, Muon
from ._signs import Lion, Rprop
from ._torch import TorchOptimizer

__all__ = [
    "FTRL",
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Lookahead",
    "Momentum",
    "Muon",
    "Nadam",
    "Nesterov",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "TorchOptimizer",
]
