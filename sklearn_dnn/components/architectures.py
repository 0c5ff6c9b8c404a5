"""Shapes of the hidden part that have parameters of their own."""

from __future__ import annotations

import numbers
from abc import abstractmethod

from .._compat import Interval
from .base import Component


class Architecture(Component):
    """A rule that gives the sizes of the hidden layers."""

    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer, from the input on."""


class Rectangular(Architecture):
    """Hidden layers of equal width, so that depth and width can be searched apart.

    Parameters
    ----------
    depth : int, default=1
        Number of hidden layers; 0 is the linear model.
    width : int, default=100
        Units of each hidden layer.

    Examples
    --------
    >>> from sklearn_dnn.components import Rectangular
    >>> Rectangular(depth=3, width=64).sizes()
    (64, 64, 64)
    """

    _parameter_constraints = {
        "depth": [Interval(numbers.Integral, 0, None, closed="left")],
        "width": [Interval(numbers.Integral, 1, None, closed="left")],
    }

    def __init__(self, depth: int = 1, width: int = 100) -> None:
        self.depth = depth
        self.width = width

    def sizes(self) -> tuple[int, ...]:
        return (int(self.width),) * int(self.depth)
