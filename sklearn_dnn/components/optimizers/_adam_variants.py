"""Rules that change a part of Adam."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base import Scheduled
from ._base import OPTIMIZERS, Coefficients, Optimizer, Shapes, State, cast
from ._moments import (
    BELOW_ONE,
    NON_NEGATIVE,
    POSITIVE,
    advance,
    average_,
    average_square_,
    new_step,
    root,
)


@OPTIMIZERS.register("radam")
class RAdam(Optimizer):
    r"""Adam that waits with rates for each parameter until their variance is small enough.

    With :math:`\rho_\infty = 2 / (1 - \beta_2) - 1`, the length of the average of squares
    :math:`\rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t)` and the averages
    :math:`m, v` of :class:`Adam`,

    .. math::
        \theta \leftarrow \theta - \eta \frac{m}{1 - \beta_1^t} \cdot \begin{cases}
        r_t \sqrt{1 - \beta_2^t} / (\sqrt v + \epsilon) & \rho_t > 5 \\ 1 & \text{else}
        \end{cases}, \qquad
        r_t^2 = \frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
        {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}

    Parameters
    ----------
    beta_1 : float or Scheduled, default=0.9
        The memory of the average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        The memory of the average of squares, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, before the correction of the bias as in torch.

    Notes
    -----
    The first steps (five with the default :math:`\beta_2`) are those of momentum, longer or
    shorter by the scale of the gradient. The default rate is 0.001, as in torch.

    References
    ----------
    L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
    """

    slots = ("mean", "square")
    varying = ("beta_1", "beta_2", "epsilon")
    momentum_name = "beta_1"
    _parameter_constraints = {
        "beta_1": [BELOW_ONE, Scheduled],
        "beta_2": [BELOW_ONE],
        "epsilon": [POSITIVE],
    }

    def __init__(
        self, beta_1: float | Scheduled = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        return {"step": new_step(theta)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        mean, square = state["mean"], state["square"]
        beta_1, beta_2 = c["beta_1"], c["beta_2"]
        step = advance(state)
        average_(mean, grad, beta_1)
        average_square_(square, grad, beta_2)
        correction_1, correction_2 = 1 - beta_1**step, 1 - beta_2**step
        longest = 2 / (1 - beta_2) - 1
        length = longest - 2 * step * beta_2**step / correction_2
        certain = length > 5
        if not isinstance(certain, Tensor) and not certain:
            theta.add_(mean / cast(correction_1, theta), alpha=-rate)
            return
        divisor = torch.sqrt(square, out=grad).add_(cast(c["epsilon"], theta))
        square_of_r = (length - 4) * (length - 2) * longest
        square_of_r = square_of_r / ((longest - 4) * (longest - 2) * length)
        divisor.mul_(cast(correction_1 / root(square_of_r * correction_2), theta))
        if isinstance(certain, Tensor):
            divisor = torch.where(certain, divisor, cast(correction_1, theta))
        theta.addcdiv_(mean, divisor, value=-rate)


@OPTIMIZERS.register("nadam")
class Nadam(Optimizer):
    r"""Adam with Nesterov's momentum.

    With :math:`\mu_t = \beta_1 (1 - 0.96^{t \psi} / 2)`, :math:`\pi_t = \prod_{i \leq t} \mu_i`
    and the averages :math:`m, v` of :class:`Adam`,

    .. math::
        \theta \leftarrow \theta - \eta
        \frac{(1 - \mu_t) g / (1 - \pi_t) + \mu_{t+1} m / (1 - \pi_{t+1})}
        {\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    beta_1 : float or Scheduled, default=0.9
        The memory of the average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        The memory of the average of squares, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`.
    momentum_decay : float, default=4e-3
        :math:`\psi \geq 0`, how fast :math:`\mu_t` rises to :math:`\beta_1`, a step.

    Notes
    -----
    The form is torch's; we keep :math:`\pi_t` in double precision, torch in its default type. The
    default rate, 0.002, is torch's; Keras has 0.001.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    slots = ("mean", "square")
    varying = ("beta_1", "beta_2", "epsilon", "momentum_decay")
    default_rate = 0.002
    momentum_name = "beta_1"
    _parameter_constraints = {
        "beta_1": [BELOW_ONE, Scheduled],
        "beta_2": [BELOW_ONE],
        "epsilon": [POSITIVE],
        "momentum_decay": [NON_NEGATIVE],
    }

    def __init__(
        self,
        beta_1: float | Scheduled = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 4e-3,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.momentum_decay = momentum_decay

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        ones = torch.ones((len(theta), 1), dtype=torch.float64, device=theta.device)
        return {"mu_product": ones, "step": new_step(theta)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        mean, square, product = state["mean"], state["square"], state["mu_product"]
        beta_1, beta_2, psi = c["beta_1"], c["beta_2"], c["momentum_decay"]
        step = advance(state)
        mu = beta_1 * (1 - 0.5 * 0.96 ** (step * psi))
        mu_next = beta_1 * (1 - 0.5 * 0.96 ** ((step + 1) * psi))
        product.mul_(mu)
        average_(mean, grad, beta_1)
        average_square_(square, grad, beta_2)
        divisor = square.sqrt().div_(cast(root(1 - beta_2**step), theta))
        divisor.add_(cast(c["epsilon"], theta))
        grad.mul_(cast((1 - mu) / (1 - product), theta))
        grad.addcmul_(mean, cast(mu_next / (1 - product * mu_next), theta))
        theta.addcdiv_(grad, divisor, value=-rate)


@OPTIMIZERS.register("adamax")
class Adamax(Optimizer):
    r"""Adam with the running maximum of the gradient instead of its running square.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        u \leftarrow \max(\beta_2 u, |g| + \epsilon), \quad
        \theta \leftarrow \theta - \frac{\eta}{1 - \beta_1^t} \frac{m}{u}

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9 and 0.999
        The memories of the average and of the maximum, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, as in torch; the paper has none.

    Notes
    -----
    The default rate, 0.002, is the paper's and torch's; Keras has 0.001.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.
    """

    slots = ("mean", "maximum")
    varying = ("beta_1", "beta_2", "epsilon")
    default_rate = 0.002
    momentum_name = "beta_1"
    _parameter_constraints = {
        "beta_1": [BELOW_ONE, Scheduled],
        "beta_2": [BELOW_ONE],
        "epsilon": [POSITIVE],
    }

    def __init__(
        self, beta_1: float | Scheduled = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        return {"step": new_step(theta)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        mean, maximum = state["mean"], state["maximum"]
        correction = 1 - c["beta_1"] ** advance(state)
        average_(mean, grad, c["beta_1"])
        maximum.mul_(cast(c["beta_2"], theta))
        grad.abs_().add_(cast(c["epsilon"], theta))
        torch.maximum(maximum, grad, out=maximum)
        torch.mul(maximum, cast(correction, theta), out=grad)
        theta.addcdiv_(mean, grad, value=-rate)
