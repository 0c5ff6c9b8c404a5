r"""Optimizers: update rules on the flat buffer that holds all parameters of a stack.

``theta`` is (m, p): a row has all parameters of one member; ``grad`` is its twin. Every rule
works on it in place, outside autograd. A coefficient is a number shared by all members, or an
(m, 1) column, best in float64 since :math:`1 - \beta` loses digits in float32.

Every rule but L-BFGS is proportional to the rate. Members with rates of their own thus share
one step of rate 1, from which each goes its own part of the way.

Unit of every step count: one update of theta.
"""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from .._compat import Interval, fused_adagrad_, fused_adam_, fused_sgd_
from .base import Component, Registry

Coefficient = float | Tensor
Objective = Callable[[Tensor], tuple[float, Tensor]]


class Optimizer(Component):
    """A rule that turns a gradient into a change of the parameters.

    A state is a dictionary of tensors: those with two dimensions have one row a member, those
    with none are common to all members, so that a stack can lose members by indexing rows.

    Attributes
    ----------
    slots : tuple of str
        Names of the state tensors of the shape of theta.
    varying : tuple of str
        Parameters in which the members of a stack may differ.
    stackable : bool
        Whether one state can serve many members.
    full_batch : bool
        Whether the rule needs the objective over all rows instead of one gradient a batch; it
        then has ``iterate`` as :class:`LBFGS` does and no step.
    rate_linear : bool
        Whether the change is proportional to the rate, given gradient and state.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    varying: ClassVar[tuple[str, ...]] = ()
    stackable: ClassVar[bool] = True
    full_batch: ClassVar[bool] = False
    rate_linear: ClassVar[bool] = True

    def coefficients(self) -> dict[str, float]:
        """The numbers of the rule in which members of a stack may differ."""
        return {name: float(getattr(self, name)) for name in self.varying}

    def decay(self) -> float:
        """The decoupled decay; the caller multiplies weights by 1 - rate * decay before a step."""
        return 0.0

    def start(self, theta: Tensor) -> dict[str, Tensor]:
        """The state before the first step, for parameters `theta` of shape (m, p)."""
        return {name: torch.zeros_like(theta) for name in self.slots} | self._more_state(theta)

    def step(
        self,
        theta: Tensor,
        grad: Tensor,
        state: dict[str, Tensor],
        rate: float | Tensor,
        c: dict[str, Coefficient],
    ) -> None:
        """Change `theta` and `state` in place by one step; call it under ``torch.no_grad()``.

        Parameters
        ----------
        theta : Tensor of shape (m, p)
            The parameters.
        grad : Tensor of shape (m, p)
            Their gradient; it may be overwritten.
        state : dict of str to Tensor
            What :meth:`start` returned and earlier steps changed.
        rate : float or Tensor of shape (m, 1)
            The learning rate now.
        c : dict of str to float or Tensor of shape (m, 1)
            :meth:`coefficients`, or columns where members differ.
        """
        if not isinstance(rate, Tensor):
            self._update(theta, grad, state, rate, c)
            return
        assert self.rate_linear, f"{type(self).__name__} takes one rate for all members"
        old = theta.clone()
        self._update(theta, grad, state, 1.0, c)
        torch.lerp(old, theta, rate.to(theta.dtype), out=theta)

    def _more_state(self, theta: Tensor) -> dict[str, Tensor]:
        """State tensors that are not zeros of theta's shape; none by default."""
        return {}

    @abstractmethod
    def _update(
        self,
        theta: Tensor,
        grad: Tensor,
        state: dict[str, Tensor],
        rate: float,
        c: dict[str, Coefficient],
    ) -> None:
        """One step of a common `rate`, in place on `theta` and `state`; `grad` may be spoilt."""


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", Optimizer)

_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")
_NON_NEGATIVE = Interval(numbers.Real, 0, None, closed="left")
_UP_TO_ONE = Interval(numbers.Real, 0, 1, closed="both")
_BELOW_ONE = Interval(numbers.Real, 0, 1, closed="left")
_AT_LEAST_ONE = Interval(numbers.Integral, 1, None, closed="left")


def _plain(c: dict[str, Coefficient]) -> bool:
    """Whether all members share all coefficients, as the fused kernels require."""
    return not any(isinstance(value, Tensor) for value in c.values())


def _cast(value: Coefficient, theta: Tensor) -> Coefficient:
    """A column in the type of `theta`; a number as it is."""
    return value.to(theta.dtype) if isinstance(value, Tensor) else value


def _new_step(theta: Tensor) -> Tensor:
    """A step counter at 0, of the type and place that the fused kernels want."""
    return torch.zeros((), dtype=torch.float32, device=theta.device)


def _advance(state: dict[str, Tensor]) -> Coefficient:
    """Count a step; its number in double precision, without waiting for an accelerator."""
    step = state["step"].add_(1)
    return step.item() if step.is_cpu else step.double()


def _average_(mean: Tensor, value: Tensor, memory: Coefficient) -> None:
    """mean <- memory * mean + (1 - memory) * value."""
    mean.lerp_(value, _cast(1 - memory, mean))


def _average_square_(square: Tensor, grad: Tensor, memory: Coefficient) -> None:
    """square <- memory * square + (1 - memory) * grad^2."""
    if isinstance(memory, Tensor):
        square.lerp_(grad.square(), _cast(1 - memory, square))
    else:
        square.mul_(memory).addcmul_(grad, grad, value=1 - memory)


def _root(value: Coefficient) -> Coefficient:
    return value.sqrt() if isinstance(value, Tensor) else math.sqrt(value)


def _momentum_step(
    theta: Tensor,
    grad: Tensor,
    velocity: Tensor,
    rate: float,
    *,
    momentum: Coefficient,
    nesterov: bool,
) -> None:
    """One step of gradient descent with momentum; without momentum `velocity` stays as it is."""
    if isinstance(momentum, Tensor):
        momentum = _cast(momentum, theta)
        velocity.mul_(momentum).add_(grad)
        step = grad.addcmul_(velocity, momentum) if nesterov else velocity
        theta.add_(step, alpha=-rate)
    elif momentum == 0:
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


@OPTIMIZERS.register("sgd")
class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum if asked for.

    .. math:: v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta v

    and with Nesterov's momentum :math:`\theta \leftarrow \theta - \eta (g + \mu v)`.

    Parameters
    ----------
    momentum : float, default=0.0
        :math:`\mu` in [0, 1], the part of the velocity that a step keeps.
    nesterov : bool, default=False
        Whether to look one step of the velocity ahead.

    Notes
    -----
    The velocity sums gradients, as in torch. Polyak's and scikit-learn's
    :math:`v \leftarrow \mu v - \eta g` sums steps: it is the same at a constant rate, but a
    change of the rate acts there only on gradients to come, and here at once on the whole
    velocity.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013.
    """

    slots = ("velocity",)
    varying = ("momentum",)
    _parameter_constraints = {"momentum": [_UP_TO_ONE], "nesterov": ["boolean"]}

    def __init__(self, momentum: float = 0.0, nesterov: bool = False) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    def _check(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                f"SGD got nesterov={self.nesterov!r} with momentum={self.momentum!r}, but there is "
                "no velocity to look ahead along: set momentum above 0, e.g. 0.9, or "
                "nesterov=False."
            )

    def _update(self, theta, grad, state, rate, c) -> None:
        _momentum_step(
            theta,
            grad,
            state["velocity"],
            rate,
            momentum=c["momentum"],
            nesterov=self.nesterov,
        )


@OPTIMIZERS.register("momentum")
class Momentum(Optimizer):
    r"""Gradient descent with momentum: :class:`SGD` with another default.

    .. math:: v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta v

    Parameters
    ----------
    momentum : float, default=0.9
        :math:`\mu` in [0, 1], the part of the velocity that a step keeps.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    slots = ("velocity",)
    varying = ("momentum",)
    _parameter_constraints = {"momentum": [_UP_TO_ONE]}

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum = momentum

    def _update(self, theta, grad, state, rate, c) -> None:
        _momentum_step(theta, grad, state["velocity"], rate, momentum=c["momentum"], nesterov=False)


@OPTIMIZERS.register("nesterov")
class Nesterov(Optimizer):
    r"""Gradient descent with Nesterov's momentum: ``SGD(momentum=0.9, nesterov=True)``.

    .. math:: v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta (g + \mu v)

    Parameters
    ----------
    momentum : float, default=0.9
        :math:`\mu` in [0, 1], the part of the velocity that a step keeps.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate
    O(1/k^2)", 1983. The form is that of I. Sutskever et al., ICML 2013.
    """

    slots = ("velocity",)
    varying = ("momentum",)
    _parameter_constraints = {"momentum": [_UP_TO_ONE]}

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum = momentum

    def _update(self, theta, grad, state, rate, c) -> None:
        _momentum_step(theta, grad, state["velocity"], rate, momentum=c["momentum"], nesterov=True)


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
        theta.addcdiv_(grad, total.sqrt().add_(_cast(epsilon, theta)), value=-rate)


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
        theta.addcdiv_(grad, square.sqrt().add_(_cast(c["epsilon"], theta)), value=-rate)


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
        grad.mul_(_cast(correction_1 / _root(correction_2), theta))
        grad.add_(_cast(epsilon * correction_1, theta))
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
        divisor = square.sqrt().div_(_cast(_root(1 - beta_2**step), theta))
        divisor.add_(_cast(c["epsilon"], theta))
        grad.mul_(_cast((1 - mu) / (1 - product), theta))
        grad.addcmul_(mean, _cast(mu_next / (1 - product * mu_next), theta))
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
        maximum.mul_(_cast(c["beta_2"], theta))
        grad.abs_().add_(_cast(c["epsilon"], theta))
        torch.maximum(maximum, grad, out=maximum)
        torch.mul(maximum, _cast(correction, theta), out=grad)
        theta.addcdiv_(mean, grad, value=-rate)


@OPTIMIZERS.register("lbfgs")
class LBFGS(Optimizer):
    r"""Limited-memory BFGS: a quasi-Newton step from the last changes of the gradient.

    An iteration goes along :math:`-H g`, :math:`H` being the inverse Hessian that the last
    `history_size` pairs :math:`(s, y)` of steps and changes of the gradient imply, by a length
    that meets the strong Wolfe conditions (:math:`c_1 = 10^{-4}, c_2 = 0.9`). The learning
    rate has no part in it, and members are not stacked, since each needs steps of its own.

    Parameters
    ----------
    history_size : int, default=10
        How many pairs are kept.
    max_line_search : int, default=20
        How many evaluations of the objective one search along a line may take.

    References
    ----------
    J. Nocedal and S. J. Wright, "Numerical optimization", 2nd ed., 2006, algorithms 7.4, 7.5,
    3.5 and 3.6.
    """

    stackable = False
    full_batch = True
    rate_linear = False
    _parameter_constraints = {"history_size": [_AT_LEAST_ONE], "max_line_search": [_AT_LEAST_ONE]}

    def __init__(self, history_size: int = 10, max_line_search: int = 20) -> None:
        self.history_size = history_size
        self.max_line_search = max_line_search

    def iterate(self, theta: Tensor, evaluate: Objective, state: dict[str, Tensor]) -> bool:
        """One iteration, in place on `theta` and `state`; call it under ``torch.no_grad()``.

        Parameters
        ----------
        theta : Tensor of shape (1, p)
            The parameters. Trial points are written to it too.
        evaluate : callable
            From `theta` to the objective over all rows, a float, and its gradient (1, p).
        state : dict of str to Tensor
            What :meth:`start` returned and earlier iterations changed. ``state["loss"]`` (0-d)
            and ``state["grad"]`` (1, p) are those at `theta`; set the loss to NaN if `theta` or
            the objective has changed in between.

        Returns
        -------
        bool
            True if no further improvement can be found; `theta` is then the best point.
        """
        if math.isnan(state["loss"].item()):
            loss, grad = evaluate(theta)
            state["loss"].fill_(loss)
            state["grad"].copy_(grad)
        origin, grad = theta.clone(), state["grad"].clone()
        if not math.isfinite(state["loss"].item()) or not grad.any():
            return True
        shortest = min(1.0, 1.0 / grad.abs().sum().item())
        direction = _two_loop(grad, state)
        line = _Line(theta, origin, direction, evaluate)
        start = line.start(state)
        found = None
        if start.slope < 0:
            first = 1.0 if state["count"].item() else shortest
            found = _wolfe_search(line, start, first, self.max_line_search)
        if found is None:
            state["count"].zero_()
            line = _Line(theta, origin, -grad, evaluate)
            found = _armijo_search(line, line.start(state), shortest, self.max_line_search)
        if found is None:
            theta.copy_(origin)
            return True
        # the last trial need not be the accepted one
        torch.add(origin, line.direction, alpha=found.step, out=theta)
        state["loss"].fill_(found.loss)
        state["grad"].copy_(found.grad)
        _remember(state, theta - origin, found.grad - grad)
        return False

    def _more_state(self, theta: Tensor) -> dict[str, Tensor]:
        assert len(theta) == 1, "L-BFGS is not stacked"
        pairs = (int(self.history_size), theta.shape[1])
        return {
            "s": theta.new_zeros(pairs),
            "y": theta.new_zeros(pairs),
            "count": torch.zeros((), dtype=torch.int64),
            "grad": torch.zeros_like(theta),
            "loss": torch.full((), math.nan, dtype=torch.float64),
        }

    def _update(self, theta, grad, state, rate, c) -> None:
        raise AssertionError("L-BFGS moves by iterate, not by steps")


def _two_loop(grad: Tensor, state: dict[str, Tensor]) -> Tensor:
    """The direction -H g (1, p), by algorithm 7.4; -g without history."""
    s, y, count = state["s"], state["y"], int(state["count"].item())
    direction = grad.neg()
    if count == 0:
        return direction
    kept = len(s)
    newest_first = [i % kept for i in range(count - 1, max(count - kept, 0) - 1, -1)]
    q = direction[0]
    products = (s * y).sum(1)
    parts = {}
    for i in newest_first:
        parts[i] = s[i].dot(q) / products[i]
        q.addcmul_(y[i], -parts[i])
    newest = newest_first[0]
    q.mul_(products[newest] / y[newest].dot(y[newest]))
    for i in reversed(newest_first):
        q.addcmul_(s[i], parts[i] - y[i].dot(q) / products[i])
    return direction


def _remember(state: dict[str, Tensor], s: Tensor, y: Tensor) -> None:
    """Keep a pair, over the oldest if all places are taken, unless its curvature is nothing."""
    if (s * y).sum().item() <= 1e-10 * y.square().sum().item():
        return
    place = int(state["count"].item()) % len(state["s"])
    state["s"][place].copy_(s[0])
    state["y"][place].copy_(y[0])
    state["count"].add_(1)


class _Trial(NamedTuple):
    """A point on a line: objective, slope along the line, and gradient (1, p)."""

    step: float
    loss: float
    slope: float
    grad: Tensor

    def descends_from(self, start: _Trial) -> bool:
        """Armijo's condition of sufficient decrease."""
        return self.loss <= start.loss + 1e-4 * self.step * start.slope

    def is_flat(self, start: _Trial) -> bool:
        """The strong condition on the curvature."""
        return abs(self.slope) <= 0.9 * abs(start.slope)


class _Line:
    """The objective along `direction` from `origin`; trial points are written to `theta`."""

    def __init__(
        self, theta: Tensor, origin: Tensor, direction: Tensor, evaluate: Objective
    ) -> None:
        self.theta = theta
        self.origin = origin
        self.direction = direction
        self.evaluate = evaluate

    def start(self, state: dict[str, Tensor]) -> _Trial:
        grad = state["grad"].clone()
        return _Trial(0.0, state["loss"].item(), self._slope(grad), grad)

    def __call__(self, step: float) -> _Trial:
        torch.add(self.origin, self.direction, alpha=step, out=self.theta)
        loss, grad = self.evaluate(self.theta)
        grad = grad.clone()
        return _Trial(step, float(loss), self._slope(grad), grad)

    def _slope(self, grad: Tensor) -> float:
        return (grad * self.direction).sum().item()


def _wolfe_search(line: _Line, start: _Trial, step: float, budget: int) -> _Trial | None:
    """A step that meets the strong Wolfe conditions, by algorithm 3.5.

    When `budget` evaluations are spent it is the best one of sufficient decrease, if any.
    """
    previous = start
    for left in range(budget - 1, -1, -1):
        trial = line(step)
        worse = previous is not start and trial.loss >= previous.loss
        if not trial.descends_from(start) or worse:
            return _zoom(line, start, previous, trial, left)
        if trial.is_flat(start):
            return trial
        if trial.slope >= 0:
            return _zoom(line, start, trial, previous, left)
        # far along the line if the cubic says so: the first step of all is very short
        step = _cubic_step(previous, trial, 2 * trial.step, 10 * trial.step)
        previous = trial
    return previous if previous is not start else None


def _zoom(line: _Line, start: _Trial, low: _Trial, high: _Trial, budget: int) -> _Trial | None:
    """Narrow a bracket around an acceptable step, by algorithm 3.6; `low` is its best end."""
    for _ in range(budget):
        left, right = sorted((low.step, high.step))
        margin = 0.1 * (right - left)
        if margin <= 1e-12 * right:
            break
        trial = line(_cubic_step(low, high, left + margin, right - margin))
        if not trial.descends_from(start) or trial.loss >= low.loss:
            high = trial
            continue
        if trial.is_flat(start):
            return trial
        if trial.slope * (high.step - low.step) >= 0:
            high = low
        low = trial
    return low if low.step > 0 else None


def _cubic_step(a: _Trial, b: _Trial, lower: float, upper: float) -> float:
    """Minimiser of the cubic through two trials, within bounds; their middle if there is none."""
    middle = (lower + upper) / 2
    if not all(map(math.isfinite, (a.loss, a.slope, b.loss, b.slope))):
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return middle
    d2 = math.copysign(math.sqrt(square), b.step - a.step)
    divisor = b.slope - a.slope + 2 * d2
    if divisor == 0:
        return middle
    step = b.step - (b.step - a.step) * (b.slope + d2 - d1) / divisor
    return min(max(step, lower), upper) if math.isfinite(step) else middle


def _armijo_search(line: _Line, start: _Trial, step: float, budget: int) -> _Trial | None:
    """The first of `step`, `step` / 2, `step` / 4, ... with sufficient decrease."""
    for _ in range(budget):
        trial = line(step)
        if trial.descends_from(start):
            return trial
        step /= 2
    return None
