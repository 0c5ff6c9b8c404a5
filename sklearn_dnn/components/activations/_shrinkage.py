"""Shrinkage: activations that take small inputs to zero, or nearly."""

from __future__ import annotations

import numbers

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval, hardshrink_backward, softshrink_backward
from ._base import ACTIVATIONS, Activation

_THRESHOLD = Interval(numbers.Real, 0, None, closed="left")


@ACTIVATIONS.register("softshrink")
class Softshrink(Activation):
    r"""Soft thresholding, :math:`\mathrm{sign}(z) \max(0, |z| - \lambda)`.

    The step of the lasso; in a hidden layer it makes sparse codes of either sign.

    Parameters
    ----------
    threshold : float, default=0.5
        The :math:`\lambda` up to which inputs become 0, at least 0; torch's ``lambd``.

    References
    ----------
    D. L. Donoho, "De-noising by soft-thresholding", IEEE Transactions on Information Theory 41,
    1995.
    """

    _parameter_constraints = {"threshold": [_THRESHOLD]}

    initializer = "glorot_uniform"
    saves = "output"
    odd = True

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def forward(self, z: Tensor) -> Tensor:
        return functional.softshrink(z, self.threshold)

    def apply(self, z: Tensor, out: Tensor) -> None:
        # torch's stub has no `out`
        functional.softshrink(z, self.threshold, out=out)  # type: ignore[call-arg]

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        # an output is zero exactly where the input is within the threshold
        softshrink_backward(grad, saved, 0.0, grad_input=out)


@ACTIVATIONS.register("hardshrink")
class Hardshrink(Activation):
    r"""Hard thresholding, :math:`z` if :math:`|z| > \lambda` else 0.

    It jumps at the threshold, where no gradient tells of the jump.

    Parameters
    ----------
    threshold : float, default=0.5
        The :math:`\lambda` up to which inputs become 0, at least 0; torch's ``lambd``.

    References
    ----------
    D. L. Donoho and I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage",
    Biometrika 81, 1994.
    """

    _parameter_constraints = {"threshold": [_THRESHOLD]}

    initializer = "glorot_uniform"
    saves = "output"
    odd = True

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def forward(self, z: Tensor) -> Tensor:
        return functional.hardshrink(z, self.threshold)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.hardshrink(z, self.threshold, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        # an output is zero exactly where the input is within the threshold
        hardshrink_backward(grad, saved, 0.0, grad_input=out)


@ACTIVATIONS.register("tanhshrink")
class Tanhshrink(Activation):
    r"""What tanh takes away, :math:`z - \tanh(z)`.

    About :math:`z^3 / 3` near zero, so that small signals die out within a few layers. The
    definition is torch's and Keras'.
    """

    initializer = "glorot_uniform"
    saves = "input"
    smooth = True
    odd = True

    def forward(self, z: Tensor) -> Tensor:
        return functional.tanhshrink(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.sub(z, torch.tanh(z), out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        torch.mul(grad, torch.tanh(saved).square_(), out=out)
