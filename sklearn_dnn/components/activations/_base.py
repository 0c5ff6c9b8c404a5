"""What an activation is: the base class, and the registry of names."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..base import Component
from ..registry import Registry


class Activation(Component):
    """A function between the dense layers, applied to each element of a layer's output.

    Subclasses define :meth:`forward`. One that also defines :meth:`apply` and
    :meth:`gradient`, and says in `saves` what the derivative is computed from, is trained
    without the overhead of autograd; the results are the same.

    An activation that learns, or draws at random in training, defines :meth:`layer_forward`
    too; a gated one reads two inputs a unit.

    Attributes
    ----------
    initializer : str
        Name of the initializer that ``initializer="auto"`` pairs with this activation.
    saves : {"output", "input", None}
        What :meth:`gradient` needs of the forward pass; None leaves it to autograd.
    inputs_per_unit : int
        Inputs that each output is computed from: 1, or 2 for gated units, which map
        (.., 2k) to (.., k).
    parameter_starts : mapping of str to float
        The vectors that are learned, one number a unit of the layer, and the constant that each
        starts at.
    noisy : bool
        Whether training draws at random.
    range : tuple of two floats
        Infimum and supremum of the outputs. With the three below it is for people to choose by.
    smooth : bool
        Whether the derivative is continuous everywhere, for the default parameters.
    saturates : {"none", "below", "above", "both"}
        Where no gradient passes back: as the input (of gated units, the gate's) tends to minus
        infinity, to infinity, or to both.
    odd : bool
        Whether the activation of -z is minus that of z, which keeps outputs centred on zero.
    """

    initializer: ClassVar[str] = "glorot_uniform"
    saves: ClassVar[Literal["output", "input"] | None] = None
    inputs_per_unit: int = 1
    # Mapping: where a start is a parameter of the component, it is computed
    parameter_starts: ClassVar[Mapping[str, float]] = {}
    noisy: ClassVar[bool] = False
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    smooth: ClassVar[bool] = False
    saturates: ClassVar[Literal["none", "below", "above", "both"]] = "none"
    odd: ClassVar[bool] = False

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """The activation of `z`, of any shape, `z` untouched, for autograd to follow.

        A new tensor, except that the identity hands back `z` itself. Where something is learned
        it is at its start; where something is random it is at its mean.
        """

    def layer_forward(
        self, z: Tensor, parameters: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> Tensor:
        """The activation of a layer's output, for autograd to follow.

        Parameters
        ----------
        z : Tensor of shape (b, c * k) or (m, b, c * k)
            The output of the dense part of a layer of k units, c being `inputs_per_unit`.
        parameters : mapping of str to Tensor of shape (k,) or (m, 1, k)
            The vectors named in `parameter_starts`.
        generator : torch.Generator or None
            On the device of `z`; None in prediction, where nothing is random.

        Returns
        -------
        Tensor of shape (b, k) or (m, b, k)
        """
        return self.forward(z)

    def apply(self, z: Tensor, out: Tensor) -> None:
        """Write the activation of `z` to `out`; `out` may be `z` where `saves` is "output"."""
        raise AssertionError(f"{type(self).__name__} has no kernel of its own")

    def gradient(self, grad: Tensor, saved: Tensor, out: Tensor) -> None:
        """Write `grad` times the derivative to `out`; `out` may be `grad`."""
        raise AssertionError(f"{type(self).__name__} has no kernel of its own")


ACTIVATIONS: Registry[Activation] = Registry("activation", Activation)
