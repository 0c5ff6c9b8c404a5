r"""Optimizers: update rules on the flat buffer that holds all parameters of a stack.

The rules of the family are gradient descent with and without momentum, L-BFGS, and those here,
which give each parameter a rate of its own from the gradients it has seen.

Every rule but L-BFGS is proportional to the rate. Members with rates of their own thus share
one step of rate 1, from which each goes its own part of the way.
"""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor

from .._compat import Interval, fused_adagrad_, fused_adam_
from .gradient_descent import SGD, Momentum, Nesterov
from .lbfgs import LBFGS
from .update_rules import OPTIMIZERS, Coefficient, Optimizer, cast

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Momentum",
    "Nadam",
    "Nesterov",
    "Optimizer",
    "RMSprop",
]

_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")
_NON_NEGATIVE = Interval(numbers.Real, 0, None, closed="left")
_BELOW_ONE = Interval(numbers.Real, 0, 1, closed="left")


def _plain(c: dict[str, Coefficient]) -> bool:
    """Whether all members share all coefficients, as the fused kernels require."""
    return not any(isinstance(value, Tensor) for value in c.values())


def _new_step(theta: Tensor) -> Tensor:
    """A step counter at 0, of the type and place that the fused kernels want."""
    return torch.zeros((), dtype=torch.float32, device=theta.device)


def _advance(state: dict[str, Tensor]) -> Coefficient:
    """Count a step; its number in double precision, without waiting for an accelerator."""
    step = state["step"].add_(1)
    return step.item() if step.is_cpu else step.double()


def _average_(mean: Tensor, value: Tensor, memory: Coefficient) -> None:
    """mean <- memory * mean + (1 - memory) * value."""
    mean.lerp_(value, cast(1 - memory, mean))


def _average_square_(square: Tensor, grad: Tensor, memory: Coefficient) -> None:
    """square <- memory * square + (1 - memory) * grad^2."""
    if isinstance(memory, Tensor):
        square.lerp_(grad.square(), cast(1 - memory, square))
    else:
        square.mul_(memory).addcmul_(grad, grad, value=1 - memory)


def _root(value: Coefficient) -> Coefficient:
    return value.sqrt() if isinstance(value, Tensor) else math.sqrt(value)


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

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 2011.
    """

    slots = ("sum",)
    varying = ("epsilon",)
    _parameter_constraints = {"epsilon": [_POSITIVE], "initial_accumulator": [_NON_NEGATIVE]}

    def __init__(self, epsilon: float = 1e-10, initial_accumulator: float = 0.0) -> None:
        self.epsilon = epsilon
        self.initial_accumulator = initial_accumulator

    def _more_state(self, theta: Tensor) -> dict[str, Tensor]:
        total = torch.full_like(theta, float(self.initial_accumulator))
        return {"sum": total, "step": _new_step(theta)}

    def _update(self, theta, grad, state, rate, c) -> None:
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

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5 - RMSprop", Coursera, 2012.
    """

    slots = ("square",)
    varying = ("rho", "epsilon")
    _parameter_constraints = {"rho": [_BELOW_ONE], "epsilon": [_POSITIVE]}

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-8) -> None:
        self.rho = rho
        self.epsilon = epsilon

    def _update(self, theta, grad, state, rate, c) -> None:
        square = state["square"]
        _average_square_(square, grad, c["rho"])
        theta.addcdiv_(grad, square.sqrt().add_(cast(c["epsilon"], theta)), value=-rate)


class _AdamRule(Optimizer):
    """The step that Adam and AdamW share."""

    slots = ("mean", "square")
    varying = ("beta_1", "beta_2", "epsilon")

    def _more_state(self, theta: Tensor) -> dict[str, Tensor]:
        return {"step": _new_step(theta)}

    def _update(self, theta, grad, state, rate, c) -> None:
        mean, square = state["mean"], state["square"]
        beta_1, beta_2, epsilon = c["beta_1"], c["beta_2"], c["epsilon"]
        if _plain(c):
            step = state["step"].add_(1)
            fused_adam_(
                [theta],
                [grad],
                [mean],
                [square],
                [],
                [step],
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                weight_decay=0.0,
                eps=epsilon,
                amsgrad=False,
                maximize=False,
            )
            return
        step = _advance(state)
        correction_1, correction_2 = 1 - beta_1**step, 1 - beta_2**step
        _average_(mean, grad, beta_1)
        _average_square_(square, grad, beta_2)
        # both corrections go into the divisor, since only a number may scale addcdiv_
        torch.sqrt(square, out=grad)
        grad.mul_(cast(correction_1 / _root(correction_2), theta))
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
    beta_1, beta_2 : float, default=0.9 and 0.999
        The memories of the two averages, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, outside the root and after the correction of the bias; in
        scikit-learn it acts before the correction.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    _parameter_constraints = {
        "beta_1": [_BELOW_ONE],
        "beta_2": [_BELOW_ONE],
        "epsilon": [_POSITIVE],
    }

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


@OPTIMIZERS.register("adamw")
class AdamW(_AdamRule):
    r"""Adam with decay of the weights outside the adaptive step.

    .. math:: \theta \leftarrow (1 - \eta \lambda) \theta, \quad \text{then a step of Adam}

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9 and 0.999
        The memories of the two averages, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`, as in :class:`Adam`.
    weight_decay : float, default=0.01
        :math:`\lambda \geq 0`; the caller applies it, to weights and not to biases, which is
        where we differ from torch.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    _parameter_constraints = {
        "beta_1": [_BELOW_ONE],
        "beta_2": [_BELOW_ONE],
        "epsilon": [_POSITIVE],
        "weight_decay": [_NON_NEGATIVE],
    }

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay

    def decay(self) -> float:
        return float(self.weight_decay)


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
    beta_1, beta_2 : float, default=0.9 and 0.999
        The memories of the two averages, in [0, 1).
    epsilon : float, default=1e-8
        :math:`\epsilon > 0`.
    momentum_decay : float, default=4e-3
        :math:`\psi \geq 0`, how fast :math:`\mu_t` rises to :math:`\beta_1`, a step.

    Notes
    -----
    The form is torch's; we keep :math:`\pi_t` in double precision, torch in its default type.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    slots = ("mean", "square")
    varying = ("beta_1", "beta_2", "epsilon", "momentum_decay")
    _parameter_constraints = {
        "beta_1": [_BELOW_ONE],
        "beta_2": [_BELOW_ONE],
        "epsilon": [_POSITIVE],
        "momentum_decay": [_NON_NEGATIVE],
    }

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 4e-3,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.momentum_decay = momentum_decay

    def _more_state(self, theta: Tensor) -> dict[str, Tensor]:
        ones = torch.ones((len(theta), 1), dtype=torch.float64, device=theta.device)
        return {"mu_product": ones, "step": _new_step(theta)}

    def _update(self, theta, grad, state, rate, c) -> None:
        mean, square, product = state["mean"], state["square"], state["mu_product"]
        beta_1, beta_2, psi = c["beta_1"], c["beta_2"], c["momentum_decay"]
        step = _advance(state)
        mu = beta_1 * (1 - 0.5 * 0.96 ** (step * psi))
        mu_next = beta_1 * (1 - 0.5 * 0.96 ** ((step + 1) * psi))
        product.mul_(mu)
        _average_(mean, grad, beta_1)
        _average_square_(square, grad, beta_2)
        divisor = square.sqrt().div_(cast(_root(1 - beta_2**step), theta))
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

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.
    """

    slots = ("mean", "maximum")
    varying = ("beta_1", "beta_2", "epsilon")
    _parameter_constraints = {
        "beta_1": [_BELOW_ONE],
        "beta_2": [_BELOW_ONE],
        "epsilon": [_POSITIVE],
    }

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _more_state(self, theta: Tensor) -> dict[str, Tensor]:
        return {"step": _new_step(theta)}

    def _update(self, theta, grad, state, rate, c) -> None:
        mean, maximum = state["mean"], state["maximum"]
        correction = 1 - c["beta_1"] ** _advance(state)
        _average_(mean, grad, c["beta_1"])
        maximum.mul_(cast(c["beta_2"], theta))
        grad.abs_().add_(cast(c["epsilon"], theta))
        torch.maximum(maximum, grad, out=maximum)
        torch.mul(maximum, cast(correction, theta), out=grad)
        theta.addcdiv_(mean, grad, value=-rate)
