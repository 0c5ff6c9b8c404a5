"""Bounds of an output."""

from __future__ import annotations

import numbers

from ..._compat import Interval
from ..base import Component
from ._base import ACTIVATIONS, Activation


class Bounded(Component):
    """A bounded activation of the output, stretched to the range of the targets.

    Parameters
    ----------
    activation : str or Activation, default="logistic"
        One that is bounded on both sides, such as "logistic", "tanh" or "hard_sigmoid".
    low, high : float, default=0.0 and 1.0
        What predictions lie between, in the units of y; targets outside are refused.
    """

    _parameter_constraints = {
        "activation": [str, Activation],
        "low": [Interval(numbers.Real, None, None, closed="neither")],
        "high": [Interval(numbers.Real, None, None, closed="neither")],
    }

    def __init__(
        self, activation: str | Activation = "logistic", low: float = 0.0, high: float = 1.0
    ) -> None:
        self.activation = activation
        self.low = low
        self.high = high

    def _check(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"Bounded got low={self.low!r} and high={self.high!r}: low must be less than high."
            )
        low, high = ACTIVATIONS.resolve(self.activation).range
        if not float("-inf") < low < high < float("inf"):
            raise ValueError(
                f"Bounded needs an activation that is bounded on both sides, but "
                f"activation={self.activation!r} is within ({low}, {high}). Use 'logistic' or "
                "'tanh'."
            )
