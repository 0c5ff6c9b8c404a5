"""Initializers: the first values of the weights.

The scaled ones are a single formula: a variance of ``scale / fan``, where fan is the number of
inputs of a unit (fan_in), of units that read it (fan_out), or their mean (fan_avg).
"""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor

from .._compat import Interval, StrOptions
from .base import Component, Registry


class Initializer(Component):
    """The first values of one layer's weights. Biases are not its affair."""

    @abstractmethod
    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw the weights of a layer.

        Parameters
        ----------
        fan_in : int
            Number of inputs.
        fan_out : int
            Number of units.
        generator : torch.Generator
            A generator on the CPU, so that every device starts from the same weights.

        Returns
        -------
        Tensor of shape (fan_in, fan_out), float64, on the CPU
            Rows are inputs, as in scikit-learn's ``coefs_``.
        """


INITIALIZERS: Registry[Initializer] = Registry("initializer", Initializer)

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["normal", "uniform"]


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
    bound = math.sqrt(3 * variance)
    return weights.uniform_(-bound, bound, generator=generator)


@INITIALIZERS.register("glorot_normal")
class GlorotNormal(Initializer):
    r"""Normal weights of variance :math:`1 / \mathrm{fan\_avg}`.

    Keeps the variance of signals and of gradients, in compromise, through layers whose
    activation is about linear at zero (identity, tanh, logistic). Not truncated, unlike Keras'.

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

    Keeps the variance of signals through layers of rectifiers, which lose half of it. Not
    truncated, unlike Keras'.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(2.0, "fan_in", "normal", (fan_in, fan_out), generator)


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

    Parameters
    ----------
    scale : float, default=1.0
        The variance times the fan, above 0: 1 for Glorot and LeCun, 2 for He.
    mode : {"fan_in", "fan_out", "fan_avg"}, default="fan_in"
        The fan: inputs of a unit, units of the layer, or their mean.
    distribution : {"normal", "uniform"}, default="normal"
        Plain normal (not truncated, unlike Keras'), or uniform within
        :math:`\pm\sqrt{3\,\mathrm{variance}}`.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    _parameter_constraints = {
        "scale": [Interval(numbers.Real, 0, None, closed="neither")],
        "mode": [StrOptions({"fan_in", "fan_out", "fan_avg"})],
        "distribution": [StrOptions({"normal", "uniform"})],
    }

    def __init__(
        self, scale: float = 1.0, mode: Mode = "fan_in", distribution: Distribution = "normal"
    ) -> None:
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_scaled(self.scale, self.mode, self.distribution, (fan_in, fan_out), generator)


@INITIALIZERS.register("orthogonal")
class Orthogonal(Initializer):
    r"""A random (semi-)orthogonal matrix times `gain`.

    With :math:`W` of shape (fan_in, fan_out), :math:`W^\top W = \mathrm{gain}^2 I` if fan_in is
    at least fan_out, else :math:`W W^\top = \mathrm{gain}^2 I`; all such matrices are equally
    likely. Lengths of signals are then kept exactly through linear layers of one width.

    Parameters
    ----------
    gain : float, default=1.0
        Every singular value, above 0; :math:`\sqrt{2}` is customary with relu.

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", ICLR 2014.
    """

    _parameter_constraints = {"gain": [Interval(numbers.Real, 0, None, closed="neither")]}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        long, short = max(fan_in, fan_out), min(fan_in, fan_out)
        gaussian = torch.randn((long, short), dtype=torch.float64, generator=generator)
        q, r = torch.linalg.qr(gaussian)
        # QR leaves the columns' signs to the routine; R's diagonal made positive is uniform.
        q *= torch.copysign(torch.ones(short, dtype=torch.float64), r.diagonal())
        weights = q if fan_in >= fan_out else q.T
        return weights.mul(self.gain).contiguous()
