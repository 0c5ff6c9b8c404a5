"""Initializers that know nothing of the layer but its shape: constants and fixed scales.

A scale that does not depend on the fan lets signals die or explode with depth; these are for
small networks, for teaching, and for scales found by a search.
"""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import INITIALIZERS, Initializer, draw_truncated

_FINITE = Interval(numbers.Real, None, None, closed="neither")
_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")


@INITIALIZERS.register("zeros")
class Zeros(Initializer):
    """All weights zero.

    Units that start equal get equal gradients and stay equal: a hidden layer is then worth one
    unit, and with zeros none at all learns. For teaching, and for an output layer that should
    start from its bias alone.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return torch.zeros((fan_in, fan_out), dtype=torch.float64)


@INITIALIZERS.register("constant")
class ConstantInitializer(Initializer):
    """All weights one number.

    Units that start equal get equal gradients and stay equal: a hidden layer is then worth one
    unit. For teaching.

    Parameters
    ----------
    value : float, default=0.0
        The number.
    """

    _parameter_constraints = {"value": [_FINITE]}

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return torch.full((fan_in, fan_out), float(self.value), dtype=torch.float64)


@INITIALIZERS.register("uniform")
class UniformInitializer(Initializer):
    r"""Uniform weights of one scale for all layers, :math:`U(\mathrm{low}, \mathrm{high})`.

    Parameters
    ----------
    low : float, default=-0.05
        The least weight.
    high : float, default=0.05
        The largest weight, above `low`. The defaults are those of Keras' ``RandomUniform``;
        ``torch.nn.init.uniform_`` has 0 and 1.
    """

    _parameter_constraints = {"low": [_FINITE], "high": [_FINITE]}

    def __init__(self, low: float = -0.05, high: float = 0.05) -> None:
        self.low = low
        self.high = high

    def _check(self) -> None:
        if self.low >= self.high:
            raise ValueError(
                f"The weights of {type(self).__name__} lie between low={self.low!r} and "
                f"high={self.high!r}: give a high that is above low, or use ConstantInitializer."
            )

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        weights = torch.empty((fan_in, fan_out), dtype=torch.float64)
        return weights.uniform_(self.low, self.high, generator=generator)


@INITIALIZERS.register("normal")
class NormalInitializer(Initializer):
    r"""Normal weights of one scale for all layers, :math:`N(\mathrm{mean}, \mathrm{std}^2)`.

    With ``std=1.0`` it is the classic bad start: the variance of a layer's outputs is about fan_in
    times that of its inputs, so that sigmoids saturate and rectifiers explode.

    Parameters
    ----------
    mean : float, default=0.0
        The mean of the weights.
    std : float, default=0.05
        Their standard deviation, above 0. The default is that of Keras' ``RandomNormal``;
        ``torch.nn.init.normal_`` has 1.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010 (on why not).
    """

    _parameter_constraints = {"mean": [_FINITE], "std": [_POSITIVE]}

    def __init__(self, mean: float = 0.0, std: float = 0.05) -> None:
        self.mean = mean
        self.std = std

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        weights = torch.empty((fan_in, fan_out), dtype=torch.float64)
        return weights.normal_(self.mean, self.std, generator=generator)


@INITIALIZERS.register("truncated_normal")
class TruncatedNormal(Initializer):
    r"""Normal weights of one scale for all layers, but none further than 2 `std` from `mean`.

    Values outside are drawn anew, in effect, so that the standard deviation of the weights is
    0.8796 `std`. ``VarianceScaling(distribution="truncated_normal")`` makes up for that; this one
    does not, as in Keras.

    Parameters
    ----------
    mean : float, default=0.0
        The mean of the weights.
    std : float, default=0.05
        The standard deviation before the cut, above 0. The default is that of Keras'
        ``TruncatedNormal``; ``torch.nn.init.trunc_normal_`` has 1 and cuts at fixed numbers.
    """

    _parameter_constraints = {"mean": [_FINITE], "std": [_POSITIVE]}

    def __init__(self, mean: float = 0.0, std: float = 0.05) -> None:
        self.mean = mean
        self.std = std

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_truncated((fan_in, fan_out), generator).mul_(self.std).add_(self.mean)


@INITIALIZERS.register("sparse")
class Sparse(Initializer):
    r"""Normal weights, of which each unit has a share of zeros among its inputs.

    Of the fan_in weights of a unit (a column), :math:`\lceil \mathrm{sparsity} \cdot
    \mathrm{fan\_in} \rceil` at random are 0; the others are :math:`N(0, \mathrm{std}^2)`.

    Parameters
    ----------
    sparsity : float, default=0.1
        The share of zeros, in [0, 1).
    std : float, default=0.01
        The standard deviation of the others, above 0; the default is that of
        ``torch.nn.init.sparse_``. The paper leaves each unit 15 weights of standard deviation 1.

    Notes
    -----
    ``torch.nn.init.sparse_`` puts the same share of zeros into every column of what it is given.
    Columns are units in our (fan_in, fan_out) as in the paper, but inputs in the weight of a
    ``torch.nn.Linear``, which is the transpose.

    References
    ----------
    J. Martens, "Deep learning via Hessian-free optimization", ICML 2010.
    """

    _parameter_constraints = {
        "sparsity": [Interval(numbers.Real, 0, 1, closed="left")],
        "std": [_POSITIVE],
    }

    def __init__(self, sparsity: float = 0.1, std: float = 0.01) -> None:
        self.sparsity = sparsity
        self.std = std

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        weights = torch.empty((fan_in, fan_out), dtype=torch.float64)
        weights.normal_(0.0, self.std, generator=generator)
        order = torch.rand((fan_in, fan_out), dtype=torch.float64, generator=generator).argsort(0)
        return weights.scatter_(0, order[: math.ceil(self.sparsity * fan_in)], 0.0)


@INITIALIZERS.register("identity")
class IdentityInitializer(Initializer):
    """Each unit starts as its own input times `gain`: ones on the diagonal, else zeros.

    A layer wider than its inputs has units that start at zero, all equal but for the bias; a
    narrower one does not read its last inputs at first.

    Parameters
    ----------
    gain : float, default=1.0
        The diagonal, not 0.

    References
    ----------
    Q. V. Le, N. Jaitly and G. E. Hinton, "A simple way to initialize recurrent networks of
    rectified linear units", arXiv:1504.00941, 2015.
    """

    _parameter_constraints = {"gain": [_FINITE]}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def _check(self) -> None:
        if self.gain == 0:
            raise ValueError(
                f"The 'gain' parameter of {type(self).__name__} must not be 0. Got {self.gain!r} "
                "instead: use initializer='zeros' for weights that are all zero."
            )

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return torch.eye(fan_in, fan_out, dtype=torch.float64).mul_(self.gain)
