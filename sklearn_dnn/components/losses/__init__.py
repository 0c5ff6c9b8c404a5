"""Losses: what a network is trained to make small.

All losses of the package are here to be imported. They are written in modules of their own: the
base class and the registry, losses of errors, of positive targets, of distributions, of classes
and labels, of margins, and those that come from outside.
"""

from __future__ import annotations

from ._base import LOSSES, Link, LinkedLoss, Loss
from ._classification import (
    BernoulliLogLoss,
    CategoricalLogLoss,
    ClassLoss,
    LabelLoss,
    LogLoss,
)
from ._distributions import Gaussian, Quantile
from ._elementwise import ElementwiseLoss, WeightedLoss
from ._foreign import FunctionLoss, TorchLoss, as_loss
from ._margins import CrammerSinger, Hinge, LabelMargin, OneVsRestMargin, SquaredHinge
from ._positive import AbsolutePercentageError, Gamma, Poisson, SquaredLogError, Tweedie
from ._regression import AbsoluteError, EpsilonInsensitive, Huber, LogCosh, SquaredError
from ._shaped import (
    BernoulliFocal,
    BernoulliPoly1,
    CategoricalFocal,
    CategoricalPoly1,
    Focal,
    Poly1,
)

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "AbsolutePercentageError",
    "BernoulliFocal",
    "BernoulliLogLoss",
    "BernoulliPoly1",
    "CategoricalFocal",
    "CategoricalLogLoss",
    "CategoricalPoly1",
    "ClassLoss",
    "CrammerSinger",
    "ElementwiseLoss",
    "EpsilonInsensitive",
    "Focal",
    "FunctionLoss",
    "Gamma",
    "Gaussian",
    "Hinge",
    "Huber",
    "LabelLoss",
    "LabelMargin",
    "Link",
    "LinkedLoss",
    "LogCosh",
    "LogLoss",
    "Loss",
    "OneVsRestMargin",
    "Poisson",
    "Poly1",
    "Quantile",
    "SquaredError",
    "SquaredHinge",
    "SquaredLogError",
    "TorchLoss",
    "Tweedie",
    "WeightedLoss",
    "as_loss",
]
