"""Activations: the functions between the dense layers.

Names are scikit-learn's where it has one (``logistic``), else torch's in snake case.
"""

from __future__ import annotations

import numbers
from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from .._compat import (
    Interval,
    StrOptions,
    elu_backward,
    gelu_backward,
    leaky_relu_backward,
    sigmoid_backward,
    silu_backward,
    softplus_backward,
    tanh_backward,
    threshold_backward,
)
from .base import Component, Registry


class Activation(Component):
    """A function applied to each element of a layer's output.

    Subclasses define :meth:`forward`. One that also defines :meth:`apply` and
    :meth:`gradient`, and says in `saves` what the derivative is computed from, is trained
    without the overhead of autograd; the results are the same.

    Attributes
    ----------
    initializer : str
        Name of the initializer that ``initializer="auto"`` pairs with this activation.
    saves : {"output", "input", None}
        What :meth:`gradient` needs of the forward pass; None leaves it to autograd.
    """

    initializer: ClassVar[str] = "glorot_uniform"
    saves: ClassVar[Literal["output", "input"] | None] = None

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """The activation of `z`, of any shape, `z` untouched, for autograd to follow.

        A new tensor, except that the identity hands back `z` itself.
        """

    def apply(self, z: Tensor, out: Tensor) -> None:
        """Write the activation of `z` to `out`; `out` may be `z` where `saves` is "output"."""
        raise AssertionError(f"{type(self).__name__} has no kernel of its own")

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        """Write `grad` times the derivative to `out`; `out` may be `grad`."""
        raise AssertionError(f"{type(self).__name__} has no kernel of its own")


ACTIVATIONS: Registry[Activation] = Registry("activation", Activation)


@ACTIVATIONS.register("identity")
class Identity(Activation):
    """No activation, :math:`z`: the layers collapse into one linear map."""

    initializer = "glorot_uniform"
    saves = "output"

    def forward(self, z: Tensor) -> Tensor:
        return z

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        if out is not grad:
            out.copy_(grad)


@ACTIVATIONS.register("logistic")
class Logistic(Activation):
    r"""Logistic sigmoid, :math:`1 / (1 + e^{-z})`.

    Its outputs lie in (0, 1), never centred on zero, and its slope is at most 1/4: gradients
    shrink from layer to layer, so prefer another activation in deep networks.

    References
    ----------
    D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by
    back-propagating errors", Nature 323, 1986.
    """

    initializer = "glorot_uniform"
    saves = "output"

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.sigmoid(z, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        sigmoid_backward(grad, saved, grad_input=out)


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

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.tanh(z, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        tanh_backward(grad, saved, grad_input=out)


@ACTIVATIONS.register("relu")
class Relu(Activation):
    r"""Rectified linear unit, :math:`\max(0, z)`.

    Unbounded above, flat below: cheap and sparse, but a unit whose input stays negative gets
    no gradient.

    References
    ----------
    V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines",
    ICML 2010.
    """

    initializer = "he_normal"
    saves = "output"

    def forward(self, z: Tensor) -> Tensor:
        return torch.relu(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.clamp_min(z, 0.0, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        threshold_backward(grad, saved, 0.0, grad_input=out)


@ACTIVATIONS.register("leaky_relu")
class LeakyRelu(Activation):
    r"""Leaky rectified linear unit, :math:`z` if :math:`z > 0` else :math:`\alpha z`.

    A unit whose input stays negative still learns, slowly.

    Parameters
    ----------
    negative_slope : float, default=0.01
        The slope :math:`\alpha` for negative inputs, at least 0. The default is that of the
        paper and of torch; Keras' is 0.3.

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

    def forward(self, z: Tensor) -> Tensor:
        return functional.leaky_relu(z, self.negative_slope)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        functional.leaky_relu(out, self.negative_slope, inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        leaky_relu_backward(grad, saved, self.negative_slope, True, grad_input=out)


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

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, z: Tensor) -> Tensor:
        return functional.elu(z, self.alpha)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        functional.elu(out, self.alpha, inplace=True)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        elu_backward(grad, self.alpha, 1.0, 1.0, True, saved, grad_input=out)


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

    def forward(self, z: Tensor) -> Tensor:
        return torch.selu(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        if out is not z:
            out.copy_(z)
        torch.selu_(out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        elu_backward(grad, SELU_ALPHA, SELU_SCALE, 1.0, True, saved, grad_input=out)


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

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate

    def forward(self, z: Tensor) -> Tensor:
        return functional.gelu(z, approximate=self.approximate)

    def apply(self, z: Tensor, out: Tensor) -> None:
        functional.gelu(z, approximate=self.approximate, out=out)

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

    def forward(self, z: Tensor) -> Tensor:
        return functional.silu(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        torch.sigmoid(z, out=out)
        out.mul_(z)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        silu_backward(grad, saved, grad_input=out)


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

    def forward(self, z: Tensor) -> Tensor:
        return functional.softplus(z, threshold=SOFTPLUS_LINEAR_FROM)

    def apply(self, z: Tensor, out: Tensor) -> None:
        functional.softplus(z, threshold=SOFTPLUS_LINEAR_FROM, out=out)

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        softplus_backward(grad, saved, 1.0, SOFTPLUS_LINEAR_FROM, grad_input=out)
