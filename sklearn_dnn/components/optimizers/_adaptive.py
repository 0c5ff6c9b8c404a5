"""Rates for each parameter from the squares of its gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from ..._compat import fused_adagrad_
from ._base import OPTIMIZERS, Coefficients, Optimizer, Shapes, State, cast
from ._moments import BELOW_ONE, NON_NEGATIVE, POSITIVE, average_square_, new_step


@OPTIMIZERS.register("adagrad")
class Adagrad(Optimizer):
    r"""A rate for each parameter that falls with the squares of all its gradients.

    .. math:: a \leftarrow a + g^2, \qquad \theta \leftarrow \theta - \eta g/(\sqrt a + \epsilon)

    Parameters
    ----------
    epsilon : float, default=1e-10
        :math:`\epsilon > 0`, outside the root as in torch.
    initial_accumulator : float, default=0.0
        What :math:`a` starts from.

    Notes
    -----
    The default rate is 0.01, as in torch; Keras' 0.001 is small for a rate that can only fall.
    Keras puts :math:`\epsilon` inside the root and starts from 0.1.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 2011.
    """

    slots = ("sum",)
    varying = ("epsilon",)
    default_rate = 0.01
    _parameter_constraints = {"epsilon": [POSITIVE], "initial_accumulator": [NON_NEGATIVE]}

    def __init__(self, epsilon: float = 1e-10, initial_accumulator: float = 0.0) -> None:
        self.epsilon = epsilon
        self.initial_accumulator = initial_accumulator

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        total = torch.full_like(theta, float(self.initial_accumulator))
        return {"sum": total, "step": new_step(theta)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        state["step"].add_(1)
        total, epsilon = state["sum"], c["epsilon"]
        # older versions of torch have this kernel for the CPU only
        if theta.is_cpu and not isinstance(epsilon, Tensor):
            fused_adagrad_(
                [theta],
                [grad],
                [total],
                [state["step"]],
                lr=rate,
                lr_decay=0.0,
                weight_decay=0.0,
                eps=epsilon,
                maximize=False,
            )
            return
        total.addcmul_(grad, grad)
        theta.addcdiv_(grad, total.sqrt().add_(cast(epsilon, theta)), value=-rate)


@OPTIMIZERS.register("rmsprop")
class RMSprop(Optimizer):
    r"""A rate for each parameter from a running average of its squared gradients.

    .. math::
        a \leftarrow \rho a + (1 - \rho) g^2, \qquad
        \theta \leftarrow \theta - \eta g/(\sqrt a + \epsilon)

    Parameters
    ----------
    rho : float, default=0.9
        :math:`\rho` in [0, 1), the memory of the average.
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, outside the root as in torch; the lecture has none.

    Notes
    -----
    The memory is the lecture's and Keras', the default rate Keras' 0.001; torch has 0.99 and
    0.01. Goodfellow's book and Keras put :math:`\epsilon` inside the root.

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5 - RMSprop", Coursera, 2012.
    """

    slots = ("square",)
    varying = ("rho", "epsilon")
    _parameter_constraints = {"rho": [BELOW_ONE], "epsilon": [POSITIVE]}

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-8) -> None:
        self.rho = rho
        self.epsilon = epsilon

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        square = state["square"]
        average_square_(square, grad, c["rho"])
        theta.addcdiv_(grad, square.sqrt().add_(cast(c["epsilon"], theta)), value=-rate)


@OPTIMIZERS.register("adadelta")
class Adadelta(Optimizer):
    r"""Steps of the size of earlier steps, in the units of the parameters.

    .. math::
        a \leftarrow \rho a + (1 - \rho) g^2, \quad
        d = g \sqrt{\frac{b + \epsilon}{a + \epsilon}}, \quad
        b \leftarrow \rho b + (1 - \rho) d^2, \quad
        \theta \leftarrow \theta - \eta d

    Parameters
    ----------
    rho : float, default=0.9
        :math:`\rho` in [0, 1), the memory of both averages.
    epsilon : float, default=1e-6
        :math:`\epsilon > 0`, inside the roots; it also makes the first step.

    Notes
    -----
    The default rate is 1, as in the paper, which has no rate, and in torch; Keras' 0.001 makes
    it a thousand times slower.

    References
    ----------
    M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012.
    """

    slots = ("square", "change")
    varying = ("rho", "epsilon")
    default_rate = 1.0
    _parameter_constraints = {"rho": [BELOW_ONE], "epsilon": [POSITIVE]}

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-6) -> None:
        self.rho = rho
        self.epsilon = epsilon

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        square, change = state["square"], state["change"]
        epsilon = cast(c["epsilon"], theta)
        average_square_(square, grad, c["rho"])
        grad.mul_((change + epsilon).div_(square + epsilon).sqrt_())
        average_square_(change, grad, c["rho"])
        theta.add_(grad, alpha=-rate)
