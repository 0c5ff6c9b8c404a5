"""Self-gated activations: the input times a gate between 0 and 1 that the input opens.

All are relatives of relu with a dip below zero, smooth but for hard_swish's two kinks. Small
inputs are halved, so that no variance of the weights keeps signals of every scale; ``"he_normal"``
comes nearest among those with a name, and keeps 0.77 to 0.95 of the scale a layer.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import StrOptions, gelu_backward, hardswish_backward, mish_backward, silu_backward
from ..base import computed
from ._base import ACTIVATIONS, Activation


@ACTIVATIONS.register("gelu")
class Gelu(Activation):
    r"""Gaussian error linear unit, :math:`z\,\Phi(z)`.

    :math:`\Phi` is the distribution function of the standard normal: the input, weighted by how
    large it is among its kind. Smooth, and not monotone below zero.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default="none"
        "none" is exact; "tanh" is the paper's
        :math:`\tfrac{z}{2} (1 + \tanh(\sqrt{2/\pi}\,(z + 0.044715 z^3)))`.

    References
    ----------
    D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, 2016.
    """

    _parameter_constraints = {"approximate": [StrOptions({"none", "tanh"})]}

    initializer = "he_normal"
    saves = "input"
    smooth = True
    saturates = "below"

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate

    @computed
    def range(self) -> tuple[float, float]:
        """From the bottom of its dip up."""
        return (
            {"none": -0.16997120747990363, "tanh": -0.170040750571254}[self.approximate],
            math.inf,
        )

    def forward(self, z: Tensor) -> Tensor:
        return functional.gelu(z, approximate=self.approximate)

    def apply(self, z: Tensor, out: Tensor) -> None:
        # torch's stub has no `out`
        functional.gelu(z, approximate=self.approximate, out=out)  # type: ignore[call-arg]

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        gelu_backward(grad, saved, approximate=self.approximate, grad_input=out)


@ACTIVATIONS.register("silu")
class Silu(Activation):
    r"""Sigmoid linear unit, :math:`z / (1 + e^{-z})`, also known as swish.

    Smooth, and not monotone below zero: a cheaper relative of ``"gelu"``.

    References
    ----------
    S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.

    P. Ramachandran, B. Zoph and Q. V. Le, "Searching for activation functions",
    arXiv:1710.05941, 2017.
    """

    initializer = "he_normal"
    saves = "input"
    range = (-0.2784645427610738, math.inf)
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return functional.silu(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.sigmoid(z, out=out)
        out.mul_(z)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        silu_backward(grad, saved, grad_input=out)


@ACTIVATIONS.register("hard_swish")
class HardSwish(Activation):
    r"""``"silu"`` with a gate of straight lines, :math:`z\,\min(\max(0, z / 6 + 1/2), 1)`.

    0 below -3, z above 3, a parabola between.

    References
    ----------
    A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """

    initializer = "he_normal"
    saves = "input"
    range = (-0.375, math.inf)
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return functional.hardswish(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        functional.hardswish(out.copy_(z), inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        hardswish_backward(grad, saved, out=out)


@ACTIVATIONS.register("mish")
class Mish(Activation):
    r"""Mish, :math:`z \tanh(\log(1 + e^z))`.

    Smooth, and not monotone below zero: close to ``"silu"``, a little steeper.

    References
    ----------
    D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
    """

    initializer = "he_normal"
    saves = "input"
    range = (-0.3088434130172504, math.inf)
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return functional.mish(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        functional.mish(out.copy_(z), inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        out.copy_(mish_backward(grad, saved))
