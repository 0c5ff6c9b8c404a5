"""Gradient descent, plain and with momentum."""

from __future__ import annotations

import numbers
from typing import Literal

from torch import Tensor

from ..._compat import Interval, StrOptions, fused_sgd_
from ..base import Scheduled, computed
from ._base import OPTIMIZERS, Coefficient, Coefficients, Optimizer, State, cast

_UP_TO_ONE = Interval(numbers.Real, 0, 1, closed="both")


def _momentum_step(
    theta: Tensor,
    grad: Tensor,
    velocity: Tensor | None,
    rate: float,
    *,
    momentum: Coefficient,
    nesterov: bool,
) -> None:
    """One step of gradient descent with momentum, or without where there is no `velocity`."""
    if velocity is None:
        theta.add_(grad, alpha=-rate)
    elif isinstance(momentum, Tensor):
        momentum = cast(momentum, theta)
        velocity.mul_(momentum).add_(grad)
        step = grad.addcmul_(velocity, momentum) if nesterov else velocity
        theta.add_(step, alpha=-rate)
    elif momentum == 0:  # a schedule's, where the kernel would leave an old velocity
        velocity.copy_(grad)
        theta.add_(grad, alpha=-rate)
    else:
        fused_sgd_(
            [theta],
            [grad],
            [velocity],
            weight_decay=0.0,
            momentum=momentum,
            lr=rate,
            dampening=0.0,
            nesterov=nesterov,
            maximize=False,
            is_first_step=False,  # the velocity starts at zero, which gives the same
        )


def _sum_steps(
    theta: Tensor,
    grad: Tensor,
    velocity: Tensor,
    rate: Coefficient,
    momentum: Coefficient,
    *,
    nesterov: bool,
) -> None:
    """One step of gradient descent whose velocity is the sum of steps."""
    momentum = cast(momentum, theta)
    step = grad.mul_(-cast(rate, theta))
    velocity.mul_(momentum).add_(step)
    theta.add_(step.add_(velocity * momentum) if nesterov else velocity)


@OPTIMIZERS.register("sgd")
class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum if asked for.

    .. math:: v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta v

    and with Nesterov's momentum :math:`\theta \leftarrow \theta - \eta (g + \mu v)`.

    Parameters
    ----------
    momentum : float or Scheduled, default=0.0
        :math:`\mu` in [0, 1], the part of the velocity that a step keeps.
    nesterov : bool, default=False
        Whether to look one step of the velocity ahead.
    velocity : {"gradients", "steps"}, default="gradients"
        What the velocity sums: gradients, as above and in torch, or the steps of
        :math:`v \leftarrow \mu v - \eta g, \theta \leftarrow \theta + v`, as in Polyak's paper,
        scikit-learn and Keras. At a constant rate both are the same; a change of the rate acts on
        the whole velocity at once, or only on gradients to come.

    Notes
    -----
    The default rate is 0.01, as in Keras; torch has 0.001.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013.
    """

    slots = ("velocity",)
    varying = ("momentum",)
    default_rate = 0.01
    momentum_name = "momentum"
    _parameter_constraints = {
        "momentum": [_UP_TO_ONE, Scheduled],
        "nesterov": ["boolean"],
        "velocity": [StrOptions({"gradients", "steps"})],
    }

    def __init__(
        self,
        momentum: float | Scheduled = 0.0,
        nesterov: bool = False,
        velocity: Literal["gradients", "steps"] = "gradients",
    ) -> None:
        self.momentum = momentum
        self.nesterov = nesterov
        self.velocity = velocity

    @computed
    def rate_linear(self) -> bool:
        """Whether the change is proportional to the rate: not where steps are summed."""
        return self.velocity == "gradients"

    def _check(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                f"SGD got nesterov={self.nesterov!r} with momentum={self.momentum!r}, but there is "
                "no velocity to look ahead along: set momentum above 0, e.g. 0.9, or "
                "nesterov=False."
            )

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        momentum = c["momentum"]
        if self.velocity == "steps":
            _sum_steps(theta, grad, state["velocity"], rate, momentum, nesterov=self.nesterov)
            return
        _momentum_step(
            theta,
            grad,
            state["velocity"] if self.momentum or isinstance(momentum, Tensor) else None,
            rate,
            momentum=momentum,
            nesterov=self.nesterov,
        )


@OPTIMIZERS.register("momentum")
class Momentum(Optimizer):
    r"""Gradient descent with momentum: :class:`SGD` with another default.

    .. math:: v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta v

    Parameters
    ----------
    momentum : float or Scheduled, default=0.9
        :math:`\mu` in [0, 1], the part of the velocity that a step keeps.

    Notes
    -----
    The default rate is 0.01, as of :class:`SGD`.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    slots = ("velocity",)
    varying = ("momentum",)
    default_rate = 0.01
    momentum_name = "momentum"
    _parameter_constraints = {"momentum": [_UP_TO_ONE, Scheduled]}

    def __init__(self, momentum: float | Scheduled = 0.9) -> None:
        self.momentum = momentum

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        _momentum_step(theta, grad, state["velocity"], rate, momentum=c["momentum"], nesterov=False)


@OPTIMIZERS.register("nesterov")
class Nesterov(Optimizer):
    r"""Gradient descent with Nesterov's momentum: ``SGD(momentum=0.9, nesterov=True)``.

    .. math:: v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta (g + \mu v)

    Parameters
    ----------
    momentum : float or Scheduled, default=0.9
        :math:`\mu` in [0, 1], the part of the velocity that a step keeps.

    Notes
    -----
    The default rate is 0.01, as of :class:`SGD`.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate
    O(1/k^2)", 1983. The form is that of I. Sutskever et al., ICML 2013.
    """

    slots = ("velocity",)
    varying = ("momentum",)
    default_rate = 0.01
    momentum_name = "momentum"
    _parameter_constraints = {"momentum": [_UP_TO_ONE, Scheduled]}

    def __init__(self, momentum: float | Scheduled = 0.9) -> None:
        self.momentum = momentum

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        _momentum_step(theta, grad, state["velocity"], rate, momentum=c["momentum"], nesterov=True)
