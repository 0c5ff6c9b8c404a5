"""Constraints: sets that weights are brought back to after each step of the optimizer.

They bound the weights themselves; bounds on the gradient are clipping.
"""

from __future__ import annotations

import numbers
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from .._compat import Interval
from .base import Component
from .registry import Registry

Bound = float | Tensor

_POSITIVE = [Interval(numbers.Real, 0, None, closed="neither")]
_ANY = [Interval(numbers.Real, None, None, closed="neither")]


class Constraint(Component):
    """A set of allowed weights and the way back to it.

    A weight matrix is (n_in, k), or (m, n_in, k) for a stack; a column has the incoming weights
    of one unit. Biases are free.

    Attributes
    ----------
    varying : tuple of str
        Parameters in which the members of a stack may differ.
    """

    varying: ClassVar[tuple[str, ...]] = ()

    def coefficients(self) -> dict[str, float]:
        """The numbers of the constraint in which members of a stack may differ."""
        return {name: float(getattr(self, name)) for name in self.varying}

    def project_(self, weight: Tensor, c: dict[str, Bound] | None = None) -> None:
        """Bring `weight` into the set, in place; call it under ``torch.no_grad()``.

        Parameters
        ----------
        weight : Tensor of shape (n_in, k) or (m, n_in, k)
            The weights of one layer.
        c : dict of str to float or Tensor of shape (m, 1, 1), default=None
            :meth:`coefficients`, or columns where members differ; None takes the attributes.
        """
        self._project_(weight, self._cast(c, weight))

    def satisfied(
        self, weight: Tensor, tolerance: float = 1e-6, c: dict[str, Bound] | None = None
    ) -> bool:
        """Whether no number of `weight` is further than `tolerance` outside its bounds.

        The numbers are the entries of the matrix or the lengths of its columns, as the
        constraint has it. A zero column has no direction to be lengthened in and is passed over.
        """
        return bool((self._excess(weight, self._cast(c, weight)) <= tolerance).all())

    def _cast(self, c: dict[str, Bound] | None, weight: Tensor) -> dict[str, Bound]:
        if c is None:
            return dict(self.coefficients())
        return {k: v.to(weight.dtype) if isinstance(v, Tensor) else v for k, v in c.items()}

    @abstractmethod
    def _project_(self, weight: Tensor, c: dict[str, Bound]) -> None:
        """Bring `weight` into the set, in place."""

    @abstractmethod
    def _excess(self, weight: Tensor, c: dict[str, Bound]) -> Tensor:
        """How far each entry or column is outside; at most 0 where it is inside."""


CONSTRAINTS: Registry[Constraint] = Registry("constraint", Constraint)


def _lengths(weight: Tensor) -> Tensor:
    """Euclidean lengths of the columns, (.., n_in, k) -> (.., 1, k)."""
    return torch.linalg.vector_norm(weight, dim=-2, keepdim=True)


def _scale_columns_(weight: Tensor, lengths: Tensor, wanted: Tensor) -> None:
    """Give columns of these lengths the wanted ones; zero columns stay zero."""
    weight.mul_(torch.where(lengths > 0, wanted / lengths, 1.0))


def _within(values: Tensor, low: Bound, high: Bound) -> Tensor:
    """The values cut to [low, high], each bound a number or a tensor."""
    return torch.clamp(torch.clamp(values, min=low), max=high)


@CONSTRAINTS.register("max_norm")
class MaxNorm(Constraint):
    r"""Largest length of a unit's incoming weights: :math:`w \min(1, c / \|w\|_2)`.

    The nearest allowed point. A unit within the bound is not changed by a bit. Keras'
    ``MaxNorm(max_value, axis=0)``, but that divides by :math:`\|w\| + 10^{-7}`.

    Parameters
    ----------
    limit : float, default=2.0
        :math:`c > 0`.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple
    way to prevent neural networks from overfitting", JMLR 15, 2014, section 5.1.
    """

    _parameter_constraints = {"limit": _POSITIVE}
    varying = ("limit",)

    def __init__(self, limit: float = 2.0) -> None:
        self.limit = limit

    def _project_(self, weight: Tensor, c: dict[str, Bound]) -> None:
        # c / max(|w|, c) is exactly 1 within the bound
        weight.mul_(c["limit"] / torch.clamp(_lengths(weight), min=c["limit"]))

    def _excess(self, weight: Tensor, c: dict[str, Bound]) -> Tensor:
        return _lengths(weight) - c["limit"]


@CONSTRAINTS.register("unit_norm")
class UnitNorm(Constraint):
    r"""Incoming weights of length one for every unit: :math:`w / \|w\|_2`.

    The nearest allowed point. A unit without any weight, which has no direction, stays as it
    is, as with Keras' ``UnitNorm(axis=0)``.
    """

    def _project_(self, weight: Tensor, c: dict[str, Bound]) -> None:
        lengths = _lengths(weight)
        _scale_columns_(weight, lengths, torch.ones_like(lengths))

    def _excess(self, weight: Tensor, c: dict[str, Bound]) -> Tensor:
        lengths = _lengths(weight)
        return torch.where(lengths == 0, 0.0, (lengths - 1.0).abs())


@CONSTRAINTS.register("min_max_norm")
class MinMaxNorm(Constraint):
    r"""Length of a unit's incoming weights in an interval, or part of the way towards it.

    With :math:`\ell = \|w\|_2` and :math:`\hat\ell = \min(\max(\ell, \mathrm{low}),
    \mathrm{high})` the new length is :math:`r \hat\ell + (1 - r)\,\ell`. With rate
    :math:`r = 1` that is the nearest allowed point; with less, each step goes this share of the
    way and the bounds are met in the limit only. A unit without any weight, which has no
    direction, stays as it is. Keras' ``MinMaxNorm(min_value, max_value, rate, axis=0)``.

    Parameters
    ----------
    low : float, default=0.0
        Smallest length, at least 0 and at most `high`.
    high : float, default=1.0
        Largest length, above 0.
    rate : float, default=1.0
        :math:`r`, in (0, 1].
    """

    _parameter_constraints = {
        "low": [Interval(numbers.Real, 0, None, closed="left")],
        "high": _POSITIVE,
        "rate": [Interval(numbers.Real, 0, 1, closed="right")],
    }
    varying = ("low", "high", "rate")

    def __init__(self, low: float = 0.0, high: float = 1.0, rate: float = 1.0) -> None:
        self.low = low
        self.high = high
        self.rate = rate

    def _check(self) -> None:
        _refuse_crossed(self, self.low, self.high)

    def _project_(self, weight: Tensor, c: dict[str, Bound]) -> None:
        lengths = _lengths(weight)
        inside = _within(lengths, c["low"], c["high"])
        wanted = lengths + c["rate"] * (inside - lengths)
        # x / x is 1, so that a unit within the bounds is not changed by a bit
        _scale_columns_(weight, lengths, torch.where(inside == lengths, lengths, wanted))

    def _excess(self, weight: Tensor, c: dict[str, Bound]) -> Tensor:
        lengths = _lengths(weight)
        excess = (lengths - _within(lengths, c["low"], c["high"])).abs()
        return torch.where(lengths == 0, 0.0, excess)


@CONSTRAINTS.register("non_negative")
class NonNegative(Constraint):
    r"""No weight below zero: :math:`\max(w, 0)`, the nearest allowed point."""

    def _project_(self, weight: Tensor, c: dict[str, Bound]) -> None:
        weight.clamp_(min=0.0)

    def _excess(self, weight: Tensor, c: dict[str, Bound]) -> Tensor:
        return -weight


@CONSTRAINTS.register("box")
class Box(Constraint):
    r"""Every weight in an interval: :math:`\min(\max(w, \mathrm{low}), \mathrm{high})`.

    The nearest allowed point. This is known as weight clipping, and is not the clipping of
    gradients.

    Parameters
    ----------
    low : float, default=-1.0
        Smallest weight, at most `high`.
    high : float, default=1.0
        Largest weight.
    """

    _parameter_constraints = {"low": _ANY, "high": _ANY}
    varying = ("low", "high")

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = low
        self.high = high

    def _check(self) -> None:
        _refuse_crossed(self, self.low, self.high)

    def _project_(self, weight: Tensor, c: dict[str, Bound]) -> None:
        weight.clamp_(min=c["low"]).clamp_(max=c["high"])

    def _excess(self, weight: Tensor, c: dict[str, Bound]) -> Tensor:
        return torch.maximum(c["low"] - weight, weight - c["high"])


def _refuse_crossed(constraint: Constraint, low: float, high: float) -> None:
    if low > high:
        raise ValueError(
            f"{type(constraint).__name__} got low={low!r} above high={high!r}, which no weight "
            "can meet: lower one or raise the other."
        )
