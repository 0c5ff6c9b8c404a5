"""Rules that look at the signs of gradients and not at their sizes."""

from __future__ import annotations

import numbers

import torch
from torch import Tensor

from ..._compat import Interval
from ..base import Scheduled
from ._base import OPTIMIZERS, Coefficient, Coefficients, Optimizer, State, cast
from ._moments import BELOW_ONE, POSITIVE, average_


@OPTIMIZERS.register("rprop")
class Rprop(Optimizer):
    r"""Resilient propagation: a length for each parameter, from the signs of its gradients.

    .. math::
        l \leftarrow \min(\max(f l, l_{\min}), l_{\max}), \quad
        f = \begin{cases} \eta_+ & s g > 0 \\ \eta_- & s g < 0 \\ 1 & \text{else} \end{cases},
        \qquad \theta \leftarrow \theta - l s', \quad s \leftarrow s'

    with :math:`s' = \operatorname{sign}(g)`, but 0 where the sign has changed: such a parameter
    waits for one step. :math:`s` starts at 0.

    Parameters
    ----------
    eta_minus : float, default=0.5
        :math:`\eta_-` in (0, 1), by which a length shrinks when the sign changes.
    eta_plus : float, default=1.2
        :math:`\eta_+ > 1`, by which it grows when the sign stays.
    step_min, step_max : float, default=1e-6 and 50.0
        The shortest and the longest length.

    Notes
    -----
    The learning rate is the length of the first step; later rates have no say, so a schedule
    has no effect. The default rate is torch's 0.01. It is torch's rule, but that torch multiplies
    gradients to compare their signs, which fails where the product underflows. Signs of a
    batch's gradients are noise: take all rows at once, with ``batch_size`` as large as the table.

    References
    ----------
    M. Riedmiller and H. Braun, "A direct adaptive method for faster backpropagation learning:
    the RPROP algorithm", ICNN 1993. The form without going back is iRprop- of C. Igel and
    M. Husken, "Improving the Rprop learning algorithm", NC 2000.
    """

    slots = ("sign", "length")
    varying = ("eta_minus", "eta_plus", "step_min", "step_max")
    rate_linear = False
    default_rate = 0.01
    follows_rate = False
    _parameter_constraints = {
        "eta_minus": [Interval(numbers.Real, 0, 1, closed="neither")],
        "eta_plus": [Interval(numbers.Real, 1, None, closed="neither")],
        "step_min": [POSITIVE],
        "step_max": [POSITIVE],
    }

    def __init__(
        self,
        eta_minus: float = 0.5,
        eta_plus: float = 1.2,
        step_min: float = 1e-6,
        step_max: float = 50.0,
    ) -> None:
        self.eta_minus = eta_minus
        self.eta_plus = eta_plus
        self.step_min = step_min
        self.step_max = step_max

    def _check(self) -> None:
        if self.step_min > self.step_max:
            raise ValueError(
                f"Rprop got step_min={self.step_min!r} above step_max={self.step_max!r}: lower "
                "step_min or raise step_max."
            )

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: Coefficient, c: Coefficients
    ) -> None:
        sign, length = state["sign"], state["length"]
        # a length is positive once it is set
        length.copy_(torch.where(length == 0, cast(rate, theta), length))
        grad.sign_()
        turned = sign.mul_(grad)
        shrunk, grown = length * cast(c["eta_minus"], theta), length * cast(c["eta_plus"], theta)
        grown = torch.where(turned > 0, grown, length)
        torch.where(turned < 0, shrunk, grown, out=length)
        length.clamp_(min=cast(c["step_min"], theta)).clamp_(max=cast(c["step_max"], theta))
        grad.masked_fill_(turned < 0, 0.0)
        theta.addcmul_(grad, length, value=-1)
        sign.copy_(grad)


@OPTIMIZERS.register("lion")
class Lion(Optimizer):
    r"""Evolved sign momentum: every parameter moves by the rate, in a smoothed direction.

    .. math::
        \theta \leftarrow \theta - \eta \operatorname{sign}(\beta_1 m + (1 - \beta_1) g), \qquad
        m \leftarrow \beta_2 m + (1 - \beta_2) g

    Parameters
    ----------
    beta_1 : float or Scheduled, default=0.9
        The share of the average in the direction, in [0, 1).
    beta_2 : float, default=0.99
        The memory of the average, in [0, 1).

    Notes
    -----
    The default rate is 3e-4: the paper advises three to ten times less than for Adam, since
    each step has the full length. Its decoupled decay is the estimator's ``weight_decay``, which
    spares biases and should be three to ten times larger than with AdamW. torch has no Lion.

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.
    """

    slots = ("mean",)
    varying = ("beta_1", "beta_2")
    default_rate = 3e-4
    momentum_name = "beta_1"
    _parameter_constraints = {"beta_1": [BELOW_ONE, Scheduled], "beta_2": [BELOW_ONE]}

    def __init__(self, beta_1: float | Scheduled = 0.9, beta_2: float = 0.99) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        mean = state["mean"]
        direction = torch.lerp(mean, grad, cast(1 - c["beta_1"], theta)).sign_()
        average_(mean, grad, c["beta_2"])
        theta.add_(direction, alpha=-rate)
