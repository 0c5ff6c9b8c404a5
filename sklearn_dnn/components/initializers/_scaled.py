"""Initializers of a variance that the shape of a layer decides: ``scale / fan``.

The fan is the number of inputs of a unit (fan_in), of units that read it (fan_out), or their mean
(fan_avg).
"""

from __future__ import annotations

import math
import numbers
from typing import Literal

import torch
from torch import Tensor

from ..._compat import Interval, StrOptions
from ._base import INITIALIZERS, TRUNCATED_STD, Initializer, draw_he, draw_truncated

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["normal", "uniform", "truncated_normal"]


def draw_scaled(
    scale: float,
    mode: Mode,
    distribution: Distribution,
    fans: tuple[int, int],
    generator: torch.Generator,
) -> Tensor:
    """Independent weights of mean 0 and variance ``scale / fan``; `fans` is also the shape."""
    fan_in, fan_out = fans
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    variance = scale / fan
    weights = torch.empty(fans, dtype=torch.float64)
    if distribution == "normal":
        return weights.normal_(0.0, math.sqrt(variance), generator=generator)
    if distribution == "truncated_normal":
        return draw_truncated(fans, generator).mul_(math.sqrt(variance) / TRUNCATED_STD)
    bound = math.sqrt(3 * variance)
    return weights.uniform_(-bound, bound, generator=generator)


@INITIALIZERS.register("glorot_normal")
class GlorotNormal(Initializer):
    r"""Normal weights of variance :math:`1 / \mathrm{fan\_avg}`.

    Keeps the variance of signals and of gradients, in compromise, through layers whose
    activation is about the identity near zero, such as tanh. The logistic sigmoid is not (its slope
    there is 1/4) and shrinks them all the same. Not truncated, unlike Keras'.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(1.0, "fan_avg", "normal", (fan_in, fan_out), generator)


@INITIALIZERS.register("glorot_uniform")
class GlorotUniform(Initializer):
    r"""Uniform weights of variance :math:`1 / \mathrm{fan\_avg}`.

    They lie within :math:`\pm\sqrt{6 / (\mathrm{fan\_in} + \mathrm{fan\_out})}`, the rule of
    scikit-learn's networks (which take 2 for 6 with the logistic activation).

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(1.0, "fan_avg", "uniform", (fan_in, fan_out), generator)


@INITIALIZERS.register("he_normal")
class HeNormal(Initializer):
    r"""Normal weights of variance :math:`2 / \mathrm{fan\_in}`.

    Keeps the variance of signals through layers of rectifiers, which lose half of it. Leaky ones
    lose less: exact is :math:`2 / ((1 + \alpha^2)\,\mathrm{fan\_in})` for a slope
    :math:`\alpha` below zero. Not truncated, unlike Keras'.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_he(fan_in, fan_out, generator)


@INITIALIZERS.register("he_uniform")
class HeUniform(Initializer):
    r"""Uniform weights of variance :math:`2 / \mathrm{fan\_in}`.

    They lie within :math:`\pm\sqrt{6 / \mathrm{fan\_in}}`.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(2.0, "fan_in", "uniform", (fan_in, fan_out), generator)


@INITIALIZERS.register("lecun_normal")
class LecunNormal(Initializer):
    r"""Normal weights of variance :math:`1 / \mathrm{fan\_in}`.

    Keeps the variance of signals through linear units; the self-normalizing activation
    ``"selu"`` needs it. Not truncated, unlike Keras'.

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, "Efficient BackProp", in Neural Networks:
    Tricks of the Trade, 1998.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(1.0, "fan_in", "normal", (fan_in, fan_out), generator)


@INITIALIZERS.register("lecun_uniform")
class LecunUniform(Initializer):
    r"""Uniform weights of variance :math:`1 / \mathrm{fan\_in}`.

    They lie within :math:`\pm\sqrt{3 / \mathrm{fan\_in}}`.

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, "Efficient BackProp", in Neural Networks:
    Tricks of the Trade, 1998.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(1.0, "fan_in", "uniform", (fan_in, fan_out), generator)


@INITIALIZERS.register("variance_scaling")
class VarianceScaling(Initializer):
    r"""Weights of variance :math:`\mathrm{scale} / \mathrm{fan}`: the family of all the above.

    Others have no name of their own: He's with the mean fan is ``scale=2.0, mode="fan_avg"``; what
    ``torch.nn.Linear`` draws is uniform with ``scale=1/3``, which lets signals die out with depth;
    what leaky_relu asks for exactly is ``scale=2 / (1 + negative_slope**2)``.

    Parameters
    ----------
    scale : float, default=1.0
        The variance times the fan, above 0: 1 for Glorot and LeCun, 2 for He.
    mode : {"fan_in", "fan_out", "fan_avg"}, default="fan_in"
        The fan: inputs of a unit, units of the layer, or their mean.
    distribution : {"normal", "uniform", "truncated_normal"}, default="normal"
        Plain normal (Keras' "untruncated_normal"); uniform within
        :math:`\pm\sqrt{3\,\mathrm{variance}}`; or normal, cut at two standard deviations and
        stretched by 1 / 0.8796 so that the variance is what it says. The last is the default of
        Keras, whose Glorot, He and LeCun normal initializers are all of that kind.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    _parameter_constraints = {
        "scale": [Interval(numbers.Real, 0, None, closed="neither")],
        "mode": [StrOptions({"fan_in", "fan_out", "fan_avg"})],
        "distribution": [StrOptions({"normal", "uniform", "truncated_normal"})],
    }

    def __init__(
        self, scale: float = 1.0, mode: Mode = "fan_in", distribution: Distribution = "normal"
    ) -> None:
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(self.scale, self.mode, self.distribution, (fan_in, fan_out), generator)
