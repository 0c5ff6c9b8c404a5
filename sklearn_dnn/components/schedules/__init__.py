r"""Schedules: factors on a number, such as ``learning_rate_init``, over the time of training.

The unit of every time is the epoch: :math:`t` is the number of steps done over the number of
steps in an epoch, fractional within an epoch. The horizon is the epoch at which a schedule has
come to its end.
"""

from __future__ import annotations

from ._base import INNER_FRACTION, POSITIVE, SCHEDULES, HorizonSchedule, Schedule
from ._basics import Constant, Cosine, Linear, Piecewise, Polynomial, Step
from ._combinators import FunctionSchedule, Sequential, Warmup, as_schedule
from ._cycles import CosineRestarts, Cyclic, MomentumCycle, OneCycle
from ._decays import Exponential, InverseScaling, InverseSquareRoot, InverseTime, Power
from ._plateaus import Performance

__all__ = [
    "INNER_FRACTION",
    "POSITIVE",
    "SCHEDULES",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "FunctionSchedule",
    "HorizonSchedule",
    "InverseScaling",
    "InverseSquareRoot",
    "InverseTime",
    "Linear",
    "MomentumCycle",
    "OneCycle",
    "Performance",
    "Piecewise",
    "Polynomial",
    "Power",
    "Schedule",
    "Sequential",
    "Step",
    "Warmup",
    "as_schedule",
]
