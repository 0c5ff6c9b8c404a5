"""Squashing activations: outputs between two bounds."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import hardsigmoid_backward, hardtanh_backward, sigmoid_backward, tanh_backward
from ._base import ACTIVATIONS, Activation


@ACTIVATIONS.register("logistic")
class Logistic(Activation):
    r"""Logistic sigmoid, :math:`1 / (1 + e^{-z})`.

    Its outputs lie in (0, 1), never centred on zero, and its slope is at most 1/4: signals and
    gradients shrink from layer to layer, also with ``"glorot_uniform"`` weights, which were
    derived for a slope of 1 at zero. Prefer another activation in deep networks.

    References
    ----------
    D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by
    back-propagating errors", Nature 323, 1986.
    """

    initializer = "glorot_uniform"
    saves = "output"
    range = (0.0, 1.0)
    smooth = True
    saturates = "both"

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.sigmoid(z, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        sigmoid_backward(grad, saved, grad_input=out)


@ACTIVATIONS.register("hard_sigmoid")
class HardSigmoid(Activation):
    r"""A logistic sigmoid of straight lines, :math:`\min(\max(0, z / 6 + 1/2), 1)`.

    Torch's definition, and Keras' since version 3; older ones had :math:`0.2 z + 0.5`.

    References
    ----------
    M. Courbariaux, Y. Bengio and J.-P. David, "BinaryConnect: training deep neural networks with
    binary weights during propagations", NeurIPS 2015 (with a slope of 1/2); A. Howard et al.,
    "Searching for MobileNetV3", ICCV 2019 (with this one).
    """

    initializer = "glorot_uniform"
    saves = "input"
    range = (0.0, 1.0)
    saturates = "both"

    def forward(self, z: Tensor) -> Tensor:
        return functional.hardsigmoid(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        functional.hardsigmoid(out.copy_(z), inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        hardsigmoid_backward(grad, saved, grad_input=out)


@ACTIVATIONS.register("sparse_sigmoid")
class SparseSigmoid(Activation):
    r"""The derivative of ``"sparse_plus"``, :math:`\min(\max(0, (z + 1) / 2), 1)`.

    The steepest of the sigmoids of straight lines, exactly 0 and 1 outside (-1, 1).

    References
    ----------
    M. Blondel, A. F. T. Martins and V. Niculae, "Learning with Fenchel-Young losses", JMLR 21, 2020
    (sparsemax of two classes).
    """

    initializer = "glorot_uniform"
    saves = "output"
    range = (0.0, 1.0)
    saturates = "both"

    def forward(self, z: Tensor) -> Tensor:
        return functional.hardtanh((z + 1) / 2, 0.0, 1.0)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.add(z, 1.0, out=out).div_(2.0).clamp_(0.0, 1.0)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        hardtanh_backward(grad, saved, 0.0, 1.0, grad_input=out)
        out.div_(2.0)


@ACTIVATIONS.register("tanh")
class Tanh(Activation):
    r"""Hyperbolic tangent, :math:`(e^z - e^{-z}) / (e^z + e^{-z})`.

    Bounded by (-1, 1), odd, with slope 1 at zero; flat where z is far from zero.

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, "Efficient BackProp", in Neural Networks:
    Tricks of the Trade, 1998 (which scales it; here it is plain).
    """

    initializer = "glorot_uniform"
    saves = "output"
    range = (-1.0, 1.0)
    smooth = True
    saturates = "both"
    odd = True

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.tanh(z, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        tanh_backward(grad, saved, grad_input=out)


@ACTIVATIONS.register("hard_tanh")
class HardTanh(Activation):
    r"""A hyperbolic tangent of straight lines, :math:`\min(\max(-1, z), 1)`.

    References
    ----------
    R. Collobert, "Large scale machine learning", thesis, Université Paris 6, 2004.
    """

    initializer = "glorot_uniform"
    saves = "output"
    range = (-1.0, 1.0)
    saturates = "both"
    odd = True

    def forward(self, z: Tensor) -> Tensor:
        return functional.hardtanh(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.clamp(z, -1.0, 1.0, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        hardtanh_backward(grad, saved, -1.0, 1.0, grad_input=out)


@ACTIVATIONS.register("softsign")
class Softsign(Activation):
    r"""Softsign, :math:`z / (1 + |z|)`.

    Like tanh, but it nears its bounds as 1/z, not exponentially: it saturates more gently.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """

    initializer = "glorot_uniform"
    saves = "output"
    range = (-1.0, 1.0)
    smooth = True
    saturates = "both"
    odd = True

    def forward(self, z: Tensor) -> Tensor:
        return functional.softsign(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.div(z, z.abs().add_(1), out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        # 1 - |a| is 1 / (1 + |z|), and the slope is its square
        torch.mul(grad, saved.abs().neg_().add_(1).square_(), out=out)
