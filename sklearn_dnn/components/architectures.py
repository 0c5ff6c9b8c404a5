"""Shapes of the hidden part that have parameters of their own."""

from __future__ import annotations

import inspect
import numbers
from abc import abstractmethod

import torch

from .._compat import Interval
from .base import Component
from .foreign import ForeignClass

# Hidden layers that can be asked for by a number.
DEEPEST = 10_000


class LayerSizes(Component):
    """A rule that gives the sizes of the hidden layers."""

    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer, from the input on."""


class Rectangular(LayerSizes):
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
        "depth": [Interval(numbers.Integral, 0, DEEPEST, closed="both")],
        "width": [Interval(numbers.Integral, 1, None, closed="left")],
    }

    def __init__(self, depth: int = 1, width: int = 100) -> None:
        self.depth = depth
        self.width = width

    def sizes(self) -> tuple[int, ...]:
        return (int(self.width),) * int(self.depth)


class HiddenModule(ForeignClass, Component):
    """A ``torch.nn.Module`` class as the hidden part of the network.

    An object of the class takes standardised inputs (b, n_features) to hidden outputs
    (b, width), of any width; the estimator puts a dense output layer on them. The class is
    built with the arguments given here, and with ``n_features`` if it has an argument of that
    name. Its weights start as the class draws them, from the estimator's `random_state`.

    Parameters
    ----------
    wrapped : type
        The class.
    **arguments
        Keyword arguments of its constructor; each is a parameter that a search can reach, as
        ``hidden_layer_sizes__width``.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dnn.components import HiddenModule
    >>> class Bottleneck(torch.nn.Module):
    ...     def __init__(self, n_features, width=8):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(n_features, width)
    ...     def forward(self, x):
    ...         return torch.relu(self.layer(x))
    >>> HiddenModule(Bottleneck, width=4).build(3)
    Bottleneck(
      (layer): Linear(in_features=3, out_features=4, bias=True)
    )
    """

    reserved = ("n_features",)
    convention = (
        " HiddenModule gives the number of inputs to an argument that is called n_features: rename "
        "the one of your class."
    )

    def _check(self) -> None:
        # before the signature is read, which not every class has
        if isinstance(self.wrapped, type) and not issubclass(self.wrapped, torch.nn.Module):
            raise TypeError(
                f"HiddenModule wraps a class derived from torch.nn.Module. Got {self.wrapped!r}."
            )
        super()._check()
        self._refuse_missing()

    def build(self, n_features: int) -> torch.nn.Module:
        """A new module for this many inputs; draws from torch's own random state."""
        takes = inspect.signature(self.wrapped).parameters
        given = {"n_features": n_features} if "n_features" in takes else {}
        return self.wrapped(**given, **self.arguments)
