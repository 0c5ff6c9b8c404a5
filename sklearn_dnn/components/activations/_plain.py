"""Plain activations: one formula everywhere, the identity or without a bound on one side."""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval, softplus_backward
from ._base import ACTIVATIONS, Activation


@ACTIVATIONS.register("identity")
class Identity(Activation):
    """No activation, :math:`z`: the layers collapse into one linear map."""

    initializer = "glorot_uniform"
    saves = "output"
    smooth = True
    odd = True

    def forward(self, z: Tensor) -> Tensor:
        return z

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        if out is not grad:
            out.copy_(grad)


@ACTIVATIONS.register("exponential")
class ExponentialActivation(Activation):
    r"""Exponential, :math:`e^z`.

    It grows without measure: use it for a positive output, or in one shallow layer with small
    inputs. In float32 it is infinite above 88.

    References
    ----------
    P. McCullagh and J. A. Nelder, "Generalized linear models", 2nd edition, 1989 (the inverse of
    the log link).
    """

    initializer = "glorot_uniform"
    saves = "output"
    range = (0.0, math.inf)
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return torch.exp(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.exp(z, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        torch.mul(grad, saved, out=out)


# Above it softplus is the identity to float32's rounding (2e-9), and e^z cannot overflow.
SOFTPLUS_LINEAR_FROM = 20.0


@ACTIVATIONS.register("softplus")
class Softplus(Activation):
    r"""Softplus, :math:`\log(1 + e^z)`, a smooth relu.

    Always positive; its slope is the logistic sigmoid. As in torch it is :math:`z` itself for
    :math:`z > 20`.

    References
    ----------
    C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau and R. Garcia, "Incorporating second-order
    functional knowledge for better option pricing", NeurIPS 2000.
    """

    initializer = "he_normal"
    saves = "input"
    range = (0.0, math.inf)
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return functional.softplus(z, threshold=SOFTPLUS_LINEAR_FROM)

    def apply(self, z: Tensor, out: Tensor) -> None:
        # torch's stub has no `out`
        functional.softplus(z, threshold=SOFTPLUS_LINEAR_FROM, out=out)  # type: ignore[call-arg]

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        softplus_backward(grad, saved, 1.0, SOFTPLUS_LINEAR_FROM, grad_input=out)


@ACTIVATIONS.register("squareplus")
class Squareplus(Activation):
    r"""Squareplus, :math:`(z + \sqrt{z^2 + b}) / 2`, a smooth relu without exponentials.

    Always positive. Below zero it falls as :math:`-b / (4 z)`, slower than ``"softplus"``.

    Parameters
    ----------
    b : float, default=4.0
        Width of the bend, above 0; 4 gives the value 1 and the slope 1/2 at zero.

    References
    ----------
    J. T. Barron, "Squareplus: a softplus-like algebraic rectifier", arXiv:2112.11687, 2021.
    """

    _parameter_constraints = {"b": [Interval(numbers.Real, 0, None, closed="neither")]}

    initializer = "he_normal"
    saves = "output"
    range = (0.0, math.inf)
    smooth = True
    saturates = "below"

    def __init__(self, b: float = 4.0) -> None:
        self.b = b

    def forward(self, z: Tensor) -> Tensor:
        size = torch.where(z < 0, -z, z)  # abs() has the slope 0 at zero
        larger = (size + torch.sqrt(z.square() + self.b)) / 2
        # the other root by the product of both, where the formula would cancel
        return torch.where(z < 0, self.b / 4 / larger, larger)

    def apply(self, z: Tensor, out: Tensor) -> None:
        out.copy_(self.forward(z))

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        # the slope is a / (a + b / (4 a)), a being the output
        torch.mul(grad, saved / (self.b / 4 / saved).add_(saved), out=out)


@ACTIVATIONS.register("sparse_plus")
class SparsePlus(Activation):
    r"""A smooth relu that is exactly 0 below -1 and z above 1, :math:`(z + 1)^2 / 4` between.

    References
    ----------
    M. Blondel, A. F. T. Martins and V. Niculae, "Learning with Fenchel-Young losses", JMLR 21, 2020
    (sparsemax of two classes).
    """

    initializer = "he_normal"
    saves = "output"
    range = (0.0, math.inf)
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z < 1, torch.clamp(z + 1, 0.0, 2.0).square() / 4, z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        out.copy_(self.forward(z))

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        # the slope is (z + 1) / 2, the root of the output, up to 1
        torch.mul(grad, saved.sqrt().clamp_(max=1.0), out=out)


@ACTIVATIONS.register("log_sigmoid")
class LogSigmoid(Activation):
    r"""Logarithm of the logistic sigmoid, :math:`-\log(1 + e^{-z})`.

    Minus the ``"softplus"`` of -z: always negative, flat above.

    References
    ----------
    C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau and R. Garcia, "Incorporating second-order
    functional knowledge for better option pricing", NeurIPS 2000 (its mirror image).
    """

    initializer = "he_normal"
    saves = "output"
    range = (-math.inf, 0.0)
    smooth = True
    saturates = "above"

    def forward(self, z: Tensor) -> Tensor:
        return functional.logsigmoid(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        out.copy_(functional.logsigmoid(z))

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        # the slope is 1 - sigmoid(z)
        torch.mul(grad, torch.expm1(saved).neg_(), out=out)
