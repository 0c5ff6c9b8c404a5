r"""What an optimizer is: the base class of update rules, and their registry.

``theta`` is (m, p): a row has all parameters of one member; ``grad`` is its twin. Every rule
works on it in place, outside autograd. A coefficient is a number shared by all members, or an
(m, 1) column, best in float64 since :math:`1 - \beta` loses digits in float32.

Unit of every step count: one update of theta.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, overload

import torch
from torch import Tensor

from ..base import Component
from ..registry import Registry

Coefficient = float | Tensor
Coefficients = dict[str, Coefficient]
State = dict[str, Tensor]
Objective = Callable[[Tensor], tuple[float, Tensor]]
Shapes = Sequence[tuple[int, int]]
Move = Callable[[Coefficient, Coefficients], None]


class Optimizer(Component):
    """A rule that turns a gradient into a change of the parameters.

    A state is a dictionary of tensors: those with two dimensions have one row a member, those
    with none are common to all members, so that a stack can lose members by indexing rows.

    Attributes
    ----------
    slots : tuple of str
        Names of the state tensors of the shape of theta.
    anchors : tuple of str
        Names of the state tensors that start as copies of theta: places that steps are measured
        from, and which must move along where theta is replaced from outside.
    varying : tuple of str
        Parameters in which the members of a stack may differ.
    stackable : bool
        Whether one state can serve many members.
    full_batch : bool
        Whether the rule needs the objective over all rows instead of one gradient a batch; it
        then has ``iterate`` as :class:`LBFGS` does and no step.
    rate_linear : bool
        Whether the change is proportional to the rate, given gradient and state. Members with
        rates of their own then share one step; else the rule takes the column of rates itself.
    default_rate : float
        The learning rate where none is given.
    momentum_name : str or None
        Which coefficient is the rule's momentum, None where it has none. Every rule reads it
        anew at each step, so that a schedule may change it.
    follows_rate : bool
        Whether the rate of every step matters, so that a schedule of it has an effect.
    needs_gpu : bool
        Whether it works on a GPU alone.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    anchors: tuple[str, ...] = ()
    varying: ClassVar[tuple[str, ...]] = ()
    stackable: ClassVar[bool] = True
    full_batch: ClassVar[bool] = False
    rate_linear: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.001
    momentum_name: ClassVar[str | None] = None
    follows_rate: ClassVar[bool] = True
    needs_gpu: ClassVar[bool] = False

    def coefficients(self) -> dict[str, float]:
        """The numbers of the rule in which members of a stack may differ."""
        return {name: float(getattr(self, name)) for name in self.varying}

    def decay(self) -> float:
        """The decoupled decay; the caller multiplies weights by 1 - rate * decay before a step."""
        return 0.0

    def start(self, theta: Tensor, shapes: Shapes = ()) -> State:
        """The state before the first step.

        Parameters
        ----------
        theta : Tensor of shape (m, p)
            The parameters.
        shapes : sequence of (int, int)
            (n_in, n_out) of the weight matrices at the head of each row, in order. Rules that
            see no matrices do without.
        """
        zeros = {name: torch.zeros_like(theta) for name in self.slots}
        return zeros | self._more_state(theta, shapes)

    def anchor_(self, theta: Tensor, state: State) -> None:
        """Move the anchors in `state` to a `theta` that no step has made; the rest stays."""
        for name in self.anchors:
            state[name].copy_(theta)

    def bind(self, theta: Tensor, grad: Tensor, state: State, shapes: Shapes = ()) -> Move:
        """The step on buffers that stay: ``move(rate, c)`` does what :meth:`step` does.

        `theta`, `grad` and `state` are changed in place by every call, as by :meth:`step`;
        `shapes` are those of :meth:`start`.
        """

        def move(rate: Coefficient, c: Coefficients) -> None:
            self.step(theta, grad, state, rate, c)

        return move

    def step(
        self,
        theta: Tensor,
        grad: Tensor,
        state: State,
        rate: float | Tensor,
        c: Coefficients,
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
        if not isinstance(rate, Tensor) or not self.rate_linear:
            self._update(theta, grad, state, rate, c)
            return
        old = theta.clone()
        self._update(theta, grad, state, 1.0, c)
        torch.lerp(old, theta, rate.to(theta.dtype), out=theta)

    def _more_state(self, theta: Tensor, shapes: Shapes) -> State:
        """State tensors that are not zeros of theta's shape; none by default."""
        return {}

    @abstractmethod
    def _update(
        self,
        theta: Tensor,
        grad: Tensor,
        state: State,
        rate: Any,
        c: dict[str, Any],
    ) -> None:
        """One step, in place on `theta` and `state`; `grad` may be spoilt.

        `rate` is a number, or a column where the rule is stackable but not linear in it; `c` has
        columns where it is stackable. No tensor of the state may be replaced by another.
        """


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", Optimizer)


def kept_shapes(shapes: Shapes) -> Tensor:
    """Shapes of matrices as a state tensor, an int64 (n, 2); on the CPU, since Python reads it."""
    return torch.tensor(list(shapes), dtype=torch.int64).view(-1, 2)


def n_weights(shapes: Shapes) -> int:
    """How many numbers at the head of a row the matrices take."""
    return sum(n_in * n_out for n_in, n_out in shapes)


def matrices(row: Tensor, shapes: Shapes) -> list[Tensor]:
    """Views (n_in, n_out) of the weight matrices at the head of a single member's row (1, p)."""
    assert len(row) == 1, "matrices are cut from one member's row"
    pieces = row[0, : n_weights(shapes)].split([n_in * n_out for n_in, n_out in shapes])
    return [piece.view(*shape) for piece, shape in zip(pieces, shapes, strict=True)]


@overload
def cast(value: Tensor, theta: Tensor) -> Tensor: ...


@overload
def cast(value: Coefficient, theta: Tensor) -> Coefficient: ...


def cast(value: Coefficient, theta: Tensor) -> Coefficient:
    """A column in the type of `theta`; a number as it is."""
    return value.to(theta.dtype) if isinstance(value, Tensor) else value
