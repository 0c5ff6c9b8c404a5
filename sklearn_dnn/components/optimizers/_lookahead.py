"""Lookahead: slow weights around another optimizer."""

from __future__ import annotations

import numbers
from typing import TypeVar

import torch
from torch import Tensor

from ..._compat import Interval
from ..base import computed
from ._base import OPTIMIZERS, Coefficient, Coefficients, Move, Optimizer, Shapes, State, cast

T = TypeVar("T")
_INNER = "optimizer__"


@OPTIMIZERS.register("lookahead")
class Lookahead(Optimizer):
    r"""Slow weights that go a part of the way that another optimizer went in k steps.

    After every k steps of the inner optimizer, from the slow weights :math:`\phi`,

    .. math::
        \phi \leftarrow \phi + \alpha (\theta - \phi), \qquad \theta \leftarrow \phi .

    Parameters
    ----------
    optimizer : str or Optimizer, default="adam"
        The inner one: any that makes steps. ``Lookahead(Adam())`` has the nested parameter
        ``optimizer__beta_1``, so a search reaches ``optimizer__optimizer__beta_1``.
    k : int, default=5
        Steps between two meetings.
    alpha : float, default=0.5
        :math:`\alpha` in (0, 1], the part of the way.

    Notes
    -----
    The state of the inner optimizer is kept at a meeting. Between meetings the network has the
    inner optimizer's weights. Default rate, momentum and decay are the inner optimizer's; ask an
    instance, not the class, for them. torch has no Lookahead.

    References
    ----------
    M. R. Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019.
    """

    slots = ("slow",)
    varying = ("alpha",)
    rate_linear = False  # a meeting is not; the inner optimizer takes rates as it can
    _parameter_constraints = {
        "optimizer": [str, Optimizer],
        "k": [Interval(numbers.Integral, 1, None, closed="left")],
        "alpha": [Interval(numbers.Real, 0, 1, closed="right")],
    }

    def __init__(self, optimizer: str | Optimizer = "adam", k: int = 5, alpha: float = 0.5) -> None:
        self.optimizer = optimizer
        self.k = k
        self.alpha = alpha

    @computed
    def stackable(self) -> bool:
        """Whether one state can serve many members: as the inner optimizer."""
        return self._inner().stackable

    @computed
    def anchors(self) -> tuple[str, ...]:
        """The slow weights and, with nested names, the inner optimizer's."""
        return ("slow", *(_INNER + name for name in self._inner().anchors))

    @computed
    def default_rate(self) -> float:
        """The inner optimizer's."""
        return self._inner().default_rate

    @computed
    def momentum_name(self) -> str | None:
        """The inner optimizer's, as a nested name."""
        name = self._inner().momentum_name
        return None if name is None else _INNER + name

    @computed
    def follows_rate(self) -> bool:
        """The inner optimizer's."""
        return self._inner().follows_rate

    @computed
    def needs_gpu(self) -> bool:
        """The inner optimizer's."""
        return self._inner().needs_gpu

    def coefficients(self) -> dict[str, float]:
        """Ours and, with nested names, the inner optimizer's."""
        return super().coefficients() | _nested(self._inner().coefficients())

    def decay(self) -> float:
        """The inner optimizer's."""
        return self._inner().decay()

    def bind(
        self, theta: Tensor, grad: Tensor, state: dict[str, Tensor], shapes: Shapes = ()
    ) -> Move:
        """The step on buffers that stay, with the inner optimizer bound once."""
        own = _unnested(state)
        forward = self._inner().bind(theta, grad, own, shapes)

        def move(rate: Coefficient, c: dict[str, Coefficient]) -> None:
            forward(rate, _unnested(c))
            self._meet(theta, own, state, c)

        return move

    def _check(self) -> None:
        if OPTIMIZERS.resolve(self.optimizer).full_batch:
            raise ValueError(
                f"Lookahead needs an optimizer that makes steps, but optimizer="
                f"{self.optimizer!r} takes all rows at once. Use optimizer='adam', or "
                f"{self.optimizer!r} alone."
            )

    def _inner(self) -> Optimizer:
        # checked already
        return OPTIMIZERS[self.optimizer]() if isinstance(self.optimizer, str) else self.optimizer

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        count = torch.zeros((), dtype=torch.int64)
        inner = self._inner().start(theta, shapes)
        return {"slow": theta.clone(), "count": count} | _nested(inner)

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: Coefficient, c: Coefficients
    ) -> None:
        own = _unnested(state)
        self._inner().step(theta, grad, own, rate, _unnested(c))
        self._meet(theta, own, state, c)

    def _meet(
        self,
        theta: Tensor,
        own: dict[str, Tensor],
        state: dict[str, Tensor],
        c: dict[str, Coefficient],
    ) -> None:
        """Take over the inner state, which may have new tensors, and meet if it is time."""
        state.update(_nested(own))
        if int(state["count"].add_(1)) % self.k == 0:
            state["slow"].lerp_(theta, cast(c["alpha"], theta))
            theta.copy_(state["slow"])


def _nested(inner: dict[str, T]) -> dict[str, T]:
    return {_INNER + name: value for name, value in inner.items()}


def _unnested(outer: dict[str, T]) -> dict[str, T]:
    size = len(_INNER)
    return {name[size:]: value for name, value in outer.items() if name.startswith(_INNER)}
