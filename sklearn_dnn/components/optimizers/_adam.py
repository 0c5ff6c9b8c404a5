"""Adam, with decoupled decay and with rates that never grow."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..._compat import fused_adam_
from ..base import Scheduled, number_of
from ._base import OPTIMIZERS, Coefficients, Optimizer, Shapes, State, cast
from ._moments import (
    BELOW_ONE,
    NON_NEGATIVE,
    POSITIVE,
    advance,
    average_,
    average_square_,
    is_plain,
    new_step,
    root,
)


class _AdamRule(Optimizer):
    """The step that Adam, AdamW and AMSGrad share."""

    slots: ClassVar[tuple[str, ...]] = ("mean", "square")
    varying = ("beta_1", "beta_2", "epsilon")
    momentum_name = "beta_1"
    _amsgrad: ClassVar[bool] = False

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        return {"step": new_step(theta)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        mean, square = state["mean"], state["square"]
        if is_plain(c):
            fused_adam_(
                [theta],
                [grad],
                [mean],
                [square],
                [state["largest"]] if self._amsgrad else [],
                [state["step"].add_(1)],
                lr=rate,
                beta1=c["beta_1"],
                beta2=c["beta_2"],
                weight_decay=0.0,
                eps=c["epsilon"],
                amsgrad=self._amsgrad,
                maximize=False,
            )
            return
        beta_1, beta_2, epsilon = c["beta_1"], c["beta_2"], c["epsilon"]
        step = advance(state)
        correction_1, correction_2 = 1 - beta_1**step, 1 - beta_2**step
        average_(mean, grad, beta_1)
        average_square_(square, grad, beta_2)
        if self._amsgrad:
            square = torch.maximum(state["largest"], square, out=state["largest"])
        # both corrections go into the divisor, since only a number may scale addcdiv_
        torch.sqrt(square, out=grad)
        grad.mul_(cast(correction_1 / root(correction_2), theta))
        grad.add_(cast(epsilon * correction_1, theta))
        theta.addcdiv_(mean, grad, value=-rate)


@OPTIMIZERS.register("adam")
class Adam(_AdamRule):
    r"""Adaptive moments: momentum over a rate for each parameter, both without initial bias.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \eta \frac{m / (1 - \beta_1^t)}
        {\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    beta_1 : float or Scheduled, default=0.9
        The memory of the average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        The memory of the average of squares, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, outside the root.
    epsilon_hat : bool, default=False
        Whether :math:`\epsilon` is added to the root before its bias is corrected, as in
        scikit-learn and Keras: the paper's :math:`\hat\epsilon`. Else it is added after, as above
        and in torch.

    Notes
    -----
    The default rate is 0.001, as in the paper, torch and Keras.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    _parameter_constraints = {
        "beta_1": [BELOW_ONE, Scheduled],
        "beta_2": [BELOW_ONE],
        "epsilon": [POSITIVE],
        "epsilon_hat": ["boolean"],
    }

    def __init__(
        self,
        beta_1: float | Scheduled = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        epsilon_hat: bool = False,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.epsilon_hat = epsilon_hat

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        if self.epsilon_hat:
            step = state["step"] + 1
            n = step.item() if step.is_cpu else step.double()
            c = {**c, "epsilon": c["epsilon"] / root(1 - c["beta_2"] ** n)}
        super()._update(theta, grad, state, rate, c)


@OPTIMIZERS.register("adamw")
class AdamW(_AdamRule):
    r"""Adam with decay of the weights outside the adaptive step.

    .. math:: \theta \leftarrow (1 - \eta \lambda) \theta, \quad \text{then a step of Adam}

    Parameters
    ----------
    beta_1 : float or Scheduled, default=0.9
        The memory of the average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        The memory of the average of squares, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, as in :class:`Adam`.
    weight_decay : float or Scheduled, default=0.01
        :math:`\lambda \geq 0`; the caller applies it, to weights and not to biases, which is
        where we differ from torch.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    _parameter_constraints = {
        "beta_1": [BELOW_ONE, Scheduled],
        "beta_2": [BELOW_ONE],
        "epsilon": [POSITIVE],
        "weight_decay": [NON_NEGATIVE, Scheduled],
    }

    def __init__(
        self,
        beta_1: float | Scheduled = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float | Scheduled = 0.01,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay

    def decay(self) -> float:
        return float(number_of(self.weight_decay))


@OPTIMIZERS.register("amsgrad")
class AMSGrad(_AdamRule):
    r"""Adam whose rates never grow: it divides by the largest average of squares so far.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        w \leftarrow \max(w, v), \quad
        \theta \leftarrow \theta - \eta \frac{m / (1 - \beta_1^t)}
        {\sqrt{w / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    beta_1 : float or Scheduled, default=0.9
        The memory of the average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        The memory of the average of squares, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, as in :class:`Adam`.

    Notes
    -----
    It is ``torch.optim.Adam(amsgrad=True)``: with the correction of the bias, which the paper
    leaves out, after the maximum. The default rate is 0.001.

    References
    ----------
    S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018.
    """

    slots = ("mean", "square", "largest")
    _amsgrad = True
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
