r"""What an optimizer is: the base class of update rules, and their registry.

``theta`` is (m, p): a row has all parameters of one member; ``grad`` is its twin. Every rule
works on it in place, outside autograd. A coefficient is a number shared by all members, or an
(m, 1) column, best in float64 since :math:`1 - \beta` loses digits in float32.

Unit of every step count: one update of theta.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

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


def cast(value: Coefficient, theta: Tensor) -> Coefficient:
    """A column in the type of `theta`; a number as it is."""
    return value.to(theta.dtype) if isinstance(value, Tensor) else value
