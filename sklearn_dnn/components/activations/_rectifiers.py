"""Rectifiers: lines with a kink at zero."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval, hardtanh_backward, leaky_relu_backward, threshold_backward
from ..base import computed
from ._base import ACTIVATIONS, Activation


@ACTIVATIONS.register("relu")
class Relu(Activation):
    r"""Rectified linear unit, :math:`\max(0, z)`.

    Unbounded above, flat below: cheap and sparse, but a unit whose input stays negative gets
    no gradient: it is dead for good if that holds for all rows.

    References
    ----------
    V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines",
    ICML 2010.
    """

    initializer = "he_normal"
    saves = "output"
    range = (0.0, math.inf)
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return torch.relu(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.clamp_min(z, 0.0, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        threshold_backward(grad, saved, 0.0, grad_input=out)


@ACTIVATIONS.register("relu6")
class Relu6(Activation):
    r"""Rectified linear unit that stops at six, :math:`\min(\max(0, z), 6)`.

    Its bounded outputs survive arithmetic of few bits; unlike ``"relu"`` it is flat above too.

    References
    ----------
    A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """

    initializer = "he_normal"
    saves = "output"
    range = (0.0, 6.0)
    saturates = "both"

    def forward(self, z: Tensor) -> Tensor:
        return functional.relu6(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.clamp(z, 0.0, 6.0, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        hardtanh_backward(grad, saved, 0.0, 6.0, grad_input=out)


@ACTIVATIONS.register("leaky_relu")
class LeakyRelu(Activation):
    r"""Leaky rectified linear unit, :math:`z` if :math:`z > 0` else :math:`\alpha z`.

    A unit whose input stays negative still learns, slowly. (The formula
    :math:`\max(\alpha z, z)`, which is often quoted, is the same only for slopes up to 1.)

    Parameters
    ----------
    negative_slope : float, default=0.01
        The slope :math:`\alpha` for negative inputs, at least 0. The default is that of the
        paper and of torch; Keras' is 0.3, and B. Xu et al. (arXiv:1505.00853) found 1/5.5 = 0.18
        better than it.

    Notes
    -----
    It is paired with ``"he_normal"``, of variance 2 / fan_in. The variance that keeps the scale
    of the signal exactly is :math:`2 / ((1 + \alpha^2)\,\mathrm{fan\_in})`, the same to one part
    in ten thousand at the default slope.

    References
    ----------
    A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier nonlinearities improve neural network
    acoustic models", ICML 2013.

    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    # A negative slope would fold the line: the output no longer tells the side of zero.
    _parameter_constraints = {"negative_slope": [Interval(numbers.Real, 0, None, closed="left")]}

    initializer = "he_normal"
    saves = "output"

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    @computed
    def range(self) -> tuple[float, float]:
        """Everything, or the positive numbers where the slope is 0."""
        return (-math.inf if self.negative_slope > 0 else 0.0, math.inf)

    def forward(self, z: Tensor) -> Tensor:
        return functional.leaky_relu(z, self.negative_slope)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        functional.leaky_relu(out, self.negative_slope, inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        leaky_relu_backward(grad, saved, self.negative_slope, True, grad_input=out)


@ACTIVATIONS.register("prelu")
class Prelu(Activation):
    r"""Parametric rectified linear unit, :math:`z` if :math:`z > 0` else :math:`\alpha z`, with a
    slope :math:`\alpha` a unit that is learned like a weight.

    It has paid on large sets of images; on few rows the slopes are more to overfit with. Keep
    penalties and norm limits off them: a slope pulled to zero is ``"relu"``.

    Parameters
    ----------
    initial_slope : float, default=0.25
        The slope that every unit starts from, the paper's, torch's and ours; Keras' is 0. Learning
        may take it anywhere, also below 0.

    Notes
    -----
    Torch shares one slope among the units of a layer unless ``num_parameters`` is given; Keras and
    we have one a unit. It is paired with ``"he_normal"``, of variance 2 / fan_in; what keeps the
    scale of the signal exactly at the start is
    :math:`2 / ((1 + \alpha^2)\,\mathrm{fan\_in})`, six percent less at the default.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    _parameter_constraints = {
        "initial_slope": [Interval(numbers.Real, None, None, closed="neither")]
    }

    initializer = "he_normal"

    def __init__(self, initial_slope: float = 0.25) -> None:
        self.initial_slope = initial_slope

    @computed
    def parameter_starts(self) -> Mapping[str, float]:
        """The slopes, one a unit."""
        return {"slope": float(self.initial_slope)}

    def forward(self, z: Tensor) -> Tensor:
        return functional.leaky_relu(z, self.initial_slope)

    def layer_forward(
        self, z: Tensor, parameters: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> Tensor:
        return torch.where(z > 0, z, parameters["slope"] * z)


@ACTIVATIONS.register("rrelu")
class Rrelu(Activation):
    r"""Randomized leaky rectified linear unit: :math:`z` if :math:`z > 0` else :math:`\alpha z`,
    with a new :math:`\alpha` from :math:`U(\mathrm{lower}, \mathrm{upper})` for each unit and row
    in training, and their mean in prediction.

    The noise regularizes, which helps where a network overfits.

    Parameters
    ----------
    lower : float, default=0.125
        The least slope, at least 0.
    upper : float, default=0.3333333333333333
        The largest slope, at least `lower`. The slope in prediction is the mean of both, 0.2292 by
        default.

    Notes
    -----
    The defaults and the mean are torch's. The paper divides: by a number from :math:`U(3, 8)` in
    training and by 5.5 in prediction, which is 0.1818.

    References
    ----------
    B. Xu, N. Wang, T. Chen and M. Li, "Empirical evaluation of rectified activations in
    convolutional network", arXiv:1505.00853, 2015.
    """

    _parameter_constraints = {
        "lower": [Interval(numbers.Real, 0, None, closed="left")],
        "upper": [Interval(numbers.Real, 0, None, closed="left")],
    }

    initializer = "he_normal"
    noisy = True

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        self.lower = lower
        self.upper = upper

    def _check(self) -> None:
        if self.lower > self.upper:
            raise ValueError(
                f"The slopes of {type(self).__name__} lie between lower={self.lower!r} and "
                f"upper={self.upper!r}: give an upper that is at least lower."
            )

    @computed
    def range(self) -> tuple[float, float]:
        """Everything, or the positive numbers where the slopes are 0."""
        return (-math.inf if self.upper > 0 else 0.0, math.inf)

    def forward(self, z: Tensor) -> Tensor:
        return functional.leaky_relu(z, (self.lower + self.upper) / 2)

    def layer_forward(
        self, z: Tensor, parameters: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> Tensor:
        if generator is None:
            return self.forward(z)
        slopes = torch.empty_like(z).uniform_(self.lower, self.upper, generator=generator)
        return torch.where(z > 0, z, slopes * z)
