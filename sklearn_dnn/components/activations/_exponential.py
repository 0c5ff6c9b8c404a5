"""Exponential linear units: a line above zero, an exponential that levels off below."""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval, elu_backward
from ..base import computed
from ._base import ACTIVATIONS, Activation


@ACTIVATIONS.register("elu")
class Elu(Activation):
    r"""Exponential linear unit, :math:`z` if :math:`z > 0` else :math:`\alpha (e^z - 1)`.

    Negative inputs saturate at :math:`-\alpha`, which brings the mean output near zero.

    Parameters
    ----------
    alpha : float, default=1.0
        Minus the value that very negative inputs tend to, above 0. The slope is continuous at
        zero only for ``alpha=1``.

    References
    ----------
    D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep network learning by
    exponential linear units (ELUs)", ICLR 2016.
    """

    _parameter_constraints = {"alpha": [Interval(numbers.Real, 0, None, closed="neither")]}

    initializer = "he_normal"
    saves = "output"
    smooth = True
    saturates = "below"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @computed
    def range(self) -> tuple[float, float]:
        """From minus alpha up."""
        return (-float(self.alpha), math.inf)

    def forward(self, z: Tensor) -> Tensor:
        return functional.elu(z, self.alpha)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        functional.elu(out, self.alpha, inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        elu_backward(grad, self.alpha, 1.0, 1.0, True, saved, grad_input=out)


@ACTIVATIONS.register("celu")
class Celu(Activation):
    r"""Continuously differentiable exponential linear unit, :math:`z` if :math:`z > 0` else
    :math:`\alpha (e^{z / \alpha} - 1)`.

    The slope is 1 at zero from both sides, whatever `alpha`; at ``alpha=1`` it is ``"elu"``.

    Parameters
    ----------
    alpha : float, default=1.0
        Minus the value that very negative inputs tend to, above 0.

    References
    ----------
    J. T. Barron, "Continuously differentiable exponential linear units", arXiv:1704.07483, 2017.
    """

    _parameter_constraints = {"alpha": [Interval(numbers.Real, 0, None, closed="neither")]}

    initializer = "he_normal"
    saves = "output"
    smooth = True
    saturates = "below"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @computed
    def range(self) -> tuple[float, float]:
        """From minus alpha up."""
        return (-float(self.alpha), math.inf)

    def forward(self, z: Tensor) -> Tensor:
        return functional.celu(z, self.alpha)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        functional.celu(out, self.alpha, inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        elu_backward(grad, self.alpha, 1.0, 1.0 / self.alpha, True, saved, grad_input=out)


SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


@ACTIVATIONS.register("selu")
class Selu(Activation):
    r"""Scaled exponential linear unit, :math:`\lambda z` if :math:`z > 0` else
    :math:`\lambda \alpha (e^z - 1)`.

    With :math:`\lambda = 1.0507` and :math:`\alpha = 1.6733`, mean 0 and variance 1 are a stable
    fixed point from layer to layer: standardize the inputs, keep ``"lecun_normal"`` weights, use
    no normalization, and drop units by ``"alpha_dropout"`` only.

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr and S. Hochreiter, "Self-normalizing neural networks",
    NeurIPS 2017.
    """

    initializer = "lecun_normal"
    saves = "output"
    range = (-SELU_SCALE * SELU_ALPHA, math.inf)
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return torch.selu(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        torch.selu_(out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        elu_backward(grad, SELU_ALPHA, SELU_SCALE, 1.0, True, saved, grad_input=out)
